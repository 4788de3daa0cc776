//! IPFS Cluster: two peers with an IPFS node each, which agree by CRDT, and their REST and Pinning Service APIs.

use super::kubo::{Kubo, Profile};
use super::{Daemon, Directory, command, finish, free_port, program, wait_for, web};
use std::process::Command;

/// What all peers of a cluster know.
const SECRET: &str = "7a1c3f0e5b9d2846aa60c1f27d93b5e40f1e2d3c4b5a69788796a5b4c3d2e1f0";
/// Who may use the APIs of a cluster with credentials.
pub(crate) const USER: &str = "curator";
/// The password of that user.
pub(crate) const PASSWORD: &str = "c1uster-p4ssw0rd";

/// A peer with the IPFS node behind it.
pub(crate) struct Peer {
    daemon: Option<Daemon>,
    directory: Directory,
    /// Its IPFS node.
    pub(crate) kubo: Kubo,
    name: &'static str,
    id: String,
    ports: [u16; 4],
    guarded: bool,
}

/// A running cluster of two.
pub(crate) struct Cluster {
    /// The one whose APIs are asked.
    pub(crate) first: Peer,
    /// The other one.
    pub(crate) second: Peer,
}

impl Peer {
    fn new(name: &'static str, guarded: bool) -> Self {
        let directory = Directory::new();
        let kubo = Kubo::start(Profile::V1);
        let ports = [free_port(), free_port(), free_port(), free_port()];
        let mut peer = Self { daemon: None, directory, kubo, name, id: String::new(), ports, guarded };
        finish(peer.service().args(["init", "--consensus", "crdt", "--datastore", "pebble"])).success();
        let identity = std::fs::read_to_string(peer.directory.join("cluster/identity.json")).expect("an identity");
        let identity: serde_json::Value = serde_json::from_str(&identity).expect("JSON");
        peer.id = String::from(identity["id"].as_str().expect("an ID"));
        peer
    }

    fn service(&self) -> Command {
        let at = |port: u16| format!("/ip4/127.0.0.1/tcp/{port}");
        let [swarm, rest, pinning, proxy] = self.ports;
        let node = self.kubo.api_url.trim_start_matches("http://").replace(':', "/tcp/");
        let mut service = command(program("ipfs-cluster-service"), self.directory.path());
        service
            .env("IPFS_CLUSTER_PATH", self.directory.join("cluster"))
            .env("CLUSTER_SECRET", SECRET)
            .env("CLUSTER_PEERNAME", self.name)
            .env("CLUSTER_LISTENMULTIADDRESS", at(swarm))
            .env("CLUSTER_RESTAPI_HTTPLISTENMULTIADDRESS", at(rest))
            .env("CLUSTER_PINSVCAPI_HTTPLISTENMULTIADDRESS", at(pinning))
            .env("CLUSTER_IPFSPROXY_LISTENMULTIADDRESS", at(proxy))
            .env("CLUSTER_IPFSPROXY_NODEMULTIADDRESS", format!("/ip4/{node}"))
            .env("CLUSTER_IPFSHTTP_NODEMULTIADDRESS", format!("/ip4/{node}"))
            .env("CLUSTER_IPFSHTTP_CONNECTSWARMSDELAY", "1s")
            .env("CLUSTER_MDNSINTERVAL", "0s")
            .env("CLUSTER_MONITORPINGINTERVAL", "1s")
            .env("CLUSTER_DISK_METRICTTL", "2s")
            .env("CLUSTER_TAGS_METRICTTL", "2s")
            .env("CLUSTER_CRDT_REBROADCASTINTERVAL", "1s")
            .env("CLUSTER_CRDT_TRUSTEDPEERS", "*");
        if self.guarded {
            for api in ["RESTAPI", "PINSVCAPI"] {
                service.env(format!("CLUSTER_{api}_BASICAUTHCREDENTIALS"), format!("{USER}:{PASSWORD}"));
            }
        }
        service
    }

