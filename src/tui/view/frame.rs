//! What is around every view: tabs with the registry in a line, the strip of what runs, problems, and the footer.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::border;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

use super::super::app::{App, Look, Tab};
use super::super::cells::{cut, width};
use super::super::command::Command;
use super::super::dialog::Dialog;
use super::super::dialog::prompt::Purpose;
use super::super::serving::Serving;
use super::super::state::jobs::Job;
use crate::engine::browse::{ImageOrder, RepositoryOrder};
use crate::text::bytes;

/// Where everything is.
#[derive(Debug, Clone, Copy)]
pub struct Parts {
    /// Tabs and summary.
    pub head: Rect,
    /// The view.
    pub body: Rect,
    /// What runs, or went wrong.
    pub strip: Rect,
    /// Keys.
    pub footer: Rect,
}

/// What is at a place of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hit {
    /// A tab.
    Tab(Tab),
    /// A command of the footer.
    Command(Command),
    /// A row of the list, counted from the first one that is shown.
    Row(u64),
    /// The head of a column of the list of repositories.
    Repositories(RepositoryOrder),
    /// The head of a column of a list of tags.
    Tags(ImageOrder),
    /// What is beside the list: opening leads there.
    Open,
    /// The list, while what is beside it has the keys.
    Back,
}

impl Parts {
    /// For this size.
    pub fn of(app: &App) -> Self {
        let (columns, rows) = app.size;
        let row = |y: u16, height: u16| Rect::new(0, y, columns, height.min(rows.saturating_sub(y)));
        let strip = strip_height(app);
        let body = rows.saturating_sub(2 + strip);
        Self {
            head: row(0, 1),
            body: row(1, body),
            strip: row(1 + body, strip),
            footer: row(rows.saturating_sub(1), 1),
        }
    }
}

fn strip_height(app: &App) -> u16 {
    match app.problems.last() {
        Some(problem) => {
            let lines = super::super::cells::wrap(&problem.text(), usize::from(app.size.0).saturating_sub(4)).len();
            u16::try_from(lines).unwrap_or(1).clamp(1, 6)
        }
        None => 1,
    }
}

/// The lines around things: box characters, or ASCII.
pub(super) fn borders(look: &Look) -> border::Set<'static> {
    if look.glyphs.boxes {
        return border::PLAIN;
    }
    border::Set {
        top_left: "+",
        top_right: "+",
        bottom_left: "+",
        bottom_right: "+",
        vertical_left: "|",
        vertical_right: "|",
        horizontal_top: "-",
        horizontal_bottom: "-",
    }
}

/// A pane with a title.
pub(super) fn pane<'t>(look: &Look, title: Line<'t>) -> Block<'t> {
    Block::bordered().border_set(borders(look)).border_style(look.theme.line).title(title)
}

/// Draws it.
pub(super) fn draw(app: &App, frame: &mut Frame<'_>, parts: &Parts) {
    head(app, frame, parts.head);
    strip(app, frame, parts.strip);
    footer(app, frame, parts.footer);
}

fn tabs(app: &App) -> Vec<(Tab, String)> {
    Tab::ALL
        .iter()
        .enumerate()
        .map(|(place, tab)| {
            let running = app.jobs.running().count();
            let number = if *tab == Tab::Jobs && running > 0 { format!(" {running}") } else { String::new() };
            (*tab, format!(" {} {}{number} ", place + 1, tab.title()))
        })
        .collect()
}

