//! A walk over a DAG, depth first: which block comes next, and which links of it are followed.
//!
//! Knows links, and which of them belong to one file or directory. Must not know where blocks come from. What a walk remembers
//! is bounded whatever it walks over: of each block on the way down, a few links, and where in it the next ones are.

use cid::Cid;

use super::dag_cbor::{self, DAG_CBOR};
use crate::error::{Error, Kind, Result};
use crate::unixfs::file::FileNode;
use crate::unixfs::{DAG_PB, RAW, links_from};

/// The most blocks on the way down. Paths have 255 names at most, and a directory eight levels of shards.
pub(super) const MAX_WALK_DEPTH: usize = 512;
/// Blocks on the way down for which more links are remembered than below them.
const SHALLOW_LEVELS: usize = 16;
/// Bytes of links that are remembered of one block: some 75 of them, and some 18.
const SHALLOW_BATCH_BYTES: usize = 4 * 1024;
const DEEP_BATCH_BYTES: usize = 1024;
/// Bytes before each link in a batch: see [`Found`].
const PLACE_BYTES: usize = 16;
/// The name of a link from one shard to the next: its slot, in hexadecimal.
const SLOT_NAME_BYTES: usize = 2;
/// The multihash code of a "digest" that is the content itself.
const IDENTITY: u64 = 0x00;

/// Which links are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// None.
    Block,
    Everything,
    /// Those between the shards of one directory.
    Shards,
    /// Those to bytes of a file, from one to another, both inclusive.
    Bytes(u64, u64),
}

/// A block that was come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) cid: Cid,
    /// Of a part of a file: which byte of the file is its first, and how many it has. Else 0.
    start: u64,
    length: u64,
}

/// What a walk needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// This block is the next one. If its links are to be followed, [`Walk::descend`] has to be called before the next step.
    Block(Found),
    /// The links of this block that were not remembered, by [`Walk::go_on`].
    Links(Cid),
    End,
}

/// A block on the way down, with the links that are still to be followed.
#[derive(Debug)]
struct Level {
    node: Found,
    /// Links, each after its place in the file; one after the other.
    batch: Vec<u8>,
    position: usize,
    rest: Option<Rest>,
}

/// Where in a block the links are that follow those in the batch.
#[derive(Debug, Clone, Copy)]
struct Rest {
    /// Of dag-pb: byte of the block at which the next one begins.
    offset: usize,
    /// Of a file and of DAG-CBOR: number of the next one.
    index: usize,
    /// Of a file: which byte of it the next one begins with.
    start: u64,
}

#[derive(Debug)]
pub(super) struct Walk {
    reach: Reach,
    first: Option<Found>,
    levels: Vec<Level>,
}

fn broken(why: &str) -> Error {
    Error::new(Kind::Verification, format!("a published tree can't be walked: {why}"))
}

/// Whether the bytes are in the CID itself.
pub(super) fn is_inline(cid: &Cid) -> bool {
    cid.hash().code() == IDENTITY
}

impl Walk {
    /// Begins at this block, of which `size` bytes are those of the file, if it is one.
    pub(super) fn new(cid: Cid, size: u64, reach: Reach) -> Self {
        Self { reach, first: Some(Found { cid, start: 0, length: size }), levels: Vec::new() }
    }

    pub(super) fn next(&mut self) -> Next {
        if let Some(first) = self.first.take() {
            return Next::Block(first);
        }
        while let Some(level) = self.levels.last_mut() {
            if let Some(found) = level.take() {
                return Next::Block(found);
            }
            if level.rest.is_some() {
                return Next::Links(level.node.cid);
            }
            self.levels.pop();
        }
        Next::End
    }

    /// Whether links of this block are followed.
    pub(super) fn follows(&self, found: &Found) -> bool {
        match found.cid.codec() {
            DAG_PB => self.reach != Reach::Block,
            DAG_CBOR => self.reach == Reach::Everything,
            _ => false,
        }
    }

    /// Whether everything below this block is walked over, so that it need not be walked over once more.
    pub(super) fn is_whole(&self, found: &Found) -> bool {
        match self.reach {
            Reach::Bytes(first, last) => {
                found.start >= first && found.length > 0 && found.start.saturating_add(found.length - 1) <= last
            }
            _ => true,
        }
    }

