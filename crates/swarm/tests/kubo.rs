//! A real Kubo on loopback: it pins from us, finds us, and gives us what it has.

mod nodes;

use std::sync::Arc;
use std::time::Duration;

use libp2p::identity::Keypair;
use roadstead_swarm::{Cid, Dht, Event, FetchOptions, Missing, Multiaddr, Options, ProvideKey};

use nodes::kubo::Kubo;
use nodes::{DAG_PB, Node, RAW, cid_of, field, noise, options, varint};

/// Blocking calls beside what the runtime does.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("no panic")
}

async fn start() -> Arc<Kubo> {
    aside(|| Arc::new(Kubo::start())).await
}

async fn ipfs(kubo: &Arc<Kubo>, arguments: &[&str]) -> String {
    let (kubo, arguments) = (Arc::clone(kubo), arguments.iter().map(|text| String::from(*text)).collect::<Vec<_>>());
    aside(move || kubo.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())).await
}

async fn address(kubo: &Arc<Kubo>, transport: &'static str) -> Multiaddr {
    let kubo = Arc::clone(kubo);
    aside(move || kubo.address(transport)).await
}

async fn pins(kubo: &Arc<Kubo>, root: &str) -> bool {
    ipfs(kubo, &["pin", "ls", "--type=recursive", "-q"]).await.lines().any(|line| line == root)
}

#[tokio::test(flavor = "multi_thread")]
async fn kubo_pins_from_us_over_tcp_and_over_quic() {
    let kubo = start().await;
    for (number, transport) in (1..).zip(["tcp", "quic-v1"]) {
        let node = Node::start(options());
        // Large leaves, small ones, and a tree of two levels.
        let (root, ..) = node.blocks.file("large", &noise(20 << 20, number), 1 << 20);
        let (small, ..) = node.blocks.file("small", &noise(1200 * 900, 10 + number), 900);
        ipfs(&kubo, &["swarm", "connect", &node.address(transport).await.to_string()]).await;
        let peers = ipfs(&kubo, &["swarm", "peers"]).await;
        assert!(peers.contains(transport), "{peers}");
        for root in [root, small] {
            ipfs(&kubo, &["pin", "add", &root.to_string()]).await;
            assert!(pins(&kubo, &root.to_string()).await);
        }
        let served = node.status().await.served;
        assert!(served.len() == 1 && served[0].1 > 21 << 20, "{served:?}");
        node.swarm.shutdown().await;
    }
}

