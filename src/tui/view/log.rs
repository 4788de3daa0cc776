//! The log.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::app::App;
use super::super::cells::cut;
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
        frame.render_widget(Paragraph::new(Line::styled("  Nothing has happened yet.", theme.dim)), inside);
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
