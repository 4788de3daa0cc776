//! The keys of a rule file, in the order in which they are written.

use crate::text::nearest;

use super::fault::quoted;

/// Bytes of the longest key that a known one is looked for.
const MAX_MISSPELT_BYTES: usize = 64;

/// Above the first section.
pub(super) const FILE_KEYS: [&str; 5] = ["version", "gate", "defaults", "rule", "hook"];
/// In `[defaults]`.
pub(super) const DEFAULTS_KEYS: [&str; 10] =
    ["age", "moves", "former", "former_tag", "leave", "gone", "max_new", "reserve", "platforms", "every"];
/// In a `[[rule]]`.
pub(super) const RULE_KEYS: [&str; 21] = [
    "name",
    "image",
    "tags",
    "newest",
    "per",
    "lines",
    "at_least",
    "below",
    "except",
    "age",
    "moves",
    "former",
    "former_tag",
    "leave",
    "gone",
    "max_new",
    "reserve",
    "platforms",
    "as",
    "sources",
    "every",
];
/// In a `[[rule]]`, and only beside `image`.
pub(super) const IMAGE_KEYS: [&str; 8] = ["tags", "newest", "per", "lines", "at_least", "below", "except", "as"];
/// In a `[[hook]]`.
pub(super) const HOOK_KEYS: [&str; 5] = ["on", "run", "post", "secret_file", "ping"];

/// Part of a rule file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    File,
    Defaults,
    Rule,
    Hook,
}

impl Part {
    pub(super) fn keys(self) -> &'static [&'static str] {
        match self {
            Self::File => &FILE_KEYS,
            Self::Defaults => &DEFAULTS_KEYS,
            Self::Rule => &RULE_KEYS,
            Self::Hook => &HOOK_KEYS,
        }
    }

    fn place(self) -> &'static str {
        match self {
            Self::File => "above the first `[…]`",
            Self::Defaults => "in `[defaults]`",
            Self::Rule => "in a `[[rule]]`",
            Self::Hook => "in a `[[hook]]`",
        }
    }

    /// What to say of a key that this part has not.
    pub(super) fn unknown(self, key: &str) -> String {
        let others = [Self::File, Self::Rule, Self::Hook, Self::Defaults];
        if let Some(other) = others.into_iter().find(|other| other.keys().contains(&key)) {
            return format!("`{key}` belongs {}, and this is {}", other.place(), self.place());
        }
        let near = (key.len() <= MAX_MISSPELT_BYTES).then(|| nearest(key, self.keys().iter().copied())).flatten();
        let key = quoted(key);
        match near {
            Some(meant) => format!("there is no key {key}. Did you mean `{meant}`?"),
            None => format!("there is no key {key}. The keys {} are {}.", self.place(), listed(self.keys())),
        }
    }
}

/// What to say of a word that is none of these.
pub(super) fn no_such(what: &str, word: &str, known: &[&str]) -> String {
    let near = (word.len() <= MAX_MISSPELT_BYTES).then(|| nearest(word, known.iter().copied())).flatten();
    let word = quoted(word);
    match near {
        Some(meant) => format!("there is no {what} {word}. Did you mean `{meant}`?"),
        None => format!("there is no {what} {word}. Write {}.", alternatives(known)),
    }
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// `a`, `b` or `c`.
fn alternatives(words: &[&str]) -> String {
    match words {
        [before @ .., last] if !before.is_empty() => format!("{} or `{last}`", listed(before)),
        _ => listed(words),
    }
}
