//! A stream that gives up on a client that takes nothing for too long.
//!
//! Knows time and streams. A client that stops reading would otherwise hold its buffer and its place for ever.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::slots::ConnectionState;

/// A stream whose writes fail when none of them gets on for the given time.
pub(super) struct WriteTimeout<S> {
    stream: S,
    limit: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
    running: bool,
    state: Arc<ConnectionState>,
}

impl<S> WriteTimeout<S> {
    /// Waits for `limit` at most, and tells the connection's state when something waits to be taken.
    pub(super) fn new(stream: S, limit: Duration, state: Arc<ConnectionState>) -> Self {
        Self { stream, limit, deadline: None, running: false, state }
    }

    fn watch<T>(&mut self, context: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            if self.running {
                self.running = false;
                self.state.sending(false);
            }
            return result;
        }
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(self.limit)));
        if !self.running {
            self.running = true;
            self.state.sending(true);
            deadline.as_mut().reset(Instant::now() + self.limit);
        }
        deadline.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeout<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(context, result)
    }
}

#[cfg(test)]
mod tests {
    use futures::poll;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::super::peer::Peer;
    use super::super::slots::{Rules, Slots};
    use super::*;

    async fn patience<S>(stream: S, limit: Duration) -> WriteTimeout<S> {
        let slots = Slots::new(Rules { slots: 1, grace: limit, answer: limit });
        let slot = slots.take(Peer::of(([192, 0, 2, 1], 1).into())).await;
        WriteTimeout::new(stream, limit, Arc::clone(slot.state()))
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (near, _far) = duplex(1);
        let mut near = patience(near, Duration::from_millis(50)).await;
        near.write_all(b"1").await.unwrap();
        let start = Instant::now();
        assert_eq!(near.write_all(b"2").await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() >= Duration::from_millis(50));
    }

    #[tokio::test]
    async fn each_byte_taken_gives_the_whole_time_again() {
        let (near, mut far) = duplex(1);
        let mut near = patience(near, Duration::from_hours(1)).await;
        near.write_all(b"1").await.unwrap();
        let mut writing = Box::pin(near.write_all(b"2"));
        assert!(poll!(&mut writing).is_pending());
        far.read_u8().await.unwrap();
        writing.await.unwrap();
        assert!(!near.running);
        let first = near.deadline.as_ref().unwrap().deadline();
        assert!(poll!(Box::pin(near.write_all(b"3"))).is_pending());
        assert!(near.running && near.deadline.as_ref().unwrap().deadline() > first);
    }
}
