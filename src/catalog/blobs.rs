//! Files: what every digest is, where its bytes are, and its CID.

use bytes::Bytes;
use cid::Cid;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Writer;
use crate::error::{Error, Kind, Result};
use crate::image::Digest;
use crate::unixfs::Link;

/// Digests in a row of `blob_leaves`, which fill a page of SQLite (4096 bytes) as far as one row can.
const LEAVES_PER_ROW: u32 = 120;

/// A file that the catalog knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Row in the table `blobs`.
    pub id: i64,
    /// Digest of its bytes.
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
    /// CID of the root block, and the bytes of all blocks below it (dag-pb `Tsize`).
    pub link: Link,
    /// Whether the catalog itself holds its bytes (manifests, generated files); else the blob store does.
    pub inline: bool,
}

/// A file to be recorded.
#[derive(Debug, Clone)]
pub struct NewBlob<'a> {
    /// Digest of its bytes.
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
    /// CID of the root block, and the bytes of all blocks below it (dag-pb `Tsize`).
    pub link: Link,
    /// Digests of its leaf blocks in order.
    pub leaves: &'a [[u8; 32]],
    /// Bytes that the catalog itself shall hold; none: they are in the blob store.
    pub bytes: Option<&'a [u8]>,
}

/// What is known of a blob that is a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestRow {
    /// Row in the table `blobs`.
    pub blob: i64,
    /// SHA-256 of the bytes of the manifest.
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
    /// Media type that it is served with.
    pub media_type: String,
    /// Type of the artifact, as the referrers API shows it.
    pub artifact_type: Option<String>,
    /// Digest in the manifest's `subject` field.
    pub subject: Option<Digest>,
}

/// The CID in a column.
pub(super) fn cid_column(row: &Row<'_>, index: usize) -> rusqlite::Result<Cid> {
    let bytes = row.get_ref(index)?.as_blob()?;
    Cid::try_from(bytes)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Blob, Box::new(error)))
}

/// The digest in a column.
pub(super) fn digest_column(row: &Row<'_>, index: usize) -> rusqlite::Result<Digest> {
    let bytes = row.get_ref(index)?.as_blob()?;
    Digest::from_slice(bytes)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Blob, Box::new(error)))
}

/// The digest in a column that may be NULL.
pub(super) fn optional_digest_column(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Digest>> {
    if row.get_ref(index)? == rusqlite::types::ValueRef::Null { Ok(None) } else { digest_column(row, index).map(Some) }
}

const COLUMNS: &str = "b.id, b.digest, b.size, b.cid, b.tsize, b.bytes IS NOT NULL";

fn blob(row: &Row<'_>) -> rusqlite::Result<Blob> {
    Ok(Blob {
        id: row.get(0)?,
        digest: digest_column(row, 1)?,
        size: row.get(2)?,
        link: Link { cid: cid_column(row, 3)?, tsize: row.get(4)? },
        inline: row.get(5)?,
    })
}

/// The blob with this digest.
pub fn by_digest(connection: &Connection, digest: &Digest) -> Result<Option<Blob>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM blobs b WHERE b.digest = ?"))?;
    Ok(statement.query_row([digest.as_bytes()], blob).optional()?)
}

/// The blob of this row.
pub fn by_id(connection: &Connection, id: i64) -> Result<Blob> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM blobs b WHERE b.id = ?"))?;
    Ok(statement.query_row([id], blob)?)
}

/// The blob whose file has this root CID.
pub fn by_cid(connection: &Connection, cid: &Cid) -> Result<Option<Blob>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM blobs b WHERE b.cid = ?"))?;
    Ok(statement.query_row([cid.to_bytes()], blob).optional()?)
}

/// The bytes of a blob that the catalog holds.
pub fn bytes(connection: &Connection, id: i64) -> Result<Bytes> {
    let mut statement = connection.prepare_cached("SELECT bytes FROM blobs WHERE id = ?")?;
    let bytes: Option<Vec<u8>> = statement.query_row([id], |row| row.get(0))?;
    bytes.map(Bytes::from).ok_or_else(|| Error::new(Kind::Unexpected, format!("blob {id} is not held by the catalog")))
}

/// The digests of a blob's leaf blocks in order. With one leaf it is the digest inside its CID.
pub fn leaves(connection: &Connection, blob: &Blob) -> Result<Vec<[u8; 32]>> {
    let mut statement =
        connection.prepare_cached("SELECT first, digests FROM blob_leaves WHERE blob = ? ORDER BY first")?;
    let mut rows = statement.query([blob.id])?;
    let mut leaves = Vec::new();
    let damaged = || Error::new(Kind::Verification, format!("the leaf digests of {} are damaged", blob.digest));
    while let Some(row) = rows.next()? {
        let (first, column) = (row.get::<_, u64>(0)?, row.get_ref(1)?);
        let (digests, rest) = column.as_blob().map_err(rusqlite::Error::from)?.as_chunks::<32>();
        if first != leaves.len() as u64 || !rest.is_empty() {
            return Err(damaged());
        }
        leaves.extend_from_slice(digests);
    }
    if leaves.is_empty() {
        leaves.push(blob.link.cid.hash().digest().try_into().map_err(|_| damaged())?);
    }
    Ok(leaves)
}

