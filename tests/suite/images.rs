//! Images and artifacts that the suite makes itself, as OCI image layouts.
//!
//! Knows the OCI image specification. Everything is the same on each run, so that digests can be compared.

use crate::peers::{Directory, program};
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// The OCI media types that the suite writes.
mod media {
    pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    pub(super) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    pub(super) const EMPTY: &str = "application/vnd.oci.empty.v1+json";
}

/// An OCI image layout in a temporary directory.
pub(crate) struct Layout {
    directory: Directory,
    /// Blobs that aren't manifests, each once, in the order of writing.
    blobs: Vec<String>,
    /// Tag or digest, media type and digest of each manifest, what it refers to before itself.
    manifests: Vec<(String, String, String)>,
    /// The entries of `index.json`.
    entries: Vec<Value>,
}

impl Layout {
    /// An empty layout.
    pub(crate) fn new() -> Self {
        let directory = Directory::new();
        directory.make("blobs/sha256");
        directory.write("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
        let made = Self { directory, blobs: Vec::new(), manifests: Vec::new(), entries: Vec::new() };
        made.write_index();
        made
    }

    /// A runnable image for this machine's architecture under the tag `1`.
    pub(crate) fn busybox() -> Self {
        let mut made = Self::new();
        let image = made.image(&Made::host());
        made.tag("1", &image);
        made
    }

    /// A runnable image for this machine's architecture under the tag `1`, with these words in `/etc/greeting`.
    pub(crate) fn saying(words: &str) -> Self {
        let mut made = Self::new();
        let image = made.greeting_image(&Made::host(), words);
        made.tag("1", &image);
        made
    }

    /// A runnable image for three platforms, this machine's among them, under the tag `1`.
    pub(crate) fn multi_platform() -> Self {
        let mut made = Self::new();
        let index = made.platforms();
        made.tag("1", &index);
        made
    }

    /// Under each of these tags an index of its own for two platforms: this machine's, which greets with these words and the
    /// tag, and another, which is the same in all.
    pub(crate) fn versions(tags: &[&str], words: &str) -> Self {
        let mut made = Self::new();
        let other = made.image(&Made { architecture: "s390x", variant: None });
        for tag in tags {
            let own = made.greeting_image(&Made::host(), &format!("{words} {tag}\n"));
            let index = made.index(&[own, other.clone()]);
            made.tag(tag, &index);
        }
        made
    }

    /// An image for this machine under the tag `1` whose history and labels say what would run in a careless page.
    pub(crate) fn hostile() -> Self {
        let mut made = Self::new();
        let archive = tar(&[("etc", Entry::Directory)]);
        let layer = made.blob(media::LAYER, &gzipped(&archive));
        let history = json!([
            {"created": CREATED, "created_by": HOSTILE},
            {"created": CREATED, "created_by": HOSTILE, "empty_layer": true},
        ]);
        let image = made.image_of(&Made::host(), &[layer], &[digest(&archive)], &history);
        made.tag("1", &image);
        made
    }

    /// What a careful publisher leaves in a repository: [`Self::multi_platform`] with a provenance attestation in its
    /// index under the tag `1`, a cosign signature under its tag, an SBOM that refers to it (with the fallback tag of
    /// registries without a referrers API), and a Helm chart under the tag `chart-0.1.0`.
    pub(crate) fn with_artifacts() -> Self {
        Self::with_documents(
            br#"{"_type":"https://in-toto.io/Statement/v0.1"}"#,
            |digest| digest.as_bytes().to_vec(),
            br#"{"spdxVersion":"SPDX-2.3"}"#,
        )
    }

    /// The same with this statement in its index, this payload of a signature of a digest, and this SBOM.
    pub(crate) fn with_documents(statement: &[u8], payload: impl Fn(&str) -> Vec<u8>, bill: &[u8]) -> Self {
        let mut made = Self::new();
        let mut children: Vec<Value> = PLATFORMS.iter().map(|platform| made.image(platform)).collect();
        let subject = children[0]["digest"].clone();
        let statement = made.blob("application/vnd.in-toto+json", statement);
        let config = made.blob(media::CONFIG, br#"{"architecture":"unknown","os":"unknown","config":{}}"#);
        let mut attestation = made.manifest(
            media::MANIFEST,
            &json!({"schemaVersion": 2, "mediaType": media::MANIFEST, "config": config, "layers": [statement]}),
        );
        attestation["platform"] = json!({"architecture": "unknown", "os": "unknown"});
        attestation["annotations"] = json!({
            "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": subject,
        });
        children.push(attestation);
        let index = made.index(&children);
        made.tag("1", &index);

        let digest = String::from(index["digest"].as_str().expect("a digest"));
        let fallback = digest.replace(':', "-");
        let mut payload = made.blob("application/vnd.dev.cosign.simplesigning.v1+json", &payload(&digest));
        payload["annotations"] = json!({"dev.cosignproject.cosign/signature": "bm90IGEgcmVhbCBvbmU="});
        let config = made.blob(media::CONFIG, br#"{"architecture":"","os":"","config":{},"rootfs":{"type":"layers"}}"#);
        let signature = made.manifest(
            media::MANIFEST,
            &json!({"schemaVersion": 2, "mediaType": media::MANIFEST, "config": config, "layers": [payload]}),
        );
        made.tag(&format!("{fallback}.sig"), &signature);

        let empty = made.blob(media::EMPTY, b"{}");
        let bill = made.blob("application/spdx+json", bill);
        let mut referrer = made.manifest(
            media::MANIFEST,
            &json!({
                "schemaVersion": 2, "mediaType": media::MANIFEST, "artifactType": "application/spdx+json",
                "config": empty, "layers": [bill], "subject": index,
            }),
        );
        referrer["artifactType"] = json!("application/spdx+json");
        let referrers = made.index(&[referrer]);
        made.tag(&fallback, &referrers);

        let config = made.blob(
            "application/vnd.cncf.helm.config.v1+json",
            br#"{"apiVersion":"v2","name":"chart","version":"0.1.0"}"#,
        );
        let content = gzipped(&tar(&[("chart/Chart.yaml", Entry::File(b"apiVersion: v2\nname: chart\n", 0o644))]));
        let content = made.blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip", &content);
        let chart = made.manifest(
            media::MANIFEST,
            &json!({"schemaVersion": 2, "mediaType": media::MANIFEST, "config": config, "layers": [content]}),
        );
        made.tag("chart-0.1.0", &chart);
        made
    }

    /// An image under the tag `1` whose layers hold one file of pseudo-random bytes each, of about these sizes; other
    /// seeds give other bytes. Written as it is made, never whole in memory.
    pub(crate) fn random(sizes: &[u64], seed: u64) -> Self {
        let mut made = Self::new();
        let (mut layers, mut diff_ids) = (Vec::new(), Vec::new());
        for (number, size) in sizes.iter().enumerate() {
            let partial = made.directory.join("partial");
            let outer = Hashing::new(File::create(&partial).expect("a file"));
            let gzip = flate2::write::GzEncoder::new(outer, flate2::Compression::none());
            let mut archive = tar::Builder::new(Hashing::new(gzip));
            archive
                .append(&header(*size, 0o644, tar::EntryType::Regular, &format!("random-{number}")), {
                    Random::new(seed.wrapping_mul(1_000_003).wrapping_add(number as u64)).take(*size)
                })
                .expect("a tar entry");
            let inner = archive.into_inner().expect("a tar file");
            diff_ids.push(inner.digest());
            let outer = inner.inner.finish().expect("a gzip file");
            let digest = outer.digest();
            let length = outer.length;
            std::fs::rename(&partial, made.blob_path(&digest)).expect("a rename");
            made.blobs.push(digest.clone());
            layers.push(json!({"mediaType": media::LAYER, "digest": digest, "size": length}));
        }
        let image = made.image_of(&Made::host(), &layers, &diff_ids, &json!([]));
        made.tag("1", &image);
        made
    }

    /// An image under the tag `1` with one layer: `busybox` in `/bin`, and these files.
    pub(crate) fn of_files(files: &[(String, Vec<u8>)]) -> Self {
        let archive = with_busybox(files, tar);
        Self::of_layer(&gzipped(&archive), &digest(&archive), &json!({}))
    }

    /// An image under the tag `1` with this layer, whose content has the digest `diff_id` once it is unpacked.
    pub(crate) fn of_layer(content: &[u8], diff_id: &str, annotations: &Value) -> Self {
        let mut made = Self::new();
        let mut layer = made.blob(media::LAYER, content);
        layer["annotations"] = annotations.clone();
        let image = made.image_of(&Made::host(), &[layer], &[String::from(diff_id)], &json!([]));
        made.tag("1", &image);
        made
    }

    /// Its directory.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The digests of everything that isn't a manifest.
    pub(crate) fn blobs(&self) -> Vec<String> {
        self.blobs.clone()
    }

    /// Tag (or digest), media type and digest of each manifest, what it refers to before itself.
    pub(crate) fn manifests(&self) -> Vec<(String, String, String)> {
        self.manifests.clone()
    }

    /// The digest under a tag.
    pub(crate) fn digest(&self, tag: &str) -> String {
        let found = self.manifests.iter().find(|(reference, ..)| reference == tag);
        found.unwrap_or_else(|| panic!("no tag {tag}")).2.clone()
    }

    /// The bytes of a digest.
    pub(crate) fn read(&self, digest: &str) -> Vec<u8> {
        std::fs::read(self.blob_path(digest)).expect("a blob")
    }

    fn blob_path(&self, digest: &str) -> std::path::PathBuf {
        self.directory.join(&format!("blobs/{}", digest.replace(':', "/")))
    }

    fn platforms(&mut self) -> Value {
        let children: Vec<Value> = PLATFORMS.iter().map(|platform| self.image(platform)).collect();
        self.index(&children)
    }

    /// Writes bytes; gives their descriptor.
    fn blob(&mut self, media_type: &str, content: &[u8]) -> Value {
        let digest = digest(content);
        std::fs::write(self.blob_path(&digest), content).expect("a blob");
        if !self.blobs.contains(&digest) {
            self.blobs.push(digest.clone());
        }
        json!({"mediaType": media_type, "digest": digest, "size": content.len()})
    }

    /// Writes a manifest; gives its descriptor.
    fn manifest(&mut self, media_type: &str, content: &Value) -> Value {
        let content = serde_json::to_vec_pretty(content).expect("JSON");
        let digest = digest(&content);
        std::fs::write(self.blob_path(&digest), &content).expect("a manifest");
        self.manifests.push((digest.clone(), String::from(media_type), digest.clone()));
        json!({"mediaType": media_type, "digest": digest, "size": content.len()})
    }

    fn index(&mut self, children: &[Value]) -> Value {
        self.manifest(media::INDEX, &json!({"schemaVersion": 2, "mediaType": media::INDEX, "manifests": children}))
    }

    /// Gives a manifest a tag.
    fn tag(&mut self, tag: &str, descriptor: &Value) {
        let media_type = descriptor["mediaType"].as_str().expect("a media type");
        let digest = descriptor["digest"].as_str().expect("a digest");
        self.manifests.push((String::from(tag), String::from(media_type), String::from(digest)));
        let mut entry = descriptor.clone();
        entry["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
        self.entries.push(entry);
        self.write_index();
    }

    fn write_index(&self) {
        let index = json!({"schemaVersion": 2, "mediaType": media::INDEX, "manifests": self.entries});
        self.directory.write("index.json", index.to_string());
    }

    /// A runnable image: busybox in one layer, which every platform shares, and a greeting that names the platform in
    /// another. Its history has a step without a layer, as nearly every real image's has.
    fn image(&mut self, platform: &Made) -> Value {
        self.greeting_image(platform, &platform.greeting())
    }

    fn greeting_image(&mut self, platform: &Made, greeting: &str) -> Value {
        let busybox = std::fs::read(program("busybox")).expect("busybox");
        let mut entries = vec![("bin", Entry::Directory), ("bin/busybox", Entry::File(&busybox, 0o755))];
        entries.extend(["bin/cat", "bin/echo", "bin/sh", "bin/true"].map(|name| (name, Entry::Link("busybox"))));
        let second = [("etc", Entry::Directory), ("etc/greeting", Entry::File(greeting.as_bytes(), 0o644))];
        let archives = [tar(&entries), tar(&second)];
        let diff_ids: Vec<String> = archives.iter().map(|archive| digest(archive)).collect();
        let layers: Vec<Value> = archives.iter().map(|archive| self.blob(media::LAYER, &gzipped(archive))).collect();
        let history = json!([
            {"created": CREATED, "created_by": "COPY busybox /bin"},
            {"created": CREATED, "created_by": "COPY greeting /etc"},
            {"created": CREATED, "created_by": "ENTRYPOINT [\"/bin/busybox\"]", "empty_layer": true},
        ]);
        self.image_of(platform, &layers, &diff_ids, &history)
    }

    fn image_of(&mut self, platform: &Made, layers: &[Value], diff_ids: &[String], history: &Value) -> Value {
        let mut config = json!({
            "created": CREATED, "architecture": platform.architecture, "os": "linux",
            "config": {
                "Env": ["PATH=/bin"], "Entrypoint": ["/bin/busybox"], "Cmd": ["cat", "/etc/greeting"],
                "Labels": {"org.opencontainers.image.title": "greeting"},
            },
            "rootfs": {"type": "layers", "diff_ids": diff_ids}, "history": history,
        });
        let mut shown = json!({"architecture": platform.architecture, "os": "linux"});
        if let Some(variant) = platform.variant {
            config["variant"] = json!(variant);
            shown["variant"] = json!(variant);
        }
        let config = self.blob(media::CONFIG, &serde_json::to_vec(&config).expect("JSON"));
        let manifest = json!({"schemaVersion": 2, "mediaType": media::MANIFEST, "config": config, "layers": layers});
        let mut descriptor = self.manifest(media::MANIFEST, &manifest);
        descriptor["platform"] = shown;
        descriptor
    }
}

/// What [`Layout::hostile`] says.
pub(crate) const HOSTILE: &str = "</code><img src=x onerror='window.reached = 1'><script>window.reached = 1</script>";

const CREATED: &str = "2026-01-02T03:04:05Z";

/// A platform that images are made for. The program in them is this machine's: only its own platform runs.
pub(crate) struct Made {
    architecture: &'static str,
    variant: Option<&'static str>,
}

const PLATFORMS: [Made; 3] = [
    Made { architecture: "amd64", variant: None },
    Made { architecture: "arm64", variant: Some("v8") },
    Made { architecture: "arm", variant: Some("v7") },
];

impl Made {
    /// This machine's.
    pub(crate) fn host() -> Self {
        match std::env::consts::ARCH {
            "x86_64" => Self { architecture: "amd64", variant: None },
            "aarch64" => Self { architecture: "arm64", variant: Some("v8") },
            other => panic!("no image is made for {other}"),
        }
    }

    /// What `/etc/greeting` says.
    pub(crate) fn greeting(&self) -> String {
        format!("hello from linux/{}{}\n", self.architecture, self.variant.map_or(String::new(), |v| format!("/{v}")))
    }
}

/// The digest of bytes in its usual notation.
pub(crate) fn digest(content: &[u8]) -> String {
    written(&Sha256::digest(content))
}

fn written(hash: &[u8]) -> String {
    use std::fmt::Write as _;
    hash.iter().fold(String::from("sha256:"), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string grows");
        text
    })
}

/// Makes something of the entries of a layer with `busybox` in `/bin` and these files.
pub(crate) fn with_busybox<T>(files: &[(String, Vec<u8>)], make: impl FnOnce(&[(&str, Entry<'_>)]) -> T) -> T {
    let busybox = std::fs::read(program("busybox")).expect("busybox");
    let mut entries = vec![("bin", Entry::Directory), ("bin/busybox", Entry::File(&busybox, 0o755))];
    entries.extend(files.iter().map(|(name, content)| (name.as_str(), Entry::File(content, 0o644))));
    make(&entries)
}

/// What is at a path of an archive.
pub(crate) enum Entry<'a> {
    Directory,
    File(&'a [u8], u32),
    Link(&'a str),
}

pub(crate) fn header(size: u64, mode: u32, kind: tar::EntryType, name: &str) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_path(name).expect("a short path");
    header.set_cksum();
    header
}

fn tar(entries: &[(&str, Entry<'_>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, entry) in entries {
        match entry {
            Entry::Directory => archive.append(&header(0, 0o755, tar::EntryType::Directory, name), std::io::empty()),
            Entry::File(content, mode) => {
                archive.append(&header(content.len() as u64, *mode, tar::EntryType::Regular, name), *content)
            }
            Entry::Link(target) => {
                let mut link = header(0, 0o777, tar::EntryType::Symlink, name);
                link.set_link_name(target).expect("a short path");
                link.set_cksum();
                archive.append(&link, std::io::empty())
            }
        }
        .expect("a tar entry");
    }
    archive.into_inner().expect("a tar file")
}

pub(crate) fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(content).expect("a vector grows");
    gzip.finish().expect("a gzip file")
}

/// Counts and hashes what is written through it.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    length: u64,
}

impl<W: Write> Hashing<W> {
    fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), length: 0 }
    }

    fn digest(&self) -> String {
        written(&self.hash.clone().finalize())
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        let count = self.inner.write(buffer)?;
        self.hash.update(&buffer[..count]);
        self.length += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

/// So many bytes that don't compress, the same for the same seed.
pub(crate) fn random_bytes(count: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; count];
    Random::new(seed).read_exact(&mut bytes).expect("endless bytes");
    bytes
}

/// Endless bytes that don't compress, the same for the same seed.
struct Random(chacha20::ChaCha8);

impl Random {
    fn new(seed: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        Self(chacha20::ChaCha8::new(&key.into(), &[0; 12].into()))
    }
}

impl Read for Random {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        buffer.fill(0);
        self.0.apply_keystream(buffer);
        Ok(buffer.len())
    }
}

#[test]
fn images_are_the_same_on_each_run() {
    for make in [Layout::busybox, Layout::multi_platform, Layout::with_artifacts] {
        assert_eq!(make().digest("1"), make().digest("1"));
    }
    let sizes = [100_000, 1];
    assert_eq!(Layout::random(&sizes, 1).digest("1"), Layout::random(&sizes, 1).digest("1"));
    assert_ne!(Layout::random(&sizes, 1).digest("1"), Layout::random(&sizes, 2).digest("1"));
    let layout = Layout::random(&sizes, 1);
    for blob in layout.blobs() {
        assert_eq!(digest(&layout.read(&blob)), blob);
    }
}
