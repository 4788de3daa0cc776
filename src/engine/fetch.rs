//! Fetching blobs: network → both digests → temporary file → sync → rename, in one pass and constant memory.
//!
//! One blocking thread per blob in flight pulls the body frame by frame; the connection's own task reads the next frame
//! meanwhile. No channel of our own lies between them: channels cost memory and gain no time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::Engine;
use super::job::{Event, Job, cancelled};
use super::plan::PlannedBlob;
use super::verify::panicked;
use crate::error::Result;
use crate::store::Verdict;
use crate::unixfs::hash::FileDigests;

impl Engine {
    /// Fetches one blob, or finds it in the store, and verifies it either way.
    pub(super) async fn fetch(self: Arc<Self>, blob: PlannedBlob, job: Job) -> Result<FileDigests> {
        let done = Arc::new(AtomicU64::new(0));
        job.tell(Event::BlobStarted {
            digest: blob.digest,
            image: blob.image.clone(),
            size: blob.size,
            done: Arc::clone(&done),
        });
        let outcome = self.fetch_verified(&blob, &job, &done).await;
        let failure = outcome.as_ref().err().map(ToString::to_string);
        job.tell(Event::BlobFinished { digest: blob.digest, failure });
        outcome.map_err(|error| {
            // A transfer that failed has named it.
            let short = &blob.digest.hex()[..12];
            if error.to_string().contains(short) {
                error
            } else {
                error.adding(format_args!("blob {} of {}", blob.digest, blob.image))
            }
        })
    }

    async fn fetch_verified(
        self: &Arc<Self>,
        blob: &PlannedBlob,
        job: &Job,
        done: &Arc<AtomicU64>,
    ) -> Result<FileDigests> {
        job.check()?;
        let profile = self.profile;
        let (digest, size) = (blob.digest, blob.size);
        let progress = {
            let (job, done) = (job.clone(), Arc::clone(done));
            move |bytes: u64| {
                done.fetch_add(bytes, Ordering::Relaxed);
                job.meter().advance(bytes);
            }
        };
        // What is on the disk already says nothing of how fast the rest comes.
        let found = {
            let (job, done) = (job.clone(), Arc::clone(done));
            move |bytes: u64| {
                done.fetch_add(bytes, Ordering::Relaxed);
                job.meter().find(bytes);
            }
        };
        // A run that was killed may have left it verified, but not recorded: reading it is cheaper than fetching it.
        if !blob.anew && self.store.contains(&digest, size)? {
            let (engine, advance) = (Arc::clone(self), found.clone());
            let verdict =
                spawn_blocking(move || engine.store.verify(&digest, size, profile, &mut |bytes| advance(bytes)))
                    .await
                    .map_err(panicked)??;
            match verdict {
                Verdict::Good(digests) => return Ok(digests),
                // What is there stays until a good copy replaces it: upstream may not have it any more.
                _ => job.tell(Event::Note(format!("{digest} is damaged here and fetched again."))),
            }
        }
        let engine = Arc::clone(self);
        let mut writer =
            spawn_blocking(move || engine.store.begin(digest, size, profile)).await.map_err(panicked)??;
        found(writer.position());
        if let Some(bytes) = blob.bytes.clone() {
            // Verified when it was read; a beginning that an earlier run left is kept.
            let rest = bytes.slice((writer.position() as usize).min(bytes.len())..);
            found(rest.len() as u64);
            return spawn_blocking(move || writer.write(&rest).and_then(|()| writer.commit()))
                .await
                .map_err(panicked)?;
        }
        let mut body = job.or_cancelled(blob.registry.blob(&blob.repository, &digest, size, writer.position())).await?;
        let cancel = job.cancellation().clone();
        let handle = Handle::current();
        spawn_blocking(move || {
            loop {
                let chunk = handle.block_on(async {
                    tokio::select! {
                        biased;
                        () = cancel.cancelled() => Err(cancelled()),
                        chunk = body.chunk() => chunk,
                    }
                })?;
                let Some(chunk) = chunk else { break };
                writer.write(&chunk)?;
                progress(chunk.len() as u64);
            }
            drop(body);
            writer.commit()
        })
        .await
        .map_err(panicked)?
    }
}
