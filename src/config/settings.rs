//! The settings in force, each with where it comes from: default, file, environment, flag, the later before the earlier.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use directories::ProjectDirs;

use super::{ConfigFile, InterfaceSettings};
use crate::error::{Error, Kind, Result};
use crate::registry::RegistrySettings;

/// Source that a setting took its value from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Nothing was set: the built-in value.
    Default,
    /// The catalog, whose content depends on it.
    Catalog,
    /// A line of the configuration file.
    File,
    /// A variable of the environment.
    Environment,
    /// A flag of the command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::Catalog => "catalog",
            Self::File => "file",
            Self::Environment => "environment",
            Self::Flag => "flag",
        })
    }
}

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value that takes effect.
    pub value: T,
    /// Source that decided on the value.
    pub origin: Origin,
}

impl<T> Setting<T> {
    /// A value from there.
    pub fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }

    /// What flag or environment say, else the file, else the default.
    fn layered(given: Option<Self>, file: Option<T>, default: impl FnOnce() -> Option<T>) -> Option<Self> {
        given.or_else(|| Some(Self::new(file?, Origin::File))).or_else(|| Some(Self::new(default()?, Origin::Default)))
    }
}

/// What the command line and the environment say.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Path of the configuration file (`--config`, `ROADSTEAD_CONFIG`).
    pub config: Option<Setting<PathBuf>>,
    /// Path of the data directory (`--data-dir`, `ROADSTEAD_DATA_DIR`).
    pub data_dir: Option<Setting<PathBuf>>,
    /// Seconds to wait for another process.
    pub wait: Option<Setting<u64>>,
}

/// The settings in force.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The configuration file; none if there is no home directory and nothing was said.
    pub config: Option<Setting<PathBuf>>,
    /// Whether that file is there.
    pub config_exists: bool,
    /// Where the catalog and the images are kept; none if there is no home directory and nothing was said.
    pub data_dir: Option<Setting<PathBuf>>,
    /// Seconds to wait for another process that is changing the catalog.
    pub wait: Setting<u64>,
    /// Blobs that are fetched at once from one registry.
    pub max_parallel: Setting<usize>,
    /// Whether others are found on the local network, and told of this one.
    pub local_discovery: Setting<bool>,
    /// What the file says of registries.
    pub registries: BTreeMap<String, RegistrySettings>,
    /// What the file says of the terminal interface.
    pub interface: InterfaceSettings,
}

impl Settings {
    /// Seconds to wait if nothing else is said.
    pub const DEFAULT_WAIT_SECONDS: u64 = 60;
    /// Blobs fetched at once if nothing else is said.
    pub const DEFAULT_MAX_PARALLEL: usize = 3;

    /// The configuration file that is meant, whether it is there or not.
    pub fn locate(given: &Given) -> Option<Setting<PathBuf>> {
        let default = || Some(directories()?.config_dir().join("config.toml"));
        Setting::layered(given.config.clone(), None, default)
    }

    /// Reads the configuration file and puts together what is in force. A file that was named must be there.
    pub fn load(given: &Given) -> Result<Self> {
        let config = Self::locate(given);
        let read = config.as_ref().map(|config| ConfigFile::read(&config.value)).transpose()?.flatten();
        if let (Some(named), None) = (&given.config, &read) {
            return Err(Error::new(Kind::Usage, format!("the configuration {} does not exist", named.value.display()))
                .hint("`roadstead config init` writes one with every default in it."));
        }
        let config_exists = read.is_some();
        let file = read.unwrap_or_default();
        let or = |given, file, default| {
            Setting::layered(given, file, || Some(default)).unwrap_or(Setting::new(default, Origin::Default))
        };
        Ok(Self {
            config,
            config_exists,
            data_dir: Setting::layered(given.data_dir.clone(), file.data_dir, || {
                Some(directories()?.data_dir().to_owned())
            }),
            wait: or(given.wait.clone(), file.wait, Self::DEFAULT_WAIT_SECONDS),
            max_parallel: match file.max_parallel {
                Some(value) => Setting::new(value, Origin::File),
                None => Setting::new(Self::DEFAULT_MAX_PARALLEL, Origin::Default),
            },
            local_discovery: match file.local_discovery {
                Some(value) => Setting::new(value, Origin::File),
                None => Setting::new(true, Origin::Default),
            },
            registries: file.registries,
            interface: file.interface,
        })
    }

