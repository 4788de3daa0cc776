//! What a hostile registry can ask for: refused in words, before it costs memory or time.

use super::*;
use crate::error::Kind;

fn put(yard: &Yard, tag: &str, image: &Image, change: impl FnOnce(&mut serde_json::Value)) {
    let repository: RepositoryName = "app".parse().unwrap();
    yard.registry.put_image(&repository, None, image);
    let mut manifest: serde_json::Value = serde_json::from_slice(&image.manifest).unwrap();
    change(&mut manifest);
    yard.registry.put_manifest(&repository, Some(tag), &image.media_type, manifest.to_string());
}

#[tokio::test]
async fn sizes_that_add_up_to_nonsense_are_refused() {
    let yard = Yard::new().await;
    put(&yard, "1", &image("linux/amd64", "one"), |manifest| {
        for layer in 0..2 {
            manifest["layers"][layer]["size"] = u64::MAX.into();
            manifest["layers"][layer]["urls"] = serde_json::json!(["https://vendor.example/layer"]);
        }
    });
    let plan = yard.plan(&["app:1"]).await.unwrap();
    assert_eq!(plan.failed[0].error.kind(), Kind::Verification, "{:?}", plan.failed);
}

#[tokio::test]
async fn a_blob_has_one_size_in_a_plan() {
    let yard = Yard::new().await;
    let honest = image("linux/amd64", "one");
    yard.put("app", "1", &honest);
    put(&yard, "2", &honest, |manifest| manifest["layers"][1]["size"] = 7.into());
    let plan = yard.plan(&["app:1", "app:2"]).await.unwrap();
    assert!(plan.failed.is_empty());
    let added = yard.apply(plan).await.unwrap();
    assert_eq!(added.recorded, [yard.published("app:1")]);
    assert_eq!(added.failed[0].error.kind(), Kind::Verification);
    yard.check();
}

#[tokio::test]
async fn manifests_of_one_image_are_bounded_together() {
    let yard = Yard::new().await;
    let filler = "x".repeat(3 << 20);
    let mut index = IndexBuilder::new();
    for number in 0..24 {
        let platform = Platform::new("linux", "arm", Some(&format!("v{number}")));
        index = index.image(ImageBuilder::new(platform).annotation("filler", &filler).layer(&[("a", "b")]).build());
    }
    yard.put("app", "1", &index.build());
    let plan = yard.plan(&["app:1"]).await.unwrap();
    assert_eq!(plan.failed[0].error.kind(), Kind::Verification, "{:?}", plan.failed);
    assert!(plan.failed[0].error.to_string().contains("MiB"), "{}", plan.failed[0].error);
}
