//! The command that units run: `update`, with the options that are in force now.
//!
//! A unit has another directory and another environment than whoever asks for it, so paths are absolute and variables become flags.

use std::path::{Path, PathBuf};

use super::units::Format;
use crate::cli::global::Global;
use crate::config::{Origin, Setting, Settings};
use crate::error::{Context as _, Error, Kind, Result};
use crate::rules::Period;
use crate::text::printable_within;

/// The program where it is searched for, as inside of a container.
const PROGRAM: &str = "roadstead";
const VERB: &str = "update";
const PUBLISH: &str = "--publish";
/// How often it runs unless it is said otherwise.
pub(super) const DEFAULT_EVERY: &str = "6h";
/// The data directory inside of a container.
const DATA_IN_CONTAINER: &str = "/var/lib/roadstead";

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UpdateCommand {
    words: Vec<String>,
    data_dir: Option<String>,
    config: Option<String>,
}

impl UpdateCommand {
    /// The command for this format.
    pub(super) fn of(format: Format, settings: &Settings, global: &Global, publish: bool) -> Result<Self> {
        let in_container = format == Format::Kubernetes;
        let program = if in_container {
            PathBuf::from(PROGRAM)
        } else {
            std::env::current_exe().context(|| "can't find out where this program is")?
        };
        // Where the usual directories are is said by a variable that units lack.
        let moved = |variable: &str| !in_container && std::env::var_os(variable).is_some_and(|value| !value.is_empty());
        let carried = |setting: &Option<Setting<PathBuf>>, variable| {
            let setting = setting.as_ref().filter(|setting| match setting.origin {
                Origin::Flag | Origin::Environment => true,
                Origin::Default => moved(variable),
                Origin::Catalog | Origin::File => false,
            });
            setting.map(|setting| setting.value.clone())
        };
        let data_dir = carried(&settings.data_dir, "XDG_DATA_HOME");
        let data_dir = data_dir.or_else(|| in_container.then(|| DATA_IN_CONTAINER.into()));
        // A file that is not there was not named, or it would have been an error.
        let config = carried(&settings.config, "XDG_CONFIG_HOME").filter(|_| settings.config_exists);
        let wait = (settings.wait.origin == Origin::Flag).then_some(settings.wait.value);
        let options = Options { data_dir, config, wait, quiet: global.quiet, verbose: global.verbose, publish };
        Self::new(&program, options)
    }

    /// The command with these options.
    pub(super) fn new(program: &Path, options: Options) -> Result<Self> {
        let Options { data_dir, config, wait, quiet, verbose, publish } = options;
        let absolute = |path: Option<PathBuf>| {
            let absolute =
                path.map(|path| std::path::absolute(&path).context(|| format!("can't use {}", path.display())));
            absolute.transpose()?.as_deref().map(text).transpose()
        };
        let (data_dir, config) = (absolute(data_dir)?, absolute(config)?);
        let mut words = vec![text(program)?];
        for (flag, value) in
            [("--data-dir", &data_dir), ("--config", &config), ("--wait", &wait.map(|it| it.to_string()))]
        {
            words.extend(value.iter().flat_map(|value| [flag.to_owned(), value.clone()]));
        }
        words.extend(std::iter::repeat_n("--quiet".to_owned(), quiet.into()));
        words.extend(std::iter::repeat_n("--verbose".to_owned(), verbose.into()));
        // What waits for the next run is no failure of a unit.
        words.extend([VERB, "--yes", "--allow-postponed"].map(str::to_owned));
        words.extend(publish.then(|| PUBLISH.to_owned()));
        Ok(Self { words, data_dir, config })
    }

    /// The program and its arguments.
    pub(super) fn words(&self) -> &[String] {
        &self.words
    }

    /// The words that ask for the line of a crontab again.
    pub(super) fn again(&self, every: Period) -> Vec<String> {
        let options = self.words.iter().skip(1).take_while(|word| *word != VERB).cloned();
        let name = std::iter::once(PROGRAM.to_owned());
        let verb = ["schedule", "cron"].map(str::to_owned);
        let every = every.to_string();
        let every = Some(every).filter(|every| every != DEFAULT_EVERY).map(|every| ["--every".to_owned(), every]);
        let publish = self.words.last().filter(|word| *word == PUBLISH).cloned();
        name.chain(options).chain(verb).chain(every.into_iter().flatten()).chain(publish).collect()
    }

    /// The data directory that is named in it.
    pub(super) fn data_dir(&self) -> Option<&str> {
        self.data_dir.as_deref()
    }

    /// The configuration file that is named in it.
    pub(super) fn config(&self) -> Option<&str> {
        self.config.as_deref()
    }
}

/// What the command says besides its verb.
#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    pub(super) data_dir: Option<PathBuf>,
    pub(super) config: Option<PathBuf>,
    pub(super) wait: Option<u64>,
    pub(super) quiet: u8,
    pub(super) verbose: u8,
    pub(super) publish: bool,
}

/// A path as a word that every format can have in it.
fn text(path: &Path) -> Result<String> {
    let word = path.to_str().filter(|word| !word.chars().any(char::is_control));
    word.map(str::to_owned).ok_or_else(|| {
        let shown = printable_within(&path.to_string_lossy(), 200);
        Error::new(
            Kind::Usage,
            format!("the path {shown} is not UTF-8 or has control characters, which no unit can have"),
        )
    })
}
