//! How publishing uses the program's own node: every block is here already, so that nothing is handed over, and a pin is a row of the
//! catalog. Other processes notice it: `serve` gives the root out from then on.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;

use super::keys::OWN_KEY;
use super::published::PublishedBlocks;
use super::serving::SERVE_HINT;
use crate::catalog::nodes::Nodes;
use crate::catalog::{blobs, own_node, statistics};
use crate::engine::{Engine, now};
use crate::error::{Error, Kind, Result};
use crate::ipns::{Name, PrivateKey};
use crate::node::{Intake, Key, Names, Node, Pin, PinProgress, PinUpdates, Pins, PutBlock, ReadBlocks, Status, Tried};
use crate::unixfs::directory::NodeStore as _;
use crate::unixfs::verify_block;

/// What the program calls itself to other nodes.
pub fn own_agent() -> String {
    format!("roadstead/{}", env!("CARGO_PKG_VERSION"))
}

/// The program's own node, as the catalog of this data directory has it.
#[derive(Debug, Clone)]
pub struct OwnNode {
    engine: Arc<Engine>,
    /// The blocks of what is pinned; read when the first one is asked for.
    published: Arc<OnceLock<PublishedBlocks>>,
}

impl OwnNode {
    /// The node of this catalog.
    pub fn new(engine: Arc<Engine>) -> Self {
        Self { engine, published: Arc::default() }
    }

    /// Whether the catalog has this block as a directory node or as the root of a file whose bytes are here.
    fn has(engine: &Engine, cid: &Cid) -> Result<bool> {
        let reader = engine.catalog.read()?;
        if Nodes::of(&reader).get(cid)?.is_some() {
            return Ok(true);
        }
        match blobs::by_cid(&reader, cid)? {
            Some(blob) => engine.is_here(&reader, &blob),
            None => Ok(false),
        }
    }

    /// A block of what is pinned, verified.
    fn read(&self, cid: &Cid) -> Result<Option<Bytes>> {
        let published = match self.published.get() {
            Some(published) => published,
            None => {
                let opened = PublishedBlocks::open(Arc::clone(&self.engine))?;
                self.published.get_or_init(|| opened)
            }
        };
        published.refresh()?;
        published.verified(cid)
    }
}

#[async_trait]
impl Node for OwnNode {
    fn place(&self) -> String {
        "this program".to_owned()
    }

    async fn status(&self) -> Result<Status> {
        let engine = &self.engine;
        let repository_size =
            engine.blocking(|engine| Ok(statistics::registry(&*engine.catalog.read()?)?.0.stored)).await?;
        let serving = engine.blocking(|engine| Ok(engine.serving())).await?;
        let providers = serving.iter().find_map(|serving| serving.providers);
        let served_at = serving.into_iter().flat_map(super::serving::Serving::told).collect();
        Ok(Status {
            agent: own_agent(),
            peer_id: engine
                .blocking(|engine| Ok(engine.own_key(OWN_KEY)?.map(|key| key.name().peer_id())))
                .await?
                .unwrap_or_default(),
            peers: None,
            repository_size,
            storage_max: None,
            served_at: Some(served_at),
            providers,
        })
    }

    async fn try_rights(&self, _: bool) -> Vec<Tried> {
        Vec::new()
    }

    fn intake(&self) -> Intake<'_> {
        Intake::Blocks(self)
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

    fn shares_blobs(&self) -> bool {
        true
    }

    async fn advice(&self) -> Vec<String> {
        let serving = self.engine.blocking(|engine| Ok(engine.serving())).await.unwrap_or_default();
        if serving.is_empty() {
            return vec![format!("Nothing serves it now: {SERVE_HINT}")];
        }
        serving.into_iter().flat_map(|serving| serving.advice).collect()
    }
}

