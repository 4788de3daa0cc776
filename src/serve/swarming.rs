//! Gives what is published out to the swarm, beside HTTP: blocks by bitswap, and by the DHT who has them.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use cid::Cid;
use cid::multihash::Multihash;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::PublishedSource;
use super::gateway::PublishedBlocks as _;
use super::reach::{self, Reach};
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::node::Providers;
use crate::swarm::{
    Bootstrap, DEFAULT_PORT, Event, Events, Fetch, FetchOptions, GivenBlocks, Node, Options, Status,
    address as swarm_address, default_addresses, taken,
};

/// How often it is looked whether something else is to be provided, or said.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How often all that is to be provided is listed again although the same roots are given out: more of them may be here.
const LIST_INTERVAL: Duration = Duration::from_mins(15);
/// How often what was provided is written down.
const KEEP_INTERVAL: Duration = Duration::from_secs(5);
/// How soon it is looked again who else provides a new root; each further pause is twice as long.
const FIRST_COUNT_INTERVAL: Duration = Duration::from_secs(5);
/// The longest of these pauses.
const MAX_COUNT_INTERVAL: Duration = Duration::from_mins(5);
/// How long looking for providers may take.
const COUNT_TIMEOUT: Duration = Duration::from_mins(1);
/// Others that are looked for.
const MAX_COUNTED: usize = 20;
/// How long a node may know nobody before that is said.
const ALONE_TIME: Duration = Duration::from_secs(15);
/// How long a node may take to say how it is.
const STATUS_TIMEOUT: Duration = Duration::from_secs(5);

/// How this program is a node in the swarm.
#[derive(Debug, Clone, Default)]
pub struct SwarmOptions {
    /// Multiaddrs to listen on; none for every address of this machine, on port 4001 or the next one that is free.
    pub listen: Vec<String>,
    /// Where others reach it, as its owner says.
    pub announced: Vec<String>,
    /// Peers to begin with; none for those of the public DHT.
    pub peers: Vec<String>,
    /// Bytes of blocks that may leave in a second; 0 for no limit.
    pub upload_bytes_per_second: u64,
}

/// A node in the swarm that gives out what is published.
#[derive(Debug)]
pub(super) struct Swarming {
    engine: Arc<Engine>,
    source: Arc<PublishedSource>,
    node: Node,
    events: Mutex<Events>,
    /// The peers that it connects to since they are about to fetch, for as long as they are.
    called: std::sync::Mutex<Option<(Vec<String>, Fetch)>>,
    /// Where it listens because another program has the usual port.
    other_port: Option<u16>,
}

struct Given(Arc<PublishedSource>);

impl GivenBlocks for Given {
    fn size(&self, cid: &Cid) -> Result<Option<u64>> {
        self.0.size(cid)
    }

    fn read(&self, cid: &Cid, out: &mut Vec<u8>) -> Result<bool> {
        self.0.append(cid, out)
    }
}

impl Swarming {
    /// Starts the node. Has to be called inside of a runtime.
    pub(super) fn start(engine: Arc<Engine>, source: Arc<PublishedSource>, how: &SwarmOptions) -> Result<Self> {
        let mut options = Options::new(engine.node_key()?);
        let mut other_port = None;
        if how.listen.is_empty() {
            let (addresses, port) = default_addresses();
            options.listen = addresses;
            other_port = (port != DEFAULT_PORT).then_some(port);
        } else if let Some(address) = taken(&how.listen) {
            let error = Error::new(Kind::Unexpected, format!("can't listen on {address}: another program does"));
            return Err(error.hint("Choose another port, or leave `--swarm` out for the next one that is free."));
        } else {
            options.listen.clone_from(&how.listen);
        }
        options.announced.clone_from(&how.announced);
        options.traversal = how.peers.is_empty();
        options.local_discovery = engine.swarm().local_discovery();
        if !how.peers.is_empty() {
            options.bootstrap = Bootstrap::Peers(how.peers.clone());
        }
        options.upload_bytes_per_second = how.upload_bytes_per_second;
        let (node, events) = Node::start(&options, Arc::new(Given(Arc::clone(&source))))?;
        // What this data directory follows is taken by the same node.
        engine.swarm().join(node.clone());
        Ok(Self { engine, source, node, events: Mutex::new(events), called: std::sync::Mutex::default(), other_port })
    }

    /// The node itself.
    pub(super) fn node(&self) -> Node {
        self.node.clone()
    }

    /// Says that it listens on another port than the usual one, if it does.
    pub(super) fn other_port(&self) -> Option<String> {
        self.other_port.map(reach::other_port)
    }

    fn reach(&self, status: &Status) -> Reach {
        let mut reach = Reach::of(status);
        reach.sentences.extend(self.other_port());
        reach
    }

