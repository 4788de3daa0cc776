//! `--read-only`: everything can be looked at, nothing is changed, in both faces.

use super::session::Session;
use super::with_image;
use crate::cli::Roadstead;

/// Names and sizes of what is in the data directory, but for what SQLite keeps beside a database while it is read.
fn directory(roadstead: &Roadstead) -> Vec<(String, u64)> {
    let entries = std::fs::read_dir(roadstead.path("registry")).expect("a directory");
    let mut found: Vec<_> = entries
        .flatten()
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.metadata().expect("a file").len()))
        .filter(|(name, _)| !name.ends_with("-shm") && !name.ends_with("-wal"))
        .collect();
    found.sort();
    found
}

#[test]
fn verbs_that_change_something_are_refused_and_the_others_go_on() {
    let (roadstead, layout) = with_image();
    let (root, before) = (roadstead.root(), directory(&roadstead));
    let source = format!("oci:{}:1", layout.path().display());
    for words in [
        &["add", &source, "--as", "team/third:1"] as &[&str],
        &["update"],
        &["remove", "team/app:1", "--yes"],
        &["undo", "--yes"],
        &["redo", "--yes"],
        &["gc", "--yes"],
        &["allow", "team/app"],
        &["publish", "--yes"],
        &["root", "--name", "r.example.org"],
        &["verify", "--repair"],
        &["target", "add", "home", "--kubo", "http://127.0.0.1:1"],
        &["config", "init"],
    ] {
        let mut all = vec!["--read-only"];
        all.extend(words);
        let ended = roadstead.run(&all);
        assert!(ended.stderr.contains("`--read-only` forbids"), "{words:?}: {}", ended.stderr);
        assert_eq!(ended.code, 2, "{words:?}");
    }
    for words in
        [&["list"] as &[&str], &["show", "team/app:1"], &["stats"], &["verify"], &["remove", "team/app", "--dry-run"]]
    {
        let mut all = vec!["--read-only"];
        all.extend(words);
        roadstead.ok(&all);
    }
    assert_eq!((roadstead.root(), directory(&roadstead)), (root, before));
}

#[test]
fn the_interface_only_looks_and_says_so() {
    let (roadstead, _layout) = with_image();
    let (root, before) = (roadstead.root(), directory(&roadstead));
    let mut command = roadstead.command(&["--read-only"]);
    command.env("TERM", "xterm-256color");
    let mut session = Session::start(&command, (80, 24));
    session.see_selected("team/app");
    session.see("read-only");
    assert!(!session.text().contains("d remove"), "{}", session.text());
    session.type_in("d");
    session.see("`remove` would change something");
    session.type_in("s");
    session.see("REPOSITORY ▾");
    session.type_in(":log\r");
    session.see("Log information");
    session.type_in("q");
    assert_eq!(session.end(), 0);
    assert_eq!((roadstead.root(), directory(&roadstead)), (root, before));
}

#[test]
fn what_was_undone_is_redone_in_both_faces() {
    let (roadstead, _layout) = with_image();
    let root = roadstead.root();
    roadstead.ok(&["remove", "team/app", "--yes"]);
    let without = roadstead.root();
    roadstead.ok(&["undo", "--yes"]);
    assert_eq!(roadstead.root(), root);
    let mut session = super::open(&roadstead, (80, 24), &[]);
    session.see_selected("team/app");
    session.type_in("\x12");
    session.see("Redo `remove");
    session.type_in("y");
    session.see_selected("team/second");
    session.see("redo remove");
    session.type_in("q");
    assert_eq!(session.end(), 0);
    assert_eq!(roadstead.root(), without);
    roadstead.ok(&["undo", "--yes"]);
    assert!(roadstead.ok(&["redo", "--yes"]).contains("team/app"));
    assert_eq!(roadstead.root(), without);
    assert!(roadstead.run(&["redo", "--yes"]).stderr.contains("nothing to redo"));
}
