//! What comes along with an image: signatures, SBOMs and the like, found by the referrers API and by cosign's tags. It stays
//! as long as something that was asked for needs what it belongs to.
//!
//! An attachment may hold the very manifest it belongs to (a registry can send anything), so being held is not enough: the
//! way must end at an image that was asked for.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use futures::stream;
use rusqlite::{Connection, params};

use super::closure::{Closure, MAX_MANIFESTS_BYTES};
use super::placed::{MAX_CONCURRENT_REQUESTS, Placed, RecordedAttachments};
use crate::catalog::{images, repositories};
use crate::engine::Engine;
use crate::engine::blocking::in_place;
use crate::engine::job::Job;
use crate::engine::plan::AttachedImage;
use crate::error::{Error, Kind, Result};
use crate::image::{Digest, Selection, Tag, Target};
use crate::registry::Wanted;

/// Most things that may be attached to one image.
const MAX_ATTACHED: usize = 2_000;

/// How deep things may be attached to attached things: a signature of an SBOM of an image.
const MAX_ATTACHED_DEPTH: usize = 3;

impl Engine {
    /// What is attached to these manifests: referrers, and cosign's tags. `new`: the catalog does not have the image yet.
    pub(in crate::engine) async fn resolve_attached(
        &self,
        placed: &Placed,
        subjects: Vec<Digest>,
        new: bool,
        job: &Job,
    ) -> Result<Vec<AttachedImage>> {
        let tags = match (&placed.upstream, &placed.recorded) {
            (Some(upstream), None) => {
                placed.asked.tags(upstream, new, placed.registry.tags(&placed.repository, Wanted::All)).await?
            }
            _ => None,
        };
        let tags = tags.as_deref();
        let mut all: BTreeMap<(Digest, Option<String>, Digest), AttachedImage> = BTreeMap::new();
        let mut next = subjects;
        let mut asked: BTreeSet<Digest> = next.iter().copied().collect();
        let mut bytes = 0;
        let refuse =
            |why: String| Err(Error::new(Kind::Verification, format!("{} is refused: {why}", placed.request.source)));
        for depth in 0..MAX_ATTACHED_DEPTH {
            // Records say what is attached to an image, and nothing of what is attached to that.
            let recorded = placed.recorded.as_ref().filter(|_| depth == 0);
            let mut found = stream::iter(next)
                .map(|subject| async move {
                    match recorded {
                        Some(recorded) => self.take_recorded(placed, subject, recorded).await,
                        None => self.attached_of(placed, subject, tags).await,
                    }
                })
                .buffer_unordered(MAX_CONCURRENT_REQUESTS);
            let mut deeper = Vec::new();
            while let Some(attached) = found.next().await {
                job.check()?;
                for attached in attached? {
                    for manifest in &attached.manifests {
                        bytes += manifest.bytes.len() as u64;
                        if asked.insert(manifest.digest) {
                            deeper.push(manifest.digest);
                        }
                    }
                    all.insert(
                        (attached.subject, attached.tag.as_ref().map(Tag::to_string), attached.digest),
                        attached,
                    );
                }
                if all.len() > MAX_ATTACHED {
                    return refuse(format!("more than {MAX_ATTACHED} things are attached to it"));
                }
                if bytes > MAX_MANIFESTS_BYTES {
                    let most = crate::text::bytes(MAX_MANIFESTS_BYTES);
                    return refuse(format!("the manifests of what is attached to it are larger than {most} together"));
                }
            }
            if deeper.is_empty() {
                break;
            }
            next = deeper;
        }
        Ok(all.into_values().collect())
    }

    /// What a user asked for by name is brought up to date by name, and not along with something else.
    pub(in crate::engine) fn leave_out_asked_for(
        &self,
        placed: &Placed,
        attached: &mut Vec<AttachedImage>,
    ) -> Result<()> {
        let reader = self.catalog.read()?;
        let Some(repository) = repositories::by_name(&reader, placed.name.as_str())? else { return Ok(()) };
        let mut left = Vec::with_capacity(attached.len());
        for attached in attached.drain(..) {
            let here = match &attached.tag {
                Some(tag) => images::by_tag(&reader, repository.id, tag.as_str())?,
                None => images::by_digest(&reader, repository.id, &attached.digest)?,
            };
            if here.is_none_or(|image| image.attached_to.is_some()) {
                left.push(attached);
            }
        }
        *attached = left;
        Ok(())
    }

