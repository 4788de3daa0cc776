//! A target as it is shown, and the one that a name means.

use rusqlite::Connection;
use serde::Serialize;

use super::kinds::ADD_TARGET_HINT;
use crate::catalog::publications;
use crate::catalog::state;
use crate::catalog::targets::{self, Target, TargetSettings};
use crate::engine::own_node::{NameState, Serving};
use crate::engine::publish::holders;
use crate::error::{Error, Kind, Result};
use crate::node::Holder;
use crate::text::{nearest, printable_within};

/// A target as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct TargetView {
    /// Name of the target.
    pub name: String,
    /// Its settings; secrets only as the place they are in.
    #[serde(flatten)]
    pub settings: TargetSettings,
    /// When it was added (RFC 3339).
    pub added: String,
    /// The root that it gives out, as far as is known.
    pub root: Option<String>,
    /// When that was published (RFC 3339).
    pub published: Option<String>,
    /// Bytes that its last publication handed over.
    pub sent: Option<u64>,
    /// Requests that it took; none: the target is not asked by requests, or they were not counted.
    pub requests: Option<u64>,
    /// The catalog stands for another root by now.
    pub behind: bool,
    /// A root whose publication goes on or was cut.
    pub running: Option<String>,
    /// How many roots it pins, as far as is known.
    pub pinned: u64,
    /// The peers that had to keep the root when it was published, where the node stands for several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<Holder>,
    /// The node can't be read from, and no gateway gave out what was published.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unverified: bool,
    /// Of this program's own node: the processes that give it out now. None for other nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serving: Option<Vec<Serving>>,
    /// Of this program's own node: the IPNS name that the target moves, as far as its key is here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipns_name: Option<NameState>,
}

/// Seconds since 1970 as RFC 3339.
pub(in crate::engine) fn time(at: i64) -> String {
    jiff::Timestamp::from_second(at).map(|at| at.to_string()).unwrap_or_default()
}

/// The target of this name, or an error that names the nearest.
pub(in crate::engine) fn find(connection: &Connection, name: &str) -> Result<Target> {
    if let Some(target) = targets::by_name(connection, name)? {
        return Ok(target);
    }
    let all = targets::all(connection)?;
    let error = Error::new(Kind::NotFound, format!("there is no target `{}`", printable_within(name, 100)));
    Err(match nearest(name, all.iter().map(|target| target.name.as_str())) {
        Some(meant) => error.hint(format!("Did you mean `{meant}`?")),
        None if all.is_empty() => error.hint(ADD_TARGET_HINT),
        None => error.hint("`roadstead target list` shows what there is."),
    })
}

/// Where the DNSLink record of a domain is (dnslink.dev).
pub(in crate::engine) fn record_name(domain: &str) -> String {
    format!("_dnslink.{domain}")
}

pub(in crate::engine) fn view(connection: &Connection, target: Target) -> Result<TargetView> {
    let newest = publications::newest_published(connection, target.id)?;
    let root = state::root(connection)?.map(|link| link.cid);
    let newest_id = newest.as_ref().map(|newest| newest.id);
    let unverified = match newest_id {
        Some(id) if !target.settings.node.can_be_read() => {
            !publications::steps(connection, id)?.iter().any(|done| done.step == "check" || done.step == "gateways")
        }
        _ => false,
    };
    Ok(TargetView {
        added: time(target.added_at),
        behind: newest.as_ref().map(|newest| newest.root.cid) != root,
        published: newest.as_ref().map(|newest| time(newest.ended_at.unwrap_or(newest.begun_at))),
        sent: newest.as_ref().map(|newest| newest.bytes),
        requests: newest.as_ref().and_then(|newest| newest.requests),
        root: newest.map(|newest| newest.root.cid.to_string()),
        running: publications::running(connection, target.id)?.map(|running| running.root.cid.to_string()),
        pinned: publications::pinned_roots(connection, target.id)?.len() as u64,
        holders: newest_id.map(|id| holders::noted(connection, id)).transpose()?.unwrap_or_default(),
        unverified,
        serving: None,
        ipns_name: None,
        name: target.name,
        settings: target.settings,
    })
}
