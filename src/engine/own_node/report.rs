//! Who gives out what is published here, how far others reach it and who holds or takes it, in words: whatever shows a target or a
//! follower says the same. Pure: is told what the time is.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::names::NameState;
use super::serving::{SeenFollower, Serving};
use crate::text::{bytes, count, printable_within};

/// Followers and peers that are named one by one in sentences.
const MAX_NAMED: usize = 20;
/// Columns of what comes from elsewhere.
const MAX_COLUMNS: usize = 200;

/// What a fact means to whoever reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// It is like this.
    Plain,
    /// It is as it should be.
    Good,
    /// Something is to be done.
    Warning,
    /// It matters less than the rest.
    Dim,
}

/// A fact: what it is about, and what is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is about; empty where it goes on with the one before.
    pub label: &'static str,
    /// What it means.
    pub weight: Weight,
    /// A fragment or a sentence.
    pub text: String,
}

fn fact(label: &'static str, weight: Weight, text: impl Into<String>) -> Fact {
    Fact { label, weight, text: text.into() }
}

/// Where it is given out and how far that reaches; `how` says how to begin, where nobody does.
pub fn served(all: &[Serving], how: &str) -> Vec<Fact> {
    let mut facts = Vec::new();
    if all.is_empty() {
        facts.push(fact("served", Weight::Warning, format!("Nothing serves it. {how}")));
    }
    for serving in all {
        facts.push(fact(
            "served",
            Weight::Good,
            format!("by process {} as {}", serving.process, printable_within(&serving.peer_id, MAX_COLUMNS)),
        ));
        let weight = match serving.reachable {
            Some(true) => Weight::Good,
            Some(false) => Weight::Warning,
            None => Weight::Plain,
        };
        let mut sentences = serving.reach.iter();
        facts.extend(sentences.next().map(|first| fact("reach", weight, first)));
        facts.extend(sentences.map(|sentence| fact("", Weight::Plain, sentence)));
        facts.extend(serving.advice.iter().map(|advice| fact("", Weight::Warning, advice)));
        // How far others get comes before the dozen addresses that a machine has.
        let told = serving.clone().told();
        facts.extend(told.iter().map(|address| fact("at", Weight::Plain, printable_within(address, MAX_COLUMNS))));
    }
    facts
}

/// The IPNS name of a target, and what its record says, against what was published last.
pub fn name(state: &NameState, newest: Option<&str>, now: Timestamp) -> Vec<Fact> {
    let mut facts = vec![fact("IPNS name", Weight::Plain, state.name.clone())];
    let Some(record) = &state.record else {
        facts.push(fact("record", Weight::Dim, "none yet: publishing signs one"));
        return facts;
    };
    let (mut weight, points) = match newest {
        Some(newest) if record.root.as_deref() == Some(newest) => {
            (Weight::Good, "points to the newest root".to_owned())
        }
        _ => {
            let to =
                record.root.as_deref().map_or_else(|| "no root".to_owned(), |root| printable_within(root, MAX_COLUMNS));
            (Weight::Warning, format!("points to {to}, which is not the newest root"))
        }
    };
    let until = record.valid_until.round(jiff::Unit::Second).unwrap_or(record.valid_until);
    let valid = if record.valid_until < now {
        weight = Weight::Warning;
        format!("expired at {until}: it is signed again as soon as something serves it")
    } else {
        format!("valid until {until}")
    };
    facts.push(fact("record", weight, format!("sequence {}, {points}, {valid}", record.sequence)));
    facts
}

/// Followers, each once wherever it was heard of, the one that was heard of last first; and how many more there are.
pub fn followers(all: &[Serving]) -> (Vec<&SeenFollower>, u64) {
    let mut found: BTreeMap<&str, &SeenFollower> = BTreeMap::new();
    for follower in all.iter().flat_map(|serving| &serving.followers) {
        let known = found.entry(&follower.peer_id).or_insert(follower);
        if follower.seen > known.seen {
            *known = follower;
        }
    }
    let mut found: Vec<&SeenFollower> = found.into_values().collect();
    found.sort_by_key(|follower| std::cmp::Reverse(follower.seen));
    (found, all.iter().map(|serving| serving.more_followers).sum())
}

