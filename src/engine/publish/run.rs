//! Runs a plan: every target for itself, step by step, each written down when it is done.
//!
//! The right to change the catalog is held only while the publication is written down at the beginning: from then on its row
//! keeps what the root needs from `gc`, and others may add and remove for as long as the hand-over takes. A lock of the
//! target keeps two publications to it apart.

use std::sync::Arc;
use std::time::Duration;

use cid::Cid;
use futures::future::join_all;

use super::places::Places;
use super::plan::{PlannedTarget, PublishOutcome, PublishPlan, TargetOutcome};
use super::survey::Survey;
use crate::catalog::publications::{self, NewPublication, State};
use crate::catalog::{PlanLock, Writer, unfinished};
use crate::engine::job::PublishStep;
use crate::engine::job::{Event, Job, StepState};
use crate::engine::turn::take_lock;
use crate::engine::{Engine, now};
use crate::error::{Context as _, Error, Kind, Result};
use crate::hosts::Host;
use crate::node::Node;
use crate::store::private;
use crate::unixfs::Link;

impl Engine {
    /// Runs exactly this plan. A target that fails stops no other one, and keeps what it had.
    pub async fn apply_publish(
        self: &Arc<Self>,
        plan: &PublishPlan,
        places: &dyn Places,
        job: &Job,
    ) -> Result<PublishOutcome> {
        let runs = plan.targets.iter().map(|planned| async move {
            let mut run = Run::new(self, plan, planned, places, job);
            let result = run.everything().await;
            run.end(result).await
        });
        let targets = join_all(runs).await;
        job.check()?;
        Ok(PublishOutcome { root: plan.root, targets })
    }
}

/// A publication to one target.
pub(super) struct Run<'r> {
    pub(super) engine: &'r Arc<Engine>,
    pub(super) plan: &'r PublishPlan,
    pub(super) planned: &'r PlannedTarget,
    places: &'r dyn Places,
    pub(super) job: &'r Job,
    /// Its row, once it is written down. None where only something is tidied.
    pub(super) publication: Option<i64>,
    /// The row of what the target had before.
    pub(super) served_by: Option<i64>,
    step: PublishStep,
    /// Whom it asks.
    asked: Option<Asked>,
    pub(super) outcome: TargetOutcome,
}

/// Who is asked, and counts how often.
enum Asked {
    Node(Arc<dyn Node>),
    Host(Arc<dyn Host>),
}

impl Asked {
    fn requests(&self) -> Option<u64> {
        match self {
            Self::Node(node) => node.requests(),
            Self::Host(host) => host.requests(),
        }
    }
}

impl<'r> Run<'r> {
    fn new(
        engine: &'r Arc<Engine>,
        plan: &'r PublishPlan,
        planned: &'r PlannedTarget,
        places: &'r dyn Places,
        job: &'r Job,
    ) -> Self {
        let outcome = TargetOutcome {
            name: planned.target.name.clone(),
            root: planned.former,
            blocks: 0,
            sent: 0,
            requests: None,
            unpinned: Vec::new(),
            notes: Vec::new(),
            ipns_failure: None,
            failure: None,
        };
        Self {
            engine,
            plan,
            planned,
            places,
            job,
            publication: None,
            served_by: None,
            step: PublishStep::HandOver,
            asked: None,
            outcome,
        }
    }

    pub(super) fn root(&self) -> Link {
        Link { cid: self.plan.root, tsize: self.plan.tsize }
    }

    pub(super) fn tell(&self, state: StepState) {
        self.job.tell(Event::Step { target: self.planned.target.name.clone(), step: self.step, state });
    }

    /// Goes on to a step.
    pub(super) fn enter(&mut self, step: PublishStep) {
        self.step = step;
        self.tell(StepState::Running);
    }

    pub(super) fn skip(&mut self, step: PublishStep) {
        self.step = step;
        self.tell(StepState::Skipped);
    }

    /// Writes the step down and says so.
    pub(super) async fn done(&self, word: &str, detail: String) -> Result<()> {
        if let Some(publication) = self.publication.or(self.served_by) {
            let (word, noted) = (word.to_owned(), detail.clone());
            self.write(move |writer| publications::step_done(writer, publication, &word, &noted, now())).await?;
        }
        self.tell(StepState::Done(detail));
        Ok(())
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Writer<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.engine.blocking(move |engine| engine.catalog.write(change)).await
    }

