//! What `add` and `update` share: planning images, bringing them here, and telling what came of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use super::context::Context;
use super::exit::Exit;
use super::planned::{Done, DryRun, Note, Planned, Planning};
use super::report::{self, AddReport, would};
use super::rule_report;
use super::style::Tone;
use super::suggest::with_suggestions;
use super::table::{Cell, Column, Table};
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::plan::{AddPlan, FailedRequest};
use crate::engine::request::{AddRequest, Pick};
use crate::engine::rules::plan::{RulePart, RulePlan};
use crate::engine::rules::{RulesInForce, RunOptions};
use crate::error::{Error, Kind, Result};
use crate::registry::is_on_this_machine;
use crate::rules::Lock;
use crate::text::{bytes, count, printable_within};

/// What is mirrored, and how it is told.
pub(super) struct Mirror<'a> {
    pub(super) engine: Arc<Engine>,
    pub(super) wanted: Wanted<'a>,
    pub(super) dry_run: DryRun,
    pub(super) fail_if_unchanged: bool,
    /// Nothing is here yet, so it is said how to go on.
    pub(super) is_first: bool,
    /// The platform that is expected because none was asked for.
    pub(super) host: Option<String>,
}

pub(super) enum Wanted<'a> {
    /// Images that are asked for by reference.
    Added(Vec<AddRequest>),
    /// What is here of these, as upstream has it now.
    Updated(&'a [Pick]),
    /// What rules say.
    Ruled(Box<Ruled>),
}

/// A run of the rules.
pub(super) struct Ruled {
    /// The rules as they will be.
    pub(super) rules: RulesInForce,
    /// What they replace, if this makes a rule.
    pub(super) before: Option<RulesInForce>,
    /// Take exactly what this says, instead of what the rules select.
    pub(super) lock: Option<Lock>,
    pub(super) options: RunOptions,
    /// Also bring up to date what no rule selects.
    pub(super) beside: bool,
}

/// A plan, which goes when it is applied, and what is told of it.
pub(super) struct Mirroring {
    plan: Option<AddPlan>,
    rules: Option<RulePlan>,
    is_empty: bool,
    report: AddReport,
    failed: Vec<FailedRequest>,
}

/// What came of a plan.
pub(super) struct Mirrored {
    report: AddReport,
    failed: Vec<FailedRequest>,
}

fn report<'a>(done: &Done<'a, Mirroring, Mirrored>) -> &'a AddReport {
    done.outcome.map_or(&done.plan.report, |mirrored| &mirrored.report)
}

