//! How a Kubo is reached: where, as whom, and how long it may take.
//!
//! Knows the forms of a secret and of an RPC's URL. Must not connect to anything.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use url::{Host, Url};

use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// How long a Kubo may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To take a connection.
    pub connect: Duration,
    /// To answer a question in full.
    pub answer: Duration,
    /// Between two signs of life, while something long goes on that shows its progress.
    pub stall: Duration,
    /// Without progress of a pin, until it is asked whether all blocks are there: what isn't, the node would look for in the
    /// network without an end.
    pub quiet: Duration,
    /// For something long that shows no progress.
    pub walk: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_mins(1),
            stall: Duration::from_mins(2),
            quiet: Duration::from_secs(10),
            walk: Duration::from_hours(1),
        }
    }
}

/// What it takes to reach a Kubo.
#[derive(Clone)]
pub struct KuboOptions {
    /// The URL of its RPC, http or https; a path before `/api/v0` is kept.
    pub url: Url,
    /// The value of the secret that it wants to see, as `API.Authorizations` writes it: `bearer:TOKEN`,
    /// `basic:USER:PASSWORD`, `basic:BASE64`, or a bare token.
    pub authorisation: Option<String>,
    /// How long it may take.
    pub timeouts: Timeouts,
}

impl KuboOptions {
    /// A Kubo that wants no credentials.
    pub fn new(url: Url) -> Self {
        Self { url, authorisation: None, timeouts: Timeouts::default() }
    }
}

impl fmt::Debug for KuboOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KuboOptions")
            .field("url", &shown(&self.url))
            .field("has_authorisation", &self.authorisation.is_some())
            .field("timeouts", &self.timeouts)
            .finish()
    }
}

/// A URL for people, without credentials and query.
pub(in crate::node) fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    if shown.set_username("").is_err() || shown.set_password(None).is_err() {
        return format!("{}:…", url.scheme());
    }
    printable_within(shown.as_str().trim_end_matches('/'), 200)
}

/// The URL below which the commands are, with a slash at its end.
pub(super) fn base(url: &Url) -> Result<Url> {
    let wrong = |why: &str| Error::new(Kind::Usage, format!("invalid Kubo RPC URL {}: {why}", shown(url)));
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("it must begin with http:// or https://")
            .hint("A node on this machine has its RPC API at http://127.0.0.1:5001 by default."));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it must not contain credentials")
            .hint("Put `basic:USER:PASSWORD` in a file and name it with `--auth-file`."));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("it has a query or a fragment"));
    }
    let mut base = url.clone();
    let prefix = url.path().trim_end_matches('/');
    let prefix = prefix.strip_suffix("/api/v0").unwrap_or(prefix);
    base.set_path(&format!("{}/api/v0/", prefix.trim_end_matches('/')));
    Ok(base)
}

/// Whether the URL names this machine.
pub(in crate::node) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether what is sent to this URL crosses a network that can read it: plain HTTP to another machine.
pub fn is_in_clear(url: &Url) -> bool {
    url.scheme() == "http" && !is_loopback(url)
}

/// A secret in the forms that the ways to a node want it.
#[derive(Clone)]
pub(in crate::node) struct Authorisation {
    /// Value of the `Authorization` header.
    pub(in crate::node) header: HeaderValue,
    /// User and password, where it is of that form.
    pub(super) basic: Option<(String, String)>,
}

impl Authorisation {
    /// Reads a secret as Kubo does (kubo config/api.go `ConvertAuthSecret`).
    pub(in crate::node) fn parse(secret: &str) -> Result<Self> {
        let secret = secret.trim();
        let wrong = |why: &str| {
            Error::new(Kind::Usage, format!("invalid secret for the node: {why}"))
                .hint("Write `bearer:TOKEN`, `basic:USER:PASSWORD`, or a token alone.")
        };
        if secret.is_empty() {
            return Err(wrong("it is empty"));
        }
        let mut basic = None;
        let value = match secret.split_once(':') {
            None => format!("Bearer {secret}"),
            Some(("bearer", token)) => format!("Bearer {token}"),
            Some(("basic", rest)) => match rest.split_once(':') {
                Some((user, password)) => {
                    basic = Some((user.to_owned(), password.to_owned()));
                    format!("Basic {}", STANDARD.encode(rest))
                }
                None => format!("Basic {rest}"),
            },
            Some(_) => return Err(wrong("unknown kind")),
        };
        let mut header = HeaderValue::try_from(value)
            .map_err(|_| wrong("it has characters that are not allowed in an HTTP header"))?;
        header.set_sensitive(true);
        Ok(Self { header, basic })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(secret: &str) -> String {
        Authorisation::parse(secret).unwrap().header.to_str().unwrap().to_owned()
    }

    #[test]
    fn secrets_become_headers() {
        assert_eq!(header("bearer:a:b"), "Bearer a:b");
        assert_eq!(header("token\n"), "Bearer token");
        assert_eq!(header("basic:user:pass:word"), "Basic dXNlcjpwYXNzOndvcmQ=");
        assert_eq!(header("basic:dXNlcjpwYXNz"), "Basic dXNlcjpwYXNz");
        for wrong in ["", " \n", "digest:a", "bearer:a\nb"] {
            let Err(error) = Authorisation::parse(wrong) else { panic!("{wrong:?} is no secret") };
            assert_eq!(error.kind(), Kind::Usage);
        }
    }

    #[test]
    fn nobody_sees_a_secret() {
        let mut options = KuboOptions::new("https://user:hidden@node.example/x?token=hidden".parse().unwrap());
        options.authorisation = Some("bearer:hidden".into());
        assert!(!format!("{options:?}").contains("hidden"), "{options:?}");
        let error = base(&options.url).unwrap_err();
        assert!(!error.to_string().contains("hidden"), "{error}");
        let error = Authorisation::parse("digest:hidden").err().unwrap();
        assert!(!format!("{error} {error:?}").contains("hidden"));
        assert!(!format!("{:?}", Authorisation::parse("hidden").unwrap().header).contains("hidden"));
    }

    #[test]
    fn the_path_before_the_rpc_is_kept() {
        for (url, expected) in [
            ("http://127.0.0.1:5001", "http://127.0.0.1:5001/api/v0/"),
            ("http://127.0.0.1:5001/api/v0/", "http://127.0.0.1:5001/api/v0/"),
            ("https://node.example/a%2Fb/", "https://node.example/a%2Fb/api/v0/"),
            ("https://node.example/x/api/v0", "https://node.example/x/api/v0/"),
        ] {
            assert_eq!(base(&url.parse().unwrap()).unwrap().as_str(), expected);
        }
        for url in ["ftp://node.example/", "http://u@node.example/", "http://node.example/?x", "http://node.example/#x"]
        {
            assert_eq!(base(&url.parse().unwrap()).unwrap_err().kind(), Kind::Usage, "{url}");
        }
    }

    #[test]
    fn this_machine() {
        for (url, expected) in [
            ("http://127.0.0.1:5001", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:5001", true),
            ("http://localhost:5001", true),
            ("http://10.0.0.1", false),
            ("http://localhost.example", false),
        ] {
            assert_eq!(is_loopback(&url.parse().unwrap()), expected, "{url}");
            assert_eq!(is_in_clear(&url.parse().unwrap()), !expected, "{url}");
            assert!(!is_in_clear(&url.replace("http://", "https://").parse().unwrap()), "{url}");
        }
    }
}
