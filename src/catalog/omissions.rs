//! What upstream has of an image and this catalog deliberately has not.

use rusqlite::{Connection, OptionalExtension, params};

use super::blobs::digest_column;
use super::images::{COLUMNS, FROM, Image, image};
use crate::error::Result;
use crate::image::Digest;

/// Something that was left out by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Omission {
    /// Digest of what is left out.
    pub digest: Digest,
    /// The platform it is for, if it is a child of an index.
    pub platform: Option<String>,
    /// Why.
    pub reason: String,
}

/// What was left out of an image.
pub fn of(connection: &Connection, image: i64) -> Result<Vec<Omission>> {
    let mut statement = connection.prepare_cached(
        "SELECT digest, platform, reason FROM image_omissions WHERE image = ? ORDER BY platform, digest",
    )?;
    let rows = statement.query_map([image], |row| {
        Ok(Omission { digest: digest_column(row, 0)?, platform: row.get(1)?, reason: row.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The first column of the omission: as many come before it as [`COLUMNS`] names.
const OMITTED: usize = 16;

/// The image of a repository that left out this digest, and how.
pub fn of_digest(connection: &Connection, repository: i64, digest: &Digest) -> Result<Option<(Image, Omission)>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS}, o.digest, o.platform, o.reason {FROM} JOIN image_omissions o ON o.image = i.id
         WHERE i.repository = ? AND o.digest = ? ORDER BY i.tag LIMIT 1"
    ))?;
    let found = statement.query_row(params![repository, digest.as_bytes()], |row| {
        let omission = Omission {
            digest: digest_column(row, OMITTED)?,
            platform: row.get(OMITTED + 1)?,
            reason: row.get(OMITTED + 2)?,
        };
        Ok((image(row)?, omission))
    });
    Ok(found.optional()?)
}
