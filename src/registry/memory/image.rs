//! Small images made on the spot: layers, configuration, manifest, index. The same input gives the same bytes.
//!
//! Knows the OCI image specification and Docker's types; pure, no I/O.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use flate2::{Compression, GzBuilder};
use serde_json::json;

use crate::image::{Descriptor, Digest, Platform, media};

const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// No time is better than the beginning of time for bytes that should not change.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// A manifest with everything it needs: an image, an index or an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Type of the manifest.
    pub media_type: String,
    /// Bytes of the manifest or index.
    pub manifest: Bytes,
    /// Blobs that the manifest refers to: configuration first, then layers.
    pub blobs: Vec<Bytes>,
    /// What an index lists.
    pub children: Vec<Image>,
    /// What it runs on, if it is an image.
    pub platform: Option<Platform>,
    /// Annotations that its entry in an index has.
    pub annotations: BTreeMap<String, String>,
}

impl Image {
    /// Digest of the manifest.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.manifest)
    }

    /// The descriptor by which an index refers to it.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor {
            media_type: self.media_type.clone(),
            digest: self.digest(),
            size: self.manifest.len() as u64,
            urls: Vec::new(),
            annotations: self.annotations.clone(),
            platform: self.platform.clone(),
            artifact_type: None,
        }
    }

    /// An artifact about this image (OCI 1.1 `subject`): a signature, an SBOM.
    #[must_use]
    pub fn referrer(&self, artifact_type: &str, payload: impl Into<Bytes>) -> Self {
        let payload: Bytes = payload.into();
        let empty = Bytes::from_static(b"{}");
        let subject = json!({"mediaType": self.media_type, "digest": self.digest(), "size": self.manifest.len()});
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media::OCI_MANIFEST,
            "artifactType": artifact_type,
            "config": {"mediaType": media::OCI_EMPTY, "digest": Digest::of(&empty), "size": empty.len()},
            "layers": [{"mediaType": artifact_type, "digest": Digest::of(&payload), "size": payload.len()}],
            "subject": subject,
        });
        Self {
            media_type: media::OCI_MANIFEST.to_owned(),
            manifest: manifest.to_string().into(),
            blobs: vec![empty, payload],
            children: Vec::new(),
            platform: None,
            annotations: BTreeMap::new(),
        }
    }

    /// The files of an OCI layout with this image in it, named by these annotations: path and bytes.
    pub fn layout(&self, annotations: &[(&str, &str)]) -> Vec<(String, Bytes)> {
        let mut entry = self.descriptor();
        entry.annotations.extend(annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let index = json!({"schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": [entry]});
        let mut files = BTreeMap::new();
        self.collect(&mut files);
        let mut all = vec![
            ("oci-layout".to_owned(), Bytes::from_static(b"{\"imageLayoutVersion\":\"1.0.0\"}")),
            ("index.json".to_owned(), index.to_string().into()),
        ];
        all.extend(files);
        all
    }

    fn collect(&self, files: &mut BTreeMap<String, Bytes>) {
        for bytes in self.blobs.iter().chain([&self.manifest]) {
            files.insert(format!("blobs/sha256/{}", Digest::of(bytes).hex()), bytes.clone());
        }
        self.children.iter().for_each(|child| child.collect(files));
    }
}

