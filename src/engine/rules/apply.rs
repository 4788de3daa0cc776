//! Carrying a run of the rules out: rows, what comes, what goes, what is brought up to date beside it, and what is told of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::plan::{Going, RulePlan};
use super::run::Updated;
use super::telling;
use crate::catalog::Writer;
use crate::catalog::rule_images::{self, ComingImage, RuleImage};
use crate::catalog::rule_set::{self, RuleRun};
use crate::engine::Engine;
use crate::engine::blocking::in_place;
use crate::engine::find::image_at;
use crate::engine::job::Job;
use crate::engine::plan::{AddPlan, PlannedImage, RemovePlan};
use crate::engine::turn::Turns;
use crate::error::{Error, Kind, Result};
use crate::image::{Digest, Tag};
use crate::rules::{Event, EventKind, Hook, Rules};

/// The verb of all that a run does: it is one change to whoever undoes it.
const VERB: &str = "update";

/// Seconds after which it is not waited any more for what a run did not bring: a week.
const MAX_COMING_SECONDS: i64 = 7 * 86_400;

impl Engine {
    /// Runs exactly this plan. What fails does not stop the rest, but nothing is removed then. The plan says afterwards what came of
    /// it, and the failures of planning stay in it.
    pub async fn apply_rules(self: &Arc<Self>, rules: &Rules, plan: &mut RulePlan, job: &Job) -> Result<Updated> {
        let _listening = self.notices.listen(job);
        let doing = "update by rules";
        let _lease = self.lease(doing, job).await?;
        let turns = Turns::of(doing.to_owned());
        {
            let _turn = self.turn(&turns, job).await?;
            in_place(|| self.note_rows(&rules.hooks, plan))?;
        }
        let mut add = std::mem::take(&mut plan.add);
        plan.add.failed = std::mem::take(&mut add.failed);
        let added = self.run_add(add, VERB, &turns, job).await?;
        added.failed.iter().for_each(|failed| plan.note_failed(failed));
        let mut updated = Updated { added, removed: Vec::new() };
        let has_failed = !plan.add.failed.is_empty() || !updated.added.failed.is_empty();
        let removal = if has_failed { Ok(()) } else { self.remove_what_goes(plan, &mut updated, &turns, job).await };
        for part in &mut plan.rules {
            part.removed.retain(|image| updated.removed.contains(image));
        }
        // Whatever became of the removal: what came is told.
        in_place(|| self.note_run(&rules.hooks, plan, &updated))?;
        removal?;
        let mut beside = std::mem::take(&mut plan.beside);
        plan.beside.failed = std::mem::take(&mut beside.failed);
        if !beside.images.is_empty() || !beside.gone.is_empty() {
            let more = self.run_add(beside, VERB, &turns, job).await?;
            let added = &mut updated.added;
            added.recorded.extend(more.recorded);
            added.failed.extend(more.failed);
            added.gone.extend(more.gone);
            added.fetched += more.fetched;
            added.root = more.root.or(added.root);
        }
        Ok(updated)
    }

    /// Before anything comes: to whom it belongs, and what is kept of what moves. The catalog may have changed since the plan was
    /// made: what is here by now, somebody else brought.
    fn note_rows(&self, hooks: &[Hook], plan: &RulePlan) -> Result<()> {
        let planned: BTreeMap<String, &PlannedImage> =
            plan.add.changing().map(|image| (image.shown(), image)).collect();
        self.catalog.write(|writer| {
            tell_cut_runs(writer, hooks, plan.now)?;
            for row in &plan.forgotten {
                if rule_images::of_tag(writer, &row.repository, &row.tag)?.as_ref() == Some(row) {
                    rule_images::remove(writer, &row.repository, &row.tag)?;
                }
            }
            for former in &plan.former_ends {
                if image_at(writer, &former.repository, &former.image)?.is_none() {
                    rule_images::remove_former(writer, &former.repository, &former.image)?;
                }
            }
            plan.rows.iter().try_for_each(|row| put_row(writer, row))?;
            for former in &plan.formers {
                let is_here = image_at(writer, &former.repository, &former.image)?.is_some();
                let known = rule_images::former_of(writer, &former.repository, &former.image)?;
                if !is_here || known.is_some() {
                    rule_images::put_former(writer, former)?;
                }
            }
            for part in &plan.rules {
                let moved = part.moved.iter().map(|moved| (&moved.image, Some(moved.from)));
                for (image, from) in part.new.iter().map(|image| (image, None)).chain(moved) {
                    let Some(image) = planned.get(image) else { continue };
                    let (repository, tag) = place(image);
                    // Another run brought it since the plan was made, and tells it.
                    if image_at(writer, &repository, &tag)?.is_some_and(|here| here.digest == image.digest) {
                        continue;
                    }
                    let (rule, to, began_at) = (part.rule.clone(), image.digest, plan.now);
                    rule_images::put_coming(writer, &ComingImage { repository, tag, rule, from, to, began_at })?;
                }
            }
            Ok(())
        })
    }

