//! Undoing the last change of images: what went comes back as it was, what came goes.
//!
//! Every change notes what it does while it does it (`Step`); a plan to undo is the net effect of one plan's notes, backwards.
//! What went is made again from the blobs that are still here, so `gc` ends what can be undone. Undoing notes its steps like
//! any other change, so redoing is undoing that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::job::Job;
use super::plan::{Change, Expected, ImageCount, PlannedImage, PlannedManifest, WantedBlob};
use super::record::{Parts, Ready, drop_if_empty, forget, prune};
use super::touched::{Touched, TouchedRepository};
use crate::catalog::follows::Follows;
use crate::catalog::images::{self, Image, Role};
use crate::catalog::omissions::{self, Omission};
use crate::catalog::repositories::{self, Repository, Transport};
use crate::catalog::settings::Settings;
use crate::catalog::undo::Done;
use crate::catalog::{Writer, blobs, undo};
use crate::error::{Error, Kind, Result};
use crate::image::{Digest, Manifest, RepositoryName, Selection, Tag, Upstream};

/// What happened to an image.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    /// It came.
    Came {
        repository: RepositoryName,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tag: Option<Tag>,
        digest: Digest,
    },
    /// It went.
    Went(Box<Former>),
}

/// Everything that is needed to make an image again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Former {
    repository: RepositoryName,
    upstream: Option<Upstream>,
    alias: Option<RepositoryName>,
    insecure: bool,
    /// That was not chosen here: a tree said so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    insecure_of_tree: bool,
    private: bool,
    allowed: bool,
    tag: Option<Tag>,
    digest: Digest,
    upstream_tag: Option<String>,
    selection: Selection,
    all_manifests: bool,
    attached_to: Option<Digest>,
    /// Digest, size and part of every blob.
    contents: Vec<(Digest, u64, u8)>,
    /// Digest, platform and reason of what was left out.
    omissions: Vec<(Digest, Option<String>, String)>,
    logical: u64,
    /// When it was added; older versions did not note that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    added_at: Option<i64>,
}

/// What an image is called in its repository.
type Place = (String, Result<String, Digest>);

/// What undoing does, or redoing what was undone.
#[derive(Debug, Clone, Serialize)]
pub struct UndoPlan {
    /// The verb that is undone or redone: `add`, `remove`, …
    pub verb: String,
    /// What it was about, in words.
    pub summary: String,
    /// When it was done, in seconds since 1970.
    pub at: i64,
    /// Images that come back as they were: `name:tag` or `name@digest`, with the digest that they have then.
    pub returns: Vec<UndoneImage>,
    /// Images that go.
    pub goes: Vec<UndoneImage>,
    #[serde(skip)]
    operations: Vec<i64>,
    #[serde(skip)]
    redoes: bool,
    #[serde(skip)]
    changes: Vec<Undoing>,
}

/// One image of an [`UndoPlan`].
#[derive(Debug, Clone, Serialize)]
pub struct UndoneImage {
    /// `name:tag` or `name@digest`.
    pub image: String,
    /// The digest that comes back, or goes.
    pub digest: Digest,
    /// Whether it is a signature, an SBOM or the like.
    pub attached: bool,
}

#[derive(Debug, Clone)]
struct Undoing {
    repository: RepositoryName,
    tag: Option<Tag>,
    /// What is there now; nothing if it went.
    now: Option<Digest>,
    /// What was there before; nothing if it came.
    before: Option<Box<Former>>,
}

impl UndoPlan {
    /// What it does, in words.
    pub fn consequence(&self) -> String {
        let (returns, goes) = (count(&self.returns), count(&self.goes));
        match (returns.is_none(), goes.is_none()) {
            (_, true) => format!("{returns} as before"),
            (true, false) => format!("{goes} out of the catalog"),
            (false, false) => format!("{returns} as before, {goes} out of the catalog"),
        }
    }
}

fn count<'i>(images: impl IntoIterator<Item = &'i UndoneImage>) -> ImageCount {
    ImageCount::of(images.into_iter().map(|image| image.attached))
}

impl Step {
    pub(super) fn came(repository: &Repository, image: &Image) -> Self {
        Self::Came { repository: repository.name.clone(), tag: image.tag.clone(), digest: image.digest }
    }

