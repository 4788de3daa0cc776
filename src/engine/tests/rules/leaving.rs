//! What goes, what stays, and what is told where something fails, is cut or happens at the same time.

use super::*;
use crate::catalog::{rule_images, rule_set};
use crate::engine::request::Pick;

fn at_once(rule: Rule) -> Rule {
    Rule { leave: Kept::For("0s".parse().unwrap()), platforms: Some(Selection::All), ..rule }
}

/// Carries a plan out, whatever fails of it.
async fn apply(test: &TestEngine, mut plan: RulePlan) -> Result<Updated> {
    let rules = Rules::default();
    let updated = Job::new().0.run(async |job: &Job| test.engine.apply_rules(&rules, &mut plan, job).await).await;
    test.check();
    updated
}

/// Answers with 403 where this says so.
fn forbid(test: &TestEngine, what: impl Fn(&RequestInfo) -> bool + Send + Sync + 'static) {
    test.registry.intercept(move |request: &RequestInfo| {
        let answer = axum::response::Response::builder().status(403).body("".into()).unwrap();
        what(request).then_some(answer)
    });
}

fn is_get(request: &RequestInfo, end: &str) -> bool {
    request.method == axum::http::Method::GET && request.path.ends_with(end)
}

/// Kinds of the events of the last run.
fn told(test: &TestEngine) -> Vec<&'static str> {
    let run = test.engine.rule_runs(1).unwrap().remove(0);
    run.events.iter().map(|event| event.kind.name()).collect()
}

fn brought(test: &TestEngine, rule: &str) -> Vec<String> {
    let rows = test.engine.images_of_rule(rule).unwrap();
    rows.into_iter().filter(|(row, _)| row.brought).map(|(row, _)| row.tag).collect()
}

fn last_success(test: &TestEngine) -> Option<i64> {
    rule_set::figure(&test.engine.catalog.read().unwrap(), "last_success").unwrap()
}

async fn undo(test: &TestEngine) -> crate::engine::change::undo::UndoPlan {
    let undo = test.engine.plan_undo().unwrap();
    Job::new().0.run(async |job: &Job| test.engine.apply_undo(&undo, job).await).await.unwrap();
    test.check();
    undo
}

#[tokio::test]
async fn what_can_not_be_planned_is_a_failure_of_its_rule_and_nothing_is_removed() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1", "1.2"] {
        test.put("app", tag, &index(tag));
    }
    let renamed = Rule { published_as: Some("own/app".parse().unwrap()), ..rule(&test, "app", &["#.#"], 3) };
    let rules = rules(&[at_once(renamed)]);
    run(&test, &rules).await;
    test.engine.catalog.write(|writer| rule_set::set_figure(writer, "last_success", 1)).unwrap();
    test.put("app", "1.3", &index("1.3"));
    forbid(&test, |request| is_get(request, "/manifests/1.3"));
    let plan = plan(&test, &rules).await;
    assert_eq!((plan.rules[0].failed.len(), plan.rules[0].removed.len(), plan.remove.images.len()), (1, 0, 0));
    assert_eq!(plan.rules[0].leaving.len(), 1, "it goes at the next run");
    let updated = apply(&test, plan).await.unwrap();
    assert!(updated.removed.is_empty());
    assert_eq!(test.engine.images(&"own/app".parse().unwrap()).unwrap().len(), 3);
    let (_, outcome) = test.engine.last_rule_run("app").unwrap().unwrap();
    assert_eq!((outcome.failed.len(), outcome.removed), (1, 0));
    assert!(told(&test).contains(&"failed"), "{:?}", told(&test));
    assert_eq!(last_success(&test), Some(1));
    assert!(test.engine.images_of_rule("app").unwrap().iter().all(|(row, _)| row.tag != "1.3"), "it never came");
}

#[tokio::test]
async fn what_can_not_be_fetched_is_a_failure_of_its_rule() {
    let test = TestEngine::new().await;
    test.put("app", "1.0", &index("1.0"));
    let renamed = Rule { published_as: Some("own/app".parse().unwrap()), ..rule(&test, "app", &["#.#"], 0) };
    let rules = rules(&[at_once(renamed)]);
    run(&test, &rules).await;
    test.engine.catalog.write(|writer| rule_set::set_figure(writer, "last_success", 1)).unwrap();
    test.put("app", "1.1", &index("1.1"));
    forbid(&test, |request| request.path.contains("/blobs/"));
    let plan = plan(&test, &rules).await;
    assert!(plan.rules[0].failed.is_empty());
    apply(&test, plan).await.unwrap();
    let (_, outcome) = test.engine.last_rule_run("app").unwrap().unwrap();
    assert_eq!((outcome.failed.len(), outcome.new), (1, 0));
    assert!(told(&test).contains(&"failed") && !told(&test).contains(&"new"), "{:?}", told(&test));
    assert_eq!(last_success(&test), Some(1));
}

