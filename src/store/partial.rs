//! One partial file: locked, resumable, and never larger on disk than what it holds once it is let go.

use std::fs::{self, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::shown;
use super::private;
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::Digest;

/// What becomes of the file when it is let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Keep,
    Delete,
    /// It has the blob's name now.
    Committed,
}

/// A partial file that this process has locked.
#[derive(Debug)]
pub(super) struct Partial {
    /// Shared with the thread that syncs it; the lock is released when both have let go.
    pub(super) file: Arc<File>,
    pub(super) path: PathBuf,
    /// How many of its first bytes were written and hashed.
    pub(super) position: u64,
    fate: Fate,
}

impl Partial {
    /// Opens or makes the partial file of a blob, and locks it.
    pub(super) fn open(path: PathBuf, digest: &Digest) -> Result<Self> {
        let file = loop {
            let file = match options().create(true).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    // Another user's, or one that can't be read: of no use, unless it is being written.
                    if let Ok(file) = File::open(&path) {
                        lock(&file, &path, digest)?;
                    }
                    fs::remove_file(&path).context(|| format!("start {} over", shown(&path)))?;
                    continue;
                }
                opened => opened.context(|| format!("open {}", shown(&path)))?,
            };
            if lock_named(&file, &path, digest)? {
                break file;
            }
        };
        Ok(Self { file: Arc::new(file), path, position: 0, fate: Fate::Keep })
    }

    /// Makes a partial file that nobody can resume, under a name of its own.
    pub(super) fn create(path: PathBuf, digest: &Digest) -> io::Result<Self> {
        let file = options().create_new(true).open(&path)?;
        lock(&file, &path, digest).map_err(io::Error::other)?;
        Ok(Self { file: Arc::new(file), path, position: 0, fate: Fate::Delete })
    }

    /// Forgets what it holds.
    pub(super) fn start_over(&mut self) -> Result<()> {
        self.position = 0;
        self.file.set_len(0).context(|| format!("start {} over", shown(&self.path)))
    }

    /// Deletes the file when it is let go.
    pub(super) fn discard(&mut self) {
        self.fate = Fate::Delete;
    }

    /// Syncs the bytes and gives the file the blob's name, in one step for everyone who looks.
    /// What the file system says of the file from then on comes back.
    pub(super) fn commit(mut self, blob: &Path) -> Result<Metadata> {
        self.file.sync_data().context(|| format!("sync {}", shown(&self.path)))?;
        fs::rename(&self.path, blob).context(|| format!("rename {} to {}", shown(&self.path), shown(blob)))?;
        self.fate = Fate::Committed;
        // After the renaming: before it, a kill would leave a partial file that can't be opened for writing. Not every
        // file system has permissions.
        drop(self.file.set_permissions(Permissions::from_mode(0o444)));
        self.file.metadata().context(|| format!("look at {}", shown(blob)))
    }
}

impl Drop for Partial {
    /// Best effort: what fails here leaves a longer partial file, which is hashed before it is resumed.
    fn drop(&mut self) {
        match self.fate {
            Fate::Committed => {}
            // Also gives back the room that was reserved behind the last byte.
            Fate::Keep if self.position > 0 => drop(self.file.set_len(self.position)),
            Fate::Keep | Fate::Delete => {
                drop(self.file.set_len(0));
                drop(fs::remove_file(&self.path));
            }
        }
    }
}

/// Deletes a partial file unless a process is writing it; says how many bytes on disk that freed.
pub(super) fn sweep(path: &Path) -> Result<u64> {
    let doing = || format!("delete {}", shown(path));
    let file = match File::open(path) {
        Ok(file) => Some(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        // Not readable: then nobody of this user is writing it.
        Err(_) => None,
    };
    if let Some(file) = &file {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(0),
            Err(TryLockError::Error(error)) => return Err(Error::from(error).context(doing())),
            Ok(()) if !is_at(file, path) => return Ok(0),
            Ok(()) => {}
        }
    }
    let room = path.symlink_metadata().map_or(0, |metadata| metadata.blocks().saturating_mul(512));
    fs::remove_file(path).context(doing)?;
    Ok(room)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(private::FILE_MODE);
    options
}

/// An advisory lock of the operating system, which ends with the process however it ends.
fn lock(file: &File, path: &Path, digest: &Digest) -> Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            Err(Error::new(Kind::Locked, format!("blob {digest} is being written by another process"))
                .hint("Wait until it is done: what it fetches isn't fetched again."))
        }
        Err(TryLockError::Error(error)) => Err(Error::from(error).context(format!("lock {}", shown(path)))),
    }
}

/// Locks an open file; false if it lost its name meanwhile, because whoever had the lock renamed or deleted it.
pub(super) fn lock_named(file: &File, path: &Path, digest: &Digest) -> Result<bool> {
    lock(file, path, digest)?;
    Ok(is_at(file, path))
}

/// Whether the open file is still the one with this name.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), path.symlink_metadata()) {
        (Ok(open), Ok(named)) => open.dev() == named.dev() && open.ino() == named.ino(),
        _ => false,
    }
}
