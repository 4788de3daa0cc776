//! Giving a blob out as a file elsewhere, for an exported tree: as cheaply as the file systems allow.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Store;
use super::disk::{self, shown};
use super::verify::{BUFFER, hash_file};
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::Digest;
use crate::unixfs::Profile;
use crate::unixfs::hash::FileHasher;

/// How a blob got to another place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkKind {
    /// The same file under a second name; read-only, since a change would damage the store (and is found: the blob is verified anew).
    HardLink,
    /// A file of its own that shares the bytes on disk until one of them changes.
    Reflink,
    /// A file of its own with its own bytes.
    Copy,
}

impl Store {
    /// Makes a blob appear at `destination`: a hard link on the same file system, else a reflink, else a copy; whole or
    /// not at all. Copies are 0644 and are not synced. A blob
    /// that is damaged is refused.
    ///
    /// Never follows a symbolic link at `destination` and never replaces anything: what is there already must be the
    /// blob's own file (then this is [`LinkKind::HardLink`]) or a file with the same bytes, which are read to know that
    /// (then it is [`LinkKind::Copy`]); everything else is refused and stays as it is.
    pub fn link_out(&self, digest: &Digest, destination: &Path) -> Result<LinkKind> {
        let blob = self.open_blob(digest)?;
        match fs::hard_link(self.path(digest), destination) {
            Ok(()) => {
                self.was_linked(digest, &blob);
                return Ok(LinkKind::HardLink);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return accept(&blob, digest, destination),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::from(error).context(format!("link to {}", shown(destination))));
            }
            // Another file system, one without hard links, one link too many, or one of another user's file.
            Err(_) => {}
        }
        match copy(&blob, digest, destination) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(Error::new(Kind::Verification, format!("{digest} is damaged in the blob store"))
                    .hint("`roadstead verify --repair` fetches what is damaged again."))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => accept(&blob, digest, destination),
            Err(error) => {
                let directory = destination.parent().unwrap_or(destination);
                let size = blob.metadata().map_or(0, |metadata| metadata.len());
                Err(disk::explain(error, directory, size, format!("copy blob {digest} to {}", shown(destination))))
            }
            Ok(kind) => Ok(kind),
        }
    }
}

/// Looks whether what is at the destination may stay there.
fn accept(blob: &File, digest: &Digest, destination: &Path) -> Result<LinkKind> {
    let look = || format!("look at {}", shown(destination));
    let refuse = |what: &str| {
        Err(Error::new(Kind::Usage, format!("{} is {what}", shown(destination)))
            .hint("Nothing is replaced there: move it away, or choose an empty directory."))
    };
    let (ours, theirs) = (blob.metadata().context(look)?, destination.symlink_metadata().context(look)?);
    if ours.dev() == theirs.dev() && ours.ino() == theirs.ino() {
        return Ok(LinkKind::HardLink);
    }
    if !theirs.is_file() {
        return refuse("not a file");
    }
    if ours.len() != theirs.len() {
        return refuse("another file");
    }
    let mut hasher = FileHasher::new(Profile::V1_2025, theirs.len());
    let file = File::open(destination).context(look)?;
    hash_file(&file, &mut hasher, theirs.len(), &mut |_| {}).context(look)?;
    if hasher.finish().digest == *digest { Ok(LinkKind::Copy) } else { refuse("another file") }
}

/// Copies under a hidden name beside the destination, and renames.
fn copy(blob: &File, digest: &Digest, destination: &Path) -> io::Result<LinkKind> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let hidden = destination.with_file_name(format!(".roadstead-{}-{number}", std::process::id()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&hidden)?;
    let copied = fill(blob, digest, &file).and_then(|kind| {
        file.set_permissions(Permissions::from_mode(0o644))?;
        disk::rename_to_new(&hidden, destination)?;
        Ok(kind)
    });
    if copied.is_err() {
        drop(fs::remove_file(&hidden));
    }
    copied
}

/// Fails with [`io::ErrorKind::InvalidData`] if the bytes that were copied are not the blob's.
fn fill(mut blob: &File, digest: &Digest, mut file: &File) -> io::Result<LinkKind> {
    if disk::share_extents(blob, file).is_ok() {
        return Ok(LinkKind::Reflink);
    }
    let mut hasher = FileHasher::new(Profile::V1_2025, blob.metadata()?.len());
    let mut buffer = vec![0; BUFFER];
    loop {
        match blob.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                file.write_all(&buffer[..count])?;
                hasher.update(&buffer[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if hasher.finish().digest != *digest {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(LinkKind::Copy)
}
