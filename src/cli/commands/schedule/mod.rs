//! `schedule`: units that bring the registry up to date by themselves.
//!
//! Knows the settings that the units carry on. The texts are made by the files beside this one, which do no I/O; only `writing`
//! writes.

mod command;
mod cron;
mod kubernetes;
mod launchd;
mod systemd;
#[cfg(test)]
mod tests;
mod timing;
mod units;
mod writing;

use std::path::{Path, PathBuf};

use clap::Args;
use directories::BaseDirs;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::error::Result;
use crate::rules::Period;
use command::UpdateCommand;
use units::{Format, UnitFile, Units};
use writing::Written;

const EXAMPLES: &str = "\
Examples:
  roadstead schedule systemd --write                          every 6 hours, as a timer of this user
  roadstead schedule launchd --every 1d --write
  roadstead schedule kubernetes --publish | kubectl apply -f -
  (crontab -l; roadstead schedule cron) | crontab -";

/// For what, and how often.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// What runs it: systemd, launchd, cron, kubernetes.
    #[arg(value_enum, value_name = "FORMAT")]
    format: Format,

    /// How often: `30m`, `6h`, `1d`.
    #[arg(long, value_name = "PERIOD", default_value = command::DEFAULT_EVERY, value_parser = period)]
    every: Period,

    /// Publish after each update.
    #[arg(long)]
    publish: bool,

    /// Write the files where this user's systemd or launchd looks for them; never over what somebody else wrote.
    #[arg(long)]
    write: bool,
}

/// The document of `schedule`.
#[derive(Debug, Serialize)]
struct Report<'a> {
    format: Format,
    every: String,
    command: &'a [String],
    #[serde(flatten)]
    units: &'a Units,
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<&'a [Written]>,
}

/// Prints the units, or writes them.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let Arguments { format, every, publish, write } = *arguments;
    if write {
        context.may_change()?;
    }
    let command = UpdateCommand::of(format, &context.settings, &context.global, publish)?;
    let directories = BaseDirs::new();
    let home = directories.as_ref().map(BaseDirs::home_dir);
    let units = match format {
        Format::Systemd => {
            let directory = systemd_directory(home, std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from));
            systemd::units(&command, every, directory.as_deref())?
        }
        Format::Launchd => launchd::units(&command, every, home)?,
        Format::Cron => cron::units(&command, every)?,
        Format::Kubernetes => kubernetes::units(&command, every)?,
    };
    let report =
        |written| Report { format, every: every.to_string(), command: command.words(), units: &units, written };
    let output = &context.output;
    if write {
        let written = writing::write(&units.files).map_err(|error| match format {
            Format::Cron => error.hint(format!("Add the line by `{}`.", cron::added(&command, every))),
            Format::Kubernetes => error.hint("Hand it over by `roadstead schedule kubernetes | kubectl apply -f -`."),
            Format::Systemd | Format::Launchd => error,
        })?;
        output.json(&report(Some(&written)))?;
        for Written { file, outcome } in &written {
            output.message(&format!("{} {}", outcome.word(), file.display()));
        }
    } else {
        output.json(&report(None))?;
        output.data(&printed(format, &units))?;
        output.finish()?;
    }
    for note in &units.notes {
        output.message(&format!("- {note}"));
    }
    for command in &units.commands {
        output.message(&format!("Then:  {command}"));
    }
    Ok(Exit::Done)
}

/// The files one after the other; where there are several, each below its path.
fn printed(format: Format, units: &Units) -> String {
    let text = |(index, unit): (usize, &UnitFile)| match &unit.file {
        Some(file) if format == Format::Systemd => {
            format!("{}# {}\n{}", if index > 0 { "\n" } else { "" }, file.display(), unit.text)
        }
        _ => unit.text.clone(),
    };
    units.files.iter().enumerate().map(text).collect::<Vec<_>>().concat()
}

/// Where systemd looks for units of this user (systemd.unit(5), "User Unit Search Path").
fn systemd_directory(home: Option<&Path>, configuration: Option<PathBuf>) -> Option<PathBuf> {
    let configuration = configuration.filter(|directory| directory.is_absolute());
    Some(configuration.or_else(|| Some(home?.join(".config")))?.join("systemd/user"))
}

fn period(text: &str) -> Result<Period, String> {
    text.parse::<Period>().map_err(str::to_owned)
}