    /// What is in force without a configuration file.
    pub fn without_file(given: &Given) -> Self {
        let wait = given.wait.clone().unwrap_or(Setting::new(Self::DEFAULT_WAIT_SECONDS, Origin::Default));
        Self {
            config: Self::locate(given),
            config_exists: false,
            data_dir: Setting::layered(given.data_dir.clone(), None, || Some(directories()?.data_dir().to_owned())),
            wait,
            max_parallel: Setting::new(Self::DEFAULT_MAX_PARALLEL, Origin::Default),
            local_discovery: Setting::new(true, Origin::Default),
            registries: BTreeMap::new(),
            interface: InterfaceSettings::default(),
        }
    }

    /// The data directory, or an error that says how to name one.
    pub fn data_dir(&self) -> Result<&Path> {
        let hint = "Name a directory with `--data-dir` or ROADSTEAD_DATA_DIR.";
        let named = self
            .data_dir
            .as_ref()
            .map(|setting| setting.value.as_path())
            .ok_or_else(|| Error::new(Kind::Usage, "there is no home directory to keep data in").hint(hint))?;
        if named.as_os_str().is_empty() {
            return Err(Error::new(Kind::Usage, "the data directory's path is empty").hint(hint));
        }
        Ok(named)
    }

    /// How long to wait for another process that is changing the catalog.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.wait.value)
    }
}

fn directories() -> Option<ProjectDirs> {
    ProjectDirs::from("", "", "roadstead")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_comes_before_the_file_and_the_file_before_the_default() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        std::fs::write(&path, "wait = 5\nmax_parallel = 9\nlocal_discovery = false").unwrap();
        let config = Some(Setting::new(path, Origin::Environment));
        let given = Given { config, ..Given::default() };
        let settings = Settings::load(&given).unwrap();
        assert!(settings.config_exists);
        assert_eq!(settings.wait, Setting::new(5, Origin::File));
        assert_eq!(settings.max_parallel, Setting::new(9, Origin::File));
        assert_eq!(settings.local_discovery, Setting::new(false, Origin::File));

        let flag = Setting::new(1, Origin::Flag);
        let settings = Settings::load(&Given { wait: Some(flag.clone()), ..given }).unwrap();
        assert_eq!(settings.wait, flag);
        assert_eq!(settings.patience(), Duration::from_secs(1));
    }

    #[test]
    fn the_defaults_are_what_the_default_file_shows() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        super::super::write_default(&path, false).unwrap();
        let given = Given { config: Some(Setting::new(path, Origin::Flag)), ..Given::default() };
        let settings = Settings::load(&given).unwrap();
        assert_eq!(settings.wait, Setting::new(Settings::DEFAULT_WAIT_SECONDS, Origin::Default));
        assert_eq!(settings.max_parallel, Setting::new(Settings::DEFAULT_MAX_PARALLEL, Origin::Default));
        for shown in [
            format!("#wait = {}\n", Settings::DEFAULT_WAIT_SECONDS),
            format!("#max_parallel = {}\n", Settings::DEFAULT_MAX_PARALLEL),
            format!("#local_discovery = {}\n", settings.local_discovery.value),
        ] {
            assert!(super::super::DEFAULT_TEXT.contains(&shown), "{shown}");
        }
    }

    #[test]
    fn a_file_that_was_named_must_be_there() {
        let config = Some(Setting::new("/nowhere/config.toml".into(), Origin::Flag));
        let error = Settings::load(&Given { config, ..Given::default() }).unwrap_err();
        assert_eq!(error.to_string(), "the configuration /nowhere/config.toml does not exist");
    }
}
