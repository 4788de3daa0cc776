//! The tree of repositories under their registries: the row of a registry, and what is beside it while the cursor is on it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::app::App;
use super::super::cells::{cut, left};
use super::super::columns::{self, REPOSITORIES, RepositoryCells};
use super::super::command::Command;
use super::frame::pane;
use super::images::added;
use crate::engine::query::browse::{Registry, Totals, TreeRow};
use crate::engine::query::view::RepositoryRow;
use crate::text::{bytes, count, printable};

/// Columns that what is below a registry is indented by.
pub(super) const INSET: usize = 2;
/// Columns of the names of facts.
const FACT_COLUMNS: usize = 14;

/// What a registry is called.
fn name_of(registry: &str) -> String {
    if registry.is_empty() { "from files".to_owned() } else { printable(registry) }
}

/// Name of a repository where it stands: below its registry without that.
pub(super) fn name_in<'r>(app: &App, row: &'r RepositoryRow) -> &'r str {
    let upstream = row.upstream.as_deref().and_then(|upstream| upstream.split_once('/'));
    let Some((registry, _)) = upstream.filter(|_| app.images.tree.shown) else { return &row.name };
    // As published names write a registry with a port.
    let prefix = format!("{}/", registry.replace(':', "_"));
    row.name.strip_prefix(&prefix).filter(|rest| !rest.is_empty()).unwrap_or(&row.name)
}

/// What stands in the first column of a row, in full.
pub(super) fn label(app: &App, row: &TreeRow<RepositoryRow>) -> String {
    match row {
        TreeRow::Registry(registry) => head(app, registry),
        TreeRow::Repository(row) => {
            let inset = if app.images.tree.shown { INSET } else { 0 };
            format!("{}{}", " ".repeat(inset), name_in(app, row))
        }
    }
}

/// A registry with its sign, and how many repositories it has; of how many, where some were looked for.
fn head(app: &App, registry: &Registry) -> String {
    let (open, folded) = app.look.glyphs.fold;
    let sign = if registry.folded { folded } else { open };
    let of = app.images.tree.totals(&registry.name).map(|totals| totals.repositories);
    let of = of.filter(|of| *of > registry.repositories).map(|of| format!(" of {of}")).unwrap_or_default();
    format!("{sign} {} ({}{of})", name_of(&registry.name), registry.repositories)
}

/// What wants to be looked at of a registry, in a sign and a word.
fn state(app: &App, totals: &Totals) -> (String, Style) {
    let (theme, glyphs) = (&app.look.theme, &app.look.glyphs);
    if totals.gone > 0 {
        (format!("{} {} gone", glyphs.outdated, totals.gone), theme.warning)
    } else if totals.outdated > 0 {
        (format!("{} {} outdated", glyphs.outdated, totals.outdated), theme.warning)
    } else if totals.private > 0 {
        (format!("{} {} private", glyphs.private, totals.private), theme.warning)
    } else {
        (String::new(), theme.text)
    }
}

fn time(totals: &Totals) -> Option<jiff::Timestamp> {
    totals.added.and_then(|at| jiff::Timestamp::from_second(at).ok())
}

/// What stands in the columns of a registry's row: totals as soon as they are known.
pub(super) fn texts(app: &App, registry: &Registry) -> Vec<(String, Style)> {
    let theme = &app.look.theme;
    let name = head(app, registry);
    let Some(totals) = app.images.tree.totals(&registry.name) else {
        let unknown = (app.look.glyphs.waiting.to_owned(), theme.dim);
        let others = std::iter::repeat_n(unknown, REPOSITORIES.len() - 1);
        return std::iter::once((name, theme.title)).chain(others).collect();
    };
    let cells = RepositoryCells {
        name,
        images: totals.images,
        logical: totals.figures.logical,
        unique: totals.figures.unique,
        added: added(app, time(totals)),
        state: state(app, totals),
    };
    let mut texts = columns::texts(&REPOSITORIES, &cells, theme);
    if let Some((_, style)) = texts.first_mut() {
        *style = theme.title;
    }
    texts
}

/// What is known of the registry under the cursor, beside the tree.
pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect, registry: &Registry) {
    let (look, theme) = (&app.look, &app.look.theme);
    let block = pane(look, Line::styled(format!(" {} ", cut(&name_of(&registry.name), 40, &look.glyphs)), theme.dim));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let columns = usize::from(inside.width).saturating_sub(FACT_COLUMNS + 2);
    let fact = |name: &str, value: String, style: Style| {
        Line::from(vec![
            Span::styled(format!(" {}", left(name, FACT_COLUMNS, &look.glyphs)), theme.dim),
            Span::styled(cut(&value, columns, &look.glyphs), style),
        ])
    };
    let mut lines = Vec::new();
    match app.images.tree.totals(&registry.name) {
        None => lines.push(Line::styled(format!(" {}", look.glyphs.waiting), theme.dim)),
        Some(totals) => {
            let Totals { repositories, images, figures, .. } = totals;
            lines.push(fact("repositories", repositories.to_string(), theme.text));
            lines.push(fact("images", images.to_string(), theme.text));
            lines.push(fact("size", bytes(figures.logical), theme.text));
            lines.push(fact("stored", format!("{}, each blob once", bytes(figures.stored)), theme.text));
            lines.push(fact("unique", format!("{}, in no other registry", bytes(figures.unique)), theme.text));
            if let Some(at) = time(totals) {
                lines.push(fact("last added", format!("{} ago", added(app, Some(at))), theme.text));
            }
            let attention = [
                ("outdated", totals.outdated, "image", "images"),
                ("gone", totals.gone, "image", "images"),
                ("private", totals.private, "repository", "repositories"),
            ];
            for (name, number, one, many) in attention.into_iter().filter(|(_, number, ..)| *number > 0) {
                lines.push(fact(name, count(number, one, many), theme.warning));
            }
        }
    }
    lines.push(Line::raw(""));
    let folds = if registry.folded { "unfolds it" } else { "folds it" };
    for (command, does) in
        [(Command::Open, folds), (Command::Mark, "marks all of its repositories"), (Command::Tree, "shows one list")]
    {
        if let Some(key) = app.keymap.key(command) {
            lines.push(Line::from(vec![
                Span::styled(format!(" {:<6}", key.short()), theme.key),
                Span::styled(does, theme.dim),
            ]));
        }
    }
    frame.render_widget(Paragraph::new(lines), inside);
}
