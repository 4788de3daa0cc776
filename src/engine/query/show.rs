//! Answers about the catalog, for people and programs.

use rusqlite::Connection;

use super::view::{
    AttachedDetails, ConfigDetails, GatewayDetails, ImageDetails, ImageRow, LayerDetails, ManifestDetails,
    RepositoryRow, SharedRow, Statistics, Step,
};
use crate::catalog::images::{self, Image, Role};
use crate::catalog::repositories::{self, Repository};
use crate::catalog::{blobs, checked, omissions, statistics};
use crate::engine::Engine;
use crate::engine::find::{find, find_repository};
use crate::engine::plan::{LeftOut, LeftOutReason};
use crate::engine::request::Pick;
use crate::error::{Error, Kind, Result};
use crate::image::{Body, Descriptor, Digest, Manifest, Platform, Reference, Upstream, natural};
use crate::text::{printable, printable_within};

/// How many of those who share a blob are named.
const MAX_NAMED_SHARERS: u64 = 3;
/// Rows of the lists in the statistics.
const MAX_STATISTICS_ROWS: u64 = 10;

impl Engine {
    /// Every repository, by name.
    pub fn repositories(&self) -> Result<Vec<RepositoryRow>> {
        let reader = self.catalog.read()?;
        repositories::list(&reader, None, None)?
            .into_iter()
            .map(|repository| repository_row(&reader, repository))
            .collect()
    }

    /// The images that a user means, by tag: `1.9` before `1.10`, what has none at the end.
    pub fn images(&self, pick: &Pick) -> Result<Vec<ImageRow>> {
        let reader = self.catalog.read()?;
        let (repository, mut found) = find(&reader, pick)?;
        found.sort_by(|one, other| match (&one.tag, &other.tag) {
            (Some(one), Some(other)) => natural::compare(one.as_str(), other.as_str()),
            (one, other) => one.is_none().cmp(&other.is_none()),
        });
        found.iter().map(|image| image_row(&reader, &repository, image)).collect()
    }

    /// Everything about one image. A bare name means its only image, or its tag `latest`.
    pub fn show(&self, pick: &Pick) -> Result<ImageDetails> {
        let reader = self.catalog.read()?;
        let (repository, found) = find(&reader, pick)?;
        let image = match found.as_slice() {
            [one] => one.clone(),
            many => match many.iter().find(|image| image.tag.as_ref().is_some_and(|tag| tag.as_str() == "latest")) {
                Some(latest) => latest.clone(),
                None => {
                    return Err(Error::new(Kind::Usage, format!("{} has {} images", repository.name, many.len()))
                        .hint(format!("Choose one: `roadstead list {}` shows them.", repository.name)));
                }
            },
        };
        details(self, &reader, &repository, &image)
    }

    /// The whole registry in figures.
    pub fn statistics(&self) -> Result<Statistics> {
        let reader = self.catalog.read()?;
        let (figures, counts) = statistics::registry(&reader)?;
        let mut rows: Vec<RepositoryRow> = repositories::list(&reader, None, None)?
            .into_iter()
            .map(|repository| repository_row(&reader, repository))
            .collect::<Result<_>>()?;
        rows.sort_by(|a, b| b.figures.unique.cmp(&a.figures.unique).then_with(|| a.name.cmp(&b.name)));
        rows.truncate(MAX_STATISTICS_ROWS as usize);
        let mut most_shared = Vec::new();
        for shared in statistics::most_shared(&reader, MAX_STATISTICS_ROWS)? {
            let of = match blobs::by_digest(&reader, &shared.digest)? {
                Some(blob) => statistics::sharers(&reader, blob.id, 0, MAX_NAMED_SHARERS)?.0,
                None => Vec::new(),
            };
            most_shared.push(SharedRow { digest: shared.digest, size: shared.size, images: shared.images, of });
        }
        Ok(Statistics {
            counts,
            logical: figures.logical,
            stored: figures.stored,
            saved: figures.saved(),
            repositories: rows,
            most_shared,
        })
    }

