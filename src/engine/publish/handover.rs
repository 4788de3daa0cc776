//! Hands a node what it lacks: CAR streams of bounded size, straight from the blob files, in constant memory.
//!
//! One thread reads, verifies and cuts; a few mebibytes are on their way at most. A stream that breaks off costs its own size:
//! what came before was counted by the node, and the next try asks it what it has.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use cid::Cid;
use futures::StreamExt as _;
use futures::stream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;

use super::difference::Difference;
use crate::engine::Engine;
use crate::engine::blocking::panicked;
use crate::engine::job::Job;
use crate::error::{Error, Kind, Result};
use crate::node::{ImportCar, Imported, Intake, Node, PutBlock};
use crate::unixfs::car;
use crate::unixfs::directory;

/// Bytes of blocks after which a CAR ends and the next one begins: few, so that tests see several.
const MIN_FULL_CAR_BYTES: u64 = if cfg!(test) { 2 << 20 } else { 256 << 20 };
/// Small blocks are given to the connection together, up to so many bytes; a larger one goes alone, in a buffer of its size.
const PIECE_BYTES: usize = 128 << 10;
/// Blocks that are handed over at the same time where they go one by one: each is up to a chunk, and in memory.
const MAX_CONCURRENT_BLOCKS: usize = 8;
/// Pieces that wait for the connection.
const MAX_WAITING_PIECES: usize = 2;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct HandedOver {
    pub(super) cars: u64,
    pub(super) blocks: u64,
    /// Bytes of these blocks, without what a CAR adds.
    pub(super) bytes: u64,
    /// Bytes that went to the node: CARs with their headers and lengths, or the blocks alone.
    pub(super) sent: u64,
}

/// A CAR that is being read: its pieces, and what was in it once all of them are taken.
struct Car {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    content: oneshot::Receiver<Imported>,
}

