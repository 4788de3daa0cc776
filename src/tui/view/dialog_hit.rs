//! What is at a place of the topmost dialog, as it is drawn.

use ratatui::layout::{Margin, Rect};

use super::super::app::App;
use super::super::cells::width;
use super::super::dialog::Dialog;
use super::super::dialog::palette::PaletteLine;
use super::forms::FormView;
use super::{add, dialogs, jump, rule_form};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tui) enum DialogHit {
    /// A key that is shown, as it is written.
    Key(String),
    /// Something to choose: its number.
    Row(usize),
    /// The dialog, and nothing of it that means anything.
    Inside,
    /// What is around it.
    Outside,
}

/// What is at this place; nothing if there is no dialog.
pub(in crate::tui) fn hit(app: &App, column: u16, row: u16) -> Option<DialogHit> {
    let look = &app.look;
    let area = Rect::new(0, 0, app.size.0, app.size.1);
    let dialog = app.dialogs.last()?;
    let (place, keys, chosen): (Rect, Vec<(&str, String)>, Option<usize>) = match dialog {
        Dialog::Prompt(_) => return Some(DialogHit::Outside),
        Dialog::Palette(palette) => {
            let place = dialogs::middle(area, dialogs::PALETTE_ROWS);
            let inside = inside(place);
            let (height, top, lines) = dialogs::palette_rows(inside, palette);
            let at = line(inside, 2, row).filter(|line| *line < height).and_then(|line| lines.get(top + line));
            let command = at.and_then(|line| match line {
                PaletteLine::Command(place) => Some(*place),
                PaletteLine::Head(_) => None,
            });
            (place, owned(dialogs::palette_keys(palette)), command)
        }
        Dialog::Jump(found) => {
            let place = jump::place(area);
            let inside = inside(place);
            let (height, top) = jump::rows(inside, found);
            let at = line(inside, 2, row).filter(|line| *line < height).map(|line| top + line);
            (place, owned(jump::KEYS), at.filter(|at| *at < found.found.len()))
        }
        Dialog::Add(filled) => {
            let shape = add::Shape::of(app, filled, area);
            let inside = inside(shape.place);
            let at = line(inside, shape.top, row).filter(|line| *line < usize::from(shape.room));
            let at = at.map(|line| line + usize::from(filled.scroll.min(shape.end)));
            let choice =
                at.and_then(|line| add::choice(filled, line, usize::from(column.saturating_sub(inside.x + 1))));
            (shape.place, owned(&add::keys(filled, shape.end, shape.columns)), choice)
        }
        Dialog::Form(filled) => in_form(app, area, &FormView::of_target(filled), row),
        Dialog::Flags(filled) => in_form(app, area, &FormView::of_flags(filled), row),
        Dialog::RuleForm(filled) => {
            let shape = rule_form::Shape::of(filled, area);
            let at = row.checked_sub(shape.fields.y).filter(|line| *line < shape.fields.height).map(usize::from);
            let at = at.filter(|_| (shape.fields.left()..shape.fields.right()).contains(&column));
            let field = at.and_then(|line| filled.shown().nth(shape.top + line)).map(|(field, _)| field);
            (shape.place, owned(rule_form::keys(usize::from(inside(shape.place).width))), field)
        }
        dialog => {
            let text = dialogs::as_text(app, dialog)?;
            let (place, rows) = text.place(look, area);
            let height = usize::from(place.height.saturating_sub(4));
            let at = line(inside(place), 0, row).filter(|line| *line < height);
            let is_list = matches!(dialog, Dialog::Menu(_) | Dialog::Actions(_));
            let chosen = at.and_then(|line| rows.get(line).copied()).filter(|_| is_list);
            (place, text.keys, chosen)
        }
    };
    if !place.contains((column, row).into()) {
        return Some(DialogHit::Outside);
    }
    let inside = inside(place);
    if row + 1 == inside.bottom() {
        return Some(key_at(&keys, column.saturating_sub(inside.x)).map_or(DialogHit::Inside, DialogHit::Key));
    }
    let in_columns = (inside.left()..inside.right()).contains(&column);
    Some(chosen.filter(|_| in_columns).map_or(DialogHit::Inside, DialogHit::Row))
}

/// A form with its keys, and the field in this row.
fn in_form<'k>(app: &App, area: Rect, form: &FormView<'_>, row: u16) -> (Rect, Vec<(&'k str, String)>, Option<usize>) {
    let shape = form.place(&app.look, area);
    let at = line(inside(shape.place), 0, row).filter(|line| *line < shape.height);
    (shape.place, owned(form.keys), at.and_then(|line| form.field_at(shape.top + line)))
}

fn inside(place: Rect) -> Rect {
    place.inner(Margin::new(1, 1))
}

/// The line that a row of the screen is, below so many others.
fn line(inside: Rect, below: u16, row: u16) -> Option<usize> {
    row.checked_sub(inside.y + below).map(usize::from)
}

fn owned<'k>(keys: &[(&'k str, &str)]) -> Vec<(&'k str, String)> {
    keys.iter().map(|(key, what)| (*key, (*what).to_owned())).collect()
}

/// The key whose name or words are in this column of the line of keys.
fn key_at(keys: &[(&str, String)], column: u16) -> Option<String> {
    // As `keys_line` draws them.
    let mut begin = 1;
    keys.iter().find_map(|(key, what)| {
        let end = begin + width(key) + 1 + width(what);
        let range = begin..end;
        begin = end + 3;
        range.contains(&usize::from(column)).then(|| (*key).to_owned())
    })
}
