//! Requests: what is sent, and what is made of the answer.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::server::Server;
use super::*;
use crate::error::Kind;
use crate::hooks::HOOK_TIMEOUT;
use crate::hooks::ping::{Signal, ping};
use crate::hooks::post::{client, post};

/// A file with the key of case 2 of RFC 4231.
fn secret(directory: &Path) -> PathBuf {
    let file = directory.join("secret");
    std::fs::write(&file, "Jefe\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    file
}

#[tokio::test]
async fn a_post_is_signed_over_its_body() {
    let server = Server::start().await;
    let directory = tempfile::tempdir().unwrap();
    let body = b"what do ya want for nothing?".to_vec();
    let client = client().unwrap();
    post(&client, &server.url("hook"), Some(&secret(directory.path())), body.clone()).await.unwrap();
    post(&client, &server.url("plain"), None, body.clone()).await.unwrap();
    let seen = server.seen();
    assert_eq!(server.lines(), ["POST /hook", "POST /plain"]);
    assert_eq!(seen[0].headers["content-type"], "application/json");
    assert_eq!(
        seen[0].headers["x-roadstead-signature-256"],
        "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
    assert_eq!(seen[0].body, body);
    assert!(!seen[1].headers.contains_key("x-roadstead-signature-256"));
    assert!(seen[1].headers["user-agent"].to_str().unwrap().starts_with("roadstead/"));
}

#[tokio::test]
async fn without_its_secret_nothing_is_sent() {
    let server = Server::start().await;
    let directory = tempfile::tempdir().unwrap();
    let file = secret(directory.path());
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = post(&client().unwrap(), &server.url("hook"), Some(&file), Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn other_answers_than_success_are_failures() {
    let server = Server::start().await;
    let client = client().unwrap();
    for (path, words) in [
        ("500", "it answered 500 Internal Server Error: no\\u{1b} way"),
        ("404", "it answered 404 Not Found: no\\u{1b} way"),
        ("307", "it answered 307 Temporary Redirect: no\\u{1b} way"),
    ] {
        let error = post(&client, &server.url(path), None, Vec::new()).await.unwrap_err();
        assert_eq!(error.to_string(), words);
    }
    for path in ["200", "202", "204"] {
        post(&client, &server.url(path), None, Vec::new()).await.unwrap();
    }
    assert!(!server.lines().contains(&"POST /elsewhere".to_owned()), "a redirect was followed");
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let server = Server::start().await;
    let (client, url) = (client().unwrap(), server.url("flood"));
    // Before the client's own limit of time would end it.
    let posted = tokio::time::timeout(HOOK_TIMEOUT / 2, post(&client, &url, None, Vec::new())).await;
    let error = posted.expect("it is read without end").unwrap_err().to_string();
    assert!(error.len() < 300 && error.contains(": xxx"), "{error}");
}

#[tokio::test]
async fn an_address_is_not_shown() {
    let client = client().unwrap();
    for address in ["http://127.0.0.1:1/hidden?hidden", "ftp://hidden/hidden", "hidden", "http:///hidden"] {
        let error = post(&client, address, None, Vec::new()).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hidden"), "{error:?}");
    }
}

/// Many servers say which path they don't have.
#[tokio::test]
async fn an_answer_that_repeats_the_address_is_not_shown() {
    let server = Server::start().await;
    let client = client().unwrap();
    let host = server.url("");
    let host = host.trim_end_matches('/').strip_prefix("http://").unwrap();
    for address in [
        format!("http://{host}/services/T0SECRET/say"),
        format!("http://{host}/say?token=T0SECRET"),
        format!("http://somebody:T0SECRET@{host}/say?because=T0SECRET"),
        format!("http://{host}/t0-secret%2Fmore/say"),
    ] {
        let error = post(&client, &address, None, Vec::new()).await.unwrap_err();
        assert_eq!(error.to_string(), "it answered 404 Not Found", "{address}");
        let error = ping(&client, &address, Signal::Success).await.unwrap_err();
        assert_eq!(error.to_string(), "it answered 404 Not Found", "{address}");
    }
}

#[tokio::test]
async fn pings_are_those_of_healthchecks() {
    let server = Server::start().await;
    let client = client().unwrap();
    for signal in [Signal::Start, Signal::Success, Signal::Failure] {
        ping(&client, &server.url("uuid"), signal).await.unwrap();
    }
    assert_eq!(server.lines(), ["GET /uuid/start", "GET /uuid", "GET /uuid/fail"]);
    assert!(ping(&client, &server.url("404"), Signal::Success).await.is_err());
}
