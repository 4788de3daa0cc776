//! A mirror before a registry: asked first, passed over when it fails, and never a reason to change a name.

use super::*;
use crate::error::Kind;

/// A registry, its mirror, and how they are opened.
async fn pair() -> (Bench, MemoryRegistry, MemoryRegistry, Arc<dyn Registry>) {
    let mut bench = Bench::new();
    let upstream = MemoryRegistry::builder().start().await.unwrap();
    let mirror = MemoryRegistry::builder().start().await.unwrap();
    let settings = RegistrySettings { mirror: Some(mirror.host()), insecure: true, ..Default::default() };
    bench.options.registries.insert(upstream.host(), settings);
    let registry = Registries::new(bench.options.clone()).open(&upstream.host(), false).unwrap();
    (bench, upstream, mirror, registry)
}

#[tokio::test]
async fn the_mirror_is_asked_first_and_what_it_lacks_comes_from_the_registry() {
    let (_bench, upstream, mirror, registry) = pair().await;
    upstream.put_image(&name("a"), Some("1"), &image());
    upstream.put_image(&name("a"), Some("2"), &image());
    let blob = upstream.put_blob(&name("a"), "only there");
    mirror.put_image(&name("a"), Some("1"), &image());
    assert!(registry.manifest(&name("a"), &tag("1")).await.is_ok());
    assert_eq!(upstream.total_requests(), 0);
    assert!(registry.manifest(&name("a"), &tag("2")).await.is_ok());
    assert_eq!(read(registry.blob(&name("a"), &blob, 10, 0).await.unwrap()).await.unwrap(), b"only there");
    let error = registry.manifest(&name("a"), &tag("3")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(error.hints()[0].starts_with("Its mirror failed first: "), "{:?}", error.hints());
}

#[tokio::test]
async fn a_mirror_that_fails_is_passed_over_for_a_while() {
    let (bench, upstream, mirror, registry) = pair().await;
    upstream.put_image(&name("a"), Some("1"), &image());
    mirror.intercept(|_| Some(plain(503, "")));
    assert!(registry.manifest(&name("a"), &tag("1")).await.is_ok());
    let asked = mirror.total_requests();
    assert_eq!(asked, 2, "a mirror gets two tries");
    assert!(bench.heard.all()[1].contains("skipping the mirror"), "{:?}", bench.heard.all());
    assert!(registry.head(&name("a"), &tag("1")).await.is_ok());
    assert_eq!(mirror.total_requests(), asked);
}

#[tokio::test]
async fn a_transfer_goes_on_at_the_registry() {
    let (_bench, upstream, mirror, registry) = pair().await;
    let bytes = noise(10_000);
    let digest = upstream.put_blob(&name("a"), bytes.clone());
    let served = bytes.clone();
    mirror.intercept(move |info| match (info.path.contains("/blobs/"), info.count) {
        (true, 1) => Some(cut(&served, 0, 4_000, false)),
        (true, _) => Some(plain(500, "")),
        _ => None,
    });
    assert_eq!(read(registry.blob(&name("a"), &digest, 10_000, 0).await.unwrap()).await.unwrap(), bytes);
    let continued = upstream.log().into_iter().find(|info| info.path.contains("/blobs/")).unwrap();
    assert_eq!(continued.range_start(), Some(4_000));
}

#[tokio::test]
async fn docker_hub_through_a_mirror_keeps_its_name() {
    let mut bench = Bench::new();
    let mirror = MemoryRegistry::builder().basic_auth("m", PASSWORD).quota(100, 21_600).start().await.unwrap();
    mirror.put_image(&name("hub/library/nginx"), Some("1"), &image());
    bench.log_in(&mirror.host(), "m", PASSWORD);
    let settings = RegistrySettings { mirror: Some(format!("http://{}/hub", mirror.host())), ..Default::default() };
    bench.options.registries.insert("index.docker.io".to_owned(), settings);
    let registry = Registries::new(bench.options.clone()).open("docker.io", false).unwrap();
    assert!(registry.manifest(&name("library/nginx"), &tag("1")).await.is_ok());
    assert_eq!(bench.heard.all(), ["docker.io quota 99/100"]);
    mirror.intercept(|info| info.path.contains("manifests").then(|| plain(400, "")));
    let error = registry.manifest(&name("library/nginx"), &tag("1")).await;
    // The registry itself may or may not be reachable from here; the name is its own in any case.
    assert!(error.unwrap_err().to_string().contains("docker.io/library/nginx:1"));
}

#[tokio::test]
async fn credentials_of_one_are_not_shown_to_the_other() {
    let (bench, upstream, mirror, registry) = pair().await;
    bench.log_in(&upstream.host(), "u", PASSWORD);
    mirror.intercept(|info| {
        let challenge = with(plain(401, ""), &[("www-authenticate", "Basic realm=\"x\"")]);
        (!info.headers.contains_key("authorization")).then_some(challenge)
    });
    let error = registry.manifest(&name("a"), &tag("1")).await.unwrap_err();
    assert!(error.to_string().contains(&format!("{} requires credentials", mirror.host())), "{error}");
    assert!(mirror.log().iter().all(|info| !info.headers.contains_key("authorization")));
}

#[tokio::test]
async fn privacy_is_the_registrys_and_not_the_mirrors() {
    let mut bench = Bench::new();
    let upstream = MemoryRegistry::builder().token_auth("u", PASSWORD).private(name("secret")).start().await.unwrap();
    let mirror = MemoryRegistry::builder().start().await.unwrap();
    for repository in ["secret", "open"] {
        upstream.put_image(&name(repository), Some("1"), &image());
        mirror.put_image(&name(repository), Some("1"), &image());
    }
    mirror.put_image(&name("own"), Some("1"), &image());
    let settings = RegistrySettings { mirror: Some(mirror.host()), insecure: true, ..Default::default() };
    bench.options.registries.insert(upstream.host(), settings);
    let registry = Registries::new(bench.options.clone()).open(&upstream.host(), false).unwrap();
    let private = async |repository: &str| registry.is_private(&name(repository), &tag("1")).await.unwrap();
    assert!(private("secret").await, "the mirror gives it to anyone, the registry does not");
    assert!(!private("open").await);
    assert!(private("own").await, "the registry does not give it to anyone");
    upstream.intercept(|_| Some(plain(503, "")));
    assert!(!private("own").await, "only the mirror can be asked");
    let asked = upstream.total_requests();
    assert!(!private("open").await);
    assert_eq!(upstream.total_requests(), asked, "the registry is left alone for a while");
}

#[tokio::test]
async fn mirrors_that_make_no_sense() {
    let mut bench = Bench::new();
    for nonsense in ["", "http://", "a b", "host/UPPER", "user:canary@host", "host:1/a?b"] {
        let settings = RegistrySettings { mirror: Some(nonsense.to_owned()), ..Default::default() };
        bench.options.registries.insert("ghcr.io".to_owned(), settings);
        let error = Registries::new(bench.options.clone()).open("ghcr.io", false).map(drop).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage, "{nonsense}");
        assert!(error.to_string().contains("the mirror"), "{error}");
    }
}
