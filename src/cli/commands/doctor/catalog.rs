//! The catalog: there, of this program's schema, sound, with a root.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tokio::task::spawn_blocking;

use super::finding::{Check, Finding, State};
use crate::catalog::{Catalog, follow, settings, state};
use crate::config::Settings;
use crate::error::{Error, Kind, Result};
use crate::site::SITE_VERSION;

const SUBJECT: &str = "catalog";

pub(super) struct CatalogFile {
    file: Option<PathBuf>,
}

impl CatalogFile {
    pub(super) fn new(settings: &Settings) -> Self {
        // Without a data directory there is nothing to say here that is not said there.
        Self { file: settings.data_dir().ok().map(|directory| directory.join("catalog.db")) }
    }
}

fn look_at(file: &Path) -> Result<Vec<Finding>> {
    let catalog = Catalog::open_read_only(file)?;
    let faults = catalog.faults()?;
    if !faults.is_empty() {
        return Err(Error::new(Kind::Verification, format!("{} is damaged: {}", file.display(), faults.join("; ")))
            .hint("Move `catalog.db` away and add the images again; verified blobs are used, not fetched."));
    }
    let reader = catalog.read()?;
    let mut findings = vec![match state::root(&reader)? {
        Some(root) => Finding::ok(SUBJECT, format!("sound, with the root {}", root.cid)),
        None => Finding::fail(SUBJECT, "it has no root", "`roadstead verify` says what is wrong with it."),
    }];
    let version = settings::load(&reader)?.map_or(SITE_VERSION, |settings| settings.site_version);
    // Who follows has the version of what is followed.
    if version < SITE_VERSION && follow::load(&reader)?.is_none() {
        findings.push(Finding::warn(
            SUBJECT,
            format!("the published tree has site version {version}, and this release writes {SITE_VERSION}"),
            format!("`roadstead config set site-version {SITE_VERSION}` adopts it; followers need this release, too."),
        ));
    }
    Ok(findings)
}

#[async_trait]
impl Check for CatalogFile {
    async fn look(&self) -> Vec<Finding> {
        let Some(file) = self.file.clone() else { return Vec::new() };
        if !file.exists() {
            return vec![Finding::ok(SUBJECT, "none yet; `roadstead add REF` makes one")];
        }
        let looked = spawn_blocking(move || look_at(&file)).await;
        let looked = looked.unwrap_or_else(|error| {
            Err(Error::new(Kind::Unexpected, "a bug in this program").caused_by(error).hint("Please report it."))
        });
        looked.unwrap_or_else(|error| vec![Finding::of_error(SUBJECT, State::Fail, &error)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_no_database_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let check = CatalogFile { file: Some(directory.path().join("catalog.db")) };
        assert_eq!(check.look().await[0].state, State::Ok);
        std::fs::write(directory.path().join("catalog.db"), "not a database, by far").unwrap();
        let findings = check.look().await;
        assert!(findings[0].state == State::Fail && !findings[0].advice.is_empty(), "{findings:?}");
    }
}
