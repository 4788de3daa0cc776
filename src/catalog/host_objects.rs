//! What was stored on static hosts: which keys are ours, what is under those that change, and since when nothing needs them.
//!
//! Knows rows. Must not know hosts, nor what a key means. A key that says what its bytes are has no digest here.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::Writer;
use crate::error::Result;
use crate::image::Digest;

/// An object that was stored from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostObject {
    /// Its key.
    pub key: String,
    /// Bytes that it has.
    pub size: u64,
    /// What is there; none where the key says it.
    pub digest: Option<Digest>,
    /// What the host calls it by.
    pub tag: Option<String>,
    /// What was being stored there, if it is not known whether it is there.
    pub sent: Option<Digest>,
    /// Since when no root needs it, in seconds since 1970.
    pub unneeded_since: Option<i64>,
}

const COLUMNS: &str = "key, size, digest, tag, sent, unneeded_since";

fn object(row: &Row<'_>) -> rusqlite::Result<HostObject> {
    Ok(HostObject {
        key: row.get(0)?,
        size: row.get(1)?,
        digest: super::blobs::optional_digest_column(row, 2)?,
        tag: row.get(3)?,
        sent: super::blobs::optional_digest_column(row, 4)?,
        unneeded_since: row.get(5)?,
    })
}

/// The object under this key.
pub fn by_key(connection: &Connection, target: i64, key: &str) -> Result<Option<HostObject>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM host_objects WHERE target = ? AND key = ?"))?;
    Ok(statement.query_row(params![target, key], object).optional()?)
}

/// At most `limit` objects after this key, by key.
pub fn after(connection: &Connection, target: i64, key: &str, limit: u64) -> Result<Vec<HostObject>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM host_objects WHERE target = ? AND key > ? ORDER BY key LIMIT ?"
    ))?;
    let rows = statement.query_map(params![target, key, limit], object)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The objects that may change, and those that nothing has needed since this time or longer.
pub fn each_that_may_go(
    connection: &Connection,
    target: i64,
    unneeded_until: i64,
    mut visit: impl FnMut(HostObject) -> Result<()>,
) -> Result<()> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM host_objects
         WHERE target = ? AND (digest IS NOT NULL OR sent IS NOT NULL OR unneeded_since <= ?) ORDER BY key"
    ))?;
    let mut rows = statement.query(params![target, unneeded_until])?;
    while let Some(row) = rows.next()? {
        visit(object(row)?)?;
    }
    Ok(())
}

