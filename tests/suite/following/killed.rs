//! `kill -9` of a server that follows: while it takes a root, and while another follower takes that root from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::restoring::proxy::Proxy;

const MIB: u64 = 1 << 20;

/// Publishes some 20 MB, after which the tag means something else.
fn publish_more(publisher: &Publisher) -> String {
    publisher.registry.push(&Layout::random(&[9 * MIB, 7 * MIB, 4 * MIB], 6), "1", "large");
    publisher.roadstead.ok(&["add", &format!("{}/large:1", publisher.registry.host())]);
    publisher.move_tag("the second\n")
}

#[test]
fn killed_while_it_takes_a_root_it_starts_again_and_ends_whole() {
    let publisher = Publisher::new();
    let serving = publisher.roadstead.serve_with(&["--ipfs"]);
    let proxy = Proxy::before(&serving.url);
    let follower = Roadstead::new();
    let words = ["serve", "--listen", "127.0.0.1:0", "--ipfs", "--no-swarm", "--every", "1s", "--mode", "all"];
    let words = [&words[..], &["--follow", &publisher.name, "--from", &proxy.url]].concat();
    let first = publisher.roadstead.root();
    let start = || Running::start(&follower.command(&words), &follower.path(""), "following");
    let running = start();
    holds_by_and_by(&follower, &first);
    drop(running);

    let second = publish_more(&publisher);
    let mut kills = 0;
    // From the first byte on, and each time further; what is verified stays, so that it comes to its end.
    for after in [0, 10 << 10].into_iter().chain((1..).map(|step| step * (MIB / 2))) {
        let running = start();
        let killed = Arc::new(AtomicBool::new(false));
        let is_killed = Arc::clone(&killed);
        proxy.after(after, move || {
            drop(running);
            is_killed.store(true, Ordering::SeqCst);
        });
        let log = || format!("{:#}", follower.json(&["follow", "status"]));
        wait_for("it is killed, or has come to its end", log, || {
            (killed.load(Ordering::SeqCst) || follower.root() == second).then_some(())
        });
        proxy.forget();
        let root = follower.root();
        assert!(root == first || root == second, "{root}");
        assert_eq!(follower.json(&["follow", "status"])["root"], root);
        follower.ok(&["verify"]);
        if !killed.load(Ordering::SeqCst) {
            break;
        }
        kills += 1;
    }
    assert!(kills >= 5, "{kills} kills");
    assert_eq!(follower.root(), second);
    follower.ok(&["follow", "check"]);
    assert_eq!(pulled(&publisher.follow(&follower, &[&serving], "all"), &publisher), "the second\n");
}

#[test]
fn killed_while_another_one_takes_from_it_both_end_whole() {
    let publisher = Publisher::new();
    let second = publish_more(&publisher);
    let serving = publisher.roadstead.serve_with(&["--ipfs"]);
    let first = Roadstead::new();
    let first_serving = publisher.follow(&first, &[&serving], "all");
    holds(&first, &second);
    drop((first_serving, serving));

    // The publisher is gone: all that the other one gets comes from the first one.
    let nobody = publisher.roadstead.serve_with(&["--ipfs"]);
    let gone = nobody.url.clone();
    drop(nobody);
    let other = Roadstead::new();
    let mut kills = 0;
    for after in [0, 10 << 10].into_iter().chain((1..).map(|step| step * (MIB / 2))) {
        let words = ["--ipfs", "--follow", &publisher.name, "--mode", "all", "--every", "1s", "--from", &gone];
        let first_serving = first.serve_with(&words);
        let proxy = Proxy::before(&first_serving.url);
        proxy.after(after, move || drop(first_serving));
        let looked = other.run(&["follow", &publisher.name, "--from", &proxy.url, "--mode", "all", "--once"]);
        drop(proxy);
        first.ok(&["verify"]);
        assert_eq!(first.root(), second);
        if looked.code == 0 {
            break;
        }
        kills += 1;
        // Before its first byte it has no catalog.
        if other.run(&["root"]).code == 0 {
            other.ok(&["verify"]);
        }
    }
    assert!(kills >= 5, "{kills} kills");
    assert_eq!(other.root(), second);
    for follower in [&first, &other] {
        follower.ok(&["follow", "check"]);
    }
}

/// Waits until a follower that may not have a catalog yet holds this root.
fn holds_by_and_by(follower: &Roadstead, root: &str) {
    let log = || format!("{}", follower.run(&["follow", "status"]));
    wait_for("the follower holds the root", log, || (follower.run(&["root"]).stdout.trim() == root).then_some(()));
}
