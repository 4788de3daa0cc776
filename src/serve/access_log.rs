//! One line per request, when its answer is out or broken off.
//!
//! Logs the path without its query and no header, so that no credential gets into a log.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::Body;
use axum::http::{Method, Request, Response};
use bytes::Bytes;
use http_body::{Frame, SizeHint};

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

    /// Follows the answer to its end.
    pub(super) fn follow(mut self, response: Response<Body>) -> Response<Body> {
        self.status = response.status().as_u16();
        response.map(|body| Body::new(Followed { body, record: self }))
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

struct Followed {
    body: Body,
    record: Record,
}

impl http_body::Body for Followed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.record.bytes += data.len() as u64;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
