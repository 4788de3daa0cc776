//! How a node in the swarm can be reached, in words, and what helps. Pure.

use crate::node::Providers;
use crate::swarm::{AddressSource, DEFAULT_PORT, ExternalAddress, Providing, Reachability, Status};
use crate::text::{count, printable_within};

/// Addresses that are named.
const MAX_NAMED: usize = 3;

/// What helps where no peer answers.
const ALONE_ADVICE: &str = "Nobody in the swarm answers: check that this machine reaches the internet and that no firewall stops port 4001 \
                            (TCP and UDP), or name peers that answer with `--swarm-peer`. Over HTTP everything is given out all the same.";

/// How a node can be reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reach {
    /// How it is, in fragments.
    pub(super) sentences: Vec<String>,
    /// Whether others get through; nothing while nobody has tried.
    pub(super) reachable: Option<bool>,
    /// What helps where others can't reach it, in whole sentences.
    pub(super) advice: Vec<String>,
    /// Who else provides the newest root, once that was looked up.
    pub(super) providers: Option<Providers>,
}

impl Reach {
    /// What is known of a node.
    pub(super) fn of(status: &Status) -> Self {
        let mut sentences = vec![reachable(status)];
        sentences.push(format!(
            "{} connected, {} known",
            count(status.peers, "peer", "peers"),
            count(status.dht_peers + status.lan_dht_peers, "member of the DHT", "members of the DHT")
        ));
        sentences.extend(provided(status));
        let given: u64 = status.served.iter().map(|(_, bytes)| bytes).sum();
        if given > 0 {
            let peers = count(status.served.len() as u64, "peer", "peers");
            sentences.push(format!("gave {} to {peers}", crate::text::bytes(given)));
        }
        let advice: Vec<String> = advice(status).map(str::to_owned).into_iter().collect();
        let reachable = match status.reachability {
            _ if status.external.iter().any(is_direct) => Some(true),
            Reachability::Public => Some(true),
            Reachability::Private => Some(false),
            Reachability::Unknown => None,
        };
        Self { sentences, reachable, advice, providers: None }
    }

    /// The same of a node that has known nobody for a while.
    pub(super) fn alone(mut self) -> Self {
        self.sentences.push("nobody in the swarm answers".to_owned());
        self.advice.push(ALONE_ADVICE.to_owned());
        self
    }

    /// The same, with who else provides the newest root.
    pub(super) fn with_providers(mut self, providers: Option<Providers>) -> Self {
        self.sentences.extend(providers.map(|providers| providers.to_string()));
        self.providers = providers;
        self
    }
}

/// Says that the usual port was taken when this node began; 0 stands for one that the system chose.
pub(super) fn other_port(port: u16) -> String {
    let on = if port == 0 { "a port that is free".to_owned() } else { format!("port {port}") };
    format!("listens on {on}, since another program has port {DEFAULT_PORT}")
}

/// Whether peers connect to this address themselves; what the owner announces is no proof.
fn is_direct(external: &ExternalAddress) -> bool {
    matches!(external.source, AddressSource::Tried | AddressSource::Forwarded)
}

fn advice(status: &Status) -> Option<&'static str> {
    (status.reachability == Reachability::Private && !status.external.iter().any(is_direct)).then_some(
        "Peers do not get through to this machine: forward the port in the router (TCP and UDP), switch UPnP on, use IPv6, or let a \
         follower on a public machine give out what it holds.",
    )
}

fn reachable(status: &Status) -> String {
    let by = |source: AddressSource| -> Vec<&str> {
        let found = status.external.iter().filter(|external| external.source == source);
        found.map(|external| external.address.as_str()).take(MAX_NAMED).collect()
    };
    let announced = match status.reachability {
        Reachability::Private => ("announced as", "others did not get through"),
        Reachability::Public => ("reachable at", "as announced; others got through"),
        Reachability::Unknown => ("reachable at", "as announced; nobody has tried it yet"),
    };
    for (source, (what, how)) in [
        (AddressSource::Tried, ("reachable at", "others got through")),
        (AddressSource::Forwarded, ("reachable at", "the router forwards the port")),
        (AddressSource::Announced, announced),
    ] {
        let addresses = by(source);
        if !addresses.is_empty() {
            return format!("{what} {}: {how}", printable_within(&addresses.join(", "), 300));
        }
    }
    match status.reachability {
        Reachability::Private => {
            let helped = match status.relays {
                0 => "no relay passes connections on",
                _ => "a relay passes connections on for hole punching, which works with many peers and not with all",
            };
            format!("behind NAT: others did not get through, and {helped}")
        }
        Reachability::Public => "reachable: others got through".to_owned(),
        Reachability::Unknown if status.listening.is_empty() => "listens nowhere in the swarm".to_owned(),
        Reachability::Unknown => "whether others get through is not known yet: nobody has tried".to_owned(),
    }
}

