//! How what the catalog holds stands to what was published, and what upstream has to choose from: what an interactive face
//! shows beside its lists.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use cid::Cid;
use lru::LruCache;

use super::Engine;
use super::plan::PlannedManifest;
use super::publish::plan::RepositoryChange;
use crate::catalog::{publications, state, targets};
use crate::error::{Kind, Result};
use crate::image::{Digest, Reference, Upstream};
use crate::registry::Wanted;

/// How many manifests are kept for plans that are made again.
const KEPT: NonZeroUsize = NonZeroUsize::new(64).unwrap();
/// Larger ones are not.
const LARGEST: usize = 256 << 10;

/// What a target gives out, and how the catalog differs from that.
#[derive(Debug, Clone)]
pub struct TargetStanding {
    /// The target.
    pub target: String,
    /// The root that was published there last; none: nothing was yet.
    pub root: Option<String>,
    /// It pins that root, as far as is known.
    pub pinned: bool,
    /// What the catalog has otherwise. None if that can't be said, since the root is not kept here any more.
    pub changes: Option<Arc<Vec<RepositoryChange>>>,
}

/// By where they are from, and their digest.
type Cache = LruCache<(Upstream, Digest), Arc<PlannedManifest>>;

/// Manifests of plans, so that a plan that is made again while its words are typed fetches them once.
#[derive(Debug, Default)]
pub(super) struct KeptManifests {
    kept: OnceLock<Mutex<Cache>>,
}

impl KeptManifests {
    pub(super) fn get(&self, upstream: Option<&Upstream>, digest: &Digest) -> Option<Arc<PlannedManifest>> {
        let mut kept = self.kept.get()?.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&(upstream?.clone(), *digest)).cloned()
    }

    pub(super) fn has_any(&self, upstream: Option<&Upstream>) -> bool {
        let (Some(kept), Some(upstream)) = (self.kept.get(), upstream) else { return false };
        kept.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|((of, _), _)| of == upstream)
    }

    pub(super) fn put(&self, upstream: Option<&Upstream>, manifest: &Arc<PlannedManifest>) {
        if let (Some(kept), Some(upstream)) = (self.kept.get(), upstream)
            && manifest.bytes.len() <= LARGEST
        {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.put((upstream.clone(), manifest.digest), Arc::clone(manifest));
        }
    }
}

impl Engine {
    /// Keeps the manifests of the last plans from now on: a plan that is made again asks for each of them once.
    pub fn keep_manifests(&self) {
        let _ = self.kept_manifests.kept.set(Mutex::new(LruCache::new(KEPT)));
    }

    /// How the catalog stands to what each target gives out. Empty without targets.
    pub fn standings(&self) -> Result<Vec<TargetStanding>> {
        let reader = self.catalog.read()?;
        let now = state::root(&reader)?.map(|link| link.cid);
        let mut known: HashMap<Cid, Option<Arc<Vec<RepositoryChange>>>> = HashMap::new();
        let mut standings = Vec::new();
        for target in targets::all(&reader)? {
            let newest = publications::newest_published(&reader, target.id)?;
            let (mut root, mut pinned, mut changes) = (None, false, None);
            if let (Some(newest), Some(now)) = (newest, now) {
                let cid = newest.root.cid;
                let found = match known.get(&cid) {
                    Some(found) => found.clone(),
                    None => {
                        let found = match Self::diff_roots(&reader, Some(cid), now) {
                            Ok(changes) => Some(Arc::new(changes)),
                            Err(error) if error.kind() == Kind::NotFound => None,
                            Err(error) => return Err(error),
                        };
                        known.insert(cid, found.clone());
                        found
                    }
                };
                (root, pinned, changes) = (Some(cid.to_string()), newest.pinned, found);
            }
            standings.push(TargetStanding { target: target.name, root, pinned, changes });
        }
        Ok(standings)
    }

    /// Tags that upstream has of a reference's repository, sorted, to choose from: the name may be anybody's, so only the beginning
    /// of a list is asked for. Costs nothing of a registry's quota. It is asked by plain HTTP or by TLS; none: as
    /// [`AddRequest`](super::request::AddRequest) means it.
    pub async fn upstream_tags(&self, reference: &Reference, insecure: Option<bool>) -> Result<Vec<String>> {
        let upstream = &reference.upstream;
        let insecure = insecure.map_or_else(|| self.is_insecure(upstream), Ok)?;
        let registry = self.registries.open(&upstream.registry, insecure)?;
        let tags = registry.tags(&upstream.repository, Wanted::Beginning).await?;
        Ok(tags.into_iter().map(|tag| tag.to_string()).collect())
    }
}
