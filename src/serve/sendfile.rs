//! Parts of files that go to a plain connection without passing through this program's memory, by `sendfile(2)`.
//!
//! hyper writes bytes that a body gives it and knows no files. So a body leaves the part of the file with its connection
//! ([`Outgoing`]) and gives hyper a placeholder of the same length; [`SendFile`] knows the placeholder by its address when it
//! is to be written, and sends the part instead. No byte of a placeholder is ever sent: what does not fit together ends the
//! connection. Must not know what is in a file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// Bytes of the largest part that is sent at once.
pub(super) const MAX_PART: usize = 1 << 20;

/// What stands for every part, as far as it is long: nobody reads it, so that it takes no memory.
static PLACEHOLDER: LazyLock<Box<[u8]>> = LazyLock::new(|| vec![0; MAX_PART].into_boxed_slice());

tokio::task_local! {
    /// The connection that a task serves.
    static CONNECTION: Arc<Outgoing>;
}

/// A part of a file.
#[derive(Debug)]
struct Part {
    file: Arc<File>,
    offset: u64,
    left: usize,
}

/// What is left with a connection to be sent.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    parts: Mutex<VecDeque<Part>>,
    /// Some file here can't be sent so.
    refused: AtomicBool,
}

impl Outgoing {
    /// That of the connection which the current task serves, if files can be sent over it.
    pub(super) fn current() -> Option<Arc<Self>> {
        let current = CONNECTION.try_with(Arc::clone).ok()?;
        (cfg!(target_os = "linux") && !current.refused.load(Ordering::Relaxed)).then_some(current)
    }

    /// Takes up to `length` bytes of a file, which must be there; gives what stands for them, at most [`MAX_PART`].
    pub(super) fn leave(&self, file: Arc<File>, offset: u64, length: u64) -> Bytes {
        let left = usize::try_from(length).unwrap_or(usize::MAX).min(MAX_PART);
        self.parts().push_back(Part { file, offset, left });
        Bytes::from_static(&PLACEHOLDER[..left])
    }

    fn parts(&self) -> MutexGuard<'_, VecDeque<Part>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_placeholder(slice: &IoSlice<'_>) -> bool {
    !slice.is_empty() && PLACEHOLDER.as_ptr_range().contains(&slice.as_ptr())
}

/// A connection over which parts of files can be sent.
#[derive(Debug)]
pub(super) struct SendFile {
    stream: TcpStream,
    outgoing: Arc<Outgoing>,
}

/// Serves a connection so that bodies made meanwhile can send files over it.
pub(super) async fn over<F: Future>(stream: TcpStream, serve: impl FnOnce(SendFile) -> F) -> F::Output {
    let outgoing = Arc::<Outgoing>::default();
    let stream = SendFile { stream, outgoing: Arc::clone(&outgoing) };
    CONNECTION.scope(outgoing, serve(stream)).await
}

