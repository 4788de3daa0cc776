//! Publishing to the swarm: a Kubo that knows one member of the DHT, and neither a URL nor an address of this program, finds the name and
//! takes all of it by bitswap; so does a follower, which gives it out again.

use std::sync::Arc;

use cid::Cid;
use cid::multihash::Multihash;
use roadstead::ipns::PrivateKey;
use roadstead::node::source::BlockSource as _;
use roadstead::swarm::{Bootstrap, FetchOptions, Node, NothingGiven, Options, SwarmBlocks};

use super::world::DOMAIN;
use crate::cli::{Roadstead, Serving};
use crate::images::Layout;
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::kubo::{Kubo, Profile, Repository};
use crate::peers::podman::Podman;
use crate::peers::{free_port, wait_for};

/// A node on loopback that knows nobody; one of the DHT's servers.
pub(super) fn node() -> Kubo {
    node_with(&[])
}

/// The same, to which host names stand for roots.
fn node_with(names: &[(&str, &str)]) -> Kubo {
    let repository = Repository::new(Profile::V1);
    repository.run(&["config", "Routing.Type", "dhtserver"]).success();
    repository.run(&["config", "--json", "Routing.LoopbackAddressesOnLanDHT", "true"]).success();
    Kubo::from_repository(repository, names)
}

/// Where it listens for peers.
fn address(kubo: &Kubo) -> String {
    let id: serde_json::Value = serde_json::from_str(&kubo.repository().run(&["id"]).success()).expect("JSON");
    let mut addresses = id["Addresses"].as_array().expect("addresses").iter().filter_map(serde_json::Value::as_str);
    addresses.find(|address| address.contains("/tcp/")).expect("it listens").to_owned()
}

const LISTEN: [&str; 2] = ["--swarm", "/ip4/127.0.0.1/tcp/0"];

/// What the process that serves says of itself; the first one there is.
fn said(roadstead: &Roadstead, command: &[&str]) -> serde_json::Value {
    roadstead.json(command)["serving"][0].clone()
}

/// Where the process that serves is in the swarm.
pub(super) fn address_of(roadstead: &Roadstead) -> String {
    let listening = || said(roadstead, &["target", "show", "home"])["listening"].clone();
    wait_for(
        "its address in the swarm",
        || listening().to_string(),
        || {
            let all = listening();
            let mut all = all.as_array()?.iter().filter_map(serde_json::Value::as_str);
            all.find(|address| !address.ends_with("/http")).map(str::to_owned)
        },
    )
}

/// Waits until it says that everything is provided, and gives its address in the swarm.
fn provided(roadstead: &Roadstead, command: &[&str]) -> String {
    let log = || format!("{:#}", said(roadstead, command));
    wait_for("all blocks are provided", log, || {
        let said = said(roadstead, command);
        let reach = said["reach"].to_string();
        let (_, counted) = reach.split_once("provided ")?;
        let (done, counted) = counted.split_once(" of ")?;
        let (all, _) = counted.split_once(' ')?;
        let peer = said["listening"].as_array()?.iter().filter_map(|address| address.as_str());
        let peer = peer.filter(|address| !address.ends_with("/http")).map(str::to_owned).next()?;
        (done == all && !reach.contains("has not taken")).then_some(peer)
    })
}

struct Publisher {
    registry: DockerRegistry,
    roadstead: Roadstead,
}

impl Publisher {
    fn new() -> Self {
        let publisher = Self { registry: DockerRegistry::plain(), roadstead: Roadstead::new() };
        publisher.registry.push(&Layout::saying("by bitswap\n"), "1", "greeting");
        publisher.roadstead.ok(&["add", &format!("{}/greeting:1", publisher.registry.host())]);
        publisher.roadstead.ok(&["target", "add", "home", "--self", "--ipns"]);
        publisher.roadstead.ok(&["publish", "--yes"]);
        publisher
    }

    fn name(&self) -> String {
        let keys = self.roadstead.json(&["target", "key", "list"]);
        String::from(keys[0]["id"].as_str().expect("a key"))
    }

