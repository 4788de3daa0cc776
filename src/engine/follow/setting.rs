//! Whom to follow, from where, how often, and which blobs are fetched before anybody asks for them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::sources::Sources;
use crate::catalog::follow::Row;
use crate::engine::swarm_member::SwarmMember;
use crate::error::{Error, Kind, Result};
use crate::ipns::Name;
use crate::node::source::{BlockSource, HttpProviders, NameRecords};
use crate::swarm;
use crate::text::printable_within;

/// Most sources of one follower.
const MAX_SOURCES: usize = 32;
/// The longest domain.
const MAX_DOMAIN_BYTES: usize = 253;

/// Who is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// An IPNS name: what its key signs.
    Key(Name),
    /// A domain: what its DNSLink record says, which nobody signs unless it says an IPNS name.
    Domain(String),
}

impl FromStr for Followed {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Ok(name) = text.parse() {
            return Ok(Self::Key(name));
        }
        let domain = text.strip_prefix("/ipns/").unwrap_or(text).trim_end_matches('.');
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        if domain.len() <= MAX_DOMAIN_BYTES && domain.contains('.') && domain.split('.').all(is_label) {
            return Ok(Self::Domain(domain.to_ascii_lowercase()));
        }
        let shown = printable_within(text, 100);
        Err(Error::new(Kind::Usage, format!("`{shown}` is neither an IPNS name nor a domain"))
            .hint("An IPNS name begins with `k51`; `roadstead target show` on the publishing machine prints it."))
    }
}

impl fmt::Display for Followed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(name) => fmt::Display::fmt(name, f),
            Self::Domain(domain) => f.write_str(domain),
        }
    }
}

/// Which blobs are here before anybody asks for them. Manifests and configurations always are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// None: each comes when it is first pulled.
    Lazy,
    /// Those of images with a tag; those of images pinned by digest come when they are first pulled.
    Tags,
    /// All.
    #[default]
    All,
}

impl Mode {
    /// As it is written and read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Lazy => "lazy",
            Self::Tags => "tags",
            Self::All => "all",
        }
    }
}

impl FromStr for Mode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Lazy, Self::Tags, Self::All]
            .into_iter()
            .find(|mode| mode.word() == text)
            .ok_or_else(|| Error::new(Kind::Usage, "a mode is `lazy`, `tags` or `all`"))
    }
}

/// Whom to follow, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Who is followed.
    pub name: Followed,
    /// URLs of trustless gateways and multiaddrs of peers, the first one asked first; none for the swarm.
    pub sources: Vec<String>,
    /// Which blobs are fetched at once.
    pub mode: Mode,
    /// Time between two looks at the name.
    pub every: Duration,
}

impl Setting {
    /// Checks that the sources are URLs or multiaddrs, and that this program can ask them.
    pub fn check(&self) -> Result<()> {
        if self.sources.len() > MAX_SOURCES {
            return Err(Error::new(Kind::Usage, format!("there are more than {MAX_SOURCES} sources")));
        }
        let sources = Sources::parse(&self.sources)?;
        if sources.need_the_swarm() && !swarm::is_built_in() {
            return Err(Error::new(Kind::Usage, format!("there is no source to follow {} from", self.name))
                .hint("This program was built without the swarm. Name one or more sources with `--from URL`: the publisher's `serve --ipfs`, another follower, or a trustless gateway."));
        }
        Ok(())
    }

    /// As the catalog has it.
    pub(super) fn of_row(row: &Row) -> Result<Self> {
        Ok(Self {
            name: row.name.parse()?,
            sources: row.sources.split(' ').filter(|source| !source.is_empty()).map(str::to_owned).collect(),
            mode: row.mode.parse()?,
            every: Duration::from_secs(row.every),
        })
    }

    /// All sources together, as they are written where a blob is left there.
    pub(super) fn place(&self) -> String {
        Sources::place(&self.sources)
    }

    /// Who is asked for blocks.
    pub(super) fn blocks(&self, swarm: &Arc<SwarmMember>) -> Result<Arc<dyn BlockSource>> {
        Sources::parse(&self.sources)?.blocks(swarm)
    }

    /// Who is asked for others that have the same.
    pub(super) fn routers(&self) -> Result<Vec<HttpProviders>> {
        Sources::parse(&self.sources)?.routers()
    }

    /// Whether every source is a program of this machine.
    pub(super) fn is_only_here(&self) -> Result<bool> {
        Ok(Sources::parse(&self.sources)?.are_only_here())
    }

    /// Who is asked for records.
    pub(super) fn records(&self, swarm: &Arc<SwarmMember>) -> Result<Vec<Arc<dyn NameRecords>>> {
        Sources::parse(&self.sources)?.records(swarm)
    }

    /// The sources for people.
    pub fn shown_sources(&self) -> String {
        if self.sources.is_empty() { "the swarm".to_owned() } else { self.sources.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_domains_and_neither() {
        let key = "k51qzi5uqu5dgutdk6i1ynyzgkqngpha5xpgia3a5qqp4jsh0u4csozksxel2r";
        assert!(matches!(key.parse().unwrap(), Followed::Key(_)));
        assert_eq!("Registry.Example.com.".parse::<Followed>().unwrap().to_string(), "registry.example.com");
        for wrong in ["", "nowhere", "a..b", "a b.c", "https://example.com", "\u{1b}.x"] {
            let error = wrong.parse::<Followed>().unwrap_err();
            assert!(error.kind() == Kind::Usage && !error.to_string().contains('\u{1b}'), "{error}");
        }
    }

    #[test]
    fn sources_are_urls_or_multiaddrs() {
        let setting = |sources: &[&str]| Setting {
            name: Followed::Domain("example.com".into()),
            sources: sources.iter().map(|source| (*source).to_owned()).collect(),
            mode: Mode::Tags,
            every: Duration::from_mins(1),
        };
        assert_eq!(setting(&[]).check().is_ok(), swarm::is_built_in());
        for wrong in ["example.com", "ftp://x", "http://user:secret@x", "http://a b"] {
            let error = setting(&[wrong]).check().unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        setting(&["http://127.0.0.1:1", "https://example.com/x"]).check().unwrap();
    }
}
