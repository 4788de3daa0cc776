//! Checking everything again: blobs against their digests and CIDs, manifests, and the tree against the catalog.

use std::sync::Arc;

use super::needed::Needed;
use crate::catalog::blobs::Blob;
use crate::catalog::{TemporaryCopy, Writer, blobs, images, left_blobs, repositories, settings, state, statistics};
use crate::engine::Engine;
use crate::engine::blocking::in_place;
use crate::engine::change::touched::{Touched, TouchedRepository};
use crate::engine::job::{Event, Job};
use crate::engine::plan::PlannedBlob;
use crate::engine::query::view::{Damage, Verified};
use crate::error::{Error, Kind, Result};
use crate::image::Digest;
use crate::store::Verdict;
use crate::unixfs::file;

/// How many images that need a damaged blob are named.
const MAX_NAMED_IMAGES: u64 = 5;

impl Engine {
    /// Reads and checks everything; with `repair`, fetches what is damaged again.
    pub async fn verify(self: &Arc<Self>, repair: bool, job: &Job) -> Result<Verified> {
        let _listening = self.notices.listen(job);
        // What is being reclaimed would be found missing; and what is fetched again must not be.
        let _lease = self.lease(if repair { "verify --repair" } else { "verify" }, job).await?;
        let mut verified = Verified { repair, ..Verified::default() };
        let all = self.blocking(|engine| engine.stored_blobs()).await?;
        job.meter().expect(all.iter().map(|blob| blob.size).sum());
        let total = all.len() as u64;
        for (done, blob) in all.into_iter().enumerate() {
            job.check()?;
            if in_place(|| self.is_left(&blob))? {
                verified.left += 1;
                continue;
            }
            verified.count(&blob, in_place(|| statistics::is_counted(&*self.catalog.read()?, blob.id))?);
            if let Some(problem) = self.check_blob(blob.clone(), job).await?
                && in_place(|| self.is_still_needed(&blob.digest))?
            {
                verified.damaged.push(in_place(|| self.damage(&blob, problem))?);
            }
            job.tell(Event::Progress { what: "blobs", done: done as u64 + 1, total });
        }
        in_place(|| {
            self.keep_stamps();
            self.check_inline(&mut verified)?;
            self.check_published(&mut verified)
        })?;
        verified.root_matches = self.blocking(|engine| engine.root_from_nothing()).await?;
        if repair {
            self.repair(&mut verified, job).await?;
        }
        Ok(verified)
    }

    /// What lies in the blob store and is needed.
    fn stored_blobs(&self) -> Result<Vec<Blob>> {
        let reader = self.catalog.read()?;
        let mut all = Vec::new();
        let needed = Needed::of(&reader)?;
        blobs::each_stored(&reader, |blob| {
            if needed.has_blob(&reader, &blob)? {
                all.push(blob);
            }
            Ok(())
        })?;
        Ok(all)
    }

    /// Whether it is not here because it was left elsewhere.
    fn is_left(&self, blob: &Blob) -> Result<bool> {
        Ok(self.store.size(&blob.digest)?.is_none() && left_blobs::place(&*self.catalog.read()?, blob.id)?.is_some())
    }

    /// Whether it was not removed and reclaimed while it was being checked.
    fn is_still_needed(&self, digest: &Digest) -> Result<bool> {
        let reader = self.catalog.read()?;
        match blobs::by_digest(&reader, digest)? {
            Some(blob) => Needed::of(&reader)?.has_blob(&reader, &blob),
            None => Ok(false),
        }
    }

    async fn check_blob(self: &Arc<Self>, blob: Blob, job: &Job) -> Result<Option<String>> {
        let job = job.clone();
        let checked = self.blocking(move |engine| {
            let verdict = engine
                .store
                .verify(&blob.digest, blob.size, engine.profile, &mut |bytes| job.meter().advance(bytes))?;
            Ok(match verdict {
                Verdict::Good(digests) => {
                    let link = file::root(engine.profile, digests.size, &digests.leaves)?;
                    let leaves = blobs::leaves(&*engine.catalog.read()?, &blob)?;
                    (link != blob.link || leaves != digests.leaves)
                        .then(|| "the catalog has another CID for it".to_owned())
                }
                Verdict::Missing => Some("its file is missing".to_owned()),
                Verdict::Unreadable(why) => Some(why),
                Verdict::Damaged(found) => {
                    Some(format!("its file has {} bytes with the digest {}", found.size, found.digest))
                }
            })
        });
        checked.await
    }

    fn damage(&self, blob: &Blob, problem: String) -> Result<Damage> {
        let reader = self.catalog.read()?;
        let (images, _) = statistics::sharers(&reader, blob.id, 0, MAX_NAMED_IMAGES)?;
        Ok(Damage { digest: blob.digest, problem, images })
    }

    /// Manifests and generated files, which the catalog holds.
    fn check_inline(&self, verified: &mut Verified) -> Result<()> {
        let reader = self.catalog.read()?;
        let mut damaged = Vec::new();
        blobs::each_inline(&reader, |blob| {
            let bytes = blobs::bytes(&reader, blob.id)?;
            verified.count(&blob, statistics::is_counted(&reader, blob.id)?);
            if Digest::of(&bytes) != blob.digest || file::of_bytes(self.profile, &bytes).0 != blob.link {
                damaged.push(blob);
            }
            Ok(())
        })?;
        for blob in damaged {
            verified.damaged.push(self.damage(&blob, "its bytes in the catalog don't match its digest".to_owned())?);
        }
        Ok(())
    }

