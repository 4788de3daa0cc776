//! Whether tags and digests are known for long enough.
//!
//! What a repository had when it was listed first is old. What came later is as old as its first sighting.

use std::collections::{BTreeSet, HashMap};

use rusqlite::Connection;

use crate::catalog::{Writer, sightings};
use crate::error::Result;
use crate::image::Digest;

/// Since when the tags of one repository are known, and what there is to note of that.
#[derive(Debug)]
pub(super) struct Ages {
    upstream: String,
    now: i64,
    first: Option<BTreeSet<String>>,
    seen: HashMap<(String, Option<Digest>), i64>,
    /// Tags with any digest.
    with_digest: BTreeSet<String>,
    noted_first: Option<BTreeSet<String>>,
    noted: Vec<(String, Option<Digest>, i64)>,
}

impl Ages {
    /// What the catalog knows of a repository (`registry/repository`).
    pub(super) fn load(connection: &Connection, upstream: String, now: i64) -> Result<Self> {
        let first = sightings::first_list(connection, &upstream)?.map(|list| list.tags);
        let mut seen = HashMap::new();
        let mut with_digest = BTreeSet::new();
        for sighting in sightings::of(connection, &upstream)? {
            if sighting.digest.is_some() {
                with_digest.insert(sighting.tag.clone());
            }
            // A clock that was ahead must not make anything young for ever.
            seen.insert((sighting.tag, sighting.digest), sighting.seen_at.min(now));
        }
        Ok(Self { upstream, now, first, seen, with_digest, noted_first: None, noted: Vec::new() })
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
            self.note(tag, None, self.now);
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
        let was_first = !self.is_seen(tag) && !self.with_digest.contains(tag);
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
        self.noted_first.is_some() || !self.noted.is_empty()
    }

    /// Writes what was noted.
    pub(super) fn save(&self, writer: &Writer<'_>) -> Result<()> {
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
}
