//! What has to stay: what the catalog's own tree reaches, and what only published roots that are kept still reach.

use std::collections::HashSet;

use cid::Cid;
use rusqlite::Connection;

use crate::catalog::blobs::Blob;
use crate::catalog::{blobs, nodes, publications, state, statistics};
use crate::error::Result;
use crate::unixfs::{DAG_PB, Link, NodeKind, directory};

/// Directory nodes and files by CID, each in one of two sets.
#[derive(Debug)]
pub(in crate::engine) struct Needed {
    own: Reached,
    kept: Reached,
    /// How many published roots are kept besides the catalog's own.
    pub(in crate::engine) roots: u64,
}

#[derive(Debug, Default)]
struct Reached {
    nodes: HashSet<Cid>,
    files: HashSet<Cid>,
}

impl Needed {
    /// Walks the root, the repositories' directories, and the published roots that are kept.
    pub(in crate::engine) fn of(connection: &Connection) -> Result<Self> {
        Self::with(connection, publications::kept_roots(connection)?)
    }

    /// Walks the root, the repositories' directories, and these roots in place of those that are kept.
    pub(in crate::engine) fn with(connection: &Connection, mut roots: Vec<Link>) -> Result<Self> {
        let root = state::root(connection)?;
        let mut own = Reached::default();
        let mut todo = nodes::all_directories(connection)?;
        todo.extend(root);
        own.walk(connection, todo, &Reached::default())?;
        let mut kept = Reached::default();
        roots.retain(|kept| root.is_none_or(|root| root.cid != kept.cid));
        let count = roots.len() as u64;
        kept.walk(connection, roots, &own)?;
        Ok(Self { own, kept, roots: count })
    }

    /// Takes all of this for granted: what only published roots need is what these roots need beyond it.
    pub(in crate::engine) fn and(self, connection: &Connection, roots: Vec<Link>) -> Result<Self> {
        let mut own = self.own;
        own.nodes.extend(self.kept.nodes);
        own.files.extend(self.kept.files);
        let mut kept = Reached::default();
        let count = roots.len() as u64;
        kept.walk(connection, roots, &own)?;
        Ok(Self { own, kept, roots: count })
    }

    /// Whether this directory node has to stay.
    pub(in crate::engine) fn has_node(&self, cid: &Cid) -> bool {
        self.own.nodes.contains(cid) || self.kept.nodes.contains(cid)
    }

    /// Whether only published roots need this directory node.
    pub(in crate::engine) fn only_kept_node(&self, cid: &Cid) -> bool {
        self.kept.nodes.contains(cid)
    }

    /// Whether an image, the tree or a published root needs this blob.
    pub(in crate::engine) fn has_blob(&self, connection: &Connection, blob: &Blob) -> Result<bool> {
        Ok(self.kept.files.contains(&blob.link.cid) || self.own_has(connection, blob)?)
    }

    /// Whether published roots need this blob, and nothing else does.
    pub(in crate::engine) fn only_kept_blob(&self, connection: &Connection, blob: &Blob) -> Result<bool> {
        Ok(self.kept.files.contains(&blob.link.cid) && !self.own_has(connection, blob)?)
    }

    fn own_has(&self, connection: &Connection, blob: &Blob) -> Result<bool> {
        if self.own.files.contains(&blob.link.cid) {
            return Ok(true);
        }
        if blob.inline { blobs::is_referenced(connection, blob.id) } else { statistics::is_needed(connection, blob.id) }
    }

    /// Files of published roots that the catalog does not have.
    pub(in crate::engine) fn holes(&self, connection: &Connection) -> Result<Vec<Cid>> {
        let mut holes = Vec::new();
        for cid in &self.kept.files {
            if blobs::by_cid(connection, cid)?.is_none() {
                holes.push(*cid);
            }
        }
        holes.sort();
        Ok(holes)
    }
}

impl Reached {
    /// Adds what these reach. What `known` has is neither entered nor added.
    fn walk(&mut self, connection: &Connection, mut todo: Vec<Link>, known: &Self) -> Result<()> {
        let mut store = nodes::Nodes::of(connection);
        while let Some(link) = todo.pop() {
            if known.nodes.contains(&link.cid) || known.files.contains(&link.cid) || self.nodes.contains(&link.cid) {
                continue;
            }
            let node = match link.cid.codec() {
                DAG_PB => directory::NodeStore::get(&mut store, &link.cid)?,
                _ => None,
            };
            match node {
                Some(node) if NodeKind::of(&node.bytes)?.is_directory() => {}
                // The root block of a long file is no node here.
                _ => {
                    self.files.insert(link.cid);
                    continue;
                }
            }
            directory::nodes(&mut store, &link, &mut |node| {
                if !known.nodes.contains(&node.cid) {
                    self.nodes.insert(node.cid);
                }
                Ok(())
            })?;
            directory::list(&mut store, &link, &mut |_, child| {
                todo.push(child);
                Ok(())
            })?;
        }
        Ok(())
    }
}
