//! Many followers at once: they take from one another, and the publisher gives each byte hardly more than once.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use cid::Cid;
use cid::multihash::Multihash;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::peers::web;
use crate::restoring::proxy::Proxy;

const MIB: u64 = 1 << 20;
const LAYERS: [u64; 6] = [16 * MIB, 14 * MIB, 12 * MIB, 9 * MIB, 6 * MIB, 3 * MIB];
/// How long a follower may take until it is in the middle of a root.
const PATIENCE: Duration = Duration::from_mins(1);
/// A peer ID that nobody here has.
const STRANGER: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";

/// A publisher of some 60 MB, behind a proxy that counts.
struct Crowd {
    publisher: Publisher,
    serving: Serving,
    proxy: Proxy,
    bytes: u64,
}

impl Crowd {
    fn new() -> Self {
        let publisher = Publisher::new();
        publish_layers(&publisher, &LAYERS, "large");
        let serving = publisher.roadstead.serve_with(&["--ipfs"]);
        let proxy = Proxy::before(&serving.url);
        Self { publisher, serving, proxy, bytes: LAYERS.iter().sum() }
    }

    /// Starts the followers one right after the other, on this thread: a program ends with the thread that started it.
    fn start(&self, followers: &[Roadstead]) -> Vec<Serving> {
        let words = ["--ipfs", "--follow", &self.publisher.name, "--every", "1s", "--from", &self.proxy.url];
        followers.iter().map(|follower| follower.serve_with(&words)).collect()
    }

    /// All of them hold what is published, and each byte went out at most twice.
    fn arrived(&self, followers: &[Roadstead]) {
        let root = self.publisher.roadstead.root();
        for follower in followers {
            holds(follower, &root);
        }
        let drawn = self.proxy.bytes();
        eprintln!("{} followers drew {:.2} copies", followers.len(), drawn as f64 / self.bytes as f64);
        assert!(drawn <= 2 * self.bytes, "{drawn} bytes for {} followers of {}", followers.len(), self.bytes);
    }
}

fn followers(count: usize) -> Vec<Roadstead> {
    (0..count).map(|_| Roadstead::new()).collect()
}

fn publish_layers(publisher: &Publisher, sizes: &[u64], name: &str) {
    publisher.registry.push(&Layout::random(sizes, 11), "1", name);
    publisher.roadstead.ok(&["add", &format!("{}/{name}:1", publisher.registry.host())]);
    publisher.roadstead.ok(&["publish", "--yes"]);
}

/// The CID of a block of content.
fn leaf(content: &[u8]) -> Cid {
    Cid::new_v1(0x55, Multihash::wrap(0x12, &Sha256::digest(content)).expect("32 bytes"))
}

/// How a block is answered; 0 where the answer is cut off.
fn status_of(serving: &Serving, cid: &str) -> u16 {
    web::try_get(&format!("{}/ipfs/{cid}?format=raw", serving.url)).map_or(0, |answer| answer.status)
}

#[test]
fn followers_that_begin_at_once_draw_each_byte_at_most_twice() {
    let crowd = Crowd::new();
    let followers = followers(5);
    let serving = crowd.start(&followers);
    crowd.arrived(&followers);
    assert_eq!(pulled(serving.last().expect("five"), &crowd.publisher), "the first\n");
    for follower in &followers {
        follower.ok(&["follow", "check"]);
    }
}

#[test]
fn one_that_is_killed_on_the_way_keeps_nobody_from_the_rest() {
    let crowd = Crowd::new();
    let mut followers = followers(4);
    let mut serving = crowd.start(&followers);
    let data = followers[0].path("registry");
    let some = || (size_below(&data) > 4 * MIB).then_some(());
    wait_for("the first one has something", String::new, some);
    drop(serving.remove(0));
    drop(followers.remove(0));
    crowd.arrived(&followers);
    for follower in &followers {
        follower.ok(&["follow", "check"]);
    }
}

