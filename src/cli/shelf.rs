//! What the server gives out: the engine's answers in the server's words.

use std::sync::Arc;

use bytes::Bytes;

use crate::engine::Engine;
use crate::engine::shelf::Blob;
use crate::error::Result;
use crate::image::{Descriptor, Digest, RepositoryName, Target};
use crate::serve::{BlobAnswer, BlobContent, ManifestAnswer, RepositoryPage, Shelf, TagPage};

/// The catalog as a shelf.
pub(super) struct CatalogShelf {
    /// Answers.
    pub(super) engine: Arc<Engine>,
    /// Private repositories that were not allowed are given out too.
    pub(super) private: bool,
}

impl Shelf for CatalogShelf {
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
        Ok(self.engine.served_blob(name, digest, self.private)?.map(|found| match found {
            Blob::File(path, size) => BlobAnswer { size, content: BlobContent::File(path) },
            Blob::Bytes(bytes) => BlobAnswer { size: bytes.len() as u64, content: BlobContent::Bytes(bytes) },
        }))
    }

    fn tags(&self, name: &RepositoryName, after: Option<&str>, limit: Option<usize>) -> Result<Option<TagPage>> {
        let found = self.engine.served_tags(name, after, wide(limit), self.private)?;
        Ok(found.map(|(name, mut tags)| {
            let more = cut(&mut tags, limit);
            TagPage { name, tags, more }
        }))
    }

    fn repositories(&self, after: Option<&str>, limit: Option<usize>) -> Result<RepositoryPage> {
        let mut names = self.engine.served_repositories(after, wide(limit), self.private)?;
        let more = cut(&mut names, limit);
        Ok(RepositoryPage { names, more })
    }

    fn referrers(&self, name: &RepositoryName, subject: &Digest) -> Result<Option<Vec<Descriptor>>> {
        self.engine.served_referrers(name, subject, self.private)
    }

    fn page(&self, path: &str) -> Result<Option<Bytes>> {
        self.engine.served_page(path)
    }
}

fn wide(limit: Option<usize>) -> Option<u64> {
    limit.map(|limit| limit as u64)
}

/// The engine gives one more than was asked for if there are more: takes it off, and says whether there was one.
fn cut(entries: &mut Vec<String>, limit: Option<usize>) -> bool {
    let more = limit.is_some_and(|limit| entries.len() > limit);
    if let Some(limit) = limit {
        entries.truncate(limit);
    }
    more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_than_asked_for_means_more() {
        let cut_to = |limit| {
            let mut entries = vec!["a".to_owned(), "b".to_owned()];
            (cut(&mut entries, limit), entries.len())
        };
        assert_eq!(cut_to(Some(1)), (true, 1));
        assert_eq!(cut_to(Some(2)), (false, 2));
        assert_eq!(cut_to(Some(0)), (true, 0));
        assert_eq!(cut_to(None), (false, 2));
    }
}
