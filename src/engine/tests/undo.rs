//! Undoing: what was there is there again, to the root; and what changed since is not overwritten.

use super::*;
use crate::error::Kind;

impl Yard {
    async fn undo(&self) -> Result<()> {
        let plan = self.engine.plan_undo()?;
        Job::new().0.run(async |job: &Job| self.engine.apply_undo(&plan, job).await).await?;
        self.check();
        Ok(())
    }
}

impl Yard {
    async fn redo(&self) -> Result<()> {
        let plan = self.engine.plan_redo()?;
        Job::new().0.run(async |job: &Job| self.engine.apply_undo(&plan, job).await).await?;
        self.check();
        Ok(())
    }
}

#[tokio::test]
async fn what_was_undone_is_redone_until_something_else_is_done() {
    let yard = Yard::new().await;
    let empty = yard.root();
    yard.put("app", "1", &index("one"));
    yard.put("app", "2", &index("two"));
    let signed = index("signed");
    let digest = yard.put("tool", "1", &signed);
    yard.registry.put_image(&"tool".parse().unwrap(), None, &signed.referrer("application/x.signature", "signature"));
    yard.registry.put_referrers_tag(&"tool".parse().unwrap(), &digest);
    assert_eq!(yard.redo().await.unwrap_err().kind(), Kind::NotFound);
    yard.add(&["app:1", "tool:1"]).await;
    let first = yard.root();
    yard.put("app", "1", &index("one, moved"));
    yard.add(&["app:1", "app:2"]).await;
    let second = yard.root();
    yard.remove("tool").await;
    let third = yard.root();
    for root in [&second, &first, &empty] {
        yard.undo().await.unwrap();
        assert_eq!(yard.root(), *root);
    }
    for root in [&first, &second, &third] {
        yard.redo().await.unwrap();
        assert_eq!(yard.root(), *root);
    }
    assert_eq!(yard.redo().await.unwrap_err().kind(), Kind::NotFound);
    // What is redone can be undone, and redone, once more.
    yard.undo().await.unwrap();
    yard.undo().await.unwrap();
    assert_eq!(yard.root(), first);
    yard.redo().await.unwrap();
    let plan = yard.engine.plan_redo().unwrap();
    assert_eq!((plan.verb.as_str(), plan.goes.len()), ("remove", 2), "{plan:?}");
    // Something else ends it, also for a plan that was made before.
    yard.remove("app:2").await;
    let error = Job::new().0.run(async |job: &Job| yard.engine.apply_undo(&plan, job).await).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Locked);
    assert_eq!(yard.redo().await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn one_change_after_another_is_undone() {
    let yard = Yard::new().await;
    let empty = yard.root();
    yard.put("app", "1", &index("one"));
    yard.put("app", "2", &index("two"));
    let signed = index("signed");
    let digest = yard.put("tool", "1", &signed);
    yard.registry.put_image(&"tool".parse().unwrap(), None, &signed.referrer("application/x.signature", "signature"));
    yard.registry.put_referrers_tag(&"tool".parse().unwrap(), &digest);
    yard.add(&["app:1", "tool:1"]).await;
    let first = yard.root();
    yard.put("app", "1", &index("one, moved"));
    yard.add(&["app:1", "app:2"]).await;
    let second = yard.root();
    yard.remove("tool").await;
    let third = yard.root();
    yard.remove("app").await;

    yard.undo().await.unwrap();
    assert_eq!(yard.root(), third);
    yard.undo().await.unwrap();
    assert_eq!(yard.root(), second);
    yard.undo().await.unwrap();
    assert_eq!(yard.root(), first);
    yard.undo().await.unwrap();
    assert_eq!(yard.root(), empty);
    assert_eq!(yard.undo().await.unwrap_err().kind(), Kind::NotFound);
    // What follows is undone again.
    yard.add(&["app:2"]).await;
    yard.undo().await.unwrap();
    assert_eq!(yard.root(), empty);
}

#[tokio::test]
async fn what_gc_took_can_not_come_back() {
    let yard = Yard::new().await;
    yard.put("app", "1", &index("one"));
    yard.add(&["app:1"]).await;
    yard.remove("app:1").await;
    let gc = yard.engine.plan_gc().unwrap();
    yard.engine.apply_gc(&gc, &Job::new().0).await.unwrap();
    let error = yard.engine.plan_undo().unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(error.to_string().contains("can't come back"), "{error}");
}

#[tokio::test]
async fn a_plan_to_undo_is_refused_when_the_catalog_changed_underneath() {
    let yard = Yard::new().await;
    yard.put("app", "1", &index("one"));
    yard.put("app", "2", &index("two"));
    yard.add(&["app:1"]).await;
    let plan = yard.engine.plan_undo().unwrap();
    yard.add(&["app:2"]).await;
    let root = yard.root();
    let error = Job::new().0.run(async |job: &Job| yard.engine.apply_undo(&plan, job).await).await.unwrap_err();
    assert_eq!((error.kind(), yard.root()), (Kind::Locked, root));
}

#[tokio::test]
async fn a_change_of_no_image_says_that_it_can_not_be_undone() {
    let yard = Yard::new().await;
    yard.put("app", "1", &index("one"));
    yard.add(&["app:1"]).await;
    yard.engine.configure(Some("registry.example.com"), None, &Job::new().0).await.unwrap();
    assert_eq!(yard.engine.plan_undo().unwrap_err().kind(), Kind::Usage);
}

#[tokio::test]
async fn what_comes_back_was_added_when_it_was() {
    let yard = Yard::new().await;
    yard.put("app", "1", &index("one"));
    yard.add(&["app:1"]).await;
    let added = |yard: &Yard| yard.engine.images(&yard.pick("app")).unwrap()[0].added.clone();
    let id = |yard: &Yard| {
        let reader = yard.engine.catalog.read().unwrap();
        reader.query_row("SELECT id FROM images", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let image = id(&yard);
    yard.engine.catalog.write(|writer| crate::catalog::images::set_added(writer, image, 1_000_000_000)).unwrap();
    yard.remove("app").await;
    yard.undo().await.unwrap();
    assert_eq!(added(&yard), "2001-09-09T01:46:40Z");
}
