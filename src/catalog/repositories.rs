//! Repositories under their published names.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::images::tag_column;
use super::{Writer, nodes};
use crate::error::Result;
use crate::image::{RepositoryName, Tag, Upstream, natural};

/// The directory of a repository's blobs, among its directories.
pub const BLOBS: &str = "blobs";

/// A row of the table `repositories`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Row in the table `repositories`.
    pub id: i64,
    /// Name that it is published under.
    pub name: RepositoryName,
    /// Where it is mirrored from; nowhere for images that came from a file.
    pub upstream: Option<Upstream>,
    /// Second published name (`nginx` for `library/nginx`).
    pub alias: Option<RepositoryName>,
    /// Whether upstream is asked over plain HTTP.
    pub transport: Transport,
    /// Upstream gives it only to those who log in.
    pub private: bool,
    /// It may be published although it is private.
    pub allowed: bool,
}

/// Whether an upstream is asked over plain HTTP, and whether that was chosen here.
///
/// What a published tree says of it stays in the repository's record, of which the root is made, and is never a reason to ask
/// so: credentials would go out in clear because somebody else wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transport {
    insecure: bool,
    chosen: bool,
}

impl Transport {
    /// As whoever curates this catalog chose it.
    pub fn chosen(insecure: bool) -> Self {
        Self { insecure, chosen: true }
    }

    /// As a published tree says it.
    pub fn of_tree(insecure: bool) -> Self {
        Self { insecure, chosen: false }
    }

    /// What was chosen here, if anything was: plain HTTP or not.
    pub fn choice(self) -> Option<bool> {
        self.chosen.then_some(self.insecure)
    }

    /// What the repository's record says. Content.
    pub fn recorded(self) -> bool {
        self.insecure
    }
}

impl Repository {
    /// Whether it is part of the tree.
    pub fn is_published(&self) -> bool {
        !self.private || self.allowed
    }

    /// Published names: the name, and the alias if there is one.
    pub fn names(&self) -> impl Iterator<Item = &RepositoryName> {
        std::iter::once(&self.name).chain(&self.alias)
    }
}

const COLUMNS: &str =
    "r.id, r.name, r.registry, r.upstream, r.alias, r.private, r.allowed, r.insecure, r.insecure_chosen";

fn name_column(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<RepositoryName>> {
    let Some(text) = row.get::<_, Option<String>>(index)? else { return Ok(None) };
    text.parse().map(Some).map_err(|error: crate::error::Error| {
        rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, Box::new(error))
    })
}

fn repository(row: &Row<'_>) -> rusqlite::Result<Repository> {
    let missing = |index| rusqlite::Error::InvalidColumnType(index, "name".to_owned(), rusqlite::types::Type::Null);
    let registry: Option<String> = row.get(2)?;
    let upstream = match (registry, name_column(row, 3)?) {
        (Some(registry), Some(repository)) => Some(Upstream { registry, repository }),
        _ => None,
    };
    Ok(Repository {
        id: row.get(0)?,
        name: name_column(row, 1)?.ok_or_else(|| missing(1))?,
        upstream,
        alias: name_column(row, 4)?,
        private: row.get(5)?,
        allowed: row.get(6)?,
        transport: Transport { insecure: row.get(7)?, chosen: row.get(8)? },
    })
}

/// The repository with this published name.
pub fn by_name(connection: &Connection, name: &str) -> Result<Option<Repository>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM repositories r WHERE r.name = ?"))?;
    Ok(statement.query_row([name], repository).optional()?)
}

/// The repository with this published name or alias.
pub fn by_name_or_alias(connection: &Connection, name: &str) -> Result<Option<Repository>> {
    if let Some(found) = by_name(connection, name)? {
        return Ok(Some(found));
    }
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM repositories r WHERE r.alias = ?"))?;
    Ok(statement.query_row([name], repository).optional()?)
}

/// A repository that is mirrored from there, under whatever name.
pub fn by_upstream(connection: &Connection, upstream: &Upstream) -> Result<Option<Repository>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM repositories r WHERE r.registry = ? AND r.upstream = ? ORDER BY r.name LIMIT 1"
    ))?;
    Ok(statement.query_row(params![upstream.registry, upstream.repository.as_str()], repository).optional()?)
}

/// The repository of this row.
pub fn by_id(connection: &Connection, id: i64) -> Result<Repository> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM repositories r WHERE r.id = ?"))?;
    Ok(statement.query_row([id], repository)?)
}

/// Repositories in the order of their names, after this name, at most so many.
pub fn list(connection: &Connection, after: Option<&str>, limit: Option<u64>) -> Result<Vec<Repository>> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM repositories r WHERE r.name > ? ORDER BY r.name LIMIT ?"))?;
    let limit = limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let rows = statement.query_map(params![after.unwrap_or_default(), limit], repository)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Names of the repositories that are part of the tree, in order.
