//! Relays at which this node can be called while nobody gets through to it directly. They are for hole punching; blocks take the
//! direct connection that follows. Pure.

use std::collections::{HashMap, VecDeque};

use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::StreamProtocol;
use libp2p::{Multiaddr, PeerId};

/// A peer that speaks this passes connections on (circuit relay v2).
pub(crate) const HOP_PROTOCOL: StreamProtocol = StreamProtocol::new("/libp2p/circuit/relay/0.2.0/hop");
/// Relays that are remembered, and those that are used.
const MAX_KNOWN: usize = 16;
const MAX_USED: usize = 2;

/// Relays, known and used.
#[derive(Debug, Default)]
pub(crate) struct Relays {
    known: VecDeque<(PeerId, Multiaddr)>,
    used: HashMap<ListenerId, PeerId>,
    reserved: Vec<PeerId>,
}

impl Relays {
    /// A connected peer that passes connections on.
    pub(crate) fn found(&mut self, peer: PeerId, address: Multiaddr) {
        if self.known.iter().any(|(known, _)| *known == peer) {
            return;
        }
        if self.known.len() >= MAX_KNOWN {
            self.known.pop_front();
        }
        self.known.push_back((peer, address));
    }

    /// The next relay to listen at, if one more is needed. Each is tried once, until it is found again.
    pub(crate) fn next(&mut self) -> Option<(PeerId, Multiaddr)> {
        if self.used.len() >= MAX_USED {
            return None;
        }
        let (peer, mut address) = self.known.pop_front()?;
        if !matches!(address.iter().last(), Some(Protocol::P2p(_))) {
            address.push(Protocol::P2p(peer));
        }
        address.push(Protocol::P2pCircuit);
        Some((peer, address))
    }

    pub(crate) fn listening(&mut self, id: ListenerId, peer: PeerId) {
        self.used.insert(id, peer);
    }

    pub(crate) fn reserved(&mut self, peer: PeerId) {
        if !self.reserved.contains(&peer) {
            self.reserved.push(peer);
        }
    }

    pub(crate) fn closed(&mut self, id: ListenerId) {
        if let Some(peer) = self.used.remove(&id) {
            self.reserved.retain(|other| *other != peer);
        }
    }

    /// Where connections for this node are taken.
    pub(crate) fn reservations(&self) -> &[PeerId] {
        &self.reserved
    }

    /// Nobody needs them any more.
    pub(crate) fn listeners(&self) -> Vec<ListenerId> {
        self.used.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_relays_are_used_at_a_time() {
        let mut relays = Relays::default();
        let peers: Vec<PeerId> = (0..20).map(|_| PeerId::random()).collect();
        for peer in &peers {
            relays.found(*peer, "/ip4/1.1.1.1/tcp/1".parse().expect("an address"));
        }
        let first = ListenerId::next();
        for id in [first, ListenerId::next()] {
            let (peer, address) = relays.next().expect("a relay");
            assert_eq!(address.to_string(), format!("/ip4/1.1.1.1/tcp/1/p2p/{peer}/p2p-circuit"));
            relays.listening(id, peer);
            relays.reserved(peer);
        }
        assert_eq!(relays.next(), None);
        assert_eq!(relays.reservations(), &peers[4..6]);
        relays.closed(first);
        assert_eq!(relays.reservations(), &peers[5..6]);
        assert!(relays.next().is_some());
    }
}
