//! Leases: shared among who uses blobs, in the way of who deletes them, over as soon as their process is.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;

use super::*;

#[test]
fn many_use_blobs_and_nobody_deletes_them_meanwhile() {
    let (directory, store) = store();
    let other = Store::open(&directory.path().join("data")).unwrap();
    let first = store.try_lease("add app:1").unwrap().unwrap();
    let second = other.try_lease("export /srv").unwrap().unwrap();
    let who = store.try_reclaim("gc").unwrap().unwrap_err();
    let says = |who: &str, doing: &str| who.starts_with(&format!("process {} (`{doing}`, since ", std::process::id()));
    let who = who.to_string();
    assert!(says(&who, "add app:1") || says(&who, "export /srv"), "{who}");
    drop(first);
    assert!(says(&store.try_reclaim("gc").unwrap().unwrap_err().to_string(), "export /srv"));
    drop(second);
    let reclaim = reclaim(&store);
    assert!(says(&other.try_lease("add app:2").unwrap().unwrap_err().to_string(), "gc"));
    assert_eq!(other.try_reclaim("gc").unwrap().map(drop).unwrap_err().to_string(), "another process");
    drop(reclaim);
    other.try_lease("add app:2").unwrap().unwrap();
    let leases = directory.path().join("data/leases");
    assert_eq!(names_in(&leases), ["lock"]);
    assert_eq!(leases.join("lock").metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_killed_process_has_no_lease() {
    let directory = TempDir::new().unwrap();
    let output = in_a_process(&["env"], "store::tests::leases::dies_with_a_lease", directory.path());
    assert_eq!(output.status.signal(), Some(6), "{output:?}");
    let leases = directory.path().join("data/leases");
    assert_eq!(names_in(&leases).len(), 2, "it left its note");
    let store = Store::open(&directory.path().join("data")).unwrap();
    drop(reclaim(&store));
    assert_eq!(names_in(&leases), ["lock"]);
}

#[test]
#[ignore = "the inner half of another test"]
fn dies_with_a_lease() {
    let Some(directory) = given_directory() else { return };
    let store = Store::open(&directory.join("data")).unwrap();
    let _lease = store.try_lease("add").unwrap().unwrap();
    std::process::abort();
}

#[test]
fn who_can_only_read_has_one_as_far_as_that_goes() {
    let (directory, store) = store();
    let reader = Store::open_read_only(&directory.path().join("data")).unwrap();
    let lease = reader.try_lease("export").unwrap().unwrap();
    store.try_reclaim("gc").unwrap().unwrap_err();
    drop(lease);
    drop(reclaim(&store));
    // One that no writer of this version has opened yet.
    fs::remove_dir_all(directory.path().join("data/leases")).unwrap();
    let _lease = reader.try_lease("export").unwrap().unwrap();
    store.try_reclaim("gc").unwrap().unwrap_err();
}
