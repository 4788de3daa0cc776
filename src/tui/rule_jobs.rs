//! What the interface does with rules outside of itself: the run of them, and changes to their text.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::problem::Problem;
use super::question::{Answer, KnownRules};
use super::work::{Outcome, RuleChange, RuleDraft, RuleRun, Ruled};
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::plan::{AddPlan, FailedRequest};
use crate::engine::rules::{NamedImages, RunOptions, at_home, named_images};
use crate::error::{Error, Kind, Result};
use crate::image::Upstream;
use crate::rules::{self, Source, Subject};

/// How long it may take to say that a run begins once it has ended.
const START_GRACE: Duration = Duration::from_secs(5);

/// All tags of a repository.
pub(super) async fn tag_list(engine: Arc<Engine>, upstream: Upstream, insecure: Option<bool>) -> Answer {
    // On a thread of its own: the future of a job's closure is not known to be one that can be sent.
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
    let trust = Some(in_force.clone());
    let options = RunOptions { only: only.clone(), base: in_force.base(), trust, ..RunOptions::default() };
    let plan = engine.plan_rules(&in_force.rules, &options, job).await?;
    let beside = if only.is_empty() { engine.plan_update_beside_rules(job).await? } else { AddPlan::default() };
    Ok(RuleRun { only, in_force, plan, beside, zone: jiff::tz::TimeZone::system() })
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
    let in_force = run.in_force.clone();
    let last = engine.last_run()?;
    // Beside the run: an address that hangs keeps nothing waiting.
    let starting = {
        let (engine, in_force) = (Arc::clone(engine), in_force.clone());
        tokio::spawn(async move { engine.tell_start(&in_force.rules, in_force.base()).await })
    };
    let ran = carry_out(engine, run, job).await;
    if let Err(error) = &ran
        && error.kind() != Kind::Interrupted
        && let Err(error) = engine.note_failed_run(&in_force.rules, error, last)
    {
        tracing::warn!(%error, "hooks are not told that a run failed");
    }
    let late = starting.abort_handle();
    if !matches!(tokio::time::timeout(START_GRACE, starting).await, Ok(Ok(Ok(())))) {
        late.abort();
    }
    // What a hook says is never the reason that a run fails.
    let told = match engine.tell_hooks(&in_force).await {
        Ok(told) => told
            .failed
            .iter()
            .map(|failed| format!("the hook {} was not told: {}", failed.hook, failed.error))
            .collect::<Vec<_>>(),
        Err(error) => vec![format!("hooks were not told: {error}")],
    };
    let mut ruled = ran?;
    ruled.faults.extend(told);
    Ok(Outcome::Ruled(Box::new(ruled)))
}

async fn carry_out(engine: &Arc<Engine>, run: RuleRun, job: &Job) -> Result<Ruled> {
    let RuleRun { mut plan, in_force, beside, .. } = run;
    plan.beside = beside;
    let updated = engine.apply_rules(&in_force.rules, &mut plan, job).await?;
    let mut added = updated.added;
    added.failed.extend(std::mem::take(&mut plan.add.failed));
    added.failed.extend(std::mem::take(&mut plan.beside.failed));
    // What failed of single images is told of these.
    let images: Vec<String> = added.failed.iter().map(FailedRequest::words).collect();
    let mut faults: Vec<String> = Vec::new();
    for part in &plan.rules {
        let reasons = part.failed.iter().filter(|reason| !images.contains(reason)).chain(&part.brake);
        faults.extend(reasons.map(|reason| format!("rule {}: {reason}", part.rule)));
    }
    Ok(Ruled { parts: plan.rules, added, removed: updated.removed, faults })
}

/// Asks upstream what the rules select now, and how what no rule selects stands.
pub(super) async fn look(engine: &Arc<Engine>, only: Vec<String>, job: &Job) -> Result<Outcome> {
    let in_force = engine.rules()?;
    in_force.check_trust()?;
    known(&in_force.rules, &only)?;
    let options = RunOptions { only: only.clone(), base: in_force.base(), look: true, ..RunOptions::default() };
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
            engine.change_rules(&before, text, true)?;
            Ok(Outcome::RuleSaved { rule: Box::new(rule), is_new: old.is_none() })
        }
    }
}

/// The rules as they are now.
pub(super) fn shown(engine: &Engine) -> Answer {
    Answer::Rules(known_rules(engine).map(Box::new).map_err(Problem::from))
}

fn known_rules(engine: &Engine) -> Result<KnownRules> {
    let shown = engine.shown_rules()?;
    let of_rules = shown.rules.iter().filter_map(|shown| match &shown.rule.subject {
        Subject::Repository { upstream, .. } => {
            let name = shown.rule.published_as.clone().or_else(|| upstream.published_name().ok());
            name.map(|name| name.to_string())
        }
        Subject::Sources(_) => None,
    });
    let names: BTreeSet<String> = of_rules.chain(shown.images.iter().map(|row| row.repository.clone())).collect();
    let here = engine.images_here(names.iter().map(String::as_str))?;
    Ok(KnownRules { here, checked_at: engine.last_checked()?, shown })
}

