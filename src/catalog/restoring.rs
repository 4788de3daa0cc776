//! A restore that goes on or was cut.

use rusqlite::{Connection, OptionalExtension};

use super::Writer;
use crate::error::Result;

/// The root of the restore that is not finished; empty where it was not known.
pub fn load(connection: &Connection) -> Result<Option<String>> {
    let mut statement = connection.prepare_cached("SELECT root FROM restoring")?;
    Ok(statement.query_row([], |row| row.get(0)).optional()?)
}

/// Records that the catalog becomes what this root is.
pub fn save(writer: &Writer<'_>, root: &str) -> Result<()> {
    writer.prepare_cached("INSERT OR REPLACE INTO restoring (id, root) VALUES (1, ?)")?.execute([root])?;
    Ok(())
}

/// Records that it has become that.
pub fn clear(writer: &Writer<'_>) -> Result<()> {
    writer.prepare_cached("DELETE FROM restoring")?.execute([])?;
    Ok(())
}
