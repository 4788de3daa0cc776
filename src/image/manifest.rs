//! Manifests and indexes: read from the bytes a registry sent, which are kept as they are.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Descriptor, media};
use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// Largest manifest that is read: the distribution spec asks registries to take 4 MiB at least, and none sends more.
pub(super) const MAX_MANIFEST_BYTES: usize = 4 << 20;

/// Most entries an index may have, or layers an image: far above what exists, low enough to bound the work.
const MAX_ENTRIES: usize = 10_000;

/// What a manifest says. The bytes it was read from stay the only form that is stored and served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// One of [`media::MANIFEST_TYPES`].
    pub media_type: String,
    /// Descriptors of what it consists of.
    pub body: Body,
    /// The artifact's type, said by the manifest itself (OCI 1.1).
    pub artifact_type: Option<String>,
    /// The manifest that this one is about (OCI 1.1 referrers).
    pub subject: Option<Descriptor>,
    /// Free-form notes; untrusted text.
    pub annotations: BTreeMap<String, String>,
}

/// The two shapes of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "few are alive at a time, and each is read much more often than moved")]
pub enum Body {
    /// An image or another artifact: a configuration and layers.
    Image {
        /// Configuration, or the empty descriptor of an artifact.
        config: Descriptor,
        /// The layers, base first.
        layers: Vec<Descriptor>,
    },
    /// An index or manifest list.
    Index {
        /// Manifests of the index, in its order.
        manifests: Vec<Descriptor>,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    schema_version: u64,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    #[serde(default, deserialize_with = "annotations")]
    annotations: BTreeMap<String, String>,
    #[serde(rename = "fsLayers")]
    fs_layers: Option<serde::de::IgnoredAny>,
}

/// Annotations with each key once: two values for one key would let two readers see two documents. `null` is an empty map.
pub(super) fn annotations<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    struct Once;
    impl<'de> Visitor<'de> for Once {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map of strings")
        }

        fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
            Ok(BTreeMap::new())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut all = BTreeMap::new();
            while let Some((key, value)) = map.next_entry::<String, String>()? {
                if all.contains_key(&key) {
                    return Err(serde::de::Error::custom(format!("duplicate key `{}`", printable_within(&key, 60))));
                }
                all.insert(key, value);
            }
            Ok(all)
        }
    }
    deserializer.deserialize_any(Once)
}

impl Manifest {
    /// Reads a manifest. `content_type` is what the transport called it, if it said something; the document itself decides,
    /// and a contradiction between known types is refused (distribution spec: clients should reject it).
    pub fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Self> {
        let refuse =
            |why: String| Error::new(Kind::Verification, format!("not a manifest this program can mirror: {why}"));
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(refuse(format!("{} bytes exceed the limit of {MAX_MANIFEST_BYTES}", bytes.len())));
        }
        let said = content_type.map(media::essence);
        if matches!(said.as_deref(), Some(media::SCHEMA1 | media::SCHEMA1_SIGNED)) {
            return Err(schema1());
        }
        let wire: Wire =
            serde_json::from_slice(bytes).map_err(|error| refuse(printable_within(&error.to_string(), 200)))?;
        if wire.schema_version == 1 && (wire.fs_layers.is_some() || wire.config.is_none()) {
            return Err(schema1());
        }
        if wire.schema_version != 2 {
            return Err(refuse(format!("schemaVersion {} instead of 2", wire.schema_version)));
        }
        if wire.fs_layers.is_some() {
            return Err(refuse("it is schema 1 and schema 2 at once".to_owned()));
        }
        let (body, plain_type) = match (wire.config, wire.layers, wire.manifests) {
            (Some(config), Some(layers), None) => (Body::Image { config, layers }, media::OCI_MANIFEST),
            (None, None, Some(manifests)) => (Body::Index { manifests }, media::OCI_INDEX),
            (None, None, None) => {
                return Err(refuse("it has neither `config` and `layers` nor `manifests`".to_owned()));
            }
            _ => return Err(refuse("it is an image and an index at once, or half of one".to_owned())),
        };
        let entries = match &body {
            Body::Image { layers, .. } => layers.len(),
            Body::Index { manifests } => manifests.len(),
        };
        if entries > MAX_ENTRIES {
            return Err(refuse(format!("{entries} entries exceed the limit of {MAX_ENTRIES}")));
        }
        let header = said.filter(|said| media::is_manifest(said));
        let media_type = match (wire.media_type, header) {
            (Some(own), Some(header)) if own != header => {
                return Err(refuse(format!(
                    "it calls itself `{}`, but was sent as `{header}`",
                    printable_within(&own, 100)
                )));
            }
            (Some(own), _) => own,
            (None, Some(header)) => header,
            (None, None) => plain_type.to_owned(),
        };
        if !media::is_manifest(&media_type) {
            return Err(refuse(format!("unknown media type `{}`", printable_within(&media_type, 100))));
        }
        if media::is_index(&media_type) != matches!(body, Body::Index { .. }) {
            return Err(refuse(format!("its content does not fit its type `{media_type}`")));
        }
        Ok(Self {
            media_type,
            body,
            artifact_type: wire.artifact_type.filter(|text| !text.is_empty()),
            subject: wire.subject,
            annotations: wire.annotations,
        })
    }

    /// Whether it is an index or manifest list.
    pub fn is_index(&self) -> bool {
        matches!(self.body, Body::Index { .. })
    }

    /// Whether a container engine can run it: its configuration is that of an image.
    pub fn is_image(&self) -> bool {
        match &self.body {
            Body::Image { config, .. } => {
                matches!(config.media_type.as_str(), media::OCI_CONFIG | media::DOCKER_CONFIG)
            }
            Body::Index { .. } => false,
        }
    }

    /// The type of the artifact as the referrers API shows it: its own `artifactType`, else its configuration's media type.
    pub fn shown_artifact_type(&self) -> Option<&str> {
        match (&self.artifact_type, &self.body) {
            (Some(own), _) => Some(own),
            (None, Body::Image { config, .. }) => Some(&config.media_type),
            (None, Body::Index { .. }) => None,
        }
    }

    /// Everything it refers to by descriptor, except its subject.
    pub fn references(&self) -> Vec<&Descriptor> {
        match &self.body {
            Body::Image { config, layers } => std::iter::once(config).chain(layers).collect(),
            Body::Index { manifests } => manifests.iter().collect(),
        }
    }
}

