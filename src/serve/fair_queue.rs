//! Whose turn it is where only a few may compute at once: each peer has a queue of its own, and the queues take turns.
//!
//! Knows peers. Must not know what is computed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::peer::Peer;

#[derive(Debug)]
pub(super) struct FairQueue {
    /// Most of one peer that wait.
    patience: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    queues: HashMap<Peer, VecDeque<oneshot::Sender<Turn>>>,
    /// Peers with a queue, in the order in which they are served.
    order: VecDeque<Peer>,
}

/// The right to compute, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn(Option<Arc<FairQueue>>);

impl FairQueue {
    /// So many compute at once, and so many of each peer wait.
    pub(super) fn new(at_once: usize, patience: usize) -> Arc<Self> {
        let state = State { free: at_once, queues: HashMap::new(), order: VecDeque::new() };
        Arc::new(Self { patience, state: Mutex::new(state) })
    }

    /// Waits for a turn; nothing if too many of this peer wait already.
    pub(super) async fn wait(self: &Arc<Self>, peer: Peer) -> Option<Turn> {
        let waiting = {
            let mut state = self.state();
            if state.free > 0 {
                state.free -= 1;
                return Some(Turn(Some(Arc::clone(self))));
            }
            let State { queues, order, .. } = &mut *state;
            let queue = queues.entry(peer).or_insert_with(|| {
                order.push_back(peer);
                VecDeque::new()
            });
            // Who has gone away waits no more.
            queue.retain(|waiting| !waiting.is_closed());
            if queue.len() >= self.patience {
                return None;
            }
            let (sender, receiver) = oneshot::channel();
            queue.push_back(sender);
            receiver
        };
        waiting.await.ok()
    }

    /// Gives a turn that is over to the first of the next peer.
    fn pass(self: &Arc<Self>) {
        let mut state = self.state();
        let State { free, queues, order } = &mut *state;
        while let Some(peer) = order.pop_front() {
            let Some(mut queue) = queues.remove(&peer) else { continue };
            while let Some(waiting) = queue.pop_front() {
                // Not dropped here if nobody waits for it any more: that would pass it on while the lock is held.
                let Err(mut turn) = waiting.send(Turn(Some(Arc::clone(self)))) else {
                    if !queue.is_empty() {
                        queues.insert(peer, queue);
                        order.push_back(peer);
                    }
                    return;
                };
                turn.0 = None;
            }
        }
        *free += 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.0.take() {
            turns.pass();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::future::BoxFuture;

    use super::*;

    fn wait(turns: &Arc<FairQueue>, last: u8) -> BoxFuture<'static, Option<Turn>> {
        let turns = Arc::clone(turns);
        Box::pin(async move { turns.wait(Peer::of(([192, 0, 2, last], 1).into())).await })
    }

    #[test]
    fn peers_take_turns_however_many_of_one_wait() {
        let turns = FairQueue::new(1, 3);
        let first = wait(&turns, 1).now_or_never().unwrap().unwrap();
        let mut many: Vec<_> = (0..5).map(|_| wait(&turns, 1)).collect();
        let refused = many.iter_mut().filter_map(FutureExt::now_or_never).filter(Option::is_none).count();
        assert_eq!(refused, 2);
        let mut other = wait(&turns, 2);
        assert!((&mut other).now_or_never().is_none());
        drop(first);
        let second = (&mut many[0]).now_or_never().flatten().expect("the first of those who wait longest");
        assert!((&mut other).now_or_never().is_none());
        drop(second);
        let third = (&mut other).now_or_never().flatten().expect("the other one's turn");
        assert!((&mut many[1]).now_or_never().is_none());
        drop(third);
        assert!((&mut many[1]).now_or_never().flatten().is_some());
    }

    #[test]
    fn who_has_gone_away_is_passed_over_and_nothing_is_lost() {
        let turns = FairQueue::new(2, 1);
        let (first, second) = (wait(&turns, 1).now_or_never().unwrap(), wait(&turns, 1).now_or_never().unwrap());
        let mut gone = wait(&turns, 1);
        assert!((&mut gone).now_or_never().is_none());
        drop(gone);
        // Its place in the queue is another's.
        let mut waiting = wait(&turns, 1);
        assert!((&mut waiting).now_or_never().is_none());
        let mut given = wait(&turns, 2);
        assert!((&mut given).now_or_never().is_none());
        drop(first);
        assert!((&mut waiting).now_or_never().flatten().is_some());
        // Given, and never looked at.
        drop(given);
        drop(second);
        assert_eq!(turns.state().free, 2);
        assert!(turns.state().order.is_empty() && turns.state().queues.is_empty());
    }

    #[test]
    fn the_turn_of_who_has_gone_is_that_of_the_next() {
        let turns = FairQueue::new(1, 3);
        let first = wait(&turns, 1).now_or_never().flatten().unwrap();
        let (mut gone, mut next) = (wait(&turns, 2), wait(&turns, 3));
        assert!((&mut gone).now_or_never().is_none() && (&mut next).now_or_never().is_none());
        drop((gone, first));
        assert!((&mut next).now_or_never().flatten().is_some());
        assert_eq!(turns.state().free, 1);
    }
}
