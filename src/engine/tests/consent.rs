//! What may be published: private content stays out until someone says otherwise, whatever names it.

use std::sync::atomic::{AtomicBool, Ordering};

use axum::response::IntoResponse as _;

use super::*;
use crate::image::media;

/// A test engine with a login, whose registry wants it for some repositories while the switch is on.
pub(in crate::engine) async fn switched(private: &'static str) -> (TestEngine, Arc<AtomicBool>) {
    let registry = MemoryRegistry::builder().start().await.unwrap();
    let switch = Arc::new(AtomicBool::new(true));
    ask_for_login(&registry, private, &switch);
    (logged_in(registry, None), switch)
}

/// Lets the registry refuse who is not logged in, while the switch is on.
pub(super) fn ask_for_login(registry: &MemoryRegistry, private: &'static str, switch: &Arc<AtomicBool>) {
    let switch = Arc::clone(switch);
    registry.intercept(move |request| {
        let wants = switch.load(Ordering::SeqCst) && request.path.starts_with(&format!("/v2/{private}/"));
        (wants && !request.headers.contains_key("authorization")).then(|| {
            (axum::http::StatusCode::UNAUTHORIZED, [("www-authenticate", "Basic realm=\"x\"")], "").into_response()
        })
    });
}

pub(super) fn logged_in(registry: MemoryRegistry, profile: Option<Profile>) -> TestEngine {
    let directory = tempfile::tempdir().unwrap();
    let auth = directory.path().join("auth.json");
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "curator:c4n4ry");
    std::fs::write(&auth, serde_json::json!({"auths": {registry.host(): {"auth": encoded}}}).to_string()).unwrap();
    let mut options = options(directory.path(), profile);
    options.registries.credential_files = vec![auth];
    let settings = crate::registry::RegistrySettings { insecure: true, ..Default::default() };
    options.registries.registries.insert(registry.host(), settings);
    let engine = Engine::open(options).unwrap();
    TestEngine { registry, directory, engine }
}

#[tokio::test]
async fn what_becomes_private_leaves_and_what_becomes_public_enters() {
    let (test, switch) = switched("app").await;
    switch.store(false, Ordering::SeqCst);
    test.put("app", "1", &index("one"));
    let empty = test.root();
    test.add(&["app:1"]).await;
    let public = test.root();
    assert_ne!(public, empty);
    switch.store(true, Ordering::SeqCst);
    // Nothing of the image changed; that it is private now is reason enough.
    test.add(&["app:1"]).await;
    assert_eq!(test.root(), empty);
    test.engine.allow(&[test.pick("app")], true, &Job::new().0).await.unwrap();
    test.check();
    assert_ne!(test.root(), empty);
    switch.store(false, Ordering::SeqCst);
    test.add(&["app:1"]).await;
    assert_eq!(test.root(), public);
    switch.store(true, Ordering::SeqCst);
    test.add(&["app:1"]).await;
    assert_eq!(test.root(), empty, "consent was given to what it was then");
    assert_eq!(changes(&test.plan(&["app:1"]).await.unwrap()), [Change::Unchanged]);
}

#[tokio::test]
async fn how_upstream_is_spoken_to_is_noted() {
    let (test, _) = switched("nothing").await;
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    let request = AddRequest { insecure: Some(false), ..test.request("app:1") };
    let plan = test.engine.plan_add(std::slice::from_ref(&request), &Job::new().0).await.unwrap();
    test.apply(plan).await.unwrap();
    test.check();
    let fresh = logged_in(test.registry.clone(), None);
    let plan = fresh.engine.plan_add(&[request], &Job::new().0).await.unwrap();
    fresh.apply(plan).await.unwrap();
    assert_eq!(fresh.root(), test.root());
}

#[tokio::test]
async fn how_a_registry_is_spoken_to_is_known_for_what_else_comes_from_it() {
    let (test, _) = switched("nothing").await;
    for repository in ["app", "other"] {
        test.put(repository, "1", &index(repository));
    }
    let insecure = async |said: Option<bool>| {
        let request = AddRequest { insecure: said, ..test.request("other:1") };
        test.engine.plan_add(&[request], &Job::new().0).await.unwrap().images[0].insecure
    };
    assert!(!insecure(None).await, "nothing is known of it");
    test.add(&["app:1"]).await;
    assert!(insecure(None).await);
    assert!(!insecure(Some(false)).await);
}

/// An image of a public repository that names content of a private one, which its own registry never showed it has.
#[tokio::test]
async fn a_public_image_does_not_publish_private_content_by_naming_it() {
    let (test, _) = switched("secret").await;
    let secret = image("linux/amd64", "secret");
    test.put("secret", "1", &secret);
    test.add(&["secret:1"]).await;
    let evil: RepositoryName = "evil".parse().unwrap();
    let own = image("linux/amd64", "own");
    // A layer.
    let mut manifest: serde_json::Value = serde_json::from_slice(&own.manifest).unwrap();
    let named: serde_json::Value = serde_json::from_slice(&secret.manifest).unwrap();
    manifest["layers"][1] = named["layers"][1].clone();
    test.registry.put_blob(&evil, own.blobs[0].clone());
    test.registry.put_blob(&evil, own.blobs[1].clone());
    test.registry.put_manifest(&evil, Some("layer"), media::OCI_MANIFEST, manifest.to_string());
    // A configuration, which is read for the plan.
    let mut manifest: serde_json::Value = serde_json::from_slice(&own.manifest).unwrap();
    manifest["config"] = named["config"].clone();
    test.registry.put_blob(&evil, own.blobs[2].clone());
    test.registry.put_manifest(&evil, Some("config"), media::OCI_MANIFEST, manifest.to_string());
    // A manifest.
    let index = IndexBuilder::new().image(secret.clone()).build();
    test.registry.put_manifest(&evil, Some("index"), media::OCI_INDEX, index.manifest.clone());
    // A digest.
    let pinned = format!("evil@{}", secret.digest());
    let before = test.root();
    for what in ["evil:layer", "evil:config", "evil:index", &pinned] {
        let plan = test.plan(&[what]).await.unwrap();
        let failed = !plan.failed.is_empty() || !test.apply(plan).await.unwrap().failed.is_empty();
        assert!(failed, "{what}");
        assert_eq!(test.root(), before, "{what}");
    }
    // Who has it may name it.
    test.put("open", "1", &secret);
    test.add(&["open:1"]).await;
    assert_ne!(test.root(), before);
    // Then it is no secret any more, and is fetched by nobody again.
    test.put("open", "2", &secret);
    test.registry.forget_requests();
    test.add(&["open:2"]).await;
    assert!(test.registry.log().iter().all(|request| !request.path.contains("/blobs/")));
    // The private one itself needs nothing again.
    test.put("secret", "2", &secret);
    test.add(&["secret:2"]).await;
    assert!(test.registry.log().iter().all(|request| !request.path.contains("/blobs/")));
}
