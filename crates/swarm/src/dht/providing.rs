//! Which keys are to be provided when: each in its turn, a few at once, and all again before their records end.
//!
//! Pure: is told what the time is and what became of each key.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant, SystemTime};

use cid::Cid;
use cid::multihash::Multihash;

/// Keys that are provided at the same time. More would only make the lookups wait for each other.
pub(crate) const MAX_AT_ONCE: usize = 8;
/// Kubo's interval (`Provide.DHT.Interval`); records end after 48 hours.
pub(crate) const PROVIDE_INTERVAL: Duration = Duration::from_hours(22);
/// How long a key waits that nobody took.
const RETRY_INTERVAL: Duration = Duration::from_mins(5);

/// A block that is to be found in the DHT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProvideKey {
    /// Only its multihash is provided.
    pub cid: Cid,
    /// When it was provided last, as an earlier run of this node told by [`crate::Event::Provided`].
    pub provided: Option<SystemTime>,
}

impl From<Cid> for ProvideKey {
    fn from(cid: Cid) -> Self {
        Self { cid, provided: None }
    }
}

/// How far providing has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Providing {
    /// Keys in all.
    pub total: usize,
    /// Keys whose records in the DHT are fresh.
    pub provided: usize,
    /// Keys that are being provided now.
    pub running: usize,
    /// Keys that wait for their turn for the first time.
    pub waiting: usize,
    /// Keys that nobody took, and that are tried again.
    pub failed: usize,
}

/// What a block is called in the DHT.
pub(crate) type Key = Multihash<64>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Provided(Instant),
    Failed(Instant),
}

#[derive(Debug)]
struct Entry {
    /// Its place in the order that was given.
    place: u64,
    state: State,
}

/// The keys that the owner gave, in its order.
#[derive(Debug, Default)]
pub(crate) struct ProvideQueue {
    entries: HashMap<Key, Entry>,
    /// Keys that have never been provided, in order.
    waiting: BTreeMap<u64, Key>,
    /// Keys that come again, by when they are due.
    due: BTreeMap<(Instant, u64), Key>,
    next_place: u64,
    figures: Providing,
}

impl ProvideQueue {
    /// Provides exactly these from now on. What is known of a key that was there before stays known.
    ///
    /// Returns the keys that are not provided any more.
    pub(crate) fn set(&mut self, keys: Vec<ProvideKey>, now: Instant, today: SystemTime) -> Vec<Key> {
        let mut before = std::mem::take(&mut self.entries);
        self.waiting.clear();
        self.due.clear();
        self.figures = Providing::default();
        for key in keys {
            let hash = *key.cid.hash();
            if self.entries.contains_key(&hash) {
                continue;
            }
            let state = match before.remove(&hash) {
                Some(entry) => entry.state,
                None => earlier(key.provided, now, today),
            };
            self.insert(hash, state);
        }
        before.into_keys().collect()
    }

    /// Everything is provided anew: the addresses in the records are not those of this node any more.
    pub(crate) fn renew(&mut self) {
        let mut keys: Vec<(u64, Key)> = self.entries.iter().map(|(key, entry)| (entry.place, *key)).collect();
        keys.sort_unstable_by_key(|(place, _)| *place);
        let running: Vec<Key> = self.running().collect();
        self.waiting.clear();
        self.due.clear();
        self.entries.clear();
        self.figures = Providing::default();
        for (_, key) in keys {
            let state = if running.contains(&key) { State::Running } else { State::Waiting };
            self.insert(key, state);
        }
    }

    fn running(&self) -> impl Iterator<Item = Key> {
        self.entries.iter().filter(|(_, entry)| entry.state == State::Running).map(|(key, _)| *key)
    }

    fn insert(&mut self, key: Key, state: State) {
        let place = self.next_place;
        self.next_place += 1;
        self.file(key, place, state);
        self.entries.insert(key, Entry { place, state });
        self.figures.total += 1;
    }

    fn file(&mut self, key: Key, place: u64, state: State) {
        match state {
            State::Waiting => {
                self.figures.waiting += 1;
                self.waiting.insert(place, key);
            }
            State::Running => self.figures.running += 1,
            State::Provided(at) => {
                self.figures.provided += 1;
                self.due.insert((at + PROVIDE_INTERVAL, place), key);
            }
            State::Failed(at) => {
                self.figures.failed += 1;
                self.due.insert((at + RETRY_INTERVAL, place), key);
            }
        }
    }

    /// The keys that are to be provided now: new ones first, in order, then those that are due.
    pub(crate) fn take(&mut self, now: Instant) -> Vec<Key> {
        let mut batch = Vec::new();
        while self.figures.running < MAX_AT_ONCE {
            let key = match self.waiting.pop_first() {
                Some((_, key)) => key,
                None => match self.due.first_entry() {
                    Some(entry) if entry.key().0 <= now => entry.remove(),
                    _ => break,
                },
            };
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            match entry.state {
                State::Waiting => self.figures.waiting -= 1,
                State::Provided(_) => self.figures.provided -= 1,
                State::Failed(_) => self.figures.failed -= 1,
                State::Running => continue,
            }
            entry.state = State::Running;
            self.figures.running += 1;
            batch.push(key);
        }
        batch
    }

    /// What became of a key; `false` if nobody cares any more.
    pub(crate) fn finished(&mut self, key: &Key, succeeded: bool, now: Instant) -> bool {
        let Some(entry) = self.entries.get_mut(key) else { return false };
        if entry.state != State::Running {
            return false;
        }
        self.figures.running -= 1;
        entry.state = if succeeded { State::Provided(now) } else { State::Failed(now) };
        let (place, state) = (entry.place, entry.state);
        self.file(*key, place, state);
        true
    }

