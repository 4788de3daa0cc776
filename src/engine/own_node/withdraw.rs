//! What is given out no longer: a target that goes, or keeps fewer roots, takes its roots with it.
//!
//! Another node keeps its pins, whatever this catalog forgets. Here the pins are all there is, and what the catalog does not keep
//! can't be given out.

use std::collections::BTreeSet;

use cid::Cid;
use rusqlite::Connection;

use crate::catalog::targets::NodeSettings;
use crate::catalog::{Writer, follow, own_node, publications, targets};
use crate::error::Result;

/// The roots that targets of this program's own node still want given out, `without` the target in this row.
fn wanted(connection: &Connection, without: Option<i64>) -> Result<BTreeSet<Cid>> {
    let mut wanted = BTreeSet::new();
    for target in targets::all(connection)? {
        if Some(target.id) == without || !matches!(target.settings.node, NodeSettings::Own(_)) {
            continue;
        }
        wanted.extend(publications::running(connection, target.id)?.map(|running| running.root.cid));
        let last = publications::last_roots(connection, target.id, target.settings.keep)?;
        wanted.extend(last.into_iter().filter(|publication| publication.kept).map(|publication| publication.root.cid));
    }
    // A follower gives out what it holds.
    wanted.extend(follow::load(connection)?.and_then(|followed| followed.root));
    Ok(wanted)
}

/// The roots that are given out, and that nobody would want if the target in this row went.
pub(in crate::engine) fn only_of(connection: &Connection, target: i64) -> Result<Vec<Cid>> {
    let wanted = wanted(connection, Some(target))?;
    let given = own_node::pins(connection)?.into_iter().map(|(root, _)| root);
    Ok(given.filter(|root| !wanted.contains(root)).collect())
}

/// Gives out no longer what no target of this program's own node wants any more.
pub(in crate::engine) fn withdraw_unwanted(writer: &Writer<'_>) -> Result<()> {
    let wanted = wanted(writer, None)?;
    for (root, _) in own_node::pins(writer)?.into_iter().filter(|(root, _)| !wanted.contains(root)) {
        own_node::unpin(writer, &root)?;
        for target in targets::all(writer)? {
            if matches!(target.settings.node, NodeSettings::Own(_)) {
                publications::set_pinned(writer, target.id, &root, false)?;
            }
        }
    }
    Ok(())
}
