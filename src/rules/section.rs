//! Typed values out of one section of a TOML document, each with its place.

use std::fmt;
use std::ops::Range;

use toml_edit::{Item, TableLike, Value};

use super::fault::{Faults, quoted};
use super::keys::Part;

/// A table of the document, and where its faults are said that no key has.
#[derive(Clone, Copy)]
pub(super) struct Section<'d> {
    table: &'d dyn TableLike,
    part: Part,
    /// Bytes before the section.
    pub(super) at: usize,
}

/// A string of the document.
pub(super) struct Text<'d> {
    pub(super) text: &'d str,
    /// Where it stands with its quotes.
    span: Range<usize>,
}

impl Text<'_> {
    /// Bytes of the document before the string.
    pub(super) fn at(&self) -> usize {
        self.span.start
    }

    /// Bytes of the document before what stands behind so many bytes of the string.
    pub(super) fn inside(&self, faults: &Faults<'_>, bytes: usize) -> usize {
        let written = faults.text().get(self.span.clone()).unwrap_or_default();
        self.span.start + written_before(written, bytes)
    }
}

impl<'d> Section<'d> {
    /// Notes each key that the part has not.
    pub(super) fn new(table: &'d dyn TableLike, part: Part, at: usize, faults: &mut Faults<'_>) -> Self {
        let section = Self { table, part, at };
        for (key, _) in table.iter() {
            if faults.is_full() {
                break;
            }
            if !part.keys().contains(&key) {
                faults.note(section.key_at(key), part.unknown(key));
            }
        }
        section
    }

    pub(super) fn item(&self, key: &str) -> Option<&'d Item> {
        debug_assert!(self.part.keys().contains(&key), "{key}");
        self.table.get(key)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.item(key).is_some()
    }

    /// Bytes before the key, or before the section if it is not there.
    pub(super) fn key_at(&self, key: &str) -> usize {
        self.table.key(key).and_then(toml_edit::Key::span).map_or(self.at, |span| span.start)
    }

    /// Bytes before the value of a key, or before the section if it is not there.
    pub(super) fn value_at(&self, key: &str) -> usize {
        self.item(key).and_then(Item::span).map_or_else(|| self.key_at(key), |span| span.start)
    }

    pub(super) fn string(&self, key: &str, faults: &mut Faults<'_>) -> Option<Text<'d>> {
        let item = self.item(key)?;
        match item.as_value() {
            Some(Value::String(text)) => Some(Text { text: text.value(), span: text.span()? }),
            _ => {
                let written = item.span().and_then(|span| faults.text().get(span));
                let plain = item.as_integer().is_some() || item.as_float().is_some() || item.as_datetime().is_some();
                let meant = written.filter(|_| plain).map(|written| format!(": `\"{}\"`", written.trim()));
                let message =
                    format!("`{key}` is a string, not {}. Put it in quotes{}.", kind(item), meant.unwrap_or_default());
                faults.note(self.value_at(key), message);
                None
            }
        }
    }

    /// A list of strings that is not empty. `example` is one string of it, as a person could mean it.
    pub(super) fn strings(&self, key: &str, example: &str, faults: &mut Faults<'_>) -> Option<Vec<Text<'d>>> {
        let item = self.item(key)?;
        let Some(array) = item.as_array() else {
            let example =
                item.as_str().filter(|text| !text.contains(['"', '\\']) && text.len() < 80).unwrap_or(example);
            let message = format!("`{key}` is a list of strings, not {}. Write `[\"{example}\"]`.", kind(item));
            faults.note(self.value_at(key), message);
            return None;
        };
        if array.is_empty() {
            faults.note(self.value_at(key), format!("`{key}` is empty. Leave it out, or write `[\"{example}\"]`."));
            return None;
        }
        let mut all_are_strings = true;
        let mut texts = Vec::with_capacity(array.len());
        for value in array {
            match value {
                Value::String(text) => texts.extend(text.span().map(|span| Text { text: text.value(), span })),
                other => {
                    all_are_strings = false;
                    let at = other.span().map_or_else(|| self.value_at(key), |span| span.start);
                    faults.note(
                        at,
                        format!("`{key}` is a list of strings, and this is {}. Put it in quotes.", value_kind(other)),
                    );
                }
            }
        }
        all_are_strings.then_some(texts)
    }

    /// A whole number from `lowest` on.
    pub(super) fn number(&self, key: &str, lowest: u32, faults: &mut Faults<'_>) -> Option<u32> {
        let item = self.item(key)?;
        let Some(number) = item.as_integer() else {
            faults.note(self.value_at(key), format!("`{key}` is a whole number without quotes, not {}", kind(item)));
            return None;
        };
        match u32::try_from(number) {
            Ok(number) if number >= lowest => Some(number),
            _ => {
                faults.note(self.value_at(key), format!("`{key}` is a whole number from {lowest} to {}", u32::MAX));
                None
            }
        }
    }

    /// A string that means something, or what is wrong with it.
    pub(super) fn parsed<T, E: fmt::Display>(
        &self,
        key: &str,
        faults: &mut Faults<'_>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.string(key, faults)?;
        match parse(text.text) {
            Ok(value) => Some(value),
            Err(why) => {
                faults.note(text.at(), format!("`{key}` can't be {}: {why}", quoted(text.text)));
                None
            }
        }
    }
}

/// What a person calls the type of an item, with its article.
fn kind(item: &Item) -> &'static str {
    match item {
        Item::Value(value) => value_kind(value),
        Item::ArrayOfTables(_) => "a list of sections",
        Item::Table(_) | Item::None => "a section",
    }
}

