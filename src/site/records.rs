//! The published tree's records for programs: with them and the tree, a lost catalog can be rebuilt.
//!
//! Every file is small, and a tag that moves changes one of them. Readers ignore what they don't know. Knows what is written
//! there; must not know how it is kept here.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{File, Head, PageLink, lists, paths};
use crate::error::{Error, Kind, Result};
use crate::image::{Digest, Platform, RepositoryName, Selection, Tag, Upstream};
use crate::text::printable_within;

/// The version of what these files mean. A reader refuses a higher one.
pub const FORMAT: u32 = 1;

/// Largest record that is read.
pub const MAX_RECORD_BYTES: usize = 16 << 20;

/// The root's `catalog.json`. Nothing in it changes when a tag moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogRecord {
    /// Version of the format: [`FORMAT`].
    pub format: u32,
    /// [`SITE_VERSION`](super::SITE_VERSION) of the tree.
    pub site_version: u32,
    /// The UnixFS profile of the tree's CIDs.
    pub profile: String,
    /// The registry's name, which the pages use as its host.
    #[serde(default)]
    pub name: Option<String>,
    /// What the registry is for, in its curator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where each repository's record is: a path below the root, with `{repository}` for its name.
    pub repository_records: String,
    /// The files with the repositories' names, paths below the root.
    #[serde(default)]
    pub repositories: Vec<PartRecord>,
}

/// One part of a list that is kept in several files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// Path of the file with this part.
    pub file: String,
    /// The first name in it.
    pub first: String,
    /// The last name in it.
    pub last: String,
}

/// Names of repositories, sorted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoriesRecord {
    /// Published names, in byte order.
    pub repositories: BTreeSet<RepositoryName>,
}

/// A repository, as `catalog/<name>/_repository.json` records it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryRecord {
    /// The name it is published under.
    pub name: RepositoryName,
    /// Second name it is published under, if it has one.
    #[serde(default)]
    pub alias: Option<RepositoryName>,
    /// Where it is mirrored from; `None` if it came from files.
    #[serde(default)]
    pub upstream: Option<Upstream>,
    /// Whether its upstream is spoken to without TLS.
    #[serde(default)]
    pub insecure: bool,
    /// Whether its upstream asks for a login. That it is in a published tree at all is its curator's consent.
    #[serde(default)]
    pub private: bool,
    /// Tags, if they fit this file, in the order of the pages ([`crate::image::natural::newest_first`]).
    #[serde(default)]
    pub tags: Vec<TagRecord>,
    /// Else the files they are in, beside this one.
    #[serde(default)]
    pub parts: Vec<PartRecord>,
}

/// Tags of a repository that don't fit its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagsRecord {
    /// The tags, in the order of the pages.
    pub tags: Vec<TagRecord>,
}

/// A tag, or a digest that was asked for without one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagRecord {
    /// The tag; `None` if it has only its digest.
    #[serde(default)]
    pub tag: Option<Tag>,
    /// The digest of its manifest or index.
    pub digest: Digest,
    /// The type of that.
    pub media_type: String,
    /// The tag that it has upstream, if that is another one; empty if it follows none there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_tag: Option<String>,
    /// Which platforms of its index are mirrored.
    pub selection: Selection,
    /// Whether the manifests of the others are kept too.
    #[serde(default)]
    pub all_manifests: bool,
    /// The platform that the tag means in the gateway view.
    #[serde(default)]
    pub default_platform: Option<Platform>,
    /// Tags that are about it by their names, as cosign's signatures are.
    #[serde(default)]
    pub companions: BTreeSet<CompanionRecord>,
    /// Manifests that are about it, or about one of its index's, by their `subject`.
    #[serde(default)]
    pub referrers: BTreeSet<ReferrerRecord>,
}

/// A tag that is about another one by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CompanionRecord {
    /// Tag of the companion, as `sha256-….sig`.
    pub tag: Tag,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The type of that.
    pub media_type: String,
}

