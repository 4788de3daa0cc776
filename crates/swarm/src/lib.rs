//! Roadstead's node in the IPFS swarm: gives out blocks by bitswap, provides keys and keeps records in the DHT, and fetches blocks from
//! several peers at once.
//!
//! Knows blocks by their CIDs behind the trait [`Blocks`], and nothing of images, catalogs or names: what a record means says a rule
//! of the owner. Bitswap is this crate's own, because no other one answers as Kubo expects; everything else is
//! [libp2p](https://docs.rs/libp2p).
//!
//! ```text
//! node, session          what the owner holds
//!        │ commands            ▲ events, answers
//!        ▼                     │
//! driver                 one task: owns the swarm
//!   ├─ bitswap           wire format, one handler a connection
//!   ├─ dht               store, queue of keys, the two nets
//!   └─ fetch             who is asked for which block (pure)
//! ```

mod addresses;
mod bitswap;
mod blocks;
mod dht;
mod driver;
mod error;
mod fetch;
mod limits;
mod node;
mod options;
mod session;
mod status;

pub use blocks::{Blocks, NoBlocks};
pub use cid::{self, Cid, multihash};
pub use dht::{ProvideKey, Providing};
pub use error::{Error, Result};
pub use fetch::{Missing, PeerReport};
pub use libp2p::{Multiaddr, PeerId};
pub use limits::Limits;
pub use node::{Events, Swarm};
pub use options::{Dht, Options, RecordRule};
pub use session::{FetchOptions, Session};
pub use status::{AddressSource, Event, ExternalAddress, Reachability, Status};

/// Members of the public DHT to begin with, those of Kubo.
pub const PUBLIC_BOOTSTRAP: [&str; 5] = [
    "/dnsaddr/bootstrap.libp2p.io/p2p/QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN",
    "/dnsaddr/bootstrap.libp2p.io/p2p/QmQCU2EcMqAqQPR2i9bChDtGNJchTbq5TbXJJ16u19uLTa",
    "/dnsaddr/bootstrap.libp2p.io/p2p/QmbLHAnMoJPWSCR5Zhtx6BHJX9KiKNN6tpvbUcqanj75Nb",
    "/dnsaddr/bootstrap.libp2p.io/p2p/QmcZf59bWwK5XFi76CZX8cbJ4BhTzzA3gU1ZjYZcYW3dwt",
    "/dnsaddr/va1.bootstrap.libp2p.io/p2p/12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8",
];
