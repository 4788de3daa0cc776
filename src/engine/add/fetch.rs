//! Fetching blobs: network → both digests → temporary file → sync → rename, in one pass and constant memory.
//!
//! One blocking thread per blob in flight pulls the body frame by frame; the connection's own task reads the next frame
//! meanwhile. No channel of our own lies between them: channels cost memory and gain no time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;

use crate::engine::Engine;
use crate::engine::blocking::blocking;
use crate::engine::job::{Event, Job, cancelled};
use crate::engine::plan::PlannedBlob;
use crate::error::{Kind, Result};
use crate::store::{Verdict, Writer};
use crate::unixfs::hash::FileDigests;

/// How often it is looked whether another run has fetched a blob, or has ended.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

impl Engine {
    /// Fetches one blob, or finds it in the store, and verifies it either way.
    pub(in crate::engine) async fn fetch(self: Arc<Self>, blob: PlannedBlob, job: Job) -> Result<FileDigests> {
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
            if error.is_about(blob.digest) {
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
        // What is on the disk already says nothing of how fast the rest comes.
        let found = {
            let (job, done) = (job.clone(), Arc::clone(done));
            move |bytes: u64| {
                done.fetch_add(bytes, Ordering::Relaxed);
                job.meter().find(bytes);
            }
        };
        let digest = blob.digest;
        let mut started_over = false;
        loop {
            job.check()?;
            if !blob.anew
                && let Some(digests) = self.stored(blob, job, found.clone()).await?
            {
                return Ok(digests);
            }
            let (writer, waited) = self.begin_alone(blob, job).await?;
            if waited && !blob.anew && self.store.contains(&digest, blob.size)? {
                continue;
            }
            let is_resumed = writer.is_resumed();
            found(writer.position());
            match self.receive(blob, writer, job, done).await {
                // Nobody has verified what an earlier run left: whoever sent it may have sent anything. What comes now may be
                // right.
                Err(error) if error.kind() == Kind::Verification && is_resumed && !started_over => {
                    started_over = true;
                    job.tell(Event::Note(format!(
                        "The partial file of {digest} was damaged; fetching it from the beginning."
                    )));
                    job.meter().expect(blob.size);
                    done.store(0, Ordering::Relaxed);
                }
                outcome => return outcome,
            }
        }
    }

    /// The blob if it is in the store, verified: a run that was killed may have left it, or another one that runs has just
    /// fetched it; reading it is cheaper than fetching it.
    async fn stored(
        self: &Arc<Self>,
        blob: &PlannedBlob,
        job: &Job,
        found: impl Fn(u64) + Send + 'static,
    ) -> Result<Option<FileDigests>> {
        let (digest, size) = (blob.digest, blob.size);
        if !self.store.contains(&digest, size)? {
            return Ok(None);
        }
        let verify =
            move |engine: &Arc<Self>| engine.store.verify(&digest, size, engine.profile, &mut |bytes| found(bytes));
        match self.blocking(verify).await? {
            Verdict::Good(digests) => Ok(Some(digests)),
            // What is there stays until a good copy replaces it: upstream may not have it any more.
            _ => {
                job.tell(Event::Note(format!("{digest} is damaged here; fetching it again.")));
                Ok(None)
            }
        }
    }

    /// Begins to write a blob, once nobody else is writing it; and whether that was waited for.
    async fn begin_alone(self: &Arc<Self>, blob: &PlannedBlob, job: &Job) -> Result<(Writer, bool)> {
        let (digest, size) = (blob.digest, blob.size);
        let mut waited = false;
        loop {
            match self.blocking(move |engine| engine.store.begin(digest, size, engine.profile)).await {
                Err(error) if error.kind() == Kind::Locked => {
                    if !waited {
                        job.tell(Event::Note(format!("Waiting for {digest}, which another run is fetching.")));
                    }
                    waited = true;
                    job.or_cancelled(async {
                        tokio::time::sleep(RETRY_INTERVAL).await;
                        Ok(())
                    })
                    .await?;
                }
                begun => return Ok((begun?, waited)),
            }
        }
    }

    /// Takes what is missing of a blob, and verifies all of it.
    async fn receive(
        &self,
        blob: &PlannedBlob,
        mut writer: Writer,
        job: &Job,
        done: &Arc<AtomicU64>,
    ) -> Result<FileDigests> {
        let (job_of_it, done) = (job.clone(), Arc::clone(done));
        if let Some(bytes) = blob.bytes.clone() {
            // Verified when it was read; a beginning that an earlier run left is kept.
            let rest = bytes.slice((writer.position() as usize).min(bytes.len())..);
            done.fetch_add(rest.len() as u64, Ordering::Relaxed);
            job.meter().find(rest.len() as u64);
            return blocking(move || writer.write(&rest).and_then(|()| writer.commit())).await;
        }
        let from = writer.position();
        let mut body = job.or_cancelled(blob.registry.blob(&blob.repository, &blob.digest, blob.size, from)).await?;
        // The writer hashes leaves, too: what is hashed before costs a second pass.
        if self.profile.raw_leaves() {
            body.leave_leaves_unverified(self.profile.chunk_size());
        }
        let cancel = job.cancellation().clone();
        let handle = Handle::current();
        blocking(move || {
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
                done.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                job_of_it.meter().advance(chunk.len() as u64);
                if let Some(leaf) = body.unverified_leaf()
                    && !writer.ends_with_leaf(&leaf)
                {
                    body.refuse_leaf();
                    let refused = writer.take_back_leaf();
                    done.fetch_sub(refused, Ordering::Relaxed);
                    job_of_it.meter().expect(refused);
                }
            }
            drop(body);
            writer.commit()
        })
        .await
    }
}
