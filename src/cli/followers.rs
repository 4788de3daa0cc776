//! Who holds a copy of what is given out here, in words: as followers say themselves.

use std::collections::BTreeMap;

use crate::engine::own_node::{SeenFollower, Serving};
use crate::text::count;

/// Followers that are named one by one.
const MAX_NAMED: usize = 20;

/// Sentences about followers: a summary, then each one.
pub(in crate::cli) fn sentences(serving: &[Serving], newest: Option<&str>, now: i64) -> Vec<String> {
    let mut all: BTreeMap<&str, &SeenFollower> = BTreeMap::new();
    for follower in serving.iter().flat_map(|serving| &serving.followers) {
        let known = all.entry(&follower.peer_id).or_insert(follower);
        if follower.seen > known.seen {
            *known = follower;
        }
    }
    if all.is_empty() {
        return Vec::new();
    }
    let mut all: Vec<&SeenFollower> = all.into_values().collect();
    all.sort_by_key(|follower| std::cmp::Reverse(follower.seen));
    let more: u64 = serving.iter().map(|serving| serving.more_followers).sum();
    let current = all.iter().filter(|follower| newest == Some(&*follower.root)).count();
    let mut sentences = vec![format!(
        "{} heard of in the last day; {}",
        count(all.len() as u64 + more, "follower", "followers"),
        match current {
            0 => "none holds the newest root".to_owned(),
            current => count(current as u64, "holds the newest root", "hold the newest root"),
        }
    )];
    sentences.extend(all.iter().take(MAX_NAMED).map(|follower| one(follower, newest, now)));
    if all.len() > MAX_NAMED || more > 0 {
        let rest = (all.len() as u64).saturating_sub(MAX_NAMED as u64) + more;
        sentences.push(format!("and {}", count(rest, "more", "more")));
    }
    sentences
}

fn one(follower: &SeenFollower, newest: Option<&str>, now: i64) -> String {
    let root = if newest == Some(&follower.root) { "the newest root" } else { &follower.root };
    let left = match follower.left {
        0 => "all of it".to_owned(),
        left => format!("all but {}", count(left, "blob", "blobs")),
    };
    let (peer, address) = (&follower.peer_id, &follower.address);
    format!("{peer} at {address}: {root}, {left}, {}", ago(now - follower.seen))
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
    use super::*;

    fn follower(peer: &str, root: &str, seen: i64) -> SeenFollower {
        SeenFollower { peer_id: peer.into(), address: "192.0.2.1".into(), root: root.into(), left: 0, seen }
    }

    #[test]
    fn copies_are_counted_once_wherever_they_were_heard_of() {
        let serving = |followers: Vec<SeenFollower>| Serving { followers, ..Serving::default() };
        let all = [
            serving(vec![follower("A", "new", 9_990), SeenFollower { left: 3, ..follower("B", "old", 400) }]),
            serving(vec![follower("A", "old", 10)]),
        ];
        assert_eq!(
            sentences(&all, Some("new"), 10_000),
            [
                "2 followers heard of in the last day; 1 holds the newest root",
                "A at 192.0.2.1: the newest root, all of it, just now",
                "B at 192.0.2.1: old, all but 3 blobs, 2 hours ago",
            ]
        );
        assert_eq!(sentences(&[Serving::default()], Some("new"), 0), [""; 0]);
        let crowd = serving((0..30).map(|number| follower(&format!("{number:02}"), "old", number)).collect());
        let crowd = Serving { more_followers: 70, ..crowd };
        let crowd = sentences(&[crowd], Some("new"), 100);
        assert_eq!(crowd[0], "100 followers heard of in the last day; none holds the newest root");
        assert_eq!((crowd.len(), crowd[21].as_str()), (22, "and 80 more"));
    }
}
