//! Exported trees: what changing one does to the store, and what is refused.

use super::local::Local;
use super::upstream::Upstream;
use super::{says, sound_blobs};
use crate::peers::{command, finish, program};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

fn mirrored() -> Local {
    let (upstream, _) = Upstream::with_app();
    let roadstead = Local::new(&upstream);
    roadstead.ok(&["add", "upstream/app:1"]);
    roadstead
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// The files of the layers in a tree.
fn layers(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(layers(&path));
        } else if path.metadata().expect("a file").len() >= 300_000 {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_tree_of_copies_can_be_changed_in_place() {
    let roadstead = mirrored();
    let target = roadstead.path("tree");
    let linked = roadstead.run(&["export", text(&target)]);
    // On a file system that shares blocks nothing is linked.
    if linked.stderr.contains("hard link") {
        says(&linked.stderr, &["The hard links are the blob store's own files", "`--copy`"]);
    }
    linked.success();
    // A former export of links becomes one of copies, and stays that.
    let copied = roadstead.run(&["export", "--copy", text(&target)]);
    assert!(!copied.stderr.contains("hard link"), "{copied}");
    copied.success();
    let again = roadstead.run(&["export", "--copy", text(&target)]);
    says(&again.stderr, &["all already there"]);
    let layers = layers(&target);
    assert!(!layers.is_empty());
    for layer in layers {
        assert_eq!(layer.metadata().expect("a file").nlink(), 1);
        let file = std::fs::OpenOptions::new().write(true).open(&layer).expect("a file of its own");
        file.write_all_at(b"damage", 1000).expect("written");
    }
    sound_blobs(&roadstead.data());
    roadstead.ok(&["verify"]);
}

#[test]
fn what_is_no_directory_and_no_car_file_is_not_begun() {
    let roadstead = mirrored();
    let target = roadstead.path("tree.tar");
    let said = roadstead.run(&["export", text(&target)]).failure(2);
    says(
        &said,
        &["tree.tar is named like an archive", "writes a directory or a CAR file", "hint: `roadstead export DIR`"],
    );
    assert!(!target.exists());
    let car = roadstead.path("tree.car");
    says(&roadstead.run(&["export", "--copy", text(&car)]).failure(2), &["`--copy` works only for a directory"]);
    assert!(!car.exists());
}

/// Whoever may write beside the target could once guess the name of the temporary file, which has its process in it.
#[test]
fn a_link_beside_a_car_file_is_not_written_through() {
    let roadstead = mirrored();
    let (precious, target) = (roadstead.path("precious"), roadstead.path("tree.car"));
    std::fs::write(&precious, "precious").expect("a file");
    let export = roadstead.command(&["export", text(&target)]);
    let mut shell = command(program("sh"), &roadstead.path(""));
    shell.args(["-c", "ln -s precious \".tree.car.$$.part\" && exec \"$0\" \"$@\""]);
    shell.arg(export.get_program()).args(export.get_args());
    finish(&shell).success();
    assert_eq!(std::fs::read(&precious).expect("a file"), b"precious");
    assert!(target.symlink_metadata().expect("a file").is_file());
}
