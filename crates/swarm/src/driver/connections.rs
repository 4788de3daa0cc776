//! How many connections there may be: in all, of one peer, and how many that are still being set up.
//!
//! `libp2p::connection_limits` keeps an entry for each peer that ever connected; here whoever is gone leaves nothing. Knows no protocol.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::task::{Context, Poll};

use libp2p::PeerId;
use libp2p::core::transport::PortUse;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
    dummy,
};

use crate::limits::Limits;

/// Incoming connections that are not yet encrypted: each may take some seconds.
const MAX_PENDING_INBOUND: usize = 128;

/// Why a connection was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("there are too many connections")]
    All,
    #[error("the peer has too many connections")]
    Peer,
    #[error("too many connections are being set up")]
    Pending,
}

/// Counts connections and refuses those that are too many.
#[derive(Debug)]
pub(crate) struct Behaviour {
    all: usize,
    inbound: usize,
    per_peer: usize,
    established_inbound: usize,
    peers: HashMap<PeerId, usize>,
    total: usize,
    pending: HashSet<ConnectionId>,
    /// Peers that the owner of this node named: they always get in.
    trusted: HashSet<PeerId>,
}

impl Behaviour {
    pub(crate) fn new(limits: &Limits) -> Self {
        let all = limits.connections as usize;
        Self {
            all,
            inbound: all - all / 8,
            per_peer: limits.connections_per_peer as usize,
            established_inbound: 0,
            peers: HashMap::new(),
            total: 0,
            pending: HashSet::new(),
            trusted: HashSet::new(),
        }
    }

    pub(crate) fn trust(&mut self, peer: PeerId) {
        self.trusted.insert(peer);
    }

    pub(crate) fn total(&self) -> usize {
        self.total
    }

    fn check(&self, peer: &PeerId, is_inbound: bool) -> Result<(), Refused> {
        if self.peers.get(peer).copied().unwrap_or(0) >= self.per_peer {
            return Err(Refused::Peer);
        }
        let full = self.total >= self.all || (is_inbound && self.established_inbound >= self.inbound);
        if full && !self.trusted.contains(peer) { Err(Refused::All) } else { Ok(()) }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        if self.pending.len() >= MAX_PENDING_INBOUND {
            return Err(ConnectionDenied::new(Refused::Pending));
        }
        self.pending.insert(id);
        Ok(())
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.pending.remove(&id);
        self.check(&peer, true).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.check(&peer, false).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        match event {
            FromSwarm::ConnectionEstablished(established) => {
                self.total += 1;
                self.established_inbound += usize::from(established.endpoint.is_listener());
                *self.peers.entry(established.peer_id).or_default() += 1;
            }
            FromSwarm::ConnectionClosed(closed) => {
                self.total = self.total.saturating_sub(1);
                let inbound = usize::from(closed.endpoint.is_listener());
                self.established_inbound = self.established_inbound.saturating_sub(inbound);
                if let Some(count) = self.peers.get_mut(&closed.peer_id) {
                    *count -= 1;
                    if *count == 0 {
                        self.peers.remove(&closed.peer_id);
                    }
                }
            }
            FromSwarm::ListenFailure(failure) => {
                self.pending.remove(&failure.connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use libp2p::core::ConnectedPoint;
    use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished};

    use super::*;

    fn listener() -> ConnectedPoint {
        let address: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().expect("an address");
        ConnectedPoint::Listener { local_addr: address.clone(), send_back_addr: address }
    }

    fn connect(behaviour: &mut Behaviour, id: usize, peer: PeerId) -> bool {
        let id = ConnectionId::new_unchecked(id);
        let address = Multiaddr::empty();
        if behaviour.handle_established_inbound_connection(id, peer, &address, &address).is_err() {
            return false;
        }
        behaviour.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
            peer_id: peer,
            connection_id: id,
            endpoint: &listener(),
            failed_addresses: &[],
            other_established: 0,
        }));
        true
    }

    fn close(behaviour: &mut Behaviour, id: usize, peer: PeerId) {
        behaviour.on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
            peer_id: peer,
            connection_id: ConnectionId::new_unchecked(id),
            endpoint: &listener(),
            cause: None,
            remaining_established: 0,
        }));
    }

    #[test]
    fn limits_hold_and_whoever_is_gone_leaves_nothing() {
        let limits = Limits { connections: 8, connections_per_peer: 2, ..Limits::default() };
        let mut behaviour = Behaviour::new(&limits);
        let peer = PeerId::random();
        assert!(connect(&mut behaviour, 1, peer) && connect(&mut behaviour, 2, peer));
        assert!(!connect(&mut behaviour, 3, peer));
        let accepted = (10..30).filter(|id| connect(&mut behaviour, *id, PeerId::random())).count();
        assert_eq!(accepted, 5, "an eighth is kept for outgoing ones");
        let trusted = PeerId::random();
        assert!(!connect(&mut behaviour, 40, trusted));
        behaviour.trust(trusted);
        assert!(connect(&mut behaviour, 40, trusted));
        close(&mut behaviour, 1, peer);
        close(&mut behaviour, 2, peer);
        close(&mut behaviour, 40, trusted);
        assert_eq!((behaviour.total(), behaviour.peers.len(), behaviour.established_inbound), (5, 5, 5));
    }
}
