//! The blocks of one root that another one has not, and which of them a node lacks.
//!
//! The catalog says what is new: directories are compared block by block, what is equal is skipped, and everything that the
//! former root's directories on the way link is held by its pin. What is left the node is asked for. Work is proportional to
//! the change, and memory to the number of new files and directories, not to their bytes.

use std::collections::HashSet;
use std::sync::Arc;

use cid::Cid;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use rusqlite::Connection;

use crate::catalog::blobs::{self, Blob};
use crate::catalog::nodes::Nodes;
use crate::engine::Engine;
use crate::engine::blocks::{FileBlock, blob_of, damaged, short};
use crate::engine::job::Job;
use crate::error::{Error, Kind, Result};
use crate::node::{Intake, Node};
use crate::unixfs::directory::{DirectoryBlock, NodeStore};
use crate::unixfs::file::{self, Part};
use crate::unixfs::{Link, RAW};

/// Questions that a node is asked at the same time.
const MAX_CONCURRENT_QUESTIONS: usize = 16;
/// From this size on, in bytes, it is cheaper to ask for a block than to send it again.
const MIN_ASKED_BYTES: u64 = 32 << 10;
/// So many small blocks are asked for in vain before the rest of them is sent unasked.
const MAX_VAIN_QUESTIONS: usize = 64;

/// A block of a directory that the former root has not.
#[derive(Debug, Clone)]
pub(super) struct NewNode {
    pub(super) cid: Cid,
    /// The node lacks it.
    pub(super) missing: bool,
}

/// A file that the former root has not where this one has it.
#[derive(Debug, Clone)]
pub(super) struct NewFile {
    /// Row of the blob in the catalog.
    pub(super) blob: i64,
    /// Root block of the file's DAG.
    pub(super) cid: Cid,
    /// Bytes of the file's content, without blocks that only link.
    pub(super) size: u64,
    /// What the node lacks of it.
    pub(super) missing: Missing,
}

/// What a node lacks of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Missing {
    Nothing,
    All,
    /// The blocks with these numbers, root first in depth-first order; ascending.
    Some(Vec<u32>),
}

impl Missing {
    fn has(&self, number: usize) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => true,
            Self::Some(numbers) => u32::try_from(number).is_ok_and(|number| numbers.binary_search(&number).is_ok()),
        }
    }
}

/// How much is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asking {
    /// What it lacks is known but for what other roots of it may hold: only for what is cheaper to ask for than to send.
    Large,
    /// Nothing is known of what it has: as far as it is cheaper than sending again.
    Thrifty,
    /// For every block: what was handed over before is not to be sent again, or some of it is gone.
    Thorough,
}

/// Everything that one root has and another one has not.
#[derive(Debug, Clone, Default)]
pub(super) struct Difference {
    /// Blocks of directories, parents first.
    pub(super) nodes: Vec<NewNode>,
    pub(super) files: Vec<NewFile>,
    /// Blocks that the node lacks.
    pub(super) blocks: u64,
    /// Bytes of these blocks.
    pub(super) bytes: u64,
}

impl Difference {
    /// What `root` has and `former` has not, as the catalog knows both; the node has not been asked yet.
    pub(super) fn between(connection: &Connection, former: Option<&Link>, root: &Link) -> Result<Self> {
        let mut walk = Walk { connection, seen: HashSet::new(), held: HashSet::new(), found: Self::default() };
        // Pairs first, so that what is held is known before what is new is looked at.
        let (mut pairs, mut alone) = (Vec::new(), Vec::new());
        match former {
            Some(former) => pairs.push((*former, *root)),
            None => alone.push(*root),
        }
        while let Some((before, now)) = pairs.pop() {
            walk.compare(&before, &now, &mut pairs, &mut alone)?;
        }
        while let Some(link) = alone.pop() {
            walk.add(&link, &mut alone)?;
        }
        Ok(walk.found)
    }

