//! What the catalog stands for now, and what was done to it.

use cid::Cid;
use rusqlite::{Connection, params};

use super::{Writer, blobs::cid_column};
use crate::error::Result;
use crate::unixfs::Link;

/// One change that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Row in the table `operations`; later ones are larger.
    pub id: i64,
    /// When, in seconds since 1970.
    pub at: i64,
    /// The verb: `add`, `remove`, `gc` …
    pub verb: String,
    /// Summary of the change, in words.
    pub summary: String,
    /// Root before the change, if the catalog had one.
    pub before: Option<Cid>,
    /// Root after the change, if the catalog had one.
    pub after: Option<Cid>,
}

/// The root that the catalog stands for, if it has been set up.
pub fn root(connection: &Connection) -> Result<Option<Link>> {
    let mut statement = connection.prepare_cached("SELECT root, tsize FROM state")?;
    Ok(statement.query_row([], |row| {
        if row.get_ref(0)? == rusqlite::types::ValueRef::Null {
            return Ok(None);
        }
        Ok(Some(Link { cid: cid_column(row, 0)?, tsize: row.get(1)? }))
    })?)
}

/// A number that grows with every change, whoever makes it.
pub fn generation(connection: &Connection) -> Result<u64> {
    Ok(connection.prepare_cached("SELECT generation FROM state")?.query_row([], |row| row.get(0))?)
}

/// Sets the root without recording a change.
pub fn set_root(writer: &Writer<'_>, root: &Link) -> Result<()> {
    writer.prepare_cached("UPDATE state SET root = ?, tsize = ?")?.execute(params![root.cid.to_bytes(), root.tsize])?;
    Ok(())
}

/// Records a change: its new root, and a line about it.
pub fn advance(writer: &Writer<'_>, root: &Link, verb: &str, summary: &str, now: i64) -> Result<()> {
    let before = self::root(writer)?.map(|link| link.cid.to_bytes());
    writer
        .prepare_cached("UPDATE state SET root = ?, tsize = ?, generation = generation + 1")?
        .execute(params![root.cid.to_bytes(), root.tsize])?;
    writer
        .prepare_cached("INSERT INTO operations (at, verb, summary, root_before, root_after) VALUES (?, ?, ?, ?, ?)")?
        .execute(params![now, verb, summary, before, root.cid.to_bytes()])?;
    Ok(())
}

/// The last changes, newest first.
pub fn operations(connection: &Connection, limit: u64) -> Result<Vec<Operation>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, at, verb, summary, root_before, root_after FROM operations ORDER BY id DESC LIMIT ?",
    )?;
    let optional_cid = |row: &rusqlite::Row<'_>, index| {
        if row.get_ref(index)? == rusqlite::types::ValueRef::Null { Ok(None) } else { cid_column(row, index).map(Some) }
    };
    let rows = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        Ok(Operation {
            id: row.get(0)?,
            at: row.get(1)?,
            verb: row.get(2)?,
            summary: row.get(3)?,
            before: optional_cid(row, 4)?,
            after: optional_cid(row, 5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
