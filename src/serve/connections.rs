//! Accepts connections and serves requests on them, within limits, until it is told to stop.
//!
//! Knows sockets, TLS and time. Must not know what is served.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONNECTION};
use axum::http::{HeaderValue, Request, Response};
use bytes::Bytes;
use futures::task::AtomicWaker;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::access_log::Record;
use super::body::Body;
use super::credentials::Credentials;
use super::entity::Document;
use super::gateway::{self, Gateway};
use super::hosts::Hosts;
use super::http2::{self, Patience};
use super::peer::Peer;
use super::router::{Handler, mark};
use super::slots::{ConnectionState, InFlight, Rules, Slot, Slots};
use super::streams::Streams;
use super::tls::{self, Certificates};
use super::write_timeout::WriteTimeout;

/// Bytes of the largest head of a request: one with [`MAX_RANGES`](super::range::MAX_RANGES) ranges of a layer of a few gigabytes. A
/// head without takes a third of that, and no more memory. As much is gathered before a write; of pieces that are smaller, one
/// goes out before the next is read.
const BUFFER_BYTES: usize = 24 * 1024;
/// Most header fields of a request.
const MAX_HEADER_FIELDS: usize = 64;

/// How long things may take, and how many there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) connections: usize,
    /// For the head of a request, from the end of the last one, and for the TLS handshake.
    pub(super) head: Duration,
    /// For a request that is on its way, before its connection is closed for another one.
    pub(super) grace: Duration,
    /// For a client to take some of an answer.
    pub(super) write: Duration,
    /// For a client to take all of an answer, when others wait for its place or its memory.
    pub(super) answer: Duration,
    /// For an answer to find room in memory.
    pub(super) room: Duration,
    /// For running answers to end when the server stops.
    pub(super) drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            head: Duration::from_secs(30),
            grace: Duration::from_millis(20),
            write: Duration::from_mins(1),
            answer: Duration::from_secs(30),
            room: Duration::from_secs(10),
            drain: Duration::from_secs(10),
        }
    }
}

/// What every connection needs.
pub(super) struct Server {
    pub(super) handler: Handler,
    /// What gives blocks out, if anything does.
    pub(super) gateway: Option<Gateway>,
    /// Requests that share connections, which they do beside a gateway only.
    pub(super) streams: Arc<Streams>,
    /// The names that are answered.
    pub(super) hosts: Hosts,
    pub(super) credentials: Option<Credentials>,
    pub(super) tls: Option<Certificates>,
    /// Told when an answer waits for room in memory.
    pub(super) crowded: Arc<Notify>,
    /// Told when the files of users and certificates are to be read again.
    pub(super) reload: Arc<Notify>,
    pub(super) limits: Limits,
}

