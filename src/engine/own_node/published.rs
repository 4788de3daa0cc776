//! The blocks that may be given out: those of the roots that are pinned here, and of no others.

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use cid::Cid;
use lru::LruCache;
use rusqlite::Connection;
use rustix::buffer::spare_capacity;
use rustix::io::Errno;

use super::index::{Found, Index, digest};
use crate::catalog::blobs::{self, Blob};
use crate::catalog::nodes::Nodes;
use crate::catalog::own_node;
use crate::engine::Engine;
use crate::engine::query::pending::Stored;
use crate::engine::spreading::{Coming, Here, UnderWay};
use crate::error::{Error, Kind, Result};
use crate::unixfs::directory::NodeStore as _;
use crate::unixfs::file::{self, Part};
use crate::unixfs::{DAG_PB, Profile, verify_block};

/// Blocks whose place is remembered: as many as are read piece by piece at once, each an open file or a node of some kilobytes.
const MAX_RECENT_BLOCKS: NonZeroUsize = NonZeroUsize::new(64).expect("64 is more than nothing");

/// The blocks of the roots that are pinned here, and those that are here of the root that is being taken.
///
/// A block that is here and belongs to none of them is answered like one that is not here, and found out with the same work: the
/// catalog and the store are asked only for what the pinned roots consist of.
#[derive(Debug)]
pub struct PublishedBlocks {
    engine: Arc<Engine>,
    /// What is given out, and the roots that it was made of.
    current: RwLock<Arc<Current>>,
    /// The version of the catalog that was looked at last; held while the index is made anew.
    looked_at: Mutex<Option<u64>>,
    /// What is here of a root that is being taken is given out, too.
    gives_under_way: bool,
}

#[derive(Debug)]
struct Current {
    roots: Vec<Cid>,
    index: Index,
    recent: Mutex<LruCache<[u8; 32], Arc<Place>>>,
}

impl Current {
    fn new(roots: Vec<Cid>, index: Index) -> Self {
        Self { roots, index, recent: Mutex::new(LruCache::new(MAX_RECENT_BLOCKS)) }
    }
}

/// What was read of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PieceRead {
    /// How many bytes.
    pub bytes: usize,
    /// They are of a file that has not changed since it was verified; else whoever gives them out has to see to it.
    pub is_verified: bool,
}

/// Where the bytes of a block are.
#[derive(Debug)]
enum Place {
    /// In memory: a directory node, a node of a file, or a small file.
    Bytes(Bytes),
    /// A range of a blob's file, between the bytes of its frame.
    Range(Range),
}

#[derive(Debug)]
struct Range {
    file: Arc<File>,
    /// The file has not changed since it was verified.
    is_verified: bool,
    offset: u64,
    length: u64,
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Place {
    fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Range(range) => range.before.len() as u64 + range.length + range.after.len() as u64,
        }
    }

    /// Fills the buffer with bytes of the block from `offset` on, as far as there are any; how many that are.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Self::Bytes(bytes) => Ok(copy(bytes, offset, buffer)),
            Self::Range(range) => {
                let (before, end) = (range.before.len() as u64, range.before.len() as u64 + range.length);
                let mut done = copy(&range.before, offset, buffer);
                let at = offset + done as u64;
                if at >= before && at < end {
                    let count = (buffer.len() - done).min((end - at) as usize);
                    let read = range.file.read_exact_at(&mut buffer[done..done + count], range.offset + at - before);
                    read.map_err(|error| match error.kind() {
                        io::ErrorKind::UnexpectedEof => too_short(),
                        _ => Error::from(error),
                    })?;
                    done += count;
                }
                let at = offset + done as u64;
                if at >= end {
                    done += copy(&range.after, at - end, &mut buffer[done..]);
                }
                Ok(done)
            }
        }
    }

    /// Appends the whole block. What is read of a file goes to memory that was not written before: zeros would cost a tenth of all the
    /// time that giving it out takes.
    fn append(&self, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
            Self::Range(range) => {
                out.reserve(self.size() as usize);
                out.extend_from_slice(&range.before);
                let end = out.len() + range.length as usize;
                while out.len() < end {
                    let offset = range.offset + range.length - (end - out.len()) as u64;
                    match rustix::io::pread(&range.file, spare_capacity(out), offset) {
                        Ok(0) => return Err(too_short()),
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(error) => return Err(io::Error::from(error).into()),
                    }
                }
                // There may have been room for the beginning of the next leaf.
                out.truncate(end);
                out.extend_from_slice(&range.after);
            }
        }
        Ok(())
    }
}

