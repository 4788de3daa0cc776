//! What refers to a manifest, as the referrers API and its fallback tag list it (distribution spec, "Listing Referrers").

use rusqlite::Connection;

use crate::catalog::blobs;
use crate::error::Result;
use crate::image::{Descriptor, Digest, Manifest};
use crate::site::lists::{self, ReferrerEntry};

/// The manifest whose list of referrers has this tag, if it is such a tag.
pub(in crate::engine) fn subject_of(tag: &str) -> Option<Digest> {
    let subject = format!("sha256:{}", tag.strip_prefix("sha256-")?).parse().ok()?;
    (lists::fallback_tag(&subject).as_str() == tag).then_some(subject)
}

/// The referrers of a manifest that a repository holds, by digest.
pub(in crate::engine) fn entries(
    connection: &Connection,
    repository: i64,
    subject: &Digest,
) -> Result<Vec<ReferrerEntry>> {
    let mut entries = Vec::new();
    for row in blobs::referrers(connection, repository, subject)? {
        let manifest = Manifest::parse(&blobs::bytes(connection, row.blob)?, Some(&row.media_type))?;
        entries.push(ReferrerEntry {
            descriptor: Descriptor {
                media_type: row.media_type,
                digest: row.digest,
                size: row.size,
                urls: Vec::new(),
                annotations: std::collections::BTreeMap::new(),
                platform: None,
                artifact_type: None,
            },
            artifact_type: row.artifact_type,
            annotations: manifest.annotations,
        });
    }
    Ok(entries)
}
