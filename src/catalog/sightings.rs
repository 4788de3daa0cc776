//! Since when tags and their digests are known, for rules that wait.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use rusqlite::{Connection, OptionalExtension, params};

use super::Writer;
use super::blobs::digest_column;
use crate::error::{Context as _, Result};
use crate::image::Digest;

/// Bytes of the longest list that is read again.
const MAX_LIST_BYTES: u64 = 64 << 20;

/// The tags of a repository when it was listed first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstList {
    /// When that was, in seconds since 1970.
    pub listed_at: i64,
    /// The tags, sorted.
    pub tags: BTreeSet<String>,
}

/// The first list of a repository (`registry/repository`).
pub fn first_list(connection: &Connection, upstream: &str) -> Result<Option<FirstList>> {
    let mut statement = connection.prepare_cached("SELECT listed_at, tags FROM first_lists WHERE upstream = ?")?;
    let row = statement.query_row([upstream], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)));
    let Some((listed_at, deflated)) = row.optional()? else { return Ok(None) };
    let mut text = String::new();
    DeflateDecoder::new(deflated.as_slice())
        .take(MAX_LIST_BYTES)
        .read_to_string(&mut text)
        .context(|| format!("the first list of tags of {upstream} in the catalog can't be read"))?;
    Ok(Some(FirstList { listed_at, tags: text.lines().map(str::to_owned).collect() }))
}

/// Whether there is a first list of a repository.
pub fn has_first_list(connection: &Connection, upstream: &str) -> Result<bool> {
    let mut statement = connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM first_lists WHERE upstream = ?)")?;
    Ok(statement.query_row([upstream], |row| row.get(0))?)
}

/// Records the first list of a repository.
pub fn set_first_list<'t>(
    writer: &Writer<'_>,
    upstream: &str,
    tags: impl IntoIterator<Item = &'t str>,
    now: i64,
) -> Result<()> {
    let what = || format!("the list of tags of {upstream} can't be recorded");
    let mut deflated = DeflateEncoder::new(Vec::new(), Compression::fast());
    for tag in tags {
        deflated.write_all(tag.as_bytes()).and_then(|()| deflated.write_all(b"\n")).context(what)?;
    }
    let deflated = deflated.finish().context(what)?;
    writer
        .prepare_cached("INSERT OR IGNORE INTO first_lists (upstream, listed_at, tags) VALUES (?, ?, ?)")?
        .execute(params![upstream, now, deflated])?;
    Ok(())
}

/// When a tag, or a digest at it, was seen first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The tag.
    pub tag: String,
    /// The digest; none: the tag in a list.
    pub digest: Option<Digest>,
    /// When that was, in seconds since 1970.
    pub seen_at: i64,
}

/// All that was seen of a repository after its first list.
pub fn of(connection: &Connection, upstream: &str) -> Result<Vec<Sighting>> {
    let mut statement = connection
        .prepare_cached("SELECT tag, digest, seen_at FROM sightings WHERE upstream = ? ORDER BY tag, digest")?;
    let rows = statement.query_map([upstream], |row| {
        let digest: Vec<u8> = row.get(1)?;
        let digest = if digest.is_empty() { None } else { Some(digest_column(row, 1)?) };
        Ok(Sighting { tag: row.get(0)?, digest, seen_at: row.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Records that a tag, or a digest at it, was seen; the first time counts.
pub fn see(writer: &Writer<'_>, upstream: &str, tag: &str, digest: Option<&Digest>, now: i64) -> Result<()> {
    let digest = digest.map_or(&[][..], |digest| digest.as_bytes().as_slice());
    writer
        .prepare_cached("INSERT OR IGNORE INTO sightings (upstream, tag, digest, seen_at) VALUES (?, ?, ?, ?)")?
        .execute(params![upstream, tag, digest, now])?;
    Ok(())
}

/// Makes what was seen of a repository later than now, by a clock that was ahead, seen now.
pub fn bring_back(writer: &Writer<'_>, upstream: &str, now: i64) -> Result<()> {
    for (table, column) in [("sightings", "seen_at"), ("first_lists", "listed_at")] {
        writer
            .prepare_cached(&format!("UPDATE {table} SET {column} = ?2 WHERE upstream = ?1 AND {column} > ?2"))?
            .execute(params![upstream, now])?;
    }
    Ok(())
}
