//! The dialog in which images are added: the text, what completes it, platforms and options, the plan.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use super::super::app::{App, Look};
use super::super::cells::{cut, cut_middle, width, wrap};
use super::super::describe::{self, Role, Row};
use super::super::dialog::add::{ALL_MANIFESTS, Add, Known, PLAIN_HTTP, Tags};
use super::super::dialog::platforms::Tick;
use super::dialogs::{field, keys_line, middle, style};
use super::frame::pane;
use crate::engine::plan::Change;
use crate::rules::Source;
use crate::text::{count, printable_within};

/// Lines of the body, so that the dialog does not jump while what it shows changes.
const BODY_ROWS: usize = 18;
/// Platforms that are shown at once.
const MAX_PLATFORM_ROWS: usize = 5;
/// Lines of completions that are shown at once.
const MAX_COMPLETION_ROWS: usize = 3;
/// The choices below the platforms, in their order.
const OPTIONS: [(usize, &str); 2] = [(PLAIN_HTTP, "plain HTTP"), (ALL_MANIFESTS, "manifests of all platforms")];
/// What stands before them.
const OPTIONS_HEAD: &str = "Options";

/// Where everything of it is, and what is there.
pub(super) struct Shape {
    pub(super) place: Rect,
    /// Rows above the body.
    pub(super) top: u16,
    /// Rows of the body that are shown.
    pub(super) room: u16,
    /// How far the body can be scrolled.
    pub(super) end: u16,
    pub(super) columns: usize,
    completions: Vec<Line<'static>>,
    body: Vec<Line<'static>>,
}

impl Shape {
    /// In so large an area.
    pub(super) fn of(app: &App, add: &Add, area: Rect) -> Self {
        let place = middle(area, BODY_ROWS);
        let inside = place.height.saturating_sub(2);
        let columns = usize::from(place.width).saturating_sub(4);
        let completions = completions(&app.look, add, columns);
        let body = body(app, add, columns);
        let lines = |lines: &[Line<'_>]| u16::try_from(lines.len()).unwrap_or(u16::MAX);
        let top = lines(&completions).max(1) + 2;
        let room = inside.saturating_sub(top + 2);
        let end = lines(&body).saturating_sub(room);
        Self { place, top, room, end, columns, completions, body }
    }
}

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect, add: &Add) {
    let look = &app.look;
    let Shape { place, top, room, end, columns, completions, body } = Shape::of(app, add, area);
    frame.render_widget(Clear, place);
    let block = pane(look, Line::styled(format!(" {} ", title(add)), look.theme.title)).border_style(look.theme.accent);
    let inside = block.inner(place);
    frame.render_widget(block, place);
    let row = |y: u16, height: u16| Rect {
        x: inside.x + 1,
        y: inside.y + y.min(inside.height),
        width: inside.width.saturating_sub(2),
        height: height.min(inside.height.saturating_sub(y)),
    };
    field(look, frame, row(0, 1), "> ", &add.field);
    frame.render_widget(Paragraph::new(completions), row(1, top - 2));
    let scroll = add.scroll.min(end);
    frame.render_widget(Paragraph::new(body).scroll((scroll, 0)), row(top, room));
    let foot = Rect { y: inside.bottom().saturating_sub(1), height: inside.height.min(1), ..inside };
    if end > scroll && room > 0 {
        let more = format!("{} more below", end - scroll);
        frame.render_widget(Paragraph::new(Span::styled(more, look.theme.dim)), row(top + room, 1));
    }
    frame.render_widget(Paragraph::new(keys_line(look, &keys(add, end, columns))), foot);
}

/// How many images it is about.
fn title(add: &Add) -> String {
    if add.rule.is_some() {
        return "Add a rule".to_owned();
    }
    let images = |many: usize| count(many as u64, "image", "images");
    match add.plan() {
        Some(plan) if plan.images.len() + plan.failed.len() > 1 => {
            let changing = plan.images.iter().filter(|image| image.change != Change::Unchanged).count();
            let given = plan.images.len() + plan.failed.len();
            if changing == given {
                format!("Add {}", images(given))
            } else {
                format!("Add {changing} of {}", images(given))
            }
        }
        _ => match add.images() {
            0 | 1 => "Add images".to_owned(),
            many => format!("Add {}", images(many)),
        },
    }
}

/// What is below the text that is typed.
fn body(app: &App, add: &Add, columns: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if add.rule.is_none() {
        lines.extend(platforms(app, add, columns));
        lines.push(options(&app.look, add));
        lines.push(Line::raw(""));
    }
    for (role, text) in rows(app, add) {
        let indent = text.len() - text.trim_start().len();
        for (place, part) in wrap(text.trim_start(), columns.saturating_sub(indent + 2)).into_iter().enumerate() {
            let indent = if place == 0 { indent } else { indent + 2 };
            lines.push(Line::styled(format!("{:indent$}{part}", ""), style(&app.look, role)));
        }
    }
    lines
}

