//! Dialogs over a view.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use super::super::app::{App, Look};
use super::super::cells::{cut, left, width, wrap};
use super::super::describe::{Role, Row};
use super::super::dialog::Dialog;
use super::super::dialog::form::{self, Form};
use super::super::dialog::palette::Palette;
use super::frame::pane;

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    for dialog in &app.dialogs {
        match dialog {
            Dialog::Planning { ticket, request, because } => {
                let mut rows = Vec::new();
                rows.extend(because.iter().map(|because| (Role::Warning, because.clone())));
                rows.push((Role::Text, format!("{} {}", request.title(), app.look.glyphs.waiting)));
                rows.extend(app.waits.iter().filter(|(of, _)| of == ticket).map(|(_, why)| (Role::Dim, why.clone())));
                text(app, frame, area, "Asking", &rows, 0, &[("esc", "give up")]);
            }
            Dialog::Add(add) => super::add::draw(app, frame, area, add),
            Dialog::Cut(requests) => {
                let mut rows = vec![(Role::Text, "These were cut when the program ended the last time:".to_owned())];
                rows.extend(requests.iter().map(|request| (Role::Name, format!("  {}", request.title()))));
                rows.push((Role::Dim, "What was verified of them is here. Going on shows each plan first.".to_owned()));
                text(app, frame, area, "Go on?", &rows, 0, &[("enter", "go on"), ("esc", "forget them")]);
            }
            Dialog::Confirm(confirm) => {
                let keys = confirm.keys();
                let keys: Vec<(&str, &str)> = keys.iter().map(|(key, what)| (*key, what.as_str())).collect();
                let nothing = [("enter", "close")];
                let keys: &[(&str, &str)] = if confirm.described.nothing.is_some() { &nothing } else { &keys };
                text(app, frame, area, &confirm.described.title, &confirm.described.rows, confirm.scroll, keys);
            }
            // It is in the footer.
            Dialog::Prompt(_) => {}
            Dialog::Form(filled) => form(app, frame, area, filled),
            Dialog::Palette(palette) => commands(app, frame, area, palette),
            Dialog::Menu(menu) => {
                let rows: Vec<Row> = menu
                    .items
                    .iter()
                    .enumerate()
                    .map(|(place, item)| {
                        let cursor = if place == menu.cursor { app.look.glyphs.cursor } else { " " };
                        (
                            if place == menu.cursor { Role::Name } else { Role::Text },
                            format!("{cursor} {}  {}: {}", item.key, item.title, item.value),
                        )
                    })
                    .collect();
                text(app, frame, area, &menu.title, &rows, 0, &[("enter", "copy"), ("esc", "close")]);
            }
            Dialog::Message { title, rows, scroll } => {
                text(app, frame, area, title, rows, *scroll, &[("esc", "close")]);
            }
            Dialog::Leave => {
                let running = app.jobs.running().count() as u64;
                let jobs = crate::text::count(running, "job is", "jobs are");
                let rows = [
                    (Role::Text, format!("{jobs} running.")),
                    (
                        Role::Dim,
                        "Cancelled ones lose nothing: what is verified is kept, and they go on from there.".to_owned(),
                    ),
                ];
                text(
                    app,
                    frame,
                    area,
                    "Leave?",
                    &rows,
                    0,
                    &[("f", "finish them first"), ("c", "cancel them"), ("esc", "stay")],
                );
            }
        }
    }
}

pub(super) fn style(look: &Look, role: Role) -> Style {
    match role {
        Role::Text => look.theme.text,
        Role::Dim => look.theme.dim,
        Role::Name => look.theme.name,
        Role::Good => look.theme.good,
        Role::Warning => look.theme.warning,
        Role::Danger => look.theme.danger,
    }
}

/// A place in the middle, for so many lines.
pub(super) fn middle(area: Rect, lines: usize) -> Rect {
    let width = area.width.saturating_sub(6).min(100).max(area.width.min(40));
    let height =
        u16::try_from(lines + 4).unwrap_or(u16::MAX).min(area.height.saturating_sub(2)).max(5).min(area.height);
    Rect::new(area.x + (area.width - width) / 2, area.y + (area.height - height) / 2, width, height)
}

pub(super) fn keys_line(look: &Look, keys: &[(&str, &str)]) -> Line<'static> {
    let mut spans = vec![Span::raw(" ")];
    for (key, what) in keys {
        spans.push(Span::styled((*key).to_owned(), look.theme.key));
        spans.push(Span::styled(format!(" {what}   "), look.theme.text));
    }
    Line::from(spans)
}

