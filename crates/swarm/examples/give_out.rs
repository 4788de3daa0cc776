//! Gives out one file on loopback until it is killed: `give_out FILE`. For measuring against Kubo.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use roadstead_swarm::multihash::Multihash;
use roadstead_swarm::{Blocks, Cid, Dht, Event, Options, Swarm};
use sha2::{Digest as _, Sha256};

const CHUNK_BYTES: usize = 1 << 20;

/// Leaves are ranges of the file; the other blocks are in memory.
struct OneFile {
    file: File,
    leaves: HashMap<Cid, (u64, usize)>,
    nodes: HashMap<Cid, Vec<u8>>,
}

impl Blocks for OneFile {
    fn size(&self, cid: &Cid) -> io::Result<Option<usize>> {
        Ok(self.leaves.get(cid).map(|leaf| leaf.1).or_else(|| self.nodes.get(cid).map(Vec::len)))
    }

    fn read(&self, cid: &Cid, out: &mut Vec<u8>) -> io::Result<bool> {
        if let Some((at, length)) = self.leaves.get(cid) {
            let start = out.len();
            out.resize(start + length, 0);
            self.file.read_exact_at(&mut out[start..], *at)?;
            return Ok(true);
        }
        Ok(self.nodes.get(cid).map(|node| out.extend_from_slice(node)).is_some())
    }
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn cid(codec: u64, data: &[u8]) -> io::Result<Cid> {
    Ok(Cid::new_v1(codec, Multihash::wrap(0x12, &Sha256::digest(data)).map_err(io::Error::other)?))
}

/// The blocks of a file of up to a thousand leaves, and its root.
fn open(path: &str) -> io::Result<(OneFile, Cid)> {
    let mut file = File::open(path)?;
    let (mut links, mut sizes, mut leaves) = (Vec::new(), Vec::new(), HashMap::new());
    let (mut at, mut chunk) = (0_u64, Vec::new());
    loop {
        chunk.clear();
        let length = file.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut chunk)?;
        if length == 0 {
            break;
        }
        let leaf = cid(0x55, &chunk)?;
        let mut link = vec![0x0a, leaf.to_bytes().len() as u8];
        link.extend(leaf.to_bytes());
        link.extend([0x12, 0, 0x18]);
        varint(length as u64, &mut link);
        links.push(0x12);
        varint(link.len() as u64, &mut links);
        links.extend(link);
        sizes.push(0x20);
        varint(length as u64, &mut sizes);
        leaves.insert(leaf, (at, length));
        at += length as u64;
    }
    let mut data = vec![0x08, 2, 0x18];
    varint(at, &mut data);
    data.extend(sizes);
    links.push(0x0a);
    varint(data.len() as u64, &mut links);
    links.extend(data);
    let root = cid(0x70, &links)?;
    Ok((OneFile { file, leaves, nodes: HashMap::from([(root, links)]) }, root))
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example says what it does")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("give_out FILE")?;
    let (blocks, root) = open(&path)?;
    let mut options = Options::new(Sha256::digest(path.as_bytes()).into());
    options.listen = vec!["/ip4/127.0.0.1/tcp/0".parse()?, "/ip4/127.0.0.1/udp/0/quic-v1".parse()?];
    options.dht = Dht::Lan;
    let (swarm, mut events) = Swarm::start(options, Arc::new(blocks))?;
    println!("root {root}");
    while let Some(event) = events.recv().await {
        match event {
            Event::Listening(address) => println!("listening {address}/p2p/{}", swarm.peer_id()),
            other => println!("{other:?}"),
        }
    }
    Ok(())
}
