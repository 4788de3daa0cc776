//! Fetching what a new root needs, while the old one stays: blobs, manifests and configurations get rows that no image has yet,
//! under a lease that keeps them.
//!
//! Images are resolved a batch at a time, and of each only what its rows are made of is kept: manifests are read from the
//! catalog again when they are recorded.

use std::collections::HashMap;
use std::sync::Arc;

use futures::{StreamExt as _, stream};
use tokio::task::JoinSet;

use super::difference::Difference;
use super::setting::Mode;
use crate::catalog::blobs;
use crate::engine::Engine;
use crate::engine::add::apply::MAX_CONCURRENT_BLOBS;
use crate::engine::add::resolve::Resolved;
use crate::engine::blocking::{in_place, panicked};
use crate::engine::change::record::{Ready, record_manifest};
use crate::engine::job::{Event, Job};
use crate::engine::plan::{AddPlan, AttachedImage, PlannedBlob, PlannedImage, PlannedManifest};
use crate::engine::restore::ReturningRepository;
use crate::engine::restore::tree::Tree;
use crate::error::{Error, Kind, Result};
use crate::image::{Digest, Manifest};
use crate::unixfs::hash::FileDigests;

/// Images that are resolved and fetched together. Their manifests are in memory meanwhile.
const MAX_BATCH_IMAGES: usize = 128;
/// Images that are resolved at the same time.
const MAX_CONCURRENT_IMAGES: usize = 8;

/// An image of which everything is here but its rows.
pub(super) struct Gathered {
    /// Without its manifests.
    image: PlannedImage,
    manifests: Vec<Digest>,
    attached: Vec<Vec<Digest>>,
}

/// What was fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Fetched {
    pub(super) bytes: u64,
    /// Blobs that were left where they are.
    pub(super) left: u64,
}

impl Gathered {
    fn of(mut image: PlannedImage) -> Self {
        let digests =
            |manifests: &mut Vec<Arc<PlannedManifest>>| manifests.drain(..).map(|manifest| manifest.digest).collect();
        let manifests = digests(&mut image.manifests);
        let attached = image.attached.iter_mut().map(|attached| digests(&mut attached.manifests)).collect();
        // Of what is read for a plan, nothing is needed any more.
        image.read = HashMap::new();
        image.attached.iter_mut().for_each(|attached| attached.read = HashMap::new());
        Self { image, manifests, attached }
    }

    /// The image as it was planned, its manifests from the catalog.
    pub(super) fn planned(&self, connection: &rusqlite::Connection) -> Result<PlannedImage> {
        let read = |digests: &[Digest]| -> Result<Vec<_>> {
            digests.iter().map(|digest| manifest(connection, digest)).collect()
        };
        let mut image = self.image.clone();
        image.manifests = read(&self.manifests)?;
        for (attached, manifests) in image.attached.iter_mut().zip(&self.attached) {
            attached.manifests = read(manifests)?;
        }
        Ok(image)
    }

    /// `name:tag` or `name@digest`.
    pub(super) fn shown(&self) -> String {
        self.image.shown()
    }
}

fn manifest(connection: &rusqlite::Connection, digest: &Digest) -> Result<Arc<PlannedManifest>> {
    let gone = || Error::new(Kind::Locked, format!("{digest} was removed while it was waited for the rest"));
    let blob = blobs::by_digest(connection, digest)?.filter(|blob| blob.inline).ok_or_else(gone)?;
    let row = blobs::manifest(connection, blob.id)?.ok_or_else(gone)?;
    let bytes = blobs::bytes(connection, blob.id)?;
    let manifest = Manifest::parse(&bytes, Some(&row.media_type))?;
    Ok(Arc::new(PlannedManifest { digest: *digest, bytes, manifest }))
}

impl Engine {
    /// Fetches and verifies what the images that come or change need, as far as the mode says; blobs that can wait are left at
    /// `place`.
    pub(super) async fn gather(
        self: &Arc<Self>,
        tree: &Tree,
        difference: &Difference,
        mode: Mode,
        place: &str,
        job: &Job,
    ) -> Result<(Vec<Gathered>, Fetched)> {
        let repositories: Vec<ReturningRepository> = difference
            .repositories
            .iter()
            .filter_map(|changed| changed.record.as_ref())
            .map(|record| ReturningRepository::published(record, tree.clone()))
            .collect();
        let all: Vec<(usize, usize)> = repositories
            .iter()
            .enumerate()
            .flat_map(|(of, repository)| (0..repository.images.len()).map(move |at| (of, at)))
            .collect();
        let (mut gathered, mut fetched) = (Vec::with_capacity(all.len()), Fetched::default());
        for batch in all.chunks(MAX_BATCH_IMAGES) {
            job.check()?;
            let mut plan = self.resolve_published(&repositories, batch, job).await?;
            if let Some(failed) = plan.failed.pop() {
                return Err(failed.into_error());
            }
            if mode != Mode::All {
                let wanted = |image: &PlannedImage| mode == Mode::Tags && image.tag.is_some();
                fetched.left += self.leave_blobs(tree, &mut plan, wanted, place, job).await?.blobs;
            }
            fetched.bytes += self.fetch_beside(&mut plan, job).await?;
            gathered.extend(plan.images.into_iter().map(Gathered::of));
            job.tell(Event::Progress { what: "images", done: gathered.len() as u64, total: all.len() as u64 });
        }
        Ok((gathered, fetched))
    }

