//! What the commands of the view Rules do, and what its dialogs ask of the outside world.

use std::sync::Arc;

use crossterm::event::KeyEvent;

use super::act;
use super::app::{App, Tab};
use super::command::Command;
use super::dialog::Dialog;
use super::dialog::add::Add;
use super::dialog::menu::Item;
use super::dialog::rule_form::{Choice, RuleForm};
use super::effect::Effect;
use super::preview::Preview;
use super::question::Question;
use super::state::decisions::{About, Decision};
use super::state::rules::{Level, takes};
use super::work::{Outcome, Plan, Request, RuleChange, RuleDraft};
use crate::engine::request::{AddRequest, Pick, PublishedAs, Source};
use crate::engine::rules::NamedImages;
use crate::image::Reference;
use crate::rules::{Kept, Moves, Rule, Source as RuleSource, Subject, write_rule};

pub(super) fn act(app: &mut App, command: Command) -> Vec<Effect> {
    match command {
        Command::RuleNew => form(app, None),
        Command::RuleEdit => match current(app) {
            Some(rule) => form(app, Some(&rule)),
            None => missing(app),
        },
        Command::RuleRemove => match current(app) {
            Some(rule) => act::ask(app, Plan::ChangeRules(RuleChange::Remove(rule.name.to_string()))),
            None => missing(app),
        },
        Command::RuleRun => match current(app) {
            Some(rule) => app.plan(Request::Rules(vec![rule.name.to_string()])),
            None => missing(app),
        },
        Command::RuleCheck => check(app),
        Command::Decide => decide(app),
        Command::TakeNow => take_now(app),
        Command::Ignore => ignore(app),
        _ => Vec::new(),
    }
}

fn current(app: &App) -> Option<Rule> {
    app.rules.current().map(|shown| shown.rule.clone())
}

fn missing(app: &mut App) -> Vec<Effect> {
    let key = super::view::key(app, Command::RuleNew);
    app.hint(format!("There is no rule here: {key} makes one"));
    Vec::new()
}

fn names(app: &App) -> Vec<String> {
    app.rules.shown.rules.iter().map(|shown| shown.rule.name.to_string()).collect()
}

fn form(app: &mut App, rule: Option<&Rule>) -> Vec<Effect> {
    app.tag_lists.forget_sources();
    let form = RuleForm::new(rule, names(app));
    let is_rule = form.rule.is_ok();
    app.dialogs.push(Dialog::RuleForm(Box::new(form)));
    preview(app);
    if is_rule { rested(app, 0) } else { Vec::new() }
}

/// A key of the form, which was taken off.
pub(super) fn key(app: &mut App, mut form: Box<RuleForm>, key: KeyEvent) -> Vec<Effect> {
    match form.key(key) {
        Choice::Closed => Vec::new(),
        Choice::Save(rule) => {
            if form.old.as_ref() == Some(rule.as_ref()) {
                app.hint("Nothing was changed");
                return Vec::new();
            }
            save_form(app, form, *rule)
        }
        Choice::Changed => {
            let rest = Effect::Rest(form.typing);
            app.dialogs.push(Dialog::RuleForm(form));
            preview(app);
            vec![rest]
        }
        Choice::Stay => {
            app.dialogs.push(Dialog::RuleForm(form));
            Vec::new()
        }
    }
}

/// Text was pasted into the form.
pub(super) fn pasted(app: &mut App) -> Vec<Effect> {
    preview(app);
    match app.dialogs.last() {
        Some(Dialog::RuleForm(form)) => vec![Effect::Rest(form.typing)],
        _ => Vec::new(),
    }
}

/// Makes or changes a rule.
pub(super) fn save(app: &mut App, draft: RuleDraft) -> Vec<Effect> {
    app.start(Box::new(Plan::ChangeRules(RuleChange::Save(Box::new(draft)))), None)
}

