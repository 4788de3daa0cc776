//! What a run tells others: its events, in the outbox with what they tell of; and the hooks that are told.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;
use serde::Serialize;

use super::plan::{Postponed, RulePlan};
use super::rule_set::RulesInForce;
use super::run::{RuleOutcome, Updated};
use crate::catalog::{Writer, outbox};
use crate::engine::Engine;
use crate::engine::blocking::in_place;
use crate::error::{Error, Kind, Result};
use crate::hooks::{Delivery, Outbox, Teller, Undelivered, Waiting};
use crate::image::Digest;
use crate::rules::{Event, EventKind, Hook, Rules};
use crate::text::count;

/// Events of one hook that are read at once.
const MAX_EVENTS_OF_HOOK: u32 = 200;
/// Rules that the end of a run names.
const MAX_NAMED_RULES: usize = 3;

/// What one run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunView {
    /// Its number: when it began, in seconds since 1970, or one more than that of the run before.
    pub run: i64,
    /// What it told, oldest first.
    pub events: Vec<Event>,
}

/// What is told once, not at every run: the kind, the image, and what is said of it.
pub(super) type Told = String;

impl Engine {
    /// Says to every ping that a run begins; what fails is logged.
    pub async fn tell_start(&self, rules: &Rules, base: PathBuf) -> Result<()> {
        if rules.hooks.is_empty() {
            return Ok(());
        }
        for (hook, error) in Teller::new(Some(base))?.start(&rules.hooks).await {
            tracing::warn!(hook, %error, "a hook was not told that a run begins");
        }
        Ok(())
    }

    /// Tells the hooks what waits for them. What waits for one that is not allowed, or has changed since, goes on waiting.
    pub async fn tell_hooks(self: &Arc<Self>, in_force: &RulesInForce) -> Result<Delivery> {
        if in_force.rules.hooks.is_empty() {
            return Ok(Delivery::default());
        }
        let hooks = in_force.rules.hooks.clone();
        let settled =
            self.blocking(move |engine| engine.catalog.write(|writer| settle(writer, &hooks, crate::engine::now())));
        let dropped = settled.await?;
        let allowed = in_place(|| in_force.clone().with_allowed_hooks()).rules.hooks;
        let teller = Teller::new(Some(in_force.base()))?;
        let mut told = teller.deliver(&EngineOutbox(Arc::clone(self)), &allowed).await;
        let others = in_force.rules.hooks.iter().filter(|hook| !allowed.contains(hook));
        told.failed.extend(others.map(|hook| Undelivered {
            hook: hook.label(),
            event: 0,
            error: Error::new(Kind::Usage, "it is not what was allowed (`roadstead rule trust` shows it)"),
        }));
        Ok(Delivery { dropped, ..told })
    }

    /// The number of the last run that told something.
    pub fn last_run(&self) -> Result<Option<i64>> {
        Ok(outbox::runs(&*self.catalog.read()?, 1)?.first().copied())
    }

    /// Notes that a run failed. `before` is the last run before it began: if it told nothing yet, it could not be carried out at
    /// all; else it ends as a failure, though its rules went right.
    pub fn note_failed_run(&self, rules: &Rules, why: &Error, before: Option<i64>) -> Result<()> {
        if rules.hooks.is_empty() || self.catalog.is_read_only() {
            return Ok(());
        }
        let now = crate::engine::now();
        self.catalog.write(|writer| {
            let last = outbox::runs(writer, 1)?.first().copied().filter(|last| Some(*last) > before);
            let told = last.map_or_else(|| Ok(Vec::new()), |run| outbox::of_run(writer, run))?;
            if told.iter().any(|told| told.kind == EventKind::Failed && told.ends_run()) {
                return Ok(());
            }
            // A run has one end.
            let mut ends = told.iter().filter(|told| told.ends_run());
            ends.try_for_each(|end| outbox::take_back(writer, end.id))?;
            let run = last.map_or_else(|| next_run(writer, now), Ok)?;
            put(writer, &rules.hooks, &Event { detail: Some(why.to_string()), ..event(EventKind::Failed, now, run) })
        })
    }

    /// Notes that a target got a root.
    pub fn note_published(&self, rules: &Rules, target: &str, root: &str) -> Result<()> {
        let now = crate::engine::now();
        let detail = format!("{target} has {root}");
        self.catalog.write(|writer| {
            // It is a part of the run that brought what was published.
            let run = outbox::runs(writer, 1)?.first().copied().unwrap_or(now);
            put(writer, &rules.hooks, &Event { detail: Some(detail), ..event(EventKind::Published, now, run) })
        })
    }

