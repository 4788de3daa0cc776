//! Writing, resuming, refusing.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::error::Kind;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn resumed_anywhere_it_is_the_same_blob(
        size in prop_oneof![0usize..3_000, 0usize..3_000_000],
        seed in any::<u32>(),
        pieces in prop::collection::vec(1usize..400_000, 1..6),
        cuts in prop::collection::vec(0.0..1.0, 0..4),
        v1 in any::<bool>(),
    ) {
        let profile = if v1 { Profile::V1_2025 } else { Profile::V0_2015 };
        let data = bytes(size, seed);
        let expected = digests(profile, &data);
        let (directory, store) = store();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| (size as f64 * cut) as usize).collect();
        cuts.sort_unstable();
        let mut pieces = pieces.iter().cycle();
        let mut until = 0;
        for end in cuts.into_iter().chain([size]) {
            let mut writer = store.begin(expected.digest, size as u64, profile).unwrap();
            // Everything from before the cut is there, so that none of it need be fetched again.
            prop_assert_eq!(writer.position(), until as u64);
            while until < end {
                let next = end.min(until + pieces.next().unwrap());
                writer.write(&data[until..next]).unwrap();
                until = next;
            }
            prop_assert!(!store.contains(&expected.digest, size as u64).unwrap());
            if end == size {
                prop_assert_eq!(&writer.commit().unwrap(), &expected);
                break;
            }
            writer.abandon(true);
        }
        prop_assert!(store.contains(&expected.digest, size as u64).unwrap());
        prop_assert_eq!(fs::read(store.path(&expected.digest)).unwrap(), data);
        prop_assert!(!partial_of(&directory, &expected.digest).exists());
    }
}

#[test]
fn a_committed_blob_is_read_only_and_in_its_place() {
    let (directory, store) = store();
    let data = bytes(100_000, 1);
    let digest = Digest::of(&data);
    let mut writer = store.begin(digest, 100_000, Profile::V1_2025).unwrap();
    writer.write(&data).unwrap();
    writer.commit().unwrap();
    store.sync_directory().unwrap();
    let path = directory.path().join("data/blobs/sha256").join(digest.hex());
    assert_eq!(path, store.path(&digest));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o444);
    assert_eq!(names_in(&directory.path().join("data/partial")), [""; 0]);
    // Written again, as a repair does, over the read-only file.
    let mut again = store.begin(digest, 100_000, Profile::V1_2025).unwrap();
    again.write(&data).unwrap();
    again.commit().unwrap();
    assert_eq!(fs::read(path).unwrap(), data);
}

#[test]
fn a_killed_process_leaves_what_it_wrote() {
    let directory = TempDir::new().unwrap();
    let output = in_a_process(&["env"], "store::tests::writing::dies_while_it_writes", directory.path());
    assert_eq!(output.status.signal(), Some(6), "{output:?}");
    let store = Store::open(&directory.path().join("data")).unwrap();
    let data = bytes(3_000_000, 2);
    let mut writer = store.begin(Digest::of(&data), 3_000_000, Profile::V1_2025).unwrap();
    assert_eq!(writer.position(), 2_000_001);
    writer.write(&data[2_000_001..]).unwrap();
    assert_eq!(writer.commit().unwrap(), digests(Profile::V1_2025, &data));
}

#[test]
#[ignore = "the inner half of another test"]
fn dies_while_it_writes() {
    let Some(directory) = given_directory() else { return };
    let store = Store::open(&directory.join("data")).unwrap();
    let data = bytes(3_000_000, 2);
    let mut writer = store.begin(Digest::of(&data), 3_000_000, Profile::V1_2025).unwrap();
    writer.write(&data[..2_000_001]).unwrap();
    std::process::abort();
}

#[test]
fn a_partial_that_is_of_no_use_starts_over() {
    let data = bytes(5_000, 3);
    let digest = Digest::of(&data);
    let (directory, store) = store();
    // Too long; and one that its own user can't open, or root can though nobody should.
    for (content, mode) in [(bytes(5_001, 3), 0o644), (bytes(5_001, 3), 0o000)] {
        let path = partial_of(&directory, &digest);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let writer = store.begin(digest, 5_000, Profile::V0_2015).unwrap();
        assert_eq!(writer.position(), 0);
    }
    // Complete, and killed before it got its name: nothing more to fetch.
    fs::write(partial_of(&directory, &digest), &data).unwrap();
    let writer = store.begin(digest, 5_000, Profile::V0_2015).unwrap();
    assert_eq!(writer.position(), 5_000);
    writer.commit().unwrap();
    // A directory in its place is nothing that could be repaired here.
    fs::create_dir(partial_of(&directory, &digest)).unwrap();
    let error = store.begin(digest, 5_000, Profile::V0_2015).unwrap_err();
    assert!(error.to_string().starts_with("open `"), "{error}");
}

