//! Which blocks a CAR has already, so that none comes twice: bounded for each CAR, and for all that are made at once.
//!
//! Knows CIDs. Must not know what is done with them.

use std::collections::HashSet;
use std::sync::Arc;

use cid::Cid;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most blocks that one CAR remembers: what a table of 2^18 places holds, in 4.3 MiB.
const MAX_SEEN_BLOCKS: usize = (1 << 18) / 8 * 7;
/// The blocks that room is made for first.
const FIRST_SEEN_BLOCKS: usize = 512 / 8 * 7;
/// Bytes of all tables at once.
pub(super) const MAX_SEEN_BYTES: usize = 16 << 20;
/// Bytes of a place in a table: what is remembered of a block, and one byte of the table.
const PLACE_BYTES: usize = KEY_BYTES + 1;
/// Bytes of a digest that are remembered: that two blocks agree in so many is as good as impossible, also on purpose.
const KEY_BYTES: usize = 16;

type Key = [u8; KEY_BYTES];

/// The blocks of one CAR.
#[derive(Debug)]
pub(super) struct Seen {
    blocks: HashSet<Key>,
    room: Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
}

/// What was known of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// It was not there yet, and is from now on.
    First,
    Again,
    /// It was not there, and there is no room to remember it.
    Forgotten,
}

impl Seen {
    /// Nothing yet. `room` has one permit a byte.
    pub(super) fn new(room: Arc<Semaphore>) -> Self {
        Self { blocks: HashSet::new(), room, taken: None }
    }

    /// A block comes by.
    pub(super) fn see(&mut self, cid: &Cid) -> Sight {
        self.insert(key(cid, 0))
    }

    /// The whole of what is below a block comes by.
    pub(super) fn see_below(&mut self, cid: &Cid) -> Sight {
        self.insert(key(cid, 1))
    }

    fn insert(&mut self, key: Key) -> Sight {
        if self.blocks.contains(&key) {
            return Sight::Again;
        }
        if self.blocks.len() == self.blocks.capacity() && !self.grow() {
            return Sight::Forgotten;
        }
        self.blocks.insert(key);
        Sight::First
    }

    /// Makes the table twice as large, if there is room for both while one is copied to the other.
    fn grow(&mut self) -> bool {
        let blocks = (self.blocks.capacity() * 2).max(FIRST_SEEN_BLOCKS);
        if blocks > MAX_SEEN_BLOCKS {
            return false;
        }
        let bytes = |blocks: usize| blocks / 7 * 8 * PLACE_BYTES;
        let held = self.taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let wanted = bytes(blocks) + bytes(self.blocks.capacity());
        let Ok(more) = Arc::clone(&self.room).try_acquire_many_owned(wanted.saturating_sub(held) as u32) else {
            return false;
        };
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            none => *none = Some(more),
        }
        if self.blocks.try_reserve(blocks - self.blocks.len()).is_err() {
            return false;
        }
        // The smaller table is gone.
        let surplus = wanted.saturating_sub(bytes(self.blocks.capacity()));
        drop(self.taken.as_mut().and_then(|taken| taken.split(surplus)));
        true
    }
}

/// What is remembered of a block: the end of its digest, which of a hash is as good as any part, and told apart from what is
/// below it by one bit.
fn key(cid: &Cid, bit: u8) -> Key {
    let digest = cid.hash().digest();
    let mut key = Key::default();
    let length = digest.len().min(KEY_BYTES);
    key[KEY_BYTES - length..].copy_from_slice(&digest[digest.len() - length..]);
    key[0] = key[0] & !1 | bit;
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unixfs::Profile;

    fn cid(number: u64) -> Cid {
        let mut digest = [0; 32];
        digest[24..].copy_from_slice(&number.to_be_bytes());
        Profile::V1_2025.leaf_cid(&digest)
    }

    #[test]
    fn blocks_are_seen_once_until_there_is_no_room() {
        let room = Arc::new(Semaphore::new(MAX_SEEN_BYTES));
        let mut seen = Seen::new(Arc::clone(&room));
        for number in 0..MAX_SEEN_BLOCKS as u64 {
            assert_eq!(seen.see(&cid(number)), Sight::First, "{number}");
        }
        let more = cid(MAX_SEEN_BLOCKS as u64);
        assert_eq!((seen.see(&more), seen.see(&more)), (Sight::Forgotten, Sight::Forgotten));
        assert_eq!(seen.see(&cid(7)), Sight::Again);
        assert_eq!(seen.blocks.capacity(), MAX_SEEN_BLOCKS);
        assert_eq!(MAX_SEEN_BYTES - room.available_permits(), (1 << 18) * PLACE_BYTES);
        drop(seen);
        assert_eq!(room.available_permits(), MAX_SEEN_BYTES);
    }

    #[test]
    fn all_together_stay_within_their_room() {
        let room = Arc::new(Semaphore::new(3 * 512 * PLACE_BYTES));
        let mut all: Vec<_> = (0..4).map(|_| Seen::new(Arc::clone(&room))).collect();
        let sights: Vec<_> = all.iter_mut().map(|seen| seen.see(&cid(1))).collect();
        assert_eq!(sights, [Sight::First, Sight::First, Sight::First, Sight::Forgotten]);
        all.remove(0);
        assert_eq!(all[2].see(&cid(1)), Sight::First);
    }

    #[test]
    fn a_block_and_what_is_below_it_are_two_things() {
        let mut seen = Seen::new(Arc::new(Semaphore::new(MAX_SEEN_BYTES)));
        for number in [2, 3] {
            assert_eq!((seen.see(&cid(number)), seen.see_below(&cid(number))), (Sight::First, Sight::First));
            assert_eq!((seen.see(&cid(number)), seen.see_below(&cid(number))), (Sight::Again, Sight::Again));
        }
    }
}
