//! Events that runs told, and who is still to be told of them. Knows hooks by their identities; what a hook is, and how it is told,
//! is known elsewhere.
//!
//! A row is written in the transaction of what it tells, and is marked as delivered after the hook has taken it: a hook is told at
//! least once, and twice where the process ends between the two.

use rusqlite::{Connection, Row, params};

use super::Writer;
use super::blobs::optional_digest_column;
use crate::error::{Error, Kind, Result};
use crate::image::Digest;
use crate::rules::Event;
use crate::text::printable_within;

/// Events that are kept however old they are.
const KEPT_EVENTS: i64 = 1000;
/// Seconds for which every event is kept: 30 days.
const KEPT_SECONDS: i64 = 30 * 86_400;
/// Seconds after the first failure until it is tried again; each further one doubles it.
const FIRST_DELAY_SECONDS: i64 = 60;
/// Seconds between two attempts at most: 6 hours.
const MAX_DELAY_SECONDS: i64 = 6 * 3600;
/// Characters of the longest error that is kept.
const MAX_ERROR_CHARACTERS: usize = 500;

/// An event that a hook is to be told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The event.
    pub event: Event,
    /// Identity of the hook.
    pub hook: String,
    /// How often it was tried.
    pub attempts: u32,
}

/// A hook that could not be told of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The event.
    pub event: Event,
    /// Identity of the hook.
    pub hook: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub error: String,
    /// When that was, in seconds since 1970.
    pub failed_at: i64,
    /// When it is tried again, in seconds since 1970.
    pub next_attempt_at: i64,
}

/// Records an event for these hooks, and gives the number that it has from now on; the one it came with does not count. Without a
/// hook it is kept all the same.
pub fn put(writer: &Writer<'_>, event: &Event, hooks: &[String]) -> Result<u64> {
    let digest = |digest: Option<Digest>| digest.map(|digest| digest.as_bytes().to_vec());
    writer
        .prepare_cached(
            "INSERT INTO events (at, run, kind, rule, image, from_digest, to_digest, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            event.at,
            event.run,
            event.kind.name(),
            event.rule,
            event.image,
            digest(event.from),
            digest(event.to),
            event.detail
        ])?;
    let id = writer.last_insert_rowid();
    // The same hook twice is told once.
    let mut statement =
        writer.prepare_cached("INSERT OR IGNORE INTO outbox (event, hook, next_attempt_at) VALUES (?, ?, ?)")?;
    for hook in hooks {
        statement.execute(params![id, hook, event.at])?;
    }
    Ok(id.cast_unsigned())
}

