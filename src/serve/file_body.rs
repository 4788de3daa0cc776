//! A response body that comes from a file, in constant memory; the file may still be on its way. One part of it, or several
//! with text between them.
//!
//! What the page cache holds is copied right here, without a change of thread (`preadv2` with `RWF_NOWAIT`); what it does
//! not hold is read by a thread that may wait for the disk. Must not know what the file is.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::Semaphore;

use super::buffers::{Buffer, Buffers};
use super::byteranges::{Byteranges, Section};
use super::range::Part;
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

/// What waiting for more of a file brings: from where, and which bytes.
type Reached = (Arrival, error::Result<(Arc<File>, Range<u64>)>);
/// What waiting for the disk brings: the buffer, and how many bytes were read into its space.
type Waited = io::Result<(Buffer, usize)>;

/// Parts of a file.
pub(super) struct FileBody {
    /// With which of its bytes can be read; nothing before any can.
    file: Option<(Arc<File>, Range<u64>)>,
    /// Where more comes from; nothing while it is being waited for.
    arrival: Option<Arrival>,
    arriving: Option<BoxFuture<'static, Reached>>,
    /// What comes before the part.
    text: Bytes,
    position: u64,
    /// Bytes of the part that were not sent yet.
    remaining: u64,
    /// What comes after the part.
    rest: Option<Box<Byteranges>>,
    /// Bytes of all that was not sent yet.
    left: u64,
    /// Whether this file system can say at once that it would have to wait.
    can_tell: bool,
    reader: Arc<Reader>,
    pending: Option<BoxFuture<'static, Waited>>,
}

impl FileBody {
    /// One part, which must be there.
    pub(super) fn new(origin: Origin, part: Part, reader: Arc<Reader>) -> Self {
        Self { position: part.start, remaining: part.length, left: part.length, ..Self::of(origin, reader) }
    }

    /// Several parts, which must be there.
    pub(super) fn of_parts(origin: Origin, parts: Byteranges, reader: Arc<Reader>) -> Self {
        Self { left: parts.length(), rest: Some(Box::new(parts)), ..Self::of(origin, reader) }
    }

    fn of(origin: Origin, reader: Arc<Reader>) -> Self {
        let (file, arrival) = match origin {
            Origin::Whole(file) => (Some((file, 0..u64::MAX)), None),
            Origin::Arriving(arrival) => (None, Some(arrival)),
        };
        Self {
            file,
            arrival,
            arriving: None,
            text: Bytes::new(),
            position: 0,
            remaining: 0,
            rest: None,
            left: 0,
            can_tell: true,
            reader,
            pending: None,
        }
    }

    /// Goes on to the next section when all of the last one is written, and copies what it can without looking at the file.
    fn write_text(&mut self, buffer: &mut Buffer) {
        while !buffer.is_full() && self.remaining == 0 {
            if self.text.is_empty() {
                match self.rest.as_mut().and_then(Iterator::next) {
                    Some(Section::Text(text)) => self.text = text,
                    Some(Section::Part(part)) => (self.position, self.remaining) = (part.start, part.length),
                    None => return,
                }
            } else {
                let space = buffer.space(self.text.len() as u64);
                let text = self.text.split_to(space.len());
                space.copy_from_slice(&text);
                self.wrote(buffer, text.len());
            }
        }
    }

    fn wrote(&mut self, buffer: &mut Buffer, count: usize) {
        buffer.fill(count);
        self.left = self.left.saturating_sub(count as u64);
    }

    fn read(&mut self, buffer: &mut Buffer, count: usize) {
        self.wrote(buffer, count);
        self.position += count as u64;
        self.remaining = self.remaining.saturating_sub(count as u64);
    }