    /// Names, and names with tags once a name is complete, that begin so; for shells.
    pub fn complete(&self, prefix: &str) -> Result<Vec<String>> {
        const MAX_COMPLETIONS: usize = 200;
        let reader = self.catalog.read()?;
        if let Some((name, _)) = prefix.split_once(':')
            && let Ok(repository) = find_repository(&reader, name)
        {
            let tags = images::tags(&reader, repository.id, None, None)?;
            let all = tags.into_iter().map(|tag| format!("{name}:{tag}"));
            return Ok(all.filter(|text| text.starts_with(prefix)).take(MAX_COMPLETIONS).collect());
        }
        let all = repositories::list(&reader, None, None)?;
        Ok(all
            .into_iter()
            .map(|row| row.name.to_string())
            .filter(|name| name.starts_with(prefix))
            .take(MAX_COMPLETIONS)
            .collect())
    }

    /// Tags that are mirrored of what a reference names, under whatever name it is published.
    pub fn mirrored_tags(&self, reference: &Reference) -> Result<Vec<String>> {
        let reader = self.catalog.read()?;
        let tags = images::tags_of_upstream(&reader, &reference.upstream)?;
        Ok(tags.into_iter().map(|(tag, ..)| tag).collect())
    }

    /// References that repositories are mirrored from and that begin so, in the longest form that does: what can be typed to
    /// add more of them. What came from no registry has none.
    pub fn complete_reference(&self, prefix: &str) -> Result<Vec<String>> {
        const MAX_COMPLETIONS: usize = 200;
        let reader = self.catalog.read()?;
        let all = repositories::list(&reader, None, None)?;
        let begins_so = |upstream: &Upstream| {
            let whole = upstream.to_string();
            let hub = whole.strip_prefix("docker.io/");
            let forms = [Some(whole.as_str()), hub, hub.and_then(|hub| hub.strip_prefix("library/"))];
            forms.into_iter().flatten().find(|form| form.starts_with(prefix)).map(str::to_owned)
        };
        let upstreams = all.iter().filter_map(|repository| repository.upstream.as_ref());
        Ok(upstreams.filter_map(begins_so).take(MAX_COMPLETIONS).collect())
    }
}

/// `name:tag` or `name@digest`.
pub(super) fn named(row: &ImageRow) -> String {
    match &row.tag {
        Some(tag) => format!("{}:{tag}", row.name),
        None => format!("{}@{}", row.name, row.digest),
    }
}

pub(in crate::engine) fn repository_row(connection: &Connection, repository: Repository) -> Result<RepositoryRow> {
    Ok(RepositoryRow {
        images: images::count(connection, repository.id)?,
        outdated: checked::outdated(connection, repository.id)?,
        gone: checked::gone(connection, repository.id)?,
        added: images::newest(connection, repository.id)?,
        figures: statistics::repository(connection, repository.id)?,
        published: repository.is_published(),
        private: repository.private,
        upstream: repository.upstream.map(|upstream| upstream.to_string()),
        alias: repository.alias.map(String::from),
        name: repository.name.into(),
    })
}

pub(in crate::engine) fn image_row(
    connection: &Connection,
    repository: &Repository,
    image: &Image,
) -> Result<ImageRow> {
    let time = |at: i64| jiff::Timestamp::from_second(at).map(|at| at.to_string()).unwrap_or_default();
    Ok(ImageRow {
        name: repository.name.to_string(),
        tag: image.tag.as_ref().map(ToString::to_string),
        digest: image.digest,
        cid: blobs::by_id(connection, image.manifest)?.link.cid.to_string(),
        platforms: image.platforms.split(',').filter(|platform| !platform.is_empty()).map(str::to_owned).collect(),
        logical: image.logical,
        added: time(image.added_at),
        attached_to: image.attached_to,
        outdated: image.upstream_digest.filter(|upstream| *upstream != image.digest),
        gone: image.gone_at.map(time),
    })
}