/// A manifest that is about another one by its `subject`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReferrerRecord {
    /// The manifest that it is about.
    pub subject: Digest,
    /// Digest of the referring manifest.
    pub digest: Digest,
    /// Media type of the referring manifest.
    pub media_type: String,
}

impl TagRecord {
    /// What it is called on pages: the tag, or the digest as text.
    pub fn name(&self) -> String {
        self.tag.as_ref().map_or_else(|| self.digest.to_string(), |tag| tag.as_str().to_owned())
    }
}

/// The root's `catalog.json`, for repositories on these pages; none if there are no repositories.
pub fn catalog_record(profile: &str, head: &Head, pages: &[PageLink]) -> File {
    let record = CatalogRecord {
        format: FORMAT,
        site_version: head.site_version,
        profile: profile.to_owned(),
        name: head.name.clone(),
        description: head.description.clone(),
        repository_records: format!("{}/{{repository}}/_repository.json", paths::CATALOG),
        repositories: parts(pages, paths::repositories_record),
    };
    File { path: paths::CATALOG_JSON.to_owned(), bytes: lists::to_json(&record) }
}

/// One file of repositories' names, by its key.
pub fn repositories_record<'a>(key: &str, names: impl IntoIterator<Item = &'a RepositoryName>) -> File {
    let record = RepositoriesRecord { repositories: names.into_iter().cloned().collect() };
    File { path: paths::repositories_record(key), bytes: lists::to_json(&record) }
}

/// A repository's own file. Tags that don't fit it are in parts: see [`tag_parts`].
pub fn repository_record(record: &RepositoryRecord) -> File {
    File { path: paths::repository_record(&record.name), bytes: lists::to_json(record) }
}

/// One file of a repository's tags, by its key.
pub fn tags_record(name: &RepositoryName, key: &str, record: &TagsRecord) -> File {
    File { path: paths::tags_record(name, key), bytes: lists::to_json(record) }
}

/// What a repository's record says of the files its tags are in.
pub fn tag_parts(pages: &[PageLink]) -> Vec<PartRecord> {
    parts(pages, paths::tags_record_file)
}

fn parts(pages: &[PageLink], file: impl Fn(&str) -> String) -> Vec<PartRecord> {
    pages
        .iter()
        .map(|page| PartRecord { file: file(&page.key), first: page.first.clone(), last: page.last.clone() })
        .collect()
}

/// Reads a record of any of these kinds; `path` is for the words of a refusal.
pub fn read<T: DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<T> {
    let refuse = |why: &str| {
        Error::new(
            Kind::Verification,
            format!("can't read `{}`: {}", printable_within(path, 300), printable_within(why, 200)),
        )
    };
    if bytes.len() > MAX_RECORD_BYTES {
        return Err(refuse("it is larger than any record"));
    }
    serde_json::from_slice(bytes).map_err(|error| refuse(&error.to_string()))
}

