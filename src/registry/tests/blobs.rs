//! Blobs: ranges, cuts, stalls, wrong sizes.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::error::Kind;
use axum::http::Method;

const SIZE: usize = 100_000;

async fn bench() -> (Bench, MemoryRegistry, Arc<dyn Registry>, Bytes, Digest) {
    with_stall(Duration::from_secs(10)).await
}

async fn with_stall(stall: Duration) -> (Bench, MemoryRegistry, Arc<dyn Registry>, Bytes, Digest) {
    let (mut bench, registry) = (Bench::new(), MemoryRegistry::builder().start().await.unwrap());
    bench.options.timeouts.stall = stall;
    let bytes = noise(SIZE);
    let digest = registry.put_blob(&name("a"), bytes.clone());
    let upstream = bench.open(&registry.host());
    (bench, registry, upstream, bytes, digest)
}

async fn fetch(upstream: &Arc<dyn Registry>, digest: &Digest, from: u64) -> Result<Vec<u8>, Error> {
    read(upstream.blob(&name("a"), digest, SIZE as u64, from).await?).await
}

/// Where each request for a blob began.
fn starts(registry: &MemoryRegistry) -> Vec<u64> {
    let blobs = registry.log().into_iter().filter(|info| info.path.contains("/blobs/"));
    blobs.map(|info| info.range_start().unwrap_or(0)).collect()
}

