//! Coming back: exactly what the plan says, a hundred images at a time, each fetched, verified and recorded as any other.

use std::sync::Arc;

use cid::Cid;
use futures::StreamExt as _;
use futures::stream;
use serde::Serialize;

use super::plan::{Purpose, ReturnPlan, changing};
use crate::catalog::{repositories, restoring, settings, state};
use crate::engine::Engine;
use crate::engine::add::resolve::Resolved;
use crate::engine::blocking::in_place;
use crate::engine::job::{Event, Job};
use crate::engine::plan::{AddPlan, Added, Change};
use crate::engine::turn::{Turns, check_own};
use crate::error::{Error, Kind, Result};

/// Images that are resolved, fetched and recorded together. Their manifests are in memory meanwhile.
const MAX_BATCH_IMAGES: usize = 128;
/// Images that are resolved at the same time.
const MAX_CONCURRENT_IMAGES: usize = 8;
/// Most paths that are named when two trees differ.
const MAX_NAMED_PATHS: usize = 8;

/// Result of a restore or an import.
#[derive(Debug)]
pub struct Returned {
    /// What is in the catalog now, what failed, and how many bytes came.
    pub added: Added,
    /// Blobs that were left where they are until they are needed, and their bytes.
    pub left: Left,
}

/// Blobs that are not here yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Number of blobs left where they are.
    pub blobs: u64,
    /// Bytes of these blobs together.
    pub bytes: u64,
}

impl Engine {
    /// Runs exactly this plan. A restore has the root of the tree then, or fails; an import goes on without what fails.
    /// With `lazy`, configurations come now and other blobs when they are first needed, from where `lazy` says.
    pub async fn apply_return(self: &Arc<Self>, plan: &ReturnPlan, lazy: Option<&str>, job: &Job) -> Result<Returned> {
        let _listening = self.notices.listen(job);
        let verb = if plan.purpose == Purpose::Restore { "restore" } else { "import" };
        let doing = format!("{verb} from {}", plan.place);
        let _lease = self.lease(&doing, job).await?;
        // A catalog that is not whole yet is nobody else's to change; one that takes more in is changed by turns.
        let (_lock, turns) = match plan.purpose {
            Purpose::Restore => {
                let lock = self.lock_unfinished(&doing, job).await?;
                in_place(|| check_own(&*self.catalog.read()?))?;
                in_place(|| self.begin_restore(plan))?;
                (Some(lock), Turns::none())
            }
            Purpose::Import { .. } => {
                drop(self.lock(&doing, job).await?);
                (None, Turns::of(doing))
            }
        };
        let mut returned =
            Returned { added: Added { verb: verb.to_owned(), ..Added::default() }, left: Left::default() };
        let all = changing(plan);
        let total = all.len() as u64;
        for (number, batch) in all.chunks(MAX_BATCH_IMAGES).enumerate() {
            job.check()?;
            let mut adding = self.resolve_batch(plan, batch, job).await?;
            returned.added.failed.append(&mut adding.failed);
            if let Some(place) = lazy {
                let left = self.leave_blobs(&plan.records.tree, &mut adding, |_| false, place, job).await?;
                returned.left.blobs += left.blobs;
                returned.left.bytes += left.bytes;
            }
            let mut added = self.run_add(adding, verb, &turns, job).await?;
            returned.added.recorded.append(&mut added.recorded);
            returned.added.failed.append(&mut added.failed);
            returned.added.fetched += added.fetched;
            let done = (number * MAX_BATCH_IMAGES + batch.len()) as u64;
            job.tell(Event::Progress { what: "images", done, total });
        }
        returned.added.root = in_place(|| self.root())?;
        if plan.purpose == Purpose::Restore {
            self.finish_restore(plan, &returned).await?;
        }
        Ok(returned)
    }

    /// Whether something can be restored here: nothing is here but an unfinished restore.
    pub fn check_restorable(&self) -> Result<()> {
        let reader = self.catalog.read()?;
        check_own(&reader)?;
        if restoring::load(&reader)?.is_some() {
            return Ok(());
        }
        check_free(None, "", !repositories::list(&reader, None, Some(1))?.is_empty())
    }

