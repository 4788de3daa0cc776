//! What `watch` hears all the time: signals, and who asks for /metrics and /healthz.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::engine::Engine;
use crate::error::{Context as _, Error, Kind, Result};
use crate::rules::Period;

/// How many periods may pass without a run that went right.
const MAX_MISSED_PERIODS: u64 = 2;

/// What a signal wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// Everything is carried out now.
    HangUp,
    /// It ends.
    Stop,
}

/// Whether runs go right.
#[derive(Debug)]
pub(super) struct Health {
    every: Period,
    /// When one went right last, in seconds since 1970; at first, when this began.
    good_at: AtomicI64,
    last_good: AtomicBool,
}

impl Health {
    pub(super) fn new(every: Period) -> Self {
        Self { every, good_at: AtomicI64::new(now()), last_good: AtomicBool::new(true) }
    }

    /// Notes how a run ended.
    pub(super) fn ran(&self, well: bool) {
        self.last_good.store(well, Ordering::Relaxed);
        if well {
            self.good_at.store(now(), Ordering::Relaxed);
        }
    }

    /// What is wrong, if anything is.
    fn fault(&self) -> Option<&'static str> {
        let since = now().saturating_sub(self.good_at.load(Ordering::Relaxed));
        let most = i64::try_from(self.every.seconds().saturating_mul(MAX_MISSED_PERIODS)).unwrap_or(i64::MAX);
        if !self.last_good.load(Ordering::Relaxed) {
            return Some("the last run failed");
        }
        (since > most).then_some("no run went right for too long")
    }
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
            let router = Router::new()
                .route("/metrics", get(move || metrics(Arc::clone(&engine))))
                .route("/healthz", get(move || std::future::ready(healthz(&health))));
            tokio::spawn(async move { axum::serve(listener, router).await });
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

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_that_of_the_last_run() {
        let health = Health::new("1h".parse().unwrap());
        assert_eq!(health.fault(), None);
        health.ran(false);
        assert_eq!(health.fault(), Some("the last run failed"));
        health.ran(true);
        assert_eq!(health.fault(), None);
        health.good_at.store(now() - 3 * 3600, Ordering::Relaxed);
        assert_eq!(health.fault(), Some("no run went right for too long"));
    }
}
