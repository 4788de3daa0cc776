//! The swarm as a source of a follower: blocks of other peers, and records of names out of the DHT.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;

use super::options::FetchOptions;
use super::status::PeerReport;
use super::{Fetch, Node};
use crate::error::{Error, Kind, Result};
use crate::ipns::Name;
use crate::node::source::{BlockSource, NameAnswer, NameRecords};
use crate::text::printable_within;

/// Blocks from peers, asked for by bitswap. They are let go when this is dropped.
#[derive(Debug)]
pub struct SwarmBlocks {
    // Keeps the node running for as long as it is asked.
    node: Node,
    fetch: Fetch,
    place: String,
}

impl SwarmBlocks {
    /// Blocks of one file that are asked for at the same time: so many may be on their way from each of several peers.
    pub const AT_ONCE: usize = 16;

    /// Asks the peers that are named and the providers of a root.
    ///
    /// Kinds of errors: `Usage` for an address that is no multiaddr, or without the cargo feature `swarm`.
    pub fn new(node: Node, options: &FetchOptions) -> Result<Self> {
        let named = printable_within(&options.peers.join(", "), 200);
        let place = match (options.peers.is_empty(), options.providers_of) {
            (false, None) => named,
            (false, Some(_)) => format!("{named} and the swarm"),
            (true, _) => "the swarm".to_owned(),
        };
        let fetch = node.fetch(options)?;
        Ok(Self { node, fetch, place })
    }

    /// Who is asked, and what came of it.
    pub async fn peers(&self) -> Result<Vec<PeerReport>> {
        self.fetch.peers().await
    }

    /// The node that asks.
    pub fn node(&self) -> &Node {
        &self.node
    }
}

#[async_trait]
impl BlockSource for SwarmBlocks {
    fn place(&self) -> String {
        self.place.clone()
    }

    async fn block(&self, cid: &Cid) -> Result<Option<Bytes>> {
        self.fetch.block(cid).await.map_err(|error| error.context(format!("block {cid}")))
    }

    fn at_once(&self) -> usize {
        Self::AT_ONCE
    }
}

/// The records that the DHT has.
#[derive(Debug)]
pub struct SwarmRecords {
    node: Node,
    /// What it gave last.
    last: Mutex<Option<(Name, Bytes)>>,
}

impl SwarmRecords {
    /// Asks by this node.
    pub fn new(node: Node) -> Self {
        Self { node, last: Mutex::default() }
    }
}

#[async_trait]
impl NameRecords for SwarmRecords {
    fn place(&self) -> String {
        "the DHT".to_owned()
    }

    async fn record(&self, name: &Name) -> Result<NameAnswer> {
        let Some(record) = self.node.record(name).await? else { return Ok(NameAnswer::Unknown) };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_some_and(|last| (last.0, &last.1) == (*name, &record)) {
            return Ok(NameAnswer::Unchanged);
        }
        *last = Some((*name, record.clone()));
        Ok(NameAnswer::Record(record))
    }

    fn forget(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// What is said of an address that can't be read.
pub(super) fn no_address(text: &str) -> Error {
    Error::new(Kind::Usage, format!("invalid multiaddr `{}`", printable_within(text, 100)))
        .hint("Write one like `/ip4/192.0.2.1/tcp/4001` or `/dns/peer.example.com/udp/4001/quic-v1`, with `/p2p/PEER` after it where a certain peer is meant.")
}
