//! What the commands of the views Jobs and Log do: jobs are cancelled and begun again, and what was said is copied and read.

use super::app::{App, Tab};
use super::command::Command;
use super::describe::Role;
use super::dialog::Dialog;
use super::dialog::menu::Item;
use super::effect::Effect;
use super::state::job::{Job, JobState};

/// Cancels the job under the cursor; in another view the one that runs, if it is the only one.
pub(super) fn cancel(app: &mut App) -> Vec<Effect> {
    let running = app.jobs.running().count();
    if app.tab != Tab::Jobs && running > 1 {
        let key = super::view::key(app, Command::Jobs);
        app.hint(format!("{running} jobs are running: choose one in Jobs ({key})"));
        return Vec::new();
    }
    let job = if app.tab == Tab::Jobs { app.jobs.current() } else { app.jobs.running().next() };
    match job {
        Some(job) if job.state == JobState::Ready => {
            let (id, title) = (job.id, job.title.clone());
            app.decline(id);
            app.hint(format!("{title}: nothing was done"));
            Vec::new()
        }
        Some(job) if job.is_running() => {
            let (id, title) = (job.id, job.title.clone());
            app.hint(format!("Cancelling: {title}"));
            vec![Effect::Cancel(id)]
        }
        Some(job) => {
            let words = format!("#{} {}: there is nothing to cancel", job.id, ended(job));
            app.hint(words);
            Vec::new()
        }
        None => {
            app.hint("No running job to cancel");
            Vec::new()
        }
    }
}

/// Shows the plan of the job under the cursor, if that waits for an answer; whether it does.
pub(super) fn open_plan(app: &mut App) -> bool {
    let ready = app.jobs.current().filter(|job| job.state == JobState::Ready).map(|job| job.id);
    ready.is_some_and(|job| app.show_plan(job))
}

fn ended(job: &Job) -> &'static str {
    match job.state {
        JobState::Planning | JobState::Running => "is still running",
        JobState::Ready => "waits for an answer",
        JobState::Done(_) => "is done",
        JobState::Failed(_) => "has failed",
        JobState::Cancelled => "was cancelled",
    }
}

/// Begins the job under the cursor again, with a plan for how things are now.
pub(super) fn retry(app: &mut App) -> Vec<Effect> {
    let Some(job) = app.jobs.current() else {
        app.hint("There is no job here to restart");
        return Vec::new();
    };
    match &job.request {
        Some(request) if job.is_unfinished() => {
            let request = request.clone();
            app.plan(request)
        }
        _ => {
            let words = if job.is_unfinished() {
                format!("Restart `{}` where you started it: it was made without a plan", job.title)
            } else {
                format!("#{} {}: only failed or cancelled jobs can be restarted", job.id, ended(job))
            };
            app.hint(words);
            Vec::new()
        }
    }
}

/// What can be copied of what is under the cursor.
pub(super) fn copies(app: &App) -> Vec<Item> {
    let item = |key, title: &str, value: String| Item { key, title: title.to_owned(), value };
    if app.tab == Tab::Jobs {
        let Some(job) = app.jobs.current() else { return Vec::new() };
        let mut items = vec![item('j', "the job's text", job.text()), item('t', "title", job.title.clone())];
        match &job.state {
            JobState::Done(words) => items.push(item('r', "result", words.clone())),
            JobState::Failed(problem) => items.push(item('r', "reason", problem.text())),
            JobState::Planning | JobState::Ready | JobState::Running | JobState::Cancelled => {}
        }
        return items;
    }
    let Some(line) = app.log.current() else { return Vec::new() };
    let mut items = vec![item('l', "line", line.text_with_job()), item('a', "all lines shown", lines(app))];
    items.extend(app.log_file.as_ref().map(|file| item('f', "the log's file", file.display().to_string())));
    items
}

fn lines(app: &App) -> String {
    let shown = app.log.shown();
    let lines: Vec<String> = shown.iter().map(|line| format!("{} {}", line.at, line.text_with_job())).collect();
    lines.join("\n")
}

/// Shows what the job under the cursor says, or the log, in the pager.
pub(super) fn browse(app: &mut App) -> Vec<Effect> {
    if app.tab == Tab::Jobs {
        return match app.jobs.current() {
            Some(job) => vec![Effect::Page(job.text())],
            None => {
                app.hint("There is no job here to read");
                Vec::new()
            }
        };
    }
    match &app.log_file {
        Some(file) => vec![Effect::PageFile(file.clone())],
        None => vec![Effect::Page(lines(app))],
    }
}

/// The whole line of the log that is under the cursor.
pub(super) fn read(app: &mut App) -> Vec<Effect> {
    let Some(line) = app.log.current() else {
        app.hint("There is no line here to open");
        return Vec::new();
    };
    let rows = vec![
        (Role::Dim, format!("{} {}", line.at, line.level.word())),
        (Role::Text, String::new()),
        (Role::Text, line.text_with_job()),
    ];
    app.dialogs.push(Dialog::Message { title: "Log".to_owned(), rows, scroll: 0 });
    Vec::new()
}