    /// Follows the links of a block that was come by just now. Costs one pass over the block.
    pub(super) fn descend(&mut self, found: Found, block: &[u8]) -> Result<()> {
        if self.levels.len() >= MAX_WALK_DEPTH {
            return Err(broken("it is deeper than 512 blocks"));
        }
        let rest = Rest { offset: 0, index: 0, start: found.start };
        self.levels.push(Level { node: found, batch: Vec::new(), position: 0, rest: Some(rest) });
        self.go_on(block)
    }

    /// Remembers the next links of the lowest block, whose bytes these are.
    pub(super) fn go_on(&mut self, block: &[u8]) -> Result<()> {
        let limit = if self.levels.len() > SHALLOW_LEVELS { DEEP_BATCH_BYTES } else { SHALLOW_BATCH_BYTES };
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        let Some(rest) = level.rest.take() else { return Ok(()) };
        level.batch.clear();
        level.position = 0;
        level.rest = match self.reach {
            Reach::Block => None,
            Reach::Bytes(first, last) => level.parts(block, rest, (first, last), limit)?,
            Reach::Everything => level.links(block, rest, |_| true, limit)?,
            Reach::Shards => level.links(block, rest, |name| name.len() == SLOT_NAME_BYTES, limit)?,
        };
        level.batch.shrink_to_fit();
        Ok(())
    }

    /// Bytes that it remembers.
    #[cfg(test)]
    pub(super) fn weight(&self) -> usize {
        let batches: usize = self.levels.iter().map(|level| level.batch.capacity()).sum();
        batches + self.levels.capacity() * size_of::<Level>()
    }
}

impl Level {
    fn take(&mut self) -> Option<Found> {
        let (place, mut rest) = self.batch.get(self.position..)?.split_at_checked(PLACE_BYTES)?;
        let number = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).unwrap_or_default();
        let before = rest.len();
        let cid = Cid::read_bytes(&mut rest).ok()?;
        self.position += PLACE_BYTES + before - rest.len();
        Some(Found { cid, start: number(&place[..8]), length: number(&place[8..]) })
    }

    /// Remembers a link; false if there is no more room.
    fn push(&mut self, found: &Found, limit: usize) -> bool {
        // Bytes in the CID itself are in no block, and link nothing.
        if is_inline(&found.cid) && found.cid.codec() == RAW {
            return true;
        }
        if !self.batch.is_empty() && self.batch.len() + PLACE_BYTES + found.cid.encoded_len() > limit {
            return false;
        }
        self.batch.extend_from_slice(&found.start.to_le_bytes());
        self.batch.extend_from_slice(&found.length.to_le_bytes());
        self.batch.extend_from_slice(&found.cid.to_bytes());
        true
    }

    fn links(&mut self, block: &[u8], rest: Rest, is_wanted: fn(&[u8]) -> bool, limit: usize) -> Result<Option<Rest>> {
        if self.node.cid.codec() == DAG_CBOR {
            for (index, cid) in dag_cbor::links(block).enumerate().skip(rest.index) {
                if !self.push(&Found { cid: cid?, start: 0, length: 0 }, limit) {
                    return Ok(Some(Rest { index, ..rest }));
                }
            }
            return Ok(None);
        }
        for link in links_from(block, rest.offset) {
            let link = link?;
            if is_wanted(link.name) && !self.push(&Found { cid: link.cid, start: 0, length: 0 }, limit) {
                return Ok(Some(Rest { offset: link.start, ..rest }));
            }
        }
        Ok(None)
    }

    fn parts(&mut self, block: &[u8], rest: Rest, (first, last): (u64, u64), limit: usize) -> Result<Option<Rest>> {
        let node = FileNode::parse(block)?;
        if node.size != self.node.length {
            return Err(broken("a part of a file has another size than its parent says"));
        }
        // The node's own content comes before what it links.
        let own = if rest.index == 0 { node.content.len() as u64 } else { 0 };
        let mut start = rest.start.saturating_add(own);
        for (index, (link, length)) in node.children.iter().enumerate().skip(rest.index) {
            let end = start.saturating_add(*length);
            if start > last {
                break;
            }
            if end > first && !self.push(&Found { cid: link.cid, start, length: *length }, limit) {
                // Never at the first: there is room for one in any case.
                return Ok(Some(Rest { index, start, ..rest }));
            }
            start = end;
        }
        Ok(None)
    }
}
