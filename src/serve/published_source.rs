//! What is published to this program's own node, as a source of blocks, names and addresses.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use cid::Cid;
use jiff::Timestamp;

use super::announced::{Announced, Told};
use super::followers::Followers;
use super::gateway::{Asker, Coming, NamedRecord, PieceRead, Provider, PublishedBlocks};
use super::gateway_takers::GatewayTakers;
use super::peer::Peer;
use crate::engine::own_node::SeenFollower;
use crate::engine::{Engine, own_node};
use crate::error::Result;
use crate::ipns::{Holding, Name};

/// The protocol of providers that answer as a trustless gateway (delegated routing, "Known transfer protocols").
pub(super) const HTTP_PROTOCOL: &str = "transport-ipfs-gateway-http";

/// Published blocks to serve from.
#[derive(Debug)]
pub struct PublishedSource {
    engine: Arc<Engine>,
    blocks: own_node::PublishedBlocks,
    providers: RwLock<Vec<Provider>>,
    followers: Mutex<Followers>,
    announced: Mutex<Announced>,
    takers: Mutex<GatewayTakers>,
}

impl PublishedSource {
    /// Reads which blocks are published.
    pub fn open(engine: Arc<Engine>) -> Result<Self> {
        let blocks = own_node::PublishedBlocks::open(Arc::clone(&engine))?.with_under_way();
        Ok(Self {
            engine,
            blocks,
            providers: RwLock::default(),
            followers: Mutex::default(),
            announced: Mutex::default(),
            takers: Mutex::default(),
        })
    }

    /// Where the blocks can be had, from now on.
    pub fn set_providers(&self, providers: Vec<Provider>) {
        *self.providers.write().unwrap_or_else(PoisonError::into_inner) = providers;
    }

    /// Looks whether something else is published by now; see [`own_node::PublishedBlocks::refresh`].
    pub fn refresh(&self) -> Result<bool> {
        self.blocks.refresh()
    }

    /// Who holds a copy, if that has changed since this was asked last.
    pub fn changed_followers(&self) -> Option<Vec<SeenFollower>> {
        self.followers().take_changed(Timestamp::now().as_second())
    }

    /// Who took how many bytes over HTTP, by address, those that took most first, if that has changed since this was asked last.
    pub fn changed_takers(&self) -> Option<Vec<(String, u64)>> {
        self.takers().take_changed()
    }

    fn takers(&self) -> MutexGuard<'_, GatewayTakers> {
        self.takers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn followers(&self) -> MutexGuard<'_, Followers> {
        self.followers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announced(&self) -> MutexGuard<'_, Announced> {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a block that is given out; see [`own_node::PublishedBlocks::append`].
    pub fn append(&self, cid: &Cid, out: &mut Vec<u8>) -> Result<bool> {
        self.blocks.append(cid, out)
    }

    /// The roots whose blocks are given out.
    pub fn roots(&self) -> Vec<Cid> {
        self.blocks.roots()
    }
}

/// A follower as a peer that gives out blocks over HTTP.
fn provider(told: &Told) -> Provider {
    let tls = if told.gateway.tls { "/tls" } else { "" };
    let family = if told.ip.is_ipv4() { "ip4" } else { "ip6" };
    Provider {
        id: told.peer.peer_id(),
        addresses: vec![format!("/{family}/{}/tcp/{}{tls}/http", told.ip, told.gateway.port)],
        protocols: vec![HTTP_PROTOCOL.to_owned()],
    }
}

fn name_of(multihash: &[u8]) -> Result<Name> {
    Name::from_routing_key(&[b"/ipns/", multihash].concat())
}

impl PublishedBlocks for PublishedSource {
    fn size(&self, cid: &Cid) -> Result<Option<u64>> {
        self.blocks.size(cid)
    }

    fn block(&self, cid: &Cid) -> Result<Option<Bytes>> {
        self.blocks.block(cid)
    }

    fn read(&self, cid: &Cid, offset: u64, buffer: &mut [u8]) -> Result<Option<PieceRead>> {
        let read = self.blocks.read(cid, offset, buffer)?;
        Ok(read.map(|read| PieceRead { bytes: read.bytes, is_verified: read.is_verified }))
    }

    fn ipns_record(&self, name: &[u8]) -> Result<Option<NamedRecord>> {
        // Whoever is told of a root asks for it next.
        self.blocks.refresh()?;
        let Some(own) = self.engine.own_name(&name_of(name)?)? else { return Ok(None) };
        let now = Timestamp::now();
        if own.record.is_expired(now) {
            return Ok(None);
        }
        let valid_for = own.record.validity.duration_since(now).try_into().unwrap_or_default();
        Ok(Some(NamedRecord { bytes: own.bytes, ttl: own.record.ttl, valid_for }))
    }

    fn put_ipns_record(&self, name: &[u8], record: &[u8]) -> Result<()> {
        self.engine.take_own_record(&name_of(name)?, record)
    }

    fn note_follower(&self, asker: &Asker) {
        let Some(holding) = &asker.holding else { return };
        let now = Timestamp::now().as_second();
        self.followers().note(holding, &Peer::of((asker.ip, 0).into()).to_string(), now);
        self.announced().note(holding, asker.ip, now);
    }

    fn peers_with(&self, root: &Cid, asker: &Asker) -> Vec<Provider> {
        let now = Timestamp::now().as_second();
        let is_about = |holding: &Holding| [holding.root, holding.taking].contains(&Some(*root));
        let mut announced = self.announced();
        if let Some(holding) = asker.holding.filter(is_about) {
            announced.note(&holding, asker.ip, now);
        }
        let told = announced.of(root, asker.holding.map(|holding| holding.peer), asker.ip, now);
        told.iter().map(provider).collect()
    }

    fn gave(&self, to: IpAddr, bytes: u64) {
        self.takers().count(Peer::of((to, 0).into()), bytes);
    }

    fn coming(&self, cid: &Cid) -> Option<Coming> {
        let coming = self.blocks.coming(cid)?;
        Some(Coming { size: coming.size, arrival: coming.arrival })
    }

    fn providers(&self) -> Vec<Provider> {
        self.providers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
