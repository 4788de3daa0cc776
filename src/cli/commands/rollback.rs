//! `rollback`: let the targets give out an older root again.

use cid::Cid;
use clap::Args;

use super::publish::carry_out;
use crate::cli::completers::{published_roots, target_names};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::planned::DryRun;
use crate::engine::publish::plan::PublishRequest;
use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// Where to go back to.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The root, as `history` shows it.
    #[arg(value_name = "ROOT", add = published_roots())]
    pub(in crate::cli) root: String,

    /// Names of targets [default: those that had this root].
    #[arg(value_name = "TARGET", add = target_names())]
    pub(in crate::cli) targets: Vec<String>,

    #[command(flatten)]
    pub(in crate::cli) dry_run: DryRun,

    /// Continue even if someone else set the pin or the record, and replace what they set.
    #[arg(long)]
    pub(in crate::cli) force: bool,

    /// Ask this gateway for the root afterwards and compare what it serves; repeatable.
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) check_gateway: Vec<String>,
}

/// Publishes an older root, after asking. The catalog stays as it is.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let text = arguments.root.trim().trim_start_matches("/ipfs/").trim_end_matches('/');
    let root: Cid = text.parse().map_err(|_| {
        Error::new(Kind::Usage, format!("`{}` is not a CID", printable_within(&arguments.root, 100)))
            .hint("`roadstead history` shows the roots that were published.")
    })?;
    let request = PublishRequest { targets: arguments.targets.clone(), root: Some(root), force: arguments.force };
    carry_out("rollback", request, arguments.dry_run, &arguments.check_gateway, context)
}
