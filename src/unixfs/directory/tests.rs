//! Edits of directories against a second way to the same directory: written anew from the set of entries, naively.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cid::Cid;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::unixfs::verify_block;

/// Nodes in memory, which counts what is asked of it and refuses what a store may rely on not to happen.
#[derive(Default, Clone)]
pub(in crate::unixfs) struct Memory {
    pub(in crate::unixfs) nodes: HashMap<Cid, Node>,
    pub(in crate::unixfs) read: Vec<Cid>,
    pub(in crate::unixfs) written: Vec<Cid>,
}

impl NodeStore for Memory {
    fn get(&mut self, cid: &Cid) -> Result<Option<Node>> {
        self.read.push(*cid);
        Ok(self.nodes.get(cid).cloned())
    }

    fn put(&mut self, node: &Node) -> Result<()> {
        verify_block(&node.cid, &node.bytes).unwrap();
        self.written.push(node.cid);
        self.nodes.entry(node.cid).or_insert_with(|| node.clone());
        Ok(())
    }
}

impl Memory {
    pub(in crate::unixfs) fn forget_counts(&mut self) {
        self.read.clear();
        self.written.clear();
    }

    fn kind(&self, link: &Link) -> NodeKind {
        NodeKind::of(&self.nodes[&link.cid].bytes).unwrap()
    }
}

type Entries = BTreeMap<String, Link>;

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn field(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag][..], &varint(content.len() as u64), content].concat()
}

fn naive_link(name: &str, link: &Link) -> Vec<u8> {
    let body =
        [field(0x0a, &link.cid.to_bytes()), field(0x12, name.as_bytes()), vec![0x18], varint(link.tsize)].concat();
    field(0x12, &body)
}

fn naive_node(profile: Profile, links: &[(String, Link)], data: &[u8]) -> Link {
    let mut bytes: Vec<u8> = links.iter().flat_map(|(name, link)| naive_link(name, link)).collect();
    bytes.extend(field(0x0a, data));
    let cid = profile.node_cid(&Sha256::digest(&bytes).into());
    Link { cid, tsize: bytes.len() as u64 + links.iter().map(|(_, link)| link.tsize).sum::<u64>() }
}

fn naive_shard(profile: Profile, level: usize, entries: Vec<(String, Link)>) -> Link {
    let mut slots: BTreeMap<u8, Vec<(String, Link)>> = BTreeMap::new();
    for entry in entries {
        let hash = murmur3::murmur3_x64_128(&mut entry.0.as_bytes(), 0).unwrap() as u64;
        slots.entry(hash.to_be_bytes()[level]).or_default().push(entry);
    }
    // A number of 256 bits, big end first.
    let mut bits = [0_u8; 32];
    let mut links = Vec::new();
    for (slot, mut entries) in slots {
        bits[31 - usize::from(slot) / 8] |= 1 << (slot % 8);
        links.push(if entries.len() == 1 {
            let (name, link) = entries.remove(0);
            (format!("{slot:02X}{name}"), link)
        } else {
            (format!("{slot:02X}"), naive_shard(profile, level + 1, entries))
        });
    }
    let bits: Vec<u8> = bits.into_iter().skip_while(|&byte| byte == 0).collect();
    let data = [&[8, 5][..], &field(0x12, &bits), &[0x28, 0x22, 0x30, 0x80, 0x02]].concat();
    naive_node(profile, &links, &data)
}

/// The directory of these entries, and whether it is sharded.
pub(in crate::unixfs) fn naive(profile: Profile, entries: &Entries) -> (Link, bool) {
    let size: usize = match profile {
        Profile::V1_2025 => 4 + entries.iter().map(|(name, link)| naive_link(name, link).len()).sum::<usize>(),
        Profile::V0_2015 => entries.iter().map(|(name, link)| name.len() + link.cid.to_bytes().len()).sum(),
    };
    let links = entries.iter().map(|(name, link)| (name.clone(), *link)).collect::<Vec<_>>();
    if size > 262_144 { (naive_shard(profile, 0, links), true) } else { (naive_node(profile, &links, &[8, 1]), false) }
}

