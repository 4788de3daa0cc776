//! What one connection's peer wants from us, in the order in which it is answered: larger priorities first, then older ones.
//!
//! Bounded: when it is full, a new want takes the place of the one that would have come last, if that has a lower or the same
//! priority; else the new one is dropped. Whoever is left out is told nothing and asks again: boxo does the same
//! (`bitswap/server/internal/decision/engine.go`, `handleOverflow`). Wants that are being read from the store count until they are
//! answered.

use std::collections::{BTreeMap, HashMap};

use cid::{Cid, multihash::Multihash};

use super::message::{Want, WantType};

/// The multihash function of blocks that say themselves: nobody needs to ask for them.
const IDENTITY: u64 = 0;

/// Larger priorities come first, then older ones.
type Place = (std::cmp::Reverse<i32>, u64);

#[derive(Debug)]
struct Entry {
    place: Place,
    kind: WantType,
    send_dont_have: bool,
    /// Handed out to be answered.
    taken: bool,
}

/// The wants of a peer that are not answered yet.
#[derive(Debug)]
pub(crate) struct Wantlist {
    limit: usize,
    entries: HashMap<Cid, Entry>,
    order: BTreeMap<Place, Cid>,
    next: u64,
}

/// Whether an entry asks for something that can be answered.
fn is_answerable(cid: &Cid) -> bool {
    let hash: &Multihash<64> = cid.hash();
    hash.code() != IDENTITY
}

impl Wantlist {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, entries: HashMap::new(), order: BTreeMap::new(), next: 0 }
    }

    /// From now on; what is here stays.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether something waits to be taken.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.order.is_empty()
    }

    pub(crate) fn add(&mut self, want: &Want) {
        if !is_answerable(&want.cid) {
            return;
        }
        if let Some(entry) = self.entries.get_mut(&want.cid) {
            // A question whether it is here never weakens one for the block itself.
            if want.kind == WantType::Block {
                entry.kind = WantType::Block;
            }
            entry.send_dont_have |= want.send_dont_have;
            let place = (std::cmp::Reverse(want.priority), entry.place.1);
            if !entry.taken && self.order.remove(&entry.place).is_some() {
                self.order.insert(place, want.cid);
            }
            entry.place = place;
            return;
        }
        let place = (std::cmp::Reverse(want.priority), self.next);
        if self.entries.len() >= self.limit {
            let Some((last, _)) = self.order.last_key_value() else { return };
            if last.0 < place.0 {
                return;
            }
            if let Some((_, cid)) = self.order.pop_last() {
                self.entries.remove(&cid);
            }
        }
        self.next += 1;
        self.order.insert(place, want.cid);
        let entry = Entry { place, kind: want.kind, send_dont_have: want.send_dont_have, taken: false };
        self.entries.insert(want.cid, entry);
    }

    pub(crate) fn cancel(&mut self, cid: &Cid) {
        if let Some(entry) = self.entries.remove(cid)
            && !entry.taken
        {
            self.order.remove(&entry.place);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.order.clear();
    }

    /// The next ones to answer, at most `count`. Each has to come back by [`Self::answered`] or [`Self::put_back`].
    pub(crate) fn take(&mut self, count: usize) -> Vec<Want> {
        let mut taken = Vec::with_capacity(count.min(self.order.len()));
        while taken.len() < count
            && let Some((_, cid)) = self.order.pop_first()
        {
            if let Some(entry) = self.entries.get_mut(&cid) {
                entry.taken = true;
                taken.push(want(cid, entry));
            }
        }
        taken
    }

    /// This one has been answered, unless it was cancelled meanwhile and asked for anew.
    pub(crate) fn answered(&mut self, cid: &Cid) {
        if self.entries.get(cid).is_some_and(|entry| entry.taken) {
            self.entries.remove(cid);
        }
    }

    /// This one has not been answered after all.
    pub(crate) fn put_back(&mut self, cid: &Cid) {
        if let Some(entry) = self.entries.get_mut(cid)
            && entry.taken
        {
            entry.taken = false;
            self.order.insert(entry.place, *cid);
        }
    }

    /// All of them, in order, taken ones included: for another connection to the same peer.
    pub(crate) fn hand_over(&mut self) -> Vec<Want> {
        self.order.clear();
        let mut entries: Vec<(Cid, Entry)> = self.entries.drain().collect();
        entries.sort_unstable_by_key(|(_, entry)| entry.place);
        entries.iter().map(|(cid, entry)| want(*cid, entry)).collect()
    }
}

