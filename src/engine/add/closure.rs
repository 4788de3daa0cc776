//! Everything a manifest refers to, as far as it is chosen.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read as _;
use std::sync::Arc;

use bytes::Bytes;

use super::placed::{Placed, left_out};
use crate::catalog::images::Role;
use crate::engine::Engine;
use crate::engine::blocking::in_place;
use crate::engine::plan::{LeftOut, LeftOutReason, PlannedManifest, WantedBlob};
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::{Body, Descriptor, Digest, Manifest, Platform, Selection, Target, media};
use crate::text::printable_within;

/// How deep indexes may be nested.
const MAX_INDEX_DEPTH: usize = 4;
/// Most manifests of one image: far above what exists.
const MAX_MANIFESTS: usize = 2_000;
/// Most bytes of all manifests of one image together: they are in memory while it is planned.
pub(in crate::engine) const MAX_MANIFESTS_BYTES: u64 = 64 << 20;
/// Largest blob: 1 TiB, far above what exists, low enough that no sum overflows.
const MAX_BLOB_BYTES: u64 = 1 << 40;
/// Largest image configuration that is read.
pub(in crate::engine) const MAX_CONFIG_BYTES: u64 = 8 << 20;

/// What is collected while manifests are walked.
pub(in crate::engine) struct Closure<'a> {
    engine: &'a Engine,
    placed: &'a Placed,
    selection: Selection,
    all_manifests: bool,
    pub(in crate::engine) manifests: Vec<Arc<PlannedManifest>>,
    pub(in crate::engine) blobs: Vec<WantedBlob>,
    pub(in crate::engine) left_out: Vec<LeftOut>,
    /// Configurations that were read on the way.
    pub(in crate::engine) read: HashMap<Digest, Bytes>,
    /// Platforms that will be here.
    pub(in crate::engine) platforms: BTreeSet<Platform>,
    /// Platforms that upstream has.
    offered: BTreeSet<Platform>,
    attestations: BTreeSet<Digest>,
    seen: BTreeSet<Digest>,
    sizes: BTreeMap<Digest, u64>,
    wanted: BTreeSet<(Digest, Role)>,
    bytes: u64,
}

impl<'a> Closure<'a> {
    pub(in crate::engine) fn new(
        engine: &'a Engine,
        placed: &'a Placed,
        selection: Selection,
        all_manifests: bool,
    ) -> Self {
        Self {
            engine,
            placed,
            selection,
            all_manifests,
            manifests: Vec::new(),
            blobs: Vec::new(),
            left_out: Vec::new(),
            read: HashMap::new(),
            platforms: BTreeSet::new(),
            offered: BTreeSet::new(),
            attestations: BTreeSet::new(),
            seen: BTreeSet::new(),
            sizes: BTreeMap::new(),
            wanted: BTreeSet::new(),
            bytes: 0,
        }
    }

    /// The manifests that something may be attached to.
    pub(in crate::engine) fn subjects(&self) -> Vec<Digest> {
        self.manifests
            .iter()
            .map(|manifest| manifest.digest)
            .filter(|digest| !self.attestations.contains(digest))
            .collect()
    }

    /// Collects everything from the top manifest on.
    pub(in crate::engine) async fn walk_top(&mut self, top: Arc<PlannedManifest>) -> Result<()> {
        if !top.manifest.is_index()
            && let Some(platform) = self.platform_of(&top.manifest).await?
        {
            self.offered.insert(platform.clone());
            self.platforms.insert(platform);
        }
        self.walk(top, 0).await
    }

    /// Fails if a platform that was asked for is not there. Without an explicit request one of the chosen ones is enough.
    pub(in crate::engine) fn require(&self, asked: &Selection, explicit: bool) -> Result<()> {
        let Selection::Only(wanted) = asked else { return Ok(()) };
        // An artifact that is no image has no platforms to choose from.
        if self.offered.is_empty() {
            return Ok(());
        }
        let missing: Vec<&Platform> =
            wanted.iter().filter(|wish| !self.offered.iter().any(|offer| wish.means(offer))).collect();
        let single = self.manifests.first().is_some_and(|top| !top.manifest.is_index());
        if missing.is_empty() || (!explicit && (single || missing.len() < wanted.len())) {
            return Ok(());
        }
        let words = |platforms: Vec<&Platform>| {
            platforms.iter().map(|platform| printable_within(&platform.to_string(), 60)).collect::<Vec<_>>().join(", ")
        };
        Err(Error::new(Kind::NotFound, format!("{} has no {}", self.placed.request.source, words(missing))).hint(
            format!(
                "It has {}; choose with `--platform`, or take `--platform all`.",
                words(self.offered.iter().collect())
            ),
        ))
    }

