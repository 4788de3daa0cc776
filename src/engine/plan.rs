//! Plans: what a change will do, as values that both faces show before exactly they are run.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use crate::catalog::follows::Follows;
use crate::catalog::repositories::Transport;
use crate::error::Error;
use crate::image::{Digest, RepositoryName, Selection, Tag, Upstream};
use crate::registry::Registry;
use crate::text::count;

/// What is to be added or brought up to date.
#[derive(Debug, Default)]
pub struct AddPlan {
    /// The images, in the order they were asked for.
    pub images: Vec<PlannedImage>,
    /// What can't be planned, and why; the rest goes on.
    pub failed: Vec<FailedRequest>,
    /// Images that were to be brought up to date and that upstream does not have any more: they stay as they are.
    pub gone: Vec<String>,
    /// The blobs to fetch, each once.
    pub fetch: Vec<PlannedBlob>,
    /// Bytes of the blobs to fetch.
    pub new_bytes: u64,
    /// Bytes that the images need and that are here already.
    pub known_bytes: u64,
    /// Manifests that were fetched of each registry to make the plan: what it takes of a quota, since running it fetches only
    /// layers and configurations, which no registry counts.
    pub pulls: BTreeMap<String, u64>,
    /// As [`AddRequest::rule`](super::request::AddRequest::rule).
    pub rule: Option<String>,
}

/// One image of a plan.
#[derive(Debug, Clone)]
pub struct PlannedImage {
    /// Reference as it was asked for.
    pub request: String,
    /// Published name of its repository.
    pub name: RepositoryName,
    /// Second name that it is published under.
    pub alias: Option<RepositoryName>,
    /// Registry and repository it is mirrored from; none for a file or directory.
    pub upstream: Option<Upstream>,
    /// Tag; none if the image is pinned by digest.
    pub tag: Option<Tag>,
    /// What it follows upstream.
    pub(super) follows: Follows,
    /// Digest of its top manifest.
    pub digest: Digest,
    /// What the plan does to it.
    pub change: Change,
    /// Where it is [`Change::Extended`]: what changes about it, in words.
    pub changes: Vec<String>,
    /// Platforms that were chosen to be mirrored.
    pub selection: Selection,
    /// Whether manifests of the other platforms are kept too.
    pub all_manifests: bool,
    /// The platforms that will be here.
    pub platforms: Vec<String>,
    /// Upstream gives it only to those who log in.
    pub private: bool,
    /// It was published although it is private, and stays so: it comes back from there.
    pub(super) allowed: bool,
    /// Plain HTTP is what was chosen for its registry.
    pub insecure: bool,
    /// The registry is asked over plain HTTP, by choice or by configuration: what is sent there can be read on the way.
    pub plain_http: bool,
    /// What is recorded of how its upstream is asked.
    pub(super) transport: Transport,
    /// Bytes of everything it consists of.
    pub logical: u64,
    /// Bytes of it that must be fetched.
    pub new_bytes: u64,
    /// What upstream has of it and the catalog will not have.
    pub left_out: Vec<LeftOut>,
    /// Fetched already when the plan was made.
    pub(super) manifests: Vec<Arc<PlannedManifest>>,
    pub(super) blobs: Vec<WantedBlob>,
    /// Configurations that were read for the plan already, so that they need not be fetched again.
    pub(super) read: HashMap<Digest, Bytes>,
    /// Signatures, SBOMs and the like that come along.
    pub attached: Vec<AttachedImage>,
    /// What the catalog must still say when the plan is applied: the digest and the choice under this tag.
    pub(super) expected: Option<Expected>,
}

