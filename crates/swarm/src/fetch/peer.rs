//! What a fetch session thinks of one peer: what it owes, how fast it is, and whether it is put back. Pure.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use cid::Cid;
use libp2p::PeerId;

/// Blocks that a peer may owe: at first, and at most. It grows with each block and is halved by a stall.
const FIRST_WINDOW: usize = 16;
const MAX_WINDOW: usize = 64;
/// How long nothing may come from a peer that owes blocks.
const STALL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a peer is put back for its first stall; twice as long for each further one, up to the other.
const FIRST_PUT_BACK: Duration = Duration::from_secs(5);
const MAX_PUT_BACK: Duration = Duration::from_mins(5);
/// Blocks that a peer was not asked for before it is not asked for anything.
const MAX_LIES: u32 = 3;
/// Blocks that were cancelled and may still come.
const MAX_CANCELLED: usize = 1024;
/// What is expected of a peer of which nothing is known.
const FIRST_BYTES_PER_SECOND: f64 = 4e6;
const FIRST_BLOCK_BYTES: f64 = 256e3;

/// What a session knows of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerReport {
    /// Who it is.
    pub peer: PeerId,
    /// Whether it is connected.
    pub connected: bool,
    /// Whether others are asked before it: it stalled, or sent what it was not asked for.
    pub put_back: bool,
    /// Bytes of blocks that it delivered.
    pub bytes: u64,
    /// Blocks that it owes.
    pub outstanding: usize,
}

/// One peer of one session.
#[derive(Debug)]
pub(crate) struct PeerState {
    pub(crate) connected: bool,
    /// What it owes, with when it was asked.
    owed: HashMap<Cid, Instant>,
    cancelled: HashMap<Cid, Instant>,
    window: usize,
    /// When something came that was asked for, or when the first of what it owes was asked.
    progress: Instant,
    bytes_per_second: Option<f64>,
    block_bytes: f64,
    stalls: u32,
    lies: u32,
    put_back_until: Option<Instant>,
    banned: bool,
    bytes: u64,
}

impl PeerState {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            connected: false,
            owed: HashMap::new(),
            cancelled: HashMap::new(),
            window: FIRST_WINDOW,
            progress: now,
            bytes_per_second: None,
            block_bytes: FIRST_BLOCK_BYTES,
            stalls: 0,
            lies: 0,
            put_back_until: None,
            banned: false,
            bytes: 0,
        }
    }

    pub(crate) fn outstanding(&self) -> usize {
        self.owed.len()
    }

    /// Bytes of blocks that came from it and were asked for.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn asked_at(&self, cid: &Cid) -> Option<Instant> {
        self.owed.get(cid).copied()
    }

    pub(crate) fn is_put_back(&self, now: Instant) -> bool {
        self.put_back_until.is_some_and(|until| now < until)
    }

    pub(crate) fn is_banned(&self, now: Instant) -> bool {
        self.banned && self.is_put_back(now)
    }

    /// Whether it can be asked for one more.
    pub(crate) fn has_space(&self, now: Instant) -> bool {
        self.connected && self.owed.len() < self.window && !self.is_banned(now)
    }

    /// Seconds until one more block would be here.
    pub(crate) fn expected(&self, now: Instant) -> f64 {
        let rate = self.bytes_per_second.unwrap_or(FIRST_BYTES_PER_SECOND).max(1.0);
        let silent =
            if self.owed.is_empty() { 0.0 } else { now.saturating_duration_since(self.progress).as_secs_f64() };
        (self.owed.len() + 1) as f64 * self.block_bytes / rate + silent
    }

    pub(crate) fn asked(&mut self, cid: Cid, now: Instant) {
        if self.owed.is_empty() {
            self.progress = now;
        }
        self.cancelled.remove(&cid);
        self.owed.insert(cid, now);
    }

    pub(crate) fn cancelled(&mut self, cid: &Cid, now: Instant) {
        if self.owed.remove(cid).is_some() && self.cancelled.len() < MAX_CANCELLED {
            self.cancelled.insert(*cid, now);
        }
    }

    /// A block has come; `false` if it was not asked for.
    pub(crate) fn delivered(&mut self, cid: &Cid, bytes: usize, now: Instant) -> bool {
        let Some(asked) = self.owed.remove(cid) else {
            // More may be under way than could be remembered.
            return self.cancelled.remove(cid).is_some() || self.cancelled.len() >= MAX_CANCELLED;
        };
        let seconds = now.saturating_duration_since(asked.max(self.progress)).as_secs_f64().max(1e-4);
        let rate = bytes as f64 / seconds;
        self.bytes_per_second = Some(self.bytes_per_second.map_or(rate, |known| 0.9 * known + 0.1 * rate));
        self.block_bytes = 0.9 * self.block_bytes + 0.1 * bytes as f64;
        self.bytes += bytes as u64;
        self.progress = now;
        self.window = (self.window + 1).min(MAX_WINDOW);
        self.stalls = 0;
        self.put_back_until = None;
        true
    }

    /// It lacks a block; `false` if it was not asked for that.
    pub(crate) fn refused(&mut self, cid: &Cid, now: Instant) -> bool {
        self.progress = now;
        self.owed.remove(cid).is_some()
    }

    /// Whether it has just stalled.
    pub(crate) fn stalled(&mut self, now: Instant) -> bool {
        if !self.connected || self.owed.is_empty() || now < self.progress + STALL_TIMEOUT {
            return false;
        }
        let longer = 2_u32.saturating_pow(self.stalls.min(10));
        self.stalls += 1;
        self.put_back_until = Some(now + (FIRST_PUT_BACK * longer).min(MAX_PUT_BACK));
        self.window = (self.window / 2).max(1);
        self.progress = now;
        true
    }

    /// It sent what it was not asked for; `true` if that is too much.
    pub(crate) fn lied(&mut self, now: Instant) -> bool {
        self.lies += 1;
        if self.lies < MAX_LIES {
            return false;
        }
        self.put_back_for_long(now);
        true
    }

    pub(crate) fn put_back_for_long(&mut self, now: Instant) {
        self.banned = true;
        self.put_back_until = Some(now + MAX_PUT_BACK);
        self.lies = 0;
    }

    /// It owes nothing any more; what it owed may come all the same.
    pub(crate) fn give_up(&mut self) -> Vec<Cid> {
        let owed: Vec<(Cid, Instant)> = self.owed.drain().collect();
        for (cid, asked) in &owed {
            if self.cancelled.len() < MAX_CANCELLED {
                self.cancelled.insert(*cid, *asked);
            }
        }
        owed.into_iter().map(|(cid, _)| cid).collect()
    }
}