/// What a source names now, as a run would read it.
pub(super) async fn source(source: Source) -> Answer {
    let of = source.clone();
    let handle = Handle::current();
    let read = tokio::task::spawn_blocking(move || {
        let (job, _watch) = Job::new();
        let read = async |job: &Job| named_images(vec![at_home(of)?], Path::new("/"), job).await;
        handle.block_on(job.run(read))
    });
    let failed = |why: String| NamedImages { failed: vec![why], ..NamedImages::default() };
    let named = match read.await {
        Ok(Ok(named)) => named,
        Ok(Err(error)) => failed(error.to_string()),
        Err(_) => failed("a bug in this program".to_owned()),
    };
    Answer::Source(source, Arc::new(named))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Options;
    use crate::engine::job::Watch;
    use crate::registry::credentials::Environment;
    use crate::registry::memory::{ImageBuilder, MemoryRegistry};
    use crate::registry::{Options as Registries, RegistrySettings};
    use crate::rules::{Rule, Rules};
    use crate::tui::rule_text;

    struct World {
        engine: Arc<Engine>,
        registry: MemoryRegistry,
        _directory: tempfile::TempDir,
    }

    async fn world() -> World {
        let registry = MemoryRegistry::builder().start().await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut registries = Registries::new(Environment::default());
        let settings = RegistrySettings { insecure: true, ..RegistrySettings::default() };
        registries.registries.insert(registry.host(), settings);
        let wait = std::time::Duration::from_secs(5);
        let data_dir = directory.path().join("data");
        let engine =
            Engine::open(Options { data_dir, registries, wait, local_discovery: false, profile: None }).unwrap();
        for tag in ["1.1", "1.2", "1.3", "latest"] {
            let image = ImageBuilder::new("linux/amd64".parse().unwrap()).layer(&[("own", tag)]).build();
            registry.put_image(&"app".parse().unwrap(), Some(tag), &image);
        }
        World { engine, registry, _directory: directory }
    }

    impl World {
        fn rule(&self, rest: &str) -> Rule {
            rule_text::typed(&format!("{}/app:{rest}", self.registry.host())).unwrap().unwrap()
        }

        fn save(&self, old: Option<Rule>, rule: Rule) -> Result<Outcome> {
            save(&self.engine, RuleChange::Save(Box::new(RuleDraft { old, rule })))
        }
    }

    async fn with_job<T>(work: impl AsyncFnOnce(&Job) -> Result<T>) -> Result<T> {
        let (job, _watch): (Job, Watch) = Job::new();
        job.run(async |job: &Job| work(job).await).await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_rule_is_made_run_changed_and_removed() {
        let world = world().await;
        let rule = world.rule("1.# --newest 2 --platform all --name app");
        assert!(matches!(world.save(None, rule.clone()), Ok(Outcome::RuleSaved { is_new: true, .. })));
        assert!(world.save(None, rule.clone()).is_err(), "its name is taken");

        let planned = with_job(async |job| plan(&world.engine, vec!["app".to_owned()], job).await).await.unwrap();
        assert_eq!(planned.plan.rules[0].new.len(), 2);
        let ran = with_job(async |job| run(&world.engine, planned, job).await).await.unwrap();
        let Outcome::Ruled(ruled) = ran else { panic!("{ran:?}") };
        assert_eq!((ruled.added.recorded.len(), ruled.added.failed.len(), ruled.faults.len()), (2, 0, 0));
        let Answer::Rules(Ok(known)) = shown(&world.engine) else { panic!() };
        assert!(known.here.values().any(|tags| tags.contains("1.3")), "{:?}", known.here);
        let shown = known.shown;
        assert_eq!((shown.images.len(), shown.rules[0].run.as_ref().unwrap().1.new), (2, 2));
        assert!(shown.images.iter().all(|image| image.brought && image.rule == "app"));

        // What somebody else changed meanwhile is not overwritten.
        let other = world.rule("1.# --newest 1 --platform all --name app");
        world.save(Some(rule.clone()), other.clone()).unwrap();
        let late = world.save(Some(rule.clone()), rule).unwrap_err();
        assert!(late.to_string().contains("was changed meanwhile"), "{late}");

        let looked = with_job(async |job| look(&world.engine, Vec::new(), job).await).await.unwrap();
        let Outcome::Looked { parts, .. } = looked else { panic!() };
        assert_eq!((parts[0].selected.len(), parts[0].leaving.len()), (1, 1));
        save(&world.engine, RuleChange::Remove("app".to_owned())).unwrap();
        assert_eq!(world.engine.rules().unwrap().rules, Rules::default());
        assert!(with_job(async |job| plan(&world.engine, vec!["app".to_owned()], job).await).await.is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_list_has_all_tags_or_says_why_not() {
        let world = world().await;
        let of = |repository: &str| -> Upstream {
            let reference: crate::image::Reference = format!("{}/{repository}", world.registry.host()).parse().unwrap();
            reference.upstream
        };
        let Answer::TagList(_, Ok(list)) = tag_list(Arc::clone(&world.engine), of("app"), None).await else { panic!() };
        assert_eq!(list.tags, ["1.1", "1.2", "1.3", "latest"]);
        let Answer::TagList(_, absent) = tag_list(Arc::clone(&world.engine), of("absent"), None).await else {
            panic!()
        };
        assert!(absent.is_err());
    }

    #[test]
    fn a_path_is_absolute_and_a_command_is_none() {
        let of = |text: &str| at_home(text.parse().unwrap()).unwrap().to_string();
        let here = std::env::current_dir().unwrap();
        assert_eq!(of("compose:a.yaml"), format!("compose:{}", here.join("a.yaml").display()));
        assert_eq!(of("command:a b"), "command:a b");
    }
}
