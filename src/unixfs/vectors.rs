//! Published test vectors: what other implementations of UnixFS make of the same bytes and names.

use std::collections::BTreeMap;

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use sha2::{Digest as _, Sha256};

use super::directory::tests::Memory;
use super::{Link, MAX_BLOCK_BYTES, NodeKind, Profile, car, data, directory, file, tree};
use crate::image::Digest;

/// The bytes that IPIP-499's vectors are made of (kubo, test/cli/testutils/random_deterministic.go).
fn keystream(seed: &str) -> ChaCha20 {
    ChaCha20::new(&<[u8; 32]>::from(Sha256::digest(seed)).into(), &[0; 12].into())
}

fn bytes(seed: &str, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    keystream(seed).apply_keystream(&mut bytes);
    bytes
}

fn file_cid(profile: Profile, content: &[u8]) -> String {
    file::of_bytes(profile, content).0.cid.to_string()
}

#[test]
fn small_files() {
    let [v1, v0] = Profile::ALL;
    for (profile, content, cid) in [
        (v0, &b"hello world"[..], "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD"),
        (v1, b"hello world", "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"),
        (v0, b"", "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH"),
        (v1, b"", "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"),
    ] {
        assert_eq!(file_cid(profile, content), cid);
    }
}

#[test]
fn files_of_one_chunk_and_one_byte_more() {
    for (profile, seed, at, over) in [
        (
            Profile::V0_2015,
            "chunk-v0-seed",
            "QmWmRj3dFDZdb6ABvbmKhEL6TmPbAfBZ1t5BxsEyJrcZhE",
            "QmYyLxtzZyW22zpoVAtKANLRHpDjZtNeDjQdJrcQNWoRkJ",
        ),
        (
            Profile::V1_2025,
            "chunk-v1-seed",
            "bafkreiacndfy443ter6qr2tmbbdhadvxxheowwf75s6zehscklu6ezxmta",
            "bafybeigmix7t42i6jacydtquhet7srwvgpizfg7gjbq7627d35mjomtu64",
        ),
    ] {
        let chunk = profile.chunk_size() as usize;
        let content = bytes(seed, chunk + 1);
        assert_eq!(file_cid(profile, &content[..chunk]), at);
        assert_eq!(file_cid(profile, &content), over);
    }
}

/// The digests of a node full of leaves, and of the leaf of one byte that follows.
fn full_node(profile: Profile, seed: &str) -> Vec<[u8; 32]> {
    let mut stream = keystream(seed);
    let mut chunk = vec![0; profile.chunk_size() as usize];
    let mut leaves = Vec::new();
    for _ in 0..profile.file_width() {
        chunk.fill(0);
        stream.apply_keystream(&mut chunk);
        leaves.push(file::leaf_digest(profile, &chunk));
    }
    let mut last = [0];
    stream.apply_keystream(&mut last);
    leaves.push(file::leaf_digest(profile, &last));
    leaves
}

/// The digests that [`full_node`] gives, kept: making them takes minutes without optimisation.
const FULL_NODES: [(Profile, &str, &[u8], [&str; 2]); 2] = [
    (
        Profile::V0_2015,
        "v0-seed",
        include_bytes!("testdata/v0-seed.leaves"),
        ["QmUbBALi174SnogsUzLpYbD4xPiBSFANF4iztWCsHbMKh2", "QmV81WL765sC8DXsRhE5fJv2rwhS4icHRaf3J9Zk5FdRnW"],
    ),
    (
        Profile::V1_2025,
        "v1-2025-seed",
        include_bytes!("testdata/v1-2025-seed.leaves"),
        [
            "bafybeihmf37wcuvtx4hpu7he5zl5qaf2ineo2lqlfrapokkm5zzw7zyhvm",
            "bafybeibdsi225ugbkmpbdohnxioyab6jsqrmkts3twhpvfnzp77xtzpyhe",
        ],
    ),
];

#[test]
fn files_of_a_full_node_and_one_byte_more() {
    for (profile, _, leaves, [at, over]) in FULL_NODES {
        let (leaves, rest) = leaves.as_chunks::<32>();
        assert!(rest.is_empty());
        let size = profile.chunk_size() * profile.file_width() as u64;
        let full = file::root(profile, size, &leaves[..profile.file_width()]).unwrap();
        assert_eq!(full.cid.to_string(), at);
        assert_eq!(file::root(profile, size + 1, leaves).unwrap().cid.to_string(), over);
    }
}

#[test]
#[ignore = "hashes 1 GiB, which takes minutes without optimisation: run it with --release -- --ignored"]
fn the_leaves_of_full_nodes_are_those_of_their_seeds() {
    for (profile, seed, leaves, _) in FULL_NODES {
        assert!(full_node(profile, seed).concat() == leaves, "{profile}");
    }
}

