//! Trees that are deep, wide, endless, damaged, or gone.

use super::memory_blocks::{file_data, node};
use super::*;
use crate::error::Kind;
use crate::serve::gateway::block_reader::BlockReader;
use crate::serve::gateway::block_writer::BlockWriter;
use crate::serve::gateway::walk::{MAX_WALK_DEPTH, Next, Reach, Walk};
use crate::unixfs::{MAX_BLOCK_BYTES, NodeKind};

#[test]
fn a_walk_remembers_little_of_wide_and_deep_trees() {
    let blocks = MemoryBlocks::default();
    // Far more links than are remembered, the first of them one level down.
    let leaf = blocks.add_raw(b"leaf");
    let filler: Vec<(&[u8], Cid)> = vec![(b"b", leaf); 4000];
    let mut top = leaf;
    let mut nodes = Vec::new();
    for _ in 0..MAX_WALK_DEPTH {
        let bytes = node(&[&[(&b"a"[..], top)][..], &filler].concat(), &[8, 1]);
        assert!(bytes.len() <= MAX_BLOCK_BYTES);
        // Not kept: they are many.
        top = MemoryBlocks::default().add_node(bytes);
        nodes.push(top);
    }
    let mut walk = Walk::new(top, 0, Reach::Everything);
    for depth in (0..MAX_WALK_DEPTH).rev() {
        let Next::Block(found) = walk.next() else { panic!("a block at {depth}") };
        assert_eq!(found.cid, nodes[depth]);
        let below = if depth == 0 { leaf } else { nodes[depth - 1] };
        let bytes = node(&[&[(&b"a"[..], below)][..], &filler].concat(), &[8, 1]);
        walk.descend(found, &bytes).unwrap();
        if depth == MAX_WALK_DEPTH - 8 {
            assert!(walk.weight() < 40 << 10, "{}", walk.weight());
        }
    }
    assert!(walk.weight() < 800 << 10, "{}", walk.weight());
    // And no deeper.
    assert!(matches!(walk.next(), Next::Block(found) if found.cid == leaf));
    let Next::Block(found) = walk.next() else { panic!("a block") };
    assert_eq!(walk.descend(found, &node(&[], &[8, 1])).unwrap_err().kind(), Kind::Verification);
}

#[test]
fn a_tree_that_is_endless_when_unfolded_ends_without_duplicates() {
    let blocks = MemoryBlocks::default();
    let mut top = blocks.add_raw(b"x");
    let mut size = 1;
    for _ in 0..60 {
        size *= 2;
        top = blocks.add_node(node(&[(b"", top), (b"", top)], &file_data(b"", &[size / 2, size / 2])));
    }
    assert_eq!(NodeKind::of(&blocks.get(&top).unwrap()).unwrap(), NodeKind::File);
    for query in ["car-dups=n", "", "dag-scope=entity"] {
        assert_eq!(car(&blocks, &top.to_string(), query).unwrap().len(), 61, "{query}");
    }
    // A range whose ends are in the middle of everything.
    let query = format!("entity-bytes={}:{}&car-dups=n", size / 3, size - size / 3);
    assert_eq!(car(&blocks, &top.to_string(), &query).unwrap().len(), 61);
    // With duplicates it goes on for ever, in turns that are full.
    let mut writer = begin(&blocks, &top.to_string(), "car-dups=y").unwrap();
    let mut space = vec![0; 4096];
    for _ in 0..100 {
        assert_eq!(writer.fill(&blocks, &mut space).unwrap(), 4096);
    }
}

#[test]
fn sizes_that_lie_are_refused() {
    let blocks = MemoryBlocks::default();
    let leaf = blocks.add_raw(b"0123456789");
    let inner = blocks.add_node(node(&[(b"", leaf)], &file_data(b"", &[10])));
    for lie in [9, 11, u64::MAX] {
        let root = blocks.add_node(node(&[(b"", inner)], &file_data(b"", &[lie])));
        let writer = begin(&blocks, &root.to_string(), "entity-bytes=0:*").unwrap();
        assert_eq!(write(&blocks, writer, 4096).unwrap_err().kind(), Kind::Verification, "{lie}");
    }
}

