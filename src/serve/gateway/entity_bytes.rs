//! Which bytes of a file are asked for (trustless gateway spec, "`entity-bytes`").
//!
//! Pure.

use std::str::FromStr;

/// A range whose ends may count from the end of the file; both are inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntityBytes {
    from: i64,
    /// Nothing for `*`: to the end.
    to: Option<i64>,
}

/// What a range comes to in a file of a known size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    /// From one byte to another, both inclusive and within the file.
    Part(u64, u64),
    /// No byte, though the range touches the file.
    Empty,
    /// The range is wholly outside of the file.
    Outside,
}

impl FromStr for EntityBytes {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str =
            "`entity-bytes` must be two numbers with a colon between them, as in `0:1023`, `512:*` or `-1024:*`";
        let (from, to) = text.split_once(':').ok_or(FORM)?;
        let from = number(from).ok_or(FORM)?;
        let to = if to == "*" { None } else { Some(number(to).ok_or(FORM)?) };
        // Where both count from the same end, it needs no size to see that nothing lies between them.
        if to.is_some_and(|to| (from < 0) == (to < 0) && from > to) {
            return Err("`entity-bytes` must not end before it begins");
        }
        Ok(Self { from, to })
    }
}

/// Digits, with or without a minus before them.
fn number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // What is too large for the type is more than any file has.
    Some(text.parse().unwrap_or(if digits.len() == text.len() { i64::MAX } else { i64::MIN }))
}

impl EntityBytes {
    /// The same range in a file of this many bytes.
    pub(super) fn within(self, size: u64) -> Window {
        let size = i128::from(size);
        if size == 0 {
            return Window::Empty;
        }
        let place = |at: i64| if at < 0 { size + i128::from(at) } else { i128::from(at) };
        let (first, last) = (place(self.from), self.to.map_or(size - 1, place));
        if first >= size || last < 0 {
            return Window::Outside;
        }
        let (first, last) = (first.max(0), last.min(size - 1));
        if first > last { Window::Empty } else { Window::Part(first as u64, last as u64) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_as_the_spec_and_the_conformance_suite_have_them() {
        let cases = [
            ("0:*", Window::Part(0, 1025)),
            ("0:1025", Window::Part(0, 1025)),
            ("0:1024", Window::Part(0, 1024)),
            ("0:99999999999999999999999", Window::Part(0, 1025)),
            ("0:0", Window::Part(0, 0)),
            ("512:*", Window::Part(512, 1025)),
            ("512:1023", Window::Part(512, 1023)),
            ("512:-256", Window::Part(512, 770)),
            ("-5:*", Window::Part(1021, 1025)),
            ("-9999:*", Window::Part(0, 1025)),
            ("-9999:-3", Window::Part(0, 1023)),
            ("-1:-1", Window::Part(1025, 1025)),
            ("1025:1025", Window::Part(1025, 1025)),
            ("1020:2000", Window::Part(1020, 1025)),
            ("-10:5", Window::Empty),
            ("600:-600", Window::Empty),
            ("1026:*", Window::Outside),
            ("5000:6000", Window::Outside),
            ("-5000:-4000", Window::Outside),
            ("9223372036854775807:*", Window::Outside),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<EntityBytes>().unwrap().within(1026), expected, "{text}");
        }
        assert_eq!("0:*".parse::<EntityBytes>().unwrap().within(0), Window::Empty);
        for bad in
            ["", ":", "1", "1:", ":1", "*:1", "1:2:3", "a:b", "1:+2", "1 :2", "--1:2", "-:1", "2:1", "-1:-2", "0x1:2"]
        {
            assert!(bad.parse::<EntityBytes>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_part_lies_within(text in "-?[0-9]{1,20}:(-?[0-9]{1,20}|\\*)|\\PC*", size: u64) {
            if let Ok(range) = text.parse::<EntityBytes>()
                && let Window::Part(first, last) = range.within(size)
            {
                prop_assert!(first <= last && last < size);
            }
        }
    }
}
