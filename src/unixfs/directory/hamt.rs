//! A sharded directory: a hash array mapped trie of 256 slots a shard (boxo `ipld/unixfs/hamt`).
//!
//! Shard level `k` places a name by byte `k` of its hash. A slot with one name links it directly; a slot with more links
//! a shard of the next level. So the shape depends only on the set of names, and removing a name folds a shard that is
//! left with one entry into the slot above it.

use std::collections::HashMap;
use std::rc::Rc;

use cid::Cid;
use sha2::{Digest as _, Sha256};

use super::{Change, Node, NodeStore, broken, check_size, entry_name, missing};
use crate::error::{Error, Kind, Result};
use crate::unixfs::dagpb::{self, Decoder, RawLink};
use crate::unixfs::data::{Data, HAMT_FANOUT, MURMUR3, NodeKind, shard_data};
use crate::unixfs::{Link, Profile};

/// The levels of shards that 64 bits of hash are enough for.
pub(super) const MAX_LEVELS: usize = 8;
/// The hexadecimal digits of a slot before each name.
const SLOT_DIGITS: usize = 2;
const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// Shards that were read during one operation, so that none is read twice.
#[derive(Default)]
pub(super) struct Cache(HashMap<Cid, Rc<Node>>);

impl Cache {
    fn get(&mut self, store: &mut dyn NodeStore, cid: &Cid) -> Result<Rc<Node>> {
        if let Some(node) = self.0.get(cid) {
            return Ok(Rc::clone(node));
        }
        let node = Rc::new(store.get(cid)?.ok_or_else(|| missing(cid))?);
        check_size(&node)?;
        self.0.insert(*cid, Rc::clone(&node));
        Ok(node)
    }
}

/// A name, where it belongs, and what it links.
pub(super) struct Entry<'a> {
    hash: u64,
    name: &'a str,
    link: Link,
}

impl<'a> Entry<'a> {
    pub(super) fn new(name: &'a str, link: Link) -> Result<Self> {
        Ok(Self { hash: hash(name)?, name, link })
    }
}

/// The first 64 bits of MurmurHash3 x64 128. The slot at level `k` is its `k`th byte from the top.
fn hash(name: &str) -> Result<u64> {
    Ok(murmur3::murmur3_x64_128(&mut name.as_bytes(), 0)? as u64)
}

const fn slot_at(hash: u64, level: usize) -> u8 {
    (hash >> (56 - 8 * level)) as u8
}

/// What a slot at `level` adds to the path of what is in it.
pub(super) const fn place(slot: u8, level: usize) -> u64 {
    (slot as u64) << (56 - 8 * level)
}

fn too_deep() -> Error {
    Error::new(Kind::Usage, "two names in one directory have the same 64-bit hash")
        .hint("Directories of this size can't hold both; rename one of them.")
}

/// A shard's link: the name of an entry, or none for a shard of the next level.
pub(super) struct Child<'a> {
    pub(super) slot: u8,
    pub(super) name: Option<&'a str>,
    pub(super) raw: RawLink<'a>,
}

/// Reads a shard's links, checking slots and data.
pub(super) fn parse(node: &Node) -> Result<Vec<Child<'_>>> {
    let mut decoder = Decoder::new(&node.bytes);
    let mut children: Vec<Child<'_>> = Vec::with_capacity(HAMT_FANOUT);
    let mut used = [0; HAMT_FANOUT / 8];
    while let Some(raw) = decoder.link()? {
        let slot = slot_of(raw.name)?;
        if children.last().is_some_and(|previous| previous.slot >= slot) {
            return Err(broken("the slots of a shard are not sorted, or one is there twice"));
        }
        used[usize::from(slot / 8)] |= 1 << (slot % 8);
        let name = match &raw.name[SLOT_DIGITS..] {
            [] => None,
            name => Some(entry_name(name)?),
        };
        children.push(Child { slot, name, raw });
    }
    let data = decoder.data()?;
    if data != shard_data(&used) {
        let parsed = Data::parse(data)?;
        let right_kind = parsed.kind == NodeKind::Shard
            && parsed.fanout == Some(HAMT_FANOUT as u64)
            && parsed.hash_type == Some(MURMUR3);
        return Err(if right_kind {
            broken("a shard's bitfield does not match its links")
        } else {
            broken("it is not a shard of 256 slots placed by murmur3")
        });
    }
    Ok(children)
}

