//! `demo --tui`: the terminal interface on a catalog made on the spot. Its registry is in this process; no network is used, and
//! nothing is left behind.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::demo::noise;
use super::interface;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::engine::job::Job;
use crate::engine::request::{AddRequest, PublishedAs, Source};
use crate::engine::{Engine, Options};
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::{Platform, Selection};
use crate::registry;
use crate::registry::memory::{Image, ImageBuilder, IndexBuilder, MemoryRegistry};

/// What is mirrored: repository, tag, what its own layer is made of.
const MIRRORED: [(&str, &str, &str); 9] = [
    ("shop/web", "1.0", "web 1.0"),
    ("shop/web", "1.1", "web 1.1"),
    ("shop/web", "latest", "web 1.1"),
    ("shop/worker", "2.3", "worker 2.3"),
    ("shop/worker", "2.4", "worker 2.4"),
    ("base/runtime", "12", "runtime 12"),
    ("base/runtime", "13", "runtime 13"),
    ("tools/backup", "stable", "backup 7"),
    ("tools/report", "nightly", "report of yesterday"),
];
/// What can be added: it is upstream only.
const UPSTREAM_ONLY: [(&str, &str, &str); 3] = [
    ("shop/web", "2.0-rc1", "web 2.0"),
    ("tools/scan", "0.9", "scan 0.9"),
    ("tools/report", "weekly", "report of the week"),
];
/// It moves upstream once it is mirrored.
const MOVES: (&str, &str, &str) = ("tools/report", "nightly", "report of today");
/// Size of the layer that all images are built on.
const BASE_LAYER_BYTES: usize = 512 << 10;

/// Makes the catalog and opens the interface on it.
pub(in crate::cli) fn run(context: &Context, command: &clap::Command) -> Result<Exit> {
    if context.output.is_json() {
        return Err(Error::new(Kind::Usage, "the interface has no JSON").hint("`roadstead demo --json` has."));
    }
    let directory = tempfile::tempdir().context(|| "can't make a temporary directory")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context(|| "can't start the threads of the demo's registry")?;
    let mut registry = None;
    let ended = interface::on(context, command, || {
        let (job, _watch) = Job::new();
        let made = runtime.block_on(job.run(async |job: &Job| make(directory.path(), job).await));
        let (engine, made) = made?;
        registry = Some(made);
        Ok(engine)
    });
    drop(registry);
    ended
}

async fn make(directory: &Path, job: &Job) -> Result<(Arc<Engine>, MemoryRegistry)> {
    let registry = MemoryRegistry::builder().start().await?;
    for (repository, tag, own) in MIRRORED.iter().chain(&UPSTREAM_ONLY) {
        put(&registry, repository, tag, own)?;
    }
    let mut registries = registry::Options::new(registry::credentials::Environment::default());
    let settings = registry::RegistrySettings { insecure: true, ..registry::RegistrySettings::default() };
    registries.registries.insert(registry.host(), settings);
    let engine = Engine::open(Options {
        data_dir: directory.join("data"),
        registries,
        wait: std::time::Duration::from_mins(1),
        local_discovery: false,
        profile: None,
    })?;
    let mut requests = Vec::new();
    for (repository, tag, _) in MIRRORED {
        let source: Source = format!("{}/{repository}:{tag}", registry.host()).parse()?;
        requests.push(AddRequest {
            selection: Some(Selection::All),
            name: Some(PublishedAs { name: repository.parse()?, tag: None }),
            insecure: Some(true),
            ..AddRequest::new(source)
        });
    }
    let plan = engine.plan_add(&requests, job).await?;
    let added = engine.apply_add(plan, "add", job).await?;
    if let Some(failed) = added.failed.into_iter().next() {
        return Err(failed.error.context(failed.request));
    }
    put(&registry, MOVES.0, MOVES.1, MOVES.2)?;
    engine.outdated(&[], job).await?;
    Ok((engine, registry))
}

/// An image of two platforms, built on what all are built on, with an attestation, a signature and an SBOM.
fn put(registry: &MemoryRegistry, repository: &str, tag: &str, own: &str) -> Result<()> {
    let name = repository.parse()?;
    let mut index = IndexBuilder::new();
    for architecture in ["amd64", "arm64"] {
        let base = noise(&format!("base {architecture}"), BASE_LAYER_BYTES);
        let shared = noise(&format!("{repository} {architecture}"), BASE_LAYER_BYTES / 4);
        let size = BASE_LAYER_BYTES / 12 + own.len() * 4096;
        let image = ImageBuilder::new(Platform::new("linux", architecture, None))
            .layer(&[("usr/lib/base", base.as_slice())])
            .layer(&[("usr/share/common", shared.as_slice())])
            .layer(&[("srv/app", noise(&format!("{own} {architecture}"), size).as_slice())])
            .entrypoint(&["/srv/app", "--listen", ":8080"])
            .env("APP_MODE=production")
            .label("org.opencontainers.image.title", repository)
            .label("org.opencontainers.image.version", tag);
        index = index.image(image.build()).attestation();
    }
    let image: Image = index.build();
    registry.put_image(&name, Some(tag), &image);
    let signature = Bytes::from(format!("{{\"critical\":{{\"image\":\"{}\"}}}}", image.digest()));
    let sbom = Bytes::from(format!("{{\"spdxVersion\":\"SPDX-2.3\",\"name\":\"{repository}\"}}"));
    registry.put_image(&name, None, &image.referrer("application/vnd.dev.cosign.artifact.sig.v1+json", signature));
    registry.put_image(&name, None, &image.referrer("application/spdx+json", sbom));
    Ok(())
}
