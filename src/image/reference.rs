//! Image references as docker and podman read them (distribution/reference, "Grammar"), and the names they are published under.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Digest, RepositoryName, Tag};
use crate::error::{Error, Kind};
use crate::text::printable_within;

/// A repository at a registry. What is read into one is checked: records are written by anybody, and what they say gets into
/// commands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct Upstream {
    /// Host and port as written in references, lowercased; Docker Hub is `docker.io`.
    pub registry: String,
    /// The repository there; Docker Hub's official images are `library/…`.
    pub repository: RepositoryName,
}

/// What a manifest is asked for by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A tag, which may move.
    Tag(Tag),
    /// A digest, which names one content for ever.
    Digest(Digest),
}

/// One image: a repository, and a tag, a digest, or both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// Registry and repository that have it.
    pub upstream: Upstream,
    /// Tag; `latest` if neither tag nor digest was written.
    pub tag: Option<Tag>,
    /// Digest. With a tag it is what is mirrored under that tag, whatever upstream's tag is at, as docker and podman have it.
    pub digest: Option<Digest>,
}

/// An upstream as it is written in a record.
#[derive(Deserialize)]
struct Written {
    registry: String,
    repository: RepositoryName,
}

impl TryFrom<Written> for Upstream {
    type Error = Error;

    /// Also takes hosts without a dot or a port, which older versions mirrored from.
    fn try_from(written: Written) -> Result<Self, Error> {
        let Written { registry, repository } = written;
        let checked = check_registry(&registry).and_then(|()| match registry.as_str() {
            "index.docker.io" => Err("its registry is called docker.io"),
            "docker.io" if !repository.as_str().contains('/') => Err("its official images are below library/"),
            _ => Ok(()),
        });
        match checked {
            Ok(()) => Ok(Self { registry, repository }),
            Err(why) => {
                let shown = printable_within(&format!("{registry}/{repository}"), 200);
                Err(Error::new(Kind::Verification, format!("`{shown}` is not a repository at a registry: {why}")))
            }
        }
    }
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
        if is_dotless(&self.registry) {
            return Err(dotless(&self.to_string(), &self.registry));
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

    /// The upstream whose images have this name, or this second name, where nobody chooses another one.
    pub fn of_published(name: &RepositoryName) -> Option<Self> {
        let upstream = name.as_str().parse::<Reference>().ok()?.upstream;
        let usual = upstream.published_name().is_ok_and(|published| published == *name);
        (usual || upstream.alias().as_ref() == Some(name)).then_some(upstream)
    }

    /// The second name of Docker Hub's official images: `nginx` for `library/nginx`.
    pub fn alias(&self) -> Option<RepositoryName> {
        (self.registry == "docker.io")
            // What has more parts could be the name of what another host has.
            .then(|| self.repository.as_str().strip_prefix("library/").filter(|rest| !rest.contains('/'))?.parse().ok())
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

/// `host[:port]` in lower case.
fn check_registry(registry: &str) -> Result<(), &'static str> {
    let (host, port) = split_port(registry);
    check_host(host)?;
    match port {
        Some(port) if port.parse::<u16>().is_err() || port.starts_with(['0', '+']) => {
            Err("its registry's port is not a number from 1 to 65535")
        }
        _ => Ok(()),
    }
}

/// Whether a host could be taken for a user of Docker Hub, under whose names its images would be published.
fn is_dotless(registry: &str) -> bool {
    registry != "localhost" && !registry.contains(['.', ':'])
}

fn dotless(text: &str, registry: &str) -> Error {
    let shown = printable_within(text, 200);
    let words = format!("`{shown}` is not an image reference: its registry has neither a dot nor a port");
    Error::new(Kind::Usage, words)
        .hint(format!("Write its port too: `{registry}:443/…`."))
        .hint(format!("If you mean Docker Hub's user `{registry}`, write the name in lower case."))
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
        check_registry(&host).map_err(&refuse)?;
        // An address has one form, so that it has one name.
        let host = match split_port(&host) {
            (name, port) if name.starts_with('[') => {
                let address = name.trim_matches(['[', ']']).parse::<Ipv6Addr>();
                let address = address.map_err(|_| refuse("its registry is not an IPv6 address"))?;
                port.map_or_else(|| format!("[{address}]"), |port| format!("[{address}]:{port}"))
            }
            _ => host,
        };
        if is_dotless(&host) {
            return Err(dotless(text, &host));
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
            ("[FD00:0::A]:80/x", "[fd00::a]:80/x:latest", "ip6__fd00-0-0-0-0-0-0-a_80/x"),
            ("CORP:443/app", "corp:443/app:latest", "corp_443/app"),
            ("CORP.example/app", "corp.example/app:latest", "corp.example/app"),
            ("LOCALHOST/app", "localhost/app:latest", "localhost/app"),
            ("docker.io/localhost/app", "docker.io/localhost/app:latest", "docker.io/localhost/app"),
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
        assert_eq!(alias("library/ghcr.io/app"), None, "it is another one's name");
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
            ("CORP/app", "neither a dot nor a port"),
            ("Corp/app:1", "neither a dot nor a port"),
            ("a\u{1b}[31m/b", "allowed"),
            (HEX, "image ID"),
        ];
        for (text, reason) in cases {
            let error = text.parse::<Reference>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text:?}: {error}");
            assert!(!error.contains('\u{1b}'));
        }
    }

