//! Accepts connections and serves requests on them, within limits, until it is told to stop.
//!
//! Knows sockets, TLS and time. Must not know what is served.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::AUTHORIZATION;
use axum::http::{Request, Response};
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
            connections: 2048,
            head: Duration::from_secs(30),
            write: Duration::from_secs(60),
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

/// Serves until `stop`, then lets running answers end for a while.
pub(super) async fn serve(door: Arc<Door>, listener: TcpListener, stop: CancellationToken) {
    let limits = door.limits;
    let places = Arc::new(Semaphore::new(limits.connections));
    let tasks = TaskTracker::new();
    let cut = CancellationToken::new();
    let mut leave = stop.child_token();
    loop {
        let place = match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => place,
            Err(_) => {
                // Those that wait for another request leave at once, those that are served when they are done.
                // Newcomers wait in the kernel's queue meanwhile.
                tracing::warn!(connections = limits.connections, "all places are taken: idle connections are closed");
                leave.cancel();
                leave = stop.child_token();
                tokio::select! {
                    place = Arc::clone(&places).acquire_owned() => match place {
                        Ok(place) => place,
                        Err(_) => break,
                    },
                    () = stop.cancelled() => break,
                }
            }
        };
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
        let (door, leave, cut) = (Arc::clone(&door), leave.clone(), cut.clone());
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
    async fn welcome(self: Arc<Self>, stream: TcpStream, client: SocketAddr, leave: CancellationToken) {
        // Answers go out whole; waiting for more would only delay their ends. Its failure costs speed, nothing else.
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else { return self.serve(stream, client, leave).await };
        match timeout(self.limits.head, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.serve(stream, client, leave).await,
            Ok(Err(error)) => tracing::debug!(%client, %error, "no TLS came about"),
            Err(_) => tracing::debug!(%client, "the TLS handshake took too long"),
        }
    }

    async fn serve<S>(self: &Arc<Self>, stream: S, client: SocketAddr, leave: CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let stream = TokioIo::new(Patience::new(stream, self.limits.write));
        let router = TowerToHyperService::new(self.router.clone());
        let service = service_fn(|request| {
            let (door, router) = (Arc::clone(self), router.clone());
            async move { Ok::<_, std::convert::Infallible>(door.answer(&router, request, client).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_buf_size(BUFFER)
            .max_headers(FIELDS)
            .serve_connection(stream, service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = leave.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.as_mut().await
            }
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
        let is_api = request.uri().path().starts_with("/v2");
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
