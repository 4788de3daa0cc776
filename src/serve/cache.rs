//! What was given out lately and is small, in memory, for one generation of the catalog.
//!
//! Bounded in bytes; the least recently used goes first. Must not know how anything is found.

use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;

use super::documents::MAX_SMALL_DOCUMENT_BYTES;
use super::endpoint::Asked;
use super::entity::Entity;
use crate::image::{Digest, Target};

const MAX_CACHE_BYTES: usize = 8 * 1024 * 1024;
/// Bytes that an entry takes beside its content, roughly: names, headers, links.
const ENTRY_OVERHEAD_BYTES: usize = 768;

/// What something is kept under: the request, as it was understood.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// A manifest of a repository.
    Manifest(Asked, Target),
    /// A blob of a repository.
    Blob(Asked, Digest),
    /// A file of the page.
    Page(String),
}

#[derive(Debug)]
pub(super) struct Cache(Mutex<Kept>);

#[derive(Debug)]
struct Kept {
    generation: Option<u64>,
    entries: LruCache<Key, Arc<Entity>>,
    weight: usize,
}

impl Default for Cache {
    fn default() -> Self {
        Self(Mutex::new(Kept { generation: None, entries: LruCache::unbounded(), weight: 0 }))
    }
}

impl Cache {
    /// What is kept under this key, if it was kept in this generation.
    pub(super) fn get(&self, generation: u64, key: &Key) -> Option<Arc<Entity>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.generation != Some(generation) {
            return None;
        }
        kept.entries.get(key).cloned()
    }

    /// Forgets everything of other generations.
    pub(super) fn renew(&self, generation: u64) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.generation != Some(generation) {
            kept.generation = Some(generation);
            kept.entries.clear();
            kept.weight = 0;
        }
    }

    /// Keeps what was looked up after `generation` was seen, unless that is over or the thing is too large.
    pub(super) fn put(&self, generation: u64, key: Key, entity: &Arc<Entity>) {
        let weight = entity.weight();
        if !entity.is_in_memory() || weight > MAX_SMALL_DOCUMENT_BYTES {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.generation != Some(generation) {
            return;
        }
        kept.weight += weight + ENTRY_OVERHEAD_BYTES;
        if let Some(old) = kept.entries.put(key, Arc::clone(entity)) {
            kept.weight -= old.weight() + ENTRY_OVERHEAD_BYTES;
        }
        while kept.weight > MAX_CACHE_BYTES && kept.forget_one() {}
    }

    /// Forgets what was not used for the longest time; false if there is nothing.
    pub(super) fn forget_one(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).forget_one()
    }
}

impl Kept {
    fn forget_one(&mut self) -> bool {
        let Some((_, oldest)) = self.entries.pop_lru() else { return false };
        self.weight -= oldest.weight() + ENTRY_OVERHEAD_BYTES;
        true
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn page(size: usize) -> Arc<Entity> {
        Arc::new(Entity::plain(Bytes::from(vec![7; size]), "text/plain").unwrap())
    }

    fn key(number: usize) -> Key {
        Key::Page(number.to_string())
    }

    #[test]
    fn stays_within_its_bounds_and_forgets_the_least_used() {
        let cache = Cache::default();
        cache.renew(1);
        for number in 0..100 {
            cache.put(1, key(number), &page(MAX_SMALL_DOCUMENT_BYTES - 1));
            assert!(cache.get(1, &key(0)).is_some());
        }
        assert!(cache.get(1, &key(50)).is_none());
        assert!(cache.get(1, &key(99)).is_some());
        let kept = cache.0.lock().unwrap();
        assert!(
            kept.weight <= MAX_CACHE_BYTES && kept.weight > MAX_CACHE_BYTES - 2 * MAX_SMALL_DOCUMENT_BYTES,
            "{}",
            kept.weight
        );
        let counted: usize = kept.entries.iter().map(|(_, entity)| entity.weight() + ENTRY_OVERHEAD_BYTES).sum();
        assert_eq!(kept.weight, counted);
    }

    #[test]
    fn replacing_counts_once_and_large_things_are_not_kept() {
        let cache = Cache::default();
        cache.renew(1);
        cache.put(1, key(0), &page(10));
        cache.put(1, key(0), &page(20));
        assert_eq!(cache.0.lock().unwrap().weight, 20 + ENTRY_OVERHEAD_BYTES);
        cache.put(1, key(1), &page(MAX_SMALL_DOCUMENT_BYTES + 1));
        assert!(cache.get(1, &key(1)).is_none());
    }

    #[test]
    fn a_generation_ends() {
        let cache = Cache::default();
        cache.renew(1);
        cache.put(1, key(0), &page(1));
        assert!(cache.get(2, &key(0)).is_none());
        cache.renew(2);
        assert!(cache.get(2, &key(0)).is_none());
        // Looked up before the change, arrived after it.
        cache.put(1, key(0), &page(1));
        assert!(cache.get(2, &key(0)).is_none());
        assert_eq!(cache.0.lock().unwrap().weight, 0);
    }
}
