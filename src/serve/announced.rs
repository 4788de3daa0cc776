//! Which followers said of late that they hold a root or take it, and where they give out what they have of it. Pure: is told what the
//! time is.
//!
//! A follower is told of those that hold the root, and of those that began to take it before itself. The order in which they were
//! heard of is a total one, so nobody waits in a circle for what each expects of the other.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;

use cid::Cid;

use super::peer::Peer;
use crate::ipns::{GatewayPort, Holding, Name};
use crate::node::source::Scope;

/// Followers that are remembered. Anybody may say that they are some, so the one that was silent longest makes room.
const MAX_FOLLOWERS: usize = 1_000;
/// Of these, those that share an address: several behind one router, or on one machine.
const MAX_FOLLOWERS_PER_PEER: usize = 64;
/// How long one that takes a root is told of after it was heard of last, in seconds; it asks every few seconds.
const TAKING_SECONDS: i64 = 60;
/// How long one that holds a root is told of, in seconds; it asks whenever it looks at the name.
const HOLDING_SECONDS: i64 = 3600;
/// The most that one is told of.
const MAX_TOLD: usize = 20;

/// Who it is: a peer ID is anybody's to say, an address is not.
type Who = (Name, IpAddr);

/// A follower that can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) peer: Name,
    pub(super) ip: IpAddr,
    pub(super) gateway: GatewayPort,
}

#[derive(Debug)]
struct Said {
    gateway: GatewayPort,
    held: Option<Cid>,
    taking: Option<Taking>,
    heard: i64,
}

#[derive(Debug, Clone, Copy)]
struct Taking {
    root: Cid,
    /// Its place in the order.
    number: u64,
}

/// The followers that can be asked.
#[derive(Debug, Default)]
pub(super) struct Announced {
    said: HashMap<Who, Said>,
    next: u64,
}

impl Announced {
    /// One of them says what it has; one that gives out nothing is forgotten.
    pub(super) fn note(&mut self, holding: &Holding, ip: IpAddr, now: i64) {
        let who = (holding.peer, ip);
        let (Some(gateway), Some(_)) = (holding.gateway, Scope::of(ip)) else {
            self.said.remove(&who);
            return;
        };
        if !self.said.contains_key(&who) {
            self.make_room(ip);
        }
        let before = self.said.get(&who).and_then(|said| said.taking);
        let taking = holding.taking.map(|root| match before {
            Some(before) if before.root == root => before,
            _ => {
                self.next += 1;
                Taking { root, number: self.next }
            }
        });
        self.said.insert(who, Said { gateway, held: holding.root, taking, heard: now });
    }

    fn make_room(&mut self, ip: IpAddr) {
        let peer = Peer::of((ip, 0).into());
        let shares = |who: &Who| Peer::of((who.1, 0).into()) == peer;
        let is_full = self.said.keys().filter(|who| shares(who)).count() >= MAX_FOLLOWERS_PER_PEER;
        if !is_full && self.said.len() < MAX_FOLLOWERS {
            return;
        }
        let candidates = self.said.iter().filter(|(who, _)| !is_full || shares(who));
        let silent = candidates.min_by_key(|(_, said)| said.heard).map(|(who, _)| *who);
        silent.and_then(|silent| self.said.remove(&silent));
    }

    /// Whom to ask for blocks of a root: those that hold it, the others in the order in which they began. To one that takes the
    /// root itself (`asker`), those that began before it; to anybody else, those that hold it. Of many, each is told of others.
    pub(super) fn of(&self, root: &Cid, asker: Option<Name>, ip: IpAddr, now: i64) -> Vec<Told> {
        let own = asker.and_then(|asker| self.said.get(&(asker, ip))?.taking).filter(|taking| taking.root == *root);
        let place = |said: &Said| {
            let age = now - said.heard;
            if said.held == Some(*root) && age <= HOLDING_SECONDS {
                return Some(0);
            }
            let taking = said.taking.filter(|taking| taking.root == *root && age <= TAKING_SECONDS)?;
            own.filter(|own| taking.number < own.number).map(|_| taking.number)
        };
        let is_told = |who: &Who| Some(who.0) != asker && Scope::is_of_use(who.1, ip);
        let mut found: Vec<(u64, u64, Told)> = self
            .said
            .iter()
            .filter(|(who, _)| is_told(who))
            .filter_map(|(who, said)| {
                let told = Told { peer: who.0, ip: who.1, gateway: said.gateway };
                Some((place(said)?, weight(who, asker, ip), told))
            })
            .collect();
        if found.len() > MAX_TOLD {
            found.sort_by_key(|(number, weight, _)| (*number > 0, *weight));
            found.truncate(MAX_TOLD);
        }
        found.sort_by_key(|(number, weight, _)| (*number, *weight));
        found.into_iter().map(|(_, _, told)| told).collect()
    }
}

