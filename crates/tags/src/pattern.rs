//! A pattern for tags: what a person writes, ready to match.

use std::fmt;
use std::str::FromStr;

use regex::{Regex, RegexBuilder};

use super::key::{Number, Part};
use super::parse::{PatternError, check_numbers, tree, variants};
use super::program::{MAX_TAG_BYTES, Program};

/// Bytes that a compiled regular expression may have.
const MAX_REGEX_BYTES: usize = 1 << 20;

/// A pattern. It matches whole tags.
#[derive(Clone)]
pub struct TagPattern {
    text: String,
    variants: Vec<Variant>,
}

/// One way through the choices of a pattern.
#[derive(Clone)]
pub(super) enum Variant {
    Program(Program),
    /// What other programs' files have. Groups that hold digits are the key.
    Regex(Regex),
}

impl TagPattern {
    /// The tags that match, if the pattern names each: nothing has to be listed for them.
    pub fn literals(&self) -> Option<Vec<String>> {
        self.variants.iter().map(Variant::literal).collect()
    }

    /// Whether versions can be told apart by it.
    pub fn has_number(&self) -> bool {
        self.variants.iter().any(Variant::has_number)
    }

    /// Whether a tag matches as a whole.
    pub fn matches(&self, tag: &str) -> bool {
        let mut parts = Vec::new();
        self.variants.iter().any(|variant| variant.read(tag, &mut parts))
    }

    /// The variants, each of which counts for itself.
    pub(super) fn variants(&self) -> &[Variant] {
        &self.variants
    }

    /// The key of a tag by one variant.
    #[cfg(test)]
    pub(super) fn key<'t>(&self, variant: usize, tag: &'t str) -> Option<Vec<Part<'t>>> {
        let mut parts = Vec::new();
        self.variants[variant].read(tag, &mut parts).then_some(parts)
    }
}

impl Variant {
    fn literal(&self) -> Option<String> {
        match self {
            Self::Program(program) => program.literal(),
            Self::Regex(_) => None,
        }
    }

    /// Whether it tells versions apart.
    pub(super) fn has_number(&self) -> bool {
        match self {
            Self::Program(program) => program.has_number(),
            Self::Regex(regex) => regex.captures_len() > 1,
        }
    }

    /// Whether a tag matches as a whole; the parts of its key are behind those that were there before.
    pub(super) fn read<'t>(&self, tag: &'t str, parts: &mut Vec<Part<'t>>) -> bool {
        match self {
            Self::Program(program) => program.read(tag, parts),
            Self::Regex(regex) => {
                // Whether it matches is found sooner than where its groups are.
                if tag.len() > MAX_TAG_BYTES || !regex.is_match(tag) {
                    return false;
                }
                let captures = if regex.captures_len() > 1 { regex.captures(tag) } else { None };
                // Each group has its place in the key, so that all keys have one shape.
                let groups = captures.iter().flat_map(|captures| captures.iter().skip(1));
                parts.extend(groups.map(|group| match group {
                    Some(group) if group.as_str().bytes().all(|byte| byte.is_ascii_digit()) && !group.is_empty() => {
                        Part::Number(Number::new(group.as_str()))
                    }
                    _ => Part::Missing,
                }));
                true
            }
        }
    }
}

impl FromStr for TagPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let expression = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        let variants = if let Some(expression) = expression {
            vec![Variant::Regex(anchored(expression)?)]
        } else {
            let variants = variants(&tree(text)?)?;
            for variant in &variants {
                check_numbers(variant)
                    .map_err(|error| PatternError::new(text.find('#').unwrap_or(0), error.to_string()))?;
            }
            variants.iter().map(|variant| Variant::Program(Program::new(variant))).collect()
        };
        Ok(Self { text: text.to_owned(), variants })
    }
}

fn anchored(expression: &str) -> Result<Regex, PatternError> {
    let build = |expression: &str| RegexBuilder::new(expression).size_limit(MAX_REGEX_BYTES).build();
    // By itself first: what closes a group that it did not open is not an expression.
    build(expression).and_then(|_| build(&format!("^(?:{expression})$"))).map_err(|error| {
        let text = error.to_string();
        let why = text.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
        PatternError::new(1, format!("invalid regular expression: {why}"))
    })
}

impl fmt::Display for TagPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for TagPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TagPattern({:?})", self.text)
    }
}

impl PartialEq for TagPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for TagPattern {}
