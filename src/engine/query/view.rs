//! What faces show of the catalog: plain values, serialised as they are by `--json`.

use serde::Serialize;

use crate::catalog::statistics::{Counts, Figures};
use crate::image::{Digest, Platform};

/// One row of the list of repositories.
#[derive(Debug, Clone, Serialize)]
pub struct RepositoryRow {
    /// Name that the repository is published under.
    pub name: String,
    /// Second name that it is published under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Where it is mirrored from; none for images that came from a file.
    pub upstream: Option<String>,
    /// Upstream gives it only to those who log in.
    pub private: bool,
    /// It is part of the tree: what is published next has it, whether or not anything was published yet.
    pub published: bool,
    /// Tags, and manifests pinned by digest.
    pub images: u64,
    /// How many of them upstream had otherwise when it was asked last.
    pub outdated: u64,
    /// How many of them upstream did not have any more.
    pub gone: u64,
    /// When an image of it was added last, in seconds since 1970; RFC 3339 in JSON.
    #[serde(serialize_with = "as_time")]
    pub added: Option<i64>,
    /// Dedup figures in bytes.
    #[serde(flatten)]
    pub figures: Figures,
}

#[expect(clippy::ref_option, reason = "serde gives a reference to the field")]
fn as_time<S: serde::Serializer>(at: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    at.and_then(|at| jiff::Timestamp::from_second(at).ok()).map(|at| at.to_string()).serialize(serializer)
}

/// One row of a repository's list of images.
#[derive(Debug, Clone, Serialize)]
pub struct ImageRow {
    /// Published name of the repository.
    pub name: String,
    /// Tag; none if the image is pinned by digest.
    pub tag: Option<String>,
    /// Digest of its top manifest.
    pub digest: Digest,
    /// CID of its top manifest as a file.
    pub cid: String,
    /// Platforms that are here.
    pub platforms: Vec<String>,
    /// Bytes of everything it consists of.
    pub logical: u64,
    /// When it was added (RFC 3339).
    pub added: String,
    /// The manifest that it is attached to, if it came along with another image: a signature, an SBOM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attached_to: Option<Digest>,
    /// What upstream had when it was asked last, if that was something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outdated: Option<Digest>,
    /// Since when upstream does not have it any more (RFC 3339), as far as it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone: Option<String>,
}

impl ImageRow {
    /// What it is called in its repository: its tag, or `@` and its digest.
    pub fn shown(&self) -> String {
        self.tag.clone().unwrap_or_else(|| format!("@{}", self.digest))
    }
}

/// Everything about one image.
#[derive(Debug, Clone, Serialize)]
pub struct ImageDetails {
    /// The image as the list of images shows it.
    #[serde(flatten)]
    pub row: ImageRow,
    /// Where it is mirrored from, in full.
    pub upstream: Option<String>,
    /// Upstream gives it only to those who log in.
    pub private: bool,
    /// It is part of the tree: what is published next has it, whether or not anything was published yet.
    pub published: bool,
    /// Media type of its top manifest.
    pub media_type: String,
    /// Platforms that are mirrored when it is updated.
    pub selection: String,
    /// Dedup figures in bytes, attached images included.
    pub figures: Figures,
    /// Every manifest of it that is here, the top one first.
    pub manifests: Vec<ManifestDetails>,
    /// Signatures, attestations, SBOMs and other things attached to it.
    pub attached: Vec<AttachedDetails>,
    /// What upstream has of it and this catalog has not.
    pub left_out: Vec<crate::engine::plan::LeftOut>,
    /// What it is in the gateway view.
    pub gateway: Vec<GatewayDetails>,
}

impl ImageDetails {
    /// Leaves out what is not of this platform; `false` if nothing is.
    pub fn keep_platform(&mut self, platform: &Platform) -> bool {
        let is_it = |of: &str| of.parse().is_ok_and(|of| platform.means(&of));
        let of_manifest = |manifest: &ManifestDetails| manifest.platform.as_deref().is_some_and(is_it);
        let kept: Vec<Digest> = self.manifests.iter().filter(|row| of_manifest(row)).map(|row| row.digest).collect();
        self.manifests.retain(|row| kept.contains(&row.digest) || row.attests.is_some_and(|of| kept.contains(&of)));
        self.attached.retain(|row| kept.contains(&row.subject) || row.subject == self.row.digest);
        self.gateway.retain(|row| is_it(&row.platform));
        self.row.platforms.retain(|of| is_it(of));
        self.left_out.clear();
        !kept.is_empty()
    }
}

/// A manifest of an image.
#[derive(Debug, Clone, Serialize)]
pub struct ManifestDetails {
    /// Digest of the manifest's bytes.
    pub digest: Digest,
    /// CID of the manifest as a file.
    pub cid: String,
    /// Media type of the manifest.
    pub media_type: String,
    /// Size of the manifest itself in bytes.
    pub size: u64,
    /// Platform as `os/architecture[/variant]`; none for an index or an artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The manifest it attests, if it is an attestation inside an index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attests: Option<Digest>,
    /// Configuration of the image; none for an index or an artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<ConfigDetails>,
    /// Layers of the image, base first; none for an index.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerDetails>,
}

/// What an image's configuration says. Untrusted text, made printable.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ConfigDetails {
    /// Digest of the configuration.
    pub digest: String,
    /// CID of the configuration as a file.
    pub cid: String,
    /// When the image was made, as it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// `Entrypoint` of the configuration, word by word.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// `Cmd` of the configuration, word by word.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// `Env` of the configuration, each as `NAME=VALUE`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<String>,
    /// `WorkingDir` of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<String>,
    /// `User` of the configuration, as `USER[:GROUP]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// `ExposedPorts` of the configuration, as `8080/tcp`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<String>,
    /// `Labels` of the configuration, by name.
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub labels: std::collections::BTreeMap<String, String>,
    /// What each step of the build did, base first.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_commands")]
    pub history: Vec<Step>,
}

