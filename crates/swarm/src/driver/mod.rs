//! The task that owns the swarm: takes commands, hears what happens, and decides what follows.

mod connections;
mod dialing;
mod local;
mod network;
mod queries;
mod reachability;
mod relays;
mod sessions;
mod write_buffer;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use cid::Cid;
use cid::multihash::Multihash;
use futures::StreamExt as _;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, identify, mdns, relay, upnp};
use tokio::sync::{mpsc, oneshot};

use self::dialing::Dialing;
use self::network::{Network, NetworkEvent};
use self::queries::{Outcome, Queries};
use self::reachability::Reach;
use self::relays::{HOP_PROTOCOL, Relays};
use self::sessions::{Answer, Sessions};
use crate::addresses::is_relayed;
use crate::bitswap;
use crate::blocks::Blocks;
use crate::dht::{ProvideKey, Scope};
use crate::error::{Error, Result};
use crate::fetch::PeerReport;
use crate::options::Options;
use crate::status::{AddressSource, Event, Reachability, Status};

/// How often timeouts are looked at while something is fetched, and else.
const BUSY_INTERVAL: Duration = Duration::from_millis(200);
const QUIET_INTERVAL: Duration = Duration::from_secs(2);
/// With so many members known, the DHT holds itself together.
const ENOUGH_DHT_PEERS: usize = 4;
/// Commands that are carried out before anything else has its turn.
const COMMANDS_PER_TURN: usize = 256;
/// Peers in a status.
const MAX_SERVED_PEERS: usize = 32;
/// Addresses of one member of the DHT.
const MAX_MEMBER_ADDRESSES: usize = 8;
/// How long connections may take to be closed at the end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// What the owner of the node, or of one of its sessions, asks for.
#[derive(Debug)]
pub(crate) enum Command {
    Provide(Vec<ProvideKey>),
    PutRecord { name: Multihash<64>, value: Vec<u8>, answer: oneshot::Sender<Result<()>> },
    GetRecord { name: Multihash<64>, answer: oneshot::Sender<Result<Option<Vec<u8>>>> },
    Providers { key: Multihash<64>, limit: usize, answer: oneshot::Sender<Result<Vec<PeerId>>> },
    Status(oneshot::Sender<Status>),
    OpenSession { session: u64, peers: Vec<Multiaddr>, providers_of: Option<Cid>, timeout: Duration },
    CloseSession(u64),
    Want { session: u64, cid: Cid, answer: Answer },
    Unwant { session: u64, cid: Cid },
    Report { session: u64, answer: oneshot::Sender<Vec<PeerReport>> },
    Shutdown,
}

/// The swarm and everything that is known beside it.
pub(crate) struct Driver {
    swarm: Swarm<Network>,
    commands: mpsc::UnboundedReceiver<Command>,
    events: mpsc::Sender<Event>,
    missed: u64,
    nat: bool,
    reach: Reach,
    relays: Relays,
    queries: Queries,
    sessions: Sessions,
    bootstrap: Dialing,
    kept: Dialing,
}

impl Driver {
    /// A node that listens at all addresses that it can.
    pub(crate) fn new(
        options: Options,
        blocks: Arc<dyn Blocks>,
        commands: mpsc::UnboundedReceiver<Command>,
        events: mpsc::Sender<Event>,
    ) -> Result<Self> {
        let swarm = network::build(&options, blocks)?;
        let now = Instant::now();
        let mut driver = Self {
            swarm,
            commands,
            events,
            missed: 0,
            nat: options.nat,
            reach: Reach::default(),
            relays: Relays::default(),
            queries: Queries::new(options.record_rule),
            sessions: Sessions::default(),
            bootstrap: Dialing::new(options.bootstrap, now),
            kept: Dialing::new(options.dial, now),
        };
        driver.listen(&options.listen)?;
        for peer in driver.bootstrap.peers().chain(driver.kept.peers()).collect::<Vec<_>>() {
            driver.swarm.behaviour_mut().connections.trust(peer);
        }
        for address in options.external {
            driver.swarm.add_external_address(address.clone());
            driver.confirmed(&address, AddressSource::Configured);
        }
        Ok(driver)
    }

