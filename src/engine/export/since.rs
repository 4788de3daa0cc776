//! The blocks of a root that the catalog still holds whole: what someone who has that root need not be given.

use std::collections::HashSet;

use cid::Cid;
use rusqlite::Connection;

use crate::catalog::{blobs, nodes, publications, state};
use crate::engine::blocks::{is_directory, short};
use crate::engine::job::Job;
use crate::error::{Error, Kind, Result};
use crate::unixfs::directory::{self, NodeStore as _};
use crate::unixfs::file::{self, Part};
use crate::unixfs::{Link, Profile};

/// Roots that are named when one is not known.
const MAX_NAMED_ROOTS: usize = 5;
/// Changes that are looked at for them.
const MAX_EXAMINED_CHANGES: u64 = 50;

/// Every block of a root: 16 bytes in memory for each.
pub(in crate::engine) fn blocks_of(
    connection: &Connection,
    profile: Profile,
    root: &Cid,
    job: &Job,
) -> Result<HashSet<u128>> {
    let mut seen = HashSet::new();
    let mut todo = vec![Link { cid: *root, tsize: 0 }];
    let mut store = nodes::Nodes::of(connection);
    while let Some(link) = todo.pop() {
        if !seen.insert(short(&link.cid)) {
            continue;
        }
        job.check()?;
        if is_directory(connection, &link)? {
            directory::nodes(&mut store, &link, &mut |node| {
                seen.insert(short(&node.cid));
                Ok(())
            })
            .and_then(|()| {
                directory::list(&mut store, &link, &mut |_, child| {
                    todo.push(child);
                    Ok(())
                })
            })
            .map_err(|error| if error.kind() == Kind::NotFound { unknown(connection, root) } else { error })?;
            continue;
        }
        let Some(blob) = blobs::by_cid(connection, &link.cid)? else { return Err(unknown(connection, root)) };
        for part in file::parts(profile, blob.size, blobs::leaves(connection, &blob)?)? {
            match part {
                Part::Node(node) => seen.insert(short(&node.cid)),
                Part::Leaf { cid, .. } => seen.insert(short(&cid)),
            };
        }
    }
    Ok(seen)
}

/// The error for a root that is not here, or not whole any more.
fn unknown(connection: &Connection, root: &Cid) -> Error {
    let error = Error::new(Kind::NotFound, format!("the root {root} is not in this catalog, or no longer complete"));
    match known(connection) {
        Ok(known) if !known.is_empty() => error.hint(format!("The known roots are {}.", known.join(", "))),
        _ => error.hint("Export without `--since`: the whole registry."),
    }
}

/// Roots whose first block is here, newest first.
fn known(connection: &Connection) -> Result<Vec<String>> {
    let mut all: Vec<Cid> = state::root(connection)?.map(|link| link.cid).into_iter().collect();
    all.extend(publications::kept_roots(connection)?.into_iter().map(|link| link.cid));
    all.extend(
        state::operations(connection, MAX_EXAMINED_CHANGES)?.into_iter().filter_map(|operation| operation.after),
    );
    let mut known: Vec<String> = Vec::new();
    for cid in all {
        let text = cid.to_string();
        if !known.contains(&text) && nodes::Nodes::of(connection).get(&cid)?.is_some() {
            known.push(text);
        }
        if known.len() == MAX_NAMED_ROOTS {
            break;
        }
    }
    Ok(known)
}
