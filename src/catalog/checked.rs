//! What upstream said of images when it was asked last: not content, and no reason for another root.

use rusqlite::{Connection, params};

use super::Writer;
use crate::error::Result;
use crate::image::Digest;

/// Records what upstream has for an image: a digest, or nothing any more. Since when it is gone stays until it is back.
pub fn set(writer: &Writer<'_>, image: i64, upstream: Option<&Digest>, now: i64) -> Result<()> {
    writer
        .prepare_cached(
            "UPDATE images SET upstream_digest = ?1, checked_at = ?2,
             gone_at = CASE WHEN ?1 IS NULL THEN coalesce(gone_at, ?2) END WHERE id = ?3",
        )?
        .execute(params![upstream.map(Digest::as_bytes), now, image])?;
    Ok(())
}

/// How many images of a repository upstream had otherwise.
pub fn outdated(connection: &Connection, repository: i64) -> Result<u64> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*) FROM images i JOIN blobs b ON b.id = i.manifest
         WHERE i.repository = ? AND i.attached_to IS NULL AND i.upstream_digest <> b.digest",
    )?;
    Ok(statement.query_row([repository], |row| row.get(0))?)
}

/// How many images of a repository upstream did not have any more.
pub fn gone(connection: &Connection, repository: i64) -> Result<u64> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*) FROM images WHERE repository = ? AND attached_to IS NULL AND gone_at IS NOT NULL",
    )?;
    Ok(statement.query_row([repository], |row| row.get(0))?)
}

/// When upstream was asked last of any image, in seconds since 1970.
pub fn last(connection: &Connection) -> Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT max(checked_at) FROM images")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}
