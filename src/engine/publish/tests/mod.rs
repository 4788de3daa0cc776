//! Publishing from an in-process registry to nodes and zones inside the process.

mod block_directory;
mod consent;
mod cuts;
mod failures;
mod fake_host;
mod fake_node;
mod fake_zone;
mod growth;
mod hosted;
mod large;
mod proportion;
mod shared;
mod story;
mod trees;
mod unread;

use std::collections::BTreeMap;
use std::sync::Arc;

use cid::Cid;

use super::Places;
use super::plan::{PublishOutcome, PublishPlan, PublishRequest};
use crate::catalog::targets::{self, DnslinkSettings, NodeSettings, Target, TargetSettings, ZoneSettings};
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::tests::TestEngine;
use crate::error::Result;
use crate::naming::Zone;
use crate::node::Node;
use fake_node::FakeNode;
use fake_zone::FakeZone;

/// What targets name, by their own names.
#[derive(Debug, Default)]
struct TestPlaces {
    nodes: BTreeMap<String, Arc<dyn Node>>,
    zones: BTreeMap<String, Arc<FakeZone>>,
}

impl Places for TestPlaces {
    fn node(&self, target: &Target) -> Result<Arc<dyn Node>> {
        Ok(self.nodes[&target.name].clone())
    }

    fn zone(&self, target: &Target) -> Result<Option<Arc<dyn Zone>>> {
        Ok(self.zones.get(&target.name).map(|zone| Arc::clone(zone) as Arc<dyn Zone>))
    }

    fn warnings(&self, _: &Target) -> Vec<String> {
        Vec::new()
    }
}

impl TestPlaces {
    /// Adds a target with a node, a record, and an IPNS name.
    fn add(&mut self, engine: &Engine, name: &str, keep: u32) -> (Arc<FakeNode>, Arc<FakeZone>) {
        let node = NodeSettings::kubo(format!("http://{name}.invalid"));
        let dnslink = DnslinkSettings { domain: "registry.test".into(), zone: ZoneSettings::Manual, ttl: 60 };
        let settings =
            TargetSettings { node, keep, ipns: Some("self".into()), dnslink: Some(dnslink), gateways: Vec::new() };
        engine.catalog.write(|writer| targets::save(writer, name, &settings, 1)).unwrap();
        let (node, zone) = (FakeNode::new(), FakeZone::new());
        node.state().keys.push(crate::node::Key { name: "self".into(), id: "k51self".into() });
        self.nodes.insert(name.into(), Arc::<FakeNode>::clone(&node));
        self.zones.insert(name.into(), Arc::clone(&zone));
        (node, zone)
    }
}

async fn plan_of(engine: &Arc<Engine>, places: &TestPlaces, request: &PublishRequest) -> Result<PublishPlan> {
    Job::new().0.run(async |job: &Job| engine.plan_publish(request, places, job).await).await
}

async fn apply(engine: &Arc<Engine>, places: &TestPlaces, plan: &PublishPlan) -> Result<PublishOutcome> {
    Job::new().0.run(async |job: &Job| engine.apply_publish(plan, places, job).await).await
}

/// Plans and runs, whatever comes of it.
async fn attempt(engine: &Arc<Engine>, places: &TestPlaces) -> Result<PublishOutcome> {
    let plan = plan_of(engine, places, &PublishRequest::default()).await?;
    apply(engine, places, &plan).await
}

/// Publishes everywhere, which must succeed.
async fn publish(engine: &Arc<Engine>, places: &TestPlaces) -> PublishOutcome {
    let plan = plan_of(engine, places, &PublishRequest::default()).await.unwrap();
    assert!(plan.failed.is_empty(), "{:?}", plan.failed);
    let outcome = apply(engine, places, &plan).await.unwrap();
    for target in &outcome.targets {
        assert!(target.failure.is_none() && target.ipns_failure.is_none(), "{target:?}");
        assert_eq!(target.root, Some(plan.root));
    }
    let again = plan_of(engine, places, &PublishRequest::default()).await.unwrap();
    assert!(again.is_done(), "{again:?}");
    outcome
}

fn root_of(test: &TestEngine) -> Cid {
    test.engine.root().unwrap().unwrap()
}

/// Everything below a root is on the node, and nothing but the root's pin says so.
fn assert_whole(node: &FakeNode, root: &Cid) {
    let mut state = node.state();
    assert!(state.pins.contains_key(root), "{root} is not pinned: {:?}", state.pins);
    state.collect_garbage();
    assert!(state.blocks.contains_key(root));
}

fn record(zone: &FakeZone) -> Vec<String> {
    zone.set().values.clone()
}
