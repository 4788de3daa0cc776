//! What one authoritative server says about a name: its TXT records, its zone, the zone's other servers.
//!
//! Only answers that the server gives with authority count. Knows questions; must not know who else is asked.

use std::net::IpAddr;

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use super::exchange::Server;
use super::records::Records;
use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// More TXT records than this at one name are nobody's.
const MAX_TXT_RECORDS: usize = 100;
/// An alias of an alias of an alias … is followed so far.
const MAX_ALIASES: usize = 8;
/// More servers of one zone than this are not asked.
pub(super) const MAX_SERVERS: usize = 8;

/// What a server has at a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// These records, or none.
    Records {
        /// The name that they are at: the one asked for, or the last of its aliases.
        at: Name,
        records: Records,
    },
    /// The name is an alias of one that this server did not answer for.
    Elsewhere(Name),
}

/// A name as a person writes it, made absolute.
pub(super) fn name(text: &str) -> Result<Name> {
    let shown = printable_within(text, 260);
    let mut name = Name::from_ascii(text)
        .map_err(|error| Error::new(Kind::Usage, format!("`{shown}` is not a valid DNS name")).caused_by(error))?;
    name.set_fqdn(true);
    Ok(name)
}

/// A name for people.
pub(super) fn shown(name: &Name) -> String {
    printable_within(name.to_ascii().trim_end_matches('.'), 260)
}

async fn ask(server: &Server, name: &Name, kind: RecordType) -> Result<Message> {
    let mut question = Message::query();
    question.metadata.recursion_desired = false;
    let mut query = Query::new();
    query.set_name(name.clone()).set_query_type(kind);
    question.add_query(query);
    let message = server.ask(&question).await?.message;
    let code = message.metadata.response_code;
    let failed = |what: &str| Error::new(Kind::Network, format!("the DNS server {server} {what}"));
    match code {
        ResponseCode::NoError | ResponseCode::NXDomain if message.metadata.authoritative => Ok(message),
        ResponseCode::NoError | ResponseCode::NXDomain | ResponseCode::Refused | ResponseCode::NotAuth => {
            Err(failed(&format!("does not serve the zone of {} ({code})", shown(name)))
                .hint("Name a server that has the zone itself, not a resolver."))
        }
        ResponseCode::ServFail => Err(failed(&format!("can't answer for {} ({code})", shown(name)))
            .hint("It may still load the zone, or have lost it: look at its log.")),
        code => Err(failed(&format!("answers {code} when asked for {}", shown(name)))),
    }
}

/// The TXT records at a name, through the aliases that this server knows.
pub(super) async fn txt(server: &Server, name: &Name) -> Result<Said> {
    let mut at = name.clone();
    let mut alias = false;
    for _ in 0..MAX_ALIASES {
        let answer = match ask(server, &at, RecordType::TXT).await {
            Ok(answer) => answer,
            // Where an alias leads to is another server's business.
            Err(error) if alias && error.kind() == Kind::Network => return Ok(Said::Elsewhere(at)),
            Err(error) => return Err(error),
        };
        let here = || answer.answers.iter().filter(|record| record.name == at);
        let target = here().find_map(|record| match &record.data {
            RData::CNAME(target) => Some(target.0.clone()),
            _ => None,
        });
        if let Some(target) = target {
            (at, alias) = (target, true);
            continue;
        }
        let records = gather(server, &at, here())?;
        return Ok(Said::Records { at, records });
    }
    let name = shown(name);
    Err(Error::new(Kind::Network, format!("on the DNS server {server}, {name} is an endless chain of aliases"))
        .hint("Its CNAME records may form a circle."))
}

pub(super) fn gather<'a>(server: &Server, at: &Name, found: impl Iterator<Item = &'a Record>) -> Result<Records> {
    let mut records = Records::default();
    for record in found {
        if let RData::TXT(txt) = &record.data {
            records.ttl = Some(records.ttl.map_or(record.ttl, |ttl| ttl.min(record.ttl)));
            records.raw.push(txt.clone());
        }
    }
    if records.raw.len() > MAX_TXT_RECORDS {
        let what = format!("the DNS server {server} has {} TXT records at {}", records.raw.len(), shown(at));
        return Err(
            Error::new(Kind::Usage, what).hint(format!("At most {MAX_TXT_RECORDS} are supported; remove some."))
        );
    }
    Ok(records)
}

/// The zone that a name is in. An answer without the name carries it in its authority section (RFC 2308, section 2).
pub(super) async fn zone(server: &Server, name: &Name) -> Result<Name> {
    let answer = ask(server, name, RecordType::SOA).await?;
    let mut records = answer.answers.iter().chain(&answer.authorities);
    let zone = records.find(|record| record.record_type() == RecordType::SOA).map(|record| record.name.clone());
    match zone {
        Some(zone) if zone.zone_of(name) => Ok(zone),
        _ => Err(Error::new(
            Kind::Network,
            format!("the DNS server {server} does not say which zone {} is in", shown(name)),
        )),
    }
}

/// The names of a zone's servers, and the addresses that this server knows of them.
pub(super) async fn servers(server: &Server, zone: &Name) -> Result<Vec<(Name, Vec<IpAddr>)>> {
    let answer = ask(server, zone, RecordType::NS).await?;
    let names = answer.answers.iter().filter_map(|record| match &record.data {
        RData::NS(name) => Some(name.0.clone()),
        _ => None,
    });
    let known = |name: &Name| {
        let of_it = answer.additionals.iter().filter(|record| record.name == *name);
        of_it.filter_map(|record| record.data.ip_addr()).take(2).collect::<Vec<_>>()
    };
    Ok(names.take(MAX_SERVERS).map(|name| (name.clone(), known(&name))).collect())
}
