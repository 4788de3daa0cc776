//! Which rule selects a tag, whether a rule brought it, and what tags pointed to before they moved.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Writer;
use crate::error::Result;

/// A row of the table `rule_images`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleImage {
    /// Published name of its repository.
    pub repository: String,
    /// Tag, as published.
    pub tag: String,
    /// The first rule that selects it, or did.
    pub rule: String,
    /// Whether a rule added it. What was here before, no rule removes.
    pub brought: bool,
    /// Since when no rule selects it, in seconds since 1970.
    pub leaving_at: Option<i64>,
}

/// What a tag pointed to before it moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerImage {
    /// Published name of its repository.
    pub repository: String,
    /// Tag or digest that it has here.
    pub image: String,
    /// How long it stays, in seconds since 1970.
    pub until: i64,
}

const COLUMNS: &str = "repository, tag, rule, brought, leaving_at";

fn rule_image(row: &Row<'_>) -> rusqlite::Result<RuleImage> {
    Ok(RuleImage {
        repository: row.get(0)?,
        tag: row.get(1)?,
        rule: row.get(2)?,
        brought: row.get(3)?,
        leaving_at: row.get(4)?,
    })
}

/// All of them.
pub fn all(connection: &Connection) -> Result<Vec<RuleImage>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM rule_images ORDER BY repository, tag"))?;
    let rows = statement.query_map([], rule_image)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The row of a tag.
pub fn of_tag(connection: &Connection, repository: &str, tag: &str) -> Result<Option<RuleImage>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM rule_images WHERE repository = ? AND tag = ?"))?;
    Ok(statement.query_row([repository, tag], rule_image).optional()?)
}

/// Records a row, whatever there was.
pub fn put(writer: &Writer<'_>, row: &RuleImage) -> Result<()> {
    writer
        .prepare_cached(&format!("INSERT OR REPLACE INTO rule_images ({COLUMNS}) VALUES (?, ?, ?, ?, ?)"))?
        .execute(params![row.repository, row.tag, row.rule, row.brought, row.leaving_at])?;
    Ok(())
}

/// Records that somebody asked for a tag by hand, so that no rule removes it; says whether a rule had brought it.
pub fn keep(writer: &Writer<'_>, repository: &str, tag: &str) -> Result<bool> {
    let changed = writer
        .prepare_cached(
            "UPDATE rule_images SET brought = 0, leaving_at = NULL WHERE repository = ? AND tag = ? AND brought = 1",
        )?
        .execute([repository, tag])?;
    Ok(changed > 0)
}

/// Removes the row of a tag.
pub fn remove(writer: &Writer<'_>, repository: &str, tag: &str) -> Result<()> {
    writer.prepare_cached("DELETE FROM rule_images WHERE repository = ? AND tag = ?")?.execute([repository, tag])?;
    Ok(())
}

/// The former images that are kept, those that go first first.
pub fn formers(connection: &Connection) -> Result<Vec<FormerImage>> {
    let mut statement =
        connection.prepare_cached("SELECT repository, image, until FROM former_images ORDER BY until")?;
    let rows = statement
        .query_map([], |row| Ok(FormerImage { repository: row.get(0)?, image: row.get(1)?, until: row.get(2)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Records a former image.
pub fn put_former(writer: &Writer<'_>, former: &FormerImage) -> Result<()> {
    writer
        .prepare_cached("INSERT OR REPLACE INTO former_images (repository, image, until) VALUES (?, ?, ?)")?
        .execute(params![former.repository, former.image, former.until])?;
    Ok(())
}

/// Forgets that something is a former image.
pub fn remove_former(writer: &Writer<'_>, repository: &str, image: &str) -> Result<()> {
    writer
        .prepare_cached("DELETE FROM former_images WHERE repository = ? AND image = ?")?
        .execute([repository, image])?;
    Ok(())
}