    /// Asks the node for what is new, and counts what it lacks.
    pub(super) async fn ask(
        mut self,
        engine: &Arc<Engine>,
        node: &dyn Node,
        asking: Asking,
        job: &Job,
    ) -> Result<Self> {
        if node.shares_blobs() || matches!(node.intake(), Intake::Fetches) {
            self = engine.blocking(|engine| self.take_for_granted(engine)).await?;
        } else {
            self.ask_for_nodes(node, asking, job).await?;
            self.ask_for_files(engine, node, asking, job).await?;
        }
        engine
            .blocking(move |engine| {
                let (mut blocks, mut bytes) = (0, 0);
                self.each_missing(engine, &mut |_, length| {
                    blocks += 1;
                    bytes += length;
                    Ok(())
                })?;
                (self.blocks, self.bytes) = (blocks, bytes);
                Ok(self)
            })
            .await
    }

    /// Lacks nothing but blobs that are not here.
    fn take_for_granted(mut self, engine: &Engine) -> Result<Self> {
        let reader = engine.catalog.read()?;
        self.nodes.iter_mut().for_each(|node| node.missing = false);
        for file in &mut self.files {
            if engine.is_here(&reader, &blobs::by_id(&reader, file.blob)?)? {
                file.missing = Missing::Nothing;
            }
        }
        drop(reader);
        Ok(self)
    }

    async fn ask_for_nodes(&mut self, node: &dyn Node, asking: Asking, job: &Job) -> Result<()> {
        if asking == Asking::Large {
            return Ok(());
        }
        let (mut asked, mut found) = (0, 0);
        for some in self.nodes.chunks_mut(MAX_VAIN_QUESTIONS) {
            if asking == Asking::Thrifty && asked >= MAX_VAIN_QUESTIONS && found == 0 {
                break;
            }
            let cids: Vec<Cid> = some.iter().map(|node| node.cid).collect();
            let held = holds(node, &cids, job).await?;
            for (node, held) in some.iter_mut().zip(held) {
                node.missing = !held;
                found += usize::from(held);
            }
            asked += some.len();
        }
        Ok(())
    }

    async fn ask_for_files(&mut self, engine: &Arc<Engine>, node: &dyn Node, asking: Asking, job: &Job) -> Result<()> {
        let (mut asked, mut found) = (0, 0);
        for some in self.files.chunks_mut(MAX_VAIN_QUESTIONS) {
            let stop = match asking {
                Asking::Large => true,
                Asking::Thrifty => asked >= MAX_VAIN_QUESTIONS && found == 0,
                Asking::Thorough => false,
            };
            let worth: Vec<&mut NewFile> =
                some.iter_mut().filter(|file| !stop || file.size >= MIN_ASKED_BYTES).collect();
            let cids: Vec<Cid> = worth.iter().map(|file| file.cid).collect();
            let held = holds(node, &cids, job).await?;
            for (file, held) in worth.into_iter().zip(held) {
                if file.size < MIN_ASKED_BYTES {
                    asked += 1;
                    found += usize::from(held);
                }
                let is_one_block = file.size <= engine.profile.chunk_size();
                if is_one_block {
                    file.missing = if held { Missing::Nothing } else { Missing::All };
                    continue;
                }
                // The root comes last, so one that is there says that the rest was; a cut, or a collection of garbage, may
                // have left any part of it. Two layers may begin alike and part later, but never meet again.
                let parts = parts_of(engine, file.blob).await?;
                let first = parts.iter().find(|part| part.is_leaf).map(|part| part.cid);
                let first_held = match first {
                    Some(first) if !held && asking != Asking::Thorough => {
                        holds(node, &[first], job).await?.first().copied().unwrap_or(false)
                    }
                    _ => true,
                };
                if !first_held {
                    continue;
                }
                let cids: Vec<Cid> = parts.iter().map(|part| part.cid).collect();
                let held = holds(node, &cids, job).await?;
                let missing: Vec<u32> = (0..).zip(held).filter(|(_, held)| !held).map(|(number, _)| number).collect();
                file.missing = if missing.is_empty() {
                    Missing::Nothing
                } else if missing.len() == cids.len() {
                    Missing::All
                } else {
                    Missing::Some(missing)
                };
            }
        }
        Ok(())
    }

