//! Images: tags, and manifests pinned by digest, with everything they consist of.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Writer;
use super::blobs::{ManifestRow, digest_column, optional_digest_column};
use super::follows::Follows;
use crate::error::Result;
use crate::image::{Digest, Selection, Tag, Upstream};

/// What part a blob plays in an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A manifest or index.
    Manifest = 0,
    /// The configuration of an image.
    Config = 1,
    /// A layer of an image.
    Layer = 2,
    /// Content of an artifact that is no image.
    Other = 3,
    /// Needed by the gateway view alone.
    Gateway = 4,
}

impl Role {
    /// The role with this number.
    pub fn numbered(number: u8) -> Option<Self> {
        [Self::Manifest, Self::Config, Self::Layer, Self::Other, Self::Gateway].into_iter().nth(usize::from(number))
    }
}

/// A row of the table `images`: a tag, or a manifest pinned by digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Row in the table `images`.
    pub id: i64,
    /// Row of its repository.
    pub repository: i64,
    /// Tag; none if the image is pinned by digest.
    pub tag: Option<Tag>,
    /// What it follows upstream.
    pub follows: Follows,
    /// Row of its top manifest.
    pub manifest: i64,
    /// Digest of its top manifest.
    pub digest: Digest,
    /// Platforms that are mirrored.
    pub selection: Selection,
    /// Whether manifests of the other platforms are kept too.
    pub all_manifests: bool,
    /// What it came along with, if it is a signature, an SBOM or the like.
    pub attached_to: Option<Digest>,
    /// The platforms that are here, comma-separated.
    pub platforms: String,
    /// Bytes of everything it consists of.
    pub logical: u64,
    /// How many rows its page has for it.
    pub page_rows: u64,
    /// When it was added, in seconds since 1970.
    pub added_at: i64,
    /// The digest that upstream said last.
    pub upstream_digest: Option<Digest>,
    /// When upstream was asked last, in seconds since 1970.
    pub checked_at: Option<i64>,
    /// Since when upstream does not have it any more, in seconds since 1970.
    pub gone_at: Option<i64>,
}

/// Something that was left out by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Omission {
    /// Digest of what is left out.
    pub digest: Digest,
    /// The platform it is for, if it is a child of an index.
    pub platform: Option<String>,
    /// Reason, as `LeftOutReason::text` in the engine's plans writes it.
    pub reason: String,
}

/// An image to be recorded.
#[derive(Debug, Clone)]
pub struct NewImage<'a> {
    /// Row of its repository.
    pub repository: i64,
    /// Tag; none if the image is pinned by digest.
    pub tag: Option<&'a Tag>,
    /// What it follows upstream.
    pub follows: &'a Follows,
    /// Row of its top manifest.
    pub manifest: i64,
    /// Platforms that are mirrored.
    pub selection: &'a Selection,
    /// Whether manifests of the other platforms are kept too.
    pub all_manifests: bool,
    /// Digest of the image it is attached to.
    pub attached_to: Option<&'a Digest>,
    /// The platforms that are here, comma-separated.
    pub platforms: &'a str,
    /// Everything it consists of, by row.
    pub contents: &'a [Content],
    /// What upstream has of it and this catalog deliberately has not.
    pub omissions: &'a [Omission],
    /// Now, in seconds since 1970.
    pub now: i64,
}

/// One blob of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Content {
    /// Row of the blob.
    pub blob: i64,
    /// Part that the blob plays in the image.
    pub role: Role,
}

/// What an image is in the gateway view, for one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayManifest {
    /// The platform; empty if it is no image.
    pub platform: String,
    /// Row of its manifest.
    pub manifest: i64,
    /// Bytes of its configuration and layers.
    pub size: u64,
    /// Tag in the gateway view; none if it is there only by digest.
    pub name: Option<String>,
    /// 0: the image's own tag, 1: a platform's.
    pub rank: u8,
    /// Row of its bytes and the digest it has for clients, or why it can't be said there.
    pub outcome: std::result::Result<(i64, Digest), String>,
}

