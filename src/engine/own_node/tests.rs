//! What is published to the program's own node is given out, and nothing else.

use std::collections::HashSet;
use std::sync::Arc;

use cid::Cid;

use super::index::Index;
use super::{OWN_KEY, PublishedBlocks};
use crate::catalog::blobs;
use crate::engine::job::Job;
use crate::engine::publish::plan::PublishRequest;
use crate::engine::targets::{Adapters, KINDS, NodeAddress, Peers, TargetChange, Variables};
use crate::engine::tests::{TestEngine, index};
use crate::engine::{Engine, Options};
use crate::registry::memory::ImageBuilder;
use crate::unixfs::directory::DirectoryBlock;
use crate::unixfs::file::{FileNode, Part};
use crate::unixfs::{Link, RAW, file};

fn own_kind() -> &'static crate::engine::targets::NodeKind {
    KINDS.iter().find(|kind| kind.flag == "self").unwrap()
}

async fn publish(engine: &Arc<Engine>) -> Cid {
    let peers = Peers::new(Variables::none(), Adapters::new(Arc::clone(engine), |_, _| ()));
    let plan = Job::new().0.run(async |job: &Job| engine.plan_publish(&PublishRequest::default(), &peers, job).await);
    let plan = plan.await.unwrap();
    assert!(plan.failed.is_empty(), "{:?}", plan.failed);
    let notes: Vec<&String> = plan.targets.iter().flat_map(|target| &target.notes).collect();
    assert!(notes.is_empty(), "{notes:?}");
    let outcome = Job::new().0.run(async |job: &Job| engine.apply_publish(&plan, &peers, job).await).await.unwrap();
    for target in &outcome.targets {
        assert!(target.failure.is_none(), "{target:?}");
        assert_eq!((target.blocks, target.sent), (0, 0), "everything is here already");
    }
    plan.root
}

fn add_target(engine: &Arc<Engine>, keep: u32) {
    let node = Some(NodeAddress { kind: own_kind(), address: "self".into() });
    engine.add_target("home", &TargetChange { node, keep: Some(keep), ..TargetChange::default() }).unwrap();
}

/// Every block below a root, read from what is given out.
fn everything_below(blocks: &PublishedBlocks, root: &Cid) -> HashSet<Cid> {
    let mut seen = HashSet::from([*root]);
    let mut left = vec![*root];
    while let Some(cid) = left.pop() {
        let block = blocks.block(&cid).unwrap().unwrap_or_else(|| panic!("{cid} is not given out"));
        assert_eq!(blocks.size(&cid).unwrap(), Some(block.len() as u64), "{cid}");
        // There is something in front, and room for more than the block.
        let mut appended = Vec::with_capacity(1 + 2 * block.len());
        appended.push(1);
        assert!(blocks.append(&cid, &mut appended).unwrap() && appended[1..] == block[..], "{cid}");
        if cid.codec() == RAW {
            continue;
        }
        let links: Vec<Link> = match DirectoryBlock::parse(&block) {
            Ok(directory) => directory.links.iter().map(|(_, link)| *link).collect(),
            Err(_) => FileNode::parse(&block).unwrap().children.iter().map(|(link, _)| *link).collect(),
        };
        left.extend(links.into_iter().map(|link| link.cid).filter(|cid| seen.insert(*cid)));
    }
    seen
}

/// The CIDs of every block of every file that the catalog has.
fn blocks_of_files(engine: &Engine) -> HashSet<Cid> {
    let reader = engine.catalog.read().unwrap();
    let mut all = HashSet::new();
    let mut add = |blob: blobs::Blob| {
        let leaves = blobs::leaves(&reader, &blob).unwrap();
        all.extend(file::parts(engine.profile, blob.size, leaves).unwrap().map(|part| match part {
            Part::Node(node) => node.cid,
            Part::Leaf { cid, .. } => cid,
        }));
        Ok(())
    };
    blobs::each_inline(&reader, &mut add).unwrap();
    blobs::each_stored(&reader, &mut add).unwrap();
    all
}

