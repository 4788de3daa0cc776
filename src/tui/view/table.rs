//! A table of which only the rows on the screen are made.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::app::Look;
use super::super::cells;

/// A column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) title: &'static str,
    /// Columns of the terminal it takes; 0: what is left.
    pub(super) width: u16,
    /// Numbers stand at the right.
    pub(super) right: bool,
    /// It is left out below so many columns in total.
    pub(super) from: u16,
    /// The list is sorted by it: downwards or upwards.
    pub(super) sorted: Option<bool>,
}

impl Column {
    pub(super) const fn new(title: &'static str, width: u16) -> Self {
        Self { title, width, right: false, from: 0, sorted: None }
    }

    pub(super) const fn right(mut self) -> Self {
        self.right = true;
        self
    }

    pub(super) const fn from(mut self, columns: u16) -> Self {
        self.from = columns;
        self
    }

    pub(super) const fn sorted(mut self, sorted: Option<bool>) -> Self {
        self.sorted = sorted;
        self
    }
}

/// The columns that fit, each with its width.
pub(super) fn fit(columns: &[Column], area: Rect) -> Vec<(usize, Column)> {
    let mut fitting: Vec<(usize, Column)> =
        columns.iter().copied().enumerate().filter(|(_, column)| column.from <= area.width).collect();
    let fixed: u16 = fitting.iter().map(|(_, column)| column.width + 1).sum();
    let open = u16::try_from(fitting.iter().filter(|(_, column)| column.width == 0).count()).unwrap_or(1).max(1);
    // Two columns at the left are for cursor and mark.
    let room = area.width.saturating_sub(fixed + 2);
    for (_, column) in &mut fitting {
        if column.width == 0 {
            column.width = (room / open).max(8);
        }
    }
    fitting
}

/// Which column is there, counted from the left of the table.
pub(super) fn column_at(fitting: &[(usize, Column)], at: u16) -> Option<usize> {
    let mut begin = 2;
    fitting.iter().find_map(|(place, column)| {
        let range = begin..begin + column.width + 1;
        begin = range.end;
        range.contains(&at).then_some(*place)
    })
}

/// The heads of the columns.
pub(super) fn head(fitting: &[(usize, Column)], look: &Look) -> Line<'static> {
    let mut spans = vec![Span::raw("  ")];
    for (_, column) in fitting {
        let sign = match column.sorted {
            Some(true) => look.glyphs.down,
            Some(false) => look.glyphs.up,
            None => "",
        };
        let title = if sign.is_empty() { column.title.to_owned() } else { format!("{} {sign}", column.title) };
        let columns = usize::from(column.width);
        let text = if column.right {
            cells::right(&title, columns, &look.glyphs)
        } else {
            cells::left(&title, columns, &look.glyphs)
        };
        spans.push(Span::styled(format!("{text} "), look.theme.title));
    }
    Line::from(spans)
}

/// A line as it looks under the cursor: in one piece, whatever colours its parts have elsewhere.
pub(super) fn under_cursor<'l>(mut line: Line<'l>, look: &Look) -> Line<'l> {
    line.spans.iter_mut().for_each(|span| span.style = Style::new());
    line.style(look.theme.selected)
}

/// A row.
pub(super) fn row(
    fitting: &[(usize, Column)],
    look: &Look,
    texts: &[(String, Style)],
    selected: bool,
    marked: bool,
    columns: u16,
) -> Line<'static> {
    let cursor = if selected { look.glyphs.cursor } else { " " };
    let mark = if marked { look.glyphs.marked } else { " " };
    let mut spans = vec![Span::styled(format!("{cursor}{mark}"), look.theme.accent)];
    for (place, column) in fitting {
        let Some((text, style)) = texts.get(*place) else { continue };
        let columns = usize::from(column.width);
        let text = if column.right {
            cells::right(text, columns, &look.glyphs)
        } else {
            cells::left(text, columns, &look.glyphs)
        };
        spans.push(Span::styled(text, *style));
        spans.push(Span::raw(" "));
    }
    if selected {
        let taken: usize = spans.iter().map(|span| cells::width(&span.content)).sum();
        spans.push(Span::raw(" ".repeat(usize::from(columns).saturating_sub(taken))));
        return under_cursor(Line::from(spans), look);
    }
    Line::from(spans)
}
