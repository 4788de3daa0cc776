//! Published blocks in memory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Cursor;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use cid::Cid;
use futures::FutureExt as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::super::names::key_multihash;
use super::super::{Asker, Coming, NamedRecord, PieceRead, Provider, PublishedBlocks};
use crate::error::{Error, Kind, Result};
use crate::unixfs::directory::{self, Node, NodeStore};
use crate::unixfs::{Block, Link, Profile, RAW, car, file};

#[derive(Default)]
pub(in crate::serve) struct Content {
    blocks: HashMap<Vec<u8>, Bytes>,
    /// Here, and not given out.
    hidden: HashSet<Vec<u8>>,
    /// Whose bytes are others than they should be, where they are read in pieces.
    damaged: HashSet<Vec<u8>>,
    /// Said to be verified.
    verified: HashSet<Vec<u8>>,
    records: BTreeMap<Vec<u8>, Bytes>,
    providers: Vec<Provider>,
    failure: Option<Kind>,
    /// About to come, with who waits for them.
    coming: HashMap<Vec<u8>, (Bytes, watch::Sender<bool>)>,
}

/// Counts what it is asked.
#[derive(Default)]
pub(in crate::serve) struct MemoryBlocks {
    content: Mutex<Content>,
    asked: AtomicUsize,
    /// Bytes that were read.
    read: AtomicUsize,
    /// Bytes that went out, by address.
    given: Mutex<BTreeMap<IpAddr, u64>>,
}

fn key(cid: &Cid) -> Vec<u8> {
    cid.hash().to_bytes()
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn field(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A dag-pb block.
pub(super) fn node(links: &[(&[u8], Cid)], data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, cid) in links {
        let mut link = Vec::new();
        field(&mut link, 0x0a, &cid.to_bytes());
        field(&mut link, 0x12, name);
        link.extend_from_slice(&[0x18, 1]);
        field(&mut out, 0x12, &link);
    }
    field(&mut out, 0x0a, data);
    out
}

/// The data of a file's node with this content of its own and these sizes of its parts.
pub(super) fn file_data(content: &[u8], sizes: &[u64]) -> Vec<u8> {
    let mut data = vec![8, 2];
    if !content.is_empty() {
        field(&mut data, 0x12, content);
    }
    data.push(0x18);
    varint(&mut data, content.len() as u64 + sizes.iter().sum::<u64>());
    for size in sizes {
        data.push(0x20);
        varint(&mut data, *size);
    }
    data
}

impl MemoryBlocks {
    pub(in crate::serve) fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap()
    }

    pub(in crate::serve) fn times_asked(&self) -> usize {
        self.asked.swap(0, Ordering::SeqCst)
    }

    pub(in crate::serve) fn bytes_read(&self) -> usize {
        self.read.swap(0, Ordering::SeqCst)
    }

    pub(in crate::serve) fn given(&self) -> BTreeMap<IpAddr, u64> {
        std::mem::take(&mut self.given.lock().unwrap())
    }

    pub(in crate::serve) fn add(&self, cid: Cid, bytes: Vec<u8>) -> Cid {
        self.content().blocks.insert(key(&cid), bytes.into());
        cid
    }

    pub(in crate::serve) fn add_raw(&self, bytes: &[u8]) -> Cid {
        self.add(Profile::V1_2025.leaf_cid(&Sha256::digest(bytes).into()), bytes.to_vec())
    }

    pub(in crate::serve) fn add_node(&self, bytes: Vec<u8>) -> Cid {
        self.add(Profile::V1_2025.node_cid(&Sha256::digest(&bytes).into()), bytes)
    }

    /// A file as it is published.
    pub(in crate::serve) fn add_file(&self, profile: Profile, content: &[u8]) -> Link {
        let (link, leaves) = file::of_bytes(profile, content);
        for part in file::parts(profile, content.len() as u64, leaves).unwrap() {
            match part {
                file::Part::Node(Block { cid, bytes }) => drop(self.add(cid, bytes)),
                file::Part::Leaf { cid, offset, length } => {
                    let (before, after) = file::leaf_frame(profile, length);
                    let content = &content[offset as usize..(offset + length) as usize];
                    self.add(cid, [&before, content, &after].concat());
                }
            }
        }
        link
    }

    /// A directory with these entries.
    pub(in crate::serve) fn add_directory(&self, entries: &[(&str, Link)]) -> Link {
        let edits: BTreeMap<_, _> = entries.iter().map(|(name, link)| ((*name).to_owned(), Some(*link))).collect();
        directory::edit(Profile::V1_2025, &mut Store(self), None, &edits).unwrap().unwrap()
    }

    /// The blocks of a CAR, and the first of them.
    pub(in crate::serve) fn add_car(&self, bytes: &[u8]) -> Cid {
        let mut reader = car::Reader::new(Cursor::new(bytes)).unwrap();
        let blocks = std::iter::from_fn(|| reader.block().unwrap());
        blocks.map(|block| self.add(block.cid, block.bytes)).collect::<Vec<_>>()[0]
    }

    pub(in crate::serve) fn remove(&self, cid: &Cid) {
        self.content().blocks.remove(&key(cid));
    }

    /// Takes a block away that is about to come from now on.
    pub(in crate::serve) fn expect(&self, cid: &Cid) {
        let mut content = self.content();
        let block = content.blocks.remove(&key(cid)).unwrap();
        content.coming.insert(key(cid), (block, watch::Sender::new(false)));
    }

    /// It is here.
    pub(in crate::serve) fn arrive(&self, cid: &Cid) {
        let mut content = self.content();
        let (block, waiting) = content.coming.remove(&key(cid)).unwrap();
        content.blocks.insert(key(cid), block);
        waiting.send_replace(true);
    }

    /// It does not come.
    pub(in crate::serve) fn fail_to_come(&self, cid: &Cid) -> Bytes {
        self.content().coming.remove(&key(cid)).unwrap().0
    }

    /// Whether somebody waits for it.
    pub(in crate::serve) fn is_awaited(&self, cid: &Cid) -> bool {
        self.content().coming[&key(cid)].1.receiver_count() > 0
    }

    pub(in crate::serve) fn hide(&self, cid: &Cid) {
        self.content().hidden.insert(key(cid));
    }

    pub(in crate::serve) fn call_verified(&self, cid: &Cid, is_verified: bool) {
        let mut content = self.content();
        if is_verified {
            content.verified.insert(key(cid))
        } else {
            content.verified.remove(&key(cid))
        };
    }

    pub(in crate::serve) fn damage(&self, cid: &Cid) {
        self.content().damaged.insert(key(cid));
    }

    pub(in crate::serve) fn fail(&self, failure: Option<Kind>) {
        self.content().failure = failure;
    }

    pub(in crate::serve) fn provide(&self, providers: Vec<Provider>) {
        self.content().providers = providers;
    }

    pub(in crate::serve) fn record(&self, name: &str, record: &'static [u8]) {
        self.content().records.insert(key_multihash(name).unwrap(), Bytes::from_static(record));
    }

    fn find(&self, cid: &Cid) -> Result<Option<Bytes>> {
        assert_ne!(cid.hash().code(), 0, "{cid} holds its block itself");
        self.asked.fetch_add(1, Ordering::SeqCst);
        let content = self.content();
        if let Some(kind) = content.failure {
            return Err(Error::new(kind, "/secret/path is broken"));
        }
        Ok(content.blocks.get(&key(cid)).filter(|_| !content.hidden.contains(&key(cid))).cloned())
    }

    pub(in crate::serve) fn get(&self, cid: &Cid) -> Option<Bytes> {
        self.content().blocks.get(&key(cid)).cloned()
    }
}

