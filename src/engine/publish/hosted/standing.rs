//! What a static host has of a root: its list is compared with what is wanted and with what was stored from here. The plan is made
//! from it, and so is the run, which does nothing if it finds somebody else's hand in between.
//!
//! The list is the truth, in whatever order it comes. Of a bucket it takes a request for a thousand objects, so while nobody has written
//! the record since this catalog did, what the catalog remembers stands for the list, for a day; conditions notice what it does not
//! know. A key that says what its bytes are is there if its size is right; of the others the
//! host's tag says whether they are what was stored from here. What has another tag is read: a cut may have kept its tag from being
//! written down. What is neither ours nor what is wanted is somebody else's, and stays.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use rusqlite::Connection;

use super::record::SeenRecord;
use super::wanted::{self, Layout, Wanted};
use crate::catalog::host_objects::{self, HostObject};
use crate::catalog::targets::Target;
use crate::engine::blocking::in_place;
use crate::engine::job::Job;
use crate::engine::{Engine, now};
use crate::error::{Error, Kind, Result};
use crate::hosts::{Condition, Host, Listed};
use crate::image::Digest;
use crate::site::objects::{PING_KEY, RECORD_KEY};
use crate::text::{count, printable_within};
use crate::unixfs::Link;

/// Objects that are read at the same time.
const MAX_CONCURRENT_READS: usize = 8;
/// The largest object that is read to see whose it is, in bytes.
const MAX_COMPARED_BYTES: u64 = 16 << 20;
/// Keys of somebody else that are named.
const MAX_NAMED_KEYS: usize = 5;
/// How long a plan's findings can be gone by.
const FINDINGS_LIFETIME: Duration = Duration::from_mins(1);
/// How long a host's list can be gone by, in seconds, while its record stays the same.
const LIST_LIFETIME_SECONDS: i64 = 86_400;
/// Rows that are looked at together.
const ROWS_PER_READ: u64 = 1000;

/// What a host has under a wanted key.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Nothing,
    /// What is wanted.
    Same,
    /// Something of ours, with this tag.
    Ours(String),
    /// Something with this tag, of which it is not known whose it is; and what was stored or being stored from here.
    Unknown(String, [Option<Digest>; 2]),
}

/// An object that leaves.
#[derive(Debug, Clone)]
pub(super) struct Leaving {
    pub(super) key: String,
    pub(super) size: u64,
    /// What the host calls it by, where it may be another one by now.
    pub(super) tag: Option<String>,
}

/// How a host stands towards a root.
#[derive(Debug)]
pub(in crate::engine::publish) struct Standing {
    at: Instant,
    /// Everything that it shall have, by key.
    pub(super) wanted: Vec<Wanted>,
    /// Which of it is stored, and under which condition; by stage.
    pub(super) store: Vec<(usize, Condition)>,
    /// What it has as it is wanted, though that was not written down: the tag.
    pub(super) adopted: Vec<(usize, String)>,
    /// What leaves now.
    pub(super) leaving: Vec<Leaving>,
    /// What was stored from here and is not there any more.
    pub(super) gone: Vec<String>,
    /// Objects that nothing needs and that stay for their time.
    pub(super) unneeded: u64,
    /// Objects that were there and are missing or have another size.
    pub(super) lost: u64,
    /// Who publishes there.
    pub(super) record: SeenRecord,
    /// What this goes by.
    pub(super) by: Evidence,
    /// Whether the host keeps to conditions; none: not tried.
    pub(super) conditional: Option<bool>,
}

/// What says which objects a host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    /// Its list of this time, in seconds since 1970.
    List(i64),
    /// What is remembered since it was listed.
    Memory(i64),
}

