//! Filters and searches, and going from match to match.

use super::super::app::Tab;
use super::super::command::Command;
use super::super::glyphs::{ASCII, UNICODE};
use super::super::state::images::Level;
use super::super::state::log::{Level as LogLevel, Line};
use super::world::{Content, picture, press, settled};

#[test]
fn n_goes_round_the_rows_that_the_filter_shows() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    press(&mut app, Content::Small, "n");
    assert!(picture(&app).contains("no search yet"), "{}", picture(&app));
    press(&mut app, Content::Small, "/ l i b r a r y enter n");
    assert_eq!((app.images.repositories.window.total(), app.images.repositories.window.cursor()), (2, 1));
    assert!(picture(&app).contains("match 2 of 2 for `library`"), "{}", picture(&app));
    press(&mut app, Content::Small, "n");
    assert_eq!(app.images.repositories.window.cursor(), 0);
    press(&mut app, Content::Small, "N");
    assert_eq!(app.images.repositories.window.cursor(), 1);
    press(&mut app, Content::Small, "esc");
    assert!(app.images.filter().is_empty());
}

#[test]
fn details_are_searched_and_esc_ends_that_first() {
    for (glyphs, name) in [(&UNICODE, "search-80x24"), (&ASCII, "search-80x24-ascii")] {
        let mut app = settled((80, 24), glyphs, Content::Small);
        press(&mut app, Content::Small, "j enter enter / H I S T O");
        assert!(app.images.scroll > 0, "it is found while it is typed");
        let first = app.images.found;
        press(&mut app, Content::Small, "enter n");
        assert!(app.images.found > first);
        insta::assert_snapshot!(name, picture(&app));
        press(&mut app, Content::Small, "n");
        assert_eq!(app.images.found, first, "round the end");
        press(&mut app, Content::Small, "N N");
        assert_eq!(app.images.found, first);
        press(&mut app, Content::Small, "esc");
        assert_eq!((app.images.search.as_str(), app.images.level), ("", Level::Details));
        press(&mut app, Content::Small, "esc");
        assert_eq!(app.images.level, Level::Tags);
        press(&mut app, Content::Small, "enter / n o - s u c h enter n");
        assert!(picture(&app).contains("nothing contains `no-such`"));
    }
}

#[test]
fn the_log_goes_from_match_to_match_too() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    for text in ["one a", "two b", "three a", "four b"] {
        app.log.push(Line { at: "12:00:00".into(), level: LogLevel::Info, job: None, text: text.into() });
    }
    press(&mut app, Content::Small, "5 / space b enter n");
    assert_eq!(app.log.current().unwrap().text, "two b");
    press(&mut app, Content::Small, "N");
    assert_eq!(app.log.current().unwrap().text, "four b");
}

#[test]
fn a_first_run_has_its_own_commands() {
    let mut app = settled((80, 24), &UNICODE, Content::Empty);
    let shown: Vec<Command> = app.footer().into_iter().map(|(command, _)| command).collect();
    assert!(!shown.contains(&Command::Remove) && !shown.contains(&Command::Filter), "{shown:?}");
    press(&mut app, Content::Empty, "n");
    assert_eq!((app.tab, app.dialogs.len()), (Tab::Publish, 1), "a form for the first target");
}
