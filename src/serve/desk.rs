//! Finds what is asked for: in memory if it was given out lately, else on the shelf.
//!
//! Knows when memory is out of date and how many may ask the shelf at once. Must not know HTTP beyond what refuses.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Mutex, Semaphore};

use super::cache::{Cache, Key};
use super::endpoint::Asked;
use super::entity::{Entity, Keep, type_of};
use super::refusal::Refusal;
use super::shelf::{BlobContent, Shelf};
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::{Descriptor, Digest, RepositoryName, Target};

/// How old an answer from memory may be: what another process adds or moves is seen after this.
const TRUSTED: Duration = Duration::from_millis(100);
/// Questions to the shelf at once.
const QUESTIONS: usize = 8;
/// Bytes of the largest blob that is given out from memory: more is read in several pieces anyway.
const SMALL_BLOB: u64 = 256 * 1024;
/// Tags or names in one answer, unless less is asked for; `Link` leads to the rest.
const PAGE: usize = 10_000;

/// One page of a list.
#[derive(Debug)]
pub(super) struct Listed {
    /// The name that the list is of, if it is of one.
    pub(super) name: Option<RepositoryName>,
    /// What is listed.
    pub(super) items: Vec<String>,
    /// How to ask for the next page: at most so many, after this one.
    pub(super) next: Option<(usize, String)>,
}

/// Where requests are looked up.
pub(super) struct Desk {
    shelf: Arc<dyn Shelf>,
    questions: Arc<Semaphore>,
    cache: Cache,
    start: Instant,
    generation: AtomicU64,
    /// Microseconds after `start` when the generation was seen, plus one; 0 before that.
    seen: AtomicU64,
    looking: Mutex<()>,
}

impl Desk {
    /// A desk before this shelf.
    pub(super) fn new(shelf: Arc<dyn Shelf>) -> Self {
        Self {
            shelf,
            questions: Arc::new(Semaphore::new(QUESTIONS)),
            cache: Cache::default(),
            start: Instant::now(),
            generation: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            looking: Mutex::new(()),
        }
    }