pub(super) const COLUMNS: &str = "i.id, i.repository, i.tag, i.manifest, b.digest, i.selection, i.all_manifests, i.attached_to, i.platforms, \
                       i.logical, i.added_at, i.upstream_digest, i.checked_at, i.page_rows, i.upstream_tag, i.gone_at";
pub(super) const FROM: &str = "FROM images i JOIN blobs b ON b.id = i.manifest";

/// A column whose text must parse.
pub(super) fn parsed<T: std::str::FromStr<Err = crate::error::Error>>(
    row: &Row<'_>,
    index: usize,
) -> rusqlite::Result<T> {
    row.get_ref(index)?.as_str()?.parse().map_err(|error: crate::error::Error| {
        rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, Box::new(error))
    })
}

/// The tag in a column that may be NULL.
pub(super) fn tag_column(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Tag>> {
    if row.get_ref(index)? == rusqlite::types::ValueRef::Null { Ok(None) } else { parsed(row, index).map(Some) }
}

pub(super) fn image(row: &Row<'_>) -> rusqlite::Result<Image> {
    Ok(Image {
        id: row.get(0)?,
        repository: row.get(1)?,
        tag: tag_column(row, 2)?,
        manifest: row.get(3)?,
        digest: digest_column(row, 4)?,
        selection: parsed(row, 5)?,
        all_manifests: row.get(6)?,
        attached_to: optional_digest_column(row, 7)?,
        platforms: row.get(8)?,
        logical: row.get(9)?,
        added_at: row.get(10)?,
        upstream_digest: optional_digest_column(row, 11)?,
        checked_at: row.get(12)?,
        page_rows: row.get(13)?,
        follows: Follows::column(row, 14)?,
        gone_at: row.get(15)?,
    })
}

/// The image with this tag.
pub fn by_tag(connection: &Connection, repository: i64, tag: &str) -> Result<Option<Image>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} {FROM} WHERE i.repository = ? AND i.tag = ?"))?;
    Ok(statement.query_row(params![repository, tag], image).optional()?)
}

/// The image pinned by this digest, without tag.
pub fn by_digest(connection: &Connection, repository: i64, digest: &Digest) -> Result<Option<Image>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} {FROM} WHERE i.repository = ?1 AND i.tag IS NULL AND i.manifest = (SELECT id FROM blobs WHERE digest = ?2)"
    ))?;
    Ok(statement.query_row(params![repository, digest.as_bytes()], image).optional()?)
}

/// The image of this row.
pub fn by_id(connection: &Connection, id: i64) -> Result<Option<Image>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} {FROM} WHERE i.id = ?"))?;
    Ok(statement.query_row([id], image).optional()?)
}

/// Every image of a repository: tags in order, then those without. Attached ones only if asked for.
pub fn of_repository(connection: &Connection, repository: i64, with_attached: bool) -> Result<Vec<Image>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} {FROM} WHERE i.repository = ? AND (?2 OR i.attached_to IS NULL) ORDER BY i.tag IS NULL, i.tag, b.digest"
    ))?;
    let rows = statement.query_map(params![repository, with_attached], image)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What an image is called on pages: its tag, or its digest as text.
pub fn page_name(image: &Image) -> String {
    image.tag.as_ref().map_or_else(|| image.digest.to_string(), ToString::to_string)
}

/// The last tag of a repository in order that came with no other image.
pub fn last_tag(connection: &Connection, repository: i64) -> Result<Option<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT tag FROM images WHERE repository = ? AND tag IS NOT NULL AND attached_to IS NULL ORDER BY tag DESC LIMIT 1",
    )?;
    Ok(statement.query_row([repository], |row| row.get(0)).optional()?)
}

/// The images of a repository that consist of this blob among others, attached ones left out.
pub fn consisting_of(connection: &Connection, repository: i64, blob: i64) -> Result<Vec<Image>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT DISTINCT {COLUMNS} {FROM} JOIN image_contents c ON c.image = i.id WHERE c.blob = ? AND c.repository = ? AND i.attached_to IS NULL"
    ))?;
    let rows = statement.query_map(params![blob, repository], image)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The images that came along with this manifest.
