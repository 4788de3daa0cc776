//! How a node is set up. Knows no network.

use std::fmt;
use std::sync::Arc;

use libp2p::Multiaddr;

use crate::limits::Limits;

/// Which DHT the node is a member of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dht {
    /// None.
    Off,
    /// The one of the local network, `/ipfs/lan/kad/1.0.0`.
    Lan,
    /// The public one, `/ipfs/kad/1.0.0`: as a client, and as a server once an address is known to be reachable.
    Wan,
    /// Both, as Kubo has it.
    #[default]
    Auto,
}

/// Decides about records that others made: given a name (the multihash after `/ipns/`), a record, and the best one so far, says whether
/// the record is valid and better than that one.
pub type RecordRule = Arc<dyn Fn(&[u8], &[u8], Option<&[u8]>) -> bool + Send + Sync>;

/// How a node is set up.
#[derive(Clone)]
pub struct Options {
    /// The seed of the ed25519 key (RFC 8032) that the peer ID follows from.
    pub seed: [u8; 32],
    /// Addresses to listen on, such as `/ip4/0.0.0.0/tcp/4001` and `/ip6/::/udp/4001/quic-v1`.
    pub listen: Vec<Multiaddr>,
    /// Addresses at which others reach this node, as its owner says.
    pub external: Vec<Multiaddr>,
    /// Members of the DHT to begin with, ending in `/p2p/PEER`; asked again while few members are known.
    pub bootstrap: Vec<Multiaddr>,
    /// Peers to stay connected to.
    pub dial: Vec<Multiaddr>,
    /// Which DHT.
    pub dht: Dht,
    /// Whether to find out if this node is reachable, and to help: UPnP, AutoNAT v2, relays and hole punching.
    pub nat: bool,
    /// Whether nodes of the local network are told of this one, and it connects to them: multicast DNS.
    pub local_discovery: bool,
    /// What the node calls itself, such as `roadstead/1.2.3`.
    pub agent: String,
    /// What others may take.
    pub limits: Limits,
    /// Which records of others are kept and found. Without it, none are.
    pub record_rule: Option<RecordRule>,
}

impl Options {
    /// A node that listens nowhere and knows nobody.
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            listen: Vec::new(),
            external: Vec::new(),
            bootstrap: Vec::new(),
            dial: Vec::new(),
            dht: Dht::default(),
            nat: false,
            local_discovery: false,
            agent: concat!("roadstead/", env!("CARGO_PKG_VERSION")).to_owned(),
            limits: Limits::default(),
            record_rule: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The seed is a secret.
        formatter
            .debug_struct("Options")
            .field("listen", &self.listen)
            .field("external", &self.external)
            .field("bootstrap", &self.bootstrap)
            .field("dial", &self.dial)
            .field("dht", &self.dht)
            .field("nat", &self.nat)
            .field("local_discovery", &self.local_discovery)
            .field("agent", &self.agent)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
