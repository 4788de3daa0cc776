//! The adapter for Kubo against a real one: each call of the port, credentials, and what goes wrong.
//!
//! Knows the port `roadstead::node`. Must not know the catalog, nor what publishing does with a node.

mod holes;
mod refusals;

use crate::peers::docker_registry::DockerRegistry;
use crate::peers::kubo::{Kubo as Peer, Profile, Repository};
use crate::peers::{Directory, free_port};
use ::bytes::Bytes;
use cid::Cid;
use futures::{StreamExt as _, stream};
use roadstead::error::Kind;
use roadstead::node::kubo::{Kubo, KuboOptions, Probed, probe};
use roadstead::node::{
    CarStream, ImportCar as _, Imported, Names as _, Node as _, Pin, PinProgress, PinUpdates as _, Pins as _,
    ReadBlocks as _,
};
use roadstead::unixfs::car;
use std::fs;
use std::io;
use std::sync::Mutex;

/// A tree of files in a CAR, made by a repository of its own.
struct Tree {
    root: Cid,
    car: Vec<u8>,
    content: Imported,
    blocks: Vec<(Cid, Vec<u8>)>,
}

impl Tree {
    /// With a file of 2.5 MiB, and one with this text.
    fn new(text: &str) -> Self {
        let (files, repository) = (Directory::new(), Repository::new(Profile::V1));
        let tree = files.make("tree");
        fs::write(tree.join("large"), vec![7; 5 << 19]).unwrap();
        fs::write(tree.join("small"), text).unwrap();
        let root = repository.add_recursive(&tree);
        let path = files.join("tree.car");
        repository.dag_export(&root, &path);
        let car = fs::read(path).unwrap();
        let mut blocks = Vec::new();
        let mut reader = car::Reader::new(&car[..]).unwrap();
        while let Some(block) = reader.block().unwrap() {
            blocks.push((block.cid, block.bytes));
        }
        let bytes = blocks.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        Self { root: root.parse().unwrap(), content: Imported { blocks: blocks.len() as u64, bytes }, car, blocks }
    }

    fn stream(&self) -> CarStream {
        pieces(&self.car)
    }
}

fn pieces(bytes: &[u8]) -> CarStream {
    let pieces: Vec<io::Result<Bytes>> = bytes.chunks(100_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces).boxed()
}

/// Starting a peer blocks, so that only the calls to it are made in here.
fn run<F: Future<Output = ()>>(calls: F) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(calls);
}

fn reach(url: &str, secret: Option<&str>) -> Kubo {
    let mut options = KuboOptions::new(url.parse().unwrap());
    options.authorisation = secret.map(Into::into);
    Kubo::new(&options).unwrap()
}

#[test]
fn a_node_is_told_from_another_server_by_its_version() {
    let (node, registry) = (Peer::start(Profile::V1), DockerRegistry::plain());
    let address = |url: &str| url.trim_start_matches("http://").parse().unwrap();
    run(async {
        assert!(matches!(probe(address(&node.api_url)).await, Probed::Kubo(version) if version.starts_with("0.")));
        assert_eq!(probe(address(&registry.host())).await, Probed::Other);
    });
}