    /// That nothing of the published roots that are kept is missing.
    fn check_published(&self, verified: &mut Verified) -> Result<()> {
        let reader = self.catalog.read()?;
        let needed = Needed::of(&reader)?;
        verified.published_roots = needed.roots;
        verified.missing = needed.holes(&reader)?.iter().map(ToString::to_string).collect();
        Ok(())
    }

    /// Whether the tree built from nothing has the recorded root.
    fn root_from_nothing(&self) -> Result<bool> {
        has_its_root(self.catalog.temporary_copy()?)
    }

    /// The root of the tree built from nothing, as a function of the content alone.
    pub fn rebuild_root(&self) -> Result<Option<cid::Cid>> {
        self.catalog.temporary_copy()?.change(build_from_nothing).map(Some)
    }

    /// A copy of the catalog whose tree has the private repositories too.
    pub(in crate::engine) fn copy_with_private(&self) -> Result<TemporaryCopy> {
        let mut copy = self.catalog.temporary_copy()?;
        copy.change(|writer| {
            for repository in repositories::list(writer, None, None)? {
                repositories::set_visibility(writer, repository.id, repository.private, true)?;
            }
            build_from_nothing(writer)
        })?;
        Ok(copy)
    }

    async fn repair(self: &Arc<Self>, verified: &mut Verified, job: &Job) -> Result<()> {
        if verified.damaged.is_empty() {
            return Ok(());
        }
        for damage in &mut verified.damaged {
            job.check()?;
            match self.repair_one(&damage.digest, job).await {
                Ok(()) => verified.repaired.push(damage.digest),
                Err(error) if error.kind() == Kind::Interrupted => return Err(error),
                Err(error) => damage.problem = format!("{}; it can't be repaired: {error}", damage.problem),
            }
        }
        in_place(|| {
            self.keep_stamps();
            self.store.sync_directory()
        })
    }

    async fn repair_one(self: &Arc<Self>, digest: &Digest, job: &Job) -> Result<()> {
        let (size, repository, image) = in_place(|| {
            let reader = self.catalog.read()?;
            let blob = blobs::by_digest(&reader, digest)?.filter(|blob| !blob.inline).ok_or_else(|| {
                Error::new(Kind::Verification, "the catalog itself is damaged")
                    .hint("Move `catalog.db` away and add the images again; verified blobs are used, not fetched.")
            })?;
            let image = images::any_with(&reader, blob.id)?.ok_or_else(|| {
                Error::new(Kind::NotFound, "no image needs it, but a published root does")
                    .hint("Add the image that had it again, or forget the root with `roadstead history --forget ROOT`.")
            })?;
            let repository = repositories::by_id(&reader, image.repository)?;
            Ok::<_, Error>((blob.size, repository, crate::engine::find::name_of(&reader, &image)?))
        })?;
        let upstream = repository.upstream.clone().ok_or_else(|| {
            Error::new(Kind::NotFound, format!("{} came from a file", repository.name))
                .hint("Add it from that file again.")
        })?;
        let registry =
            self.registries.open(&upstream.registry, in_place(|| self.asks_plain_http(&repository, &upstream))?)?;
        let repository = upstream.repository;
        let blob = PlannedBlob { digest: *digest, size, image, anew: false, registry, repository, bytes: None };
        // A good copy replaces the damaged one only once it is there and verified.
        Arc::clone(self).fetch(blob, job.clone()).await?;
        Ok(())
    }
}

/// Whether the tree that is built from nothing has the recorded root. The catalog may change meanwhile: both are of this copy, and
/// nothing else is at hand here.
fn has_its_root(mut copy: TemporaryCopy) -> Result<bool> {
    let recorded = state::root(&copy)?.map(|link| link.cid);
    Ok(Some(copy.change(build_from_nothing)?) == recorded)
}

/// Forgets the tree and builds it again from everything there is.
fn build_from_nothing(writer: &Writer<'_>) -> Result<cid::Cid> {
    let settings = settings::load(writer)?.ok_or_else(|| Error::new(Kind::Unexpected, "the catalog is not set up"))?;
    writer.execute_batch(
        "UPDATE state SET root = NULL; DELETE FROM directories; DELETE FROM nodes; DELETE FROM pages;",
    )?;
    let mut touched = Touched::default();
    for repository in repositories::list(writer, None, None)? {
        let mut of_it = TouchedRepository { whole: true, ..TouchedRepository::default() };
        for image in images::of_repository(writer, repository.id, true)? {
            of_it.image(writer, &image)?;
        }
        touched.repositories.insert(repository.id, of_it);
    }
    let root = crate::engine::change::tree::update(writer, &settings, &touched)?;
    state::set_root(writer, &root)?;
    Ok(root.cid)
}

impl Verified {
    /// Counts a file; `stats` counts only what images consist of, so that is told from the rest.
    fn count(&mut self, blob: &Blob, of_an_image: bool) {
        *if of_an_image { &mut self.blobs } else { &mut self.others } += 1;
        self.bytes += blob.size;
    }
}
