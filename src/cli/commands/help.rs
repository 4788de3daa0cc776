//! `help` and `version`: what `--help` and `--version` say, for those who write a verb.

use std::ffi::OsString;

use clap::Args;

/// What is to be explained.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The verb, and the verb below it if it has one.
    #[arg(value_name = "VERB")]
    pub(in crate::cli) verbs: Vec<OsString>,
}
