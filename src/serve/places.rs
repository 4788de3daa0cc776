//! Who is connected, and whose connection is closed first when somebody else needs its place.
//!
//! Knows addresses and times. Must not know sockets or requests.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::sleep;

use super::peer::Peer;

/// How often it is said that all places are taken.
const TELL_AGAIN: Duration = Duration::from_mins(1);

/// How many connections there may be, and when one may be closed for another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Connections at once.
    pub(super) places: usize,
    /// For a request that is on its way: no connection is closed for another one before that.
    pub(super) grace: Duration,
    /// For an answer that holds what others wait for.
    pub(super) answer: Duration,
}

/// The places, and who has them.
#[derive(Debug)]
pub(super) struct Places {
    rules: Rules,
    start: Instant,
    guests: Mutex<HashMap<u64, Arc<Guest>>>,
    numbers: AtomicU64,
    /// Whether somebody waits for a place.
    is_wanted: AtomicBool,
    /// When that was said, in microseconds after the start; 0 before that.
    told: AtomicU64,
    /// A place became free, or could be freed.
    changed: Notify,
}

/// One connection, as its places' rules see it.
#[derive(Debug)]
pub(super) struct Guest {
    peer: Peer,
    places: Arc<Places>,
    /// Microseconds since the places' start, times two: since when it waits for a request, or, plus one, is being answered.
    since: AtomicU64,
    /// Something of an answer is still to be sent.
    is_sending: AtomicBool,
    /// The answer is a document in memory.
    has_document: AtomicBool,
    is_leaving: AtomicBool,
    leave: Notify,
}

/// A place that is taken; free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    guest: Arc<Guest>,
}

/// An answer under way; the connection waits for its next request when this is dropped.
#[derive(Debug)]
pub(super) struct Answering(Arc<Guest>);

/// What a newcomer can do when all places are taken.
#[derive(Debug)]
enum Full {
    /// Wait until something changes.
    Wait,
    /// Wait no longer than this.
    WaitFor(Duration),
}

impl Places {
    /// Nobody is there yet.
    pub(super) fn new(rules: Rules) -> Arc<Self> {
        Arc::new(Self {
            rules,
            start: Instant::now(),
            guests: Mutex::default(),
            numbers: AtomicU64::new(0),
            is_wanted: AtomicBool::new(false),
            told: AtomicU64::new(0),
            changed: Notify::new(),
        })
    }

    /// A place for a client, as soon as there is one. For one task at a time.
    pub(super) async fn take(self: &Arc<Self>, peer: Peer) -> Place {
        let place = loop {
            match self.try_take(peer) {
                Ok(place) => break place,
                Err(Full::Wait) => self.changed.notified().await,
                Err(Full::WaitFor(time)) => tokio::select! {
                    () = self.changed.notified() => {}
                    () = sleep(time) => {}
                },
            }
        };
        self.is_wanted.store(false, Ordering::Relaxed);
        place
    }

