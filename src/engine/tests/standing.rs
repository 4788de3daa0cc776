//! What an interactive face asks beside its lists.

use super::*;

fn fetched_manifests(test: &TestEngine) -> usize {
    let log = test.registry.log();
    log.iter().filter(|request| request.method == "GET" && request.path.contains("/manifests/sha256")).count()
        + log.iter().filter(|request| request.method == "GET" && request.path.ends_with("/manifests/1")).count()
}

#[tokio::test]
async fn a_plan_that_is_made_again_fetches_no_manifest_again_until_the_tag_moves() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.engine.keep_manifests();
    let first = test.plan(&["app:1"]).await.unwrap();
    assert!(fetched_manifests(&test) > 2);
    test.registry.forget_requests();
    let second = test.plan(&["app:1"]).await.unwrap();
    assert_eq!(fetched_manifests(&test), 0);
    assert_eq!((first.new_bytes, first.images[0].digest), (second.new_bytes, second.images[0].digest));

    let moved = test.put("app", "1", &index("two"));
    let third = test.plan(&["app:1"]).await.unwrap();
    assert_eq!(third.images[0].digest, moved);
    test.apply(third).await.unwrap();
    test.check();
}

#[tokio::test]
async fn tags_come_from_upstream_and_outdated_images_are_counted() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.put("app", "2", &index("two"));
    test.add(&["app:1", "app:2"]).await;
    let reference = format!("{}/app", test.registry.host()).parse().unwrap();
    // The catalog knows that this one is asked by plain HTTP.
    assert_eq!(test.engine.upstream_tags(&reference, None).await.unwrap(), ["1", "2"]);
    let outdated = || test.engine.repositories().unwrap()[0].outdated;
    assert_eq!(outdated(), 0);
    test.put("app", "2", &index("three"));
    Job::new().0.run(async |job: &Job| test.engine.outdated(&[], job).await).await.unwrap();
    assert_eq!(outdated(), 1);
    assert!(test.engine.standings().unwrap().is_empty(), "there is no target");
}

#[tokio::test]
async fn an_update_of_unchanged_tags_asks_hardly_more_than_what_became_of_them() {
    let test = TestEngine::with(MemoryRegistry::builder().referrers_api(false).start().await.unwrap(), None);
    let (repositories, tags) = (["app", "db", "web"], ["1", "2", "3", "4"]);
    let all: Vec<String> =
        repositories.iter().flat_map(|repository| tags.iter().map(move |tag| format!("{repository}:{tag}"))).collect();
    let mut digests = std::collections::BTreeMap::new();
    for what in &all {
        let (repository, tag) = what.split_once(':').unwrap();
        digests.insert(what.as_str(), test.put(repository, tag, &index(what)));
    }
    test.add(&all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    test.registry.forget_requests();
    let update = async |job: &Job| test.engine.plan_update(&[], job).await;
    let plan = Job::new().0.run(update).await.unwrap();
    assert!(changes(&plan).iter().all(|change| *change == Change::Unchanged), "{:?}", changes(&plan));
    // A HEAD for each, and a list of tags for each repository.
    let asked: Vec<String> = test.registry.log().iter().map(|info| format!("{} {}", info.method, info.path)).collect();
    assert_eq!(asked.len(), all.len() + repositories.len(), "{asked:#?}");

    // What came since is found by the same requests: a signature beside one tag, and a list of referrers for another.
    let signature = image("linux/amd64", "a signature");
    test.put("db", &format!("sha256-{}.sig", digests["db:3"].hex()), &signature);
    let described = index("web:1");
    test.registry.put_image(&"web".parse().unwrap(), None, &described.referrer("application/vnd.example.sbom", "sbom"));
    test.registry.put_referrers_tag(&"web".parse().unwrap(), &described.digest());
    let plan = Job::new().0.run(update).await.unwrap();
    let changed: Vec<&str> = plan
        .images
        .iter()
        .filter(|image| image.change != Change::Unchanged)
        .map(|image| image.request.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(changed, ["db:3", "web:1"]);
}

#[tokio::test]
async fn whether_a_repository_is_still_private_is_asked_once_for_all_its_tags() {
    let (test, _switch) = super::consent::switched("app").await;
    let all = ["app:1", "app:2", "app:3", "app:4"];
    for what in all {
        test.put("app", what.strip_prefix("app:").unwrap(), &index(what));
    }
    test.add(&all).await;
    test.registry.forget_requests();
    let plan = Job::new().0.run(async |job: &Job| test.engine.plan_update(&[], job).await).await.unwrap();
    assert!(plan.images.len() == 4 && changes(&plan).iter().all(|change| *change == Change::Unchanged));
    let log = test.registry.log();
    let as_anyone: Vec<String> = log
        .iter()
        .filter(|info| info.path.contains("/manifests/") && !info.headers.contains_key("authorization"))
        .map(|info| format!("{} {}", info.method, info.path))
        .collect();
    assert_eq!(as_anyone.len(), 1, "{as_anyone:#?}");
}

#[tokio::test]
async fn a_registry_that_lists_no_tags_is_asked_for_each() {
    let test = TestEngine::with(MemoryRegistry::builder().referrers_api(false).start().await.unwrap(), None);
    let one = index("one");
    let digest = test.put("app", "1", &one);
    test.add(&["app:1"]).await;
    let signature = image("linux/amd64", "a signature");
    test.put("app", &format!("sha256-{}.sig", digest.hex()), &signature);
    test.registry.intercept(|info| {
        info.path
            .ends_with("/tags/list")
            .then(|| axum::response::IntoResponse::into_response(axum::http::StatusCode::NOT_FOUND))
    });
    let plan = Job::new().0.run(async |job: &Job| test.engine.plan_update(&[], job).await).await.unwrap();
    assert_eq!(changes(&plan), [Change::Extended]);
}
