//! What is told of a run, to whom, and what the gate is asked.

use super::*;
use crate::catalog::outbox;
use crate::engine::rules::RulesInForce;
use crate::error::{Error, Kind};
use crate::hooks::Delivery;
use crate::rules::{Event, EventKind, Hook, HookAction};

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn hook(words: Vec<String>) -> Hook {
    Hook { on: Vec::new(), action: HookAction::Run(words) }
}

/// A hook that writes each event as a line to this file.
fn writing(test: &TestEngine, file: &str) -> Hook {
    let file = test.directory.path().join(file).display().to_string();
    hook(words(&["sh", "-c", "cat >> \"$0\"; echo >> \"$0\"", &file]))
}

fn told(test: &TestEngine, file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(test.directory.path().join(file)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

async fn tell(test: &TestEngine, hooks: &[Hook]) -> Delivery {
    let mut in_force = RulesInForce::default();
    in_force.rules.hooks = hooks.to_vec();
    in_force.allow(&in_force.allowances());
    test.engine.tell_hooks(&in_force).await.unwrap()
}

/// Runs rules with their hooks, which are not told yet.
async fn run_telling(test: &TestEngine, rules: &Rules) {
    let mut plan = plan(test, rules).await;
    Job::new().0.run(async |job: &Job| test.engine.apply_rules(rules, &mut plan, job).await).await.unwrap();
}

/// Makes these the rules of the catalog, whose programs were seen.
fn make(test: &TestEngine, text: &str) {
    let before = test.engine.rules().unwrap();
    test.engine.change_rules(&before, text.to_owned(), true).unwrap();
}

/// The events of the last run.
fn last_run(test: &TestEngine) -> Vec<Event> {
    test.engine.rule_runs(1).unwrap().remove(0).events
}

/// The one end of the last run.
fn last_end(test: &TestEngine) -> (EventKind, String) {
    let mut ends = last_run(test).into_iter().filter(Event::ends_run).collect::<Vec<_>>();
    assert_eq!(ends.len(), 1, "{ends:?}");
    let end = ends.remove(0);
    (end.kind, end.detail.unwrap_or_default())
}

fn refuse_lists_of(test: &TestEngine, repository: &'static str) {
    test.registry.intercept(move |request: &RequestInfo| {
        let answer = axum::response::Response::builder().status(403).body("".into()).unwrap();
        request.path.ends_with(&format!("/{repository}/tags/list")).then_some(answer)
    });
}

#[tokio::test]
async fn a_run_of_which_a_rule_failed_or_brakes_ends_as_a_failure() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1", "1.2"] {
        test.put("app", tag, &index(tag));
        test.put("bad", tag, &index(tag));
    }
    let both = rules(&[rule(&test, "app", &["#.#"], 0), rule(&test, "bad", &["#.#"], 0)]);
    refuse_lists_of(&test, "bad");
    run(&test, &both).await;
    assert_eq!(last_end(&test), (EventKind::Failed, "1 of 2 rules failed: bad".to_owned()));
    test.registry.clear_intercept();
    run(&test, &both).await;
    assert_eq!(last_end(&test), (EventKind::Finished, String::new()));
    let at_once = Rule { leave: Kept::For("0s".parse().unwrap()), ..rule(&test, "app", &["#.#"], 1) };
    run(&test, &rules(&[at_once])).await;
    assert_eq!(last_end(&test), (EventKind::Failed, "1 of 2 rules failed: app".to_owned()), "its brake is on");
    // What waits is no failure.
    test.put("later", "1.0", &index("1.0"));
    test.put("later", "1.1", &index("1.1"));
    let parts = run(&test, &rules(&[Rule { max_new: 1, ..rule(&test, "later", &["#.#"], 0) }])).await;
    assert_eq!(parts[0].postponed.len(), 1);
    assert_eq!(last_end(&test), (EventKind::Finished, String::new()));
}

#[tokio::test]
async fn what_fails_after_the_rules_is_the_end_of_the_same_run() {
    let test = TestEngine::new().await;
    test.put("app", "1.0", &index("1"));
    let all = Rules { hooks: vec![writing(&test, "told")], ..rules(&[rule(&test, "app", &["#.#"], 0)]) };
    let before = test.engine.last_run().unwrap();
    run_telling(&test, &all).await;
    let run = test.engine.last_run().unwrap();
    let failed = || Error::new(Kind::Node, "the node does not answer");
    test.engine.note_failed_run(&all, &failed(), before).unwrap();
    assert_eq!(last_end(&test), (EventKind::Failed, "the node does not answer".to_owned()));
    assert_eq!(test.engine.last_run().unwrap(), run);
    // Once is enough.
    test.engine.note_failed_run(&all, &failed(), before).unwrap();
    assert_eq!(last_end(&test).0, EventKind::Failed);
    assert_eq!(tell(&test, &all.hooks).await.delivered, 2);
    let told = told(&test, "told");
    assert!(told[0].contains("\"new\"") && told[1].contains("\"failed\"") && told.len() == 2, "{told:?}");
    // One that could not begin is a run of its own.
    test.engine.note_failed_run(&all, &failed(), run).unwrap();
    assert_ne!(test.engine.last_run().unwrap(), run);
}