pub fn attached_to(connection: &Connection, repository: i64, subject: &Digest) -> Result<Vec<Image>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} {FROM} WHERE i.repository = ? AND i.attached_to = ? ORDER BY i.tag IS NULL, i.tag, b.digest"
    ))?;
    let rows = statement.query_map(params![repository, subject.as_bytes()], image)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether a repository has any image.
pub fn any(connection: &Connection, repository: i64) -> Result<bool> {
    let mut statement = connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM images WHERE repository = ?)")?;
    Ok(statement.query_row([repository], |row| row.get(0))?)
}

/// Tags of a repository in order, after this one, at most so many.
pub fn tags(connection: &Connection, repository: i64, after: Option<&str>, limit: Option<u64>) -> Result<Vec<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT tag FROM images WHERE repository = ? AND tag IS NOT NULL AND tag > ? ORDER BY tag LIMIT ?",
    )?;
    let limit = limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let rows = statement.query_map(params![repository, after.unwrap_or_default(), limit], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The tags that are here of an upstream: since when, in seconds since 1970, and the digest of each.
pub fn tags_of_upstream(connection: &Connection, upstream: &Upstream) -> Result<Vec<(String, i64, Digest)>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT i.tag, i.added_at, b.digest {FROM} JOIN repositories r ON r.id = i.repository
         WHERE r.registry = ? AND r.upstream = ? AND i.tag IS NOT NULL AND i.attached_to IS NULL"
    ))?;
    let rows = statement.query_map([upstream.registry.as_str(), upstream.repository.as_str()], |row| {
        Ok((row.get(0)?, row.get(1)?, digest_column(row, 2)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many images a repository has, attached ones left out.
pub fn count(connection: &Connection, repository: i64) -> Result<u64> {
    let mut statement =
        connection.prepare_cached("SELECT count(*) FROM images WHERE repository = ? AND attached_to IS NULL")?;
    Ok(statement.query_row([repository], |row| row.get(0))?)
}

/// How many images a repository has, and how many more came along with them.
pub fn numbers(connection: &Connection, repository: i64) -> Result<(u64, u64)> {
    let mut statement = connection
        .prepare_cached("SELECT count(*) - count(attached_to), count(attached_to) FROM images WHERE repository = ?")?;
    Ok(statement.query_row([repository], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// When an image of a repository was added last.
pub fn newest(connection: &Connection, repository: i64) -> Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT max(added_at) FROM images WHERE repository = ?")?;
    Ok(statement.query_row([repository], |row| row.get(0))?)
}

/// Says when an image was added: one that comes back has been here before.
pub fn set_added(writer: &Writer<'_>, image: i64, at: i64) -> Result<()> {
    writer.prepare_cached("UPDATE images SET added_at = ? WHERE id = ?")?.execute([at, image])?;
    Ok(())
}

/// Everything an image consists of.
pub fn contents(connection: &Connection, image: i64) -> Result<Vec<Content>> {
    let mut statement =
        connection.prepare_cached("SELECT blob, role FROM image_contents WHERE image = ? ORDER BY blob, role")?;
    let rows = statement.query_map([image], |row| {
        let role = match row.get::<_, u8>(1)? {
            0 => Role::Manifest,
            1 => Role::Config,
            2 => Role::Layer,
            3 => Role::Other,
            _ => Role::Gateway,
        };
        Ok(Content { blob: row.get(0)?, role })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// An image that needs this blob; one with an upstream, if there is one.
pub fn any_with(connection: &Connection, blob: i64) -> Result<Option<Image>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} {FROM} JOIN image_contents c ON c.image = i.id JOIN repositories r ON r.id = i.repository
         WHERE c.blob = ? ORDER BY r.registry IS NULL, r.name, i.tag LIMIT 1"
    ))?;
    Ok(statement.query_row([blob], image).optional()?)
}

/// Whether a repository holds this blob as content that is asked for by digest under `blobs/`.
pub fn holds_blob(connection: &Connection, repository: i64, blob: i64) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM image_contents WHERE blob = ? AND repository = ? AND role > 0)",
    )?;
    Ok(statement.query_row(params![blob, repository], |row| row.get(0))?)
}

/// The manifest with this digest, if the repository holds it.
pub fn held_manifest(connection: &Connection, repository: i64, digest: &Digest) -> Result<Option<ManifestRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT b.id FROM blobs b WHERE b.digest = ?1
         AND (EXISTS (SELECT 1 FROM image_contents c WHERE c.blob = b.id AND c.repository = ?2 AND c.role = 0)
         OR EXISTS (SELECT 1 FROM referrer_lists l WHERE l.blob = b.id AND l.repository = ?2))",
    )?;
    let id: Option<i64> = statement.query_row(params![digest.as_bytes(), repository], |row| row.get(0)).optional()?;
    id.map_or(Ok(None), |id| super::blobs::manifest(connection, id))
}

