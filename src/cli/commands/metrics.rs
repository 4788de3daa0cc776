//! `metrics`: figures of the runs, for Prometheus.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::error::{Context as _, Result};
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
        write(file, &text)?;
        context.output.json(&json!({ "written": file }))?;
    } else {
        context.output.data(&text)?;
        context.output.json(&json!({ "metrics": text }))?;
    }
    context.output.finish()?;
    Ok(Exit::Done)
}

/// A collector must never read half of it, and reads it as another user.
fn write(file: &Path, text: &str) -> Result<()> {
    let what = || format!("{} can't be written", printable_within(&file.display().to_string(), 300));
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let mut temporary = tempfile::Builder::new().prefix(".roadstead-").tempfile_in(directory).context(what)?;
    temporary.write_all(text.as_bytes()).context(what)?;
    temporary.as_file().set_permissions(std::fs::Permissions::from_mode(0o644)).context(what)?;
    temporary.persist(file).map_err(|error| error.error).context(what)?;
    Ok(())
}
