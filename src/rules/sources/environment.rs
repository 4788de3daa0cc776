//! `.env` files (Docker Compose, "Syntax for environment files").

use std::collections::BTreeMap;

use super::found::shown;
use super::variables::{Escape, interpolate};
use crate::error::{Error, Kind, Result};

/// Bytes of the largest file.
const MAX_ENVIRONMENT_BYTES: usize = 1 << 20;
/// Variables of one file.
const MAX_VARIABLES: usize = 10_000;

/// The variables that a `.env` file sets. A later line may use what an earlier one set.
///
/// A line that sets nothing is an error that names the line.
pub fn environment(text: &str) -> Result<BTreeMap<String, String>> {
    if text.len() > MAX_ENVIRONMENT_BYTES {
        return Err(Error::new(Kind::Usage, "it is larger than 1 MiB"));
    }
    let mut variables = BTreeMap::new();
    let mut rest = text.trim_start_matches('\u{feff}');
    let mut line = 1;
    while !rest.is_empty() {
        let refuse = |why: String| Error::new(Kind::Usage, format!("line {line}: {why}"));
        let (first, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let statement = first.trim();
        if statement.is_empty() || statement.starts_with('#') {
            (rest, line) = (after, line + 1);
            continue;
        }
        let statement = statement.strip_prefix("export ").map_or(statement, str::trim_start);
        let end = statement.find(['=', ':']).unwrap_or(statement.len());
        let name = statement[..end].trim_end();
        let word = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '-');
        if name.is_empty() || !name.chars().all(word) {
            return Err(refuse(format!("`{}` sets no variable; write `NAME=value`", shown(first))));
        }
        // `NAME` alone takes the value of a shell that is not here.
        let Some(value) = statement.get(end + 1..).map(str::trim_start) else {
            (rest, line) = (after, line + 1);
            continue;
        };
        let value = if let Some(quote) = value.chars().next().filter(|first| matches!(first, '"' | '\'')) {
            // A quoted value may go on in the next lines.
            let opened = first.trim_end().len() - value.len() + 1;
            let (inner, length) = quoted(&rest[opened..], quote)
                .ok_or_else(|| refuse(format!("the value of `{}` has no closing quote", shown(name))))?;
            let lines = rest[..opened + length].matches('\n').count();
            rest = rest[opened + length..].split_once('\n').map_or("", |(_, after)| after);
            line += lines + 1;
            if quote == '"' { expanded(&inner, &variables) } else { Some(inner) }
        } else {
            (rest, line) = (after, line + 1);
            let plain = value.split_once(" #").map_or(value, |(value, _)| value).trim_end();
            expanded(plain, &variables)
        };
        if variables.len() == MAX_VARIABLES {
            return Err(Error::new(Kind::Usage, format!("it sets more than {MAX_VARIABLES} variables")));
        }
        match value {
            Some(value) => variables.insert(name.to_owned(), value),
            // It needs what only a shell has: whoever uses it is told that it is not set.
            None => variables.remove(name),
        };
    }
    Ok(variables)
}

/// A value up to its closing quote, and how many bytes that are with the quote. Escapes are those of double quotes.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '\\' if quote == '"' => match characters.next()?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                '$' => value.push_str("$$"),
                other @ ('"' | '\\') => value.push(other),
                other => value.extend(['\\', other]),
            },
            _ if character == quote => return Some((value, place + 1)),
            _ => value.push(character),
        }
    }
    None
}

fn expanded(value: &str, variables: &BTreeMap<String, String>) -> Option<String> {
    interpolate(value, Escape::Dollar, &|name| variables.get(name).cloned()).ok()
}
