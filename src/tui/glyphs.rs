//! The few signs that are not letters: in Unicode, or in ASCII where the locale or the terminal wants that.

/// A set of signs. Each is one column wide, but for the arrow, and none of a list's is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glyphs {
    /// Something is done, or as it should be.
    pub done: &'static str,
    /// Something has failed, or ended badly.
    pub failed: &'static str,
    /// Bytes are coming from a registry.
    pub arriving: &'static str,
    /// Something waits for its turn or for somebody else.
    pub waiting: &'static str,
    /// Something is not published yet.
    pub new: &'static str,
    /// Something differs from what is published.
    pub changed: &'static str,
    /// Upstream has another digest under the tag.
    pub outdated: &'static str,
    /// A repository asks for a login upstream.
    pub private: &'static str,
    /// A rule selects the tag.
    pub ruled: &'static str,
    /// A rule brought the tag, and does not select it any more.
    pub leaving: &'static str,
    /// The row is marked for the next command.
    pub marked: &'static str,
    /// The row under the cursor.
    pub cursor: &'static str,
    /// The list is sorted by this column, ascending.
    pub up: &'static str,
    /// The list is sorted by this column, descending.
    pub down: &'static str,
    /// Text that was cut.
    pub ellipsis: &'static str,
    /// Between parts of a line.
    pub dot: &'static str,
    /// From one to another.
    pub arrow: &'static str,
    /// Whole, and empty, cells of a bar.
    pub bar: (&'static str, &'static str),
    /// Before what can be folded: while it is not, and while it is.
    pub fold: (&'static str, &'static str),
    /// The part of a page that is shown, at its edge.
    pub scroll: &'static str,
    /// Blocks of growing height, for small charts.
    pub levels: &'static [&'static str],
    /// Whether lines are drawn with box characters.
    pub boxes: bool,
}

/// Unicode without any special font.
pub const UNICODE: Glyphs = Glyphs {
    done: "✓",
    failed: "✗",
    arriving: "↓",
    waiting: "⋯",
    new: "+",
    changed: "~",
    outdated: "!",
    private: "⊘",
    ruled: "≡",
    leaving: "◌",
    marked: "•",
    cursor: "›",
    up: "▴",
    down: "▾",
    ellipsis: "…",
    dot: "·",
    arrow: "→",
    bar: ("━", "─"),
    fold: ("▾", "▸"),
    scroll: "▐",
    levels: &["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    boxes: true,
};

/// ASCII alone. Where systemd has no ticks it writes `+`; git marks with `*` what is new.
pub const ASCII: Glyphs = Glyphs {
    done: "+",
    failed: "x",
    arriving: "<",
    waiting: ".",
    new: "*",
    changed: "%",
    outdated: "!",
    private: "@",
    ruled: "&",
    leaving: "$",
    marked: "#",
    cursor: ">",
    up: "^",
    down: "v",
    ellipsis: "~",
    dot: "-",
    arrow: "->",
    bar: ("=", "-"),
    fold: ("-", "+"),
    scroll: "#",
    levels: &["_", ".", "-", "=", "+", "*", "#"],
    boxes: false,
};

impl Glyphs {
    /// The set for this locale (the first that is set of `LC_ALL`, `LC_CTYPE`, `LANG`) and `TERM`.
    pub fn for_terminal(locale: Option<&str>, term: Option<&str>) -> Self {
        let utf8 = locale.is_some_and(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.ends_with("utf-8") || locale.ends_with("utf8")
        });
        // The Linux console has a font of 256 or 512 signs.
        if utf8 && !matches!(term, Some("linux" | "dumb" | "vt100" | "vt220")) { UNICODE } else { ASCII }
    }
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::*;

    #[test]
    fn every_sign_is_one_column_wide_and_no_other_one() {
        for glyphs in [UNICODE, ASCII] {
            let signs = [
                glyphs.done,
                glyphs.failed,
                glyphs.arriving,
                glyphs.waiting,
                glyphs.new,
                glyphs.changed,
                glyphs.outdated,
                glyphs.private,
                glyphs.ruled,
                glyphs.leaving,
                glyphs.marked,
                glyphs.cursor,
                glyphs.up,
                glyphs.down,
                glyphs.ellipsis,
                glyphs.dot,
            ];
            for sign in
                signs.into_iter().chain([glyphs.bar.0, glyphs.bar.1, glyphs.fold.0, glyphs.fold.1, glyphs.scroll])
            {
                assert_eq!(sign.width(), 1, "{sign}");
            }
            let distinct: std::collections::BTreeSet<&str> = signs.into_iter().collect();
            assert_eq!(distinct.len(), signs.len(), "{signs:?}");
            assert!(glyphs.levels.iter().all(|sign| sign.width() == 1));
        }
    }

    #[test]
    fn the_locale_decides() {
        assert_eq!(Glyphs::for_terminal(Some("de_DE.UTF-8"), Some("xterm")), UNICODE);
        assert_eq!(Glyphs::for_terminal(Some("C"), Some("xterm")), ASCII);
        assert_eq!(Glyphs::for_terminal(None, None), ASCII);
        assert_eq!(Glyphs::for_terminal(Some("C.utf8"), Some("linux")), ASCII);
    }
}
