//! Trying a target: each part with the rights that publishing will need, and nothing that lasts.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::checks::{Check, Checks, Outcome, Part, Trial};
use super::key::try_ipns;
use super::secrets::Variables;
use super::static_host;
use super::try_host::try_host;
use super::view::{find, record_name};
use crate::catalog::targets::{DnslinkSettings, Target};
use crate::catalog::{publications, state};
use crate::engine::Engine;
use crate::engine::job::{Event, Job};
use crate::engine::own_node::own_agent;
use crate::engine::publish::{Places, moved_name};
use crate::error::{Error, Kind, Result};
use crate::naming::{Atomicity, TxtSet, Zone};
use crate::node::{Intake, Node, Status};
use crate::text::{bytes, printable_within};

/// The oldest programs that publishing is tested with, by what they call themselves: Kubo's `dag/import` and `pin/update` say what is
/// asked of them, and Cluster's `no-pin` is from 1.0.7.
const MIN_TESTED: [(&str, &str, (u64, u64)); 2] =
    [("kubo/", "Kubo", (0, 40)), ("ipfs-cluster/", "IPFS Cluster", (1, 1))];

/// What is found of a right that the node grants.
pub const ALLOWED: &str = "allowed";

/// What anybody on the network sees, without credentials.
#[async_trait]
pub trait World: fmt::Debug + Send + Sync {
    /// The TXT set of a name, as this machine's resolver answers.
    async fn txt(&self, name: &str) -> Result<TxtSet>;

    /// Whether a gateway answers for an empty block.
    async fn gateway(&self, url: &str) -> Result<()>;
}

impl Engine {
    /// Tries every part of a target. A part that fails does not stop the others.
    pub async fn test_target(
        self: &Arc<Self>,
        name: &str,
        places: &dyn Places,
        world: &dyn World,
        variables: &Variables,
        job: &Job,
    ) -> Result<Trial> {
        let (target, needs) = {
            let name = name.to_owned();
            let asked = self.blocking(move |engine| {
                let target = find(&*engine.catalog.read()?, &name)?;
                let needs = Needs::of(engine, &target)?;
                Ok((target, needs))
            });
            asked.await?
        };
        let held = async {
            Ok(match try_host(&target, places, variables).await {
                Some(checks) => checks,
                None => try_node(&target, places, variables, &needs).await,
            })
        };
        let mut tried = vec![job.or_cancelled(held).await?];
        job.tell(Event::Progress { what: "parts", done: 1, total: 3 });
        if let Some(dnslink) = &target.settings.dnslink {
            let work = async { Ok(try_dnslink(&target, dnslink, places, world, variables).await) };
            tried.push(job.or_cancelled(work).await?);
        }
        job.tell(Event::Progress { what: "parts", done: 2, total: 3 });
        let mut gateways = Checks::of(Part::Gateway);
        for gateway in &target.settings.gateways {
            match job.or_cancelled(world.gateway(gateway)).await {
                Ok(()) => gateways.good("reachable", gateway.clone()),
                Err(error) if error.kind() == Kind::Interrupted => return Err(error),
                Err(error) => gateways.fail("reachable", &error, "Check the URL, and whether the gateway runs."),
            }
        }
        tried.push(gateways.made);
        job.tell(Event::Progress { what: "parts", done: 3, total: 3 });
        Ok(Trial { target: target.name, checks: tried.into_iter().flatten().collect() })
    }
}

impl Engine {
    /// Whether the secrets of a target can be read, and how they are kept; nobody is asked.
    pub fn target_secrets(&self, name: &str, variables: &Variables) -> Result<Vec<Check>> {
        let target = find(&*self.catalog.read()?, name)?;
        let mut node = Checks::of(Part::Node);
        if let Some(warnings) = static_host::warnings(&target.settings.node) {
            for warning in warnings {
                node.say("secret", Outcome::Doubtful, warning, None);
            }
            return Ok(node.made);
        }
        node.node_secret(&target.settings.node, variables);
        let mut dnslink = Checks::of(Part::Dnslink);
        if let Some(secret) = target.settings.dnslink.as_ref().and_then(|dnslink| dnslink.zone.secret()) {
            dnslink.secret(secret, variables);
        }
        Ok([node.made, dnslink.made].concat())
    }

    /// What is doubtful about how the secrets of a target are kept, half a sentence each: a variable that is not set here may be
    /// where this runs by itself.
    pub fn target_doubts(&self, name: &str, variables: &Variables) -> Result<Vec<String>> {
        let checks = self.target_secrets(name, variables)?.into_iter();
        let doubtful = checks.filter(|check| check.outcome != Outcome::Good);
        Ok(doubtful.map(|check| check.detail.trim_end_matches('.').to_owned()).collect())
    }
}

