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
        let kind = link_out(&store, &digest, &out).unwrap();
        if kind == LinkKind::Reflink {
            eprintln!("skipped: the file system shares blocks");
            return;
        }
        assert_eq!(kind, LinkKind::HardLink);
        let (ours, theirs) = (store.path(&digest).metadata().unwrap(), out.metadata().unwrap());
        assert_eq!((ours.ino(), ours.nlink()), (theirs.ino(), 2));
        assert_eq!(theirs.permissions().mode() & 0o777, 0o444);
    }
    let missing = link_out(&store, &Digest::of(b"?"), &out).unwrap_err();
    assert_eq!(missing.kind(), Kind::NotFound);
    link_out(&store, &digest, &directory.path().join("no/such/place")).unwrap_err();
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
        assert_eq!(link_out(&store, &digest, &out).unwrap(), LinkKind::Copy);
        assert_eq!(store.exporter(true).former(&digest, &out), Some(LinkKind::Copy));
        assert_eq!(fs::read(&out).unwrap(), data);
        assert_eq!(out.metadata().unwrap().permissions().mode() & 0o777, 0o644);
    }
    // The same length is not enough.
    fs::write(&out, bytes(2_500_000, 2)).unwrap();
    assert_eq!(link_out(&store, &digest, &out).unwrap_err().kind(), Kind::Usage);
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
            let error = link_out(&store, &digest, &at(name)).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{name}: {error}");
        }
        assert_eq!(fs::read(at("other")).unwrap(), b"other");
        assert_eq!(fs::read(at("same length")).unwrap(), b"b1ob");
        assert!(!at("target").exists());
        assert!(at("to the blob").symlink_metadata().unwrap().is_symlink());
        // The same bytes are fine, whoever wrote them.
        fs::write(at("same"), "blob").unwrap();
        assert_eq!(link_out(&store, &digest, &at("same")).unwrap(), LinkKind::Copy);
        assert_eq!(names_in(place.path()).len(), 6);
    }
}

#[test]
fn a_change_of_a_copy_leaves_the_store_as_it_is() {
    let (directory, store) = store();
    let data = bytes(100_000, 3);
    let digest = put(&store, &data);
    let out = directory.path().join("out");
    let copying = store.exporter(false);
    // On file systems that share blocks it is a reflink, which is as good.
    assert_ne!(copying.export(&digest, &out).unwrap(), LinkKind::HardLink);
    assert_eq!(copying.former(&digest, &out), Some(LinkKind::Copy));
    let about = out.metadata().unwrap();
    assert_ne!(about.ino(), store.path(&digest).metadata().unwrap().ino());
    assert_eq!(about.permissions().mode() & 0o777, 0o644);
    let file = fs::OpenOptions::new().write(true).open(&out).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"damage", 5).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert!(store.verify(&digest, 100_000, Profile::V1_2025, &mut |_| {}).unwrap().is_good());
    assert_eq!(copying.former(&digest, &out), None, "it was changed since");
    // What a former export has linked is no file of its own.
    fs::remove_file(&out).unwrap();
    fs::hard_link(store.path(&digest), &out).unwrap();
    assert_eq!(
        (copying.former(&digest, &out), store.exporter(true).former(&digest, &out)),
        (None, Some(LinkKind::HardLink))
    );
    assert_eq!(copying.export(&digest, &out).unwrap_err().kind(), Kind::Usage);
    assert_eq!(names_in(directory.path()).len(), 2, "nothing hidden is left");
}
