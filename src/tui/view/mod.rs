//! Drawing: a picture of the [`App`], made of nothing else. Whatever came from outside passes `cells`.

pub mod frame;

mod action_menu;
mod add;
mod behind;
mod details;
mod dialog_hit;
mod dialogs;
mod files;
mod first;
mod following;
mod forms;
mod found;
mod growth;
mod image_lines;
mod images;
mod jobs;
mod jump;
mod layers;
mod log;
mod more;
mod own_node;
mod publish;
mod registries;
mod rule_form;
mod rule_page;
mod rules;
mod side;
mod stats;
mod table;
mod tabs;
mod target;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::app::{App, Tab};
use super::dialog::add::Add;
use super::state::images::Pane;
pub(super) use details::{
    line_of as details_line, reach as details_reach, text as details_text, under_cursor as details_part,
    whole as details_whole,
};
pub(super) use dialog_hit::{DialogHit, hit as dialog_hit};
pub(super) use dialogs::reach as dialog_reach;
pub(super) use files::{Hit as FilesHit, height as files_height, hit as files_hit};
pub(super) use images::need as list_need;
pub(super) use jobs::end as jobs_end;
pub(super) use publish::{how_to_serve, key};
pub(super) use stats::end as stats_end;
pub(super) use target::is_whole as target_is_whole;

/// How far the dialog in which images are added can be scrolled, as it is drawn.
pub(super) fn add_end(app: &App, filled: &Add) -> u16 {
    add::Shape::of(app, filled, screen(app)).end
}

/// The lines that it shows at once.
pub(super) fn add_page(app: &App, filled: &Add) -> u16 {
    add::Shape::of(app, filled, screen(app)).room.max(1)
}

fn screen(app: &App) -> Rect {
    Rect::new(0, 0, app.size.0, app.size.1)
}

/// What can be scrolled at a place of the screen, where images are shown.
pub(super) fn pane_at(app: &App, column: u16, row: u16) -> Option<Pane> {
    images::pane_at(app, frame::Parts::of(app).body, column, row)
}

/// Draws the whole screen; does no I/O.
pub fn draw(app: &App, frame: &mut Frame<'_>) {
    let area = frame.area();
    if app.is_too_small() {
        too_small(app, frame, area);
        return;
    }
    let parts = frame::Parts::of(app);
    frame::draw(app, frame, &parts);
    match app.tab {
        Tab::Images if app.files.is_some() => files::draw(app, frame, parts.body),
        Tab::Images => images::draw(app, frame, parts.body),
        Tab::Jobs => jobs::draw(app, frame, parts.body),
        Tab::Publish => publish::draw(app, frame, parts.body),
        Tab::Stats => stats::draw(app, frame, parts.body),
        Tab::Log => log::draw(app, frame, parts.body),
        Tab::Rules => rules::draw(app, frame, parts.body),
    }
    dialogs::draw(app, frame, area);
}

fn too_small(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let words = format!("{}x{} is too small: 60x15 is needed", area.width, area.height);
    let lines: Vec<Line<'_>> = super::cells::wrap(&words, usize::from(area.width).max(1))
        .into_iter()
        .take(usize::from(area.height))
        .map(|line| Line::styled(line, app.look.theme.warning))
        .collect();
    frame.render_widget(Paragraph::new(lines), area);
}
