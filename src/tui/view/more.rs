//! The sign that a list or a page goes on where it is not shown.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Block;

use super::super::app::{App, Look};
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

/// Shows at the right edge of a pane which part of it is in sight, if that is not all: the first line that is, how many are, and
/// how many there are.
pub(super) fn scrollbar(look: &Look, frame: &mut Frame<'_>, pane: Rect, (top, shown, all): (usize, usize, usize)) {
    let track = usize::from(pane.height.saturating_sub(2));
    if all <= shown || track == 0 || pane.width == 0 {
        return;
    }
    let (begin, length) = thumb(track, (top, shown, all));
    for row in begin..begin + length {
        let y = pane.y + 1 + u16::try_from(row).unwrap_or(0);
        if let Some(cell) = frame.buffer_mut().cell_mut((pane.right() - 1, y)) {
            cell.set_symbol(look.glyphs.scroll).set_style(look.theme.accent);
        }
    }
}

/// Where the thumb of a scroll bar begins on a track of so many rows, and how long it is. It is at an end only if nothing is
/// hidden there.
fn thumb(track: usize, (top, shown, all): (usize, usize, usize)) -> (usize, usize) {
    let length = (track * shown / all).clamp(1, track);
    let (free, hidden) = (track - length, all - shown);
    let begin = match top.min(hidden) {
        0 => 0,
        top if top == hidden => free,
        // Ends are for the ends, where the track is long enough.
        top => (free * top / hidden).clamp(1.min(free), free.saturating_sub(1).max(1.min(free))),
    };
    (begin, length)
}

/// How many rows there are, and how many of them are shown if those are fewer.
pub(super) fn count(all: usize, shown: usize) -> String {
    if shown < all { format!("{shown} of {all}") } else { all.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_thumb_stays_on_its_track_and_is_at_an_end_only_there(
            track in 3usize..80, shown in 1usize..80, hidden in 1usize..100_000, top in 0usize..100_000,
        ) {
            let top = top.min(hidden);
            let (begin, length) = thumb(track, (top, shown, shown + hidden));
            proptest::prop_assert!(length >= 1 && begin + length <= track);
            if track - length >= 2 {
                proptest::prop_assert_eq!(begin == 0, top == 0);
                proptest::prop_assert_eq!(begin + length == track, top == hidden);
            }
        }
    }
}
