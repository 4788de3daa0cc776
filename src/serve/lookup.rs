//! Finds what is asked for: in memory if it was given out lately, else in the content source.
//!
//! Knows when memory is out of date and how many may ask the source at once. Must not know HTTP beyond what refuses.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cid::Cid;
use tokio::sync::{Mutex, Notify, Semaphore};
use tokio::time::{sleep, timeout};

use super::cache::{Cache, Key};
use super::content_source::{BlobContent, ContentSource};
use super::documents::{Documents, MAX_SMALL_DOCUMENT_BYTES, Room};
use super::endpoint::Asked;
use super::entity::{Entity, Keep, type_of};
use super::lists::{self, Next};
use super::refusal::Refusal;
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::{Digest, RepositoryName, Target};

/// How old an answer from memory may be: what another process adds or moves is seen after this.
const GENERATION_TTL: Duration = Duration::from_millis(100);
/// How often who waits for room in memory says so.
const PRESSURE_INTERVAL: Duration = Duration::from_millis(500);
/// Questions to the source at once.
const MAX_LOOKUPS: usize = 8;
/// Bytes of the largest blob that is given out from memory: more is read in several pieces anyway.
const MAX_MEMORY_BLOB_BYTES: u64 = 256 * 1024;
/// Tags or names in one answer, unless less is asked for; `Link` leads to the rest.
const MAX_LIST_ENTRIES: usize = 10_000;

/// What came of a question, with something beside the thing to give out.
enum Found<T> {
    /// There is no such thing.
    Nothing,
    /// It is in memory, or an open file.
    Here(Arc<Entity>, T),
    /// So many bytes that there is no room for.
    TooMuch(usize),
}

/// Where requests are looked up.
pub(super) struct Lookup {
    source: Arc<dyn ContentSource>,
    lookups: Arc<Semaphore>,
    cache: Cache,
    documents: Arc<Documents>,
    room_timeout: Duration,
    crowded: Arc<Notify>,
    start: Instant,
    generation: AtomicU64,
    /// Microseconds after `start` when the generation was seen, plus one; 0 before that.
    seen: AtomicU64,
    looking: Mutex<()>,
}

impl Lookup {
    /// Looks things up in this source. A request waits for room in memory for as long as `room_timeout`, and meanwhile tells `crowded`.
    pub(super) fn new(source: Arc<dyn ContentSource>, room_timeout: Duration, crowded: Arc<Notify>) -> Self {
        Self {
            source,
            lookups: Arc::new(Semaphore::new(MAX_LOOKUPS)),
            cache: Cache::default(),
            documents: Arc::default(),
            room_timeout,
            crowded,
            start: Instant::now(),
            generation: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            looking: Mutex::new(()),
        }
    }

