//! The pages of lists that do not fit one: which names each holds, so that a change finds the page it rewrites.

use rusqlite::{Connection, Row, params};

use super::Writer;
use crate::error::Result;

/// The list of repositories; any other scope is the row of a repository, and its images.
pub const REPOSITORIES: i64 = 0;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The first name on it.
    pub first: String,
    /// The last name on it.
    pub last: String,
    /// What its file is called by.
    pub key: String,
}

fn page(row: &Row<'_>) -> rusqlite::Result<Page> {
    Ok(Page { first: row.get(0)?, last: row.get(1)?, key: row.get(2)? })
}

/// The pages of a list in order; none if it fits one.
pub fn of(connection: &Connection, scope: i64) -> Result<Vec<Page>> {
    let mut statement =
        connection.prepare_cached("SELECT first, last, key FROM pages WHERE scope = ? ORDER BY first")?;
    let rows = statement.query_map([scope], page)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Records the pages of a list.
pub fn set(writer: &Writer<'_>, scope: i64, pages: &[Page]) -> Result<()> {
    writer.prepare_cached("DELETE FROM pages WHERE scope = ?")?.execute([scope])?;
    let mut statement = writer.prepare_cached("INSERT INTO pages (scope, first, last, key) VALUES (?, ?, ?, ?)")?;
    for page in pages {
        statement.execute(params![scope, page.first, page.last, page.key])?;
    }
    Ok(())
}
