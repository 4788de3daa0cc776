//! What the commands of the view Publish do: targets and older roots.

use super::app::App;
use super::command::Command;
use super::describe::{self, Role};
use super::dialog::form::{Draft, Form};
use super::dialog::menu::Item;
use super::dialog::{Dialog, Page};
use super::effect::Effect;
use super::problem::Problem;
use super::question::Question;
use super::state::job::JobState;
use super::state::log::Level;
use super::state::publish::{Row, Sides};
use super::work::{JobId, Plan, Request};
use crate::engine::publish::plan::PublishRequest;
use crate::engine::targets::Trial;
use crate::error::Kind;

pub(super) fn act(app: &mut App, command: Command) -> Vec<Effect> {
    match command {
        Command::TargetAdd => form(app, false),
        Command::TargetEdit => form(app, true),
        Command::TargetTest => match app.publish.target().map(|target| target.name.clone()) {
            Some(name) => app.start(Box::new(Plan::TestTarget(name)), None),
            None => missing(app),
        },
        Command::TargetRemove => match app.publish.current() {
            Some(Row::Target(target)) => {
                let request = Request::RemoveTarget(target.name.clone());
                app.plan(request)
            }
            Some(Row::Publication(publication)) => match publication.root.parse() {
                Ok(root) => app.plan(Request::Forget(vec![root])),
                Err(_) => Vec::new(),
            },
            None => missing(app),
        },
        Command::Rollback => rollback(app),
        Command::Compare => compare(app),
        Command::Open => open(app),
        _ => Vec::new(),
    }
}

/// Publishes; where there is no target yet, shows where one is set up.
pub(super) fn publish(app: &mut App) -> Vec<Effect> {
    if app.publish.known && app.publish.targets.is_empty() {
        app.open(super::app::Tab::Publish);
        app.hint("There is no target to publish to yet: `:target-add` sets one up");
        return Vec::new();
    }
    app.plan(Request::Publish(PublishRequest::default()))
}

fn missing(app: &mut App) -> Vec<Effect> {
    app.hint("There is no target here: `:target-add` sets one up");
    Vec::new()
}

fn form(app: &mut App, edit: bool) -> Vec<Effect> {
    let target = if edit { app.publish.target() } else { None };
    if edit && target.is_none() {
        return missing(app);
    }
    let taken = app.publish.targets.iter().map(|target| target.name.clone()).collect();
    let form = Form::new(target, taken);
    app.dialogs.push(Dialog::Form(Box::new(form)));
    Vec::new()
}

/// Saves what a form says.
pub(super) fn save(app: &mut App, form: Box<Form>, draft: Draft) -> Vec<Effect> {
    let name = draft.name.clone();
    let effects = app.start(Box::new(Plan::SaveTarget(Box::new(draft))), None);
    if !effects.is_empty() {
        app.publish.begin_saving(app.jobs_begun, form, &name);
    }
    effects
}

fn rollback(app: &mut App) -> Vec<Effect> {
    let Some(Row::Publication(publication)) = app.publish.current() else {
        app.hint("Move to a root in the history below to publish it again");
        return Vec::new();
    };
    if publication.same_root {
        let words = format!("This is the published root of {}: there is nothing to roll back to", publication.target);
        app.hint(words);
        return Vec::new();
    }
    let Ok(root) = publication.root.parse() else { return Vec::new() };
    let targets = if publication.target_removed { Vec::new() } else { vec![publication.target.clone()] };
    app.plan(Request::Publish(PublishRequest { targets, root: Some(root), force: false }))
}

/// The root under the cursor, and what the catalog stands for.
fn sides(app: &App) -> Option<Sides> {
    let now = app.overview.as_ref()?.root.clone()?;
    let before = match app.publish.current()? {
        Row::Target(target) => target.root.clone()?,
        Row::Publication(publication) => publication.root.clone(),
    };
    Some((before, now))
}

