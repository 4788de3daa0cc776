//! Adding: byte for byte, once, and only the difference.

use super::*;
use crate::image::{Target, media};

#[tokio::test]
async fn what_is_added_is_given_out_byte_for_byte() {
    let test = TestEngine::new().await;
    let image = index("one");
    let digest = test.put("app", "1", &image);
    let added = test.add(&["app:1"]).await;
    assert_eq!(added.recorded, [test.published("app:1")]);
    let name = test.name("app");
    let by_tag = test.engine.served_manifest(&name, &Target::Tag("1".parse().unwrap()), false).unwrap().unwrap();
    assert_eq!((by_tag.digest, by_tag.media_type.as_str()), (digest, media::OCI_INDEX));
    assert_eq!(Digest::of(&by_tag.bytes), digest);
    let details = test.engine.show(&test.pick("app:1")).unwrap();
    assert_eq!(details.row.platforms, ["linux/amd64", "linux/arm64"]);
    for manifest in &details.manifests {
        let served = test.engine.served_manifest(&name, &Target::Digest(manifest.digest), false).unwrap().unwrap();
        assert_eq!(Digest::of(&served.bytes), manifest.digest);
        // An attestation says no step.
        let made = if manifest.attests.is_none() { manifest.layers.len() } else { 0 };
        let steps: Vec<String> = (1..=made).map(|number| format!("COPY layer {number} / # buildkit")).collect();
        let created: Vec<&String> = manifest.layers.iter().filter_map(|layer| layer.created_by.as_ref()).collect();
        assert_eq!(created, steps.iter().collect::<Vec<_>>(), "each layer has the step that made it");
        if let Some(config) = manifest.config.as_ref().filter(|_| made > 0) {
            assert_eq!(serde_json::to_value(config).unwrap()["history"], serde_json::json!(steps));
        }
        for layer in &manifest.layers {
            match test.engine.served_blob(&name, &layer.digest, false).unwrap().unwrap() {
                crate::engine::query::content::Blob::File(file, size) => {
                    let mut bytes = Vec::new();
                    std::io::Read::read_to_end(&mut &file, &mut bytes).unwrap();
                    assert_eq!((Digest::of(&bytes), bytes.len() as u64), (layer.digest, size));
                }
                crate::engine::query::content::Blob::Pending(..) => panic!("verified and recorded when it came"),
                crate::engine::query::content::Blob::Bytes(bytes) => assert_eq!(Digest::of(&bytes), layer.digest),
            }
        }
    }
}

#[tokio::test]
async fn adding_again_asks_by_head_only_and_changes_nothing() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    let root = test.root();
    test.registry.forget_requests();
    let plan = test.plan(&["app:1"]).await.unwrap();
    assert_eq!(changes(&plan), [Change::Unchanged]);
    assert!(plan.is_empty() && plan.new_bytes == 0);
    let gets = test
        .registry
        .log()
        .into_iter()
        .filter(|request| request.method == "GET" && request.path.contains("/manifests/"));
    assert_eq!(gets.map(|request| request.path).collect::<Vec<_>>(), Vec::<String>::new());
    test.apply(plan).await.unwrap();
    assert_eq!(test.root(), root);
}

#[tokio::test]
async fn a_manifest_of_the_plan_is_not_fetched_again_and_each_blob_once() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.put("app", "2", &index("two"));
    test.put("other", "1", &index("one"));
    test.add(&["app:1", "app:2", "other:1"]).await;
    let mut seen = std::collections::HashSet::new();
    for request in test.registry.log() {
        let digest = request.path.rsplit('/').next().unwrap().to_owned();
        if request.method == "GET" && request.path.contains("/blobs/") {
            assert!(seen.insert(digest), "{} twice", request.path);
        } else if request.method == "GET" && request.path.contains("/manifests/") {
            assert_eq!(request.count, 1, "{}", request.path);
        }
    }
}

#[tokio::test]
async fn a_variant_costs_the_difference() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.put("app", "2", &index("two"));
    test.add(&["app:1"]).await;
    let plan = test.plan(&["app:2"]).await.unwrap();
    assert!(plan.known_bytes > 0 && plan.new_bytes > 0);
    assert!(plan.fetch.len() < plan.images[0].blobs.len());
    test.apply(plan).await.unwrap();
    test.check();
}