    /// What the last runs did, newest first, at most so many.
    pub fn rule_runs(&self, most: u32) -> Result<Vec<RunView>> {
        let reader = self.catalog.read()?;
        let runs = outbox::runs(&reader, most)?;
        runs.into_iter().map(|run| Ok(RunView { run, events: outbox::of_run(&reader, run)? })).collect()
    }

    /// What hooks could not be told so far: how many events wait, and the last reason.
    pub fn untold(&self) -> Result<Option<(u64, String)>> {
        let reader = self.catalog.read()?;
        let Some(last) = outbox::failures(&reader, 1)?.pop() else { return Ok(None) };
        Ok(Some((waiting(&reader, &outbox::waited_for(&reader)?)?, last.error)))
    }
}

/// An event of which nothing else is known; its number is given when it is put.
pub(super) fn event(kind: EventKind, at: i64, run: i64) -> Event {
    Event { id: 0, at, run, kind, rule: None, image: None, from: None, to: None, detail: None }
}

/// The number of a run that began then. No two runs have the same, and later ones have larger ones.
pub(super) fn next_run(writer: &Writer<'_>, began: i64) -> Result<i64> {
    Ok(outbox::runs(writer, 1)?.first().map_or(began, |last| began.max(last + 1)))
}

/// How much waits for these hooks together.
fn waiting(connection: &Connection, hooks: &[String]) -> Result<u64> {
    hooks.iter().map(|hook| outbox::waiting(connection, hook)).sum()
}

/// What waits for hooks that are not there any more goes to the one that replaces them, if that is plain: of one kind, one is gone,
/// and one was never told of anything. The rest is dropped; how much, is returned.
fn settle(writer: &Writer<'_>, hooks: &[Hook], now: i64) -> Result<u64> {
    let known: BTreeSet<String> = hooks.iter().map(Hook::identity).collect();
    let mut gone = outbox::waited_for(writer)?;
    gone.retain(|hook| !known.contains(hook));
    let mut fresh = Vec::new();
    for hook in &known {
        if !outbox::was_tried(writer, hook)? {
            fresh.push(hook);
        }
    }
    let mut dropped = 0;
    for hook in &gone {
        let kind = Hook::kind_of(hook);
        let of_kind = |other: &&String| Hook::kind_of(other) == kind;
        let mut instead = fresh.iter().copied().filter(of_kind);
        match (gone.iter().filter(of_kind).count(), instead.next(), instead.next()) {
            (1, Some(instead), None) => outbox::hand_over(writer, hook, instead, now)?,
            _ => dropped += outbox::forget(writer, hook)?,
        }
    }
    Ok(dropped)
}

pub(super) fn put(writer: &Writer<'_>, hooks: &[Hook], event: &Event) -> Result<()> {
    let wanting: Vec<String> = hooks.iter().filter(|hook| hook.wants(event)).map(Hook::identity).collect();
    outbox::put(writer, event, &wanting).map(drop)
}

