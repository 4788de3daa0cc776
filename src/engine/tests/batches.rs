//! Many images in one change of the catalog, and lists of several pages.

use super::*;
use crate::catalog::state;

#[tokio::test]
async fn many_images_are_one_change_and_the_same_root() {
    let (one, many) = (TestEngine::new().await, TestEngine::new().await);
    let what: Vec<String> = (0..12).map(|number| format!("app-{}:{number}", number % 4)).collect();
    let what: Vec<&str> = what.iter().map(String::as_str).collect();
    for test in [&one, &many] {
        for what in &what {
            let (repository, tag) = what.split_once(':').unwrap();
            // They have their blobs from the first one.
            test.put(repository, tag, &index("the same"));
        }
    }
    // Both registries stand for one upstream.
    let many = TestEngine { registry: one.registry.clone(), ..many };
    one.add(&["app-0:0"]).await;
    many.add(&["app-0:0"]).await;
    for what in &what[1..] {
        one.add(&[what]).await;
    }
    let before = state::generation(&many.engine.catalog.read().unwrap()).unwrap();
    assert_eq!(many.add(&what[1..]).await.recorded.len(), 11);
    assert_eq!(state::generation(&many.engine.catalog.read().unwrap()).unwrap(), before + 1);
    assert_eq!(many.root(), one.root());
}

#[tokio::test]
async fn one_that_can_not_be_recorded_takes_no_other_along() {
    let test = TestEngine::new().await;
    for tag in ["1", "2", "3"] {
        test.put("app", tag, &index("the same"));
    }
    test.add(&["app:3"]).await;
    test.put("app", "3", &index("another"));
    let plan = test.plan(&["app:1", "app:3", "app:2"]).await.unwrap();
    test.remove("app:3").await;
    let added = test.apply(plan).await.unwrap();
    assert_eq!(added.recorded.len(), 2, "{:?}", added.failed);
    assert_eq!(added.failed.len(), 1);
    assert_eq!(added.failed[0].error.kind(), crate::error::Kind::Locked);
    test.check();
}

/// Pages are cut again when a name comes or goes and when one needs another number of rows, and only then.
#[tokio::test]
async fn a_list_of_several_pages_is_what_a_rebuild_makes() {
    let test = TestEngine::new().await;
    let what: Vec<String> = (0..200).map(|number| format!("app:{number}")).collect();
    for number in 0..200 {
        test.put("app", &number.to_string(), &image("linux/amd64", "the same"));
    }
    test.add(&what.iter().map(String::as_str).collect::<Vec<_>>()).await;
    test.put("app", "100", &image("linux/amd64", "as many rows"));
    test.add(&["app:100"]).await;
    let mut children = IndexBuilder::new();
    for platform in ["linux/amd64", "linux/arm64", "linux/riscv64"] {
        children = children.image(image(platform, "more rows"));
    }
    let digest = test.put("app", "100", &children.build());
    test.add(&["app:100"]).await;
    // Under its digest it is on the pages once more.
    test.add(&[&format!("app@{digest}")]).await;
    test.put("app", "100", &image("linux/amd64", "fewer rows"));
    test.add(&["app:100"]).await;
    test.remove("app:100").await;
    test.remove("app:0").await;
    test.add(&["app:100"]).await;
}
