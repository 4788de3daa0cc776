//! When a registry may be asked over plain http: where the user allows it, and on this machine.
//!
//! A registry on loopback is asked over TLS first and then over plain http, as docker and crane do
//! (docker/docs, "Deploy a plain HTTP registry"; go-containerregistry, `name.Registry.Scheme`): what is sent does not leave the
//! machine. It is said once. Knows URLs and how TLS fails; must not know what is asked for.

use std::error::Error as _;
use std::net::IpAddr;
use std::sync::OnceLock;

use url::{Host, Url};

use super::endpoint::{Endpoint, authority};

/// Whether a host may be asked over plain http.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PlainHttp {
    Refused,
    /// The user says so, and nothing else is tried.
    Allowed,
    /// It is on this machine: set once it has turned out not to speak TLS.
    OnLoopback(OnceLock<()>),
}

impl PlainHttp {
    /// For `host[:port]`; `allowed` by the user, who may also have written `https://`.
    pub(super) fn of(address: &str, allowed: bool, written_https: bool) -> Self {
        let url = Url::parse(&format!("https://{address}/")).ok();
        match url {
            _ if allowed => Self::Allowed,
            Some(url) if !written_https && is_loopback(&url) => Self::OnLoopback(OnceLock::new()),
            _ => Self::Refused,
        }
    }
}

/// Whether a registry of this name, `host[:port]`, is on this machine.
pub fn is_on_this_machine(registry: &str) -> bool {
    Url::parse(&format!("https://{registry}/")).is_ok_and(|url| is_loopback(&url))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// Whether this is how the handshake fails with a server that does not speak TLS.
fn is_no_tls(error: &reqwest::Error) -> bool {
    let mut causes = String::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push_str(&cause.to_string());
        next = cause.source();
    }
    let not_tls = ["InvalidContentType", "corrupt message", "handshake eof", "unexpected EOF", "reset by peer"];
    error.is_connect() && not_tls.iter().any(|words| causes.contains(words))
}

impl Endpoint {
    /// Whether plain http is what is spoken with this host.
    pub(super) fn is_plain(&self) -> bool {
        match &self.plain_http {
            PlainHttp::Refused => false,
            PlainHttp::Allowed => true,
            PlainHttp::OnLoopback(spoken) => spoken.get().is_some(),
        }
    }

    /// `scheme://host:port/` as it is asked now.
    pub(super) fn base(&self) -> Url {
        self.as_it_speaks(&self.written)
    }

    /// The same URL, over plain http if it is of this host and that is what it speaks.
    pub(super) fn as_it_speaks(&self, url: &Url) -> Url {
        let mut url = url.clone();
        if url.origin() == self.written.origin() && self.is_plain() {
            // Leaves a port that is written where it is.
            let _ = url.set_scheme("http");
        }
        url
    }

    /// Whether this failure shows that a host on this machine speaks plain http. Says so to whoever listens, once.
    pub(super) fn falls_back(&self, url: &Url, error: &reqwest::Error) -> bool {
        let PlainHttp::OnLoopback(spoken) = &self.plain_http else { return false };
        if url.scheme() != "https" || url.origin() != self.written.origin() || !is_no_tls(error) {
            return false;
        }
        if spoken.set(()).is_ok() {
            tracing::info!(host = %self.host, "it does not speak TLS; using plain http");
            let words = format!("{} doesn't speak TLS; using plain HTTP, because it is on this machine.", self.host);
            self.shared.observer.note(&words);
        }
        true
    }

    /// Whether this may be asked over plain http, where it is to be shown a credential or not. What merely turned out to be
    /// plain on this machine is shown only what was stored for that very host and port, and points to nowhere else.
    pub(super) fn may_be_plain(&self, url: &Url, with_credential: bool) -> bool {
        match &self.plain_http {
            PlainHttp::Refused => false,
            PlainHttp::Allowed => true,
            PlainHttp::OnLoopback(spoken) => {
                let own = authority(url) == self.authority();
                spoken.get().is_some() && (own || !with_credential && is_loopback(url))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_tried_without_tls() {
        let of = |address| PlainHttp::of(address, false, false);
        for here in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000", "registry.localhost:1"]
        {
            assert_eq!(of(here), PlainHttp::OnLoopback(OnceLock::new()), "{here}");
            assert_eq!(PlainHttp::of(here, false, true), PlainHttp::Refused, "`https://{here}` is meant so");
            assert_eq!(PlainHttp::of(here, true, false), PlainHttp::Allowed);
        }
        for elsewhere in
            ["ghcr.io", "10.0.0.1:5000", "localhost.example.com", "notlocalhost", "[::2]:5000", "0.0.0.0:80"]
        {
            assert_eq!(of(elsewhere), PlainHttp::Refused, "{elsewhere}");
            assert!(!is_on_this_machine(elsewhere) && is_on_this_machine("127.0.0.1:5000"));
        }
    }
}