/// What the rule would take that is typed in the topmost dialog, as far as its list is known.
pub(super) fn preview(app: &mut App) {
    match app.dialogs.last_mut() {
        Some(Dialog::RuleForm(form)) => {
            form.preview = form.rule.as_ref().map(|rule| Preview::of(rule, &app.tag_lists)).unwrap_or_default();
        }
        Some(Dialog::Add(add)) => {
            if let Some(typed) = &mut add.rule {
                typed.preview = typed.rule.as_ref().map(|rule| Preview::of(rule, &app.tag_lists)).unwrap_or_default();
            }
        }
        _ => {}
    }
}

/// The rule that is typed, and how its registry is asked.
fn typed(dialog: Option<&Dialog>, number: Option<u64>) -> Option<(Rule, Option<bool>)> {
    let (rule, insecure) = match dialog? {
        Dialog::RuleForm(form) if number.is_none_or(|number| form.typing == number) => (form.rule.as_ref().ok()?, None),
        Dialog::Add(add) if number.is_none_or(|number| add.typing == number) => {
            (add.rule.as_ref()?.rule.as_ref().ok()?, add.plain_http())
        }
        _ => return None,
    };
    Some((rule.clone(), insecure))
}

/// Typing has rested: the repository is listed, if it was not before.
pub(super) fn rested(app: &mut App, number: u64) -> Vec<Effect> {
    look_up(app, Some(number), false)
}

/// Asks for the list now; once more if it could not be had.
pub(super) fn look_up(app: &mut App, number: Option<u64>, again: bool) -> Vec<Effect> {
    let Some((rule, insecure)) = typed(app.dialogs.last(), number) else { return Vec::new() };
    let upstream = match rule.subject {
        Subject::Repository { upstream, .. } => upstream,
        Subject::Sources(sources) => return read_sources(app, &sources, again),
    };
    if again && !matches!(app.tag_lists.of(&upstream), Some(super::state::tag_lists::Listed::Known(_))) {
        app.tag_lists.forget(&upstream);
    }
    let Some(question) = app.tag_lists.wants(&upstream, insecure) else { return Vec::new() };
    preview(app);
    vec![Effect::Ask(app.ticket(), question)]
}

/// Asks for what files name, to be read off the path of keys.
fn read_sources(app: &mut App, sources: &[RuleSource], again: bool) -> Vec<Effect> {
    if again {
        app.tag_lists.forget_sources();
    }
    let questions: Vec<Question> = sources.iter().filter_map(|source| app.tag_lists.wants_source(source)).collect();
    preview(app);
    questions.into_iter().map(|question| Effect::Ask(app.ticket(), question)).collect()
}

