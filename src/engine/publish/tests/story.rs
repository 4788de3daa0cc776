//! What publishing does when nothing goes wrong.

use async_trait::async_trait;

use super::fake_node::Answer;
use super::*;
use crate::catalog::publications;
use crate::engine::query::diff::ChangeKind;
use crate::engine::targets::{Leads, World};
use crate::engine::tests::{image, index};
use crate::naming::TxtSet;

/// A world without records and gateways.
#[derive(Debug)]
struct Nobody;

#[async_trait]
impl World for Nobody {
    async fn txt(&self, _: &str) -> Result<TxtSet> {
        Ok(TxtSet { values: Vec::new(), ttl: None })
    }

    async fn gateway(&self, _: &str) -> Result<()> {
        Ok(())
    }
}

/// What is written down of a step of what was published last.
fn noted(test: &TestEngine, step: &str) -> Option<String> {
    let reader = test.engine.catalog.read().unwrap();
    let target = targets::by_name(&reader, "home").unwrap().unwrap();
    let newest = publications::newest_published(&reader, target.id).unwrap()?;
    let steps = publications::steps(&reader, newest.id).unwrap();
    steps.into_iter().find(|done| done.step == step).map(|done| done.detail)
}

#[tokio::test]
async fn a_root_is_published_moved_on_and_rolled_back() {
    let test = TestEngine::new().await;
    let mut places = TestPlaces::default();
    let (node, zone) = places.add(&test.engine, "home", 2);
    zone.set().values = vec!["v=spf1 -all".into()];
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    let first = root_of(&test);
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    let planned = &plan.targets[0];
    assert_eq!((planned.former, planned.pinned, planned.chain.as_slice()), (None, false, [first].as_slice()));
    assert_eq!(planned.changes.len(), 1);
    assert_eq!((planned.changes[0].kind, planned.changes[0].tags.len()), (ChangeKind::Added, 1));
    assert!(node.state().imported.is_empty(), "a plan changes nothing");
    let outcome = apply(&test.engine, &places, &plan).await.unwrap();
    assert!(outcome.targets[0].failure.is_none(), "{outcome:?}");
    assert_eq!(outcome.targets[0].blocks, planned.blocks);
    assert_whole(&node, &first);
    assert_eq!(record(&zone), [format!("dnslink=/ipfs/{first}"), "v=spf1 -all".into()]);
    assert_eq!(node.state().names["k51self"], format!("/ipfs/{first}"));
    assert!(plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap().is_done());

    // The tag moves.
    test.put("app", "1", &index("two"));
    test.add(&["app:1"]).await;
    let second = root_of(&test);
    node.state().imported.clear();
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    assert_eq!(plan.targets[0].former, Some(first));
    assert_eq!(plan.targets[0].changes[0].tags[0].kind, ChangeKind::Changed);
    publish(&test.engine, &places).await;
    assert_eq!(node.state().pins.keys().filter(|pin| **pin != first && **pin != second).count(), 0);
    assert_whole(&node, &second);
    let everything = node.state().blocks.len();
    assert!(node.state().imported.len() < everything, "only the difference is sent");
    assert_eq!(record(&zone)[0], format!("dnslink=/ipfs/{second}"));

    // Back again, without a byte.
    let imports = node.state().imports;
    let request = PublishRequest { root: Some(first), ..PublishRequest::default() };
    let plan = plan_of(&test.engine, &places, &request).await.unwrap();
    assert!(plan.rollback && plan.targets[0].pinned && plan.targets[0].blocks == 0, "{plan:?}");
    let outcome = apply(&test.engine, &places, &plan).await.unwrap();
    assert!(outcome.targets[0].failure.is_none(), "{outcome:?}");
    assert_eq!(node.state().imports, imports);
    assert_eq!(record(&zone)[0], format!("dnslink=/ipfs/{first}"));
    // The catalog has not changed, and the next plan says so.
    assert_eq!(root_of(&test), second);
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    assert!(plan.targets[0].notes.iter().any(|note| note.contains("rolled back")), "{:?}", plan.targets[0].notes);
    publish(&test.engine, &places).await;
    assert_eq!(record(&zone)[0], format!("dnslink=/ipfs/{second}"));
}

#[tokio::test]
async fn only_the_last_roots_stay_pinned_and_nobody_elses_pin_goes() {
    let test = TestEngine::new().await;
    let mut places = TestPlaces::default();
    let (node, _) = places.add(&test.engine, "home", 2);
    let mut roots = Vec::new();
    let foreign: Cid = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku".parse().unwrap();
    node.state().pins.insert(foreign, Some("someone's".into()));
    for content in ["one", "two", "three", "four"] {
        test.put("app", "1", &image("linux/amd64", content));
        test.add(&["app:1"]).await;
        publish(&test.engine, &places).await;
        roots.push(root_of(&test));
    }
    let pins: Vec<Cid> = node.state().pins.keys().copied().filter(|pin| *pin != foreign).collect();
    assert_eq!(pins.len(), 2, "{pins:?}");
    assert!(pins.contains(&roots[3]) && pins.contains(&roots[2]));
    assert!(node.state().pins.contains_key(&foreign));
}

