//! Memory for bytes on their way from a file to a client, reused and bounded.
//!
//! Knows sizes. Must not know files or clients.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that one read brings while there are large buffers: what fills a processor's cache without overflowing it.
const LARGE: usize = 256 * 1024;
/// Large buffers at once (8 MiB). A client that stopped reading keeps one; the fast ones share the others.
const LARGE_AT_ONCE: usize = 32;
/// Large buffers kept for the next read.
const LARGE_KEPT: usize = 4;
/// Bytes of a read when all large buffers are out, for any number of clients.
const SMALL: usize = 8 * 1024;

/// Gives out buffers.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    free: Mutex<Vec<Box<[u8]>>>,
    large: AtomicUsize,
}

/// A buffer in use; goes back when it is dropped.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    filled: usize,
    home: Arc<Buffers>,
}

impl Buffers {
    /// A large buffer while there are any, else a small one. Its bytes are what somebody left there.
    pub(super) fn take(self: &Arc<Self>) -> Buffer {
        let kept = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let bytes = kept.unwrap_or_else(|| {
            let more = |count| (count < LARGE_AT_ONCE).then_some(count + 1);
            let large = self.large.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
            vec![0; if large { LARGE } else { SMALL }].into_boxed_slice()
        });
        Buffer { bytes, filled: 0, home: Arc::clone(self) }
    }
}

impl Buffer {
    /// The first `wanted` bytes of it, or all.
    pub(super) fn space(&mut self, wanted: u64) -> &mut [u8] {
        let length = usize::try_from(wanted).unwrap_or(usize::MAX).min(self.bytes.len());
        &mut self.bytes[..length]
    }

    /// Says how many bytes are meant from now on.
    pub(super) fn filled(mut self, count: usize) -> Self {
        self.filled = count.min(self.bytes.len());
        self
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.bytes.len() < LARGE {
            return;
        }
        let mut free = self.home.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < LARGE_KEPT {
            free.push(std::mem::take(&mut self.bytes));
        } else {
            self.home.large.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_buffers_stay_within_bounds_and_large_ones_come_back() {
        let buffers = Arc::new(Buffers::default());
        let mut out: Vec<Buffer> = (0..1000).map(|_| buffers.take()).collect();
        let total: usize = out.iter_mut().map(|buffer| buffer.space(u64::MAX).len()).sum();
        assert_eq!(total, LARGE_AT_ONCE * LARGE + (1000 - LARGE_AT_ONCE) * SMALL);
        out.clear();
        assert_eq!(buffers.take().space(u64::MAX).len(), LARGE);
        let mut out: Vec<Buffer> = (0..1000).map(|_| buffers.take()).collect();
        assert_eq!(out.iter_mut().filter(|buffer| buffer.bytes.len() == LARGE).count(), LARGE_AT_ONCE);
    }

    #[test]
    fn only_what_was_filled_is_seen() {
        let buffers = Arc::new(Buffers::default());
        let mut buffer = buffers.take();
        buffer.space(3).copy_from_slice(b"abc");
        assert_eq!(buffer.filled(2).as_ref(), b"ab");
    }
}