#[tokio::test]
async fn what_is_added_by_hand_while_a_run_plans_stays_by_hand() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1"] {
        test.put("app", tag, &index(tag));
    }
    let all = rules(&[at_once(rule(&test, "app", &["#.#"], 0))]);
    let planned = plan(&test, &all).await;
    test.add(&["app:1.0"]).await;
    apply(&test, planned).await.unwrap();
    assert_eq!(brought(&test, "app"), ["1.1"]);
    // What goes is asked for while the run is planned.
    test.put("app", "1.2", &index("1.2"));
    run(&test, &all).await;
    let newest = rules(&[at_once(rule(&test, "app", &["1.2"], 0))]);
    let planned = plan(&test, &newest).await;
    assert_eq!(planned.rules[0].removed.len(), 1);
    let by_hand = test.plan(&["app:1.1"]).await.unwrap();
    test.apply(by_hand).await.unwrap();
    let updated = apply(&test, planned).await.unwrap();
    assert!(updated.removed.is_empty(), "{:?}", updated.removed);
    assert_eq!(tags(&test, "app"), ["1.0", "1.1", "1.2"]);
}

#[tokio::test]
async fn an_image_of_another_upstream_is_nobodys_but_its_own() {
    let test = TestEngine::new().await;
    test.put("app", "1.0", &index("1.0"));
    test.put("other", "9", &index("9"));
    let named =
        AddRequest { name: Some(format!("{}:1.0", test.published("app")).parse().unwrap()), ..test.request("other:9") };
    let by_hand = Job::new().0.run(async |job: &Job| test.engine.plan_add(&[named], job).await).await.unwrap();
    test.apply(by_hand).await.unwrap();
    let taken = rules(&[at_once(rule(&test, "app", &["1.#"], 0))]);
    let planned = plan(&test, &taken).await;
    assert_eq!(planned.rules[0].failed.len(), 1);
    apply(&test, planned).await.unwrap();
    assert!(test.engine.images_of_rule("app").unwrap().is_empty());
    let narrow = rules(&[at_once(rule(&test, "app", &["2.#"], 0))]);
    let forced = plan_with(&test, &narrow, RunOptions { force: true, ..RunOptions::default() }).await;
    assert!(forced.remove.images.is_empty());
}

#[tokio::test]
async fn what_is_here_by_its_digest_by_hand_is_no_former_image() {
    let test = TestEngine::new().await;
    let first = test.put("app", "1.0", &index("first"));
    test.add(&[&format!("app@{first}")]).await;
    let rules = rules(&[Rule { former: Some("1d".parse().unwrap()), ..at_once(rule(&test, "app", &["#.#"], 0)) }]);
    run(&test, &rules).await;
    let second = test.put("app", "1.0", &index("second"));
    run(&test, &rules).await;
    let formers = |test: &TestEngine| rule_images::formers(&test.engine.catalog.read().unwrap()).unwrap().len();
    assert_eq!(formers(&test), 0);
    // What a rule kept is asked for by hand.
    test.put("app", "1.0", &index("third"));
    run(&test, &rules).await;
    assert_eq!(formers(&test), 1);
    let plan = test.plan(&[&format!("app@{second}")]).await.unwrap();
    test.apply(plan).await.unwrap();
    assert_eq!(formers(&test), 0);
    pass(&test, 2 * DAY);
    run(&test, &rules).await;
    assert_eq!(test.engine.images(&test.pick("app")).unwrap().len(), 3);
    // What was removed by hand is forgotten.
    test.put("app", "1.0", &index("fourth"));
    run(&test, &rules).await;
    assert_eq!(formers(&test), 1);
    for image in test.engine.images(&test.pick("app")).unwrap().iter().filter(|image| image.tag.is_none()) {
        test.remove(&format!("app@{}", image.digest)).await;
    }
    run(&test, &rules).await;
    assert_eq!(formers(&test), 0);
}

