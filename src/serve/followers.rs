//! Who said of late that they hold a copy, and of which root. Pure: is told what the time is.

use std::collections::HashMap;

use crate::engine::own_node::SeenFollower;
use crate::ipns::{Holding, Name};

/// Followers that are remembered. Anybody may say that they are some, so the one that was silent longest makes room.
const MAX_FOLLOWERS: usize = 1_000;
/// How long one is remembered, in seconds: those that look rarely look once a day.
const REMEMBERED_SECONDS: i64 = 25 * 3600;

/// The followers that were heard of.
#[derive(Debug, Default)]
pub(super) struct Followers {
    seen: HashMap<Name, SeenFollower>,
    changed: bool,
}

impl Followers {
    /// One of them asked; one that holds nothing yet is none.
    pub(super) fn note(&mut self, holding: &Holding, address: &str, now: i64) {
        let Some(root) = holding.root else { return };
        if self.seen.len() >= MAX_FOLLOWERS && !self.seen.contains_key(&holding.peer) {
            let silent = self.seen.iter().min_by_key(|(_, follower)| follower.seen).map(|(name, _)| *name);
            silent.and_then(|silent| self.seen.remove(&silent));
        }
        let follower = SeenFollower {
            peer_id: holding.peer.peer_id(),
            address: address.to_owned(),
            root: root.to_string(),
            left: holding.left,
            seen: now,
        };
        self.changed |= self.seen.insert(holding.peer, follower.clone()) != Some(follower);
    }

    /// All of them, the newest first, if something is new since this was asked last.
    pub(super) fn take_changed(&mut self, now: i64) -> Option<Vec<SeenFollower>> {
        let before = self.seen.len();
        self.seen.retain(|_, follower| now - follower.seen < REMEMBERED_SECONDS);
        if !std::mem::take(&mut self.changed) && self.seen.len() == before {
            return None;
        }
        let mut all: Vec<SeenFollower> = self.seen.values().cloned().collect();
        all.sort_by(|one, other| (other.seen, &one.peer_id).cmp(&(one.seen, &other.peer_id)));
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipns::PrivateKey;

    fn holding(root: &str) -> Holding {
        let (cid, _) = crate::unixfs::file::of_bytes(crate::unixfs::Profile::V1_2025, root.as_bytes());
        Holding {
            peer: PrivateKey::generate().unwrap().name(),
            root: Some(cid.cid),
            left: 0,
            taking: None,
            gateway: None,
        }
    }

    #[test]
    fn the_last_thing_that_each_said_is_known_for_a_day() {
        let mut followers = Followers::default();
        let (one, other) = (holding("one"), holding("other"));
        assert_eq!(followers.take_changed(0), None);
        followers.note(&Holding { root: None, taking: one.root, ..other }, "192.0.2.3", 5);
        assert_eq!(followers.take_changed(5), None);
        followers.note(&one, "192.0.2.1", 10);
        followers.note(&other, "192.0.2.2", 20);
        followers.note(&Holding { root: other.root, ..one }, "192.0.2.1", 30);
        let all = followers.take_changed(30).unwrap();
        let roots: Vec<&str> = all.iter().map(|follower| follower.root.as_str()).collect();
        assert_eq!(roots, [other.root.unwrap().to_string(), other.root.unwrap().to_string()]);
        assert_eq!(all[0].peer_id, one.peer.peer_id());
        assert_eq!(followers.take_changed(31), None);
        assert_eq!(followers.take_changed(25 + REMEMBERED_SECONDS).unwrap().len(), 1);
        assert_eq!(followers.take_changed(30 + REMEMBERED_SECONDS).unwrap(), []);
    }

    #[test]
    fn a_crowd_takes_no_more_memory() {
        let mut followers = Followers::default();
        for second in 0..MAX_FOLLOWERS as i64 + 5 {
            followers.note(&holding("one"), "192.0.2.1", second);
        }
        let all = followers.take_changed(0).unwrap();
        assert_eq!((all.len(), all.last().unwrap().seen), (MAX_FOLLOWERS, 5));
    }
}
