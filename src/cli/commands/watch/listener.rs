//! What `watch` hears all the time: signals, and who asks for /metrics and /healthz.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use axum::http::{Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::AbortHandle;

use super::health::Health;
use crate::engine::Engine;
use crate::error::{Context as _, Error, Kind, Result};

/// Connections at once; beyond that the one that came first is closed, so that those who only wait keep nobody out.
const MAX_CONNECTIONS: usize = 16;
/// How long the head of a request may take, also of a further one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of the largest head of a request.
const MAX_HEAD_BYTES: usize = 8 << 10;
/// How long nobody is accepted after a connection could not be, for lack of files perhaps.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a signal wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// Everything is carried out now.
    HangUp,
    /// It ends.
    Stop,
}

/// A thread that hears.
pub(super) struct Listener {
    /// Where it listens, if it does.
    pub(super) address: Option<SocketAddr>,
    pub(super) signals: Receiver<Signal>,
}

impl Listener {
    pub(super) fn start(engine: Arc<Engine>, health: Arc<Health>, listen: Option<SocketAddr>) -> Result<Self> {
        let (tell, signals) = channel();
        let (ready, is_ready) = channel();
        thread::Builder::new()
            .name("listener".to_owned())
            .spawn(move || {
                let ended = hear(engine, health, listen, &tell, &ready);
                // Whoever waits hears why nobody listens.
                if let Err(error) = ended {
                    let _ = ready.send(Err(error));
                }
            })
            .context(|| "can't start the thread that listens")?;
        let address = is_ready
            .recv()
            .map_err(|_| Error::new(Kind::Unexpected, "the thread that listens ended"))
            .and_then(|address| address)?;
        Ok(Self { address, signals })
    }
}

fn hear(
    engine: Arc<Engine>,
    health: Arc<Health>,
    listen: Option<SocketAddr>,
    tell: &Sender<Signal>,
    ready: &Sender<Result<Option<SocketAddr>>>,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context(|| "can't start the thread that listens")?;
    runtime.block_on(async {
        let can = |kind| signal(kind).context(|| "can't listen for signals");
        let mut hang_up = can(SignalKind::hangup())?;
        let (mut terminate, mut interrupt) = (can(SignalKind::terminate())?, can(SignalKind::interrupt())?);
        let mut address = None;
        if let Some(listen) = listen {
            let listener = TcpListener::bind(listen).await.context(|| format!("can't listen on {listen}"))?;
            address = Some(listener.local_addr().context(|| format!("can't listen on {listen}"))?);
            tokio::spawn(serve(listener, Arc::new(Served { engine, health })));
        }
        let _ = ready.send(Ok(address));
        loop {
            let heard = tokio::select! {
                _ = hang_up.recv() => Signal::HangUp,
                _ = terminate.recv() => Signal::Stop,
                _ = interrupt.recv() => Signal::Stop,
            };
            if tell.send(heard).is_err() {
                return Ok(());
            }
        }
    })
}

/// What is given out.
struct Served {
    engine: Arc<Engine>,
    health: Arc<Health>,
}

/// Accepts connections for as long as the process runs.
async fn serve(listener: TcpListener, served: Arc<Served>) {
    let mut connections: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "a connection can't be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        connections.retain(|connection| !connection.is_finished());
        while connections.len() >= MAX_CONNECTIONS {
            connections.pop_front().iter().for_each(AbortHandle::abort);
        }
        connections.push_back(tokio::spawn(connection(stream, Arc::clone(&served))).abort_handle());
    }
}

async fn connection(stream: TcpStream, served: Arc<Served>) {
    let service = service_fn(|request: Request<Incoming>| {
        let served = Arc::clone(&served);
        async move { Ok::<_, Infallible>(served.answer(request.method(), request.uri().path()).await) }
    });
    let ended = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

impl Served {
    async fn answer(&self, method: &Method, path: &str) -> Response {
        match path {
            "/metrics" | "/healthz" if !matches!(*method, Method::GET | Method::HEAD) => {
                (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response()
            }
            "/metrics" => metrics(Arc::clone(&self.engine)).await,
            "/healthz" => healthz(&self.health),
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    }
}

async fn metrics(engine: Arc<Engine>) -> Response {
    let figures = tokio::task::spawn_blocking(move || engine.rule_figures()).await;
    match figures {
        Ok(Ok(figures)) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], figures.text()).into_response(),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the figures can't be read");
            (StatusCode::INTERNAL_SERVER_ERROR, "the figures can't be read\n").into_response()
        }
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the figures can't be read\n").into_response(),
    }
}

fn healthz(health: &Health) -> Response {
    match health.fault() {
        None => "ok\n".into_response(),
        Some(fault) => (StatusCode::SERVICE_UNAVAILABLE, format!("{fault}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn served() -> (SocketAddr, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let options = crate::engine::Options {
            data_dir: directory.path().join("registry"),
            registries: crate::registry::Options::new(crate::registry::credentials::Environment::default()),
            wait: Duration::from_secs(1),
            local_discovery: false,
            profile: None,
        };
        let health = Arc::new(Health::new("1h".parse().unwrap()));
        let served = Served { engine: Engine::open(options).unwrap(), health };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, Arc::new(served)));
        (address, directory)
    }

    /// Status line of what is answered.
    async fn ask(address: SocketAddr, head: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("{head}\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn only_figures_and_health_are_given_out() {
        let (address, _directory) = served().await;
        assert_eq!(ask(address, "GET /healthz HTTP/1.1").await, "HTTP/1.1 200 OK");
        assert_eq!(ask(address, "HEAD /metrics HTTP/1.1").await, "HTTP/1.1 200 OK");
        assert_eq!(ask(address, "POST /metrics HTTP/1.1").await, "HTTP/1.1 405 Method Not Allowed");
        assert_eq!(ask(address, "GET /v2/ HTTP/1.1").await, "HTTP/1.1 404 Not Found");
    }

    #[tokio::test]
    async fn those_who_ask_nothing_keep_nobody_out_and_no_file_open() {
        let (address, _directory) = served().await;
        let mut idle = Vec::new();
        for _ in 0..5 * MAX_CONNECTIONS {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost:").await.unwrap();
            idle.push(stream);
        }
        assert_eq!(ask(address, "GET /healthz HTTP/1.1").await, "HTTP/1.1 200 OK");
        // Those that came first were closed for those that came later.
        for mut stream in idle.drain(..4 * MAX_CONNECTIONS) {
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    }
}
