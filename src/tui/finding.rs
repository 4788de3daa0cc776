//! Finding text: `n` and `N` go from match to match. A list shows only what matches its filter, so there they go from row to
//! row and around the end; details show everything, so there they go from line to line that has the text.

use super::app::{App, Tab};
use super::command::Command;
use super::state::images::Level;
use super::{unfolding, view};

/// Looks for this in what is shown of an image, from where that is scrolled to.
pub(super) fn search(app: &mut App, text: &str) {
    unfolding::set_search(app, text);
    app.images.found = None;
    let matches = matches(app);
    let from = app.images.page.cursor;
    let first = matches.iter().find(|line| **line >= from).or(matches.first());
    if let Some(line) = first {
        show(app, *line);
    }
}

/// Goes to the next match, or to the one before.
pub(super) fn step(app: &mut App, forward: bool) {
    let text = match app.tab {
        Tab::Images if app.images.level == Level::Details => app.images.search.clone(),
        Tab::Images => app.images.filter().to_owned(),
        Tab::Log => app.log.filter.clone(),
        Tab::Jobs | Tab::Publish | Tab::Stats | Tab::Rules => return,
    };
    if text.is_empty() {
        let key = app.keymap.key(Command::Filter).map_or_else(|| ":filter".to_owned(), |key| key.short());
        app.hint(format!("no search yet: `{key}` starts one"));
        return;
    }
    let (here, of) = match app.tab {
        Tab::Log => {
            let of = app.log.shown().len();
            let here = around(app.log.place(), of, forward);
            app.log.go(here);
            (here, of)
        }
        _ if app.images.level == Level::Details => {
            let matches = matches(app);
            let now = app.images.found.and_then(|line| matches.iter().position(|other| *other == line));
            let place = now.map_or(0, |now| around(now, matches.len(), forward));
            if let Some(line) = matches.get(place) {
                show(app, *line);
            }
            (place, matches.len())
        }
        _ => {
            let (cursor, total) = app.images.place();
            let mut here = around(cursor, total, forward);
            app.images.go(here);
            // A registry is there for what is below it, and something is.
            if app.images.registry().is_some() {
                here = around(here, total, forward);
                app.images.go(here);
            }
            (here, total)
        }
    };
    let text = crate::text::printable_within(&text, 40);
    let is_tree = app.tab == Tab::Images && app.images.level == Level::Repositories && app.images.tree.shown;
    if is_tree && of > 0 {
        let found = crate::text::count(app.images.repositories.entries, "repository matches", "repositories match");
        app.hint(format!("{found} `{text}`"));
    } else if of == 0 {
        let matches = if app.images.level == Level::Details && app.tab == Tab::Images { "contains" } else { "matches" };
        app.hint(format!("nothing {matches} `{text}`"));
    } else {
        app.hint(format!("match {} of {of} for `{text}`", here + 1));
    }
}

fn around(here: usize, of: usize, forward: bool) -> usize {
    match (of, forward) {
        (0, _) => 0,
        (of, true) => (here + 1) % of,
        (of, false) => (here + of - 1) % of,
    }
}

/// The lines that have what is looked for.
fn matches(app: &App) -> Vec<usize> {
    let wanted = app.images.search.to_lowercase();
    if wanted.is_empty() {
        return Vec::new();
    }
    let lines = view::details_text(app);
    lines.iter().enumerate().filter(|(_, line)| line.to_lowercase().contains(&wanted)).map(|(line, _)| line).collect()
}

/// Scrolls so that a line is in sight, with a few before it.
fn show(app: &mut App, line: usize) {
    app.images.found = Some(line);
    app.images.page.cursor = line;
    app.images.scroll = u16::try_from(line.saturating_sub(3)).unwrap_or(u16::MAX);
    let (lines, height) = view::details_reach(app);
    app.images.reach(lines, height);
}
