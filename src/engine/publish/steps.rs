//! The steps of a publication to one target, each of which may be done again without harm.

use std::sync::Arc;
use std::time::Duration;

use cid::Cid;

use super::check::{self, Checked};
use super::difference::{Asking, Difference};
use super::gateways;
use super::handover::{self, HandedOver};
use super::holders;
use super::names;
use super::pins;
use super::run::Run;
use super::survey::Survey;
use crate::catalog::{Writer, publications, unfinished};
use crate::engine::blocking::in_place;
use crate::engine::job::PublishStep;
use crate::engine::job::StepState;
use crate::engine::now;
use crate::error::{Error, Kind, Result};
use crate::node::Node;
use crate::text::{bytes, count};
use crate::unixfs::directory;

/// How long a pin by difference may take, mostly milliseconds, until the node is asked whether it still has what that takes.
const PIN_CHECK_DELAY: Duration = Duration::from_secs(10);

impl Run<'_> {
    pub(super) async fn hand_over(&mut self, survey: &mut Survey) -> Result<()> {
        if survey.blocks() == 0 {
            self.skip(PublishStep::HandOver);
            return Ok(());
        }
        self.enter(PublishStep::HandOver);
        self.job.meter().expect(survey.bytes());
        let done = self.send(survey).await?;
        let cars = if done.cars == 0 { String::new() } else { format!(" in {}", count(done.cars, "CAR", "CARs")) };
        let detail = format!("{} of {}{cars}", count(done.blocks, "block", "blocks"), bytes(done.bytes));
        // Each part of it is written down already.
        self.tell(StepState::Done(detail));
        Ok(())
    }

    /// Hands over what is missing by this survey, which has nothing missing then.
    async fn send(&mut self, survey: &mut Survey) -> Result<HandedOver> {
        let temporary = std::mem::take(&mut survey.temporary);
        let difference = Arc::new(std::mem::take(&mut survey.difference));
        let mut noted = HandedOver::default();
        let (engine, publication) = (Arc::clone(self.engine), self.publication);
        let outcome = &mut self.outcome;
        let mut each = |total: &HandedOver| {
            let (blocks, size) = (total.blocks - noted.blocks, total.bytes - noted.bytes);
            outcome.blocks += blocks;
            outcome.sent += total.sent - noted.sent;
            noted = *total;
            let Some(publication) = publication else { return Ok(()) };
            in_place(|| {
                engine.catalog.write(|writer| {
                    publications::add_handed_over(writer, publication, blocks, size)?;
                    let step =
                        if total.cars > 0 { format!("car:{}", total.cars) } else { format!("blocks:{}", total.blocks) };
                    let detail = format!("{} of {}", count(blocks, "block", "blocks"), bytes(size));
                    publications::step_done(writer, publication, &step, &detail, now())
                })
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
        let mut difference = Arc::into_inner(difference).unwrap_or_default();
        difference.set_held();
        survey.difference = difference;
        sent
    }

    pub(super) async fn pin(&mut self, survey: &mut Survey) -> Result<()> {
        if !survey.needs_pin() {
            self.skip(PublishStep::Pin);
            let (target, root, ours) = (self.planned.target.id, self.plan.root, survey.pinned_by_us);
            return self.write(move |writer| publications::set_pinned(writer, target, &root, ours)).await;
        }
        self.enter(PublishStep::Pin);
        if let Err(error) = self.pin_once(survey).await {
            // Garbage may have been collected between hand-over and pin: what is gone is handed over once more.
            if error.kind() == Kind::Interrupted {
                return Err(error);
            }
            let Ok(Some(lost)) = self.lost(survey).await else { return Err(error) };
            (survey.difference, survey.temporary) = lost;
            self.outcome
                .notes
                .push("The node lost blocks before they were pinned; they were handed over again.".into());
            self.job.meter().expect(survey.bytes());
            self.send(survey).await?;
            self.pin_once(survey).await?;
        }
        let detail = match survey.way(&self.plan.root).len() {
            _ if survey.former.is_none() => "the whole root".to_owned(),
            1 => "the difference".to_owned(),
            steps => format!("the difference, in {steps} steps"),
        };
        let (target, root, publication, noted) =
            (self.planned.target.id, self.plan.root, self.publication, detail.clone());
        self.write(move |writer| {
            publications::set_pinned(writer, target, &root, true)?;
            publication.map_or(Ok(()), |id| publications::step_done(writer, id, "pin", &noted, now()))
        })
        .await?;
        self.tell(StepState::Done(detail));
        Ok(())
    }

    async fn pin_once(&self, survey: &Survey) -> Result<()> {
        let (engine, publication) = (Arc::clone(self.engine), self.publication);
        let note = move |number: usize, cid: &Cid| {
            let Some(publication) = publication else { return Ok(()) };
            let step = format!("chain:{number}");
            let noted =
                |writer: &Writer<'_>| publications::step_done(writer, publication, &step, &cid.to_string(), now());
            in_place(|| engine.catalog.write(noted))
        };
        let root = self.root();
        let (node, name) = (&*survey.node, &survey.pin_name);
        let pinning = pins::pin(node, name, survey.former.as_ref(), &survey.chain, &root, self.job, &note);
        if survey.former.is_none() {
            // A pin as a whole shows how it gets on, and its node looks after that.
            return pinning.await;
        }
        tokio::select! {
            pinned = pinning => pinned,
            error = self.watch(survey) => Err(error),
        }
    }

    /// Ends once the node turns out to lack what it is to pin: it may be looking for that in the network, without an end and
    /// without a word.
    async fn watch(&self, survey: &Survey) -> Error {
        let mut pause = PIN_CHECK_DELAY;
        loop {
            tokio::time::sleep(pause).await;
            if let Ok(Some((lost, temporary))) = self.lost(survey).await {
                let blocks = count(lost.blocks + temporary.len() as u64, "block", "blocks");
                return Error::new(
                    Kind::Node,
                    format!("{} lost {blocks} before they were pinned", survey.node.place()),
                )
                .hint("No name has moved. Publish again: that sends what the node lacks.");
            }
            pause *= 2;
        }
    }

    /// What the node lacks of what it was given or had, if it lacks anything.
    async fn lost(&self, survey: &Survey) -> Result<Option<(Difference, Vec<directory::Node>)>> {
        let (node, root) = (&*survey.node, self.root());
        if node.blocks().is_none() {
            return Ok(None);
        }
        let difference =
            Survey::difference(self.engine, node, survey.former.as_ref(), &root, Asking::Thorough, self.job).await?;
        let temporary = Survey::lacking(node, &survey.chain, self.job).await?;
        Ok((!difference.is_held() || !temporary.is_empty()).then_some((difference, temporary)))
    }

    pub(super) async fn check(&mut self, survey: &Survey) -> Result<()> {
        self.enter(PublishStep::Check);
        let gateways = &self.planned.target.settings.gateways;
        let kept = self.note_holders(&*survey.node).await?;
        let root = &self.plan.root;
        let mut words = match check::check(self.engine, &*survey.node, gateways, root, &survey.difference, self.job)
            .await?
        {
            Checked::Node(asked) => format!("{} read back", count(asked, "block", "blocks")),
            Checked::Gateway(place, asked) => format!("{} given out by {place}", count(asked, "block", "blocks")),
            Checked::Unverified => {
                self.outcome.notes.push(format!(
                    "What it holds is unverified: it can't be read from, and no gateway was asked. `roadstead target verify {} --gateway URL` asks one.",
                    self.planned.target.name
                ));
                self.tell(kept.map_or(StepState::Skipped, StepState::Done));
                return Ok(());
            }
        };
        if let Some(kept) = kept {
            words = format!("{kept}; {words}");
        }
        self.done("check", words).await
    }

    /// Writes down which peers keep the root where the node stands for several; answers how many do, in words.
    async fn note_holders(&mut self, node: &dyn Node) -> Result<Option<String>> {
        let Some(pins) = node.pins() else { return Ok(None) };
        let all = self.job.or_cancelled(pins.holders(&self.plan.root)).await?;
        if let (false, Some(publication)) = (all.is_empty(), self.publication.or(self.served_by)) {
            let detail = holders::written(&all)?;
            self.write(move |writer| publications::step_done(writer, publication, holders::STEP, &detail, now()))
                .await?;
        }
        self.outcome.notes.extend(holders::lacking(&all));
        Ok(holders::in_words(&all))
    }

    pub(super) async fn move_record(&mut self, survey: &Survey) -> Result<()> {
        let (Some(zone), Some(record)) = (&survey.zone, &survey.record) else {
            self.skip(PublishStep::Dnslink);
            return Ok(());
        };
        if record.before == record.after {
            self.skip(PublishStep::Dnslink);
            return Ok(());
        }
        self.enter(PublishStep::Dnslink);
        names::move_record(&**zone, record, self.job).await?;
        self.done("dnslink", record.name.clone()).await
    }

    /// An IPNS name that does not move keeps nothing else back: DNSLink is what clients go by, and it has moved. It is no success
    /// either, since it was asked for.
    pub(super) async fn move_name(&mut self, survey: &Survey) -> Result<()> {
        if let Some(error) = &self.planned.ipns_failure {
            self.enter(PublishStep::Ipns);
            self.tell(StepState::Failed(error.to_string()));
            self.outcome.ipns_failure = Some(Arc::clone(error));
            return Ok(());
        }
        let Some(name) = &self.planned.ipns else {
            self.skip(PublishStep::Ipns);
            return Ok(());
        };
        if name.before.as_deref() == Some(name.after.as_str()) {
            self.skip(PublishStep::Ipns);
            return Ok(());
        }
        self.enter(PublishStep::Ipns);
        match names::move_name(&*survey.node, &name.key, &self.plan.root, self.job).await {
            Ok(moved) => self.done("ipns", moved).await,
            Err(error) if error.kind() == Kind::Interrupted => Err(error),
            Err(error) => {
                self.tell(StepState::Failed(error.to_string()));
                self.outcome.ipns_failure = Some(Arc::new(error));
                Ok(())
            }
        }
    }

    /// Unpins what was shown, and the temporary roots of this publication.
    pub(super) async fn tidy(&mut self, survey: &Survey) -> Result<()> {
        let mut going = survey.unpin.clone();
        if survey.pinned.is_none() {
            going.extend(survey.chain.roots.iter().map(|link| link.cid));
        }
        if going.is_empty() {
            self.skip(PublishStep::Tidy);
            return Ok(());
        }
        self.enter(PublishStep::Tidy);
        let target = self.planned.target.id;
        let (mut gone, mut failure) = (Vec::new(), None);
        let Some(pins) = survey.node.pins() else { return Ok(()) };
        for cid in going {
            match self.job.or_cancelled(pins.unpin(&cid)).await {
                Ok(()) => gone.push(cid),
                Err(error) => {
                    failure = Some((cid, error));
                    break;
                }
            }
        }
        // Unpinning once more what a cut kept from being written down does no harm.
        self.outcome.unpinned.clone_from(&gone);
        let older = self.write(move |writer| {
            let published = publications::pinned_roots(writer, target)?;
            gone.iter().try_for_each(|cid| {
                publications::set_pinned(writer, target, cid, false)?;
                unfinished::forget_temporary_root(writer, target, cid)
            })?;
            Ok(gone.iter().filter(|cid| published.contains(cid)).count())
        });
        let older = older.await?;
        match failure {
            None => {
                let words = unpinned(older, self.outcome.unpinned.len() - older);
                self.done("tidy", words).await
            }
            Some((_, error)) if error.kind() == Kind::Interrupted => Err(error),
            Some((cid, error)) => {
                // It is published; the next publication tries again.
                self.tell(StepState::Failed(error.to_string()));
                self.outcome.notes.push(format!("{cid} is still pinned: {error}."));
                Ok(())
            }
        }
    }

    pub(super) async fn ask_gateways(&mut self) -> Result<()> {
        let urls = &self.planned.target.settings.gateways;
        if urls.is_empty() {
            self.skip(PublishStep::Gateways);
            return Ok(());
        }
        self.enter(PublishStep::Gateways);
        let (mut good, mut behind) = (0, Vec::new());
        for url in urls {
            match self.job.or_cancelled(gateways::check(self.engine, url, &self.root())).await {
                Ok(()) => good += 1,
                Err(error) if error.kind() == Kind::Interrupted => return Err(error),
                Err(error) => behind.push(format!("The gateway does not serve this root: {error}.")),
            }
        }
        if behind.is_empty() {
            return self.done("gateways", format!("served by {}", count(good, "gateway", "gateways"))).await;
        }
        self.tell(StepState::Failed(behind.join(" ")));
        self.outcome.notes.extend(behind);
        Ok(())
    }
}

/// What was unpinned, in words: roots that were published, and those that only led from one to the next.
fn unpinned(older: usize, temporary: usize) -> String {
    let of = |number: usize, one, many| (number > 0).then(|| count(number as u64, one, many));
    let parts = [of(older, "older root", "older roots"), of(temporary, "temporary root", "temporary roots")];
    format!("{} unpinned", parts.into_iter().flatten().collect::<Vec<_>>().join(" and "))
}
