//! What a request's path and query ask for (distribution spec, "Endpoints").
//!
//! Pure: text in, typed values out. Everything else in the server works on names and digests that passed through here.

use url::form_urlencoded;

use super::refusal::Refusal;
use crate::image::{Digest, RepositoryName, Target, Upstream};

/// A repository as it was asked for: the name to look under, and a second one if there is nothing under the first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    /// Repository to look for first.
    pub(super) name: RepositoryName,
    /// Looked for when that is not there.
    pub(super) otherwise: Option<RepositoryName>,
}

impl Asked {
    /// The names in the order of looking.
    pub(super) fn names(&self) -> impl Iterator<Item = &RepositoryName> {
        std::iter::once(&self.name).chain(&self.otherwise)
    }
}

/// What is asked of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ClientRequest {
    Manifest(Target),
    Blob(Digest),
    Tags,
    /// What refers to this manifest.
    Referrers(Subject),
}

/// The digest whose referrers are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// One that could be here.
    Known(Digest),
    /// A proper one of an algorithm that nothing here has.
    Foreign,
}

/// The parts of the query that mean something here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query {
    /// `ns`: the host that the client's reference names, sent by containerd to a mirror.
    pub(super) namespace: Option<String>,
    /// `n`: at most so many.
    pub(super) number: Option<usize>,
    /// `last`: those after it.
    pub(super) last: Option<String>,
    /// `artifactType`: referrers of this type alone.
    pub(super) artifact_type: Option<String>,
}

impl Query {
    /// Reads a query; refuses an `n` that is no number.
    pub(super) fn parse(query: Option<&str>) -> Result<Self, Refusal> {
        let mut read = Self::default();
        for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*key {
                "ns" => read.namespace = Some(value.into_owned()),
                "last" => read.last = Some(value.into_owned()),
                "artifactType" => read.artifact_type = Some(value.into_owned()),
                "n" => {
                    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
                        return Err(Refusal::number_invalid());
                    }
                    read.number = Some(value.parse().unwrap_or(usize::MAX));
                }
                _ => {}
            }
        }
        Ok(read)
    }
}

/// The path with `%3A` and the like decoded; nothing if it is not UTF-8.
pub(super) fn decoded(path: &str) -> Option<String> {
    if !path.contains('%') {
        return Some(path.to_owned());
    }
    let hex = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let mut byte = *first;
        if byte == b'%'
            && let [high, low, after @ ..] = tail
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            byte = high << 4 | low;
            rest = after;
        }
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok()
}

/// A repository's name and what is asked of it, from the path after `/v2/`.
pub(super) fn parse(path: &str) -> Result<(RepositoryName, ClientRequest), Refusal> {
    let path = decoded(path).ok_or_else(Refusal::no_such_endpoint)?;
    let mut parts = path.rsplitn(3, '/');
    let (Some(last), Some(what), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Refusal::no_such_endpoint());
    };
    if !(matches!(what, "manifests" | "blobs" | "referrers") || (what == "tags" && last == "list")) {
        return Err(Refusal::no_such_endpoint());
    }
    let repository: RepositoryName = name.parse().map_err(|error| Refusal::name_invalid(&error))?;
    let client_request = match what {
        "tags" => ClientRequest::Tags,
        "manifests" if !last.contains(':') => match last.parse() {
            Ok(tag) => ClientRequest::Manifest(Target::Tag(tag)),
            // No manifest can have such a tag; the spec's conformance suite wants 404.
            Err(_) => return Err(Refusal::manifest_unknown(name, last, None)),
        },
        "manifests" => match digest(last)? {
            Some(digest) => ClientRequest::Manifest(Target::Digest(digest)),
            None => return Err(Refusal::manifest_unknown(name, last, None)),
        },
        "blobs" => match digest(last)? {
            Some(digest) => ClientRequest::Blob(digest),
            None => return Err(Refusal::blob_unknown(name, last)),
        },
        _ => ClientRequest::Referrers(digest(last)?.map_or(Subject::Foreign, Subject::Known)),
    };
    Ok((repository, client_request))
}