#[test]
fn wrong_bytes_are_refused_and_deleted() {
    for profile in BOTH {
        let (directory, store) = store();
        let data = bytes(2_000_000, 4);
        let digest = Digest::of(&data);
        // A partial whose bytes were damaged, then resumed; and a blob that comes damaged.
        for (start, flipped) in [(700_000, 3), (0, 1_999_999)] {
            let mut damaged = data.clone();
            damaged[flipped] ^= 1;
            fs::write(partial_of(&directory, &digest), &damaged[..start]).unwrap();
            let mut writer = store.begin(digest, 2_000_000, profile).unwrap();
            writer.write(&damaged[start..]).unwrap();
            let error = writer.commit().unwrap_err();
            assert_eq!(error.kind(), Kind::Verification);
            assert!(error.to_string().contains(&digest.to_string()), "{error}");
            assert!(error.to_string().contains(&Digest::of(&damaged).to_string()), "{error}");
            assert!(!partial_of(&directory, &digest).exists());
            assert!(!store.contains(&digest, 2_000_000).unwrap());
        }
    }
}

#[test]
fn too_many_bytes_are_refused_before_they_are_written() {
    let (directory, store) = store();
    let data = bytes(1_000, 5);
    let digest = Digest::of(&data);
    let mut writer = store.begin(digest, 1_000, Profile::V1_2025).unwrap();
    writer.write(&data[..999]).unwrap();
    let error = writer.write(&data[..2]).unwrap_err();
    assert_eq!(error.kind(), Kind::Verification);
    assert_eq!(fs::metadata(partial_of(&directory, &digest)).unwrap().len(), 999);
    drop(writer);
    assert!(!partial_of(&directory, &digest).exists());
}

#[test]
fn too_few_bytes_are_refused_and_kept() {
    let (directory, store) = store();
    let data = bytes(1_000, 6);
    let digest = Digest::of(&data);
    let mut writer = store.begin(digest, 1_000, Profile::V1_2025).unwrap();
    writer.write(&data[..999]).unwrap();
    let error = writer.commit().unwrap_err();
    assert_eq!(error.kind(), Kind::Verification);
    assert!(error.to_string().contains("999 of 1000"), "{error}");
    let mut writer = store.begin(digest, 1_000, Profile::V1_2025).unwrap();
    assert_eq!(writer.position(), 999);
    writer.write(&data[999..]).unwrap();
    writer.commit().unwrap();
    assert!(!partial_of(&directory, &digest).exists());
}

#[test]
fn a_partial_changed_by_another_program_is_not_committed() {
    let (directory, store) = store();
    let data = bytes(1_000, 16);
    let mut writer = store.begin(Digest::of(&data), 1_000, Profile::V1_2025).unwrap();
    writer.write(&data).unwrap();
    let other = fs::OpenOptions::new().write(true).open(partial_of(&directory, &Digest::of(&data))).unwrap();
    other.set_len(10).unwrap();
    assert_eq!(writer.commit().unwrap_err().kind(), Kind::Verification);
    assert_eq!(store.list().unwrap().count(), 0);
}

#[test]
fn abandoned_it_stays_or_goes() {
    let (directory, store) = store();
    let digest = Digest::of(&bytes(1_000, 7));
    for (keep, written, stays) in [(true, 10, true), (false, 10, false), (true, 0, false)] {
        let mut writer = store.begin(digest, 1_000, Profile::V1_2025).unwrap();
        writer.write(&vec![0; written]).unwrap();
        writer.abandon(keep);
        assert_eq!(partial_of(&directory, &digest).exists(), stays, "{keep} {written}");
    }
}

#[test]
fn one_writer_at_a_time() {
    let (directory, store) = store();
    let data = bytes(1_000, 8);
    let digest = Digest::of(&data);
    let mut first = store.begin(digest, 1_000, Profile::V1_2025).unwrap();
    first.write(&data[..500]).unwrap();
    let other = Store::open(&directory.path().join("data")).unwrap();
    assert_eq!(other.begin(digest, 1_000, Profile::V1_2025).unwrap_err().kind(), Kind::Locked);
    // From another process too, and another user, who can only read the file, doesn't take it away.
    let path = partial_of(&directory, &digest);
    let flock = |command: &str| Command::new("flock").arg("-n").arg(&path).args(["-c", command]).status().unwrap();
    assert!(!flock("true").success());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    assert_eq!(other.begin(digest, 1_000, Profile::V1_2025).unwrap_err().kind(), Kind::Locked);
    assert_eq!(reclaim(&other).sweep_partials(&|_| false).unwrap(), 0);
    // A small blob needn't wait for it.
    put(&other, &data);
    first.write(&data[500..]).unwrap();
    first.commit().unwrap();
    other.begin(digest, 1_000, Profile::V1_2025).unwrap();
}

#[test]
fn a_file_that_was_committed_between_opening_and_locking_is_left_alone() {
    let (directory, store) = store();
    let digest = Digest::of(b"blob");
    let path = partial_of(&directory, &digest);
    let mut writer = store.begin(digest, 4, Profile::V1_2025).unwrap();
    let opened = fs::File::open(&path).unwrap();
    writer.write(b"blob").unwrap();
    writer.commit().unwrap();
    assert!(!partial::lock_named(&opened, &path, &digest).unwrap());
    drop(opened);
    fs::write(&path, "b").unwrap();
    assert!(partial::lock_named(&fs::File::open(&path).unwrap(), &path, &digest).unwrap());
}

