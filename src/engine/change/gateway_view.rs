//! What an image is in the gateway view: a schema 1 manifest for each platform, and the tag that each wants.

use std::collections::BTreeSet;

use super::record::{Parts, blob_id};
use super::touched::Touched;
use crate::catalog::images::{self, Content, GatewayManifest, Role};
use crate::catalog::repositories::{self, Repository};
use crate::catalog::settings::Settings;
use crate::catalog::{Writer, blobs};
use crate::engine::Engine;
use crate::engine::plan::PlannedManifest;
use crate::error::{Error, Kind, Result};
use crate::image::{Digest, Platform, Tag};
use crate::site::schema1::Schema1;
use crate::site::{paths, schema1};

/// Most bytes of schema 1 that are made of one image, all its platforms together: each takes some KiB, seldom more than 100.
const MAX_GENERATED_BYTES: usize = 16 << 20;

impl Engine {
    /// Records what an image that was just recorded is in the gateway view.
    pub(in crate::engine) fn record_gateway(
        &self,
        writer: &Writer<'_>,
        settings: &Settings,
        repository: &Repository,
        image: i64,
        parts: &Parts<'_>,
        said: &[(Platform, &PlannedManifest)],
    ) -> Result<()> {
        let single =
            parts.manifests.iter().any(|planned| planned.digest == parts.digest && !planned.manifest.is_index());
        // Names are made of what is recorded, so that they can be made again from that: see `rename_platforms`.
        let shown: Vec<String> =
            said.iter().map(|(platform, _)| crate::text::printable_within(&platform.to_string(), 60)).collect();
        let recorded: Vec<Option<Platform>> = shown.iter().map(|shown| shown.parse().ok()).collect();
        let default = if single {
            Some(0)
        } else {
            recorded.iter().position(|platform| {
                platform.as_ref().is_some_and(|platform| settings.default_platform.means(platform))
            })
        };
        let converted = self.convert(writer, said)?;
        let mut names: BTreeSet<String> = BTreeSet::new();
        for ((position, (shown, (_, planned))), converted) in shown.into_iter().zip(said).enumerate().zip(converted) {
            let name = parts.tag.and_then(|tag| {
                if default == Some(position) {
                    Some(tag.clone())
                } else {
                    paths::gateway_tag(tag, recorded[position].as_ref()?)
                }
            });
            // Of two with one name (Windows versions) the first in the index has it.
            let name = name.map(|tag| tag.to_string()).filter(|name| names.insert(name.clone()));
            let outcome = match converted {
                Ok(converted) => Ok(record(writer, settings, repository, image, &converted)?),
                Err(reason) => Err(reason),
            };
            let rank = u8::from(default != Some(position));
            let manifest = blob_id(writer, &planned.digest)?;
            let size = planned.manifest.references().iter().map(|descriptor| descriptor.size).sum();
            images::add_gateway(
                writer,
                image,
                repository.id,
                &GatewayManifest { platform: shown, manifest, size, name, rank, outcome },
            )?;
        }
        if said.is_empty() {
            let reason = "it is not an image that runs, and schema 1 can say nothing else".to_owned();
            let name = parts.tag.map(Tag::to_string);
            images::add_gateway(
                writer,
                image,
                repository.id,
                &GatewayManifest {
                    platform: String::new(),
                    manifest: blob_id(writer, &parts.digest)?,
                    size: 0,
                    name,
                    rank: 0,
                    outcome: Err(reason),
                },
            )?;
        }
        Ok(())
    }

    /// Names every image in the gateway view again, after the default platform became another.
    pub(in crate::engine) fn rename_platforms(
        writer: &Writer<'_>,
        settings: &Settings,
        touched: &mut Touched,
    ) -> Result<()> {
        for repository in repositories::list(writer, None, None)? {
            let of_it = touched.repositories.entry(repository.id).or_default();
            of_it.was_published = repository.is_published();
            for image in images::of_repository(writer, repository.id, false)? {
                of_it.image(writer, &image)?;
                let mut manifests = images::gateway(writer, image.id)?;
                let single = matches!(manifests.as_slice(), [one] if one.platform.is_empty()
                    || (one.rank == 0 && !is_index(writer, image.manifest)?));
                if single {
                    continue;
                }
                let parsed: Vec<Option<Platform>> =
                    manifests.iter().map(|manifest| manifest.platform.parse().ok()).collect();
                let default = parsed.iter().position(|platform| {
                    platform.as_ref().is_some_and(|platform| settings.default_platform.means(platform))
                });
                let mut names = BTreeSet::new();
                images::remove_gateway(writer, image.id)?;
                for (position, (manifest, platform)) in manifests.iter_mut().zip(parsed).enumerate() {
                    let name = image.tag.as_ref().and_then(|tag| {
                        if default == Some(position) { Some(tag.clone()) } else { paths::gateway_tag(tag, &platform?) }
                    });
                    manifest.name = name.map(|tag| tag.to_string()).filter(|name| names.insert(name.clone()));
                    manifest.rank = u8::from(default != Some(position));
                    images::add_gateway(writer, image.id, repository.id, manifest)?;
                }
                of_it.image(writer, &image)?;
            }
        }
        Ok(())
    }

    /// The images in schema 1, or why one can't be said in it. Each repeats its configuration, so many small manifests of one
    /// large configuration would become more than anybody sent: then none is said, whatever their order.
    fn convert(
        &self,
        writer: &Writer<'_>,
        said: &[(Platform, &PlannedManifest)],
    ) -> Result<Vec<std::result::Result<Schema1, String>>> {
        let mut all = Vec::with_capacity(said.len());
        let mut bytes = 0;
        for (_, planned) in said {
            let converted = match self.config_of(writer, &planned.manifest)? {
                None => Err("its configuration is too large".to_owned()),
                Some(config) => schema1::convert(&planned.manifest, &config).map_err(|reason| reason.to_string()),
            };
            bytes += converted.as_ref().map_or(0, |converted| converted.bytes.len());
            if bytes > MAX_GENERATED_BYTES {
                let reason = format!(
                    "its {} platforms in schema 1 are larger than {} together",
                    said.len(),
                    crate::text::bytes(MAX_GENERATED_BYTES as u64)
                );
                return Ok(said.iter().map(|_| Err(reason.clone())).collect());
            }
            all.push(converted);
        }
        Ok(all)
    }
}

/// Records a generated manifest: its row, and the digest that it is pulled by.
fn record(
    writer: &Writer<'_>,
    settings: &Settings,
    repository: &Repository,
    image: i64,
    converted: &Schema1,
) -> Result<(i64, Digest)> {
    let digest = Digest::of(&converted.bytes);
    super::generated::generated(writer, settings, &converted.bytes)?;
    let blob = blobs::by_digest(writer, &digest)?
        .ok_or_else(|| Error::new(Kind::Unexpected, "a generated manifest is not there"))?;
    if converted.needs_empty_layer {
        super::generated::generated(writer, settings, &schema1::EMPTY_LAYER)?;
        if let Some(empty) = blobs::by_digest(writer, &schema1::EMPTY_LAYER_DIGEST)? {
            images::add_content(writer, image, repository.id, Content { blob: empty.id, role: Role::Gateway })?;
        }
    }
    Ok((blob.id, converted.digest))
}

fn is_index(writer: &Writer<'_>, manifest: i64) -> Result<bool> {
    Ok(blobs::manifest(writer, manifest)?.is_some_and(|row| crate::image::media::is_index(&row.media_type)))
}