    /// Provides what is published, and says how the node is, until this is dropped.
    pub(super) async fn keep(&self, say: impl Fn(&Status, Reach)) {
        let mut events = self.events.lock().await;
        let mut ticks = interval(LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut provided, mut kept) = (Vec::new(), Instant::now());
        let mut listed: Option<(Vec<Cid>, Instant)> = None;
        let mut others = Others::default();
        let mut accompanied = Instant::now();
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(Event::Provided { key, at }) => provided.push((key, at)),
                    Some(Event::ListenFailed { address, reason }) => {
                        let address = address.unwrap_or_else(|| "an address".to_owned());
                        tracing::warn!(%reason, "can't listen on {address}");
                    }
                    Some(Event::Reach | Event::Missed) => {}
                    None => return tracing::error!("the node in the swarm has ended"),
                },
                _ = ticks.tick() => {
                    self.call_delegates().await;
                    let now = self.source.roots();
                    let is_listed = |(roots, at): &(Vec<Cid>, Instant)| *roots == now && at.elapsed() < LIST_INTERVAL;
                    if !listed.as_ref().is_some_and(is_listed) {
                        match self.provide().await {
                            Ok(newest) => {
                                others.turn_to(newest);
                                listed = Some((now, Instant::now()));
                            }
                            Err(error) => tracing::warn!(%error, "can't provide what is published"),
                        }
                    }
                    if kept.elapsed() >= KEEP_INTERVAL {
                        kept = Instant::now();
                        self.keep_provided(std::mem::take(&mut provided)).await;
                    }
                    if let Ok(Ok(status)) = timeout(STATUS_TIMEOUT, self.node.status()).await {
                        others.advance(&self.node, &status).await;
                        if status.peers + status.dht_peers + status.lan_dht_peers > 0 {
                            accompanied = Instant::now();
                        }
                        let mut reach = self.reach(&status).with_providers(others.found);
                        if accompanied.elapsed() >= ALONE_TIME {
                            reach = reach.alone();
                        }
                        say(&status, reach);
                    }
                }
            }
        }
    }

    /// Connects to those who are about to fetch, as a pinning service said to whoever publishes.
    async fn call_delegates(&self) {
        let engine = Arc::clone(&self.engine);
        let Ok(delegates) = spawn_blocking(move || engine.delegates()).await else { return };
        let mut called = self.called.lock().unwrap_or_else(PoisonError::into_inner);
        if called.as_ref().is_some_and(|(addresses, _)| *addresses == delegates.addresses) {
            return;
        }
        *called = None;
        // One that is no address of ours fails alone.
        let peers: Vec<String> =
            delegates.addresses.iter().filter(|address| swarm_address(address).is_ok()).cloned().collect();
        if peers.is_empty() {
            return;
        }
        match self.node.fetch(&FetchOptions { peers, ..FetchOptions::default() }) {
            Ok(fetch) => *called = Some((delegates.addresses, fetch)),
            Err(error) => tracing::warn!(%error, "can't connect to those who are about to fetch"),
        }
    }

    /// Provides what is published; the newest root, which comes first.
    async fn provide(&self) -> Result<Option<Cid>> {
        let engine = Arc::clone(&self.engine);
        let keys = spawn_blocking(move || engine.blocks_to_provide()).await.map_err(broken)??;
        let newest = keys.first().map(|key| key.cid);
        self.node.provide(keys)?;
        Ok(newest)
    }

    async fn keep_provided(&self, provided: Vec<(Multihash<64>, SystemTime)>) {
        if provided.is_empty() || self.engine.is_read_only() {
            return;
        }
        let engine = Arc::clone(&self.engine);
        let kept = spawn_blocking(move || engine.keep_provided(&provided)).await.map_err(broken);
        if let Err(error) = kept.and_then(|kept| kept) {
            tracing::warn!(%error, "can't keep what was provided");
        }
    }

    /// Closes all connections.
    pub(super) async fn end(&self) {
        self.node.shutdown().await;
    }
}

/// Who else provides the newest root, looked up now and then.
#[derive(Default)]
struct Others {
    root: Option<Cid>,
    found: Option<Providers>,
    looking: Option<AbortOnDropHandle<Option<usize>>>,
    next: Option<Instant>,
    looks: u32,
}

impl Others {
    /// Another root is the newest one.
    fn turn_to(&mut self, root: Option<Cid>) {
        if self.root != root {
            *self = Self { root, ..Self::default() };
        }
    }

    /// Takes what was found, and looks again when it is time; never waits.
    async fn advance(&mut self, node: &Node, status: &Status) {
        let Some(root) = self.root else { return };
        if let Some(looking) = self.looking.take_if(|looking| looking.is_finished()) {
            let found = looking.await.ok().flatten();
            let pause = FIRST_COUNT_INTERVAL.saturating_mul(1 << self.looks.min(10)).min(MAX_COUNT_INTERVAL);
            self.next = Some(Instant::now() + pause);
            self.looks += 1;
            self.found = found.map(|found| Providers { others: found as u64, more: found >= MAX_COUNTED });
        }
        let is_due = self.next.is_none_or(|next| next <= Instant::now());
        if self.looking.is_none() && is_due && status.dht_peers + status.lan_dht_peers > 0 {
            let node = node.clone();
            let counting =
                async move { timeout(COUNT_TIMEOUT, node.other_providers(&root, MAX_COUNTED)).await.ok()?.ok() };
            self.looking = Some(AbortOnDropHandle::new(tokio::spawn(counting)));
        }
    }
}

fn broken(error: tokio::task::JoinError) -> Error {
    Error::new(Kind::Unexpected, "reading what is published broke off").caused_by(error)
}
