//! What a pin reads along the chain is what changed, however large the tree.

use std::collections::{BTreeMap, HashSet};

use cid::Cid;

use super::super::chain;
use super::fake_node::FakeNode;
use crate::error::Result;
use crate::node::PinUpdates as _;
use crate::unixfs::directory::{DirectoryBlock, Node, NodeStore};
use crate::unixfs::{Link, Profile, file, tree};

const P: Profile = Profile::V1_2025;

/// Directories and files of made-up trees.
#[derive(Default)]
struct Memory(BTreeMap<Vec<u8>, Node>);

impl NodeStore for Memory {
    fn get(&mut self, cid: &Cid) -> Result<Option<Node>> {
        Ok(self.0.get(&cid.to_bytes()).cloned())
    }

    fn put(&mut self, node: &Node) -> Result<()> {
        self.0.insert(node.cid.to_bytes(), node.clone());
        Ok(())
    }
}

/// A registry of this many repositories, as two views share their blobs, on a node.
struct FakeRegistry {
    store: Memory,
    files: BTreeMap<Vec<u8>, Vec<u8>>,
    root: Link,
}

impl FakeRegistry {
    fn new(repositories: usize) -> Self {
        let mut registry =
            Self { store: Memory::default(), files: BTreeMap::new(), root: Link { cid: Cid::default(), tsize: 0 } };
        let mut edits = BTreeMap::new();
        for number in 0..repositories {
            registry.put(&mut edits, &name(number), "first");
        }
        registry.root = tree::edit(P, &mut registry.store, None, &edits).unwrap();
        registry
    }

    fn file(&mut self, content: &str) -> Link {
        let (link, _) = file::of_bytes(P, content.as_bytes());
        self.files.insert(link.cid.to_bytes(), content.as_bytes().to_vec());
        link
    }

    /// A directory of four files.
    fn directory(&mut self, number: usize) -> Link {
        let files: BTreeMap<String, Option<Link>> =
            (0..4).map(|file| (format!("{file}"), Some(self.file(&format!("file {file} of {number}"))))).collect();
        tree::edit(P, &mut self.store, None, &files).unwrap()
    }

    fn put(&mut self, edits: &mut BTreeMap<String, Option<Link>>, name: &str, content: &str) {
        for view in ["v2", "oci/v2"] {
            let manifest = self.file(&format!("{view} {name} {content}"));
            edits.insert(format!("{view}/{name}/manifests/latest"), Some(manifest));
            edits.insert(format!("{view}/{name}/manifests/sha256:{content}"), Some(manifest));
            for layer in 0..20 {
                let layer = self.file(&format!("{name} {content} {layer}"));
                edits.insert(format!("{view}/{name}/blobs/{}", layer.cid), Some(layer));
            }
        }
    }

    fn take(edits: &mut BTreeMap<String, Option<Link>>, name: &str) {
        for view in ["v2", "oci/v2"] {
            edits.insert(format!("{view}/{name}"), None);
        }
    }

    /// What a node reads to pin the tree with these edits, beside the tree as it is.
    async fn reads(&mut self, edits: &BTreeMap<String, Option<Link>>) -> (u64, usize) {
        let to = tree::edit(P, &mut self.store, Some(&self.root), edits).unwrap();
        let chain = chain::between(P, &mut self.store, &self.root, &to).unwrap();
        let node = FakeNode::new();
        {
            let mut state = node.state();
            let blocks = self.store.0.values().map(|node| (node.cid, node.bytes.clone().into()));
            state.blocks.extend(blocks);
            for content in self.files.values() {
                state.blocks.insert(file::of_bytes(P, content).0.cid, content.clone().into());
            }
            state.blocks.extend(chain.nodes.iter().map(|node| (node.cid, node.bytes.clone().into())));
            state.pins.insert(self.root.cid, Some("ours".into()));
        }
        let mut from = self.root.cid;
        for step in chain.roots.iter().chain([&to]) {
            node.pin_update(&from, &step.cid).await.unwrap();
            from = step.cid;
        }
        for block in &chain.nodes {
            DirectoryBlock::parse(&block.bytes).unwrap();
            assert!(crate::unixfs::verify_block(&block.cid, &block.bytes).is_ok());
        }
        let distinct: HashSet<Cid> = chain.nodes.iter().map(|node| node.cid).collect();
        assert_eq!(distinct.len(), chain.nodes.len(), "no temporary block is made twice");
        let read = node.state().read;
        (read, chain.roots.len() + 1)
    }
}

fn name(number: usize) -> String {
    format!("registry.example.com/organisation-{}/application-{number:05}", number % 3)
}

