//! `demo`: the whole way of an image, on one made on the spot, without network and without leaving anything behind.
//!
//! Nothing is taken for granted: what is said to be the same is compared, and the demo fails if it is not.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use reqwest::header::ACCEPT;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::demo_catalog;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::report::shown;
use crate::cli::style::Tone;
use crate::engine::job::Job;
use crate::engine::plan::AddPlan;
use crate::engine::request::{AddRequest, PublishedAs, Source};
use crate::engine::{Engine, Options};
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::{Body, Digest, Manifest, Platform, RepositoryName, Selection, media};
use crate::registry;
use crate::registry::memory::{Image, ImageBuilder, IndexBuilder, MemoryRegistry};
use crate::serve::{self, CatalogSource};
use crate::text::{bytes, count};

/// The repository that is made, mirrored and pulled.
const NAME: &str = "demo/app";

/// What the demo found; its JSON document.
#[derive(Debug, Clone, Default, Serialize)]
struct Found {
    /// Bytes fetched to mirror the image.
    fetched: u64,
    /// The root with it.
    root: String,
    /// Manifests that were pulled back and are byte for byte the upstream's.
    pulled_manifests: u64,
    /// Configurations and layers that were pulled back and have their digests.
    pulled_blobs: u64,
    /// Bytes to fetch when it is added again.
    again: u64,
    /// Bytes of the second tag in full.
    variant_logical: u64,
    /// Bytes of it that had to be fetched.
    variant_fetched: u64,
    /// The root with both.
    variant_root: String,
}

/// The arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Open the terminal interface on a generated catalog.
    #[arg(long)]
    tui: bool,
}

pub(in crate::cli) fn run(arguments: &Arguments, context: &Context, command: &clap::Command) -> Result<Exit> {
    if arguments.tui {
        return demo_catalog::run(context, command);
    }
    let directory = tempfile::tempdir().context(|| "can't make a temporary directory")?;
    let output = &context.output;
    let found = context.run_quietly("Stopping.", async |job: &Job| show(directory.path(), output, job).await)?;
    output.json(&found)?;
    output.data(NEXT)?;
    Ok(Exit::Done)
}

const NEXT: &str = "
All checks passed. To continue with real images:
  roadstead add nginx:alpine     mirror one
  roadstead list                 see what is mirrored
  roadstead serve                serve it, then: podman pull --tls-verify=false 127.0.0.1:5050/nginx:alpine
  roadstead export DIR           or put the tree on any web host
";

async fn show(directory: &Path, output: &Output, job: &Job) -> Result<Found> {
    let mut found = Found::default();
    let say = |heading: &str, text: &str| {
        output.data(&format!("{} {text}\n", output.paint.tone(Tone::Good, heading)))?;
        output.finish()
    };
    let repository: RepositoryName = NAME.parse()?;
    let registry = MemoryRegistry::builder().start().await?;
    let first = image(b"1.0\n");
    let digest = registry.put_image(&repository, Some("1.0"), &first);
    say("made    ", &format!("{NAME}:1.0 for {} platforms in a registry on {}", platforms().len(), registry.host()))?;

    let engine = Engine::open(Options {
        data_dir: directory.join("data"),
        registries: registry::Options::new(registry::credentials::Environment::default()),
        wait: std::time::Duration::from_secs(1),
        local_discovery: false,
        profile: None,
    })?;
    let plan = plan(&engine, &registry, "1.0", job).await?;
    say(
        "planned ",
        &format!("{}, {} to fetch", count(plan.fetch.len() as u64, "blob", "blobs"), bytes(plan.new_bytes)),
    )?;
    let added = engine.apply_add(plan, "add", job).await?;
    refuse_failures(added.failed)?;
    found.fetched = added.fetched;
    found.root = added.root.map(shown).unwrap_or_default();
    say("mirrored", &format!("{} fetched, every digest checked; the root is {}", bytes(added.fetched), found.root))?;

    (found.pulled_manifests, found.pulled_blobs) = pull_back(&engine, digest, job).await?;
    say(
        "pulled  ",
        &format!(
            "{} and {} over HTTP, byte for byte as made",
            count(found.pulled_manifests, "manifest", "manifests"),
            count(found.pulled_blobs, "blob", "blobs")
        ),
    )?;

    let again = self::plan(&engine, &registry, "1.0", job).await?;
    found.again = again.new_bytes;
    hold(again.is_empty() && again.new_bytes == 0, "adding the same image again should cost nothing")?;
    say("again   ", "adding it a second time costs nothing")?;

    registry.put_image(&repository, Some("1.1"), &image(b"1.1\n"));
    let plan = self::plan(&engine, &registry, "1.1", job).await?;
    found.variant_logical = plan.images.iter().map(|image| image.logical).sum();
    let wanted = plan.new_bytes;
    let added = engine.apply_add(plan, "add", job).await?;
    refuse_failures(added.failed)?;
    found.variant_fetched = added.fetched;
    found.variant_root = added.root.map(shown).unwrap_or_default();
    let is_difference = added.fetched <= wanted && wanted * 10 < found.variant_logical;
    hold(is_difference, "a tag that shares its layers should cost only the difference")?;
    hold(found.variant_root != found.root, "another image should give another root")?;
    say(
        "shared  ",
        &format!(
            "{NAME}:1.1 is {} in full and cost {}; the root is {}",
            bytes(found.variant_logical),
            bytes(found.variant_fetched),
            found.variant_root
        ),
    )?;

    let verified = engine.verify(false, job).await?;
    hold(verified.damaged.is_empty() && verified.root_matches, "everything stored should match its digest")?;
    say("verified", &format!("{} read again, and the rebuilt tree has the same root", bytes(verified.bytes)))?;
    Ok(found)
}

