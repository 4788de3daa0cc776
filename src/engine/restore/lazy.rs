//! Blobs that are left where they are until they are needed: rows now, bytes later.

use std::collections::HashSet;
use std::sync::Arc;

use futures::{StreamExt as _, stream};

use super::apply::Left;
use super::body::leaves;
use super::place::Place;
use super::plan::ReturnPlan;
use super::registry::FileByCid;
use super::tree::Tree;
use crate::catalog::blobs::{self, Blob, NewBlob};
use crate::catalog::images::Role;
use crate::catalog::{left_blobs, statistics};
use crate::engine::Engine;
use crate::engine::job::{Event, Job};
use crate::engine::plan::{AddPlan, PlannedBlob};
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::Digest;
use crate::node::source::BlockSource;
use crate::site::paths;
use crate::unixfs::file;

/// Blobs whose inner nodes are read at the same time, or that are fetched at the same time.
const AT_ONCE: usize = 6;

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

    /// Brings a blob into the store that was left elsewhere; nothing to do for any other.
    pub async fn bring(self: &Arc<Self>, digest: &Digest, job: &Job) -> Result<()> {
        let (blob, place) = {
            let reader = self.catalog.read()?;
            let Some(blob) = blobs::by_digest(&reader, digest)? else { return Ok(()) };
            let Some(place) = left_blobs::place(&reader, blob.id)? else { return Ok(()) };
            (blob, place)
        };
        let source = Self::source_of(&place).await?;
        self.bring_from(source, blob, job).await
    }

    /// Brings everything into the store that was left elsewhere and is needed: before all of it is given out.
    pub async fn bring_all(self: &Arc<Self>, job: &Job) -> Result<()> {
        let all: Vec<(Blob, String)> = {
            let reader = self.catalog.read()?;
            let mut needed = Vec::new();
            for (blob, place) in left_blobs::all(&reader)? {
                if statistics::is_needed(&reader, blob.id)? {
                    needed.push((blob, place));
                }
            }
            needed
        };
        if all.is_empty() {
            return Ok(());
        }
        let bytes = all.iter().map(|(blob, _)| blob.size).sum();
        job.meter().expect(bytes);
        job.tell(Event::Fetching { blobs: all.len() as u64, bytes });
        let mut sources: std::collections::BTreeMap<String, Arc<dyn BlockSource>> = std::collections::BTreeMap::new();
        for (_, place) in &all {
            if !sources.contains_key(place) {
                sources.insert(place.clone(), Self::source_of(place).await?);
            }
        }
        let sources = &sources;
        let mut bringing = stream::iter(all)
            .map(|(blob, place)| async move {
                match sources.get(&place) {
                    Some(source) => self.bring_from(Arc::clone(source), blob, job).await,
                    None => Ok(()),
                }
            })
            .buffer_unordered(AT_ONCE);
        while let Some(brought) = bringing.next().await {
            brought?;
        }
        Ok(())
    }

    async fn source_of(place: &str) -> Result<Arc<dyn BlockSource>> {
        let opened = place.parse::<Place>()?.blocks(None).await?;
        let (source, _) = opened
            .ok_or_else(|| Error::new(Kind::Usage, format!("{} has no blocks", crate::text::printable_within(place, 200))))?;
        Ok(source)
    }

    async fn bring_from(self: &Arc<Self>, source: Arc<dyn BlockSource>, blob: Blob, job: &Job) -> Result<()> {
        let place = source.place();
        let planned = PlannedBlob {
            digest: blob.digest,
            size: blob.size,
            image: format!("a lazy restore from {place}"),
            anew: false,
            registry: Arc::new(FileByCid { source, cid: blob.link.cid }),
            // The blob is asked for by its CID, and no repository.
            repository: "blobs".parse()?,
            bytes: None,
        };
        match Arc::clone(self).fetch(planned, job.clone()).await {
            Ok(_) => {}
            // Another process brings it right now; whoever reads it looks again.
            Err(error) if error.kind() == Kind::Locked && self.store.contains(&blob.digest, blob.size)? => {}
            Err(error) => return Err(error),
        }
        self.store.sync_directory()?;
        if self.catalog.is_read_only() {
            return Ok(());
        }
        self.catalog.write(|writer| left_blobs::remove(writer, blob.id))
    }
}
