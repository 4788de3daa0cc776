//! A full disk and a read-only one: small file systems in memory, in a mount namespace of their own.

use super::*;
use crate::error::Kind;

/// Runs an ignored test where its directory is a new file system of 4 MiB, if that is permitted.
fn on_a_small_disk(test: &str) {
    let directory = TempDir::new().unwrap();
    let place = directory.path().to_str().unwrap();
    let mount = "mount -t tmpfs -o size=4m none \"$0\" && exec \"$@\"";
    let prefix = ["unshare", "--mount", "--map-root-user", "sh", "-c", mount, place];
    let permitted = Command::new(prefix[0]).args(&prefix[1..]).arg("true").status();
    if !permitted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: mounting is not permitted here");
        return;
    }
    let output = in_a_process(&prefix, &format!("store::tests::full_disk::{test}"), directory.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "the inner test did not run");
}

#[test]
fn too_large_for_the_disk_is_told_at_once() {
    let (directory, store) = store();
    let digest = Digest::of(b"");
    for beyond in [1 << 30, u64::MAX / 2] {
        let size = store.free_space().unwrap() + beyond;
        let error = store.begin(digest, size, Profile::V1_2025).unwrap_err();
        assert_eq!(error.kind(), Kind::Unexpected);
        let message = error.to_string();
        assert!(message.contains("the disk mounted at `/"), "{message}");
        assert!(message.contains("needed") && message.contains("free"), "{message}");
        assert!(error.hints()[0].starts_with("Free some space"), "{error:?}");
        // Nothing of it stays, not even an empty file.
        assert!(!partial_of(&directory, &digest).exists());
    }
}

#[test]
fn a_disk_that_fills_up() {
    on_a_small_disk("fills_up");
}

#[test]
#[ignore = "the inner half of another test"]
fn fills_up() {
    let Some(disk) = given_directory() else { return };
    let store = Store::open(&disk.join("data")).unwrap();
    let large = bytes(3 << 20, 1);
    let small = bytes(900 << 10, 2);

    // What never fits is told at once, and what the first has reserved the second can't have.
    let mut writer = store.begin(Digest::of(&large), 3 << 20, Profile::V1_2025).unwrap();
    let error = store.begin(Digest::of(b"2"), 5 << 20, Profile::V1_2025).unwrap_err().to_string();
    assert!(error.contains(&format!("the disk mounted at `{}`", disk.display())), "{error}");
    assert!(error.contains("5.0 MiB needed"), "{error}");
    writer.write(&large[..3 << 19]).unwrap();
    let error = store.begin(Digest::of(b"2"), 2 << 20, Profile::V1_2025).unwrap_err().to_string();
    assert!(error.contains("2.0 MiB needed"), "{error}");

    // Room that is not reserved may be gone when it is wanted: the rest of the disk is taken away in between.
    let mut unlucky = store.begin(Digest::of(&small), 900 << 10, Profile::V0_2015).unwrap();
    unlucky.write(&small[..300 << 10]).unwrap();
    let filler = disk.join("filler");
    fs::write(&filler, vec![1; (store.free_space().unwrap() - (100 << 10)) as usize]).unwrap();
    let error = unlucky.write(&small[300 << 10..]).unwrap_err();
    assert!(error.to_string().contains("600 KiB needed"), "{error}");
    assert_eq!(error.hints().len(), 1);
    drop(unlucky);
    let error = store.put_bytes(&small, Profile::V1_2025).unwrap_err();
    assert!(error.to_string().contains("900 KiB needed"), "{error}");

    // The reserved room was not taken away.
    writer.write(&large[3 << 19..]).unwrap();
    assert_eq!(writer.commit().unwrap(), digests(Profile::V1_2025, &large));

    // Once there is room again, the other one goes on where it was.
    fs::remove_file(filler).unwrap();
    let mut unlucky = store.begin(Digest::of(&small), 900 << 10, Profile::V0_2015).unwrap();
    assert_eq!(unlucky.position(), 300 << 10);
    unlucky.write(&small[300 << 10..]).unwrap();
    assert_eq!(unlucky.commit().unwrap(), digests(Profile::V0_2015, &small));
    assert_eq!(names_in(&disk.join("data/partial")), [""; 0]);

    // A copy that doesn't fit leaves nothing behind.
    let elsewhere = TempDir::new().unwrap();
    let outside = Store::open(elsewhere.path()).unwrap();
    let digest = put(&outside, &bytes(2 << 20, 3));
    let error = link_out(&outside, &digest, &disk.join("out")).unwrap_err().to_string();
    assert!(error.contains("2.0 MiB needed"), "{error}");
    assert_eq!(names_in(&disk), ["data"]);
}

#[test]
fn a_read_only_disk() {
    on_a_small_disk("is_read_only");
}

#[test]
#[ignore = "the inner half of another test"]
fn is_read_only() {
    let Some(disk) = given_directory() else { return };
    let data = disk.join("data");
    let digest = put(&Store::open(&data).unwrap(), b"blob");
    let remount = Command::new("mount").args(["-o", "remount,bind,ro"]).arg(&disk).status().unwrap();
    assert!(remount.success());
    let error = Store::open(&data).unwrap_err();
    assert!(error.to_string().starts_with("write to `"), "{error}");
    assert!(error.hints()[0].starts_with("Check its permissions"), "{error:?}");
    Store::open(&disk.join("other")).unwrap_err();
    let store = Store::open_read_only(&data).unwrap();
    assert!(store.verify(&digest, 4, Profile::V1_2025, &mut |_| {}).unwrap().is_good());
    assert_eq!(store.list().unwrap().count(), 1);
    let elsewhere = TempDir::new().unwrap();
    assert_eq!(link_out(&store, &digest, &elsewhere.path().join("out")).unwrap(), LinkKind::Copy);
}
