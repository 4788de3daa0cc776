//! What a server gives out of the catalog.

use std::fs::File;

use bytes::Bytes;
use rusqlite::Connection;

use super::pending::{PendingBlob, Stored};
use crate::catalog::blobs::{Blob as Row, ManifestRow};
use crate::catalog::repositories::Repository;
use crate::catalog::{blobs, follow, images, nodes, omissions, repositories, state};
use crate::engine::find::shown;
use crate::engine::{Engine, now};
use crate::error::Result;
use crate::image::{Descriptor, Digest, RepositoryName, Target, media};
use crate::site::paths;
use crate::unixfs::{Link, tree};

/// How long a pull may take that begins with a root which is then replaced.
const MAX_PULL_SECONDS: i64 = 60 * 60;

/// A manifest to give out.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The upstream's own bytes.
    pub bytes: Bytes,
    /// Media type that it is served with.
    pub media_type: String,
    /// Digest of the manifest's bytes.
    pub digest: Digest,
}

/// A blob to give out.
#[derive(Debug)]
pub enum Blob {
    /// The whole of this file, with its size in bytes: it is the one that was verified.
    File(File, u64),
    /// One that has to be fetched or verified first, with its size in bytes.
    Pending(PendingBlob, u64),
    /// The whole content in memory.
    Bytes(Bytes),
}

fn find(connection: &Connection, name: &RepositoryName, private: bool) -> Result<Option<Repository>> {
    let found = repositories::by_name_or_alias(connection, name.as_str())?;
    Ok(found.filter(|repository| private || repository.is_published()))
}

fn manifest_of(connection: &Connection, row: ManifestRow) -> Result<Manifest> {
    Ok(Manifest { bytes: blobs::bytes(connection, row.blob)?, media_type: row.media_type, digest: row.digest })
}

/// Whether the root that was followed until now has this below a repository: who has begun to pull from that goes on.
fn former_has(connection: &Connection, name: &RepositoryName, part: &str, blob: &Row) -> Result<bool> {
    let Some(root) = follow::former(connection, now() - MAX_PULL_SECONDS)? else { return Ok(false) };
    let path = format!("{}/{name}/{part}/{}", paths::NATIVE, blob.digest);
    // Its directories may have been reclaimed.
    let found = tree::lookup(&mut nodes::Nodes::of(connection), &Link { cid: root, tsize: 0 }, &path);
    Ok(found.is_ok_and(|found| found.is_some_and(|link| link.cid == blob.link.cid)))
}

fn former_manifest(connection: &Connection, name: &RepositoryName, digest: &Digest) -> Result<Option<Manifest>> {
    let Some(blob) = blobs::by_digest(connection, digest)? else { return Ok(None) };
    if !former_has(connection, name, paths::MANIFESTS, &blob)? {
        return Ok(None);
    }
    blobs::manifest(connection, blob.id)?.map(|row| manifest_of(connection, row)).transpose()
}

impl Engine {
    /// A number that grows with every change, whoever makes it.
    pub fn generation(&self) -> Result<u64> {
        state::generation(&*self.catalog.read()?)
    }

    /// The manifest of this name or alias. `private`: private repositories that may not be published are given out too.
    pub fn served_manifest(&self, name: &RepositoryName, target: &Target, private: bool) -> Result<Option<Manifest>> {
        let reader = self.catalog.read()?;
        let repository = match (find(&reader, name, private)?, target) {
            (Some(repository), _) => repository,
            (None, Target::Digest(digest)) => return former_manifest(&reader, name, digest),
            (None, Target::Tag(_)) => return Ok(None),
        };
        let row = match target {
            Target::Digest(digest) => match images::held_manifest(&reader, repository.id, digest)? {
                None => return former_manifest(&reader, name, digest),
                held => held,
            },
            Target::Tag(tag) => match images::by_tag(&reader, repository.id, tag.as_str())? {
                Some(image) => blobs::manifest(&reader, image.manifest)?,
                None => return Self::fallback(&reader, &repository, tag.as_str()),
            },
        };
        row.map(|row| manifest_of(&reader, row)).transpose()
    }

    /// The list of referrers under its fallback tag.
    fn fallback(connection: &Connection, repository: &Repository, tag: &str) -> Result<Option<Manifest>> {
        let Some(subject) = super::referrers::subject_of(tag) else { return Ok(None) };
        let Some(blob) = images::referrer_list(connection, repository.id, &subject)? else { return Ok(None) };
        let bytes = blobs::bytes(connection, blob)?;
        let digest = Digest::of(&bytes);
        Ok(Some(Manifest { bytes, media_type: media::OCI_INDEX.to_owned(), digest }))
    }

