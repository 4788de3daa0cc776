//! Which root a domain means: what its DNSLink record says, followed through IPNS names by the node that is asked for the rest.

use cid::Cid;

use super::place::Place;
use crate::error::{Error, Kind, Result};
use crate::naming::{TxtSet, world};
use crate::node::source::HttpBlocks;
use crate::text::printable_within;

/// How many names may stand between a domain and a root.
const HOPS: usize = 8;

/// The root that this domain means now.
///
/// The record is asked for at this machine's resolver. Where that has none, and the place is a Kubo node, the node is asked,
/// which may know other name servers; IPNS names only a node can follow.
pub async fn root_of(domain: &str, place: &Place) -> Result<Cid> {
    let node = match place {
        Place::Kubo(address) => Some(HttpBlocks::kubo(address, None)?),
        _ => None,
    };
    let mut name = domain.to_owned();
    for _ in 0..HOPS {
        let record = format!("_dnslink.{name}");
        let found = if name.contains('.') { world::txt(&record).await } else { Ok(TxtSet::default()) };
        let found = match (found, &node) {
            (Ok(found), _) => found,
            // It may know what this machine's resolver does not.
            (Err(_), Some(_)) => TxtSet::default(),
            (Err(error), None) => return Err(error),
        };
        let mut values: Vec<&str> =
            found.values.iter().filter_map(|value| value.strip_prefix("dnslink=")).map(str::trim).collect();
        values.dedup();
        let value = match (values.as_slice(), &node) {
            ([only], _) => (*only).to_owned(),
            ([], Some(node)) => node.resolve(&format!("/ipns/{name}")).await?,
            ([], None) => {
                return Err(Error::new(Kind::NotFound, format!("{record} has no `dnslink=` value"))
                    .hint("Name the root itself instead of the domain."));
            }
            (several, _) => {
                let words = format!("{record} has {} different `dnslink=` values", several.len());
                return Err(Error::new(Kind::Verification, words).hint("Name the root itself instead of the domain."));
            }
        };
        let unreadable = || {
            let words = format!("{record} says `{}`, which is no root", printable_within(&value, 200));
            Error::new(Kind::Verification, words)
        };
        let path = value.trim_end_matches('/');
        if let Some(root) = path.strip_prefix("/ipfs/") {
            return root
                .parse()
                .map_err(|_| unreadable().hint("Only a root itself can be restored, not a path below one."));
        }
        let next = path.strip_prefix("/ipns/").filter(|next| !next.is_empty() && !next.contains('/'));
        name = next.ok_or_else(unreadable)?.to_owned();
        if !name.contains('.') && node.is_none() {
            return Err(Error::new(
                Kind::Usage,
                format!("{record} points to the IPNS name {}", printable_within(&name, 100)),
            )
            .hint("Only a node can follow that: use one with `--from kubo:URL`, or name the root itself."));
        }
    }
    Err(Error::new(
        Kind::Verification,
        format!("{} leads through more than {HOPS} names", printable_within(domain, 260)),
    ))
}
