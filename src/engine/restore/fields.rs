//! What is believed of a record: field by field, before anything is made of it. A tree may be written by anybody, so what is not as
//! this program writes it is refused with the whole tree.
//!
//! | field | what it may be | what is made of it |
//! |---|---|---|
//! | `format`, `site_version`, `profile` | what this program knows | as the root says |
//! | the catalog's `name` | a host name as references have it | the host on the pages; never in an import |
//! | the catalog's `description` | text of a bounded length without control characters | text on the pages; never in an import |
//! | `repository_records`, `parts[].first`, `last` | anything | nothing: paths are made by `site::paths` |
//! | `parts[].file` | the name of a file in the record's own directory | it is read |
//! | a repository's `name`, `tag`, `companions[].tag` | by the OCI grammar (their types) | names, and a plan shows each |
//! | `upstream` | a registry's name by the grammar of references (its type) and, in an import, one that a reference can name | where updates come from, and in commands that are shown |
//! | `alias` | the one that follows from `upstream` and `name`, or none | the second name |
//! | `insecure` | anything | kept for the record, of which the root is made; nobody is asked over plain HTTP because of it |
//! | `private` | anything | in an import it can only keep a repository out of what is published |
//! | `digest`, `subject` | SHA-256 (their type) | what is fetched is hashed |
//! | `media_type` | a type of manifests | only where the manifest's own bytes say nothing else |
//! | `selection`, `default_platform` | platforms as they are written in commands, at least one | they are written and read again |
//! | `upstream_tag` | a tag by the OCI grammar, or empty | which tag updates ask for |
//! | sizes | not in records | by manifests, and what is fetched has exactly those |

use crate::engine::change::settle::check_description;
use crate::error::{Error, Kind, Result};
use crate::image::{Platform, Selection, Tag, Upstream, media};
use crate::site::SITE_VERSION;
use crate::site::records::{CatalogRecord, RepositoryRecord, TagRecord};
use crate::text::printable_within;

/// Registries whose names people trust without looking twice.
const WELL_KNOWN: [&str; 12] = [
    "docker.io",
    "ghcr.io",
    "quay.io",
    "registry.k8s.io",
    "gcr.io",
    "mcr.microsoft.com",
    "public.ecr.aws",
    "registry.access.redhat.com",
    "registry.redhat.io",
    "registry.gitlab.com",
    "nvcr.io",
    "lscr.io",
];

fn refuse(what: &str, why: &str) -> Error {
    Error::new(Kind::Verification, format!("the record of {}: {why}", printable_within(what, 300)))
        .hint("No release of Roadstead writes that: the tree was made or changed by something else.")
}

/// Checks what the catalog's own record says beyond its format.
pub(in crate::engine) fn check_catalog(record: &CatalogRecord) -> Result<()> {
    if !crate::site::writes(record.site_version) {
        let words =
            format!("its pages have version {}, but this program writes up to {SITE_VERSION}", record.site_version);
        return Err(Error::new(Kind::Verification, words).hint("Use the version of Roadstead that wrote it."));
    }
    if record.description.as_deref().is_some_and(|text| text.is_empty() || check_description(text).is_err()) {
        return Err(refuse("the catalog", "its description is none that can be set"));
    }
    match &record.name {
        Some(name) if name.is_empty() || crate::engine::change::settle::check_host(name).is_err() => {
            Err(refuse("the catalog", &format!("`{}` is not a host name", printable_within(name, 200))))
        }
        _ => Ok(()),
    }
}

/// Checks a repository's record with all its tags.
pub(super) fn check(record: &RepositoryRecord) -> Result<()> {
    let refuse = |why: &str| refuse(record.name.as_str(), why);
    if let Some(alias) = &record.alias
        && usual_alias(record).as_ref() != Some(alias)
    {
        return Err(refuse(&format!("its second name can't be `{alias}`, which belongs to another upstream")));
    }
    for tag in &record.tags {
        check_tag(tag).map_err(|why| refuse(&format!("{}: {why}", printable_within(&tag.name(), 150))))?;
    }
    Ok(())
}

/// The second name that a repository has by its upstream and its name.
fn usual_alias(record: &RepositoryRecord) -> Option<crate::image::RepositoryName> {
    let upstream = record.upstream.as_ref()?;
    upstream.alias().filter(|_| upstream.published_name().is_ok_and(|usual| usual == record.name))
}

fn check_tag(record: &TagRecord) -> Result<(), String> {
    let is_written = |platform: &Platform| {
        platform.to_string().parse::<Platform>().is_ok_and(|read| read == platform.clone().normalized())
    };
    let strange = |platform: &Platform| format!("`{}` is not a platform", printable_within(&platform.to_string(), 100));
    if let Selection::Only(platforms) = &record.selection {
        if platforms.is_empty() {
            return Err("no platform of it is chosen".to_owned());
        }
        if let Some(platform) = platforms.iter().find(|platform| !is_written(platform)) {
            return Err(strange(platform));
        }
    }
    if let Some(platform) = record.default_platform.as_ref().filter(|platform| !is_written(platform)) {
        return Err(strange(platform));
    }
    if let Some(text) = record.upstream_tag.as_deref().filter(|text| !text.is_empty()) {
        text.parse::<Tag>().map_err(|error| error.to_string())?;
    }
    let types = std::iter::once(&record.media_type)
        .chain(record.companions.iter().map(|its| &its.media_type))
        .chain(record.referrers.iter().map(|its| &its.media_type));
    for media_type in types {
        if !media::is_manifest(media_type) {
            return Err(format!("`{}` is not a type of manifests", printable_within(media_type, 100)));
        }
    }
    Ok(())
}

/// Whether a reference can name this upstream: commands that are shown hold it, and mean it.
pub(super) fn can_be_named(upstream: &Upstream) -> bool {
    let reference = upstream.to_string().parse::<crate::image::Reference>();
    reference.is_ok_and(|reference| reference.upstream == *upstream)
}

/// The well-known upstream that people will take a repository for: by its name, or by where its record says it is from.
pub(super) fn claims(record: &RepositoryRecord) -> Option<Upstream> {
    let is_well_known = |upstream: &Upstream| WELL_KNOWN.contains(&upstream.registry.as_str());
    let by_name = Upstream::of_published(&record.name).filter(is_well_known);
    by_name.or_else(|| record.upstream.clone().filter(is_well_known))
}
