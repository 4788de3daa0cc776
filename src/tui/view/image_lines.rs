//! The lines of an image's page: groups that can be folded, fields, lists. Each line knows what it belongs to.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::app::Look;
use super::super::cells::{cut, cut_middle, width, wrap};
use super::super::state::image_page::{Group, ImagePage, Part};
use crate::text::{bytes, printable};

/// So many columns that nothing is cut.
pub(super) const UNCUT_COLUMNS: usize = 1 << 24;
/// The lines that a value takes at most.
const MAX_VALUE_ROWS: usize = 4;
/// The lines that a command takes at most where it is unfolded.
const MAX_COMMAND_ROWS: usize = 16;
/// The entries of a list that are shown.
const MAX_LIST_ENTRIES: usize = 40;
/// Columns of the label of a field, and one more before its value.
const LABEL_COLUMNS: usize = 9;
/// Columns that a group is indented by.
pub(super) const GROUP_INDENT_COLUMNS: usize = 2;

/// A line with what it belongs to.
pub(super) struct Row {
    pub(super) line: Line<'static>,
    pub(super) part: Option<Part>,
}

/// Lines that are being made.
pub(super) struct Lines<'l> {
    pub(super) look: &'l Look,
    /// The key that shows all of it.
    pub(super) browse: String,
    pub(super) rows: Vec<Row>,
    /// What the next lines belong to.
    pub(super) part: Option<Part>,
    /// Columns that the next lines are indented by.
    pub(super) indent: usize,
    columns: usize,
    /// What is folded; nothing is if this is not there.
    folds: Option<&'l ImagePage>,
    /// The last line is the head of a group that is folded.
    after_folded: bool,
}

