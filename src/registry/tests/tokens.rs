//! Token servers that are hostile, or whose registry is: what they are shown, and how much of them is read.

use futures::StreamExt as _;

use super::tls::secure;
use super::*;
use crate::error::Kind;

const USER: &str = "curator";

/// A private registry behind TLS that challenges with these, one after another at each path, and its host.
async fn challenging(bench: &mut Bench, challenges: impl Fn(&str) -> Vec<String>) -> (MemoryRegistry, String) {
    let registry = MemoryRegistry::builder().token_auth(USER, PASSWORD).private(name("a")).start().await.unwrap();
    registry.put_image(&name("a"), Some("1"), &image());
    let (host, ca_file) = secure(bench.home.path(), &registry).await;
    let challenges = challenges(&host);
    registry.intercept(move |info| {
        let challenge = challenges.get(info.count as usize - 1).or(challenges.last());
        let unknown = info.path == "/v2/" || info.path.contains("/manifests/");
        (unknown && (info.path == "/v2/" || info.count < 3))
            .then(|| with(plain(401, ""), &[("www-authenticate", challenge.unwrap())]))
    });
    bench.options.registries.insert(host.clone(), RegistrySettings { ca_file: Some(ca_file), ..Default::default() });
    bench.log_in(&host, USER, PASSWORD);
    (registry, host)
}

fn bearer(realm: &str) -> String {
    format!("Bearer realm=\"{realm}\",service=\"memory\"")
}

async fn refused(bench: &Bench, host: &str) -> Error {
    let upstream = Registries::new(bench.options.clone()).open(host, false).unwrap();
    upstream.manifest(&name("a"), &tag("1")).await.unwrap_err()
}

#[tokio::test]
async fn no_challenge_gets_the_password_in_the_clear() {
    let mut bench = Bench::new();
    let thief = MemoryRegistry::builder().start().await.unwrap();
    let clear = bearer(&format!("http://{}/token", thief.host()));
    let (registry, host) =
        challenging(&mut bench, |host| vec![bearer(&format!("https://{host}/token")), clear.clone()]).await;
    let upstream = Registries::new(bench.options.clone()).open(&host, false).unwrap();
    // Whoever looks at `/v2/` a second time is told another place; so is who comes with a token.
    let _ = upstream.manifest(&name("a"), &tag("1")).await;
    registry.expire_tokens();
    let error = upstream.manifest(&name("a"), &tag("1")).await.unwrap_err();
    let stolen: Vec<_> = thief.log().into_iter().filter(|info| info.headers.contains_key("authorization")).collect();
    assert!(stolen.is_empty(), "{stolen:?}");
    assert_eq!(error.kind(), Kind::Auth, "{error}");
    assert!(error.to_string().contains("in the clear"), "{error}");
}

#[tokio::test]
async fn a_token_server_points_nowhere_else() {
    for scheme in ["http", "https"] {
        let mut bench = Bench::new();
        let inside = MemoryRegistry::builder().start().await.unwrap();
        inside.intercept(|_| Some(plain(200, "{\"access_token\":\"canary-of-another-service\"}")));
        let (registry, host) = challenging(&mut bench, |host| vec![bearer(&format!("https://{host}/token"))]).await;
        let other = tempfile::tempdir().unwrap();
        let (inner, _) = secure(other.path(), &inside).await;
        let target = match scheme {
            "http" => format!("http://{}/metadata", inside.host()),
            _ => format!("https://{inner}/metadata"),
        };
        let challenge = bearer(&format!("https://{host}/token"));
        registry.intercept(move |info| match info.path.as_str() {
            "/token" => Some(with(plain(302, ""), &[("location", &target)])),
            _ => Some(with(plain(401, ""), &[("www-authenticate", &challenge)])),
        });
        let error = refused(&bench, &host).await;
        assert_eq!(inside.total_requests(), 0, "{scheme}");
        let shown = registry.log().into_iter().filter(|info| {
            info.headers.get("authorization").is_some_and(|value| value.to_str().unwrap().contains("another-service"))
        });
        assert_eq!(shown.count(), 0, "{scheme}");
        assert!(matches!(error.kind(), Kind::Auth | Kind::Network), "{error}");
        assert!(error.to_string().contains("refused"), "{error}");
    }
}

/// The token is in the body of the request, which a redirect would take along.
#[tokio::test]
async fn an_identity_token_is_shown_to_nobody_else() {
    let bench = Bench::new();
    let inside = MemoryRegistry::builder().start().await.unwrap();
    let builder = MemoryRegistry::builder().token_auth(USER, PASSWORD).identity_token("canary-identity");
    let registry = builder.private(name("a")).start().await.unwrap();
    registry.put_image(&name("a"), Some("1"), &image());
    bench.write_auths(&serde_json::json!({registry.host(): {"identitytoken": "canary-identity"}}));
    let target = format!("http://{}/token", inside.host());
    registry.intercept(move |info| (info.path == "/token").then(|| with(plain(307, ""), &[("location", &target)])));
    let error = bench.open(&registry.host()).manifest(&name("a"), &tag("1")).await.unwrap_err();
    assert_eq!(inside.total_requests(), 0);
    assert!(!format!("{error:?}").contains("canary-identity"), "{error:?}");
}

#[tokio::test]
async fn an_endless_token_is_cut_off() {
    for with_identity in [false, true] {
        cuts_off_an_endless_token(with_identity).await;
    }
}

async fn cuts_off_an_endless_token(with_identity: bool) {
    let mut bench = Bench::new();
    let (registry, host) = challenging(&mut bench, |host| vec![bearer(&format!("https://{host}/token"))]).await;
    if with_identity {
        bench.write_auths(&serde_json::json!({host.clone(): {"identitytoken": "canary-identity"}}));
    }
    let challenge = bearer(&format!("https://{host}/token"));
    let sent = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counted = sent.clone();
    registry.intercept(move |info| {
        let counted = counted.clone();
        let endless = futures::stream::iter(0..1024).map(move |_| {
            counted.fetch_add(64 << 10, std::sync::atomic::Ordering::Relaxed);
            Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 64 << 10]))
        });
        match info.path.as_str() {
            "/token" => Some(plain(200, Body::from_stream(endless))),
            _ => Some(with(plain(401, ""), &[("www-authenticate", &challenge)])),
        }
    });
    let error = refused(&bench, &host).await;
    assert!(error.to_string().contains("larger than the 1.0 MiB"), "{error}");
    // What is on the way in buffers comes on top of the mebibyte that is read.
    let sent = sent.load(std::sync::atomic::Ordering::Relaxed);
    assert!(sent < 16 << 20, "{sent} bytes were taken");
}