/// A directory of files `x` with names from the key stream.
fn random_directory(profile: Profile, seed: &str, count: usize, length: usize, last: usize) -> (Link, NodeKind) {
    const ALPHABET: &[u8; 39] = b"abcdefghijklmnopqrstuvwxyz01234567890-_";
    let x = file::of_bytes(profile, b"x").0;
    let mut stream = keystream(seed);
    let edits: BTreeMap<_, _> = (0..count)
        .map(|index| {
            let mut name = vec![0; if index + 1 == count { last } else { length }];
            stream.apply_keystream(&mut name);
            (name.iter().map(|&byte| char::from(ALPHABET[usize::from(byte) % 39])).collect::<String>(), Some(x))
        })
        .collect();
    assert_eq!(edits.len(), count);
    let mut store = Memory::default();
    let link = directory::edit(profile, &mut store, None, &edits).unwrap().unwrap();
    (link, NodeKind::of(&store.nodes[&link.cid].bytes).unwrap())
}

#[test]
fn directories_at_the_limit_and_one_byte_above() {
    for (profile, seed, count, length, last, kind, cid) in [
        (
            Profile::V0_2015,
            "hamt-unixfs-v0-2015",
            4096,
            30,
            30,
            NodeKind::Directory,
            "QmX5GtRk3TSSEHtdrykgqm4eqMEn3n2XhfkFAis5fjyZmN",
        ),
        (
            Profile::V0_2015,
            "hamt-unixfs-v0-2015",
            4033,
            31,
            31,
            NodeKind::Shard,
            "QmeMiJzmhpJAUgynAcxTQYek5PPKgdv3qEvFsdV3XpVnvP",
        ),
        (
            Profile::V1_2025,
            "hamt-unixfs-v1-2025",
            4766,
            11,
            21,
            NodeKind::Directory,
            "bafybeic3h7rwruealwxkacabdy45jivq2crwz6bufb5ljwupn36gicplx4",
        ),
        (
            Profile::V1_2025,
            "hamt-unixfs-v1-2025",
            4766,
            11,
            22,
            NodeKind::Shard,
            "bafybeiegvuterwurhdtkikfhbxcldohmxp566vpjdofhzmnhv6o4freidu",
        ),
    ] {
        let (link, made) = random_directory(profile, seed, count, length, last);
        assert_eq!((link.cid.to_string().as_str(), made), (cid, kind));
    }
}

#[test]
fn empty_directories() {
    let [v1, v0] = Profile::ALL;
    assert_eq!(directory::empty(v0).cid.to_string(), "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn");
    assert_eq!(directory::empty(v1).cid.to_string(), "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354");
}

#[test]
fn the_shards_of_boxo() {
    // ipfs/boxo, ipld/unixfs/hamt/hamt_test.go, TestDirBuilding: 200 empty directories.
    let empty = directory::empty(Profile::V0_2015).link();
    let names: Vec<_> = (0..200).map(|number| format!("DIRNAME{number}")).collect();
    let entries = names.iter().map(|name| (name.as_str(), empty));
    let root = directory::shards_of(Profile::V0_2015, entries, &mut |_| Ok(())).unwrap();
    assert_eq!(root.cid.to_string(), "QmY89TkSEVHykWMHDmyejSWFj9CYNtvzw4UwnT9xbc4Zjc");
}

#[test]
fn the_sharded_directory_of_the_specification() {
    // 1000 files: read from the CAR that Kubo wrote, listed, looked up, and made again from its entries.
    let mut reader = car::Reader::new(&include_bytes!("testdata/hamt-1000-files.car")[..]).unwrap();
    let cid = reader.roots()[0];
    let mut store = Memory::default();
    for block in &mut reader {
        let block = block.unwrap();
        assert!(block.bytes.len() <= MAX_BLOCK_BYTES);
        let node = directory::Node { cid: block.cid, bytes: block.bytes, tsize: 0, directory_size: None };
        store.nodes.insert(block.cid, node);
    }
    let directory = Link { cid, tsize: 0 };
    let mut entries = BTreeMap::new();
    directory::list(&mut store, &directory, &mut |name, link| {
        entries.insert(name.to_owned(), link);
        Ok(())
    })
    .unwrap();
    let expected: std::collections::BTreeSet<_> = (1..=1000).map(|number| format!("{number}.txt")).collect();
    assert!(entries.keys().eq(&expected));
    assert_eq!(directory::lookup(&mut store, &directory, "685.txt").unwrap(), Some(entries["685.txt"]));
    let mut shards = Vec::new();
    let listed = entries.iter().map(|(name, &link)| (name.as_str(), link));
    let root = directory::shards_of(Profile::V1_2025, listed, &mut |node| {
        shards.push(node.cid);
        Ok(())
    })
    .unwrap();
    assert_eq!(root.cid.to_string(), "bafybeidbclfqleg2uojchspzd4bob56dqetqjsj27gy2cq3klkkgxtpn4i");
    let mut walked = 0;
    directory::nodes(&mut store, &directory, &mut |node| {
        walked += 1;
        assert!(node.cid == root.cid || shards.contains(&node.cid));
        Ok(())
    })
    .unwrap();
    assert_eq!(walked, shards.len() + 1);
    // Its files of several blocks are read as well.
    let file = directory::lookup(&mut store, &directory, "685.txt").unwrap().unwrap();
    if let Some(node) = store.nodes.get(&file.cid) {
        let node = file::FileNode::parse(&node.bytes).unwrap();
        assert_eq!(node.size, 1026);
        assert!(node.children.len() > 1);
    }
    // By the rules of the profile it isn't sharded: one edit makes it one block.
    let again = directory::edit(Profile::V1_2025, &mut store, Some(&directory), &[("1.txt".to_owned(), None)].into());
    let again = again.unwrap().unwrap();
    assert_eq!(NodeKind::of(&store.nodes[&again.cid].bytes).unwrap(), NodeKind::Directory);
}

