//! What the mouse means to dialogs: a key that is shown is pressed, a row is chosen, the wheel scrolls, and a click beside a
//! dialog closes it where nothing is lost by that.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::app::App;
use super::dialog::Dialog;
use super::effect::Effect;
use super::keymap::Key;
use super::view::{self, DialogHit};

/// Rows that a step of the wheel is.
const WHEEL_STEP_ROWS: usize = 3;

/// The mouse did something while a dialog is open.
pub(super) fn mouse(app: &mut App, mouse: MouseEvent) -> Vec<Effect> {
    match mouse.kind {
        MouseEventKind::Down(MouseButton::Left) => click(app, mouse.column, mouse.row),
        MouseEventKind::ScrollUp => wheel(app, KeyCode::Up),
        MouseEventKind::ScrollDown => wheel(app, KeyCode::Down),
        _ => Vec::new(),
    }
}

fn press(app: &mut App, code: KeyCode) -> Vec<Effect> {
    app.key(KeyEvent::new(code, KeyModifiers::NONE))
}

fn wheel(app: &mut App, code: KeyCode) -> Vec<Effect> {
    let up = code == KeyCode::Up;
    match app.dialogs.last_mut() {
        Some(Dialog::Palette(palette)) => palette.scroll_by(WHEEL_STEP_ROWS, up),
        Some(Dialog::Jump(jump)) => {
            let step = WHEEL_STEP_ROWS as isize;
            jump.move_by(if up { -step } else { step });
        }
        Some(Dialog::Menu(_) | Dialog::Actions(_)) => return press(app, code),
        Some(Dialog::RuleForm(form)) => {
            let step = WHEEL_STEP_ROWS as u16;
            form.scroll = if up { form.scroll.saturating_sub(step) } else { form.scroll.saturating_add(step) };
        }
        Some(Dialog::Confirm(_) | Dialog::Message { .. } | Dialog::Page { .. }) => {
            return (0..WHEEL_STEP_ROWS).flat_map(|_| press(app, code)).collect();
        }
        Some(Dialog::Add(_)) => {
            if let Some(Dialog::Add(mut add)) = app.dialogs.pop() {
                let step = WHEEL_STEP_ROWS as u16;
                let scroll = if up { add.scroll.saturating_sub(step) } else { add.scroll.saturating_add(step) };
                add.scroll = scroll.min(view::add_end(app, &add));
                app.dialogs.push(Dialog::Add(add));
            }
        }
        _ => {}
    }
    Vec::new()
}

fn click(app: &mut App, column: u16, row: u16) -> Vec<Effect> {
    match view::dialog_hit(app, column, row) {
        Some(DialogHit::Key(name)) => match name.parse::<Key>() {
            Ok(key) => app.key(key.event()),
            Err(_) => Vec::new(),
        },
        Some(DialogHit::Row(place)) => choose(app, place),
        Some(DialogHit::Outside) => outside(app),
        Some(DialogHit::Inside) | None => Vec::new(),
    }
}

/// A row of the dialog was clicked.
fn choose(app: &mut App, place: usize) -> Vec<Effect> {
    match app.dialogs.last_mut() {
        Some(Dialog::Menu(menu)) => {
            menu.cursor = place;
            press(app, KeyCode::Enter)
        }
        Some(Dialog::Actions(menu)) if place < menu.all.len() => {
            menu.cursor = place;
            press(app, KeyCode::Enter)
        }
        // What a command does is read first: the second click carries it out.
        Some(Dialog::Palette(palette)) if palette.cursor == place => press(app, KeyCode::Enter),
        Some(Dialog::Palette(palette)) => {
            palette.cursor = place;
            Vec::new()
        }
        Some(Dialog::Jump(jump)) => {
            jump.cursor = place;
            press(app, KeyCode::Enter)
        }
        Some(Dialog::Add(add)) => {
            add.at = Some(place);
            press(app, KeyCode::Char(' '))
        }
        Some(Dialog::RuleForm(form)) => {
            form.focus = place;
            Vec::new()
        }
        Some(Dialog::Form(form)) => {
            form.focus = place;
            Vec::new()
        }
        Some(Dialog::Flags(form)) => {
            form.focus = place;
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Beside the dialog: closes what only shows or asks. What was typed, or what comes once, stays.
fn outside(app: &mut App) -> Vec<Effect> {
    match app.dialogs.last() {
        Some(
            Dialog::Confirm(_)
            | Dialog::Menu(_)
            | Dialog::Actions(_)
            | Dialog::Palette(_)
            | Dialog::Jump(_)
            | Dialog::Message { .. }
            | Dialog::Page { .. }
            | Dialog::Leave,
        ) => press(app, KeyCode::Esc),
        // The filter is in the footer: it stays, and the list has the keys again.
        Some(Dialog::Prompt(_)) => press(app, KeyCode::Enter),
        Some(Dialog::Add(add)) if add.field.value().trim().is_empty() => {
            let at = add.at.is_some();
            let mut effects = press(app, KeyCode::Esc);
            if at {
                effects.extend(press(app, KeyCode::Esc));
            }
            effects
        }
        _ => Vec::new(),
    }
}
