//! Verbs that plan first: plan, dry run, question, run, JSON and text, in one order for all of them.
//!
//! A verb says what is its own (how it plans and applies, what it asks, how its answer looks); [`carry_out`] does the rest, so that
//! `--dry-run`, `--yes`, `--json` and a refusal mean the same everywhere.

use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::exit::Exit;
use super::table::Table;
use crate::engine::job::Job;
use crate::error::Result;

/// The flag of everything that is planned.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(super) struct DryRun {
    /// Show what would happen, and change nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
}

/// How a plan is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Planning {
    /// At once, or by asking a few others: no progress is shown.
    Quiet,
    /// By asking registries or reading a tree, which may take long. What has no question is applied in the same job.
    Shown,
}

/// A sentence on standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Note {
    /// Left out with `--quiet`.
    Message(String),
    /// Something to know before the data are trusted.
    Warning(String),
}

/// A plan and what came of it; nothing has come of one that was only made.
#[derive(Debug)]
pub(super) struct Done<'a, P, O> {
    pub(super) plan: &'a P,
    /// Result of applying the plan; none for a dry run.
    pub(super) outcome: Option<&'a O>,
    /// Nothing was to be done.
    pub(super) dry_run: bool,
    /// Somebody has seen the plan and said yes.
    pub(super) asked: bool,
}

/// A verb that plans first.
pub(super) trait Planned {
    /// Plan that is shown before it is applied.
    type Plan;
    /// Result of applying the plan.
    type Outcome;

    /// How its plan is made.
    const PLANNING: Planning = Planning::Quiet;

    /// As it is typed.
    fn verb(&self) -> &'static str;

    /// Finds out what is to be done, and changes nothing.
    async fn plan(&self, context: &Context, job: &Job) -> Result<Self::Plan>;

    /// Whether there is nothing to do: the plan is shown, and nobody is asked.
    fn is_empty(&self, _plan: &Self::Plan) -> bool {
        false
    }

    /// What is asked before the plan is applied; what takes nothing away asks nothing.
    fn question(&self, plan: &Self::Plan) -> Option<String>;

    async fn apply(&self, plan: &mut Self::Plan, context: &Context, job: &Job) -> Result<Self::Outcome>;

    /// The answer with `--json`.
    fn document(&self, done: &Done<'_, Self::Plan, Self::Outcome>) -> impl Serialize;

    /// The plan for people.
    fn tables(&self, plan: &Self::Plan) -> Vec<Table>;

    /// What is shown in the end: the plan, unless somebody was asked and has seen it.
    fn shown(&self, done: &Done<'_, Self::Plan, Self::Outcome>) -> Vec<Table> {
        if done.asked { Vec::new() } else { self.tables(done.plan) }
    }

    /// What whoever says yes has to know, before the question; `asks`: somebody is going to be asked.
    fn notes(&self, _plan: &Self::Plan, _asks: bool) -> Vec<Note> {
        Vec::new()
    }

    /// What happened, or would happen, in sentences.
    fn summary(&self, done: &Done<'_, Self::Plan, Self::Outcome>) -> Vec<Note>;

    /// How it ends: what failed of it is an error.
    fn end(&self, _plan: Self::Plan, _outcome: Option<Self::Outcome>) -> Result<Exit> {
        Ok(Exit::Done)
    }
}

/// Plans; shows the plan of a dry run; else asks, applies it, and says what came of it.
pub(super) fn carry_out<V: Planned>(verb: &V, DryRun { dry_run }: DryRun, context: &Context) -> Result<Exit> {
    let (mut plan, mut outcome) = match V::PLANNING {
        Planning::Quiet => {
            let plan =
                context.run_quietly("Stopping; nothing was changed.", async |job| verb.plan(context, job).await)?;
            (plan, None)
        }
        Planning::Shown => context.run(async |job| {
            let mut plan = verb.plan(context, job).await?;
            let goes_on = !dry_run && !verb.is_empty(&plan) && verb.question(&plan).is_none();
            let outcome = if goes_on { Some(verb.apply(&mut plan, context, job).await?) } else { None };
            Ok((plan, outcome))
        })?,
    };
    let applies = outcome.is_none() && !dry_run && !verb.is_empty(&plan);
    let question = if applies { verb.question(&plan) } else { None };
    let asks = question.is_some() && !context.global.yes;
    let notes = verb.notes(&plan, asks);
    if applies {
        say(&notes, context);
    }
    if let Some(question) = &question
        && !context.confirm(verb.verb(), &verb.tables(&plan), question)?
    {
        return Ok(Exit::Declined);
    }
    if applies {
        outcome = Some(context.run(async |job| verb.apply(&mut plan, context, job).await)?);
    }
    let done = Done { plan: &plan, outcome: outcome.as_ref(), dry_run, asked: asks };
    let output = &context.output;
    output.json(&verb.document(&done))?;
    verb.shown(&done).iter().try_for_each(|table| output.table(table))?;
    output.finish()?;
    if !applies {
        say(&notes, context);
    }
    say(&verb.summary(&done), context);
    verb.end(plan, outcome)
}

fn say(notes: &[Note], context: &Context) {
    for note in notes {
        match note {
            Note::Message(text) => context.output.message(text),
            Note::Warning(text) => context.output.warning(text),
        }
    }
}
