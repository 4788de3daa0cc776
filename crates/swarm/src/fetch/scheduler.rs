//! Which peer is asked for which block: the decisions of one fetch session, without any network.
//!
//! A want is asked of one peer, the one that will probably have it here first. Peers that stop are put back and their wants go to
//! others; peers that send what nobody asked them for are put back for long. Near the end, idle peers are asked for what slow ones
//! owe. Pure: is told what happened and when, and answers with what to say to whom.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use cid::Cid;
use libp2p::PeerId;

use super::peer::PeerState;

/// Wants that are looked at for a peer with space before the others get their turn: those in front may not be for it.
const MAX_LOOKS: usize = 64;
/// Peers that may owe the same block.
const MAX_ASKED_AT_ONCE: usize = 2;
/// How long at least a block has been owed before another peer is asked for it as well.
const MIN_DUPLICATE_AGE: Duration = Duration::from_millis(500);

/// Why there is no block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// Nobody is there to be asked.
    #[error("no peer is reachable")]
    NoPeer,
    /// Every peer that could be asked says that it lacks the block.
    #[error("no peer has the block")]
    NotFound,
    /// Nobody delivered it in time.
    #[error("no peer delivered the block in time")]
    TimedOut,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Ask(PeerId, Cid),
    Cancel(PeerId, Cid),
    Fail(Cid, Missing),
}

#[derive(Debug)]
struct Want {
    /// Its place in the order in which they came.
    place: u64,
    since: Instant,
    /// Who owes it.
    asked: Vec<PeerId>,
    /// Who lacks it.
    lacking: HashSet<PeerId>,
}

/// One session.
#[derive(Debug)]
pub(crate) struct Scheduler {
    timeout: Duration,
    wants: HashMap<Cid, Want>,
    /// Wants that nobody owes.
    unasked: BTreeMap<u64, Cid>,
    peers: HashMap<PeerId, PeerState>,
    /// Whether further peers may turn up.
    searching: bool,
    next_place: u64,
}

