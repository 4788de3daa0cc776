//! The pattern language: text to a tree, and the tree to variants.
//!
//! ```text
//! pattern  = 1*( text / "#" / "*" / "{pre}" / "[" pattern "]" / "{" pattern *("," pattern) "}" )
//! ```
//! No tag has `# * { } [ ] ,`, so nothing is ever escaped. A choice may be empty: `{,-alpine}`.

use std::fmt;

/// Bytes of the longest pattern.
const MAX_PATTERN_BYTES: usize = 512;
/// How deep groups may be in groups.
const MAX_DEPTH: usize = 16;
/// Variants of one pattern.
const MAX_VARIANTS: usize = 64;

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError {
    /// Bytes before what is wrong.
    pub at: usize,
    message: String,
}

impl PatternError {
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PatternError {}

/// What a pattern consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    Text(String),
    /// One whole run of digits.
    Number,
    /// Any text.
    Any,
    Prerelease,
    Optional(Vec<Item>),
    /// Patterns of which each counts for itself.
    Choice(Vec<Vec<Item>>),
}

/// The tree of a pattern.
pub(super) fn tree(text: &str) -> Result<Vec<Item>, PatternError> {
    if text.is_empty() {
        return Err(PatternError::new(0, "a pattern can't be empty"));
    }
    if text.len() > MAX_PATTERN_BYTES {
        let message = format!("a pattern has {MAX_PATTERN_BYTES} characters at most");
        return Err(PatternError::new(MAX_PATTERN_BYTES, message));
    }
    let mut parser = Parser { text, at: 0, depth: 0 };
    let items = parser.items(false)?;
    match parser.peek() {
        None => Ok(items),
        Some(character) => Err(parser.unexpected(character)),
    }
}

struct Parser<'p> {
    text: &'p str,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn takes(&mut self, expected: &str) -> bool {
        let found = self.text[self.at..].starts_with(expected);
        if found {
            self.at += expected.len();
        }
        found
    }

    fn unexpected(&self, character: char) -> PatternError {
        let message = match character {
            ']' => "`]` closes nothing: there is no `[` before it".to_owned(),
            '}' => "`}` closes nothing: there is no `{` before it".to_owned(),
            ',' => "`,` stands between the choices of `{…}` alone".to_owned(),
            ':' | '/' | '@' => {
                format!("`{character}` can't be in a tag: a pattern is for tags, without their repository")
            }
            ' ' => "a tag has no spaces".to_owned(),
            '?' | '+' | '^' | '$' | '(' | ')' | '\\' | '|' => {
                format!("`{character}` can't be in a tag; a regular expression is written `/…/`")
            }
            other => format!("`{}` can't be in a tag", other.escape_debug()),
        };
        PatternError::new(self.at, message)
    }

    /// Items up to the end of the text or of the group; `choices` are groups in which `,` ends one, too.
    fn items(&mut self, choices: bool) -> Result<Vec<Item>, PatternError> {
        let mut items = Vec::new();
        while let Some(character) = self.peek() {
            let at = self.at;
            match character {
                '#' => {
                    self.at += 1;
                    items.push(Item::Number);
                }
                '*' => {
                    self.at += 1;
                    // Twice is once.
                    if items.last() != Some(&Item::Any) {
                        items.push(Item::Any);
                    }
                }
                '[' => {
                    let inner = self.group(at, "[", false)?;
                    if inner.is_empty() {
                        return Err(PatternError::new(at, "`[]` is empty: write what may be missing in it"));
                    }
                    self.close(at, "]")?;
                    items.push(Item::Optional(inner));
                }
                '{' if self.takes("{pre}") => items.push(Item::Prerelease),
                '{' => items.push(self.choice(at)?),
                ']' | '}' => break,
                ',' if choices => break,
                _ if is_tag_character(character) => {
                    self.at += 1;
                    match items.last_mut() {
                        Some(Item::Text(text)) => text.push(character),
                        _ => items.push(Item::Text(character.to_string())),
                    }
                }
                other => return Err(self.unexpected(other)),
            }
        }
        Ok(items)
    }

    fn group(&mut self, at: usize, open: &str, choices: bool) -> Result<Vec<Item>, PatternError> {
        if self.depth == MAX_DEPTH {
            return Err(PatternError::new(at, format!("groups are nested more than {MAX_DEPTH} deep")));
        }
        self.at += open.len();
        self.depth += 1;
        let items = self.items(choices)?;
        self.depth -= 1;
        Ok(items)
    }

    fn choice(&mut self, at: usize) -> Result<Item, PatternError> {
        let mut choices = vec![self.group(at, "{", true)?];
        while self.peek() == Some(',') {
            choices.push(self.group(at, ",", true)?);
        }
        self.close(at, "}")?;
        if choices.iter().all(Vec::is_empty) {
            return Err(PatternError::new(at, "`{}` is empty: write choices in it, as in `{,-alpine}`"));
        }
        Ok(Item::Choice(choices))
    }

    fn close(&mut self, opened_at: usize, end: &str) -> Result<(), PatternError> {
        if self.takes(end) {
            return Ok(());
        }
        match self.peek() {
            Some(character) => Err(self.unexpected(character)),
            None => Err(PatternError::new(opened_at, format!("`{end}` is missing"))),
        }
    }
}

