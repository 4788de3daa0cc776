//! What is wrong with a file that a person wrote, and where.

use std::fmt;

use crate::text::{printable, printable_within};

/// Faults that are shown of one file.
const MAX_FAULTS: usize = 100;
/// Characters of the longest message.
const MAX_MESSAGE_CHARACTERS: usize = 500;
/// Characters that a message quotes of the file.
const MAX_QUOTED_CHARACTERS: usize = 80;

/// One thing that is wrong, as `line 3, column 10: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFault {
    /// From 1.
    pub line: usize,
    /// Characters from the beginning of the line, from 1.
    pub column: usize,
    /// A lowercase fragment without a full stop; what was probably meant follows as a sentence.
    pub message: String,
}

impl fmt::Display for RuleFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for RuleFault {}

/// The faults of a text, found in any order.
pub(super) struct Faults<'t> {
    text: &'t str,
    /// Bytes before each, and its message.
    found: Vec<(usize, String)>,
}

impl<'t> Faults<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, found: Vec::new() }
    }

    /// The text as a whole.
    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    /// Notes a fault behind so many bytes. More than a hundred help nobody.
    pub(super) fn note(&mut self, at: usize, message: impl fmt::Display) {
        if !self.is_full() {
            self.found.push((at, printable_within(&message.to_string(), MAX_MESSAGE_CHARACTERS)));
        }
    }

    /// Whether nothing more is noted, so that nothing more has to be looked at.
    pub(super) fn is_full(&self) -> bool {
        self.found.len() >= MAX_FAULTS
    }

    /// The number of the line that has this byte, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.text[..self.text.floor_char_boundary(at)].matches('\n').count() + 1
    }

    /// The faults by their place, or what was made without any.
    pub(super) fn or<T>(mut self, made: T) -> Result<T, Vec<RuleFault>> {
        if self.found.is_empty() {
            return Ok(made);
        }
        self.found.sort_by_key(|(at, _)| *at);
        Err(self.found.iter().map(|(at, message)| self.placed(*at, message)).collect())
    }

    fn placed(&self, at: usize, message: &str) -> RuleFault {
        let before = &self.text[..self.text.floor_char_boundary(at)];
        let begin = before.rfind('\n').map_or(0, |end| end + 1);
        // Editors don't count the mark that says which bytes come first.
        let line = before[begin..].trim_start_matches('\u{feff}');
        RuleFault { line: self.line(before.len()), column: line.chars().count() + 1, message: message.to_owned() }
    }
}

/// A part of the file in a message.
pub(super) fn quoted(text: &str) -> String {
    // What is cut is not made printable first.
    let end = text.char_indices().nth(MAX_QUOTED_CHARACTERS).map_or(text.len(), |(end, _)| end);
    let cut = if end < text.len() { "…" } else { "" };
    format!("`{}{cut}`", printable(&text[..end]))
}
