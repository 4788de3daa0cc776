//! `update`: bring mirrored images up to date.

use clap::Args;

use crate::cli::completers::catalog_names;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::mirroring::{Mirror, Wanted};
use crate::cli::parsed::parsed;
use crate::cli::planned::{self, DryRun};
use crate::engine::request::Pick;
use crate::error::Result;

/// What to update.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Repositories or images as `list` names them [default: everything].
    #[arg(value_name = "REPO", value_parser = parsed::<Pick>, add = catalog_names())]
    pub(in crate::cli) picks: Vec<Pick>,

    #[command(flatten)]
    pub(in crate::cli) dry_run: DryRun,

    /// Exit with 3 if everything is up to date.
    #[arg(long)]
    pub(in crate::cli) fail_if_unchanged: bool,
}

/// Brings mirrored images up to date.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let mirror = Mirror {
        engine: context.open_for(arguments.dry_run)?,
        wanted: Wanted::Updated(&arguments.picks),
        dry_run: arguments.dry_run,
        fail_if_unchanged: arguments.fail_if_unchanged,
        is_first: false,
        host: None,
    };
    planned::carry_out(&mirror, mirror.dry_run, context)
}
