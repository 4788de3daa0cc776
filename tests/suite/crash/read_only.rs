//! A data directory that can only be read: what reads works, what changes says so.

use super::local::Local;
use super::says;
use super::upstream::Upstream;
use crate::peers::mounts::Mounts;
use crate::peers::{Finished, finish, program, web, wrapped};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

const READING: [&[&str]; 8] = [
    &["list"],
    &["list", "upstream/app"],
    &["show", "upstream/app:1"],
    &["root"],
    &["stats"],
    &["verify"],
    &["gc", "--dry-run"],
    &["remove", "upstream/app:1", "--dry-run"],
];

const CHANGING: [&[&str]; 6] = [
    &["add", "upstream/other:1"],
    &["update"],
    &["remove", "upstream/app:1", "--yes"],
    &["gc", "--yes"],
    &["verify", "--repair"],
    &["root", "--name", "registry.example.com"],
];

fn mirrored() -> (Upstream, Local) {
    let (upstream, _) = Upstream::with_app();
    upstream.put("other", "1", &[super::random(4000, 3)]);
    let roadstead = Local::new(&upstream);
    roadstead.ok(&["add", "upstream/app:1"]);
    (upstream, roadstead)
}

/// What reads does, also elsewhere; what changes is refused, with this reason.
fn reads_and_does_not_change(roadstead: &Local, run: impl Fn(&Command) -> Finished, reason: &str) {
    let root = roadstead.root();
    for words in READING {
        run(&roadstead.command(words)).success();
    }
    assert_eq!(run(&roadstead.command(&["root"])).success().trim(), root);
    for target in ["elsewhere/exported", "elsewhere/exported.car"] {
        run(&roadstead.command(&["export", target])).success();
    }
    for words in CHANGING {
        let said = run(&roadstead.command(words)).failure(1);
        says(&said, &["error: ", reason, "registry", "hint: Check its permissions", "--data-dir"]);
    }
}

#[test]
fn a_disk_that_is_mounted_read_only() {
    let (_upstream, roadstead) = mirrored();
    std::fs::create_dir(roadstead.path("elsewhere")).expect("a directory");
    let mounts = Mounts::read_only(&roadstead.data());
    reads_and_does_not_change(&roadstead, |command| mounts.run(command), "Read-only file system");
    let command = mounts.inside(&roadstead.command(&["serve", "--listen", "127.0.0.1:0"]));
    let (_serving, host) = super::serving::serve_with(&command, &roadstead);
    web::get(&format!("http://{host}/v2/{}/app/manifests/1", roadstead.published())).expect(200);
}

#[test]
fn a_directory_that_belongs_to_someone_else() {
    if !rustix::process::geteuid().is_root() {
        // Only root can be someone else; the mount above says the same to everyone.
        return;
    }
    let (_upstream, roadstead) = mirrored();
    let elsewhere = roadstead.path("elsewhere");
    std::fs::create_dir(&elsewhere).expect("a directory");
    for (path, mode) in [(roadstead.path(""), 0o755), (elsewhere, 0o777)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("permissions");
    }
    let words = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"];
    let run = |command: &Command| finish(&wrapped(command, &program("setpriv"), &words));
    for words in READING {
        let said = run(&roadstead.command(words)).failure(1);
        says(&said, &["can't read the catalog in", "registry: Permission denied", "hint: Images may be private"]);
    }
    // Its owner may let others read it.
    let mut opened = Command::new("chmod");
    opened.args(["-R", "a+rX"]).arg(roadstead.data());
    finish(&opened).success();
    reads_and_does_not_change(&roadstead, run, "Permission denied");
}

/// What a killed process has committed counts, though nobody could clean up behind it.
#[test]
fn the_last_change_before_a_kill_is_seen_on_a_read_only_disk() {
    let (_upstream, roadstead) = mirrored();
    // Whoever has the catalog open when it is killed leaves its log.
    let (serving, host) = super::serving::serve(&roadstead);
    web::get(&format!("http://{host}/v2/{}/app/manifests/1", roadstead.published())).expect(200);
    roadstead.ok(&["add", "upstream/other:1"]);
    let root = roadstead.root();
    serving.signal(rustix::process::Signal::KILL);
    assert_eq!(serving.end().code, 137);
    let log = roadstead.path("registry/catalog.db-wal");
    assert!(log.metadata().is_ok_and(|log| log.len() > 0), "no log is left, so this shows nothing");
    let mounts = Mounts::read_only(&roadstead.data());
    let said = mounts.run(&roadstead.command(&["root"])).success();
    assert_eq!(said.trim(), root);
    mounts.run(&roadstead.command(&["show", "upstream/other:1"])).success();
    mounts.run(&roadstead.command(&["verify"])).success();
}
