//! Whom a catalog follows, how far it is and what a look brought, in words: whatever shows a follower says the same. Pure.

use super::follower::{Following, Look};
use crate::engine::own_node::report::{Fact, Weight};
use crate::text::{bytes, count, printable_within};

/// Columns of what comes from elsewhere.
const MAX_COLUMNS: usize = 300;

fn fact(label: &'static str, weight: Weight, text: impl Into<String>) -> Fact {
    Fact { label, weight, text: text.into() }
}

/// Everything about it; `when` says a moment, in seconds since 1970, as it is shown there.
pub fn facts(following: &Following, when: impl Fn(i64) -> String) -> Vec<Fact> {
    let setting = &following.setting;
    let name = setting.name.to_string();
    let mut facts = vec![fact("follows", Weight::Plain, name.clone())];
    let (weight, signed_by) = match following.key.map(|key| key.to_string()) {
        Some(key) if key != name => {
            (Weight::Plain, format!("{key}; that it is the key of {name} is said by DNS alone"))
        }
        _ if following.is_signed() => (Weight::Plain, "the key of this name".to_owned()),
        _ => (Weight::Warning, "nobody: what the domain says is unsigned".to_owned()),
    };
    facts.push(fact("signed by", weight, signed_by));
    if setting.sources.is_empty() {
        facts.push(fact("from", Weight::Plain, setting.shown_sources()));
    }
    let sources = setting.sources.iter().map(|source| printable_within(source, MAX_COLUMNS));
    facts.extend(sources.map(|source| fact("from", Weight::Plain, source)));
    facts.push(fact("fetches", Weight::Plain, setting.mode.words()));
    facts.push(fact("looks", Weight::Plain, format!("every {} s", setting.every.as_secs())));
    match &following.root {
        Some(root) => facts.push(fact("root", Weight::Plain, root.to_string())),
        None => facts.push(fact("root", Weight::Dim, "none yet")),
    }
    if let Some(newest) = following.newest.filter(|newest| Some(*newest) != following.root) {
        facts.push(fact("newest", Weight::Warning, newest.to_string()));
    }
    facts.extend(following.taken_at.map(|at| fact("since", Weight::Plain, when(at))));
    if let Some(expires) = following.expires {
        facts.push(fact("record", Weight::Plain, format!("valid until {expires:.0}")));
    }
    facts.extend(following.checked_at.map(|at| fact("looked at", Weight::Plain, when(at))));
    facts.push(match &following.failure {
        Some(failure) => fact("problem", Weight::Warning, printable_within(failure, MAX_COLUMNS)),
        None if following.is_current() => fact("state", Weight::Good, "current"),
        None if following.root.is_none() => fact("state", Weight::Warning, "nothing is here yet"),
        None => fact("state", Weight::Warning, "behind: the newest root is not here yet"),
    });
    facts
}

/// What a look brought, in a sentence; nothing if no other root came.
pub fn came(look: &Look) -> Option<String> {
    let (taken, root) = (look.taken?, look.root?);
    let removed = match taken.removed {
        0 => String::new(),
        removed => format!(", {} removed", count(removed, "image", "images")),
    };
    let left = match taken.left_blobs {
        0 => String::new(),
        left => format!(", {} left until pulled", count(left, "blob", "blobs")),
    };
    Some(format!(
        "Holding {root}: {} new or changed{removed}, {} fetched{left}.",
        count(taken.images, "image", "images"),
        bytes(taken.fetched_bytes)
    ))
}

#[cfg(test)]
mod tests {
    use super::super::take::Taken;
    use super::*;

    #[test]
    fn what_came_in_a_sentence() {
        let taken = Taken { images: 1, removed: 2, fetched_bytes: 3 << 20, left_blobs: 1, anew: false };
        let root = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi".parse().ok();
        let words = came(&Look { root, taken: Some(taken), notes: Vec::new() }).unwrap();
        assert!(
            words.ends_with("1 image new or changed, 2 images removed, 3.0 MiB fetched, 1 blob left until pulled."),
            "{words}"
        );
        assert_eq!(came(&Look { root, taken: None, notes: Vec::new() }), None);
    }
}