/// How many followers there are, and how many of them hold the newest root; nothing if there is none.
pub fn followers_in_short(all: &[Serving], newest: Option<&str>) -> Option<String> {
    let (found, more) = followers(all);
    if found.is_empty() {
        return None;
    }
    let current = found.iter().filter(|follower| newest == Some(&*follower.root)).count();
    Some(format!(
        "{} heard of in the last day; {}",
        count(found.len() as u64 + more, "follower", "followers"),
        match current {
            0 => "none holds the newest root".to_owned(),
            current => count(current as u64, "holds the newest root", "hold the newest root"),
        }
    ))
}

/// What a follower holds: its root, how much of that is there, and when it said so.
pub fn holds(follower: &SeenFollower, newest: Option<&str>, now: i64) -> [String; 3] {
    let root = if newest == Some(&follower.root) { "the newest root" } else { &follower.root };
    let left = match follower.left {
        0 => "all of it".to_owned(),
        left => format!("all but {}", count(left, "blob", "blobs")),
    };
    [printable_within(root, MAX_COLUMNS), left, ago(now - follower.seen)]
}

/// Followers in sentences: a summary, then each one.
pub fn followers_in_full(all: &[Serving], newest: Option<&str>, now: i64) -> Vec<Fact> {
    let Some(summary) = followers_in_short(all, newest) else { return Vec::new() };
    let (found, more) = followers(all);
    let mut facts = vec![fact("followers", Weight::Plain, summary)];
    facts.extend(found.iter().take(MAX_NAMED).map(|follower| {
        let held = holds(follower, newest, now).join(", ");
        let weight = if newest == Some(&*follower.root) { Weight::Plain } else { Weight::Warning };
        let who = printable_within(&format!("{} at {}", follower.peer_id, follower.address), MAX_COLUMNS);
        fact("", weight, format!("{who}: {held}"))
    }));
    let rest = (found.len().saturating_sub(MAX_NAMED)) as u64 + more;
    if rest > 0 {
        facts.push(fact("", Weight::Dim, format!("and {}", count(rest, "more", "more"))));
    }
    facts
}

