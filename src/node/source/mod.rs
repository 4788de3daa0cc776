//! Where blocks come from when a registry comes back: gateways, nodes that may search the network, CAR files.
//!
//! Unlike a [`Node`](super::Node), which publishing asks only for what it holds itself, a source may look further. Knows
//! blocks by CID; must not know what they mean. Every block is capped and verified here, whoever sent it.

mod car_file;
mod file_blocks;
mod http;
mod name_records;
mod peers_first;
mod providers;
mod scope;
mod several;
mod standing;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;

use crate::error::Result;

pub use car_file::CarFile;
pub use file_blocks::FileBlocks;
pub use http::HttpBlocks;
pub use name_records::{HttpRecords, NameAnswer, NameRecords};
pub use peers_first::PeersFirst;
pub use providers::{HttpProviders, Providers};
pub use scope::Scope;
pub use several::Several;

/// Something that gives out blocks by CID.
#[async_trait]
pub trait BlockSource: fmt::Debug + Send + Sync {
    /// Where it is, for people: never with credentials.
    fn place(&self) -> String;

    /// A block, verified against its CID; nothing if it is not there.
    async fn block(&self, cid: &Cid) -> Result<Option<Bytes>>;

    /// Whether a block is there; whether its bytes are right is seen when they are read.
    async fn holds(&self, cid: &Cid) -> Result<bool> {
        Ok(self.block(cid).await?.is_some())
    }

    /// The blocks of a file in the order in which it is read, those of its bytes from this one on, in one answer; nothing where
    /// the place gives none, and they have to be asked for one by one. Whether they are the right ones is not known yet.
    async fn file(&self, _: &Cid, _from: u64) -> Option<FileBlocks> {
        None
    }

    /// How many blocks of one file are worth asking for at the same time.
    fn at_once(&self) -> usize {
        1
    }
}

/// The block of a CID that holds its content itself.
pub fn inline(cid: &Cid) -> Option<Bytes> {
    (cid.hash().code() == 0).then(|| Bytes::copy_from_slice(cid.hash().digest()))
}
