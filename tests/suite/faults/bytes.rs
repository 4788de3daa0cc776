//! Bytes that are not what was announced: nothing of them is recorded, and nothing wrong stays on disk.

use super::*;
use roadstead::image::media;

/// The image, with another blob in the place of its last layer.
fn swapped(scene: &Scene, bytes: impl Into<Bytes>) -> Digest {
    let image = image("one");
    scene.put("app", "1", &image);
    let digest = Digest::of(&image.blobs[2]);
    scene.registry.put_blob_as(&name("app"), digest, bytes);
    digest
}

#[track_caller]
fn nothing_recorded(scene: &Scene) {
    assert_eq!(scene.listed(), Vec::<String>::new());
    // What was verified before is no damage.
    scene.run(&["verify"]).success();
}

#[test]
fn wrong_bytes_are_refused_and_deleted() {
    let scene = Scene::new();
    let right = image("one").blobs[2].clone();
    let mut wrong = right.to_vec();
    wrong[7] ^= 1;
    let digest = swapped(&scene, wrong.clone());
    let said = scene.add("app:1").failure(8);
    says(&said, &[&digest.to_string(), &Digest::of(&wrong).to_string(), "app:1", "hint: Try again"]);
    assert_eq!(scene.files_of(&digest), Vec::<PathBuf>::new());
    assert_eq!(scene.files_of(&Digest::of(&wrong)), Vec::<PathBuf>::new());
    nothing_recorded(&scene);
    // Once the registry is right again, so are we.
    scene.registry.put_blob_as(&name("app"), digest, right);
    scene.add("app:1").success();
    scene.run(&["verify"]).success();
}

#[test]
fn a_wrong_configuration_is_refused_already_in_the_plan() {
    let scene = Scene::new();
    let image = image("one");
    scene.put("app", "1", &image);
    let mut wrong = image.blobs[0].to_vec();
    wrong[0] = b' ';
    scene.registry.put_blob_as(&name("app"), Digest::of(&image.blobs[0]), wrong);
    let said = scene.add_with(&["app:1"], &["--dry-run"]).failure(8);
    says(&said, &[&Digest::of(&image.blobs[0]).to_string(), &scene.reference("app:1")]);
    scene.add("app:1").failure(8);
    nothing_recorded(&scene);
}

#[test]
fn blobs_of_another_length_are_refused() {
    let length = image("one").blobs[2].len();
    for (bytes, words) in [
        (noise(length - 1), format!("has {} bytes of it instead of {length}", length - 1)),
        (noise(length + 1), format!("has {} bytes of it instead of {length}", length + 1)),
        (Bytes::new(), format!("has 0 bytes of it instead of {length}")),
    ] {
        let scene = Scene::new();
        let digest = swapped(&scene, bytes);
        let said = scene.add("app:1").failure(8);
        says(&said, &[&digest.to_string(), &scene.host(), &words]);
        assert_eq!(scene.files_of(&digest), Vec::<PathBuf>::new());
        nothing_recorded(&scene);
    }
}

#[test]
fn blobs_that_do_not_announce_their_length_are_counted() {
    let right = image("one").blobs[2].clone();
    let length = right.len();
    let longer: Bytes = [right.as_ref(), b"and more"].concat().into();
    for (bytes, words) in [
        (longer, format!("sends more than the {length} bytes it should have")),
        (right.slice(..length - 5), format!("sent only {} of {length} bytes", length - 5)),
    ] {
        let scene = Scene::with(MemoryRegistry::builder().ranges(false));
        let digest = swapped(&scene, right.clone());
        scene
            .registry
            .intercept(move |info| info.path.ends_with(&digest.to_string()).then(|| unmeasured(bytes.clone())));
        let said = scene.add("app:1").failure(8);
        says(&said, &[&digest.to_string(), &words]);
        nothing_recorded(&scene);
        scene.registry.clear_intercept();
        scene.add("app:1").success();
        scene.run(&["verify"]).success();
    }
}

#[test]
fn digests_and_types_that_contradict_the_manifest() {
    let scene = Scene::new();
    let image = image("one");
    scene.put("app", "1", &image);
    let other = Digest::of(b"other").to_string();
    let answer = move |media_type: &'static str, digest: &str| {
        let headers = [("content-type", media_type), ("docker-content-digest", digest)];
        with(plain(200, image.manifest.clone()), &headers)
    };
    let right = Digest::of(&super::image("one").manifest).to_string();
    let lie = answer.clone();
    let announced = other.clone();
    scene
        .registry
        .intercept(move |info| info.path.contains("/manifests/1").then(|| lie(media::OCI_MANIFEST, &announced)));
    let said = scene.add("app:1").failure(8);
    says(&said, &[&scene.reference("app:1"), &format!("announced {other}"), &right]);
    for contradiction in [media::OCI_INDEX, media::DOCKER_MANIFEST] {
        let (answer, right) = (answer.clone(), right.clone());
        scene.registry.intercept(move |info| info.path.contains("/manifests/1").then(|| answer(contradiction, &right)));
        let said = scene.add("app:1").failure(8);
        says(&said, &[&scene.reference("app:1"), media::OCI_MANIFEST, contradiction]);
    }
    // By digest it is the wrong one.
    scene.registry.clear_intercept();
    let wanted = Digest::of(b"wanted");
    let manifest = super::image("one").manifest;
    scene.registry.intercept(move |info| {
        let of_it = info.path.ends_with(&wanted.to_string()) && info.path.contains("/manifests/");
        of_it.then(|| with(plain(200, manifest.clone()), &[("content-type", media::OCI_MANIFEST)]))
    });
    let said = scene.add(&format!("app@{wanted}")).failure(8);
    says(&said, &[&wanted.to_string(), &right]);
    nothing_recorded(&scene);
}

#[test]
fn a_manifest_without_end_is_not_read_to_its_end() {
    let scene = Scene::new();
    let mut text = r#"{"schemaVersion":2,"padding":""#.to_owned();
    text.push_str(&"x".repeat(5 << 20));
    text.push_str("\"}");
    scene.put_manifest(media::OCI_MANIFEST, text);
    let said = scene.add("app:1").failure(8);
    says(&said, &[&scene.reference("app:1"), "larger than the 4.0 MiB that are allowed"]);
    assert_eq!(scene.asked("GET", "/manifests/1"), 1);
}

#[test]
fn a_blob_that_is_larger_than_every_disk_takes_no_room() {
    let scene = Scene::new();
    let mut image = image("one");
    let size = image.blobs[2].len();
    let text = String::from_utf8(image.manifest.to_vec()).unwrap();
    let (before, after) = text.rsplit_once(&format!("\"size\":{size}")).unwrap();
    image.manifest = format!("{before}\"size\":{}{after}", 1u64 << 40).into();
    scene.put("app", "1", &image);
    let failed = scene.add("app:1");
    // The disk has no room for it; where it has, the registry has not as many bytes.
    let said = failed.stderr.clone();
    assert!(failed.code == 8 || failed.code == 1 && said.contains("1.0 TiB"), "{failed}");
    says(&said, &[&Digest::of(&image.blobs[2]).to_string(), "app:1"]);
    assert_eq!(scene.files_of(&Digest::of(&image.blobs[2])), Vec::<PathBuf>::new());
    nothing_recorded(&scene);
}
