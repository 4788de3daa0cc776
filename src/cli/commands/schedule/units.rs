//! What each format makes: files, and what to know of them.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;

/// What can run something again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Format {
    /// A service and a timer of systemd.
    Systemd,
    /// An agent of macOS.
    Launchd,
    /// A line of a crontab.
    Cron,
    /// A CronJob.
    Kubernetes,
}

/// A file of units.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct UnitFile {
    /// Where the user's own units are; none if they are in no file.
    pub(super) file: Option<PathBuf>,
    pub(super) text: String,
}

/// The units, and what to do with them.
#[derive(Debug, Serialize)]
pub(super) struct Units {
    pub(super) files: Vec<UnitFile>,
    /// What the one who runs them has to be told once they are there.
    pub(super) commands: Vec<String>,
    #[serde(skip)]
    pub(super) notes: Vec<String>,
}
