//! Images: the list, and from 120 columns on what is under the cursor beside it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::app::{App, Look};
use super::super::cells::{age, cut_middle};
use super::super::command::Command;
use super::super::state::images::{Level, named};
use super::super::state::standings::{GONE, Standing};
use super::details;
use super::frame::{Hit, pane};
use super::table::{self, Column};
use crate::engine::browse::{ImageOrder, RepositoryOrder};
use crate::engine::view::{ImageRow, RepositoryRow};
use crate::text::bytes;

/// Where the list is, and what is beside it.
fn halves(app: &App, area: Rect) -> (Rect, Option<Rect>) {
    if !app.beside() {
        return (area, None);
    }
    let area = Rect { width: area.width - side(app, area).map_or(0, |side| side.width), ..area };
    let left = Rect { width: area.width / 2, ..area };
    (left, Some(Rect { x: area.x + left.width, width: area.width - left.width, ..area }))
}

/// Where what goes on is shown beside everything, on a large screen.
fn side(app: &App, area: Rect) -> Option<Rect> {
    const COLUMNS: u16 = 44;
    let fits = app.size.0 >= 160 && app.size.1 >= 45 && !app.is_empty();
    fits.then(|| Rect { x: area.right().saturating_sub(COLUMNS), width: COLUMNS.min(area.width), ..area })
}

/// Where the details of an image are, if they are shown.
pub(super) fn details_area(app: &App, area: Rect) -> Option<Rect> {
    match (halves(app, area), app.images.level) {
        (_, Level::Repositories) | ((_, None), Level::Tags) => None,
        ((_, Some(beside)), _) => Some(beside),
        ((all, None), Level::Details) => Some(all),
    }
}

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let level = app.images.level;
    if let Some(side) = side(app, area) {
        super::side::draw(app, frame, side);
    }
    match (halves(app, area), level) {
        ((list, beside), Level::Repositories) => {
            let beside = beside.filter(|_| !app.is_empty());
            repositories(app, frame, if beside.is_some() { list } else { area });
            if let Some(beside) = beside {
                tags(app, frame, beside, false);
            }
        }
        ((all, None), Level::Tags) => tags(app, frame, all, true),
        ((all, None), Level::Details) => {
            details::draw(app, frame, all, true);
            super::found::mark(app, frame, inner(all));
        }
        ((list, Some(beside)), _) => {
            tags(app, frame, list, level == Level::Tags);
            details::draw(app, frame, beside, level == Level::Details);
            if level == Level::Details {
                super::found::mark(app, frame, inner(beside));
            }
        }
    }
}

/// Without its frame.
fn inner(area: Rect) -> Rect {
    area.inner(ratatui::layout::Margin::new(1, 1))
}

/// What is at a place of the view.
pub(super) fn hit(app: &App, area: Rect, column: u16, row: u16) -> Option<Hit> {
    let (list, beside) = halves(app, area);
    let inside = |of: Rect| (of.x + 1..of.right().saturating_sub(1)).contains(&column);
    if let Some(beside) = beside.filter(|beside| inside(*beside)) {
        let in_body = row > beside.y && row < beside.bottom().saturating_sub(1);
        return (in_body && app.images.level != Level::Details).then_some(Hit::Open);
    }
    if !inside(list) || row >= list.bottom().saturating_sub(1) {
        return None;
    }
    if app.images.level == Level::Details {
        return beside.map(|_| Hit::Back);
    }
    if row == list.y + 1 {
        let at = column - list.x - 1;
        let inner = Rect { width: list.width.saturating_sub(2), ..list };
        return if app.images.level == Level::Repositories {
            let place = table::column_at(&table::fit(&repository_columns(app), inner), at)?;
            REPOSITORY_ORDERS.get(place).copied().flatten().map(Hit::Repositories)
        } else {
            let place = table::column_at(&table::fit(&tag_columns(app), inner), at)?;
            TAG_ORDERS.get(place).copied().flatten().map(Hit::Tags)
        };
    }
    (row > list.y + 1).then(|| Hit::Row(u64::from(row - list.y - 2)))
}

/// What each column is sorted by.
const REPOSITORY_ORDERS: [Option<RepositoryOrder>; 6] =
    [Some(RepositoryOrder::Name), Some(RepositoryOrder::Images), Some(RepositoryOrder::Size), None, None, None];
const TAG_ORDERS: [Option<ImageOrder>; 5] =
    [Some(ImageOrder::Tag), None, Some(ImageOrder::Size), Some(ImageOrder::Added), None];

fn repository_columns(app: &App) -> [Column; 5] {
    let list = &app.images.repositories;
    let sorted = |order| (list.order == order).then_some(list.descending);
    [
        Column::new("REPOSITORY", 0).sorted(sorted(RepositoryOrder::Name)),
        Column::new("IMAGES", 8).right().sorted(sorted(RepositoryOrder::Images)),
        Column::new("SIZE", 9).right().sorted(sorted(RepositoryOrder::Size)),
        Column::new("ALONE", 9).right().from(70),
        Column::new("STATE", 12),
    ]
}

