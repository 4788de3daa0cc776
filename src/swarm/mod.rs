//! The IPFS swarm: this program as a peer that gives blocks out by bitswap, is found by the DHT, keeps the records of names there, and
//! takes blocks from other peers.
//!
//! Everything of libp2p is in the crate `roadstead-swarm` (`crates/swarm`), and this room alone names it: `peer.rs` with the cargo
//! feature `swarm`, `absent.rs` with the same functions without it. Peers and addresses are text here, as people write them. Must not
//! know what a block means, nor the catalog.

#[cfg(not(feature = "swarm"))]
mod absent;
mod addresses;
mod given;
mod options;
#[cfg(feature = "swarm")]
mod peer;
mod source;
mod status;

#[cfg(not(feature = "swarm"))]
pub use absent::{Events, Fetch, Node, address, is_built_in};
pub use addresses::{DEFAULT_PORT, default_addresses, taken};
pub use given::{GivenBlocks, NothingGiven};
pub use options::{Bootstrap, FetchOptions, Options, ProvideKey};
#[cfg(feature = "swarm")]
pub use peer::{Events, Fetch, Node, address, is_built_in};
pub use source::{SwarmBlocks, SwarmRecords};
pub use status::{AddressSource, Event, ExternalAddress, PeerReport, Providing, Reachability, Status};