fn compare(app: &mut App) -> Vec<Effect> {
    let Some(sides) = sides(app) else {
        app.hint("Nothing published there yet: everything in the catalog is new to it");
        return Vec::new();
    };
    if sides.0 == sides.1 {
        app.hint("This is the catalog's current root: nothing differs");
        return Vec::new();
    }
    let known = app.publish.differences.get(&sides).is_some_and(|known| !matches!(known, Err(why) if why.is_waiting()));
    if known {
        show(app, &sides);
        return Vec::new();
    }
    app.publish.comparing = Some(sides.clone());
    let ticket = app.ticket();
    vec![Effect::Ask(ticket, Question::Difference(sides))]
}

/// Shows what differs, once it is known.
pub(super) fn show(app: &mut App, sides: &Sides) {
    let rows = match app.publish.differences.get(sides) {
        Some(Ok(difference)) => describe::difference(difference),
        Some(Err(problem)) => vec![(Role::Danger, problem.text())],
        None => return,
    };
    let title = "From this root to the catalog".to_owned();
    app.dialogs.push(Dialog::Message { title, rows, scroll: 0 });
}

/// A job ended. If it was to save what a form says and could not, that is shown again, with the reason where it was written.
pub(super) fn saved(app: &mut App, job: JobId, problem: Option<&Problem>) -> Vec<Effect> {
    let Some(mut form) = app.publish.end_saving(job) else { return Vec::new() };
    let Some(problem) = problem else {
        return if form.tests {
            app.start(Box::new(Plan::TestTarget(form.name().to_owned())), None)
        } else {
            Vec::new()
        };
    };
    app.publish.give_up_saving();
    if app.dialogs.is_empty() {
        form.refuse(problem);
        app.dialogs.push(Dialog::Form(form));
        // It is told there.
        app.problems.pop();
    }
    Vec::new()
}

fn open(app: &mut App) -> Vec<Effect> {
    if super::view::target_is_whole(app) && app.publish.current().is_some() {
        app.hint("Everything is shown beside the lists");
        return Vec::new();
    }
    if app.publish.current().is_none() {
        return form(app, false);
    }
    app.dialogs.push(Dialog::Page { page: Page::Target, scroll: 0 });
    Vec::new()
}

/// What can be copied of what is under the cursor.
pub(super) fn copies(app: &App) -> Vec<Item> {
    let item = |key, title: &str, value: String| Item { key, title: title.to_owned(), value };
    match app.publish.current() {
        None => Vec::new(),
        Some(Row::Publication(publication)) => vec![
            item('c', "CID", publication.root.clone()),
            item('i', "ipfs:// URL", format!("ipfs://{}", publication.root)),
        ],
        Some(Row::Target(target)) => {
            let mut items = Vec::new();
            if let Some(root) = &target.root {
                items.push(item('c', "CID of its root", root.clone()));
                items.push(item('i', "ipfs:// URL of its root", format!("ipfs://{root}")));
            }
            items.extend(target.settings.dnslink.as_ref().map(|dnslink| item('d', "domain", dnslink.domain.clone())));
            items.push(item('n', "URL of its node", target.settings.node.url().to_owned()));
            items
        }
    }
}

/// What was tried of a target is shown whole, where somebody waits for it.
pub(super) fn tested(app: &mut App, id: JobId, trial: &Trial, words: String, failed: &[String]) -> Vec<Effect> {
    let rows = describe::trial(trial, &app.look.glyphs, &super::view::how_to_serve(app));
    app.jobs.note(id, rows.iter().map(|(_, text)| text.clone()));
    for line in failed {
        app.note(Level::Error, Some(id), line.clone());
    }
    let shown = app.tab == super::app::Tab::Publish && app.dialogs.is_empty();
    let state = if failed.is_empty() {
        if !shown {
            app.say(words.clone());
        }
        JobState::Done(words.clone())
    } else {
        let problem = Problem { message: words.clone(), hints: failed.to_vec(), kind: Kind::Node };
        if !shown {
            app.problems.push(problem.clone());
        }
        JobState::Failed(problem)
    };
    app.jobs.end(id, state);
    if shown {
        app.dialogs.push(Dialog::Message { title: words, rows, scroll: 0 });
    }
    app.publish.look_again();
    Vec::new()
}
