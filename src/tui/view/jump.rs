//! The dialog that finds anything in the catalog.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use super::super::app::App;
use super::super::cells::{cut_middle, left, told_apart, width, wrap};
use super::super::dialog::jump::Jump;
use super::dialogs::{PALETTE_ROWS, field, keys_line, middle};
use super::frame::pane;
use super::table;
use crate::engine::query::browse::Search;
use crate::engine::query::jump::Hit;
use crate::text::printable;

/// Columns of what something is.
const KIND_COLUMNS: usize = 11;
/// The most columns of what there is to know of it.
const MAX_ABOUT_COLUMNS: usize = 48;

pub(super) const KEYS: &[(&str, &str)] = &[("enter", "go there"), ("esc", "close")];

/// Where the dialog is.
pub(super) fn place(area: Rect) -> Rect {
    middle(area, PALETTE_ROWS)
}

/// Rows of what was found inside the dialog, and the first one that is shown.
pub(super) fn rows(inside: Rect, jump: &Jump) -> (usize, usize) {
    let height = usize::from(inside.height.saturating_sub(4));
    (height, jump.cursor.saturating_sub(height.saturating_sub(1)))
}

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect, jump: &Jump) {
    let (look, theme) = (&app.look, &app.look.theme);
    let place = place(area);
    frame.render_widget(Clear, place);
    let block = pane(look, Line::styled(" Go to ", theme.title)).border_style(theme.accent);
    let inside = block.inner(place);
    frame.render_widget(block, place);
    let row =
        |y: u16, height: u16| Rect { x: inside.x + 1, y: inside.y + y, width: inside.width.saturating_sub(2), height };
    field(look, frame, row(0, 1), "> ", &jump.field);
    let (height, top) = rows(inside, jump);
    let columns = usize::from(inside.width).saturating_sub(2);
    let body = row(2, u16::try_from(height).unwrap_or(0));
    if jump.found.is_empty() {
        let words = match jump.wanted() {
            "" => "Type letters of a repository or a tag, or the beginning of a digest or a CID.".to_owned(),
            wanted if wanted == jump.answered => format!("Nothing in the catalog matches `{}`.", printable(wanted)),
            _ => String::new(),
        };
        let lines: Vec<Line<'_>> =
            wrap(&words, columns).into_iter().map(|words| Line::styled(words, theme.dim)).collect();
        frame.render_widget(Paragraph::new(lines), body);
    } else {
        frame.render_widget(Paragraph::new(lines(app, jump, columns, top, height)), body);
    }
    let foot = Rect { y: inside.bottom().saturating_sub(1), height: 1, ..inside };
    frame.render_widget(Paragraph::new(keys_line(look, KEYS)), foot);
}

fn lines(app: &App, jump: &Jump, columns: usize, top: usize, height: usize) -> Vec<Line<'static>> {
    let (look, theme, glyphs) = (&app.look, &app.look.theme, &app.look.glyphs);
    let search = Search::words(&jump.answered);
    let mut finder = search.finder();
    let longest = |texts: &mut dyn Iterator<Item = &str>| texts.map(|text| width(&printable(text))).max().unwrap_or(0);
    let room = columns.saturating_sub(KIND_COLUMNS + 4);
    let names = longest(&mut jump.found.iter().map(|hit| hit.name.as_str()));
    let abouts = longest(&mut jump.found.iter().map(|hit| hit.about.as_str()));
    // Names come first, but even a digest says little without the image that it belongs to.
    let of_about = abouts.min(MAX_ABOUT_COLUMNS).min(room.saturating_sub(names).max(room * 2 / 5));
    let of_name = names.min(room.saturating_sub(of_about));
    let hits: Vec<(usize, &Hit)> = jump.found.iter().enumerate().skip(top).take(height).collect();
    let short: Vec<String> = hits.iter().map(|(_, hit)| hit.name.clone()).collect();
    let short = told_apart(&short, of_name, glyphs);
    hits.into_iter()
        .zip(short)
        .map(|((place, hit), name)| {
            let selected = place == jump.cursor;
            let cursor = if selected { glyphs.cursor } else { " " };
            let name = left(&name, of_name, glyphs);
            let matched = finder.matched(name.trim_end());
            let line = Line::from(vec![
                Span::styled(format!("{cursor} "), theme.accent),
                Span::styled(name, theme.name),
                Span::styled(format!("  {}", left(hit.kind.word(), KIND_COLUMNS, glyphs)), theme.text),
                Span::styled(cut_middle(&hit.about, of_about, glyphs), theme.dim),
            ]);
            let line = if selected { table::under_cursor(line, look) } else { line };
            table::matched(line, &matched, look, selected)
        })
        .collect()
}