    async fn everything(&mut self) -> Result<()> {
        if self.plan.is_done_at(self.planned) {
            for step in [
                PublishStep::HandOver,
                PublishStep::Pin,
                PublishStep::Check,
                PublishStep::Dnslink,
                PublishStep::Ipns,
                PublishStep::Tidy,
            ] {
                self.skip(step);
            }
            return self.ask_gateways().await;
        }
        if let (Some(host), Some(planned)) = (self.places.host(&self.planned.target)?, &self.planned.host) {
            self.asked = Some(Asked::Host(Arc::clone(&host)));
            return self.everything_hosted(&*host, planned).await;
        }
        let _lock = self.lock_target().await?;
        let root = self.root();
        let (engine, job, force) = (self.engine, self.job, self.plan.force);
        let mut survey =
            Survey::of(engine, self.places, &self.planned.target, &root, force, Some(self.planned), job).await?;
        self.asked = Some(Asked::Node(Arc::clone(&survey.node)));
        self.compare(&survey)?;
        // Only what was shown goes.
        survey.unpin.retain(|root| self.planned.unpin.contains(root));
        self.outcome.root = survey.served;
        if survey.served != Some(root.cid) || survey.former.is_none_or(|former| former.cid != root.cid) {
            self.begin(survey.served, survey.continues).await?;
        } else {
            // Only a name or a pin is behind.
            self.served_by = survey.served_by;
        }
        self.hand_over(&mut survey).await?;
        self.pin(&mut survey).await?;
        self.check(&survey).await?;
        self.move_record(&survey).await?;
        self.move_name(&survey).await?;
        if let Some(publication) = self.publication {
            self.write(move |writer| publications::finish(writer, publication, State::Published, None, now())).await?;
        }
        self.outcome.root = Some(root.cid);
        self.outcome.notes.extend(survey.node.advice().await);
        self.tidy(&survey).await?;
        self.ask_gateways().await
    }

    /// Keeps two publications to one target apart.
    pub(super) async fn lock_target(&self) -> Result<PlanLock> {
        let directory = self.engine.data_dir.join("publishing").join(self.planned.target.id.to_string());
        private::make_directories(&directory).context(|| format!("can't make {}", directory.display()))?;
        let doing = format!("publish to {}", self.planned.target.name);
        take_lock(&directory, &doing, self.engine.wait, Duration::ZERO, self.job).await
    }

    /// Only what was shown is done.
    fn compare(&self, survey: &Survey) -> Result<()> {
        let planned = self.planned;
        let what = if survey.former.map(|link| link.cid) != planned.former {
            "the target's root"
        } else if survey.record.as_ref().map(|record| &record.before)
            != planned.dnslink.as_ref().map(|record| &record.before)
        {
            "the target's record"
        } else {
            return Ok(());
        };
        Err(Error::new(Kind::Locked, format!("{what} changed while this was planned"))
            .hint("Run the same command again to see the new plan."))
    }

    /// Writes the publication down, so that nothing it needs is reclaimed, and so that it is continued if it is cut.
    pub(super) async fn begin(&mut self, former: Option<Cid>, continues: Option<i64>) -> Result<()> {
        let verb = if self.plan.rollback { "rollback" } else { "publish" };
        let doing = format!("{verb} to {}", self.planned.target.name);
        let _lock = if self.plan.rollback {
            // An older root is whole, whatever the catalog becomes.
            self.engine.lock_unfinished(&doing, self.job).await?
        } else {
            self.engine.lock_whole(&doing, self.job).await?
        };
        let (target, root) = (self.planned.target.clone(), self.root());
        let summary = super::summary::of(&self.planned.changes);
        let private = self.plan.first_time_private.clone();
        let publication = self.engine.blocking(move |engine| {
            engine.catalog.write(|writer| {
                for repository in &private {
                    publications::set_published_private(writer, repository, now())?;
                }
                if let Some(continues) = continues {
                    unfinished::reopen(writer, continues)?;
                    return Ok(continues);
                }
                let new = NewPublication { target: &target, root, former, verb, summary: &summary };
                publications::begin(writer, &new, now())
            })
        });
        self.publication = Some(publication.await?);
        Ok(())
    }

    /// Writes down how often the target was asked for this publication.
    async fn note_requests(&mut self) {
        self.outcome.requests = self.asked.as_ref().and_then(Asked::requests);
        let Some(publication) = self.publication else { return };
        let Some(requests) = self.outcome.requests else { return };
        let all = requests + self.planned.requests.unwrap_or(0);
        if let Err(error) = self.write(move |writer| publications::add_requests(writer, publication, all)).await {
            tracing::warn!(%error, "can't write down what a publication cost");
        }
    }

    /// Writes down how it ended.
    async fn end(mut self, result: Result<()>) -> TargetOutcome {
        self.note_requests().await;
        let Err(error) = result else { return self.outcome };
        self.tell(StepState::Failed(error.to_string()));
        let published = self.outcome.root == Some(self.plan.root) && self.step >= PublishStep::Tidy;
        if let Some(publication) = self.publication.filter(|_| !published) {
            let why = error.to_string();
            let noted =
                self.write(move |writer| publications::finish(writer, publication, State::Failed, Some(&why), now()));
            if let Err(second) = noted.await {
                self.outcome.notes.push(format!("Can't record the failure: {second}."));
            }
        }
        self.outcome.failure = Some((self.step, error));
        self.outcome
    }
}