fn tag_columns(app: &App) -> [Column; 5] {
    let list = &app.images.tags;
    let sorted = |order| (list.order == order).then_some(list.descending);
    [
        Column::new("TAG", 0).sorted(sorted(ImageOrder::Tag)),
        Column::new("PLATFORMS", 18).from(60),
        Column::new("SIZE", 9).right().sorted(sorted(ImageOrder::Size)),
        Column::new("ADDED", 7).right().sorted(sorted(ImageOrder::Added)).from(44),
        Column::new("STATE", 12),
    ]
}

fn title<'t>(look: &Look, name: &str, total: u64, filter: &str, active: bool) -> Line<'t> {
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
    let block = pane(look, title(look, "Repositories", list.window.total(), &list.filter, true));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    if app.is_empty() {
        super::first::draw(app, frame, inside);
        return;
    }
    if list.window.is_known() && list.window.total() == 0 {
        nothing_found(app, frame, inside, &list.filter);
        return;
    }
    let fitting = table::fit(&repository_columns(app), inside);
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
    let state = if let Some(state) = arriving(app, |image| of_repository(image, &row.name)) {
        state
    } else if let Some(why) = app.images.failure(&row.name) {
        failed(&app.look, why)
    } else if row.private && !row.published {
        (format!("{} private", glyphs.private), theme.warning)
    } else if row.stale > 0 {
        (format!("{} {} stale", glyphs.stale, row.stale), theme.warning)
    } else {
        standing(&app.look, app.standings.repository(&row.name))
    };
    vec![
        (name, theme.name),
        (row.images.to_string(), theme.text),
        (bytes(row.figures.logical), theme.text),
        (bytes(row.figures.unique), theme.dim),
        state,
    ]
}

fn of_repository(image: &str, name: &str) -> bool {
    image.strip_prefix(name).is_some_and(|rest| rest.starts_with([':', '@']))
}

fn failed(look: &Look, why: &str) -> (String, Style) {
    match why {
        GONE => (format!("{} gone", look.glyphs.stale), look.theme.warning),
        _ => (format!("{} failed", look.glyphs.failed), look.theme.danger),
    }
}

/// How far a job is with bringing something here at the moment.
fn arriving(app: &App, is_it: impl Fn(&str) -> bool) -> Option<(String, Style)> {
    let job = app.jobs.running().find(|job| job.fetching.iter().any(|blob| is_it(&blob.image)))?;
    let percent = job.percent().map(|percent| format!("{percent} %")).unwrap_or_default();
    Some((format!("{} {percent}", app.look.glyphs.arriving), app.look.theme.accent))
}

/// How something stands to what was published, in a sign and a word.
pub(super) fn standing(look: &Look, standing: Option<Standing>) -> (String, Style) {
    let (theme, glyphs) = (&look.theme, &look.glyphs);
    match standing {
        Some(Standing::Published) => (format!("{} published", glyphs.done), theme.good),
        Some(Standing::Changed) => (format!("{} changed", glyphs.changed), theme.accent),
        Some(Standing::New) => (format!("{} new", glyphs.new), theme.accent),
        None => (format!("{} mirrored", glyphs.done), theme.good),
    }
}

fn tags(app: &App, frame: &mut Frame<'_>, area: Rect, active: bool) {
    let (look, list) = (&app.look, &app.images.tags);
    let name = app.images.repository.clone().unwrap_or_default();
    let name = cut_middle(&name, usize::from(area.width).saturating_sub(12), &look.glyphs);
    let block = pane(look, title(look, &name, list.window.total(), &list.filter, active));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    if app.images.repository.is_none() {
        return;
    }
    if list.window.is_known() && list.window.total() == 0 && !list.filter.is_empty() {
        let words = format!("  No tag contains `{}`.", cut_middle(&list.filter, 40, &look.glyphs));
        frame.render_widget(Paragraph::new(vec![Line::raw(""), Line::styled(words, look.theme.title)]), inside);
        return;
    }
    let fitting = table::fit(&tag_columns(app), inside);
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
    let full = named(row);
    let state = if let Some(state) = arriving(app, |image| image == full) {
        state
    } else if let Some(why) = app.images.failure(&full) {
        failed(&app.look, why)
    } else if row.stale.is_some() {
        (format!("{} stale", glyphs.stale), theme.warning)
    } else {
        let key = row.tag.clone().unwrap_or_else(|| row.digest.to_string());
        standing(&app.look, app.standings.tag(&row.name, &key))
    };
    vec![
        (name, theme.name),
        (platforms, theme.text),
        (bytes(row.logical), theme.text),
        (added.unwrap_or_default(), theme.dim),
        state,
    ]
}

fn nothing_found(app: &App, frame: &mut Frame<'_>, area: Rect, filter: &str) {
    let theme = &app.look.theme;
    let key = app.keymap.key(Command::Back).map(|key| key.short()).unwrap_or_default();
    let words = format!("  No repository's name contains `{}`.", cut_middle(filter, 40, &app.look.glyphs));
    let lines = vec![
        Line::raw(""),
        Line::styled(words, theme.title),
        Line::from(vec![Span::raw("  "), Span::styled(key, theme.key), Span::raw(" shows all of them.")]),
    ];
    frame.render_widget(Paragraph::new(lines), area);
}
