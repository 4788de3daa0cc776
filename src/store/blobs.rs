//! The store itself: which blobs are there, and how they come and go.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::disk::{self, shown};
use super::partial::Partial;
use super::private;
use super::stamp::{Known, Stamp};
use super::writer::Writer;
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::Digest;
use crate::unixfs::Profile;
use crate::unixfs::hash::{FileDigests, FileHasher};

/// Blobs in a directory, each a file named by its digest. Cheap to clone; clones and other processes may use the same
/// directory at the same time.
#[derive(Debug, Clone)]
pub struct Store {
    blobs: PathBuf,
    pub(super) partials: PathBuf,
    pub(super) leases: PathBuf,
    writable: bool,
    pub(super) known: Arc<Known>,
}

impl Store {
    /// Opens the store in a data directory, and makes that directory if only its last part is missing: a disk that is
    /// not mounted must not be taken for an empty store.
    pub fn open(directory: &Path) -> Result<Self> {
        let store = Self::at(directory, true);
        if !directory.is_dir() {
            if directory.exists() {
                let message = format!("the data directory {} is not a directory", shown(directory));
                return Err(Error::new(Kind::Unexpected, message).hint("Choose another one with `--data-dir`."));
            }
            let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            if !parent.is_dir() {
                let message = format!(
                    "can't make the data directory {}: there is no directory {}",
                    shown(directory),
                    shown(parent)
                );
                return Err(Error::new(Kind::Unexpected, message)
                    .hint("Mount its disk, or create that directory first; `--data-dir` names another one."));
            }
            make_directory(directory)?;
        }
        let algorithm = store.blobs.as_path();
        for directory in [algorithm.parent().unwrap_or(algorithm), algorithm, &store.partials, &store.leases] {
            make_directory(directory)?;
            private::tighten(directory);
            rustix::fs::access(directory, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)
                .map_err(io::Error::from)
                .context(|| format!("write to {}", shown(directory)))?;
        }
        Ok(store)
    }

    /// Opens the store of a data directory for reading: makes nothing, and refuses everything that would write.
    pub fn open_read_only(directory: &Path) -> Result<Self> {
        if directory.is_dir() {
            return Ok(Self::at(directory, false));
        }
        Err(Error::new(Kind::NotFound, format!("there is no data directory {}", shown(directory)))
            .hint("Mount its disk, or choose another one with `--data-dir`."))
    }

    fn at(directory: &Path, writable: bool) -> Self {
        Self {
            blobs: directory.join("blobs/sha256"),
            partials: directory.join("partial"),
            leases: directory.join("leases"),
            writable,
            known: Arc::default(),
        }
    }

