//! Who holds a lock of the data directory, for those who wait and for those who watch.
//!
//! The operating system keeps the locks; this is only the note that a holder leaves in the file. Knows no lock by itself.

use std::fmt;
use std::fs::File;
use std::io::{Read as _, Seek as _};

use serde::{Deserialize, Serialize};

use crate::text::printable_within;

/// Bytes of such a note that are read.
const MAX_NOTE_BYTES: u64 = 4 << 10;

/// One process, and what it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// ID of the process that holds the lock.
    pub process: u32,
    /// What it does: `add docker.io/library/nginx:alpine`.
    pub doing: String,
    /// Since when, in seconds since 1970; older versions did not note that.
    #[serde(default)]
    pub since: Option<i64>,
}

impl Holder {
    /// This process, from now on.
    pub fn this(doing: &str) -> Self {
        Self { process: std::process::id(), doing: doing.to_owned(), since: Some(jiff::Timestamp::now().as_second()) }
    }

    /// As the file says it that is locked.
    pub fn read(file: &mut File) -> Option<Self> {
        let mut text = String::new();
        file.rewind().ok()?;
        file.take(MAX_NOTE_BYTES).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// What it does, and since when by the clock of this machine: `(`add x`, since 14:05)`.
    pub fn details(&self) -> String {
        let since = self.since.and_then(|since| jiff::Timestamp::from_second(since).ok());
        let since = since.map_or_else(String::new, |since| {
            format!(", since {}", since.to_zoned_datetime(jiff::tz::TimeZone::system()).strftime("%H:%M"))
        });
        format!("(`{}`{since})", printable_within(&self.doing, 120))
    }

    /// Whether it is this process.
    pub fn is_this_process(&self) -> bool {
        self.process == std::process::id()
    }
}

/// `process 7 (`add x`, since 14:05)`.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} {}", self.process, self.details())
    }
}

/// Who holds a lock; nothing where that is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBy(pub Option<Holder>);

impl fmt::Display for HeldBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(holder) => holder.fmt(f),
            None => f.write_str("another process"),
        }
    }
}
