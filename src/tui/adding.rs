//! What adding asks of the outside world, and what it makes of the answers.

use super::app::App;
use super::dialog::Dialog;
use super::dialog::add::{Add, Choice, Known};
use super::effect::Effect;
use super::problem::Problem;
use super::question::Question;
use super::work::{Plan, Request};
use super::{following, ruling, typed, view};
use crate::engine::request::Source;
use crate::error::Error;
use crate::image::{Selection, natural};

/// Opens the dialog; this text is there already.
pub(super) fn open(app: &mut App, text: &str) -> Vec<Effect> {
    if following::refuses(app, "`add`") {
        return Vec::new();
    }
    if app.refuses("adding images") {
        return Vec::new();
    }
    app.tag_lists.forget_sources();
    app.dialogs.push(Dialog::Add(Box::new(Add::new(text))));
    if text.is_empty() { Vec::new() } else { look_up_later(app) }
}

fn dialog(app: &mut App) -> Option<&mut Add> {
    match app.dialogs.last_mut() {
        Some(Dialog::Add(add)) => Some(add),
        _ => None,
    }
}

/// Whether this is the text of a file, in which references are only a part: a key and a colon are no reference.
fn is_file(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    text.trim().lines().count() > 1
        && lines.any(|line| line.ends_with(':') || line.contains(": ") || line.starts_with("FROM "))
}

/// Refuses the text of a file, with words; whether it did.
fn refuses_file(app: &mut App, text: &str) -> bool {
    let refuses = is_file(text);
    if refuses {
        app.hint("That is the text of a file: paste references, or type compose:PATH for what the file names");
    }
    refuses
}

/// Text was pasted where images are listed: it is what to add.
pub(super) fn pasted_into_list(app: &mut App, text: &str) -> Vec<Effect> {
    if refuses_file(app, text) { Vec::new() } else { open(app, text.trim()) }
}

/// Text was pasted into it.
pub(super) fn pasted(app: &mut App, text: &str) -> Vec<Effect> {
    if refuses_file(app, text) {
        return Vec::new();
    }
    if let Some(add) = dialog(app) {
        add.field.insert(text);
    }
    look_up_later(app)
}

/// The text is another one: the catalog is asked now, registries when typing has rested.
pub(super) fn look_up_later(app: &mut App) -> Vec<Effect> {
    let ticket = app.ticket();
    let Some(add) = dialog(app) else { return Vec::new() };
    let forgotten = forget(add);
    add.changed();
    let (word, rest) = (add.word().to_owned(), Effect::Rest(add.typing));
    let complete = if add.rule.is_none() { Some(Effect::Ask(ticket, Question::Complete(word))) } else { None };
    is_taken(app);
    ruling::preview(app);
    forgotten.into_iter().chain(complete).chain([rest]).collect()
}

/// No two rules have one name.
fn is_taken(app: &mut App) {
    let Some(Dialog::Add(add)) = app.dialogs.last_mut() else { return };
    let Some(typed) = &mut add.rule else { return };
    if let Ok(rule) = &typed.rule
        && app.rules.by_name(rule.name.as_str()).is_some()
    {
        let name = crate::text::printable_within(rule.name.as_str(), 60);
        typed.rule = Err(format!("A rule is already called {name}. Give this one another: `--name NAME`."));
    }
}

/// A plan that is being made for another text is given up.
fn forget(add: &Add) -> Option<Effect> {
    match add.known {
        Known::Asking(ticket) => Some(Effect::Forget(ticket)),
        _ => None,
    }
}

/// A key of the dialog, which was taken off.
pub(super) fn key(app: &mut App, mut add: Box<Add>, key: crossterm::event::KeyEvent) -> Vec<Effect> {
    add.page = view::add_page(app, &add);
    let forgotten = forget(&add);
    match add.key(key) {
        Choice::Closed => return forgotten.into_iter().collect(),
        Choice::Run => {
            let request = requests(&add).ok();
            if let Known::Plan(plan, _) = add.known {
                return app.start(plan, request);
            }
            return Vec::new();
        }
        Choice::Make => return ruling::make(app, add),
        Choice::Look if add.rule.is_some() => {
            app.dialogs.push(Dialog::Add(add));
            return ruling::look_up(app, None, true);
        }
        Choice::Look => {
            app.dialogs.push(Dialog::Add(add));
            return forgotten.into_iter().chain(look(app)).collect();
        }
        Choice::Changed => {
            let ticket = app.ticket();
            let mut effects: Vec<Effect> = forgotten.into_iter().chain([Effect::Rest(add.typing)]).collect();
            // While completions are gone through, they stay as they are.
            if add.completions.picked.is_none() && add.rule.is_none() {
                effects.push(Effect::Ask(ticket, Question::Complete(add.word().to_owned())));
            }
            app.dialogs.push(Dialog::Add(add));
            is_taken(app);
            ruling::preview(app);
            return effects;
        }
        Choice::Stay => {
            add.scroll = add.scroll.min(view::add_end(app, &add));
            app.dialogs.push(Dialog::Add(add));
        }
    }
    Vec::new()
}