/// Whether a word is a digest or a CID: these say something by both of their ends, and are not broken.
fn is_hash(word: &str) -> bool {
    let word = word.trim_end_matches([':', ',', ';']);
    if let Some((_, hex)) = word.rsplit_once("sha256:") {
        return hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    }
    // CIDv1 in base32, and CIDv0.
    let is_base32 = |text: &str| text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'));
    (word.starts_with("ba") && (50..=80).contains(&word.len()) && is_base32(word))
        || (word.starts_with("Qm") && word.len() == 46 && word.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

impl<'l> Lines<'l> {
    pub(super) fn new(look: &'l Look, columns: usize, browse: String, folds: Option<&'l ImagePage>) -> Self {
        Self { look, browse, rows: Vec::new(), part: None, indent: 0, columns, folds, after_folded: false }
    }

    /// Whether it is made to be read elsewhere, where lines may be long.
    pub(super) fn is_whole(&self) -> bool {
        self.columns == UNCUT_COLUMNS
    }

    /// Columns that a line has.
    pub(super) fn columns(&self) -> usize {
        self.columns.saturating_sub(self.indent)
    }

    pub(super) fn is_folded(&self, part: Part) -> bool {
        self.folds.is_some_and(|page| page.is_folded(part))
    }

    /// The sign that a part is folded, or not.
    pub(super) fn fold_sign(&self, part: Part) -> &'static str {
        let (open, folded) = self.look.glyphs.fold;
        if self.is_folded(part) { folded } else { open }
    }

    pub(super) fn push(&mut self, mut spans: Vec<Span<'static>>) {
        if self.indent > 0 {
            spans.insert(0, Span::raw(" ".repeat(self.indent)));
        }
        self.rows.push(Row { line: Line::from(spans), part: self.part });
        self.after_folded = false;
    }

    /// Begins a group, and says whether more than its head is to be shown.
    pub(super) fn group(&mut self, group: Group, title: &str, note: &str) -> bool {
        self.indent = 0;
        if !self.rows.is_empty() && !self.after_folded {
            self.push(Vec::new());
        }
        let part = Part::Group(group);
        self.part = Some(part);
        let sign = if self.is_whole() { String::new() } else { format!("{} ", self.fold_sign(part)) };
        let room = self.columns().saturating_sub(width(&sign) + width(title) + 2);
        let note = cut(note, room, &self.look.glyphs);
        self.push(vec![
            Span::styled(sign, self.look.theme.accent),
            Span::styled(format!("{title}  "), self.look.theme.title),
            Span::styled(note, self.look.theme.dim),
        ]);
        self.indent = GROUP_INDENT_COLUMNS;
        self.after_folded = self.is_folded(part);
        !self.after_folded
    }

    /// A field whose value has a style.
    pub(super) fn styled(&mut self, label: &str, value: &str, style: Style) {
        let room = self.columns().saturating_sub(LABEL_COLUMNS + 1).max(8);
        for (place, row) in self.wrapped(value, room, MAX_VALUE_ROWS).into_iter().enumerate() {
            let label = if place == 0 { label } else { "" };
            let label = format!("{label:<LABEL_COLUMNS$} ");
            self.push(vec![Span::styled(label, self.look.theme.dim), Span::styled(row, style)]);
        }
    }

    pub(super) fn field(&mut self, label: &str, value: &str) {
        self.styled(label, value, self.look.theme.text);
    }

    /// A field, if there is anything in it.
    pub(super) fn some(&mut self, label: &str, value: &str) {
        if !value.is_empty() {
            self.field(label, value);
        }
    }

    /// A value in lines of so many columns; where it has more lines than are shown, the last one says how long it is.
    fn wrapped(&self, value: &str, room: usize, most: usize) -> Vec<String> {
        let fit = |word: &str| {
            if is_hash(word) { cut_middle(word, room, &self.look.glyphs) } else { word.to_owned() }
        };
        let text = printable(value).split(' ').map(fit).collect::<Vec<_>>().join(" ");
        let mut rows = wrap(&text, room);
        if rows.len() > most && !self.is_whole() {
            rows.truncate(most);
            let ellipsis = self.look.glyphs.ellipsis;
            let size = bytes(value.len() as u64);
            let sign = format!("{ellipsis} {size} in total: `{}` shows it", self.browse);
            let sign = if width(&sign) * 2 <= room { sign } else { format!("{ellipsis} {size}") };
            if let Some(last) = rows.last_mut() {
                let kept = cut(last, room.saturating_sub(width(&sign)), &self.look.glyphs);
                let kept = kept.strip_suffix(ellipsis).unwrap_or(&kept);
                *last = format!("{kept}{sign}");
            }
        }
        rows
    }

    /// A value for itself: what it does not fit into one line of is indented.
    pub(super) fn value(&mut self, value: &str) {
        let room = self.columns().saturating_sub(2).max(8);
        for (place, row) in self.wrapped(value, room, MAX_VALUE_ROWS).into_iter().enumerate() {
            let indent = if place == 0 { "" } else { "  " };
            self.push(vec![Span::raw(format!("{indent}{row}"))]);
        }
    }

    /// A command in as many lines as it needs.
    pub(super) fn command(&mut self, command: &str) {
        for row in self.wrapped(command, self.columns().max(8), MAX_COMMAND_ROWS) {
            self.push(vec![Span::raw(row)]);
        }
    }

    pub(super) fn line(&mut self, text: &str, style: Style) {
        let text = cut_middle(text, self.columns(), &self.look.glyphs);
        self.push(vec![Span::styled(text, style)]);
    }

    /// Some of many, under a label.
    pub(super) fn list(&mut self, label: &str, all: impl ExactSizeIterator<Item = String>) {
        let shown = if self.is_whole() { usize::MAX } else { MAX_LIST_ENTRIES };
        let many = all.len();
        if many == 0 {
            return;
        }
        if !label.is_empty() {
            self.line(label, self.look.theme.dim);
            self.indent += 2;
        }
        for text in all.take(shown) {
            self.value(&text);
        }
        if many > shown {
            self.line(&format!("and {} more: `{}` shows them", many - shown, self.browse), self.look.theme.dim);
        }
        if !label.is_empty() {
            self.indent -= 2;
        }
    }
}
