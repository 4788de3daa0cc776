//! The body of an answer: bytes that are in memory, or pieces that come one after the other.
//!
//! Must not know where either comes from.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

type Pieces = Pin<Box<dyn http_body::Body<Data = Bytes, Error = io::Error> + Send>>;

/// What follows the head of an answer.
pub(super) enum Body {
    /// One piece; nothing if it is empty.
    Bytes(Bytes),
    Pieces(Pieces),
    /// Pieces that are in memory.
    InMemory(VecDeque<Bytes>),
}

impl Body {
    /// A body of pieces.
    pub(super) fn pieces(body: impl http_body::Body<Data = Bytes, Error = io::Error> + Send + 'static) -> Self {
        Self::Pieces(Box::pin(body))
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match &mut *self {
            Self::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Pieces(pieces) => pieces.as_mut().poll_frame(context),
            Self::InMemory(pieces) => Poll::Ready(pieces.pop_front().map(|piece| Ok(Frame::data(piece)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Pieces(pieces) => pieces.is_end_stream(),
            Self::InMemory(pieces) => pieces.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Pieces(pieces) => pieces.size_hint(),
            Self::InMemory(pieces) => SizeHint::with_exact(pieces.iter().map(|piece| piece.len() as u64).sum()),
        }
    }
}
