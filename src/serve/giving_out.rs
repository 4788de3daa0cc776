//! Gives what is published to this program's own node out for as long as a server runs: follows what is published, keeps the records of
//! names valid, and tells other processes of this machine that it serves.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::SetOnce;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval};
use url::{Host, Url};

use super::gateway::Provider;
use super::published_source::HTTP_PROTOCOL;
use super::reach::Reach;
use super::record_puts::{Place, RecordPuts};
use super::swarming::{SwarmOptions, Swarming};
use super::{Listening, PublishedSource};
use crate::engine::Engine;
use crate::engine::own_node::{Serving, ServingNote};
use crate::error::{Error, Kind, Result};
use crate::ipns::GatewayPort;
use crate::node::source::HttpRecords;
use crate::swarm::{self, AddressSource, Status};
use crate::text::printable_within;

/// How often it is looked whether something else is published.
const REFRESH_INTERVAL: Duration = Duration::from_secs(1);
/// How often it is looked whether a record has to be signed again.
const SIGN_INTERVAL: Duration = Duration::from_mins(10);
/// How often it is written down who holds a copy and who took how much.
const SAY_INTERVAL: Duration = Duration::from_secs(2);
const BITSWAP_PROTOCOL: &str = "transport-bitswap";

/// A server that gives published blocks out.
#[derive(Debug)]
pub struct GivingOut {
    engine: Arc<Engine>,
    source: Arc<PublishedSource>,
    /// Multiaddrs that others are told, in place of the one that is listened on.
    announced: Vec<String>,
    peer_id: String,
    note: Mutex<Option<(ServingNote, Serving)>>,
    /// How it is a node in the swarm, if it is.
    how: Option<SwarmOptions>,
    /// Routers that are given the records of names.
    routers: Vec<Arc<HttpRecords>>,
    /// There as soon as this has begun.
    swarming: SetOnce<Swarming>,
    puts: SetOnce<RecordPuts>,
}

impl GivingOut {
    /// Reads what is published. Others are told `announced`: multiaddrs, or URLs of a reverse proxy. Blocks go by HTTP alone unless it
    /// is said how this program is a node in the swarm. Records of names are put to `routers`, by their URLs.
    pub fn open(
        engine: Arc<Engine>,
        announced: &[String],
        routers: &[String],
        mut how: Option<SwarmOptions>,
    ) -> Result<Self> {
        let (peers, servers): (Vec<&String>, Vec<&String>) =
            announced.iter().partition(|address| address.starts_with('/') && !is_http(address) && how.is_some());
        let announced = servers.into_iter().map(|address| multiaddr(address)).collect::<Result<_>>()?;
        if let Some(how) = &mut how {
            for address in how.listen.iter_mut().chain(&mut how.peers) {
                *address = swarm::address(address)?;
            }
            how.announced = peers.into_iter().map(|address| swarm::address(address)).collect::<Result<_>>()?;
        }
        let routers = routers.iter().map(|url| HttpRecords::new(url).map(Arc::new)).collect::<Result<_>>()?;
        let peer_id = engine.node_key()?.name().peer_id();
        let source = Arc::new(PublishedSource::open(Arc::clone(&engine))?);
        Ok(Self {
            engine,
            source,
            announced,
            peer_id,
            note: Mutex::default(),
            how,
            routers,
            swarming: SetOnce::new(),
            puts: SetOnce::new(),
        })
    }

    /// Starts the node in the swarm. Has to be called inside of a runtime, before the server listens.
    pub fn begin(&self) -> Result<()> {
        let mut places: Vec<Place> = self.routers.iter().cloned().map(Place::Router).collect();
        if let Some(how) = &self.how {
            let swarming = Swarming::start(Arc::clone(&self.engine), Arc::clone(&self.source), how)?;
            places.insert(0, Place::Dht(swarming.node()));
            drop(self.swarming.set(swarming));
        }
        drop(self.puts.set(RecordPuts::new(Arc::clone(&self.engine), places)));
        Ok(())
    }

