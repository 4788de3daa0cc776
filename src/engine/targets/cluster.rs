//! Clusters as targets: at how many peers a root is kept, and the adapter.

use std::str::FromStr;
use std::sync::Arc;

use super::addresses::{parsed, web_url};
use super::setting::{At as _, Setting, Wrong};
use crate::catalog::targets::{ClusterSettings, NodeSettings, ReplicationSettings};
use crate::error::{Error, Kind, Result};
use crate::node::Node;
use crate::node::cluster::{Cluster, ClusterOptions, Replication};
use crate::text::printable_within;

/// What its addresses begin with where several kinds may be typed.
pub(super) const SCHEME: &str = "cluster:";
/// More copies than this are a mistake.
const MAX_COPIES: i32 = 1000;

fn wrong(message: impl Into<String>) -> Error {
    Error::new(Kind::Usage, message)
}

/// The settings of a cluster at this address.
pub(super) fn settings(address: &str) -> Result<NodeSettings> {
    let address = address.trim();
    let url = address.strip_prefix(SCHEME).unwrap_or(address);
    Ok(NodeSettings::cluster(web_url(url, "the cluster", "http://127.0.0.1:9094")?))
}

impl FromStr for ReplicationSettings {
    type Err = Error;

    /// `2`, `2-3` (at least, at most) or `all`.
    fn from_str(text: &str) -> Result<Self> {
        let refused = || {
            wrong(format!("invalid replication `{}`", printable_within(text, 40)))
                .hint("Write how many peers keep each root: `2`, `2-3` (at least 2, at most 3), or `all`.")
        };
        let text = text.trim();
        if text == "all" {
            return Ok(Self::ALL);
        }
        let number = |text: &str| text.parse::<i32>().ok().filter(|number| (1..=MAX_COPIES).contains(number));
        let (min, max) = text.split_once('-').unwrap_or((text, text));
        let (min, max) = (number(min).ok_or_else(refused)?, number(max).ok_or_else(refused)?);
        if min > max { Err(refused()) } else { Ok(Self { min, max }) }
    }
}

/// Gives a cluster other settings; an error if it is none.
pub(super) fn apply(node: &mut NodeSettings, wanted: Option<ReplicationSettings>) -> Result<(), Wrong> {
    let Some(wanted) = wanted else { return Ok(()) };
    let NodeSettings::Cluster(cluster) = node else {
        return Err(wrong("`--replication` can only be used with a cluster")).at(Setting::Replication);
    };
    cluster.replication = Some(wanted);
    Ok(())
}

/// What is known of a cluster stays where another one is named.
pub(super) fn keep(before: &NodeSettings, node: &mut NodeSettings) {
    if let (NodeSettings::Cluster(before), NodeSettings::Cluster(node)) = (before, node) {
        node.replication = before.replication;
    }
}

/// The adapter for a cluster.
pub(super) fn connect(settings: &ClusterSettings, authorisation: Option<&str>) -> Result<Arc<dyn Node>> {
    let replication = settings.replication.map(|wanted| Replication { min: wanted.min, max: wanted.max });
    let options = ClusterOptions {
        authorisation: authorisation.map(str::to_owned),
        replication,
        ..ClusterOptions::new(parsed(&settings.url)?)
    };
    Ok(Arc::new(Cluster::new(&options)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replication_is_a_number_a_range_or_all() {
        let read = |text: &str| text.parse::<ReplicationSettings>().map(|read| (read.min, read.max, read.text()));
        assert_eq!(read("2").unwrap(), (2, 2, "2".into()));
        assert_eq!(read(" 2-3 ").unwrap(), (2, 3, "2-3".into()));
        assert_eq!(read("all").unwrap(), (-1, -1, "all".into()));
        for bad in ["", "0", "3-2", "-1", "2-", "many", "1001"] {
            assert_eq!(bad.parse::<ReplicationSettings>().unwrap_err().kind(), Kind::Usage, "{bad}");
        }
    }
}
