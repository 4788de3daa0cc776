//! Variables in text: `$X`, `${X}`, `${X:-d}` and their like, as compose files and Dockerfiles have them
//! (Compose specification, "Interpolation"; Dockerfile reference, "Environment replacement").

use super::found::shown;

/// How deep defaults may be in defaults.
const MAX_DEPTH: usize = 16;
/// Bytes of the longest result.
const MAX_RESULT_BYTES: usize = 64 << 10;

/// Why a text has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unresolved {
    /// A variable has no value and no default.
    Unset(String),
    /// A variable has no value, and the file says what is to be said then.
    Required(String, String),
    /// It is written in a way that is not known.
    Malformed(String),
}

impl Unresolved {
    /// A sentence about it.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Unset(name) => format!("`{}` is not set and has no default", shown(name)),
            Self::Required(name, message) if message.is_empty() => format!("`{}` is not set", shown(name)),
            Self::Required(name, message) => format!("`{}` is not set: {}", shown(name), shown(message)),
            Self::Malformed(text) => format!("`{}` is not a variable that is understood", shown(text)),
        }
    }
}

/// What a dollar sign or another character stands for by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// `$$` is `$`.
    Dollar,
    /// This character before `$` makes it one.
    Before(char),
}

/// The text with the values of its variables.
pub(super) fn interpolate(
    text: &str,
    escape: Escape,
    value: &dyn Fn(&str) -> Option<String>,
) -> Result<String, Unresolved> {
    let mut result = String::new();
    expand(text, escape, value, 0, &mut result)?;
    Ok(result)
}

fn expand(
    text: &str,
    escape: Escape,
    value: &dyn Fn(&str) -> Option<String>,
    depth: usize,
    result: &mut String,
) -> Result<(), Unresolved> {
    if depth > MAX_DEPTH {
        return Err(Unresolved::Malformed(text.to_owned()));
    }
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if result.len() > MAX_RESULT_BYTES {
            return Err(Unresolved::Malformed(text.to_owned()));
        }
        let after = &rest[character.len_utf8()..];
        if escape == Escape::Before(character) && after.starts_with('$') {
            result.push('$');
            rest = &after[1..];
        } else if character != '$' {
            result.push(character);
            rest = after;
        } else if escape == Escape::Dollar && after.starts_with('$') {
            result.push('$');
            rest = &after[1..];
        } else if let Some(inner) = after.strip_prefix('{') {
            let end = closing(inner).ok_or_else(|| Unresolved::Malformed(rest.to_owned()))?;
            braced(&inner[..end], escape, value, depth, result)?;
            rest = &inner[end + 1..];
        } else {
            let length = name_at(after).len();
            if length == 0 {
                return Err(Unresolved::Malformed(rest.to_owned()));
            }
            let name = &after[..length];
            result.push_str(&value(name).ok_or_else(|| Unresolved::Unset(name.to_owned()))?);
            rest = &after[length..];
        }
    }
    Ok(())
}

/// What stands in `${…}`.
fn braced(
    inner: &str,
    escape: Escape,
    value: &dyn Fn(&str) -> Option<String>,
    depth: usize,
    result: &mut String,
) -> Result<(), Unresolved> {
    let name = name_at(inner);
    let malformed = || Unresolved::Malformed(format!("${{{inner}}}"));
    if name.is_empty() {
        return Err(malformed());
    }
    let rest = &inner[name.len()..];
    let known = value(name);
    let (colon, rest) = rest.strip_prefix(':').map_or((false, rest), |rest| (true, rest));
    let known = known.filter(|known| !(colon && known.is_empty()));
    let Some(operator) = rest.chars().next() else {
        let known = known.filter(|_| !colon);
        result.push_str(&known.ok_or_else(|| if colon { malformed() } else { Unresolved::Unset(name.to_owned()) })?);
        return Ok(());
    };
    let word = &rest[operator.len_utf8()..];
    match (operator, known) {
        ('-' | '?', Some(known)) => result.push_str(&known),
        ('-', None) | ('+', Some(_)) => expand(word, escape, value, depth + 1, result)?,
        ('+', None) => {}
        ('?', None) => return Err(Unresolved::Required(name.to_owned(), word.to_owned())),
        _ => return Err(malformed()),
    }
    Ok(())
}

/// The name that a text begins with.
fn name_at(text: &str) -> &str {
    let end = text.find(|character: char| !(character.is_ascii_alphanumeric() || character == '_'));
    let name = &text[..end.unwrap_or(text.len())];
    if name.starts_with(|first: char| first.is_ascii_digit()) { "" } else { name }
}

/// Where the brace is closed that was opened before the text.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut before = '\0';
    for (place, character) in text.char_indices() {
        match character {
            '{' if before == '$' => depth += 1,
            '}' if depth == 0 => return Some(place),
            '}' => depth -= 1,
            _ => {}
        }
        before = character;
    }
    None
}