#[test]
fn of_a_damaged_block_the_end_never_goes_out() {
    let blocks = MemoryBlocks::default();
    let content: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
    let leaf = blocks.add_raw(&content);
    blocks.damage(&leaf);
    for room in [1000, 4096, 50_000, 100_000, 200_000] {
        let mut writer = BlockWriter::new(BlockReader::new(leaf, 100_000));
        let (mut sent, mut space) = (0, vec![0; room]);
        let error = loop {
            match writer.fill(&blocks, &mut space) {
                Ok(count) => sent += count,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), Kind::Verification);
        assert_eq!(sent, 99_999 / room * room, "{room}");
    }
    let writer = begin(&blocks, &leaf.to_string(), "").unwrap();
    assert!(write(&blocks, writer, 4096).is_err());
}

#[test]
fn what_is_known_to_be_right_is_not_hashed_until_it_is_not_any_more() {
    let blocks = MemoryBlocks::default();
    let leaf = blocks.add_raw(&[7; 10_000]);
    blocks.damage(&leaf);
    blocks.call_verified(&leaf, true);
    let mut space = vec![0; 4096];
    let mut writer = BlockWriter::new(BlockReader::new(leaf, 10_000));
    let sent: usize = (0..3).map(|_| writer.fill(&blocks, &mut space).unwrap()).sum();
    assert_eq!(sent, 10_000);
    let mut writer = BlockWriter::new(BlockReader::new(leaf, 10_000));
    writer.fill(&blocks, &mut space).unwrap();
    blocks.call_verified(&leaf, false);
    assert_eq!(writer.fill(&blocks, &mut space).unwrap_err().kind(), Kind::Verification);
}

#[test]
fn what_is_hidden_is_answered_as_what_is_not_there() {
    let blocks = MemoryBlocks::default();
    let (there, hidden) = (blocks.add_raw(b"there"), blocks.add_raw(b"hidden"));
    let absent = MemoryBlocks::default().add_raw(b"absent");
    blocks.hide(&hidden);
    let root = |below| blocks.add_node(node(&[(b"a", there), (b"b", below)], &[8, 1]));
    let roots = [hidden, absent].map(root);
    let outcomes = [(hidden, roots[0]), (absent, roots[1])].map(|(leaf, root)| {
        blocks.times_asked();
        let direct = car(&blocks, &leaf.to_string(), "");
        let by_path = car(&blocks, &format!("{root}/b"), "");
        let whole = write(&blocks, begin(&blocks, &root.to_string(), "").unwrap(), 4096).unwrap_err();
        (direct, by_path, whole.kind(), blocks.times_asked())
    });
    assert_eq!(outcomes[0], (Err(404), Err(404), Kind::NotFound, outcomes[1].3));
    assert_eq!(outcomes[0], outcomes[1]);
}

#[test]
fn blocks_that_are_not_what_their_cid_says_end_it() {
    let blocks = MemoryBlocks::default();
    let nonsense = blocks.add_node(vec![0x12; 100]);
    let root = blocks.add_node(node(&[(b"a", nonsense)], &[8, 1]));
    assert_eq!(car(&blocks, &format!("{root}/a/b"), ""), Err(404));
    assert!(write(&blocks, begin(&blocks, &root.to_string(), "").unwrap(), 4096).is_err());
    assert_eq!(car(&blocks, &nonsense.to_string(), "dag-scope=block").unwrap(), [nonsense]);
    let large = blocks.add_node(vec![0; MAX_BLOCK_BYTES + 1]);
    assert_eq!(car(&blocks, &large.to_string(), "dag-scope=block"), Err(500));
}
