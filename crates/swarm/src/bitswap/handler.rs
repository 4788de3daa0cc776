//! All bitswap state of one connection: what its peer wants and is told, and what we ask it for.
//!
//! What is read from disk waits for what the stream takes, and what comes in waits for what is taken from here. Knows one peer.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cid::Cid;
use either::Either;
use futures::future;
use libp2p::Stream;
use libp2p::core::upgrade::{DeniedUpgrade, ReadyUpgrade};
use libp2p::swarm::handler::{ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{ConnectionHandler, ConnectionHandlerEvent, StreamProtocol, SubstreamProtocol};
use tokio::time::Sleep;

use super::decode::cid_of;
use super::inbound::{Inbound, Received};
use super::message::{self, Ask, Want};
use super::outbound::{Outbound, Outgoing, Progress};
use super::peer::{Peer, Shared};
use super::serving::Serving;

const PROTOCOL: StreamProtocol = StreamProtocol::new("/ipfs/bitswap/1.2.0");
/// How long a connection without bitswap is kept open for it.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
/// Entries of one wantlist of ours.
const ASKS_PER_MESSAGE: usize = 256;

/// What the behaviour tells a connection.
#[derive(Debug)]
pub(crate) enum Command {
    Ask(Vec<Ask>),
    /// Wants of another connection to the same peer that has closed.
    Adopt(Vec<Want>),
    /// Whether this connection stays open without being used.
    Keep(bool),
}

/// What a connection tells the behaviour.
#[derive(Debug)]
pub(crate) enum Report {
    /// Hashed, so it is what its CID says.
    Block {
        cid: Cid,
        data: Bytes,
    },
    /// A block that is nothing we could have asked for.
    Foreign,
    Presence {
        cid: Cid,
        have: bool,
    },
    /// The wants of a connection that closes, or on which nothing can be written.
    HandOver(Vec<Want>),
    /// No stream can be had.
    Unsupported,
    /// The peer takes nothing.
    Stalled,
}

/// Bitswap on one connection.
pub(crate) struct Handler {
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    /// A relay carries no blocks: boxo leaves limited connections out as well.
    is_relayed: bool,
    keep: bool,
    has_given_up: bool,
    inbound: Inbound<Stream>,
    outbound: Outbound<Stream>,
    serving: Serving,
    asks: VecDeque<Ask>,
    events: VecDeque<Report>,
    received: Vec<Received>,
    last: Instant,
    timer: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Handler {
    pub(crate) fn new(shared: Arc<Shared>, peer: Arc<Peer>, is_relayed: bool, keep: bool) -> Self {
        let now = Instant::now();
        let serving = Serving::new(Arc::clone(&shared), Arc::clone(&peer));
        let inbound = Inbound::new(shared.limits.bytes_per_peer);
        Self {
            shared,
            peer,
            is_relayed,
            keep,
            has_given_up: false,
            inbound,
            outbound: Outbound::new(now),
            serving,
            asks: VecDeque::new(),
            events: VecDeque::new(),
            received: Vec::new(),
            last: now,
            timer: None,
        }
    }

    fn take_in(&mut self, now: Instant) -> bool {
        let progress = !self.received.is_empty();
        if progress {
            self.last = now;
            self.try_again();
        }
        for received in std::mem::take(&mut self.received) {
            let report = match received {
                Received::Wants { wants, full } => {
                    self.serving.add(&wants, full);
                    continue;
                }
                Received::Cancel(cid) => {
                    self.serving.cancel(&cid);
                    continue;
                }
                // What nobody asks for is not worth telling.
                Received::Block { .. } | Received::Presence { .. } if self.peer.outstanding() == 0 => continue,
                Received::Block { prefix, data } => match cid_of(&prefix, &data) {
                    Some(cid) => Report::Block { cid, data },
                    None => Report::Foreign,
                },
                Received::Presence { cid, have } => Report::Presence { cid, have },
            };
            self.events.push_back(report);
        }
        progress
    }

    /// The next message: what we ask comes before what is asked of us.
    fn next_message(&mut self) -> Option<Outgoing> {
        if self.asks.is_empty() {
            return self.serving.take_ready();
        }
        let asks: Vec<Ask> = self.asks.drain(..self.asks.len().min(ASKS_PER_MESSAGE)).collect();
        let mut message = message::begin(0);
        message::put_wantlist(&asks, &mut message);
        let start = message::finish(&mut message);
        Some(Outgoing::new(message, start))
    }

    /// Leaves what is wanted to another connection, once: two that can't write hand nothing to and fro.
    fn give_up(&mut self) {
        let wants = self.serving.hand_over();
        if !self.has_given_up && !wants.is_empty() {
            self.has_given_up = true;
            self.events.push_back(Report::HandOver(wants));
        }
        self.asks.clear();
    }

    fn try_again(&mut self) {
        self.has_given_up = false;
        self.outbound.try_again();
    }

    fn write(&mut self, cx: &mut Context<'_>, now: Instant) -> Progress {
        if self.outbound.is_hopeless() {
            self.give_up();
        }
        self.serving.poll(cx, !self.outbound.is_free());
        if self.outbound.is_free()
            && let Some(outgoing) = self.next_message()
        {
            self.outbound.send(outgoing);
        }
        self.outbound.poll(cx, now, &self.shared.rate)
    }

    /// Sees to it that this is polled when the next timeout is due; `true` if one is due already.
    fn set_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let next = [self.inbound.deadline(), self.outbound.deadline()].into_iter().flatten().min();
        let Some(next) = next else {
            self.timer = None;
            return false;
        };
        match &mut self.timer {
            // A timer that goes off too early sets itself anew, which is cheaper than setting it for each piece.
            Some((at, _)) if *at <= next => {}
            Some((at, sleep)) => {
                *at = next;
                sleep.as_mut().reset(next.into());
            }
            None => self.timer = Some((next, Box::pin(tokio::time::sleep_until(next.into())))),
        }
        let Some((_, sleep)) = &mut self.timer else { return false };
        let due = sleep.as_mut().poll(cx).is_ready();
        if due {
            self.timer = None;
        }
        due
    }
}

type Event = ConnectionHandlerEvent<ReadyUpgrade<StreamProtocol>, (), Report>;

impl ConnectionHandler for Handler {
    type FromBehaviour = Command;
    type ToBehaviour = Report;
    type InboundProtocol = Either<ReadyUpgrade<StreamProtocol>, DeniedUpgrade>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        let upgrade =
            if self.is_relayed { Either::Right(DeniedUpgrade) } else { Either::Left(ReadyUpgrade::new(PROTOCOL)) };
        SubstreamProtocol::new(upgrade, ())
    }

    fn connection_keep_alive(&self) -> bool {
        self.keep
            || !self.serving.is_idle()
            || !self.outbound.is_free()
            || !self.asks.is_empty()
            || self.peer.outstanding() > 0
            || (!self.is_relayed && self.last.elapsed() < IDLE_TIMEOUT)
    }

    fn on_behaviour_event(&mut self, command: Command) {
        self.last = Instant::now();
        match command {
            Command::Keep(keep) => self.keep = keep,
            _ if self.is_relayed => {}
            Command::Ask(asks) => {
                self.try_again();
                self.asks.extend(asks);
            }
            Command::Adopt(wants) => self.serving.add(&wants, false),
        }
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<Self::InboundProtocol, Self::OutboundProtocol>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: future::Either::Left(mut stream),
                ..
            }) => {
                stream.ignore_for_keep_alive();
                self.inbound.add(stream, Instant::now());
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: mut stream, .. }) => {
                stream.ignore_for_keep_alive();
                self.outbound.opened(stream, Instant::now());
            }
            ConnectionEvent::DialUpgradeError(_) => {
                if let Progress::Failed { unanswered } = self.outbound.refused() {
                    self.serving.not_answered(&unanswered);
                }
                if self.outbound.is_hopeless() {
                    self.events.push_back(Report::Unsupported);
                }
            }
            _ => {}
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            let now = Instant::now();
            if let Some(report) = self.events.pop_front() {
                return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(report));
            }
            let keep_blocks = self.peer.outstanding() > 0;
            self.inbound.poll(cx, now, keep_blocks, &mut self.received);
            let mut progress = self.take_in(now);
            match self.write(cx, now) {
                Progress::Pending => {}
                Progress::OpenStream => {
                    let protocol = SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ());
                    return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
                }
                Progress::Written { block_bytes, answered } => {
                    self.serving.answered(&answered);
                    self.peer.add_served(block_bytes);
                    self.last = now;
                    progress = true;
                }
                Progress::Failed { unanswered } => {
                    self.serving.not_answered(&unanswered);
                    progress = true;
                }
                Progress::Stalled => {
                    self.serving.clear();
                    self.asks.clear();
                    self.events.push_back(Report::Stalled);
                    progress = true;
                }
            }
            if !self.set_timer(cx) && !progress && self.events.is_empty() {
                return Poll::Pending;
            }
        }
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<Option<Report>> {
        // What was given up a moment ago may still wait to be told.
        let is_hand_over = |report: &Report| matches!(report, Report::HandOver(_));
        if let Some(index) = self.events.iter().position(is_hand_over) {
            return Poll::Ready(self.events.remove(index));
        }
        let wants = self.serving.hand_over();
        Poll::Ready((!wants.is_empty()).then_some(Report::HandOver(wants)))
    }
}