fn provided(status: &Status) -> Option<String> {
    // Members of the local network's DHT are asked as well, but only one of the two has any where there is one network.
    let Providing { total, provided, failed } =
        if status.providing.provided > 0 || status.dht_peers > 0 { status.providing } else { status.lan_providing };
    if total == 0 {
        return None;
    }
    let failed = match failed {
        0 => String::new(),
        1 => "; 1 is tried again, since nobody took it".to_owned(),
        failed => format!("; {failed} are tried again, since nobody took them"),
    };
    Some(format!("provided {provided} of {} in the DHT{failed}", count(total, "block", "blocks")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn external(address: &str, source: AddressSource) -> ExternalAddress {
        ExternalAddress { address: address.to_owned(), source }
    }

    #[test]
    fn what_is_known_best_is_said() {
        let mut status = Status { listening: vec!["/ip4/10.0.0.2/tcp/4001".into()], ..Status::default() };
        let first = |status: &Status| Reach::of(status).sentences.remove(0);
        assert_eq!(first(&status), "whether others get through is not known yet: nobody has tried");
        status.reachability = Reachability::Private;
        assert!(first(&status).starts_with("behind NAT: others did not get through, and no relay"));
        assert!(Reach::of(&status).advice[0].contains("forward the port"));
        assert_eq!(Reach::of(&status).reachable, Some(false));
        status.external.push(external("/ip4/192.0.2.2/tcp/4001", AddressSource::Announced));
        assert_eq!(first(&status), "announced as /ip4/192.0.2.2/tcp/4001: others did not get through");
        assert!(!Reach::of(&status).advice.is_empty());
        status.external.push(external("/ip4/192.0.2.1/tcp/4001", AddressSource::Forwarded));
        assert_eq!(first(&status), "reachable at /ip4/192.0.2.1/tcp/4001: the router forwards the port");
        status.external.push(external("/ip6/2001:db8::1/tcp/4001", AddressSource::Tried));
        assert_eq!(first(&status), "reachable at /ip6/2001:db8::1/tcp/4001: others got through");
        assert!(Reach::of(&status).advice.is_empty());
        assert_eq!(Reach::of(&status).reachable, Some(true));
        let alone = Reach::of(&Status::default()).alone();
        assert_eq!(alone.sentences.last().map(String::as_str), Some("nobody in the swarm answers"));
        assert!(alone.advice[0].contains("--swarm-peer"));
        assert_eq!(other_port(4002), "listens on port 4002, since another program has port 4001");
    }

    #[test]
    fn progress_and_failures_are_told() {
        let status = Status {
            peers: 2,
            lan_dht_peers: 1,
            lan_providing: Providing { total: 3, provided: 2, failed: 1 },
            served: vec![("12D3Koo".into(), 3 << 20), ("Qm".into(), 1 << 20)],
            ..Status::default()
        };
        let others =
            |others, more| Reach::default().with_providers(Some(Providers { others, more })).sentences.remove(0);
        assert_eq!(others(0, false), "nobody else provides the root in the DHT");
        assert_eq!(others(1, false), "1 other provides the root in the DHT");
        assert_eq!(others(20, true), "at least 20 others provide the root in the DHT");
        assert_eq!(
            Reach::of(&status).sentences[1..],
            [
                "2 peers connected, 1 member of the DHT known",
                "provided 2 of 3 blocks in the DHT; 1 is tried again, since nobody took it",
                "gave 4.0 MiB to 2 peers",
            ]
        );
    }
}
