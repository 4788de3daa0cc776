//! `rule use`, `export` and `trust`: rules in a file, and what they need to be allowed.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::planned::DryRun;
use crate::engine::rules::RulesInForce;
use crate::error::{Context as _, Error, Kind, Result};
use crate::rules::Permission;
use crate::text::{count, printable, printable_within};

const QUESTION: &str = "Allow these rules to do this, as you, at every run?";

/// Which file.
#[derive(Debug, Args)]
pub(super) struct UseArguments {
    /// The rule file; from now on it is the truth, and is read at every run.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present = "catalog")]
    file: Option<PathBuf>,

    /// Keep what the file says now in the catalog, and read no file any more.
    #[arg(long, conflicts_with = "file")]
    catalog: bool,
}

/// Where to.
#[derive(Debug, Args)]
pub(super) struct ExportArguments {
    /// A new file [default: standard output].
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
}

/// Which rules.
#[derive(Debug, Args)]
pub(super) struct TrustArguments {
    /// The rule file that is in use [default: whatever is in use].
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,

    #[command(flatten)]
    dry_run: DryRun,
}

/// The rules that are in force.
#[derive(Debug, Serialize)]
struct FileReport {
    /// The file that has them; none: the catalog.
    file: Option<String>,
    /// Names of the rules.
    rules: Vec<String>,
    /// The programs that they run.
    programs: Vec<String>,
    /// The addresses that they send events to, without their paths.
    addresses: Vec<String>,
    /// The files outside of the directory of the rules that they read.
    files: Vec<String>,
    /// Whether all of these are allowed.
    trusted: bool,
}

impl FileReport {
    fn of(in_force: &RulesInForce) -> Self {
        let permissions = in_force.rules.permissions(&in_force.base());
        let of = |is_it: fn(&Permission) -> bool| -> Vec<String> {
            permissions.iter().filter(|permission| is_it(permission)).map(ToString::to_string).collect()
        };
        Self {
            file: in_force.file.as_ref().map(|file| file.display().to_string()),
            rules: in_force.rules.rules.iter().map(|rule| rule.name.to_string()).collect(),
            programs: of(|permission| matches!(permission, Permission::Run { .. })),
            addresses: of(|permission| matches!(permission, Permission::Post { .. } | Permission::Ping(_))),
            files: of(|permission| matches!(permission, Permission::Read(_))),
            trusted: in_force.untrusted().is_empty(),
        }
    }
}

pub(super) fn change_file(arguments: &UseArguments, context: &Context) -> Result<Exit> {
    let engine = context.open(None)?;
    let in_force = engine.use_rule_file(arguments.file.as_deref())?;
    let report = FileReport::of(&in_force);
    context.output.json(&report)?;
    let rules = count(report.rules.len() as u64, "rule", "rules");
    context.output.message(&match &report.file {
        Some(file) => format!("Reading {rules} from {} at every run.", printable_within(file, 300)),
        None => format!("The catalog has {rules} now, and no file is read any more."),
    });
    if !report.trusted {
        let file = report.file.as_deref().map(|file| format!(" {}", printable_within(file, 300))).unwrap_or_default();
        context.output.warning(&format!(
            "these rules are not carried out until `roadstead rule trust{file}` has shown what they run, send and read, and \
             you allow it"
        ));
    }
    Ok(Exit::Done)
}

pub(super) fn export(arguments: &ExportArguments, context: &Context) -> Result<Exit> {
    let engine = context.open_to_read()?;
    let in_force = engine.rules()?;
    let text = if in_force.text.trim().is_empty() { "version = 1\n".to_owned() } else { in_force.text.clone() };
    match &arguments.file {
        None if context.output.is_json() => context.output.json(&FileReport::of(&in_force))?,
        None => {
            context.output.data(&text)?;
            context.output.finish()?;
        }
        Some(file) => {
            write_new(file, &text)?;
            context.output.json(&FileReport::of(&in_force))?;
            let shown = printable_within(&file.display().to_string(), 300);
            context.output.message(&format!("Wrote {shown}. `roadstead rule use {shown}` makes it the truth."));
        }
    }
    Ok(Exit::Done)
}

/// Writes a file that is not there yet.
fn write_new(file: &Path, text: &str) -> Result<()> {
    let what = || format!("{} can't be written", printable_within(&file.display().to_string(), 300));
    let mut new = OpenOptions::new().write(true).create_new(true).open(file).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Error::new(Kind::Usage, format!("{} is there already", printable_within(&file.display().to_string(), 300)))
                .hint("Nothing was written; name another file, or remove this one first.")
        }
        _ => Error::new(Kind::Unexpected, what()).caused_by(error),
    })?;
    new.write_all(text.as_bytes()).and_then(|()| new.sync_all()).context(what)
}

pub(super) fn trust(arguments: &TrustArguments, context: &Context) -> Result<Exit> {
    let is_dry = arguments.dry_run.dry_run;
    let engine = if is_dry { context.open_to_read()? } else { context.open(None)? };
    let in_force = engine.rules()?;
    if let Some(file) = &arguments.file {
        let same = std::path::absolute(file).ok() == in_force.file;
        if !same {
            return Err(Error::new(
                Kind::Usage,
                format!("{} is not the rule file that is in use", printable_within(&file.display().to_string(), 300)),
            )
            .hint("`roadstead rule use FILE` makes it that."));
        }
    }
    // Allowed is what is shown, and not what it becomes while somebody reads.
    let shown = in_force.allowances();
    let lines = shown.iter().fold(String::new(), |lines, one| lines + &printable(&one.permission.to_string()) + "\n");
    let (is_new, output) = (!in_force.untrusted().is_empty(), &context.output);
    let print = || output.data(&lines).and_then(|()| output.finish());
    if is_new && !is_dry && !context.global.yes {
        match context.confirm_shown("rule trust", || output.say(&lines), QUESTION) {
            Ok(true) => {}
            Ok(false) => return Ok(Exit::Declined),
            Err(error) => return print().and(Err(error)),
        }
    } else {
        print()?;
    }
    if is_new && !is_dry {
        engine.trust_rules(&in_force, &shown)?;
    }
    output.json(&FileReport { trusted: !(is_new && is_dry), ..FileReport::of(&in_force) })?;
    output.message(match (shown.is_empty(), is_new, is_dry) {
        (true, _, _) => "The rules run no programs, send nothing to addresses and read no files elsewhere.",
        (_, false, _) => "All of this is allowed already.",
        (_, _, true) => "Not all of this is allowed. Nothing was changed.",
        _ => "Allowed. What changes has to be allowed again.",
    });
    Ok(Exit::Done)
}
