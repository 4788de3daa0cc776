//! The menu of a row: its commands with their keys, and below them what the chosen one does.

use super::super::app::Look;
use super::super::cells::{width, wrap};
use super::super::describe::{Role, Row};
use super::super::dialog::actions::{Action, Actions};

/// The least columns of the menu, with its frame.
const MIN_COLUMNS: u16 = 48;
/// Rows that an explanation takes at most.
const MAX_EXPLANATION_ROWS: usize = 4;

/// Columns that the menu has, if there are as many.
pub(super) fn columns(menu: &Actions) -> u16 {
    let title = u16::try_from(width(&menu.subject)).unwrap_or(u16::MAX).saturating_add(6);
    title.clamp(MIN_COLUMNS, MIN_COLUMNS * 2)
}

/// Rows of the menu in so many columns: one a command, first.
pub(super) fn rows(menu: &Actions, look: &Look, columns: usize) -> Vec<Row> {
    let key = |action: &Action| action.keys.first().map(ToString::to_string).unwrap_or_default();
    let of_keys = menu.all.iter().map(|action| width(&key(action))).max().unwrap_or(0);
    let mut rows: Vec<Row> = Vec::new();
    for (place, action) in menu.all.iter().enumerate() {
        let chosen = place == menu.cursor;
        let cursor = if chosen { look.glyphs.cursor } else { " " };
        let role = match (chosen, action.entry.destroys) {
            (true, _) => Role::Chosen,
            (false, true) => Role::Danger,
            (false, false) => Role::Text,
        };
        rows.push((role, format!("{cursor} {:<of_keys$}  {}", key(action), action.entry.title)));
    }
    // As many rows as the longest needs, so that the menu stays as it is while the cursor moves.
    let told = |action: &Action| wrap(action.entry.explanation, columns);
    let most = menu.all.iter().map(|action| told(action).len()).max().unwrap_or(0).min(MAX_EXPLANATION_ROWS);
    let mut words = menu.all.get(menu.cursor).map(told).unwrap_or_default();
    words.resize(most, String::new());
    rows.push((Role::Text, String::new()));
    rows.extend(words.into_iter().map(|row| (Role::Dim, row)));
    rows
}
