//! Busy and broken servers: waits that are shown, tries that are counted, and an end to both.

use super::*;

fn manifests(info: &roadstead::registry::memory::RequestInfo) -> bool {
    info.method == "GET" && info.path.ends_with("/manifests/1")
}

#[test]
fn a_wait_that_is_asked_for_is_shown_and_kept() {
    let scene = Scene::new();
    scene.put("app", "1", &image("one"));
    let busy = || {
        scene.registry.forget_requests();
        scene.registry.intercept(|info| {
            (manifests(info) && info.count == 1).then(|| with(plain(429, ""), &[("retry-after", "1")]))
        });
    };
    busy();
    let begun = Instant::now();
    let added = scene.add_with(&["app:1"], &["--progress", "plain"]);
    assert!(begun.elapsed() >= Duration::from_secs(1), "{added}");
    says(&added.stderr, &[&format!("{} asks us to wait 1 s: ", scene.host()), "429 Too Many Requests"]);
    added.success();
    assert_eq!(scene.listed(), [scene.published("app")]);

    scene.put("app", "1", &image("two"));
    busy();
    let updated = scene.run(&["update", "--progress", "json"]);
    let waits = events(&updated.stderr, "registry.waiting");
    assert_eq!(waits.len(), 1, "{updated}");
    assert_eq!(waits[0]["registry"], scene.host());
    assert!((waits[0]["seconds"].as_f64().unwrap() - 1.0).abs() < 0.001 && waits[0]["asked"] == true, "{updated}");
    assert!(waits[0]["reason"].as_str().unwrap().contains("429"), "{updated}");
    updated.success();
}

#[test]
fn a_limit_that_stays_is_given_up_with_what_helps() {
    let scene = Scene::new();
    scene.put("app", "1", &image("one"));
    scene.registry.intercept(|info| {
        let body =
            r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your\u001b[31m pull rate limit."}]}"#;
        manifests(info).then(|| plain(429, body))
    });
    let said = scene.add("app:1").failure(6);
    says(
        &said,
        &[&scene.reference("app:1"), "gave up after", "tries in 3", "429", "You have reached your\\u{1b}[31m pull"],
    );
    says(&said, &["hint: Logging in may raise the limit"]);
    assert!(scene.asked("GET", "/manifests/1") >= 5);
    scene.registry.intercept(|info| manifests(info).then(|| with(plain(429, ""), &[("retry-after", "7200")])));
    let begun = Instant::now();
    let said = scene.add("app:1").failure(6);
    says(&said, &["asks us to wait 2 h 0 min", "hint: ", "Try again in 2 h 0 min"]);
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(scene.listed(), Vec::<String>::new());
}

#[test]
fn a_server_that_fails_now_and_then_is_asked_again() {
    let scene = Scene::new();
    scene.put("app", "1", &image("one"));
    scene.registry.intercept(|info| {
        let fails = manifests(info) && info.count <= 2 || info.path.contains("/blobs/") && info.count == 1;
        fails.then(|| plain(if info.count == 1 { 503 } else { 500 }, ""))
    });
    let added = scene.add_with(&["app:1"], &["--progress", "json"]);
    let waits = events(&added.stderr, "registry.waiting");
    assert!(waits.len() >= 4 && waits.iter().all(|wait| wait["asked"] == false), "{added}");
    added.success();
    scene.registry.clear_intercept();
    scene.run(&["verify"]).success();
}

#[test]
fn a_server_that_always_fails_is_given_up_and_the_rest_kept() {
    let scene = Scene::new();
    let image = image("one");
    scene.put("app", "1", &image);
    let broken = Digest::of(&image.blobs[2]);
    let path = format!("/v2/app/blobs/{broken}");
    let of_it = path.clone();
    scene.registry.intercept(move |info| (info.path == of_it).then(|| plain(502, "<html>Bad Gateway</html>")));
    let said = scene.add("app:1").failure(6);
    says(
        &said,
        &[&broken.hex()[..12], "gave up after", "tries in 3", &format!("{} answered 502 Bad Gateway", scene.host())],
    );
    assert!(!said.contains("<html>"), "{said}");
    assert_eq!(scene.listed(), Vec::<String>::new());
    // What was verified is not fetched again.
    scene.registry.clear_intercept();
    scene.registry.forget_requests();
    scene.add("app:1").success();
    let fetched: Vec<String> = scene.registry.log().iter().map(|info| info.path.clone()).collect();
    assert!(fetched.contains(&path), "{fetched:?}");
    assert!(!fetched.contains(&format!("/v2/app/blobs/{}", Digest::of(&image.blobs[1]))), "{fetched:?}");
}
