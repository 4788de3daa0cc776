//! Blobs that can't be given out at once: their bytes are elsewhere until they are needed, or their file is not known to be
//! the one that was verified.
//!
//! One task for a blob, however many ask for it; each reads along from what is verified and written so far. Nothing else
//! waits for it: no transaction and no lock is held while a network or a disk is waited for. When nobody asks any more the
//! task ends; what it verified stays.
//!
//! Who asks for a small part of a blob that was left elsewhere gets the leaves around it and waits for nothing before them
//! (`restore/pieces.rs`). When most of a blob has come that way, the rest is brought as well.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::ops::Range;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::catalog::blobs::{self, Blob};
use crate::catalog::{self, Catalog, left_blobs};
use crate::engine::Engine;
use crate::engine::blocking::blocking;
use crate::engine::keep::stamps;
use crate::engine::restore::lazy::Sources;
use crate::engine::restore::pieces::{KeptPieces, Pieces};
use crate::engine::swarm_member::SwarmMember;
use crate::error::{Error, Kind, Result};
use crate::image::Digest;
use crate::node::source::BlockSource;
use crate::store::{Stamp, Store};
use crate::unixfs::Profile;

/// Blobs that are fetched at once; each has a few blocks in memory.
const MAX_CONCURRENT_FETCHES: usize = 8;
/// Blobs that are verified at once: more would only share the disk and the processors.
const MAX_CONCURRENT_CHECKS: usize = 2;
/// Blobs of fewer bytes always come from their beginning on: little would be saved.
const MIN_PIECEMEAL_BYTES: u64 = 4 << 20;
/// So many bytes behind what a running fetch has written, that is waited for instead of asking for the same leaves.
const NEAR_BYTES: u64 = 4 << 20;
/// Leaves of one part that are asked for at once, where a place gives several.
const MAX_LEAVES_AHEAD: usize = 4;

/// How far a blob is.
#[derive(Debug, Clone)]
pub(in crate::engine) enum Progress {
    /// Nothing of it can be read yet.
    Waiting,
    /// So many of its first bytes can be read from this file.
    Growing(Arc<File>, u64),
    Complete(Arc<File>),
    /// It does not come.
    Failed(Arc<Error>),
}

/// Everything that is on its way.
#[derive(Debug)]
pub(in crate::engine) struct Arrivals {
    pub(in crate::engine) catalog: Arc<Catalog>,
    pub(in crate::engine) store: Store,
    pub(in crate::engine) profile: Profile,
    pub(in crate::engine) sources: Sources,
    pub(in crate::engine) pieces: KeptPieces,
    running: Mutex<HashMap<Digest, Arc<watch::Sender<Progress>>>>,
    fetches: Semaphore,
    checks: Arc<Semaphore>,
}

/// A blob that can't be given out at once. Nothing is done for it until [`PendingBlob::begin`].
#[derive(Debug, Clone)]
pub struct PendingBlob {
    arrivals: Arc<Arrivals>,
    blob: Blob,
    /// Who has it, if it was left there.
    place: Option<String>,
}

/// A blob on its way, for one who reads it. It comes as long as anybody holds one of these.
#[derive(Debug)]
pub struct Arrival(Way);

/// How a blob comes.
#[derive(Debug)]
enum Way {
    /// From its beginning on.
    Whole(watch::Receiver<Progress>),
    /// The leaves around what is read.
    Piecemeal(Box<Piecemeal>),
}

/// A blob of which parts are read.
#[derive(Debug)]
struct Piecemeal {
    pending: PendingBlob,
    pieces: Arc<Pieces>,
    source: Arc<dyn BlockSource>,
    /// What is read first.
    first: Range<u64>,
    /// Leaves that are asked for, by where each begins.
    ahead: VecDeque<(u64, AbortOnDropHandle<Result<()>>)>,
}

/// A blob of the store that is asked for.
pub(in crate::engine) enum Stored {
    /// In the store and verified.
    Here(File),
    Pending(PendingBlob),
}

