//! What an interactive face asks: parts of lists, and what there is in a few figures.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::show::{image_row, repository_row};
use super::view::{ImageRow, RepositoryRow, Statistics};
use crate::catalog::browse::Scope;
use crate::catalog::images::Image;
use crate::catalog::repositories::{self, Repository};
use crate::catalog::statistics::{Counts, Figures};
use crate::catalog::{browse, registries, state, statistics};
use crate::engine::Engine;
use crate::engine::find::find_repository;
use crate::error::Result;

pub use crate::catalog::browse::{ImageOrder, Part, RepositoryOrder, RowState, Rows, States};
pub use crate::catalog::registries::{Registry, Totals, TreeRow};
pub use crate::catalog::search::{Finder, SEARCH_STATES, Search, SearchState, state_names};

/// The registry in a line.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    /// Numbers of repositories, images and blobs.
    pub counts: Counts,
    /// Logical, stored and unique bytes of all images.
    pub figures: Figures,
    /// The root that the catalog stands for.
    pub root: Option<String>,
    /// The name that the registry is published under.
    pub name: Option<String>,
}

/// The registry in figures, and how it came to be so.
#[derive(Debug, Clone)]
pub struct Insight {
    /// Counts and bytes of the whole registry.
    pub statistics: Statistics,
    /// Repositories by the bytes of all their images in full, the largest first.
    pub largest: Vec<RepositoryRow>,
    /// What was published, oldest first: when, in seconds since 1970, and the bytes of its blobs, each once.
    pub growth: Vec<(i64, u64)>,
    /// Room on the disk of the data directory; none where the system does not say.
    pub room: Option<Room>,
}

/// Room on a disk in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes that this user may still write.
    pub free: u64,
    /// Size of the whole file system.
    pub total: u64,
}

/// Rows of the list of the largest repositories.
const MAX_LARGEST_ROWS: u64 = 10;

/// All of a list.
fn whole<Order>(order: Order, descending: bool, states: &States) -> Part<'_, Order> {
    Part { filter: "", order, descending, states, offset: 0, limit: u64::MAX, around: None }
}

impl Engine {
    /// The registry in figures, and how it came to be so.
    pub fn insight(&self) -> Result<Insight> {
        let part = Part {
            filter: "",
            order: RepositoryOrder::Size,
            descending: true,
            states: &States::default(),
            offset: 0,
            limit: MAX_LARGEST_ROWS,
            around: None,
        };
        let largest = self.browse_repositories(&part)?.rows;
        let growth = self.growth()?;
        let room = rustix::fs::statvfs(self.data_dir()).ok().map(|disk| Room {
            free: disk.f_bavail.saturating_mul(disk.f_frsize),
            total: disk.f_blocks.saturating_mul(disk.f_frsize),
        });
        Ok(Insight { statistics: self.statistics()?, largest, growth, room })
    }

    /// A part of the list of repositories.
    pub fn browse_repositories(&self, part: &Part<'_, RepositoryOrder>) -> Result<Rows<RepositoryRow>> {
        let reader = self.catalog.read()?;
        browse::repositories(&reader, part)?.try_map(|repository| repository_row(&reader, repository))
    }

    /// A part of the repositories under their registries, of which these are folded.
    pub fn browse_tree(
        &self,
        part: &Part<'_, RepositoryOrder>,
        folded: &BTreeSet<String>,
    ) -> Result<Rows<TreeRow<RepositoryRow>>> {
        let reader = self.catalog.read()?;
        registries::tree(&reader, part, folded)?.try_map(|row| {
            Ok(match row {
                TreeRow::Registry(registry) => TreeRow::Registry(registry),
                TreeRow::Repository(repository) => TreeRow::Repository(repository_row(&reader, repository)?),
            })
        })
    }

    /// Names of the repositories of a registry that a list has, with the bytes of their images in full.
    pub fn registry_members(&self, part: &Part<'_, RepositoryOrder>, registry: &str) -> Result<Vec<(String, u64)>> {
        registries::members(&*self.catalog.read()?, part, registry)
    }

    /// What each registry adds up to, by its name.
    pub fn registry_totals(&self) -> Result<BTreeMap<String, Totals>> {
        registries::totals(&*self.catalog.read()?)
    }

    /// A part of the images of a repository.
    pub fn browse_images(&self, repository: &str, part: &Part<'_, ImageOrder>) -> Result<Rows<ImageRow>> {
        let reader = self.catalog.read()?;
        let repository = find_repository(&reader, repository)?;
        let scope = Scope { repository: Some(repository.id), attached: false };
        browse::images(&reader, scope, part)?.try_map(|image| image_row(&reader, &repository, &image))
    }

    /// Every repository, sorted by this, the other way round if asked for.
    pub fn sorted_repositories(&self, order: RepositoryOrder, descending: bool) -> Result<Vec<RepositoryRow>> {
        Ok(self.browse_repositories(&whole(order, descending, &States::default()))?.rows)
    }

    /// Every image of a repository, or of all of them, sorted by this; also those that came along with others if asked for.
    pub fn sorted_images(
        &self,
        repository: Option<&str>,
        attached: bool,
        order: ImageOrder,
        descending: bool,
    ) -> Result<Vec<ImageRow>> {
        let reader = self.catalog.read()?;
        let repository = match repository {
            Some(name) => Some(find_repository(&reader, name)?.id),
            None => None,
        };
        let states = States::default();
        let found = browse::images(&reader, Scope { repository, attached }, &whole(order, descending, &states))?;
        let mut known: HashMap<i64, Repository> = HashMap::new();
        let row = |image: &Image| {
            let repository = match known.entry(image.repository) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(repositories::by_id(&reader, image.repository)?),
            };
            image_row(&reader, repository, image)
        };
        found.rows.iter().map(row).collect()
    }

    /// The registry in a line.
    pub fn overview(&self) -> Result<Overview> {
        let reader = self.catalog.read()?;
        let (figures, counts) = statistics::registry(&reader)?;
        let root = state::root(&reader)?.map(|link| link.cid.to_string());
        let name = crate::catalog::settings::load(&reader)?.and_then(|settings| settings.name);
        Ok(Overview { counts, figures, root, name })
    }
}
