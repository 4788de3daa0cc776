//! Rules against an in-process registry: what comes, waits, leaves and is refused, and what a run asks.

mod beside;
mod leaving;
mod quotas;
mod survey;
mod telling;
mod trust;
mod upset;

use std::num::NonZeroU32;

use super::*;
use crate::engine::rules::plan::{Postponed, RulePart, RulePlan};
use crate::engine::rules::{RunOptions, Updated};
use crate::image::tags::TagRule;
use crate::registry::memory::RequestInfo;
use crate::rules::{Kept, Moves, Rule, Rules, Subject};

/// A rule for a repository of the registry, with everything else as it is by default.
fn rule(test: &TestEngine, repository: &str, patterns: &[&str], newest: u32) -> Rule {
    let reference: crate::image::Reference = format!("{}/{repository}", test.registry.host()).parse().unwrap();
    let tags = TagRule {
        tags: patterns.iter().map(|pattern| pattern.parse().unwrap()).collect(),
        newest: NonZeroU32::new(newest),
        ..TagRule::default()
    };
    Rule::new(repository.parse().unwrap(), Subject::Repository { upstream: reference.upstream, tags })
}

fn rules(all: &[Rule]) -> Rules {
    Rules { rules: all.to_vec(), ..Rules::default() }
}

async fn plan_with(test: &TestEngine, rules: &Rules, options: RunOptions) -> RulePlan {
    Job::new().0.run(async |job: &Job| test.engine.plan_rules(rules, &options, job).await).await.unwrap()
}

async fn plan(test: &TestEngine, rules: &Rules) -> RulePlan {
    plan_with(test, rules, RunOptions::default()).await
}

async fn carry_out(test: &TestEngine, mut plan: RulePlan) -> Updated {
    let rules = Rules::default();
    let updated =
        Job::new().0.run(async |job: &Job| test.engine.apply_rules(&rules, &mut plan, job).await).await.unwrap();
    assert!(updated.added.failed.is_empty(), "{:?}", updated.added.failed);
    test.check();
    updated
}

async fn run(test: &TestEngine, rules: &Rules) -> Vec<RulePart> {
    let plan = plan(test, rules).await;
    let parts = plan.rules.clone();
    carry_out(test, plan).await;
    parts
}

/// The tags of a repository that are here, in the order of versions.
fn tags(test: &TestEngine, repository: &str) -> Vec<String> {
    let Ok(images) = test.engine.images(&test.pick(repository)) else { return Vec::new() };
    let mut tags: Vec<String> = images.into_iter().filter_map(|image| image.tag).collect();
    tags.sort_by(|one, other| crate::image::natural::compare(one, other));
    tags
}

/// As if so many seconds had passed since.
fn pass(test: &TestEngine, seconds: i64) {
    test.engine
        .catalog
        .write(|writer| {
            for (table, column) in [
                ("rule_images", "leaving_at"),
                ("sightings", "seen_at"),
                ("first_lists", "listed_at"),
                ("former_images", "until"),
                ("former_images", "since"),
            ] {
                writer.execute(&format!("UPDATE {table} SET {column} = {column} - {seconds}"), [])?;
            }
            Ok(())
        })
        .unwrap();
}

const DAY: i64 = 86_400;

#[tokio::test]
async fn the_newest_come_and_what_is_not_selected_any_more_leaves_after_its_time() {
    let test = TestEngine::new().await;
    for tag in ["1.0.0", "1.1.0", "1.2.0", "2.0.0-rc.1", "latest"] {
        test.put("app", tag, &index(tag));
    }
    let rules = rules(&[rule(&test, "app", &["#.#.#"], 2)]);
    let parts = run(&test, &rules).await;
    assert_eq!(tags(&test, "app"), ["1.1.0", "1.2.0"]);
    assert_eq!((parts[0].listed, parts[0].new.len()), (5, 2));
    assert!(parts[0].new[0].ends_with(":1.2.0"), "the newest comes first");

    test.put("app", "1.3.0", &index("1.3.0"));
    let parts = run(&test, &rules).await;
    assert_eq!(parts[0].summary(), "2 selected, 1 new, 1 leaving");
    assert_eq!(tags(&test, "app"), ["1.1.0", "1.2.0", "1.3.0"]);
    pass(&test, 13 * DAY);
    assert_eq!(run(&test, &rules).await[0].summary(), "2 selected, 1 leaving");
    pass(&test, DAY);
    assert_eq!(run(&test, &rules).await[0].summary(), "2 selected, 1 removed");
    assert_eq!(tags(&test, "app"), ["1.2.0", "1.3.0"]);
    let (_, outcome) = test.engine.last_rule_run("app").unwrap().unwrap();
    assert_eq!((outcome.selected, outcome.removed, outcome.failed.len()), (2, 1, 0));
    assert!(plan(&test, &rules).await.is_empty());
}

