//! Following: the form, the page, the looks at the name while the interface is open, and what a catalog that follows refuses.

use super::app::App;
use super::command::Command;
use super::dialog::flag_form::{FlagForm, Subject, Values};
use super::dialog::{Dialog, Page, follow_fields};
use super::effect::Effect;
use super::problem::Problem;
use super::remembered::Memorable;
use super::state::log::Level;
use super::view;
use super::work::{JobId, Outcome, Plan, Request};
use crate::engine::job::Event;
use crate::error::{Error, Kind};
use crate::text::printable_within;

/// Columns of a name that is told in a sentence.
const NAME_COLUMNS: usize = 120;

/// Shows whom the catalog follows, or asks whom it should.
pub(super) fn open(app: &mut App, values: &Values) -> Vec<Effect> {
    if app.follow_state.following.is_some() {
        app.dialogs.push(Dialog::Page { page: Page::Following, scroll: 0 });
        return Vec::new();
    }
    if app.refuses("`follow`") {
        return Vec::new();
    }
    if !app.is_empty() {
        let problem = Error::new(Kind::Usage, "the catalog is not empty, but a follower needs an empty one").hint(
            "Follow in another data directory with `--data-dir`; `:import` merges a published registry into this one.",
        );
        app.complain(problem.into());
        return Vec::new();
    }
    let mut said = app.remembered.follow().clone();
    said.extend(values.clone());
    app.dialogs.push(Dialog::Flags(Box::new(FlagForm::new(Subject::Follow, &said, &[]))));
    Vec::new()
}

/// A key in the page of what is followed; nothing if it is none of its own.
pub(super) fn key(app: &mut App, letter: char) -> Option<Vec<Effect>> {
    let following = app.follow_state.following.as_ref()?;
    let only_looks = app.read_only.is_some();
    Some(match letter {
        'c' if !only_looks => {
            if app.follow_state.looking.is_some() {
                app.hint("The name is being looked at");
                return Some(Vec::new());
            }
            look(app, true)
        }
        'v' => app.start(Box::new(Plan::CheckFollowing), None),
        'e' if !only_looks => {
            let mut values = follow_fields::values(&following.setting);
            values.extend(app.remembered.follow().clone());
            app.dialogs.push(Dialog::Flags(Box::new(FlagForm::new(Subject::Follow, &values, &["NAME"]))));
            Vec::new()
        }
        'x' if !only_looks => app.plan(Request::StopFollowing),
        _ => return None,
    })
}

/// Follows what the form says, if that makes sense.
pub(super) fn save(app: &mut App, mut form: Box<FlagForm>) -> Vec<Effect> {
    if form.value("NAME").is_empty() {
        form.require("NAME");
        app.dialogs.push(Dialog::Flags(form));
        return Vec::new();
    }
    match follow_fields::setting(&form) {
        Err(error) => {
            form.refuse(&Problem::from(error));
            app.dialogs.push(Dialog::Flags(form));
            Vec::new()
        }
        Ok(setting) => {
            let values = follow_fields::remembered(&form);
            let plan = Plan::Follow { setting: Box::new(setting), swarm_peers: follow_fields::swarm_peers(&form) };
            let mut effects = app.start(Box::new(plan), None);
            if !effects.is_empty() {
                if values != *app.remembered.follow() {
                    effects.push(app.keep(Memorable::Follow(values)));
                }
                app.follow_state.saving = Some((app.jobs_begun, form));
                app.follow_state.look_soon();
            }
            effects
        }
    }
}

/// A job ended. If it was to do what a form says and could not, that is shown again, with the reason where it was written.
pub(super) fn saved(app: &mut App, job: JobId, problem: Option<&Problem>) {
    let Some((_, mut form)) = app.follow_state.saving.take_if(|(saving, _)| *saving == job) else { return };
    if let Some(problem) = problem.filter(|problem| problem.kind != Kind::Interrupted)
        && matches!(app.dialogs.last(), None | Some(Dialog::Page { .. }))
    {
        form.refuse(problem);
        app.dialogs.push(Dialog::Flags(form));
        // It is told there.
        app.problems.pop();
    }
}

/// Looks at the name, if it is time to.
pub(super) fn look_if_due(app: &mut App) -> Vec<Effect> {
    let may = app.read_only.is_none() && app.elsewhere.is_none();
    if may && app.follow_state.is_look_due(app.now, app.wall.as_second()) { look(app, false) } else { Vec::new() }
}

