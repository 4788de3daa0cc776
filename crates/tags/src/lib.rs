//! Which tags are meant: patterns, the versions in them, and the choice among those that a repository lists.
//!
//! Pure: tags in, a choice and its reasons out. Knows no registry, no time and no catalog: whether a tag is too young is asked.

mod bound;
mod choice;
mod key;
mod parse;
mod pattern;
mod program;
mod stage;
mod suggest;

pub use bound::Bound;
pub use choice::{Choice, Judged, TagRule, Verdict};
pub use key::{Key, Number, Part};
pub use parse::PatternError;
pub use pattern::TagPattern;
pub use suggest::suggest;

#[cfg(test)]
mod tests;