#[tokio::test]
async fn a_moved_tag_is_followed_and_a_platform_can_be_added() {
    let test = TestEngine::new().await;
    let first = test.put("app", "1", &index("one"));
    let mut request = test.request("app:1");
    request.selection = Some("linux/amd64".parse().unwrap());
    let plan = test.engine.plan_add(&[request.clone()], &Job::new().0).await.unwrap();
    assert_eq!(plan.images[0].left_out.len(), 2, "a platform and its attestation");
    test.apply(plan).await.unwrap();
    test.check();
    let name = test.name("app");
    let left_out = test.engine.show(&test.pick("app:1")).unwrap().left_out;
    let words = test.engine.served_omission(&name, &left_out[0].digest, false).unwrap().unwrap();
    assert!(words.contains("--platform linux/arm64") || words.contains("attestation"), "{words}");

    request.selection = Some("linux/arm64".parse().unwrap());
    let plan = test.engine.plan_add(&[request], &Job::new().0).await.unwrap();
    assert_eq!(changes(&plan), [Change::Extended]);
    let words = plan.images[0].changes.join("; ");
    assert!(words.contains("missing parts") && words.contains("linux/amd64,linux/arm64"), "{words}");
    test.apply(plan).await.unwrap();
    test.check();
    assert_eq!(test.engine.show(&test.pick("app:1")).unwrap().row.platforms, ["linux/amd64", "linux/arm64"]);
    // What completes a reference is one that can be added again, not the name it is published under.
    let upstream = test.engine.repositories().unwrap()[0].upstream.clone().unwrap();
    for prefix in ["", &upstream[..4], &upstream] {
        assert_eq!(test.engine.complete_reference(prefix).unwrap(), std::slice::from_ref(&upstream));
    }
    assert!(test.engine.complete_reference("other").unwrap().is_empty());

    test.put("app", "1", &index("moved"));
    let outdated = test.engine.outdated(&[], &Job::new().0).await.unwrap();
    assert!(matches!(outdated[0].state, crate::engine::query::view::UpstreamState::Outdated { .. }));
    let plan = test.engine.plan_update(&[], &Job::new().0).await.unwrap();
    assert_eq!(changes(&plan), [Change::Moved { from: first }]);
    test.apply(plan).await.unwrap();
    test.check();
}

#[tokio::test]
async fn a_platform_that_is_not_there_is_named_with_those_that_are() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    let mut request = test.request("app:1");
    request.selection = Some("linux/s390x".parse().unwrap());
    let plan = test.engine.plan_add(&[request], &Job::new().0).await.unwrap();
    let error = &plan.failed[0].error;
    assert_eq!(error.kind(), crate::error::Kind::NotFound);
    assert!(
        error.to_string().contains("linux/s390x") && error.hints()[0].contains("linux/arm64"),
        "{error} {:?}",
        error.hints()
    );
}

#[tokio::test]
async fn what_is_attached_comes_along_and_goes_along() {
    let test = TestEngine::new().await;
    let image = index("signed");
    let digest = test.put("app", "1", &image);
    let repository: RepositoryName = "app".parse().unwrap();
    let sbom = image.referrer("application/spdx+json", "an SBOM");
    test.registry.put_image(&repository, None, &sbom);
    let signature = ImageBuilder::new(platform("linux/amd64")).opaque_layer("a signature").build();
    test.put("app", &format!("sha256-{}.sig", digest.hex()), &signature);
    let before = test.root();
    test.add(&["app:1"]).await;
    let details = test.engine.show(&test.pick("app:1")).unwrap();
    assert_eq!(details.attached.len(), 2);
    let name = test.name("app");
    let referrers = test.engine.served_referrers(&name, &digest, false).unwrap().unwrap();
    assert_eq!(referrers.len(), 1);
    assert_eq!(referrers[0].artifact_type.as_deref(), Some("application/spdx+json"));
    let fallback = format!("sha256-{}", digest.hex()).parse().unwrap();
    assert!(test.engine.served_manifest(&name, &Target::Tag(fallback), false).unwrap().is_some());

    test.remove("app:1").await;
    assert_eq!(test.root(), before);
}

