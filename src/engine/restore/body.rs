//! A file of a UnixFS tree as a stream of its bytes, in constant memory: its blocks in one answer where the place gives one,
//! or asked for one by one, a few in flight.
//!
//! The tree may be hostile: depth, sizes that lie, and nodes that link much and hold nothing are refused. Blocks are
//! verified by where they come from; leaves of one answer also by whoever writes them, who hashes their bytes in any case.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use cid::Cid;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::AbortOnDropHandle;

use crate::engine::spreading::FileUnderWay;
use crate::error::{Error, Kind, Result};
use crate::node::source::{BlockSource, FileBlocks};
use crate::unixfs::file::FileNode;
use crate::unixfs::{DAG_PB, MAX_BLOCK_BYTES, RAW, SHA2_256};

/// How deep a file's tree may be: with the narrowest profile, four levels are 200 TiB.
const MAX_FILE_DEPTH: usize = 8;
/// How small the parts of a file may be on average, in bytes: a sixty-fourth of the smallest that a profile makes. A few blocks
/// of one byte that are linked again and again would be read a million times for a megabyte.
const MIN_AVERAGE_BLOCK_BYTES: u64 = 4 << 10;
/// Blocks that a file may have beyond that.
const EXTRA_BLOCKS: u64 = 64;
/// From how many bytes on one answer is worth its own question.
const MIN_WHOLE_FILE_BYTES: u64 = 4 << 20;
/// Most bytes of blocks that are asked for, over all files of a tree, beside one block of each.
const MAX_BYTES_AHEAD: usize = 12 << 20;
/// How often it is asked for the rest of one file in one answer, after one that was cut.
const MAX_CUT_ANSWERS: u32 = 100;

/// A block that must be there.
pub(super) async fn required(source: &dyn BlockSource, cid: &Cid) -> Result<Bytes> {
    source.block(cid).await?.ok_or_else(|| absent(source, cid))
}

/// The error for a block that is not there.
pub(super) fn absent(source: &dyn BlockSource, cid: &Cid) -> Error {
    Error::new(Kind::NotFound, format!("block {cid} is not at {}", source.place()))
        .hint("Name another source with `--from`, one that holds the whole root.")
}

/// A block of a file, read.
struct Opened {
    size: u64,
    content: Bytes,
    children: Vec<(Cid, u64)>,
}

fn open(cid: &Cid, block: Bytes) -> Result<Opened> {
    match cid.codec() {
        RAW => Ok(Opened { size: block.len() as u64, content: block, children: Vec::new() }),
        DAG_PB => {
            let node = FileNode::parse(&block).map_err(|error| error.context(cid))?;
            let children: Vec<(Cid, u64)> = node.children.iter().map(|(link, size)| (link.cid, *size)).collect();
            // A few blocks could link each other without end if they held nothing.
            if children.iter().any(|(_, size)| *size == 0) {
                return Err(Error::new(Kind::Verification, format!("{cid}: it links a part of a file without bytes")));
            }
            Ok(Opened { size: node.size, content: block.slice(node.content), children })
        }
        other => Err(Error::new(Kind::Verification, format!("{cid} is not a file: its codec is {other:#x}"))),
    }
}

/// The bytes of a file in one of its leaves.
pub(super) async fn leaf_content(source: &dyn BlockSource, cid: &Cid) -> Result<Bytes> {
    let leaf = open(cid, required(source, cid).await?)?;
    if leaf.children.is_empty() {
        return Ok(leaf.content);
    }
    Err(Error::new(Kind::Verification, format!("{cid} is no leaf of a file")))
}

/// What is still to come of one node.
struct Frame {
    cid: Cid,
    children: VecDeque<(Cid, u64)>,
    flights: VecDeque<Flight>,
}

struct Flight {
    cid: Cid,
    size: u64,
    block: AbortOnDropHandle<Result<Bytes>>,
    /// Given back when the block is read.
    _room: Option<OwnedSemaphorePermit>,
}

/// Room for blocks of one tree that are asked for before they are read.
#[derive(Debug, Clone)]
pub(super) struct Ahead(Arc<Semaphore>);

impl Default for Ahead {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_BYTES_AHEAD)))
    }
}

