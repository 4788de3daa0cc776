//! The engine against an in-process registry: what is published is a function of what was added, however it came about.

mod add;
mod amplified;
mod attached;
mod batches;
mod bounds;
mod comparison;
pub(super) mod consent;
mod currency;
mod diff;
mod export;
mod files;
mod names;
mod pages;
mod purity;
mod remove;
mod restore;
mod restore_fields;
mod restore_hostile;
mod restore_http;
mod retention;
mod rules;
mod searching;
mod send;
mod side_by_side;
mod site_version;
mod stamps;
mod standing;
mod undo;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::job::Job;
use super::plan::{AddPlan, Added, Change};
use super::request::{AddRequest, Pick};
use super::{Engine, ExportOptions, Options};
use crate::error::Result;
use crate::image::{Digest, Platform, RepositoryName, Selection};
use crate::registry::credentials::Environment;
use crate::registry::memory::{Image, ImageBuilder, IndexBuilder, MemoryRegistry};
use crate::unixfs::Profile;

/// A registry, and a data directory to mirror into.
pub(super) struct TestEngine {
    pub(super) registry: MemoryRegistry,
    pub(super) directory: tempfile::TempDir,
    pub(super) engine: Arc<Engine>,
}

fn options(directory: &Path, profile: Option<Profile>) -> Options {
    Options {
        data_dir: directory.to_owned(),
        registries: crate::registry::Options::new(Environment::default()),
        wait: Duration::from_secs(5),
        local_discovery: false,
        profile,
    }
}

pub(super) fn platform(text: &str) -> Platform {
    text.parse().unwrap()
}

/// A small image whose only layer has this content.
pub(super) fn image(on: &str, content: &str) -> Image {
    ImageBuilder::new(platform(on)).layer(&[("base", "the same everywhere")]).layer(&[("content", content)]).build()
}

/// An index for two platforms, one of them this machine's default in the gateway view.
pub(super) fn index(content: &str) -> Image {
    IndexBuilder::new()
        .image(image("linux/amd64", content))
        .image(image("linux/arm64", &format!("{content} on arm")))
        .attestation()
        .build()
}

impl TestEngine {
    pub(super) async fn new() -> Self {
        Self::with(MemoryRegistry::builder().start().await.unwrap(), None)
    }

    pub(super) fn with(registry: MemoryRegistry, profile: Option<Profile>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::open(options(directory.path(), profile)).unwrap();
        Self { registry, directory, engine }
    }

    pub(super) fn put(&self, repository: &str, tag: &str, image: &Image) -> Digest {
        self.registry.put_image(&repository.parse().unwrap(), Some(tag), image)
    }

    pub(super) fn request(&self, what: &str) -> AddRequest {
        let source = format!("{}/{what}", self.registry.host()).parse().unwrap();
        AddRequest { insecure: Some(true), selection: Some(Selection::All), ..AddRequest::new(source) }
    }

    pub(super) async fn plan(&self, what: &[&str]) -> Result<AddPlan> {
        let requests: Vec<AddRequest> = what.iter().map(|what| self.request(what)).collect();
        Job::new().0.run(async |job: &Job| self.engine.plan_add(&requests, job).await).await
    }

    async fn apply(&self, plan: AddPlan) -> Result<Added> {
        Job::new().0.run(async |job: &Job| self.engine.apply_add(plan, "add", job).await).await
    }

    pub(super) async fn add(&self, what: &[&str]) -> Added {
        let plan = self.plan(what).await.unwrap();
        assert!(plan.failed.is_empty(), "{:?}", plan.failed);
        let added = self.apply(plan).await.unwrap();
        assert!(added.failed.is_empty(), "{:?}", added.failed);
        self.check();
        added
    }

    pub(super) async fn remove(&self, what: &str) {
        let plan = self.engine.plan_remove(&[self.pick(what)]).unwrap();
        Job::new().0.run(async |job: &Job| self.engine.apply_remove(&plan, job).await).await.unwrap();
        self.check();
    }

    pub(super) fn pick(&self, what: &str) -> Pick {
        self.published(what).parse().unwrap()
    }

    /// A name with the registry before it, as it is published.
    pub(super) fn published(&self, what: &str) -> String {
        format!("{}/{what}", self.registry.host().replace(':', "_"))
    }

    fn name(&self, repository: &str) -> RepositoryName {
        self.published(repository).parse().unwrap()
    }

    pub(super) fn root(&self) -> String {
        self.engine.root().unwrap().unwrap().to_string()
    }

    /// The tree that was kept up to date is the one that is built from nothing.
    pub(super) fn check(&self) {
        assert_eq!(self.engine.rebuild_root().unwrap(), self.engine.root().unwrap());
    }
}

fn changes(plan: &AddPlan) -> Vec<Change> {
    plan.images.iter().map(|image| image.change).collect()
}
