//! The lists that registries give out as JSON: tags, repositories, and the referrers of a manifest.
//!
//! Knows their shapes in the OCI distribution spec; must not know what is in the catalog.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::image::{Descriptor, Digest, RepositoryName, Tag, media};

/// One manifest that is about another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferrerEntry {
    /// The referring manifest: media type, digest and size.
    pub descriptor: Descriptor,
    /// What it is (`Manifest::shown_artifact_type`).
    pub artifact_type: Option<String>,
    /// Annotations of the referring manifest; untrusted text.
    pub annotations: BTreeMap<String, String>,
}

/// `tags/list`: the repository's canonical name and its tags in byte order (distribution spec, "Listing Tags").
pub fn tags_list<'a>(name: &RepositoryName, tags: impl IntoIterator<Item = &'a Tag>) -> Vec<u8> {
    #[derive(Serialize)]
    struct List<'a> {
        name: &'a RepositoryName,
        tags: BTreeSet<&'a Tag>,
    }
    to_json(&List { name, tags: tags.into_iter().collect() })
}

/// `_catalog`: the repositories in byte order (Docker registry HTTP API V2, "Listing Repositories").
pub fn catalog_list<'a>(names: impl IntoIterator<Item = &'a RepositoryName>) -> Vec<u8> {
    #[derive(Serialize)]
    struct List<'a> {
        repositories: BTreeSet<&'a RepositoryName>,
    }
    to_json(&List { repositories: names.into_iter().collect() })
}

/// The index of a manifest's referrers, sorted by digest, each digest once (distribution spec, "Listing Referrers").
pub fn referrers_index(entries: &[ReferrerEntry]) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry<'a> {
        media_type: &'a str,
        digest: Digest,
        size: u64,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        annotations: &'a BTreeMap<String, String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        artifact_type: Option<&'a str>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Index<'a> {
        schema_version: u8,
        media_type: &'static str,
        manifests: Vec<&'a Entry<'a>>,
    }
    let sorted: BTreeMap<Digest, Entry<'_>> = entries
        .iter()
        .map(|entry| {
            let Descriptor { media_type, digest, size, .. } = &entry.descriptor;
            let (annotations, artifact_type) = (&entry.annotations, entry.artifact_type.as_deref());
            (*digest, Entry { media_type, digest: *digest, size: *size, annotations, artifact_type })
        })
        .collect();
    to_json(&Index { schema_version: 2, media_type: media::OCI_INDEX, manifests: sorted.values().collect() })
}

/// The tag under which clients look for a manifest's referrers where there is no referrers API.
pub fn fallback_tag(subject: &Digest) -> Tag {
    Tag::of_referrers(subject)
}

/// JSON without needless space. Structs of strings and numbers can't fail to be written.
pub(super) fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted() {
        let tag = |text: &str| text.parse::<Tag>().unwrap();
        let name: RepositoryName = "library/nginx".parse().unwrap();
        let tags = [tag("b"), tag("A"), tag("10"), tag("9"), tag("b")];
        assert_eq!(tags_list(&name, &tags), br#"{"name":"library/nginx","tags":["10","9","A","b"]}"#);
        assert_eq!(tags_list(&name, []), br#"{"name":"library/nginx","tags":[]}"#);
        let other: RepositoryName = "ghcr.io/a/b".parse().unwrap();
        assert_eq!(catalog_list([&name, &other]), br#"{"repositories":["ghcr.io/a/b","library/nginx"]}"#);
        assert_eq!(catalog_list([]), br#"{"repositories":[]}"#);
    }

    fn entry(content: &[u8], artifact_type: Option<&str>) -> ReferrerEntry {
        ReferrerEntry {
            descriptor: Descriptor {
                media_type: media::OCI_MANIFEST.to_owned(),
                digest: Digest::of(content),
                size: content.len() as u64,
                urls: vec!["https://elsewhere.example/".to_owned()],
                annotations: BTreeMap::from([("from".to_owned(), "the descriptor".to_owned())]),
                platform: None,
                artifact_type: None,
            },
            artifact_type: artifact_type.map(str::to_owned),
            annotations: BTreeMap::from([("z".to_owned(), "1".to_owned()), ("a".to_owned(), "\u{1b}".to_owned())]),
        }
    }

    #[test]
    fn referrers_are_sorted_by_digest_and_readable_as_an_index() {
        let entries = [entry(b"b", Some("application/spdx+json")), entry(b"a", None), entry(b"b", Some("again"))];
        let bytes = referrers_index(&entries);
        let backwards: Vec<_> = entries[..2].iter().rev().cloned().collect();
        assert_eq!(referrers_index(&[entries[1].clone(), entries[2].clone()]), bytes);
        assert_ne!(referrers_index(&backwards), bytes);
        insta::assert_snapshot!("referrers", String::from_utf8(referrers_index(&backwards)).unwrap());
        assert!(crate::image::Manifest::parse(&bytes, Some(media::OCI_INDEX)).unwrap().is_index());
        assert!(crate::image::Manifest::parse(&referrers_index(&[]), None).unwrap().is_index());
    }
}
