//! The published registry that a catalog is a copy of: whom it follows, and how far it is.
//!
//! Knows one row. Must not know what a record says, nor what the words of a setting mean.

use cid::Cid;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::Writer;
use super::blobs::cid_column;
use crate::error::Result;

/// What the row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// IPNS name or domain, as it was given.
    pub name: String,
    /// URLs with a space between them.
    pub sources: String,
    /// Which blobs are fetched before they are asked for.
    pub mode: String,
    /// Seconds between two looks at the name.
    pub every: u64,
    /// Multihash of the key whose record was seen last, and that record.
    pub record: Option<(Vec<u8>, Vec<u8>)>,
    /// The root that is held.
    pub root: Option<Cid>,
    /// When that came, in seconds since 1970.
    pub taken_at: Option<i64>,
    /// When the name was looked at last, in seconds since 1970.
    pub checked_at: Option<i64>,
    /// Why the last look changed nothing although it should have.
    pub failure: Option<String>,
}

/// The row of a catalog that is a copy of another.
pub fn load(connection: &Connection) -> Result<Option<Row>> {
    let mut statement = connection.prepare_cached(
        "SELECT name, sources, mode, every, key, record, root, taken_at, checked_at, failure FROM follow",
    )?;
    let row = statement.query_row([], |row| {
        let (key, record): (Option<Vec<u8>>, Option<Vec<u8>>) = (row.get(4)?, row.get(5)?);
        let has_root = row.get_ref(6)? != rusqlite::types::ValueRef::Null;
        Ok(Row {
            name: row.get(0)?,
            sources: row.get(1)?,
            mode: row.get(2)?,
            every: row.get(3)?,
            record: key.zip(record),
            root: if has_root { Some(cid_column(row, 6)?) } else { None },
            taken_at: row.get(7)?,
            checked_at: row.get(8)?,
            failure: row.get(9)?,
        })
    });
    Ok(row.optional()?)
}

/// The name that is followed, if there is one.
pub fn name(connection: &Connection) -> Result<Option<String>> {
    let mut statement = connection.prepare_cached("SELECT name FROM follow")?;
    Ok(statement.query_row([], |row| row.get(0)).optional()?)
}

/// Says whom to follow from now on, and how. What is known of the name stays.
pub fn set(writer: &Writer<'_>, name: &str, sources: &str, mode: &str, every: u64) -> Result<()> {
    writer
        .prepare_cached(
            "INSERT INTO follow (id, name, sources, mode, every) VALUES (1, ?1, ?2, ?3, ?4)
             ON CONFLICT (id) DO UPDATE SET sources = ?2, mode = ?3, every = ?4",
        )?
        .execute(params![name, sources, mode, every])?;
    Ok(())
}

/// Keeps a verified record of a key; none where nothing is signed.
pub fn set_record(writer: &Writer<'_>, record: Option<(&[u8], &[u8])>) -> Result<()> {
    let (key, record) = record.unzip();
    writer.prepare_cached("UPDATE follow SET key = ?, record = ?")?.execute(params![key, record])?;
    Ok(())
}

/// Says that this root is held. One that was held already has come when it came.
pub fn set_root(writer: &Writer<'_>, root: &Cid, now: i64) -> Result<()> {
    writer
        .prepare_cached("UPDATE follow SET former = root, root = ?1, taken_at = ?2 WHERE root IS NOT ?1")?
        .execute(params![root.to_bytes(), now])?;
    Ok(())
}

/// The root that was held before, if that was so after this time.
pub fn former(connection: &Connection, after: i64) -> Result<Option<Cid>> {
    let mut statement =
        connection.prepare_cached("SELECT former FROM follow WHERE former IS NOT NULL AND taken_at > ?")?;
    Ok(statement.query_row([after], |row| cid_column(row, 0)).optional()?)
}

/// Says when the name was looked at, and what was wrong then.
pub fn set_checked(writer: &Writer<'_>, now: i64, failure: Option<&str>) -> Result<()> {
    writer.prepare_cached("UPDATE follow SET checked_at = ?, failure = ?")?.execute(params![now, failure])?;
    Ok(())
}

/// Follows nothing any more.
pub fn clear(writer: &Writer<'_>) -> Result<()> {
    writer.prepare_cached("DELETE FROM follow")?.execute([])?;
    Ok(())
}
