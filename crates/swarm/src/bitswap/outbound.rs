//! The one stream on which messages to a peer leave, one after the other.
//!
//! Opened when there is something to say, closed when there has been nothing for a while. Knows no message's content.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use cid::Cid;
use futures::AsyncWrite;

use super::peer::Memory;
use super::upload_rate::UploadRate;

/// How long a peer may take nothing of a message.
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_secs(20);
/// The slowest that a message may leave, upload limits aside: a peer that takes less than this holds memory for nothing.
const MIN_BYTES_PER_SECOND: u64 = 4 << 10;
/// How long a stream stays open without a message.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the other side may take to let a stream be closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Streams that fail one after the other before nothing more is said to this peer.
const MAX_FAILURES: u32 = 3;

/// A message on its way.
pub(crate) struct Outgoing {
    message: Vec<u8>,
    /// What of it has left.
    at: usize,
    /// Bytes of blocks in it: messages without any are not held back by the upload limit.
    block_bytes: u64,
    began: Option<Instant>,
    /// Time that the upload limit took.
    throttled: Duration,
    /// The wants that it answers.
    answered: Vec<Cid>,
    /// Given back with the message.
    _memory: Option<Memory>,
}

impl Outgoing {
    /// A message without blocks, from `start` on.
    pub(crate) fn new(message: Vec<u8>, start: usize) -> Self {
        let (began, throttled) = (None, Duration::ZERO);
        Self { message, at: start, block_bytes: 0, began, throttled, answered: Vec::new(), _memory: None }
    }

    pub(crate) fn with_answers(self, block_bytes: u64, answered: Vec<Cid>, memory: Option<Memory>) -> Self {
        Self { block_bytes, answered, _memory: memory, ..self }
    }
}

enum State<S> {
    Closed,
    Opening,
    Open(S),
    Closing(S, Instant),
}

/// What the caller has to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Pending,
    /// A stream is needed.
    OpenStream,
    /// A message has left, with so many bytes of blocks.
    Written {
        block_bytes: u64,
        answered: Vec<Cid>,
    },
    /// The stream broke, and these wants are not answered.
    Failed {
        unanswered: Vec<Cid>,
    },
    /// The peer takes nothing.
    Stalled,
}

/// The way out to one peer.
pub(crate) struct Outbound<S> {
    state: State<S>,
    writing: Option<Outgoing>,
    flush: bool,
    /// When something left last.
    last: Instant,
    /// Until when the upload limit lets nothing leave.
    throttled_until: Option<Instant>,
    failures: u32,
}

impl<S: AsyncWrite + Unpin> Outbound<S> {
    pub(crate) fn new(now: Instant) -> Self {
        Self { state: State::Closed, writing: None, flush: false, last: now, throttled_until: None, failures: 0 }
    }

    /// Whether the next message can be handed over.
    pub(crate) fn is_free(&self) -> bool {
        self.writing.is_none()
    }

