//! Which blocks a CAR has, and in which order.

use proptest::prelude::*;

use super::memory_blocks::{file_data, node};
use super::*;
use crate::unixfs::directory::DirectoryBlock;
use crate::unixfs::file::FileNode;
use crate::unixfs::{DAG_PB, NodeKind, Profile};

const MIXED: &[u8] = include_bytes!("../testdata/subdir-with-mixed-block-files.car");
const DUPLICATES: &[u8] = include_bytes!("../testdata/dir-with-duplicate-files.car");
const CBOR: &[u8] = include_bytes!("../testdata/dir-with-dag-cbor-with-links.car");
const GAP: &[u8] = include_bytes!("../testdata/file-3k-and-3-blocks-missing-block.car");
const SHARDED: &[u8] = include_bytes!("../../../unixfs/testdata/hamt-1000-files.car");

fn cid(text: &str) -> Cid {
    text.parse().unwrap()
}

/// A tree as it is published: directories, one of them sharded, and files of one block and of several levels.
fn tree() -> (MemoryBlocks, Cid) {
    let blocks = MemoryBlocks::default();
    let profile = Profile::V1_2025;
    let large: Vec<u8> = (0..3_500_000_u32).map(|i| (i % 251) as u8).collect();
    let (small, large) = (blocks.add_file(profile, b"small"), blocks.add_file(profile, &large));
    let old = blocks.add_file(Profile::V0_2015, &vec![7; 700_000]);
    let names: Vec<String> = (0..6000).map(|i| format!("a-name-that-takes-some-room-{i:05}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), small)).collect();
    let sharded = blocks.add_directory(&many);
    let below = blocks.add_directory(&[("large", large), ("small", small)]);
    let root = blocks.add_directory(&[("below", below), ("large", large), ("old", old), ("sharded", sharded)]);
    (blocks, root.cid)
}

/// Depth first, by the plainest way.
fn naive(blocks: &MemoryBlocks, cid: Cid, out: &mut Vec<Cid>) {
    out.push(cid);
    if cid.codec() == DAG_PB {
        let block = DirectoryBlock::parse(&blocks.get(&cid).unwrap()).unwrap();
        block.links.iter().for_each(|(_, link)| naive(blocks, link.cid, out));
    }
}

fn without_repeats(all: &[Cid]) -> Vec<Cid> {
    let mut seen = std::collections::HashSet::new();
    all.iter().filter(|cid| seen.insert(**cid)).copied().collect()
}

#[test]
fn a_whole_tree_comes_depth_first_whatever_room_there_is() {
    let (blocks, root) = tree();
    let mut all = Vec::new();
    naive(&blocks, root, &mut all);
    assert!(all.len() > 6_000);
    let bytes = |query, room| write(&blocks, begin(&blocks, &root.to_string(), query).unwrap(), room).unwrap().0;
    let with = bytes("car-dups=y", 512 << 10);
    assert!(read(&with) == all);
    let without = bytes("car-dups=n", 512 << 10);
    assert!(read(&without) == without_repeats(&all));
    assert!(bytes("", 512 << 10) == without);
    for room in [37, 4096, 65_537] {
        assert!(bytes("car-dups=n", room) == without, "{room}");
    }
    assert!(bytes("car-dups=y", 5000) == with);
}

#[test]
fn a_turn_is_short_and_a_tree_is_read_about_once() {
    let (blocks, root) = tree();
    let size: usize = {
        let mut all = Vec::new();
        naive(&blocks, root, &mut all);
        without_repeats(&all).iter().map(|cid| blocks.get(cid).unwrap().len()).sum()
    };
    blocks.times_asked();
    let mut writer = begin(&blocks, &root.to_string(), "car-dups=n").unwrap();
    let mut space = vec![0; 512 << 10];
    while !writer.is_done() {
        blocks.times_asked();
        writer.fill(&blocks, &mut space).unwrap();
        let asked = blocks.times_asked();
        assert!(asked <= 2 * 256, "{asked}");
    }
    blocks.bytes_read();
    write(&blocks, begin(&blocks, &root.to_string(), "").unwrap(), 512 << 10).unwrap();
    let read = blocks.bytes_read();
    assert!(read < size * 2, "{read} of {size}");
}

#[test]
fn scopes_as_the_conformance_suite_has_them() {
    let blocks = MemoryBlocks::default();
    let root = blocks.add_car(MIXED);
    let subdir = cid("bafybeicnmple4ehlz3ostv2sbojz3zhh5q7tz5r2qkfdpqfilgggeen7xm");
    let ascii = cid("bafkreifkam6ns4aoolg3wedr4uzrs3kvq66p4pecirz6y2vlrngla62mxm");
    let hello = cid("bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4");
    let multi = cid("bafybeigcisqd7m5nf3qmuvjdbakl5bdnh4ocrmacaqkpuh77qjvggmt2sa");
    let leaves = [
        "bafkreie5noke3mb7hqxukzcy73nl23k6lxszxi5w3dtmuwz62wnvkpsscm",
        "bafkreih4ephajybraj6wnxsbwjwa77fukurtpl7oj7t7pfq545duhot7cq",
        "bafkreigu7buvm3cfunb35766dn7tmqyh2um62zcio63en2btvxuybgcpue",
        "bafkreicll3huefkc3qnrzeony7zcfo7cr3nbx64hnxrqzsixpceg332fhe",
        "bafkreifst3pqztuvj57lycamoi7z34b4emf7gawxs74nwrc2c7jncmpaqm",
    ]
    .map(cid);
    let whole = [&[root, subdir, multi][..], &leaves].concat();
    let all = [&[root, subdir, ascii, hello, multi][..], &leaves].concat();
    let at = |path: &str| format!("{root}/{path}");
    let cases: [(String, &str, &[Cid]); 12] = [
        (at(""), "", &all),
        (at("subdir"), "dag-scope=all", &all),
        (at("subdir/"), "dag-scope=entity", &[root, subdir]),
        (at("subdir"), "dag-scope=block", &[root, subdir]),
        (at(""), "dag-scope=entity", &[root]),
        (at("subdir/ascii.txt"), "", &[root, subdir, ascii]),
        (at("subdir/ascii.txt"), "dag-scope=entity", &[root, subdir, ascii]),
        (at("subdir/ascii.txt"), "dag-scope=block", &[root, subdir, ascii]),
        (at("subdir/multiblock.txt"), "dag-scope=block", &[root, subdir, multi]),
        (at("subdir/multiblock.txt"), "dag-scope=entity", &whole),
        (at("subdir/multiblock.txt"), "dag-scope=all", &whole),
        (at("subdir/multiblock.txt"), "entity-bytes=0:*", &whole),
    ];
    for (path, query, expected) in cases {
        assert_eq!(car(&blocks, &path, query).unwrap(), expected, "{path}?{query}");
        for room in 1..50 {
            let writer = begin(&blocks, &path, query).unwrap();
            assert_eq!(read(&write(&blocks, writer, room).unwrap().0), expected, "{path}?{query} {room}");
        }
    }
    // The file has 1026 bytes, 256 in each of its blocks but the last.
    let ranges: [(&str, &[Cid]); 14] = [
        ("512:*", &leaves[2..]),
        ("512:1023", &leaves[2..4]),
        ("512:-256", &leaves[2..4]),
        ("-5:*", &leaves[3..]),
        ("-2:*", &leaves[4..]),
        ("-9999:*", &leaves),
        ("-9999:-3", &leaves[..4]),
        ("0:0", &leaves[..1]),
        ("255:256", &leaves[..2]),
        ("256:511", &leaves[1..2]),
        ("1025:1025", &leaves[4..]),
        ("1000:5000", &leaves[3..]),
        // Nothing lies between these.
        ("-10:5", &[]),
        ("1020:-100", &[]),
    ];
    for (range, expected) in ranges {
        let query = format!("dag-scope=entity&entity-bytes={range}");
        assert_eq!(car(&blocks, &multi.to_string(), &query).unwrap(), [&[multi], expected].concat(), "{range}");
    }
    for outside in ["1026:*", "5000:6000", "-5000:-4000"] {
        assert_eq!(car(&blocks, &multi.to_string(), &format!("entity-bytes={outside}")), Err(400), "{outside}");
    }
    // Of a directory, the range means nothing; of a raw block, it has to touch it.
    assert_eq!(car(&blocks, &at("subdir"), "entity-bytes=5000:*").unwrap(), [root, subdir]);
    assert_eq!(car(&blocks, &ascii.to_string(), "entity-bytes=30:*").unwrap(), [ascii]);
    assert_eq!(car(&blocks, &ascii.to_string(), "entity-bytes=31:*"), Err(400));
    for nowhere in ["nothing", "subdir/nothing", "subdir/ascii.txt/deeper", "subdir/.."] {
        assert_eq!(car(&blocks, &at(nowhere), ""), Err(404), "{nowhere}");
    }
}

#[test]
fn repeated_files_come_as_often_as_was_asked() {
    let blocks = MemoryBlocks::default();
    let root = blocks.add_car(DUPLICATES);
    let mut all = Vec::new();
    naive(&blocks, root, &mut all);
    assert_eq!((all.len(), all[1]), (10, all[2]));
    assert_eq!(car(&blocks, &root.to_string(), "car-dups=y").unwrap(), all);
    all.remove(1);
    assert_eq!(car(&blocks, &root.to_string(), "car-dups=n").unwrap(), all);
    assert_eq!(car(&blocks, &root.to_string(), "").unwrap(), all);
}

#[test]
fn identity_cids_are_never_in_it() {
    let blocks = MemoryBlocks::default();
    for inline in ["bafkqaaa", "bafkqaf3imvwgy3zaneqgc3janfxgy2lomvscay3jmqfa"] {
        for query in ["", "car-dups=y", "dag-scope=block", "dag-scope=entity"] {
            assert_eq!(car(&blocks, inline, query).unwrap(), []);
        }
    }
    let leaf = blocks.add_raw(b"leaf");
    let inner = node(&[(b"leaf", leaf)], &[8, 1]);
    let hash = multihash::Multihash::<64>::wrap(0, &inner);
    // One that is longer than the library takes is no link here either.
    assert!(inner.len() < 64 && hash.is_ok(), "{}", inner.len());
    let inline = Cid::new_v1(DAG_PB, hash.unwrap());
    let raw = cid("bafkqaf3imvwgy3zaneqgc3janfxgy2lomvscay3jmqfa");
    let root = blocks.add_node(node(&[(b"a", raw), (b"b", inline)], &[8, 1]));
    assert_eq!(car(&blocks, &root.to_string(), "car-dups=n").unwrap(), [root, leaf]);
    assert_eq!(car(&blocks, &format!("{root}/b/leaf"), "").unwrap(), [root, leaf]);
}

#[test]
fn paths_lead_through_shards() {
    let blocks = MemoryBlocks::default();
    let root = blocks.add_car(SHARDED);
    let whole = car(&blocks, &root.to_string(), "dag-scope=entity").unwrap();
    assert!(whole.len() > 100);
    for cid in &whole {
        assert_eq!(NodeKind::of(&blocks.get(cid).unwrap()).unwrap(), NodeKind::Shard);
    }
    let path = car(&blocks, &format!("{root}/1.txt"), "dag-scope=block").unwrap();
    assert!(
        path.len() > 2
            && whole.starts_with(&path[..1])
            && path[1..path.len() - 1].iter().all(|cid| whole.contains(cid))
    );
    assert_eq!(car(&blocks, &format!("{root}/1001.txt"), ""), Err(404));
    let (blocks, root) = tree();
    let name = "sharded/a-name-that-takes-some-room-05999";
    let found = car(&blocks, &format!("{root}/{name}"), "").unwrap();
    assert_eq!((found.len(), found[0], found[found.len() - 1].codec()), (4, root, crate::unixfs::RAW));
}

#[test]
fn a_range_needs_no_block_outside_of_it() {
    let blocks = MemoryBlocks::default();
    let root = blocks.add_car(GAP);
    let (first, third) =
        (cid("QmPKt7ptM2ZYSGPUc8PmPT2VBkLDK3iqpG9TBJY7PCE9rF"), cid("QmWXY482zQdwecnfBsj78poUUuPXvyw2JAFAEMw4tzTavV"));
    assert_eq!(car(&blocks, &root.to_string(), "entity-bytes=0:1000").unwrap(), [root, first]);
    assert_eq!(car(&blocks, &root.to_string(), "entity-bytes=2200:*").unwrap(), [root, third]);
    let writer = begin(&blocks, &root.to_string(), "").unwrap();
    assert_eq!(write(&blocks, writer, 100).unwrap_err().kind(), crate::error::Kind::NotFound);
}

#[test]
fn dag_cbor_is_walked_and_followed() {
    let blocks = MemoryBlocks::default();
    let root = blocks.add_car(CBOR);
    let document = cid("bafyreidy4q6mmetut5jzc54ambsfnatbyoujmwbfzyyolqw24majazwgha");
    let single = cid("bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4");
    assert_eq!(car(&blocks, &format!("{document}/files/single"), "").unwrap(), [document, single]);
    assert_eq!(car(&blocks, &format!("{root}/document"), "dag-scope=entity").unwrap(), [root, document]);
    assert_eq!(car(&blocks, &format!("{root}/document/files"), "").unwrap().len(), 9);
    assert_eq!(car(&blocks, &root.to_string(), "").unwrap().len(), 9);
    assert_eq!(car(&blocks, &format!("{document}/nothing"), ""), Err(404));
}

/// A file whose leaves have these sizes, with so many links in a node.
fn file(blocks: &MemoryBlocks, sizes: &[u8], width: usize) -> (Cid, u64) {
    let leaf = |(index, size): (usize, &u8)| {
        // Some leaves are the same.
        (blocks.add_raw(&vec![(index % 3) as u8; usize::from(*size)]), u64::from(*size))
    };
    let mut level: Vec<(Cid, u64)> = sizes.iter().enumerate().map(leaf).collect();
    while level.len() > 1 || level[0].0.codec() != DAG_PB {
        level = level
            .chunks(width)
            .map(|parts| {
                let links: Vec<(&[u8], Cid)> = parts.iter().map(|(cid, _)| (&b""[..], *cid)).collect();
                let sizes: Vec<u64> = parts.iter().map(|(_, size)| *size).collect();
                // A few bytes of its own, as other programs write them.
                let own = &b"own"[..parts.len() % 4];
                let size = own.len() as u64 + sizes.iter().sum::<u64>();
                (blocks.add_node(node(&links, &file_data(own, &sizes))), size)
            })
            .collect();
    }
    level[0]
}

/// What of a file is needed for these bytes, by the plainest way.
fn needed(blocks: &MemoryBlocks, cid: Cid, start: u64, (first, last): (u64, u64), out: &mut Vec<Cid>) {
    out.push(cid);
    if cid.codec() != DAG_PB {
        return;
    }
    let node = FileNode::parse(&blocks.get(&cid).unwrap()).unwrap();
    let mut place = start + node.content.len() as u64;
    for (link, size) in node.children {
        if place <= last && place + size > first {
            needed(blocks, link.cid, place, (first, last), out);
        }
        place += size;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_range_of_any_file_has_what_it_needs_and_no_more(
        sizes in prop::collection::vec(1..9_u8, 1..400),
        width in 2..120_usize,
        ends: (prop::sample::Index, prop::sample::Index),
    ) {
        let blocks = MemoryBlocks::default();
        let (root, size) = file(&blocks, &sizes, width);
        let ends = (ends.0.index(size as usize) as u64, ends.1.index(size as usize) as u64);
        let range = (ends.0.min(ends.1), ends.0.max(ends.1));
        let mut expected = Vec::new();
        needed(&blocks, root, 0, range, &mut expected);
        let query = format!("entity-bytes={}:{}", range.0, range.1);
        let found = car(&blocks, &root.to_string(), &format!("{query}&car-dups=y")).unwrap();
        prop_assert_eq!(&found, &expected);
        let found = car(&blocks, &root.to_string(), &format!("{query}&car-dups=n")).unwrap();
        prop_assert_eq!(found, without_repeats(&expected));
    }
}