impl SendFile {
    /// Sends some of the first part, of which hyper has `expected` bytes left.
    fn poll_send(&mut self, context: &mut Context<'_>, expected: usize) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(context))?;
            let mut parts = self.outgoing.parts();
            let Some(part) = parts.front_mut().filter(|part| part.left == expected) else {
                return Poll::Ready(Err(lost()));
            };
            let stream = &self.stream;
            let outgoing = &self.outgoing;
            let sent = stream.try_io(Interest::WRITABLE, || match send(stream, part) {
                Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
                    outgoing.refused.store(true, Ordering::Relaxed);
                    copy(stream, part)
                }
                sent => sent,
            });
            match sent {
                Ok(0) => return Poll::Ready(Err(ErrorKind::UnexpectedEof.into())),
                Ok(count) => {
                    part.offset += count as u64;
                    part.left -= count;
                    if part.left == 0 {
                        parts.pop_front();
                    }
                    return Poll::Ready(Ok(count));
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

fn lost() -> io::Error {
    io::Error::other("what is to be written is not the part of a file that was left for it")
}

#[cfg(target_os = "linux")]
fn send(stream: &TcpStream, part: &Part) -> io::Result<usize> {
    let mut offset = part.offset;
    Ok(rustix::fs::sendfile(stream, &part.file, Some(&mut offset), part.left)?)
}

#[cfg(not(target_os = "linux"))]
fn send(_: &TcpStream, _: &Part) -> io::Result<usize> {
    Err(ErrorKind::Unsupported.into())
}

/// The same by way of memory, for a file system that can't.
fn copy(stream: &TcpStream, part: &Part) -> io::Result<usize> {
    let mut buffer = vec![0; part.left.min(64 << 10)];
    let count = std::os::unix::fs::FileExt::read_at(&*part.file, &mut buffer, part.offset)?;
    if count == 0 {
        return Ok(0);
    }
    Ok(rustix::io::write(stream, &buffer[..count])?)
}

impl AsyncRead for SendFile {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for SendFile {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let (before, part) = match slices.iter().position(is_placeholder) {
            Some(place) => (&slices[..place], Some(slices[place].len())),
            // Were a placeholder copied, its part would still be here.
            None if !self.outgoing.parts().is_empty() => return Poll::Ready(Err(lost())),
            None => (slices, None),
        };
        match part {
            Some(expected) if before.iter().all(|slice| slice.is_empty()) => self.poll_send(context, expected),
            _ => Pin::new(&mut self.stream).poll_write_vectored(context, before),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connecting = TcpStream::connect(listener.local_addr().unwrap());
        let (accepted, connected) = tokio::join!(listener.accept(), connecting);
        (accepted.unwrap().0, connected.unwrap())
    }

    fn file(bytes: &[u8]) -> Arc<File> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Arc::new(file)
    }

    async fn write_all(stream: &mut SendFile, pieces: &[&[u8]]) -> io::Result<()> {
        let mut left: VecDeque<&[u8]> = pieces.iter().copied().collect();
        while !left.is_empty() {
            let slices: Vec<IoSlice<'_>> = left.iter().map(|piece| IoSlice::new(piece)).collect();
            let mut written = stream.write_vectored(&slices).await?;
            while let Some(first) = left.front_mut()
                && written >= first.len()
            {
                written -= first.len();
                left.pop_front();
            }
            if let Some(first) = left.front_mut() {
                *first = &first[written..];
            }
        }
        Ok(())
    }

    #[tokio::test]
    async fn parts_of_files_go_where_their_placeholders_are() {
        let (near, mut far) = pair().await;
        let content: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
        let file = file(&content);
        let reading = tokio::spawn(async move {
            let mut read = Vec::new();
            far.read_to_end(&mut read).await.unwrap();
            read
        });
        over(near, |mut stream| async move {
            assert!(Outgoing::current().is_some());
            let outgoing = Outgoing::current().unwrap();
            let first = outgoing.leave(Arc::clone(&file), 5, 2_000_000);
            assert_eq!(first.len(), MAX_PART);
            let second = outgoing.leave(Arc::clone(&file), 2_999_990, 10);
            write_all(&mut stream, &[b"head", &first, b"", &second, b"tail"]).await.unwrap();
            write_all(&mut stream, &[b"next"]).await.unwrap();
            let third = outgoing.leave(Arc::clone(&file), 0, 3);
            write_all(&mut stream, &[&third]).await.unwrap();
        })
        .await;
        assert!(Outgoing::current().is_none());
        let part = &content[5..5 + MAX_PART];
        assert!(reading.await.unwrap() == [b"head", part, &content[2_999_990..], b"tailnext", &content[..3]].concat());
    }

    #[tokio::test]
    async fn what_does_not_fit_together_is_not_sent() {
        let (near, _far) = pair().await;
        over(near, |mut stream| async move {
            let outgoing = Outgoing::current().unwrap();
            let placeholder = outgoing.leave(file(b"0123456789"), 0, 10);
            // Copied, cut, or without its part.
            let copied = placeholder.to_vec();
            for wrong in [&copied[..], &placeholder[..5]] {
                write_all(&mut stream, &[wrong]).await.unwrap_err();
            }
            write_all(&mut stream, &[&placeholder]).await.unwrap();
            write_all(&mut stream, &[&placeholder]).await.unwrap_err();
            // A file that became shorter.
            let missing = outgoing.leave(file(b"0123"), 0, 10);
            write_all(&mut stream, &[&missing]).await.unwrap_err();
        })
        .await;
    }

    #[tokio::test]
    async fn a_file_that_can_not_be_sent_is_copied() {
        let (near, mut far) = pair().await;
        over(near, |mut stream| async move {
            let outgoing = Outgoing::current().unwrap();
            // Nothing but the address of what is no file to `sendfile`, and can be read.
            let strange = Arc::new(File::open("/proc/self/cmdline").unwrap());
            let expected = std::fs::read("/proc/self/cmdline").unwrap();
            let placeholder = outgoing.leave(strange, 0, expected.len() as u64);
            write_all(&mut stream, &[&placeholder]).await.unwrap();
            let mut read = vec![0; expected.len()];
            far.read_exact(&mut read).await.unwrap();
            assert!(read == expected);
        })
        .await;
    }
}
