//! `import`: a registry that was published elsewhere is merged into this one.

use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::origin::Origin;
use crate::cli::planned::{self, Done, DryRun, Note, Planned, Planning};
use crate::cli::report::failure;
use crate::cli::returning::{self, ReturnReport};
use crate::cli::table::Table;
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::plan::Change;
use crate::engine::restore::{Purpose, ReturnPlan, Returned};
use crate::error::Result;
use crate::text::count;

const EXAMPLES: &str = "\
Examples:
  roadstead import new.car               what `roadstead export --since` wrote
  roadstead import --dry-run /media/stick/registry
  roadstead import bafybei… --from https://ipfs.io --replace";

/// What and from where.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    origin: Origin,

    /// Replace tags that have another digest here; asks first.
    #[arg(long)]
    pub(in crate::cli) replace: bool,

    #[command(flatten)]
    pub(in crate::cli) dry_run: DryRun,
}

/// Merges, after asking if that replaces anything.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let engine = context.open_for(arguments.dry_run)?;
    planned::carry_out(&Import { engine, arguments }, arguments.dry_run, context)
}

struct Import<'a> {
    engine: Arc<Engine>,
    arguments: &'a Arguments,
}

/// A plan, and who said which root a domain means.
type Said = (ReturnPlan, Option<String>);

fn report(done: &Done<'_, Said, Returned>) -> ReturnReport {
    let (plan, said_by) = done.plan;
    ReturnReport::of(plan, said_by.as_ref(), done.outcome, done.dry_run)
}

impl Planned for Import<'_> {
    type Plan = Said;
    type Outcome = Returned;

    const PLANNING: Planning = Planning::Shown;

    fn verb(&self) -> &'static str {
        "import"
    }

    async fn plan(&self, context: &Context, job: &Job) -> Result<Said> {
        let (_, records, said_by) = self.arguments.origin.read(Some(&self.engine), context, job).await?;
        let purpose = Purpose::Import { replace: self.arguments.replace };
        Ok((self.engine.plan_return(&records, purpose, job).await?, said_by))
    }

    fn question(&self, (plan, _): &Said) -> Option<String> {
        let replaced = plan.count(|change| matches!(change, Change::Moved { .. }));
        (replaced > 0).then(|| format!("Replace {}?", count(replaced, "image", "images")))
    }

    async fn apply(&self, (plan, _): &mut Said, _: &Context, job: &Job) -> Result<Returned> {
        self.engine.apply_return(plan, None, job).await
    }

    fn document(&self, done: &Done<'_, Said, Returned>) -> impl Serialize {
        report(done)
    }

    fn tables(&self, (plan, said_by): &Said) -> Vec<Table> {
        vec![returning::table(&ReturnReport::of(plan, said_by.as_ref(), None, true))]
    }

    fn shown(&self, done: &Done<'_, Said, Returned>) -> Vec<Table> {
        vec![returning::table(&report(done))]
    }

    fn summary(&self, done: &Done<'_, Said, Returned>) -> Vec<Note> {
        let report = report(done);
        let private = report.repositories.iter().filter(|repository| repository.private && !repository.published);
        let private = private.map(|repository| {
            Note::Warning(format!(
                "{} is private upstream: it is not published here until `roadstead allow {}` permits it",
                repository.name, repository.name
            ))
        });
        private.chain(returning::summary(&report, "imported").into_iter().map(Note::Message)).collect()
    }

    fn end(&self, (plan, _): Said, returned: Option<Returned>) -> Result<Exit> {
        let recorded = returned.as_ref().map_or(0, |returned| returned.added.recorded.len());
        let unchanged = plan.count(|change| matches!(change, Change::Unchanged)) as usize;
        match failure(returning::all_failed(plan, returned), recorded + unchanged) {
            Some(error) => Err(error),
            None => Ok(Exit::Done),
        }
    }
}
