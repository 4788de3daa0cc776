//! The menu of a row, and what is seen behind a dialog.

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

use super::super::app::App;
use super::super::command::{Command, TABLE, Topic};
use super::super::dialog::Dialog;
use super::super::effect::Effect;
use super::super::glyphs::UNICODE;
use super::super::message::Msg;
use super::super::problem::Problem;
use super::super::theme::{self, Theme};
use super::super::view;
use super::super::work::{Plan, Request};
use super::world::{Content, picture, press, settle, settled};
use crate::engine::plan::RemovePlan;
use crate::error::Kind;

fn buffer(app: &App) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(app.size.0, app.size.1)).unwrap();
    terminal.draw(|frame| view::draw(app, frame)).unwrap();
    terminal.backend().buffer().clone()
}

/// Commands of the menu that is open.
fn offered(app: &App) -> Vec<Command> {
    let Some(Dialog::Actions(menu)) = app.dialogs.last() else { panic!("{:?}", app.dialogs) };
    menu.all.iter().map(|action| action.entry.command).collect()
}

#[test]
fn a_menu_has_what_can_be_done_with_the_row_and_does_it() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    press(&mut app, Content::Small, "j m");
    let commands = offered(&app);
    assert!(commands.contains(&Command::Remove) && commands.contains(&Command::Allow), "{commands:?}");
    assert!(!commands.iter().any(|command| command.entry().topic() != Topic::Row), "{commands:?}");
    assert!(!commands.contains(&Command::Rollback) && !commands.contains(&Command::Browse), "{commands:?}");
    assert!(picture(&app).contains("┌ library/nginx ─"), "{}", picture(&app));
    // The first one is what Enter does without the menu.
    press(&mut app, Content::Small, "enter");
    assert!(app.dialogs.is_empty() && app.images.repository.as_deref() == Some("library/nginx"));
    press(&mut app, Content::Small, "m d");
    assert!(matches!(app.dialogs.last(), Some(Dialog::Planning { request: Request::Remove(_), .. })));
    app.dialogs.clear();
    press(&mut app, Content::Small, "space space m");
    assert!(picture(&app).contains("2 marked rows"), "{}", picture(&app));
    press(&mut app, Content::Small, "m");
    assert!(app.dialogs.is_empty(), "the key that opened it closes it");
}

#[test]
fn a_command_of_a_menu_is_chosen_by_a_click() {
    let mut app = settled((120, 40), &UNICODE, Content::Small);
    press(&mut app, Content::Small, "j enter m");
    let shown = picture(&app);
    let (row, line) = shown.lines().enumerate().find(|(_, line)| line.contains(" y      ")).unwrap();
    let column = unicode_width::UnicodeWidthStr::width(&line[..line.find(" y      ").unwrap()]) + 2;
    let (column, row) = (u16::try_from(column).unwrap(), u16::try_from(row).unwrap());
    let kind = MouseEventKind::Down(MouseButton::Left);
    let effects = app.update(Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
    let effects = settle(&mut app, Content::Small, effects);
    assert!(matches!(effects.as_slice(), [Effect::Copy(_)]) && app.dialogs.is_empty(), "{effects:?}\n{shown}");
}

#[test]
fn a_menu_offers_only_what_is_allowed_and_says_where_there_is_nothing() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    app.read_only = Some("it only looks");
    press(&mut app, Content::Small, "m");
    let commands = offered(&app);
    assert!(!commands.is_empty() && !commands.iter().any(|command| command.changes()), "{commands:?}");
    press(&mut app, Content::Small, "esc 2 m");
    assert!(app.dialogs.is_empty() && picture(&app).contains("nothing under the cursor"), "{}", picture(&app));
}

#[test]
fn every_command_of_a_row_is_in_a_menu_and_every_topic_has_commands() {
    for entry in TABLE.iter().filter(|entry| entry.topic() == Topic::Row) {
        assert!(entry.command == Command::Cancel || !entry.needs_no_row(), "{} is about no row", entry.id);
    }
    for topic in [Topic::Row, Topic::Shown, Topic::Registry, Topic::Views, Topic::Moving, Topic::Program] {
        assert!(TABLE.iter().any(|entry| entry.topic() == topic), "{topic:?}");
    }
}

