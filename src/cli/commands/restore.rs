//! `restore`: a lost catalog comes back from a published root.

use clap::Args;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::origin::Origin;
use crate::cli::returning::{self, ReturnReport};
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::restore::Purpose;
use crate::error::{Context as _, Kind, Result};

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

    /// Restore the catalog now, and each blob when it is first needed; the place has to stay.
    #[arg(long)]
    pub(in crate::cli) lazy: bool,

    /// Show what would be done and do nothing.
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
}

/// Restores.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    // What is there already is known before anything is asked for.
    match context.open_to_read() {
        Ok(engine) => engine.check_restorable()?,
        Err(error) if error.kind() == Kind::NotFound => {}
        Err(error) => return Err(error),
    }
    let report = context.run(async |job: &Job| {
        let (place, records, said_by) = arguments.origin.read(None, context, job).await?;
        if arguments.dry_run {
            let directory = tempfile::tempdir().context(|| "can't make a temporary directory")?;
            let mut options = context.options(Some(records.profile))?;
            directory.path().clone_into(&mut options.data_dir);
            let plan = Engine::open(options)?.plan_return(&records, Purpose::Restore, job).await?;
            return Ok(ReturnReport::planned(&plan, said_by));
        }
        let engine = context.open(Some(records.profile))?;
        let plan = engine.plan_return(&records, Purpose::Restore, job).await?;
        let lazy = if arguments.lazy { Some(place.written()?) } else { None };
        let returned = engine.apply_return(&plan, lazy.as_deref(), job).await?;
        Ok(ReturnReport::planned(&plan, said_by).applied(&returned))
    })?;
    let output = &context.output;
    output.json(&report)?;
    output.table(&returning::table(&report))?;
    output.finish()?;
    for line in returning::summary(&report, "restored") {
        output.message(&line);
    }
    if !report.dry_run
        && let Some(words) = returning::not_carried(Purpose::Restore)
    {
        output.message(words);
    }
    Ok(Exit::Done)
}
