//! The fetch sessions that run: whom they dial and ask, and who waits for which block.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cid::Cid;
use libp2p::swarm::ConnectionId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId, Swarm};
use tokio::sync::oneshot;

use super::dialing::Dialing;
use super::network::Network;
use super::queries::Queries;
use crate::bitswap::{Ask, Want, WantType};
use crate::fetch::{Action, Missing, PeerReport, Scheduler};

/// Peers of one session.
const MAX_PEERS: usize = 32;
/// How long to wait before providers are looked for again.
const SEARCH_INTERVAL: Duration = Duration::from_secs(30);
/// With so many peers, no further ones are looked for.
const ENOUGH_PEERS: usize = 4;

/// Who is told of a block.
pub(crate) type Answer = oneshot::Sender<Result<Bytes, Missing>>;

struct Running {
    scheduler: Scheduler,
    waiting: HashMap<Cid, Vec<Answer>>,
    dialing: Dialing,
    /// The block whose providers are asked.
    providers_of: Option<Cid>,
    /// Questions to the DHTs that run.
    searches: usize,
    next_search: Instant,
    has_searched: bool,
    members: HashSet<PeerId>,
    /// Providers that are being dialled.
    dialled: HashSet<PeerId>,
}

/// All sessions.
#[derive(Default)]
pub(crate) struct Sessions {
    running: HashMap<u64, Running>,
    /// Decreases with each want: earlier ones come first at the peer as well.
    priority: i32,
    dirty: bool,
}

impl Sessions {
    pub(crate) fn is_idle(&self) -> bool {
        self.running.values().all(|session| session.scheduler.is_idle())
    }