/// The keys that mean something now, as many as fit into so many columns.
pub(super) fn keys(add: &Add, end: u16, columns: usize) -> Vec<(&'static str, &'static str)> {
    if let Some(typed) = &add.rule {
        let make = typed.rule.is_ok().then_some(("enter", "add the rule"));
        let more = (end > 0).then_some(("down", "more"));
        let tab = (!add.completions.found.is_empty()).then_some(("tab", "complete"));
        return make.into_iter().chain(tab).chain(more).chain([("esc", "close")]).collect();
    }
    let is_typed = add.images() > 0;
    let enter = match &add.known {
        _ if add.can_run() && add.has_failed() => Some(("enter", "add the others")),
        _ if add.can_run() => Some(("enter", "add")),
        Known::Plan(..) | Known::Problem(_) if is_typed && add.has_failed() => Some(("enter", "ask again")),
        Known::Nothing if is_typed => Some(("enter", "look it up")),
        _ => None,
    };
    let mut keys: Vec<_> = enter.into_iter().collect();
    let what = if add.platforms.rows.is_empty() { "options" } else { "platforms" };
    match add.at {
        Some(_) if add.platforms.rows.is_empty() => keys.push(("space", "choose")),
        Some(_) => keys.extend([("space", "choose"), ("*", "all platforms")]),
        None if add.goes_through_completions() => {
            let next = if add.completions.picked.is_some() { "next" } else { "complete" };
            keys.extend([("tab", next), ("ctrl-o", what)]);
        }
        None if !add.completions.found.is_empty() => keys.extend([("down", what), ("tab", "complete")]),
        None => keys.push(("down", what)),
    }
    if end > 0 {
        keys.push(("page-down", "more"));
    }
    if add.can_run() && add.has_failed() {
        keys.push(("ctrl-r", "ask again"));
    }
    let close = ("esc", if add.at.is_some() { "back" } else { "close" });
    let taken = |keys: &[(&str, &str)]| keys.iter().map(|(key, what)| width(key) + width(what) + 4).sum::<usize>();
    while keys.len() > 1 && taken(&keys) + taken(&[close]) > columns + 3 {
        keys.pop();
    }
    keys.push(close);
    keys
}

/// What would complete the word, or what is known of upstream's tags.
fn completions(look: &Look, add: &Add, columns: usize) -> Vec<Line<'static>> {
    let dim = |text: &str| Line::styled(cut(&format!("  {text}"), columns, &look.glyphs), look.theme.dim);
    let tags = match add.tags() {
        Some(Tags::Known(tags)) => tags.len() as u64,
        _ => 0,
    };
    let (all, picked) = (&add.completions.found, add.completions.picked);
    if all.is_empty() {
        return (tags > 0).then(|| dim(&format!("upstream has {}", count(tags, "tag", "tags")))).into_iter().collect();
    }
    let mut lines = Vec::new();
    if let Some(missing) = &add.completions.missing {
        let missing = printable_within(missing, 40);
        lines.push(dim(&format!("no tag {missing}; of {} the nearest:", count(tags, "tag", "tags"))));
    }
    let cell = all.iter().map(|it| width(&crate::text::printable(&it.shown)) + 3).max().unwrap_or(3);
    let cell = cell.clamp(3, columns.max(3));
    let (in_line, height) = ((columns / cell).max(1), MAX_COMPLETION_ROWS - lines.len());
    let page = in_line * height;
    let from = picked.unwrap_or(0) / page * page;
    let shown = &all[from..all.len().min(from + page)];
    for (row, cells) in shown.chunks(in_line).enumerate() {
        let mut spans = Vec::new();
        for (column, it) in cells.iter().enumerate() {
            let is_picked = picked == Some(from + row * in_line + column);
            let cursor = if is_picked { look.glyphs.cursor } else { " " };
            let text = format!("{cursor} {}", cut_middle(&it.shown, cell - 3, &look.glyphs));
            let after = " ".repeat(cell.saturating_sub(width(&text)));
            spans.push(Span::styled(text, if is_picked { look.theme.selected } else { look.theme.name }));
            spans.push(Span::raw(after));
        }
        lines.push(Line::from(spans));
    }
    if all.len() > page {
        let words = format!("  {} to {} of {}", from + 1, from + shown.len(), all.len());
        lines.push(Line::styled(words, look.theme.dim));
    }
    lines
}

/// The first platform that is shown.
fn top_platform(add: &Add) -> usize {
    let last = add.platforms.rows.len().saturating_sub(1);
    add.at.unwrap_or(0).min(last).saturating_sub(MAX_PLATFORM_ROWS - 1)
}

