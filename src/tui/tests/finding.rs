//! Filters and searches, and going from match to match.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::app::{App, Tab};
use super::super::command::Command;
use super::super::dialog::Dialog;
use super::super::effect::Effect;
use super::super::glyphs::{ASCII, UNICODE};
use super::super::message::Msg;
use super::super::question::{Answer, Question};
use super::super::state::images::Level;
use super::super::state::log::{Level as LogLevel, Line};
use super::world::{Content, picture, press, settle, settled};
use crate::engine::query::browse::TreeRow;

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
        press(&mut app, Content::Small, "j enter enter / U N I Q U E");
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
fn a_filter_finds_letters_of_words_and_esc_stays_on_what_was_found() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    let under = |app: &App| app.images.current().map(|row| row.name.clone());
    press(&mut app, Content::Small, "/ r t space p r v");
    assert_eq!(under(&app).as_deref(), Some("registry.example/team/private"));
    assert_eq!(app.images.repositories.window.total(), 1);
    press(&mut app, Content::Small, "esc");
    assert_eq!((under(&app).as_deref(), app.dialogs.len()), (Some("registry.example/team/private"), 0));
    assert_eq!((app.images.filter(), app.images.repositories.window.total()), ("", 4));
    // The same from the list, after enter.
    press(&mut app, Content::Small, "g / a l p enter esc");
    assert_eq!((under(&app).as_deref(), app.images.filter()), (Some("library/alpine"), ""));
    // With nothing found, esc goes back to where the search began.
    press(&mut app, Content::Small, "j / x x x");
    assert_eq!(under(&app), None);
    press(&mut app, Content::Small, "esc");
    assert_eq!(under(&app).as_deref(), Some("library/nginx"));
}

#[test]
fn states_are_words_too_and_a_wrong_one_is_told_while_the_rest_is_found() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    let shown = |app: &App| {
        app.images
            .repositories
            .window
            .loaded()
            .iter()
            .filter_map(TreeRow::repository)
            .map(|row| row.name.clone())
            .collect::<Vec<_>>()
    };
    press(&mut app, Content::Small, "/ : o u");
    assert!(picture(&app).contains("tab :outdated"), "{}", picture(&app));
    assert_eq!(shown(&app).len(), 4, "half a state hides nothing");
    press(&mut app, Content::Small, "tab");
    assert_eq!(shown(&app), ["ghcr.io/org/app"]);
    press(&mut app, Content::Small, "esc / l i b space : o u t d a t d");
    assert_eq!(shown(&app), ["library/alpine", "library/nginx"]);
    assert!(picture(&app).contains("no state `:outdatd`; did you mean `:outdated`?"), "{}", picture(&app));
}

#[test]
fn panes_keep_their_widths_while_something_is_typed_and_show_nothing_stale() {
    for size in [(120, 40), (200, 60)] {
        let mut app = settled(size, &UNICODE, Content::Long);
        let borders = |app: &App| -> Vec<usize> {
            let line = picture(app).lines().nth(5).unwrap_or_default().to_owned();
            line.chars().enumerate().filter(|(_, letter)| *letter == '│').map(|(place, _)| place).collect()
        };
        let before = borders(&app);
        assert_eq!(before.len(), 4);
        for keys in ["/", "c a r t", "x x", "esc"] {
            press(&mut app, Content::Long, keys);
            assert_eq!(borders(&app), before, "{size:?} after {keys}");
        }
        press(&mut app, Content::Long, "/ x x");
        assert_eq!((app.images.repository.as_deref(), picture(&app).contains("nightly")), (None, false));
        press(&mut app, Content::Long, "esc enter / x x");
        assert!(app.images.details.is_none() && !picture(&app).contains("sha256:"), "{}", picture(&app));
    }
}

#[test]
fn what_matches_best_comes_first_unless_another_order_was_chosen() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    press(&mut app, Content::Small, "j enter / a l p");
    assert_eq!(app.images.tags.window.current().and_then(|row| row.tag.clone()).as_deref(), Some("1.27-alpine"));
    assert_eq!(app.images.tags.sorted(), None);
    assert!(!picture(&app).contains(UNICODE.up), "no column is what it is sorted by");
    press(&mut app, Content::Small, "enter >");
    assert!(app.images.tags.sorted().is_some());
}

#[test]
fn anything_is_gone_to_from_anywhere() {
    let mut app = settled((120, 40), &UNICODE, Content::Small);
    press(&mut app, Content::Small, "/ a l p enter 4 ctrl-p n g i n x 1 2 7 enter");
    assert_eq!((app.tab, app.images.level, app.dialogs.len()), (Tab::Images, Level::Tags, 0));
    assert_eq!((app.images.repository.as_deref(), app.images.filter()), (Some("library/nginx"), ""));
    assert_eq!(app.images.tags.window.current().and_then(|row| row.tag.clone()).as_deref(), Some("1.27"));
    press(&mut app, Content::Small, "esc");
    let under = app.images.current().map(|row| row.name.clone());
    assert_eq!(under.as_deref(), Some("library/nginx"), "the list behind it is there, too");
    press(&mut app, Content::Small, "ctrl-p p r i v a t e");
    let Some(Dialog::Jump(jump)) = app.dialogs.last() else { panic!("no dialog") };
    assert_eq!(jump.found[0].kind.word(), "repository");
    press(&mut app, Content::Small, "enter");
    let under = app.images.current().map(|row| row.name.clone());
    assert_eq!((app.images.level, under.as_deref()), (Level::Repositories, Some("registry.example/team/private")));
}

#[test]
fn only_the_newest_answer_counts_and_enter_waits_for_it() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    press(&mut app, Content::Small, "ctrl-p n g");
    let Some(Dialog::Jump(jump)) = app.dialogs.last() else { panic!("no dialog") };
    let found = jump.found.len();
    assert!(found > 0);
    // Not answered yet.
    let letter = KeyEvent::new(KeyCode::Char('x'), KeyModifiers::NONE);
    let asked = app.update(Msg::Key(letter));
    assert!(matches!(asked.as_slice(), [Effect::Ask(_, Question::Find(text))] if text == "ngx"));
    press(&mut app, Content::Small, "enter");
    assert_eq!(app.dialogs.len(), 1, "what is under the cursor was found by something else");
    app.update(Msg::Answer(0, Box::new(Answer::Found("ng".to_owned(), Vec::new()))));
    let Some(Dialog::Jump(jump)) = app.dialogs.last() else { panic!("no dialog") };
    assert_eq!(jump.found.len(), found, "an older answer is dropped");
    settle(&mut app, Content::Small, asked);
    press(&mut app, Content::Small, "enter");
    assert!(app.dialogs.is_empty());
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
