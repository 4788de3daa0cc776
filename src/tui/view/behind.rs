//! What lies behind a dialog: it stays in sight, but fades, so that the dialog is what is looked at.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Color;

use super::super::app::App;

/// Takes colour and weight from everything that is drawn in an area, but for this part of it.
pub(super) fn fade(app: &App, frame: &mut Frame<'_>, area: Rect, but: Rect) {
    let faint = app.look.theme.line;
    let buffer = frame.buffer_mut();
    for position in area.intersection(buffer.area).positions().filter(|position| !but.contains(*position)) {
        if let Some(cell) = buffer.cell_mut(position) {
            (cell.fg, cell.modifier) = (faint.fg.unwrap_or(Color::Reset), faint.add_modifier);
        }
    }
}