#[tokio::test]
async fn what_is_published_is_given_out_and_nothing_else() {
    let test = TestEngine::new().await;
    add_target(&test.engine, 1);
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    let blocks = PublishedBlocks::open(Arc::clone(&test.engine)).unwrap();
    for cid in blocks_of_files(&test.engine) {
        assert_eq!(blocks.size(&cid).unwrap(), None, "nothing is published yet");
        assert_eq!(blocks.block(&cid).unwrap(), None);
    }

    let first = publish(&test.engine).await;
    assert!(blocks.refresh().unwrap());
    assert!(!blocks.refresh().unwrap());
    assert_eq!(blocks.roots(), [first]);
    let published = everything_below(&blocks, &first);

    // What is added afterwards is in the catalog and in the store, and is nobody's business.
    test.put("secret", "1", &index("two"));
    test.add(&["secret:1"]).await;
    blocks.refresh().unwrap();
    let unpublished: Vec<Cid> = blocks_of_files(&test.engine).difference(&published).copied().collect();
    assert!(unpublished.len() > 3, "{unpublished:?}");
    for cid in unpublished {
        assert_eq!(blocks.size(&cid).unwrap(), None, "{cid}");
        assert_eq!(blocks.block(&cid).unwrap(), None, "{cid}");
        assert!(!blocks.append(&cid, &mut Vec::new()).unwrap(), "{cid}");
    }

    let second = publish(&test.engine).await;
    blocks.refresh().unwrap();
    assert_eq!(blocks.roots(), [second], "one root is kept");
    everything_below(&blocks, &second);
    assert_eq!(blocks.block(&first).unwrap(), None, "the former root is no longer published");
}

fn index_of(engine: &Engine, root: Cid) -> Index {
    Index::of(&engine.catalog.read().unwrap(), engine.profile, &[root]).unwrap()
}

#[tokio::test]
async fn a_leaf_of_a_large_file_costs_sixteen_bytes() {
    let test = TestEngine::new().await;
    add_target(&test.engine, 1);
    let layer: Vec<u8> = (0..5_000_000_u32).flat_map(u32::to_le_bytes).take(9 << 20).collect();
    let large = ImageBuilder::new("linux/amd64".parse().unwrap()).opaque_layer(layer).build();
    test.put("app", "1", &large);
    test.add(&["app:1"]).await;
    let root = publish(&test.engine).await;
    let index = index_of(&test.engine, root);
    let blocks = everything_below(&PublishedBlocks::open(Arc::clone(&test.engine)).unwrap(), &root);
    assert!(blocks.iter().filter(|cid| cid.codec() == RAW).count() > 9, "a leaf a mebibyte");
    assert!(index.bytes() <= blocks.len() * 16 + 64, "{} bytes for {} blocks", index.bytes(), blocks.len());
}

#[tokio::test]
async fn what_no_target_wants_any_more_is_withdrawn() {
    let test = TestEngine::new().await;
    let engine = &test.engine;
    add_target(engine, 3);
    let blocks = PublishedBlocks::open(Arc::clone(engine)).unwrap();
    let mut roots = Vec::new();
    for (tag, what) in [("1", "one"), ("2", "two"), ("3", "three")] {
        test.put("app", tag, &index(what));
        test.add(&[&format!("app:{tag}")]).await;
        roots.push(publish(engine).await);
    }
    let given = || {
        blocks.refresh().unwrap();
        blocks.roots().len()
    };
    assert_eq!(given(), 3);
    let (job, _watch) = Job::new();
    let forget = engine.plan_forget(&roots[..1]).unwrap();
    assert!(forget.roots[0].pinned_by.is_empty(), "it does not stay here");
    engine.apply_forget(&forget, &job).await.unwrap();
    assert_eq!((given(), blocks.block(&roots[0]).unwrap()), (2, None));
    engine.set_target("home", &TargetChange { keep: Some(1), ..TargetChange::default() }).unwrap();
    assert_eq!((given(), blocks.roots()), (1, vec![roots[2]]));
    let plan = engine.plan_remove_target("home").unwrap();
    assert_eq!((plan.withdrawn.clone(), plan.pinned.len()), (vec![roots[2].to_string()], 0));
    engine.remove_target(&plan, &job).await.unwrap();
    assert_eq!((given(), blocks.block(&roots[2]).unwrap()), (0, None));
}