    /// References to all kinds of hosts, and names that look like hosts.
    fn reference() -> impl proptest::strategy::Strategy<Value = String> {
        let host = "docker\\.io|index\\.docker\\.io|localhost|LOCALHOST|[aA]{1,2}|a\\.b|A\\.b|127\\.0\\.0\\.1|\\[::1\\]|\\[0::1\\]|\\[::A\\]|ip6__0-0-0-0-0-0-0-1|a_1|a-b|library";
        let name = "a|a\\.b|library|localhost|a_1|a__b|ip6__0-0-0-0-0-0-0-1|ip6__0-0-0-0-0-0-0-1_1|127\\.0\\.0\\.1|127\\.0\\.0\\.1_1|docker\\.io";
        let text = format!("(({host})(:1|:80|_1)?/)?({name})(/({name}))?(/a)?(:1)?");
        proptest::string::string_regex(&text).unwrap()
    }

    #[test]
    fn what_records_say_of_an_upstream_is_checked() {
        let read = |registry: &str, repository: &str| {
            let text = serde_json::json!({ "registry": registry, "repository": repository }).to_string();
            serde_json::from_str::<Upstream>(&text)
        };
        for (registry, repository) in
            [("ghcr.io", "a/b"), ("corp", "app"), ("corp:443", "app"), ("[::1]:5000", "a"), ("docker.io", "library/a")]
        {
            assert_eq!(read(registry, repository).unwrap().to_string(), format!("{registry}/{repository}"));
        }
        for (registry, repository) in [
            ("$(touch x).io", "a"),
            ("a.io;id", "a"),
            ("a.io/b", "c"),
            ("A.io", "a"),
            ("", "a"),
            ("user@a.io", "a"),
            ("a.io:99999", "a"),
            ("a.io:", "a"),
            ("-x.io", "a"),
            ("--from.io", "a"),
            ("a\u{1b}.io", "a"),
            ("docker.io", "nginx"),
            ("index.docker.io", "library/nginx"),
        ] {
            let error = read(registry, repository).unwrap_err().to_string();
            assert!(!error.contains('\u{1b}') && error.contains("not a repository at a registry"), "{error}");
        }
        // A catalog of an older version may hold it: it opens, and no new name is made of it.
        assert!(read("corp", "app").unwrap().published_name().is_err());
    }

    proptest::proptest! {
        #[test]
        fn never_panics_and_round_trips(text in "\\PC{0,80}|[a-z0-9./:@_\\[\\]-]{0,60}") {
            if let Ok(reference) = text.parse::<Reference>() {
                let again: Reference = reference.to_string().parse().unwrap();
                proptest::prop_assert_eq!(again, reference);
            }
        }

        /// Few letters, so that many are alike; and what the names of each mean where they are written as references.
        #[test]
        fn published_names_never_collide(a in reference(), b in reference()) {
            let Ok(a) = a.parse::<Reference>() else { return Ok(()) };
            let (of_a, alias) = (a.upstream.published_name().unwrap(), a.upstream.alias());
            let meant = [&of_a, &a.upstream.repository].into_iter().chain(&alias);
            let meant = meant.flat_map(|name| [name.to_string(), format!("docker.io/{name}")]);
            for b in meant.chain([b]).filter_map(|b| b.parse::<Reference>().ok()) {
                let of_b = b.upstream.published_name().unwrap();
                proptest::prop_assert_eq!(a.upstream == b.upstream, of_a == of_b, "{} and {}", a, b);
                // Nor does a second name belong to another one.
                proptest::prop_assert!(alias.as_ref() != Some(&of_b), "{} and {}", a, b);
            }
        }

        #[test]
        fn an_upstream_is_written_and_read_again(text in reference()) {
            let Ok(reference) = text.parse::<Reference>() else { return Ok(()) };
            let written = serde_json::to_string(&reference.upstream).unwrap();
            proptest::prop_assert_eq!(&serde_json::from_str::<Upstream>(&written).unwrap(), &reference.upstream);
            proptest::prop_assert_eq!(&reference.upstream.to_string().parse::<Reference>().unwrap().upstream, &reference.upstream);
            let meant = Upstream::of_published(&reference.upstream.published_name().unwrap());
            proptest::prop_assert!(meant.is_none_or(|meant| meant == reference.upstream), "{}", reference);
        }
    }
}
