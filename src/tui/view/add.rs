//! The dialog in which images are added: the text, what completes it, the platforms, the plan.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use super::super::app::App;
use super::super::cells::{cut, wrap};
use super::super::describe::{self, Role, Row};
use super::super::dialog::add::{Add, Known};
use super::dialogs::{field, keys_line, middle, style};
use super::frame::pane;
use crate::text::count;

/// Lines of the body, so that the dialog does not jump while what it shows changes.
pub(super) const LINES: usize = 18;
/// Platforms that are shown at once.
pub(super) const PLATFORMS: usize = 5;

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect, add: &Add) {
    let look = &app.look;
    let place = middle(area, LINES);
    frame.render_widget(Clear, place);
    let block = pane(look, Line::styled(" Add images ", look.theme.title)).border_style(look.theme.accent);
    let inside = block.inner(place);
    frame.render_widget(block, place);
    let row = |y: u16, height: u16| Rect {
        x: inside.x + 1,
        y: inside.y + y.min(inside.height),
        width: inside.width.saturating_sub(2),
        height: height.min(inside.height.saturating_sub(y)),
    };
    let columns = usize::from(inside.width).saturating_sub(2);
    field(look, frame, row(0, 1), "> ", &add.field);
    frame.render_widget(Paragraph::new(completions(app, add, columns)), row(1, 1));

    let lines = body(app, add, columns);
    let room = inside.height.saturating_sub(5);
    let end = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_sub(room);
    frame.render_widget(Paragraph::new(lines).scroll((add.scroll.min(end), 0)), row(3, room));
    let keys = keys(add, end);
    let foot = Rect { y: inside.bottom().saturating_sub(1), height: inside.height.min(1), ..inside };
    frame.render_widget(Paragraph::new(keys_line(look, &keys)), foot);
}

/// What is below the text that is typed.
fn body(app: &App, add: &Add, columns: usize) -> Vec<Line<'static>> {
    let mut lines = platforms(app, add, columns);
    for (role, text) in rows(app, add) {
        let indent = text.len() - text.trim_start().len();
        for (place, part) in wrap(text.trim_start(), columns.saturating_sub(indent + 2)).into_iter().enumerate() {
            let indent = if place == 0 { indent } else { indent + 2 };
            lines.push(Line::styled(format!("{:indent$}{part}", ""), style(&app.look, role)));
        }
    }
    lines
}

/// How far that can be scrolled in a dialog of this place.
pub(super) fn end(app: &App, add: &Add, place: Rect) -> u16 {
    let lines = body(app, add, usize::from(place.width.saturating_sub(4))).len();
    u16::try_from(lines).unwrap_or(u16::MAX).saturating_sub(place.height.saturating_sub(7))
}

/// The keys that mean something now.
pub(super) fn keys(add: &Add, end: u16) -> Vec<(&'static str, &'static str)> {
    let enter = match &add.known {
        Known::Plan(_, described) if described.nothing.is_none() => Some(("enter", "add")),
        Known::Nothing | Known::Problem(_) if !add.field.value().trim().is_empty() => Some(("enter", "look it up")),
        _ => None,
    };
    let mut keys: Vec<_> = enter.into_iter().collect();
    if !add.completions.is_empty() {
        keys.push(("tab", "complete"));
    }
    match (add.at, add.platforms.len()) {
        (Some(_), _) => keys.push(("space", "choose")),
        (None, 2..) => keys.push(("down", "platforms")),
        _ => {}
    }
    if end > 0 {
        keys.push(("page-down", "more"));
    }
    keys.push(("esc", if add.at.is_some() { "back" } else { "close" }));
    keys
}

/// What would complete the word, or what is known of upstream's tags.
fn completions(app: &App, add: &Add, columns: usize) -> Line<'static> {
    let (look, theme) = (&app.look, &app.look.theme);
    if !add.completions.is_empty() {
        let words = add.completions.iter().take(20).cloned().collect::<Vec<_>>().join("  ");
        return Line::styled(format!("  {}", cut(&words, columns.saturating_sub(2), &look.glyphs)), theme.dim);
    }
    match add.tags() {
        Some(Ok(many @ 1..)) => {
            let words = format!("  upstream has {}; `:` and Tab go through them", count(many as u64, "tag", "tags"));
            Line::styled(cut(&words, columns, &look.glyphs), theme.dim)
        }
        Some(Err(why)) => {
            Line::styled(cut(&format!("  its tags can't be listed: {why}"), columns, &look.glyphs), theme.dim)
        }
        _ => Line::raw(""),
    }
}

/// The platforms that the image has, those around the cursor.
fn platforms(app: &App, add: &Add, columns: usize) -> Vec<Line<'static>> {
    let (look, theme) = (&app.look, &app.look.theme);
    if add.platforms.len() < 2 {
        return Vec::new();
    }
    let chosen = add.platforms.iter().filter(|(_, chosen)| *chosen).count();
    let mut lines = vec![Line::styled(format!("Platforms, {chosen} of {}", add.platforms.len()), theme.title)];
    let top = add.at.unwrap_or(0).saturating_sub(PLATFORMS - 1);
    for (place, (name, chosen)) in add.platforms.iter().enumerate().skip(top).take(PLATFORMS) {
        let at = add.at == Some(place);
        let cursor = if at { look.glyphs.cursor } else { " " };
        let mark = if *chosen { "[x]" } else { "[ ]" };
        let text = cut(&format!("{cursor} {mark} {name}"), columns, &look.glyphs);
        let line = Line::from(Span::styled(text, if *chosen { theme.name } else { theme.text }));
        lines.push(if at { super::table::under_cursor(line, look) } else { line });
    }
    lines.push(Line::raw(""));
    lines
}

/// The plan, or what there is instead of one.
fn rows(app: &App, add: &Add) -> Vec<Row> {
    let mut rows = Vec::new();
    match &add.known {
        Known::Nothing if add.field.value().trim().is_empty() => {
            rows.push((Role::Dim, "nginx:alpine, ghcr.io/org/app:1.2, oci:DIR, oci-archive:FILE".to_owned()));
            rows.push((Role::Dim, "Several are separated by spaces or lines.".to_owned()));
        }
        Known::Nothing => rows.push((Role::Dim, String::new())),
        Known::Asking(ticket) => {
            rows.push((Role::Dim, format!("{} asking what there is", app.look.glyphs.waiting)));
            rows.extend(app.waits.iter().filter(|(of, _)| of == ticket).map(|(_, why)| (Role::Warning, why.clone())));
        }
        Known::Problem(problem) => {
            rows.push((Role::Danger, problem.message.clone()));
            rows.extend(problem.hints.iter().map(|hint| (Role::Dim, hint.clone())));
        }
        Known::Plan(plan, described) => {
            rows.extend(described.rows.iter().cloned());
            if let Some(nothing) = described.nothing.as_ref().filter(|nothing| !nothing.is_empty()) {
                rows.push((Role::Good, nothing.clone()));
            }
            rows.extend(describe::pulls(plan, &app.jobs.quotas));
        }
    }
    rows
}
