//! The panes of the view of images: which has the keys, which scrolls, what a list is sorted by.

use std::collections::BTreeSet;

use crossterm::event::{KeyModifiers, MouseEvent, MouseEventKind};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::{Color, Modifier};

use super::super::app::App;
use super::super::columns::{REPOSITORIES, TAGS};
use super::super::effect::Effect;
use super::super::glyphs::UNICODE;
use super::super::message::Msg;
use super::super::state::images::Level;
use super::super::view;
use super::super::work::{Plan, Request};
use super::world::{Content, picture, press, settle, settled};
use crate::engine::plan::AddPlan;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

fn wheel(app: &mut App, content: Content, column: u16) {
    let event = MouseEvent { kind: MouseEventKind::ScrollDown, column, row: 12, modifiers: KeyModifiers::NONE };
    let effects = app.update(Msg::Mouse(event));
    settle(app, content, effects);
}

#[test]
fn the_wheel_scrolls_what_is_under_the_pointer() {
    let mut app = settled((120, 40), &UNICODE, Content::Huge);
    press(&mut app, Content::Huge, "enter");
    wheel(&mut app, Content::Huge, 100);
    assert_eq!((app.images.level, app.images.scroll, app.images.tags.window.top()), (Level::Tags, 3, 0));
    wheel(&mut app, Content::Huge, 10);
    assert_eq!((app.images.scroll, app.images.tags.window.top()), (0, 3), "another image is under the cursor now");
    press(&mut app, Content::Huge, "enter");
    wheel(&mut app, Content::Huge, 100);
    assert_eq!((app.images.scroll, app.images.tags.window.top()), (3, 3));
    press(&mut app, Content::Huge, "esc esc");
    wheel(&mut app, Content::Huge, 10);
    assert_eq!((app.images.level, app.images.repositories.window.top()), (Level::Repositories, 3));
}

#[test]
fn every_order_is_seen_at_the_head_of_its_column() {
    for size in SIZES {
        let mut app = settled(size, &UNICODE, Content::Long);
        for (keys, orders) in [("", REPOSITORIES.len()), ("enter", TAGS.len())] {
            if !keys.is_empty() {
                press(&mut app, Content::Long, keys);
            }
            let mut heads = BTreeSet::new();
            for _ in 0..orders {
                press(&mut app, Content::Long, ">");
                let shown = picture(&app);
                let head = shown.lines().nth(2).unwrap();
                // The list is at the left.
                let (before, _) =
                    head.split_once('▴').unwrap_or_else(|| panic!("{size:?}: nothing is sorted\n{shown}"));
                heads.insert(before.split_whitespace().next_back().unwrap().to_owned());
            }
            assert_eq!(heads.len(), orders, "{size:?}: {heads:?}");
        }
    }
}

#[test]
fn the_cursor_follows_its_row_into_another_order() {
    let mut app = settled((80, 24), &UNICODE, Content::Huge);
    press(&mut app, Content::Huge, "j j s");
    let window = &app.images.repositories.window;
    assert_eq!(
        (window.cursor(), app.images.current().map(|row| row.name.as_str())),
        (4997, Some("group-002/project-00002"))
    );
    press(&mut app, Content::Huge, "enter j s");
    assert_eq!(app.images.tags.window.current().and_then(|row| row.tag.as_deref()), Some("1.1.0"));
    assert_eq!(app.images.tags.window.cursor(), 198);
    // What is filtered anew begins at its first row.
    press(&mut app, Content::Huge, "/ 0 enter");
    assert_eq!(app.images.tags.window.cursor(), 0);
}

#[test]
fn borders_and_cursor_say_where_the_keys_are() {
    let styles = |app: &App| {
        let mut terminal = Terminal::new(TestBackend::new(app.size.0, app.size.1)).unwrap();
        terminal.draw(|frame| view::draw(app, frame)).unwrap();
        let buffer = terminal.backend().buffer().clone();
        let right = buffer.area.width - 1;
        (buffer[(0, 1)].fg, buffer[(right, 1)].fg, buffer)
    };
    let mut app = settled((120, 40), &UNICODE, Content::Small);
    press(&mut app, Content::Small, "j enter j");
    let (left, right, _) = styles(&app);
    assert_eq!((left, right), (Color::Blue, Color::Reset));
    press(&mut app, Content::Small, "enter");
    let (left, right, buffer) = styles(&app);
    assert_eq!((left, right), (Color::Reset, Color::Blue));
    // Heads, the first tag, the second one.
    assert_eq!(buffer[(1, 4)].symbol(), "›");
    assert!(!buffer[(1, 4)].modifier.contains(Modifier::REVERSED), "that is where the keys are");
}

#[test]
fn names_on_the_screen_can_be_told_apart() {
    for size in SIZES {
        let mut app = settled(size, &UNICODE, Content::Long);
        press(&mut app, Content::Long, "enter");
        let shown = picture(&app);
        let names: BTreeSet<&str> =
            shown.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with("night"))).collect();
        assert!(names.len() >= 6, "{size:?}\n{shown}");
    }
}

#[test]
fn jobs_are_beside_the_lists_when_there_are_any_and_room() {
    let with_job = |content| {
        let mut app = settled((200, 60), &UNICODE, content);
        let before = picture(&app);
        app.start(Box::new(Plan::Add(AddPlan::default())), Some(Request::Gc));
        (before, app)
    };
    let (before, mut app) = with_job(Content::Small);
    assert!(!before.contains("┌ Jobs "), "{before}");
    assert!(picture(&app).contains("┌ Jobs "));
    let job = app.jobs_begun;
    app.jobs.end(job, super::super::state::job::JobState::Cancelled);
    assert!(picture(&app).contains("┌ Jobs "), "what ran stays where it takes nothing away");
    let (_, mut app) = with_job(Content::Long);
    assert!(picture(&app).contains("┌ Jobs "));
    app.jobs.end(app.jobs_begun, super::super::state::job::JobState::Cancelled);
    assert!(!picture(&app).contains("┌ Jobs "), "{}", picture(&app));
}

#[test]
fn the_pager_gets_all_of_the_details_in_words() {
    let mut app = settled((80, 24), &UNICODE, Content::Long);
    press(&mut app, Content::Long, "enter enter");
    let shown = view::details_text(&app).join("\n");
    assert!(shown.contains("… 4.0 KiB in total: `o` shows it"), "{shown}");
    assert!(shown.contains("also in 44"), "{shown}");
    let effects = press(&mut app, Content::Long, "o");
    let [Effect::Page(text)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(text.contains(&"0123456789".repeat(410)) && !text.contains('…'));
    assert!(text.contains("and 41 more") && text.contains("linux/arm64/v8  sha256:"), "{text}");
    assert!(!text.contains("published\": true"));
}