/// distribution/reference, "tag".
fn is_tag_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '-')
}

/// The tree without its choices: each way through them is a variant. Texts that meet are one.
pub(super) fn variants(items: &[Item]) -> Result<Vec<Vec<Item>>, PatternError> {
    let mut all: Vec<Vec<Item>> = vec![Vec::new()];
    for item in items {
        let ways: Vec<Vec<Item>> = match item {
            Item::Choice(choices) => {
                let each = choices.iter().map(|choice| variants(choice)).collect::<Result<Vec<_>, _>>()?;
                each.into_iter().flatten().collect()
            }
            Item::Optional(inner) => variants(inner)?.into_iter().map(|inner| vec![Item::Optional(inner)]).collect(),
            other => vec![vec![other.clone()]],
        };
        if all.len() * ways.len() > MAX_VARIANTS {
            return Err(PatternError::new(0, format!("a pattern has {MAX_VARIANTS} variants at most")));
        }
        if let [way] = ways.as_slice() {
            // A copy at each item would make time quadratic.
            for start in &mut all {
                join(start, way);
            }
            continue;
        }
        all = all.iter().flat_map(|start| ways.iter().map(move |way| joined(start, way))).collect();
    }
    Ok(all)
}

fn joined(start: &[Item], way: &[Item]) -> Vec<Item> {
    let mut items = start.to_vec();
    join(&mut items, way);
    items
}

fn join(items: &mut Vec<Item>, way: &[Item]) {
    for item in way {
        match (items.last_mut(), item) {
            (Some(Item::Text(text)), Item::Text(more)) => text.push_str(more),
            (Some(Item::Any), Item::Any) => {}
            _ => items.push(item.clone()),
        }
    }
}

/// Refuses `#` beside a digit or another `#`: a run of digits is taken whole, so such a variant could not match.
pub(super) fn check_numbers(items: &[Item]) -> Result<(), PatternError> {
    ends_in_digits(items, Before { other: true, ..Before::default() }).map(drop)
}

/// What may stand before a place.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    other: bool,
    digit: bool,
    number: bool,
}

fn ends_in_digits(items: &[Item], mut before: Before) -> Result<Before, PatternError> {
    for item in items {
        before = match item {
            Item::Text(text) => {
                let (first, last) = (text.bytes().next(), text.bytes().last());
                if before.number && first.is_some_and(|byte| byte.is_ascii_digit()) {
                    return Err(beside_a_digit());
                }
                let digit = last.is_some_and(|byte| byte.is_ascii_digit());
                Before { other: !digit, digit, number: false }
            }
            Item::Number if before.digit || before.number => return Err(beside_a_digit()),
            Item::Number => Before { number: true, ..Before::default() },
            Item::Optional(inner) => {
                let after = ends_in_digits(inner, before)?;
                Before {
                    other: before.other || after.other,
                    digit: before.digit || after.digit,
                    number: before.number || after.number,
                }
            }
            Item::Any | Item::Prerelease => Before { other: true, ..Before::default() },
            Item::Choice(_) => before,
        };
    }
    Ok(before)
}

fn beside_a_digit() -> PatternError {
    PatternError::new(0, "`#` is a whole run of digits, so no digit and no other `#` can be beside it")
}
