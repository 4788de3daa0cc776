//! Peers to connect to, and when to try again. Pure.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};

use crate::addresses::peer_of;

/// How long to wait after the first attempt that fails; twice as long after each further one, up to the other.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const MAX_DELAY: Duration = Duration::from_mins(1);

#[derive(Debug)]
struct Entry {
    address: Multiaddr,
    /// Known from the address, or from the first connection.
    peer: Option<PeerId>,
    attempt: Option<ConnectionId>,
    next: Instant,
    delay: Duration,
    /// Whether an attempt has ended.
    tried: bool,
}

/// Addresses that somebody wants to be connected to.
#[derive(Debug, Default)]
pub(crate) struct Dialing {
    entries: Vec<Entry>,
    attempts: HashMap<ConnectionId, usize>,
}

impl Dialing {
    pub(crate) fn new(addresses: impl IntoIterator<Item = Multiaddr>, now: Instant) -> Self {
        let mut dialing = Self::default();
        addresses.into_iter().for_each(|address| dialing.add(address, now));
        dialing
    }

    pub(crate) fn add(&mut self, address: Multiaddr, now: Instant) {
        if !self.entries.iter().any(|entry| entry.address == address) {
            let peer = peer_of(&address);
            self.entries.push(Entry { address, peer, attempt: None, next: now, delay: FIRST_DELAY, tried: false });
        }
    }

    pub(crate) fn peers(&self) -> impl Iterator<Item = PeerId> {
        self.entries.iter().filter_map(|entry| entry.peer)
    }

    /// Whether a connection is being set up, or an address has never been tried.
    pub(crate) fn is_hopeful(&self) -> bool {
        self.entries.iter().any(|entry| entry.attempt.is_some() || !entry.tried)
    }

    /// This peer is connected already.
    pub(crate) fn is_connected(&mut self, peer: &PeerId) {
        for entry in self.entries.iter_mut().filter(|entry| entry.peer.as_ref() == Some(peer)) {
            entry.tried = true;
        }
    }

    /// What to dial now, by a number for [`Self::started`].
    pub(crate) fn due(&self, now: Instant, is_connected: impl Fn(&PeerId) -> bool) -> Vec<(usize, Multiaddr)> {
        let due = |(_, entry): &(usize, &Entry)| {
            entry.attempt.is_none() && entry.next <= now && !entry.peer.as_ref().is_some_and(&is_connected)
        };
        self.entries.iter().enumerate().filter(due).map(|(index, entry)| (index, entry.address.clone())).collect()
    }

    pub(crate) fn started(&mut self, index: usize, attempt: ConnectionId) {
        if let Some(entry) = self.entries.get_mut(index) {
            entry.attempt = Some(attempt);
            self.attempts.insert(attempt, index);
        }
    }

    /// `true` if the connection is one that was asked for here.
    pub(crate) fn connected(&mut self, attempt: ConnectionId, peer: PeerId, now: Instant) -> bool {
        let Some(index) = self.attempts.remove(&attempt) else { return false };
        let Some(entry) = self.entries.get_mut(index) else { return false };
        (entry.attempt, entry.tried) = (None, true);
        entry.peer = Some(peer);
        entry.delay = FIRST_DELAY;
        // A connection that is closed at once is not made again at once.
        entry.next = now + FIRST_DELAY;
        true
    }

    /// The attempt has failed, or was not even begun.
    pub(crate) fn failed(&mut self, attempt: ConnectionId, now: Instant) -> bool {
        let Some(index) = self.attempts.remove(&attempt) else { return false };
        self.postpone(index, now);
        true
    }

    pub(crate) fn postpone(&mut self, index: usize, now: Instant) {
        if let Some(entry) = self.entries.get_mut(index) {
            (entry.attempt, entry.tried) = (None, true);
            entry.next = now + entry.delay;
            entry.delay = (entry.delay * 2).min(MAX_DELAY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_does_not_answer_is_tried_less_and_less_often() {
        let start = Instant::now();
        let address: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().expect("an address");
        let mut dialing = Dialing::new([address.clone(), address], start);
        let (mut now, mut attempts) = (start, 0);
        while now < start + Duration::from_mins(10) {
            if let Some((index, _)) = dialing.due(now, |_| false).first() {
                let attempt = ConnectionId::new_unchecked(attempts);
                dialing.started(*index, attempt);
                assert!(dialing.due(now + MAX_DELAY, |_| false).is_empty(), "one attempt at a time");
                assert!(dialing.failed(attempt, now));
                attempts += 1;
            }
            now += Duration::from_secs(1);
        }
        assert!((10..20).contains(&attempts), "{attempts}");
        let peer = PeerId::random();
        let id = ConnectionId::new_unchecked(99);
        dialing.started(0, id);
        assert!(dialing.connected(id, peer, now));
        now += MAX_DELAY;
        assert!(dialing.due(now, |other| *other == peer).is_empty());
        assert_eq!(dialing.due(now, |_| false).len(), 1);
        assert!(!dialing.is_hopeful());
    }
}
