//! When things go wrong: the built program against a registry that misbehaves on purpose.
//!
//! Each test has a registry inside this process, whose hook answers wrongly, and a catalog of its own. Knows the command
//! line's contract: the right exit code, and on standard error what failed, on what, why, and what to do next. Nothing that
//! is printed may steer a terminal; every run is checked for that.

mod asking;
mod bytes;
mod completing;
mod currency;
mod hostile;
mod lists;
mod locals;
mod partly;
mod patience;
mod privacy;
mod secrets;
mod transfers;

use crate::cli::Roadstead;
use crate::peers::Finished;
use ::bytes::Bytes;
use axum::body::Body;
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;
use roadstead::image::{Digest, RepositoryName};
use roadstead::registry::memory::{Builder, Image, ImageBuilder, IndexBuilder, MemoryRegistry};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A registry that can be made to fail, and a catalog to mirror into.
struct Scene {
    registry: MemoryRegistry,
    roadstead: Roadstead,
    runtime: tokio::runtime::Runtime,
}

impl Scene {
    /// An open registry that holds nothing.
    fn new() -> Self {
        Self::with(MemoryRegistry::builder())
    }

    /// A registry with these options.
    fn with(builder: Builder) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let registry = runtime.block_on(builder.start()).expect("a registry");
        Self { registry, roadstead: Roadstead::new(), runtime }
    }

    /// One more registry beside it.
    fn another(&self, builder: Builder) -> MemoryRegistry {
        self.runtime.block_on(builder.start()).expect("a registry")
    }

    fn host(&self) -> String {
        self.registry.host()
    }

    /// What is written on the command line for `app:1`.
    fn reference(&self, what: &str) -> String {
        format!("{}/{what}", self.host())
    }

    /// The name under which `app` is published.
    fn published(&self, what: &str) -> String {
        format!("{}/{what}", self.host().replace(':', "_"))
    }

    fn put(&self, repository: &str, tag: &str, image: &Image) -> Digest {
        self.registry.put_image(&name(repository), Some(tag), image)
    }

    /// Puts a manifest under `app:1`, whatever it says.
    fn put_manifest(&self, media_type: &str, text: impl Into<Bytes>) -> Digest {
        self.registry.put_manifest(&name("app"), Some("1"), media_type, text)
    }

    /// Runs the program; whatever it prints must be harmless.
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Finished {
        checked(self.roadstead.run(arguments))
    }

    /// Adds images of the registry over plain HTTP, with more arguments.
    #[track_caller]
    fn add_with(&self, images: &[&str], arguments: &[&str]) -> Finished {
        let references: Vec<String> = images.iter().map(|image| self.reference(image)).collect();
        let mut words = vec!["add", "--insecure"];
        words.extend(arguments);
        words.extend(references.iter().map(String::as_str));
        self.run(&words)
    }

    /// Adds one image of the registry over plain HTTP.
    #[track_caller]
    fn add(&self, image: &str) -> Finished {
        self.add_with(&[image], &[])
    }

    /// The names of the repositories that the catalog has.
    #[track_caller]
    fn listed(&self) -> Vec<String> {
        let rows = self.roadstead.json(&["list"]);
        let names = rows.as_array().expect("an array").iter();
        names.map(|row| row["name"].as_str().expect("a name").to_owned()).collect()
    }

    /// The catalog's directory.
    fn data(&self) -> PathBuf {
        self.roadstead.path("registry")
    }

    /// The files of a digest, whole or partial.
    fn files_of(&self, digest: &Digest) -> Vec<PathBuf> {
        let hex = digest.hex();
        let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().contains(&hex));
        files(&self.data()).into_iter().filter(named).collect()
    }

    /// How many requests of this method went to paths with this in them.
    fn asked(&self, method: &str, part: &str) -> usize {
        self.registry.log().iter().filter(|info| info.method == method && info.path.contains(part)).count()
    }
}

