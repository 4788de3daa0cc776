//! What the disk under the store can do: room, reserved room, shared extents. Where it can't, that is no failure.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::text;

/// Below this many bytes, reserving room costs more than it saves.
const MIN_RESERVED_BYTES: u64 = 1 << 20;
/// Most bytes that are reserved beyond what came.
const MAX_RESERVED_AHEAD_BYTES: u64 = 64 << 20;

/// The path as a person may see it.
pub(super) fn shown(path: &Path) -> String {
    format!("`{}`", text::printable(&path.to_string_lossy()))
}

/// Bytes that may still be written below `directory`; `u64::MAX` where the file system doesn't say.
pub(super) fn free_space(directory: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(directory)?;
    Ok(if disk.f_blocks == 0 { u64::MAX } else { disk.f_bavail.saturating_mul(disk.f_frsize) })
}

/// Fails if so many bytes more are known not to fit.
pub(super) fn check_room(directory: &Path, missing: u64) -> io::Result<()> {
    if missing >= MIN_RESERVED_BYTES && missing > free_space(directory)? {
        return Err(io::ErrorKind::StorageFull.into());
    }
    Ok(())
}

/// How far a file is reserved once `came` of its `size` bytes are there; none while that is not worth it. Never more than
/// what came once more: whoever announces much and sends little takes little.
pub(super) fn reserve_until(came: u64, size: u64) -> Option<u64> {
    let until = size.min(came.saturating_add(came.min(MAX_RESERVED_AHEAD_BYTES)));
    (came >= MIN_RESERVED_BYTES && until > came).then_some(until)
}

/// Reserves room for the first `until` bytes of a file, without changing its length. Fails only if the room is known to be
/// missing.
pub(super) fn reserve(file: &File, directory: &Path, from: u64, until: u64) -> io::Result<()> {
    // Asked first, since a file system may hand out all it has before it finds that this is not enough.
    check_room(directory, until.saturating_sub(from))?;
    allocate(file, until)
}

#[cfg(target_os = "linux")]
fn allocate(file: &File, size: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    match rustix::io::retry_on_intr(|| fallocate(file, FallocateFlags::KEEP_SIZE, 0, size)) {
        Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn allocate(_: &File, _: u64) -> io::Result<()> {
    Ok(())
}

/// Lets `to`, an empty file, share the extents of `from`; fails where the file system can't.
#[cfg(target_os = "linux")]
pub(super) fn share_extents(from: &File, to: &File) -> io::Result<()> {
    Ok(rustix::fs::ioctl_ficlone(to, from)?)
}

/// Lets `to`, an empty file, share the extents of `from`; fails where the file system can't.
#[cfg(not(target_os = "linux"))]
pub(super) fn share_extents(_: &File, _: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Renames without ever replacing what has the new name already.
pub(super) fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE).map_err(io::Error::from) {
            // Neither every kernel nor every file system knows the flag.
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {}
            done => return done,
        }
    }
    if to.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

/// The error of an operation on a file below `directory`; of a full disk it says which, and what is `needed`.
pub(super) fn explain(error: io::Error, directory: &Path, needed: u64, doing: String) -> Error {
    if !matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        return Error::from(error).context(doing);
    }
    let free = free_space(directory).map_or_else(|_| "an unknown amount".to_owned(), text::bytes);
    let disk = shown(&mount_point(directory));
    let needed = text::bytes(needed);
    Error::from(error).context(format!("{doing}: the disk mounted at {disk} has {free} free, {needed} needed"))
}

/// Where the file system that holds `path` is mounted.
fn mount_point(path: &Path) -> PathBuf {
    let mut top = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let device = |path: &Path| path.metadata().map(|metadata| metadata.dev()).ok();
    while let Some(parent) = top.parent()
        && device(parent) == device(&top)
    {
        top = parent.to_owned();
    }
    top
}

/// Makes what happened to the names in a directory durable.
pub(super) fn sync_directory(directory: &Path) -> Result<()> {
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        // Some file systems have no such operation; there is no other.
        Err(error) if !matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Err(Error::from(error).context(format!("sync {}", shown(directory))))
        }
        _ => Ok(()),
    }
}
