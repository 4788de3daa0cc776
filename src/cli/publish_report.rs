//! The JSON document of `publish` and `rollback`, and the error that is left of a publication.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::output::error_document;
use super::report::shown;
use crate::engine::publish::plan::{
    FailedTarget, PlannedName, PlannedObjects, PlannedRecord, PlannedTarget, PublishOutcome, PublishPlan, TargetOutcome,
};
use crate::engine::query::diff::RepositoryChange;
use crate::error::{Error, Kind};

/// What `publish` or `rollback` did, or would do.
#[derive(Debug, Clone, Serialize)]
pub(super) struct PublishReport<'a> {
    /// Whether it was only planned.
    dry_run: bool,
    /// The root that every target gets.
    root: String,
    /// Bytes of all its blocks.
    tsize: u64,
    /// Whether it is an older root.
    rollback: bool,
    /// Private repositories that are left out.
    left_out: &'a [String],
    /// Private repositories that are published for the first time.
    first_time_private: &'a [String],
    /// The targets that could be planned.
    targets: Vec<TargetReport<'a>>,
    /// The targets that could not: `target`, `error`.
    failed: Vec<Value>,
}

/// One target of a [`PublishReport`].
#[derive(Debug, Clone, Serialize)]
struct TargetReport<'a> {
    target: &'a str,
    /// Whether there was nothing to do.
    done: bool,
    /// The root that it had, as far as it still holds it.
    former: Option<String>,
    /// Whether a publication that was cut is continued.
    continues: bool,
    /// What changes for those who pull from it.
    changes: &'a [RepositoryChange],
    /// Blocks to hand over.
    blocks: u64,
    bytes: u64,
    /// The roots that are pinned one after the other, the wanted one last; none where it is pinned already.
    chain: Vec<String>,
    /// Whether the root was pinned already.
    pinned: bool,
    /// Whether the target takes no blocks: it fetches the root itself.
    fetches: bool,
    /// Roots that are unpinned.
    unpin: Vec<String>,
    /// How the record moves: `name`, `before`, `after`, `atomicity`.
    dnslink: Option<&'a PlannedRecord>,
    /// How the IPNS name moves: `key`, `name`, `before`, `after`.
    ipns: Option<&'a PlannedName>,
    /// Why it can't move: an error.
    ipns_failure: Option<Value>,
    /// Of a static host: `total`, `stored`, `copied`, `bytes`, `deleted`, `deleted_bytes`, `unneeded`, `recorded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    objects: Option<PlannedObjects>,
    /// Requests that planning it took; nothing where the target is not asked by requests.
    requests: Option<u64>,
    /// Things worth knowing, in sentences.
    notes: &'a [String],
    /// What came of it; nothing in a dry run.
    outcome: Option<OutcomeReport<'a>>,
}

/// How one target came out.
#[derive(Debug, Clone, Serialize)]
struct OutcomeReport<'a> {
    /// The root that it gives out now, as far as is known.
    root: Option<String>,
    /// Blocks that were handed over.
    blocks: u64,
    /// Bytes that were sent.
    sent: u64,
    /// Requests that it took; nothing where the target is not asked by requests.
    requests: Option<u64>,
    /// Roots that were unpinned.
    unpinned: Vec<String>,
    /// What did not stop it and is worth knowing.
    notes: &'a [String],
    /// Why the IPNS name did not move, though the target has the root: an error.
    ipns_failure: Option<Value>,
    /// What failed: `step`, `error`.
    failure: Option<Value>,
}

impl<'a> PublishReport<'a> {
    /// The plan, and what came of it.
    pub(super) fn of(plan: &'a PublishPlan, outcome: Option<&'a PublishOutcome>, dry_run: bool) -> Self {
        let target = |planned: &'a PlannedTarget| {
            let name = planned.target.name.as_str();
            let outcome = outcome.and_then(|outcome| outcome.targets.iter().find(|target| target.name == name));
            TargetReport {
                target: name,
                done: plan.is_done_at(planned),
                former: planned.former.map(shown),
                continues: planned.continues.is_some(),
                changes: &planned.changes,
                blocks: planned.blocks,
                bytes: planned.bytes,
                chain: planned.chain.iter().copied().map(shown).collect(),
                pinned: planned.pinned,
                fetches: planned.fetches,
                unpin: planned.unpin.iter().copied().map(shown).collect(),
                dnslink: planned.dnslink.as_ref(),
                ipns: planned.ipns.as_ref(),
                ipns_failure: planned.ipns_failure.as_deref().map(error_document),
                requests: planned.requests,
                objects: planned.host.as_ref().map(|host| host.objects),
                notes: &planned.notes,
                outcome: outcome.map(OutcomeReport::of),
            }
        };
        let failed = |failed: &FailedTarget| json!({ "target": failed.name, "error": error_document(&failed.error) });
        Self {
            dry_run,
            root: shown(plan.root),
            tsize: plan.tsize,
            rollback: plan.rollback,
            left_out: &plan.left_out,
            first_time_private: &plan.first_time_private,
            targets: plan.targets.iter().map(target).collect(),
            failed: plan.failed.iter().map(failed).collect(),
        }
    }
}

