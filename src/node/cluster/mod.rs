//! IPFS Cluster, which keeps a root at several IPFS nodes, by its REST API (ipfscluster.io/documentation/reference/api).
//!
//! It takes CARs and gives no block back, so what it holds can't be checked here. A pin is a wish that its peers fulfil one by one,
//! which is waited for. Knows the API of Cluster 1.1; must not know what the blocks mean.

mod import;
mod pins;
mod rights;
mod status;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use cid::Cid;
use url::Url;

use super::web::{Limits, WebApi, Words};
use super::{
    CarStream, Holder, ImportCar, Imported, Intake, Names, Node, Pin, PinProgress, PinUpdates, Pins, ReadBlocks,
    Status, Tried,
};
use crate::error::Result;

const WORDS: Words = Words {
    what: "the cluster",
    unreachable: "Check that `ipfs-cluster-service daemon` runs and where its REST API listens, by default on port 9094.",
    denied: "Check `basic_auth_credentials` of `restapi` in its `service.json`: write `basic:USER:PASSWORD` into the target's secret.",
    nonsense: "Use the URL of the cluster's REST API, by default on port 9094; 9095 is its IPFS proxy, 9097 its pinning service.",
};

/// At how many peers a root is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Replication {
    /// Fewer are an error; -1: all peers.
    pub min: i32,
    /// More are not wanted; -1: all peers.
    pub max: i32,
}

/// What it takes to reach a cluster.
#[derive(Clone)]
pub struct ClusterOptions {
    /// The URL of its REST API.
    pub url: Url,
    /// What it wants to see: `basic:USER:PASSWORD`, `bearer:TOKEN`, or a bare token.
    pub authorisation: Option<String>,
    /// At how many peers roots are kept; none: as the cluster is configured.
    pub replication: Option<Replication>,
    /// How long it may take.
    pub limits: Limits,
}

impl ClusterOptions {
    /// A cluster that wants no credentials.
    pub fn new(url: Url) -> Self {
        Self { url, authorisation: None, replication: None, limits: Limits::default() }
    }
}

/// A cluster, by the REST API of one of its peers.
pub struct Cluster {
    api: WebApi,
    replication: Option<Replication>,
    /// The peers that the blocks went to: they are asked first to keep the root.
    taken_by: Mutex<Vec<String>>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("place", &self.api.place).finish_non_exhaustive()
    }
}

impl Cluster {
    /// Checks the options, and connects to nothing yet.
    pub fn new(options: &ClusterOptions) -> Result<Self> {
        let api = WebApi::new(&options.url, options.authorisation.as_deref(), WORDS, options.limits)?;
        Ok(Self { api, replication: options.replication, taken_by: Mutex::default() })
    }

    /// What is asked for with every root: at how many peers, and at which first.
    fn wishes(&self) -> Vec<(&'static str, String)> {
        let mut wishes = Vec::new();
        if let Some(Replication { min, max }) = self.replication {
            wishes.extend([("replication-min", min.to_string()), ("replication-max", max.to_string())]);
        }
        let peers = self.taken_by.lock().unwrap_or_else(PoisonError::into_inner);
        if !peers.is_empty() {
            wishes.push(("user-allocations", peers.join(",")));
        }
        wishes
    }
}

#[async_trait]
impl Node for Cluster {
    fn place(&self) -> String {
        self.api.place.clone()
    }

    async fn status(&self) -> Result<Status> {
        status::status(&self.api).await
    }

    async fn try_rights(&self, _: bool) -> Vec<Tried> {
        rights::all(&self.api).await
    }

    fn requests(&self) -> Option<u64> {
        Some(self.api.requests())
    }

    fn intake(&self) -> Intake<'_> {
        Intake::Cars(self)
    }

    fn blocks(&self) -> Option<&dyn ReadBlocks> {
        None
    }

    fn pins(&self) -> Option<&dyn Pins> {
        Some(self)
    }

    fn pin_updates(&self) -> Option<&dyn PinUpdates> {
        Some(self)
    }

    fn names(&self) -> Option<&dyn Names> {
        None
    }

    async fn advice(&self) -> Vec<String> {
        status::troubles(&self.api).await.unwrap_or_default()
    }
}

#[async_trait]
impl ImportCar for Cluster {
    async fn import(&self, car: CarStream) -> Result<Imported> {
        let taken = import::import(&self.api, &self.wishes(), car).await?;
        *self.taken_by.lock().unwrap_or_else(PoisonError::into_inner) = taken.peers;
        Ok(Imported { blocks: 0, bytes: taken.bytes })
    }

    fn counts_blocks(&self) -> bool {
        false
    }
}

#[async_trait]
impl Pins for Cluster {
    async fn pin(&self, cid: &Cid) -> Result<Option<Pin>> {
        let standing = pins::standing(&self.api, cid).await?;
        Ok(standing.is_kept().then(|| Pin { cid: *cid, name: standing.name() }))
    }

    async fn pins_named(&self, name: &str) -> Result<Vec<Pin>> {
        pins::named(&self.api, name).await
    }

    async fn pin_add(&self, cid: &Cid, name: &str, progress: &(dyn Fn(PinProgress) + Send + Sync)) -> Result<()> {
        let mut query = self.wishes();
        query.extend([("name", name.to_owned()), ("mode", "recursive".to_owned())]);
        let doing = format!("can't pin {cid}");
        let wanted = pins::want(&self.api, cid, &query, &doing).await?;
        pins::wait(&self.api, cid, &wanted, &doing, progress).await
    }

    async fn unpin(&self, cid: &Cid) -> Result<()> {
        pins::remove(&self.api, cid).await
    }

    async fn made(&self, cid: &Cid) -> Result<Option<jiff::Timestamp>> {
        Ok(pins::standing(&self.api, cid).await?.made())
    }

    async fn holders(&self, cid: &Cid) -> Result<Vec<Holder>> {
        Ok(pins::standing(&self.api, cid).await?.holders())
    }
}

#[async_trait]
impl PinUpdates for Cluster {
    async fn pin_update(&self, from: &Cid, to: &Cid) -> Result<()> {
        let doing = format!("can't pin {to} by its difference to {from}");
        let mut wanted = pins::want(&self.api, to, &[("pin-update", from.to_string())], &doing).await?;
        // An update copies what was wanted of the former root, which may have been something else.
        if self.replication.is_some_and(|replication| !wanted.is(replication)) {
            let mut query = self.wishes();
            query.extend([("name", wanted.name.clone()), ("mode", "recursive".to_owned())]);
            wanted = pins::want(&self.api, to, &query, &doing).await?;
        }
        pins::wait(&self.api, to, &wanted, &doing, &|_| ()).await
    }
}
