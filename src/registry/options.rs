//! What the configuration says about registries.
//!
//! Plain values; knows neither files nor the environment.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::credentials::Environment;
use super::{Observer, RetryPolicy, Silent};

/// Settings of one registry, keyed by its name in references.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegistrySettings {
    /// Where to ask first: `host[:port][/prefix]`, or the same with `http://` or `https://` before it.
    pub mirror: Option<String>,
    /// Plain http instead of https. With a mirror it is the mirror's too; Docker Hub itself is always asked by https.
    pub insecure: bool,
    /// PEM file of authorities that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// How many blobs are fetched at once.
    pub max_parallel: Option<usize>,
}

/// Bytes that a body has to bring for each second of waiting: less, and it could keep whoever waits for it for ever.
pub const MIN_BYTES_PER_SECOND: u64 = 1024;

/// How long is waited for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Time to connect, with name lookup and TLS.
    pub connect: Duration,
    /// For the head of an answer.
    pub response: Duration,
    /// For the next byte of a body.
    pub stall: Duration,
    /// How much waiting for a body may add up to before what came meanwhile has to be [`MIN_BYTES_PER_SECOND`] for that time.
    pub pace: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            response: Duration::from_mins(1),
            stall: Duration::from_secs(30),
            pace: Duration::from_mins(1),
        }
    }
}

/// Everything [`super::Registries`] has to know.
#[derive(Clone)]
pub struct Options {
    /// Settings of single registries, by name.
    pub registries: BTreeMap<String, RegistrySettings>,
    /// How many blobs are fetched at once from a registry that has no setting of its own; 0 means 3.
    pub max_parallel: usize,
    /// Where credential files are looked for.
    pub environment: Environment,
    /// If not empty, only these credential files are read; they must exist.
    pub credential_files: Vec<PathBuf>,
    /// How long is waited for connections, answers and bytes.
    pub timeouts: Timeouts,
    /// When to try again.
    pub retry: RetryPolicy,
    /// Who hears of waits, retries and quotas.
    pub observer: Arc<dyn Observer>,
}

impl Options {
    /// Ordinary options, with credentials from the files that this environment points to.
    pub fn new(environment: Environment) -> Self {
        Self {
            registries: BTreeMap::new(),
            max_parallel: 3,
            environment,
            credential_files: Vec::new(),
            timeouts: Timeouts::default(),
            retry: RetryPolicy::default(),
            observer: Arc::new(Silent),
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("registries", &self.registries)
            .field("max_parallel", &self.max_parallel)
            .field("environment", &self.environment)
            .field("credential_files", &self.credential_files)
            .field("timeouts", &self.timeouts)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}
