//! Long lists in pages of bounded size whose boundaries the names themselves decide, so that a name that comes or goes
//! rewrites the page it is on, and not every later one.
//!
//! Knows names and how many rows each needs; must not know what is on a page.

use std::ops::Range;

use crate::image::Digest;

/// How many names there are between two boundaries, on average.
pub const MEAN_NAMES_PER_PAGE: u64 = 64;

/// Most rows on a page. Only one name that needs more rows than that has a longer page, of its own.
pub const MAX_ROWS: usize = 256;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// What the page's file is called by: see [`key`].
    pub key: String,
    /// Which names are on it.
    pub names: Range<usize>,
}

/// The number that decides about a name.
fn weight(name: &str) -> u64 {
    Digest::of(name.as_bytes()).as_bytes()[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Whether a list of more than one page has a boundary before this name. One name in [`MEAN_NAMES_PER_PAGE`] does.
pub fn starts_page(name: &str) -> bool {
    weight(name) < u64::MAX / MEAN_NAMES_PER_PAGE
}

/// What a page's file is called by: `0` for the first one (nothing before it), else 32 hexadecimal digits of the SHA-256 of
/// its first name. 128 bits, so that nobody can find two names that would share a file.
pub fn key(first: Option<&str>) -> String {
    match first {
        Some(name) => Digest::of(name.as_bytes()).hex()[..32].to_owned(),
        None => "0".to_owned(),
    }
}

/// Cuts one run of names, from one boundary to the next, into pages. Gives the position where each begins; the first is 0.
///
/// A run of too many rows is cut at the name that is nearest to being a boundary, within its middle half, and again until
/// every part fits. So the cuts, too, depend on the run's own names alone, and mostly on few of them.
pub fn split_run(run: &[(&str, usize)]) -> Vec<usize> {
    let numbers: Vec<u64> = run.iter().map(|(name, _)| weight(name)).collect();
    let mut starts = Vec::new();
    let mut parts: Vec<Range<usize>> = std::iter::once(0..run.len()).collect();
    while let Some(part) = parts.pop() {
        let rows: usize = run[part.clone()].iter().map(|(_, rows)| rows).sum();
        let quarter = part.len() / 4;
        let cut = (part.start + quarter.max(1)..part.end - quarter).min_by_key(|&at| numbers[at]);
        match cut {
            Some(cut) if rows > MAX_ROWS => {
                parts.push(cut..part.end);
                parts.push(part.start..cut);
            }
            _ => starts.push(part.start),
        }
    }
    starts
}

/// Cuts a whole list: sorted names, each with the rows it needs. A list that fits one page has one.
pub fn pages(list: &[(&str, usize)]) -> Vec<Span> {
    let rows: usize = list.iter().map(|(_, rows)| rows).sum();
    if rows <= MAX_ROWS {
        return vec![Span { key: key(None), names: 0..list.len() }];
    }
    let mut starts = Vec::new();
    let mut begin = 0;
    while begin < list.len() {
        let rest = &list[begin + 1..];
        let end = rest.iter().position(|(name, _)| starts_page(name)).map_or(list.len(), |at| begin + 1 + at);
        starts.extend(split_run(&list[begin..end]).into_iter().map(|start| begin + start));
        begin = end;
    }
    let ends = starts.iter().skip(1).copied().chain([list.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(&start, end)| Span { key: key((start > 0).then_some(list[start].0)), names: start..end })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    /// Key and names of every page.
    fn contents(names: &BTreeSet<String>, rows: usize) -> BTreeMap<String, Vec<String>> {
        let list: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), rows)).collect();
        let spans = pages(&list);
        let count = spans.len();
        let all: BTreeMap<String, Vec<String>> = spans
            .into_iter()
            .map(|span| (span.key, list[span.names].iter().map(|(name, _)| (*name).to_owned()).collect()))
            .collect();
        assert_eq!(all.len(), count, "two pages with one key");
        all
    }

    /// How many pages have to be written that were not there before.
    fn written(before: &BTreeMap<String, Vec<String>>, after: &BTreeMap<String, Vec<String>>) -> usize {
        after.iter().filter(|(key, names)| before.get(*key) != Some(names)).count()
    }

    fn numbered(count: usize) -> BTreeSet<String> {
        (0..count).map(|number| format!("repository-{number}")).collect()
    }

    #[test]
    fn pages_are_many_enough_and_small_enough() {
        for rows in [1, 3, 40] {
            let all = contents(&numbered(10_000), rows);
            assert!(all.values().all(|names| !names.is_empty() && names.len() * rows <= MAX_ROWS));
            assert_eq!(all.values().map(Vec::len).sum::<usize>(), 10_000);
            assert!(all.len() < 10_000 * rows / 40 + 300, "{} pages", all.len());
        }
        assert_eq!(contents(&numbered(MAX_ROWS), 1).len(), 1);
        assert!(contents(&numbered(MAX_ROWS + 1), 1).len() > 1);
        assert_eq!(contents(&BTreeSet::new(), 1), BTreeMap::from([("0".to_owned(), Vec::new())]));
    }

    /// Deterministic, so that the bound can be tight: each of many changes of a long list rewrites few pages.
    #[test]
    fn one_change_rewrites_few_pages() {
        for rows in [1, 5] {
            let mut names = numbered(3_000);
            let mut before = contents(&names, rows);
            let (mut total, mut most) = (0, 0);
            for change in 0..200 {
                if change % 2 == 0 {
                    names.insert(format!("repository-{}-new", change * 13));
                } else {
                    names.remove(&format!("repository-{}", change * 11));
                }
                let after = contents(&names, rows);
                let pages = written(&before, &after);
                (total, most) = (total + pages, most.max(pages));
                before = after;
            }
            assert!(most <= 4, "{most} pages for one change");
            assert!(total <= 240, "{total} pages for 200 changes");
        }
    }

    /// Names that were chosen so that none is a boundary still make pages of bounded size.
    #[test]
    fn hostile_names_make_no_large_page() {
        let names: BTreeSet<String> =
            (0..5_000).map(|number| format!("tag{number}")).filter(|name| !starts_page(name)).collect();
        let all = contents(&names, 1);
        assert!(all.values().all(|names| names.len() <= MAX_ROWS && names.len() >= MAX_ROWS / 4));
    }

    #[test]
    fn one_name_with_many_rows_has_a_page_of_its_own() {
        let list = [("a", 1), ("b", 1000), ("c", 1), ("d", 1)];
        let spans: Vec<Range<usize>> = pages(&list).into_iter().map(|span| span.names).collect();
        assert!(spans.contains(&(1..2)), "{spans:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn every_name_is_on_one_page(names in proptest::collection::btree_set("[a-z]{1,3}(/[a-z]{1,2})?", 0..900), rows in 1_usize..300) {
            let all = contents(&names, rows);
            let mut again: Vec<String> = all.values().flatten().cloned().collect();
            again.sort();
            prop_assert_eq!(again, names.iter().cloned().collect::<Vec<_>>());
            prop_assert!(all.values().all(|names| names.len() == 1 || names.len() * rows <= MAX_ROWS));
        }

        /// What is known of a run is enough: nothing outside it moves its pages.
        #[test]
        fn runs_are_independent(names in proptest::collection::btree_set("[a-z]{2,4}", 600..900), new in "[a-z]{5}") {
            let before = contents(&names, 1);
            let mut more = names.clone();
            more.insert(new.clone());
            let after = contents(&more, 1);
            let run = |of: &str| more.range(..=of.to_owned()).rev().find(|name| starts_page(name)).cloned();
            for (key, content) in &after {
                if before.get(key) != Some(content) {
                    // A rewritten page belongs to the run of the new name, or to the one before it that it cut in two.
                    let mine = run(&content[0]) == run(&new);
                    let cut = starts_page(&new) && more.range(..new.clone()).next_back().is_some_and(|last| run(last) == run(&content[0]));
                    prop_assert!(mine || cut, "{key} was rewritten");
                }
            }
        }
    }
}
