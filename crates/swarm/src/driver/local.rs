//! Nodes of the local network, as they announce themselves by multicast DNS (libp2p specs, discovery/mdns.md).

use std::collections::HashMap;

use libp2p::multiaddr::Protocol;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId, Swarm, mdns};

use super::network::Network;
use crate::dht::Scope;

/// Members of the local DHT that are enough to find the others by.
const ENOUGH_LOCAL_PEERS: usize = 32;
/// Nodes that are dialled for one announcement, which may name many.
const MAX_DIALS: usize = 8;
/// Addresses of one node that are tried.
const MAX_ADDRESSES: usize = 8;
/// Announced addresses that are remembered. A network with more of them is under attack, and is not listened to any more.
const MAX_ANNOUNCED: usize = 4096;

/// The protocol, where the system lets it be spoken.
pub(super) fn behaviour(own_id: PeerId, is_wanted: bool) -> Toggle<mdns::tokio::Behaviour> {
    let behaviour = is_wanted.then(|| mdns::tokio::Behaviour::new(mdns::Config::default(), own_id));
    let behaviour = behaviour.and_then(|behaviour| {
        behaviour.inspect_err(|error| tracing::warn!(%error, "nodes of the local network can't be discovered")).ok()
    });
    behaviour.into()
}

/// Connects to nodes that have announced themselves: those that are members of the local DHT tell there who has what.
pub(super) fn discovered(swarm: &mut Swarm<Network>, found: Vec<(PeerId, Multiaddr)>) {
    let network = swarm.behaviour_mut();
    if network.mdns.as_ref().is_some_and(|mdns| mdns.discovered_nodes().len() > MAX_ANNOUNCED) {
        tracing::warn!(
            "more than {MAX_ANNOUNCED} addresses are announced on the local network: no further ones are taken"
        );
        network.mdns = None.into();
    }
    if network.dht_peers(Scope::Lan) >= ENOUGH_LOCAL_PEERS {
        return;
    }
    let mut peers: HashMap<PeerId, Vec<Multiaddr>> = HashMap::new();
    for (peer, address) in found {
        let is_known = peers.contains_key(&peer);
        // Whoever announces itself with an address elsewhere would make this node dial a third party.
        let is_by_ip = matches!(address.iter().next(), Some(Protocol::Ip4(_) | Protocol::Ip6(_)));
        if !is_by_ip || !Scope::Lan.admits(&address) || (peers.len() >= MAX_DIALS && !is_known) {
            continue;
        }
        let addresses = peers.entry(peer).or_default();
        if addresses.len() < MAX_ADDRESSES {
            addresses.push(address);
        }
    }
    for (peer, addresses) in peers {
        let condition = PeerCondition::DisconnectedAndNotDialing;
        let options = DialOpts::peer_id(peer).condition(condition).addresses(addresses).build();
        if let Err(error) = swarm.dial(options) {
            tracing::debug!(%error, "can't dial a node of the local network");
        }
    }
}
