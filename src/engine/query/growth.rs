//! How the registry came to be as large as it is: what each published root holds, each blob once.
//!
//! It is the figure *stored* of the statistics, of another time. Roots never change, so each is counted once: the newest by a
//! walk through its repositories, those before it by what differs. A root whose directories are gone can't be counted.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use cid::Cid;
use rusqlite::Connection;

use crate::catalog::publications::State;
use crate::catalog::{blobs, nodes, publications};
use crate::engine::Engine;
use crate::error::{Kind, Result};
use crate::image::Digest;
use crate::site::paths;
use crate::unixfs::{DAG_PB, Link, NodeKind, directory, tree};

/// Roots that are counted at most: a column of a chart each.
const MAX_ROOTS: usize = 100;

/// Bytes of roots that were counted.
#[derive(Debug, Default)]
pub(in crate::engine) struct Counted(Mutex<HashMap<Cid, u64>>);

impl Counted {
    fn get(&self, root: &Cid) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(root).copied()
    }

    fn put(&self, root: Cid, bytes: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(root, bytes);
    }
}

impl Engine {
    /// When each root was published first, in seconds since 1970, and the bytes of its blobs and manifests; oldest first.
    pub(in crate::engine) fn growth(&self) -> Result<Vec<(i64, u64)>> {
        let reader = self.catalog.read()?;
        let mut first: Vec<(Link, i64)> = Vec::new();
        let mut places: HashMap<Cid, usize> = HashMap::new();
        for publication in publications::of(&reader, None, None, None)? {
            if publication.state != State::Published {
                continue;
            }
            match places.get(&publication.root.cid) {
                Some(place) => first[*place].1 = publication.begun_at,
                None => {
                    places.insert(publication.root.cid, first.len());
                    first.push((publication.root, publication.begun_at));
                }
            }
        }
        // Newest first by the time that counts, since a rollback brings an old one up again.
        first.sort_by_key(|(_, at)| std::cmp::Reverse(*at));
        let mut growth = Vec::new();
        let mut later = None;
        for (root, at) in first.into_iter().take(MAX_ROOTS) {
            if let Some(bytes) = self.counted(&reader, &root, later)? {
                later = Some((root.cid, bytes));
                growth.push((at, bytes));
            }
        }
        growth.reverse();
        Ok(growth)
    }

    /// Bytes of the blobs and manifests of a root, each once; none where its directories are gone.
    pub(in crate::engine) fn stored_below(&self, reader: &Connection, root: &Link) -> Result<Option<u64>> {
        self.counted(reader, root, None)
    }

    /// Bytes of a root, by what differs to a later one where there is one.
    fn counted(&self, reader: &Connection, root: &Link, later: Option<(Cid, u64)>) -> Result<Option<u64>> {
        if let Some(known) = self.counted.get(&root.cid) {
            return Ok(Some(known));
        }
        let counted = match later {
            Some((later, bytes)) => self
                .diff(&root.cid, &later)
                .map(|differs| bytes.saturating_add(differs.removed.bytes).saturating_sub(differs.added.bytes)),
            None => walk(reader, root),
        };
        match counted {
            Ok(bytes) => {
                self.counted.put(root.cid, bytes);
                Ok(Some(bytes))
            }
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Bytes of the blobs and manifests of all repositories of a root, each once.
fn walk(reader: &Connection, root: &Link) -> Result<u64> {
    let mut store = nodes::Nodes::of(reader);
    let mut todo: Vec<Link> = tree::lookup(&mut store, root, paths::NATIVE)?.into_iter().collect();
    let (mut entered, mut digests) = (BTreeSet::new(), BTreeSet::new());
    while let Some(link) = todo.pop() {
        if link.cid.codec() != DAG_PB || !entered.insert(link.cid) {
            continue;
        }
        // The root block of a long file is no node here.
        match directory::NodeStore::get(&mut store, &link.cid)? {
            Some(node) if NodeKind::of(&node.bytes)?.is_directory() => {}
            _ => continue,
        }
        directory::list(&mut store, &link, &mut |name, child| {
            match name.parse::<Digest>() {
                Ok(digest) => drop(digests.insert(digest)),
                Err(_) => todo.push(child),
            }
            Ok(())
        })?;
    }
    let mut bytes = 0u64;
    for digest in digests {
        bytes += blobs::by_digest(reader, &digest)?.map_or(0, |blob| blob.size);
    }
    Ok(bytes)
}
