//! Layers of many blocks: several CARs, and nothing sent that is there.

use std::collections::HashMap;

use rand::{Rng as _, SeedableRng as _};

use super::fake_node::Answer;
use super::*;
use crate::error::{Error, Kind};
use crate::registry::memory::ImageBuilder;

const MIB: usize = 1 << 20;

/// An image with one layer of bytes that nothing compresses; the same seed begins alike.
fn image(seed: u64, length: usize, differs_from: usize) -> crate::registry::memory::Image {
    let mut bytes = vec![0; length];
    rand::rngs::StdRng::seed_from_u64(1).fill(&mut bytes[..]);
    rand::rngs::StdRng::seed_from_u64(seed).fill(&mut bytes[differs_from..]);
    ImageBuilder::new("linux/amd64".parse().unwrap()).opaque_layer(bytes).build()
}

async fn set_up(length: usize) -> (TestEngine, TestPlaces, Arc<FakeNode>) {
    let test = TestEngine::new().await;
    let mut places = TestPlaces::default();
    let (node, _) = places.add(&test.engine, "home", 3);
    test.put("app", "1", &image(2, length, length));
    test.add(&["app:1"]).await;
    (test, places, node)
}

/// How often each block came.
fn times(node: &FakeNode) -> HashMap<Cid, u32> {
    let mut times = HashMap::new();
    for cid in &node.state().imported {
        *times.entry(*cid).or_default() += 1;
    }
    times
}

#[tokio::test]
async fn several_cars_bring_each_block_once() {
    let (test, places, node) = set_up(7 * MIB + 1234).await;
    let outcome = publish(&test.engine, &places).await;
    assert!(node.state().imports > 2, "a CAR is bounded");
    assert!(times(&node).values().all(|times| *times == 1));
    let blocks: usize = node.state().blocks.values().map(bytes::Bytes::len).sum();
    let sent = outcome.targets[0].sent as f64;
    assert!(sent < 1.02 * blocks as f64, "{sent} of {blocks}");
    assert_whole(&node, &root_of(&test));
}

#[tokio::test]
async fn a_layer_that_begins_like_another_is_sent_from_where_they_part() {
    let (test, places, node) = set_up(6 * MIB).await;
    publish(&test.engine, &places).await;
    let before = node.state().imported.len();
    test.put("app", "2", &image(3, 6 * MIB, 4 * MIB + 5));
    test.add(&["app:2"]).await;
    publish(&test.engine, &places).await;
    assert!(times(&node).values().all(|times| *times == 1));
    let state = node.state();
    let large = state.imported[before..].iter().filter(|cid| state.blocks[*cid].len() == MIB).count();
    assert_eq!(large, 2);
}

#[tokio::test]
async fn what_a_cut_hand_over_brought_is_not_sent_again_and_what_it_lost_is() {
    let (test, places, node) = set_up(9 * MIB).await;
    let mut cars = 0;
    node.intercept(move |name, _| {
        cars += usize::from(name == "import");
        if cars > 2 { Answer::Fail(Error::new(Kind::Network, "connection reset")) } else { Answer::Go }
    });
    let outcome = attempt(&test.engine, &places).await.unwrap();
    assert!(outcome.targets[0].failure.is_some() && outcome.targets[0].blocks > 0);
    node.behave();
    // A collection of garbage takes some of it.
    let lost: Cid = {
        let mut state = node.state();
        let lost = state.imported[1];
        state.blocks.remove(&lost);
        lost
    };
    publish(&test.engine, &places).await;
    let times = times(&node);
    assert_eq!(times[&lost], 2);
    assert!(times.iter().all(|(cid, times)| *times == 1 || *cid == lost));
    assert_whole(&node, &root_of(&test));
}

/// The plan's answers are taken for the run, and are no longer true.
#[tokio::test]
async fn what_is_lost_between_the_plan_and_its_run_is_handed_over_again() {
    let (test, places, node) = set_up(MIB).await;
    publish(&test.engine, &places).await;
    test.put("app", "2", &image(3, 9 * MIB, 0));
    test.add(&["app:2"]).await;
    let mut cars = 0;
    node.intercept(move |name, _| {
        cars += usize::from(name == "import");
        if cars > 2 { Answer::Fail(Error::new(Kind::Network, "connection reset")) } else { Answer::Go }
    });
    attempt(&test.engine, &places).await.unwrap();
    node.behave();
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    let planned = plan.targets[0].bytes;
    node.state().collect_garbage();
    let outcome = apply(&test.engine, &places, &plan).await.unwrap();
    assert!(outcome.targets[0].notes.iter().any(|note| note.contains("handed over again")), "{outcome:?}");
    assert!(outcome.targets[0].sent > planned);
    assert_whole(&node, &root_of(&test));
}
