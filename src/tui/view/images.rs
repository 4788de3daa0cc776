//! Images: the list, and from 120 columns on what is under the cursor beside it.

use std::collections::BTreeMap;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

use super::super::app::{App, Look};
use super::super::cells::{age, cut_middle, told_apart, width};
use super::super::columns::{self, REPOSITORIES, RepositoryCells, TAGS, TagCells};
use super::super::command::Command;
use super::super::list::Window;
use super::super::state::images::{Level, Pane, named};
use super::super::state::standings::PublishedState;
use super::details;
use super::frame::{Hit, pane};
use super::more;
use super::registries;
use super::table::{self, Column, Cursor};
use crate::engine::query::browse::{Search, TreeRow};
use crate::engine::query::view::{ImageRow, RepositoryRow};
use crate::text::printable;

/// The least columns of details that were opened, where there are as many: digests fit in one line of them.
const MIN_OPENED_DETAILS_COLUMNS: u16 = 86;
/// The least columns of the list beside them.
const MIN_LIST_COLUMNS: u16 = 34;

/// Where the list is, and what is beside it.
fn halves(app: &App, area: Rect) -> (Rect, Option<Rect>) {
    if !app.beside() || app.is_empty() {
        return (area, None);
    }
    let area = Rect { width: area.width - side(app, area).map_or(0, |side| side.width), ..area };
    let left = Rect { width: list_width(app, area.width), ..area };
    (left, Some(Rect { x: area.x + left.width, width: area.width - left.width, ..area }))
}

/// The columns of the list: what it needs, as long as what is beside it has what that needs.
fn list_width(app: &App, columns: u16) -> u16 {
    let need = 2 + app.images.need().unwrap_or_else(|| need(app));
    match app.images.level {
        Level::Repositories => need.clamp(columns * 2 / 5, columns * 3 / 5),
        Level::Tags => need.clamp(columns * 2 / 5, columns / 2),
        Level::Details => need.clamp(
            MIN_LIST_COLUMNS,
            columns.saturating_sub(MIN_OPENED_DETAILS_COLUMNS).min(columns * 2 / 5).max(MIN_LIST_COLUMNS),
        ),
    }
}

/// The columns that the list needs, by the rows that are loaded.
pub(in crate::tui) fn need(app: &App) -> u16 {
    match app.images.level {
        Level::Repositories => table::need(&repository_columns(app)),
        Level::Tags | Level::Details => table::need(&tag_columns(app)),
    }
}

/// Where what goes on is shown beside everything, on a large screen: while something runs, and afterwards where no name is cut
/// for it.
fn side(app: &App, area: Rect) -> Option<Rect> {
    const SIDE_COLUMNS: u16 = 44;
    let fits = app.size.0 >= 160 && app.size.1 >= 45 && !app.is_empty() && !app.jobs.jobs.is_empty();
    let left = area.width.saturating_sub(SIDE_COLUMNS);
    let is_cut = || {
        let inside = Rect { width: list_width(app, left).saturating_sub(2), ..area };
        let columns = match app.images.level {
            Level::Repositories => repository_columns(app),
            Level::Tags | Level::Details => tag_columns(app),
        };
        table::fit(&columns, inside).iter().any(|(place, column)| *place == 0 && column.width < column.need)
    };
    let is_opened = app.images.level == Level::Details && left < MIN_OPENED_DETAILS_COLUMNS + MIN_LIST_COLUMNS;
    let shown = fits && !is_opened && (app.jobs.running().next().is_some() || !is_cut());
    shown.then(|| Rect { x: area.right().saturating_sub(SIDE_COLUMNS), width: SIDE_COLUMNS.min(area.width), ..area })
}

/// Where the tags beside the list of repositories are, and the first image of them where there is room for it.
fn preview(app: &App, beside: Rect) -> (Rect, Option<Rect>) {
    /// Rows of a frame with its heads and the least of its list.
    const MIN_ROWS: u16 = 6;
    if !app.images.previews || app.images.repository.is_none() {
        return (beside, None);
    }
    let rows = u16::try_from(app.images.tags.window.total()).unwrap_or(u16::MAX).saturating_add(3);
    let rows = rows.clamp(MIN_ROWS, (beside.height / 2).max(MIN_ROWS));
    let below = Rect { y: beside.y + rows, height: beside.height.saturating_sub(rows), ..beside };
    (Rect { height: rows, ..beside }, Some(below))
}