fn details(engine: &Engine, connection: &Connection, repository: &Repository, image: &Image) -> Result<ImageDetails> {
    let mut manifests = Vec::new();
    let mut subjects = Vec::new();
    let mut top_type = String::new();
    let mut rows = Vec::new();
    for content in images::contents(connection, image.id)? {
        if content.role == Role::Manifest
            && let Some(row) = blobs::manifest(connection, content.blob)?
        {
            rows.push(row);
        }
    }
    let mut platforms: std::collections::HashMap<Digest, (Option<Platform>, Option<Digest>, usize)> =
        std::collections::HashMap::new();
    let mut parsed = Vec::new();
    for row in rows {
        let manifest = Manifest::parse(&blobs::bytes(connection, row.blob)?, Some(&row.media_type))?;
        if let Body::Index { manifests } = &manifest.body {
            for (position, entry) in manifests.iter().enumerate() {
                platforms.insert(entry.digest, (entry.runs_on(), entry.attests(), position + 1));
            }
        }
        parsed.push((row, manifest));
    }
    // The top one first, then in the order of its index.
    parsed.sort_by_key(|(row, _)| {
        (
            row.digest != image.digest,
            platforms.get(&row.digest).map_or(usize::MAX, |(_, _, position)| *position),
            row.digest,
        )
    });
    let mut ids = vec![image.id];
    for (row, manifest) in parsed {
        if row.digest == image.digest {
            top_type.clone_from(&row.media_type);
        }
        subjects.push(row.digest);
        let (platform, attests) =
            platforms.get(&row.digest).map_or((None, None), |(platform, attests, _)| (platform.clone(), *attests));
        let (config, layers) = match &manifest.body {
            Body::Index { .. } => (None, Vec::new()),
            Body::Image { config, layers } => {
                let config = if manifest.is_image() { config_details(engine, connection, config)? } else { None };
                let mut shown = Vec::with_capacity(layers.len());
                for layer in layers {
                    shown.push(layer_details(connection, image, layer)?);
                }
                if let Some((config, _)) = config.as_ref().filter(|(config, _)| config.explains(shown.len())) {
                    let made = config.history.iter().filter(|step| !step.empty);
                    for (layer, step) in shown.iter_mut().zip(made) {
                        layer.created_by = Some(step.command.clone()).filter(|command| !command.is_empty());
                    }
                }
                (config, shown)
            }
        };
        let platform = match (platform, &config) {
            (Some(platform), _) => Some(printable_within(&platform.to_string(), 60)),
            (None, Some(config)) => config.1.clone(),
            (None, None) => None,
        };
        manifests.push(ManifestDetails {
            digest: row.digest,
            cid: blobs::by_id(connection, row.blob)?.link.cid.to_string(),
            media_type: row.media_type,
            size: row.size,
            platform,
            attests,
            config: config.map(|(config, _)| config),
            layers,
        });
    }
    let mut attached = Vec::new();
    let mut next = subjects;
    while let Some(subject) = next.pop() {
        for companion in images::attached_to(connection, repository.id, &subject)? {
            if ids.contains(&companion.id) {
                continue;
            }
            ids.push(companion.id);
            next.push(companion.digest);
            let row = blobs::manifest(connection, companion.manifest)?;
            attached.push(AttachedDetails {
                subject,
                tag: companion.tag.map(|tag| tag.to_string()),
                digest: companion.digest,
                cid: blobs::by_id(connection, companion.manifest)?.link.cid.to_string(),
                artifact_type: row.and_then(|row| row.artifact_type).map(|text| printable_within(&text, 120)),
                logical: companion.logical,
            });
        }
    }
    let mut gateway = Vec::new();
    for mut manifest in images::gateway(connection, image.id)? {
        if manifest.outcome.is_ok() && !images::has_its_name(connection, repository.id, &manifest)? {
            manifest.name = None;
        }
        let (digest, left_out) = match manifest.outcome {
            Ok((_, digest)) => (Some(digest), None),
            Err(reason) => (None, Some(reason)),
        };
        gateway.push(GatewayDetails { platform: manifest.platform, tag: manifest.name, digest, left_out });
    }
    let omissions = omissions::of(connection, image.id)?;
    Ok(ImageDetails {
        row: image_row(connection, repository, image)?,
        upstream: repository.upstream.as_ref().map(|upstream| format!("{upstream}{}", image.upstream_suffix())),
        private: repository.private,
        published: repository.is_published(),
        media_type: top_type,
        selection: image.selection.to_string(),
        figures: statistics::images(connection, &ids)?,
        manifests,
        attached,
        left_out: omissions
            .into_iter()
            .map(|omission| LeftOut {
                digest: omission.digest,
                platform: omission.platform,
                reason: LeftOutReason::recorded(omission.reason),
            })
            .collect(),
        gateway,
    })
}

