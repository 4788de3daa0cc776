//! Stores what a host lacks, stage by stage: none begins before the former one is there.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};

use super::content::{FileContent, NotedUploads};
use super::standing::Standing;
use super::wanted::Wanted;
use crate::catalog::targets::Target;
use crate::catalog::{host_objects, publications};
use crate::engine::job::{Event, Job};
use crate::engine::{Engine, now};
use crate::error::{Error, Kind, Result};
use crate::hosts::{Condition, Host, Stored};
use crate::image::Digest;
use crate::site::objects::{PING_KEY, Stage};
use crate::text::{bytes, count};

/// Objects that are stored at the same time.
const MAX_CONCURRENT_OBJECTS: usize = 16;
/// Objects after which it is written down what is there.
const OBJECTS_PER_NOTE: usize = 256;
/// From this size on, in bytes, a blob that is there under another key is copied there instead of sent.
const MIN_COPIED_BYTES: u64 = 256 << 10;

/// What was stored.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    pub(super) objects: u64,
    pub(super) copied: u64,
    /// Files that are the blob store's own.
    pub(super) hard_links: u64,
    /// Bytes that were written without being sent.
    pub(super) written: u64,
    /// The host refuses the key that clients ask for first.
    pub(super) ping_refused: bool,
    /// Something was there already, of which nothing but its key is known.
    pub(super) unseen: bool,
}

/// For each blob that is there or will be, the key that it is copied from.
pub(super) struct Originals<'s>(HashMap<Digest, &'s str>);

impl<'s> Originals<'s> {
    /// Of the blobs that are missing, those that are there under another key, and the first of those that are missing twice.
    pub(super) fn of(standing: &'s Standing, host: &dyn Host) -> Self {
        let sizes = match (host.copies(), host.trees()) {
            (Some(copies), _) => MIN_COPIED_BYTES..=copies.max_bytes(),
            // One file may have many names.
            (None, Some(_)) => 0..=u64::MAX,
            (None, None) => return Self(HashMap::new()),
        };
        let missing: Vec<&Wanted> =
            standing.store.iter().filter_map(|(place, _)| standing.wanted.get(*place)).collect();
        let fits = |wanted: &&&Wanted| wanted.stage == Stage::Blobs && sizes.contains(&wanted.size);
        let mut first: HashMap<Digest, &str> = HashMap::new();
        for wanted in missing.iter().filter(fits) {
            first.entry(wanted.digest).or_insert(wanted.key.as_str());
        }
        if first.is_empty() {
            return Self(first);
        }
        let mut stored = standing.store.iter().map(|(place, _)| *place).collect::<Vec<_>>();
        stored.sort_unstable();
        for (place, wanted) in standing.wanted.iter().enumerate() {
            if wanted.stage == Stage::Blobs
                && stored.binary_search(&place).is_err()
                && let Some(key) = first.get_mut(&wanted.digest)
            {
                *key = wanted.key.as_str();
            }
        }
        Self(first)
    }

    /// The key that this one is copied from, if it is.
    fn key(&self, wanted: &Wanted) -> Option<&'s str> {
        self.0.get(&wanted.digest).copied().filter(|key| *key != wanted.key && wanted.stage == Stage::Blobs)
    }

    /// How many objects are copied, and the bytes of what is sent.
    pub(super) fn count(&self, standing: &Standing) -> (u64, u64) {
        let (mut copied, mut size) = (0, 0);
        for wanted in standing.store.iter().filter_map(|(place, _)| standing.wanted.get(*place)) {
            match self.key(wanted) {
                Some(_) => copied += 1,
                None => size += wanted.size,
            }
        }
        (copied, size)
    }
}

pub(super) struct Store<'r> {
    pub(super) engine: &'r Arc<Engine>,
    pub(super) host: &'r dyn Host,
    pub(super) target: &'r Target,
    /// The publication that this is written down for.
    pub(super) publication: Option<i64>,
    pub(super) job: &'r Job,
    pub(super) uploads: &'r NotedUploads<'r>,
}

/// One object on its way, and what came of it.
struct Done<'s> {
    wanted: &'s Wanted,
    tag: String,
    copied: bool,
    /// It was there already.
    unseen: bool,
}

