//! When things go wrong: clocks, keys on two machines, publishers that go back or withdraw what is being taken.

use super::*;
use crate::peers::{Daemon, Directory, command, docker_registry, finish, program, web};
use crate::restoring::proxy::Proxy;

/// Looks once, which must fail; gives what was said.
fn look_in_vain(follower: &Roadstead, publisher: &Publisher, from: &str) -> String {
    let looked = follower.run(&["follow", &publisher.name, "--from", from, "--once"]);
    assert_ne!(looked.code, 0, "{looked}");
    looked.stderr
}

#[test]
fn a_publisher_that_rolls_back_is_followed_back() {
    let publisher = Publisher::new();
    let serving = publisher.roadstead.serve_with(&["--ipfs"]);
    let first = publisher.roadstead.root();
    let follower = Roadstead::new();
    let following = publisher.follow(&follower, &[&serving], "all");
    let second = publisher.move_tag("the second\n");
    holds(&follower, &second);
    publisher.roadstead.ok(&["rollback", &first, "--yes"]);
    holds(&follower, &first);
    assert_eq!(pulled(&following, &publisher), "the first\n");
    follower.ok(&["follow", "check"]);
}

#[test]
fn a_clock_that_is_off_keeps_what_is_here() {
    let publisher = Publisher::new();
    let serving = publisher.roadstead.serve_with(&["--ipfs"]);
    let follower = Roadstead::new();
    follower.ok(&["follow", &publisher.name, "--from", &serving.url, "--once"]);
    let first = follower.root();
    let second = publisher.move_tag("the second\n");
    // For a clock that is days ahead the record has expired.
    let ahead = finish(&follower.command_at("+3d", &["follow", "--once"]));
    assert!(ahead.code != 0 && ahead.stderr.contains("expired") && ahead.stderr.contains("clock"), "{ahead}");
    assert_eq!(follower.root(), first);
    follower.ok(&["follow", "check"]);
    // One that is behind only believes for longer.
    finish(&follower.command_at("-3d", &["follow", "--once"])).success();
    assert_eq!(follower.root(), second);
    follower.ok(&["follow", "check"]);
}

/// What was published by a clock that is days behind or ahead is signed anew by one that is right, and followed.
#[test]
fn a_publisher_whose_clock_was_off_is_followed_all_the_same() {
    let publisher = Publisher::new();
    let follower = Roadstead::new();
    for (clock, words) in [("-3d", "behind\n"), ("+3d", "ahead\n")] {
        publisher.registry.push(&Layout::saying(words), "1", "greeting");
        publisher.roadstead.ok(&["update"]);
        finish(&publisher.roadstead.command_at(clock, &["publish", "--yes"])).success();
        let serving = publisher.roadstead.serve_with(&["--ipfs"]);
        let looked = || follower.run(&["follow", &publisher.name, "--from", &serving.url, "--once"]);
        let log = || format!("{}", looked());
        wait_for("the follower takes the root", log, || {
            (looked().code == 0 && follower.root() == publisher.roadstead.root()).then_some(())
        });
        follower.ok(&["follow", "check"]);
    }
}

#[test]
fn of_two_machines_with_one_key_the_newest_record_counts() {
    let one = Publisher::new();
    let one_serving = one.roadstead.serve_with(&["--ipfs"]);
    let other = Roadstead::new();
    let key = other.path("key.pem");
    one.roadstead.ok(&["target", "key", "export", key.to_str().unwrap()]);
    other.ok(&["target", "key", "import", key.to_str().unwrap()]);
    one.registry.push(&Layout::saying("the other\n"), "1", "other");
    other.ok(&["add", &format!("{}/other:1", one.registry.host())]);
    other.ok(&["target", "add", "home", "--self", "--ipns"]);
    other.ok(&["publish", "--yes"]);
    let other_serving = other.serve_with(&["--ipfs"]);
    let keys = other.json(&["target", "key", "list"]);
    assert_eq!(keys[0]["id"], *one.name);

    // The other one knows of no record, so both have the same sequence: the one that is valid for longer counts.
    let follower = Roadstead::new();
    let _following = one.follow(&follower, &[&one_serving, &other_serving], "all");
    holds(&follower, &other.root());
    let third = one.move_tag("the third\n");
    holds(&follower, &third);
    follower.ok(&["follow", "check"]);
}

