//! The protocols of a node and the transports below them, put together. Decides nothing while it runs.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{PeerId, SwarmBuilder, autonat, dcutr, identify, kad, mdns, noise, ping, relay, tcp, tls, upnp, yamux};

use super::write_buffer::Muxer;
use super::{connections, local};
use crate::bitswap;
use crate::blocks::Blocks;
use crate::dht::{DhtStore, Scope, Scoped};
use crate::error::{Error, Result};
use crate::options::{Dht, Options};

/// Streams of one connection. Each may make us hold 256 KiB that nobody reads.
const MAX_STREAMS: usize = 128;
/// What a QUIC peer may send before it is read: on one stream, and in all.
const MAX_QUIC_STREAM_BYTES: u32 = 4 << 20;
const MAX_QUIC_CONNECTION_BYTES: u32 = 6 << 20;
/// Incoming streams of one connection that say which protocol they are for.
const MAX_NEGOTIATING_STREAMS: usize = 32;
/// How long a connection that no protocol needs stays open.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one lookup in the DHT may take.
const QUERY_TIMEOUT: Duration = Duration::from_mins(1);
/// Members of the local network's DHT that are known at each distance (BEP 5 has as many). Room for all of them is set aside at once.
const MAX_LAN_BUCKET_PEERS: NonZeroUsize = NonZeroUsize::new(8).expect("8 is more than nothing");
/// How long an incoming or outgoing connection may take to be set up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// What all nodes that speak with Kubo call their protocols.
const PROTOCOL_VERSION: &str = "ipfs/0.1.0";

#[derive(NetworkBehaviour)]
pub(crate) struct Network {
    // First, so that what it refuses is nothing to the others.
    pub(crate) connections: connections::Behaviour,
    pub(crate) bitswap: bitswap::Behaviour,
    pub(crate) identify: identify::Behaviour,
    pub(crate) ping: ping::Behaviour,
    pub(crate) wan: Toggle<Scoped>,
    pub(crate) lan: Toggle<Scoped>,
    pub(crate) relay: relay::client::Behaviour,
    pub(crate) dcutr: Toggle<dcutr::Behaviour>,
    pub(crate) autonat: Toggle<autonat::v2::client::Behaviour>,
    pub(crate) autonat_server: Toggle<autonat::v2::server::Behaviour>,
    pub(crate) upnp: Toggle<upnp::tokio::Behaviour>,
    pub(crate) mdns: Toggle<mdns::tokio::Behaviour>,
}

impl Network {
    /// One of the two DHTs, if this node is a member of it.
    pub(crate) fn dht(&mut self, scope: Scope) -> Option<&mut kad::Behaviour<DhtStore>> {
        let dht = match scope {
            Scope::Lan => &mut self.lan,
            Scope::Wan => &mut self.wan,
        };
        dht.as_mut().map(|dht| &mut dht.kad)
    }

    /// Members of a DHT that are known.
    pub(crate) fn dht_peers(&mut self, scope: Scope) -> usize {
        self.dht(scope).map_or(0, |kad| kad.kbuckets().map(|bucket| bucket.num_entries()).sum())
    }
}

fn dht(own_id: PeerId, scope: Scope, is_member: bool) -> Toggle<Scoped> {
    let behaviour = is_member.then(|| {
        let mut config = kad::Config::new(scope.protocol());
        // What is to be put again is put by its owner; a job would put all of it at once.
        config.set_provider_publication_interval(None);
        config.set_publication_interval(None);
        config.set_replication_interval(None);
        config.set_record_filtering(kad::StoreInserts::FilterBoth);
        config.set_query_timeout(QUERY_TIMEOUT);
        // By the addresses that a member says it has, and not by those that a connection happens to have.
        config.set_kbucket_inserts(kad::BucketInserts::Manual);
        if scope == Scope::Lan {
            config.set_kbucket_size(MAX_LAN_BUCKET_PEERS);
        }
        let mut kad = kad::Behaviour::with_config(own_id, DhtStore::new(own_id), config);
        kad.set_mode(Some(if scope == Scope::Lan { kad::Mode::Server } else { kad::Mode::Client }));
        Scoped::new(kad, scope)
    });
    behaviour.into()
}

fn muxer() -> Muxer {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(MAX_STREAMS);
    Muxer(config)
}

/// A swarm that listens nowhere yet.
pub(crate) fn build(options: &Options, blocks: Arc<dyn Blocks>) -> Result<libp2p::Swarm<Network>> {
    let transport = |error: &dyn std::fmt::Display| Error::Transport(error.to_string());
    let mut seed = options.seed;
    let key = Keypair::ed25519_from_bytes(&mut seed).map_err(|error| transport(&error))?;
    let limits = options.limits.at_least_usable(bitswap::MAX_ANSWER_BYTES);
    let behaviour = |key: &Keypair, relay| {
        let own_id = key.public().to_peer_id();
        let identity = identify::Config::new(PROTOCOL_VERSION.into(), key.public())
            .with_agent_version(options.agent.clone())
            .with_push_listen_addr_updates(true);
        Network {
            connections: connections::Behaviour::new(&limits),
            bitswap: bitswap::Behaviour::new(blocks, limits),
            identify: identify::Behaviour::new(identity),
            ping: ping::Behaviour::default(),
            wan: dht(own_id, Scope::Wan, matches!(options.dht, Dht::Wan | Dht::Auto)),
            lan: dht(own_id, Scope::Lan, matches!(options.dht, Dht::Lan | Dht::Auto)),
            relay,
            dcutr: options.nat.then(|| dcutr::Behaviour::new(own_id)).into(),
            autonat: options.nat.then(autonat::v2::client::Behaviour::default).into(),
            autonat_server: options.nat.then(autonat::v2::server::Behaviour::default).into(),
            upnp: options.nat.then(upnp::tokio::Behaviour::default).into(),
            mdns: local::behaviour(own_id, options.local_discovery),
        }
    };
    let swarm = SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), (tls::Config::new, noise::Config::new), muxer)
        .map_err(|error| transport(&error))?
        .with_quic_config(|mut config| {
            config.max_stream_data = MAX_QUIC_STREAM_BYTES;
            config.max_connection_data = MAX_QUIC_CONNECTION_BYTES;
            config.max_concurrent_stream_limit = MAX_STREAMS as u32;
            config
        })
        .with_dns()
        .map_err(Error::Resolver)?
        .with_relay_client((tls::Config::new, noise::Config::new), muxer)
        .map_err(|error| transport(&error))?
        .with_behaviour(behaviour)
        .map_err(|error| transport(&error))?
        .with_swarm_config(|config| {
            config
                .with_idle_connection_timeout(IDLE_TIMEOUT)
                .with_max_negotiating_inbound_streams(MAX_NEGOTIATING_STREAMS)
                .with_per_connection_event_buffer_size(4)
        })
        .with_connection_timeout(CONNECT_TIMEOUT)
        .build();
    Ok(swarm)
}
