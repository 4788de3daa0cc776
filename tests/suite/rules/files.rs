//! Rules in a file: living sources, what edits leave alone, and other programs' files.

use super::{mirrored, push};
use crate::cli::Roadstead;
use crate::peers::docker_registry::DockerRegistry;

fn world() -> (Roadstead, DockerRegistry) {
    let (roadstead, registry) = (Roadstead::new(), DockerRegistry::plain());
    push(&registry, "app", &["1.0", "1.1", "2.0", "latest"].map(str::to_owned), "app\n");
    push(&registry, "base", &["3".to_owned()], "base\n");
    (roadstead, registry)
}

#[test]
fn what_a_compose_file_names_comes_and_follows_the_file() {
    let (roadstead, registry) = world();
    let host = registry.host();
    let compose = roadstead.path("compose.yaml");
    let says = |tag: &str| {
        let text = format!("services:\n  web:\n    image: {host}/app:${{TAG:-{tag}}}\n  built:\n    build: .\n");
        std::fs::write(&compose, text).unwrap();
    };
    says("1.0");
    let source = format!("compose:{}", compose.display());
    roadstead.ok(&["rule", "add", "--name", "stack", &source, "--leave", "0s"]);
    let said = roadstead.run(&["update", "--yes"]);
    assert!(said.stderr.contains("built"), "what is left out is named: {said}");
    said.success();
    assert_eq!(mirrored(&roadstead, &registry, "app"), ["1.0"]);
    says("1.1");
    roadstead.ok(&["update", "--yes"]);
    assert_eq!(mirrored(&roadstead, &registry, "app"), ["1.1"]);
    // Beside it, where docker compose looks.
    std::fs::write(roadstead.path(".env"), "TAG=2.0\n").unwrap();
    roadstead.ok(&["update", "--yes"]);
    assert_eq!(mirrored(&roadstead, &registry, "app"), ["2.0"]);
    // Without its file nothing is known, so nothing is removed.
    std::fs::remove_file(&compose).unwrap();
    let said = roadstead.run(&["update", "--yes"]);
    assert!(said.stderr.contains("there is no file"), "{said}");
    said.failure(9);
    assert_eq!(mirrored(&roadstead, &registry, "app"), ["2.0"]);
}

#[test]
fn a_command_runs_when_it_was_typed_and_not_when_it_was_only_read() {
    let (roadstead, registry) = world();
    let command = format!("command:printf '{}/app:1.0\\n'", registry.host());
    roadstead.ok(&["rule", "add", "--name", "printed", &command]);
    roadstead.ok(&["update", "--yes"]);
    assert_eq!(mirrored(&roadstead, &registry, "app"), ["1.0"]);

    let other = Roadstead::new();
    let file = other.path("mirror.toml");
    let printed = other.path("ran");
    std::fs::write(&file, format!("[[rule]]\nsources = ['command:touch {}']\n", printed.display())).unwrap();
    let file = file.display().to_string();
    other.ok(&["rule", "use", &file]);
    for words in [&["update", "--yes"][..], &["outdated"], &["update", "--dry-run"]] {
        other.run(words).failure(2);
    }
    assert!(!printed.exists(), "a checkout runs nothing by being read");
    other.ok(&["rule", "trust", "--yes"]);
    other.run(&["update", "--yes"]).failure(9);
    assert!(printed.exists());
    // They change, and have to be seen again.
    std::fs::write(other.path("mirror.toml"), "[[rule]]\nsources = ['command:touch other']\n").unwrap();
    other.run(&["update", "--yes"]).failure(2);
}

#[test]
fn a_script_that_changes_has_to_be_allowed_again() {
    let (roadstead, registry) = world();
    let script = roadstead.path("images.sh");
    let prints = |tag: &str| std::fs::write(&script, format!("echo {}/app:{tag}\n", registry.host())).unwrap();
    prints("1.0");
    let file = roadstead.path("mirror.toml");
    std::fs::write(&file, "[[rule]]\nsources = ['command:sh images.sh']\n").unwrap();
    roadstead.ok(&["rule", "use", &file.display().to_string()]);
    roadstead.ok(&["rule", "trust", "--yes"]);
    roadstead.ok(&["update", "--yes"]);
    assert_eq!(mirrored(&roadstead, &registry, "app"), ["1.0"]);
    prints("1.1");
    let said = roadstead.run(&["update", "--yes"]);
    assert!(said.stderr.contains("rule trust"), "{said}");
    said.failure(2);
    roadstead.ok(&["rule", "trust", "--yes"]);
    roadstead.ok(&["update", "--yes"]);
    assert!(mirrored(&roadstead, &registry, "app").contains(&"1.1".to_owned()));
}

#[test]
fn an_edit_keeps_comments_and_order() {
    let (roadstead, registry) = world();
    let host = registry.host();
    let file = roadstead.path("mirror.toml");
    let before = format!(
        "# Ours.\nversion = 1\n\n# The application.\n[[rule]]\nname = 'app' # short\nimage = '{host}/app'\ntags = ['#.#']\nnewest = 1\n\n\
         # What it stands on.\n[[rule]]\nimage = '{host}/base:3'\n"
    );
    std::fs::write(&file, &before).unwrap();
    roadstead.ok(&["rule", "use", &file.display().to_string()]);
    roadstead.ok(&["rule", "set", "app", "--newest", "2"]);
    let after = std::fs::read_to_string(&file).unwrap();
    assert_eq!(after, before.replace("newest = 1", "newest = 2"));
    roadstead.ok(&["update", "--yes"]);
    assert_eq!(mirrored(&roadstead, &registry, "app"), ["1.1", "2.0"]);
    roadstead.ok(&["rule", "remove", "app"]);
    let after = std::fs::read_to_string(&file).unwrap();
    assert!(
        after.starts_with("# Ours.\nversion = 1\n") && after.contains("# What it stands on.") && !after.contains("#.#")
    );
    assert_eq!(roadstead.ok(&["rule", "export"]), after);
}

#[test]
fn rules_of_regsync_become_ours_and_what_cant_be_said_is_named() {
    let (roadstead, registry) = world();
    let file = roadstead.path("regsync.yml");
    let text = format!(
        "version: 1\ncreds:\n  - registry: {host}\n    user: somebody\n    pass: secret\nsync:\n  - source: {host}/app\n    target: elsewhere/app\n    \
         type: repository\n    tags:\n      allow: ['1\\.\\d+']\n",
        host = registry.host()
    );
    std::fs::write(&file, text).unwrap();
    let report = roadstead.json(&["rule", "import", &file.display().to_string()]);
    assert_eq!(report["format"], "regsync");
    let settings = report["settings"].as_array().unwrap();
    let left: Vec<&str> =
        settings.iter().filter(|said| said["became"].is_null()).filter_map(|said| said["item"].as_str()).collect();
    assert!(
        left.iter().any(|item| item.contains("target")) && left.iter().any(|item| item.contains("creds")),
        "{left:?}"
    );
    assert!(!report.to_string().contains("secret"));
    roadstead.ok(&["update", "--yes"]);
    assert_eq!(mirrored(&roadstead, &registry, "app"), ["1.0", "1.1"]);
}
