//! Who may change the catalog, who may use blobs that no row keeps, and who may delete: the waits for each.
//!
//! A lease comes before the lock, never after it, so that two never wait for each other.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::Engine;
use super::job::{Event, Job};
use super::restore::unfinished::check_finished;
use crate::catalog::{PlanLock, follow};
use crate::engine::blocking::in_place;
use crate::error::{Error, Kind, Result};
use crate::holder::{HeldBy, Holder};
use crate::store::{Lease, Reclaim};
use crate::text::printable_within;

/// How often it is looked whether a lease is to be had.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// How long a turn may be waited for without a word: recording takes others that long.
const SILENT_WAIT: Duration = Duration::from_secs(1);

/// The turns in which one plan changes the catalog; one plan to whoever undoes it.
#[derive(Debug)]
pub(super) struct Turns {
    /// For the message of who waits; none where the lock is held, or nothing is changed.
    doing: Option<String>,
    /// The plan that its changes are a part of; 0 until its first turn.
    plan: AtomicI64,
}

impl Turns {
    /// Takes the lock for each turn.
    pub(super) fn of(doing: String) -> Arc<Self> {
        Arc::new(Self { doing: Some(doing), plan: AtomicI64::new(0) })
    }

    /// Has the lock all the time, or changes nothing.
    pub(super) fn none() -> Arc<Self> {
        Arc::new(Self { doing: None, plan: AtomicI64::new(0) })
    }
}

impl Engine {
    /// Waits for the right to change what is in the catalog. Nobody gets it while a restore is not finished, nor while the
    /// catalog is a copy of another.
    pub(super) async fn lock(&self, doing: &str, job: &Job) -> Result<PlanLock> {
        let lock = self.lock_whole(doing, job).await?;
        in_place(|| check_own(&*self.catalog.read()?))?;
        Ok(lock)
    }

    /// The same for what changes no image: also where the catalog is a copy of another.
    pub(super) async fn lock_whole(&self, doing: &str, job: &Job) -> Result<PlanLock> {
        let lock = self.lock_unfinished(doing, job).await?;
        in_place(|| check_finished(&*self.catalog.read()?))?;
        Ok(lock)
    }

    /// The same, also while a restore is not finished: for the restore itself, and for what changes nothing that it restores.
    pub(super) async fn lock_unfinished(&self, doing: &str, job: &Job) -> Result<PlanLock> {
        self.lock_after(Duration::ZERO, doing, job).await
    }

    /// The same; the wait is told once it has lasted for so long.
    async fn lock_after(&self, silent: Duration, doing: &str, job: &Job) -> Result<PlanLock> {
        let lock = take_lock(&self.data_dir, doing, self.wait, silent, job).await?;
        // Whoever has the lock is alone, so the moment names the plan.
        self.plan.store(jiff::Timestamp::now().as_microsecond(), Ordering::Relaxed);
        Ok(lock)
    }

    /// Waits for the next turn of a plan; none where it has the lock all the time.
    pub(super) async fn turn(&self, turns: &Turns, job: &Job) -> Result<Option<PlanLock>> {
        let Some(doing) = &turns.doing else { return Ok(None) };
        let lock = self.lock_after(SILENT_WAIT, doing, job).await?;
        in_place(|| {
            let reader = self.catalog.read()?;
            check_finished(&reader)?;
            check_own(&reader)
        })?;
        match turns.plan.load(Ordering::Relaxed) {
            0 => turns.plan.store(self.plan.load(Ordering::Relaxed), Ordering::Relaxed),
            plan => self.plan.store(plan, Ordering::Relaxed),
        }
        Ok(Some(lock))
    }

    /// What another process does with this data directory at the moment, as far as it says: changes the catalog, or fetches for it.
    pub fn busy_elsewhere(&self) -> Option<Holder> {
        let changing = PlanLock::holder(&self.data_dir).filter(|holder| !holder.is_this_process());
        changing.or_else(|| self.store.leased_elsewhere())
    }

    /// Waits until nobody reclaims, and keeps it so.
    pub(super) async fn lease(&self, doing: &str, job: &Job) -> Result<Lease> {
        let what = "reclaiming blobs";
        self.until(what, job, || self.store.try_lease(doing)).await
    }

    /// Waits until nobody uses blobs that no row keeps, and keeps it so.
    pub(super) async fn reclaim(&self, doing: &str, job: &Job) -> Result<Reclaim> {
        let what = "using blobs";
        self.until(what, job, || self.store.try_reclaim(doing)).await
    }

    async fn until<T>(&self, what: &str, job: &Job, mut take: impl FnMut() -> Result<Result<T, HeldBy>>) -> Result<T> {
        let begun = Instant::now();
        let mut told = Told::new(Duration::ZERO);
        loop {
            let who = match take()? {
                Ok(taken) => {
                    told.over(job);
                    return Ok(taken);
                }
                Err(who) => who,
            };
            if begun.elapsed() >= self.wait {
                return Err(Error::new(Kind::Locked, format!("{who} is {what} in {}", self.data_dir.display()))
                    .hint("Try again when it is done, or wait longer with `--wait SECONDS`."));
            }
            told.waits(&who, job);
            job.or_cancelled(async {
                tokio::time::sleep(RETRY_INTERVAL.min(self.wait)).await;
                Ok(())
            })
            .await?;
        }
    }
}

/// Fails where the catalog is a copy of another: what is added here would be gone with the next root.
pub(super) fn check_own(connection: &Connection) -> Result<()> {
    match follow::name(connection)? {
        None => Ok(()),
        Some(name) => {
            let words = format!("this catalog follows {}, so nothing else changes it", printable_within(&name, 120));
            Err(Error::new(Kind::Usage, words)
                .hint("Use another data directory with `--data-dir`; `roadstead import` merges a published registry into that.")
                .hint("`roadstead follow stop` makes this one a catalog of its own."))
        }
    }
}

/// Waits for the lock of a directory, at most so long. Tells the job whom it waits for once that has lasted for `silent`, and when
/// it goes on.
pub(super) async fn take_lock(
    directory: &Path,
    doing: &str,
    patience: Duration,
    silent: Duration,
    job: &Job,
) -> Result<PlanLock> {
    let mut told = Told::new(silent);
    let take = PlanLock::take(directory, doing, patience, |who| {
        told.waits(who, job);
        job.check()
    });
    let lock = job.or_cancelled(take).await?;
    told.over(job);
    Ok(lock)
}

/// Whom a job was last said to wait for.
struct Told {
    since: Instant,
    silent: Duration,
    who: Option<HeldBy>,
}

impl Told {
    fn new(silent: Duration) -> Self {
        Self { since: Instant::now(), silent, who: None }
    }

    fn waits(&mut self, who: &HeldBy, job: &Job) {
        if self.who.as_ref() != Some(who) && self.since.elapsed() >= self.silent {
            self.who = Some(who.clone());
            job.tell(Event::Queued { behind: who.clone() });
        }
    }

    fn over(&self, job: &Job) {
        if self.who.is_some() {
            job.tell(Event::Proceeding);
        }
    }
}