impl Standing {
    /// Looks at a host. With `force` it does not matter who else wrote there.
    pub(super) async fn of(
        engine: &Arc<Engine>,
        host: &dyn Host,
        target: &Target,
        root: &Link,
        force: bool,
        job: &Job,
    ) -> Result<Self> {
        let wanted = {
            let (root, job) = (*root, job.clone());
            let layout = Layout::of(host);
            engine.blocking(move |engine| wanted::of_root(&*engine.catalog.read()?, &root, layout, &job)).await?
        };
        let findings = in_place(|| host_objects::findings(&*engine.catalog.read()?, target.id))?;
        let lists = force || host.trees().is_some() || findings.conditional != Some(true);
        let remembered = findings.listed_at.filter(|at| !lists && (0..LIST_LIFETIME_SECONDS).contains(&(now() - at)));
        let mut comparison = Comparison::new(wanted, target.id, Layout::of(host));
        let (record, by) = match remembered {
            Some(at) => remember(engine, host, target, &mut comparison, at, job).await?,
            None => list(engine, host, target, &mut comparison, None, job).await?,
        };
        if !force {
            record.check(&host.place())?;
        }
        let foreign = job.or_cancelled(comparison.resolve(host, force)).await?;
        if !foreign.is_empty() {
            return Err(not_ours(&host.place(), &foreign));
        }
        let grace = i64::from(target.settings.node.grace_days()) * 86_400;
        in_place(|| comparison.finish(&*engine.catalog.read()?, (record, by), findings.conditional, now() - grace))
    }

    /// When the host was listed, in seconds since 1970.
    pub(super) fn listed_at(&self) -> i64 {
        match self.by {
            Evidence::List(at) | Evidence::Memory(at) => at,
        }
    }

    /// Whether this goes by what the host lists now.
    pub(super) fn listed(&self) -> bool {
        matches!(self.by, Evidence::List(_))
    }

    /// Whether a run that follows soon may go by it, if the record is still the same.
    pub(super) fn is_fresh(&self) -> bool {
        self.at.elapsed() <= FINDINGS_LIFETIME
    }
}

/// Compares with what is remembered, if the record is still the one that was written from here; else with what the host lists.
async fn remember(
    engine: &Arc<Engine>,
    host: &dyn Host,
    target: &Target,
    comparison: &mut Comparison,
    listed_at: i64,
    job: &Job,
) -> Result<(SeenRecord, Evidence)> {
    let written = in_place(|| host_objects::by_key(&*engine.catalog.read()?, target.id, RECORD_KEY))?;
    let Some(written) = written.filter(|written| written.tag.is_some()) else {
        return list(engine, host, target, comparison, None, job).await;
    };
    let read = job.or_cancelled(SeenRecord::read(engine, host, target, written.tag.as_deref())).await;
    let record = match read {
        // Some hosts forbid what is not there.
        Err(error) if error.kind() == Kind::Auth => None,
        read => Some(read?),
    };
    match record {
        Some(record)
            if record.is_unchanged(&written) && in_place(|| comparison.remembered(&*engine.catalog.read()?))? =>
        {
            Ok((record, Evidence::Memory(listed_at)))
        }
        record => {
            comparison.forget();
            list(engine, host, target, comparison, record, job).await
        }
    }
}

/// Compares with what the host lists; `seen` is its record as it was before.
async fn list(
    engine: &Arc<Engine>,
    host: &dyn Host,
    target: &Target,
    comparison: &mut Comparison,
    seen: Option<SeenRecord>,
    job: &Job,
) -> Result<(SeenRecord, Evidence)> {
    let at = now();
    let mut next: Option<String> = None;
    loop {
        let page = job.or_cancelled(host.list(next.as_deref())).await?;
        in_place(|| comparison.page(&*engine.catalog.read()?, page.objects))?;
        if page.next.is_none() {
            break;
        }
        if page.next == next {
            return Err(Error::new(Kind::Node, format!("the list of {} does not go on", host.place())));
        }
        next = page.next;
    }
    let record = match seen.filter(|seen| seen.tag == comparison.record) {
        Some(seen) => seen,
        None => job.or_cancelled(SeenRecord::read(engine, host, target, comparison.record.as_deref())).await?,
    };
    Ok((record, Evidence::List(at)))
}

fn not_ours(place: &str, keys: &[String]) -> Error {
    let named: Vec<String> = keys.iter().take(MAX_NAMED_KEYS).map(|key| printable_within(key, 120)).collect();
    let more = keys.len().saturating_sub(MAX_NAMED_KEYS) as u64;
    let and = if more > 0 { format!(" and {}", count(more, "other", "others")) } else { String::new() };
    let objects = count(keys.len() as u64, "object", "objects");
    Error::new(Kind::Locked, format!("{place} has {objects} not from here in the way: {}{and}", named.join(", ")))
        .hint("Use another bucket or prefix, or replace them with `--force`.")
}

