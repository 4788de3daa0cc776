//! The streams on which one peer sends messages.
//!
//! Kubo opens a stream for each message of its server, and keeps one open for its wantlists: several are read at once, in the order in
//! which they were opened. Knows messages; not what they lead to.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cid::Cid;
use futures::AsyncRead;

use super::decode::{Decoder, Item};
use super::message::Want;

/// Streams of one connection that are read; the one that has been quiet for longest makes place for another.
const MAX_STREAMS: usize = 16;
/// Wants that are taken from one message, as boxo does (`splitWantsCancelsDenials`).
const MAX_WANTS_PER_MESSAGE: usize = 1024;
/// How long a message may stop in its middle.
const STALL_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a whole message may take.
const MESSAGE_TIMEOUT: Duration = Duration::from_mins(2);
/// How long nothing at all may come on a stream.
const IDLE_TIMEOUT: Duration = Duration::from_mins(10);
/// What is read at once.
const CHUNK_BYTES: usize = 16 << 10;
/// Chunks of one stream before the others have their turn.
const CHUNKS_PER_TURN: usize = 16;

/// What came in.
#[derive(Debug)]
pub(crate) enum Received {
    /// What a message wants; `full`: and nothing that earlier ones wanted.
    Wants {
        wants: Vec<Want>,
        full: bool,
    },
    Cancel(Cid),
    Block {
        prefix: Bytes,
        data: Bytes,
    },
    Presence {
        cid: Cid,
        have: bool,
    },
}

struct InboundStream<S> {
    stream: S,
    decoder: Decoder,
    /// Wants of the message that is being read.
    wants: Vec<Want>,
    /// When the message that is being read began.
    began: Option<Instant>,
    /// When something came last.
    last: Instant,
}

impl<S> InboundStream<S> {
    fn deadline(&self) -> Instant {
        match self.began {
            Some(began) => (self.last + STALL_TIMEOUT).min(began + MESSAGE_TIMEOUT),
            None => self.last + IDLE_TIMEOUT,
        }
    }
}

/// The inbound streams of one connection.
pub(crate) struct Inbound<S> {
    streams: Vec<InboundStream<S>>,
    /// Bytes of unfinished blocks that may be held, beside those of the oldest stream.
    held_limit: usize,
}

impl<S: AsyncRead + Unpin> Inbound<S> {
    pub(crate) fn new(held_limit: usize) -> Self {
        Self { streams: Vec::new(), held_limit }
    }

    pub(crate) fn add(&mut self, stream: S, now: Instant) {
        if self.streams.len() >= MAX_STREAMS {
            let quiet = |stream: &(usize, &InboundStream<S>)| stream.1.began.is_none();
            let oldest = self.streams.iter().enumerate().filter(quiet).min_by_key(|(_, stream)| stream.last);
            match oldest.map(|(index, _)| index) {
                Some(index) => drop(self.streams.remove(index)),
                // All of them are in the middle of a message: this one is refused.
                None => return,
            }
        }
        self.streams.push(InboundStream { stream, decoder: Decoder::new(), wants: Vec::new(), began: None, last: now });
    }

    /// When [`Self::poll`] has to be called at the latest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.streams.iter().map(InboundStream::deadline).min()
    }

    /// Reads what is there. Asks to be woken when there is more.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, now: Instant, keep_blocks: bool, out: &mut Vec<Received>) {
        let mut index = 0;
        let mut before = 0_usize;
        while index < self.streams.len() {
            let stream = &mut self.streams[index];
            let waits = before > 0 && before + stream.decoder.held_bytes() > self.held_limit;
            let open = if waits { true } else { stream.poll(cx, now, keep_blocks, out) };
            if !open || stream.deadline() <= now {
                self.streams.remove(index);
            } else {
                before += stream.decoder.held_bytes();
                index += 1;
            }
        }
    }
}

impl<S: AsyncRead + Unpin> InboundStream<S> {
    /// `false` when nothing more comes from this stream.
    fn poll(&mut self, cx: &mut Context<'_>, now: Instant, keep_blocks: bool, out: &mut Vec<Received>) -> bool {
        let mut chunk = [0; CHUNK_BYTES];
        for _ in 0..CHUNKS_PER_TURN {
            let count = match Pin::new(&mut self.stream).poll_read(cx, &mut chunk) {
                Poll::Pending => return true,
                Poll::Ready(Ok(0) | Err(_)) => return false,
                Poll::Ready(Ok(count)) => count,
            };
            self.last = now;
            if !self.take(&chunk[..count], keep_blocks, out) {
                return false;
            }
            self.began = if self.decoder.is_between_messages() { None } else { self.began.or(Some(now)) };
        }
        cx.waker().wake_by_ref();
        true
    }

