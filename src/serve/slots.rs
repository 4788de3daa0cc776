//! Who is connected, and whose connection is closed first when somebody else needs its slot.
//!
//! Knows addresses and times. Must not know sockets or requests.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::sleep;

use super::peer::Peer;

/// How often it is said that all slots are taken.
const CROWDED_LOG_INTERVAL: Duration = Duration::from_mins(1);

/// How many connections there may be, and when one may be closed for another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) slots: usize,
    /// For a request that is on its way: no connection is closed for another one before that.
    pub(super) grace: Duration,
    /// For an answer that holds what others wait for.
    pub(super) answer: Duration,
}

/// The slots, and who has them.
#[derive(Debug)]
pub(super) struct Slots {
    rules: Rules,
    start: Instant,
    connections: Mutex<HashMap<u64, Arc<ConnectionState>>>,
    numbers: AtomicU64,
    /// Whether somebody waits for a slot.
    is_wanted: AtomicBool,
    /// When that was said, in microseconds after the start; 0 before that.
    told: AtomicU64,
    /// A slot became free, or could be freed.
    changed: Notify,
}

/// One connection, as its slots' rules see it.
#[derive(Debug)]
pub(super) struct ConnectionState {
    peer: Peer,
    slots: Arc<Slots>,
    /// Microseconds since the slots' start, times two: since when it waits for a request, or, plus one, is being answered.
    since: AtomicU64,
    /// Requests that are being answered.
    in_flight: AtomicUsize,
    /// Something of an answer is still to be sent.
    is_sending: AtomicBool,
    /// The answer is a document in memory.
    has_document: AtomicBool,
    is_closing: AtomicBool,
    close: Notify,
}

/// A slot that is taken; free again when this is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    number: u64,
    state: Arc<ConnectionState>,
}

/// An answer under way; the connection waits for its next request when all of these are dropped.
#[derive(Debug)]
pub(super) struct InFlight(Arc<ConnectionState>);

/// What a newcomer can do when all slots are taken.
#[derive(Debug)]
enum Full {
    /// Wait until something changes.
    Wait,
    /// Wait no longer than this.
    WaitFor(Duration),
}

impl Slots {
    /// Nobody is there yet.
    pub(super) fn new(rules: Rules) -> Arc<Self> {
        Arc::new(Self {
            rules,
            start: Instant::now(),
            connections: Mutex::default(),
            numbers: AtomicU64::new(0),
            is_wanted: AtomicBool::new(false),
            told: AtomicU64::new(0),
            changed: Notify::new(),
        })
    }

    /// A slot for a client, as soon as there is one. For one task at a time.
    pub(super) async fn take(self: &Arc<Self>, peer: Peer) -> Slot {
        let slot = loop {
            match self.try_take(peer) {
                Ok(slot) => break slot,
                Err(Full::Wait) => self.changed.notified().await,
                Err(Full::WaitFor(time)) => tokio::select! {
                    () = self.changed.notified() => {}
                    () = sleep(time) => {}
                },
            }
        };
        self.is_wanted.store(false, Ordering::Relaxed);
        slot
    }