/// A place among what is wanted, and what is there: its digest and its tag.
type Found = (usize, Option<(Digest, String)>);

async fn look(host: &dyn Host, place: usize, wanted: &Wanted, reads_it: bool) -> Result<Found> {
    let read = if reads_it { host.read(&wanted.key, MAX_COMPARED_BYTES).await? } else { None };
    Ok((place, read.map(|read| (Digest::of(&read.bytes), read.tag))))
}

/// A host's list on its way through what is wanted.
struct Comparison {
    target: i64,
    layout: Layout,
    wanted: Vec<Wanted>,
    seen: Vec<Seen>,
    /// What a tree has that was not put there from here: the next one is made without it.
    strangers: Vec<Leaving>,
    /// What the list calls the record by.
    record: Option<String>,
    /// Tags of what was stored from here and is not wanted.
    others: HashMap<String, String>,
    adopted: Vec<(usize, String)>,
    lost: u64,
}

impl Comparison {
    fn new(wanted: Vec<Wanted>, target: i64, layout: Layout) -> Self {
        let seen = vec![Seen::Nothing; wanted.len()];
        Self {
            target,
            layout,
            wanted,
            seen,
            strangers: Vec::new(),
            record: None,
            others: HashMap::new(),
            adopted: Vec::new(),
            lost: 0,
        }
    }

    /// Nothing is seen yet.
    fn forget(&mut self) {
        *self = Self::new(std::mem::take(&mut self.wanted), self.target, self.layout);
    }

    /// Takes what is remembered as what the host would list. False where it may be otherwise: something was on its way when a run was
    /// cut, or nothing has needed it for a while.
    fn remembered(&mut self, connection: &Connection) -> Result<bool> {
        let mut after = String::new();
        loop {
            let rows = host_objects::after(connection, self.target, &after, ROWS_PER_READ)?;
            let Some(last) = rows.last() else { return Ok(true) };
            after.clone_from(&last.key);
            let is_wanted = |key: &str| self.wanted.binary_search_by(|wanted| wanted.key.as_str().cmp(key)).is_ok();
            let doubtful = |row: &HostObject| row.sent.is_some() || row.unneeded_since.is_some() && is_wanted(&row.key);
            if rows.iter().any(doubtful) {
                return Ok(false);
            }
            let listed = |row: HostObject| Listed { key: row.key, size: row.size, tag: row.tag.unwrap_or_default() };
            self.page(connection, rows.into_iter().map(listed).collect())?;
        }
    }

    fn page(&mut self, connection: &Connection, listed: Vec<Listed>) -> Result<()> {
        for Listed { key, size, tag } in listed {
            if key == RECORD_KEY {
                self.record = Some(tag);
                continue;
            }
            let Ok(place) = self.wanted.binary_search_by(|wanted| wanted.key.as_str().cmp(&key)) else {
                if host_objects::by_key(connection, self.target, &key)?.is_some() {
                    self.others.insert(key, tag);
                } else if self.layout == Layout::Tree {
                    self.strangers.push(Leaving { key, size, tag: None });
                }
                continue;
            };
            let (Some(wanted), Some(seen)) = (self.wanted.get(place), self.seen.get_mut(place)) else { continue };
            if wanted.stage.is_immutable() {
                if size == wanted.size {
                    *seen = Seen::Same;
                } else {
                    self.lost += 1;
                    *seen = Seen::Ours(tag);
                }
                continue;
            }
            let row = host_objects::by_key(connection, self.target, &key)?;
            *seen = match row {
                Some(row) if row.tag.as_ref() == Some(&tag) && row.digest == Some(wanted.digest) => Seen::Same,
                Some(row) if row.tag.as_ref() == Some(&tag) && row.digest.is_some() => Seen::Ours(tag),
                // Whose a tree is is said by its record alone.
                _ if self.layout == Layout::Tree => Seen::Ours(tag),
                row => Seen::Unknown(tag, row.map_or([None, None], |row| [row.digest, row.sent])),
            };
        }
        Ok(())
    }