    async fn remove_what_goes(
        self: &Arc<Self>,
        plan: &RulePlan,
        updated: &mut Updated,
        turns: &Arc<Turns>,
        job: &Job,
    ) -> Result<()> {
        if plan.remove.images.is_empty() {
            return Ok(());
        }
        let _turn = self.turn(turns, job).await?;
        job.check()?;
        in_place(|| {
            let (removed, going) = self.still_going(plan)?;
            if removed.images.is_empty() {
                return Ok(());
            }
            updated.added.root = Some(self.remove_images(VERB, &removed.summary(), &removed)?);
            updated.removed = removed.images.iter().map(|image| image.image.clone()).collect();
            self.note_removed(&going, plan.now)
        })
    }

    /// What still goes: not what was asked for by hand since, is away or another image, or is selected again.
    fn still_going<'p>(&self, plan: &'p RulePlan) -> Result<(RemovePlan, Vec<&'p Going>)> {
        let planned: BTreeMap<&str, Digest> =
            plan.remove.images.iter().map(|image| (image.image.as_str(), image.digest)).collect();
        let mut going = Vec::new();
        {
            let reader = self.catalog.read()?;
            for one in &plan.going {
                let (repository, tag) = one.place();
                let row = rule_images::of_tag(&reader, repository, tag)?;
                let is_due = match one {
                    Going::Brought(seen) => row.is_some_and(|row| row.brought && row.leaving_at == seen.leaving_at),
                    // A rule selects it meanwhile.
                    Going::Former(_) if row.is_some() => false,
                    Going::Former(_) => rule_images::former_of(&reader, repository, tag)?.is_some(),
                };
                let here = image_at(&reader, repository, tag)?.filter(|image| image.attached_to.is_none());
                let shown = rule_images::shown(repository, tag);
                if is_due && here.is_some_and(|image| planned.get(shown.as_str()) == Some(&image.digest)) {
                    going.push(one);
                }
            }
        }
        if going.is_empty() {
            return Ok((RemovePlan::default(), going));
        }
        let picks: Vec<_> = going.iter().map(|going| going.pick()).collect();
        let mut again = self.plan_remove(&picks)?;
        // Nothing goes that the plan did not say.
        again.images.retain(|image| planned.get(image.image.as_str()) == Some(&image.digest));
        Ok((again, going))
    }

    /// The rows stay until the next run finds that the images are still away: an undo brings both back, and their time begins anew.
    fn note_removed(&self, going: &[&Going], now: i64) -> Result<()> {
        self.catalog.write(|writer| {
            going.iter().try_for_each(|going| match going {
                Going::Brought(row) => {
                    rule_images::put(writer, &RuleImage { leaving_at: None, gone: false, ..row.clone() })
                }
                Going::Former(former) => {
                    let until = now.saturating_add(former.until.saturating_sub(former.since).max(0));
                    rule_images::put_former(writer, &rule_images::FormerImage { since: now, until, ..former.clone() })
                }
            })
        })
    }

    fn note_run(&self, hooks: &[Hook], plan: &mut RulePlan, updated: &Updated) -> Result<()> {
        let recorded: BTreeSet<&str> = updated.added.recorded.iter().map(String::as_str).collect();
        self.catalog.write(|writer| {
            let mut outcomes = Vec::with_capacity(plan.rules.len());
            for part in &mut plan.rules {
                // Two runs may have brought the same at once: one of them tells it.
                let mut is_told_here = |image: &String| -> Result<bool> {
                    let (repository, tag) = split(image);
                    let was_coming = rule_images::remove_coming(writer, repository, tag)?;
                    Ok(was_coming || !recorded.contains(image.as_str()))
                };
                retain(&mut part.new, &mut is_told_here)?;
                retain(&mut part.moved, |moved| is_told_here(&moved.image))?;
                let mut outcome = part.outcome();
                let came = |image: &String| recorded.contains(image.as_str());
                outcome.new = part.new.iter().filter(|image| came(image)).count() as u64;
                outcome.moved = part.moved.iter().filter(|moved| came(&moved.image)).count() as u64;
                let before = rule_set::last_run(writer, &part.rule)?;
                outcomes.push((outcome, before.and_then(|before| serde_json::from_str(&before.outcome).ok())));
            }
            telling::put_run(writer, hooks, plan, updated, &mut outcomes)?;
            self.count_run(writer, plan, updated, &outcomes)?;
            for (part, (outcome, _)) in plan.rules.iter().zip(&outcomes) {
                let outcome = serde_json::to_string(outcome).map_err(|error| {
                    Error::new(Kind::Unexpected, format!("a rule's outcome can't be written: {error}"))
                })?;
                rule_set::set_run(writer, &part.rule, &RuleRun { ran_at: plan.now, outcome })?;
            }
            Ok(())
        })
    }

    /// Notes that somebody asked for these images by hand: no rule removes them, though one brought them.
    pub fn keep_by_hand(&self, plan: &AddPlan) -> Result<()> {
        self.keep_images(&plan.images)
    }

    /// The same of images, before they are recorded.
    pub(in crate::engine) fn keep_images(&self, images: &[PlannedImage]) -> Result<()> {
        if self.catalog.is_read_only() {
            return Ok(());
        }
        let mut of_rules = Vec::new();
        {
            let reader = self.catalog.read()?;
            for (repository, tag) in images.iter().map(place) {
                if rule_images::is_of_rule(&reader, &repository, &tag)? {
                    of_rules.push((repository, tag));
                }
            }
        }
        if of_rules.is_empty() {
            return Ok(());
        }
        self.catalog.write(|writer| {
            of_rules.iter().try_for_each(|(repository, tag)| rule_images::keep(writer, repository, tag))
        })
    }

    /// Notes that these images are taken for a rule, which selects them and did not take them by itself: what it brought stays its
    /// own, and so does what is not here yet.
    pub(in crate::engine) fn note_taken(&self, rule: &str, images: &[PlannedImage]) -> Result<()> {
        self.catalog.write(|writer| {
            images.iter().map(place).try_for_each(|(repository, tag)| {
                let rule = rule.to_owned();
                let row = RuleImage { repository, tag, rule, brought: true, leaving_at: None, gone: false };
                put_row(writer, &row)
            })
        })
    }
}