#[tokio::test]
async fn what_is_selected_again_does_not_leave() {
    let test = TestEngine::new().await;
    test.put("app", "1.0.0", &index("1"));
    test.put("app", "1.1.0", &index("2"));
    let two = rules(&[rule(&test, "app", &["#.#.#"], 2)]);
    let one = rules(&[rule(&test, "app", &["#.#.#"], 1)]);
    run(&test, &two).await;
    assert_eq!(run(&test, &one).await[0].leaving.len(), 1);
    pass(&test, 13 * DAY);
    run(&test, &two).await;
    assert_eq!(run(&test, &one).await[0].leaving.len(), 1);
    pass(&test, 2 * DAY);
    assert_eq!(run(&test, &one).await[0].leaving.len(), 1, "its time begins anew");
}

#[tokio::test]
async fn what_was_added_by_hand_no_rule_removes() {
    let test = TestEngine::new().await;
    test.put("app", "1.0.0", &index("1"));
    test.put("app", "1.1.0", &index("2"));
    test.add(&["app:1.0.0"]).await;
    let two = rules(&[rule(&test, "app", &["#.#.#"], 2)]);
    run(&test, &two).await;
    let one = rules(&[Rule { leave: Kept::For("0s".parse().unwrap()), ..rule(&test, "app", &["#.#.#"], 1) }]);
    let parts = run(&test, &one).await;
    assert_eq!((parts[0].leaving.len(), parts[0].removed.len()), (0, 0));
    assert_eq!(tags(&test, "app"), ["1.0.0", "1.1.0"]);
}

#[tokio::test]
async fn a_rule_that_is_not_run_is_left_as_it_was() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1", "latest"] {
        test.put("app", tag, &index(tag));
    }
    let other = Rule { name: "other".parse().unwrap(), ..rule(&test, "app", &["latest"], 0) };
    let both = rules(&[other, rule(&test, "app", &["#.#"], 1)]);
    let only = RunOptions { only: vec!["app".into()], ..RunOptions::default() };
    let plan = plan_with(&test, &both, only).await;
    assert_eq!(plan.rules.iter().map(|part| part.rule.as_str()).collect::<Vec<_>>(), ["app"]);
    carry_out(&test, plan).await;
    assert_eq!(tags(&test, "app"), ["1.1"]);
    assert!(test.engine.last_rule_run("other").unwrap().is_none());
    // What it has brought stays, whatever the others select.
    run(&test, &both).await;
    assert_eq!(tags(&test, "app"), ["1.1", "latest"]);
    let ran = test.engine.last_rule_run("other").unwrap();
    let only = RunOptions { only: vec!["app".into()], ..RunOptions::default() };
    let plan = plan_with(&test, &both, only).await;
    assert!(plan.is_empty());
    carry_out(&test, plan).await;
    assert_eq!(test.engine.last_rule_run("other").unwrap(), ran);
}

#[tokio::test]
async fn what_is_asked_for_by_hand_stays_though_a_rule_brought_it() {
    let test = TestEngine::new().await;
    for tag in ["1.0.0", "1.1.0", "1.2.0"] {
        test.put("app", tag, &index(tag));
    }
    let at_once = |newest| Rule { leave: Kept::For("0s".parse().unwrap()), ..rule(&test, "app", &["#.#.#"], newest) };
    run(&test, &rules(&[at_once(3)])).await;
    let plan = test.plan(&["app:1.0.0"]).await.unwrap();
    test.apply(plan).await.unwrap();
    let parts = run(&test, &rules(&[at_once(1)])).await;
    assert_eq!(parts[0].removed.len(), 1);
    assert_eq!(tags(&test, "app"), ["1.0.0", "1.2.0"]);
}

