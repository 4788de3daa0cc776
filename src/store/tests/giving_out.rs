//! Exporting blobs as files.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::*;
use crate::error::Kind;

#[test]
fn a_hard_link_on_the_same_disk() {
    let (directory, store) = store();
    let digest = put(&store, b"blob");
    let out = directory.path().join("out");
    for _ in 0..2 {
        assert_eq!(store.link_out(&digest, &out).unwrap(), LinkKind::HardLink);
        let (ours, theirs) = (store.path(&digest).metadata().unwrap(), out.metadata().unwrap());
        assert_eq!((ours.ino(), ours.nlink()), (theirs.ino(), 2));
        assert_eq!(theirs.permissions().mode() & 0o777, 0o444);
    }
    let missing = store.link_out(&Digest::of(b"?"), &out).unwrap_err();
    assert_eq!(missing.kind(), Kind::NotFound);
    store.link_out(&digest, &directory.path().join("no/such/place")).unwrap_err();
}

#[test]
fn a_file_of_its_own_on_another_disk() {
    let (directory, store) = store();
    let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
    if elsewhere.path().metadata().unwrap().dev() == directory.path().metadata().unwrap().dev() {
        eprintln!("skipped: there is only one file system");
        return;
    }
    let data = bytes(2_500_000, 1);
    let digest = put(&store, &data);
    let out = elsewhere.path().join("out");
    for _ in 0..2 {
        assert_eq!(store.link_out(&digest, &out).unwrap(), LinkKind::Copy);
        assert_eq!(fs::read(&out).unwrap(), data);
        assert_eq!(out.metadata().unwrap().permissions().mode() & 0o777, 0o644);
    }
    // The same length is not enough.
    fs::write(&out, bytes(2_500_000, 2)).unwrap();
    assert_eq!(store.link_out(&digest, &out).unwrap_err().kind(), Kind::Usage);
    assert_eq!(fs::read(&out).unwrap(), bytes(2_500_000, 2));
    assert_eq!(names_in(elsewhere.path()), ["out"]);
}

#[test]
fn nothing_is_replaced_or_followed() {
    let (directory, store) = store();
    let digest = put(&store, b"blob");
    for place in [directory.path().to_owned(), "/dev/shm".into()] {
        let place = tempfile::tempdir_in(place).unwrap();
        let at = |name: &str| place.path().join(name);
        fs::write(at("other"), "other").unwrap();
        fs::write(at("same length"), "b1ob").unwrap();
        fs::create_dir(at("directory")).unwrap();
        symlink(at("target"), at("dangling")).unwrap();
        symlink(store.path(&digest), at("to the blob")).unwrap();
        for name in ["other", "same length", "directory", "dangling", "to the blob"] {
            let error = store.link_out(&digest, &at(name)).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{name}: {error}");
        }
        assert_eq!(fs::read(at("other")).unwrap(), b"other");
        assert_eq!(fs::read(at("same length")).unwrap(), b"b1ob");
        assert!(!at("target").exists());
        assert!(at("to the blob").symlink_metadata().unwrap().is_symlink());
        // The same bytes are fine, whoever wrote them.
        fs::write(at("same"), "blob").unwrap();
        assert_eq!(store.link_out(&digest, &at("same")).unwrap(), LinkKind::Copy);
        assert_eq!(names_in(place.path()).len(), 6);
    }
}
