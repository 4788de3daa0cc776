//! What nothing needs any more, and what leaves after its time.
//!
//! Files that change leave with the root that had them; those whose names say what they are stay for the grace, so that whoever began
//! to pull goes on, and a former root is a matter of small files.

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};

use super::standing::{Leaving, Standing};
use crate::catalog::host_objects::{self, HostObject};
use crate::catalog::targets::Target;
use crate::engine::job::Job;
use crate::engine::{Engine, now};
use crate::error::{Error, Result};
use crate::hosts::{Host, Stored};
use crate::site::objects::RECORD_KEY;

/// Rows that are looked at together.
const ROWS_PER_READ: u64 = 1000;
/// Objects that are deleted at the same time.
const MAX_CONCURRENT_DELETIONS: usize = 16;

/// Writes down what is there and needed, and since when the rest is not; `listed_at` is since when that is known by the host's list.
pub(super) async fn note(
    engine: &Arc<Engine>,
    target: &Target,
    standing: &Arc<Standing>,
    listed_at: Option<i64>,
) -> Result<()> {
    let (target, standing) = (target.id, Arc::clone(standing));
    engine
        .blocking(move |engine| {
            let mut known = vec![false; standing.wanted.len()];
            let mut after = String::new();
            loop {
                let rows = host_objects::after(&*engine.catalog.read()?, target, &after, ROWS_PER_READ)?;
                let Some(last) = rows.last() else { break };
                after.clone_from(&last.key);
                let changed: Vec<(String, Option<i64>)> =
                    rows.into_iter().filter_map(|row| changed(row, &standing, &mut known)).collect();
                engine.catalog.write(|writer| {
                    changed.iter().try_for_each(|(key, since)| host_objects::set_unneeded(writer, target, key, *since))
                })?;
            }
            engine.catalog.write(|writer| {
                for (wanted, known) in standing.wanted.iter().zip(&known) {
                    if !known && wanted.stage.is_immutable() {
                        host_objects::set_immutable(writer, target, &wanted.key, wanted.size)?;
                    }
                }
                for (place, tag) in &standing.adopted {
                    if let Some(wanted) = standing.wanted.get(*place) {
                        host_objects::set_stored(writer, target, &wanted.key, &wanted.digest, tag, wanted.size)?;
                    }
                }
                standing.gone.iter().try_for_each(|key| host_objects::forget(writer, target, key))?;
                host_objects::set_listed(writer, target, listed_at)
            })
        })
        .await
}

/// What of a row is not as it should be: since when nothing needs it.
fn changed(row: HostObject, standing: &Standing, known: &mut [bool]) -> Option<(String, Option<i64>)> {
    if row.key == RECORD_KEY {
        return None;
    }
    let needed = match standing.wanted.binary_search_by(|wanted| wanted.key.cmp(&row.key)) {
        Ok(place) => {
            if let Some(known) = known.get_mut(place) {
                *known = true;
            }
            true
        }
        Err(_) => false,
    };
    match (needed, row.unneeded_since) {
        (true, Some(_)) => Some((row.key, None)),
        (false, None) => Some((row.key, Some(now()))),
        _ => None,
    }
}

/// Gives up the uploads of what is not wanted any more: their parts take room, and nothing shows them.
pub(super) async fn give_up(engine: &Arc<Engine>, host: &dyn Host, target: &Target, standing: &Standing) -> Result<()> {
    let id = target.id;
    let begun = engine.blocking(move |engine| host_objects::uploads(&*engine.catalog.read()?, id)).await?;
    for (key, upload) in begun {
        if standing.wanted.binary_search_by(|wanted| wanted.key.cmp(&key)).is_ok() {
            continue;
        }
        host.give_up(&key, &upload).await;
        engine
            .blocking(move |engine| engine.catalog.write(|writer| host_objects::set_upload(writer, id, &key, None)))
            .await?;
    }
    Ok(())
}

/// What came of deleting.
#[derive(Debug, Default)]
pub(super) struct Deleted {
    pub(super) objects: u64,
    pub(super) bytes: u64,
    /// Why the rest is still there.
    pub(super) failure: Option<Error>,
}

/// An object, and what came of deleting it.
type Outcome<'s> = (&'s Leaving, Result<Stored>);

async fn delete_one<'s>(host: &dyn Host, leaving: &'s Leaving) -> Outcome<'s> {
    (leaving, host.delete(&leaving.key, leaving.tag.as_deref()).await)
}

/// Forgets what is not there any more.
pub(super) async fn forget(engine: &Arc<Engine>, target: &Target, leaving: &[Leaving]) -> Result<()> {
    let (target, gone) = (target.id, leaving.iter().map(|leaving| leaving.key.clone()).collect::<Vec<_>>());
    engine
        .blocking(move |engine| {
            engine.catalog.write(|writer| gone.iter().try_for_each(|key| host_objects::forget(writer, target, key)))
        })
        .await
}

/// Deletes what leaves. What of it is still there is not known until that has ended: only then `listed_at` holds.
pub(super) async fn delete(
    engine: &Arc<Engine>,
    host: &dyn Host,
    target: &Target,
    leaving: &[Leaving],
    listed_at: Option<i64>,
    job: &Job,
) -> Result<Deleted> {
    let mut deleted = Deleted::default();
    for some in leaving.chunks(ROWS_PER_READ as usize) {
        let mut deletions: Vec<BoxFuture<'_, Outcome<'_>>> = Vec::with_capacity(some.len());
        for leaving in some {
            deletions.push(delete_one(host, leaving).boxed());
        }
        let deletions = stream::iter(deletions).buffer_unordered(MAX_CONCURRENT_DELETIONS).collect::<Vec<_>>();
        let mut gone = Vec::new();
        for (leaving, outcome) in job.or_cancelled(async { Ok(deletions.await) }).await? {
            match outcome {
                Ok(Stored::Now(_)) => {
                    deleted.objects += 1;
                    deleted.bytes += leaving.size;
                    gone.push(leaving.key.clone());
                }
                // Somebody else has put something there: it is theirs.
                Ok(Stored::Refused) => gone.push(leaving.key.clone()),
                Err(error) => deleted.failure = Some(error),
            }
        }
        let target = target.id;
        engine
            .blocking(move |engine| {
                engine.catalog.write(|writer| gone.iter().try_for_each(|key| host_objects::forget(writer, target, key)))
            })
            .await?;
        if deleted.failure.is_some() {
            return Ok(deleted);
        }
    }
    let target = target.id;
    engine
        .blocking(move |engine| engine.catalog.write(|writer| host_objects::set_listed(writer, target, listed_at)))
        .await?;
    Ok(deleted)
}