    /// Visits what the node lacks, with its length: files before the directories that link them.
    fn each_missing(&self, engine: &Engine, visit: &mut dyn FnMut(&Cid, u64) -> Result<()>) -> Result<()> {
        let reader = engine.catalog.read()?;
        let mut sent = HashSet::new();
        for new in self.files.iter().filter(|file| file.missing != Missing::Nothing) {
            let blob = blobs::by_id(&reader, new.blob)?;
            if !engine.is_here(&reader, &blob)? {
                return Err(absent(engine, &blob));
            }
            let leaves = blobs::leaves(&reader, &blob)?;
            for (number, part) in file::parts(engine.profile, blob.size, leaves)?.enumerate() {
                let (cid, length) = match &part {
                    Part::Node(node) => (node.cid, node.bytes.len() as u64),
                    Part::Leaf { cid, length, .. } => (*cid, file::leaf_block_length(engine.profile, *length)),
                };
                if new.missing.has(number) && sent.insert(short(&cid)) {
                    visit(&cid, length)?;
                }
            }
        }
        let mut store = Nodes::of(&reader);
        for new in self.nodes.iter().rev().filter(|node| node.missing) {
            visit(&new.cid, load(&mut store, &new.cid)?.len() as u64)?;
        }
        Ok(())
    }

    /// Visits what the node lacks with its bytes, verified: children before what links them, so that a block that is there
    /// was preceded by what is below it. The catalog is looked at anew for each file, so that hours of sending don't keep its log
    /// from being written back.
    pub(super) fn read_missing(&self, engine: &Engine, visit: &mut dyn FnMut(&Cid, &[u8]) -> Result<()>) -> Result<()> {
        let mut sent = HashSet::new();
        for new in self.files.iter().filter(|file| file.missing != Missing::Nothing) {
            let reader = engine.catalog.read()?;
            let blob = blobs::by_id(&reader, new.blob)?;
            let mut above: Vec<(Cid, Vec<u8>)> = Vec::new();
            let mut wanted = |number: usize, cid: &Cid| new.missing.has(number) && sent.insert(short(cid));
            engine.file_blocks(&reader, &blob, &mut wanted, &mut |FileBlock { cid, bytes, is_leaf }| {
                if is_leaf {
                    visit(&cid, bytes)
                } else {
                    above.push((cid, bytes.to_vec()));
                    Ok(())
                }
            })?;
            while let Some((cid, bytes)) = above.pop() {
                visit(&cid, &bytes)?;
            }
        }
        for new in self.nodes.iter().rev().filter(|node| node.missing) {
            let bytes = load(&mut Nodes::of(&*engine.catalog.read()?), &new.cid)?;
            crate::unixfs::verify_block(&new.cid, &bytes)
                .map_err(|error| error.hint("`roadstead verify` says what else is wrong with the catalog."))?;
            visit(&new.cid, &bytes)?;
        }
        Ok(())
    }

    /// Everything of it was handed over.
    pub(super) fn set_held(&mut self) {
        for node in &mut self.nodes {
            node.missing = false;
        }
        for file in &mut self.files {
            file.missing = Missing::Nothing;
        }
        (self.blocks, self.bytes) = (0, 0);
    }

    /// Whether the node has all of it.
    pub(super) fn is_held(&self) -> bool {
        self.blocks == 0
    }
}

/// A block of a file, without its bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct PartOf {
    pub(super) cid: Cid,
    pub(super) is_leaf: bool,
}

/// The blocks of a file, root first in depth-first order.
pub(super) async fn parts_of(engine: &Arc<Engine>, blob: i64) -> Result<Vec<PartOf>> {
    engine
        .blocking(move |engine| {
            let reader = engine.catalog.read()?;
            let blob = blobs::by_id(&reader, blob)?;
            let leaves = blobs::leaves(&reader, &blob)?;
            let parts = file::parts(engine.profile, blob.size, leaves)?.map(|part| match part {
                Part::Node(node) => PartOf { cid: node.cid, is_leaf: false },
                Part::Leaf { cid, .. } => PartOf { cid, is_leaf: true },
            });
            Ok(parts.collect())
        })
        .await
}

