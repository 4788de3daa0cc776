//! Applying a plan to add: fetches each blob once, several at a time, and records each image as soon as it is complete.
//!
//! A lease keeps what was fetched from `gc` until it is recorded (`turn`). The plan's lock is taken for recording alone: who
//! only waits for a network is in nobody's way, and plans to add run side by side.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use tokio::task::{JoinSet, spawn_blocking};

use crate::catalog::blobs;
use crate::engine::Engine;
use crate::engine::blocking::{in_place, panicked};
use crate::engine::change::record::Ready;
use crate::engine::job::{Event, Job};
use crate::engine::plan::{AddPlan, Added, Change, FailedRequest, PlannedBlob, PlannedImage};
use crate::engine::turn::Turns;
use crate::error::{Error, Kind, Result};
use crate::image::Digest;
use crate::unixfs::file;
use crate::unixfs::hash::FileDigests;

/// Blobs that are fetched at the same time, over all registries; each registry has its own limit below that.
pub(in crate::engine) const MAX_CONCURRENT_BLOBS: usize = 6;

/// Most images that are recorded in one change of the catalog. What a kill can undo is bounded by it, though not lost: the
/// blobs stay, verified.
const MAX_BATCH_IMAGES: usize = 256;

/// Images that were recorded together, with what became of each.
type Batch = Vec<(PlannedImage, Result<()>)>;

/// An image that waits for its blobs.
struct Pending {
    image: PlannedImage,
    missing: BTreeSet<Digest>,
}

impl Engine {
    /// Runs exactly this plan. Images that fail do not stop the others; what is verified is kept however it ends.
    pub async fn apply_add(self: &Arc<Self>, plan: AddPlan, verb: &str, job: &Job) -> Result<Added> {
        let _listening = self.notices.listen(job);
        // What a rule selects is an update of what it has.
        let verb = if plan.rule.is_some() { "update" } else { verb };
        if verb == "add" {
            in_place(|| self.keep_by_hand(&plan))?;
        }
        let doing = match plan.images.iter().filter(|image| image.change != Change::Unchanged).collect::<Vec<_>>()[..] {
            [] => return self.run_add(plan, verb, &Turns::none(), job).await,
            [one] => format!("{verb} {}", one.request),
            ref many => format!("{verb} {} images", many.len()),
        };
        let _lease = self.lease(&doing, job).await?;
        {
            // Whoever can't record anything in time learns it before hours of bytes.
            let _lock = self.lock(&doing, job).await?;
            if let Some(rule) = &plan.rule {
                in_place(|| self.note_taken(rule, &plan.images))?;
            }
        }
        self.run_add(plan, verb, &Turns::of(doing), job).await
    }

    /// The same, for who has a lease already, and perhaps the right to change the catalog.
    pub(in crate::engine) async fn run_add(
        self: &Arc<Self>,
        plan: AddPlan,
        verb: &str,
        turns: &Arc<Turns>,
        job: &Job,
    ) -> Result<Added> {
        let mut added = Added { verb: verb.to_owned(), failed: plan.failed, gone: plan.gone, ..Added::default() };
        let images: Vec<PlannedImage> =
            plan.images.into_iter().filter(|image| image.change != Change::Unchanged).collect();
        if images.is_empty() {
            added.root = in_place(|| self.root())?;
            return Ok(added);
        }
        job.meter().expect(plan.new_bytes);
        job.tell(Event::Fetching { blobs: plan.fetch.len() as u64, bytes: plan.new_bytes });
        let mut run = Run {
            engine: self,
            verb,
            turns,
            job,
            ready: Ready::new(),
            waiting: HashMap::new(),
            pending: Vec::new(),
            complete: VecDeque::new(),
            added: &mut added,
        };
        run.prepare(images, &plan.fetch);
        let outcome = run.fetch_all(plan.fetch).await;
        let ready = run.ready;
        // What is verified stays, also when the images that wanted it did not come to be.
        let kept = self.keep(ready).await;
        outcome?;
        kept?;
        added.root = in_place(|| self.root())?;
        Ok(added)
    }

    /// Records blobs that are in the store, so that the next plan knows them.
    pub(in crate::engine) async fn keep(self: &Arc<Self>, ready: Ready) -> Result<()> {
        if ready.is_empty() {
            return Ok(());
        }
        let kept = self.blocking(move |engine| {
            engine.store.sync_directory()?;
            engine.catalog.write(|writer| {
                for (digest, digests) in &ready {
                    let link = file::root(engine.profile, digests.size, &digests.leaves)?;
                    let new = blobs::NewBlob {
                        digest: *digest,
                        size: digests.size,
                        link,
                        leaves: &digests.leaves,
                        bytes: None,
                    };
                    blobs::record(writer, &new)?;
                }
                Ok(())
            })
        });
        kept.await
    }
}

/// One application of a plan.
struct Run<'r> {
    engine: &'r Arc<Engine>,
    verb: &'r str,
    turns: &'r Arc<Turns>,
    job: &'r Job,
    ready: Ready,
    /// Which pending images wait for a digest.
    waiting: HashMap<Digest, Vec<usize>>,
    pending: Vec<Option<Pending>>,
    /// Images whose blobs are all here, in the order in which they got complete.
    complete: VecDeque<PlannedImage>,
    added: &'r mut Added,
}

