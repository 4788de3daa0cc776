//! What can go wrong for whoever runs this node. Messages are lowercase fragments without a full stop.

use libp2p::Multiaddr;

use crate::fetch::Missing;

/// A failure of this node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No address of those that were given can be listened on.
    #[error("can't listen on {address}: {reason}")]
    Listen {
        /// The first of them.
        address: Multiaddr,
        /// What the system says.
        reason: String,
    },
    /// The resolver of this machine can't be set up.
    #[error("can't set up the DNS resolver")]
    Resolver(#[source] std::io::Error),
    /// The transports can't be set up.
    #[error("can't set up the transport: {0}")]
    Transport(String),
    /// The DHT is off, or no member of it is known yet.
    #[error("no member of the DHT is reachable")]
    NoDht,
    /// No member of the DHT took a record.
    #[error("no member of the DHT stored the record")]
    NotStored,
    /// A block that can't be had.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// Blocks are verified by SHA-256, and this CID names another hash function.
    #[error("the hash function {0:#x} of the CID is not supported")]
    HashFunction(u64),
    /// The node has been shut down.
    #[error("the node has stopped")]
    Stopped,
}

/// The result of whatever this node does.
pub type Result<T, E = Error> = std::result::Result<T, E>;
