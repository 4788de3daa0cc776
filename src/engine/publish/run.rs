//! Runs a plan: every target for itself, step by step, each written down when it is done.
//!
//! The right to change the catalog is held only while the publication is written down at the beginning: from then on its row
//! keeps what the root needs from `gc`, and others may add and remove for as long as the hand-over takes. A lock of the
//! target keeps two publications to it apart.

use std::sync::Arc;

use cid::Cid;
use futures::future::join_all;
use tokio::task::spawn_blocking;

use super::check;
use super::difference::Asking;
use super::gateways;
use super::handover::{self, HandedOver};
use super::names;
use super::pins;
use super::places::Places;
use super::plan::{PlannedTarget, PublishOutcome, PublishPlan, Step, TargetOutcome};
use super::survey::Survey;
use crate::catalog::publications::{self, NewPublication, State};
use crate::catalog::{PlanLock, Writer, unfinished};
use crate::engine::job::{Event, Job, StepState};
use crate::engine::verify::panicked;
use crate::engine::{Engine, now};
use crate::error::{Context as _, Error, Kind, Result};
use crate::text::{bytes, count};
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
struct Run<'r> {
    engine: &'r Arc<Engine>,
    plan: &'r PublishPlan,
    planned: &'r PlannedTarget,
    places: &'r dyn Places,
    job: &'r Job,
    /// Its row, once it is written down. None where only something is tidied.
    publication: Option<i64>,
    step: Step,
    outcome: TargetOutcome,
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
            unpinned: Vec::new(),
            notes: Vec::new(),
            failure: None,
        };
        Self { engine, plan, planned, places, job, publication: None, step: Step::HandOver, outcome }
    }

    fn root(&self) -> Link {
        Link { cid: self.plan.root, tsize: self.plan.tsize }
    }

    fn tell(&self, state: StepState) {
        self.job.tell(Event::Step { target: self.planned.target.name.clone(), step: self.step, state });
    }

    /// Goes on to a step.
    fn enter(&mut self, step: Step) {
        self.step = step;
        self.tell(StepState::Running);
    }

    fn skip(&mut self, step: Step) {
        self.step = step;
        self.tell(StepState::Skipped);
    }

    /// Writes the step down and says so.
    async fn done(&self, word: &str, detail: String) -> Result<()> {
        if let Some(publication) = self.publication {
            let (word, noted) = (word.to_owned(), detail.clone());
            self.write(move |writer| publications::step_done(writer, publication, &word, &noted, now())).await?;
        }
        self.tell(StepState::Done(detail));
        Ok(())
    }

    async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Writer<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let engine = Arc::clone(self.engine);
        spawn_blocking(move || engine.catalog.write(change)).await.map_err(panicked)?
    }

    async fn everything(&mut self) -> Result<()> {
        if self.plan.is_done_at(self.planned) {
            for step in [Step::HandOver, Step::Pin, Step::Check, Step::Dnslink, Step::Ipns, Step::Tidy] {
                self.skip(step);
            }
            return self.ask_gateways().await;
        }
        let _lock = self.lock_target().await?;
        let root = self.root();
        let (engine, job, force) = (self.engine, self.job, self.plan.force);
        let mut survey = Survey::of(engine, self.places, &self.planned.target, &root, force, job).await?;
        self.compare(&survey)?;
        self.outcome.root = survey.served;
        if survey.served != Some(root.cid) || survey.former.is_none_or(|former| former.cid != root.cid) {
            self.begin(&survey).await?;
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
        self.tidy(&survey).await?;
        self.ask_gateways().await
    }

    /// Keeps two publications to one target apart.
    async fn lock_target(&self) -> Result<PlanLock> {
        let directory = self.engine.data_dir.join("publishing").join(self.planned.target.id.to_string());
        std::fs::create_dir_all(&directory).context(|| format!("can't make {}", directory.display()))?;
        let doing = format!("publish to {}", self.planned.target.name);
        let mut told = String::new();
        let take = PlanLock::take(&directory, &doing, self.engine.wait, |who| {
            if told != who {
                who.clone_into(&mut told);
                self.job.tell(Event::Queued { behind: who.to_owned() });
            }
            self.job.check()
        });
        self.job.or_cancelled(take).await
    }

    /// Only what was shown is done.
    fn compare(&self, survey: &Survey) -> Result<()> {
        let planned = self.planned;
        let what = if survey.former.map(|link| link.cid) != planned.former {
            "the root that it has"
        } else if survey.record.as_ref().map(|record| &record.before)
            != planned.dnslink.as_ref().map(|record| &record.before)
        {
            "its record"
        } else {
            return Ok(());
        };
        Err(Error::new(Kind::Locked, format!("{what} changed while this was planned"))
            .hint("Look at the new plan: run the same command once more."))
    }

    /// Writes the publication down, so that nothing it needs is reclaimed, and so that it is continued if it is cut.
    async fn begin(&mut self, survey: &Survey) -> Result<()> {
        let verb = if self.plan.rollback { "rollback" } else { "publish" };
        let _lock = self.engine.lock(&format!("{verb} to {}", self.planned.target.name), self.job).await?;
        let (engine, target, root) = (Arc::clone(self.engine), self.planned.target.clone(), self.root());
        let (former, continues) = (survey.served, survey.continues);
        let summary = super::summary::of(&self.planned.changes);
        let private = self.plan.first_time_private.clone();
        let publication = spawn_blocking(move || {
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
        self.publication = Some(publication.await.map_err(panicked)??);
        Ok(())
    }

    async fn hand_over(&mut self, survey: &mut Survey) -> Result<()> {
        if survey.blocks() == 0 {
            self.skip(Step::HandOver);
            return Ok(());
        }
        self.enter(Step::HandOver);
        self.job.meter().expect(survey.bytes());
        let done = self.send(survey).await?;
        let cars = count(done.cars, "CAR", "CARs");
        let detail = format!("{} of {} in {cars}", count(done.blocks, "block", "blocks"), bytes(done.bytes));
        self.done("hand_over", detail).await
    }

    /// Hands over what is missing by this survey, which has nothing missing then.
    async fn send(&mut self, survey: &mut Survey) -> Result<HandedOver> {
        let temporary = survey.chain.nodes.clone();
        let difference = Arc::new(std::mem::take(&mut survey.difference));
        let mut before = HandedOver::default();
        let (engine, publication) = (Arc::clone(self.engine), self.publication);
        let mut each = |total: &HandedOver| {
            let (blocks, size) = (total.blocks - before.blocks, total.bytes - before.bytes);
            before = *total;
            let Some(publication) = publication else { return Ok(()) };
            engine.catalog.write(|writer| {
                let step = format!("car:{}", total.cars);
                let detail = format!("{} of {}", count(blocks, "block", "blocks"), bytes(size));
                publications::step_done(writer, publication, &step, &detail, now())?;
                publications::add_handed_over(writer, publication, blocks, size)
            })
        };
        let sent = handover::hand_over(
            self.engine,
            &*survey.node,
            self.plan.root,
            Arc::clone(&difference),
            temporary,
            self.job,
            &mut each,
        )
        .await;
        self.outcome.blocks += before.blocks;
        self.outcome.sent += before.sent;
        let mut difference = Arc::into_inner(difference).unwrap_or_default();
        difference.set_held();
        survey.difference = difference;
        sent
    }

    async fn pin(&mut self, survey: &mut Survey) -> Result<()> {
        if survey.pinned.is_some() {
            self.skip(Step::Pin);
            return self.note_pin(survey.pinned_by_us).await;
        }
        self.enter(Step::Pin);
        if let Err(error) = self.pin_once(survey).await {
            // Garbage may have been collected between hand-over and pin: what is gone is handed over once more.
            if error.kind() == Kind::Interrupted {
                return Err(error);
            }
            let root = self.root();
            let (former, node) = (survey.former, Arc::clone(&survey.node));
            let again =
                Survey::difference(self.engine, &*node, former.as_ref(), &root, Asking::Thorough, self.job).await;
            survey.difference = match again {
                Ok(difference) if !difference.is_held() => difference,
                _ => return Err(error),
            };
            self.outcome
                .notes
                .push("The node lost blocks before they were pinned; they were handed over again.".into());
            self.job.meter().expect(survey.bytes());
            self.send(survey).await?;
            self.pin_once(survey).await?;
        }
        self.note_pin(true).await?;
        let detail = match survey.way(&self.plan.root).len() {
            _ if survey.former.is_none() => "the whole root".to_owned(),
            1 => "the difference".to_owned(),
            steps => format!("the difference, in {steps} steps"),
        };
        self.done("pin", detail).await
    }

    async fn pin_once(&self, survey: &Survey) -> Result<()> {
        let (engine, publication) = (Arc::clone(self.engine), self.publication);
        let note = move |number: usize, cid: &Cid| {
            let Some(publication) = publication else { return Ok(()) };
            let step = format!("chain:{number}");
            engine.catalog.write(|writer| publications::step_done(writer, publication, &step, &cid.to_string(), now()))
        };
        let root = self.root();
        let (node, name) = (&*survey.node, &survey.pin_name);
        pins::pin(node, name, survey.former.as_ref(), &survey.chain, &root, self.job, &note).await
    }

    async fn note_pin(&self, ours: bool) -> Result<()> {
        let (target, root) = (self.planned.target.id, self.plan.root);
        self.write(move |writer| publications::set_pinned(writer, target, &root, ours)).await
    }

    async fn check(&mut self, survey: &Survey) -> Result<()> {
        self.enter(Step::Check);
        let asked = check::check(self.engine, &*survey.node, &self.plan.root, &survey.difference, self.job).await?;
        self.done("check", format!("{} came back", count(asked, "block", "blocks"))).await
    }

    async fn move_record(&mut self, survey: &Survey) -> Result<()> {
        let (Some(zone), Some(record)) = (&survey.zone, &survey.record) else {
            self.skip(Step::Dnslink);
            return Ok(());
        };
        if record.before == record.after {
            self.skip(Step::Dnslink);
            return Ok(());
        }
        self.enter(Step::Dnslink);
        names::move_record(&**zone, record, self.job).await?;
        self.done("dnslink", record.name.clone()).await
    }

    /// An IPNS name that does not move is no failure: DNSLink is what clients go by, and it has moved.
    async fn move_name(&mut self, survey: &Survey) -> Result<()> {
        let Some(name) = &self.planned.ipns else {
            self.skip(Step::Ipns);
            return Ok(());
        };
        if name.before.as_deref() == Some(name.after.as_str()) {
            self.skip(Step::Ipns);
            return Ok(());
        }
        self.enter(Step::Ipns);
        match names::move_name(&*survey.node, &name.key, &self.plan.root, self.job).await {
            Ok(moved) => self.done("ipns", moved).await,
            Err(error) if error.kind() == Kind::Interrupted => Err(error),
            Err(error) => {
                self.tell(StepState::Failed(error.to_string()));
                self.outcome.notes.push(format!("The IPNS name did not move: {error}."));
                Ok(())
            }
        }
    }

    /// Unpins what was shown, and the temporary roots of this publication.
    async fn tidy(&mut self, survey: &Survey) -> Result<()> {
        let mut going = survey.unpin.clone();
        if survey.pinned.is_none() {
            going.extend(survey.chain.roots.iter().map(|link| link.cid));
        }
        if going.is_empty() {
            self.skip(Step::Tidy);
            return Ok(());
        }
        self.enter(Step::Tidy);
        let target = self.planned.target.id;
        for cid in going {
            match self.job.or_cancelled(survey.node.unpin(&cid)).await {
                Ok(()) => {
                    self.write(move |writer| {
                        publications::set_pinned(writer, target, &cid, false)?;
                        unfinished::forget_temporary_root(writer, target, &cid)
                    })
                    .await?;
                    self.outcome.unpinned.push(cid);
                }
                Err(error) if error.kind() == Kind::Interrupted => return Err(error),
                Err(error) => {
                    // It is published; the next publication tries again.
                    self.tell(StepState::Failed(error.to_string()));
                    self.outcome.notes.push(format!("{cid} is still pinned: {error}."));
                    return Ok(());
                }
            }
        }
        self.done("tidy", format!("{} unpinned", count(self.outcome.unpinned.len() as u64, "root", "roots"))).await
    }

    async fn ask_gateways(&mut self) -> Result<()> {
        let urls = &self.planned.target.settings.gateways;
        if urls.is_empty() {
            self.skip(Step::Gateways);
            return Ok(());
        }
        self.enter(Step::Gateways);
        let (mut good, mut behind) = (0, Vec::new());
        for url in urls {
            match self.job.or_cancelled(gateways::check(self.engine, url, &self.root())).await {
                Ok(()) => good += 1,
                Err(error) if error.kind() == Kind::Interrupted => return Err(error),
                Err(error) => behind.push(format!("The gateway does not give out this root: {error}.")),
            }
        }
        if behind.is_empty() {
            return self.done("gateways", format!("{} give it out", count(good, "gateway", "gateways"))).await;
        }
        self.tell(StepState::Failed(behind.join(" ")));
        self.outcome.notes.extend(behind);
        Ok(())
    }

    /// Writes down how it ended.
    async fn end(mut self, result: Result<()>) -> TargetOutcome {
        let Err(error) = result else { return self.outcome };
        self.tell(StepState::Failed(error.to_string()));
        let published = self.outcome.root == Some(self.plan.root) && self.step >= Step::Tidy;
        if let Some(publication) = self.publication.filter(|_| !published) {
            let why = error.to_string();
            let noted =
                self.write(move |writer| publications::finish(writer, publication, State::Failed, Some(&why), now()));
            if let Err(second) = noted.await {
                self.outcome.notes.push(format!("That it failed could not be written down: {second}."));
            }
        }
        self.outcome.failure = Some((self.step, error));
        self.outcome
    }
}
