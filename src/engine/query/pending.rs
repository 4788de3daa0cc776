//! Blobs that can't be given out at once: their bytes are elsewhere until they are needed, or their file is not known to be
//! the one that was verified.
//!
//! One task for a blob, however many ask for it; each reads along from what is verified and written so far. Nothing else
//! waits for it: no transaction and no lock is held while a network or a disk is waited for. When nobody asks any more the
//! task ends; what it verified stays.

use std::collections::HashMap;
use std::fs::File;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};

use crate::catalog::blobs::Blob;
use crate::catalog::{self, Catalog, left_blobs};
use crate::engine::Engine;
use crate::engine::blocking::blocking;
use crate::engine::keep::stamps;
use crate::engine::restore::lazy::Sources;
use crate::engine::swarm_member::SwarmMember;
use crate::error::{Error, Kind, Result};
use crate::image::Digest;
use crate::store::{Stamp, Store};
use crate::unixfs::Profile;

/// Blobs that are fetched at once; each has a few blocks in memory.
const MAX_CONCURRENT_FETCHES: usize = 8;
/// Blobs that are verified at once: more would only share the disk and the processors.
const MAX_CONCURRENT_CHECKS: usize = 2;

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
pub struct Arrival(watch::Receiver<Progress>);

/// A blob of the store that is asked for.
pub(in crate::engine) enum Stored {
    /// In the store and verified.
    Here(File),
    Pending(PendingBlob),
}

impl PendingBlob {
    /// Begins to get it, or joins those who wait for it already. Has to be called within a runtime; does not wait.
    pub fn begin(&self) -> Result<Arrival> {
        let runtime = Handle::try_current()
            .map_err(|error| Error::new(Kind::Unexpected, "there is no runtime to fetch with").caused_by(error))?;
        let mut running = self.arrivals.running();
        if let Some(progress) = running.get(&self.blob.digest) {
            return Ok(Arrival(progress.subscribe()));
        }
        let (progress, arrival) = watch::channel(Progress::Waiting);
        let progress = Arc::new(progress);
        running.insert(self.blob.digest, Arc::clone(&progress));
        drop(running);
        runtime.spawn(self.clone().run(progress));
        Ok(Arrival(arrival))
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
            if arrivals.store.contains(&self.blob.digest, self.blob.size)?
                && let Ok(here) = self.verified().await
            {
                return Ok(here);
            }
            let _permit = arrivals.fetches.acquire().await.map_err(closed)?;
            arrivals.fetch(&self.blob, place, tell).await?;
        }
        self.verified().await
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
    /// Waits until some of it can be read.
    pub async fn begun(&mut self) -> Result<()> {
        self.wait(|progress| !matches!(progress, Progress::Waiting)).await.map(drop)
    }

    /// Waits until the byte at `position` can be read; says from which file, and how many of its first bytes can be read now.
    pub async fn reaches(&mut self, position: u64) -> Result<(Arc<File>, u64)> {
        let reached = |progress: &Progress| match progress {
            Progress::Waiting => false,
            Progress::Growing(_, end) => position < *end,
            Progress::Complete(_) | Progress::Failed(_) => true,
        };
        match self.wait(reached).await? {
            Progress::Growing(file, end) => Ok((file, end)),
            Progress::Complete(file) => Ok((file, u64::MAX)),
            Progress::Waiting | Progress::Failed(_) => Err(gone()),
        }
    }

    /// Waits until all of it is here.
    async fn complete(&mut self) -> Result<()> {
        self.wait(|progress| matches!(progress, Progress::Complete(_) | Progress::Failed(_))).await.map(drop)
    }

    async fn wait(&mut self, until: impl FnMut(&Progress) -> bool) -> Result<Progress> {
        let progress = self.0.wait_for(until).await.map_err(|_| gone())?;
        match &*progress {
            Progress::Failed(error) => {
                let again = Error::new(error.kind(), error.to_string());
                Err(error.hints().iter().fold(again, Error::hint))
            }
            progress => Ok(progress.clone()),
        }
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
