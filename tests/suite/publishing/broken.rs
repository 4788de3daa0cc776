//! What goes wrong on real parts, and that the former publication is whole then.

use super::world::World;
use super::{is_whole, pins};

/// A world with a publication, and something new to publish.
fn moored() -> (World, String, String) {
    let world = World::new();
    let first = world.mirror("greeting", "the first\n");
    world.roadstead.ok(&["publish", "--yes"]);
    let second = world.mirror("greeting", "the second\n");
    (world, first, second)
}

#[test]
fn another_record_is_noticed_and_replaced_only_by_force() {
    let (world, first, second) = moored();
    let foreign = "dnslink=/ipfs/bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354";
    world.knot.set_txt(&format!("_dnslink.{}", super::world::DOMAIN), &[foreign, "v=spf1 -all"]);
    let said = world.roadstead.run(&["publish", "--yes"]).failure(10);
    assert!(said.contains("--force"), "{said}");
    assert_eq!(world.record(), [foreign, "v=spf1 -all"]);
    assert!(is_whole(&world.kubo, &first));
    world.roadstead.ok(&["publish", "--yes", "--force"]);
    assert_eq!(world.record(), [format!("dnslink=/ipfs/{second}"), String::from("v=spf1 -all")]);
}

#[test]
fn a_wrong_key_costs_only_the_record_and_is_never_shown() {
    let (world, first, second) = moored();
    let secret = "Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5";
    std::fs::write(world.roadstead.path("tsig.key"), secret).unwrap();
    let failed = world.roadstead.run(&["publish", "--yes"]);
    assert_eq!(failed.code, 5, "{failed}");
    assert!(!failed.to_string().contains(secret));
    assert_eq!(world.record(), [format!("dnslink=/ipfs/{first}")]);
    assert!(pins(&world.kubo).contains(&first));
    std::fs::write(world.roadstead.path("tsig.key"), world.knot.secret()).unwrap();
    let report = world.roadstead.json(&["publish", "--yes"]);
    assert_eq!(report["targets"][0]["outcome"]["sent"], 0, "it was handed over before");
    assert_eq!(world.record(), [format!("dnslink=/ipfs/{second}")]);
}
