//! Who is let in, and what is said to the others.

use super::*;
use crate::error::Kind;
use axum::http::Method;

const USER: &str = "curator";

async fn basic() -> (Bench, MemoryRegistry) {
    let registry = MemoryRegistry::builder().basic_auth(USER, PASSWORD).start().await.unwrap();
    registry.put_image(&name("a"), Some("1"), &image());
    (Bench::new(), registry)
}

async fn token() -> (Bench, MemoryRegistry) {
    let builder = MemoryRegistry::builder().token_auth(USER, PASSWORD).private(name("secret"));
    let registry = builder.identity_token("canary-identity").start().await.unwrap();
    registry.put_image(&name("open"), Some("1"), &image());
    registry.put_image(&name("secret"), Some("1"), &image());
    (Bench::new(), registry)
}

/// The error is of the right kind, says these words, and how to log in.
fn says(error: &Error, host: &str, words: &str) {
    assert_eq!(error.kind(), Kind::Auth, "{error}");
    assert!(error.to_string().contains(words), "{error}");
    assert_eq!(error.hints(), [format!("Log in: `podman login {host}` or `docker login {host}`.")]);
    shows_no_secret(error);
}

fn shows_no_secret(error: &Error) {
    let shown = format!("{error} {error:?} {:?}", error.hints());
    assert!(!shown.contains("canary") && !shown.contains(&encoded()), "{shown}");
}

fn encoded() -> String {
    base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}"))
}

#[tokio::test]
async fn basic_authentication() {
    let (bench, registry) = basic().await;
    let error = bench.open(&registry.host()).manifest(&name("a"), &tag("1")).await.unwrap_err();
    says(&error, &registry.host(), "requires credentials");
    bench.log_in(&registry.host(), USER, PASSWORD);
    let upstream = bench.open(&registry.host());
    assert_eq!(upstream.manifest(&name("a"), &tag("1")).await.unwrap().bytes, image().manifest);
    assert_eq!(upstream.tags(&name("a"), Wanted::All).await.unwrap().len(), 1);
    bench.log_in(&registry.host(), USER, "canary-wrong");
    let before = registry.requests(&Method::GET, "/v2/a/manifests/1");
    let error = bench.open(&registry.host()).manifest(&name("a"), &tag("1")).await.unwrap_err();
    says(&error, &registry.host(), &format!("wrong user name or password for {}", registry.host()));
    assert_eq!(registry.requests(&Method::GET, "/v2/a/manifests/1"), before + 1, "a wrong password is shown once");
}

#[tokio::test]
async fn tokens_for_anyone_and_for_the_user() {
    let (bench, registry) = token().await;
    let upstream = bench.open(&registry.host());
    for _ in 0..3 {
        assert!(upstream.manifest(&name("open"), &tag("1")).await.is_ok());
    }
    assert_eq!(registry.requests(&Method::GET, "/token"), 1, "a token is used again");
    assert_eq!(registry.requests(&Method::GET, "/v2/"), 1, "the challenge is looked at once");
    let error = upstream.manifest(&name("secret"), &tag("1")).await.unwrap_err();
    says(&error, &registry.host(), "requires credentials: it is private, or it does not exist");
    bench.log_in(&registry.host(), USER, PASSWORD);
    let upstream = bench.open(&registry.host());
    assert!(upstream.manifest(&name("secret"), &tag("1")).await.is_ok());
    assert!(upstream.manifest(&name("open"), &tag("1")).await.is_ok());
    bench.log_in(&registry.host(), USER, "canary-wrong");
    let error = bench.open(&registry.host()).manifest(&name("open"), &tag("1")).await.unwrap_err();
    says(&error, &registry.host(), "wrong user name or password");
    assert!(error.to_string().contains("incorrect username or password"), "the server's words: {error}");
}

#[tokio::test]
async fn many_requests_share_one_token() {
    let (bench, registry) = token().await;
    let upstream = bench.open(&registry.host());
    let (open, one) = (name("open"), tag("1"));
    let asked = (0..20).map(|_| upstream.head(&open, &one));
    assert!(futures::future::join_all(asked).await.iter().all(Result::is_ok));
    assert_eq!(registry.requests(&Method::GET, "/token"), 1);
    registry.expire_tokens();
    let asked = (0..20).map(|_| upstream.head(&open, &one));
    assert!(futures::future::join_all(asked).await.iter().all(Result::is_ok));
    assert!(registry.requests(&Method::GET, "/token") < 6);
}