/// The slot in a link's name.
fn slot_of(name: &[u8]) -> Result<u8> {
    let digit = |c: u8| DIGITS.iter().position(|&digit| digit == c).map(|value| value as u8);
    match name {
        [high, low, ..] => digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low),
        _ => None,
    }
    .ok_or_else(|| broken("a link of a shard has no slot in its name"))
}

/// What a slot holds after an edit.
enum Slot {
    Empty,
    Entry(String, Link),
    Shard(Link),
}

/// A shard being written, slot by slot in ascending order.
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    used: [u8; HAMT_FANOUT / 8],
    count: usize,
    tsize_below: u64,
}

impl Writer {
    fn count(&mut self, slot: u8, tsize: u64) -> Result<()> {
        self.used[usize::from(slot / 8)] |= 1 << (slot % 8);
        self.count += 1;
        self.tsize_below =
            self.tsize_below.checked_add(tsize).ok_or_else(|| broken("its sizes add up to more than 64 bits"))?;
        Ok(())
    }

    fn put(&mut self, slot: u8, name: &str, link: &Link) -> Result<()> {
        let digits = [DIGITS[usize::from(slot >> 4)], DIGITS[usize::from(slot & 15)]];
        dagpb::write_link(&mut self.bytes, link, &digits, name.as_bytes());
        self.count(slot, link.tsize)
    }

    fn put_slot(&mut self, at: u8, slot: &Slot) -> Result<()> {
        match slot {
            Slot::Empty => Ok(()),
            Slot::Entry(name, link) => self.put(at, name, link),
            Slot::Shard(link) => self.put(at, "", link),
        }
    }

    fn copy(&mut self, child: &Child<'_>, from: &Node) -> Result<()> {
        self.bytes.extend_from_slice(&from.bytes[child.raw.start..child.raw.end]);
        self.count(child.slot, child.raw.tsize)
    }

    /// The one entry, if that is all there is.
    fn single(&self) -> Result<Option<(String, Link)>> {
        if self.count != 1 {
            return Ok(None);
        }
        let Some(raw) = Decoder::new(&self.bytes).link()? else { return Ok(None) };
        match &raw.name[SLOT_DIGITS..] {
            [] => Ok(None),
            name => Ok(Some((entry_name(name)?.to_owned(), raw.link()?))),
        }
    }

    fn finish(mut self, profile: Profile) -> Result<Node> {
        dagpb::write_data(&mut self.bytes, &shard_data(&self.used));
        let tsize = self
            .tsize_below
            .checked_add(self.bytes.len() as u64)
            .ok_or_else(|| broken("its sizes add up to more than 64 bits"))?;
        let cid = profile.node_cid(&Sha256::digest(&self.bytes).into());
        Ok(Node { cid, bytes: self.bytes, tsize, directory_size: None })
    }
}

/// Makes a sharded directory of these entries, giving every shard but the root to `put`, children first.
pub(super) fn build(
    profile: Profile,
    mut entries: Vec<Entry<'_>>,
    put: &mut dyn FnMut(&Node) -> Result<()>,
) -> Result<Node> {
    entries.sort_unstable_by_key(|entry| entry.hash);
    build_shard(profile, 0, &entries, put)
}

/// The shard of entries that are sorted by hash and agree in the bytes above `level`.
fn build_shard(
    profile: Profile,
    level: usize,
    entries: &[Entry<'_>],
    put: &mut dyn FnMut(&Node) -> Result<()>,
) -> Result<Node> {
    let mut writer = Writer::default();
    for group in entries.chunk_by(|a, b| slot_at(a.hash, level) == slot_at(b.hash, level)) {
        let slot = slot_at(group[0].hash, level);
        if let [entry] = group {
            writer.put(slot, entry.name, &entry.link)?;
        } else if level + 1 == MAX_LEVELS {
            return Err(too_deep());
        } else {
            let shard = build_shard(profile, level + 1, group, put)?;
            put(&shard)?;
            writer.put(slot, "", &shard.link())?;
        }
    }
    writer.finish(profile)
}

/// A change and where it belongs.
struct Placed<'a> {
    hash: u64,
    name: &'a str,
    link: Option<Link>,
}

