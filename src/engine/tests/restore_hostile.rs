//! Trees that lie: every lie is refused in words, and nothing is recorded that was not verified.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use cid::Cid;

use super::restore::{records, restore};
use super::*;
use crate::error::Kind;
use crate::unixfs::directory::{Node, NodeStore};
use crate::unixfs::{Link, car, directory, file, tree};

/// A tree in memory that can be made to lie.
pub(super) struct Forged {
    blocks: HashMap<Cid, Vec<u8>>,
    pub(super) root: Link,
}

impl NodeStore for Forged {
    fn get(&mut self, cid: &Cid) -> Result<Option<Node>> {
        let block = self.blocks.get(cid).cloned();
        // What it weighs counts for nothing where it is only read.
        Ok(block.map(|bytes| Node { cid: *cid, tsize: bytes.len() as u64, bytes, directory_size: None }))
    }

    fn put(&mut self, node: &Node) -> Result<()> {
        self.blocks.insert(node.cid, node.bytes.clone());
        Ok(())
    }
}

const PROFILE: Profile = Profile::V1_2025;

impl Forged {
    pub(super) fn read(path: &Path) -> Self {
        let mut reader = car::Reader::new(std::fs::File::open(path).unwrap()).unwrap();
        let root = Link { cid: reader.roots()[0], tsize: 0 };
        let mut blocks = HashMap::new();
        while let Some(block) = reader.block().unwrap() {
            blocks.insert(block.cid, block.bytes);
        }
        Self { blocks, root }
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) -> Link {
        let link = file::of_bytes(PROFILE, bytes).0;
        self.blocks.insert(link.cid, bytes.to_vec());
        link
    }

    fn node(&mut self, bytes: Vec<u8>) -> Link {
        use sha2::Digest as _;
        let cid = PROFILE.node_cid(&sha2::Sha256::digest(&bytes).into());
        let tsize = bytes.len() as u64;
        self.blocks.insert(cid, bytes);
        Link { cid, tsize }
    }

    fn set(&mut self, path: &str, link: Option<Link>) {
        let root = self.root;
        let edits = BTreeMap::from([(path.to_owned(), link)]);
        self.root = tree::edit(PROFILE, self, Some(&root), &edits).unwrap();
    }

    fn link(&mut self, path: &str) -> Link {
        let root = self.root;
        tree::lookup(self, &root, path).unwrap().unwrap()
    }

    pub(super) fn text(&mut self, path: &str) -> String {
        let link = self.link(path);
        String::from_utf8(self.blocks[&link.cid].clone()).unwrap()
    }

    pub(super) fn replace(&mut self, path: &str, from: &str, to: &str) {
        let text = self.text(path);
        assert!(text.contains(from), "{text}");
        let link = self.raw(text.replace(from, to).as_bytes());
        self.set(path, Some(link));
    }

