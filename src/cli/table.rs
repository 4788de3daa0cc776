//! Tables of text: aligned by what a terminal shows, numbers to the right, never wider than the terminal if that can be helped.
//!
//! Rows of one kind have headings, in capitals and called as the interface calls its columns. Facts, a name and what it is, have
//! none.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::style::{Paint, Tone};
use crate::text::printable;

/// How a column behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// Text that may be cut at its end where room is short.
    Text,
    /// Text that is cut before any other.
    Aside,
    /// Text that is shown in full.
    Fixed,
    /// The same, but the column is left out where room is short: the last one first.
    Spare,
    /// A digest or CID: loses its middle where room is short, never its ends.
    Digest,
    /// Text in full, but a digest among it loses its middle where room is short.
    Fact,
    /// A number or size: to the right.
    Number,
}

/// One field of a row.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A field in this tone; what could steer the terminal is made visible.
    pub(super) fn toned(tone: Tone, text: impl AsRef<str>) -> Self {
        Self { text: printable(text.as_ref()), tone }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(Tone::Plain, text)
    }
}

#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<(&'static str, Column)>,
    rows: Vec<Vec<Cell>>,
    indent: usize,
}

/// What a digest keeps when room is short: `sha256:` and twelve digits with their ellipsis and end.
const MIN_DIGEST_COLUMNS: usize = 20;
const MIN_TEXT_COLUMNS: usize = 12;
const GAP_COLUMNS: usize = 2;

impl Table {
    /// An empty table, which is shown as nothing at all. Headings that are all empty are left out.
    pub(super) fn new(columns: &[(&'static str, Column)]) -> Self {
        let headings = || columns.iter().map(|(heading, _)| *heading);
        debug_assert!(headings().all(|heading| heading.to_uppercase() == heading), "headings are in capitals");
        debug_assert!(
            headings().all(str::is_empty) || !headings().any(str::is_empty),
            "all columns have headings or none"
        );
        Self { columns: columns.to_vec(), rows: Vec::new(), indent: 0 }
    }

    /// Puts so many spaces before every row.
    #[must_use]
    pub(super) fn indented(mut self, indent: usize) -> Self {
        self.indent = indent;
        self
    }

    /// Adds a row; it has as many fields as there are columns.
    pub(super) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        debug_assert_eq!(N, self.columns.len());
        self.rows.push(cells.into());
    }

    /// Whether there are no rows.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines, each with its newline. With a width, columns that may shrink do so until it is kept, the widest first.
    pub(super) fn render(&self, width: Option<usize>, paint: Paint) -> String {
        let mut widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, (heading, _))| {
                let cells = self.rows.iter().map(|row| row[index].text.width());
                cells.max().unwrap_or(0).max(heading.width())
            })
            .collect();
        if let Some(width) = width {
            self.shrink(&mut widths, width);
            let is_too_wide = widths.iter().sum::<usize>() + self.gaps() > width;
            let spare = self.columns.iter().rposition(|(_, kind)| *kind == Column::Spare);
            if let Some(spare) = spare.filter(|_| is_too_wide) {
                return self.without(spare).render(Some(width), paint);
            }
        }
        let mut lines = String::new();
        if !self.is_empty() && self.columns.iter().any(|(heading, _)| !heading.is_empty()) {
            let cells: Vec<Cell> =
                self.columns.iter().map(|(heading, _)| Cell::toned(Tone::Heading, *heading)).collect();
            self.line(&mut lines, &cells, &widths, paint);
        }
        for row in &self.rows {
            self.line(&mut lines, row, &widths, paint);
        }
        lines
    }

    /// The same table without one of its columns.
    fn without(&self, index: usize) -> Self {
        fn others<T: Clone>(all: &[T], index: usize) -> Vec<T> {
            let (before, after) = (all.iter().take(index), all.iter().skip(index + 1));
            before.chain(after).cloned().collect()
        }
        let rows = self.rows.iter().map(|row| others(row, index)).collect();
        Self { columns: others(&self.columns, index), rows, indent: self.indent }
    }

    /// Columns of the terminal that no cell has.
    fn gaps(&self) -> usize {
        self.indent + GAP_COLUMNS * self.columns.len().saturating_sub(1)
    }

    fn shrink(&self, widths: &mut [usize], available: usize) {
        let gaps = self.gaps();
        // Digests first: they lose least.
        for (kind, shortest) in [
            (Column::Digest, MIN_DIGEST_COLUMNS),
            (Column::Fact, MIN_DIGEST_COLUMNS),
            (Column::Aside, MIN_TEXT_COLUMNS),
            (Column::Text, MIN_TEXT_COLUMNS),
        ] {
            loop {
                let total: usize = widths.iter().sum::<usize>() + gaps;
                let over = total.saturating_sub(available);
                let chosen = (0..widths.len())
                    .filter(|&index| {
                        let least = shortest.max(self.columns[index].0.width());
                        self.columns[index].1 == kind && widths[index] > least
                    })
                    .max_by_key(|&index| widths[index]);
                let (Some(chosen), true) = (chosen, over > 0) else { break };
                widths[chosen] -= 1;
            }
        }
    }

    fn line(&self, lines: &mut String, cells: &[Cell], widths: &[usize], paint: Paint) {
        let mut line = " ".repeat(self.indent);
        // Spaces are held back until something follows them, so that no line ends with spaces.
        let mut held = 0;
        for (index, (cell, &width)) in cells.iter().zip(widths).enumerate() {
            if index > 0 {
                held += GAP_COLUMNS;
            }
            let text = match self.columns[index].1 {
                Column::Digest => elide_middle(&cell.text, width),
                Column::Text | Column::Aside => cut(&cell.text, width),
                Column::Fact if is_digest(&cell.text) => elide_middle(&cell.text, width),
                Column::Fact | Column::Fixed | Column::Spare | Column::Number => cell.text.clone(),
            };
            let space = width.saturating_sub(text.width());
            let right = self.columns[index].1 == Column::Number;
            if right {
                held += space;
            }
            if !text.is_empty() {
                line.push_str(&" ".repeat(std::mem::take(&mut held)));
                line.push_str(&paint.tone(cell.tone, &text));
            }
            if !right {
                held += space;
            }
        }
        lines.push_str(line.trim_end_matches(' '));
        lines.push('\n');
    }
}

fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(_, hex)| hex.len() >= 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The text cut at its end to this many columns, with an ellipsis.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = head(text, width.saturating_sub(1));
    kept.push('…');
    kept
}

/// The text without its middle, at most this many columns wide.
pub(super) fn elide_middle(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    // A digest's beginning tells more than its end.
    let tail = width.saturating_sub(1) / 4;
    let mut kept = head(text, width.saturating_sub(1 + tail));
    kept.push('…');
    let reversed: String = text.chars().rev().collect();
    kept.extend(head(&reversed, tail).chars().rev());
    kept
}

fn head(text: &str, width: usize) -> String {
    let mut used = 0;
    text.chars()
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= width
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: fn() -> Paint = || Paint::new(false);

    fn table() -> Table {
        let mut table = Table::new(&[
            ("NAME", Column::Text),
            ("DIGEST", Column::Digest),
            ("SIZE", Column::Number),
            ("STATE", Column::Fixed),
        ]);
        table.row([
            "library/nginx".into(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb924".into(),
            "41 MiB".into(),
            "published".into(),
        ]);
        table.row(["漢字".into(), "sha256:ab".into(), "9.5 KiB".into(), "".into()]);
        table
    }

    #[test]
    fn columns_line_up_by_width_on_the_screen() {
        let shown = table().render(None, PLAIN());
        let expected = "\
NAME           DIGEST                                      SIZE  STATE
library/nginx  sha256:e3b0c44298fc1c149afbf4c8996fb924   41 MiB  published
漢字           sha256:ab                                9.5 KiB\n";
        assert_eq!(shown, expected);
    }

    #[test]
    fn spare_columns_go_where_room_is_short_the_last_one_first() {
        let mut table = Table::new(&[("NAME", Column::Fixed), ("NOTE", Column::Spare), ("AT", Column::Spare)]);
        table.row(["nginx".into(), "stable".into(), "21:02".into()]);
        let shown = |width| table.render(Some(width), PLAIN());
        assert_eq!(shown(20), "NAME   NOTE    AT\nnginx  stable  21:02\n");
        assert_eq!(shown(19), "NAME   NOTE\nnginx  stable\n");
        assert_eq!(shown(12), "NAME\nnginx\n");
        assert_eq!(shown(2), "NAME\nnginx\n", "nothing else can go");
    }

    #[test]
    fn digests_shrink_first_and_keep_their_ends() {
        let shown = table().render(Some(60), PLAIN());
        let expected = "\
NAME           DIGEST                      SIZE  STATE
library/nginx  sha256:e3b0c442…6fb924    41 MiB  published
漢字           sha256:ab                9.5 KiB\n";
        for line in shown.lines() {
            assert!(line.width() <= 60, "{line}");
        }
        assert!(shown.contains("sha256:e3b0c4") && shown.contains("924  "), "{shown}{expected}");
        let narrow = table().render(Some(20), PLAIN());
        assert!(narrow.contains("library/ngi…"), "{narrow}");
        assert!(narrow.contains("41 MiB") && narrow.contains("published"), "{narrow}");
    }

    #[test]
    fn of_facts_only_digests_are_cut() {
        let mut table = Table::new(&[("", Column::Fixed), ("", Column::Fact)]);
        table.row(["config".into(), format!("sha256:{}", "0".repeat(64)).into()]);
        table.row(["environment".into(), "x".repeat(90).into()]);
        let shown = table.render(Some(60), PLAIN());
        let widths: Vec<usize> = shown.lines().map(unicode_width::UnicodeWidthStr::width).collect();
        assert_eq!(widths, [60, 13 + 90], "{shown}");
    }

    #[test]
    fn colour_does_not_move_columns() {
        let mut table = Table::new(&[("", Column::Text), ("", Column::Text)]).indented(2);
        table.row([Cell::toned(Tone::Good, "added"), "x".into()]);
        table.row(["unchanged".into(), "y".into()]);
        assert_eq!(table.render(None, PLAIN()), "  added      x\n  unchanged  y\n");
        assert_eq!(table.render(None, Paint::new(true)), "  \u{1b}[32madded\u{1b}[0m      x\n  unchanged  y\n");
    }

    proptest::proptest! {
        #[test]
        fn cutting_keeps_the_width(text in "\\PC{0,30}", width in 1_usize..40) {
            // As in every cell: what makes a letter wider (a variation selector) is made visible there.
            let text = printable(&text);
            proptest::prop_assert!(cut(&text, width).width() <= width);
            proptest::prop_assert!(elide_middle(&text, width).width() <= width);
        }
    }
}
