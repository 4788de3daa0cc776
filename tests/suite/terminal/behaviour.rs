//! What must hold on every terminal.

use super::{open, with_image};
use crate::cli::Roadstead;
use crate::peers::wait_for;
use rustix::process::Signal;

const USUAL: (u16, u16) = (80, 24);

#[test]
fn it_leaves_and_gives_the_terminal_back_and_asks_it_nothing() {
    let (roadstead, _layout) = with_image();
    let mut session = open(&roadstead, USUAL, &[]);
    session.see_selected("team/app");
    assert!(session.look(vt100::Screen::alternate_screen));
    session.type_in("q");
    assert_eq!(session.end(), 0);
    session.is_given_back();
    let raw = session.raw();
    assert!(!raw.contains("\x1b[6n"), "it asks where the cursor is");
    // Each frame is shown whole, and the last one is not held back.
    let (begun, last) = (raw.matches("\x1b[?2026h").count(), raw.rfind("\x1b[?2026l"));
    assert!(begun > 0 && last > raw.rfind("\x1b[?2026h"), "{begun} {last:?}");
}

#[test]
fn a_signal_gives_the_terminal_back_and_says_why() {
    for signal in [Signal::TERM, Signal::HUP] {
        let (roadstead, _layout) = with_image();
        let mut session = open(&roadstead, USUAL, &[]);
        session.see("team/app");
        session.signal(signal);
        assert_eq!(session.end(), 130, "{signal:?}");
        session.is_given_back();
        session.see("stopped by a signal");
    }
}