impl Planned for Mirror<'_> {
    type Plan = Mirroring;
    type Outcome = Mirrored;

    const PLANNING: Planning = Planning::Shown;

    fn verb(&self) -> &'static str {
        match &self.wanted {
            Wanted::Added(_) => "add",
            Wanted::Ruled(ruled) if ruled.before.is_some() => "add",
            Wanted::Updated(_) | Wanted::Ruled(_) => "update",
        }
    }

    async fn plan(&self, _: &Context, job: &Job) -> Result<Mirroring> {
        let engine = &self.engine;
        let mut rules = None;
        let mut plan = match &self.wanted {
            Wanted::Added(requests) => {
                let plan = engine.plan_add(requests, job).await?;
                // Also what is here already was asked for.
                if !self.dry_run.dry_run {
                    engine.keep_by_hand(&plan)?;
                }
                plan
            }
            Wanted::Updated(picks) => with_suggestions(engine.plan_update(picks, job).await, engine, picks)?,
            Wanted::Ruled(ruled) => {
                rules = Some(match &ruled.lock {
                    Some(lock) => {
                        let mut plan = engine.plan_locked(lock, job).await?;
                        engine.plan_beyond_lock(lock, ruled.options.force, &mut plan)?;
                        plan
                    }
                    None => engine.plan_rules(&ruled.rules.rules, &ruled.options, job).await?,
                });
                if ruled.beside { engine.plan_update_beside_rules(job).await? } else { AddPlan::default() }
            }
        };
        let DryRun { dry_run } = self.dry_run;
        let is_empty = plan.is_empty() && rules.as_ref().is_none_or(RulePlan::is_empty);
        let root = if dry_run || !is_empty { None } else { engine.root()?.map(report::shown) };
        let mut report = AddReport { dry_run, root, ..AddReport::planned(&plan) };
        let mut failed = std::mem::take(&mut plan.failed);
        if let Some(rules) = &mut rules {
            report = report.with_rules(rules);
            // They stay in the plan: where something failed, nothing is removed.
            failed.extend(rules.add.failed.iter().map(FailedRequest::again));
            rules.beside = std::mem::take(&mut plan);
        }
        // A run is noted, and a rule is made, also where nothing comes of it.
        let is_empty = is_empty && rules.is_none();
        Ok(Mirroring { plan: Some(plan).filter(|plan| !plan.is_empty()), rules, is_empty, report, failed })
    }

    fn is_empty(&self, mirroring: &Mirroring) -> bool {
        mirroring.is_empty
    }

    fn question(&self, mirroring: &Mirroring) -> Option<String> {
        rule_report::question(&mirroring.report)
    }

    async fn apply(&self, mirroring: &mut Mirroring, _: &Context, job: &Job) -> Result<Mirrored> {
        let mut report = mirroring.report.clone();
        let mut failed = Vec::new();
        if let (Wanted::Ruled(ruled), Some(rules)) = (&self.wanted, &mut mirroring.rules) {
            if let Some(before) = &ruled.before {
                self.engine.change_rules(before, ruled.rules.text.clone(), true)?;
            }
            let updated = self.engine.apply_rules(&ruled.rules.rules, rules, job).await?;
            report = report.removed(&updated.removed).applied(&updated.added);
            report.rules.clone_from(&rules.rules);
            failed.extend(updated.added.failed);
        } else {
            let plan = mirroring.plan.take().unwrap_or_default();
            let added = self.engine.apply_add(plan, self.verb(), job).await?;
            report = report.applied(&added);
            failed.extend(added.failed);
        }
        Ok(Mirrored { report, failed })
    }

    fn document(&self, done: &Done<'_, Mirroring, Mirrored>) -> impl Serialize {
        report(done)
    }

    fn tables(&self, mirroring: &Mirroring) -> Vec<Table> {
        self.shown_tables(&mirroring.report)
    }

    fn shown(&self, done: &Done<'_, Mirroring, Mirrored>) -> Vec<Table> {
        self.shown_tables(report(done))
    }

    fn summary(&self, done: &Done<'_, Mirroring, Mirrored>) -> Vec<Note> {
        let report = report(done);
        let warnings = warnings(report, self.host.as_deref()).into_iter();
        let failed = done.plan.failed.iter().chain(done.outcome.iter().flat_map(|outcome| &outcome.failed));
        let rules = without_failures(&report.rules, failed);
        let beyond = done.plan.rules.as_ref().and_then(|rules| beyond(&rules.beyond));
        let warnings = warnings.chain(rule_report::warnings(&rules)).chain(beyond).map(Note::Warning);
        let next = if self.is_first && !done.dry_run { next_step(report) } else { None };
        let made = match &self.wanted {
            Wanted::Ruled(ruled) if ruled.before.is_some() && !done.dry_run => report.rules.first().map(|rule| {
                let rule = printable_within(&rule.rule, 100);
                format!(
                    "Made the rule {rule}. `roadstead update` carries it out again, and `roadstead schedule` by itself."
                )
            }),
            _ => None,
        };
        warnings.chain(summary(report).into_iter().chain(made).chain(next).map(Note::Message)).collect()
    }

    fn end(&self, mirroring: Mirroring, mirrored: Option<Mirrored>) -> Result<Exit> {
        let Mirroring { report, mut failed, .. } = mirroring;
        let report = match mirrored {
            Some(mirrored) => {
                failed.extend(mirrored.failed);
                mirrored.report
            }
            None => report,
        };
        let postponed: usize = report.rules.iter().map(|rule| rule.postponed.len()).sum();
        match report::failure(failed, report.images.len()) {
            Some(error) => Err(error),
            None if report.rules.iter().any(|rule| rule.brake.is_some() || !rule.failed.is_empty()) => {
                Err(Error::new(Kind::Partial, "not all rules could be carried out (see above)"))
            }
            None if postponed > 0 => {
                let images = count(postponed as u64, "image waits", "images wait");
                Err(Error::new(Kind::Partial, format!("{images} for the next run"))
                    .postponed()
                    .hint("Run `roadstead update` again later; the newest come first."))
            }
            None if self.fail_if_unchanged && report.is_unchanged() => Ok(Exit::Noticed),
            None => Ok(Exit::Done),
        }
    }
}

