//! A root on its way: what of it is here, and what is about to come.

use std::sync::Arc;

use bytes::Bytes;
use cid::Cid;

use super::{Here, UnderWay};
use crate::image::Digest;
use crate::store::Store;
use crate::unixfs::file::{self, Part};
use crate::unixfs::hash::FileHasher;
use crate::unixfs::{Block, Profile};

/// A file of three leaves as it is published, and a store for it.
struct World {
    _directory: tempfile::TempDir,
    store: Store,
    content: Vec<u8>,
    digest: Digest,
    root: Block,
    leaves: Vec<Cid>,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let content: Vec<u8> = (0..(5_u32 << 18)).flat_map(u32::to_be_bytes).take((5 << 19) + 7).collect();
        let mut hasher = FileHasher::new(Profile::V1_2025, content.len() as u64);
        hasher.update(&content);
        let found = hasher.finish();
        let mut parts = file::parts(Profile::V1_2025, content.len() as u64, found.leaves).unwrap();
        let Some(Part::Node(root)) = parts.next() else { panic!("a node") };
        let leaves = parts.map(|part| match part {
            Part::Leaf { cid, .. } => cid,
            Part::Node(_) => panic!("a leaf"),
        });
        let leaves = leaves.collect();
        Self { _directory: directory, store, content, digest: found.digest, root, leaves }
    }

    fn under_way(&self) -> Arc<UnderWay> {
        UnderWay::new(self.root.cid, self.store.clone())
    }
}

fn read(under_way: &UnderWay, cid: &Cid) -> Option<Vec<u8>> {
    use std::os::unix::fs::FileExt as _;
    match under_way.find(cid.hash().digest().try_into().unwrap())? {
        Here::Bytes(bytes) => Some(bytes.to_vec()),
        Here::Range { file, offset, length } => {
            let mut bytes = vec![0; length as usize];
            file.read_exact_at(&mut bytes, offset).unwrap();
            Some(bytes)
        }
    }
}

#[tokio::test]
async fn leaves_are_given_out_as_soon_as_they_are_written() {
    let world = World::new();
    let under_way = world.under_way();
    let chunk = 1 << 20;
    let bytes = Bytes::from(world.root.bytes.clone());
    assert_eq!(read(&under_way, &world.root.cid), None);
    under_way.came(&world.root.cid, &bytes);
    assert_eq!(read(&under_way, &world.root.cid).unwrap(), bytes);

    let mut writer = world.store.begin(world.digest, world.content.len() as u64, Profile::V1_2025).unwrap();
    let file = under_way.file(&world.root.cid, &world.digest, 0).unwrap();
    assert!(under_way.coming(&world.leaves[0]).is_none(), "nothing says yet that it belongs to the file");
    let sizes = world.content.chunks(chunk).map(|chunk| chunk.len() as u64);
    let children: Vec<(Cid, u64)> = world.leaves.iter().copied().zip(sizes).collect();
    file.links(0, &children);
    let coming = under_way.coming(&world.leaves[1]).unwrap();
    assert_eq!(coming.size, Some(chunk as u64));
    writer.write(&world.content[..chunk]).unwrap();
    file.reached(chunk as u64);
    assert_eq!(read(&under_way, &world.leaves[0]).unwrap(), world.content[..chunk]);
    assert!(under_way.coming(&world.leaves[0]).is_none() && read(&under_way, &world.leaves[1]).is_none());
    let waiting = tokio::spawn(coming.arrival);
    writer.write(&world.content[chunk..2 * chunk]).unwrap();
    file.reached(2 * chunk as u64);
    waiting.await.unwrap();
    assert_eq!(read(&under_way, &world.leaves[1]).unwrap(), world.content[chunk..2 * chunk]);

    // Whoever waits for what does not come any more is told.
    let coming = under_way.coming(&world.leaves[2]).unwrap();
    drop(file);
    coming.arrival.await;
    assert!(read(&under_way, &world.leaves[2]).is_none() && under_way.coming(&world.leaves[2]).is_none());
    // It goes on, and the file gets its name.
    let file = under_way.file(&world.root.cid, &world.digest, 2 * chunk as u64).unwrap();
    writer.write(&world.content[2 * chunk..]).unwrap();
    file.reached(world.content.len() as u64);
    writer.commit().unwrap();
    for (leaf, content) in world.leaves.iter().zip(world.content.chunks(chunk)) {
        assert_eq!(read(&under_way, leaf).unwrap(), content);
    }
    under_way.end();
    assert!(under_way.file(&world.root.cid, &world.digest, 0).is_none());
}

#[tokio::test]
async fn what_is_not_linked_from_the_root_is_not_known() {
    let world = World::new();
    let under_way = world.under_way();
    let foreign = Bytes::from_static(b"foreign");
    let foreign_cid = file::of_bytes(Profile::V1_2025, &foreign).0.cid;
    under_way.came(&foreign_cid, &foreign);
    assert!(under_way.asks(&foreign_cid).is_none() && under_way.file(&foreign_cid, &world.digest, 0).is_none());
    assert_eq!(read(&under_way, &foreign_cid), None);
    // Leaves neither, before the node is here that links them.
    let leaf = Bytes::copy_from_slice(&world.content[..1 << 20]);
    under_way.came(&world.leaves[0], &leaf);
    assert_eq!(read(&under_way, &world.leaves[0]), None);
    under_way.came(&world.root.cid, &world.root.bytes.clone().into());
    under_way.came(&world.leaves[0], &leaf);
    assert_eq!(read(&under_way, &world.leaves[0]).unwrap(), leaf);
}

#[tokio::test]
async fn a_block_that_is_asked_for_is_about_to_come() {
    let world = World::new();
    let under_way = world.under_way();
    assert!(under_way.coming(&world.root.cid).is_none());
    let asked = (under_way.asks(&world.root.cid).unwrap(), under_way.asks(&world.root.cid).unwrap());
    let coming = [under_way.coming(&world.root.cid).unwrap(), under_way.coming(&world.root.cid).unwrap()];
    let waiting = coming.map(|coming| tokio::spawn(coming.arrival));
    drop(asked.0);
    assert!(under_way.coming(&world.root.cid).is_some());
    drop(asked.1);
    for waiting in waiting {
        waiting.await.unwrap();
    }
    assert!(under_way.coming(&world.root.cid).is_none());
}
