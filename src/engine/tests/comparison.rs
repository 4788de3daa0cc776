//! What differs between two images that were mirrored, with the SBOMs that came along.

use super::*;
use crate::engine::query::comparison::{ImageDifference, PackagesDifference};
use crate::image::media;
use crate::image::sbom::Format;

fn spdx(packages: &[(&str, &str)]) -> String {
    let packages: Vec<_> =
        packages.iter().map(|(name, version)| serde_json::json!({"name": name, "versionInfo": version})).collect();
    serde_json::json!({"spdxVersion": "SPDX-2.3", "packages": packages}).to_string()
}

fn cyclonedx(packages: &[(&str, &str)]) -> String {
    let components: Vec<_> = packages
        .iter()
        .map(|(name, version)| serde_json::json!({"type": "library", "name": name, "version": version}))
        .collect();
    serde_json::json!({"bomFormat": "CycloneDX", "components": components}).to_string()
}

fn compare(test: &TestEngine, before: &str, after: &str) -> ImageDifference {
    test.engine.compare_images(&test.pick(before), &test.pick(after)).unwrap()
}

fn names(packages: &PackagesDifference) -> [Vec<&str>; 3] {
    [&packages.added, &packages.removed, &packages.changed]
        .map(|list| list.iter().map(|change| change.package.name.as_str()).collect())
}

#[tokio::test]
async fn platforms_layers_and_settings() {
    let test = TestEngine::new().await;
    let with = |on: &str, content: &str, version: &str| {
        ImageBuilder::new(platform(on))
            .layer(&[("base", "the same everywhere")])
            .layer(&[("content", content)])
            .env(&format!("VERSION={version}"))
            .build()
    };
    let before = IndexBuilder::new().image(with("linux/amd64", "one", "1")).image(with("linux/arm64", "same", "1"));
    let after = IndexBuilder::new()
        .image(with("linux/riscv64", "new", "2"))
        .image(with("linux/arm64", "same", "1"))
        .image(with("linux/amd64", "two", "2"));
    test.put("app", "1", &before.build());
    test.put("app", "2", &after.build());
    test.add(&["app:1", "app:2"]).await;
    let found = compare(&test, "app:1", "app:2");
    assert_eq!(found.before.image, test.published("app:1"));
    assert_eq!(
        (found.platforms_added.as_slice(), found.platforms_removed.len()),
        (["linux/riscv64".to_owned()].as_slice(), 0)
    );
    let [arm, amd] = found.platforms.as_slice() else { panic!("{found:?}") };
    assert!(arm.is_empty() && arm.platform.starts_with("linux/arm64"), "{arm:?}");
    assert_eq!([amd.layers_shared.len(), amd.layers_removed.len(), amd.layers_added.len()], [1, 1, 1]);
    let [setting] = amd.configuration.as_slice() else { panic!("{:?}", amd.configuration) };
    assert_eq!((setting.name.as_deref(), setting.after.as_deref()), (Some("VERSION"), Some("2")));
    assert_eq!(amd.packages, None);
    let back = compare(&test, "app:2", "app:1");
    assert_eq!(back.platforms[0].layers_added, amd.layers_removed);
    assert!(compare(&test, "app:1", "app:1").is_empty());
}

#[tokio::test]
async fn packages_of_sboms_that_refer_to_an_image_or_to_a_platform() {
    let test = TestEngine::new().await;
    let repository: RepositoryName = "app".parse().unwrap();
    let sbom = |subject: &Image, kind: &str, payload: String| {
        test.registry.put_image(&repository, None, &subject.referrer(kind, payload));
    };
    let (one, two) = (index("one"), index("two"));
    test.put("app", "1", &one);
    test.put("app", "2", &two);
    // Of the platform itself before, of the whole image after; in another format, too.
    sbom(&one.children[0], "application/spdx+json", spdx(&[("a", "1"), ("b", "1"), ("c", "1")]));
    sbom(&one, "application/vnd.cyclonedx+json", cyclonedx(&[("other", "1")]));
    sbom(&two, "application/spdx+json", spdx(&[("b", "2"), ("c", "1"), ("d", "1")]));
    test.add(&["app:1", "app:2"]).await;
    let found = compare(&test, "app:1", "app:2");
    let packages = found.platforms[0].packages.as_ref().unwrap();
    assert_eq!(names(packages), [vec!["d"], vec!["a"], vec!["b"]]);
    assert_eq!((packages.before, packages.after, packages.same), (Format::Spdx, Format::Spdx, 1));
    let arm = found.platforms[1].packages.as_ref().unwrap();
    assert_eq!((arm.before, arm.after), (Format::CycloneDx, Format::Spdx), "what is there is compared");
}

/// A manifest with one layer, as attestations are stored.
fn artifact(layer: &str, payload: String, annotations: &[(&str, &str)]) -> Image {
    let (config, payload) = (bytes::Bytes::from_static(b"{}"), bytes::Bytes::from(payload));
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": media::OCI_MANIFEST,
        "config": {"mediaType": media::OCI_CONFIG, "digest": Digest::of(&config), "size": config.len()},
        "layers": [{"mediaType": layer, "digest": Digest::of(&payload), "size": payload.len()}],
    });
    Image {
        media_type: media::OCI_MANIFEST.to_owned(),
        manifest: manifest.to_string().into(),
        blobs: vec![config, payload],
        children: Vec::new(),
        platform: Some(Platform::new("unknown", "unknown", None)),
        annotations: annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
    }
}

#[tokio::test]
async fn packages_of_attestations_by_buildkit_and_by_cosign() {
    let test = TestEngine::new().await;
    let statement = |packages: &[(&str, &str)]| {
        let spdx: serde_json::Value = serde_json::from_str(&spdx(packages)).unwrap();
        serde_json::json!({"predicateType": "https://spdx.dev/Document", "predicate": spdx}).to_string()
    };
    let one = image("linux/amd64", "one");
    let subject = one.digest().to_string();
    let attests =
        [("vnd.docker.reference.type", "attestation-manifest"), ("vnd.docker.reference.digest", subject.as_str())];
    let built = artifact("application/vnd.in-toto+json", statement(&[("a", "1"), ("b", "1")]), &attests);
    test.put("app", "1", &IndexBuilder::new().image(one).image(built).build());
    let two = image("linux/amd64", "two");
    let payload = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, statement(&[("a", "2"), ("b", "1")]));
    let envelope = serde_json::json!({"payloadType": "application/vnd.in-toto+json", "payload": payload}).to_string();
    let signed = artifact("application/vnd.dsse.envelope.v1+json", envelope, &[]);
    test.put("app", &format!("sha256-{}.att", two.digest().hex()), &signed);
    test.put("app", "2", &IndexBuilder::new().image(two).build());
    test.add(&["app:1", "app:2"]).await;
    let found = compare(&test, "app:1", "app:2");
    let packages = found.platforms[0].packages.as_ref().unwrap();
    assert_eq!((names(packages), packages.same), ([vec![], vec![], vec!["a"]], 1));
}
