//! What goes wrong at a node while it is published to. The former publication is whole then, and `publish` goes on.

use super::nodes::TargetSetup;
use super::{is_whole, pins};
use crate::crash::running::Running;
use crate::images::Layout;
use crate::peers::Finished;
use crate::peers::kubo::{Kubo, Profile, Repository};
use crate::peers::passage::{Gate, Passage};
use rustix::process::Signal;
use serde_json::Value;

const MEBIBYTE: u64 = 1 << 20;

/// A setup whose node is reached by a passage, with a publication, and what it gave out then.
fn set_up(repository: Repository) -> (TargetSetup, Passage, String) {
    repository.listen_at_one_port();
    let kubo = Kubo::from_repository(repository, &[]);
    let passage = Passage::to(&kubo.api_url);
    let setup = TargetSetup::at(kubo, &passage.url, &[]);
    let first = setup.mirror("greeting", "the first\n");
    setup.roadstead.ok(&["publish", "--yes"]);
    (setup, passage, first)
}

/// A publication under way, which stands before the gate.
fn begun(setup: &TargetSetup, gate: &Gate, step: &str) -> Running {
    let command = setup.roadstead.command(&["--progress", "json", "publish", "--yes"]);
    let mut running = Running::start(&command, &setup.roadstead.path(""), "publish");
    running.wait_until_said(&format!("\"step\":\"{step}\",\"state\":\"running\""));
    gate.wait();
    running
}

/// What the plan says of the target.
fn planned(setup: &TargetSetup) -> Value {
    setup.roadstead.json(&["publish", "--dry-run"])["targets"][0].clone()
}

/// Publishes; gives what came of it.
fn published(setup: &TargetSetup) -> Value {
    let report = setup.roadstead.json(&["publish", "--yes"]);
    assert_eq!(report["targets"][0]["outcome"]["root"], setup.roadstead.root().as_str(), "{report}");
    report["targets"][0]["outcome"].clone()
}

#[track_caller]
fn says(finished: &Finished, code: i32, words: &[&str]) {
    assert_eq!(finished.code, code, "{finished}");
    for word in words {
        assert!(finished.stderr.contains(word), "no `{word}` in {finished}");
    }
}

/// The former root is pinned and whole, and nothing says otherwise.
#[track_caller]
fn assert_former(setup: &TargetSetup, former: &str) {
    let target = setup.roadstead.json(&["target", "show", "home"]);
    assert_eq!(target["root"].as_str().or(target["target"]["root"].as_str()), Some(former), "{target}");
    assert!(pins(&setup.kubo).contains(former) && is_whole(&setup.kubo, former));
}

#[test]
fn a_node_that_is_killed_in_mid_import_gets_only_the_rest() {
    let (mut setup, passage, first) = set_up(Repository::new(Profile::V1));
    let root = setup.push("random", &Layout::random(&[50 * MEBIBYTE; 6], 3));
    let all = planned(&setup)["blocks"].as_u64().unwrap();
    let gate = passage.close_at("dag/import", 240 * MEBIBYTE);
    let running = begun(&setup, &gate, "hand_over");
    setup.kubo = setup.kubo.killed_and_started();
    drop(gate);
    says(&running.end(), 7, &["can't hand over blocks", "the node at http://127.0.0.1:"]);
    assert_former(&setup, &first);
    assert!(!pins(&setup.kubo).contains(&root));
    let plan = planned(&setup);
    let rest = plan["blocks"].as_u64().unwrap();
    assert!(plan["continues"] == true && rest > 0 && rest < all, "{rest} of {all}: {plan}");
    let outcome = published(&setup);
    assert_eq!(outcome["blocks"], rest, "only what is missing is sent: {outcome}");
    assert!(is_whole(&setup.kubo, &root) && pins(&setup.kubo).contains(&root));
}

