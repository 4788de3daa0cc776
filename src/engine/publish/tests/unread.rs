//! Nodes that give no block back: a gateway is asked before names move; nodes that take none; and nodes that stand for several peers.

use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::*;
use crate::engine::job::PublishStep;
use crate::engine::tests::index;
use crate::error::Kind;
use crate::node::Holder;

/// A gateway that gives out what this node holds, as raw blocks.
async fn gateway(node: &Arc<FakeNode>) -> String {
    async fn block(State(node): State<Arc<FakeNode>>, Path(cid): Path<String>) -> Response {
        let found = cid.parse::<Cid>().ok().and_then(|cid| node.state().blocks.get(&cid).cloned());
        found.map_or_else(|| StatusCode::NOT_FOUND.into_response(), axum::response::IntoResponse::into_response)
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().route("/ipfs/{cid}", get(block)).with_state(Arc::clone(node));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

fn set(engine: &Engine, change: impl FnOnce(&mut TargetSettings)) {
    let mut target = targets::by_name(&engine.catalog.read().unwrap(), "home").unwrap().unwrap();
    change(&mut target.settings);
    engine.catalog.write(|writer| targets::save(writer, "home", &target.settings, 1)).unwrap();
}

async fn with_node() -> (TestEngine, TestPlaces, Arc<FakeNode>, Arc<FakeZone>) {
    let test = TestEngine::new().await;
    let mut places = TestPlaces::default();
    let (node, zone) = places.add(&test.engine, "home", 1);
    set(&test.engine, |settings| {
        settings.ipns = None;
        settings.node = NodeSettings::cluster("http://home.invalid");
    });
    node.lacks_blocks.store(true, Ordering::Relaxed);
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    (test, places, node, zone)
}

#[tokio::test]
async fn a_node_that_says_pinned_and_holds_nothing_is_found_out_by_a_gateway() {
    let (test, places, node, zone) = with_node().await;
    node.state().lies = true;
    let url = gateway(&node).await;
    set(&test.engine, |settings| settings.gateways = vec![url.clone()]);
    let outcome = attempt(&test.engine, &places).await.unwrap();
    let (step, error) = outcome.targets[0].failure.as_ref().unwrap();
    assert_eq!((*step, error.kind()), (PublishStep::Check, Kind::Node), "{error}");
    assert!(error.to_string().contains("finds no block"), "{error}");
    assert!(record(&zone).is_empty(), "no name moved");
    // Told the truth, it goes on, and what was said before is not said again.
    node.state().lies = false;
    node.state().pins.clear();
    let outcome = attempt(&test.engine, &places).await.unwrap();
    assert!(outcome.targets[0].failure.is_none(), "{outcome:?}");
    assert_eq!(record(&zone), [format!("dnslink=/ipfs/{}", root_of(&test))]);
    assert!(!test.engine.target("home").unwrap().unverified);
    // `verify` asks the target's gateway, or another one.
    let job = Job::new().0;
    let walked = test.engine.verify_target("home", &places, &job).await.unwrap();
    assert!(walked.is_whole() && walked.blocks > 3 && walked.gateway.as_deref().is_some(), "{walked:?}");
    node.state().blocks.retain(|cid, _| *cid == root_of(&test));
    let walked = test.engine.verify_at_gateway("home", &url, &places, &job).await.unwrap();
    assert!(walked.blocks == 1 && walked.missing > 0 && !walked.is_whole(), "{walked:?}");
}

#[tokio::test]
async fn without_a_gateway_it_is_unverified_and_said_so() {
    let (test, places, ..) = with_node().await;
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    assert!(plan.targets[0].notes.iter().any(|note| note.contains("unverified")), "{:?}", plan.targets[0].notes);
    let outcome = apply(&test.engine, &places, &plan).await.unwrap();
    let notes = &outcome.targets[0].notes;
    assert!(notes.iter().any(|note| note.contains("target verify home --gateway URL")), "{notes:?}");
    assert!(test.engine.target("home").unwrap().unverified);
    let error = test.engine.verify_target("home", &places, &Job::new().0).await.unwrap_err();
    assert!(error.kind() == Kind::Usage && error.hints()[0].contains("--gateway URL"), "{error:?}");
}

#[tokio::test]
async fn a_node_that_takes_no_blocks_gets_none_and_older_roots_go_after_the_new_one_is_pinned() {
    let (test, places, node, zone) = with_node().await;
    node.fetches.store(true, Ordering::Relaxed);
    node.lacks_pin_updates.store(true, Ordering::Relaxed);
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    let planned = &plan.targets[0];
    assert!(planned.blocks == 0 && planned.notes.iter().any(|note| note.contains("takes no blocks")), "{planned:?}");
    publish(&test.engine, &places).await;
    let first = root_of(&test);

    test.put("app", "1", &index("two"));
    test.add(&["app:1"]).await;
    let second = root_of(&test);
    // It fails where it is to fetch: nothing is unpinned, no name moves.
    node.intercept(|call, _| match call {
        "pin_add" => fake_node::Answer::Fail(crate::error::Error::new(Kind::Node, "it can't fetch the root")),
        _ => fake_node::Answer::Go,
    });
    let outcome = attempt(&test.engine, &places).await.unwrap();
    assert_eq!(outcome.targets[0].failure.as_ref().unwrap().0, PublishStep::Pin);
    assert!(node.state().pins.contains_key(&first));
    assert_eq!(record(&zone), [format!("dnslink=/ipfs/{first}")]);
    node.behave();
    node.state().calls.clear();
    publish(&test.engine, &places).await;
    let state = node.state();
    assert_eq!(state.pins.keys().collect::<Vec<_>>(), [&second]);
    let at = |wanted: &str| state.calls.iter().position(|call| call == wanted);
    assert!(at("pinned") < at("unpin"), "{:?}", state.calls);
    assert_eq!(state.imports, 0);
}

#[tokio::test]
async fn peers_that_keep_a_root_are_written_down_and_lost_ones_are_named() {
    let (test, places, node, _) = with_node().await;
    let peer = |name: &str, holds: bool| Holder {
        peer_id: format!("12D3Koo{name}"),
        name: name.to_owned(),
        holds,
        state: if holds { "pinned" } else { "pin_error" }.to_owned(),
        error: (!holds).then(|| "no room".to_owned()),
    };
    node.state().peers = vec![peer("berlin", true), peer("oslo", true)];
    publish(&test.engine, &places).await;
    let view = test.engine.target("home").unwrap();
    assert_eq!(view.holders, [peer("berlin", true), peer("oslo", true)]);
    // One is not even mentioned any more, another one can't.
    node.state().peers = vec![peer("berlin", true), peer("riga", false)];
    test.put("app", "1", &index("two"));
    test.add(&["app:1"]).await;
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    let notes = plan.targets[0].notes.join(" ");
    assert!(notes.contains("riga: pin_error (no room)") && notes.contains("oslo: gone"), "{notes}");
    let outcome = apply(&test.engine, &places, &plan).await.unwrap();
    let notes = outcome.targets[0].notes.join(" ");
    assert!(notes.contains("riga: pin_error (no room)"), "{notes}");
    assert_eq!(test.engine.target("home").unwrap().holders.len(), 2);
}
