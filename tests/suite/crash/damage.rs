//! Damaged blobs and damaged databases: found, named, repaired, never given out as good.

use super::local::Local;
use super::upstream::Upstream;
use super::{says, sound_blobs};
use crate::peers::web;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

const ADD: [&str; 2] = ["add", "upstream/app:1"];

/// Changes a file in place, also a read-only one.
fn change(path: &Path, how: impl FnOnce(&fs::File)) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("permissions");
    how(&fs::File::options().write(true).open(path).expect("a file"));
}

fn flip(path: &Path) {
    use std::os::unix::fs::FileExt as _;
    let byte = fs::read(path).expect("a file")[1000];
    change(path, |file| file.write_all_at(&[byte ^ 1], 1000).expect("a byte"));
}

fn shorten(path: &Path) {
    change(path, |file| file.set_len(1000).expect("a length"));
}

fn delete(path: &Path) {
    fs::remove_file(path).expect("a file");
}

struct Mirrored {
    upstream: Upstream,
    roadstead: Local,
    /// The larger layer.
    digest: String,
    file: PathBuf,
}

fn mirrored() -> Mirrored {
    let (upstream, [_, digest]) = Upstream::with_app();
    let roadstead = Local::new(&upstream);
    roadstead.ok(&ADD);
    let file = roadstead.path("registry/blobs/sha256").join(&digest[7..]);
    Mirrored { upstream, roadstead, digest, file }
}

/// Whatever the damage is: it is found and named, not exported, and repaired.
fn is_found_and_repaired(damage: fn(&Path), problem: &str) {
    let Mirrored { upstream, roadstead, digest, file } = mirrored();
    let root = roadstead.root();
    damage(&file);
    let found = roadstead.run(&["verify"]);
    says(&found.stdout, &["damaged", &digest, problem, "upstream/app:1"]);
    says(&found.failure(8), &["error: 1 blob is damaged", "hint: `roadstead verify --repair` fetches them again."]);

    fs::write(roadstead.path("exported.car"), "old").expect("a file");
    let refused = roadstead.run(&["export", "exported.car"]);
    assert!([4, 8].contains(&refused.code), "{refused}");
    says(&refused.stderr, &["error: ", &digest, "hint: `roadstead verify --repair` fetches"]);
    assert_eq!(fs::read(roadstead.path("exported.car")).expect("a file"), b"old");
    // Another disk gets copies, this one links.
    let disk = Elsewhere::new();
    let targets = [disk.0.path().join("exported"), roadstead.path("exported")];
    for target in &targets {
        let refused = roadstead.run(&["export", target.to_str().expect("a path in UTF-8")]);
        assert!([4, 8].contains(&refused.code), "{refused}");
        says(&refused.stderr, &["error: ", &digest, "hint: `roadstead verify --repair` fetches"]);
    }

    upstream.registry.forget_requests();
    let repaired = roadstead.ok(&["verify", "--repair"]);
    says(&repaired, &["repaired", &digest]);
    assert_eq!(upstream.asked(&digest), [0]);
    sound_blobs(&roadstead.data());
    roadstead.ok(&["verify"]);
    assert_eq!(roadstead.root(), root);
    roadstead.ok(&["export", "exported.car"]);
    for target in targets {
        roadstead.ok(&["export", target.to_str().expect("a path in UTF-8")]);
        let name = format!("oci/v2/{}/app/blobs/{digest}", roadstead.published());
        let exported = fs::read(target.join(name)).expect("a file");
        assert_eq!(roadstead::image::Digest::of(&exported).to_string(), digest, "a former export is repaired too");
    }
}

/// A directory on another disk than the data directory.
struct Elsewhere(tempfile::TempDir);

impl Elsewhere {
    fn new() -> Self {
        Self(tempfile::tempdir_in("/dev/shm").expect("a directory in memory"))
    }
}

#[test]
fn a_flipped_bit_is_found_and_repaired() {
    is_found_and_repaired(flip, "1400000 bytes with the digest");
}

#[test]
fn a_truncated_blob_is_found_and_repaired() {
    is_found_and_repaired(shorten, "1000 bytes with the digest");
}

#[test]
fn a_deleted_blob_is_found_and_repaired() {
    is_found_and_repaired(delete, "its file is missing");
}