/// Reads `catalog.json`, and refuses a format that this version does not know.
pub fn read_catalog(bytes: &[u8]) -> Result<CatalogRecord> {
    let record: CatalogRecord = read(paths::CATALOG_JSON, bytes)?;
    if record.format > FORMAT {
        return Err(Error::new(
            Kind::Verification,
            format!("catalog.json has format {}, and this version reads up to {FORMAT}", record.format),
        )
        .hint("A newer version of Roadstead wrote it; use that one."));
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> RepositoryName {
        text.parse().unwrap()
    }

    fn link(key: &str) -> PageLink {
        PageLink { key: key.to_owned(), first: "a".to_owned(), last: "z".to_owned(), count: 1 }
    }

    fn tag() -> TagRecord {
        let digest = Digest::of(b"");
        let media_type = crate::image::media::OCI_INDEX.to_owned();
        TagRecord {
            tag: Some("1.0".parse().unwrap()),
            digest,
            media_type: media_type.clone(),
            upstream_tag: None,
            selection: "linux/arm64,linux/amd64".parse().unwrap(),
            all_manifests: true,
            default_platform: Some(Platform::new("linux", "amd64", None)),
            companions: BTreeSet::from([CompanionRecord {
                tag: "sha256-1.sig".parse().unwrap(),
                digest,
                media_type: media_type.clone(),
            }]),
            referrers: BTreeSet::from([ReferrerRecord { subject: digest, digest: Digest::of(b"x"), media_type }]),
        }
    }

    fn repository() -> RepositoryRecord {
        RepositoryRecord {
            name: name("library/nginx"),
            alias: Some(name("nginx")),
            upstream: Some("nginx".parse::<crate::image::Reference>().unwrap().upstream),
            insecure: false,
            private: true,
            tags: vec![tag(), TagRecord { tag: None, selection: Selection::All, default_platform: None, ..tag() }],
            parts: tag_parts(&[link("0")]),
        }
    }

    fn all() -> Vec<File> {
        let head = Head { name: Some("registry.example.org".to_owned()), description: None, site_version: 2 };
        vec![
            catalog_record("unixfs-v1-2025", &head, &[link("0"), link("00ff")]),
            repositories_record("00ff", [&name("b/c"), &name("a")]),
            repository_record(&repository()),
            tags_record(&name("library/nginx"), "0", &TagsRecord { tags: vec![tag()] }),
        ]
    }

    #[test]
    fn as_published() {
        let shown: Vec<String> = all()
            .into_iter()
            .map(|file| format!("{}\n{}", file.path, String::from_utf8(file.bytes).unwrap()))
            .collect();
        insta::assert_snapshot!("records", shown.join("\n\n"));
    }

    #[test]
    fn what_is_written_can_be_read() {
        let [catalog, repositories, one, tags] = all().try_into().unwrap();
        let read_again = read_catalog(&catalog.bytes).unwrap();
        assert_eq!(read_again.repositories[1].file, "catalog/_repositories-00ff.json");
        assert_eq!(lists::to_json(&read_again), catalog.bytes);
        let names: RepositoriesRecord = read(&repositories.path, &repositories.bytes).unwrap();
        assert_eq!(names.repositories, BTreeSet::from([name("a"), name("b/c")]));
        assert_eq!(read::<RepositoryRecord>(&one.path, &one.bytes).unwrap(), repository());
        assert_eq!(read::<TagsRecord>(&tags.path, &tags.bytes).unwrap().tags, [tag()]);
        assert_eq!(read_again.repository_records.replace("{repository}", "library/nginx"), one.path);
    }

    #[test]
    fn newer_fields_are_ignored_and_newer_formats_refused() {
        let text = r#"{"name":"a","soon":1,"tags":[{"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","media_type":"x","selection":"all","soon":[]}]}"#;
        let record: RepositoryRecord = read("x", text.as_bytes()).unwrap();
        assert_eq!(record.tags[0].selection, Selection::All);
        let newer = CatalogRecord { format: FORMAT + 1, ..read_catalog(&all()[0].bytes).unwrap() };
        let error = read_catalog(&lists::to_json(&newer)).unwrap_err();
        assert_eq!((error.kind(), error.hints().len()), (Kind::Verification, 1));
    }

    #[test]
    fn hostile_records_are_refused_in_words() {
        for text in [
            "",
            "[]",
            "{\"name\":\"../x\"}",
            "{\"name\":\"a\",\"tags\":[{\"tag\":\"../x\"}]}",
            "{\"name\":\"\u{1b}[31m\"}",
        ] {
            let error = read::<RepositoryRecord>("a\u{1b}", text.as_bytes()).unwrap_err().to_string();
            assert!(!error.contains('\u{1b}'), "{error}");
        }
        assert!(read::<TagsRecord>("x", &vec![b' '; MAX_RECORD_BYTES + 1]).is_err());
    }
}
