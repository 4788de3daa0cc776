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

/// Names within so many columns. Those that are too long lose what they have in common, so that they can be told apart.
pub(super) fn told_apart(names: &[String], columns: usize, glyphs: &Glyphs) -> Vec<String> {
    let names: Vec<String> = names.iter().map(|name| printable(name)).collect();
    let mut sorted: Vec<usize> = (0..names.len()).collect();
    sorted.sort_by(|one, other| names[*one].cmp(&names[*other]));
    // The one that a name has most in common with is beside it.
    let mut differs = vec![0; names.len()];
    for pair in sorted.windows(2) {
        let (one, other) = (&names[pair[0]], &names[pair[1]]);
        let same = one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
        differs[pair[0]] = differs[pair[0]].max(same);
        differs[pair[1]] = differs[pair[1]].max(same);
    }
    names.iter().zip(differs).map(|(name, differs)| cut_around(name, differs, columns, glyphs)).collect()
}

/// Text within so many columns, of which this letter stays.
fn cut_around(text: &str, letter: usize, columns: usize, glyphs: &Glyphs) -> String {
    let usual = cut_middle(text, columns, glyphs);
    let front = columns.saturating_sub(1).div_ceil(2);
    let at = |letter: usize| text.char_indices().nth(letter).map_or(text.len(), |(at, _)| at);
    let (before, after) = text.split_at(at(letter));
    let back = columns.saturating_sub(1 + front);
    if columns < 12 || text.width() <= columns || before.width() < front || after.width() <= back {
        return usual;
    }
    let head = beginning(text, columns / 4);
    let room = columns - 1 - head.width();
    // A little of what is before it, to be read together with.
    let tail = &text[at(letter.saturating_sub(2)).max(head.len())..];
    if tail.width() <= room {
        return format!("{head}{}{}", glyphs.ellipsis, end(text, room));
    }
    format!("{head}{}{}{}", glyphs.ellipsis, beginning(tail, room - 1), glyphs.ellipsis)
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

    #[test]
    fn names_that_are_cut_can_be_told_apart() {
        let day = |day| format!("nightly-2026-11-{day:02}-with-a-very-long-name-that-says-much-more-until-128");
        let all: Vec<String> = (1..30).map(day).chain([" nightly".to_owned(), "latest".to_owned()]).collect();
        let teams = ["cart", "checkout", "search"].map(|team| format!("127.0.0.1_34777/shop/{team}/service-checkout"));
        for names in [all.as_slice(), &teams] {
            for columns in [14, 18, 24, 30, 40, 60, 100] {
                let shown = told_apart(names, columns, &UNICODE);
                let distinct: std::collections::BTreeSet<&String> = shown.iter().collect();
                assert_eq!(distinct.len(), names.len(), "{columns}: {shown:?}");
            }
        }
        assert_eq!(told_apart(&all[..2], 22, &UNICODE)[1], "night…-02-with-a-very…");
        assert_eq!(told_apart(&teams, 26, &UNICODE)[2], "127.0.…p/search/service-c…");
    }

    proptest! {
        #[test]
        fn names_fit_and_keep_their_number(names in prop::collection::vec("[ab日\u{301}]{0,40}", 0..8), columns in 0usize..50) {
            let shown = told_apart(&names, columns, &UNICODE);
            prop_assert_eq!(shown.len(), names.len());
            for name in shown {
                prop_assert!(width(&name) <= columns, "{:?}", name);
            }
        }

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
