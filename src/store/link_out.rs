//! Giving a blob out as a file elsewhere, for an exported tree: as cheaply as the file systems allow.

use std::cell::Cell;
use std::fs::{self, File, FileTimes, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use tempfile::NamedTempFile;

use super::Store;
use super::disk::{self, shown};
use super::verify::{BUFFER_BYTES, hash_file};
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::Digest;
use crate::unixfs::Profile;
use crate::unixfs::hash::FileHasher;

/// Mode of files that are no hard links: a web server reads them as another user, whatever the umask was.
const COPY_MODE: u32 = 0o644;

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

/// Gives out blobs to one place.
#[derive(Debug)]
pub struct Exporter<'s> {
    store: &'s Store,
    hard_links: bool,
    /// Whether a reflink may still succeed; one that failed is not tried for the next blob.
    reflinks: Cell<bool>,
}

impl Store {
    /// Gives out blobs to one place, as hard links too where that is allowed.
    pub fn exporter(&self, hard_links: bool) -> Exporter<'_> {
        Exporter { store: self, hard_links, reflinks: Cell::new(true) }
    }
}

impl Exporter<'_> {
    /// What a former export left at `destination`, if it needs not be written again: the blob's own file where hard links are
    /// allowed, or a copy that nobody has touched since, as its length and time tell.
    pub fn former(&self, digest: &Digest, destination: &Path) -> Option<LinkKind> {
        let (ours, theirs) = (self.store.path(digest).symlink_metadata().ok()?, destination.symlink_metadata().ok()?);
        if is_same(&ours, &theirs) {
            return self.hard_links.then_some(LinkKind::HardLink);
        }
        let untouched = theirs.is_file()
            && theirs.len() == ours.len()
            && (theirs.mtime(), theirs.mtime_nsec()) == (ours.mtime(), ours.mtime_nsec());
        untouched.then_some(LinkKind::Copy)
    }

    /// Makes a blob appear at `destination`: a reflink, else a hard link where that is allowed and it is the same file system,
    /// else a copy; whole or not at all. Reflinks and copies are 0644, have the blob's time, and are not synced; a copy is read
    /// anyway, so a damaged blob is found and refused then.
    ///
    /// Never follows a symbolic link at `destination` and never replaces anything: what is there already must be the
    /// blob's own file where hard links are allowed (then this is [`LinkKind::HardLink`]) or a file with the same bytes, which
    /// are read to know that (then it is [`LinkKind::Copy`]); everything else is refused and stays as it is.
    pub fn export(&self, digest: &Digest, destination: &Path) -> Result<LinkKind> {
        let blob = self.store.open_blob(digest)?;
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::InvalidData => {
                Error::new(Kind::Verification, format!("{digest} is damaged in the blob store"))
                    .hint("`roadstead verify --repair` fetches damaged blobs again.")
            }
            _ => {
                let directory = destination.parent().unwrap_or(destination);
                let size = blob.metadata().map_or(0, |metadata| metadata.len());
                disk::explain(error, directory, size, format!("copy blob {digest} to {}", shown(destination)))
            }
        };
        if self.reflinks.get() {
            let shared = write(&blob, destination, |file| {
                disk::share_extents(&blob, file).inspect_err(|_| self.reflinks.set(false))
            });
            match shared {
                Ok(()) => return Ok(LinkKind::Reflink),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return self.accept(&blob, digest, destination);
                }
                // It is another file system, or one that shares nothing.
                Err(_) if !self.reflinks.get() => {}
                Err(error) => return Err(failed(error)),
            }
        }
        if self.hard_links {
            match fs::hard_link(self.store.path(digest), destination) {
                Ok(()) => {
                    self.store.was_linked(digest, &blob);
                    return Ok(LinkKind::HardLink);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return self.accept(&blob, digest, destination);
                }
                // Another file system, one without hard links, one link too many, or one of another user's file.
                Err(_) => {}
            }
        }
        match write(&blob, destination, |file| copy(&blob, digest, file)) {
            Ok(()) => Ok(LinkKind::Copy),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.accept(&blob, digest, destination),
            Err(error) => Err(failed(error)),
        }
    }

    /// Looks whether what is at the destination may stay there.
    fn accept(&self, blob: &File, digest: &Digest, destination: &Path) -> Result<LinkKind> {
        let look = || format!("look at {}", shown(destination));
        let refuse = |what: &str| {
            Err(Error::new(Kind::Usage, format!("{} is {what}", shown(destination)))
                .hint("Nothing is replaced there: move it away, or choose an empty directory."))
        };
        let (ours, theirs) = (blob.metadata().context(look)?, destination.symlink_metadata().context(look)?);
        if is_same(&ours, &theirs) {
            return if self.hard_links { Ok(LinkKind::HardLink) } else { refuse("a hard link into the blob store") };
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
}

fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    one.dev() == other.dev() && one.ino() == other.ino()
}

/// Fills a file of a random hidden name beside the destination, and renames it.
fn write(blob: &File, destination: &Path, fill: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let directory = destination.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let hidden = NamedTempFile::with_prefix_in(".roadstead-", directory)?;
    let file = hidden.as_file();
    fill(file)?;
    // Not every file system has modes and exact times.
    drop(file.set_permissions(Permissions::from_mode(COPY_MODE)));
    // A web server tells by it what has changed, and so does the next export.
    drop(file.set_times(FileTimes::new().set_modified(blob.metadata()?.modified()?)));
    disk::rename_to_new(hidden.path(), destination)
}

/// Fails with [`io::ErrorKind::InvalidData`] if the bytes that were copied are not the blob's.
fn copy(mut blob: &File, digest: &Digest, mut file: &File) -> io::Result<()> {
    let mut hasher = FileHasher::new(Profile::V1_2025, blob.metadata()?.len());
    let mut buffer = vec![0; BUFFER_BYTES];
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
    if hasher.finish().digest == *digest { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}
