//! A published tree as the registry that it is: its native view holds every manifest and blob under its digest.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use bytes::Bytes;

use super::tree::Tree;
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::{Body, Descriptor, Digest, Manifest, RepositoryName, Tag, Target, media};
use crate::registry::{BlobBody, Fetched, Head, MAX_MANIFEST_BYTES, Registry, Wanted};
use crate::site::records::RepositoryRecord;
use crate::site::{lists, paths};

/// One repository of a published tree.
#[derive(Debug)]
pub(super) struct TreeRegistry {
    tree: Tree,
    private: bool,
    /// Only what changed since another root is there.
    partial: bool,
    /// The types of the manifests that the records name.
    types: HashMap<Digest, String>,
}

impl TreeRegistry {
    pub(super) fn new(tree: Tree, record: &RepositoryRecord, private: bool, partial: bool) -> Self {
        let mut types = HashMap::new();
        for tag in &record.tags {
            types.insert(tag.digest, tag.media_type.clone());
            types.extend(tag.companions.iter().map(|its| (its.digest, its.media_type.clone())));
            types.extend(tag.referrers.iter().map(|its| (its.digest, its.media_type.clone())));
        }
        Self { tree, private, partial, types }
    }

    fn missing(&self, what: &str) -> Error {
        Error::new(Kind::NotFound, format!("{what} is not in the tree at {}", self.tree.place()))
    }

    async fn read(&self, repository: &RepositoryName, target: &Target) -> Result<Option<Bytes>> {
        let path = format!("{}/{repository}/{}/{target}", paths::NATIVE, paths::MANIFESTS);
        self.tree.small(&path, MAX_MANIFEST_BYTES as u64).await
    }

    /// What a manifest is called where its own bytes may not say it.
    async fn type_of(&self, repository: &RepositoryName, digest: &Digest, bytes: &[u8]) -> Result<Option<String>> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Said {
            media_type: Option<serde::de::IgnoredAny>,
        }
        if let Some(known) = self.types.get(digest) {
            return Ok(Some(known.clone()));
        }
        if serde_json::from_slice::<Said>(bytes).is_ok_and(|said| said.media_type.is_some()) {
            return Ok(None);
        }
        for (media_type, slug) in media::MANIFEST_TYPES {
            let path = format!("{}/{repository}/{}/{digest}", paths::of_type(slug), paths::MANIFESTS);
            if self.tree.small(&path, MAX_MANIFEST_BYTES as u64).await?.is_some() {
                return Ok(Some(media_type.to_owned()));
            }
        }
        Ok(None)
    }
}

#[async_trait]
impl Registry for TreeRegistry {
    async fn head(&self, repository: &RepositoryName, target: &Target) -> Result<Head> {
        let bytes =
            self.read(repository, target).await?.ok_or_else(|| self.missing(&format!("{repository} {target}")))?;
        Ok(Head { digest: Some(Digest::of(&bytes)), media_type: None, size: Some(bytes.len() as u64) })
    }

    async fn manifest(&self, repository: &RepositoryName, target: &Target) -> Result<Fetched> {
        let what = || format!("{repository} {target}");
        let bytes = self.read(repository, target).await?.ok_or_else(|| self.missing(&what()))?;
        let digest = Digest::of(&bytes);
        if let Target::Digest(asked) = target
            && *asked != digest
        {
            let words = format!("{}: the tree at {} has {digest} in its place", what(), self.tree.place());
            return Err(Error::new(Kind::Verification, words));
        }
        let content_type = self.type_of(repository, &digest, &bytes).await?;
        Ok(Fetched { bytes, digest, content_type })
    }

    async fn blob(&self, repository: &RepositoryName, digest: &Digest, size: u64, from: u64) -> Result<BlobBody> {
        let path = format!("{}/{repository}/{}/{digest}", paths::NATIVE, paths::BLOBS);
        self.tree
            .open(&path, digest, size, from)
            .await?
            .ok_or_else(|| self.missing(&format!("blob {digest} of {repository}")))
    }

    async fn tags(&self, _: &RepositoryName, _: Wanted) -> Result<Vec<Tag>> {
        Ok(Vec::new())
    }

    /// By the list under the fallback tag, which the tree always has.
    async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        _: Option<&BTreeSet<Tag>>,
    ) -> Result<Vec<Descriptor>> {
        let bytes = match self.read(repository, &Target::Tag(lists::fallback_tag(subject))).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(Vec::new()),
            // It has not changed.
            Err(error) if self.partial && error.kind() == Kind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        match Manifest::parse(&bytes, Some(media::OCI_INDEX)).context(|| format!("referrers of {subject}"))?.body {
            Body::Index { manifests } => Ok(manifests),
            Body::Image { .. } => Ok(Vec::new()),
        }
    }

    async fn is_private(&self, _: &RepositoryName, _: &Target) -> Result<bool> {
        Ok(self.private)
    }
}
