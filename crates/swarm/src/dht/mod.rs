//! The DHT (specs.ipfs.tech/kademlia-dht): what is stored here for others, in which net, and what is provided from here.

mod providing;
mod scope;
mod store;

pub(crate) use providing::{Key, ProvideQueue};
pub use providing::{ProvideKey, Providing};
pub(crate) use scope::{Scope, Scoped};
pub(crate) use store::DhtStore;

/// In the DHT, blocks are named by their multihashes and IPNS names by this and their multihash.
pub(crate) const IPNS_PREFIX: &[u8] = b"/ipns/";
