//! Where two trees differ, for the words of an error.

use cid::Cid;
use rusqlite::Connection;

use super::tree::Tree;
use crate::catalog::nodes::Nodes;
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::text::printable_within;
use crate::unixfs::{DAG_PB, Link, NodeKind, directory};

use std::collections::BTreeMap;

/// Most entries of a directory that are compared.
const MAX_COMPARED_ENTRIES: usize = 20_000;

/// Up to so many paths in which a tree differs from the catalog's. Reads only directories that differ.
pub(in crate::engine) async fn paths(engine: &Engine, tree: &Tree, here: Cid, most: usize) -> Result<Vec<String>> {
    paths_beside(|cid| ours_now(engine, cid), tree, here, most).await
}

/// The entries of a directory by name.
type Entries = BTreeMap<String, Cid>;

/// The same beside what a transaction has made, which only its own connection sees.
pub(in crate::engine) async fn paths_inside(
    connection: &Connection,
    tree: &Tree,
    here: Cid,
    most: usize,
) -> Result<Vec<String>> {
    paths_beside(|cid| ours_of(connection, cid), tree, here, most).await
}

/// `ours` lists a directory here; nothing for what is no directory.
async fn paths_beside(
    ours: impl Fn(&Cid) -> Result<Option<Entries>>,
    tree: &Tree,
    here: Cid,
    most: usize,
) -> Result<Vec<String>> {
    let Tree::Blocks(theirs) = tree else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    let mut todo = vec![(String::new(), here, theirs.root)];
    while let Some((path, ours_cid, theirs_cid)) = todo.pop() {
        if found.len() >= most {
            break;
        }
        let ours = ours(&ours_cid)?;
        let link = Link { cid: theirs_cid, tsize: 0 };
        let entries = theirs
            .read(path.clone(), move |store| {
                let is_directory = match store.get(&link.cid)? {
                    Some(node) if link.cid.codec() == DAG_PB => NodeKind::of(&node.bytes)?.is_directory(),
                    _ => false,
                };
                if !is_directory {
                    return Ok(None);
                }
                let mut all = BTreeMap::new();
                directory::list(store, &link, &mut |name, link| {
                    if all.len() == MAX_COMPARED_ENTRIES {
                        return Err(Error::new(Kind::Verification, "it has more entries than are compared"));
                    }
                    all.insert(name.to_owned(), link.cid);
                    Ok(())
                })?;
                Ok(Some(all))
            })
            .await?;
        let (Some(ours), Some(mut entries)) = (ours, entries) else {
            found.push(printable_within(&path, 200));
            continue;
        };
        let join = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        for (name, cid) in ours {
            match entries.remove(&name) {
                Some(same) if same == cid => {}
                Some(other) => todo.push((join(&name), cid, other)),
                None => found.push(printable_within(&join(&name), 200)),
            }
        }
        found.extend(entries.keys().map(|name| printable_within(&join(name), 200)));
    }
    found.truncate(most);
    Ok(found)
}

fn ours_now(engine: &Engine, cid: &Cid) -> Result<Option<Entries>> {
    ours_of(&*engine.catalog.read()?, cid)
}

/// The entries of a directory of the catalog.
fn ours_of(connection: &Connection, cid: &Cid) -> Result<Option<Entries>> {
    let link = Link { cid: *cid, tsize: 0 };
    if !crate::engine::blocks::is_directory(connection, &link)? {
        return Ok(None);
    }
    let mut all = BTreeMap::new();
    directory::list(&mut Nodes::of(connection), &link, &mut |name, link| {
        if all.len() < MAX_COMPARED_ENTRIES {
            all.insert(name.to_owned(), link.cid);
        }
        Ok(())
    })?;
    Ok(Some(all))
}