#[tokio::test]
async fn new_moved_and_removed_together_cost_no_more_than_their_sum() {
    // The larger one is sharded: 4 500 names of some 100 bytes.
    for repositories in [60, 4500] {
        let mut registry = FakeRegistry::new(repositories);
        let mut moved = BTreeMap::new();
        registry.put(&mut moved, &name(7), "second");
        let mut added = BTreeMap::new();
        registry.put(&mut added, &name(10_000), "first");
        // It sorts before everything else, so that every later link has another place.
        registry.put(&mut added, "a-new-one/x", "first");
        let mut removed = BTreeMap::new();
        FakeRegistry::take(&mut removed, &name(3));
        let alone = [registry.reads(&moved).await, registry.reads(&added).await, registry.reads(&removed).await];
        let mut all = moved.clone();
        all.extend(added);
        all.extend(removed);
        let together = registry.reads(&all).await;
        let sum: u64 = alone.iter().map(|reads| reads.0).sum();
        assert!(together.0 <= sum + 64, "{repositories}: {together:?} of {alone:?}");
        assert!(together.0 < 600, "{repositories}: {together:?} of {alone:?}");
        assert!(together.1 <= 6, "{repositories}: {together:?}");
    }
}

#[tokio::test]
async fn one_moved_tag_takes_one_step() {
    let mut registry = FakeRegistry::new(300);
    let mut moved = BTreeMap::new();
    registry.put(&mut moved, &name(7), "second");
    moved.insert(format!("v2/{}/manifests/sha256:first", name(7)), None);
    let (read, steps) = registry.reads(&moved).await;
    assert!(read < 150 && steps == 1, "{read} {steps}");
}

/// A directory that becomes a sharded one, and slots that get a second entry: nothing below what moves is read.
#[tokio::test]
async fn entries_that_move_into_a_shard_are_not_read_again() {
    // One block holds some 2 250 such names. Each is a directory of four files, so that reading what is below it shows.
    let mut registry = FakeRegistry::new(3);
    let mut edits = BTreeMap::new();
    let blob = |registry: &mut FakeRegistry, number: usize, edits: &mut BTreeMap<String, Option<Link>>| {
        let link = registry.directory(number);
        edits.insert(format!("v2/large/blobs/{number:0>71}"), Some(link));
    };
    for number in 0..2240 {
        blob(&mut registry, number, &mut edits);
    }
    registry.root = tree::edit(P, &mut registry.store, Some(&registry.root), &edits).unwrap();
    let mut edits = BTreeMap::new();
    for number in 2240..2280 {
        blob(&mut registry, number, &mut edits);
    }
    // Partners, shards, and what is new: two reads for each that moves, where all of it would be five.
    let (read, steps) = registry.reads(&edits).await;
    assert!(read < 2 * 2240 + 1000 && steps <= 3, "{read} {steps}");
    registry.root = tree::edit(P, &mut registry.store, Some(&registry.root), &edits).unwrap();
    // One more at a time: sometimes a slot is taken.
    let (mut read, mut steps) = (0, 0);
    for number in 2280..2340 {
        let mut edits = BTreeMap::new();
        blob(&mut registry, number, &mut edits);
        let (of_it, way) = registry.reads(&edits).await;
        registry.root = tree::edit(P, &mut registry.store, Some(&registry.root), &edits).unwrap();
        assert!(of_it < 45, "{number}: {of_it}");
        (read, steps) = (read + of_it, steps + way);
    }
    assert!(steps > 60, "no slot was taken: {read} {steps}");
}

/// A repository that is equal to another one stays, and one of the two moves.
#[tokio::test]
async fn equal_neighbours_do_not_put_others_out_of_place() {
    let mut registry = FakeRegistry::new(40);
    let twins =
        |registry: &mut FakeRegistry, content: &str, names: &[usize], edits: &mut BTreeMap<String, Option<Link>>| {
            for number in names {
                let link = registry.file(&format!("twin {content}"));
                for name in ["a", "b", "c"] {
                    edits.insert(format!("v2/twin-{number}/blobs/{name}"), Some(link));
                }
            }
        };
    let mut edits = BTreeMap::new();
    twins(&mut registry, "one", &[1, 2], &mut edits);
    registry.root = tree::edit(P, &mut registry.store, Some(&registry.root), &edits).unwrap();
    let mut edits = BTreeMap::new();
    twins(&mut registry, "two", &[1], &mut edits);
    registry.put(&mut edits, "zebra/x", "first");
    registry.put(&mut edits, &name(3), "second");
    let (read, _) = registry.reads(&edits).await;
    assert!(read < 300, "{read}");
}
