//! Removing images: the plan lists them, what that frees and what stays because others share it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rusqlite::Connection;

use super::record::{drop_if_empty, forget, prune};
use crate::catalog::images::{self, Image};
use crate::catalog::repositories::{self, Repository};
use crate::catalog::{blobs, nodes, publications, statistics};
use crate::engine::Engine;
use crate::engine::add::attached::is_kept;
use crate::engine::blocking::in_place;
use crate::engine::find::{find, shown};
use crate::engine::job::Job;
use crate::engine::plan::{RemovePlan, RemovedImage};
use crate::engine::request::Pick;
use crate::error::{Error, Kind, Result};
use crate::site::paths;
use crate::unixfs::tree;

/// How many images that share something are named.
const MAX_NAMED_IMAGES: u64 = 3;

/// So many blobs are looked up in every published root, to name those that keep something; then any one is enough.
const MAX_ASKED_BLOBS: usize = 64;

impl Engine {
    /// Plans to remove these images; a bare name means the whole repository.
    pub fn plan_remove(&self, picks: &[Pick]) -> Result<RemovePlan> {
        let reader = self.catalog.read()?;
        let mut plan = RemovePlan::default();
        let mut chosen = BTreeSet::new();
        let mut touched = BTreeMap::new();
        let mut todo = Vec::new();
        for pick in picks {
            let (repository, picked) = find(&reader, pick)?;
            for image in picked {
                if chosen.insert(image.id) {
                    plan.images.push(removed(&repository, &image));
                    todo.push(image);
                }
            }
            touched.insert(repository.id, repository);
        }
        // What came along goes with the last manifest it belongs to.
        while let Some(image) = todo.pop() {
            let Some(repository) = touched.get(&image.repository) else { continue };
            for content in images::contents(&reader, image.id)? {
                if content.role != images::Role::Manifest {
                    continue;
                }
                let subject = blobs::by_id(&reader, content.blob)?.digest;
                let mut attached = images::attached_to(&reader, repository.id, &subject)?;
                attached.retain(|attached| !chosen.contains(&attached.id));
                if attached.is_empty() || is_kept(&reader, repository.id, &subject, &chosen)? {
                    continue;
                }
                for attached in attached {
                    chosen.insert(attached.id);
                    plan.images.push(removed(repository, &attached));
                    todo.push(attached);
                }
            }
        }
        for (id, repository) in &touched {
            let all = images::of_repository(&reader, *id, true)?;
            if all.iter().all(|image| chosen.contains(&image.id)) {
                plan.repositories.push(repository.name.to_string());
            }
        }
        let ids: Vec<i64> = chosen.into_iter().collect();
        let figures = statistics::images(&reader, &ids)?;
        (plan.kept, plan.kept_by) = kept(&reader, &ids)?;
        plan.frees = figures.unique - plan.kept;
        plan.shared = figures.stored - figures.unique;
        (plan.shared_with, plan.shared_by) = statistics::keepers(&reader, &ids, MAX_NAMED_IMAGES)?;
        Ok(plan)
    }

    /// Removes exactly these images and returns the root.
    pub async fn apply_remove(self: &Arc<Self>, plan: &RemovePlan, job: &Job) -> Result<cid::Cid> {
        let summary = plan.summary();
        let _lock = self.lock(&format!("remove {summary}"), job).await?;
        job.check()?;
        in_place(|| self.remove_images("remove", &summary, plan))
    }

    /// Removes exactly these images; whoever calls has the lock.
    pub(in crate::engine) fn remove_images(&self, verb: &str, summary: &str, plan: &RemovePlan) -> Result<cid::Cid> {
        self.change(verb, summary, |writer, _, touched| {
            let mut of = BTreeSet::new();
            for removed in &plan.images {
                let changed = || {
                    Error::new(Kind::Locked, format!("{} changed while this was planned", removed.image))
                        .hint("Look at the new plan: run the same command once more.")
                };
                let image = images::by_id(writer, removed.id)?.ok_or_else(changed)?;
                let repository = repositories::by_id(writer, image.repository)?;
                // Rows are used again.
                if image.digest != removed.digest || shown(&repository, &image) != removed.image {
                    return Err(changed());
                }
                of.insert(image.repository);
                let of_it = touched.repositories.entry(image.repository).or_default();
                of_it.was_published = repository.is_published();
                forget(writer, &image, of_it)?;
            }
            for id in of {
                let repository = repositories::by_id(writer, id)?;
                if let Some(of_it) = touched.repositories.get_mut(&id) {
                    prune(writer, id, of_it)?;
                }
                drop_if_empty(writer, &repository, touched)?;
            }
            Ok(())
        })
    }
}

fn removed(repository: &Repository, image: &Image) -> RemovedImage {
    RemovedImage {
        image: shown(repository, image),
        digest: image.digest,
        logical: image.logical,
        attached: image.attached_to.is_some(),
        id: image.id,
    }
}

/// Bytes of what only these images need in the catalog, and published roots that are kept still have under the images' names;
/// and these roots.
fn kept(connection: &Connection, ids: &[i64]) -> Result<(u64, Vec<String>)> {
    let roots = publications::kept_roots(connection)?;
    if roots.is_empty() {
        return Ok((0, Vec::new()));
    }
    let mut store = nodes::Nodes::of(connection);
    let (mut bytes, mut keeping) = (0, vec![false; roots.len()]);
    for (number, (repository, blob)) in statistics::unique_blobs(connection, ids)?.into_iter().enumerate() {
        let row = blobs::by_id(connection, blob)?;
        let mut found = false;
        // Roots that are known to keep something are asked first: one is enough for the bytes.
        let (known, others): (Vec<usize>, Vec<usize>) = (0..roots.len()).partition(|place| keeping[*place]);
        for place in known.into_iter().chain(others) {
            if found && (keeping[place] || number >= MAX_ASKED_BLOBS) {
                continue;
            }
            for part in [paths::BLOBS, paths::MANIFESTS] {
                let path = format!("{}/{repository}/{part}/{}", paths::NATIVE, row.digest);
                if tree::lookup(&mut store, &roots[place], &path)?.is_some() {
                    (found, keeping[place]) = (true, true);
                    break;
                }
            }
        }
        bytes += if found { row.size } else { 0 };
    }
    let by = roots.iter().zip(keeping).filter(|(_, keeps)| *keeps).map(|(root, _)| root.cid.to_string());
    Ok((bytes, by.collect()))
}
