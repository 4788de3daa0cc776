//! Accepts connections and serves requests on them, within limits, until it is told to stop.
//!
//! Knows sockets, TLS and time. Must not know what is served.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONNECTION};
use axum::http::{HeaderValue, Request, Response};
use axum::response::IntoResponse as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::access_log::Record;
use super::credentials::Credentials;
use super::patience::Patience;
use super::router::mark;
use super::sendfile;

/// Largest head of a request, and what is gathered before a write: one piece of a file goes out before the next is read.
const BUFFER: usize = 16 * 1024;
/// Most header fields of a request.
const FIELDS: usize = 64;

/// How long things may take, and how many there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Connections at once.
    pub(super) connections: usize,
    /// For the head of a request, from the end of the last one, and for the TLS handshake.
    pub(super) head: Duration,
    /// For a client to take some of an answer.
    pub(super) write: Duration,
    /// For running answers to end when the server stops.
    pub(super) farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            head: Duration::from_secs(30),
            write: Duration::from_mins(1),
            farewell: Duration::from_secs(10),
        }
    }
}

/// What every connection needs.
pub(super) struct Door {
    /// Answers requests.
    pub(super) router: Router,
    /// Lets requests in.
    pub(super) credentials: Option<Credentials>,
    /// Encrypts.
    pub(super) tls: Option<TlsAcceptor>,
    /// Limits.
    pub(super) limits: Limits,
}

/// When a connection has to end.
struct Leave {
    /// The server stops.
    stop: CancellationToken,
    /// Others need its place.
    crowded: CancellationToken,
}

/// What a connection's requests and its end tell each other.
#[derive(Default)]
struct Visit {
    /// A request came.
    begun: AtomicBool,
    /// The next answer is the last.
    last: AtomicBool,
}

/// Serves until `stop`, then lets running answers end for a while.
pub(super) async fn serve(door: Arc<Door>, listener: TcpListener, stop: CancellationToken) {
    let limits = door.limits;
    let places = Arc::new(Semaphore::new(limits.connections));
    let tasks = TaskTracker::new();
    let cut = CancellationToken::new();
    let mut crowded = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, client) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                refused(&error).await;
                continue;
            }
        };
        if places.available_permits() == 0 {
            // Those that wait for another request leave at once, those that are served when they are done.
            // This one waits for a place, and those after it in the kernel's queue.
            tracing::warn!(connections = limits.connections, "all places are taken: idle connections are closed");
            crowded.cancel();
            crowded = CancellationToken::new();
        }
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            () = stop.cancelled() => break,
        };
        let (door, cut) = (Arc::clone(&door), cut.clone());
        let leave = Leave { stop: stop.clone(), crowded: crowded.clone() };
        tasks.spawn(async move {
            let _place = place;
            tokio::select! {
                () = door.welcome(stream, client, leave) => {}
                () = cut.cancelled() => {}
            }
        });
    }
    drop(listener);
    tasks.close();
    if timeout(limits.farewell, tasks.wait()).await.is_err() {
        tracing::warn!(connections = tasks.len(), "answers are cut off");
        cut.cancel();
        tasks.wait().await;
    }
}

/// A connection that broke before it was accepted means nothing; out of files, a moment passes before the next try.
async fn refused(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if !matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
        tracing::warn!(%error, "a connection can't be accepted");
        sleep(Duration::from_millis(100)).await;
    }
}

impl Door {
    async fn welcome(self: Arc<Self>, stream: TcpStream, client: SocketAddr, leave: Leave) {
        // Answers go out whole; waiting for more would only delay their ends. Its failure costs speed, nothing else.
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else {
            return Box::pin(sendfile::over(stream, |stream| self.serve(stream, client, leave))).await;
        };
        match timeout(self.limits.head, tls.accept(stream)).await {
            // In boxes of their own, so that a plain connection does not take the room of an encrypted one.
            Ok(Ok(stream)) => Box::pin(self.serve(stream, client, leave)).await,
            Ok(Err(error)) => tracing::debug!(%client, %error, "no TLS came about"),
            Err(_) => tracing::debug!(%client, "the TLS handshake took too long"),
        }
    }

    async fn serve<S>(self: &Arc<Self>, stream: S, client: SocketAddr, leave: Leave)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let stream = TokioIo::new(Patience::new(stream, self.limits.write));
        let router = TowerToHyperService::new(self.router.clone());
        let visit = Visit::default();
        let service = service_fn(|request| {
            let (router, visit) = (router.clone(), &visit);
            async move {
                visit.begun.store(true, Ordering::Relaxed);
                let mut response = self.answer(&router, request, client).await;
                if visit.last.load(Ordering::Relaxed) {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, std::convert::Infallible>(response)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_buf_size(BUFFER)
            .max_headers(FIELDS)
            .serve_connection(stream, service);
        let mut connection = std::pin::pin!(connection);
        let ended = loop {
            tokio::select! {
                ended = connection.as_mut() => break ended,
                () = leave.stop.cancelled() => {}
                () = leave.crowded.cancelled(), if !visit.last.load(Ordering::Relaxed) => {
                    visit.last.store(true, Ordering::Relaxed);
                    if !visit.begun.load(Ordering::Relaxed) {
                        // Its request may be on the way: it gets its answer.
                        continue;
                    }
                }
            }
            connection.as_mut().graceful_shutdown();
            break connection.as_mut().await;
        };
        if let Err(error) = ended {
            tracing::debug!(%client, %error, "a connection ended early");
        }
    }

    async fn answer(
        &self,
        router: &TowerToHyperService<Router>,
        request: Request<Incoming>,
        client: SocketAddr,
    ) -> Response<Body> {
        let record = Record::begin(&request, client);
        let is_api = matches!(request.uri().path().as_bytes(), [b'/', b'v', b'2'] | [b'/', b'v', b'2', b'/', ..]);
        let refusal = match &self.credentials {
            Some(credentials) => credentials.check(request.headers().get(AUTHORIZATION)).await.err(),
            None => None,
        };
        let mut response = match refusal {
            Some(refusal) => refusal.into_response(),
            None => router.call(request).await.unwrap_or_else(|never| match never {}),
        };
        if is_api {
            mark(response.headers_mut());
        }
        match record {
            Some(record) => record.follow(response),
            None => response,
        }
    }
}
