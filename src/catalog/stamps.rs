//! What the file system said of blobs' files when they were verified: size, two times and inode, as four numbers.

use rusqlite::{Connection, OptionalExtension, params};

use super::Writer;
use crate::error::Result;

/// What was recorded of a blob's file.
pub fn of(connection: &Connection, blob: i64) -> Result<Option<[i64; 4]>> {
    let mut statement =
        connection.prepare_cached("SELECT size, modified, changed, inode FROM blob_stamps WHERE blob = ?")?;
    let row = statement.query_row([blob], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]));
    Ok(row.optional()?)
}

/// Records it, in place of what was recorded before.
pub fn record(writer: &Writer<'_>, blob: i64, [size, modified, changed, inode]: [i64; 4]) -> Result<()> {
    writer
        .prepare_cached(
            "INSERT OR REPLACE INTO blob_stamps (blob, size, modified, changed, inode) VALUES (?, ?, ?, ?, ?)",
        )?
        .execute(params![blob, size, modified, changed, inode])?;
    Ok(())
}
