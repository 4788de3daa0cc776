//! Files of blobs that something else has changed: nobody is given them, whichever way, and what only looks changed is read once.

use std::fs;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};

use super::*;
use crate::engine::ExportOptions;
use crate::engine::query::content::Blob;
use crate::error::{Error, Kind};

const SIZE: usize = (2 << 20) + 5;

fn content() -> Vec<u8> {
    (0..SIZE).map(|i| (i % 251) as u8).collect()
}

async fn test() -> (TestEngine, Digest) {
    let test = TestEngine::new().await;
    test.put("app", "1", &ImageBuilder::new(platform("linux/amd64")).opaque_layer(content()).build());
    test.add(&["app:1"]).await;
    (test, Digest::of(&content()))
}

impl TestEngine {
    /// Whether the blob can be given out without reading it; else what reading it says.
    async fn given(&self, engine: &Engine, digest: &Digest) -> Result<bool, Error> {
        match engine.served_blob(&self.name("app"), digest, false)?.unwrap() {
            Blob::File(..) => Ok(true),
            Blob::Pending(pending, _) => pending.begin()?.reaches(0, 1).await.map(|_| false),
            Blob::Bytes(_) => panic!("a layer is a file"),
        }
    }

    fn reopened(&self) -> Arc<Engine> {
        Engine::open(options(self.directory.path(), None)).unwrap()
    }

    async fn exported(&self, name: &str) -> Result<std::path::PathBuf, Error> {
        let path = self.directory.path().join(name);
        self.engine.export_directory(&path, ExportOptions::default(), &Job::new().0).await.map(|_| path)
    }
}

/// The layer's file in an exported tree.
fn in_tree(tree: &Path, digest: &Digest) -> std::path::PathBuf {
    let mut left = vec![tree.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else if path.file_name().unwrap().to_str() == Some(&digest.to_string()) {
                return path;
            }
        }
    }
    panic!("{digest} is not in the tree");
}

/// Writes to a file until the file system can tell, and sets its time back as if nothing had been.
fn edit(path: &Path, byte: u8, set_back: bool) {
    let before = path.metadata().unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    let is_as_before = |now: fs::Metadata| (now.mtime(), now.mtime_nsec()) == (before.mtime(), before.mtime_nsec());
    while is_as_before(path.metadata().unwrap()) {
        file.write_all_at(&[byte], 1000).unwrap();
    }
    if set_back {
        file.set_modified(before.modified().unwrap()).unwrap();
    }
}

#[tokio::test]
async fn an_edit_of_an_exported_tree_is_given_to_nobody() {
    for set_back in [false, true] {
        let (test, digest) = test().await;
        let tree = test.exported("tree").await.unwrap();
        let stored = test.engine.store.path(&digest);
        edit(&in_tree(&tree, &digest), 0xff, set_back);
        if fs::read(&stored).unwrap() == content() {
            // The tree has files of its own here; then the store's is what is edited.
            edit(&stored, 0xff, set_back);
        }
        for engine in [Arc::clone(&test.engine), test.reopened()] {
            for _ in 0..2 {
                let error = test.given(&engine, &digest).await.unwrap_err();
                assert!(error.kind() == Kind::Verification && error.to_string().contains("damaged"), "{error}");
                assert!(error.hints()[0].contains("roadstead verify --repair"), "{error:?}");
            }
            // Once it is known to be damaged, nobody makes the disk read it again.
            assert!(engine.served_blob(&test.name("app"), &digest, false).is_err());
        }
        let error = test.exported("again").await.unwrap_err();
        assert_eq!(error.kind(), Kind::Verification, "{error}");
        let car = test.directory.path().join("tree.car");
        let error = test.engine.export_car(&car, false, None, &Job::new().0).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Verification, "{error}");
        // What is repaired is given out again, and stays so.
        let verified = Job::new().0.run(async |job: &Job| test.engine.verify(true, job).await).await.unwrap();
        assert_eq!(verified.repaired, [digest]);
        for engine in [Arc::clone(&test.engine), test.reopened()] {
            assert!(test.given(&engine, &digest).await.unwrap());
        }
    }
}

