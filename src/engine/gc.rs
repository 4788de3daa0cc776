//! Reclaiming what nothing needs: blobs, interrupted transfers, generated files and directory nodes of former roots.

use std::collections::HashSet;
use std::sync::Arc;

use cid::Cid;
use rusqlite::Connection;
use tokio::task::spawn_blocking;

use super::Engine;
use super::job::{Event, Job};
use super::plan::{GcPlan, UnneededBlob};
use crate::catalog::{Writer, blobs, nodes, state, statistics};
use crate::error::{Error, Kind, Result};
use crate::image::Digest;
use crate::unixfs::{Link, NodeKind, RAW, directory};

impl Engine {
    /// Plans what can be reclaimed.
    pub fn plan_gc(&self) -> Result<GcPlan> {
        let reader = self.catalog.read()?;
        let mut plan = GcPlan { generation: state::generation(&reader)?, ..GcPlan::default() };
        let needed = Needed::of(&reader)?;
        for entry in self.store.list()? {
            let (digest, size) = entry?;
            let row = blobs::by_digest(&reader, &digest)?.filter(|row| !row.inline);
            let is_needed = match row {
                Some(row) => statistics::is_needed(&reader, row.id)?,
                // A run that was killed left it verified; the next one finds it. A gc in between takes it.
                None => false,
            };
            if !is_needed {
                plan.blob_bytes += size;
                plan.blobs.push(UnneededBlob { digest, size });
            }
        }
        plan.blobs.sort_by(|a, b| b.size.cmp(&a.size).then(a.digest.cmp(&b.digest)));
        for entry in self.store.partials()? {
            let (_, size) = entry?;
            plan.partial_files += 1;
            plan.partial_bytes += size;
        }
        nodes::each(&reader, |cid, size| {
            if !needed.nodes.contains(&cid) {
                plan.nodes += 1;
                plan.node_bytes += size;
            }
        })?;
        for (id, size) in needed.unneeded_inline(&reader)? {
            let _ = id;
            plan.nodes += 1;
            plan.node_bytes += size;
        }
        Ok(plan)
    }

    /// Reclaims exactly this; refused if the catalog changed since.
    pub async fn apply_gc(self: &Arc<Self>, plan: &GcPlan, job: &Job) -> Result<()> {
        let _lock = self.lock("gc", job).await?;
        job.check()?;
        let removed = self.catalog.write(|writer| {
            if state::generation(writer)? != plan.generation {
                return Err(Error::new(Kind::Locked, "the catalog changed while this was planned")
                    .hint("Look at the new plan: run `roadstead gc` once more."));
            }
            remove_rows(writer, plan)
        })?;
        // Rows first: a file without a row is only wasted room, a row without its file would be a hole.
        let engine = Arc::clone(self);
        let job = job.clone();
        let files = spawn_blocking(move || {
            let total = removed.len() as u64;
            for (done, digest) in removed.iter().enumerate() {
                job.check()?;
                engine.store.remove(digest)?;
                job.tell(Event::Progress { what: "blobs", done: done as u64 + 1, total });
            }
            // Nothing is being fetched while this plan has the lock.
            engine.store.sweep_partials(&|_| false)?;
            engine.store.sync_directory()
        });
        files.await.map_err(|error| Error::new(Kind::Unexpected, "a mistake of this program").caused_by(error))??;
        self.catalog.compact()
    }
}

fn remove_rows(writer: &Writer<'_>, plan: &GcPlan) -> Result<Vec<Digest>> {
    let mut files = Vec::with_capacity(plan.blobs.len());
    for unneeded in &plan.blobs {
        if let Some(row) = blobs::by_digest(writer, &unneeded.digest)?.filter(|row| !row.inline) {
            if statistics::is_needed(writer, row.id)? {
                return Err(Error::new(Kind::Locked, format!("{} is needed since this was planned", unneeded.digest))
                    .hint("Look at the new plan: run `roadstead gc` once more."));
            }
            blobs::remove(writer, row.id)?;
        }
        files.push(unneeded.digest);
    }
    let needed = Needed::of(writer)?;
    for (id, _) in needed.unneeded_inline(writer)? {
        blobs::remove(writer, id)?;
    }
    let mut unneeded = Vec::new();
    nodes::each(writer, |cid, _| {
        if !needed.nodes.contains(&cid) {
            unneeded.push(cid);
        }
    })?;
    for cid in unneeded {
        nodes::remove(writer, &cid)?;
    }
    // Blobs whose file is gone already, and which nothing needs.
    writer.execute(
        "DELETE FROM blobs WHERE bytes IS NULL AND NOT EXISTS (SELECT 1 FROM image_contents c WHERE c.blob = blobs.id)",
        [],
    )?;
    Ok(files)
}

/// What the root and the repositories' directories need of the catalog.
struct Needed {
    nodes: HashSet<Cid>,
    files: HashSet<Cid>,
}

impl Needed {
    fn of(connection: &Connection) -> Result<Self> {
        let mut needed = Self { nodes: HashSet::new(), files: HashSet::new() };
        let mut todo: Vec<Link> = nodes::all_directories(connection)?;
        todo.extend(state::root(connection)?);
        let mut store = nodes::Nodes::of(connection);
        while let Some(link) = todo.pop() {
            if link.cid.codec() == RAW || needed.nodes.contains(&link.cid) {
                needed.files.insert(link.cid);
                continue;
            }
            let Some(node) = directory::NodeStore::get(&mut store, &link.cid)? else {
                needed.files.insert(link.cid);
                continue;
            };
            if !NodeKind::of(&node.bytes)?.is_directory() {
                needed.files.insert(link.cid);
                continue;
            }
            directory::nodes(&mut store, &link, &mut |node| {
                needed.nodes.insert(node.cid);
                Ok(())
            })?;
            directory::list(&mut store, &link, &mut |_, child| {
                todo.push(child);
                Ok(())
            })?;
        }
        Ok(needed)
    }

    /// Generated files and manifests that neither the tree nor an image needs.
    fn unneeded_inline(&self, connection: &Connection) -> Result<Vec<(i64, u64)>> {
        let mut unneeded = Vec::new();
        blobs::each_inline(connection, |blob| {
            if !self.files.contains(&blob.link.cid) && !blobs::is_referenced(connection, blob.id)? {
                unneeded.push((blob.id, blob.size));
            }
            Ok(())
        })?;
        Ok(unneeded)
    }
}
