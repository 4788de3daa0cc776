//! A registry inside this process: a read-only OCI distribution API over real HTTP on a loopback port, from memory.
//!
//! `roadstead demo` mirrors from it, and tests of the whole program do. It behaves as registries do; what goes wrong on
//! purpose is injected from outside, by [`MemoryRegistry::intercept`].
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use roadstead::registry::memory::{ImageBuilder, MemoryRegistry};
//! let registry = MemoryRegistry::builder().start().await?;
//! let image = ImageBuilder::new("linux/amd64".parse()?).layer(&[("etc/motd", b"hello\n")]).entrypoint(&["/bin/sh"]).build();
//! registry.put_image(&"library/demo".parse()?, Some("1.0"), &image);
//! assert!(registry.host().starts_with("127.0.0.1:"));
//! # Ok::<(), roadstead::error::Error>(())
//! # }).unwrap();
//! ```

mod content;
mod image;
mod server;

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use axum::http::{HeaderMap, Method};
use axum::response::Response;
use bytes::Bytes;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::error::{Context as _, Result};
use crate::image::{Descriptor, Digest, RepositoryName, Tag};

use content::Content;
pub use image::{Image, ImageBuilder, IndexBuilder};

/// How many requests are kept for [`MemoryRegistry::log`].
const MAX_LOGGED_REQUESTS: usize = 10_000;

/// One request, as the hook and the log see it. Debug output hides `Authorization`.
#[derive(Debug, Clone)]
pub struct RequestInfo {
    /// HTTP method of the request.
    pub method: Method,
    /// Path of the URL, without the query.
    pub path: String,
    /// Query of the URL, without the question mark; empty if there is none.
    pub query: String,
    /// Headers as the client sent them, credentials included.
    pub headers: HeaderMap,
    /// How many requests of this method and path there were, this one included.
    pub count: u64,
}

impl RequestInfo {
    /// Where the requested range begins (`Range: bytes=5-`), if there is one.
    pub fn range_start(&self) -> Option<u64> {
        self.headers.get("range")?.to_str().ok()?.strip_prefix("bytes=")?.split('-').next()?.parse().ok()
    }
}

/// Looks at each request before it is answered; what it gives is the answer.
pub type Intercept = Arc<dyn Fn(&RequestInfo) -> Option<Response> + Send + Sync>;

#[derive(Clone)]
enum Access {
    Everyone,
    Basic { user: String, password: String },
    Token { user: String, password: String },
}

/// Options of a [`MemoryRegistry`].
pub struct Builder {
    access: Access,
    identity_token: Option<String>,
    private: BTreeSet<RepositoryName>,
    referrers: bool,
    ranges: bool,
    digest_header: bool,
    page: usize,
    quota: Option<(u64, u64)>,
    intercept: Option<Intercept>,
}

impl Builder {
    /// Wants this user and password for everything, by basic authentication.
    #[must_use]
    pub fn basic_auth(mut self, user: &str, password: &str) -> Self {
        self.access = Access::Basic { user: user.to_owned(), password: password.to_owned() };
        self
    }

    /// Wants tokens, which its own token server gives to anyone, and for private repositories to this user.
    #[must_use]
    pub fn token_auth(mut self, user: &str, password: &str) -> Self {
        self.access = Access::Token { user: user.to_owned(), password: password.to_owned() };
        self
    }

    /// The token server also takes this identity token for the user.
    #[must_use]
    pub fn identity_token(mut self, token: &str) -> Self {
        self.identity_token = Some(token.to_owned());
        self
    }

    /// With tokens, this repository is the user's only.
    #[must_use]
    pub fn private(mut self, repository: RepositoryName) -> Self {
        self.private.insert(repository);
        self
    }

    /// Whether it has the referrers API (it has); without it the path is answered 404.
    #[must_use]
    pub fn referrers_api(mut self, on: bool) -> Self {
        self.referrers = on;
        self
    }

    /// Whether it knows ranges (it does); without them every GET of a blob is answered 200 with all of it.
    #[must_use]
    pub fn ranges(mut self, on: bool) -> Self {
        self.ranges = on;
        self
    }

    /// Whether it sends `Docker-Content-Digest` (it does).
    #[must_use]
    pub fn digest_header(mut self, on: bool) -> Self {
        self.digest_header = on;
        self
    }

    /// How many entries a page of a list has at most.
    #[must_use]
    pub fn page_size(mut self, entries: usize) -> Self {
        self.page = entries.max(1);
        self
    }

    /// Allows this many GETs of manifests in a window of seconds, says so in headers, and then answers 429.
    #[must_use]
    pub fn quota(mut self, manifests: u64, window: u64) -> Self {
        self.quota = Some((manifests, window));
        self
    }

    /// Sets the hook from the start; see [`MemoryRegistry::intercept`].
    #[must_use]
    pub fn intercept(mut self, hook: impl Fn(&RequestInfo) -> Option<Response> + Send + Sync + 'static) -> Self {
        self.intercept = Some(Arc::new(hook));
        self
    }

    /// Listens on a free port of 127.0.0.1.
    pub async fn start(self) -> Result<MemoryRegistry> {
        let listener =
            tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.context(|| "a registry in memory can't listen")?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            address,
            remaining: Mutex::new(self.quota.map_or(0, |(limit, _)| limit)),
            intercept: RwLock::new(self.intercept.clone()),
            options: self,
            content: RwLock::default(),
            tokens: Mutex::default(),
            seen: Mutex::default(),
        });
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let router = server::router(state.clone());
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
                tracing::warn!(%error, "a registry in memory ended");
            }
        });
        Ok(MemoryRegistry { state, _stop: Arc::new(stop.drop_guard()) })
    }
}

