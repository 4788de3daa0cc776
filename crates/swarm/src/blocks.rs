//! Where the blocks come from that this node gives out. Knows no network.

use std::io;

use cid::Cid;

/// The blocks that anybody may have. Both calls may block: they are made on the runtime's blocking pool.
///
/// Whatever must not be given out is not here: both calls answer for it as for a block that nobody ever made, and in the same time.
pub trait Blocks: Send + Sync + 'static {
    /// The block's length in bytes, or `None` when it isn't here. Blocks of more than 2 MiB are never given out.
    fn size(&self, cid: &Cid) -> io::Result<Option<usize>>;

    /// Appends the block to `out`, or answers `false` when it isn't here. What was appended before an error is cut off again.
    fn read(&self, cid: &Cid, out: &mut Vec<u8>) -> io::Result<bool>;
}

/// A node that gives nothing out.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBlocks;

impl Blocks for NoBlocks {
    fn size(&self, _: &Cid) -> io::Result<Option<usize>> {
        Ok(None)
    }

    fn read(&self, _: &Cid, _: &mut Vec<u8>) -> io::Result<bool> {
        Ok(false)
    }
}
