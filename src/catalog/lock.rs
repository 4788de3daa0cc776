//! The lock that an applied plan holds: one at a time, among processes as among jobs of one process.
//!
//! It belongs to a plan while it changes the catalog, not to a process: a terminal left open never stops cron, and neither does
//! a plan that fetches. The operating system releases it when the holder dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Context, Error, Kind, Result};
use crate::holder::{HeldBy, Holder};

/// How often a waiting plan looks again.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// The lock; dropping it releases it.
#[derive(Debug)]
pub struct PlanLock {
    file: File,
    path: PathBuf,
}

impl Drop for PlanLock {
    fn drop(&mut self) {
        // What it says is over before the lock is.
        let _ = self.file.set_len(0);
    }
}

impl PlanLock {
    /// Takes the lock of this data directory, or says who has it.
    pub fn try_take(directory: &Path, doing: &str) -> Result<std::result::Result<Self, Option<Holder>>> {
        let path = directory.join("lock");
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut file = opened.context(|| format!("can't open the lock {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {
                // Who holds it is only for the message of others; failing to say so is no reason to stop.
                if let Ok(text) = serde_json::to_vec(&Holder::this(doing)) {
                    let _ = file.set_len(0).and_then(|()| file.write_all(&text));
                }
                Ok(Ok(Self { file, path }))
            }
            Err(TryLockError::WouldBlock) => Ok(Err(Holder::read(&mut file))),
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
        mut waiting: impl FnMut(&HeldBy) -> Result<()>,
    ) -> Result<Self> {
        let begun = Instant::now();
        loop {
            let holder = match Self::try_take(directory, doing)? {
                Ok(lock) => return Ok(lock),
                Err(holder) => holder,
            };
            let who = HeldBy(holder);
            if begun.elapsed() >= patience {
                return Err(Error::new(
                    Kind::Locked,
                    format!("{who} is changing the catalog in {}", directory.display()),
                )
                .hint("Try again when it is done, or wait longer with `--wait SECONDS`."));
            }
            waiting(&who)?;
            tokio::time::sleep(RETRY_INTERVAL.min(patience)).await;
        }
    }

    /// Who holds the lock of this data directory at the moment, as far as they say. Nobody's lock is touched: a file that names
    /// nobody is held by nobody, and one that names somebody is asked for only to see whether they were killed.
    pub fn holder(directory: &Path) -> Option<Holder> {
        let path = directory.join("lock");
        let opened = OpenOptions::new().read(true).write(true).open(&path).or_else(|_| File::open(&path));
        let mut file = opened.ok()?;
        let holder = Holder::read(&mut file)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Some(holder),
            Ok(()) => {
                let _ = file.set_len(0);
                None
            }
            Err(TryLockError::Error(_)) => None,
        }
    }

    /// Path of the lock file in the data directory.
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
        assert!(holder.to_string().contains(" (`add x`, since "), "{holder}");
        drop(first);
        PlanLock::try_take(directory.path(), "add y").unwrap().unwrap();
    }

    #[test]
    fn who_holds_it_is_seen_by_others_until_it_is_released() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(PlanLock::holder(directory.path()), None);
        let lock = PlanLock::try_take(directory.path(), "add x").unwrap().unwrap();
        let holder = PlanLock::holder(directory.path()).unwrap();
        assert!(holder.is_this_process() && holder.doing == "add x" && holder.since.is_some());
        drop(lock);
        assert_eq!(PlanLock::holder(directory.path()), None);
        // One that was killed has said what it does, and has the lock no longer.
        let text = r#"{"process":4194304,"doing":"add y"}"#;
        std::fs::write(directory.path().join("lock"), text).unwrap();
        assert_eq!(PlanLock::holder(directory.path()), None);
        let lock = PlanLock::try_take(directory.path(), "add z").unwrap().unwrap();
        std::fs::write(directory.path().join("lock"), text).unwrap();
        let holder = PlanLock::holder(directory.path()).unwrap();
        assert_eq!((holder.to_string().as_str(), holder.since), ("process 4194304 (`add y`)", None));
        drop(lock);
    }
}
