//! What is published to the program's own node is given out, and nothing else.

use std::collections::HashSet;
use std::sync::Arc;

use cid::Cid;

use super::PublishedBlocks;
use super::index::Index;
use crate::catalog::blobs;
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::publish::plan::PublishRequest;
use crate::engine::targets::{Adapters, KINDS, NodeAddress, Peers, TargetChange, Variables};
use crate::engine::tests::{TestEngine, index};
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
async fn leaves_of_large_files_cost_sixteen_bytes_each() {
    let test = TestEngine::new().await;
    add_target(&test.engine, 1);
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    let root = publish(&test.engine).await;
    let index = index_of(&test.engine, root);
    let listed = everything_below(&PublishedBlocks::open(Arc::clone(&test.engine)).unwrap(), &root).len();
    assert!(index.bytes() <= listed * 2 * 16, "{} bytes for {listed} blocks", index.bytes());
}