    /// Reads what is there with a tag that is not known, and answers the keys of what is somebody else's.
    async fn resolve(&mut self, host: &dyn Host, force: bool) -> Result<Vec<String>> {
        let unknown: Vec<usize> =
            (0..self.seen.len()).filter(|place| matches!(self.seen.get(*place), Some(Seen::Unknown(..)))).collect();
        let mut reads: Vec<BoxFuture<'_, Result<Found>>> = Vec::with_capacity(unknown.len());
        for place in unknown {
            if let Some(wanted) = self.wanted.get(place) {
                // What a host serves by a name with a slash at its end has no bytes to compare.
                let reads_it = wanted.key != PING_KEY && !force;
                reads.push(look(host, place, wanted, reads_it).boxed());
            }
        }
        let read: Vec<Found> = stream::iter(reads).buffer_unordered(MAX_CONCURRENT_READS).try_collect().await?;
        let mut foreign = Vec::new();
        for (place, found) in read {
            let (Some(wanted), Some(seen)) = (self.wanted.get(place), self.seen.get_mut(place)) else { continue };
            let Seen::Unknown(listed, known) = seen.clone() else { continue };
            *seen = match found {
                Some((digest, tag)) if digest == wanted.digest => {
                    self.adopted.push((place, tag));
                    Seen::Same
                }
                Some((digest, tag)) if known.contains(&Some(digest)) => Seen::Ours(tag),
                None if wanted.key == PING_KEY => {
                    self.adopted.push((place, listed));
                    Seen::Same
                }
                // It has gone since it was listed.
                None if !force => Seen::Nothing,
                _ if force => Seen::Ours(listed),
                Some(_) | None => {
                    foreign.push(wanted.key.clone());
                    continue;
                }
            };
        }
        foreign.sort_unstable();
        Ok(foreign)
    }

    fn finish(
        mut self,
        connection: &Connection,
        (record, by): (SeenRecord, Evidence),
        conditional: Option<bool>,
        unneeded_until: i64,
    ) -> Result<Standing> {
        let mut store = Vec::new();
        for (place, (wanted, seen)) in self.wanted.iter().zip(&self.seen).enumerate() {
            match seen {
                Seen::Same => {}
                Seen::Ours(tag) => store.push((place, Condition::Tag(tag.clone()))),
                Seen::Nothing | Seen::Unknown(..) => {
                    if let Some(row) = host_objects::by_key(connection, self.target, &wanted.key)? {
                        // Not every host lists a name with a slash at its end.
                        if wanted.key == PING_KEY && row.digest == Some(wanted.digest) {
                            continue;
                        }
                        // What changes in a tree is written down before the tree is given out.
                        let was_there = self.layout == Layout::Objects || wanted.stage.is_immutable();
                        self.lost += u64::from(was_there && row.sent.is_none() && row.unneeded_since.is_none());
                    }
                    store.push((place, Condition::Absent));
                }
            }
        }
        store.sort_by_key(|(place, _)| self.wanted.get(*place).map(|wanted| wanted.stage));
        let (mut leaving, mut gone) = (std::mem::take(&mut self.strangers), Vec::new());
        let mut due = 0;
        host_objects::each_that_may_go(connection, self.target, unneeded_until, |row| {
            if row.key == RECORD_KEY || self.wanted.binary_search_by(|wanted| wanted.key.cmp(&row.key)).is_ok() {
                return Ok(());
            }
            due += u64::from(row.unneeded_since.is_some());
            let changes = row.digest.is_some() || row.sent.is_some();
            // What somebody else has put there since is not ours to delete.
            let listed = self.others.remove(&row.key);
            let ours = |tag: &String| !changes || row.sent.is_some() || row.tag.as_ref() == Some(tag);
            match listed.filter(|tag| self.layout == Layout::Tree || ours(tag)) {
                Some(tag) => leaving.push(Leaving { key: row.key, size: row.size, tag: changes.then_some(tag) }),
                None => gone.push(row.key),
            }
            Ok(())
        })?;
        let (unneeded, _) = host_objects::unneeded(connection, self.target)?;
        Ok(Standing {
            at: Instant::now(),
            wanted: self.wanted,
            store,
            adopted: self.adopted,
            leaving,
            gone,
            unneeded: unneeded.saturating_sub(due),
            lost: self.lost,
            record,
            by,
            conditional,
        })
    }
}
