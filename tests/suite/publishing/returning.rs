//! The data directory is gone, and the name is all that is left: the registry comes back by it, and goes on where it was.

use super::pins;
use super::world::{DOMAIN, World};

#[test]
fn a_lost_registry_comes_back_by_its_domain_and_has_nothing_to_publish() {
    let world = World::new();
    world.mirror("greeting", "the first\n");
    let root = world.mirror("other", "another\n");
    world.roadstead.ok(&["publish", "--yes"]);
    world.wait_for_gateway(&root);
    let (record, pinned) = (world.record(), pins(&world.kubo));
    assert_eq!(record, [format!("dnslink=/ipfs/{root}")]);

    let node = format!("kubo:{}", world.kubo.api_url);
    for from in [world.kubo.gateway_url.as_str(), node.as_str()] {
        std::fs::remove_dir_all(world.roadstead.path("registry")).unwrap();
        let restored = world.roadstead.run(&["restore", DOMAIN, "--from", from]);
        let who = from.trim_start_matches("kubo:");
        assert!(restored.stderr.contains(&format!("{DOMAIN} is {root} according to {who}.")), "{restored}");
        assert!(restored.stderr.contains("name the root instead of the domain"), "{restored}");
        restored.success();
        assert_eq!(world.roadstead.root(), root, "{from}");
        world.roadstead.ok(&["verify"]);
    }

    // Targets are not a part of a root; the same one has everything already.
    world.roadstead.run(&["publish", "--yes"]).failure(4);
    world.add_target("home", &world.kubo, &["--keep", "3"]);
    let plan = world.roadstead.json(&["publish", "--dry-run"]);
    assert_eq!((&plan["targets"][0]["blocks"], &plan["targets"][0]["bytes"]), (&0.into(), &0.into()), "{plan}");
    let report = world.roadstead.json(&["publish", "--yes"]);
    assert_eq!(report["targets"][0]["outcome"]["sent"], 0, "{report}");
    let again = world.roadstead.run(&["publish", "--yes"]);
    assert!(again.code == 0 && again.to_string().contains("Nothing to publish"), "{again}");
    assert_eq!((world.record(), pins(&world.kubo)), (record, pinned), "nothing moved");

    // It is a catalog like the one that was lost: an update goes on from there.
    world.registry.push(&crate::images::Layout::saying("the second\n"), "1", "greeting");
    world.roadstead.ok(&["update"]);
    let second = world.roadstead.root();
    assert_ne!(second, root);
    let report = world.roadstead.json(&["publish", "--yes"]);
    assert_eq!(report["targets"][0]["former"], root.as_str(), "only the difference is sent: {report}");
    world.wait_for_gateway(&second);
}
