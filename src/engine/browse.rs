//! What an interactive face asks: parts of lists, and what there is in a few figures.

use serde::Serialize;

use super::Engine;
use super::remove::find_repository;
use super::show::{image_row, repository_row};
use super::view::{ImageRow, RepositoryRow};
use crate::catalog::statistics::{Counts, Figures};
use crate::catalog::{browse, state, statistics};
use crate::error::Result;

pub use crate::catalog::browse::{ImageOrder, Part, RepositoryOrder};

/// A part of a list.
#[derive(Debug, Clone)]
pub struct Rows<T> {
    /// How many rows the whole list has with this filter.
    pub total: u64,
    /// The rows asked for.
    pub rows: Vec<T>,
}

/// The registry in a line.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    /// How much there is.
    pub counts: Counts,
    /// Its bytes.
    pub figures: Figures,
    /// The root that the catalog stands for.
    pub root: Option<String>,
    /// The name that the registry is published under.
    pub name: Option<String>,
}

impl Engine {
    /// A part of the list of repositories.
    pub fn browse_repositories(&self, part: &Part<'_, RepositoryOrder>) -> Result<Rows<RepositoryRow>> {
        let reader = self.catalog.read()?;
        let (total, found) = browse::repositories(&reader, part)?;
        let rows = found.into_iter().map(|repository| repository_row(&reader, repository)).collect::<Result<_>>()?;
        Ok(Rows { total, rows })
    }

    /// A part of the images of a repository.
    pub fn browse_images(&self, repository: &str, part: &Part<'_, ImageOrder>) -> Result<Rows<ImageRow>> {
        let reader = self.catalog.read()?;
        let repository = find_repository(&reader, repository)?;
        let (total, found) = browse::images(&reader, repository.id, part)?;
        let rows = found.iter().map(|image| image_row(&reader, &repository, image)).collect::<Result<_>>()?;
        Ok(Rows { total, rows })
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
