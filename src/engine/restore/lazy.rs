//! Blobs that are left where they are until they are needed: rows now, bytes later.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use tokio::sync::OnceCell;
use tokio::time::{sleep, timeout};

use super::apply::Left;
use super::body::FileStream;
use super::leaves::leaves;
use super::place::Place;
use super::tree::Tree;
use crate::catalog::blobs::{self, Blob, NewBlob};
use crate::catalog::images::Role;
use crate::catalog::left_blobs;
use crate::engine::Engine;
use crate::engine::blocking::{blocking, in_place};
use crate::engine::follow;
use crate::engine::job::Job;
use crate::engine::plan::{AddPlan, PlannedBlob, PlannedImage};
use crate::engine::query::pending::{Arrivals, Progress};
use crate::engine::swarm_member::SwarmMember;
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::Digest;
use crate::node::source::BlockSource;
use crate::registry::Pace;
use crate::site::paths;
use crate::store::Writer;
use crate::text::printable_within;
use crate::unixfs::file;

/// Blobs whose inner nodes are read at the same time.
const MAX_CONCURRENT_BLOBS: usize = 6;
/// How often it is looked whether a blob that someone else brings is there.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);
/// How long is waited for a place to be opened, and for each next block.
const STALL_TIMEOUT: Duration = Duration::from_mins(2);
/// How many leaves that are here already, one after the other, are worth ending an answer and asking for what is behind them.
const MIN_RUN_LEAVES: u64 = 8;
/// How much waiting for blocks may add up to before those that came are judged by the least rate.
const PACE_GRACE: Duration = Duration::from_mins(1);

impl Engine {
    /// Takes the blobs out of a plan that can wait, and records what they are and who has them. Configurations are small, and
    /// what an image is in the gateway view is made of them: they don't wait, nor does what `wanted` says of an image.
    pub(in crate::engine) async fn leave_blobs(
        &self,
        tree: &Tree,
        adding: &mut AddPlan,
        wanted: impl Fn(&PlannedImage) -> bool,
        place: &str,
        job: &Job,
    ) -> Result<Left> {
        let Tree::Blocks(tree) = tree else {
            return Err(Error::new(Kind::Usage, "a directory holds files, not blocks")
                .hint("Leave out `--lazy`: files of a directory are imported as fast as they can be read."));
        };
        let mut now: HashSet<Digest> = HashSet::new();
        for image in &adding.images {
            let all = image.blobs.iter().chain(image.attached.iter().flat_map(|attached| &attached.blobs));
            let is_wanted = wanted(image);
            now.extend(all.filter(|blob| is_wanted || blob.role == Role::Config).map(|blob| blob.digest));
        }
        let (fetch, wait): (Vec<PlannedBlob>, Vec<PlannedBlob>) =
            std::mem::take(&mut adding.fetch).into_iter().partition(|blob| now.contains(&blob.digest) || blob.anew);
        adding.fetch = fetch;
        let mut left = Left::default();
        let mut reading = stream::iter(wait)
            .map(|blob| async move {
                let path = format!("{}/{}/{}/{}", paths::NATIVE, blob.repository, paths::BLOBS, blob.digest);
                let read = async {
                    let link = tree.lookup(&path).await?.ok_or_else(|| {
                        Error::new(Kind::NotFound, format!("it is not in the tree at {}", tree.source.place()))
                    })?;
                    leaves(tree.source.as_ref(), self.profile, &link.cid, blob.size).await
                };
                let read = job.or_cancelled(read).await.context(|| format!("{} of {}", blob.digest, blob.image));
                read.map(|leaves| (blob, leaves))
            })
            .buffer_unordered(MAX_CONCURRENT_BLOBS);
        let mut found = Vec::new();
        while let Some(read) = reading.next().await {
            let (blob, leaves) = read?;
            left.blobs += 1;
            left.bytes += blob.size;
            adding.new_bytes = adding.new_bytes.saturating_sub(blob.size);
            found.push((blob, leaves));
        }
        drop(reading);
        let record = |writer: &crate::catalog::Writer<'_>| {
            for (blob, leaves) in &found {
                let link = file::root(self.profile, blob.size, leaves)?;
                let new = NewBlob { digest: blob.digest, size: blob.size, link, leaves, bytes: None };
                let row = blobs::record(writer, &new)?;
                left_blobs::add(writer, row.id, place)?;
            }
            Ok(())
        };
        in_place(|| self.catalog.write(record))?;
        Ok(left)
    }

    /// Whether any blob was left elsewhere until it is needed.
    pub fn has_left_blobs(&self) -> Result<bool> {
        left_blobs::any(&*self.catalog.read()?)
    }
}

/// Places that have blobs which were left there, each opened once. No lock is held while one is opened.
#[derive(Debug)]
pub(in crate::engine) struct Sources {
    opened: Mutex<HashMap<String, Opened>>,
    swarm: Arc<SwarmMember>,
}

/// A place that is opened by whoever comes first.
type Opened = Arc<OnceCell<Arc<dyn BlockSource>>>;

impl Sources {
    pub(in crate::engine) fn new(swarm: Arc<SwarmMember>) -> Self {
        Self { opened: Mutex::default(), swarm }
    }

    /// The blocks of a place. Waits until somebody has opened it.
    pub(in crate::engine) async fn open(&self, place: &str) -> Result<Arc<dyn BlockSource>> {
        in_time(self.opening(place)).await
    }

