//! Whose file it is.

use std::fmt;
use std::str::FromStr;

use crate::rules::yaml::{Node, Value};

/// A program whose files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `regsync.yml` (regclient).
    Regsync,
    /// The YAML file of `skopeo sync`.
    Skopeo,
    /// zot's configuration, of which the extension `sync` is read.
    Zot,
    /// image-syncer's rules, YAML or JSON.
    ImageSyncer,
    /// dregsy's configuration.
    Dregsy,
    /// imgpkg's `ImagesLock`.
    Imgpkg,
    /// `zarf.yaml`.
    Zarf,
    /// hauler's manifests; those of `kind: Images` are read.
    Hauler,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Regsync,
        Self::Skopeo,
        Self::Zot,
        Self::ImageSyncer,
        Self::Dregsy,
        Self::Imgpkg,
        Self::Zarf,
        Self::Hauler,
    ];

    /// Whose file it is, by its keys.
    pub(super) fn of(documents: &[Node]) -> Option<Self> {
        documents.iter().find_map(of_document)
    }
}

fn of_document(document: &Node) -> Option<Format> {
    let kind = document.text_of("kind").unwrap_or_default();
    let version = document.text_of("apiVersion").unwrap_or_default();
    let holds = |key: &str, inner: &str| {
        document.get(key).is_some_and(|list| list.items().iter().any(|item| item.get(inner).is_some()))
    };
    let all = |fits: &dyn Fn(&Node) -> bool| {
        !document.entries().is_empty() && document.entries().iter().all(|(_, node)| fits(node))
    };
    let is_skopeo = |node: &Node| {
        let keys = ["images", "images-by-tag-regex", "images-by-semver"];
        keys.iter().any(|key| node.get(key).is_some_and(Node::is_map))
    };
    let is_target =
        |node: &Node| !matches!(node.value, Value::Map(_)) && node.items().iter().all(|item| !item.is_map());
    let has_images = document.get("images").is_some_and(Node::is_map) && document.get("services").is_none();
    if kind == "ImagesLock" {
        Some(Format::Imgpkg)
    } else if kind == "ZarfPackageConfig" || kind == "ZarfInitConfig" {
        Some(Format::Zarf)
    } else if version.starts_with("content.hauler.cattle.io/") {
        Some(Format::Hauler)
    } else if !kind.is_empty() || !version.is_empty() {
        None
    } else if holds("sync", "source") {
        Some(Format::Regsync)
    } else if holds("tasks", "mappings") {
        Some(Format::Dregsy)
    } else if document.get("extensions").is_some_and(|inner| inner.get("sync").is_some()) || holds("registries", "urls")
    {
        Some(Format::Zot)
    } else if all(&is_skopeo) {
        Some(Format::Skopeo)
    } else if has_images || all(&is_target) && document.entries().iter().all(|(key, _)| key.contains('/')) {
        Some(Format::ImageSyncer)
    } else {
        None
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Regsync => "regsync",
            Self::Skopeo => "skopeo",
            Self::Zot => "zot",
            Self::ImageSyncer => "image-syncer",
            Self::Dregsy => "dregsy",
            Self::Imgpkg => "imgpkg",
            Self::Zarf => "zarf",
            Self::Hauler => "hauler",
        })
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|format| format.to_string() == text).ok_or_else(|| {
            let names = Self::ALL.map(|format| format!("`{format}`")).join(", ");
            format!("the formats are {names}")
        })
    }
}