    /// Asks the source, on a thread that may wait.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn ContentSource) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let broken = |error: String| Error::new(Kind::Unexpected, format!("a lookup broke off: {error}"));
        let permit = Arc::clone(&self.lookups).acquire_owned().await.map_err(|error| broken(error.to_string()))?;
        let source = Arc::clone(&self.source);
        let asking = move || {
            // Held until the answer is there, even if nobody waits for it any more.
            let _permit = permit;
            question(&*source)
        };
        tokio::task::spawn_blocking(asking).await.map_err(|error| broken(error.to_string()))?
    }

    fn fresh_generation(&self) -> Option<u64> {
        let seen = self.seen.load(Ordering::Acquire).checked_sub(1)?;
        let age = self.start.elapsed().saturating_sub(Duration::from_micros(seen));
        (age < GENERATION_TTL).then(|| self.generation.load(Ordering::Acquire))
    }

    /// The catalog's generation, at most [`GENERATION_TTL`] old.
    async fn generation(&self) -> Result<u64> {
        if let Some(generation) = self.fresh_generation() {
            return Ok(generation);
        }
        let _looking = self.looking.lock().await;
        if let Some(generation) = self.fresh_generation() {
            return Ok(generation);
        }
        let asked_at = self.start.elapsed().as_micros() as u64;
        let generation = self.ask(ContentSource::generation).await?;
        self.cache.renew(generation);
        self.generation.store(generation, Ordering::Release);
        self.seen.store(asked_at + 1, Ordering::Release);
        Ok(generation)
    }

    /// Asks the source until there is room for the answer: who finds none waits without it, and asks again.
    async fn fetch<T: Send + 'static>(
        &self,
        question: impl Fn(&dyn ContentSource) -> Result<Option<(Entity, T)>> + Send + Sync + 'static,
    ) -> Result<Option<(Arc<Entity>, T)>, Refusal> {
        let question = Arc::new(question);
        let mut room = None;
        loop {
            let (question, documents, room_now) = (Arc::clone(&question), Arc::clone(&self.documents), room.take());
            let found = self.ask(move |source| {
                let Some((entity, beside)) = question(source)? else { return Ok(Found::Nothing) };
                Ok(match entity.kept_in(&documents, room_now) {
                    Ok(entity) => Found::Here(Arc::new(entity), beside),
                    Err(size) => Found::TooMuch(size),
                })
            });
            match found.await? {
                Found::Nothing => return Ok(None),
                Found::Here(entity, beside) => return Ok(Some((entity, beside))),
                Found::TooMuch(size) => room = Some(self.room(size).await?),
            }
        }
    }

    /// Room for so many bytes: what nobody reads goes out of the cache for it, then clients are waited for.
    async fn room(&self, size: usize) -> Result<Room, Refusal> {
        loop {
            if let Some(room) = self.documents.try_room(size) {
                return Ok(room);
            }
            if size > MAX_SMALL_DOCUMENT_BYTES || !self.cache.forget_one() {
                break;
            }
        }
        let pressing = async {
            loop {
                self.crowded.notify_one();
                sleep(PRESSURE_INTERVAL).await;
            }
        };
        let waited = async {
            tokio::select! {
                room = self.documents.room(size) => room,
                () = pressing => None,
            }
        };
        let waited = timeout(self.room_timeout, waited).await;
        waited.ok().flatten().ok_or_else(|| Refusal::unavailable("no memory left for responses; try again"))
    }

    /// From memory, or from the source and then kept. What `question` makes is not needed where memory has the answer.
    async fn find<Q>(&self, key: Key, question: impl FnOnce() -> Q) -> Result<Option<Arc<Entity>>, Refusal>
    where
        Q: Fn(&dyn ContentSource) -> Result<Option<Entity>> + Send + Sync + 'static,
    {
        let generation = match self.fresh_generation() {
            Some(generation) => generation,
            None => Box::pin(self.generation()).await?,
        };
        if let Some(entity) = self.cache.get(generation, &key) {
            return Ok(Some(entity));
        }
        let question = question();
        // In a box: most answers come from memory, and each one would move the room for this about.
        let found = Box::pin(self.fetch(move |source| Ok(question(source)?.map(|entity| (entity, ())))));
        let Some((entity, ())) = found.await? else { return Ok(None) };
        self.cache.put(generation, key, &entity);
        Ok(Some(entity))
    }

    pub(super) async fn manifest(&self, asked: Asked, target: Target) -> Result<Arc<Entity>, Refusal> {
        let found = self.find(Key::Manifest(asked.clone(), target.clone()), || {
            let (names, wanted) = (asked.clone(), target.clone());
            move |source: &dyn ContentSource| {
                let keep = if matches!(wanted, Target::Digest(_)) { Keep::Forever } else { Keep::Shortly };
                for name in names.names() {
                    if let Some(answer) = source.manifest(name, &wanted)? {
                        return Entity::manifest(answer.bytes, &answer.media_type, &answer.digest, keep).map(Some);
                    }
                }
                Ok(None)
            }
        });
        if let Some(entity) = found.await? {
            return Ok(entity);
        }
        Err(Box::pin(self.missing_manifest(&asked, &target)).await?)
    }

    /// Why there is no such manifest.
    async fn missing_manifest(&self, asked: &Asked, target: &Target) -> Result<Refusal> {
        let (names, wanted) = (asked.clone(), target.clone());
        let explained = self.ask(move |source| {
            let Some(name) = known(source, &names)? else { return Ok(None) };
            match wanted {
                Target::Digest(digest) => Ok(Some(source.missing_child(name, &digest)?)),
                Target::Tag(_) => Ok(Some(None)),
            }
        });
        Ok(match explained.await? {
            Some(words) => Refusal::manifest_unknown(asked.name.as_str(), &target.to_string(), words),
            None => Refusal::name_unknown(asked.name.as_str()),
        })
    }

    pub(super) async fn blob(&self, asked: Asked, digest: Digest) -> Result<Arc<Entity>, Refusal> {
        let found = self.find(Key::Blob(asked.clone(), digest), || {
            let names = asked.clone();
            move |source: &dyn ContentSource| {
                for name in names.names() {
                    if let Some(answer) = source.blob(name, &digest)? {
                        return opened(answer.content, answer.size, &digest).map(Some);
                    }
                }
                Ok(None)
            }
        });
        if let Some(entity) = found.await? {
            return Ok(entity);
        }
        let names = asked.clone();
        let is_known = self.ask(move |source| Ok(known(source, &names)?.is_some())).await?;
        Err(if is_known {
            Refusal::blob_unknown(asked.name.as_str(), &digest.to_string())
        } else {
            Refusal::name_unknown(asked.name.as_str())
        })
    }

    /// A file of the page.
    pub(super) async fn page(&self, path: String) -> Result<Option<Arc<Entity>>, Refusal> {
        let wanted = path.clone();
        let question = || {
            move |source: &dyn ContentSource| match source.page(&wanted)? {
                Some(bytes) => Entity::plain(bytes, type_of(&wanted)).map(Some),
                None => Ok(None),
            }
        };
        self.find(Key::Page(path), question).await
    }

    /// The CID of the tree that pages are from.
    #[expect(clippy::redundant_closure_for_method_calls, reason = "a path to the method would stand for one lifetime")]
    pub(super) async fn root(&self) -> Result<Option<Cid>, Refusal> {
        Ok(self.ask(|source| source.root()).await?)
    }

    /// Tags of a repository.
    pub(super) async fn tags(
        &self,
        asked: Asked,
        last: Option<String>,
        number: Option<usize>,
    ) -> Result<(Arc<Entity>, Option<Next>), Refusal> {
        let limit = number.unwrap_or(MAX_LIST_ENTRIES).min(MAX_LIST_ENTRIES);
        let names = asked.clone();
        let listed = self.fetch(move |source| {
            for name in names.names() {
                if let Some(page) = source.tags(name, last.as_deref(), Some(limit))? {
                    return lists::tags(page, limit).map(Some);
                }
            }
            Ok(None)
        });
        listed.await?.ok_or_else(|| Refusal::name_unknown(asked.name.as_str()))
    }

    pub(super) async fn repositories(
        &self,
        last: Option<String>,
        number: Option<usize>,
    ) -> Result<(Arc<Entity>, Option<Next>), Refusal> {
        let limit = number.unwrap_or(MAX_LIST_ENTRIES).min(MAX_LIST_ENTRIES);
        let listed = self.fetch(move |source| {
            lists::repositories(source.repositories(last.as_deref(), Some(limit))?, limit).map(Some)
        });
        listed.await?.ok_or_else(Refusal::no_such_endpoint)
    }

    /// What refers to a manifest; of one type if that is asked for.
    pub(super) async fn referrers(
        &self,
        asked: Asked,
        subject: Option<Digest>,
        artifact_type: Option<String>,
    ) -> Result<Arc<Entity>, Refusal> {
        let names = asked.clone();
        let found = self.fetch(move |source| {
            let wanted = artifact_type.as_deref();
            let Some(subject) = subject else {
                let Some(_) = known(source, &names)? else { return Ok(None) };
                return Ok(Some((lists::referrers(Vec::new(), wanted)?, ())));
            };
            for name in names.names() {
                if let Some(referrers) = source.referrers(name, &subject)? {
                    return Ok(Some((lists::referrers(referrers, wanted)?, ())));
                }
            }
            Ok(None)
        });
        let (entity, ()) = found.await?.ok_or_else(|| Refusal::name_unknown(asked.name.as_str()))?;
        Ok(entity)
    }
}

/// The first of the names that is a repository.
fn known<'a>(source: &dyn ContentSource, asked: &'a Asked) -> Result<Option<&'a RepositoryName>> {
    for name in asked.names() {
        if source.tags(name, None, Some(0))?.is_some() {
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
    if size > MAX_MEMORY_BLOB_BYTES {
        // Cold files are read from front to back: let the kernel read further ahead. A hint, so its failure means nothing.
        #[cfg(target_os = "linux")]
        let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Sequential);
        return Entity::file(file, size, digest);
    }
    let mut bytes = vec![0; size as usize];
    std::os::unix::fs::FileExt::read_exact_at(&*file, &mut bytes, 0).context(|| format!("blob {digest}"))?;
    Entity::blob(Bytes::from(bytes), digest)
}