/// What has become wrong on disk is not here for Kubo, and neither is what nobody has.
#[tokio::test(flavor = "multi_thread")]
async fn kubo_is_told_at_once_what_is_not_here() {
    let kubo = start().await;
    let node = Node::start(options());
    ipfs(&kubo, &["swarm", "connect", &node.address("tcp").await.to_string()]).await;
    let absent = cid_of(RAW, b"nobody has this");
    let (asking, pinned) = (Arc::clone(&kubo), node.blocks.put(RAW, noise(500, 1)));
    let failed = aside(move || {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            asking.run(&["--timeout=3s", "block", "get", &absent.to_string()])
        }))
        .is_err()
    });
    assert!(failed.await);
    ipfs(&kubo, &["pin", "add", &pinned.to_string()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn we_fetch_from_kubo() {
    let kubo = start().await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    std::fs::write(&file, noise(20 << 20, 3)).expect("written");
    let arguments = ["add", "-Q", "--cid-version=1", "--raw-leaves", "--chunker=size-1048576"];
    let root = ipfs(&kubo, &[&arguments[..], &[file.to_str().expect("UTF-8")]].concat()).await;
    let root: Cid = root.trim().parse().expect("a CID");
    let leaves = ipfs(&kubo, &["refs", &root.to_string()]).await;
    let leaves: Vec<Cid> = leaves.lines().map(|line| line.parse().expect("a CID")).collect();
    assert_eq!(leaves.len(), 20);
    for transport in ["tcp", "quic-v1"] {
        let node = Node::start(options());
        let options = FetchOptions { peers: vec![address(&kubo, transport).await], ..FetchOptions::default() };
        let session = node.swarm.fetch(options).expect("it runs");
        let gets = leaves.iter().chain([&root]).map(|cid| session.get(cid));
        let blocks = futures::future::try_join_all(gets).await.expect("Kubo has them");
        let file: Vec<u8> = blocks[..20].concat();
        assert!(file == noise(20 << 20, 3), "other bytes over {transport}");
        let absent = session.get(&cid_of(RAW, b"nobody has this")).await;
        assert!(matches!(absent, Err(roadstead_swarm::Error::Missing(Missing::NotFound))), "{absent:?}");
    }
}

/// A record by specs.ipfs.tech/ipns/ipns-record, V1 and V2, valid for two days.
fn ipns_record(key: &Keypair, value: &str, validity: &str) -> Vec<u8> {
    let mut data = vec![0xa5, 0x63];
    data.extend(b"TTL");
    data.extend([0x1a, 0x3b, 0x9a, 0xca, 0x00, 0x65]);
    data.extend(b"Value");
    data.extend([0x58, value.len() as u8]);
    data.extend(value.as_bytes());
    data.push(0x68);
    data.extend(b"Sequence");
    data.extend([0x01, 0x68]);
    data.extend(b"Validity");
    data.extend([0x58, validity.len() as u8]);
    data.extend(validity.as_bytes());
    data.push(0x6c);
    data.extend(b"ValidityType");
    data.push(0);
    let second = key.sign(&[b"ipns-signature:", &data[..]].concat()).expect("a signature");
    let first = key.sign(&[value.as_bytes(), validity.as_bytes(), b"EOL"].concat()).expect("a signature");
    let mut record = Vec::new();
    field(1, value.as_bytes(), &mut record);
    field(2, &first, &mut record);
    record.extend([0x18, 0]);
    field(4, validity.as_bytes(), &mut record);
    record.extend([0x28, 1, 0x30]);
    varint(1_000_000_000, &mut record);
    field(8, &second, &mut record);
    field(9, &data, &mut record);
    record
}

/// One Kubo is a member of the DHT; another one, which never met us, finds us there by the name and pins.
#[tokio::test(flavor = "multi_thread")]
async fn kubo_finds_us_by_the_dht_and_pins_a_name() {
    let (member, finder) = (start().await, start().await);
    let member_address = address(&member, "tcp").await;
    let seed = [7; 32];
    let key = Keypair::ed25519_from_bytes(&mut seed.clone()).expect("a key");
    let own = Options {
        seed,
        dht: Dht::Lan,
        bootstrap: vec![member_address.clone()],
        record_rule: Some(Arc::new(|_, _, best| best.is_none())),
        ..options()
    };
    let mut node = Node::start(own);
    let (root, ..) = node.blocks.file("blob", &noise(3 << 20, 5), 1 << 20);
    node.swarm.provide(vec![ProvideKey::from(root)]).expect("it runs");
    node.event(|event| matches!(event, Event::Provided { key, .. } if key == *root.hash()).then_some(())).await;
    let record = ipns_record(&key, &format!("/ipfs/{root}"), "2099-01-01T00:00:00.000000000Z");
    let name = *cid_of_peer(&key).hash();
    node.swarm.put_record(name, record.clone()).await.expect("the member takes it");
    assert_eq!(node.swarm.get_record(name).await.expect("it runs"), Some(record));
    ipfs(&finder, &["swarm", "connect", &member_address.to_string()]).await;
    let found = ipfs(&finder, &["routing", "findprovs", "-n", "1", &root.to_string()]).await;
    assert_eq!(found.trim(), node.peer_id().to_string());
    let path = format!("/ipns/{}", cid_of_peer(&key));
    ipfs(&finder, &["pin", "add", &path]).await;
    assert!(pins(&finder, &root.to_string()).await);
}

fn cid_of_peer(key: &Keypair) -> Cid {
    let id = key.public().to_peer_id().to_bytes();
    Cid::new_v1(0x72, roadstead_swarm::multihash::Multihash::from_bytes(&id).expect("a multihash"))
}

/// Kubo gives out what it has provided itself: we find it by the DHT.
#[tokio::test(flavor = "multi_thread")]
async fn we_find_a_kubo_by_the_dht() {
    let (member, holder) = (start().await, start().await);
    let member_address = address(&member, "tcp").await;
    ipfs(&holder, &["swarm", "connect", &member_address.to_string()]).await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    std::fs::write(&file, noise(700_000, 9)).expect("written");
    let root = ipfs(&holder, &["add", "-Q", "--cid-version=1", file.to_str().expect("UTF-8")]).await;
    let root: Cid = root.trim().parse().expect("a CID");
    ipfs(&holder, &["routing", "provide", &root.to_string()]).await;
    let node = Node::start(Options { dht: Dht::Lan, bootstrap: vec![member_address], ..options() });
    let fetch = FetchOptions { providers_of: Some(root), timeout: Duration::from_secs(80), ..FetchOptions::default() };
    let session = node.swarm.fetch(fetch).expect("it runs");
    let block = session.get(&root).await.expect("the holder has it");
    assert_eq!(cid_of(if root.codec() == RAW { RAW } else { DAG_PB }, &block), root);
}
