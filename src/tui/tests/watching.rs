//! Jobs and the log: what is said of them, in the strip and in their views, and what their keys do.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::super::app::{App, Tab};
use super::super::command::Command;
use super::super::dialog::Dialog;
use super::super::effect::Effect;
use super::super::glyphs::{Glyphs, UNICODE};
use super::super::message::Msg;
use super::super::problem::Problem;
use super::super::serving::Serving;
use super::super::state::log::Level;
use super::super::work::{JobId, Outcome, Plan, Request, Sample};
use super::world::{CID, Content, every_size, picture, press, settled};
use crate::engine::job::Event;
use crate::engine::plan::{Added, FailedRequest};
use crate::engine::query::view::{Currency, UpstreamState};
use crate::engine::targets::{Check, Outcome as Tried, Part, Trial};
use crate::error::{Error, Kind};
use crate::holder::{HeldBy, Holder};
use crate::image::Digest;

const LONG: &str =
    "127.0.0.1_38801/a-very-long-organisation-name/with-sub-project/and-an-even-longer-image-name:2026.11";

/// An interface with a job.
fn busy(size: (u16, u16), glyphs: &Glyphs, plan: Plan, request: Option<Request>) -> (App, JobId) {
    let mut app = settled(size, glyphs, Content::Small);
    app.start(Box::new(plan), request);
    let job = app.jobs_begun;
    (app, job)
}

fn check() -> Plan {
    Plan::Check(vec![LONG.parse().unwrap()])
}

fn fetching(app: &mut App, job: JobId) {
    app.update(Msg::Job(job, Event::Fetching { blobs: 3, bytes: 134 << 20 }));
    app.update(Msg::Job(
        job,
        Event::BlobStarted {
            digest: Digest::of(b"layer"),
            image: LONG.to_owned(),
            size: 88 << 20,
            done: Arc::new(AtomicU64::new(38 << 20)),
        },
    ));
    sample(app, job, 60 << 20, 60 << 20, 12);
}

fn sample(app: &mut App, job: JobId, done: u64, moved: u64, seconds: u64) {
    let running = Duration::from_secs(seconds);
    app.update(Msg::Samples(vec![Sample { id: job, bytes: (done, 134 << 20), moved, running }]));
}

/// What the terminal is to tell once a job has ended, after so many seconds.
fn told(seconds: u64, ended: Result<Outcome, Problem>) -> Vec<String> {
    let (mut app, job) = busy((80, 24), &UNICODE, check(), None);
    sample(&mut app, job, 0, 0, seconds);
    let effects = app.update(Msg::Ended(job, ended));
    let told = effects.into_iter().filter_map(|effect| match effect {
        Effect::Notify(text) => Some(text),
        _ => None,
    });
    told.collect()
}

#[test]
fn the_terminal_tells_of_a_job_that_ran_long() {
    let failed = |kind| Err(Problem { message: "the registry is lost".to_owned(), hints: Vec::new(), kind });
    assert_eq!(told(9, Ok(Outcome::Checked(Vec::new()))), [""; 0]);
    assert_eq!(told(10, Ok(Outcome::Checked(Vec::new()))).len(), 1);
    let text = told(10, failed(Kind::Network));
    assert!(text.len() == 1 && text[0].ends_with(" failed: the registry is lost"), "{text:?}");
    assert_eq!(told(10, failed(Kind::Interrupted)), [""; 0], "who cancels it is there");
}

fn retry(app: &mut App, job: JobId) {
    app.update(Msg::Job(
        job,
        Event::Waiting {
            registry: "127.0.0.1:38801".to_owned(),
            pause: Duration::from_millis(900),
            reason: "can't connect to 127.0.0.1:38801: Connection refused".to_owned(),
            asked: false,
        },
    ));
}

fn strip(app: &App) -> String {
    let shown = picture(app);
    let mut lines: Vec<&str> = shown.lines().collect();
    lines.remove(lines.len() - 1);
    lines.remove(lines.len() - 1).to_owned()
}

/// A fetch that the registry cut off.
fn refused() -> Added {
    let error = Error::new(Kind::Network, "can't connect to 127.0.0.1:38801: Connection refused")
        .hint("Check that 127.0.0.1:38801 runs and can be reached from this machine.")
        .adding("gave up after 5 tries")
        .adding("fetched 22 MiB of 29 MiB of blob 96b5c1d2a3f4 of 127.0.0.1:38801/tools/huge");
    let failed = vec![FailedRequest { request: "127.0.0.1:38801/tools/huge:1".to_owned(), error }];
    Added { failed, ..Added::default() }
}

