//! Tags and referrers, page by page.

use std::collections::BTreeSet;

use super::*;
use crate::error::Kind;
use crate::image::media;
use axum::http::Method;

#[tokio::test]
async fn tags_come_in_pages() {
    let bench = Bench::new();
    let registry = MemoryRegistry::builder().page_size(3).start().await.unwrap();
    for number in 0..10 {
        registry.put_image(&name("a/b"), Some(&format!("v{number}")), &image());
    }
    let upstream = bench.open(&registry.host());
    let tags = upstream.tags(&name("a/b"), Wanted::All).await.unwrap();
    assert_eq!(
        tags.iter().map(Tag::as_str).collect::<Vec<_>>(),
        ["v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9"]
    );
    assert_eq!(registry.requests(&Method::GET, "/v2/a/b/tags/list"), 4);
    let error = upstream.tags(&name("nowhere"), Wanted::All).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
}

#[tokio::test]
async fn tags_are_cleaned_sorted_and_unique() {
    let (bench, registry) = (Bench::new(), MemoryRegistry::builder().start().await.unwrap());
    let upstream = bench.open(&registry.host());
    registry.intercept(|info| {
        let body = r#"{"name":"a","tags":["b","a","../x","b","\u001b[31m","","1.0"]}"#;
        info.path.ends_with("/tags/list").then(|| plain(200, body))
    });
    let tags = upstream.tags(&name("a"), Wanted::All).await.unwrap();
    assert_eq!(tags.iter().map(Tag::as_str).collect::<Vec<_>>(), ["1.0", "a", "b"]);
    registry.intercept(|info| info.path.ends_with("/tags/list").then(|| plain(200, r#"{"name":"a","tags":null}"#)));
    assert!(upstream.tags(&name("a"), Wanted::All).await.unwrap().is_empty());
    for nonsense in ["", "[]x", "{\"tags\": 1}", "<html>"] {
        registry.intercept(move |info| info.path.ends_with("/tags/list").then(|| plain(200, nonsense)));
        assert_eq!(upstream.tags(&name("a"), Wanted::All).await.unwrap_err().kind(), Kind::Verification, "{nonsense}");
    }
}

#[tokio::test]
async fn lists_without_end_end() {
    let (bench, registry) = (Bench::new(), MemoryRegistry::builder().start().await.unwrap());
    let upstream = bench.open(&registry.host());
    // The same page again, new pages with nothing new, and ever new tags in ever new pages.
    registry.intercept(|_| Some(with(plain(200, r#"{"tags":["a"]}"#), &[("link", "<?n=1&last=a>; rel=\"next\"")])));
    let error = upstream.tags(&name("a"), Wanted::All).await.unwrap_err();
    assert!(error.to_string().contains("a list that does not end"), "{error}");
    registry.intercept(|info| {
        let link = format!("<?last={}>; rel=next", info.count);
        Some(with(plain(200, r#"{"tags":["a"]}"#), &[("link", &link)]))
    });
    let error = upstream.tags(&name("a"), Wanted::All).await.unwrap_err();
    assert!(error.to_string().contains("a list that does not end"), "{error}");
    assert!(registry.total_requests() < 20);
    let filler = "x".repeat(4 << 20);
    registry.intercept(move |info| {
        let body = format!("{{\"filler\":\"{filler}\",\"tags\":[\"t{}\"]}}", info.count);
        Some(with(plain(200, body), &[("link", &format!("<?last={}>; rel=next", info.count))]))
    });
    registry.forget_requests();
    let error = upstream.tags(&name("a"), Wanted::All).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Verification);
    assert!(error.to_string().contains("larger than"), "{error}");
    assert!(registry.total_requests() < 20, "64 MiB are 16 such pages");
}

/// A name that is being typed may be anybody's: what its registry sends costs little, however much that is.
#[tokio::test]
async fn of_a_list_to_choose_from_only_the_beginning_is_asked_for() {
    let (bench, registry) = (Bench::new(), MemoryRegistry::builder().start().await.unwrap());
    let upstream = bench.open(&registry.host());
    let page = |from: u64| {
        let tags: Vec<String> = (from..from + 1000).map(|number| format!("t{number:09}")).collect();
        serde_json::json!({ "tags": tags }).to_string()
    };
    registry.intercept(move |info| {
        let link = format!("<?last={}>; rel=next", info.count);
        Some(with(plain(200, page(info.count * 1000)), &[("link", &link)]))
    });
    assert_eq!(upstream.tags(&name("a"), Wanted::Beginning).await.unwrap().len(), 2_000);
    assert_eq!(registry.requests(&Method::GET, "/v2/a/tags/list"), 2, "two pages are enough");
    // A registry need not heed how many were asked for.
    let many: Vec<String> = (0..5_000).map(|number| format!("t{number}")).collect();
    let many = serde_json::json!({ "tags": many }).to_string();
    registry.intercept(move |_| Some(plain(200, many.clone())));
    assert_eq!(upstream.tags(&name("a"), Wanted::Beginning).await.unwrap().len(), 2_000);

    // One page that is far too long, at once or after others.
    let long = format!("{{\"tags\":[{}\"z\"]}}", "\"y\",".repeat(16 << 20));
    let whole = long.clone();
    registry.intercept(move |_| Some(plain(200, whole.clone())));
    let error = upstream.tags(&name("a"), Wanted::Beginning).await.unwrap_err();
    assert!(error.to_string().contains("larger than the 1.0 MiB"), "{error}");
    registry.forget_requests();
    registry.intercept(move |info| {
        let first = with(plain(200, r#"{"tags":["a","b"]}"#), &[("link", "<?last=b>; rel=next")]);
        Some(if info.query.contains("last=b") { plain(200, long.clone()) } else { first })
    });
    let tags = upstream.tags(&name("a"), Wanted::Beginning).await.unwrap();
    assert_eq!(tags.iter().map(Tag::as_str).collect::<Vec<_>>(), ["a", "b"]);
}

#[tokio::test]
async fn a_list_goes_on_where_it_began() {
    let (bench, registry) = (Bench::new(), MemoryRegistry::builder().basic_auth("u", PASSWORD).start().await.unwrap());
    let elsewhere = MemoryRegistry::builder().start().await.unwrap();
    bench.log_in(&registry.host(), "u", PASSWORD);
    let link = format!("<http://{}/v2/a/tags/list?last=a>; rel=\"next\"", elsewhere.host());
    registry.intercept(move |info| {
        info.path.ends_with("/tags/list").then(|| {
            if info.query.contains("last=a") {
                plain(200, r#"{"tags":["b"]}"#)
            } else {
                with(plain(200, r#"{"tags":["a"]}"#), &[("link", &link)])
            }
        })
    });
    assert_eq!(bench.open(&registry.host()).tags(&name("a"), Wanted::All).await.unwrap().len(), 2);
    assert_eq!(elsewhere.total_requests(), 0, "the credentials are not for another host");
}

#[tokio::test]
async fn referrers_by_the_api_in_pages() {
    let bench = Bench::new();
    let registry = MemoryRegistry::builder().page_size(2).start().await.unwrap();
    let image = image();
    registry.put_image(&name("a"), Some("1"), &image);
    for number in 0..5 {
        registry.put_image(&name("a"), None, &image.referrer("application/vnd.example.sbom", format!("sbom {number}")));
    }
    let upstream = bench.open(&registry.host());
    let mut found = upstream.referrers(&name("a"), &image.digest(), None).await.unwrap();
    let mut expected = registry.referrers(&name("a"), &image.digest());
    found.sort_by_key(|descriptor| descriptor.digest);
    expected.sort_by_key(|descriptor| descriptor.digest);
    assert_eq!((found.len(), found), (5, expected));
    assert!(upstream.referrers(&name("a"), &Digest::of(b"other"), None).await.unwrap().is_empty());
}

#[tokio::test]
async fn referrers_by_the_fallback_tag() {
    let bench = Bench::new();
    let registry = MemoryRegistry::builder().referrers_api(false).start().await.unwrap();
    let image = image();
    registry.put_image(&name("a"), Some("1"), &image);
    registry.put_image(&name("a"), None, &image.referrer("application/vnd.example.sbom", "sbom"));
    let upstream = bench.open(&registry.host());
    assert!(upstream.referrers(&name("a"), &image.digest(), None).await.unwrap().is_empty(), "no tag yet");
    registry.put_referrers_tag(&name("a"), &image.digest());
    let found = upstream.referrers(&name("a"), &image.digest(), None).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].artifact_type.as_deref(), Some("application/vnd.example.sbom"));
    // Other ways of not having the API, and an answer that is no index.
    for status in [200, 400, 401, 403, 405, 501] {
        registry.intercept(move |info| info.path.contains("/referrers/").then(|| plain(status, "{}")));
        let upstream = bench.open(&registry.host());
        assert_eq!(upstream.referrers(&name("a"), &image.digest(), None).await.unwrap().len(), 1, "{status}");
    }
    registry.intercept(|info| info.path.contains("/referrers/").then(|| plain(500, "")));
    let upstream = bench.open(&registry.host());
    assert_eq!(upstream.referrers(&name("a"), &image.digest(), None).await.unwrap_err().kind(), Kind::Network);
    // A tag of that name that is an image is nobody's list.
    registry.clear_intercept();
    let fallback = format!("sha256-{}", image.digest().hex());
    registry.put_image(&name("a"), Some(&fallback), &image);
    assert!(upstream.referrers(&name("a"), &image.digest(), None).await.unwrap().is_empty());
}

#[tokio::test]
async fn referrers_that_can_not_be_read_are_left_out() {
    let (bench, registry) = (Bench::new(), MemoryRegistry::builder().start().await.unwrap());
    let upstream = bench.open(&registry.host());
    let good = serde_json::json!({"mediaType": media::OCI_MANIFEST, "digest": Digest::of(b"x"), "size": 1});
    let bad = serde_json::json!({"mediaType": "x", "digest": "sha512:00", "size": 1});
    let body = serde_json::json!({"schemaVersion": 2, "manifests": [bad, good, good, 7]}).to_string();
    registry.intercept(move |_| Some(with(plain(200, body.clone()), &[("content-type", media::OCI_INDEX)])));
    assert_eq!(upstream.referrers(&name("a"), &Digest::of(b"y"), None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn referrers_that_are_said_twice_are_one_and_their_number_is_bounded() {
    let bench = Bench::new();
    let registry = MemoryRegistry::builder().start().await.unwrap();
    let upstream = bench.open(&registry.host());
    let entry = |number: u32| {
        let digest = Digest::of(&number.to_be_bytes());
        serde_json::json!({"mediaType": media::OCI_MANIFEST, "digest": digest, "size": 1})
    };
    let page = |entries: Vec<serde_json::Value>| {
        let body = serde_json::json!({"schemaVersion": 2, "manifests": entries}).to_string();
        move |info: &super::super::memory::RequestInfo| {
            let answer = || with(plain(200, body.clone()), &[("content-type", media::OCI_INDEX)]);
            info.path.contains("/referrers/").then(answer)
        }
    };
    registry.intercept(page((0..20_000).map(|number| entry(number % 10_000)).collect()));
    assert_eq!(upstream.referrers(&name("a"), &Digest::of(b"y"), None).await.unwrap().len(), 10_000);
    registry.intercept(page((0..10_001).map(entry).collect()));
    let error = upstream.referrers(&name("a"), &Digest::of(b"y"), None).await.unwrap_err();
    assert!(error.to_string().contains("more than 10000"), "{error}");
}

#[tokio::test]
async fn a_registry_without_the_referrers_api_is_asked_for_it_once() {
    let bench = Bench::new();
    let registry = MemoryRegistry::builder().referrers_api(false).start().await.unwrap();
    let upstream = bench.open(&registry.host());
    for number in 0..3_u8 {
        let image = ImageBuilder::new("linux/amd64".parse().unwrap()).layer(&[("n", [number].as_slice())]).build();
        registry.put_image(&name("team/a"), Some(&number.to_string()), &image);
        assert!(upstream.referrers(&name("team/a"), &image.digest(), None).await.unwrap().is_empty());
    }
    let asked = |part: &str| registry.log().iter().filter(|info| info.path.contains(part)).count();
    assert_eq!((asked("/referrers/"), asked("/manifests/sha256-")), (1, 3));
    // Nothing needs to be asked where it is known which tags there are.
    registry.forget_requests();
    let image = image();
    assert!(upstream.referrers(&name("team/a"), &image.digest(), Some(&BTreeSet::new())).await.unwrap().is_empty());
    assert_eq!(registry.total_requests(), 0);
}

#[tokio::test]
async fn whether_anyone_may_pull_is_not_asked_of_who_was_asked_as_anyone() {
    let bench = Bench::new();
    let registry = MemoryRegistry::builder().token_auth("u", PASSWORD).start().await.unwrap();
    let digest = registry.put_image(&name("a"), Some("1"), &image());
    let upstream = bench.open(&registry.host());
    let target = Target::Digest(digest);
    assert_eq!(upstream.head(&name("a"), &tag("1")).await.unwrap().digest, Some(digest));
    registry.forget_requests();
    assert!(!upstream.is_private(&name("a"), &target).await.unwrap());
    assert_eq!(registry.total_requests(), 0);
    // The answer counts once, and for this image alone.
    assert!(!upstream.is_private(&name("a"), &target).await.unwrap());
    assert!(registry.total_requests() > 0);
}
