//! The files of a root as a static host has them, by key.

use rusqlite::Connection;

use crate::catalog::blobs::{self, Blob};
use crate::catalog::nodes;
use crate::engine::blocks::{blob_of, is_directory};
use crate::engine::job::Job;
use crate::error::Result;
use crate::hosts::{Caching, Host, Object};
use crate::image::{Digest, media};
use crate::site::objects::{self, JSON_TYPE, PING_KEY, Stage};
use crate::unixfs::{Link, directory};

/// How a host holds what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Layout {
    /// As objects with headers, under the keys that clients ask for.
    Objects,
    /// As the tree is, file by file, switched as a whole.
    Tree,
}

impl Layout {
    /// How this host does.
    pub(in crate::engine) fn of(host: &dyn Host) -> Self {
        if host.trees().is_some() { Self::Tree } else { Self::Objects }
    }
}

/// Where the bytes of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Source {
    /// In the blob of this row.
    Blob(i64),
    /// It has none.
    Empty,
}

/// A file that a host shall have.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Wanted {
    pub(in crate::engine) key: String,
    pub(in crate::engine) stage: Stage,
    pub(in crate::engine) content_type: &'static str,
    pub(in crate::engine) size: u64,
    pub(in crate::engine) digest: Digest,
    pub(super) source: Source,
}

impl Wanted {
    /// What the host is told of it.
    pub(super) fn object(&self) -> Object {
        Object {
            key: self.key.clone(),
            size: self.size,
            sha256: *self.digest.as_bytes(),
            content_type: self.content_type.to_owned(),
            caching: if self.stage.is_immutable() { Caching::Immutable } else { Caching::Brief },
            manifest_digest: self.stage.is_manifest().then(|| self.digest.to_string()),
        }
    }
}

/// Everything that a host shall have of a root, ascending by key.
pub(in crate::engine) fn of_root(
    connection: &Connection,
    root: &Link,
    layout: Layout,
    job: &Job,
) -> Result<Vec<Wanted>> {
    let mut found = Vec::new();
    let mut left = vec![(String::new(), *root)];
    let mut store = nodes::Nodes::of(connection);
    while let Some((path, link)) = left.pop() {
        job.check()?;
        let mut entries: Vec<(String, Link)> = Vec::new();
        directory::list(&mut store, &link, &mut |name, link| {
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            entries.push((path, link));
            Ok(())
        })?;
        for (path, link) in entries {
            if layout == Layout::Objects && objects::is_left_out(&path) {
                continue;
            }
            if is_directory(connection, &link)? {
                left.push((path, link));
                continue;
            }
            let file = match layout {
                Layout::Objects => objects::host_file(&path),
                Layout::Tree => Some(objects::tree_file(&path)),
            };
            let Some(file) = file else { continue };
            let blob = blob_of(connection, &link)?;
            let file = match layout {
                Layout::Objects if file.stage.is_manifest() => file.of_type(&media_type(connection, &blob)?),
                _ => file,
            };
            found.push(Wanted {
                key: file.key,
                stage: file.stage,
                content_type: file.content_type,
                size: blob.size,
                digest: blob.digest,
                source: Source::Blob(blob.id),
            });
        }
    }
    if layout == Layout::Objects && found.iter().any(|wanted| wanted.stage == Stage::Ping) {
        found.push(Wanted {
            key: PING_KEY.to_owned(),
            stage: Stage::Ping,
            content_type: JSON_TYPE,
            size: 0,
            digest: Digest::of(b""),
            source: Source::Empty,
        });
    }
    found.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    Ok(found)
}

/// The type of a manifest, as it was stored; of one that no image here has any more, as its bytes say.
fn media_type(connection: &Connection, blob: &Blob) -> Result<String> {
    if let Some(row) = blobs::manifest(connection, blob.id)? {
        return Ok(row.media_type);
    }
    let bytes = if blob.inline { blobs::bytes(connection, blob.id)? } else { bytes::Bytes::new() };
    let said: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let own = said.get("mediaType").and_then(serde_json::Value::as_str).filter(|own| media::is_manifest(own));
    let shape = if said.get("manifests").is_some() { media::OCI_INDEX } else { media::OCI_MANIFEST };
    Ok(own.unwrap_or(shape).to_owned())
}
