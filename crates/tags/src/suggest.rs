//! A pattern from a tag.

use super::stage::{WORDS, digits_at, is_separator};

/// Letters from which on a word keeps the digits behind it: `alpine3.24`, `jdk21`.
const MIN_WORD_LETTERS: usize = 3;
/// Characters of a commit, shortened or not.
const COMMIT_CHARACTERS: std::ops::RangeInclusive<usize> = 7..=40;

/// The pattern that takes this tag and its other versions: each run of digits becomes `#`, unless it belongs to a word of three
/// letters or more; a commit becomes `*`, and a prerelease behind a number `{pre}`. What has no version stays as it is.
pub fn suggest(tag: &str) -> String {
    let mut pattern = String::with_capacity(tag.len());
    let mut rest = tag;
    // Whether the digits that follow belong to a word.
    let mut kept = false;
    while let Some(first) = rest.chars().next() {
        let begins = pattern.is_empty() || pattern.ends_with(is_separator);
        let end = rest.find(is_separator).unwrap_or(rest.len());
        if begins && is_commit(&rest[..end]) {
            pattern.push('*');
            rest = &rest[end..];
            continue;
        }
        if pattern.ends_with('#')
            && let Some(length) = prerelease(rest)
        {
            pattern.push_str("{pre}");
            rest = &rest[length..];
            continue;
        }
        if first.is_ascii_digit() {
            let digits = digits_at(rest);
            pattern.push_str(if kept { digits } else { "#" });
            rest = &rest[digits.len()..];
            // `3.24` behind `alpine` is one number of its version.
            kept = kept && rest.starts_with('.');
        } else if first.is_ascii_alphabetic() {
            let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
            pattern.push_str(&rest[..letters]);
            kept = letters >= MIN_WORD_LETTERS;
            rest = &rest[letters..];
        } else {
            let length = first.len_utf8();
            kept = kept && first == '.' && pattern.ends_with(|character: char| character.is_ascii_digit());
            pattern.push_str(&rest[..length]);
            rest = &rest[length..];
        }
    }
    pattern
}

/// Hexadecimal, with letters and digits. A number alone is a date or a build.
fn is_commit(part: &str) -> bool {
    COMMIT_CHARACTERS.contains(&part.len())
        && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && part.bytes().any(|byte| byte.is_ascii_digit())
        && part.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// How long the prerelease is that a text begins with. One letter says it only between digits (`1.0b2`): `-b07` is a build.
fn prerelease(text: &str) -> Option<usize> {
    let separator = usize::from(text.starts_with(is_separator));
    let rest = &text[separator..];
    let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    let word = rest[..letters].to_ascii_lowercase();
    if !WORDS.iter().any(|(known, _)| *known == word) {
        return None;
    }
    let after = &rest[letters..];
    let separated = usize::from(letters > 1 && after.starts_with(is_separator));
    let digits = digits_at(&after[separated..]);
    if letters == 1 && (separator == 1 || digits.is_empty()) {
        return None;
    }
    Some(separator + letters + if digits.is_empty() { 0 } else { separated + digits.len() })
}
