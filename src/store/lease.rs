//! Who uses blobs that no row of a catalog keeps: those that were fetched and not recorded yet, those of an export under way.
//!
//! A [`Lease`] is shared; whoever reclaims waits until there is none ([`Reclaim`](super::Reclaim)). Both are locks of the
//! operating system, which end with the process however it ends. Beside the lock each holder leaves a note of what it does,
//! only for the message of who waits: `DIR/leases/lock` and `DIR/leases/PID-NUMBER`.
//!
//! Whoever needs the plan's lock too takes the lease first, so that two never wait for each other.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::disk::shown;
use super::{Store, private};
use crate::error::{Context as _, Error, Result};
use crate::holder::{HeldBy, Holder};

/// The right to use blobs that nothing else keeps; dropping it gives it up.
#[derive(Debug)]
pub struct Lease {
    _note: Option<Note>,
    /// None where there is no lock and none can be made: nobody has reclaimed anything there.
    _lock: Option<File>,
}

/// What a holder of a lease does.
#[derive(Debug)]
struct Note {
    path: PathBuf,
    /// Locked as long as the holder lives.
    file: File,
}

impl Drop for Note {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}

impl Store {
    /// A lease, or who is reclaiming at the moment.
    pub fn try_lease(&self, doing: &str) -> Result<Result<Lease, HeldBy>> {
        let path = self.lease_lock();
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => match make_lock(&path) {
                Err(error) if is_refused(&error) => return Ok(Ok(Lease { _note: None, _lock: None })),
                made => made,
            },
            opened => opened,
        }
        .context(|| format!("open {}", shown(&path)))?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Ok(Lease { _note: self.note(doing), _lock: Some(file) })),
            Err(TryLockError::WouldBlock) => Ok(Err(HeldBy(Holder::read(&mut file)))),
            // Some file systems know no locks, and only one program at a time then.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                Ok(Ok(Lease { _note: None, _lock: None }))
            }
            Err(TryLockError::Error(error)) => Err(Error::from(error).context(format!("lock {}", shown(&path)))),
        }
    }

    /// The lock with nobody else having a lease, or who has one.
    pub(super) fn lock_leases(&self, doing: &str) -> Result<Result<File, HeldBy>> {
        let path = self.lease_lock();
        let mut file = make_lock(&path).context(|| format!("open {}", shown(&path)))?;
        match file.try_lock() {
            Ok(()) => {
                // Who has it is only for the message of others; failing to say so is no reason to stop.
                let _ = sign(&mut file, doing);
                // Everybody who left a note is gone.
                self.holders(|path| drop(fs::remove_file(path)));
                Ok(Ok(file))
            }
            Err(TryLockError::WouldBlock) => Ok(Err(HeldBy(self.find_holder(|_| true)))),
            Err(TryLockError::Error(error)) => Err(Error::from(error).context(format!("lock {}", shown(&path)))),
        }
    }

    fn lease_lock(&self) -> PathBuf {
        self.leases.join("lock")
    }

    /// Says what a holder does; where that fails, only a message has less to say.
    fn note(&self, doing: &str) -> Option<Note> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = self.leases.join(format!("{}-{number}", std::process::id()));
        let file = OpenOptions::new().write(true).create_new(true).mode(private::FILE_MODE).open(&path).ok()?;
        let mut note = Note { path, file };
        note.file.try_lock().ok()?;
        sign(&mut note.file, doing).ok()?;
        Some(note)
    }

    /// Another process that has a lease.
    pub fn leased_elsewhere(&self) -> Option<Holder> {
        self.find_holder(|holder| !holder.is_this_process())
    }

    /// One who has a lease.
    fn find_holder(&self, wanted: impl Fn(&Holder) -> bool) -> Option<Holder> {
        let mut found = None;
        self.holders(|path| {
            if let Ok(mut file) = File::open(path)
                && matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
            {
                found = found.take().or_else(|| Holder::read(&mut file).filter(&wanted));
            }
        });
        found
    }

    fn holders(&self, mut visit: impl FnMut(&Path)) {
        for entry in fs::read_dir(&self.leases).into_iter().flatten().flatten() {
            if entry.file_name() != "lock" && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                visit(&entry.path());
            }
        }
    }
}

fn make_lock(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent() {
        private::make_directories(directory)?;
    }
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(private::FILE_MODE).open(path)
}

fn is_refused(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem | StorageFull | QuotaExceeded)
}

/// Leaves the note of who has a lock in its file.
fn sign(file: &mut File, doing: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all(&serde_json::to_vec(&Holder::this(doing))?)
}