    /// Whether streams keep failing, so that there is nothing to wait for.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.failures >= MAX_FAILURES
    }

    /// The peer has said something, so it may listen again.
    pub(crate) fn try_again(&mut self) {
        self.failures = 0;
    }

    pub(crate) fn send(&mut self, outgoing: Outgoing) {
        self.writing = Some(outgoing);
    }

    pub(crate) fn opened(&mut self, stream: S, now: Instant) {
        self.state = State::Open(stream);
        self.last = now;
    }

    /// The stream that was asked for can't be had.
    pub(crate) fn refused(&mut self) -> Progress {
        self.fail()
    }

    fn fail(&mut self) -> Progress {
        let unanswered = self.writing.take().map(|outgoing| outgoing.answered).unwrap_or_default();
        self.state = State::Closed;
        self.flush = false;
        self.throttled_until = None;
        self.failures += 1;
        Progress::Failed { unanswered }
    }

    /// When [`Self::poll`] has to be called at the latest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Closed | State::Opening => None,
            State::Closing(_, until) => Some(*until),
            State::Open(_) if self.throttled_until.is_some() => self.throttled_until,
            State::Open(_) if self.writing.is_some() || self.flush => Some(self.last + STALL_TIMEOUT),
            State::Open(_) => Some(self.last + IDLE_TIMEOUT),
        }
    }

    /// Writes what can be written.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, now: Instant, rate: &UploadRate) -> Progress {
        loop {
            match &mut self.state {
                State::Closed if self.writing.is_some() => {
                    self.state = State::Opening;
                    return Progress::OpenStream;
                }
                State::Closed | State::Opening => return Progress::Pending,
                State::Closing(stream, until) => {
                    if Pin::new(stream).poll_close(cx).is_pending() && *until > now {
                        return Progress::Pending;
                    }
                    self.state = State::Closed;
                }
                State::Open(stream) => {
                    if let Some(outgoing) = &mut self.writing {
                        let (last, throttled_until) = (&mut self.last, &mut self.throttled_until);
                        match write(stream, outgoing, cx, now, rate, last, throttled_until) {
                            Written::All => {
                                let block_bytes = outgoing.block_bytes;
                                let answered = std::mem::take(&mut outgoing.answered);
                                (self.writing, self.flush, self.failures) = (None, true, 0);
                                return Progress::Written { block_bytes, answered };
                            }
                            Written::Failed => return self.fail(),
                            Written::Some if is_stalled(outgoing, *last, now) && throttled_until.is_none() => {
                                self.fail();
                                return Progress::Stalled;
                            }
                            Written::Some => return Progress::Pending,
                        }
                    }
                    if self.flush {
                        match Pin::new(stream).poll_flush(cx) {
                            Poll::Ready(Ok(())) => self.flush = false,
                            Poll::Ready(Err(_)) => return self.fail(),
                            Poll::Pending if now >= self.last + STALL_TIMEOUT => {
                                self.fail();
                                return Progress::Stalled;
                            }
                            Poll::Pending => return Progress::Pending,
                        }
                    }
                    if now < self.last + IDLE_TIMEOUT {
                        return Progress::Pending;
                    }
                    if let State::Open(stream) = std::mem::replace(&mut self.state, State::Closed) {
                        self.state = State::Closing(stream, now + CLOSE_TIMEOUT);
                    }
                }
            }
        }
    }
}

enum Written {
    All,
    /// Nothing more can be written now.
    Some,
    Failed,
}

fn write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    outgoing: &mut Outgoing,
    cx: &mut Context<'_>,
    now: Instant,
    rate: &UploadRate,
    last: &mut Instant,
    throttled_until: &mut Option<Instant>,
) -> Written {
    if outgoing.began.is_none() {
        outgoing.began = Some(now);
        *last = now;
    }
    if let Some(until) = *throttled_until {
        if now < until {
            return Written::Some;
        }
        *throttled_until = None;
        *last = now;
    }
    while outgoing.at < outgoing.message.len() {
        let left = outgoing.message.len() - outgoing.at;
        let granted = if outgoing.block_bytes == 0 { Ok(left) } else { rate.take(left, now) };
        let granted = match granted {
            Ok(granted) => granted,
            Err(wait) => {
                outgoing.throttled += wait;
                *throttled_until = Some(now + wait);
                return Written::Some;
            }
        };
        let piece = &outgoing.message[outgoing.at..outgoing.at + granted];
        let written = match Pin::new(&mut *stream).poll_write(cx, piece) {
            Poll::Ready(Ok(0) | Err(_)) => return Written::Failed,
            Poll::Ready(Ok(written)) => written,
            Poll::Pending => {
                if outgoing.block_bytes != 0 {
                    rate.give_back(granted);
                }
                return Written::Some;
            }
        };
        if outgoing.block_bytes != 0 {
            rate.give_back(granted - written);
        }
        outgoing.at += written;
        *last = now;
    }
    Written::All
}

fn is_stalled(outgoing: &Outgoing, last: Instant, now: Instant) -> bool {
    let longest = Duration::from_secs(outgoing.message.len() as u64 / MIN_BYTES_PER_SECOND) + 2 * STALL_TIMEOUT;
    let began = outgoing.began.unwrap_or(now);
    now >= last + STALL_TIMEOUT || now >= began + longest + outgoing.throttled
}