#[test]
fn what_came_of_a_long_name_is_read_whole() {
    for (size, glyphs, of) in every_size() {
        let (mut app, job) = busy(size, glyphs, check(), None);
        let current = Currency {
            image: LONG.to_owned(),
            upstream: String::new(),
            digest: Digest::of(b"x"),
            state: UpstreamState::Current,
        };
        app.update(Msg::Ended(job, Ok(Outcome::Checked(vec![current]))));
        let shown = picture(&app);
        assert!(shown.contains("1 image up to date, 0 outdated"), "{shown}");
        insta::assert_snapshot!(format!("toast-{of}"), shown);
    }
}

#[test]
fn what_is_said_ends_before_where_the_registry_is_served() {
    for (size, glyphs, of) in every_size() {
        let mut app = settled(size, glyphs, Content::Small);
        app.serving = Serving::At("http://127.0.0.1:5050".to_owned());
        let shown = picture(&app);
        let whole = shown.contains(CID);
        assert!(whole || shown.contains(glyphs.ellipsis), "cut, and nobody sees it:\n{shown}");
        insta::assert_snapshot!(format!("serving-{of}"), shown);
    }
}

#[test]
fn why_and_for_whom_a_job_waits_is_read_whole() {
    for (size, glyphs, of) in every_size() {
        let (mut app, job) = busy(size, glyphs, check(), None);
        fetching(&mut app, job);
        retry(&mut app, job);
        let line = strip(&app);
        assert!(line.contains("trying again in 1 s: can't connect to 127.0.0.1:38801: Connection refused"), "{line}");
        press(&mut app, Content::Small, "2");
        insta::assert_snapshot!(format!("retrying-{of}"), picture(&app));
        let behind = HeldBy(Some(Holder { process: 1073, doing: format!("add {LONG}"), since: None }));
        app.update(Msg::Job(job, Event::Queued { behind }));
        let shown = picture(&app);
        assert!(shown.contains("waiting") && shown.contains("process 1073"), "{shown}");
        insta::assert_snapshot!(format!("queued-{of}"), shown);
        app.update(Msg::Job(job, Event::Progress { what: "blobs", done: 0, total: 0 }));
        sample(&mut app, job, 60 << 20, 60 << 20, 30);
        insta::assert_snapshot!(format!("stalled-{of}"), picture(&app));
    }
}

#[test]
fn how_far_and_how_long_is_never_cut() {
    let (mut app, job) = busy((80, 24), &UNICODE, check(), None);
    fetching(&mut app, job);
    sample(&mut app, job, 64 << 20, 64 << 20, 13);
    let line = strip(&app);
    assert!(line.starts_with(" ↓ 47 %  18 s left  64 MiB of 134 MiB  4.0 MiB/s  check 127"), "{line}");
    assert!(line.ends_with(":2026.11"), "{line}");
}

#[test]
fn what_was_here_before_is_no_speed() {
    let (mut app, job) = busy((80, 24), &UNICODE, check(), None);
    sample(&mut app, job, 0, 0, 1);
    sample(&mut app, job, 60 << 20, 4 << 20, 2);
    sample(&mut app, job, 64 << 20, 8 << 20, 3);
    let job = app.jobs.current().unwrap();
    assert_eq!((job.rate, job.left()), (Some(4 << 20), Some(18)));
    assert_eq!(job.rates.iter().copied().max(), Some(4 << 20));
}

#[test]
fn a_job_that_ended_has_no_percent() {
    let (mut app, job) = busy((80, 24), &UNICODE, check(), None);
    fetching(&mut app, job);
    assert_eq!(app.jobs.current().unwrap().percent(), Some(44));
    app.update(Msg::Ended(job, Ok(Outcome::Added(refused()))));
    assert_eq!(app.jobs.current().unwrap().percent(), None);
}

#[test]
fn names_are_counted_as_what_they_are() {
    let title = |names: &[&str]| Plan::Check(names.iter().map(|name| name.parse().unwrap()).collect()).title();
    assert_eq!(title(&["library/nginx", "library/redis"]), "check 2 repositories");
    assert_eq!(title(&["library/nginx:1", "library/nginx:2"]), "check 2 images");
}

