//! Pages of long lists, filtered and sorted by the database, so that no face holds more rows than it shows.

use rusqlite::{Connection, params};

use super::images::{self, Image};
use super::repositories::{self, Repository};
use crate::error::Result;

/// How repositories are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RepositoryOrder {
    /// By name.
    #[default]
    Name,
    /// By how many images they have.
    Images,
    /// By the bytes of all their images in full.
    Size,
    /// By when an image was added last.
    Added,
}

/// How the images of a repository are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ImageOrder {
    /// By tag.
    #[default]
    Tag,
    /// By their bytes in full.
    Size,
    /// By when they were added.
    Added,
}

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a, Order> {
    /// Only what contains this text, whatever its case.
    pub filter: &'a str,
    /// The order.
    pub order: Order,
    /// The order turned around.
    pub descending: bool,
    /// Rows to skip.
    pub offset: u64,
    /// Rows at most.
    pub limit: u64,
}

impl<Order> Part<'_, Order> {
    fn direction(&self) -> &'static str {
        if self.descending { "DESC" } else { "ASC" }
    }

    fn bounds(&self) -> (i64, i64) {
        let number = |value| i64::try_from(value).unwrap_or(i64::MAX);
        (number(self.limit), number(self.offset))
    }
}

/// `LIKE` with this text anywhere in it.
fn pattern(filter: &str) -> String {
    let mut pattern = String::from("%");
    for letter in filter.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// A part of the repositories, and how many there are with this filter.
pub fn repositories(connection: &Connection, part: &Part<'_, RepositoryOrder>) -> Result<(u64, Vec<Repository>)> {
    let filtered = "FROM repositories r WHERE (r.name LIKE ?1 ESCAPE '\\' OR r.alias LIKE ?1 ESCAPE '\\')";
    let pattern = pattern(part.filter);
    let total = if part.filter.is_empty() {
        connection.prepare_cached("SELECT count(*) FROM repositories")?.query_row([], |row| row.get(0))?
    } else {
        connection.prepare_cached(&format!("SELECT count(*) {filtered}"))?.query_row([&pattern], |row| row.get(0))?
    };
    let key = match part.order {
        RepositoryOrder::Name => "r.name",
        RepositoryOrder::Images => "r.tags",
        RepositoryOrder::Size => "(SELECT coalesce(sum(i.logical), 0) FROM images i WHERE i.repository = r.id)",
        RepositoryOrder::Added => "(SELECT coalesce(max(i.added_at), 0) FROM images i WHERE i.repository = r.id)",
    };
    let ((limit, offset), direction) = (part.bounds(), part.direction());
    let mut statement = connection
        .prepare_cached(&format!("SELECT r.id {filtered} ORDER BY {key} {direction}, r.name LIMIT ?2 OFFSET ?3"))?;
    let ids: Vec<i64> =
        statement.query_map(params![pattern, limit, offset], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let rows = ids.into_iter().map(|id| repositories::by_id(connection, id)).collect::<Result<_>>()?;
    Ok((total, rows))
}

/// A part of a repository's images, without those that only came along, and how many there are with this filter.
pub fn images(connection: &Connection, repository: i64, part: &Part<'_, ImageOrder>) -> Result<(u64, Vec<Image>)> {
    let filtered =
        "FROM images i WHERE i.repository = ?1 AND i.attached_to IS NULL AND coalesce(i.tag, '') LIKE ?2 ESCAPE '\\'";
    let pattern = pattern(part.filter);
    let total = connection
        .prepare_cached(&format!("SELECT count(*) {filtered}"))?
        .query_row(params![repository, pattern], |row| row.get(0))?;
    let key = match part.order {
        ImageOrder::Tag => "i.tag IS NULL, i.tag",
        ImageOrder::Size => "i.logical",
        ImageOrder::Added => "i.added_at",
    };
    let ((limit, offset), direction) = (part.bounds(), part.direction());
    let mut statement = connection.prepare_cached(&format!(
        "SELECT i.id {filtered} ORDER BY {key} {direction}, i.tag, i.id LIMIT ?3 OFFSET ?4"
    ))?;
    let ids: Vec<i64> = statement
        .query_map(params![repository, pattern, limit, offset], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut rows = Vec::with_capacity(ids.len());
    for id in ids {
        rows.extend(images::by_id(connection, id)?);
    }
    Ok((total, rows))
}