fn text(app: &App, frame: &mut Frame<'_>, area: Rect, title: &str, rows: &[Row], scroll: u16, keys: &[(&str, &str)]) {
    let look = &app.look;
    let columns = usize::from(middle(area, 0).width).saturating_sub(4);
    let mut lines = Vec::new();
    for (role, row) in rows {
        let indent = row.len() - row.trim_start().len();
        for (number, part) in wrap(row.trim_start(), columns.saturating_sub(indent)).into_iter().enumerate() {
            let indent = if number == 0 { indent } else { indent + 2 };
            lines.push(Line::styled(format!("{:indent$}{part}", ""), style(look, *role)));
        }
    }
    let place = middle(area, lines.len());
    frame.render_widget(Clear, place);
    let block = pane(look, Line::styled(format!(" {} ", cut(title, columns, &look.glyphs)), look.theme.title))
        .border_style(look.theme.accent);
    let inside = block.inner(place);
    frame.render_widget(block, place);
    let room = inside.height.saturating_sub(2);
    let end = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_sub(room);
    let more = if end > scroll { format!("{} more below", end - scroll) } else { String::new() };
    let body = Rect { x: inside.x + 1, width: inside.width.saturating_sub(1), height: room, ..inside };
    frame.render_widget(Paragraph::new(lines).scroll((scroll.min(end), 0)), body);
    let foot = Rect { y: inside.bottom().saturating_sub(1), height: 1, ..inside };
    frame.render_widget(Paragraph::new(keys_line(look, keys)), foot);
    if !more.is_empty() {
        let columns = u16::try_from(width(&more)).unwrap_or(0).min(foot.width);
        let at = Rect { x: foot.right() - columns, width: columns, ..foot };
        frame.render_widget(Paragraph::new(Span::styled(more, look.theme.dim)), at);
    }
}

/// Draws a field, and puts the cursor into it.
pub(super) fn field(
    look: &Look,
    frame: &mut Frame<'_>,
    area: Rect,
    label: &str,
    field: &super::super::text_field::TextField,
) {
    let columns = usize::from(area.width).saturating_sub(width(label) + 1);
    let skipped = field.skipped(columns);
    let value = crate::text::printable(field.value());
    let mut passed = 0;
    let shown: String = value
        .chars()
        .skip_while(|letter| {
            let skip = passed < skipped;
            passed += unicode_width::UnicodeWidthChar::width(*letter).unwrap_or(0);
            skip
        })
        .collect();
    let line = Line::from(vec![
        Span::styled(label.to_owned(), look.theme.key),
        Span::raw(cut(&shown, columns + 1, &look.glyphs)),
    ]);
    frame.render_widget(Paragraph::new(line), area);
    let column = width(label) + field.column().saturating_sub(skipped);
    frame.set_cursor_position((area.x + u16::try_from(column).unwrap_or(0).min(area.width.saturating_sub(1)), area.y));
}

/// Columns of the labels of a form.
const LABELS: usize = 15;

