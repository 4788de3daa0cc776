//! Who is connected, what each peer was given, and what is said to whom.
//!
//! Hands the wants of a connection that closes to another one of the same peer. Knows no message and no stream.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use cid::Cid;
use libp2p::PeerId;
use libp2p::core::transport::PortUse;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished};
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm,
};

use super::handler::{Command, Handler, Report};
use super::message::Ask;
use super::peer::{Peer, Shared};
use crate::addresses::is_relayed;
use crate::blocks::Blocks;
use crate::limits::Limits;

/// Peers of which it is remembered how much they were given; the ones with the least are forgotten first.
const MAX_REMEMBERED_PEERS: usize = 1024;

/// What a peer said that we asked.
#[derive(Debug)]
pub(crate) enum Event {
    /// Hashed, so it is what its CID says.
    Block {
        peer: PeerId,
        cid: Cid,
        data: Bytes,
    },
    /// A block that is nothing we could have asked for.
    Foreign {
        peer: PeerId,
    },
    Presence {
        peer: PeerId,
        cid: Cid,
        have: bool,
    },
    /// The peer speaks no bitswap.
    Unsupported {
        peer: PeerId,
    },
}

/// Bitswap over all connections.
pub(crate) struct Behaviour {
    shared: Arc<Shared>,
    /// By the handlers of their connections.
    peers: HashMap<PeerId, Weak<Peer>>,
    connections: HashMap<PeerId, Vec<Connection>>,
    /// Peers whose connections stay open, and for how many.
    held: HashMap<PeerId, usize>,
    /// Bytes that peers were given over connections that have closed.
    served: HashMap<PeerId, u64>,
    events: VecDeque<ToSwarm<Event, Command>>,
    waker: Option<Waker>,
}

struct Connection {
    id: ConnectionId,
    is_relayed: bool,
    /// Held for its figures.
    state: Arc<Peer>,
}

impl Behaviour {
    pub(crate) fn new(blocks: Arc<dyn Blocks>, limits: Limits) -> Self {
        Self {
            shared: Shared::new(blocks, limits),
            peers: HashMap::new(),
            connections: HashMap::new(),
            held: HashMap::new(),
            served: HashMap::new(),
            events: VecDeque::new(),
            waker: None,
        }
    }

    /// Says something to a connected peer.
    pub(crate) fn ask(&mut self, peer: PeerId, asks: Vec<Ask>) {
        self.tell(peer, Command::Ask(asks));
    }

    /// How many blocks this peer was asked for: while there are none, what it sends is skipped.
    pub(crate) fn set_outstanding(&mut self, peer: &PeerId, count: usize) {
        if let Some(state) = self.peers.get(peer).and_then(Weak::upgrade) {
            state.set_outstanding(count);
        }
    }

    /// Connections to this peer stay open without being used, until [`Self::release`] was called as often.
    pub(crate) fn hold(&mut self, peer: PeerId) {
        let holders = self.held.entry(peer).or_default();
        *holders += 1;
        if *holders == 1 {
            self.tell_all(peer, true);
        }
    }

    pub(crate) fn release(&mut self, peer: &PeerId) {
        let Some(holders) = self.held.get_mut(peer) else { return };
        *holders -= 1;
        if *holders == 0 {
            self.held.remove(peer);
            self.tell_all(*peer, false);
        }
    }

    fn tell_all(&mut self, peer: PeerId, keep: bool) {
        for connection in self.connections.get(&peer).into_iter().flatten() {
            let handler = NotifyHandler::One(connection.id);
            self.events.push_back(ToSwarm::NotifyHandler { peer_id: peer, handler, event: Command::Keep(keep) });
        }
        self.wake();
    }

    /// Bytes of blocks that peers were given, the largest figures first.
    pub(crate) fn served(&self, count: usize) -> Vec<(PeerId, u64)> {
        let mut all = self.served.clone();
        for (peer, state) in &self.peers {
            if let Some(state) = state.upgrade()
                && state.served_bytes() > 0
            {
                *all.entry(*peer).or_default() += state.served_bytes();
            }
        }
        let mut all: Vec<(PeerId, u64)> = all.into_iter().collect();
        all.sort_unstable_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        all.truncate(count);
        all
    }

    /// Over a connection that carries blocks.
    fn tell(&mut self, peer: PeerId, command: Command) {
        let direct = |connection: &&Connection| !connection.is_relayed;
        if let Some(connection) = self.connections.get(&peer).and_then(|all| all.iter().find(direct)) {
            let handler = NotifyHandler::One(connection.id);
            self.events.push_back(ToSwarm::NotifyHandler { peer_id: peer, handler, event: command });
            self.wake();
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn handler(&mut self, peer: PeerId, address: &Multiaddr) -> Handler {
        let known = self.peers.get(&peer).and_then(Weak::upgrade);
        let state = known.unwrap_or_else(|| {
            // Connections that others refuse after this leave an entry that nobody holds.
            if self.peers.len() > 64 + 2 * self.connections.len() {
                self.peers.retain(|_, state| state.strong_count() > 0);
            }
            let state = Peer::new(&self.shared.limits);
            self.peers.insert(peer, Arc::downgrade(&state));
            state
        });
        Handler::new(Arc::clone(&self.shared), state, is_relayed(address), self.held.contains_key(&peer))
    }

    fn closed(&mut self, peer: PeerId, id: ConnectionId) {
        let Some(connections) = self.connections.get_mut(&peer) else { return };
        let Some(index) = connections.iter().position(|connection| connection.id == id) else { return };
        let closed = connections.swap_remove(index);
        if connections.is_empty() {
            self.connections.remove(&peer);
            self.peers.remove(&peer);
            self.remember(peer, closed.state.served_bytes());
        }
    }

    fn remember(&mut self, peer: PeerId, bytes: u64) {
        if bytes == 0 {
            return;
        }
        *self.served.entry(peer).or_default() += bytes;
        if self.served.len() > MAX_REMEMBERED_PEERS
            && let Some(least) = self.served.iter().min_by_key(|(_, bytes)| **bytes).map(|(peer, _)| *peer)
        {
            self.served.remove(&least);
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer, remote))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer, address))
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished { peer_id, connection_id, endpoint, .. }) => {
                let Some(state) = self.peers.get(&peer_id).and_then(Weak::upgrade) else { return };
                let connection = Connection { id: connection_id, is_relayed: endpoint.is_relayed(), state };
                self.connections.entry(peer_id).or_default().push(connection);
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, connection_id, .. }) => {
                self.closed(peer_id, connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, report: THandlerOutEvent<Self>) {
        let event = match report {
            Report::Block { cid, data } => Event::Block { peer, cid, data },
            Report::Foreign => Event::Foreign { peer },
            Report::Presence { cid, have } => Event::Presence { peer, cid, have },
            Report::Unsupported => Event::Unsupported { peer },
            Report::Stalled => {
                tracing::debug!(%peer, "connection closed: the peer takes nothing");
                let connection = CloseConnection::One(id);
                self.events.push_back(ToSwarm::CloseConnection { peer_id: peer, connection });
                return;
            }
            Report::HandOver(wants) => {
                let connections = self.connections.get(&peer);
                let other = |connection: &&Connection| connection.id != id && !connection.is_relayed;
                if let Some(other) = connections.and_then(|all| all.iter().find(other)) {
                    let handler = NotifyHandler::One(other.id);
                    let event = Command::Adopt(wants);
                    self.events.push_back(ToSwarm::NotifyHandler { peer_id: peer, handler, event });
                }
                return;
            }
        };
        self.events.push_back(ToSwarm::GenerateEvent(event));
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(event);
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