/// Hands over what the node lacks of `difference`, and `temporary` blocks. `each` is told of every CAR that the node took.
pub(super) async fn hand_over(
    engine: &Arc<Engine>,
    node: &dyn Node,
    root: Cid,
    difference: Arc<Difference>,
    temporary: Vec<directory::Node>,
    job: &Job,
    each: &mut (dyn FnMut(&HandedOver) -> Result<()> + Send),
) -> Result<HandedOver> {
    let importer = match node.intake() {
        Intake::Cars(importer) => importer,
        Intake::Fetches => return Ok(HandedOver::default()),
        Intake::Blocks(taker) => return one_by_one(engine, taker, difference, temporary, job, each).await,
    };
    let mut total = HandedOver::default();
    let (cars, mut coming) = mpsc::channel(1);
    let reading = {
        let (engine, job) = (Arc::clone(engine), job.clone());
        spawn_blocking(move || {
            let mut writer = Writer { root, cars, current: None, job };
            difference.read_missing(&engine, &mut |cid, bytes| writer.block(cid, bytes))?;
            for node in &temporary {
                writer.block(&node.cid, &node.bytes)?;
            }
            writer.end()
        })
    };
    let mut failure = None;
    while let Some(Car { pieces, content }) = coming.recv().await {
        match job.or_cancelled(take(node, importer, pieces, content)).await {
            Ok((imported, sent)) => {
                total.cars += 1;
                total.blocks += imported.blocks;
                total.bytes += imported.bytes;
                total.sent += sent;
                if let Err(error) = each(&total) {
                    failure = Some(error);
                    break;
                }
            }
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    // The reading thread notices that nobody takes its pieces.
    drop(coming);
    let read = reading.await.map_err(panicked)?;
    of_both(read, failure).map(|()| total)
}

/// How a hand-over ended, of which `read` is what the reading thread says and `failure` what the node did. A cut stream is what the
/// node saw; why it was cut, or that nobody takes any more, is known by the other side.
fn of_both(read: Result<()>, failure: Option<Error>) -> Result<()> {
    match (read, failure) {
        (Err(error), Some(failure)) if error.kind() == Kind::Interrupted => Err(failure),
        (Err(error), _) => Err(error),
        (Ok(()), Some(failure)) => Err(failure),
        (Ok(()), None) => Ok(()),
    }
}

/// Hands blocks over one by one, a few at the same time. `each` is told now and then, and at the end.
async fn one_by_one(
    engine: &Arc<Engine>,
    taker: &dyn PutBlock,
    difference: Arc<Difference>,
    temporary: Vec<directory::Node>,
    job: &Job,
    each: &mut (dyn FnMut(&HandedOver) -> Result<()> + Send),
) -> Result<HandedOver> {
    let (blocks, coming) = mpsc::channel::<(Cid, Bytes)>(MAX_WAITING_PIECES);
    let reading = {
        let (engine, job) = (Arc::clone(engine), job.clone());
        spawn_blocking(move || {
            let mut give = |cid: &Cid, bytes: &[u8]| {
                job.check()?;
                let block = (*cid, Bytes::copy_from_slice(bytes));
                blocks
                    .blocking_send(block)
                    .map_err(|_| Error::new(Kind::Interrupted, "nobody takes the blocks any more"))
            };
            difference.read_missing(&engine, &mut give)?;
            temporary.iter().try_for_each(|node| give(&node.cid, &node.bytes))
        })
    };
    let mut total = HandedOver::default();
    let mut noted = 0;
    let answers = stream::unfold(coming, |mut coming| async move { coming.recv().await.map(|block| (block, coming)) })
        .map(|(cid, bytes)| async move {
            taker.put(&cid, bytes.clone()).await?;
            Ok::<u64, Error>(bytes.len() as u64)
        })
        .buffer_unordered(MAX_CONCURRENT_BLOCKS);
    let mut answers = Box::pin(answers);
    let failure = loop {
        match job.or_cancelled(async { answers.next().await.transpose() }).await {
            Ok(Some(size)) => {
                total.blocks += 1;
                total.bytes += size;
                total.sent += size;
                job.meter().advance(size);
                if total.bytes - noted >= MIN_FULL_CAR_BYTES {
                    noted = total.bytes;
                    if let Err(error) = each(&total) {
                        break Some(error);
                    }
                }
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    if failure.is_none() {
        each(&total)?;
    }
    // The reading thread notices that nobody takes its blocks.
    drop(answers);
    let read = reading.await.map_err(panicked)?;
    of_both(read, failure).map(|()| total)
}

/// Lets the node import one CAR, and compares what it counted with what was in it.
async fn take(
    node: &dyn Node,
    importer: &dyn ImportCar,
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    content: oneshot::Receiver<Imported>,
) -> Result<(Imported, u64)> {
    let sent = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    let car = stream::unfold(pieces, |mut pieces| async move { pieces.recv().await.map(|piece| (piece, pieces)) })
        .inspect(move |piece| {
            if let Ok(piece) = piece {
                counted.fetch_add(piece.len() as u64, std::sync::atomic::Ordering::Relaxed);
            }
        });
    let mut imported = importer.import(car.boxed()).await?;
    let Ok(expected) = content.await else {
        return Err(Error::new(Kind::Node, format!("{} ended the import before everything was sent", node.place())));
    };
    if !importer.counts_blocks() {
        imported.blocks = expected.blocks;
    }
    if imported != expected {
        return Err(Error::new(
            Kind::Node,
            format!(
                "{} counted {} blocks of {} bytes, but was sent {} of {}",
                node.place(),
                imported.blocks,
                imported.bytes,
                expected.blocks,
                expected.bytes
            ),
        )
        .hint("No name has moved. Publish again: what arrived is not sent twice."));
    }
    Ok((imported, sent.load(std::sync::atomic::Ordering::Relaxed)))
}

/// Cuts blocks into CARs, and CARs into pieces.
struct Writer {
    root: Cid,
    cars: mpsc::Sender<Car>,
    current: Option<Current>,
    job: Job,
}

struct Current {
    pieces: mpsc::Sender<io::Result<Bytes>>,
    content: oneshot::Sender<Imported>,
    buffer: Vec<u8>,
    counted: Imported,
    /// Buffers that the connection is done with.
    used: std::sync::mpsc::Receiver<Vec<u8>>,
    back: std::sync::mpsc::Sender<Vec<u8>>,
}

/// Bytes on their way, whose buffer comes back: else each is freed by another thread than the one that made it, and memory grows.
struct Piece {
    bytes: Vec<u8>,
    back: std::sync::mpsc::Sender<Vec<u8>>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        // After the end of its CAR nobody wants it.
        let _ = self.back.send(std::mem::take(&mut self.bytes));
    }
}

impl Current {
    /// Gives what is in the buffer to the connection.
    fn send(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let mut empty = self.used.try_recv().unwrap_or_default();
        empty.clear();
        let piece = Piece { bytes: std::mem::replace(&mut self.buffer, empty), back: self.back.clone() };
        self.pieces.blocking_send(Ok(Bytes::from_owner(piece))).map_err(|_| nobody_listens())
    }
}

impl Writer {
    fn block(&mut self, cid: &Cid, bytes: &[u8]) -> Result<()> {
        let current = match &mut self.current {
            Some(current) => current,
            None => {
                let (pieces, receiver) = mpsc::channel(MAX_WAITING_PIECES);
                let (content, counted) = oneshot::channel();
                let car = Car { pieces: receiver, content: counted };
                self.cars.blocking_send(car).map_err(|_| nobody_listens())?;
                let buffer = car::header(&[self.root]);
                let (back, used) = std::sync::mpsc::channel();
                let counted = Imported { blocks: 0, bytes: 0 };
                self.current.insert(Current { pieces, content, buffer, counted, used, back })
            }
        };
        let prefix = car::block_prefix(cid, bytes.len() as u64);
        if current.buffer.len() + prefix.len() + bytes.len() > PIECE_BYTES {
            current.send()?;
            current.buffer.reserve_exact(prefix.len() + bytes.len());
        } else if current.buffer.capacity() < PIECE_BYTES {
            current.buffer.reserve_exact(PIECE_BYTES - current.buffer.len());
        }
        current.buffer.extend_from_slice(&prefix);
        current.buffer.extend_from_slice(bytes);
        current.counted.blocks += 1;
        current.counted.bytes += bytes.len() as u64;
        if current.buffer.len() >= PIECE_BYTES {
            current.send()?;
        }
        let is_full = current.counted.bytes >= MIN_FULL_CAR_BYTES;
        self.job.meter().advance(bytes.len() as u64);
        if is_full { self.end() } else { Ok(()) }
    }

    /// Ends the CAR that is being written.
    fn end(&mut self) -> Result<()> {
        let Some(mut current) = self.current.take() else { return Ok(()) };
        current.send()?;
        // Nobody listening was noticed by the import.
        let _ = current.content.send(current.counted);
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // A CAR that is not ended must not look as if it were.
        if let Some(current) = self.current.take() {
            let cut = io::Error::other("can't read what is to be handed over");
            let _ = current.pieces.try_send(Err(cut));
        }
    }
}

/// The import ended, and its error says why.
fn nobody_listens() -> Error {
    Error::new(Kind::Interrupted, "the node takes no more")
}
