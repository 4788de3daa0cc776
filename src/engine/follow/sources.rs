//! Whom a follower asks, as it is written: URLs of gateways, addresses of peers, or nobody by name, which means the swarm.

use std::net::Ipv6Addr;
use std::sync::Arc;

use crate::engine::swarm_member::{MemberBlocks, MemberRecords, SwarmMember};
use crate::error::{Error, Kind, Result};
use crate::node::source::{BlockSource, HttpBlocks, HttpProviders, HttpRecords, NameRecords, Several};
use crate::swarm;
use crate::text::printable_within;

/// What is written for the swarm where a place has to be named.
const SWARM: &str = "swarm:";

/// Whom to ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::engine) struct Sources {
    /// URLs of trustless gateways.
    gateways: Vec<String>,
    /// Multiaddrs of peers that speak bitswap.
    peers: Vec<String>,
}

impl Sources {
    /// Reads what a person has written, each word a source.
    pub(super) fn parse(words: &[String]) -> Result<Self> {
        let mut sources = Self::default();
        for word in words {
            if word.contains(char::is_whitespace) {
                return Err(neither(word));
            }
            if !is_multiaddr(word) {
                HttpRecords::new(word)?;
                sources.gateways.push(word.clone());
            } else if let Some(url) = url_of(word) {
                sources.gateways.push(url);
            } else {
                sources.peers.push(swarm::address(word)?);
            }
        }
        Ok(sources)
    }

    /// All of them as a place where blobs are left.
    pub(super) fn place(words: &[String]) -> String {
        if words.is_empty() { SWARM.to_owned() } else { words.join(" ") }
    }

    /// What [`Sources::place`] wrote, unless it is another kind of place.
    pub(in crate::engine) fn of_place(place: &str) -> Option<Self> {
        if place == SWARM {
            return Some(Self::default());
        }
        let words: Vec<String> = place.split(' ').map(str::to_owned).collect();
        let is_url = |word: &String| word.starts_with("http://") || word.starts_with("https://");
        let several = words.len() > 1 && words.iter().all(|word| is_url(word) || is_multiaddr(word));
        if several || is_multiaddr(place) { Self::parse(&words).ok() } else { None }
    }

    /// Whether the swarm is asked.
    pub(super) fn need_the_swarm(&self) -> bool {
        !self.peers.is_empty() || self.gateways.is_empty()
    }

    /// Who is asked for blocks.
    pub(in crate::engine) fn blocks(&self, member: &Arc<SwarmMember>) -> Result<Arc<dyn BlockSource>> {
        let mut places: Vec<Arc<dyn BlockSource>> = Vec::new();
        for url in &self.gateways {
            let gateway = HttpBlocks::gateway(url, None)?;
            // Where there are others, they are asked instead of the same one again.
            let is_alone = self.gateways.len() == 1 && !self.need_the_swarm();
            places.push(Arc::new(if is_alone { gateway } else { gateway.asked_once() }));
        }
        if self.need_the_swarm() {
            places.push(Arc::new(MemberBlocks::new(Arc::clone(member), self.peers.clone())));
        }
        Ok(match places.as_slice() {
            [one] => Arc::clone(one),
            _ => Arc::new(Several::new(places)),
        })
    }

    /// Who is asked for others that have the same.
    pub(super) fn routers(&self) -> Result<Vec<HttpProviders>> {
        let Some((first, more)) = self.gateways.split_first() else { return Ok(Vec::new()) };
        let first = HttpProviders::new(first)?;
        let more: Vec<HttpProviders> =
            more.iter().map(|url| Ok(first.at(&HttpRecords::new(url)?.base()))).collect::<Result<_>>()?;
        Ok([first].into_iter().chain(more).collect())
    }

    /// Whether all of them are programs of this machine.
    pub(super) fn are_only_here(&self) -> bool {
        let is_here = |url: &String| {
            url.parse().is_ok_and(|url: url::Url| match url.host() {
                Some(url::Host::Domain(name)) => name == "localhost",
                Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
                Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
                None => false,
            })
        };
        self.peers.is_empty() && self.gateways.iter().all(is_here)
    }

    /// Who is asked for records.
    pub(super) fn records(&self, member: &Arc<SwarmMember>) -> Result<Vec<Arc<dyn NameRecords>>> {
        let urls = self.gateways.iter();
        let records = urls.map(|url| Ok(Arc::new(HttpRecords::new(url)?) as Arc<dyn NameRecords>));
        let mut records: Vec<_> = records.collect::<Result<_>>()?;
        if self.need_the_swarm() {
            records.push(Arc::new(MemberRecords::new(Arc::clone(member), self.peers.clone())));
        }
        Ok(records)
    }
}

fn neither(word: &str) -> Error {
    Error::new(Kind::Usage, format!("`{}` is neither a URL nor a multiaddr", printable_within(word, 200)))
}

/// Whether a word begins as addresses of peers do. Paths of files may begin with a slash, too.
fn is_multiaddr(word: &str) -> bool {
    ["/ip4/", "/ip6/", "/dns/", "/dns4/", "/dns6/", "/dnsaddr/"].iter().any(|kind| word.starts_with(kind))
}

/// The URL that a multiaddr of an HTTP server means; nothing for other servers.
pub(super) fn url_of(address: &str) -> Option<String> {
    let parts: Vec<&str> = address.split('/').skip(1).collect();
    let [kind, host, "tcp", port, rest @ ..] = parts.as_slice() else { return None };
    let rest = if let [rest @ .., "p2p", _] = rest { rest } else { rest };
    let scheme = match rest {
        ["http"] => "http",
        ["https"] | ["tls", "http"] | ["tls", "sni", _, "http"] => "https",
        _ => return None,
    };
    let port: u16 = port.parse().ok()?;
    let host = match *kind {
        "ip6" => format!("[{}]", host.parse::<Ipv6Addr>().ok()?),
        _ => (*host).to_owned(),
    };
    let url = format!("{scheme}://{host}:{port}");
    HttpRecords::new(&url).is_ok().then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Sources> {
        Sources::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn addresses_of_http_servers_are_urls() {
        for (address, url) in [
            ("/ip4/192.0.2.1/tcp/80/http", "http://192.0.2.1:80"),
            ("/ip6/2001:db8::1/tcp/8443/tls/http", "https://[2001:db8::1]:8443"),
            (
                "/dns/registry.example.com/tcp/443/https/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA",
                "https://registry.example.com:443",
            ),
        ] {
            assert_eq!(parse(&[address]).unwrap().gateways, [url]);
        }
        assert_eq!(url_of("/ip4/192.0.2.1/tcp/4001"), None);
        assert_eq!(url_of("/ip4/192.0.2.1/udp/4001/quic-v1"), None);
    }

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let peer = "/ip4/192.0.2.1/tcp/4001";
        for words in
            [&[][..], &[peer], &["https://a.example.com", peer], &["http://a.example.com", "http://b.example.com"]]
        {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(Sources::of_place(&Sources::place(&words)), Some(Sources::parse(&words).unwrap()), "{words:?}");
        }
        // Those of `restore`, which have no sources.
        for place in
            ["https://a.example.com", "/srv/registry.car", "/srv/with space/registry", "kubo:http://127.0.0.1:5001"]
        {
            assert_eq!(Sources::of_place(place), None, "{place}");
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        for wrong in ["example.com", "ftp://x", "http://user:secret@x", "http://a b", "/ip4/300.0.0.1/tcp/1", "/srv/x"]
        {
            let error = parse(&[wrong]).unwrap_err();
            assert!(error.kind() == Kind::Usage && !error.to_string().contains("secret"), "{error}");
        }
    }
}
