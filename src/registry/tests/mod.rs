//! Registries as a whole, against a registry in memory whose faults are injected by its hook.

mod authentication;
mod blobs;
mod lists;
mod manifests;
mod mirrors;
mod resilience;
mod tls;
mod tokens;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use bytes::Bytes;

use super::credentials::Environment;
use super::memory::{Image, ImageBuilder, MemoryRegistry};
use super::*;
use crate::error::Error;

/// No part of any of these may be shown anywhere.
const PASSWORD: &str = "canary-pass:word";

fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

fn tag(text: &str) -> Target {
    Target::Tag(text.parse().unwrap())
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Heard {
    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Observer for Heard {
    fn waiting(&self, registry: &str, wait: Duration, why: &str) {
        self.0.lock().unwrap().push(format!("{registry} waits {wait:?}: {why}"));
    }

    fn retrying(&self, registry: &str, _wait: Duration, attempt: u32, why: &str) {
        self.0.lock().unwrap().push(format!("{registry} retry {attempt}: {why}"));
    }

    fn note(&self, sentence: &str) {
        self.0.lock().unwrap().push(sentence.to_owned());
    }

    fn quota(&self, registry: &str, quota: Quota) {
        self.0.lock().unwrap().push(format!("{registry} quota {}/{}", quota.remaining, quota.limit));
    }
}

/// What a test works with: impatient registries, and a home directory for credentials.
struct Bench {
    options: Options,
    heard: Arc<Heard>,
    home: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let heard = Arc::new(Heard::default());
        let mut options = Options::new(Environment { home: Some(home.path().to_owned()), ..Environment::default() });
        options.observer = heard.clone();
        options.retry.base = Duration::from_millis(1);
        options.retry.min_total = Duration::ZERO;
        options.retry.progress = 16;
        options.timeouts.stall = Duration::from_secs(10);
        options.timeouts.response = Duration::from_secs(10);
        Self { options, heard, home }
    }

    fn log_in(&self, host: &str, user: &str, password: &str) {
        let auth = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        self.write_auths(&serde_json::json!({host: {"auth": auth}}));
    }

    fn write_auths(&self, auths: &serde_json::Value) {
        let dir = self.home.path().join(".docker");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("config.json"), serde_json::json!({"auths": auths}).to_string()).unwrap();
    }

    fn open(&self, host: &str) -> Arc<dyn Registry> {
        Registries::new(self.options.clone()).open(host, true).unwrap()
    }
}

fn image() -> Image {
    ImageBuilder::new("linux/amd64".parse().unwrap()).layer(&[("hello", b"hello")]).build()
}

async fn read(mut body: BlobBody) -> Result<Vec<u8>, Error> {
    let mut all = Vec::new();
    while let Some(bytes) = body.chunk().await? {
        assert!(!bytes.is_empty());
        all.extend_from_slice(&bytes);
    }
    assert!(body.chunk().await?.is_none());
    Ok(all)
}

/// Bytes that are different everywhere.
fn noise(length: usize) -> Bytes {
    (0..length as u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).take(length).collect()
}

fn plain(status: u16, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

fn with(mut response: Response, headers: &[(&str, &str)]) -> Response {
    for (name, value) in headers {
        let name: axum::http::HeaderName = name.parse().unwrap();
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

/// A body that begins with these bytes and then breaks the connection, or (`stall`) never goes on.
fn broken(bytes: Bytes, stall: bool) -> Body {
    use futures::StreamExt as _;
    let first = futures::stream::once(async move { Ok::<_, std::io::Error>(bytes) });
    let then = futures::stream::once(async move {
        if stall {
            std::future::pending::<()>().await;
        }
        // The bytes before it must have left, or the client would see nothing of them.
        tokio::time::sleep(Duration::from_millis(5)).await;
        Err(std::io::Error::other("cut"))
    });
    Body::from_stream(first.chain(then))
}

/// An answer for a part of `bytes` that announces all of it and breaks off after `sent` bytes.
fn cut(bytes: &Bytes, from: u64, sent: usize, stall: bool) -> Response {
    let from = from as usize;
    let part = bytes.slice(from..(from + sent).min(bytes.len()));
    let length = (bytes.len() - from).to_string();
    let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
    let status = if from == 0 { 200 } else { 206 };
    let response = with(plain(status, broken(part, stall)), &[("content-length", &length)]);
    if from == 0 { response } else { with(response, &[("content-range", &range)]) }
}
