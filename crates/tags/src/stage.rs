//! Prereleases: the words for them, and how they are read in a tag.

use super::key::{Number, Part};

/// How far a prerelease is from its release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// `nightly`, `snapshot`.
    Nightly,
    /// `dev`.
    Dev,
    /// `m`, `milestone`.
    Milestone,
    /// `a`, `alpha`.
    Alpha,
    /// `b`, `beta`.
    Beta,
    /// `ea`, `pre`, `preview`.
    Preview,
    /// `c`, `rc`.
    Candidate,
}

/// The words, those that others begin with after them.
pub(super) const WORDS: [(&str, Stage); 14] = [
    ("nightly", Stage::Nightly),
    ("snapshot", Stage::Nightly),
    ("dev", Stage::Dev),
    ("milestone", Stage::Milestone),
    ("m", Stage::Milestone),
    ("alpha", Stage::Alpha),
    ("a", Stage::Alpha),
    ("beta", Stage::Beta),
    ("b", Stage::Beta),
    ("preview", Stage::Preview),
    ("pre", Stage::Preview),
    ("ea", Stage::Preview),
    ("rc", Stage::Candidate),
    ("c", Stage::Candidate),
];

/// All ways to read a prerelease at the beginning of a text, the longest first: what is read, and how many bytes it has.
pub(super) fn read(text: &str) -> impl Iterator<Item = (Part<'_>, usize)> {
    let start = usize::from(text.starts_with(is_separator));
    WORDS.into_iter().filter(move |(word, _)| begins_with(&text[start..], word)).flat_map(move |(word, stage)| {
        let end = start + word.len();
        let after = &text[end..];
        let separated = usize::from(after.starts_with(is_separator));
        let digits = digits_at(&after[separated..]);
        let numbered = Part::Prerelease(stage, Some(Number::new(digits)));
        let bare = Part::Prerelease(stage, None);
        [
            (!digits.is_empty()).then_some((numbered, end + separated + digits.len())),
            Some((bare, end)),
            (separated == 1).then_some((bare, end + 1)),
        ]
        .into_iter()
        .flatten()
    })
}

/// Tags write stages in capitals, too: `4.0.0-RC1`, `1.0-SNAPSHOT`.
fn begins_with(text: &str, word: &str) -> bool {
    text.len() >= word.len() && text.bytes().zip(word.bytes()).all(|(one, other)| one.eq_ignore_ascii_case(&other))
}

/// What may stand before and after the word.
pub(super) fn is_separator(character: char) -> bool {
    matches!(character, '.' | '_' | '-')
}

/// The digits that a text begins with.
pub(super) fn digits_at(text: &str) -> &str {
    let mut end = 0;
    while text.as_bytes().get(end).is_some_and(u8::is_ascii_digit) {
        end += 1;
    }
    &text[..end]
}
