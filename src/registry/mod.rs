//! Upstreams: where images come from, behind one trait.
//!
//! Knows HTTP, registry authentication, retries, OCI layouts on disk, and the pure room `image`. Must not know the blob
//! store, the catalog, or what is done with the bytes: whoever asks for a blob checks its digest.
//!
//! * [`Registries`] opens a registry by its name; [`LocalSource`] an OCI layout on this machine.
//! * [`Observer`] hears of waits, retries and quotas while they happen.
//! * [`memory::MemoryRegistry`] is a registry inside this process, for demonstrations and tests.

mod authorities;
mod authorization;
mod blob;
mod challenge;
pub mod credentials;
mod document;
mod endpoint;
mod failure;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod layout;
mod listing;
pub mod memory;
mod observer;
mod options;
mod pace;
mod plain_http;
mod reach;
mod registries;
mod retry;
mod safe_url;
#[cfg(test)]
mod tests;
mod transfer;
mod upstream;

use std::collections::BTreeSet;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;
use crate::image::{Descriptor, Digest, RepositoryName, Tag, Target};

pub use blob::{BlobBody, BlobStream};
pub use layout::{Layout, LayoutKind, LocalSource};
pub use observer::{Observer, Quota, Silent};
pub use options::{MIN_BYTES_PER_SECOND, Options, RegistrySettings, Timeouts};
pub use pace::Pace;
pub use plain_http::is_on_this_machine;
pub use reach::Reached;
pub use registries::Registries;
pub use retry::{RetryPolicy, without_waiting_for_quotas};
pub use safe_url::SafeUrl;

/// Largest manifest that is read: the distribution spec asks registries to take 4 MiB at least, and none sends more.
pub const MAX_MANIFEST_BYTES: usize = 4 << 20;

/// How much of a list is wanted: who sends it decides how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// All of it; a list that is too long is an error.
    All,
    /// The beginning, to choose from: what comes later is not asked for.
    Beginning,
}

impl Wanted {
    /// Bytes of the list's pages together.
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::All => 64 << 20,
            Self::Beginning => 1 << 20,
        }
    }

    /// Entries after which no further page is asked for.
    pub(crate) const fn entries(self) -> usize {
        match self {
            Self::All => usize::MAX,
            Self::Beginning => 2_000,
        }
    }
}

/// Something that holds images and gives them out: a registry, or a layout on disk.
#[async_trait]
pub trait Registry: Send + Sync {
    /// What the registry says of a manifest without sending it. Costs nothing of Docker Hub's quota.
    async fn head(&self, repository: &RepositoryName, target: &Target) -> Result<Head>;

    /// A manifest, byte for byte; at most [`MAX_MANIFEST_BYTES`] bytes, and with the digest that was asked for and announced.
    async fn manifest(&self, repository: &RepositoryName, target: &Target) -> Result<Fetched>;

    /// A blob of `size` bytes as one stream from offset `from` on. Its digest is for the caller to check.
    async fn blob(&self, repository: &RepositoryName, digest: &Digest, size: u64, from: u64) -> Result<BlobBody>;

    /// The tags of a repository, sorted, as many as are wanted. Names that the OCI grammar does not allow are left out.
    async fn tags(&self, repository: &RepositoryName, wanted: Wanted) -> Result<Vec<Tag>>;

    /// The manifests that are about `subject` (distribution spec, "Listing Referrers"), by the API or by the fallback tag.
    /// `tags` are those that the repository has, where that is known: a fallback tag that is not among them is not asked for.
    async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        tags: Option<&BTreeSet<Tag>>,
    ) -> Result<Vec<Descriptor>>;

    /// Whether it is asked over plain HTTP, as far as it has turned out. Asks nothing.
    fn is_plain_http(&self) -> bool {
        false
    }

    /// Whether someone without credentials is refused this image.
    async fn is_private(&self, repository: &RepositoryName, target: &Target) -> Result<bool>;
}

/// What a registry says of a manifest in the headers of an answer; nothing of it is verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// Digest that the registry announces; without one the caller has to fetch the manifest.
    pub digest: Option<Digest>,
    /// Value of `Content-Type` in the answer.
    pub media_type: Option<String>,
    /// Value of `Content-Length` in the answer, in bytes.
    pub size: Option<u64>,
}

/// A manifest as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Bytes exactly as the registry sent them.
    pub bytes: Bytes,
    /// SHA-256 of the bytes, computed here.
    pub digest: Digest,
    /// Value of `Content-Type` in the answer.
    pub content_type: Option<String>,
}
