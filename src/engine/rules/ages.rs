//! Whether tags and digests are known for long enough.
//!
//! What a repository had when it was listed first is old. What came later is as old as its first sighting.

use std::collections::{BTreeSet, HashMap};

use rusqlite::Connection;

use crate::catalog::{Writer, images, sightings};
use crate::error::Result;
use crate::image::{Digest, Upstream};

/// Since when the tags of one repository are known, and what there is to note of that.
#[derive(Debug)]
pub(super) struct Ages {
    upstream: String,
    now: i64,
    first: Option<BTreeSet<String>>,
    seen: HashMap<(String, Option<Digest>), i64>,
    /// Tags with any digest.
    with_digest: BTreeSet<String>,
    /// The tags that are here, since when, and with which digest.
    here: HashMap<String, (i64, Digest)>,
    /// Whether the clock was ahead once: what was seen later than now was seen now.
    was_ahead: bool,
    noted_first: Option<BTreeSet<String>>,
    noted: Vec<(String, Option<Digest>, i64)>,
}

impl Ages {
    /// What the catalog knows of a repository.
    pub(super) fn load(connection: &Connection, upstream: &Upstream, now: i64) -> Result<Self> {
        let key = upstream.to_string();
        let first = sightings::first_list(connection, &key)?;
        let mut was_ahead = first.as_ref().is_some_and(|first| first.listed_at > now);
        let (mut seen, mut with_digest) = (HashMap::new(), BTreeSet::new());
        for sighting in sightings::of(connection, &key)? {
            if sighting.digest.is_some() {
                with_digest.insert(sighting.tag.clone());
            }
            // A clock that was ahead must not make anything young for ever.
            was_ahead |= sighting.seen_at > now;
            seen.insert((sighting.tag, sighting.digest), sighting.seen_at.min(now));
        }
        let here = images::tags_of_upstream(connection, upstream)?;
        let here = here.into_iter().map(|(tag, added_at, digest)| (tag, (added_at, digest))).collect();
        let first = first.map(|first| first.tags);
        Ok(Self { upstream: key, now, first, seen, with_digest, here, was_ahead, noted_first: None, noted: Vec::new() })
    }