    /// When something is due, if nothing waits; `None` when there is nothing to do.
    #[cfg(test)]
    fn next_due(&self) -> Option<Instant> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    pub(crate) fn progress(&self) -> Providing {
        self.figures
    }
}

/// A time of the calendar as one of this run. One that lies in the future is a clock's fault and not believed.
fn earlier(provided: Option<SystemTime>, now: Instant, today: SystemTime) -> State {
    let age = provided.and_then(|provided| today.duration_since(provided).ok());
    match age.filter(|age| *age < PROVIDE_INTERVAL).and_then(|age| now.checked_sub(age)) {
        Some(at) => State::Provided(at),
        None => State::Waiting,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cid(number: u8) -> Cid {
        Cid::new_v1(0x55, Multihash::wrap(0x12, &[number; 32]).expect("32 bytes"))
    }

    fn keys(numbers: impl IntoIterator<Item = u8>) -> Vec<ProvideKey> {
        numbers.into_iter().map(|number| cid(number).into()).collect()
    }

    fn numbers(batch: &[Key]) -> Vec<u8> {
        batch.iter().map(|key| key.digest()[0]).collect()
    }

    #[test]
    fn keys_are_provided_in_order_a_few_at_once_and_again_in_time() {
        let (mut queue, now) = (ProvideQueue::default(), Instant::now());
        queue.set(keys(0..20), now, SystemTime::now());
        let first = queue.take(now);
        assert_eq!(numbers(&first), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert!(queue.take(now).is_empty());
        queue.finished(&first[0], true, now);
        queue.finished(&first[1], false, now);
        assert_eq!(numbers(&queue.take(now)), [8, 9]);
        let progress = queue.progress();
        assert_eq!((progress.provided, progress.failed, progress.running, progress.waiting), (1, 1, 8, 10));
        for number in 2..20 {
            queue.finished(cid(number).hash(), true, now);
            queue.take(now);
        }
        assert_eq!(queue.next_due(), Some(now + RETRY_INTERVAL));
        assert!(queue.take(now + RETRY_INTERVAL / 2).is_empty());
        assert_eq!(numbers(&queue.take(now + RETRY_INTERVAL)), [1]);
        queue.finished(cid(1).hash(), true, now + RETRY_INTERVAL);
        assert_eq!(queue.take(now + PROVIDE_INTERVAL).len(), MAX_AT_ONCE);
    }

    #[test]
    fn what_an_earlier_run_provided_waits_for_its_time() {
        let (mut queue, now, today) = (ProvideQueue::default(), Instant::now(), SystemTime::now());
        let at = |number, age: i64| {
            let by = Duration::from_secs(age.unsigned_abs());
            let provided = if age < 0 { today + by } else { today - by };
            ProvideKey { cid: cid(number), provided: Some(provided) }
        };
        queue.set(vec![at(1, 60), at(2, 23 * 3600), at(3, -60)], now, today);
        assert_eq!(numbers(&queue.take(now)), [2, 3]);
        assert_eq!(numbers(&queue.take(now + PROVIDE_INTERVAL)), [1]);
    }

    #[test]
    fn a_new_set_keeps_what_is_known_and_says_what_is_gone() {
        let (mut queue, now) = (ProvideQueue::default(), Instant::now());
        queue.set(keys(0..10), now, SystemTime::now());
        for key in queue.take(now) {
            queue.finished(&key, key.digest()[0] != 2, now);
        }
        queue.take(now);
        let gone = queue.set(keys([30, 9, 1, 2, 1]), now, SystemTime::now());
        assert_eq!(gone.len(), 7);
        let progress = queue.progress();
        assert_eq!((progress.total, progress.provided, progress.failed, progress.running), (4, 1, 1, 1));
        assert_eq!(numbers(&queue.take(now)), [30]);
        assert!(!queue.finished(cid(8).hash(), true, now), "it is gone");
    }

    #[test]
    fn everything_is_provided_anew_in_the_same_order() {
        let (mut queue, now) = (ProvideQueue::default(), Instant::now());
        queue.set(keys(0..6), now, SystemTime::now());
        let batch = queue.take(now);
        batch.iter().skip(1).for_each(|key| assert!(queue.finished(key, true, now)));
        queue.renew();
        assert_eq!(numbers(&queue.take(now)), [1, 2, 3, 4, 5]);
    }

    proptest! {
        #[test]
        fn the_figures_are_what_is_there(steps in prop::collection::vec((0_u8..6, 0_u8..30), 1..100)) {
            let (mut queue, mut now) = (ProvideQueue::default(), Instant::now());
            for (step, number) in steps {
                match step {
                    0 => { queue.set(keys(number..30), now, SystemTime::now()); }
                    1 => { queue.take(now); }
                    2 => { queue.finished(cid(number).hash(), true, now); }
                    3 => { queue.finished(cid(number).hash(), false, now); }
                    4 => queue.renew(),
                    _ => now += PROVIDE_INTERVAL / 2,
                }
                let progress = queue.progress();
                prop_assert_eq!(progress.total, queue.entries.len());
                prop_assert_eq!(progress.total, progress.provided + progress.running + progress.waiting + progress.failed);
                prop_assert_eq!(progress.running, queue.running().count());
                prop_assert!(progress.running <= MAX_AT_ONCE);
                prop_assert_eq!(queue.waiting.len(), progress.waiting);
                prop_assert_eq!(queue.due.len(), progress.provided + progress.failed);
            }
        }
    }
}