    /// Whether something has happened since [`Self::advance`].
    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty
    }

    pub(crate) fn open(&mut self, id: u64, peers: Vec<Multiaddr>, providers_of: Option<Cid>, timeout: Duration) {
        let now = Instant::now();
        let session = Running {
            scheduler: Scheduler::new(timeout),
            waiting: HashMap::new(),
            dialing: Dialing::new(peers.into_iter().take(MAX_PEERS), now),
            providers_of,
            searches: 0,
            next_search: now,
            has_searched: false,
            members: HashSet::new(),
            dialled: HashSet::new(),
        };
        self.running.insert(id, session);
        self.dirty = true;
    }

    pub(crate) fn close(&mut self, swarm: &mut Swarm<Network>, id: u64) {
        let Some(mut session) = self.running.remove(&id) else { return };
        let mut actions = Vec::new();
        for cid in session.waiting.keys() {
            session.scheduler.forget(cid, Instant::now(), &mut actions);
        }
        self.say(swarm, &actions);
        for peer in &session.members {
            self.count_outstanding(swarm, peer);
            swarm.behaviour_mut().bitswap.release(peer);
        }
    }

    pub(crate) fn want(&mut self, id: u64, cid: Cid, answer: Answer) {
        let Some(session) = self.running.get_mut(&id) else { return };
        session.waiting.entry(cid).or_default().push(answer);
        session.scheduler.want(cid, Instant::now());
        self.dirty = true;
    }

    /// Somebody does not wait any more.
    pub(crate) fn unwant(&mut self, swarm: &mut Swarm<Network>, id: u64, cid: &Cid) {
        let Some(session) = self.running.get_mut(&id) else { return };
        let Some(waiting) = session.waiting.get_mut(cid) else { return };
        waiting.retain(|answer| !answer.is_closed());
        if waiting.is_empty() {
            session.waiting.remove(cid);
            let mut actions = Vec::new();
            session.scheduler.forget(cid, Instant::now(), &mut actions);
            self.say(swarm, &actions);
            self.dirty = true;
        }
    }

    pub(crate) fn report(&self, id: u64) -> Vec<PeerReport> {
        let now = Instant::now();
        let peers = self.running.get(&id).into_iter().flat_map(|session| session.scheduler.peers());
        let report = |(peer, state): (&PeerId, &crate::fetch::PeerState)| PeerReport {
            peer: *peer,
            connected: state.connected,
            put_back: state.is_put_back(now),
            bytes: state.bytes(),
            outstanding: state.outstanding(),
        };
        peers.map(report).collect()
    }

    pub(crate) fn connected(&mut self, swarm: &mut Swarm<Network>, peer: PeerId, id: ConnectionId) {
        let now = Instant::now();
        for session in self.running.values_mut() {
            let asked_for = session.dialing.connected(id, peer, now) || session.dialling(&peer);
            session.dialled.remove(&peer);
            if asked_for || session.members.contains(&peer) {
                session.join(swarm, peer, now);
                self.dirty = true;
            }
        }
    }

    pub(crate) fn dial_failed(&mut self, peer: Option<PeerId>, id: ConnectionId) {
        for session in self.running.values_mut() {
            let own = session.dialing.failed(id, Instant::now());
            let provider = peer.is_some_and(|peer| session.dialled.remove(&peer));
            self.dirty |= own || provider;
        }
    }

    /// The last connection to a peer has closed.
    pub(crate) fn disconnected(&mut self, peer: &PeerId) {
        for session in self.running.values_mut().filter(|session| session.members.contains(peer)) {
            session.scheduler.peer_gone(peer);
            self.dirty = true;
        }
    }

    /// One of several connections to a peer has closed: what was asked over it may be lost.
    pub(crate) fn lost_a_connection(&mut self, peer: &PeerId) {
        for session in self.running.values_mut().filter(|session| session.members.contains(peer)) {
            session.scheduler.peer_gone(peer);
            session.scheduler.peer_connected(*peer, Instant::now());
            self.dirty = true;
        }
    }

    pub(crate) fn unsupported(&mut self, peer: &PeerId) {
        for session in self.running.values_mut().filter(|session| session.members.contains(peer)) {
            session.scheduler.peer_useless(peer, Instant::now());
            self.dirty = true;
        }
    }

    pub(crate) fn block(&mut self, swarm: &mut Swarm<Network>, peer: &PeerId, cid: &Cid, data: &Bytes) {
        let (now, mut actions) = (Instant::now(), Vec::new());
        for session in self.running.values_mut() {
            if session.scheduler.block(peer, cid, data.len(), now, &mut actions) {
                for answer in session.waiting.remove(cid).unwrap_or_default() {
                    let _ = answer.send(Ok(data.clone()));
                }
            }
        }
        self.say(swarm, &actions);
        self.dirty = true;
    }

    /// Something that was not asked for.
    pub(crate) fn foreign(&mut self, swarm: &mut Swarm<Network>, peer: &PeerId) {
        let (now, mut actions) = (Instant::now(), Vec::new());
        for session in self.running.values_mut() {
            session.scheduler.lied(peer, now, &mut actions);
        }
        self.say(swarm, &actions);
        self.dirty = true;
    }

    pub(crate) fn presence(&mut self, peer: &PeerId, cid: &Cid, have: bool) {
        for session in self.running.values_mut() {
            session.scheduler.presence(peer, cid, have, Instant::now());
        }
        self.dirty = true;
    }

    pub(crate) fn providers(&mut self, swarm: &mut Swarm<Network>, id: u64, peers: Vec<PeerId>) {
        let own_id = *swarm.local_peer_id();
        let Some(session) = self.running.get_mut(&id) else { return };
        self.dirty = true;
        for peer in peers.into_iter().filter(|peer| *peer != own_id) {
            if session.members.len() + session.dialled.len() >= MAX_PEERS {
                return;
            }
            if swarm.is_connected(&peer) {
                session.join(swarm, peer, Instant::now());
            } else if session.dialled.insert(peer) {
                let condition = PeerCondition::DisconnectedAndNotDialing;
                let dial = swarm.dial(DialOpts::peer_id(peer).condition(condition).build());
                if dial.is_err_and(|error| !matches!(error, libp2p::swarm::DialError::DialPeerConditionFalse(_))) {
                    session.dialled.remove(&peer);
                }
            }
        }
    }

    pub(crate) fn search_ended(&mut self, id: u64) {
        if let Some(session) = self.running.get_mut(&id) {
            session.searches = session.searches.saturating_sub(1);
            session.has_searched = true;
            self.dirty = true;
        }
    }

    /// Dials, searches, asks and gives up, as it is time for.
    pub(crate) fn advance(&mut self, swarm: &mut Swarm<Network>, queries: &mut Queries) {
        self.dirty = false;
        let (now, mut actions) = (Instant::now(), Vec::new());
        for (id, session) in &mut self.running {
            if session.scheduler.is_idle() {
                continue;
            }
            session.dial(swarm, now);
            session.search(swarm, queries, *id, now);
            session.scheduler.advance(now, &mut actions);
            for action in &actions {
                if let Action::Fail(cid, why) = action {
                    for answer in session.waiting.remove(cid).unwrap_or_default() {
                        let _ = answer.send(Err(*why));
                    }
                }
            }
            actions.retain(|action| !matches!(action, Action::Fail(..)));
        }
        self.say(swarm, &actions);
        for peer in self.running.values().flat_map(|session| &session.members) {
            self.count_outstanding(swarm, peer);
        }
    }

    /// Puts together what is said to each peer.
    fn say(&mut self, swarm: &mut Swarm<Network>, actions: &[Action]) {
        let mut asks: HashMap<PeerId, Vec<Ask>> = HashMap::new();
        for action in actions {
            match action {
                Action::Ask(peer, cid) => {
                    self.priority = self.priority.checked_sub(1).filter(|priority| *priority > 0).unwrap_or(i32::MAX);
                    let want = Want { cid: *cid, priority: self.priority, kind: WantType::Block, send_dont_have: true };
                    asks.entry(*peer).or_default().push(Ask::Want(want));
                }
                Action::Cancel(peer, cid) => asks.entry(*peer).or_default().push(Ask::Cancel(*cid)),
                Action::Fail(..) => {}
            }
        }
        for (peer, asks) in asks {
            self.count_outstanding(swarm, &peer);
            swarm.behaviour_mut().bitswap.ask(peer, asks);
        }
    }

    fn count_outstanding(&self, swarm: &mut Swarm<Network>, peer: &PeerId) {
        let count = self.running.values().map(|session| session.scheduler.outstanding(peer)).sum();
        swarm.behaviour_mut().bitswap.set_outstanding(peer, count);
    }
}

