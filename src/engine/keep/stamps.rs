//! What the catalog keeps of blobs' files, so that one that was verified need not be read again by another process.

use crate::catalog::{Catalog, Writer, blobs, stamps};
use crate::engine::Engine;
use crate::error::Result;
use crate::image::Digest;
use crate::store::{Stamp, Store};

/// Records the stamps of blobs that have rows, and says which these are: [`Store::recorded`] is for when that is committed.
pub(in crate::engine) fn put(writer: &Writer<'_>, store: &Store) -> Result<Vec<(Digest, Stamp)>> {
    let mut put = Vec::new();
    for (digest, stamp) in store.unrecorded() {
        // What has no row yet gets it with its image.
        if let Some(blob) = blobs::by_digest(writer, &digest)? {
            stamps::record(writer, blob.id, stamp.to_numbers())?;
            put.push((digest, stamp));
        }
    }
    Ok(put)
}

/// Records the stamps of what was verified since, where that can be written. That it can't be only means reading again.
pub(in crate::engine) fn keep(catalog: &Catalog, store: &Store) {
    if catalog.is_read_only() || store.unrecorded().is_empty() {
        return;
    }
    match catalog.write(|writer| put(writer, store)) {
        Ok(put) => store.recorded(&put),
        Err(error) => tracing::warn!(%error, "what was verified can't be recorded"),
    }
}

impl Engine {
    /// Records what was verified since, so that it need not be read again by another process.
    pub(in crate::engine) fn keep_stamps(&self) {
        keep(&self.catalog, &self.store);
    }
}