#[tokio::test]
async fn what_was_verified_is_not_read_again() {
    let (test, digest) = test().await;
    // By whoever added it, by another process, and by one that can't write.
    let read_only = Engine::open_read_only(options(test.directory.path(), None)).unwrap();
    for engine in [&test.engine, &test.reopened(), &read_only] {
        assert!(test.given(engine, &digest).await.unwrap());
    }
    // An export gives the file another name, which changes the inode.
    test.exported("tree").await.unwrap();
    for engine in [&test.engine, &test.reopened()] {
        assert!(test.given(engine, &digest).await.unwrap());
    }
}

#[tokio::test]
async fn what_only_looks_changed_is_read_once() {
    let (test, digest) = test().await;
    let stored = test.engine.store.path(&digest);
    let before = stored.metadata().unwrap();
    while (before.ctime(), before.ctime_nsec()) == stored.metadata().map(|now| (now.ctime(), now.ctime_nsec())).unwrap()
    {
        fs::set_permissions(&stored, before.permissions()).unwrap();
    }
    let read_only = Engine::open_read_only(options(test.directory.path(), None)).unwrap();
    for engine in [&read_only, &test.engine] {
        assert!(!test.given(engine, &digest).await.unwrap());
        assert!(test.given(engine, &digest).await.unwrap());
    }
    assert!(test.given(&test.reopened(), &digest).await.unwrap());
    // A catalog of an older version knows of no file.
    test.engine.catalog.write(|writer| Ok(writer.execute("DELETE FROM blob_stamps", [])?)).unwrap();
    let engine = test.reopened();
    assert!(!test.given(&engine, &digest).await.unwrap());
    assert!(test.given(&engine, &digest).await.unwrap());
    assert!(test.given(&test.reopened(), &digest).await.unwrap());
}

#[tokio::test]
async fn all_of_what_has_another_digest_is_given_to_nobody() {
    let test = TestEngine::new().await;
    let contents: Vec<Vec<u8>> = [1, 2].iter().map(|x| content().iter().map(|byte| byte ^ x).collect()).collect();
    let layers = contents
        .iter()
        .fold(ImageBuilder::new(platform("linux/amd64")), |builder, content| builder.opaque_layer(content.clone()));
    test.put("app", "1", &layers.build());
    test.add(&["app:1"]).await;
    let from = test.directory.path().join("tree.car");
    test.engine.export_car(&from, false, None, &Job::new().0).await.unwrap();
    let restored = super::restore::restore(&from, None, true).await.unwrap();
    let digests: Vec<Digest> = contents.iter().map(|content| Digest::of(content)).collect();
    // As a tree would have it that names one file by the other's digest.
    let swap = |writer: &crate::catalog::Writer<'_>| {
        let of = |digest: &Digest| crate::catalog::blobs::by_digest(writer, digest).unwrap().unwrap().id;
        let (one, other) = (of(&digests[0]), of(&digests[1]));
        writer.execute("CREATE TEMP TABLE was AS SELECT cid FROM blobs WHERE id = ?", [other])?;
        writer.execute("UPDATE blobs SET cid = x'00' WHERE id = ?", [other])?;
        writer.execute("UPDATE blobs SET cid = (SELECT cid FROM was) WHERE id = ?", [one])?;
        writer.execute("DELETE FROM blob_leaves WHERE blob = ?", [one])?;
        writer.execute("UPDATE blob_leaves SET blob = ? WHERE blob = ?", [one, other])?;
        Ok(())
    };
    restored.engine.catalog.write(swap).unwrap();
    let Some(Blob::Pending(pending, _)) = restored.engine.served_blob(&test.name("app"), &digests[0], false).unwrap()
    else {
        panic!("it was left elsewhere");
    };
    let mut arrival = pending.begin().unwrap();
    let mut position = 0;
    let error = loop {
        match arrival.reaches(position, 1).await {
            Ok((_, readable)) => position = readable.end,
            Err(error) => break error,
        }
    };
    assert!(position < SIZE as u64, "the last bytes are not given out before the digest is known");
    assert_eq!(error.kind(), Kind::Verification, "{error}");
    assert_eq!(restored.engine.store.size(&digests[0]).unwrap(), None);
}