fn too_short() -> Error {
    Error::new(Kind::Verification, "a blob's file is too short")
}

fn copy(bytes: &[u8], offset: u64, buffer: &mut [u8]) -> usize {
    let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
    let count = rest.len().min(buffer.len());
    buffer[..count].copy_from_slice(&rest[..count]);
    count
}

impl PublishedBlocks {
    /// Reads which blocks they are: once through the directories of all pinned roots.
    pub fn open(engine: Arc<Engine>) -> Result<Self> {
        let nothing = Arc::new(Current::new(Vec::new(), Index::default()));
        let blocks =
            Self { engine, current: RwLock::new(nothing), looked_at: Mutex::default(), gives_under_way: false };
        blocks.refresh()?;
        Ok(blocks)
    }

    /// The same, with what is here of a root that is being taken, until it is pinned itself.
    #[must_use]
    pub fn with_under_way(mut self) -> Self {
        self.gives_under_way = true;
        self
    }

    fn under_way(&self) -> Option<Arc<UnderWay>> {
        if self.gives_under_way { self.engine.spreading().under_way() } else { None }
    }

    /// Looks whether other roots are pinned than before, and if so reads which blocks they consist of. Whether that was so.
    pub fn refresh(&self) -> Result<bool> {
        let version = self.engine.version()?;
        let mut looked_at = self.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        if *looked_at == Some(version) {
            return Ok(false);
        }
        let reader = self.engine.catalog.read()?;
        let mut roots: Vec<Cid> = own_node::pins(&reader)?.into_iter().map(|(root, _)| root).collect();
        roots.sort_unstable();
        let changed = self.now().roots != roots;
        if changed {
            let index = Index::of(&reader, self.engine.profile, &roots)?;
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Current::new(roots, index));
            // What was taken is held by now.
            if self.gives_under_way {
                self.now().roots.iter().for_each(|root| self.engine.spreading().end(root));
            }
        }
        *looked_at = Some(version);
        Ok(changed)
    }

    /// The roots whose blocks are given out.
    pub fn roots(&self) -> Vec<Cid> {
        self.now().roots.clone()
    }

    /// Bytes of memory that the table takes in which blocks are found.
    pub fn index_bytes(&self) -> usize {
        self.now().index.bytes()
    }

    fn now(&self) -> Arc<Current> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Length of a block that is given out, without reading a leaf.
    pub fn size(&self, cid: &Cid) -> Result<Option<u64>> {
        Ok(self.place(cid)?.map(|place| place.size()))
    }

    /// Fills the buffer with bytes of a block that is given out, from `offset` on.
    pub fn read(&self, cid: &Cid, offset: u64, buffer: &mut [u8]) -> Result<Option<PieceRead>> {
        let Some(place) = self.place(cid)? else { return Ok(None) };
        let is_verified = matches!(&*place, Place::Range(range) if range.is_verified);
        Ok(Some(PieceRead { bytes: place.read(offset, buffer)?, is_verified }))
    }

    /// Appends a block that is given out to `out`; whether it is one. It is not verified.
    pub fn append(&self, cid: &Cid, out: &mut Vec<u8>) -> Result<bool> {
        let Some(place) = self.place(cid)? else { return Ok(false) };
        let begin = out.len();
        place.append(out).inspect_err(|_| out.truncate(begin))?;
        Ok(true)
    }

    /// A block that is given out. One that is damaged is not.
    pub fn block(&self, cid: &Cid) -> Result<Option<Bytes>> {
        match self.verified(cid) {
            Err(error) if error.kind() == Kind::Verification => {
                tracing::warn!(%cid, %error, "a published block is damaged");
                Ok(None)
            }
            answer => answer,
        }
    }

    /// A block that is given out, or an error if what is here is not what its CID says.
    pub(super) fn verified(&self, cid: &Cid) -> Result<Option<Bytes>> {
        let Some(place) = self.place(cid)? else { return Ok(None) };
        let bytes = match &*place {
            Place::Bytes(bytes) => bytes.clone(),
            Place::Range(_) => {
                let mut bytes = Vec::new();
                place.append(&mut bytes)?;
                bytes.into()
            }
        };
        verify_block(cid, &bytes)?;
        Ok(Some(bytes))
    }

    fn place(&self, cid: &Cid) -> Result<Option<Arc<Place>>> {
        let Some(digest) = digest(cid) else { return Ok(None) };
        let current = self.now();
        let mut candidates = current.index.find(digest).peekable();
        if candidates.peek().is_none() {
            return Ok(self.place_under_way(digest));
        }
        let recent = || current.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = recent().get(digest) {
            return Ok(Some(Arc::clone(place)));
        }
        let finder = Finder { engine: &self.engine, connection: &*self.engine.catalog.read()?, digest };
        for candidate in candidates {
            if let Some(place) = finder.look(candidate)? {
                let place = Arc::new(place);
                recent().put(*digest, Arc::clone(&place));
                return Ok(Some(place));
            }
        }
        Ok(self.place_under_way(digest))
    }

    /// A block of the root that is being taken.
    fn place_under_way(&self, digest: &[u8; 32]) -> Option<Arc<Place>> {
        let here = self.under_way()?.find(digest)?;
        Some(Arc::new(match here {
            Here::Bytes(bytes) => Place::Bytes(bytes),
            Here::Range { file, offset, length } => {
                let (before, after) = (Vec::new(), Vec::new());
                Place::Range(Range { file, is_verified: false, offset, length, before, after })
            }
        }))
    }

    /// A block of the root that is being taken which is about to come.
    pub fn coming(&self, cid: &Cid) -> Option<Coming> {
        self.under_way()?.coming(cid)
    }
}

