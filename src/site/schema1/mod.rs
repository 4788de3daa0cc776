//! Docker image manifest V2, schema 1 (distribution, `docs/spec/manifest-v2-1.md`), made from a newer manifest and its
//! configuration: the only kind that clients take from a host which can't name a manifest's type.
//!
//! The payload is byte for byte what skopeo's own conversion writes for an image without a name, so that its digest can be
//! checked with another tool. Knows manifests and configurations; must not know where either is kept.

mod json;
mod signature;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::image::{Body, Descriptor, Digest, Manifest};
use crate::text::printable_within;

/// Largest configuration that is read and largest manifest that is made: clients read no more than 4 MiB of either.
const MAX_MANIFEST_BYTES: usize = 4 << 20;

/// Most history entries: each becomes some 300 bytes.
const MAX_HISTORY_ENTRIES: usize = 10_000;

/// What Go writes for a time that was not given.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// Digest of [`EMPTY_LAYER`].
pub const EMPTY_LAYER_DIGEST: Digest = Digest::from_bytes([
    0xa3, 0xed, 0x95, 0xca, 0xeb, 0x02, 0xff, 0xe6, 0x8c, 0xdd, 0x9f, 0xd8, 0x44, 0x06, 0x68, 0x0a, 0xe9, 0x3d, 0x63,
    0x3c, 0xb1, 0x64, 0x22, 0xd0, 0x0e, 0x8a, 0x7c, 0x22, 0x95, 0x5b, 0x46, 0xd4,
]);

/// The layer of history entries that changed no file: an empty tar archive as Docker once compressed it.
pub const EMPTY_LAYER: [u8; 32] = [
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x09, 0x6e, 0x88, 0x00, 0xff, 0x62, 0x18, 0x05, 0xa3, 0x60, 0x14, 0x8c, 0x58, 0x00,
    0x08, 0x00, 0x00, 0xff, 0xff, 0x2e, 0xaf, 0xb5, 0xef, 0x00, 0x04, 0x00, 0x00,
];

/// A signed schema 1 manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema1 {
    /// The file's bytes, signature included.
    pub bytes: Vec<u8>,
    /// The name it is pulled by: the digest of the *payload*, which is the file without its signature.
    pub digest: Digest,
    /// Whether it names [`EMPTY_LAYER`], which must then be among the repository's blobs.
    pub needs_empty_layer: bool,
}

/// Why an image can't be said in schema 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsayable {
    /// It is an index, or its configuration is not that of an image.
    #[error("it is not a container image")]
    NotAnImage,
    /// A layer is compressed with zstd.
    #[error("a layer is compressed with zstd, which schema 1 clients can't read")]
    Zstd,
    /// A layer may not be redistributed and is fetched from elsewhere.
    #[error("a layer may not be redistributed, and schema 1 can't say where else it is")]
    Foreign,
    /// A layer is no tar archive that clients would unpack.
    #[error("a layer has the type `{0}`, which schema 1 can't say")]
    Layer(String),
    /// It has neither layers nor a history.
    #[error("it has no layers")]
    NoLayers,
    /// The configuration can't be read.
    #[error("its configuration can't be read: {0}")]
    Configuration(String),
    /// The configuration belongs to another number of layers.
    #[error("its configuration is about {configuration} layers, but it has {manifest}")]
    Mismatch {
        /// Layers in the manifest.
        manifest: usize,
        /// Layers in the configuration's `rootfs`.
        configuration: usize,
    },
    /// The configuration, or what would be made of it, is larger than clients read.
    #[error("its configuration is too large: schema 1 clients read 4 MiB at most")]
    TooLarge,
    /// The signature could not be made.
    #[error("it could not be signed")]
    Signature,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Option<Vec<String>>,
}

/// One entry of a configuration's `history` (OCI image spec, config.md).
#[derive(Deserialize, Default)]
struct Step {
    created: Option<String>,
    author: Option<String>,
    created_by: Option<String>,
    comment: Option<String>,
    empty_layer: Option<bool>,
}

