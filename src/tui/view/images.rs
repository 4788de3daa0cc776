//! Images: the list, and from 120 columns on what is under the cursor beside it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::app::{App, Look};
use super::super::cells::{age, cut_middle};
use super::super::state::images::{Level, named};
use super::details;
use super::frame::pane;
use super::table::{self, Column};
use crate::engine::browse::{ImageOrder, RepositoryOrder};
use crate::engine::view::{ImageRow, RepositoryRow};
use crate::text::bytes;

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let level = app.images.level;
    if !app.beside() {
        match level {
            Level::Repositories => repositories(app, frame, area),
            Level::Tags => tags(app, frame, area, true),
            Level::Details => details::draw(app, frame, area, true),
        }
        return;
    }
    let left = Rect { width: area.width / 2, ..area };
    let right = Rect { x: area.x + left.width, width: area.width - left.width, ..area };
    match level {
        Level::Repositories => {
            repositories(app, frame, left);
            tags(app, frame, right, false);
        }
        Level::Tags | Level::Details => {
            tags(app, frame, left, level == Level::Tags);
            details::draw(app, frame, right, level == Level::Details);
        }
    }
}

fn title<'t>(look: &Look, name: String, total: u64, filter: &str, active: bool) -> Line<'t> {
    let theme = &look.theme;
    let mut spans = vec![
        Span::styled(format!(" {name} "), if active { theme.title } else { theme.dim }),
        Span::styled(format!("{total} "), theme.dim),
    ];
    if !filter.is_empty() {
        spans.push(Span::styled(format!("/{} ", cut_middle(filter, 30, &look.glyphs)), theme.warning));
    }
    Line::from(spans)
}

fn repositories(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let (look, list) = (&app.look, &app.images.repositories);
    let block = pane(look, title(look, "Repositories".to_owned(), list.window.total(), &list.filter, true));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    if list.window.is_known() && list.window.total() == 0 {
        empty(app, frame, inside, &list.filter);
        return;
    }
    let sorted = |order| (list.order == order).then_some(list.descending);
    let columns = [
        Column::new("REPOSITORY", 0).sorted(sorted(RepositoryOrder::Name)),
        Column::new("IMAGES", 8).right().sorted(sorted(RepositoryOrder::Images)),
        Column::new("SIZE", 9).right().sorted(sorted(RepositoryOrder::Size)),
        Column::new("ALONE", 9).right().from(56),
        Column::new("STATE", 11),
    ];
    let fitting = table::fit(&columns, inside);
    let mut lines = vec![table::head(&fitting, look)];
    for (place, row) in list.window.shown() {
        let selected = place == list.window.cursor();
        let Some(row) = row else {
            lines.push(Line::styled(format!("  {}", look.glyphs.waiting), look.theme.dim));
            continue;
        };
        let texts = repository_texts(app, row);
        let marked = list.marks.contains(&row.name);
        lines.push(table::row(&fitting, look, &texts, selected, marked, inside.width));
    }
    frame.render_widget(Paragraph::new(lines), inside);
}

fn repository_texts(app: &App, row: &RepositoryRow) -> Vec<(String, Style)> {
    let (theme, glyphs) = (&app.look.theme, &app.look.glyphs);
    let name = row.alias.clone().map_or_else(|| row.name.clone(), |alias| format!("{} ({alias})", row.name));
    let state = repository_state(app, row).unwrap_or_else(|| match (row.private, row.published) {
        (true, false) => (format!("{} private", glyphs.private), theme.warning),
        (true, true) => (format!("{} allowed", glyphs.private), theme.warning),
        (false, _) => (format!("{} mirrored", glyphs.done), theme.good),
    });
    vec![
        (name, theme.name),
        (row.images.to_string(), theme.text),
        (bytes(row.figures.logical), theme.text),
        (bytes(row.figures.unique), theme.dim),
        state,
    ]
}