fn name(text: &str) -> RepositoryName {
    text.parse().expect("a repository's name")
}

/// A small image that every machine takes, whose last layer has this content.
fn image(content: &str) -> Image {
    on("linux/amd64", content)
}

fn on(platform: &str, content: &str) -> Image {
    let builder = ImageBuilder::new(platform.parse().expect("a platform"));
    builder.layer(&[("base", "the same everywhere")]).layer(&[("content", content)]).build()
}

/// An image with one layer of these bytes.
fn opaque(layer: impl Into<Bytes>) -> Image {
    ImageBuilder::new("linux/amd64".parse().expect("a platform")).opaque_layer(layer).build()
}

/// An index for two platforms.
fn index(content: &str) -> Image {
    IndexBuilder::new().image(on("linux/amd64", content)).image(on("linux/arm64", content)).build()
}

/// Bytes that are different everywhere.
fn noise(length: usize) -> Bytes {
    (0..length as u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).take(length).collect()
}

/// Every file below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// What ran, whose output holds nothing that could steer a terminal or hide in it.
#[track_caller]
fn checked(finished: Finished) -> Finished {
    for text in [&finished.stdout, &finished.stderr] {
        assert_harmless(text, &finished.line);
    }
    finished
}

#[track_caller]
fn assert_harmless(text: &str, of: &str) {
    let hidden =
        |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let bad = text.chars().find(|c| c.is_control() && *c != '\n' || hidden(*c));
    assert!(bad.is_none(), "{of}: {bad:?} in {text:?}");
}

/// All of these words are there.
#[track_caller]
fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no `{word}` in:\n{text}");
    }
}

/// The lines of standard error that are JSON objects with this event.
fn events(stderr: &str, event: &str) -> Vec<serde_json::Value> {
    let lines = stderr.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines.filter(|line| line["event"] == event).collect()
}

fn plain(status: u16, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    response
}

fn with(mut response: Response, headers: &[(&str, &str)]) -> Response {
    for (name, value) in headers {
        let name: HeaderName = name.parse().expect("a header's name");
        response.headers_mut().insert(name, value.parse().expect("a header's value"));
    }
    response
}

/// An answer with all of `whole` from `from` on announced, that breaks off after `sent` bytes; not before `arrived` says
/// that they are where they should be.
fn cut(whole: &Bytes, from: usize, sent: usize, arrived: impl Fn() -> bool + Send + 'static) -> Response {
    use futures::StreamExt as _;
    let part = whole.slice(from..(from + sent).min(whole.len()));
    let first = futures::stream::once(async move { Ok::<_, std::io::Error>(part) });
    let then = futures::stream::once(async move {
        let begun = Instant::now();
        while !arrived() && begun.elapsed() < Duration::from_secs(20) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Err(std::io::Error::other("cut"))
    });
    let length = (whole.len() - from).to_string();
    let response = plain(if from == 0 { 200 } else { 206 }, Body::from_stream(first.chain(then)));
    let response = with(response, &[("content-length", &length)]);
    if from == 0 {
        return response;
    }
    with(response, &[("content-range", &format!("bytes {from}-{}/{}", whole.len() - 1, whole.len()))])
}

/// A body without a length.
fn unmeasured(bytes: Bytes) -> Response {
    plain(200, Body::from_stream(futures::stream::once(async move { Ok::<_, std::io::Error>(bytes) })))
}

/// Whether a file of this digest below `directory` has at least so many bytes.
fn has_arrived(directory: &Path, digest: &Digest, length: u64) -> bool {
    let hex = digest.hex();
    let found = files_calmly(directory);
    found.iter().any(|path| {
        path.to_string_lossy().contains(&hex) && path.metadata().is_ok_and(|metadata| metadata.len() >= length)
    })
}

/// Every file below a directory while others change it.
fn files_calmly(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    paths.flat_map(|path| if path.is_dir() { files_calmly(&path) } else { vec![path] }).collect()
}
