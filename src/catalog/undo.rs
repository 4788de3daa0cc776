//! What the last operations did to images, so that they can be undone. Knows texts; what is in them is the engine's.

use rusqlite::{Connection, Row, params};

use super::Writer;
use crate::error::Result;

/// How many operations can be undone at most.
const MAX_KEPT_OPERATIONS: i64 = 1000;

/// An operation that can be undone, or stands in the way of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Row in the table `operations`.
    pub id: i64,
    /// Verb that did it: `add`, `remove`, …
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
    writer
        .prepare_cached("DELETE FROM operation_images WHERE operation <= ?")?
        .execute([operation - MAX_KEPT_OPERATIONS])?;
    Ok(())
}

/// The operations of the newest plan that is not undone, newest first.
pub fn newest(connection: &Connection) -> Result<Vec<Done>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, verb, summary, at FROM operations WHERE undone = 0 AND verb NOT IN ('undo', 'redo') AND plan =
         (SELECT plan FROM operations WHERE undone = 0 AND verb NOT IN ('undo', 'redo') ORDER BY id DESC LIMIT 1)
         ORDER BY id DESC",
    )?;
    let rows = statement.query_map([], done)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What an operation did, newest first.
pub fn steps(connection: &Connection, operation: i64) -> Result<Vec<String>> {
    let mut statement =
        connection.prepare_cached("SELECT what FROM operation_images WHERE operation = ? ORDER BY position DESC")?;
    let rows = statement.query_map([operation], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The row that the next operation will have.
pub fn next(connection: &Connection) -> Result<i64> {
    let mut statement = connection.prepare_cached("SELECT coalesce(max(id), 0) + 1 FROM operations")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// Marks an operation as undone by another one.
pub fn set_undone(writer: &Writer<'_>, operation: i64, by: i64) -> Result<()> {
    writer.prepare_cached("UPDATE operations SET undone = ? WHERE id = ?")?.execute([by, operation])?;
    Ok(())
}

/// The newest undoing that is not taken back, if nothing was done since but undoing and redoing.
pub fn undoing(connection: &Connection) -> Result<Option<Done>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, verb, summary, at FROM operations WHERE verb = 'undo' AND undone = 0 AND id >
         coalesce((SELECT max(id) FROM operations WHERE verb NOT IN ('undo', 'redo')), 0) ORDER BY id DESC LIMIT 1",
    )?;
    Ok(statement.query_map([], done)?.next().transpose()?)
}

/// The operations that this one undid, newest first.
pub fn undone_by(connection: &Connection, undoing: i64) -> Result<Vec<Done>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, verb, summary, at FROM operations WHERE undone = ? AND verb <> 'undo' ORDER BY id DESC",
    )?;
    let rows = statement.query_map([undoing], done)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Marks an undoing as taken back by another operation: what it undid is done again.
pub fn set_redone(writer: &Writer<'_>, undoing: i64, by: i64) -> Result<()> {
    writer
        .prepare_cached("UPDATE operations SET undone = 0 WHERE undone = ? AND verb <> 'undo'")?
        .execute([undoing])?;
    set_undone(writer, undoing, by)
}

fn done(row: &Row<'_>) -> rusqlite::Result<Done> {
    Ok(Done { id: row.get(0)?, verb: row.get(1)?, summary: row.get(2)?, at: row.get(3)? })
}