#[tokio::test]
async fn what_is_provided_leads_to_everything_and_is_remembered() {
    let test = TestEngine::new().await;
    add_target(&test.engine, 2);
    let layer: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).take(3 << 20).collect();
    let large = ImageBuilder::new("linux/amd64".parse().unwrap()).opaque_layer(layer).build();
    test.put("app", "1", &large);
    test.add(&["app:1"]).await;
    let first = publish(&test.engine).await;
    let keys = || -> Vec<Cid> { test.engine.blocks_to_provide().unwrap().iter().map(|key| key.cid).collect() };
    let of_first = keys();
    assert_eq!(of_first[0], first, "the root comes first");
    let blocks = PublishedBlocks::open(Arc::clone(&test.engine)).unwrap();
    let is_directory = |cid: &Cid| {
        let block = blocks.block(cid).unwrap().unwrap();
        cid.codec() != RAW && FileNode::parse(&block).is_err()
    };
    let directories = of_first.iter().take_while(|cid| is_directory(cid)).count();
    assert!(directories > 3 && !of_first[directories..].iter().any(is_directory), "then directories, then files");
    let everything = everything_below(&blocks, &first);
    assert!(of_first.iter().all(|cid| everything.contains(cid)));
    assert_eq!(everything.len() - of_first.len(), 3, "only the leaves of the large layer are left out");

    // The newest root first, and what it shares with the former one only once.
    test.put("other", "1", &index("two"));
    test.add(&["other:1"]).await;
    own_pins_a_second_ago(&test.engine);
    let second = publish(&test.engine).await;
    let both = keys();
    assert_eq!((both[0], both.iter().collect::<HashSet<_>>().len()), (second, both.len()));
    let place = |cid: &Cid| both.iter().position(|other| other == cid).unwrap();
    assert!(place(&first) > place(&second) && of_first.iter().all(|cid| both.contains(cid)));

    let now = std::time::SystemTime::now();
    test.engine.keep_provided(&[(*first.hash(), now), (*second.hash(), now)]).unwrap();
    let provided = test.engine.blocks_to_provide().unwrap();
    let known: Vec<Cid> = provided.iter().filter(|key| key.provided.is_some()).map(|key| key.cid).collect();
    assert_eq!(known, [second, first]);
    let at = provided[0].provided.unwrap();
    assert!(now.duration_since(at).unwrap().as_secs() <= 1);
}

/// Two roots are seldom published within one second.
fn own_pins_a_second_ago(engine: &Engine) {
    let earlier = |writer: &crate::catalog::Writer<'_>| {
        Ok(writer.execute("UPDATE own_pins SET pinned_at = pinned_at - 1", []).map(drop)?)
    };
    engine.catalog.write(earlier).unwrap();
}

/// What only looks makes no key, and knows that publishing makes it.
#[tokio::test]
async fn a_plan_that_is_only_looked_at_says_that_the_key_will_be_made() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    let node = Some(NodeAddress { kind: own_kind(), address: "self".into() });
    let change = TargetChange { node, ipns: Some(OWN_KEY.into()), ..TargetChange::default() };
    test.engine.add_target("home", &change).unwrap();
    let looking = Engine::open_read_only(Options {
        data_dir: test.directory.path().to_owned(),
        registries: crate::registry::Options::new(crate::registry::credentials::Environment::default()),
        wait: std::time::Duration::from_secs(5),
        local_discovery: false,
        profile: None,
    });
    let looking = looking.unwrap();
    let peers = Peers::new(Variables::none(), Adapters::new(Arc::clone(&looking), |_, _| ()));
    let plan = Job::new().0.run(async |job: &Job| looking.plan_publish(&PublishRequest::default(), &peers, job).await);
    let plan = plan.await.unwrap();
    let [target] = plan.targets.as_slice() else { panic!("{plan:?}") };
    assert!(target.ipns_failure.is_none(), "{:?}", target.ipns_failure);
    let name = target.ipns.as_ref().unwrap();
    assert_eq!((name.key.as_str(), &name.name), (OWN_KEY, &None));
    assert!(test.engine.own_key(OWN_KEY).unwrap().is_none());
    let root = publish(&test.engine).await;
    let key = test.engine.own_key(OWN_KEY).unwrap().unwrap();
    assert_eq!(test.engine.own_name(&key.name()).unwrap().unwrap().record.root().unwrap(), root);
}

#[tokio::test]
async fn a_name_goes_on_from_the_sequence_that_it_has_reached_elsewhere() {
    let test = TestEngine::new().await;
    let engine = &test.engine;
    let root = engine.root().unwrap().unwrap();
    let key = engine.make_own_key(OWN_KEY).unwrap();
    let sequence = || engine.move_own_name(&key, &root).unwrap().record.sequence;
    engine.go_on_from_sequence(&key.name(), 41).unwrap();
    assert_eq!((sequence(), sequence()), (42, 42), "what says the same stays");
    engine.go_on_from_sequence(&key.name(), 42).unwrap();
    assert_eq!(sequence(), 42, "nobody was ahead");
    engine.go_on_from_sequence(&key.name(), 50).unwrap();
    assert_eq!((sequence(), sequence()), (51, 51));
}
