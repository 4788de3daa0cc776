//! Publications: which root went where, how far, and which roots are still wanted.
//!
//! Knows rows. A root is *kept* as long as it is one of the last that a target has, as many as the target's `keep` says, and
//! was not forgotten; what it needs stays through `gc`. Must not know nodes, names, nor what a step does.

use std::ops::RangeInclusive;

use cid::Cid;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;

use super::Writer;
use super::blobs::cid_column;
use super::targets::{self, Target};
use crate::error::Result;
use crate::unixfs::Link;

/// State of a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It goes on, or was cut.
    Running,
    /// The target has it.
    Published,
    /// It failed; the former one is still there.
    Failed,
    /// Another one took its place before it was done.
    Superseded,
}

impl State {
    /// Word in the database, in JSON and for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Published => "published",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
        }
    }

    fn of(word: &str) -> Self {
        match word {
            "running" => Self::Running,
            "published" => Self::Published,
            "failed" => Self::Failed,
            _ => Self::Superseded,
        }
    }
}

/// A root on its way to a target, or there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Row in the table `publications`; later ones are larger.
    pub id: i64,
    /// The target; none if it was removed.
    pub target: Option<i64>,
    /// The name that the target had.
    pub target_name: String,
    /// The root, with the bytes of all its blocks.
    pub root: Link,
    /// The root that the target had before.
    pub former: Option<Cid>,
    /// Verb that began it: `publish` or `rollback`.
    pub verb: String,
    /// When it began, in seconds since 1970.
    pub begun_at: i64,
    /// When it ended, in seconds since 1970; none while it runs or was cut.
    pub ended_at: Option<i64>,
    /// State that was recorded last.
    pub state: State,
    /// Text of the error, if it failed.
    pub failure: Option<String>,
    /// Blocks that were handed over.
    pub blocks: u64,
    /// Bytes that were handed over.
    pub bytes: u64,
    /// Requests to the target, the plan's included; none: it is not asked by requests, or they were not counted.
    pub requests: Option<u64>,
    /// Changes by this publication, in words.
    pub summary: String,
    /// The target still pins the root.
    pub pinned: bool,
    /// The root was not forgotten.
    pub kept: bool,
}

/// A publication that begins.
#[derive(Debug, Clone)]
pub struct NewPublication<'a> {
    /// The target that is published to.
    pub target: &'a Target,
    /// Root to be published, with the bytes of all its blocks.
    pub root: Link,
    /// The root that the target has.
    pub former: Option<Cid>,
    /// Verb that begins it: `publish` or `rollback`.
    pub verb: &'a str,
    /// Changes by this publication, in words.
    pub summary: &'a str,
}

/// A step that a publication has behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoneStep {
    /// Name of the step: `hand_over`, `chain:2`, `pin` …
    pub step: String,
    /// When, in seconds since 1970.
    pub at: i64,
    /// Result of the step, in words or as a CID.
    pub detail: String,
}

const COLUMNS: &str = "id, target, target_name, root, tsize, former, verb, begun_at, ended_at, state, failure, blocks, bytes, \
     summary, pinned, kept, requests";

fn publication(row: &Row<'_>) -> rusqlite::Result<Publication> {
    let has_former = row.get_ref(5)? != rusqlite::types::ValueRef::Null;
    Ok(Publication {
        id: row.get(0)?,
        target: row.get(1)?,
        target_name: row.get(2)?,
        root: Link { cid: cid_column(row, 3)?, tsize: row.get(4)? },
        former: if has_former { Some(cid_column(row, 5)?) } else { None },
        verb: row.get(6)?,
        begun_at: row.get(7)?,
        ended_at: row.get(8)?,
        state: State::of(row.get_ref(9)?.as_str()?),
        failure: row.get(10)?,
        blocks: row.get(11)?,
        bytes: row.get(12)?,
        summary: row.get(13)?,
        pinned: row.get(14)?,
        kept: row.get(15)?,
        requests: row.get(16)?,
    })
}

/// Begins a publication, and answers its row. One that was going on for the same target is superseded.
pub fn begin(writer: &Writer<'_>, new: &NewPublication<'_>, now: i64) -> Result<i64> {
    writer
        .prepare_cached(
            "UPDATE publications SET state = 'superseded', ended_at = ? WHERE target = ? AND state = 'running'",
        )?
        .execute(params![now, new.target.id])?;
    let mut statement = writer.prepare_cached(
        "INSERT INTO publications (target, target_name, root, tsize, former, verb, begun_at, state, summary)
         VALUES (?, ?, ?, ?, ?, ?, ?, 'running', ?)",
    )?;
    Ok(statement.insert(params![
        new.target.id,
        new.target.name,
        new.root.cid.to_bytes(),
        new.root.tsize,
        new.former.map(|cid| cid.to_bytes()),
        new.verb,
        now,
        new.summary
    ])?)
}

