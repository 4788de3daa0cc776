//! One place that is two targets, by two ways in.

use super::*;
use crate::engine::tests::index;

/// Two targets that may be one place: one keeps three roots, the other one.
fn two(test: &TestEngine, nodes: [&Arc<FakeNode>; 2]) -> TestPlaces {
    let mut places = TestPlaces::default();
    let kinds = [NodeSettings::cluster("http://a.invalid"), NodeSettings::pinning("http://b.invalid")];
    for (((name, keep), node), settings) in [("peers", 3), ("service", 1)].into_iter().zip(nodes).zip(kinds) {
        let settings = TargetSettings { node: settings, keep, ipns: None, dnslink: None, gateways: Vec::new() };
        test.engine.catalog.write(|writer| targets::save(writer, name, &settings, 1)).unwrap();
        places.nodes.insert(name.into(), Arc::<FakeNode>::clone(node));
    }
    places
}

/// Publishes three roots one after the other, and says what the last plan has noted of the service.
async fn three(test: &TestEngine, places: &TestPlaces) -> (Vec<Cid>, Vec<String>) {
    let (mut roots, mut notes) = (Vec::new(), Vec::new());
    for words in ["one", "two", "three"] {
        test.put("app", "1", &index(words));
        test.add(&["app:1"]).await;
        let plan = plan_of(&test.engine, places, &PublishRequest::default()).await.unwrap();
        notes.clone_from(&plan.targets[1].notes);
        publish(&test.engine, places).await;
        roots.push(root_of(test));
    }
    (roots, notes)
}

#[tokio::test]
async fn two_ways_into_one_place_unpin_nothing_that_the_other_keeps() {
    let test = TestEngine::new().await;
    let node = FakeNode::new();
    let places = two(&test, [&node, &node]);
    let (roots, notes) = three(&test, &places).await;
    assert!(notes.iter().any(|note| note.contains("the same place as the target `peers`")), "{notes:?}");
    for root in &roots {
        assert_whole(&node, root);
    }
}

#[tokio::test]
async fn two_places_are_not_taken_for_one() {
    let test = TestEngine::new().await;
    let (peers, service) = (FakeNode::new(), FakeNode::new());
    let places = two(&test, [&peers, &service]);
    let (roots, notes) = three(&test, &places).await;
    assert!(!notes.iter().any(|note| note.contains("the same place")), "{notes:?}");
    assert_eq!(peers.state().pins.len(), 3, "as many as it keeps");
    assert_eq!(service.state().pins.keys().collect::<Vec<_>>(), [&roots[2]]);
}