/// What is typed, with what is chosen beside it.
fn requests(add: &Add) -> Result<Request, Problem> {
    let mut request = typed::requests(add.field.value())?;
    let Request::Add(requests) = &mut request else { return Ok(request) };
    for request in requests {
        let chosen = add.platforms.chosen(&request.source.to_string());
        if !chosen.is_empty() {
            let parsed = chosen.into_iter().map(str::parse).collect::<Result<_, Error>>();
            request.selection = Some(Selection::Only(parsed.map_err(Problem::from)?));
        }
        if matches!(request.source, Source::Registry(_)) {
            request.insecure = add.insecure.or(request.insecure);
        }
        request.all_manifests |= add.all_manifests;
    }
    Ok(request)
}

/// Typing has rested: registries are asked what there is, if this is the newest rest.
pub(super) fn rested(app: &mut App, number: u64) -> Vec<Effect> {
    match dialog(app) {
        Some(add) if add.typing == number && add.rule.is_none() && matches!(add.known, Known::Nothing) => look(app),
        _ => Vec::new(),
    }
}

/// Whether the last word is an option, or belongs to one: it names no upstream then.
fn is_of_an_option(text: &str) -> bool {
    let mut words = text.rsplit(char::is_whitespace).filter(|word| !word.is_empty());
    let last = words.next().unwrap_or_default();
    last.starts_with("--") || matches!(words.next(), Some("--as" | "--platform"))
}

fn look(app: &mut App) -> Vec<Effect> {
    let (for_plan, for_tags) = (app.ticket(), app.ticket());
    let Some(add) = dialog(app) else { return Vec::new() };
    let mut effects = Vec::new();
    let (repository, insecure) = add.asked();
    let is_local = repository.starts_with("oci:") || repository.starts_with("oci-archive:");
    if !repository.is_empty() && !is_local && !is_of_an_option(add.field.value()) && !add.has_tags() {
        add.ask_tags();
        effects.push(Effect::Ask(for_tags, Question::Tags(repository, insecure)));
    }
    match requests(add) {
        Ok(Request::Add(requests)) if requests.is_empty() => {}
        // `nginx:` is on its way to a tag.
        _ if add.field.value().ends_with(':') => {}
        Ok(request) => match add.former.take().filter(|_| add.asked_for.as_ref() == Some(&request)) {
            Some(plan) => add.take_plan(Ok(plan)),
            None => {
                add.known = Known::Asking(for_plan);
                add.asked_for = Some(request.clone());
                effects.push(Effect::Plan(for_plan, request));
            }
        },
        Err(problem) => add.known = Known::Problem(problem),
    }
    effects
}

/// A plan for what is typed is there; whether it was for that.
pub(super) fn planned(
    app: &mut App,
    ticket: u64,
    planned: Result<Box<Plan>, Problem>,
) -> Option<Result<Box<Plan>, Problem>> {
    let asking = |dialog: &&mut Dialog| matches!(dialog, Dialog::Add(add) if matches!(add.known, Known::Asking(of) if of == ticket));
    match app.dialogs.iter_mut().find(asking) {
        Some(Dialog::Add(add)) => {
            add.take_plan(planned);
            None
        }
        _ => Some(planned),
    }
}

/// References of the catalog are there.
pub(super) fn names(app: &mut App, names: Vec<String>) {
    if let Some(add) = dialog(app) {
        add.take_names(names);
    }
}

/// Tags of upstream are there: the newest ones are offered first.
pub(super) fn tags(app: &mut App, repository: &str, tags: Result<Vec<String>, String>) {
    let tags = tags.map(|mut tags| {
        tags.sort_by(|one, other| natural::newest_first(one, other));
        tags
    });
    if let Some(add) = dialog(app) {
        add.take_tags(repository, tags);
    }
}
