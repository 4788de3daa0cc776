//! Dialogs over a view.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use super::super::app::{App, Look};
use super::super::cells::{cut, left, width, wrap};
use super::super::describe::{Role, Row};
use super::super::dialog::menu::Item;
use super::super::dialog::palette::{Palette, PaletteLine};
use super::super::dialog::{Dialog, Page};
use super::forms::{self, FormView};
use super::frame::pane;
use super::{following, target};
use crate::text::printable;

/// A dialog that is text, with keys below.
pub(super) struct Text {
    title: String,
    rows: Vec<Row>,
    scroll: u16,
    pub(super) keys: Vec<(&'static str, String)>,
    /// Columns that it needs, if it needs fewer than dialogs have.
    columns: Option<u16>,
}

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let parts = super::frame::Parts::of(app);
    for dialog in &app.dialogs {
        // A filter is typed beside the list that it filters; and what runs and what failed stays readable.
        if !matches!(dialog, Dialog::Prompt(_)) {
            super::behind::fade(app, frame, area, parts.strip);
        }
        match dialog {
            Dialog::Add(add) => super::add::draw(app, frame, area, add),
            // It is in the footer.
            Dialog::Prompt(_) => {}
            Dialog::Form(filled) => forms::draw(app, frame, area, &FormView::of_target(filled)),
            Dialog::Flags(filled) => forms::draw(app, frame, area, &FormView::of_flags(filled)),
            Dialog::RuleForm(filled) => super::rule_form::draw(app, frame, area, filled),
            Dialog::Palette(palette) => commands(app, frame, area, palette),
            Dialog::Jump(jump) => super::jump::draw(app, frame, area, jump),
            dialog => {
                if let Some(shown) = as_text(app, dialog) {
                    text(app, frame, area, &shown);
                }
            }
        }
    }
}

