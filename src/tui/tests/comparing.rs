//! Two tags are compared: the marked one with the one under the cursor, the two that are marked, or two that are typed.

use super::super::app::App;
use super::super::dialog::Dialog;
use super::super::effect::Effect;
use super::super::glyphs::UNICODE;
use super::super::message::Msg;
use super::super::question::{Answer, Question};
use super::world::{self, Content, picture, press, settle, settled};

fn title(app: &App) -> Option<&str> {
    app.dialogs.iter().find_map(|dialog| match dialog {
        Dialog::Message { title, .. } => Some(title.as_str()),
        _ => None,
    })
}

/// The tags of library/nginx: 1.27, 1.27-alpine, latest.
fn tags() -> App {
    let mut app = settled((120, 40), &UNICODE, Content::Small);
    press(&mut app, Content::Small, "j enter");
    app
}

#[test]
fn the_marked_tag_is_the_one_before() {
    let mut app = tags();
    press(&mut app, Content::Small, "j space k k =");
    assert_eq!(title(&app), Some("library/nginx:1.27-alpine → 1.27"), "{}", picture(&app));
}

#[test]
fn of_two_that_are_marked_the_lower_version_is_the_one_before() {
    let mut app = tags();
    press(&mut app, Content::Small, "j space k k space =");
    assert_eq!(title(&app), Some("library/nginx:1.27 → 1.27-alpine"));
}

#[test]
fn what_is_missing_is_said() {
    let mut app = tags();
    press(&mut app, Content::Small, "=");
    assert!(picture(&app).contains("mark one (space)") && title(&app).is_none(), "{}", picture(&app));
    press(&mut app, Content::Small, "space k =");
    assert!(picture(&app).contains("mark one (space)"), "it is the marked one itself");
    press(&mut app, Content::Small, "* = ");
    assert!(picture(&app).contains("3 tags are marked") && title(&app).is_none(), "{}", picture(&app));
}

#[test]
fn two_images_are_typed() {
    let mut app = settled((120, 40), &UNICODE, Content::Small);
    app.verbs = vec!["diff".to_owned()];
    press(&mut app, Content::Small, ": d i f f space a : 1 space b / c : 2 enter");
    assert_eq!(title(&app), Some("a:1 → b/c:2"));
    press(&mut app, Content::Small, "esc");
    let effects = press(&mut app, Content::Small, ": d i f f space h o m e enter");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Verb(_))), "roots are compared on the terminal");
}

#[test]
fn an_answer_that_nobody_waits_for_any_more_is_not_shown() {
    let mut app = tags();
    press(&mut app, Content::Small, "space j");
    let effects = app.update(Msg::Key(crossterm::event::KeyEvent::from(crossterm::event::KeyCode::Char('='))));
    press(&mut app, Content::Small, "2");
    settle(&mut app, Content::Small, effects);
    assert_eq!((title(&app), app.images.comparing.is_none()), (None, true));
    // One that was not asked for.
    press(&mut app, Content::Small, "1");
    let question = Question::Comparison(("a:1".to_owned(), "a:2".to_owned()));
    let Answer::Comparison(..) = world::answer(Content::Small, question.clone()) else { panic!() };
    app.update(Msg::Answer(1, Box::new(world::answer(Content::Small, question))));
    assert_eq!(title(&app), None);
}