#[test]
fn the_selection_is_visible_without_colour() {
    let (roadstead, _layout) = with_image();
    let mut session = open(&roadstead, USUAL, &[("NO_COLOR", "1")]);
    session.see_selected("team/app");
    session.type_in("j");
    session.see_selected("team/second");
    let raw = session.raw();
    // What is set back to the terminal's own colour (39, 49) is no colour.
    let colours = (0..8)
        .flat_map(|colour| [format!("\x1b[3{colour}m"), format!("\x1b[9{colour}m"), format!("\x1b[38;5;{colour}m")]);
    let found: Vec<String> = colours.chain(["\x1b[;m".to_owned()]).filter(|bytes| raw.contains(bytes)).collect();
    assert!(found.is_empty(), "colour, or a stray reset: {found:?}");
    session.type_in("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn colour_that_is_asked_for_leaves_the_selection_visible_whatever_the_environment_says() {
    let (roadstead, _layout) = with_image();
    let mut command = roadstead.command(&["--color", "always"]);
    command.env("TERM", "xterm-256color").env("NO_COLOR", "1");
    let mut session = super::Session::start(&command, USUAL);
    session.see_selected("team/app");
    session.type_in("j");
    session.see_selected("team/second");
    assert!(session.raw().contains("\x1b[38;5;"), "no colour, although it was asked for");
    session.type_in("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn a_panicking_worker_is_a_failed_job_and_the_screen_lives() {
    let (roadstead, _layout) = with_image();
    let mut session = open(&roadstead, USUAL, &[("ROADSTEAD_TEST_PANIC", "worker")]);
    session.see("team/app");
    session.type_in("V");
    session.see("Check everything that is stored?");
    session.type_in("\r");
    session.see("a bug in this program");
    assert!(session.look(vt100::Screen::alternate_screen), "it lost its screen");
    session.type_in("2");
    session.see("failed");
    session.type_in("q");
    assert_eq!(session.end(), 0);
    session.is_given_back();
}

#[test]
fn a_panicking_interface_gives_the_terminal_back_and_fails() {
    let (roadstead, _layout) = with_image();
    let mut session = open(&roadstead, USUAL, &[("ROADSTEAD_TEST_PANIC", "interface")]);
    session.see("team/app");
    session.type_in("j");
    assert_ne!(session.end(), 0, "a crash must not look like success");
    session.is_given_back();
    session.see("as asked");
}

#[test]
fn it_stops_and_goes_on() {
    let (roadstead, _layout) = with_image();
    let mut session = open(&roadstead, USUAL, &[]);
    session.see("team/app");
    session.type_in("\x1a");
    wait_for("it to be stopped", || session.text(), || session.is_stopped().then_some(()));
    session.is_given_back();
    session.signal(Signal::CONT);
    session.wait("its screen", vt100::Screen::alternate_screen);
    session.see("team/app");
    session.type_in("j");
    session.see_selected("team/second");
    session.type_in("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn a_paste_is_text() {
    let (roadstead, _layout) = with_image();
    let mut session = open(&roadstead, USUAL, &[]);
    session.see("team/app");
    session.paste("qqq\nd\ny");
    session.see("> qqq d y");
    session.type_in("\x1b");
    session.see_no("> qqq d y");
    session.type_in("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn it_survives_every_size() {
    let (roadstead, _layout) = with_image();
    let mut session = open(&roadstead, USUAL, &[]);
    session.see("team/app");
    for (size, sign) in [((40, 10), "too small"), ((1, 1), ""), ((200, 60), "team/app"), (USUAL, "team/app")] {
        session.resize(size);
        session.see(sign);
    }
    session.type_in("j");
    session.see_selected("team/second");
    session.type_in("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn it_copies_through_the_terminal() {
    let (roadstead, _layout) = with_image();
    let mut session = open(&roadstead, USUAL, &[]);
    session.see_selected("team/app");
    session.type_in("y");
    session.see("Copied team/app");
    // `team/app` in base64.
    assert!(session.raw().contains("\x1b]52;c;dGVhbS9hcHA="), "no OSC 52");
    session.type_in("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn removing_asks_enter_keeps_and_undo_brings_back() {
    let (roadstead, _layout) = with_image();
    let mut session = open(&roadstead, USUAL, &[]);
    session.see_selected("team/app");
    session.type_in("d");
    session.see("Remove 1 image?");
    session.type_in("\r");
    session.see_no("Remove 1 image?");
    session.see("team/app");
    session.type_in("d");
    session.see("Remove 1 image?");
    session.type_in("y");
    session.see_selected("team/second");
    session.type_in("u");
    session.see("Undo `remove");
    session.type_in("\r");
    session.see("undo remove");
    session.type_in("g");
    session.see_selected("team/app");
    session.type_in("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn a_first_run_shows_the_way_and_another_process_is_followed() {
    let (_, layout) = with_image();
    let roadstead = Roadstead::new();
    let mut session = open(&roadstead, USUAL, &[]);
    session.see("No images yet.");
    session.see("images go to");
    roadstead.ok(&["add", &format!("oci:{}:1", layout.path().display()), "--as", "team/third:1"]);
    session.see("team/third");
    session.type_in("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn an_image_is_added_with_its_plan_in_sight() {
    let (_, layout) = with_image();
    let roadstead = Roadstead::new();
    let mut session = open(&roadstead, USUAL, &[]);
    session.see("No images yet.");
    session.type_in(&format!("aoci:{}:1", layout.path().display()));
    session.see("contains no name");
    session.type_in(" --as team/app:1");
    session.see("to fetch");
    session.type_in("\r");
    session.see("1 image added");
    session.type_in("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn without_utf8_it_is_ascii() {
    let (roadstead, _layout) = with_image();
    let mut session = open(&roadstead, USUAL, &[("LANG", "C"), ("LC_ALL", "C")]);
    session.see("team/app");
    assert!(session.text().is_ascii(), "{}", session.text());
    session.type_in("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn the_demo_opens_on_its_own_data() {
    let roadstead = Roadstead::new();
    let mut command = roadstead.command(&["demo", "--tui"]);
    command.env("TERM", "xterm-256color");
    let mut session = super::Session::start(&command, (120, 40));
    session.see("shop/web");
    session.see("outdated");
    session.type_in("q");
    assert_eq!(session.end(), 0);
    session.is_given_back();
    assert!(!roadstead.path("registry").exists(), "it touches nothing of the user's");
}