    pub(super) fn went(writer: &Writer<'_>, image: &Image) -> Result<Self> {
        let repository = repositories::by_id(writer, image.repository)?;
        let mut contents = Vec::new();
        for content in images::contents(writer, image.id)? {
            if content.role != Role::Gateway {
                let blob = blobs::by_id(writer, content.blob)?;
                contents.push((blob.digest, blob.size, content.role as u8));
            }
        }
        let omissions = omissions::of(writer, image.id)?;
        Ok(Self::Went(Box::new(Former {
            repository: repository.name,
            upstream: repository.upstream,
            alias: repository.alias,
            insecure: repository.transport.recorded(),
            insecure_of_tree: repository.transport.choice().is_none(),
            private: repository.private,
            allowed: repository.allowed,
            tag: image.tag.clone(),
            digest: image.digest,
            upstream_tag: image.follows.upstream_tag().map(str::to_owned),
            selection: image.selection.clone(),
            all_manifests: image.all_manifests,
            attached_to: image.attached_to,
            contents,
            omissions: omissions.into_iter().map(|left| (left.digest, left.platform, left.reason)).collect(),
            logical: image.logical,
            added_at: Some(image.added_at),
        })))
    }

    /// As it is kept.
    pub(super) fn text(&self) -> Result<String> {
        serde_json::to_string(self)
            .map_err(|error| Error::new(Kind::Unexpected, "can't note what was done").caused_by(error))
    }

    fn place(&self) -> Place {
        let (repository, tag, digest) = match self {
            Self::Came { repository, tag, digest } => (repository, tag, digest),
            Self::Went(former) => (&former.repository, &former.tag, &former.digest),
        };
        (repository.to_string(), tag.as_ref().map(Tag::to_string).ok_or(*digest))
    }
}

impl Former {
    /// The manifests it consists of, from the catalog; none if one is gone.
    fn manifests(&self, connection: &rusqlite::Connection) -> Result<Option<Vec<Arc<PlannedManifest>>>> {
        let mut manifests = Vec::new();
        for (digest, _, _) in self.contents.iter().filter(|(_, _, role)| *role == Role::Manifest as u8) {
            let Some(blob) = blobs::by_digest(connection, digest)?.filter(|blob| blob.inline) else { return Ok(None) };
            let Some(row) = blobs::manifest(connection, blob.id)? else { return Ok(None) };
            let bytes = blobs::bytes(connection, blob.id)?;
            let manifest = Manifest::parse(&bytes, Some(&row.media_type))?;
            manifests.push(Arc::new(PlannedManifest { digest: *digest, bytes, manifest }));
        }
        // The top one first, as a plan has them.
        manifests.sort_by_key(|manifest| manifest.digest != self.digest);
        Ok(Some(manifests))
    }

    fn blobs(&self) -> Vec<WantedBlob> {
        let of = |(digest, size, role): &(Digest, u64, u8)| {
            Role::numbered(*role).map(|role| WantedBlob { digest: *digest, size: *size, role })
        };
        self.contents.iter().filter_map(of).filter(|wanted| wanted.role != Role::Manifest).collect()
    }

    fn planned(&self, manifests: Vec<Arc<PlannedManifest>>, expected: Option<Expected>) -> Result<PlannedImage> {
        let follows = match self.upstream_tag.as_deref() {
            None => Follows::Own,
            Some("") => Follows::Nothing,
            Some(tag) => Follows::Tag(tag.parse()?),
        };
        Ok(PlannedImage {
            request: String::new(),
            name: self.repository.clone(),
            alias: self.alias.clone(),
            upstream: self.upstream.clone(),
            tag: self.tag.clone(),
            follows,
            digest: self.digest,
            change: Change::Added,
            changes: Vec::new(),
            selection: self.selection.clone(),
            all_manifests: self.all_manifests,
            platforms: Vec::new(),
            private: self.private,
            allowed: false,
            insecure: self.insecure && !self.insecure_of_tree,
            transport: if self.insecure_of_tree { Transport::of_tree } else { Transport::chosen }(self.insecure),
            plain_http: false,
            logical: self.logical,
            new_bytes: 0,
            left_out: Vec::new(),
            manifests,
            blobs: self.blobs(),
            read: std::collections::HashMap::new(),
            attached: Vec::new(),
            expected,
        })
    }
}

fn shown(repository: &RepositoryName, tag: Option<&Tag>, digest: &Digest) -> String {
    match tag {
        Some(tag) => format!("{repository}:{tag}"),
        None => format!("{repository}@{digest}"),
    }
}

fn changed(what: &str, redoes: bool) -> Error {
    let done = if redoes { "redone" } else { "undone" };
    Error::new(Kind::Locked, format!("{what} changed since, so it can't be {done}"))
        .hint("`remove` and `add` reach any state; `list` shows what there is.")
}