/// Bytes of what a node has to hold, each blob once: a directory says more of itself, since it counts what it links twice
/// twice (UnixFS `Tsize`), and both views link every blob.
struct Needs {
    /// What the catalog stands for.
    root: u64,
    /// What of it was not published last.
    missing: u64,
    published: bool,
    /// The IPNS name that was moved to it.
    moved: Option<String>,
}

impl Needs {
    fn of(engine: &Engine, target: &Target) -> Result<Self> {
        let reader = engine.catalog.read()?;
        let newest = publications::newest_published(&reader, target.id)?;
        let published = newest.is_some();
        let moved = newest.as_ref().map(|newest| moved_name(&reader, newest.id)).transpose()?.flatten();
        let Some(root) = state::root(&reader)? else { return Ok(Self { root: 0, missing: 0, published, moved }) };
        let bytes = engine.stored_below(&reader, &root)?.unwrap_or_default();
        // Of a root that is not kept whole any more nothing is known.
        let added = newest.and_then(|newest| engine.diff(&newest.root.cid, &root.cid).ok());
        Ok(Self { root: bytes, missing: added.map_or(bytes, |differs| differs.added.bytes), published, moved })
    }
}

async fn try_node(target: &Target, places: &dyn Places, variables: &Variables, needs: &Needs) -> Vec<Check> {
    let mut checks = Checks::of(Part::Node);
    let settings = &target.settings.node;
    let readable = checks.node_secret(settings, variables);
    let rest: &[&str] = if settings.can_be_read() {
        &["reachable", "version", "rights", "room"]
    } else {
        &["reachable", "version", "rights"]
    };
    let node = if readable { Some(places.node(target)) } else { None };
    let node = match node {
        None => {
            checks.skip(rest);
            return checks.made;
        }
        Some(Err(error)) => {
            checks.fail("reachable", &error, "Change the URL with `roadstead target set`.");
            checks.skip(&rest[1..]);
            return checks.made;
        }
        Some(Ok(node)) => node,
    };
    match node.status().await {
        Ok(status) => {
            let (place, peer, reach) = (node.place(), printable_within(&status.peer_id, 80), status.reach());
            let peer = if peer.is_empty() { String::new() } else { format!(", peer {peer}, {reach}") };
            checks.good("reachable", format!("{}{peer}", printable_within(&place, 200)));
            for advice in node.advice().await {
                let (what, detail) = match node.intake() {
                    Intake::Fetches => ("blocks", "fetched from whoever gives them out".to_owned()),
                    _ if settings.has_peers() => ("peers", reach.clone()),
                    _ => ("served", reach.clone()),
                };
                checks.say(what, Outcome::Doubtful, detail, Some(advice));
            }
            if status.agent.contains('/') {
                version(&mut checks, &status.agent);
            }
            rights(&mut checks, &*node, target.settings.ipns.is_some()).await;
            if node.blocks().is_none() {
                checks.unread(target.settings.gateways.is_empty());
            }
            room(&mut checks, &status, needs);
        }
        Err(error) => {
            let hint = match error.kind() {
                Kind::Auth => "Name the file with its token: `roadstead target set NAME --auth-file FILE`.",
                _ => "Check that the node runs, and the URL of its API.",
            };
            checks.fail("reachable", &error, hint);
            checks.skip(&rest[1..]);
        }
    }
    let mut all = checks.made;
    let reached = all.iter().all(|check| check.what != "reachable" || check.outcome == Outcome::Good);
    all.extend(try_ipns(target, &*node, reached, needs.moved.as_deref()).await);
    all
}

fn version(checks: &mut Checks, agent: &str) {
    let shown = printable_within(agent.trim_end_matches('/'), 80);
    let numbers = MIN_TESTED.iter().find_map(|(prefix, name, least)| {
        let mut numbers = agent.strip_prefix(prefix)?.split(['.', '-', '/']);
        Some((name, *least, (numbers.next()?.parse::<u64>().ok()?, numbers.next()?.parse::<u64>().ok()?)))
    });
    let (outcome, hint) = match numbers {
        Some((_, least, numbers)) if numbers >= least => (Outcome::Good, None),
        Some((name, (major, minor), _)) => (
            Outcome::Doubtful,
            Some(format!("Publishing is tested with {name} {major}.{minor} and later: upgrade the node.")),
        ),
        None if agent == own_agent() => (Outcome::Good, None),
        None => (Outcome::Doubtful, Some("The node does not identify as Kubo; its answers are checked.".to_owned())),
    };
    checks.say("version", outcome, shown, hint);
}

async fn rights(checks: &mut Checks, node: &dyn Node, names: bool) {
    for tried in node.try_rights(names).await {
        match tried.outcome {
            Ok(()) => checks.good(tried.right, ALLOWED),
            Err(error) => {
                let hint = match error.kind() {
                    Kind::Auth => "Allow what is missing to these credentials.",
                    _ => "Look at the node's log.",
                };
                checks.fail(tried.right, &error, hint);
            }
        }
    }
}

