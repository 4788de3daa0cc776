//! What a hostile registry can ask for: refused in words, before it costs memory or time.

use super::*;
use crate::error::Kind;

fn put(test: &TestEngine, tag: &str, image: &Image, change: impl FnOnce(&mut serde_json::Value)) {
    let repository: RepositoryName = "app".parse().unwrap();
    test.registry.put_image(&repository, None, image);
    let mut manifest: serde_json::Value = serde_json::from_slice(&image.manifest).unwrap();
    change(&mut manifest);
    test.registry.put_manifest(&repository, Some(tag), &image.media_type, manifest.to_string());
}

#[tokio::test]
async fn sizes_that_add_up_to_nonsense_are_refused() {
    let test = TestEngine::new().await;
    put(&test, "1", &image("linux/amd64", "one"), |manifest| {
        for layer in 0..2 {
            manifest["layers"][layer]["size"] = u64::MAX.into();
            manifest["layers"][layer]["urls"] = serde_json::json!(["https://vendor.example/layer"]);
        }
    });
    let plan = test.plan(&["app:1"]).await.unwrap();
    assert_eq!(plan.failed[0].error.kind(), Kind::Verification, "{:?}", plan.failed);
}

#[tokio::test]
async fn a_blob_has_one_size_in_a_plan() {
    let test = TestEngine::new().await;
    let honest = image("linux/amd64", "one");
    test.put("app", "1", &honest);
    put(&test, "2", &honest, |manifest| manifest["layers"][1]["size"] = 7.into());
    let plan = test.plan(&["app:1", "app:2"]).await.unwrap();
    assert!(plan.failed.is_empty());
    let added = test.apply(plan).await.unwrap();
    assert_eq!(added.recorded, [test.published("app:1")]);
    assert_eq!(added.failed[0].error.kind(), Kind::Verification);
    test.check();
}

#[tokio::test]
async fn manifests_of_one_image_are_bounded_together() {
    let test = TestEngine::new().await;
    let filler = "x".repeat(3 << 20);
    let mut index = IndexBuilder::new();
    for number in 0..24 {
        let platform = Platform::new("linux", "arm", Some(&format!("v{number}")));
        index = index.image(ImageBuilder::new(platform).annotation("filler", &filler).layer(&[("a", "b")]).build());
    }
    test.put("app", "1", &index.build());
    let plan = test.plan(&["app:1"]).await.unwrap();
    assert_eq!(plan.failed[0].error.kind(), Kind::Verification, "{:?}", plan.failed);
    assert!(plan.failed[0].error.to_string().contains("MiB"), "{}", plan.failed[0].error);
}
