//! Exports: complete, exactly the tree, and never outside their directory.

use std::collections::{BTreeSet, HashMap};

use cid::Cid;

use super::*;

fn varint(bytes: &[u8], at: &mut usize) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return value;
        }
    }
}

/// The fields of a protobuf message that are bytes.
fn fields(bytes: &[u8]) -> Vec<(u64, &[u8])> {
    let (mut all, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let key = varint(bytes, &mut at);
        let value = varint(bytes, &mut at);
        if key & 7 == 2 {
            all.push((key >> 3, &bytes[at..at + value as usize]));
            at += value as usize;
        }
    }
    all
}

/// The blocks of a CAR by CID, each of which must be there once and be what it says.
fn blocks(path: &Path) -> (HashMap<Cid, Vec<u8>>, usize) {
    let bytes = std::fs::read(path).unwrap();
    let mut at = 0;
    let header = varint(&bytes, &mut at) as usize;
    at += header;
    let (mut all, mut count) = (HashMap::new(), 0);
    while at < bytes.len() {
        let length = varint(&bytes, &mut at) as usize;
        let mut block = &bytes[at..at + length];
        let cid = Cid::read_bytes(&mut block).unwrap();
        crate::unixfs::verify_block(&cid, block).unwrap();
        assert!(all.insert(cid, block.to_vec()).is_none(), "{cid} twice");
        (at, count) = (at + length, count + 1);
    }
    (all, count)
}

#[tokio::test]
async fn a_car_has_every_block_once() {
    for profile in [Profile::V1_2025, Profile::V0_2015] {
        let test = TestEngine::with(MemoryRegistry::builder().start().await.unwrap(), Some(profile));
        // Leaves that repeat within a file, between files, and that are a file of their own; an empty one as well.
        let repeated = ImageBuilder::new(platform("linux/amd64"))
            .opaque_layer(vec![7_u8; 3 << 20])
            .opaque_layer(vec![7_u8; 1 << 20])
            .opaque_layer(vec![7_u8; (2 << 20) + 5])
            .opaque_layer(vec![7_u8; 1 << 18])
            .opaque_layer(vec![7_u8; 50 << 20])
            .opaque_layer("")
            .build();
        test.put("app", "1", &repeated);
        test.put("app/below", "1", &index("one"));
        test.add(&["app:1", "app/below:1"]).await;
        let path = test.directory.path().join("tree.car");
        let exported = test.engine.export_car(&path, false, None, &Job::new().0).await.unwrap();
        let (blocks, count) = blocks(&path);
        assert_eq!(exported.blocks, count as u64);
        let (mut todo, mut seen) = (vec![exported.root], BTreeSet::new());
        while let Some(cid) = todo.pop() {
            if !seen.insert(cid) {
                continue;
            }
            let block = blocks.get(&cid).unwrap_or_else(|| panic!("{cid} is missing"));
            if cid.codec() == crate::unixfs::RAW {
                continue;
            }
            for (field, link) in fields(block) {
                if field == 2 {
                    let hash = fields(link).into_iter().find(|(field, _)| *field == 1).unwrap().1;
                    todo.push(Cid::try_from(hash).unwrap());
                }
            }
        }
        assert_eq!(seen.len(), blocks.len(), "blocks that nothing links");
    }
}

fn files(directory: &Path) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            all.extend(files(&entry.path()).into_iter().map(|below| format!("{name}/{below}")));
        } else {
            all.insert(name);
        }
    }
    all
}

#[tokio::test]
async fn a_former_export_becomes_the_new_one_and_nothing_else_is_touched() {
    use std::os::unix::fs::symlink;
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.put("app", "2", &index("two"));
    test.add(&["app:1", "app:2"]).await;
    let (target, outside) = (test.directory.path().join("tree"), test.directory.path().join("outside"));
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("precious"), "precious").unwrap();
    test.engine.export_directory(&target, ExportOptions::default(), &Job::new().0).await.unwrap();
    test.remove("app:2").await;
    // What someone else may have put there.
    std::fs::remove_file(target.join(".roadstead-export")).unwrap();
    symlink(target.join("index.html"), target.join("link")).unwrap();
    std::fs::remove_dir_all(target.join("v2")).unwrap();
    symlink(&outside, target.join("v2")).unwrap();
    std::fs::remove_file(target.join("index.html")).unwrap();
    symlink(outside.join("precious"), target.join("index.html")).unwrap();
    std::fs::write(outside.join("mark"), "marked").unwrap();
    symlink(outside.join("mark"), target.join(".roadstead-export")).unwrap();
    let _ = test.engine.export_directory(&target, ExportOptions::default(), &Job::new().0).await;
    assert_eq!(std::fs::read(outside.join("mark")).unwrap(), b"marked");
    std::fs::remove_file(target.join(".roadstead-export")).unwrap();
    std::fs::write(target.join(".roadstead-export"), "x").unwrap();
    let exported = test.engine.export_directory(&target, ExportOptions::default(), &Job::new().0).await.unwrap();
    let fresh = test.directory.path().join("fresh");
    test.engine.export_directory(&fresh, ExportOptions::default(), &Job::new().0).await.unwrap();
    assert_eq!(files(&target), files(&fresh));
    for file in files(&target) {
        assert!(!target.join(&file).is_symlink(), "{file}");
        assert_eq!(std::fs::read(target.join(&file)).unwrap(), std::fs::read(fresh.join(&file)).unwrap(), "{file}");
    }
    assert_eq!(exported.root.to_string(), test.root());
    assert_eq!(files(&outside), BTreeSet::from(["mark".to_owned(), "precious".to_owned()]));
    assert_eq!(std::fs::read(outside.join("precious")).unwrap(), b"precious");
}

#[tokio::test]
async fn an_export_says_what_it_wrote() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.put("app", "2", &index("two"));
    test.add(&["app:1"]).await;
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("tree");
    let export = async || test.engine.export_directory(&target, ExportOptions::default(), &Job::new().0).await.unwrap();
    let first = export().await;
    assert_eq!(first.written, first.files);
    assert!(first.written_bytes > 0 && first.written_bytes < first.bytes, "links take no room: {first:?}");
    let again = export().await;
    assert_eq!((again.files, again.written, again.written_bytes), (first.files, 0, 0));
    test.add(&["app:2"]).await;
    let more = export().await;
    assert!(more.written > 0 && more.written < more.files, "{more:?}");
}
