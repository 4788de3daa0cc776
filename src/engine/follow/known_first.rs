//! Blocks that are here already come from here, the others from where the registry is read.
//!
//! A directory, a manifest or a record that has not changed has its old CID, so that reading a new tree asks others for what
//! is new in it and for nothing else.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;

use crate::catalog::{blobs, nodes};
use crate::engine::Engine;
use crate::error::Result;
use crate::node::source::{BlockSource, FileBlocks};
use crate::unixfs::directory::NodeStore as _;
use crate::unixfs::{file, verify_block};

/// The catalog, and who is asked for what it lacks.
pub(super) struct KnownFirst {
    engine: Arc<Engine>,
    others: Arc<dyn BlockSource>,
}

impl std::fmt::Debug for KnownFirst {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KnownFirst").field("others", &self.others).finish_non_exhaustive()
    }
}

impl KnownFirst {
    pub(super) fn new(engine: Arc<Engine>, others: Arc<dyn BlockSource>) -> Self {
        Self { engine, others }
    }
}

impl Engine {
    /// A directory node, or the block of a file that the catalog itself holds and that has one block.
    fn known_block(&self, cid: &Cid) -> Result<Option<Bytes>> {
        let reader = self.catalog.read()?;
        if let Some(node) = nodes::Nodes::of(&reader).get(cid)? {
            return Ok(Some(Bytes::from(node.bytes)));
        }
        let Some(blob) = blobs::by_cid(&reader, cid)?.filter(|blob| blob.inline) else { return Ok(None) };
        if blob.size > self.profile.chunk_size() {
            return Ok(None);
        }
        let bytes = blobs::bytes(&reader, blob.id)?;
        let (mut block, suffix) = file::leaf_frame(self.profile, bytes.len() as u64);
        block.extend_from_slice(&bytes);
        block.extend_from_slice(&suffix);
        // What is damaged here comes from elsewhere.
        Ok(verify_block(cid, &block).is_ok().then(|| Bytes::from(block)))
    }
}

#[async_trait]
impl BlockSource for KnownFirst {
    fn place(&self) -> String {
        self.others.place()
    }

    async fn block(&self, cid: &Cid) -> Result<Option<Bytes>> {
        let wanted = *cid;
        match self.engine.blocking(move |engine| engine.known_block(&wanted)).await? {
            Some(block) => Ok(Some(block)),
            None => self.others.block(cid).await,
        }
    }

    async fn file(&self, cid: &Cid, from: u64) -> Option<FileBlocks> {
        self.others.file(cid, from).await
    }

    fn at_once(&self) -> usize {
        self.others.at_once()
    }
}