impl Running {
    fn dialling(&self, peer: &PeerId) -> bool {
        self.dialled.contains(peer) || self.dialing.peers().any(|other| other == *peer)
    }

    fn join(&mut self, swarm: &mut Swarm<Network>, peer: PeerId, now: Instant) {
        if self.members.len() < MAX_PEERS || self.members.contains(&peer) {
            if self.members.insert(peer) {
                swarm.behaviour_mut().bitswap.hold(peer);
            }
            self.scheduler.peer_connected(peer, now);
        }
    }

    fn dial(&mut self, swarm: &mut Swarm<Network>, now: Instant) {
        let connected: Vec<PeerId> = self.dialing.peers().filter(|peer| swarm.is_connected(peer)).collect();
        for peer in connected {
            self.dialing.is_connected(&peer);
            self.join(swarm, peer, now);
        }
        for (index, address) in self.dialing.due(now, |peer| swarm.is_connected(peer)) {
            let options = DialOpts::from(address);
            let id = options.connection_id();
            match swarm.dial(options) {
                Ok(()) => self.dialing.started(index, id),
                Err(_) => self.dialing.postpone(index, now),
            }
        }
    }

    fn search(&mut self, swarm: &mut Swarm<Network>, queries: &mut Queries, id: u64, now: Instant) {
        let few = self.scheduler.connected() < ENOUGH_PEERS || self.scheduler.is_starving();
        if let Some(cid) = &self.providers_of
            && few
            && self.searches == 0
            && now >= self.next_search
        {
            self.searches = queries.search(swarm.behaviour_mut(), cid.hash(), id);
            // While no member of a DHT is known, that may change soon.
            let wait = if self.searches == 0 { Duration::from_secs(1) } else { SEARCH_INTERVAL };
            self.next_search = now + wait;
        }
        let searching = self.searches > 0 || (self.providers_of.is_some() && !self.has_searched);
        self.scheduler.set_searching(searching || self.dialing.is_hopeful() || !self.dialled.is_empty());
    }
}