#[cfg(test)]
mod tests {
    use std::io;

    use futures::task::noop_waker_ref;

    use super::*;

    /// Takes so many bytes, then nothing.
    struct Sink {
        room: usize,
        taken: Vec<u8>,
        closed: bool,
        broken: bool,
    }

    fn sink(room: usize) -> Sink {
        Sink { room, taken: Vec::new(), closed: false, broken: false }
    }

    impl AsyncWrite for Sink {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
            if self.broken {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let count = data.len().min(self.room);
            if count == 0 {
                return Poll::Pending;
            }
            self.room -= count;
            self.taken.extend_from_slice(&data[..count]);
            Poll::Ready(Ok(count))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.closed = true;
            Poll::Ready(Ok(()))
        }
    }

    fn written(block_bytes: u64) -> Progress {
        Progress::Written { block_bytes, answered: Vec::new() }
    }

    struct Case {
        outbound: Outbound<Sink>,
        rate: UploadRate,
        now: Instant,
    }

    impl Case {
        fn new(room: usize, rate: u64) -> Self {
            let now = Instant::now();
            let mut case = Self { outbound: Outbound::new(now), rate: UploadRate::new(rate, now), now };
            case.send(1000);
            assert_eq!(case.poll(), Progress::OpenStream);
            case.outbound.opened(sink(room), now);
            case
        }

        fn send(&mut self, length: usize) {
            self.outbound.send(Outgoing::new(vec![7; length], 0).with_answers(length as u64, Vec::new(), None));
        }

        fn poll(&mut self) -> Progress {
            self.outbound.poll(&mut Context::from_waker(noop_waker_ref()), self.now, &self.rate)
        }

        /// Goes to the next deadline.
        fn wait(&mut self) {
            self.now = self.now.max(self.outbound.deadline().expect("something is waited for"));
        }
    }

    #[test]
    fn messages_leave_and_an_idle_stream_is_closed() {
        let mut case = Case::new(usize::MAX, 0);
        assert_eq!(case.poll(), written(1000));
        case.send(500);
        assert_eq!(case.poll(), written(500));
        assert_eq!(case.poll(), Progress::Pending);
        case.wait();
        assert_eq!(case.poll(), Progress::Pending);
        assert!(matches!(case.outbound.state, State::Closed));
        case.send(1);
        assert_eq!(case.poll(), Progress::OpenStream);
    }

    #[test]
    fn a_peer_that_takes_nothing_is_found_out_and_holds_nothing() {
        let mut case = Case::new(10, 0);
        assert_eq!(case.poll(), Progress::Pending);
        case.wait();
        assert_eq!(case.poll(), Progress::Stalled);
        assert!(case.outbound.is_free());
    }

    #[test]
    fn a_peer_that_takes_a_byte_now_and_then_is_found_out_as_well() {
        let mut case = Case::new(10, 0);
        for _ in 0..100 {
            case.now += STALL_TIMEOUT / 2;
            if let State::Open(sink) = &mut case.outbound.state {
                sink.room = 1;
            }
            match case.poll() {
                Progress::Pending => {}
                other => return assert_eq!(other, Progress::Stalled),
            }
        }
        panic!("it may take its time for ever");
    }

    #[test]
    fn the_upload_limit_is_no_stall() {
        let mut case = Case::new(usize::MAX, 10);
        let start = case.now;
        let mut polls = 0;
        while case.poll() == Progress::Pending {
            case.wait();
            polls += 1;
            assert!(polls < 10_000);
        }
        assert!(case.outbound.is_free());
        assert!(case.now - start >= Duration::from_secs(98), "{:?}", case.now - start);
    }

    #[test]
    fn streams_that_keep_failing_are_given_up() {
        let mut case = Case::new(usize::MAX, 0);
        for _ in 0..MAX_FAILURES {
            assert!(!case.outbound.is_hopeless());
            case.outbound.opened(Sink { broken: true, ..sink(1) }, case.now);
            case.send(10);
            assert_eq!(case.poll(), Progress::Failed { unanswered: Vec::new() });
        }
        assert!(case.outbound.is_hopeless());
    }
}