#[tokio::test]
async fn what_waits_for_a_hook_that_was_corrected_is_told_to_the_new_one() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1"] {
        test.put("app", tag, &index(tag));
    }
    let with = |hooks: &[Hook]| Rules { hooks: hooks.to_vec(), ..rules(&[rule(&test, "app", &["#.#"], 0)]) };
    let wrong = hook(words(&["false"]));
    let kept = writing(&test, "kept");
    run_telling(&test, &with(&[wrong.clone(), kept.clone()])).await;
    let delivery = tell(&test, &[wrong, kept.clone()]).await;
    assert_eq!((delivery.delivered, delivery.failed.len(), delivery.left), (3, 1, 2), "{delivery:?}");
    let right = writing(&test, "right");
    // A run comes before it is told for the first time.
    run_telling(&test, &with(&[right.clone(), kept.clone()])).await;
    let delivery = tell(&test, &[right.clone(), kept.clone()]).await;
    assert_eq!((delivery.delivered, delivery.dropped, delivery.left), (5, 0, 0), "{delivery:?}");
    assert_eq!(told(&test, "right").len(), 4, "two images and two ends");

    // Nobody takes the place of one that is gone: what waits for it is dropped, and counted.
    let gone = hook(words(&["false", "again"]));
    run_telling(&test, &with(&[gone.clone(), kept.clone()])).await;
    tell(&test, &[gone, kept.clone()]).await;
    let delivery = tell(&test, std::slice::from_ref(&kept)).await;
    assert_eq!((delivery.delivered, delivery.dropped), (0, 1), "{delivery:?}");
    assert_eq!(tell(&test, &[kept]).await.dropped, 0);
}

#[tokio::test]
async fn more_events_than_are_read_at_once_are_all_told_or_counted() {
    let test = TestEngine::new().await;
    let (good, bad) = (hook(words(&["true"])), hook(words(&["false"])));
    let event = Event {
        id: 0,
        at: crate::engine::now(),
        run: 1,
        kind: EventKind::New,
        rule: None,
        image: None,
        from: None,
        to: None,
        detail: None,
    };
    let identities = [good.identity(), bad.identity()];
    let put = |number: u32| {
        let put = |writer: &crate::catalog::Writer<'_>| {
            (0..number).try_for_each(|_| outbox::put(writer, &event, &identities).map(drop))
        };
        test.engine.catalog.write(put).unwrap();
    };
    put(261);
    let delivery = tell(&test, &[good, bad]).await;
    assert_eq!((delivery.delivered, delivery.failed.len(), delivery.left), (261, 1, 260), "{delivery:?}");
    assert_eq!(test.engine.untold().unwrap().unwrap().0, 261);
}

#[tokio::test]
async fn a_rule_that_runs_often_does_not_hide_one_that_fails() {
    let test = TestEngine::new().await;
    for repository in ["app", "bad"] {
        test.put(repository, "1.0", &index(repository));
    }
    let host = test.registry.host();
    let of = |name: &str| format!("[[rule]]\nname = '{name}'\nimage = '{host}/{name}'\ntags = ['#.#']\n");
    make(&test, &(of("app") + &of("bad")));
    let both = test.engine.rules().unwrap().rules;
    let success = || test.engine.rule_figures().unwrap().last_success;
    refuse_lists_of(&test, "bad");
    run(&test, &both).await;
    assert_eq!((success(), test.engine.failing_rules().unwrap()), (None, vec!["bad".to_owned()]));
    let run_only = async |name: &str| {
        let only = RunOptions { only: vec![name.to_owned()], ..RunOptions::default() };
        let plan = plan_with(&test, &both, only).await;
        carry_out(&test, plan).await;
    };
    run_only("app").await;
    assert_eq!((success(), test.engine.failing_rules().unwrap().len()), (None, 1));
    test.registry.clear_intercept();
    run_only("bad").await;
    assert!(success().is_some() && test.engine.failing_rules().unwrap().is_empty());
}