    /// `tags` are those that the repository has, where that is known: the others need not be asked for.
    async fn attached_of(
        &self,
        placed: &Placed,
        subject: Digest,
        tags: Option<&BTreeSet<Tag>>,
    ) -> Result<Vec<AttachedImage>> {
        let mut found: Vec<(Option<Tag>, Target)> = Vec::new();
        for descriptor in placed.registry.referrers(&placed.repository, &subject, tags).await? {
            if descriptor.digest != subject {
                found.push((None, Target::Digest(descriptor.digest)));
            }
        }
        for suffix in ["sig", "att", "sbom"] {
            let tag: Tag = format!("sha256-{}.{suffix}", subject.hex()).parse()?;
            if tags.is_some_and(|tags| !tags.contains(&tag)) {
                continue;
            }
            match placed.registry.head(&placed.repository, &Target::Tag(tag.clone())).await {
                Ok(head) => {
                    let target = head.digest.map_or_else(|| Target::Tag(tag.clone()), Target::Digest);
                    found.push((Some(tag), target));
                }
                // Some registries answer "forbidden" for what isn't there.
                Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Auth) => {}
                Err(error) => return Err(error),
            }
        }
        if found.len() > MAX_ATTACHED {
            return Err(Error::new(
                Kind::Verification,
                format!("{} is refused: {} things are attached to {subject}", placed.request.source, found.len()),
            ));
        }
        self.take_attached(placed, subject, found).await
    }

    /// What records say is attached to a manifest.
    async fn take_recorded(
        &self,
        placed: &Placed,
        subject: Digest,
        recorded: &RecordedAttachments,
    ) -> Result<Vec<AttachedImage>> {
        let of_it = recorded.get(&subject).into_iter().flatten();
        let found = of_it.map(|(tag, digest)| (tag.clone(), Target::Digest(*digest))).collect();
        self.take_attached(placed, subject, found).await
    }

    async fn take_attached(
        &self,
        placed: &Placed,
        subject: Digest,
        found: Vec<(Option<Tag>, Target)>,
    ) -> Result<Vec<AttachedImage>> {
        let mut bytes = 0;
        let mut attached = Vec::with_capacity(found.len());
        for (tag, target) in found {
            let known = match &target {
                Target::Digest(digest) => in_place(|| self.known_manifest(digest, placed))?,
                Target::Tag(_) => None,
            };
            let top = match known {
                Some(known) => known,
                None => self.fetch_manifest(placed, &target).await?,
            };
            // A referrers list may name anything; only what says the same itself is believed.
            if tag.is_none() && top.manifest.subject.as_ref().map(|about| about.digest) != Some(subject) {
                continue;
            }
            let (digest, artifact_type) = (top.digest, top.manifest.shown_artifact_type().map(str::to_owned));
            let mut closure = Closure::new(self, placed, Selection::All, false);
            closure.walk_top(top).await?;
            let Closure { manifests, blobs, read, .. } = closure;
            bytes += manifests.iter().map(|manifest| manifest.bytes.len() as u64).sum::<u64>();
            if bytes > MAX_MANIFESTS_BYTES {
                return Err(Error::new(
                    Kind::Verification,
                    format!("{} is refused: too much is attached to {subject}", placed.request.source),
                ));
            }
            attached.push(AttachedImage { subject, tag, digest, artifact_type, manifests, blobs, read });
        }
        Ok(attached)
    }
}

/// Whether an image that was asked for, or what came along with one, holds this manifest; images in `gone` don't count.
pub(in crate::engine) fn is_kept(
    connection: &Connection,
    repository: i64,
    manifest: &Digest,
    gone: &BTreeSet<i64>,
) -> Result<bool> {
    // Those that were asked for come first.
    let mut statement = connection.prepare_cached(
        "SELECT i.id, i.attached_to FROM image_contents c JOIN images i ON i.id = c.image
         WHERE c.blob = (SELECT id FROM blobs WHERE digest = ?) AND c.repository = ? AND c.role = 0
         ORDER BY i.attached_to IS NOT NULL",
    )?;
    let mut asked = BTreeSet::from([*manifest]);
    let mut todo = vec![*manifest];
    while let Some(manifest) = todo.pop() {
        let mut rows = statement.query(params![manifest.as_bytes(), repository])?;
        while let Some(row) = rows.next()? {
            let (image, subject): (i64, Option<Vec<u8>>) = (row.get(0)?, row.get(1)?);
            if gone.contains(&image) {
                continue;
            }
            let Some(subject) = subject else { return Ok(true) };
            let subject = Digest::from_slice(&subject)?;
            if asked.insert(subject) {
                todo.push(subject);
            }
        }
    }
    Ok(false)
}
