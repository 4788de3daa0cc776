//! Manifests of the last plans, so that a plan that is made again while its words are typed fetches each of them once.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use lru::LruCache;

use crate::engine::Engine;
use crate::engine::plan::PlannedManifest;
use crate::image::{Digest, Upstream};

/// How many manifests are kept for plans that are made again.
const MAX_KEPT_MANIFESTS: NonZeroUsize = NonZeroUsize::new(64).unwrap();
/// Larger ones are not.
const MAX_KEPT_MANIFEST_BYTES: usize = 256 << 10;

/// By where they are from, and their digest.
type Cache = LruCache<(Upstream, Digest), Arc<PlannedManifest>>;

/// Manifests of plans, so that a plan that is made again while its words are typed fetches them once.
#[derive(Debug, Default)]
pub(in crate::engine) struct KeptManifests {
    kept: OnceLock<Mutex<Cache>>,
}

impl KeptManifests {
    pub(in crate::engine) fn get(&self, upstream: Option<&Upstream>, digest: &Digest) -> Option<Arc<PlannedManifest>> {
        let mut kept = self.kept.get()?.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&(upstream?.clone(), *digest)).cloned()
    }

    pub(in crate::engine) fn has_any(&self, upstream: Option<&Upstream>) -> bool {
        let (Some(kept), Some(upstream)) = (self.kept.get(), upstream) else { return false };
        kept.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|((of, _), _)| of == upstream)
    }

    pub(in crate::engine) fn put(&self, upstream: Option<&Upstream>, manifest: &Arc<PlannedManifest>) {
        if let (Some(kept), Some(upstream)) = (self.kept.get(), upstream)
            && manifest.bytes.len() <= MAX_KEPT_MANIFEST_BYTES
        {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.put((upstream.clone(), manifest.digest), Arc::clone(manifest));
        }
    }
}

impl Engine {
    /// Keeps the manifests of the last plans from now on: a plan that is made again asks for each of them once.
    pub fn keep_manifests(&self) {
        let _ = self.kept_manifests.kept.set(Mutex::new(LruCache::new(MAX_KEPT_MANIFESTS)));
    }
}
