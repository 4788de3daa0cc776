//! Layouts on this machine: directories, archives, and what is neither.

use super::*;
use std::io::Write as _;

/// Writes the image as a layout directory with these annotations; gives its path.
fn layout(scene: &Scene, at: &str, image: &Image, annotations: &[(&str, &str)]) -> String {
    for (path, bytes) in image.layout(annotations) {
        let file = scene.roadstead.path(at).join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
    scene.roadstead.path(at).display().to_string()
}

/// Writes the image as an archive; gives its path.
fn archive(scene: &Scene, at: &str, image: &Image) -> PathBuf {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes) in image.layout(&[("org.opencontainers.image.ref.name", "1.0")]) {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_path(&path).unwrap();
        header.set_cksum();
        archive.append(&header, bytes.as_ref()).unwrap();
    }
    let file = scene.roadstead.path(at);
    std::fs::write(&file, archive.into_inner().unwrap()).unwrap();
    file
}

#[test]
fn a_layout_needs_a_name() {
    let scene = Scene::new();
    let image = image("one");
    let digest = image.digest().to_string();
    let source = format!("oci:{}", layout(&scene, "layout", &image, &[]));
    let said = scene.run(&["add", &source]).failure(2);
    says(&said, &[&source, "contains no name", "hint: Give it one with `--as NAME[:TAG]`"]);
    scene.run(&["add", &source, "--as", "local/app:1"]).success();
    says(&scene.run(&["show", "local/app:1"]).success(), &[&digest, "it came from a file"]);

    let file = archive(&scene, "app.tar", &image);
    let source = format!("oci-archive:{}", file.display());
    let said = scene.run(&["add", &source]).failure(2);
    says(&said, &[&source, "--as NAME[:TAG]"]);
    scene.run(&["add", &source, "--as", "local/archive"]).success();
    says(&scene.run(&["show", "local/archive:1.0"]).success(), &[&digest]);
    // Its upstream is a file: there is nothing to ask.
    scene.run(&["update"]).success();
    assert_eq!(scene.roadstead.json(&["outdated"]), serde_json::json!([]));
}

#[test]
fn what_is_no_layout_is_refused_in_words() {
    let scene = Scene::new();
    let file = archive(&scene, "app.tar", &image("one"));
    let packed = scene.roadstead.path("app.tar.gz");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&std::fs::read(&file).unwrap()).unwrap();
    std::fs::write(&packed, gzip.finish().unwrap()).unwrap();
    let source = |kind: &str, path: &Path| format!("{kind}:{}", path.display());
    let add = |source: &str| scene.run(&["add", source, "--as", "local/app:1"]);

    let said = add(&source("oci-archive", &packed)).failure(2);
    says(&said, &["app.tar.gz", "compressed", "hint: "]);
    let said = add(&source("oci-archive", &scene.roadstead.path("missing.tar"))).failure(4);
    says(&said, &["missing.tar"]);
    let said = add(&source("oci", &file)).failure(2);
    says(&said, &["app.tar", "oci-archive:"]);
    let said = add(&source("oci", &scene.roadstead.path("missing"))).failure(4);
    says(&said, &["missing"]);
    std::fs::write(scene.roadstead.path("noise.tar"), noise(5000)).unwrap();
    let said = add(&source("oci-archive", &scene.roadstead.path("noise.tar"))).failure(2);
    says(&said, &["noise.tar", "not a tar archive"]);
    assert_eq!(files(&scene.data()).iter().filter(|file| file.to_string_lossy().contains("sha256")).count(), 0);
}

#[test]
fn a_layout_with_damaged_or_missing_blobs() {
    let scene = Scene::new();
    let image = image("one");
    let directory = layout(&scene, "layout", &image, &[]);
    let digest = Digest::of(&image.blobs[2]);
    let blob = Path::new(&directory).join(format!("blobs/sha256/{}", digest.hex()));
    let mut wrong = image.blobs[2].to_vec();
    wrong[3] ^= 1;
    let source = format!("oci:{directory}");
    std::fs::write(&blob, &wrong).unwrap();
    let said = scene.run(&["add", &source, "--as", "local/app:1"]).failure(8);
    says(&said, &[&digest.to_string()]);
    std::fs::write(&blob, &wrong[..5]).unwrap();
    says(&scene.run(&["add", &source, "--as", "local/app:1"]).failure(8), &[&digest.to_string()]);
    std::fs::remove_file(&blob).unwrap();
    says(&scene.run(&["add", &source, "--as", "local/app:1"]).failure(4), &[&digest.to_string()]);
    assert_eq!(scene.listed(), Vec::<String>::new());
    assert_eq!(scene.files_of(&digest), Vec::<PathBuf>::new());
}