/// A step of a build, as the configuration's history has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Command of the step; empty where the history has none.
    pub command: String,
    /// It changed no file, so no layer came of it.
    pub empty: bool,
}

fn as_commands<S: serde::Serializer>(steps: &[Step], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(steps.iter().map(|step| &step.command))
}

impl ConfigDetails {
    /// Whether the history has a step for each of so many layers: then they belong together in their order (OCI image spec,
    /// config.md, `history`).
    pub fn explains(&self, layers: usize) -> bool {
        layers > 0 && self.history.iter().filter(|step| !step.empty).count() == layers
    }
}

/// A layer of an image, or a blob of another artifact.
#[derive(Debug, Clone, Serialize)]
pub struct LayerDetails {
    /// Digest of the layer as it is transferred.
    pub digest: Digest,
    /// CID of the layer as a file; none if it is left out.
    pub cid: Option<String>,
    /// Media type, as the manifest gives it.
    pub media_type: String,
    /// Size in bytes.
    pub size: u64,
    /// Command of the build that made it; none where the history does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Other images that have it, the first few.
    pub shared_with: Vec<String>,
    /// How many other images have it.
    pub shared_by: u64,
}

/// Something attached to an image.
#[derive(Debug, Clone, Serialize)]
pub struct AttachedDetails {
    /// The manifest it belongs to.
    pub subject: Digest,
    /// Tag, if it is attached by tag.
    pub tag: Option<String>,
    /// Digest of the attached manifest.
    pub digest: Digest,
    /// CID of the attached manifest as a file.
    pub cid: String,
    /// Type of the artifact.
    pub artifact_type: Option<String>,
    /// Bytes of everything it consists of.
    pub logical: u64,
}

/// What an image is in the gateway view, for one platform.
#[derive(Debug, Clone, Serialize)]
pub struct GatewayDetails {
    /// Platform as `os/architecture[/variant]`.
    pub platform: String,
    /// Tag that it has in the gateway view.
    pub tag: Option<String>,
    /// The digest it has there.
    pub digest: Option<Digest>,
    /// Why it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

/// The whole registry in figures.
#[derive(Debug, Clone, Serialize)]
pub struct Statistics {
    /// Numbers of repositories, images and blobs.
    #[serde(flatten)]
    pub counts: Counts,
    /// Bytes of every image in full.
    pub logical: u64,
    /// Bytes that are stored once.
    pub stored: u64,
    /// Bytes saved by sharing: logical less stored.
    pub saved: u64,
    /// Repositories by their unique bytes, most first.
    pub repositories: Vec<RepositoryRow>,
    /// The blobs that save most by being shared.
    pub most_shared: Vec<SharedRow>,
}

/// A blob that several images have.
#[derive(Debug, Clone, Serialize)]
pub struct SharedRow {
    /// Digest of the shared blob.
    pub digest: Digest,
    /// Size of the blob in bytes, counted once.
    pub size: u64,
    /// Number of images that have it.
    pub images: u64,
    /// The first few of them.
    pub of: Vec<String>,
}

/// Whether an image is what upstream has.
#[derive(Debug, Clone, Serialize)]
pub struct Currency {
    /// `name:tag`.
    pub image: String,
    /// Registry and repository that were asked.
    pub upstream: String,
    /// Digest that the catalog has.
    pub digest: Digest,
    /// Answer of upstream, compared with that digest.
    #[serde(flatten)]
    pub state: UpstreamState,
}

/// State of an image compared with its upstream.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum UpstreamState {
    /// Upstream has the same digest.
    Current,
    /// Upstream's tag has moved.
    Outdated {
        /// Digest that upstream has under the tag now.
        upstream_digest: Digest,
    },
    /// Upstream no longer has it.
    Gone,
    /// Upstream could not be asked.
    Unknown {
        /// Text of the error.
        reason: String,
        /// The kind of failure.
        #[serde(skip)]
        kind: crate::error::Kind,
    },
}

/// Result of `verify` over everything that is stored.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Verified {
    /// What is damaged was to be fetched again.
    #[serde(skip)]
    pub repair: bool,
    /// What images consist of: layers, configurations, manifests, each once, as `stats` counts them.
    pub blobs: u64,
    /// What else was read: generated pages, lists and manifests, and what only published roots that are kept need.
    pub others: u64,
    /// Bytes of all of it.
    pub bytes: u64,
    /// Blobs that a lazy restore left elsewhere until they are needed: nothing of them is here to be read.
    pub left: u64,
    /// What was found to be wrong, in words.
    pub damaged: Vec<Damage>,
    /// Which of that was repaired.
    pub repaired: Vec<Digest>,
    /// Whether the tree recomputed from nothing has the recorded root.
    pub root_matches: bool,
    /// Published roots, besides that one, that are kept and were checked too.
    pub published_roots: u64,
    /// What they need and the catalog does not have, by CID.
    pub missing: Vec<String>,
}

/// Something that is not what the catalog says.
#[derive(Debug, Clone, Serialize)]
pub struct Damage {
    /// Digest that the catalog has for the blob.
    pub digest: Digest,
    /// What is wrong with it.
    pub problem: String,
    /// Images that need it, the first few.
    pub images: Vec<String>,
}