    pub(crate) fn peer_id(&self) -> PeerId {
        *self.swarm.local_peer_id()
    }

    /// Fails only if none of the addresses will do: a machine without IPv6 serves all the same.
    fn listen(&mut self, addresses: &[Multiaddr]) -> Result<()> {
        let mut failed = Vec::new();
        for address in addresses {
            if let Err(error) = self.swarm.listen_on(address.clone()) {
                failed.push((address.clone(), error.to_string()));
            }
        }
        let all = failed.len() == addresses.len();
        for (address, reason) in failed {
            if all {
                return Err(Error::Listen { address, reason });
            }
            self.tell(Event::ListenFailed { address: Some(address), reason });
        }
        Ok(())
    }

    /// Until the owner is gone or asks for the end.
    pub(crate) async fn run(mut self) {
        let mut ticked = Instant::now();
        loop {
            let interval = if self.sessions.is_idle() { QUIET_INTERVAL } else { BUSY_INTERVAL };
            tokio::select! {
                command = self.commands.recv() => match command {
                    None | Some(Command::Shutdown) => break,
                    Some(command) => if self.take_commands(command) { break },
                },
                event = self.swarm.select_next_some() => {
                    self.on_event(event);
                    if !self.sessions.is_dirty() {
                        continue;
                    }
                }
                () = tokio::time::sleep_until((ticked + interval).into()) => {
                    ticked = Instant::now();
                    self.tick();
                }
            }
            self.sessions.advance(&mut self.swarm, &mut self.queries);
        }
        Box::pin(self.shut_down()).await;
    }

    /// `true` if the end was asked for.
    fn take_commands(&mut self, first: Command) -> bool {
        let mut next = Some(first);
        for _ in 0..COMMANDS_PER_TURN {
            match next {
                None => break,
                Some(Command::Shutdown) => return true,
                Some(command) => self.carry_out(command),
            }
            next = self.commands.try_recv().ok();
        }
        if let Some(command) = next {
            self.carry_out(command);
        }
        false
    }

    fn carry_out(&mut self, command: Command) {
        let network = self.swarm.behaviour_mut();
        match command {
            Command::Provide(keys) => {
                self.queries.provide(network, &keys, Instant::now());
                self.advance_queries();
            }
            Command::PutRecord { name, value, answer } => self.queries.put(network, &name, &value, answer),
            Command::GetRecord { name, answer } => self.queries.get(network, name, answer),
            Command::Providers { key, limit, answer } => self.queries.providers(network, &key, limit, answer),
            Command::Status(answer) => drop(answer.send(self.status())),
            Command::OpenSession { session, peers, providers_of, timeout } => {
                self.sessions.open(session, peers, providers_of, timeout);
            }
            Command::CloseSession(session) => self.sessions.close(&mut self.swarm, session),
            Command::Want { session, cid, answer } => self.sessions.want(session, cid, answer),
            Command::Unwant { session, cid } => self.sessions.unwant(&mut self.swarm, session, &cid),
            Command::Report { session, answer } => drop(answer.send(self.sessions.report(session))),
            Command::Shutdown => {}
        }
    }

    fn status(&mut self) -> Status {
        let peer_id = *self.swarm.local_peer_id();
        let listening = self.swarm.listeners().cloned().collect();
        let peers = self.swarm.connected_peers().count();
        let network = self.swarm.behaviour_mut();
        let is_server = |kad: &mut libp2p::kad::Behaviour<_>| kad.mode() == libp2p::kad::Mode::Server;
        Status {
            peer_id,
            listening,
            external: self.reach.external(),
            reachability: self.reach.reachability(),
            relays: self.relays.reservations().to_vec(),
            peers,
            connections: network.connections.total() as u32,
            dht_peers: (network.dht_peers(Scope::Wan), network.dht_peers(Scope::Lan)),
            dht_server: network.dht(Scope::Wan).is_some_and(is_server),
            providing: self.queries.providing(Scope::Wan),
            providing_lan: self.queries.providing(Scope::Lan),
            served: network.bitswap.served(MAX_SERVED_PEERS),
        }
    }

