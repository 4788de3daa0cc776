//! What a page and a record say of one image, from what the catalog has of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::catalog::details::{AttachedDetails, Details, PlatformDetails};
use crate::catalog::images::Image;
use crate::catalog::settings;
use crate::catalog::{Writer, blobs};
use crate::error::{Error, Kind, Result};
use crate::image::{Body, Descriptor, Manifest, Tag, media};
use crate::site::records::{CompanionRecord, ReferrerRecord, TagRecord};
use crate::site::{Gateway, LayerRow, PlatformRow, ReferrerRow, TagRow, rows};
use crate::text::printable_within;

/// Key of an annotation, and of a label.
const DESCRIPTION: &str = "org.opencontainers.image.description";

const MAX_DESCRIPTION_CHARS: usize = 240;

/// Most other tags of the same manifest that a row is given; the row says that there are more.
const MAX_SAME: usize = 8;

/// How many rows an image needs on its page.
pub(super) fn needed_rows(writer: &Writer<'_>, image: &Image, details: &Details) -> Result<usize> {
    Ok(rows(details.platforms.len(), referrers(writer, image, details)?.len()))
}

/// An image as its page shows it. `tags` are those of its manifest, in the order of pages.
pub(super) fn tag_row(writer: &Writer<'_>, image: &Image, details: Details, tags: &[String]) -> Result<TagRow> {
    let referrers = referrers(writer, image, &details)?;
    let mut created = None;
    let mut platforms = Vec::with_capacity(details.platforms.len());
    for shown in details.platforms {
        if let (None, Some(manifest)) = (&created, shown.gateway_manifest) {
            created = creation_date(&blobs::bytes(writer, manifest)?);
        }
        platforms.push(platform_row(writer, shown)?);
    }
    let own = image.tag.as_ref().map(Tag::as_str);
    let others = || tags.iter().filter(|tag| Some(tag.as_str()) != own);
    Ok(TagRow {
        tag: image.tag.clone(),
        digest: image.digest,
        artifact_type: if platforms.is_empty() { details.artifact_type } else { None },
        media_type: details.media_type,
        cid: details.cid.to_string(),
        created,
        same: others().take(MAX_SAME).cloned().collect(),
        more_same: others().count().saturating_sub(MAX_SAME),
        platforms,
        left_out: details.left_out.into_iter().collect(),
        referrers,
    })
}

fn platform_row(writer: &Writer<'_>, shown: PlatformDetails) -> Result<PlatformRow> {
    let manifest = Manifest::parse(&blobs::bytes(writer, shown.manifest)?, None);
    let layer = |layer: Descriptor| LayerRow { digest: layer.digest, size: layer.size };
    let (configuration, layers) = match manifest.map(|manifest| manifest.body) {
        Ok(Body::Image { config, layers }) => (Some(layer(config)), layers.into_iter().map(layer).collect()),
        _ => (None, Vec::new()),
    };
    Ok(PlatformRow {
        platform: shown.platform,
        digest: shown.digest,
        cid: shown.cid.to_string(),
        size: shown.size,
        configuration,
        layers,
        gateway: gateway(shown.name, shown.reason, shown.has_its_name)?,
    })
}

#[derive(Deserialize)]
struct Schema1 {
    history: Vec<Schema1History>,
}

#[derive(Deserialize)]
struct Schema1History {
    #[serde(rename = "v1Compatibility")]
    v1_compatibility: String,
}

#[derive(Deserialize)]
struct Configuration {
    created: Option<String>,
    config: Option<Settings>,
}

#[derive(Deserialize)]
struct Settings {
    #[serde(rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
}

/// The configuration that a manifest in the gateway view holds. Elsewhere it is a file in the store.
fn configuration(schema1: &[u8]) -> Option<Configuration> {
    let manifest: Schema1 = serde_json::from_slice(schema1).ok()?;
    serde_json::from_str(&manifest.history.first()?.v1_compatibility).ok()
}

/// The day on which an image was made. Reproducible builds say the beginning of time, which is no day to show.
fn creation_date(schema1: &[u8]) -> Option<String> {
    let day = configuration(schema1)?.created?.get(..10)?.to_owned();
    let is_day = day.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    (is_day && day.as_str() > "1980-01-01").then_some(day)
}

/// What an image says of itself: an annotation of its index or manifest, else a label of its first platform
/// (image-spec, annotations.md).
pub(super) fn description(writer: &Writer<'_>, image: &Image, details: &Details) -> Result<Option<String>> {
    let manifest = Manifest::parse(&blobs::bytes(writer, image.manifest)?, Some(&details.media_type))?;
    if let Some(said) = manifest.annotations.get(DESCRIPTION).and_then(|said| one_line(said)) {
        return Ok(Some(said));
    }
    let Some(gateway) = details.platforms.iter().find_map(|row| row.gateway_manifest) else { return Ok(None) };
    let labels = configuration(&blobs::bytes(writer, gateway)?).and_then(|image| image.config?.labels);
    Ok(labels.and_then(|labels| one_line(labels.get(DESCRIPTION)?)))
}

