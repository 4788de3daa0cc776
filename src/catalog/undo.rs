//! What the last operations did to images, so that they can be undone. Knows texts; what is in them is the engine's.

use rusqlite::{Connection, params};

use super::Writer;
use crate::error::Result;

/// How many operations can be undone at most.
const KEPT: i64 = 1000;

/// An operation that can be undone, or stands in the way of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Its row.
    pub id: i64,
    /// `add`, `remove`, …
    pub verb: String,
    /// What it was about, in words.
    pub summary: String,
    /// When it was done, in seconds since 1970.
    pub at: i64,
}

/// Notes what the newest operation did, as a part of this plan.
pub fn note(writer: &Writer<'_>, plan: i64, steps: &[String]) -> Result<()> {
    let operation: i64 = writer.prepare_cached("SELECT max(id) FROM operations")?.query_row([], |row| row.get(0))?;
    writer.prepare_cached("UPDATE operations SET plan = ? WHERE id = ?")?.execute([plan, operation])?;
    let mut statement =
        writer.prepare_cached("INSERT INTO operation_images (operation, position, what) VALUES (?, ?, ?)")?;
    for (position, step) in steps.iter().enumerate() {
        statement.execute(params![operation, position as i64, step])?;
    }
    writer.prepare_cached("DELETE FROM operation_images WHERE operation <= ?")?.execute([operation - KEPT])?;
    Ok(())
}

/// The operations of the newest plan that is not undone, newest first.
pub fn newest(connection: &Connection) -> Result<Vec<Done>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, verb, summary, at FROM operations WHERE undone = 0 AND verb <> 'undo' AND plan =
         (SELECT plan FROM operations WHERE undone = 0 AND verb <> 'undo' ORDER BY id DESC LIMIT 1) ORDER BY id DESC",
    )?;
    let rows = statement
        .query_map([], |row| Ok(Done { id: row.get(0)?, verb: row.get(1)?, summary: row.get(2)?, at: row.get(3)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What an operation did, newest first.
pub fn steps(connection: &Connection, operation: i64) -> Result<Vec<String>> {
    let mut statement =
        connection.prepare_cached("SELECT what FROM operation_images WHERE operation = ? ORDER BY position DESC")?;
    let rows = statement.query_map([operation], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Marks an operation as undone.
pub fn set_undone(writer: &Writer<'_>, operation: i64) -> Result<()> {
    writer.prepare_cached("UPDATE operations SET undone = 1 WHERE id = ?")?.execute([operation])?;
    Ok(())
}
