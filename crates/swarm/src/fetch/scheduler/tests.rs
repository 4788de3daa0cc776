//! Sessions against peers that are made up: good, slow, lying, silent, and gone.

use cid::multihash::Multihash;
use proptest::prelude::*;

use super::*;

const TIMEOUT: Duration = Duration::from_mins(1);

fn cid(number: u16) -> Cid {
    let mut digest = [0; 32];
    digest[..2].copy_from_slice(&number.to_be_bytes());
    Cid::new_v1(0x55, Multihash::wrap(0x12, &digest).expect("32 bytes"))
}

struct Case {
    scheduler: Scheduler,
    now: Instant,
    actions: Vec<Action>,
}

impl Case {
    fn new(wants: u16, peers: &[PeerId]) -> Self {
        let now = Instant::now();
        let mut scheduler = Scheduler::new(TIMEOUT);
        scheduler.set_searching(false);
        for peer in peers {
            scheduler.peer_connected(*peer, now);
        }
        for number in 0..wants {
            scheduler.want(cid(number), now);
        }
        Self { scheduler, now, actions: Vec::new() }
    }

    fn advance(&mut self, seconds: u64) -> Vec<Action> {
        self.now += Duration::from_secs(seconds);
        self.scheduler.advance(self.now, &mut self.actions);
        std::mem::take(&mut self.actions)
    }

    fn block(&mut self, peer: &PeerId, number: u16) -> bool {
        self.scheduler.block(peer, &cid(number), 1 << 20, self.now, &mut self.actions)
    }
}

fn asked(actions: &[Action], peer: PeerId) -> Vec<Cid> {
    let of = |action: &Action| match action {
        Action::Ask(id, cid) if *id == peer => Some(*cid),
        _ => None,
    };
    actions.iter().filter_map(of).collect()
}

#[test]
fn wants_are_asked_once_in_order_within_the_window() {
    let peer = PeerId::random();
    let mut case = Case::new(40, &[peer]);
    let first = asked(&case.advance(0), peer);
    assert_eq!(first, (0..16).map(cid).collect::<Vec<_>>());
    assert!(case.block(&peer, 0));
    assert!(!case.block(&peer, 0), "it is here already");
    assert_eq!(asked(&case.advance(0), peer), [cid(16), cid(17)], "the window has grown");
}

#[test]
fn what_one_lacks_is_asked_of_the_other_and_then_given_up() {
    let peers = [PeerId::random(), PeerId::random()];
    let mut case = Case::new(1, &peers);
    let first = case.advance(0);
    let Action::Ask(one, _) = first[0] else { panic!("{first:?}") };
    let other = if one == peers[0] { peers[1] } else { peers[0] };
    case.scheduler.presence(&one, &cid(0), false, case.now);
    assert_eq!(case.advance(0), [Action::Ask(other, cid(0))]);
    case.scheduler.presence(&other, &cid(0), false, case.now);
    assert_eq!(case.advance(0), [Action::Fail(cid(0), Missing::NotFound)]);
    assert!(case.scheduler.is_idle());
}

#[test]
fn while_peers_are_searched_for_nothing_is_given_up_before_its_time() {
    let peer = PeerId::random();
    let mut case = Case::new(1, &[]);
    case.scheduler.set_searching(true);
    assert!(case.advance(30).is_empty());
    assert!(case.scheduler.is_starving());
    case.scheduler.peer_connected(peer, case.now);
    assert_eq!(case.advance(0), [Action::Ask(peer, cid(0))]);
    assert!(!case.scheduler.is_starving());
    let last: Vec<Action> = (0..8).flat_map(|_| case.advance(4)).collect();
    assert_eq!(last.last(), Some(&Action::Fail(cid(0), Missing::TimedOut)));
}

#[test]
fn a_silent_peer_is_put_back_and_its_wants_go_to_the_other() {
    let (silent, good) = (PeerId::random(), PeerId::random());
    let mut case = Case::new(10, &[silent]);
    assert_eq!(asked(&case.advance(0), silent).len(), 10);
    case.scheduler.peer_connected(good, case.now);
    let actions = case.advance(6);
    assert_eq!(asked(&actions, good).len(), 10);
    assert_eq!(actions.iter().filter(|action| matches!(action, Action::Cancel(id, _) if *id == silent)).count(), 10);
    for number in 0..10 {
        assert!(case.block(&good, number));
    }
    case.scheduler.want(cid(99), case.now);
    assert_eq!(asked(&case.advance(0), good), [cid(99)]);
}

#[test]
fn the_only_peer_is_asked_again_although_it_was_put_back() {
    let peer = PeerId::random();
    let mut case = Case::new(3, &[peer]);
    case.advance(0);
    assert_eq!(asked(&case.advance(6), peer).len(), 3);
}

#[test]
fn a_peer_that_sends_what_it_was_not_asked_for_is_not_asked_any_more() {
    let (liar, good) = (PeerId::random(), PeerId::random());
    let mut case = Case::new(2, &[liar]);
    case.advance(0);
    case.scheduler.peer_connected(good, case.now);
    for number in 500..503 {
        assert!(!case.block(&liar, number));
    }
    assert_eq!(asked(&case.advance(0), good), [cid(0), cid(1)]);
    case.scheduler.peer_gone(&good);
    let actions = case.advance(0);
    assert_eq!(actions, [Action::Fail(cid(0), Missing::NoPeer), Action::Fail(cid(1), Missing::NoPeer)]);
}

