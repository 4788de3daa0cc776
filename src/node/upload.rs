//! An upload to a node, which is watched: whether the node takes more of it, and whether it could be read to its end.
//!
//! Knows pieces of a CAR and clocks. Must not know who takes them.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use tokio::time::{Instant, sleep_until};

use super::CarStream;

/// Who is waited for.
#[derive(Debug)]
enum Waiting {
    Source,
    /// The node, which has not taken more since then.
    Node(Instant),
    /// Nobody any more: what was to be sent could not be read.
    Nobody(String),
}

/// How an upload gets on.
#[derive(Debug, Clone)]
pub(super) struct Upload(Arc<Mutex<Waiting>>);

impl Upload {
    /// Watches a CAR on its way: the same stream, and how it gets on.
    pub(super) fn watched(car: CarStream) -> (Self, impl Stream<Item = io::Result<Bytes>> + Send + 'static) {
        let upload = Self(Arc::new(Mutex::new(Waiting::Node(Instant::now()))));
        let seen = upload.clone();
        let pieces = stream::unfold(Some(car), move |car| {
            let upload = seen.clone();
            async move {
                let mut car = car?;
                upload.note(Waiting::Source);
                let piece = car.next().await;
                upload.note(match &piece {
                    Some(Err(error)) => Waiting::Nobody(error.to_string()),
                    _ => Waiting::Node(Instant::now()),
                });
                let rest = matches!(piece, Some(Ok(_))).then_some(car);
                piece.map(|piece| (piece, rest))
            }
        });
        (upload, pieces)
    }

    fn note(&self, waiting: Waiting) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = waiting;
    }

    /// Ends once the node was waited for that long.
    pub(super) async fn stalled(&self, limit: Duration) {
        loop {
            let until = match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
                Waiting::Node(since) => *since + limit,
                Waiting::Source | Waiting::Nobody(_) => Instant::now() + limit,
            };
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }

    /// Why what was to be sent could not be read.
    pub(super) fn unreadable(&self) -> Option<String> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Waiting::Nobody(why) => Some(why.clone()),
            Waiting::Source | Waiting::Node(_) => None,
        }
    }
}
