//! `rule import`: rules from another program's file.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::planned::DryRun;
use crate::cli::style::Tone;
use crate::cli::table::{Cell, Column, Table};
use crate::engine::rules::RulesInForce;
use crate::error::{Context as _, Error, Kind, Result};
use crate::input;
use crate::rules::import::{Format, Imported, ImportedList, Said, import, import_beside, list_file};
use crate::rules::{self, Rule, Source, Subject};
use crate::text::{count, printable_within};

/// Bytes of the largest file that is imported.
const MAX_IMPORT_BYTES: u64 = 8 << 20;

/// What to import.
#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    /// A file of regsync, skopeo sync, zot, image-syncer, dregsy, imgpkg, zarf or hauler.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,

    /// Whose file it is [default: as its keys say].
    #[arg(long, value_name = "PROGRAM", value_parser = format)]
    format: Option<Format>,

    #[command(flatten)]
    dry_run: DryRun,
}

/// What became of a file.
#[derive(Debug, Serialize)]
struct ImportReport {
    dry_run: bool,
    /// Whose file it was.
    format: String,
    /// Names of the rules that were made.
    rules: Vec<String>,
    /// What became of each setting.
    settings: Vec<SettingReport>,
}

/// What became of a setting.
#[derive(Debug, Serialize)]
struct SettingReport {
    /// Where it is in the file.
    item: String,
    /// What it is now; none: nothing.
    became: Option<String>,
    why: String,
}

fn format(text: &str) -> Result<Format, String> {
    Format::ALL.into_iter().find(|format| format.to_string() == text).ok_or_else(|| {
        let names: Vec<String> = Format::ALL.iter().map(ToString::to_string).collect();
        format!("it is one of {}", names.join(", "))
    })
}

pub(super) fn carry_out(arguments: &ImportArguments, context: &Context) -> Result<Exit> {
    let shown = printable_within(&arguments.file.display().to_string(), 300);
    let text = input::read_text(&arguments.file, MAX_IMPORT_BYTES, || format!("{shown} can't be read"))?;
    let mut imported = import(&text, arguments.format).context(|| shown.clone())?;
    let is_dry = arguments.dry_run.dry_run;
    let (engine, _directory) = match (is_dry, context.open_to_read()) {
        (true, Err(error)) if error.kind() == Kind::NotFound => {
            let (engine, directory) = context.open_empty(None)?;
            (engine, Some(directory))
        }
        (true, opened) => (opened?, None),
        (false, _) => (context.open(None)?, None),
    };
    let before = engine.rules()?;
    let beside = before.file.as_ref().and_then(|file| file.parent()).unwrap_or(engine.data_dir()).to_owned();
    // Those of an earlier file stay.
    let first = first_list(imported.lists.len(), &before, &beside);
    if first > 1 {
        imported = import_beside(&text, arguments.format, first).context(|| shown.clone())?;
    }
    let mut text = before.text.clone();
    for rule in &imported.rules.rules {
        let rule = with_list(rule, &before, &beside)?;
        text = rules::add_rule(&text, &rule).map_err(|error| {
            Error::new(Kind::Usage, error.to_string())
                .hint("Nothing was imported. `roadstead rule remove` makes room for it.")
        })?;
    }
    RulesInForce::read(text.clone(), before.file.clone())?;
    if !is_dry {
        let mut written: Vec<PathBuf> = Vec::new();
        let wrote = imported.lists.iter().try_for_each(|list| {
            let file = beside.join(&list.file);
            write_list(&file, list)?;
            written.push(file);
            Ok(())
        });
        if let Err(error) = wrote.and_then(|()| engine.change_rules(&before, text, false)) {
            // Of what was not imported nothing stays.
            for file in &written {
                drop(std::fs::remove_file(file));
            }
            return Err(error);
        }
    }
    report(&imported, is_dry, context)
}

/// The first number from which so many lists are neither there nor read by a rule.
fn first_list(lists: usize, before: &RulesInForce, beside: &Path) -> usize {
    let is_free = |number: &usize| {
        let file = list_file(*number);
        let name = Source::List(file.clone()).to_string();
        before.rules.by_name(&name).is_none() && std::fs::symlink_metadata(beside.join(file)).is_err()
    };
    let mut first = 1;
    while let Some(taken) = (first..first + lists).rfind(|number| !is_free(number)) {
        first = taken + 1;
    }
    first
}

/// A rule of images by digest reads a list, by a path that holds wherever the rules are.
fn with_list(rule: &Rule, before: &RulesInForce, beside: &Path) -> Result<Rule> {
    let Subject::Sources(sources) = &rule.subject else { return Ok(rule.clone()) };
    if before.file.is_some() {
        return Ok(rule.clone());
    }
    let placed = sources.iter().cloned().map(|source| {
        source.with_path(|file| {
            let path = beside.join(file).into_os_string().into_string();
            path.map_err(|_| Error::new(Kind::Usage, "the name of the data directory is not UTF-8"))
        })
    });
    Ok(Rule { subject: Subject::Sources(placed.collect::<Result<_>>()?), ..rule.clone() })
}

fn write_list(file: &Path, list: &ImportedList) -> Result<()> {
    let shown = printable_within(&file.display().to_string(), 300);
    let what = || format!("the list of images {shown} can't be written");
    let mut new = std::fs::OpenOptions::new().write(true).create_new(true).open(file).map_err(|error| {
        Error::new(Kind::Usage, what()).caused_by(error).hint("Nothing was imported. Move that file away first.")
    })?;
    let lines = list.images.iter().fold(String::new(), |lines, reference| lines + &reference.to_string() + "\n");
    new.write_all(lines.as_bytes()).and_then(|()| new.sync_all()).context(what)
}

fn report(imported: &Imported, dry_run: bool, context: &Context) -> Result<Exit> {
    let output = &context.output;
    output.json(&ImportReport {
        dry_run,
        format: imported.format.to_string(),
        rules: imported.rules.rules.iter().map(|rule| rule.name.to_string()).collect(),
        settings: imported
            .said
            .iter()
            .map(|Said { item, became, why }| SettingReport {
                item: item.clone(),
                became: became.clone(),
                why: why.clone(),
            })
            .collect(),
    })?;
    let mut table = Table::new(&[("SETTING", Column::Text), ("BECOMES", Column::Text), ("REASON", Column::Text)]);
    for Said { item, became, why } in &imported.said {
        let (tone, became) = match became {
            Some(became) => (Tone::Good, became.as_str()),
            None => (Tone::Warning, "left out"),
        };
        table.row([Cell::toned(Tone::Name, item), Cell::toned(tone, became), Cell::toned(Tone::Dim, why)]);
    }
    output.table(&table)?;
    output.finish()?;
    let rules = count(imported.rules.rules.len() as u64, "rule", "rules");
    let left = imported.said.iter().filter(|said| said.became.is_none()).count() as u64;
    let left = if left == 0 {
        String::new()
    } else {
        format!(" {} could not be taken over (see above).", count(left, "setting", "settings"))
    };
    output.message(&if dry_run {
        format!("Would make {rules}.{left} Nothing was changed.")
    } else {
        format!("Made {rules}.{left} `roadstead update --dry-run` shows what they take.")
    });
    Ok(Exit::Done)
}
