//! The muxer over a stream that gathers what is written, so that a message leaves in few large pieces.
//!
//! yamux writes the 12 bytes of each frame's header and then up to 16 KiB of its body, and flushes after both: over TLS that is two
//! records and two calls of the system for each frame. Knows no protocol.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite, future};
use libp2p::core::UpgradeInfo;
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade};
use libp2p::yamux;

/// What is gathered at most before it leaves.
const MAX_GATHERED_BYTES: usize = 64 << 10;

/// yamux over a [`Gathering`] stream.
#[derive(Debug, Clone)]
pub(super) struct Muxer(pub(super) yamux::Config);

impl UpgradeInfo for Muxer {
    type Info = <yamux::Config as UpgradeInfo>::Info;
    type InfoIter = <yamux::Config as UpgradeInfo>::InfoIter;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.protocol_info()
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> InboundConnectionUpgrade<S> for Muxer {
    type Output = yamux::Muxer<Gathering<S>>;
    type Error = io::Error;
    type Future = future::Ready<io::Result<Self::Output>>;

    fn upgrade_inbound(self, stream: S, info: Self::Info) -> Self::Future {
        self.0.upgrade_inbound(Gathering::new(stream), info)
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> OutboundConnectionUpgrade<S> for Muxer {
    type Output = yamux::Muxer<Gathering<S>>;
    type Error = io::Error;
    type Future = future::Ready<io::Result<Self::Output>>;

    fn upgrade_outbound(self, stream: S, info: Self::Info) -> Self::Future {
        self.0.upgrade_outbound(Gathering::new(stream), info)
    }
}

/// A stream for one writer that flushes after each piece, and is polled again when it is woken.
///
/// A flush right after a write is put off, and the writer woken: what it has not written until it flushes again is not worth waiting
/// for. Without anything gathered there is no buffer.
#[derive(Debug)]
pub(super) struct Gathering<S> {
    stream: S,
    gathered: Vec<u8>,
    /// What of that has left.
    at: usize,
    /// Something was written since the last flush.
    is_fresh: bool,
}

impl<S> Gathering<S> {
    fn new(stream: S) -> Self {
        Self { stream, gathered: Vec::new(), at: 0, is_fresh: false }
    }
}

impl<S: AsyncWrite + Unpin> Gathering<S> {
    /// Writes everything that is gathered.
    fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.at < self.gathered.len() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.gathered[self.at..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.at += written,
            }
        }
        self.gathered.clear();
        self.at = 0;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathering<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathering<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        if self.gathered.len() + data.len() > MAX_GATHERED_BYTES {
            ready!(self.poll_empty(cx))?;
        }
        let taken = data.len().min(MAX_GATHERED_BYTES);
        self.gathered.extend_from_slice(&data[..taken]);
        self.is_fresh = true;
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_fresh {
            self.is_fresh = false;
            cx.waker().wake_by_ref();
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_empty(cx))?;
        self.gathered = Vec::new();
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(cx))?;
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::task::{Wake, Waker};

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    /// Keeps what is written, piece by piece; takes so much at once.
    #[derive(Default)]
    struct Sink {
        pieces: Vec<Vec<u8>>,
        room: usize,
        flushed: usize,
        is_closed: bool,
    }

    impl AsyncWrite for Sink {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
            let taken = data.len().min(self.room);
            if taken == 0 {
                return Poll::Pending;
            }
            self.room -= taken;
            self.pieces.push(data[..taken].to_vec());
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.flushed += 1;
            Poll::Ready(Ok(()))
        }

        fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.is_closed = true;
            Poll::Ready(Ok(()))
        }
    }

    struct Case {
        gathering: Gathering<Sink>,
        woken: Arc<Woken>,
    }

    impl Case {
        fn new(room: usize) -> Self {
            Self { gathering: Gathering::new(Sink { room, ..Sink::default() }), woken: Arc::default() }
        }

        fn with<T>(&mut self, poll: impl FnOnce(Pin<&mut Gathering<Sink>>, &mut Context<'_>) -> T) -> T {
            let waker = Waker::from(Arc::clone(&self.woken));
            poll(Pin::new(&mut self.gathering), &mut Context::from_waker(&waker))
        }

        fn write(&mut self, data: &[u8]) -> Option<usize> {
            match self.with(|stream, cx| stream.poll_write(cx, data)) {
                Poll::Ready(written) => Some(written.expect("no error")),
                Poll::Pending => None,
            }
        }

        fn flush(&mut self) -> bool {
            self.with(AsyncWrite::poll_flush).is_ready()
        }

        fn lengths(&self) -> Vec<usize> {
            self.gathering.stream.pieces.iter().map(Vec::len).collect()
        }
    }

    #[test]
    fn what_is_flushed_after_each_piece_leaves_at_once() {
        let mut case = Case::new(usize::MAX);
        for _ in 0..3 {
            assert_eq!((case.write(&[1; 12]), case.write(&[2; 1000])), (Some(12), Some(1000)));
            assert!(case.flush());
        }
        assert_eq!((case.lengths(), case.woken.0.load(Relaxed)), (vec![], 3));
        // The writer is woken, has nothing more to say, and flushes again.
        assert!(case.flush());
        assert_eq!((case.lengths(), case.gathering.stream.flushed), (vec![3036], 1));
        assert_eq!((case.woken.0.load(Relaxed), case.gathering.gathered.capacity()), (3, 0));
    }

    #[test]
    fn a_full_buffer_leaves_without_a_flush_and_in_order() {
        let mut case = Case::new(usize::MAX);
        let frame: Vec<u8> = (0..16384).map(|at: usize| at as u8).collect();
        let mut expected = Vec::new();
        for _ in 0..20 {
            assert_eq!(case.write(&frame), Some(frame.len()));
            expected.extend_from_slice(&frame);
            case.flush();
        }
        assert!(case.lengths().iter().all(|length| *length == MAX_GATHERED_BYTES));
        assert!(case.flush());
        assert_eq!(case.gathering.stream.pieces.concat(), expected);
        assert_eq!(case.write(&vec![0; 2 * MAX_GATHERED_BYTES]), Some(MAX_GATHERED_BYTES));
    }

    #[test]
    fn a_stream_that_takes_nothing_holds_the_writer() {
        let mut case = Case::new(100);
        assert_eq!(case.write(&vec![1; MAX_GATHERED_BYTES]), Some(MAX_GATHERED_BYTES));
        assert_eq!(case.write(&[2]), None);
        assert_eq!(case.lengths(), [100]);
        case.gathering.stream.room = usize::MAX;
        assert_eq!(case.write(&[2]), Some(1));
        assert!(case.with(AsyncWrite::poll_close).is_ready());
        assert_eq!(case.gathering.stream.pieces.concat().len(), MAX_GATHERED_BYTES + 1);
        assert!(case.gathering.stream.is_closed);
    }
}
