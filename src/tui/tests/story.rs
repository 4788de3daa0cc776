//! What messages make of the interface, without a picture.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::super::app::{App, Tab};
use super::super::command::TABLE;
use super::super::dialog::Dialog;
use super::super::effect::Effect;
use super::super::glyphs::UNICODE;
use super::super::message::Msg;
use super::super::problem::Problem;
use super::super::remembered::{Memorable, Remembered};
use super::super::state::images::Level;
use super::super::work::{Plan, Request};
use super::world::{Content, picture, press, settle, settled};
use crate::engine::plan::GcPlan;
use crate::engine::query::browse::{ImageOrder, RepositoryOrder};
use crate::error::Kind;

fn click(app: &mut App, column: u16, row: u16, at: u64) {
    app.update(Msg::Tick(Duration::from_millis(at), app.wall));
    let kind = MouseEventKind::Down(MouseButton::Left);
    let effects = app.update(Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
    settle(app, Content::Small, effects);
}

#[test]
fn all_of_a_long_list_can_be_marked() {
    let mut app = settled((80, 24), &UNICODE, Content::Huge);
    press(&mut app, Content::Huge, "*");
    assert_eq!(app.images.marked(), (5000, 5000 << 20));
    assert!(picture(&app).contains("5000 marked, 4.9 GiB"));
    press(&mut app, Content::Huge, "*");
    assert_eq!(app.images.marked().0, 0);
}

#[test]
fn a_range_reaches_beyond_what_is_loaded() {
    let mut app = settled((80, 24), &UNICODE, Content::Huge);
    press(&mut app, Content::Huge, "j j space end v");
    assert_eq!(app.images.marked().0, 4998);
    press(&mut app, Content::Huge, "esc");
    assert_eq!(app.images.marked().0, 0);
}

#[test]
fn two_clicks_open_one_selects_and_heads_sort() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    click(&mut app, 5, 4, 0);
    assert_eq!((app.images.repositories.window.cursor(), app.images.level), (1, Level::Repositories));
    click(&mut app, 5, 4, 2000);
    assert_eq!(app.images.level, Level::Repositories, "slow clicks are two single ones");
    click(&mut app, 5, 4, 2100);
    assert_eq!(app.images.level, Level::Tags);
    press(&mut app, Content::Small, "esc");
    let heads = picture(&app).lines().nth(2).unwrap().to_owned();
    let column = heads.chars().position(|letter| letter == 'Z').unwrap();
    click(&mut app, u16::try_from(column).unwrap(), 2, 3000);
    assert_eq!(app.images.repositories.order, RepositoryOrder::Size);
    click(&mut app, u16::try_from(column).unwrap(), 2, 4000);
    assert!(app.images.repositories.descending);
}

/// Windows, and terminals that were asked for it, tell of both.
#[test]
fn letting_go_of_a_key_is_no_second_press() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    let before = app.images.repositories.window.cursor();
    let event = |kind| Msg::Key(KeyEvent { kind, ..KeyEvent::new(KeyCode::Char('j'), KeyModifiers::NONE) });
    for kind in [KeyEventKind::Press, KeyEventKind::Release, KeyEventKind::Repeat, KeyEventKind::Release] {
        app.update(event(kind));
    }
    assert_eq!(app.images.repositories.window.cursor(), before + 2);
}

#[test]
fn details_scroll_to_their_end_and_no_further() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    press(&mut app, Content::Small, "enter enter G");
    assert!(app.images.scroll > 5);
    assert_eq!(app.images.scroll, app.images.scroll_end);
    assert!(picture(&app).contains("In the gateway view"));
    app.update(Msg::Resize(200, 200));
    assert_eq!(app.images.scroll, 0, "everything fits now");
}

#[test]
fn typing_rests_before_registries_are_asked_and_enter_runs_what_is_shown() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    let effects = press(&mut app, Content::Small, "a n g i n x");
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Plan(..))), "{effects:?}");
    let rests: Vec<u64> =
        effects.iter().filter_map(|e| if let Effect::Rest(n) = e { Some(*n) } else { None }).collect();
    assert_eq!(rests.len(), 5);
    assert!(app.update(Msg::Rested(rests[3])).is_empty(), "an older rest");
    let effects = app.update(Msg::Rested(rests[4]));
    let planned: Vec<u64> =
        effects.iter().filter_map(|e| if let Effect::Plan(n, _) = e { Some(*n) } else { None }).collect();
    assert_eq!(planned.len(), 1, "{effects:?}");
    // Nothing is run that was not shown.
    assert!(press(&mut app, Content::Small, "enter").is_empty());
    // What was typed since makes it another one.
    let effects = press(&mut app, Content::Small, ": 1");
    assert!(
        effects.iter().any(|effect| matches!(effect, Effect::Forget(ticket) if *ticket == planned[0])),
        "{effects:?}"
    );
}

