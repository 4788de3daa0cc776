//! Where clients pull from: its address and what sort of host it is, as far as the address says it.
//!
//! Pure: asks nobody.

use std::fmt;

use serde::Serialize;
use url::{Host, Url};

use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// What sort of host it is: whether it says what its manifests are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(super) enum HostKind {
    /// `roadstead serve`, which also finds images by the registry that they are from.
    Serve,
    /// Any host that sets media types: nginx or Caddy with our configuration.
    Static,
    /// A plain IPFS gateway, which can't set them.
    Gateway,
}

/// Where clients pull from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) plain: bool,
    /// It is this machine.
    pub(super) loopback: bool,
    /// `host[:port]` as references name it.
    pub(super) host: String,
    /// `/ipfs/CID` or `/ipns/NAME` at a gateway that is asked by path; else empty.
    pub(super) path: String,
    /// What sort of host the address says it is; nothing if it does not say.
    pub(super) kind: Option<HostKind>,
}

impl Source {
    /// What `roadstead serve` listens on.
    pub(super) fn of_serve() -> Self {
        Self {
            plain: true,
            loopback: true,
            host: "127.0.0.1:5050".to_owned(),
            path: String::new(),
            kind: Some(HostKind::Serve),
        }
    }

    /// Reads `[http[s]://]host[:port][/ipfs/CID]`. Without a scheme it is https, on this machine http.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let refuse = |why: &str| {
            Error::new(Kind::Usage, format!("can't pull from `{}`: {why}", printable_within(text, 200))).hint(
                "Write the address of the host, such as `https://registry.example.com`, or of a gateway with the root: \
                 `https://CID.ipfs.dweb.link`.",
            )
        };
        let parse = |text: &str| Url::parse(text).map_err(|error| refuse(&error.to_string()));
        let mut url = if text.contains("://") { parse(text)? } else { parse(&format!("https://{text}"))? };
        if url.password().is_some() || !url.username().is_empty() {
            // Not repeated: it may be a password.
            return Err(Error::new(Kind::Usage, "an address to pull from has no user and no password")
                .hint("Clients log in by themselves: `podman login HOST`."));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it has a query or a fragment"));
        }
        let loopback = match url.host() {
            Some(Host::Ipv4(address)) if address.is_unspecified() => {
                return Err(refuse("it means every address of a machine, not one to connect to"));
            }
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            None => return Err(refuse("it has no host")),
        };
        if !text.contains("://") && loopback {
            url = parse(&format!("http://{text}"))?;
        }
        let plain = match url.scheme() {
            "http" => true,
            "https" => false,
            _ => return Err(refuse("only http and https are supported")),
        };
        let name = url.host_str().unwrap_or_default();
        let host = match url.port() {
            Some(port) => format!("{name}:{port}"),
            // A word alone is read as a user of Docker Hub.
            None if !name.contains('.') && !name.starts_with('[') && name != "localhost" => {
                format!("{name}:{}", if plain { 80 } else { 443 })
            }
            None => name.to_owned(),
        };
        let path = url.path().trim_end_matches('/').to_owned();
        let by_path = |view: &str| path.strip_prefix(view).is_some_and(|rest| !rest.is_empty() && !rest.contains('/'));
        if !path.is_empty() && !by_path("/ipfs/") && !by_path("/ipns/") {
            return Err(refuse(
                "clients ask for `/v2/` at the root of a host, so it has no path but `/ipfs/CID` and `/ipns/NAME`",
            ));
        }
        let labels: Vec<&str> = name.split('.').collect();
        let in_host = labels.len() > 2 && matches!(labels[1], "ipfs" | "ipns");
        let kind = (!path.is_empty() || in_host).then_some(HostKind::Gateway);
        Ok(Self { plain, loopback, host, path, kind })
    }

    /// The same place by the root in the host's name, for clients that can't ask by path; nothing where that is not known.
    pub(super) fn by_host_name(&self) -> Option<String> {
        let (view, name) = self.path.strip_prefix('/')?.split_once('/')?;
        let label = if view == "ipfs" {
            let version_one = match name.parse::<cid::Cid>().ok()? {
                old if old.version() == cid::Version::V0 => cid::Cid::new_v1(0x70, *old.hash()),
                new => new,
            };
            version_one.to_string()
        } else {
            // As gateways write a domain in one label.
            name.replace('-', "--").replace('.', "-")
        };
        let host = match self.host.as_str() {
            "ipfs.io" => "dweb.link",
            // An address has no names below it; Kubo has them below `localhost`.
            host if self.loopback => &format!("localhost{}", host.rfind(':').map_or("", |at| &host[at..])),
            host => host,
        };
        let scheme = if self.plain { "http" } else { "https" };
        (label.len() <= 63).then(|| format!("{scheme}://{label}.{view}.{host}"))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", if self.plain { "http" } else { "https" }, self.host, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_it_is() {
        for (text, shown, kind) in [
            ("registry.example.com", "https://registry.example.com", None),
            ("https://Registry.Example.com:443/", "https://registry.example.com", None),
            ("http://registry.lan:5050", "http://registry.lan:5050", None),
            ("127.0.0.1:5050", "http://127.0.0.1:5050", None),
            ("[::1]:5050", "http://[::1]:5050", None),
            ("localhost:5050", "http://localhost:5050", None),
            ("https://registry", "https://registry:443", None),
            ("https://ipfs.io/ipfs/bafyx", "https://ipfs.io/ipfs/bafyx", Some(HostKind::Gateway)),
            ("https://bafyx.ipfs.dweb.link", "https://bafyx.ipfs.dweb.link", Some(HostKind::Gateway)),
            ("http://k51x.ipns.localhost:8080", "http://k51x.ipns.localhost:8080", Some(HostKind::Gateway)),
        ] {
            let source = Source::parse(text).unwrap();
            assert_eq!((source.to_string().as_str(), source.kind), (shown, kind), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_its_secrets() {
        for text in ["", "ftp://x.org", "https://x.org/sub/path", "https://x.org/?a", "0.0.0.0:5050", "https://"] {
            assert_eq!(Source::parse(text).unwrap_err().kind(), Kind::Usage, "{text}");
        }
        let error = Source::parse("https://me:hunter2@x.org").unwrap_err();
        assert!(!format!("{error} {:?}", error.hints()).contains("hunter2"));
    }

    #[test]
    fn a_path_becomes_a_host() {
        for (text, by_name) in [
            (
                "https://ipfs.io/ipfs/QmQRbSGCsbo1Pu3Ce1u7jA1aFA7Ta3GAbwkFoVHoeEkMJy",
                "https://bafybeia7alz4wpi4kp7ja6xvgcdqevpmkf3myegxdbmxgfbfnrybf4jm7a.ipfs.dweb.link",
            ),
            ("http://127.0.0.1:8080/ipns/registry.example.com", "http://registry-example-com.ipns.localhost:8080"),
        ] {
            let found = Source::parse(text).unwrap().by_host_name().unwrap();
            // The CID is compared by what it stands for.
            if by_name.contains(".ipfs.") {
                let label = found.trim_start_matches("https://").split('.').next().unwrap().to_owned();
                let cid: cid::Cid = label.parse().unwrap();
                let old: cid::Cid = text.rsplit('/').next().unwrap().parse().unwrap();
                assert_eq!((cid.version(), cid.hash()), (cid::Version::V1, old.hash()));
                assert!(found.ends_with(".ipfs.dweb.link"));
            } else {
                assert_eq!(found, by_name);
            }
        }
        assert_eq!(Source::parse("registry.example.com").unwrap().by_host_name(), None);
    }
}