/// How many objects nothing needs any more, and their bytes.
pub fn unneeded(connection: &Connection, target: i64) -> Result<(u64, u64)> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*), coalesce(sum(size), 0) FROM host_objects WHERE target = ? AND unneeded_since IS NOT NULL",
    )?;
    Ok(statement.query_row([target], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// How many objects were stored from here, and their bytes.
pub fn stored(connection: &Connection, target: i64) -> Result<(u64, u64)> {
    let mut statement =
        connection.prepare_cached("SELECT count(*), coalesce(sum(size), 0) FROM host_objects WHERE target = ?")?;
    Ok(statement.query_row([target], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// Records an object whose key says what it is.
pub fn set_immutable(writer: &Writer<'_>, target: i64, key: &str, size: u64) -> Result<()> {
    writer
        .prepare_cached(
            "INSERT INTO host_objects (target, key, size) VALUES (?1, ?2, ?3)
             ON CONFLICT (target, key) DO UPDATE SET size = ?3, unneeded_since = NULL",
        )?
        .execute(params![target, key, size])?;
    Ok(())
}

/// Records that this is being stored under a key.
pub fn set_sent(writer: &Writer<'_>, target: i64, key: &str, sent: &Digest, size: u64) -> Result<()> {
    writer
        .prepare_cached(
            "INSERT INTO host_objects (target, key, size, sent) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (target, key) DO UPDATE SET sent = ?4",
        )?
        .execute(params![target, key, size, sent.as_bytes()])?;
    Ok(())
}

/// Records what is under a key.
pub fn set_stored(writer: &Writer<'_>, target: i64, key: &str, digest: &Digest, tag: &str, size: u64) -> Result<()> {
    writer
        .prepare_cached(
            "INSERT INTO host_objects (target, key, size, digest, tag) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (target, key) DO UPDATE SET size = ?3, digest = ?4, tag = ?5, sent = NULL, unneeded_since = NULL",
        )?
        .execute(params![target, key, size, digest.as_bytes(), tag])?;
    Ok(())
}

/// Records since when nothing needs an object, in seconds since 1970; none: it is needed.
pub fn set_unneeded(writer: &Writer<'_>, target: i64, key: &str, since: Option<i64>) -> Result<()> {
    writer
        .prepare_cached("UPDATE host_objects SET unneeded_since = ? WHERE target = ? AND key = ?")?
        .execute(params![since, target, key])?;
    Ok(())
}

/// Forgets an object that is not there any more.
pub fn forget(writer: &Writer<'_>, target: i64, key: &str) -> Result<()> {
    writer.prepare_cached("DELETE FROM host_objects WHERE target = ? AND key = ?")?.execute(params![target, key])?;
    Ok(())
}

/// What was found out about a host as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HostFindings {
    /// When all that it lists was last compared with what is recorded here, in seconds since 1970. None: it has to be listed.
    pub listed_at: Option<i64>,
    /// Whether it keeps to conditions; none: not tried.
    pub conditional: Option<bool>,
}

/// What was found out about a target's host.
pub fn findings(connection: &Connection, target: i64) -> Result<HostFindings> {
    let mut statement = connection.prepare_cached("SELECT listed_at, conditional FROM targets WHERE id = ?")?;
    let found = statement
        .query_row([target], |row| Ok(HostFindings { listed_at: row.get(0)?, conditional: row.get(1)? }))
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// Records when a host was last listed as a whole; none: what is recorded of its objects may not hold.
pub fn set_listed(writer: &Writer<'_>, target: i64, at: Option<i64>) -> Result<()> {
    writer.prepare_cached("UPDATE targets SET listed_at = ? WHERE id = ?")?.execute(params![at, target])?;
    Ok(())
}

/// Records that a host was listed, unless something is on its way there that makes that worthless.
pub fn renew_listed(writer: &Writer<'_>, target: i64, at: i64) -> Result<()> {
    writer
        .prepare_cached("UPDATE targets SET listed_at = ? WHERE id = ? AND listed_at IS NOT NULL")?
        .execute(params![at, target])?;
    Ok(())
}

/// Records whether a host keeps to conditions.
pub fn set_conditional(writer: &Writer<'_>, target: i64, conditional: bool) -> Result<()> {
    writer.prepare_cached("UPDATE targets SET conditional = ? WHERE id = ?")?.execute(params![conditional, target])?;
    Ok(())
}

/// The upload in parts that was begun for this key.
pub fn upload(connection: &Connection, target: i64, key: &str) -> Result<Option<String>> {
    let mut statement = connection.prepare_cached("SELECT upload FROM host_uploads WHERE target = ? AND key = ?")?;
    Ok(statement.query_row(params![target, key], |row| row.get(0)).optional()?)
}

/// All uploads that were begun and have not ended: key and name.
pub fn uploads(connection: &Connection, target: i64) -> Result<Vec<(String, String)>> {
    let mut statement =
        connection.prepare_cached("SELECT key, upload FROM host_uploads WHERE target = ? ORDER BY key")?;
    let rows = statement.query_map([target], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Records that an upload was begun; none: it has ended.
pub fn set_upload(writer: &Writer<'_>, target: i64, key: &str, upload: Option<&str>) -> Result<()> {
    match upload {
        Some(upload) => writer
            .prepare_cached("INSERT OR REPLACE INTO host_uploads (target, key, upload) VALUES (?, ?, ?)")?
            .execute(params![target, key, upload])?,
        None => writer
            .prepare_cached("DELETE FROM host_uploads WHERE target = ? AND key = ?")?
            .execute(params![target, key])?,
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::catalog::targets::{self, NodeSettings, TargetSettings};

    #[test]
    fn what_may_go_is_what_changes_and_what_nothing_needs_for_long() {
        let directory = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&directory.path().join("catalog.db")).unwrap();
        let settings =
            TargetSettings { node: NodeSettings::own(), keep: 1, ipns: None, dnslink: None, gateways: Vec::new() };
        let digest = Digest::of(b"a");
        catalog
            .write(|writer| {
                targets::save(writer, "bucket", &settings, 1)?;
                set_immutable(writer, 1, "blob", 5)?;
                set_immutable(writer, 1, "old", 6)?;
                set_unneeded(writer, 1, "old", Some(10))?;
                set_sent(writer, 1, "tag", &digest, 1)?;
                set_upload(writer, 1, "large", Some("u"))
            })
            .unwrap();
        let may_go = |until| {
            let (reader, mut keys) = (catalog.read().unwrap(), Vec::new());
            each_that_may_go(&reader, 1, until, |object| {
                keys.push(object.key);
                Ok(())
            })
            .unwrap();
            keys
        };
        assert_eq!(may_go(9), ["tag"]);
        assert_eq!(may_go(10), ["old", "tag"]);
        let reader = catalog.read().unwrap();
        assert_eq!((unneeded(&reader, 1).unwrap(), stored(&reader, 1).unwrap()), ((1, 6), (3, 12)));
        assert_eq!(by_key(&reader, 1, "tag").unwrap().unwrap().sent, Some(digest));
        assert_eq!(upload(&reader, 1, "large").unwrap().as_deref(), Some("u"));
        drop(reader);
        catalog
            .write(|writer| {
                set_stored(writer, 1, "tag", &digest, "e", 1)?;
                set_immutable(writer, 1, "old", 6)?;
                set_upload(writer, 1, "large", None)
            })
            .unwrap();
        let reader = catalog.read().unwrap();
        let tag = by_key(&reader, 1, "tag").unwrap().unwrap();
        assert_eq!((tag.digest, tag.tag.as_deref(), tag.sent), (Some(digest), Some("e"), None));
        assert_eq!(unneeded(&reader, 1).unwrap(), (0, 0));
        assert_eq!(after(&reader, 1, "blob", 1).unwrap()[0].key, "old");
        drop(reader);
        let found = || findings(&catalog.read().unwrap(), 1).unwrap();
        assert_eq!(found(), HostFindings::default());
        catalog.write(|writer| renew_listed(writer, 1, 5)).unwrap();
        assert_eq!(found().listed_at, None, "what was worthless stays so");
        catalog
            .write(|writer| {
                set_listed(writer, 1, Some(5))?;
                renew_listed(writer, 1, 6)?;
                set_conditional(writer, 1, true)
            })
            .unwrap();
        assert_eq!(found(), HostFindings { listed_at: Some(6), conditional: Some(true) });
        catalog.write(|writer| targets::save(writer, "bucket", &settings, 2)).unwrap();
        assert_eq!(found(), HostFindings::default(), "it may be another host now");
        catalog.write(|writer| targets::remove(writer, "bucket").map(drop)).unwrap();
        assert_eq!(stored(&catalog.read().unwrap(), 1).unwrap(), (0, 0), "a target that goes takes its objects along");
    }
}
