//! The registry in figures.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::app::{App, Look};
use super::super::cells::{cut, cut_middle, left, right, wrap};
use super::frame::pane;
use super::more::more;
use crate::catalog::statistics::Figures;
use crate::engine::query::browse::Insight;
use crate::engine::query::view::RepositoryRow;
use crate::text::{bytes, count};

/// Columns of the bars.
const BAR_COLUMNS: usize = 30;
/// Rows of the chart at least, and at most.
const CHART_ROWS: (usize, usize) = (5, 24);

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let (look, theme) = (&app.look, &app.look.theme);
    let block = pane(look, Line::styled(" Stats ", theme.title));
    let inside = block.inner(area);
    if app.stats.insight.is_none() {
        frame.render_widget(block, area);
        frame.render_widget(Paragraph::new(Line::styled("  counting ...", theme.dim)), inside);
        return;
    }
    let parts = parts(app, inside);
    let below = end_of(&parts);
    let scroll = app.stats.scroll.min(below);
    let block = more(app, block, scroll.into(), usize::from(below - scroll));
    frame.render_widget(block, area);
    for (place, lines) in parts {
        let end = beyond(place, &lines);
        frame.render_widget(Paragraph::new(lines).scroll((scroll.min(end), 0)), place);
    }
}

/// How far it can be scrolled.
pub(in crate::tui) fn end(app: &App) -> u16 {
    let body = super::frame::Parts::of(app).body;
    let inside = Rect { height: body.height.saturating_sub(2), width: body.width.saturating_sub(2), ..body };
    end_of(&parts(app, inside))
}