#[test]
fn many_threads_that_want_the_same_blob_leave_it_whole() {
    let (directory, store) = store();
    let data = Arc::new(bytes(300_000, 9));
    let digest = Digest::of(&data);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let (store, data) = (store.clone(), Arc::clone(&data));
            scope.spawn(move || {
                for _ in 0..20 {
                    match store.begin(digest, 300_000, Profile::V1_2025) {
                        Ok(mut writer) => {
                            for piece in data.chunks(50_000) {
                                writer.write(piece).unwrap();
                            }
                            writer.commit().unwrap();
                        }
                        Err(error) => assert_eq!(error.kind(), Kind::Locked, "{error}"),
                    }
                    store.put_bytes(&data, Profile::V1_2025).unwrap();
                }
            });
        }
    });
    assert_eq!(fs::read(store.path(&digest)).unwrap(), *data);
    assert_eq!(names_in(&directory.path().join("data/partial")), [""; 0]);
}

/// Bytes on disk of what was received of a blob.
fn on_disk(partial: &Path) -> u64 {
    fs::metadata(partial).unwrap().blocks() * 512
}

#[test]
fn room_is_reserved_as_bytes_come_and_given_back() {
    let (directory, store) = store();
    let digest = Digest::of(b"");
    let mut writer = store.begin(digest, 1 << 30, Profile::V1_2025).unwrap();
    let partial = partial_of(&directory, &digest);
    writer.write(b"x").unwrap();
    // Whoever announces a large blob and sends a byte takes a byte's room.
    assert!(on_disk(&partial) < 1 << 20, "{}", on_disk(&partial));
    writer.write(&bytes((8 << 20) - 1, 10)).unwrap();
    // The length stays what was written, or a kill would leave zeros to resume from.
    assert_eq!(fs::metadata(&partial).unwrap().len(), 8 << 20);
    assert!(on_disk(&partial) >= 16 << 20, "{}", on_disk(&partial));
    for _ in 0..14 {
        writer.write(&bytes(8 << 20, 10)).unwrap();
    }
    assert!(on_disk(&partial) <= 190 << 20, "never more than 64 MiB ahead: {}", on_disk(&partial));
    drop(writer);
    assert!(on_disk(&partial) < 121 << 20, "{}", on_disk(&partial));
    assert_eq!(fs::metadata(&partial).unwrap().len(), 120 << 20);
}

#[test]
fn what_a_killed_process_had_reserved_is_given_back() {
    let directory = TempDir::new().unwrap();
    let output = in_a_process(&["env"], "store::tests::writing::dies_with_room_reserved", directory.path());
    assert_eq!(output.status.signal(), Some(6), "{output:?}");
    let store = Store::open(&directory.path().join("data")).unwrap();
    let digest = Digest::of(b"");
    let partial = partial_of(&directory, &digest);
    assert!(on_disk(&partial) >= 16 << 20, "{}", on_disk(&partial));
    let writer = store.begin(digest, 1 << 30, Profile::V1_2025).unwrap();
    assert_eq!(writer.position(), 8 << 20);
    assert!(on_disk(&partial) < 9 << 20, "{}", on_disk(&partial));
}

#[test]
#[ignore = "the inner half of another test"]
fn dies_with_room_reserved() {
    let Some(directory) = given_directory() else { return };
    let store = Store::open(&directory.join("data")).unwrap();
    let mut writer = store.begin(Digest::of(b""), 1 << 30, Profile::V1_2025).unwrap();
    writer.write(&bytes(8 << 20, 2)).unwrap();
    std::process::abort();
}

#[test]
fn large_files_are_synced_on_the_way() {
    for profile in BOTH {
        let (_directory, store) = store();
        let data = bytes(80 << 20, 11);
        let expected = digests(profile, &data);
        let mut writer = store.begin(expected.digest, data.len() as u64, profile).unwrap();
        for piece in data.chunks(3 << 20) {
            writer.write(piece).unwrap();
        }
        assert_eq!(writer.commit().unwrap(), expected);
    }
}

#[test]
fn a_failed_sync_is_told() {
    // A device that knows no sync, in place of a disk that fails one.
    let device = Arc::new(fs::File::open("/dev/null").unwrap());
    let mut flusher = flusher::Flusher::default();
    flusher.request(&device).unwrap();
    flusher.finish().unwrap_err();
    flusher.finish().unwrap();
    // And told while writing, not only at the end.
    while flusher.request(&device).is_ok() {
        std::thread::yield_now();
    }
    flusher.finish().unwrap();
}

#[test]
fn a_writer_moves_between_threads() {
    fn is_send<T: Send>() {}
    fn is_sync<T: Send + Sync>() {}
    is_send::<Writer>();
    is_sync::<Store>();
}
