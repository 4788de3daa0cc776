//! Pictures of every view and dialog, at the sizes that people have, with and without Unicode.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::super::app::App;
use super::super::glyphs::{ASCII, UNICODE};
use super::super::message::Msg;
use super::super::problem::Problem;
use super::super::work::{Outcome, Plan, Request, Sample};
use super::world::{self, Content, picture, press, settle, settled};
use crate::engine::job::Event;
use crate::engine::plan::{AddPlan, GcPlan, RemovePlan, RemovedImage};
use crate::engine::query::view::Verified;
use crate::error::Kind;
use crate::image::Digest;

/// Pictures of one state at every size.
fn at_every_size(name: &str, content: Content, keys: &str) {
    for (size, glyphs, of) in world::every_size() {
        let mut app = settled(size, glyphs, content);
        if !keys.is_empty() {
            press(&mut app, content, keys);
        }
        insta::assert_snapshot!(format!("{name}-{of}"), picture(&app));
    }
}

#[test]
fn first_run() {
    at_every_size("first-run", Content::Empty, "");
}

#[test]
fn repositories() {
    at_every_size("repositories", Content::Small, "space j");
}

#[test]
fn tags() {
    at_every_size("tags", Content::Small, "j enter");
}

#[test]
fn details() {
    at_every_size("details", Content::Small, "j enter j enter");
    at_every_size("details-folded", Content::Small, "j enter j enter z");
    // What a search found stays unfolded.
    at_every_size("details-layer", Content::Small, "j enter j enter ] / R U N enter esc");
}

#[test]
fn hostile_text() {
    at_every_size("hostile", Content::Hostile, "");
    at_every_size("hostile-details", Content::Hostile, "enter enter");
}

#[test]
fn long_names_and_values() {
    at_every_size("long", Content::Long, "");
    at_every_size("long-tags", Content::Long, "enter");
    at_every_size("long-details", Content::Long, "enter j enter");
}

#[test]
fn a_long_list_is_a_window() {
    at_every_size("huge", Content::Huge, "end *");
}

#[test]
fn a_filter() {
    at_every_size("filter", Content::Small, "/ n g");
    at_every_size("filter-states", Content::Small, "/ l i b space : ");
    at_every_size("filter-unknown", Content::Small, "/ l i b space : o u t d a t d");
    at_every_size("filter-nothing", Content::Small, "/ x x enter");
}

#[test]
fn going_to_anything() {
    at_every_size("go-to", Content::Small, "ctrl-p");
    at_every_size("go-to-found", Content::Small, "ctrl-p n g i n x");
    at_every_size("go-to-digest", Content::Small, "ctrl-p s h a 2 5 6 : down");
    at_every_size("go-to-long", Content::Long, "ctrl-p n i g h t");
    at_every_size("go-to-hostile", Content::Hostile, "ctrl-p e");
    at_every_size("go-to-nothing", Content::Small, "ctrl-p x x x");
}

#[test]
fn help_and_palette() {
    at_every_size("help", Content::Small, "?");
    at_every_size("palette", Content::Small, ": p u b");
}

#[test]
fn a_line_is_completed() {
    at_every_size("palette-words", Content::Small, ": d i f");
    at_every_size("palette-flags", Content::Small, ": p u b l i s h space tab tab");
}

#[test]
fn two_tags_compared() {
    at_every_size("comparison", Content::Small, "j enter space j =");
    at_every_size("comparison-end", Content::Small, "j enter space j = end");
    at_every_size("comparison-hostile", Content::Hostile, "enter space j =");
}

#[test]
fn copy_menu() {
    at_every_size("copy-menu", Content::Small, "j enter Y");
    at_every_size("row-menu", Content::Small, "j enter m j");
}

#[test]
fn other_views_while_nothing_runs() {
    at_every_size("jobs-empty", Content::Small, "2");
    at_every_size("publish-empty", Content::Small, "3");
    at_every_size("stats", Content::Small, "4");
    at_every_size("stats-empty", Content::Empty, "4");
    at_every_size("log-empty", Content::Small, "5");
}

/// An interface with a job that runs, one that waits, one that failed.
fn working(size: (u16, u16), glyphs: &super::super::glyphs::Glyphs) -> App {
    let mut app = settled(size, glyphs, Content::Small);
    let plan = || Box::new(Plan::Add(AddPlan::default()));
    let (first, second) = (app.jobs_begun + 1, app.jobs_begun + 2);
    app.start(plan(), Some(Request::Gc));
    app.start(Box::new(Plan::Verify { repair: false }), None);
    let blob = Event::BlobStarted {
        digest: Digest::of(b"layer"),
        image: "library/nginx:1.27".to_owned(),
        size: 88 << 20,
        done: Arc::new(AtomicU64::new(38 << 20)),
    };
    app.update(Msg::Job(first, Event::Fetching { blobs: 3, bytes: 204 << 20 }));
    app.update(Msg::Job(first, blob));
    for (seconds, bytes) in [(10, 80 << 20), (12, 88 << 20)] {
        let running = Duration::from_secs(seconds);
        app.update(Msg::Samples(vec![Sample { id: first, bytes: (bytes, 204 << 20), moved: bytes, running }]));
    }
    app.update(Msg::Job(
        second,
        Event::Waiting {
            registry: "docker.io".to_owned(),
            pause: Duration::from_secs(34),
            reason: "too many requests".to_owned(),
            asked: true,
        },
    ));
    app
}

