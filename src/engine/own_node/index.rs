//! Which blocks some roots consist of, and where their bytes are.
//!
//! Directory nodes and roots of files are found in the catalog by their CID, so that of them only a digest is kept: 16 bytes each.
//! Leaves and inner nodes of files are found by a sorted table of 16 bytes each. What is not in here is not given out, whatever the
//! catalog and the store hold.

use std::collections::HashSet;

use cid::Cid;
use rusqlite::Connection;

use crate::catalog::blobs::{self, Blob};
use crate::catalog::nodes::Nodes;
use crate::engine::blocks::{blob_of, half};
use crate::error::{Error, Kind, Result};
use crate::unixfs::directory::DirectoryBlock;
use crate::unixfs::file::{self, Part};
use crate::unixfs::{Link, Profile, RAW};

/// Set in the number of a block of a file that links others.
const INNER: u32 = 1 << 31;
/// So many entries whose digests begin alike are kept and looked at: a leaf of zeros may be a million times in one file.
const MAX_EQUAL_ENTRIES: usize = 8;
/// The multihash code of SHA-256.
const SHA2_256: u64 = 0x12;

/// The SHA-256 digest that a CID names; none if it names another hash.
pub(super) fn digest(cid: &Cid) -> Option<&[u8; 32]> {
    if cid.hash().code() == SHA2_256 { cid.hash().digest().try_into().ok() } else { None }
}

fn prefix(digest: &[u8; 32]) -> u64 {
    (half(digest) >> 64) as u64
}

/// A block of a file that is not its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// First bytes of its digest.
    prefix: u64,
    /// Place of the file in `files`.
    file: u32,
    /// Which leaf of the file; with [`INNER`], which block of it in depth-first order.
    number: u32,
}

/// A block that is given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A directory node, or the root of a file.
    ByCid,
    /// A leaf of the file in this row of `blobs`, by its number.
    Leaf(i64, u32),
    /// A block of that file that links others, by its number in depth-first order.
    Inner(i64, u32),
}

/// The blocks of some roots.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Digests of directory nodes and of roots of files, sorted.
    listed: Vec<u128>,
    /// Sorted.
    entries: Vec<Entry>,
    /// Rows of the files that `entries` name.
    files: Vec<i64>,
}

impl Index {
    /// The blocks of these roots.
    pub(super) fn of(connection: &Connection, profile: Profile, roots: &[Cid]) -> Result<Self> {
        let mut walk = Walk { connection, profile, seen: HashSet::new(), index: Self::default() };
        for root in roots {
            match walk.root(root) {
                // One that is not whole any more keeps nobody from the others.
                Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Verification) => {
                    tracing::warn!(%root, %error, "not all of a published root is here");
                }
                walked => walked?,
            }
        }
        let mut index = walk.index;
        index.listed = walk.seen.into_iter().collect();
        index.listed.sort_unstable();
        index.entries.sort_unstable();
        let mut equal = (0, 0);
        index.entries.retain(|entry| {
            equal = if entry.prefix == equal.0 { (equal.0, equal.1 + 1) } else { (entry.prefix, 1) };
            equal.1 <= MAX_EQUAL_ENTRIES
        });
        index.entries.shrink_to_fit();
        Ok(index)
    }

    /// Where a block may be. The first whose digest is the one that is asked for has it: entries tell the first bytes of digests only.
    pub(super) fn find(&self, digest: &[u8; 32]) -> impl Iterator<Item = Found> {
        let listed = self.listed.binary_search(&half(digest)).is_ok();
        let prefix = prefix(digest);
        let from = self.entries.partition_point(|entry| entry.prefix < prefix);
        let equal = self.entries[from..].iter().take_while(move |entry| entry.prefix == prefix);
        listed.then_some(Found::ByCid).into_iter().chain(equal.filter_map(|entry| {
            let row = *self.files.get(entry.file as usize)?;
            Some(if entry.number & INNER == 0 {
                Found::Leaf(row, entry.number)
            } else {
                Found::Inner(row, entry.number & !INNER)
            })
        }))
    }

    /// Bytes of memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.listed.capacity() * size_of::<u128>()
            + self.entries.capacity() * size_of::<Entry>()
            + self.files.capacity() * size_of::<i64>()
    }
}

struct Walk<'c> {
    connection: &'c Connection,
    profile: Profile,
    seen: HashSet<u128>,
    index: Index,
}

impl Walk<'_> {
    fn root(&mut self, root: &Cid) -> Result<()> {
        let mut left = vec![Link { cid: *root, tsize: 0 }];
        while let Some(link) = left.pop() {
            let digest = digest(&link.cid).ok_or_else(|| {
                Error::new(Kind::Unexpected, format!("the tree links {}, which is no SHA-256 block", link.cid))
            })?;
            if !self.seen.insert(half(digest)) {
                continue;
            }
            let directory = if link.cid.codec() == RAW {
                None
            } else {
                DirectoryBlock::load(&mut Nodes::of(self.connection), &link)?
            };
            match directory {
                Some(directory) => left.extend(directory.links.iter().map(|(_, link)| *link)),
                None => self.file(&blob_of(self.connection, &link)?)?,
            }
        }
        Ok(())
    }

    fn file(&mut self, blob: &Blob) -> Result<()> {
        if self.profile.leaf_count(blob.size) <= 1 {
            return Ok(());
        }
        let too_many = || Error::new(Kind::Usage, format!("{} has more blocks than can be given out", blob.digest));
        let file = u32::try_from(self.index.files.len()).map_err(|_| too_many())?;
        self.index.files.push(blob.id);
        let leaves = blobs::leaves(self.connection, blob)?;
        if u32::try_from(leaves.len()).is_err() || leaves.len() as u64 * 2 >= u64::from(INNER) {
            return Err(too_many());
        }
        let has_inner = leaves.len() > self.profile.file_width();
        let entries = (0..).zip(&leaves).map(|(number, leaf)| Entry { prefix: prefix(leaf), file, number });
        self.index.entries.extend(entries);
        if has_inner {
            for (number, part) in (0..).zip(file::parts(self.profile, blob.size, leaves)?).skip(1) {
                if let Part::Node(node) = part
                    && let Some(digest) = digest(&node.cid)
                {
                    self.index.entries.push(Entry { prefix: prefix(digest), file, number: INNER | number });
                }
            }
        }
        Ok(())
    }
}