impl<'a> OutcomeReport<'a> {
    fn of(outcome: &'a TargetOutcome) -> Self {
        let failure = outcome.failure.as_ref();
        Self {
            root: outcome.root.map(shown),
            blocks: outcome.blocks,
            sent: outcome.sent,
            requests: outcome.requests,
            unpinned: outcome.unpinned.iter().copied().map(shown).collect(),
            notes: &outcome.notes,
            ipns_failure: outcome.ipns_failure.as_deref().map(error_document),
            failure: failure.map(|(step, error)| json!({ "step": step, "error": error_document(error) })),
        }
    }
}

/// The error of the targets that failed: alone it is the failure itself; if others have it, part was done. A target whose IPNS
/// name did not move has the root, and not all that was asked for.
pub(super) fn failure(plan: &mut PublishPlan, outcome: Option<PublishOutcome>) -> Option<Error> {
    let names = names_that_stay(plan, outcome.as_ref());
    let outcomes = outcome.map(|outcome| outcome.targets).unwrap_or_default();
    let done = plan.targets.len() - outcomes.iter().filter(|target| target.failure.is_some()).count();
    let mut failed: Vec<(String, Error)> = Vec::new();
    for target in outcomes {
        failed.extend(target.failure.map(|(_, error)| (target.name, error)));
    }
    failed.extend(plan.failed.drain(..).map(|failed| (failed.name, failed.error)));
    let Some(first) = failed.first().map(|(_, error)| error.kind()) else { return of_names(&names, done) };
    if failed.len() == 1 && done == 0 {
        return failed.pop().map(|(name, error)| error.context(name));
    }
    let kind = if done > 0 { Kind::Partial } else { first };
    let lines = failed.iter().map(|(name, error)| format!("\n  {name}: {error}"));
    let lines: Vec<String> =
        lines.chain(names.iter().map(|stays| format!("\n  {}: {}", stays.target, stays.words()))).collect();
    let all = failed.len() + done;
    let mut made = Error::new(kind, format!("{} of {all} targets failed:{}", failed.len(), lines.concat()));
    let mut hints: Vec<&str> = Vec::new();
    let of_failed = failed.iter().flat_map(|(_, error)| error.hints());
    for hint in of_failed.chain(names.iter().flat_map(|stays| stays.error.hints())) {
        if !hints.contains(&hint.as_str()) {
            hints.push(hint);
        }
    }
    for hint in hints.into_iter().take(3) {
        made = made.hint(hint);
    }
    Some(made)
}

/// An IPNS name that does not move with the rest.
struct Stays {
    target: String,
    planned: bool,
    error: Arc<Error>,
}

impl Stays {
    fn words(&self) -> String {
        let verb = if self.planned { "would not move" } else { "did not move" };
        format!("its IPNS name {verb}: {}", self.error)
    }
}

fn names_that_stay(plan: &PublishPlan, outcome: Option<&PublishOutcome>) -> Vec<Stays> {
    let stays = |target: &str, planned, error: &Option<Arc<Error>>| {
        error.as_ref().map(|error| Stays { target: target.to_owned(), planned, error: Arc::clone(error) })
    };
    match outcome {
        Some(outcome) => {
            let has = outcome.targets.iter().filter(|target| target.failure.is_none());
            has.filter_map(|target| stays(&target.name, false, &target.ipns_failure)).collect()
        }
        None => {
            let targets = plan.targets.iter();
            targets.filter_map(|planned| stays(&planned.target.name, true, &planned.ipns_failure)).collect()
        }
    }
}