/// Makes an image for one platform.
#[derive(Debug, Clone)]
pub struct ImageBuilder {
    platform: Platform,
    docker: bool,
    layers: Vec<(Bytes, Digest, bool)>,
    entrypoint: Vec<String>,
    env: Vec<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

impl ImageBuilder {
    /// An image without layers, of OCI types.
    pub fn new(platform: Platform) -> Self {
        Self {
            platform,
            docker: false,
            layers: Vec::new(),
            entrypoint: Vec::new(),
            env: vec!["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()],
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        }
    }

    /// Uses Docker's types instead of OCI's.
    #[must_use]
    pub fn docker(mut self) -> Self {
        self.docker = true;
        self
    }

    /// Adds a gzip layer of these files: path and content. Programs and scripts are executable.
    #[must_use]
    pub fn layer<B: AsRef<[u8]>>(mut self, files: &[(&str, B)]) -> Self {
        let tar = tar_of(files);
        let diff_id = Digest::of(&tar);
        self.layers.push((gzip(&tar).into(), diff_id, true));
        self
    }

    /// Adds a layer of these files that is not compressed.
    #[must_use]
    pub fn raw_layer<B: AsRef<[u8]>>(mut self, files: &[(&str, B)]) -> Self {
        let tar = tar_of(files);
        let diff_id = Digest::of(&tar);
        self.layers.push((tar.into(), diff_id, false));
        self
    }

    /// Adds bytes as a gzip layer, whatever they are; for tests that never unpack it.
    #[must_use]
    pub fn opaque_layer(mut self, bytes: impl Into<Bytes>) -> Self {
        let bytes: Bytes = bytes.into();
        self.layers.push((bytes.clone(), Digest::of(&bytes), true));
        self
    }

    /// Sets the `Entrypoint` of the configuration, word by word.
    #[must_use]
    pub fn entrypoint(mut self, words: &[&str]) -> Self {
        self.entrypoint = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Adds a variable, `NAME=value`.
    #[must_use]
    pub fn env(mut self, variable: &str) -> Self {
        self.env.push(variable.to_owned());
        self
    }

    /// Adds a label to the configuration.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Adds an annotation to the manifest.
    #[must_use]
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Makes the configuration and the manifest of what was added.
    pub fn build(self) -> Image {
        let diff_ids: Vec<Digest> = self.layers.iter().map(|(_, diff_id, _)| *diff_id).collect();
        let history: Vec<_> = (1..=self.layers.len())
            .map(|number| json!({"created": CREATED, "created_by": format!("COPY layer {number} / # buildkit")}))
            .collect();
        let mut config = json!({
            "created": CREATED,
            "architecture": self.platform.architecture,
            "os": self.platform.os,
            "config": {"Env": self.env, "Entrypoint": self.entrypoint, "WorkingDir": "/", "Labels": self.labels},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": history,
        });
        if let Some(variant) = &self.platform.variant {
            config["variant"] = json!(variant);
        }
        let config = Bytes::from(config.to_string());
        let (manifest_type, config_type, plain, zipped) = if self.docker {
            (media::DOCKER_MANIFEST, media::DOCKER_CONFIG, DOCKER_LAYER, DOCKER_LAYER_GZIP)
        } else {
            (media::OCI_MANIFEST, media::OCI_CONFIG, OCI_LAYER, OCI_LAYER_GZIP)
        };
        let layers: Vec<_> = self
            .layers
            .iter()
            .map(|(bytes, _, gzipped)| {
                json!({"mediaType": if *gzipped { zipped } else { plain }, "digest": Digest::of(bytes), "size": bytes.len()})
            })
            .collect();
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": manifest_type,
            "config": {"mediaType": config_type, "digest": Digest::of(&config), "size": config.len()},
            "layers": layers,
        });
        if !self.annotations.is_empty() {
            manifest["annotations"] = json!(self.annotations);
        }
        Image {
            media_type: manifest_type.to_owned(),
            manifest: manifest.to_string().into(),
            blobs: std::iter::once(config).chain(self.layers.into_iter().map(|(bytes, ..)| bytes)).collect(),
            children: Vec::new(),
            platform: Some(self.platform),
            annotations: BTreeMap::new(),
        }
    }
}

/// Makes an index of several images.
#[derive(Debug, Clone, Default)]
pub struct IndexBuilder {
    docker: bool,
    children: Vec<Image>,
}

impl IndexBuilder {
    /// An empty OCI index.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes it a Docker manifest list.
    #[must_use]
    pub fn docker(mut self) -> Self {
        self.docker = true;
        self
    }

    /// Adds an image as the next entry of the index.
    #[must_use]
    pub fn image(mut self, image: Image) -> Self {
        self.children.push(image);
        self
    }

    /// Adds an attestation of the image that was added last, as BuildKit stores them.
    #[must_use]
    pub fn attestation(mut self) -> Self {
        let Some(subject) = self.children.last().map(Image::digest) else { return self };
        let statement = Bytes::from(
            json!({"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance/v0.2",
                "subject": [{"name": "demo", "digest": {"sha256": subject.hex()}}], "predicate": {}})
            .to_string(),
        );
        let config = Bytes::from(
            json!({"architecture": "unknown", "os": "unknown", "config": {}, "rootfs": {"type": "layers", "diff_ids": [Digest::of(&statement)]}})
                .to_string(),
        );
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media::OCI_MANIFEST,
            "config": {"mediaType": media::OCI_CONFIG, "digest": Digest::of(&config), "size": config.len()},
            "layers": [{"mediaType": "application/vnd.in-toto+json", "digest": Digest::of(&statement), "size": statement.len(),
                "annotations": {"in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2"}}],
        });
        self.children.push(Image {
            media_type: media::OCI_MANIFEST.to_owned(),
            manifest: manifest.to_string().into(),
            blobs: vec![config, statement],
            children: Vec::new(),
            platform: Some(Platform::new("unknown", "unknown", None)),
            annotations: BTreeMap::from([
                ("vnd.docker.reference.type".to_owned(), "attestation-manifest".to_owned()),
                ("vnd.docker.reference.digest".to_owned(), subject.to_string()),
            ]),
        });
        self
    }

    /// Makes the index of the images that were added.
    pub fn build(self) -> Image {
        let media_type = if self.docker { media::DOCKER_LIST } else { media::OCI_INDEX };
        let manifests: Vec<Descriptor> = self.children.iter().map(Image::descriptor).collect();
        let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests});
        Image {
            media_type: media_type.to_owned(),
            manifest: index.to_string().into(),
            blobs: Vec::new(),
            children: self.children,
            platform: None,
            annotations: BTreeMap::new(),
        }
    }
}

