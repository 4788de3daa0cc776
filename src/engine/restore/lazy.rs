//! Blobs that are left where they are until they are needed: rows now, bytes later.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use rusqlite::Connection;
use tokio::runtime::Handle;

use super::apply::Left;
use super::body::{FileStream, leaves};
use super::place::Place;
use super::plan::ReturnPlan;
use super::tree::Tree;
use crate::catalog::blobs::{self, Blob, NewBlob};
use crate::catalog::images::Role;
use crate::catalog::left_blobs;
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::plan::{AddPlan, PlannedBlob};
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::Digest;
use crate::node::source::BlockSource;
use crate::site::paths;
use crate::text::printable_within;
use crate::unixfs::file;

/// Blobs whose inner nodes are read at the same time.
const AT_ONCE: usize = 6;
/// How often it is looked whether a blob that someone else brings is there.
const PAUSE: Duration = Duration::from_millis(50);

impl Engine {
    /// Takes the blobs out of a plan that can wait, and records what they are and who has them.
    pub(super) async fn leave_blobs(
        &self,
        plan: &ReturnPlan,
        adding: &mut AddPlan,
        place: &str,
        job: &Job,
    ) -> Result<Left> {
        let Tree::Blocks(tree) = &plan.records.tree else {
            return Err(Error::new(Kind::Usage, "a directory is read as files, which says nothing of their blocks")
                .hint("Leave `--lazy` out: files of a directory are taken over as fast as they can be read."));
        };
        // Configurations are small, and what an image is in the gateway view is made of them.
        let now: HashSet<Digest> = adding
            .images
            .iter()
            .flat_map(|image| image.blobs.iter().chain(image.attached.iter().flat_map(|attached| &attached.blobs)))
            .filter(|blob| blob.role == Role::Config)
            .map(|blob| blob.digest)
            .collect();
        let (fetch, wait): (Vec<PlannedBlob>, Vec<PlannedBlob>) =
            std::mem::take(&mut adding.fetch).into_iter().partition(|blob| now.contains(&blob.digest) || blob.anew);
        adding.fetch = fetch;
        let mut left = Left::default();
        let mut reading = stream::iter(wait)
            .map(|blob| async move {
                let path = format!("{}/{}/{}/{}", paths::NATIVE, blob.repository, paths::BLOBS, blob.digest);
                let read = async {
                    let link = tree.lookup(&path).await?.ok_or_else(|| {
                        Error::new(Kind::NotFound, format!("it is not in the tree at {}", plan.place))
                    })?;
                    leaves(tree.source.as_ref(), self.profile, &link.cid, blob.size).await
                };
                let read = job.or_cancelled(read).await.context(|| format!("{} of {}", blob.digest, blob.image));
                read.map(|leaves| (blob, leaves))
            })
            .buffer_unordered(AT_ONCE);
        let mut found = Vec::new();
        while let Some(read) = reading.next().await {
            let (blob, leaves) = read?;
            left.blobs += 1;
            left.bytes += blob.size;
            adding.new_bytes = adding.new_bytes.saturating_sub(blob.size);
            found.push((blob, leaves));
        }
        drop(reading);
        self.catalog.write(|writer| {
            for (blob, leaves) in &found {
                let link = file::root(self.profile, blob.size, leaves)?;
                let new = NewBlob { digest: blob.digest, size: blob.size, link, leaves, bytes: None };
                let row = blobs::record(writer, &new)?;
                left_blobs::add(writer, row.id, place)?;
            }
            Ok(())
        })?;
        Ok(left)
    }

    /// Whether any blob was left elsewhere until it is needed.
    pub fn has_left_blobs(&self) -> Result<bool> {
        left_blobs::any(&*self.catalog.read()?)
    }

    /// Brings a blob into the store that was left elsewhere; nothing to do for any other. To be called before a blob of the
    /// store is read, where that may block.
    pub(in crate::engine) fn bring(&self, connection: &Connection, blob: &Blob) -> Result<()> {
        if blob.inline || self.store.contains(&blob.digest, blob.size)? {
            return Ok(());
        }
        let Some(place) = left_blobs::place(connection, blob.id)? else { return Ok(()) };
        let handle = Handle::try_current()
            .map_err(|error| Error::new(Kind::Unexpected, "there is no runtime to fetch with").caused_by(error))?;
        let brought = self.bring_from(&place, blob, &handle);
        brought.context(|| format!("{} was left at {} until now", blob.digest, printable_within(&place, 200)))?;
        self.catalog.write(|writer| left_blobs::remove(writer, blob.id))
    }

    fn bring_from(&self, place: &str, blob: &Blob, handle: &Handle) -> Result<()> {
        let source = self.source_of(place, handle)?;
        let mut writer = loop {
            match self.store.begin(blob.digest, blob.size, self.profile) {
                // Someone else brings it right now.
                Err(error) if error.kind() == Kind::Locked => {
                    std::thread::sleep(PAUSE);
                    if self.store.contains(&blob.digest, blob.size)? {
                        return Ok(());
                    }
                }
                begun => break begun?,
            }
        };
        let mut stream = handle.block_on(FileStream::open(source, &blob.link.cid, writer.position()))?;
        if stream.size() != blob.size {
            let words = format!("it has {} bytes there instead of {}", stream.size(), blob.size);
            return Err(Error::new(Kind::Verification, words));
        }
        while let Some(chunk) = handle.block_on(stream.chunk())? {
            writer.write(&chunk)?;
        }
        writer.commit()?;
        self.store.sync_directory()
    }

    /// The place, opened once.
    fn source_of(&self, place: &str, handle: &Handle) -> Result<Arc<dyn BlockSource>> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = sources.get(place) {
            return Ok(Arc::clone(known));
        }
        let opened = handle.block_on(Place::of_written(place)?.blocks())?;
        let (source, _) =
            opened.ok_or_else(|| Error::new(Kind::NotFound, "it is a directory now, and has no blocks"))?;
        sources.insert(place.to_owned(), Arc::clone(&source));
        Ok(source)
    }
}
