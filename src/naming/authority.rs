//! The authoritative servers of a zone, all of them that can be reached: what they say together.
//!
//! They are found through the machine's resolver, or through one of them. Knows how a zone is spread; must not know how it is
//! changed.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::future::join_all;
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::net::lookup_host;
use tokio::time::{Instant, sleep, timeout};

use super::exchange::Server;
use super::question::{self, MAX_SERVERS, Said, shown};
use super::records::Records;
use super::{TxtSet, world};
use crate::error::{Error, Kind, Result};
use crate::text::{count, printable_within};

/// The port that servers named by a zone listen on.
const DNS_PORT: u16 = 53;
/// How long the servers may differ: a secondary is told at once, and then fetches.
const AGREEMENT_TIMEOUT: Duration = Duration::from_secs(5);
const RETRY_INTERVAL: Duration = Duration::from_millis(250);
/// How long finding the address of a server may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a server beside the one that was named may take for everything.
const SECONDARY_TIMEOUT: Duration = Duration::from_secs(4);
/// Aliases from zone to zone are followed so far.
const MAX_ZONE_ALIASES: usize = 4;

/// Where a zone's servers are found.
#[derive(Debug, Clone)]
pub(super) enum Authority {
    /// Through the resolver of this machine: the name servers of the nearest zone above the name.
    Delegated,
    /// This one has the zone and counts most; the others that it names are asked where they can be reached.
    Through {
        /// The one that is always asked.
        server: Server,
        /// The port of the others.
        port: u16,
    },
    /// These and no others; for tests.
    #[cfg(test)]
    Fixed(Vec<SocketAddr>),
}

/// What all servers say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Agreed {
    /// The name that the records are at.
    pub(super) at: Name,
    /// The records, as the first server has them.
    pub(super) records: Records,
}

impl Authority {
    /// Through a server whose zone is known to have its other servers on the usual port.
    pub(super) fn through(server: Server) -> Self {
        Self::Through { server, port: DNS_PORT }
    }

    /// The zone that a name is in.
    pub(super) async fn zone(&self, name: &Name) -> Result<Name> {
        if matches!(self, Self::Delegated) {
            return Ok(delegated(name).await?.0);
        }
        match self.servers(name).await?.first() {
            Some(server) => question::zone(server, name).await,
            None => Err(no_zone(name)),
        }
    }

    /// The set at a name, as all servers that can be reached say it.
    pub(super) async fn read(&self, text: &str) -> Result<TxtSet> {
        Ok(self.agreed(text).await?.records.read())
    }

    /// What all servers that can be reached have at a name, or at the name that it is an alias of.
    pub(super) async fn agreed(&self, text: &str) -> Result<Agreed> {
        let mut name = question::name(text)?;
        for _ in 0..MAX_ZONE_ALIASES {
            match self.of_one_zone(&name).await? {
                Said::Records { at, records } => return Ok(Agreed { at, records }),
                Said::Elsewhere(target) if matches!(self, Self::Delegated) => name = target,
                Said::Elsewhere(target) => return Err(elsewhere(&name, &target)),
            }
        }
        Err(Error::new(Kind::Network, format!("{} is an endless chain of aliases", printable_within(text, 260))))
    }

    async fn of_one_zone(&self, name: &Name) -> Result<Said> {
        let deadline = Instant::now() + AGREEMENT_TIMEOUT;
        let servers = self.servers(name).await?;
        loop {
            let error = match self.once(name, &servers).await {
                Err(error) if error.kind() == Kind::Partial => error,
                said => return said,
            };
            if Instant::now() >= deadline {
                return Err(Error::new(Kind::Network, error.to_string())
                    .hint("A secondary server may lag behind: check that it is notified and may transfer the zone."));
            }
            sleep(RETRY_INTERVAL).await;
        }
    }

    /// One round; `Partial` if the servers differ.
    async fn once(&self, name: &Name, servers: &[Server]) -> Result<Said> {
        let mut first: Option<(&Server, Said)> = None;
        let mut failed = None;
        let must = matches!(self, Self::Through { .. });
        let asked = servers.iter().enumerate().map(|(number, server)| async move {
            if must && number == 0 {
                return (server, question::txt(server, name).await);
            }
            let said = timeout(SECONDARY_TIMEOUT, question::txt(server, name)).await;
            (server, said.unwrap_or_else(|_| Err(Error::new(Kind::Network, format!("{server} does not answer")))))
        });
        for (number, (server, said)) in join_all(asked).await.into_iter().enumerate() {
            let said = match said {
                Ok(said) => said,
                Err(error) if must && number == 0 => return Err(error),
                Err(error) => {
                    failed.get_or_insert(error);
                    continue;
                }
            };
            match &first {
                None => first = Some((server, said)),
                Some((before, other)) if !same(other, &said) => {
                    let what = format!(
                        "the servers of {} differ: {before} says {}, {server} says {}",
                        shown(name),
                        say(other),
                        say(&said)
                    );
                    return Err(Error::new(Kind::Partial, what));
                }
                Some(_) => {}
            }
        }
        first.map(|(_, said)| said).ok_or_else(|| {
            let asked = count(servers.len() as u64, "authoritative server", "authoritative servers");
            let none = format!("none of {asked} of {} can be reached", shown(name));
            let error = Error::new(Kind::Network, none).hint("Check that this machine can use DNS over TCP (port 53).");
            match failed {
                Some(cause) => error.caused_by(cause),
                None => error,
            }
        })
    }