#[test]
fn an_interrupt_stops_in_mid_import_and_the_rest_is_sent_later() {
    let (setup, passage, first) = set_up(Repository::new(Profile::V1));
    let root = setup.push("random", &Layout::random(&[50 * MEBIBYTE; 6], 4));
    let all = planned(&setup)["blocks"].as_u64().unwrap();
    let gate = passage.close_at("dag/import", 240 * MEBIBYTE);
    let running = begun(&setup, &gate, "hand_over");
    running.signal(Signal::INT);
    let ended = running.end();
    says(&ended, 130, &["interrupted"]);
    drop(gate);
    assert_former(&setup, &first);
    let plan = planned(&setup);
    let rest = plan["blocks"].as_u64().unwrap();
    assert!(plan["continues"] == true && rest > 0 && rest < all, "{rest} of {all}: {plan}");
    assert_eq!(published(&setup)["blocks"], rest);
    assert!(is_whole(&setup.kubo, &root) && pins(&setup.kubo).contains(&root));
}

#[test]
fn a_full_disk_of_the_node_is_said_and_with_room_it_goes_on() {
    let (setup, _passage, first) = set_up(Repository::on_disk(Profile::V1, 96 << 10));
    let root = setup.push("random", &Layout::random(&[30 * MEBIBYTE; 5], 5));
    let all = planned(&setup)["blocks"].as_u64().unwrap();
    let failed = setup.roadstead.run(&["publish", "--yes"]);
    says(&failed, 7, &["no space left", "hint: The node's disk is full: free some space there"]);
    assert_former(&setup, &first);
    assert!(!pins(&setup.kubo).contains(&root));
    setup.kubo.repository().grow(400 << 10);
    let rest = planned(&setup)["blocks"].as_u64().unwrap();
    assert!(rest > 0 && rest < all, "{rest} of {all}");
    assert_eq!(published(&setup)["blocks"], rest);
    assert!(is_whole(&setup.kubo, &root) && pins(&setup.kubo).contains(&root));
}

/// Garbage is collected, or a block is lost, while the first and the second root are about to be pinned.
fn pinned_whole(lose: impl Fn(&Kubo, &str, Option<&str>)) {
    let kubo = Kubo::start(Profile::V1);
    let passage = Passage::to(&kubo.api_url);
    let setup = TargetSetup::at(kubo, &passage.url, &[]);
    let mut former: Option<String> = None;
    for (number, call) in [(1, "pin/add"), (2, "pin/update"), (3, "pin/update")] {
        let root = setup.push(&format!("random-{number}"), &Layout::random(&[3 * MEBIBYTE, 40_000], number));
        let gate = passage.close_at(call, 0);
        let running = begun(&setup, &gate, "pin");
        lose(&setup.kubo, &root, former.as_deref());
        drop(gate);
        says(&running.end(), 0, &["handed over again"]);
        assert!(pins(&setup.kubo).contains(&root) && is_whole(&setup.kubo, &root), "{call}");
        setup.kubo.repository().run(&["repo", "gc", "--quiet"]).success();
        assert!(is_whole(&setup.kubo, &root));
        former = Some(root);
    }
}

#[test]
fn garbage_that_is_collected_before_the_pin_comes_again() {
    pinned_whole(|kubo, _, _| drop(kubo.repository().run(&["repo", "gc", "--quiet"]).success()));
}

/// Kubo looks for a block below the root in the network, and says nothing.
#[test]
fn a_block_that_is_lost_before_the_pin_comes_again() {
    pinned_whole(|kubo, root, former| {
        let below = |root: &str| kubo.repository().run(&["--offline", "refs", "-r", "--unique", root]).success();
        let known = former.map(below).unwrap_or_default();
        let new = below(root);
        let lost = new.lines().rfind(|cid| cid.starts_with("bafkrei") && !known.contains(*cid)).expect("a new leaf");
        kubo.repository().run(&["block", "rm", lost]).success();
    });
}