    fn pulled(&self, serving: &Serving) -> String {
        let podman = Podman::new();
        let image = format!("{}/{}/greeting:1", serving.host(), self.registry.published());
        podman.pull(&image);
        podman.run_in(&image, &["cat", "/etc/greeting"])
    }
}

#[test]
fn a_kubo_finds_the_name_in_the_dht_and_takes_all_by_bitswap() {
    let (member, publisher) = (node(), Publisher::new());
    let known = address(&member);
    let serving = publisher.roadstead.serve_with(&[&["--ipfs", "--swarm-peer", &known], &LISTEN[..]].concat());
    let shown = ["target", "show", "home"];
    provided(&publisher.roadstead, &shown);
    let (root, name) = (publisher.roadstead.root(), publisher.name());

    let stranger = node_with(&[(DOMAIN, &root)]);
    stranger.repository().run(&["swarm", "connect", &known]).success();
    let path = format!("/ipns/{name}");
    let resolved = || stranger.repository().run(&["name", "resolve", "--nocache", &path]);
    let log = || format!("{}", resolved());
    wait_for("the name is found", log, || (resolved().stdout.trim() == format!("/ipfs/{root}")).then_some(()));
    stranger.repository().run(&["--timeout=60s", "pin", "add", "--progress=false", &path]).success();
    assert!(super::is_whole(&stranger, &root));
    let gave = || said(&publisher.roadstead, &shown)["reach"].to_string();
    wait_for("it says whom it gave how much", gave, || gave().contains(" to 1 peer").then_some(()));

    // The publisher is killed, and the other node's gateway serves the registry.
    drop(serving);
    let podman = Podman::knowing(&[DOMAIN]);
    let image = format!("{DOMAIN}:{}/{}/greeting:1", stranger.gateway_port(), publisher.registry.published());
    podman.pull(&image);
    assert_eq!(podman.run_in(&image, &["cat", "/etc/greeting"]), "by bitswap\n");

    // It is found again as soon as it serves again.
    let serving = publisher.roadstead.serve_with(&[&["--ipfs", "--swarm-peer", &known], &LISTEN[..]].concat());
    provided(&publisher.roadstead, &shown);
    drop(serving);
}

/// A node that has all of it from here has all that another one needs: nothing in a tree is lost on the second way.
#[test]
fn a_kubo_that_has_it_gives_all_of_it_on_to_another_one() {
    let publisher = Publisher::new();
    let nobody = ["--ipfs", "--swarm-peer", "/ip4/127.0.0.1/tcp/1"];
    let serving = publisher.roadstead.serve_with(&[&nobody[..], &LISTEN[..]].concat());
    let root = publisher.roadstead.root();
    let (first, second) = (node(), node());
    let at = address_of(&publisher.roadstead);
    let pins_from = |kubo: &Kubo, peer: &str| {
        kubo.repository().run(&["swarm", "connect", peer]).success();
        kubo.repository().run(&["--timeout=60s", "pin", "add", "--progress=false", &root]).success();
        assert!(super::is_whole(kubo, &root));
    };
    pins_from(&first, &at);
    drop(serving);
    pins_from(&second, &address(&first));
}