    async fn servers(&self, name: &Name) -> Result<Vec<Server>> {
        match self {
            #[cfg(test)]
            Self::Fixed(addresses) => Ok(addresses.iter().map(|address| Server::At(*address)).collect()),
            Self::Through { server, port } => {
                let mut all = vec![server.clone()];
                // What it does not say about others is no reason to stop; what it says of the name comes later.
                if let Ok(zone) = question::zone(server, name).await
                    && let Ok(named) = question::servers(server, &zone).await
                {
                    let own = own_addresses(server).await;
                    let found = named.iter().map(|(name, known)| addresses(name, known, *port));
                    let found = join_all(found).await.into_iter().flatten();
                    all.extend(found.filter(|address| !own.contains(address)).map(Server::At));
                }
                all.dedup();
                all.truncate(MAX_SERVERS * 2);
                Ok(all)
            }
            Self::Delegated => {
                let (_, names) = delegated(name).await?;
                let found = join_all(names.iter().map(|name| addresses(name, &[], DNS_PORT))).await;
                Ok(found.into_iter().flatten().map(Server::At).collect())
            }
        }
    }
}

/// Who an alias points to, and what to do about it.
pub(super) fn elsewhere(name: &Name, target: &Name) -> Error {
    let (name, target) = (shown(name), shown(target));
    Error::new(Kind::Usage, format!("{name} is an alias of {target}, which is in another zone"))
        .hint(format!("Name the server or provider of {target}."))
}

async fn own_addresses(server: &Server) -> Vec<SocketAddr> {
    match server {
        Server::At(address) => vec![*address],
        Server::Named(text) => {
            let found = timeout(LOOKUP_TIMEOUT, lookup_host(text.as_str())).await;
            found.ok().and_then(Result::ok).map(|found| found.take(MAX_SERVERS).collect()).unwrap_or_default()
        }
    }
}

async fn addresses(name: &Name, known: &[IpAddr], port: u16) -> Vec<SocketAddr> {
    if !known.is_empty() {
        return known.iter().map(|address| SocketAddr::new(*address, port)).collect();
    }
    let host = name.to_ascii();
    let found = timeout(LOOKUP_TIMEOUT, lookup_host((host.as_str(), port))).await;
    // Both families of an address are the same server; one that answers is enough.
    found.ok().and_then(Result::ok).map(|found| found.take(1).collect()).unwrap_or_default()
}

/// The nearest zone above a name, and its servers' names, as the resolver knows them.
async fn delegated(name: &Name) -> Result<(Name, Vec<Name>)> {
    let resolver = world::resolver().map_err(|error| error.context("can't find the zone's servers"))?;
    let mut zone = name.clone();
    while !zone.is_root() {
        let found = match resolver.lookup(zone.clone(), RecordType::NS).await {
            Ok(found) => found,
            Err(error) if error.is_no_records_found() || error.is_nx_domain() => {
                zone = zone.base_name();
                continue;
            }
            Err(error) => {
                let what = format!("can't ask the resolver for the servers of {}", shown(&zone));
                return Err(Error::new(Kind::Network, what).caused_by(error));
            }
        };
        let names: Vec<Name> = found
            .answers()
            .iter()
            .filter(|record| record.name == zone)
            .filter_map(|record| match &record.data {
                RData::NS(name) => Some(name.0.clone()),
                _ => None,
            })
            .take(MAX_SERVERS)
            .collect();
        if names.is_empty() {
            zone = zone.base_name();
            continue;
        }
        return Ok((zone, names));
    }
    Err(no_zone(name))
}

fn no_zone(name: &Name) -> Error {
    Error::new(Kind::NotFound, format!("no zone contains {}", shown(name)))
        .hint("Check the domain's name, and that its registrar points to its name servers.")
}

fn same(one: &Said, other: &Said) -> bool {
    match (one, other) {
        (Said::Records { records: one, .. }, Said::Records { records: other, .. }) => {
            one.read().values == other.read().values
        }
        (one, other) => one == other,
    }
}

fn say(said: &Said) -> String {
    match said {
        Said::Elsewhere(target) => format!("that it is an alias of {}", shown(target)),
        Said::Records { records, .. } => {
            let values = records.read().values;
            let first = values.iter().take(3).map(|value| format!("\"{}\"", printable_within(value, 120)));
            let text: Vec<String> = first.collect();
            if text.is_empty() { "nothing".to_owned() } else { text.join(" ") }
        }
    }
}
