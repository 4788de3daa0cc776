//! The configuration: the file read and checked, and where each value comes from.
//!
//! Knows TOML, the user's directories by `directories`, and the order default, file, environment, flag. Must not know
//! command lines: what flags and environment variables say is [`Given`].

mod file;
mod settings;

pub use file::{ConfigFile, DEFAULT_TEXT, InterfaceSettings, misplaced, write_default};
pub use settings::{Given, Origin, Setting, Settings};
