//! The log.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::app::App;
use super::super::cells::{cut, wrap};
use super::super::command::Command;
use super::super::state::log::Level;
use super::frame::pane;

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let (log, theme) = (&app.log, &app.look.theme);
    let least = match log.level {
        Level::Debug => "all",
        Level::Info => "information and above",
        Level::Warning => "warnings and errors",
        Level::Error => "errors",
    };
    let follow = if log.follow { ", following" } else { "" };
    let filter =
        if log.filter.is_empty() { String::new() } else { format!(" /{}", cut(&log.filter, 30, &app.look.glyphs)) };
    let block = pane(
        &app.look,
        Line::from(vec![
            Span::styled(" Log ", theme.title),
            Span::styled(format!("{least}{follow}{filter} "), theme.dim),
        ]),
    );
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let shown = log.shown();
    if shown.is_empty() {
        let rows = wrap(&nothing(app), usize::from(inside.width).saturating_sub(3));
        let lines: Vec<_> = rows.into_iter().map(|row| Line::styled(format!("  {row}"), theme.dim)).collect();
        frame.render_widget(Paragraph::new(lines), inside);
        return;
    }
    let height = usize::from(inside.height).max(1);
    let cursor = if log.follow { shown.len() - 1 } else { log.cursor.min(shown.len() - 1) };
    let top = cursor.saturating_sub(height - 1).min(shown.len().saturating_sub(height));
    let top = if cursor < top { cursor } else { top };
    let lines: Vec<Line<'_>> = shown
        .iter()
        .enumerate()
        .skip(top)
        .take(height)
        .map(|(place, line)| {
            let (word, style) = match line.level {
                Level::Debug => ("debug", theme.dim),
                Level::Info => ("info ", theme.text),
                Level::Warning => ("warn ", theme.warning),
                Level::Error => ("error", theme.danger),
            };
            let job = line.job.map(|job| format!("#{job} ")).unwrap_or_default();
            let text =
                cut(&format!("{job}{}", line.text), usize::from(inside.width).saturating_sub(17), &app.look.glyphs);
            let row = Line::from(vec![
                Span::styled(format!(" {} ", line.at), theme.dim),
                Span::styled(format!("{word} "), style),
                Span::raw(text),
            ]);
            if place == cursor { super::table::under_cursor(row, &app.look) } else { row }
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), inside);
}

/// Why no line is shown, and how to see some.
fn nothing(app: &App) -> String {
    let log = &app.log;
    let (level, filter) = log.hidden();
    let lines = |number: usize| crate::text::count(number as u64, "line", "lines");
    let key = |command| super::key(app, command);
    match (level, filter) {
        (0, 0) => "Nothing has happened yet.".to_owned(),
        (level, 0) => format!("{} of lower levels: {} shows them.", lines(level), key(Command::Level)),
        (_, filter) => {
            let text = cut(&log.filter, 30, &app.look.glyphs);
            format!("The filter {text} hides {}: {} clears it.", lines(filter), key(Command::Back))
        }
    }
}