#[tokio::test]
async fn a_list_that_fails_or_is_empty_removes_nothing() {
    let test = TestEngine::new().await;
    for tag in ["1.0.0", "1.1.0"] {
        test.put("app", tag, &index(tag));
    }
    let at_once = Rule { leave: Kept::For("0s".parse().unwrap()), ..rule(&test, "app", &["#.#.#"], 2) };
    let rules = rules(&[at_once]);
    run(&test, &rules).await;
    for (status, body) in
        [(403, ""), (200, "{\"name\":\"app\",\"tags\":[]}"), (200, "{\"tags\":null}"), (200, "{"), (200, "")]
    {
        test.registry.intercept(move |request: &RequestInfo| {
            let answer = axum::response::Response::builder().status(status).body(body.into()).unwrap();
            request.path.ends_with("/tags/list").then_some(answer)
        });
        let plan = plan(&test, &rules).await;
        assert!(plan.is_empty(), "{status} {body}");
        assert_eq!(plan.rules[0].failed.len(), 1, "{status} {body}");
        assert_eq!(plan.rules[0].leaving.len(), 0);
        carry_out(&test, plan).await;
        assert_eq!(tags(&test, "app").len(), 2);
    }
    test.registry.clear_intercept();
    assert!(plan(&test, &rules).await.rules[0].failed.is_empty());
}

#[tokio::test]
async fn rules_of_literals_need_no_list() {
    let test = TestEngine::new().await;
    test.put("app", "latest", &index("1"));
    test.registry.intercept(|request: &RequestInfo| {
        let answer = axum::response::Response::builder().status(403).body("".into()).unwrap();
        request.path.ends_with("/tags/list").then_some(answer)
    });
    let rules = rules(&[rule(&test, "app", &["latest", "missing"], 0)]);
    let parts = run(&test, &rules).await;
    assert_eq!(tags(&test, "app"), ["latest"]);
    assert!(parts[0].failed[0].ends_with("app:missing is not there upstream"), "{:?}", parts[0].failed);
}

#[tokio::test]
async fn more_than_half_does_not_go_unless_forced() {
    let test = TestEngine::new().await;
    for tag in ["1.0.0", "1.1.0", "1.2.0", "2.0.0"] {
        test.put("app", tag, &index(tag));
    }
    let at_once = |newest| Rule { leave: Kept::For("0s".parse().unwrap()), ..rule(&test, "app", &["#.#.#"], newest) };
    run(&test, &rules(&[at_once(4)])).await;
    let narrow = rules(&[at_once(1)]);
    let refused = plan(&test, &narrow).await;
    assert!(refused.is_empty());
    assert!(refused.rules[0].brake.as_ref().unwrap().starts_with("3 of the 4 images"), "{:?}", refused.rules[0].brake);
    assert_eq!(refused.faults().count(), 1);
    carry_out(&test, refused).await;
    assert_eq!(tags(&test, "app").len(), 4);
    let forced = plan_with(&test, &narrow, RunOptions { force: true, ..RunOptions::default() }).await;
    assert_eq!(carry_out(&test, forced).await.removed.len(), 3);
    assert_eq!(tags(&test, "app"), ["2.0.0"]);
    // A rule that is not there any more takes nothing along by itself either.
    pass(&test, 20 * DAY);
    run(&test, &rules(&[])).await;
    pass(&test, 20 * DAY);
    let gone = plan(&test, &rules(&[])).await;
    assert!(gone.is_empty() && gone.rules[0].brake.is_some());
}

#[tokio::test]
async fn a_tag_that_moves_follows_is_refused_or_is_not_asked_for() {
    let test = TestEngine::new().await;
    for repository in ["follow", "refuse", "ignore"] {
        test.put(repository, "1.0", &index("old"));
    }
    let of = |repository: &str, moves| Rule { moves, ..rule(&test, repository, &["#.#"], 0) };
    let rules = rules(&[of("follow", Moves::Follow), of("refuse", Moves::Refuse), of("ignore", Moves::Ignore)]);
    run(&test, &rules).await;
    for repository in ["follow", "refuse", "ignore"] {
        test.put(repository, "1.0", &index("new"));
    }
    test.registry.forget_requests();
    let parts = run(&test, &rules).await;
    assert_eq!((parts[0].moved.len(), parts[1].refused.len()), (1, 1));
    assert_eq!(parts[2].summary(), "1 selected");
    let heads = |repository: &str| {
        let path = format!("/v2/{repository}/manifests/1.0");
        test.registry
            .log()
            .iter()
            .filter(|request| request.method == axum::http::Method::HEAD && request.path == path)
            .count()
    };
    assert!(heads("refuse") == 1 && heads("ignore") == 0);
    // It moves back, and nothing is to be said of it.
    test.put("refuse", "1.0", &index("old"));
    assert_eq!(run(&test, &rules).await[1].summary(), "1 selected");
}