    /// The platform that an image's configuration says; the configuration comes with the plan.
    async fn platform_of(&mut self, manifest: &Manifest) -> Result<Option<Platform>> {
        let Body::Image { config, .. } = &manifest.body else { return Ok(None) };
        if !manifest.is_image() || config.size > MAX_CONFIG_BYTES {
            return Ok(None);
        }
        let bytes = self.engine.small_blob(self.placed, config).await?;
        let platform = platform_in(&bytes);
        self.read.insert(config.digest, bytes);
        Ok(platform)
    }

    async fn walk(&mut self, planned: Arc<PlannedManifest>, depth: usize) -> Result<()> {
        if !self.seen.insert(planned.digest) {
            return Ok(());
        }
        self.keep(&planned)?;
        match &planned.manifest.body {
            Body::Image { config, layers } => {
                let content = if planned.manifest.is_image() { Role::Layer } else { Role::Other };
                self.want(config, if planned.manifest.is_image() { Role::Config } else { Role::Other })?;
                for layer in layers {
                    // Also where it is left out: sizes are added up.
                    self.check_size(layer)?;
                    if layer.is_foreign_layer() {
                        let reason = "a foreign layer, which only its vendor may give out".to_owned();
                        self.left_out.push(left_out(layer.digest, None, LeftOutReason::Other(reason)));
                    } else {
                        self.want(layer, content)?;
                    }
                }
                Ok(())
            }
            Body::Index { manifests } => {
                if depth >= MAX_INDEX_DEPTH {
                    return Err(self.refuse(&format!("its indexes are nested more than {MAX_INDEX_DEPTH} deep")));
                }
                let chosen = self.choose(manifests);
                for (entry, choice) in manifests.iter().zip(chosen) {
                    match choice {
                        Choice::Take => {
                            let child = self.child(entry).await?;
                            Box::pin(self.walk(child, depth + 1)).await?;
                        }
                        Choice::ManifestOnly(reason) => self.manifest_only(entry, &reason).await?,
                        Choice::Leave(reason) => {
                            let platform = entry.runs_on().map(|platform| printable_within(&platform.to_string(), 60));
                            self.left_out.push(left_out(entry.digest, platform, reason));
                        }
                    }
                }
                Ok(())
            }
        }
    }

    fn keep(&mut self, planned: &Arc<PlannedManifest>) -> Result<()> {
        self.bytes += planned.bytes.len() as u64;
        if self.seen.len() > MAX_MANIFESTS {
            return Err(self.refuse(&format!("it consists of more than {MAX_MANIFESTS} manifests")));
        }
        if self.bytes > MAX_MANIFESTS_BYTES {
            let most = crate::text::bytes(MAX_MANIFESTS_BYTES);
            return Err(self.refuse(&format!("its manifests are larger than {most} together")));
        }
        self.manifests.push(Arc::clone(planned));
        Ok(())
    }

    /// Decides what to do with each entry of an index.
    fn choose(&mut self, entries: &[Descriptor]) -> Vec<Choice> {
        let mut taken = BTreeSet::new();
        for entry in entries {
            if let Some(platform) = entry.runs_on() {
                if self.selection.includes(&platform) {
                    taken.insert(entry.digest);
                    self.platforms.insert(platform.clone());
                }
                self.offered.insert(platform);
            }
        }
        let mut choices = Vec::with_capacity(entries.len());
        for entry in entries {
            let leave = if self.all_manifests { Choice::ManifestOnly } else { Choice::Leave };
            choices.push(if !media::is_manifest(&entry.media_type) {
                let shown = printable_within(&entry.media_type, 100);
                Choice::Leave(LeftOutReason::Other(format!("its media type `{shown}` is unknown")))
            } else if let Some(attested) = entry.attests() {
                self.attestations.insert(entry.digest);
                if self.selection == Selection::All || taken.contains(&attested) {
                    Choice::Take
                } else {
                    leave(LeftOutReason::AttestsNotChosen)
                }
            } else if entry.runs_on().is_some() {
                if taken.contains(&entry.digest) { Choice::Take } else { leave(LeftOutReason::NotChosen) }
            } else if entry.platform.is_some() && self.selection != Selection::All {
                leave(LeftOutReason::Other("its platform is unknown".to_owned()))
            } else {
                // Without a platform it is part of an artifact, or a nested index that chooses itself.
                Choice::Take
            });
        }
        choices
    }