    async fn opening(&self, place: &str) -> Result<Arc<dyn BlockSource>> {
        let cell = {
            let mut known = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(place.to_owned()).or_default())
        };
        let opening = async {
            if let Some(sources) = follow::Sources::of_place(place) {
                return sources.blocks(&self.swarm);
            }
            let opened = Place::of_written(place)?.blocks().await?;
            let (source, _) =
                opened.ok_or_else(|| Error::new(Kind::NotFound, "it is a directory now, and has no blocks"))?;
            Ok(source)
        };
        cell.get_or_try_init(|| opening).await.map(Arc::clone)
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Error::new(Kind::Network, format!("nothing came for {} s", STALL_TIMEOUT.as_secs()));
    timeout(STALL_TIMEOUT, work).await.map_err(late)?
}

impl Arrivals {
    /// Brings a blob into the store that was left elsewhere, and tells on the way how much of it was verified and written.
    ///
    /// May be dropped at any time: what was verified stays, and is where the next fetch goes on.
    pub(in crate::engine) async fn fetch(
        &self,
        blob: &Blob,
        place: &str,
        tell: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<()> {
        let brought = self.bring_from(place, blob, tell).await;
        brought.context(|| format!("{} was left at {} until now", blob.digest, printable_within(place, 200)))
    }

    async fn bring_from(&self, place: &str, blob: &Blob, tell: &(dyn Fn(Progress) + Send + Sync)) -> Result<()> {
        let source = self.sources.open(place).await?;
        let Some(mut writer) = self.begin(blob).await? else { return Ok(()) };
        let reader = Arc::new(writer.reader()?);
        // The digest of the whole is known at its end: until then the last byte is nobody's, so that nobody gets all of
        // what turns out to be something else.
        let written = |position: u64| {
            if position > 0 && position < blob.size {
                tell(Progress::Growing(Arc::clone(&reader), position));
            }
        };
        written(writer.position());
        let mut stream = None;
        let mut pace = Pace::new(PACE_GRACE);
        while writer.position() < blob.size {
            let position = writer.position();
            let least = if stream.is_some() { MIN_RUN_LEAVES * self.profile.chunk_size() } else { 1 };
            if let Some(pieces) = self.pieces.of(&blob.digest)
                && let end = pieces.run_from(position)
                && end - position >= least
            {
                // It goes on behind them.
                stream = None;
                let taking = move || -> Result<Writer> {
                    while writer.position() < end {
                        writer.write(&pieces.read(writer.position())?)?;
                    }
                    Ok(writer)
                };
                writer = blocking(taking).await?;
                written(writer.position());
                continue;
            }
            let mut reading = match stream.take() {
                Some(reading) => reading,
                None => self.read_from(&source, blob, position).await?,
            };
            let asked = Instant::now();
            let Some(chunk) = in_time(reading.chunk()).await? else { break };
            if !pace.keeps_up(asked.elapsed(), chunk.len()) {
                return Err(Error::new(Kind::Network, "it comes too slowly"));
            }
            stream = Some(reading);
            let writing = move || writer.write(&chunk).map(|()| writer);
            writer = blocking(writing).await?;
            written(writer.position());
        }
        drop(stream);
        let (store, catalog, id) = (self.store.clone(), Arc::clone(&self.catalog), blob.id);
        blocking(move || {
            writer.commit()?;
            store.sync_directory()?;
            catalog.write(|writer| left_blobs::remove(writer, id))
        })
        .await?;
        self.pieces.forget(&blob.digest);
        Ok(())
    }

    /// Begins to read a blob where it was left.
    async fn read_from(&self, source: &Arc<dyn BlockSource>, blob: &Blob, position: u64) -> Result<FileStream> {
        let stream = in_time(FileStream::open(Arc::clone(source), &blob.link.cid, position)).await?;
        if stream.size() == blob.size {
            return Ok(stream);
        }
        let words = format!("it has {} bytes there instead of {}", stream.size(), blob.size);
        Err(Error::new(Kind::Verification, words))
    }

    /// Begins to write, when nobody else does; nothing if somebody else has brought the blob meanwhile.
    async fn begin(&self, blob: &Blob) -> Result<Option<Writer>> {
        let (store, catalog, profile, blob) =
            (self.store.clone(), Arc::clone(&self.catalog), self.profile, blob.clone());
        let (blob, leaves) =
            blocking(move || blobs::leaves(&*catalog.read()?, &blob).map(|leaves| (blob, leaves))).await?;
        let leaves = Arc::new(leaves);
        loop {
            let (store, leaves) = (store.clone(), Arc::clone(&leaves));
            let begin = move || -> Result<(Option<Writer>, bool)> {
                let begun = store.begin_with_leaves(blob.digest, blob.size, profile, &leaves);
                match begun {
                    Err(error) if error.kind() == Kind::Locked => Ok((None, false)),
                    // Whoever wrote it until now may have been done just before.
                    Ok(writer) if store.open_blob(&blob.digest).is_ok() => {
                        writer.abandon(false);
                        Ok((None, true))
                    }
                    begun => Ok((Some(begun?), false)),
                }
            };
            match blocking(begin).await? {
                (None, false) => sleep(RETRY_INTERVAL).await,
                (begun, _) => return Ok(begun),
            }
        }
    }
}
