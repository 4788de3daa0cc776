//! Changes to the text of a rule file: what is not changed stays as it is, to the byte.
//!
//! Places come from TOML's own parser, and the text is cut there. A document that is written anew (`DocumentMut`) would lose the line
//! ends of Windows and the mark at the beginning.

use std::fmt;
use std::ops::Range;

use toml_edit::{Item, Table};

use super::defaults::Defaults;
use super::edit_list::edited_list;
use super::fault::{RuleFault, quoted};
use super::keys::RULE_KEYS;
use super::read::{RuleFile, read, read_file};
use super::rule::{Rule, Subject};
use super::subject::{familiar, split};
use super::write::{default_of, push_line, rule_section, string, value_of};
use crate::error::{Error, Kind};
use crate::text::nearest;

/// Bytes of the longest name that a known one is looked for.
const MAX_MISSPELT_BYTES: usize = 64;

/// Why a rule file was not changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditError {
    /// The text is no rule file.
    Unreadable(Vec<RuleFault>),
    /// What would come out is no rule file; the places are those in it.
    Refused(Vec<RuleFault>),
    /// No rule has this name.
    NoSuchRule {
        /// The name.
        name: String,
        /// What was probably meant.
        near: Option<String>,
    },
    /// Another rule has this name.
    NameTaken(String),
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, faults) = match self {
            Self::NoSuchRule { name, .. } => return write!(f, "no rule is called {}", quoted(name)),
            Self::NameTaken(name) => return write!(f, "a rule is already called {}", quoted(name)),
            Self::Unreadable(faults) => ("the rule file is broken", faults),
            Self::Refused(faults) => ("the rule can't be written", faults),
        };
        f.write_str(what)?;
        if let Some(first) = faults.first() {
            write!(f, ": {first}")?;
        }
        match faults.len() {
            0 | 1 => Ok(()),
            more => write!(f, " (and {} more)", more - 1),
        }
    }
}

impl std::error::Error for EditError {}

impl From<EditError> for Error {
    fn from(error: EditError) -> Self {
        let kind = if matches!(error, EditError::NoSuchRule { .. }) { Kind::NotFound } else { Kind::Usage };
        let made = Self::new(kind, error.to_string());
        match error {
            EditError::NoSuchRule { near: Some(near), .. } => made.hint(format!("Did you mean {}?", quoted(&near))),
            EditError::NameTaken(_) => made.hint("Give one of them a `name`."),
            _ => made,
        }
    }
}

/// The text with one rule more, behind the last one.
pub fn add_rule(text: &str, rule: &Rule) -> Result<String, EditError> {
    let file = read_file(text).map_err(EditError::Unreadable)?;
    free(&file, rule)?;
    let lines = Lines::new(text);
    let section = lines.with_own_ends(&rule_section(rule, &file.defaults));
    let last = tables(&file, "rule").last().and_then(Table::span).map_or(text.len(), |span| span.end);
    let next = headers(&file).into_iter().filter(|header| *header >= last).min();
    let made = if let Some(next) = next {
        let at = lines.comment_above(next, end_before(&file, next));
        let gap = if lines.is_blank_before(at) { "" } else { lines.end };
        format!("{}{gap}{section}{}{}", &text[..at], lines.end, &text[at..])
    } else {
        let unfinished = if text.is_empty() || text.ends_with('\n') { "" } else { lines.end };
        let gap = if unfinished.is_empty() && lines.is_blank_before(text.len()) { "" } else { lines.end };
        format!("{text}{unfinished}{gap}{section}")
    };
    checked(made)
}