/// What is to be told now, the oldest first, and of each hook so many at most: a hook that fails keeps no other one waiting.
///
/// An attempt that is further away than any delay is due at once: the clock was set back.
pub fn due(connection: &Connection, now: i64, most_of_each: u32) -> Result<Vec<Due>> {
    let mut statement = connection.prepare_cached(
        "SELECT e.id, e.at, e.run, e.kind, e.rule, e.image, e.from_digest, e.to_digest, e.detail, o.hook, o.attempts
         FROM (SELECT event, hook, attempts, row_number() OVER (PARTITION BY hook ORDER BY event) AS place FROM outbox
               WHERE delivered_at IS NULL AND (next_attempt_at <= ?1 OR next_attempt_at > ?1 + ?2)) o
         JOIN events e ON e.id = o.event WHERE o.place <= ?3 ORDER BY e.id, o.hook",
    )?;
    let rows = statement.query_map(params![now, MAX_DELAY_SECONDS, most_of_each], |row| {
        Ok(Due { event: event(row)?, hook: row.get(9)?, attempts: row.get(10)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Notes that a hook was told.
pub fn delivered(writer: &Writer<'_>, event: u64, hook: &str, now: i64) -> Result<()> {
    writer
        .prepare_cached(
            "UPDATE outbox SET delivered_at = ?3, attempts = attempts + 1, last_attempt_at = ?3, last_error = NULL
             WHERE event = ?1 AND hook = ?2",
        )?
        .execute(params![event, hook, now])?;
    Ok(())
}

/// Notes that a hook could not be told, and when it is tried again: after a minute, then twice as long each time, up to six hours.
pub fn failed(writer: &Writer<'_>, event: u64, hook: &str, error: &str, now: i64) -> Result<()> {
    writer
        .prepare_cached(
            "UPDATE outbox SET attempts = attempts + 1, last_attempt_at = ?3, last_error = ?4,
             next_attempt_at = ?3 + min(?5, ?6 << min(attempts, 20)) WHERE event = ?1 AND hook = ?2 AND delivered_at IS NULL",
        )?
        .execute(params![
            event,
            hook,
            now,
            printable_within(error, MAX_ERROR_CHARACTERS),
            MAX_DELAY_SECONDS,
            FIRST_DELAY_SECONDS
        ])?;
    Ok(())
}

/// The hooks for which something waits.
pub fn waited_for(connection: &Connection) -> Result<Vec<String>> {
    let mut statement = connection.prepare_cached("SELECT DISTINCT hook FROM outbox WHERE delivered_at IS NULL")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many events wait for a hook, now or later.
pub fn waiting(connection: &Connection, hook: &str) -> Result<u64> {
    let mut statement =
        connection.prepare_cached("SELECT count(*) FROM outbox WHERE hook = ? AND delivered_at IS NULL")?;
    Ok(statement.query_row([hook], |row| row.get(0))?)
}

/// Whether it was ever tried to tell a hook, as far as that is still known.
pub fn was_tried(connection: &Connection, hook: &str) -> Result<bool> {
    let mut statement =
        connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM outbox WHERE hook = ? AND attempts > 0)")?;
    Ok(statement.query_row([hook], |row| row.get(0))?)
}

/// Gives what waits for a hook to another one, which is told of it now.
pub fn hand_over(writer: &Writer<'_>, from: &str, to: &str, now: i64) -> Result<()> {
    writer
        .prepare_cached(
            "UPDATE OR IGNORE outbox SET hook = ?2, attempts = 0, last_attempt_at = NULL, last_error = NULL, next_attempt_at = ?3
             WHERE hook = ?1 AND delivered_at IS NULL",
        )?
        .execute(params![from, to, now])?;
    // What is left of it waits for the other one already.
    forget(writer, from).map(drop)
}

/// Forgets what waits for a hook, and says how much that was.
pub fn forget(writer: &Writer<'_>, hook: &str) -> Result<u64> {
    let mut statement = writer.prepare_cached("DELETE FROM outbox WHERE hook = ? AND delivered_at IS NULL")?;
    Ok(statement.execute([hook])? as u64)
}

/// Removes an event, as if it had not been recorded.
pub fn take_back(writer: &Writer<'_>, event: u64) -> Result<()> {
    writer.prepare_cached("DELETE FROM events WHERE id = ?")?.execute([event])?;
    Ok(())
}

/// Forgets events that are neither among the last thousand nor younger than 30 days, whether they were told or not.
pub fn prune(writer: &Writer<'_>, now: i64) -> Result<usize> {
    let mut statement = writer.prepare_cached(
        "DELETE FROM events WHERE at < ?1 AND id <= (SELECT id FROM events ORDER BY id DESC LIMIT 1 OFFSET ?2)",
    )?;
    Ok(statement.execute(params![now - KEPT_SECONDS, KEPT_EVENTS])?)
}

/// What could not be told so far, the last failure first.
pub fn failures(connection: &Connection, most: u32) -> Result<Vec<Failure>> {
    let mut statement = connection.prepare_cached(
        "SELECT e.id, e.at, e.run, e.kind, e.rule, e.image, e.from_digest, e.to_digest, e.detail,
                o.hook, o.attempts, o.last_error, o.last_attempt_at, o.next_attempt_at
         FROM outbox o JOIN events e ON e.id = o.event
         WHERE o.delivered_at IS NULL AND o.last_error IS NOT NULL ORDER BY o.last_attempt_at DESC, e.id DESC, o.hook LIMIT ?",
    )?;
    let rows = statement.query_map([most], |row| {
        Ok(Failure {
            event: event(row)?,
            hook: row.get(9)?,
            attempts: row.get(10)?,
            error: row.get(11)?,
            failed_at: row.get(12)?,
            next_attempt_at: row.get(13)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The events of a run, oldest first.
pub fn of_run(connection: &Connection, run: i64) -> Result<Vec<Event>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, at, run, kind, rule, image, from_digest, to_digest, detail FROM events WHERE run = ? ORDER BY id",
    )?;
    let rows = statement.query_map([run], event)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The numbers of the last runs that told something, newest first.
pub fn runs(connection: &Connection, most: u32) -> Result<Vec<i64>> {
    let mut statement =
        connection.prepare_cached("SELECT run FROM events GROUP BY run ORDER BY max(id) DESC LIMIT ?")?;
    let rows = statement.query_map([most], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// An event in the first columns of a row.
fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    let kind = row.get_ref(3)?.as_str()?.parse().map_err(|words| {
        let error = Box::new(Error::new(Kind::Verification, words));
        rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Text, error)
    })?;
    Ok(Event {
        id: row.get(0)?,
        at: row.get(1)?,
        run: row.get(2)?,
        kind,
        rule: row.get(4)?,
        image: row.get(5)?,
        from: optional_digest_column(row, 6)?,
        to: optional_digest_column(row, 7)?,
        detail: row.get(8)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::rules::EventKind;

    const NOW: i64 = 1_764_450_000;

    fn catalog() -> (Catalog, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        (Catalog::open(&directory.path().join("catalog.db")).unwrap(), directory)
    }

    fn event(at: i64, kind: EventKind) -> Event {
        Event { id: 0, at, run: 1, kind, rule: None, image: None, from: None, to: None, detail: None }
    }

    fn put_one(catalog: &Catalog, at: i64, hooks: &[&str]) -> u64 {
        let hooks: Vec<String> = hooks.iter().map(ToString::to_string).collect();
        catalog.write(|writer| put(writer, &event(at, EventKind::New), &hooks)).unwrap()
    }

    /// Events and hooks that are due.
    fn due_at(catalog: &Catalog, now: i64, most: u32) -> Vec<(u64, String)> {
        let due = due(&catalog.read().unwrap(), now, most).unwrap();
        due.into_iter().map(|due| (due.event.id, due.hook)).collect()
    }

    fn fail(catalog: &Catalog, id: u64, hook: &str, now: i64) {
        catalog.write(|writer| failed(writer, id, hook, "it\u{1b} broke", now)).unwrap();
    }

    #[test]
    fn an_event_comes_back_as_it_was() {
        let (catalog, _directory) = catalog();
        for (run, kind) in (1..).zip(EventKind::ALL) {
            let full = Event {
                run,
                rule: Some("web".to_owned()),
                image: Some("a/b:1".to_owned()),
                from: Some(Digest::of(b"a")),
                to: Some(Digest::of(b"b")),
                detail: Some("why".to_owned()),
                ..event(NOW, kind)
            };
            let id = catalog.write(|writer| put(writer, &full, &[])).unwrap();
            assert_eq!(of_run(&catalog.read().unwrap(), run).unwrap(), [Event { id, ..full }]);
        }
        assert_eq!(due_at(&catalog, NOW, 10), []);
    }

    #[test]
    fn a_hook_is_told_until_it_was() {
        let (catalog, _directory) = catalog();
        let first = put_one(&catalog, NOW, &["a", "b", "a"]);
        let second = put_one(&catalog, NOW, &["a"]);
        let all = [(first, "a".to_owned()), (first, "b".to_owned()), (second, "a".to_owned())];
        assert_eq!(due_at(&catalog, NOW, 10), all);
        assert_eq!(due_at(&catalog, NOW, 1), all[..2], "one of each hook");
        catalog.write(|writer| delivered(writer, first, "a", NOW)).unwrap();
        assert_eq!(due_at(&catalog, NOW, 10), all[1..]);
        fail(&catalog, first, "a", NOW);
        assert_eq!(failures(&catalog.read().unwrap(), 10).unwrap(), [], "what was told can't fail any more");
    }

    #[test]
    fn failures_wait_longer_each_time() {
        let (catalog, _directory) = catalog();
        let id = put_one(&catalog, NOW, &["a"]);
        let mut now = NOW;
        for (attempt, delay) in (1..).zip([60, 120, 240, 480, 960, 1920, 3840, 7680, 15_360, 21_600, 21_600]) {
            fail(&catalog, id, "a", now);
            let failure = failures(&catalog.read().unwrap(), 10).unwrap().remove(0);
            assert_eq!((failure.attempts, failure.failed_at, failure.next_attempt_at), (attempt, now, now + delay));
            assert_eq!(failure.error, "it\\u{1b} broke");
            assert!(due_at(&catalog, now + delay - 1, 10).is_empty());
            assert_eq!(due_at(&catalog, now + delay, 10).len(), 1);
            now += delay;
        }
        for _ in 0..200 {
            fail(&catalog, id, "a", now);
        }
        assert_eq!(failures(&catalog.read().unwrap(), 10).unwrap()[0].next_attempt_at, now + MAX_DELAY_SECONDS);
        catalog.write(|writer| delivered(writer, id, "a", now)).unwrap();
        assert_eq!(failures(&catalog.read().unwrap(), 10).unwrap(), []);
    }

    #[test]
    fn a_clock_that_was_set_back_delays_nothing() {
        let (catalog, _directory) = catalog();
        let id = put_one(&catalog, NOW, &["a"]);
        fail(&catalog, id, "a", NOW + 1_000_000);
        assert_eq!(due_at(&catalog, NOW, 10).len(), 1);
    }

    #[test]
    fn the_last_failure_is_the_first_of_the_list() {
        let (catalog, _directory) = catalog();
        let ids = [0, 1, 2].map(|_| put_one(&catalog, NOW, &["a"]));
        for (id, at) in [(ids[1], NOW + 2), (ids[0], NOW + 3), (ids[2], NOW + 1)] {
            fail(&catalog, id, "a", at);
        }
        let found: Vec<u64> = failures(&catalog.read().unwrap(), 2).unwrap().iter().map(|of| of.event.id).collect();
        assert_eq!(found, [ids[0], ids[1]]);
    }

    #[test]
    fn what_waits_for_a_hook_is_forgotten_or_handed_over() {
        let (catalog, _directory) = catalog();
        let first = put_one(&catalog, NOW, &["a", "b"]);
        let second = put_one(&catalog, NOW, &["a", "b", "c"]);
        fail(&catalog, first, "a", NOW);
        let waits = |hook: &str| waiting(&catalog.read().unwrap(), hook).unwrap();
        let is_tried = |hook: &str| was_tried(&catalog.read().unwrap(), hook).unwrap();
        assert!(is_tried("a") && !is_tried("b") && waits("a") == 2);
        assert_eq!(catalog.write(|writer| forget(writer, "b")).unwrap(), 2);
        assert_eq!(waited_for(&catalog.read().unwrap()).unwrap(), ["a", "c"]);
        catalog.write(|writer| hand_over(writer, "a", "c", NOW)).unwrap();
        assert_eq!(
            due_at(&catalog, NOW, 10),
            [(first, "c".to_owned()), (second, "c".to_owned())],
            "at once, each once"
        );
        assert_eq!((waits("a"), is_tried("c")), (0, false));
        catalog.write(|writer| take_back(writer, first)).unwrap();
        assert_eq!(due_at(&catalog, NOW, 10), [(second, "c".to_owned())]);
    }

    #[test]
    fn old_events_go_and_their_numbers_stay_taken() {
        let (catalog, _directory) = catalog();
        let old = NOW - KEPT_SECONDS - 1;
        catalog
            .write(|writer| {
                for _ in 0..KEPT_EVENTS + 2 {
                    put(writer, &event(old, EventKind::New), &["a".to_owned()])?;
                }
                Ok(())
            })
            .unwrap();
        let pruned = |now| catalog.write(|writer| prune(writer, now)).unwrap();
        assert_eq!(pruned(old + KEPT_SECONDS), 0, "none is older than 30 days");
        assert_eq!(pruned(NOW), 2);
        let left = due_at(&catalog, NOW, u32::MAX);
        assert_eq!((left.len() as i64, left[0].0), (KEPT_EVENTS, 3), "what is to be told goes with the event");
        catalog.write(|writer| Ok(writer.execute("DELETE FROM events", []).map(drop)?)).unwrap();
        assert_eq!(put_one(&catalog, NOW, &[]), KEPT_EVENTS.cast_unsigned() + 3);
    }
}
