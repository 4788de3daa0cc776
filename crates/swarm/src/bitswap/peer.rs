//! What all connections share, and what the connections of one peer share. Knows the limits; no stream and no message.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answer::MAX_ANSWER_BYTES;
use super::upload_rate::UploadRate;
use crate::blocks::Blocks;
use crate::limits::Limits;

/// Memory is counted in these, so that a semaphore's count of 32 bits is enough.
const UNIT_BYTES: usize = 1 << 10;

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX)
}

fn semaphore(bytes: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new((bytes / UNIT_BYTES).min(Semaphore::MAX_PERMITS)))
}

/// The store, the limits, and what is left of them for all peers.
pub(crate) struct Shared {
    pub(crate) blocks: Arc<dyn Blocks>,
    pub(crate) limits: Limits,
    pub(crate) rate: UploadRate,
    memory: Arc<Semaphore>,
}

impl Shared {
    pub(crate) fn new(blocks: Arc<dyn Blocks>, limits: Limits) -> Arc<Self> {
        let rate = UploadRate::new(limits.upload_bytes_per_second, Instant::now());
        Arc::new(Self { blocks, limits, rate, memory: semaphore(limits.bytes) })
    }

    /// Whether so much memory is free that a message may be read before the one in front of it has left.
    pub(crate) fn is_roomy(&self) -> bool {
        self.memory.available_permits() * UNIT_BYTES > self.limits.bytes / 2
    }
}

/// One peer, however many connections it has.
pub(crate) struct Peer {
    memory: Arc<Semaphore>,
    /// Its wants that are not answered yet.
    wants: AtomicUsize,
    /// How many blocks we have asked it for: without any, what it sends is skipped.
    outstanding: AtomicUsize,
    served_bytes: AtomicU64,
}

impl Peer {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            memory: semaphore(limits.bytes_per_peer),
            wants: AtomicUsize::new(0),
            outstanding: AtomicUsize::new(0),
            served_bytes: AtomicU64::new(0),
        })
    }

    /// A connection has `now` wants in place of `before`.
    pub(crate) fn wants_changed(&self, before: usize, now: usize) {
        if now >= before {
            self.wants.fetch_add(now - before, Relaxed);
        } else {
            self.wants.fetch_sub(before - now, Relaxed);
        }
    }

    pub(crate) fn wants(&self) -> usize {
        self.wants.load(Relaxed)
    }

    pub(crate) fn set_outstanding(&self, count: usize) {
        self.outstanding.store(count, Relaxed);
    }

    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding.load(Relaxed)
    }

    pub(crate) fn add_served(&self, bytes: u64) {
        self.served_bytes.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn served_bytes(&self) -> u64 {
        self.served_bytes.load(Relaxed)
    }
}

/// Memory that a message has, until it is dropped.
pub(crate) struct Memory {
    peer: OwnedSemaphorePermit,
    all: OwnedSemaphorePermit,
}

impl Memory {
    /// Waits until a message of any size may be read for this peer. Peers wait in the order in which they came.
    pub(crate) async fn reserve(shared: &Shared, peer: &Peer) -> Option<Self> {
        let most = units(MAX_ANSWER_BYTES);
        let peer = Arc::clone(&peer.memory).acquire_many_owned(most).await.ok()?;
        let all = Arc::clone(&shared.memory).acquire_many_owned(most).await.ok()?;
        Some(Self { peer, all })
    }

    /// Gives back what a message of this size does not need.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        for permit in [&mut self.peer, &mut self.all] {
            let more = permit.num_permits().saturating_sub(units(bytes) as usize);
            drop(permit.split(more));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use crate::blocks::NoBlocks;

    #[test]
    fn memory_is_given_back() {
        let limits = Limits { bytes_per_peer: 2 * MAX_ANSWER_BYTES, bytes: 3 * MAX_ANSWER_BYTES, ..Limits::default() };
        let shared = Shared::new(Arc::new(NoBlocks), limits);
        let (one, other) = (Peer::new(&limits), Peer::new(&limits));
        let reserve = |peer: &Arc<Peer>| Memory::reserve(&shared, peer).now_or_never().flatten();
        let (mut first, second) = (reserve(&one).expect("space"), reserve(&one).expect("space"));
        assert!(reserve(&one).is_none(), "more than one peer may have");
        let third = reserve(&other).expect("space");
        assert!(reserve(&other).is_none(), "more than all may have");
        drop(second);
        assert!(reserve(&one).is_some());
        first.shrink(1);
        drop(third);
        assert!(shared.is_roomy());
        drop(first);
        assert_eq!(shared.memory.available_permits(), limits.bytes / UNIT_BYTES);
    }
}