impl Mirror<'_> {
    fn shown_tables(&self, report: &AddReport) -> Vec<Table> {
        let rules = (!report.rules.is_empty()).then(|| rule_report::table(&report.rules));
        rules.into_iter().chain([self.table(report)]).collect()
    }

    /// Who updates everything wants to know what changed; who names an image wants to see it.
    fn table(&self, report: &AddReport) -> Table {
        table(report, matches!(self.wanted, Wanted::Added(_)))
    }
}

/// What the rules say without the failures of single images: these are the error in the end.
fn without_failures<'f>(rules: &[RulePart], failed: impl Iterator<Item = &'f FailedRequest>) -> Vec<RulePart> {
    let told: BTreeSet<String> = failed.map(FailedRequest::words).collect();
    let mut rules = rules.to_vec();
    for part in &mut rules {
        part.failed.retain(|reason| !told.contains(reason));
    }
    rules
}

/// Why the root is not that of a lock.
fn beyond(images: &[String]) -> Option<String> {
    let named = rule_report::listed(images.iter().cloned())?;
    let (number, them) = (images.len() as u64, if images.len() == 1 { "it was" } else { "they were" });
    let stay = count(number, "image stays that is not in the lock", "images stay that are not in the lock");
    Some(format!("{stay}, since {them} added by hand: {named}; the root is not that of the lock"))
}

/// The registries that are asked over plain HTTP, each once.
fn in_clear(report: &AddReport) -> impl Iterator<Item = &str> {
    let plain = report.images.iter().filter(|image| image.plain_http);
    let registries = plain.filter_map(|image| Some(image.upstream.as_deref()?.split_once('/')?.0));
    registries.collect::<BTreeSet<&str>>().into_iter()
}

fn warnings(report: &AddReport, host: Option<&str>) -> Vec<String> {
    let mut warnings: Vec<String> = in_clear(report)
        .filter(|registry| !is_on_this_machine(registry))
        .map(|registry| {
            let registry = printable_within(registry, 100);
            format!(
                "{registry} uses plain HTTP: anyone on the network path can read what is sent, passwords included, \
                 and change what is received"
            )
        })
        .collect();
    for image in &report.images {
        let name = printable_within(&image.image, 300);
        if image.private && image.change == "added" {
            let mirrored = if report.dry_run { "would be mirrored" } else { "is mirrored" };
            warnings.push(format!(
                "{name} is private upstream: it {mirrored}, but not published until `roadstead allow` permits it"
            ));
        }
        // An image without an index has one platform, which is taken as it is.
        if let (Some(host), [only]) = (host, image.platforms.as_slice())
            && image.change == "added"
            && only != host
        {
            warnings.push(format!("{name} is for {only}, and this machine is {host}"));
        }
        // Platforms that nobody asked for are left out on purpose.
        let wanted = image.left_out.iter().filter(|left| !left.reason.is_choice());
        let reasons: BTreeSet<&str> = wanted.map(|left| left.reason.text()).collect();
        for reason in reasons {
            warnings.push(format!("part of {name} is left out: {reason}; `roadstead show` lists it"));
        }
    }
    for name in &report.gone {
        let name = printable_within(name, 300);
        warnings.push(format!("{name} is gone upstream: the registry no longer has this tag; it stays here"));
    }
    warnings
}