#[tokio::test]
async fn what_is_young_is_held_and_the_old_ones_stay() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1"] {
        test.put("app", tag, &index(tag));
    }
    let rules = rules(&[Rule { age: Some("3d".parse().unwrap()), ..rule(&test, "app", &["#.#"], 1) }]);
    run(&test, &rules).await;
    assert_eq!(tags(&test, "app"), ["1.1"], "nothing of the first list is young");
    test.put("app", "1.2", &index("1.2"));
    assert_eq!(run(&test, &rules).await[0].summary(), "1 selected, 1 held");
    pass(&test, 2 * DAY);
    // The bytes behind the tag are what has to be old, not its name.
    test.put("app", "1.2", &index("1.2 again"));
    assert_eq!(run(&test, &rules).await[0].summary(), "1 selected, 1 held");
    pass(&test, 2 * DAY);
    assert_eq!(run(&test, &rules).await[0].summary(), "1 selected, 1 held");
    assert_eq!(tags(&test, "app"), ["1.1"]);
    pass(&test, DAY);
    assert_eq!(run(&test, &rules).await[0].summary(), "1 selected, 1 new, 1 leaving");
    // A tag that is here waits for its new digest, too.
    test.put("app", "1.2", &index("1.2 moved"));
    assert_eq!(run(&test, &rules).await[0].summary(), "1 selected, 1 held, 1 leaving");
    pass(&test, 3 * DAY);
    assert_eq!(run(&test, &rules).await[0].summary(), "1 selected, 1 moved, 1 leaving");
}

#[tokio::test]
async fn what_upstream_has_removed_stays_or_goes_after_a_time() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1", "1.2"] {
        test.put("kept", tag, &index(tag));
        test.put("ended", tag, &index(tag));
    }
    let ends = Rule { gone: Kept::For("7d".parse().unwrap()), ..rule(&test, "ended", &["#.#"], 0) };
    let rules = rules(&[rule(&test, "kept", &["#.#"], 0), ends]);
    run(&test, &rules).await;
    for repository in ["kept", "ended"] {
        assert!(test.registry.remove_tag(&repository.parse().unwrap(), &"1.0".parse().unwrap()));
    }
    let parts = run(&test, &rules).await;
    assert_eq!((parts[0].gone.len(), parts[0].gone[0].until, parts[1].gone.len()), (1, None, 1));
    pass(&test, 8 * DAY);
    let parts = run(&test, &rules).await;
    assert_eq!((parts[0].removed.len(), parts[1].removed.len()), (0, 1));
    assert_eq!((tags(&test, "kept").len(), tags(&test, "ended").len()), (3, 2));
}

#[tokio::test]
async fn no_more_new_images_come_than_the_rule_and_the_quota_let() {
    let test = TestEngine::with(MemoryRegistry::builder().quota(16, 3600).start().await.unwrap(), None);
    for tag in 0..6 {
        test.put("app", &format!("1.{tag}"), &index(&tag.to_string()));
    }
    let few = rules(&[Rule { max_new: 2, reserve: 0, ..rule(&test, "app", &["#.#"], 0) }]);
    let parts = run(&test, &few).await;
    assert_eq!((parts[0].new.len(), parts[0].postponed.len()), (2, 4));
    assert_eq!(parts[0].postponed[0].reason, Postponed::MaxNew);
    assert_eq!(tags(&test, "app"), ["1.4", "1.5"], "the newest come first");

    let careful = rules(&[Rule { reserve: 11, ..rule(&test, "app", &["#.#"], 0) }]);
    let plan = plan(&test, &careful).await;
    assert!(plan.is_postponed());
    assert!(
        plan.rules[0].postponed.iter().all(|postponed| postponed.reason == Postponed::Quota),
        "{:?}",
        plan.rules[0]
    );
    carry_out(&test, plan).await;
    test.registry.refill_quota();
    // What a registry said last is known until it says more: a HEAD tells.
    for _ in 0..4 {
        test.registry.refill_quota();
        run(&test, &careful).await;
    }
    assert_eq!(tags(&test, "app").len(), 6);
}

