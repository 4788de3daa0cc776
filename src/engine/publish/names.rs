//! The names that move: DNSLink first, then IPNS.
//!
//! A DNSLink record moves from the set that was seen to the one that is wanted, or not at all; then the zone's servers are
//! asked until they say it. What another writer has put there is noticed, and replaced only by force.

use std::time::Duration;

use cid::Cid;
use rusqlite::Connection;
use tokio::time::Instant;

use super::plan::{PlannedName, PlannedRecord};
use crate::catalog::targets::{DnslinkSettings, Target};
use crate::catalog::{publications, unfinished};
use crate::engine::job::Job;
use crate::error::{Context as _, Error, Kind, Result};
use crate::naming::{Atomicity, TxtSet, Zone, dnslink};
use crate::node::{Key, Names, Node};
use crate::text::printable_within;

/// How long a zone's servers may take to say what was set, and how often they are asked: a server that takes updates says it at
/// once, a hosted provider brings it to its servers, a person has to find the form first.
fn patience(atomicity: Atomicity) -> (Duration, Duration) {
    match atomicity {
        Atomicity::Atomic => (Duration::from_secs(10), Duration::from_millis(250)),
        Atomicity::NotAtomic => (Duration::from_mins(3), Duration::from_secs(2)),
        Atomicity::ByHand => (Duration::from_hours(1), Duration::from_secs(5)),
    }
}

/// Least time that a change may take: providers are slow, and a person gets longer (`patience`).
const MIN_REPLACE_TIMEOUT: Duration = Duration::from_mins(5);
/// How long a node may take to publish an IPNS name: on a public network it asks many others.
const IPNS_TIMEOUT: Duration = Duration::from_mins(3);

/// The name that the record of a domain has.
pub(super) fn record_name(settings: &DnslinkSettings) -> String {
    format!("_dnslink.{}", settings.domain.trim_end_matches('.'))
}

/// The set as it will be: exactly one value of ours, and everything foreign as it is.
pub(super) fn wanted(before: &TxtSet, root: &Cid, ttl: u32) -> TxtSet {
    let mut values: Vec<String> = before.values.iter().filter(|value| !points(value)).cloned().collect();
    values.push(format!("{}/ipfs/{root}", dnslink::PREFIX));
    values.sort();
    values.dedup();
    TxtSet { values, ttl: Some(ttl) }
}

/// Whether a value points into `/ipfs` or `/ipns`: of these only one may be there.
fn points(value: &str) -> bool {
    path(value).is_some()
}

/// Where a value points. Readers (boxo `namesys`) also take a path, or a CID, without the words before it.
fn path(value: &str) -> Option<&str> {
    let path = value.strip_prefix(dnslink::PREFIX).unwrap_or(value).trim();
    let is_path = path.starts_with("/ipfs/") || path.starts_with("/ipns/") || path.parse::<Cid>().is_ok();
    is_path.then_some(path)
}

/// An error if the set holds a pointer that was not set from here.
pub(super) fn check_writer(connection: &Connection, name: &str, before: &TxtSet) -> Result<()> {
    for path in before.values.iter().filter_map(|value| path(value)) {
        let root =
            path.strip_prefix("/ipfs/").or(Some(path)).and_then(|rest| rest.trim_end_matches('/').parse::<Cid>().ok());
        let ours = match root {
            Some(root) => unfinished::is_ours(connection, &root)?,
            None => false,
        };
        if !ours {
            return Err(Error::new(
                Kind::Locked,
                format!("{name} points to {}, which was not published from here", printable_within(path, 200)),
            )
            .hint("Find out who sets it; `--force` replaces it."));
        }
    }
    Ok(())
}

/// Moves the record, and waits until the zone's servers say it. A person is told by the zone what to set.
pub(super) async fn move_record(zone: &dyn Zone, record: &PlannedRecord, job: &Job) -> Result<()> {
    let (patience, between) = patience(record.atomicity);
    let begun = Instant::now();
    let replaced = tokio::time::timeout(
        patience.max(MIN_REPLACE_TIMEOUT),
        zone.replace(&record.name, &record.before, &record.after),
    );
    job.or_cancelled(async {
        replaced.await.unwrap_or_else(|_| {
            Err(Error::new(Kind::Network, format!("{} did not change {} in time", zone.place(), record.name)))
        })
    })
    .await?;
    let seen = loop {
        let seen = job.or_cancelled(zone.read(&record.name)).await;
        match &seen {
            Ok(set) if set.values == record.after.values => return Ok(()),
            Err(error) if error.kind() == Kind::Interrupted => break seen,
            _ if begun.elapsed() >= patience => break seen,
            _ => {}
        }
        let pause = async {
            tokio::time::sleep(between).await;
            Ok(())
        };
        job.or_cancelled(pause).await?;
    };
    let seen = seen.context(|| format!("{} accepted the record, but can't be read", zone.place()))?;
    let values: Vec<String> = seen.values.iter().map(|value| printable_within(value, 200)).collect();
    let says = if values.is_empty() { "nothing".to_owned() } else { values.join(", ") };
    Err(Error::new(
        Kind::Network,
        format!("{} accepted the record for {}, but answers {says}", zone.place(), record.name),
    )
    .hint("The root is pinned, but the record is not set: check the zone's servers, then publish again."))
}