/// Text of one line, with no more than a line needs; `None` if nothing is left.
fn one_line(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().take(MAX_DESCRIPTION_CHARS).collect();
    (!words.is_empty()).then(|| printable_within(&words.join(" "), MAX_DESCRIPTION_CHARS))
}

fn referrers(writer: &Writer<'_>, image: &Image, details: &Details) -> Result<Vec<ReferrerRow>> {
    let mut referrers: Vec<ReferrerRow> = Vec::new();
    for referrer in &details.referrers {
        referrers.push(ReferrerRow {
            kind: referrer.artifact_type.clone().unwrap_or_else(|| "artifact".to_owned()),
            digest: referrer.digest,
            cid: referrer.cid.to_string(),
            tag: None,
        });
    }
    for attached in &details.attached {
        let Some(tag) = &attached.tag else { continue };
        let kind = match tag.as_str().rsplit_once('.') {
            Some((_, "sig")) => "signature",
            Some((_, "att")) => "attestation",
            Some((_, "sbom")) => "SBOM",
            _ => "artifact",
        };
        referrers.push(ReferrerRow {
            kind: kind.to_owned(),
            digest: attached.digest,
            cid: attached.cid.to_string(),
            tag: Some(tag.clone()),
        });
    }
    if media::is_index(&details.media_type) {
        let index = Manifest::parse(&blobs::bytes(writer, image.manifest)?, Some(&details.media_type))?;
        let Body::Index { manifests } = &index.body else {
            return Err(Error::new(Kind::Verification, format!("{} is not an index", image.digest)));
        };
        // Those that came with this image: what others hold changes without its row.
        for entry in manifests.iter().filter(|entry| entry.attests().is_some()) {
            if let Some(cid) = details.manifests.get(&entry.digest) {
                referrers.push(ReferrerRow {
                    kind: "attestation of the build".to_owned(),
                    digest: entry.digest,
                    cid: cid.to_string(),
                    tag: None,
                });
            }
        }
    }
    referrers.sort_by_cached_key(|row| (row.digest, row.tag.clone()));
    referrers.dedup();
    Ok(referrers)
}

/// An image as the records for programs have it.
pub(super) fn tag_record(settings: &settings::Settings, image: &Image, details: &Details) -> TagRecord {
    let mut companions = BTreeSet::new();
    let mut referrers = BTreeSet::new();
    for attached in &details.attached {
        let AttachedDetails { subject, tag, digest, media_type, .. } = attached.clone();
        match tag {
            Some(tag) => {
                companions.insert(CompanionRecord { tag, digest, media_type });
            }
            None => {
                referrers.insert(ReferrerRecord { subject, digest, media_type });
            }
        }
    }
    TagRecord {
        tag: image.tag.clone(),
        digest: image.digest,
        media_type: details.media_type.clone(),
        upstream_tag: image.follows.upstream_tag().map(str::to_owned),
        selection: image.selection.clone(),
        all_manifests: image.all_manifests,
        default_platform: Some(settings.default_platform.clone()),
        companions,
        referrers,
    }
}

fn gateway(name: Option<String>, reason: Option<String>, has_its_name: bool) -> Result<Gateway> {
    Ok(match (name, reason) {
        (_, Some(reason)) => Gateway::Absent(reason),
        (Some(name), None) if !has_its_name => {
            Gateway::Absent(format!("it is there by digest only, since `{name}` is another image"))
        }
        (Some(name), None) => Gateway::Tag(name.parse()?),
        (None, None) => Gateway::Absent("it is there by digest only".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_day_is_shown_as_one() {
        let manifest = |created: &str| {
            let v1 = serde_json::json!({ "created": created }).to_string();
            serde_json::json!({ "history": [{ "v1Compatibility": v1 }] }).to_string()
        };
        let date = |created: &str| creation_date(manifest(created).as_bytes());
        assert_eq!(date("2024-11-26T19:30:00.5Z").as_deref(), Some("2024-11-26"));
        for other in
            ["", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "<script>alert(1)", "é024-11-26T", "2024/11/26"]
        {
            assert_eq!(date(other), None, "{other}");
        }
        assert_eq!(creation_date(b"{}"), None);
    }

    #[test]
    fn a_description_is_one_short_line() {
        assert_eq!(one_line("  A web\n\tserver\u{1b}. ").as_deref(), Some("A web server\\u{1b}."));
        assert_eq!(one_line(" \n "), None);
        assert_eq!(one_line(&"word ".repeat(1000)).unwrap().chars().count(), MAX_DESCRIPTION_CHARS);
    }
}
