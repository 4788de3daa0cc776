//! What is shared and what it saves. Every figure of every screen comes from here, so that no two disagree.
//!
//! - *logical*: the bytes of everything an image consists of, manifests included; a registry's logical size counts each image in full.
//! - *stored*: the bytes of what is there once.
//! - *saved*: logical less stored.
//! - *unique*: the bytes that nothing else needs, which removing it (with what came along with it) would free.

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Result;
use crate::image::Digest;

use super::blobs::digest_column;

/// Dedup figures, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Figures {
    /// Every image in full.
    pub logical: u64,
    /// Bytes of the blobs, each counted once.
    pub stored: u64,
    /// Needed by nothing else.
    pub unique: u64,
}

impl Figures {
    /// Bytes saved by sharing: logical less stored.
    pub fn saved(&self) -> u64 {
        self.logical.saturating_sub(self.stored)
    }

    /// What is stored of the logical bytes, and what is saved, in whole percent that make up 100; none where there is nothing.
    pub fn percent(&self) -> Option<(u64, u64)> {
        let stored = u64::try_from(u128::from(self.stored.min(self.logical)) * 100 / u128::from(self.logical.max(1)));
        let stored = stored.ok().filter(|_| self.logical > 0)?;
        Some((stored, 100 - stored))
    }
}

/// Numbers of repositories, images and blobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Repositories. A document that has this has their list under the same name, which says how many there are.
    #[serde(skip)]
    pub repositories: u64,
    /// Images: tags, and manifests pinned by digest.
    pub images: u64,
    /// Blobs and manifests, each counted once.
    pub blobs: u64,
}

/// A blob that several images need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedBlob {
    /// Digest of the shared blob.
    pub digest: Digest,
    /// Size of the blob in bytes, counted once.
    pub size: u64,
    /// Number of images that need it.
    pub images: u64,
}

/// The whole registry. What is unique to it is what is stored.
pub fn registry(connection: &Connection) -> Result<(Figures, Counts)> {
    let logical = connection.query_row("SELECT coalesce(sum(logical), 0) FROM images", [], |row| row.get(0))?;
    let (stored, blobs) = connection.query_row(
        "SELECT coalesce(sum(size), 0), count(*) FROM blobs b WHERE EXISTS (SELECT 1 FROM image_contents c WHERE c.blob = b.id AND c.role < 4)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let repositories = connection.query_row("SELECT count(*) FROM repositories", [], |row| row.get(0))?;
    let images = connection.query_row("SELECT count(*) FROM images WHERE attached_to IS NULL", [], |row| row.get(0))?;
    Ok((Figures { logical, stored, unique: stored }, Counts { repositories, images, blobs }))
}

/// Figures of one repository, by its row.
pub fn repository(connection: &Connection, id: i64) -> Result<Figures> {
    let logical =
        connection
            .query_row("SELECT coalesce(sum(logical), 0) FROM images WHERE repository = ?", [id], |row| row.get(0))?;
    let (stored, unique) = connection.query_row(
        "SELECT coalesce(sum(b.size), 0), coalesce(sum(CASE WHEN EXISTS
           (SELECT 1 FROM image_contents o WHERE o.blob = b.id AND o.repository != ?1 AND o.role < 4) THEN 0 ELSE b.size END), 0)
         FROM blobs b WHERE b.id IN (SELECT c.blob FROM images i JOIN image_contents c ON c.image = i.id WHERE i.repository = ?1 AND c.role < 4)",
        [id],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(Figures { logical, stored, unique })
}