/// Serves until `stop`, then lets running answers end for a while.
pub(super) async fn serve(server: Arc<Server>, listener: TcpListener, stop: CancellationToken) {
    let limits = server.limits;
    let slots = Slots::new(Rules { slots: limits.connections, grace: limits.grace, answer: limits.answer });
    let tasks = TaskTracker::new();
    let accepting = async {
        loop {
            let (stream, client) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    refused(&error).await;
                    continue;
                }
            };
            // Those after it wait in the kernel's queue.
            let slot = slots.take(Peer::of(client)).await;
            tasks.spawn(Arc::clone(&server).run_connection(stream, client, slot, stop.clone()));
        }
    };
    let making_room = async {
        loop {
            server.crowded.notified().await;
            slots.free_documents();
        }
    };
    let reloading = async {
        loop {
            server.reload.notified().await;
            server.read_again();
        }
    };
    tokio::select! {
        () = accepting => {}
        () = making_room => {}
        () = reloading => {}
        () = stop.cancelled() => {}
    }
    drop(listener);
    tasks.close();
    if timeout(limits.drain, tasks.wait()).await.is_err() {
        tracing::warn!(connections = tasks.len(), "cutting off responses");
        slots.close();
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

impl Server {
    fn read_again(&self) {
        if let Some(tls) = &self.tls {
            tls.read_again();
        }
        if let Some(credentials) = &self.credentials {
            credentials.read_again();
        }
    }

    /// One connection, until its end or until it has to end.
    async fn run_connection(
        self: Arc<Self>,
        stream: TcpStream,
        client: SocketAddr,
        slot: Slot,
        stop: CancellationToken,
    ) {
        tokio::select! {
            () = self.begin_connection(stream, client, slot.state(), &stop) => {}
            () = slot.state().closing() => tracing::debug!(%client, "a connection is closed"),
        }
    }

    async fn begin_connection(
        self: &Arc<Self>,
        stream: TcpStream,
        client: SocketAddr,
        state: &Arc<ConnectionState>,
        stop: &CancellationToken,
    ) {
        // Answers go out whole; waiting for more would only delay their ends. Its failure costs speed, nothing else.
        let _ = stream.set_nodelay(true);
        // In boxes of their own, so that a connection takes the room of what it is, and not of all that it could be.
        match &self.tls {
            None if self.gateway.is_some() => match http2::begins(&stream, self.limits.head).await {
                Some(true) => Box::pin(self.serve_streams(stream, client, state, stop)).await,
                Some(false) => Box::pin(self.serve(stream, client, state, stop)).await,
                None => tracing::debug!(%client, "no request in time"),
            },
            None => Box::pin(self.serve(stream, client, state, stop)).await,
            Some(tls) => Box::pin(self.serve_tls(tls, stream, client, state, stop)).await,
        }
    }

    async fn serve_tls(
        self: &Arc<Self>,
        tls: &Certificates,
        stream: TcpStream,
        client: SocketAddr,
        state: &Arc<ConnectionState>,
        stop: &CancellationToken,
    ) {
        let Some(acceptor) = Box::pin(tls.acceptor()).await else { return };
        match timeout(self.limits.head, Box::pin(acceptor.accept(stream))).await {
            Ok(Ok(mut stream)) => {
                tls::bound(stream.get_mut().1);
                if stream.get_ref().1.alpn_protocol() == Some(http2::PROTOCOL) {
                    Box::pin(self.serve_streams(stream, client, state, stop)).await;
                } else {
                    Box::pin(self.serve(stream, client, state, stop)).await;
                }
            }
            Ok(Err(error)) => tracing::debug!(%client, %error, "no TLS handshake"),
            Err(_) => tracing::debug!(%client, "the TLS handshake took too long"),
        }
    }

    async fn serve<S>(&self, stream: S, client: SocketAddr, state: &Arc<ConnectionState>, stop: &CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let stream = TokioIo::new(WriteTimeout::new(stream, self.limits.write, Arc::clone(state)));
        let service = service_fn(|request| {
            // In a box, which is there only while a request is answered.
            Box::pin(async move {
                let mut response = self.answer(request, client, state).await;
                if state.slots().is_wanted() {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, std::convert::Infallible>(response)
            })
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_buf_size(BUFFER_BYTES)
            .max_headers(MAX_HEADER_FIELDS)
            .serve_connection(stream, service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.as_mut().await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%client, %error, "a connection ended early");
        }
    }

    /// A connection whose requests share it.
    async fn serve_streams<S>(
        self: &Arc<Self>,
        stream: S,
        client: SocketAddr,
        state: &Arc<ConnectionState>,
        stop: &CancellationToken,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = WriteTimeout::new(stream, self.limits.write, Arc::clone(state));
        let patience = Patience { idle: self.limits.head, stalled: self.limits.write };
        let answer = |request| {
            let (server, state) = (Arc::clone(self), Arc::clone(state));
            async move { server.answer(request, client, &state).await }
        };
        if let Err(error) = http2::serve(stream, state, &self.streams, patience, stop, answer).await {
            tracing::debug!(%client, %error, "a connection ended early");
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        client: SocketAddr,
        state: &Arc<ConnectionState>,
    ) -> Response<Answer> {
        let answering = state.begin();
        let record = Record::begin(&request, client);
        let response = match self.gateway.as_ref().filter(|_| gateway::covers(request.uri().path())) {
            // In a box: most answers are none of blocks.
            Some(gateway) => match Hosts::Any.check(&request) {
                Ok(()) => Box::pin(gateway.answer(request, state.peer(), client.ip().to_canonical())).await,
                Err(refusal) => refusal.into_response(),
            },
            None => self.answer_registry(&request, state).await,
        };
        if response.extensions().get::<Document>().is_some() {
            answering.has_document();
        }
        let record = record.map(|record| record.with_status(response.status()));
        response.map(|body| Answer { body, record, taken: None, _answering: answering })
    }

    /// What is not for everybody, and the page.
    async fn answer_registry(&self, request: &Request<Incoming>, state: &Arc<ConnectionState>) -> Response<Body> {
        let is_api = matches!(request.uri().path().as_bytes(), [b'/', b'v', b'2'] | [b'/', b'v', b'2', b'/', ..]);
        let allowed = match (self.hosts.check(request), &self.credentials) {
            (Ok(()), Some(credentials)) => credentials.check(request.headers().get(AUTHORIZATION), state.peer()).await,
            (checked, _) => checked,
        };
        let mut response = match allowed {
            Err(refusal) => refusal.into_response(),
            Ok(()) => self.handler.answer(request).await,
        };
        if is_api {
            mark(response.headers_mut());
        }
        response
    }
}

/// The body of an answer, followed to its end. Of small pieces there is one at a time: as many as fit into hyper's buffer
/// would be more than each of many clients needs.
struct Answer {
    body: Body,
    record: Option<Record>,
    /// Of the last small piece.
    taken: Option<Arc<Taken>>,
    _answering: InFlight,
}

/// Whether a piece has been sent.
#[derive(Default)]
struct Taken {
    is_taken: AtomicBool,
    waker: AtomicWaker,
}

/// A piece on its way.
struct Piece(Bytes, Arc<Taken>);

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        // The memory first: whoever is woken uses it again.
        self.0 = Bytes::new();
        self.1.is_taken.store(true, Ordering::Release);
        self.1.waker.wake();
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if let Some(taken) = &self.taken {
            taken.waker.register(context.waker());
            if !taken.is_taken.load(Ordering::Acquire) {
                return Poll::Pending;
            }
            self.taken = None;
        }
        let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)) else { return Poll::Ready(None) };
        let frame = match frame?.into_data() {
            Ok(data) => Frame::data(self.followed(data)),
            Err(other) => other,
        };
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Answer {
    fn followed(&mut self, data: Bytes) -> Bytes {
        if let Some(record) = &mut self.record {
            record.add(data.len() as u64);
        }
        if data.len() >= BUFFER_BYTES || self.body.is_end_stream() {
            return data;
        }
        let taken = Arc::clone(self.taken.insert(Arc::default()));
        Bytes::from_owner(Piece(data, taken))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use tokio::net::TcpSocket;

    use super::super::lookup::Lookup;
    use super::super::tests::memory::MemorySource;
    use super::*;

    /// A body of these pieces.
    struct Given(VecDeque<Bytes>);

    impl http_body::Body for Given {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
        }
    }

    #[tokio::test]
    async fn a_connection_takes_little_memory() {
        let server = Arc::new(Server {
            handler: Handler {
                lookup: Lookup::new(Arc::<MemorySource>::default(), Duration::ZERO, Arc::default()),
                reader: Arc::default(),
                own_names: Vec::new(),
            },
            gateway: None,
            streams: Streams::new(1),
            hosts: Hosts::Any,
            credentials: None,
            tls: None,
            crowded: Arc::default(),
            reload: Arc::default(),
            limits: Limits::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpSocket::new_v4().unwrap().connect(listener.local_addr().unwrap()).await.unwrap();
        let address = client.local_addr().unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let slots = Slots::new(Rules { slots: 1, grace: Duration::ZERO, answer: Duration::ZERO });
        let slot = slots.take(Peer::of(address)).await;
        let stop = CancellationToken::new();
        let connection = size_of_val(&server.serve(stream, address, slot.state(), &stop));
        let task = size_of_val(&Arc::clone(&server).run_connection(client, address, slot, stop.clone()));
        assert!(connection + task <= 2560, "{connection} bytes and {task} of its task");
    }

    #[tokio::test]
    async fn of_small_pieces_there_is_one_at_a_time() {
        let slots = Slots::new(Rules { slots: 1, grace: Duration::ZERO, answer: Duration::ZERO });
        let slot = slots.take(Peer::of(([192, 0, 2, 1], 1).into())).await;
        let pieces = [BUFFER_BYTES - 1, BUFFER_BYTES, 1, 1].map(|size| Bytes::from(vec![7; size]));
        let body = Body::pieces(Given(pieces.into()));
        let mut answer = Answer { body, record: None, taken: None, _answering: slot.state().begin() };
        let mut next = || {
            let mut context = Context::from_waker(futures::task::noop_waker_ref());
            Pin::new(&mut answer).poll_frame(&mut context)
        };
        let Poll::Ready(Some(Ok(small))) = next() else { panic!("a small piece") };
        assert!(next().is_pending());
        drop(small);
        // A large one fills the buffer by itself.
        let Poll::Ready(Some(Ok(_large))) = next() else { panic!("a large piece") };
        let Poll::Ready(Some(Ok(small))) = next() else { panic!("a small piece") };
        assert!(next().is_pending());
        drop(small);
        assert!(matches!(next(), Poll::Ready(Some(Ok(_)))));
        assert!(matches!(next(), Poll::Ready(None)));
    }
}
