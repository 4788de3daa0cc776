//! A zone at a hosted provider, changed by its own API in several requests: not atomic.
//!
//! Knows when to ask the provider and when the zone's servers; must not know any provider's API.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use roadstead_dns::{DnsRecord, DnsRecordType, DnsUpdater};
use tokio::time::timeout;

use super::authority::Authority;
use super::hosts::Host;
use super::question::{self, shown};
use super::{Atomicity, TxtSet, Zone};
use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// How long one change may take, with every request of it and the pauses that the provider asks for.
const CHANGE_TIMEOUT: Duration = Duration::from_mins(2);
/// What a record is kept for where nobody says, in seconds.
const DEFAULT_TTL_SECONDS: u32 = 60;

/// A hosted provider and the right to change a zone there.
pub struct Provider {
    host: &'static Host,
    /// What must never be shown.
    secrets: Vec<String>,
    client: DnsUpdater,
    authority: Authority,
    /// The zone, where it is not looked for.
    zone: Option<String>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("host", &self.host.name).finish_non_exhaustive()
    }
}

/// What the provider says of a name.
struct Found {
    at: String,
    zone: String,
    set: TxtSet,
}

impl Provider {
    /// The provider of this name and its token; where it wants several values, they are separated by colons. Nobody is
    /// asked.
    pub fn new(provider: &str, token: &str) -> Result<Self> {
        let host = Host::named(provider)?;
        let secrets = host.values(token)?;
        let client = host.connect(&secrets).map_err(|error| {
            Error::new(Kind::Usage, format!("can't use {}: {}", host.title, redacted(&error.to_string(), &secrets)))
        })?;
        Ok(Self { host, secrets, client, authority: Authority::Delegated, zone: None })
    }

    /// The names of all providers.
    pub fn names() -> impl Iterator<Item = &'static str> {
        super::hosts::HOSTS.iter().map(|host| host.name)
    }

    /// Knows the zone and its servers; for tests.
    #[cfg(test)]
    pub(super) fn knowing(mut self, zone: &str, authority: Authority) -> Self {
        (self.zone, self.authority) = (Some(zone.to_owned()), authority);
        self
    }

    fn failed(&self, what: &str, error: &roadstead_dns::Error) -> Error {
        use roadstead_dns::Error as E;
        let title = self.host.title;
        let text = error.to_string();
        // The library gives a status code only as text.
        let code = text.split("HTTP ").nth(1).and_then(|rest| rest.get(..3)).unwrap_or_default();
        let new = |kind, text: String| Error::new(kind, format!("{title} can't {what}: {text}"));
        match error {
            E::Unauthorized => new(Kind::Auth, "it does not accept the token".into())
                .hint("Make a token that may edit the zone's DNS records, and write it into the token's file."),
            E::Api(_) if code == "403" => new(Kind::Auth, "the token may not do that (403)".into())
                .hint("Grant it to edit the zone's DNS records."),
            E::NotFound => new(Kind::NotFound, "it does not know the zone or the record".into())
                .hint("Check the domain, and that the token's account has its zone."),
            E::Unsupported(_) => new(Kind::Usage, redacted(&text, &self.secrets))
                .hint("Use `--dns manual`: the program says what to set, and waits for it."),
            _ => new(Kind::Network, redacted(&text, &self.secrets)),
        }
    }

    /// Waits for one piece of work at the provider, and not longer than is sensible.
    async fn patiently<T>(&self, what: &str, work: impl Future<Output = roadstead_dns::Result<T>>) -> Result<T> {
        match timeout(CHANGE_TIMEOUT, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(self.failed(what, &error)),
            Err(_) => Err(Error::new(
                Kind::Network,
                format!("{} does not {what} in {} s", self.host.title, CHANGE_TIMEOUT.as_secs()),
            )),
        }
    }

    async fn zone_of(&self, at: &str) -> Result<String> {
        match &self.zone {
            Some(zone) => Ok(zone.clone()),
            None => Ok(shown(&self.authority.zone(&question::name(at)?).await?)),
        }
    }

    /// The set as the provider has it: its servers may lag behind.
    async fn look(&self, name: &str) -> Result<Found> {
        let at = shown(&question::name(name)?);
        let zone = self.zone_of(&at).await?;
        let list = roadstead_dns::list(&self.client, &at, DnsRecordType::TXT, &zone);
        let records = match timeout(CHANGE_TIMEOUT, list).await {
            // Several say so when the name has no record.
            Ok(Err(roadstead_dns::Error::NotFound)) => Vec::new(),
            Ok(found) => found.map_err(|error| self.failed("list the record", &error))?,
            Err(_) => return Err(Error::new(Kind::Network, format!("{} does not answer", self.host.title))),
        };
        let mut values: Vec<String> = records
            .into_iter()
            .filter_map(|record| match record {
                DnsRecord::TXT(value) => Some(value),
                _ => None,
            })
            .collect();
        values.sort();
        values.dedup();
        Ok(Found { at, zone, set: TxtSet { values, ttl: None } })
    }

    async fn set(&self, at: &str, zone: &str, wanted: &TxtSet) -> Result<()> {
        let records = wanted.values.iter().map(|value| DnsRecord::TXT(value.clone())).collect();
        let ttl = wanted.ttl.unwrap_or(DEFAULT_TTL_SECONDS);
        self.patiently(
            "change the record",
            roadstead_dns::set(&self.client, at, DnsRecordType::TXT, ttl, records, zone),
        )
        .await
    }
}