impl Engine {
    /// Plans to undo the last change of images that is not undone yet.
    pub fn plan_undo(&self) -> Result<UndoPlan> {
        let reader = self.catalog.read()?;
        let operations = undo::newest(&reader)?;
        if operations.first().is_none_or(|operation| operation.verb == "create") {
            return Err(Error::new(Kind::NotFound, "there is nothing to undo"));
        }
        self.plan_back(&reader, &operations, &operations)
    }

    /// Plans to redo what was undone last, as long as nothing else has changed since.
    pub fn plan_redo(&self) -> Result<UndoPlan> {
        let reader = self.catalog.read()?;
        let undoing = undo::undoing(&reader)?;
        let undone =
            undoing.as_ref().map(|undoing| undo::undone_by(&reader, undoing.id)).transpose()?.unwrap_or_default();
        match undoing {
            Some(undoing) if !undone.is_empty() => {
                Ok(UndoPlan { redoes: true, ..self.plan_back(&reader, &[undoing], &undone)? })
            }
            _ => Err(Error::new(Kind::NotFound, "there is nothing to redo")
                .hint("Only what was undone can be, as long as nothing else has changed since.")),
        }
    }

    /// Plans to take these operations back, newest first, and says it of those.
    fn plan_back(&self, reader: &rusqlite::Connection, operations: &[Done], of: &[Done]) -> Result<UndoPlan> {
        let first = of.first().ok_or_else(|| Error::new(Kind::NotFound, "there is nothing to undo"))?;
        let mut newest: BTreeMap<Place, Option<Digest>> = BTreeMap::new();
        let mut before: BTreeMap<Place, (Step, Option<Box<Former>>)> = BTreeMap::new();
        for operation in operations {
            for text in undo::steps(reader, operation.id)? {
                let step: Step = serde_json::from_str(&text).map_err(|error| {
                    Error::new(Kind::Verification, "what was done is not readable").caused_by(error)
                })?;
                let place = step.place();
                let (now, former) = match &step {
                    Step::Came { digest, .. } => (Some(*digest), None),
                    Step::Went(former) => (None, Some(former.clone())),
                };
                newest.entry(place.clone()).or_insert(now);
                before.insert(place, (step, former));
            }
        }
        if before.is_empty() {
            return Err(Error::new(
                Kind::Usage,
                format!("the last change, `{} {}`, can't be undone", first.verb, first.summary),
            )
            .hint("Only adding, updating and removing images can, the last 1 000 times."));
        }
        let mut plan = UndoPlan {
            verb: first.verb.clone(),
            summary: first.summary.clone(),
            at: first.at,
            returns: Vec::new(),
            goes: Vec::new(),
            operations: operations.iter().map(|operation| operation.id).collect(),
            redoes: false,
            changes: Vec::new(),
        };
        for (place, (step, former)) in before {
            let (repository, tag, digest) = match step {
                Step::Came { repository, tag, digest } => (repository, tag, digest),
                Step::Went(former) => (former.repository.clone(), former.tag.clone(), former.digest),
            };
            let now = newest.get(&place).copied().flatten();
            let image = shown(&repository, tag.as_ref(), &digest);
            match &former {
                Some(former) => {
                    self.check_blobs(reader, former, &image)?;
                    let attached = former.attached_to.is_some();
                    plan.returns.push(UndoneImage { image, digest: former.digest, attached });
                }
                None => {
                    let found = Self::there(reader, &repository, tag.as_ref(), &digest)?;
                    let attached = found.is_some_and(|image| image.attached_to.is_some());
                    plan.goes.push(UndoneImage { image, digest: now.unwrap_or(digest), attached });
                }
            }
            plan.changes.push(Undoing { repository, tag, now, before: former });
        }
        if of.len() > 1 {
            plan.summary = count(plan.returns.iter().chain(&plan.goes)).to_string();
        }
        Ok(plan)
    }

    /// Whether everything is here that an image consists of.
    fn check_blobs(&self, connection: &rusqlite::Connection, former: &Former, image: &str) -> Result<()> {
        for (digest, size, role) in &former.contents {
            let row = blobs::by_digest(connection, digest)?;
            let here = match &row {
                Some(blob) if *role == Role::Manifest as u8 => blob.inline,
                Some(blob) => blob.size == *size && self.is_here(connection, blob)?,
                None => false,
            };
            if !here {
                let words = format!("{image} can't come back: {digest} is no longer here");
                return Err(Error::new(Kind::NotFound, words)
                    .hint("`gc` has reclaimed it; `roadstead add` fetches the image again."));
            }
        }
        Ok(())
    }

