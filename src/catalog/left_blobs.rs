//! Blobs that were left where they are until they are needed.

use rusqlite::{Connection, OptionalExtension, params};

use super::Writer;
use crate::error::Result;

/// Who has a blob that is not in the store.
pub fn place(connection: &Connection, blob: i64) -> Result<Option<String>> {
    let mut statement = connection.prepare_cached("SELECT place FROM left_blobs WHERE blob = ?")?;
    Ok(statement.query_row([blob], |row| row.get(0)).optional()?)
}

/// Records who has a blob.
pub fn add(writer: &Writer<'_>, blob: i64, place: &str) -> Result<()> {
    writer
        .prepare_cached("INSERT OR REPLACE INTO left_blobs (blob, place) VALUES (?, ?)")?
        .execute(params![blob, place])?;
    Ok(())
}

/// Records that a blob is in the store now.
pub fn remove(writer: &Writer<'_>, blob: i64) -> Result<()> {
    writer.prepare_cached("DELETE FROM left_blobs WHERE blob = ?")?.execute([blob])?;
    Ok(())
}

/// Whether there are any.
pub fn any(connection: &Connection) -> Result<bool> {
    let mut statement = connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM left_blobs)")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// How many there are.
pub fn count(connection: &Connection) -> Result<u64> {
    let mut statement = connection.prepare_cached("SELECT count(*) FROM left_blobs")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// The blobs that are not here and that images need; with `tagged`, images that have a tag.
pub fn wanted(connection: &Connection, tagged: bool) -> Result<Vec<i64>> {
    let mut statement = connection.prepare_cached(
        "SELECT blob FROM left_blobs l WHERE EXISTS (SELECT 1 FROM image_contents c JOIN images i ON i.id = c.image
         WHERE c.blob = l.blob AND (i.tag IS NOT NULL OR NOT ?)) ORDER BY blob",
    )?;
    let rows = statement.query_map([tagged], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Says that what was left at one place is at another one.
pub fn move_all(writer: &Writer<'_>, from: &str, to: &str) -> Result<()> {
    writer.prepare_cached("UPDATE left_blobs SET place = ?2 WHERE place = ?1")?.execute(params![from, to])?;
    Ok(())
}