/// The answer that holds the blocks of a file.
enum Answer {
    /// Not asked for yet, or cut after some of it came.
    Wanted,
    Streaming {
        blocks: Box<FileBlocks>,
        /// The block that was begun, and how many bytes it has.
        begun: Option<(Cid, u64)>,
        /// Some of it was of use.
        taken: bool,
        /// Blocks on the way to the wanted ones that were read before.
        passed: usize,
    },
    /// The place gives none, or one that is of no use.
    None,
}

/// What an answer has of the block that is wanted next.
enum Answered {
    /// All of it, verified.
    Whole(Bytes),
    /// Its beginning: it comes in pieces.
    Begun,
}

/// A leaf that comes in pieces, and that whoever takes them verifies.
#[derive(Debug, Clone, Copy)]
struct LeafUnderWay {
    cid: Cid,
    /// Offset in the file.
    start: u64,
    size: u64,
    /// Bytes of it that are still to come.
    left: u64,
}

/// A file on its way.
pub(super) struct FileStream {
    source: Arc<dyn BlockSource>,
    root: Cid,
    answer: Answer,
    answers: u32,
    size: u64,
    position: u64,
    /// How many more blocks it may have.
    blocks_left: u64,
    /// Bytes before the wanted ones that are still to be passed over.
    skip: u64,
    ready: Option<Bytes>,
    frames: Vec<Frame>,
    /// How long the leaves are that whoever reads verifies; nothing where all are verified here.
    unverified_leaf_bytes: Option<u64>,
    leaf: Option<LeafUnderWay>,
    ahead: Ahead,
    /// Who is told of its blocks.
    share: Option<FileUnderWay>,
}

impl FileStream {
    /// Begins to read a file, from this offset on.
    pub(super) async fn open(source: Arc<dyn BlockSource>, cid: &Cid, from: u64) -> Result<Self> {
        Self::open_beside(source, cid, from, None, Ahead::default()).await
    }

    /// The same beside other files, which have that room together. Others are given what is written of it: whoever asks for the next
    /// bytes has written those before.
    pub(super) async fn open_beside(
        source: Arc<dyn BlockSource>,
        cid: &Cid,
        from: u64,
        share: Option<FileUnderWay>,
        ahead: Ahead,
    ) -> Result<Self> {
        let root = open(cid, required(source.as_ref(), cid).await?)?;
        let mut stream = Self {
            source,
            root: *cid,
            answer: Answer::Wanted,
            answers: 0,
            size: root.size,
            position: from,
            blocks_left: EXTRA_BLOCKS + root.size / MIN_AVERAGE_BLOCK_BYTES,
            skip: from,
            ready: None,
            frames: Vec::new(),
            unverified_leaf_bytes: None,
            leaf: None,
            ahead,
            share,
        };
        if from > stream.size {
            let words = format!("{cid} has {} bytes, but is requested from byte {from}", stream.size);
            return Err(Error::new(Kind::Verification, words));
        }
        if let Some(share) = stream.share.as_ref().filter(|_| root.children.is_empty()) {
            share.is_one_block(cid, root.size);
        }
        stream.enter(*cid, root)?;
        Ok(stream)
    }

