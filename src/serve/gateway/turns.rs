//! Whose turn it is to read blocks: a few read at once, peers take turns, and none of it happens on the server's own threads.
//!
//! Knows peers and buffers. Must not know what is read.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::super::buffers::{Buffer, Buffers};
use super::super::fair_queue::FairQueue;
use super::super::peer::Peer;
use super::published_blocks::PublishedBlocks;
use super::seen::{MAX_SEEN_BYTES, Seen};
use super::writing::Writing;
use crate::error::{Error, Kind, Result};

/// Threads that read blocks at once: enough to keep a disk busy. Each has memory of its own, and pages of the catalog.
const MAX_READING_THREADS: usize = 4;

/// What all answers with blocks share.
pub(super) struct Turns {
    source: Arc<dyn PublishedBlocks>,
    queue: Arc<FairQueue>,
    buffers: Arc<Buffers>,
    seen: Arc<Semaphore>,
}

/// Something that is being written, and what was made of it.
pub(super) type Written<W> = (W, Result<Buffer>);

impl Turns {
    /// Over these blocks, with buffers that large blobs use too.
    pub(super) fn new(source: Arc<dyn PublishedBlocks>, buffers: Arc<Buffers>) -> Self {
        // A connection waits for one turn at a time, so their number bounds who waits.
        let queue = FairQueue::new(MAX_READING_THREADS, usize::MAX);
        Self { source, queue, buffers, seen: Arc::new(Semaphore::new(MAX_SEEN_BYTES)) }
    }

    /// Blocks to remember, within the room that is shared.
    pub(super) fn seen(&self) -> Seen {
        Seen::new(Arc::clone(&self.seen))
    }

    /// What is asked of every request about providers; at once.
    pub(super) fn source(&self) -> &dyn PublishedBlocks {
        &*self.source
    }

    /// Asks the source when it is this peer's turn.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        peer: Peer,
        question: impl FnOnce(&dyn PublishedBlocks) -> T + Send + 'static,
    ) -> Result<T> {
        let turn = self.queue.wait(peer).await.ok_or_else(|| broken("nobody takes turns"))?;
        let source = Arc::clone(&self.source);
        let asking = move || {
            // Held until the answer is there, even if nobody waits for it any more.
            let _turn = turn;
            question(&*source)
        };
        tokio::task::spawn_blocking(asking).await.map_err(|error| broken("a read broke off").caused_by(error))
    }

    /// Makes the next bytes: at least one, unless nothing follows.
    pub(super) async fn write<W: Writing>(&self, peer: Peer, mut writing: W) -> Result<Written<W>> {
        loop {
            // Outside of the turn, which others need meanwhile.
            if let Some(coming) = writing.awaited().and_then(|cid| self.source.coming(&cid)) {
                coming.arrival.await;
            }
            let buffers = Arc::clone(&self.buffers);
            let (back, written) = self.ask(peer, move |source| fill(source, &buffers, writing)).await?;
            let nothing = written.as_ref().is_ok_and(|buffer| buffer.as_ref().is_empty());
            if !nothing || back.is_done() {
                return Ok((back, written));
            }
            writing = back;
        }
    }

    /// The buffers, for a question that begins to write.
    pub(super) fn buffers(&self) -> Arc<Buffers> {
        Arc::clone(&self.buffers)
    }
}

/// Makes the next bytes, perhaps none. Takes a buffer only now: who waits for a turn holds none.
pub(super) fn fill<W: Writing>(source: &dyn PublishedBlocks, buffers: &Arc<Buffers>, mut writing: W) -> Written<W> {
    let mut buffer = buffers.take();
    let wanted = writing.remaining().unwrap_or(u64::MAX);
    let filled = writing.fill(source, buffer.space(wanted)).map(|count| {
        buffer.fill(count);
        buffer
    });
    (writing, filled)
}

fn broken(why: &str) -> Error {
    Error::new(Kind::Unexpected, why)
}
