//! Directory nodes of the tree, by CID, and the directories of each repository.

use cid::Cid;
use rusqlite::{Connection, OptionalExtension, params};

use super::{Writer, blobs::cid_column};
use crate::error::Result;
use crate::unixfs::Link;
use crate::unixfs::directory::{Node, NodeStore};

/// The nodes in the catalog, read-only or inside a change.
#[derive(Debug)]
pub struct Nodes<'a> {
    connection: &'a Connection,
    writable: bool,
}

impl<'a> Nodes<'a> {
    /// Read-only access to the nodes, outside of a change.
    pub fn of(connection: &'a Connection) -> Self {
        Self { connection, writable: false }
    }

    /// Nodes to read and add to.
    pub fn inside(writer: &'a Writer<'_>) -> Self {
        Self { connection: writer, writable: true }
    }
}

/// Removes the node with this CID.
pub fn remove(writer: &Writer<'_>, cid: &Cid) -> Result<()> {
    writer.prepare_cached("DELETE FROM nodes WHERE cid = ?")?.execute([cid.to_bytes()])?;
    Ok(())
}

/// Visits the CID and the size of every node.
pub fn each(connection: &Connection, mut visit: impl FnMut(Cid, u64)) -> Result<()> {
    let mut statement = connection.prepare("SELECT cid, length(bytes) FROM nodes")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        visit(cid_column(row, 0)?, row.get(1)?);
    }
    Ok(())
}

/// The directory of a repository at this place.
pub fn directory(connection: &Connection, repository: i64, place: &str) -> Result<Option<Link>> {
    let mut statement =
        connection.prepare_cached("SELECT cid, tsize FROM directories WHERE repository = ? AND place = ?")?;
    Ok(statement
        .query_row(params![repository, place], |row| Ok(Link { cid: cid_column(row, 0)?, tsize: row.get(1)? }))
        .optional()?)
}

/// All directories of a repository by place.
pub fn directories(connection: &Connection, repository: i64) -> Result<Vec<(String, Link)>> {
    let mut statement =
        connection.prepare_cached("SELECT place, cid, tsize FROM directories WHERE repository = ? ORDER BY place")?;
    let rows = statement
        .query_map([repository], |row| Ok((row.get(0)?, Link { cid: cid_column(row, 1)?, tsize: row.get(2)? })))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Every directory of every repository: the tree's roots besides the root itself.
pub fn all_directories(connection: &Connection) -> Result<Vec<Link>> {
    let mut statement = connection.prepare("SELECT cid, tsize FROM directories")?;
    let rows = statement.query_map([], |row| Ok(Link { cid: cid_column(row, 0)?, tsize: row.get(1)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Sets or removes the directory of a repository at this place.
pub fn set_directory(writer: &Writer<'_>, repository: i64, place: &str, link: Option<&Link>) -> Result<()> {
    match link {
        Some(link) => writer
            .prepare_cached("INSERT OR REPLACE INTO directories (repository, place, cid, tsize) VALUES (?, ?, ?, ?)")?
            .execute(params![repository, place, link.cid.to_bytes(), link.tsize])?,
        None => writer
            .prepare_cached("DELETE FROM directories WHERE repository = ? AND place = ?")?
            .execute(params![repository, place])?,
    };
    Ok(())
}

impl NodeStore for Nodes<'_> {
    fn get(&mut self, cid: &Cid) -> Result<Option<Node>> {
        let mut statement =
            self.connection.prepare_cached("SELECT bytes, tsize, directory_size FROM nodes WHERE cid = ?")?;
        let found = statement.query_row([cid.to_bytes()], |row| {
            Ok(Node { cid: *cid, bytes: row.get(0)?, tsize: row.get(1)?, directory_size: row.get(2)? })
        });
        Ok(found.optional()?)
    }

    fn put(&mut self, node: &Node) -> Result<()> {
        if !self.writable {
            return Err(crate::error::Error::new(crate::error::Kind::Unexpected, "nodes are only read here"));
        }
        let mut statement = self
            .connection
            .prepare_cached("INSERT OR IGNORE INTO nodes (cid, bytes, tsize, directory_size) VALUES (?, ?, ?, ?)")?;
        statement.execute(params![node.cid.to_bytes(), node.bytes, node.tsize, node.directory_size])?;
        Ok(())
    }
}
