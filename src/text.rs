//! Text for people: untrusted text made harmless for a terminal, and numbers made readable.
//!
//! Everything that comes from a registry, a node, DNS or a file passes through [`printable`] before a person sees it.

use std::fmt::Write as _;

/// The text with every character that could steer a terminal or hide itself made visible (`\u{1b}` and so on):
/// control characters, bidirectional overrides, zero-width characters and line separators.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control()
            || matches!(c,
                '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}')
        {
            // Writing to a String can't fail.
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Like [`printable`], and cut after `columns` characters with an ellipsis.
pub fn printable_within(text: &str, columns: usize) -> String {
    let shown = printable(text);
    if shown.chars().count() <= columns {
        return shown;
    }
    let mut cut: String = shown.chars().take(columns.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Bytes in IEC units with one decimal below 10: `512 B`, `1.5 KiB`, `41 MiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    // 1023.95 would be shown as 1024.
    while value >= 1023.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value < 9.95 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

/// `1 tag`, `2 tags`.
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Platforms in a few words: one or two of them, or the first and how many more there are; `-` if there are none.
pub fn platforms(all: &[String]) -> String {
    match all {
        [] => "-".to_owned(),
        [first, rest @ ..] if rest.len() > 1 => format!("{first} +{}", rest.len()),
        few => few.join(", "),
    }
}

/// The candidate that was probably meant by `word`: at most a third of its letters differ (one is always allowed), or it is the
/// last part of the candidate's path. Of equally near ones the first.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).clamp(1, 4);
    let distance = |candidate: &str| {
        let last = candidate.rsplit('/').next().unwrap_or(candidate);
        // The whole name is preferred to its last part.
        let whole = strsim::damerau_levenshtein(word, candidate) * 2;
        whole.min(strsim::damerau_levenshtein(word, last) * 2 + 1)
    };
    let near = candidates.into_iter().map(|candidate| (distance(candidate), candidate));
    near.filter(|(distance, _)| *distance <= allowed * 2 + 1)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(
            printable("a\u{1b}[31mb\r\n\u{9b}\u{202e}c\u{200b}é漢"),
            "a\\u{1b}[31mb\\u{d}\\u{a}\\u{9b}\\u{202e}c\\u{200b}é漢"
        );
        assert_eq!(printable_within("abcdef", 4), "abc…");
        assert_eq!(printable_within("abcd", 4), "abcd");
    }

    #[test]
    fn units() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (10_239, "10 KiB"),
            (1 << 20, "1.0 MiB"),
            (43 << 20, "43 MiB"),
            ((1 << 30) - 1, "1.0 GiB"),
        ];
        for (count, shown) in cases {
            assert_eq!(bytes(count), shown);
        }
    }

    #[test]
    fn platforms_are_few_words() {
        let all = ["linux/amd64", "linux/arm64", "linux/s390x"].map(String::from);
        let shown = [0, 1, 2, 3].map(|number| platforms(&all[..number]));
        assert_eq!(shown, ["-", "linux/amd64", "linux/amd64, linux/arm64", "linux/amd64 +2"]);
    }

    #[test]
    fn what_was_probably_meant() {
        let names = ["library/nginx", "library/alpine", "ghcr.io/org/app", "mirror"];
        for (word, meant) in [
            ("nginx", Some("library/nginx")),
            ("ngnix", Some("library/nginx")),
            ("library/ngnx", Some("library/nginx")),
            ("mirrro", Some("mirror")),
            ("ghcr.io/org/ap", Some("ghcr.io/org/app")),
            ("postgres", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, names), meant, "{word}");
        }
    }
}