    /// What has to be said of its place in the swarm, if something is not as usual.
    pub fn remark(&self) -> Option<String> {
        self.swarming.get().and_then(Swarming::other_port)
    }

    /// What is given out, for the server.
    pub fn source(&self) -> Arc<PublishedSource> {
        Arc::clone(&self.source)
    }

    /// The peer ID of this program's own node.
    pub fn peer_id(&self) -> &str {
        &self.peer_id
    }

    /// How many roots are given out.
    pub fn roots(&self) -> usize {
        self.source.roots().len()
    }

    /// Tells where it listens: those who ask for providers, and the processes of this machine. The addresses that are told.
    pub fn listens(&self, listening: &Listening) -> Result<Vec<String>> {
        let here = local(listening.address.ip()).into_iter().map(|ip| {
            let family = if ip.is_ipv4() { "ip4" } else { "ip6" };
            let tls = if listening.url.starts_with("https:") { "/tls" } else { "" };
            format!("/{family}/{ip}/tcp/{}{tls}/http", listening.address.port())
        });
        let here: Vec<String> = here.collect();
        let told = if self.announced.is_empty() { here.clone() } else { self.announced.clone() };
        self.tell_providers(&told, &[]);
        if let Some(port) = NonZeroU16::new(listening.address.port()) {
            let gateway = GatewayPort { port, tls: listening.url.starts_with("https:") };
            self.engine.spreading().serves(gateway, listening.address.ip());
        }
        let mut serving = Serving {
            process: std::process::id(),
            since: jiff::Timestamp::now().as_second(),
            peer_id: self.peer_id.clone(),
            listening: here,
            announced: self.announced.clone(),
            ..Serving::default()
        };
        serving.set_roots(&self.source.roots());
        // A data directory that can't be written to is served all the same.
        match ServingNote::begin(self.engine.data_dir(), &serving) {
            Ok(note) => *self.note() = Some((note, serving)),
            Err(error) => tracing::warn!(%error, "other processes can't see that this one serves"),
        }
        Ok(told)
    }

    fn tell_providers(&self, servers: &[String], peers: &[String]) {
        let provider = |addresses: &[String], protocol: &str| Provider {
            id: self.peer_id.clone(),
            addresses: addresses.to_vec(),
            protocols: vec![protocol.to_owned()],
        };
        let mut all = vec![provider(servers, HTTP_PROTOCOL)];
        if !peers.is_empty() {
            all.push(provider(peers, BITSWAP_PROTOCOL));
        }
        self.source.set_providers(all);
    }

    /// Says where the node in the swarm is, and how it can be reached.
    fn say_swarm(&self, status: &Status, reach: Reach) {
        let with_id = |address: &String| format!("{address}/p2p/{}", self.peer_id);
        let listening: Vec<String> = status.listening.iter().map(with_id).collect();
        let external = status.external.iter().filter(|external| external.source != AddressSource::Relay);
        let external: Vec<String> = external.map(|external| with_id(&external.address)).collect();
        let Some((note, serving)) = &mut *self.note() else { return };
        let is_server = |address: &String| is_http(address);
        let servers: Vec<String> = serving.listening.iter().filter(|address| is_server(address)).cloned().collect();
        let mut now = serving.clone();
        now.listening = servers.iter().chain(&listening).cloned().collect();
        now.announced = self.announced.iter().chain(&external).cloned().collect();
        now.reach = reach.sentences;
        now.reach.extend(self.untaken());
        now.reachable = reach.reachable;
        now.advice = reach.advice;
        now.providers = reach.providers;
        now.set_taken(&status.served);
        if now == *serving {
            return;
        }
        let told = if self.announced.is_empty() { &servers } else { &self.announced };
        self.tell_providers(told, if external.is_empty() { &listening } else { &external });
        *serving = now;
        if let Err(error) = note.say(serving) {
            tracing::warn!(%error, "other processes can't see how it is reached");
        }
    }

