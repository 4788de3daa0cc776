//! Makes the body of an answer with one block (trustless gateway spec, "Block Responses").

use super::block_reader::BlockReader;
use super::published_blocks::PublishedBlocks;
use super::writing::Writing;
use crate::error::Result;

/// A block that is being sent.
#[derive(Debug)]
pub(super) struct BlockWriter(pub(super) BlockReader);

impl Writing for BlockWriter {
    fn fill(&mut self, source: &dyn PublishedBlocks, space: &mut [u8]) -> Result<usize> {
        self.0.fill(source, space)
    }

    fn is_done(&self) -> bool {
        self.0.remaining() == 0
    }

    fn remaining(&self) -> Option<u64> {
        Some(self.0.remaining())
    }
}