/// Every target has the root, and not every name moved.
fn of_names(names: &[Stays], all: usize) -> Option<Error> {
    let message = match names {
        [] => return None,
        [one] => format!("{}: {}", one.target, one.words()),
        many => {
            let lines: Vec<String> =
                many.iter().map(|stays| format!("\n  {}: {}", stays.target, stays.words())).collect();
            format!("the IPNS names of {} of {all} targets did not move:{}", many.len(), lines.concat())
        }
    };
    let error = Error::new(Kind::Partial, message);
    Some(names.first()?.error.hints().iter().fold(error, Error::hint))
}

#[cfg(test)]
mod tests {
    use super::super::publish_plan::tests::sample;
    use super::*;
    use crate::engine::job::PublishStep;

    fn no_key() -> Arc<Error> {
        Arc::new(Error::new(Kind::NotFound, "the node has no key `moving`").hint("Make it."))
    }

    fn outcome(plan: &PublishPlan, failure: Option<(PublishStep, Error)>) -> PublishOutcome {
        let target = TargetOutcome {
            name: "home".into(),
            root: plan.targets[0].former,
            blocks: 12,
            sent: 3_146_000,
            requests: Some(31),
            unpinned: vec![plan.root],
            notes: vec!["The gateway does not give out this root: no.".into()],
            ipns_failure: failure.is_none().then(no_key),
            failure,
        };
        PublishOutcome { root: plan.root, targets: vec![target] }
    }

    #[test]
    fn the_shape_in_json() {
        let plan = sample();
        let failed =
            Some((PublishStep::Dnslink, Error::new(Kind::Auth, "the server refused the key").hint("Look at it.")));
        let documents =
            [
                serde_json::to_value(PublishReport::of(&plan, None, true)).unwrap(),
                serde_json::to_value(PublishReport::of(&plan, Some(&outcome(&plan, failed)), false)).unwrap(),
                serde_json::to_value(PublishReport::of(&plan, Some(&outcome(&plan, None)), false)).unwrap()["targets"]
                    [0]["outcome"]
                    .take(),
            ];
        insta::assert_snapshot!("publish", serde_json::to_string_pretty(&documents).unwrap());
    }

    #[test]
    fn the_only_failure_keeps_its_kind_and_a_part_is_said() {
        let mut plan = sample();
        let done = outcome(&plan, None);
        let error = failure(&mut plan, Some(done)).unwrap();
        assert_eq!(error.kind(), Kind::Partial);
        assert_eq!(
            error.to_string(),
            "1 of 2 targets failed:\n  away: http://10.0.0.9:5001 does not answer\n  home: its IPNS name did not move: \
             the node has no key `moving`"
        );
        let mut plan = sample();
        plan.failed.clear();
        let failed = outcome(&plan, Some((PublishStep::Pin, Error::new(Kind::Auth, "no"))));
        let error = failure(&mut plan, Some(failed)).unwrap();
        assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Auth, "home: no"));
        let mut plan = sample();
        let failed = outcome(&plan, Some((PublishStep::Pin, Error::new(Kind::Auth, "no"))));
        assert_eq!(failure(&mut plan, Some(failed)).unwrap().kind(), Kind::Auth);
        let mut plan = sample();
        plan.failed.clear();
        assert!(failure(&mut plan, None).is_none());
    }

    #[test]
    fn a_name_that_stays_behind_is_no_full_success() {
        let mut plan = sample();
        plan.failed.clear();
        let done = outcome(&plan, None);
        let error = failure(&mut plan, Some(done)).unwrap();
        let words = "home: its IPNS name did not move: the node has no key `moving`";
        assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Partial, words));
        assert_eq!(error.hints(), ["Make it."]);
        plan.targets[0].ipns_failure = Some(no_key());
        let error = failure(&mut plan, None).unwrap();
        assert_eq!(error.to_string(), "home: its IPNS name would not move: the node has no key `moving`");
        let away = TargetOutcome { name: "away".into(), ..outcome(&plan, None).targets.remove(0) };
        let mut both = outcome(&plan, None);
        both.targets.push(away);
        plan.targets.push(plan.targets[0].clone());
        let error = failure(&mut plan, Some(both)).unwrap();
        assert!(
            error.to_string().starts_with("the IPNS names of 2 of 2 targets did not move:\n  home: its"),
            "{error}"
        );
    }
}
