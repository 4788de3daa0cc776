//! A version as people write it, to compare keys with.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use super::key::{Key, Number};

/// Bytes of the longest bound; no tag is longer.
const MAX_BOUND_BYTES: usize = 128;

/// Where a range begins or ends: numbers, whatever is between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound(String);

impl Bound {
    fn numbers(&self) -> impl Iterator<Item = Number<'_>> {
        self.0.split(|character: char| !character.is_ascii_digit()).filter(|run| !run.is_empty()).map(Number::new)
    }

    /// How a key compares with this; what either lacks is 0.
    pub(super) fn compare(&self, key: Key<'_, '_>) -> Ordering {
        let (mut left, mut right) = (key.numbers(), self.numbers());
        loop {
            let (one, other) = (left.next(), right.next());
            if one.is_none() && other.is_none() {
                return Ordering::Equal;
            }
            let zero = Number::new("");
            let order = one.unwrap_or(zero).cmp(&other.unwrap_or(zero));
            if order.is_ne() {
                return order;
            }
        }
    }
}

impl FromStr for Bound {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_BOUND_BYTES {
            return Err("it is longer than a tag");
        }
        let known = |character: char| character.is_ascii_alphanumeric() || ".-_".contains(character);
        if !text.chars().all(known) {
            return Err("a version has letters, digits, `.`, `-` and `_`");
        }
        if !text.contains(|character: char| character.is_ascii_digit()) {
            return Err("it has no number");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
