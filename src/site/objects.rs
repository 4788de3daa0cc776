//! The tree on a static host: which file has which key, what its type is, and in which order files go there.
//!
//! A host sets headers, so it gets the native view where registry clients look for it, and the pages and records for people and
//! programs; the gateway view and the links by media type serve hosts that can't. Order (`Stage`): whoever pulls meanwhile finds
//! everything that what they have read refers to.

use super::paths;
use crate::image::media;

/// The key that clients ask for first, with a slash at its end.
pub const PING_KEY: &str = "v2/";
/// The record of who publishes here; no file of the tree has its name.
pub const RECORD_KEY: &str = "roadstead.json";
/// The type of a blob.
const BLOB_TYPE: &str = "application/octet-stream";
/// The type of lists and records.
pub const JSON_TYPE: &str = "application/json";
/// The type of a manifest whose own is not known.
const UNKNOWN_TYPE: &str = media::OCI_MANIFEST;

/// When a file goes to a host: none before all of the former stages are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Blobs by digest.
    Blobs,
    /// Manifests by digest.
    Manifests,
    /// Indexes by digest.
    Indexes,
    /// Fallback tags: what refers to an image.
    Referrers,
    /// Tags.
    Tags,
    /// The tags of each repository.
    TagLists,
    /// Pages and records.
    Pages,
    /// The list of repositories, the page and the record that all begin with.
    Catalog,
    /// What answers `/v2/`.
    Ping,
}

impl Stage {
    /// All of them, in their order.
    pub const ALL: [Self; 9] = [
        Self::Blobs,
        Self::Manifests,
        Self::Indexes,
        Self::Referrers,
        Self::Tags,
        Self::TagLists,
        Self::Pages,
        Self::Catalog,
        Self::Ping,
    ];

    /// Whether the names of its files say what their bytes are.
    pub fn is_immutable(self) -> bool {
        matches!(self, Self::Blobs | Self::Manifests | Self::Indexes)
    }

    /// Whether its files are manifests.
    pub fn is_manifest(self) -> bool {
        matches!(self, Self::Manifests | Self::Indexes | Self::Referrers | Self::Tags)
    }
}

/// A file of the tree as a host has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFile {
    /// Its key.
    pub key: String,
    /// When it goes there. Of a manifest by digest it is `Manifests`, until its type is known.
    pub stage: Stage,
    /// The header `Content-Type`.
    pub content_type: &'static str,
}

impl HostFile {
    /// The same manifest with its media type.
    #[must_use]
    pub fn of_type(mut self, media_type: &str) -> Self {
        let known = media::MANIFEST_TYPES.iter().find(|(known, _)| *known == media_type);
        self.content_type = known.map_or(UNKNOWN_TYPE, |(known, _)| known);
        if self.stage == Stage::Manifests && media::is_index(self.content_type) {
            self.stage = Stage::Indexes;
        }
        self
    }
}

/// Directories of the tree that no host gets, by their paths.
pub fn is_left_out(directory: &str) -> bool {
    directory == paths::GATEWAY || directory == paths::TYPES
}

/// What a file of the tree is on a host; none where hosts don't get it.
pub fn host_file(path: &str) -> Option<HostFile> {
    let made = |key: &str, stage, content_type| Some(HostFile { key: key.to_owned(), stage, content_type });
    if path.split('/').next() == Some(paths::GATEWAY) || path.starts_with(&format!("{}/", paths::TYPES)) {
        return None;
    }
    let Some(inside) = path.strip_prefix(paths::NATIVE).and_then(|rest| rest.strip_prefix('/')) else {
        let stage = if path.contains('/') { Stage::Pages } else { Stage::Catalog };
        return made(path, stage, type_of(path));
    };
    let key = format!("{PING_KEY}{inside}");
    let mut parts = inside.rsplit('/');
    match (parts.next().unwrap_or_default(), parts.next()) {
        (paths::PING, None) => made(&key, Stage::Ping, JSON_TYPE),
        (_, None) => made(&key, Stage::Catalog, JSON_TYPE),
        (_, Some(paths::BLOBS)) => made(&key, Stage::Blobs, BLOB_TYPE),
        (name, Some(paths::MANIFESTS)) => {
            let stage = match name {
                digest if digest.contains(':') => Stage::Manifests,
                fallback if fallback.starts_with("sha256-") => Stage::Referrers,
                _ => Stage::Tags,
            };
            made(&key, stage, UNKNOWN_TYPE)
        }
        _ => made(&key, Stage::TagLists, JSON_TYPE),
    }
}

