//! A blob as a stream, from wherever it comes.
//!
//! Knows nothing of what is done with the bytes, and does not check their digest.

use std::fs::File;

use async_trait::async_trait;
use bytes::Bytes;

use super::layout::FileBody;
use super::transfer::Transfer;
use crate::error::Result;

/// The bytes of one blob in their order. Exactly as many as were asked for, or an error.
pub struct BlobBody(Source);

enum Source {
    Remote(Box<Transfer>),
    File(FileBody),
    Stream(Box<dyn BlobStream>),
}

/// Bytes of a blob from anywhere else.
#[async_trait]
pub trait BlobStream: Send {
    /// As [`BlobBody::chunk`].
    async fn chunk(&mut self) -> Result<Option<Bytes>>;

    /// As [`BlobBody::position`].
    fn position(&self) -> u64;

    /// As [`BlobBody::leave_leaves_unverified`].
    fn leave_leaves_unverified(&mut self, _size: u64) {}

    /// As [`BlobBody::unverified_leaf`].
    fn unverified_leaf(&self) -> Option<[u8; 32]> {
        None
    }

    /// As [`BlobBody::refuse_leaf`].
    fn refuse_leaf(&mut self) {}
}

impl BlobBody {
    pub(super) fn remote(transfer: Transfer) -> Self {
        Self(Source::Remote(Box::new(transfer)))
    }

    pub(super) fn file(body: FileBody) -> Self {
        Self(Source::File(body))
    }

    /// A blob that comes from anywhere else.
    pub fn stream(stream: Box<dyn BlobStream>) -> Self {
        Self(Source::Stream(stream))
    }

    /// A blob that is a whole file of `size` bytes, from offset `from` on. `what` names it in errors.
    pub fn of_file(what: String, file: File, size: u64, from: u64) -> Self {
        Self::file(FileBody::new(what, file, 0, size, from))
    }

    /// The next bytes, never empty; nothing at the end. May be dropped while it waits and called again.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        match &mut self.0 {
            Source::Remote(transfer) => transfer.chunk().await,
            Source::File(body) => body.chunk().await,
            Source::Stream(stream) => stream.chunk().await,
        }
    }

    /// Leaves of so many bytes need not be verified one by one: whoever reads hashes them in any case, looks at
    /// [`Self::unverified_leaf`] after each piece, and calls [`Self::refuse_leaf`] if it is another one.
    pub fn leave_leaves_unverified(&mut self, size: u64) {
        if let Source::Stream(stream) = &mut self.0 {
            stream.leave_leaves_unverified(size);
        }
    }

    /// The SHA-256 digest that the leaf should have which ends here, if nobody has verified it.
    pub fn unverified_leaf(&self) -> Option<[u8; 32]> {
        match &self.0 {
            Source::Stream(stream) => stream.unverified_leaf(),
            Source::Remote(_) | Source::File(_) => None,
        }
    }

    /// That leaf has another digest: it comes once more, from elsewhere if there is anybody else.
    pub fn refuse_leaf(&mut self) {
        if let Source::Stream(stream) = &mut self.0 {
            stream.refuse_leaf();
        }
    }

    /// The offset in the blob that has been reached.
    pub fn position(&self) -> u64 {
        match &self.0 {
            Source::Remote(transfer) => transfer.position(),
            Source::File(body) => body.position(),
            Source::Stream(stream) => stream.position(),
        }
    }
}

impl std::fmt::Debug for BlobBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlobBody").field("position", &self.position()).finish_non_exhaustive()
    }
}
