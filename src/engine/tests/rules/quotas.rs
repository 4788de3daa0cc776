//! What registries allow: what is reserved stays, and nobody is waited for.

use super::*;

/// A registry that allows so many pulls, and the pulls that are left of them.
async fn allowing(pulls: u64) -> TestEngine {
    TestEngine::with(MemoryRegistry::builder().quota(pulls, 21_600).start().await.unwrap(), None)
}

fn left(test: &TestEngine) -> u64 {
    test.engine.notices.pulls_left(&test.registry.host()).unwrap()
}

fn leaving(test: &TestEngine, reserve: u32) -> Rules {
    rules(&[Rule { reserve, ..rule(test, "app", &["#.#"], 0) }])
}

fn refused(seconds: Option<&str>) -> axum::response::Response {
    let answer = axum::response::Response::builder().status(429);
    let answer = match seconds {
        Some(seconds) => answer.header("retry-after", seconds),
        None => answer.header("ratelimit-limit", "100;w=21600").header("ratelimit-remaining", "0;w=21600"),
    };
    answer.body("".into()).unwrap()
}

#[tokio::test]
async fn what_is_reserved_stays_at_the_first_contact_too() {
    let test = allowing(27).await;
    for minor in 0..12 {
        test.put("app", &format!("1.{minor}"), &index(&minor.to_string()));
    }
    let plan = plan(&test, &leaving(&test, 20)).await;
    assert!(left(&test) >= 20, "{} are left", left(&test));
    assert!(plan.add.failed.is_empty() && plan.rules[0].failed.is_empty(), "{:?}", plan.add.failed);
    // An index and a platform each.
    let names: Vec<&str> = plan.rules[0].new.iter().map(|image| image.rsplit_once(':').unwrap().1).collect();
    assert_eq!(names, ["1.11", "1.10", "1.9"]);
    assert_eq!(plan.rules[0].postponed.len(), 9);
}

#[tokio::test]
async fn what_is_attached_is_a_pull_as_well() {
    let test = allowing(40).await;
    for minor in 0..6 {
        let name = "app".parse().unwrap();
        let subject = image("linux/amd64", &minor.to_string());
        test.put("app", &format!("1.{minor}"), &subject);
        for what in ["signature", "sbom", "report"] {
            let attached = subject.referrer(&format!("application/{what}"), format!("{what} of {minor}"));
            test.registry.put_image(&name, None, &attached);
        }
    }
    plan(&test, &leaving(&test, 20)).await;
    assert!(left(&test) >= 20, "{} are left", left(&test));
}

#[tokio::test]
async fn the_newest_come_first_where_little_is_left() {
    let test = allowing(8).await;
    for minor in 0..6 {
        test.put("app", &format!("1.{minor}"), &index(&minor.to_string()));
    }
    let plan = plan(&test, &leaving(&test, 0)).await;
    let new: Vec<&str> = plan.rules[0].new.iter().map(|image| image.rsplit_once(':').unwrap().1).collect();
    let waits: Vec<&str> =
        plan.rules[0].postponed.iter().map(|waits| waits.image.rsplit_once(':').unwrap().1).collect();
    assert_eq!(new, ["1.5", "1.4", "1.3", "1.2"]);
    assert_eq!(waits, ["1.1", "1.0"]);
}

#[tokio::test]
async fn a_quota_that_is_used_up_is_not_waited_for() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1", "1.2"] {
        test.put("app", tag, &index(tag));
    }
    test.registry.intercept(|request: &RequestInfo| {
        let is_pull = request.method == axum::http::Method::GET && request.path.contains("/manifests/");
        is_pull.then(|| refused(None))
    });
    let waiting = plan(&test, &leaving(&test, 0)).await;
    assert_eq!((waiting.rules[0].postponed.len(), waiting.rules[0].new.len()), (3, 0));
    assert!(waiting.add.failed.is_empty() && waiting.rules[0].failed.is_empty());
    let pulls = test
        .registry
        .log()
        .into_iter()
        .filter(|request| request.method == axum::http::Method::GET && request.path.contains("/manifests/"));
    assert_eq!(pulls.count(), 1, "the first one says it for all");
}

#[tokio::test]
async fn a_list_or_a_head_that_is_refused_for_now_postpones_what_it_was_about() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1"] {
        test.put("app", tag, &index(tag));
    }
    let at_once = rules(&[Rule { leave: Kept::For("0s".parse().unwrap()), ..rule(&test, "app", &["#.#"], 0) }]);
    run(&test, &at_once).await;
    for seconds in [Some("86400"), None] {
        for what in ["/tags/list", "/manifests/1.0"] {
            test.registry.forget_requests();
            test.registry
                .intercept(move |request: &RequestInfo| request.path.ends_with(what).then(|| refused(seconds)));
            let waiting = plan(&test, &at_once).await;
            let part = &waiting.rules[0];
            assert!(waiting.is_empty() && part.failed.is_empty() && part.leaving.is_empty(), "{what}: {part:?}");
            assert_eq!(part.postponed.len(), 1, "{what}");
            assert_eq!(part.postponed[0].reason, Postponed::Quota);
            let asked = test.registry.log().iter().filter(|request| request.path.ends_with(what)).count();
            assert_eq!(asked, 1, "{what}");
        }
    }
    test.registry.clear_intercept();
    assert!(!plan(&test, &at_once).await.is_postponed());
}

#[tokio::test]
async fn what_was_listed_before_a_registry_refused_more_comes() {
    let test = TestEngine::new().await;
    let repositories: Vec<String> = (0..12).map(|number| format!("app{number}")).collect();
    for repository in &repositories {
        test.put(repository, "1.0", &index(repository));
    }
    let all: Vec<Rule> = repositories.iter().map(|repository| rule(&test, repository, &["#.#"], 0)).collect();
    test.registry
        .intercept(|request: &RequestInfo| request.path.ends_with("/app4/tags/list").then(|| refused(Some("86400"))));
    let parts = run(&test, &rules(&all)).await;
    let listed = test.registry.log().iter().filter(|request| request.path.ends_with("/tags/list")).count() - 1;
    assert!((1..12).contains(&listed), "{listed}");
    let came = parts.iter().filter(|part| part.new.len() == 1 && part.postponed.is_empty()).count();
    let waits = parts.iter().filter(|part| part.new.is_empty() && part.postponed.len() == 1).count();
    assert_eq!((came, waits), (listed, 12 - listed), "{parts:?}");
    assert!(parts.iter().all(|part| part.failed.is_empty()));
    test.registry.clear_intercept();
    assert!(!plan(&test, &rules(&all)).await.is_postponed());
}

#[tokio::test]
async fn a_repository_is_listed_once_in_a_run_that_brings_something() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1", "1.2"] {
        test.put("app", tag, &index(tag));
    }
    run(&test, &rules(&[rule(&test, "app", &["#.#"], 0)])).await;
    let lists = test.registry.log().iter().filter(|request| request.path.ends_with("/tags/list")).count();
    assert_eq!(lists, 1);
}
