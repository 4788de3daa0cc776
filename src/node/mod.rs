//! Places that hold the registry's blocks: IPFS nodes, and whatever else can.
//!
//! A [`Node`] takes blocks and says how it is. Everything else is a capability of its own, which some kinds have and others do not:
//! [`ReadBlocks`], [`Pins`], [`PinUpdates`], [`Names`]. A node without one is used without it, and the plan says what that means.
//! [`kubo`] has all of them, [`cluster`] can't be read from, [`pinning`] takes no blocks either. Knows blocks, pins and names by CID; must not know what the blocks mean, nor the catalog. Everything
//! that a node says is untrusted: answers are capped, blocks are verified.

pub mod cluster;
#[cfg(test)]
mod fake_server;
pub mod kubo;
pub mod pinning;
pub mod source;
mod upload;
mod web;

use std::fmt;
use std::io;

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;
use futures::stream::BoxStream;

use crate::error::Result;
use crate::text::{count, printable_within};

pub use web::Limits;

/// A CAR on its way to a node, in pieces of any size.
pub type CarStream = BoxStream<'static, io::Result<Bytes>>;

/// What a node says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Status {
    /// Its program and version, as it says: `kubo/0.43.1/`.
    pub agent: String,
    /// Peer ID (libp2p), in the form that the node uses.
    pub peer_id: String,
    /// Peers that it is connected to; none where it is offline.
    pub peers: Option<u64>,
    /// Bytes that its repository takes.
    pub repository_size: u64,
    /// Bytes that its repository may take, as it is configured.
    pub storage_max: Option<u64>,
    /// Of this program's own node: where it is served, as multiaddrs; empty while it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub served_at: Option<Vec<String>>,
    /// Of this program's own node: who else has the newest root, where that was looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub providers: Option<Providers>,
}

/// How many others provide a root in the DHT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Providers {
    /// How many were found.
    pub others: u64,
    /// Whether there may be more: it was not looked for further ones.
    pub more: bool,
}

impl std::fmt::Display for Providers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.others, self.more) {
            (0, _) => f.write_str("nobody else provides the root in the DHT"),
            (1, false) => f.write_str("1 other provides the root in the DHT"),
            (others, false) => write!(f, "{others} others provide the root in the DHT"),
            (others, true) => write!(f, "at least {others} others provide the root in the DHT"),
        }
    }
}

impl Status {
    /// Whether it is given out: always, but by this program's own node, which a server gives out.
    pub fn is_served(&self) -> bool {
        self.served_at.as_ref().is_none_or(|places| !places.is_empty())
    }

    /// The same as [`Status::reach`] for a column: `8 peers`, `offline`, `served`, `not served`.
    pub fn reach_in_a_word(&self) -> String {
        match (&self.served_at, self.peers) {
            (Some(places), _) if places.is_empty() => "not served".to_owned(),
            (Some(_), _) => "served".to_owned(),
            _ => self.reach(),
        }
    }

    /// Whether others can get at it, in a few words: `8 peers`, `offline`, `served at /ip4/192.0.2.1/tcp/443/tls/http`.
    pub fn reach(&self) -> String {
        match (&self.served_at, self.peers) {
            (Some(places), _) if places.is_empty() => "not served now".to_owned(),
            (Some(places), _) => {
                let providers = self.providers.map(|providers| format!("; {providers}")).unwrap_or_default();
                format!("served at {}{providers}", places_in_words(places))
            }
            (None, Some(peers)) => count(peers, "peer", "peers"),
            (None, None) => "offline".to_owned(),
        }
    }
}

/// Addresses in a few words: those of HTTP servers, and how many there are in the swarm, where a machine has a dozen.
fn places_in_words(places: &[String]) -> String {
    let (peers, mut words): (Vec<&str>, Vec<&str>) =
        places.iter().map(String::as_str).partition(|place| place.contains("/p2p/"));
    let several = count(peers.len() as u64, "address in the swarm", "addresses in the swarm");
    match peers.as_slice() {
        [] => {}
        [one] => words.push(one),
        _ => words.push(&several),
    }
    printable_within(&words.join(", "), 300)
}

