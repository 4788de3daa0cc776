//! Going to anything in the catalog: the dialog that finds it, and the view that has it.

use crossterm::event::KeyEvent;

use super::app::{App, Tab};
use super::dialog::Dialog;
use super::dialog::jump::{Choice, Jump};
use super::effect::Effect;
use super::question::Question;
use crate::engine::query::jump::{Hit, Place};

pub(super) fn open(app: &mut App) -> Vec<Effect> {
    app.dialogs.push(Dialog::Jump(Jump::default()));
    Vec::new()
}

/// A key goes to the dialog, which was taken off.
pub(super) fn key(app: &mut App, mut jump: Jump, key: KeyEvent) -> Vec<Effect> {
    match jump.key(key) {
        Choice::Closed => Vec::new(),
        Choice::Chosen(place) => {
            go(app, place);
            Vec::new()
        }
        Choice::Stay => {
            app.dialogs.push(Dialog::Jump(jump));
            Vec::new()
        }
        Choice::Changed => look(app, jump),
    }
}

/// Text was pasted into it.
pub(super) fn pasted(app: &mut App, text: &str) -> Vec<Effect> {
    let Some(Dialog::Jump(mut jump)) = app.dialogs.pop() else { return Vec::new() };
    jump.field.insert(text);
    look(app, jump)
}

/// Looks for what is typed.
fn look(app: &mut App, mut jump: Jump) -> Vec<Effect> {
    let wanted = jump.wanted().to_owned();
    if wanted.is_empty() {
        jump.answer(wanted, Vec::new());
        app.dialogs.push(Dialog::Jump(jump));
        return Vec::new();
    }
    app.dialogs.push(Dialog::Jump(jump));
    vec![Effect::Ask(app.ticket(), Question::Find(wanted))]
}

/// Takes what was found.
pub(super) fn found(app: &mut App, text: String, found: Vec<Hit>) {
    for dialog in &mut app.dialogs {
        if let Dialog::Jump(jump) = dialog {
            jump.answer(text, found);
            return;
        }
    }
}

/// Opens the view that has it, with the cursor on its row.
fn go(app: &mut App, place: Place) {
    match place {
        Place::Repository(name) => {
            app.open(Tab::Images);
            app.images.go_to_repository(&name);
        }
        Place::Image(repository, image) => {
            app.open(Tab::Images);
            app.images.go_to_image(&repository, &image);
        }
        Place::Publication(id) => {
            app.open(Tab::Publish);
            app.publish.go_to(id);
        }
    }
}
