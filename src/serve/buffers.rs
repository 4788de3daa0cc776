//! Memory for bytes on their way from a file to a client, reused and bounded.
//!
//! Knows sizes. Must not know files or clients.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Buffers of one size.
struct Class {
    /// Bytes of each buffer.
    size: usize,
    /// So many at once.
    at_once: usize,
    /// So many are kept for the next read.
    kept: usize,
}

/// The sizes, tried in this order: 6 MiB in all. A client that stopped reading keeps its buffer, and the fast ones share the others.
///
/// One write hands the kernel as much as its buffer between two sockets takes at a time; beyond 512 KiB nothing is gained.
const CLASSES: [Class; 2] =
    [Class { size: 512 * 1024, at_once: 8, kept: 2 }, Class { size: 64 * 1024, at_once: 32, kept: 8 }];
/// Bytes of a buffer when all of these are out, for any number of clients.
const SMALL: usize = 4 * 1024;

#[derive(Debug, Default)]
pub(super) struct Buffers([Stock; CLASSES.len()]);

#[derive(Debug, Default)]
struct Stock {
    free: Mutex<Vec<Box<[u8]>>>,
    /// How many there are, free or in use.
    made: AtomicUsize,
}

/// A buffer in use; goes back when it is dropped.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    filled: usize,
    home: Arc<Buffers>,
}

impl Stock {
    fn take(&self, class: &Class) -> Option<Box<[u8]>> {
        if let Some(bytes) = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Some(bytes);
        }
        let one_more = |made| (made < class.at_once).then_some(made + 1);
        self.made.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(vec![0; class.size].into_boxed_slice())
    }

    fn put(&self, class: &Class, bytes: Box<[u8]>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < class.kept {
            free.push(bytes);
        } else {
            self.made.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Buffers {
    /// The largest buffer there is. Its bytes are what somebody left there.
    pub(super) fn take(self: &Arc<Self>) -> Buffer {
        let bytes = CLASSES.iter().zip(&self.0).find_map(|(class, stock)| stock.take(class));
        let bytes = bytes.unwrap_or_else(|| vec![0; SMALL].into_boxed_slice());
        Buffer { bytes, filled: 0, home: Arc::clone(self) }
    }
}

impl Buffer {
    /// The next `wanted` bytes of it behind those that are filled, or all.
    pub(super) fn space(&mut self, wanted: u64) -> &mut [u8] {
        let space = &mut self.bytes[self.filled..];
        let length = usize::try_from(wanted).unwrap_or(usize::MAX).min(space.len());
        &mut space[..length]
    }

    /// Says that so many more bytes are meant.
    pub(super) fn fill(&mut self, count: usize) {
        self.filled = self.filled.saturating_add(count).min(self.bytes.len());
    }

    /// Whether nothing is meant yet.
    pub(super) fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Whether no space is left.
    pub(super) fn is_full(&self) -> bool {
        self.filled == self.bytes.len()
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let own = CLASSES.iter().zip(&self.home.0).find(|(class, _)| class.size == self.bytes.len());
        if let Some((class, stock)) = own {
            stock.put(class, std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_buffers_stay_within_bounds_and_large_ones_come_back() {
        let buffers = Arc::new(Buffers::default());
        for _ in 0..3 {
            let mut out: Vec<Buffer> = (0..1000).map(|_| buffers.take()).collect();
            let total: usize = out.iter_mut().map(|buffer| buffer.space(u64::MAX).len()).sum();
            assert_eq!(total, (6 << 20) + (1000 - 40) * SMALL);
            out.clear();
            let kept: usize = buffers.0.iter().map(|stock| stock.free.lock().unwrap().len()).sum();
            assert_eq!(kept, 10);
            assert_eq!(buffers.take().space(u64::MAX).len(), CLASSES[0].size);
        }
    }

    #[test]
    fn only_what_was_filled_is_seen() {
        let buffers = Arc::new(Buffers::default());
        let mut buffer = buffers.take();
        buffer.space(3).copy_from_slice(b"abc");
        buffer.fill(2);
        assert_eq!(buffer.as_ref(), b"ab");
        buffer.space(1)[0] = b'x';
        buffer.fill(1);
        assert_eq!(buffer.as_ref(), b"abx");
        buffer.fill(usize::MAX);
        assert!(buffer.is_full() && buffer.space(1).is_empty());
    }
}
