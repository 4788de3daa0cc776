//! Serves several requests at once on one connection (HTTP/2, RFC 9113), within the limits of connections with one each.
//!
//! Only beside a gateway: IPFS programs ask for hundreds of blocks, and take them from nobody else over the public network.
//! Knows frames and time. Must not know what is served.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::header::HOST;
use axum::http::{HeaderValue, Request, Response};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::slots::{ConnectionState, InFlight};
use super::streams::{Running, RunningAnswer, Stream, Streams, Verdict};

/// What connections negotiate over TLS (RFC 9113, section 3.2).
pub(super) const PROTOCOL: &[u8] = b"h2";
/// How every connection begins (section 3.4). No request of HTTP/1.1 begins so.
const PREFACE: &[u8; 3] = b"PRI";

/// Requests of one connection at once: as many as Kubo asks of one server (`HTTPRetrieval.NumWorkers`).
const MAX_STREAMS: u32 = 16;
/// Bytes of the fields of a request, with 32 for each ("SETTINGS_MAX_HEADER_LIST_SIZE"). Less than of a request by itself: so
/// much is in memory for each that waits.
const MAX_HEADER_LIST_BYTES: u32 = 4 * 1024;
/// Streams that a client broke off before they were looked at; one more, and the connection ends (CVE-2023-44487).
const MAX_RESET_STREAMS: usize = 16;
/// Streams of one connection that are refused, by all its life: those that a client begins beyond [`MAX_STREAMS`] before it has
/// heard of that limit. Clients begin up to a hundred (RFC 9113, section 6.5.2, and what Go's and hyper's do).
const MAX_REFUSED_STREAMS: usize = 256;
/// Bytes of the bodies of requests that are taken before they are read: records of names alone have any.
const RECEIVE_WINDOW_BYTES: u32 = 64 * 1024;
/// Bytes of one answer that are handed over at a time.
const MAX_PIECE_BYTES: usize = 64 * 1024;
/// How often it is looked at whether a connection still gets on.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// How long a connection may have nothing to do, and how long its client may take nothing of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) idle: Duration,
    pub(super) stalled: Duration,
}

/// Whether a connection without TLS begins as HTTP/2 does (section 3.3); nothing if it does not begin in time. Takes none of it.
pub(super) async fn begins(stream: &TcpStream, patience: Duration) -> Option<bool> {
    let mut start = [0; PREFACE.len()];
    let seen = timeout(patience, stream.peek(&mut start)).await.ok()?;
    // A client that knows HTTP/2 sends its preface at once, so a shorter piece is something else.
    Some(seen.is_ok() && start == *PREFACE)
}

/// Serves a connection until its end, until it has to end, or until `stop`.
pub(super) async fn serve<S, A, F, B>(
    stream: S,
    state: &Arc<ConnectionState>,
    streams: &Arc<Streams>,
    patience: Patience,
    stop: &CancellationToken,
    answer: A,
) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<B>> + Send + 'static,
    B: http_body::Body<Data = Bytes, Error = io::Error> + Send + Unpin + 'static,
{
    let running = Running::new();
    let service = service_fn(|mut request: Request<Incoming>| {
        name_host(&mut request);
        let held = Held { running: running.begin(), _in_flight: state.begin() };
        let (streams, peer) = (Arc::clone(streams), state.peer());
        let answering = answer(request);
        async move {
            let Some(stream) = streams.begin(peer).await else {
                return Err(io::Error::other("nobody takes turns"));
            };
            let response = answering.await;
            held.running.taken();
            let held = Arc::new((held, stream));
            Ok(response.map(|body| StreamBody { body, rest: Bytes::new(), held }))
        }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_LIST_BYTES)
        .max_pending_accept_reset_streams(MAX_RESET_STREAMS)
        .max_local_error_reset_streams(MAX_REFUSED_STREAMS)
        .initial_stream_window_size(RECEIVE_WINDOW_BYTES)
        .initial_connection_window_size(RECEIVE_WINDOW_BYTES)
        .max_send_buf_size(MAX_PIECE_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let interval = (patience.idle.min(patience.stalled) / 4).min(WATCH_INTERVAL);
    let mut is_ending = false;
    loop {
        let end = tokio::select! {
            ended = connection.as_mut() => return ended,
            () = stop.cancelled(), if !is_ending => true,
            () = sleep(interval) => match running.verdict(patience.idle, patience.stalled) {
                Verdict::Stalled => return Ok(()),
                // A client that was told so already, and stays.
                Verdict::Idle if is_ending => return Ok(()),
                Verdict::Idle => true,
                // Somebody waits for a connection: what is under way here is the last.
                Verdict::Fine => state.slots().is_wanted(),
            },
        };
        if end && !is_ending {
            connection.as_mut().graceful_shutdown();
            is_ending = true;
        }
    }
}

/// The authority of a request is its host (section 8.3.1).
fn name_host(request: &mut Request<Incoming>) {
    if let Some(authority) = request.uri().authority()
        && !request.headers().contains_key(HOST)
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        request.headers_mut().insert(HOST, host);
    }
}

/// What an answer under way counts for.
struct Held {
    running: RunningAnswer,
    _in_flight: InFlight,
}

/// The body of an answer in small pieces, each of which holds the answer's place until it is sent.
struct StreamBody<B> {
    body: B,
    rest: Bytes,
    held: Arc<(Held, Stream)>,
}

/// A piece on its way.
struct Piece(Bytes, Arc<(Held, Stream)>);

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.1.0.running.taken();
    }
}

impl<B> http_body::Body for StreamBody<B>
where
    B: http_body::Body<Data = Bytes, Error = io::Error> + Unpin,
{
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if self.rest.is_empty() {
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)) else { return Poll::Ready(None) };
            match frame?.into_data() {
                Ok(data) => self.rest = data,
                Err(other) => return Poll::Ready(Some(Ok(other))),
            }
        }
        let length = self.rest.len().min(MAX_PIECE_BYTES);
        let piece = Piece(self.rest.split_to(length), Arc::clone(&self.held));
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, body) = (self.rest.len() as u64, self.body.size_hint());
        body.exact().map_or_else(SizeHint::default, |exact| SizeHint::with_exact(rest + exact))
    }
}
