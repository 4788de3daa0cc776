//! What a change did to an image, kept so that it can be undone.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::catalog::follows::Follows;
use crate::catalog::images::{self, Image, Role};
use crate::catalog::repositories::{self, Repository, Transport};
use crate::catalog::{Writer, blobs, omissions};
use crate::engine::plan::{Change, Expected, PlannedImage, PlannedManifest, WantedBlob};
use crate::error::{Error, Kind, Result};
use crate::image::{Digest, Manifest, RepositoryName, Selection, Tag, Upstream};

/// What happened to an image.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::engine) enum ImageChange {
    Came {
        repository: RepositoryName,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tag: Option<Tag>,
        digest: Digest,
    },
    Went(Box<Former>),
}

/// Everything that is needed to make an image again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::engine) struct Former {
    pub(in crate::engine) repository: RepositoryName,
    pub(in crate::engine) upstream: Option<Upstream>,
    pub(in crate::engine) alias: Option<RepositoryName>,
    pub(in crate::engine) insecure: bool,
    /// That was not chosen here: a tree said so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::engine) insecure_of_tree: bool,
    pub(in crate::engine) private: bool,
    pub(in crate::engine) allowed: bool,
    pub(in crate::engine) tag: Option<Tag>,
    pub(in crate::engine) digest: Digest,
    pub(in crate::engine) upstream_tag: Option<String>,
    pub(in crate::engine) selection: Selection,
    pub(in crate::engine) all_manifests: bool,
    pub(in crate::engine) attached_to: Option<Digest>,
    /// Digest, size and part of every blob.
    pub(in crate::engine) contents: Vec<(Digest, u64, u8)>,
    /// Digest, platform and reason of what was left out.
    pub(in crate::engine) omissions: Vec<(Digest, Option<String>, String)>,
    pub(in crate::engine) logical: u64,
    /// When it was added; older versions did not note that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::engine) added_at: Option<i64>,
}

/// What an image is called in its repository.
pub(in crate::engine) type ImageKey = (String, Result<String, Digest>);

impl ImageChange {
    pub(in crate::engine) fn came(repository: &Repository, image: &Image) -> Self {
        Self::Came { repository: repository.name.clone(), tag: image.tag.clone(), digest: image.digest }
    }

    pub(in crate::engine) fn went(writer: &Writer<'_>, image: &Image) -> Result<Self> {
        let repository = repositories::by_id(writer, image.repository)?;
        let mut contents = Vec::new();
        for content in images::contents(writer, image.id)? {
            if content.role != Role::Gateway {
                let blob = blobs::by_id(writer, content.blob)?;
                contents.push((blob.digest, blob.size, content.role as u8));
            }
        }
        let omissions = omissions::of(writer, image.id)?;
        Ok(Self::Went(Box::new(Former {
            repository: repository.name,
            upstream: repository.upstream,
            alias: repository.alias,
            insecure: repository.transport.recorded(),
            insecure_of_tree: repository.transport.choice().is_none(),
            private: repository.private,
            allowed: repository.allowed,
            tag: image.tag.clone(),
            digest: image.digest,
            upstream_tag: image.follows.upstream_tag().map(str::to_owned),
            selection: image.selection.clone(),
            all_manifests: image.all_manifests,
            attached_to: image.attached_to,
            contents,
            omissions: omissions.into_iter().map(|left| (left.digest, left.platform, left.reason)).collect(),
            logical: image.logical,
            added_at: Some(image.added_at),
        })))
    }

    /// As it is kept.
    pub(in crate::engine) fn text(&self) -> Result<String> {
        serde_json::to_string(self)
            .map_err(|error| Error::new(Kind::Unexpected, "can't note what was done").caused_by(error))
    }

    pub(in crate::engine) fn place(&self) -> ImageKey {
        let (repository, tag, digest) = match self {
            Self::Came { repository, tag, digest } => (repository, tag, digest),
            Self::Went(former) => (&former.repository, &former.tag, &former.digest),
        };
        (repository.to_string(), tag.as_ref().map(Tag::to_string).ok_or(*digest))
    }
}

impl Former {
    /// The manifests it consists of, from the catalog; none if one is gone.
    pub(in crate::engine) fn manifests(
        &self,
        connection: &rusqlite::Connection,
    ) -> Result<Option<Vec<Arc<PlannedManifest>>>> {
        let mut manifests = Vec::new();
        for (digest, _, _) in self.contents.iter().filter(|(_, _, role)| *role == Role::Manifest as u8) {
            let Some(blob) = blobs::by_digest(connection, digest)?.filter(|blob| blob.inline) else { return Ok(None) };
            let Some(row) = blobs::manifest(connection, blob.id)? else { return Ok(None) };
            let bytes = blobs::bytes(connection, blob.id)?;
            let manifest = Manifest::parse(&bytes, Some(&row.media_type))?;
            manifests.push(Arc::new(PlannedManifest { digest: *digest, bytes, manifest }));
        }
        // The top one first, as a plan has them.
        manifests.sort_by_key(|manifest| manifest.digest != self.digest);
        Ok(Some(manifests))
    }

    pub(in crate::engine) fn blobs(&self) -> Vec<WantedBlob> {
        let of = |(digest, size, role): &(Digest, u64, u8)| {
            Role::numbered(*role).map(|role| WantedBlob { digest: *digest, size: *size, role })
        };
        self.contents.iter().filter_map(of).filter(|wanted| wanted.role != Role::Manifest).collect()
    }

    pub(in crate::engine) fn planned(
        &self,
        manifests: Vec<Arc<PlannedManifest>>,
        expected: Option<Expected>,
    ) -> Result<PlannedImage> {
        let follows = match self.upstream_tag.as_deref() {
            None => Follows::Own,
            Some("") => Follows::Nothing,
            Some(tag) => Follows::Tag(tag.parse()?),
        };
        Ok(PlannedImage {
            request: String::new(),
            name: self.repository.clone(),
            alias: self.alias.clone(),
            upstream: self.upstream.clone(),
            tag: self.tag.clone(),
            follows,
            digest: self.digest,
            change: Change::Added,
            changes: Vec::new(),
            selection: self.selection.clone(),
            all_manifests: self.all_manifests,
            platforms: Vec::new(),
            private: self.private,
            allowed: false,
            insecure: self.insecure && !self.insecure_of_tree,
            transport: if self.insecure_of_tree { Transport::of_tree } else { Transport::chosen }(self.insecure),
            plain_http: false,
            logical: self.logical,
            new_bytes: 0,
            left_out: Vec::new(),
            manifests,
            blobs: self.blobs(),
            read: std::collections::HashMap::new(),
            attached: Vec::new(),
            expected,
        })
    }
}
