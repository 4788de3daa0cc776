//! The way from one pinned root to the next, so that a node reads what changed and nothing else.
//!
//! `pin/update` (boxo `dagutils.DiffEnumerate`) compares two directories by the links that only one of them has, and pairs
//! these by their position. One that comes and one that changes in the same directory make wrong pairs from there on, and
//! every wrong pair is read as a whole. So a directory goes through versions: first what is below it changes, then what is
//! new comes, then what is gone goes; and the root goes through as many as the deepest way takes. Shards of a sharded
//! directory are blocks with links like any other, so they need no rule of their own, but for one thing: an entry that moves
//! into a shard below (its slot got a second one, or the whole directory became sharded) would be read with everything below
//! it. What is paired with something is not read again below what has no pair, so such entries get partners that mean nothing
//! in the same step. The other way, from shards back to one block, there is no such help: then all of it is read once.
//!
//! Knows blocks and links. Must not know nodes, targets, nor what the tree means.

use std::collections::{BTreeMap, HashMap, HashSet};

use cid::Cid;

use crate::error::Result;
use crate::unixfs::directory::{self, DirectoryBlock, Node, NodeStore};
use crate::unixfs::{Link, NodeKind, Profile};

/// The roots on the way to another one.
#[derive(Debug, Clone, Default)]
pub(super) struct Chain {
    /// The temporary roots, in order; the root that they lead to is not among them.
    pub(super) roots: Vec<Link>,
    /// The blocks that only temporary roots need, children first.
    pub(super) nodes: Vec<Node>,
}

/// The way from one root to another, whose directories are all in the store.
pub(super) fn between(profile: Profile, store: &mut dyn NodeStore, from: &Link, to: &Link) -> Result<Chain> {
    let mut builder = Builder { profile, store, made: HashMap::new(), nodes: Vec::new(), known: HashMap::new() };
    let mut versions = builder.versions(from, to)?;
    versions.pop();
    let roots: Vec<Link> = versions.into_iter().skip(1).collect();
    Ok(Chain { roots, nodes: builder.nodes })
}

struct Builder<'s> {
    profile: Profile,
    store: &'s mut dyn NodeStore,
    /// Versions of pairs that were met before: the views share directories.
    made: HashMap<(Cid, Cid), Vec<Link>>,
    nodes: Vec<Node>,
    known: HashMap<Cid, bool>,
}

type Links = BTreeMap<Vec<u8>, Link>;

