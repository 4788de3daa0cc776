//! Which rule selects a tag, whether a rule brought it, what tags pointed to before they moved, and what runs are bringing.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Writer;
use super::blobs::{digest_column, optional_digest_column};
use crate::error::Result;
use crate::image::Digest;

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
    /// Since when no rule selects it, or upstream does not have it, in seconds since 1970.
    pub leaving_at: Option<i64>,
    /// Whether it leaves because upstream does not have it any more.
    pub gone: bool,
}

impl RuleImage {
    /// `name:tag` or `name@digest`.
    pub fn shown(&self) -> String {
        shown(&self.repository, &self.tag)
    }
}

/// What a tag pointed to before it moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerImage {
    /// Published name of its repository.
    pub repository: String,
    /// Tag or digest that it has here.
    pub image: String,
    /// Since when it is kept, in seconds since 1970; older versions did not note that: 0.
    pub since: i64,
    /// How long it stays, in seconds since 1970.
    pub until: i64,
}

/// What a run is bringing, and has not told yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComingImage {
    /// Published name of its repository.
    pub repository: String,
    /// Tag or digest that it has here.
    pub tag: String,
    /// The rule that brings it.
    pub rule: String,
    /// The digest that its tag had here.
    pub from: Option<Digest>,
    /// The digest that comes.
    pub to: Digest,
    /// When the run began, in seconds since 1970.
    pub began_at: i64,
}

/// `name:tag` or `name@digest`.
pub fn shown(repository: &str, tag: &str) -> String {
    let between = if tag.contains(':') { '@' } else { ':' };
    format!("{repository}{between}{tag}")
}

const COLUMNS: &str = "repository, tag, rule, brought, leaving_at, gone";

fn rule_image(row: &Row<'_>) -> rusqlite::Result<RuleImage> {
    Ok(RuleImage {
        repository: row.get(0)?,
        tag: row.get(1)?,
        rule: row.get(2)?,
        brought: row.get(3)?,
        leaving_at: row.get(4)?,
        gone: row.get(5)?,
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
        .prepare_cached(&format!("INSERT OR REPLACE INTO rule_images ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"))?
        .execute(params![row.repository, row.tag, row.rule, row.brought, row.leaving_at, row.gone])?;
    Ok(())
}

/// Whether a rule brought a tag or keeps it as a former image, so that a rule may remove it.
pub fn is_of_rule(connection: &Connection, repository: &str, tag: &str) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM rule_images WHERE repository = ?1 AND tag = ?2 AND brought = 1)
             OR EXISTS (SELECT 1 FROM former_images WHERE repository = ?1 AND image = ?2)",
    )?;
    Ok(statement.query_row([repository, tag], |row| row.get(0))?)
}

/// Records that somebody asked for a tag or digest by hand, so that no rule removes it.
pub fn keep(writer: &Writer<'_>, repository: &str, tag: &str) -> Result<()> {
    writer
        .prepare_cached(
            "UPDATE rule_images SET brought = 0, leaving_at = NULL, gone = 0 WHERE repository = ? AND tag = ?
             AND brought = 1",
        )?
        .execute([repository, tag])?;
    remove_former(writer, repository, tag)
}

/// Removes the row of a tag.
pub fn remove(writer: &Writer<'_>, repository: &str, tag: &str) -> Result<()> {
    writer.prepare_cached("DELETE FROM rule_images WHERE repository = ? AND tag = ?")?.execute([repository, tag])?;
    Ok(())
}

const FORMER_COLUMNS: &str = "repository, image, since, until";

fn former(row: &Row<'_>) -> rusqlite::Result<FormerImage> {
    Ok(FormerImage { repository: row.get(0)?, image: row.get(1)?, since: row.get(2)?, until: row.get(3)? })
}

/// The former images that are kept, those that go first first.
pub fn formers(connection: &Connection) -> Result<Vec<FormerImage>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {FORMER_COLUMNS} FROM former_images ORDER BY until"))?;
    let rows = statement.query_map([], former)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The row of a former image.
pub fn former_of(connection: &Connection, repository: &str, image: &str) -> Result<Option<FormerImage>> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {FORMER_COLUMNS} FROM former_images WHERE repository = ? AND image = ?"))?;
    Ok(statement.query_row([repository, image], former).optional()?)
}

/// Records a former image.
pub fn put_former(writer: &Writer<'_>, former: &FormerImage) -> Result<()> {
    writer
        .prepare_cached(&format!("INSERT OR REPLACE INTO former_images ({FORMER_COLUMNS}) VALUES (?, ?, ?, ?)"))?
        .execute(params![former.repository, former.image, former.since, former.until])?;
    Ok(())
}

/// Forgets that something is a former image.
pub fn remove_former(writer: &Writer<'_>, repository: &str, image: &str) -> Result<()> {
    writer
        .prepare_cached("DELETE FROM former_images WHERE repository = ? AND image = ?")?
        .execute([repository, image])?;
    Ok(())
}

/// What runs are bringing and have not told, by rule.
pub fn coming(connection: &Connection) -> Result<Vec<ComingImage>> {
    let mut statement = connection.prepare_cached(
        "SELECT repository, tag, rule, from_digest, to_digest, began_at FROM coming_images
         ORDER BY began_at, rule, repository, tag",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(ComingImage {
            repository: row.get(0)?,
            tag: row.get(1)?,
            rule: row.get(2)?,
            from: optional_digest_column(row, 3)?,
            to: digest_column(row, 4)?,
            began_at: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Records what a run is about to bring.
pub fn put_coming(writer: &Writer<'_>, coming: &ComingImage) -> Result<()> {
    writer
        .prepare_cached(
            "INSERT OR REPLACE INTO coming_images (repository, tag, rule, from_digest, to_digest, began_at)
             VALUES (?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            coming.repository,
            coming.tag,
            coming.rule,
            coming.from.map(|digest| digest.as_bytes().to_vec()),
            coming.to.as_bytes(),
            coming.began_at
        ])?;
    Ok(())
}

/// Removes what came or did not come; says whether it was still to be told.
pub fn remove_coming(writer: &Writer<'_>, repository: &str, tag: &str) -> Result<bool> {
    let removed = writer
        .prepare_cached("DELETE FROM coming_images WHERE repository = ? AND tag = ?")?
        .execute([repository, tag])?;
    Ok(removed > 0)
}

/// Removes what runs that began before then did not bring.
pub fn prune_coming(writer: &Writer<'_>, before: i64) -> Result<()> {
    writer.prepare_cached("DELETE FROM coming_images WHERE began_at < ?")?.execute([before])?;
    Ok(())
}