/// Some images together, which are taken as removed together.
pub fn images(connection: &Connection, ids: &[i64]) -> Result<Figures> {
    // Rows of a JSON array: the number of images is not bounded by SQLite's limit of parameters.
    let list = serde_json::Value::from(ids).to_string();
    let logical = connection.query_row(
        "SELECT coalesce(sum(logical), 0) FROM images WHERE id IN (SELECT value FROM json_each(?))",
        [&list],
        |row| row.get(0),
    )?;
    let (stored, unique) = connection.query_row(
        "WITH chosen AS MATERIALIZED (SELECT value AS id FROM json_each(?1))
         SELECT coalesce(sum(b.size), 0), coalesce(sum(CASE WHEN EXISTS
           (SELECT 1 FROM image_contents o WHERE o.blob = b.id AND o.role < 4 AND o.image NOT IN (SELECT id FROM chosen)) THEN 0 ELSE b.size END), 0)
         FROM blobs b WHERE b.id IN (SELECT c.blob FROM image_contents c WHERE c.image IN (SELECT id FROM chosen) AND c.role < 4)",
        [&list],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(Figures { logical, stored, unique })
}

/// The blobs that only these images need, each with the name of a repository of them that has it.
pub fn unique_blobs(connection: &Connection, ids: &[i64]) -> Result<Vec<(String, i64)>> {
    let list = serde_json::Value::from(ids).to_string();
    let mut statement = connection.prepare_cached(
        "WITH chosen AS MATERIALIZED (SELECT value AS id FROM json_each(?1))
         SELECT min(r.name), c.blob FROM image_contents c JOIN repositories r ON r.id = c.repository
         WHERE c.image IN (SELECT id FROM chosen) AND c.role < 4 AND NOT EXISTS
           (SELECT 1 FROM image_contents o WHERE o.blob = c.blob AND o.role < 4 AND o.image NOT IN (SELECT id FROM chosen))
         GROUP BY c.blob",
    )?;
    let rows = statement.query_map([&list], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The other images that need this blob, as `name:tag` or `name@digest`, at most so many, and how many there are.
pub fn sharers(connection: &Connection, blob: i64, but_not: i64, limit: u64) -> Result<(Vec<String>, u64)> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT r.name, i.tag, b.digest FROM image_contents c JOIN images i ON i.id = c.image
         JOIN repositories r ON r.id = i.repository JOIN blobs b ON b.id = i.manifest
         WHERE c.blob = ?1 AND c.image != ?2 AND c.role < 4 ORDER BY r.name, i.tag LIMIT ?3",
    )?;
    let rows = statement.query_map(params![blob, but_not, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        let (name, tag): (String, Option<String>) = (row.get(0)?, row.get(1)?);
        Ok(match tag {
            Some(tag) => format!("{name}:{tag}"),
            None => format!("{name}@{}", digest_column(row, 2)?),
        })
    })?;
    let names = rows.collect::<Result<_, _>>()?;
    let count = connection
        .prepare_cached("SELECT count(DISTINCT image) FROM image_contents WHERE blob = ? AND image != ? AND role < 4")?
        .query_row(params![blob, but_not], |row| row.get(0))?;
    Ok((names, count))
}

/// The images that share something with these, as `name:tag` or `name@digest`, those that share most bytes first, at most so many,
/// and how many there are; without what only came along with others.
pub fn keepers(connection: &Connection, ids: &[i64], limit: u64) -> Result<(Vec<String>, u64)> {
    const SHARING: &str = "WITH chosen AS MATERIALIZED (SELECT value AS id FROM json_each(?1)),
         theirs AS MATERIALIZED (SELECT DISTINCT blob FROM image_contents WHERE image IN (SELECT id FROM chosen) AND role < 4),
         sharing AS MATERIALIZED (SELECT o.image AS image, sum(b.size) AS bytes FROM
           (SELECT DISTINCT c.image, c.blob FROM theirs JOIN image_contents c ON c.blob = theirs.blob
            WHERE c.role < 4 AND c.image NOT IN (SELECT id FROM chosen)) o JOIN blobs b ON b.id = o.blob GROUP BY o.image)";
    let list = serde_json::Value::from(ids).to_string();
    let mut statement = connection.prepare_cached(&format!(
        "{SHARING} SELECT r.name, i.tag, b.digest FROM sharing s JOIN images i ON i.id = s.image
         JOIN repositories r ON r.id = i.repository JOIN blobs b ON b.id = i.manifest
         WHERE i.attached_to IS NULL ORDER BY s.bytes DESC, r.name, i.tag, b.digest LIMIT ?2"
    ))?;
    let rows = statement.query_map(params![list, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        let (name, tag): (String, Option<String>) = (row.get(0)?, row.get(1)?);
        Ok(match tag {
            Some(tag) => format!("{name}:{tag}"),
            None => format!("{name}@{}", digest_column(row, 2)?),
        })
    })?;
    let names = rows.collect::<Result<_, _>>()?;
    let count = connection
        .prepare_cached(&format!(
            "{SHARING} SELECT count(*) FROM sharing s JOIN images i ON i.id = s.image WHERE i.attached_to IS NULL"
        ))?
        .query_row([&list], |row| row.get(0))?;
    Ok((names, count))
}

/// Whether an image needs this blob, so that it is counted by [`registry`].
pub fn is_counted(connection: &Connection, blob: i64) -> Result<bool> {
    let mut statement =
        connection.prepare_cached("SELECT 1 FROM image_contents WHERE blob = ? AND role < 4 LIMIT 1")?;
    Ok(statement.query_row([blob], |_| Ok(())).optional()?.is_some())
}

/// The layers that save most: size times the images beyond the first.
pub fn most_shared(connection: &Connection, limit: u64) -> Result<Vec<SharedBlob>> {
    let mut statement = connection.prepare_cached(
        "SELECT b.digest, b.size, count(DISTINCT c.image) AS images FROM image_contents c JOIN blobs b ON b.id = c.blob
         WHERE c.role = 2 GROUP BY c.blob HAVING images > 1 ORDER BY b.size * (images - 1) DESC, b.digest LIMIT ?",
    )?;
    let rows = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        Ok(SharedBlob { digest: digest_column(row, 0)?, size: row.get(1)?, images: row.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether any image needs this blob.
pub fn is_needed(connection: &Connection, blob: i64) -> Result<bool> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM image_contents WHERE blob = ? LIMIT 1")?;
    Ok(statement.query_row([blob], |_| Ok(())).optional()?.is_some())
}