#[test]
fn a_root_that_is_withdrawn_while_it_is_taken_changes_nothing() {
    let publisher = Publisher::new();
    let serving = publisher.roadstead.serve_with(&["--ipfs"]);
    let proxy = Proxy::before(&serving.url);
    let follower = Roadstead::new();
    follower.ok(&["follow", &publisher.name, "--from", &proxy.url, "--once"]);
    let first = follower.root();
    // More than fits into the buffers of the connections, which come even so.
    publisher.registry.push(&Layout::random(&[48 << 20], 3), "1", "large");
    publisher.roadstead.ok(&["add", &format!("{}/large:1", publisher.registry.host())]);
    publisher.roadstead.ok(&["publish", "--yes"]);
    let second = publisher.roadstead.root();
    let block = format!("{}/ipfs/{second}?format=raw", serving.url);
    wait_for("the root is given out", String::new, || (web::get(&block).status == 200).then_some(()));

    let withdraw = publisher.roadstead.command(&["target", "remove", "home", "--yes"]);
    proxy.after(2 << 20, move || {
        // On a thread of its own: this one is the proxy's.
        let withdrawing = std::thread::spawn(move || {
            finish(&withdraw).success();
            wait_for("the root is withdrawn", String::new, || (web::get(&block).status == 404).then_some(()));
        });
        withdrawing.join().expect("it is withdrawn");
    });
    look_in_vain(&follower, &publisher, &proxy.url);
    assert!(proxy.bytes() > 2 << 20, "it was being taken");
    assert_eq!(follower.root(), first);
    follower.ok(&["follow", "check"]);

    publisher.roadstead.ok(&["target", "add", "home", "--self", "--ipns"]);
    publisher.roadstead.ok(&["publish", "--yes"]);
    let log = || String::from("it is published again");
    wait_for("the follower holds the root", log, || {
        (follower.run(&["follow", "--once"]).code == 0 && follower.root() == second).then_some(())
    });
    follower.ok(&["follow", "check"]);
}

#[test]
fn a_renewed_certificate_is_given_out_after_a_signal() {
    let publisher = Publisher::new();
    let (old, new) = (Directory::new(), Directory::new());
    let [(certificate, key), (renewed, renewed_key)] = [&old, &new].map(docker_registry::write_certificates);
    let words = ["serve", "--listen", "127.0.0.1:0", "--ipfs", "--no-swarm", "--tls-cert"];
    let words = [&words[..], &[certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()]].concat();
    let mut server = Daemon::start("renewed", &publisher.roadstead.command(&words), old.path());
    let log = old.join("renewed.log");
    let url = server.wait_for("its address", || {
        let said = std::fs::read_to_string(&log).ok()?;
        Some(said.split_once("serving on ")?.1.split_once('\n')?.0.trim().trim_end_matches('/').to_owned())
    });
    assert!(url.starts_with("https://"), "{url}");
    let root = publisher.roadstead.root();
    let answers = |authority: &Directory| {
        let mut curl = command(program("curl"), old.path());
        let authority = authority.join("authority/ca.crt");
        curl.args(["--silent", "--fail", "--max-time", "20", "--output", "/dev/null", "--cacert"]).arg(authority);
        curl.args([format!("{url}/ipfs/{root}?format=raw"), format!("{url}/v2/")]);
        finish(&curl).code == 0
    };
    server.wait_for("an answer", || answers(&old).then_some(()));
    assert!(!answers(&new));
    std::fs::copy(renewed, certificate).unwrap();
    std::fs::copy(renewed_key, key).unwrap();
    server.signal(Signal::HUP);
    server.wait_for("the renewed certificate", || answers(&new).then_some(()));
    assert!(!answers(&old));
}
