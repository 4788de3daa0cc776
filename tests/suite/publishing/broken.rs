//! What goes wrong on real parts, and that the former publication is whole then.

use super::world::{World, is_whole, pins};
use crate::peers::kubo::{Kubo, Profile};
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

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

#[test]
fn a_node_that_is_down_stops_no_other_and_partly_done_is_said() {
    let (world, _, second) = moored();
    let away = Kubo::start(Profile::V1);
    world.roadstead.ok(&["target", "add", "away", "--kubo", &away.api_url]);
    let url = away.api_url.clone();
    drop(away);
    let said = world.roadstead.run(&["publish", "--yes"]).failure(9);
    assert!(said.contains("away") && said.contains(&url.replace("http://", "")), "{said}");
    assert_eq!(world.record(), [format!("dnslink=/ipfs/{second}")]);
    // The only one that is asked for gives its own code.
    let code = world.roadstead.run(&["publish", "away", "--yes"]).code;
    assert!(code == 6 || code == 7, "{code}");
}

/// Killed right after each step in turn, it is continued, and what is left is no other than it would have been.
#[test]
fn killed_after_every_step_it_goes_on() {
    let world = World::new();
    world.mirror("anchor", "anchor\n");
    world.roadstead.ok(&["publish", "--yes"]);
    let mut turn = 0;
    loop {
        let former = world.roadstead.root();
        let root = world.mirror("greeting", &format!("turn {turn}\n"));
        let ended = killed_after(&world, turn);
        let said = world.record();
        assert!(said == [format!("dnslink=/ipfs/{former}")] || said == [format!("dnslink=/ipfs/{root}")], "{said:?}");
        assert!(is_whole(&world.kubo, said[0].trim_start_matches("dnslink=/ipfs/")), "turn {turn}");
        world.roadstead.ok(&["publish", "--yes"]);
        assert_eq!(world.record(), [format!("dnslink=/ipfs/{root}")]);
        assert!(is_whole(&world.kubo, &root), "turn {turn}");
        if ended {
            break;
        }
        turn += 1;
    }
    assert!(turn >= 5, "{turn} steps");
    let pins = pins(&world.kubo);
    assert_eq!(pins.lines().filter(|line| line.contains("roadstead")).count(), 3, "{pins}");
}

/// Publishes, and kills it when it has told of so many steps; whether it ended before that.
fn killed_after(world: &World, steps: usize) -> bool {
    let mut command = world.roadstead.command(&["--json", "--progress", "json", "publish", "--yes"]);
    let mut running = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(running.stderr.take().unwrap()).lines().map_while(Result::ok);
    let told = lines.filter(|line| line.contains("\"target.step\"") && !line.contains("\"running\""));
    let ended = told.take(steps + 1).count() <= steps;
    let _ = running.kill();
    running.wait().unwrap();
    ended
}
