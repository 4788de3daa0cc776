//! Rules on real parts: what a person says once stays true by itself.

mod broken;
mod files;
mod quota;
mod story;
mod told;
mod trust;
mod unattended;

use crate::cli::Roadstead;
use crate::images::Layout;
use crate::peers::docker_registry::DockerRegistry;

/// The tags that a repository of docker-library/official-images had on 2026-08-22, as that project's `library/NAME` lists them.
pub(crate) fn tags_of(repository: &str) -> Vec<String> {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/samples/tags/{repository}.txt"));
    std::fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect()
}

/// A registry with one image under these tags.
pub(crate) fn push(registry: &DockerRegistry, repository: &str, tags: &[String], words: &str) {
    registry.push_tags(&Layout::saying(words), repository, tags);
}

/// The tags that are mirrored of a repository, sorted by their letters.
#[track_caller]
pub(crate) fn mirrored(roadstead: &Roadstead, registry: &DockerRegistry, repository: &str) -> Vec<String> {
    mirrored_of(roadstead, &registry.published(), repository)
}

/// The same of a registry by the name under which its repositories are published.
#[track_caller]
fn mirrored_of(roadstead: &Roadstead, published: &str, repository: &str) -> Vec<String> {
    let finished = roadstead.run(&["--json", "list", &format!("{published}/{repository}")]);
    if finished.code == 4 {
        return Vec::new();
    }
    let images: serde_json::Value = serde_json::from_str(&finished.success()).unwrap();
    let mut tags: Vec<String> =
        images.as_array().unwrap().iter().filter_map(|image| Some(image["tag"].as_str()?.to_owned())).collect();
    tags.sort();
    tags
}

/// The part of a report that is about a rule.
pub(crate) fn part<'a>(report: &'a serde_json::Value, rule: &str) -> &'a serde_json::Value {
    let parts = report["rules"].as_array().unwrap();
    parts.iter().find(|part| part["rule"] == rule).unwrap_or_else(|| panic!("no rule {rule}: {report:#}"))
}