#[tokio::test]
async fn a_former_image_that_a_rule_selects_stays() {
    let test = TestEngine::new().await;
    let first = test.put("app", "1.0", &index("first"));
    let list = test.directory.path().join("images.txt");
    std::fs::write(&list, format!("{}/app@{first}\n", test.registry.host())).unwrap();
    let source = format!("list:{}", list.display()).parse().unwrap();
    let keeps = Rule { former: Some("1d".parse().unwrap()), ..at_once(rule(&test, "app", &["#.#"], 0)) };
    let pins = at_once(Rule::new("pins".parse().unwrap(), Subject::Sources(vec![source])));
    run(&test, &rules(std::slice::from_ref(&keeps))).await;
    test.put("app", "1.0", &index("second"));
    run(&test, &rules(std::slice::from_ref(&keeps))).await;
    let both = rules(&[keeps, pins]);
    run(&test, &both).await;
    pass(&test, 2 * DAY);
    run(&test, &both).await;
    assert_eq!(test.engine.images(&test.pick("app")).unwrap().len(), 2);
}

#[tokio::test]
async fn what_a_rule_that_is_not_read_may_want_stays() {
    let test = TestEngine::new().await;
    test.put("app", "1.0", &index("1.0"));
    let list = test.directory.path().join("images.txt");
    std::fs::write(&list, format!("{}/app:1.0\n", test.registry.host())).unwrap();
    let source = format!("list:{}", list.display()).parse().unwrap();
    let one = at_once(rule(&test, "app", &["#.#"], 1));
    let other = Rule::new("other".parse().unwrap(), Subject::Sources(vec![source]));
    let both = rules(&[one, other]);
    run(&test, &both).await;
    test.put("app", "1.1", &index("1.1"));
    let only = RunOptions { only: vec!["app".into()], ..RunOptions::default() };
    let alone = plan_with(&test, &both, only).await;
    assert_eq!((alone.rules[0].new.len(), alone.rules[0].removed.len(), alone.rules[0].leaving.len()), (1, 0, 0));
    carry_out(&test, alone).await;
    std::fs::remove_file(&list).unwrap();
    let unread = plan(&test, &both).await;
    assert_eq!((unread.rules[1].failed.len(), unread.remove.images.len()), (1, 0));
    apply(&test, unread).await.unwrap();
    assert_eq!(tags(&test, "app"), ["1.0", "1.1"]);
    std::fs::write(&list, format!("{}/app:1.1\n", test.registry.host())).unwrap();
    run(&test, &both).await;
    assert_eq!(tags(&test, "app"), ["1.1"]);
}

#[tokio::test]
async fn what_comes_back_upstream_as_an_older_version_has_its_whole_time() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1", "1.2", "1.3"] {
        test.put("app", tag, &index(tag));
    }
    let rules = rules(&[rule(&test, "app", &["#.#"], 4)]);
    run(&test, &rules).await;
    assert!(test.registry.remove_tag(&"app".parse().unwrap(), &"1.0".parse().unwrap()));
    assert_eq!(run(&test, &rules).await[0].summary(), "3 selected, 1 gone");
    pass(&test, 30 * DAY);
    test.put("app", "1.0", &index("1.0"));
    test.put("app", "1.4", &index("1.4"));
    assert_eq!(run(&test, &rules).await[0].summary(), "4 selected, 1 new, 1 leaving");
    pass(&test, 13 * DAY);
    assert_eq!(run(&test, &rules).await[0].summary(), "4 selected, 1 leaving");
    pass(&test, DAY);
    assert_eq!(run(&test, &rules).await[0].summary(), "4 selected, 1 removed");
}

#[tokio::test]
async fn what_leaves_does_not_stay_because_upstream_removes_it() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1", "1.2"] {
        test.put("app", tag, &index(tag));
    }
    let rules = rules(&[rule(&test, "app", &["#.#"], 3)]);
    run(&test, &rules).await;
    test.put("app", "1.3", &index("1.3"));
    assert_eq!(run(&test, &rules).await[0].summary(), "3 selected, 1 new, 1 leaving");
    assert!(test.registry.remove_tag(&"app".parse().unwrap(), &"1.0".parse().unwrap()));
    pass(&test, 13 * DAY);
    assert_eq!(run(&test, &rules).await[0].summary(), "3 selected, 1 leaving");
    pass(&test, DAY);
    assert_eq!(run(&test, &rules).await[0].summary(), "3 selected, 1 removed");
}

#[tokio::test]
async fn a_clock_that_was_ahead_makes_nothing_stay_for_ever() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1", "1.2"] {
        test.put("app", tag, &index(tag));
    }
    let rules = rules(&[Rule { former: Some("30d".parse().unwrap()), ..rule(&test, "app", &["#.#"], 3) }]);
    run(&test, &rules).await;
    test.put("app", "1.3", &index("1.3"));
    test.put("app", "1.2", &index("moved"));
    run(&test, &rules).await;
    // All that was a year ahead.
    pass(&test, -365 * DAY);
    run(&test, &rules).await;
    pass(&test, 14 * DAY);
    assert_eq!(run(&test, &rules).await[0].removed.len(), 1);
    pass(&test, 17 * DAY);
    run(&test, &rules).await;
    assert_eq!(test.engine.images(&test.pick("app")).unwrap().len(), 3, "what was kept of the move went, too");
}

