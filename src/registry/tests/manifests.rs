//! Manifests and heads.

use super::*;
use crate::error::Kind;
use crate::image::media;
use axum::http::Method;

#[tokio::test]
async fn a_manifest_comes_byte_for_byte() {
    let (bench, registry) = (Bench::new(), MemoryRegistry::builder().start().await.unwrap());
    let image = image();
    registry.put_image(&name("a/b"), Some("1"), &image);
    let upstream = bench.open(&registry.host());
    let fetched = upstream.manifest(&name("a/b"), &tag("1")).await.unwrap();
    assert_eq!((&fetched.bytes, fetched.digest), (&image.manifest, image.digest()));
    assert_eq!(fetched.content_type.as_deref(), Some(media::OCI_MANIFEST));
    let by_digest = upstream.manifest(&name("a/b"), &Target::Digest(image.digest())).await.unwrap();
    assert_eq!(by_digest, fetched);
    let head = upstream.head(&name("a/b"), &tag("1")).await.unwrap();
    let expected = Head {
        digest: Some(image.digest()),
        media_type: Some(media::OCI_MANIFEST.to_owned()),
        size: Some(image.manifest.len() as u64),
    };
    assert_eq!(head, expected);
    let asked = registry.log();
    let accept =
        asked.iter().find(|info| info.path.contains("/manifests/")).unwrap().headers["accept"].to_str().unwrap();
    for (media_type, _) in media::MANIFEST_TYPES {
        assert!(accept.contains(media_type));
    }
    assert!(accept.contains(media::SCHEMA1_SIGNED));
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let (bench, registry) = (Bench::new(), MemoryRegistry::builder().start().await.unwrap());
    registry.put_image(&name("a/b"), Some("1"), &image());
    let upstream = bench.open(&registry.host());
    let error = upstream.manifest(&name("a/b"), &tag("2")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    let host = registry.host();
    assert_eq!(error.to_string(), format!("{host}/a/b:2: {host} does not have it: manifest unknown"));
    assert_eq!(upstream.head(&name("a/c"), &tag("2")).await.unwrap_err().kind(), Kind::NotFound);
    // Nothing of this is worth a second try.
    assert_eq!(registry.requests(&Method::GET, "/v2/a/b/manifests/2"), 1);
    assert!(bench.heard.all().is_empty());
}

#[tokio::test]
async fn a_head_without_digest_or_without_head() {
    let bench = Bench::new();
    let registry = MemoryRegistry::builder().digest_header(false).start().await.unwrap();
    registry.put_image(&name("a/b"), Some("1"), &image());
    let upstream = bench.open(&registry.host());
    assert_eq!(upstream.head(&name("a/b"), &tag("1")).await.unwrap().digest, None);
    assert_eq!(upstream.manifest(&name("a/b"), &tag("1")).await.unwrap().digest, image().digest());
    registry.intercept(|info| (info.method == Method::HEAD).then(|| plain(405, "")));
    assert_eq!(upstream.head(&name("a/b"), &tag("1")).await.unwrap(), Head::default());
    registry.intercept(|info| {
        let odd = with(plain(200, ""), &[("docker-content-digest", "sha512:00")]);
        (info.method == Method::HEAD).then_some(odd)
    });
    assert_eq!(upstream.head(&name("a/b"), &tag("1")).await.unwrap().digest, None);
}

#[tokio::test]
async fn wrong_bytes_are_refused() {
    let (bench, registry) = (Bench::new(), MemoryRegistry::builder().start().await.unwrap());
    let image = image();
    registry.put_image(&name("a/b"), Some("1"), &image);
    let upstream = bench.open(&registry.host());
    let digest = image.digest();
    registry.intercept(move |info| {
        let wrong = with(plain(200, "{}"), &[("content-type", media::OCI_MANIFEST)]);
        info.path.contains("/manifests/").then(|| {
            if info.path.ends_with("/1") {
                with(wrong, &[("docker-content-digest", &digest.to_string())])
            } else {
                wrong
            }
        })
    });
    for target in [tag("1"), Target::Digest(digest)] {
        let error = upstream.manifest(&name("a/b"), &target).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Verification);
        assert!(error.to_string().contains(&digest.to_string()), "{error}");
    }
    // Without any claim there is nothing to compare.
    assert!(upstream.manifest(&name("a/b"), &tag("2")).await.is_ok());
}

#[tokio::test]
async fn too_large_is_refused_while_it_comes() {
    let (bench, registry) = (Bench::new(), MemoryRegistry::builder().start().await.unwrap());
    let upstream = bench.open(&registry.host());
    registry.intercept(|info| {
        // Without end: only a cap ends it.
        let endless = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(noise(65_536)));
        info.path.contains("/manifests/").then(|| plain(200, Body::from_stream(endless)))
    });
    let error = upstream.manifest(&name("a/b"), &tag("1")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Verification);
    assert!(error.to_string().contains("larger than the 4.0 MiB"), "{error}");
    // An error page without end is cut, not refused.
    registry.intercept(|info| {
        let endless = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(noise(65_536)));
        info.path.contains("/manifests/").then(|| plain(404, Body::from_stream(endless)))
    });
    assert_eq!(upstream.manifest(&name("a/b"), &tag("1")).await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn schema_1_is_refused_by_its_name() {
    let (bench, registry) = (Bench::new(), MemoryRegistry::builder().start().await.unwrap());
    registry.put_manifest(&name("old"), Some("1"), media::SCHEMA1_SIGNED, "{\"schemaVersion\": 1}");
    let error = bench.open(&registry.host()).manifest(&name("old"), &tag("1")).await.unwrap_err();
    assert!(error.to_string().contains("schema 1"), "{error}");
    assert!(!error.hints().is_empty());
}
