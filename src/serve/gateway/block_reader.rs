//! Reads one block piece by piece, and checks its hash before the last of its bytes are let out, unless the source knows them to be
//! right.
//!
//! Knows where blocks come from. Must not know what follows them.

use bytes::Bytes;
use cid::Cid;
use sha2::{Digest as _, Sha256};

use super::published_blocks::{PieceRead, PublishedBlocks};
use super::walk::is_inline;
use crate::error::{Error, Kind, Result};
use crate::unixfs::MAX_BLOCK_BYTES;

/// The multihash code of SHA-256.
const SHA2_256: u64 = 0x12;

/// Bytes of a block that is given out.
pub(super) fn size(source: &dyn PublishedBlocks, cid: &Cid) -> Result<Option<u64>> {
    if is_inline(cid) {
        return Ok(Some(cid.hash().digest().len() as u64));
    }
    match source.size(cid)? {
        Some(size) if size > MAX_BLOCK_BYTES as u64 => Err(too_large(cid)),
        size => Ok(size),
    }
}

/// A block that is given out, verified.
pub(super) fn block(source: &dyn PublishedBlocks, cid: &Cid) -> Result<Option<Bytes>> {
    if is_inline(cid) {
        return Ok(Some(Bytes::copy_from_slice(cid.hash().digest())));
    }
    match source.block(cid)? {
        Some(block) if block.len() > MAX_BLOCK_BYTES => Err(too_large(cid)),
        block => Ok(block),
    }
}

/// For a block that has to be there.
pub(super) fn missing(cid: &Cid) -> Error {
    Error::new(Kind::NotFound, format!("block {cid} is not given out"))
}

fn too_large(cid: &Cid) -> Error {
    Error::new(Kind::Verification, format!("block {cid} is larger than 2 MiB"))
}

fn changed(cid: &Cid) -> Error {
    Error::new(Kind::Verification, format!("block {cid}: its bytes are not what was published"))
}

/// A block on its way out.
#[derive(Debug)]
pub(super) struct BlockReader {
    cid: Cid,
    size: u64,
    offset: u64,
    check: Check,
}

/// Who sees to it that the bytes are right.
#[derive(Debug)]
enum Check {
    /// Nothing was read yet.
    Unread,
    /// We, by the hash so far.
    Hash(Sha256),
    /// The source, of all pieces so far.
    Source,
    /// The source, which gives the block as a whole.
    Whole,
}

impl BlockReader {
    /// A block of so many bytes.
    pub(super) fn new(cid: Cid, size: u64) -> Self {
        let check = if cid.hash().code() == SHA2_256 { Check::Unread } else { Check::Whole };
        Self { cid, size, offset: 0, check }
    }

    pub(super) fn cid(&self) -> Cid {
        self.cid
    }

    pub(super) fn remaining(&self) -> u64 {
        self.size - self.offset
    }

    /// Puts as much of the rest there as there is room for. If the last byte is among it, the block is known to be right.
    pub(super) fn fill(&mut self, source: &dyn PublishedBlocks, space: &mut [u8]) -> Result<usize> {
        let wanted = usize::try_from(self.remaining()).unwrap_or(usize::MAX).min(space.len());
        let space = &mut space[..wanted];
        if matches!(self.check, Check::Whole) {
            let block = block(source, &self.cid)?.ok_or_else(|| missing(&self.cid))?;
            return self.fill_from(&block, space);
        }
        let read = match wanted {
            0 => PieceRead { bytes: 0, is_verified: false },
            _ => source.read(&self.cid, self.offset, space)?.ok_or_else(|| missing(&self.cid))?,
        };
        if read.bytes != wanted {
            return Err(changed(&self.cid));
        }
        if matches!(self.check, Check::Unread) {
            self.check = if read.is_verified { Check::Source } else { Check::Hash(Sha256::new()) };
        }
        self.offset += wanted as u64;
        match &mut self.check {
            Check::Hash(hash) => {
                hash.update(&*space);
                if self.offset == self.size && hash.clone().finalize().as_slice() != self.cid.hash().digest() {
                    return Err(changed(&self.cid));
                }
            }
            // The file was written to meanwhile, and what was read of it before has left unhashed.
            Check::Source if !read.is_verified => return Err(changed(&self.cid)),
            Check::Source | Check::Unread | Check::Whole => {}
        }
        Ok(wanted)
    }

    /// The same from the whole block, which is verified.
    pub(super) fn fill_from(&mut self, block: &[u8], space: &mut [u8]) -> Result<usize> {
        if block.len() as u64 != self.size {
            return Err(changed(&self.cid));
        }
        let rest = &block[self.offset as usize..];
        let count = rest.len().min(space.len());
        space[..count].copy_from_slice(&rest[..count]);
        self.offset += count as u64;
        self.check = Check::Whole;
        Ok(count)
    }
}
