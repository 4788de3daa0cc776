//! Marks what is looked for where it was drawn.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

use super::super::app::App;

/// Marks it in this area, which shows lines of an image's details. The line under the cursor is reversed already: there a match
/// stands out by not being so.
pub(super) fn mark(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let wanted: Vec<String> = app.images.search.chars().map(|letter| letter.to_lowercase().to_string()).collect();
    if wanted.is_empty() {
        return;
    }
    let theme = &app.look.theme;
    let here = app.images.page.cursor.checked_sub(usize::from(app.images.scroll));
    let buffer = frame.buffer_mut();
    for y in area.top()..area.bottom() {
        let letters: Vec<String> =
            (area.left()..area.right()).map(|x| buffer[(x, y)].symbol().to_lowercase()).collect();
        let is_here = here == Some(usize::from(y - area.y));
        for begin in 0..letters.len().saturating_sub(wanted.len() - 1) {
            if letters[begin..begin + wanted.len()] == wanted {
                for x in begin..begin + wanted.len() {
                    let cell = &mut buffer[(area.x + u16::try_from(x).unwrap_or(0), y)];
                    let style = if is_here { theme.warning.remove_modifier(Modifier::REVERSED) } else { theme.warning };
                    cell.set_style(style);
                }
            }
        }
    }
}
