//! Recording an image whose blobs are all here: its rows, what it is in the gateway view, the tree and the new root, in one
//! transaction.

use std::collections::btree_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::Ordering;

use super::touched::{RemovedRepository, Touched, TouchedRepository};
use crate::catalog::follows::Follows;
use crate::catalog::images::Omission;
use crate::catalog::images::{self, Content, Image, NewImage, Role};
use crate::catalog::repositories::{self, Repository};
use crate::catalog::settings::{self, Settings};
use crate::catalog::{Writer, blobs, state, undo};
use crate::engine::Engine;
use crate::engine::add::closure::{MAX_CONFIG_BYTES, platform_in};
use crate::engine::plan::{AttachedImage, Expected, PlannedImage, PlannedManifest, WantedBlob};
use crate::error::{Error, Kind, Result};
use crate::image::{Body, Digest, Manifest, Platform, Tag};
use crate::unixfs::hash::FileDigests;
use crate::unixfs::{Link, file};

/// Blobs that were fetched or found, by digest.
pub(in crate::engine) type Ready = HashMap<Digest, FileDigests>;

impl Engine {
    /// Records images of a plan, all in one change of the catalog: its commit and the way up to the root cost as much for
    /// many images as for one. If that fails, each is tried alone, so that none fails because of another.
    ///
    /// Whatever is no update was asked for by hand, and is no rule's from then on.
    pub(in crate::engine) fn record_all(&self, images: &[PlannedImage], verb: &str, ready: &Ready) -> Vec<Result<()>> {
        let kept = if verb == "update" { Ok(()) } else { self.keep_images(images) };
        if let Err(error) = kept {
            return images.iter().map(|_| Err(error.again())).collect();
        }
        if images.iter().any(|image| self.is_there_meanwhile(image).unwrap_or(false)) {
            let one = |image| match self.is_there_meanwhile(image) {
                Ok(true) => Ok(()),
                Ok(false) => self.record(std::slice::from_ref(image), verb, ready),
                Err(error) => Err(error),
            };
            return images.iter().map(one).collect();
        }
        match self.record(images, verb, ready) {
            Ok(()) => images.iter().map(|_| Ok(())).collect(),
            Err(error) if images.len() == 1 => vec![Err(error)],
            Err(_) => images.iter().map(|image| self.record(std::slice::from_ref(image), verb, ready)).collect(),
        }
    }