pub fn published_names(connection: &Connection) -> Result<Vec<String>> {
    let mut statement =
        connection.prepare_cached("SELECT name FROM repositories WHERE private = 0 OR allowed = 1 ORDER BY name")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Names of the repositories that are part of the tree and have a directory at this place, in order.
pub fn published_names_with(connection: &Connection, place: &str) -> Result<Vec<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT r.name FROM repositories r WHERE (r.private = 0 OR r.allowed = 1)
         AND EXISTS (SELECT 1 FROM directories d WHERE d.repository = r.id AND d.place = ?) ORDER BY r.name",
    )?;
    let rows = statement.query_map([place], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Adds the row of a repository that has no images yet.
pub fn add(
    writer: &Writer<'_>,
    name: &RepositoryName,
    upstream: Option<&Upstream>,
    alias: Option<&RepositoryName>,
    private: bool,
) -> Result<Repository> {
    let mut statement = writer
        .prepare_cached("INSERT INTO repositories (name, registry, upstream, alias, private) VALUES (?, ?, ?, ?, ?)")?;
    let id = statement.insert(params![
        name.as_str(),
        upstream.map(|upstream| upstream.registry.as_str()),
        upstream.map(|upstream| upstream.repository.as_str()),
        alias.map(RepositoryName::as_str),
        private
    ])?;
    by_id(writer, id)
}

/// What the list of repositories shows of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Name that it is published under.
    pub name: RepositoryName,
    /// Second name that it is published under, as `library/nginx` and `nginx`.
    pub alias: Option<RepositoryName>,
    /// Number of tags, not of images pinned by digest.
    pub tags: u64,
    /// Platforms of all its images, sorted, each once.
    pub platforms: Vec<String>,
    /// The registry that it is mirrored from.
    pub registry: Option<String>,
    /// Its newest tag ([`natural::newest`]).
    pub newest: Option<Tag>,
    /// Bytes of its blobs, each counted once.
    pub size: u64,
    /// What its newest image says of itself; untrusted text.
    pub description: Option<String>,
}

/// The published repositories together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownTotals {
    /// How many there are.
    pub repositories: u64,
    /// Their tags.
    pub tags: u64,
    /// Their bytes. What several share is counted for each.
    pub size: u64,
}

/// The sums over all published repositories of what the list shows of each.
pub fn shown_totals(connection: &Connection) -> Result<ShownTotals> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*), coalesce(sum(tags), 0), coalesce(sum(size), 0) FROM repositories WHERE private = 0 OR allowed = 1",
    )?;
    Ok(statement
        .query_row([], |row| Ok(ShownTotals { repositories: row.get(0)?, tags: row.get(1)?, size: row.get(2)? }))?)
}

