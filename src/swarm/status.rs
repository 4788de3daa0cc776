//! What a node of the swarm says of itself. Plain values; peers and addresses are text.

use std::time::SystemTime;

use cid::multihash::Multihash;

/// How an address is known at which others reach the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressSource {
    /// Its owner says so.
    Announced,
    /// The router forwards a port to it (UPnP).
    Forwarded,
    /// Another peer has tried it and got through (AutoNAT v2).
    Tried,
    /// A relay passes connections on; blocks do not come that way, hole punching begins there.
    Relay,
}

/// Whether others can connect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reachability {
    /// Nobody has tried yet.
    #[default]
    Unknown,
    /// Others get through.
    Public,
    /// Others tried and did not get through.
    Private,
}

/// An address at which others reach the node, without its peer ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalAddress {
    /// The multiaddr.
    pub address: String,
    /// How it is known.
    pub source: AddressSource,
}

/// How far providing has come in a DHT.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Providing {
    /// Keys in all.
    pub total: u64,
    /// Keys whose records are fresh.
    pub provided: u64,
    /// Keys that no member took, and that are tried again.
    pub failed: u64,
}

/// A node at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// Where it listens.
    pub listening: Vec<String>,
    /// Where others reach it.
    pub external: Vec<ExternalAddress>,
    /// What others say who tried to connect.
    pub reachability: Reachability,
    /// Relays that have a place for it.
    pub relays: u64,
    /// Peers that are connected.
    pub peers: u64,
    /// Members of the public DHT that are known.
    pub dht_peers: u64,
    /// Members of the local network's DHT that are known.
    pub lan_dht_peers: u64,
    /// How far providing has come in the public DHT.
    pub providing: Providing,
    /// And in that of the local network.
    pub lan_providing: Providing,
    /// Bytes of blocks that peers were given since the start, by peer ID, the largest figures first.
    pub served: Vec<(String, u64)>,
}

/// What happens to a node, as far as its owner has to do something about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An address can't be listened on, or not any longer.
    ListenFailed {
        /// The address, where it is known.
        address: Option<String>,
        /// What the system says.
        reason: String,
    },
    /// A key was provided.
    Provided {
        /// Whose.
        key: Multihash<64>,
        /// When.
        at: SystemTime,
    },
    /// How the node can be reached has changed.
    Reach,
    /// Events were lost: look at what is.
    Missed,
}

/// A peer of a fetch, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerReport {
    /// Its peer ID.
    pub peer: String,
    /// Whether it is connected.
    pub connected: bool,
    /// Whether it failed or lied, and is left alone for a while.
    pub put_back: bool,
    /// Bytes of blocks that it delivered.
    pub bytes: u64,
}