/// The demo fails if this does not hold.
fn hold(held: bool, expected: &str) -> Result<()> {
    if held {
        Ok(())
    } else {
        Err(Error::new(Kind::Verification, format!("failed check: {expected}")).hint("Please report it."))
    }
}

fn refuse_failures(mut failed: Vec<crate::engine::plan::FailedRequest>) -> Result<()> {
    failed.pop().map_or(Ok(()), |failed| Err(failed.error.context(failed.request)))
}

/// Two platforms, this machine's among them.
fn platforms() -> BTreeSet<Platform> {
    BTreeSet::from([Platform::host(), Platform::new("linux", "amd64", None), Platform::new("linux", "arm64", None)])
}

/// An image of every platform: a layer that is large and always the same, and a small one that is not.
fn image(version: &[u8]) -> Image {
    let mut index = IndexBuilder::new();
    for platform in platforms() {
        let base = noise(&platform.to_string(), 512 << 10);
        let image = ImageBuilder::new(platform)
            .layer(&[("usr/share/base", base.as_slice())])
            .layer(&[("etc/version", version)])
            .entrypoint(&["/bin/app"])
            .label("org.opencontainers.image.title", "demo");
        index = index.image(image.build());
    }
    index.build()
}

/// Bytes that can't be compressed and are always the same.
pub(in crate::cli) fn noise(seed: &str, length: usize) -> Vec<u8> {
    let mut block = Digest::of(seed.as_bytes());
    let mut noise = Vec::with_capacity(length + 32);
    while noise.len() < length {
        noise.extend_from_slice(block.as_bytes());
        block = Digest::of(block.as_bytes());
    }
    noise.truncate(length);
    noise
}

async fn plan(engine: &Arc<Engine>, registry: &MemoryRegistry, tag: &str, job: &Job) -> Result<AddPlan> {
    let source: Source = format!("{}/{NAME}:{tag}", registry.host()).parse()?;
    let request = AddRequest {
        selection: Some(Selection::All),
        name: Some(PublishedAs { name: NAME.parse()?, tag: None }),
        insecure: Some(true),
        ..AddRequest::new(source)
    };
    let mut plan = engine.plan_add(&[request], job).await?;
    refuse_failures(std::mem::take(&mut plan.failed))?;
    Ok(plan)
}

/// Serves the catalog, and pulls the image with everything it refers to. Counts manifests and blobs.
async fn pull_back(engine: &Arc<Engine>, digest: Digest, job: &Job) -> Result<(u64, u64)> {
    let stop = CancellationToken::new();
    let (started, listening) = tokio::sync::oneshot::channel();
    let options = serve::Options { listen: ([127, 0, 0, 1], 0).into(), ..serve::Options::default() };
    let source = Arc::new(CatalogSource::new(Arc::clone(engine), false));
    let server = tokio::spawn(serve::run(source, None, options, stop.clone(), move |listening: &serve::Listening| {
        // Nobody waits for it any more only if the demo was cancelled.
        let _ = started.send(listening.url.clone());
    }));
    let pulled = job
        .or_cancelled(async {
            match listening.await {
                Ok(url) => pull(&url, digest).await,
                // The server's own error says more.
                Err(_) => Ok((0, 0)),
            }
        })
        .await;
    stop.cancel();
    let ended = server.await.map_err(|error| Error::new(Kind::Unexpected, "the server ended").caused_by(error))?;
    ended.and(pulled)
}

async fn pull(url: &str, digest: Digest) -> Result<(u64, u64)> {
    // A proxy of the environment has no business on this machine, and authorities, of which a bare system has none, are not asked for.
    let client = crate::http::client().no_proxy().tls_certs_only([]).build();
    let client = client.map_err(|error| Error::new(Kind::Unexpected, "no HTTP client").caused_by(error))?;
    let types: Vec<&str> = media::MANIFEST_TYPES.iter().map(|(name, _)| *name).collect();
    let get = async |path: String, expected: Digest| {
        let failed = |error: reqwest::Error| Error::new(Kind::Network, format!("can't pull {path}")).caused_by(error);
        let request = client.get(format!("{url}/v2/{NAME}/{path}")).header(ACCEPT, types.join(", "));
        let response = request.send().await.and_then(reqwest::Response::error_for_status).map_err(failed)?;
        let bytes = response.bytes().await.map_err(failed)?;
        hold(Digest::of(&bytes) == expected, &format!("{path} should come back as it was made"))?;
        Ok::<_, Error>(bytes)
    };
    let (mut manifests, mut blobs) = (0, BTreeSet::new());
    let top = get("manifests/1.0".to_owned(), digest).await?;
    let mut waiting = vec![top];
    while let Some(manifest) = waiting.pop() {
        manifests += 1;
        match Manifest::parse(&manifest, None)?.body {
            Body::Index { manifests: children } => {
                for child in children {
                    waiting.push(get(format!("manifests/{}", child.digest), child.digest).await?);
                }
            }
            Body::Image { config, layers } => {
                for blob in layers.into_iter().chain([config]) {
                    if blobs.insert(blob.digest) {
                        get(format!("blobs/{}", blob.digest), blob.digest).await?;
                    }
                }
            }
        }
    }
    Ok((manifests, blobs.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_always_the_same_and_has_its_length() {
        assert_eq!(noise("a", 1000), noise("a", 1000));
        assert_ne!(noise("a", 1000), noise("b", 1000));
        assert_eq!(noise("a", 1000).len(), 1000);
    }

    #[test]
    fn what_does_not_hold_fails() {
        assert!(hold(true, "x").is_ok());
        assert_eq!(hold(false, "x should be y").unwrap_err().to_string(), "failed check: x should be y");
    }
}