    /// Whether somebody waits for a place, so that each answer should be its connection's last.
    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::SeqCst)
    }

    /// Closes the connections that have been taking a document for too long while others wait for memory. All of them: a
    /// document's memory is free when its last reader has gone.
    pub(super) fn free_documents(&self) {
        let latest = self.now().saturating_sub(micros(self.rules.answer));
        for guest in self.guests().values().filter(|guest| !guest.is_leaving()) {
            let (is_answered, since) = guest.state();
            let is_reading = is_answered || guest.is_sending.load(Ordering::SeqCst);
            if guest.has_document.load(Ordering::Relaxed) && is_reading && since <= latest {
                tracing::warn!(peer = %guest.peer, "a slow connection is closed: others wait for the memory of its answer");
                guest.close();
            }
        }
    }

    /// Closes all connections.
    pub(super) fn close(&self) {
        self.guests().values().for_each(|guest| guest.close());
    }

    fn try_take(self: &Arc<Self>, peer: Peer) -> Result<Place, Full> {
        let mut guests = self.guests();
        if guests.len() < self.rules.places {
            let guest = Arc::new(Guest {
                peer,
                places: Arc::clone(self),
                since: AtomicU64::new(self.now() << 1),
                is_sending: AtomicBool::new(false),
                has_document: AtomicBool::new(false),
                is_leaving: AtomicBool::new(false),
                leave: Notify::new(),
            });
            let number = self.numbers.fetch_add(1, Ordering::Relaxed);
            guests.insert(number, Arc::clone(&guest));
            return Ok(Place { number, guest });
        }
        self.is_wanted.store(true, Ordering::SeqCst);
        self.tell(guests.len());
        if guests.values().any(|guest| guest.is_leaving()) {
            return Err(Full::Wait);
        }
        self.make_room(&guests, peer)
    }

    /// Says, now and then, that all places are taken.
    fn tell(&self, connections: usize) {
        let now = self.now();
        let told = self.told.load(Ordering::Relaxed);
        if told == 0 || now.saturating_sub(told) > micros(TELL_AGAIN) {
            self.told.store(now.max(1), Ordering::Relaxed);
            tracing::warn!(connections, "all places are taken: who waits longest for a request makes room");
        }
    }

    /// Closes one connection for a newcomer: the one that has waited longest for a request, of whoever has most such connections.
    /// Where all are being answered, whoever has more than half of the places gives the oldest to others.
    fn make_room(&self, guests: &HashMap<u64, Arc<Guest>>, newcomer: Peer) -> Result<Place, Full> {
        let mut idle: HashMap<Peer, Share<'_>> = HashMap::new();
        let mut answered: HashMap<Peer, Share<'_>> = HashMap::new();
        for guest in guests.values() {
            let (is_answered, since) = guest.state();
            let is_idle = !is_answered && !guest.is_sending.load(Ordering::SeqCst);
            let shares = if is_idle { &mut idle } else { &mut answered };
            shares.entry(guest.peer).or_insert(Share { count: 0, since, oldest: guest }).add(since, guest);
        }
        let most = |shares: HashMap<Peer, Share<'_>>| {
            let most = shares.into_values().max_by_key(|share| (share.count, std::cmp::Reverse(share.since)));
            most.map(|share| (share.count, share.since, Arc::clone(share.oldest)))
        };
        let others = |share: &(usize, u64, Arc<Guest>)| share.0 > self.rules.places / 2 && share.2.peer != newcomer;
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

    /// Somebody became idle: who waits for a place looks again. Either sees what the other one wrote first (`SeqCst`).
    fn look_again(&self) {
        if self.is_wanted() {
            self.changed.notify_one();
        }
    }

    fn now(&self) -> u64 {
        micros(self.start.elapsed())
    }

    fn guests(&self) -> MutexGuard<'_, HashMap<u64, Arc<Guest>>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn micros(time: Duration) -> u64 {
    time.as_micros() as u64
}

/// The connections of one peer.
struct Share<'a> {
    count: usize,
    since: u64,
    oldest: &'a Arc<Guest>,
}

impl<'a> Share<'a> {
    fn add(&mut self, since: u64, guest: &'a Arc<Guest>) {
        self.count += 1;
        if since < self.since {
            (self.since, self.oldest) = (since, guest);
        }
    }
}

impl Place {
    /// Who has it.
    pub(super) fn guest(&self) -> &Arc<Guest> {
        &self.guest
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let places = &self.guest.places;
        places.guests().remove(&self.number);
        places.changed.notify_one();
    }
}

impl Guest {
    /// For whom it counts.
    pub(super) fn peer(&self) -> Peer {
        self.peer
    }

    /// The places it has one of.
    pub(super) fn places(&self) -> &Places {
        &self.places
    }

    /// A request came.
    pub(super) fn begin(self: &Arc<Self>) -> Answering {
        self.has_document.store(false, Ordering::Relaxed);
        self.since.store(self.places.now() << 1 | 1, Ordering::Relaxed);
        Answering(Arc::clone(self))
    }

    /// Says whether something waits to be taken by the client.
    pub(super) fn sending(&self, is_sending: bool) {
        self.is_sending.store(is_sending, Ordering::SeqCst);
        if !is_sending {
            self.places.look_again();
        }
    }

    /// The place is needed: the connection has to be closed at once.
    pub(super) async fn leaves(&self) {
        self.leave.notified().await;
    }

    fn close(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
        self.leave.notify_one();
    }

    fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Relaxed)
    }

    /// Whether it is being answered, and since when that or the contrary is so.
    fn state(&self) -> (bool, u64) {
        let since = self.since.load(Ordering::SeqCst);
        (since & 1 == 1, since >> 1)
    }
}