fn layer_details(connection: &Connection, image: &Image, layer: &Descriptor) -> Result<LayerDetails> {
    let blob = blobs::by_digest(connection, &layer.digest)?;
    let (shared_with, shared_by) = match &blob {
        Some(blob) => statistics::sharers(connection, blob.id, image.id, MAX_NAMED_SHARERS)?,
        None => (Vec::new(), 0),
    };
    Ok(LayerDetails {
        digest: layer.digest,
        cid: blob.map(|blob| blob.link.cid.to_string()),
        media_type: printable_within(&layer.media_type, 120),
        size: layer.size,
        created_by: None,
        shared_with,
        shared_by,
    })
}

/// What a configuration says, and its platform (OCI image spec, config.md).
fn config_details(
    engine: &Engine,
    connection: &Connection,
    config: &Descriptor,
) -> Result<Option<(ConfigDetails, Option<String>)>> {
    #[derive(serde::Deserialize)]
    struct Wire {
        created: Option<String>,
        config: Option<Inner>,
        #[serde(default)]
        history: Vec<WireStep>,
    }
    #[derive(Default, serde::Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Inner {
        entrypoint: Option<Vec<String>>,
        cmd: Option<Vec<String>>,
        env: Option<Vec<String>>,
        working_dir: Option<String>,
        user: Option<String>,
        exposed_ports: Option<serde_json::Map<String, serde_json::Value>>,
        labels: Option<std::collections::BTreeMap<String, String>>,
    }
    #[derive(serde::Deserialize)]
    struct WireStep {
        created_by: Option<String>,
        comment: Option<String>,
        #[serde(default)]
        empty_layer: bool,
    }
    let Some(bytes) = engine.stored_bytes(&config.digest, config.size)? else { return Ok(None) };
    let cid = blobs::by_digest(connection, &config.digest)?.map(|blob| blob.link.cid.to_string()).unwrap_or_default();
    let platform =
        crate::engine::add::closure::platform_in(&bytes).map(|platform| printable_within(&platform.to_string(), 60));
    let mut details = ConfigDetails { digest: config.digest.to_string(), cid, ..ConfigDetails::default() };
    if let Ok(wire) = serde_json::from_slice::<Wire>(&bytes) {
        let inner = wire.config.unwrap_or_default();
        let words =
            |list: Option<Vec<String>>| list.unwrap_or_default().iter().map(|word| printable(word)).collect::<Vec<_>>();
        let some = |text: Option<String>| text.filter(|text| !text.is_empty()).map(|text| printable(&text));
        details.created = some(wire.created);
        details.entrypoint = words(inner.entrypoint);
        details.command = words(inner.cmd);
        details.environment = words(inner.env);
        details.working_directory = some(inner.working_dir);
        details.user = some(inner.user);
        details.ports = inner.exposed_ports.unwrap_or_default().keys().map(|port| printable(port)).collect();
        details.labels =
            inner.labels.unwrap_or_default().iter().map(|(key, value)| (printable(key), printable(value))).collect();
        details.history = wire
            .history
            .into_iter()
            .map(|step| {
                // Commands are written over several lines, and indented.
                let command = step.created_by.or(step.comment).unwrap_or_default().replace(['\t', '\n', '\r'], " ");
                Step { command: printable(command.trim()), empty: step.empty_layer }
            })
            .collect();
    }
    Ok(Some((details, platform)))
}
