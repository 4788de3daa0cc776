//! What upstream has of an image and this catalog deliberately has not.

use rusqlite::{Connection, OptionalExtension, params};

use super::blobs::digest_column;
use super::images::{COLUMNS, FROM, Image, Omission, image};
use crate::error::Result;
use crate::image::Digest;

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

/// The image of a repository that left out this digest, and how.
pub fn of_digest(connection: &Connection, repository: i64, digest: &Digest) -> Result<Option<(Image, Omission)>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS}, o.digest AS omitted, o.platform AS omitted_platform, o.reason AS omitted_reason
         {FROM} JOIN image_omissions o ON o.image = i.id
         WHERE i.repository = ? AND o.digest = ? ORDER BY i.tag LIMIT 1"
    ))?;
    let found = statement.query_row(params![repository, digest.as_bytes()], |row| {
        let omission = Omission {
            digest: digest_column(row, row.as_ref().column_index("omitted")?)?,
            platform: row.get("omitted_platform")?,
            reason: row.get("omitted_reason")?,
        };
        Ok((image(row)?, omission))
    });
    Ok(found.optional()?)
}
