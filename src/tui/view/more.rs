//! The sign that a list or a page goes on where it is not shown.

use ratatui::text::Line;
use ratatui::widgets::Block;

use super::super::app::App;
use super::super::command::Command;
use super::publish::key;

/// A frame that says at its lower edge how much is above and below of what it shows.
pub(super) fn more<'b>(app: &App, block: Block<'b>, above: usize, below: usize) -> Block<'b> {
    let glyphs = &app.look.glyphs;
    let part = |sign: &str, rows: usize, command| match rows {
        0 => None,
        rows => Some(format!("{sign} {rows} more: {}", key(app, command))),
    };
    let parts = [part(glyphs.up, above, Command::Up), part(glyphs.down, below, Command::Down)];
    let words: Vec<String> = parts.into_iter().flatten().collect();
    if words.is_empty() {
        return block;
    }
    let words = format!(" {} ", words.join("  "));
    block.title_bottom(Line::styled(words, app.look.theme.dim).right_aligned())
}

/// How many rows there are, and how many of them are shown if those are fewer.
pub(super) fn count(all: usize, shown: usize) -> String {
    if shown < all { format!("{shown} of {all}") } else { all.to_string() }
}
