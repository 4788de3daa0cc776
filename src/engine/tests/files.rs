//! The files of an image, out of the store: each compression, each platform, one file saved, and what can't be looked into.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::catalog::{blobs, left_blobs};
use crate::engine::query::files::{ImageFiles, Which};
use crate::engine::query::save::SavedFile;
use crate::error::{Error, Kind};
use crate::image::files::{Stage, State, Tree};

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// A tar archive without compression, as a layer of that kind has it.
fn tar(files: &[(&str, &str)]) -> bytes::Bytes {
    ImageBuilder::new(platform("linux/amd64")).raw_layer(files).build().blobs[1].clone()
}

/// Three layers: gzip, no compression, zstd.
fn layered(on: &str, content: &str) -> Image {
    ImageBuilder::new(platform(on))
        .layer(&[("etc/motd", content), ("usr/bin/run", "#!/bin/sh\necho hello\n"), ("var/cache/index", "0123456789")])
        .raw_layer(&[("etc/motd", "changed"), ("var/cache/.wh.index", "")])
        .opaque_layer(zstd(&tar(&[("opt/new", "new")])))
        .build()
}

impl TestEngine {
    async fn look(&self, what: &str, which: Which) -> Result<ImageFiles, Error> {
        self.engine.look_into(self.pick(what), which, &Job::new().0).await
    }

    async fn save(&self, files: &Arc<ImageFiles>, path: &str, layer: usize, to: &Path) -> Result<SavedFile, Error> {
        let (files, to) = (Arc::clone(files), to.to_owned());
        self.engine.save_out(files, path.to_owned(), layer, to, &Job::new().0).await
    }
}

fn states(tree: &Tree, layer: usize) -> Vec<String> {
    let stage = Stage::of(tree, layer);
    let changed = tree.walk().filter(|node| stage.touches(*node));
    changed.map(|node| format!("{} {}", stage.standing(node).state.name(), tree.path(node))).collect()
}

#[tokio::test]
async fn layers_of_every_compression_are_put_over_one_another() {
    let test = TestEngine::new().await;
    test.put("app", "1", &layered("linux/amd64", "hello"));
    test.add(&["app:1"]).await;
    let files = test.look("app:1", Which::Usual).await.unwrap();
    assert_eq!(
        (files.image.as_str(), files.platform.as_deref()),
        (test.published("app:1").as_str(), Some("linux/amd64"))
    );
    let steps: Vec<_> = files.layers.iter().map(|layer| (layer.added, layer.changed, layer.deleted)).collect();
    assert_eq!(steps, [((3, 36), (0, 0), (0, 0)), ((0, 0), (1, 7), (1, 10)), ((1, 3), (0, 0), (0, 0))]);
    assert_eq!(files.layers[1].command.as_deref(), Some("COPY layer 2 / # buildkit"));
    assert_eq!(
        states(&files.tree, 1),
        ["changed etc", "changed etc/motd", "changed var", "changed var/cache", "deleted var/cache/index"]
    );
    assert_eq!(states(&files.tree, 2), ["added opt", "added opt/new"]);
    assert_eq!((files.figures.files, files.figures.wasted), (3, 15));
    assert_eq!(Stage::of(&files.tree, 2).standing(files.tree.find("var/cache/index").unwrap()).state, State::Absent);
}

#[tokio::test]
async fn a_layer_that_was_looked_into_is_not_read_again() {
    let test = TestEngine::new().await;
    test.put("app", "1", &layered("linux/amd64", "hello"));
    test.add(&["app:1"]).await;
    let read = async |engine: &Arc<Engine>| {
        let (job, watch) = Job::new();
        engine.look_into(test.pick("app:1"), Which::Usual, &job).await.unwrap();
        assert_eq!(watch.meter.done(), watch.meter.total());
        watch.meter.moved()
    };
    assert!(read(&test.engine).await > 0);
    assert_eq!(read(&test.engine).await, 0);
}

#[tokio::test]
async fn a_platform_is_chosen_or_is_the_usual_one() {
    let test = TestEngine::new().await;
    let one = |on: &str| layered(on, on);
    let image = IndexBuilder::new().image(one("linux/riscv64")).image(one("linux/arm64")).image(one("linux/arm/v7"));
    test.put("app", "1", &image.attestation().build());
    test.add(&["app:1"]).await;
    let of = async |which| test.look("app:1", which).await.map(|files| files.platform.unwrap_or_default());
    // The default platform is this machine's, which is arm64 or not there.
    let usual = of(Which::Usual).await.unwrap();
    assert!(usual == Platform::host().to_string() || usual == "linux/riscv64", "{usual}");
    assert_eq!(of(Which::Platform(platform("linux/arm64"))).await.unwrap(), "linux/arm64");
    assert_eq!(of(Which::Platform(platform("linux/arm"))).await.unwrap(), "linux/arm/v7");
    let files = test.look("app:1", Which::Usual).await.unwrap();
    assert_eq!(files.platforms.len(), 3, "an attestation is no platform");
    for (digest, name) in files.platforms {
        assert_eq!(of(Which::Manifest(digest)).await.unwrap(), name);
    }
    let error = of(Which::Platform(platform("linux/s390x"))).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert_eq!(error.hints(), ["It has linux/riscv64, linux/arm64, linux/arm/v7."]);
}

