//! Layouts as tools write them, and as an enemy would.

use bytes::Bytes;

use super::*;
use crate::image::media;
use crate::registry::memory::{Image, ImageBuilder, IndexBuilder};

fn image(text: &str) -> Image {
    ImageBuilder::new("linux/amd64".parse().unwrap()).layer(&[("a", text)]).build()
}

fn write(dir: &Path, files: &[(String, Bytes)]) {
    for (path, bytes) in files {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

fn header(name: &str, kind: tar::EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.as_ustar_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(size);
    header.set_cksum();
    header
}

fn append(archive: &mut Vec<u8>, header: &tar::Header, bytes: &[u8]) {
    archive.extend_from_slice(header.as_bytes());
    archive.extend_from_slice(bytes);
    archive.resize(archive.len().next_multiple_of(512), 0);
}

fn tar_of(files: &[(String, Bytes)]) -> Vec<u8> {
    let mut archive = Vec::new();
    append(&mut archive, &header("blobs/", tar::EntryType::Directory, 0), &[]);
    for (name, bytes) in files {
        append(&mut archive, &header(name, tar::EntryType::Regular, bytes.len() as u64), bytes);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

fn repository() -> RepositoryName {
    "a".parse().unwrap()
}

async fn check(layout: &Layout, image: &Image) {
    assert_eq!(layout.root().digest, image.digest());
    let target = Target::Digest(image.digest());
    let fetched = layout.manifest(&repository(), &target).await.unwrap();
    assert_eq!(fetched.bytes, image.manifest);
    assert_eq!(layout.head(&repository(), &target).await.unwrap().digest, Some(image.digest()));
    for blob in &image.blobs {
        for from in [0, blob.len() as u64 / 2, blob.len() as u64] {
            let mut body = layout.blob(&repository(), &Digest::of(blob), blob.len() as u64, from).await.unwrap();
            let mut all = Vec::new();
            while let Some(bytes) = body.chunk().await.unwrap() {
                all.extend_from_slice(&bytes);
            }
            assert_eq!(all, blob[from as usize..]);
        }
    }
    let missing = layout.manifest(&repository(), &Target::Digest(Digest::of(b"missing"))).await;
    assert_eq!(missing.unwrap_err().kind(), Kind::NotFound);
    let wrong = layout.blob(&repository(), &Digest::of(&image.blobs[0]), 7, 0).await;
    assert_eq!(wrong.unwrap_err().kind(), Kind::Verification);
    assert!(!layout.is_private(&repository(), &target).await.unwrap());
}

async fn open(text: &str) -> Result<Layout> {
    Layout::open(&text.parse().unwrap()).await
}

#[tokio::test]
async fn a_directory_and_an_archive() {
    let dir = tempfile::tempdir().unwrap();
    let image = image("hello");
    let files = image.layout(&[(REF_NAME, "1.0")]);
    write(&dir.path().join("layout"), &files);
    std::fs::write(dir.path().join("x.tar"), tar_of(&files)).unwrap();
    let path = dir.path().display();
    for source in [format!("oci:{path}/layout"), format!("oci-archive:{path}/x.tar")] {
        let layout = open(&source).await.unwrap();
        check(&layout, &image).await;
        check(&open(&format!("{source}:1.0")).await.unwrap(), &image).await;
        assert_eq!(layout.suggested_name(), None);
        assert_eq!(layout.suggested_tag().unwrap().as_str(), "1.0");
        let by_tag = layout.manifest(&repository(), &Target::Tag("1.0".parse().unwrap())).await.unwrap();
        assert_eq!(by_tag.digest, image.digest());
        assert_eq!(layout.tags(&repository(), Wanted::All).await.unwrap().len(), 1);
        let error = open(&format!("{source}:2.0")).await.unwrap_err();
        assert_eq!((error.kind(), error.hints()), (Kind::NotFound, &["It contains `1.0`.".to_owned()][..]));
    }
    // Each is told from the other.
    let error = open(&format!("oci:{path}/x.tar")).await.unwrap_err();
    assert!(error.hints()[0].contains("oci-archive:"), "{error}");
    let error = open(&format!("oci-archive:{path}/layout")).await.unwrap_err();
    assert!(error.hints()[0].contains("oci:"), "{error}");
    assert_eq!(open(&format!("oci:{path}/nowhere")).await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn names_that_tools_give() {
    let dir = tempfile::tempdir().unwrap();
    let source = format!("oci:{}", dir.path().display());
    type Case<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>, Option<&'a str>);
    let cases: [Case<'_>; 5] = [
        // docker save, buildx
        (&[(IMAGE_NAME, "docker.io/library/alpine:3"), (REF_NAME, "3")], Some("docker.io/library/alpine:3"), Some("3")),
        // podman save
        (&[(REF_NAME, "localhost/app:latest")], Some("localhost/app:latest"), Some("latest")),
        // skopeo copy
        (&[(REF_NAME, "1.0")], None, Some("1.0")),
        (&[], None, None),
        (&[(IMAGE_NAME, "\u{1b}[31m"), (REF_NAME, "../../x:y")], None, None),
    ];
    for (annotations, name, tag) in cases {
        write(dir.path(), &image("x").layout(annotations));
        let layout = open(&source).await.unwrap();
        assert_eq!(layout.suggested_name().map(Reference::to_string).as_deref(), name);
        assert_eq!(layout.suggested_tag().as_ref().map(Tag::as_str), tag);
    }
}

#[tokio::test]
async fn several_images_in_one() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (image("1"), image("2"));
    write(dir.path(), &first.layout(&[]));
    write(dir.path(), &second.layout(&[]));
    let entry = |image: &Image, name: &str| {
        let mut entry = image.descriptor();
        entry.annotations.insert(REF_NAME.to_owned(), name.to_owned());
        entry
    };
    let index = |entries: &[Descriptor]| {
        let index = serde_json::json!({"schemaVersion": 2, "manifests": entries});
        std::fs::write(dir.path().join("index.json"), index.to_string()).unwrap();
    };
    let source = format!("oci:{}", dir.path().display());
    index(&[entry(&first, "one"), entry(&second, "docker.io/library/x:two")]);
    let error = open(&source).await.unwrap_err();
    assert!(error.to_string().contains("there are 2 images in it"), "{error}");
    assert!(error.hints()[0].contains("`one`") && error.hints()[0].contains("`docker.io/library/x:two`"));
    check(&open(&format!("{source}:one")).await.unwrap(), &first).await;
    for name in ["two", "docker.io/library/x:two", "docker.io/x:two", &second.digest().to_string()] {
        check(&open(&format!("{source}:{name}")).await.unwrap(), &second).await;
    }
    // Two names of one image are one image.
    index(&[entry(&first, "one"), entry(&first, "uno")]);
    check(&open(&source).await.unwrap(), &first).await;
    index(&[]);
    assert_eq!(open(&source).await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn an_index_and_its_referrers() {
    let dir = tempfile::tempdir().unwrap();
    let child = image("x");
    let index = IndexBuilder::new().image(child.clone()).attestation().build();
    write(dir.path(), &index.layout(&[(REF_NAME, "1")]));
    let source = format!("oci:{}", dir.path().display());
    let layout = open(&source).await.unwrap();
    assert_eq!(layout.root().media_type, media::OCI_INDEX);
    assert!(layout.manifest(&repository(), &Target::Digest(child.digest())).await.is_ok());
    // An SBOM beside it.
    let sbom = index.referrer("application/vnd.example.sbom", "sbom");
    write(dir.path(), &sbom.layout(&[]));
    let entries = serde_json::json!({"schemaVersion": 2, "manifests": [index.descriptor(), sbom.descriptor()]});
    std::fs::write(dir.path().join("index.json"), entries.to_string()).unwrap();
    let layout = open(&format!("{source}:{}", index.digest())).await.unwrap();
    let found = layout.referrers(&repository(), &index.digest(), None).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].artifact_type.as_deref(), Some("application/vnd.example.sbom"));
    assert!(layout.referrers(&repository(), &child.digest(), None).await.unwrap().is_empty());
}

#[tokio::test]
async fn damaged_layouts() {
    let dir = tempfile::tempdir().unwrap();
    let image = image("hello");
    let files = image.layout(&[]);
    write(dir.path(), &files);
    let source = format!("oci:{}", dir.path().display());
    let manifest = dir.path().join(blob_path(&image.digest()));
    std::fs::write(&manifest, "{}").unwrap();
    let error =
        open(&source).await.unwrap().manifest(&repository(), &Target::Digest(image.digest())).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Verification);
    // A link is not followed, a pipe not waited for.
    std::fs::remove_file(&manifest).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &manifest).unwrap();
    let error =
        open(&source).await.unwrap().manifest(&repository(), &Target::Digest(image.digest())).await.unwrap_err();
    assert!(error.to_string().contains("symbolic link"), "{error}");
    std::fs::remove_file(&manifest).unwrap();
    let status = std::process::Command::new("mkfifo").arg(&manifest).status().unwrap();
    assert!(status.success());
    let error =
        open(&source).await.unwrap().manifest(&repository(), &Target::Digest(image.digest())).await.unwrap_err();
    assert!(error.to_string().contains("not a regular file"), "{error}");
    for index in ["", "{}", "[]", &String::from_utf8_lossy(&image.manifest)] {
        std::fs::write(dir.path().join("index.json"), index).unwrap();
        assert_eq!(open(&source).await.unwrap_err().kind(), Kind::Verification, "{index}");
    }
    std::fs::write(dir.path().join("index.json"), vec![b' '; 5 << 20]).unwrap();
    assert!(open(&source).await.unwrap_err().to_string().contains("larger than"));
}

/// Opens an archive of these bytes and gives the error.
async fn refused(bytes: &[u8]) -> Error {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("x.tar"), bytes).unwrap();
    open(&format!("oci-archive:{}/x.tar", dir.path().display())).await.unwrap_err()
}

#[tokio::test]
async fn archives_that_are_refused() {
    let files = image("x").layout(&[]);
    let good = tar_of(&files);
    let plus = |kind, name: &str, size: u64, bytes: &[u8]| {
        let mut archive = Vec::new();
        append(&mut archive, &header(name, kind, size), bytes);
        archive.extend_from_slice(&good);
        archive
    };
    use tar::EntryType;
    let cases: [(Vec<u8>, &str); 13] = [
        (plus(EntryType::Regular, "../../etc/cron.d/x", 1, b"x"), "leads out of it"),
        (plus(EntryType::Regular, "/etc/passwd", 1, b"x"), "leads out of it"),
        (plus(EntryType::Symlink, "index.json", 0, b""), "not a regular file"),
        (plus(EntryType::Link, &files[2].0, 0, b""), "not a regular file"),
        (plus(EntryType::GNUSparse, &files[2].0, 0, b""), "not a regular file"),
        (plus(EntryType::Regular, "./index.json", 2, b"{}"), "is in it twice"),
        (plus(EntryType::Regular, "x", u64::from(u32::MAX), b""), "cut off"),
        (plus(EntryType::GNULongName, "x", 2 << 20, &vec![b'x'; 2 << 20]), "far too long"),
        (plus(EntryType::XHeader, "x", 4, b"nope"), "pax header"),
        (plus(EntryType::XHeader, "x", 29, b"29 size=18446744073709551615\n"), "cut off"),
        (good[..good.len() - 1510].to_vec(), "cut off"),
        (b"hello, world".repeat(100), "not a tar archive"),
        (Vec::new(), "not a tar archive"),
    ];
    for (number, (bytes, words)) in cases.iter().enumerate() {
        let error = refused(bytes).await;
        assert_eq!(error.kind(), Kind::Usage, "{number}");
        assert!(error.to_string().contains(words), "{number}: {error}");
    }
    let mut docker = Vec::new();
    append(&mut docker, &header("manifest.json", EntryType::Regular, 2), b"[]");
    let error = refused(&docker).await;
    assert!(error.to_string().contains("docker older than 25") && error.hints()[0].contains("skopeo"), "{error}");
    for (magic, name) in
        [(&b"\x1f\x8b\x08"[..], "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh9", "bzip2"), (b"\xfd7zXZ\0", "xz")]
    {
        let error = refused(magic).await;
        assert!(error.to_string().contains(&format!("compressed with {name}")), "{error}");
        assert!(error.hints()[0].starts_with("Decompress it first: "));
    }
}

#[tokio::test]
async fn archives_with_extensions() {
    let image = image("hello");
    let files = image.layout(&[]);
    let mut archive = Vec::new();
    append(&mut archive, &header("x", tar::EntryType::XGlobalHeader, 11), b"11 a=bcdef\n");
    for (number, (name, bytes)) in files.iter().enumerate() {
        if number % 2 == 0 {
            let size = format!("size={}\n", bytes.len());
            let record = |text: &str| {
                let length = (1..99).find(|length| format!("{length} {text}").len() == *length).unwrap();
                format!("{length} {text}")
            };
            let pax = record(&format!("path=./{name}\n")) + &record(&size) + &record("mtime=1.5\n");
            append(&mut archive, &header("pax", tar::EntryType::XHeader, pax.len() as u64), pax.as_bytes());
            append(&mut archive, &header("short", tar::EntryType::Regular, 0), bytes);
        } else {
            let long = format!("{name}\0");
            append(&mut archive, &header("long", tar::EntryType::GNULongName, long.len() as u64), long.as_bytes());
            append(&mut archive, &header("short", tar::EntryType::Regular, bytes.len() as u64), bytes);
        }
    }
    append(&mut archive, &header("repositories", tar::EntryType::Symlink, 0), &[]);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("x.tar"), &archive).unwrap();
    let layout = open(&format!("oci-archive:{}/x.tar", dir.path().display())).await.unwrap();
    check(&layout, &image).await;
}

#[tokio::test]
async fn referrers_are_read_once_for_all_subjects() {
    let dir = tempfile::tempdir().unwrap();
    let subjects: Vec<Image> = (0..20).map(|number| image(&format!("subject {number}"))).collect();
    let about: Vec<Image> = subjects
        .iter()
        .map(|subject| subject.referrer("application/spdx+json", subject.digest().to_string()))
        .collect();
    let all: Vec<&Image> = subjects.iter().chain(&about).collect();
    // Each of them many times, as nobody writes it.
    let entries: Vec<serde_json::Value> = (0..400)
        .map(|number| all[number % all.len()])
        .map(|image| {
            let (digest, size) = (image.digest().to_string(), image.manifest.len());
            serde_json::json!({ "mediaType": media::OCI_MANIFEST, "digest": digest, "size": size })
        })
        .collect();
    let index = serde_json::json!({ "schemaVersion": 2, "manifests": entries }).to_string();
    let blobs = all.iter().map(|image| (blob_path(&image.digest()), image.manifest.clone()));
    let mut files: Vec<(String, Bytes)> = blobs.collect();
    files.push(("index.json".to_owned(), index.into()));
    write(dir.path(), &files);
    let layout = open(&format!("oci:{}:{}", dir.path().display(), subjects[0].digest())).await.unwrap();
    let of = async |subject: &Image| {
        let found = layout.referrers(&repository(), &subject.digest(), None).await.unwrap();
        found.into_iter().map(|descriptor| descriptor.digest).collect::<Vec<_>>()
    };
    assert_eq!(of(&subjects[0]).await, [about[0].digest()], "named many times, and there once");
    // What the others have was read with it: nothing is left to be read.
    std::fs::remove_dir_all(dir.path().join("blobs")).unwrap();
    for (subject, about) in subjects.iter().zip(&about) {
        assert_eq!(of(subject).await, [about.digest()]);
    }
}