    /// Whether somebody waits for a slot, so that each answer should be its connection's last.
    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::SeqCst)
    }

    /// Closes the connections that have been taking a document for too long while others wait for memory. All of them: a
    /// document's memory is free when its last reader has gone.
    pub(super) fn free_documents(&self) {
        let latest = self.now().saturating_sub(micros(self.rules.answer));
        for connection in self.connections().values().filter(|connection| !connection.is_closing()) {
            let (is_answered, since) = connection.activity();
            let is_reading = is_answered || connection.is_sending.load(Ordering::SeqCst);
            if connection.has_document.load(Ordering::Relaxed) && is_reading && since <= latest {
                tracing::warn!(peer = %connection.peer, "closing a slow connection: others wait for the memory of its response");
                connection.close();
            }
        }
    }

    pub(super) fn close(&self) {
        self.connections().values().for_each(|connection| connection.close());
    }

    fn try_take(self: &Arc<Self>, peer: Peer) -> Result<Slot, Full> {
        let mut connections = self.connections();
        if connections.len() < self.rules.slots {
            let connection = Arc::new(ConnectionState {
                peer,
                slots: Arc::clone(self),
                since: AtomicU64::new(self.now() << 1),
                in_flight: AtomicUsize::new(0),
                is_sending: AtomicBool::new(false),
                has_document: AtomicBool::new(false),
                is_closing: AtomicBool::new(false),
                close: Notify::new(),
            });
            let number = self.numbers.fetch_add(1, Ordering::Relaxed);
            connections.insert(number, Arc::clone(&connection));
            return Ok(Slot { number, state: connection });
        }
        self.is_wanted.store(true, Ordering::SeqCst);
        self.tell(connections.len());
        if connections.values().any(|connection| connection.is_closing()) {
            return Err(Full::Wait);
        }
        self.make_room(&connections, peer)
    }

    /// Says, now and then, that all slots are taken.
    fn tell(&self, connections: usize) {
        let now = self.now();
        let told = self.told.load(Ordering::Relaxed);
        if told == 0 || now.saturating_sub(told) > micros(CROWDED_LOG_INTERVAL) {
            self.told.store(now.max(1), Ordering::Relaxed);
            tracing::warn!(connections, "all connections are in use: closing the one that has been idle longest");
        }
    }

    /// Closes one connection for a newcomer: the one that has waited longest for a request, of whoever has most such connections.
    /// Where all are being answered, whoever has more than half of the slots gives the oldest to others.
    fn make_room(&self, connections: &HashMap<u64, Arc<ConnectionState>>, newcomer: Peer) -> Result<Slot, Full> {
        let mut idle: HashMap<Peer, Share<'_>> = HashMap::new();
        let mut answered: HashMap<Peer, Share<'_>> = HashMap::new();
        for connection in connections.values() {
            let (is_answered, since) = connection.activity();
            let is_idle = !is_answered && !connection.is_sending.load(Ordering::SeqCst);
            let shares = if is_idle { &mut idle } else { &mut answered };
            shares
                .entry(connection.peer)
                .or_insert(Share { count: 0, since, oldest: connection })
                .add(since, connection);
        }
        let most = |shares: HashMap<Peer, Share<'_>>| {
            let most = shares.into_values().max_by_key(|share| (share.count, std::cmp::Reverse(share.since)));
            most.map(|share| (share.count, share.since, Arc::clone(share.oldest)))
        };
        let others =
            |share: &(usize, u64, Arc<ConnectionState>)| share.0 > self.rules.slots / 2 && share.2.peer != newcomer;
        let (since, oldest, time) = match (most(idle), most(answered).filter(others)) {
            (Some((_, since, oldest)), _) => (since, oldest, self.rules.grace),
            (None, Some((_, since, oldest))) => (since, oldest, self.rules.answer),
            (None, None) => return Err(Full::Wait),
        };
        let age = Duration::from_micros(self.now().saturating_sub(since));
        if age < time {
            return Err(Full::WaitFor(time.saturating_sub(age)));
        }
        oldest.close();
        Err(Full::Wait)
    }

    /// Somebody became idle: who waits for a slot looks again. Either sees what the other one wrote first (`SeqCst`).
    fn look_again(&self) {
        if self.is_wanted() {
            self.changed.notify_one();
        }
    }

    fn now(&self) -> u64 {
        micros(self.start.elapsed())
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<u64, Arc<ConnectionState>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn micros(time: Duration) -> u64 {
    time.as_micros() as u64
}

/// The connections of one peer.
struct Share<'a> {
    count: usize,
    since: u64,
    oldest: &'a Arc<ConnectionState>,
}

impl<'a> Share<'a> {
    fn add(&mut self, since: u64, connection: &'a Arc<ConnectionState>) {
        self.count += 1;
        if since < self.since {
            (self.since, self.oldest) = (since, connection);
        }
    }
}

impl Slot {
    pub(super) fn state(&self) -> &Arc<ConnectionState> {
        &self.state
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let slots = &self.state.slots;
        slots.connections().remove(&self.number);
        slots.changed.notify_one();
    }
}

impl ConnectionState {
    /// For whom it counts.
    pub(super) fn peer(&self) -> Peer {
        self.peer
    }

    /// The slots it has one of.
    pub(super) fn slots(&self) -> &Slots {
        &self.slots
    }

    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        if self.in_flight.fetch_add(1, Ordering::SeqCst) == 0 {
            self.has_document.store(false, Ordering::Relaxed);
            self.since.store(self.slots.now() << 1 | 1, Ordering::Relaxed);
        }
        InFlight(Arc::clone(self))
    }

    /// Says whether something waits to be taken by the client.
    pub(super) fn sending(&self, is_sending: bool) {
        self.is_sending.store(is_sending, Ordering::SeqCst);
        if !is_sending {
            self.slots.look_again();
        }
    }

    /// The slot is needed: the connection has to be closed at once.
    pub(super) async fn closing(&self) {
        self.close.notified().await;
    }

    fn close(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
        self.close.notify_one();
    }

    fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Relaxed)
    }

    /// Whether it is being answered, and since when that or the contrary is so.
    fn activity(&self) -> (bool, u64) {
        let since = self.since.load(Ordering::SeqCst);
        (since & 1 == 1, since >> 1)
    }
}