#[tokio::test]
async fn whole_and_from_an_offset() {
    let (_bench, registry, upstream, bytes, digest) = bench().await;
    assert_eq!(fetch(&upstream, &digest, 0).await.unwrap(), bytes);
    assert_eq!(fetch(&upstream, &digest, 99_990).await.unwrap(), bytes[99_990..]);
    let asked = registry.total_requests();
    assert!(fetch(&upstream, &digest, SIZE as u64).await.unwrap().is_empty());
    assert_eq!(registry.total_requests(), asked, "nothing is left to ask for");
    assert_eq!(fetch(&upstream, &digest, SIZE as u64 + 1).await.unwrap_err().kind(), Kind::Usage);
    assert_eq!(fetch(&upstream, &Digest::of(b"x"), 0).await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn a_cut_goes_on_where_it_was() {
    let (bench, registry, upstream, bytes, digest) = bench().await;
    let served = bytes.clone();
    registry.intercept(move |info| {
        let from = info.range_start().unwrap_or(0);
        (info.path.contains("/blobs/") && info.count <= 3).then(|| cut(&served, from, 20_000, false))
    });
    assert_eq!(fetch(&upstream, &digest, 10).await.unwrap(), bytes[10..]);
    assert_eq!(starts(&registry), [10, 20_010, 40_010, 60_010], "each begins where the last one broke");
    assert_eq!(bench.heard.all().len(), 3);
    assert!(bench.heard.all()[0].contains("retry 1: the connection to"), "{:?}", bench.heard.all());
}

#[tokio::test]
async fn a_stall_is_cut_by_us() {
    let (bench, registry, upstream, bytes, digest) = with_stall(Duration::from_millis(500)).await;
    let served = bytes.clone();
    registry.intercept(move |info| {
        (info.path.contains("/blobs/") && info.count == 1).then(|| cut(&served, 0, 5_000, true))
    });
    assert_eq!(fetch(&upstream, &digest, 0).await.unwrap(), bytes);
    assert_eq!(starts(&registry), [0, 5_000]);
    assert!(bench.heard.all()[0].contains("sent nothing for 0.5 s"), "{:?}", bench.heard.all());
}

#[tokio::test]
async fn progress_refills_the_patience_and_standing_still_does_not() {
    let (_bench, registry, upstream, bytes, digest) = bench().await;
    let served = bytes.clone();
    registry.intercept(move |info| {
        let from = info.range_start().unwrap_or(0);
        info.path.contains("/blobs/").then(|| cut(&served, from, 5_000, false))
    });
    assert_eq!(fetch(&upstream, &digest, 0).await.unwrap(), bytes, "20 connections, each with some progress");
    assert_eq!(starts(&registry).len(), 20);
    registry.forget_requests();
    let served = bytes.clone();
    registry.intercept(move |info| {
        let from = info.range_start().unwrap_or(0);
        let sent = if from == 0 { 7_000 } else { 0 };
        info.path.contains("/blobs/").then(|| cut(&served, from, sent, false))
    });
    let error = fetch(&upstream, &digest, 0).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Network);
    let text = error.to_string();
    assert!(
        text.contains("; gave up after 5 tries; fetched 6.8 KiB of 98 KiB of blob ")
            && text.contains(&digest.hex()[..12])
            && !text.contains(&digest.hex()),
        "{text}"
    );
    assert_eq!(starts(&registry), [0, 7_000, 7_000, 7_000, 7_000]);
}

#[tokio::test]
async fn a_server_without_ranges_begins_anew_and_nothing_comes_twice() {
    let bench = Bench::new();
    let registry = MemoryRegistry::builder().ranges(false).start().await.unwrap();
    let bytes = noise(SIZE);
    let digest = registry.put_blob(&name("a"), bytes.clone());
    let upstream = bench.open(&registry.host());
    let served = bytes.clone();
    registry.intercept(move |info| {
        (info.path.contains("/blobs/") && info.count <= 2).then(|| cut(&served, 0, 50_000, false))
    });
    assert_eq!(fetch(&upstream, &digest, 30_000).await.unwrap(), bytes[30_000..]);
    assert_eq!(starts(&registry), [30_000, 50_000, 50_000]);
}

#[tokio::test]
async fn shorter_parts_than_asked_for_are_taken() {
    let (bench, registry, upstream, bytes, digest) = bench().await;
    let served = bytes.clone();
    registry.intercept(move |info| {
        let from = info.range_start()? as usize;
        let to = (from + 10_000).min(served.len());
        let range = format!("bytes {from}-{}/{}", to - 1, served.len());
        Some(with(plain(206, served.slice(from..to)), &[("content-range", &range)]))
    });
    assert_eq!(fetch(&upstream, &digest, 1).await.unwrap(), bytes[1..]);
    assert_eq!(starts(&registry).len(), 10);
    assert!(bench.heard.all().is_empty(), "none of it is a failure");
}

#[tokio::test]
async fn wrong_sizes_are_refused() {
    let (_bench, registry, upstream, bytes, digest) = bench().await;
    // Announced: longer, shorter, and another part than the one that was asked for.
    let (longer, shorter) = (noise(SIZE + 1), bytes.slice(..SIZE - 1));
    registry.put_blob_as(&name("a"), digest, longer.clone());
    for from in [0, 10] {
        let error = fetch(&upstream, &digest, from).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Verification);
        assert!(error.to_string().contains("has 100001 bytes of it instead of 100000"), "{error}");
    }
    registry.put_blob_as(&name("a"), digest, shorter.clone());
    for from in [0, 10] {
        let error = fetch(&upstream, &digest, from).await.unwrap_err();
        assert!(error.to_string().contains("has 99999 bytes of it instead of 100000"), "{error}");
    }
    let error = fetch(&upstream, &digest, SIZE as u64 - 1).await.unwrap_err();
    assert!(error.to_string().contains("has fewer than the 100000 bytes"), "{error}");
    registry.put_blob_as(&name("a"), digest, bytes.clone());
    let served = bytes.clone();
    registry.intercept(move |info| {
        let part = with(plain(206, served.slice(5..)), &[("content-range", "bytes 5-99999/100000")]);
        info.range_start().map(|_| part)
    });
    let error = fetch(&upstream, &digest, 10).await.unwrap_err();
    assert!(error.to_string().contains("from byte 5 on instead of 10"), "{error}");
    // Not announced: chunked bodies that go on too long, or end too early every time.
    for (body, words) in [(longer, "sends more than the 100000 bytes"), (shorter, "sent only 99999 of 100000 bytes")] {
        registry.intercept(move |info| {
            let chunks = futures::stream::iter([Ok::<_, std::io::Error>(body.clone())]);
            info.path.contains("/blobs/").then(|| plain(200, Body::from_stream(chunks)))
        });
        let error = fetch(&upstream, &digest, 0).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Verification);
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn busy_servers_are_asked_again_in_mid_transfer() {
    let (bench, registry, upstream, bytes, digest) = bench().await;
    let served = bytes.clone();
    registry.intercept(move |info| {
        info.path.contains("/blobs/").then_some(())?;
        match info.count {
            1 => Some(cut(&served, 0, 40_000, false)),
            2 => Some(plain(503, "")),
            3 => Some(with(plain(429, ""), &[("retry-after", "0")])),
            _ => None,
        }
    });
    assert_eq!(fetch(&upstream, &digest, 0).await.unwrap(), bytes);
    assert_eq!(starts(&registry), [0, 40_000, 40_000, 40_000]);
    let heard = bench.heard.all();
    assert!(heard[1].contains("answered 503") && heard[2].contains("waits 0ns"), "{heard:?}");
}

#[tokio::test]
async fn tokens_that_expire_in_mid_transfer_are_renewed() {
    let bench = Bench::new();
    let registry = MemoryRegistry::builder().token_auth("user", PASSWORD).start().await.unwrap();
    let bytes = noise(SIZE);
    let digest = registry.put_blob(&name("a"), bytes.clone());
    let (served, handle) = (bytes.clone(), registry.clone());
    registry.intercept(move |info| {
        let from = info.range_start().unwrap_or(0);
        let admitted = info.headers.contains_key("authorization") && info.path.contains("/blobs/");
        // Every other request is admitted, cut, and leaves the token useless.
        (admitted && info.count % 2 == 1 && from < 90_000).then(|| {
            handle.expire_tokens();
            cut(&served, from, 30_000, false)
        })
    });
    let upstream = bench.open(&registry.host());
    assert_eq!(fetch(&upstream, &digest, 0).await.unwrap(), bytes);
    assert_eq!(starts(&registry), [0, 30_000, 30_000, 60_000, 60_000, 90_000, 90_000]);
    assert_eq!(registry.requests(&Method::GET, "/token"), 4);
}

#[tokio::test]
async fn as_many_at_once_as_allowed() {
    let mut bench = Bench::new();
    let registry = MemoryRegistry::builder().start().await.unwrap();
    let digest = registry.put_blob(&name("a"), noise(SIZE));
    bench.options.registries.insert(registry.host(), RegistrySettings { max_parallel: Some(2), ..Default::default() });
    let registries = Registries::new(bench.options.clone());
    let upstream = registries.open(&registry.host(), true).unwrap();
    let a = name("a");
    let ask = || upstream.blob(&a, &digest, SIZE as u64, 0);
    let first = ask().await.unwrap();
    let second = ask().await.unwrap();
    assert!(futures::FutureExt::now_or_never(ask()).is_none());
    let asked = AtomicU64::new(registry.total_requests());
    let third = async {
        let body = ask().await.unwrap();
        asked.store(u64::MAX, Ordering::SeqCst);
        body
    };
    let release = async {
        assert_ne!(asked.load(Ordering::SeqCst), u64::MAX);
        drop(first);
    };
    let (third, ()) = tokio::join!(third, release);
    drop((second, third));
}

#[tokio::test]
async fn a_body_survives_being_dropped_while_it_waits() {
    let (_bench, registry, upstream, bytes, digest) = bench().await;
    let served = bytes.clone();
    registry.intercept(move |info| {
        let from = info.range_start().unwrap_or(0);
        info.path.contains("/blobs/").then(|| cut(&served, from, 9_000, false))
    });
    let mut body = upstream.blob(&name("a"), &digest, SIZE as u64, 0).await.unwrap();
    let mut all = Vec::new();
    loop {
        match tokio::time::timeout(Duration::from_micros(200), body.chunk()).await {
            Err(_) => {}
            Ok(Ok(Some(chunk))) => all.extend_from_slice(&chunk),
            Ok(Ok(None)) => break,
            Ok(Err(error)) => panic!("{error}"),
        }
        assert_eq!(body.position(), all.len() as u64);
    }
    assert_eq!(all, bytes);
}
