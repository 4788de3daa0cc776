//! The chart of growth has the figure of the statistics, of each time.

use super::*;
use crate::engine::tests::{image, index};

#[tokio::test]
async fn each_root_has_what_was_stored_when_it_was_published() {
    let test = TestEngine::new().await;
    let mut places = TestPlaces::default();
    places.add(&test.engine, "home", 2);
    let mut stored = Vec::new();
    for step in 0..4 {
        match step {
            0 => drop(test.put("app", "1", &index("one"))),
            1 => drop(test.put("app", "2", &index("two"))),
            2 => drop(test.put("other", "1", &image("linux/amd64", "three"))),
            _ => drop(test.put("app", "1", &index("four"))),
        }
        match step {
            1 => test.add(&["app:2"]).await,
            2 => test.add(&["other:1"]).await,
            _ => test.add(&["app:1"]).await,
        };
        publish(&test.engine, &places).await;
        stored.push(test.engine.statistics().unwrap().stored);
    }
    test.remove("other").await;
    publish(&test.engine, &places).await;
    stored.push(test.engine.statistics().unwrap().stored);
    for _ in 0..2 {
        let growth = test.engine.insight().unwrap().growth;
        assert_eq!(growth.into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>(), stored);
    }
}
