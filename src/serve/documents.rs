//! Memory for documents on their way to clients: one copy of each, however many read it, and a bound on all of them.
//!
//! Knows sizes and digests. Must not know what a document says, nor who reads it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::image::Digest;

/// Bytes of the largest document that is small enough for the cache.
pub(super) const MAX_SMALL_DOCUMENT_BYTES: usize = 512 * 1024;
/// Bytes of all documents that are small enough for the cache: those it has, and those that clients still read.
const MAX_SMALL_BYTES: usize = 12 * 1024 * 1024;
/// Bytes of all larger documents. Apart from the small ones, so that a small one never waits for a large one.
const MAX_LARGE_BYTES: usize = 8 * 1024 * 1024;

/// The documents in memory.
#[derive(Debug)]
pub(super) struct Documents {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
    living: Mutex<HashMap<Digest, Weak<Document>>>,
}

/// Room for one document that is not in memory yet.
#[derive(Debug)]
pub(super) struct Room(OwnedSemaphorePermit);

/// The only copy of a document's bytes. Gone, and its room with it, as soon as neither the cache nor an answer has it.
#[derive(Debug)]
struct Document {
    bytes: Bytes,
    digest: Digest,
    documents: Arc<Documents>,
    _room: Room,
}

/// What makes [`Bytes`] of a document.
struct Shared(Arc<Document>);

impl Default for Documents {
    fn default() -> Self {
        Self {
            small: Arc::new(Semaphore::new(MAX_SMALL_BYTES)),
            large: Arc::new(Semaphore::new(MAX_LARGE_BYTES)),
            living: Mutex::default(),
        }
    }
}

impl Documents {
    /// Where a document of this size is counted, and as how much: one that is larger than everything takes everything.
    fn share(&self, size: usize) -> (&Arc<Semaphore>, u32) {
        let (semaphore, most) = if size <= MAX_SMALL_DOCUMENT_BYTES {
            (&self.small, MAX_SMALL_BYTES)
        } else {
            (&self.large, MAX_LARGE_BYTES)
        };
        (semaphore, size.min(most) as u32)
    }

    /// Room for so many bytes, if there is some now.
    pub(super) fn try_room(&self, size: usize) -> Option<Room> {
        let (semaphore, share) = self.share(size);
        Arc::clone(semaphore).try_acquire_many_owned(share).ok().map(Room)
    }

    /// Room for so many bytes, as soon as there is some; in the order of asking.
    pub(super) async fn room(&self, size: usize) -> Option<Room> {
        let (semaphore, share) = self.share(size);
        Arc::clone(semaphore).acquire_many_owned(share).await.ok().map(Room)
    }

    /// The one copy of these bytes, which have this digest: one that is in memory already, or this one if there is room for it,
    /// `room` or other. Fails with the size for which there is none.
    pub(super) fn keep(self: &Arc<Self>, bytes: Bytes, digest: Digest, room: Option<Room>) -> Result<Bytes, usize> {
        let living = self.living().get(&digest).and_then(Weak::upgrade);
        if let Some(document) = living {
            return Ok(Bytes::from_owner(Shared(document)));
        }
        let size = bytes.len();
        let room = room.filter(|room| room.is_for(self, size)).or_else(|| self.try_room(size)).ok_or(size)?;
        let document = Arc::new(Document { bytes, digest, documents: Arc::clone(self), _room: room });
        // Of two that came at once the last one is shared from now on; both are counted.
        self.living().insert(digest, Arc::downgrade(&document));
        Ok(Bytes::from_owner(Shared(document)))
    }

    fn living(&self) -> MutexGuard<'_, HashMap<Digest, Weak<Document>>> {
        self.living.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    fn is_for(&self, documents: &Documents, size: usize) -> bool {
        let (semaphore, share) = documents.share(size);
        Arc::ptr_eq(self.0.semaphore(), semaphore) && self.0.num_permits() >= share as usize
    }
}

impl Drop for Document {
    fn drop(&mut self) {
        let mut living = self.documents.living();
        if living.get(&self.digest).is_some_and(|document| document.strong_count() == 0) {
            living.remove(&self.digest);
        }
    }
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(size: usize, byte: u8) -> (Bytes, Digest) {
        let bytes = Bytes::from(vec![byte; size]);
        let digest = Digest::of(&bytes);
        (bytes, digest)
    }

    fn free(documents: &Documents) -> (usize, usize) {
        (documents.small.available_permits(), documents.large.available_permits())
    }

    #[test]
    fn one_copy_is_counted_once_and_goes_with_its_last_reader() {
        let documents = Arc::new(Documents::default());
        let (bytes, digest) = document(1000, 1);
        let readers: Vec<Bytes> =
            (0..10).map(|_| documents.keep(Bytes::copy_from_slice(&bytes), digest, None).unwrap()).collect();
        assert!(readers.iter().all(|reader| reader.as_ptr() == readers[0].as_ptr() && *reader == bytes));
        assert_eq!(free(&documents), (MAX_SMALL_BYTES - 1000, MAX_LARGE_BYTES));
        let part = readers[0].slice(990..);
        drop(readers);
        assert_eq!(free(&documents), (MAX_SMALL_BYTES - 1000, MAX_LARGE_BYTES));
        drop(part);
        assert_eq!(free(&documents), (MAX_SMALL_BYTES, MAX_LARGE_BYTES));
        assert!(documents.living().is_empty());
    }

    #[tokio::test]
    async fn without_room_nothing_is_kept_and_room_is_found_when_a_reader_has_gone() {
        let documents = Arc::new(Documents::default());
        let large = MAX_LARGE_BYTES / 2;
        let (one, two, three) = (document(large, 1), document(large, 2), document(large, 3));
        let first = documents.keep(one.0, one.1, None).unwrap();
        let second = documents.keep(two.0.clone(), two.1, None).unwrap();
        assert_eq!(documents.keep(three.0.clone(), three.1, None), Err(large));
        // What is there already needs none, and small documents have their own.
        drop(documents.keep(two.0, two.1, None).unwrap());
        let (small, digest) = document(MAX_SMALL_DOCUMENT_BYTES, 4);
        drop(documents.keep(small, digest, None).unwrap());
        let waiting = tokio::spawn({
            let documents = Arc::clone(&documents);
            async move { documents.room(large).await.unwrap() }
        });
        drop(first);
        let room = waiting.await.unwrap();
        assert!(documents.try_room(large).is_none());
        let third = documents.keep(three.0, three.1, Some(room)).unwrap();
        assert_eq!(free(&documents), (MAX_SMALL_BYTES, 0));
        drop((second, third));
        // One that is larger than everything has everything.
        let (huge, digest) = document(MAX_LARGE_BYTES + 1, 5);
        let huge = documents.keep(huge, digest, None).unwrap();
        assert_eq!(free(&documents), (MAX_SMALL_BYTES, 0));
        drop(huge);
        assert_eq!(free(&documents), (MAX_SMALL_BYTES, MAX_LARGE_BYTES));
    }
}
