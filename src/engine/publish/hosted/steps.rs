//! A publication to a static host, step by step, each of which may be done again without harm.

use std::sync::Arc;

use super::content::NotedUploads;
use super::record::{Record, SeenRecord};
use super::settle;
use super::standing::Standing;
use super::store::{Store, Sum};
use super::tree::Build;
use crate::catalog::host_objects;
use crate::catalog::publications::{self, State};
use crate::engine::blocking::in_place;
use crate::engine::job::{PublishStep, StepState};
use crate::engine::now;
use crate::engine::publish::pins;
use crate::engine::publish::plan::PlannedHost;
use crate::engine::publish::run::Run;
use crate::error::{Error, Kind, Result};
use crate::hosts::{Host, NO_CONDITIONS};
use crate::site::objects::RECORD_KEY;
use crate::text::{bytes, count};

/// What is to be known of files that are the blob store's own.
const HARD_LINKS: &str = "The hard links are the blob store's own files: don't change them in place. `roadstead target set NAME --copy` \
     publishes separate files.";

impl Run<'_> {
    /// Stores what is missing in its order, then says so in the record; what nothing needs any more leaves last.
    pub(in crate::engine::publish) async fn everything_hosted(
        &mut self,
        host: &dyn Host,
        planned: &PlannedHost,
    ) -> Result<()> {
        let _lock = self.lock_target().await?;
        let standing = self.standing(host, planned).await?;
        let (target, root) = (&self.planned.target, self.root());
        let served = {
            let id = target.id;
            self.engine.blocking(move |engine| publications::newest_published(&*engine.catalog.read()?, id)).await?
        };
        self.outcome.root = served.as_ref().map(|served| served.root.cid);
        let uploads = NotedUploads::new(self.engine, target.id, self.job);
        let whole = standing.store.is_empty() && planned.objects.recorded;
        let sum = if whole && self.outcome.root == Some(root.cid) {
            // Only something leaves; of a tree that is another tree.
            self.served_by = served.map(|served| served.id);
            if host.trees().is_some() && !standing.leaving.is_empty() {
                self.store(host, &standing, &uploads).await?
            } else {
                self.skip(PublishStep::HandOver);
                Sum::default()
            }
        } else {
            self.begin(self.outcome.root, self.planned.continues).await?;
            self.store(host, &standing, &uploads).await?
        };
        let listed_at = (!sum.unseen).then(|| standing.listed_at());
        for step in [PublishStep::Pin, PublishStep::Check, PublishStep::Dnslink, PublishStep::Ipns] {
            self.skip(step);
        }
        settle::note(self.engine, target, &standing, listed_at.filter(|_| standing.leaving.is_empty())).await?;
        let id = target.id;
        let publication = self.publication;
        self.write(move |writer| {
            for other in publications::pinned_roots(writer, id)?.into_iter().filter(|other| *other != root.cid) {
                publications::set_pinned(writer, id, &other, false)?;
            }
            if let Some(publication) = publication {
                publications::finish(writer, publication, State::Published, None, now())?;
            }
            publications::set_pinned(writer, id, &root.cid, true)
        })
        .await?;
        self.outcome.root = Some(root.cid);
        self.leave(host, &standing, listed_at).await
    }

    /// What the plan has found, if that is not old and the record is still the same; else it is looked once more.
    async fn standing(&self, host: &dyn Host, planned: &PlannedHost) -> Result<Arc<Standing>> {
        let (target, root) = (&self.planned.target, self.root());
        let seen = &planned.standing;
        if seen.is_fresh() {
            // Where something is stored, the record is written first, and only if it is still the same.
            let writes_record = !seen.store.is_empty() || !planned.objects.recorded;
            if writes_record && host.trees().is_none() && seen.conditional == Some(true) {
                return Ok(Arc::clone(seen));
            }
            let tag = self
                .job
                .or_cancelled(SeenRecord::read(self.engine, host, target, seen.record.tag.as_deref().or(Some(""))))
                .await?
                .tag;
            if tag == seen.record.tag {
                return Ok(Arc::clone(seen));
            }
        }
        let standing = Standing::of(self.engine, host, target, &root, self.plan.force, self.job).await?;
        if standing.record.tag != seen.record.tag {
            return Err(Error::new(
                Kind::Locked,
                format!("{RECORD_KEY} at {} changed while this was planned", host.place()),
            )
            .hint("Run the same command again to see the new plan."));
        }
        Ok(Arc::new(standing))
    }

    async fn store(&mut self, host: &dyn Host, standing: &Arc<Standing>, uploads: &NotedUploads<'_>) -> Result<Sum> {
        self.enter(PublishStep::HandOver);
        let (engine, target, root) = (self.engine, &self.planned.target, self.plan.root);
        let publisher = in_place(|| pins::name(engine))?;
        let former = standing.record.root();
        // Whoever else is at it finds out before anything of theirs is replaced.
        let claim = Record::new(publisher.clone(), former, Some(root));
        let mut claimed = self.job.or_cancelled(standing.record.write(engine, host, target, claim, uploads)).await?;
        let is_first = standing.record.tag.is_none();
        if is_first || host.trees().is_none() && standing.conditional.is_none() {
            let tried = claimed.try_conditions(engine, host, target, uploads);
            let (record, conditional) = self.job.or_cancelled(tried).await?;
            claimed = record;
            let id = target.id;
            self.write(move |writer| host_objects::set_conditional(writer, id, conditional)).await?;
            if !conditional {
                self.outcome.notes.push(NO_CONDITIONS.to_owned());
            }
        }
        if is_first {
            let openness = self.job.or_cancelled(async { Ok(host.openness(RECORD_KEY).await) }).await?;
            if openness.read != Some(true) {
                self.outcome.notes.push(
                    "Nobody can read it without credentials: clients pull once everyone may, or through a front."
                        .to_owned(),
                );
            }
        }
        self.job.meter().expect(self.planned.bytes);
        let (publication, job) = (self.publication, self.job);
        let stored = match (host.trees(), claimed.tag.as_deref()) {
            (Some(trees), Some(record)) => {
                let build = Build { engine, host, trees, target, root, record, job, uploads };
                build.everything(standing).await
            }
            _ => Store { engine, host, target, publication, job, uploads }.everything(standing).await,
        };
        self.outcome.blocks += uploads.objects();
        self.outcome.sent += uploads.total();
        let sum: Sum = stored?;
        let record = Record::new(publisher, Some(root), None);
        self.job.or_cancelled(claimed.write(engine, host, target, record, uploads)).await?;
        for doubt in host.doubts() {
            if !self.outcome.notes.contains(&doubt) {
                self.outcome.notes.push(doubt);
            }
        }
        if sum.ping_refused {
            self.outcome.notes.push(
                "The host refuses the key `v2/`, which most clients ask for first: let a front answer `/v2/` with 200."
                    .to_owned(),
            );
        }
        let objects = count(sum.objects, "object", "objects");
        let detail = match sum.copied {
            _ if sum.hard_links > 0 => {
                self.outcome.notes.push(HARD_LINKS.to_owned());
                let links = count(sum.hard_links, "hard link", "hard links");
                format!("{objects}, {links} into the blob store, {} written", bytes(sum.written))
            }
            _ if sum.written > 0 && uploads.total() == 0 => format!("{objects}, {} written", bytes(sum.written)),
            0 => format!("{objects} of {}", bytes(uploads.total())),
            copied => {
                let copied = count(copied, "object", "objects");
                let how = if host.trees().is_some() { "links" } else { "copying" };
                format!("{objects} of {}, {copied} by {how} there", bytes(uploads.total()))
            }
        };
        match (host.trees().is_some(), publication) {
            (true, Some(publication)) => {
                let (objects, sent) = (uploads.objects(), uploads.total());
                self.write(move |writer| publications::add_handed_over(writer, publication, objects, sent)).await?;
                self.done("objects", detail).await?;
            }
            _ => self.tell(StepState::Done(detail)),
        }
        Ok(sum)
    }

    /// Deletes what was shown. A publication of which something could not leave is one all the same.
    async fn leave(&mut self, host: &dyn Host, standing: &Standing, listed_at: Option<i64>) -> Result<()> {
        let given_up = settle::give_up(self.engine, host, &self.planned.target, standing);
        self.job.or_cancelled(given_up).await?;
        if standing.leaving.is_empty() {
            self.skip(PublishStep::Tidy);
            return self.ask_gateways().await;
        }
        self.enter(PublishStep::Tidy);
        let target = &self.planned.target;
        if host.trees().is_some() {
            // The tree that is given out was made without them.
            settle::forget(self.engine, target, &standing.leaving).await?;
            let size = standing.leaving.iter().map(|leaving| leaving.size).sum();
            let objects = count(standing.leaving.len() as u64, "object", "objects");
            self.done("tidy", format!("{objects} of {} deleted", bytes(size))).await?;
            return self.ask_gateways().await;
        }
        let deleted = settle::delete(self.engine, host, target, &standing.leaving, listed_at, self.job).await?;
        match deleted.failure {
            None => {
                let objects = count(deleted.objects, "object", "objects");
                self.done("tidy", format!("{objects} of {} deleted", bytes(deleted.bytes))).await?;
            }
            Some(error) => {
                self.tell(StepState::Failed(error.to_string()));
                self.outcome.notes.push(format!("Not everything that nothing needs could be deleted: {error}."));
            }
        }
        self.ask_gateways().await
    }
}
