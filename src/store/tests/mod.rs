//! The store on real disks: cut, killed, locked, full, damaged.

mod full_disk;
mod giving_out;
mod keeping;
mod leases;
mod writing;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use super::*;
use crate::image::Digest;
use crate::unixfs::Profile;
use crate::unixfs::hash::{FileDigests, FileHasher};

const BOTH: [Profile; 2] = [Profile::V1_2025, Profile::V0_2015];

fn store() -> (TempDir, Store) {
    let directory = TempDir::new().unwrap();
    let store = Store::open(&directory.path().join("data")).unwrap();
    (directory, store)
}

fn bytes(size: usize, seed: u32) -> Vec<u8> {
    (0..size as u32).map(|i| (i.wrapping_mul(0x9e37_79b9).wrapping_add(seed) >> 13) as u8).collect()
}

/// The digests in one pass; the hasher's own tests compare them with `sha2`.
fn digests(profile: Profile, data: &[u8]) -> FileDigests {
    let mut hasher = FileHasher::new(profile, data.len() as u64);
    hasher.update(data);
    let found = hasher.finish();
    assert_eq!(found.digest, Digest::of(data));
    found
}

fn put(store: &Store, data: &[u8]) -> Digest {
    store.put_bytes(data, Profile::V1_2025).unwrap().digest
}

/// The right to delete, which nobody else has.
fn reclaim(store: &Store) -> Reclaim {
    store.try_reclaim("gc").unwrap().unwrap()
}

/// Gives a blob out as cheaply as can be.
fn link_out(store: &Store, digest: &Digest, destination: &Path) -> crate::error::Result<LinkKind> {
    store.exporter(true).export(digest, destination)
}

fn partial_of(directory: &TempDir, digest: &Digest) -> std::path::PathBuf {
    directory.path().join("data/partial").join(digest.hex())
}

fn names_in(directory: &Path) -> Vec<String> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Runs one ignored test of this file in a process of its own, started by `prefix`, with a directory to work in.
fn in_a_process(prefix: &[&str], test: &str, directory: &Path) -> Output {
    let mut words: Vec<&std::ffi::OsStr> = prefix.iter().map(std::ffi::OsStr::new).collect();
    let program = std::env::current_exe().unwrap();
    words.push(program.as_os_str());
    Command::new(words[0])
        .args(&words[1..])
        .args(["--exact", "--ignored", "--nocapture", "--test-threads=1", test])
        .env("ROADSTEAD_TEST_DIRECTORY", directory)
        .output()
        .unwrap()
}

/// The directory that [`in_a_process`] gave; none if someone runs the ignored tests alone.
fn given_directory() -> Option<std::path::PathBuf> {
    std::env::var_os("ROADSTEAD_TEST_DIRECTORY").map(Into::into)
}