/// Where the details of an image are, if they are shown.
pub(super) fn details_area(app: &App, area: Rect) -> Option<Rect> {
    match (halves(app, area), app.images.level) {
        (_, Level::Repositories) | ((_, None), Level::Tags) => None,
        ((_, Some(beside)), _) => Some(beside),
        ((all, None), Level::Details) => Some(all),
    }
}

/// What can be scrolled at a place of the view.
pub(super) fn pane_at(app: &App, area: Rect, column: u16, row: u16) -> Option<Pane> {
    let (list, beside) = halves(app, area);
    let (own, other) = match app.images.level {
        Level::Repositories => (Pane::Repositories, Pane::Tags),
        Level::Details if beside.is_none() => (Pane::Details, Pane::Details),
        Level::Tags | Level::Details => (Pane::Tags, Pane::Details),
    };
    let place = (column, row).into();
    match beside {
        Some(beside) if beside.contains(place) => Some(other),
        _ => list.contains(place).then_some(own),
    }
}

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let level = app.images.level;
    if let Some(side) = side(app, area) {
        super::side::draw(app, frame, side);
    }
    match (halves(app, area), level) {
        ((list, beside), Level::Repositories) => {
            repositories(app, frame, list, beside.is_some());
            match (beside, app.images.registry()) {
                (Some(beside), Some(registry)) => registries::draw(app, frame, beside, registry),
                (Some(beside), None) => {
                    let (above, below) = preview(app, beside);
                    tags(app, frame, above, Keys::Never);
                    if let Some(below) = below {
                        details::draw(app, frame, below, Keys::Never);
                    }
                }
                (None, _) => {}
            }
        }
        ((all, None), Level::Tags) => tags(app, frame, all, Keys::Alone),
        ((all, None), Level::Details) => details::draw(app, frame, all, Keys::Alone),
        ((list, Some(beside)), _) => {
            let (own, other) = if level == Level::Tags { (Keys::Here, Keys::Never) } else { (Keys::Left, Keys::Here) };
            tags(app, frame, list, own);
            details::draw(app, frame, beside, other);
        }
    }
}

/// Whether a pane has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    /// It has, and nothing is beside it.
    Alone,
    /// It has, and not what is beside it.
    Here,
    /// It had: what was opened from it has them.
    Left,
    /// It has not, and had not.
    Never,
}

impl Keys {
    /// A pane of this title, which shows by its border whether it has the keys.
    pub(super) fn pane<'t>(self, look: &Look, title: Line<'t>) -> Block<'t> {
        let block = pane(look, title);
        if self == Self::Here { block.border_style(look.theme.accent) } else { block }
    }

    pub(super) fn are_here(self) -> bool {
        matches!(self, Self::Alone | Self::Here)
    }
}

/// What is at a place of the view.
pub(super) fn hit(app: &App, area: Rect, column: u16, row: u16) -> Option<Hit> {
    let (list, beside) = halves(app, area);
    let inside = |of: Rect| (of.x + 1..of.right().saturating_sub(1)).contains(&column);
    if let Some(on_page) =
        details_area(app, area).filter(|page| inside(*page)).and_then(|page| details::hit(app, page, column, row))
    {
        return Some(on_page);
    }
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
            REPOSITORIES.get(place).map(|column| Hit::Repositories(column.order))
        } else {
            let place = table::column_at(&table::fit(&tag_columns(app), inner), at)?;
            TAGS.get(place).map(|column| Hit::Tags(column.order))
        };
    }
    (row > list.y + 1).then(|| Hit::Row(u64::from(row - list.y - 2)))
}

/// The columns that the longest of these takes.
fn longest(texts: impl Iterator<Item = impl AsRef<str>>) -> u16 {
    let longest = texts.map(|text| width(text.as_ref())).max().unwrap_or(0);
    u16::try_from(longest).unwrap_or(u16::MAX)
}

fn repository_columns(app: &App) -> Vec<Column> {
    let list = &app.images.repositories;
    let need = |id: &str| match id {
        "name" => Some(longest(list.measured().iter().map(|row| registries::label(app, row)))),
        _ => None,
    };
    table::columns(&REPOSITORIES, need, list.sorted())
}

