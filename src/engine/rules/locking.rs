//! Locks: the images that rules took, by their digests; and taking exactly these.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::plan::{Going, LeavingTag, MovedTag, RulePart, RulePlan};
use crate::catalog::rule_images::{self, RuleImage};
use crate::catalog::{images, repositories};
use crate::engine::Engine;
use crate::engine::blocking::in_place;
use crate::engine::find::shown;
use crate::engine::job::Job;
use crate::engine::plan::Change;
use crate::engine::request::{AddRequest, PublishedAs, Source};
use crate::error::{Error, Result};
use crate::image::{Reference, RepositoryName, Tag};
use crate::rules::{Lock, LockEntry};
use crate::text::count;

/// What stands for a rule where a lock brought an image.
pub const LOCK_RULE: &str = "mirror.lock";

impl Engine {
    /// A lock of all images here that have an upstream, whoever asked for them: with what it leaves out the root would be another
    /// one. Those that came from a file are named instead.
    pub fn lock_of_images(&self) -> Result<(Lock, Vec<String>)> {
        let reader = self.catalog.read()?;
        let (mut entries, mut left_out) = (Vec::new(), Vec::new());
        for repository in repositories::list(&reader, None, None)? {
            for image in images::of_repository(&reader, repository.id, false)? {
                let Some(upstream) = repository.upstream.clone() else {
                    left_out.push(shown(&repository, &image));
                    continue;
                };
                entries.push(LockEntry {
                    upstream,
                    tag: image.tag,
                    published_as: Some(repository.name.clone()),
                    digest: image.digest,
                    platforms: image.selection,
                });
            }
        }
        Ok((Lock::new(entries), left_out))
    }

    /// Plans to take exactly what a lock says. Nothing is listed, and no tag is asked for.
    pub async fn plan_locked(self: &Arc<Self>, lock: &Lock, job: &Job) -> Result<RulePlan> {
        let mut plan = RulePlan { now: crate::engine::now(), ..RulePlan::default() };
        let mut requests = Vec::new();
        for entry in lock.entries() {
            let name = published(entry)?;
            let reference =
                Reference { upstream: entry.upstream.clone(), tag: entry.tag.clone(), digest: Some(entry.digest) };
            requests.push(AddRequest {
                selection: Some(entry.platforms.clone()),
                name: entry.published_as.is_some().then(|| PublishedAs { name, tag: entry.tag.clone() }),
                ..AddRequest::new(Source::Registry(reference))
            });
        }
        plan.add = self.plan_add(&requests, job).await?;
        let mut part = RulePart { rule: LOCK_RULE.to_owned(), ..RulePart::default() };
        in_place(|| {
            let reader = self.catalog.read()?;
            for image in &plan.add.images {
                let shown = image.shown();
                part.selected.push(shown.clone());
                match image.change {
                    Change::Added => part.new.push(shown),
                    Change::Moved { from } => part.moved.push(MovedTag { image: shown, from, to: image.digest }),
                    Change::Extended | Change::Unchanged => {}
                }
                let tag = image.tag.as_ref().map_or_else(|| image.digest.to_string(), Tag::to_string);
                let repository = image.name.to_string();
                if image.change == Change::Added && rule_images::of_tag(&reader, &repository, &tag)?.is_none() {
                    let rule = LOCK_RULE.to_owned();
                    plan.rows.push(RuleImage { repository, tag, rule, brought: true, leaving_at: None, gone: false });
                }
            }
            Ok::<_, Error>(())
        })?;
        plan.rules.push(part);
        let requests = requests.iter().map(|request| request.source.to_string());
        plan.rule_of = requests.map(|request| (request, LOCK_RULE.to_owned())).collect();
        plan.note_failures(&[]);
        Ok(plan)
    }

    /// Adds to the plan of a lock what goes so that exactly the lock is here: what a rule brought. What somebody added by hand
    /// stays, and is named.
    pub fn plan_beyond_lock(&self, lock: &Lock, force: bool, plan: &mut RulePlan) -> Result<()> {
        let mut locked: BTreeSet<(String, String)> = BTreeSet::new();
        for entry in lock.entries() {
            let tag = entry.tag.as_ref().map_or_else(|| entry.digest.to_string(), Tag::to_string);
            locked.insert((published(entry)?.to_string(), tag));
        }
        let reader = self.catalog.read()?;
        let (mut going, mut brought) = (Vec::new(), 0);
        for repository in repositories::list(&reader, None, None)? {
            for image in images::of_repository(&reader, repository.id, false)? {
                let tag = image.tag.as_ref().map_or_else(|| image.digest.to_string(), Tag::to_string);
                let name = repository.name.to_string();
                let row = rule_images::of_tag(&reader, &name, &tag)?.filter(|row| row.brought).map(Going::Brought);
                let former = rule_images::former_of(&reader, &name, &tag)?.map(Going::Former);
                let one = row.or(former);
                brought += u64::from(one.is_some());
                if locked.contains(&(name, tag)) {
                    continue;
                }
                match one {
                    Some(one) => going.push((one, shown(&repository, &image))),
                    None => plan.beyond.push(shown(&repository, &image)),
                }
            }
        }
        drop(reader);
        let has_failed = !plan.add.failed.is_empty();
        let part = plan.part(LOCK_RULE);
        let (number, all) = (going.len() as u64, brought + part.new.len() as u64);
        let is_braked = number * 2 > all && !force;
        if is_braked {
            part.brake = Some(format!(
                "{number} of the {} that rules brought would go, which is more than half, so nothing is removed",
                count(all, "image", "images"),
            ));
        }
        if is_braked || has_failed {
            part.leaving.extend(going.into_iter().map(|(_, image)| LeavingTag { image, until: None }));
            return Ok(());
        }
        let (going, removed): (Vec<_>, Vec<_>) = going.into_iter().unzip();
        part.removed = removed;
        plan.going = going;
        if !plan.going.is_empty() {
            let picks: Vec<_> = plan.going.iter().map(Going::pick).collect();
            plan.remove = self.plan_remove(&picks)?;
        }
        Ok(())
    }
}

fn published(entry: &LockEntry) -> Result<RepositoryName> {
    entry.published_as.clone().map_or_else(|| entry.upstream.published_name(), Ok)
}
