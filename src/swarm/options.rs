//! How a node of the swarm is set up, and what is asked of it. Plain values; addresses are multiaddrs as text.

use std::time::{Duration, SystemTime};

use cid::Cid;

use crate::ipns::PrivateKey;

/// Whom the node gets to know the DHT by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Bootstrap {
    /// The members of the public DHT that Kubo begins with.
    #[default]
    Public,
    /// These peers, `/ip4/192.0.2.1/tcp/4001/p2p/12D3Koo…`, and nobody else; none of them for a node that others find.
    Peers(Vec<String>),
}

/// How a node is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// The key that its peer ID follows from.
    pub key: PrivateKey,
    /// Where it listens; nowhere for one that only takes.
    pub listen: Vec<String>,
    /// Where others reach it, as its owner says.
    pub announced: Vec<String>,
    /// Whom it begins with.
    pub bootstrap: Bootstrap,
    /// Whether it finds out if it can be reached, and helps that: AutoNAT, port forwarding by UPnP, relays, hole punching.
    pub traversal: bool,
    /// Whether nodes of the local network are found, and told of this one; not where it begins with named peers.
    pub local_discovery: bool,
    /// Bytes of blocks that may leave in a second; 0 for no limit.
    pub upload_bytes_per_second: u64,
    /// Connections in all.
    pub max_connections: u32,
}

impl Options {
    /// A node that listens nowhere and begins with the public DHT.
    pub fn new(key: PrivateKey) -> Self {
        Self {
            key,
            listen: Vec::new(),
            announced: Vec::new(),
            bootstrap: Bootstrap::default(),
            traversal: false,
            local_discovery: false,
            upload_bytes_per_second: 0,
            max_connections: 1024,
        }
    }
}

/// A block that is to be found in the DHT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProvideKey {
    /// Of which the multihash is provided.
    pub cid: Cid,
    /// When that was done last, if it is known.
    pub provided: Option<SystemTime>,
}

/// Whom to ask for blocks.
#[derive(Debug, Clone)]
pub struct FetchOptions {
    /// Peers to dial; an address without `/p2p/PEER` means whoever answers there.
    pub peers: Vec<String>,
    /// A block whose providers in the DHT are asked as well: the root of what is fetched.
    pub providers_of: Option<Cid>,
    /// How long one block may take.
    pub timeout: Duration,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self { peers: Vec::new(), providers_of: None, timeout: Duration::from_mins(1) }
    }
}
