//! The menu of a row: what can be done with it, by the one table of commands.

use super::app::{App, Tab};
use super::command::{Command, Topic};
use super::dialog::Dialog;
use super::dialog::actions::{Action, Actions};
use super::state::publish::Row;
use super::state::rules::Level;

/// Opens the menu of the row under the cursor, or of those that are marked.
pub(super) fn open(app: &mut App) {
    let actions: Vec<Action> = app
        .offered()
        .filter(|(entry, _)| entry.topic() == Topic::Row)
        .map(|(entry, keys)| Action { entry, keys: keys.to_vec() })
        .collect();
    match subject(app).filter(|_| !actions.is_empty()) {
        Some(subject) => {
            let opener = app.keymap.key(Command::Menu);
            app.dialogs.push(Dialog::Actions(Actions::new(subject, actions, opener)));
        }
        None => app.hint("There is nothing under the cursor"),
    }
}

/// What the commands are about, in words.
fn subject(app: &App) -> Option<String> {
    match app.tab {
        Tab::Images => match app.images.chosen().as_slice() {
            [] => app.images.registry().map(|registry| registry.name.clone()),
            [one] => Some(one.clone()),
            many => Some(format!("{} marked rows", many.len())),
        },
        Tab::Jobs => app.jobs.current().map(|job| job.title.clone()),
        Tab::Publish => app.publish.current().map(|row| match row {
            Row::Target(target) => target.name.clone(),
            Row::Publication(publication) => publication.root.clone(),
        }),
        Tab::Rules if app.rules.level == Level::Decisions => app
            .rules
            .decision()
            .map(|decision| if decision.image.is_empty() { decision.rule.clone() } else { decision.image.clone() }),
        Tab::Rules => app.rules.current().map(|rule| rule.rule.name.as_str().to_owned()),
        Tab::Log => app.log.current().map(|line| line.text.clone()),
        Tab::Stats => None,
    }
}
