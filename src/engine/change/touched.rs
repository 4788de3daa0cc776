//! What a change touches, by the names that the tree has for it, so that only these are looked at again.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use crate::catalog::blobs;
use crate::catalog::images::{self, Image, Role};
use crate::catalog::repositories::Repository;
use crate::catalog::{nodes, pages};
use crate::engine::change::image_change::ImageChange;
use crate::error::Result;
use crate::image::Digest;
use crate::unixfs::Link;

/// Everything a change touches.
#[derive(Debug, Default)]
pub(in crate::engine) struct Touched {
    /// Repositories that are there after the change.
    pub(in crate::engine) repositories: BTreeMap<i64, TouchedRepository>,
    /// Repositories that are gone, with the directories and the pages they had.
    pub(in crate::engine) removed: Vec<RemovedRepository>,
    /// What repositories that are gone saw before, in order.
    pub(in crate::engine) steps: Vec<ImageChange>,
    /// The host name on the pages, or the site's version, is another.
    pub(in crate::engine) everything: bool,
    /// What the registry is for is said otherwise.
    pub(in crate::engine) front: bool,
}

/// A repository that is gone.
#[derive(Debug)]
pub(in crate::engine) struct RemovedRepository {
    pub(in crate::engine) repository: Repository,
    pub(in crate::engine) directories: Vec<(String, Link)>,
    pub(in crate::engine) pages: Vec<pages::Page>,
}

/// What is touched of one repository.
#[derive(Debug, Default)]
pub(in crate::engine) struct TouchedRepository {
    /// Blobs that may be new to it, or no longer needed by it.
    pub(in crate::engine) blobs: BTreeSet<i64>,
    /// Manifests by row, in the same way.
    pub(in crate::engine) manifests: BTreeSet<i64>,
    /// Tags that are new, moved or gone.
    pub(in crate::engine) tags: BTreeSet<String>,
    /// Tags in the gateway view likewise.
    pub(in crate::engine) gateway_tags: BTreeSet<String>,
    /// Digests in the gateway view likewise.
    pub(in crate::engine) gateway_digests: BTreeSet<Digest>,
    /// Manifests whose list of referrers may be another.
    pub(in crate::engine) subjects: BTreeSet<Digest>,
    /// Images whose rows on the pages may be others: by their names there, with how many rows they had before; none if they
    /// were not there.
    pub(in crate::engine) page_names: BTreeMap<String, u64>,
    /// It is new, its visibility changed, or everything of it shall be generated again.
    pub(in crate::engine) whole: bool,
    /// Whether it was part of the tree before.
    pub(in crate::engine) was_published: bool,
    /// What happened to its images, in order, so that it can be undone.
    pub(in crate::engine) steps: Vec<ImageChange>,
}

impl Touched {
    /// What happened to images, in the order of each repository.
    pub(in crate::engine) fn take_steps(&mut self) -> Vec<ImageChange> {
        let of_each = self.repositories.values_mut().flat_map(|of_it| std::mem::take(&mut of_it.steps));
        let mut steps = std::mem::take(&mut self.steps);
        steps.extend(of_each);
        steps
    }
}

impl TouchedRepository {
    /// Notes an image that has just come.
    pub(in crate::engine) fn came(
        &mut self,
        connection: &Connection,
        repository: &Repository,
        image: &Image,
    ) -> Result<()> {
        self.steps.push(ImageChange::came(repository, image));
        self.image(connection, image)
    }

    /// Adds everything of an image, as the catalog has it at this moment: to be called before it goes and after it came.
    pub(in crate::engine) fn image(&mut self, connection: &Connection, image: &Image) -> Result<()> {
        for content in images::contents(connection, image.id)? {
            if content.role == Role::Manifest {
                self.manifests.insert(content.blob);
                if let Some(subject) = blobs::manifest(connection, content.blob)?.and_then(|row| row.subject) {
                    self.subjects.insert(subject);
                }
            } else {
                self.blobs.insert(content.blob);
            }
        }
        if image.attached_to.is_none() {
            // An image that just came has none yet; what was said of the one before it stays.
            self.page_names.entry(images::page_name(image)).or_insert(image.page_rows);
        }
        self.subjects.extend(image.attached_to);
        if let Some(tag) = &image.tag {
            self.tags.insert(tag.to_string());
            // A real tag gives way to, or takes back, a name that was made for another's platform.
            self.gateway_tags.insert(tag.to_string());
        }
        for manifest in images::gateway(connection, image.id)? {
            self.gateway_tags.extend(manifest.name);
            if let Ok((_, digest)) = manifest.outcome {
                self.gateway_digests.insert(digest);
            }
        }
        Ok(())
    }
}

impl RemovedRepository {
    /// Keeps what is needed to take a repository out of the tree, before its rows go.
    pub(in crate::engine) fn remember(connection: &Connection, repository: &Repository) -> Result<Self> {
        Ok(Self {
            repository: repository.clone(),
            directories: nodes::directories(connection, repository.id)?,
            pages: pages::of(connection, repository.id)?,
        })
    }
}