/// A root that a node keeps with everything below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// Root of what is kept.
    pub cid: Cid,
    /// The name that it is pinned under.
    pub name: Option<String>,
}

/// Somebody who is to keep a root, where a node stands for several.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Holder {
    /// Its peer ID.
    pub peer_id: String,
    /// What it is called; its peer ID where it has no name.
    pub name: String,
    /// It keeps the root with everything below it.
    pub holds: bool,
    /// What it says of the root, in its own word: `pinned`, `pin_error` …
    pub state: String,
    /// Why it does not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Holder {
    /// Why it does not keep the root, half a sentence: `berlin: pin_error (no such block)`.
    pub fn lack(&self) -> String {
        match &self.error {
            Some(error) => format!("{}: {} ({error})", self.name, self.state),
            None => format!("{}: {}", self.name, self.state),
        }
    }
}

/// What a node took of a CAR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// Blocks that it counted.
    pub blocks: u64,
    /// Bytes of these blocks.
    pub bytes: u64,
}

/// A key that a node can publish an IPNS name with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// What the node calls it.
    pub name: String,
    /// The IPNS name: `k51…`.
    pub id: String,
}

/// A right that publishing needs, and what came of trying it without lasting change.
#[derive(Debug)]
pub struct Tried {
    /// What was tried: `read blocks`, `import`, `pin` …
    pub right: &'static str,
    /// What came of it.
    pub outcome: Result<()>,
}

/// A place that holds the registry's blocks.
///
/// An error of the node has the kind `Node`, one of getting there too; refused credentials have the kind `Auth`.
#[async_trait]
pub trait Node: fmt::Debug + Send + Sync {
    /// Where it is, for people: never with credentials.
    fn place(&self) -> String;

    /// What it says of itself.
    async fn status(&self) -> Result<Status>;

    /// Tries each right that publishing needs, and changes nothing that lasts. Those of IPNS names are tried if it has `names`.
    async fn try_rights(&self, names: bool) -> Vec<Tried>;

    /// How it takes blocks.
    fn intake(&self) -> Intake<'_>;

    /// How it says what it holds. None: nothing that it took can be checked by reading it back.
    fn blocks(&self) -> Option<&dyn ReadBlocks>;

    /// How it keeps roots. None: it keeps every block that it takes.
    fn pins(&self) -> Option<&dyn Pins>;

    /// How it pins a root by its difference to another one. None: it walks every root that it pins.
    fn pin_updates(&self) -> Option<&dyn PinUpdates>;

    /// How it publishes IPNS names. None: it publishes none.
    fn names(&self) -> Option<&dyn Names>;

    /// Whether it gives out the blobs of the catalog itself: then it has what is here, and nothing is handed over.
    fn shares_blobs(&self) -> bool {
        false
    }

    /// Requests that were sent so far, those that were sent again included. None: it is not asked by requests.
    fn requests(&self) -> Option<u64> {
        None
    }

    /// What is still to be done so that others get what it holds, in sentences.
    async fn advice(&self) -> Vec<String> {
        Vec::new()
    }
}