#[tokio::test]
async fn an_account_without_the_right() {
    let (bench, registry) = token().await;
    bench.log_in(&registry.host(), USER, PASSWORD);
    registry.intercept(|info| info.path.contains("/manifests/").then(|| plain(403, "")));
    let error = bench.open(&registry.host()).manifest(&name("secret"), &tag("1")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Auth);
    assert!(error.to_string().contains("denies access: the account may not read it"), "{error}");
}

#[tokio::test]
async fn identity_tokens() {
    let (bench, registry) = token().await;
    bench.write_auths(&serde_json::json!({registry.host(): {"identitytoken": "canary-identity"}}));
    let upstream = bench.open(&registry.host());
    assert!(upstream.manifest(&name("secret"), &tag("1")).await.is_ok());
    registry.expire_tokens();
    assert!(upstream.manifest(&name("secret"), &tag("1")).await.is_ok());
    assert_eq!(registry.requests(&Method::POST, "/token"), 2);
    bench.write_auths(&serde_json::json!({registry.host(): {"identitytoken": "canary-stale"}}));
    let error = bench.open(&registry.host()).manifest(&name("secret"), &tag("1")).await.unwrap_err();
    assert!(error.to_string().contains("is no longer valid"), "{error}");
    shows_no_secret(&error);
}

#[tokio::test]
async fn a_registry_that_challenges_late() {
    let (bench, registry) = token().await;
    bench.log_in(&registry.host(), USER, PASSWORD);
    registry.intercept(|info| (info.path == "/v2/").then(|| plain(200, "{}")));
    let upstream = bench.open(&registry.host());
    assert!(upstream.manifest(&name("secret"), &tag("1")).await.is_ok());
}

#[tokio::test]
async fn a_busy_token_server_is_asked_again() {
    let (bench, registry) = token().await;
    registry.intercept(|info| {
        (info.path == "/token" && info.count <= 2).then(|| with(plain(429, ""), &[("retry-after", "0")]))
    });
    let upstream = bench.open(&registry.host());
    assert!(upstream.manifest(&name("open"), &tag("1")).await.is_ok());
    assert!(bench.heard.all()[0].contains("answered 429"), "{:?}", bench.heard.all());
}

#[tokio::test]
async fn token_servers_that_talk_nonsense() {
    let (bench, registry) = token().await;
    for body in ["", "{}", "[]", "{\"token\": \"\"}", "{\"token\": \"a\\nb\"}", "<html>"] {
        registry.intercept(move |info| (info.path == "/token").then(|| plain(200, body)));
        let error = bench.open(&registry.host()).manifest(&name("open"), &tag("1")).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Auth, "{body}: {error}");
    }
}

#[tokio::test]
async fn privacy() {
    let (bench, registry) = token().await;
    bench.log_in(&registry.host(), USER, PASSWORD);
    let upstream = bench.open(&registry.host());
    let private = async |repository: &str| upstream.is_private(&name(repository), &tag("1")).await;
    assert!(private("secret").await.unwrap());
    assert!(!private("open").await.unwrap());
    // The token server itself may refuse nobody.
    registry.intercept(|info| {
        let anonymous = info.path == "/token" && !info.headers.contains_key("authorization");
        anonymous.then(|| plain(403, ""))
    });
    let again = bench.open(&registry.host());
    assert!(again.is_private(&name("open"), &tag("1")).await.unwrap());
    assert!(again.manifest(&name("open"), &tag("1")).await.is_ok(), "and yet the user gets it");
    // Some registries hide what they refuse.
    let (bench, registry) = basic().await;
    bench.log_in(&registry.host(), USER, PASSWORD);
    let upstream = bench.open(&registry.host());
    assert!(upstream.is_private(&name("a"), &tag("1")).await.unwrap());
    registry.intercept(|info| {
        let hidden = info.path.contains("/manifests/") && !info.headers.contains_key("authorization");
        hidden.then(|| plain(404, ""))
    });
    assert!(upstream.is_private(&name("a"), &tag("1")).await.unwrap());
    assert!(!upstream.is_private(&name("a"), &tag("nowhere")).await.unwrap());
    // Nothing can be said of a registry that does not answer.
    registry.intercept(|info| info.path.contains("/manifests/").then(|| plain(503, "")));
    assert_eq!(upstream.is_private(&name("a"), &tag("1")).await.unwrap_err().kind(), Kind::Network);
    // Everyone's registry.
    let registry = MemoryRegistry::builder().start().await.unwrap();
    registry.put_image(&name("a"), Some("1"), &image());
    registry.intercept(|info| (info.method == Method::HEAD).then(|| plain(405, "")));
    assert!(!Bench::new().open(&registry.host()).is_private(&name("a"), &tag("1")).await.unwrap());
}