pub(in crate::unixfs) fn some_link(profile: Profile, seed: u64, tsize: u64) -> Link {
    Link { cid: profile.leaf_cid(&Sha256::digest(seed.to_be_bytes()).into()), tsize }
}

pub(in crate::unixfs) fn blob_name(number: u64) -> String {
    crate::image::Digest::of(&number.to_be_bytes()).to_string()
}

fn sets(entries: &Entries) -> BTreeMap<String, Option<Link>> {
    entries.iter().map(|(name, &link)| (name.clone(), Some(link))).collect()
}

fn blobs(profile: Profile, numbers: impl Iterator<Item = u64>) -> Entries {
    numbers.map(|number| (blob_name(number), some_link(profile, number, number * number))).collect()
}

/// Checks a directory in every way that there is: link, form, entries, look-up, blocks and their sizes.
fn check(profile: Profile, store: &mut Memory, directory: Option<&Link>, entries: &Entries) {
    let Some(directory) = directory else {
        assert!(entries.is_empty());
        return;
    };
    let (link, sharded) = naive(profile, entries);
    assert_eq!((*directory, store.kind(directory) == NodeKind::Shard), (link, sharded), "{} entries", entries.len());
    let mut listed = Entries::new();
    list(store, directory, &mut |name, link| {
        assert!(listed.insert(name.to_owned(), link).is_none());
        Ok(())
    })
    .unwrap();
    assert_eq!(&listed, entries);
    let (mut cids, mut length) = (BTreeSet::new(), 0);
    nodes(store, directory, &mut |node| {
        assert!(cids.insert(node.cid));
        length += node.bytes.len() as u64;
        Ok(())
    })
    .unwrap();
    assert_eq!(directory.tsize, length + entries.values().map(|link| link.tsize).sum::<u64>());
    assert_eq!(cids.len() > 1, sharded);
    for (name, link) in entries.iter().step_by(97) {
        assert_eq!(lookup(store, directory, name).unwrap(), Some(*link));
    }
    assert_eq!(lookup(store, directory, "no such name").unwrap(), None);
    let root = &store.nodes[&directory.cid];
    assert_eq!(root.tsize, directory.tsize);
    assert_eq!(root.directory_size.is_some(), sharded);
}

/// Applies one edit to both the store and the set of entries.
fn apply(
    profile: Profile,
    store: &mut Memory,
    directory: Option<Link>,
    entries: &mut Entries,
    edits: &BTreeMap<String, Option<Link>>,
) -> Option<Link> {
    for (name, link) in edits {
        match link {
            Some(link) => drop(entries.insert(name.clone(), *link)),
            None => drop(entries.remove(name)),
        }
    }
    let before: BTreeSet<_> = store.nodes.keys().copied().collect();
    store.forget_counts();
    let directory = edit(profile, store, directory.as_ref(), edits).unwrap();
    let read: BTreeSet<_> = store.read.iter().collect();
    assert_eq!(read.len(), store.read.len(), "a node was read twice");
    assert!(read.iter().all(|cid| before.contains(cid)), "something was asked for that isn't there");
    directory
}

#[test]
fn the_empty_directory_and_removal_to_nothing() {
    for profile in Profile::ALL {
        let mut store = Memory::default();
        assert_eq!(edit(profile, &mut store, None, &BTreeMap::new()).unwrap(), None);
        let remove: BTreeMap<_, _> = [("a".to_owned(), None)].into();
        assert_eq!(edit(profile, &mut store, None, &remove).unwrap(), None);
        let set = [("a".to_owned(), Some(some_link(profile, 1, 5)))].into();
        let one = edit(profile, &mut store, None, &set).unwrap().unwrap();
        assert_eq!(edit(profile, &mut store, Some(&one), &remove).unwrap(), None);
        assert_eq!(store.written, [one.cid]);
        // An empty directory that is there takes entries as well.
        let empty = empty(profile);
        store.put(&empty).unwrap();
        assert_eq!(edit(profile, &mut store, Some(&empty.link()), &set).unwrap(), Some(one));
        list(&mut store, &empty.link(), &mut |_, _| panic!("it is empty")).unwrap();
    }
}

