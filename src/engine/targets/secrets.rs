//! Reading the secrets that targets refer to. They are read when they are needed, and go nowhere but to the other side.

use std::fmt;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use url::Url;

use crate::catalog::targets::Secret;
use crate::error::{Context as _, Error, Kind, Result};
use crate::node::kubo::is_in_clear;
use crate::text::printable_within;

/// More than this is no secret.
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// What to do where a secret would be read on the way.
pub(super) const USE_TLS: &str = "Use https://, or a tunnel that ends on this machine (`ssh -L`).";

/// A sentence where a secret that is shown to this URL can be read on the way.
pub(in crate::engine) fn in_clear(url: &str) -> Option<String> {
    let parsed = Url::parse(url).ok().filter(is_in_clear)?;
    let host = printable_within(parsed.host_str().unwrap_or_default(), 200);
    Some(format!("The secret for {host} is sent over plain HTTP: anyone on the network path can read it."))
}

/// How environment variables are read.
#[derive(Clone)]
pub struct Variables(Arc<Read>);

type Read = dyn Fn(&str) -> Option<String> + Send + Sync;

impl Variables {
    /// Reads variables by this function, so that tests need no environment.
    pub fn new(read: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// No variable is set.
    pub fn none() -> Self {
        Self::new(|_| None)
    }

    /// What this one says.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }

    /// Reads those of the process.
    pub fn of_process() -> Self {
        Self::new(|name| std::env::var(name).ok())
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Variables")
    }
}

/// A secret that was found. It has no form that could be shown.
pub struct Found {
    value: String,
    /// What is wrong with how it is kept, in a sentence.
    pub warning: Option<String>,
}

impl Found {
    /// The secret, without white space around it. It goes to the other side and nowhere else.
    pub fn expose(&self) -> &str {
        &self.value
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found").field("warning", &self.warning).finish_non_exhaustive()
    }
}

/// Where a secret is, for people.
pub(super) fn place(secret: &Secret) -> String {
    match secret {
        Secret::File(path) => format!("the file {}", printable_within(&path.display().to_string(), 200)),
        Secret::Variable(name) => format!("the variable {}", printable_within(name, 100)),
    }
}

/// Reads a secret; white space around it does not belong to it.
pub(in crate::engine) fn read(secret: &Secret, variables: &Variables) -> Result<Found> {
    let (text, warning) = match secret {
        Secret::File(path) => read_file(path)?,
        Secret::Variable(name) => {
            let text = (variables.0)(name).ok_or_else(|| {
                Error::new(Kind::Usage, format!("{} is not set", place(secret)))
                    .hint("Set it wherever this runs, cron jobs included, or keep the secret in a file.")
            })?;
            (text, None)
        }
    };
    let value = text.trim();
    if value.is_empty() {
        return Err(Error::new(Kind::Usage, format!("{} is empty", place(secret))));
    }
    if value.chars().any(char::is_control) {
        return Err(Error::new(Kind::Usage, format!("{} has more than one line", place(secret)))
            .hint("It must contain only the secret."));
    }
    Ok(Found { value: value.to_owned(), warning })
}

fn read_file(path: &Path) -> Result<(String, Option<String>)> {
    let what = || format!("can't read the secret in {}", path.display());
    let file = match crate::input::open(path) {
        Ok(file) => file,
        Err(error) => {
            let kind = match error.kind() {
                std::io::ErrorKind::NotFound => Kind::NotFound,
                _ => Kind::Unexpected,
            };
            return Err(Error::new(kind, what())
                .caused_by(error)
                .hint("The user who runs this must be able to read it."));
        }
    };
    let about = file.metadata().context(what)?;
    if !about.is_file() {
        return Err(Error::new(Kind::Usage, format!("{}: it is not a regular file", what())));
    }
    let mut text = String::new();
    file.take(MAX_SECRET_BYTES + 1).read_to_string(&mut text).map_err(|_| {
        // Its bytes may be the secret's.
        Error::new(Kind::Usage, format!("{}: it is not text", what()))
    })?;
    if text.len() as u64 > MAX_SECRET_BYTES {
        return Err(Error::new(Kind::Usage, format!("{}: it is larger than 64 KiB", what())));
    }
    Ok((text, exposed(path, &about)))
}

/// What is wrong with how a file with secrets is kept, in a sentence.
pub(super) fn exposure(path: &Path) -> Option<String> {
    exposed(path, &std::fs::metadata(path).ok()?)
}

#[cfg(unix)]
fn exposed(path: &Path, about: &std::fs::Metadata) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;
    (about.permissions().mode() & 0o007 != 0)
        .then(|| format!("{} is world-readable; `chmod 600` limits it to its owner.", path.display()))
}

#[cfg(not(unix))]
fn exposed(_: &Path, _: &std::fs::Metadata) -> Option<String> {
    None
}