impl InFlight {
    /// The answer is a document in memory.
    pub(super) fn has_document(&self) {
        self.0.has_document.store(true, Ordering::Relaxed);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.since.store(self.0.slots.now() << 1, Ordering::SeqCst);
            // Another one began at the same time.
            if self.0.in_flight.load(Ordering::SeqCst) > 0 {
                self.0.since.store(self.0.slots.now() << 1 | 1, Ordering::SeqCst);
            }
            self.0.slots.look_again();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn slots(count: usize) -> Arc<Slots> {
        Slots::new(Rules { slots: count, grace: Duration::ZERO, answer: Duration::ZERO })
    }

    fn peer(last: u8) -> Peer {
        Peer::of(([192, 0, 2, last], 1).into())
    }

    fn take(slots: &Arc<Slots>, last: u8) -> Slot {
        let slot = slots.take(peer(last)).now_or_never().expect("a slot");
        // The next one comes later, by this clock.
        while slots.now() <= slot.state.activity().1 {}
        slot
    }

    /// Asks for a slot and says which of the connections has to go for it.
    fn goes(slots: &Arc<Slots>, newcomer: u8, connections: &[&Slot]) -> Vec<usize> {
        assert!(slots.take(peer(newcomer)).now_or_never().is_none());
        (0..connections.len()).filter(|index| connections[*index].state.is_closing()).collect()
    }

    #[test]
    fn the_longest_waiting_of_the_largest_share_goes() {
        let slots = slots(5);
        let one = [take(&slots, 1), take(&slots, 2), take(&slots, 2), take(&slots, 2), take(&slots, 1)];
        assert_eq!(goes(&slots, 3, &one.each_ref()), [1]);
        assert!(one[1].state.closing().now_or_never().is_some());
        // One at a time, whatever still comes from it, and its slot is the newcomer's.
        drop(one[1].state.begin());
        assert_eq!(goes(&slots, 3, &one.each_ref()), [1]);
        let [first, second, third, fourth, fifth] = one;
        drop(second);
        let sixth = take(&slots, 3);
        assert_eq!(goes(&slots, 3, &[&first, &third, &fourth, &fifth, &sixth]), [0]);
    }

    #[test]
    fn who_is_answered_stays_and_says_when_that_is_over() {
        let slots = slots(2);
        let connections = [take(&slots, 1), take(&slots, 1)];
        let answering = connections[0].state.begin();
        assert_eq!(goes(&slots, 1, &connections.each_ref()), [1]);
        let [first, second] = connections;
        drop(second);
        let second = take(&slots, 1);
        let other = second.state.begin();
        assert_eq!(goes(&slots, 1, &[&first, &second]), [0; 0]);
        assert!(slots.is_wanted());
        // What the client has not taken yet belongs to the answer.
        first.state.sending(true);
        drop(answering);
        assert_eq!(goes(&slots, 1, &[&first, &second]), [0; 0]);
        first.state.sending(false);
        assert_eq!(goes(&slots, 1, &[&first, &second]), [0]);
        drop((first, other));
        assert!(slots.take(peer(1)).now_or_never().is_some());
        assert!(!slots.is_wanted());
    }

    #[test]
    fn who_waits_looks_again_when_an_answer_ends_or_was_taken() {
        for is_taken_later in [false, true] {
            let slots = slots(2);
            let connections = [take(&slots, 1), take(&slots, 2)];
            let [first, _second] = connections.each_ref().map(|slot| slot.state.begin());
            connections[0].state.sending(is_taken_later);
            let mut newcomer = Box::pin(slots.take(peer(3)));
            assert!((&mut newcomer).now_or_never().is_none());
            drop(first);
            if is_taken_later {
                assert!((&mut newcomer).now_or_never().is_none() && !connections[0].state.is_closing());
                connections[0].state.sending(false);
            }
            assert!((&mut newcomer).now_or_never().is_none());
            assert!(connections[0].state.is_closing() && !connections[1].state.is_closing());
        }
    }

    #[test]
    fn who_has_more_than_half_of_the_places_shares_them_with_others() {
        let slots = slots(4);
        let connections = [take(&slots, 1), take(&slots, 2), take(&slots, 2), take(&slots, 2)];
        let answering: Vec<InFlight> = connections.iter().map(|slot| slot.state.begin()).collect();
        assert_eq!(goes(&slots, 2, &connections.each_ref()), [0; 0]);
        assert_eq!(goes(&slots, 3, &connections.each_ref()).len(), 1);
        assert!(!connections[0].state.is_closing());
        drop(answering);
    }

    #[test]
    fn half_of_the_places_are_a_fair_share() {
        let slots = slots(4);
        let connections = [take(&slots, 1), take(&slots, 1), take(&slots, 2), take(&slots, 2)];
        let _answering: Vec<InFlight> = connections.iter().map(|slot| slot.state.begin()).collect();
        assert_eq!(goes(&slots, 3, &connections.each_ref()), [0; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_may_be_on_its_way_is_waited_for() {
        let rules = Rules { slots: 1, grace: Duration::from_hours(1), answer: Duration::ZERO };
        let slots = Slots::new(rules);
        let connection = take(&slots, 1);
        assert_eq!(goes(&slots, 2, &[&connection]), [0; 0]);
    }

    #[test]
    fn slow_readers_of_documents_go_when_their_memory_is_needed() {
        let slots = slots(4);
        let connections = [take(&slots, 1), take(&slots, 1), take(&slots, 1)];
        let _file = connections[0].state.begin();
        let (first, second) = (connections[1].state.begin(), connections[2].state.begin());
        first.has_document();
        second.has_document();
        // It was read to its end.
        drop(first);
        slots.free_documents();
        let leaving: Vec<bool> = connections.iter().map(|slot| slot.state.is_closing()).collect();
        assert_eq!(leaving, [false, false, true]);
    }
}