/// A tar archive of these files and their directories, owned by root, from the beginning of time.
fn tar_of<B: AsRef<[u8]>>(files: &[(&str, B)]) -> Vec<u8> {
    let mut archive = Vec::new();
    let mut made = BTreeSet::new();
    for (path, content) in files {
        let path = path.trim_start_matches('/');
        for (at, _) in path.match_indices('/') {
            if made.insert(path[..at].to_owned()) {
                append(&mut archive, &format!("{}/", &path[..at]), 0o755, tar::EntryType::Directory, &[]);
            }
        }
        let content = content.as_ref();
        let runs = content.starts_with(b"\x7fELF") || content.starts_with(b"#!");
        append(&mut archive, path, if runs { 0o755 } else { 0o644 }, tar::EntryType::Regular, content);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

fn append(archive: &mut Vec<u8>, path: &str, mode: u32, kind: tar::EntryType, content: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    // Longer names than a header holds are cut: these are demonstrations, not backups.
    let name = path.as_bytes();
    if let Some(gnu) = header.as_gnu_mut() {
        let kept = name.len().min(gnu.name.len());
        gnu.name[..kept].copy_from_slice(&name[..kept]);
    }
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(content.len() as u64);
    header.set_cksum();
    archive.extend_from_slice(header.as_bytes());
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(512), 0);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::default());
    // Writing to memory can't fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::image::Manifest;

    fn sample() -> ImageBuilder {
        ImageBuilder::new("linux/arm/v7".parse().unwrap())
            .layer(&[("usr/bin/hello", "#!/bin/sh\necho hello\n"), ("usr/share/doc/hello", "hello")])
            .raw_layer(&[("etc/motd", b"hi\n")])
            .entrypoint(&["/usr/bin/hello"])
            .env("A=b")
            .annotation("org.opencontainers.image.title", "hello")
    }

    #[test]
    fn the_same_input_gives_the_same_image() {
        let image = sample().build();
        assert_eq!(image, sample().build());
        let manifest = Manifest::parse(&image.manifest, Some(media::OCI_MANIFEST)).unwrap();
        assert!(manifest.is_image());
        for (descriptor, blob) in manifest.references().iter().zip(&image.blobs) {
            assert_eq!((descriptor.digest, descriptor.size), (Digest::of(blob), blob.len() as u64));
        }
        let docker = sample().docker().build();
        assert!(Manifest::parse(&docker.manifest, Some(media::DOCKER_MANIFEST)).unwrap().is_image());
    }

    #[test]
    fn layers_are_what_the_configuration_says() {
        let image = sample().build();
        let config: serde_json::Value = serde_json::from_slice(&image.blobs[0]).unwrap();
        assert_eq!(config["variant"], "v7");
        let mut tar = Vec::new();
        flate2::read::GzDecoder::new(image.blobs[1].as_ref()).read_to_end(&mut tar).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"][0], Digest::of(&tar).to_string());
        assert_eq!(config["rootfs"]["diff_ids"][1], Digest::of(&image.blobs[2]).to_string());
        let entries: Vec<(String, u32, u64)> = tar::Archive::new(tar.as_slice())
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.path().unwrap().display().to_string();
                (name, entry.header().mode().unwrap(), entry.size())
            })
            .collect();
        let expected = [
            ("usr/", 0o755, 0),
            ("usr/bin/", 0o755, 0),
            ("usr/bin/hello", 0o755, 21),
            ("usr/share/", 0o755, 0),
            ("usr/share/doc/", 0o755, 0),
            ("usr/share/doc/hello", 0o644, 5),
        ];
        assert_eq!(entries, expected.map(|(name, mode, size)| (name.to_owned(), mode, size)));
    }

    #[test]
    fn indexes_and_attestations() {
        let index = IndexBuilder::new().image(sample().build()).attestation().build();
        let parsed = Manifest::parse(&index.manifest, None).unwrap();
        let entries = parsed.references();
        assert_eq!(entries[0].runs_on().unwrap().to_string(), "linux/arm/v7");
        assert_eq!(entries[1].attests(), Some(entries[0].digest));
        assert_eq!(entries[1].runs_on(), None);
        let list = IndexBuilder::new().docker().image(sample().docker().build()).build();
        assert_eq!(Manifest::parse(&list.manifest, None).unwrap().media_type, media::DOCKER_LIST);
    }
}
