//! Image references as docker and podman read them (distribution/reference, "Grammar"), and the names they are published under.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Digest, RepositoryName, Tag};
use crate::error::{Error, Kind};
use crate::text::printable_within;

/// A repository at a registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Upstream {
    /// Host and port as written in references, lowercased; Docker Hub is `docker.io`.
    pub registry: String,
    /// The repository there; Docker Hub's official images are `library/…`.
    pub repository: RepositoryName,
}

/// What a manifest is asked for by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// By tag.
    Tag(Tag),
    /// By digest.
    Digest(Digest),
}

/// One image: a repository, and a tag, a digest, or both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// Where it is.
    pub upstream: Upstream,
    /// Its tag; without tag and digest, `latest`.
    pub tag: Option<Tag>,
    /// Its digest. With a tag it is what is mirrored under that tag, whatever upstream's tag is at, as docker and podman have it.
    pub digest: Option<Digest>,
}

impl Upstream {
    /// The name it is published under: Docker Hub's host is left out, any other is kept, a port follows an underscore and an
    /// IPv6 address is written out. Injective: a Docker Hub repository whose first part looks like a host keeps `docker.io/`.
    pub fn published_name(&self) -> Result<RepositoryName, Error> {
        let repository = self.repository.as_str();
        if self.registry == "docker.io" {
            let first = repository.split('/').next().unwrap_or_default();
            let numbered =
                first.rsplit_once('_').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
            let like_a_host = first == "localhost" || first.contains('.') || numbered || first.starts_with("ip6__");
            // `library/a.b` has the first part `library`; only what has a slash can be taken for a host.
            return if like_a_host { format!("docker.io/{repository}").parse() } else { Ok(self.repository.clone()) };
        }
        let (host, port) = split_port(&self.registry);
        let host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).map(str::parse::<Ipv6Addr>) {
            Some(Ok(address)) => {
                let groups: Vec<String> = address.segments().iter().map(|group| format!("{group:x}")).collect();
                format!("ip6__{}", groups.join("-"))
            }
            _ => host.to_owned(),
        };
        let host = match port {
            Some(port) => format!("{host}_{port}"),
            None => host,
        };
        format!("{host}/{repository}").parse()
    }

    /// The second name of Docker Hub's official images: `nginx` for `library/nginx`.
    pub fn alias(&self) -> Option<RepositoryName> {
        (self.registry == "docker.io")
            .then(|| self.repository.as_str().strip_prefix("library/")?.parse().ok())
            .flatten()
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)
    }
}

/// `host` and `port` of `host[:port]`, where host may be a bracketed IPv6 address.
fn split_port(registry: &str) -> (&str, Option<&str>) {
    match registry.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (registry, None),
    }
}

