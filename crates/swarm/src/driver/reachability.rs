//! At which addresses this node is reached and how that is known, and what AutoNAT says. Pure.

use std::collections::BTreeMap;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

use crate::addresses::is_relayed;
use crate::status::{AddressSource, ExternalAddress, Reachability};

/// Peers that have to fail before this node counts as unreachable: one may be at fault itself.
const MIN_FAILURES: u32 = 3;

/// What is known of this node's reachability.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    external: BTreeMap<Multiaddr, AddressSource>,
    /// The last address, after which there was none.
    lost: Option<Multiaddr>,
    failures: u32,
    reachability: Reachability,
}

/// Without the peer ID at its end, which is the same for all of this node's addresses.
fn bare(address: &Multiaddr) -> Multiaddr {
    let mut address = address.clone();
    if !is_relayed(&address) && matches!(address.iter().last(), Some(Protocol::P2p(_))) {
        address.pop();
    }
    address
}

impl Reach {
    /// An address at which others get through; the event to tell if it is new.
    pub(crate) fn confirmed(&mut self, address: &Multiaddr, source: AddressSource) -> Option<ExternalAddress> {
        let address = bare(address);
        let source = if is_relayed(&address) { AddressSource::Relay } else { source };
        if let Some(known) = self.external.get_mut(&address) {
            // The swarm confirms what the router forwards before the protocol says so.
            if (*known, source) == (AddressSource::Autonat, AddressSource::Upnp) {
                *known = source;
            }
            return None;
        }
        self.external.insert(address.clone(), source);
        Some(ExternalAddress { address, source })
    }

    /// `true` if the address was one.
    pub(crate) fn expired(&mut self, address: &Multiaddr) -> bool {
        let address = bare(address);
        let was_one = self.external.remove(&address).is_some();
        if was_one && self.external.is_empty() {
            self.lost = Some(address);
        }
        was_one
    }

    /// Whether this address is the first one again, and another one than before. What was remembered of an earlier run is no reason
    /// to say everything anew: who finds an old address in a record looks for the peer by its ID.
    pub(crate) fn has_moved(&self, address: &Multiaddr) -> bool {
        self.external.len() == 1 && self.lost.as_ref().is_some_and(|lost| *lost != bare(address))
    }

    pub(crate) fn external(&self) -> Vec<ExternalAddress> {
        let address = |(address, source): (&Multiaddr, &AddressSource)| ExternalAddress {
            address: address.clone(),
            source: *source,
        };
        self.external.iter().map(address).collect()
    }

    pub(crate) fn has_external(&self) -> bool {
        !self.external.is_empty()
    }

    /// Whether others may connect without a relay.
    pub(crate) fn is_direct(&self) -> bool {
        self.external.values().any(|source| *source != AddressSource::Relay)
    }

    pub(crate) fn reachability(&self) -> Reachability {
        self.reachability
    }

    /// A peer tried to connect; the new state if it is another one.
    pub(crate) fn tried(&mut self, got_through: bool) -> Option<Reachability> {
        let before = self.reachability;
        if got_through {
            self.failures = 0;
            self.reachability = Reachability::Public;
        } else if before != Reachability::Public {
            self.failures += 1;
            if self.failures >= MIN_FAILURES {
                self.reachability = Reachability::Private;
            }
        }
        (before != self.reachability).then_some(self.reachability)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().expect("an address")
    }

    const PEER: &str = "/p2p/12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8";

    #[test]
    fn an_address_is_told_once_and_keeps_its_best_source() {
        let mut reach = Reach::default();
        let (plain, long) = (address("/ip4/1.1.1.1/tcp/1"), address(&format!("/ip4/1.1.1.1/tcp/1{PEER}")));
        assert!(reach.confirmed(&plain, AddressSource::Autonat).is_some());
        assert!(reach.confirmed(&long, AddressSource::Upnp).is_none());
        assert!(reach.confirmed(&long, AddressSource::Autonat).is_none());
        assert!(reach.is_direct());
        assert_eq!(reach.external(), [ExternalAddress { address: plain, source: AddressSource::Upnp }]);
        assert!(reach.expired(&long) && !reach.has_external());
    }

    #[test]
    fn only_another_address_than_the_lost_one_is_a_move() {
        let (one, two) = (address("/ip4/1.1.1.1/tcp/1"), address("/ip4/2.2.2.2/tcp/1"));
        let mut reach = Reach::default();
        let confirm = |reach: &mut Reach, address: &Multiaddr| {
            assert!(reach.confirmed(address, AddressSource::Autonat).is_some());
            reach.has_moved(address)
        };
        assert!(!confirm(&mut reach, &one), "a start is no move");
        assert!(reach.expired(&one));
        assert!(!confirm(&mut reach, &one));
        assert!(!confirm(&mut reach, &two), "the other one is still there");
        assert!(reach.expired(&two) && reach.expired(&one));
        assert!(confirm(&mut reach, &two));
    }

    #[test]
    fn a_relayed_address_is_one_by_itself() {
        let mut reach = Reach::default();
        let relayed = address(&format!("/ip4/1.1.1.1/tcp/1{PEER}/p2p-circuit{PEER}"));
        let told = reach.confirmed(&relayed, AddressSource::Autonat).expect("new");
        assert_eq!((told.source, told.address), (AddressSource::Relay, relayed));
    }

    #[test]
    fn one_peer_that_does_not_get_through_says_nothing() {
        let mut reach = Reach::default();
        assert_eq!([reach.tried(false), reach.tried(false)], [None, None]);
        assert_eq!(reach.tried(false), Some(Reachability::Private));
        assert_eq!(reach.tried(true), Some(Reachability::Public));
        assert_eq!([reach.tried(false), reach.tried(false), reach.tried(false)], [None; 3]);
    }
}