/// Records a step as done; the last word about a step counts.
pub fn step_done(writer: &Writer<'_>, publication: i64, step: &str, detail: &str, now: i64) -> Result<()> {
    writer
        .prepare_cached("INSERT OR REPLACE INTO publication_steps (publication, step, at, detail) VALUES (?, ?, ?, ?)")?
        .execute(params![publication, step, now, detail])?;
    Ok(())
}

/// The steps that a publication has behind it, in the order of their doing.
pub fn steps(connection: &Connection, publication: i64) -> Result<Vec<DoneStep>> {
    let mut statement = connection
        .prepare_cached("SELECT step, at, detail FROM publication_steps WHERE publication = ? ORDER BY at, step")?;
    let rows = statement
        .query_map([publication], |row| Ok(DoneStep { step: row.get(0)?, at: row.get(1)?, detail: row.get(2)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Adds to what was handed over.
pub fn add_handed_over(writer: &Writer<'_>, publication: i64, blocks: u64, bytes: u64) -> Result<()> {
    writer
        .prepare_cached("UPDATE publications SET blocks = blocks + ?, bytes = bytes + ? WHERE id = ?")?
        .execute(params![blocks, bytes, publication])?;
    Ok(())
}

/// Adds to the requests that it took.
pub fn add_requests(writer: &Writer<'_>, publication: i64, requests: u64) -> Result<()> {
    writer
        .prepare_cached("UPDATE publications SET requests = coalesce(requests, 0) + ? WHERE id = ?")?
        .execute(params![requests, publication])?;
    Ok(())
}

/// Records how a publication ended, and when (seconds since 1970).
pub fn finish(writer: &Writer<'_>, publication: i64, state: State, failure: Option<&str>, now: i64) -> Result<()> {
    writer
        .prepare_cached("UPDATE publications SET state = ?, failure = ?, ended_at = ? WHERE id = ?")?
        .execute(params![state.as_str(), failure, now, publication])?;
    Ok(())
}

/// The publication of this row.
pub fn by_id(connection: &Connection, id: i64) -> Result<Option<Publication>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM publications WHERE id = ?"))?;
    Ok(statement.query_row([id], publication).optional()?)
}

/// What was published under roots whose CIDs, in bytes, are in this range, newest first, at most 20.
pub fn by_root_range(connection: &Connection, range: &RangeInclusive<Vec<u8>>) -> Result<Vec<Publication>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM publications WHERE root BETWEEN ? AND ? AND state = 'published' ORDER BY id DESC LIMIT 20"
    ))?;
    let rows = statement.query_map(params![range.start(), range.end()], publication)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The last publication that this target has: what it gives out.
pub fn newest_published(connection: &Connection, target: i64) -> Result<Option<Publication>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM publications WHERE target = ? AND state = 'published' ORDER BY id DESC LIMIT 1"
    ))?;
    Ok(statement.query_row([target], publication).optional()?)
}

/// The publication of this target that goes on or was cut.
pub fn running(connection: &Connection, target: i64) -> Result<Option<Publication>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM publications WHERE target = ? AND state = 'running' ORDER BY id DESC LIMIT 1"
    ))?;
    Ok(statement.query_row([target], publication).optional()?)
}

/// Publications, newest first: to the targets of this name or to all of them, at most `limit`, and those before the row `before`.
pub fn of(
    connection: &Connection,
    target_name: Option<&str>,
    limit: Option<u64>,
    before: Option<i64>,
) -> Result<Vec<Publication>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM publications
         WHERE (?1 IS NULL OR target_name = ?1) AND id < ?2 ORDER BY id DESC LIMIT ?3"
    ))?;
    let limit = limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(-1);
    let rows = statement.query_map(params![target_name, before.unwrap_or(i64::MAX), limit], publication)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// All publications of a root, newest first.
pub fn of_root(connection: &Connection, root: &Cid) -> Result<Vec<Publication>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM publications WHERE root = ? ORDER BY id DESC"))?;
    let rows = statement.query_map([root.to_bytes()], publication)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The last `keep` different roots that a target has, the newest first, forgotten ones too: what stays pinned there.