/// What a source names is there: a rule that waits to be made is made, unless a source can't be read.
pub(super) fn sources_read(app: &mut App, source: &RuleSource, named: Arc<NamedImages>) -> Vec<Effect> {
    app.tag_lists.answer_source(source, named);
    preview(app);
    let is_waiting = match app.dialogs.last() {
        Some(Dialog::Add(add)) => add.making && add.rule.as_ref().is_some_and(|typed| typed.preview.is_read()),
        Some(Dialog::RuleForm(form)) => form.saving && form.preview.is_read(),
        _ => false,
    };
    if !is_waiting {
        return Vec::new();
    }
    match app.dialogs.pop() {
        Some(Dialog::Add(add)) => make(app, add),
        Some(Dialog::RuleForm(form)) => match form.rule.clone() {
            Ok(rule) => save_form(app, form, rule),
            Err(_) => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Whether the files that a rule names have to be read before it is made, or can't be.
fn has_to_be_read(app: &App, rule: &Rule, preview: &Preview) -> bool {
    let Subject::Sources(sources) = &rule.subject else { return false };
    let mut files = sources.iter().filter(|source| !matches!(source, RuleSource::Command(_)));
    let is_read = files.all(|source| app.tag_lists.of_source(source).is_some());
    !is_read || preview.failed.is_some()
}

/// Makes the rule that is typed where images are added.
pub(super) fn make(app: &mut App, mut add: Box<Add>) -> Vec<Effect> {
    let Some(typed) = &add.rule else { return Vec::new() };
    let Ok(rule) = typed.rule.clone() else { return Vec::new() };
    if has_to_be_read(app, &rule, &typed.preview) {
        // What is wrong is shown; files are read once more, since it may be right by now.
        let again = typed.preview.failed.is_some() && !add.making;
        add.making = !add.making || !typed.preview.is_read();
        app.dialogs.push(Dialog::Add(add));
        return look_up(app, None, again);
    }
    save(app, RuleDraft { old: None, rule })
}

fn save_form(app: &mut App, mut form: Box<RuleForm>, rule: Rule) -> Vec<Effect> {
    let is_same = form.old.as_ref().is_some_and(|old| old.subject == rule.subject);
    if !is_same && has_to_be_read(app, &rule, &form.preview) {
        let again = form.preview.failed.is_some() && !form.saving;
        form.saving = !form.saving || !form.preview.is_read();
        app.dialogs.push(Dialog::RuleForm(form));
        return look_up(app, None, again);
    }
    let draft = RuleDraft { old: form.old.clone(), rule };
    let effects = save(app, draft);
    if !effects.is_empty() {
        app.saving_rule = Some((app.jobs_begun, form));
    }
    effects
}

/// Asks upstream what the rule selects, and lists its tags anew.
fn check(app: &mut App) -> Vec<Effect> {
    let Some(rule) = current(app) else {
        return if app.rules.level == Level::Decisions { look(app, Vec::new()) } else { missing(app) };
    };
    if let Subject::Repository { upstream, .. } = &rule.subject {
        app.tag_lists.forget(upstream);
    }
    look(app, vec![rule.name.to_string()])
}

fn look(app: &mut App, only: Vec<String>) -> Vec<Effect> {
    app.start(Box::new(Plan::Look(only)), None)
}

/// Shows what waits; where it was not looked since the start, it is looked first.
fn decide(app: &mut App) -> Vec<Effect> {
    if app.rules.waiting() == 0 {
        app.hint("Nothing waits for a decision");
        return Vec::new();
    }
    if app.rules.unseen() > 0 {
        app.rules.deciding = true;
        app.hint("Asking upstream what is held, refused or gone");
        return look(app, Vec::new());
    }
    app.rules.decide();
    Vec::new()
}

/// What was looked at is known.
pub(super) fn looked(app: &mut App, parts: &[crate::engine::rules::plan::RulePart], only: &[String]) {
    app.rules.take_parts(parts, app.wall.as_second(), only);
    if std::mem::take(&mut app.rules.deciding) && app.tab == Tab::Rules && !app.rules.decisions.is_empty() {
        app.rules.decide();
    }
}

/// What an outcome says of rules and of what waits for decisions.
pub(super) fn ended(app: &mut App, outcome: &Outcome) -> Vec<Effect> {
    match outcome {
        Outcome::Looked { parts, only, .. } => {
            if only.is_empty() {
                app.tag_lists.forget_all();
            }
            looked(app, parts, only);
        }
        Outcome::RuleSaved { rule, is_new } => return saved(app, rule, *is_new),
        Outcome::Added(added) => app.rules.settle(&added.recorded),
        Outcome::Ruled(ruled) => {
            app.rules.ran(&ruled.parts);
            app.tag_lists.forget_all();
            for failed in &ruled.added.failed {
                app.images.failed(&failed.request, Some(failed.error.to_string()));
            }
        }
        _ => {}
    }
    Vec::new()
}

fn decision(app: &App) -> Option<(Decision, Rule)> {
    let decision = app.rules.decision()?.clone();
    let rule = app.rules.by_name(&decision.rule)?.rule.clone();
    Some((decision, rule))
}

fn take_now(app: &mut App) -> Vec<Effect> {
    let Some((decision, rule)) = decision(app) else { return Vec::new() };
    match decision.about {
        About::Gone(_) => {
            app.hint(format!("{} is gone upstream: there is nothing to take", decision.image));
            return Vec::new();
        }
        About::Braked(_) => {
            app.hint("They are here: ignore keeps them, remove removes them");
            return Vec::new();
        }
        About::Held(_) | About::Refused { .. } => {}
    }
    let (Subject::Repository { upstream, .. }, Some(tag)) = (&rule.subject, decision.tag()) else {
        app.hint(format!("Add {} by hand: its rule takes what its sources name", decision.image));
        return Vec::new();
    };
    let name = rule.published_as.clone().map(|name| PublishedAs { name, tag: Some(tag.clone()) });
    let reference = Reference { upstream: upstream.clone(), tag: Some(tag), digest: None };
    let (selection, rule) = (rule.platforms.clone(), Some(rule.name.to_string()));
    app.plan(Request::Add(vec![AddRequest { selection, name, rule, ..AddRequest::new(Source::Registry(reference)) }]))
}

/// The rule that leaves this alone from now on.
fn ignoring(decision: &Decision, rule: &Rule) -> Option<Rule> {
    let mut changed = rule.clone();
    if matches!(decision.about, About::Refused { .. }) {
        changed.moves = Moves::Ignore;
        return Some(changed);
    }
    if matches!(decision.about, About::Braked(_)) {
        changed.leave = Kept::Always;
        return Some(changed);
    }
    let Subject::Repository { tags, .. } = &mut changed.subject else { return None };
    tags.except.push(decision.tag()?.as_str().parse().ok()?);
    Some(changed)
}

fn ignore(app: &mut App) -> Vec<Effect> {
    let Some((decision, old)) = decision(app) else {
        if app.rules.decision().is_some() {
            app.hint("Its rule is not there any more: remove removes the images, and without that they stay");
        }
        return Vec::new();
    };
    let Some(rule) = ignoring(&decision, &old) else {
        app.hint(format!("{} takes what its sources name: change those", decision.rule));
        return Vec::new();
    };
    act::ask(app, Plan::ChangeRules(RuleChange::Save(Box::new(RuleDraft { old: Some(old), rule }))))
}

/// The image that waits under the cursor, if it is here.
pub(super) fn picks(app: &App) -> Vec<Pick> {
    let Some(decision) = app.rules.decision().filter(|_| app.rules.level == Level::Decisions) else {
        return Vec::new();
    };
    decision.images().iter().filter(|image| app.rules.is_here(image)).filter_map(|image| image.parse().ok()).collect()
}

/// A rule was saved. A new one is run next: its plan is shown.
pub(super) fn saved(app: &mut App, rule: &Rule, is_new: bool) -> Vec<Effect> {
    app.saving_rule = None;
    if !is_new || !app.dialogs.is_empty() {
        return Vec::new();
    }
    app.plan(Request::Rules(vec![rule.name.to_string()]))
}

/// A form could not be saved: it is shown again, with the reason.
pub(super) fn refused(app: &mut App, job: u64, message: &str) {
    let Some((_, mut form)) = app.saving_rule.take_if(|(saving, _)| *saving == job) else { return };
    if app.dialogs.is_empty() {
        form.refusal = Some(message.to_owned());
        app.dialogs.push(Dialog::RuleForm(form));
        // It is told there.
        app.problems.pop();
    }
}

/// What can be copied of what is under the cursor.
pub(super) fn copies(app: &App) -> Vec<Item> {
    let item = |key, title: &str, value: String| Item { key, title: title.to_owned(), value };
    if let Some(decision) = app.rules.decision().filter(|_| app.rules.level == Level::Decisions) {
        return vec![item('i', "image", decision.image.clone())];
    }
    let Some(shown) = app.rules.current() else { return Vec::new() };
    let mut items = vec![item('d', "definition", write_rule(&shown.rule))];
    items.push(item('n', "name", shown.rule.name.to_string()));
    items.push(item('p', "patterns or sources", takes(&shown.rule)));
    items
}