struct Store<'a>(&'a MemoryBlocks);

impl NodeStore for Store<'_> {
    fn get(&mut self, cid: &Cid) -> Result<Option<Node>> {
        let found = self.0.get(cid);
        Ok(found.map(|bytes| Node { cid: *cid, bytes: bytes.to_vec(), tsize: 1, directory_size: None }))
    }

    fn put(&mut self, node: &Node) -> Result<()> {
        self.0.add(node.cid, node.bytes.clone());
        Ok(())
    }
}

impl PublishedBlocks for MemoryBlocks {
    fn size(&self, cid: &Cid) -> Result<Option<u64>> {
        Ok(self.find(cid)?.map(|block| block.len() as u64))
    }

    fn block(&self, cid: &Cid) -> Result<Option<Bytes>> {
        let found = self.find(cid)?;
        self.read.fetch_add(found.as_ref().map_or(0, Bytes::len), Ordering::SeqCst);
        Ok(found)
    }

    fn read(&self, cid: &Cid, offset: u64, buffer: &mut [u8]) -> Result<Option<PieceRead>> {
        let Some(block) = self.find(cid)? else { return Ok(None) };
        let rest = &block[offset as usize..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        if self.content().damaged.contains(&key(cid)) && offset == 0 {
            buffer[0] ^= 1;
        }
        self.read.fetch_add(count, Ordering::SeqCst);
        Ok(Some(PieceRead { bytes: count, is_verified: self.content().verified.contains(&key(cid)) }))
    }

    fn ipns_record(&self, name: &[u8]) -> Result<Option<NamedRecord>> {
        let found = self.content().records.get(name).cloned();
        let (ttl, valid_for) = (Duration::from_mins(30), Duration::from_hours(48));
        Ok(found.map(|bytes| NamedRecord { bytes, ttl, valid_for }))
    }

    fn put_ipns_record(&self, name: &[u8], record: &[u8]) -> Result<()> {
        let mut content = self.content();
        let Some(own) = content.records.get_mut(name) else {
            return Err(Error::new(Kind::Auth, "this server answers for its own names alone"));
        };
        if record.starts_with(b"forged") {
            return Err(Error::new(Kind::Verification, "the signature is wrong\u{1b}[31m"));
        }
        *own = Bytes::copy_from_slice(record);
        Ok(())
    }

    fn providers(&self) -> Vec<Provider> {
        self.content().providers.clone()
    }

    fn peers_with(&self, _: &Cid, asker: &Asker) -> Vec<Provider> {
        let said = asker.holding.map(|holding| Provider {
            id: holding.peer.peer_id(),
            addresses: vec![format!("/ip4/{}/tcp/1/http", asker.ip)],
            protocols: Vec::new(),
        });
        said.into_iter().collect()
    }

    fn gave(&self, to: IpAddr, bytes: u64) {
        *self.given.lock().unwrap().entry(to).or_default() += bytes;
    }

    fn coming(&self, cid: &Cid) -> Option<Coming> {
        let content = self.content();
        let (block, waiting) = content.coming.get(&key(cid))?;
        let mut waiting = waiting.subscribe();
        let arrival = async move { drop(waiting.wait_for(|here| *here).await.map(drop)) };
        // Of what others link, nobody says how long it is.
        let size = (cid.codec() == RAW).then_some(block.len() as u64);
        Some(Coming { size, arrival: arrival.boxed() })
    }
}