fn schema1() -> Error {
    Error::new(Kind::Usage, "it is a Docker schema 1 manifest, which is not mirrored: it has no digests of its layers' configuration")
        .hint("Push the image again with a current tool, which writes schema 2 or OCI; for example `skopeo copy --format oci docker://REF docker://REF`.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Digest;

    fn descriptor(media_type: &str) -> serde_json::Value {
        serde_json::json!({"mediaType": media_type, "digest": Digest::of(media_type.as_bytes()), "size": 2})
    }

    fn image() -> serde_json::Value {
        serde_json::json!({"schemaVersion": 2, "config": descriptor(media::OCI_CONFIG), "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip")]})
    }

    fn read(value: &serde_json::Value, content_type: Option<&str>) -> Result<Manifest> {
        Manifest::parse(value.to_string().as_bytes(), content_type)
    }

    #[test]
    fn the_type_comes_from_the_body_then_the_header_then_the_shape() {
        assert_eq!(read(&image(), None).unwrap().media_type, media::OCI_MANIFEST);
        assert_eq!(read(&image(), Some("application/json")).unwrap().media_type, media::OCI_MANIFEST);
        assert_eq!(read(&image(), Some(media::DOCKER_MANIFEST)).unwrap().media_type, media::DOCKER_MANIFEST);
        let mut own = image();
        own["mediaType"] = media::DOCKER_MANIFEST.into();
        assert_eq!(read(&own, Some("text/plain; charset=utf-8")).unwrap().media_type, media::DOCKER_MANIFEST);
        assert!(read(&own, Some(media::OCI_MANIFEST)).is_err());
        assert!(read(&image(), Some(media::OCI_INDEX)).is_err());
    }

    #[test]
    fn hostile_documents_are_refused() {
        let text = image().to_string();
        let deep = format!("{{\"schemaVersion\":2,\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let mut both = image();
        both["manifests"] = serde_json::json!([]);
        let mut negative = image();
        negative["layers"][0]["size"] = (-1).into();
        let mut path = image();
        path["layers"][0]["digest"] = "sha256:../../../../etc/passwd".into();
        let mut polyglot = image();
        polyglot["fsLayers"] = serde_json::json!([]);
        let cases = [
            deep,
            text.replacen("\"schemaVersion\":2", "\"schemaVersion\":2,\"schemaVersion\":2", 1),
            text.replacen("\"schemaVersion\":2", "\"schemaVersion\":2,\"annotations\":{\"a\":\"1\",\"a\":\"2\"}", 1),
            text.replacen("\"schemaVersion\":2", "\"schemaVersion\":3", 1),
            both.to_string(),
            negative.to_string(),
            path.to_string(),
            polyglot.to_string(),
            "{}".to_owned(),
            "null".to_owned(),
            String::new(),
            " ".repeat(MAX_MANIFEST_BYTES + 1),
        ];
        for case in cases {
            assert!(Manifest::parse(case.as_bytes(), None).is_err(), "{}", printable_within(&case, 100));
        }
    }

    #[test]
    fn schema_1_is_refused_by_name() {
        let old = serde_json::json!({"schemaVersion": 1, "name": "x", "tag": "y", "fsLayers": [], "history": []});
        for content_type in [None, Some(media::SCHEMA1_SIGNED), Some("application/json")] {
            let error = read(&old, content_type).unwrap_err();
            assert!(error.to_string().contains("schema 1"), "{error}");
        }
    }

    #[test]
    fn attestations_name_what_they_attest() {
        let attested = Digest::of(b"x");
        let entry: Descriptor = serde_json::from_value(serde_json::json!({
            "mediaType": media::OCI_MANIFEST, "digest": Digest::of(b"y"), "size": 2,
            "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": attested},
        }))
        .unwrap();
        assert_eq!(entry.attests(), Some(attested));
        assert_eq!(entry.runs_on(), None);
    }
}
