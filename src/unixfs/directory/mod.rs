//! Directories: names to links, in one block while they are small and as a HAMT of shards above that.
//!
//! Knows when a directory is sharded (IPIP-499) and how an edit touches only the blocks on the changed paths. Must not
//! know where nodes are kept ([`NodeStore`]), nor what its entries are.
//!
//! The form depends only on the set of entries, however it came about: what `ipfs add -r` makes of the same files.

mod basic;
mod block;
mod difference;
mod hamt;
mod opened;
mod store;
#[cfg(test)]
pub(super) mod tests;

use std::collections::BTreeMap;

pub use block::DirectoryBlock;
pub use difference::difference;
pub(super) use opened::Opened;
pub use store::{Node, NodeStore};

use super::data::{BASIC_DIRECTORY_NODE, NodeKind};
use super::{Link, MAX_BLOCK_BYTES, Profile};
use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// One change of an entry: `None` removes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change<'a> {
    pub(super) name: &'a str,
    pub(super) link: Option<Link>,
}

/// The directory without entries.
pub fn empty(profile: Profile) -> Node {
    Node {
        cid: profile.cid_of_node(BASIC_DIRECTORY_NODE),
        bytes: BASIC_DIRECTORY_NODE.to_vec(),
        tsize: BASIC_DIRECTORY_NODE.len() as u64,
        directory_size: None,
    }
}

/// Sets (`Some`) and removes (`None`) entries of a directory, `None` being one that does not exist yet, and returns
/// the new directory, or `None` when it has no entries. Removing what isn't there changes nothing.
///
/// Reads and writes only the blocks on the changed paths: of a directory in one block, that block; of a sharded one, its
/// root and a shard or two for each name. Only the switch from shards back to one block reads all of them.
pub fn edit(
    profile: Profile,
    store: &mut dyn NodeStore,
    directory: Option<&Link>,
    edits: &BTreeMap<String, Option<Link>>,
) -> Result<Option<Link>> {
    let opened = match directory {
        Some(link) => Opened::open(profile, store, link)?.ok_or_else(|| not_a_directory(link))?,
        None => Opened::new(profile),
    };
    let changes: Vec<_> = edits.iter().map(|(name, &link)| Change { name, link }).collect();
    opened.edit(store, &changes)
}

/// What a directory has under this name.
pub fn lookup(store: &mut dyn NodeStore, directory: &Link, name: &str) -> Result<Option<Link>> {
    let node = load(store, directory)?;
    match kind(&node, directory)? {
        NodeKind::Shard => hamt::find(store, &mut hamt::Cache::default(), &node, name),
        _ => Ok(basic::find(&node.bytes, &[name])?.pop().flatten()),
    }
}

/// Visits every entry: in the order of the names' bytes for a directory in one block, in the order of the names' hashes
/// for a sharded one.
pub fn list(
    store: &mut dyn NodeStore,
    directory: &Link,
    visit: &mut dyn FnMut(&str, Link) -> Result<()>,
) -> Result<()> {
    let node = load(store, directory)?;
    match kind(&node, directory)? {
        NodeKind::Shard => hamt::walk(store, &mut hamt::Cache::default(), &node, &mut |step| match step {
            hamt::Step::Entry(name, link) => visit(name, link),
            hamt::Step::Node(_) => Ok(()),
        }),
        _ => basic::list(&node.bytes, visit),
    }
}

/// Visits every block of the directory itself, its root first: one, or all its shards, but nothing below its entries.
pub fn nodes(store: &mut dyn NodeStore, directory: &Link, visit: &mut dyn FnMut(&Node) -> Result<()>) -> Result<()> {
    let node = load(store, directory)?;
    match kind(&node, directory)? {
        NodeKind::Shard => hamt::walk(store, &mut hamt::Cache::default(), &node, &mut |step| match step {
            hamt::Step::Entry(..) => Ok(()),
            hamt::Step::Node(node) => visit(node),
        }),
        _ => visit(&node),
    }
}

/// Makes a sharded directory of these entries, however few they are.
#[cfg(test)]
pub(super) fn shards_of<'a>(
    profile: Profile,
    entries: impl Iterator<Item = (&'a str, Link)>,
    put: &mut dyn FnMut(&Node) -> Result<()>,
) -> Result<Node> {
    hamt::build(profile, entries.map(|(name, link)| hamt::Entry::new(name, link)).collect::<Result<_>>()?, put)
}

fn load(store: &mut dyn NodeStore, directory: &Link) -> Result<Node> {
    let cid = directory.cid;
    let node = store.get(&cid)?.ok_or_else(|| missing(&cid))?;
    check_size(&node)?;
    Ok(node)
}

fn missing(cid: &cid::Cid) -> Error {
    Error::new(Kind::NotFound, format!("directory node {cid} is not here"))
}

fn check_size(node: &Node) -> Result<()> {
    if node.bytes.len() > MAX_BLOCK_BYTES {
        return Err(Error::new(Kind::Verification, format!("directory node {} is larger than 2 MiB", node.cid)));
    }
    Ok(())
}

fn kind(node: &Node, link: &Link) -> Result<NodeKind> {
    let kind = NodeKind::of(&node.bytes).map_err(|error| error.context(node.cid))?;
    if kind.is_directory() { Ok(kind) } else { Err(not_a_directory(link)) }
}

fn not_a_directory(link: &Link) -> Error {
    Error::new(Kind::Verification, format!("{} is not a directory", link.cid))
}

/// Refuses names that no file can have. 255 bytes are what file systems allow, and so what an exported tree can hold.
pub(super) fn check_name(name: &str) -> Result<()> {
    let why = match name {
        "" => "it is empty",
        "." | ".." => "it means another directory",
        _ if name.len() > 255 => "it is longer than 255 bytes",
        _ if name.bytes().any(|byte| byte == b'/' || byte == 0) => "it holds a slash or a zero byte",
        _ => return Ok(()),
    };
    Err(Error::new(Kind::Usage, format!("`{}` can't be the name of a file: {why}", printable_within(name, 80))))
}

/// The name of an entry from untrusted bytes.
fn entry_name(bytes: &[u8]) -> Result<&str> {
    let name = std::str::from_utf8(bytes)
        .map_err(|_| Error::new(Kind::Verification, "a directory has a name that is not UTF-8"))?;
    check_name(name)
        .map_err(|error| Error::new(Kind::Verification, error.to_string()).context("a directory's entry"))?;
    Ok(name)
}

fn broken(why: &str) -> Error {
    Error::new(Kind::Verification, format!("not a directory in canonical form: {why}"))
}