#[test]
fn the_switch_is_exact_in_both_directions() {
    for (profile, at) in [(Profile::V1_2025, 2239), (Profile::V0_2015, 2496)] {
        let mut entries: Entries =
            (0..at).map(|number| (blob_name(number), some_link(profile, number, 1 << 20))).collect();
        let mut store = Memory::default();
        let mut directory = edit(profile, &mut store, None, &sets(&entries)).unwrap();
        check(profile, &mut store, directory.as_ref(), &entries);
        assert_eq!(store.kind(&directory.unwrap()), NodeKind::Directory);
        // One name fills the rest to the byte, one more byte shards it.
        let base = profile.directory_base();
        let used: u64 = base
            + entries
                .iter()
                .map(|(name, link)| profile.entry_size(name.len(), link.cid.encoded_len(), link.tsize))
                .sum::<u64>();
        let length = (1..255).find(|&length| {
            used + profile.entry_size(length, some_link(profile, 0, 0).cid.encoded_len(), 0) == 262_144
        });
        let length = length.expect("a name of some length fills the block");
        for (length, kind) in
            [(length, NodeKind::Directory), (length + 1, NodeKind::Shard), (length, NodeKind::Directory)]
        {
            entries.retain(|name, _| !name.starts_with('z'));
            let name = "z".repeat(length);
            let mut edits: BTreeMap<_, _> = [length - 1, length, length + 1]
                .into_iter()
                .filter(|&l| l > 0)
                .map(|length| ("z".repeat(length), None))
                .collect();
            edits.insert(name, Some(some_link(profile, 0, 0)));
            directory = apply(profile, &mut store, directory, &mut entries, &edits);
            check(profile, &mut store, directory.as_ref(), &entries);
            assert_eq!(store.kind(&directory.unwrap()), kind);
        }
    }
}

#[test]
fn the_order_of_edits_does_not_matter() {
    for profile in Profile::ALL {
        let mut store = Memory::default();
        let (mut directory, mut entries) = (None, Entries::new());
        for part in [5..6, 0..2, 2..2400, 2400..2600] {
            let part = blobs(profile, part);
            directory = apply(profile, &mut store, directory, &mut entries, &sets(&part));
            check(profile, &mut store, directory.as_ref(), &entries);
        }
        assert_eq!(entries.len(), 2600);
        let at_once = edit(profile, &mut Memory::default(), None, &sets(&entries)).unwrap();
        assert_eq!(directory, at_once);
    }
}

#[test]
fn shards_fold_when_their_last_but_one_name_goes() {
    let profile = Profile::V1_2025;
    let mut entries = blobs(profile, 0..3000);
    let mut store = Memory::default();
    let mut directory = edit(profile, &mut store, None, &sets(&entries)).unwrap();
    // The names of one slot, removed one after the other, then put back.
    let slot = |name: &str| (murmur3::murmur3_x64_128(&mut name.as_bytes(), 0).unwrap() as u64) >> 56;
    let names: Vec<_> = entries.keys().filter(|name| slot(name) == 0x2a).cloned().collect();
    assert!(names.len() > 3);
    let whole = directory;
    for name in &names {
        let edits = [(name.clone(), None)].into();
        directory = apply(profile, &mut store, directory, &mut entries, &edits);
        check(profile, &mut store, directory.as_ref(), &entries);
    }
    for name in &names {
        let number = (0..3000).find(|&number| blob_name(number) == *name).unwrap();
        let edits = [(name.clone(), Some(some_link(profile, number, number * number)))].into();
        directory = apply(profile, &mut store, directory, &mut entries, &edits);
        check(profile, &mut store, directory.as_ref(), &entries);
    }
    assert_eq!(directory, whole);
}