/// The digest of one of a blob's leaf blocks, by its number; nothing if it has fewer. Reads one row, whatever the blob's size.
pub fn leaf(connection: &Connection, blob: &Blob, number: u32) -> Result<Option<[u8; 32]>> {
    let within = number % LEAVES_PER_ROW;
    let mut statement =
        connection.prepare_cached("SELECT substr(digests, ?, 32) FROM blob_leaves WHERE blob = ? AND first = ?")?;
    let found: Option<Vec<u8>> =
        statement.query_row(params![within * 32 + 1, blob.id, number - within], |row| row.get(0)).optional()?;
    Ok(match found {
        Some(digest) => digest.try_into().ok(),
        None if number == 0 => blob.link.cid.hash().digest().try_into().ok(),
        None => None,
    })
}

/// Records the digests of a blob's leaf blocks; of a single one there is nothing to record.
fn record_leaves(writer: &Writer<'_>, blob: i64, leaves: &[[u8; 32]]) -> Result<()> {
    if leaves.len() <= 1 {
        return Ok(());
    }
    let mut statement = writer.prepare_cached("INSERT INTO blob_leaves (blob, first, digests) VALUES (?, ?, ?)")?;
    for (row, digests) in (0_u64..).zip(leaves.chunks(LEAVES_PER_ROW as usize)) {
        statement.execute(params![blob, row * u64::from(LEAVES_PER_ROW), digests.as_flattened()])?;
    }
    Ok(())
}

/// Records a file, or finds that it is there. Bytes that come later (a blob that also is a manifest) are added.
pub fn record(writer: &Writer<'_>, new: &NewBlob<'_>) -> Result<Blob> {
    if let Some(mut known) = by_digest(writer, &new.digest)? {
        if let (Some(bytes), false) = (new.bytes, known.inline) {
            writer.execute("UPDATE blobs SET bytes = ? WHERE id = ?", params![bytes, known.id])?;
            known.inline = true;
        }
        return Ok(known);
    }
    let mut statement =
        writer.prepare_cached("INSERT INTO blobs (digest, size, cid, tsize, bytes) VALUES (?, ?, ?, ?, ?)")?;
    let id = statement.insert(params![
        new.digest.as_bytes(),
        new.size,
        new.link.cid.to_bytes(),
        new.link.tsize,
        new.bytes
    ])?;
    record_leaves(writer, id, new.leaves)?;
    Ok(Blob { id, digest: new.digest, size: new.size, link: new.link, inline: new.bytes.is_some() })
}

/// Records what a blob says as a manifest.
pub fn record_manifest(
    writer: &Writer<'_>,
    blob: i64,
    media_type: &str,
    artifact_type: Option<&str>,
    subject: Option<&Digest>,
) -> Result<()> {
    let mut statement = writer.prepare_cached(
        "INSERT INTO manifests (blob, media_type, artifact_type, subject) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )?;
    statement.execute(params![blob, media_type, artifact_type, subject.map(Digest::as_bytes)])?;
    Ok(())
}

const MANIFEST: &str = "m.blob, b.digest, b.size, m.media_type, m.artifact_type, m.subject";

fn manifest_row(row: &Row<'_>) -> rusqlite::Result<ManifestRow> {
    Ok(ManifestRow {
        blob: row.get(0)?,
        digest: digest_column(row, 1)?,
        size: row.get(2)?,
        media_type: row.get(3)?,
        artifact_type: row.get(4)?,
        subject: optional_digest_column(row, 5)?,
    })
}

/// What is known of a manifest.
pub fn manifest(connection: &Connection, blob: i64) -> Result<Option<ManifestRow>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {MANIFEST} FROM manifests m JOIN blobs b ON b.id = m.blob WHERE m.blob = ?"
    ))?;
    Ok(statement.query_row([blob], manifest_row).optional()?)
}

/// The manifests of a repository that are about `subject`, by digest.
pub fn referrers(connection: &Connection, repository: i64, subject: &Digest) -> Result<Vec<ManifestRow>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {MANIFEST} FROM manifests m JOIN blobs b ON b.id = m.blob WHERE m.subject = ?1
         AND EXISTS (SELECT 1 FROM image_contents c WHERE c.blob = m.blob AND c.repository = ?2 AND c.role = 0)
         ORDER BY b.digest"
    ))?;
    let rows = statement.query_map(params![subject.as_bytes(), repository], manifest_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Visits every blob that lies in the blob store.
pub fn each_stored(connection: &Connection, mut visit: impl FnMut(Blob) -> Result<()>) -> Result<()> {
    let mut statement =
        connection.prepare(&format!("SELECT {COLUMNS} FROM blobs b WHERE b.bytes IS NULL ORDER BY b.id"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        visit(blob(row)?)?;
    }
    Ok(())
}

/// Visits every blob that the catalog itself holds.
pub fn each_inline(connection: &Connection, mut visit: impl FnMut(Blob) -> Result<()>) -> Result<()> {
    let mut statement =
        connection.prepare(&format!("SELECT {COLUMNS} FROM blobs b WHERE b.bytes IS NOT NULL ORDER BY b.id"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        visit(blob(row)?)?;
    }
    Ok(())
}

/// Whether an image, or its form in the gateway view, needs this blob.
pub fn is_referenced(connection: &Connection, id: i64) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM image_contents WHERE blob = ?1) OR EXISTS (SELECT 1 FROM gateway_manifests WHERE blob = ?1)
         OR EXISTS (SELECT 1 FROM images WHERE manifest = ?1) OR EXISTS (SELECT 1 FROM referrer_lists WHERE blob = ?1)",
    )?;
    Ok(statement.query_row([id], |row| row.get(0))?)
}

