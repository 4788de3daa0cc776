//! Coming back: from a real gateway, a real node, files and a stick; the same root, and podman pulls it.

mod credentials;
mod kills;
mod lazy;
pub(crate) mod proxy;
mod unfinished;

use crate::cli::Roadstead;
use crate::images::{Layout, Made};
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::kubo::{Kubo, Profile, Repository};
use crate::peers::podman::Podman;

/// Who is asked over HTTP.
#[derive(Debug, Clone, Copy)]
enum Source {
    Gateway,
    Node,
}

/// A registry with an image for three platforms, a catalog of it with this profile, and a file of its tree.
fn published(profile: Profile) -> (DockerRegistry, Roadstead, std::path::PathBuf) {
    let registry = DockerRegistry::plain();
    registry.push(&Layout::multi_platform(), "1", "busybox");
    let roadstead = Roadstead::new();
    let name = format!("{}/busybox:1", registry.host());
    roadstead.ok(&["add", &name, "--insecure", "--platform", "all", "--profile", profile.name()]);
    let car = roadstead.path("registry.car");
    roadstead.ok(&["export", car.to_str().unwrap()]);
    (registry, roadstead, car)
}

#[test]
fn a_lost_machine_comes_back_from_a_gateway_and_from_a_node() {
    for profile in [Profile::V1, Profile::V0] {
        let (registry, lost, car) = published(profile);
        let repository = Repository::new(profile);
        repository.dag_import(&car);
        let root = lost.root();
        let kubo = Kubo::from_repository(repository, &[("registry.roadstead.test", &root)]);
        let name = registry.published();
        drop((lost, registry));
        let node = format!("kubo:{}", kubo.api_url);
        for (what, from) in [
            (root.as_str(), kubo.gateway_url.as_str()),
            ("registry.roadstead.test", kubo.gateway_url.as_str()),
            (root.as_str(), node.as_str()),
            ("registry.roadstead.test", node.as_str()),
        ] {
            let back = Roadstead::new();
            let said = back.ok(&["restore", what, "--from", from]);
            assert!(said.contains(&name), "{said}");
            assert_eq!(back.root(), root, "{what} from {from}");
            back.ok(&["verify"]);
        }
    }
}

#[test]
fn podman_runs_what_a_lazy_restore_brings_when_it_is_pulled() {
    let (registry, lost, car) = published(Profile::V1);
    let repository = Repository::new(Profile::V1);
    repository.dag_import(&car);
    let kubo = Kubo::from_repository(repository, &[]);
    let root = lost.root();
    let published = registry.published();
    drop((lost, registry));
    let back = Roadstead::new();
    let report = back.json(&["restore", &root, "--from", &kubo.gateway_url, "--lazy"]);
    assert!(report["left"]["blobs"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(report["root"], root.as_str());
    let serving = back.serve();
    let podman = Podman::new();
    let name = format!("{}/{published}/busybox:1", serving.host());
    podman.pull(&name);
    assert_eq!(podman.run_in(&name, &["cat", "/etc/greeting"]), Made::host().greeting());
}

#[test]
fn a_difference_in_blocks_of_another_profile_is_refused_before_anything_is_written() {
    for (outer, inner) in [(Profile::V1, Profile::V0), (Profile::V0, Profile::V1)] {
        let (registry, outside, car) = published(outer);
        let before = outside.root();
        let inside = Roadstead::with_profile(inner.name());
        inside.ok(&["import", car.to_str().unwrap()]);
        // All its records change, so that nothing but the layers is missing.
        registry.push(&Layout::busybox(), "1", "busybox");
        outside.ok(&["update"]);
        let stick = outside.path("stick.car");
        outside.ok(&["export", "--since", &before, stick.to_str().unwrap()]);
        let held = inside.root();
        for words in [&["import", "--dry-run"][..], &["import", "--replace", "--yes"]] {
            let said = inside.run(&[words, &[stick.to_str().unwrap()]].concat()).failure(2);
            assert!(said.contains(outer.name()) && said.contains(inner.name()), "{said}");
            assert!(said.contains("without `--since`"), "{said}");
        }
        assert_eq!(inside.root(), held);
        outside.ok(&["export", stick.to_str().unwrap()]);
        inside.ok(&["import", "--replace", "--yes", stick.to_str().unwrap()]);
        assert_ne!(inside.root(), held);
        inside.ok(&["verify"]);
    }
}

#[test]
fn an_air_gapped_catalog_gets_the_difference_on_a_stick() {
    let (registry, outside, car) = published(Profile::V1);
    let inside = Roadstead::new();
    inside.ok(&["restore", car.to_str().unwrap()]);
    let before = outside.root();
    assert_eq!(inside.root(), before);
    // Restored once, and no second time.
    inside.run(&["restore", car.to_str().unwrap()]).failure(2);

    registry.push(&Layout::busybox(), "1", "busybox/second");
    registry.push(&Layout::multi_platform(), "1", "other");
    for name in ["busybox/second:1", "other:1"] {
        outside.add(&format!("{}/{name}", registry.host()));
    }
    let stick = outside.path("stick.car");
    outside.ok(&["export", "--since", &before, stick.to_str().unwrap()]);
    assert!(std::fs::metadata(&stick).unwrap().len() < std::fs::metadata(&car).unwrap().len());
    inside.ok(&["import", stick.to_str().unwrap(), "--dry-run"]);
    assert_eq!(inside.root(), before, "a dry run changes nothing");
    inside.ok(&["import", stick.to_str().unwrap()]);
    assert_eq!(inside.root(), outside.root());

    // A tag that moved is shown, refused, and taken when that is asked for.
    let before = outside.root();
    registry.push(&Layout::busybox(), "1", "busybox");
    outside.ok(&["update"]);
    outside.ok(&["export", "--since", &before, stick.to_str().unwrap()]);
    let refused = inside.run(&["import", stick.to_str().unwrap()]);
    refused.failure(9);
    assert_eq!(inside.root(), before);
    inside.ok(&["import", stick.to_str().unwrap(), "--replace", "--yes"]);
    assert_eq!(inside.root(), outside.root());
}
