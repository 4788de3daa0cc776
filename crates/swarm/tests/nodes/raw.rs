//! A peer that is connected like any other and writes what it likes on its bitswap streams.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::task::{Context, Poll};

use futures::{AsyncReadExt as _, StreamExt as _};
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::handler::{ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour,
    NotifyHandler, StreamProtocol, SubstreamProtocol, SwarmEvent, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{PeerId, Stream, SwarmBuilder, noise, tcp, yamux};
use tokio::sync::mpsc;

const PROTOCOL: StreamProtocol = StreamProtocol::new("/ipfs/bitswap/1.2.0");

type Open = mpsc::UnboundedSender<Stream>;

pub(crate) struct Handler {
    asked: VecDeque<Open>,
    opening: VecDeque<Open>,
    incoming: Open,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Open;
    type ToBehaviour = Infallible;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
    }

    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn on_behaviour_event(&mut self, open: Open) {
        self.asked.push_back(open);
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<Self::InboundProtocol, Self::OutboundProtocol>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, .. }) => {
                let _ = self.incoming.send(protocol);
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol, .. }) => {
                if let Some(open) = self.opening.pop_front() {
                    let _ = open.send(protocol);
                }
            }
            ConnectionEvent::DialUpgradeError(_) => drop(self.opening.pop_front()),
            _ => {}
        }
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<ReadyUpgrade<StreamProtocol>, (), Infallible>> {
        let Some(open) = self.asked.pop_front() else { return Poll::Pending };
        self.opening.push_back(open);
        let protocol = SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ());
        Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
    }
}

pub(crate) struct Behaviour {
    incoming: Open,
    events: VecDeque<(PeerId, Option<ConnectionId>, Open)>,
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler { asked: VecDeque::new(), opening: VecDeque::new(), incoming: self.incoming.clone() })
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler { asked: VecDeque::new(), opening: VecDeque::new(), incoming: self.incoming.clone() })
    }

    fn on_swarm_event(&mut self, _: FromSwarm) {}

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        match self.events.pop_front() {
            Some((peer_id, connection, event)) => {
                let handler = connection.map_or(NotifyHandler::Any, NotifyHandler::One);
                Poll::Ready(ToSwarm::NotifyHandler { peer_id, handler, event })
            }
            None => Poll::Pending,
        }
    }
}

enum Order {
    Open(PeerId, Option<ConnectionId>, Open),
    Dial(Multiaddr),
    Close(ConnectionId),
}

/// What happens to the peer's connections.
#[derive(Debug)]
pub(crate) enum Happened {
    Connected(ConnectionId),
    Closed(ConnectionId),
    Failed,
}

/// The peer; it ends when this is dropped.
pub(crate) struct Raw {
    pub(crate) peer_id: PeerId,
    /// Where it listens.
    pub(crate) address: Multiaddr,
    orders: mpsc::UnboundedSender<Order>,
    pub(crate) happened: mpsc::UnboundedReceiver<Happened>,
    /// Streams that others open.
    pub(crate) incoming: mpsc::UnboundedReceiver<Stream>,
}

impl Raw {
    pub(crate) async fn start() -> Self {
        let (incoming_sender, incoming) = mpsc::unbounded_channel();
        let (orders, mut taken) = mpsc::unbounded_channel();
        let (happens, happened) = mpsc::unbounded_channel();
        let mut swarm = SwarmBuilder::with_new_identity()
            .with_tokio()
            .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
            .expect("TCP")
            .with_behaviour(|_| Behaviour { incoming: incoming_sender, events: VecDeque::new() })
            .expect("a behaviour")
            .build();
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().expect("an address")).expect("loopback");
        let peer_id = *swarm.local_peer_id();
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break address.with_p2p(peer_id).expect("its own ID");
            }
        };
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    order = taken.recv() => match order {
                        None => break,
                        Some(Order::Open(peer, id, open)) => swarm.behaviour_mut().events.push_back((peer, id, open)),
                        Some(Order::Dial(address)) => {
                            let options = libp2p::swarm::dial_opts::DialOpts::from(address);
                            swarm.dial(options).expect("an address that can be dialled");
                        }
                        Some(Order::Close(id)) => drop(swarm.close_connection(id)),
                    },
                    event = swarm.select_next_some() => {
                        let _ = match event {
                            SwarmEvent::ConnectionEstablished { connection_id, .. } => {
                                happens.send(Happened::Connected(connection_id))
                            }
                            SwarmEvent::ConnectionClosed { connection_id, .. } => {
                                happens.send(Happened::Closed(connection_id))
                            }
                            SwarmEvent::OutgoingConnectionError { .. } => happens.send(Happened::Failed),
                            _ => Ok(()),
                        };
                    }
                }
            }
        });
        Self { peer_id, address, orders, happened, incoming }
    }

    /// A new connection, whatever there are already.
    pub(crate) async fn connect(&mut self, address: Multiaddr) -> Option<ConnectionId> {
        // Without the peer at its end, an address is dialled although there is a connection.
        let mut address = address;
        address.pop();
        self.orders.send(Order::Dial(address)).expect("it runs");
        match self.happened.recv().await {
            Some(Happened::Connected(id)) => Some(id),
            _ => None,
        }
    }

    pub(crate) fn close(&self, id: ConnectionId) {
        self.orders.send(Order::Close(id)).expect("it runs");
    }

    pub(crate) async fn open(&self, peer: PeerId, connection: Option<ConnectionId>) -> Option<Stream> {
        let (open, mut opened) = mpsc::unbounded_channel();
        self.orders.send(Order::Open(peer, connection, open)).expect("it runs");
        opened.recv().await
    }
}

/// The next message on a stream: its body.
pub(crate) async fn read_message(stream: &mut Stream) -> Option<Vec<u8>> {
    let mut length = 0_usize;
    for shift in (0..).step_by(7) {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.ok()?;
        length |= usize::from(byte[0] & 0x7f) << shift;
        if byte[0] < 0x80 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(body)
}

/// The fields of a protobuf message that have bytes.
pub(crate) fn fields(mut rest: &[u8]) -> Vec<(u64, Vec<u8>)> {
    fn number(rest: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, after) = rest.split_first().expect("a number");
            *rest = after;
            value |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                break;
            }
        }
        value
    }
    let mut found = Vec::new();
    while !rest.is_empty() {
        let key = number(&mut rest);
        let value = number(&mut rest);
        if key & 7 == 2 {
            let (data, after) = rest.split_at(value as usize);
            found.push((key >> 3, data.to_vec()));
            rest = after;
        }
    }
    found
}