impl Step {
    fn is_empty_layer(&self) -> bool {
        self.empty_layer.unwrap_or(false)
    }
}

/// Makes the schema 1 manifest of an image from its manifest and the bytes of its configuration.
///
/// `name` and `tag` are left empty, so that the bytes don't depend on where they hang. Same image, same bytes.
/// Uncompressed layers stay: clients find out by themselves how a layer is compressed.
pub fn convert(manifest: &Manifest, configuration: &[u8]) -> Result<Schema1, Unsayable> {
    let (Body::Image { config, layers }, true) = (&manifest.body, manifest.is_image()) else {
        return Err(Unsayable::NotAnImage);
    };
    layers.iter().try_for_each(check_layer)?;
    if configuration.len() > MAX_MANIFEST_BYTES {
        return Err(Unsayable::TooLarge);
    }
    if Digest::of(configuration) != config.digest {
        return Err(Unsayable::Configuration("it is not the one that the manifest names".to_owned()));
    }
    let fields: BTreeMap<String, &RawValue> = serde_json::from_slice(configuration).map_err(|e| unreadable(&e))?;
    let architecture: String = field(&fields, "architecture")?.unwrap_or_default();
    let rootfs: Option<RootFs> = field(&fields, "rootfs")?;
    let layers_of_configuration = rootfs.and_then(|rootfs| rootfs.diff_ids).unwrap_or_default().len();
    if layers_of_configuration != layers.len() {
        return Err(Unsayable::Mismatch { manifest: layers.len(), configuration: layers_of_configuration });
    }
    let mut history: Vec<Step> = field(&fields, "history")?.unwrap_or_default();
    if history.iter().filter(|step| !step.is_empty_layer()).count() != layers.len() {
        // Some builders write no history, or not all of it. Clients count it against the layers, so it is made up.
        let created: Option<String> = field(&fields, "created").unwrap_or_default();
        history = layers.iter().map(|_| Step { created: created.clone(), ..Step::default() }).collect();
    }
    if history.len() > MAX_HISTORY_ENTRIES {
        return Err(Unsayable::TooLarge);
    }
    let chain = chain(&history, layers, &fields, configuration)?;
    let payload = payload(&architecture, &chain);
    let bytes = signature::sign(&payload).ok_or(Unsayable::Signature)?;
    if bytes.len() > MAX_MANIFEST_BYTES {
        return Err(Unsayable::TooLarge);
    }
    let needs_empty_layer = chain.iter().any(|(blob, _)| *blob == EMPTY_LAYER_DIGEST);
    Ok(Schema1 { digest: Digest::of(&payload), bytes, needs_empty_layer })
}

/// Whether this layer is a tar archive, plain or with gzip, that may be given out.
fn check_layer(layer: &Descriptor) -> Result<(), Unsayable> {
    let layer_type = layer.media_type.as_str();
    if layer.is_foreign_layer() {
        return Err(Unsayable::Foreign);
    }
    match layer_type {
        "application/vnd.oci.image.layer.v1.tar"
        | "application/vnd.oci.image.layer.v1.tar+gzip"
        | "application/vnd.docker.image.rootfs.diff.tar"
        | "application/vnd.docker.image.rootfs.diff.tar.gzip" => Ok(()),
        _ if layer_type.ends_with("zstd") => Err(Unsayable::Zstd),
        _ => Err(Unsayable::Layer(printable_within(layer_type, 100))),
    }
}

fn unreadable(error: &serde_json::Error) -> Unsayable {
    Unsayable::Configuration(printable_within(&error.to_string(), 200))
}

/// One field of the configuration; absent and `null` are the same, as in Go.
fn field<'a, T: Deserialize<'a>>(fields: &BTreeMap<String, &'a RawValue>, name: &str) -> Result<Option<T>, Unsayable> {
    match fields.get(name) {
        Some(raw) => serde_json::from_str::<Option<T>>(raw.get()).map_err(|e| unreadable(&e)),
        None => Ok(None),
    }
}