#[test]
fn pins_of_others_are_noticed_and_left_alone() {
    let (setup, _passage, first) = set_up(Repository::new(Profile::V1));
    let pinned = pins(&setup.kubo);
    let line = pinned.lines().find(|line| line.starts_with(&first)).unwrap();
    let name = line.split_whitespace().skip(2).collect::<Vec<_>>().join(" ");
    assert!(name.starts_with("roadstead "), "{name}");
    // Somebody pins another thing under our name.
    let foreign = {
        let file = setup.roadstead.path("foreign");
        std::fs::create_dir(&file).unwrap();
        std::fs::write(file.join("words"), "of somebody else").unwrap();
        let root = setup.kubo.repository().add_recursive(&file);
        setup.kubo.repository().run(&["pin", "add", "--name", &name, &root]).success();
        root
    };
    let second = setup.mirror("greeting", "the second\n");
    says(&setup.roadstead.run(&["publish", "--yes"]), 10, &[&foreign, "not published from here", "--force"]);
    assert_former(&setup, &first);
    assert!(!is_whole(&setup.kubo, &second));
    setup.roadstead.ok(&["publish", "--yes", "--force"]);
    assert!(is_whole(&setup.kubo, &second) && pins(&setup.kubo).contains(&foreign));

    // Somebody unpins what we published, all of it, and collects garbage.
    setup.kubo.repository().run(&["pin", "rm", &foreign]).success();
    for root in [&first, &second] {
        setup.kubo.repository().run(&["pin", "rm", root]).success();
    }
    setup.kubo.repository().run(&["repo", "gc", "--quiet"]).success();
    let plan = planned(&setup);
    assert!(plan["pinned"] == false && plan["former"].is_null() && plan["blocks"].as_u64() > Some(10), "{plan}");
    assert!(plan["notes"].to_string().contains("no longer has an earlier root"), "{plan}");
    let third = setup.mirror("greeting", "the third\n");
    published(&setup);
    assert!(is_whole(&setup.kubo, &third) && pins(&setup.kubo).contains(&third));
    // What it has already, nothing is to be done about.
    assert!(setup.roadstead.run(&["publish"]).to_string().contains("Nothing to publish"));
}

#[test]
fn a_wrong_token_and_a_wrong_path_are_said() {
    let repository = Repository::new(Profile::V1);
    let paths = |commands: &[&str]| commands.iter().map(|path| format!("/api/v0/{path}")).collect::<Vec<_>>();
    let most = ["id", "block", "pin", "repo/stat", "swarm/peers", "dag/stat"];
    let all: Vec<&str> = most.iter().copied().chain(["dag/import"]).collect();
    let secrets = serde_json::json!({
        "publisher": { "AuthSecret": "bearer:publisher", "AllowedPaths": paths(&all) },
        "other": { "AuthSecret": "bearer:no-import", "AllowedPaths": paths(&most) },
        "suite": { "AuthSecret": "basic:suite:suite", "AllowedPaths": ["/api/v0"] },
    });
    repository.run(&["config", "--json", "API.Authorizations", &secrets.to_string()]).success();
    let kubo = Kubo::from_repository(repository, &[]);
    let url = kubo.api_url.clone();
    let setup = TargetSetup::at(kubo, &url, &[]);
    let file = setup.roadstead.path("token");
    let roadstead = &setup.roadstead;
    std::fs::write(&file, "bearer:publisher").unwrap();
    roadstead.ok(&["target", "set", "home", "--auth-file", file.to_str().unwrap()]);
    setup.mirror("greeting", "the first\n");
    roadstead.ok(&["target", "test", "home"]);
    roadstead.ok(&["publish", "--yes"]);
    let root = setup.push("random", &Layout::random(&[20 * MEBIBYTE; 2], 9));
    for (token, doing) in [("bearer:wrong", "can't check"), ("bearer:no-import", "can't hand over blocks")] {
        std::fs::write(&file, token).unwrap();
        says(&roadstead.run(&["publish", "--yes"]), 5, &[doing, "refuses the credentials", "API.Authorizations"]);
        says(&roadstead.run(&["target", "test", "home"]), 5, &[]);
    }
    std::fs::write(&file, "bearer:publisher").unwrap();
    roadstead.ok(&["target", "set", "home", "--kubo", &format!("{url}/nowhere")]);
    says(
        &roadstead.run(&["publish", "--yes"]),
        7,
        &["no such command", "hint: Behind a proxy, include the path before"],
    );
    roadstead.ok(&["target", "set", "home", "--kubo", &url]);
    assert_eq!(published(&setup)["root"], root.as_str());
}
