//! One publication, everywhere at once: to this program's own node, a Kubo, a cluster of two, a bucket and a directory over ssh; and
//! every client pulls it from the two that have no server but one for files.

use super::directory::nginx_over;
use super::{World, add_target, with_key};
use crate::cli::Roadstead;
use crate::images::{Layout, digest};
use crate::peers::cluster::Cluster;
use crate::peers::containerd::Containerd;
use crate::peers::kubo::{Kubo, Profile};
use crate::peers::podman::{Buildah, Podman};
use crate::peers::skopeo::Skopeo;
use crate::peers::sshd::Sshd;
use crate::peers::{crane, finish, regctl, web};
use cid::Cid;
use cid::multihash::Multihash;
use std::collections::BTreeSet;
use std::process::Command;

/// The multicodecs of bytes as they are, and of SHA-256 (multiformats/multicodec).
const RAW: u64 = 0x55;
const SHA2_256: u64 = 0x12;

/// Five kinds of places that are targets of one catalog.
struct Everywhere {
    world: World,
    kubo: Kubo,
    cluster: Cluster,
    sshd: Sshd,
}

impl Everywhere {
    fn new() -> Self {
        let (kubo, sshd) = (Kubo::start(Profile::V1), Sshd::start());
        let made = Self { world: World::new(), kubo, cluster: Cluster::start(), sshd };
        let (cluster, away) = (made.cluster.first.rest_url(), made.sshd.address("site"));
        let all: [&[&str]; 4] = [
            &["own", "--self"],
            &["kubo", "--kubo", &made.kubo.api_url],
            &["cluster", "--cluster", &cluster],
            &["away", "--ssh", &away],
        ];
        for target in all {
            made.world.roadstead.ok(&[&["target", "add"], target].concat());
        }
        made
    }

