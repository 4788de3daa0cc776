//! The order that people expect of versions: runs of digits compare as numbers, so `1.9` comes before `1.10`.

use std::cmp::Ordering;

/// The name of the collation in the database. Only queries use it: with an index by it no other program could change the file.
pub(super) const NAME: &str = "numbers";

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

    proptest! {
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
