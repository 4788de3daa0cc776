//! One of the two DHTs that Kubo has: the public one, and the one of the local network.
//!
//! libp2p-kad names only confirmed external addresses in provider records. In the local network an address that is listened on is as
//! good as a confirmed one, so it is handed to that DHT as such, and to no other. Knows no queries.

use std::task::{Context, Poll};

use libp2p::PeerId;
use libp2p::core::transport::PortUse;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::kad;
use libp2p::swarm::behaviour::{ExternalAddrConfirmed, ExternalAddrExpired};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, StreamProtocol, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};

use super::store::DhtStore;
use crate::addresses::{is_public, is_relayed};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    Lan,
    Wan,
}

impl Scope {
    pub(crate) fn protocol(self) -> StreamProtocol {
        match self {
            Self::Lan => StreamProtocol::new("/ipfs/lan/kad/1.0.0"),
            Self::Wan => StreamProtocol::new("/ipfs/kad/1.0.0"),
        }
    }

    /// Whether members of this DHT may be reached at this address.
    pub(crate) fn admits(self, address: &Multiaddr) -> bool {
        match self {
            Self::Lan => !is_public(address) && !is_relayed(address),
            Self::Wan => is_public(address),
        }
    }
}

/// A DHT with what it is told of this node's addresses.
pub(crate) struct Scoped {
    pub(crate) kad: kad::Behaviour<DhtStore>,
    scope: Scope,
}

impl Scoped {
    pub(crate) fn new(kad: kad::Behaviour<DhtStore>, scope: Scope) -> Self {
        Self { kad, scope }
    }
}

impl NetworkBehaviour for Scoped {
    type ConnectionHandler = <kad::Behaviour<DhtStore> as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = kad::Event;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.kad.handle_pending_inbound_connection(id, local, remote)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.kad.handle_established_inbound_connection(id, peer, local, remote)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.kad.handle_pending_outbound_connection(id, peer, addresses, role)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.kad.handle_established_outbound_connection(id, peer, address, role, port_use)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        if self.scope == Scope::Lan {
            match event {
                FromSwarm::NewListenAddr(new) if !is_relayed(new.addr) => {
                    let addr = new.addr;
                    self.kad.on_swarm_event(FromSwarm::ExternalAddrConfirmed(ExternalAddrConfirmed { addr }));
                }
                FromSwarm::ExpiredListenAddr(old) => {
                    let addr = old.addr;
                    self.kad.on_swarm_event(FromSwarm::ExternalAddrExpired(ExternalAddrExpired { addr }));
                }
                _ => {}
            }
        }
        self.kad.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        self.kad.on_connection_handler_event(peer, id, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.kad.poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_belong_to_one_of_the_two() {
        let public =
            ["/ip4/1.1.1.1/tcp/1", "/ip6/2606::1/udp/1/quic-v1", "/dns4/example.org/tcp/1", "/ip4/100.1.1.1/tcp/1"];
        let private = [
            "/ip4/127.0.0.1/tcp/1",
            "/ip4/10.1.1.1/tcp/1",
            "/ip4/100.64.0.1/tcp/1",
            "/ip4/169.254.1.1/tcp/1",
            "/ip6/::1/tcp/1",
            "/ip6/fd00::1/tcp/1",
            "/ip6/fe80::1/tcp/1",
            "/dns4/box.local/tcp/1",
            "/memory/1",
        ];
        let both = |address: &str| {
            let address: Multiaddr = address.parse().expect("an address");
            (Scope::Wan.admits(&address), Scope::Lan.admits(&address))
        };
        assert!(public.iter().all(|address| both(address) == (true, false)));
        assert!(private.iter().all(|address| both(address) == (false, true)));
    }
}
