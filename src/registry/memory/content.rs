//! What a registry in memory holds.
//!
//! Plain maps; knows nothing of HTTP.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

use super::image::Image;
use crate::image::{Descriptor, Digest, Manifest, RepositoryName, media};

#[derive(Default)]
pub(super) struct Content {
    repositories: BTreeMap<String, Repository>,
}

#[derive(Default)]
struct Repository {
    blobs: HashMap<Digest, Bytes>,
    manifests: BTreeMap<Digest, (String, Bytes)>,
    tags: BTreeMap<String, Digest>,
}

impl Content {
    fn of(&mut self, repository: &RepositoryName) -> &mut Repository {
        self.repositories.entry(repository.to_string()).or_default()
    }

    pub(super) fn has(&self, repository: &str) -> bool {
        self.repositories.contains_key(repository)
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.repositories.keys().cloned().collect()
    }

    pub(super) fn put_blob(&mut self, repository: &RepositoryName, bytes: Bytes) -> Digest {
        let digest = Digest::of(&bytes);
        self.put_blob_as(repository, digest, bytes);
        digest
    }

    pub(super) fn put_blob_as(&mut self, repository: &RepositoryName, digest: Digest, bytes: Bytes) {
        self.of(repository).blobs.insert(digest, bytes);
    }

    pub(super) fn put_manifest(
        &mut self,
        repository: &RepositoryName,
        tag: Option<&str>,
        media_type: &str,
        bytes: Bytes,
    ) -> Digest {
        let digest = Digest::of(&bytes);
        let of = self.of(repository);
        of.manifests.insert(digest, (media_type.to_owned(), bytes));
        if let Some(tag) = tag {
            of.tags.insert(tag.to_owned(), digest);
        }
        digest
    }

    pub(super) fn put_image(&mut self, repository: &RepositoryName, tag: Option<&str>, image: &Image) -> Digest {
        for child in &image.children {
            self.put_image(repository, None, child);
        }
        for blob in &image.blobs {
            self.put_blob(repository, blob.clone());
        }
        self.put_manifest(repository, tag, &image.media_type, image.manifest.clone())
    }

    pub(super) fn put_referrers_tag(&mut self, repository: &RepositoryName, subject: &Digest) {
        let index = referrers_index(&self.referrers(repository, subject));
        self.put_manifest(repository, Some(&format!("sha256-{}", subject.hex())), media::OCI_INDEX, index);
    }

    pub(super) fn remove_tag(&mut self, repository: &RepositoryName, tag: &str) -> bool {
        self.of(repository).tags.remove(tag).is_some()
    }

    pub(super) fn remove_blob(&mut self, repository: &RepositoryName, digest: &Digest) -> bool {
        self.of(repository).blobs.remove(digest).is_some()
    }

    pub(super) fn blob(&self, repository: &str, digest: &Digest) -> Option<Bytes> {
        self.repositories.get(repository)?.blobs.get(digest).cloned()
    }

    /// A manifest by tag or digest: its digest, type and bytes.
    pub(super) fn manifest(&self, repository: &str, target: &str) -> Option<(Digest, String, Bytes)> {
        let of = self.repositories.get(repository)?;
        let digest = of.tags.get(target).copied().or_else(|| target.parse().ok())?;
        let (media_type, bytes) = of.manifests.get(&digest)?;
        Some((digest, media_type.clone(), bytes.clone()))
    }

    /// Tags in byte order.
    pub(super) fn tags(&self, repository: &str) -> Option<Vec<String>> {
        Some(self.repositories.get(repository)?.tags.keys().cloned().collect())
    }

    pub(super) fn referrers(&mut self, repository: &RepositoryName, subject: &Digest) -> Vec<Descriptor> {
        self.find_referrers(repository.as_str(), subject)
    }

    pub(super) fn find_referrers(&self, repository: &str, subject: &Digest) -> Vec<Descriptor> {
        let Some(of) = self.repositories.get(repository) else { return Vec::new() };
        of.manifests
            .iter()
            .filter_map(|(digest, (media_type, bytes))| {
                let manifest = Manifest::parse(bytes, Some(media_type)).ok()?;
                (manifest.subject.as_ref()?.digest == *subject).then(|| Descriptor {
                    media_type: media_type.clone(),
                    digest: *digest,
                    size: bytes.len() as u64,
                    urls: Vec::new(),
                    annotations: manifest.annotations.clone(),
                    platform: None,
                    artifact_type: manifest.shown_artifact_type().map(str::to_owned),
                })
            })
            .collect()
    }
}

/// The index that lists referrers.
pub(super) fn referrers_index(descriptors: &[Descriptor]) -> Bytes {
    serde_json::json!({"schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": descriptors}).to_string().into()
}