/// Another order for each asker, so that load spreads.
fn weight(who: &Who, asker: Option<Name>, ip: IpAddr) -> u64 {
    let mut hasher = DefaultHasher::new();
    for name in [Some(who.0), asker].into_iter().flatten() {
        name.multihash().to_bytes().hash(&mut hasher);
    }
    (who.1, ip).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;
    use crate::ipns::PrivateKey;

    const PORT: GatewayPort = GatewayPort { port: NonZeroU16::new(5050).unwrap(), tls: false };

    fn cid(text: &str) -> Cid {
        crate::unixfs::file::of_bytes(crate::unixfs::Profile::V1_2025, text.as_bytes()).0.cid
    }

    fn taking(root: &str) -> Holding {
        let peer = PrivateKey::generate().unwrap().name();
        Holding { peer, root: None, left: 0, taking: Some(cid(root)), gateway: Some(PORT) }
    }

    fn ip(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn each_is_told_of_those_that_began_before_it() {
        let mut announced = Announced::default();
        let all: Vec<Holding> = (0..4).map(|_| taking("root")).collect();
        for (holding, last) in all.iter().zip(0..) {
            announced.note(holding, ip(last), 10);
        }
        // Saying it again changes no place.
        announced.note(&all[0], ip(0), 11);
        for (place, last) in (0..4).zip(0..) {
            let told = announced.of(&cid("root"), Some(all[place].peer), ip(last), 12);
            let told: Vec<Name> = told.iter().map(|told| told.peer).collect();
            let before: Vec<Name> = all[..place].iter().map(|holding| holding.peer).collect();
            assert_eq!(told, before);
        }
        assert_eq!(announced.of(&cid("other"), Some(all[3].peer), ip(3), 12), []);
        // Whoever takes nothing is told of nobody who has only a part, nor is one who says so from elsewhere.
        assert_eq!(announced.of(&cid("root"), None, ip(9), 12), []);
        assert_eq!(announced.of(&cid("root"), Some(all[3].peer), ip(9), 12), []);

        // One that holds it comes first, for everybody.
        announced.note(&Holding { root: Some(cid("root")), taking: None, ..all[3] }, ip(3), 13);
        let told = announced.of(&cid("root"), Some(all[1].peer), ip(1), 13);
        assert_eq!(told.iter().map(|told| told.ip).collect::<Vec<_>>(), [ip(3), ip(0)]);
        assert_eq!(announced.of(&cid("root"), None, ip(9), 13).len(), 1);
        // Those that began for the second time are the last.
        announced.note(&Holding { taking: Some(cid("other")), ..all[0] }, ip(0), 14);
        announced.note(&all[0], ip(0), 14);
        let told = announced.of(&cid("root"), Some(all[1].peer), ip(1), 14);
        assert_eq!(told.iter().map(|told| told.ip).collect::<Vec<_>>(), [ip(3)]);
    }

    #[test]
    fn the_silent_are_not_told_of_nor_those_out_of_reach() {
        let mut announced = Announced::default();
        let (one, other) = (taking("root"), taking("root"));
        announced.note(&one, ip(1), 0);
        announced.note(&other, ip(2), 0);
        let count = |announced: &Announced, now| announced.of(&cid("root"), Some(other.peer), ip(2), now).len();
        assert_eq!((count(&announced, TAKING_SECONDS), count(&announced, TAKING_SECONDS + 1)), (1, 0));
        announced.note(&Holding { root: Some(cid("root")), taking: None, ..one }, ip(1), 0);
        assert_eq!((count(&announced, HOLDING_SECONDS), count(&announced, HOLDING_SECONDS + 1)), (1, 0));
        // One that gives nothing out any more.
        announced.note(&Holding { gateway: None, root: Some(cid("root")), ..one }, ip(1), 0);
        assert_eq!(count(&announced, 0), 0);
        // An address of a private network is none elsewhere.
        let near = IpAddr::from([10, 0, 0, 1]);
        announced.note(&Holding { root: Some(cid("root")), ..one }, near, 0);
        assert_eq!(count(&announced, 0), 0);
        announced.note(&other, [10, 0, 0, 2].into(), 0);
        assert_eq!(announced.of(&cid("root"), Some(other.peer), [10, 0, 0, 2].into(), 0).len(), 1);
        // Another one's name at another address takes nobody's place.
        announced.note(&Holding { root: None, taking: None, gateway: None, ..one }, ip(7), 0);
        assert_eq!(announced.of(&cid("root"), Some(other.peer), [10, 0, 0, 2].into(), 0).len(), 1);
    }

    #[test]
    fn a_crowd_takes_no_more_memory_and_pushes_nobody_else_out() {
        let mut announced = Announced::default();
        let honest = taking("root");
        announced.note(&honest, ip(1), 0);
        for second in 0..MAX_FOLLOWERS_PER_PEER as i64 * 2 {
            announced.note(&taking("root"), ip(2), second);
        }
        assert_eq!(announced.said.len(), MAX_FOLLOWERS_PER_PEER + 1);
        assert!(announced.said.contains_key(&(honest.peer, ip(1))));
        for number in 0..MAX_FOLLOWERS as u32 {
            announced.note(&taking("root"), IpAddr::from((0x0b00_0000 + number).to_be_bytes()), 1000);
        }
        assert_eq!(announced.said.len(), MAX_FOLLOWERS);
    }

    #[test]
    fn of_many_each_is_told_of_a_few_others() {
        let mut announced = Announced::default();
        for last in 0..60 {
            announced.note(&Holding { root: Some(cid("root")), taking: None, ..taking("root") }, ip(last), 0);
        }
        let askers = [taking("root"), taking("root")];
        let told = askers.map(|asker| {
            announced.note(&asker, ip(100), 0);
            let told = announced.of(&cid("root"), Some(asker.peer), ip(100), 0);
            assert_eq!(told.len(), MAX_TOLD);
            told
        });
        assert_ne!(told[0], told[1]);
    }
}
