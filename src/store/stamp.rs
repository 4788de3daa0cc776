//! Whether a blob's file is still the one that was verified, told by what the file system says of it.
//!
//! Whoever gives a blob out opens it by [`Store::open_blob`] or [`Store::open_known`]: a file that was verified and has not
//! changed since costs one look at it, and every other one is hashed first. Which stamps are known beyond this process is the
//! caller's to keep: [`Store::recall`] takes them, [`Store::unrecorded`] has the new ones.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Seek as _};
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use super::Store;
use super::disk::shown;
use super::verify::hash_file;
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::Digest;
use crate::unixfs::Profile;
use crate::unixfs::hash::FileHasher;

/// Blobs whose state is remembered in this process; some 200 bytes each.
const MAX_REMEMBERED_BLOBS: NonZeroUsize = NonZeroUsize::MIN.saturating_add((1 << 16) - 1);

/// What the file system says of a file, which changes when anything writes to it: size, times and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    size: u64,
    /// Nanoseconds since 1970, of the bytes and of the inode: a program can set the first one back, not the second.
    modified: i64,
    changed: i64,
    inode: u64,
}

impl Stamp {
    fn of(file: &File) -> io::Result<Self> {
        file.metadata().map(|metadata| Self::from(&metadata))
    }

    /// As four numbers, to be kept somewhere.
    pub fn to_numbers(self) -> [i64; 4] {
        [self.size.cast_signed(), self.modified, self.changed, self.inode.cast_signed()]
    }

    /// Stamp that [`Self::to_numbers`] was called on.
    pub fn from_numbers([size, modified, changed, inode]: [i64; 4]) -> Self {
        Self { size: size.cast_unsigned(), modified, changed, inode: inode.cast_unsigned() }
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self {
            size: metadata.len(),
            modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }
}

/// What reading a file with this stamp found.
#[derive(Debug, Clone, Copy)]
struct Finding {
    stamp: Stamp,
    is_sound: bool,
}

#[derive(Debug)]
struct Seen {
    findings: LruCache<Digest, Finding>,
    unrecorded: HashMap<Digest, Stamp>,
}

/// What this process knows of blobs' files.
#[derive(Debug)]
pub(super) struct Known(Mutex<Seen>);

impl Default for Known {
    fn default() -> Self {
        Self(Mutex::new(Seen { findings: LruCache::new(MAX_REMEMBERED_BLOBS), unrecorded: HashMap::new() }))
    }
}

impl Known {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a file with this stamp is the blob; nothing if that was not looked at.
    fn is_sound(&self, digest: &Digest, stamp: &Stamp) -> Option<bool> {
        let mut seen = self.seen();
        seen.findings.get(digest).filter(|finding| finding.stamp == *stamp).map(|finding| finding.is_sound)
    }

    /// Remembers what reading a whole file found.
    pub(super) fn remember(&self, digest: &Digest, stamp: Stamp, is_sound: bool) {
        let mut seen = self.seen();
        seen.findings.put(*digest, Finding { stamp, is_sound });
        if !is_sound {
            seen.unrecorded.remove(digest);
        } else if seen.unrecorded.len() < MAX_REMEMBERED_BLOBS.get() {
            seen.unrecorded.insert(*digest, stamp);
        }
    }

    pub(super) fn forget(&self, digest: &Digest) {
        let mut seen = self.seen();
        seen.findings.pop(digest);
        seen.unrecorded.remove(digest);
    }
}

/// The error of a blob whose bytes are not what they were.
fn damaged(digest: &Digest) -> Error {
    Error::new(Kind::Verification, format!("{digest} is damaged in the blob store"))
        .hint("`roadstead verify --repair` fetches damaged blobs again.")
}

impl Store {
    /// Opens a blob to give it out: it is the one that was verified, or is read and verified now, which may take long.
    pub fn open_blob(&self, digest: &Digest) -> Result<File> {
        let mut file = self.open_unproven(digest)?;
        let words = || format!("read {}", shown(&self.path(digest)));
        let stamp = Stamp::of(&file).context(words)?;
        match self.known.is_sound(digest, &stamp) {
            Some(true) => return Ok(file),
            Some(false) => return Err(damaged(digest)),
            None => {}
        }
        let mut hasher = FileHasher::new(Profile::V1_2025, stamp.size);
        hash_file(&file, &mut hasher, u64::MAX, &mut |_| {}).context(words)?;
        let is_sound = hasher.finish().digest == *digest;
        // What is written to while it is read may be anything by now.
        if Stamp::of(&file).context(words)? != stamp {
            return Err(damaged(digest));
        }
        self.known.remember(digest, stamp, is_sound);
        if !is_sound {
            return Err(damaged(digest));
        }
        file.rewind().context(words)?;
        Ok(file)
    }

    /// Opens a blob to give it out if that needs no reading: nothing if its file has to be verified first.
    pub fn open_known(&self, digest: &Digest, size: u64) -> Result<Option<File>> {
        let file = self.open_unproven(digest)?;
        let stamp = Stamp::of(&file).context(|| format!("look at {}", shown(&self.path(digest))))?;
        match self.known.is_sound(digest, &stamp) {
            Some(true) => Ok(Some(file)),
            None if stamp.size == size => Ok(None),
            _ => Err(damaged(digest)),
        }
    }

    /// Takes the stamp that a blob's file had when it was verified at an earlier time.
    pub fn recall(&self, digest: &Digest, stamp: Stamp) {
        self.known.seen().findings.put(*digest, Finding { stamp, is_sound: true });
    }

    /// Stamps of blobs that were verified since, to be kept by the caller.
    pub fn unrecorded(&self) -> Vec<(Digest, Stamp)> {
        self.known.seen().unrecorded.iter().map(|(digest, stamp)| (*digest, *stamp)).collect()
    }

    /// Takes note that these are kept now.
    pub fn recorded(&self, stamps: &[(Digest, Stamp)]) {
        let mut seen = self.known.seen();
        for (digest, stamp) in stamps {
            if seen.unrecorded.get(digest) == Some(stamp) {
                seen.unrecorded.remove(digest);
            }
        }
    }

    /// Takes note that this program gave an open blob another name, which changes the inode and no byte.
    pub(super) fn was_linked(&self, digest: &Digest, file: &File) {
        let Ok(now) = Stamp::of(file) else { return };
        let before = self.known.seen().findings.peek(digest).copied();
        if let Some(Finding { stamp, is_sound: true }) = before
            && (Stamp { changed: now.changed, ..stamp }) == now
        {
            self.known.remember(digest, now, true);
        }
    }

    /// Remembers that this file was verified, if it still has the stamp from before that.
    pub(super) fn was_read(&self, digest: &Digest, file: &File, before: Option<Stamp>, is_sound: bool) {
        if let Some(before) = before
            && Stamp::of(file).is_ok_and(|now| now == before)
        {
            self.known.remember(digest, before, is_sound);
        }
    }

    pub(super) fn stamp_of(file: &File) -> Option<Stamp> {
        Stamp::of(file).ok()
    }
}
