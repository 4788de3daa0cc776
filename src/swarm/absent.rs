//! What stands in for the node where this program was built without the cargo feature `swarm`: it says so.

#![expect(clippy::unused_async, reason = "the functions are those of the node that there is with the feature")]

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use cid::Cid;

use super::given::GivenBlocks;
use super::options::{FetchOptions, Options, ProvideKey};
use super::source::no_address;
use super::status::{Event, PeerReport, Status};
use crate::error::{Error, Kind, Result};
use crate::ipns::Name;

/// Whether this program has a node for the swarm.
pub const fn is_built_in() -> bool {
    false
}

/// A multiaddr as it is written; only its beginning is looked at. Fails with [`Kind::Usage`].
pub fn address(text: &str) -> Result<String> {
    if text.starts_with('/') && text.len() > 1 { Ok(text.to_owned()) } else { Err(no_address(text)) }
}

fn absent() -> Error {
    Error::new(Kind::Usage, "this program was built without the swarm")
        .hint("Build it with the cargo feature `swarm`, or exchange blocks over HTTP.")
}

/// A node that there is none of.
#[derive(Debug, Clone)]
pub struct Node(Infallible);

impl Node {
    /// Fails with [`Kind::Usage`].
    pub fn start(_: &Options, _: Arc<dyn GivenBlocks>) -> Result<(Self, Events)> {
        Err(absent())
    }

    /// Closes all connections and ends.
    pub async fn shutdown(&self) {
        match self.0 {}
    }

    /// Provides exactly these keys from now on.
    pub fn provide(&self, _: Vec<ProvideKey>) -> Result<()> {
        match self.0 {}
    }

    /// Stores the record of a name in the DHT.
    pub async fn put_record(&self, _: &Name, _: &[u8]) -> Result<()> {
        match self.0 {}
    }

    /// The newest valid record of a name in the DHT.
    pub async fn record(&self, _: &Name) -> Result<Option<Bytes>> {
        match self.0 {}
    }

    /// How many others provide a block.
    pub async fn other_providers(&self, _: &Cid, _: usize) -> Result<usize> {
        match self.0 {}
    }

    /// How the node is.
    pub async fn status(&self) -> Result<Status> {
        match self.0 {}
    }

    /// Asks peers for blocks.
    pub fn fetch(&self, _: &FetchOptions) -> Result<Fetch> {
        match self.0 {}
    }
}

/// What happens to a node that there is none of.
#[derive(Debug)]
pub struct Events(Infallible);

impl Events {
    /// The next one.
    pub async fn next(&mut self) -> Option<Event> {
        match self.0 {}
    }
}

/// Peers of a node that there is none of.
#[derive(Debug)]
pub struct Fetch(Infallible);

impl Fetch {
    /// A block.
    pub async fn block(&self, _: &Cid) -> Result<Option<Bytes>> {
        match self.0 {}
    }

    /// The peers, and what each delivered.
    pub async fn peers(&self) -> Result<Vec<PeerReport>> {
        match self.0 {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipns::PrivateKey;
    use crate::swarm::NothingGiven;

    #[test]
    fn it_says_that_it_is_not_there() {
        let options = Options::new(PrivateKey::generate().unwrap());
        let error = Node::start(&options, Arc::new(NothingGiven)).map(drop).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (Kind::Usage, "this program was built without the swarm")
        );
        assert!(!is_built_in() && address("/ip4/192.0.2.1/tcp/4001").is_ok() && address("host").is_err());
    }
}
