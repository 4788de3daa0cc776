//! Makes the body of an answer with one block (trustless gateway spec, "Block Responses").

use cid::Cid;

use super::block_reader::BlockReader;
use super::published_blocks::PublishedBlocks;
use super::writing::Writing;
use crate::error::Result;

/// A block that is being sent.
#[derive(Debug)]
pub(super) struct BlockWriter {
    reader: BlockReader,
    /// It may not be here yet.
    is_awaited: bool,
}

impl BlockWriter {
    /// One that is here.
    pub(super) fn new(reader: BlockReader) -> Self {
        Self { reader, is_awaited: false }
    }

    /// One that is on its way.
    pub(super) fn when_it_comes(reader: BlockReader) -> Self {
        Self { reader, is_awaited: true }
    }
}

impl Writing for BlockWriter {
    fn fill(&mut self, source: &dyn PublishedBlocks, space: &mut [u8]) -> Result<usize> {
        self.is_awaited = false;
        self.reader.fill(source, space)
    }

    fn is_done(&self) -> bool {
        self.reader.remaining() == 0
    }

    fn remaining(&self) -> Option<u64> {
        Some(self.reader.remaining())
    }

    fn awaited(&self) -> Option<Cid> {
        self.is_awaited.then(|| self.reader.cid())
    }
}
