//! Text that fits: by the columns it takes on a terminal, not by its bytes or letters. Everything from outside comes through
//! here, so that nothing reaches the terminal raw.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::glyphs::Glyphs;
use crate::text::printable;

/// The columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The longest beginning that takes at most so many columns.
pub(super) fn beginning(text: &str, columns: usize) -> &str {
    let mut taken = 0;
    for (place, letter) in text.char_indices() {
        taken += letter.width().unwrap_or(0);
        if taken > columns {
            return &text[..place];
        }
    }
    text
}

/// The longest end that takes at most so many columns.
fn end(text: &str, columns: usize) -> &str {
    let mut taken = 0;
    for (place, letter) in text.char_indices().rev() {
        taken += letter.width().unwrap_or(0);
        if taken > columns {
            return &text[place + letter.len_utf8()..];
        }
    }
    text
}

/// Text within so many columns; what is too long loses its end.
pub(super) fn cut(text: &str, columns: usize, glyphs: &Glyphs) -> String {
    let text = printable(text);
    if text.width() <= columns {
        return text;
    }
    match columns {
        0 => String::new(),
        _ => format!("{}{}", beginning(&text, columns - 1), glyphs.ellipsis),
    }
}

/// Text within so many columns; what is too long loses its middle, since digests, CIDs and names are told apart by their ends.
pub(super) fn cut_middle(text: &str, columns: usize, glyphs: &Glyphs) -> String {
    let text = printable(text);
    if text.width() <= columns {
        return text;
    }
    match columns {
        0 => String::new(),
        1..=4 => format!("{}{}", beginning(&text, columns - 1), glyphs.ellipsis),
        _ => {
            let front = (columns - 1).div_ceil(2);
            format!("{}{}{}", beginning(&text, front), glyphs.ellipsis, end(&text, columns - 1 - front))
        }
    }
}

/// Text in exactly so many columns, at the left.
pub(super) fn left(text: &str, columns: usize, glyphs: &Glyphs) -> String {
    let mut text = cut_middle(text, columns, glyphs);
    text.extend(std::iter::repeat_n(' ', columns.saturating_sub(text.width())));
    text
}

/// Text in exactly so many columns, at the right.
pub(super) fn right(text: &str, columns: usize, glyphs: &Glyphs) -> String {
    let text = cut(text, columns, glyphs);
    format!("{}{text}", " ".repeat(columns.saturating_sub(text.width())))
}

/// Text in lines of at most so many columns, broken between words where there are any.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    if text.is_empty() {
        lines.push(String::new());
    }
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in printable(paragraph).split(' ') {
            let mut word = word;
            let space = usize::from(!line.is_empty());
            if line.width() + space + word.width() > columns && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            while word.width() > columns {
                let mut piece = beginning(word, columns);
                if piece.is_empty() {
                    // A letter wider than the line.
                    piece = &word[..word.chars().next().map_or(word.len(), char::len_utf8)];
                }
                lines.push(piece.to_owned());
                word = &word[piece.len()..];
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// How long ago something was: `4 s`, `12 min`, `3 h`, `5 d`.
pub(super) fn age(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds @ 3600..86_400 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::glyphs::{ASCII, UNICODE};
    use super::*;

    #[test]
    fn ends_stay() {
        assert_eq!(cut_middle("sha256:0123456789abcdef", 12, &UNICODE), "sha256…bcdef");
        assert_eq!(cut("nginx", 3, &ASCII), "ng~");
        assert_eq!(right("7 MiB", 8, &UNICODE), "   7 MiB");
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
    }

    proptest! {
        #[test]
        fn everything_fits(text in ".*", columns in 0usize..60) {
            for fitted in [cut(&text, columns, &UNICODE), cut_middle(&text, columns, &ASCII)] {
                prop_assert!(width(&fitted) <= columns, "{:?}", fitted);
            }
            let raw = cut(&text, columns, &UNICODE).contains(char::is_control);
            prop_assert!(!raw);
            for line in wrap(&text, columns.max(2)) {
                prop_assert!(width(&line) <= columns.max(2), "{:?}", line);
            }
        }
    }
}
