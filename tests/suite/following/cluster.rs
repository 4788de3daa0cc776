//! The nodes of a cluster, each with a network of its own: every node follows, and its containerd pulls from it alone; and machines
//! that know nothing of each other but share a network.

use std::path::Path;

use serde_json::Value;

use super::{Publisher, holds};
use crate::cli::Roadstead;
use crate::images::Layout;
use crate::peers::containerd::Containerd;
use crate::peers::network::{Machine, Network};
use crate::peers::{Daemon, Finished, command, finish, program};

const PORT: u16 = 5050;

/// A registry with images of two upstreams that are out of reach, published to the program itself.
struct Cluster {
    publisher: Roadstead,
    name: String,
    layout: Layout,
}

impl Cluster {
    fn new() -> Self {
        let registry = crate::peers::docker_registry::DockerRegistry::plain();
        let layout = Layout::random(&[7 << 20, 70_000], 7);
        for repository in ["pause", "library/greeting"] {
            registry.push(&layout, "1", repository);
        }
        let host = registry.host();
        let publisher = Roadstead::with_config(&format!(
            "[registries.\"registry.k8s.io\"]\nmirror = \"{host}\"\ninsecure = true\n\
             [registries.\"docker.io\"]\nmirror = \"{host}\"\ninsecure = true\n"
        ));
        publisher.ok(&["add", "registry.k8s.io/pause:1", "greeting:1"]);
        let name = Publisher::published(&publisher);
        Self { publisher, name, layout }
    }
}

/// What a node runs: a follower, and a containerd with the file that was written for it.
struct Node {
    machine: Machine,
    roadstead: Roadstead,
    _serving: Daemon,
    containerd: Containerd,
}

impl Node {
    /// Starts what `client kubernetes` says: `words` are the follower's arguments on a node.
    fn start(machine: Machine, roadstead: Roadstead, words: &[String]) -> Self {
        let data = roadstead.path("registry");
        assert_eq!(words[0], "--data-dir", "{words:?}");
        let words: Vec<&str> = words[2..].iter().map(String::as_str).collect();
        let serving = serve(&machine, &roadstead, &data, &words);
        let containerd = Containerd::start_on(&machine);
        Self { machine, roadstead, _serving: serving, containerd }
    }

    fn url(&self) -> String {
        format!("http://{}:{PORT}", self.machine.address)
    }

    /// Pulls each image by its upstream's name, by tag and by digest; what comes is what was published.
    fn pulls(&self, layout: &Layout) {
        let hosts = self.roadstead.path("node/etc/containerd/certs.d");
        let digest = layout.digest("1");
        for name in ["registry.k8s.io/pause", "docker.io/library/greeting"] {
            for reference in [format!("{name}:1"), format!("{name}@{digest}")] {
                self.containerd.pull_with(&hosts, &reference);
                assert_eq!(self.containerd.digest(&reference), digest);
            }
        }
        for blob in layout.blobs() {
            assert_eq!(self.containerd.blob(&blob), layout.read(&blob), "{blob}");
        }
    }
}

fn serve(machine: &Machine, roadstead: &Roadstead, data: &Path, words: &[&str]) -> Daemon {
    let command = machine.inside(&roadstead.command_on(data, words));
    let mut daemon = Daemon::start("roadstead-serve", &command, &roadstead.path(""));
    let log = roadstead.path("roadstead-serve.log");
    daemon.wait_for("the line with its address", || {
        std::fs::read_to_string(&log).ok()?.contains("serving on ").then_some(())
    });
    daemon
}

/// Writes what is said for a node, and gives where.
fn written(roadstead: &Roadstead, follow: &[&str]) -> std::path::PathBuf {
    let directory = roadstead.path("node");
    let words = [&["client", "kubernetes", "--write", directory.to_str().expect("UTF-8")], follow].concat();
    roadstead.ok(&words);
    directory
}

/// The commands of the init container and of the follower.
fn commands(directory: &Path) -> [Vec<String>; 2] {
    let text = std::fs::read_to_string(directory.join("roadstead.yaml")).expect("a manifest");
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).expect("YAML");
    let set = documents.iter().find(|document| document["kind"] == "DaemonSet").expect("a DaemonSet");
    let pod = &set["spec"]["template"]["spec"];
    [&pod["initContainers"][0], &pod["containers"][0]].map(|container| {
        let words: Vec<String> = serde_json::from_value(container["command"].clone()).expect("words");
        assert_eq!(words[0], "roadstead");
        words[1..].to_vec()
    })
}

/// What the unit starts.
fn started_by_the_unit(directory: &Path) -> Vec<String> {
    let text =
        std::fs::read_to_string(directory.join("etc/systemd/system/roadstead-follower.service")).expect("a unit");
    let line = text.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("a command");
    line.split(' ').skip(1).map(str::to_owned).collect()
}