impl PendingBlob {
    /// Begins to get it for one who reads these parts, none for all of it.
    pub async fn begin_parts(&self, parts: &[Range<u64>]) -> Result<Arrival> {
        let bytes: u64 = parts.iter().map(|part| part.end - part.start).sum();
        let (Some(place), Some(first)) = (&self.place, parts.first()) else { return self.begin() };
        if self.blob.size < MIN_PIECEMEAL_BYTES || bytes > self.blob.size / 2 {
            return self.begin();
        }
        let source = self.arrivals.sources.open(place).await?;
        let (arrivals, blob) = (Arc::clone(&self.arrivals), self.blob.clone());
        let pieces = blocking(move || {
            let digests = || blobs::leaves(&*arrivals.catalog.read()?, &blob);
            arrivals.pieces.begin(&arrivals.store, &blob, arrivals.profile, digests)
        })
        .await?;
        let (pending, first) = (self.clone(), first.clone());
        let piecemeal = Piecemeal { pending, pieces, source, first, ahead: VecDeque::new() };
        Ok(Arrival(Way::Piecemeal(Box::new(piecemeal))))
    }

    /// Begins to get all of it, or joins those who wait for it already. Has to be called within a runtime; does not wait.
    pub fn begin(&self) -> Result<Arrival> {
        let runtime = Handle::try_current()
            .map_err(|error| Error::new(Kind::Unexpected, "there is no runtime to fetch with").caused_by(error))?;
        let mut running = self.arrivals.running();
        if let Some(progress) = running.get(&self.blob.digest) {
            return Ok(Arrival(Way::Whole(progress.subscribe())));
        }
        let (progress, arrival) = watch::channel(Progress::Waiting);
        let progress = Arc::new(progress);
        running.insert(self.blob.digest, Arc::clone(&progress));
        drop(running);
        runtime.spawn(self.clone().run(progress));
        Ok(Arrival(Way::Whole(arrival)))
    }

    /// Gets it, as long as anybody wants it.
    async fn run(self, progress: Arc<watch::Sender<Progress>>) {
        let digest = self.blob.digest;
        let tell = |now| drop(progress.send_replace(now));
        let outcome = {
            let mut getting = pin!(self.get(&tell));
            loop {
                tokio::select! {
                    outcome = &mut getting => break outcome,
                    () = progress.closed() => {
                        let mut running = self.arrivals.running();
                        // Somebody may have come since.
                        if progress.is_closed() {
                            running.remove(&digest);
                            return;
                        }
                    }
                }
            }
        };
        self.arrivals.running().remove(&digest);
        tell(match outcome {
            Ok(file) => Progress::Complete(Arc::new(file)),
            Err(error) => {
                if error.kind() == Kind::Verification && self.place.is_none() {
                    tracing::error!("blob {digest} is damaged: run `roadstead verify --repair`");
                } else {
                    tracing::error!(%error, "blob {digest} can't be served");
                }
                Progress::Failed(Arc::new(error))
            }
        });
    }

    async fn get(&self, tell: &(dyn Fn(Progress) + Send + Sync)) -> Result<File> {
        let arrivals = &self.arrivals;
        if let Some(place) = &self.place {
            if let Some(here) = self.found().await? {
                return Ok(here);
            }
            let _permit = arrivals.fetches.acquire().await.map_err(closed)?;
            arrivals.fetch(&self.blob, place, tell).await?;
        }
        self.verified().await
    }

    /// The blob's file, if somebody has brought it since this was made.
    async fn found(&self) -> Result<Option<File>> {
        if !self.arrivals.store.contains(&self.blob.digest, self.blob.size)? {
            return Ok(None);
        }
        Ok(self.verified().await.ok())
    }

    /// The blob's file, if it is here and right.
    async fn verified(&self) -> Result<File> {
        let permit = Arc::clone(&self.arrivals.checks).acquire_owned().await.map_err(closed)?;
        let (arrivals, digest) = (Arc::clone(&self.arrivals), self.blob.digest);
        let checking = move || {
            // Held until the file is read, even if nobody waits for that any more.
            let _permit = permit;
            let file = arrivals.store.open_blob(&digest)?;
            stamps::keep(&arrivals.catalog, &arrivals.store);
            Ok(file)
        };
        blocking(checking).await
    }
}