    fn there(
        connection: &rusqlite::Connection,
        repository: &RepositoryName,
        tag: Option<&Tag>,
        digest: &Digest,
    ) -> Result<Option<Image>> {
        let Some(repository) = repositories::by_name(connection, repository.as_str())? else { return Ok(None) };
        match tag {
            Some(tag) => images::by_tag(connection, repository.id, tag.as_str()),
            None => images::by_digest(connection, repository.id, digest),
        }
    }

    /// Undoes or redoes exactly this and returns the root.
    pub async fn apply_undo(self: &Arc<Self>, plan: &UndoPlan, job: &Job) -> Result<cid::Cid> {
        let what = format!("{} {}", plan.verb, plan.summary);
        let verb = if plan.redoes { "redo" } else { "undo" };
        let _lock = self.lock(&format!("{verb} {what}"), job).await?;
        job.check()?;
        let reader = self.catalog.read()?;
        let now: Vec<i64> = if plan.redoes {
            undo::undoing(&reader)?.into_iter().map(|operation| operation.id).collect()
        } else {
            undo::newest(&reader)?.into_iter().map(|operation| operation.id).collect()
        };
        if now != plan.operations {
            return Err(Error::new(Kind::Locked, "the catalog changed while this was planned")
                .hint(format!("Look at the new plan: run `roadstead {verb}` once more.")));
        }
        drop(reader);
        self.change(verb, &what, |writer, settings, touched| {
            let this = undo::next(writer)?;
            let mut of = BTreeSet::new();
            for undoing in &plan.changes {
                self.undo_one(writer, settings, touched, (undoing, plan.redoes), &mut of)?;
            }
            for id in of {
                let repository = repositories::by_id(writer, id)?;
                if let Some(of_it) = touched.repositories.get_mut(&id) {
                    prune(writer, id, of_it)?;
                }
                drop_if_empty(writer, &repository, touched)?;
            }
            let set = if plan.redoes { undo::set_redone } else { undo::set_undone };
            plan.operations.iter().try_for_each(|operation| set(writer, *operation, this))
        })
    }

    fn undo_one(
        &self,
        writer: &Writer<'_>,
        settings: &Settings,
        touched: &mut Touched,
        (undoing, redoes): (&Undoing, bool),
        of: &mut BTreeSet<i64>,
    ) -> Result<()> {
        let digest = undoing.now.or_else(|| undoing.before.as_ref().map(|former| former.digest));
        let Some(digest) = digest else { return Ok(()) };
        let image = shown(&undoing.repository, undoing.tag.as_ref(), &digest);
        let there = Self::there(writer, &undoing.repository, undoing.tag.as_ref(), &digest)?;
        if there.as_ref().map(|image| image.digest) != undoing.now {
            return Err(changed(&image, redoes));
        }
        if let Some(there) = &there {
            let repository = repositories::by_id(writer, there.repository)?;
            let of_it = touched.repositories.entry(repository.id).or_insert_with(|| TouchedRepository {
                was_published: repository.is_published(),
                ..TouchedRepository::default()
            });
            forget(writer, there, of_it)?;
            of.insert(repository.id);
        }
        let Some(former) = &undoing.before else { return Ok(()) };
        let gone = || Error::new(Kind::Locked, format!("{image} can't come back: its manifests are gone since"));
        let manifests = former.manifests(writer)?.ok_or_else(gone)?;
        let planned = former.planned(manifests, None)?;
        super::names::check_planned(writer, &planned)?;
        let mut repository = Self::repository_of(writer, &planned, touched)?;
        // Consent is a thing of its own: it comes back with the repository, and is not changed where that has stayed.
        if former.allowed && former.private && touched.repositories.get(&repository.id).is_some_and(|of| of.whole) {
            repositories::set_visibility(writer, repository.id, true, true)?;
            repository = repositories::by_id(writer, repository.id)?;
        }
        let omissions: Vec<Omission> = former
            .omissions
            .iter()
            .map(|(digest, platform, reason)| Omission {
                digest: *digest,
                platform: platform.clone(),
                reason: reason.clone(),
            })
            .collect();
        let parts = Parts {
            tag: former.tag.as_ref(),
            digest: former.digest,
            attached_to: former.attached_to,
            manifests: &planned.manifests,
            blobs: &planned.blobs,
            omissions: &omissions,
        };
        let row = self.put(writer, settings, &repository, &parts, &planned, &Ready::new())?;
        if let Some(at) = former.added_at {
            images::set_added(writer, row.id, at)?;
        }
        of.insert(repository.id);
        touched.repositories.entry(repository.id).or_default().came(writer, &repository, &row)
    }
}