#[async_trait]
impl PutBlock for OwnNode {
    async fn put(&self, cid: &Cid, bytes: Bytes) -> Result<()> {
        verify_block(cid, &bytes)?;
        if self.holds(cid).await? {
            return Ok(());
        }
        Err(Error::new(Kind::Unexpected, format!("the catalog has no block {cid}")))
    }
}

#[async_trait]
impl ReadBlocks for OwnNode {
    async fn holds(&self, cid: &Cid) -> Result<bool> {
        let cid = *cid;
        self.engine.blocking(move |engine| Self::has(engine, &cid)).await
    }

    async fn block(&self, cid: &Cid) -> Result<Option<Bytes>> {
        let (cid, node) = (*cid, self.clone());
        self.engine.blocking(move |_| node.read(&cid)).await
    }
}

#[async_trait]
impl Pins for OwnNode {
    async fn pin(&self, cid: &Cid) -> Result<Option<Pin>> {
        let cid = *cid;
        let pins = self.engine.blocking(|engine| own_node::pins(&*engine.catalog.read()?)).await?;
        Ok(pins.into_iter().find(|(root, _)| *root == cid).map(pin))
    }

    async fn pins_named(&self, name: &str) -> Result<Vec<Pin>> {
        let pins = self.engine.blocking(|engine| own_node::pins(&*engine.catalog.read()?)).await?;
        Ok(pins.into_iter().filter(|(_, found)| found == name).map(pin).collect())
    }

    async fn pin_add(&self, cid: &Cid, name: &str, _: &(dyn Fn(PinProgress) + Send + Sync)) -> Result<()> {
        let (cid, name) = (*cid, name.to_owned());
        self.engine
            .blocking(move |engine| {
                if Nodes::of(&*engine.catalog.read()?).get(&cid)?.is_none() {
                    return Err(Error::new(Kind::NotFound, format!("the catalog has no root {cid}")));
                }
                engine.catalog.write(|writer| own_node::pin(writer, &cid, &name, now()))
            })
            .await
    }

    async fn unpin(&self, cid: &Cid) -> Result<()> {
        let cid = *cid;
        self.engine.blocking(move |engine| engine.catalog.write(|writer| own_node::unpin(writer, &cid))).await
    }

    fn walks(&self) -> bool {
        false
    }
}

#[async_trait]
impl Names for OwnNode {
    /// Its own key is there as soon as it is asked for.
    async fn keys(&self) -> Result<Vec<Key>> {
        self.engine
            .blocking(|engine| {
                if !engine.is_read_only() {
                    engine.make_own_key(OWN_KEY)?;
                }
                Ok(engine.own_keys()?.into_iter().map(|own| key(own.name, &own.key)).collect())
            })
            .await
    }

    fn makes_by_itself(&self, key: &str) -> bool {
        key == OWN_KEY
    }

    async fn generate_key(&self, name: &str) -> Result<Key> {
        let name = name.to_owned();
        self.engine.blocking(move |engine| engine.make_own_key(&name).map(|made| key(name, &made))).await
    }

    async fn publish_name(&self, wanted: &str, root: &Cid) -> Result<String> {
        let (wanted, root) = (wanted.to_owned(), *root);
        self.engine
            .blocking(move |engine| {
                let keys = engine.own_keys()?;
                let found = keys.iter().find(|own| own.name == wanted || own.key.name().to_string() == wanted);
                let found = found.ok_or_else(|| Error::new(Kind::NotFound, format!("there is no key `{wanted}`")))?;
                Ok(engine.move_own_name(&found.key, &root)?.name.to_string())
            })
            .await
    }

    async fn resolve_name(&self, name: &str) -> Result<Option<String>> {
        let name: Name = name.parse()?;
        let known = self.engine.blocking(move |engine| engine.own_name(&name)).await?;
        Ok(known.map(|own| own.record.value))
    }
}

fn key(name: String, key: &PrivateKey) -> Key {
    Key { name, id: key.name().to_string() }
}

fn pin((cid, name): (Cid, String)) -> Pin {
    Pin { cid, name: Some(name) }
}
