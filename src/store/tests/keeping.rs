//! Opening, listing, verifying, removing.

use std::os::unix::fs::{FileExt as _, PermissionsExt as _};

use super::*;
use crate::error::Kind;

#[test]
fn opening_makes_only_the_data_directory() {
    let directory = TempDir::new().unwrap();
    let missing = directory.path().join("mount/data");
    let error = Store::open(&missing).unwrap_err();
    assert!(error.to_string().contains("there is no directory"), "{error}");
    assert!(error.hints()[0].starts_with("Mount its disk"), "{error:?}");
    assert_eq!(Store::open_read_only(&missing).unwrap_err().kind(), Kind::NotFound);
    assert_eq!(names_in(directory.path()), [""; 0]);
    fs::create_dir(directory.path().join("mount")).unwrap();
    Store::open(&missing).unwrap();
    let inner = ["", "blobs", "blobs/sha256", "partial", "leases"];
    let mode = |inner: &str| missing.join(inner).metadata().unwrap().permissions().mode() & 0o7777;
    for inner in inner {
        assert_eq!(mode(inner), 0o700, "{inner}: images may be private");
    }
    // As an older version has made them.
    for inner in &inner[1..] {
        fs::set_permissions(missing.join(inner), fs::Permissions::from_mode(0o755)).unwrap();
    }
    Store::open(&missing).unwrap();
    assert!(inner.iter().all(|inner| mode(inner) == 0o700));
    // Nothing to make the second time; and a file is no directory.
    Store::open(&missing).unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    Store::open(&directory.path().join("file")).unwrap_err();
}

#[test]
fn read_only_reads_all_and_writes_nothing() {
    let (directory, store) = store();
    let digest = put(&store, b"hello");
    let other = Digest::of(b"other");
    let mut writer = store.begin(other, 5, Profile::V1_2025).unwrap();
    writer.write(b"oth").unwrap();
    drop(writer);
    let reader = Store::open_read_only(&directory.path().join("data")).unwrap();
    assert!(reader.contains(&digest, 5).unwrap());
    assert_eq!(std::io::read_to_string(reader.open_blob(&digest).unwrap()).unwrap(), "hello");
    assert!(reader.verify(&digest, 5, Profile::V1_2025, &mut |_| {}).unwrap().is_good());
    assert_eq!(reader.list().unwrap().map(Result::unwrap).collect::<Vec<_>>(), [(digest, 5)]);
    assert_eq!(reader.partials().unwrap().map(Result::unwrap).collect::<Vec<_>>(), [(other, 3)]);
    assert!(reader.free_space().unwrap() > 0);
    for refused in [
        reader.begin(digest, 5, Profile::V1_2025).map(drop),
        reader.put_bytes(b"x", Profile::V1_2025).map(drop),
        reader.try_reclaim("gc").map(drop),
        reader.sync_directory(),
    ] {
        assert_eq!(refused.unwrap_err().kind(), Kind::Usage);
    }
    // An empty directory is an empty store.
    let empty = TempDir::new().unwrap();
    let reader = Store::open_read_only(empty.path()).unwrap();
    assert_eq!(reader.list().unwrap().count() + reader.partials().unwrap().count(), 0);
    assert!(!reader.contains(&digest, 5).unwrap());
    assert!(reader.free_space().unwrap() > 0);
    assert_eq!(names_in(empty.path()), [""; 0]);
}

#[test]
fn small_blobs_in_one_go() {
    let (directory, store) = store();
    for profile in BOTH {
        for data in [&b""[..], b"{}", &bytes(300_000, 1)] {
            assert_eq!(store.put_bytes(data, profile).unwrap(), digests(profile, data));
            assert_eq!(fs::read(store.path(&Digest::of(data))).unwrap(), data);
        }
    }
    assert_eq!(store.list().unwrap().count(), 3);
    assert_eq!(names_in(&directory.path().join("data/partial")), [""; 0]);
    // One that is there but damaged is replaced.
    let path = store.path(&Digest::of(b"{}"));
    fs::remove_file(&path).unwrap();
    fs::write(&path, "[]").unwrap();
    put(&store, b"{}");
    assert_eq!(fs::read(&path).unwrap(), b"{}");
}

