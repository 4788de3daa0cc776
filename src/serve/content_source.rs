//! What the server gives out, as a trait that the catalog's side implements.
//!
//! Knows the questions a puller asks. Must not know HTTP, nor where the answers are kept.

use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use cid::Cid;

use crate::engine::PendingBlob;
use crate::error::Result;
use crate::image::{Descriptor, Digest, RepositoryName, Target};

/// Where answers come from.
///
/// Every method may block for microseconds to milliseconds (a database, a small file), never for a network or for as long as a
/// large file takes: the server calls them off its own threads, a few at a time, and only for what it does not hold in memory.
/// A repository that the server must not give out does not exist here.
pub trait ContentSource: Send + Sync + 'static {
    /// A number that changes whenever anything that the other methods answer has changed, by whichever process.
    ///
    /// Asked often; must be cheap.
    fn generation(&self) -> Result<u64>;

    /// The manifest of this name (an alias is one too), if both are there.
    fn manifest(&self, name: &RepositoryName, target: &Target) -> Result<Option<ManifestAnswer>>;

    /// For a digest that an index here refers to and that was left out: words that say what it is and how to get it.
    fn missing_child(&self, name: &RepositoryName, digest: &Digest) -> Result<Option<String>>;

    /// The blob, if this repository has it.
    fn blob(&self, name: &RepositoryName, digest: &Digest) -> Result<Option<BlobAnswer>>;

    /// Tags in the order of their bytes, those after `after`, at most `limit` (which may be 0); nothing for an unknown repository.
    fn tags(&self, name: &RepositoryName, after: Option<&str>, limit: Option<usize>) -> Result<Option<TagPage>>;

    /// Names of repositories in the order of their bytes, those after `after`, at most `limit` (which may be 0).
    fn repositories(&self, after: Option<&str>, limit: Option<usize>) -> Result<RepositoryPage>;

    /// Manifests whose `subject` this digest is; nothing for an unknown repository.
    fn referrers(&self, name: &RepositoryName, subject: &Digest) -> Result<Option<Vec<Descriptor>>>;

    /// A file of the published page, by its path below the root (`index.html`, `catalog.json`).
    fn page(&self, path: &str) -> Result<Option<Bytes>>;

    /// The CID of the published page's tree.
    fn root(&self) -> Result<Option<Cid>>;
}

/// A manifest with the type that it must be given out as.
#[derive(Debug, Clone)]
pub struct ManifestAnswer {
    /// The upstream's own bytes.
    pub bytes: Bytes,
    /// Media type, without parameters.
    pub media_type: String,
    /// Digest of the bytes.
    pub digest: Digest,
}

/// A blob's size, and where its bytes are.
#[derive(Debug, Clone)]
pub struct BlobAnswer {
    /// Size of the blob in bytes.
    pub size: u64,
    /// Where the blob can be read.
    pub content: BlobContent,
}

/// Where a blob's bytes are.
#[derive(Debug, Clone)]
pub enum BlobContent {
    /// The whole of this file, which has the blob's size and is known to be right.
    File(Arc<File>),
    /// To be fetched or verified first, if anybody wants its bytes.
    Pending(PendingBlob),
    /// Here; only for small ones.
    Bytes(Bytes),
}

/// Some tags of one repository.
#[derive(Debug, Clone)]
pub struct TagPage {
    /// The repository's canonical name.
    pub name: RepositoryName,
    /// Tags in byte order, at most as many as were asked for.
    pub tags: Vec<String>,
    /// Whether the repository has more tags after these.
    pub more: bool,
}

/// Some names of repositories.
#[derive(Debug, Clone)]
pub struct RepositoryPage {
    /// Names in byte order, at most as many as were asked for.
    pub names: Vec<String>,
    /// Whether there are more names after these.
    pub more: bool,
}
