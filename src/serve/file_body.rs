//! A response body that comes from a file, in constant memory; the file may still be on its way.
//!
//! What the page cache holds is copied right here, without a change of thread (`preadv2` with `RWF_NOWAIT`); what it does
//! not hold is read by a thread that may wait for the disk. Must not know what the file is.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::Semaphore;

use super::buffers::{Buffer, Buffers};
use crate::engine::Arrival;
use crate::error;

/// Threads that may wait for the disk at once.
const MAX_WAITING_READS: usize = 16;

/// What all file bodies of a server share.
#[derive(Debug)]
pub(super) struct Reader {
    buffers: Arc<Buffers>,
    waiting: Arc<Semaphore>,
}

impl Default for Reader {
    fn default() -> Self {
        Self { buffers: Arc::default(), waiting: Arc::new(Semaphore::new(MAX_WAITING_READS)) }
    }
}

impl Reader {
    /// The buffers, for what else is sent in pieces.
    pub(super) fn buffers(&self) -> Arc<Buffers> {
        Arc::clone(&self.buffers)
    }
}

/// Where a body's bytes are.
pub(super) enum Origin {
    /// All of them are in this file.
    Whole(Arc<File>),
    /// They come while they are given out.
    Arriving(Arrival),
}

/// What waiting for more of a file brings: from where, and up to which byte.
type Reached = (Arrival, error::Result<(Arc<File>, u64)>);

/// A part of a file.
pub(super) struct FileBody {
    /// With how many of its first bytes can be read; nothing before any can.
    file: Option<(Arc<File>, u64)>,
    /// Where more comes from; nothing while it is being waited for.
    arrival: Option<Arrival>,
    arriving: Option<BoxFuture<'static, Reached>>,
    position: u64,
    remaining: u64,
    /// Whether this file system can say at once that it would have to wait.
    can_tell: bool,
    reader: Arc<Reader>,
    pending: Option<BoxFuture<'static, io::Result<Buffer>>>,
}

impl FileBody {
    /// The `length` bytes from `start`, which must be there.
    pub(super) fn new(origin: Origin, start: u64, length: u64, reader: Arc<Reader>) -> Self {
        let (file, arrival) = match origin {
            Origin::Whole(file) => (Some((file, u64::MAX)), None),
            Origin::Arriving(arrival) => (None, Some(arrival)),
        };
        let (position, remaining) = (start, length);
        Self { file, arrival, arriving: None, position, remaining, can_tell: true, reader, pending: None }
    }

    /// The file and how many bytes can be read from it now: at least one, or an error.
    fn poll_file(&mut self, context: &mut Context<'_>) -> Poll<io::Result<(Arc<File>, u64)>> {
        loop {
            if let Some((file, end)) = &self.file
                && self.position < *end
            {
                return Poll::Ready(Ok((Arc::clone(file), self.remaining.min(*end - self.position))));
            }
            if let Some(mut arrival) = self.arrival.take() {
                let position = self.position;
                self.arriving = Some(Box::pin(async move {
                    let reached = arrival.reaches(position).await;
                    (arrival, reached)
                }));
            }
            let Some(arriving) = self.arriving.as_mut() else { return Poll::Ready(Err(cut_short())) };
            let (arrival, reached) = ready!(arriving.as_mut().poll(context));
            self.arriving = None;
            self.arrival = Some(arrival);
            self.file = Some(reached.map_err(io::Error::other)?);
        }
    }

