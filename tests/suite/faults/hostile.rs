//! Documents made to do harm, and documents that this program can't use: refused in words, or mirrored without what is
//! left out.

use super::*;
use roadstead::image::media;
use serde_json::{Value, json};

fn descriptor(media_type: &str, digest: &str, size: &Value) -> Value {
    json!({"mediaType": media_type, "digest": digest, "size": size})
}

fn manifest_with(layer: &Value) -> Value {
    let config = descriptor(media::OCI_CONFIG, &Digest::of(b"{}").to_string(), &json!(2));
    json!({"schemaVersion": 2, "mediaType": media::OCI_MANIFEST, "config": config, "layers": [layer]})
}

#[test]
fn hostile_manifests_are_refused() {
    let scene = Scene::new();
    scene.registry.put_blob(&name("app"), "{}");
    let good = Digest::of(b"layer").to_string();
    let gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
    let layer = |digest: &str, size: Value| manifest_with(&descriptor(gzip, digest, &size)).to_string();
    let fine = layer(&good, json!(5));
    let twice = |from: &str, to: &str| {
        assert!(fine.contains(from));
        fine.replacen(from, to, 1)
    };
    let deep = format!(r#"{{"schemaVersion":2,"annotations":{}{}}}"#, r#"{"a":"#.repeat(200_000), "}".repeat(200_000));
    let cases = [
        ("deep", deep),
        (
            "deep in something unknown",
            format!(r#"{{"schemaVersion":2,"x":{}{}}}"#, "[".repeat(300_000), "]".repeat(300_000)),
        ),
        ("a key twice", twice(r#""schemaVersion":2"#, r#""schemaVersion":2,"schemaVersion":2"#)),
        ("layers twice", twice(r#""layers":["#, r#""layers":[],"layers":["#)),
        ("a digest twice", twice(&format!(r#""digest":"{good}""#), &format!(r#""digest":"{good}","digest":"{good}""#))),
        ("an annotation twice", twice(r#""schemaVersion":2"#, r#""schemaVersion":2,"annotations":{"a":"1","a":"2"}"#)),
        ("a negative size", layer(&good, json!(-5))),
        ("half a byte", layer(&good, json!(5.5))),
        ("a size in quotes", layer(&good, json!("5"))),
        ("a huge size", layer(&good, json!(u64::MAX))),
        ("a size beyond numbers", twice(r#""size":5"#, r#""size":99999999999999999999999999"#)),
        ("more than a tebibyte", layer(&good, json!((1u64 << 40) + 1))),
        ("a path as a digest", layer("sha256:../../../../../etc/passwd", json!(5))),
        ("a path as an algorithm", layer("../../evil:aaaa", json!(5))),
        ("upper case", layer(&good.to_uppercase().replace("SHA", "sha"), json!(5))),
        ("an escape in a digest", layer("sha256:\u{1b}[31m\u{202e}", json!(5))),
        ("an escape in a type", twice(media::OCI_MANIFEST, "\\u001b[2J\\u202eapplication/x")),
        ("two things at once", twice(r#""layers""#, r#""manifests":[],"layers""#)),
        ("two sizes for one blob", {
            let one = descriptor(gzip, &good, &json!(5));
            let mut manifest = manifest_with(&one);
            manifest["layers"] = json!([one, descriptor(gzip, &good, &json!(6))]);
            manifest.to_string()
        }),
        ("nothing", String::new()),
        ("no JSON", "\u{1b}]0;title\u{7}<html>".to_owned()),
        ("null", "null".to_owned()),
        ("bytes", "\u{feff}{}".to_owned()),
    ];
    for (what, text) in cases {
        // The type in the header says nothing of its own.
        scene.put_manifest("application/json", text);
        let said = scene.add("app:1");
        assert_eq!(said.code, 8, "{what}: {said}");
        says(&said.stderr, &["error: ", &scene.reference("app:1")]);
    }
    assert_eq!(scene.listed(), Vec::<String>::new());
    assert_eq!(files(&scene.data()).iter().filter(|path| path.to_string_lossy().contains("evil")).count(), 0);
}

fn entries(number: usize) -> Value {
    let entry = |n: usize| {
        let mut entry = descriptor(media::OCI_MANIFEST, &Digest::of(&n.to_le_bytes()).to_string(), &json!(5));
        entry["platform"] = json!({"os": "linux", "architecture": format!("made-up-{n}")});
        entry
    };
    (0..number).map(entry).collect()
}

#[test]
fn indexes_of_any_size_end_somewhere() {
    let scene = Scene::new();
    let index_of = |manifests: Value| {
        json!({"schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": manifests}).to_string()
    };
    scene.put_manifest(media::OCI_INDEX, index_of(entries(10_001)));
    let said = scene.add("app:1").failure(8);
    says(&said, &["10001 entries exceed the limit of 10000"]);

    // Whoever wants one platform of two thousand fetches one.
    let image = image("one");
    scene.put("app", "image", &image);
    let mut many = entries(1_999);
    many.as_array_mut().unwrap().push(serde_json::to_value(image.descriptor()).unwrap());
    scene.put_manifest(media::OCI_INDEX, index_of(many));
    scene.registry.forget_requests();
    scene.add_with(&["app:1"], &["--platform", "linux/amd64"]).success();
    assert_eq!(scene.asked("GET", "/manifests/sha256:"), 1);
    let shown = scene.run(&["show", &scene.reference("app:1")]).success();
    says(&shown, &["not chosen", "linux/made-up-0", "and 1987 others"]);

    // An index can't be in itself, but indexes can be nested.
    let mut nested = index("one");
    for _ in 0..6 {
        nested = IndexBuilder::new().image(nested).build();
    }
    scene.put("app", "nested", &nested);
    let said = scene.add("app:nested").failure(8);
    says(&said, &["nested more than 4 deep"]);
}

#[test]
fn platforms_that_are_paths_or_escapes_name_no_file() {
    let scene = Scene::new();
    let mut index = IndexBuilder::new().image(image("one"));
    for platform in ["linux/..", "../../evil", "a/../../evil", "linux/amd64/../../../evil"] {
        let mut odd = image(platform);
        let parts: Vec<&str> = platform.split('/').collect();
        odd.platform = Some(roadstead::image::Platform::new(parts[0], &parts[1..].join("/"), None));
        index = index.image(odd);
    }
    let mut odd = image("escape");
    odd.platform = Some(roadstead::image::Platform::new("\u{1b}[31m", "\u{202e}amd64", Some("<script>")));
    scene.put("app", "1", &index.image(odd).build());
    let added = scene.add_with(&["app:1"], &["--platform", "all"]);
    let shown = scene.run(&["show", &scene.reference("app:1")]).success();
    says(&shown, &["\\u{1b}[31m/\\u{202e}amd64/<script>", "gateway view"]);
    added.success();
    scene.run(&["list", &scene.published("app")]).success();
    let directory = scene.roadstead.path("export");
    scene.run(&["export", directory.to_str().unwrap()]).success();
    for file in files(&scene.roadstead.path("")) {
        assert!(!file.to_string_lossy().contains("evil"), "{}", file.display());
        assert_harmless(&file.to_string_lossy(), "a path");
    }
    assert_pages_are_harmless(&directory);
}

/// A page without the one script that its policy names by its hash.
fn without_script(page: &str) -> String {
    use base64::Engine as _;
    let Some((before, rest)) = page.split_once("<script>") else { return page.to_owned() };
    let (script, after) = rest.split_once("</script>").unwrap();
    let digest = roadstead::image::Digest::of(script.as_bytes());
    let hash = base64::engine::general_purpose::STANDARD.encode(digest.as_bytes());
    assert!(before.contains(&format!("script-src 'sha256-{hash}';")), "{before}");
    format!("{before}{after}")
}

/// Every page says nothing that a browser would run or that hides itself, besides its own script.
#[track_caller]
fn assert_pages_are_harmless(directory: &Path) {
    let is_page = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "html" || extension == "json");
    let pages: Vec<PathBuf> = files(directory).into_iter().filter(is_page).collect();
    assert!(pages.len() >= 3, "{pages:?}");
    for page in pages {
        if page.extension().unwrap() == "html" {
            let text = without_script(&std::fs::read_to_string(&page).unwrap());
            assert!(!text.contains("<script"), "{}", page.display());
            assert_harmless(&text, &page.display().to_string());
        }
    }
}

#[test]
fn text_from_upstream_steers_nothing() {
    const EVIL: &str = "\u{1b}[31m\u{202e}<script>alert(1)</script>\u{7}\r\u{200b}\"'&";
    let scene = Scene::new();
    let image = ImageBuilder::new("linux/amd64".parse().unwrap())
        .layer(&[("content", "one")])
        .entrypoint(&[EVIL])
        .env(&format!("A={EVIL}"))
        .label(EVIL, EVIL)
        .annotation(EVIL, EVIL)
        .annotation("org.opencontainers.image.title", EVIL)
        .annotation("org.opencontainers.image.description", EVIL)
        .build();
    scene.put("app", "1", &image);
    let referrer = image.referrer(EVIL, "an SBOM");
    scene.put("app", "sbom", &referrer);
    let listed = scene.add_with(&["app:1", "app:sbom"], &["-vv"]);
    listed.success();
    let shown = scene.run(&["show", &scene.reference("app:1")]).success();
    says(&shown, &["label", "\\u{1b}[31m\\u{202e}<script>", "entrypoint", "environment", "attached"]);
    scene.run(&["--json", "show", &scene.reference("app:1")]).success();
    scene.run(&["--json", "show", &scene.reference("app:sbom")]).success();
    scene.run(&["list", &scene.published("app")]).success();
    scene.run(&["--json", "list", &scene.published("app")]).success();
    scene.run(&["stats"]).success();
    let directory = scene.roadstead.path("export");
    scene.run(&["export", directory.to_str().unwrap()]).success();
    assert_pages_are_harmless(&directory);
    // What a registry says when it refuses.
    let body = json!({"errors": [{"code": "DENIED", "message": EVIL}]}).to_string();
    scene.registry.intercept(move |_| Some(with(plain(418, body.clone()), &[("content-type", "application/json")])));
    let said = scene.add_with(&["app:2"], &["-vv"]).failure(6);
    says(&said, &["\\u{1b}[31m"]);
    let json = scene.run(&["--json", "--progress", "json", "-vv", "update"]);
    assert_ne!(json.code, 0);
    // And what it lists.
    let list = json!({"schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": [{"mediaType": EVIL, "digest": EVIL, "size": EVIL}, EVIL]});
    scene.put("app", "3", &super::image("three"));
    scene.registry.intercept(move |info| {
        let headers = [("content-type", media::OCI_INDEX)];
        info.path.contains("/referrers/").then(|| with(plain(200, list.to_string()), &headers))
    });
    scene.add_with(&["app:3"], &["-vv"]).success();
}

#[test]
fn schema_1_is_refused_by_its_name() {
    let scene = Scene::new();
    let old =
        json!({"schemaVersion": 1, "name": "app", "tag": "1", "architecture": "amd64", "fsLayers": [], "history": []});
    for media_type in [media::SCHEMA1_SIGNED, media::SCHEMA1, "application/json"] {
        scene.put_manifest(media_type, old.to_string());
        let said = scene.add("app:1").failure(2);
        says(&said, &[&scene.reference("app:1"), "Docker schema 1 manifest", "hint: Push the image again"]);
    }
}

/// The image with its last layer under another media type, and with these `urls`.
fn retyped(media_type: &str, urls: &[&str]) -> Image {
    let mut image = image("one");
    let mut manifest: Value = serde_json::from_slice(&image.manifest).unwrap();
    manifest["layers"][1]["mediaType"] = media_type.into();
    if !urls.is_empty() {
        manifest["layers"][1]["urls"] = json!(urls);
    }
    image.manifest = manifest.to_string().into();
    image
}

#[test]
fn foreign_layers_are_left_out_by_name() {
    for media_type in [
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+gzip",
    ] {
        let scene = Scene::new();
        let image = retyped(media_type, &["https://example.com/layer"]);
        let foreign = Digest::of(&image.blobs[2]);
        scene.put("app", "1", &image);
        let plan = scene.add_with(&["app:1"], &["--dry-run", "--json"]);
        let report: Value = serde_json::from_str(&plan.success()).unwrap();
        assert_eq!(report["images"][0]["left_out"][0]["digest"], foreign.to_string());
        assert!(report["images"][0]["left_out"][0]["reason"].as_str().unwrap().contains("foreign layer"), "{report}");
        let added = scene.add("app:1");
        says(&added.stderr, &["warning: ", "left out", "foreign layer"]);
        added.success();
        let shown = scene.run(&["show", &scene.reference("app:1")]).success();
        says(&shown, &["left out", &foreign.to_string(), "foreign layer"]);
        assert_eq!(scene.asked("GET", &foreign.to_string()), 0);
        assert_eq!(scene.files_of(&foreign), Vec::<PathBuf>::new());
        // Without that layer nobody could run it from a gateway.
        let details = scene.roadstead.json(&["show", &scene.reference("app:1")]);
        assert!(details["gateway"][0]["left_out"].is_string(), "{details}");
        scene.run(&["verify"]).success();
    }
}

#[test]
fn zstd_layers_are_mirrored_and_no_gateways() {
    let scene = Scene::new();
    let image = retyped("application/vnd.oci.image.layer.v1.tar+zstd", &[]);
    let digest = scene.put("app", "1", &image);
    scene.add("app:1").success();
    let shown = scene.run(&["show", &scene.reference("app:1")]).success();
    says(&shown, &["not in the gateway view", "zstd"]);
    let directory = scene.roadstead.path("export");
    scene.run(&["export", directory.to_str().unwrap()]).success();
    let native = directory.join(format!("oci/v2/{}/manifests/1", scene.published("app")));
    assert_eq!(Digest::of(&std::fs::read(native).unwrap()), digest);
    assert!(!directory.join(format!("v2/{}/manifests/1", scene.published("app"))).exists());
}
