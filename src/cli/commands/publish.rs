//! `publish`: hand the registry to its targets and move the names that point to it.

use std::sync::Arc;

use cid::Cid;
use clap::Args;
use serde::Serialize;

use crate::cli::completers::target_names;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::planned::{self, Done, DryRun, Note, Planned};
use crate::cli::publish_plan;
use crate::cli::publish_report::{PublishReport, failure};
use crate::cli::style::Tone;
use crate::cli::table::{Cell, Column, Table};
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::publish::plan::{PublishOutcome, PublishPlan, PublishRequest};
use crate::engine::targets::Peers;
use crate::error::Result;
use crate::text::{count, printable};

const EXAMPLES: &str = "\
Examples:
  roadstead publish                to every target, after asking
  roadstead publish --dry-run      what would change, and what would be sent
  roadstead publish home --yes     to one target, from cron
  roadstead publish --check-gateway https://ipfs.example.com";

/// What to publish to.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// Names of targets, as `target list` shows them [default: all of them].
    #[arg(value_name = "TARGET", add = target_names())]
    pub(in crate::cli) targets: Vec<String>,

    #[command(flatten)]
    pub(in crate::cli) dry_run: DryRun,

    /// Continue even if someone else set the pin or the record, and replace what they set.
    #[arg(long)]
    pub(in crate::cli) force: bool,

    /// Ask this gateway for the new root afterwards and compare what it serves; repeatable.
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) check_gateway: Vec<String>,
}

pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let request = PublishRequest { targets: arguments.targets.clone(), root: None, force: arguments.force };
    carry_out("publish", request, arguments.dry_run, &arguments.check_gateway, context)
}

/// Plans, shows, asks, runs, and says who has what.
pub(in crate::cli) fn carry_out(
    verb: &'static str,
    request: PublishRequest,
    dry_run: DryRun,
    gateways: &[String],
    context: &Context,
) -> Result<Exit> {
    let engine = context.open_for(dry_run)?;
    let places = context.peers(&engine);
    let publish = Publish { verb, engine, request, dry_run, gateways, places };
    planned::carry_out(&publish, dry_run, context)
}

struct Publish<'a> {
    verb: &'static str,
    engine: Arc<Engine>,
    request: PublishRequest,
    dry_run: DryRun,
    gateways: &'a [String],
    places: Peers,
}

/// What came of it, and whether the catalog has moved on since.
struct Published {
    outcome: PublishOutcome,
    root: Option<Cid>,
}

impl Planned for Publish<'_> {
    type Plan = PublishPlan;
    type Outcome = Published;

    fn verb(&self) -> &'static str {
        self.verb
    }

    async fn plan(&self, _: &Context, job: &Job) -> Result<PublishPlan> {
        let mut plan = self.engine.plan_publish(&self.request, &self.places, job).await?;
        for planned in &mut plan.targets {
            planned.target.settings.gateways.extend(self.gateways.iter().cloned());
        }
        if plan.targets.is_empty()
            && let Some(error) = failure(&mut plan, None)
        {
            return Err(error);
        }
        Ok(plan)
    }

    fn is_empty(&self, plan: &PublishPlan) -> bool {
        let asks_gateways = plan.targets.iter().any(|planned| !planned.target.settings.gateways.is_empty());
        plan.is_done() && (self.dry_run.dry_run || !asks_gateways)
    }

    fn question(&self, plan: &PublishPlan) -> Option<String> {
        (!plan.is_done()).then(|| format!("{} Continue?", publish_plan::summary(plan)))
    }

    async fn apply(&self, plan: &mut PublishPlan, _: &Context, job: &Job) -> Result<Published> {
        let outcome = self.engine.apply_publish(plan, &self.places, job).await?;
        Ok(Published { outcome, root: self.engine.root()? })
    }

    fn document(&self, done: &Done<'_, PublishPlan, Published>) -> impl Serialize {
        PublishReport::of(done.plan, done.outcome.map(|published| &published.outcome), done.dry_run)
    }

    fn tables(&self, plan: &PublishPlan) -> Vec<Table> {
        if self.is_empty(plan) { Vec::new() } else { publish_plan::tables(plan) }
    }

    fn shown(&self, done: &Done<'_, PublishPlan, Published>) -> Vec<Table> {
        let mut tables = if done.asked { Vec::new() } else { self.tables(done.plan) };
        if let Some(Published { outcome, .. }) = done.outcome {
            let failed =
                outcome.targets.iter().filter(|target| target.failure.is_some()).count() + done.plan.failed.len();
            if failed > 0 && outcome.targets.len() + done.plan.failed.len() > 1 {
                tables.push(who_has_what(done.plan, outcome));
            }
        }
        tables
    }

    fn notes(&self, plan: &PublishPlan, asks: bool) -> Vec<Note> {
        notes(plan, asks)
    }

    fn summary(&self, done: &Done<'_, PublishPlan, Published>) -> Vec<Note> {
        if let Some(Published { outcome, root }) = done.outcome {
            return said(done.plan, outcome, *root);
        }
        let plan = done.plan;
        vec![Note::Message(if self.is_empty(plan) {
            let have = if plan.targets.len() == 1 { "has" } else { "have" };
            let targets = count(plan.targets.len() as u64, "target", "targets");
            format!("Nothing to publish: {targets} {have} {}.", plan.root)
        } else {
            format!("{} Nothing was changed.", publish_plan::summary(plan))
        })]
    }

    fn end(&self, mut plan: PublishPlan, published: Option<Published>) -> Result<Exit> {
        failure(&mut plan, published.map(|published| published.outcome)).map_or(Ok(Exit::Done), Err)
    }
}