/// What jobs do to it at the moment.
fn repository_state(app: &App, row: &RepositoryRow) -> Option<(String, Style)> {
    let of_it = |image: &str| image.strip_prefix(row.name.as_str()).is_some_and(|rest| rest.starts_with([':', '@']));
    let job = app.jobs.running().find(|job| job.fetching.iter().any(|blob| of_it(&blob.image)))?;
    let percent = job.percent().map(|percent| format!("{percent} %")).unwrap_or_default();
    Some((format!("{} {percent}", app.look.glyphs.arriving), app.look.theme.accent))
}

fn tags(app: &App, frame: &mut Frame<'_>, area: Rect, active: bool) {
    let (look, list) = (&app.look, &app.images.tags);
    let name = app.images.repository.clone().unwrap_or_default();
    let name = cut_middle(&name, usize::from(area.width).saturating_sub(12), &look.glyphs);
    let block = pane(look, title(look, name, list.window.total(), &list.filter, active));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    if app.images.repository.is_none() {
        return;
    }
    let sorted = |order| (list.order == order).then_some(list.descending);
    let columns = [
        Column::new("TAG", 0).sorted(sorted(ImageOrder::Tag)),
        Column::new("PLATFORMS", 18).from(60),
        Column::new("SIZE", 9).right().sorted(sorted(ImageOrder::Size)),
        Column::new("ADDED", 7).right().sorted(sorted(ImageOrder::Added)).from(44),
        Column::new("STATE", 10),
    ];
    let fitting = table::fit(&columns, inside);
    let mut lines = vec![table::head(&fitting, look)];
    let shown = usize::from(inside.height).saturating_sub(1);
    for (place, row) in list.window.shown().take(shown) {
        let selected = active && place == list.window.cursor();
        let Some(row) = row else {
            lines.push(Line::styled(format!("  {}", look.glyphs.waiting), look.theme.dim));
            continue;
        };
        let marked = list.marks.contains(&named(row));
        lines.push(table::row(&fitting, look, &image_texts(app, row), selected, marked, inside.width));
    }
    frame.render_widget(Paragraph::new(lines), inside);
}

fn image_texts(app: &App, row: &ImageRow) -> Vec<(String, Style)> {
    let (theme, glyphs) = (&app.look.theme, &app.look.glyphs);
    let name = row.tag.clone().unwrap_or_else(|| format!("@{}", row.digest));
    let platforms = match row.platforms.as_slice() {
        [] => "-".to_owned(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} +{}", rest.len()),
    };
    let added = row.added.parse::<jiff::Timestamp>().map(|at| age(app.wall.as_second() - at.as_second()));
    let state = if row.stale.is_some() {
        (format!("{} stale", glyphs.stale), theme.warning)
    } else {
        (format!("{} mirrored", glyphs.done), theme.good)
    };
    vec![
        (name, theme.name),
        (platforms, theme.text),
        (bytes(row.logical), theme.text),
        (added.unwrap_or_default(), theme.dim),
        state,
    ]
}

fn empty(app: &App, frame: &mut Frame<'_>, area: Rect, filter: &str) {
    let theme = &app.look.theme;
    let key = |command| app.keymap.key(command).map(|key| key.short()).unwrap_or_default();
    use super::super::command::Command;
    let lines = if filter.is_empty() {
        vec![
            Line::raw(""),
            Line::styled("  There is no image here yet.", theme.title),
            Line::raw(""),
            Line::from(vec![
                Span::raw("  Press "),
                Span::styled(key(Command::Add), theme.key),
                Span::raw(" and type a reference to mirror one: nginx:alpine, ghcr.io/org/app:1.2"),
            ]),
            Line::from(vec![
                Span::raw("  or paste one. "),
                Span::styled(key(Command::Help), theme.key),
                Span::raw(" shows everything that can be done."),
            ]),
        ]
    } else {
        vec![
            Line::raw(""),
            Line::styled(
                format!("  No repository's name contains `{}`.", cut_middle(filter, 40, &app.look.glyphs)),
                theme.title,
            ),
            Line::from(vec![
                Span::raw("  "),
                Span::styled(key(Command::Back), theme.key),
                Span::raw(" shows all of them."),
            ]),
        ]
    };
    frame.render_widget(Paragraph::new(lines), area);
}