#[test]
fn a_paste_is_text_and_many_lines_are_many_images() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    app.update(Msg::Paste("qqq\nredis:7\nq".to_owned()));
    let effects = press(&mut app, Content::Small, "enter");
    let Some(Effect::Plan(_, Request::Add(requests))) = effects.iter().find(|e| matches!(e, Effect::Plan(..))) else {
        panic!("{effects:?}")
    };
    assert_eq!(requests.len(), 3);
    assert_eq!(app.tab, Tab::Images);
}

#[test]
fn a_plan_that_is_out_of_date_is_made_again() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    let effects = app.start(Box::new(Plan::Verify { repair: false }), Some(Request::Gc));
    assert!(matches!(effects.as_slice(), [Effect::Start(..), Effect::Remember(_)]), "{effects:?}");
    let problem = Problem { message: "the catalog changed".to_owned(), hints: Vec::new(), kind: Kind::Locked };
    let job = app.jobs_begun;
    let effects = app.update(Msg::Ended(job, Err(problem)));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Plan(_, Request::Gc))), "{effects:?}");
    assert!(matches!(app.dialogs.last(), Some(Dialog::Planning { because: Some(_), .. })));
}

#[test]
fn what_runs_is_remembered_and_what_ended_is_not() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    app.start(Box::new(Plan::Verify { repair: false }), Some(Request::Update(Vec::new())));
    let job = app.jobs_begun;
    let cancelled = Problem { message: "interrupted".to_owned(), hints: Vec::new(), kind: Kind::Interrupted };
    let effects = app.update(Msg::Ended(job, Err(cancelled)));
    assert!(effects.iter().any(|e| matches!(e, Effect::Remember(requests) if requests.is_empty())), "{effects:?}");
}

#[test]
fn leaving_asks_only_while_something_runs() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    assert!(matches!(press(&mut app, Content::Small, "q").as_slice(), [Effect::Quit { finish: false }]));
    app.start(Box::new(Plan::Verify { repair: false }), None);
    assert!(press(&mut app, Content::Small, "q").is_empty());
    assert!(matches!(app.dialogs.last(), Some(Dialog::Leave)));
    assert!(matches!(press(&mut app, Content::Small, "f").as_slice(), [Effect::Quit { finish: true }]));
}

#[test]
fn what_is_typed_is_kept_and_comes_back_at_the_next_start() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    let effects = press(&mut app, Content::Small, ": u n d o enter");
    let kept = |effect: &Effect| matches!(effect, Effect::Keep(Memorable::Typed(line)) if line == "undo");
    assert!(effects.iter().any(kept), "{effects:?}");
    press(&mut app, Content::Small, "esc : a d d space a space b enter esc");
    let effects = press(&mut app, Content::Small, ": t o k e n space s e c r e t enter");
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Keep(_))), "what is no command is not kept");
    let mut next = settled((80, 24), &UNICODE, Content::Small);
    next.recall(app.remembered.clone());
    press(&mut next, Content::Small, ": up up");
    assert!(picture(&next).contains(": undo"), "{}", picture(&next));
    press(&mut next, Content::Small, "down enter");
    assert!(picture(&next).contains("> a b"), "{}", picture(&next));
}

#[test]
fn the_order_of_lists_is_kept_and_holds_for_every_repository() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    let effects = press(&mut app, Content::Small, "> > s");
    let kept = effects.iter().filter(|effect| matches!(effect, Effect::Keep(Memorable::Orders(_)))).count();
    assert_eq!(kept, 3);
    press(&mut app, Content::Small, "enter > > esc j enter");
    assert_eq!(app.images.tags.order, ImageOrder::Size, "another repository is sorted like the one before");
    let mut next = super::world::app((80, 24), &UNICODE);
    next.recall(app.remembered.clone());
    let effects = next.update(Msg::Tick(Duration::ZERO, next.wall));
    let asked = format!("{effects:?}");
    assert!(asked.contains("order: Size, descending: true"), "the first question has it already: {asked}");
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Keep(_))), "nothing is new");
    assert_eq!(next.images.tags.order, ImageOrder::Size);
    next.recall(Remembered::default());
    assert_eq!(next.images.repositories.order, RepositoryOrder::Name);
}