    /// How many bytes the file has, as its root says.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    fn enter(&mut self, cid: Cid, mut node: Opened) -> Result<()> {
        if let Some(share) = &self.share {
            share.links((self.position - self.skip).saturating_add(node.content.len() as u64), &node.children);
        }
        let passed = self.skip.min(node.content.len() as u64);
        self.skip -= passed;
        let content = node.content.split_off(passed as usize);
        if !content.is_empty() {
            self.ready = Some(content);
        }
        let mut children: VecDeque<(Cid, u64)> = node.children.into();
        while let Some((_, size)) = children.front()
            && self.skip >= *size
        {
            self.skip -= size;
            children.pop_front();
        }
        if !children.is_empty() {
            if self.frames.len() == MAX_FILE_DEPTH {
                return Err(Error::new(
                    Kind::Verification,
                    format!("a file is more than {MAX_FILE_DEPTH} blocks deep"),
                ));
            }
            self.frames.push(Frame { cid, children, flights: VecDeque::new() });
        }
        Ok(())
    }

    /// The next bytes; nothing at the end. May be dropped while it waits and called again.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>> {
        self.accept_leaf();
        if let Some(share) = &self.share {
            share.reached(self.leaf.map_or(self.position, |leaf| leaf.start));
        }
        loop {
            if let Some(ready) = self.ready.take() {
                self.position += ready.len() as u64;
                return Ok(Some(ready));
            }
            if self.leaf.is_some_and(|leaf| leaf.left > 0) {
                self.ready = Some(self.rest_of_leaf().await?);
                continue;
            }
            let Some(frame) = self.frames.last_mut() else {
                if self.position == self.size {
                    return Ok(None);
                }
                let words = format!("a file of {} bytes ends after {}", self.size, self.position);
                return Err(Error::new(Kind::Verification, words));
            };
            if frame.flights.is_empty()
                && let Some(&(cid, size)) = frame.children.front()
                && let Some(answered) = self.answered(&cid, size).await
            {
                if let Some(frame) = self.frames.last_mut() {
                    frame.children.pop_front();
                }
                match answered {
                    Answered::Whole(block) => self.take(cid, size, &block)?,
                    Answered::Begun => {
                        self.count_block()?;
                        self.leaf = Some(LeafUnderWay { cid, start: self.position, size, left: size });
                    }
                }
                continue;
            }
            let Some(frame) = self.frames.last_mut() else { continue };
            // What is larger than a block has more below it: one path down at a time.
            let at_once = self.source.at_once().max(1);
            while let Some(&(cid, size)) = frame.children.front()
                && (frame.flights.is_empty() || (frame.flights.len() < at_once && size <= MAX_BLOCK_BYTES as u64))
            {
                let room = Arc::clone(&self.ahead.0).try_acquire_many_owned(size.min(MAX_BLOCK_BYTES as u64) as u32);
                if room.is_err() && !frame.flights.is_empty() {
                    break;
                }
                frame.children.pop_front();
                let source = Arc::clone(&self.source);
                let block = tokio::spawn(async move { required(source.as_ref(), &cid).await });
                frame.flights.push_back(Flight { cid, size, block: AbortOnDropHandle::new(block), _room: room.ok() });
            }
            let Some(flight) = frame.flights.front_mut() else {
                self.frames.pop();
                continue;
            };
            let block = (&mut flight.block).await.map_err(crate::engine::blocking::panicked)?;
            let (cid, size) = (flight.cid, flight.size);
            frame.flights.pop_front();
            self.take(cid, size, &block?)?;
        }
    }

    /// Whoever reads goes on after the end of a leaf, and so has found it to be right.
    fn accept_leaf(&mut self) {
        if self.unverified_leaf().is_some() {
            self.leaf = None;
            if let Answer::Streaming { taken, .. } = &mut self.answer {
                *taken = true;
            }
        }
    }

    /// The next bytes of a leaf that comes in pieces; where they are cut off, the rest of the whole block, asked for once more.
    async fn rest_of_leaf(&mut self) -> Result<Bytes> {
        let Some(leaf) = self.leaf.as_mut() else { return Ok(Bytes::new()) };
        if let Answer::Streaming { blocks, taken, .. } = &mut self.answer {
            match blocks.piece().await {
                Ok(Some(bytes)) => {
                    leaf.left = leaf.left.saturating_sub(bytes.len() as u64);
                    return Ok(bytes);
                }
                outcome => {
                    if let Err(error) = outcome {
                        tracing::info!("the blocks of {} from {}: {error}", self.root, self.source.place());
                    }
                    self.answer = if *taken { Answer::Wanted } else { Answer::None };
                }
            }
        }
        let block = required(self.source.as_ref(), &leaf.cid).await?;
        if block.len() as u64 != leaf.size {
            return Err(unlike_size(&leaf.cid, leaf.size, block.len() as u64));
        }
        let rest = block.slice((leaf.size - leaf.left) as usize..);
        leaf.left = 0;
        Ok(rest)
    }

    fn count_block(&mut self) -> Result<()> {
        let words = || Error::new(Kind::Verification, format!("{} is a file of too many small parts", self.root));
        self.blocks_left = self.blocks_left.checked_sub(1).ok_or_else(words)?;
        Ok(())
    }

    /// Takes the block of a part of the file that is said to have so many bytes.
    fn take(&mut self, cid: Cid, size: u64, block: &Bytes) -> Result<()> {
        let node = open(&cid, block.clone())?;
        if let Some(share) = self.share.as_ref().filter(|_| !node.children.is_empty()) {
            share.came(&cid, block);
        }
        if node.size != size {
            return Err(unlike_size(&cid, size, node.size));
        }
        self.count_block()?;
        self.enter(cid, node)
    }

    /// Whether the block of so many bytes that is wanted next is a leaf that whoever reads verifies.
    fn is_verified_by_reader(&self, cid: &Cid, size: u64) -> bool {
        self.unverified_leaf_bytes.is_some_and(|leaf| {
            let rest = self.size - self.position;
            self.skip == 0 && self.position.is_multiple_of(leaf) && size == leaf.min(rest) && is_sha256_leaf(cid)
        })
    }

    /// The block that is wanted next, if it comes in an answer that holds the file. May be dropped while it waits.
    async fn answered(&mut self, wanted: &Cid, size: u64) -> Option<Answered> {
        let in_pieces = self.is_verified_by_reader(wanted, size);
        loop {
            match &mut self.answer {
                Answer::None => return None,
                Answer::Wanted => {
                    let is_worth_it =
                        self.size - self.position > MIN_WHOLE_FILE_BYTES && self.answers < MAX_CUT_ANSWERS;
                    let blocks = if is_worth_it { self.source.file(&self.root, self.position).await } else { None };
                    self.answer = blocks.map_or(Answer::None, |blocks| Answer::Streaming {
                        blocks: Box::new(blocks),
                        begun: None,
                        taken: false,
                        passed: 0,
                    });
                    self.answers += 1;
                }
                Answer::Streaming { blocks, begun, taken, passed } => {
                    let next = match *begun {
                        None => blocks.next().await,
                        begun => Ok(begun),
                    };
                    let failure = match next {
                        Ok(Some((cid, length))) if cid == *wanted => {
                            *begun = Some((cid, length));
                            if in_pieces && length == size {
                                *begun = None;
                                return Some(Answered::Begun);
                            }
                            match blocks.block().await {
                                Ok(block) => {
                                    *begun = None;
                                    *taken = true;
                                    return Some(Answered::Whole(block));
                                }
                                Err(error) => Some(error),
                            }
                        }
                        // It begins at the root, wherever its bytes begin.
                        Ok(Some((cid, _)))
                            if *passed <= MAX_FILE_DEPTH
                                && (cid == self.root || self.frames.iter().any(|frame| frame.cid == cid)) =>
                        {
                            *passed += 1;
                            continue;
                        }
                        Ok(_) => None,
                        Err(error) => Some(error),
                    };
                    if let Some(error) = failure {
                        tracing::info!("the blocks of {} from {}: {error}", self.root, self.source.place());
                    }
                    // The rest may come in another answer, if this one was any good.
                    self.answer = if *taken { Answer::Wanted } else { Answer::None };
                }
            }
        }
    }

    /// The rest of a file that is small.
    pub(super) async fn whole(mut self, cap: u64) -> Result<Bytes> {
        if self.size > cap {
            let words = format!("a file of {} bytes exceeds the limit of {cap}", self.size);
            return Err(Error::new(Kind::Verification, words));
        }
        let mut all = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }
}

