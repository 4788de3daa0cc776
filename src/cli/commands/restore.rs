//! `restore`: a lost catalog comes back from a published root.

use std::sync::Arc;

use clap::Args;
use serde::Serialize;
use tempfile::TempDir;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::origin::Origin;
use crate::cli::planned::{self, Done, DryRun, Note, Planned, Planning};
use crate::cli::returning::{self, ReturnReport};
use crate::cli::table::Table;
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::restore::{Place, Purpose, ReturnPlan, Returned};
use crate::error::{Kind, Result};

const EXAMPLES: &str = "\
Examples:
  roadstead restore registry.example.com --from https://ipfs.io
  roadstead restore bafybei… --from kubo:http://127.0.0.1:5001
  roadstead restore registry.car
  roadstead restore --lazy bafybei… --from http://127.0.0.1:8080";

/// What and from where.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    origin: Origin,

    /// Restore the catalog now, and each blob when it is first needed; the source has to stay.
    #[arg(long)]
    pub(in crate::cli) lazy: bool,

    #[command(flatten)]
    pub(in crate::cli) dry_run: DryRun,
}

pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    // What is there already is known before anything is asked for.
    match context.open_to_read() {
        Ok(engine) => engine.check_restorable()?,
        Err(error) if error.kind() == Kind::NotFound => {}
        Err(error) => return Err(error),
    }
    planned::carry_out(&Restore { arguments }, arguments.dry_run, context)
}

struct Restore<'a> {
    arguments: &'a Arguments,
}

/// What comes back, from where, and to where.
struct PlannedRestore {
    plan: ReturnPlan,
    place: Place,
    said_by: Option<String>,
    engine: Arc<Engine>,
    /// Where a dry run has its catalog.
    _directory: Option<TempDir>,
}

fn report(done: &Done<'_, PlannedRestore, Returned>) -> ReturnReport {
    let PlannedRestore { plan, said_by, .. } = done.plan;
    ReturnReport::of(plan, said_by.as_ref(), done.outcome, done.dry_run)
}

impl Planned for Restore<'_> {
    type Plan = PlannedRestore;
    type Outcome = Returned;

    const PLANNING: Planning = Planning::Shown;

    fn verb(&self) -> &'static str {
        "restore"
    }

    async fn plan(&self, context: &Context, job: &Job) -> Result<PlannedRestore> {
        let (place, records, said_by) = self.arguments.origin.read(None, context, job).await?;
        let (engine, directory) = if self.arguments.dry_run.dry_run {
            let (engine, directory) = context.open_empty(Some(records.profile))?;
            (engine, Some(directory))
        } else {
            (context.open(Some(records.profile))?, None)
        };
        let plan = engine.plan_return(&records, Purpose::Restore, job).await?;
        Ok(PlannedRestore { plan, place, said_by, engine, _directory: directory })
    }

    fn question(&self, _: &PlannedRestore) -> Option<String> {
        None
    }

    async fn apply(&self, planned: &mut PlannedRestore, _: &Context, job: &Job) -> Result<Returned> {
        let lazy = if self.arguments.lazy { Some(planned.place.written()?) } else { None };
        planned.engine.apply_return(&planned.plan, lazy.as_deref(), job).await
    }

    fn document(&self, done: &Done<'_, PlannedRestore, Returned>) -> impl Serialize {
        report(done)
    }

    fn tables(&self, PlannedRestore { plan, said_by, .. }: &PlannedRestore) -> Vec<Table> {
        vec![returning::table(&ReturnReport::of(plan, said_by.as_ref(), None, true))]
    }

    fn shown(&self, done: &Done<'_, PlannedRestore, Returned>) -> Vec<Table> {
        vec![returning::table(&report(done))]
    }

    fn summary(&self, done: &Done<'_, PlannedRestore, Returned>) -> Vec<Note> {
        let mut lines = returning::summary(&report(done), "restored");
        if !done.dry_run {
            lines.extend(returning::not_carried(Purpose::Restore).map(str::to_owned));
        }
        lines.into_iter().map(Note::Message).collect()
    }
}
