//! Content descriptors (OCI image spec, descriptor.md).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Digest, Platform};

/// What a manifest or index says about one thing it refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Media type of the content.
    pub media_type: String,
    /// Digest of the content.
    pub digest: Digest,
    /// Size in bytes of what the digest stands for.
    pub size: u64,
    /// Places to fetch it from instead of the registry (foreign layers).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Free-form notes; untrusted text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "super::manifest::annotations")]
    pub annotations: BTreeMap<String, String>,
    /// What the content runs on; only in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What kind of artifact the content is; only in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
}

impl Descriptor {
    /// The digest of the manifest that this entry of an index attests, if it is one of BuildKit's attestations
    /// (moby/buildkit, docs/attestations/attestation-storage.md).
    pub fn attests(&self) -> Option<Digest> {
        (self.annotations.get("vnd.docker.reference.type").map(String::as_str) == Some("attestation-manifest"))
            .then(|| self.annotations.get("vnd.docker.reference.digest")?.parse().ok())
            .flatten()
    }

    /// Whether it is a layer that its vendor alone gives out, by its type or by where it says it is.
    pub fn is_foreign_layer(&self) -> bool {
        super::media::is_foreign_layer(&self.media_type) || !self.urls.is_empty()
    }

    /// Platform in the form that is compared and shown; none if it is missing or `unknown`.
    pub fn runs_on(&self) -> Option<Platform> {
        self.platform.clone().map(Platform::normalized).filter(|platform| !platform.is_unknown())
    }
}