#[test]
fn what_lies_behind_a_dialog_fades_and_what_failed_does_not() {
    for name in theme::NAMES {
        let mut app = settled((80, 24), &UNICODE, Content::Small);
        app.look.theme = Theme::named(name).unwrap();
        app.problems.push(Problem { message: "lost".to_owned(), hints: Vec::new(), kind: Kind::Network });
        let before = buffer(&app);
        assert!(before[(5, 3)].modifier.contains(Modifier::REVERSED), "{name}: the row under the cursor");
        app.dialogs.push(Dialog::Leave);
        let after = buffer(&app);
        let faint = app.look.theme.line;
        // The head, the row under the cursor, the frame of the view, the keys.
        for place in [(2, 0), (5, 3), (0, 1), (1, 23)] {
            let cell = &after[place];
            assert_eq!(cell.symbol(), before[place].symbol(), "{name} {place:?}");
            assert_eq!((cell.fg, cell.modifier), (faint.fg.unwrap_or(Color::Reset), faint.add_modifier), "{name}");
        }
        assert_eq!(after[(3, 22)], before[(3, 22)], "{name}: what failed can be read");
    }
    // A filter is typed beside its list.
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    press(&mut app, Content::Small, "/");
    assert!(buffer(&app)[(5, 3)].modifier.contains(Modifier::REVERSED));
}

/// What is highlighted in the last row of the dialog on top.
fn highlighted(app: &App) -> String {
    let buffer = buffer(app);
    let row = |y: u16| -> String {
        (0..buffer.area.width)
            .filter(|x| buffer[(*x, y)].modifier.contains(Modifier::REVERSED))
            .map(|x| buffer[(x, y)].symbol())
            .collect()
    };
    (0..buffer.area.height).rev().map(row).find(|row| !row.is_empty()).unwrap_or_default().trim().to_owned()
}

#[test]
fn the_highlighted_choice_is_what_enter_does() {
    let planned = |plan| {
        let mut app = settled((80, 24), &UNICODE, Content::Small);
        app.plan(Request::Gc);
        let ticket = app.next;
        app.update(Msg::Planned(ticket, Ok(Box::new(plan))));
        app
    };
    let starts = |effects: &[Effect]| effects.iter().any(|effect| matches!(effect, Effect::Start(..)));
    let mut verify = settled((80, 24), &UNICODE, Content::Small);
    press(&mut verify, Content::Small, "V");
    let shown = highlighted(&verify);
    assert!(shown.starts_with("enter ") && !shown.contains("keep"), "{shown}");
    assert!(starts(&press(&mut verify, Content::Small, "enter")));
    let mut remove = planned(Plan::Remove(RemovePlan::default()));
    assert_eq!(highlighted(&remove), "enter keep everything as it is");
    assert!(!starts(&press(&mut remove, Content::Small, "enter")) && remove.dialogs.is_empty());
    let mut leave = settled((80, 24), &UNICODE, Content::Small);
    leave.start(Box::new(Plan::Verify { repair: false }), None);
    press(&mut leave, Content::Small, "q");
    assert_eq!(highlighted(&leave), "enter stay");
    assert!(press(&mut leave, Content::Small, "enter").is_empty() && leave.dialogs.is_empty());
}

#[test]
fn the_border_between_lists_stays_while_a_filter_is_typed() {
    for (content, size) in [(Content::Small, (120, 40)), (Content::Long, (120, 40)), (Content::Huge, (200, 60))] {
        let mut app = settled(size, &UNICODE, content);
        let border = |app: &App| picture(app).lines().nth(1).unwrap().chars().position(|letter| letter == '┐');
        let before = border(&app);
        press(&mut app, content, "/ a l p");
        assert_eq!(border(&app), before, "{content:?}\n{}", picture(&app));
        press(&mut app, content, "x");
        assert_eq!(border(&app), before, "{content:?}: nothing is found\n{}", picture(&app));
    }
}