#[test]
fn an_interface_that_only_looks_refuses_every_change_with_words() {
    let looking = |keys: &str| {
        let mut app = settled((120, 40), &UNICODE, Content::Small);
        app.read_only = Some("it was started with `--read-only`");
        let effects = if keys.is_empty() { Vec::new() } else { press(&mut app, Content::Small, keys) };
        (app, effects)
    };
    let begins = |effect: &Effect| matches!(effect, Effect::Plan(..) | Effect::Start(..) | Effect::Remember(_));
    let refused = |app: &App| app.problems.last().is_some_and(|problem| problem.message.contains("is read-only"));
    for tab in ["1", "1 j enter", "1 j enter enter", "2", "3", "4", "5"] {
        for entry in TABLE.iter().filter(|entry| entry.command.changes()) {
            let (mut app, _) = looking(tab);
            if !entry.applies(app.contexts()) {
                continue;
            }
            let effects = super::super::act::act(&mut app, entry.command);
            assert!(refused(&app), "{} in {tab}", entry.id);
            assert!(effects.is_empty() && app.dialogs.is_empty(), "{} in {tab}", entry.id);
            assert!(!app.footer().iter().any(|(command, _)| command.changes()), "the footer of {tab}");
        }
    }
    for typed in [": g c space x enter", ": v e r i f y space - - r e p a i r enter y", ": a d d space a enter"] {
        let (app, effects) = looking(typed);
        assert!(refused(&app) && !effects.iter().any(begins), "{typed}: {effects:?}");
    }
    let (mut app, _) = looking("");
    app.update(Msg::Paste("nginx:alpine".to_owned()));
    assert!(refused(&app) && app.dialogs.is_empty());
    assert!(picture(&app).lines().next().unwrap().contains("read-only"));
    let (app, effects) = looking("V enter");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Start(..))), "looking is allowed");
    assert!(!refused(&app));
}

#[test]
fn what_was_cut_is_offered_until_somebody_decides() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    let cut = vec![Request::Update(Vec::new())];
    let remembered = |effects: &[Effect]| {
        effects.iter().rev().find_map(|effect| match effect {
            Effect::Remember(requests) => Some(requests.len()),
            _ => None,
        })
    };
    assert_eq!(remembered(&app.update(Msg::Cut(cut.clone()))), Some(1), "a kill before the answer loses nothing");
    press(&mut app, Content::Small, "esc");
    assert!(app.dialogs.is_empty() && app.cut == cut, "later is no answer");
    app.update(Msg::Cut(cut));
    assert_eq!(remembered(&press(&mut app, Content::Small, "f")), Some(0));
    assert!(app.dialogs.is_empty() && app.cut.is_empty());
}

#[test]
fn a_dialog_that_comes_up_by_itself_takes_no_key_that_was_under_way() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    app.start(Box::new(Plan::Verify { repair: true }), Some(Request::Gc));
    let locked = Problem { message: "it changed".to_owned(), hints: Vec::new(), kind: Kind::Locked };
    app.update(Msg::Ended(app.jobs_begun, Err(locked)));
    let mut plan = GcPlan::default();
    plan.partial_files = 1;
    let Some(Dialog::Planning { ticket, .. }) = app.dialogs.last() else { panic!("{:?}", app.dialogs) };
    let ticket = *ticket;
    app.update(Msg::Planned(ticket, Ok(Box::new(Plan::Gc(plan)))));
    assert!(matches!(app.dialogs.last(), Some(Dialog::Confirm(_))), "{:?}", app.dialogs);
    assert!(press(&mut app, Content::Small, "y").is_empty() && app.dialogs.len() == 1);
    app.update(Msg::Tick(app.now + Duration::from_secs(1), app.wall));
    assert!(press(&mut app, Content::Small, "y").iter().any(|effect| matches!(effect, Effect::Start(..))));
}

#[test]
fn a_key_of_another_view_says_so() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    press(&mut app, Content::Small, "b");
    assert!(picture(&app).contains("`b` does something in Publish (rollback)"), "{}", picture(&app));
}

#[test]
fn verbs_without_a_way_of_their_own_go_to_the_command_line() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    app.verbs = ["add", "export", "update"].map(str::to_owned).to_vec();
    let mut typed = |text: &str| {
        press(&mut app, Content::Small, ":");
        app.update(Msg::Paste(text.to_owned()));
        press(&mut app, Content::Small, "enter")
    };
    let verb = |effects: &[Effect]| effects.iter().any(|effect| matches!(effect, Effect::Verb(_)));
    assert!(verb(&typed("export /srv/tree")) && verb(&typed("update --dry-run")));
    assert!(!verb(&typed("update library/nginx")) && !verb(&typed("exprot /srv/tree")));
}