    async fn resolve_published(
        &self,
        repositories: &[ReturningRepository],
        batch: &[(usize, usize)],
        job: &Job,
    ) -> Result<AddPlan> {
        let each = batch.iter().enumerate().map(|(index, (of, at))| async move {
            let repository = &repositories[*of];
            let image = &repository.images[*at];
            let mut placed = repository.placed(image);
            placed.exact = true;
            let outcome = job.or_cancelled(self.resolve_placed(placed, job)).await;
            let outcome = outcome.map(|(mut image, source)| {
                // That it was published is its curator's consent, who is followed.
                image.allowed = image.private;
                (image, source)
            });
            Resolved { index, request: repository.shown(image), outcome }
        });
        // In a list, since a stream that holds a closure over references can't be sent.
        let mut resolving = stream::iter(each.collect::<Vec<_>>()).buffer_unordered(MAX_CONCURRENT_IMAGES);
        let mut outcomes = Vec::with_capacity(batch.len());
        while let Some(outcome) = resolving.next().await {
            outcomes.push(outcome);
        }
        drop(resolving);
        job.check()?;
        in_place(|| self.plan_of(outcomes))
    }

    /// Fetches the blobs of a plan, several at a time, and gives them and its manifests rows. The bytes that came.
    async fn fetch_beside(self: &Arc<Self>, plan: &mut AddPlan, job: &Job) -> Result<u64> {
        job.meter().expect(plan.new_bytes);
        let mut queue = std::mem::take(&mut plan.fetch).into_iter();
        let mut running: JoinSet<(Digest, u64, Result<FileDigests>)> = JoinSet::new();
        let (mut ready, mut bytes, mut failure) = (Ready::new(), 0, None);
        loop {
            while failure.is_none() && running.len() < MAX_CONCURRENT_BLOBS && !job.is_ending() {
                let Some(blob) = queue.next() else { break };
                let (engine, job) = (Arc::clone(self), job.clone());
                running.spawn(fetch_one(engine, blob, job));
            }
            let Some(fetched) = running.join_next().await else { break };
            match fetched.map_err(panicked)? {
                (digest, size, Ok(digests)) => {
                    bytes += size;
                    ready.insert(digest, digests);
                }
                (_, _, Err(error)) => failure = failure.or(Some(error)),
            }
        }
        // What is verified stays, whatever became of the rest: the next try goes on from here.
        self.keep(ready).await?;
        if let Some(error) = failure {
            return Err(error);
        }
        job.check()?;
        let manifests: Vec<Arc<PlannedManifest>> = plan
            .images
            .iter()
            .flat_map(|image| image.manifests.iter().chain(image.attached.iter().flat_map(of_attached)))
            .cloned()
            .collect();
        let kept = self.blocking(move |engine| {
            let settings = engine.settings()?;
            engine.catalog.write(|writer| {
                manifests.iter().try_for_each(|manifest| record_manifest(writer, &settings, manifest).map(drop))
            })
        });
        kept.await?;
        Ok(bytes)
    }

    /// Fetches blobs that were left elsewhere while less was wanted.
    pub(super) async fn bring_left(self: &Arc<Self>, mode: Mode, job: &Job) -> Result<()> {
        if mode == Mode::Lazy {
            return Ok(());
        }
        let left = self
            .blocking(move |engine| crate::catalog::left_blobs::wanted(&*engine.catalog.read()?, mode == Mode::Tags));
        for id in left.await? {
            job.check()?;
            let bring = self.blocking(move |engine| {
                let reader = engine.catalog.read()?;
                engine.bring(&reader, &blobs::by_id(&reader, id)?)
            });
            job.or_cancelled(bring).await?;
        }
        Ok(())
    }
}

async fn fetch_one(engine: Arc<Engine>, blob: PlannedBlob, job: Job) -> (Digest, u64, Result<FileDigests>) {
    let (digest, size) = (blob.digest, blob.size);
    (digest, size, engine.fetch(blob, job).await)
}

fn of_attached(attached: &AttachedImage) -> &[Arc<PlannedManifest>] {
    &attached.manifests
}
