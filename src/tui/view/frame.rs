//! What is around every view: tabs with the registry in a line, the strip of what runs, problems, and the footer.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::border;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

use super::super::app::{App, Look, Tab};
use super::super::cells::{self, cut, cut_middle, width};
use super::super::command::Command;
use super::super::dialog::Dialog;
use super::super::dialog::prompt::{Note, Purpose};
use super::super::serving::Serving;
use super::super::state::job::Job;
use super::super::state::wait::Wait;
use crate::engine::query::browse::{ImageOrder, RepositoryOrder};
use crate::text::bytes;

/// Areas of the screen, by what is drawn there.
#[derive(Debug, Clone, Copy)]
pub struct Parts {
    /// Row of the tabs and the summary.
    pub head: Rect,
    /// Area of the open view.
    pub body: Rect,
    /// Rows for running jobs, errors and toasts.
    pub strip: Rect,
    /// Rows of the keys, at the bottom.
    pub footer: Rect,
}

/// What is at a place of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hit {
    /// The tab of this view.
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
    /// The tab of a platform in the details of an image.
    Platform(usize),
    /// A line of the details of an image.
    Line(usize),
    /// The list, while what is beside it has the keys.
    Back,
}

impl Parts {
    /// Divides the screen by the size of the terminal and by what the strip has to say.
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
    u16::try_from(strip_words(app).rows.len()).unwrap_or(1).max(1)
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
    if app.follow_state.following.is_some() {
        let words = " follows ";
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

/// A job in a line: how far it is, how fast or why it waits, and what it is called as far as there is room.
pub(super) fn job_line(job: &Job, look: &Look, columns: usize) -> String {
    let glyphs = &look.glyphs;
    let mut line = cut(&job.facts().join("  "), columns, glyphs);
    if let Some(reason) = job.reason() {
        let room = columns.saturating_sub(width(&line) + 2);
        if room > 4 {
            // Whom it waits for is a name, told apart by its end; a reason is not.
            let names = !matches!(job.waiting, Some(Wait::Registry { .. }));
            let reason = if names { cut_middle(&reason, room, glyphs) } else { cut(&reason, room, glyphs) };
            line = format!("{line}: {reason}");
        }
    }
    // Names are told apart by their ends; less than this says nothing.
    let room = columns.saturating_sub(width(&line) + 2);
    if room >= width(&job.title).min(12) {
        line = format!("{line}  {}", cut_middle(&job.title, room, glyphs));
    }
    line
}

/// What the strip says.
struct Words {
    sign: &'static str,
    /// Of the sign and the first row.
    style: Style,
    /// Of the other rows.
    rest: Style,
    rows: Vec<String>,
}

/// At most so many rows; that there is more is seen at the end of the last one.
fn at_most(mut rows: Vec<String>, most: usize, columns: usize, app: &App) -> Vec<String> {
    if rows.len() > most {
        rows.truncate(most);
        if let Some(last) = rows.last_mut() {
            *last = format!("{}{}", cells::beginning(last, columns.saturating_sub(1)), app.look.glyphs.ellipsis);
        }
    }
    rows
}

/// Rows that a problem takes at most.
const MAX_PROBLEM_ROWS: usize = 6;
/// Rows that anything else takes at most.
const MAX_TOAST_ROWS: usize = 3;

fn strip_words(app: &App) -> Words {
    let (theme, glyphs) = (&app.look.theme, &app.look.glyphs);
    let all = usize::from(app.size.0).saturating_sub(4);
    if let Some(problem) = app.problems.last() {
        // What to do next is never what is cut.
        let hints: Vec<String> = problem.hints.iter().flat_map(|hint| cells::wrap(hint, all)).collect();
        let hints = at_most(hints, MAX_PROBLEM_ROWS - 2, all, app);
        let mut rows = at_most(cells::wrap(&problem.message, all), MAX_PROBLEM_ROWS - hints.len(), all, app);
        rows.extend(hints);
        return Words { sign: glyphs.failed, style: theme.danger, rest: theme.text, rows };
    }
    let columns = all.saturating_sub(width(&serving_words(app)));
    let words = |sign, style, rows| Words { sign, style, rest: style, rows };
    if let Some(toast) = &app.toast {
        let (sign, style) = if toast.good { (glyphs.done, theme.good) } else { (glyphs.dot, theme.accent) };
        return words(sign, style, at_most(cells::wrap(&toast.text, columns), MAX_TOAST_ROWS, columns, app));
    }
    // The one that has been running longest.
    if let Some(job) = app.jobs.running().last() {
        let running = app.jobs.running().count();
        let more = if running > 1 { format!("  and {} more", running - 1) } else { String::new() };
        let text = job_line(job, &app.look, columns.saturating_sub(width(&more)));
        let waits = job.waiting.is_some() || job.stalled().is_some();
        let sign = if waits { glyphs.waiting } else { glyphs.arriving };
        return words(sign, theme.accent, vec![format!("{text}{more}")]);
    }
    let is_shown =
        |id| app.dialogs.iter().any(|dialog| matches!(dialog, Dialog::Confirm(plan) if plan.job == Some(id)));
    if let Some(job) = app.jobs.ready().filter(|job| !is_shown(job.id)) {
        let after = format!(": the plan is ready, {}", app.where_plans_are(job.id));
        let title = cut_middle(&job.title, columns.saturating_sub(width(&after)), glyphs);
        return words(glyphs.outdated, theme.warning, vec![cut(&format!("{title}{after}"), columns, glyphs)]);
    }
    if let Some(holder) = &app.elsewhere {
        let since = super::jobs::elsewhere_since(app, holder);
        let words_after = format!("  process {}{since}", holder.process);
        let doing = cut_middle(&holder.doing, columns.saturating_sub(width(&words_after)), glyphs);
        return words(glyphs.arriving, theme.accent, vec![format!("{doing}{words_after}")]);
    }
    let root = app.overview.as_ref().and_then(|overview| overview.root.as_deref());
    if let Some(text) = super::super::following::in_short(app) {
        let problem = app.follow_state.following.as_ref().is_some_and(|following| following.failure.is_some());
        let (sign, style) = if problem { (glyphs.outdated, theme.warning) } else { (" ", theme.dim) };
        // When it was looked at stands at the end, and is not what is cut.
        return words(sign, style, vec![cut_middle(&text, columns, glyphs)]);
    }
    let text = root.map(|root| format!("root {}", cut_middle(root, columns.saturating_sub(5), glyphs)));
    words(" ", theme.dim, vec![text.unwrap_or_default()])
}

/// Where the registry is served, as briefly as the screen is narrow.
fn serving_words(app: &App) -> String {
    match &app.serving {
        Serving::Off => String::new(),
        Serving::Starting => " serving ... ".to_owned(),
        Serving::At(url) => {
            let short = if app.size.0 < 120 { url.trim_start_matches("http://") } else { url };
            format!(" serving {} ", crate::text::printable_within(short, 40))
        }
        Serving::Stopping => " stopping ... ".to_owned(),
    }
}

fn strip(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let Words { sign, style, rest, rows } = strip_words(app);
    let lines: Vec<Line<'_>> = rows
        .into_iter()
        .enumerate()
        .map(|(row, text)| {
            let (sign, of) = if row == 0 { (sign, style) } else { (" ", rest) };
            Line::from(vec![Span::styled(format!(" {sign} "), style), Span::styled(text, of)])
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), area);
    if app.problems.is_empty() {
        let serving = serving_words(app);
        let taken = u16::try_from(width(&serving)).unwrap_or(0).min(area.width);
        let place = Rect { x: area.right() - taken, width: taken, height: area.height.min(1), ..area };
        frame.render_widget(Paragraph::new(Span::styled(serving, app.look.theme.accent)), place);
    }
}

/// What is said of marked rows.
fn marked(app: &App) -> Option<String> {
    let (rows, size) = if app.tab == Tab::Images { app.images.marked() } else { (0, 0) };
    (rows > 0).then(|| format!(" {rows} marked, {} ", bytes(size)))
}

/// Places in the footer from here on stay, whatever does not fit: how to find the other commands, and how to leave.
const LASTING_PLACES: u8 = 80;

/// The commands of the footer with their columns. Those that do not fit fall out from the right.
fn footer_items(app: &App) -> Vec<(Command, String, u16)> {
    let room = usize::from(app.size.0).saturating_sub(marked(app).map_or(0, |text| width(&text)));
    let mut items: Vec<(Command, String)> =
        app.footer().into_iter().map(|(command, key)| (command, format!("{key} {}", command.entry().title))).collect();
    let taken = |items: &[(Command, String)]| items.iter().map(|(_, text)| width(text) + 2).sum::<usize>() + 1;
    while taken(&items) > room {
        let goes = items.iter().rposition(|(command, _)| command.entry().footer < LASTING_PLACES);
        let Some(goes) = goes else { break };
        items.remove(goes);
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
        let label = match prompt.purpose {
            Purpose::Images | Purpose::Filter => " filter: ",
            Purpose::Search => " search: ",
            Purpose::SaveFile => " save to: ",
        };
        let columns = usize::from(area.width).saturating_sub(width(label) + 1);
        let skipped = prompt.field.skipped(columns);
        let shown: String = cut(prompt.field.value(), usize::MAX, &app.look.glyphs).chars().skip(skipped).collect();
        let line = Line::from(vec![Span::styled(label, theme.key), Span::raw(cut(&shown, columns, &app.look.glyphs))]);
        frame.render_widget(Paragraph::new(line), area);
        if let Some(note) = prompt.note() {
            beside_field(app, frame, area, width(label) + width(&shown) + 3, &note);
        }
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

/// What is said of a text that is typed, behind it as far as there is room.
fn beside_field(app: &App, frame: &mut Frame<'_>, area: Rect, taken: usize, note: &Note) {
    let (theme, glyphs) = (&app.look.theme, &app.look.glyphs);
    let room = usize::from(area.width).saturating_sub(taken + 1);
    let at = |columns: usize| {
        let columns = u16::try_from(columns).unwrap_or(0);
        Rect { x: area.x + u16::try_from(taken).unwrap_or(0), width: columns, ..area }
    };
    match note {
        Note::Problem(words) => {
            let words = cut(words, room, glyphs);
            frame.render_widget(Paragraph::new(Span::styled(words.clone(), theme.warning)), at(width(&words)));
        }
        Note::States(names) => {
            let key = "tab";
            let names: Vec<String> = names.iter().map(|name| format!(":{name}")).collect();
            let names = cut(&names.join(" "), room.saturating_sub(width(key) + 1), glyphs);
            if names.is_empty() {
                return;
            }
            let columns = width(key) + 1 + width(&names);
            let line = vec![Span::styled(key, theme.key), Span::styled(format!(" {names}"), theme.dim)];
            frame.render_widget(Paragraph::new(Line::from(line)), at(columns));
        }
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
    (app.tab == Tab::Images && app.files.is_none()).then(|| super::images::hit(app, parts.body, column, row)).flatten()
}
