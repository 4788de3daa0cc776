//! What the pages for people are made from: plain values that somebody else looked up.
//!
//! CIDs are strings here, since nothing in this room computes one.

use super::paths;
use crate::image::{Digest, RepositoryName, Tag};

/// One repository as the list of repositories shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexRow {
    /// The name it is published under.
    pub name: RepositoryName,
    /// Second name it is published under, if it has one.
    pub alias: Option<RepositoryName>,
    /// Number of tags, not of digests.
    pub tags: u64,
    /// The platforms of its images; untrusted text, sorted, each once.
    pub platforms: Vec<String>,
    /// The registry it is mirrored from; `None` if it came from files.
    pub registry: Option<String>,
    /// Its newest tag.
    pub newest: Option<Tag>,
    /// Bytes of its blobs, each counted once.
    pub size: u64,
    /// What its newest image says of itself; untrusted text.
    pub description: Option<String>,
}

/// All repositories together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// How many there are.
    pub repositories: u64,
    /// Their tags.
    pub tags: u64,
    /// Their bytes; what several share is counted for each.
    pub size: u64,
}

/// A repository as its own page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryRow {
    /// The name it is published under.
    pub name: RepositoryName,
    /// Second name it is published under, if it has one.
    pub alias: Option<RepositoryName>,
    /// Where it is mirrored from, as in references; `None` if it came from files.
    pub upstream: Option<String>,
    /// Whether its upstream asks for a login.
    pub private: bool,
    /// Number of tags, not of digests.
    pub tags: u64,
    /// Its newest tag.
    pub newest: Option<Tag>,
    /// What its newest image says of itself; untrusted text.
    pub description: Option<String>,
    /// The tag in the commands to pull: `latest` if there is one, else the newest.
    pub example: Option<Tag>,
}

/// One image or artifact of a repository: a tag, or a digest that was asked for without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagRow {
    /// The tag; `None` if it has only its digest.
    pub tag: Option<Tag>,
    /// The digest of its manifest or index.
    pub digest: Digest,
    /// The type of its manifest.
    pub media_type: String,
    /// CID of the manifest's file in the native view.
    pub cid: String,
    /// What it is, if it is no container image: the artifact's type; untrusted text.
    pub artifact_type: Option<String>,
    /// The day on which it was made, as `2024-11-26`, if that is known.
    pub created: Option<String>,
    /// Other tags of the same digest, in the order of pages.
    pub same: Vec<String>,
    /// How many more of them there are.
    pub more_same: usize,
    /// Platforms that are mirrored, in the order of the index; one for an image without index.
    pub platforms: Vec<PlatformRow>,
    /// Platforms of its index that are not mirrored; untrusted text.
    pub left_out: Vec<String>,
    /// Signatures, attestations and whatever else is about it, sorted by digest.
    pub referrers: Vec<ReferrerRow>,
}

/// One platform of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformRow {
    /// Platform as `os/architecture[/variant]`; untrusted text.
    pub platform: String,
    /// The digest of its manifest.
    pub digest: Digest,
    /// CID of that manifest's file in the native view.
    pub cid: String,
    /// Bytes of its configuration and layers, as they are transferred.
    pub size: u64,
    /// Its configuration.
    pub configuration: Option<LayerRow>,
    /// Its layers, base first.
    pub layers: Vec<LayerRow>,
    /// Whether IPFS gateways have it.
    pub gateway: Gateway,
}

/// A blob of a platform: a layer, or the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerRow {
    /// Its digest.
    pub digest: Digest,
    /// Its bytes, as they are transferred.
    pub size: u64,
}

/// Whether a platform is in the gateway view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gateway {
    /// Gateways have it under this tag.
    Tag(Tag),
    /// Not, and why: a fragment for people (`schema1::Unsayable` says it).
    Absent(String),
}

/// A signature, an attestation, or another artifact about an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferrerRow {
    /// What it is: an artifact type or words for a companion tag; untrusted text.
    pub kind: String,
    /// The digest of its manifest.
    pub digest: Digest,
    /// CID of that manifest's file in the native view.
    pub cid: String,
    /// The tag it has of its own, as cosign's signatures do.
    pub tag: Option<Tag>,
}

/// A list that fits one page, or the pages it is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing<'a, Row> {
    /// All rows, sorted by name.
    Rows(&'a [Row]),
    /// The pages, in their order.
    Pages(&'a [PageLink]),
}

/// One page of a list that does not fit one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageLink {
    /// Which page ([`super::paging::key`]).
    pub key: String,
    /// The first name on it.
    pub first: String,
    /// The last name on it.
    pub last: String,
    /// How many names are on it.
    pub count: u64,
}

/// The pages before and after one, by their keys ([`super::paging::key`]).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Neighbours {
    /// The page with newer tags.
    pub newer: Option<String>,
    /// The page with older tags.
    pub older: Option<String>,
}

impl TagRow {
    /// What it is sorted and paged by: the tag, or the digest as text.
    pub fn name(&self) -> String {
        self.tag.as_ref().map_or_else(|| self.digest.to_string(), |tag| tag.as_str().to_owned())
    }

    /// How many rows it needs on a page.
    pub fn rows(&self) -> usize {
        rows(self.platforms.len(), self.referrers.len())
    }
}

/// How many rows a tag with so many mirrored platforms and referrers needs on a page, for [`super::paging`].
pub fn rows(platforms: usize, referrers: usize) -> usize {
    1 + platforms + referrers
}

impl IndexRow {
    /// From a page `depth` directories below the root to the page of this repository.
    pub(super) fn href(&self, depth: usize) -> String {
        format!("{}{}", "../".repeat(depth), paths::repository_page(&self.name))
    }
}