/// The list of what refers to a manifest, by row.
pub fn referrer_list(connection: &Connection, repository: i64, subject: &Digest) -> Result<Option<i64>> {
    let mut statement =
        connection.prepare_cached("SELECT blob FROM referrer_lists WHERE repository = ? AND subject = ?")?;
    Ok(statement.query_row(params![repository, subject.as_bytes()], |row| row.get(0)).optional()?)
}

/// Records the list of what refers to a manifest, or that nothing does.
pub fn set_referrer_list(writer: &Writer<'_>, repository: i64, subject: &Digest, blob: Option<i64>) -> Result<()> {
    match blob {
        Some(blob) => writer
            .prepare_cached("INSERT OR REPLACE INTO referrer_lists (repository, subject, blob) VALUES (?, ?, ?)")?
            .execute(params![repository, subject.as_bytes(), blob])?,
        None => writer
            .prepare_cached("DELETE FROM referrer_lists WHERE repository = ? AND subject = ?")?
            .execute(params![repository, subject.as_bytes()])?,
    };
    Ok(())
}

/// Adds the row of an image with its contents and omissions, and returns the row's ID.
pub fn add(writer: &Writer<'_>, new: &NewImage<'_>) -> Result<i64> {
    let mut statement = writer.prepare_cached(
        "INSERT INTO images (repository, tag, manifest, selection, all_manifests, attached_to, platforms, logical, added_at, upstream_tag)
         VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?)",
    )?;
    let id = statement.insert(params![
        new.repository,
        new.tag.map(Tag::as_str),
        new.manifest,
        new.selection.to_string(),
        new.all_manifests,
        new.attached_to.map(Digest::as_bytes),
        new.platforms,
        new.now,
        new.follows.upstream_tag()
    ])?;
    for content in new.contents {
        add_content(writer, id, new.repository, *content)?;
    }
    for omission in new.omissions {
        writer
            .prepare_cached(
                "INSERT OR IGNORE INTO image_omissions (image, digest, platform, reason) VALUES (?, ?, ?, ?)",
            )?
            .execute(params![id, omission.digest.as_bytes(), omission.platform, omission.reason])?;
    }
    writer
        .prepare_cached(
            "UPDATE images SET logical = (SELECT coalesce(sum(b.size), 0) FROM blobs b WHERE b.id IN
             (SELECT c.blob FROM image_contents c WHERE c.image = ?1 AND c.role < 4)) WHERE id = ?1",
        )?
        .execute([id])?;
    Ok(id)
}

/// Adds a blob to what an image consists of.
pub fn add_content(writer: &Writer<'_>, image: i64, repository: i64, content: Content) -> Result<()> {
    writer
        .prepare_cached("INSERT OR IGNORE INTO image_contents (image, blob, role, repository) VALUES (?, ?, ?, ?)")?
        .execute(params![image, content.blob, content.role as u8, repository])?;
    Ok(())
}

/// Deletes the row of an image; its contents and omissions go with it.
pub fn remove(writer: &Writer<'_>, image: i64) -> Result<()> {
    writer.prepare_cached("DELETE FROM images WHERE id = ?")?.execute([image])?;
    Ok(())
}

/// Records what an image is in the gateway view.
pub fn add_gateway(writer: &Writer<'_>, image: i64, repository: i64, manifest: &GatewayManifest) -> Result<()> {
    let (blob, payload, reason) = match &manifest.outcome {
        Ok((blob, payload)) => (Some(*blob), Some(payload.as_bytes()), None),
        Err(reason) => (None, None, Some(reason.as_str())),
    };
    writer
        .prepare_cached(
            "INSERT INTO gateway_manifests (image, repository, platform, manifest, size, name, rank, blob, payload, reason)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            image, repository, manifest.platform, manifest.manifest, manifest.size, manifest.name, manifest.rank, blob, payload, reason
        ])?;
    Ok(())
}