/// What an edit wrote, and what it added to and took from the estimated size of the directory, in bytes.
pub(super) struct Edited {
    pub(super) written: Vec<Node>,
    pub(super) added: u64,
    pub(super) removed: u64,
}

/// Edits a sharded directory: reads the shards on the way to the changes, and writes those that differ.
pub(super) struct Editor<'a> {
    profile: Profile,
    store: &'a mut dyn NodeStore,
    cache: &'a mut Cache,
    edited: Edited,
}

impl<'a> Editor<'a> {
    pub(super) fn new(profile: Profile, store: &'a mut dyn NodeStore, cache: &'a mut Cache) -> Self {
        Self { profile, store, cache, edited: Edited { written: Vec::new(), added: 0, removed: 0 } }
    }

    /// The new root, which is not among the written ones, or nothing when no entry is left.
    pub(super) fn edit_root(&mut self, root: &Node, changes: &[Change<'_>]) -> Result<Option<Node>> {
        let mut placed = Vec::with_capacity(changes.len());
        for change in changes {
            placed.push(Placed { hash: hash(change.name)?, name: change.name, link: change.link });
        }
        placed.sort_unstable_by_key(|change| change.hash);
        let writer = self.edit_shard(root, 0, &placed)?;
        if writer.count == 0 { Ok(None) } else { writer.finish(self.profile).map(Some) }
    }

    pub(super) fn finish(self) -> Edited {
        self.edited
    }

    /// Writes a shard anew with changes that are sorted by hash and belong into it.
    fn edit_shard(&mut self, node: &Node, level: usize, changes: &[Placed<'_>]) -> Result<Writer> {
        let children = parse(node).map_err(|error| error.context(node.cid))?;
        let mut writer = Writer { bytes: Vec::with_capacity(node.bytes.len() + 256), ..Writer::default() };
        let mut children = children.iter().peekable();
        for group in changes.chunk_by(|a, b| slot_at(a.hash, level) == slot_at(b.hash, level)) {
            let slot = slot_at(group[0].hash, level);
            while let Some(child) = children.next_if(|child| child.slot < slot) {
                writer.copy(child, node)?;
            }
            let child = children.next_if(|child| child.slot == slot);
            let new = match child {
                Some(Child { name: None, raw, .. }) => self.edit_child(&raw.cid()?, level + 1, group)?,
                entry => self.replace_entry(entry, level + 1, group)?,
            };
            writer.put_slot(slot, &new)?;
        }
        for child in children {
            writer.copy(child, node)?;
        }
        Ok(writer)
    }

    /// Edits the shard in a slot.
    fn edit_child(&mut self, cid: &Cid, level: usize, changes: &[Placed<'_>]) -> Result<Slot> {
        if level == MAX_LEVELS {
            return Err(broken("its shards are deeper than its hashes are long"));
        }
        let old = self.cache.get(self.store, cid)?;
        let writer = self.edit_shard(&old, level, changes)?;
        if writer.count == 0 {
            return Ok(Slot::Empty);
        }
        if let Some((name, link)) = writer.single()? {
            return Ok(Slot::Entry(name, link));
        }
        let new = writer.finish(self.profile)?;
        let link = new.link();
        if new.cid != old.cid {
            self.edited.written.push(new);
        }
        Ok(Slot::Shard(link))
    }

    /// What becomes of a slot that held one entry or none.
    fn replace_entry(&mut self, old: Option<&Child<'_>>, level: usize, changes: &[Placed<'_>]) -> Result<Slot> {
        let mut entries = Vec::with_capacity(changes.len() + 1);
        let old = match old {
            Some(Child { name: Some(name), raw, .. }) => Some(Entry::new(name, raw.link()?)?),
            _ => None,
        };
        for change in changes {
            if let Some(link) = change.link {
                self.edited.added += self.profile.entry_size(change.name.len(), link.cid.encoded_len(), link.tsize);
                entries.push(Entry { hash: change.hash, name: change.name, link });
            }
        }
        if let Some(old) = old {
            if changes.iter().any(|change| change.name == old.name) {
                self.edited.removed +=
                    self.profile.entry_size(old.name.len(), old.link.cid.encoded_len(), old.link.tsize);
            } else {
                entries.push(old);
                entries.sort_unstable_by_key(|entry| entry.hash);
            }
        }
        match &entries[..] {
            [] => Ok(Slot::Empty),
            [entry] => Ok(Slot::Entry(entry.name.to_owned(), entry.link)),
            _ if level == MAX_LEVELS => Err(too_deep()),
            _ => {
                let written = &mut self.edited.written;
                let shard = build_shard(self.profile, level, &entries, &mut |node| {
                    written.push(node.clone());
                    Ok(())
                })?;
                let link = shard.link();
                written.push(shard);
                Ok(Slot::Shard(link))
            }
        }
    }
}

/// What a sharded directory has under this name.
pub(super) fn find(store: &mut dyn NodeStore, cache: &mut Cache, root: &Node, name: &str) -> Result<Option<Link>> {
    let hash = hash(name)?;
    let mut shard: Option<Rc<Node>> = None;
    for level in 0..MAX_LEVELS {
        let node = shard.as_deref().unwrap_or(root);
        let slot = slot_at(hash, level);
        let mut decoder = Decoder::new(&node.bytes);
        let mut below = None;
        while let Some(raw) = decoder.link()? {
            if slot_of(raw.name)? == slot {
                match &raw.name[SLOT_DIGITS..] {
                    [] => below = Some(raw.cid()?),
                    found if found == name.as_bytes() => return raw.link().map(Some),
                    _ => return Ok(None),
                }
                break;
            }
        }
        let Some(cid) = below else { return Ok(None) };
        shard = Some(cache.get(store, &cid)?);
    }
    Err(broken("its shards are deeper than its hashes are long"))
}

/// What a walk comes by.
pub(super) enum Step<'a> {
    /// A shard, before what is in it.
    Node(&'a Node),
    Entry(&'a str, Link),
}

/// Visits every shard and entry of a sharded directory, depth first in the order of slots.
pub(super) fn walk(
    store: &mut dyn NodeStore,
    cache: &mut Cache,
    root: &Node,
    visit: &mut dyn FnMut(Step<'_>) -> Result<()>,
) -> Result<()> {
    walk_shard(store, cache, root, 0, 0, visit)
}

/// `path` holds the slots above in its top bytes. That every name belongs where it stands also bounds the walk: no shard
/// can be linked from two places, which would let a few blocks stand for endlessly many.
pub(super) fn walk_shard(
    store: &mut dyn NodeStore,
    cache: &mut Cache,
    node: &Node,
    level: usize,
    path: u64,
    visit: &mut dyn FnMut(Step<'_>) -> Result<()>,
) -> Result<()> {
    visit(Step::Node(node))?;
    let children = parse(node).map_err(|error| error.context(node.cid))?;
    if children.is_empty() {
        return Err(broken("a shard is empty"));
    }
    for child in &children {
        let path = path | place(child.slot, level);
        if let Some(name) = child.name {
            if (hash(name)? ^ path) >> (56 - 8 * level) != 0 {
                return Err(broken("a name is in another shard than its hash says"));
            }
            visit(Step::Entry(name, child.raw.link()?))?;
        } else if level + 1 == MAX_LEVELS {
            return Err(broken("its shards are deeper than its hashes are long"));
        } else {
            // Each shard is walked once, so it isn't kept for later; one that an edit has read already is used.
            let cid = child.raw.cid()?;
            let shard = match cache.0.get(&cid) {
                Some(shard) => Rc::clone(shard),
                None => Rc::new(store.get(&cid)?.ok_or_else(|| missing(&cid))?),
            };
            check_size(&shard)?;
            walk_shard(store, cache, &shard, level + 1, path, visit)?;
        }
    }
    Ok(())
}
