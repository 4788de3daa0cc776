//! What another process does, and a job that has waited for it.

use super::super::app::App;
use super::super::effect::Effect;
use super::super::glyphs::UNICODE;
use super::super::message::Msg;
use super::super::question::Answer;
use super::super::state::job::JobState;
use super::super::work::{Outcome, Plan};
use super::world::{Content, answer, every_size, picture, press, settled};
use crate::engine::job::Event;
use crate::engine::plan::{Added, ImageCount};
use crate::engine::query::browse::TreeRow;
use crate::engine::query::view::{Currency, UpstreamState};
use crate::holder::{HeldBy, Holder};
use crate::image::Digest;

fn holder(app: &App) -> Holder {
    Holder {
        process: 1073,
        doing: "add docker.io/library/nginx:alpine".to_owned(),
        since: Some(app.wall.as_second() - 130),
    }
}

#[test]
fn what_another_process_does_is_shown_until_it_is_done() {
    for (size, glyphs, of) in every_size() {
        let mut app = settled(size, glyphs, Content::Small);
        let holder = holder(&app);
        app.update(Msg::Elsewhere(Some(holder)));
        let shown = picture(&app);
        assert!(shown.contains("add docker.io/library/nginx:alpine  process 1073, 2"), "in the strip:\n{shown}");
        press(&mut app, Content::Small, "2");
        assert!(app.is_moving(), "its age goes on");
        insta::assert_snapshot!(format!("elsewhere-{of}"), picture(&app));
        // Beside jobs of our own it is a row that no key is about.
        app.start(Box::new(Plan::Verify { repair: false }), None);
        let shown = picture(&app);
        assert!(shown.contains("1 running, 1 in another process") && shown.contains("process 1073"), "{shown}");
        assert_eq!(app.jobs.current().unwrap().title, "verify");
        app.update(Msg::Elsewhere(None));
        assert!(!picture(&app).contains("1073"), "{}", picture(&app));
    }
}

#[test]
fn a_job_that_has_got_its_lock_waits_no_longer() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    app.start(Box::new(Plan::Verify { repair: false }), None);
    let job = app.jobs_begun;
    press(&mut app, Content::Small, "2");
    let holder = Holder { process: 1073, doing: "add x".to_owned(), since: None };
    app.update(Msg::Job(job, Event::Queued { behind: HeldBy(Some(holder)) }));
    assert!(picture(&app).contains("waiting for process 1073 (`add x`)"), "{}", picture(&app));
    app.update(Msg::Job(job, Event::Proceeding));
    let shown = picture(&app);
    assert!(!shown.contains("wait") && !shown.contains("1073") && shown.contains("running"), "{shown}");
    assert_eq!(app.waits, None);
}

#[test]
fn what_is_gone_upstream_is_a_notice_and_no_failure() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    let mut end = |outcome: Outcome| {
        app.start(Box::new(Plan::Verify { repair: false }), None);
        app.update(Msg::Ended(app.jobs_begun, Ok(outcome)));
        assert!(app.problems.is_empty(), "{:?}", app.problems);
        let job = app.jobs.jobs[0].clone();
        assert!(
            job.notes.iter().any(|note| note == "library/old:1 is gone upstream; it stays here"),
            "{:?}",
            job.notes
        );
        match job.state {
            JobState::Done(words) => words,
            other => panic!("{other:?}"),
        }
    };
    let gone = vec!["library/old:1".to_owned()];
    let recorded = vec!["library/nginx:1".to_owned()];
    let updated = Added { verb: "update".to_owned(), recorded, gone, ..Added::default() };
    assert_eq!(end(Outcome::Added(updated)), "1 image updated, 0 B fetched, 1 gone upstream");
    let row = |image: &str, state| Currency {
        image: image.to_owned(),
        upstream: String::new(),
        digest: Digest::of(b"x"),
        state,
    };
    let checked = vec![row("library/nginx:1", UpstreamState::Current), row("library/old:1", UpstreamState::Gone)];
    assert_eq!(end(Outcome::Checked(checked)), "1 image up to date, 0 outdated, 1 gone upstream");
}

#[test]
fn what_is_gone_upstream_is_shown_by_its_row_and_that_of_its_repository() {
    let mut app = settled((120, 40), &UNICODE, Content::Small);
    assert!(!picture(&app).contains("gone"));
    let mut todo = app.update(Msg::Changed);
    while let Some(effect) = todo.pop() {
        let Effect::Ask(ticket, question) = effect else { continue };
        let mut answer = answer(Content::Small, question);
        match &mut answer {
            Answer::Repositories(_, rows) => {
                let TreeRow::Repository(row) = &mut rows.rows[0] else { panic!("it is one list") };
                row.gone = 1;
            }
            Answer::Images(_, rows) => rows.rows[0].gone = Some("2026-11-20T09:00:00Z".to_owned()),
            _ => {}
        }
        todo.extend(app.update(Msg::Answer(ticket, Box::new(answer))));
    }
    let shown = picture(&app);
    assert!(shown.contains("! 1 gone ") && shown.contains("! gone "), "{shown}");
}

#[test]
fn what_was_removed_is_counted_as_it_was_asked() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    app.start(Box::new(Plan::Verify { repair: false }), None);
    app.update(Msg::Ended(app.jobs_begun, Ok(Outcome::Removed(ImageCount { images: 14, attached: 3 }))));
    let shown = picture(&app);
    assert!(shown.contains("✓ Removed 14 images (3 attached); u undoes"), "{shown}");
}
