//! This program's part in the swarm, for whoever takes blocks and names from there: the node that serves, if one does, else a node
//! that only takes, begun when it is asked first.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;
use tokio::time::{Instant, sleep};

use crate::error::{Kind, Result};
use crate::ipns::{Name, PrivateKey};
use crate::node::source::{BlockSource, NameAnswer, NameRecords};
use crate::swarm::{self, Bootstrap, FetchOptions, Node, NothingGiven, Options, SwarmBlocks, SwarmRecords};

/// How long a node that has begun may know no member of the DHT.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(15);
const BEGIN_RETRY_DELAY: Duration = Duration::from_millis(200);

/// The node by which a data directory takes from the swarm.
#[derive(Debug, Default)]
pub struct SwarmMember {
    local_discovery: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    node: Option<Node>,
    /// Counts the nodes that there were: what was opened by a former one is opened again.
    nodes: u64,
    /// Whom a node that is begun here begins with; none for the public DHT.
    peers: Vec<String>,
    /// When the node was asked for a record first.
    begun: Option<Instant>,
    /// The root that is taken or held: who provides it has the rest.
    root: Option<Cid>,
}

impl SwarmMember {
    /// One that has not begun; `local_discovery` is whether it finds others on the local network, and tells them of itself.
    pub fn new(local_discovery: bool) -> Self {
        Self { local_discovery, state: Mutex::default() }
    }

    /// Whether a node of this data directory finds others on the local network, unless it is told whom to begin with.
    pub fn local_discovery(&self) -> bool {
        self.local_discovery
    }

    /// Takes by this node from now on.
    pub fn join(&self, node: Node) {
        let mut state = self.state();
        (state.node, state.nodes) = (Some(node), state.nodes + 1);
    }

    /// The node has ended: another one is begun when it is asked for.
    pub fn leave(&self) {
        let mut state = self.state();
        (state.node, state.nodes, state.begun) = (None, state.nodes + 1, None);
    }

    fn nodes(&self) -> u64 {
        self.state().nodes
    }

    /// Begins with these peers in place of the public DHT, if it has not begun yet.
    ///
    /// Fails with `Usage` for what is no multiaddr.
    pub fn begin_with(&self, peers: &[String]) -> Result<()> {
        self.state().peers = peers.iter().map(|peer| swarm::address(peer)).collect::<Result<_>>()?;
        Ok(())
    }

    /// The same, and begins again where it has begun with others.
    pub fn begin_again_with(&self, peers: &[String]) -> Result<()> {
        let before = self.state().peers.clone();
        self.begin_with(peers)?;
        if self.state().peers != before {
            self.leave();
        }
        Ok(())
    }

    /// Asks the providers of this root from now on.
    pub(in crate::engine) fn seek(&self, root: Option<Cid>) {
        self.state().root = root;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The node; one that begins with these peers, if they are known by their IDs, else with the public DHT.
    fn node(&self, peers: &[String]) -> Result<Node> {
        let mut state = self.state();
        if let Some(node) = &state.node {
            return Ok(node.clone());
        }
        let mut options = Options::new(PrivateKey::generate()?);
        options.traversal = true;
        options.local_discovery = self.local_discovery;
        let known: Vec<String> =
            state.peers.iter().chain(peers.iter().filter(|peer| peer.contains("/p2p/"))).cloned().collect();
        if !known.is_empty() || !peers.is_empty() {
            options.bootstrap = Bootstrap::Peers(known);
        }
        let (node, mut events) = Node::start(&options, Arc::new(NothingGiven))?;
        // Nobody waits for them, and the node need not count them.
        tokio::spawn(async move { while events.next().await.is_some() {} });
        state.node = Some(node.clone());
        Ok(node)
    }
}

/// Blocks from the swarm, of peers that are named and of whoever provides what is sought.
#[derive(Debug)]
pub(in crate::engine) struct MemberBlocks {
    member: Arc<SwarmMember>,
    peers: Vec<String>,
    opened: Mutex<Option<Opened>>,
}

#[derive(Debug, Clone)]
struct Opened {
    root: Option<Cid>,
    nodes: u64,
    blocks: Arc<SwarmBlocks>,
}

impl MemberBlocks {
    pub(in crate::engine) fn new(member: Arc<SwarmMember>, peers: Vec<String>) -> Self {
        Self { member, peers, opened: Mutex::default() }
    }

    fn blocks(&self) -> Result<Arc<SwarmBlocks>> {
        let (root, nodes) = {
            let state = self.member.state();
            (state.root, state.nodes)
        };
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = opened.as_ref().filter(|known| known.root == root && known.nodes == nodes) {
            return Ok(Arc::clone(&known.blocks));
        }
        let node = self.member.node(&self.peers)?;
        let options = FetchOptions { peers: self.peers.clone(), providers_of: root, ..FetchOptions::default() };
        let blocks = Arc::new(SwarmBlocks::new(node, &options)?);
        *opened = Some(Opened { root, nodes, blocks: Arc::clone(&blocks) });
        Ok(blocks)
    }
}

#[async_trait]
impl BlockSource for MemberBlocks {
    fn place(&self) -> String {
        place(&self.peers)
    }

    async fn block(&self, cid: &Cid) -> Result<Option<Bytes>> {
        self.blocks()?.block(cid).await
    }

    fn at_once(&self) -> usize {
        SwarmBlocks::AT_ONCE
    }
}

/// Records of names from the DHT.
#[derive(Debug)]
pub(in crate::engine) struct MemberRecords {
    member: Arc<SwarmMember>,
    peers: Vec<String>,
    records: Mutex<Option<(u64, Arc<SwarmRecords>)>>,
}

impl MemberRecords {
    pub(in crate::engine) fn new(member: Arc<SwarmMember>, peers: Vec<String>) -> Self {
        Self { member, peers, records: Mutex::default() }
    }

    fn records(&self) -> Result<Arc<SwarmRecords>> {
        let nodes = self.member.nodes();
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, records)) = records.as_ref().filter(|(of, _)| *of == nodes) {
            return Ok(Arc::clone(records));
        }
        let made = Arc::new(SwarmRecords::new(self.member.node(&self.peers)?));
        *records = Some((nodes, Arc::clone(&made)));
        Ok(made)
    }
}

#[async_trait]
impl NameRecords for MemberRecords {
    fn place(&self) -> String {
        place(&self.peers)
    }

    async fn record(&self, name: &Name) -> Result<NameAnswer> {
        let records = self.records()?;
        let begun = self.member.state().begun.get_or_insert_with(Instant::now).to_owned();
        loop {
            match records.record(name).await {
                // A node that has just begun knows nobody yet.
                Err(error) if error.kind() == Kind::Network && begun.elapsed() < BEGIN_TIMEOUT => {
                    sleep(BEGIN_RETRY_DELAY).await;
                }
                answer => return answer,
            }
        }
    }

    fn forget(&self) {
        if let Some((_, records)) = &*self.records.lock().unwrap_or_else(PoisonError::into_inner) {
            records.forget();
        }
    }
}

fn place(peers: &[String]) -> String {
    match peers {
        [] => "the swarm".to_owned(),
        [one] => one.clone(),
        [one, rest @ ..] => {
            format!("{one} and {}", crate::text::count(rest.len() as u64, "other peer", "other peers"))
        }
    }
}
