//! `metrics`: figures of the runs, for Prometheus.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::error::{Context as _, Result};
use crate::input;
use crate::text::printable_within;

/// Where to.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Write them to this file, replaced whole, as the textfile collector of node_exporter reads it [default: standard output].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    write: Option<PathBuf>,
}

/// Prints or writes the figures.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let text = context.open_to_read()?.rule_figures()?.text();
    if let Some(file) = &arguments.write {
        let what = || format!("{} can't be written", printable_within(&file.display().to_string(), 300));
        input::replace(file, &text).context(what)?;
        context.output.json(&json!({ "written": file }))?;
    } else {
        context.output.data(&text)?;
        context.output.json(&json!({ "metrics": text }))?;
    }
    context.output.finish()?;
    Ok(Exit::Done)
}
