//! Regular expressions for tags, as the programs match them: with `^` before and `$` behind, or anywhere in a tag.

use crate::image::tags::TagPattern;
use crate::text::printable_within;

/// A pattern, and what is different now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expression {
    pub(super) pattern: TagPattern,
    pub(super) why: String,
}

/// An expression that the program puts between `^` and `$`.
pub(super) fn anchored(text: &str) -> Result<Expression, String> {
    if has_choice(text) {
        let why = format!(
            "the whole tag has to match one of its choices; `^{}$` there also takes tags that only begin or end with one",
            printable_within(text, 100)
        );
        return Ok(Expression { pattern: pattern(text)?, why });
    }
    Ok(Expression { pattern: pattern(bare(text))?, why: "a regular expression for the whole tag".to_owned() })
}

/// An expression that the program looks for anywhere in a tag.
pub(super) fn unanchored(text: &str) -> Result<Expression, String> {
    if !has_choice(text) && bare(text).len() + 2 == text.len() {
        return anchored(text);
    }
    // By itself first: what closes a group that it did not open would close ours.
    pattern(text)?;
    let pattern = pattern(&format!(".*(?:{text}).*"))?;
    Ok(Expression { pattern, why: "it may match anywhere in a tag there, so it may here".to_owned() })
}

/// What a tag ends with, if that is all that an expression for whole tags says: `-alpine` of `.*-alpine`.
pub(super) fn suffix(text: &str) -> Option<String> {
    let rest = bare(text);
    let rest = rest.strip_prefix(".*").or_else(|| rest.strip_prefix(".+"))?;
    let mut suffix = String::new();
    let mut characters = rest.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => suffix.push(characters.next().filter(|next| matches!(next, '.' | '-'))?),
            '-' | '_' => suffix.push(character),
            _ if character.is_ascii_alphanumeric() => suffix.push(character),
            _ => return None,
        }
    }
    suffix.starts_with(['-', '_', '.']).then_some(suffix)
}

fn pattern(text: &str) -> Result<TagPattern, String> {
    format!("/{text}/").parse().map_err(|error| format!("{error}"))
}

/// Without the anchors at its ends.
fn bare(text: &str) -> &str {
    let text = text.strip_prefix('^').unwrap_or(text);
    let escapes = text.strip_suffix('$').map_or(0, |rest| rest.bytes().rev().take_while(|byte| *byte == b'\\').count());
    if escapes.is_multiple_of(2) { text.strip_suffix('$').unwrap_or(text) } else { text }
}

/// Whether there is a `|` outside of groups.
fn has_choice(text: &str) -> bool {
    let (mut depth, mut class, mut escaped) = (0_usize, false, false);
    for character in text.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ']' => class = false,
            _ if class => {}
            '[' => class = true,
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '|' if depth == 0 => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_match_what_they_match_there() {
        for (text, expected) in [
            ("^1\\.13\\.[12]-alpine$", "/1\\.13\\.[12]-alpine/"),
            ("1.2", "/.*(?:1.2).*/"),
            ("^1", "/.*(?:^1).*/"),
            ("^a|b$", "/.*(?:^a|b$).*/"),
            ("^a\\$", "/.*(?:^a\\$).*/"),
            ("^(a|b)$", "/(a|b)/"),
            ("^[|]$", "/[|]/"),
            ("", "/.*(?:).*/"),
        ] {
            assert_eq!(unanchored(text).unwrap().pattern.to_string(), expected, "{text}");
        }
        let both = unanchored("^a|b$").unwrap().pattern;
        assert!(both.matches("a1") && both.matches("1b") && !both.matches("1a1"));
        assert_eq!(anchored("^v.*$").unwrap().pattern.to_string(), "/v.*/");
        let choice = anchored("17\\.11|17\\.10").unwrap();
        assert!(choice.why.contains("`^17\\.11|17\\.10$` there also takes"), "{}", choice.why);
        assert!(choice.pattern.matches("17.10") && !choice.pattern.matches("17.11-trixie"));
        for text in ["(", "a)", "a)(b", "[", "*"] {
            assert!(anchored(text).is_err() && unanchored(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_ending_alone_is_told_from_more() {
        for (text, expected) in [
            (".*-alpine", Some("-alpine")),
            ("^.+-alpine3\\.24$", Some("-alpine3.24")),
            (".*alpine", None),
            (".*-alpine.", None),
            (".*-(a|b)", None),
            ("1.*-alpine", None),
            (".*", None),
        ] {
            assert_eq!(suffix(text).as_deref(), expected, "{text}");
        }
    }
}