    /// For a digest that was left out of an image here: what it is and how to get it.
    pub fn served_omission(&self, name: &RepositoryName, digest: &Digest, private: bool) -> Result<Option<String>> {
        let reader = self.catalog.read()?;
        let Some(repository) = find(&reader, name, private)? else { return Ok(None) };
        let Some((image, omission)) = omissions::of_digest(&reader, repository.id, digest)? else { return Ok(None) };
        let shown = shown(&repository, &image);
        Ok(Some(match (omission.platform, repository.upstream) {
            (Some(platform), Some(upstream)) => {
                let reference = image.upstream_suffix();
                format!(
                    "{platform} of {shown} is not mirrored here; `roadstead add {upstream}{reference} --platform {platform}` mirrors it"
                )
            }
            _ => format!("part of {shown} is not mirrored here: {}", omission.reason),
        }))
    }

    /// The blob of this repository. Neither fetches nor reads it.
    pub fn served_blob(&self, name: &RepositoryName, digest: &Digest, private: bool) -> Result<Option<Blob>> {
        let reader = self.catalog.read()?;
        let Some(blob) = blobs::by_digest(&reader, digest)? else { return Ok(None) };
        let held = match find(&reader, name, private)? {
            Some(repository) => images::holds_blob(&reader, repository.id, blob.id)?,
            None => false,
        };
        if !held && !former_has(&reader, name, paths::BLOBS, &blob)? {
            return Ok(None);
        }
        if blob.inline {
            return Ok(Some(Blob::Bytes(blobs::bytes(&reader, blob.id)?)));
        }
        Ok(Some(match self.find_stored(&reader, &blob)? {
            Stored::Here(file) => Blob::File(file, blob.size),
            Stored::Pending(pending) => Blob::Pending(pending, blob.size),
        }))
    }

    /// The canonical name of a repository and some of its tags, one more than asked for if there are more.
    pub fn served_tags(
        &self,
        name: &RepositoryName,
        after: Option<&str>,
        limit: Option<u64>,
        private: bool,
    ) -> Result<Option<(RepositoryName, Vec<String>)>> {
        let reader = self.catalog.read()?;
        let Some(repository) = find(&reader, name, private)? else { return Ok(None) };
        let tags = images::tags(&reader, repository.id, after, limit.map(|limit| limit.saturating_add(1)))?;
        Ok(Some((repository.name, tags)))
    }

    /// Some names of repositories, one more than asked for if there are more.
    pub fn served_repositories(&self, after: Option<&str>, limit: Option<u64>, private: bool) -> Result<Vec<String>> {
        let reader = self.catalog.read()?;
        let wanted = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1));
        let mut names = Vec::new();
        let mut last = after.map(str::to_owned);
        // Private ones are skipped, so a page may take several looks.
        loop {
            let rows = repositories::list(&reader, last.as_deref(), Some(1000))?;
            let Some(end) = rows.last().map(|row| row.name.to_string()) else { break };
            names.extend(rows.into_iter().filter(|row| private || row.is_published()).map(|row| row.name.to_string()));
            if names.len() >= wanted {
                names.truncate(wanted);
                break;
            }
            last = Some(end);
        }
        Ok(names)
    }

    /// What refers to this manifest; nothing for an unknown repository.
    pub fn served_referrers(
        &self,
        name: &RepositoryName,
        subject: &Digest,
        private: bool,
    ) -> Result<Option<Vec<Descriptor>>> {
        let reader = self.catalog.read()?;
        let Some(repository) = find(&reader, name, private)? else { return Ok(None) };
        let entries = super::referrers::entries(&reader, repository.id, subject)?;
        let descriptors = entries.into_iter().map(|entry| Descriptor {
            artifact_type: entry.artifact_type,
            annotations: entry.annotations,
            ..entry.descriptor
        });
        Ok(Some(descriptors.collect()))
    }

    /// A generated file of the published tree by its path, such as `index.html`.
    pub fn served_page(&self, path: &str) -> Result<Option<Bytes>> {
        let reader = self.catalog.read()?;
        let Some(root) = state::root(&reader)? else { return Ok(None) };
        let Some(link) = tree::lookup(&mut nodes::Nodes::of(&reader), &root, path)? else { return Ok(None) };
        match blobs::by_cid(&reader, &link.cid)? {
            Some(blob) if blob.inline => blobs::bytes(&reader, blob.id).map(Some),
            _ => Ok(None),
        }
    }
}