#[test]
fn a_registry_that_is_down_says_so_first_and_what_to_do_last() {
    for (size, glyphs, of) in every_size() {
        let request = Request::Add(Vec::new());
        let (mut app, job) = busy(size, glyphs, Plan::Verify { repair: false }, Some(request));
        app.update(Msg::Ended(job, Ok(Outcome::Added(refused()))));
        let message = &app.problems.last().unwrap().message;
        assert!(
            message.starts_with("verify: can't connect to 127.0.0.1:38801: Connection refused; gave up"),
            "{message}"
        );
        let shown = picture(&app);
        assert!(shown.contains("continues from there."), "{shown}");
        insta::assert_snapshot!(format!("registry-down-{of}"), shown);
        press(&mut app, Content::Small, "2");
        insta::assert_snapshot!(format!("jobs-failed-{of}"), picture(&app));
    }
}

#[test]
fn what_to_do_next_is_never_what_is_cut() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    let message = "it failed ".repeat(100);
    app.complain(Problem { message, hints: vec!["Do this.".to_owned()], kind: Kind::Network });
    let shown = picture(&app);
    assert!(shown.contains("Do this.") && shown.contains('…'), "{shown}");
}

fn trial(checks: usize) -> Trial {
    let checks = (0..checks)
        .map(|number| Check {
            part: Part::Node,
            what: format!("step {number}"),
            outcome: if number + 1 == checks { Tried::Failed } else { Tried::Good },
            detail: "the node says so in many words, more than fit into one line of a small terminal".to_owned(),
            hints: Vec::new(),
            kind: None,
        })
        .collect();
    Trial { target: "home".to_owned(), checks }
}

#[test]
fn all_that_a_job_says_is_read_by_scrolling() {
    for (size, glyphs, of) in every_size() {
        let (mut app, job) = busy(size, glyphs, Plan::TestTarget("home".to_owned()), None);
        press(&mut app, Content::Small, "2");
        app.update(Msg::Ended(job, Ok(Outcome::Tested(trial(40)))));
        app.problems.clear();
        let shown = picture(&app);
        assert!(shown.contains("step 39"), "what failed comes first:\n{shown}");
        insta::assert_snapshot!(format!("job-{of}"), shown);
        press(&mut app, Content::Small, "enter");
        insta::assert_snapshot!(format!("job-open-{of}"), picture(&app));
        press(&mut app, Content::Small, "G");
        let shown = picture(&app);
        assert!(shown.contains("step 38: the node says"), "{shown}");
        assert_eq!(app.jobs.scroll, app.jobs.scroll_end);
        // Another job that begins meanwhile takes nothing away from who reads.
        app.start(Box::new(Plan::Verify { repair: false }), None);
        assert_eq!(app.jobs.current().unwrap().id, job);
        press(&mut app, Content::Small, "esc");
        assert!(!app.jobs.open && app.tab == Tab::Jobs);
    }
}

#[test]
fn what_a_job_says_is_copied_and_read_in_the_pager() {
    let (mut app, job) = busy((80, 24), &UNICODE, Plan::TestTarget("home".to_owned()), None);
    app.update(Msg::Ended(job, Ok(Outcome::Tested(trial(4)))));
    press(&mut app, Content::Small, "2");
    let said = |effects: &[Effect]| match effects {
        [Effect::Copy(text) | Effect::Page(text)] => text.clone(),
        other => panic!("{other:?}"),
    };
    for key in ["y", "o"] {
        let text = said(&press(&mut app, Content::Small, key));
        assert!(text.starts_with("#1 test the target home\n") && text.contains("step 3"), "{text}");
    }
    press(&mut app, Content::Small, "Y");
    assert!(matches!(app.dialogs.last(), Some(Dialog::Menu(menu)) if menu.items.len() == 3));
    press(&mut app, Content::Small, "esc 5 Y");
    assert!(matches!(app.dialogs.last(), Some(Dialog::Menu(menu)) if menu.items.len() == 2));
}

#[test]
fn the_footer_of_jobs_offers_what_the_job_can() {
    let offered = |app: &App| {
        let all = [Command::Open, Command::Cancel, Command::Retry, Command::Clear, Command::Copy];
        let footer: Vec<Command> = app.footer().into_iter().map(|(command, _)| command).collect();
        all.into_iter().filter(|command| footer.contains(command)).collect::<Vec<_>>()
    };
    let (mut app, job) = busy((80, 24), &UNICODE, check(), Some(Request::Gc));
    press(&mut app, Content::Small, "2");
    assert_eq!(offered(&app), [Command::Open, Command::Cancel, Command::Copy]);
    app.update(Msg::Ended(job, Ok(Outcome::Freed(3))));
    assert_eq!(offered(&app), [Command::Open, Command::Clear, Command::Copy]);
    app.start(Box::new(check()), Some(Request::Gc));
    let job = app.jobs_begun;
    app.update(Msg::Ended(job, Ok(Outcome::Added(refused()))));
    app.problems.clear();
    press(&mut app, Content::Small, "g");
    assert_eq!(offered(&app), [Command::Open, Command::Retry, Command::Clear, Command::Copy]);
    press(&mut app, Content::Small, "c");
    assert_eq!(offered(&app), []);
    let shown = picture(&app);
    assert!(shown.contains("No jobs are running. Ended jobs were cleared"), "{shown}");
}