#[test]
fn the_ancestors_tree_link_by_link() {
    let profile = Profile::V0_2015;
    let link = |cid: &str, tsize| Link { cid: cid.parse().unwrap(), tsize };
    let manifest = link("QmfH6vDuicd752ADNwEH3K78E8omaGW4M1XMHuNs1b1hKS", 12784);
    let tags = b"{\n  \"name\": \"nginx\",\n  \"tags\": [\n    \"alpine\"\n  ]\n}\n";
    let files = [
        ("v2/index.html", file::of_bytes(profile, b"").0),
        ("v2/nginx/blobs", link("QmSC7b3SddgVerVbgsn5Dsvg78uDHC94iEsag8d3CK95vR", 9_967_283)),
        ("v2/nginx/manifests/alpine", manifest),
        ("v2/nginx/manifests/sha256:6b0577bfa961af964eba99c023e9f4b79c0546b1e6db0988d12cdf98e801b01e", manifest),
        ("v2/nginx/tags/list", file::of_bytes(profile, tags).0),
    ];
    let edits: BTreeMap<_, _> = files.iter().map(|(path, link)| ((*path).to_owned(), Some(*link))).collect();
    let mut store = Memory::default();
    let root = tree::edit(profile, &mut store, None, &edits).unwrap();
    for (path, cid) in [
        ("v2/nginx/tags", "QmfHHcf688FLnNZV85z5Bk9kg9CEGXQrTEQ76wDtLBrgJZ"),
        ("v2/nginx/manifests", "QmeWtL4twN3bCpDX5vx26k4EpkgaqrAWdmaBtn5e5WcJdz"),
        ("v2/nginx", "QmfNp4bJcbbJW1F39VmSaUjtRuCnwWt72uPf1uEBF3UjmC"),
        ("v2", "QmTQSDfoMgH6tYc7ew4aZaJm6PJuRiDfWyWfJU4xuVLk8S"),
        ("", "QmQRbSGCsbo1Pu3Ce1u7jA1aFA7Ta3GAbwkFoVHoeEkMJy"),
    ] {
        let found = tree::lookup(&mut store, &root, path).unwrap().unwrap();
        assert_eq!(found.cid.to_string(), cid, "{path}");
    }
    // One file at a time gives the same root.
    let mut grown = None;
    for (path, link) in files.iter().rev() {
        grown =
            Some(tree::edit(profile, &mut store, grown.as_ref(), &[((*path).to_owned(), Some(*link))].into()).unwrap());
    }
    assert_eq!(grown, Some(root));
}

#[test]
fn the_empty_gzip_layer() {
    let hex = "1f8b080000096e8800ff621805a360148c5800080000ffff2eafb5ef00040000";
    let layer: Vec<u8> =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
    assert!(Digest::of(&layer).to_string().starts_with("sha256:a3ed95ca"));
    assert_eq!(file_cid(Profile::V0_2015, &layer), "QmRCsXVnbyvbQewGnQXc7berXzZfRwi7J1qQd3dBUW4Xad");
    // With leaves of plain bytes the CID needs no reading.
    let cid = file::root(Profile::V1_2025, 32, &[*Digest::of(&layer).as_bytes()]).unwrap().cid;
    assert_eq!(cid.to_string(), file_cid(Profile::V1_2025, &layer));
    assert_eq!(file::leaf_frame(Profile::V0_2015, 32), data::leaf_frame(32));
}