/// The platforms that the images have, those around the cursor.
fn platforms(app: &App, add: &Add, columns: usize) -> Vec<Line<'static>> {
    let (look, theme) = (&app.look, &app.look.theme);
    let rows = &add.platforms.rows;
    if rows.is_empty() {
        return Vec::new();
    }
    let chosen = rows.iter().filter(|(_, tick)| *tick != Tick::Off).count();
    let mut lines = vec![Line::styled(format!("Platforms, {chosen} of {}", rows.len()), theme.title)];
    for (place, (name, tick)) in rows.iter().enumerate().skip(top_platform(add)).take(MAX_PLATFORM_ROWS) {
        let at = add.at == Some(place);
        let cursor = if at { look.glyphs.cursor } else { " " };
        let (has, all) = (add.platforms.offering(name), add.platforms.images());
        let of = if has < all { format!("  {has} of {all} images") } else { String::new() };
        let text = cut(&format!("{cursor} {} {name}{of}", mark(*tick)), columns, &look.glyphs);
        let line = Line::from(Span::styled(text, if *tick == Tick::Off { theme.text } else { theme.name }));
        lines.push(if at { super::table::under_cursor(line, look) } else { line });
    }
    lines
}

fn mark(tick: Tick) -> &'static str {
    match tick {
        Tick::Off => "[ ]",
        Tick::Mixed => "[-]",
        Tick::On => "[x]",
    }
}

/// The choices below the platforms, in a line.
fn options(look: &Look, add: &Add) -> Line<'static> {
    let mut spans = vec![Span::styled(OPTIONS_HEAD, look.theme.title)];
    for (option, name) in OPTIONS {
        let (at, tick) = (add.at == Some(add.platforms.rows.len() + option), add.option(option));
        let cursor = if at { look.glyphs.cursor } else { " " };
        let style = match (at, tick) {
            (true, _) => look.theme.selected,
            (false, Tick::Off) => look.theme.text,
            (false, _) => look.theme.name,
        };
        spans.push(Span::raw(" "));
        spans.push(Span::styled(format!("{cursor} {} {name}", mark(tick)), style));
    }
    Line::from(spans)
}

/// The choice in a line of the body, in a column of it.
pub(super) fn choice(add: &Add, line: usize, column: usize) -> Option<usize> {
    if add.rule.is_some() {
        return None;
    }
    let shown = add.platforms.rows.len().min(MAX_PLATFORM_ROWS);
    let head = usize::from(shown > 0);
    if line < head + shown {
        return line.checked_sub(head).map(|line| top_platform(add) + line);
    }
    if line > head + shown {
        return None;
    }
    // As `options` draws them.
    let mut begin = width(OPTIONS_HEAD) + 1;
    OPTIONS.into_iter().find_map(|(option, name)| {
        let range = begin..begin + width(name) + 6;
        begin = range.end + 1;
        range.contains(&column).then_some(add.platforms.rows.len() + option)
    })
}

/// Whether only the kind of a source is typed yet.
fn is_begun(text: &str) -> bool {
    text.trim().strip_suffix(':').is_some_and(|kind| Source::KINDS.contains(&kind))
}

/// The plan, or what there is instead of one.
fn rows(app: &App, add: &Add) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Some(typed) = &add.rule {
        return match &typed.rule {
            Err(_) if is_begun(add.field.value()) => vec![
                (Role::Text, "The path of the file follows; `*` and `**` stand for several.".to_owned()),
                (Role::Dim, "The rule reads it anew at each run: what it names is mirrored.".to_owned()),
                (Role::Dim, "Others: compose:FILE, kubernetes:FILE, dockerfile:FILE, list:FILE.".to_owned()),
            ],
            Err(why) => vec![(Role::Danger, why.clone())],
            Ok(_) => {
                let words = if add.is_of_image() {
                    "--newest N, --per N, --except PATTERN, --age 3d ...: `--` and tab show all options."
                } else {
                    "--platform LIST, --age 3d, --leave 30d, --every 6h ...: `--` and tab show all options."
                };
                let options = (!add.field.value().contains("--")).then(|| (Role::Dim, words.to_owned()));
                options.into_iter().chain(typed.preview.rows().cloned()).collect()
            }
        };
    }
    match &add.known {
        Known::Nothing if add.field.value().trim().is_empty() => {
            let words = [
                "nginx:alpine, ghcr.io/org/app:1.2, oci:DIR, oci-archive:FILE",
                "Separate several with spaces or newlines.",
                "For all images: --platform LIST, --as NAME, --all-manifests, --insecure.",
                "",
                "A pattern makes a rule, which keeps it up to date: nginx:1.#.#-alpine --newest 3",
                "So does a file that names images: compose:FILE, kubernetes:FILE, dockerfile:FILE, list:FILE",
            ];
            rows.extend(words.map(|words| (Role::Dim, words.to_owned())));
        }
        Known::Nothing => {}
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
            rows.extend(
                add.pattern()
                    .filter(|_| add.can_run())
                    .map(|pattern| (Role::Dim, format!("A rule keeps it up to date: {pattern} --newest 1"))),
            );
        }
    }
    // The hint of an error speaks of the command line.
    if add.plain_http() != Some(true)
        && let Some(place) = rows.iter().position(|(_, text)| text.contains("`--insecure`"))
    {
        let words =
            if add.at.is_some() { "Here: space at `plain HTTP`." } else { "Here: ctrl-o, then space at `plain HTTP`." };
        rows.insert(place + 1, (Role::Text, words.to_owned()));
    }
    rows.extend(add.no_tags().map(|why| (Role::Warning, format!("Its tags can't be listed: {why}"))));
    rows
}