/// How a node takes blocks, pinning none of them.
#[derive(Clone, Copy)]
pub enum Intake<'n> {
    /// Many in one stream: a CAR (ipld.io/specs/transport/car).
    Cars(&'n dyn ImportCar),
    /// One request for each block.
    Blocks(&'n dyn PutBlock),
    /// It takes none: it fetches what it pins from whoever has it.
    Fetches,
}

/// Takes many blocks in one request, as a CAR.
#[async_trait]
pub trait ImportCar: Send + Sync {
    /// Hands over the blocks of a CAR; answers what the node counted.
    async fn import(&self, car: CarStream) -> Result<Imported>;

    /// Whether it says how many blocks it took. If not, their bytes alone are compared.
    fn counts_blocks(&self) -> bool {
        true
    }
}

/// Takes one block in one request.
#[async_trait]
pub trait PutBlock: Send + Sync {
    /// Hands over a block. It being there already is fine.
    async fn put(&self, cid: &Cid, bytes: Bytes) -> Result<()>;
}

/// What a node holds itself: answers never come from the network.
#[async_trait]
pub trait ReadBlocks: Send + Sync {
    /// Whether it holds this block.
    async fn holds(&self, cid: &Cid) -> Result<bool>;

    /// A block that it holds, verified against its CID.
    async fn block(&self, cid: &Cid) -> Result<Option<Bytes>>;
}

/// Recursive pins: roots that are kept with everything below them.
#[async_trait]
pub trait Pins: Send + Sync {
    /// The pin of this root, if there is one.
    async fn pin(&self, cid: &Cid) -> Result<Option<Pin>>;

    /// All pins with exactly this name.
    async fn pins_named(&self, name: &str) -> Result<Vec<Pin>>;

    /// Pins a root and everything below it, which the node must hold already: it is not to search the network for the rest, unless
    /// it takes no blocks. Being pinned already is fine. `progress` is told how it gets on.
    async fn pin_add(&self, cid: &Cid, name: &str, progress: &(dyn Fn(PinProgress) + Send + Sync)) -> Result<()>;

    /// Unpins a root. It not being pinned is fine.
    async fn unpin(&self, cid: &Cid) -> Result<()>;

    /// Whether pinning reads everything below the root.
    fn walks(&self) -> bool {
        true
    }

    /// When the pin of this root was made, where the node says that of every pin to less than a second. None: there is no such pin,
    /// or it doesn't say.
    async fn made(&self, _: &Cid) -> Result<Option<jiff::Timestamp>> {
        Ok(None)
    }

    /// Who of several is to keep this root, and who does. Empty where the node is one.
    async fn holders(&self, _: &Cid) -> Result<Vec<Holder>> {
        Ok(Vec::new())
    }
}

/// How a pin gets on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinProgress {
    /// So many blocks are walked.
    Blocks(u64),
    /// In a sentence, where something changed.
    Words(String),
}

/// Pins that move in time proportional to what differs.
#[async_trait]
pub trait PinUpdates: Send + Sync {
    /// Pins `to` by its difference to `from`, which stays pinned; the name is kept. `to` being pinned already is fine.
    async fn pin_update(&self, from: &Cid, to: &Cid) -> Result<()>;
}

/// IPNS names, which are moved with keys that the node has.
#[async_trait]
pub trait Names: Send + Sync {
    /// The keys it has.
    async fn keys(&self) -> Result<Vec<Key>>;

    /// Whether a key of this name, which is not there yet, is made by itself once something is published.
    fn makes_by_itself(&self, _key: &str) -> bool {
        false
    }

    /// Makes a key of this name, with which it can publish an IPNS name. One of that name being there is an error.
    async fn generate_key(&self, name: &str) -> Result<Key>;

    /// Lets the IPNS name of this key point to a root; answers the name.
    async fn publish_name(&self, key: &str, root: &Cid) -> Result<String>;

    /// What an IPNS name points to, as this node sees it.
    async fn resolve_name(&self, name: &str) -> Result<Option<String>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dozen_addresses_are_a_few_words() {
        let words =
            |places: &[&str]| places_in_words(&places.iter().map(|place| (*place).to_owned()).collect::<Vec<_>>());
        let (server, peer) = ("/ip4/192.0.2.1/tcp/80/http", "/ip4/192.0.2.1/tcp/4001/p2p/12D3Koo");
        assert_eq!(words(&[server, peer, peer]), format!("{server}, 2 addresses in the swarm"));
        assert_eq!(words(&[peer]), peer);
        assert_eq!(words(&[server]), server);
    }
}