/// Room is a guess: a node's limit is not its disk, and what it has of the root is not asked block by block.
fn room(checks: &mut Checks, status: &Status, needs: &Needs) {
    if status.storage_max.is_none() && status.repository_size == 0 {
        // It says nothing of disks.
        return;
    }
    let Some(limit) = status.storage_max else {
        checks.good("room", format!("{} used; the node reports no limit", bytes(status.repository_size)));
        return;
    };
    let free = limit.saturating_sub(status.repository_size);
    let detail =
        format!("{} of {} used; the root takes {}", bytes(status.repository_size), bytes(limit), bytes(needs.root));
    let hint = "Raise `Datastore.StorageMax`, or unpin what is not needed there and run `ipfs repo gc`.".to_owned();
    if free >= needs.missing {
        checks.good("room", detail);
    } else if needs.published {
        checks.say("room", Outcome::Doubtful, detail, Some(hint));
    } else {
        let short = format!("{detail}, {} more than is free", bytes(needs.missing - free));
        checks.fail("room", &Error::new(Kind::Node, short).hint(hint), "");
    }
}

async fn try_dnslink(
    target: &Target,
    dnslink: &DnslinkSettings,
    places: &dyn Places,
    world: &dyn World,
    variables: &Variables,
) -> Vec<Check> {
    let mut checks = Checks::of(Part::Dnslink);
    let name = record_name(&dnslink.domain);
    let readable = dnslink.zone.secret().is_none_or(|secret| checks.secret(secret, variables));
    let zone = if readable { places.zone(target) } else { Ok(None) };
    let mut authoritative = None;
    match zone {
        Ok(Some(zone)) => authoritative = try_zone(&mut checks, &name, &*zone).await,
        Ok(None) => checks.skip(&["authoritative servers", "change"]),
        Err(error) => {
            checks.fail("zone", &error, "Change the server or provider with `roadstead target set`.");
            checks.skip(&["authoritative servers", "change"]);
        }
    }
    match world.txt(&name).await {
        Ok(seen) => {
            let same = authoritative.as_ref().is_none_or(|set: &TxtSet| set.values == seen.values);
            let hint = (!same).then(|| {
                let ttl = authoritative.as_ref().and_then(|set| set.ttl).or(seen.ttl).unwrap_or(dnslink.ttl);
                format!("The authoritative servers have another value; resolvers may cache the old one for {ttl} s.")
            });
            let outcome = if same { Outcome::Good } else { Outcome::Doubtful };
            checks.say("seen by the world", outcome, shown(&seen), hint);
        }
        Err(error) => {
            let hint = "This machine's resolver did not answer; others may. Check `/etc/resolv.conf`.".to_owned();
            checks.say("seen by the world", Outcome::Doubtful, error.to_string(), Some(hint));
        }
    }
    checks.made
}

/// Reads the record where it is kept, and tries a change of it.
async fn try_zone(checks: &mut Checks, name: &str, zone: &dyn Zone) -> Option<TxtSet> {
    let place = printable_within(&zone.place(), 200);
    let found = match zone.read(name).await {
        Ok(set) => {
            let links = set.values.iter().filter(|value| value.starts_with("dnslink=")).count();
            let hint = (links > 1).then(|| "There are several `dnslink=` records: publishing keeps one.".to_owned());
            let outcome = if links > 1 { Outcome::Doubtful } else { Outcome::Good };
            checks.say("authoritative servers", outcome, format!("{name}: {}", shown(&set)), hint);
            Some(set)
        }
        Err(error) => {
            checks.fail("authoritative servers", &error, "Check that the domain exists and that its servers answer.");
            None
        }
    };
    if zone.atomicity() == Atomicity::ByHand {
        checks.good("change", "by hand: `publish` shows the record to set and waits for it");
        return found;
    }
    match zone.try_change(name).await {
        Ok(()) if zone.atomicity() == Atomicity::NotAtomic => {
            let hint = "A change takes several requests: an interruption between them can leave no record.".to_owned();
            checks.say("change", Outcome::Good, format!("{place} would accept it"), Some(hint));
        }
        Ok(()) => checks.good("change", format!("{place} would accept it")),
        Err(error) => checks.fail("change", &error, "Check the key and what it may change in this zone."),
    }
    found
}

fn shown(set: &TxtSet) -> String {
    if set.values.is_empty() {
        return "no record".to_owned();
    }
    let values: Vec<String> =
        set.values.iter().take(5).map(|value| format!("\"{}\"", printable_within(value, 120))).collect();
    let more = set.values.len().saturating_sub(5);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let ttl = set.ttl.map_or_else(String::new, |ttl| format!(", TTL {ttl} s"));
    format!("{}{more}{ttl}", values.join(" "))
}
