//! Kubo, the IPFS node that most people run, by its RPC (docs.ipfs.tech/reference/kubo/rpc).
//!
//! Everything goes over our own HTTP client, which bounds what it reads and sees the trailers in which Kubo says late errors;
//! `ipfs-api-backend-hyper` says how the small questions are written. Knows Kubo's commands and its words; must not know what
//! the blocks mean.

mod blocks;
mod control;
mod failure;
mod import;
mod options;
mod pins;
mod probe;
mod reply;
mod rights;
mod rising;
mod rpc;
mod secrets;

#[cfg(test)]
mod tests;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;

pub use self::options::{KuboOptions, Timeouts};
pub use self::probe::{Probed, probe};

use self::control::Control;
pub use self::options::is_in_clear;
pub(in crate::node) use self::options::{Authorisation, is_loopback, shown};
use self::rpc::Rpc;
pub(in crate::node) use self::secrets::Secrets;
use super::{
    CarStream, ImportCar, Imported, Intake, Key, Names, Node, Pin, PinProgress, PinUpdates, Pins, ReadBlocks, Status,
    Tried,
};
use crate::error::Result;

/// A Kubo node, by its RPC API (docs.ipfs.tech/reference/kubo/rpc).
#[derive(Clone)]
pub struct Kubo {
    rpc: Rpc,
    control: Control,
}

impl Kubo {
    /// Checks the options, and connects to nothing yet.
    pub fn new(options: &KuboOptions) -> Result<Self> {
        let authorisation = options.authorisation.as_deref().map(Authorisation::parse).transpose()?;
        let rpc = Rpc::new(options, authorisation)?;
        let control = Control::new(rpc.clone());
        Ok(Self { rpc, control })
    }

    /// Version of the program, such as `0.43.1`. Every secret that the node knows may ask for it.
    pub async fn version(&self) -> Result<String> {
        self.control.version().await
    }
}

impl fmt::Debug for Kubo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kubo").field("place", &self.rpc.place).finish_non_exhaustive()
    }
}

#[async_trait]
impl Node for Kubo {
    fn place(&self) -> String {
        self.rpc.place.clone()
    }

    async fn status(&self) -> Result<Status> {
        self.control.status().await
    }

    async fn try_rights(&self, names: bool) -> Vec<Tried> {
        rights::all(&self.rpc, &self.control, names).await
    }

    fn requests(&self) -> Option<u64> {
        Some(self.rpc.requests())
    }

    fn intake(&self) -> Intake<'_> {
        Intake::Cars(self)
    }

    fn blocks(&self) -> Option<&dyn ReadBlocks> {
        Some(self)
    }

    fn pins(&self) -> Option<&dyn Pins> {
        Some(self)
    }

    fn pin_updates(&self) -> Option<&dyn PinUpdates> {
        Some(self)
    }

    fn names(&self) -> Option<&dyn Names> {
        Some(self)
    }
}

#[async_trait]
impl ImportCar for Kubo {
    async fn import(&self, car: CarStream) -> Result<Imported> {
        import::import(&self.rpc, car).await
    }
}

#[async_trait]
impl ReadBlocks for Kubo {
    async fn holds(&self, cid: &Cid) -> Result<bool> {
        blocks::holds(&self.rpc, cid).await
    }

    async fn block(&self, cid: &Cid) -> Result<Option<Bytes>> {
        blocks::get(&self.rpc, cid).await
    }
}

#[async_trait]
impl Pins for Kubo {
    async fn pin(&self, cid: &Cid) -> Result<Option<Pin>> {
        pins::one(&self.rpc, cid).await
    }

    async fn pins_named(&self, name: &str) -> Result<Vec<Pin>> {
        pins::named(&self.rpc, name).await
    }

    async fn pin_add(&self, cid: &Cid, name: &str, progress: &(dyn Fn(PinProgress) + Send + Sync)) -> Result<()> {
        pins::add(&self.rpc, cid, name, progress).await
    }

    async fn unpin(&self, cid: &Cid) -> Result<()> {
        pins::remove(&self.rpc, cid).await
    }
}

#[async_trait]
impl PinUpdates for Kubo {
    async fn pin_update(&self, from: &Cid, to: &Cid) -> Result<()> {
        pins::update(&self.rpc, from, to).await
    }
}

#[async_trait]
impl Names for Kubo {
    async fn keys(&self) -> Result<Vec<Key>> {
        self.control.keys().await
    }

    async fn generate_key(&self, name: &str) -> Result<Key> {
        self.control.generate_key(name).await
    }

    async fn publish_name(&self, key: &str, root: &Cid) -> Result<String> {
        self.control.publish_name(key, &format!("/ipfs/{root}")).await
    }

    async fn resolve_name(&self, name: &str) -> Result<Option<String>> {
        self.control.resolve_name(name).await
    }
}
