//! A node, a zone and a world inside the process, as far as trying and reading a target needs them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;

use crate::catalog::targets::{DnslinkSettings, NodeSettings};
use crate::engine::targets::{Connect, World};
use crate::error::{Error, Kind, Result};
use crate::naming::{Atomicity, TxtSet, Zone};
use crate::node::{
    CarStream, ImportCar, Imported, Intake, Key, Names, Node, Pin, PinProgress, PinUpdates, Pins, ReadBlocks, Status,
    Tried,
};

/// A node that holds these blocks.
#[derive(Debug, Default)]
pub(super) struct Holding {
    pub(super) blocks: Mutex<HashMap<Cid, Bytes>>,
    pub(super) pins: Mutex<Vec<Cid>>,
    pub(super) agent: Mutex<String>,
    pub(super) storage_max: Mutex<Option<u64>>,
    /// It does not answer, or wants other credentials.
    pub(super) down: Mutex<Option<Kind>>,
    pub(super) forbidden: Mutex<Option<&'static str>>,
}

impl Holding {
    fn answer<T>(&self, value: T) -> Result<T> {
        match *self.down.lock().unwrap() {
            Some(kind) => Err(Error::new(kind, "http://node.test does not answer")),
            None => Ok(value),
        }
    }
}

fn unused<T>() -> Result<T> {
    Err(Error::new(Kind::Unexpected, "a trial must not do that"))
}

#[async_trait]
impl Node for Holding {
    fn place(&self) -> String {
        "http://node.test".into()
    }

    async fn status(&self) -> Result<Status> {
        self.answer(Status {
            agent: self.agent.lock().unwrap().clone(),
            peer_id: "12D3KooW".into(),
            peers: Some(8),
            repository_size: 1000,
            storage_max: *self.storage_max.lock().unwrap(),
            served_at: None,
            providers: None,
        })
    }

    async fn try_rights(&self, names: bool) -> Vec<Tried> {
        let forbidden = *self.forbidden.lock().unwrap();
        let outcome = |right| match forbidden {
            Some(it) if it == right => Err(Error::new(Kind::Auth, "http://node.test refuses it")),
            _ => Ok(()),
        };
        let mut rights = vec!["read blocks", "import", "pin"];
        rights.extend(names.then_some("publish names"));
        rights.into_iter().map(|right| Tried { right, outcome: outcome(right) }).collect()
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
        None
    }

    fn names(&self) -> Option<&dyn Names> {
        Some(self)
    }
}

#[async_trait]
impl ReadBlocks for Holding {
    async fn holds(&self, cid: &Cid) -> Result<bool> {
        self.answer(self.blocks.lock().unwrap().contains_key(cid))
    }

    async fn block(&self, cid: &Cid) -> Result<Option<Bytes>> {
        let Some(bytes) = self.answer(self.blocks.lock().unwrap().get(cid).cloned())? else { return Ok(None) };
        crate::unixfs::verify_block(cid, &bytes)?;
        Ok(Some(bytes))
    }
}

#[async_trait]
impl ImportCar for Holding {
    async fn import(&self, _: CarStream) -> Result<Imported> {
        unused()
    }
}

#[async_trait]
impl Pins for Holding {
    async fn pin(&self, cid: &Cid) -> Result<Option<Pin>> {
        let found = self.pins.lock().unwrap().contains(cid);
        self.answer(found.then_some(Pin { cid: *cid, name: None }))
    }

    async fn pins_named(&self, _: &str) -> Result<Vec<Pin>> {
        unused()
    }

    async fn pin_add(&self, _: &Cid, _: &str, _: &(dyn Fn(PinProgress) + Send + Sync)) -> Result<()> {
        unused()
    }

    async fn unpin(&self, _: &Cid) -> Result<()> {
        unused()
    }
}

#[async_trait]
impl Names for Holding {
    async fn keys(&self) -> Result<Vec<Key>> {
        self.answer(vec![Key { name: "self".into(), id: "k51self".into() }])
    }

    async fn generate_key(&self, _: &str) -> Result<Key> {
        unused()
    }

    async fn publish_name(&self, _: &str, _: &Cid) -> Result<String> {
        unused()
    }

    async fn resolve_name(&self, _: &str) -> Result<Option<String>> {
        self.answer(None)
    }
}

/// A zone with this set.
#[derive(Debug, Default)]
pub(super) struct Saying {
    pub(super) set: Mutex<TxtSet>,
    pub(super) refuses: Mutex<bool>,
}

#[async_trait]
impl Zone for Saying {
    fn place(&self) -> String {
        "ns1.test:53".into()
    }

    fn atomicity(&self) -> Atomicity {
        Atomicity::Atomic
    }

    async fn read(&self, _: &str) -> Result<TxtSet> {
        Ok(self.set.lock().unwrap().clone())
    }

    async fn replace(&self, _: &str, _: &TxtSet, _: &TxtSet) -> Result<()> {
        unused()
    }

    async fn try_change(&self, _: &str) -> Result<()> {
        if *self.refuses.lock().unwrap() { Err(Error::new(Kind::Auth, "ns1.test:53 says BADKEY")) } else { Ok(()) }
    }
}

/// What an adapter was given: the place and the secret.
pub(super) type Asked = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// Opens these two whatever is asked for, and writes down what was.
#[derive(Debug, Clone, Default)]
pub(super) struct FakeConnect {
    pub(super) node: Arc<Holding>,
    pub(super) zone: Arc<Saying>,
    pub(super) asked: Asked,
}

impl Connect for FakeConnect {
    fn node(&self, node: &NodeSettings, authorisation: Option<&str>) -> Result<Arc<dyn Node>> {
        self.asked.lock().unwrap().push((node.url().to_owned(), authorisation.map(str::to_owned)));
        Ok(self.node.clone())
    }

    fn zone(&self, dnslink: &DnslinkSettings, secret: Option<&str>) -> Result<Arc<dyn Zone>> {
        self.asked.lock().unwrap().push((dnslink.domain.clone(), secret.map(str::to_owned)));
        Ok(self.zone.clone())
    }
}

/// A world that sees this set, and no gateway.
#[derive(Debug, Default)]
pub(super) struct Seeing(pub(super) TxtSet);

#[async_trait]
impl World for Seeing {
    async fn txt(&self, _: &str) -> Result<TxtSet> {
        Ok(self.0.clone())
    }

    async fn gateway(&self, url: &str) -> Result<()> {
        Err(Error::new(Kind::Network, format!("{url} does not answer")))
    }
}
