//! The flags that all verbs have, and what they say of settings.

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Args, ValueHint};

use super::output::{Colour, Style};
use super::progress::Mode;
use crate::config::{Given, Origin, Setting};

/// Flags that all verbs have.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Where the catalog and the images are kept.
    #[arg(long, global = true, env = "ROADSTEAD_DATA_DIR", hide_env_values = true, value_name = "DIR", value_parser = path(), value_hint = ValueHint::DirPath)]
    pub(super) data_dir: Option<PathBuf>,

    /// The configuration file.
    #[arg(long, global = true, env = "ROADSTEAD_CONFIG", hide_env_values = true, value_name = "FILE", value_parser = path(), value_hint = ValueHint::FilePath)]
    pub(super) config: Option<PathBuf>,

    /// Answer with one JSON document on standard output.
    #[arg(long, global = true)]
    pub(super) json: bool,

    /// Go ahead without asking.
    #[arg(short, long, global = true)]
    pub(super) yes: bool,

    /// Change nothing; refuse every verb that would.
    #[arg(long, global = true)]
    pub(super) read_only: bool,

    /// Never ask; fail instead.
    #[arg(long, global = true)]
    pub(super) no_input: bool,

    /// How long to wait for another process that is changing the catalog [default: 60].
    #[arg(long, global = true, value_name = "SECONDS")]
    pub(super) wait: Option<u64>,

    /// Print less: no messages, no progress; twice: no warnings.
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "verbose")]
    pub(super) quiet: u8,

    /// Print more: the requests that are made; twice: in detail.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,

    /// When to use colour: auto, always, never.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Colour::Auto, hide_possible_values = true)]
    pub(super) color: Colour,

    /// How to show progress: auto, bar, plain, json, none.
    #[arg(long, global = true, value_enum, value_name = "HOW", default_value_t = Mode::Auto, hide_possible_values = true)]
    pub(super) progress: Mode,
}

impl Global {
    /// How output is to look.
    pub(super) fn style(&self) -> Style {
        Style { json: self.json, quiet: self.quiet, colour: self.color }
    }

    /// What flags and environment say of settings.
    pub(super) fn given(&self, matches: &ArgMatches) -> Given {
        let origin = |id: &str| match matches.value_source(id) {
            Some(ValueSource::EnvVariable) => Origin::Environment,
            _ => Origin::Flag,
        };
        // An empty variable is as good as none.
        let path = |value: &Option<PathBuf>, id| {
            let given = value.clone().map(|value| Setting::new(value, origin(id)));
            given.filter(|given| given.origin == Origin::Flag || !given.value.as_os_str().is_empty())
        };
        Given {
            config: path(&self.config, "config"),
            data_dir: path(&self.data_dir, "data_dir"),
            wait: self.wait.map(|value| Setting::new(value, origin("wait"))),
        }
    }
}

/// Takes any path, an empty one too: what that means depends on where it comes from.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}