impl Answering {
    /// The answer is a document in memory.
    pub(super) fn has_document(&self) {
        self.0.has_document.store(true, Ordering::Relaxed);
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.since.store(self.0.places.now() << 1, Ordering::SeqCst);
        self.0.places.look_again();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn places(count: usize) -> Arc<Places> {
        Places::new(Rules { places: count, grace: Duration::ZERO, answer: Duration::ZERO })
    }

    fn peer(last: u8) -> Peer {
        Peer::of(([192, 0, 2, last], 1).into())
    }

    fn take(places: &Arc<Places>, last: u8) -> Place {
        let place = places.take(peer(last)).now_or_never().expect("a place");
        // The next one comes later, by this clock.
        while places.now() <= place.guest.state().1 {}
        place
    }

    /// Asks for a place and says which of the guests has to go for it.
    fn goes(places: &Arc<Places>, newcomer: u8, guests: &[&Place]) -> Vec<usize> {
        assert!(places.take(peer(newcomer)).now_or_never().is_none());
        (0..guests.len()).filter(|index| guests[*index].guest.is_leaving()).collect()
    }

    #[test]
    fn the_longest_waiting_of_the_largest_share_goes() {
        let places = places(5);
        let one = [take(&places, 1), take(&places, 2), take(&places, 2), take(&places, 2), take(&places, 1)];
        assert_eq!(goes(&places, 3, &one.each_ref()), [1]);
        assert!(one[1].guest.leaves().now_or_never().is_some());
        // One at a time, whatever still comes from it, and its place is the newcomer's.
        drop(one[1].guest.begin());
        assert_eq!(goes(&places, 3, &one.each_ref()), [1]);
        let [first, second, third, fourth, fifth] = one;
        drop(second);
        let sixth = take(&places, 3);
        assert_eq!(goes(&places, 3, &[&first, &third, &fourth, &fifth, &sixth]), [0]);
    }

    #[test]
    fn who_is_answered_stays_and_says_when_that_is_over() {
        let places = places(2);
        let guests = [take(&places, 1), take(&places, 1)];
        let answering = guests[0].guest.begin();
        assert_eq!(goes(&places, 1, &guests.each_ref()), [1]);
        let [first, second] = guests;
        drop(second);
        let second = take(&places, 1);
        let other = second.guest.begin();
        assert_eq!(goes(&places, 1, &[&first, &second]), [0; 0]);
        assert!(places.is_wanted());
        // What the client has not taken yet belongs to the answer.
        first.guest.sending(true);
        drop(answering);
        assert_eq!(goes(&places, 1, &[&first, &second]), [0; 0]);
        first.guest.sending(false);
        assert_eq!(goes(&places, 1, &[&first, &second]), [0]);
        drop((first, other));
        assert!(places.take(peer(1)).now_or_never().is_some());
        assert!(!places.is_wanted());
    }

    #[test]
    fn who_waits_looks_again_when_an_answer_ends_or_was_taken() {
        for is_taken_later in [false, true] {
            let places = places(2);
            let guests = [take(&places, 1), take(&places, 2)];
            let [first, _second] = guests.each_ref().map(|place| place.guest.begin());
            guests[0].guest.sending(is_taken_later);
            let mut newcomer = Box::pin(places.take(peer(3)));
            assert!((&mut newcomer).now_or_never().is_none());
            drop(first);
            if is_taken_later {
                assert!((&mut newcomer).now_or_never().is_none() && !guests[0].guest.is_leaving());
                guests[0].guest.sending(false);
            }
            assert!((&mut newcomer).now_or_never().is_none());
            assert!(guests[0].guest.is_leaving() && !guests[1].guest.is_leaving());
        }
    }

    #[test]
    fn who_has_more_than_half_of_the_places_shares_them_with_others() {
        let places = places(4);
        let guests = [take(&places, 1), take(&places, 2), take(&places, 2), take(&places, 2)];
        let answering: Vec<Answering> = guests.iter().map(|place| place.guest.begin()).collect();
        assert_eq!(goes(&places, 2, &guests.each_ref()), [0; 0]);
        assert_eq!(goes(&places, 3, &guests.each_ref()).len(), 1);
        assert!(!guests[0].guest.is_leaving());
        drop(answering);
    }

    #[test]
    fn half_of_the_places_are_a_fair_share() {
        let places = places(4);
        let guests = [take(&places, 1), take(&places, 1), take(&places, 2), take(&places, 2)];
        let _answering: Vec<Answering> = guests.iter().map(|place| place.guest.begin()).collect();
        assert_eq!(goes(&places, 3, &guests.each_ref()), [0; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_may_be_on_its_way_is_waited_for() {
        let rules = Rules { places: 1, grace: Duration::from_hours(1), answer: Duration::ZERO };
        let places = Places::new(rules);
        let guest = take(&places, 1);
        assert_eq!(goes(&places, 2, &[&guest]), [0; 0]);
    }

    #[test]
    fn slow_readers_of_documents_go_when_their_memory_is_needed() {
        let places = places(4);
        let guests = [take(&places, 1), take(&places, 1), take(&places, 1)];
        let _file = guests[0].guest.begin();
        let (first, second) = (guests[1].guest.begin(), guests[2].guest.begin());
        first.has_document();
        second.has_document();
        // It was read to its end.
        drop(first);
        places.free_documents();
        let leaving: Vec<bool> = guests.iter().map(|place| place.guest.is_leaving()).collect();
        assert_eq!(leaving, [false, false, true]);
    }
}