#[tokio::test]
async fn one_file_is_saved_as_any_layer_has_it_and_over_no_other() {
    let test = TestEngine::new().await;
    test.put("app", "1", &layered("linux/amd64", "hello"));
    test.add(&["app:1"]).await;
    let files = Arc::new(test.look("app:1", Which::Usual).await.unwrap());
    let target = tempfile::tempdir().unwrap();
    let saved = test.save(&files, "/etc/motd", 2, target.path()).await.unwrap();
    assert_eq!((saved.file.clone(), saved.size), (target.path().join("motd"), 7));
    assert_eq!(fs::read(&saved.file).unwrap(), b"changed");
    assert_eq!(saved.digest, Some(Digest::of(b"changed")));
    let error = test.save(&files, "etc/motd", 0, target.path()).await.unwrap_err();
    assert!(error.to_string().ends_with("motd is there already"), "{error}");
    test.save(&files, "etc/motd", 0, &target.path().join("first")).await.unwrap();
    assert_eq!(fs::read(target.path().join("first")).unwrap(), b"hello");
    // What a layer takes away is there before it.
    assert_eq!(test.save(&files, "var/cache/index", 1, target.path()).await.unwrap_err().kind(), Kind::NotFound);
    test.save(&files, "var/cache/index", 0, target.path()).await.unwrap();
    let run = test.save(&files, "usr/bin/run", 2, target.path()).await.unwrap().file;
    assert_eq!(run.metadata().unwrap().permissions().mode() & 0o100, 0o100, "it runs");
    assert_eq!(saved.file.metadata().unwrap().permissions().mode() & 0o111, 0, "it does not");
    let error = test.save(&files, "etc", 2, target.path()).await.unwrap_err();
    assert!(error.to_string().ends_with("etc is a directory"), "{error}");
    let missing = target.path().join("no/such/directory");
    assert!(test.save(&files, "etc/motd", 2, &missing).await.unwrap_err().to_string().contains("can't write"));
    let names = fs::read_dir(target.path()).unwrap().count();
    assert_eq!(names, 4, "nothing half is left");
}

#[tokio::test]
async fn what_can_not_be_looked_into_says_why() {
    let test = TestEngine::new().await;
    let image = layered("linux/amd64", "hello");
    let mut encrypted: serde_json::Value = serde_json::from_slice(&image.manifest).unwrap();
    encrypted["layers"][1]["mediaType"] = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted".into();
    let encrypted = Image { manifest: encrypted.to_string().into(), ..image.clone() };
    let garbage = ImageBuilder::new(platform("linux/amd64")).opaque_layer(b"no archive at all".repeat(40)).build();
    test.put("app", "1", &image);
    test.put("app", "encrypted", &encrypted);
    test.put("app", "garbage", &garbage);
    test.put("app", "sbom", &image.referrer("application/spdx+json", "{}"));
    test.add(&["app:1", "app:encrypted", "app:garbage", "app:sbom"]).await;
    let refused = async |what: &str| test.look(what, Which::Usual).await.unwrap_err();
    let encrypted = refused("app:encrypted").await.to_string();
    assert!(
        encrypted.starts_with("can't look into layer 2 of ") && encrypted.contains(": it is encrypted ("),
        "{encrypted}"
    );
    let sbom = refused("app:sbom").await.to_string();
    assert!(sbom.ends_with("it holds no files of an image, but application/spdx+json"), "{sbom}");
    let garbage = refused("app:garbage").await;
    assert_eq!(garbage.kind(), Kind::Verification);
    assert!(garbage.to_string().ends_with("it is not a tar archive, or it is damaged"), "{garbage}");
    // Somebody changed the file of a layer.
    let layer = Digest::of(&image.blobs[3]);
    let path = test.engine.store.path(&layer);
    let mut bytes = fs::read(&path).unwrap();
    bytes[20] ^= 1;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&path, bytes).unwrap();
    assert_eq!(refused("app:1").await.kind(), Kind::Verification);
    // A follower that takes each blob when it is first pulled has not got it.
    fs::remove_file(&path).unwrap();
    test.engine
        .catalog
        .write(|writer| {
            let blob = blobs::by_digest(writer, &layer)?.unwrap();
            left_blobs::add(writer, blob.id, "http://127.0.0.1:9/")
        })
        .unwrap();
    let left = refused("app:1").await;
    assert!(left.to_string().contains("is not here yet") && left.kind() == Kind::NotFound, "{left}");
    assert!(refused("app:none").await.kind() == Kind::NotFound);
}

#[tokio::test]
async fn looking_can_be_cancelled() {
    let test = TestEngine::new().await;
    test.put("app", "1", &layered("linux/amd64", "hello"));
    test.add(&["app:1"]).await;
    let (job, watch) = Job::new();
    watch.cancel.cancel();
    let error = test.engine.look_into(test.pick("app:1"), Which::Usual, &job).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Interrupted);
}
