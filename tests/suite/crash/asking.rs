//! `remove` and `gc` ask on a terminal, and never without one.

use super::local::Local;
use super::says;
use super::terminal::Terminal;
use super::upstream::Upstream;

const REMOVE: [&str; 2] = ["remove", "upstream/app:1"];

/// One that has `app:1`, and a layer of a removed image to reclaim.
fn with_something_to_do() -> Local {
    let (upstream, _) = Upstream::with_app();
    upstream.put("gone", "1", &[super::random(5000, 9)]);
    let roadstead = Local::new(&upstream);
    roadstead.ok(&["add", "upstream/app:1", "upstream/gone:1"]);
    roadstead.ok(&["remove", "upstream/gone:1", "--yes"]);
    roadstead
}

fn is_there(roadstead: &Local) -> bool {
    roadstead.run(&["show", "upstream/app:1"]).code == 0
}

#[test]
fn the_answer_decides_and_no_is_the_default() {
    let roadstead = with_something_to_do();
    let questions = [(&REMOVE[..], "Remove 1 image? [y/N] "), (&["gc"][..], "Reclaim ")];
    for (words, question) in questions {
        for no in ["\r", "n\r", "yep\r"] {
            let mut terminal = Terminal::start(&roadstead.command(words));
            terminal.wait_for(question);
            terminal.wait_for("[y/N] ");
            terminal.type_in(no);
            assert_eq!(terminal.end(&["Nothing was changed."]), 130);
        }
        // ^C ends it there like any other program.
        let mut terminal = Terminal::start(&roadstead.command(words));
        terminal.wait_for("[y/N] ");
        terminal.type_in("\x03");
        assert_ne!(terminal.end(&[]), 0);
        // So does the end of what can be typed.
        let mut terminal = Terminal::start(&roadstead.command(words));
        terminal.wait_for("[y/N] ");
        terminal.type_in("\x04");
        assert_eq!(terminal.end(&["Nothing was changed."]), 130);
    }
    assert!(is_there(&roadstead));
    roadstead.run(&["gc", "--dry-run", "--fail-if-unchanged"]).success();
    for (words, done) in [(&["gc"][..], "Reclaimed "), (&REMOVE[..], "Removed 1 image ")] {
        let mut terminal = Terminal::start(&roadstead.command(words));
        terminal.wait_for("[y/N] ");
        terminal.type_in("y\r");
        assert_eq!(terminal.end(&[done]), 0);
    }
    assert!(!is_there(&roadstead));
    // The generated files of what was removed.
    roadstead.ok(&["gc", "--yes"]);
    roadstead.run(&["gc", "--dry-run", "--fail-if-unchanged"]).failure(3);
}

#[test]
fn yes_is_not_asked_and_nobody_is_asked_without_a_terminal() {
    let roadstead = with_something_to_do();
    for words in [&REMOVE[..], &["gc"]] {
        let said = roadstead.run(words).failure(2);
        says(&said, &["standard input isn't a terminal", "`--yes`", "--dry-run"]);
        let mut without_input = words.to_vec();
        without_input.push("--no-input");
        assert_eq!(Terminal::start(&roadstead.command(&without_input)).end(&["`--no-input` forbids that"]), 2);
    }
    assert!(is_there(&roadstead));
    assert_eq!(Terminal::start(&roadstead.command(&["gc", "--yes"])).end(&["Reclaimed"]), 0);
    let terminal = Terminal::start(&roadstead.command(&["--yes", REMOVE[0], REMOVE[1]]));
    assert_eq!(terminal.end(&["Removed 1 image "]), 0);
    assert!(!is_there(&roadstead));
}

/// What was shown is what is done, or nothing.
#[test]
fn a_plan_that_is_out_of_date_is_refused() {
    let roadstead = with_something_to_do();
    let mut removing = Terminal::start(&roadstead.command(&REMOVE));
    removing.wait_for("[y/N] ");
    let mut reclaiming = Terminal::start(&roadstead.command(&["gc"]));
    reclaiming.wait_for("[y/N] ");
    // A question stops nobody.
    roadstead.ok(&["remove", "upstream/app:1", "--yes", "--wait", "0"]);
    removing.type_in("y\r");
    assert_eq!(removing.end(&["app:1 changed while this was planned", "once more"]), 10);
    reclaiming.type_in("y\r");
    assert_eq!(reclaiming.end(&["the catalog changed while this was planned", "`roadstead gc` once more"]), 10);
    roadstead.ok(&["gc", "--yes"]);
}