#[test]
fn verify_tells_good_missing_and_damaged_apart() {
    for profile in BOTH {
        let (_directory, store) = store();
        let data = bytes(3_500_000, 2);
        let expected = digests(profile, &data);
        let size = data.len() as u64;
        put(&store, &data);
        let verify = |digest: &Digest| {
            let mut read = 0;
            (store.verify(digest, size, profile, &mut |count| read += count).unwrap(), read)
        };
        assert_eq!(verify(&expected.digest), (Verdict::Good(expected.clone()), size));
        assert_eq!(verify(&Digest::of(b"?")), (Verdict::Missing, 0));

        let path = store.path(&expected.digest);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        let place = 2_345_678;
        file.write_all_at(&[data[place] ^ 0x10], place as u64).unwrap();
        let (Verdict::Damaged(found), _) = verify(&expected.digest) else { panic!("a flipped bit was not found") };
        let differing: Vec<usize> =
            (0..found.leaves.len()).filter(|&leaf| found.leaves[leaf] != expected.leaves[leaf]).collect();
        assert_eq!(differing, [place / profile.chunk_size() as usize]);

        file.write_all_at(&data[place..=place], place as u64).unwrap();
        assert!(verify(&expected.digest).0.is_good());
        file.set_len(size - 1).unwrap();
        assert!(matches!(verify(&expected.digest).0, Verdict::Damaged(found) if found.size == size - 1));
        assert!(!store.contains(&expected.digest, size).unwrap());
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(matches!(verify(&expected.digest).0, Verdict::Unreadable(_)));
        assert_eq!(store.size(&expected.digest).unwrap(), None);
    }
}

#[test]
fn removing_says_what_it_frees() {
    let (directory, store) = store();
    let (kept, gone) = (put(&store, b"kept"), put(&store, b"gone!"));
    assert_eq!(reclaim(&store).remove(&gone).unwrap(), 5);
    assert_eq!(reclaim(&store).remove(&gone).unwrap(), 0);
    assert_eq!(store.list().unwrap().map(Result::unwrap).collect::<Vec<_>>(), [(kept, 4)]);
    assert_eq!(store.open_blob(&gone).unwrap_err().kind(), Kind::NotFound);
    // An exported tree still holds the bytes.
    link_out(&store, &kept, &directory.path().join("out")).unwrap();
    assert_eq!(reclaim(&store).remove(&kept).unwrap(), 0);
    assert_eq!(fs::read(directory.path().join("out")).unwrap(), b"kept");
}

#[test]
fn listing_passes_over_what_is_not_ours() {
    let (directory, store) = store();
    let digest = put(&store, b"blob");
    let blobs = directory.path().join("data/blobs/sha256");
    for name in ["lost+found", "README", &digest.hex()[1..], &digest.hex().to_uppercase()] {
        fs::write(blobs.join(name), "?").unwrap();
    }
    fs::create_dir(blobs.join(Digest::of(b"directory").hex())).unwrap();
    assert_eq!(store.list().unwrap().map(Result::unwrap).collect::<Vec<_>>(), [(digest, 4)]);
}

#[test]
fn sweeping_keeps_what_is_wanted_or_being_written() {
    let (directory, store) = store();
    let partials = directory.path().join("data/partial");
    let [wanted, unwanted, written] = [b"1", b"2", b"3"].map(|name| Digest::of(name));
    for digest in [wanted, unwanted] {
        fs::write(partial_of(&directory, &digest), bytes(10_000, 1)).unwrap();
    }
    let mut writer = store.begin(written, 10, Profile::V1_2025).unwrap();
    writer.write(b"x").unwrap();
    fs::write(partials.join(format!("{}.123.4", wanted.hex())), bytes(10_000, 1)).unwrap();
    fs::write(partials.join("notes.txt"), "not ours").unwrap();
    assert_eq!(store.partials().unwrap().count(), 3);
    assert!(reclaim(&store).sweep_partials(&|digest| *digest == wanted).unwrap() >= 20_000);
    let mut left = names_in(&partials);
    left.sort();
    let mut expected = vec![wanted.hex(), written.hex(), "notes.txt".to_owned()];
    expected.sort();
    assert_eq!(left, expected);
    drop(writer);
    reclaim(&store).sweep_partials(&|digest| *digest == wanted).unwrap();
    assert_eq!(store.partials().unwrap().map(Result::unwrap).collect::<Vec<_>>(), [(wanted, 10_000)]);
}