#[tokio::test]
async fn a_run_with_nothing_new_asks_one_list_a_repository_and_no_manifest() {
    let test = TestEngine::new().await;
    for repository in ["one", "two"] {
        for tag in ["1.0", "1.1", "latest"] {
            test.put(repository, tag, &index(tag));
        }
    }
    let rules = rules(&[
        rule(&test, "one", &["#.#"], 1),
        Rule { name: "again".parse().unwrap(), ..rule(&test, "one", &["#.#", "latest"], 2) },
        rule(&test, "two", &["#.#"], 0),
    ]);
    run(&test, &rules).await;
    test.registry.forget_requests();
    assert!(plan(&test, &rules).await.is_empty());
    let log = test.registry.log();
    let lists = log.iter().filter(|request| request.path.ends_with("/tags/list")).count();
    let gets =
        log.iter().filter(|request| request.method == axum::http::Method::GET && request.path.contains("/manifests/"));
    assert_eq!((lists, gets.count()), (2, 0));
    assert_eq!(log.iter().filter(|request| request.method == axum::http::Method::HEAD).count(), 5);
}

#[tokio::test]
async fn a_tag_of_several_rules_has_the_platforms_of_all() {
    let test = TestEngine::new().await;
    test.put("app", "1.0", &index("1"));
    let on = |name: &str, on: &str| Rule {
        name: name.parse().unwrap(),
        platforms: Some(on.parse().unwrap()),
        ..rule(&test, "app", &["#.#"], 0)
    };
    run(&test, &rules(&[on("one", "linux/amd64")])).await;
    let platforms = |test: &TestEngine| test.engine.images(&test.pick("app:1.0")).unwrap().remove(0).platforms;
    assert_eq!(platforms(&test).len(), 1);
    let both = rules(&[on("one", "linux/amd64"), on("two", "linux/arm64")]);
    let parts = run(&test, &both).await;
    assert_eq!(platforms(&test).len(), 2);
    assert_eq!((parts[0].selected.len(), parts[1].selected.len()), (1, 0), "it is the first rule's");
    assert!(plan(&test, &both).await.is_empty());
}

#[tokio::test]
async fn what_a_tag_pointed_to_is_kept_for_a_time() {
    let test = TestEngine::new().await;
    let old = test.put("app", "1.0", &index("old"));
    let rules = rules(&[Rule {
        former: Some("30d".parse().unwrap()),
        former_tag: Some("{tag}-{date}".into()),
        ..rule(&test, "app", &["#.#"], 0)
    }]);
    run(&test, &rules).await;
    test.put("app", "1.0", &index("new"));
    run(&test, &rules).await;
    let images = test.engine.images(&test.pick("app")).unwrap();
    assert_eq!(images.len(), 3);
    assert_eq!(images.iter().filter(|image| image.digest == old).count(), 2, "by its digest, and by the tag it got");
    assert!(plan(&test, &rules).await.is_empty());
    pass(&test, 31 * DAY);
    run(&test, &rules).await;
    assert_eq!(tags(&test, "app"), ["1.0"]);
    assert_eq!(test.engine.images(&test.pick("app")).unwrap().len(), 1);
}

#[tokio::test]
async fn a_run_is_undone_as_a_whole() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1"] {
        test.put("app", tag, &index(tag));
    }
    let at_once = |newest| Rule { leave: Kept::For("0s".parse().unwrap()), ..rule(&test, "app", &["#.#"], newest) };
    run(&test, &rules(&[at_once(2)])).await;
    let before = test.root();
    test.put("app", "1.2", &index("1.2"));
    // One comes and two go; more than half of what was brought needs saying.
    let forced = RunOptions { force: true, ..RunOptions::default() };
    let plan = plan_with(&test, &rules(&[at_once(1)]), forced).await;
    let updated = carry_out(&test, plan).await;
    assert_eq!((updated.added.recorded.len(), updated.removed.len()), (1, 2));
    let undo = test.engine.plan_undo().unwrap();
    Job::new().0.run(async |job: &Job| test.engine.apply_undo(&undo, job).await).await.unwrap();
    assert_eq!(test.root(), before);
}

#[tokio::test]
async fn what_appears_and_vanishes_between_list_and_head_is_no_failure() {
    let test = TestEngine::new().await;
    test.put("app", "1.0", &index("1"));
    test.registry.intercept(|request: &RequestInfo| {
        let body = "{\"name\":\"app\",\"tags\":[\"1.0\",\"1.1\"]}";
        let answer = axum::response::Response::builder().status(200).body(body.into()).unwrap();
        request.path.ends_with("/tags/list").then_some(answer)
    });
    let plan = plan(&test, &rules(&[rule(&test, "app", &["#.#"], 0)])).await;
    assert!(plan.rules[0].failed.is_empty() && plan.add.failed.is_empty(), "{:?}", plan.add.failed);
    assert_eq!(plan.rules[0].new.len(), 1);
    carry_out(&test, plan).await;
    assert_eq!(tags(&test, "app"), ["1.0"]);
}