#[test]
fn what_upstream_no_longer_has_stays_damaged_in_words() {
    let Mirrored { upstream, roadstead, digest, file } = mirrored();
    flip(&file);
    let repository = "app".parse().expect("a name");
    assert!(upstream.registry.remove_blob(&repository, &digest.parse().expect("a digest")));
    let left = roadstead.run(&["verify", "--repair"]);
    says(&left.stdout, &["damaged", &digest, "it can't be repaired", "upstream/app:1"]);
    says(&left.failure(8), &["error: 1 blob is damaged", "hint: Upstream did not provide them"]);
    assert!(file.exists(), "what there is stays until there is better");
}

#[test]
fn a_server_gives_out_no_damaged_blob() {
    let Mirrored { roadstead, digest, file, .. } = mirrored();
    let serving = roadstead.serve();
    let url = format!("{}/v2/{}/app/blobs/{digest}", serving.url, roadstead.published());
    web::get(&url).expect(200);
    for damage in [flip, shorten, delete] {
        damage(&file);
        let refused = web::get(&url).expect(500);
        assert!(refused.text().contains(r#""errors""#), "{}", refused.text());
    }
    web::get(&format!("{}/v2/{}/app/manifests/1", serving.url, roadstead.published())).expect(200);
}

#[test]
fn an_add_fetches_what_is_missing_again() {
    let Mirrored { upstream, roadstead, digest, file } = mirrored();
    delete(&file);
    upstream.registry.forget_requests();
    roadstead.ok(&ADD);
    assert_eq!(upstream.asked(&digest), [0]);
    roadstead.ok(&["verify"]);
}

/// A database damaged like this is told about by everyone, and is not what the blobs depend on.
fn is_no_end(damage: impl Fn(&Path)) {
    let Mirrored { upstream, roadstead, digest, .. } = mirrored();
    let root = roadstead.root();
    let catalog = roadstead.path("registry/catalog.db");
    damage(&catalog);
    for words in [&["list"][..], &["stats"], &["verify"], &["gc", "--yes"], &ADD] {
        let said = roadstead.run(words).failure(8);
        says(&said, &["error: ", "catalog.db", "hint: The file is damaged. Move it away and add the images again"]);
    }
    fs::rename(&catalog, roadstead.path("damaged.db")).expect("a file");
    upstream.registry.forget_requests();
    roadstead.ok(&ADD);
    assert!(upstream.asked(&digest).is_empty(), "it was here");
    let blobs = upstream.registry.log().iter().filter(|request| request.path.contains("/blobs/")).count();
    assert_eq!(blobs, 0, "everything was here");
    assert_eq!(roadstead.root(), root);
    roadstead.ok(&["verify"]);
}

#[test]
fn garbage_for_a_database_is_no_end() {
    is_no_end(|catalog| fs::write(catalog, super::random(100_000, 5)).expect("a file"));
}

#[test]
fn a_truncated_database_is_no_end() {
    is_no_end(|catalog| {
        let length = catalog.metadata().expect("a file").len();
        change(catalog, |file| file.set_len(length / 3).expect("a length"));
    });
}

/// What a kill at the very beginning leaves is told from an old version's.
#[test]
fn an_empty_database_is_a_catalog_that_was_never_set_up() {
    let Mirrored { upstream, roadstead, .. } = mirrored();
    let root = roadstead.root();
    fs::write(roadstead.path("registry/catalog.db"), "").expect("a file");
    for words in [&["list"][..], &["root"], &["verify"], &["gc", "--yes"]] {
        let said = roadstead.run(words).failure(4);
        says(&said, &["error: ", "catalog.db", "is not set up", "hint: `roadstead add REF`"]);
    }
    roadstead.ok(&ADD);
    assert_eq!(roadstead.root(), root);
    drop(upstream);
}

#[test]
fn the_catalog_of_a_newer_version_is_refused() {
    let Mirrored { roadstead, .. } = mirrored();
    let connection = rusqlite::Connection::open(roadstead.path("registry/catalog.db")).expect("a database");
    connection.pragma_update(None, "user_version", 1000).expect("a version");
    drop(connection);
    for words in [&["list"][..], &["root"], &["gc", "--yes"], &ADD] {
        let said = roadstead.run(words).failure(2);
        says(&said, &["error: ", "catalog.db", "1000", "hint: A newer roadstead has used it"]);
    }
}
