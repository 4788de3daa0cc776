//! What upstream no longer has: it stays here, is noted, and is no failure of what else is brought up to date.

use super::*;
use crate::engine::query::view::UpstreamState;

fn gone(test: &TestEngine, what: &str) -> Option<String> {
    test.engine.images(&test.pick(what)).unwrap().remove(0).gone
}

async fn plan_update(test: &TestEngine) -> AddPlan {
    Job::new().0.run(async |job: &Job| test.engine.plan_update(&[], job).await).await.unwrap()
}

async fn check(test: &TestEngine) -> Vec<UpstreamState> {
    let checked = Job::new().0.run(async |job: &Job| test.engine.outdated(&[], job).await).await.unwrap();
    checked.into_iter().map(|row| row.state).collect()
}

#[tokio::test]
async fn what_is_gone_upstream_is_noted_until_it_is_back() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.put("app", "2", &index("two"));
    test.add(&["app:1", "app:2"]).await;
    let root = test.root();
    test.registry.remove_tag(&"app".parse().unwrap(), &"1".parse().unwrap());
    test.put("app", "2", &index("three"));
    let plan = plan_update(&test).await;
    assert!(plan.failed.is_empty(), "{:?}", plan.failed);
    assert_eq!((plan.gone.as_slice(), plan.changing().count()), ([test.published("app:1")].as_slice(), 1));
    assert!(gone(&test, "app:1").is_some(), "it is written down");
    // As if it had been seen a while ago.
    let earlier = "UPDATE images SET gone_at = gone_at - 1000";
    test.engine.catalog.write(|writer| Ok(writer.execute(earlier, [])?)).unwrap();
    let noted = gone(&test, "app:1").unwrap();
    let added = Job::new().0.run(async |job: &Job| test.engine.apply_add(plan, "update", job).await).await.unwrap();
    assert_eq!((added.recorded.len(), added.failed.len(), added.gone.len()), (1, 0, 1));
    assert_ne!(test.root(), root);
    test.check();

    // Since when it is gone stays, however often that is seen; another program that opens the catalog knows it, too.
    check(&test).await;
    let again = Engine::open(options(test.directory.path(), None)).unwrap();
    let row = again.images(&test.pick("app:1")).unwrap().remove(0);
    assert_eq!(row.gone.as_ref(), Some(&noted));
    let repository = again.repositories().unwrap().remove(0);
    assert_eq!((repository.gone, repository.outdated), (1, 0));

    test.put("app", "1", &index("one"));
    assert!(check(&test).await.iter().all(|standing| matches!(standing, UpstreamState::Current)));
    assert_eq!(gone(&test, "app:1"), None);
}

#[tokio::test]
async fn a_plan_that_finds_a_tag_again_notes_that() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    let (name, tag) = ("app".parse().unwrap(), "1".parse().unwrap());
    for by_update in [true, false] {
        test.registry.remove_tag(&name, &tag);
        check(&test).await;
        assert!(gone(&test, "app:1").is_some());
        test.put("app", "1", &index("one"));
        let plan = if by_update { plan_update(&test).await } else { test.plan(&["app:1"]).await.unwrap() };
        assert!(plan.is_empty() && plan.gone.is_empty());
        assert_eq!(gone(&test, "app:1"), None, "{by_update}");
    }
}

/// Whoever adds an image by its name wants it: that it is not there is a failure.
#[tokio::test]
async fn what_is_asked_for_and_not_there_still_fails() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    let plan = test.plan(&["app:1", "app:2"]).await.unwrap();
    assert_eq!((plan.failed.len(), plan.gone.len()), (1, 0));
}

#[tokio::test]
async fn removed_images_are_counted_once_and_alike() {
    let test = TestEngine::new().await;
    let image = image("linux/amd64", "one");
    test.put("app", "1", &image);
    test.put("app", "2", &super::image("linux/amd64", "two"));
    let repository: RepositoryName = "app".parse().unwrap();
    test.registry.put_image(&repository, None, &image.referrer("application/vnd.example.sbom", "an SBOM".to_owned()));
    test.add(&["app:1", "app:2"]).await;
    let plan = test.engine.plan_remove(&[test.pick("app")]).unwrap();
    assert_eq!((plan.images.len(), plan.summary().as_str()), (3, "2 images (1 attached)"));
    Job::new().0.run(async |job: &Job| test.engine.apply_remove(&plan, job).await).await.unwrap();
    let undo = test.engine.plan_undo().unwrap();
    assert_eq!(undo.summary, plan.summary());
    assert_eq!(undo.consequence(), "2 images (1 attached) restored");
    Job::new().0.run(async |job: &Job| test.engine.apply_undo(&undo, job).await).await.unwrap();
    let one = test.engine.plan_remove(&[test.pick("app:2")]).unwrap();
    assert_eq!((one.shared_by, one.shared_with.len()), (1, 1), "what only came along is counted with its image");
    let one = test.engine.plan_remove(&[test.pick("app:1")]).unwrap();
    assert_eq!(one.summary(), format!("{} (1 attached)", test.published("app:1")));
}
