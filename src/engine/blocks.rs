//! The blocks of what the catalog holds, read and verified one by one: what goes into a CAR, to a node, to whoever asks.
//!
//! A leaf is a range of its blob's file; a node of a file is made from the digests of its leaves. Memory is one block.

use std::io::{Read as _, Seek as _, SeekFrom};

use cid::Cid;
use rusqlite::Connection;

use super::Engine;
use crate::catalog::blobs::{self, Blob};
use crate::catalog::{left_blobs, nodes};
use crate::error::{Error, Kind, Result};
use crate::image::Digest;
use crate::unixfs::file::{self, Part};
use crate::unixfs::{Link, NodeKind, RAW, directory, verify_block};

/// A block of a file on its way to somewhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileBlock<'b> {
    pub(super) cid: Cid,
    /// Verified against the CID.
    pub(super) bytes: &'b [u8],
    /// Whether it holds content; else it links other blocks.
    pub(super) is_leaf: bool,
}

/// Short for a digest in a set: half of it.
pub(super) fn half(digest: &[u8]) -> u128 {
    let mut half = [0; 16];
    let length = digest.len().min(16);
    half[..length].copy_from_slice(&digest[..length]);
    u128::from_be_bytes(half)
}

/// Short for a CID in a set: half of its digest.
pub(super) fn short(cid: &Cid) -> u128 {
    half(cid.hash().digest())
}

impl Engine {
    /// Visits the blocks of a file that are wanted, root first in depth-first order. `wanted` is asked of each as often as it
    /// is linked, with its number in that order; only what it wants is read.
    pub(super) fn file_blocks(
        &self,
        connection: &Connection,
        blob: &Blob,
        wanted: &mut dyn FnMut(usize, &Cid) -> bool,
        visit: &mut dyn FnMut(FileBlock<'_>) -> Result<()>,
    ) -> Result<()> {
        let leaves = blobs::leaves(connection, blob)?;
        let inline = if blob.inline { Some(blobs::bytes(connection, blob.id)?) } else { None };
        let mut stored = None;
        let mut buffer = Vec::new();
        for (number, part) in file::parts(self.profile, blob.size, leaves)?.enumerate() {
            match part {
                Part::Node(node) => {
                    if wanted(number, &node.cid) {
                        visit(FileBlock { cid: node.cid, bytes: &node.bytes, is_leaf: false })?;
                    }
                }
                Part::Leaf { cid, offset, length } => {
                    if !wanted(number, &cid) {
                        continue;
                    }
                    let (prefix, suffix) = file::leaf_frame(self.profile, length);
                    buffer.clear();
                    buffer.extend_from_slice(&prefix);
                    match &inline {
                        Some(bytes) => {
                            let content = bytes.get(offset as usize..(offset + length) as usize);
                            buffer.extend_from_slice(content.ok_or_else(|| damaged(&blob.digest))?);
                        }
                        None => {
                            let file = match &mut stored {
                                Some(file) => file,
                                None => {
                                    self.bring(connection, blob)?;
                                    stored.insert(self.store.open_blob(&blob.digest)?)
                                }
                            };
                            file.seek(SeekFrom::Start(offset))?;
                            file.take(length).read_to_end(&mut buffer)?;
                        }
                    }
                    buffer.extend_from_slice(&suffix);
                    // Whoever takes it must get what its CID says, whatever happened to the disk.
                    verify_block(&cid, &buffer).map_err(|_| damaged(&blob.digest))?;
                    visit(FileBlock { cid, bytes: &buffer, is_leaf: true })?;
                }
            }
        }
        Ok(())
    }

    /// Whether the bytes of a blob are here, or were left elsewhere until they are needed.
    pub(super) fn is_here(&self, connection: &Connection, blob: &Blob) -> Result<bool> {
        Ok(blob.inline
            || self.store.contains(&blob.digest, blob.size)?
            || left_blobs::place(connection, blob.id)?.is_some())
    }

    /// A file can be used without reading it; what can be seen without that is looked at.
    pub(super) fn check_length(&self, blob: &Blob) -> Result<()> {
        match self.store.size(&blob.digest)? {
            Some(size) if size != blob.size => Err(damaged(&blob.digest)),
            // That it isn't there is said by whoever opens it.
            _ => Ok(()),
        }
    }
}

/// The error of a blob whose bytes are not what they were.
pub(super) fn damaged(digest: &Digest) -> Error {
    Error::new(Kind::Verification, format!("{digest} is damaged in the blob store"))
        .hint("`roadstead verify --repair` fetches damaged blobs again.")
}

/// Whether a link leads to a directory of the catalog.
pub(super) fn is_directory(connection: &Connection, link: &Link) -> Result<bool> {
    if link.cid.codec() == RAW {
        return Ok(false);
    }
    match directory::NodeStore::get(&mut nodes::Nodes::of(connection), &link.cid)? {
        Some(node) => Ok(NodeKind::of(&node.bytes)?.is_directory()),
        None => Ok(false),
    }
}

/// The file that a link leads to.
pub(super) fn blob_of(connection: &Connection, link: &Link) -> Result<Blob> {
    blobs::by_cid(connection, &link.cid)?.ok_or_else(|| {
        Error::new(Kind::Verification, format!("the tree links {}, which the catalog doesn't have", link.cid))
            .hint("`roadstead verify` says what else is wrong.")
    })
}