#[test]
fn kubo_takes_a_root_and_keeps_it() {
    let peer = Peer::start(Profile::V1);
    run(async {
        let kubo = reach(&peer.api_url, None);
        let status = kubo.status().await.unwrap();
        assert!(status.agent.starts_with("kubo/"), "{}", status.agent);
        assert!(status.peer_id.starts_with("12D3Koo"), "{}", status.peer_id);
        assert_eq!(status.peers, Some(0));
        assert!(status.repository_size > 0 && status.storage_max > Some(1 << 30));

        let (first, second) = (Tree::new("one"), Tree::new("two"));
        assert!(!kubo.holds(&first.root).await.unwrap());
        assert_eq!(kubo.block(&first.root).await.unwrap(), None);
        assert_eq!(kubo.pin(&first.root).await.unwrap(), None);
        let refused = kubo.pin_add(&first.root, "roadstead", &|_| ()).await.unwrap_err();
        assert!(refused.kind() == Kind::Node && refused.to_string().contains("not found"), "{refused}");

        assert_eq!(kubo.import(first.stream()).await.unwrap(), first.content);
        for (cid, bytes) in &first.blocks {
            assert!(kubo.holds(cid).await.unwrap());
            assert_eq!(kubo.block(cid).await.unwrap().as_deref(), Some(&bytes[..]));
        }
        // It is there, and nothing keeps it yet.
        assert_eq!(kubo.pin(&first.root).await.unwrap(), None);

        let walked = Mutex::new(Vec::new());
        kubo.pin_add(&first.root, "a registry & more", &|at| walked.lock().unwrap().push(at)).await.unwrap();
        kubo.pin_add(&first.root, "a registry & more", &|_| ()).await.unwrap();
        assert_eq!(walked.lock().unwrap().last(), Some(&PinProgress::Blocks(first.content.blocks)));
        let pin = |cid| Pin { cid, name: Some("a registry & more".into()) };
        assert_eq!(kubo.pin(&first.root).await.unwrap(), Some(pin(first.root)));
        assert_eq!(kubo.pins_named("a registry & more").await.unwrap(), [pin(first.root)]);
        assert_eq!(kubo.pins_named("a registry").await.unwrap(), []);

        // The difference alone is enough, and the name is kept.
        assert_eq!(kubo.import(second.stream()).await.unwrap(), second.content);
        kubo.pin_update(&first.root, &second.root).await.unwrap();
        kubo.pin_update(&first.root, &second.root).await.unwrap();
        let mut pins = kubo.pins_named("a registry & more").await.unwrap();
        pins.sort_by_key(|pin| pin.cid != first.root);
        assert_eq!(pins, [pin(first.root), pin(second.root)]);
        kubo.unpin(&first.root).await.unwrap();
        kubo.unpin(&first.root).await.unwrap();
        assert_eq!(kubo.pin(&first.root).await.unwrap(), None);
        let refused = kubo.pin_update(&first.root, &second.root).await;
        assert!(refused.is_ok(), "what is pinned already is fine: {refused:?}");
        // The large file is not pinned itself, but through its root.
        assert_eq!(kubo.pin(&first.blocks[1].0).await.unwrap(), None);
    });
}

#[test]
fn kubo_publishes_names() {
    let repository = Repository::new(Profile::V1);
    // Without routing Kubo keeps records that it never finds again; this one has no peers to ask.
    repository.run(&["config", "Routing.Type", "dhtclient"]).success();
    let peer = Peer::from_repository(repository, &[]);
    run(async {
        let tree = Tree::new("named");
        let without_secret = reach(&peer.api_url, None);
        without_secret.import(tree.stream()).await.unwrap();
        for (kubo, key) in [(without_secret, "first key"), (reach(&peer.api_url, Some("ignored")), "second")] {
            let made = kubo.generate_key(key).await.unwrap();
            assert!(made.name == key && made.id.starts_with("k51"), "{made:?}");
            assert!(kubo.keys().await.unwrap().contains(&made));
            assert_eq!(kubo.resolve_name(&made.id).await.unwrap(), None);
            assert_eq!(kubo.publish_name(key, &tree.root).await.unwrap(), made.id);
            assert_eq!(kubo.resolve_name(&made.id).await.unwrap(), Some(format!("/ipfs/{}", tree.root)));
            let error = kubo.publish_name("no such key", &tree.root).await.unwrap_err();
            assert!(error.kind() == Kind::Node && error.to_string().contains("no such key"), "{error}");
            assert!(kubo.generate_key(key).await.unwrap_err().to_string().contains("already"));
        }
    });
}

#[test]
fn what_kubo_refuses_is_no_success() {
    let peer = Peer::start(Profile::V1);
    run(async {
        let kubo = reach(&peer.api_url, None);
        let tree = Tree::new("cut");
        let half = &tree.car[..tree.car.len() - 10];
        let error = kubo.import(pieces(half)).await.unwrap_err();
        assert!(error.kind() == Kind::Node && error.to_string().contains("unexpected EOF"), "{error}");
        let mut wrong = tree.car.clone();
        *wrong.last_mut().unwrap() ^= 1;
        let error = kubo.import(pieces(&wrong)).await.unwrap_err();
        assert!(error.kind() == Kind::Node && error.to_string().contains("import failed"), "{error}");
        let error = kubo.import(pieces(b"nonsense")).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Node, "{error}");
        // Wrong from the start, while most of it is still on its way.
        let error = kubo.import(pieces(&vec![b'x'; 32 << 20])).await.unwrap_err();
        assert!(error.kind() == Kind::Node && error.to_string().contains("says: "), "{error}");
        assert_eq!(kubo.import(tree.stream()).await.unwrap(), tree.content);
    });
}

