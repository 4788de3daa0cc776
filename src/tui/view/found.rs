//! Marks what is looked for where it was drawn.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::super::app::App;

/// Marks it in this area, which shows the details of an image; the line of the match that was gone to stands out.
pub(super) fn mark(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let wanted: Vec<String> = app.images.search.chars().map(|letter| letter.to_lowercase().to_string()).collect();
    if wanted.is_empty() {
        return;
    }
    let theme = &app.look.theme;
    let here = app.images.found.and_then(|line| line.checked_sub(usize::from(app.images.scroll)));
    let buffer = frame.buffer_mut();
    for y in area.top()..area.bottom() {
        let letters: Vec<String> =
            (area.left()..area.right()).map(|x| buffer[(x, y)].symbol().to_lowercase()).collect();
        let is_here = here == Some(usize::from(y - area.y));
        for begin in 0..letters.len().saturating_sub(wanted.len() - 1) {
            if letters[begin..begin + wanted.len()] == wanted {
                for x in begin..begin + wanted.len() {
                    let cell = &mut buffer[(area.x + u16::try_from(x).unwrap_or(0), y)];
                    cell.set_style(if is_here { theme.selected } else { theme.warning });
                }
            }
        }
    }
}