#[test]
fn a_follower_takes_from_the_swarm_and_gives_it_out_again() {
    let (member, publisher) = (node(), Publisher::new());
    let known = address(&member);
    let serving = publisher.roadstead.serve_with(&[&["--ipfs", "--swarm-peer", &known], &LISTEN[..]].concat());
    let at = provided(&publisher.roadstead, &["target", "show", "home"]);
    let name = publisher.name();

    // By an address: one look, without a server.
    let once = Roadstead::new();
    once.ok(&["follow", &name, "--from", &at, "--once"]);
    assert_eq!(once.root(), publisher.roadstead.root());
    once.ok(&["follow", "check"]);

    // By the DHT alone, and served; lazily, so that blobs come by bitswap when they are pulled.
    let first = Roadstead::new();
    let words = ["--ipfs", "--swarm-peer", &known, "--follow", &name, "--every", "1s"];
    let first_serving = first.serve_with(&[&words[..], &LISTEN[..]].concat());
    let status = || first.json(&["follow", "status"]);
    wait_for(
        "the follower holds the root",
        || format!("{:#}", status()),
        || (status()["root"] == *publisher.roadstead.root()).then_some(()),
    );
    let from_first = provided(&first, &["follow", "status"]);
    drop(serving);
    assert_eq!(publisher.pulled(&first_serving), "by bitswap\n");

    // The publisher is gone, and another one begins with what the first one holds.
    let second = Roadstead::new();
    let words = ["--ipfs", "--swarm-peer", &known, "--follow", &name, "--from", &from_first, "--mode", "lazy"];
    let second_serving = second.serve_with(&[&words[..], &LISTEN[..]].concat());
    let status = || second.json(&["follow", "status"]);
    wait_for(
        "the second one holds the root",
        || format!("{:#}", status()),
        || (status()["root"] == *publisher.roadstead.root()).then_some(()),
    );
    assert_eq!(publisher.pulled(&second_serving), "by bitswap\n");
    // The publisher's record is still there, too.
    let reach = || said(&second, &["follow", "status"])["reach"].to_string();
    wait_for("it says who else has the root", reach, || {
        reach().contains("2 others provide the root in the DHT").then_some(())
    });
}

/// The CID of the blob with this digest, which is small enough for one block.
fn leaf(digest: &str) -> Cid {
    let hex = digest.strip_prefix("sha256:").expect("a digest");
    let bytes: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex")).collect();
    Cid::new_v1(0x55, Multihash::wrap(0x12, &bytes).expect("32 bytes"))
}

/// Whether a peer gives these blocks out, asked by bitswap for each of them.
fn gives(peer: &str, cids: &[Cid]) -> Vec<bool> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut options = Options::new(PrivateKey::generate().expect("a key"));
        options.bootstrap = Bootstrap::Peers(Vec::new());
        let (node, _events) = Node::start(&options, Arc::new(NothingGiven)).expect("a node");
        let from = FetchOptions { peers: vec![peer.to_owned()], ..FetchOptions::default() };
        let blocks = SwarmBlocks::new(node, &from).expect("a fetch");
        let mut given = Vec::new();
        for cid in cids {
            given.push(blocks.block(cid).await.expect("an answer").is_some());
        }
        given
    })
}

#[test]
fn what_is_private_or_not_published_is_not_given_to_peers() {
    let (member, publisher) = (node(), Publisher::new());
    let closed = DockerRegistry::with_basic_auth();
    let [public, private, later] = ["by bitswap\n", "for us alone\n", "not yet\n"].map(Layout::saying);
    closed.push(&private, "1", "secret");
    publisher.roadstead.log_in(&closed.host(), DockerRegistry::USER, DockerRegistry::PASSWORD);
    publisher.roadstead.ok(&["add", &format!("{}/secret:1", closed.host()), "--insecure"]);
    publisher.roadstead.ok(&["publish", "--yes"]);
    let published = publisher.roadstead.root();
    publisher.registry.push(&later, "1", "later");
    publisher.roadstead.ok(&["add", &format!("{}/later:1", publisher.registry.host())]);
    let unpublished = publisher.roadstead.root();
    assert_ne!(published, unpublished);

    let known = address(&member);
    let _serving = publisher.roadstead.serve_with(&[&["--ipfs", "--swarm-peer", &known], &LISTEN[..]].concat());
    let peer = provided(&publisher.roadstead, &["target", "show", "home"]);
    let blocks = |layout: &Layout, root: &str| -> Vec<Cid> {
        let small = layout.blobs().into_iter().filter(|digest| layout.read(digest).len() <= 1 << 20);
        small.map(|digest| leaf(&digest)).chain([root.parse().expect("a CID")]).collect()
    };
    // All of them are here and served to clients of this machine.
    let of_public = blocks(&public, &published);
    assert_eq!(gives(&peer, &of_public), vec![true; of_public.len()]);
    for (layout, root) in [(&private, &unpublished), (&later, &unpublished)] {
        let mut hidden = blocks(layout, root);
        hidden.retain(|cid| !of_public.contains(cid));
        assert!(hidden.len() > 1, "a configuration and a root at least");
        assert_eq!(gives(&peer, &hidden), vec![false; hidden.len()]);
    }
}