#[test]
fn blocks_that_come_after_they_were_cancelled_are_no_lies() {
    let (slow, good) = (PeerId::random(), PeerId::random());
    let mut case = Case::new(5, &[slow]);
    case.advance(0);
    case.scheduler.peer_connected(good, case.now);
    case.advance(6);
    for number in 0..5 {
        assert!(case.block(&good, number));
        assert!(!case.block(&slow, number));
    }
    case.scheduler.peer_gone(&good);
    case.scheduler.want(cid(9), case.now);
    assert_eq!(asked(&case.advance(0), slow), [cid(9)]);
}

#[test]
fn at_the_end_an_idle_peer_is_asked_for_what_a_slow_one_owes() {
    let (slow, fast) = (PeerId::random(), PeerId::random());
    let mut case = Case::new(1, &[slow]);
    case.advance(0);
    case.scheduler.peer_connected(fast, case.now);
    assert!(case.advance(0).is_empty());
    assert_eq!(case.advance(2), [Action::Ask(fast, cid(0))]);
    assert!(case.advance(1).is_empty(), "two are enough");
    assert!(case.block(&fast, 0));
    assert_eq!(case.actions, [Action::Cancel(slow, cid(0))]);
}

#[test]
fn the_faster_peer_is_asked_for_more() {
    let (slow, fast) = (PeerId::random(), PeerId::random());
    let mut case = Case::new(400, &[slow, fast]);
    let mut owed: HashMap<PeerId, Vec<Cid>> = HashMap::new();
    let mut counts: HashMap<PeerId, u32> = HashMap::new();
    for step in 0..2000 {
        case.now += Duration::from_millis(10);
        case.scheduler.advance(case.now, &mut case.actions);
        for action in std::mem::take(&mut case.actions) {
            match action {
                Action::Ask(peer, cid) => owed.entry(peer).or_default().push(cid),
                Action::Cancel(peer, cid) => owed.entry(peer).or_default().retain(|other| *other != cid),
                Action::Fail(..) => panic!("nothing is missing"),
            }
        }
        for (peer, every) in [(fast, 1), (slow, 10)] {
            if step % every == 0
                && let Some(cid) = owed.get_mut(&peer).filter(|owed| !owed.is_empty()).map(|owed| owed.remove(0))
                && case.scheduler.block(&peer, &cid, 1 << 20, case.now, &mut case.actions)
            {
                *counts.entry(peer).or_default() += 1;
            }
        }
        if case.scheduler.is_idle() {
            break;
        }
    }
    assert!(case.scheduler.is_idle());
    assert_eq!(counts.values().sum::<u32>(), 400);
    assert!(counts[&fast] > 5 * counts[&slow], "{counts:?}");
    assert!(case.now.elapsed() == Duration::ZERO, "its clock is its own");
}

#[test]
fn a_want_that_is_forgotten_is_cancelled() {
    let peer = PeerId::random();
    let mut case = Case::new(1, &[peer]);
    case.advance(0);
    case.scheduler.forget(&cid(0), case.now, &mut case.actions);
    assert_eq!(case.actions, [Action::Cancel(peer, cid(0))]);
    assert!(case.scheduler.is_idle());
}

proptest! {
    /// Whatever peers do, every want ends, by a block or by a failure, and nobody owes anything afterwards.
    #[test]
    fn every_want_ends(seed in prop::collection::vec((0_u8..8, 0_usize..4, 0_u16..40), 0..400)) {
        let peers: Vec<PeerId> = (0..4).map(|_| PeerId::random()).collect();
        let mut case = Case::new(30, &peers);
        let mut ended = HashSet::new();
        for (step, peer, number) in seed {
            let peer = peers[peer];
            match step {
                0 => case.scheduler.peer_gone(&peer),
                1 => case.scheduler.peer_connected(peer, case.now),
                2 | 3 => if case.block(&peer, number) { prop_assert!(ended.insert(cid(number))); },
                4 => case.scheduler.presence(&peer, &cid(number), false, case.now),
                5 => case.scheduler.presence(&peer, &cid(number), true, case.now),
                6 => case.scheduler.peer_useless(&peer, case.now),
                _ => case.now += Duration::from_secs(1),
            }
            for action in case.advance(0) {
                if let Action::Fail(cid, _) = action { prop_assert!(ended.insert(cid)); }
            }
        }
        for _ in 0..70 {
            for action in case.advance(1) {
                if let Action::Fail(cid, _) = action { prop_assert!(ended.insert(cid)); }
            }
        }
        prop_assert!(case.scheduler.is_idle());
        prop_assert_eq!(ended.len(), 30);
        for peer in &peers {
            prop_assert_eq!(case.scheduler.outstanding(peer), 0);
        }
        prop_assert!(case.scheduler.unasked.is_empty());
    }
}
