//! Killed after every single step, and then again `publish`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::fake_node::Answer;
use super::*;
use crate::catalog::publications::{self, State};
use crate::engine::tests::index;

/// The calls that change something, before and after each.
const CHANGES: [&str; 10] = [
    "import",
    "imported",
    "pin_add",
    "pin_update",
    "pinned",
    "unpin",
    "unpinned",
    "publish_name",
    "replace",
    "replaced",
];

/// Hangs at the call of this number among those that change something.
fn hang_at(node: &FakeNode, zone: &FakeZone, number: usize) {
    let turn = Arc::new(AtomicUsize::new(0));
    let is_it = move |name: &str| CHANGES.contains(&name) && turn.fetch_add(1, Ordering::SeqCst) == number;
    let one = Arc::new(is_it);
    let other = Arc::clone(&one);
    node.intercept(move |name, _| if one(name) { Answer::Hang } else { Answer::Go });
    zone.intercept(move |name, _| if other(name) { Answer::Hang } else { Answer::Go });
}

#[tokio::test]
async fn killed_after_every_step_it_goes_on_where_it_was() {
    let test = TestEngine::new().await;
    let mut places = TestPlaces::default();
    let (node, zone) = places.add(&test.engine, "home", 2);
    for repository in ["anchor", "buoy", "chart"] {
        test.put(repository, "1", &index(repository));
        test.add(&[&format!("{repository}:1")]).await;
    }
    publish(&test.engine, &places).await;
    let mut turns = 0;
    for number in 0_usize.. {
        let former = root_of(&test);
        // One comes, one moves, one goes: the way takes several temporary roots.
        test.put("anchor", "1", &index(&format!("anchor {number}")));
        let (new, old) = (format!("ship-{number}"), number.checked_sub(1).map(|last| format!("ship-{last}")));
        test.put(&new, "1", &index(&new));
        test.add(&["anchor:1", &format!("{new}:1")]).await;
        match &old {
            Some(old) => test.remove(old).await,
            None => test.remove("chart").await,
        }
        let root = root_of(&test);
        node.state().imported.clear();
        let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
        assert!(plan.targets[0].chain.len() > 1);
        hang_at(&node, &zone, number);
        let was_cut = tokio::select! {
            () = node.hung() => true,
            () = zone.hung() => true,
            outcome = apply(&test.engine, &places, &plan) => {
                assert!(outcome.unwrap().targets[0].failure.is_none());
                false
            }
        };
        node.behave();
        zone.behave();
        if !was_cut {
            turns = number;
            break;
        }
        // The former publication is whole, and the record points to what is pinned.
        let said = record(&zone)[0].clone();
        {
            let mut state = node.state();
            assert!(state.pins.contains_key(&former), "cut {number}");
            state.closure(&former);
            if said != format!("dnslink=/ipfs/{former}") {
                assert_eq!(said, format!("dnslink=/ipfs/{root}"), "cut {number}");
                assert!(state.pins.contains_key(&root), "cut {number}");
                state.closure(&root);
            }
        }
        publish(&test.engine, &places).await;
        assert_whole(&node, &root);
        assert_eq!(record(&zone), [format!("dnslink=/ipfs/{root}")]);
        let mut times: HashMap<Cid, u32> = HashMap::new();
        for cid in &node.state().imported {
            *times.entry(*cid).or_default() += 1;
        }
        assert!(times.values().all(|times| *times == 1), "cut {number}: something was sent twice");
        let mut pins: Vec<Cid> = node.state().pins.keys().copied().collect();
        pins.retain(|pin| *pin != root && *pin != former);
        assert!(pins.is_empty(), "cut {number}: {pins:?} stay pinned");
        let reader = test.engine.catalog.read().unwrap();
        let of_it = publications::of_root(&reader, &root).unwrap();
        assert_eq!(of_it.iter().map(|row| row.state).collect::<Vec<_>>(), [State::Published], "cut {number}");
    }
    // Import, three pins, an unpin or more, record and name: each before and after.
    assert!(turns > 12, "{turns}");
}
