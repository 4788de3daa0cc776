//! A real HTTP server that keeps what it is asked, and answers as it is told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;

/// A request that came in.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The server; it ends with its runtime.
#[derive(Clone)]
pub(super) struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers by the last part of the path: a number is the status, `hang` never answers, `flood` never ends, `say`
    /// repeats what it was asked for.
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self { address: listener.local_addr().unwrap(), seen: Arc::default() };
        let router = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    pub(super) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// `METHOD /path` of what came in.
    pub(super) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(|request| format!("{} {}", request.method, request.path)).collect()
    }
}

async fn answer(State(server): State<Server>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path().to_owned();
    server.seen.lock().unwrap().push(Request { method, path: path.clone(), headers, body });
    let last = path.rsplit('/').next().unwrap_or_default();
    let (status, body) = match last {
        "hang" => std::future::pending().await,
        "say" => (StatusCode::NOT_FOUND, Body::from(format!("there is no {}", uri.to_string().to_uppercase()))),
        "drip" => (StatusCode::BAD_GATEWAY, Body::from_stream(drip())),
        "flood" => (StatusCode::INTERNAL_SERVER_ERROR, Body::from_stream(flood())),
        status => {
            let status = status.parse().ok().and_then(|status| StatusCode::from_u16(status).ok());
            (status.unwrap_or(StatusCode::OK), Body::from("no\u{1b} way\nand more"))
        }
    };
    Response::builder().status(status).header("location", "/elsewhere").body(body).unwrap()
}

/// A body without an end, and without an end of its line.
fn flood() -> impl futures::Stream<Item = std::io::Result<Bytes>> {
    futures::stream::repeat_with(|| Ok(Bytes::from_static(&[b'x'; 4096])))
}

/// A body of which nothing comes.
fn drip() -> impl futures::Stream<Item = std::io::Result<Bytes>> {
    futures::stream::pending()
}
