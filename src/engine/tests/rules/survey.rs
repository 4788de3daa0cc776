//! What rules select where ages, digests and other rules have a say.

use super::*;

/// A rule of the images that a list names, with the file beside the catalog.
fn of_list(test: &TestEngine, name: &str, references: &[String]) -> Rule {
    let file = test.directory.path().join(format!("{name}.txt"));
    std::fs::write(&file, references.join("\n")).unwrap();
    let source = format!("list:{}", file.display()).parse().unwrap();
    Rule::new(name.parse().unwrap(), Subject::Sources(vec![source]))
}

fn aged(test: &TestEngine, age: &str) -> Rules {
    rules(&[Rule { age: Some(age.parse().unwrap()), ..rule(test, "app", &["#.#"], 1) }])
}

fn status(code: u16) -> axum::response::Response {
    axum::response::Response::builder().status(code).body("".into()).unwrap()
}

/// What a rule could not do, wherever it is said.
fn faults(plan: &RulePlan) -> Vec<String> {
    let failed: Vec<String> = plan.rules.iter().flat_map(|part| part.failed.clone()).collect();
    let mut requests = plan.add.failed.iter().map(crate::engine::plan::FailedRequest::words);
    assert!(requests.all(|words| failed.contains(&words)), "{failed:?}: a rule says what failed of it");
    failed
}

fn digest_here(test: &TestEngine, image: &str) -> Digest {
    test.engine.images(&test.pick(image)).unwrap().remove(0).digest
}

#[tokio::test]
async fn however_many_digests_are_young_what_is_old_stays_selected() {
    let test = TestEngine::new().await;
    test.put("app", "1.0", &index("1.0"));
    run(&test, &aged(&test, "1d")).await;
    for minor in 1..=18 {
        test.put("app", &format!("1.{minor}"), &index(&minor.to_string()));
    }
    run(&test, &aged(&test, "1d")).await;
    pass(&test, 2 * DAY);
    for minor in 1..=18 {
        test.put("app", &format!("1.{minor}"), &index(&format!("{minor} again")));
    }
    let parts = run(&test, &aged(&test, "1d")).await;
    assert_eq!(parts[0].summary(), "1 selected, 1 held");
    assert_eq!(tags(&test, "app"), ["1.0"]);
    pass(&test, 2 * DAY);
    assert_eq!(run(&test, &aged(&test, "1d")).await[0].new.len(), 1);
    assert_eq!(tags(&test, "app"), ["1.0", "1.18"]);
}

#[tokio::test]
async fn the_ages_of_all_that_waits_run_and_not_only_of_the_newest() {
    let test = TestEngine::new().await;
    test.put("app", "1.0", &index("1.0"));
    run(&test, &aged(&test, "1d")).await;
    for minor in 1..=100 {
        test.put("app", &format!("1.{minor}"), &index(&minor.to_string()));
    }
    test.registry.forget_requests();
    run(&test, &aged(&test, "1d")).await;
    let heads = test.registry.log().iter().filter(|request| request.method == axum::http::Method::HEAD).count();
    assert!((60..70).contains(&heads), "as many as are needed, within bounds: {heads}");
    pass(&test, 2 * DAY);
    test.put("app", "1.100", &index("it moves just before it is old enough"));
    run(&test, &aged(&test, "1d")).await;
    assert_eq!(tags(&test, "app"), ["1.0", "1.99"]);
}

#[tokio::test]
async fn of_two_rules_that_want_one_tag_otherwise_the_first_decides() {
    let test = TestEngine::new().await;
    let old = test.put("app", "1.0", &index("old"));
    let pinned = of_list(&test, "pinned", &[format!("{}/app:1.0@{old}", test.registry.host())]);
    let new = test.put("app", "1.0", &index("new"));
    let by_tag = rules(&[rule(&test, "app", &["#.#"], 0), pinned.clone()]);
    for _ in 0..3 {
        let plan = plan(&test, &by_tag).await;
        assert_eq!((plan.rules[0].failed.len(), plan.rules[1].failed.len()), (0, 1));
        assert!(plan.rules[1].failed[0].contains("the rule app comes first and takes"), "{:?}", plan.rules[1].failed);
        carry_out(&test, plan).await;
        assert_eq!(digest_here(&test, "app:1.0"), new);
    }
    assert!(plan(&test, &by_tag).await.is_empty(), "it is settled");
    // The other way round the tag stays where the source has it, whatever upstream does.
    let by_digest = rules(&[pinned, rule(&test, "app", &["#.#"], 0)]);
    for _ in 0..2 {
        let plan = plan(&test, &by_digest).await;
        assert_eq!(faults(&plan), [] as [&str; 0]);
        carry_out(&test, plan).await;
        assert_eq!(digest_here(&test, "app:1.0"), old);
    }
    assert!(plan(&test, &by_digest).await.is_empty());
    // Where both want the same, nothing is to be said.
    test.put("app", "1.0", &index("old"));
    assert_eq!(faults(&plan(&test, &by_tag).await), [] as [&str; 0]);
}