impl Scheduler {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            wants: HashMap::new(),
            unasked: BTreeMap::new(),
            peers: HashMap::new(),
            searching: true,
            next_place: 0,
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.wants.is_empty()
    }

    /// Whether a want waits for which no connected peer can be asked.
    pub(crate) fn is_starving(&self) -> bool {
        let connected = || self.peers.iter().filter(|(_, peer)| peer.connected);
        let nobody = |want: &Want| connected().all(|(id, _)| want.lacking.contains(id));
        self.unasked.values().take(MAX_LOOKS).filter_map(|cid| self.wants.get(cid)).any(nobody)
    }

    pub(crate) fn connected(&self) -> usize {
        self.peers.values().filter(|peer| peer.connected).count()
    }

    /// Blocks that this peer owes.
    pub(crate) fn outstanding(&self, peer: &PeerId) -> usize {
        self.peers.get(peer).map_or(0, PeerState::outstanding)
    }

    pub(crate) fn peers(&self) -> impl Iterator<Item = (&PeerId, &PeerState)> {
        self.peers.iter()
    }

    pub(crate) fn want(&mut self, cid: Cid, now: Instant) {
        if self.wants.contains_key(&cid) {
            return;
        }
        let place = self.next_place;
        self.next_place += 1;
        self.unasked.insert(place, cid);
        self.wants.insert(cid, Want { place, since: now, asked: Vec::new(), lacking: HashSet::new() });
    }

    /// Nobody waits for this block any more.
    pub(crate) fn forget(&mut self, cid: &Cid, now: Instant, actions: &mut Vec<Action>) {
        let Some(want) = self.wants.remove(cid) else { return };
        self.unasked.remove(&want.place);
        for peer in want.asked {
            if let Some(state) = self.peers.get_mut(&peer) {
                state.cancelled(cid, now);
                actions.push(Action::Cancel(peer, *cid));
            }
        }
    }

    pub(crate) fn peer_connected(&mut self, id: PeerId, now: Instant) {
        let peer = self.peers.entry(id).or_insert_with(|| PeerState::new(now));
        if !peer.connected {
            peer.connected = true;
            // It may have got blocks since.
            self.wants.values_mut().for_each(|want| {
                want.lacking.remove(&id);
            });
        }
    }

    pub(crate) fn peer_gone(&mut self, id: &PeerId) {
        if let Some(peer) = self.peers.get_mut(id) {
            peer.connected = false;
            let owed = peer.give_up();
            self.release(id, &owed);
        }
    }

    /// This peer will not be asked in this session.
    pub(crate) fn peer_useless(&mut self, id: &PeerId, now: Instant) {
        self.peer_gone(id);
        if let Some(peer) = self.peers.get_mut(id) {
            peer.put_back_for_long(now);
        }
    }

    /// Whether others may still turn up; wants that everybody lacks wait for them.
    pub(crate) fn set_searching(&mut self, searching: bool) {
        self.searching = searching;
    }

    /// `true` if the block is wanted: the caller hands it on.
    pub(crate) fn block(
        &mut self,
        id: &PeerId,
        cid: &Cid,
        bytes: usize,
        now: Instant,
        actions: &mut Vec<Action>,
    ) -> bool {
        let wanted = self.wants.contains_key(cid);
        let Some(peer) = self.peers.get_mut(id) else { return false };
        if !peer.delivered(cid, bytes, now) {
            self.lied(id, now, actions);
            // It is what its CID says all the same.
        }
        if wanted {
            if let Some(want) = self.wants.get_mut(cid) {
                want.asked.retain(|other| other != id);
            }
            self.forget(cid, now, actions);
        }
        wanted
    }

    /// Something came that this peer was not asked for.
    pub(crate) fn lied(&mut self, id: &PeerId, now: Instant, actions: &mut Vec<Action>) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        if peer.lied(now) {
            self.put_back(id, actions);
        }
    }

    pub(crate) fn presence(&mut self, id: &PeerId, cid: &Cid, have: bool, now: Instant) {
        if have {
            // It was asked for the block, and a promise is none.
            return;
        }
        let Some(peer) = self.peers.get_mut(id) else { return };
        if peer.refused(cid, now)
            && let Some(want) = self.wants.get_mut(cid)
        {
            want.lacking.insert(*id);
            self.release(id, &[*cid]);
        }
    }

    /// These are not owed by this peer any more.
    fn release(&mut self, id: &PeerId, cids: &[Cid]) {
        for cid in cids {
            if let Some(want) = self.wants.get_mut(cid) {
                want.asked.retain(|peer| peer != id);
                if want.asked.is_empty() {
                    self.unasked.insert(want.place, *cid);
                }
            }
        }
    }

    fn put_back(&mut self, id: &PeerId, actions: &mut Vec<Action>) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        let owed = peer.give_up();
        actions.extend(owed.iter().map(|cid| Action::Cancel(*id, *cid)));
        self.release(id, &owed);
    }

    /// Asks whom it can, and gives up what has no hope. To be called after whatever happened, and now and then.
    pub(crate) fn advance(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.put_back_stalled(now, actions);
        self.fail_hopeless(now, actions);
        self.ask(now, actions);
        self.ask_again(now, actions);
    }

    fn put_back_stalled(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let stalled = self.peers.iter_mut().filter_map(|(id, peer)| peer.stalled(now).then_some(*id));
        for id in stalled.collect::<Vec<_>>() {
            tracing::debug!(peer = %id, "peer put back: nothing came for what it was asked");
            self.put_back(&id, actions);
        }
    }

    fn fail_hopeless(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let asking = self.peers.iter().filter(|(_, peer)| peer.connected && !peer.is_banned(now));
        let asking: Vec<PeerId> = asking.map(|(id, _)| *id).collect();
        let verdict = |want: &Want| {
            if now >= want.since + self.timeout {
                Some(Missing::TimedOut)
            } else if !self.searching && want.asked.is_empty() && asking.iter().all(|id| want.lacking.contains(id)) {
                Some(if asking.is_empty() { Missing::NoPeer } else { Missing::NotFound })
            } else {
                None
            }
        };
        let failed = self.wants.iter().filter_map(|(cid, want)| verdict(want).map(|why| (want.place, *cid, why)));
        let mut failed: Vec<(u64, Cid, Missing)> = failed.collect();
        failed.sort_unstable_by_key(|(place, ..)| *place);
        for (_, cid, why) in failed {
            self.forget(&cid, now, actions);
            actions.push(Action::Fail(cid, why));
        }
    }

    fn ask(&mut self, now: Instant, actions: &mut Vec<Action>) {
        loop {
            // Peers that were put back are asked only while there are no others.
            let fresh = self.peers.values().any(|peer| peer.has_space(now) && !peer.is_put_back(now));
            let space = self.peers.iter().filter(|(_, peer)| peer.has_space(now) && (!fresh || !peer.is_put_back(now)));
            let mut space: Vec<(PeerId, f64)> = space.map(|(id, peer)| (*id, peer.expected(now))).collect();
            space.sort_unstable_by(|one, other| one.1.total_cmp(&other.1));
            let found = self.unasked.iter().take(MAX_LOOKS).find_map(|(place, cid)| {
                let want = self.wants.get(cid)?;
                let peer = space.iter().find(|(id, _)| !want.lacking.contains(id))?;
                Some((*place, *cid, peer.0))
            });
            let Some((place, cid, id)) = found else { return };
            self.unasked.remove(&place);
            self.ask_of(id, cid, now, actions);
        }
    }

    fn ask_of(&mut self, id: PeerId, cid: Cid, now: Instant, actions: &mut Vec<Action>) {
        if let (Some(want), Some(peer)) = (self.wants.get_mut(&cid), self.peers.get_mut(&id)) {
            want.asked.push(id);
            peer.asked(cid, now);
            actions.push(Action::Ask(id, cid));
        }
    }

    /// Idle peers are asked for what others owe for long, one block each.
    fn ask_again(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if !self.unasked.is_empty() {
            return;
        }
        let idle = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.has_space(now) && !peer.is_put_back(now) && peer.outstanding() == 0);
        let idle: Vec<PeerId> = idle.map(|(id, _)| *id).collect();
        for id in idle {
            let Some(own) = self.peers.get(&id).map(|peer| peer.expected(now)) else { continue };
            let age = MIN_DUPLICATE_AGE.max(Duration::from_secs_f64((3.0 * own).min(60.0)));
            let overdue = |cid: &Cid, want: &Want| {
                let owed = want.asked.iter().filter_map(|peer| self.peers.get(peer)?.asked_at(cid)).min()?;
                let free = want.asked.len() < MAX_ASKED_AT_ONCE && !want.lacking.contains(&id);
                (free && now >= owed + age).then_some((owed, want.place))
            };
            let oldest = self.wants.iter().filter_map(|(cid, want)| Some((overdue(cid, want)?, *cid)));
            if let Some((_, cid)) = oldest.min_by_key(|(age, _)| *age) {
                self.ask_of(id, cid, now, actions);
            }
        }
    }
}

#[cfg(test)]
mod tests;