impl Store<'_> {
    /// Stores everything that is missing.
    pub(super) async fn everything(&self, standing: &Standing) -> Result<Sum> {
        let originals = Originals::of(standing, self.host);
        let (mut sum, total) = (Sum::default(), standing.store.len() as u64);
        for stage in Stage::ALL {
            let of_stage: Vec<(&Wanted, &Condition)> = standing
                .store
                .iter()
                .filter_map(|(place, condition)| Some((standing.wanted.get(*place)?, condition)))
                .filter(|(wanted, _)| wanted.stage == stage)
                .collect();
            // What is copied comes after what it is copied from.
            let (copied, sent): (Vec<_>, Vec<_>) =
                of_stage.into_iter().partition(|(wanted, _)| originals.key(wanted).is_some());
            for some in sent.chunks(OBJECTS_PER_NOTE).chain(copied.chunks(OBJECTS_PER_NOTE)) {
                self.job.check()?;
                let before = self.uploads.total();
                let stored = self.some(stage, some, &originals, &mut sum).await?;
                sum.objects += stored;
                self.uploads.stored(stored);
                self.note_handed_over(stored, self.uploads.total() - before).await?;
                self.job.tell(Event::Progress { what: "objects", done: sum.objects, total });
            }
        }
        Ok(sum)
    }

    async fn some(
        &self,
        stage: Stage,
        some: &[(&Wanted, &Condition)],
        originals: &Originals<'_>,
        sum: &mut Sum,
    ) -> Result<u64> {
        if !stage.is_immutable() {
            self.note_before(some).await?;
        }
        let mut going: Vec<BoxFuture<'_, Result<Option<Done<'_>>>>> = Vec::with_capacity(some.len());
        for (wanted, condition) in some {
            going.push(self.one(wanted, condition, originals.key(wanted)).boxed());
        }
        let stored = stream::iter(going).buffer_unordered(MAX_CONCURRENT_OBJECTS).try_collect::<Vec<_>>();
        let stored: Vec<Done<'_>> = self.job.or_cancelled(stored).await?.into_iter().flatten().collect();
        sum.copied += stored.iter().filter(|done| done.copied).count() as u64;
        sum.unseen |= stored.iter().any(|done| done.unseen);
        sum.ping_refused |= stage == Stage::Ping && stored.len() < some.len();
        let count = stored.len() as u64;
        self.note_after(stage, &stored).await?;
        Ok(count)
    }

    async fn one<'s>(&self, wanted: &'s Wanted, condition: &Condition, from: Option<&str>) -> Result<Option<Done<'s>>> {
        let object = wanted.object();
        if let (Some(from), Some(copies)) = (from, self.host.copies()) {
            // What can't be copied is sent.
            match copies.copy(from, &object).await {
                Ok(Stored::Now(tag)) => {
                    self.job.meter().find(wanted.size);
                    return Ok(Some(Done { wanted, tag, copied: true, unseen: false }));
                }
                Ok(Stored::Refused) => {}
                Err(error) if error.kind() == Kind::Network => return Err(error),
                Err(error) => tracing::debug!(%error, "a blob is sent instead of copied"),
            }
        }
        let content = FileContent::of(self.engine, wanted);
        match self.host.put(&object, &content, condition, self.uploads).await {
            Ok(Stored::Now(tag)) => Ok(Some(Done { wanted, tag, copied: false, unseen: false })),
            // Somebody stored it meanwhile, and its key says what it is.
            Ok(Stored::Refused) if wanted.stage.is_immutable() => {
                Ok(Some(Done { wanted, tag: String::new(), copied: false, unseen: true }))
            }
            Ok(Stored::Refused) => Err(Error::new(
                Kind::Locked,
                format!("somebody else changed {} at {} meanwhile", wanted.key, self.host.place()),
            )
            .hint("Nothing of theirs was replaced. Run this again to see what there is now.")),
            Err(error) if wanted.key == PING_KEY && error.kind() == Kind::Node => {
                tracing::debug!(%error, "the key for /v2/ is refused");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// What may be there after a cut, though its tag is not known.
    async fn note_before(&self, some: &[(&Wanted, &Condition)]) -> Result<()> {
        let target = self.target.id;
        let sent: Vec<(String, Digest, u64)> =
            some.iter().map(|(wanted, _)| (wanted.key.clone(), wanted.digest, wanted.size)).collect();
        self.write(move |writer| {
            sent.iter().try_for_each(|(key, digest, size)| host_objects::set_sent(writer, target, key, digest, *size))
        })
        .await
    }

    async fn note_after(&self, stage: Stage, stored: &[Done<'_>]) -> Result<()> {
        let target = self.target.id;
        let stored: Vec<(String, Digest, String, u64)> = stored
            .iter()
            .map(|done| (done.wanted.key.clone(), done.wanted.digest, done.tag.clone(), done.wanted.size))
            .collect();
        self.write(move |writer| {
            stored.iter().try_for_each(|(key, digest, tag, size)| {
                if stage.is_immutable() {
                    host_objects::set_immutable(writer, target, key, *size)
                } else {
                    host_objects::set_stored(writer, target, key, digest, tag, *size)
                }
            })
        })
        .await
    }

    async fn note_handed_over(&self, objects: u64, size: u64) -> Result<()> {
        let Some(publication) = self.publication else { return Ok(()) };
        let detail = format!("{} of {}", count(objects, "object", "objects"), bytes(size));
        self.write(move |writer| {
            publications::add_handed_over(writer, publication, objects, size)?;
            publications::step_done(writer, publication, "objects", &detail, now())
        })
        .await
    }

    async fn write(
        &self,
        change: impl FnOnce(&crate::catalog::Writer<'_>) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        self.engine.blocking(move |engine| engine.catalog.write(change)).await
    }
}
