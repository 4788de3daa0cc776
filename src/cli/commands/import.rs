//! `import`: a registry that was published elsewhere is merged into this one.

use clap::Args;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::origin::Origin;
use crate::cli::report;
use crate::cli::returning::{self, ReturnReport};
use crate::engine::job::Job;
use crate::engine::plan::Change;
use crate::engine::restore::Purpose;
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

    /// Where a tag has another digest here, take the one that is imported; asks first.
    #[arg(long)]
    pub(in crate::cli) replace: bool,

    /// Show what would be done and do nothing.
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
}

/// Merges, after asking if that replaces anything.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let engine = if arguments.dry_run { context.open_to_read()? } else { context.open_existing()? };
    let purpose = Purpose::Import { replace: arguments.replace };
    let (plan, said_by) = context.run(async |job: &Job| {
        let (_, records, said_by) = arguments.origin.read(Some(&engine), context, job).await?;
        Ok((engine.plan_return(&records, purpose, job).await?, said_by))
    })?;
    let mut report = ReturnReport::planned(&plan, said_by);
    let output = &context.output;
    let table = returning::table(&report);
    let mut returned = None;
    let replaced = plan.count(|change| matches!(change, Change::Moved { .. }));
    if !arguments.dry_run {
        let question = format!("Replace {}?", count(replaced, "image", "images"));
        if replaced > 0 && !context.confirm("import", &[&table], &question)? {
            return Ok(Exit::Declined);
        }
        let applied = context.run(async |job: &Job| engine.apply_return(&plan, None, job).await)?;
        report = report.applied(&applied);
        returned = Some(applied);
    }
    output.json(&report)?;
    output.table(&returning::table(&report))?;
    output.finish()?;
    for repository in report.repositories.iter().filter(|repository| repository.private && !repository.published) {
        output.warning(&format!(
            "{} is private upstream: it is not published here unless `roadstead allow {}` says so",
            repository.name, repository.name
        ));
    }
    for line in returning::summary(&report, "imported") {
        output.message(&line);
    }
    let done =
        returned.as_ref().map_or(0, |returned| returned.added.recorded.len()) + report.count("unchanged") as usize;
    match report::failure(returning::all_failed(plan, returned), done) {
        Some(error) => Err(error),
        None => Ok(Exit::Done),
    }
}
