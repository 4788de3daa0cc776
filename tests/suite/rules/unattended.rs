//! What a timer starts: nobody is there to answer, and what waits is done by the next run.

use super::{mirrored, part, push};
use crate::cli::Roadstead;
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::finish;

#[test]
fn a_run_takes_no_more_than_it_may_and_the_next_one_goes_on() {
    let (roadstead, registry) = (Roadstead::new(), DockerRegistry::plain());
    let tags: Vec<String> = (0..5).map(|patch| format!("1.0.{patch}")).collect();
    push(&registry, "app", &tags, "app\n");
    roadstead.ok(&["rule", "add", "--name", "app", "--max-new", "2", &format!("{}/app:#.#.#", registry.host())]);
    let first = roadstead.run(&["update", "--yes"]);
    assert!(first.stderr.contains("3 images wait for the next run"), "{first}");
    first.failure(9);
    assert_eq!(mirrored(&roadstead, &registry, "app"), ["1.0.3", "1.0.4"], "the newest come first");
    // As a unit runs it, what waits is said and no failure.
    let unit = roadstead.run(&["update", "--yes", "--allow-postponed"]);
    assert!(unit.stderr.contains("1 image waits for the next run.\n") && !unit.stderr.contains("error:"), "{unit}");
    unit.success();
    roadstead.ok(&["update", "--yes"]);
    assert_eq!(mirrored(&roadstead, &registry, "app").len(), 5);
}

/// All other failures are still told by the exit code.
#[test]
fn a_unit_fails_when_a_rule_does() {
    let (roadstead, registry) = (Roadstead::new(), DockerRegistry::plain());
    push(&registry, "app", &["1.0", "1.1"].map(str::to_owned), "app\n");
    let host = registry.host();
    roadstead.ok(&["rule", "add", "--max-new", "1", &format!("{host}/app:#.#")]);
    roadstead.ok(&["rule", "add", &format!("{host}/nothere:#.#")]);
    let unit = roadstead.run(&["update", "--yes", "--allow-postponed"]);
    assert!(unit.stderr.contains("error: "), "{unit}");
    unit.failure(9);
    assert_eq!(mirrored(&roadstead, &registry, "app"), ["1.1"]);
}

#[test]
fn what_is_shown_before_is_what_happens() {
    let (roadstead, registry) = (Roadstead::new(), DockerRegistry::plain());
    push(&registry, "app", &["1.0", "1.1"].map(str::to_owned), "app\n");
    let pattern = format!("{}/app:#.#", registry.host());
    let tried = roadstead.json(&["rule", "try", &pattern, "--newest", "1"]);
    assert_eq!(tried["selected"], serde_json::json!(["1.1"]));
    assert_eq!(tried["others"][0]["tag"], "1.0");
    // Adding a pattern makes a rule; a dry run makes none.
    let dry = roadstead.json(&["add", &pattern, "--newest", "1", "--dry-run"]);
    assert_eq!(dry["rules"][0]["new"].as_array().unwrap().len(), 1);
    assert!(!roadstead.path("registry").exists());
    roadstead.ok(&["add", &pattern, "--newest", "1"]);
    assert_eq!(mirrored(&roadstead, &registry, "app"), ["1.1"]);
    push(&registry, "app", &["1.2".to_owned()], "new\n");
    let outdated = roadstead.json(&["outdated"]);
    let rule = format!("{}/app", registry.host());
    assert_eq!(part(&outdated, &rule)["new"].as_array().unwrap().len(), 1);
    roadstead.run(&["outdated", "--fail-if-outdated"]).failure(3);
    roadstead.ok(&["update"]);
    assert_eq!(mirrored(&roadstead, &registry, "app"), ["1.1", "1.2"]);
    // What leaves is asked about, where somebody is there.
    let later = finish(&roadstead.command_at("+15d", &["update"]));
    assert!(later.stderr.contains("--yes"), "{later}");
    later.failure(2);
    finish(&roadstead.command_at("+15d", &["update", "--yes"])).success();
    assert_eq!(mirrored(&roadstead, &registry, "app"), ["1.2"]);
    roadstead.ok(&["undo", "--yes"]);
    assert_eq!(mirrored(&roadstead, &registry, "app"), ["1.1", "1.2"], "while its blobs are here");
}