    fn note(&self) -> MutexGuard<'_, Option<(ServingNote, Serving)>> {
        self.note.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which records have not been taken where, in words.
    fn untaken(&self) -> Vec<String> {
        self.puts.get().map(RecordPuts::sentences).unwrap_or_default()
    }

    /// Has the other processes of this machine know who holds a copy and who took how much over HTTP, and, where no node in the swarm does, who took no record.
    fn say_others(&self) -> Result<()> {
        let Some((note, serving)) = &mut *self.note() else { return Ok(()) };
        let mut is_new = false;
        if let Some(followers) = self.source.changed_followers() {
            serving.set_followers(followers);
            is_new = true;
        }
        if let Some(takers) = self.source.changed_takers() {
            serving.set_taken_over_http(&takers);
            is_new = true;
        }
        let untaken = self.untaken();
        if self.swarming.get().is_none() && serving.reach != untaken {
            serving.reach = untaken;
            is_new = true;
        }
        if is_new { note.say(serving) } else { Ok(()) }
    }

    /// Has the other processes of this machine know that other roots are given out now.
    fn say_roots(&self) -> Result<()> {
        let Some((note, serving)) = &mut *self.note() else { return Ok(()) };
        serving.set_roots(&self.source.roots());
        note.say(serving)
    }

    /// Closes all connections in the swarm.
    pub async fn end(&self) {
        if let Some(swarming) = self.swarming.get() {
            self.engine.swarm().leave();
            swarming.end().await;
        }
    }

    /// Follows what is published and keeps the records of names valid, until it is dropped.
    pub async fn keep(&self) {
        let swarming = async {
            if self.how.is_some() {
                self.swarming.wait().await.keep(|status, reach| self.say_swarm(status, reach)).await;
            }
        };
        let putting = async { self.puts.wait().await.keep().await };
        // A node that has ended leaves the rest as it is.
        tokio::join!(swarming, putting, self.keep_published());
    }

    async fn keep_published(&self) {
        let mut ticks = interval(REFRESH_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut signed, mut said): (Option<Instant>, Instant) = (None, Instant::now());
        loop {
            ticks.tick().await;
            let sign = signed.is_none_or(|signed| signed.elapsed() >= SIGN_INTERVAL);
            if sign {
                signed = Some(Instant::now());
            }
            let (engine, source) = (Arc::clone(&self.engine), Arc::clone(&self.source));
            if said.elapsed() >= SAY_INTERVAL {
                said = Instant::now();
                if let Err(error) = self.say_others() {
                    tracing::warn!(%error, "other processes can't see who follows");
                }
            }
            let looked = spawn_blocking(move || {
                if sign && !engine.is_read_only() {
                    for own in engine.sign_own_names_again()? {
                        tracing::info!(name = %own.name, validity = %own.record.validity, "signed a record again");
                    }
                }
                source.refresh()
            });
            match looked.await {
                Ok(Ok(true)) => {
                    tracing::info!(roots = self.roots(), "other roots are given out now");
                    if let Err(error) = self.say_roots() {
                        tracing::warn!(%error, "other processes can't see which roots are given out");
                    }
                }
                Ok(Ok(false)) => {}
                Ok(Err(error)) => tracing::warn!(%error, "can't see what is published"),
                Err(error) => tracing::error!(%error, "looking at what is published failed"),
            }
        }
    }
}

/// The addresses of this machine that an address to listen on stands for, as far as they are known without asking anybody.
fn local(ip: IpAddr) -> Vec<IpAddr> {
    if !ip.is_unspecified() {
        return vec![ip.to_canonical()];
    }
    // A datagram socket that is connected sends nothing; the system only chooses the address that it would send from.
    let chosen = |from: IpAddr, to: IpAddr| {
        let socket = UdpSocket::bind(SocketAddr::new(from, 0)).ok()?;
        socket.connect(SocketAddr::new(to, 9)).ok()?;
        socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_unspecified())
    };
    // Addresses for documentation (RFC 5737, RFC 3849), which are routed like any other.
    let v4 = chosen(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into());
    let v6 = chosen(Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into());
    let found: Vec<IpAddr> = v4.into_iter().chain(v6.filter(|_| ip.is_ipv6())).collect();
    if found.is_empty() { vec![Ipv4Addr::LOCALHOST.into()] } else { found }
}