/// A digest; nothing for a proper one that cannot be here (image spec, "Registered Algorithms").
fn digest(text: &str) -> Result<Option<Digest>, Refusal> {
    match text.parse() {
        Ok(digest) => Ok(Some(digest)),
        Err(error) => match text.strip_prefix("sha512:") {
            Some(hex) if hex.len() == 128 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) => {
                Ok(None)
            }
            _ => Err(Refusal::digest_invalid(&error)),
        },
    }
}

/// The names to look under.
///
/// With a namespace, what is published for that registry. The plain name only where the namespace is this server itself:
/// anything else would answer for `ghcr.io/user/app` with whatever Docker Hub has under `user/app`.
pub(super) fn asked(
    name: RepositoryName,
    namespace: Option<&str>,
    is_own: impl Fn(&str) -> bool,
) -> Result<Asked, Refusal> {
    let Some(namespace) = namespace else { return Ok(Asked { name, otherwise: None }) };
    let registry = match namespace.to_ascii_lowercase() {
        hub if matches!(hub.as_str(), "index.docker.io" | "registry-1.docker.io") => "docker.io".to_owned(),
        registry => registry,
    };
    let own = is_own(&registry);
    let upstream = Upstream { registry, repository: name };
    match upstream.published_name() {
        Ok(published) => {
            let name = upstream.repository;
            // A client's configuration for static hosts puts the registry before the name by itself.
            let named = published
                .as_str()
                .strip_suffix(name.as_str())
                .is_some_and(|registry| !registry.is_empty() && name.as_str().starts_with(registry));
            Ok(Asked { otherwise: ((own || named) && published != name).then_some(name), name: published })
        }
        // This server may be called by a name that no registry is mirrored from.
        Err(_) if own => Ok(Asked { name: upstream.repository, otherwise: None }),
        // No host is called so, or the name gets too long: nothing can be mirrored from there.
        Err(_) => Err(Refusal::name_unknown(upstream.repository.as_str())),
    }
}