/// A node that knows three secrets: two that may do what publishing needs, and one that may only read.
fn with_secrets() -> Peer {
    let repository = Repository::new(Profile::V1);
    let paths = ["id", "block", "dag/import", "pin", "repo/stat", "swarm/peers", "key", "name"];
    let paths: Vec<String> = paths.iter().map(|path| format!("/api/v0/{path}")).collect();
    let secrets = serde_json::json!({
        "publisher": { "AuthSecret": "bearer:t0ken", "AllowedPaths": paths },
        "other": { "AuthSecret": "basic:user:pass:word", "AllowedPaths": paths },
        "reader": { "AuthSecret": "bearer:reader", "AllowedPaths": ["/api/v0/block"] },
    });
    repository.run(&["config", "--json", "API.Authorizations", &secrets.to_string()]).success();
    Peer::from_repository(repository, &[])
}

#[test]
fn kubo_wants_to_see_a_secret() {
    let peer = with_secrets();
    run(async {
        let tree = Tree::new("secret");
        for secret in ["bearer:t0ken", "t0ken", "basic:user:pass:word"] {
            let kubo = reach(&peer.api_url, Some(secret));
            let before = kubo.status().await.unwrap().repository_size;
            assert_eq!(kubo.try_rights(false).await.len(), 8);
            let tried = kubo.try_rights(true).await;
            assert_eq!(tried.len(), 10);
            for tried in tried {
                assert!(tried.outcome.is_ok(), "{secret}: {tried:?}");
            }
            assert_eq!(kubo.keys().await.unwrap().len(), 1, "trying makes no key");
            assert_eq!(kubo.pins_named("").await.unwrap(), [], "trying pins nothing");
            assert_eq!(kubo.status().await.unwrap().repository_size, before);
        }
        let kubo = reach(&peer.api_url, Some("t0ken"));
        assert_eq!(kubo.import(tree.stream()).await.unwrap(), tree.content);
        kubo.pin_add(&tree.root, "x", &|_| ()).await.unwrap();

        for secret in [None, Some("wrong"), Some("basic:user:wrong"), Some("basic:user:pass")] {
            let kubo = reach(&peer.api_url, secret);
            let mut errors = vec![
                kubo.status().await.unwrap_err(),
                kubo.holds(&tree.root).await.unwrap_err(),
                kubo.pins_named("x").await.unwrap_err(),
                kubo.keys().await.unwrap_err(),
                kubo.import(tree.stream()).await.unwrap_err(),
            ];
            errors.extend(kubo.try_rights(true).await.into_iter().map(|tried| tried.outcome.unwrap_err()));
            for error in errors {
                assert_eq!(error.kind(), Kind::Auth, "{error}");
                assert!(error.hints().iter().any(|hint| hint.contains("API.Authorizations")), "{:?}", error.hints());
                assert!(!format!("{error} {error:?}").contains("wrong"), "{error:?}");
            }
        }

        let tried = reach(&peer.api_url, Some("reader")).try_rights(true).await;
        for tried in tried {
            let is_allowed = ["reach the node", "read blocks"].contains(&tried.right);
            assert_eq!(tried.outcome.is_ok(), is_allowed, "{tried:?}");
        }
    });
}

#[test]
fn no_kubo_is_there() {
    let peer = Peer::start(Profile::V1);
    run(async {
        let down = format!("http://127.0.0.1:{}", free_port());
        let root: Cid = "bafkqaaa".parse().unwrap();
        for kubo in [reach(&down, None), reach(&down, Some("token"))] {
            let mut errors = vec![
                kubo.status().await.unwrap_err(),
                kubo.holds(&root).await.unwrap_err(),
                kubo.import(pieces(b"x")).await.unwrap_err(),
            ];
            errors.extend(kubo.try_rights(true).await.into_iter().map(|tried| tried.outcome.unwrap_err()));
            for error in errors {
                assert_eq!(error.kind(), Kind::Node, "{error}");
                assert!(error.to_string().contains("can't reach the node at http://127.0.0.1:"), "{error}");
                assert!(error.hints()[0].contains("ipfs daemon"), "{:?}", error.hints());
            }
        }
        // Its gateway is something else, and so is a path that isn't the RPC's.
        for url in [peer.gateway_url.clone(), format!("{}/nowhere", peer.api_url)] {
            for error in
                [reach(&url, None).status().await.unwrap_err(), reach(&url, None).holds(&root).await.unwrap_err()]
            {
                assert!(error.kind() == Kind::Node && error.to_string().contains("no such command"), "{url}: {error}");
                assert!(error.hints()[0].contains("port 5001"));
            }
        }
    });
}
