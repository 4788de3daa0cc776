//! Removing and reclaiming: exactly what was shown, and nothing that is needed.

use super::*;

#[tokio::test]
async fn removing_leaves_what_was_there_before_and_gc_takes_the_rest() {
    let yard = Yard::new().await;
    yard.put("app", "1", &index("one"));
    yard.put("app", "2", &index("two"));
    yard.add(&["app:1"]).await;
    let before = yard.root();
    yard.add(&["app:2"]).await;
    let plan = yard.engine.plan_remove(&[yard.pick("app:2")]).unwrap();
    assert!(plan.frees > 0 && plan.shared > 0, "{plan:?}");
    let frees = plan.frees;
    yard.remove("app:2").await;
    assert_eq!(yard.root(), before);

    let gc = yard.engine.plan_gc().unwrap();
    assert!(gc.blob_bytes > 0 && gc.blob_bytes <= frees && gc.nodes > 0, "{gc:?} {frees}");
    yard.engine.apply_gc(&gc, &Job::new().0).await.unwrap();
    assert!(yard.engine.plan_gc().unwrap().is_empty(), "{:?}", yard.engine.plan_gc().unwrap());
    yard.check();
    let verified = yard.engine.verify(false, &Job::new().0).await.unwrap();
    assert!(verified.damaged.is_empty() && verified.root_matches, "{verified:?}");
    // What is left is complete: adding it again fetches nothing.
    let plan = yard.plan(&["app:1"]).await.unwrap();
    assert_eq!((changes(&plan), plan.new_bytes), (vec![Change::Unchanged], 0));
}

#[tokio::test]
async fn gc_is_refused_when_the_catalog_changed_underneath() {
    let yard = Yard::new().await;
    yard.put("app", "1", &index("one"));
    yard.put("app", "2", &index("two"));
    yard.add(&["app:1"]).await;
    yard.remove("app:1").await;
    let gc = yard.engine.plan_gc().unwrap();
    yard.add(&["app:2"]).await;
    let error = yard.engine.apply_gc(&gc, &Job::new().0).await.unwrap_err();
    assert_eq!(error.kind(), crate::error::Kind::Locked);
}

#[tokio::test]
async fn a_whole_repository_goes_with_its_pages() {
    let yard = Yard::new().await;
    let empty = yard.root();
    yard.put("app", "1", &index("one"));
    yard.put("app", "2", &index("two"));
    yard.add(&["app:1", "app:2"]).await;
    let page = format!("repositories/{}/_repository.html", yard.published("app"));
    let html = yard.engine.served_page(&page).unwrap().unwrap();
    assert!(String::from_utf8_lossy(&html).contains("linux/arm64"));
    yard.remove("app").await;
    assert_eq!(yard.root(), empty);
    assert!(yard.engine.served_page(&page).unwrap().is_none());
    assert!(yard.engine.repositories().unwrap().is_empty());
}

#[tokio::test]
async fn a_damaged_blob_is_found_and_repaired() {
    let yard = Yard::new().await;
    yard.put("app", "1", &index("one"));
    yard.add(&["app:1"]).await;
    let (digest, _) = yard.engine.store.list().unwrap().next().unwrap().unwrap();
    let path = yard.engine.store.path(&digest);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[0] ^= 1;
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let found = yard.engine.verify(false, &Job::new().0).await.unwrap();
    assert_eq!(found.damaged.len(), 1);
    assert_eq!(found.damaged[0].digest, digest);
    let repaired = yard.engine.verify(true, &Job::new().0).await.unwrap();
    assert_eq!((repaired.repaired.as_slice(), repaired.damaged.len()), ([digest].as_slice(), 1));
    assert!(yard.engine.verify(false, &Job::new().0).await.unwrap().damaged.is_empty());
}
