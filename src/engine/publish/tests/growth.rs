//! The chart of growth has the figure of the statistics, of each time.

use super::*;
use crate::engine::tests::{image, index};

#[tokio::test]
async fn each_root_has_what_was_stored_when_it_was_published() {
    let yard = Yard::new().await;
    let mut quay = Quay::default();
    quay.add(&yard.engine, "home", 2);
    let mut stored = Vec::new();
    for step in 0..4 {
        match step {
            0 => drop(yard.put("app", "1", &index("one"))),
            1 => drop(yard.put("app", "2", &index("two"))),
            2 => drop(yard.put("other", "1", &image("linux/amd64", "three"))),
            _ => drop(yard.put("app", "1", &index("four"))),
        }
        match step {
            1 => yard.add(&["app:2"]).await,
            2 => yard.add(&["other:1"]).await,
            _ => yard.add(&["app:1"]).await,
        };
        publish(&yard.engine, &quay).await;
        stored.push(yard.engine.statistics().unwrap().stored);
    }
    yard.remove("other").await;
    publish(&yard.engine, &quay).await;
    stored.push(yard.engine.statistics().unwrap().stored);
    for _ in 0..2 {
        let growth = yard.engine.insight().unwrap().growth;
        assert_eq!(growth.into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>(), stored);
    }
}
