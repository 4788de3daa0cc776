//! `update`: bring mirrored images up to date.

use clap::Args;

use super::add::{How, carry_out};
use crate::cli::completers::catalog_names;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::parsed::parsed;
use crate::cli::suggest::with_suggestions;
use crate::engine::request::Pick;
use crate::error::Result;

/// What to update.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Repositories or images as `list` names them [default: everything].
    #[arg(value_name = "REPO", value_parser = parsed::<Pick>, add = catalog_names())]
    pub(in crate::cli) picks: Vec<Pick>,

    /// Show what would be done and do nothing.
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,

    /// Exit with 3 if everything is up to date.
    #[arg(long)]
    pub(in crate::cli) fail_if_unchanged: bool,
}

/// Brings mirrored images up to date.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let engine = if arguments.dry_run { context.open_to_read()? } else { context.open_existing()? };
    let how = How {
        dry_run: arguments.dry_run,
        fail_if_unchanged: arguments.fail_if_unchanged,
        verb: "update",
        is_first: false,
        host: None,
    };
    carry_out(context, &engine, &how, async |job| {
        with_suggestions(engine.plan_update(&arguments.picks, job).await, &engine, &arguments.picks)
    })
}
