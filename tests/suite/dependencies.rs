//! What is used of libraries with a known weakness: `deny.toml` lets an advisory through only where its code is out of reach.
//!
//! Reads the sources and the lock file as text.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The library for Kubo's RPC, as Rust writes it.
const KUBO_LIBRARY: &str = "ipfs_api_backend_hyper";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(directory: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
}

/// The packages that need a version of this one, by the lock file. A version is named there only where there are several.
fn needed_by(package: &str, version: &str) -> BTreeSet<String> {
    let lock: toml::Table = std::fs::read_to_string(root().join("Cargo.lock")).unwrap().parse().unwrap();
    let all = lock["package"].as_array().unwrap();
    let text = |value: &toml::Value| String::from(value.as_str().unwrap());
    let wanted = format!("{package} {version}");
    let needs = |other: &&toml::Value| {
        let of_it = other.get("dependencies").and_then(toml::Value::as_array);
        of_it.is_some_and(|of_it| of_it.iter().any(|needed| text(needed).starts_with(&wanted)))
    };
    all.iter().filter(needs).map(|other| text(&other["name"])).collect()
}

/// RUSTSEC-2026-0258 is in the HTTP/2 of hyper 0.14. That comes with the library for Kubo, of which only the types of requests
/// are used: its client, and with it any connection of hyper 0.14, is never made.
#[test]
fn no_client_of_the_old_hyper_is_made() {
    let mut all = Vec::new();
    for directory in ["src", "benches"] {
        sources(&root().join(directory), &mut all);
    }
    let mut uses = 0;
    for (path, text) in &all {
        for (at, _) in text.match_indices(KUBO_LIBRARY) {
            let after = &text[at + KUBO_LIBRARY.len()..];
            assert!(after.starts_with("::request::"), "{} uses more of {KUBO_LIBRARY} than requests", path.display());
            uses += 1;
        }
    }
    assert!(uses > 0, "nothing of {KUBO_LIBRARY} is used: leave it out, and the advisory from deny.toml");
    assert_eq!(needed_by("h2", "0.3"), BTreeSet::from(["hyper".to_owned()]), "somebody else brings the old h2");
    let of_kubo = ["hyper-multipart-rfc7578", "ipfs-api-backend-hyper"].map(str::to_owned);
    assert_eq!(needed_by("hyper", "0.14"), BTreeSet::from(of_kubo), "somebody else brings the old hyper");
}
