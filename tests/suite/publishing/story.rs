//! One command moves the world to the new root, and back.

use super::world::World;
use super::{is_whole, pins};
use crate::peers::podman::Podman;

/// What podman gets and runs by the DNS name, with no image from before.
fn pulled(world: &World, repository: &str) -> String {
    let podman = Podman::knowing(&[super::world::DOMAIN]);
    let name = world.image(repository);
    podman.pull(&name);
    podman.run_in(&name, &["cat", "/etc/greeting"])
}

#[test]
fn podman_pulls_by_a_name_that_moves_on_and_back() {
    let world = World::new();
    let first = world.mirror("greeting", "the first\n");
    let plan = world.roadstead.json(&["publish", "--dry-run"]);
    assert_eq!(plan["root"], first.as_str());
    assert_eq!(plan["targets"][0]["changes"][0]["kind"], "added");
    assert!(world.record().is_empty(), "a dry run changes nothing");
    // Nobody can be asked here.
    world.roadstead.run(&["publish"]).failure(2);

    world.roadstead.ok(&["publish", "--yes"]);
    assert_eq!(world.record(), [format!("dnslink=/ipfs/{first}")]);
    assert!(is_whole(&world.kubo, &first) && pins(&world.kubo).contains(&first));
    world.wait_for_gateway(&first);
    assert_eq!(pulled(&world, "greeting"), "the first\n");
    assert!(world.roadstead.run(&["publish", "--yes"]).to_string().contains("Nothing to publish"));

    // The tag moves.
    world.registry.push(&crate::images::Layout::saying("the second\n"), "1", "greeting");
    world.roadstead.ok(&["update"]);
    let second = world.roadstead.root();
    assert_ne!(second, first);
    let gateway = world.kubo.gateway_url.clone();
    let report = world.roadstead.json(&["publish", "--yes", "--check-gateway", &gateway]);
    let target = &report["targets"][0];
    assert_eq!(target["former"], first.as_str(), "only the difference is sent");
    assert_eq!(target["outcome"]["notes"], serde_json::json!([]), "the gateway gives it out");
    world.wait_for_gateway(&second);
    assert_eq!(pulled(&world, "greeting"), "the second\n");

    // Back again, without a byte.
    let report = world.roadstead.json(&["rollback", &first, "--yes"]);
    assert_eq!(report["targets"][0]["outcome"]["sent"], 0);
    world.wait_for_gateway(&first);
    assert_eq!(pulled(&world, "greeting"), "the first\n");
    assert_eq!(world.roadstead.root(), second, "the catalog stays");
    let plan = world.roadstead.run(&["publish", "--dry-run"]);
    assert!(plan.stderr.contains("rolled back"), "{plan}");
}