/// Looks for the bytes of one block.
struct Finder<'f> {
    engine: &'f Engine,
    connection: &'f Connection,
    digest: &'f [u8; 32],
}

impl Finder<'_> {
    fn profile(&self) -> Profile {
        self.engine.profile
    }

    fn look(&self, found: Found) -> Result<Option<Place>> {
        match found {
            Found::ByCid => self.by_cid(),
            Found::Leaf(row, number) => {
                let blob = blobs::by_id(self.connection, row)?;
                let is_it = blobs::leaf(self.connection, &blob, number)?.as_ref() == Some(self.digest);
                if is_it { self.leaf(&blob, number) } else { Ok(None) }
            }
            Found::Inner(row, number) => self.inner(&blobs::by_id(self.connection, row)?, number),
        }
    }

    /// A directory node, or the root of a file. Whoever asks may know it under another version or codec.
    fn by_cid(&self) -> Result<Option<Place>> {
        let node = self.profile().node_cid(self.digest);
        if let Some(node) = Nodes::of(self.connection).get(&node)? {
            return Ok(Some(Place::Bytes(node.bytes.into())));
        }
        for cid in [self.profile().leaf_cid(self.digest), node] {
            let Some(blob) = blobs::by_cid(self.connection, &cid)? else { continue };
            if self.profile().leaf_count(blob.size) <= 1 {
                return self.leaf(&blob, 0);
            }
            if cid.codec() == DAG_PB {
                return self.inner(&blob, 0);
            }
        }
        Ok(None)
    }

    fn inner(&self, blob: &Blob, number: u32) -> Result<Option<Place>> {
        let leaves = blobs::leaves(self.connection, blob)?;
        let part = file::parts(self.profile(), blob.size, leaves)?.nth(number as usize);
        Ok(part.and_then(|part| match part {
            Part::Node(node) if node.cid.hash().digest() == self.digest => Some(Place::Bytes(node.bytes.into())),
            _ => None,
        }))
    }

    /// A leaf; nothing if its bytes are not here.
    fn leaf(&self, blob: &Blob, number: u32) -> Result<Option<Place>> {
        let chunk = self.profile().chunk_size();
        let offset = (u64::from(number) * chunk).min(blob.size);
        let length = chunk.min(blob.size - offset);
        let (before, after) = file::leaf_frame(self.profile(), length);
        if blob.inline {
            let bytes = blobs::bytes(self.connection, blob.id)?;
            let Some(content) = bytes.get(offset as usize..(offset + length) as usize) else { return Ok(None) };
            return Ok(Some(Place::Bytes([before.as_slice(), content, after.as_slice()].concat().into())));
        }
        let (file, is_verified) = match self.engine.find_stored(self.connection, blob) {
            Ok(Stored::Here(file)) => (file, true),
            // A leaf of a damaged file may be sound, and one of which nothing is known most likely is.
            _ => match self.engine.store.open_unproven(&blob.digest) {
                Ok(file) => (file, false),
                Err(error) if error.kind() == Kind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            },
        };
        Ok(Some(Place::Range(Range { file: Arc::new(file), is_verified, offset, length, before, after })))
    }
}
