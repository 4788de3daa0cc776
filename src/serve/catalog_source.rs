//! A content source over a catalog: what the engine gives out, with private repositories or without.

use std::sync::Arc;

use bytes::Bytes;
use cid::Cid;

use super::{BlobAnswer, BlobContent, ContentSource, ManifestAnswer, RepositoryPage, TagPage};
use crate::engine::Engine;
use crate::engine::query::content::Blob;
use crate::error::Result;
use crate::image::{Descriptor, Digest, RepositoryName, Target};

/// A catalog to serve from.
#[derive(Debug)]
pub struct CatalogSource {
    engine: Arc<Engine>,
    private: bool,
}

impl CatalogSource {
    /// With `private`, repositories that may not be published are given out too: on loopback, or behind a password.
    pub fn new(engine: Arc<Engine>, private: bool) -> Self {
        Self { engine, private }
    }
}

impl ContentSource for CatalogSource {
    fn generation(&self) -> Result<u64> {
        self.engine.generation()
    }

    fn manifest(&self, name: &RepositoryName, target: &Target) -> Result<Option<ManifestAnswer>> {
        let found = self.engine.served_manifest(name, target, self.private)?;
        Ok(found.map(|found| ManifestAnswer { bytes: found.bytes, media_type: found.media_type, digest: found.digest }))
    }

    fn missing_child(&self, name: &RepositoryName, digest: &Digest) -> Result<Option<String>> {
        self.engine.served_omission(name, digest, self.private)
    }

    fn blob(&self, name: &RepositoryName, digest: &Digest) -> Result<Option<BlobAnswer>> {
        Ok(self.engine.served_blob(name, digest, self.private)?.map(|blob| match blob {
            Blob::File(file, size) => BlobAnswer { size, content: BlobContent::File(Arc::new(file)) },
            Blob::Pending(pending, size) => BlobAnswer { size, content: BlobContent::Pending(pending) },
            Blob::Bytes(bytes) => BlobAnswer { size: bytes.len() as u64, content: BlobContent::Bytes(bytes) },
        }))
    }

    fn tags(&self, name: &RepositoryName, after: Option<&str>, limit: Option<usize>) -> Result<Option<TagPage>> {
        let found = self.engine.served_tags(name, after, limit.map(|limit| limit as u64), self.private)?;
        Ok(found.map(|(name, mut tags)| {
            let more = limit.is_some_and(|limit| tags.len() > limit);
            tags.truncate(limit.unwrap_or(usize::MAX));
            TagPage { name, tags, more }
        }))
    }

    fn repositories(&self, after: Option<&str>, limit: Option<usize>) -> Result<RepositoryPage> {
        let mut names = self.engine.served_repositories(after, limit.map(|limit| limit as u64), self.private)?;
        let more = limit.is_some_and(|limit| names.len() > limit);
        names.truncate(limit.unwrap_or(usize::MAX));
        Ok(RepositoryPage { names, more })
    }

    fn referrers(&self, name: &RepositoryName, subject: &Digest) -> Result<Option<Vec<Descriptor>>> {
        self.engine.served_referrers(name, subject, self.private)
    }

    fn page(&self, path: &str) -> Result<Option<Bytes>> {
        self.engine.served_page(path)
    }

    fn root(&self) -> Result<Option<Cid>> {
        self.engine.root()
    }
}
