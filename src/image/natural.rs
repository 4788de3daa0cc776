//! The orders that people expect of versions: runs of digits compare as numbers, so `1.9` comes before `1.10`; and the newest
//! tag first.

use std::cmp::Ordering;

/// Compares letter by letter, and runs of digits by their numbers; what is equal so far is told apart as text.
pub fn compare(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one.as_bytes(), other.as_bytes());
    while let (Some(a), Some(b)) = (left.first(), right.first()) {
        let order = if a.is_ascii_digit() && b.is_ascii_digit() {
            let ((a, after_left), (b, after_right)) = (number(left), number(right));
            (left, right) = (after_left, after_right);
            a.len().cmp(&b.len()).then_with(|| a.cmp(b))
        } else {
            (left, right) = (&left[1..], &right[1..]);
            a.cmp(b)
        };
        if order.is_ne() {
            return order;
        }
    }
    left.len().cmp(&right.len()).then_with(|| one.cmp(other))
}

/// The order of names on a repository's pages: `latest`, then versions from the newest one down, each before its variants
/// (`1.10`, `1.10-alpine`, `1.9`), then other tags, and digests last.
pub fn newest_first(one: &str, other: &str) -> Ordering {
    let (left, right) = (Group::of(one), Group::of(other));
    let order = left.cmp(&right);
    if order.is_ne() || left != Group::Version {
        return order.then_with(|| compare(one, other));
    }
    let ((left, variant), (right, other_variant)) = (version(one), version(other));
    compare_numbers(right, left).then_with(|| compare(variant, other_variant)).then_with(|| compare(one, other))
}

/// The newest of some tags: the highest version that is no variant, else the highest one, else the first tag of
/// [`newest_first`]. `latest` says nothing of its age, so it is the newest one only if there is no other.
pub fn newest<'a>(tags: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    tags.into_iter().min_by(|one, other| rank(one).cmp(&rank(other)).then_with(|| newest_first(one, other)))
}

fn rank(tag: &str) -> u8 {
    match Group::of(tag) {
        Group::Version if version(tag).1.is_empty() => 0,
        Group::Version => 1,
        Group::Other => 2,
        Group::Latest => 3,
        Group::Digest => 4,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Latest,
    Version,
    Other,
    Digest,
}

impl Group {
    fn of(name: &str) -> Self {
        let digits = name.strip_prefix('v').unwrap_or(name);
        if name == "latest" {
            Self::Latest
        } else if name.contains(':') {
            Self::Digest
        } else if digits.starts_with(|first: char| first.is_ascii_digit()) {
            Self::Version
        } else {
            Self::Other
        }
    }
}

/// The dotted numbers that a version begins with, and what follows them.
fn version(name: &str) -> (&str, &str) {
    let digits = name.strip_prefix('v').unwrap_or(name);
    let end = digits.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(digits.len());
    digits.split_at(end)
}

/// Number by number; of `1` and `1.2` the longer one is the higher.
fn compare_numbers(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one.split('.'), other.split('.'));
    loop {
        let (a, b) = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(a), Some(b)) => (number(a.as_bytes()).0, number(b.as_bytes()).0),
        };
        let order = a.len().cmp(&b.len()).then_with(|| a.cmp(b));
        if order.is_ne() {
            return order;
        }
    }
}

/// The digits that a text begins with, without leading zeros, and what follows them.
fn number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let zeros = digits.iter().position(|byte| *byte != b'0').unwrap_or(digits.len());
    (&digits[zeros..], rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn versions_are_in_the_order_of_their_numbers() {
        let sorted = [
            "",
            "1",
            "1.0",
            "1.1",
            "1.2",
            "1.9",
            "1.10",
            "1.10-rc2",
            "1.10-rc10",
            "1.010",
            "2",
            "10",
            "latest",
            "v2",
            "v10",
        ];
        let mut shuffled = sorted.to_vec();
        shuffled.reverse();
        shuffled.sort_by(|one, other| compare(one, other));
        assert_eq!(
            shuffled.iter().position(|tag| *tag == "1.2").unwrap() + 1,
            shuffled.iter().position(|tag| *tag == "1.9").unwrap()
        );
        assert_eq!(compare("1.9", "1.10"), Ordering::Less);
        assert_eq!(compare("1.010", "1.10"), Ordering::Less, "equal numbers are told apart");
        assert_eq!(compare("99999999999999999999999999", "100000000000000000000000000"), Ordering::Less);
        assert_eq!(shuffled.last(), Some(&"v10"));
    }

    #[test]
    fn the_newest_comes_first() {
        let sorted = [
            "latest",
            "v2.0",
            "1.27.5",
            "1.27.5-alpine",
            "1.27.5-rc10",
            "1.27.4",
            "1.27",
            "1.9.0",
            "1",
            "edge",
            "stable-2",
            "stable-10",
            "sha256:00",
        ];
        let mut shuffled = sorted.to_vec();
        shuffled.sort_unstable();
        shuffled.sort_by(|one, other| newest_first(one, other));
        assert_eq!(shuffled, sorted);
        assert_eq!(newest(["latest", "1.9", "1.10-rc1", "1.10"]), Some("1.10"));
        assert_eq!(newest(["latest", "1.9-alpine", "edge"]), Some("1.9-alpine"));
        assert_eq!(newest(["latest", "edge"]), Some("edge"));
        assert_eq!(newest(["latest"]), Some("latest"));
        assert_eq!(newest([]), None);
    }

    proptest! {
        /// Pages are found by it.
        #[test]
        fn newest_first_is_an_order(texts in prop::collection::vec("v?[01:aé.-]{0,6}|latest", 3)) {
            let (a, b, c) = (&texts[0], &texts[1], &texts[2]);
            prop_assert_eq!(newest_first(a, b), newest_first(b, a).reverse());
            prop_assert_eq!(newest_first(a, b).is_eq(), a == b);
            if newest_first(a, b).is_le() && newest_first(b, c).is_le() {
                prop_assert!(newest_first(a, c).is_le());
            }
        }

        /// SQLite wants this of a collation.
        #[test]
        fn it_is_an_order(texts in prop::collection::vec("[01aé.-]{0,6}", 3)) {
            let (a, b, c) = (&texts[0], &texts[1], &texts[2]);
            prop_assert_eq!(compare(a, b), compare(b, a).reverse());
            prop_assert_eq!(compare(a, b).is_eq(), a == b);
            if compare(a, b).is_le() && compare(b, c).is_le() {
                prop_assert!(compare(a, c).is_le());
            }
        }
    }
}