/// A server that says it is the stranger, and sends other bytes than those it is asked for; how often it was.
fn liar() -> (u16, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let lies = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&lies);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let count = Arc::clone(&count);
            thread::spawn(move || {
                let mut request = [0; 4096];
                let length = stream.read(&mut request).unwrap_or_default();
                let is_block = String::from_utf8_lossy(&request[..length]).starts_with("GET /ipfs/");
                let (kind, body) = if is_block {
                    count.fetch_add(1, Ordering::SeqCst);
                    ("application/vnd.ipld.raw", "something else".to_owned())
                } else {
                    ("application/json", format!(r#"{{"Peers":[{{"Schema":"peer","ID":"{STRANGER}","Addrs":[]}}]}}"#))
                };
                let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n", body.len());
                drop(write!(stream, "{head}connection: close\r\n\r\n{body}"));
            });
        }
    });
    (port, lies)
}

#[test]
fn one_that_lies_costs_nothing_but_time() {
    let crowd = Crowd::new();
    let root = crowd.publisher.roadstead.root();
    let (port, lies) = liar();
    let said = format!("peer={STRANGER}; root={root}; http={port}");
    let url = format!("{}/routing/v1/providers/{root}", crowd.serving.url);
    let ask = || web::send("GET", &url, &[("roadstead-holds", &said)], Vec::new()).expect("an answer").expect(200);
    assert!(!ask().text().contains(STRANGER), "nobody is told of themselves");
    assert!(web::get(&url).text().contains(&format!("/ip4/127.0.0.1/tcp/{port}/http")));
    let followers = followers(2);
    let _serving = crowd.start(&followers);
    crowd.arrived(&followers);
    assert!(lies.load(Ordering::SeqCst) > 0, "it was asked");
    for follower in &followers {
        follower.ok(&["follow", "check"]);
    }
}

#[test]
fn what_does_not_belong_to_the_root_is_not_given_out() {
    let publisher = Publisher::new();
    let old = Layout::random(&[3 * MIB], 21);
    publisher.registry.push(&old, "1", "old");
    publisher.roadstead.ok(&["add", &format!("{}/old:1", publisher.registry.host())]);
    publisher.roadstead.ok(&["publish", "--yes"]);
    let serving = publisher.roadstead.serve_with(&["--ipfs"]);
    let proxy = Proxy::before(&serving.url);
    let follower = Roadstead::new();
    let words = ["--ipfs", "--follow", &publisher.name, "--every", "1s", "--from", &proxy.url];
    let following = follower.serve_with(&words);
    holds(&follower, &publisher.roadstead.root());
    let old_layer = old.blobs().iter().map(|blob| old.read(blob)).find(|blob| blob.len() as u64 > MIB).expect("it");
    let old_leaf = leaf(&old_layer[..MIB as usize]).to_string();
    assert_eq!(status_of(&following, &old_leaf), 200);

    // Its blob is in the store of the follower, and belongs to nothing any more.
    publisher.roadstead.ok(&["remove", "--yes", &format!("{}/old:1", publisher.registry.published())]);
    publisher.roadstead.ok(&["publish", "--yes"]);
    holds(&follower, &publisher.roadstead.root());
    let is_gone = || (status_of(&following, &old_leaf) == 404).then_some(());
    wait_for("the old layer is not given out", String::new, is_gone);

    // Another root comes, and stands still in the middle.
    let (go_on, wait) = mpsc::channel::<()>();
    let (stop, stopped) = mpsc::channel::<()>();
    proxy.after(20 * MIB, move || {
        let _ = stop.send(());
        let _ = wait.recv();
    });
    publish_layers(&publisher, &LAYERS, "large");
    stopped.recv_timeout(PATIENCE).expect("it is taken");
    let root = publisher.roadstead.root();
    assert_ne!(follower.root(), root);
    assert_eq!(status_of(&following, &root), 200);
    let layer = Layout::random(&LAYERS, 11);
    let blobs = layer.blobs().into_iter().map(|blob| layer.read(&blob));
    let mut leaves = blobs.filter(|blob| blob.len() as u64 > MIB).map(|blob| leaf(&blob[..MIB as usize]).to_string());
    assert!(leaves.any(|cid| status_of(&following, &cid) == 200), "what is here of it is given out");
    for elsewhere in [&old_leaf, &leaf(b"nobody has this").to_string()] {
        assert_eq!(status_of(&following, elsewhere), 404, "{elsewhere}");
    }
    drop(go_on);
    holds(&follower, &root);
    follower.ok(&["follow", "check"]);
}
