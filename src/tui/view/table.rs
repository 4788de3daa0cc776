//! A table of which only the rows on the screen are made.

use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::super::app::Look;
use super::super::cells;
use super::super::columns::{self, Width};

#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) title: &'static str,
    /// Columns of the terminal it takes, or at least takes; 0: what is left.
    pub(super) width: u16,
    /// What it would take if it could.
    pub(super) need: u16,
    /// It is left out where the names would be cut else.
    pub(super) spare: bool,
    /// Numbers stand at the right.
    pub(super) right: bool,
    /// It is left out below so many columns in total.
    pub(super) from: u16,
    /// The list is sorted by it: downwards or upwards.
    pub(super) sorted: Option<bool>,
}

/// The columns of a list. `need`: how many columns the texts of one of them need, by its id; the list is sorted by `sorted`,
/// downwards or upwards.
pub(super) fn columns<Cells, Order: Copy + PartialEq>(
    definitions: &[columns::Column<Cells, Order>],
    need: impl Fn(&str) -> Option<u16>,
    sorted: Option<(Order, bool)>,
) -> Vec<Column> {
    let column = |definition: &columns::Column<Cells, Order>| {
        let Width { least, most, right, from, spare } = definition.width;
        let sorted = sorted.filter(|(order, _)| *order == definition.order).map(|(_, descending)| descending);
        let need = need(definition.id).map_or(least, |need| need.min(most));
        Column { title: definition.title, width: least, need, spare, right, from, sorted }
    };
    definitions.iter().map(column).collect()
}

/// As [`columns`], each as wide as it needs to be from the beginning, but the one that takes what is left.
pub(super) fn fixed<Cells>(definitions: &[columns::Column<Cells>], need: impl Fn(&str) -> Option<u16>) -> Vec<Column> {
    let fixed = |column: Column| match column.width {
        0 => column,
        width => Column { width: width.max(column.need), ..column },
    };
    columns(definitions, need, None).into_iter().map(fixed).collect()
}

/// A name that has so many columns is not made longer by leaving other columns out.
const ENOUGH_NAME_COLUMNS: u16 = 40;

/// Columns that a name has at least.
const MIN_NAME_COLUMNS: u16 = 8;

/// The columns that fit, each with its width. Names come first: what is spare gives way to them, and what can grow does so
/// into what they do not need. The column that the list is sorted by is always there.
pub(super) fn fit(columns: &[Column], area: Rect) -> Vec<(usize, Column)> {
    let is_there = |column: &Column| column.from <= area.width || column.sorted.is_some();
    let mut fitting: Vec<(usize, Column)> =
        columns.iter().copied().enumerate().filter(|(_, column)| is_there(column)).collect();
    // Two columns at the left are for cursor and mark.
    let room = |fitting: &[(usize, Column)]| {
        area.width.saturating_sub(fitting.iter().map(|(_, column)| column.width + 1).sum::<u16>() + 2)
    };
    let wanted = |fitting: &[(usize, Column)], most: u16| -> u16 {
        fitting
            .iter()
            .filter(|(_, column)| column.width == 0)
            .map(|(_, column)| column.need.max(MIN_NAME_COLUMNS).min(most))
            .sum()
    };
    while room(&fitting) < wanted(&fitting, ENOUGH_NAME_COLUMNS) {
        // The narrowest that makes room enough; where none does, the widest, and then another one.
        let lacks = wanted(&fitting, ENOUGH_NAME_COLUMNS) - room(&fitting);
        let can_go = |column: &Column| column.spare && column.sorted.is_none();
        let spare = || fitting.iter().enumerate().filter(|(_, (_, column))| can_go(column));
        let enough =
            spare().filter(|(_, (_, column))| column.width + 1 >= lacks).min_by_key(|(_, (_, column))| column.width);
        let goes = enough.or_else(|| spare().max_by_key(|(_, (_, column))| column.width));
        let Some(place) = goes.map(|(place, _)| place) else { break };
        fitting.remove(place);
    }
    let mut spare = room(&fitting).saturating_sub(wanted(&fitting, u16::MAX));
    for (_, column) in fitting.iter_mut().filter(|(_, column)| column.width > 0) {
        let more = column.need.saturating_sub(column.width).min(spare);
        (column.width, spare) = (column.width + more, spare - more);
    }
    let open = u16::try_from(fitting.iter().filter(|(_, column)| column.width == 0).count()).unwrap_or(1).max(1);
    let room = room(&fitting);
    for (_, column) in fitting.iter_mut().filter(|(_, column)| column.width == 0) {
        column.width = (room / open).max(MIN_NAME_COLUMNS);
    }
    fitting
}

/// How wide the column of this id is; 0 where it is left out.
pub(super) fn width_of<Cells, Order>(
    fitting: &[(usize, Column)],
    definitions: &[columns::Column<Cells, Order>],
    id: &str,
) -> usize {
    let is_it = |place: usize| definitions.get(place).is_some_and(|definition| definition.id == id);
    fitting.iter().find(|(place, _)| is_it(*place)).map_or(0, |(_, column)| usize::from(column.width))
}

