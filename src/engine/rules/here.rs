//! What an interface has to know of the catalog to tell of rules: which of their images are here, when upstream was asked last,
//! and what sources name now.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::sources;
use crate::catalog::{checked, images, repositories};
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::error::{Error, Kind, Result};
use crate::rules::{Rule, Rules, Source, Subject};

/// Tags, and digests of images without one, that are here, by their repository.
pub type Here = BTreeMap<String, BTreeSet<String>>;

/// What sources name now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedImages {
    /// References, each once.
    pub images: Vec<String>,
    /// What is left out, and why.
    pub skipped: Vec<String>,
    /// Why a source can't be read.
    pub failed: Vec<String>,
}

impl Engine {
    /// What is here of these repositories.
    pub fn images_here<'n>(&self, names: impl Iterator<Item = &'n str>) -> Result<Here> {
        let reader = self.catalog.read()?;
        let mut here = Here::new();
        for name in names {
            if here.contains_key(name) {
                continue;
            }
            let Some(repository) = repositories::by_name(&reader, name)? else { continue };
            let images = images::of_repository(&reader, repository.id, false)?;
            let tags = images.iter().map(|image| match &image.tag {
                Some(tag) => tag.to_string(),
                None => image.digest.to_string(),
            });
            here.insert(name.to_owned(), tags.collect());
        }
        Ok(here)
    }

    /// When upstream was asked last of any image, in seconds since 1970.
    pub fn last_checked(&self) -> Result<Option<i64>> {
        checked::last(&*self.catalog.read()?)
    }
}

/// Reads what these sources name, as a run would. Programs are not run for it.
pub async fn named_images(sources: Vec<Source>, base: &Path, job: &Job) -> Result<NamedImages> {
    let files = sources.into_iter().filter(|source| !matches!(source, Source::Command(_))).collect();
    let name = "preview".parse().map_err(|why: &str| Error::new(Kind::Unexpected, why))?;
    let rule = Rule::new(name, Subject::Sources(files));
    let rules = Rules { rules: vec![rule], ..Rules::default() };
    let read = sources::read(&rules, &BTreeSet::from([0]), base, job).await?;
    Ok(NamedImages {
        images: read.named.get(&0).into_iter().flatten().map(ToString::to_string).collect(),
        skipped: read.skipped.into_iter().map(|(_, what)| what).collect(),
        failed: read.failed.iter().map(|(_, error)| error.to_string()).collect(),
    })
}
