//! The registry in figures.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::app::App;
use super::super::cells::{cut, cut_middle, left, right};
use super::frame::pane;
use crate::text::bytes;

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let (look, theme) = (&app.look, &app.look.theme);
    let block = pane(look, Line::styled(" Stats ", theme.title));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let Some(statistics) = &app.stats.statistics else {
        frame.render_widget(Paragraph::new(Line::styled("  counting …", theme.dim)), inside);
        return;
    };
    let columns = usize::from(inside.width).saturating_sub(2);
    let mut lines = Vec::new();
    let mut figure = |label: &str, value: u64| {
        let full = if statistics.logical == 0 {
            0
        } else {
            (u128::from(value) * 30 / u128::from(statistics.logical)) as usize
        };
        lines.push(Line::from(vec![
            Span::styled(left(label, 10, &look.glyphs), theme.dim),
            Span::raw(format!("{} ", right(&bytes(value), 9, &look.glyphs))),
            Span::styled(look.glyphs.bar.0.repeat(full.min(30)), theme.accent),
        ]));
    };
    figure("logical", statistics.logical);
    figure("stored", statistics.stored);
    figure("saved", statistics.saved);
    let counts = &statistics.counts;
    lines.push(Line::styled(
        format!("{} repositories, {} images, {} blobs", counts.repositories, counts.images, counts.blobs),
        theme.dim,
    ));
    lines.push(Line::raw(""));
    lines.push(Line::styled("Repositories by what they alone cost", theme.title));
    for row in &statistics.repositories {
        lines.push(Line::from(vec![
            Span::raw(format!("{} ", right(&bytes(row.figures.unique), 9, &look.glyphs))),
            Span::styled(format!("of {} ", right(&bytes(row.figures.logical), 9, &look.glyphs)), theme.dim),
            Span::styled(cut_middle(&row.name, columns.saturating_sub(24), &look.glyphs), theme.name),
        ]));
    }
    lines.push(Line::raw(""));
    lines.push(Line::styled("Blobs that save most by being shared", theme.title));
    for row in &statistics.most_shared {
        let text = format!("in {} images: {}", row.images, row.of.join(", "));
        lines.push(Line::from(vec![
            Span::raw(format!("{} ", right(&bytes(row.size), 9, &look.glyphs))),
            Span::styled(format!("{} ", cut_middle(&row.digest.to_string(), 24, &look.glyphs)), theme.name),
            Span::styled(cut(&text, columns.saturating_sub(36), &look.glyphs), theme.dim),
        ]));
    }
    if !app.jobs.quotas.is_empty() {
        lines.push(Line::raw(""));
        lines.push(Line::styled("Pulls left", theme.title));
        for (registry, (remaining, of)) in &app.jobs.quotas {
            lines.push(Line::raw(cut(&format!("{registry}: {remaining} of {of}"), columns, &look.glyphs)));
        }
    }
    let end = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_sub(inside.height);
    let text = Rect { x: inside.x + 1, width: inside.width.saturating_sub(1), ..inside };
    frame.render_widget(Paragraph::new(lines).scroll((app.stats.scroll.min(end), 0)), text);
}
