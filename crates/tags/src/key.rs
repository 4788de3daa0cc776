//! What a pattern reads as the version in a tag, and its order.

use std::cmp::Ordering;

use super::stage::Stage;

/// The version in a tag: what one pattern found, from the first number to the last `#`. Keys of one variant have the same shape,
/// so they compare from left to right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key<'k, 't>(pub(super) &'k [Part<'t>]);

/// One place of a key. The order of the variants is the order of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
#[derive(Debug, Clone, Copy)]
pub struct Number<'t> {
    /// The number, or [`u64::MAX`] if it has too many digits: most comparisons need not look at the text.
    value: u64,
    digits: &'t str,
}

/// Digits of the longest number that is a `u64` for sure.
const MAX_VALUE_DIGITS: usize = 19;

impl<'t> Number<'t> {
    /// Takes digits alone; whoever calls has looked.
    pub(super) fn new(digits: &'t str) -> Self {
        let zeros = digits.bytes().take_while(|byte| *byte == b'0').count();
        let digits = &digits[zeros..];
        if digits.len() > MAX_VALUE_DIGITS {
            return Self { value: u64::MAX, digits };
        }
        Self { value: digits.bytes().fold(0, |value, digit| value * 10 + u64::from(digit - b'0')), digits }
    }
}

impl Ord for Number<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match self.value.cmp(&other.value) {
            Ordering::Equal if self.value == u64::MAX => {
                self.digits.len().cmp(&other.digits.len()).then_with(|| self.digits.cmp(other.digits))
            }
            order => order,
        }
    }
}

impl PartialOrd for Number<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Number<'_> {}

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