/// What the list shows of the published repositories from this name to that one, both included.
pub fn shown_between(connection: &Connection, first: &str, last: Option<&str>) -> Result<Vec<Shown>> {
    let mut statement = connection.prepare_cached(
        // Any text is less than any blob, and a bound that is always there lets the index end the search.
        "SELECT name, alias, tags, platforms, registry, newest, size, description FROM repositories
         WHERE (private = 0 OR allowed = 1) AND name >= ?1 AND name <= coalesce(?2, x'') ORDER BY name",
    )?;
    let missing = || rusqlite::Error::InvalidColumnType(0, "name".to_owned(), rusqlite::types::Type::Null);
    let rows = statement.query_map(params![first, last], |row| {
        let platforms: String = row.get(3)?;
        Ok(Shown {
            name: name_column(row, 0)?.ok_or_else(missing)?,
            alias: name_column(row, 1)?,
            tags: row.get(2)?,
            platforms: platforms.lines().map(str::to_owned).collect(),
            registry: row.get(4)?,
            newest: tag_column(row, 5)?,
            size: row.get(6)?,
            description: row.get(7)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Counts again what the list shows of a repository; says whether that changed.
pub fn count_shown(writer: &Writer<'_>, id: i64) -> Result<bool> {
    let tags: Vec<String> = writer
        .prepare_cached("SELECT tag FROM images WHERE repository = ? AND tag IS NOT NULL AND attached_to IS NULL")?
        .query_map([id], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let newest = natural::newest(tags.iter().map(String::as_str));
    let size = nodes::directory(writer, id, BLOBS)?.map_or(0, |blobs| blobs.tsize);
    // From one platform to the next: the index is not walked through.
    let mut platforms = String::new();
    let mut last = String::new();
    let mut statement =
        writer.prepare_cached("SELECT min(platform) FROM gateway_manifests WHERE repository = ? AND platform > ?")?;
    while let Some(platform) = statement.query_row(params![id, last], |row| row.get::<_, Option<String>>(0))? {
        platforms.push_str(&platform);
        platforms.push('\n');
        last = platform;
    }
    let changed = writer
        .prepare_cached(
            "UPDATE repositories SET tags = ?1, platforms = ?2, newest = ?3, size = ?4
             WHERE id = ?5 AND (tags != ?1 OR platforms != ?2 OR newest IS NOT ?3 OR size != ?4)",
        )?
        .execute(params![tags.len(), platforms, newest, size, id])?;
    Ok(changed > 0)
}

/// What the list shows as the newest tag of a repository.
pub fn newest(connection: &Connection, id: i64) -> Result<Option<Tag>> {
    let mut statement = connection.prepare_cached("SELECT newest FROM repositories WHERE id = ?")?;
    Ok(statement.query_row([id], |row| tag_column(row, 0))?)
}

/// What the newest image of a repository says of itself; untrusted text.
pub fn description(connection: &Connection, id: i64) -> Result<Option<String>> {
    let mut statement = connection.prepare_cached("SELECT description FROM repositories WHERE id = ?")?;
    Ok(statement.query_row([id], |row| row.get(0))?)
}

/// Keeps what the newest image of a repository says of itself; says whether that changed.
pub fn set_description(writer: &Writer<'_>, id: i64, description: Option<&str>) -> Result<bool> {
    let changed = writer
        .prepare_cached("UPDATE repositories SET description = ?1 WHERE id = ?2 AND description IS NOT ?1")?
        .execute(params![description, id])?;
    Ok(changed > 0)
}

/// Whether an image from there may consist of this blob without having shown that it has it: it is published already, or
/// comes from the same upstream, or belongs to nothing.
pub fn may_name(connection: &Connection, blob: i64, upstream: Option<&Upstream>) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT NOT EXISTS (SELECT 1 FROM image_contents WHERE blob = ?1)
         OR EXISTS (SELECT 1 FROM image_contents c JOIN repositories r ON r.id = c.repository
                    WHERE c.blob = ?1 AND (r.private = 0 OR r.allowed = 1 OR (r.registry IS ?2 AND r.upstream IS ?3)))",
    )?;
    let registry = upstream.map(|upstream| upstream.registry.as_str());
    let repository = upstream.map(|upstream| upstream.repository.as_str());
    Ok(statement.query_row(params![blob, registry, repository], |row| row.get(0))?)
}

/// Whether anything that is mirrored from there is private, under whatever name.
pub fn any_private(connection: &Connection, upstream: &Upstream) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM repositories WHERE registry = ? AND upstream = ? AND private = 1)",
    )?;
    Ok(statement.query_row(params![upstream.registry, upstream.repository.as_str()], |row| row.get(0))?)
}

/// Says whether a repository is private, and whether it may be published all the same.
pub fn set_visibility(writer: &Writer<'_>, id: i64, private: bool, allowed: bool) -> Result<()> {
    writer
        .prepare_cached("UPDATE repositories SET private = ?, allowed = ? WHERE id = ?")?
        .execute(params![private, allowed, id])?;
    Ok(())
}

/// Whether upstream is asked over plain HTTP, as the newest choice for it says, or else that for anything of its registry. What
/// trees say is no choice.
pub fn is_insecure(connection: &Connection, upstream: &Upstream) -> Result<bool> {
    // Two questions, each of which an index answers: a run of the rules asks them for every repository.
    let mut of_upstream = connection.prepare_cached(
        "SELECT insecure FROM repositories WHERE registry = ? AND upstream = ? AND insecure_chosen = 1 ORDER BY id DESC LIMIT 1",
    )?;
    let of_it =
        of_upstream.query_row([&upstream.registry, upstream.repository.as_str()], |row| row.get(0)).optional()?;
    if let Some(insecure) = of_it {
        return Ok(insecure);
    }
    let mut of_registry = connection.prepare_cached(
        "SELECT insecure FROM repositories WHERE registry = ? AND insecure_chosen = 1 ORDER BY id DESC LIMIT 1",
    )?;
    Ok(of_registry.query_row([&upstream.registry], |row| row.get(0)).optional()?.unwrap_or(false))
}

/// Says whether upstream is asked over plain HTTP.
pub fn set_transport(writer: &Writer<'_>, id: i64, transport: Transport) -> Result<()> {
    writer
        .prepare_cached("UPDATE repositories SET insecure = ?, insecure_chosen = ? WHERE id = ?")?
        .execute(params![transport.insecure, transport.chosen, id])?;
    Ok(())
}

/// Removes a repository that has no images.
pub fn remove(writer: &Writer<'_>, id: i64) -> Result<()> {
    writer.prepare_cached("DELETE FROM pages WHERE scope = ?")?.execute([id])?;
    writer.prepare_cached("DELETE FROM repositories WHERE id = ?")?.execute([id])?;
    Ok(())
}