    fn start(&mut self, beside: Option<&Self>) {
        let mut service = self.service();
        service.arg("daemon");
        if let Some(other) = beside {
            service.arg("--bootstrap").arg(format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", other.ports[0], other.id));
        }
        let mut daemon = Daemon::start("ipfs-cluster", &service, self.directory.path());
        // Its API listens before there is what answers: whoever asks then ends it (a call of a nil client, 1.1.6).
        let log = self.directory.join("ipfs-cluster.log");
        daemon.wait_for("its word that it is ready", || {
            std::fs::read_to_string(&log).ok()?.contains("IPFS Cluster is READY").then_some(())
        });
        daemon.wait_for_url(&format!("{}/id", self.rest_url()));
        self.daemon = Some(daemon);
    }

    /// Ends it as a power cut does, with the IPFS node going on.
    pub(crate) fn kill(&mut self) {
        self.daemon = None;
    }

    /// Where its REST API listens.
    pub(crate) fn rest_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[1])
    }

    /// Where its Pinning Service API listens.
    pub(crate) fn pinning_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[2])
    }

    /// Whether its IPFS node has pinned this root.
    pub(crate) fn has_pinned(&self, root: &str) -> bool {
        self.kubo.repository().run(&["pin", "ls", "--type=recursive", root]).code == 0
    }

    /// Waits until its IPFS node has, or has no longer, pinned this root.
    pub(crate) fn wait_until_pinned(&self, root: &str, wanted: bool) {
        let log = || format!("{}", self.kubo.repository().run(&["pin", "ls", "--type=recursive"]));
        wait_for("a pin", log, || (self.has_pinned(root) == wanted).then_some(()));
    }
}

impl Cluster {
    /// Starts a cluster of two that everybody may use.
    pub(crate) fn start() -> Self {
        Self::of_two(false)
    }

    /// The same, for [`USER`] with [`PASSWORD`] alone.
    pub(crate) fn guarded() -> Self {
        Self::of_two(true)
    }

    fn of_two(guarded: bool) -> Self {
        let (mut first, mut second) = (Peer::new("berlin", guarded), Peer::new("oslo", guarded));
        first.start(None);
        second.start(Some(&first));
        let made = Self { first, second };
        // Their IPFS nodes can give one another what one of them lacks.
        let id: serde_json::Value =
            serde_json::from_str(&made.first.kubo.repository().run(&["id"]).success()).expect("JSON");
        let mut addresses = id["Addresses"].as_array().expect("addresses").iter().filter_map(serde_json::Value::as_str);
        let address = addresses.find(|address| address.contains("/tcp/")).expect("it listens").to_owned();
        made.second.kubo.repository().run(&["swarm", "connect", &address]).success();
        made.wait_until_peers(2);
        // Each is told how much room the others have; without that, none is chosen.
        let room = || made.ask("/monitor/metrics/freespace");
        let log = || room().map(|said| format!("{said:#}")).unwrap_or_default();
        wait_for("the room of both", log, || (room()?.as_array()?.len() == 2).then_some(()));
        made
    }

    /// Waits until the first peer knows of so many, itself included.
    pub(crate) fn wait_until_peers(&self, number: usize) {
        let asked = || self.ask("/id");
        let log = || asked().map(|said| format!("{said:#}")).unwrap_or_default();
        wait_for("the peers of the cluster", log, || {
            let known = asked()?["cluster_peers"].as_array().map_or(0, Vec::len);
            (known == number).then_some(())
        });
    }

    /// What the first peer's REST API says at a path.
    pub(crate) fn ask(&self, path: &str) -> Option<serde_json::Value> {
        use base64::Engine as _;
        let secret = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}"));
        let value = format!("Basic {secret}");
        let authorised = [("Authorization", value.as_str())];
        let headers = if self.first.guarded { &authorised[..] } else { &[] };
        let answer = web::send("GET", &format!("{}{path}", self.first.rest_url()), headers, Vec::new()).ok()?;
        serde_json::from_slice(&answer.body).ok()
    }
}