#[async_trait]
impl Zone for Provider {
    fn place(&self) -> String {
        self.host.title.to_owned()
    }

    fn atomicity(&self) -> Atomicity {
        Atomicity::NotAtomic
    }

    async fn read(&self, name: &str) -> Result<TxtSet> {
        self.authority.read(name).await
    }

    async fn replace(&self, name: &str, expected: &TxtSet, wanted: &TxtSet) -> Result<()> {
        let found = self.look(name).await?;
        if found.set.values != expected.values {
            return Err(Error::new(
                Kind::Locked,
                format!("another writer changed {} in the meantime, according to {}", found.at, self.host.title),
            )
            .hint("Its servers may lag behind: check the record, then try again."));
        }
        let Err(error) = self.set(&found.at, &found.zone, wanted).await else { return Ok(()) };
        // It may have been done all the same, or half of it.
        match self.look(name).await {
            Ok(now) if now.set.values == wanted.values => Ok(()),
            Ok(now) if now.set.values == expected.values => Err(error.hint("The record has not moved.")),
            Ok(now) if now.set.values.is_empty() => {
                Err(error.hint(format!("Now {} has no record: publish again.", now.at)))
            }
            _ => Err(error.hint("The record may be half changed: check it.")),
        }
    }

    /// Sets a record beside the one that is meant, and removes it.
    async fn try_change(&self, name: &str) -> Result<()> {
        let found = self.look(name).await?;
        let parent = found.at.strip_prefix("_dnslink.").unwrap_or(&found.at);
        let beside = format!("_roadstead-test.{parent}");
        let test = TxtSet {
            values: vec![format!("roadstead-test={:032x}", rand::random::<u128>())],
            ttl: Some(DEFAULT_TTL_SECONDS),
        };
        let set = self.set(&beside, &found.zone, &test).await;
        let removed = self.set(&beside, &found.zone, &TxtSet::default()).await;
        set?;
        removed.map_err(|error| error.hint(format!("Remove the TXT record at {beside}: it was for a test only.")))
    }
}

/// The text without secrets and without what URLs carry after their path, and not longer than is read.
fn redacted(text: &str, secrets: &[String]) -> String {
    let mut text = text.to_owned();
    // Longest first: one may be a part of another.
    let mut all: Vec<&String> = secrets.iter().filter(|secret| secret.len() > 2).collect();
    all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in all {
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        text = text.replace(secret.as_str(), "…").replace(&encoded, "…");
    }
    let words = text.split(' ').map(|word| match (word.contains("://"), word.split_once('?')) {
        (true, Some((before, _))) => format!("{before}?…"),
        _ => word.to_owned(),
    });
    printable_within(&words.collect::<Vec<_>>().join(" "), 300)
}