    /// Tells the owner, who may be slow: what it does not take gets lost, and that is told.
    fn tell(&mut self, event: Event) {
        if self.missed > 0 && self.events.try_send(Event::Missed(self.missed)).is_ok() {
            self.missed = 0;
        }
        if self.missed > 0 || self.events.try_send(event).is_err() {
            self.missed += 1;
        }
    }

    fn tick(&mut self) {
        let now = Instant::now();
        Self::dial(&mut self.swarm, &mut self.kept, now);
        let network = self.swarm.behaviour_mut();
        if network.dht_peers(Scope::Wan) + network.dht_peers(Scope::Lan) < ENOUGH_DHT_PEERS {
            Self::dial(&mut self.swarm, &mut self.bootstrap, now);
        }
        if self.nat && self.reach.reachability() == Reachability::Private && !self.reach.is_direct() {
            while let Some((peer, address)) = self.relays.next() {
                if let Ok(id) = self.swarm.listen_on(address) {
                    self.relays.listening(id, peer);
                }
            }
        }
        self.advance_queries();
    }

    fn advance_queries(&mut self) {
        let has_external = self.reach.has_external();
        self.queries.advance(self.swarm.behaviour_mut(), has_external, Instant::now());
    }

    fn dial(swarm: &mut Swarm<Network>, dialing: &mut Dialing, now: Instant) {
        for (index, address) in dialing.due(now, |peer| swarm.is_connected(peer)) {
            let options = DialOpts::from(address);
            let id = options.connection_id();
            match swarm.dial(options) {
                Ok(()) => dialing.started(index, id),
                Err(_) => dialing.postpone(index, now),
            }
        }
    }

