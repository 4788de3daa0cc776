//! Where two trees differ, for the words of an error.

use cid::Cid;

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
pub(super) async fn paths(engine: &Engine, tree: &Tree, here: Cid, most: usize) -> Result<Vec<String>> {
    let Tree::Blocks(theirs) = tree else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    let mut todo = vec![(String::new(), here, theirs.root)];
    while let Some((path, ours_cid, theirs_cid)) = todo.pop() {
        if found.len() >= most {
            break;
        }
        let ours = ours_of(engine, &ours_cid)?;
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

/// The entries of a directory of the catalog.
fn ours_of(engine: &Engine, cid: &Cid) -> Result<Option<BTreeMap<String, Cid>>> {
    let reader = engine.catalog.read()?;
    let link = Link { cid: *cid, tsize: 0 };
    if !crate::engine::blocks::is_directory(&reader, &link)? {
        return Ok(None);
    }
    let mut all = BTreeMap::new();
    directory::list(&mut Nodes::of(&reader), &link, &mut |name, link| {
        if all.len() < MAX_COMPARED_ENTRIES {
            all.insert(name.to_owned(), link.cid);
        }
        Ok(())
    })?;
    Ok(Some(all))
}