/// Forgets a blob; its references must be gone.
pub fn remove(writer: &Writer<'_>, id: i64) -> Result<()> {
    writer.prepare_cached("DELETE FROM blobs WHERE id = ?")?.execute([id])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Catalog;
    use super::super::migrations::MIGRATIONS;
    use super::*;
    use crate::unixfs::{Profile, file};

    fn made_up(count: u32) -> Vec<[u8; 32]> {
        (0..count).map(|number| *Digest::of(&number.to_be_bytes()).as_bytes()).collect()
    }

    #[test]
    fn leaves_are_found_one_by_one_and_go_with_their_blob() {
        let directory = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&directory.path().join("catalog.db")).unwrap();
        let rows = |connection: &Connection| -> u64 {
            connection.query_row("SELECT count(*) FROM blob_leaves", [], |row| row.get(0)).unwrap()
        };
        for (count, in_rows) in [(1, 0), (2, 1), (120, 1), (121, 2), (1000, 9)] {
            let all = made_up(count);
            let link = file::of_bytes(Profile::V1_2025, &count.to_be_bytes()).0;
            let only = link.cid.hash().digest().try_into().unwrap();
            let expected = if count == 1 { vec![only] } else { all.clone() };
            let digest = Digest::of(&count.to_be_bytes());
            let new = NewBlob { digest, size: u64::from(count) << 20, link, leaves: &all, bytes: None };
            let blob = catalog.write(|writer| record(writer, &new)).unwrap();
            let reader = catalog.read().unwrap();
            assert_eq!((leaves(&reader, &blob).unwrap(), rows(&reader)), (expected.clone(), in_rows));
            for number in 0..count {
                assert_eq!(leaf(&reader, &blob, number).unwrap(), Some(expected[number as usize]), "{number}");
            }
            for beyond in [count, count + 1, 120 * count] {
                assert_eq!(leaf(&reader, &blob, beyond).unwrap(), None, "{beyond}");
            }
            drop(reader);
            catalog.write(|writer| remove(writer, blob.id)).unwrap();
            assert_eq!(rows(&catalog.read().unwrap()), 0);
        }
    }

    /// They were one column, which a blob with one leaf lacked.
    #[test]
    fn leaves_of_an_older_catalog_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("catalog.db");
        let old = Connection::open(&file).unwrap();
        for migration in &MIGRATIONS[..19] {
            old.execute_batch(migration).unwrap();
        }
        old.pragma_update(None, "user_version", 19).unwrap();
        let cid = file::of_bytes(Profile::V1_2025, b"x").0.cid;
        let counts = [2, 120, 121, 240, 1, 1000];
        for (id, count) in (1_i64..).zip(counts) {
            let all = made_up(count);
            let column = (count > 1).then(|| all.as_flattened());
            let insert = "INSERT INTO blobs (id, digest, size, cid, tsize, leaves) VALUES (?, ?, 1, ?, 1, ?)";
            let digest = Digest::of(&count.to_be_bytes());
            old.execute(insert, params![id, digest.as_bytes(), cid.to_bytes(), column]).unwrap();
        }
        drop(old);
        let catalog = Catalog::open(&file).unwrap();
        let reader = catalog.read().unwrap();
        for (id, count) in (1..).zip(counts) {
            let only = vec![cid.hash().digest().try_into().unwrap()];
            let expected = if count == 1 { only } else { made_up(count) };
            assert_eq!(leaves(&reader, &by_id(&reader, id).unwrap()).unwrap(), expected, "{count}");
        }
    }

    #[test]
    fn a_lost_row_is_damage() {
        let directory = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&directory.path().join("catalog.db")).unwrap();
        let link = file::of_bytes(Profile::V1_2025, b"x").0;
        let new = NewBlob { digest: Digest::of(b"x"), size: 300 << 20, link, leaves: &made_up(300), bytes: None };
        let blob = catalog.write(|writer| record(writer, &new)).unwrap();
        let lose =
            |writer: &Writer<'_>| Ok(writer.execute("DELETE FROM blob_leaves WHERE first = 120", []).map(drop)?);
        catalog.write(lose).unwrap();
        assert_eq!(leaves(&catalog.read().unwrap(), &blob).unwrap_err().kind(), Kind::Verification);
    }
}