#[tokio::test]
async fn platforms_that_come_do_not_loosen_the_brake() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6"] {
        test.put("app", tag, &index(tag));
    }
    let on = |on: &str, newest| Rule {
        platforms: Some(on.parse().unwrap()),
        ..at_once(rule(&test, "app", &["#.#"], newest))
    };
    run(&test, &rules(&[on("linux/amd64", 0)])).await;
    let plan = plan(&test, &rules(&[on("linux/amd64,linux/arm64", 3)])).await;
    assert_eq!(plan.rules[0].removed.len(), 0);
    assert!(plan.rules[0].brake.as_ref().unwrap().starts_with("4 of the 7 images"), "{:?}", plan.rules[0].brake);
}

#[tokio::test]
async fn what_the_brake_keeps_has_no_time_and_its_own_name() {
    let test = TestEngine::new().await;
    let digest = test.put("app", "1.0", &index("1"));
    let list = test.directory.path().join("images.txt");
    let source: crate::rules::Source = format!("list:{}", list.display()).parse().unwrap();
    let rules = rules(&[at_once(Rule::new("list".parse().unwrap(), Subject::Sources(vec![source])))]);
    std::fs::write(&list, format!("{}/app@{digest}\n", test.registry.host())).unwrap();
    run(&test, &rules).await;
    test.put("app", "latest", &index("2"));
    test.add(&["app:latest"]).await;
    std::fs::write(&list, format!("{}/app:latest\n", test.registry.host())).unwrap();
    let plan = plan(&test, &rules).await;
    assert!(plan.rules[0].brake.is_some());
    assert_eq!(plan.rules[0].leaving[0].image, format!("{}@{digest}", test.published("app")));
    assert_eq!(plan.rules[0].leaving[0].until, None);
}

#[tokio::test]
async fn what_a_rule_brought_that_is_not_there_any_more_leaves_as_the_file_says() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1", "1.2"] {
        test.put("app", tag, &index(tag));
        test.put("other", tag, &index(tag));
    }
    let file = |leave: &str, rules: &[(&str, &str, u32)]| {
        let rules = rules.iter().map(|(name, repository, newest)| {
            let image = format!("{}/{repository}", test.registry.host());
            format!("[[rule]]\nname = \"{name}\"\nimage = \"{image}\"\ntags = [\"#.#\"]\nnewest = {newest}\n")
        });
        let text = format!("version = 1\n[defaults]\nleave = \"{leave}\"\n{}", rules.collect::<String>());
        crate::rules::read(&text).unwrap()
    };
    run(&test, &file("never", &[("app", "app", 3), ("other", "other", 3)])).await;
    let renamed = file("never", &[("new", "app", 1), ("other", "other", 3)]);
    let parts = run(&test, &renamed).await;
    assert_eq!(parts[2].rule, "app");
    assert_eq!(parts[2].leaving.iter().map(|leaving| leaving.until).collect::<Vec<_>>(), [None, None]);
    pass(&test, 15 * DAY);
    assert!(run(&test, &renamed).await[2].brake.is_none());
    // What is released by name is this alone.
    let narrow = file("1d", &[("new", "app", 1), ("other", "other", 1)]);
    run(&test, &narrow).await;
    pass(&test, 2 * DAY);
    let braked = plan(&test, &narrow).await;
    assert_eq!(braked.rules.iter().filter(|part| part.brake.is_some()).count(), 2);
    let options = |rule: &str| RunOptions { only: vec![rule.into()], force: true, ..RunOptions::default() };
    assert!(plan_with(&test, &narrow, options("new")).await.is_empty());
    let forced = plan_with(&test, &narrow, options("app")).await;
    assert_eq!((forced.remove.images.len(), forced.rules.len(), forced.rules[0].removed.len()), (2, 1, 2));
    carry_out(&test, forced).await;
    assert_eq!((tags(&test, "app").len(), tags(&test, "other").len()), (1, 3));
}

