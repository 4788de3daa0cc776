//! Trying again, waiting as asked, and giving up in words.

use super::*;
use crate::error::Kind;
use axum::http::Method;

async fn bench() -> (Bench, MemoryRegistry, Arc<dyn Registry>) {
    let (bench, registry) = (Bench::new(), MemoryRegistry::builder().start().await.unwrap());
    registry.put_image(&name("a"), Some("1"), &image());
    let upstream = bench.open(&registry.host());
    (bench, registry, upstream)
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let (bench, registry, upstream) = bench().await;
    for status in [408, 429, 500, 502, 503, 504] {
        registry.forget_requests();
        registry.intercept(move |info| (info.path.contains("manifests") && info.count <= 4).then(|| plain(status, "")));
        assert!(upstream.manifest(&name("a"), &tag("1")).await.is_ok(), "{status}");
        assert_eq!(registry.requests(&Method::GET, "/v2/a/manifests/1"), 5);
    }
    assert_eq!(bench.heard.all().len(), 24);
    registry.intercept(|info| info.path.contains("manifests").then(|| plain(503, "")));
    let error = upstream.manifest(&name("a"), &tag("1")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Network);
    assert!(error.to_string().contains("gave up after 5 tries") && error.to_string().contains("503"), "{error}");
}

#[tokio::test]
async fn what_does_not_pass_is_not() {
    let (bench, registry, upstream) = bench().await;
    for status in [400, 401, 403, 404, 410, 418, 501] {
        registry.forget_requests();
        registry.intercept(move |info| info.path.contains("manifests").then(|| plain(status, "")));
        assert!(upstream.manifest(&name("a"), &tag("1")).await.is_err());
        assert_eq!(registry.requests(&Method::GET, "/v2/a/manifests/1"), 1, "{status}");
    }
    assert!(bench.heard.all().is_empty());
}

#[tokio::test]
async fn a_document_that_breaks_off_is_asked_for_again() {
    let (mut bench, registry, _) = bench().await;
    bench.options.timeouts.stall = Duration::from_millis(500);
    let upstream = bench.open(&registry.host());
    let manifest = image().manifest;
    registry.intercept(move |info| match (info.path.contains("manifests"), info.count) {
        (true, 1) => Some(cut(&manifest, 0, 10, false)),
        (true, 2) => Some(cut(&manifest, 0, 10, true)),
        _ => None,
    });
    assert_eq!(upstream.manifest(&name("a"), &tag("1")).await.unwrap().bytes, image().manifest);
    assert_eq!(bench.heard.all().len(), 2);
}

#[tokio::test]
async fn waits_as_long_as_asked_up_to_a_limit() {
    let (bench, registry, upstream) = bench().await;
    let later = httpdate::fmt_http_date(std::time::SystemTime::now() + Duration::from_secs(1));
    registry.intercept(move |info| match (info.path.contains("manifests"), info.count) {
        (true, 1) => Some(with(plain(429, ""), &[("retry-after", "1")])),
        (true, 2) => Some(with(plain(503, ""), &[("retry-after", &later)])),
        _ => None,
    });
    let begun = std::time::Instant::now();
    assert!(upstream.manifest(&name("a"), &tag("1")).await.is_ok());
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let heard = bench.heard.all();
    assert!(heard[0].contains("waits 1s: ") && heard[0].contains("answered 429 Too Many Requests"), "{heard:?}");
    assert!(heard[1].contains("waits "), "{heard:?}");
    registry
        .intercept(|info| info.path.contains("manifests").then(|| with(plain(429, ""), &[("retry-after", "7200")])));
    let error = upstream.manifest(&name("a"), &tag("1")).await.unwrap_err();
    assert!(error.to_string().contains("asks us to wait 2 h 0 min"), "{error}");
}

#[tokio::test]
async fn quotas_are_heard_of() {
    let bench = Bench::new();
    let registry = MemoryRegistry::builder().quota(2, 21_600).start().await.unwrap();
    registry.put_image(&name("a"), Some("1"), &image());
    let upstream = bench.open(&registry.host());
    let host = registry.host();
    upstream.head(&name("a"), &tag("1")).await.unwrap();
    upstream.manifest(&name("a"), &tag("1")).await.unwrap();
    upstream.manifest(&name("a"), &tag("1")).await.unwrap();
    assert_eq!(bench.heard.all(), ["2/2", "1/2", "0/2"].map(|left| format!("{host} quota {left}")));
    let error = upstream.manifest(&name("a"), &tag("1")).await.unwrap_err();
    assert!(error.to_string().contains("You have reached your pull rate limit"), "{error}");
    assert!(error.hints()[0].contains("raise the limit"));
    registry.refill_quota();
    assert!(upstream.manifest(&name("a"), &tag("1")).await.is_ok());
}

#[tokio::test]
async fn nobody_there() {
    let bench = Bench::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = bench.open(&host).manifest(&name("a"), &tag("1")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Network);
    assert!(error.to_string().contains(&format!("can't connect to {host}: Connection refused")), "{error}");
    assert_eq!(bench.heard.all().len(), 4);
}

#[tokio::test]
async fn someone_who_never_answers() {
    let mut bench = Bench::new();
    bench.options.timeouts.response = Duration::from_millis(50);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let error = bench.open(&host).manifest(&name("a"), &tag("1")).await.unwrap_err();
    assert!(error.to_string().contains("did not answer within 0.05 s"), "{error}");
}

#[tokio::test]
async fn names_that_are_no_registries() {
    let bench = Bench::new();
    let registries = Registries::new(bench.options.clone());
    for nonsense in ["", "a b", "a/b", "user:canary@host", "host?x", "host:99999", "host#x"] {
        let error = registries.open(nonsense, false).map(drop).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage, "{nonsense}");
    }
}
