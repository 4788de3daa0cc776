//! A source of the blocks of a root that is being taken: what comes from it is given out from then on.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;

use super::under_way::UnderWay;
use crate::error::Result;
use crate::node::source::{BlockSource, FileBlocks};

/// Another source, and who is told of what comes from it. The blocks of whole files are told of by who reads these.
#[derive(Debug)]
pub(in crate::engine) struct SharedBlocks {
    under_way: Arc<UnderWay>,
    source: Arc<dyn BlockSource>,
}

impl SharedBlocks {
    pub(in crate::engine) fn new(under_way: Arc<UnderWay>, source: Arc<dyn BlockSource>) -> Self {
        Self { under_way, source }
    }
}

#[async_trait]
impl BlockSource for SharedBlocks {
    fn place(&self) -> String {
        self.source.place()
    }

    async fn block(&self, cid: &Cid) -> Result<Option<Bytes>> {
        let _asked = self.under_way.asks(cid);
        let block = self.source.block(cid).await?;
        if let Some(block) = &block {
            self.under_way.came(cid, block);
        }
        Ok(block)
    }

    async fn file(&self, cid: &Cid, from: u64) -> Option<FileBlocks> {
        self.source.file(cid, from).await
    }

    fn at_once(&self) -> usize {
        self.source.at_once()
    }
}
