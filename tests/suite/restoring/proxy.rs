//! A proxy before a gateway or node: what was asked for, how many bytes went through, and something to do at one of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;

/// What happens when so many bytes have gone through.
type Hook = (u64, Box<dyn FnOnce() + Send>);

struct Between {
    upstream: String,
    client: reqwest::Client,
    /// The `Authorization` that it wants to see, and takes away.
    wanted: Option<String>,
    asked: Mutex<Vec<String>>,
    ranges: Mutex<Vec<String>>,
    bytes: AtomicU64,
    hook: Mutex<Option<Hook>>,
}

/// A running proxy.
pub(crate) struct Proxy {
    _runtime: tokio::runtime::Runtime,
    between: Arc<Between>,
    pub(crate) url: String,
}

impl Proxy {
    /// One before this URL.
    pub(crate) fn before(upstream: &str) -> Self {
        Self::guarding(upstream, None)
    }

    /// One that lets through only who shows this.
    pub(crate) fn guarding(upstream: &str, wanted: Option<&str>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let between = Arc::new(Between {
            upstream: upstream.to_owned(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            wanted: wanted.map(str::to_owned),
            asked: Mutex::default(),
            ranges: Mutex::default(),
            bytes: AtomicU64::new(0),
            hook: Mutex::default(),
        });
        let app = Router::new().fallback(pass).with_state(Arc::clone(&between));
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { _runtime: runtime, between, url }
    }

    /// Forgets what went through; `then` happens before the byte after so many is passed on.
    pub(crate) fn after(&self, bytes: u64, then: impl FnOnce() + Send + 'static) {
        self.forget();
        *self.between.hook.lock().unwrap_or_else(PoisonError::into_inner) = Some((bytes, Box::new(then)));
    }

    /// Forgets what went through, and what was to happen.
    pub(crate) fn forget(&self) {
        *self.between.hook.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.between.asked.lock().unwrap().clear();
        self.between.ranges.lock().unwrap().clear();
        self.between.bytes.store(0, Ordering::SeqCst);
    }

    /// Bytes of all answers.
    pub(crate) fn bytes(&self) -> u64 {
        self.between.bytes.load(Ordering::SeqCst)
    }

    /// The `Range` of each request that had one.
    pub(crate) fn ranges(&self) -> Vec<String> {
        self.between.ranges.lock().unwrap().clone()
    }

    /// What was asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.between.asked.lock().unwrap().clone()
    }
}

async fn pass(State(between): State<Arc<Between>>, request: Request) -> Response {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    between.asked.lock().unwrap().push(target.clone());
    if let Some(range) = request.headers().get("range").and_then(|value| value.to_str().ok()) {
        between.ranges.lock().unwrap().push(range.to_owned());
    }
    let shown = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    if between.wanted.is_some() && between.wanted.as_deref() != shown {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let mut passed = between.client.request(request.method().clone(), format!("{}{target}", between.upstream));
    for (name, value) in request.headers().iter().filter(|(name, _)| *name != "host" && *name != "authorization") {
        passed = passed.header(name, value);
    }
    let Ok(answer) = passed.send().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let (status, headers) = (answer.status(), answer.headers().clone());
    let counting = Arc::clone(&between);
    let body = answer.bytes_stream().map(move |chunk| {
        let length = chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        let so_far = counting.bytes.fetch_add(length, Ordering::SeqCst) + length;
        let mut hook = counting.hook.lock().unwrap_or_else(PoisonError::into_inner);
        if hook.as_ref().is_some_and(|(after, _)| so_far > *after)
            && let Some((_, then)) = hook.take()
        {
            then();
        }
        chunk
    });
    let mut response = Response::new(Body::from_stream(body));
    *response.status_mut() = status;
    for name in ["content-type", "content-range", "docker-content-digest", "x-ipfs-roots", "retry-after"] {
        if let Some(value) = headers.get(name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}
