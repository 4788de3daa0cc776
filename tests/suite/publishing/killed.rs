//! `kill -9` of the program while it gives out what is published: to a node that takes it, and while something else is published.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use super::own_node::{Publisher, given_out};
use super::swarm::{address_of, node};
use crate::cli::{Roadstead, Serving};
use crate::crash::running::Running;
use crate::following::size_below;
use crate::images::Layout;
use crate::peers::{free_port, wait_for};

const MIB: u64 = 1 << 20;

/// Serves to the swarm at this port, where nobody else is known, so slowly that there is time in between.
fn serve(roadstead: &Roadstead, port: u16) -> Serving {
    let listen = format!("/ip4/127.0.0.1/tcp/{port}");
    roadstead.serve_with(&["--ipfs", "--swarm-peer", "/ip4/127.0.0.1/tcp/1", "--swarm", &listen, "--swarm-upload", "8"])
}

#[test]
fn killed_while_a_kubo_takes_all_the_program_starts_again_and_the_kubo_ends_whole() {
    let publisher = Publisher::new();
    publisher.registry.push(&Layout::random(&[9 * MIB, 7 * MIB, 4 * MIB], 5), "1", "large");
    let roadstead = &publisher.roadstead;
    roadstead.ok(&["add", &format!("{}/large:1", publisher.registry.host())]);
    roadstead.ok(&["publish", "--yes"]);
    let (root, port, kubo) = (roadstead.root(), free_port(), node());
    let blocks = kubo.repository().path("blocks");
    let before = size_below(&blocks);
    let mut kills = 0;
    loop {
        let serving = serve(roadstead, port);
        let at = address_of(roadstead);
        let log = || String::from("the server runs in this test");
        wait_for("a connection", log, || (kubo.repository().run(&["swarm", "connect", &at]).code == 0).then_some(()));
        let pin = kubo.repository().command(&["--timeout=60s", "pin", "add", "--progress=false", &root]);
        let mut pin = Running::start(&pin, &roadstead.path(""), "pin");
        let enough = before + kills * MIB;
        let is_killed = pin.wait_until_or_end(|| size_below(&blocks) >= enough);
        drop(serving);
        if !is_killed {
            assert_eq!(pin.end().code, 0);
            break;
        }
        drop(pin);
        kills += 1;
        roadstead.ok(&["verify"]);
        assert_eq!(roadstead.root(), root);
    }
    assert!(kills >= 5, "{kills} kills");
    assert!(super::is_whole(&kubo, &root));
    roadstead.ok(&["target", "verify", "home"]);
}

/// Publishes, and does something after so many steps; whether it came to its end before.
fn publish_and(roadstead: &Roadstead, steps: usize, then: impl FnOnce()) -> bool {
    let mut command = roadstead.command(&["--json", "--progress", "json", "publish", "--yes"]);
    let mut running = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(running.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut told = lines.filter(|line| line.contains("\"target.step\"") && !line.contains("\"running\""));
    let ended = told.by_ref().take(steps + 1).count() <= steps;
    then();
    told.for_each(drop);
    assert!(running.wait().unwrap().success(), "publishing needs nobody who serves");
    ended
}

#[test]
fn killed_while_something_is_published_it_gives_out_the_newest_root_afterwards() {
    let publisher = Publisher::new();
    let roadstead = &publisher.roadstead;
    roadstead.ok(&["publish", "--yes"]);
    let name = publisher.name();
    for turn in 0.. {
        publisher.registry.push(&Layout::saying(&format!("turn {turn}\n")), "1", "greeting");
        roadstead.ok(&["update"]);
        let root = roadstead.root();
        let serving = roadstead.serve_with(&["--ipfs"]);
        let ended = publish_and(roadstead, turn, || drop(serving));
        roadstead.ok(&["verify"]);
        let serving = roadstead.serve_with(&["--ipfs"]);
        let log = || format!("{:#}", roadstead.json(&["target", "show", "home"]));
        wait_for("the name and the root are given out", log, || (given_out(&serving, &name) == root).then_some(()));
        drop(serving);
        roadstead.ok(&["target", "verify", "home"]);
        if ended {
            assert!(turn >= 2, "{turn} steps");
            break;
        }
    }
}
