//! Telling hooks of a run from the command line: before it, after it, and where it could not even begin.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::context::Context;
use super::exit::Exit;
use super::planned::DryRun;
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::rules::RulesInForce;
use crate::error::{Error, Kind, Result};
use crate::hooks::Delivery;
use crate::text::{count, printable_within};

/// Said when ^C comes while hooks are told.
const STOPPING: &str = "Stopping; what was not told is told by the next run.";

/// Runs what is told: hooks hear of its begin, and of all that it did.
pub(super) fn around(
    engine: &Arc<Engine>,
    rules: &RulesInForce,
    DryRun { dry_run }: DryRun,
    context: &Context,
    run: impl FnOnce() -> Result<Exit>,
) -> Result<Exit> {
    if dry_run || rules.rules.hooks.is_empty() {
        return run();
    }
    context.run_quietly(STOPPING, async |_: &Job| engine.tell_start(&rules.rules, rules.base()).await)?;
    let before = roots(engine);
    let ended = run();
    for (target, root) in roots(engine) {
        if before.get(&target) != Some(&root) {
            engine.note_published(&rules.rules, &target, &root)?;
        }
    }
    // A run of which a part failed has told that itself.
    if let Err(error) = &ended
        && !matches!(error.kind(), Kind::Partial | Kind::Interrupted)
    {
        engine.note_failed_run(&rules.rules, error)?;
    }
    tell(engine, rules, context);
    ended
}

/// Tells the hooks of the rules that were read last that a run could not begin.
pub(super) fn tell_failure(engine: &Arc<Engine>, error: &Error, context: &Context) {
    let Ok(Some(rules)) = engine.rules_read_last() else { return };
    let allowed = rules.clone().with_allowed_hooks();
    if allowed.rules.hooks.is_empty() {
        return;
    }
    if engine.note_failed_run(&allowed.rules, error).is_ok() {
        tell(engine, &rules, context);
    }
}

/// The root that each target gives out.
fn roots(engine: &Engine) -> BTreeMap<String, String> {
    let targets = engine.targets().unwrap_or_default();
    targets.into_iter().filter_map(|target| Some((target.name, target.root?))).collect()
}

/// Tells what waits. What fails is a warning: it is never the reason that a run fails.
fn tell(engine: &Arc<Engine>, rules: &RulesInForce, context: &Context) {
    let told = context.run_quietly(STOPPING, async |job: &Job| job.or_cancelled(engine.tell_hooks(rules)).await);
    match told {
        Ok(delivery) => warn(&delivery, context),
        Err(error) if error.kind() == Kind::Interrupted => {}
        Err(error) => context.output.warning(&format!("hooks were not told: {error}")),
    }
}

fn warn(delivery: &Delivery, context: &Context) {
    for failed in &delivery.failed {
        let hook = printable_within(&failed.hook, 200);
        context
            .output
            .warning(&format!("the hook {hook} was not told: {}; it is tried again at the next run", failed.error));
    }
    if let Some(error) = &delivery.outbox {
        context.output.warning(&format!("hooks were not told: {error}"));
    }
    if delivery.left > 0 && delivery.failed.is_empty() {
        let events = count(delivery.left, "event waits", "events wait");
        context.output.warning(&format!("{events} to be told by the next run"));
    }
}
