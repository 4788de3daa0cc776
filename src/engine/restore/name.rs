//! Which root a domain means: what its DNSLink record says, by this machine's resolver or by who is asked for the rest.

use cid::Cid;

use super::place::Place;
use crate::error::{Error, Kind, Result};
use crate::naming::dnslink::Link;
use crate::naming::{TxtSet, world};
use crate::text::printable_within;

/// How many names may stand between a domain and a root.
const MAX_HOPS: usize = 8;
/// The longest name that is asked for.
const MAX_NAME_BYTES: usize = 253;

/// The root that a name means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// CID that the name leads to.
    pub root: Cid,
    /// Who says so, where it was not this machine's resolver: nothing proves it.
    pub said_by: Option<String>,
}

/// The root that this domain means now.
///
/// The record is asked for at this machine's resolver. Where that has none, the gateway or the node is asked, which may know
/// other name servers; IPNS names only they can follow.
pub async fn root_of(domain: &str, place: &Place) -> Result<Named> {
    let mut name = domain.to_owned();
    for _ in 0..MAX_HOPS {
        let record = format!("_dnslink.{name}");
        let found = if name.contains('.') { world::txt(&record).await } else { Ok(TxtSet::default()) };
        let link = match &found {
            Ok(set) => Link::only(set.values.iter().map(String::as_str))
                .map_err(|error| error.context(&record).hint("Name the root itself instead of the domain."))?,
            Err(_) => None,
        };
        let Some(link) = link else {
            let Some(asked) = place.over_http()? else {
                found?;
                return Err(unknown(&name, &record));
            };
            // It may know what this machine's resolver does not.
            let path = asked.resolve(&format!("/ipns/{name}")).await?;
            let root = path.strip_prefix("/ipfs/").and_then(|root| root.trim_end_matches('/').parse().ok());
            let root = root.ok_or_else(|| no_root(&name, &path))?;
            return Ok(Named { root, said_by: Some(crate::node::source::BlockSource::place(&asked)) });
        };
        match link {
            Link::Ipfs { cid, path } if path.is_empty() => return Ok(Named { root: cid, said_by: None }),
            Link::Ipns { name: next, path } if path.is_empty() && is_plain(&next) => name = next,
            other => return Err(no_root(&record, &other.to_string())),
        }
    }
    let words = format!("{} leads through more than {MAX_HOPS} names", printable_within(domain, 260));
    Err(Error::new(Kind::Verification, words))
}

/// Whether it can stand in a path.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    name.len() <= MAX_NAME_BYTES && name.bytes().all(plain)
}

fn unknown(name: &str, record: &str) -> Error {
    if name.contains('.') {
        return Error::new(Kind::NotFound, format!("{record} has no `dnslink=` value"))
            .hint("Name the root itself instead of the domain.");
    }
    Error::new(Kind::Usage, format!("the domain points to the IPNS name {}", printable_within(name, 100)))
        .hint("Only a gateway or a node can follow that: use one with `--from URL`, or name the root itself.")
}

fn no_root(who: &str, what: &str) -> Error {
    let words = format!("{} says `{}`, which is not a root", printable_within(who, 260), printable_within(what, 200));
    Error::new(Kind::Verification, words).hint("Only a root itself can be restored, not a path below one.")
}
