//! What a pattern reads as the version in a tag, and its order.

use std::cmp::Ordering;

use super::stage::Stage;

/// The version in a tag: what one pattern found, from the first number to the last `#`. Keys of one variant have the same shape,
/// so they compare from left to right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key<'k, 't>(pub(super) &'k [Part<'t>]);

/// One place of a key. The order of the variants is the order of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part<'t> {
    /// A number that may be missing, and is: lower than any.
    Missing,
    /// A number.
    Number(Number<'t>),
    /// A prerelease, and its number if it has one.
    Prerelease(Stage, Option<Number<'t>>),
    /// No prerelease where there could be one: higher than any.
    Release,
}

/// A run of digits as a number of any length: zeros in front don't count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Number<'t>(&'t str);

impl<'t> Number<'t> {
    /// Takes digits alone; whoever calls has looked.
    pub(super) fn new(digits: &'t str) -> Self {
        let bytes = digits.as_bytes();
        let zeros = bytes.iter().take_while(|byte| **byte == b'0').count();
        Self(&digits[zeros..])
    }
}

impl Ord for Number<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(other.0))
    }
}

impl PartialOrd for Number<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<'k, 't> Key<'k, 't> {
    /// The numbers alone; a missing one is 0.
    pub fn numbers(self) -> impl Iterator<Item = Number<'t>> + 'k {
        self.0.iter().filter_map(|part| match part {
            Part::Missing => Some(Number::new("")),
            Part::Number(number) => Some(*number),
            Part::Prerelease(..) | Part::Release => None,
        })
    }

    /// Whether both begin with the same numbers, so many of them.
    pub(super) fn is_in_line_with(self, other: Self, numbers: usize) -> bool {
        let mut pairs = self.numbers().take(numbers).zip(other.numbers().take(numbers));
        pairs.all(|(one, other)| one == other)
    }
}
