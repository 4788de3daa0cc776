//! The terminal interface with jobs under way: leaving asks, a kill loses nothing, what was cut is offered again.

use super::local::Local;
use super::upstream::{Held, Upstream};
use crate::terminal::session::Session;
use rustix::process::Signal;

/// An interface that fetches an image whose second layer is held back.
fn fetching() -> (Upstream, [String; 2], Held, Local, Session) {
    let (upstream, layers) = Upstream::with_app();
    let held = upstream.hold(&layers[1], 700_000);
    let local = Local::new(&upstream);
    let mut session = open(&local);
    session.see("No images yet.");
    session.type_in(&format!("a{}/app:1", local.host));
    session.see("to fetch");
    session.type_in("\r");
    session.see_no("Add images");
    session.see(" %");
    (upstream, layers, held, local, session)
}

pub(super) fn open(local: &Local) -> Session {
    let mut command = local.command(&[]);
    command.env("TERM", "xterm-256color");
    Session::start(&command, (80, 24))
}

fn is_there(local: &Local) -> bool {
    local.run(&["show", "upstream/app:1"]).code == 0
}

#[test]
fn a_kill_loses_nothing_and_what_was_cut_is_offered_again() {
    let (upstream, layers, held, local, mut session) = fetching();
    // All that was sent is written down.
    session.see("58 %");
    session.signal(Signal::KILL);
    session.end();
    assert!(!is_there(&local));

    let mut session = open(&local);
    session.see("Resume these interrupted jobs?");
    session.see("app:1");
    held.release();
    session.type_in("\r");
    session.see("Add 1 image?");
    session.type_in("\r");
    session.see("1 image added");
    session.type_in("q");
    assert_eq!(session.end(), 0);
    assert!(is_there(&local));
    assert!(upstream.asked(&layers[1]).iter().any(|from| *from > 0), "it began anew: {:?}", upstream.asked(&layers[1]));

    // Once is enough.
    let mut session = open(&local);
    session.see("app");
    session.type_in("q");
    assert_eq!(session.end(), 0);
    assert!(!session.raw().contains("Resume these interrupted jobs?"));
}

#[test]
fn leaving_asks_and_finishing_finishes() {
    let (_upstream, _layers, held, local, mut session) = fetching();
    session.type_in("q");
    session.see("1 job is running.");
    session.type_in("\x1b");
    session.see_no("Leave?");
    session.type_in("q");
    session.see("Leave?");
    session.type_in("f");
    held.release();
    assert_eq!(session.end(), 0);
    session.is_given_back();
    assert!(is_there(&local));
}

#[test]
fn cancelling_while_leaving_is_offered_again_and_can_be_forgotten() {
    let (_upstream, _layers, _held, local, mut session) = fetching();
    session.type_in("q");
    session.see("Leave?");
    session.type_in("c");
    assert_eq!(session.end(), 0);
    let mut session = open(&local);
    session.see("Resume these interrupted jobs?");
    session.type_in("\x1b");
    // What lies behind is in sight already, and a key right behind Esc is another one.
    session.see_no("Resume these interrupted jobs?");
    session.see("No images yet.");
    session.type_in("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn a_signal_stops_jobs_and_says_so() {
    let (_upstream, _layers, _held, local, mut session) = fetching();
    session.signal(Signal::TERM);
    assert_eq!(session.end(), 130);
    session.is_given_back();
    session.see("offered again at the next start");
    let mut session = open(&local);
    session.see("Resume these interrupted jobs?");
    session.type_in("\x1b");
    session.see_no("Resume these interrupted jobs?");
    session.type_in("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn a_job_can_be_cancelled_and_started_again() {
    let (_upstream, _layers, held, local, mut session) = fetching();
    session.type_in("2");
    session.see("running");
    session.type_in("x");
    session.see("cancelled");
    held.release();
    session.type_in("t");
    session.see("Add 1 image?");
    session.type_in("\r");
    session.see("1 image added");
    session.type_in("q");
    assert_eq!(session.end(), 0);
    assert!(is_there(&local));
}