    /// The program with the credentials of the bucket and the key for ssh.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = with_key(&self.world.roadstead, arguments);
        self.sshd.known_to(&mut command);
        command
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let printed = finish(&self.command(&[&["--json"], arguments].concat())).success();
        let last = printed.lines().last().unwrap_or_default();
        serde_json::from_str(&printed)
            .or_else(|_| serde_json::from_str(last))
            .unwrap_or_else(|error| panic!("{error}: {printed}"))
    }

    /// Puts an image for two platforms into the upstream registry, mirrors it, and gives it with the new root.
    fn mirror(&self, words: &str) -> (Layout, String) {
        let layout = Layout::versions(&["1"], words);
        self.world.registry.push(&layout, "1", "greeting");
        self.world.roadstead.add(&format!("{}/greeting:1", self.world.registry.host()));
        (layout, self.world.roadstead.root())
    }

    /// Runs a verb that publishes; every target has the root then.
    #[track_caller]
    fn publishes(&self, verb: &[&str], root: &str) {
        let report = self.json(&[verb, &["--yes"]].concat());
        let targets = report["targets"].as_array().unwrap();
        assert_eq!((targets.len(), report["failed"].as_array().unwrap().len()), (5, 0), "{report}");
        for target in targets {
            assert_eq!(target["outcome"]["root"], root, "{target}");
            assert!(target["outcome"]["failure"].is_null(), "{target}");
        }
    }

    /// The list says who has which root, what that took, and what is unverified.
    #[track_caller]
    fn are_side_by_side(&self, root: &str) {
        let listed = self.json(&["target", "list"]);
        assert_eq!(listed.as_array().unwrap().len(), 5, "{listed}");
        for target in listed.as_array().unwrap() {
            let name = target["name"].as_str().unwrap();
            assert_eq!(target["root"], root, "{target}");
            // Neither this program's own node nor ssh is asked by requests.
            let is_asked = ["kubo", "cluster", "bucket"].contains(&name);
            assert_eq!(target["requests"].as_u64().is_some_and(|requests| requests > 5), is_asked, "{target}");
            assert_eq!(target["sent"].as_u64().unwrap() > 100_000, name != "own", "{target}");
            assert_eq!(target["unverified"] == true, name == "cluster", "{target}");
        }
    }

    /// Every node gives out the root with the manifest that the tag means, and nothing is missing anywhere.
    #[track_caller]
    fn all_have(&self, layout: &Layout, root: &str, serving: &str) {
        let (wanted, repository) = (layout.digest("1"), format!("{}/greeting", self.world.registry.published()));
        let manifest = layout.read(&wanted);
        let cluster = [&self.cluster.first, &self.cluster.second];
        for gateway in cluster.iter().map(|peer| &peer.kubo.gateway_url).chain([&self.kubo.gateway_url]) {
            let path = format!("{gateway}/ipfs/{root}/oci/v2/{repository}/manifests/1");
            assert_eq!(web::get(&path).expect(200).body, manifest, "{path}");
        }
        // The own node gives out blocks alone; a small file is one.
        let hash: Vec<u8> = hex(wanted.strip_prefix("sha256:").unwrap());
        let cid = Cid::new_v1(RAW, Multihash::wrap(SHA2_256, &hash).unwrap());
        let block = web::get(&format!("{serving}/ipfs/{cid}?format=raw")).expect(200);
        assert_eq!(block.body, manifest, "{cid}");
        web::get(&format!("{serving}/ipfs/{root}?format=raw")).expect(200);
        let gateway = &self.cluster.second.kubo.gateway_url;
        for target in ["own", "kubo", "bucket", "away", "cluster"] {
            let more: &[&str] = if target == "cluster" { &["--gateway", gateway] } else { &[] };
            let verified = self.json(&[&["target", "verify", target], more].concat());
            let left = [&verified["missing"], &verified["damaged"]];
            assert!(left.iter().all(|number| number.as_u64().unwrap_or(0) == 0), "{target}: {verified}");
        }
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// Every client pulls the image by its tag and by its digest, and has the bytes that were pushed.
#[track_caller]
fn clients_pull(host: &str, repository: &str, layout: &Layout, words: &str) {
    let wanted = layout.digest("1");
    let whole: BTreeSet<String> =
        layout.blobs().into_iter().chain(layout.manifests().into_iter().map(|(_, _, digest)| digest)).collect();
    let (skopeo, podman, buildah, containerd) = (Skopeo::new(), Podman::new(), Buildah::new(), Containerd::start());
    for reference in [format!("{host}/{repository}:1"), format!("{host}/{repository}@{wanted}")] {
        let by_skopeo = skopeo.files(&reference, &["--src-tls-verify=false".to_owned()]);
        let by_skopeo = by_skopeo.values().map(|content| digest(content)).collect();
        for (client, pulled) in
            [("skopeo", by_skopeo), ("crane", crane::pull(&reference)), ("regctl", regctl::copy(&reference))]
        {
            assert!(whole.is_subset(&pulled), "{client}: {reference}: {pulled:?} of {whole:?}");
        }
        podman.pull(&reference);
        assert_eq!(podman.run_in(&reference, &["cat", "/etc/greeting"]), words, "{reference}");
        buildah.pull(&reference);
        containerd.pull(&reference);
        assert_eq!(containerd.digest(&reference), wanted);
    }
    assert_eq!(containerd.blob(&wanted), layout.read(&wanted));
}

#[test]
fn one_publication_goes_to_every_kind_of_place_and_all_clients_pull_it() {
    let everywhere = Everywhere::new();
    let world = &everywhere.world;
    let serving = world.roadstead.serve_with(&["--ipfs"]);
    let repository = format!("{}/greeting", world.registry.published());
    let (before, first) = everywhere.mirror("the first");
    everywhere.publishes(&["publish"], &first);
    everywhere.are_side_by_side(&first);
    everywhere.all_have(&before, &first, &serving.url);
    let front = world.bucket.front();
    let nginx = nginx_over(&world.roadstead, &everywhere.sshd.path("site"));
    let hosts = [front.host(), nginx.host()];
    let pull = |layout: &Layout, words: &str| {
        std::thread::scope(|scope| {
            for host in &hosts {
                scope.spawn(|| clients_pull(host, &repository, layout, words));
            }
        });
    };
    pull(&before, "the first 1\n");

    let (after, second) = everywhere.mirror("the second");
    everywhere.publishes(&["publish"], &second);
    everywhere.all_have(&after, &second, &serving.url);
    pull(&after, "the second 1\n");

    everywhere.publishes(&["rollback", &first], &first);
    everywhere.all_have(&before, &first, &serving.url);
    let tag = |host: &String| {
        let url = format!("http://{host}/v2/{repository}/manifests/1");
        assert_eq!(web::get_manifest(&url).expect(200).body, before.read(&before.digest("1")), "{url}");
    };
    for host in &hosts {
        tag(host);
    }

    // Another machine takes the same bucket for its own.
    let other = Roadstead::new();
    add_target(&other, &world.bucket.url(), &[]);
    other.add(&format!("{}/greeting:1", world.registry.host()));
    let said = finish(&with_key(&other, &["publish", "--yes"])).failure(10);
    assert!(said.contains("was published to by") && said.contains("--force"), "{said}");
    for host in &hosts {
        tag(host);
    }
}