/// The v1 images, base first: each its blob and its `v1Compatibility`, and each naming the one before it as its parent.
fn chain(
    history: &[Step],
    layers: &[Descriptor],
    fields: &BTreeMap<String, &RawValue>,
    configuration: &[u8],
) -> Result<Vec<(Digest, String)>, Unsayable> {
    let mut blobs = layers.iter().map(|layer| layer.digest);
    let mut parent = String::new();
    let mut chain = Vec::with_capacity(history.len());
    for (position, step) in history.iter().enumerate() {
        let blob = if step.is_empty_layer() { Some(EMPTY_LAYER_DIGEST) } else { blobs.next() };
        let Some(blob) = blob else { return Err(Unsayable::NoLayers) };
        // As Docker computed it: over the blob, the parent and, for the top, the whole configuration.
        let mut hashed = format!("{} {parent}", blob.hex()).into_bytes();
        let top = position + 1 == history.len();
        if top {
            hashed.push(b' ');
            hashed.extend_from_slice(configuration);
        }
        let id = Digest::of(&hashed).hex();
        let compatibility = if top { top_image(fields, &id, &parent, step) } else { lower_image(&id, &parent, step) };
        chain.push((blob, compatibility));
        parent = id;
    }
    if chain.is_empty() { Err(Unsayable::NoLayers) } else { Ok(chain) }
}

/// A v1 image below the top: only what the history says.
fn lower_image(id: &str, parent: &str, step: &Step) -> String {
    let mut object = json::Object::new();
    object.text("id", id);
    object.text_unless_empty("parent", parent);
    object.text_unless_empty("comment", step.comment.as_deref().unwrap_or_default());
    object.text("created", &step.created.as_deref().and_then(json::time).unwrap_or_else(|| NO_TIME.to_owned()));
    let mut command = json::Object::new();
    command.raw("Cmd", &format!("[{}]", json::text(step.created_by.as_deref().unwrap_or_default())));
    object.raw("container_config", &command.finish());
    object.text_unless_empty("author", step.author.as_deref().unwrap_or_default());
    if step.is_empty_layer() {
        object.raw("throwaway", "true");
    }
    object.finish()
}

/// The top v1 image: the whole configuration, except what schema 1 says elsewhere; its keys sorted.
fn top_image(fields: &BTreeMap<String, &RawValue>, id: &str, parent: &str, step: &Step) -> String {
    let mut own: BTreeMap<&str, String> = fields
        .iter()
        .filter(|(key, _)| !matches!(key.as_str(), "rootfs" | "history"))
        .map(|(key, raw)| (key.as_str(), json::compact(raw.get())))
        .collect();
    own.insert("id", json::text(id));
    if !parent.is_empty() {
        own.insert("parent", json::text(parent));
    }
    if step.is_empty_layer() {
        own.insert("throwaway", "true".to_owned());
    }
    let mut object = json::Object::new();
    for (key, value) in own {
        object.raw(key, &value);
    }
    object.finish()
}

/// The manifest without its signature; layers and history top first.
fn payload(architecture: &str, chain: &[(Digest, String)]) -> Vec<u8> {
    let layers: Vec<String> = chain.iter().rev().map(|(blob, _)| format!(r#"{{"blobSum":"{blob}"}}"#)).collect();
    let history: Vec<String> =
        chain.iter().rev().map(|(_, image)| format!(r#"{{"v1Compatibility":{}}}"#, json::text(image))).collect();
    let mut object = json::Object::new();
    object.text("name", "");
    object.text("tag", "");
    object.text("architecture", architecture);
    object.raw("fsLayers", &format!("[{}]", layers.join(",")));
    object.raw("history", &format!("[{}]", history.join(",")));
    object.raw("schemaVersion", "1");
    object.finish().into_bytes()
}

#[cfg(test)]
mod tests;