    /// Where a blob's file is, or would be.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.blobs.join(digest.hex())
    }

    /// The length of a blob's file in bytes, if there is one.
    pub fn size(&self, digest: &Digest) -> Result<Option<u64>> {
        let path = self.path(digest);
        match path.symlink_metadata() {
            Ok(metadata) => Ok(metadata.is_file().then_some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::from(error).context(format!("look at {}", shown(&path)))),
        }
    }

    /// Whether a blob is there with this length; its bytes were verified when it came, and are not read.
    pub fn contains(&self, digest: &Digest, size: u64) -> Result<bool> {
        Ok(self.size(digest)? == Some(size))
    }

    /// Opens a blob's file, whatever is in it: for those who hash what they read.
    pub fn open_unproven(&self, digest: &Digest) -> Result<File> {
        let path = self.path(digest);
        File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::new(Kind::NotFound, format!("blob {digest} is not in the store"))
                .hint("`roadstead verify --repair` fetches it again."),
            _ => Error::from(error).context(format!("open {}", shown(&path))),
        })
    }

    /// Opens what there is of a blob, also while it is written: whatever is in it, for those who hash what they read.
    pub fn open_written(&self, digest: &Digest) -> Result<File> {
        // It may get its name in between.
        self.open_unproven(digest).or_else(|missing| {
            File::open(self.partial_path(digest)).or_else(|_| self.open_unproven(digest)).map_err(|_| missing)
        })
    }

    /// Begins to write a blob, or goes on where a cut or a kill stopped: what the partial file holds is hashed again
    /// first, once and in constant memory. [`Writer::position`] says from which offset the rest is wanted; a partial
    /// file that is too long or can't be read starts over. A rest that is known not to fit the disk is refused; room for it
    /// is reserved as it comes.
    ///
    /// Does not look whether the blob is there: writing it again is how a damaged one is replaced.
    /// [`Kind::Locked`] if it is being written already, here or by another process.
    pub fn begin(&self, digest: Digest, size: u64, profile: Profile) -> Result<Writer> {
        self.check_writable()?;
        let known = Arc::clone(&self.known);
        Writer::begin(self.partial_path(&digest), self.path(&digest), digest, size, profile, known)
    }

    /// Stores a small blob in one go, synced like a [`Writer`]'s; if it is there with these bytes, nothing is written.
    pub fn put_bytes(&self, bytes: &[u8], profile: Profile) -> Result<FileDigests> {
        self.check_writable()?;
        let mut hasher = FileHasher::new(profile, bytes.len() as u64);
        hasher.update(bytes);
        let found = hasher.finish();
        if self.contains(&found.digest, found.size)?
            && fs::read(self.path(&found.digest)).is_ok_and(|stored| stored == bytes)
        {
            return Ok(found);
        }
        let partial = self.temporary(&found.digest)?;
        let needed = found.size;
        partial
            .file
            .write_all_at(bytes, 0)
            .map_err(|error| disk::explain(error, &self.partials, needed, format!("blob {}: write", found.digest)))?;
        let metadata = partial.commit(&self.path(&found.digest))?;
        self.known.remember(&found.digest, Stamp::from(&metadata), true);
        Ok(found)
    }

    /// A file beside the partial ones that has no name: it is gone when it is closed, however this process ends.
    pub fn nameless_file(&self) -> Result<File> {
        self.check_writable()?;
        tempfile::tempfile_in(&self.partials).context(|| format!("make a file in {}", shown(&self.partials)))
    }

    pub(super) fn partial_path(&self, digest: &Digest) -> PathBuf {
        self.partials.join(digest.hex())
    }

    /// A partial file that doesn't get in the way of one that is being resumed.
    fn temporary(&self, digest: &Digest) -> Result<Partial> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = COUNTER.fetch_add(1, Ordering::Relaxed);
            let path = self.partials.join(format!("{}.{}.{number}", digest.hex(), std::process::id()));
            match Partial::create(path, digest) {
                // Two containers that share the directory may have the same process id.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                created => return created.context(|| format!("make a file in {}", shown(&self.partials))),
            }
        }
    }

    /// Makes the blobs that were committed or removed so far durable in name too: once for an image or a batch.
    pub fn sync_directory(&self) -> Result<()> {
        self.check_writable()?;
        disk::sync_directory(&self.blobs)
    }

    /// Every blob and the length of its file, in no order; files with other names are passed over.
    pub fn list(&self) -> Result<impl Iterator<Item = Result<(Digest, u64)>> + use<>> {
        Ok(entries(&self.blobs)?.filter_map(|entry| match entry {
            Ok((name, path)) => sized(digest_of(&name)?, &path).transpose(),
            Err(error) => Some(Err(error)),
        }))
    }

    /// Every partial file that can be resumed, and how many bytes it holds, in no order.
    pub fn partials(&self) -> Result<impl Iterator<Item = Result<(Digest, u64)>> + use<>> {
        Ok(entries(&self.partials)?.filter_map(|entry| match entry {
            Ok((name, path)) => sized(digest_of(&name)?, &path).transpose(),
            Err(error) => Some(Err(error)),
        }))
    }

    /// Bytes that can still be written; `u64::MAX` where the file system doesn't say.
    pub fn free_space(&self) -> Result<u64> {
        // A store that was only opened for reading may lack the inner directories.
        let directory = self.blobs.ancestors().find(|directory| directory.is_dir()).unwrap_or(&self.blobs);
        disk::free_space(directory).context(|| format!("ask for the free space of {}", shown(directory)))
    }

    pub(super) fn check_writable(&self) -> Result<()> {
        if self.writable {
            return Ok(());
        }
        Err(Error::new(Kind::Usage, format!("the store {} was opened only for reading", shown(&self.blobs))))
    }
}

fn make_directory(directory: &Path) -> Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    match DirBuilder::new().mode(private::DIRECTORY_MODE).create(directory) {
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        Err(error) => Err(Error::from(error).context(format!("make {}", shown(directory)))),
        Ok(()) => {
            disk::sync_directory(directory.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))
        }
    }
}

pub(super) fn digest_of(hex: &str) -> Option<Digest> {
    format!("sha256:{hex}").parse().ok()
}

/// Names and paths in a directory, as they are read; a directory that isn't there has none.
pub(super) fn entries(directory: &Path) -> Result<impl Iterator<Item = Result<(String, PathBuf)>> + use<>> {
    let name = shown(directory);
    let doing = move || format!("list {name}");
    let reading = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        read => Some(read.context(&doing)?),
    };
    Ok(reading.into_iter().flatten().filter_map(move |entry| match entry {
        // A name that isn't text is none of ours.
        Ok(entry) => entry.file_name().into_string().ok().map(|name| Ok((name, entry.path()))),
        Err(error) => Some(Err(Error::from(error).context(doing()))),
    }))
}

/// The entry with its file's length; none if it isn't a file, or not any more.
fn sized(digest: Digest, path: &Path) -> Result<Option<(Digest, u64)>> {
    match path.symlink_metadata() {
        Ok(metadata) => Ok(metadata.is_file().then_some((digest, metadata.len()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::from(error).context(format!("look at {}", shown(path)))),
    }
}
