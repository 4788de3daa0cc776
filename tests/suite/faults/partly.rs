//! Several images, some of which fail; and names that are in each other's way.

use super::*;

#[test]
fn what_is_good_stays_when_something_else_fails() {
    let scene = Scene::new();
    scene.put("app", "1", &image("one"));
    scene.put("app", "3", &image("three"));
    let broken = image("broken");
    scene.put("broken", "1", &broken);
    scene.registry.remove_blob(&name("broken"), &Digest::of(&broken.blobs[2]));
    let added = scene.add_with(&["app:1", "app:2", "broken:1", "app:3"], &[]);
    says(&added.stderr, &["error: 2 of 4 images failed:", &scene.reference("app:2"), &scene.reference("broken:1")]);
    says(&added.stdout, &[&scene.published("app:1"), &scene.published("app:3")]);
    assert!(!added.stdout.contains("broken"), "{added}");
    added.failure(9);
    assert_eq!(scene.listed(), [scene.published("app")]);
    let rows = scene.roadstead.json(&["list", &scene.published("app")]);
    assert_eq!(rows.as_array().unwrap().len(), 2);
    scene.run(&["verify"]).success();

    // A program gets the same.
    let added = scene.add_with(&["app:1", "app:2"], &["--json"]);
    let report: serde_json::Value = serde_json::from_str(&added.stdout).unwrap();
    assert_eq!(report["failed"][0]["request"], scene.reference("app:2"));
    assert_eq!(report["failed"][0]["error"]["kind"], "not_found");
    assert_eq!(report["failed"][0]["error"]["exit_code"], 4);
    added.failure(9);
    // All of them: then it is the reason's own code.
    scene.add_with(&["app:8", "app:9"], &[]).failure(4);
}

#[test]
fn one_name_has_one_upstream() {
    let scene = Scene::new();
    scene.put("app", "1", &image("one"));
    scene.put("other", "1", &image("other"));
    scene.add_with(&["app:1"], &["--as", "mirror/app"]).success();
    let root = scene.roadstead.root();
    let said = scene.add_with(&["other:1"], &["--as", "mirror/app"]).failure(2);
    says(
        &said,
        &[
            "the name `mirror/app` already belongs to",
            &scene.reference("app"),
            "hint: Choose another name with `--as NAME`",
        ],
    );
    says(&scene.add_with(&["app:1", "other:1"], &["--as", "x"]).failure(2), &["`--as` names one repository"]);
    says(&scene.add_with(&["app:1", "app:2"], &["--as", "x:1"]).failure(2), &["`--as NAME:TAG` names one image"]);
    assert_eq!(scene.roadstead.root(), root);
    assert_eq!(scene.listed(), ["mirror/app"]);
}

#[test]
fn no_path_is_a_file_and_a_directory() {
    let scene = Scene::new();
    for repository in ["a", "a/manifests/1.0", "a/tags/list", "_catalog/x", "a/blobs"] {
        if let Ok(name) = repository.parse() {
            scene.registry.put_image(&name, Some("1.0"), &image(repository));
        }
    }
    let named = |name: &str| format!("{name}:1.0");
    scene.add_with(&["a:1.0"], &["--as", "a"]).success();
    let root = scene.roadstead.root();
    for below in ["a/manifests/1.0", "a/tags/list"] {
        let said = scene.add_with(&[&named(below)], &["--as", below]).failure(2);
        says(&said, &["at once", &format!("`{below}`"), "hint: Choose another name with `--as NAME[:TAG]`"]);
    }
    assert_eq!(scene.roadstead.root(), root);
    scene.run(&["remove", "a", "--yes"]).success();
    scene.add_with(&["a/manifests/1.0:1.0"], &["--as", "a/manifests/1.0"]).success();
    let said = scene.add_with(&["a:1.0"], &["--as", "a"]).failure(2);
    says(&said, &["a/manifests/1.0", "at once"]);
    scene.add_with(&["a:1.0"], &["--as", "a:2.0"]).success();
    let directory = scene.roadstead.path("export");
    scene.run(&["export", directory.to_str().unwrap()]).success();
    assert!(directory.join("oci/v2/a/manifests/2.0").is_file());
    assert!(directory.join("oci/v2/a/manifests/1.0/manifests/1.0").is_file());
}

#[test]
fn a_tag_made_for_a_platform_is_in_the_way_as_well() {
    let scene = Scene::new();
    scene.put("a", "1.0", &index("one"));
    scene.put("b", "1", &image("b"));
    let below = "a/manifests/1.0-arm64";
    let all = ["--platform", "all", "--as"];
    scene.add_with(&["a:1.0"], &[&all[..], &["a"]].concat()).success();
    says(&scene.add_with(&["b:1"], &["--as", below]).failure(2), &[below, "at once"]);
    scene.run(&["remove", "a", "--yes"]).success();
    scene.add_with(&["b:1"], &["--as", below]).success();
    let root = scene.roadstead.root();
    says(&scene.add_with(&["a:1.0"], &[&all[..], &["a"]].concat()).failure(2), &["1.0-arm64", "at once"]);
    assert_eq!(scene.roadstead.root(), root);
}

#[test]
fn names_in_each_others_way_in_one_command() {
    let scene = Scene::new();
    for repository in ["a", "a/manifests/1.0"] {
        scene.put(repository, "1.0", &image(repository));
    }
    for order in [["a:1.0", "a/manifests/1.0:1.0"], ["a/manifests/1.0:1.0", "a:1.0"]] {
        let scene = Scene { roadstead: Roadstead::new(), ..scene_of(&scene) };
        let added = scene.add_with(&order, &[]);
        says(&added.stderr, &["1 of 2 images failed", "at once"]);
        added.failure(9);
        assert_eq!(scene.listed().len(), 1);
        let directory = scene.roadstead.path("export");
        scene.run(&["export", directory.to_str().unwrap()]).success();
        scene.run(&["verify"]).success();
    }
}

/// The same registry with another catalog.
fn scene_of(scene: &Scene) -> Scene {
    Scene { registry: scene.registry.clone(), ..Scene::new() }
}

#[test]
fn a_tag_with_a_digest_is_the_digest_under_that_tag() {
    let scene = Scene::new();
    let first = scene.put("app", "1", &image("one"));
    let second = scene.put("app", "1", &image("two"));
    assert_ne!(first, second);
    scene.add(&format!("app:1@{second}")).success();
    let shown = scene.run(&["show", &scene.reference("app:1")]).success();
    says(&shown, &[&second.to_string()]);
    // An older content of the tag, as Kubernetes manifests pin it.
    scene.add(&format!("app:1@{first}")).success();
    let shown = scene.run(&["show", &scene.reference("app:1")]).success();
    says(&shown, &[&first.to_string()]);
    let outdated = scene.roadstead.json(&["outdated"]);
    assert_eq!(outdated[0]["state"], "outdated", "{outdated}");
    scene.add(&format!("app@{second}")).success();
    says(&scene.run(&["list", &scene.published("app")]).success(), &["(no tag)"]);
}
