//! A target as it looks from outside: what its node says, and its names as anybody sees them. Nothing is tried or changed, each
//! part may fail alone, and nobody waits longer than a few seconds for any of them.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::trial::World;
use super::view::{find, record_name};
use crate::catalog::targets::Target;
use crate::catalog::{host_objects, publications};
use crate::engine::Engine;
use crate::engine::publish::{Places, find_key, holders, missing_key, moved_name, names_of};
use crate::error::{Error, Kind, Result};
use crate::hosts::Host;
use crate::naming::TxtSet;
use crate::node::{Holder, Node, Status};

/// How long each part may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(8);

/// Where an IPNS name leads, as far as its node says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leads {
    /// To this path: `/ipfs/CID`.
    To(String),
    /// It was moved to what was published last, and the node can't look it up: one without routing can't.
    Unseen,
    /// Nowhere, or where it leads can't be looked up; it was not moved from here.
    Nowhere,
}

/// A record as its zone has it, and as this machine's resolver has it, which may be older.
#[derive(Debug)]
pub struct SeenRecord {
    /// What the zone's own servers say.
    pub authority: Result<TxtSet>,
    /// What this machine's resolver says; caches may make it older.
    pub resolver: Result<TxtSet>,
}

impl SeenRecord {
    /// What counts: what the zone's own servers say; where they can't be asked, what the resolver does.
    pub fn said(&self) -> Result<&TxtSet, &Error> {
        self.authority.as_ref().or(self.resolver.as_ref())
    }

    /// How long caches may still give out something else than the zone's servers, in seconds. None where they give out the same,
    /// or where that is not known.
    pub fn lag(&self) -> Option<u32> {
        match (&self.authority, &self.resolver) {
            (Ok(now), Ok(seen)) if now.values != seen.values => now.ttl.max(seen.ttl),
            _ => None,
        }
    }
}

/// A target as it looks from outside.
#[derive(Debug)]
pub struct Sight {
    /// Name of the target.
    pub target: String,
    /// What was published last, when it was looked at.
    pub root: Option<String>,
    /// What its node says of itself.
    pub node: Result<Status>,
    /// Whether the node pins the root that was published last; unknown where nothing was, or where the node does not say.
    pub pinned: Option<bool>,
    /// The peers that keep that root or have to, where the node stands for several.
    pub holders: Vec<Holder>,
    /// The record; none where the target has no record.
    pub record: Option<SeenRecord>,
    /// Where the IPNS name leads; none where the target has no such name.
    pub ipns: Option<Result<Leads>>,
}

impl Engine {
    /// Looks at a target. Fails only if there is none of this name.
    pub async fn look_at_target(self: &Arc<Self>, name: &str, places: &dyn Places, world: &dyn World) -> Result<Sight> {
        let wanted = name.to_owned();
        let read = self.blocking(move |engine| {
            let reader = engine.catalog.read()?;
            let target = find(&reader, &wanted)?;
            let newest = publications::newest_published(&reader, target.id)?;
            let moved = newest.as_ref().map(|newest| moved_name(&reader, newest.id)).transpose()?.flatten();
            let noted = newest.as_ref().map(|newest| holders::noted(&reader, newest.id)).transpose()?;
            Ok((target, newest.map(|newest| newest.root.cid), moved, noted.unwrap_or_default()))
        });
        let (target, newest, moved, noted) = read.await?;
        let of_node = async {
            if let Some(host) = places.host(&target)? {
                let (status, pinned, ipns) = self.look_at_host(&*host, &target, newest.is_some()).await?;
                return Ok((status, pinned, Vec::new(), ipns));
            }
            let node = places.node(&target)?;
            let status = within(&node.place(), node.status()).await?;
            let pinned = match newest {
                Some(root) => within(&node.place(), keeps(&*node, &root)).await.ok().flatten(),
                None => None,
            };
            let holders = match newest {
                Some(root) => within(&node.place(), holders::now(&*node, &root, &noted)).await.unwrap_or_default(),
                None => Vec::new(),
            };
            let ipns = match &target.settings.ipns {
                Some(key) => Some(within(&node.place(), leads(&*node, &target, key, moved.as_deref())).await),
                None => None,
            };
            Ok((status, pinned, holders, ipns))
        };
        let (of_node, record) = futures::join!(of_node, record(&target, places, world));
        let (node, pinned, holders, ipns) = match of_node {
            Ok((status, pinned, holders, ipns)) => (Ok(status), pinned, holders, ipns),
            Err(error) => (Err(error), None, Vec::new(), None),
        };
        let root = newest.map(|root| root.to_string());
        Ok(Sight { target: target.name, root, node, pinned, holders, record, ipns })
    }
}

impl Engine {
    /// A host in the words for nodes: it is served where clients get objects, and has what was stored.
    async fn look_at_host(
        self: &Arc<Self>,
        host: &dyn Host,
        target: &Target,
        published: bool,
    ) -> Result<(Status, Option<bool>, Option<Result<Leads>>)> {
        let status = within(&host.place(), host.status()).await?;
        let id = target.id;
        let (_, stored) = self.blocking(move |engine| host_objects::stored(&*engine.catalog.read()?, id)).await?;
        let status = Status {
            agent: status.agent,
            peer_id: String::new(),
            peers: None,
            repository_size: stored,
            storage_max: None,
            served_at: Some(vec![status.url]),
            providers: None,
        };
        Ok((status, published.then_some(true), None))
    }
}

/// Whether the node keeps a root; nothing where it does not say.
async fn keeps(node: &dyn Node, root: &cid::Cid) -> Result<Option<bool>> {
    Ok(match (node.pins(), node.blocks()) {
        (Some(pins), _) => Some(pins.pin(root).await?.is_some()),
        (None, Some(blocks)) => Some(blocks.holds(root).await?),
        (None, None) => None,
    })
}

async fn record(target: &Target, places: &dyn Places, world: &dyn World) -> Option<SeenRecord> {
    let dnslink = target.settings.dnslink.as_ref()?;
    let name = record_name(&dnslink.domain);
    let authority = async {
        match places.zone(target)? {
            Some(zone) => within(&zone.place(), zone.read(&name)).await,
            None => Err(Error::new(Kind::NotFound, "the target has no zone")),
        }
    };
    let (authority, resolver) = futures::join!(authority, within("the resolver", world.txt(&name)));
    Some(SeenRecord { authority, resolver })
}

async fn leads(node: &dyn Node, target: &Target, key: &str, moved: Option<&str>) -> Result<Leads> {
    let names = names_of(node)?;
    match find_key(names.keys().await?, key) {
        Some(found) => Ok(match names.resolve_name(&found.id).await? {
            Some(path) => Leads::To(path),
            None if moved == Some(&found.id) => Leads::Unseen,
            None => Leads::Nowhere,
        }),
        None => Err(missing_key(target, key, "the node")),
    }
}

async fn within<T>(who: &str, answer: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(ANSWER_TIMEOUT, answer).await.unwrap_or_else(|_| {
        Err(Error::new(Kind::Network, format!("{who} did not answer within {} s", ANSWER_TIMEOUT.as_secs())))
    })
}
