//! The upstream: a registry in this process, whose blobs can be held back in the middle.
//!
//! Knows HTTP; must not know the program's processes.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt as _;
use roadstead::image::{Digest, Platform};
use roadstead::registry::memory::{ImageBuilder, MemoryRegistry, RequestInfo};
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, LazyLock, Mutex};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// Where the registries run.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().expect("a runtime")
});

/// A registry, and the layers that were put into it.
pub(super) struct Upstream {
    pub(super) registry: MemoryRegistry,
    layers: Arc<Mutex<HashMap<String, Bytes>>>,
}

impl Upstream {
    /// An empty one.
    pub(super) fn start() -> Self {
        let registry = RUNTIME.block_on(MemoryRegistry::builder().start()).expect("a registry");
        Self { registry, layers: Arc::default() }
    }

    /// One with an image of two layers as `app:1`; gives their digests.
    pub(super) fn with_app() -> (Self, [String; 2]) {
        let upstream = Self::start();
        let layers = [super::random(300_000, 1), super::random(1_400_000, 2)];
        let digests = upstream.put("app", "1", &layers);
        (upstream, digests.try_into().expect("two layers"))
    }

    /// Puts an image of these layers; gives their digests.
    pub(super) fn put(&self, repository: &str, tag: &str, layers: &[Vec<u8>]) -> Vec<String> {
        let mut image = ImageBuilder::new(Platform::host());
        let mut digests = Vec::new();
        for layer in layers {
            let bytes = Bytes::from(layer.clone());
            image = image.opaque_layer(bytes.clone());
            let digest = Digest::of(&bytes).to_string();
            self.layers.lock().expect("a lock").insert(digest.clone(), bytes);
            digests.push(digest);
        }
        let repository = repository.parse().expect("a repository's name");
        self.registry.put_image(&repository, Some(tag), &image.build());
        digests
    }

    /// The bytes of the layer that a request gets.
    pub(super) fn layer_of(&self) -> impl Fn(&RequestInfo) -> Option<Bytes> + Send + Sync + 'static {
        let layers = Arc::clone(&self.layers);
        move |request| {
            let (_, digest) = request.path.split_once("/blobs/")?;
            layers.lock().expect("a lock").get(digest).cloned()
        }
    }

    /// Holds a layer back after so many of its bytes, until it is released.
    pub(super) fn hold(&self, digest: &str, after: usize) -> Held {
        let (release, released) = watch::channel(false);
        let (layer_of, digest) = (self.layer_of(), String::from(digest));
        self.registry.intercept(move |request| {
            if *released.borrow() || !request.path.ends_with(&digest) {
                return None;
            }
            let mut released = released.clone();
            Some(in_two(&layer_of(request)?, request, after, async move {
                // Whoever was to release it is gone: then nobody waits for the rest.
                released.wait_for(|released| *released).await.is_ok()
            }))
        });
        Held(release)
    }

    /// From which byte on each request wanted the blob, in the order of the requests.
    pub(super) fn asked(&self, digest: &str) -> Vec<u64> {
        let log = self.registry.log();
        let asked = log.iter().filter(|request| request.path.ends_with(digest));
        asked.map(|request| request.range_start().unwrap_or(0)).collect()
    }
}

/// A layer that is held back; dropping it cuts the answer off.
pub(super) struct Held(watch::Sender<bool>);

impl Held {
    /// Lets it go on.
    pub(super) fn release(&self) {
        self.0.send_replace(true);
    }
}

/// An answer whose rest comes when `between` has said so; if it says no, the connection breaks.
pub(super) fn in_two(
    bytes: &Bytes,
    request: &RequestInfo,
    after: usize,
    between: impl Future<Output = bool> + Send + 'static,
) -> Response {
    let whole = bytes.len();
    let start = request.range_start().map_or(0, |start| start as usize).min(whole);
    let (first, rest) = (bytes.slice(start..after.clamp(start, whole)), bytes.slice(after.clamp(start, whole)..));
    let rest =
        futures::stream::once(
            async move { if between.await { Ok(rest) } else { Err(std::io::Error::other("cut off")) } },
        );
    let body = Body::from_stream(futures::stream::iter([Ok(first)]).chain(rest));
    let answer = Response::builder().header("content-length", whole - start);
    let answer = if start > 0 {
        answer.status(206).header("content-range", format!("bytes {start}-{}/{whole}", whole - 1))
    } else {
        answer
    };
    answer.body(body).expect("an answer")
}