fn table(report: &AddReport, with_unchanged: bool) -> Table {
    let mut table = Table::new(&[
        ("CHANGE", Column::Fixed),
        ("IMAGE", Column::Text),
        ("PLATFORMS", Column::Text),
        ("SIZE", Column::Number),
        ("NEW", Column::Number),
        ("ATTACHED", Column::Number),
    ]);
    for image in report.images.iter().filter(|image| with_unchanged || image.change != "unchanged") {
        let change = if report.dry_run { would(image.change) } else { image.change };
        let tone = if image.change == "unchanged" { Tone::Dim } else { Tone::Good };
        let new = if image.new_bytes == 0 { String::new() } else { bytes(image.new_bytes) };
        let platforms = match image.platforms.as_slice() {
            [] => "no platform".to_owned(),
            some => crate::text::platforms(some),
        };
        let attached = match image.attached.len() {
            0 => String::new(),
            number => number.to_string(),
        };
        table.row([
            Cell::toned(tone, change),
            Cell::toned(Tone::Name, &image.image),
            Cell::toned(if image.platforms.is_empty() { Tone::Dim } else { Tone::Plain }, platforms),
            bytes(image.logical).into(),
            new.into(),
            Cell::toned(Tone::Dim, attached),
        ]);
    }
    table
}

fn summary(report: &AddReport) -> Vec<String> {
    let changed = report.images.iter().filter(|image| image.change != "unchanged").count() as u64;
    let mut lines = rule_report::summary(report);
    if changed == 0 && !lines.is_empty() {
        lines.extend(report.root.as_ref().map(|root| format!("The root is {root}")));
        return lines;
    }
    if report.dry_run {
        lines.push(match (changed, report.new_blobs) {
            (0, _) if report.failed.is_empty() => "Nothing to do: everything is already mirrored.".to_owned(),
            (_, 0) => "Nothing needs to be fetched. Nothing was changed.".to_owned(),
            (_, blobs) => format!(
                "Would fetch {}, {}{}. Nothing was changed.",
                count(blobs, "blob", "blobs"),
                bytes(report.new_bytes),
                known(report, "; ", "already here"),
            ),
        });
        let taken = report.pulls.iter().filter(|(_, taken)| **taken > 0);
        lines.extend(taken.map(|(registry, taken)| {
            let registry = printable_within(registry, 100);
            format!(
                "Checking used {} of {registry}'s quota; fetching layers uses none.",
                count(*taken, "pull", "pulls")
            )
        }));
        lines.extend(
            in_clear(report)
                .filter(|registry| is_on_this_machine(registry))
                .map(|registry| format!("{} is on this machine and uses plain HTTP.", printable_within(registry, 100))),
        );
        return lines;
    }
    if changed == 0 {
        if !report.failed.is_empty() {
            return lines;
        }
        lines.push(match report.gone.len() as u64 {
            0 => "Nothing to do: everything is already mirrored.".to_owned(),
            gone => format!("Nothing to do: {} up to date, {gone} gone upstream.", report.images.len()),
        });
    } else {
        lines.push(format!(
            "{}: {} fetched{}.",
            changes(report),
            bytes(report.fetched_bytes),
            known(report, ", ", "already here"),
        ));
    }
    lines.extend(report.root.as_ref().map(|root| format!("The root is {root}")));
    lines
}

/// `2 images added, 1 moved`.
fn changes(report: &AddReport) -> String {
    let mut parts = Vec::new();
    for kind in ["added", "moved", "extended"] {
        let number = report.images.iter().filter(|image| image.change == kind).count() as u64;
        match (number, parts.is_empty()) {
            (0, _) => {}
            (_, true) => parts.push(format!("{} {kind}", count(number, "image", "images"))),
            (_, false) => parts.push(format!("{number} {kind}")),
        }
    }
    parts.join(", ")
}

fn known(report: &AddReport, before: &str, after: &str) -> String {
    if report.known_bytes == 0 { String::new() } else { format!("{before}{} {after}", bytes(report.known_bytes)) }
}

