//! Who of several peers keeps a published root: written down when it was pinned, and compared with what is said later.
//!
//! A peer that is gone for long is not mentioned by its cluster any more, so only what was written down tells of it. Knows peers by
//! their IDs. Must not know what a node is.

use cid::Cid;
use rusqlite::Connection;

use crate::catalog::publications;
use crate::error::{Error, Kind, Result};
use crate::node::{Holder, Node};
use crate::text::count;

/// The step of a publication under which they are written down.
pub(super) const STEP: &str = "holders";
/// Peers that are named in sentences; of more there is the number.
const MAX_NAMED_PEERS: usize = 5;

/// The peers that had to keep a root when this publication ended.
pub(in crate::engine) fn noted(connection: &Connection, publication: i64) -> Result<Vec<Holder>> {
    let steps = publications::steps(connection, publication)?;
    let Some(step) = steps.into_iter().find(|done| done.step == STEP) else { return Ok(Vec::new()) };
    serde_json::from_str(&step.detail)
        .map_err(|error| Error::new(Kind::Unexpected, "can't read who keeps the root").caused_by(error))
}

/// The same as the catalog keeps it.
pub(super) fn written(holders: &[Holder]) -> Result<String> {
    serde_json::to_string(holders)
        .map_err(|error| Error::new(Kind::Unexpected, "can't write down who keeps the root").caused_by(error))
}

/// The peers that keep a root now, or have to, with those that did by `noted` and are not mentioned any more.
pub(in crate::engine) async fn now(node: &dyn Node, root: &Cid, noted: &[Holder]) -> Result<Vec<Holder>> {
    let Some(pins) = node.pins() else { return Ok(Vec::new()) };
    let mut holders = pins.holders(root).await?;
    let gone = noted.iter().filter(|was| was.holds && !holders.iter().any(|is| is.peer_id == was.peer_id));
    let gone: Vec<Holder> = gone
        .map(|was| Holder {
            holds: false,
            state: "gone".to_owned(),
            error: Some("the cluster does not list it any more".to_owned()),
            ..was.clone()
        })
        .collect();
    holders.extend(gone);
    Ok(holders)
}

/// How many keep it, in words: `kept by 2 of 2 peers`. None where the node is one.
pub(in crate::engine) fn in_words(holders: &[Holder]) -> Option<String> {
    let kept = holders.iter().filter(|holder| holder.holds).count();
    (!holders.is_empty()).then(|| format!("kept by {kept} of {}", count(holders.len() as u64, "peer", "peers")))
}

/// Those that don't keep it, in a sentence each.
pub(in crate::engine) fn lacking(holders: &[Holder]) -> Vec<String> {
    let lacking: Vec<&Holder> = holders.iter().filter(|holder| !holder.holds).collect();
    let mut said: Vec<String> = lacking
        .iter()
        .take(MAX_NAMED_PEERS)
        .map(|holder| format!("A peer does not keep the root: {}.", holder.lack()))
        .collect();
    if let Some(more) = lacking.len().checked_sub(MAX_NAMED_PEERS).filter(|more| *more > 0) {
        said.push(format!("{} more don't keep it either.", count(more as u64, "peer", "peers")));
    }
    said
}
