//! The mouse in dialogs, by what is drawn: a click goes where the text is.

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::super::app::App;
use super::super::describe::Role;
use super::super::dialog::Dialog;
use super::super::dialog::add::Known;
use super::super::dialog::platforms::Tick;
use super::super::effect::Effect;
use super::super::glyphs::UNICODE;
use super::super::message::Msg;
use super::super::work::{Plan, Request};
use super::world::{Content, picture, press, settle, settled};
use crate::engine::plan::RemovePlan;

fn mouse(app: &mut App, kind: MouseEventKind, column: u16, row: u16) -> Vec<Effect> {
    let effects = app.update(Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
    settle(app, Content::Small, effects)
}

/// Clicks the first place where this text is drawn.
#[track_caller]
fn click(app: &mut App, text: &str) -> Vec<Effect> {
    let shown = picture(app);
    let found = shown.lines().enumerate().find_map(|(row, line)| {
        let at = line.find(text)?;
        Some((unicode_width::UnicodeWidthStr::width(&line[..at]), row))
    });
    let (column, row) = found.unwrap_or_else(|| panic!("no `{text}` in\n{shown}"));
    mouse(app, MouseEventKind::Down(MouseButton::Left), column.try_into().unwrap(), row.try_into().unwrap())
}

fn scroll(app: &mut App, kind: MouseEventKind) {
    mouse(app, kind, 40, 12);
}

/// A dialog that asks whether to remove something.
fn removing(size: (u16, u16)) -> App {
    let mut app = settled(size, &UNICODE, Content::Small);
    app.plan(Request::Gc);
    let plan = RemovePlan {
        repositories: (0..60).map(|number| format!("team/app-{number}")).collect(),
        ..RemovePlan::default()
    };
    let ticket = app.next;
    app.update(Msg::Planned(ticket, Ok(Box::new(Plan::Remove(plan)))));
    app
}

#[test]
fn keys_that_are_shown_are_buttons() {
    for size in [(80, 24), (120, 40), (200, 60)] {
        let mut app = removing(size);
        assert!(click(&mut app, "keep everything").is_empty() && app.dialogs.is_empty());
        let mut app = removing(size);
        let effects = click(&mut app, "y remove");
        assert!(effects.iter().any(|effect| matches!(effect, Effect::Start(..))), "{effects:?}");
        let mut app = settled(size, &UNICODE, Content::Small);
        app.start(Box::new(Plan::Verify { repair: false }), None);
        press(&mut app, Content::Small, "q");
        let effects = click(&mut app, "f finish");
        assert!(matches!(effects.as_slice(), [Effect::Quit { finish: true }]), "{effects:?}");
    }
}

#[test]
fn a_click_beside_a_dialog_closes_it_where_nothing_is_lost() {
    let corner = |app: &mut App| mouse(app, MouseEventKind::Down(MouseButton::Left), 0, 3);
    let mut app = removing((80, 24));
    assert!(corner(&mut app).is_empty() && app.dialogs.is_empty(), "everything is kept");
    for keys in ["?", ":", "j enter Y", "a", "/ n"] {
        let mut app = settled((80, 24), &UNICODE, Content::Small);
        press(&mut app, Content::Small, keys);
        corner(&mut app);
        assert!(app.dialogs.is_empty(), "{keys}");
        assert_eq!(app.images.filter(), if keys == "/ n" { "n" } else { "" });
    }
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    press(&mut app, Content::Small, "a n g");
    corner(&mut app);
    assert!(matches!(app.dialogs.last(), Some(Dialog::Add(_))), "what was typed stays");
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    app.update(Msg::Cut(vec![Request::Update(Vec::new())]));
    corner(&mut app);
    assert_eq!(app.dialogs.len(), 1, "what comes once stays");
}

#[test]
fn rows_are_chosen_and_the_wheel_goes_through_them() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    press(&mut app, Content::Small, "j enter Y");
    let effects = click(&mut app, "digest:");
    assert!(matches!(effects.as_slice(), [Effect::Copy(text)] if text.starts_with("sha256:")), "{effects:?}");

    press(&mut app, Content::Small, "?");
    scroll(&mut app, MouseEventKind::ScrollDown);
    let Some(Dialog::Palette(palette)) = app.dialogs.last() else { panic!("{:?}", app.dialogs) };
    assert_eq!(palette.cursor, 3);
    click(&mut app, "Mark the row");
    assert_eq!((app.dialogs.len(), app.images.marked().0), (1, 0), "the first click says what it does");
    click(&mut app, "Mark the row");
    assert_eq!((app.dialogs.len(), app.images.marked().0), (0, 1));
}

#[test]
fn long_dialogs_are_scrolled_by_the_wheel() {
    let mut app = removing((80, 24));
    let before = picture(&app);
    scroll(&mut app, MouseEventKind::ScrollDown);
    let after = picture(&app);
    assert!(before.contains("no disk space"), "{before}");
    assert!(!after.contains("no disk space") && after.contains("more below"), "{after}");
    scroll(&mut app, MouseEventKind::ScrollUp);
    assert_eq!(picture(&app), before);
    app.dialogs.clear();
    let rows = (0..60).map(|number| (Role::Text, format!("line {number}"))).collect();
    app.dialogs.push(Dialog::Message { title: "Log".to_owned(), rows, scroll: 0 });
    scroll(&mut app, MouseEventKind::ScrollDown);
    assert!(picture(&app).contains("line 3") && !picture(&app).contains("line 2 "));
}

#[test]
fn a_platform_is_taken_by_a_click() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    press(&mut app, Content::Small, "a n g i n x");
    let Some(Dialog::Add(add)) = app.dialogs.last_mut() else { panic!() };
    add.known = Known::Nothing;
    add.platforms.rows = vec![("linux/amd64".into(), Tick::On), ("linux/arm64".into(), Tick::Off)];
    let effects = click(&mut app, "[ ] linux/arm64");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Plan(..))), "{effects:?}");
    assert!(picture(&app).contains("[x] linux/arm64"), "{}", picture(&app));
}

#[test]
fn a_field_of_a_form_is_gone_to_by_a_click() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    press(&mut app, Content::Small, "3 n");
    let field = |app: &App| match app.dialogs.last() {
        Some(Dialog::Form(form)) => form.focus,
        other => panic!("{other:?}"),
    };
    assert_eq!(field(&app), 0);
    let row = picture(&app).lines().position(|line| line.contains("New target")).unwrap() + 3;
    mouse(&mut app, MouseEventKind::Down(MouseButton::Left), 20, row.try_into().unwrap());
    // What has no address takes no credentials, and is asked for none.
    assert_eq!(field(&app), 9, "{}", picture(&app));
    click(&mut app, "tab next");
    assert_eq!(field(&app), 10);
}

#[test]
fn an_option_is_chosen_where_it_is_drawn() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    press(&mut app, Content::Small, "a l i b r a r y / n g i n x enter");
    click(&mut app, "manifests of all");
    click(&mut app, "plain HTTP");
    let Some(Dialog::Add(add)) = app.dialogs.last() else { panic!() };
    assert!(add.all_manifests && add.insecure == Some(true));
    click(&mut app, "plain HTTP");
    let Some(Dialog::Add(add)) = app.dialogs.last() else { panic!() };
    assert_eq!(add.insecure, Some(false));
}