impl Reference {
    /// What to ask the registry for: the digest if there is one, else the tag, else `latest`.
    pub fn target(&self) -> Target {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => Target::Digest(*digest),
            (None, Some(tag)) => Target::Tag(tag.clone()),
            (None, None) => Target::Tag(Tag::latest()),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.upstream)?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

fn check_host(host: &str) -> Result<(), &'static str> {
    if let Some(rest) = host.strip_prefix('[') {
        let Some(address) = rest.strip_suffix(']') else { return Err("its IPv6 address lacks the closing bracket") };
        return address.parse::<Ipv6Addr>().map(drop).map_err(|_| "its registry is not an IPv6 address");
    }
    if host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return host.parse::<Ipv4Addr>().map(drop).map_err(|_| "its registry is not an IPv4 address");
    }
    if host.len() > 253 {
        return Err("its registry's host name is longer than 253 characters");
    }
    for label in host.split('.') {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if label.is_empty() || label.starts_with('-') || label.ends_with('-') || !label.bytes().all(inner) {
            return Err("its registry is not a host name");
        }
    }
    Ok(())
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |why: &str| {
            Error::new(Kind::Usage, format!("`{}` is not an image reference: {why}", printable_within(text, 200)))
        };
        if text.is_empty() {
            return Err(refuse("it is empty"));
        }
        if text.len() > 1024 {
            return Err(refuse("it is longer than 1024 characters"));
        }
        if text.contains("://") {
            return Err(refuse("it has a scheme")
                .hint("Write it as podman does, without the scheme: `registry.example.com/name:tag`."));
        }
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(
                refuse("64 hexadecimal digits are an image ID").hint("A digest follows a name: `name@sha256:…`.")
            );
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse::<Digest>().map_err(|error| refuse(&error.to_string()))?)),
            None => (text, None),
        };
        let (host, path) = match rest.split_once('/') {
            Some((first, path))
                if first.contains(['.', ':'])
                    || first.eq_ignore_ascii_case("localhost")
                    || first.bytes().any(|byte| byte.is_ascii_uppercase()) =>
            {
                (first.to_ascii_lowercase(), path)
            }
            _ => ("docker.io".to_owned(), rest),
        };
        let (path, tag) = match path.rsplit_once(':') {
            Some((path, tag)) => (path, Some(tag.parse::<Tag>().map_err(|error| refuse(&error.to_string()))?)),
            None => (path, None),
        };
        let (name, port) = split_port(&host);
        check_host(name).map_err(&refuse)?;
        if let Some(port) = port
            && (port.parse::<u16>().is_err() || port.starts_with(['0', '+']))
        {
            return Err(refuse("its registry's port is not a number from 1 to 65535"));
        }
        let registry = if host == "index.docker.io" { "docker.io".to_owned() } else { host };
        let full =
            if registry == "docker.io" && !path.contains('/') { format!("library/{path}") } else { path.to_owned() };
        let repository = full.parse::<RepositoryName>().map_err(|_| {
            // The user did not write `library/`.
            match path.parse::<RepositoryName>() {
                Err(error) => refuse(&error.to_string()),
                Ok(_) => refuse("its name is too long"),
            }
        })?;
        let tag = if tag.is_none() && digest.is_none() { Some(Tag::latest()) } else { tag };
        Ok(Self { upstream: Upstream { registry, repository }, tag, digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn read_as_docker_reads_them() {
        let digest = format!("sha256:{HEX}");
        let cases = [
            ("nginx", "docker.io/library/nginx:latest", "library/nginx"),
            ("nginx:alpine", "docker.io/library/nginx:alpine", "library/nginx"),
            ("docker.io/nginx", "docker.io/library/nginx:latest", "library/nginx"),
            ("index.docker.io/library/nginx:1", "docker.io/library/nginx:1", "library/nginx"),
            ("user/app", "docker.io/user/app:latest", "user/app"),
            ("ghcr.io/org/app:v1", "ghcr.io/org/app:v1", "ghcr.io/org/app"),
            ("quay.io/coreos/etcd", "quay.io/coreos/etcd:latest", "quay.io/coreos/etcd"),
            ("localhost/app", "localhost/app:latest", "localhost/app"),
            ("LOCALHOST:5000/app", "localhost:5000/app:latest", "localhost_5000/app"),
            ("127.0.0.1:5000/debian:12", "127.0.0.1:5000/debian:12", "127.0.0.1_5000/debian"),
            ("[::1]:5000/a/b", "[::1]:5000/a/b:latest", "ip6__0-0-0-0-0-0-0-1_5000/a/b"),
            ("[fd00::a]/x", "[fd00::a]/x:latest", "ip6__fd00-0-0-0-0-0-0-a/x"),
            ("host:80/x", "host:80/x:latest", "host_80/x"),
            ("docker.io/ghcr.io/x", "docker.io/ghcr.io/x:latest", "docker.io/ghcr.io/x"),
            ("docker.io/host_80/x", "docker.io/host_80/x:latest", "docker.io/host_80/x"),
        ];
        for (text, canonical, name) in cases {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.to_string(), canonical, "{text}");
            assert_eq!(reference.upstream.published_name().unwrap().as_str(), name, "{text}");
            assert_eq!(canonical.parse::<Reference>().unwrap(), reference, "{text}");
        }
        let pinned: Reference = format!("nginx@{digest}").parse().unwrap();
        assert_eq!((pinned.tag, pinned.digest), (None, Some(Digest::of(b""))));
        let both: Reference = format!("ghcr.io/a/b:1@{digest}").parse().unwrap();
        assert_eq!(both.target(), Target::Digest(Digest::of(b"")));
        assert_eq!(both.to_string(), format!("ghcr.io/a/b:1@{digest}"));
    }

    #[test]
    fn official_images_have_an_alias() {
        let alias = |text: &str| text.parse::<Reference>().unwrap().upstream.alias().map(String::from);
        assert_eq!(alias("nginx").as_deref(), Some("nginx"));
        assert_eq!(alias("user/app"), None);
        assert_eq!(alias("ghcr.io/library/nginx"), None);
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        let cases = [
            ("", "empty"),
            ("Nginx", "upper case"),
            ("nginx:", "tag"),
            ("nginx:a b", "tag"),
            (":tag", "repository name"),
            ("https://ghcr.io/a/b", "scheme"),
            ("nginx@sha512:00", "sha512"),
            ("nginx@", "digest"),
            ("a//b", "empty"),
            ("ghcr.io/", "empty"),
            ("ghcr.io/../../etc/passwd", "begin and end"),
            ("[::1/x", "bracket"),
            ("[::g]:1/x", "IPv6"),
            ("1.2.3.999/x", "IPv4"),
            ("host:99999/x", "port"),
            ("host:/x", "port"),
            ("-a.b/x", "host name"),
            ("a\u{1b}[31m/b", "allowed"),
            (HEX, "image ID"),
        ];
        for (text, reason) in cases {
            let error = text.parse::<Reference>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text:?}: {error}");
            assert!(!error.contains('\u{1b}'));
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics_and_round_trips(text in "\\PC{0,80}|[a-z0-9./:@_\\[\\]-]{0,60}") {
            if let Ok(reference) = text.parse::<Reference>() {
                let again: Reference = reference.to_string().parse().unwrap();
                proptest::prop_assert_eq!(again, reference);
            }
        }

        #[test]
        fn published_names_never_collide(a in "([a-z]{1,3}(\\.io|:80|_80)?/)?[a-z]{1,3}(/[a-z]{1,2})?", b in "([a-z]{1,3}(\\.io|:80|_80)?/)?[a-z]{1,3}(/[a-z]{1,2})?") {
            let (Ok(a), Ok(b)) = (a.parse::<Reference>(), b.parse::<Reference>()) else { return Ok(()) };
            proptest::prop_assert_eq!(a.upstream == b.upstream, a.upstream.published_name().unwrap() == b.upstream.published_name().unwrap());
        }
    }
}
