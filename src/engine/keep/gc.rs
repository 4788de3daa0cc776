//! Reclaiming what nothing needs: blobs, interrupted transfers, generated files and directory nodes of former roots.

use std::sync::Arc;

use rusqlite::Connection;

use super::needed::Needed;
use crate::catalog::{Writer, blobs, nodes, state};
use crate::engine::Engine;
use crate::engine::blocking::in_place;
use crate::engine::job::{Event, Job};
use crate::engine::plan::{GcPlan, UnneededBlob};
use crate::error::{Error, Kind, Result};
use crate::image::Digest;

impl Engine {
    /// Plans what can be reclaimed.
    pub fn plan_gc(&self) -> Result<GcPlan> {
        let reader = self.catalog.read()?;
        let mut plan = GcPlan { generation: state::generation(&reader)?, ..GcPlan::default() };
        let needed = Needed::of(&reader)?;
        plan.kept_roots = needed.roots;
        for entry in self.store.list()? {
            let (digest, size) = entry?;
            let row = blobs::by_digest(&reader, &digest)?.filter(|row| !row.inline);
            let is_needed = match &row {
                Some(row) if needed.only_kept_blob(&reader, row)? => {
                    plan.kept_bytes += size;
                    true
                }
                Some(row) => needed.has_blob(&reader, row)?,
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
            if !needed.has_node(&cid) {
                plan.nodes += 1;
                plan.node_bytes += size;
            } else if needed.only_kept_node(&cid) {
                plan.kept_bytes += size;
            }
        })?;
        blobs::each_inline(&reader, |blob| {
            if !needed.has_blob(&reader, &blob)? {
                plan.nodes += 1;
                plan.node_bytes += blob.size;
            } else if needed.only_kept_blob(&reader, &blob)? {
                plan.kept_bytes += blob.size;
            }
            Ok(())
        })?;
        Ok(plan)
    }

    /// Reclaims exactly this, once nobody uses blobs that no row keeps; refused if the catalog changed since.
    pub async fn apply_gc(self: &Arc<Self>, plan: &GcPlan, job: &Job) -> Result<()> {
        let reclaim = self.reclaim("gc", job).await?;
        let _lock = self.lock_whole("gc", job).await?;
        job.check()?;
        let remove = |writer: &Writer<'_>| {
            if state::generation(writer)? != plan.generation {
                return Err(Error::new(Kind::Locked, "the catalog changed while this was planned")
                    .hint("Look at the new plan: run `roadstead gc` once more."));
            }
            remove_rows(writer, plan)
        };
        let removed = in_place(|| self.catalog.write(remove))?;
        // Rows first: a file without a row is only wasted room, a row without its file would be a hole.
        let job = job.clone();
        let files = self.blocking(move |engine| {
            let total = removed.len() as u64;
            for (done, digest) in removed.iter().enumerate() {
                job.check()?;
                reclaim.remove(digest)?;
                job.tell(Event::Progress { what: "blobs", done: done as u64 + 1, total });
            }
            // Nothing is being fetched meanwhile.
            reclaim.sweep_partials(&|_| false)?;
            engine.store.sync_directory()?;
            engine.catalog.compact()
        });
        files.await
    }
}

fn remove_rows(writer: &Writer<'_>, plan: &GcPlan) -> Result<Vec<Digest>> {
    let needed = Needed::of(writer)?;
    let mut files = Vec::with_capacity(plan.blobs.len());
    for unneeded in &plan.blobs {
        if let Some(row) = blobs::by_digest(writer, &unneeded.digest)?.filter(|row| !row.inline) {
            if needed.has_blob(writer, &row)? {
                return Err(Error::new(
                    Kind::Locked,
                    format!("{} became needed after this was planned", unneeded.digest),
                )
                .hint("Look at the new plan: run `roadstead gc` once more."));
            }
            blobs::remove(writer, row.id)?;
        }
        files.push(unneeded.digest);
    }
    for blob in unneeded_rows(writer, &needed)? {
        blobs::remove(writer, blob)?;
    }
    let mut unneeded = Vec::new();
    nodes::each(writer, |cid, _| {
        if !needed.has_node(&cid) {
            unneeded.push(cid);
        }
    })?;
    for cid in unneeded {
        nodes::remove(writer, &cid)?;
    }
    Ok(files)
}

/// Manifests, generated files, and blobs without a file, that nothing needs.
fn unneeded_rows(connection: &Connection, needed: &Needed) -> Result<Vec<i64>> {
    let mut unneeded = Vec::new();
    let mut look = |blob: blobs::Blob| {
        if !needed.has_blob(connection, &blob)? {
            unneeded.push(blob.id);
        }
        Ok(())
    };
    blobs::each_inline(connection, &mut look)?;
    blobs::each_stored(connection, &mut look)?;
    Ok(unneeded)
}
