//! Followers on real parts: a registry, a publisher that serves, followers of it and of one another, podman.
//!
//! Knows the command line and what the world sees. Must not know the program's inside.

mod cluster;
mod failures;
mod killed;
mod spreading;

use std::path::Path;

use rustix::process::Signal;

use crate::cli::{Roadstead, Serving};
use crate::crash::running::Running;
use crate::images::Layout;
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::mounts::Mounts;
use crate::peers::podman::Podman;
use crate::peers::wait_for;

/// A registry that is published to the program itself, and served.
struct Publisher {
    registry: DockerRegistry,
    roadstead: Roadstead,
    name: String,
}

impl Publisher {
    fn new() -> Self {
        Self::on(Roadstead::new())
    }

    fn on(roadstead: Roadstead) -> Self {
        let registry = DockerRegistry::plain();
        registry.push(&Layout::saying("the first\n"), "1", "greeting");
        roadstead.ok(&["add", &format!("{}/greeting:1", registry.host())]);
        let name = Self::published(&roadstead);
        Self { registry, roadstead, name }
    }

    /// Publishes what is there to the program itself; gives the name.
    fn published(roadstead: &Roadstead) -> String {
        roadstead.ok(&["target", "add", "home", "--self", "--ipns"]);
        roadstead.ok(&["publish", "--yes"]);
        let keys = roadstead.json(&["target", "key", "list"]);
        String::from(keys[0]["id"].as_str().expect("a key"))
    }

    /// The tag means something else from now on, and that is published.
    fn move_tag(&self, words: &str) -> String {
        self.registry.push(&Layout::saying(words), "1", "greeting");
        self.roadstead.ok(&["update"]);
        self.roadstead.ok(&["publish", "--yes"]);
        self.roadstead.root()
    }

    fn follow(&self, follower: &Roadstead, from: &[&Serving], mode: &str) -> Serving {
        let mut words = vec!["--ipfs", "--follow", &self.name, "--mode", mode, "--every", "1s"];
        for serving in from {
            words.extend(["--from", &serving.url]);
        }
        follower.serve_with(&words)
    }
}

/// Waits until a follower holds this root.
fn holds(follower: &Roadstead, root: &str) {
    let status = || follower.json(&["follow", "status"]);
    let log = || format!("{:#}", status());
    wait_for("the follower holds the root", log, || (status()["root"] == root).then_some(()));
    assert_eq!(follower.root(), root);
}

fn pulled(serving: &Serving, publisher: &Publisher) -> String {
    let podman = Podman::new();
    let image = format!("{}/{}/greeting:1", serving.host(), publisher.registry.published());
    podman.pull(&image);
    podman.run_in(&image, &["cat", "/etc/greeting"])
}

#[test]
fn a_registry_goes_on_without_its_publisher() {
    let publisher = Publisher::new();
    let serving = publisher.roadstead.serve_with(&["--ipfs"]);
    let first = Roadstead::new();
    let first_serving = publisher.follow(&first, &[&serving], "all");
    holds(&first, &publisher.roadstead.root());
    assert_eq!(pulled(&first_serving, &publisher), "the first\n");

    let second_root = publisher.move_tag("the second\n");
    holds(&first, &second_root);
    assert_eq!(pulled(&first_serving, &publisher), "the second\n");
    first.ok(&["follow", "check"]);
    let shown = || publisher.roadstead.json(&["target", "show", "home"]);
    wait_for(
        "the publisher sees that it holds the root",
        || format!("{:#}", shown()),
        || {
            let seen = &shown()["serving"][0]["followers"][0];
            (seen["root"] == *second_root && seen["left"] == 0).then_some(())
        },
    );
    let words = publisher.roadstead.ok(&["target", "show", "home"]);
    assert!(words.contains("1 follower heard of in the last day; 1 holds the newest root"), "{words}");

    // The publisher is gone for good, and another follower begins with what the first one holds.
    drop(serving);
    let second = Roadstead::new();
    let second_serving = publisher.follow(&second, &[&first_serving], "lazy");
    holds(&second, &second_root);
    assert_eq!(pulled(&second_serving, &publisher), "the second\n");
    assert_eq!(pulled(&first_serving, &publisher), "the second\n");
}