/// Looks at the name; who asked for it sees it among the jobs.
fn look(app: &mut App, asked: bool) -> Vec<Effect> {
    let plan = Box::new(Plan::LookAtName);
    let effects = if asked { app.start(plan, None) } else { vec![Effect::Start(app.job_number(), plan)] };
    app.follow_state.begin_look(app.jobs_begun, asked, app.now);
    effects
}

/// A look that has something to tell becomes a job that is seen.
pub(super) fn heard(app: &mut App, job: JobId, event: &Event) {
    let Some(looking) = app.follow_state.looking.as_mut().filter(|looking| looking.job == job && !looking.listed)
    else {
        return;
    };
    if matches!(event, Event::Note(_) | Event::Fetching { .. } | Event::BlobStarted { .. }) {
        looking.listed = true;
        app.jobs.begin(job, Plan::LookAtName.title(), None);
    }
}

/// A look ended that nobody has seen begin: what is wrong is told once, and shown where it is told whom the catalog follows.
pub(super) fn ended(app: &mut App, job: JobId, ended: &Result<Outcome, Problem>) -> bool {
    let Some(looking) = app.follow_state.looking.take_if(|looking| looking.job == job) else { return false };
    let wrong = match ended {
        Ok(Outcome::NameLookedAt { notes, .. }) => notes.clone(),
        Ok(_) => Vec::new(),
        Err(problem) if problem.kind == Kind::Interrupted => Vec::new(),
        Err(problem) => vec![problem.sentences()],
    };
    let new = app.follow_state.untold(wrong);
    let is_news = !new.is_empty() || matches!(ended, Ok(Outcome::NameLookedAt { came: Some(_), .. }));
    for line in new {
        app.note(Level::Warning, None, line);
    }
    app.follow_state.refresh();
    if looking.listed && (looking.asked || is_news) {
        return false;
    }
    if looking.listed {
        // It brought nothing, or failed as the one before did.
        app.jobs.forget(job);
        return true;
    }
    // Its number was seen by nobody.
    if app.jobs_begun == job {
        app.jobs_begun -= 1;
    }
    true
}

/// What the header says of a catalog that follows: whom, and when that was looked at.
pub(super) fn in_short(app: &App) -> Option<String> {
    let following = app.follow_state.following.as_ref()?;
    let name = printable_within(&following.setting.name.to_string(), NAME_COLUMNS);
    let checked = match following.checked_at {
        _ if app.follow_state.looking.is_some_and(|looking| looking.listed) => "looking now".to_owned(),
        Some(at) => format!("checked {} ago", super::cells::age(app.wall.as_second() - at)),
        None => "not checked yet".to_owned(),
    };
    let behind = match &following.failure {
        Some(_) => ", with a problem",
        None if following.is_current() => "",
        None => ", behind",
    };
    Some(format!("Follows {name}, {checked}{behind}"))
}

/// Refuses what would change the images of a catalog that follows, with words; whether it did.
pub(super) fn refuses(app: &mut App, what: &str) -> bool {
    let Some(name) = app.follow_state.name() else { return false };
    let name = printable_within(&name, NAME_COLUMNS);
    let follow = view::key(app, Command::FollowName);
    let message = format!("This catalog follows {name}: {what} would change what only that name changes");
    let hints = vec![format!("{follow} shows it, and can stop following: then the catalog is one of its own.")];
    app.complain(Problem { message, hints, kind: Kind::Usage });
    true
}

/// What was typed behind `follow`; nothing if it is for the command line.
pub(super) fn typed(app: &mut App, rest: &[String]) -> Option<Vec<Effect>> {
    Some(match rest.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => open(app, &Values::new()),
        ["status"] if app.follow_state.following.is_some() => open(app, &Values::new()),
        ["check"] if app.follow_state.following.is_some() => app.start(Box::new(Plan::CheckFollowing), None),
        ["stop"] if app.follow_state.following.is_some() => app.plan(Request::StopFollowing),
        [name] if !name.starts_with('-') && !matches!(*name, "status" | "check" | "stop") => {
            open(app, &[("NAME".to_owned(), (*name).to_owned())].into())
        }
        _ => return None,
    })
}