    /// Asks the shelf, on a thread that may wait.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Shelf) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let broken = |error: String| Error::new(Kind::Unexpected, format!("a look-up broke off: {error}"));
        let permit = Arc::clone(&self.questions).acquire_owned().await.map_err(|error| broken(error.to_string()))?;
        let shelf = Arc::clone(&self.shelf);
        let asking = move || {
            // Held until the answer is there, even if nobody waits for it any more.
            let _permit = permit;
            question(&*shelf)
        };
        tokio::task::spawn_blocking(asking).await.map_err(|error| broken(error.to_string()))?
    }

    fn trusted(&self) -> Option<u64> {
        let seen = self.seen.load(Ordering::Acquire).checked_sub(1)?;
        let age = self.start.elapsed().saturating_sub(Duration::from_micros(seen));
        (age < TRUSTED).then(|| self.generation.load(Ordering::Acquire))
    }

    /// The catalog's generation, at most [`TRUSTED`] old.
    async fn generation(&self) -> Result<u64> {
        if let Some(generation) = self.trusted() {
            return Ok(generation);
        }
        let _looking = self.looking.lock().await;
        if let Some(generation) = self.trusted() {
            return Ok(generation);
        }
        let asked_at = self.start.elapsed().as_micros() as u64;
        let generation = self.ask(Shelf::generation).await?;
        self.cache.renew(generation);
        self.generation.store(generation, Ordering::Release);
        self.seen.store(asked_at + 1, Ordering::Release);
        Ok(generation)
    }

    /// From memory, or from the shelf and then kept.
    async fn find(
        &self,
        key: Key,
        question: impl FnOnce(&dyn Shelf) -> Result<Option<Entity>> + Send + 'static,
    ) -> Result<Option<Arc<Entity>>> {
        let generation = self.generation().await?;
        if let Some(entity) = self.cache.get(generation, &key) {
            return Ok(Some(entity));
        }
        let Some(entity) = self.ask(question).await? else { return Ok(None) };
        let entity = Arc::new(entity);
        self.cache.put(generation, key, &entity);
        Ok(Some(entity))
    }

    /// A manifest.
    pub(super) async fn manifest(&self, asked: Asked, target: Target) -> Result<Arc<Entity>, Refusal> {
        let (names, wanted) = (asked.clone(), target.clone());
        let found = self.find(Key::Manifest(asked.clone(), target.clone()), move |shelf| {
            let keep = if matches!(wanted, Target::Digest(_)) { Keep::Forever } else { Keep::Shortly };
            for name in names.names() {
                if let Some(answer) = shelf.manifest(name, &wanted)? {
                    return Entity::manifest(answer.bytes, &answer.media_type, &answer.digest, keep).map(Some);
                }
            }
            Ok(None)
        });
        if let Some(entity) = found.await? {
            return Ok(entity);
        }
        let (names, wanted) = (asked.clone(), target.clone());
        let explained = self.ask(move |shelf| {
            let Some(name) = known(shelf, &names)? else { return Ok(None) };
            match wanted {
                Target::Digest(digest) => Ok(Some(shelf.missing_child(name, &digest)?)),
                Target::Tag(_) => Ok(Some(None)),
            }
        });
        Err(match explained.await? {
            Some(words) => Refusal::manifest_unknown(asked.name.as_str(), &target.to_string(), words),
            None => Refusal::name_unknown(asked.name.as_str()),
        })
    }

    /// A blob.
    pub(super) async fn blob(&self, asked: Asked, digest: Digest) -> Result<Arc<Entity>, Refusal> {
        let names = asked.clone();
        let found = self.find(Key::Blob(asked.clone(), digest), move |shelf| {
            for name in names.names() {
                if let Some(answer) = shelf.blob(name, &digest)? {
                    return opened(answer.content, answer.size, &digest).map(Some);
                }
            }
            Ok(None)
        });
        if let Some(entity) = found.await? {
            return Ok(entity);
        }
        let names = asked.clone();
        let is_known = self.ask(move |shelf| Ok(known(shelf, &names)?.is_some())).await?;
        Err(if is_known {
            Refusal::blob_unknown(asked.name.as_str(), &digest.to_string())
        } else {
            Refusal::name_unknown(asked.name.as_str())
        })
    }

    /// A file of the page.
    pub(super) async fn page(&self, path: String) -> Result<Option<Arc<Entity>>> {
        let wanted = path.clone();
        let question = move |shelf: &dyn Shelf| match shelf.page(&wanted)? {
            Some(bytes) => Entity::plain(bytes, type_of(&wanted)).map(Some),
            None => Ok(None),
        };
        self.find(Key::Page(path), question).await
    }

    /// Tags of a repository.
    pub(super) async fn tags(
        &self,
        asked: Asked,
        last: Option<String>,
        number: Option<usize>,
    ) -> Result<Listed, Refusal> {
        let limit = number.unwrap_or(PAGE).min(PAGE);
        let names = asked.clone();
        let listed = self.ask(move |shelf| {
            for name in names.names() {
                if let Some(page) = shelf.tags(name, last.as_deref(), Some(limit))? {
                    return Ok(Some(Listed::new(Some(page.name), page.tags, limit, page.more)));
                }
            }
            Ok(None)
        });
        listed.await?.ok_or_else(|| Refusal::name_unknown(asked.name.as_str()))
    }

    /// Names of repositories.
    pub(super) async fn repositories(&self, last: Option<String>, number: Option<usize>) -> Result<Listed> {
        let limit = number.unwrap_or(PAGE).min(PAGE);
        self.ask(move |shelf| {
            let page = shelf.repositories(last.as_deref(), Some(limit))?;
            Ok(Listed::new(None, page.names, limit, page.more))
        })
        .await
    }

    /// What refers to a manifest.
    pub(super) async fn referrers(&self, asked: Asked, subject: Option<Digest>) -> Result<Vec<Descriptor>, Refusal> {
        let names = asked.clone();
        let found = self.ask(move |shelf| {
            let Some(subject) = subject else { return Ok(known(shelf, &names)?.map(|_| Vec::new())) };
            for name in names.names() {
                if let Some(referrers) = shelf.referrers(name, &subject)? {
                    return Ok(Some(referrers));
                }
            }
            Ok(None)
        });
        found.await?.ok_or_else(|| Refusal::name_unknown(asked.name.as_str()))
    }
}

impl Listed {
    fn new(name: Option<RepositoryName>, mut items: Vec<String>, limit: usize, more: bool) -> Self {
        // The spec wants `n=0` to be an empty list that leads nowhere.
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| (limit, last.clone()));
        Self { name, items, next }
    }
}

/// The first of the names that is a repository.
fn known<'a>(shelf: &dyn Shelf, asked: &'a Asked) -> Result<Option<&'a RepositoryName>> {
    for name in asked.names() {
        if shelf.tags(name, None, Some(0))?.is_some() {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// A blob ready to be given out: small ones in memory, large ones as an open file, which stays readable when it is removed.
fn opened(content: BlobContent, size: u64, digest: &Digest) -> Result<Entity> {
    let file = match content {
        BlobContent::Bytes(bytes) => return Entity::blob(bytes, digest),
        BlobContent::Pending(pending) => return Entity::pending(pending, size, digest),
        BlobContent::File(file) => file,
    };
    if size > SMALL_BLOB {
        // Cold files are read from front to back: let the kernel read further ahead. A hint, so its failure means nothing.
        #[cfg(target_os = "linux")]
        let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Sequential);
        return Entity::file(file, size, digest);
    }
    let mut bytes = vec![0; size as usize];
    std::os::unix::fs::FileExt::read_exact_at(&*file, &mut bytes, 0).context(|| format!("blob {digest}"))?;
    Entity::blob(Bytes::from(bytes), digest)
}
