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
fn noted(yard: &Yard, step: &str) -> Option<String> {
    let reader = yard.engine.catalog.read().unwrap();
    let target = targets::by_name(&reader, "home").unwrap().unwrap();
    let newest = publications::newest_published(&reader, target.id).unwrap()?;
    let steps = publications::steps(&reader, newest.id).unwrap();
    steps.into_iter().find(|done| done.step == step).map(|done| done.detail)
}

#[tokio::test]
async fn a_root_is_published_moved_on_and_rolled_back() {
    let yard = Yard::new().await;
    let mut quay = Quay::default();
    let (node, zone) = quay.add(&yard.engine, "home", 2);
    zone.set().values = vec!["v=spf1 -all".into()];
    yard.put("app", "1", &index("one"));
    yard.add(&["app:1"]).await;
    let first = root_of(&yard);
    let plan = plan_of(&yard.engine, &quay, &PublishRequest::default()).await.unwrap();
    let planned = &plan.targets[0];
    assert_eq!((planned.former, planned.pinned, planned.chain.as_slice()), (None, false, [first].as_slice()));
    assert_eq!(planned.changes.len(), 1);
    assert_eq!((planned.changes[0].kind, planned.changes[0].tags.len()), (ChangeKind::Added, 1));
    assert!(node.state().imported.is_empty(), "a plan changes nothing");
    let outcome = apply(&yard.engine, &quay, &plan).await.unwrap();
    assert!(outcome.targets[0].failure.is_none(), "{outcome:?}");
    assert_eq!(outcome.targets[0].blocks, planned.blocks);
    assert_whole(&node, &first);
    assert_eq!(record(&zone), [format!("dnslink=/ipfs/{first}"), "v=spf1 -all".into()]);
    assert_eq!(node.state().names["k51self"], format!("/ipfs/{first}"));
    assert!(plan_of(&yard.engine, &quay, &PublishRequest::default()).await.unwrap().is_done());

    // The tag moves.
    yard.put("app", "1", &index("two"));
    yard.add(&["app:1"]).await;
    let second = root_of(&yard);
    node.state().imported.clear();
    let plan = plan_of(&yard.engine, &quay, &PublishRequest::default()).await.unwrap();
    assert_eq!(plan.targets[0].former, Some(first));
    assert_eq!(plan.targets[0].changes[0].tags[0].kind, ChangeKind::Changed);
    publish(&yard.engine, &quay).await;
    assert_eq!(node.state().pins.keys().filter(|pin| **pin != first && **pin != second).count(), 0);
    assert_whole(&node, &second);
    let everything = node.state().blocks.len();
    assert!(node.state().imported.len() < everything, "only the difference is sent");
    assert_eq!(record(&zone)[0], format!("dnslink=/ipfs/{second}"));

    // Back again, without a byte.
    let imports = node.state().imports;
    let request = PublishRequest { root: Some(first), ..PublishRequest::default() };
    let plan = plan_of(&yard.engine, &quay, &request).await.unwrap();
    assert!(plan.rollback && plan.targets[0].pinned && plan.targets[0].blocks == 0, "{plan:?}");
    let outcome = apply(&yard.engine, &quay, &plan).await.unwrap();
    assert!(outcome.targets[0].failure.is_none(), "{outcome:?}");
    assert_eq!(node.state().imports, imports);
    assert_eq!(record(&zone)[0], format!("dnslink=/ipfs/{first}"));
    // The catalog has not changed, and the next plan says so.
    assert_eq!(root_of(&yard), second);
    let plan = plan_of(&yard.engine, &quay, &PublishRequest::default()).await.unwrap();
    assert!(plan.targets[0].notes.iter().any(|note| note.contains("rolled back")), "{:?}", plan.targets[0].notes);
    publish(&yard.engine, &quay).await;
    assert_eq!(record(&zone)[0], format!("dnslink=/ipfs/{second}"));
}

#[tokio::test]
async fn only_the_last_roots_stay_pinned_and_nobody_elses_pin_goes() {
    let yard = Yard::new().await;
    let mut quay = Quay::default();
    let (node, _) = quay.add(&yard.engine, "home", 2);
    let mut roots = Vec::new();
    let foreign: Cid = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku".parse().unwrap();
    node.state().pins.insert(foreign, Some("someone's".into()));
    for content in ["one", "two", "three", "four"] {
        yard.put("app", "1", &image("linux/amd64", content));
        yard.add(&["app:1"]).await;
        publish(&yard.engine, &quay).await;
        roots.push(root_of(&yard));
    }
    let pins: Vec<Cid> = node.state().pins.keys().copied().filter(|pin| *pin != foreign).collect();
    assert_eq!(pins.len(), 2, "{pins:?}");
    assert!(pins.contains(&roots[3]) && pins.contains(&roots[2]));
    assert!(node.state().pins.contains_key(&foreign));
}

