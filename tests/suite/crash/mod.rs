//! This machine going wrong under the built program: kills, signals, other writers, full and read-only disks, damage.
//!
//! After each, the exit code and the words are the truth, nothing that was verified is lost, and the same command goes on.
//! Knows the command line's contract and how the data directory is laid out; upstream is a registry in this process.

mod asking;
mod damage;
mod durable;
mod exports;
mod full_disk;
mod interface;
mod kills;
mod local;
mod moment;
mod pipes;
mod places;
mod read_only;
mod rule_runs;
pub(crate) mod running;
mod serving;
mod signals;
mod terminal;
mod upstream;
mod writers;

use roadstead::image::Digest;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Bytes like no others of another seed.
fn random(length: usize, seed: u64) -> Vec<u8> {
    use rand::{RngCore as _, SeedableRng as _};
    let mut bytes = vec![0; length];
    rand::rngs::SmallRng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

/// The names and lengths of the files in a directory; none if it isn't there.
pub(crate) fn files(directory: &Path) -> BTreeMap<String, u64> {
    let Ok(entries) = fs::read_dir(directory) else { return BTreeMap::new() };
    entries
        .map(|entry| entry.expect("an entry"))
        // What is renamed meanwhile is listed under its new name the next time.
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.metadata().ok()?.len())))
        .collect()
}

/// The stored blobs, each read and compared with its name.
#[track_caller]
pub(crate) fn sound_blobs(data_directory: &Path) -> BTreeMap<String, u64> {
    let directory = data_directory.join("blobs/sha256");
    let found = files(&directory);
    for name in found.keys() {
        let bytes = fs::read(directory.join(name)).expect("a blob");
        assert_eq!(Digest::of(&bytes).hex(), *name, "an unverified blob in {}", directory.display());
    }
    found
}

/// What was written of interrupted transfers.
pub(crate) fn partials(data_directory: &Path) -> BTreeMap<String, u64> {
    files(&data_directory.join("partial"))
}

/// Panics unless the text has all these words.
#[track_caller]
fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
}
