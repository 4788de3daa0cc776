//! What makes the bytes of an answer, as much at a time as there is room for.

use cid::Cid;

use super::published_blocks::PublishedBlocks;
use crate::error::Result;

/// Bytes that are made while they are sent.
pub(super) trait Writing: Send + 'static {
    /// Puts the next bytes there and says how many they are. None does not mean that nothing follows: what takes long is done in
    /// several turns. May block.
    fn fill(&mut self, source: &dyn PublishedBlocks, space: &mut [u8]) -> Result<usize>;

    /// Whether nothing follows.
    fn is_done(&self) -> bool;

    /// How many bytes follow, where that is known.
    fn remaining(&self) -> Option<u64>;

    /// The block without which nothing follows, if it is on its way: there is no use in a turn before it is here.
    fn awaited(&self) -> Option<Cid> {
        None
    }
}
