//! What an interactive face asks beside its lists.

use super::*;

fn fetched_manifests(yard: &Yard) -> usize {
    let log = yard.registry.log();
    log.iter().filter(|request| request.method == "GET" && request.path.contains("/manifests/sha256")).count()
        + log.iter().filter(|request| request.method == "GET" && request.path.ends_with("/manifests/1")).count()
}

#[tokio::test]
async fn a_plan_that_is_made_again_fetches_no_manifest_again_until_the_tag_moves() {
    let yard = Yard::new().await;
    yard.put("app", "1", &index("one"));
    yard.engine.keep_manifests();
    let first = yard.plan(&["app:1"]).await.unwrap();
    assert!(fetched_manifests(&yard) > 2);
    yard.registry.forget_requests();
    let second = yard.plan(&["app:1"]).await.unwrap();
    assert_eq!(fetched_manifests(&yard), 0);
    assert_eq!((first.new_bytes, first.images[0].digest), (second.new_bytes, second.images[0].digest));

    let moved = yard.put("app", "1", &index("two"));
    let third = yard.plan(&["app:1"]).await.unwrap();
    assert_eq!(third.images[0].digest, moved);
    yard.apply(third).await.unwrap();
    yard.check();
}

#[tokio::test]
async fn tags_come_from_upstream_and_stale_images_are_counted() {
    let yard = Yard::new().await;
    yard.put("app", "1", &index("one"));
    yard.put("app", "2", &index("two"));
    yard.add(&["app:1", "app:2"]).await;
    let reference = format!("{}/app", yard.registry.host()).parse().unwrap();
    // The catalog knows that this one is asked by plain HTTP.
    assert_eq!(yard.engine.upstream_tags(&reference, None).await.unwrap(), ["1", "2"]);
    let stale = || yard.engine.repositories().unwrap()[0].stale;
    assert_eq!(stale(), 0);
    yard.put("app", "2", &index("three"));
    Job::new().0.run(async |job: &Job| yard.engine.outdated(&[], job).await).await.unwrap();
    assert_eq!(stale(), 1);
    assert!(yard.engine.standings().unwrap().is_empty(), "there is no target");
}
