//! `roadstead doctor` on the built program: what it finds, and its exit code.

use crate::cli::Roadstead;
use crate::images::Layout;
use crate::peers::docker_registry::DockerRegistry;

/// State and message of what was found about a subject.
fn findings(document: &serde_json::Value, subject: &str) -> Vec<(String, String)> {
    let all = document["findings"].as_array().expect("findings").iter();
    let text = |value: &serde_json::Value| String::from(value.as_str().expect("text"));
    let of_it = all.filter(|finding| finding["subject"] == subject);
    of_it.map(|finding| (text(&finding["state"]), text(&finding["message"]))).collect()
}

#[test]
fn a_sound_machine_has_no_failures() {
    let registry = DockerRegistry::plain();
    registry.push(&Layout::busybox(), "1", "busybox");
    let host = registry.host();
    let roadstead = Roadstead::with_config(&format!("[registries.\"{host}\"]\ninsecure = true\n"));
    let new = roadstead.json(&["doctor", "--offline"]);
    assert_eq!(findings(&new, "network"), []);
    roadstead.add(&format!("{host}/busybox:1"));
    let document = roadstead.json(&["doctor"]);
    assert_eq!(document["ok"], true, "{document}");
    assert_eq!(findings(&document, "network"), [("ok".into(), format!("{host} answers"))]);
    assert!(findings(&document, "catalog")[0].1.contains(&roadstead.root()), "{document}");
    assert!(findings(&document, "data directory").len() >= 3, "{document}");
    drop(registry);
    let printed = roadstead.run(&["doctor"]);
    assert_eq!(printed.code, 6, "{printed}");
    assert!(printed.stdout.contains(&host) && printed.stderr.contains("1 check failed"), "{printed}");
}

/// What `add --insecure` said of a registry holds for every later question to it.
#[test]
fn a_registry_of_plain_http_is_asked_as_it_was_added() {
    let registry = DockerRegistry::plain();
    registry.push(&Layout::busybox(), "1", "busybox");
    // The same registry by an address that is not known to be this machine's, where plain HTTP has to be said.
    let host = registry.host().replace("127.0.0.1", "0.0.0.0");
    let roadstead = Roadstead::new();
    roadstead.run(&["add", &format!("{host}/busybox:1")]).failure(6);
    roadstead.add(&format!("{host}/busybox:1"));
    let document = roadstead.json(&["doctor"]);
    assert_eq!(findings(&document, "network"), [("ok".into(), format!("{host} answers"))]);
    assert_eq!(document["ok"], true, "{document}");
}

#[test]
fn what_is_broken_is_told_and_the_rest_is_looked_at() {
    let roadstead = Roadstead::with_config("wiat = 3\n");
    let printed = roadstead.run(&["doctor", "--offline"]);
    assert_eq!(printed.code, 2, "{printed}");
    assert!(printed.stdout.contains("fail  configuration") && printed.stdout.contains("data directory"), "{printed}");

    let roadstead = Roadstead::new();
    roadstead.ok(&["root", "--profile", "unixfs-v1-2025"]);
    let file = roadstead.path("registry/catalog.db");
    std::fs::write(&file, "no database").expect("a file");
    let printed = roadstead.run(&["doctor", "--offline"]);
    assert_ne!(printed.code, 0, "{printed}");
    assert!(printed.stdout.contains("fail  catalog"), "{printed}");
}