#[tokio::test]
async fn several_targets_get_it_and_share_nothing_but_the_root() {
    let yard = Yard::new().await;
    let mut quay = Quay::default();
    let (one, _) = quay.add(&yard.engine, "one", 3);
    yard.put("app", "1", &index("one"));
    yard.add(&["app:1"]).await;
    publish(&yard.engine, &quay).await;
    let (two, zone) = quay.add(&yard.engine, "two", 3);
    yard.put("app", "2", &index("two"));
    yard.add(&["app:2"]).await;
    publish(&yard.engine, &quay).await;
    let root = root_of(&yard);
    for node in [&one, &two] {
        assert_whole(node, &root);
    }
    assert_eq!(record(&zone), [format!("dnslink=/ipfs/{root}")]);
}

/// Another registry on the same node shares what it can, and each has its own pins.
#[tokio::test]
async fn what_another_registry_put_there_is_not_sent_again() {
    let yard = Yard::new().await;
    let mut quay = Quay::default();
    let (node, _) = quay.add(&yard.engine, "home", 2);
    let big = "x".repeat(3 << 20);
    yard.put("app", "1", &image("linux/amd64", &big));
    yard.add(&["app:1"]).await;
    publish(&yard.engine, &quay).await;
    let other = Yard::new().await;
    let mut others = Quay::default();
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
    let yard = Yard::new().await;
    let mut quay = Quay::default();
    let (node, _) = quay.add(&yard.engine, "home", 2);
    node.intercept(|call, state| {
        if call == "resolve_name" {
            state.names.clear();
        }
        Answer::Go
    });
    let leads = async || {
        let sight = yard.engine.look_at_target("home", &quay, &Nobody).await.unwrap();
        (sight.root, sight.ipns.unwrap().unwrap())
    };
    assert_eq!(leads().await, (None, Leads::Nowhere));
    yard.put("app", "1", &index("one"));
    yard.add(&["app:1"]).await;
    publish(&yard.engine, &quay).await;
    let again = plan_of(&yard.engine, &quay, &PublishRequest::default()).await.unwrap();
    assert!(again.targets[0].ipns.as_ref().is_some_and(|name| name.unseen), "{again:?}");
    assert_eq!(leads().await, (Some(root_of(&yard).to_string()), Leads::Unseen));

    // Another key has not moved, whatever the first one did.
    let other = crate::node::Key { name: "other".into(), id: "k51other".into() };
    node.state().keys.push(other);
    let change = crate::engine::targets::TargetChange { ipns: Some("other".into()), ..Default::default() };
    yard.engine.set_target("home", &change).unwrap();
    assert_eq!(leads().await.1, Leads::Nowhere);
    let plan = plan_of(&yard.engine, &quay, &PublishRequest::default()).await.unwrap();
    assert!(!plan.is_done() && plan.targets[0].ipns.as_ref().unwrap().before.is_none(), "{plan:?}");
    node.behave();
    publish(&yard.engine, &quay).await;
    assert_eq!(leads().await.1, Leads::To(format!("/ipfs/{}", root_of(&yard))));
}

/// A resolver that has not forgotten the former record is behind, and nothing is wrong: the zone's own servers are asked first.
#[tokio::test]
async fn a_cache_that_is_behind_is_told_from_a_record_that_differs() {
    let yard = Yard::new().await;
    let mut quay = Quay::default();
    let (_, zone) = quay.add(&yard.engine, "home", 2);
    yard.put("app", "1", &index("one"));
    yard.add(&["app:1"]).await;
    publish(&yard.engine, &quay).await;
    let link = format!("dnslink=/ipfs/{}", root_of(&yard));
    let seen = async || yard.engine.look_at_target("home", &quay, &Nobody).await.unwrap().record.unwrap();
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
    let yard = Yard::new().await;
    let mut quay = Quay::default();
    let (node, _) = quay.add(&yard.engine, "home", 2);
    yard.put("app", "1", &image("linux/amd64", "one"));
    yard.add(&["app:1"]).await;
    publish(&yard.engine, &quay).await;
    assert_eq!(noted(&yard, "tidy"), None);
    // One comes and one goes: the way leads over a root that nobody published.
    yard.put("other", "1", &image("linux/amd64", "two"));
    yard.add(&["other:1"]).await;
    yard.remove("app:1").await;
    publish(&yard.engine, &quay).await;
    assert_eq!(noted(&yard, "tidy").as_deref(), Some("1 temporary root unpinned"));
    assert_eq!(node.state().pins.len(), 2, "both published roots stay");
    yard.put("other", "1", &image("linux/amd64", "three"));
    yard.add(&["other:1"]).await;
    publish(&yard.engine, &quay).await;
    let tidied = noted(&yard, "tidy").unwrap();
    assert!(tidied.starts_with("1 older root"), "{tidied}");
}
