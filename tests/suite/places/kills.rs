//! Killed in every step, at every kind of place: what is given out stays whole, and the same command again ends what was begun. Nodes
//! and the own node are in `publishing`; what a kill does to large files, beside each kind of place here.

use super::directory::Filed;
use super::{bent, with_key};
use crate::cli::{Roadstead, killed_after};
use crate::images::Layout;
use crate::peers::between::Then;
use crate::peers::cluster::Cluster;
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::sshd::Sshd;
use crate::peers::{Daemon, Directory, wait_for, web};
use std::path::Path;
use std::process::Command;

/// Mirrors an image with these words as `greeting:1`; the new root.
fn mirror(registry: &DockerRegistry, roadstead: &Roadstead, words: &str) -> String {
    registry.push(&Layout::saying(words), "1", "greeting");
    roadstead.add(&format!("{}/greeting:1", registry.host()));
    roadstead.root()
}

/// Moves a tag and publishes, and is killed right after each step in turn, until a run ends by itself. After each kill `holds` looks at
/// what the place has, by the former root and the new one; then the run that goes on ends well.
fn in_each_step(
    registry: &DockerRegistry,
    roadstead: &Roadstead,
    command: impl Fn(&[&str]) -> Command,
    publish: &[&str],
    holds: impl Fn(&str, &str),
) {
    let mut former = mirror(registry, roadstead, "the anchor\n");
    let again = || {
        let finished = crate::peers::finish(&command(publish));
        assert_eq!(finished.code, 0, "{finished}");
    };
    again();
    for turn in 0.. {
        assert!(turn < 60, "it never ends by itself");
        let root = mirror(registry, roadstead, &format!("turn {turn}\n"));
        let ended = killed_after(command(&[&["--json", "--progress", "json"], publish].concat()), turn);
        holds(&former, &root);
        again();
        holds(&root, &root);
        former = root;
        if ended {
            assert!(turn >= 4, "{turn} steps");
            return;
        }
    }
}

/// Everything that the tag needs is given out: its manifest, and whatever that names.
fn assert_pullable(host: &str, repository: &str) {
    let manifest = web::get_manifest(&format!("http://{host}/v2/{repository}/manifests/1")).expect(200);
    let manifest: serde_json::Value = serde_json::from_slice(&manifest.body).unwrap();
    let layers = manifest["layers"].as_array().unwrap().iter();
    for digest in layers.chain([&manifest["config"]]).map(|blob| blob["digest"].as_str().unwrap()) {
        web::get(&format!("http://{host}/v2/{repository}/blobs/{digest}")).expect(200);
    }
}

#[test]
fn killed_before_or_after_each_request_to_a_bucket_it_goes_on() {
    let (world, between) = bent();
    let repository = format!("{}/greeting", world.registry.published());
    mirror(&world.registry, &world.roadstead, "the anchor\n");
    world.run(&["publish", "--yes"]).success();
    let (front, logs) = (world.bucket.front(), Directory::new());
    for turn in 0_usize.. {
        mirror(&world.registry, &world.roadstead, &format!("turn {turn}\n"));
        let (mut left, before) = (turn, between.held());
        between.rule(move |asked| {
            if asked.method == "GET" {
                return Then::Pass;
            }
            left = left.wrapping_sub(1);
            match left {
                usize::MAX if turn % 2 == 0 => Then::Hold,
                usize::MAX => Then::Lose,
                _ => Then::Pass,
            }
        });
        let mut running = Daemon::start("publish", &with_key(&world.roadstead, &["publish", "--yes"]), logs.path());
        let log = || format!("request {turn}");
        wait_for("a request without an answer", log, || {
            (between.held() > before || running.ended().is_some()).then_some(())
        });
        let is_cut = running.ended().is_none();
        if is_cut {
            running.signal(rustix::process::Signal::KILL);
            wait_for("its end", log, || running.ended().map(drop));
        }
        between.rule(|_| Then::Pass);
        assert_pullable(&front.host(), &repository);
        let report = world.json(&["publish", "--yes"]);
        assert!(report["failed"].as_array().unwrap().is_empty(), "request {turn}: {report}");
        assert_pullable(&front.host(), &repository);
        if !is_cut {
            assert!(turn >= 8, "{turn} requests");
            break;
        }
    }
    world.run(&["target", "verify", "bucket"]).success();
}

#[test]
fn killed_after_each_step_a_cluster_keeps_a_whole_root() {
    let (registry, roadstead, cluster) = (DockerRegistry::plain(), Roadstead::new(), Cluster::start());
    roadstead.ok(&["target", "add", "cluster", "--cluster", &cluster.first.rest_url()]);
    let command = |words: &[&str]| roadstead.command(words);
    in_each_step(&registry, &roadstead, command, &["publish", "--yes"], |former, root| {
        for peer in [&cluster.first, &cluster.second] {
            assert!(peer.has_pinned(former) || peer.has_pinned(root), "{former} or {root}");
        }
    });
}

#[test]
fn killed_after_each_step_a_service_keeps_a_root_and_gets_the_next_one() {
    let (registry, roadstead, cluster) = (DockerRegistry::plain(), Roadstead::new(), Cluster::start());
    let url = format!("{}/pins", cluster.first.pinning_url());
    roadstead.ok(&["target", "add", "service", "--pinning", &url, "--keep", "1"]);
    roadstead.ok(&["target", "add", "here", "--self"]);
    let peer = super::pinning::peer(&cluster);
    let _serving = roadstead.serve_with(&["--ipfs", "--swarm", "/ip4/127.0.0.1/tcp/0", "--swarm-peer", &peer]);
    let command = |words: &[&str]| roadstead.command(words);
    in_each_step(&registry, &roadstead, command, &["publish", "--yes"], |former, root| {
        assert!(cluster.first.has_pinned(former) || cluster.first.has_pinned(root), "{former} or {root}");
    });
}

#[test]
fn killed_after_each_step_a_directory_here_and_one_over_ssh_give_out_a_whole_tree() {
    let (world, sshd) = (Filed::new(), Sshd::start());
    world.roadstead.ok(&["target", "add", "away", "--ssh", &sshd.address("site")]);
    let command = |words: &[&str]| {
        let mut command = world.roadstead.command(words);
        sshd.known_to(&mut command);
        command
    };
    let repository = format!("oci/v2/{}/greeting", world.registry.published());
    let places = [world.place(), sshd.path("site")];
    let is_whole = |place: &Path| {
        let tree = place.join("current").join(&repository);
        let manifest = std::fs::read(tree.join("manifests/1")).expect("a tag");
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
        let layers = manifest["layers"].as_array().expect("layers").iter();
        for blob in layers.chain([&manifest["config"]]) {
            let digest = blob["digest"].as_str().expect("a digest");
            let bytes = std::fs::read(tree.join("blobs").join(digest)).unwrap_or_else(|_| panic!("{digest} is there"));
            assert_eq!(crate::images::digest(&bytes), digest);
        }
    };
    in_each_step(&world.registry, &world.roadstead, command, &["publish", "--yes"], |_, _| {
        for place in &places {
            is_whole(place);
        }
    });
    for target in ["files", "away"] {
        let finished = crate::peers::finish(&command(&["target", "verify", target]));
        assert_eq!(finished.code, 0, "{finished}");
    }
}
