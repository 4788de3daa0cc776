//! What is asked of the hosted DNS providers of `dns-update`, as futures whose code is in this crate.
//!
//! A future that is boxed as `dyn Future` is compiled where it is boxed. There are some seventy providers, each with several kinds of
//! requests and answers: a fifth of what the crate that awaits them would be compiled to.

use std::pin::Pin;

pub use dns_update::{DnsRecord, DnsRecordType, DnsUpdater, Error, Result, providers};

/// What a provider will have answered.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// The records of one type at `name`, as the provider has them.
pub fn list<'a>(
    client: &'a DnsUpdater,
    name: &'a str,
    kind: DnsRecordType,
    zone: &'a str,
) -> Answer<'a, Vec<DnsRecord>> {
    Box::pin(client.list_rrset(name, kind, zone))
}

/// Puts `records` in the place of all of this type at `name`, to be kept for `ttl` seconds.
pub fn set<'a>(
    client: &'a DnsUpdater,
    name: &'a str,
    kind: DnsRecordType,
    ttl: u32,
    records: Vec<DnsRecord>,
    zone: &'a str,
) -> Answer<'a, ()> {
    Box::pin(client.set_rrset(name, kind, ttl, records, zone))
}
