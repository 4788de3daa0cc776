//! The program with an upstream whose name is short and the same in every test, though its port is not.
//!
//! `upstream/app:1` among the words that the program gets, and in what it says, is `127.0.0.1:PORT/app:1`.

use super::upstream::Upstream;
use crate::cli::{Roadstead, Serving};
use crate::peers::{Finished, finish};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program that knows this upstream.
pub(super) struct Local {
    roadstead: Roadstead,
    /// `127.0.0.1:PORT`.
    pub(super) host: String,
}

impl Local {
    /// One that has nothing yet.
    pub(super) fn new(upstream: &Upstream) -> Self {
        let host = upstream.registry.host();
        let roadstead = Roadstead::with_config(&format!("[registries.\"{host}\"]\ninsecure = true\n"));
        Self { roadstead, host }
    }

    /// Below what name its images are published.
    pub(super) fn published(&self) -> String {
        self.host.replace(':', "_")
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.roadstead.path(name)
    }

    /// The data directory.
    pub(super) fn data(&self) -> PathBuf {
        self.path("registry")
    }

    pub(super) fn command(&self, words: &[&str]) -> Command {
        self.command_on(&self.data(), words)
    }

    pub(super) fn command_on(&self, data_directory: &Path, words: &[&str]) -> Command {
        let words: Vec<String> = words.iter().map(|word| self.in_full(word)).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.roadstead.command_on(data_directory, &words)
    }

    /// What was said, with the short name.
    pub(super) fn in_short(&self, said: &str) -> String {
        said.replace(&self.host, "upstream").replace(&self.published(), "upstream")
    }

    /// With the name in full, as it is in references.
    fn in_full(&self, word: &str) -> String {
        word.strip_prefix("upstream/").map_or_else(|| word.to_owned(), |rest| format!("{}/{rest}", self.host))
    }

    pub(super) fn run(&self, words: &[&str]) -> Finished {
        let mut ended = finish(&self.command(words));
        ended.stdout = self.in_short(&ended.stdout);
        ended.stderr = self.in_short(&ended.stderr);
        ended
    }

    #[track_caller]
    pub(super) fn ok(&self, words: &[&str]) -> String {
        self.run(words).success()
    }

    #[track_caller]
    pub(super) fn root(&self) -> String {
        self.roadstead.root()
    }

    pub(super) fn serve(&self) -> Serving {
        self.roadstead.serve()
    }
}
