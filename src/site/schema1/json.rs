//! JSON as Go's `encoding/json` writes it, since v1 identifiers and payload digests were defined by its output.
//!
//! Knows escaping, compaction and times; must not know manifests.

use std::fmt::Write as _;

/// An object that is written field by field, in the order given.
pub(super) struct Object(String);

impl Object {
    pub(super) fn new() -> Self {
        Self("{".to_owned())
    }

    /// A field whose value is JSON already.
    pub(super) fn raw(&mut self, key: &str, value: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&text(key));
        self.0.push(':');
        self.0.push_str(value);
    }

    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.raw(key, &text(value));
    }

    pub(super) fn text_unless_empty(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.text(key, value);
        }
    }

    pub(super) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// Whether Go escapes this character wherever it stands in a string: HTML's, and JavaScript's line separators.
fn is_escaped(c: char) -> bool {
    matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}')
}

fn push_escape(out: &mut String, c: char) {
    // Writing to a String can't fail.
    let _ = write!(out, "\\u{:04x}", u32::from(c));
}

/// A string with its quotes.
pub(super) fn text(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if c < ' ' || is_escaped(c) => push_escape(&mut out, c),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Valid JSON without the space between its tokens; nothing else changes, not even how a number is written.
pub(super) fn compact(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in raw.chars() {
        if !quoted && matches!(c, ' ' | '\t' | '\n' | '\r') {
            continue;
        }
        if is_escaped(c) {
            push_escape(&mut out, c);
        } else {
            out.push(c);
        }
        if escaped {
            escaped = false;
        } else if c == '"' {
            quoted = !quoted;
        } else {
            escaped = quoted && c == '\\';
        }
    }
    out
}

/// An RFC 3339 time in Go's form (no zeros at the end of the fraction, nanoseconds at most, `Z` for an offset of zero);
/// `None` if it is none, which would make a client refuse the whole image.
pub(super) fn time(value: &str) -> Option<String> {
    value.parse::<jiff::Timestamp>().ok()?;
    let bytes = value.as_bytes();
    let digits = |range: std::ops::Range<usize>| bytes.get(range).is_some_and(|all| all.iter().all(u8::is_ascii_digit));
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    let shaped = marks.iter().all(|&(at, mark)| bytes.get(at) == Some(&mark))
        && [0..4, 5..7, 8..10, 11..13, 14..16, 17..19].into_iter().all(digits)
        && &bytes[17..19] != b"60";
    if !shaped {
        return None;
    }
    let (seconds, rest) = value.split_at_checked(19)?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at_checked(rest.find(|c: char| !c.is_ascii_digit())?)?,
        None => ("", rest),
    };
    let zone = match zone {
        "+00:00" | "-00:00" => "Z",
        _ => zone,
    };
    let offset = zone.as_bytes();
    let known = zone == "Z"
        || (offset.len() == 6
            && matches!(offset[0], b'+' | b'-')
            && offset[3] == b':'
            && digits(value.len() - 5..value.len() - 3)
            && digits(value.len() - 2..value.len()));
    if !known || (rest.starts_with('.') && fraction.is_empty()) {
        return None;
    }
    let fraction = fraction.get(..9).unwrap_or(fraction).trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{seconds}{point}{fraction}{zone}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_space_as_go_writes_them() {
        assert_eq!(
            text("a\"\\<>&\u{2028}é\u{1}\u{7f}\n"),
            "\"a\\\"\\\\\\u003c\\u003e\\u0026\\u2028é\\u0001\u{7f}\\n\""
        );
        assert_eq!(
            compact("{ \"a b\\\" \" :\n[1e400, 12345678901234567890123, \"\\\\\", \"<\" ]}"),
            "{\"a b\\\" \":[1e400,12345678901234567890123,\"\\\\\",\"\\u003c\"]}"
        );
    }

    #[test]
    fn times_as_go_writes_them() {
        let same = ["2024-05-01T10:00:00Z", "2024-05-01T10:00:00.123456789Z", "2024-05-01T12:00:00+02:00"];
        for value in same {
            assert_eq!(time(value).as_deref(), Some(value));
        }
        assert_eq!(time("2024-05-01T10:00:00.120Z").as_deref(), Some("2024-05-01T10:00:00.12Z"));
        assert_eq!(time("2024-05-01T10:00:00.000Z").as_deref(), Some("2024-05-01T10:00:00Z"));
        assert_eq!(time("2024-05-01T10:00:00+00:00").as_deref(), Some("2024-05-01T10:00:00Z"));
        let none = [
            "",
            "now",
            "2024-05-01",
            "2024-05-01 10:00:00Z",
            "20240501T100000Z",
            "2024-13-01T10:00:00Z",
            "2024-05-01T10:00:00",
            "2024-05-01T10:00:00.Z",
            "2024-05-01T10:00:60Z",
            "2024-05-01T10:00:00+02",
            "2024-05-01T10:00:00Z[UTC]",
            "+002024-05-01T10:00:00Z",
            "2024-05-01T10:00:00é",
        ];
        for value in none {
            assert_eq!(time(value), None, "{value}");
        }
    }
}