fn problem() -> Problem {
    Problem {
        message: "add ghcr.io/org/app:1: ghcr.io requires credentials".to_owned(),
        hints: vec!["Log in with `podman login ghcr.io`.".to_owned()],
        kind: Kind::Auth,
    }
}

#[test]
fn jobs_and_the_strip() {
    for (size, glyphs, of) in world::every_size() {
        let mut app = working(size, glyphs);
        insta::assert_snapshot!(format!("strip-{of}"), picture(&app));
        press(&mut app, Content::Small, "2 j");
        insta::assert_snapshot!(format!("jobs-{of}"), picture(&app));
        press(&mut app, Content::Small, "q");
        insta::assert_snapshot!(format!("leave-{of}"), picture(&app));
    }
}

#[test]
fn a_problem_stays_and_the_list_makes_room_for_it() {
    for (size, glyphs, of) in world::every_size() {
        let mut app = settled(size, glyphs, Content::Huge);
        press(&mut app, Content::Huge, "end");
        app.complain(problem());
        let effects = app.update(Msg::Changed);
        settle(&mut app, Content::Huge, effects);
        let shown = picture(&app);
        assert!(shown.contains("project-04999"), "the row under the cursor is hidden:\n{shown}");
        insta::assert_snapshot!(format!("problem-{of}"), shown);
    }
}

#[test]
fn plans() {
    let remove = RemovePlan {
        images: [("1.27", false), ("1.28", false), ("sha256-0a1b.sig", true)]
            .map(|(tag, attached)| RemovedImage::example(&format!("library/nginx:{tag}"), attached))
            .to_vec(),
        repositories: vec!["library/nginx".to_owned()],
        frees: 88 << 20,
        shared: 120 << 20,
        kept: 3 << 20,
        kept_by: vec!["bafybeibg5lk6zwocwq4x7cmjuwdpiuy4dmkzcpxvqzoi3xfz2zh2i6w6lm".to_owned()],
        shared_with: vec!["library/redis:7".to_owned()],
        shared_by: 1,
    };
    let mut gc = GcPlan::default();
    (gc.partial_files, gc.partial_bytes, gc.kept_roots, gc.kept_bytes) = (2, 12 << 20, 2, 5 << 20);
    for (size, glyphs, of) in world::every_size() {
        for (name, plan) in [("remove", Plan::Remove(remove.clone())), ("gc", Plan::Gc(gc.clone()))] {
            let mut app = settled(size, glyphs, Content::Small);
            app.plan(Request::Gc);
            insta::assert_snapshot!(format!("planning-{of}"), picture(&app));
            let ticket = app.next;
            app.update(Msg::Planned(ticket, Ok(Box::new(plan))));
            insta::assert_snapshot!(format!("plan-{name}-{of}"), picture(&app));
        }
    }
}

#[test]
fn adding() {
    for (size, glyphs, of) in world::every_size() {
        let mut app = settled(size, glyphs, Content::Small);
        press(&mut app, Content::Small, "a");
        insta::assert_snapshot!(format!("add-{of}"), picture(&app));
        press(&mut app, Content::Small, "l i b r a r y / n g i n x : 1 enter");
        insta::assert_snapshot!(format!("add-asking-{of}"), picture(&app));
    }
}

#[test]
fn damage_offers_to_repair_and_cut_jobs_are_offered() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    app.start(Box::new(Plan::Verify { repair: false }), None);
    let damage = crate::engine::query::view::Damage {
        digest: Digest::of(b"x"),
        problem: "it has other bytes".to_owned(),
        images: Vec::new(),
    };
    let verified =
        Verified { blobs: 3, bytes: 1 << 20, damaged: vec![damage], root_matches: true, ..Verified::default() };
    let job = app.jobs_begun;
    app.update(Msg::Ended(job, Ok(Outcome::Verified(verified))));
    app.problems.clear();
    insta::assert_snapshot!("repair-80x24", picture(&app));

    let mut app = settled((80, 24), &ASCII, Content::Small);
    app.update(Msg::Cut(vec![Request::Update(Vec::new())]));
    insta::assert_snapshot!("cut-80x24-ascii", picture(&app));
}

#[test]
fn too_small_says_so() {
    insta::assert_snapshot!("too-small", picture(&settled((40, 10), &UNICODE, Content::Small)));
}
