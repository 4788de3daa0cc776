//! The body of an answer that is made while it is sent, a buffer at a time: the next one is made when the last has been taken.
//!
//! Must not know what is made.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body::{Body, Frame, SizeHint};

use super::super::buffers::Buffer;
use super::super::peer::Peer;
use super::turns::{Turns, Written};
use super::writing::Writing;
use crate::error::Result;

/// A body.
pub(super) struct WrittenBody<W> {
    turns: Arc<Turns>,
    peer: Peer,
    /// What comes first; made before the head of the answer was.
    first: Option<Result<Buffer>>,
    /// Nothing while it is being written, or after an error.
    writing: Option<W>,
    pending: Option<BoxFuture<'static, Result<Written<W>>>>,
}

impl<W: Writing> WrittenBody<W> {
    /// Goes on from what was written.
    pub(super) fn new(turns: Arc<Turns>, peer: Peer, (writing, first): Written<W>) -> Self {
        Self { turns, peer, first: Some(first), writing: Some(writing), pending: None }
    }

    /// Begins when it is taken.
    pub(super) fn later(turns: Arc<Turns>, peer: Peer, writing: W) -> Self {
        Self { turns, peer, first: None, writing: Some(writing), pending: None }
    }

    fn poll_written(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Buffer>>> {
        if let Some(first) = self.first.take() {
            // What a turn was too short for is made in the next one.
            if first.as_ref().map_or(true, |buffer| !buffer.as_ref().is_empty()) {
                return Poll::Ready(Some(first));
            }
        }
        if self.pending.is_none() {
            let Some(writing) = self.writing.take_if(|writing| !writing.is_done()) else { return Poll::Ready(None) };
            let (turns, peer) = (Arc::clone(&self.turns), self.peer);
            self.pending = Some(Box::pin(async move { turns.write(peer, writing).await }));
        }
        let Some(pending) = self.pending.as_mut() else { return Poll::Ready(None) };
        let written = ready!(pending.as_mut().poll(context));
        self.pending = None;
        let buffer = match written {
            Ok((writing, buffer)) => {
                self.writing = Some(writing);
                buffer
            }
            Err(error) => Err(error),
        };
        Poll::Ready(match buffer {
            Ok(buffer) if buffer.as_ref().is_empty() => None,
            other => Some(other),
        })
    }
}

impl<W: Writing + Unpin> Body for WrittenBody<W> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let Some(written) = ready!(self.poll_written(context)) else { return Poll::Ready(None) };
        Poll::Ready(Some(match written {
            Ok(buffer) => {
                self.turns.source().gave(self.peer.ip(), buffer.as_ref().len() as u64);
                Ok(Frame::data(Bytes::from_owner(buffer)))
            }
            Err(error) => {
                // The status line is out: all that is left is to cut the connection, so that the client notices.
                tracing::error!(%error, "blocks can't be sent to their end");
                self.writing = None;
                Err(io::Error::other(error))
            }
        }))
    }

    fn is_end_stream(&self) -> bool {
        let is_written = self.first.is_none() && self.pending.is_none();
        is_written && self.writing.as_ref().is_none_or(Writing::is_done)
    }

    fn size_hint(&self) -> SizeHint {
        let first = match &self.first {
            Some(Ok(buffer)) => buffer.as_ref().len() as u64,
            _ => 0,
        };
        match self.writing.as_ref().and_then(Writing::remaining) {
            Some(rest) if self.pending.is_none() => SizeHint::with_exact(first + rest),
            _ => SizeHint::default(),
        }
    }
}
