//! The fuzz targets that `fuzz/` has: each is written, begins with something, and runs in the workflow.
//!
//! Reads files as text; builds nothing, since a target takes cargo-fuzz.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What all seeds may take together: they begin a search, and what it finds is kept elsewhere.
const MAX_SEEDS_SIZE: u64 = 256 << 10;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_target_is_written_has_seeds_and_runs() {
    let fuzz = root().join("fuzz");
    let manifest: toml::Table = std::fs::read_to_string(fuzz.join("Cargo.toml")).unwrap().parse().unwrap();
    assert!(manifest.contains_key("workspace"), "it is built with the program unless it is a workspace of its own");
    let targets = manifest["bin"].as_array().unwrap();
    let text = |table: &toml::Value, key: &str| String::from(table[key].as_str().unwrap());
    let named: BTreeSet<String> = targets.iter().map(|target| text(target, "name")).collect();
    assert_eq!(named.len(), targets.len(), "a target is named twice");
    for target in targets {
        assert!(fuzz.join(text(target, "path")).is_file(), "{target}");
    }
    let written = names(&fuzz.join("fuzz_targets"));
    assert_eq!(written, named.iter().map(|name| format!("{name}.rs")).collect(), "Cargo.toml names other targets");

    assert_eq!(names(&fuzz.join("seeds")), named);
    let mut size = 0;
    for name in &named {
        let directory = fuzz.join("seeds").join(name);
        let seeds = names(&directory);
        assert!(!seeds.is_empty(), "{name} has no seeds");
        size += seeds.iter().map(|seed| std::fs::metadata(directory.join(seed)).unwrap().len()).sum::<u64>();
    }
    assert!(size <= MAX_SEEDS_SIZE, "{size} bytes of seeds");

    let workflow = std::fs::read_to_string(root().join(".github/workflows/fuzz.yml")).unwrap();
    let (_, matrix) = workflow.split_once("        target:\n").unwrap();
    let run: BTreeSet<String> =
        matrix.lines().map_while(|line| line.trim().strip_prefix("- ")).map(String::from).collect();
    assert_eq!(run, named, "the workflow runs other targets");
}

/// Else the workflow resolves anew what it builds, and who builds with what is locked builds nothing.
#[test]
fn what_is_locked_for_the_targets_fits_the_program() {
    let read = |path: &str| -> toml::Table { std::fs::read_to_string(root().join(path)).unwrap().parse().unwrap() };
    let manifest = read("Cargo.toml");
    let needed = ["dependencies", "build-dependencies"].into_iter().filter_map(|kind| manifest.get(kind)?.as_table());
    // The targets are built without what can be left out.
    let is_optional = |how: &toml::Value| how.get("optional").and_then(toml::Value::as_bool).unwrap_or(false);
    let needed = needed.flatten().filter(|(_, how)| !is_optional(how));
    let needed: BTreeSet<&str> =
        needed.map(|(name, how)| how.get("package").and_then(toml::Value::as_str).unwrap_or(name)).collect();
    let lock = read("fuzz/Cargo.lock");
    let mut packages = lock["package"].as_array().unwrap().iter();
    let own = packages.find(|package| package["name"].as_str() == Some("roadstead")).unwrap();
    let locked = own["dependencies"].as_array().unwrap().iter().map(|of| of.as_str().unwrap());
    // A version follows where the lock has several of a name.
    let locked: BTreeSet<&str> = locked.filter_map(|of| of.split(' ').next()).collect();
    assert_eq!(locked, needed, "`cargo metadata --manifest-path fuzz/Cargo.toml` brings fuzz/Cargo.lock up to date");
}
