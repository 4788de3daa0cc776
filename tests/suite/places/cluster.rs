//! A cluster of two as a target: both keep each root, a moved tag is pinned by its difference, older roots go after that; a peer that
//! is lost is named, and a kill loses nothing.

use crate::cli::Roadstead;
use crate::images::Layout;
use crate::peers::cluster::{Cluster, PASSWORD, USER};
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::{Daemon, Directory, wait_for};

struct World {
    registry: DockerRegistry,
    roadstead: Roadstead,
    cluster: Cluster,
}

impl World {
    fn new(more: &[&str]) -> Self {
        let world = Self { registry: DockerRegistry::plain(), roadstead: Roadstead::new(), cluster: Cluster::start() };
        let url = world.cluster.first.rest_url();
        world.roadstead.ok(&[&["target", "add", "cluster", "--cluster", &url][..], more].concat());
        world
    }

    /// Puts an image with these words into the upstream registry, and mirrors it.
    fn mirror(&self, words: &str) -> String {
        self.registry.push(&Layout::saying(words), "1", "greeting");
        self.roadstead.add(&format!("{}/greeting:1", self.registry.host()));
        self.roadstead.root()
    }

    fn publish(&self) -> serde_json::Value {
        self.roadstead.json(&["publish", "--yes"])
    }
}

#[test]
fn both_peers_keep_each_root_and_tags_move() {
    let world = World::new(&["--keep", "1"]);
    let first = world.mirror("the first\n");
    let gateway = world.cluster.second.kubo.gateway_url.clone();
    let report = world.publish();
    assert!(report["targets"][0]["outcome"]["notes"].to_string().contains("unverified"), "{report}");
    for peer in [&world.cluster.first, &world.cluster.second] {
        assert!(peer.has_pinned(&first), "{report}");
    }
    let shown = world.roadstead.ok(&["target", "show", "cluster"]);
    assert!(shown.contains("2 of 2 peers kept it") && shown.contains("berlin, oslo"), "{shown}");
    assert!(shown.contains("unverified"), "{shown}");
    let again = world.publish();
    assert_eq!(again["targets"][0]["done"], true, "{again}");

    // What can't be read back is verified by a gateway; from then on each publication asks it before names move.
    let said = world.roadstead.run(&["target", "verify", "cluster"]).failure(2);
    assert!(said.contains("--gateway URL"), "{said}");
    let verified = world.roadstead.json(&["target", "verify", "cluster", "--gateway", &gateway]);
    assert!(verified["blocks"].as_u64().unwrap() > 3 && verified["missing"] == 0, "{verified}");
    assert_eq!(verified["holders"].as_array().unwrap().len(), 2, "{verified}");
    world.roadstead.ok(&["target", "set", "cluster", "--check-gateway", &gateway]);

    let second = world.mirror("the second\n");
    let report = world.publish();
    let target = &report["targets"][0];
    assert!(target["blocks"].as_u64().unwrap() < 60, "the difference alone: {report}");
    assert!(!target["outcome"]["notes"].to_string().contains("unverified"), "{report}");
    // Older roots go, temporary ones too, and only after the new one is there.
    for peer in [&world.cluster.first, &world.cluster.second] {
        assert!(peer.has_pinned(&second), "{report}");
        peer.wait_until_pinned(&first, false);
        let left = peer.kubo.repository().run(&["pin", "ls", "--type=recursive", "--quiet"]).success();
        wait_for(
            "no other pin",
            || left.clone(),
            || {
                let left = peer.kubo.repository().run(&["pin", "ls", "--type=recursive", "--quiet"]).success();
                left.lines().all(|root| root == second || root.starts_with("Qm")).then_some(())
            },
        );
    }

    // Where more than one is kept, a former one is published again.
    world.roadstead.ok(&["target", "set", "cluster", "--keep", "2"]);
    let third = world.mirror("the third\n");
    let report = world.publish();
    assert_eq!(report["targets"][0]["outcome"]["root"], third.as_str(), "{report}");
    let report = world.roadstead.json(&["rollback", &second, "--yes"]);
    assert_eq!(report["targets"][0]["outcome"]["root"], second.as_str(), "{report}");
    assert!(world.cluster.first.has_pinned(&second) && world.cluster.second.has_pinned(&second));
    let history = world.roadstead.ok(&["history"]);
    assert!(history.contains("rollback"), "{history}");
}