#[test]
fn a_follower_says_what_it_does_and_what_others_may_do() {
    let publisher = Publisher::new();
    let serving = publisher.roadstead.serve_with(&["--ipfs"]);
    let follower = Roadstead::new();
    let follow = ["follow", &publisher.name, "--from", &serving.url, "--once"];
    let look = follower.json(&follow);
    assert_eq!((&look["root"], &look["taken"]["images"]), (&publisher.roadstead.root().into(), &1.into()), "{look}");
    assert!(follower.json(&["follow", "--once"])["taken"].is_null(), "nothing has moved");
    let status = follower.json(&["follow", "status"]);
    assert_eq!((&status["current"], &status["signed"]), (&true.into(), &true.into()), "{status}");

    let refused = follower.run(&["add", &format!("{}/greeting:1", publisher.registry.host())]);
    assert!(refused.code == 2 && refused.stderr.contains("`roadstead follow stop`"), "{}", refused.stderr);
    follower.ok(&["gc", "--yes"]);

    // Nobody answers: what is here stays, and that is said.
    drop(serving);
    assert_eq!(follower.run(&["follow", "--once"]).code, 6);
    let status = follower.json(&["follow", "status"]);
    assert!(status["failure"].to_string().contains("what is here stays"), "{status}");
    follower.ok(&["follow", "stop"]);
    assert_eq!(follower.run(&["follow", "status"]).code, 4);
    follower.ok(&["remove", "--yes", &format!("{}/greeting:1", publisher.registry.published())]);
}

#[test]
fn a_full_disk_keeps_the_former_root() {
    let publisher = Publisher::new();
    let serving = publisher.roadstead.serve_with(&["--ipfs"]);
    let follower = Roadstead::new();
    let disk = follower.path("disk");
    std::fs::create_dir(&disk).expect("a directory");
    let mounts = Mounts::disk(&disk, 6144);
    let data = disk.join("registry");
    let run = |words: &[&str]| mounts.run(&follower.command_on(&data, words));
    run(&["follow", &publisher.name, "--from", &serving.url, "--once"]).success();
    let first = publisher.roadstead.root();

    publisher.registry.push(&Layout::random(&[8 << 20], 1), "1", "large");
    publisher.roadstead.ok(&["add", &format!("{}/large:1", publisher.registry.host())]);
    publisher.roadstead.ok(&["publish", "--yes"]);
    let said = run(&["follow", "--once"]).failure(1);
    assert!(said.contains("hint: Free some space there"), "{said}");
    assert_eq!(run(&["root"]).success().trim(), first);
    run(&["follow", "check"]).success();

    mounts.shell("mount -o remount,size=64m \"$0\"", &disk);
    run(&["follow", "--once"]).success();
    assert_eq!(run(&["root"]).success().trim(), publisher.roadstead.root());
    run(&["follow", "check"]).success();
}

#[test]
fn a_kill_at_any_moment_leaves_a_whole_root() {
    killed_at_any_moment("tags", 512 << 10);
}

#[test]
fn a_kill_at_any_moment_leaves_a_whole_root_of_all() {
    killed_at_any_moment("all", 1 << 20);
}

/// What comes is little, so it is killed after little.
#[test]
fn a_kill_at_any_moment_leaves_a_whole_root_without_blobs() {
    killed_at_any_moment("lazy", 24 << 10);
}

/// Kills a follower whenever so many more bytes have come, until it has come to its end.
fn killed_at_any_moment(mode: &str, step: u64) {
    let publisher = Publisher::new();
    let serving = publisher.roadstead.serve_with(&["--ipfs"]);
    let follower = Roadstead::new();
    follower.ok(&["follow", &publisher.name, "--from", &serving.url, "--mode", mode, "--once"]);
    let first = follower.root();
    publisher.registry.push(&Layout::random(&[3 << 20, 5 << 20], 2), "1", "large");
    publisher.roadstead.ok(&["add", &format!("{}/large:1", publisher.registry.host())]);
    let second = publisher.move_tag("the second\n");

    // When more and more of it has come, until it comes to its end before.
    let data = follower.path("registry");
    let before = size_below(&data);
    for moment in 0_u64.. {
        let (command, log) = (follower.command(&["follow", "--once"]), format!("follow-{moment}"));
        let mut running = Running::start(&command, &follower.path(""), &log);
        let enough = before + moment * step;
        if running.wait_until_or_end(|| size_below(&data) >= enough) {
            running.signal(Signal::KILL);
        }
        let done = running.end().code == 0;
        let root = follower.root();
        assert!(root == first || root == second, "{root}");
        assert_eq!(follower.json(&["follow", "status"])["root"], root);
        if done {
            break;
        }
        if moment % 4 == 0 {
            follower.ok(&["follow", "check"]);
        }
    }
    assert_eq!(follower.root(), second);
    follower.ok(&["follow", "check"]);
}

/// Bytes of all files below a directory; what goes meanwhile does not count.
pub(crate) fn size_below(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let of = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(about) if about.is_dir() => size_below(&entry.path()),
        Ok(about) => about.len(),
        Err(_) => 0,
    };
    entries.flatten().map(of).sum()
}
