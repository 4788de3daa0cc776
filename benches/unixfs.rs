//! How long one moved name takes, in directories and trees of the sizes that registries have.

#![expect(clippy::unwrap_used, reason = "a bench may stop")]

use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;

use cid::Cid;
use criterion::{Criterion, criterion_group, criterion_main};
use roadstead::error::Result;
use roadstead::image::Digest;
use roadstead::unixfs::directory::{self, Node, NodeStore};
use roadstead::unixfs::{Link, Profile, file, tree};

#[derive(Default)]
struct Memory(HashMap<Cid, Node>);

impl NodeStore for Memory {
    fn get(&mut self, cid: &Cid) -> Result<Option<Node>> {
        Ok(self.0.get(cid).cloned())
    }

    fn put(&mut self, node: &Node) -> Result<()> {
        self.0.entry(node.cid).or_insert_with(|| node.clone());
        Ok(())
    }
}

fn link(number: u64) -> Link {
    file::of_bytes(Profile::V1_2025, &number.to_be_bytes()).0
}

fn blob_name(number: u64) -> String {
    Digest::of(&number.to_be_bytes()).to_string()
}

fn directories(criterion: &mut Criterion) {
    for (what, count, name) in [
        ("2200 blobs in one block", 2_200, blob_name as fn(u64) -> String),
        ("4400 blobs", 4_400, blob_name),
        ("4400 tags in one block", 4_400, |number| format!("tag-{number}")),
        ("10000 tags", 10_000, |number| format!("tag-{number}")),
        ("100000 blobs", 100_000, blob_name),
    ] {
        let mut store = Memory::default();
        let all = (0..count).map(|number| (name(number), Some(link(number)))).collect();
        let root = directory::edit(Profile::V1_2025, &mut store, None, &all).unwrap().unwrap();
        let edits = BTreeMap::from([(name(77), Some(link(u64::MAX)))]);
        criterion.bench_function(&format!("move one of {what}"), |bencher| {
            bencher.iter(|| directory::edit(Profile::V1_2025, &mut store, black_box(Some(&root)), &edits).unwrap());
        });
    }
}

fn trees(criterion: &mut Criterion) {
    for repositories in [100, 10_000_u64] {
        let mut all = BTreeMap::new();
        for repository in 0..repositories {
            for entry in 0..8 {
                let link = Some(link(repository * 8 + entry));
                all.insert(format!("v2/library/r{repository}/blobs/{}", blob_name(entry)), link);
                all.insert(format!("v2/library/r{repository}/manifests/t{entry}"), link);
            }
        }
        let mut store = Memory::default();
        let root = tree::edit(Profile::V1_2025, &mut store, None, &all).unwrap();
        let edits = BTreeMap::from([("v2/library/r77/manifests/t3".to_owned(), Some(link(u64::MAX)))]);
        criterion.bench_function(&format!("move one tag among {repositories} repositories"), |bencher| {
            bencher.iter(|| tree::edit(Profile::V1_2025, &mut store, black_box(Some(&root)), &edits).unwrap());
        });
    }
}

criterion_group!(benches, directories, trees);
criterion_main!(benches);