#[test]
fn a_lost_peer_is_named_and_a_kill_loses_nothing() {
    let mut world = World::new(&[]);
    let sizes = [24 << 20, 1 << 20, 2 << 20];
    world.registry.push(&Layout::random(&sizes, 7), "1", "large");
    world.roadstead.add(&format!("{}/large:1", world.registry.host()));
    let logs = Directory::new();
    for until in ["handing over", "pinned"] {
        let mut running = Daemon::start("publish", &world.roadstead.command(&["publish", "--yes"]), logs.path());
        let blocks = || world.cluster.first.kubo.repository().run(&["repo", "stat", "--size-only"]).stdout;
        let begun = blocks();
        wait_for(until, String::new, || (blocks() != begun || running.ended().is_some()).then_some(()));
        if running.ended().is_none() {
            running.signal(rustix::process::Signal::KILL);
        }
        wait_for("its end", String::new, || running.ended().map(drop));
    }
    let root = world.roadstead.root();
    let report = world.publish();
    assert!(report["failed"].as_array().unwrap().is_empty(), "{report}");
    assert!(world.cluster.first.has_pinned(&root) && world.cluster.second.has_pinned(&root), "{report}");

    world.cluster.second.kill();
    world.cluster.wait_until_peers(1);
    let root = world.mirror("after the loss\n");
    let report = world.publish();
    assert!(report["failed"].as_array().unwrap().is_empty(), "{report}");
    let said = report.to_string();
    assert!(said.contains("oslo: gone"), "{report}");
    assert!(world.cluster.first.has_pinned(&root), "{report}");
}

#[test]
fn what_a_cluster_is_and_who_may_use_it_is_tested() {
    let cluster = Cluster::guarded();
    let roadstead = Roadstead::new();
    let url = cluster.first.rest_url();
    let file = roadstead.path("cluster.secret");
    std::fs::write(&file, format!("basic:{USER}:{PASSWORD}\n")).unwrap();
    roadstead.ok(&["target", "add", "cluster", "--cluster", &url]);
    let tested = roadstead.run(&["target", "test", "cluster"]);
    assert!(tested.code == 5 && tested.stdout.contains("refuses the credentials"), "{tested}");
    roadstead.ok(&["target", "set", "cluster", "--auth-file", file.to_str().unwrap(), "--replication", "2"]);
    let tested = roadstead.ok(&["target", "test", "cluster"]);
    for word in ["ipfs-cluster/1.", "1 peer", "reach its peers", "import", "unpin", "can't be read from"] {
        assert!(tested.contains(word), "{word}: {tested}");
    }
    assert!(!tested.contains("look   node    version"), "{tested}");
    let said = roadstead.run(&["target", "set", "cluster", "--ipns"]).failure(2);
    assert!(said.contains("publishes none"), "{said}");
    let registry = DockerRegistry::plain();
    registry.push(&Layout::saying("guarded\n"), "1", "greeting");
    roadstead.add(&format!("{}/greeting:1", registry.host()));
    let mut told = vec![roadstead.run(&["-vvv", "--json", "publish", "--yes"]).to_string(), tested];
    let pin = cluster.ask(&format!("/allocations/{}", roadstead.root())).expect("a pin");
    assert_eq!((&pin["replication_factor_min"], &pin["replication_factor_max"]), (&2.into(), &2.into()), "{pin}");
    assert_eq!(pin["allocations"].as_array().unwrap().len(), 2, "{pin}");
    told.push(roadstead.ok(&["--json", "target", "show", "cluster"]));
    std::fs::remove_file(&file).unwrap();
    for entry in std::fs::read_dir(roadstead.path("registry")).unwrap().map_while(Result::ok) {
        if entry.path().is_file() {
            told.push(String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).into_owned());
        }
    }
    assert!(told.iter().all(|text| !text.contains(PASSWORD)), "the password is somewhere");
}