#[test]
fn names_whose_hashes_agree_in_some_bytes_share_deeper_shards() {
    // Among 60 000 names some pairs agree in three bytes and more, so that shards of the fourth level are made.
    let profile = Profile::V1_2025;
    let hash = |name: &str| murmur3::murmur3_x64_128(&mut name.as_bytes(), 0).unwrap() as u64;
    let mut names: Vec<_> = (0..60_000).map(|number| format!("name-{number}")).collect();
    names.sort_by_key(|name| hash(name));
    let deep: Vec<_> =
        names.windows(2).filter(|pair| (hash(&pair[0]) ^ hash(&pair[1])) >> 40 == 0).map(<[String]>::to_vec).collect();
    assert!(deep.len() > 10);
    let mut entries = blobs(profile, 0..2500);
    let mut store = Memory::default();
    let mut directory = edit(profile, &mut store, None, &sets(&entries)).unwrap();
    let whole = directory;
    for pair in &deep[..5] {
        for name in pair {
            let edits = [(name.clone(), Some(some_link(profile, 9, 9)))].into();
            directory = apply(profile, &mut store, directory, &mut entries, &edits);
            check(profile, &mut store, directory.as_ref(), &entries);
        }
    }
    for pair in &deep[..5] {
        for name in pair {
            let edits = [(name.clone(), None)].into();
            directory = apply(profile, &mut store, directory, &mut entries, &edits);
            check(profile, &mut store, directory.as_ref(), &entries);
        }
    }
    assert_eq!(directory, whole);
}

#[test]
fn one_moved_name_touches_one_block_or_one_path() {
    let profile = Profile::V1_2025;
    for (count, blocks) in [(2000, 1), (10_000, 3), (100_000, 4)] {
        let entries = blobs(profile, 0..count);
        let mut store = Memory::default();
        let directory = edit(profile, &mut store, None, &sets(&entries)).unwrap().unwrap();
        for number in 0..20 {
            store.forget_counts();
            let edits = [(blob_name(number), Some(some_link(profile, 77, 77)))].into();
            edit(profile, &mut store, Some(&directory), &edits).unwrap().unwrap();
            assert!(store.read.len() <= blocks, "{} of {count} read", store.read.len());
            assert_eq!(store.written.len(), store.read.len());
        }
        // What changes nothing writes nothing.
        store.forget_counts();
        let same = edit(profile, &mut store, Some(&directory), &[(blob_name(1), Some(entries[&blob_name(1)]))].into());
        assert_eq!(same.unwrap(), Some(directory));
        assert!(store.written.is_empty());
    }
}