impl Builder<'_> {
    /// From the first to the second, both included; each is one update away from the one before.
    fn versions(&mut self, from: &Link, to: &Link) -> Result<Vec<Link>> {
        if from.cid == to.cid {
            return Ok(vec![*to]);
        }
        if let Some(made) = self.made.get(&(from.cid, to.cid)) {
            return Ok(made.clone());
        }
        let versions = match (DirectoryBlock::load(self.store, from)?, DirectoryBlock::load(self.store, to)?) {
            (Some(old), Some(new)) => self.between(from, to, &old, &new)?,
            _ => vec![*from, *to],
        };
        self.made.insert((from.cid, to.cid), versions.clone());
        Ok(versions)
    }

    fn between(&mut self, from: &Link, to: &Link, old: &DirectoryBlock, new: &DirectoryBlock) -> Result<Vec<Link>> {
        let before: Links = old.links.iter().cloned().collect();
        let after: Links = new.links.iter().cloned().collect();
        let mut below: BTreeMap<&[u8], Vec<Link>> = BTreeMap::new();
        let (mut nested, mut comes, mut goes) = (false, false, false);
        for (name, link) in &before {
            match after.get(name) {
                None => goes |= self.is_directory(link)?,
                Some(now) if now.cid != link.cid => {
                    nested |= self.is_directory(link)? && self.is_directory(now)?;
                    below.insert(name, self.versions(link, now)?);
                }
                Some(_) => {}
            }
        }
        let added: Vec<&Vec<u8>> = after.keys().filter(|name| !before.contains_key(*name)).collect();
        let removed = before.keys().any(|name| !after.contains_key(name));
        for name in &added {
            comes |= self.is_directory(&after[*name])?;
        }
        let sinking = if comes && removed { self.sinking(&before, &after, &added)? } else { HashSet::new() };
        // A wrong pair of which one side is a file, or that has nothing in common, is read no more often than it would be.
        if !(nested || (comes && goes) || !sinking.is_empty()) {
            return Ok(vec![*from, *to]);
        }
        let mut states: Vec<Links> = vec![before.clone()];
        for step in 1..below.values().map(Vec::len).max().unwrap_or(1) {
            let current = states.last().cloned().unwrap_or_default();
            let wanted: Vec<(&[u8], Link)> =
                below.iter().map(|(name, versions)| (*name, versions[step.min(versions.len() - 1)])).collect();
            states.extend(aligned(&current, &wanted));
        }
        let mut current = states.last().cloned().unwrap_or_default();
        if !added.is_empty() {
            let count = current.len();
            current.retain(|_, link| !sinking.contains(&link.cid));
            let partner = directory::empty(self.profile);
            for number in 0..count - current.len() {
                // They must come first, before slots and names.
                current.insert(format!("!{number:08}").into_bytes(), partner.link());
            }
            if !sinking.is_empty() && !self.nodes.iter().any(|node| node.cid == partner.cid) {
                self.nodes.push(partner);
            }
            for name in &added {
                current.insert((*name).clone(), after[*name]);
            }
            states.push(current);
        }
        if removed {
            states.push(after.clone());
        }
        // The same state twice is one.
        states.dedup();
        let mut versions = vec![*from];
        let last = states.len() - 1;
        for (index, state) in states.iter().enumerate().skip(1) {
            // The last one is the block that is wanted, whose data differ in a shard.
            if index == last {
                break;
            }
            let links: Vec<(Vec<u8>, Link)> = state.iter().map(|(name, link)| (name.clone(), *link)).collect();
            let node = new.with(self.profile, &links)?;
            versions.push(node.link());
            self.nodes.push(node);
        }
        versions.push(*to);
        Ok(versions)
    }

    /// What was linked here and is linked by a shard that is new here.
    fn sinking(&mut self, before: &Links, after: &Links, added: &[&Vec<u8>]) -> Result<HashSet<Cid>> {
        let gone: HashSet<Cid> =
            before.iter().filter(|(name, _)| !after.contains_key(*name)).map(|(_, link)| link.cid).collect();
        let stays: HashSet<Cid> = after.values().map(|link| link.cid).collect();
        let mut sinking = HashSet::new();
        let mut todo: Vec<Link> = added.iter().map(|name| after[*name]).collect();
        while let Some(link) = todo.pop() {
            let Some(node) = self.store.get(&link.cid)? else { continue };
            if NodeKind::of(&node.bytes)? != NodeKind::Shard {
                continue;
            }
            for (_, below) in DirectoryBlock::parse(&node.bytes)?.links {
                if gone.contains(&below.cid) && !stays.contains(&below.cid) {
                    sinking.insert(below.cid);
                } else {
                    todo.push(below);
                }
            }
        }
        Ok(sinking)
    }

    fn is_directory(&mut self, link: &Link) -> Result<bool> {
        if link.cid.codec() != crate::unixfs::DAG_PB {
            return Ok(false);
        }
        if let Some(known) = self.known.get(&link.cid) {
            return Ok(*known);
        }
        // Nodes of files are not kept as directories are, so what the store has is a directory.
        let found = self.store.get(&link.cid)?.is_some();
        self.known.insert(link.cid, found);
        Ok(found)
    }
}

/// Changes these links in as few states as keep every pair right. A link whose old block stays in the directory under
/// another name, or whose new block is in it already, has no partner, so it moves in a state of its own.
fn aligned(current: &Links, wanted: &[(&[u8], Link)]) -> Vec<Links> {
    let moving: Vec<&(&[u8], Link)> =
        wanted.iter().filter(|(name, link)| current.get(*name).is_some_and(|old| old.cid != link.cid)).collect();
    if moving.is_empty() {
        return Vec::new();
    }
    let here: HashSet<Cid> = current.values().map(|link| link.cid).collect();
    let mut paired: HashSet<&[u8]> =
        moving.iter().filter(|(_, link)| !here.contains(&link.cid)).map(|(name, _)| *name).collect();
    loop {
        let stays: HashSet<Cid> =
            current.iter().filter(|(name, _)| !paired.contains(name.as_slice())).map(|(_, link)| link.cid).collect();
        let count = paired.len();
        paired.retain(|name| current.get(*name).is_some_and(|old| !stays.contains(&old.cid)));
        if paired.len() == count {
            break;
        }
    }
    let mut states = Vec::new();
    let mut state = current.clone();
    if !paired.is_empty() {
        for (name, link) in moving.iter().filter(|(name, _)| paired.contains(name)) {
            state.insert(name.to_vec(), *link);
        }
        states.push(state.clone());
    }
    if paired.len() < moving.len() {
        for (name, link) in moving.iter().filter(|(name, _)| !paired.contains(name)) {
            state.insert(name.to_vec(), *link);
        }
        states.push(state);
    }
    states
}
