//! The lock that an applied plan holds: one at a time, among processes as among jobs of one process.
//!
//! It belongs to a plan while it changes the catalog, not to a process: a terminal left open never stops cron, and neither does
//! a plan that fetches. The operating system releases it when the holder dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Kind, Result};
use crate::text::printable_within;

/// How often a waiting plan looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Who holds the lock, for the message of who waits.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Holder {
    /// Process ID.
    pub process: u32,
    /// What it does: `add docker.io/library/nginx:alpine`.
    pub doing: String,
}

/// The lock; dropping it releases it.
#[derive(Debug)]
pub struct PlanLock {
    _file: File,
    path: PathBuf,
}

impl PlanLock {
    /// Takes the lock of this data directory, or says who has it.
    pub fn try_take(directory: &Path, doing: &str) -> Result<std::result::Result<Self, Option<Holder>>> {
        let path = directory.join("lock");
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut file = opened.context(|| format!("can't open the lock {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {
                let holder = Holder { process: std::process::id(), doing: doing.to_owned() };
                // Who holds it is only for the message of others; failing to say so is no reason to stop.
                if let Ok(text) = serde_json::to_vec(&holder) {
                    let _ = file.set_len(0).and_then(|()| file.write_all(&text));
                }
                Ok(Ok(Self { _file: file, path }))
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = file.rewind();
                let _ = file.take(4096).read_to_string(&mut text);
                Ok(Err(serde_json::from_str(&text).ok()))
            }
            Err(TryLockError::Error(error)) => {
                Err(Error::from(error).context(format!("can't lock {}", path.display())))
            }
        }
    }

    /// Waits for the lock, at most so long. `waiting` is told each time it looks whom it waits for, and may stop the wait by returning an error.
    pub async fn take(
        directory: &Path,
        doing: &str,
        patience: Duration,
        mut waiting: impl FnMut(&str) -> Result<()>,
    ) -> Result<Self> {
        let begun = Instant::now();
        loop {
            let holder = match Self::try_take(directory, doing)? {
                Ok(lock) => return Ok(lock),
                Err(holder) => holder,
            };
            let who = holder.map_or_else(
                || "another process".to_owned(),
                |holder| format!("process {} (`{}`)", holder.process, printable_within(&holder.doing, 120)),
            );
            if begun.elapsed() >= patience {
                return Err(Error::new(
                    Kind::Locked,
                    format!("{who} is changing the catalog in {}", directory.display()),
                )
                .hint("Try again when it is done, or wait longer with `--wait SECONDS`."));
            }
            waiting(&who)?;
            tokio::time::sleep(LOOK_AGAIN.min(patience)).await;
        }
    }

    /// The lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_has_it() {
        let directory = tempfile::tempdir().unwrap();
        let first = PlanLock::try_take(directory.path(), "add x").unwrap().unwrap();
        let holder = PlanLock::try_take(directory.path(), "add y").unwrap().unwrap_err().unwrap();
        assert_eq!((holder.process, holder.doing.as_str()), (std::process::id(), "add x"));
        drop(first);
        PlanLock::try_take(directory.path(), "add y").unwrap().unwrap();
    }
}