/// Whoever mirrors a first image is told how it is pulled. Only what is an image can be.
fn next_step(report: &AddReport) -> Option<String> {
    let image = report.images.iter().find(|image| !image.platforms.is_empty())?;
    let (_, tag) = image.image.rsplit_once(':').filter(|_| !image.image.contains('@'))?;
    let name = image.alias.as_deref().unwrap_or(image.image.strip_suffix(tag)?.trim_end_matches(':'));
    Some(format!(
        "Next: `roadstead serve`, and in another terminal `podman pull --tls-verify=false 127.0.0.1:5050/{name}:{tag}`."
    ))
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::sample;
    use super::super::style::Paint;
    use super::*;

    #[test]
    fn a_dry_run_says_what_would_be_done() {
        let mut report = AddReport { dry_run: true, ..sample() };
        let mut words = Vec::new();
        for change in ["added", "moved", "extended", "unchanged"] {
            report.images[0].change = change;
            let shown = table(&report, true).render(None, Paint::new(false));
            words.push(shown.lines().nth(1).unwrap().split("  ").next().unwrap().to_owned());
        }
        assert_eq!(words, ["would add", "would move", "would extend", "unchanged"]);
        report.dry_run = false;
        assert!(table(&report, false).render(None, Paint::new(false)).is_empty());
    }

    #[test]
    fn what_a_person_sees() {
        let mut report = sample();
        assert_eq!(
            table(&report, true).render(None, Paint::new(false)),
            "CHANGE     IMAGE                 PLATFORMS                    SIZE     NEW  ATTACHED\n\
             moved      library/nginx:alpine  linux/amd64, linux/arm64   43 MiB  12 MiB         1\n\
             unchanged  ghcr.io/org/app:v1    linux/amd64               612 MiB\n"
        );
        assert_eq!(
            summary(&report),
            [
                "1 image moved: 12 MiB fetched, 643 MiB already here.",
                "The root is bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"
            ]
        );
        assert_eq!(table(&report, false).render(None, Paint::new(false)).lines().count(), 2);
        assert_eq!(
            warnings(&report, None),
            [
                "part of library/nginx:alpine is left out: foreign layers; `roadstead show` lists it",
                "library/old:1 is gone upstream: the registry no longer has this tag; it stays here"
            ]
        );
        assert_eq!(
            next_step(&report).unwrap(),
            "Next: `roadstead serve`, and in another terminal `podman pull --tls-verify=false 127.0.0.1:5050/nginx:alpine`."
        );
        report.images[1].change = "added";
        assert!(warnings(&report, Some("linux/amd64")).len() == 3, "that it is private");
        assert!(
            warnings(&report, Some("linux/arm64"))
                .contains(&"ghcr.io/org/app:v1 is for linux/amd64, and this machine is linux/arm64".to_owned())
        );
        report.images[1].change = "unchanged";
        report.dry_run = true;
        assert_eq!(
            summary(&report),
            [
                "Would fetch 3 blobs, 12 MiB; 643 MiB already here. Nothing was changed.",
                "Checking used 4 pulls of docker.io's quota; fetching layers uses none."
            ]
        );
    }

    #[test]
    fn plain_http_is_said_once_for_a_registry() {
        let mut report = AddReport { dry_run: true, ..sample() };
        let said = |report: &AddReport| {
            let all = warnings(report, None).into_iter().chain(summary(report));
            all.filter(|line| line.contains("plain HTTP")).collect::<Vec<_>>()
        };
        assert!(said(&report).is_empty());
        for image in &mut report.images {
            (image.plain_http, image.upstream) = (true, Some("10.0.0.1:5000/org/app".to_owned()));
        }
        assert_eq!(
            said(&report),
            ["10.0.0.1:5000 uses plain HTTP: anyone on the network path can read what is sent, passwords \
                 included, and change what is received"]
        );
        report.images[0].upstream = Some("127.0.0.1:5000/app".to_owned());
        assert_eq!(said(&report)[1], "127.0.0.1:5000 is on this machine and uses plain HTTP.");
    }
}