/// The IPNS name that was moved to what was published last, if one was: a node without routing publishes a name and can't say
/// afterwards what it points to.
pub(in crate::engine) fn moved(connection: &Connection, newest: i64) -> Result<Option<String>> {
    let steps = publications::steps(connection, newest)?;
    Ok(steps.into_iter().find(|done| done.step == "ipns").map(|done| done.detail))
}

/// The key that is called so, or has this IPNS name.
pub(in crate::engine) fn find_key(keys: Vec<Key>, wanted: &str) -> Option<Key> {
    keys.into_iter().find(|key| key.name == wanted || key.id == wanted)
}

/// The node of a target does not have the key that its IPNS name needs.
pub(in crate::engine) fn missing_key(target: &Target, key: &str, place: &str) -> Error {
    let key = printable_within(key, 100);
    Error::new(Kind::NotFound, format!("{place} has no key `{key}`"))
        .hint(format!("`roadstead target set {} --make-key` creates it there.", target.name))
        .hint("Or name an existing key with `--ipns`: `ipfs key list` on the node shows them; `self` is its own.")
}

/// How the target's IPNS name will move; a reason if that can't be said. `last` is the name that was moved from here, and where
/// to: a node without routing publishes its name and can't say what it points to.
pub(super) async fn plan_name(
    node: &dyn Node,
    target: &Target,
    root: &Cid,
    last: Option<(&str, &Cid)>,
) -> Option<std::result::Result<PlannedName, Error>> {
    let key = target.settings.ipns.clone()?;
    let after = format!("/ipfs/{root}");
    let found = async {
        let names = names_of(node)?;
        let known = match find_key(names.keys().await?, &key) {
            Some(known) => known,
            // Who only looks makes no key.
            None if names.makes_by_itself(&key) => {
                return Ok(PlannedName { key, name: None, before: None, after, unseen: false });
            }
            None => return Err(missing_key(target, &key, &node.place())),
        };
        let name = known.id;
        let seen = names.resolve_name(&name).await.unwrap_or_default();
        let moved = last.filter(|(moved, _)| *moved == name).map(|(_, root)| format!("/ipfs/{root}"));
        let unseen = seen.is_none() && moved.is_some();
        Ok(PlannedName { key, name: Some(name), before: seen.or(moved), after, unseen })
    };
    Some(found.await)
}

/// How a node publishes IPNS names, or that it publishes none.
pub(in crate::engine) fn names_of(node: &dyn Node) -> Result<&dyn Names> {
    node.names().ok_or_else(|| {
        Error::new(Kind::Usage, format!("{} can't publish IPNS names", node.place()))
            .hint("Remove the IPNS key: `roadstead target set NAME --clear ipns`.")
    })
}

/// Moves the IPNS name, and answers it.
pub(super) async fn move_name(node: &dyn Node, key: &str, root: &Cid, job: &Job) -> Result<String> {
    let moved = tokio::time::timeout(IPNS_TIMEOUT, names_of(node)?.publish_name(key, root));
    let name = job.or_cancelled(async {
        moved.await.unwrap_or_else(|_| {
            Err(Error::new(
                Kind::Network,
                format!("{} did not publish the name in {} s", node.place(), IPNS_TIMEOUT.as_secs()),
            ))
        })
    });
    name.await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pointer_stays_and_everything_foreign() {
        let root: Cid = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354".parse().unwrap();
        let bare = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
        let values =
            ["v=spf1 -all", "dnslink=/ipfs/bafyold", "dnslink=/ipns/other", "dnslink=/foo/bar", bare, "/ipfs/x"];
        let before = TxtSet { values: values.map(str::to_owned).to_vec(), ttl: Some(300) };
        let after = wanted(&before, &root, 60);
        let expected = ["dnslink=/foo/bar", &format!("dnslink=/ipfs/{root}"), "v=spf1 -all"];
        assert_eq!(
            (after.values.iter().map(String::as_str).collect::<Vec<_>>(), after.ttl),
            (expected.to_vec(), Some(60))
        );
        assert_eq!(wanted(&after, &root, 60), after);
    }
}
