//! What a node says of itself: its addresses, whether it is reachable, what it provides and whom it gave what. Plain values.

use std::time::SystemTime;

use cid::multihash::Multihash;
use libp2p::{Multiaddr, PeerId};

use crate::dht::Providing;

/// How an address is known at which others reach this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AddressSource {
    /// The owner says so.
    Configured,
    /// The router forwards a port (UPnP).
    Upnp,
    /// Another peer dialled it and got through (AutoNAT v2).
    Autonat,
    /// A relay passes connections on. It carries no blocks: it serves for hole punching.
    Relay,
}

/// Whether others can connect to this node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Reachability {
    /// Nobody has tried yet.
    #[default]
    Unknown,
    /// Others get through.
    Public,
    /// Others tried and did not get through.
    Private,
}

/// An address at which others reach this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalAddress {
    /// The address, without the peer ID.
    pub address: Multiaddr,
    /// How it is known.
    pub source: AddressSource,
}

/// A node at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Who this node is.
    pub peer_id: PeerId,
    /// Addresses that are listened on.
    pub listening: Vec<Multiaddr>,
    /// Addresses at which others reach this node.
    pub external: Vec<ExternalAddress>,
    /// What AutoNAT v2 says.
    pub reachability: Reachability,
    /// Relays at which this node has a reservation.
    pub relays: Vec<PeerId>,
    /// Peers that are connected.
    pub peers: usize,
    /// Connections, of which a peer may have several.
    pub connections: u32,
    /// Members of the public DHT and of the local one that are known.
    pub dht_peers: (usize, usize),
    /// Whether this node answers questions of the public DHT.
    pub dht_server: bool,
    /// How far providing has come in the public DHT.
    pub providing: Providing,
    /// And in the local one.
    pub providing_lan: Providing,
    /// Bytes of blocks that peers were given since this node started, the largest figures first.
    pub served: Vec<(PeerId, u64)>,
}

/// What happens to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// An address is listened on.
    Listening(Multiaddr),
    /// An address can't be listened on, or not any longer.
    ListenFailed {
        /// The address, where it is known.
        address: Option<Multiaddr>,
        /// What the system says.
        reason: String,
    },
    /// Others reach this node at an address.
    External(ExternalAddress),
    /// Others do not reach this node at an address any more.
    ExternalLost(Multiaddr),
    /// Whether others can connect has changed.
    Reachability(Reachability),
    /// A key was provided: what [`crate::ProvideKey::provided`] is to be the next time.
    Provided {
        /// What of the CID is provided.
        key: Multihash<64>,
        /// When.
        at: SystemTime,
    },
    /// Nobody took the record of a key; it is tried again.
    ProvideFailed {
        /// What of the CID is provided.
        key: Multihash<64>,
    },
    /// So many events got lost because nobody took them.
    Missed(u64),
}
