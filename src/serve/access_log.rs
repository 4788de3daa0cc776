//! One line per request, when its answer is out or broken off.
//!
//! Logs the path without its query and no header, so that no credential gets into a log.

use std::net::SocketAddr;
use std::time::Instant;

use axum::http::{Method, Request, StatusCode};

use crate::text::printable_within;

/// What is known of a request before it is answered.
pub(super) struct Record {
    method: Method,
    path: String,
    client: SocketAddr,
    start: Instant,
    status: u16,
    bytes: u64,
}

impl Record {
    /// Begins a record; nothing if nobody reads the log.
    pub(super) fn begin<T>(request: &Request<T>, client: SocketAddr) -> Option<Self> {
        tracing::enabled!(tracing::Level::INFO).then(|| Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            client,
            start: Instant::now(),
            status: 0,
            bytes: 0,
        })
    }

    /// The same, of a request that is answered so.
    pub(super) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status.as_u16();
        self
    }

    /// Counts bytes of the answer.
    pub(super) fn add(&mut self, bytes: u64) {
        self.bytes += bytes;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        tracing::info!(
            method = %self.method,
            path = printable_within(&self.path, 400),
            status = self.status,
            bytes = self.bytes,
            milliseconds = self.start.elapsed().as_millis() as u64,
            client = %self.client,
            "request"
        );
    }
}
