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
