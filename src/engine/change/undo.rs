//! Undoing the last change of images: what went comes back as it was, what came goes.
//!
//! Every change notes what it does while it does it (`Step`); a plan to undo is the net effect of one plan's notes, backwards.
//! What went is made again from the blobs that are still here, so `gc` ends what can be undone. Undoing notes its steps like
//! any other change, so redoing is undoing that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::image_change::{Former, ImageChange, ImageKey};
use super::record::{Parts, Ready, drop_if_empty, forget, prune};
use super::touched::{Touched, TouchedRepository};
use crate::catalog::images::Omission;
use crate::catalog::images::{self, Image, Role};
use crate::catalog::repositories::{self};
use crate::catalog::settings::Settings;
use crate::catalog::undo::Done;
use crate::catalog::{Writer, blobs, undo};
use crate::engine::Engine;
use crate::engine::blocking::in_place;
use crate::engine::job::Job;
use crate::engine::plan::ImageCount;
use crate::error::{Error, Kind, Result};
use crate::image::{Digest, RepositoryName, Tag};

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
    /// Images that are removed again, as `returns` names them.
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
            (_, true) => format!("{returns} restored"),
            (true, false) => format!("{goes} removed"),
            (false, false) => format!("{returns} restored, {goes} removed"),
        }
    }
}

fn count<'i>(images: impl IntoIterator<Item = &'i UndoneImage>) -> ImageCount {
    ImageCount::of(images.into_iter().map(|image| image.attached))
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
        .hint("Use `remove` and `add` instead; `list` shows the images.")
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
                .hint("Only an undone change can be redone, until something else changes.")),
        }
    }

    /// Plans to take these operations back, newest first, and says it of those.
    fn plan_back(&self, reader: &rusqlite::Connection, operations: &[Done], of: &[Done]) -> Result<UndoPlan> {
        let first = of.first().ok_or_else(|| Error::new(Kind::NotFound, "there is nothing to undo"))?;
        let mut newest: BTreeMap<ImageKey, Option<Digest>> = BTreeMap::new();
        let mut before: BTreeMap<ImageKey, (ImageChange, Option<Box<Former>>)> = BTreeMap::new();
        for operation in operations {
            for text in undo::steps(reader, operation.id)? {
                let step: ImageChange = serde_json::from_str(&text).map_err(|error| {
                    Error::new(Kind::Verification, "the record of the last change is not readable").caused_by(error)
                })?;
                let place = step.place();
                let (now, former) = match &step {
                    ImageChange::Came { digest, .. } => (Some(*digest), None),
                    ImageChange::Went(former) => (None, Some(former.clone())),
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
            .hint("Only the last 1 000 additions, updates and removals of images can be undone."));
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
                ImageChange::Came { repository, tag, digest } => (repository, tag, digest),
                ImageChange::Went(former) => (former.repository.clone(), former.tag.clone(), former.digest),
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
        in_place(|| self.undo_now(plan, verb, &what))
    }

    fn undo_now(&self, plan: &UndoPlan, verb: &str, what: &str) -> Result<cid::Cid> {
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
        self.change(verb, what, |writer, settings, touched| {
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
        let gone = || Error::new(Kind::Locked, format!("{image} can't come back: its manifests are gone"));
        let manifests = former.manifests(writer)?.ok_or_else(gone)?;
        let planned = former.planned(manifests, None)?;
        crate::engine::add::names::check_planned(writer, &planned)?;
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