#[test]
fn a_router_is_given_the_record_and_passes_it_on() {
    let (router, member, publisher) = (node(), node(), Publisher::new());
    member.repository().run(&["swarm", "connect", &address(&router)]).success();
    let _serving = publisher.roadstead.serve_with(&["--ipfs", "--router", &router.gateway_url]);
    let path = format!("/ipns/{}", publisher.name());
    let resolved = || member.repository().run(&["name", "resolve", "--nocache", &path]);
    let log = || format!("{}; {}", resolved(), said(&publisher.roadstead, &["target", "show", "home"]));
    let expected = format!("/ipfs/{}", publisher.roadstead.root());
    wait_for("the name is found in the DHT", log, || (resolved().stdout.trim() == expected).then_some(()));
}

#[test]
fn a_router_that_takes_nothing_and_a_port_that_is_taken_are_named() {
    let publisher = Publisher::new();
    let (taken, nobody) = (std::net::TcpListener::bind("127.0.0.1:0").expect("a port"), free_port());
    let listen = format!("/ip4/{}", taken.local_addr().expect("an address").to_string().replace(':', "/tcp/"));
    let words =
        ["serve", "--listen", "127.0.0.1:0", "--ipfs", "--swarm", &listen, "--swarm-peer", "/ip4/127.0.0.1/tcp/1"];
    let refused = publisher.roadstead.run(&words).failure(1);
    assert!(refused.contains(&format!("can't listen on {listen}: another program does")), "{refused}");

    let router = format!("http://127.0.0.1:{nobody}");
    let _serving = publisher.roadstead.serve_with(&["--ipfs", "--router", &router]);
    let told = || said(&publisher.roadstead, &["target", "show", "home"])["reach"].to_string();
    let expected = format!("{router} has not taken 1 record of a name yet");
    wait_for("it says who took nothing", told, || told().contains(&expected).then_some(()));
}

/// A peer takes connections and says nothing, and there is no other one: publishing ends, and the state is said with what helps.
#[test]
fn a_swarm_that_nobody_answers_holds_nothing_up() {
    let publisher = Publisher::new();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let peer = format!("/ip4/{}", silent.local_addr().expect("an address").to_string().replace(':', "/tcp/"));
    let peer = format!("{peer}/p2p/{}", PrivateKey::generate().expect("a key").name().peer_id());
    let serving = publisher.roadstead.serve_with(&[&["--ipfs", "--swarm-peer", &peer], &LISTEN[..]].concat());
    publisher.registry.push(&Layout::saying("nobody hears it\n"), "1", "greeting");
    publisher.roadstead.ok(&["update"]);
    publisher.roadstead.ok(&["publish", "--yes"]);
    let shown = || publisher.roadstead.ok(&["target", "show", "home"]);
    wait_for("it says that nobody answers", shown, || {
        let shown = shown();
        (shown.contains("nobody in the swarm answers") && shown.contains("--swarm-peer")).then_some(())
    });
    let tried = publisher.roadstead.run(&["target", "test", "home"]);
    assert!(tried.stdout.contains("--swarm-peer"), "{tried}");
    let looked = publisher.roadstead.run(&["doctor"]);
    assert!(looked.stdout.contains("--swarm-peer"), "{looked}");
    // Over HTTP all of it is there.
    let root = publisher.roadstead.root();
    let block = format!("{}/ipfs/{root}?format=raw", serving.url);
    wait_for("the new root is given out", String::new, || (crate::peers::web::get(&block).status == 200).then_some(()));
    assert_eq!(publisher.pulled(&serving), "nobody hears it\n");
}
