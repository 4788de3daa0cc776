//! Undoing: what was there is there again, to the root; and what changed since is not overwritten.

use super::*;
use crate::error::Kind;

impl TestEngine {
    async fn undo(&self) -> Result<()> {
        let plan = self.engine.plan_undo()?;
        Job::new().0.run(async |job: &Job| self.engine.apply_undo(&plan, job).await).await?;
        self.check();
        Ok(())
    }
}

impl TestEngine {
    async fn redo(&self) -> Result<()> {
        let plan = self.engine.plan_redo()?;
        Job::new().0.run(async |job: &Job| self.engine.apply_undo(&plan, job).await).await?;
        self.check();
        Ok(())
    }
}

#[tokio::test]
async fn what_was_undone_is_redone_until_something_else_is_done() {
    let test = TestEngine::new().await;
    let empty = test.root();
    test.put("app", "1", &index("one"));
    test.put("app", "2", &index("two"));
    let signed = index("signed");
    let digest = test.put("tool", "1", &signed);
    test.registry.put_image(&"tool".parse().unwrap(), None, &signed.referrer("application/x.signature", "signature"));
    test.registry.put_referrers_tag(&"tool".parse().unwrap(), &digest);
    assert_eq!(test.redo().await.unwrap_err().kind(), Kind::NotFound);
    test.add(&["app:1", "tool:1"]).await;
    let first = test.root();
    test.put("app", "1", &index("one, moved"));
    test.add(&["app:1", "app:2"]).await;
    let second = test.root();
    test.remove("tool").await;
    let third = test.root();
    for root in [&second, &first, &empty] {
        test.undo().await.unwrap();
        assert_eq!(test.root(), *root);
    }
    for root in [&first, &second, &third] {
        test.redo().await.unwrap();
        assert_eq!(test.root(), *root);
    }
    assert_eq!(test.redo().await.unwrap_err().kind(), Kind::NotFound);
    // What is redone can be undone, and redone, once more.
    test.undo().await.unwrap();
    test.undo().await.unwrap();
    assert_eq!(test.root(), first);
    test.redo().await.unwrap();
    let plan = test.engine.plan_redo().unwrap();
    assert_eq!((plan.verb.as_str(), plan.goes.len()), ("remove", 2), "{plan:?}");
    // Something else ends it, also for a plan that was made before.
    test.remove("app:2").await;
    let error = Job::new().0.run(async |job: &Job| test.engine.apply_undo(&plan, job).await).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Locked);
    assert_eq!(test.redo().await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn one_change_after_another_is_undone() {
    let test = TestEngine::new().await;
    let empty = test.root();
    test.put("app", "1", &index("one"));
    test.put("app", "2", &index("two"));
    let signed = index("signed");
    let digest = test.put("tool", "1", &signed);
    test.registry.put_image(&"tool".parse().unwrap(), None, &signed.referrer("application/x.signature", "signature"));
    test.registry.put_referrers_tag(&"tool".parse().unwrap(), &digest);
    test.add(&["app:1", "tool:1"]).await;
    let first = test.root();
    test.put("app", "1", &index("one, moved"));
    test.add(&["app:1", "app:2"]).await;
    let second = test.root();
    test.remove("tool").await;
    let third = test.root();
    test.remove("app").await;

    test.undo().await.unwrap();
    assert_eq!(test.root(), third);
    test.undo().await.unwrap();
    assert_eq!(test.root(), second);
    test.undo().await.unwrap();
    assert_eq!(test.root(), first);
    test.undo().await.unwrap();
    assert_eq!(test.root(), empty);
    assert_eq!(test.undo().await.unwrap_err().kind(), Kind::NotFound);
    // What follows is undone again.
    test.add(&["app:2"]).await;
    test.undo().await.unwrap();
    assert_eq!(test.root(), empty);
}

#[tokio::test]
async fn what_gc_took_can_not_come_back() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    test.remove("app:1").await;
    let gc = test.engine.plan_gc().unwrap();
    test.engine.apply_gc(&gc, &Job::new().0).await.unwrap();
    let error = test.engine.plan_undo().unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(error.to_string().contains("can't come back"), "{error}");
}

#[tokio::test]
async fn a_plan_to_undo_is_refused_when_the_catalog_changed_underneath() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.put("app", "2", &index("two"));
    test.add(&["app:1"]).await;
    let plan = test.engine.plan_undo().unwrap();
    test.add(&["app:2"]).await;
    let root = test.root();
    let error = Job::new().0.run(async |job: &Job| test.engine.apply_undo(&plan, job).await).await.unwrap_err();
    assert_eq!((error.kind(), test.root()), (Kind::Locked, root));
}

#[tokio::test]
async fn a_change_of_no_image_says_that_it_can_not_be_undone() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    test.engine.configure(Some("registry.example.com"), None, &Job::new().0).await.unwrap();
    assert_eq!(test.engine.plan_undo().unwrap_err().kind(), Kind::Usage);
}

#[tokio::test]
async fn what_comes_back_was_added_when_it_was() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    let added = |test: &TestEngine| test.engine.images(&test.pick("app")).unwrap()[0].added.clone();
    let id = |test: &TestEngine| {
        let reader = test.engine.catalog.read().unwrap();
        reader.query_row("SELECT id FROM images", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let image = id(&test);
    test.engine.catalog.write(|writer| crate::catalog::images::set_added(writer, image, 1_000_000_000)).unwrap();
    test.remove("app").await;
    test.undo().await.unwrap();
    assert_eq!(added(&test), "2001-09-09T01:46:40Z");
}