/// What a dialog says, if it is text.
pub(super) fn as_text(app: &App, dialog: &Dialog) -> Option<Text> {
    let key = |key, what: &str| (key, what.to_owned());
    let mut shown = Text { title: String::new(), rows: Vec::new(), scroll: 0, keys: Vec::new(), columns: None };
    let mut page_title = None;
    let (title, keys) = match dialog {
        Dialog::Planning { ticket, request, because, since } => {
            // What takes long shows how long: a node that hangs says nothing else.
            let waited = match app.now.saturating_sub(*since).as_secs() {
                0..2 => String::new(),
                seconds => format!(" {seconds} s"),
            };
            let rows = &mut shown.rows;
            rows.extend(because.iter().map(|because| (Role::Warning, because.clone())));
            rows.push((Role::Text, format!("{} {}{waited}", request.title(), app.look.glyphs.waiting)));
            rows.extend(app.waits.iter().filter(|(of, _)| of == ticket).map(|(_, why)| (Role::Dim, why.clone())));
            ("Asking", vec![key("esc", "give up")])
        }
        Dialog::Cut(requests) => {
            let rows = &mut shown.rows;
            rows.push((Role::Text, "The program ended before they finished:".to_owned()));
            for request in requests {
                rows.push((Role::Name, format!("  {}", request.title())));
                rows.extend(request.about().into_iter().map(|words| (Role::Text, format!("    {words}"))));
            }
            rows.push((Role::Dim, "Verified blobs are kept. Resuming shows each plan first.".to_owned()));
            (
                "Resume these interrupted jobs?",
                vec![key("enter", "resume"), key("f", "forget them"), key("esc", "later")],
            )
        }
        Dialog::Confirm(confirm) => {
            shown.rows.clone_from(&confirm.described.rows);
            shown.scroll = confirm.scroll;
            let nothing = confirm.described.nothing.is_some();
            let keys = if nothing { vec![key("enter", "close")] } else { confirm.keys().to_vec() };
            (confirm.described.title.as_str(), keys)
        }
        Dialog::Menu(menu) => {
            let row = |(place, item): (usize, &Item)| {
                let cursor = if place == menu.cursor { app.look.glyphs.cursor } else { " " };
                let role = if place == menu.cursor { Role::Chosen } else { Role::Text };
                (role, format!("{cursor} {}  {}: {}", item.key, item.title, item.value))
            };
            shown.rows = menu.items.iter().enumerate().map(row).collect();
            (menu.title.as_str(), vec![key("enter", "copy"), key("esc", "close")])
        }
        Dialog::Actions(menu) => {
            shown.columns = Some(super::action_menu::columns(menu));
            let columns = shown.room(screen(app));
            shown.rows = super::action_menu::rows(menu, &app.look, columns);
            // The one under the cursor is in sight, on the lowest screen too.
            let place = shown.at(screen(app), shown.rows.len());
            let height = usize::from(place.height.saturating_sub(4));
            shown.scroll = u16::try_from((menu.cursor + 1).saturating_sub(height)).unwrap_or(0);
            (menu.subject.as_str(), vec![key("enter", "do it"), key("esc", "close")])
        }
        Dialog::Message { title, rows, scroll } => {
            shown.rows.clone_from(rows);
            shown.scroll = *scroll;
            (title.as_str(), vec![key("esc", "close")])
        }
        Dialog::Leave => {
            let running = app.jobs.begun().count() as u64;
            let jobs = crate::text::count(running, "job is", "jobs are");
            let words = "Cancelled jobs resume where they stopped: what is verified is kept.";
            shown.rows = vec![(Role::Text, format!("{jobs} running.")), (Role::Dim, words.to_owned())];
            ("Leave?", vec![key("f", "finish them first"), key("c", "cancel them"), key("enter", "stay")])
        }
        Dialog::Page { page, scroll } => {
            shown.scroll = *scroll;
            let columns = usize::from(middle(screen(app), 0).width).saturating_sub(4);
            match page {
                Page::Target => {
                    shown.rows = target::rows(app, columns);
                    (page_title.insert(target::title(app)).as_str(), vec![key("esc", "close")])
                }
                Page::Following => {
                    shown.rows = following::rows(app, columns);
                    (page_title.insert(following::title(app)).as_str(), following::keys(app))
                }
            }
        }
        Dialog::Add(_)
        | Dialog::Prompt(_)
        | Dialog::Form(_)
        | Dialog::Flags(_)
        | Dialog::RuleForm(_)
        | Dialog::Jump(_)
        | Dialog::Palette(_) => return None,
    };
    title.clone_into(&mut shown.title);
    shown.keys = keys;
    Some(shown)
}

pub(super) fn style(look: &Look, role: Role) -> Style {
    match role {
        Role::Text => look.theme.text,
        Role::Dim => look.theme.dim,
        Role::Name => look.theme.name,
        Role::Good => look.theme.good,
        Role::Warning => look.theme.warning,
        Role::Danger => look.theme.danger,
        Role::Chosen => look.theme.selected,
    }
}

fn screen(app: &App) -> Rect {
    Rect::new(0, 0, app.size.0, app.size.1)
}

/// A place in the middle, for so many lines; the views' names above and the two lines below stay in sight.
pub(super) fn middle(area: Rect, lines: usize) -> Rect {
    let rest = area.height.saturating_sub(3);
    let area = if rest >= 5 { Rect { y: area.y + 1, height: rest, ..area } } else { area };
    // Lines longer than that are hard to read, but names of images are long where there is room.
    let widest = (area.width / 3 * 2).max(100);
    let width = area.width.saturating_sub(6).min(widest).max(area.width.min(40));
    let height = u16::try_from(lines + 4).unwrap_or(u16::MAX).max(5).min(area.height);
    Rect::new(area.x + (area.width - width) / 2, area.y + (area.height - height) / 2, width, height)
}

pub(super) fn keys_line(look: &Look, keys: &[(&str, &str)]) -> Line<'static> {
    let mut spans = Vec::new();
    for (key, what) in keys {
        // Enter does what the dialog proposes: that is seen without reading.
        let proposed = if *key == "enter" { look.theme.selected } else { Style::new() };
        spans.push(Span::styled(" ", proposed));
        spans.push(Span::styled((*key).to_owned(), look.theme.key.patch(proposed)));
        spans.push(Span::styled(format!(" {what} "), look.theme.text.patch(proposed)));
        spans.push(Span::raw(" "));
    }
    Line::from(spans)
}

