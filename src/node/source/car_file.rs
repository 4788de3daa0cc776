//! A CAR file whose blocks are read by CID, in any order.
//!
//! One pass over the file, which skips the blocks, notes where each lies: 16 bytes in memory for each.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;

use super::{BlockSource, inline};
use crate::error::{Context as _, Error, Kind, Result};
use crate::unixfs::{car, verify_block};

/// Most blocks that are looked at for one CID: those whose hashes begin alike. Honest files have one.
const MAX_BLOCKS_PER_PREFIX: usize = 64;

/// A CAR file and where its blocks lie.
#[derive(Clone)]
pub struct CarFile {
    path: PathBuf,
    file: Arc<File>,
    roots: Vec<Cid>,
    /// The first bytes of each block's hash, and where its section begins; sorted.
    index: Arc<Vec<(u64, u64)>>,
}

impl std::fmt::Debug for CarFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CarFile").field("path", &self.path).field("blocks", &self.index.len()).finish_non_exhaustive()
    }
}

impl CarFile {
    /// Opens a file and notes where its blocks lie. Blocks; call it where that is allowed.
    pub fn open(path: &Path) -> Result<Self> {
        let words = || crate::text::printable(&path.display().to_string());
        let file = crate::input::open(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::new(Kind::NotFound, format!("there is no file {}", words())),
            _ => Error::from(error).context(words()),
        })?;
        let metadata = file.metadata().context(words)?;
        if !metadata.is_file() {
            return Err(Error::new(Kind::Usage, format!("{} is not a regular file", words()))
                .hint("A CAR is read out of order: write piped input to a file first."));
        }
        let mut reader = car::Reader::new(file.try_clone()?).context(words)?;
        let mut index = Vec::new();
        let mut end = 0;
        while let Some(place) = reader.place().context(words)? {
            end = place.offset + place.length;
            index.push((prefix(&place.cid), place.section));
        }
        if end > metadata.len() {
            return Err(Error::new(Kind::Verification, format!("{} ends in the middle of a block", words()))
                .hint("The file is incomplete; copy it again."));
        }
        index.sort_unstable();
        Ok(Self { path: path.to_owned(), file: Arc::new(file), roots: reader.roots().to_vec(), index: Arc::new(index) })
    }

    /// The roots that its header names.
    pub fn roots(&self) -> &[Cid] {
        &self.roots
    }

    /// How many blocks it has.
    pub fn blocks(&self) -> u64 {
        self.index.len() as u64
    }

    fn read(&self, cid: &Cid) -> Result<Option<Bytes>> {
        let wanted = prefix(cid);
        let first = self.index.partition_point(|(prefix, _)| *prefix < wanted);
        for (_, section) in
            self.index[first..].iter().take_while(|(prefix, _)| *prefix == wanted).take(MAX_BLOCKS_PER_PREFIX)
        {
            let mut head = [0; car::MAX_SECTION_HEAD_BYTES];
            let read = self.read_some(&mut head, *section)?;
            let place = car::section_at(*section, &head[..read])?;
            if place.cid.hash() != cid.hash() {
                continue;
            }
            let mut bytes = vec![0; place.length as usize];
            self.file.read_exact_at(&mut bytes, place.offset)?;
            verify_block(cid, &bytes)?;
            return Ok(Some(Bytes::from(bytes)));
        }
        Ok(None)
    }

    fn has(&self, cid: &Cid) -> bool {
        let wanted = prefix(cid);
        self.index.binary_search_by_key(&wanted, |(prefix, _)| *prefix).is_ok()
    }

    fn read_some(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let mut read = 0;
        while read < buffer.len() {
            match self.file.read_at(&mut buffer[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(count) => read += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(read)
    }
}

/// The beginning of a CID's hash.
fn prefix(cid: &Cid) -> u64 {
    let mut first = [0; 8];
    let digest = cid.hash().digest();
    let length = digest.len().min(8);
    first[..length].copy_from_slice(&digest[..length]);
    u64::from_be_bytes(first)
}

#[async_trait]
impl BlockSource for CarFile {
    fn place(&self) -> String {
        crate::text::printable(&self.path.display().to_string())
    }

    async fn holds(&self, cid: &Cid) -> Result<bool> {
        Ok(inline(cid).is_some() || self.has(cid))
    }

    async fn block(&self, cid: &Cid) -> Result<Option<Bytes>> {
        if let Some(bytes) = inline(cid) {
            return Ok(Some(bytes));
        }
        let (car, cid) = (self.clone(), *cid);
        let read = tokio::task::spawn_blocking(move || car.read(&cid));
        read.await.map_err(|error| Error::new(Kind::Unexpected, error.to_string()))?.context(|| self.place())
    }
}