#[tokio::test]
async fn several_targets_get_it_and_share_nothing_but_the_root() {
    let test = TestEngine::new().await;
    let mut places = TestPlaces::default();
    let (one, _) = places.add(&test.engine, "one", 3);
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    publish(&test.engine, &places).await;
    let (two, zone) = places.add(&test.engine, "two", 3);
    test.put("app", "2", &index("two"));
    test.add(&["app:2"]).await;
    publish(&test.engine, &places).await;
    let root = root_of(&test);
    for node in [&one, &two] {
        assert_whole(node, &root);
    }
    assert_eq!(record(&zone), [format!("dnslink=/ipfs/{root}")]);
}

/// Another registry on the same node shares what it can, and each has its own pins.
#[tokio::test]
async fn what_another_registry_put_there_is_not_sent_again() {
    let test = TestEngine::new().await;
    let mut places = TestPlaces::default();
    let (node, _) = places.add(&test.engine, "home", 2);
    let big = "x".repeat(3 << 20);
    test.put("app", "1", &image("linux/amd64", &big));
    test.add(&["app:1"]).await;
    publish(&test.engine, &places).await;
    let other = TestEngine::new().await;
    let mut others = TestPlaces::default();
    others.add(&other.engine, "home", 2);
    others.nodes.insert("home".into(), Arc::<FakeNode>::clone(&node));
    other.put("app", "1", &image("linux/amd64", &big));
    other.put("app", "2", &image("linux/amd64", "more"));
    other.add(&["app:1", "app:2"]).await;
    let sent = node.state().imported.len();
    publish(&other.engine, &others).await;
    let state = node.state();
    let twice = state.imported[sent..].iter().filter(|cid| state.imported[..sent].contains(cid)).count();
    assert_eq!(twice, 0);
    assert_eq!(state.pins.len(), 2);
}

/// A node without routing publishes its name, and can't say where it leads: plan and sight say the same of it.
#[tokio::test]
async fn a_name_that_its_node_cant_look_up_has_moved_all_the_same() {
    let test = TestEngine::new().await;
    let mut places = TestPlaces::default();
    let (node, _) = places.add(&test.engine, "home", 2);
    node.intercept(|call, state| {
        if call == "resolve_name" {
            state.names.clear();
        }
        Answer::Go
    });
    let leads = async || {
        let sight = test.engine.look_at_target("home", &places, &Nobody).await.unwrap();
        (sight.root, sight.ipns.unwrap().unwrap())
    };
    assert_eq!(leads().await, (None, Leads::Nowhere));
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    publish(&test.engine, &places).await;
    let again = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    assert!(again.targets[0].ipns.as_ref().is_some_and(|name| name.unseen), "{again:?}");
    assert_eq!(leads().await, (Some(root_of(&test).to_string()), Leads::Unseen));

    // Another key has not moved, whatever the first one did.
    let other = crate::node::Key { name: "other".into(), id: "k51other".into() };
    node.state().keys.push(other);
    let change = crate::engine::targets::TargetChange { ipns: Some("other".into()), ..Default::default() };
    test.engine.set_target("home", &change).unwrap();
    assert_eq!(leads().await.1, Leads::Nowhere);
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    assert!(!plan.is_done() && plan.targets[0].ipns.as_ref().unwrap().before.is_none(), "{plan:?}");
    node.behave();
    publish(&test.engine, &places).await;
    assert_eq!(leads().await.1, Leads::To(format!("/ipfs/{}", root_of(&test))));
}

/// A resolver that has not forgotten the former record is behind, and nothing is wrong: the zone's own servers are asked first.
#[tokio::test]
async fn a_cache_that_is_behind_is_told_from_a_record_that_differs() {
    let test = TestEngine::new().await;
    let mut places = TestPlaces::default();
    let (_, zone) = places.add(&test.engine, "home", 2);
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    publish(&test.engine, &places).await;
    let link = format!("dnslink=/ipfs/{}", root_of(&test));
    let seen = async || test.engine.look_at_target("home", &places, &Nobody).await.unwrap().record.unwrap();
    let record = seen().await;
    assert!(record.said().unwrap().values.contains(&link), "{record:?}");
    assert!(record.lag().is_some(), "the resolver of this test knows nothing: {record:?}");
    // Where the zone can't be asked, what the resolver says is all there is.
    zone.intercept(|_, _| Answer::Fail(crate::error::Error::new(crate::error::Kind::Network, "no answer")));
    let record = seen().await;
    assert!(record.authority.is_err() && record.said().unwrap().values.is_empty() && record.lag().is_none());
}

#[tokio::test]
async fn what_is_unpinned_is_told_by_what_it_was() {
    let test = TestEngine::new().await;
    let mut places = TestPlaces::default();
    let (node, _) = places.add(&test.engine, "home", 2);
    test.put("app", "1", &image("linux/amd64", "one"));
    test.add(&["app:1"]).await;
    publish(&test.engine, &places).await;
    assert_eq!(noted(&test, "tidy"), None);
    // One comes and one goes: the way leads over a root that nobody published.
    test.put("other", "1", &image("linux/amd64", "two"));
    test.add(&["other:1"]).await;
    test.remove("app:1").await;
    publish(&test.engine, &places).await;
    assert_eq!(noted(&test, "tidy").as_deref(), Some("1 temporary root unpinned"));
    assert_eq!(node.state().pins.len(), 2, "both published roots stay");
    test.put("other", "1", &image("linux/amd64", "three"));
    test.add(&["other:1"]).await;
    publish(&test.engine, &places).await;
    let tidied = noted(&test, "tidy").unwrap();
    assert!(tidied.starts_with("1 older root"), "{tidied}");
}