/// What comes along with an image.
#[derive(Debug, Clone)]
pub struct AttachedImage {
    /// The manifest it belongs to.
    pub subject: Digest,
    /// Tag, if it is attached by tag (`sha256-….sig`).
    pub tag: Option<Tag>,
    /// Digest of the attached manifest.
    pub digest: Digest,
    /// Type of the artifact, if the manifest says it.
    pub artifact_type: Option<String>,
    pub(super) manifests: Vec<Arc<PlannedManifest>>,
    pub(super) blobs: Vec<WantedBlob>,
    /// Configurations that were read for the plan already.
    pub(super) read: HashMap<Digest, Bytes>,
}

/// What a plan does to an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Change {
    /// The catalog has no such image yet.
    Added,
    /// The tag gets another digest.
    Moved {
        /// The digest it had.
        from: Digest,
    },
    /// More of it will be here: platforms, manifests, signatures.
    Extended,
    /// The catalog has it already, exactly so.
    Unchanged,
}

/// Something that is left out by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Digest of the manifest that is left out.
    pub digest: Digest,
    /// The platform it is for, if it is a child of an index.
    pub platform: Option<String>,
    /// Reason, for people and for the catalog.
    pub reason: LeftOutReason,
}

/// Why something is left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOutReason {
    /// The choice of platforms does not have its platform.
    NotChosen,
    /// It attests a platform that was not chosen.
    AttestsNotChosen,
    /// Anything else, in words.
    Other(String),
}

impl LeftOutReason {
    /// The reason that the catalog has this text of.
    pub fn recorded(text: String) -> Self {
        match [Self::NotChosen, Self::AttestsNotChosen].into_iter().find(|reason| reason.text() == text) {
            Some(reason) => reason,
            None => Self::Other(text),
        }
    }

    /// As it is recorded and shown.
    pub fn text(&self) -> &str {
        match self {
            Self::NotChosen => "not chosen",
            Self::AttestsNotChosen => "an attestation of a platform that is not chosen",
            Self::Other(words) => words,
        }
    }

    /// Whether it follows from the choice of platforms alone.
    pub fn is_choice(&self) -> bool {
        matches!(self, Self::NotChosen | Self::AttestsNotChosen)
    }
}

impl std::fmt::Display for LeftOutReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text())
    }
}

impl Serialize for LeftOutReason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

/// A request that can't be planned.
#[derive(Debug)]
pub struct FailedRequest {
    /// Reference as it was asked for.
    pub request: String,
    /// The error that prevents it.
    pub error: Error,
}

impl FailedRequest {
    /// The same once more, without what caused it.
    #[must_use]
    pub fn again(&self) -> Self {
        Self { request: self.request.clone(), error: self.error.again() }
    }

    /// What failed and why, the request named once.
    pub fn words(&self) -> String {
        let text = self.error.to_string();
        if text.contains(&self.request) { text } else { format!("{}: {text}", self.request) }
    }

    /// The failure itself, the request named in it.
    pub fn into_error(self) -> Error {
        if self.error.to_string().contains(&self.request) { self.error } else { self.error.context(self.request) }
    }
}

/// A blob to fetch.
#[derive(Clone)]
pub struct PlannedBlob {
    /// Digest that the fetched bytes must have.
    pub digest: Digest,
    /// Size in bytes that the descriptor announces.
    pub size: u64,
    /// The first image that wants it.
    pub image: String,
    /// It is fetched although it is here: only private repositories have it, and this image would publish it.
    pub(super) anew: bool,
    /// Where it is asked for.
    pub(super) registry: Arc<dyn Registry>,
    pub(super) repository: RepositoryName,
    /// Bytes that were read for the plan already.
    pub(super) bytes: Option<Bytes>,
}

impl fmt::Debug for PlannedBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlannedBlob").field("digest", &self.digest).field("size", &self.size).finish_non_exhaustive()
    }
}

/// A manifest with the bytes that upstream sent.
#[derive(Debug)]
pub struct PlannedManifest {
    pub(super) digest: Digest,
    pub(super) bytes: Bytes,
    pub(super) manifest: crate::image::Manifest,
}

/// A blob that an image needs, whether it is here or not.
#[derive(Debug, Clone)]
pub(super) struct WantedBlob {
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) role: crate::catalog::images::Role,
}