/// The text with this rule in the place of the one of this name. Keys that say the same stay as they are, the others keep their place;
/// what is said in a line that goes, goes with it.
pub fn replace_rule(text: &str, name: &str, rule: &Rule) -> Result<String, EditError> {
    let file = read_file(text).map_err(EditError::Unreadable)?;
    let (table, old) = found(&file, name)?;
    if old.name != rule.name {
        free(&file, rule)?;
    }
    let lines = Lines::new(text);
    let mut cuts: Vec<(Range<usize>, String)> = Vec::new();
    // New keys stand behind the last one before them that is there.
    let mut behind = lines.after(table.span().map_or(0, |span| span.end));
    for change in changes(table, old, rule, &file.defaults) {
        let (key, change) = change;
        match (Place::of(table, key), change) {
            (Some(place), Change::Keep) => behind = lines.after(place.value.end),
            (Some(place), Change::Set(value)) => {
                behind = lines.after(place.value.end);
                let written = &text[place.value.clone()];
                let value = edited_list(written, &value).unwrap_or(value);
                cuts.push((place.value, lines.with_own_ends(&value)));
            }
            (Some(place), Change::Remove) => {
                behind = lines.after(place.value.end);
                cuts.push((lines.before(place.key.start)..behind, String::new()));
            }
            (None, Change::Set(value)) => {
                let mut line = String::new();
                push_line(&mut line, key, &value);
                let follows_a_cut =
                    cuts.iter().any(|(cut, new)| cut.end == behind && (cut.is_empty() || new.is_empty()));
                let unfinished = if follows_a_cut || text[..behind].ends_with('\n') { "" } else { "\n" };
                cuts.push((behind..behind, lines.with_own_ends(&format!("{unfinished}{line}"))));
            }
            (None, Change::Keep | Change::Remove) => {}
        }
    }
    checked(spliced(text, cuts))
}

/// The text without the rule of this name and the comment directly above it.
pub fn remove_rule(text: &str, name: &str) -> Result<String, EditError> {
    let file = read_file(text).map_err(EditError::Unreadable)?;
    let (table, _) = found(&file, name)?;
    let lines = Lines::new(text);
    let header = table.span().unwrap_or_default();
    let begin = lines.comment_above(header.start, end_before(&file, header.start));
    let end = lines.after(ends(table).max().unwrap_or(header.end));
    // One gap of the two goes with it.
    let behind = lines.skip_blank(end);
    let made = if behind < text.len() {
        format!("{}{}", &text[..begin], &text[behind..])
    } else {
        let before = lines.before_blank(begin);
        text[..before].to_owned()
    };
    checked(made)
}

/// What comes out has to be a rule file.
fn checked(text: String) -> Result<String, EditError> {
    match read(&text) {
        Ok(_) => Ok(text),
        Err(faults) => Err(EditError::Refused(faults)),
    }
}

fn free(file: &RuleFile<'_>, rule: &Rule) -> Result<(), EditError> {
    match file.rules.by_name(rule.name.as_str()) {
        Some(taken) => Err(EditError::NameTaken(taken.name.to_string())),
        None => Ok(()),
    }
}

fn found<'f>(file: &'f RuleFile<'_>, name: &str) -> Result<(&'f Table, &'f Rule), EditError> {
    // The rules are in the order of their sections.
    let both = tables(file, "rule").zip(&file.rules.rules).find(|(_, rule)| rule.name.as_str() == name);
    both.ok_or_else(|| {
        let names = file.rules.rules.iter().map(|rule| rule.name.as_str());
        let near = (name.len() <= MAX_MISSPELT_BYTES)
            .then(|| nearest(name, names.filter(|name| name.len() <= MAX_MISSPELT_BYTES)))
            .flatten();
        EditError::NoSuchRule { name: name.to_owned(), near: near.map(str::to_owned) }
    })
}

fn tables<'f>(file: &'f RuleFile<'_>, key: &str) -> impl Iterator<Item = &'f Table> {
    file.document.get(key).and_then(Item::as_array_of_tables).into_iter().flatten()
}

/// Bytes before each section.
fn headers(file: &RuleFile<'_>) -> Vec<usize> {
    let defaults = file.document.get("defaults").and_then(Item::as_table).filter(|table| !table.is_dotted());
    let all = tables(file, "rule").chain(tables(file, "hook")).chain(defaults);
    all.filter_map(Table::span).map(|span| span.start).collect()
}

/// Bytes before what follows the header and each value of a section.
fn ends(table: &Table) -> impl Iterator<Item = usize> {
    let values = table.iter().filter_map(|(_, item)| item.as_value()).filter_map(toml_edit::Value::span);
    values.chain(table.span()).map(|span| span.end)
}

/// Bytes before what follows the last header or value before a place. What looks like a comment before is in a string.
fn end_before(file: &RuleFile<'_>, at: usize) -> usize {
    let defaults = file.document.get("defaults").and_then(Item::as_table);
    let all = tables(file, "rule").chain(tables(file, "hook")).chain(defaults).chain([file.document.as_table()]);
    all.flat_map(ends).filter(|end| *end <= at).max().unwrap_or(0)
}

/// Where a key and its value stand.
struct Place {
    key: Range<usize>,
    value: Range<usize>,
}

