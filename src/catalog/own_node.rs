//! What the program's own node keeps: the roots that it gives out, and the signed records of its names.
//!
//! Knows rows. Must not know blocks, nor what a record says.

use cid::Cid;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::Writer;
use super::blobs::cid_column;
use crate::error::Result;

/// The roots that are given out, the newest first, each with the name of its pin.
pub fn pins(connection: &Connection) -> Result<Vec<(Cid, String)>> {
    let mut statement =
        connection.prepare_cached("SELECT root, name FROM own_pins ORDER BY pinned_at DESC, root DESC")?;
    let rows = statement.query_map([], |row| Ok((cid_column(row, 0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Gives a root out from now on. One that is given out already keeps its place.
pub fn pin(writer: &Writer<'_>, root: &Cid, name: &str, now: i64) -> Result<()> {
    writer
        .prepare_cached(
            "INSERT INTO own_pins (root, name, pinned_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (root) DO UPDATE SET name = excluded.name",
        )?
        .execute(params![root.to_bytes(), name, now])?;
    Ok(())
}

/// Gives a root out no longer.
pub fn unpin(writer: &Writer<'_>, root: &Cid) -> Result<()> {
    writer.prepare_cached("DELETE FROM own_pins WHERE root = ?")?.execute([root.to_bytes()])?;
    Ok(())
}

/// A signed record of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameRecord {
    /// Multihash of the public key.
    pub name: Vec<u8>,
    /// The record (specs.ipfs.tech/ipns/ipns-record).
    pub record: Vec<u8>,
    /// When it was signed here, or taken from another machine that has the key, in seconds since 1970.
    pub signed_at: i64,
}

/// The newest record that is known of this name.
pub fn record(connection: &Connection, name: &[u8]) -> Result<Option<NameRecord>> {
    let mut statement = connection.prepare_cached("SELECT name, record, signed_at FROM own_names WHERE name = ?")?;
    Ok(statement.query_row([name], name_record).optional()?)
}

/// The newest record of each name.
pub fn records(connection: &Connection) -> Result<Vec<NameRecord>> {
    let mut statement = connection.prepare_cached("SELECT name, record, signed_at FROM own_names ORDER BY name")?;
    let rows = statement.query_map([], name_record)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Keeps a record in place of the former one of its name.
pub fn set_record(writer: &Writer<'_>, name: &[u8], record: &[u8], now: i64) -> Result<()> {
    writer
        .prepare_cached("INSERT OR REPLACE INTO own_names (name, record, signed_at) VALUES (?, ?, ?)")?
        .execute(params![name, record, now])?;
    Ok(())
}

fn name_record(row: &rusqlite::Row<'_>) -> rusqlite::Result<NameRecord> {
    Ok(NameRecord { name: row.get(0)?, record: row.get(1)?, signed_at: row.get(2)? })
}

/// Keeps no record of a name any more.
pub fn forget_record(writer: &Writer<'_>, name: &[u8]) -> Result<()> {
    writer.prepare_cached("DELETE FROM own_names WHERE name = ?")?.execute([name])?;
    Ok(())
}
