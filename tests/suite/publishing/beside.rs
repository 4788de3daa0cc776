//! A Kubo beside this program, told what `client kubo` prints: it reads what is published here, and keeps no second copy.

use crate::cli::Roadstead;
use crate::images::Layout;
use crate::peers::Daemon;
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::kubo::{Profile, Repository};
use crate::peers::network::{Machine, Network};

const URL: &str = "http://127.0.0.1:5050";
/// What is published, and what is left of it in a repository that has no copy.
const LAYER_BYTES: u64 = 8 << 20;
const MAX_LEFT_BYTES: u64 = 1 << 20;

fn serve(machine: &Machine, roadstead: &Roadstead) -> Daemon {
    let command = machine.inside(&roadstead.command(&["serve", "--ipfs", "--no-swarm"]));
    let mut daemon = Daemon::start("roadstead-serve", &command, &roadstead.path(""));
    let log = roadstead.path("roadstead-serve.log");
    daemon.wait_for("the line with its address", || {
        std::fs::read_to_string(&log).ok()?.contains("serving on ").then_some(())
    });
    daemon
}

fn size(repository: &Repository) -> u64 {
    let said = repository.run(&["repo", "stat", "--size-only"]).success();
    let line = said.lines().find_map(|line| line.strip_prefix("RepoSize:")).expect("a size");
    line.trim().parse().expect("a number")
}

/// What is at a path, byte by byte.
fn read(repository: &Repository, roadstead: &Roadstead, path: &str) -> Vec<u8> {
    let file = roadstead.path("taken");
    repository.run(&["get", "--progress=false", "--output", file.to_str().expect("UTF-8"), path]).success();
    let bytes = std::fs::read(&file).expect("a file");
    std::fs::remove_file(file).expect("a file");
    bytes
}

#[test]
fn a_kubo_beside_reads_everything_and_keeps_no_second_copy() {
    let (registry, roadstead) = (DockerRegistry::plain(), Roadstead::new());
    let layout = Layout::random(&[LAYER_BYTES], 3);
    registry.push(&layout, "1", "large");
    roadstead.ok(&["add", &format!("{}/large:1", registry.host())]);
    roadstead.ok(&["target", "add", "home", "--self", "--ipns"]);
    roadstead.ok(&["publish", "--yes"]);
    let keys = roadstead.json(&["target", "key", "list"]);
    let name = keys[0]["id"].as_str().expect("a key").to_owned();

    // Nobody else is there: what the routers that Kubo comes with would say is no matter.
    let mut network = Network::new();
    let machine = network.machine();
    let serving = serve(&machine, &roadstead);
    let repository = Repository::on_machine(Profile::V1, &machine);
    repository.shell(&roadstead.ok(&["client", "kubo", "--from", URL]));
    let daemon = repository.daemon();
    let blobs = layout.blobs();
    let everything = |repository: &Repository| {
        for blob in &blobs {
            let path = format!("/ipns/{name}/v2/{}/large/blobs/{blob}", registry.published());
            assert_eq!(read(repository, &roadstead, &path), layout.read(blob), "{blob}");
        }
    };
    everything(&repository);
    assert!(size(&repository) > LAYER_BYTES, "what it reads it keeps for a while");
    repository.run(&["repo", "gc", "--quiet"]).success();
    assert!(size(&repository) < MAX_LEFT_BYTES);
    everything(&repository);
    repository.run(&["repo", "gc", "--quiet"]).success();

    // Pinned as well, by reference.
    repository.run(&["config", "--json", "Experimental.UrlstoreEnabled", "true"]).success();
    drop(daemon);
    let daemon = repository.daemon();
    for blob in &blobs {
        let url = format!("{URL}/v2/{}/large/blobs/{blob}", registry.published());
        repository.run(&["add", "--nocopy", "--cid-version=1", "--chunker=size-1048576", &url]).success();
    }
    repository.run(&["pin", "add", "--progress=false", &roadstead.root()]).success();
    repository.run(&["repo", "gc", "--quiet"]).success();
    assert!(size(&repository) < MAX_LEFT_BYTES);
    everything(&repository);
    drop((daemon, serving));
}