/// The page's file that a path means; nothing if it could lead anywhere else.
pub(super) fn page(path: &str) -> Option<String> {
    let mut path = decoded(path)?.strip_prefix('/')?.to_owned();
    if path.is_empty() || path.ends_with('/') {
        path.push_str("index.html");
    }
    let harmless = |part: &str| {
        !matches!(part, "" | "." | "..") && !part.chars().any(|c| c.is_control() || matches!(c, '\\' | ':'))
    };
    path.split('/').all(harmless).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn parsed(path: &str) -> Option<(String, ClientRequest)> {
        parse(path).ok().map(|(name, client_request)| (name.to_string(), client_request))
    }

    #[test]
    fn a_namespace_leads_to_the_name_that_is_published_for_it() {
        let of = |text: &str| text.parse::<crate::image::Reference>().unwrap().upstream;
        let texts = [
            "nginx",
            "docker.io/a.b/c",
            "localhost/app",
            "A.example/app",
            "127.0.0.1:5000/a",
            "[::1]:5000/a",
            "b:80/x",
        ];
        for upstream in texts.map(of) {
            let asked = asked(upstream.repository.clone(), Some(&upstream.registry), |_| false).ok().unwrap();
            assert_eq!((asked.name, asked.otherwise), (upstream.published_name().unwrap(), None));
        }
        // A host without a dot or a port has no names here, least of all those of a user of Docker Hub.
        let app = || "app".parse::<RepositoryName>().unwrap();
        assert!(asked(app(), Some("corp"), |_| false).is_err());
        // Unless it is this server.
        let own = asked(app(), Some("corp"), |registry| registry == "corp").ok().unwrap();
        assert_eq!((own.name, own.otherwise), (app(), None));
    }

    #[test]
    fn names_may_hold_the_words_of_endpoints() {
        let digest = Digest::of(b"");
        let encoded = DIGEST.replace(':', "%3A");
        let tag = |tag: &str| ClientRequest::Manifest(Target::Tag(tag.parse().unwrap()));
        let cases = [
            ("a/manifests/1".to_owned(), "a", tag("1")),
            ("a/b/c/d/manifests/x.Y_z".to_owned(), "a/b/c/d", tag("x.Y_z")),
            ("manifests/manifests/manifests".to_owned(), "manifests", tag("manifests")),
            ("tags/list/manifests/list".to_owned(), "tags/list", tag("list")),
            ("library%2Fnginx/manifests/1".to_owned(), "library/nginx", tag("1")),
            (format!("a/manifests/{encoded}"), "a", ClientRequest::Manifest(Target::Digest(digest))),
            (format!("a/blobs/blobs/{}", encoded.to_lowercase()), "a/blobs", ClientRequest::Blob(digest)),
            ("tags/tags/list".to_owned(), "tags", ClientRequest::Tags),
            (format!("a/referrers/{DIGEST}"), "a", ClientRequest::Referrers(Subject::Known(digest))),
            (format!("a/referrers/sha512:{}", "0".repeat(128)), "a", ClientRequest::Referrers(Subject::Foreign)),
        ];
        for (path, name, client_request) in cases {
            assert_eq!(parsed(&path), Some((name.to_owned(), client_request)), "{path}");
        }
        for bad in [
            "",
            "a",
            "a/manifests",
            "manifests/1",
            "a/manifests/",
            "a/tags/other",
            "a//manifests/1",
            "../manifests/1",
            "a/%2e%2e/manifests/1",
            "A/manifests/1",
            "a%00/manifests/1",
            "a/manifests/..",
            "a/manifests/%2e%2e%2f1",
            "a/blobs/sha256:..",
            "a/blobs/uploads/",
            "a/blobs/latest",
            "a/manifests/%ff",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn namespaces() {
        let own = |host: &str| host == "mirror.test:5050";
        let look = |name: &str, namespace| {
            let asked = asked(name.parse().unwrap(), namespace, own);
            asked.iter().flat_map(Asked::names).map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(look("pause", None), ["pause"]);
        assert_eq!(look("pause", Some("registry.k8s.io")), ["registry.k8s.io/pause"]);
        assert_eq!(look("a", Some("REGISTRY.k8s.io")), ["registry.k8s.io/a"]);
        assert_eq!(look("library/nginx", Some("docker.io")), ["library/nginx"]);
        assert_eq!(look("library/nginx", Some("registry-1.docker.io")), ["library/nginx"]);
        assert_eq!(look("debian", Some("127.0.0.1:5000")), ["127.0.0.1_5000/debian"]);
        assert_eq!(look("debian", Some("[::1]:5000")), ["ip6__0-0-0-0-0-0-0-1_5000/debian"]);
        assert_eq!(look("nginx", Some("mirror.test:5050")), ["mirror.test_5050/nginx", "nginx"]);
        assert_eq!(look("nginx", Some("../..")), <[&str; 0]>::default());
    }

    #[test]
    fn pages_stay_below_their_root() {
        let cases = [
            ("/", Some("index.html")),
            ("/repositories/a/b/", Some("repositories/a/b/index.html")),
            ("/catalog.json", Some("catalog.json")),
            ("/a%20b", Some("a b")),
            ("/..", None),
            ("/a/../b", None),
            ("/%2e%2e/b", None),
            ("/a%2f..%2fb", None),
            ("//etc/passwd", None),
            ("/a//b", None),
            ("/a\\..\\b", None),
            ("/a%00", None),
            ("/%ff", None),
            ("*", None),
        ];
        for (path, expected) in cases {
            assert_eq!(page(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn queries() {
        let read = Query::parse(Some("n=5&last=a%2Fb&ns=ghcr.io&artifactType=a%2Bb&x=1")).unwrap();
        assert_eq!(read.number, Some(5));
        assert_eq!(read.last.as_deref(), Some("a/b"));
        assert_eq!(read.namespace.as_deref(), Some("ghcr.io"));
        assert_eq!(read.artifact_type.as_deref(), Some("a+b"));
        assert_eq!(Query::parse(Some("n=99999999999999999999999")).unwrap().number, Some(usize::MAX));
        for bad in ["n=", "n=-1", "n=x", "n=1.5", "n=+1"] {
            assert!(Query::parse(Some(bad)).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(path in "\\PC{0,60}|[a-z0-9/%.:]{0,60}") {
            let _ = parse(&path);
            if let Some(page) = page(&path) {
                proptest::prop_assert!(page.split('/').all(|part| !part.is_empty() && part != ".."));
            }
        }
    }
}
