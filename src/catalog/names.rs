//! What everything in the catalog is called: names to be compared, and digests and CIDs by how they begin.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use rusqlite::{Connection, params};

use super::blobs::{cid_column, digest_column};
use super::images::Role;
use crate::error::Result;
use crate::image::Digest;

/// A repository, or an image with a tag, by its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named<'n> {
    /// Published name of the repository.
    pub repository: &'n str,
    /// Its second published name.
    pub alias: Option<&'n str>,
    /// Tag; none: it is the repository itself.
    pub tag: Option<&'n str>,
    /// Row of the repository or the image.
    pub id: i64,
}

/// Calls `visit` with every repository, then with every image that has a tag and was not attached to another one.
pub fn each(connection: &Connection, mut visit: impl FnMut(Named<'_>)) -> Result<()> {
    let mut statement = connection.prepare_cached("SELECT id, name, alias FROM repositories")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
    let repositories: HashMap<i64, (String, Option<String>)> = rows.collect::<Result<_, _>>()?;
    for (id, (repository, alias)) in &repositories {
        visit(Named { repository, alias: alias.as_deref(), tag: None, id: *id });
    }
    // Without a join and in no order: an index has all of this, and it is asked for with every letter that is typed.
    let mut statement = connection
        .prepare_cached("SELECT repository, tag, id FROM images WHERE attached_to IS NULL AND tag IS NOT NULL")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Some((repository, alias)) = repositories.get(&row.get(0)?) else { continue };
        let tag = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        visit(Named { repository, alias: alias.as_deref(), tag: Some(tag), id: row.get(2)? });
    }
    Ok(())
}

/// A blob that an image consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Digest of the blob.
    pub digest: Digest,
    /// CID of the blob as a file.
    pub cid: String,
    /// The image's own manifest, or what the blob is in it.
    pub role: PartRole,
    /// Row of the image; of one that is attached, the image that it is attached to.
    pub image: i64,
    /// How many images have the blob.
    pub images: u64,
}

/// What a blob is in an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartRole {
    /// The manifest that its tag names.
    Top,
    /// Something else.
    Other(Role),
}

/// Blobs of images whose digests are in this range, at most so many.
pub fn by_digest(connection: &Connection, range: &RangeInclusive<Vec<u8>>, limit: u64) -> Result<Vec<Part>> {
    parts(connection, "b.digest", range, limit)
}

/// Blobs of images whose CIDs, in bytes, are in this range, at most so many.
pub fn by_cid(connection: &Connection, range: &RangeInclusive<Vec<u8>>, limit: u64) -> Result<Vec<Part>> {
    parts(connection, "b.cid", range, limit)
}

fn parts(connection: &Connection, column: &str, range: &RangeInclusive<Vec<u8>>, limit: u64) -> Result<Vec<Part>> {
    // Generated files, which no image consists of, are blobs too.
    let mut statement = connection.prepare_cached(&format!(
        "SELECT b.id, b.digest, b.cid FROM blobs b WHERE {column} BETWEEN ? AND ?
         AND EXISTS (SELECT 1 FROM image_contents c WHERE c.blob = b.id AND c.role < 4) ORDER BY {column} LIMIT ?"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![range.start(), range.end(), limit], |row| {
        Ok((row.get::<_, i64>(0)?, digest_column(row, 1)?, cid_column(row, 2)?.to_string()))
    })?;
    let blobs: Vec<(i64, Digest, String)> = rows.collect::<Result<_, _>>()?;
    let mut found = Vec::new();
    for (blob, digest, cid) in blobs {
        if let Some((image, role, images)) = holder(connection, blob)? {
            found.push(Part { digest, cid, role, image, images });
        }
    }
    Ok(found)
}

/// The image by which a blob is best known, what the blob is in it, and how many images have it.
fn holder(connection: &Connection, blob: i64) -> Result<Option<(i64, PartRole, u64)>> {
    let mut statement = connection.prepare_cached(
        "SELECT i.id, c.role, i.manifest = c.blob, i.attached_to, i.repository,
           (SELECT count(DISTINCT o.image) FROM image_contents o WHERE o.blob = c.blob AND o.role < 4)
         FROM image_contents c JOIN images i ON i.id = c.image WHERE c.blob = ? AND c.role < 4
         ORDER BY i.attached_to IS NOT NULL, i.manifest <> c.blob, i.tag IS NULL, i.repository, i.tag LIMIT 1",
    )?;
    let mut rows = statement.query([blob])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let is_top: bool = row.get(2)?;
    let role = Role::numbered(row.get(1)?).unwrap_or(Role::Other);
    let role = if is_top { PartRole::Top } else { PartRole::Other(role) };
    let (image, subject): (i64, Option<Vec<u8>>) = (row.get(0)?, row.get(3)?);
    let image = match subject {
        Some(subject) => subject_of(connection, row.get(4)?, &subject)?.unwrap_or(image),
        None => image,
    };
    Ok(Some((image, role, row.get(5)?)))
}

/// The image that has this manifest, in the repository of what is attached to it.
fn subject_of(connection: &Connection, repository: i64, subject: &[u8]) -> Result<Option<i64>> {
    let mut statement = connection.prepare_cached(
        "SELECT i.id FROM blobs b JOIN image_contents c ON c.blob = b.id JOIN images i ON i.id = c.image
         WHERE b.digest = ? AND i.repository = ? AND i.attached_to IS NULL ORDER BY i.tag IS NULL, i.tag LIMIT 1",
    )?;
    let mut rows = statement.query(params![subject, repository])?;
    Ok(match rows.next()? {
        Some(row) => Some(row.get(0)?),
        None => None,
    })
}