    fn take(&mut self, mut bytes: &[u8], keep_blocks: bool, out: &mut Vec<Received>) -> bool {
        loop {
            match self.decoder.next(&mut bytes, keep_blocks) {
                Err(error) => {
                    tracing::debug!(%error, "bitswap message refused");
                    return false;
                }
                Ok(None) => return true,
                Ok(Some(Item::Want(want))) => {
                    if self.wants.len() < MAX_WANTS_PER_MESSAGE {
                        self.wants.push(want);
                    }
                }
                Ok(Some(Item::End { full })) => {
                    let wants = std::mem::take(&mut self.wants);
                    self.began = None;
                    if full || !wants.is_empty() {
                        out.push(Received::Wants { wants, full });
                    }
                }
                Ok(Some(Item::Cancel(cid))) => out.push(Received::Cancel(cid)),
                Ok(Some(Item::Block { prefix, data })) => out.push(Received::Block { prefix, data }),
                Ok(Some(Item::Presence { cid, have })) => out.push(Received::Presence { cid, have }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io;

    use cid::multihash::Multihash;
    use futures::task::noop_waker_ref;

    use super::*;
    use crate::bitswap::message::{self, Ask, WantType};

    /// Gives out what it has, then waits for ever.
    struct Script(VecDeque<u8>);

    impl AsyncRead for Script {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
            if self.0.is_empty() {
                return Poll::Pending;
            }
            let count = out.len().min(self.0.len());
            for byte in &mut out[..count] {
                *byte = self.0.pop_front().unwrap_or_default();
            }
            Poll::Ready(Ok(count))
        }
    }

    fn cid(number: u8) -> Cid {
        Cid::new_v1(0x55, Multihash::wrap(0x12, &[number; 32]).expect("32 bytes"))
    }

    fn wants(numbers: &[u8]) -> Vec<u8> {
        let want = |number: &u8| Want { cid: cid(*number), priority: 1, kind: WantType::Block, send_dont_have: false };
        let asks: Vec<Ask> = numbers.iter().map(|number| Ask::Want(want(number))).collect();
        let mut message = message::begin(0);
        message::put_wantlist(&asks, &mut message);
        let start = message::finish(&mut message);
        message.split_off(start)
    }

    fn poll(inbound: &mut Inbound<Script>, now: Instant) -> Vec<Received> {
        let mut out = Vec::new();
        inbound.poll(&mut Context::from_waker(noop_waker_ref()), now, true, &mut out);
        out
    }

    #[test]
    fn a_message_that_stops_ends_its_stream_and_a_quiet_stream_stays() {
        let start = Instant::now();
        let mut inbound = Inbound::new(1 << 20);
        let whole = wants(&[1]);
        inbound.add(Script(whole[..whole.len() - 1].to_vec().into()), start);
        inbound.add(Script(whole.clone().into()), start);
        let received = poll(&mut inbound, start);
        assert!(matches!(&received[..], [Received::Wants { wants, full: false }] if wants.len() == 1));
        assert_eq!(inbound.deadline(), Some(start + STALL_TIMEOUT));
        poll(&mut inbound, start + STALL_TIMEOUT);
        assert_eq!(inbound.streams.len(), 1);
        assert_eq!(inbound.deadline(), Some(start + IDLE_TIMEOUT));
        poll(&mut inbound, start + IDLE_TIMEOUT);
        assert!(inbound.streams.is_empty());
    }

    #[test]
    fn a_message_that_drips_ends_its_stream_as_well() {
        let start = Instant::now();
        let mut inbound = Inbound::new(1 << 20);
        inbound.add(Script([0x80, 0x01].into()), start);
        let mut now = start;
        while now < start + MESSAGE_TIMEOUT {
            poll(&mut inbound, now);
            assert_eq!(inbound.streams.len(), 1);
            // A field of no bytes that nobody knows.
            inbound.streams[0].stream.0.extend([0x7a, 0]);
            now += STALL_TIMEOUT / 2;
        }
        poll(&mut inbound, now);
        assert!(inbound.streams.is_empty());
    }

    #[test]
    fn the_quietest_stream_makes_place_and_those_in_the_middle_stay() {
        let start = Instant::now();
        let mut inbound = Inbound::new(1 << 20);
        for number in 0..MAX_STREAMS {
            let bytes: VecDeque<u8> = if number == 3 { VecDeque::new() } else { [0x80, 0x01].into() };
            inbound.add(Script(bytes), start);
        }
        poll(&mut inbound, start);
        inbound.add(Script(wants(&[1]).into()), start);
        assert_eq!(inbound.streams.len(), MAX_STREAMS);
        assert_eq!(poll(&mut inbound, start).len(), 1);
        inbound.add(Script([0x80, 0x01].into()), start);
        poll(&mut inbound, start);
        inbound.add(Script(wants(&[1]).into()), start);
        assert!(poll(&mut inbound, start).is_empty(), "there was no place");
    }

    #[test]
    fn a_message_has_at_most_so_many_wants() {
        let start = Instant::now();
        let mut inbound = Inbound::new(1 << 20);
        inbound.add(Script([wants(&[1; 2000]), wants(&[2])].concat().into()), start);
        let received = poll(&mut inbound, start);
        let count = |received: &Received| if let Received::Wants { wants, .. } = received { wants.len() } else { 0 };
        assert_eq!(received.iter().map(count).collect::<Vec<_>>(), [MAX_WANTS_PER_MESSAGE, 1]);
    }

    /// Many streams that each stop in the middle of a block hold what one peer may have, and the oldest always goes on.
    #[test]
    fn unfinished_blocks_are_bounded() {
        let start = Instant::now();
        let limit = 1 << 20;
        let mut inbound = Inbound::new(limit);
        let mut part = Vec::new();
        let block = message::MAX_BLOCK_BYTES;
        message::put_varint(block as u64 + 20, &mut part);
        message::begin_block(&message::prefix(&cid(1)), block, &mut part);
        part.extend(vec![0; 1 << 18]);
        for _ in 0..MAX_STREAMS {
            inbound.add(Script(part.clone().into()), start);
        }
        for _ in 0..20 {
            poll(&mut inbound, start);
        }
        let held: usize = inbound.streams.iter().map(|stream| stream.decoder.held_bytes()).sum();
        assert!(held <= limit + 2 * block, "{held}");
        inbound.streams[0].stream.0.extend(vec![0; block]);
        let received: Vec<Received> = (0..20).flat_map(|_| poll(&mut inbound, start)).collect();
        assert!(matches!(received[0], Received::Block { .. }));
    }
}
