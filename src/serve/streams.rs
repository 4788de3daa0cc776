//! Requests that share a connection (streams of HTTP/2): how many there may be, and which of them their client lets wait.
//!
//! Knows peers and times. Must not know HTTP. What holds for connections with one request each holds for these: there are as
//! many of them, one peer has no more than half, and whoever takes nothing of an answer loses its place.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::fair_queue::{FairQueue, Turn};
use super::peer::Peer;

/// All streams of a server.
#[derive(Debug)]
pub(super) struct Streams {
    turns: Arc<FairQueue>,
    /// Most of one peer.
    share: usize,
    peers: Mutex<HashMap<Peer, Share>>,
}

/// What one peer has.
#[derive(Debug)]
struct Share {
    free: Arc<Semaphore>,
    /// Streams, also those that wait.
    streams: usize,
}

/// The right to be answered, until the answer has been taken.
#[derive(Debug)]
pub(super) struct Stream {
    _turn: Turn,
    _permit: OwnedSemaphorePermit,
    _counted: Counted,
}

/// One of the streams of a peer.
#[derive(Debug)]
struct Counted(Peer, Arc<Streams>);

impl Streams {
    /// So many at once.
    pub(super) fn new(at_once: usize) -> Arc<Self> {
        // Each connection waits for as many turns as it has streams, so their number bounds who waits.
        let turns = FairQueue::new(at_once.max(2), usize::MAX);
        Arc::new(Self { turns, share: (at_once / 2).max(1), peers: Mutex::default() })
    }

    /// Waits for the turn of a request: of its peer's others first.
    pub(super) async fn begin(self: &Arc<Self>, peer: Peer) -> Option<Stream> {
        let counted = Counted(peer, Arc::clone(self));
        let free = {
            let mut peers = self.peers();
            let share =
                peers.entry(peer).or_insert_with(|| Share { free: Arc::new(Semaphore::new(self.share)), streams: 0 });
            share.streams += 1;
            Arc::clone(&share.free)
        };
        let permit = free.acquire_owned().await.ok()?;
        let turn = self.turns.wait(peer).await?;
        Some(Stream { _turn: turn, _permit: permit, _counted: counted })
    }

    fn peers(&self) -> MutexGuard<'_, HashMap<Peer, Share>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut peers = self.1.peers();
        if let Some(share) = peers.get_mut(&self.0) {
            share.streams -= 1;
            if share.streams == 0 {
                peers.remove(&self.0);
            }
        }
    }
}

/// The answers that are under way on one connection.
#[derive(Debug)]
pub(super) struct Running(Mutex<Answers>);

#[derive(Debug)]
struct Answers {
    /// When something of each was taken last.
    taken: HashMap<u64, Instant>,
    numbers: u64,
    idle_since: Instant,
}

/// An answer under way.
#[derive(Debug)]
pub(super) struct RunningAnswer(u64, Arc<Running>);

/// What is to be done about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Fine,
    /// Nothing is asked for, for a long time.
    Idle,
    /// Of an answer nothing is taken, for a long time.
    Stalled,
}

impl Running {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Answers { taken: HashMap::new(), numbers: 0, idle_since: Instant::now() })))
    }

    pub(super) fn begin(self: &Arc<Self>) -> RunningAnswer {
        let mut answers = self.answers();
        answers.numbers += 1;
        let number = answers.numbers;
        answers.taken.insert(number, Instant::now());
        RunningAnswer(number, Arc::clone(self))
    }

    /// By how long nothing may be asked for, and how long nothing may be taken.
    pub(super) fn verdict(&self, idle: Duration, stalled: Duration) -> Verdict {
        let answers = self.answers();
        match answers.taken.values().min() {
            Some(oldest) if oldest.elapsed() >= stalled => Verdict::Stalled,
            None if answers.idle_since.elapsed() >= idle => Verdict::Idle,
            _ => Verdict::Fine,
        }
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunningAnswer {
    /// Something of it was taken.
    pub(super) fn taken(&self) {
        if let Some(taken) = self.1.answers().taken.get_mut(&self.0) {
            *taken = Instant::now();
        }
    }
}

impl Drop for RunningAnswer {
    fn drop(&mut self) {
        let mut answers = self.1.answers();
        answers.taken.remove(&self.0);
        answers.idle_since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn peer(last: u8) -> Peer {
        Peer::of(([192, 0, 2, last], 1).into())
    }

    #[test]
    fn one_peer_has_half_and_the_others_take_turns() {
        let streams = Streams::new(6);
        let begin = |last| Box::pin(streams.begin(peer(last)));
        let mut first: Vec<_> = (0..3).map(|_| begin(1).now_or_never().flatten().unwrap()).collect();
        let mut fourth = begin(1);
        assert!((&mut fourth).now_or_never().is_none());
        let _second: Vec<_> = (0..3).map(|_| begin(2).now_or_never().flatten().unwrap()).collect();
        let mut third = begin(3);
        assert!((&mut third).now_or_never().is_none());
        first.pop();
        // It has its share now, and the other one's turn comes first.
        assert!((&mut fourth).now_or_never().is_none());
        assert!((&mut third).now_or_never().flatten().is_some());
        drop(first);
        assert!((&mut fourth).now_or_never().flatten().is_some());
        drop((fourth, third));
        assert_eq!(streams.peers().keys().collect::<Vec<_>>(), [&peer(2)]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_seen_whatever_the_others_take() {
        let (idle, stalled) = (Duration::from_secs(30), Duration::from_mins(1));
        let running = Running::new();
        let verdict = || running.verdict(idle, stalled);
        tokio::time::advance(Duration::from_secs(29)).await;
        assert_eq!(verdict(), Verdict::Fine);
        let [slow, fast] = [running.begin(), running.begin()];
        tokio::time::advance(Duration::from_secs(59)).await;
        fast.taken();
        assert_eq!(verdict(), Verdict::Fine);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(verdict(), Verdict::Stalled);
        slow.taken();
        assert_eq!(verdict(), Verdict::Fine);
        drop((slow, fast));
        tokio::time::advance(Duration::from_secs(29)).await;
        assert_eq!(verdict(), Verdict::Fine);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(verdict(), Verdict::Idle);
    }
}
