//! What says that it is complete is written after what it speaks of is on the disk: the order of the system calls.

use super::local::Local;
use super::upstream::Upstream;
use crate::peers::{command, finish, program};
use std::path::Path;

/// The system calls about files that a run makes, in their order.
fn calls(roadstead: &Local, words: &[&str]) -> Vec<String> {
    let inner = roadstead.command(words);
    let log = roadstead.path("calls");
    let mut strace = command(program("strace"), &roadstead.path(""));
    strace.args(["-f", "-y", "-s", "300", "-e", "trace=%file,fsync,syncfs,fchmod", "-o"]).arg(&log);
    strace.arg(inner.get_program()).args(inner.get_args());
    finish(&strace).success();
    let text = std::fs::read_to_string(log).expect("what strace has seen");
    text.lines().map(|line| line.split_once(' ').map_or(line, |(_, call)| call.trim_start()).to_owned()).collect()
}

/// The last call that all these words are in.
#[track_caller]
fn last(calls: &[String], words: &[&str]) -> usize {
    let found = calls.iter().rposition(|call| words.iter().all(|word| call.contains(word)));
    found.unwrap_or_else(|| panic!("no call with {words:?} in:\n{}", calls.join("\n")))
}

fn mirrored() -> Local {
    let (upstream, _) = Upstream::with_app();
    let roadstead = Local::new(&upstream);
    roadstead.ok(&["add", "upstream/app:1"]);
    roadstead
}

#[test]
fn an_export_is_marked_complete_once_it_is_on_the_disk() {
    let roadstead = mirrored();
    let target = roadstead.path("exported");
    let calls = calls(&roadstead, &["export", text(&target)]);
    let marked = last(&calls, &["rename", "/exported/.roadstead-export\""]);
    let synced = last(&calls, &["syncfs(", "/exported>"]);
    let written = calls.iter().rposition(|call| {
        let makes = call.contains("O_CREAT") || call.starts_with("link") || call.starts_with("mkdir");
        makes && call.contains("/exported/") && !call.contains("/.roadstead-export")
    });
    assert!(written.expect("files") < synced && synced < marked, "{}", calls.join("\n"));
    let mark = last(&calls[..marked], &["fsync(", "/exported/.roadstead-export."]);
    let directory = last(&calls, &["fsync(", "/exported>"]);
    assert!(synced < mark && marked < directory, "{}", calls.join("\n"));
}

#[test]
fn a_car_file_gets_its_name_once_it_is_on_the_disk() {
    let roadstead = mirrored();
    let target = roadstead.path("exported.car");
    let calls = calls(&roadstead, &["export", text(&target)]);
    let named = last(&calls, &["rename", "/exported.car\""]);
    let synced = last(&calls, &["fsync(", "/.exported.car."]);
    let made = calls.iter().find(|call| call.contains("O_CREAT") && call.contains("/.exported.car.")).expect("a file");
    assert!(made.contains("O_EXCL"), "{made}");
    let home = roadstead.path("");
    let directory = last(&calls, &["fsync(", &format!("{}>", text(&home).trim_end_matches('/'))]);
    assert!(synced < named && named < directory, "{}", calls.join("\n"));
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
