//! Blobs under way: cuts, stalls, tokens that end in between, storage elsewhere.

use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const SIZE: usize = 1_500_000;
const SENT: usize = 700_000;

/// A registry whose only layer is cut off once: the answer stalls until what was sent is on disk, then the connection ends.
/// Says how many bytes of it were sent in all.
fn cut_once(scene: &Scene, whole: &Bytes, also: impl Fn() + Send + Sync + 'static) -> Arc<AtomicU64> {
    let digest = Digest::of(whole);
    let (whole, data, sent) = (whole.clone(), scene.data(), Arc::new(AtomicU64::new(0)));
    let counted = Arc::clone(&sent);
    scene.registry.intercept(move |info| {
        if !info.path.ends_with(&digest.to_string()) || info.method != "GET" {
            return None;
        }
        if info.count > 1 {
            let from = info.range_start().unwrap_or(0);
            counted.fetch_add(whole.len() as u64 - from, Ordering::Relaxed);
            return None;
        }
        counted.fetch_add(SENT as u64, Ordering::Relaxed);
        also();
        let data = data.clone();
        Some(cut(&whole, 0, SENT, move || has_arrived(&data, &digest, SENT as u64)))
    });
    sent
}

/// The first byte that each request for this blob asked for.
fn beginnings(scene: &Scene, digest: &Digest) -> Vec<Option<u64>> {
    let log = scene.registry.log();
    let of_it = log.iter().filter(|info| info.method == "GET" && info.path.ends_with(&digest.to_string()));
    of_it.map(roadstead::registry::memory::RequestInfo::range_start).collect()
}

#[test]
fn a_stall_and_a_cut_lose_nothing_of_what_came() {
    let scene = Scene::new();
    let layer = noise(SIZE);
    scene.put("app", "1", &opaque(layer.clone()));
    let sent = cut_once(&scene, &layer, || {});
    let added = scene.add_with(&["app:1"], &["--progress", "json"]);
    let waits = events(&added.stderr, "registry.waiting");
    assert_eq!(waits.len(), 1, "{added}");
    assert!(waits[0]["reason"].as_str().unwrap().contains("broke"), "{added}");
    added.success();
    let digest = Digest::of(&layer);
    assert_eq!(beginnings(&scene, &digest), [None, Some(SENT as u64)]);
    assert_eq!(sent.load(Ordering::Relaxed), SIZE as u64, "no byte was sent twice");
    scene.run(&["verify"]).success();
    assert_eq!(std::fs::read(&scene.files_of(&digest)[0]).unwrap(), layer);
}

#[test]
fn a_token_that_ends_in_mid_transfer_is_renewed() {
    let builder = MemoryRegistry::builder().token_auth("curator", "correct horse").private(name("app"));
    let scene = Scene::with(builder);
    scene.roadstead.log_in(&scene.host(), "curator", "correct horse");
    let layer = noise(SIZE);
    scene.put("app", "1", &opaque(layer.clone()));
    let registry = scene.registry.clone();
    let sent = cut_once(&scene, &layer, move || registry.expire_tokens());
    scene.add("app:1").success();
    // The rest is asked for with the old token, and then with a new one.
    let rest = Some(SENT as u64);
    assert_eq!(beginnings(&scene, &Digest::of(&layer)), [None, rest, rest]);
    assert_eq!(sent.load(Ordering::Relaxed), (SENT + 2 * (SIZE - SENT)) as u64);
    scene.run(&["verify"]).success();
}

#[test]
fn what_a_killed_run_fetched_is_not_fetched_again() {
    let scene = Scene::new();
    let layer = noise(SIZE);
    let digest = scene.put("app", "1", &opaque(layer.clone()));
    assert_ne!(digest, Digest::of(&layer));
    let sent = cut_once(&scene, &layer, || {});
    // Every later try fails, so that the run ends.
    let (digest, first) = (Digest::of(&layer), scene.registry.clone());
    let data = scene.data();
    let whole = layer.clone();
    first.intercept(move |info| {
        let it = info.method == "GET" && info.path.ends_with(&digest.to_string());
        let data = data.clone();
        it.then(|| match info.count {
            1 => cut(&whole, 0, SENT, move || has_arrived(&data, &digest, SENT as u64)),
            _ => plain(404, ""),
        })
    });
    let said = scene.add("app:1").failure(4);
    says(
        &said,
        &[
            &format!(
                "fetched {} of {} of blob ",
                roadstead::text::bytes(SENT as u64),
                roadstead::text::bytes(SIZE as u64)
            ),
            "does not have it",
        ],
    );
    scene.registry.clear_intercept();
    scene.registry.forget_requests();
    scene.add("app:1").success();
    assert_eq!(beginnings(&scene, &digest), [Some(SENT as u64)]);
    drop(sent);
}

#[test]
fn a_redirect_takes_no_credentials_along() {
    for builder in [
        MemoryRegistry::builder().basic_auth("curator", "correct horse"),
        MemoryRegistry::builder().token_auth("curator", "correct horse").private(name("app")),
    ] {
        let scene = Scene::with(builder);
        scene.roadstead.log_in(&scene.host(), "curator", "correct horse");
        let storage = scene.another(MemoryRegistry::builder());
        let image = image("one");
        scene.put("app", "1", &image);
        storage.put_image(&name("app"), None, &image);
        let elsewhere = storage.host();
        scene.registry.intercept(move |info| {
            // Only who is let in is sent on.
            let sent_on = info.path.contains("/blobs/") && info.headers.contains_key("authorization");
            let place = format!("http://{elsewhere}{}?signature=s1gned", info.path);
            sent_on.then(|| with(plain(307, ""), &[("location", &place)]))
        });
        let added = scene.add_with(&["app:1"], &["-vv"]);
        assert!(!added.stderr.contains("s1gned"), "{added}");
        added.success();
        let log = storage.log();
        assert_eq!(log.len(), 3, "the configuration and two layers");
        assert!(log.iter().all(|info| !info.headers.contains_key("authorization")), "{log:?}");

        // What the storage refuses is no question of the password.
        scene.put("app", "2", &super::image("two"));
        storage.intercept(|_| Some(plain(403, "<Error><Code>AccessDenied</Code></Error>")));
        let said = scene.add("app:2").failure(6);
        says(&said, &[&format!("the storage that {} points to answered 403", scene.host())]);
    }
}
