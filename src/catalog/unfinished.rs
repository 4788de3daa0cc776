//! What publications that were cut left behind: themselves, to be continued, and temporary roots that a target may still pin.
//!
//! A temporary root is noted as a step `chain:N` of its publication before it is pinned, so that every one has an owner.

use std::collections::BTreeSet;

use cid::Cid;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::Writer;
use super::publications::{self, Publication, State};
use crate::error::Result;

/// The publication of this root to this target that was begun last, if it is the target's last and has not come to its end.
pub fn of_root(connection: &Connection, target: i64, root: &Cid) -> Result<Option<Publication>> {
    let mut statement =
        connection.prepare_cached("SELECT id, state FROM publications WHERE target = ? ORDER BY id DESC LIMIT 1")?;
    let last: Option<(i64, String)> = statement.query_row([target], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((id, state)) = last else { return Ok(None) };
    if state != State::Running.as_str() && state != State::Failed.as_str() {
        return Ok(None);
    }
    Ok(publications::by_id(connection, id)?.filter(|publication| publication.root.cid == *root))
}

/// Goes on with a publication.
pub fn reopen(writer: &Writer<'_>, publication: i64) -> Result<()> {
    writer
        .prepare_cached("UPDATE publications SET state = 'running', ended_at = NULL, failure = NULL WHERE id = ?")?
        .execute([publication])?;
    Ok(())
}

/// Whether this root is one that the catalog stood for, or was published from here, or begun to be, or was a temporary one, to
/// whichever target.
pub fn is_ours(connection: &Connection, root: &Cid) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM publications WHERE root = ?1)
         OR EXISTS (SELECT 1 FROM operations WHERE root_after = ?1)
         OR EXISTS (SELECT 1 FROM publication_steps WHERE detail = ?2 AND step LIKE 'chain:%')",
    )?;
    Ok(statement.query_row(params![root.to_bytes(), root.to_string()], |row| row.get(0))?)
}

/// The temporary roots that a target may still pin.
pub fn temporary_roots(connection: &Connection, target: i64) -> Result<BTreeSet<Cid>> {
    let mut statement = connection.prepare_cached(
        "SELECT s.detail FROM publication_steps s JOIN publications p ON p.id = s.publication
         WHERE p.target = ? AND s.step LIKE 'chain:%'",
    )?;
    let mut rows = statement.query([target])?;
    let mut roots = BTreeSet::new();
    while let Some(row) = rows.next()? {
        // What does not parse was never pinned.
        roots.extend(row.get::<_, String>(0)?.parse::<Cid>().ok());
    }
    Ok(roots)
}

/// Forgets a temporary root that the target does not pin any more.
pub fn forget_temporary_root(writer: &Writer<'_>, target: i64, root: &Cid) -> Result<()> {
    writer
        .prepare_cached(
            "DELETE FROM publication_steps WHERE step LIKE 'chain:%' AND detail = ?2
             AND publication IN (SELECT id FROM publications WHERE target = ?1)",
        )?
        .execute(params![target, root.to_string()])?;
    Ok(())
}

/// The names of private repositories that are part of the tree because that was allowed.
pub fn allowed_private(connection: &Connection) -> Result<Vec<String>> {
    names(connection, "SELECT name FROM repositories WHERE private AND allowed ORDER BY name")
}

/// The names of private repositories that are left out of the tree.
pub fn left_out(connection: &Connection) -> Result<Vec<String>> {
    names(connection, "SELECT name FROM repositories WHERE private AND NOT allowed ORDER BY name")
}

fn names(connection: &Connection, query: &str) -> Result<Vec<String>> {
    let mut statement = connection.prepare_cached(query)?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