/// Consent, and whatever else one should know before saying yes. Why a target is left out is told to whoever is asked; else the
/// error at the end tells it.
fn notes(plan: &PublishPlan, asks: bool) -> Vec<Note> {
    let mut notes = Vec::new();
    if !plan.left_out.is_empty() {
        let names: Vec<String> = plan.left_out.iter().map(|name| printable(name)).collect();
        notes.push(Note::Message(format!(
            "Left out because private: {}. `roadstead allow REPO` includes one.",
            names.join(", ")
        )));
    }
    notes.extend(plan.first_time_private.iter().map(|repository| {
        let repository = printable(repository);
        Note::Warning(format!(
            "{repository} is private and published for the first time: this can't be undone. `roadstead allow \
             --revoke {repository}` leaves it out."
        ))
    }));
    for planned in &plan.targets {
        let name = printable(&planned.target.name);
        notes.extend(planned.notes.iter().map(|note| Note::Message(format!("{name}: {note}"))));
    }
    if asks {
        let failed = plan.failed.iter();
        notes.extend(
            failed.map(|failed| Note::Warning(format!("{} is left out: {}", printable(&failed.name), failed.error))),
        );
    }
    notes
}

/// Who has what now; `root` is the catalog's.
fn said(plan: &PublishPlan, outcome: &PublishOutcome, root: Option<Cid>) -> Vec<Note> {
    let mut notes = Vec::new();
    for target in &outcome.targets {
        let name = printable(&target.name);
        notes.extend(target.notes.iter().map(|note| Note::Warning(format!("{name}: {note}"))));
    }
    let done: Vec<&str> =
        outcome.targets.iter().filter(|target| target.failure.is_none()).map(|target| target.name.as_str()).collect();
    if !done.is_empty() {
        let names = done.iter().map(|name| printable(name)).collect::<Vec<_>>().join(", ");
        notes.push(Note::Message(if plan.rollback {
            format!("Rolled back {names} to {}.", plan.root)
        } else {
            format!("Published {} to {names}.", plan.root)
        }));
    }
    for planned in plan.targets.iter().filter(|planned| done.contains(&planned.target.name.as_str())) {
        if let (Some(record), Some(dnslink)) = (&planned.dnslink, &planned.target.settings.dnslink)
            && record.before.values != record.after.values
            && let Some(ttl) = record.before.ttl
        {
            notes.push(Note::Message(format!("{}: caches may lag up to {ttl} s.", printable(&dnslink.domain))));
        }
    }
    if plan.rollback && root.is_some_and(|root| root != plan.root) {
        let words = "The catalog is unchanged: the next `roadstead publish` publishes its current root again.";
        notes.push(Note::Message(words.to_owned()));
    }
    notes
}

/// A row for each target: the root that it gives out, and whether it failed; why is in the error that follows.
fn who_has_what(plan: &PublishPlan, outcome: &PublishOutcome) -> Table {
    let mut table = Table::new(&[("TARGET", Column::Fixed), ("ROOT", Column::Digest), ("STATE", Column::Fixed)]);
    let root = |root: Option<cid::Cid>| root.map_or_else(|| "nothing known".to_owned(), |root| root.to_string());
    for target in &outcome.targets {
        let (tone, state) = match &target.failure {
            None => (Tone::Good, "published"),
            Some(_) => (Tone::Bad, "failed"),
        };
        table.row([Cell::toned(Tone::Name, &target.name), root(target.root).into(), Cell::toned(tone, state)]);
    }
    for failed in &plan.failed {
        table.row([Cell::toned(Tone::Name, &failed.name), "unchanged".into(), Cell::toned(Tone::Bad, "failed")]);
    }
    table
}