#[tokio::test]
async fn one_list_that_names_a_tag_with_two_digests_gets_the_first() {
    let test = TestEngine::new().await;
    let host = test.registry.host();
    let (one, other) = (test.put("app", "1.0", &index("one")), test.put("app", "1.1", &index("other")));
    let twice = [format!("{host}/app:x@{one}"), format!("{host}/app:x@{other}")];
    let rules = rules(&[of_list(&test, "twice", &twice)]);
    for _ in 0..2 {
        let parts = run(&test, &rules).await;
        assert!(parts[0].failed[0].contains("the same rule names it as"), "{:?}", parts[0].failed);
        assert_eq!(digest_here(&test, "app:x"), one);
    }
}

#[tokio::test]
async fn a_digest_that_two_sources_name_is_the_first_ones() {
    let test = TestEngine::new().await;
    let digest = test.put("app", "1.0", &index("1"));
    let named = [format!("{}/app@{digest}", test.registry.host())];
    let rules = rules(&[of_list(&test, "one", &named), of_list(&test, "two", &named)]);
    for _ in 0..2 {
        let parts = run(&test, &rules).await;
        assert_eq!((parts[0].selected.len(), parts[1].selected.len()), (1, 0));
        assert_eq!(parts[1].failed.len(), 0);
        assert_eq!(test.engine.images_of_rule("one").unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_rule_without_platforms_brings_this_machines_beside_those_of_another() {
    let test = TestEngine::new().await;
    test.put("app", "1.0", &index("1"));
    let host = Platform::host().to_string();
    let other = if host == "linux/arm64" { "linux/amd64" } else { "linux/arm64" };
    let on = |name: &str, on: Option<&str>| Rule {
        name: name.parse().unwrap(),
        platforms: on.map(|on| on.parse().unwrap()),
        ..rule(&test, "app", &["1.0"], 0)
    };
    run(&test, &rules(&[on("one", None), on("two", Some(other))])).await;
    assert_eq!(test.engine.images(&test.pick("app:1.0")).unwrap().remove(0).platforms.len(), 2);
}

#[tokio::test]
async fn what_was_found_old_enough_is_what_is_taken() {
    let test = TestEngine::new().await;
    test.put("app", "1.0", &index("1.0"));
    run(&test, &aged(&test, "3d")).await;
    let checked = test.put("app", "1.1", &index("1.1"));
    run(&test, &aged(&test, "3d")).await;
    pass(&test, 4 * DAY);
    // It moves between the HEAD and what follows it.
    let moved = test.put("app", "1.1", &index("1.1, and nobody knows it"));
    let intercept = move |gone: bool| {
        move |request: &RequestInfo| {
            let is_tag = request.path.ends_with("/manifests/1.1") && request.method == axum::http::Method::HEAD;
            if gone && request.path.ends_with(&checked.to_string()) {
                return Some(status(404));
            }
            let answer = axum::response::Response::builder().header("docker-content-digest", checked.to_string());
            (is_tag && request.count == 1).then(|| answer.body("".into()).unwrap())
        }
    };
    test.registry.forget_requests();
    test.registry.intercept(intercept(true));
    let held = plan(&test, &aged(&test, "3d")).await;
    assert_eq!(faults(&held), [] as [&str; 0]);
    assert_eq!((held.rules[0].new.len(), held.rules[0].held.len()), (0, 1));
    test.registry.forget_requests();
    test.registry.intercept(intercept(false));
    let parts = run(&test, &aged(&test, "3d")).await;
    assert_eq!(parts[0].new.len(), 1);
    let here = digest_here(&test, "app:1.1");
    assert!(here == checked && here != moved);
}

#[tokio::test]
async fn an_image_that_upstream_says_nothing_of_is_nobodys_until_it_comes() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "2.0"] {
        test.put("app", tag, &index(tag));
    }
    let both = rules(&[rule(&test, "app", &["1.0", "2.0"], 0)]);
    test.registry.intercept(|request: &RequestInfo| {
        let is_asked = request.method == axum::http::Method::HEAD && request.path.ends_with("/manifests/1.0");
        is_asked.then(|| status(403))
    });
    let parts = run(&test, &both).await;
    assert_eq!((parts[0].selected.len(), parts[0].failed.len()), (1, 1));
    assert_eq!(parts[0].failed[0].matches("app:1.0").count(), 1, "{:?}", parts[0].failed);
    assert_eq!(test.engine.images_of_rule("app").unwrap().len(), 1);
    test.registry.clear_intercept();
    run(&test, &both).await;
    let rows = test.engine.images_of_rule("app").unwrap();
    assert!(rows.len() == 2 && rows.iter().all(|(row, _)| row.brought), "{rows:?}");
    // One that is here does not leave because nothing is heard of it.
    test.registry.intercept(|request: &RequestInfo| {
        let is_asked = request.method == axum::http::Method::HEAD && request.path.ends_with("/manifests/1.0");
        is_asked.then(|| status(403))
    });
    let parts = run(&test, &both).await;
    assert_eq!((parts[0].leaving.len(), parts[0].gone.len(), parts[0].failed.len()), (0, 0, 1));
}

#[tokio::test]
async fn only_a_tag_that_vanished_is_left_out_silently() {
    let test = TestEngine::new().await;
    test.put("app", "1.0", &index("1.0"));
    let windows = Rule { platforms: Some("windows/amd64".parse().unwrap()), ..rule(&test, "app", &["#.#"], 0) };
    let missing = plan(&test, &rules(&[windows])).await;
    assert!(faults(&missing).concat().contains("has no windows/amd64"), "{:?}", faults(&missing));
    assert_eq!(missing.rules[0].new.len(), 0);
    // What it consists of is not there.
    test.put("single", "1.0", &image("linux/amd64", "1.0"));
    for (repository, part) in [("single", "/blobs/"), ("app", "/manifests/sha256:")] {
        test.registry.intercept(move |request: &RequestInfo| {
            let is_part = request.path.contains(part) && request.method == axum::http::Method::GET;
            is_part.then(|| status(404))
        });
        let missing = plan(&test, &rules(&[rule(&test, repository, &["#.#"], 0)])).await;
        assert_eq!(faults(&missing).len(), 1, "{repository}: {:?}", faults(&missing));
        test.registry.clear_intercept();
    }
}

#[tokio::test]
async fn an_age_that_is_said_later_counts_from_the_first_list() {
    let test = TestEngine::new().await;
    let plain = rules(&[rule(&test, "app", &["#.#"], 1)]);
    test.put("app", "1.0", &index("1.0"));
    run(&test, &plain).await;
    test.put("app", "1.1", &index("1.1"));
    run(&test, &plain).await;
    test.put("app", "1.2", &index("1.2"));
    let parts = run(&test, &aged(&test, "3d")).await;
    assert_eq!(parts[0].held.len(), 1, "{:?}", parts[0]);
    assert_eq!(tags(&test, "app"), ["1.0", "1.1"]);
    pass(&test, 4 * DAY);
    run(&test, &aged(&test, "3d")).await;
    assert_eq!(tags(&test, "app"), ["1.0", "1.1", "1.2"]);
}

#[tokio::test]
async fn a_digest_is_young_beside_one_that_was_added_by_hand() {
    let test = TestEngine::new().await;
    let old = test.put("app", "1.0", &index("old"));
    test.add(&["app:1.0"]).await;
    test.put("app", "1.0", &index("new"));
    assert_eq!(run(&test, &aged(&test, "3d")).await[0].held.len(), 1);
    assert_eq!(digest_here(&test, "app:1.0"), old);
}

#[tokio::test]
async fn an_image_that_gets_platforms_is_not_new() {
    let test = TestEngine::new().await;
    test.put("app", "1.0", &index("1"));
    let on = |on: &str| rules(&[Rule { platforms: Some(on.parse().unwrap()), ..rule(&test, "app", &["#.#"], 0) }]);
    run(&test, &on("linux/amd64")).await;
    let look = RunOptions { look: true, ..RunOptions::default() };
    let looked = plan_with(&test, &on("linux/amd64,linux/arm64"), look).await;
    assert!(looked.rules[0].new.is_empty() && looked.rules[0].pulls > 0);
    let more = plan(&test, &on("linux/amd64,linux/arm64")).await;
    assert_eq!((more.rules[0].new.len(), more.add.changing().count()), (0, 1));
    carry_out(&test, more).await;
    let told = test.engine.rule_runs(1).unwrap().remove(0).events;
    assert!(told.iter().all(|event| event.kind.name() == "finished"), "{told:?}");
}

#[tokio::test]
async fn a_clock_that_was_ahead_once_does_not_hold_for_ever() {
    let test = TestEngine::new().await;
    test.put("app", "1.0", &index("1.0"));
    run(&test, &aged(&test, "1h")).await;
    test.put("app", "1.1", &index("1.1"));
    run(&test, &aged(&test, "1h")).await;
    // All that was noted is of next year.
    pass(&test, -365 * DAY);
    assert_eq!(run(&test, &aged(&test, "1h")).await[0].held.len(), 1);
    pass(&test, DAY);
    assert_eq!(run(&test, &aged(&test, "1h")).await[0].new.len(), 1);
}

#[tokio::test]
async fn a_list_that_fails_is_said_in_one_sentence() {
    let test = TestEngine::new().await;
    test.put("app", "1.0", &index("1.0"));
    test.registry.intercept(|request: &RequestInfo| request.path.ends_with("/tags/list").then(|| status(403)));
    let failed = plan(&test, &rules(&[rule(&test, "app", &["#.#"], 0)])).await.rules.remove(0).failed;
    assert!(failed[0].starts_with(&format!("the tags of {}/app can't be listed: ", test.registry.host())));
    assert_eq!(failed[0].matches("tags of").count(), 1, "{failed:?}");
}
