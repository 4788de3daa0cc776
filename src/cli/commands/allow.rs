//! `allow`: private repositories that may be published, or no longer.

use std::sync::Arc;

use cid::Cid;
use clap::Args;
use serde::Serialize;

use crate::cli::completers::catalog_names;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::parsed::parsed;
use crate::cli::planned::{self, Done, DryRun, Note, Planned};
use crate::cli::report::{AllowReport, shown};
use crate::cli::suggest::with_suggestions;
use crate::cli::table::{Column, Table};
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::plan::AllowPlan;
use crate::engine::request::Pick;
use crate::error::Result;

/// What to allow.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Repositories as `list` names them.
    #[arg(value_name = "REPO", required = true, value_parser = parsed::<Pick>, add = catalog_names())]
    pub(in crate::cli) picks: Vec<Pick>,

    /// Revoke the permission; what was already published stays published.
    #[arg(long)]
    pub(in crate::cli) revoke: bool,

    #[command(flatten)]
    pub(in crate::cli) dry_run: DryRun,
}

/// Allows repositories, or no longer.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let engine = context.open_for(arguments.dry_run)?;
    planned::carry_out(&Allow { engine, arguments }, arguments.dry_run, context)
}

struct Allow<'a> {
    engine: Arc<Engine>,
    arguments: &'a Arguments,
}

/// A root, if there is one.
type Root = Option<Cid>;

impl Planned for Allow<'_> {
    /// With the root that there is.
    type Plan = (AllowPlan, Root);
    type Outcome = Root;

    fn verb(&self) -> &'static str {
        "allow"
    }

    async fn plan(&self, _: &Context, _: &Job) -> Result<(AllowPlan, Root)> {
        let Arguments { picks, revoke, .. } = self.arguments;
        let plan = with_suggestions(self.engine.plan_allow(picks, !revoke), &self.engine, picks)?;
        Ok((plan, self.engine.root()?))
    }

    fn is_empty(&self, (plan, _): &(AllowPlan, Root)) -> bool {
        plan.repositories.is_empty()
    }

    fn question(&self, _: &(AllowPlan, Root)) -> Option<String> {
        None
    }

    async fn apply(&self, (plan, _): &mut (AllowPlan, Root), _: &Context, job: &Job) -> Result<Root> {
        self.engine.apply_allow(plan, job).await?;
        self.engine.root()
    }

    fn document(&self, done: &Done<'_, (AllowPlan, Root), Root>) -> impl Serialize {
        let (plan, before) = done.plan;
        let root = done.outcome.unwrap_or(before).map(shown);
        AllowReport { dry_run: done.dry_run, allowed: plan.allowed, changed: plan.names(), root }
    }

    fn tables(&self, (plan, _): &(AllowPlan, Root)) -> Vec<Table> {
        let mut table = Table::new(&[("REPOSITORY", Column::Fixed)]);
        for name in plan.names() {
            table.row([name.into()]);
        }
        vec![table]
    }

    fn summary(&self, done: &Done<'_, (AllowPlan, Root), Root>) -> Vec<Note> {
        let (plan, _) = done.plan;
        let root = done.outcome.copied().flatten().map(|root| format!("The root is {root}"));
        [Some(summary(plan, done.dry_run)), root].into_iter().flatten().map(Note::Message).collect()
    }
}

fn summary(plan: &AllowPlan, dry_run: bool) -> String {
    if plan.repositories.is_empty() {
        return "Nothing to do: that is already the case.".to_owned();
    }
    let effect = match (dry_run, plan.allowed) {
        (true, true) => "would become part of the root",
        (true, false) => "would no longer be part of the root",
        (false, true) => "is now part of the root. What is published on IPFS can't be taken back",
        (false, false) => "is no longer part of the root. What was already published stays published",
    };
    let what =
        if plan.repositories.len() == 1 { "The repository".to_owned() } else { "Each of the repositories".to_owned() };
    format!("{what} {effect}.")
}