    /// Whether another plan has brought the very same since this one was made. Recorded once more it would be a change without an
    /// effect, which whoever undoes the last one would find first.
    fn is_there_meanwhile(&self, image: &PlannedImage) -> Result<bool> {
        let reader = self.catalog.read()?;
        let Some(repository) = repositories::by_name(&reader, image.name.as_str())? else { return Ok(false) };
        let is_same = repository.upstream == image.upstream
            && repository.private == image.private
            && repository.transport == image.transport;
        let there = expected_of(existing(&reader, repository.id, image.tag.as_ref(), &image.digest)?.as_ref());
        if !is_same || there == image.expected || there != Some(image.as_expected()) {
            return Ok(false);
        }
        for attached in &image.attached {
            let there = existing(&reader, repository.id, attached.tag.as_ref(), &attached.digest)?;
            if there.is_none_or(|there| there.digest != attached.digest) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn record(&self, images: &[PlannedImage], verb: &str, ready: &Ready) -> Result<()> {
        self.store.sync_directory()?;
        let summary = match images {
            [one] => one.shown(),
            many => crate::text::count(many.len() as u64, "image", "images"),
        };
        let mut stamped = Vec::new();
        self.change(verb, &summary, |writer, settings, touched| {
            images.iter().try_for_each(|image| self.record_one(writer, settings, touched, image, ready))?;
            stamped = crate::engine::keep::stamps::put(writer, &self.store)?;
            touched.repositories.iter_mut().try_for_each(|(repository, of_it)| prune(writer, *repository, of_it))
        })?;
        self.store.recorded(&stamped);
        Ok(())
    }

    pub(in crate::engine) fn record_one(
        &self,
        writer: &Writer<'_>,
        settings: &Settings,
        touched: &mut Touched,
        image: &PlannedImage,
        ready: &Ready,
    ) -> Result<()> {
        crate::engine::add::names::check_planned(writer, image)?;
        let repository = Self::repository_of(writer, image, touched)?;
        let of_it = touched.repositories.entry(repository.id).or_default();
        let existing = existing(writer, repository.id, image.tag.as_ref(), &image.digest)?;
        let now_there = expected_of(existing.as_ref());
        // Another plan may have brought the very same meanwhile.
        if now_there != image.expected && now_there != Some(image.as_expected()) {
            return Err(Error::new(Kind::Locked, format!("{} changed while this was planned", image.shown()))
                .hint("Plan again: run the same command once more."));
        }
        if let Some(existing) = &existing {
            forget(writer, existing, of_it)?;
        }
        let omissions: Vec<Omission> = image
            .left_out
            .iter()
            .map(|left| Omission {
                digest: left.digest,
                platform: left.platform.clone(),
                reason: left.reason.text().to_owned(),
            })
            .collect();
        let parts = Parts {
            tag: image.tag.as_ref(),
            digest: image.digest,
            attached_to: None,
            manifests: &image.manifests,
            blobs: &image.blobs,
            omissions: &omissions,
        };
        let row = self.put(writer, settings, &repository, &parts, image, ready)?;
        of_it.came(writer, &repository, &row)?;
        for attached in &image.attached {
            self.attach(writer, settings, &repository, attached, image, ready, of_it)?;
        }
        Ok(())
    }

    /// A change of the catalog: runs it, brings the tree up to date, records the operation. Nothing stays if anything fails.
    pub(in crate::engine) fn change(
        &self,
        verb: &str,
        summary: &str,
        change: impl FnOnce(&Writer<'_>, &Settings, &mut Touched) -> Result<()>,
    ) -> Result<cid::Cid> {
        self.change_to(verb, summary, change, |_, _| Ok(()))
    }

    /// The same, which stays only if `accept` takes the root that comes of it.
    pub(in crate::engine) fn change_to(
        &self,
        verb: &str,
        summary: &str,
        change: impl FnOnce(&Writer<'_>, &Settings, &mut Touched) -> Result<()>,
        accept: impl FnOnce(&Writer<'_>, &cid::Cid) -> Result<()>,
    ) -> Result<cid::Cid> {
        let _timed = tracing::debug_span!("change").entered();
        self.catalog.write(|writer| {
            let settings =
                settings::load(writer)?.ok_or_else(|| Error::new(Kind::Unexpected, "the catalog is not set up"))?;
            let mut touched = Touched::default();
            tracing::debug_span!("rows").in_scope(|| change(writer, &settings, &mut touched))?;
            // The change itself may have altered what the tree depends on.
            let settings = settings::load(writer)?.unwrap_or(settings);
            let root = super::tree::update(writer, &settings, &touched)?;
            accept(writer, &root.cid)?;
            state::advance(writer, &root, verb, summary, crate::engine::now())?;
            let steps: Vec<String> = touched
                .take_steps()
                .iter()
                .map(crate::engine::change::image_change::ImageChange::text)
                .collect::<Result<_>>()?;
            undo::note(writer, self.plan.load(Ordering::Relaxed), &steps)?;
            Ok(root.cid)
        })
    }

    pub(in crate::engine) fn repository_of(
        writer: &Writer<'_>,
        image: &PlannedImage,
        touched: &mut Touched,
    ) -> Result<Repository> {
        if let Some(mut repository) = repositories::by_name(writer, image.name.as_str())? {
            let of_it = match touched.repositories.entry(repository.id) {
                // What an image before this one made of it in the same change is not how it was.
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(TouchedRepository {
                    was_published: repository.is_published(),
                    ..TouchedRepository::default()
                }),
            };
            if repository.upstream != image.upstream {
                return Err(Error::new(Kind::Locked, format!("{} changed while this was planned", image.name))
                    .hint("Plan again: run the same command once more."));
            }
            // Once private is private until upstream gives it to everyone; then nothing is left to allow.
            if repository.private != image.private {
                repositories::set_visibility(
                    writer,
                    repository.id,
                    image.private,
                    repository.allowed && image.private,
                )?;
                repository = repositories::by_id(writer, repository.id)?;
                of_it.whole = true;
            }
            if repository.transport != image.transport {
                repositories::set_transport(writer, repository.id, image.transport)?;
                of_it.whole = true;
            }
            return Ok(repository);
        }
        let added =
            repositories::add(writer, &image.name, image.upstream.as_ref(), image.alias.as_ref(), image.private)?;
        if image.allowed {
            repositories::set_visibility(writer, added.id, image.private, true)?;
        }
        if image.transport != added.transport {
            repositories::set_transport(writer, added.id, image.transport)?;
        }
        touched.repositories.entry(added.id).or_default().whole = true;
        Ok(added)
    }

    #[expect(clippy::too_many_arguments, reason = "one transaction's state, passed down one level")]
    fn attach(
        &self,
        writer: &Writer<'_>,
        settings: &Settings,
        repository: &Repository,
        attached: &AttachedImage,
        image: &PlannedImage,
        ready: &Ready,
        touched: &mut TouchedRepository,
    ) -> Result<()> {
        let existing = existing(writer, repository.id, attached.tag.as_ref(), &attached.digest)?;
        if let Some(existing) = existing {
            // What a user asked for by name is brought up to date by name.
            if existing.digest == attached.digest || existing.attached_to.is_none() {
                return Ok(());
            }
            forget(writer, &existing, touched)?;
        }
        let parts = Parts {
            tag: attached.tag.as_ref(),
            digest: attached.digest,
            attached_to: Some(attached.subject),
            manifests: &attached.manifests,
            blobs: &attached.blobs,
            omissions: &[],
        };
        let row = self.put(writer, settings, repository, &parts, image, ready)?;
        touched.came(writer, repository, &row)
    }

    pub(in crate::engine) fn put(
        &self,
        writer: &Writer<'_>,
        settings: &Settings,
        repository: &Repository,
        parts: &Parts<'_>,
        image: &PlannedImage,
        ready: &Ready,
    ) -> Result<Image> {
        let mut contents = BTreeSet::new();
        let mut top = None;
        for planned in parts.manifests {
            let id = record_manifest(writer, settings, planned)?;
            if planned.digest == parts.digest {
                top = Some(id);
            }
            contents.insert(Content { blob: id, role: Role::Manifest });
        }
        for wanted in parts.blobs {
            contents.insert(Content { blob: record_blob(writer, settings, wanted, ready)?, role: wanted.role });
        }
        let top =
            top.ok_or_else(|| Error::new(Kind::Unexpected, format!("{} is not among its manifests", parts.digest)))?;
        let contents: Vec<Content> = contents.into_iter().collect();
        let said = self.platforms_of(writer, parts)?;
        let mut names: Vec<String> = Vec::new();
        for name in said.iter().map(|(platform, _)| crate::text::printable_within(&platform.to_string(), 60)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let attached = parts.attached_to;
        let id = images::add(
            writer,
            &NewImage {
                repository: repository.id,
                tag: parts.tag,
                follows: if attached.is_some() { &Follows::Own } else { &image.follows },
                manifest: top,
                selection: if attached.is_some() { &crate::image::Selection::All } else { &image.selection },
                all_manifests: attached.is_none() && image.all_manifests,
                attached_to: attached.as_ref(),
                platforms: &names.join(","),
                contents: &contents,
                omissions: parts.omissions,
                now: crate::engine::now(),
            },
        )?;
        if attached.is_none() {
            self.record_gateway(writer, settings, repository, id, parts, &said)?;
        }
        existing(writer, repository.id, parts.tag, &parts.digest)?
            .ok_or_else(|| Error::new(Kind::Unexpected, "an image that was just recorded is not there"))
    }

    /// The runnable images among the manifests, each with its platform, in the order of the index.
    fn platforms_of<'p>(&self, writer: &Writer<'_>, parts: &Parts<'p>) -> Result<Vec<(Platform, &'p PlannedManifest)>> {
        let mut said = Vec::new();
        let mut from_index: HashMap<Digest, Platform> = HashMap::new();
        for planned in parts.manifests {
            if let Body::Index { manifests } = &planned.manifest.body {
                for entry in manifests {
                    if let Some(platform) = entry.runs_on() {
                        from_index.insert(entry.digest, platform);
                    }
                }
            }
        }
        let complete = |manifest: &Manifest| match &manifest.body {
            Body::Image { layers, .. } => layers
                .iter()
                .all(|layer| parts.blobs.iter().any(|blob| blob.digest == layer.digest) || layer.is_foreign_layer()),
            Body::Index { .. } => false,
        };
        for planned in
            parts.manifests.iter().filter(|planned| planned.manifest.is_image() && complete(&planned.manifest))
        {
            let platform = match from_index.get(&planned.digest) {
                Some(platform) => Some(platform.clone()),
                None => self.config_of(writer, &planned.manifest)?.and_then(|config| platform_in(&config)),
            };
            if let Some(platform) = platform {
                said.push((platform, planned.as_ref()));
            }
        }
        Ok(said)
    }

    pub(in crate::engine) fn config_of(
        &self,
        writer: &Writer<'_>,
        manifest: &Manifest,
    ) -> Result<Option<bytes::Bytes>> {
        let Body::Image { config, .. } = &manifest.body else { return Ok(None) };
        if let Some(blob) =
            blobs::by_digest(writer, &config.digest)?.filter(|blob| blob.inline && blob.size <= MAX_CONFIG_BYTES)
        {
            return blobs::bytes(writer, blob.id).map(Some);
        }
        self.stored_bytes(&config.digest, config.size)
    }
}

/// What an image consists of, whether it was asked for or came along.
pub(in crate::engine) struct Parts<'p> {
    pub(in crate::engine) tag: Option<&'p Tag>,
    pub(in crate::engine) digest: Digest,
    pub(in crate::engine) attached_to: Option<Digest>,
    pub(in crate::engine) manifests: &'p [std::sync::Arc<PlannedManifest>],
    pub(in crate::engine) blobs: &'p [WantedBlob],
    pub(in crate::engine) omissions: &'p [Omission],
}

/// The image that has this tag, or is there by this digest alone.
fn existing(
    connection: &rusqlite::Connection,
    repository: i64,
    tag: Option<&Tag>,
    digest: &Digest,
) -> Result<Option<Image>> {
    match tag {
        Some(tag) => images::by_tag(connection, repository, tag.as_str()),
        None => images::by_digest(connection, repository, digest),
    }
}

/// What a plan would have to expect of this image. Another image may have brought it along: then nothing was asked for.
fn expected_of(there: Option<&Image>) -> Option<Expected> {
    there.filter(|there| there.attached_to.is_none()).map(|there| Expected {
        digest: there.digest,
        selection: there.selection.clone(),
        all_manifests: there.all_manifests,
    })
}

pub(in crate::engine) fn blob_id(writer: &Writer<'_>, digest: &Digest) -> Result<i64> {
    let found = blobs::by_digest(writer, digest)?;
    found
        .map(|blob| blob.id)
        .ok_or_else(|| Error::new(Kind::Unexpected, format!("{digest} was recorded and is not there")))
}

pub(in crate::engine) fn record_manifest(
    writer: &Writer<'_>,
    settings: &Settings,
    planned: &PlannedManifest,
) -> Result<i64> {
    let (link, leaves) = file::of_bytes(settings.profile, &planned.bytes);
    let blob = blobs::record(
        writer,
        &blobs::NewBlob {
            digest: planned.digest,
            size: planned.bytes.len() as u64,
            link,
            leaves: &leaves,
            bytes: Some(&planned.bytes),
        },
    )?;
    let manifest = &planned.manifest;
    let subject = manifest.subject.as_ref().map(|subject| subject.digest);
    blobs::record_manifest(writer, blob.id, &manifest.media_type, manifest.shown_artifact_type(), subject.as_ref())?;
    Ok(blob.id)
}

fn record_blob(writer: &Writer<'_>, settings: &Settings, wanted: &WantedBlob, ready: &Ready) -> Result<i64> {
    let check = |size: u64| {
        if size == wanted.size {
            return Ok(());
        }
        let said = format!("{} has {size} bytes, but its manifest says {}", wanted.digest, wanted.size);
        Err(Error::new(Kind::Verification, said))
    };
    match ready.get(&wanted.digest) {
        Some(digests) => {
            // Another image of the plan may have had it fetched, and said the truth.
            check(digests.size)?;
            let link: Link = file::root(settings.profile, digests.size, &digests.leaves)?;
            let new = blobs::NewBlob {
                digest: wanted.digest,
                size: digests.size,
                link,
                leaves: &digests.leaves,
                bytes: None,
            };
            Ok(blobs::record(writer, &new)?.id)
        }
        None => {
            let known = blobs::by_digest(writer, &wanted.digest)?.ok_or_else(|| {
                Error::new(Kind::Locked, format!("{} was removed while this was planned", wanted.digest))
                    .hint("Plan again: run the same command once more.")
            })?;
            check(known.size)?;
            Ok(known.id)
        }
    }
}

/// Takes an image out, and notes what that touches.
pub(in crate::engine) fn forget(writer: &Writer<'_>, image: &Image, touched: &mut TouchedRepository) -> Result<()> {
    touched.steps.push(crate::engine::change::image_change::ImageChange::went(writer, image)?);
    touched.image(writer, image)?;
    images::remove(writer, image.id)
}

/// Takes out what came along with manifests that are no longer there, and what came along with that.
pub(in crate::engine) fn prune(writer: &Writer<'_>, repository: i64, touched: &mut TouchedRepository) -> Result<()> {
    let mut asked = BTreeSet::new();
    loop {
        let next: Vec<i64> = touched.manifests.iter().copied().filter(|blob| asked.insert(*blob)).collect();
        if next.is_empty() {
            return Ok(());
        }
        for blob in next {
            let digest = blobs::by_id(writer, blob)?.digest;
            let attached = images::attached_to(writer, repository, &digest)?;
            if attached.is_empty()
                || crate::engine::add::attached::is_kept(writer, repository, &digest, &BTreeSet::new())?
            {
                continue;
            }
            for attached in attached {
                forget(writer, &attached, touched)?;
            }
        }
    }
}

/// Takes out a repository that has no images left.
pub(in crate::engine) fn drop_if_empty(
    writer: &Writer<'_>,
    repository: &Repository,
    touched: &mut Touched,
) -> Result<bool> {
    if images::any(writer, repository.id)? {
        return Ok(false);
    }
    touched.removed.push(RemovedRepository::remember(writer, repository)?);
    if let Some(of_it) = touched.repositories.remove(&repository.id) {
        touched.steps.extend(of_it.steps);
    }
    repositories::remove(writer, repository.id)?;
    Ok(true)
}