fn value_kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a string",
        Value::Integer(_) => "a number",
        Value::Float(_) => "a fraction",
        Value::Boolean(_) => "`true` or `false`",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::InlineTable(_) => "a table",
    }
}

/// Bytes of a string as it is written (TOML 1.1, "String") before what stands behind so many bytes of what it means.
fn written_before(written: &str, bytes: usize) -> usize {
    let Some(quote) = written.chars().next().filter(|quote| matches!(quote, '"' | '\'')) else { return 0 };
    let tripled = written.len() >= 6
        && written.starts_with(['"', '\''])
        && written.bytes().take(3).all(|byte| byte == quote as u8);
    let mut at = if tripled { 3 } else { 1 };
    if tripled {
        // A line break behind the opening quotes does not count.
        let rest = &written[at..];
        at += if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
    }
    let mut meant = 0;
    while meant < bytes {
        let mut rest = written[at..].chars();
        match rest.next() {
            None => break,
            Some('\\') if quote == '"' => {
                let digits = match rest.next() {
                    Some('x') => 2,
                    Some('u') => 4,
                    Some('U') => 8,
                    Some(white) if white.is_ascii_whitespace() => {
                        let left = rest.as_str().trim_start_matches([' ', '\t', '\r', '\n']);
                        at = written.len() - left.len();
                        continue;
                    }
                    Some(_) => 0,
                    None => break,
                };
                let code = rest.as_str().get(..digits).unwrap_or_default();
                let character = u32::from_str_radix(code, 16).ok().and_then(char::from_u32);
                meant += character.map_or(1, char::len_utf8);
                at = written.len() - rest.as_str().len() + code.len();
            }
            Some(character) => {
                at += character.len_utf8();
                meant += character.len_utf8();
            }
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use toml_edit::Formatted;

    use super::*;

    #[test]
    fn places_in_strings_are_found() {
        for (written, bytes, before) in [
            ("\"1.#x\"", 3, 4),
            ("'1.#x'", 3, 4),
            ("'''\n1.#x'''", 3, 7),
            ("\"\"\"\r\n1.#x\"\"\"", 3, 8),
            (r#""\u0031.#x""#, 3, 9),
            (r#""\x31\t#x""#, 3, 8),
            ("\"\"\"1.\\\n   #x\"\"\"", 3, 11),
            ("\"é#\"", 2, 3),
            ("\"\"", 0, 1),
            ("\"\"", 9, 2),
        ] {
            assert_eq!(written_before(written, bytes), before, "{written}");
        }
    }

    proptest! {
        #[test]
        fn each_character_is_found(text in "[a#\\\\\"'é\n\t\u{1}\u{1f600}]{0,12}") {
            let written = Formatted::new(text.clone()).display_repr().into_owned();
            for (bytes, character) in text.char_indices() {
                let found = written[written_before(&written, bytes)..].chars().next();
                prop_assert!(found == Some(character) || found == Some('\\'), "{written}: {bytes}");
            }
        }
    }
}