fn want(cid: Cid, entry: &Entry) -> Want {
    Want { cid, priority: entry.place.0.0, kind: entry.kind, send_dont_have: entry.send_dont_have }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cid(number: u8) -> Cid {
        Cid::new_v1(0x55, Multihash::wrap(0x12, &[number; 32]).expect("32 bytes"))
    }

    fn block(number: u8, priority: i32) -> Want {
        Want { cid: cid(number), priority, kind: WantType::Block, send_dont_have: true }
    }

    fn numbers(wants: &[Want]) -> Vec<u8> {
        wants.iter().map(|want| want.cid.hash().digest()[0]).collect()
    }

    #[test]
    fn larger_priorities_and_then_older_ones_come_first() {
        let mut list = Wantlist::new(10);
        for (number, priority) in [(1, 5), (2, 7), (3, 5), (4, -1), (5, 7)] {
            list.add(&block(number, priority));
        }
        assert_eq!(numbers(&list.take(3)), [2, 5, 1]);
        assert_eq!(numbers(&list.take(9)), [3, 4]);
        assert_eq!(list.len(), 5);
    }

    #[test]
    fn a_full_list_drops_what_comes_last() {
        let mut list = Wantlist::new(2);
        list.add(&block(1, 5));
        list.add(&block(2, 3));
        list.add(&block(3, 2));
        list.add(&block(4, 9));
        assert_eq!(numbers(&list.take(9)), [4, 1]);
        // Those that are being answered are not replaced.
        list.add(&block(5, 100));
        assert_eq!(list.len(), 2);
        assert!(!list.has_waiting());
    }

    #[test]
    fn asking_for_the_block_is_stronger_than_asking_whether_it_is_here() {
        let mut list = Wantlist::new(2);
        let have = Want { kind: WantType::Have, send_dont_have: false, ..block(1, 1) };
        list.add(&have);
        list.add(&block(1, 1));
        list.add(&have);
        assert_eq!(list.take(1), [block(1, 1)]);
    }

    #[test]
    fn a_cancelled_want_does_not_come_back() {
        let mut list = Wantlist::new(4);
        for number in 1..=3 {
            list.add(&block(number, 1));
        }
        list.cancel(&cid(2));
        let taken = list.take(9);
        assert_eq!(numbers(&taken), [1, 3]);
        list.cancel(&cid(1));
        list.put_back(&cid(1));
        list.put_back(&cid(3));
        assert_eq!(numbers(&list.take(9)), [3]);
        list.cancel(&cid(3));
        list.add(&block(3, 1));
        list.answered(&cid(3));
        assert_eq!(numbers(&list.take(9)), [3]);
    }

    #[test]
    fn what_says_itself_is_not_wanted() {
        let mut list = Wantlist::new(4);
        let own = Cid::new_v1(0x55, Multihash::wrap(0, b"x").expect("short"));
        list.add(&Want { cid: own, ..block(1, 1) });
        assert!(list.is_empty());
    }

    proptest! {
        /// Whatever happens, the limit holds, and what waits and what is taken are all there is.
        #[test]
        fn the_limit_holds(steps in prop::collection::vec((0_u8..6, 0_u8..20, -3_i32..3), 0..200)) {
            let mut list = Wantlist::new(7);
            for (step, number, priority) in steps {
                match step {
                    0 | 1 => list.add(&block(number, priority)),
                    2 => list.cancel(&cid(number)),
                    3 => { list.take(usize::from(number) % 4); }
                    4 => list.answered(&cid(number)),
                    _ => list.put_back(&cid(number)),
                }
                prop_assert!(list.len() <= 7);
                let waiting = list.entries.values().filter(|entry| !entry.taken).count();
                prop_assert_eq!(list.order.len(), waiting);
                for (place, cid) in &list.order {
                    prop_assert_eq!(list.entries.get(cid).map(|entry| entry.place), Some(*place));
                }
            }
            let all = list.len();
            prop_assert_eq!(list.hand_over().len(), all);
            prop_assert!(list.is_empty());
        }
    }
}