#[test]
fn no_key_of_jobs_is_silent() {
    let hint = |app: &App| app.toast.as_ref().map(|toast| toast.text.clone()).unwrap_or_default();
    let (mut app, job) = busy((80, 24), &UNICODE, check(), None);
    // From every view, what runs is cancelled.
    assert!(matches!(press(&mut app, Content::Small, "x").as_slice(), [Effect::Cancel(id)] if *id == job));
    assert!(hint(&app).starts_with("Cancelling"));
    app.start(Box::new(check()), None);
    assert!(press(&mut app, Content::Small, "x").is_empty() && hint(&app).starts_with("2 jobs are running"));
    press(&mut app, Content::Small, "2 t");
    assert!(hint(&app).contains("is still running"), "{}", hint(&app));
    for job in [job, app.jobs_begun] {
        app.update(Msg::Ended(job, Ok(Outcome::Added(refused()))));
    }
    app.problems.clear();
    press(&mut app, Content::Small, "t");
    assert!(hint(&app).contains("where you started it"), "{}", hint(&app));
    press(&mut app, Content::Small, "x");
    assert!(hint(&app).contains("has failed"), "{}", hint(&app));
    press(&mut app, Content::Small, "1 x");
    assert!(hint(&app).contains("No running job"), "{}", hint(&app));
    press(&mut app, Content::Small, "2 c y");
    assert!(hint(&app).contains("nothing here to copy"), "{}", hint(&app));
}

#[test]
fn a_log_that_shows_nothing_says_why() {
    let (mut app, job) = busy((80, 24), &UNICODE, check(), None);
    press(&mut app, Content::Small, "5 / z z z enter");
    let shown = picture(&app);
    assert!(shown.contains("The filter zzz hides 1 line: esc clears it."), "{shown}");
    press(&mut app, Content::Small, "esc v v");
    let shown = picture(&app);
    assert!(shown.contains("1 line of lower levels: v shows them."), "{shown}");
    let footer: Vec<Command> = app.footer().into_iter().map(|(command, _)| command).collect();
    assert!(!footer.contains(&Command::Open) && footer.contains(&Command::Level), "{footer:?}");
    // A dozen tries are not a dozen lines.
    for _ in 0..12 {
        retry(&mut app, job);
        app.update(Msg::Job(job, Event::Resolving { done: 0, total: 1 }));
    }
    app.log.level = Level::Info;
    assert_eq!(app.log.shown().len(), 1);
    app.log.level = Level::Debug;
    assert_eq!(app.log.shown().len(), 13);
}

#[test]
fn an_image_that_failed_among_many_is_named() {
    let outcome = |title: &str| {
        let outcome = Outcome::Added(refused());
        let (words, failed) = super::super::describe::outcome(&outcome);
        super::super::describe::failure(title, &outcome, &words, &failed)
    };
    assert!(outcome("add huge:1").starts_with("can't connect"));
    let many = outcome("add 3 images");
    assert!(many.starts_with("0 images added, 0 B fetched, but 127.0.0.1:38801/tools/huge:1: can't"), "{many}");
}

#[test]
fn the_cause_is_read_before_a_long_name_is() {
    let (mut app, job) = busy((80, 24), &UNICODE, check(), Some(Request::Gc));
    app.update(Msg::Ended(job, Ok(Outcome::Added(refused()))));
    let shown = picture(&app);
    assert!(shown.contains("✗ check 127.0.0.1_3880…-image-name:2026.11: can't connect to"), "{shown}");
    let (mut app, job) = busy((80, 24), &UNICODE, check(), None);
    let cancelled = Problem { message: "interrupted".to_owned(), hints: Vec::new(), kind: Kind::Interrupted };
    app.update(Msg::Ended(job, Err(cancelled)));
    assert!(strip(&app).ends_with(": cancelled; what is verified is kept"), "{}", strip(&app));
}
