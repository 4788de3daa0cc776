//! `publish`: hand the registry to its targets and move the names that point to it.

use std::sync::Arc;

use clap::Args;

use crate::cli::completers::target_names;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::publish_plan;
use crate::cli::publish_report::{PublishReport, failure};
use crate::cli::style::Tone;
use crate::cli::table::{Cell, Column, Table};
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::publish::plan::{PublishOutcome, PublishPlan, PublishRequest};
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

    /// Show what would be done and do nothing.
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,

    /// Go on although someone else set the pin or the record, and replace what they set.
    #[arg(long)]
    pub(in crate::cli) force: bool,

    /// Ask this gateway for the new root afterwards and compare what it gives out; repeatable.
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) check_gateway: Vec<String>,
}

/// Publishes, after asking.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let request = PublishRequest { targets: arguments.targets.clone(), root: None, force: arguments.force };
    carry_out("publish", &request, arguments.dry_run, &arguments.check_gateway, context)
}

/// Plans, shows, asks, runs, and says who has what.
pub(in crate::cli) fn carry_out(
    verb: &str,
    request: &PublishRequest,
    dry_run: bool,
    gateways: &[String],
    context: &Context,
) -> Result<Exit> {
    let engine = if dry_run { context.open_to_read()? } else { context.open_existing()? };
    let places = context.peers();
    let output = &context.output;
    let mut plan = context.run_quietly("Stopping; nothing was changed.", async |job: &Job| {
        engine.plan_publish(request, &places, job).await
    })?;
    for planned in &mut plan.targets {
        planned.target.settings.gateways.extend(gateways.iter().cloned());
    }
    if plan.targets.is_empty()
        && let Some(error) = failure(&mut plan, None)
    {
        return Err(error);
    }
    let asks_gateways = plan.targets.iter().any(|planned| !planned.target.settings.gateways.is_empty());
    if plan.is_done() && (dry_run || !asks_gateways) {
        output.json(&PublishReport::of(&plan, None, dry_run))?;
        output.message(&format!(
            "There is nothing to publish: {} {} {}.",
            count(plan.targets.len() as u64, "target", "targets"),
            if plan.targets.len() == 1 { "has" } else { "have" },
            plan.root
        ));
        say_left_out(&plan, context);
        return Ok(Exit::Done);
    }
    let tables = publish_plan::tables(&plan);
    if dry_run {
        output.json(&PublishReport::of(&plan, None, true))?;
        publish_plan::show(&tables, |table| output.table(table))?;
        output.finish()?;
        warn(&plan, false, context);
        output.message(&format!("{} Nothing was changed.", publish_plan::summary(&plan)));
        return failure(&mut plan, None).map_or(Ok(Exit::Done), Err);
    }
    warn(&plan, !context.global.yes, context);
    let shown: Vec<&Table> = tables.iter().collect();
    let question = format!("{} Go on?", publish_plan::summary(&plan));
    if !plan.is_done() && !context.confirm(verb, &shown, &question)? {
        return Ok(Exit::Declined);
    }
    let outcome = context.run(async |job: &Job| engine.apply_publish(&plan, &places, job).await)?;
    output.json(&PublishReport::of(&plan, Some(&outcome), false))?;
    if context.global.yes {
        publish_plan::show(&tables, |table| output.table(table))?;
    }
    output.finish()?;
    say(&engine, &plan, &outcome, context)?;
    failure(&mut plan, Some(outcome)).map_or(Ok(Exit::Done), Err)
}

/// Consent, and whatever else one should know before saying yes. Why a target is left out is told to whoever is asked; else the
/// error at the end tells it.
fn warn(plan: &PublishPlan, asks: bool, context: &Context) {
    say_left_out(plan, context);
    for repository in &plan.first_time_private {
        context.output.warning(&format!(
            "{} is private and is published for the first time: that can't be taken back. `roadstead allow --revoke {}` \
             leaves it out.",
            printable(repository),
            printable(repository)
        ));
    }
    for planned in &plan.targets {
        for note in &planned.notes {
            context.output.message(&format!("{}: {note}", printable(&planned.target.name)));
        }
    }
    for failed in plan.failed.iter().filter(|_| asks) {
        context.output.warning(&format!("{} is left out: {}", printable(&failed.name), failed.error));
    }
}

fn say_left_out(plan: &PublishPlan, context: &Context) {
    if plan.left_out.is_empty() {
        return;
    }
    let names: Vec<String> = plan.left_out.iter().map(|name| printable(name)).collect();
    context.output.message(&format!(
        "Private, and therefore left out: {}. `roadstead allow REPO` lets one in.",
        names.join(", ")
    ));
}

/// Who has what now.
fn say(engine: &Arc<Engine>, plan: &PublishPlan, outcome: &PublishOutcome, context: &Context) -> Result<()> {
    let output = &context.output;
    for target in &outcome.targets {
        for note in &target.notes {
            output.warning(&format!("{}: {note}", printable(&target.name)));
        }
    }
    let failed = outcome.targets.iter().filter(|target| target.failure.is_some()).count() + plan.failed.len();
    if failed > 0 && outcome.targets.len() + plan.failed.len() > 1 {
        output.table(&who_has_what(plan, outcome))?;
        output.finish()?;
    }
    let done: Vec<&str> =
        outcome.targets.iter().filter(|target| target.failure.is_none()).map(|target| target.name.as_str()).collect();
    if !done.is_empty() {
        let what = if plan.rollback { "went back to" } else { "published" };
        let names: Vec<String> = done.iter().map(|name| printable(name)).collect();
        let names = names.join(", ");
        output.message(&if plan.rollback {
            format!("{names} {what} {}.", plan.root)
        } else {
            format!("Published {} to {names}.", plan.root)
        });
    }
    for planned in plan.targets.iter().filter(|planned| done.contains(&planned.target.name.as_str())) {
        if let (Some(record), Some(dnslink)) = (&planned.dnslink, &planned.target.settings.dnslink)
            && record.before.values != record.after.values
            && let Some(ttl) = record.before.ttl
        {
            output.message(&format!("{}: caches may lag up to {ttl} s.", printable(&dnslink.domain)));
        }
    }
    if plan.rollback && engine.root()?.is_some_and(|root| root != plan.root) {
        output.message("The catalog is as it was: the next `roadstead publish` goes on to what it has.");
    }
    Ok(())
}

/// A row for each target: the root that it gives out, and whether it failed; why is in the error that follows.
fn who_has_what(plan: &PublishPlan, outcome: &PublishOutcome) -> Table {
    let mut table = Table::new(&[("TARGET", Column::Fixed), ("HAS", Column::Digest), ("", Column::Fixed)]);
    let root = |root: Option<cid::Cid>| root.map_or_else(|| "nothing known".to_owned(), |root| root.to_string());
    for target in &outcome.targets {
        let (tone, state) = match &target.failure {
            None => (Tone::Good, "published"),
            Some(_) => (Tone::Bad, "failed"),
        };
        table.row([Cell::toned(Tone::Name, &target.name), root(target.root).into(), Cell::toned(tone, state)]);
    }
    for failed in &plan.failed {
        table.row([Cell::toned(Tone::Name, &failed.name), "as before".into(), Cell::toned(Tone::Bad, "failed")]);
    }
    table
}
