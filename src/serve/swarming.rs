//! Gives what is published out to the swarm, beside HTTP: blocks by bitswap, what there is by the DHT, and records of names there.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use cid::Cid;
use cid::multihash::Multihash;
use tokio::sync::Mutex;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::PublishedSource;
use super::gateway::PublishedBlocks as _;
use super::reach;
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::ipns::Name;
use crate::swarm::{Bootstrap, Event, Events, GivenBlocks, Node, Options, Status, default_addresses};

/// How often it is looked whether something else is to be provided, or said.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How often what was provided is written down.
const KEEP_INTERVAL: Duration = Duration::from_secs(5);
/// How often a record is put into the DHT again, which forgets it after 48 hours.
const PUT_INTERVAL: Duration = Duration::from_hours(4);
/// How long it is waited after a record was not taken; doubled each time.
const FIRST_RETRY_DELAY: Duration = Duration::from_secs(2);
const MAX_RETRY_DELAY: Duration = Duration::from_mins(10);
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
}

/// A record that is put into the DHT.
#[derive(Debug)]
struct Put {
    record: Bytes,
    due: Instant,
    failures: u32,
    running: bool,
}

struct Given(Arc<PublishedSource>);

impl GivenBlocks for Given {
    fn size(&self, cid: &Cid) -> Result<Option<u64>> {
        self.0.size(cid)
    }

    fn read(&self, cid: &Cid, out: &mut Vec<u8>) -> Result<bool> {
        let Some(size) = self.0.size(cid)? else { return Ok(false) };
        let begin = out.len();
        out.resize(begin + usize::try_from(size).unwrap_or_default(), 0);
        let read = self.0.read(cid, 0, &mut out[begin..]);
        if !matches!(read, Ok(Some(count)) if count as u64 == size) {
            out.truncate(begin);
        }
        Ok(read?.is_some_and(|count| count as u64 == size))
    }
}

impl Swarming {
    /// Starts the node. Has to be called inside of a runtime.
    pub(super) fn start(engine: Arc<Engine>, source: Arc<PublishedSource>, how: &SwarmOptions) -> Result<Self> {
        let mut options = Options::new(engine.node_key()?);
        options.listen = if how.listen.is_empty() { default_addresses().0 } else { how.listen.clone() };
        options.announced.clone_from(&how.announced);
        options.traversal = how.peers.is_empty();
        if !how.peers.is_empty() {
            options.bootstrap = Bootstrap::Peers(how.peers.clone());
        }
        options.upload_bytes_per_second = how.upload_bytes_per_second;
        let (node, events) = Node::start(&options, Arc::new(Given(Arc::clone(&source))))?;
        // What this data directory follows is taken by the same node.
        engine.swarm().join(node.clone());
        Ok(Self { engine, source, node, events: Mutex::new(events) })
    }

    /// Provides what is published, keeps records in the DHT, and says how the node is, until this is dropped.
    pub(super) async fn keep(&self, say: impl Fn(&Status, Vec<String>)) {
        let mut events = self.events.lock().await;
        let mut ticks = interval(LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut provided, mut kept) = (Vec::new(), Instant::now());
        let mut roots = None;
        let mut puts: HashMap<Name, Put> = HashMap::new();
        let mut putting: JoinSet<(Name, Result<()>)> = JoinSet::new();
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
                Some(done) = putting.join_next() => match done {
                    Ok((name, outcome)) => note(&mut puts, name, outcome),
                    Err(error) => tracing::error!(%error, "putting a record into the DHT broke off"),
                },
                _ = ticks.tick() => {
                    let now = self.source.roots();
                    if roots.as_ref() != Some(&now) {
                        match self.provide().await {
                            Ok(()) => roots = Some(now),
                            Err(error) => tracing::warn!(%error, "can't provide what is published"),
                        }
                    }
                    if let Err(error) = self.put_due(&mut puts, &mut putting).await {
                        tracing::warn!(%error, "can't read the records of names");
                    }
                    if kept.elapsed() >= KEEP_INTERVAL {
                        kept = Instant::now();
                        self.keep_provided(std::mem::take(&mut provided)).await;
                    }
                    if let Ok(Ok(status)) = timeout(STATUS_TIMEOUT, self.node.status()).await {
                        let unput = puts.values().filter(|put| put.failures > 0).count();
                        say(&status, reach::sentences(&status, unput));
                    }
                }
            }
        }
    }

    async fn provide(&self) -> Result<()> {
        let engine = Arc::clone(&self.engine);
        let keys = spawn_blocking(move || engine.blocks_to_provide()).await.map_err(broken)??;
        self.node.provide(keys)
    }

    /// Puts those records into the DHT that are new, or were put long ago.
    async fn put_due(&self, puts: &mut HashMap<Name, Put>, putting: &mut JoinSet<(Name, Result<()>)>) -> Result<()> {
        let engine = Arc::clone(&self.engine);
        let names = spawn_blocking(move || engine.own_names()).await.map_err(broken)??;
        puts.retain(|name, _| names.iter().any(|own| own.name == *name));
        for own in names {
            let begun = Put { record: Bytes::new(), due: Instant::now(), failures: 0, running: false };
            let put = puts.entry(own.name).or_insert(begun);
            if put.record != own.bytes {
                put.record = own.bytes;
                put.due = Instant::now();
            }
            if put.running || put.due > Instant::now() {
                continue;
            }
            put.running = true;
            put.due = Instant::now() + PUT_INTERVAL;
            let (node, name, record) = (self.node.clone(), own.name, put.record.clone());
            putting.spawn(async move { (name, node.put_record(&name, &record).await) });
        }
        Ok(())
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

fn note(puts: &mut HashMap<Name, Put>, name: Name, outcome: Result<()>) {
    let Some(put) = puts.get_mut(&name) else { return };
    put.running = false;
    match outcome {
        Ok(()) => {
            tracing::info!(%name, "put a record into the DHT");
            put.failures = 0;
        }
        Err(error) => {
            let delay = FIRST_RETRY_DELAY.saturating_mul(1 << put.failures.min(10)).min(MAX_RETRY_DELAY);
            put.failures = put.failures.saturating_add(1);
            put.due = Instant::now() + delay;
            tracing::info!(%name, %error, "the DHT took no record");
        }
    }
}

fn broken(error: tokio::task::JoinError) -> Error {
    Error::new(Kind::Unexpected, "reading what is published broke off").caused_by(error)
}
