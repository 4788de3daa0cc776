//! A blob as a range of a file.
//!
//! Reads piece by piece, where it may block.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::blocking;
use crate::error::{Context as _, Error, Kind, Result};

/// How much is read at once.
const READ_BYTES: usize = 256 << 10;

pub(in crate::registry) struct FileBody {
    what: String,
    file: Arc<File>,
    /// Where the blob begins in the file.
    start: u64,
    size: u64,
    position: u64,
}

impl FileBody {
    pub(in crate::registry) fn new(what: String, file: File, start: u64, size: u64, from: u64) -> Self {
        Self { what, file: Arc::new(file), start, size, position: from }
    }

    pub(in crate::registry) fn position(&self) -> u64 {
        self.position
    }

    pub(in crate::registry) async fn chunk(&mut self) -> Result<Option<Bytes>> {
        let left = self.size - self.position;
        if left == 0 {
            return Ok(None);
        }
        let (file, offset) = (self.file.clone(), self.start + self.position);
        let piece = blocking(move || {
            let mut buffer = BytesMut::zeroed(left.min(READ_BYTES as u64) as usize);
            let read = loop {
                match file.read_at(&mut buffer, offset) {
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    other => break other?,
                }
            };
            buffer.truncate(read);
            Ok(buffer.freeze())
        })
        .await
        .context(|| self.what.clone())?;
        if piece.is_empty() {
            let words = format!("{}: it ends after {} of {} bytes", self.what, self.position, self.size);
            return Err(Error::new(Kind::Verification, words));
        }
        self.position += piece.len() as u64;
        Ok(Some(piece))
    }
}