fn closed(error: tokio::sync::AcquireError) -> Error {
    Error::new(Kind::Unexpected, "blobs are no longer served").caused_by(error)
}

impl Arrival {
    /// Waits until some of what is read first can be read.
    pub async fn begun(&mut self) -> Result<()> {
        match &mut self.0 {
            Way::Whole(progress) => wait(progress, |now| !matches!(now, Progress::Waiting)).await.map(drop),
            Way::Piecemeal(piecemeal) => {
                let first = piecemeal.first.clone();
                piecemeal.reaches(first.start, first.end - first.start).await.map(drop)
            }
        }
    }

    /// Waits until the byte at `position` can be read, where `wanted` bytes are; says from which file, and which of its bytes can be
    /// read now.
    pub async fn reaches(&mut self, position: u64, wanted: u64) -> Result<(Arc<File>, Range<u64>)> {
        match &mut self.0 {
            Way::Whole(progress) => reached(progress, position).await,
            Way::Piecemeal(piecemeal) => piecemeal.reaches(position, wanted).await,
        }
    }

    /// Waits until all of it is here, where all of it comes.
    async fn complete(&mut self) -> Result<()> {
        match &mut self.0 {
            Way::Whole(progress) => {
                wait(progress, |now| matches!(now, Progress::Complete(_) | Progress::Failed(_))).await.map(drop)
            }
            Way::Piecemeal(_) => Ok(()),
        }
    }
}

/// Waits until the byte at `position` is among those that were written.
async fn reached(progress: &mut watch::Receiver<Progress>, position: u64) -> Result<(Arc<File>, Range<u64>)> {
    let reached = |now: &Progress| match now {
        Progress::Waiting => false,
        Progress::Growing(_, end) => position < *end,
        Progress::Complete(_) | Progress::Failed(_) => true,
    };
    match wait(progress, reached).await? {
        Progress::Growing(file, end) => Ok((file, 0..end)),
        Progress::Complete(file) => Ok((file, 0..u64::MAX)),
        Progress::Waiting | Progress::Failed(_) => Err(gone()),
    }
}

async fn wait(progress: &mut watch::Receiver<Progress>, until: impl FnMut(&Progress) -> bool) -> Result<Progress> {
    let progress = progress.wait_for(until).await.map_err(|_| gone())?;
    match &*progress {
        Progress::Failed(error) => {
            let again = Error::new(error.kind(), error.to_string());
            Err(error.hints().iter().fold(again, Error::hint))
        }
        progress => Ok(progress.clone()),
    }
}

impl Piecemeal {
    async fn reaches(&mut self, position: u64, wanted: u64) -> Result<(Arc<File>, Range<u64>)> {
        let leaf = self.pieces.leaf_around(position);
        if !self.pieces.has(position) {
            if let Some(elsewhere) = self.comes_whole(position).await? {
                return Ok(elsewhere);
            }
            self.bring(leaf.start, position.saturating_add(wanted)).await?;
            if self.pieces.wants_whole() {
                let mut whole = self.pending.begin()?;
                tokio::spawn(async move { drop(whole.complete().await) });
            }
        }
        Ok((self.pieces.file(), leaf))
    }

    /// The byte at `position` out of the whole blob, if that is here or will have come so far soon.
    async fn comes_whole(&self, position: u64) -> Result<Option<(Arc<File>, Range<u64>)>> {
        let running = self.pending.arrivals.running().get(&self.pending.blob.digest).map(Arc::clone);
        let Some(running) = running else {
            let found = self.pending.found().await?;
            return Ok(found.map(|file| (Arc::new(file), 0..u64::MAX)));
        };
        let is_near = match &*running.borrow() {
            Progress::Waiting => position < NEAR_BYTES,
            Progress::Growing(_, end) => position < end + NEAR_BYTES,
            Progress::Complete(_) => true,
            Progress::Failed(_) => false,
        };
        if !is_near {
            return Ok(None);
        }
        // What fails there is asked for here.
        Ok(reached(&mut running.subscribe(), position).await.ok())
    }