    /// The next piece, if it is in memory.
    fn read_now(&mut self, file: &File, wanted: u64, mut buffer: Buffer) -> Result<io::Result<Buffer>, Buffer> {
        while self.can_tell {
            return match at_once(file, buffer.space(wanted), self.position) {
                Ok(0) => Ok(Err(cut_short())),
                Ok(count) => Ok(Ok(buffer.filled(count))),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => continue,
                    ErrorKind::WouldBlock => Err(buffer),
                    ErrorKind::Unsupported | ErrorKind::InvalidInput => {
                        self.can_tell = false;
                        Err(buffer)
                    }
                    _ => Ok(Err(error)),
                },
            };
        }
        Err(buffer)
    }

    /// The next piece, by a thread that may wait.
    fn read_later(&self, file: Arc<File>, wanted: u64, mut buffer: Buffer) -> BoxFuture<'static, io::Result<Buffer>> {
        let position = self.position;
        let waiting = Arc::clone(&self.reader.waiting);
        Box::pin(async move {
            let permit = waiting.acquire_owned().await.map_err(io::Error::other)?;
            let read = move || {
                let _permit = permit;
                let space = buffer.space(wanted);
                let count = space.len();
                file.read_exact_at(space, position)?;
                Ok(buffer.filled(count))
            };
            tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
        })
    }
}

fn cut_short() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "the file became shorter while it was read")
}

#[cfg(target_os = "linux")]
fn at_once(file: &File, space: &mut [u8], position: u64) -> io::Result<usize> {
    use rustix::io::ReadWriteFlags;
    let space = &mut [io::IoSliceMut::new(space)];
    Ok(rustix::io::preadv2(file, space, position, ReadWriteFlags::NOWAIT)?)
}

#[cfg(not(target_os = "linux"))]
fn at_once(_: &File, _: &mut [u8], _: u64) -> io::Result<usize> {
    Err(ErrorKind::Unsupported.into())
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if self.remaining == 0 {
            return Poll::Ready(None);
        }
        if self.pending.is_none() {
            let (file, wanted) = match ready!(self.poll_file(context)) {
                Ok(file) => file,
                Err(error) => return Poll::Ready(Some(self.advance(Err(error)))),
            };
            let buffer = self.reader.buffers.take();
            match self.read_now(&file, wanted, buffer) {
                Ok(read) => return Poll::Ready(Some(self.advance(read))),
                Err(buffer) => self.pending = Some(self.read_later(file, wanted, buffer)),
            }
        }
        let Some(pending) = self.pending.as_mut() else { return Poll::Ready(None) };
        let read = ready!(pending.as_mut().poll(context));
        self.pending = None;
        Poll::Ready(Some(self.advance(read)))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}

impl FileBody {
    fn advance(&mut self, read: io::Result<Buffer>) -> io::Result<Frame<Bytes>> {
        let buffer = read.inspect_err(|error| {
            // The status line is out: all that is left is to cut the connection, so that the client notices.
            tracing::error!(%error, "a blob can't be read to its end");
            self.remaining = 0;
        })?;
        let count = buffer.as_ref().len() as u64;
        self.position += count;
        self.remaining = self.remaining.saturating_sub(count);
        Ok(Frame::data(Bytes::from_owner(buffer)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use futures::TryStreamExt as _;

    use super::*;

    fn file(bytes: &[u8]) -> Origin {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Origin::Whole(Arc::new(file))
    }

    fn pieces(body: FileBody) -> impl futures::Stream<Item = io::Result<Bytes>> {
        let mut body = Box::pin(body);
        futures::stream::poll_fn(move |context| body.as_mut().poll_frame(context))
            .map_ok(|frame| frame.into_data().unwrap_or_default())
    }

    #[tokio::test]
    async fn both_ways_of_reading_bring_the_same_bytes() {
        let content: Vec<u8> = (0..700_001_u32).map(|i| (i % 251) as u8).collect();
        for can_tell in [true, false] {
            let mut body = FileBody::new(file(&content), 3, 700_000 - 5, Arc::default());
            body.can_tell = can_tell;
            let read = pieces(body).try_fold(Vec::new(), |mut all, piece| async move {
                all.extend_from_slice(&piece);
                Ok(all)
            });
            assert!(read.await.unwrap() == content[3..699_998]);
        }
    }

    #[tokio::test]
    async fn a_file_that_got_shorter_is_an_error() {
        for can_tell in [true, false] {
            let mut body = FileBody::new(file(b"abc"), 0, 5, Arc::default());
            body.can_tell = can_tell;
            assert!(pieces(body).try_collect::<Vec<_>>().await.is_err());
        }
    }
}
