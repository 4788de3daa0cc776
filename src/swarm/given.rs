//! What this node gives out, as its owner says. Knows no network.

use cid::Cid;

use crate::error::Result;

/// The blocks that anybody may have. Both calls may wait for the disk: they are made where that keeps nobody waiting.
///
/// What must not be given out is answered like a block that nobody ever made, and found out with the same work.
pub trait GivenBlocks: Send + Sync + 'static {
    /// Length of a block in bytes; nothing if it is not given out.
    fn size(&self, cid: &Cid) -> Result<Option<u64>>;

    /// Appends a block to `out`; `false` if it is not given out. Whether its bytes are right is for the peer to see.
    fn read(&self, cid: &Cid, out: &mut Vec<u8>) -> Result<bool>;
}

/// Nothing, as of whoever only takes.
#[derive(Debug, Clone, Copy, Default)]
pub struct NothingGiven;

impl GivenBlocks for NothingGiven {
    fn size(&self, _: &Cid) -> Result<Option<u64>> {
        Ok(None)
    }

    fn read(&self, _: &Cid, _: &mut Vec<u8>) -> Result<bool> {
        Ok(false)
    }
}