#[tokio::test]
async fn what_a_cut_run_brought_is_told_by_the_next() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1"] {
        test.put("app", tag, &index(tag));
    }
    // All of 1.0 is here, so that it is recorded at once.
    test.add(&["app:1.0"]).await;
    test.remove("app:1.0").await;
    let rules = rules(&[at_once(rule(&test, "app", &["#.#"], 0))]);
    let mut planned = plan(&test, &rules).await;
    let (job, mut watch) = Job::new();
    let cancel = watch.cancel.clone();
    let cut = async {
        while let Some(event) = watch.events.recv().await {
            if matches!(event, crate::engine::job::Event::Recorded { .. }) {
                cancel.cancel();
            }
        }
    };
    forbid_slowly(&test);
    let none = Rules::default();
    let work = job.run(async |job: &Job| test.engine.apply_rules(&none, &mut planned, job).await);
    let (ended, ()) = tokio::join!(work, cut);
    assert_eq!(ended.unwrap_err().kind(), crate::error::Kind::Interrupted);
    assert_eq!(tags(&test, "app"), ["1.0"]);
    test.registry.clear_intercept();
    run(&test, &rules).await;
    run(&test, &rules).await;
    let runs = test.engine.rule_runs(10).unwrap();
    let events = runs.iter().flat_map(|run| &run.events).filter(|event| event.kind.name() == "new");
    let mut images: Vec<&str> = events.map(|event| event.image.as_deref().unwrap()).collect();
    images.sort_unstable();
    assert_eq!(images, [test.published("app:1.0"), test.published("app:1.1")], "each once");
}

/// Answers no request for a blob before somebody has waited for long enough to be cancelled.
fn forbid_slowly(test: &TestEngine) {
    test.registry.intercept(|request: &RequestInfo| {
        let answer = axum::response::Response::builder().status(429).header("retry-after", "5").body("".into());
        request.path.contains("/blobs/").then(|| answer.unwrap())
    });
}

#[tokio::test]
async fn what_an_undo_brings_back_is_still_the_rules() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1", "1.2"] {
        test.put("app", tag, &index(tag));
    }
    let rules = rules(&[Rule { leave: Kept::For("1d".parse().unwrap()), ..rule(&test, "app", &["#.#"], 3) }]);
    run(&test, &rules).await;
    test.put("app", "1.3", &index("1.3"));
    run(&test, &rules).await;
    pass(&test, 2 * DAY);
    assert_eq!(run(&test, &rules).await[0].removed.len(), 1);
    let undone = undo(&test).await;
    assert_eq!((undone.verb.as_str(), undone.returns.len()), ("update", 1));
    assert_eq!(run(&test, &rules).await[0].leaving.len(), 1, "its time begins anew");
    pass(&test, 2 * DAY);
    assert_eq!(run(&test, &rules).await[0].removed.len(), 1);
    run(&test, &rules).await;
    assert!(test.engine.images_of_rule("app").unwrap().iter().all(|(row, _)| row.tag != "1.0"), "it stayed away");
}

#[tokio::test]
async fn two_runs_of_the_same_are_one_to_whoever_undoes_them() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1", "1.2"] {
        test.put("app", tag, &index(tag));
    }
    let rules = rules(&[at_once(rule(&test, "app", &["#.#"], 3))]);
    run(&test, &rules).await;
    test.put("app", "1.3", &index("1.3"));
    let (one, other) = (plan(&test, &rules).await, plan(&test, &rules).await);
    assert_eq!(carry_out(&test, one).await.removed.len(), 1);
    // What is away already needs no second removal.
    assert_eq!(carry_out(&test, other).await.removed.len(), 0);
    let news = test.engine.rule_runs(2).unwrap();
    let news = news.iter().flat_map(|run| &run.events).filter(|event| event.kind.name() == "new");
    assert_eq!(news.count(), 1);
    let undone = undo(&test).await;
    assert_eq!((undone.returns.len(), undone.goes.len()), (1, 1));
    assert_eq!(tags(&test, "app"), ["1.0", "1.1", "1.2"]);
}

#[tokio::test]
async fn what_another_process_changed_since_the_plan_is_not_removed() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1", "1.2"] {
        test.put("app", tag, &index(tag));
    }
    run(&test, &rules(&[at_once(rule(&test, "app", &["#.#"], 0))])).await;
    let narrow = plan(&test, &rules(&[at_once(rule(&test, "app", &["1.1", "1.2"], 0))])).await;
    let pick: Pick = test.pick("app:1.0");
    let away = test.engine.plan_remove(&[pick]).unwrap();
    Job::new().0.run(async |job: &Job| test.engine.apply_remove(&away, job).await).await.unwrap();
    assert!(apply(&test, narrow).await.unwrap().removed.is_empty());
    assert_eq!(tags(&test, "app"), ["1.1", "1.2"]);
}