impl Text {
    /// Where it is, with so many lines.
    fn at(&self, area: Rect, lines: usize) -> Rect {
        let place = middle(area, lines);
        let width = self.columns.map_or(place.width, |columns| columns.min(place.width));
        Rect { x: place.x + (place.width - width) / 2, width, ..place }
    }

    /// Columns of its lines.
    fn room(&self, area: Rect) -> usize {
        usize::from(self.at(area, 0).width).saturating_sub(4)
    }

    /// Lines to draw, each with the number of its row.
    fn lines(&self, look: &Look, columns: usize) -> Vec<(usize, Line<'static>)> {
        let mut lines = Vec::new();
        for (place, (role, row)) in self.rows.iter().enumerate() {
            let words = row.trim_start();
            let indent = row.len() - words.len();
            // What goes on in another line hangs by two, and has so much less room.
            let fits = indent + width(&printable(words)) <= columns;
            let room = columns.saturating_sub(if fits { indent } else { indent + 2 });
            for (number, part) in wrap(words, room).into_iter().enumerate() {
                let indent = if number == 0 { indent } else { indent + 2 };
                let mut text = format!("{:indent$}{part}", "");
                if *role == Role::Chosen {
                    text.extend(std::iter::repeat_n(' ', columns.saturating_sub(width(&text))));
                }
                lines.push((place, Line::styled(text, style(look, *role))));
            }
        }
        lines
    }

    /// Where it is, and the row that is shown in each of its lines.
    pub(super) fn place(&self, look: &Look, area: Rect) -> (Rect, Vec<usize>) {
        let lines = self.lines(look, self.room(area));
        let place = self.at(area, lines.len());
        let scroll = usize::from(self.scroll.min(end(lines.len(), place)));
        (place, lines.into_iter().skip(scroll).map(|(row, _)| row).collect())
    }
}

/// How far a dialog that is text can be scrolled, and the rows of a page of it.
pub(in super::super) fn reach(app: &App, dialog: &Dialog) -> (u16, u16) {
    let area = screen(app);
    let Some(shown) = as_text(app, dialog) else { return (0, 1) };
    let lines = shown.lines(&app.look, shown.room(area)).len();
    let place = shown.at(area, lines);
    (end(lines, place), place.height.saturating_sub(5).max(1))
}

/// How far so many lines can be scrolled in a dialog with keys below.
fn end(lines: usize, place: Rect) -> u16 {
    u16::try_from(lines).unwrap_or(u16::MAX).saturating_sub(place.height.saturating_sub(4))
}

