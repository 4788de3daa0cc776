//! The blocks of one file as they come in one answer: a CAR in the order in which the file is read.
//!
//! A task reads and verifies ahead, a few blocks at most. What comes may be cut, be in another order, or be no CAR at all: who
//! reads compares each block with the one that is wanted, and asks for blocks one by one where they differ.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use cid::Cid;
use reqwest::Response;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::several::stalled;
use crate::error::{Error, Kind, Result};
use crate::unixfs::{car, verify_block};

/// Blocks that are read ahead, beside the one that waits to be handed over: enough to hide the time between two answers of a socket.
const MAX_BLOCKS_AHEAD: usize = 1;
/// So many bytes tell the length of a section, or are the whole of a shorter one.
const LENGTH_BYTES: usize = 10;

/// Verified blocks on their way.
pub struct FileBlocks {
    blocks: mpsc::Receiver<Result<(Cid, Bytes)>>,
    _reading: AbortOnDropHandle<()>,
}

impl std::fmt::Debug for FileBlocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileBlocks").finish_non_exhaustive()
    }
}

impl FileBlocks {
    /// Begins to read a body that is said to be a CAR.
    pub(super) fn of(response: Response) -> Self {
        let (sender, blocks) = mpsc::channel(MAX_BLOCKS_AHEAD);
        let reading = tokio::spawn(async move {
            let mut body = Body { response, rest: Bytes::new(), buffer: BytesMut::new(), begun: false };
            while let Some(block) = body.block().await.transpose() {
                let last = block.is_err();
                if sender.send(block).await.is_err() || last {
                    return;
                }
            }
        });
        Self { blocks, _reading: AbortOnDropHandle::new(reading) }
    }

    /// The same, which fails when nothing comes for so long; what fails is told, too.
    pub(super) fn watched(self, stall: Duration, failed: impl Fn(&Error) + Send + 'static) -> Self {
        let (sender, blocks) = mpsc::channel(1);
        let mut inner = self;
        let reading = tokio::spawn(async move {
            loop {
                let next = timeout(stall, inner.next()).await.unwrap_or_else(|_| Err(stalled(stall)));
                let Some(block) = next.transpose() else { return };
                let last = block.as_ref().err().map(&failed).is_some();
                if sender.send(block).await.is_err() || last {
                    return;
                }
            }
        });
        Self { blocks, _reading: AbortOnDropHandle::new(reading) }
    }

    /// The next block; nothing at the end. May be dropped while it waits and called again.
    pub async fn next(&mut self) -> Result<Option<(Cid, Bytes)>> {
        self.blocks.recv().await.transpose()
    }
}

struct Body {
    response: Response,
    /// What came and is not looked at yet.
    rest: Bytes,
    /// The beginning of a section.
    buffer: BytesMut,
    begun: bool,
}

impl Body {
    async fn block(&mut self) -> Result<Option<(Cid, Bytes)>> {
        if !self.begun {
            self.section(car::MAX_HEADER_BYTES).await?.ok_or_else(cut)?;
            self.begun = true;
        }
        let Some(section) = self.section(car::MAX_SECTION_BYTES).await? else { return Ok(None) };
        let place = car::section_at(0, &section)?;
        let (start, end) = (place.offset as usize, (place.offset + place.length) as usize);
        if end != section.len() {
            return Err(cut());
        }
        let bytes = section.slice(start..end);
        verify_block(&place.cid, &bytes)?;
        Ok(Some((place.cid, bytes)))
    }

    /// The next length and as many bytes, together; nothing at the end.
    async fn section(&mut self, limit: u64) -> Result<Option<Bytes>> {
        loop {
            let wanted = match car::whole_section(&self.buffer, limit)? {
                Some(whole) if self.buffer.len() >= whole => return Ok(Some(self.buffer.split_to(whole).freeze())),
                Some(whole) => whole - self.buffer.len(),
                None => LENGTH_BYTES,
            };
            if self.rest.is_empty() {
                let more = self.response.chunk().await.map_err(|error| {
                    Error::new(Kind::Network, "the answer was cut off").caused_by(error.without_url())
                })?;
                match more {
                    Some(more) => self.rest = more,
                    None if self.buffer.is_empty() => return Ok(None),
                    None => return Err(cut()),
                }
            }
            // Exactly what belongs to it: a buffer that doubles would keep up to twice as much for each block.
            self.buffer.reserve(wanted);
            let taken = self.rest.split_to(wanted.min(self.rest.len()));
            self.buffer.extend_from_slice(&taken);
        }
    }
}

fn cut() -> Error {
    Error::new(Kind::Verification, "a CAR ends in the middle of a block")
}