/// Puts the events of a run. `before` is what came of a rule's last run: what was told then is not told again.
pub(super) fn put_run(
    writer: &Writer<'_>,
    hooks: &[Hook],
    plan: &RulePlan,
    updated: &Updated,
    outcomes: &mut [(RuleOutcome, Option<RuleOutcome>)],
) -> Result<()> {
    let now = crate::engine::now();
    let run = next_run(writer, plan.now)?;
    let recorded = |image: &str| updated.added.recorded.iter().any(|recorded| recorded == image);
    for (part, (outcome, before)) in plan.rules.iter().zip(&mut *outcomes) {
        let of = |kind, image: &str| Event {
            rule: Some(part.rule.clone()),
            image: Some(image.to_owned()),
            ..event(kind, now, run)
        };
        let mut events: Vec<Event> = Vec::new();
        events.extend(part.new.iter().filter(|image| recorded(image)).map(|image| of(EventKind::New, image)));
        events.extend(part.moved.iter().filter(|moved| recorded(&moved.image)).map(|moved| Event {
            from: Some(moved.from),
            to: Some(moved.to),
            ..of(EventKind::Moved, &moved.image)
        }));
        for failed in &outcome.failed {
            events.push(Event { image: None, detail: Some(failed.clone()), ..of(EventKind::Failed, "") });
        }
        let quota = part.postponed.iter().filter(|postponed| postponed.reason == Postponed::Quota).count();
        if quota > 0 {
            let images = count(quota as u64, "image waits", "images wait");
            let detail = format!("{images} for the next run");
            events.push(Event { image: None, detail: Some(detail), ..of(EventKind::Quota, "") });
        }
        // What lasts is told when it begins.
        let mut lasting: Vec<(Event, Option<Digest>)> = Vec::new();
        let until = |until: i64| Some(format!("until {}", moment(until)));
        lasting.extend(
            part.held
                .iter()
                .map(|held| (Event { detail: until(held.until), ..of(EventKind::Held, &held.image) }, None)),
        );
        lasting.extend(part.refused.iter().map(|moved| {
            let refused = Event { from: Some(moved.from), to: Some(moved.to), ..of(EventKind::Refused, &moved.image) };
            (refused, Some(moved.to))
        }));
        lasting.extend(part.gated.iter().map(|gated| {
            let refused = Event {
                to: Some(gated.digest),
                detail: Some(gated.words.clone()),
                ..of(EventKind::Refused, &gated.image)
            };
            (refused, Some(gated.digest))
        }));
        for (kind, list) in [(EventKind::Leaving, &part.leaving), (EventKind::Gone, &part.gone)] {
            let events =
                list.iter().map(|leaving| Event { detail: leaving.until.and_then(until), ..of(kind, &leaving.image) });
            lasting.extend(events.map(|event| (event, None)));
        }
        for (event, digest) in lasting {
            let told = told(&event, digest);
            if before.as_ref().is_none_or(|before| !before.told.contains(&told)) {
                events.push(event);
            }
            outcome.told.push(told);
        }
        events.iter().try_for_each(|event| put(writer, hooks, event))?;
    }
    put(writer, hooks, &end(plan, outcomes, event(EventKind::Finished, now, run)))?;
    outbox::prune(writer, now)?;
    if hooks.is_empty() {
        // Nobody is left who could be told.
        outbox::waited_for(writer)?.iter().try_for_each(|hook| outbox::forget(writer, hook).map(drop))?;
    }
    Ok(())
}

/// The end of a run: a failure if a rule failed, or has to be looked at before it removes anything.
fn end(plan: &RulePlan, outcomes: &[(RuleOutcome, Option<RuleOutcome>)], finished: Event) -> Event {
    let bad = plan.rules.iter().zip(outcomes).filter(|(_, (outcome, _))| !outcome.failed.is_empty());
    let bad: Vec<&str> = bad.map(|(part, _)| part.rule.as_str()).collect();
    if bad.is_empty() {
        return finished;
    }
    let all = count(plan.rules.len() as u64, "rule", "rules");
    let named = bad.iter().take(MAX_NAMED_RULES).copied().collect::<Vec<_>>().join(", ");
    let more = bad.len().saturating_sub(MAX_NAMED_RULES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Event { kind: EventKind::Failed, detail: Some(format!("{} of {all} failed: {named}{more}", bad.len())), ..finished }
}

/// A time as RFC 3339 has it.
fn moment(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| "the end of time".to_owned(), |time| time.to_string())
}

fn told(event: &Event, digest: Option<Digest>) -> Told {
    let digest = digest.map(|digest| format!(" {digest}")).unwrap_or_default();
    format!("{} {}{digest}", event.kind, event.image.as_deref().unwrap_or_default())
}

/// The catalog's outbox, for those who tell.
struct EngineOutbox(Arc<Engine>);

#[async_trait]
impl Outbox for EngineOutbox {
    async fn due(&self) -> Result<Vec<Waiting>> {
        self.0
            .blocking(|engine| {
                let due = outbox::due(&*engine.catalog.read()?, crate::engine::now(), MAX_EVENTS_OF_HOOK)?;
                Ok(due.into_iter().map(|due| Waiting { event: due.event, hook: due.hook }).collect())
            })
            .await
    }

    async fn waiting(&self, hooks: &[String]) -> Result<u64> {
        let hooks = hooks.to_vec();
        self.0.blocking(move |engine| waiting(&*engine.catalog.read()?, &hooks)).await
    }

    async fn delivered(&self, event: u64, hook: &str) -> Result<()> {
        let hook = hook.to_owned();
        self.0
            .blocking(move |engine| {
                engine.catalog.write(|writer| outbox::delivered(writer, event, &hook, crate::engine::now()))
            })
            .await
    }

    async fn failed(&self, event: u64, hook: &str, why: &str) -> Result<()> {
        let (hook, why) = (hook.to_owned(), why.to_owned());
        self.0
            .blocking(move |engine| {
                engine.catalog.write(|writer| outbox::failed(writer, event, &hook, &why, crate::engine::now()))
            })
            .await
    }
}
