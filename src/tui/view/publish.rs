//! Targets, and what was published.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::app::App;
use super::frame::pane;

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    frame.render_widget(pane(&app.look, Line::styled(" Publish ", app.look.theme.title)), area);
}