/// What the catalog says of an image when a plan is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) digest: Digest,
    pub(super) selection: Selection,
    pub(super) all_manifests: bool,
}

impl AddPlan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.changing().next().is_none()
    }

    /// The images that it does something to.
    pub fn changing(&self) -> impl Iterator<Item = &PlannedImage> {
        self.images.iter().filter(|image| image.change != Change::Unchanged)
    }
}

/// How many images, and how many that only came along with them: told alike before and after, in every face.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImageCount {
    /// Images that were asked for.
    pub images: u64,
    /// Signatures, SBOMs and the like.
    pub attached: u64,
}

impl ImageCount {
    /// Of each it is said whether it is attached.
    pub fn of(attached: impl IntoIterator<Item = bool>) -> Self {
        let mut count = Self::default();
        for attached in attached {
            *if attached { &mut count.attached } else { &mut count.images } += 1;
        }
        count
    }

    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// `14 images (3 attached)`: the three are not among the fourteen.
impl fmt::Display for ImageCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.images, self.attached) {
            (images, 0) => f.write_str(&count(images, "image", "images")),
            (0, attached) => f.write_str(&count(attached, "attached image", "attached images")),
            (images, attached) => write!(f, "{} ({attached} attached)", count(images, "image", "images")),
        }
    }
}

impl RemovePlan {
    /// How many images it removes.
    pub fn count(&self) -> ImageCount {
        ImageCount::of(self.images.iter().map(|image| image.attached))
    }

    /// What it is about: the one image, or how many they are.
    pub fn summary(&self) -> String {
        let mut own = self.images.iter().filter(|image| !image.attached);
        match (own.next(), own.next(), self.count().attached) {
            (Some(one), None, 0) => one.image.clone(),
            (Some(one), None, attached) => format!("{} ({attached} attached)", one.image),
            (None, ..) if self.images.len() == 1 => self.images[0].image.clone(),
            _ => self.count().to_string(),
        }
    }
}

impl PlannedImage {
    /// The names it is published under.
    pub(super) fn names(&self) -> impl Iterator<Item = &RepositoryName> {
        std::iter::once(&self.name).chain(&self.alias)
    }

    /// What the catalog says of it once it is recorded.
    pub(super) fn as_expected(&self) -> Expected {
        Expected { digest: self.digest, selection: self.selection.clone(), all_manifests: self.all_manifests }
    }

    /// An image for tests of what shows plans: added from this reference, with these platforms, without those.
    #[cfg(test)]
    pub(crate) fn example(reference: &str, platforms: &[&str], without: &[&str]) -> Self {
        let parsed: crate::image::Reference = reference.parse().unwrap();
        let digest = Digest::of(reference.as_bytes());
        let left_out = |platform: &&str| LeftOut {
            digest: Digest::of(platform.as_bytes()),
            platform: Some((*platform).to_owned()),
            reason: LeftOutReason::NotChosen,
        };
        Self {
            request: parsed.to_string(),
            name: parsed.upstream.published_name().unwrap(),
            alias: None,
            tag: parsed.tag.clone(),
            upstream: Some(parsed.upstream),
            follows: Follows::Own,
            digest,
            change: Change::Added,
            changes: Vec::new(),
            selection: Selection::host(),
            all_manifests: false,
            platforms: platforms.iter().map(|platform| (*platform).to_owned()).collect(),
            private: false,
            allowed: false,
            insecure: false,
            plain_http: false,
            transport: Transport::chosen(false),
            logical: 12 << 20,
            new_bytes: 5 << 20,
            left_out: without.iter().map(left_out).collect(),
            manifests: Vec::new(),
            blobs: Vec::new(),
            read: HashMap::new(),
            attached: Vec::new(),
            expected: None,
        }
    }

