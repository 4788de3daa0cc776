//! Under which host names requests are answered.
//!
//! On loopback a server gives out private repositories, and the browser on the same machine would fetch them for any web page
//! whose name was pointed there meanwhile (DNS rebinding). Such a request says the page's name in `Host`, so only names of this
//! machine and those that the user gave are answered.
//!
//! Pure: names in, a refusal out.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{Request, Version};

use super::refusal::Refusal;
use crate::text::printable_within;

/// The names that are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hosts {
    Any,
    /// Those of loopback, and these: in lower case, without ports.
    Loopback(Vec<String>),
}

/// Whether this can be a host's name or address, with or without a port.
pub fn is_host(text: &str) -> bool {
    let is_usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    text.chars().all(is_usual) && authority(text.as_bytes()).is_some()
}

impl Hosts {
    /// Loopback's names and those in `own`, which may have ports: a port that is forwarded is another one for the client.
    pub(super) fn loopback<'a>(own: impl IntoIterator<Item = &'a str>) -> Self {
        let name = |own: &str| own.parse::<Authority>().map_or_else(|_| plain(own), |own| plain(own.host()));
        Self::Loopback(own.into_iter().map(name).collect())
    }

    /// Refuses a request that names no host, more than one, or another one than this.
    pub(super) fn check<T>(&self, request: &Request<T>) -> Result<(), Refusal> {
        let mut named = request.headers().get_all(HOST).iter();
        let host = match (named.next(), named.next()) {
            // RFC 9112, section 3.2: one that is well-formed, and none only in HTTP/1.0.
            (None, _) if request.version() < Version::HTTP_11 => None,
            (None, _) => return Err(Refusal::host_invalid("the request has no `Host`, which HTTP/1.1 demands")),
            (Some(host), None) => Some(authority(host.as_bytes()).ok_or_else(|| {
                Refusal::host_invalid("`Host` must be the name of a host, and its port if it has one")
            })?),
            (Some(_), Some(_)) => return Err(Refusal::host_invalid("the request has more than one `Host`")),
        };
        // What the request line names beside its path counts as well.
        for host in host.iter().chain(request.uri().authority()) {
            if !self.are_ours(host.host()) {
                return Err(Refusal::other_host(&printable_within(host.host(), 100)));
            }
        }
        Ok(())
    }

    fn are_ours(&self, host: &str) -> bool {
        let Self::Loopback(own) = self else { return true };
        let host = plain(host);
        is_loopback(&host) || own.contains(&host)
    }
}

/// A name in lower case, without the dot that ends it in DNS.
fn plain(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

fn is_loopback(host: &str) -> bool {
    if let Some(ip) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return ip.parse::<Ipv6Addr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
    }
    // RFC 6761, section 6.3.
    host == "localhost" || host.ends_with(".localhost") || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

/// A host with or without a port; nothing for anything else that could stand before a path.
fn authority(host: &[u8]) -> Option<Authority> {
    let authority = Authority::try_from(host).ok()?;
    let text = authority.as_str();
    let port = text.strip_prefix(authority.host())?;
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    (is_port && !authority.host().is_empty()).then_some(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(hosts: &Hosts, version: Version, named: &[&str], uri: &str) -> u16 {
        let mut request = Request::builder().version(version).uri(uri);
        for host in named {
            request = request.header(HOST, *host);
        }
        hosts.check(&request.body(()).unwrap()).map_or_else(|refusal| refusal.status(), |()| 200)
    }

    #[test]
    fn only_names_of_this_machine_and_own_ones_are_answered_on_loopback() {
        let hosts = Hosts::loopback(["Mirror.example:5050", "host.docker.internal", "[2001:db8::1]:80", "192.0.2.7"]);
        for ours in [
            "localhost",
            "LOCALHOST:5050",
            "localhost.:1",
            "a.b.localhost",
            "127.0.0.1:5050",
            "127.255.0.9",
            "[::1]:5050",
            "[::ffff:127.0.0.1]",
            "mirror.example",
            "mirror.example.:80",
            "mirror.EXAMPLE:443",
            "host.docker.internal:5050",
            "[2001:db8::1]",
            "192.0.2.7:5050",
        ] {
            assert_eq!(status(&hosts, Version::HTTP_11, &[ours], "/v2/"), 200, "{ours}");
        }
        for other in [
            "evil.example",
            "evil.example:5050",
            "localhost.evil.example",
            "evillocalhost",
            "127.0.0.1.evil.example",
            "128.0.0.1",
            "0.0.0.0:5050",
            "[::2]",
            "a.mirror.example",
            "host",
        ] {
            assert_eq!(status(&hosts, Version::HTTP_11, &[other], "/v2/"), 421, "{other}");
            assert_eq!(status(&Hosts::Any, Version::HTTP_11, &[other], "/v2/"), 200, "{other}");
        }
    }

    #[test]
    fn one_well_formed_host_is_demanded_whatever_is_answered() {
        for hosts in [Hosts::Any, Hosts::loopback([])] {
            for bad in ["", " ", ":80", "a b", "a/b", "user@localhost", "localhost:", "localhost:x", "localhost:99999"]
            {
                assert_eq!(status(&hosts, Version::HTTP_11, &[bad], "/"), 400, "{bad:?}");
            }
            assert_eq!(status(&hosts, Version::HTTP_11, &[], "/"), 400);
            assert_eq!(status(&hosts, Version::HTTP_11, &["localhost", "localhost"], "/"), 400);
            assert_eq!(status(&hosts, Version::HTTP_10, &["localhost", "localhost"], "/"), 400);
            assert_eq!(status(&hosts, Version::HTTP_10, &[], "/"), 200);
        }
    }

    #[test]
    fn what_can_be_a_host() {
        for good in ["registry.example", "registry.example:443", "my_host", "192.0.2.1:5050", "[2001:db8::1]:1"] {
            assert!(is_host(good), "{good}");
        }
        for bad in ["", "*", "*.example", "https://registry.example", "a,b", "a b", "registry.example/", ":80"] {
            assert!(!is_host(bad), "{bad}");
        }
    }

    #[test]
    fn the_host_of_the_request_line_counts_too() {
        let hosts = Hosts::loopback([]);
        assert_eq!(status(&hosts, Version::HTTP_11, &["localhost"], "http://evil.example/v2/"), 421);
        assert_eq!(status(&hosts, Version::HTTP_11, &["evil.example"], "http://localhost/v2/"), 421);
        assert_eq!(status(&hosts, Version::HTTP_10, &[], "http://evil.example/v2/"), 421);
        assert_eq!(status(&hosts, Version::HTTP_11, &["localhost"], "http://127.0.0.1:1/v2/"), 200);
    }
}