pub fn last_roots(connection: &Connection, target: i64, keep: u32) -> Result<Vec<Publication>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM publications p WHERE target = ?1 AND state = 'published' AND id =
           (SELECT max(id) FROM publications l WHERE l.root = p.root AND l.target = ?1 AND l.state = 'published')
         ORDER BY id DESC LIMIT ?2"
    ))?;
    let rows = statement.query_map(params![target, keep], publication)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The roots that a target pins, as far as is known, the newest first.
pub fn pinned_roots(connection: &Connection, target: i64) -> Result<Vec<Cid>> {
    let mut statement = connection.prepare_cached(
        "SELECT root FROM publications WHERE target = ? AND pinned GROUP BY root ORDER BY max(id) DESC",
    )?;
    let rows = statement.query_map([target], |row| cid_column(row, 0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Every root besides the catalog's own that keeps what it needs: within the `keep` of a target and not forgotten, or being published.
/// Each once.
pub fn kept_roots(connection: &Connection) -> Result<Vec<Link>> {
    kept_roots_but(connection, None)
}

/// The same without what this target keeps.
pub fn kept_roots_but(connection: &Connection, without: Option<i64>) -> Result<Vec<Link>> {
    let mut kept: Vec<Link> = Vec::new();
    let mut add = |link: Link| {
        if !kept.iter().any(|known| known.cid == link.cid) {
            kept.push(link);
        }
    };
    for target in targets::all(connection)?.into_iter().filter(|target| Some(target.id) != without) {
        if let Some(running) = running(connection, target.id)? {
            add(running.root);
        }
        for publication in last_roots(connection, target.id, target.settings.keep)? {
            if publication.kept {
                add(publication.root);
            }
        }
    }
    Ok(kept)
}

/// Records whether a target pins a root.
pub fn set_pinned(writer: &Writer<'_>, target: i64, root: &Cid, pinned: bool) -> Result<()> {
    writer.prepare_cached("UPDATE publications SET pinned = ? WHERE target = ? AND root = ?")?.execute(params![
        pinned,
        target,
        root.to_bytes()
    ])?;
    Ok(())
}

/// Records whether this catalog keeps what a root needs; not to is to forget it. Publishing it again keeps it again.
pub fn set_kept(writer: &Writer<'_>, root: &Cid, kept: bool) -> Result<()> {
    writer
        .prepare_cached("UPDATE publications SET kept = ? WHERE root = ?")?
        .execute(params![kept, root.to_bytes()])?;
    Ok(())
}

/// Whether this private repository was part of a publication before.
pub fn was_published_private(connection: &Connection, repository: &str) -> Result<bool> {
    let mut statement =
        connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM published_private WHERE repository = ?)")?;
    Ok(statement.query_row([repository], |row| row.get(0))?)
}

/// Records that this private repository was part of a publication.
pub fn set_published_private(writer: &Writer<'_>, repository: &str, now: i64) -> Result<()> {
    writer
        .prepare_cached("INSERT OR IGNORE INTO published_private (repository, at) VALUES (?, ?)")?
        .execute(params![repository, now])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Catalog;
    use super::super::targets::{NodeSettings, TargetSettings};
    use super::*;
    use crate::unixfs::{Profile, file};

    fn root(text: &str) -> Link {
        file::of_bytes(Profile::default(), text.as_bytes()).0
    }

    fn settings(keep: u32) -> TargetSettings {
        let node = NodeSettings::kubo("http://127.0.0.1:5001");
        TargetSettings { node, keep, ipns: None, dnslink: None, gateways: vec![] }
    }

    fn catalog(names: &[(&str, u32)]) -> (tempfile::TempDir, Catalog) {
        let directory = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&directory.path().join("catalog.db")).unwrap();
        let save = |writer: &Writer<'_>| {
            names.iter().try_for_each(|(name, keep)| targets::save(writer, name, &settings(*keep), 1))
        };
        catalog.write(save).unwrap();
        (directory, catalog)
    }

    fn target(catalog: &Catalog, name: &str) -> Target {
        targets::by_name(&catalog.read().unwrap(), name).unwrap().unwrap()
    }

    fn start(catalog: &Catalog, target: &Target, text: &str, now: i64) -> i64 {
        let new = NewPublication { target, root: root(text), former: None, verb: "publish", summary: "1 tag moved" };
        catalog.write(|writer| begin(writer, &new, now)).unwrap()
    }

    fn publish(catalog: &Catalog, target: &Target, text: &str) -> i64 {
        let id = start(catalog, target, text, 10);
        catalog.write(|writer| finish(writer, id, State::Published, None, 11)).unwrap();
        id
    }

    fn kept(catalog: &Catalog) -> Vec<Link> {
        kept_roots(&catalog.read().unwrap()).unwrap()
    }

    #[test]
    fn a_publication_is_continued_from_its_steps() {
        let (_directory, catalog) = catalog(&[("home", 2)]);
        let home = target(&catalog, "home");
        let id = start(&catalog, &home, "a", 5);
        catalog
            .write(|writer| {
                step_done(writer, id, "hand_over", "1", 6)?;
                step_done(writer, id, "pin", "", 7)?;
                step_done(writer, id, "hand_over", "2", 6)?;
                add_handed_over(writer, id, 3, 40)?;
                add_handed_over(writer, id, 1, 2)
            })
            .unwrap();
        let reader = catalog.read().unwrap();
        let cut = running(&reader, home.id).unwrap().unwrap();
        assert_eq!((cut.id, cut.blocks, cut.bytes, cut.state), (id, 4, 42, State::Running));
        let done: Vec<(String, String)> =
            steps(&reader, id).unwrap().into_iter().map(|done| (done.step, done.detail)).collect();
        assert_eq!(done, [("hand_over".into(), "2".into()), ("pin".into(), String::new())]);
        assert_eq!(newest_published(&reader, home.id).unwrap(), None);
        drop(reader);
        let next = start(&catalog, &home, "b", 8);
        let reader = catalog.read().unwrap();
        assert_eq!(running(&reader, home.id).unwrap().unwrap().id, next);
        let cut = by_id(&reader, id).unwrap().unwrap();
        assert_eq!((cut.state, cut.ended_at), (State::Superseded, Some(8)));
    }

    #[test]
    fn the_last_roots_of_each_target_are_kept() {
        let (_directory, catalog) = catalog(&[("one", 2), ("two", 1)]);
        let (one, two) = (target(&catalog, "one"), target(&catalog, "two"));
        for text in ["a", "b", "a", "c"] {
            publish(&catalog, &one, text);
        }
        publish(&catalog, &two, "b");
        assert_eq!(kept(&catalog), [root("c"), root("a"), root("b")]);
        let failed = start(&catalog, &two, "d", 20);
        assert_eq!(kept(&catalog), [root("c"), root("a"), root("d"), root("b")]);
        catalog.write(|writer| finish(writer, failed, State::Failed, Some("no room"), 21)).unwrap();
        assert_eq!(kept(&catalog), [root("c"), root("a"), root("b")]);
        catalog.write(|writer| set_kept(writer, &root("a").cid, false)).unwrap();
        assert_eq!(kept(&catalog), [root("c"), root("b")]);
        publish(&catalog, &one, "a");
        assert_eq!(kept(&catalog), [root("a"), root("c"), root("b")]);
    }

    #[test]
    fn history_stays_when_its_target_goes() {
        let (_directory, catalog) = catalog(&[("one", 2), ("two", 1)]);
        let (one, two) = (target(&catalog, "one"), target(&catalog, "two"));
        let ids = [publish(&catalog, &one, "a"), publish(&catalog, &two, "a"), publish(&catalog, &one, "b")];
        catalog
            .write(|writer| {
                set_pinned(writer, one.id, &root("a").cid, true)?;
                set_pinned(writer, one.id, &root("b").cid, true)
            })
            .unwrap();
        assert_eq!(pinned_roots(&catalog.read().unwrap(), one.id).unwrap(), [root("b").cid, root("a").cid]);
        catalog.write(|writer| targets::remove(writer, "one")).unwrap();
        let reader = catalog.read().unwrap();
        let rows = |name, limit, before| -> Vec<i64> {
            of(&reader, name, limit, before).unwrap().into_iter().map(|row| row.id).collect()
        };
        assert_eq!(rows(Some("one"), None, None), [ids[2], ids[0]]);
        assert_eq!(rows(None, Some(2), None), [ids[2], ids[1]]);
        assert_eq!(rows(None, None, Some(ids[2])), [ids[1], ids[0]]);
        let all = of_root(&reader, &root("a").cid).unwrap();
        assert_eq!(all.iter().map(|row| row.target).collect::<Vec<_>>(), [Some(two.id), None]);
        assert_eq!(kept_roots(&reader).unwrap(), [root("a")]);
    }

    #[test]
    fn the_first_time_is_remembered() {
        let (_directory, catalog) = catalog(&[]);
        assert!(!was_published_private(&catalog.read().unwrap(), "secret/app").unwrap());
        catalog.write(|writer| set_published_private(writer, "secret/app", 1)).unwrap();
        catalog.write(|writer| set_published_private(writer, "secret/app", 2)).unwrap();
        assert!(was_published_private(&catalog.read().unwrap(), "secret/app").unwrap());
    }
}
