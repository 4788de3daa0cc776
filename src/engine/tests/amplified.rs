//! What grows by more than what somebody sent: it is bounded.

use super::*;
use crate::catalog::{blobs, images};

/// An index of so many manifests that share one configuration of this size.
fn sharing(manifests: usize, configuration: usize) -> Image {
    let mut index = IndexBuilder::new();
    for number in 0..manifests {
        let image = ImageBuilder::new(platform("linux/amd64")).layer(&[("file", "the same everywhere")]);
        let image = image.label("words", &"x".repeat(configuration)).annotation("number", &number.to_string());
        index = index.image(image.build());
    }
    index.build()
}

/// How many are said in schema 1, the reasons of the others, and the bytes that the catalog itself holds.
fn said(test: &TestEngine, what: &str) -> (usize, Vec<String>, u64) {
    let reader = test.engine.catalog.read().unwrap();
    let row = test.engine.images(&test.pick(what)).unwrap().remove(0);
    let repository = crate::catalog::repositories::by_name(&reader, &row.name).unwrap().unwrap();
    let image = images::of_repository(&reader, repository.id, false).unwrap().remove(0);
    let outcomes: Vec<_> =
        images::gateway(&reader, image.id).unwrap().into_iter().map(|manifest| manifest.outcome).collect();
    let mut bytes = 0;
    blobs::each_inline(&reader, |blob| {
        bytes += blob.size;
        Ok(())
    })
    .unwrap();
    let said = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    (said, outcomes.into_iter().filter_map(Result::err).collect(), bytes)
}

#[tokio::test]
async fn many_manifests_of_one_configuration_are_not_said_many_times_in_schema_1() {
    let test = TestEngine::new().await;
    test.put("few", "1", &sharing(4, 1_500_000));
    test.put("many", "1", &sharing(60, 1_500_000));
    test.add(&["few:1"]).await;
    let (few, reasons, before) = said(&test, "few");
    assert_eq!((few, reasons.len()), (4, 0));
    test.add(&["many:1"]).await;
    let (many, reasons, after) = said(&test, "many");
    assert_eq!((many, reasons.len()), (0, 60));
    assert_eq!(reasons[0], "its 60 platforms in schema 1 are larger than 16 MiB together");
    assert!(after - before < 1 << 20, "{} bytes more", after - before);
    // What upstream has is whole.
    let verified = test.engine.verify(false, &Job::new().0).await.unwrap();
    assert!(verified.damaged.is_empty() && verified.root_matches);
}
