//! Telling hooks of a run from the command line: while it begins, after it, and where it could not even begin.
//!
//! Whatever goes wrong here is a warning: it is never the reason that a run fails.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::timeout;

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
/// How long it may take to say that a run begins once it has ended: who hangs then hangs when its end is told, too.
const START_GRACE: Duration = Duration::from_secs(5);

/// Says beside a run that it begins.
struct Start {
    runtime: Runtime,
    telling: JoinHandle<Result<()>>,
}

impl Start {
    fn begin(engine: &Arc<Engine>, rules: &RulesInForce, context: &Context) -> Option<Self> {
        let runtime = match Builder::new_multi_thread().worker_threads(1).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                context.output.warning(&format!("hooks were not told that the run begins: {error}"));
                return None;
            }
        };
        let (engine, rules) = (Arc::clone(engine), rules.clone());
        let telling = runtime.spawn(async move { engine.tell_start(&rules.rules, rules.base()).await });
        Some(Self { runtime, telling })
    }

    /// Waits for a moment until it is said: nobody shall hear of the end before.
    fn end(self, context: &Context) {
        let Self { runtime, telling } = self;
        if let Ok(Ok(Err(error))) = runtime.block_on(async { timeout(START_GRACE, telling).await }) {
            context.output.warning(&format!("hooks were not told that the run began: {error}"));
        }
        // What still hangs is given up.
        runtime.shutdown_background();
    }
}

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
    let (before, last) = (roots(engine), engine.last_run());
    let start = Start::begin(engine, rules, context);
    let ended = run();
    let noted = note_end(engine, rules, &ended, &before, last);
    if let Err(error) = noted {
        context.output.warning(&format!("hooks are not told of all that happened: {error}"));
    }
    if let Some(start) = start {
        start.end(context);
    }
    tell(engine, rules, context);
    ended
}

/// Notes what the run itself does not know: where it was published, and that a part of it failed that no rule has.
fn note_end(
    engine: &Engine,
    rules: &RulesInForce,
    ended: &Result<Exit>,
    before: &BTreeMap<String, String>,
    last: Result<Option<i64>>,
) -> Result<()> {
    let published = roots(engine).into_iter().filter(|(target, root)| before.get(target) != Some(root));
    let noted = published.map(|(target, root)| engine.note_published(&rules.rules, &target, &root));
    // One that can't be noted is no reason to leave the others out.
    let noted = noted.fold(Ok(()), Result::and);
    let failed = match ended {
        Err(error) if error.kind() != Kind::Interrupted && !error.is_postponed() => {
            last.and_then(|last| engine.note_failed_run(&rules.rules, error, last))
        }
        _ => Ok(()),
    };
    noted.and(failed)
}

/// Tells the hooks of the rules that were read last that a run could not begin.
pub(super) fn tell_failure(engine: &Arc<Engine>, error: &Error, context: &Context) {
    let Ok(Some(rules)) = engine.rules_read_last() else { return };
    let allowed = rules.clone().with_allowed_hooks();
    if allowed.rules.hooks.is_empty() {
        return;
    }
    let noted = engine.last_run().and_then(|last| engine.note_failed_run(&allowed.rules, error, last));
    match noted {
        Ok(()) => tell(engine, &rules, context),
        Err(error) => context.output.warning(&format!("hooks are not told of it: {error}")),
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
    if delivery.left > 0 {
        let events = count(delivery.left, "event waits", "events wait");
        context.output.warning(&format!("{events} to be told by the next run"));
    }
    if delivery.dropped > 0 {
        let events = count(delivery.dropped, "event", "events");
        context.output.warning(&format!("dropped {events} for hooks that the rules no longer have"));
    }
}