    pub(super) fn write(&self, path: &Path) {
        let mut bytes = car::header(&[self.root.cid]);
        for (cid, block) in &self.blocks {
            bytes.extend(car::block_prefix(cid, block.len() as u64));
            bytes.extend(block);
        }
        std::fs::write(path, bytes).unwrap();
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A node of a file that links these, each said to have so many bytes.
fn file_node(children: &[(Link, u64)], size: u64) -> Vec<u8> {
    let mut node = Vec::new();
    for (link, _) in children {
        let cid = link.cid.to_bytes();
        let mut body = vec![0x0a, cid.len() as u8];
        body.extend(&cid);
        body.extend([0x12, 0x00, 0x18]);
        varint(&mut body, link.tsize);
        node.push(0x12);
        varint(&mut node, body.len() as u64);
        node.extend(body);
    }
    let mut data = vec![0x08, 0x02, 0x18];
    varint(&mut data, size);
    for (_, size) in children {
        data.push(0x20);
        varint(&mut data, *size);
    }
    node.push(0x0a);
    varint(&mut node, data.len() as u64);
    node.extend(data);
    node
}

pub(super) async fn forged() -> (TestEngine, PathBuf, Forged) {
    let test = TestEngine::new().await;
    test.put("app", "1", &image("linux/amd64", "one"));
    test.add(&["app:1"]).await;
    let path = test.directory.path().join("tree.car");
    test.engine.export_car(&path, false, None, &Job::new().0).await.unwrap();
    let forged = Forged::read(&path);
    (test, path, forged)
}

#[tokio::test]
async fn lies_are_refused_in_words() {
    let (test, path, _) = forged().await;
    let name = test.name("app");
    let record = format!("catalog/{name}/_repository.json");
    type Lie = Box<dyn Fn(&mut Forged, &str)>;
    let in_record = |from: &'static str, to: &'static str| -> Lie {
        let record = record.clone();
        Box::new(move |forged, _| forged.replace(&record, from, to))
    };
    let blob_of = |test: &TestEngine| {
        let reader = test.engine.catalog.read().unwrap();
        let mut all = Vec::new();
        crate::catalog::blobs::each_stored(&reader, |blob| {
            all.push(blob);
            Ok(())
        })
        .unwrap();
        all.into_iter().max_by_key(|blob| blob.size).unwrap()
    };
    let blob = blob_of(&test);
    let at = format!("oci/v2/{name}/blobs/{}", blob.digest);
    let forge_blob = |make: Box<dyn Fn(&mut Forged) -> Link>| -> Lie {
        let at = at.clone();
        Box::new(move |forged, _| {
            let link = make(forged);
            forged.set(&at, Some(link));
        })
    };
    let size = blob.size;
    let cases: Vec<(&str, Lie, &str, Kind)> = vec![
        ("no registry", Box::new(|forged, _| forged.set("catalog.json", None)), "no `catalog.json`", Kind::NotFound),
        (
            "newer",
            Box::new(|f, _| f.replace("catalog.json", "\"format\":1", "\"format\":9")),
            "format 9",
            Kind::Verification,
        ),
        (
            "pages",
            Box::new(|f, _| f.replace("catalog.json", "\"site_version\":2", "\"site_version\":7")),
            "version 7, but this program writes up to 2",
            Kind::Verification,
        ),
        (
            "profile",
            Box::new(|f, _| f.replace("catalog.json", "unixfs-v1-2025", "unixfs-v9")),
            "profile",
            Kind::Verification,
        ),
        (
            "a part elsewhere",
            Box::new(|f, _| f.replace("catalog.json", "catalog/_repositories", "catalog/../../x/_repositories")),
            "part",
            Kind::Verification,
        ),
        ("a record of another", in_record("\"name\":", "\"name\":\"other\",\"x\":"), "is about", Kind::Verification),
        (
            "a record that is missing",
            {
                let record = record.clone();
                Box::new(move |f: &mut Forged, _: &str| f.set(&record, None))
            },
            "missing",
            Kind::Verification,
        ),
        (
            "another image",
            in_record(
                "\"digest\":\"sha256:",
                "\"digest\":\"sha256:0000000000000000000000000000000000000000000000000000000000000000\",\"x\":\"sha256:",
            ),
            "not in the tree",
            Kind::NotFound,
        ),
        ("a blob that is missing", forge_blob(Box::new(|f| f.raw(b"short"))), "instead of", Kind::Verification),
        ("other bytes", forge_blob(Box::new(move |f| f.raw(&vec![9; size as usize]))), "sha256:", Kind::Verification),
        (
            "a directory as a blob",
            forge_blob(Box::new(|f| f.link("oci/v2"))),
            "not a node of a file",
            Kind::Verification,
        ),
        (
            "sizes that lie",
            forge_blob(Box::new(move |f| {
                let leaf = f.raw(b"tiny");
                let node = file_node(&[(leaf, size)], size);
                f.node(node)
            })),
            "should have",
            Kind::Verification,
        ),
        (
            "parts of nothing",
            forge_blob(Box::new(move |f| {
                let leaf = f.raw(&vec![1; size as usize]);
                let empty = f.raw(b"");
                let node = file_node(&[(empty, 0), (leaf, size)], size);
                f.node(node)
            })),
            "without bytes",
            Kind::Verification,
        ),
        (
            "parts of one byte",
            forge_blob(Box::new(move |f| {
                let leaf = f.raw(b"x");
                let node = file_node(&vec![(leaf, 1); size as usize], size);
                f.node(node)
            })),
            "small parts",
            Kind::Verification,
        ),
        (
            "endless depth",
            forge_blob(Box::new(move |f| {
                let mut link = f.raw(&vec![1; size as usize]);
                for _ in 0..40 {
                    let node = file_node(&[(link, size)], size);
                    link = f.node(node);
                }
                link
            })),
            "deep",
            Kind::Verification,
        ),
    ];
    for (what, lie, words, kind) in cases {
        let mut forged = Forged::read(&path);
        lie(&mut forged, &at);
        let target = path.with_extension("forged.car");
        forged.write(&target);
        let error = restore(&target, None, false).await.err().unwrap_or_else(|| panic!("{what} was taken"));
        assert!(error.to_string().contains(words), "{what}: {error}");
        assert_eq!(error.kind(), kind, "{what}: {error}");
    }
}

#[tokio::test]
async fn what_the_records_do_not_say_is_no_part_of_the_root() {
    let (test, path, mut forged) = forged().await;
    // A page was changed: all images are right, and the root can't be.
    let other = forged.raw(b"<html>other</html>");
    forged.set("index.html", Some(other));
    let target = path.with_extension("forged.car");
    forged.write(&target);
    let error = restore(&target, None, false).await.err().unwrap();
    assert!(error.to_string().contains(&test.root()), "{error}");
    assert!(error.hints()[0].contains("index.html"), "{:?}", error.hints());
}

#[tokio::test]
async fn damaged_files_and_links_out_of_a_directory_are_refused() {
    let (test, path, _) = forged().await;
    let bytes = std::fs::read(&path).unwrap();
    let target = path.with_extension("damaged.car");
    std::fs::write(&target, &bytes[..bytes.len() - 10]).unwrap();
    assert_eq!(records(&target, None).await.unwrap_err().kind(), Kind::Verification);
    let mut wrong = bytes.clone();
    let at = wrong.len() - 3;
    wrong[at] ^= 1;
    std::fs::write(&target, &wrong).unwrap();
    assert!(restore(&target, None, false).await.is_err());
    std::fs::write(&target, "no CAR at all, but long enough to be read as one").unwrap();
    assert_eq!(records(&target, None).await.unwrap_err().kind(), Kind::Verification);
    assert_eq!(records(&path.with_extension("none"), None).await.unwrap_err().kind(), Kind::NotFound);
    // A directory in which a blob is a link to a file of the same bytes, and one whose directory is a link.
    let tree = test.directory.path().join("tree");
    test.engine.export_directory(&tree, ExportOptions::default(), &Job::new().0).await.unwrap();
    let json = tree.join("catalog.json");
    let kept = tree.with_extension("json");
    std::fs::rename(&json, &kept).unwrap();
    std::os::unix::fs::symlink(&kept, &json).unwrap();
    let error = records(&tree, None).await.unwrap_err();
    assert!(error.to_string().contains("symbolic link"), "{error}");
    std::fs::remove_file(&json).unwrap();
    std::fs::rename(&kept, &json).unwrap();
    let outside = tree.with_extension("oci");
    std::fs::rename(tree.join("oci"), &outside).unwrap();
    std::os::unix::fs::symlink(&outside, tree.join("oci")).unwrap();
    assert!(restore(&tree, None, false).await.is_err());
    // Another root than the one that was asked for.
    let other = file::of_bytes(PROFILE, b"x").0.cid;
    assert_eq!(records(&tree, Some(other)).await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn names_that_are_paths_are_refused() {
    let (test, path, mut forged) = forged().await;
    // A directory whose entry is called `../x`, made by hand.
    let leaf = forged.raw(b"x");
    let mut node = Vec::new();
    let cid = leaf.cid.to_bytes();
    let name = b"../x";
    let mut body = vec![0x0a, cid.len() as u8];
    body.extend(&cid);
    body.extend([0x12, name.len() as u8]);
    body.extend(name);
    body.extend([0x18, 1]);
    node.push(0x12);
    varint(&mut node, body.len() as u64);
    node.extend(body);
    node.extend([0x0a, 0x02, 0x08, 0x01]);
    let bad = forged.node(node);
    assert!(directory::list(&mut forged, &bad, &mut |_, _| Ok(())).is_err());
    let blobs = format!("oci/v2/{}/blobs", test.name("app"));
    forged.set(&blobs, Some(bad));
    let target = path.with_extension("forged.car");
    forged.write(&target);
    let error = restore(&target, None, false).await.err().unwrap();
    assert_eq!(error.kind(), Kind::Verification, "{error}");
}
