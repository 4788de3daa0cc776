//! How the registry grew, as a chart over time: how many bytes the root had that was the newest one then.

use jiff::Timestamp;
use ratatui::text::{Line, Span};

use super::super::app::App;
use super::super::cells::{age, cut, right, width};
use crate::text::{bytes, count};

/// Columns of the labels at the left.
const LABEL_COLUMNS: usize = 9;
/// Columns of the chart at most.
const MAX_COLUMNS: usize = 120;
/// Columns of a date, and of what is free before the next one.
const DATE_COLUMNS: usize = 12;
/// Seconds of a chart that is labelled by the hour.
const HOURLY_SECONDS: i64 = 3 * 86_400;
/// Heights of a column of the chart, from nothing to full.
const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// The sizes at so many points of time from the first publication until now: at each the last one that was before it.
fn over_time(growth: &[(i64, u64)], now: i64, columns: usize) -> Vec<u64> {
    let Some((first, _)) = growth.first() else { return Vec::new() };
    let span = i128::from(now.saturating_sub(*first).max(1));
    let mut before = growth.iter().peekable();
    let mut size = 0;
    (1..=columns)
        .map(|column| {
            let at = i128::from(*first) + span * column as i128 / columns as i128;
            while let Some((_, next)) = before.next_if(|(when, _)| i128::from(*when) <= at) {
                size = *next;
            }
            size
        })
        .collect()
}

/// The eighths of a cell that are full, of a column that is so high.
fn filled(size: u64, most: u64, rows: usize, row: usize) -> usize {
    let eighths = (u128::from(size) * (rows * 8) as u128).div_ceil(u128::from(most.max(1))) as usize;
    eighths.saturating_sub(row * 8).min(8)
}

/// The dates below the chart, the first one at its left edge and the last one at its right.
fn dates(app: &App, first: i64, columns: usize) -> String {
    let now = app.wall.as_second();
    let format = if now.saturating_sub(first) < HOURLY_SECONDS { "%m-%d %H:%M" } else { "%Y-%m-%d" };
    let date = |at: i64| {
        let at = Timestamp::from_second(at).unwrap_or(app.wall).to_zoned_datetime(app.zone.clone());
        at.strftime(format).to_string()
    };
    let marks = (columns / (2 * DATE_COLUMNS)).clamp(1, 4);
    let mut text = String::new();
    for mark in 0..marks {
        let at = columns * mark / marks;
        let seconds = i128::from(now.saturating_sub(first)) * mark as i128 / marks as i128;
        text.extend(std::iter::repeat_n(' ', at.saturating_sub(width(&text))));
        text.push_str(&date(first.saturating_add(i64::try_from(seconds).unwrap_or(0))));
    }
    text.extend(std::iter::repeat_n(' ', columns.saturating_sub(width(&text) + 3)));
    text.push_str("now");
    text
}

/// The chart in so many columns and rows, with its axes, and what it shows.
pub(super) fn chart(app: &App, growth: &[(i64, u64)], columns: usize, rows: usize) -> Vec<Line<'static>> {
    let (look, theme) = (&app.look, &app.look.theme);
    let mut lines = Vec::new();
    let wide = columns.saturating_sub(LABEL_COLUMNS + 2).clamp(1, MAX_COLUMNS);
    let sizes = over_time(growth, app.wall.as_second(), wide);
    let (Some((first, _)), Some((last, _))) = (growth.first(), growth.last()) else {
        lines.push(Line::styled(cut("Nothing published yet.", columns, &look.glyphs), theme.dim));
        return lines;
    };
    let most = sizes.iter().copied().max().unwrap_or(0).max(1);
    let (tick, line, corner, flat) =
        if look.glyphs.boxes { ("┤", "│", "└", "─") } else { ("+", "|", "+", "-") };
    for row in (0..rows).rev() {
        let cell = |size: &u64| match (look.glyphs.boxes, filled(*size, most, rows, row)) {
            (true, eighths) => EIGHTHS[eighths],
            (false, 0) => " ",
            (false, 1..=4) => "_",
            (false, _) => "#",
        };
        // The upper edge of a row is what its label says.
        let label = if row == rows - 1 {
            bytes(most)
        } else if rows >= 4 && row + 1 == rows / 2 {
            bytes((u128::from(most) * (row + 1) as u128 / rows as u128) as u64)
        } else {
            String::new()
        };
        let edge = if label.is_empty() { line } else { tick };
        lines.push(Line::from(vec![
            Span::styled(format!("{} {edge}", right(&label, LABEL_COLUMNS, &look.glyphs)), theme.dim),
            Span::styled(sizes.iter().map(cell).collect::<String>(), theme.accent),
        ]));
    }
    let axis = format!("{} {corner}{}", right("0", LABEL_COLUMNS, &look.glyphs), flat.repeat(wide));
    lines.push(Line::styled(axis, theme.dim));
    lines.push(Line::styled(format!("{:1$}{2}", "", LABEL_COLUMNS + 2, dates(app, *first, wide)), theme.dim));
    let ago = |at: i64| age(app.wall.as_second() - at);
    let full = if look.glyphs.boxes { "█" } else { "#" };
    let roots = count(growth.len() as u64, "kept root", "kept roots");
    let when = if growth.len() == 1 { format!("{} ago", ago(*first)) } else { format!("the last {} ago", ago(*last)) };
    let words = cut(&format!("newest root then; {roots}, {when}"), columns.saturating_sub(2), &look.glyphs);
    lines.push(Line::from(vec![Span::styled(format!("{full} "), theme.accent), Span::styled(words, theme.dim)]));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_column_has_the_root_that_was_the_newest_then() {
        let growth = [(0, 10), (50, 30), (90, 20)];
        assert_eq!(over_time(&growth, 100, 10), [10, 10, 10, 10, 30, 30, 30, 30, 20, 20]);
        assert_eq!(over_time(&growth, 0, 2), [10, 10], "a clock that goes wrong");
        assert!(over_time(&[], 100, 3).is_empty());
        assert_eq!(over_time(&[(7, u64::MAX)], i64::MAX, 2), [u64::MAX; 2]);
    }

    #[test]
    fn the_largest_fills_the_chart_and_what_is_there_is_seen() {
        let of = |size| (0..4).map(|row| filled(size, 1000, 4, row)).collect::<Vec<_>>();
        assert_eq!(of(1000), [8; 4]);
        assert_eq!(of(500), [8, 8, 0, 0]);
        assert_eq!(of(1), [1, 0, 0, 0]);
        assert_eq!(of(0), [0; 4]);
    }
}
