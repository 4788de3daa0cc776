//! Deleting blobs and what transfers left: only for who has shown that nobody uses blobs which no row keeps.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;

use super::blobs::{digest_of, entries};
use super::disk::shown;
use super::{Store, partial};
use crate::error::{Error, Result};
use crate::holder::HeldBy;
use crate::image::Digest;

/// The right to delete: there is no [`Lease`](super::Lease) as long as it lives.
#[derive(Debug)]
pub struct Reclaim {
    store: Store,
    _lock: File,
}

impl Store {
    /// The right to delete, or who uses blobs at the moment.
    pub fn try_reclaim(&self, doing: &str) -> Result<Result<Reclaim, HeldBy>> {
        self.check_writable()?;
        Ok(self.lock_leases(doing)?.map(|lock| Reclaim { store: self.clone(), _lock: lock }))
    }
}

impl Reclaim {
    /// Deletes a blob. Says how many bytes that freed: none if it was not there, or lives on in an exported tree.
    pub fn remove(&self, digest: &Digest) -> Result<u64> {
        self.store.known.forget(digest);
        let path = self.store.path(digest);
        let doing = || format!("delete {}", shown(&path));
        let freed = match path.symlink_metadata() {
            Ok(metadata) if metadata.nlink() == 1 => metadata.len(),
            Ok(_) => 0,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(Error::from(error).context(doing())),
        };
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(Error::from(error).context(doing())),
            Ok(()) => Ok(freed),
        }
    }

    /// Deletes the partial files that `keep` doesn't name and nobody is writing, and what kills left of
    /// [`Store::put_bytes`]. Says how many bytes on disk that freed.
    pub fn sweep_partials(&self, keep: &dyn Fn(&Digest) -> bool) -> Result<u64> {
        let mut freed = 0;
        for entry in entries(&self.store.partials)? {
            let (name, path) = entry?;
            let unwanted = match name.split_once('.') {
                Some((hex, _)) => digest_of(hex).is_some(),
                None => digest_of(&name).is_some_and(|digest| !keep(&digest)),
            };
            if unwanted {
                freed += partial::sweep(&path)?;
            }
        }
        Ok(freed)
    }
}
