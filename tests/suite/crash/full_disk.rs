//! A disk without room: the words say which disk and how much, nothing half-written stays, and with room it goes on.

use super::local::Local;
use super::upstream::Upstream;
use super::{files, partials, random, says, sound_blobs};
use crate::peers::mounts::Mounts;
use std::path::{Path, PathBuf};
use std::process::Command;

const ADD: [&str; 2] = ["add", "upstream/app:1"];

/// A program whose disk has so much room, and where that is mounted.
fn with_disk(upstream: &Upstream, kibibytes: u32) -> (Local, PathBuf, Mounts) {
    let roadstead = Local::new(upstream);
    let disk = roadstead.path("disk");
    std::fs::create_dir(&disk).expect("a directory");
    let mounts = Mounts::disk(&disk, kibibytes);
    (roadstead, disk, mounts)
}

fn grow(mounts: &Mounts, disk: &Path) {
    mounts.shell("mount -o remount,size=64m \"$0\"", disk);
}

/// An `add` of layers of these sizes that does not fit, and then does.
fn add_goes_on_after_a_full_disk(kibibytes: u32, sizes: &[usize], words: &[&str]) {
    let upstream = Upstream::start();
    let layers: Vec<Vec<u8>> = sizes.iter().zip(1..).map(|(size, seed)| random(*size, seed)).collect();
    upstream.put("app", "1", &layers);
    let (roadstead, disk, mounts) = with_disk(&upstream, kibibytes);
    let data = disk.join("registry");
    let command = |words: &[&str]| roadstead.command_on(&data, words);
    let said = mounts.run(&command(&ADD)).failure(1);
    says(&said, &["error: ", "hint: Free some space there"]);
    says(&said, words);
    says(&said, &[&format!("`{}`", disk.display())]);
    let kept = sound_blobs(&mounts.seen(&data));
    mounts.run(&command(&["verify"])).success();
    mounts.run(&command(&["show", "upstream/app:1"])).failure(4);

    grow(&mounts, &disk);
    upstream.registry.forget_requests();
    mounts.run(&command(&ADD)).success();
    mounts.run(&command(&["verify"])).success();
    for (name, _) in kept {
        assert!(upstream.asked(&format!("sha256:{name}")).is_empty(), "it was here");
    }
    let found = sound_blobs(&mounts.seen(&data));
    for size in sizes {
        assert!(found.values().any(|found| *found == *size as u64));
    }
    assert_eq!(partials(&mounts.seen(&data)), [].into());
}

#[test]
fn a_layer_that_can_not_fit_is_not_begun() {
    let words = ["reserve space", "free, 5.7 MiB needed"];
    add_goes_on_after_a_full_disk(4096, &[300_000, 6_000_000], &words);
}

#[test]
fn a_disk_that_becomes_full_on_the_way_is_told_about() {
    add_goes_on_after_a_full_disk(2048, &[900_000, 900_001, 900_002], &["write", "free, ", " needed"]);
}

fn mirrored() -> (Upstream, Local, PathBuf, Mounts) {
    let (upstream, _) = Upstream::with_app();
    let (roadstead, disk, mounts) = with_disk(&upstream, 600);
    roadstead.ok(&ADD);
    (upstream, roadstead, disk, mounts)
}

#[test]
fn an_export_of_files_goes_on_after_a_full_disk() {
    let (_upstream, roadstead, disk, mounts) = mirrored();
    let target = disk.join("exported");
    let export = roadstead.command(&["export", target.to_str().expect("a path in UTF-8")]);
    let said = mounts.run(&export).failure(1);
    says(&said, &["error: ", &format!("{}", disk.display()), "free, ", "needed", "hint: Free some space there"]);
    assert!(!mounts.seen(&target).join("index.html").exists() || !complete(&mounts.seen(&target)));
    grow(&mounts, &disk);
    mounts.run(&export).success();
    assert!(complete(&mounts.seen(&target)));
    let elsewhere = roadstead.path("elsewhere");
    roadstead.ok(&["export", elsewhere.to_str().expect("a path in UTF-8")]);
    let mut diff = Command::new("diff");
    diff.arg("-r").arg(&elsewhere).arg(mounts.seen(&target)).current_dir("/");
    crate::peers::finish(&diff).success();
}

fn complete(target: &Path) -> bool {
    std::fs::read_to_string(target.join(".roadstead-export")).is_ok_and(|mark| mark.starts_with("bafy"))
}

#[test]
fn a_car_file_is_whole_or_not_there_after_a_full_disk() {
    let (_upstream, roadstead, disk, mounts) = mirrored();
    let target = disk.join("registry.car");
    let export = roadstead.command(&["export", target.to_str().expect("a path in UTF-8")]);
    let said = mounts.run(&export).failure(1);
    says(&said, &["error: can't write", "registry.car", "hint: Free some space there"]);
    assert_eq!(files(&mounts.seen(&disk)), [].into());
    grow(&mounts, &disk);
    mounts.run(&export).success();
    let elsewhere = roadstead.path("elsewhere.car");
    roadstead.ok(&["export", elsewhere.to_str().expect("a path in UTF-8")]);
    let [one, other] = [elsewhere, mounts.seen(&target)].map(|path| std::fs::read(path).expect("a file"));
    assert!(one == other, "another file");
}

#[test]
fn the_catalog_stays_as_it_was_and_can_be_read_on_a_full_disk() {
    let (upstream, _) = Upstream::with_app();
    let (roadstead, disk, mounts) = with_disk(&upstream, 16 << 10);
    let data = disk.join("registry");
    let run = |words: &[&str]| mounts.run(&roadstead.command_on(&data, words));
    run(&ADD).success();
    let root = run(&["root"]).success();
    // Until not one byte more fits.
    mounts.shell("cat /dev/zero >\"$0/filler\" 2>/dev/null; test \"$(stat -f -c %f \"$0\")\" = 0", &disk);
    let said = run(&["remove", "upstream/app:1", "--yes"]).failure(1);
    says(&said, &["error: ", "catalog.db", "hint: Free some space there"]);
    for words in [&["list"][..], &["show", "upstream/app:1"], &["stats"], &["verify"]] {
        run(words).success();
    }
    assert_eq!(run(&["root"]).success(), root);
    mounts.shell("rm \"$0/filler\"", &disk);
    run(&["remove", "upstream/app:1", "--yes"]).success();
    run(&["gc", "--yes"]).success();
    assert_eq!(sound_blobs(&mounts.seen(&data)), [].into());
}