#[test]
fn nodes_follow_serve_themselves_and_outlive_their_publisher() {
    let cluster = Cluster::new();
    let mut network = Network::new();
    let machine = network.machine();
    let from = format!("http://{}:{PORT}", machine.address);
    let data = cluster.publisher.path("registry");
    let publisher =
        serve(&machine, &cluster.publisher, &data, &["serve", "--ipfs", "--no-swarm", "--listen", "0.0.0.0:5050"]);
    let root = cluster.publisher.root();

    let mut nodes: Vec<Node> = Vec::new();
    for _ in 0..3 {
        let (machine, roadstead) = (network.machine(), Roadstead::new());
        let directory = written(&roadstead, &["--follow", &cluster.name, "--from", &from, "--every", "1s"]);
        let [init, follower] = commands(&directory);
        assert_writes_the_same(&roadstead, &init, &directory);
        // The service leads to the first node, which comes to itself by it.
        let service = nodes.first().map_or(&machine.address, |node| &node.machine.address).clone();
        let words: Vec<String> =
            follower.iter().map(|word| word.replace("$(FOLLOWERS_SERVICE_HOST)", &service)).collect();
        nodes.push(Node::start(machine, roadstead, &words));
    }
    for node in &nodes {
        holds(&node.roadstead, &root);
        node.pulls(&cluster.layout);
    }

    // The publisher is gone for good. A fourth node knows the others alone, and is told by a unit.
    drop(publisher);
    let urls: Vec<String> = nodes.iter().map(Node::url).collect();
    let mut follow = vec!["--systemd", "--follow", &cluster.name, "--every", "1s"];
    follow.extend(urls.iter().flat_map(|url| ["--from", url]));
    let roadstead = Roadstead::new();
    let directory = written(&roadstead, &follow);
    let fourth = Node::start(network.machine(), roadstead, &started_by_the_unit(&directory));
    holds(&fourth.roadstead, &root);
    fourth.pulls(&cluster.layout);
    fourth.roadstead.ok(&["follow", "check"]);
}

#[test]
fn machines_of_one_network_find_each_other_without_an_address() {
    let publisher = Publisher::on(Roadstead::discovering());
    let mut network = Network::new();
    let (here, there) = (network.machine(), network.machine());
    let data = publisher.roadstead.path("registry");
    let _publishing = serve(&here, &publisher.roadstead, &data, &["serve", "--ipfs", "--listen", "127.0.0.1:5050"]);
    // It listens on loopback alone, so that only the swarm leads to it, and names no peer: the public ones are out of reach.
    let follower = Roadstead::discovering();
    let words = ["serve", "--listen", "127.0.0.1:5050", "--follow", &publisher.name, "--mode", "all", "--every", "1s"];
    let _following = serve(&there, &follower, &follower.path("registry"), &words);
    holds(&follower, &publisher.roadstead.root());
    follower.ok(&["follow", "check"]);
}

/// The init container writes the file that is printed.
fn assert_writes_the_same(roadstead: &Roadstead, init: &[String], directory: &Path) {
    let target = roadstead.path("init");
    let (place, words) = init.split_last().expect("words");
    assert_eq!((words[0].as_str(), place.as_str()), ("--data-dir", "/etc/containerd/certs.d"));
    let words: Vec<&str> = words[2..].iter().map(String::as_str).chain(target.to_str()).collect();
    finish(&roadstead.command_on(&roadstead.path("nothing"), &words)).success();
    let text = |directory: &Path| std::fs::read_to_string(directory.join("_default/hosts.toml")).expect("a file");
    assert_eq!(text(&target), text(&directory.join("etc/containerd/certs.d")));
}

/// What `systemd-analyze verify` says of a unit that starts the built program.
fn verified(roadstead: &Roadstead, unit: &Path, change: (&str, &str)) -> Finished {
    let text = std::fs::read_to_string(unit).expect("a unit");
    let text = text.replace("/usr/local/bin/roadstead", env!("CARGO_BIN_EXE_roadstead"));
    let changed = text.replace(change.0, change.1);
    assert!(change.0 == change.1 || text != changed, "{}", change.0);
    std::fs::write(unit, changed).expect("a unit");
    let mut verify = command(program("systemd-analyze"), &roadstead.path(""));
    verify.args(["verify", "--man=no"]).arg(unit);
    finish(&verify)
}

#[test]
fn systemd_takes_the_unit_of_a_node_as_it_is() {
    let name = "k51qzi5uqu5dgutdk6i1ynyzgkqngpha5xpgia3a5qqp4jsh0u4csozksxel2r";
    for (change, is_right) in [
        (("", ""), true),
        (("DynamicUser=true", "DynamicUsers=true"), false),
        (("StateDirectory=", "StateDirectory=/"), false),
    ] {
        let roadstead = Roadstead::new();
        let follow = ["--systemd", "--follow", name, "--from", "https://registry.example.com/a%20b"];
        let unit = written(&roadstead, &follow).join("etc/systemd/system/roadstead-follower.service");
        let said = verified(&roadstead, &unit, change);
        let about_ours = said.stderr.lines().filter(|line| line.contains("roadstead")).count();
        assert_eq!(said.code == 0 && about_ours == 0, is_right, "{said}");
    }
}
