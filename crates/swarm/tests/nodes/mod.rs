//! What the tests of running nodes share: blocks in memory, nodes on loopback, a Kubo, and a peer that speaks raw bitswap.

#![expect(dead_code, reason = "each test target uses a part of it")]

pub(crate) mod kubo;
pub(crate) mod raw;

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use roadstead_swarm::multihash::Multihash;
use roadstead_swarm::{Blocks, Cid, Dht, Event, Events, Multiaddr, Options, PeerId, Status, Swarm};
use sha2::{Digest as _, Sha256};

/// How long anything may take to become true: only a test that fails waits for all of it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

pub(crate) const RAW: u64 = 0x55;
pub(crate) const DAG_PB: u64 = 0x70;

pub(crate) fn cid_of(codec: u64, data: &[u8]) -> Cid {
    Cid::new_v1(codec, Multihash::wrap(0x12, &Sha256::digest(data)).expect("32 bytes"))
}

/// Bytes that do not repeat.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut bytes: Vec<u8> = (0..length.div_ceil(8)).flat_map(|_| next().to_le_bytes()).collect();
    bytes.truncate(length);
    bytes
}

/// Blocks in memory; some of them may be wrong or slow.
#[derive(Default)]
pub(crate) struct Memory {
    blocks: Mutex<HashMap<Cid, Vec<u8>>>,
    pub(crate) reads: AtomicU64,
}

impl Memory {
    pub(crate) fn put(&self, codec: u64, data: Vec<u8>) -> Cid {
        let cid = cid_of(codec, &data);
        self.blocks.lock().expect("no panic").insert(cid, data);
        cid
    }

    /// Puts other bytes in the place of a block.
    pub(crate) fn damage(&self, cid: &Cid) {
        if let Some(data) = self.blocks.lock().expect("no panic").get_mut(cid) {
            data[0] ^= 1;
        }
    }

    /// A file in leaves of `chunk` bytes, as `unixfs-v1-2025` has it, in a directory under this name. Gives the directory, the file and
    /// the leaves.
    pub(crate) fn file(&self, name: &str, data: &[u8], chunk: usize) -> (Cid, Cid, Vec<Cid>) {
        let leaves: Vec<(Cid, u64)> =
            data.chunks(chunk).map(|leaf| (self.put(RAW, leaf.to_vec()), leaf.len() as u64)).collect();
        let mut level: Vec<(Cid, u64, u64)> = leaves.iter().map(|(cid, size)| (*cid, *size, *size)).collect();
        while level.len() > 1 {
            let node = |group: &[(Cid, u64, u64)]| {
                let size: u64 = group.iter().map(|entry| entry.1).sum();
                let mut data = vec![0x08, 2, 0x18];
                varint(size, &mut data);
                for entry in group {
                    data.push(0x20);
                    varint(entry.1, &mut data);
                }
                let links: Vec<(Cid, &str, u64)> = group.iter().map(|entry| (entry.0, "", entry.2)).collect();
                let block = dag_pb(&links, &data);
                let total = block.len() as u64 + group.iter().map(|entry| entry.2).sum::<u64>();
                (self.put(DAG_PB, block), size, total)
            };
            level = level.chunks(1024).map(node).collect();
        }
        let (file, _, total) = level[0];
        let directory = self.put(DAG_PB, dag_pb(&[(file, name, total)], &[0x08, 1]));
        (directory, file, leaves.into_iter().map(|leaf| leaf.0).collect())
    }
}

impl Blocks for Memory {
    fn size(&self, cid: &Cid) -> io::Result<Option<usize>> {
        Ok(self.blocks.lock().expect("no panic").get(cid).map(Vec::len))
    }

    fn read(&self, cid: &Cid, out: &mut Vec<u8>) -> io::Result<bool> {
        self.reads.fetch_add(1, Relaxed);
        let blocks = self.blocks.lock().expect("no panic");
        Ok(blocks.get(cid).map(|data| out.extend_from_slice(data)).is_some())
    }
}

pub(crate) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn field(number: u8, data: &[u8], out: &mut Vec<u8>) {
    out.push(number << 3 | 2);
    varint(data.len() as u64, out);
    out.extend_from_slice(data);
}

fn dag_pb(links: &[(Cid, &str, u64)], data: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    for (cid, name, size) in links {
        let mut link = Vec::new();
        field(1, &cid.to_bytes(), &mut link);
        field(2, name.as_bytes(), &mut link);
        link.push(0x18);
        varint(*size, &mut link);
        field(2, &link, &mut block);
    }
    field(1, data, &mut block);
    block
}

/// A node on loopback.
pub(crate) struct Node {
    pub(crate) swarm: Swarm,
    pub(crate) events: Events,
    pub(crate) blocks: Arc<Memory>,
}

pub(crate) fn options() -> Options {
    static SEED: AtomicU64 = AtomicU64::new(1);
    let seed = SEED.fetch_add(1, Relaxed) ^ u64::from(std::process::id()) << 32;
    let mut options = Options::new(Sha256::digest(seed.to_le_bytes()).into());
    options.listen = ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"].map(address).into();
    options.dht = Dht::Off;
    options
}

pub(crate) fn address(text: &str) -> Multiaddr {
    text.parse().expect("an address")
}

impl Node {
    pub(crate) fn start(options: Options) -> Self {
        Self::with_blocks(options, Arc::default())
    }

    pub(crate) fn with_blocks(options: Options, blocks: Arc<Memory>) -> Self {
        let (swarm, events) = Swarm::start(options, Arc::clone(&blocks) as Arc<dyn Blocks>).expect("a node");
        Self { swarm, events, blocks }
    }

    pub(crate) fn peer_id(&self) -> PeerId {
        self.swarm.peer_id()
    }

    pub(crate) async fn status(&self) -> Status {
        self.swarm.status().await.expect("it runs")
    }

    /// Where it listens: by `tcp` or `quic-v1`.
    pub(crate) async fn address(&self, transport: &str) -> Multiaddr {
        let found = |status: Status| {
            let address = status.listening.into_iter().find(|address| address.to_string().contains(transport))?;
            Some(address.with_p2p(self.peer_id()).expect("no other peer"))
        };
        self.wait("listens", found).await
    }

    /// Waits until something can be said of its status.
    pub(crate) async fn wait<T>(&self, what: &str, mut found: impl FnMut(Status) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = found(self.status().await) {
                return found;
            }
            assert!(start.elapsed() < DEADLINE, "{what}: {:?}", self.status().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits for an event.
    pub(crate) async fn event<T>(&mut self, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        let next = async {
            loop {
                let event = self.events.recv().await.expect("it runs");
                if let Some(found) = wanted(event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(DEADLINE, next).await.expect("an event in time")
    }
}

/// A figure of `/proc/self/status` in bytes.
pub(crate) fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).expect("a figure");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}
