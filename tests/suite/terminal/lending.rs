//! The terminal while something else has it: a pager. Its keys are its own, and afterwards everything is as before.

use super::session::Session;
use super::{open, with_image};
use crate::cli::Roadstead;

/// A pager that says which keys it gets, until it gets `q`. It is busy until there is a file beside it.
const PAGER: &str = r#"#!/bin/sh
cat >/dev/null
saved=$(stty -g </dev/tty)
stty -icanon -echo min 1 time 0 </dev/tty
printf 'PAGER READY\r\n' >/dev/tty
while [ ! -e "$0.go" ]; do sleep 0.1; done
while key=$(dd bs=1 count=1 2>/dev/null </dev/tty); do
    printf 'PAGER GOT %s\r\n' "$key" >/dev/tty
    [ "$key" = q ] && break
done
stty "$saved" </dev/tty
"#;

/// Lets the pager read keys.
fn go(roadstead: &Roadstead) {
    std::fs::write(roadstead.path("pager.go"), "").expect("a file");
}

/// A pager in a file of its own.
fn pager(roadstead: &Roadstead) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let path = roadstead.path("pager");
    std::fs::write(&path, PAGER).expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a file");
    path.display().to_string()
}

/// The details of an image in the pager.
fn in_pager(session: &mut Session) {
    session.see_selected("team/app");
    session.type_in("\r");
    session.see("TAG");
    // The rows come after the header: a key before that opens nothing.
    session.see_selected("linux/amd64");
    session.type_in("\r");
    session.see("platforms");
    session.type_in("o");
}

#[test]
fn keys_are_the_pagers_and_then_the_programs_again() {
    let (roadstead, _layout) = with_image();
    let mut session = open(&roadstead, (80, 24), &[("PAGER", &pager(&roadstead))]);
    in_pager(&mut session);
    session.see("PAGER READY");
    session.is_given_back();
    // What is typed while the pager is busy waits for it: whoever else read the terminal would take it.
    session.type_in("X");
    go(&roadstead);
    session.see("PAGER GOT X");
    for key in "abcdefghijklmnoprstuvwxyz0123456789".chars() {
        session.type_in(&key.to_string());
        session.see(&format!("PAGER GOT {key}"));
    }
    session.type_in("q");
    session.see_no("PAGER");
    session.see("platforms");
    assert!(session.look(vt100::Screen::alternate_screen) && session.look(vt100::Screen::bracketed_paste));
    session.type_in("\x1b\x1b");
    session.see("TAG");
    session.type_in("\x1b");
    session.see_selected("team/app");
    session.type_in("j");
    session.see_selected("team/second");
    session.type_in("q");
    assert_eq!(session.end(), 0);
    session.is_given_back();
}

#[test]
fn a_size_that_changes_while_the_pager_runs_is_seen_afterwards() {
    let (roadstead, _layout) = with_image();
    let mut session = open(&roadstead, (80, 24), &[("PAGER", &pager(&roadstead))]);
    in_pager(&mut session);
    session.see("PAGER READY");
    session.resize((130, 40));
    go(&roadstead);
    session.type_in("q");
    session.see_no("PAGER");
    // The footer is in the last row of the new size, and the tags are beside the details.
    session.wait("the new size", |screen| {
        let rows: Vec<String> = screen.rows(0, 130).collect();
        rows.len() == 40
            && rows[39].contains("q quit")
            && screen.contents().contains("platforms")
            && rows[2].contains("TAG")
    });
    session.type_in("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn an_interrupt_of_the_pager_is_the_pagers() {
    let (roadstead, _layout) = with_image();
    let mut session = open(&roadstead, (80, 24), &[("PAGER", "less -X"), ("LESS", "")]);
    in_pager(&mut session);
    // Lines are lines, and nothing of them is raw.
    session.wait("the document", |screen| screen.contents().contains("team/app:1\n\nImage\n  published no: "));
    // ^C goes to all that runs on the terminal; who lent it does not end by that.
    session.signal(rustix::process::Signal::INT);
    session.type_in("G");
    session.see("(END)");
    session.type_in("q");
    session.see_no("(END)");
    session.see("platforms");
    session.wait("its screen", vt100::Screen::alternate_screen);
    session.signal(rustix::process::Signal::INT);
    assert_eq!(session.end(), 130, "it is the program's own now");
    session.is_given_back();
}

#[test]
fn a_pager_that_is_not_there_is_a_problem_and_no_end() {
    let (roadstead, _layout) = with_image();
    let mut session = open(&roadstead, (80, 24), &[("PAGER", "no-such-pager")]);
    in_pager(&mut session);
    session.see("can't show it in the pager");
    session.type_in("q");
    assert_eq!(session.end(), 0);
    session.is_given_back();
}

#[test]
fn lines_that_were_typed_and_the_order_come_back_at_the_next_start() {
    let (roadstead, _layout) = with_image();
    let mut session = open(&roadstead, (80, 24), &[]);
    session.see_selected("team/app");
    session.type_in("s");
    // The cursor stays on its row, which is the last one now.
    session.see("REPOSITORY ▾");
    session.see_selected("team/app");
    session.type_in(":verify --repair\r");
    session.see("fetch damaged blobs again?");
    session.type_in("\x1b");
    session.see_no("fetch damaged blobs again?");
    session.type_in("q");
    assert_eq!(session.end(), 0);
    let mut session = open(&roadstead, (80, 24), &[]);
    session.see_selected("team/second");
    session.type_in(":\x1b[A");
    session.see(": verify --repair");
    session.type_in("\x1b");
    session.see_no(": verify --repair");
    session.type_in("q");
    assert_eq!(session.end(), 0);
}

/// What one face can do, the other can: a verb without a way of its own in the interface is carried out as itself.
#[test]
fn any_verb_of_the_command_line_is_carried_out_on_the_terminal() {
    let (roadstead, _layout) = with_image();
    let mut session = open(&roadstead, (80, 24), &[]);
    session.see("team/app");
    let directory = roadstead.path("tree");
    session.type_in(&format!(":export {}\r", directory.display()));
    // What was said before stays on the screen that is lent, so each is waited for by its name.
    session.see("`export` is done. Press Enter to return to the interface");
    session.is_given_back();
    assert!(directory.join("v2").is_dir());
    session.type_in("\r");
    session.see_selected("team/app");
    // One that fails says so, and the interface lives.
    session.type_in(":show no-such/image\r");
    session.see("`show` ended with");
    session.see("there is no repository");
    session.type_in("\r");
    session.see_selected("team/app");
    // What another process changes is followed.
    session.type_in(":remove team/second --yes\r");
    session.see("`remove` is done.");
    session.type_in("\r");
    session.see("Repositories 1");
    session.see_selected("team/app");
    session.type_in("q");
    assert_eq!(session.end(), 0);
}
