//! Makes a CAR while it is sent: the blocks on the path, then those that are walked over, depth first (trustless gateway spec,
//! "CAR Responses").
//!
//! Knows sections, and which blocks come again. Must not know HTTP, threads or memory.

use std::collections::VecDeque;

use bytes::{Buf as _, Bytes};
use cid::Cid;

use super::block_reader::{BlockReader, block, missing, size};
use super::published_blocks::PublishedBlocks;
use super::seen::{Seen, Sight};
use super::walk::{Found, Next, Walk, is_inline};
use super::writing::Writing;
use crate::error::{Error, Kind, Result};
use crate::unixfs::car;

/// Steps of a walk before it is another's turn: each may read a block, and none need bring anything to send.
const MAX_STEPS_IN_TURN: usize = 256;

/// What is done about blocks that come again.
#[derive(Debug)]
pub(super) enum Repeats {
    /// They are sent again.
    Sent,
    /// They are left out as long as they can be remembered.
    Spared(Seen),
    /// They are left out; where one can't be remembered, the CAR ends unfinished.
    Excluded(Seen),
}

/// A CAR that is being made.
#[derive(Debug)]
pub(super) struct CarWriter {
    path: VecDeque<Cid>,
    walk: Walk,
    repeats: Repeats,
    /// The header, or what stands before a block.
    prefix: Bytes,
    section: Option<BlockReader>,
    is_done: bool,
    /// A block that the walk came by before it was here.
    held: Option<Found>,
    awaited: Option<Cid>,
}

impl CarWriter {
    /// With this root in its header, and the blocks on the path before those that are walked over.
    pub(super) fn new(root: Cid, path: VecDeque<Cid>, walk: Walk, repeats: Repeats) -> Self {
        let prefix = car::header(&[root]).into();
        Self { path, walk, repeats, prefix, section: None, is_done: false, held: None, awaited: None }
    }

    /// Puts what there is of the current section there.
    fn put(&mut self, source: &dyn PublishedBlocks, space: &mut [u8]) -> Result<usize> {
        let mut count = self.put_prefix(space);
        if let Some(section) = self.section.as_mut().filter(|section| section.remaining() > 0 && count < space.len()) {
            count += section.fill(source, &mut space[count..])?;
        }
        Ok(count)
    }

    fn put_prefix(&mut self, space: &mut [u8]) -> usize {
        let count = self.prefix.len().min(space.len());
        self.prefix.copy_to_slice(&mut space[..count]);
        count
    }

    /// Whether something of the current section is left, after what was put.
    fn is_within_section(&self) -> bool {
        !self.prefix.is_empty() || self.section.as_ref().is_some_and(|section| section.remaining() > 0)
    }

    fn begin(&mut self, cid: Cid, size: u64) {
        self.prefix = car::block_prefix(&cid, size).into();
        self.section = Some(BlockReader::new(cid, size));
    }

    /// Goes on to the next block, and puts what there is room for of one that was read for its links.
    fn step(&mut self, source: &dyn PublishedBlocks, space: &mut [u8]) -> Result<usize> {
        self.section = None;
        if let Some(found) = self.held.take() {
            return self.found_here(source, found, space);
        }
        if let Some(cid) = self.path.front().copied() {
            if self.waits_for(source, &cid) {
                return Ok(0);
            }
            self.path.pop_front();
            if !is_inline(&cid) && self.repeats.is_first(&cid)? {
                self.begin(cid, size(source, &cid)?.ok_or_else(|| missing(&cid))?);
            }
            return Ok(0);
        }
        match self.walk.next() {
            Next::End => self.is_done = true,
            Next::Links(cid) => {
                let node = block(source, &cid)?.ok_or_else(|| missing(&cid))?;
                self.walk.go_on(&node)?;
            }
            Next::Block(found) => return self.found_here(source, found, space),
        }
        Ok(0)
    }

    /// Whether this block is on its way, and nothing goes on without it.
    fn waits_for(&mut self, source: &dyn PublishedBlocks, cid: &Cid) -> bool {
        self.awaited = source.coming(cid).map(|_| *cid);
        self.awaited.is_some()
    }

    fn found_here(&mut self, source: &dyn PublishedBlocks, found: Found, space: &mut [u8]) -> Result<usize> {
        if self.waits_for(source, &found.cid) {
            self.held = Some(found);
            return Ok(0);
        }
        self.found(source, found, space)
    }

    fn found(&mut self, source: &dyn PublishedBlocks, found: Found, space: &mut [u8]) -> Result<usize> {
        let cid = found.cid;
        let is_sent = !is_inline(&cid) && self.repeats.is_first(&cid)?;
        if !self.walk.follows(&found) {
            if is_sent {
                self.begin(cid, size(source, &cid)?.ok_or_else(|| missing(&cid))?);
            }
            return Ok(0);
        }
        // Of a file, a part may have been walked over before, and another one is wanted now.
        if self.walk.is_whole(&found) && !self.repeats.is_first_below(&cid)? {
            return Ok(0);
        }
        let node = block(source, &cid)?.ok_or_else(|| missing(&cid))?;
        self.walk.descend(found, &node)?;
        if !is_sent {
            return Ok(0);
        }
        self.begin(cid, node.len() as u64);
        let count = self.put_prefix(space);
        match &mut self.section {
            Some(section) => Ok(count + section.fill_from(&node, &mut space[count..])?),
            None => Ok(count),
        }
    }
}

impl Repeats {
    /// Whether this block is to be sent.
    fn is_first(&mut self, cid: &Cid) -> Result<bool> {
        self.decide(|seen| seen.see(cid))
    }

    /// Whether what is below this block is to be sent.
    fn is_first_below(&mut self, cid: &Cid) -> Result<bool> {
        self.decide(|seen| seen.see_below(cid))
    }

    fn decide(&mut self, look: impl FnOnce(&mut Seen) -> Sight) -> Result<bool> {
        match self {
            Self::Sent => Ok(true),
            Self::Spared(seen) => Ok(look(seen) != Sight::Again),
            Self::Excluded(seen) => match look(seen) {
                Sight::First => Ok(true),
                Sight::Again => Ok(false),
                Sight::Forgotten => {
                    Err(Error::new(Kind::Unexpected, "a CAR without duplicates has more blocks than can be remembered")
                        .hint("Its client can ask for `dups=y`, or for a part of the tree."))
                }
            },
        }
    }
}

impl Writing for CarWriter {
    fn fill(&mut self, source: &dyn PublishedBlocks, space: &mut [u8]) -> Result<usize> {
        self.awaited = None;
        let mut count = self.put(source, space)?;
        for _ in 0..MAX_STEPS_IN_TURN {
            if self.is_done || self.awaited.is_some() || self.is_within_section() || count == space.len() {
                break;
            }
            count += self.step(source, &mut space[count..])?;
            count += self.put(source, &mut space[count..])?;
        }
        Ok(count)
    }

    fn is_done(&self) -> bool {
        self.is_done
    }

    fn remaining(&self) -> Option<u64> {
        None
    }

    fn awaited(&self) -> Option<Cid> {
        self.awaited
    }
}