fn tag_columns(app: &App) -> Vec<Column> {
    let list = &app.images.tags;
    let need = |id: &str| match id {
        "tag" => Some(longest(list.measured().iter().map(ImageRow::shown))),
        "platforms" => Some(longest(list.measured().iter().map(|row| row.platforms.join(", ")))),
        _ => None,
    };
    table::columns(&TAGS, need, list.sorted())
}

/// As many platforms as fit, and how many more there are.
fn platforms(all: &[String], columns: usize) -> String {
    let Some((first, rest)) = all.split_first() else { return "-".to_owned() };
    let mut text = first.clone();
    for (place, platform) in rest.iter().enumerate() {
        let left = rest.len() - place - 1;
        let more = if left > 0 { format!(" +{left}").len() } else { 0 };
        if width(&text) + 2 + width(platform) + more > columns {
            return format!("{text} +{}", left + 1);
        }
        text = format!("{text}, {platform}");
    }
    text
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

/// When upstream was asked last, as a head says it.
pub(super) fn checked(app: &App) -> String {
    let dot = app.look.glyphs.dot;
    match app.rules.images_checked() {
        Some(at) => format!("{dot} last checked {} ", super::rules::ago(app, at)),
        None => format!("{dot} never checked "),
    }
}

fn repositories(app: &App, frame: &mut Frame<'_>, area: Rect, beside: bool) {
    let (look, list) = (&app.look, &app.images.repositories);
    let keys = if beside { Keys::Here } else { Keys::Alone };
    let mut title = title(look, "Repositories", list.entries, &list.filter, true);
    if !app.is_empty() {
        title.push_span(Span::styled(checked(app), look.theme.dim));
    }
    let block = keys.pane(look, title);
    let inside = block.inner(area);
    frame.render_widget(block, area);
    if app.is_empty() {
        super::first::draw(app, frame, inside);
        return;
    }
    if list.window.is_known() && list.window.total() == 0 {
        nothing_found(app, frame, inside, "repository", &list.filter);
        return;
    }
    let search = Search::parse(&list.filter);
    let mut finder = search.finder();
    let fitting = table::fit(&repository_columns(app), inside);
    let mut lines = vec![table::head(&fitting, look)];
    let columns = table::width_of(&fitting, &REPOSITORIES, "name");
    // What stands below a registry stands to the right of it.
    let inset = if app.images.tree.shown { registries::INSET } else { 0 };
    let columns = columns.saturating_sub(inset);
    let rows = || list.window.loaded().iter().filter_map(TreeRow::repository);
    let names: Vec<String> = rows().map(|row| registries::name_in(app, row).to_owned()).collect();
    let short: BTreeMap<&str, String> =
        rows().map(|row| row.name.as_str()).zip(told_apart(&names, columns, &look.glyphs)).collect();
    for (place, row) in list.window.shown() {
        let selected = place == list.window.cursor();
        let Some(row) = row else {
            lines.push(Line::styled(format!("  {}", look.glyphs.waiting), look.theme.dim));
            continue;
        };
        let row = match row {
            TreeRow::Repository(row) => row,
            TreeRow::Registry(registry) => {
                let texts = registries::texts(app, registry);
                lines.push(table::row(&fitting, look, &texts, selected, false, inside.width));
                continue;
            }
        };
        // The second name where there is room for both.
        let whole = row.alias.as_ref().map(|alias| format!("{} ({alias})", row.name));
        let whole = whole.filter(|whole| width(&printable(whole)) <= columns);
        let whole = whole.filter(|_| !app.images.tree.shown);
        let name = whole.or_else(|| short.get(row.name.as_str()).cloned()).unwrap_or_default();
        let matched: Vec<usize> = finder.matched(&name).into_iter().map(|letter| letter + inset).collect();
        let texts = repository_texts(app, row, format!("{}{name}", " ".repeat(inset)));
        let marked = list.marks.contains(&row.name);
        let line = table::row(&fitting, look, &texts, selected, marked, inside.width);
        lines.push(table::matched(line, &matched, look, selected));
    }
    frame.render_widget(Paragraph::new(lines), inside);
    scrollbar(look, frame, area, &list.window);
}

/// Shows at the edge of a list which part of it is in sight.
fn scrollbar<T>(look: &Look, frame: &mut Frame<'_>, area: Rect, window: &Window<T>) {
    let lines = |rows: u64| usize::try_from(rows).unwrap_or(usize::MAX);
    let shown = usize::from(area.height.saturating_sub(3));
    more::scrollbar(look, frame, area, (lines(window.top()), shown, lines(window.total())));
}

/// How long ago something was added.
pub(super) fn added(app: &App, at: Option<jiff::Timestamp>) -> String {
    at.map(|at| age(app.wall.as_second() - at.as_second())).unwrap_or_default()
}

fn repository_texts(app: &App, row: &RepositoryRow, name: String) -> Vec<(String, Style)> {
    let (theme, glyphs) = (&app.look.theme, &app.look.glyphs);
    let state = if let Some(state) = arriving(app, |image| of_repository(image, &row.name)) {
        state
    } else if app.images.failure(&row.name).is_some() {
        failed(&app.look)
    } else if row.private && !row.published {
        (format!("{} private", glyphs.private), theme.warning)
    } else if row.gone > 0 {
        (format!("{} {} gone", glyphs.outdated, row.gone), theme.warning)
    } else if row.outdated > 0 {
        (format!("{} {} outdated", glyphs.outdated, row.outdated), theme.warning)
    } else {
        standing(&app.look, app.standings.repository(&row.name))
    };
    let cells = RepositoryCells {
        name,
        images: row.images,
        logical: row.figures.logical,
        unique: row.figures.unique,
        added: added(app, row.added.and_then(|at| jiff::Timestamp::from_second(at).ok())),
        state,
    };
    columns::texts(&REPOSITORIES, &cells, theme)
}

fn of_repository(image: &str, name: &str) -> bool {
    image.strip_prefix(name).is_some_and(|rest| rest.starts_with([':', '@']))
}

fn failed(look: &Look) -> (String, Style) {
    (format!("{} failed", look.glyphs.failed), look.theme.danger)
}

/// How far a job is with bringing something here at the moment.
fn arriving(app: &App, is_it: impl Fn(&str) -> bool) -> Option<(String, Style)> {
    let job = app.jobs.running().find(|job| job.fetching.iter().any(|blob| is_it(&blob.image)))?;
    let percent = job.percent().map(|percent| format!("{percent} %")).unwrap_or_default();
    Some((format!("{} {percent}", app.look.glyphs.arriving), app.look.theme.accent))
}

/// How something stands to what was published, in a sign and a word.
pub(super) fn standing(look: &Look, standing: Option<PublishedState>) -> (String, Style) {
    let (theme, glyphs) = (&look.theme, &look.glyphs);
    match standing {
        Some(PublishedState::Published) => (format!("{} published", glyphs.done), theme.good),
        Some(PublishedState::Changed) => (format!("{} changed", glyphs.changed), theme.accent),
        Some(PublishedState::New) => (format!("{} new", glyphs.new), theme.accent),
        None => (format!("{} mirrored", glyphs.done), theme.good),
    }
}

fn tags(app: &App, frame: &mut Frame<'_>, area: Rect, keys: Keys) {
    let (look, list) = (&app.look, &app.images.tags);
    let name = app.images.repository.clone().unwrap_or_default();
    let checked = if keys == Keys::Alone { checked(app) } else { String::new() };
    let name = cut_middle(&name, usize::from(area.width).saturating_sub(12 + width(&checked)), &look.glyphs);
    let mut title = title(look, &name, list.window.total(), &list.filter, keys.are_here());
    title.push_span(Span::styled(checked, look.theme.dim));
    // Nothing is under the cursor of the list that this is beside.
    let is_there = app.images.repository.is_some();
    let block = keys.pane(look, if is_there { title } else { Line::default() });
    let inside = block.inner(area);
    frame.render_widget(block, area);
    if !is_there {
        return;
    }
    if list.window.is_known() && list.window.total() == 0 && !list.filter.is_empty() {
        nothing_found(app, frame, inside, "tag", &list.filter);
        return;
    }
    let search = Search::parse(&list.filter);
    let mut finder = search.finder();
    let fitting = table::fit(&tag_columns(app), inside);
    let mut lines = vec![table::head(&fitting, look)];
    let shown = usize::from(inside.height).saturating_sub(1);
    let names: Vec<String> = list.window.loaded().iter().map(ImageRow::shown).collect();
    let short: BTreeMap<&String, String> =
        names.iter().zip(told_apart(&names, table::width_of(&fitting, &TAGS, "tag"), &look.glyphs)).collect();
    for (place, row) in list.window.shown().take(shown) {
        let at = match keys {
            _ if place != list.window.cursor() => Cursor::Elsewhere,
            Keys::Alone | Keys::Here => Cursor::Here,
            Keys::Left => Cursor::Left,
            Keys::Never => Cursor::Elsewhere,
        };
        let Some(row) = row else {
            lines.push(Line::styled(format!("  {}", look.glyphs.waiting), look.theme.dim));
            continue;
        };
        let marked = list.marks.contains(&named(row));
        let name = short.get(&row.shown()).cloned().unwrap_or_default();
        let matched = finder.matched(&name);
        let name = with_rule(app, row, name, table::width_of(&fitting, &TAGS, "tag"));
        let texts = image_texts(app, row, name, &fitting);
        let line = table::row_with(&fitting, look, &texts, at, marked, inside.width);
        lines.push(table::matched(line, &matched, look, at == Cursor::Here));
    }
    frame.render_widget(Paragraph::new(lines), inside);
    scrollbar(look, frame, area, &list.window);
}

/// A tag with the rule that selects it, or a sign that one does, as far as there is room for that.
fn with_rule(app: &App, row: &ImageRow, name: String, columns: usize) -> String {
    let rule = row.tag.as_ref().and_then(|tag| app.rules.image(&row.name, tag));
    let Some(rule) = rule else { return name };
    let goes = app.rules.goes(rule);
    let leaves = if goes.is_some() { ", leaving" } else { "" };
    let whole = format!("{name} (rule {}{leaves})", printable(&rule.rule));
    let sign = if goes.is_some() { app.look.glyphs.leaving } else { app.look.glyphs.ruled };
    let short = format!("{name} {sign}");
    [whole, short].into_iter().find(|text| width(text) <= columns).unwrap_or(name)
}

/// Whether the repository whose tags are shown is left out of what is published.
fn stays_out(app: &App, repository: &str) -> bool {
    let row = app.images.repositories.window.current().and_then(TreeRow::repository);
    row.is_some_and(|row| row.name == repository && row.private && !row.published)
}

fn image_texts(app: &App, row: &ImageRow, name: String, fitting: &[(usize, Column)]) -> Vec<(String, Style)> {
    let (theme, glyphs) = (&app.look.theme, &app.look.glyphs);
    let platforms = platforms(&row.platforms, table::width_of(fitting, &TAGS, "platforms"));
    let full = named(row);
    let state = if let Some(state) = arriving(app, |image| image == full) {
        state
    } else if app.images.failure(&full).is_some() {
        failed(&app.look)
    } else if stays_out(app, &row.name) {
        (format!("{} private", glyphs.private), theme.warning)
    } else if row.gone.is_some() {
        (format!("{} gone", glyphs.outdated), theme.warning)
    } else if row.outdated.is_some() {
        (format!("{} outdated", glyphs.outdated), theme.warning)
    } else {
        let key = row.tag.clone().unwrap_or_else(|| row.digest.to_string());
        standing(&app.look, app.standings.tag(&row.name, &key))
    };
    let cells = TagCells { name, platforms, logical: row.logical, added: added(app, row.added.parse().ok()), state };
    columns::texts(&TAGS, &cells, theme)
}

/// Nothing matches, and what leads on.
fn nothing_found(app: &App, frame: &mut Frame<'_>, area: Rect, what: &str, filter: &str) {
    let theme = &app.look.theme;
    let words = format!("  No {what} matches `{}`.", cut_middle(filter.trim(), 40, &app.look.glyphs));
    let mut lines = vec![Line::raw(""), Line::styled(words, theme.title)];
    for (command, does) in [(Command::Back, "shows all of them"), (Command::Jump, "looks in the whole catalog")] {
        if let Some(key) = app.keymap.key(command) {
            let key = Span::styled(key.short(), theme.key);
            lines.push(Line::from(vec![Span::raw("  "), key, Span::raw(format!(" {does}."))]));
        }
    }
    frame.render_widget(Paragraph::new(lines), area);
}
