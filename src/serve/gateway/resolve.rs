//! Follows a path from a root to what is at its end, and remembers the blocks that say so.
//!
//! Knows UnixFS directories and files. Must not know HTTP.

use std::collections::VecDeque;

use bytes::Bytes;
use cid::Cid;

use super::block_reader::{block, missing, size};
use super::dag_cbor::{self, DAG_CBOR, Step};
use super::entity_bytes::{EntityBytes, Window};
use super::published_blocks::PublishedBlocks;
use super::refusal::Refusal;
use super::request::{CarOptions, ContentPath, Scope};
use super::walk::{MAX_WALK_DEPTH, Reach, Walk};
use crate::error::{Error, Kind, Result};
use crate::unixfs::directory::{self, Node, NodeStore};
use crate::unixfs::file::FileNode;
use crate::unixfs::{DAG_PB, Link, NodeKind, RAW};

/// What is at the end of a path.
#[derive(Debug)]
pub(super) struct Resolved {
    /// The root, what each name leads to, and so the end at last.
    pub(super) ends: Vec<Cid>,
    /// The blocks that have to be read to get there, without that at the end.
    pub(super) path: VecDeque<Cid>,
    /// From the end on.
    pub(super) walk: Walk,
}

/// Follows a path. Costs the blocks on it, and one at its end where the request depends on what that is.
pub(super) fn resolve(
    source: &dyn PublishedBlocks,
    path: &ContentPath,
    options: &CarOptions,
) -> Result<Resolved, Refusal> {
    if size(source, &path.root)?.is_none() {
        return Err(Refusal::not_given_out());
    }
    let mut reader = PathReader { source, read: VecDeque::new(), last: None };
    let mut ends = vec![path.root];
    let mut end = path.root;
    let mut names = &path.names[..];
    while !names.is_empty() {
        let (next, count) = match reader.step(&end, names)? {
            Step::Link(next, count) => (next, count),
            // The block itself says it.
            Step::Value => break,
            Step::Nothing => return Err(Refusal::no_such_path()),
        };
        names = &names[count..];
        end = next;
        ends.push(end);
        if reader.read.len() > MAX_WALK_DEPTH {
            return Err(Refusal::bad("the path leads through more than 512 blocks"));
        }
    }
    let size = size(source, &end)?.ok_or_else(Refusal::not_given_out)?;
    let walk = match options.scope {
        Scope::Block => Walk::new(end, 0, Reach::Block),
        Scope::All => Walk::new(end, 0, Reach::Everything),
        Scope::Entity => entity(source, end, size, options.bytes)?,
    };
    Ok(Resolved { ends, path: reader.read, walk })
}

/// The walk over one file or directory at the end of a path, whose first block has `size` bytes.
fn entity(source: &dyn PublishedBlocks, end: Cid, size: u64, bytes: Option<EntityBytes>) -> Result<Walk, Refusal> {
    if end.codec() == RAW {
        return part(end, size, bytes);
    }
    if end.codec() != DAG_PB {
        // Where it is no UnixFS, an entity is a block.
        return Ok(Walk::new(end, 0, Reach::Block));
    }
    let node = block(source, &end)?.ok_or_else(Refusal::not_given_out)?;
    match NodeKind::of(&node) {
        Ok(NodeKind::File | NodeKind::Raw) => part(end, FileNode::parse(&node)?.size, bytes),
        Ok(NodeKind::Shard) => Ok(Walk::new(end, 0, Reach::Shards)),
        Ok(NodeKind::Directory | NodeKind::Symlink) | Err(_) => Ok(Walk::new(end, 0, Reach::Block)),
    }
}

/// The walk over a file of so many bytes, or some of them.
fn part(end: Cid, size: u64, bytes: Option<EntityBytes>) -> Result<Walk, Refusal> {
    let reach = match bytes.map(|bytes| bytes.within(size)) {
        None => Reach::Bytes(0, u64::MAX),
        Some(Window::Part(first, last)) => Reach::Bytes(first, last),
        Some(Window::Empty) => Reach::Block,
        Some(Window::Outside) => {
            return Err(Refusal::bad(format!("`entity-bytes` is outside of the file, which has {size} bytes")));
        }
    };
    Ok(Walk::new(end, size, reach))
}

/// Reads directories, and remembers which blocks of them in which order.
struct PathReader<'a> {
    source: &'a dyn PublishedBlocks,
    read: VecDeque<Cid>,
    last: Option<(Cid, Bytes)>,
}

impl PathReader<'_> {
    fn block(&mut self, cid: &Cid) -> Result<Option<Bytes>> {
        if let Some((last, bytes)) = &self.last
            && last == cid
        {
            return Ok(Some(bytes.clone()));
        }
        let found = block(self.source, cid)?;
        self.last = found.clone().map(|bytes| (*cid, bytes));
        Ok(found)
    }

    /// Where these names, of which there are some, lead from a block, up to the next link.
    fn step(&mut self, from: &Cid, names: &[String]) -> Result<Step> {
        if !matches!(from.codec(), DAG_PB | DAG_CBOR) {
            return Ok(Step::Nothing);
        }
        let node = self.block(from)?.ok_or_else(|| missing(from))?;
        if from.codec() == DAG_CBOR {
            let step = dag_cbor::follow(&node, names)?;
            if step != Step::Value {
                self.read.push_back(*from);
            }
            return Ok(step);
        }
        if !NodeKind::of(&node).is_ok_and(NodeKind::is_directory) {
            return Ok(Step::Nothing);
        }
        // The size in a link to it is not known, and not needed to look a name up.
        let found = directory::lookup(self, &Link { cid: *from, tsize: 0 }, &names[0])?;
        Ok(found.map_or(Step::Nothing, |link| Step::Link(link.cid, 1)))
    }
}

impl NodeStore for PathReader<'_> {
    fn get(&mut self, cid: &Cid) -> Result<Option<Node>> {
        let Some(bytes) = self.block(cid)? else { return Ok(None) };
        self.read.push_back(*cid);
        Ok(Some(Node { cid: *cid, bytes: bytes.to_vec(), tsize: 0, directory_size: None }))
    }

    fn put(&mut self, node: &Node) -> Result<()> {
        Err(Error::new(Kind::Unexpected, format!("{} is only read here", node.cid)))
    }
}
