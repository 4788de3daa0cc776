//! Writing one blob: bytes go to the disk and through the hasher, and only the right ones get the blob's name.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{self, shown};
use super::flusher::{self, Flusher};
use super::partial::Partial;
use super::stamp::{Known, Stamp};
use super::verify::hash_file;
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::Digest;
use crate::unixfs::Profile;
use crate::unixfs::hash::{FileDigests, FileHasher};

/// One blob on its way into the store. Blocking, and `Send`.
///
/// Dropping it keeps what was written, for [`Store::begin`](super::Store::begin) to resume.
#[derive(Debug)]
pub struct Writer {
    digest: Digest,
    size: u64,
    hasher: FileHasher,
    // Before the file: the thread must have let go of the file when its lock is to be released.
    flusher: Flusher,
    partial: Partial,
    blob: PathBuf,
    unflushed: u64,
    /// Up to where room is reserved, or was tried to be.
    reserved: u64,
    resumed: bool,
    known: Arc<Known>,
}

impl Writer {
    /// Opens the partial file, takes over what it holds, and gives back the room that a kill left behind it. Refuses a rest
    /// that is known not to fit.
    pub(super) fn begin(
        path: PathBuf,
        blob: PathBuf,
        digest: Digest,
        size: u64,
        profile: Profile,
        known: Arc<Known>,
    ) -> Result<Self> {
        let partial = Partial::open(path, &digest)?;
        let hasher = FileHasher::new(profile, size);
        let mut writer = Self {
            digest,
            size,
            hasher,
            flusher: Flusher::default(),
            partial,
            blob,
            unflushed: 0,
            reserved: 0,
            resumed: false,
            known,
        };
        let metadata = writer.partial.file.metadata().context(|| format!("resume {}", shown(&writer.partial.path)))?;
        // From here on, whatever fails keeps what there is.
        writer.partial.position = metadata.len();
        if metadata.len() > size {
            writer.partial.start_over()?;
        } else if metadata.blocks().saturating_mul(512) > metadata.len() {
            writer
                .partial
                .file
                .set_len(metadata.len())
                .context(|| format!("resume {}", shown(&writer.partial.path)))?;
        }
        writer.check_room()?;
        if writer.partial.position > 0
            && hash_file(&writer.partial.file, &mut writer.hasher, writer.partial.position, &mut |_| {}).is_err()
        {
            writer.hasher = FileHasher::new(profile, size);
            writer.partial.start_over()?;
            writer.check_room()?;
        }
        writer.resumed = writer.partial.position > 0;
        Ok(writer)
    }

    /// Whether bytes of an earlier run are part of it, which nobody has verified yet.
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// How many of the blob's first bytes are there: from this offset on, the rest is wanted.
    pub fn position(&self) -> u64 {
        self.partial.position
    }

    /// Opens what is being written, to be read as far as it was written: also after the blob got its name.
    pub fn reader(&self) -> Result<File> {
        // A handle of its own: one that is shared would keep the lock.
        File::open(&self.partial.path).context(|| format!("open {}", shown(&self.partial.path)))
    }

    /// Takes the next bytes. More than the blob's size is refused, and makes the partial file be deleted: then the
    /// other side is sending something else.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let end = self.partial.position + bytes.len() as u64;
        if end > self.size {
            self.partial.discard();
            return Err(self.wrong(&format!("longer than the {} bytes that were announced", self.size)));
        }
        if end > self.reserved {
            self.reserve(end)?;
        }
        let written = self.partial.file.write_all_at(bytes, self.partial.position);
        written.map_err(|error| self.failed(error, "write"))?;
        // After the writing: the bytes are then in the processor's cache.
        self.hasher.update(bytes);
        self.partial.position = end;
        self.unflushed += bytes.len() as u64;
        if self.unflushed >= flusher::SYNC_STEP_BYTES && self.size > flusher::SYNC_STEP_BYTES {
            self.unflushed = 0;
            let requested = self.flusher.request(&self.partial.file);
            requested.map_err(|error| self.failed(error, "sync"))?;
        }
        Ok(())
    }

    /// Whether the leaf that ends with the last byte has this digest, for a profile whose leaves are bytes of the file alone.
    pub fn ends_with_leaf(&self, digest: &[u8; 32]) -> bool {
        self.hasher.last_leaf().as_ref() == Some(digest)
    }

    /// Forgets the bytes of that leaf, so that others take their place; how many they were. Only once for a leaf.
    pub fn take_back_leaf(&mut self) -> u64 {
        let size = self.hasher.take_back_leaf();
        self.partial.position -= size;
        size
    }

    /// Checks length and digest, syncs, and gives the file the blob's name, in place of a file that has it already.
    /// The name survives a power cut after [`Store::sync_directory`](super::Store::sync_directory).
    ///
    /// Too few bytes are refused, and kept for resuming. Wrong bytes are deleted.
    pub fn commit(mut self) -> Result<FileDigests> {
        if self.position() < self.size {
            return Err(self.wrong(&format!("only {} of {} bytes", self.position(), self.size)));
        }
        let flushed = self.flusher.finish();
        flushed.map_err(|error| self.failed(error, "sync"))?;
        let Self { digest, size, hasher, flusher: _, mut partial, blob, known, .. } = self;
        let found = hasher.finish();
        if found.digest != digest {
            partial.discard();
            let message = format!("blob {digest}: the received bytes have the digest {}", found.digest);
            return Err(Error::new(Kind::Verification, message)
                .hint("Try again; if it persists, the registry or a proxy in between serves damaged bytes."));
        }
        let on_disk = partial.file.metadata().context(|| format!("look at {}", shown(&partial.path)))?.len();
        if on_disk != size {
            partial.discard();
            let message = format!("{} has {on_disk} bytes instead of the {size} written", shown(&partial.path));
            return Err(Error::new(Kind::Verification, message).hint("Another program changed it; try again."));
        }
        let metadata = partial.commit(&blob)?;
        known.remember(&digest, Stamp::from(&metadata), true);
        Ok(found)
    }

    /// Stops; `keep` says whether what was written stays for resuming.
    pub fn abandon(mut self, keep: bool) {
        if !keep {
            self.partial.discard();
        }
    }

    fn check_room(&self) -> Result<()> {
        let missing = self.size.saturating_sub(self.partial.position);
        disk::check_room(self.directory(), missing).map_err(|error| self.failed(error, "reserve space"))
    }

    fn reserve(&mut self, end: u64) -> Result<()> {
        if let Some(until) = disk::reserve_until(end, self.size) {
            let from = self.reserved.max(self.partial.position);
            let reserved = disk::reserve(&self.partial.file, self.directory(), from, until);
            reserved.map_err(|error| self.failed(error, "reserve space"))?;
            self.reserved = until;
        }
        Ok(())
    }

    fn directory(&self) -> &Path {
        self.partial.path.parent().unwrap_or(&self.partial.path)
    }

    fn failed(&self, error: io::Error, doing: &str) -> Error {
        let missing = self.size.saturating_sub(self.partial.position);
        disk::explain(error, self.directory(), missing, format!("blob {}: {doing}", self.digest))
    }

    fn wrong(&self, what: &str) -> Error {
        Error::new(Kind::Verification, format!("blob {}: {what}", self.digest))
    }
}