impl Run<'_> {
    fn prepare(&mut self, images: Vec<PlannedImage>, fetch: &[PlannedBlob]) {
        let to_fetch: BTreeSet<Digest> = fetch.iter().map(|blob| blob.digest).collect();
        for image in images {
            let all = image.blobs.iter().chain(image.attached.iter().flat_map(|attached| &attached.blobs));
            let missing: BTreeSet<Digest> =
                all.map(|blob| blob.digest).filter(|digest| to_fetch.contains(digest)).collect();
            for digest in &missing {
                self.waiting.entry(*digest).or_default().push(self.pending.len());
            }
            self.pending.push(Some(Pending { image, missing }));
        }
    }

    /// Fetches what is missing, and records images as they get complete: while one batch is being recorded the next one
    /// gathers, so batches are as large as recording is slow.
    async fn fetch_all(&mut self, fetch: Vec<PlannedBlob>) -> Result<()> {
        for index in 0..self.pending.len() {
            self.gather_if_complete(index);
        }
        let mut queue = fetch.into_iter();
        let mut running: JoinSet<(Digest, u64, Result<FileDigests>)> = JoinSet::new();
        let mut recording: JoinSet<Batch> = JoinSet::new();
        loop {
            while running.len() < MAX_CONCURRENT_BLOBS && !self.job.is_ending() {
                // A blob whose images have all failed already is not wanted any more.
                let Some(blob) = queue.find(|blob| self.is_wanted(&blob.digest)) else { break };
                let (engine, job, digest, size) = (Arc::clone(self.engine), self.job.clone(), blob.digest, blob.size);
                running.spawn(async move { (digest, size, engine.fetch(blob, job).await) });
            }
            if recording.is_empty() && !self.complete.is_empty() {
                self.record_batch(&mut recording);
            }
            let (digest, size, outcome) = tokio::select! {
                Some(recorded) = recording.join_next() => {
                    self.recorded(recorded.map_err(panicked)?);
                    continue;
                }
                Some(fetched) = running.join_next() => fetched.map_err(panicked)?,
                else => break,
            };
            match outcome {
                Ok(digests) => {
                    self.added.fetched += size;
                    self.ready.insert(digest, digests);
                    for index in self.waiting.remove(&digest).unwrap_or_default() {
                        if let Some(pending) = &mut self.pending[index] {
                            pending.missing.remove(&digest);
                        }
                        self.gather_if_complete(index);
                    }
                }
                Err(error) if error.kind() == Kind::Interrupted => {}
                Err(error) => self.fail(&digest, error),
            }
        }
        self.job.check()
    }

    fn is_wanted(&self, digest: &Digest) -> bool {
        self.waiting.get(digest).is_some_and(|images| images.iter().any(|index| self.pending[*index].is_some()))
    }

    fn gather_if_complete(&mut self, index: usize) {
        if let Some(pending) = self.pending[index].take_if(|pending| pending.missing.is_empty()) {
            self.complete.push_back(pending.image);
        }
    }

    fn record_batch(&mut self, recording: &mut JoinSet<Batch>) {
        let images: Vec<PlannedImage> = self.complete.drain(..self.complete.len().min(MAX_BATCH_IMAGES)).collect();
        let blobs = images
            .iter()
            .flat_map(|image| image.blobs.iter().chain(image.attached.iter().flat_map(|attached| &attached.blobs)));
        let ready: Ready =
            blobs.filter_map(|blob| Some((blob.digest, self.ready.get(&blob.digest)?.clone()))).collect();
        let (engine, verb, job) = (Arc::clone(self.engine), self.verb.to_owned(), self.job.clone());
        let turns = Arc::clone(self.turns);
        recording.spawn(async move {
            let turn = match engine.turn(&turns, &job).await {
                Ok(turn) => turn,
                // All of them have waited in vain.
                Err(error) => {
                    return images.into_iter().map(|image| (image, Err(error.again()))).collect();
                }
            };
            let recorded = spawn_blocking(move || {
                let outcomes = engine.record_all(&images, &verb, &ready);
                drop(turn);
                images.into_iter().zip(outcomes).collect()
            });
            match recorded.await {
                Ok(recorded) => recorded,
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        });
    }

    fn recorded(&mut self, batch: Batch) {
        for (image, outcome) in batch {
            let shown = image.shown();
            match outcome {
                Ok(()) => {
                    self.job.tell(Event::Recorded { image: shown.clone() });
                    self.added.recorded.push(shown);
                }
                // The job says it once, of all of it.
                Err(error) if error.kind() == Kind::Interrupted => {}
                Err(error) => {
                    self.job.tell(Event::Failed { image: shown, reason: error.to_string() });
                    self.added.failed.push(FailedRequest { request: image.request, error });
                }
            }
        }
    }

    /// The images that wait for this blob have failed.
    fn fail(&mut self, digest: &Digest, error: Error) {
        let mut error = Some(error);
        for index in self.waiting.remove(digest).unwrap_or_default() {
            let Some(pending) = self.pending[index].take() else { continue };
            let shown = pending.image.shown();
            let error = error
                .take()
                .unwrap_or_else(|| Error::new(Kind::Network, format!("{digest} could not be fetched (see above)")));
            self.job.tell(Event::Failed { image: shown, reason: error.to_string() });
            self.added.failed.push(FailedRequest { request: pending.image.request, error });
        }
    }
}
