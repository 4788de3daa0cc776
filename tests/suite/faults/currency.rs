//! Following upstream: what is asked, what has moved, what is gone, and what is left of a quota.

use super::*;

#[test]
fn what_has_not_moved_costs_no_manifest() {
    let scene = Scene::new();
    scene.put("app", "1", &index("one"));
    scene.add_with(&["app:1"], &["--platform", "all"]).success();
    let root = scene.roadstead.root();
    scene.registry.forget_requests();
    let updated = scene.run(&["update"]);
    says(&updated.stderr, &["Nothing to do: everything is already mirrored"]);
    updated.success();
    scene.run(&["update", "--fail-if-unchanged"]).failure(3);
    let again = scene.add_with(&["app:1"], &["--platform", "all", "--fail-if-unchanged"]);
    again.failure(3);
    says(&scene.run(&["outdated"]).stderr, &["All up to date: 1 image."]);
    assert!(scene.asked("HEAD", "/manifests/1") >= 4);
    assert_eq!(scene.asked("GET", "/manifests/"), 0);
    assert_eq!(scene.asked("GET", "/blobs/"), 0);
    assert_eq!(scene.roadstead.root(), root);
}

#[test]
fn what_has_moved_is_said_and_followed() {
    let scene = Scene::new();
    let first = scene.put("app", "1", &image("one"));
    scene.put("stays", "1", &image("stays"));
    scene.add_with(&["app:1", "stays:1"], &[]).success();
    let second = scene.put("app", "1", &image("two"));
    let outdated = scene.run(&["outdated"]);
    says(&outdated.stdout, &["outdated", &scene.published("app:1"), &first.to_string(), &second.to_string()]);
    says(&outdated.stderr, &["1 outdated, 1 up to date", "`roadstead update` fetches what has moved"]);
    assert!(!outdated.stdout.contains("stays"), "{outdated}");
    outdated.success();
    scene.run(&["outdated", "--fail-if-outdated"]).failure(3);
    says(&scene.run(&["list", &scene.published("app")]).success(), &["outdated"]);
    scene.run(&["update", "--dry-run"]).success();
    says(&scene.run(&["show", &scene.reference("app:1")]).success(), &[&first.to_string()]);
    let updated = scene.run(&["update", "--fail-if-unchanged"]);
    says(&updated.stdout, &["moved", &scene.published("app:1")]);
    assert!(!updated.stdout.contains("stays"), "{updated}");
    updated.success();
    says(&scene.run(&["show", &scene.reference("app:1")]).success(), &[&second.to_string()]);
    assert!(!scene.run(&["list", &scene.published("app")]).success().contains("outdated"));
}

#[test]
fn what_is_gone_upstream_stays_here() {
    let scene = Scene::new();
    scene.put("app", "1", &image("one"));
    scene.put("app", "2", &image("two"));
    scene.put("slow", "1", &image("slow"));
    scene.add_with(&["app:1", "app:2", "slow:1"], &[]).success();
    let root = scene.roadstead.root();
    assert!(scene.registry.remove_tag(&name("app"), &"1".parse().unwrap()));
    let updated = scene.run(&["update", &scene.published("app")]);
    says(
        &updated.stderr,
        &[&format!("{} is gone upstream", scene.published("app:1")), "1 up to date, 1 gone upstream"],
    );
    updated.success();
    assert_eq!(scene.roadstead.root(), root);
    // It was written down, for whoever looks later.
    says(&scene.run(&["list", &scene.published("app")]).success(), &["gone upstream"]);
    says(&scene.run(&["show", &scene.reference("app:1")]).success(), &["upstream no longer has this tag"]);
    let outdated = scene.run(&["outdated"]);
    says(&outdated.stdout, &["gone", &scene.published("app:1")]);
    says(&outdated.stderr, &["0 outdated, 1 gone upstream, 2 up to date."]);
    outdated.success();
    scene.run(&["outdated", "--fail-if-outdated"]).failure(3);

    scene.registry.intercept(|info| info.path.starts_with("/v2/slow/").then(|| plain(410 - 5 + 13, "")));
    let outdated = scene.run(&["outdated", "--all"]);
    says(&outdated.stdout, &["gone", "unknown", "current"]);
    says(&outdated.stderr, &["1 without an answer", "418"]);
    outdated.failure(9);
    let states = scene.run(&["outdated", "--json"]);
    let states: serde_json::Value = serde_json::from_str(&states.stdout).unwrap();
    let of = |name: &str| {
        let mut rows = states.as_array().unwrap().iter();
        rows.find(|row| row["image"] == scene.published(name)).unwrap()["state"].clone()
    };
    assert_eq!([of("app:1"), of("app:2"), of("slow:1")], ["gone", "current", "unknown"]);
    // Nobody answers: then that is the reason.
    scene.registry.intercept(|_| Some(plain(418, "")));
    scene.run(&["outdated"]).failure(6);
    scene.run(&["show", &scene.reference("app:1")]).success();
    assert_eq!(scene.roadstead.root(), root);
    says(&scene.run(&["list", &scene.published("app")]).success(), &["gone upstream"]);

    // It is back.
    scene.registry.intercept(|_| None);
    scene.put("app", "1", &image("one"));
    says(&scene.run(&["update"]).stderr, &["Nothing to do: everything is already mirrored"]);
    assert!(!scene.run(&["list", &scene.published("app")]).success().contains("gone"));
}

#[test]
fn what_is_left_of_a_quota_is_shown() {
    let scene = Scene::new();
    let digest = scene.put("app", "1", &image("one"));
    let limited = move |info: &roadstead::registry::memory::RequestInfo| {
        info.path.ends_with("/manifests/1") || info.path.ends_with(&digest.to_string())
    };
    let manifest = image("one").manifest;
    scene.registry.intercept(move |info| {
        let headers = [
            ("content-type", roadstead::image::media::OCI_MANIFEST),
            ("ratelimit-limit", "100;w=21600"),
            ("ratelimit-remaining", "37;w=21600"),
        ];
        limited(info).then(|| with(plain(200, manifest.clone()), &headers))
    });
    let dry = scene.add_with(&["app:1"], &["--dry-run", "--progress", "json"]);
    let quotas = events(&dry.stderr, "registry.quota");
    assert!(quotas.iter().any(|quota| quota["limit"] == 100 && quota["remaining"] == 37), "{dry}");
    dry.success();
    let added = scene.add_with(&["app:1"], &["--progress", "plain"]);
    says(&added.stderr, &[&format!("{}: 37 of 100 pulls left", scene.host())]);
    added.success();
}

#[test]
fn a_spent_quota_says_what_is_left_and_what_helps() {
    let scene = Scene::with(MemoryRegistry::builder().quota(1, 21_600));
    scene.put("app", "1", &image("one"));
    scene.put("app", "2", &image("two"));
    let first = scene.add("app:1");
    says(&first.stderr, &["0 of 1 pulls left"]);
    first.success();
    let said = scene.add("app:2").failure(6);
    says(&said, &["429", "You have reached your pull rate limit", "Logging in may raise the limit"]);
    scene.registry.refill_quota();
    scene.add("app:2").success();
}
