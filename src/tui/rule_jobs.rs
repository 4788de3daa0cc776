//! What the interface does with rules outside of itself: the run of them, and changes to their text.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::problem::Problem;
use super::question::Answer;
use super::work::{Outcome, RuleChange, RuleDraft, RuleRun, Ruled};
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::plan::AddPlan;
use crate::engine::rules::RunOptions;
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::Upstream;
use crate::rules::{self, Rule, Source, Subject};

/// All tags of a repository.
pub(super) async fn tag_list(engine: Arc<Engine>, upstream: Upstream, insecure: Option<bool>) -> Answer {
    // On a thread of its own, since not all of the engine's futures can move between threads.
    let handle = Handle::current();
    let of = upstream.clone();
    let list = tokio::task::spawn_blocking(move || {
        let (job, _watch) = Job::new();
        handle.block_on(job.run(async |job: &Job| engine.tag_list(&of, insecure, job).await))
    });
    let list = match list.await {
        Ok(Ok(list)) => Ok(Arc::new(list)),
        Ok(Err(error)) => Err(error.reason()),
        Err(_) => Err("a bug in this program".to_owned()),
    };
    Answer::TagList(upstream, list)
}

/// Plans a run of these rules, or of all and of what no rule selects.
pub(super) async fn plan(engine: &Arc<Engine>, only: Vec<String>, job: &Job) -> Result<RuleRun> {
    let in_force = engine.rules()?;
    in_force.check_trust()?;
    known(&in_force.rules, &only)?;
    let options = RunOptions { only: only.clone(), ..RunOptions::default() };
    let plan = engine.plan_rules(&in_force.rules, &options, job).await?;
    let beside = if only.is_empty() { engine.plan_update_beside(job).await? } else { AddPlan::default() };
    Ok(RuleRun { only, plan, beside })
}

fn known(rules: &rules::Rules, only: &[String]) -> Result<()> {
    match only.iter().find(|name| rules.by_name(name).is_none()) {
        None => Ok(()),
        Some(name) => {
            let name = crate::text::printable_within(name, 60);
            Err(Error::new(Kind::NotFound, format!("there is no rule `{name}` any more")))
        }
    }
}

/// Runs exactly this plan.
pub(super) async fn run(engine: &Arc<Engine>, run: RuleRun, job: &Job) -> Result<Outcome> {
    let RuleRun { mut plan, beside, .. } = run;
    let faults = plan.faults().collect();
    let mut failed = std::mem::take(&mut plan.add.failed);
    let updated = engine.apply_rules(&mut plan, job).await?;
    let mut added = updated.added;
    if !beside.is_empty() {
        let more = engine.apply_add(beside, "update", job).await?;
        added.recorded.extend(more.recorded);
        added.gone.extend(more.gone);
        failed.extend(more.failed);
        added.fetched += more.fetched;
    } else {
        failed.extend(beside.failed);
        added.gone.extend(beside.gone);
    }
    added.failed.extend(failed);
    Ok(Outcome::Ruled(Box::new(Ruled { parts: plan.rules, added, removed: updated.removed, faults })))
}

/// Asks upstream what the rules select now, and how what no rule selects stands.
pub(super) async fn look(engine: &Arc<Engine>, only: Vec<String>, job: &Job) -> Result<Outcome> {
    let in_force = engine.rules()?;
    in_force.check_trust()?;
    known(&in_force.rules, &only)?;
    let options = RunOptions { only: only.clone(), look: true, ..RunOptions::default() };
    let plan = engine.plan_rules(&in_force.rules, &options, job).await?;
    let beside = if only.is_empty() { engine.outdated_beside_rules(job).await? } else { Vec::new() };
    Ok(Outcome::Looked { parts: plan.rules, only, beside })
}

/// Changes the text of the rules, where it lies.
pub(super) fn save(engine: &Engine, change: RuleChange) -> Result<Outcome> {
    let before = engine.rules()?;
    match change {
        RuleChange::Remove(name) => {
            let text = rules::remove_rule(&before.text, &name)?;
            engine.change_rules(&before, text, false)?;
            Ok(Outcome::RuleRemoved(name))
        }
        RuleChange::Save(draft) => {
            let RuleDraft { old, mut rule } = *draft;
            if let Subject::Sources(sources) = &mut rule.subject {
                *sources = std::mem::take(sources).into_iter().map(at_home).collect::<Result<_>>()?;
            }
            let text = match &old {
                None => rules::add_rule(&before.text, &rule)?,
                Some(old) if before.rules.by_name(old.name.as_str()) == Some(old) => {
                    rules::replace_rule(&before.text, old.name.as_str(), &rule)?
                }
                Some(old) => {
                    let name = crate::text::printable_within(old.name.as_str(), 60);
                    let error = Error::new(Kind::Usage, format!("the rule {name} was changed meanwhile"));
                    return Err(error.hint("Nothing was changed here; open it again to see what it says now."));
                }
            };
            // Whoever types a command has seen it.
            engine.change_rules(&before, text, runs_programs(&rule))?;
            Ok(Outcome::RuleSaved { rule: Box::new(rule), is_new: old.is_none() })
        }
    }
}

fn runs_programs(rule: &Rule) -> bool {
    matches!(&rule.subject, Subject::Sources(sources) if sources.iter().any(|source| matches!(source, Source::Command(_))))
}

/// A path that holds wherever the program runs; `~/` is what it is in a shell.
fn at_home(source: Source) -> Result<Source> {
    let absolute = |path: String| -> Result<String> {
        let home = path.strip_prefix("~/").and_then(|rest| Some(std::env::home_dir()?.join(rest)));
        let absolute = std::path::absolute(home.unwrap_or_else(|| PathBuf::from(&path)));
        let absolute = absolute.context(|| "can't find the current directory")?;
        absolute.into_os_string().into_string().map_err(|_| Error::new(Kind::Usage, "the path is not UTF-8"))
    };
    Ok(match source {
        Source::Compose(path) => Source::Compose(absolute(path)?),
        Source::Kubernetes(path) => Source::Kubernetes(absolute(path)?),
        Source::Dockerfile(path) => Source::Dockerfile(absolute(path)?),
        Source::List(path) => Source::List(absolute(path)?),
        command @ Source::Command(_) => command,
    })
}

/// The rules as they are now.
pub(super) fn shown(engine: &Engine) -> Answer {
    Answer::Rules(engine.shown_rules().map(Box::new).map_err(Problem::from))
}