/// How wide a table would like to be, with its cursor and without its frame.
pub(super) fn need(columns: &[Column]) -> u16 {
    columns.iter().map(|column| column.need.max(column.width) + 1).sum::<u16>() + 2
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

/// How a row stands to the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cursor {
    Elsewhere,
    /// It is here, and so are the keys.
    Here,
    /// It is here, while something else has the keys.
    Left,
}

pub(super) fn row(
    fitting: &[(usize, Column)],
    look: &Look,
    texts: &[(String, Style)],
    selected: bool,
    marked: bool,
    columns: u16,
) -> Line<'static> {
    let cursor = if selected { Cursor::Here } else { Cursor::Elsewhere };
    row_with(fitting, look, texts, cursor, marked, columns)
}

/// A row of a list that may be beside what has the keys.
pub(super) fn row_with(
    fitting: &[(usize, Column)],
    look: &Look,
    texts: &[(String, Style)],
    at: Cursor,
    marked: bool,
    columns: u16,
) -> Line<'static> {
    let cursor = if at == Cursor::Elsewhere { " " } else { look.glyphs.cursor };
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
    if at == Cursor::Left {
        return Line::from(spans).patch_style(look.theme.title);
    }
    if at == Cursor::Here {
        let taken: usize = spans.iter().map(|span| cells::width(&span.content)).sum();
        spans.push(Span::raw(" ".repeat(usize::from(columns).saturating_sub(taken))));
        return under_cursor(Line::from(spans), look);
    }
    Line::from(spans)
}

/// A row of which these letters of the first column match what is looked for.
pub(super) fn matched(mut line: Line<'static>, letters: &[usize], look: &Look, selected: bool) -> Line<'static> {
    // Behind the cursor's column.
    const FIRST: usize = 1;
    let Some(whole) = line.spans.get(FIRST).filter(|_| !letters.is_empty()).cloned() else { return line };
    let style = if selected { whole.style } else { look.theme.warning };
    let style = style.add_modifier(Modifier::BOLD | Modifier::UNDERLINED);
    let mut parts: Vec<Span<'static>> = Vec::new();
    let mut was = None;
    for (place, letter) in whole.content.chars().enumerate() {
        let is_matched = letters.binary_search(&place).is_ok();
        match parts.last_mut().filter(|_| was == Some(is_matched)) {
            Some(part) => part.content.to_mut().push(letter),
            None => parts.push(Span::styled(letter.to_string(), if is_matched { style } else { whole.style })),
        }
        was = Some(is_matched);
    }
    line.spans.splice(FIRST..=FIRST, parts);
    line
}

#[cfg(test)]
mod tests {
    use super::super::super::glyphs::UNICODE;
    use super::super::super::theme::Theme;
    use super::*;

    fn widths(columns: &[Column], width: u16) -> Vec<(&'static str, u16)> {
        let fitting = fit(columns, Rect::new(0, 0, width, 10));
        fitting.iter().map(|(_, column)| (column.title, column.width)).collect()
    }

    #[test]
    fn what_matches_stands_out_also_under_the_cursor() {
        let look = Look { theme: Theme::terminal(), glyphs: UNICODE };
        for selected in [false, true] {
            let columns =
                [Column { title: "NAME", width: 7, need: 7, spare: false, right: false, from: 0, sorted: None }];
            let fitting = fit(&columns, Rect::new(0, 0, 20, 1));
            let texts = [("a…nginx".to_owned(), look.theme.name)];
            let line = matched(row(&fitting, &look, &texts, selected, false, 20), &[2, 3, 6], &look, selected);
            let marked = |span: &&Span<'_>| span.style.add_modifier.contains(Modifier::UNDERLINED);
            let found: Vec<&str> = line.spans.iter().filter(marked).map(|span| span.content.as_ref()).collect();
            assert_eq!(found, ["ng", "x"]);
            assert!(line.to_string().contains("a…nginx"));
        }
    }

    #[test]
    fn names_come_before_what_is_spare() {
        let column =
            |title, width, need, spare| Column { title, width, need, spare, right: false, from: 0, sorted: None };
        let columns = |name| [column("NAME", 0, name, false), column("MORE", 11, 22, true), column("N", 5, 5, false)];
        // Two for cursor and mark, and one after each column.
        assert_eq!(widths(&columns(10), 60), [("NAME", 28), ("MORE", 22), ("N", 5)]);
        assert_eq!(widths(&columns(30), 60), [("NAME", 30), ("MORE", 20), ("N", 5)]);
        assert_eq!(widths(&columns(40), 60), [("NAME", 51), ("N", 5)]);
        assert_eq!(widths(&columns(200), 80), [("NAME", 59), ("MORE", 11), ("N", 5)], "they are cut all the same");
        let two = [columns(10)[0], columns(10)[1], column("AGE", 7, 7, true), columns(10)[2]];
        assert_eq!(widths(&two, 34), [("NAME", 10), ("MORE", 14), ("N", 5)], "the narrowest that is enough goes");
        let mut sorted = columns(40);
        (sorted[1].sorted, sorted[1].from) = (Some(false), 100);
        assert_eq!(widths(&sorted, 60), [("NAME", 39), ("MORE", 11), ("N", 5)], "what it is sorted by stays");
    }
}