fn end_of(parts: &[(Rect, Vec<Line<'_>>)]) -> u16 {
    parts.iter().map(|(place, lines)| beyond(*place, lines)).max().unwrap_or(0)
}

/// Lines that do not fit.
fn beyond(place: Rect, lines: &[Line<'_>]) -> u16 {
    u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_sub(place.height)
}

/// What is shown where: all of it in a column, or in two of them.
fn parts(app: &App, inside: Rect) -> Vec<(Rect, Vec<Line<'static>>)> {
    let look = &app.look;
    let Some(insight) = &app.stats.insight else { return Vec::new() };
    let text = Rect { x: inside.x + 1, width: inside.width.saturating_sub(2), ..inside };
    if !app.beside() {
        let columns = usize::from(text.width);
        let mut lines = figures(insight, look, columns);
        lines.extend(growth(app, insight, columns, CHART_ROWS.0));
        lines.extend(repositories(insight, look, columns));
        lines.extend(shared(insight, look, columns));
        lines.extend(rest(app, columns));
        return vec![(text, lines)];
    }
    let half = text.width / 2;
    let first = Rect { width: half.saturating_sub(2), ..text };
    let second = Rect { x: text.x + half, width: text.width - half, ..text };
    let columns = usize::from(first.width);
    let (mut left, rest) = (figures(insight, look, columns), rest(app, columns));
    // The chart takes the room that is left, and not more than is good for it: five lines are around it.
    let room = usize::from(first.height).saturating_sub(left.len() + rest.len() + 5);
    left.extend(growth(app, insight, columns, room.clamp(CHART_ROWS.0, CHART_ROWS.1)));
    left.extend(rest);
    let columns = usize::from(second.width);
    let mut right = repositories(insight, look, columns);
    right.extend(shared(insight, look, columns));
    // The first heading is level with what is beside it.
    right.remove(0);
    vec![(first, left), (second, right)]
}

fn bar(value: u64, of: u64, look: &Look) -> String {
    let full = if of == 0 { 0 } else { (u128::from(value.min(of)) * BAR_COLUMNS as u128 / u128::from(of)) as usize };
    format!("{}{}", look.glyphs.bar.0.repeat(full), look.glyphs.bar.1.repeat(BAR_COLUMNS - full))
}

fn figures(insight: &Insight, look: &Look, columns: usize) -> Vec<Line<'static>> {
    let (statistics, theme) = (&insight.statistics, &look.theme);
    let mut lines = Vec::new();
    let all = Figures { logical: statistics.logical, stored: statistics.stored, unique: statistics.stored };
    let percent = all.percent();
    for (label, value) in [("logical", statistics.logical), ("stored", statistics.stored), ("saved", statistics.saved)]
    {
        let percent = percent.map_or_else(String::new, |(stored, saved)| match label {
            "logical" => " 100 %".to_owned(),
            "stored" => format!(" {stored} %"),
            _ => format!(" {saved} %"),
        });
        lines.push(Line::from(vec![
            Span::styled(left(label, 8, &look.glyphs), theme.dim),
            Span::raw(format!("{} ", right(&bytes(value), 9, &look.glyphs))),
            Span::styled(bar(value, statistics.logical, look), theme.accent),
            Span::styled(percent, theme.dim),
        ]));
    }
    let counts = &statistics.counts;
    let words = [
        count(counts.repositories, "repository", "repositories"),
        count(counts.images, "image", "images"),
        count(counts.blobs, "blob", "blobs"),
    ]
    .join(", ");
    lines.push(Line::styled(cut(&words, columns, &look.glyphs), theme.dim));
    if let Some(room) = insight.room {
        let words = format!("{} free of {} on the disk of the data directory", bytes(room.free), bytes(room.total));
        lines.push(Line::styled(cut(&words, columns, &look.glyphs), theme.dim));
    }
    lines
}

fn headed(title: &str, look: &Look) -> Vec<Line<'static>> {
    vec![Line::raw(""), Line::styled(title.to_owned(), look.theme.title)]
}

/// How the registry grew.
fn growth(app: &App, insight: &Insight, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let mut lines = headed("Bytes of the published root over time", &app.look);
    lines.extend(super::growth::chart(app, &insight.growth, columns, rows));
    lines
}

/// What a bar is as long as.
type Figure = fn(&RepositoryRow) -> u64;

fn repositories(insight: &Insight, look: &Look, columns: usize) -> Vec<Line<'static>> {
    let theme = &look.theme;
    let mut lines = Vec::new();
    let mut part = |title: &str,
                    rows: &[RepositoryRow],
                    first: fn(&RepositoryRow) -> u64,
                    (word, second): (&str, fn(&RepositoryRow) -> u64)| {
        lines.extend(headed(title, look));
        let most = rows.first().map_or(0, first);
        for row in rows {
            let bar: String = bar(first(row), most, look).chars().take(BAR_COLUMNS).step_by(3).collect();
            let note = format!("{word} {} ", right(&bytes(second(row)), 9, &look.glyphs));
            lines.push(Line::from(vec![
                Span::raw(format!("{} ", right(&bytes(first(row)), 9, &look.glyphs))),
                Span::styled(format!("{bar} "), theme.accent),
                Span::styled(note, theme.dim),
                Span::styled(cut_middle(&row.name, columns.saturating_sub(38), &look.glyphs), theme.name),
            ]));
        }
        if rows.is_empty() {
            lines.push(Line::styled("There is none yet.", theme.dim));
        }
    };
    let logical: Figure = |row| row.figures.logical;
    let unique: Figure = |row| row.figures.unique;
    part("Repositories by size", &insight.largest, logical, ("unique", unique));
    part("Repositories by unique bytes", &insight.statistics.repositories, unique, ("of all", logical));
    lines
}

fn shared(insight: &Insight, look: &Look, columns: usize) -> Vec<Line<'static>> {
    let theme = &look.theme;
    let mut lines = headed("Layers that save most by being shared", look);
    if insight.statistics.most_shared.is_empty() {
        lines.push(Line::styled("No two images share a layer yet.", theme.dim));
    }
    for row in &insight.statistics.most_shared {
        let text = format!("{} images: {}", row.images, row.of.join(", "));
        lines.push(Line::from(vec![
            Span::raw(format!("{} ", right(&bytes(row.size), 9, &look.glyphs))),
            Span::styled(format!("{} ", cut_middle(&row.digest.to_string(), 18, &look.glyphs)), theme.name),
            Span::styled(cut(&text, columns.saturating_sub(29), &look.glyphs), theme.dim),
        ]));
    }
    lines
}

fn rest(app: &App, columns: usize) -> Vec<Line<'static>> {
    let (look, theme) = (&app.look, &app.look.theme);
    let mut lines = headed("Pulls left", look);
    if app.jobs.quotas.is_empty() {
        let words = "No registry has reported a limit yet; Docker Hub reports it with every pull.";
        lines.extend(wrap(words, columns).into_iter().map(|row| Line::styled(row, theme.dim)));
    }
    for (registry, (remaining, of)) in &app.jobs.quotas {
        let style = if remaining * 10 < *of { theme.warning } else { theme.text };
        lines.push(Line::styled(cut(&format!("{registry}: {remaining} of {of}"), columns, &look.glyphs), style));
    }
    lines
}