    /// `name:tag` or `name@digest`.
    pub fn shown(&self) -> String {
        match &self.tag {
            Some(tag) => format!("{}:{tag}", self.name),
            None => format!("{}@{}", self.name, self.digest),
        }
    }
}

/// Result of an `AddPlan` that was applied.
#[derive(Debug, Default)]
pub struct Added {
    /// What was done: `add`, `update` …
    pub verb: String,
    /// `name:tag` or `name@digest` of what is in the catalog now.
    pub recorded: Vec<String>,
    /// What failed while it was applied, and why.
    pub failed: Vec<FailedRequest>,
    /// Images that upstream does not have any more, as [`AddPlan::gone`] says it.
    pub gone: Vec<String>,
    /// Bytes that came over the network.
    pub fetched: u64,
    /// Root of the tree after the last image was recorded; none if nothing was.
    pub root: Option<cid::Cid>,
}

/// Images to remove, and the bytes that this frees.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RemovePlan {
    /// The images to remove, with what is attached to them.
    pub images: Vec<RemovedImage>,
    /// Repositories that have no image left then.
    pub repositories: Vec<String>,
    /// Bytes that nothing needs any more then; `gc` reclaims them.
    pub frees: u64,
    /// Bytes that stay because other images share them.
    pub shared: u64,
    /// Those images, the first few by how much they share.
    pub shared_with: Vec<String>,
    /// Number of all images that share something.
    pub shared_by: u64,
    /// Bytes that stay because published roots that are kept need them.
    pub kept: u64,
    /// Those roots, the newest first.
    pub kept_by: Vec<String>,
}

/// One image of a [`RemovePlan`].
#[derive(Debug, Clone, Serialize)]
pub struct RemovedImage {
    /// `name:tag` or `name@digest`.
    pub image: String,
    /// Digest of the top manifest.
    pub digest: Digest,
    /// Bytes of everything it consists of.
    pub logical: u64,
    /// Whether it goes because what it came along with goes.
    pub attached: bool,
    #[serde(skip)]
    pub(super) id: i64,
}

#[cfg(test)]
impl RemovedImage {
    /// An image for tests of what shows plans.
    pub(crate) fn example(image: &str, attached: bool) -> Self {
        Self { image: image.to_owned(), digest: Digest::of(image.as_bytes()), logical: 41 << 20, attached, id: 0 }
    }
}

/// Repositories that may be published from now on, or no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowPlan {
    /// Those for which that is news.
    pub repositories: Vec<RepositoryName>,
    /// True to allow publishing, false to withdraw that.
    pub allowed: bool,
}

impl AllowPlan {
    /// Published names of these repositories, as text.
    pub fn names(&self) -> Vec<String> {
        self.repositories.iter().map(ToString::to_string).collect()
    }
}

/// Files and rows that `gc` removes, in numbers and bytes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct GcPlan {
    /// Blobs that nothing needs.
    pub blobs: Vec<UnneededBlob>,
    /// Bytes of these blobs.
    pub blob_bytes: u64,
    /// Files of interrupted transfers.
    pub partial_files: u64,
    /// Bytes of the files of interrupted transfers.
    pub partial_bytes: u64,
    /// Generated files and directory nodes that nothing needs.
    pub nodes: u64,
    /// Bytes of these files and nodes.
    pub node_bytes: u64,
    /// Published roots, besides the one that the catalog stands for, that keep what they need.
    pub kept_roots: u64,
    /// Bytes that only they need, and that stay.
    pub kept_bytes: u64,
    #[serde(skip)]
    pub(super) generation: u64,
}

/// A blob that nothing needs.
#[derive(Debug, Clone, Serialize)]
pub struct UnneededBlob {
    /// Digest that the blob is stored under.
    pub digest: Digest,
    /// Size of the file in bytes.
    pub size: u64,
}

impl GcPlan {
    /// Whether there is nothing to reclaim.
    pub fn is_empty(&self) -> bool {
        self.blobs.is_empty() && self.partial_files == 0 && self.nodes == 0
    }
}