/// What a file of the tree is where the whole tree lies as files: its key is its path. A web server says types by the links by
/// media type, so none is said here.
///
/// A manifest of the gateway view is generated, and its digest is not that of its bytes: it counts as one that changes.
pub fn tree_file(path: &str) -> HostFile {
    let inside = [paths::NATIVE, paths::GATEWAY].iter().find_map(|view| path.strip_prefix(view)?.strip_prefix('/'));
    let inside = inside.or_else(|| path.strip_prefix(paths::TYPES)?.split_once("/v2/").map(|(_, inside)| inside));
    let stage = match inside {
        None if path.contains('/') => Stage::Pages,
        None => Stage::Catalog,
        Some(inside) => {
            let mut parts = inside.rsplit('/');
            match (parts.next().unwrap_or_default(), parts.next()) {
                (paths::PING, None) => Stage::Ping,
                (_, None) => Stage::Catalog,
                (_, Some(paths::BLOBS)) => Stage::Blobs,
                (name, Some(paths::MANIFESTS)) if name.contains(':') && path.starts_with("oci/") => Stage::Manifests,
                (_, Some(paths::MANIFESTS)) => Stage::Tags,
                _ => Stage::TagLists,
            }
        }
    };
    HostFile { key: path.to_owned(), stage, content_type: BLOB_TYPE }
}

fn type_of(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, end)| end) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => JSON_TYPE,
        _ => BLOB_TYPE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_its_key_and_its_stage() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let placed = |path: &str| host_file(path).map(|file| (file.key, file.stage));
        for (path, key, stage) in [
            (format!("oci/v2/a/b/blobs/{digest}"), format!("v2/a/b/blobs/{digest}"), Stage::Blobs),
            (format!("oci/v2/a/manifests/{digest}"), format!("v2/a/manifests/{digest}"), Stage::Manifests),
            ("oci/v2/a/manifests/sha256-ab".into(), "v2/a/manifests/sha256-ab".into(), Stage::Referrers),
            ("oci/v2/a/manifests/latest".into(), "v2/a/manifests/latest".into(), Stage::Tags),
            ("oci/v2/manifests/tags/list".into(), "v2/manifests/tags/list".into(), Stage::TagLists),
            ("oci/v2/_catalog".into(), "v2/_catalog".into(), Stage::Catalog),
            ("oci/v2/index.html".into(), "v2/index.html".into(), Stage::Ping),
            ("index.html".into(), "index.html".into(), Stage::Catalog),
            ("repositories/a/_repository.html".into(), "repositories/a/_repository.html".into(), Stage::Pages),
        ] {
            assert_eq!(placed(&path), Some((key, stage)), "{path}");
        }
        assert_eq!(placed("v2/a/manifests/latest"), None);
        assert_eq!(placed(&format!("oci/types/oci-index/v2/a/manifests/{digest}")), None);
        assert!(is_left_out("v2") && is_left_out("oci/types") && !is_left_out("oci"));
    }

    #[test]
    fn where_the_whole_tree_lies_a_key_is_its_path() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (path, stage) in [
            (format!("oci/v2/a/b/blobs/{digest}"), Stage::Blobs),
            (format!("v2/a/b/blobs/{digest}"), Stage::Blobs),
            (format!("oci/v2/a/manifests/{digest}"), Stage::Manifests),
            (format!("oci/types/oci-index/v2/a/manifests/{digest}"), Stage::Manifests),
            (format!("v2/a/manifests/{digest}"), Stage::Tags),
            ("oci/types/oci-index/v2/a/manifests/1".into(), Stage::Tags),
            ("oci/v2/blobs/tags/list".into(), Stage::TagLists),
            ("v2/_catalog".into(), Stage::Catalog),
            ("v2/index.html".into(), Stage::Ping),
            ("index.html".into(), Stage::Catalog),
            ("repositories/a/_repository.html".into(), Stage::Pages),
        ] {
            let file = tree_file(&path);
            assert_eq!((file.key.as_str(), file.stage), (path.as_str(), stage), "{path}");
        }
    }

    #[test]
    fn a_manifest_has_the_type_that_it_was_stored_with() {
        let file = host_file("oci/v2/a/manifests/sha256:0").unwrap();
        let index = file.clone().of_type(media::DOCKER_LIST);
        assert_eq!((index.stage, index.content_type), (Stage::Indexes, media::DOCKER_LIST));
        assert_eq!(file.clone().of_type(media::DOCKER_MANIFEST).stage, Stage::Manifests);
        assert_eq!(file.of_type("application/evil").content_type, media::OCI_MANIFEST);
        let tag = host_file("oci/v2/a/manifests/1").unwrap().of_type(media::OCI_INDEX);
        assert_eq!((tag.stage, tag.content_type), (Stage::Tags, media::OCI_INDEX));
    }

    #[test]
    fn the_stages_are_in_order() {
        assert!(Stage::ALL.is_sorted());
        assert_eq!(host_file("style.css").unwrap().content_type, "text/css; charset=utf-8");
    }
}