#[tokio::test]
async fn one_that_fails_does_not_stop_the_others() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.put("app", "2", &index("two"));
    let bad = index("two");
    let plan = test.plan(&["app:1", "app:2", "app:3"]).await.unwrap();
    assert_eq!(plan.failed.len(), 1);
    // A layer vanishes between plan and fetch.
    let vanished = plan.images[1]
        .blobs
        .iter()
        .find(|blob| !plan.images[0].blobs.iter().any(|other| other.digest == blob.digest))
        .unwrap();
    test.registry.remove_blob(&"app".parse().unwrap(), &vanished.digest);
    let added = test.apply(plan).await.unwrap();
    assert_eq!(added.recorded, [test.published("app:1")]);
    assert_eq!(added.failed.len(), 2);
    test.check();
    drop(bad);
}

#[tokio::test]
async fn a_plan_is_refused_when_the_catalog_changed_underneath() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    let [stale, same] = [test.plan(&["app:1"]).await.unwrap(), test.plan(&["app:1"]).await.unwrap()];
    test.add(&["app:1"]).await;
    // The very same is what was wanted, whoever brought it.
    assert_eq!(test.apply(same).await.unwrap().recorded.len(), 1);
    test.check();
    test.put("app", "1", &index("two"));
    test.add(&["app:1"]).await;
    let added = test.apply(stale).await.unwrap();
    assert_eq!(added.failed[0].error.kind(), crate::error::Kind::Locked);
}

#[tokio::test]
async fn a_private_repository_stays_out_until_it_is_allowed() {
    let registry = MemoryRegistry::builder().basic_auth("curator", "c4n4ry").start().await.unwrap();
    let test = TestEngine::with(registry, None);
    let auth = test.directory.path().join("auth.json");
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "curator:c4n4ry");
    std::fs::write(&auth, serde_json::json!({"auths": {test.registry.host(): {"auth": encoded}}}).to_string()).unwrap();
    let mut with_login = options(test.directory.path(), None);
    with_login.registries.credential_files = vec![auth];
    let test = TestEngine { engine: Engine::open(with_login).unwrap(), ..test };
    test.put("secret", "1", &index("one"));
    let before = test.root();
    test.add(&["secret:1"]).await;
    assert_eq!(test.root(), before);
    let name = test.name("secret");
    let target = Target::Tag("1".parse().unwrap());
    assert!(test.engine.served_manifest(&name, &target, false).unwrap().is_none());
    assert!(test.engine.served_manifest(&name, &target, true).unwrap().is_some());
    test.engine.allow(&[test.pick("secret")], true, &Job::new().0).await.unwrap();
    test.check();
    assert_ne!(test.root(), before);
    assert!(test.engine.served_manifest(&name, &target, false).unwrap().is_some());
    test.engine.allow(&[test.pick("secret")], false, &Job::new().0).await.unwrap();
    test.check();
    assert_eq!(test.root(), before);
}

#[tokio::test]
async fn a_plan_says_what_it_took_of_the_quota_and_running_it_takes_none() {
    let registry = MemoryRegistry::builder().quota(100, 21_600).start().await.unwrap();
    let test = TestEngine::with(registry, None);
    test.put("app", "1", &index("one"));
    let host = test.registry.host();
    let left = |watch: &mut crate::engine::job::Watch| {
        let mut left = None;
        while let Ok(event) = watch.events.try_recv() {
            if let crate::engine::job::Event::Quota { remaining, .. } = event {
                left = Some(remaining);
            }
        }
        left
    };
    let requests = [test.request("app:1"), test.request("gone:1")];
    let (job, mut watch) = Job::new();
    let plan = test.engine.plan_add(&requests, &job).await.unwrap();
    let taken = plan.pulls[&host];
    assert_eq!((plan.failed.len(), Some(100 - taken)), (1, left(&mut watch)), "{:?}", plan.pulls);
    assert!(taken >= 3, "an index and what is in it");
    test.engine.apply_add(plan, "add", &job).await.unwrap();
    assert!(left(&mut watch).is_none_or(|left| left == 100 - taken), "running it took some");
    let again = test.engine.plan_add(&requests[..1], &job).await.unwrap();
    assert_eq!(again.pulls[&host], 0, "what is here is asked for by HEAD alone");
}
