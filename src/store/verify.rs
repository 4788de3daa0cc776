//! Reading blobs back: whether they still are what their name says.

use std::fs::File;
use std::io::{self, Read as _};

use super::Store;
use crate::error::{Kind, Result};
use crate::image::Digest;
use crate::unixfs::Profile;
use crate::unixfs::hash::{FileDigests, FileHasher};

/// Bytes read at a time; they fit the L2 cache.
pub(super) const BUFFER_BYTES: usize = 256 << 10;

/// What reading a blob again found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is what its name says.
    Good(FileDigests),
    /// There is no such file.
    Missing,
    /// It has other bytes, or more or fewer of them. Comparing the leaves with recorded ones tells where.
    Damaged(FileDigests),
    /// The disk doesn't give it out, and why.
    Unreadable(String),
}

impl Verdict {
    /// Whether the blob is there and right.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Good(_))
    }
}

impl Store {
    /// Reads a blob and hashes it, in constant memory; `progress` gets the number of bytes just read.
    pub fn verify(
        &self,
        digest: &Digest,
        size: u64,
        profile: Profile,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Verdict> {
        let file = match self.open_unproven(digest) {
            Ok(file) => file,
            Err(error) if error.kind() == Kind::NotFound => return Ok(Verdict::Missing),
            Err(error) => return Ok(Verdict::Unreadable(error.to_string())),
        };
        let before = Self::stamp_of(&file);
        let mut hasher = FileHasher::new(profile, size);
        if let Err(error) = hash_file(&file, &mut hasher, u64::MAX, progress) {
            return Ok(Verdict::Unreadable(error.to_string()));
        }
        let found = hasher.finish();
        let good = found.digest == *digest && found.size == size;
        self.was_read(digest, &file, before, good);
        Ok(if good { Verdict::Good(found) } else { Verdict::Damaged(found) })
    }
}

/// Hashes a file from where it is being read, at most `limit` bytes; fails if there are fewer, unless there is no limit.
pub(super) fn hash_file(
    mut file: &File,
    hasher: &mut FileHasher,
    limit: u64,
    progress: &mut dyn FnMut(u64),
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut left = limit;
    while left > 0 {
        let wanted = left.min(BUFFER_BYTES as u64) as usize;
        let count = match file.read(&mut buffer[..wanted]) {
            Ok(0) if limit == u64::MAX => break,
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&buffer[..count]);
        left -= count as u64;
        progress(count as u64);
    }
    Ok(())
}