    /// Notes a list.
    pub(super) fn listed<'t>(&mut self, tags: impl Iterator<Item = &'t str>) {
        let Some(first) = &self.first else {
            let first: BTreeSet<String> = tags.map(str::to_owned).collect();
            self.noted_first = Some(first.clone());
            self.first = Some(first);
            return;
        };
        let new: Vec<String> =
            tags.filter(|tag| !first.contains(*tag)).map(str::to_owned).filter(|tag| !self.is_seen(tag)).collect();
        for tag in new {
            // Nobody noted what was listed while no rule waited, but what is here was seen when it came.
            let here_since = self.here.get(&tag).map_or(self.now, |(added_at, _)| self.now.min(*added_at));
            self.note(tag, None, here_since);
        }
    }

    fn is_seen(&self, tag: &str) -> bool {
        self.seen.contains_key(&(tag.to_owned(), None))
    }

    fn note(&mut self, tag: String, digest: Option<Digest>, at: i64) {
        if digest.is_some() {
            self.with_digest.insert(tag.clone());
        }
        self.seen.insert((tag.clone(), digest), at);
        self.noted.push((tag, digest, at));
    }

    /// Until when a tag is too young, if it is.
    pub(super) fn tag_held(&self, tag: &str, age: u64) -> Option<i64> {
        self.seen.get(&(tag.to_owned(), None)).and_then(|seen| self.held(*seen, age))
    }

    /// Notes the digest that a tag has; until when it is too young, if it is.
    pub(super) fn digest_held(&mut self, tag: &str, digest: Digest, age: u64) -> Option<i64> {
        if let Some(seen) = self.seen.get(&(tag.to_owned(), Some(digest))) {
            return self.held(*seen, age);
        }
        let other_is_here = self.here.get(tag).is_some_and(|(_, here)| *here != digest);
        let was_first = !self.is_seen(tag) && !self.with_digest.contains(tag) && !other_is_here;
        // Nothing else was ever known at this tag.
        let seen = if was_first { 0 } else { self.now };
        self.note(tag.to_owned(), Some(digest), seen);
        self.held(seen, age)
    }

    fn held(&self, seen: i64, age: u64) -> Option<i64> {
        let until = seen.saturating_add_unsigned(age);
        (until > self.now).then_some(until)
    }

    /// Whether there is anything to write.
    pub(super) fn has_news(&self) -> bool {
        self.was_ahead || self.noted_first.is_some() || !self.noted.is_empty()
    }

    /// Writes what was noted.
    pub(super) fn save(&self, writer: &Writer<'_>) -> Result<()> {
        if self.was_ahead {
            sightings::bring_back(writer, &self.upstream, self.now)?;
        }
        if let Some(first) = &self.noted_first {
            sightings::set_first_list(writer, &self.upstream, first.iter().map(String::as_str), self.now)?;
        }
        self.noted
            .iter()
            .try_for_each(|(tag, digest, at)| sightings::see(writer, &self.upstream, tag, digest.as_ref(), *at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn ages(now: i64) -> Ages {
        Ages {
            upstream: "docker.io/library/a".into(),
            now,
            first: None,
            seen: HashMap::new(),
            with_digest: BTreeSet::new(),
            here: HashMap::new(),
            was_ahead: false,
            noted_first: None,
            noted: Vec::new(),
        }
    }

    #[test]
    fn the_first_list_makes_nothing_young() {
        let mut ages = ages(1_000_000);
        ages.listed(["1", "2"].into_iter());
        assert_eq!(ages.tag_held("1", DAY), None);
        assert_eq!(ages.digest_held("1", Digest::of(b"a"), DAY), None);
        ages.listed(["1", "2", "3"].into_iter());
        assert_eq!(ages.tag_held("3", DAY), Some(1_086_400));
        assert_eq!(ages.tag_held("2", DAY), None);
        ages.now += 86_400;
        assert_eq!(ages.tag_held("3", DAY), None);
    }

    #[test]
    fn another_digest_is_young_and_the_old_one_stays_old() {
        let mut ages = ages(1_000_000);
        ages.listed(["1"].into_iter());
        assert_eq!(ages.digest_held("1", Digest::of(b"a"), DAY), None);
        assert_eq!(ages.digest_held("1", Digest::of(b"b"), DAY), Some(1_086_400));
        assert_eq!(ages.digest_held("1", Digest::of(b"a"), DAY), None, "it moved back");
        ages.now += 86_400;
        assert_eq!(ages.digest_held("1", Digest::of(b"b"), DAY), None);
    }

    #[test]
    fn the_digest_of_a_tag_that_came_later_has_its_own_age() {
        let mut ages = ages(1_000_000);
        ages.listed(std::iter::empty());
        ages.listed(["1"].into_iter());
        assert_eq!(ages.digest_held("1", Digest::of(b"a"), DAY), Some(1_086_400));
        ages.now += 43_200;
        assert_eq!(ages.digest_held("1", Digest::of(b"b"), DAY), Some(1_129_600));
    }

    #[test]
    fn what_is_here_is_known_since_it_came_with_its_digest() {
        let mut ages = ages(1_000_000);
        ages.here.insert("2".into(), (900_000, Digest::of(b"a")));
        ages.listed(["1"].into_iter());
        ages.listed(["1", "2", "3"].into_iter());
        assert_eq!((ages.tag_held("2", DAY), ages.tag_held("3", DAY)), (None, Some(1_086_400)));
        assert_eq!(ages.digest_held("2", Digest::of(b"b"), DAY), Some(1_086_400), "it has another one here");
    }
}