/// Puts a row, and never makes that something was brought which was not: that it is here may be of somebody else.
fn put_row(writer: &Writer<'_>, row: &RuleImage) -> Result<()> {
    let known = rule_images::of_tag(writer, &row.repository, &row.tag)?;
    let brought = match &known {
        Some(known) => known.brought,
        None => row.brought && image_at(writer, &row.repository, &row.tag)?.is_none(),
    };
    // What is no rule's does not leave.
    let (leaving_at, gone) = if brought { (row.leaving_at, row.gone) } else { (None, false) };
    rule_images::put(writer, &RuleImage { brought, leaving_at, gone, ..row.clone() })
}

/// Tells what runs have brought that ended before they could tell it: as a run of its own.
fn tell_cut_runs(writer: &Writer<'_>, hooks: &[Hook], now: i64) -> Result<()> {
    let mut runs: BTreeMap<i64, i64> = BTreeMap::new();
    for coming in rule_images::coming(writer)? {
        let here = image_at(writer, &coming.repository, &coming.tag)?;
        if here.is_none_or(|image| image.digest != coming.to) {
            continue;
        }
        let run = match runs.get(&coming.began_at) {
            Some(run) => *run,
            None => {
                let run = telling::next_run(writer, coming.began_at)?;
                runs.insert(coming.began_at, run);
                run
            }
        };
        let kind = if coming.from.is_some() { EventKind::Moved } else { EventKind::New };
        let event = Event {
            rule: Some(coming.rule),
            image: Some(rule_images::shown(&coming.repository, &coming.tag)),
            from: coming.from,
            to: coming.from.map(|_| coming.to),
            ..telling::event(kind, now, run)
        };
        telling::put(writer, hooks, &event)?;
        rule_images::remove_coming(writer, &coming.repository, &coming.tag)?;
    }
    rule_images::prune_coming(writer, now.saturating_sub(MAX_COMING_SECONDS))
}

/// Published name, and tag or digest.
fn place(image: &PlannedImage) -> (String, String) {
    let tag = image.tag.as_ref().map_or_else(|| image.digest.to_string(), Tag::to_string);
    (image.name.to_string(), tag)
}

/// The two parts of `name:tag` or `name@digest`.
fn split(shown: &str) -> (&str, &str) {
    shown.split_once('@').or_else(|| shown.rsplit_once(':')).unwrap_or((shown, ""))
}

fn retain<T>(all: &mut Vec<T>, mut keeps: impl FnMut(&T) -> Result<bool>) -> Result<()> {
    let mut outcome = Ok(());
    all.retain(|one| match keeps(one) {
        Ok(keeps) => keeps,
        Err(error) => {
            outcome = Err(error);
            true
        }
    });
    outcome
}