fn form(app: &App, frame: &mut Frame<'_>, area: Rect, filled: &Form) {
    let look = &app.look;
    let shown: Vec<(usize, &form::Field)> = filled.shown().collect();
    let columns = usize::from(middle(area, 0).width).saturating_sub(4);
    let here = filled.fields.get(filled.focus).map(|field| field.setting);
    let below: Vec<Line<'_>> = match (&filled.mistake, here) {
        (Some(mistake), _) => {
            let text = format!("{}: {}", form::label(mistake.setting), mistake.text);
            wrap(&text, columns).into_iter().map(|row| Line::styled(row, look.theme.danger)).collect()
        }
        (None, Some(setting)) => {
            wrap(form::hint(setting), columns).into_iter().map(|row| Line::styled(row, look.theme.dim)).collect()
        }
        (None, None) => Vec::new(),
    };
    // Room for what is wrong, so that the form does not jump.
    let room = below.len().max(3);
    let place = middle(area, shown.len() + room);
    frame.render_widget(Clear, place);
    let title = filled.target.as_ref().map_or_else(|| " New target ".to_owned(), |name| format!(" Target {name} "));
    let block =
        pane(look, Line::styled(cut(&title, columns, &look.glyphs), look.theme.title)).border_style(look.theme.accent);
    let inside = block.inner(place);
    frame.render_widget(block, place);
    let height = usize::from(inside.height).saturating_sub(room + 1).max(1);
    let cursor = shown.iter().position(|(place, _)| *place == filled.focus).unwrap_or(0);
    let top = cursor.saturating_sub(height - 1);
    let row = |y: usize| Rect {
        x: inside.x + 1,
        y: inside.y + u16::try_from(y).unwrap_or(0),
        width: inside.width.saturating_sub(2),
        height: 1,
    };
    let mut focused = None;
    for (line, (place, of)) in shown.iter().skip(top).take(height).enumerate() {
        let name = left(form::label(of.setting), LABELS, &look.glyphs);
        if *place == filled.focus {
            focused = Some((row(line), name, &of.text));
            continue;
        }
        let wrong = filled.mistake.as_ref().is_some_and(|mistake| mistake.setting == of.setting);
        let style = if wrong { look.theme.danger } else { look.theme.dim };
        let value = cut(of.text.value(), columns.saturating_sub(LABELS), &look.glyphs);
        let value = match (value.as_str(), form::otherwise(of.setting)) {
            ("", otherwise) if !otherwise.is_empty() => Span::styled(format!("({otherwise})"), look.theme.dim),
            _ => Span::raw(value),
        };
        frame.render_widget(Paragraph::new(Line::from(vec![Span::styled(name, style), value])), row(line));
    }
    // Last, since it places the cursor.
    if let Some((area, name, text)) = focused {
        field(look, frame, area, &name, text);
    }
    let foot = Rect { y: inside.bottom().saturating_sub(1), height: 1, ..inside };
    let rows = u16::try_from(room).unwrap_or(0).min(inside.height.saturating_sub(1));
    let words =
        Rect { x: inside.x + 1, y: foot.y.saturating_sub(rows), width: inside.width.saturating_sub(2), height: rows };
    frame.render_widget(Paragraph::new(below), words);
    let keys = [("enter", "save"), ("tab", "next field"), ("esc", "close")];
    frame.render_widget(Paragraph::new(keys_line(look, &keys)), foot);
}

fn commands(app: &App, frame: &mut Frame<'_>, area: Rect, palette: &Palette) {
    let look = &app.look;
    let place = middle(area, 100);
    frame.render_widget(Clear, place);
    let title = if palette.help { " What can be done here " } else { " Commands " };
    let block = pane(look, Line::styled(title, look.theme.title)).border_style(look.theme.accent);
    let inside = block.inner(place);
    frame.render_widget(block, place);
    let row =
        |y: u16, height: u16| Rect { x: inside.x + 1, y: inside.y + y, width: inside.width.saturating_sub(2), height };
    field(look, frame, row(0, 1), ": ", &palette.field);
    // The last lines say in full what the one under the cursor does.
    let height = usize::from(inside.height.saturating_sub(6));
    let top = palette.cursor.saturating_sub(height.saturating_sub(1));
    let columns = usize::from(inside.width).saturating_sub(2);
    let lines: Vec<Line<'_>> = palette
        .found
        .iter()
        .enumerate()
        .skip(top)
        .take(height)
        .map(|(place, (entry, keys))| {
            let title_style = if entry.destroys { look.theme.danger } else { look.theme.name };
            let line = Line::from(vec![
                Span::styled(left(keys, 14, &look.glyphs), look.theme.key),
                Span::styled(left(entry.title, 15, &look.glyphs), title_style),
                Span::styled(cut(entry.explanation, columns.saturating_sub(29), &look.glyphs), look.theme.text),
            ]);
            if place == palette.cursor { super::table::under_cursor(line, look) } else { line }
        })
        .collect();
    if let Some((entry, _)) = palette.found.get(palette.cursor) {
        let all: Vec<Line<'_>> = wrap(&format!("{}: {}", entry.id, entry.explanation), columns)
            .into_iter()
            .map(|row| Line::styled(row, look.theme.dim))
            .collect();
        let at = u16::try_from(height).unwrap_or(0) + 2;
        frame.render_widget(Paragraph::new(all), row(at, 2));
    }
    if lines.is_empty() {
        let words = "No command is called so. With a space in it, it is read as a verb: `add nginx:alpine`.";
        frame.render_widget(Paragraph::new(Line::styled(words, look.theme.dim)), row(2, 1));
    } else {
        frame.render_widget(Paragraph::new(lines), row(2, u16::try_from(height).unwrap_or(0)));
    }
    let foot = Rect { y: inside.bottom().saturating_sub(1), height: 1, ..inside };
    frame.render_widget(Paragraph::new(keys_line(look, &[("enter", "do it"), ("esc", "close")])), foot);
}