    /// The file and how many bytes can be read from it now: at least one, or an error.
    fn poll_file(&mut self, context: &mut Context<'_>) -> Poll<io::Result<(Arc<File>, u64)>> {
        loop {
            if let Some((file, readable)) = &self.file
                && readable.contains(&self.position)
            {
                return Poll::Ready(Ok((Arc::clone(file), self.remaining.min(readable.end - self.position))));
            }
            if let Some(mut arrival) = self.arrival.take() {
                let (position, wanted) = (self.position, self.remaining);
                self.arriving = Some(Box::pin(async move {
                    let reached = arrival.reaches(position, wanted).await;
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

    /// Reads on, if that is in memory: how many bytes there were; nothing if somebody has to wait for the disk.
    fn read_now(&mut self, file: &File, wanted: u64, buffer: &mut Buffer) -> Option<io::Result<usize>> {
        while self.can_tell {
            return match at_once(file, buffer.space(wanted), self.position) {
                Ok(0) => Some(Err(cut_short())),
                Ok(count) => Some(Ok(count)),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => continue,
                    ErrorKind::WouldBlock => None,
                    ErrorKind::Unsupported | ErrorKind::InvalidInput => {
                        self.can_tell = false;
                        None
                    }
                    _ => Some(Err(error)),
                },
            };
        }
        None
    }

    /// Reads on, by a thread that may wait.
    fn read_later(&self, file: Arc<File>, wanted: u64, mut buffer: Buffer) -> BoxFuture<'static, Waited> {
        let position = self.position;
        let waiting = Arc::clone(&self.reader.waiting);
        Box::pin(async move {
            let permit = waiting.acquire_owned().await.map_err(io::Error::other)?;
            let read = move || {
                let _permit = permit;
                let space = buffer.space(wanted);
                let count = space.len();
                file.read_exact_at(space, position)?;
                Ok((buffer, count))
            };
            tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
        })
    }

    /// Fills a buffer with what is next: at least one byte.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Buffer>> {
        if let Some(pending) = self.pending.as_mut() {
            let read = ready!(pending.as_mut().poll(context));
            self.pending = None;
            let (mut buffer, count) = read?;
            self.read(&mut buffer, count);
            return Poll::Ready(Ok(buffer));
        }
        let mut buffer = self.reader.buffers.take();
        loop {
            self.write_text(&mut buffer);
            if buffer.is_full() || self.left == 0 {
                return Poll::Ready(Ok(buffer));
            }
            let (file, wanted) = match self.poll_file(context) {
                Poll::Pending if !buffer.is_empty() => return Poll::Ready(Ok(buffer)),
                polled => ready!(polled)?,
            };
            match self.read_now(&file, wanted, &mut buffer).transpose()? {
                Some(count) => {
                    self.read(&mut buffer, count);
                    // What is not in memory yet is waited for without letting this wait.
                    if self.remaining > 0 {
                        return Poll::Ready(Ok(buffer));
                    }
                }
                None if buffer.is_empty() => {
                    self.pending = Some(self.read_later(file, wanted, buffer));
                    return self.poll_piece(context);
                }
                None => return Poll::Ready(Ok(buffer)),
            }
        }
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
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let piece = ready!(self.poll_piece(context)).inspect_err(|error| {
            // The status line is out: all that is left is to cut the connection, so that the client notices.
            tracing::error!(%error, "a blob can't be read to its end");
            self.left = 0;
        });
        Poll::Ready(Some(piece.map(|buffer| Frame::data(Bytes::from_owner(buffer)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
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

    fn body(origin: Origin, start: u64, length: u64) -> FileBody {
        FileBody::new(origin, Part { start, length }, Arc::default())
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
            let mut body = body(file(&content), 3, 700_000 - 5);
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
            let mut body = body(file(b"abc"), 0, 5);
            body.can_tell = can_tell;
            assert!(pieces(body).try_collect::<Vec<_>>().await.is_err());
        }
    }

    #[tokio::test]
    async fn parts_follow_one_another_in_full_buffers() {
        let content: Vec<u8> = (0..1_500_000_u32).map(|i| (i % 251) as u8).collect();
        // Many small ones, and one that is larger than any buffer, backwards.
        let mut parts: Vec<Part> = (0..500).map(|i| Part { start: 3 * i, length: 1 + i % 2 }).collect();
        parts.push(Part { start: 2000, length: 1_400_000 });
        parts.reverse();
        let sections = |parts: &[Part]| Byteranges::new(parts.to_vec(), "text/plain", 1_500_000, 1);
        let expected: Vec<u8> = sections(&parts)
            .flat_map(|section| match section {
                Section::Text(text) => text.to_vec(),
                Section::Part(part) => content[part.start as usize..(part.start + part.length) as usize].to_vec(),
            })
            .collect();
        for can_tell in [true, false] {
            let mut body = FileBody::of_parts(file(&content), sections(&parts), Arc::default());
            body.can_tell = can_tell;
            assert_eq!(body.size_hint().exact(), Some(expected.len() as u64));
            let read: Vec<Bytes> = pieces(body).try_collect().await.unwrap();
            assert!(read.concat() == expected);
            assert!(!can_tell || read.len() <= 6, "{} pieces", read.len());
        }
    }
}