    /// Makes the catalog the one that comes back, if nothing else is in it.
    fn begin_restore(&self, plan: &ReturnPlan) -> Result<()> {
        let root = plan.root.map(|root| root.to_string()).unwrap_or_default();
        let records = &plan.records;
        self.change("restore", &root, |writer, current, touched| {
            let under_way = restoring::load(writer)?;
            check_free(under_way.as_deref(), &root, !repositories::list(writer, None, Some(1))?.is_empty())?;
            if current.profile != records.profile {
                let words =
                    format!("the catalog has the profile {}, but the root {}", current.profile, records.profile);
                return Err(Error::new(Kind::Usage, words)
                    .hint("A profile is chosen once: restore into another directory with `--data-dir`."));
            }
            restoring::save(writer, &root)?;
            let mut new = current.clone();
            new.name.clone_from(&records.name);
            new.description.clone_from(&records.description);
            new.default_platform.clone_from(&records.default_platform);
            new.site_version = records.site_version;
            touched.everything = new != *current;
            settings::save(writer, &new)
        })
        .map(drop)
    }

    /// The root must be what it was; only then the restore is no longer unfinished.
    async fn finish_restore(&self, plan: &ReturnPlan, returned: &Returned) -> Result<()> {
        if let Some(first) = returned.added.failed.first() {
            let others = returned.added.failed.len() - 1;
            let more = if others == 0 { String::new() } else { format!(", and {others} more") };
            return Err(Error::new(
                first.error.kind(),
                format!("{} can't be restored: {}{more}", first.request, first.error),
            )
            .hint("What was fetched is kept: the same command continues from here, even with another `--from`."));
        }
        let here = in_place(|| state::root(&*self.catalog.read()?))?.map(|link| link.cid);
        if let (Some(wanted), Some(here)) = (plan.root, here)
            && wanted != here
        {
            let mut error = Error::new(
                Kind::Verification,
                format!("everything that the records name is here, but the root is {here} instead of {wanted}"),
            );
            let differing = self.differing(plan, here).await.unwrap_or_default();
            if !differing.is_empty() {
                error = error.hint(format!("Differences: {}.", differing.join(", ")));
            }
            return Err(error
                .hint("The tree was changed after it was published, or by another version; what is here is complete, but has another root.")
                .hint("`roadstead import` merges the tree into another catalog, whatever its root."));
        }
        in_place(|| self.catalog.write(restoring::clear))
    }

    /// A few paths in which the catalog's tree differs from the one that was read.
    async fn differing(&self, plan: &ReturnPlan, here: Cid) -> Result<Vec<String>> {
        super::differing::paths(self, &plan.records.tree, here, MAX_NAMED_PATHS).await
    }

    async fn resolve_batch(&self, plan: &ReturnPlan, batch: &[(usize, usize)], job: &Job) -> Result<AddPlan> {
        let total = batch.len() as u64;
        job.tell(Event::Resolving { done: 0, total });
        let each = batch.iter().enumerate().map(|(index, (of, at))| async move {
            let repository = &plan.repositories[*of];
            let image = &repository.images[*at];
            let outcome = job.or_cancelled(self.resolve_placed(repository.placed(image), job)).await;
            let outcome = outcome.and_then(|(mut resolved, source)| {
                let as_planned = match (resolved.change, image.change) {
                    (Change::Moved { from }, planned) => planned == Change::Moved { from },
                    _ => true,
                };
                if !as_planned {
                    return Err(Error::new(
                        Kind::Locked,
                        format!("{} changed while this was planned", repository.shown(image)),
                    )
                    .hint("Plan again: run the same command once more."));
                }
                resolved.allowed = resolved.private && plan.purpose == Purpose::Restore;
                Ok((resolved, source))
            });
            Resolved { index, request: repository.shown(image), outcome }
        });
        // In a list, since a stream that holds a closure over references can't be sent.
        let mut resolving = stream::iter(each.collect::<Vec<_>>()).buffer_unordered(MAX_CONCURRENT_IMAGES);
        let mut outcomes = Vec::with_capacity(batch.len());
        while let Some(outcome) = resolving.next().await {
            outcomes.push(outcome);
            job.tell(Event::Resolving { done: outcomes.len() as u64, total });
        }
        drop(resolving);
        job.check()?;
        in_place(|| self.plan_of(outcomes))
    }
}

/// Whether a catalog may become what comes back.
pub(super) fn check_free(under_way: Option<&str>, root: &str, has_images: bool) -> Result<()> {
    match under_way {
        Some(same) if same == root => Ok(()),
        Some(other) if has_images => Err(Error::new(
            Kind::Usage,
            format!("the catalog holds an unfinished restore of {}", crate::text::printable_within(other, 120)),
        )
        .hint("Finish that one first, or restore into another directory with `--data-dir`.")),
        None if has_images => {
            Err(Error::new(Kind::Usage, "the catalog is not empty, but a restore needs an empty one").hint(
                "`roadstead import` merges a registry into this one; `--data-dir` restores into another directory.",
            ))
        }
        _ => Ok(()),
    }
}
