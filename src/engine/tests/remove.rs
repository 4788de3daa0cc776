//! Removing and reclaiming: exactly what was shown, and nothing that is needed.

use super::*;

#[tokio::test]
async fn removing_leaves_what_was_there_before_and_gc_takes_the_rest() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.put("app", "2", &index("two"));
    test.add(&["app:1"]).await;
    let before = test.root();
    test.add(&["app:2"]).await;
    let plan = test.engine.plan_remove(&[test.pick("app:2")]).unwrap();
    assert!(plan.frees > 0 && plan.shared > 0, "{plan:?}");
    assert_eq!((plan.shared_with.clone(), plan.shared_by), (vec![format!("{}:1", test.published("app"))], 1));
    let frees = plan.frees;
    test.remove("app:2").await;
    assert_eq!(test.root(), before);

    let gc = test.engine.plan_gc().unwrap();
    assert!(gc.blob_bytes > 0 && gc.blob_bytes <= frees && gc.nodes > 0, "{gc:?} {frees}");
    test.engine.apply_gc(&gc, &Job::new().0).await.unwrap();
    assert!(test.engine.plan_gc().unwrap().is_empty(), "{:?}", test.engine.plan_gc().unwrap());
    test.check();
    let verified = test.engine.verify(false, &Job::new().0).await.unwrap();
    assert!(verified.damaged.is_empty() && verified.root_matches, "{verified:?}");
    // Two verbs that count blobs count the same.
    assert_eq!(verified.blobs, test.engine.statistics().unwrap().counts.blobs);
    assert!(verified.others > 0, "pages and lists are no blobs of images: {verified:?}");
    // What is left is complete: adding it again fetches nothing.
    let plan = test.plan(&["app:1"]).await.unwrap();
    assert_eq!((changes(&plan), plan.new_bytes), (vec![Change::Unchanged], 0));
}

#[tokio::test]
async fn gc_is_refused_when_the_catalog_changed_underneath() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.put("app", "2", &index("two"));
    test.add(&["app:1"]).await;
    test.remove("app:1").await;
    let gc = test.engine.plan_gc().unwrap();
    test.add(&["app:2"]).await;
    let error = test.engine.apply_gc(&gc, &Job::new().0).await.unwrap_err();
    assert_eq!(error.kind(), crate::error::Kind::Locked);
}

#[tokio::test]
async fn a_whole_repository_goes_with_its_pages() {
    let test = TestEngine::new().await;
    let empty = test.root();
    test.put("app", "1", &index("one"));
    test.put("app", "2", &index("two"));
    test.add(&["app:1", "app:2"]).await;
    let page = format!("repositories/{}/_repository.html", test.published("app"));
    let html = test.engine.served_page(&page).unwrap().unwrap();
    assert!(String::from_utf8_lossy(&html).contains("linux/arm64"));
    test.remove("app").await;
    assert_eq!(test.root(), empty);
    assert!(test.engine.served_page(&page).unwrap().is_none());
    assert!(test.engine.repositories().unwrap().is_empty());
}

#[tokio::test]
async fn a_damaged_blob_is_found_and_repaired() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    let (digest, _) = test.engine.store.list().unwrap().next().unwrap().unwrap();
    let path = test.engine.store.path(&digest);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[0] ^= 1;
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let found = test.engine.verify(false, &Job::new().0).await.unwrap();
    assert_eq!(found.damaged.len(), 1);
    assert_eq!(found.damaged[0].digest, digest);
    let repaired = test.engine.verify(true, &Job::new().0).await.unwrap();
    assert_eq!((repaired.repaired.as_slice(), repaired.damaged.len()), ([digest].as_slice(), 1));
    assert!(test.engine.verify(false, &Job::new().0).await.unwrap().damaged.is_empty());
}

#[tokio::test]
async fn a_row_that_is_another_image_by_now_is_not_removed() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.put("app", "2", &index("one"));
    test.add(&["app:1"]).await;
    let stale = test.engine.plan_remove(&[test.pick("app:1")]).unwrap();
    test.remove("app:1").await;
    test.add(&["app:2"]).await;
    let error = test.engine.apply_remove(&stale, &Job::new().0).await.unwrap_err();
    assert_eq!(error.kind(), crate::error::Kind::Locked);
    assert_eq!(test.engine.images(&test.pick("app")).unwrap().len(), 1);
}

#[tokio::test]
async fn what_removing_frees_is_what_gc_reclaims() {
    let test = TestEngine::new().await;
    let image = index("two");
    test.put("app", "1", &index("one"));
    let digest = test.put("app", "2", &image);
    test.put("other", "1", &index("one"));
    test.registry.put_image(&"app".parse().unwrap(), None, &image.referrer("application/x", "referrer"));
    test.put("app", &format!("sha256-{}.sig", digest.hex()), &super::image("linux/amd64", "signature"));
    test.add(&["app:1", "app:2", "other:1"]).await;
    for what in ["app:2", "app:1", "other"] {
        let before: u64 = test.engine.statistics().unwrap().stored;
        let plan = test.engine.plan_remove(&[test.pick(what)]).unwrap();
        test.remove(what).await;
        assert_eq!(before - test.engine.statistics().unwrap().stored, plan.frees, "{what}");
        let manifests: u64 = {
            let reader = test.engine.catalog.read().unwrap();
            let mut sum = 0;
            crate::catalog::blobs::each_inline(&reader, |blob| {
                let is_manifest = crate::catalog::blobs::manifest(&reader, blob.id)?.is_some();
                let free = is_manifest && !crate::catalog::blobs::is_referenced(&reader, blob.id)?;
                // Lists of referrers are made here.
                let made = free && crate::catalog::blobs::bytes(&reader, blob.id)?.starts_with(b"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":");
                sum += if free && !made { blob.size } else { 0 };
                Ok(())
            })
            .unwrap();
            sum
        };
        let gc = test.engine.plan_gc().unwrap();
        assert!(gc.blob_bytes + manifests <= plan.frees && gc.blob_bytes + gc.node_bytes >= plan.frees, "{what}");
        test.engine.apply_gc(&gc, &Job::new().0).await.unwrap();
        assert!(test.engine.plan_gc().unwrap().is_empty());
        test.check();
    }
    assert_eq!(test.engine.store.list().unwrap().count(), 0);
}

/// Two tags of one index, one of them sparse, on different pages: what one holds says nothing about the other.
#[tokio::test]
async fn a_row_says_what_its_own_image_holds() {
    let test = TestEngine::new().await;
    let one = index("one");
    test.put("app", "a", &one);
    test.put("app", "z", &one);
    let mut many = IndexBuilder::new();
    for number in 0..257 {
        let platform = Platform::new("linux", "arm", Some(&format!("v{number}")));
        many = many.image(ImageBuilder::new(platform).layer(&[("a", "b")]).build());
    }
    test.put("app", "m", &many.build());
    test.add(&["app:m"]).await;
    let sparse = AddRequest { selection: Some("linux/amd64".parse().unwrap()), ..test.request("app:a") };
    let plan = test.engine.plan_add(&[sparse], &Job::new().0).await.unwrap();
    test.apply(plan).await.unwrap();
    test.check();
    let before = test.root();
    test.add(&["app:z"]).await;
    test.remove("app:z").await;
    assert_eq!(test.root(), before);
}
