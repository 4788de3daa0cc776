//! What goes wrong on real parts, and that the former publication is whole then.

use super::world::World;
use super::{is_whole, pins};
use crate::peers::{finish, free_port};

/// A world with a publication, and something new to publish.
fn set_up() -> (World, String, String) {
    let world = World::new();
    let first = world.mirror("greeting", "the first\n");
    world.roadstead.ok(&["publish", "--yes"]);
    let second = world.mirror("greeting", "the second\n");
    (world, first, second)
}

#[test]
fn another_record_is_noticed_and_replaced_only_by_force() {
    let (world, first, second) = set_up();
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
    let (world, first, second) = set_up();
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

#[test]
fn a_clock_that_is_wrong_is_said_in_words() {
    let (world, first, second) = set_up();
    let failed = finish(&world.roadstead.command_at("+1h", &["publish", "--yes"]));
    assert_eq!(failed.code, 5, "{failed}");
    assert!(failed.stderr.contains("ahead of") && failed.stderr.contains("BADTIME"), "{failed}");
    assert_eq!(world.record(), [format!("dnslink=/ipfs/{first}")]);
    assert!(pins(&world.kubo).contains(&first));
    world.roadstead.ok(&["publish", "--yes"]);
    assert_eq!(world.record(), [format!("dnslink=/ipfs/{second}")]);
}

#[test]
fn of_two_records_only_ours_are_taken_for_ours() {
    let (world, first, second) = set_up();
    let name = format!("_dnslink.{}", super::world::DOMAIN);
    let foreign = "dnslink=/ipns/elsewhere.example";
    world.knot.set_txt(&name, &[foreign, &format!("dnslink=/ipfs/{first}")]);
    let said = world.roadstead.run(&["publish", "--yes"]).failure(10);
    assert!(said.contains("/ipns/elsewhere.example") && said.contains("--force"), "{said}");
    // Both from here: one is left of them.
    world.knot.set_txt(&name, &[&format!("dnslink=/ipfs/{first}"), &format!("dnslink=/ipfs/{second}"), "other"]);
    world.roadstead.ok(&["publish", "--yes"]);
    assert_eq!(world.record(), [format!("dnslink=/ipfs/{second}"), String::from("other")]);
}

#[test]
fn a_gateway_that_lags_behind_is_a_note() {
    let (world, _, second) = set_up();
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let words = ["publish", "--yes", "--check-gateway", &nobody, "--check-gateway", &world.kubo.gateway_url];
    let report = world.roadstead.json(&words);
    let notes = report["targets"][0]["outcome"]["notes"].as_array().expect("notes");
    assert_eq!(notes.len(), 1, "{report}");
    assert!(notes[0].as_str().is_some_and(|note| note.contains(&nobody)), "{report}");
    assert_eq!(world.record(), [format!("dnslink=/ipfs/{second}")], "it is published all the same");
    // Asked again, with nothing else to do.
    let said = world.roadstead.run(&["publish", "--yes", "--check-gateway", &nobody]);
    assert!(said.code == 0 && said.stderr.contains(&nobody), "{said}");
}

#[test]
fn doctor_finds_what_would_stop_a_publication() {
    let (world, _, _) = set_up();
    let findings = |words: &[&str]| {
        let printed = world.roadstead.run(words);
        let found: Vec<String> =
            printed.stdout.lines().filter(|line| line.contains("  target ")).map(str::to_owned).collect();
        (printed.code, found.join("\n"))
    };
    let (_, found) = findings(&["doctor"]);
    assert!(found.contains("home is ready to publish to") && found.contains("chmod 600"), "{found}");
    let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(world.roadstead.path("tsig.key"), owner_only).unwrap();
    let (_, found) = findings(&["doctor", "--offline"]);
    assert!(found.starts_with("ok") && found.contains("home: not asked"), "{found}");
    std::fs::write(world.roadstead.path("tsig.key"), "Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5").unwrap();
    let (code, found) = findings(&["doctor"]);
    assert!(code != 0 && found.contains("fail") && found.contains("BADSIG"), "{found}");
    std::fs::remove_file(world.roadstead.path("tsig.key")).unwrap();
    let (code, found) = findings(&["doctor", "--offline"]);
    assert!(code == 4 && found.contains("can't read the secret"), "{code}: {found}");
}