impl Place {
    fn of(table: &Table, key: &str) -> Option<Self> {
        let (key, item) = table.get_key_value(key)?;
        Some(Self { key: key.span()?, value: item.span()? })
    }
}

/// What is to be done about one key.
enum Change {
    Keep,
    Set(String),
    Remove,
}

/// What is to be done about each key, in the order of the keys.
fn changes(table: &Table, old: &Rule, new: &Rule, defaults: &Defaults) -> Vec<(&'static str, Change)> {
    let image = ImageWithPattern::of(table, old, new);
    let change = |key| {
        let is_there = table.contains_key(key);
        let value = value_of(new, key);
        let usual = value == default_of(new, defaults, key);
        match (key, &image) {
            ("image", Some(ImageWithPattern::Kept))
            | ("tags", Some(ImageWithPattern::Kept | ImageWithPattern::Again(_))) => Change::Keep,
            ("image", Some(ImageWithPattern::Again(image))) => Change::Set(image.clone()),
            _ if is_there && value == value_of(old, key) && !(key == "image" && image.is_some()) => Change::Keep,
            _ => match value.filter(|_| !usual) {
                Some(value) => Change::Set(value),
                None => Change::Remove,
            },
        }
    };
    RULE_KEYS.into_iter().map(|key| (key, change(key))).collect()
}

/// What becomes of an image that has its pattern with it.
enum ImageWithPattern {
    Kept,
    /// It becomes another one with a pattern.
    Again(String),
    /// The patterns stand in `tags` now, if it has any.
    Apart,
}

impl ImageWithPattern {
    fn of(table: &Table, old: &Rule, new: &Rule) -> Option<Self> {
        split(table.get("image")?.as_str()?).1?;
        let Subject::Repository { upstream, tags } = &new.subject else { return Some(Self::Apart) };
        if let Subject::Repository { upstream: before, tags: tags_before } = &old.subject
            && (before, &tags_before.tags) == (upstream, &tags.tags)
        {
            return Some(Self::Kept);
        }
        Some(match tags.tags.as_slice() {
            [pattern] => Self::Again(string(&format!("{}:{pattern}", familiar(upstream)))),
            _ => Self::Apart,
        })
    }
}

/// The text with other texts in the place of these parts, none of which overlap.
fn spliced(text: &str, mut cuts: Vec<(Range<usize>, String)>) -> String {
    cuts.sort_by_key(|(range, _)| (range.start, range.end));
    let (mut made, mut at) = (String::with_capacity(text.len()), 0);
    for (range, new) in cuts {
        made.push_str(&text[at..range.start]);
        made.push_str(&new);
        at = range.end;
    }
    made.push_str(&text[at..]);
    made
}

/// The lines of a text.
struct Lines<'t> {
    text: &'t str,
    /// How they end.
    end: &'static str,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Self {
        let end = match text.find('\n') {
            Some(at) if text[..at].ends_with('\r') => "\r\n",
            _ => "\n",
        };
        Self { text, end }
    }

    fn with_own_ends(&self, text: &str) -> String {
        if self.end == "\n" { text.to_owned() } else { text.replace("\r\n", "\n").replace('\n', self.end) }
    }

    /// Where the line of this place begins.
    fn before(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |end| end + 1)
    }

    /// Where the line behind that of this place begins.
    fn after(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |end| at + end + 1)
    }

    /// Where the comment begins that ends directly above the line of this place, or else that line. What ends at `floor` is no comment.
    fn comment_above(&self, at: usize, floor: usize) -> usize {
        let mut begin = self.before(at);
        while begin > 0 {
            let above = self.before(begin - 1);
            if above < floor || !self.text[above..begin].trim_start().starts_with('#') {
                break;
            }
            begin = above;
        }
        begin
    }

    /// Whether nothing or an empty line is before the line that begins here.
    fn is_blank_before(&self, begin: usize) -> bool {
        begin == 0 || self.text[self.before(begin - 1)..begin].trim().is_empty()
    }

    fn skip_blank(&self, begin: usize) -> usize {
        let mut at = begin;
        while at < self.text.len() && self.text[at..self.after(at)].trim().is_empty() {
            at = self.after(at);
        }
        at
    }

    fn before_blank(&self, begin: usize) -> usize {
        let mut at = begin;
        while at > 0 && self.is_blank_before(at) {
            at = self.before(at - 1);
        }
        at
    }
}