/// The multiaddr that a URL means, or one that is given as such.
fn multiaddr(address: &str) -> Result<String> {
    let refused = |why: &str| {
        Error::new(Kind::Usage, format!("invalid address `{}`: {why}", printable_within(address, 100))).hint(
            "Write a URL like `https://registry.example.com`, or a multiaddr like `/ip4/192.0.2.1/tcp/443/tls/http`.",
        )
    };
    if address.starts_with('/') {
        let refused = || refused("it is not a multiaddr of an HTTP server");
        return if is_http(address) { Ok(address.to_owned()) } else { Err(refused()) };
    }
    let url = Url::parse(address).map_err(|_| refused("it is not a URL"))?;
    let tls = match url.scheme() {
        "https" => "/tls",
        "http" => "",
        _ => return Err(refused("it does not begin with https:// or http://")),
    };
    if !matches!(url.path(), "" | "/") || url.query().is_some() || !url.username().is_empty() {
        return Err(refused("it has more than a host and a port"));
    }
    let port = url.port_or_known_default().ok_or_else(|| refused("it has no port"))?;
    let host = match url.host().ok_or_else(|| refused("it has no host"))? {
        Host::Domain(name) => format!("/dns/{name}"),
        Host::Ipv4(ip) => format!("/ip4/{ip}"),
        Host::Ipv6(ip) => format!("/ip6/{ip}"),
    };
    Ok(format!("{host}/tcp/{port}{tls}/http"))
}

/// Whether a multiaddr leads to an HTTP server: host, port, perhaps TLS, and HTTP.
fn is_http(address: &str) -> bool {
    let mut parts = address.split('/').skip(1);
    let (Some(kind), Some(host), Some("tcp"), Some(port)) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let host_is_sound = match kind {
        "ip4" => host.parse::<Ipv4Addr>().is_ok(),
        "ip6" => host.parse::<Ipv6Addr>().is_ok(),
        "dns" | "dns4" | "dns6" => super::is_host(host),
        _ => false,
    };
    let rest: Vec<&str> = parts.collect();
    host_is_sound && port.parse::<u16>().is_ok() && matches!(rest.as_slice(), ["http" | "https"] | ["tls", "http"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_multiaddrs_say_where_it_is() {
        for (address, expected) in [
            ("https://registry.example.com", "/dns/registry.example.com/tcp/443/tls/http"),
            ("http://192.0.2.7:8080/", "/ip4/192.0.2.7/tcp/8080/http"),
            ("https://[2001:db8::1]:8443", "/ip6/2001:db8::1/tcp/8443/tls/http"),
            ("/ip4/192.0.2.1/tcp/443/tls/http", "/ip4/192.0.2.1/tcp/443/tls/http"),
        ] {
            assert_eq!(multiaddr(address).unwrap(), expected);
        }
        for bad in ["registry.example.com", "ftp://x", "https://x/y", "https://u@x", "/ip4/300.0.0.1/tcp/1", "/nothing"]
        {
            assert_eq!(multiaddr(bad).unwrap_err().kind(), Kind::Usage, "{bad}");
        }
    }

    #[test]
    fn an_address_of_everybody_is_told_as_one_of_this_machine() {
        assert_eq!(local(Ipv4Addr::LOCALHOST.into()), [IpAddr::from(Ipv4Addr::LOCALHOST)]);
        let found = local(Ipv4Addr::UNSPECIFIED.into());
        assert!(!found.is_empty() && found.iter().all(|ip| !ip.is_unspecified()), "{found:?}");
    }
}