/// Which of these blocks the node holds; none, as far as anybody knows, where it does not say.
pub(super) async fn holds(node: &dyn Node, cids: &[Cid], job: &Job) -> Result<Vec<bool>> {
    let Some(blocks) = node.blocks() else { return Ok(vec![false; cids.len()]) };
    // In a list, since a stream that holds a closure over references can't be sent.
    let each: Vec<_> = cids.iter().map(|cid| blocks.holds(cid)).collect();
    job.or_cancelled(stream::iter(each).buffered(MAX_CONCURRENT_QUESTIONS).try_collect()).await
}

fn absent(engine: &Engine, blob: &Blob) -> Error {
    match engine.store.size(&blob.digest) {
        Ok(Some(_)) => damaged(&blob.digest),
        _ => Error::new(Kind::NotFound, format!("{} is not in the blob store, and the node lacks it too", blob.digest))
            .hint("`roadstead verify --repair` fetches what is missing again."),
    }
}

fn load(store: &mut Nodes<'_>, cid: &Cid) -> Result<Vec<u8>> {
    let node = store.get(cid)?.ok_or_else(|| {
        Error::new(Kind::NotFound, format!("directory node {cid} is no longer in the catalog"))
            .hint("The catalog no longer keeps that root in full; publish another one.")
    })?;
    Ok(node.bytes)
}

struct Walk<'c> {
    connection: &'c Connection,
    /// What was looked at as new.
    seen: HashSet<u128>,
    /// What the former root's directories link: its pin holds all of that.
    held: HashSet<u128>,
    found: Difference,
}

impl Walk<'_> {
    fn block(&self, link: &Link) -> Result<Option<DirectoryBlock>> {
        if link.cid.codec() == RAW {
            return Ok(None);
        }
        DirectoryBlock::load(&mut Nodes::of(self.connection), link)
    }

    /// Looks at two things under one name.
    fn compare(
        &mut self,
        before: &Link,
        now: &Link,
        pairs: &mut Vec<(Link, Link)>,
        alone: &mut Vec<Link>,
    ) -> Result<()> {
        if before.cid == now.cid || self.seen.contains(&short(&now.cid)) {
            return Ok(());
        }
        let (Some(old), Some(new)) = (self.block(before)?, self.block(now)?) else {
            alone.push(*now);
            return Ok(());
        };
        self.held.insert(short(&before.cid));
        self.held.extend(old.links.iter().map(|(_, link)| short(&link.cid)));
        self.seen.insert(short(&now.cid));
        self.found.nodes.push(NewNode { cid: now.cid, missing: true });
        // Both are sorted alike.
        let mut old = old.links.iter().peekable();
        for (name, link) in &new.links {
            while old.next_if(|(other, _)| other < name).is_some() {}
            match old.next_if(|(other, _)| other == name) {
                Some((_, was)) => pairs.push((*was, *link)),
                None => alone.push(*link),
            }
        }
        Ok(())
    }

    /// Looks at something that is new where it is.
    fn add(&mut self, link: &Link, alone: &mut Vec<Link>) -> Result<()> {
        let key = short(&link.cid);
        if self.held.contains(&key) || !self.seen.insert(key) {
            return Ok(());
        }
        match self.block(link)? {
            Some(directory) => {
                self.found.nodes.push(NewNode { cid: link.cid, missing: true });
                alone.extend(directory.links.iter().map(|(_, link)| *link));
            }
            None => {
                let blob = blob_of(self.connection, link)?;
                let (blob, size) = (blob.id, blob.size);
                self.found.files.push(NewFile { blob, cid: link.cid, size, missing: Missing::All });
            }
        }
        Ok(())
    }
}