/// Forgets what an image is in the gateway view.
pub fn remove_gateway(writer: &Writer<'_>, image: i64) -> Result<()> {
    writer.prepare_cached("DELETE FROM gateway_manifests WHERE image = ?")?.execute([image])?;
    Ok(())
}

/// What an image is in the gateway view.
pub fn gateway(connection: &Connection, image: i64) -> Result<Vec<GatewayManifest>> {
    let mut statement = connection
        .prepare_cached("SELECT platform, name, rank, blob, payload, reason, manifest, size FROM gateway_manifests WHERE image = ? ORDER BY id")?;
    let rows = statement.query_map([image], |row| {
        let outcome = match row.get::<_, Option<String>>(5)? {
            Some(reason) => Err(reason),
            None => Ok((row.get(3)?, digest_column(row, 4)?)),
        };
        Ok(GatewayManifest {
            platform: row.get(0)?,
            name: row.get(1)?,
            rank: row.get(2)?,
            manifest: row.get(6)?,
            size: row.get(7)?,
            outcome,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The query for the blob that has a tag in the gateway view, with these expressions for the repository and the tag.
pub(super) fn gateway_winner(repository: &str, name: &str) -> String {
    // An upstream tag owns its name there even when it can't be said: nobody shall get another image under it.
    format!(
        "SELECT w.blob FROM gateway_manifests w JOIN images wi ON wi.id = w.image WHERE w.repository = {repository} AND w.name = {name}
         AND (w.rank = 0 OR NOT EXISTS (SELECT 1 FROM images t WHERE t.repository = {repository} AND t.tag = {name}))
         ORDER BY w.rank, w.blob IS NULL, wi.tag LIMIT 1"
    )
}

/// The blob that has this tag in the gateway view.
pub fn gateway_by_name(connection: &Connection, repository: i64, name: &str) -> Result<Option<i64>> {
    let mut statement = connection.prepare_cached(&gateway_winner("?1", "?2"))?;
    Ok(statement.query_row(params![repository, name], |row| row.get(0)).optional()?.flatten())
}

/// Whether this is what has the tag that it wants in the gateway view: another may have it.
pub fn has_its_name(connection: &Connection, repository: i64, manifest: &GatewayManifest) -> Result<bool> {
    let (Some(name), Ok((blob, _))) = (&manifest.name, &manifest.outcome) else { return Ok(false) };
    Ok(gateway_by_name(connection, repository, name)? == Some(*blob))
}

/// The images of a repository that want this tag in the gateway view.
pub fn wanting(connection: &Connection, repository: i64, name: &str) -> Result<Vec<Image>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT DISTINCT {COLUMNS} {FROM} JOIN gateway_manifests g ON g.image = i.id WHERE g.repository = ? AND g.name = ?"
    ))?;
    let rows = statement.query_map(params![repository, name], image)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The blob that has this digest for clients of the gateway view.
pub fn gateway_by_payload(connection: &Connection, repository: i64, payload: &Digest) -> Result<Option<i64>> {
    let mut statement = connection.prepare_cached(
        "SELECT blob FROM gateway_manifests WHERE repository = ? AND payload = ? ORDER BY blob LIMIT 1",
    )?;
    Ok(statement.query_row(params![repository, payload.as_bytes()], |row| row.get(0)).optional()?)
}

/// The tags that a repository may have in the gateway view, in order; each must still be looked up.
pub fn gateway_names(connection: &Connection, repository: i64) -> Result<Vec<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT g.name FROM gateway_manifests g WHERE g.repository = ?1 AND g.name IS NOT NULL AND g.blob IS NOT NULL
         AND (g.rank = 0 OR NOT EXISTS (SELECT 1 FROM images t WHERE t.repository = ?1 AND t.tag = g.name)) ORDER BY g.name",
    )?;
    let rows = statement.query_map([repository], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