/// Leaves of which whoever reads hashes the bytes in any case: see [`BlobBody`](crate::registry::BlobBody).
impl FileStream {
    /// Leaves of so many bytes need not be verified.
    pub(super) fn leave_leaves_unverified(&mut self, size: u64) {
        self.unverified_leaf_bytes = Some(size);
    }

    /// The digest that the leaf should have which ends here, if nobody has verified it.
    pub(super) fn unverified_leaf(&self) -> Option<[u8; 32]> {
        let leaf = self.leaf.filter(|leaf| leaf.left == 0 && self.ready.is_none())?;
        leaf.cid.hash().digest().try_into().ok()
    }

    /// That leaf has another digest. Who sent it is told; it comes as a block that is verified, or in another answer.
    pub(super) fn refuse_leaf(&mut self) {
        let Some(leaf) = self.leaf.take() else { return };
        self.position = leaf.start;
        self.ready = None;
        self.blocks_left += 1;
        if let Some(frame) = self.frames.last_mut() {
            frame.children.push_front((leaf.cid, leaf.size));
        }
        if let Answer::Streaming { blocks, taken, .. } = &self.answer {
            blocks.lied(&leaf.cid);
            self.answer = if *taken { Answer::Wanted } else { Answer::None };
        }
    }
}

fn is_sha256_leaf(cid: &Cid) -> bool {
    cid.codec() == RAW && cid.hash().code() == SHA2_256 && cid.hash().size() == 32
}

fn unlike_size(cid: &Cid, expected: u64, found: u64) -> Error {
    Error::new(Kind::Verification, format!("{cid} should have {expected} bytes of a file, but has {found}"))
}

#[cfg(test)]
mod tests;
