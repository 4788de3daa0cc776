//! What one plan has asked registries: manifests that were fetched, by registry, and answers that hold for a whole repository.
//!
//! Without it every image of a repository would ask again which tags there are and whether anyone may pull. Knows what a plan
//! needs of a registry; must not know how it is asked.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::engine::request::{AddRequest, Source};
use crate::error::{Kind, Result};
use crate::image::{Tag, Upstream};

/// Tags of a repository as its registry lists them; nothing if it gives no list.
type Tags = Option<Arc<BTreeSet<Tag>>>;

/// What is shared by all images of one plan.
#[derive(Debug, Clone, Default)]
pub(in crate::engine) struct Asked(Arc<Answers>);

#[derive(Debug, Default)]
struct Answers {
    pulls: Mutex<BTreeMap<String, u64>>,
    /// How many images are wanted of each repository.
    wanted: HashMap<Upstream, usize>,
    /// Lists that were asked for just before.
    listed: HashMap<Upstream, Arc<BTreeSet<Tag>>>,
    tags: Once<Upstream, Tags>,
    private: Once<Upstream, bool>,
}

impl Asked {
    /// For a plan of these requests.
    pub(in crate::engine) fn about(requests: &[AddRequest]) -> Self {
        let mut wanted: HashMap<Upstream, usize> = HashMap::new();
        for request in requests {
            if let Source::Registry(reference) = &request.source {
                *wanted.entry(reference.upstream.clone()).or_default() += 1;
            }
        }
        Self(Arc::new(Answers { wanted, ..Answers::default() }))
    }

    /// With lists that were asked for just before: these repositories are not listed again.
    #[must_use]
    pub(in crate::engine) fn with_lists(self, listed: HashMap<Upstream, Arc<BTreeSet<Tag>>>) -> Self {
        let wanted = self.0.wanted.clone();
        Self(Arc::new(Answers { wanted, listed, ..Answers::default() }))
    }

    /// Counts manifests that were fetched from there.
    pub(in crate::engine) fn count_pulls(&self, upstream: Option<&Upstream>, number: u64) {
        if let Some(upstream) = upstream {
            let mut counted = self.0.pulls.lock().unwrap_or_else(PoisonError::into_inner);
            *counted.entry(upstream.registry.clone()).or_default() += number;
        }
    }

    /// Manifests that were fetched, by registry.
    pub(in crate::engine) fn pulls(&self) -> BTreeMap<String, u64> {
        self.0.pulls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The tags of a repository, listed by `list` once for the plan. Nothing where one image alone is wanted that is `new`:
    /// asking for the few tags that matter is cheaper than a list of unknown length. Nothing, too, where the list can't be had.
    pub(in crate::engine) async fn tags(
        &self,
        upstream: &Upstream,
        new: bool,
        list: impl Future<Output = Result<Vec<Tag>>>,
    ) -> Result<Tags> {
        if let Some(listed) = self.0.listed.get(upstream) {
            return Ok(Some(Arc::clone(listed)));
        }
        if new && self.0.wanted.get(upstream).is_none_or(|images| *images < 2) {
            return Ok(None);
        }
        let listed = async {
            match list.await {
                Ok(tags) => Ok(Some(Arc::new(tags.into_iter().collect()))),
                Err(error) if error.kind() == Kind::Interrupted => Err(error),
                Err(error) => {
                    tracing::debug!(%upstream, %error, "no list of tags: asking for each tag");
                    Ok(None)
                }
            }
        };
        self.0.tags.get(upstream, listed).await
    }

    /// Whether a repository is private, asked by `ask` once for the plan. Only for images that were asked about when they came:
    /// one that a mirror alone has is private in a repository that is not.
    pub(in crate::engine) async fn is_private(
        &self,
        upstream: &Upstream,
        ask: impl Future<Output = Result<bool>>,
    ) -> Result<bool> {
        self.0.private.get(upstream, ask).await
    }
}

/// Answers that are asked for once each, by whoever comes first.
#[derive(Debug)]
struct Once<K, V>(Mutex<HashMap<K, Arc<OnceCell<V>>>>);

impl<K, V> Default for Once<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Once<K, V> {
    async fn get(&self, key: &K, ask: impl Future<Output = Result<V>>) -> Result<V> {
        let cell = match self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()) {
            Entry::Occupied(known) => Arc::clone(known.get()),
            Entry::Vacant(unknown) => Arc::clone(unknown.insert(Arc::default())),
        };
        cell.get_or_try_init(|| ask).await.cloned()
    }
}
