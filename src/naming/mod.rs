//! DNSLink: the TXT record that gives the newest root a name (dnslink.dev).
//!
//! A [`Zone`] reads and replaces the TXT set at one name; adapters are RFC 2136, the hosted providers, and a person. Knows
//! DNS; must not know nodes, nor the catalog. What a server says is untrusted.

mod authority;
pub mod dnslink;
mod exchange;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod hosts;
pub mod manual;
pub mod provider;
mod question;
mod records;
mod refusal;
pub mod rfc2136;
pub mod world;

#[cfg(test)]
mod tests;

use std::fmt;

use async_trait::async_trait;

use crate::error::Result;

/// The TXT records at one name.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct TxtSet {
    /// Values, sorted; each is one record with its character strings joined.
    pub values: Vec<String>,
    /// How long it may be kept, in seconds; none where there is no record.
    pub ttl: Option<u32>,
}

/// How a zone takes a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Atomicity {
    /// One message that changes all or nothing, and only if the set is still what it was.
    Atomic,
    /// Several requests: a cut between them can leave the record absent, and another writer is not noticed.
    NotAtomic,
    /// A person does it.
    ByHand,
}

/// Who can change the TXT set of a name.
#[async_trait]
pub trait Zone: fmt::Debug + Send + Sync {
    /// Who it is, for people: never with credentials.
    fn place(&self) -> String;

    /// How it takes a change.
    fn atomicity(&self) -> Atomicity;

    /// The set at `name` (`_dnslink.registry.example.com`) as the zone's authoritative servers say it, from every one of them
    /// that can be reached; an error if they differ for longer than a moment.
    async fn read(&self, name: &str) -> Result<TxtSet>;

    /// Replaces the set `expected` by `wanted`. If the set is another one by now, an error of the kind `Locked`, and nothing
    /// changed.
    async fn replace(&self, name: &str, expected: &TxtSet, wanted: &TxtSet) -> Result<()>;

    /// Tries whether a change at `name` would be taken, and changes nothing that lasts.
    async fn try_change(&self, name: &str) -> Result<()>;
}