struct State {
    address: SocketAddr,
    options: Builder,
    content: RwLock<Content>,
    intercept: RwLock<Option<Intercept>>,
    /// What is left of the quota.
    remaining: Mutex<u64>,
    /// Tokens that are good: for which repository, and whether the user's.
    tokens: Mutex<HashMap<String, (String, bool)>>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    counts: HashMap<(Method, String), u64>,
    log: Vec<RequestInfo>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A registry that runs until its last clone is dropped.
#[derive(Clone)]
pub struct MemoryRegistry {
    state: Arc<State>,
    _stop: Arc<DropGuard>,
}

impl MemoryRegistry {
    /// Options; `start` makes a registry of them.
    pub fn builder() -> Builder {
        Builder {
            access: Access::Everyone,
            identity_token: None,
            private: BTreeSet::new(),
            referrers: true,
            ranges: true,
            digest_header: true,
            page: 1000,
            quota: None,
            intercept: None,
        }
    }

    /// `127.0.0.1:port`, as it is written in references.
    pub fn host(&self) -> String {
        self.state.address.to_string()
    }

    /// What it serves, for another listener (TLS).
    pub fn router(&self) -> axum::Router {
        server::router(self.state.clone())
    }

    /// Sets the hook that sees every request before it is answered, and may answer it itself.
    pub fn intercept(&self, hook: impl Fn(&RequestInfo) -> Option<Response> + Send + Sync + 'static) {
        *self.state.intercept.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(hook));
    }

    /// Takes the hook away.
    pub fn clear_intercept(&self) {
        *self.state.intercept.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn change<T>(&self, change: impl FnOnce(&mut Content) -> T) -> T {
        change(&mut self.state.content.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a blob into a repository.
    pub fn put_blob(&self, repository: &RepositoryName, bytes: impl Into<Bytes>) -> Digest {
        self.change(|content| content.put_blob(repository, bytes.into()))
    }

    /// Puts a blob under a digest that it may not have.
    pub fn put_blob_as(&self, repository: &RepositoryName, digest: Digest, bytes: impl Into<Bytes>) {
        self.change(|content| content.put_blob_as(repository, digest, bytes.into()));
    }

    /// Puts a manifest into a repository, by its digest and under a tag if one is given.
    pub fn put_manifest(
        &self,
        repository: &RepositoryName,
        tag: Option<&str>,
        media_type: &str,
        bytes: impl Into<Bytes>,
    ) -> Digest {
        self.change(|content| content.put_manifest(repository, tag, media_type, bytes.into()))
    }

    /// Puts an image, an index with all its images, or an artifact.
    pub fn put_image(&self, repository: &RepositoryName, tag: Option<&str>, image: &Image) -> Digest {
        self.change(|content| content.put_image(repository, tag, image))
    }

    /// Writes the index of a manifest's referrers under the fallback tag, as clients do where there is no referrers API.
    pub fn put_referrers_tag(&self, repository: &RepositoryName, subject: &Digest) {
        self.change(|content| content.put_referrers_tag(repository, subject));
    }

    /// Takes a tag away; its manifest stays.
    pub fn remove_tag(&self, repository: &RepositoryName, tag: &Tag) -> bool {
        self.change(|content| content.remove_tag(repository, tag.as_str()))
    }

    /// Takes a blob away.
    pub fn remove_blob(&self, repository: &RepositoryName, digest: &Digest) -> bool {
        self.change(|content| content.remove_blob(repository, digest))
    }

    /// The referrers of a manifest, as the API lists them.
    pub fn referrers(&self, repository: &RepositoryName, subject: &Digest) -> Vec<Descriptor> {
        self.change(|content| content.referrers(repository, subject))
    }

    /// Makes every token that was given useless.
    pub fn expire_tokens(&self) {
        lock(&self.state.tokens).clear();
    }

    /// Fills the quota up again.
    pub fn refill_quota(&self) {
        *lock(&self.state.remaining) = self.state.options.quota.map_or(0, |(limit, _)| limit);
    }

    /// How many requests of this method there were for this path (`/v2/library/demo/manifests/1.0`).
    pub fn requests(&self, method: &Method, path: &str) -> u64 {
        lock(&self.state.seen).counts.get(&(method.clone(), path.to_owned())).copied().unwrap_or(0)
    }

    /// How many requests there were in all.
    pub fn total_requests(&self) -> u64 {
        lock(&self.state.seen).counts.values().sum()
    }

    /// The last requests, oldest first.
    pub fn log(&self) -> Vec<RequestInfo> {
        lock(&self.state.seen).log.clone()
    }

    /// Forgets what was asked so far.
    pub fn forget_requests(&self) {
        *lock(&self.state.seen) = Seen::default();
    }

    /// Waits until a request of this method and path has come in, for at most `patience`.
    pub async fn wait_for_request(&self, method: &Method, path: &str, patience: Duration) -> bool {
        let asked = async {
            while self.requests(method, path) == 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(patience, asked).await.is_ok()
    }
}

impl std::fmt::Debug for MemoryRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryRegistry").field("address", &self.state.address).finish_non_exhaustive()
    }
}