#[tokio::test]
async fn the_gate_is_asked_for_whatever_enters() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1"] {
        test.put("app", tag, &index(tag));
    }
    test.add(&["app:1.0"]).await;
    let (lock, _) = test.engine.lock_of_images().unwrap();
    test.put("app", "1.0", &index("moved"));
    let gate = "gate = ['sh', '-c', 'echo not signed; exit 1']\n";
    make(&test, gate);
    // By hand.
    let added = test.plan(&["app:1.1"]).await.unwrap();
    assert_eq!((added.images.len(), added.failed.len()), (0, 1));
    let words = added.failed[0].words();
    assert!(words.ends_with("/app:1.1 is kept out by the gate: not signed"), "{words}");
    // What no rule selects, and has moved.
    let updated = Job::new().0.run(async |job: &Job| test.engine.plan_update_beside_rules(job).await).await.unwrap();
    assert_eq!((updated.images.len(), updated.failed.len()), (0, 1));
    // From a lock, where nothing is yet.
    let other = tempfile::tempdir().unwrap();
    let engine = Engine::open(options(other.path(), None)).unwrap();
    let before = engine.rules().unwrap();
    engine.change_rules(&before, gate.to_owned(), true).unwrap();
    let locked = Job::new().0.run(async |job: &Job| engine.plan_locked(&lock, job).await).await.unwrap();
    assert_eq!((locked.add.images.len(), locked.add.failed.len(), locked.rules[0].new.len()), (0, 1, 0));
    // One that says yes lets all of it in.
    make(&test, "gate = ['true']\n");
    assert_eq!(test.plan(&["app:1.0", "app:1.1"]).await.unwrap().images.len(), 2);
    // One that nobody has seen is not run, and lets nothing in.
    let ran = test.directory.path().join("ran");
    let file = test.directory.path().join("mirror.toml");
    std::fs::write(&file, format!("gate = ['touch', '{}']\n", ran.display())).unwrap();
    test.engine.use_rule_file(Some(&file)).unwrap();
    let refused = test.plan(&["app:1.1"]).await.unwrap_err();
    assert!(refused.to_string().contains("were not allowed") && !ran.exists(), "{refused}");
}

#[tokio::test]
async fn what_is_told_with_a_time_says_it_as_rfc_3339_has_it() {
    let test = TestEngine::new().await;
    test.put("app", "1.0", &index("1.0"));
    let rules = rules(&[Rule { age: Some("3d".parse().unwrap()), ..rule(&test, "app", &["#.#"], 1) }]);
    run(&test, &rules).await;
    test.put("app", "1.1", &index("1.1"));
    run(&test, &rules).await;
    let held = last_run(&test).into_iter().find(|event| event.kind == EventKind::Held).unwrap();
    let until = held.detail.unwrap();
    let until: jiff::Timestamp = until.strip_prefix("until ").unwrap().parse().unwrap();
    assert!(until.as_second() > crate::engine::now() + 2 * DAY);
}

#[tokio::test]
async fn what_waits_for_a_rule_is_not_said_to_be_here() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1"] {
        test.put("app", tag, &index(tag));
    }
    run(&test, &rules(&[Rule { max_new: 1, ..rule(&test, "app", &["#.#"], 0) }])).await;
    let images = test.engine.images_of_rule("app").unwrap();
    let images: Vec<(&str, bool)> = images.iter().map(|(row, here)| (row.tag.as_str(), *here)).collect();
    assert_eq!(images, [("1.0", false), ("1.1", true)]);
}

#[tokio::test]
async fn a_source_command_that_fails_or_prints_garbage_takes_nothing_away() {
    let test = TestEngine::new().await;
    test.put("app", "1.0", &index("1.0"));
    let named = test.directory.path().join("images");
    let source = format!("command:cat '{}'", named.display()).parse().unwrap();
    let rules = rules(&[Rule {
        leave: Kept::For("0s".parse().unwrap()),
        ..Rule::new("printed".parse().unwrap(), Subject::Sources(vec![source]))
    }]);
    let run_there = async || {
        let base = test.directory.path().to_owned();
        let plan = plan_with(&test, &rules, RunOptions { base, ..RunOptions::default() }).await;
        let parts = plan.rules.clone();
        carry_out(&test, plan).await;
        parts
    };
    std::fs::write(&named, format!("{}/app:1.0\n", test.registry.host())).unwrap();
    run_there().await;
    assert_eq!(tags(&test, "app"), ["1.0"]);
    for garbage in [&b"\xff\xfe\x00"[..], b"<html>502 Bad Gateway</html>\n", b"\0\0\0", b"", b"\n\n"] {
        std::fs::write(&named, garbage).unwrap();
        let parts = run_there().await;
        assert!(parts[0].failed.len() == 1 && parts[0].removed.is_empty(), "{garbage:?}: {:?}", parts[0]);
        assert!(parts[0].failed[0].starts_with("command:cat "), "{:?}", parts[0].failed);
        assert_eq!(last_end(&test).0, EventKind::Failed);
    }
    std::fs::remove_file(&named).unwrap();
    let parts = run_there().await;
    assert!(parts[0].failed[0].contains("`cat` ended with exit code 1: "), "{:?}", parts[0].failed);
    assert_eq!(tags(&test, "app"), ["1.0"]);
}