    async fn child(&self, entry: &Descriptor) -> Result<Arc<PlannedManifest>> {
        let planned = match in_place(|| self.engine.known_manifest(&entry.digest, self.placed))? {
            Some(known) => known,
            None => self.engine.fetch_manifest(self.placed, &Target::Digest(entry.digest)).await?,
        };
        if planned.bytes.len() as u64 != entry.size {
            return Err(self.refuse(&format!(
                "its index says that {} has {} bytes, but it has {}",
                entry.digest,
                entry.size,
                planned.bytes.len()
            )));
        }
        Ok(planned)
    }

    /// Takes a manifest and its configuration, and leaves its layers out.
    async fn manifest_only(&mut self, entry: &Descriptor, reason: &LeftOutReason) -> Result<()> {
        let child = self.child(entry).await?;
        if !self.seen.insert(child.digest) {
            return Ok(());
        }
        if let Body::Image { config, layers } = &child.manifest.body {
            self.want(config, if child.manifest.is_image() { Role::Config } else { Role::Other })?;
            let platform = entry.runs_on().map(|platform| printable_within(&platform.to_string(), 60));
            for layer in layers {
                self.check_size(layer)?;
                self.left_out.push(left_out(layer.digest, platform.clone(), reason.clone()));
            }
        }
        self.keep(&child)
    }

    fn want(&mut self, descriptor: &Descriptor, role: Role) -> Result<()> {
        self.check_size(descriptor)?;
        if let Some(other) = self.sizes.insert(descriptor.digest, descriptor.size)
            && other != descriptor.size
        {
            return Err(
                self.refuse(&format!("{} has two sizes, {other} and {} bytes", descriptor.digest, descriptor.size))
            );
        }
        if self.wanted.insert((descriptor.digest, role)) {
            self.blobs.push(WantedBlob { digest: descriptor.digest, size: descriptor.size, role });
        }
        Ok(())
    }

    fn check_size(&self, descriptor: &Descriptor) -> Result<()> {
        if descriptor.size > MAX_BLOB_BYTES {
            return Err(self.refuse(&format!("{} is too large, {} bytes", descriptor.digest, descriptor.size)));
        }
        Ok(())
    }

    fn refuse(&self, why: &str) -> Error {
        Error::new(Kind::Verification, format!("{} is refused: {why}", self.placed.request.source))
    }
}

enum Choice {
    Take,
    ManifestOnly(LeftOutReason),
    Leave(LeftOutReason),
}

/// The platform that an image's configuration says (OCI image spec, config.md).
pub(in crate::engine) fn platform_in(config: &[u8]) -> Option<Platform> {
    serde_json::from_slice::<Platform>(config).ok().map(Platform::normalized).filter(|platform| !platform.is_unknown())
}

impl Engine {
    /// A small blob in memory: from the store, or from upstream, verified.
    pub(in crate::engine) async fn small_blob(&self, placed: &Placed, descriptor: &Descriptor) -> Result<Bytes> {
        if let Some(bytes) = self.stored_bytes(&descriptor.digest, descriptor.size)? {
            return Ok(bytes);
        }
        let mut body = placed.registry.blob(&placed.repository, &descriptor.digest, descriptor.size, 0).await?;
        let mut bytes = Vec::with_capacity(descriptor.size as usize);
        while let Some(chunk) = body.chunk().await? {
            if bytes.len() + chunk.len() > descriptor.size as usize {
                return Err(Error::new(
                    Kind::Verification,
                    format!("{} is longer than the {} bytes in its manifest", descriptor.digest, descriptor.size),
                ));
            }
            bytes.extend_from_slice(&chunk);
        }
        let got = Digest::of(&bytes);
        if got != descriptor.digest || bytes.len() as u64 != descriptor.size {
            return Err(Error::new(
                Kind::Verification,
                format!("the configuration {} came as {got}, {} bytes", descriptor.digest, bytes.len()),
            ))
            .context(|| placed.request.source.to_string());
        }
        Ok(Bytes::from(bytes))
    }

    /// The bytes of a small blob that is in the store.
    pub(in crate::engine) fn stored_bytes(&self, digest: &Digest, size: u64) -> Result<Option<Bytes>> {
        self.stored_within(MAX_CONFIG_BYTES, digest, size)
    }

    /// The bytes of a blob that is in the store and no larger than this.
    pub(in crate::engine) fn stored_within(&self, max: u64, digest: &Digest, size: u64) -> Result<Option<Bytes>> {
        if size > max || !self.store.contains(digest, size)? {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        match self.store.open_blob(digest) {
            Ok(mut file) => file.read_to_end(&mut bytes)?,
            // What is damaged is fetched again.
            Err(error) if error.kind() == Kind::Verification => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(Bytes::from(bytes)))
    }
}