/// Who took blocks: a peer of the swarm, or an address over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Taker<'s> {
    Peer(&'s str),
    Address(&'s str),
}

/// Who took how many bytes, each once wherever that was, those that took most first.
fn takers(all: &[Serving]) -> Vec<(Taker<'_>, u64)> {
    let mut found: BTreeMap<Taker<'_>, u64> = BTreeMap::new();
    for serving in all {
        let peers = serving.taken.iter().map(|peer| (Taker::Peer(&peer.peer_id), peer.bytes));
        let addresses = serving.taken_over_http.iter().map(|taker| (Taker::Address(&taker.address), taker.bytes));
        for (taker, bytes) in peers.chain(addresses) {
            let taken = found.entry(taker).or_default();
            *taken = taken.saturating_add(bytes);
        }
    }
    let mut found: Vec<(Taker<'_>, u64)> = found.into_iter().collect();
    found.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    found
}

/// Who took how much, a fact each.
pub fn taken(all: &[Serving]) -> Vec<Fact> {
    let found = takers(all);
    let mut facts: Vec<Fact> = found
        .iter()
        .take(MAX_NAMED)
        .enumerate()
        .map(|(place, (taker, taken))| {
            let label = if place == 0 { "taken" } else { "" };
            let who = match taker {
                Taker::Peer(peer_id) => printable_within(peer_id, MAX_COLUMNS),
                Taker::Address(address) => format!("{} over HTTP", printable_within(address, MAX_COLUMNS)),
            };
            fact(label, Weight::Plain, format!("{} by {who}", bytes(*taken)))
        })
        .collect();
    let rest = found.len().saturating_sub(MAX_NAMED) as u64;
    facts.extend((rest > 0).then(|| fact("", Weight::Dim, format!("and by {}", count(rest, "other", "others")))));
    facts
}

fn ago(seconds: i64) -> String {
    let seconds = u64::try_from(seconds).unwrap_or_default();
    match seconds {
        0..120 => "just now".to_owned(),
        120..7200 => format!("{} minutes ago", seconds / 60),
        _ => format!("{} hours ago", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::super::names::RecordState;
    use super::super::serving::{TakingAddress, TakingPeer};
    use super::*;

    fn follower(peer: &str, root: &str, seen: i64) -> SeenFollower {
        SeenFollower { peer_id: peer.into(), address: "192.0.2.1".into(), root: root.into(), left: 0, seen }
    }

    fn texts(facts: Vec<Fact>) -> Vec<String> {
        facts.into_iter().map(|fact| format!("{:9} {}", fact.label, fact.text).trim_end().to_owned()).collect()
    }

    #[test]
    fn copies_are_counted_once_wherever_they_were_heard_of() {
        let serving = |followers: Vec<SeenFollower>| Serving { followers, ..Serving::default() };
        let all = [
            serving(vec![follower("A", "new", 9_990), SeenFollower { left: 3, ..follower("B", "old", 400) }]),
            serving(vec![follower("A", "old", 10)]),
        ];
        assert_eq!(
            texts(followers_in_full(&all, Some("new"), 10_000)),
            [
                "followers 2 followers heard of in the last day; 1 holds the newest root",
                "          A at 192.0.2.1: the newest root, all of it, just now",
                "          B at 192.0.2.1: old, all but 3 blobs, 2 hours ago",
            ]
        );
        assert_eq!(followers_in_full(&[Serving::default()], Some("new"), 0), []);
        let crowd = serving((0..30).map(|number| follower(&format!("{number:02}"), "old", number)).collect());
        let crowd = texts(followers_in_full(&[Serving { more_followers: 70, ..crowd }], Some("new"), 100));
        assert_eq!(crowd[0], "followers 100 followers heard of in the last day; none holds the newest root");
        assert_eq!((crowd.len(), crowd[21].trim()), (22, "and 80 more"));
    }

    #[test]
    fn who_serves_and_who_took_what() {
        assert_eq!(texts(served(&[], "Press S.")), ["served    Nothing serves it. Press S."]);
        let peer = |peer_id: &str, bytes| TakingPeer { peer_id: peer_id.into(), bytes };
        let serving = Serving {
            process: 7,
            peer_id: "12D3Koo\u{1b}[2J".into(),
            listening: vec!["/ip4/192.0.2.1/tcp/80/http".into()],
            reach: vec!["behind NAT".into(), "2 peers connected".into()],
            reachable: Some(false),
            advice: vec!["Forward the port.".into()],
            taken: vec![peer("Qm", 1 << 20), peer("12D", 3 << 20)],
            taken_over_http: vec![TakingAddress { address: "192.0.2.7".into(), bytes: 4 << 20 }],
            ..Serving::default()
        };
        let facts = served(std::slice::from_ref(&serving), "");
        assert_eq!(facts[1].weight, Weight::Warning);
        assert!(!facts[0].text.contains('\u{1b}'), "{facts:?}");
        assert_eq!(
            texts(facts)[1..],
            [
                "reach     behind NAT",
                "          2 peers connected",
                "          Forward the port.",
                "at        /ip4/192.0.2.1/tcp/80/http",
            ]
        );
        let both = [serving.clone(), Serving { taken: vec![peer("Qm", 5 << 20)], ..Serving::default() }];
        assert_eq!(
            texts(taken(&both)),
            ["taken     6.0 MiB by Qm", "          4.0 MiB by 192.0.2.7 over HTTP", "          3.0 MiB by 12D"]
        );
    }

    #[test]
    fn a_record_says_where_it_points_and_until_when() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let record = |root: &str, until: &str| NameState {
            key: "self".into(),
            name: "k51".into(),
            record: Some(RecordState { root: Some(root.into()), sequence: 4, valid_until: until.parse().unwrap() }),
        };
        let said = |state: &NameState, newest| {
            let fact = name(state, newest, now).remove(1);
            (fact.weight, fact.text)
        };
        let good = record("new", "2026-11-22T12:00:00Z");
        assert_eq!(
            said(&good, Some("new")),
            (Weight::Good, "sequence 4, points to the newest root, valid until 2026-11-22T12:00:00Z".into())
        );
        assert_eq!(said(&good, Some("newer")).0, Weight::Warning);
        assert_eq!(said(&record("new", "2026-11-19T12:00:00Z"), Some("new")).0, Weight::Warning);
        assert_eq!(said(&NameState { record: None, ..good }, None).1, "none yet: publishing signs one");
    }
}