    /// Fetches the leaf that begins at `start`, and asks for some behind it before `end`.
    async fn bring(&mut self, start: u64, end: u64) -> Result<()> {
        while self.ahead.front().is_some_and(|(begins, _)| *begins != start) {
            self.ahead.pop_front();
        }
        let at_once = self.source.at_once().clamp(1, MAX_LEAVES_AHEAD);
        let mut next = self.ahead.back().map_or(start, |(begins, _)| self.pieces.leaf_around(*begins).end);
        while self.ahead.len() < at_once && next < end {
            let (pieces, source, position) = (Arc::clone(&self.pieces), Arc::clone(&self.source), next);
            next = pieces.leaf_around(position).end;
            let bringing = tokio::spawn(async move { pieces.bring(source.as_ref(), position).await });
            self.ahead.push_back((position, AbortOnDropHandle::new(bringing)));
        }
        let Some((_, bringing)) = self.ahead.front_mut() else { return Err(gone()) };
        let brought = bringing.await.map_err(crate::engine::blocking::panicked);
        self.ahead.pop_front();
        brought?
    }
}

fn gone() -> Error {
    Error::new(Kind::Unexpected, "the task that brings the blob has ended")
}

impl Arrivals {
    pub(in crate::engine) fn new(
        catalog: Arc<Catalog>,
        store: Store,
        profile: Profile,
        swarm: &Arc<SwarmMember>,
    ) -> Self {
        Self {
            catalog,
            store,
            profile,
            sources: Sources::new(Arc::clone(swarm)),
            pieces: KeptPieces::default(),
            running: Mutex::default(),
            fetches: Semaphore::new(MAX_CONCURRENT_FETCHES),
            checks: Arc::new(Semaphore::new(MAX_CONCURRENT_CHECKS)),
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<Digest, Arc<watch::Sender<Progress>>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Opens a blob of the store to give it out, if that needs neither fetching nor reading.
    pub(in crate::engine) fn find_stored(&self, connection: &Connection, blob: &Blob) -> Result<Stored> {
        let pending = |place| PendingBlob { arrivals: Arc::clone(&self.arrivals), blob: blob.clone(), place };
        let known = match self.store.open_known(&blob.digest, blob.size) {
            Ok(None) => match catalog::stamps::of(connection, blob.id)? {
                Some(stamp) => {
                    self.store.recall(&blob.digest, Stamp::from_numbers(stamp));
                    self.store.open_known(&blob.digest, blob.size)
                }
                None => Ok(None),
            },
            known => known,
        };
        match known {
            Ok(Some(file)) => Ok(Stored::Here(file)),
            Ok(None) => Ok(Stored::Pending(pending(None))),
            Err(error) => match left_blobs::place(connection, blob.id)? {
                Some(place) => Ok(Stored::Pending(pending(Some(place)))),
                None => Err(error),
            },
        }
    }

    /// Makes sure that a blob is in the store and right: brings it if it was left elsewhere, reads it if its file is not
    /// known to be the one that was verified. To be called before a blob of the store is read, where that may block.
    pub(in crate::engine) fn bring(&self, connection: &Connection, blob: &Blob) -> Result<()> {
        if blob.inline {
            return Ok(());
        }
        match self.find_stored(connection, blob) {
            // Whoever opens it says that it isn't there.
            Err(error) if error.kind() == Kind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(Stored::Here(_)) => Ok(()),
            Ok(Stored::Pending(PendingBlob { place: None, .. })) => self.store.open_blob(&blob.digest).map(drop),
            Ok(Stored::Pending(pending)) => {
                let runtime = Handle::try_current().map_err(|error| {
                    Error::new(Kind::Unexpected, "there is no runtime to fetch with").caused_by(error)
                })?;
                let mut arrival = pending.begin()?;
                runtime.block_on(arrival.complete())
            }
        }
    }
}