fn head(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let theme = &app.look.theme;
    let mut spans = Vec::new();
    let mut taken = 0;
    for (tab, title) in tabs(app) {
        taken += width(&title);
        let style = if tab == app.tab { theme.accent.patch(theme.selected) } else { theme.dim };
        spans.push(Span::styled(title, style));
    }
    if app.read_only.is_some() {
        let words = " read-only ";
        taken += width(words);
        spans.push(Span::styled(words, theme.warning));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
    if let Some(overview) = &app.overview {
        let figures = &overview.figures;
        let saved = figures.percent().map_or(0, |(_, saved)| saved);
        let dot = app.look.glyphs.dot;
        let full = format!(
            "{} {dot} {} {} {} stored ({saved} % saved) ",
            crate::text::count(overview.counts.images, "image", "images"),
            bytes(figures.logical),
            app.look.glyphs.arrow,
            bytes(figures.stored)
        );
        let short = format!("{} stored ", bytes(figures.stored));
        let room = usize::from(area.width).saturating_sub(taken + 2);
        let text = if width(&full) <= room { full } else { short };
        if width(&text) <= room {
            let columns = u16::try_from(width(&text)).unwrap_or(0);
            let place = Rect::new(area.right().saturating_sub(columns), area.y, columns, 1);
            frame.render_widget(Paragraph::new(Span::styled(text, theme.dim)), place);
        }
    }
}

/// A job in a line: what, how far, how fast.
pub(super) fn job_line(job: &Job, look: &Look, columns: usize) -> String {
    let mut parts = vec![job.title.clone()];
    if let Some((why, pause)) = &job.waiting {
        parts.push(format!("{why} ({} s)", pause.as_secs_f64().ceil()));
    } else if let Some((image, seconds)) = job.stalled() {
        parts.extend(job.percent().map(|percent| format!("{percent} %")));
        parts.push(format!("waiting for the registry of {image} ({seconds} s)"));
    } else if let Some(percent) = job.percent() {
        parts.push(format!("{percent} %"));
        parts.push(format!("{} of {}", bytes(job.bytes.0), bytes(job.bytes.1)));
        parts.extend(job.rate.filter(|rate| *rate > 0).map(|rate| format!("{}/s", bytes(rate))));
        parts.extend(job.left().map(|left| format!("{left} s left")));
    } else {
        parts.push(job.phase.clone());
    }
    cut(&parts.join("  "), columns, &look.glyphs)
}

fn strip(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let (theme, glyphs) = (&app.look.theme, &app.look.glyphs);
    let columns = usize::from(area.width).saturating_sub(4);
    let line = |sign: &str, style: Style, text: String| {
        Line::from(vec![Span::styled(format!(" {sign} "), style), Span::styled(text, style)])
    };
    if let Some(problem) = app.problems.last() {
        let rows = super::super::cells::wrap(&problem.text(), columns);
        let lines: Vec<Line<'_>> = rows
            .into_iter()
            .take(usize::from(area.height))
            .enumerate()
            .map(|(row, text)| {
                line(if row == 0 { glyphs.failed } else { " " }, if row == 0 { theme.danger } else { theme.text }, text)
            })
            .collect();
        frame.render_widget(Paragraph::new(lines), area);
        return;
    }
    let running = app.jobs.running().count();
    let text = if let Some(toast) = &app.toast {
        let (sign, style) = if toast.good { (glyphs.done, theme.good) } else { (glyphs.dot, theme.accent) };
        line(sign, style, cut(&toast.text, columns, glyphs))
    } else if let Some(job) = app.jobs.running().last() {
        let more = if running > 1 { format!("  and {} more", running - 1) } else { String::new() };
        let text = job_line(job, &app.look, columns.saturating_sub(width(&more)));
        line(
            if job.waiting.is_some() { glyphs.waiting } else { glyphs.arriving },
            theme.accent,
            format!("{text}{more}"),
        )
    } else {
        let root = app.overview.as_ref().and_then(|overview| overview.root.as_deref());
        let text = root.map(|root| format!("root {root}")).unwrap_or_default();
        line(" ", theme.dim, cut(&text, columns, glyphs))
    };
    let serving = match &app.serving {
        Serving::Off => String::new(),
        Serving::Starting => " serving ... ".to_owned(),
        Serving::At(url) => format!(" serving {} ", crate::text::printable_within(url, 60)),
        Serving::Stopping => " stopping ... ".to_owned(),
    };
    let taken = u16::try_from(width(&serving)).unwrap_or(0).min(area.width);
    frame.render_widget(Paragraph::new(text), Rect { width: area.width - taken, ..area });
    let place = Rect { x: area.right() - taken, width: taken, ..area };
    frame.render_widget(Paragraph::new(Span::styled(serving, theme.accent)), place);
}

/// What is said of marked rows.
fn marked(app: &App) -> Option<String> {
    let (rows, size) = if app.tab == Tab::Images { app.images.marked() } else { (0, 0) };
    (rows > 0).then(|| format!(" {rows} marked, {} ", bytes(size)))
}

/// The commands of the footer with their columns. Those that do not fit fall out from the right, but help and quit stay.
fn footer_items(app: &App) -> Vec<(Command, String, u16)> {
    let room = usize::from(app.size.0).saturating_sub(marked(app).map_or(0, |text| width(&text)));
    let mut items: Vec<(Command, String)> =
        app.footer().into_iter().map(|(command, key)| (command, format!("{key} {}", command.entry().title))).collect();
    let taken = |items: &[(Command, String)]| items.iter().map(|(_, text)| width(text) + 2).sum::<usize>() + 1;
    while taken(&items) > room && items.len() > 2 {
        items.remove(items.len() - 3);
    }
    let mut column = 1;
    items
        .into_iter()
        .map(|(command, text)| {
            let place = column;
            column += u16::try_from(width(&text) + 2).unwrap_or(0);
            (command, text, place)
        })
        .collect()
}

fn footer(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let theme = &app.look.theme;
    if let Some(Dialog::Prompt(prompt)) = app.dialogs.last() {
        let label = if prompt.purpose == Purpose::Filter { " filter: " } else { " search: " };
        let columns = usize::from(area.width).saturating_sub(width(label) + 1);
        let skipped = prompt.field.skipped(columns);
        let shown: String = super::super::cells::cut(prompt.field.value(), usize::MAX, &app.look.glyphs)
            .chars()
            .skip(skipped)
            .collect();
        let line = Line::from(vec![Span::styled(label, theme.key), Span::raw(cut(&shown, columns, &app.look.glyphs))]);
        frame.render_widget(Paragraph::new(line), area);
        let column = width(label) + prompt.field.column().saturating_sub(skipped);
        frame.set_cursor_position((
            area.x + u16::try_from(column).unwrap_or(0).min(area.width.saturating_sub(1)),
            area.y,
        ));
        return;
    }
    let mut spans = vec![Span::raw(" ")];
    for (_, text, _) in footer_items(app) {
        let (key, title) = text.split_once(' ').unwrap_or((&text, ""));
        spans.push(Span::styled(key.to_owned(), theme.key));
        spans.push(Span::styled(format!(" {title}  "), theme.dim));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
    if let Some(text) = marked(app) {
        let columns = u16::try_from(width(&text)).unwrap_or(0).min(area.width);
        let place = Rect::new(area.right() - columns, area.y, columns, 1);
        frame.render_widget(Paragraph::new(Span::styled(text, theme.warning)), place);
    }
}

/// What is at a place of the screen.
pub fn hit(app: &App, column: u16, row: u16) -> Option<Hit> {
    let parts = Parts::of(app);
    if row == parts.head.y {
        let mut end = 0;
        return tabs(app).into_iter().find_map(|(tab, title)| {
            end += u16::try_from(width(&title)).unwrap_or(0);
            (column < end).then_some(Hit::Tab(tab))
        });
    }
    if row == parts.footer.y {
        return footer_items(app).into_iter().find_map(|(command, text, begin)| {
            let end = begin + u16::try_from(width(&text)).unwrap_or(0);
            (begin..end).contains(&column).then_some(Hit::Command(command))
        });
    }
    (app.tab == Tab::Images).then(|| super::images::hit(app, parts.body, column, row)).flatten()
}