    fn on_event(&mut self, event: SwarmEvent<NetworkEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_protocol(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, .. } => self.connected(peer_id, connection_id),
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } => self.sessions.disconnected(&peer_id),
            SwarmEvent::ConnectionClosed { peer_id, .. } => self.sessions.lost_a_connection(&peer_id),
            SwarmEvent::OutgoingConnectionError { connection_id, peer_id, .. } => {
                let now = Instant::now();
                if !self.kept.failed(connection_id, now) && !self.bootstrap.failed(connection_id, now) {
                    self.sessions.dial_failed(peer_id, connection_id);
                }
            }
            SwarmEvent::NewListenAddr { address, .. } => self.tell(Event::Listening(address)),
            SwarmEvent::ListenerClosed { listener_id, addresses, reason } => {
                self.relays.closed(listener_id);
                if let Err(error) = reason {
                    self.tell(Event::ListenFailed { address: addresses.into_iter().next(), reason: error.to_string() });
                }
            }
            SwarmEvent::ListenerError { error, .. } => {
                self.tell(Event::ListenFailed { address: None, reason: error.to_string() });
            }
            SwarmEvent::ExternalAddrConfirmed { address } => self.confirmed(&address, AddressSource::Autonat),
            SwarmEvent::ExternalAddrExpired { address } => self.expired(address),
            _ => {}
        }
    }

    fn on_protocol(&mut self, event: NetworkEvent) {
        match event {
            NetworkEvent::Bitswap(event) => self.on_bitswap(event),
            NetworkEvent::Wan(event) => self.on_dht(Scope::Wan, event),
            NetworkEvent::Lan(event) => self.on_dht(Scope::Lan, event),
            NetworkEvent::Identify(identify::Event::Received { peer_id, info, .. }) => self.identified(peer_id, &info),
            NetworkEvent::Autonat(event) => {
                if let Some(reachability) = self.reach.tried(event.result.is_ok()) {
                    self.tell(Event::Reachability(reachability));
                }
            }
            NetworkEvent::Mdns(mdns::Event::Discovered(found)) => local::discovered(&mut self.swarm, found),
            NetworkEvent::Upnp(upnp::Event::NewExternalAddr { external_addr, .. }) => {
                self.confirmed(&external_addr, AddressSource::Upnp);
            }
            NetworkEvent::Relay(relay::client::Event::ReservationReqAccepted { relay_peer_id, .. }) => {
                self.relays.reserved(relay_peer_id);
            }
            _ => {}
        }
    }

    fn on_bitswap(&mut self, event: bitswap::Event) {
        match event {
            bitswap::Event::Block { peer, cid, data } => self.sessions.block(&mut self.swarm, &peer, &cid, &data),
            bitswap::Event::Foreign { peer } => self.sessions.foreign(&mut self.swarm, &peer),
            bitswap::Event::Presence { peer, cid, have } => self.sessions.presence(&peer, &cid, have),
            bitswap::Event::Unsupported { peer } => self.sessions.unsupported(&peer),
        }
    }

    fn on_dht(&mut self, scope: Scope, event: libp2p::kad::Event) {
        for outcome in self.queries.on_event(self.swarm.behaviour_mut(), scope, event) {
            match outcome {
                Outcome::Provided(key) => self.tell(Event::Provided { key, at: SystemTime::now() }),
                Outcome::ProvideFailed(key) => self.tell(Event::ProvideFailed { key }),
                Outcome::Providers { session, peers } => self.sessions.providers(&mut self.swarm, session, peers),
                Outcome::SearchEnded { session } => self.sessions.search_ended(session),
            }
        }
        self.advance_queries();
    }

    fn connected(&mut self, peer: PeerId, id: ConnectionId) {
        let now = Instant::now();
        if self.kept.connected(id, peer, now) {
            self.swarm.behaviour_mut().connections.trust(peer);
            self.swarm.behaviour_mut().bitswap.hold(peer);
        } else if !self.bootstrap.connected(id, peer, now) {
            self.sessions.connected(&mut self.swarm, peer, id);
        }
    }

    /// A peer has said which protocols it speaks and where it listens.
    fn identified(&mut self, peer: PeerId, info: &identify::Info) {
        for scope in [Scope::Wan, Scope::Lan] {
            let Some(kad) = self.swarm.behaviour_mut().dht(scope) else { continue };
            if !info.protocols.contains(&scope.protocol()) {
                continue;
            }
            let known = kad.kbucket(peer).and_then(|bucket| {
                let entry = bucket.iter().find(|entry| *entry.node.key.preimage() == peer)?;
                Some(entry.node.value.len())
            });
            // Whoever says ever other addresses gets no more of them than the first ones.
            let space = MAX_MEMBER_ADDRESSES.saturating_sub(known.unwrap_or(0));
            for address in info.listen_addrs.iter().filter(|address| scope.admits(address)).take(space) {
                kad.add_address(&peer, address.clone());
            }
        }
        if self.nat && info.protocols.contains(&HOP_PROTOCOL) {
            let direct = |address: &&Multiaddr| Scope::Wan.admits(address) && !is_relayed(address);
            if let Some(address) = info.listen_addrs.iter().find(direct) {
                self.relays.found(peer, address.clone());
            }
        }
        self.advance_queries();
    }

    fn confirmed(&mut self, address: &Multiaddr, source: AddressSource) {
        let Some(external) = self.reach.confirmed(address, source) else { return };
        if self.reach.has_moved(address) {
            // What was provided before names addresses that are gone.
            self.queries.renew();
        }
        self.set_dht_mode();
        if self.reach.is_direct() {
            for id in self.relays.listeners() {
                self.swarm.remove_listener(id);
            }
        }
        self.tell(Event::External(external));
        self.advance_queries();
    }

    fn expired(&mut self, address: Multiaddr) {
        if self.reach.expired(&address) {
            self.set_dht_mode();
            self.tell(Event::ExternalLost(address));
        }
    }

    /// Who can be reached answers the questions of others.
    fn set_dht_mode(&mut self) {
        let mode = if self.reach.is_direct() { libp2p::kad::Mode::Server } else { libp2p::kad::Mode::Client };
        if let Some(kad) = self.swarm.behaviour_mut().dht(Scope::Wan)
            && kad.mode() != mode
        {
            kad.set_mode(Some(mode));
        }
    }

    /// Closes what is open, so that peers know at once.
    async fn shut_down(mut self) {
        for peer in self.swarm.connected_peers().copied().collect::<Vec<_>>() {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let closed = async {
            while self.swarm.connected_peers().next().is_some() {
                self.swarm.select_next_some().await;
            }
        };
        let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, closed).await;
    }
}