#[test]
fn a_missing_size_is_measured() {
    for profile in Profile::ALL {
        let mut entries = blobs(profile, 0..2600);
        let mut store = Memory::default();
        let mut directory = edit(profile, &mut store, None, &sets(&entries)).unwrap();
        for count in [2599, 2480, 2200] {
            store.nodes.values_mut().for_each(|node| node.directory_size = None);
            let edits: BTreeMap<_, _> = entries.keys().skip(count).map(|name| (name.clone(), None)).collect();
            entries.retain(|name, _| !edits.contains_key(name));
            directory = edit(profile, &mut store, directory.as_ref(), &edits).unwrap();
            check(profile, &mut store, directory.as_ref(), &entries);
        }
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let profile = Profile::V1_2025;
    let mut store = Memory::default();
    let link = some_link(profile, 1, 1);
    for name in ["", ".", "..", "a/b", "/", "nul\0", &"x".repeat(256)] {
        assert!(edit(profile, &mut store, None, &[(name.to_owned(), Some(link))].into()).is_err(), "{name}");
    }
    // A link to something else, to nothing, and to a directory of the other profile.
    let edits = [("a".to_owned(), Some(link))].into();
    assert!(edit(profile, &mut store, Some(&link), &edits).is_err());
    assert!(edit(profile, &mut store, Some(&empty(profile).link()), &edits).is_err());
    store.put(&empty(Profile::V0_2015)).unwrap();
    assert!(edit(profile, &mut store, Some(&empty(Profile::V0_2015).link()), &edits).is_err());
    assert!(list(&mut store, &link, &mut |_, _| Ok(())).is_err());
}

/// Puts untrusted bytes under the CID of a directory.
fn planted(store: &mut Memory, bytes: Vec<u8>) -> Link {
    let cid = Profile::V1_2025.cid_of_node(&bytes);
    let node = Node { cid, tsize: bytes.len() as u64, bytes, directory_size: None };
    store.nodes.insert(cid, node.clone());
    node.link()
}

#[test]
fn untrusted_nodes_are_refused_by_what_is_wrong() {
    let profile = Profile::V1_2025;
    let link = some_link(profile, 1, 1);
    let basic = |names: &[&str]| {
        let links: Vec<u8> = names.iter().flat_map(|name| naive_link(name, &link)).collect();
        [links, field(0x0a, &[8, 1])].concat()
    };
    let shard = |names: &[&str], bits: &[u8], tail: &[u8]| {
        let links: Vec<u8> = names.iter().flat_map(|name| naive_link(name, &link)).collect();
        [links, field(0x0a, &[&[8, 5][..], &field(0x12, bits), tail].concat())].concat()
    };
    let tail = &[0x28, 0x22, 0x30, 0x80, 0x02][..];
    let cases = [
        (basic(&["b", "a"]), "not sorted"),
        (basic(&["a", "a"]), "twice"),
        (basic(&["../x"]), "slash"),
        (basic(&[".."]), "another directory"),
        (basic(&[""]), "empty"),
        (shard(&["zz"], &[1], tail), "no slot"),
        (shard(&["0aX"], &[1], tail), "no slot"),
        (shard(&["0"], &[1], tail), "no slot"),
        (shard(&["00a"], &[3], tail), "bitfield"),
        (shard(&["00a"], &[0, 1], tail), "bitfield"),
        (shard(&["01a", "00a"], &[3], tail), "not sorted"),
        (shard(&["00a"], &[1], &[0x28, 0x22, 0x30, 0x10]), "256 slots"),
        (shard(&["00a"], &[1], &[0x28, 0x12, 0x30, 0x80, 0x02]), "murmur3"),
        (shard(&["00a"], &[1], tail), "another shard"),
        (shard(&["00.."], &[1], tail), "another directory"),
        (shard(&[], &[], tail), "bitfield"),
    ];
    for (bytes, why) in cases {
        let mut store = Memory::default();
        let directory = planted(&mut store, bytes);
        let error = list(&mut store, &directory, &mut |_, _| Ok(())).unwrap_err();
        assert!(error.to_string().contains(why), "{error} / {why}");
        assert_eq!(error.kind(), Kind::Verification);
    }
    let mut store = Memory::default();
    let directory = planted(&mut store, vec![0; MAX_BLOCK_BYTES + 1]);
    assert!(list(&mut store, &directory, &mut |_, _| Ok(())).unwrap_err().to_string().contains("2 MiB"));
}

#[test]
fn a_few_shards_that_stand_for_endless_entries_are_refused() {
    // All 256 slots of eight levels link the same shard below: 2^64 entries in a few kilobytes.
    let mut store = Memory::default();
    let tail = &[0x28, 0x22, 0x30, 0x80, 0x02][..];
    let data = field(0x0a, &[&[8, 5][..], &field(0x12, &[0xff; 32]), tail].concat());
    let mut link = some_link(Profile::V1_2025, 1, 1);
    for level in (0..8).rev() {
        let name = if level == 7 { "a" } else { "" };
        let links: Vec<u8> = (0..256).flat_map(|slot| naive_link(&format!("{slot:02X}{name}"), &link)).collect();
        link = planted(&mut store, [links, data.clone()].concat());
    }
    assert!(list(&mut store, &link, &mut |_, _| Ok(())).is_err());
    assert!(store.read.len() < 20);
    assert!(nodes(&mut store, &link, &mut |_| Ok(())).is_err());
}

/// A sequence of edits by number: each sets a range of blobs, moves one, or removes a range.
fn steps() -> impl Strategy<Value = Vec<(u8, u64, u64)>> {
    prop::collection::vec((0..4_u8, 0..2500_u64, 1..400_u64), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn random_edits_around_the_switch_match_a_rebuild(start in 2150..2520_u64, steps in steps(), old: bool) {
        let profile = if old { Profile::V0_2015 } else { Profile::V1_2025 };
        let mut store = Memory::default();
        let mut entries = Entries::new();
        let mut directory = apply(profile, &mut store, None, &mut entries, &sets(&blobs(profile, 0..start)));
        check(profile, &mut store, directory.as_ref(), &entries);
        for (step, at, count) in steps {
            let edits: BTreeMap<_, _> = match step {
                0 => sets(&blobs(profile, at..at + count)),
                1 => [(blob_name(at), Some(some_link(profile, at + 1, count)))].into(),
                2 => [(blob_name(at), None)].into(),
                _ => blobs(profile, at..at + count).into_keys().map(|name| (name, None)).collect(),
            };
            directory = apply(profile, &mut store, directory, &mut entries, &edits);
            check(profile, &mut store, directory.as_ref(), &entries);
        }
        let all = entries.keys().map(|name| (name.clone(), None)).collect();
        prop_assert_eq!(edit(profile, &mut store, directory.as_ref(), &all).unwrap(), None);
    }

    #[test]
    fn random_names_match_a_rebuild(
        batches in prop::collection::vec(
            prop::collection::btree_map("[a-c:._é-]{1,6}", prop::option::weighted(0.7, any::<u32>()), 0..12), 1..8),
        old: bool,
    ) {
        let profile = if old { Profile::V0_2015 } else { Profile::V1_2025 };
        let mut store = Memory::default();
        let (mut directory, mut entries) = (None, Entries::new());
        for batch in batches {
            let edits: BTreeMap<_, _> = batch
                .into_iter()
                .filter(|(name, _)| check_name(name).is_ok())
                .map(|(name, tsize)| (name, tsize.map(|tsize| some_link(profile, 3, u64::from(tsize)))))
                .collect();
            directory = apply(profile, &mut store, directory, &mut entries, &edits);
            check(profile, &mut store, directory.as_ref(), &entries);
        }
    }

    #[test]
    fn damaged_nodes_never_panic(
        count in 1..40_u64,
        sharded: bool,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        name in 0..40_u64,
    ) {
        let profile = Profile::V1_2025;
        let mut store = Memory::default();
        let entries = blobs(profile, 0..count);
        let mut bytes = if sharded {
            let entries = entries.iter().map(|(name, &link)| hamt::Entry::new(name, link).unwrap()).collect();
            hamt::build(profile, entries, &mut |_| Ok(())).unwrap().bytes
        } else {
            edit(profile, &mut store, None, &sets(&entries)).unwrap();
            store.nodes.values().next().unwrap().bytes.clone()
        };
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let directory = planted(&mut store, bytes);
        let _ = list(&mut store, &directory, &mut |_, _| Ok(()));
        let _ = lookup(&mut store, &directory, &blob_name(name));
        for link in [None, Some(some_link(profile, 1, 1))] {
            let _ = edit(profile, &mut store, Some(&directory), &[(blob_name(name), link)].into());
        }
    }
}