fn text(app: &App, frame: &mut Frame<'_>, area: Rect, shown: &Text) {
    let look = &app.look;
    let columns = shown.room(area);
    let lines: Vec<Line<'_>> = shown.lines(look, columns).into_iter().map(|(_, line)| line).collect();
    let place = shown.at(area, lines.len());
    frame.render_widget(Clear, place);
    let title = format!(" {} ", cut(&shown.title, columns, &look.glyphs));
    let block = pane(look, Line::styled(title, look.theme.title)).border_style(look.theme.accent);
    let inside = block.inner(place);
    frame.render_widget(block, place);
    let end = end(lines.len(), place);
    let more = match end.saturating_sub(shown.scroll) {
        0 => String::new(),
        more => format!("{more} more below "),
    };
    let height = inside.height.saturating_sub(2);
    let body = Rect { x: inside.x + 1, width: inside.width.saturating_sub(1), height, ..inside };
    frame.render_widget(Paragraph::new(lines).scroll((shown.scroll.min(end), 0)), body);
    let foot = Rect { y: inside.bottom().saturating_sub(1), height: 1, ..inside };
    let keys: Vec<(&str, &str)> = shown.keys.iter().map(|(key, what)| (*key, what.as_str())).collect();
    frame.render_widget(Paragraph::new(keys_line(look, &keys)), foot);
    // The keys come first.
    let taken: usize = keys.iter().map(|(key, what)| width(key) + width(what) + 4).sum();
    let room = usize::from(foot.width).saturating_sub(taken);
    let more = if width(&more) <= room { more } else { format!("{} ", look.glyphs.down) };
    if end > shown.scroll && width(&more) <= room {
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
    let value = printable(field.value());
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

/// Lines of a palette: as many as there is room for.
pub(super) const PALETTE_ROWS: usize = 100;
/// Columns of the commands' names in a palette.
const PALETTE_NAME_COLUMNS: usize = 15;
/// Rows of the commands inside a palette, the first line that is shown, and all lines.
pub(super) fn palette_rows(inside: Rect, palette: &Palette) -> (usize, usize, Vec<PaletteLine>) {
    let height = usize::from(inside.height.saturating_sub(6)).saturating_sub(suggestion_rows(inside, palette));
    let lines = palette.lines();
    let here = lines.iter().position(|line| *line == PaletteLine::Command(palette.cursor)).unwrap_or(0);
    // The first command is seen with the heading above it.
    let here = if palette.cursor == 0 { 0 } else { here };
    (height, here.saturating_sub(height.saturating_sub(1)), lines)
}

/// Rows at the end of a palette in which its suggestions are, with a blank one before them.
fn suggestion_rows(inside: Rect, palette: &Palette) -> usize {
    if palette.suggested.is_empty() {
        return 0;
    }
    let height = usize::from(inside.height.saturating_sub(6));
    let left = height.saturating_sub(palette.found.len());
    // The commands that are found keep most of the room.
    (palette.suggested.len() + 1).min(left.max(height / 3))
}

/// The keys of a palette.
pub(super) fn palette_keys(palette: &Palette) -> &'static [(&'static str, &'static str)] {
    match (palette.has_history(), palette.suggested.is_empty()) {
        (true, true) => &[("enter", "do it"), ("up", "typed before"), ("esc", "close")],
        (true, false) => &[("enter", "do it"), ("tab", "complete"), ("up", "typed before"), ("esc", "close")],
        (false, true) => &[("enter", "do it"), ("esc", "close")],
        (false, false) => &[("enter", "do it"), ("tab", "complete"), ("esc", "close")],
    }
}

/// What the line can go on with, below the commands.
fn suggestions(app: &App, palette: &Palette, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let rows = rows.saturating_sub(1);
    let longest = palette.suggested.iter().map(|suggestion| width(&printable(&suggestion.word))).max().unwrap_or(0);
    let of_words = (longest + 2).clamp(PALETTE_NAME_COLUMNS, columns / 2);
    let top = palette.taken().map_or(0, |taken| taken.saturating_sub(rows.saturating_sub(1)));
    let shown = palette.suggested.iter().enumerate().skip(top).take(rows);
    let lines = shown.map(|(place, suggestion)| {
        let (word, help) = (printable(&suggestion.word), printable(&suggestion.help));
        let words = if help.is_empty() { columns } else { of_words };
        let line = Line::from(vec![
            Span::styled(left(&word, words, &look.glyphs), look.theme.name),
            Span::styled(cut(&help, columns.saturating_sub(words), &look.glyphs), look.theme.dim),
        ]);
        if palette.taken() == Some(place) { super::table::under_cursor(line, look) } else { line }
    });
    let mut lines: Vec<Line<'static>> = lines.collect();
    let more = palette.suggested.len().saturating_sub(top + rows);
    if let Some(last) = lines.last_mut().filter(|_| more > 0) {
        *last = Line::styled(format!("and {} more", more + 1), look.theme.dim);
    }
    lines
}

fn commands(app: &App, frame: &mut Frame<'_>, area: Rect, palette: &Palette) {
    let look = &app.look;
    let place = middle(area, PALETTE_ROWS);
    frame.render_widget(Clear, place);
    let title = if palette.help { " Commands here " } else { " Commands " };
    let block = pane(look, Line::styled(title, look.theme.title)).border_style(look.theme.accent);
    let inside = block.inner(place);
    frame.render_widget(block, place);
    let row =
        |y: u16, height: u16| Rect { x: inside.x + 1, y: inside.y + y, width: inside.width.saturating_sub(2), height };
    field(look, frame, row(0, 1), ": ", &palette.field);
    // The last lines say in full what the one under the cursor does.
    let (height, top, all) = palette_rows(inside, palette);
    let columns = usize::from(inside.width).saturating_sub(2);
    let longest = palette.found.iter().map(|(_, keys)| width(keys)).max().unwrap_or(0);
    let of_keys = (longest + 2).min(if columns >= 90 { 22 } else { 14 });
    let lines: Vec<Line<'_>> = all
        .iter()
        .skip(top)
        .take(height)
        .map(|line| {
            let (place, (entry, keys)) = match line {
                PaletteLine::Head(topic) => return Line::styled(topic.title(), look.theme.title),
                PaletteLine::Command(place) => (*place, &palette.found[*place]),
            };
            let title_style = if entry.destroys { look.theme.danger } else { look.theme.name };
            let line = Line::from(vec![
                Span::styled(left(keys, of_keys, &look.glyphs), look.theme.key),
                Span::styled(left(entry.id, PALETTE_NAME_COLUMNS, &look.glyphs), title_style),
                Span::styled(
                    cut(entry.explanation, columns.saturating_sub(of_keys + PALETTE_NAME_COLUMNS), &look.glyphs),
                    look.theme.text,
                ),
            ]);
            // Where a suggestion is taken, that is what Enter is about.
            let is_here = place == palette.cursor && palette.taken().is_none();
            if is_here { super::table::under_cursor(line, look) } else { line }
        })
        .collect();
    let of_suggestions = suggestion_rows(inside, palette);
    if of_suggestions > 0 {
        let at = if lines.is_empty() { 4 } else { u16::try_from(lines.len()).unwrap_or(0) + 3 };
        let rows = u16::try_from(of_suggestions).unwrap_or(0).saturating_sub(1);
        let lines = suggestions(app, palette, columns, of_suggestions);
        frame.render_widget(Paragraph::new(lines), row(at, rows));
    }
    if let Some((entry, _)) = palette.found.get(palette.cursor) {
        let all: Vec<Line<'_>> = wrap(&format!("{}: {}", entry.id, entry.explanation), columns)
            .into_iter()
            .map(|row| Line::styled(row, look.theme.dim))
            .collect();
        let at = u16::try_from(height + of_suggestions).unwrap_or(0) + 2;
        frame.render_widget(Paragraph::new(all), row(at, 2));
    }
    if lines.is_empty() {
        let typed = printable(palette.field.value().trim());
        let words = if super::super::typed::is_verb(app, &typed) {
            format!("Enter does `{typed}`.")
        } else if of_suggestions > 0 {
            "Tab completes it.".to_owned()
        } else {
            "No such command. You can also type a verb of the command line: `add nginx:alpine`.".to_owned()
        };
        let lines: Vec<Line<'_>> =
            wrap(&words, columns).into_iter().map(|words| Line::styled(words, look.theme.dim)).collect();
        frame.render_widget(Paragraph::new(lines), row(2, u16::try_from(height).unwrap_or(0)));
    } else {
        frame.render_widget(Paragraph::new(lines), row(2, u16::try_from(height).unwrap_or(0)));
    }
    let foot = Rect { y: inside.bottom().saturating_sub(1), height: 1, ..inside };
    frame.render_widget(Paragraph::new(keys_line(look, palette_keys(palette))), foot);
    let below = all.iter().skip(top + height).filter(|line| matches!(line, PaletteLine::Command(_))).count();
    if below > 0 {
        let words = format!("{} {below} more ", look.glyphs.down);
        frame.render_widget(Paragraph::new(Line::styled(words, look.theme.dim).right_aligned()), foot);
    }
}
