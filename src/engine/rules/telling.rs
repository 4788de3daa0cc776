//! What a run tells others: its events, in the outbox with what they tell of; and the hooks that are told.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
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

/// Events of one hook that one round tells.
const MAX_EVENTS_OF_HOOK: u32 = 200;

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
        let allowed = in_place(|| in_force.clone().with_allowed_hooks()).rules.hooks;
        let teller = Teller::new(Some(in_force.base()))?;
        let mut told = teller.deliver(&EngineOutbox(Arc::clone(self)), &allowed).await;
        let others = in_force.rules.hooks.iter().filter(|hook| !allowed.contains(hook));
        told.failed.extend(others.map(|hook| Undelivered {
            hook: hook.label(),
            event: 0,
            error: Error::new(Kind::Usage, "it is not what was allowed (`roadstead rule trust` shows it)"),
        }));
        Ok(told)
    }

    /// Notes that a run could not be carried out at all, for the hooks of the rules that were read last.
    pub fn note_failed_run(&self, rules: &Rules, why: &Error) -> Result<()> {
        if rules.hooks.is_empty() || self.catalog.is_read_only() {
            return Ok(());
        }
        let now = crate::engine::now();
        self.catalog.write(|writer| {
            let event = event(EventKind::Failed, now, next_run(writer, now)?);
            put(writer, &rules.hooks, &Event { detail: Some(why.to_string()), ..event })
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

    /// What hooks could not be told so far: how many events, and the last reason.
    pub fn untold(&self) -> Result<Option<(u64, String)>> {
        let failures = outbox::failures(&*self.catalog.read()?, MAX_EVENTS_OF_HOOK)?;
        Ok(failures.first().map(|last| (failures.len() as u64, last.error.clone())))
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
    for (part, (outcome, before)) in plan.rules.iter().zip(outcomes) {
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
            let detail = format!("{quota} images wait for the next run");
            events.push(Event { image: None, detail: Some(detail), ..of(EventKind::Quota, "") });
        }
        // What lasts is told when it begins.
        let mut lasting: Vec<(Event, Option<Digest>)> = Vec::new();
        let until = |until: i64| Some(format!("until {until}"));
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
    put(writer, hooks, &event(EventKind::Finished, now, run))?;
    outbox::prune(writer, now)?;
    let identities: Vec<String> = hooks.iter().map(Hook::identity).collect();
    outbox::forget_other_hooks(writer, &identities)
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