#[tokio::test]
async fn redirects_carry_no_credentials_elsewhere() {
    let (bench, registry) = basic().await;
    bench.log_in(&registry.host(), USER, PASSWORD);
    let storage = MemoryRegistry::builder().start().await.unwrap();
    let bytes = noise(1000);
    let digest = storage.put_blob(&name("a"), bytes.clone());
    let target = format!("http://x:y@{}/v2/a/blobs/{digest}?signature=canary", storage.host());
    registry
        .intercept(move |info| info.path.contains("/blobs/").then(|| with(plain(307, ""), &[("location", &target)])));
    let upstream = bench.open(&registry.host());
    assert_eq!(read(upstream.blob(&name("a"), &digest, 1000, 990).await.unwrap()).await.unwrap(), bytes[990..]);
    let asked = storage.log();
    assert_eq!(asked.len(), 1);
    assert!(!asked[0].headers.contains_key("authorization") && asked[0].query == "signature=canary");
    // Coming back from elsewhere does not bring them back.
    let back = format!("http://{}/v2/a/manifests/1?back", registry.host());
    storage.intercept(move |_| Some(with(plain(307, ""), &[("location", &back)])));
    let error = upstream.blob(&name("a"), &digest, 1000, 0).await.unwrap_err();
    assert!(error.to_string().contains("the storage that"), "{error}");
    shows_no_secret(&error);
    let returned = registry.log().into_iter().find(|info| info.query == "back").unwrap();
    assert!(!returned.headers.contains_key("authorization"));
    // On the same host they stay.
    registry.intercept(|info| (info.path == "/v2/a/manifests/1").then(|| with(plain(302, ""), &[("location", "2")])));
    registry.put_image(&name("a"), Some("2"), &image());
    assert!(upstream.manifest(&name("a"), &tag("1")).await.is_ok());
    // Without end, or nowhere.
    for (location, words) in
        [("1", "more than 5 times"), ("ftp://x/y", "neither http nor https"), ("http://", "not a URL")]
    {
        registry.intercept(move |info| {
            info.path.contains("/manifests/").then(|| with(plain(302, ""), &[("location", location)]))
        });
        let error = upstream.manifest(&name("a"), &tag("1")).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn no_secret_is_ever_shown() {
    let (bench, registry) = basic().await;
    bench.log_in(&registry.host(), USER, PASSWORD);
    let registries = Registries::new(bench.options.clone());
    let upstream = registries.open(&registry.host(), true).unwrap();
    // A server that echoes all it was sent, in every way it can.
    for status in [400, 401, 403, 404, 418, 429, 500] {
        registry.intercept(move |info| {
            let echo = info.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
            let body = format!("{{\"errors\":[{{\"code\":\"X\",\"message\":\"{PASSWORD} {}\"}}]}}", echo?);
            Some(plain(status, body))
        });
        let error = upstream.manifest(&name("a"), &tag("1")).await.unwrap_err();
        shows_no_secret(&error);
        let error = upstream.blob(&name("a"), &Digest::of(b""), 10, 0).await.unwrap_err();
        shows_no_secret(&error);
    }
    let shown = format!("{:?} {registries:?} {:?}", bench.heard.all(), registry.log());
    assert!(shown.contains("answered 500") && shown.contains("GET"));
    assert!(!shown.contains("canary") && !shown.contains(&encoded()), "{shown}");
}
