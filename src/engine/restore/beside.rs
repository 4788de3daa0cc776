//! A place that lacks some blocks, and the catalog behind it, which has them: how a CAR of a difference is read.
//!
//! The catalog gives out only what it publishes: who can name a block of a private image must not get it published by naming
//! it. Leaves and nodes of files are looked up in an index that is made when it is first needed, 24 bytes for each.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;

use crate::catalog::blobs::{self, Blob};
use crate::catalog::{nodes, repositories};
use crate::engine::Engine;
use crate::engine::blocks::short;
use crate::error::{Kind, Result};
use crate::image::RepositoryName;
use crate::node::source::BlockSource;
use crate::site::records::RepositoryRecord;
use crate::unixfs::directory::NodeStore as _;
use crate::unixfs::file::{self, Part};
use crate::unixfs::verify_block;

/// Where a block of a file is: half of its digest, the blob's row, and the block's number in it.
type Found = (u128, u32, u32);

/// A place, and the catalog behind it.
struct WithCatalog {
    first: Arc<dyn BlockSource>,
    engine: Arc<Engine>,
    index: Arc<Mutex<Option<Arc<Vec<Found>>>>>,
}

impl std::fmt::Debug for WithCatalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WithCatalog").field("first", &self.first).finish_non_exhaustive()
    }
}

impl Engine {
    /// Puts this catalog behind a place, for the blocks that the place lacks.
    pub(super) fn beside(self: &Arc<Self>, first: Arc<dyn BlockSource>) -> Arc<dyn BlockSource> {
        Arc::new(WithCatalog { first, engine: Arc::clone(self), index: Arc::default() })
    }

    /// What the catalog says of a repository, without its tags.
    pub(super) fn known_record(&self, name: &RepositoryName) -> Result<Option<RepositoryRecord>> {
        let known = repositories::by_name(&*self.catalog.read()?, name.as_str())?;
        Ok(known.map(|known| RepositoryRecord {
            name: known.name,
            alias: known.alias,
            upstream: known.upstream,
            insecure: known.transport.recorded(),
            private: known.private,
            tags: Vec::new(),
            parts: Vec::new(),
        }))
    }

    /// A block of what is published here.
    fn own_block(&self, cid: &Cid, index: &Mutex<Option<Arc<Vec<Found>>>>) -> Result<Option<Bytes>> {
        let reader = self.catalog.read()?;
        if let Some(node) = nodes::Nodes::of(&reader).get(cid)? {
            return Ok(Some(Bytes::from(node.bytes)));
        }
        if let Some(blob) = blobs::by_cid(&reader, cid)? {
            return self.own_part(&reader, &blob, 0, cid);
        }
        let index = {
            let mut index = index.lock().unwrap_or_else(PoisonError::into_inner);
            match index.as_ref() {
                Some(index) => Arc::clone(index),
                None => Arc::clone(index.insert(Arc::new(self.index_of_parts(&reader)?))),
            }
        };
        let wanted = short(cid);
        let first = index.partition_point(|(key, ..)| *key < wanted);
        for (_, blob, number) in index[first..].iter().take_while(|(key, ..)| *key == wanted) {
            let blob = blobs::by_id(&reader, i64::from(*blob))?;
            if let Some(block) = self.own_part(&reader, &blob, *number as usize, cid)? {
                return Ok(Some(block));
            }
        }
        Ok(None)
    }

    /// The blocks of every file of several blocks.
    fn index_of_parts(&self, reader: &rusqlite::Connection) -> Result<Vec<Found>> {
        let mut index = Vec::new();
        let mut visit = |blob: Blob| {
            let Ok(row) = u32::try_from(blob.id) else { return Ok(()) };
            if blob.size > self.profile.chunk_size() {
                for (number, part) in (0..).zip(file::parts(self.profile, blob.size, blobs::leaves(reader, &blob)?)?) {
                    let cid = match part {
                        Part::Node(node) => node.cid,
                        Part::Leaf { cid, .. } => cid,
                    };
                    index.push((short(&cid), row, number));
                }
            }
            Ok(())
        };
        blobs::each_stored(reader, &mut visit)?;
        blobs::each_inline(reader, &mut visit)?;
        index.sort_unstable();
        Ok(index)
    }

    /// The block with this number of a file, if it is this one and published.
    fn own_part(&self, reader: &rusqlite::Connection, blob: &Blob, number: usize, cid: &Cid) -> Result<Option<Bytes>> {
        if !repositories::may_name(reader, blob.id, None)? {
            return Ok(None);
        }
        let part = file::parts(self.profile, blob.size, blobs::leaves(reader, blob)?)?.nth(number);
        let (offset, length) = match part {
            Some(Part::Node(node)) => return Ok((node.cid == *cid).then(|| Bytes::from(node.bytes))),
            Some(Part::Leaf { offset, length, .. }) => (offset, length),
            None => return Ok(None),
        };
        let (mut block, suffix) = file::leaf_frame(self.profile, length);
        if blob.inline {
            let bytes = blobs::bytes(reader, blob.id)?;
            block.extend_from_slice(bytes.get(offset as usize..(offset + length) as usize).unwrap_or_default());
        } else {
            let opened = self.bring(reader, blob).and_then(|()| self.store.open_blob(&blob.digest));
            let mut file = match opened {
                // What is damaged here is as good as not here.
                Err(error) if error.kind() == Kind::Verification => return Ok(None),
                opened => opened?,
            };
            file.seek(SeekFrom::Start(offset))?;
            file.take(length).read_to_end(&mut block)?;
        }
        block.extend_from_slice(&suffix);
        Ok(verify_block(cid, &block).is_ok().then(|| Bytes::from(block)))
    }
}

#[async_trait]
impl BlockSource for WithCatalog {
    fn place(&self) -> String {
        self.first.place()
    }

    async fn block(&self, cid: &Cid) -> Result<Option<Bytes>> {
        if let Some(block) = self.first.block(cid).await? {
            return Ok(Some(block));
        }
        let (index, cid) = (Arc::clone(&self.index), *cid);
        self.engine.blocking(move |engine| engine.own_block(&cid, &index)).await
    }

    fn at_once(&self) -> usize {
        self.first.at_once()
    }
}
