//! Rules as they are typed: what is previewed of files, what is refused, and where mistakes are shown.

use super::super::app::App;
use super::super::dialog::Dialog;
use super::super::effect::Effect;
use super::super::glyphs::UNICODE;
use super::super::message::Msg;
use super::super::problem::Problem;
use super::super::question::Question;
use super::rules::{type_in, view};
use super::world::{Content, picture, press, settle, settled};
use crate::error::Kind;

/// Types this where images are added, rests, and answers what is asked for.
fn typed(size: (u16, u16), text: &str) -> App {
    let mut app = view(size, &UNICODE, "a");
    type_in(&mut app, text);
    let Some(Dialog::Add(add)) = app.dialogs.last() else { panic!("{:?}", app.dialogs) };
    let effects = app.update(Msg::Rested(add.typing));
    settle(&mut app, Content::Ruled, effects);
    app
}

fn starts(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Start(..)))
}

#[test]
fn files_are_read_for_the_preview_and_one_that_is_missing_makes_no_rule() {
    let mut app = typed((80, 24), "compose:compose.yaml 'command:kubeadm images'");
    let shown = picture(&app);
    for words in ["Would take 2 images now", "take   docker.io/library/nginx:1.29.3", "leave  app: it is built"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(shown.contains("what command:kubeadm images prints"), "{shown}");
    assert!(!shown.contains("--newest") && shown.contains("--platform LIST"), "{shown}");
    insta::assert_snapshot!("add-source-80x24", shown);
    assert!(starts(&press(&mut app, Content::Ruled, "enter")));

    let mut app = typed((80, 24), "compose:compose.y");
    assert!(picture(&app).contains("there is no file `compose.y`"), "{}", picture(&app));
    assert!(!starts(&press(&mut app, Content::Ruled, "enter")));
    assert!(matches!(app.dialogs.last(), Some(Dialog::Add(_))), "{:?}", app.dialogs);
    // Once it is there it is read anew.
    press(&mut app, Content::Ruled, "a m l");
    assert!(starts(&press(&mut app, Content::Ruled, "enter")));
}

#[test]
fn programs_are_not_run_and_files_are_not_asked_for_at_each_key() {
    let mut app = view((80, 24), &UNICODE, "a");
    let effects = type_in(&mut app, "compose:compose.yaml");
    let asks = |effects: &[Effect]| {
        effects.iter().filter(|effect| matches!(effect, Effect::Ask(_, Question::Source(_)))).count()
    };
    assert_eq!(asks(&effects), 0, "{effects:?}");
    let Some(Dialog::Add(add)) = app.dialogs.last() else { panic!() };
    assert_eq!(asks(&app.update(Msg::Rested(add.typing))), 1);
    let mut app = view((80, 24), &UNICODE, "a");
    type_in(&mut app, "'command:rm -rf /'");
    let Some(Dialog::Add(add)) = app.dialogs.last() else { panic!() };
    assert_eq!(asks(&app.update(Msg::Rested(add.typing))), 0);
}

#[test]
fn the_text_of_a_file_is_no_list_of_references() {
    let compose = "services:\n  web:\n    image: nginx:1.29\n  db:\n    image: postgres:18\n".to_owned();
    for keys in ["", "a"] {
        let mut app = settled((80, 24), &UNICODE, Content::Small);
        if !keys.is_empty() {
            press(&mut app, Content::Small, keys);
        }
        app.update(Msg::Paste(compose.clone()));
        let toast = app.toast.as_ref().map(|toast| toast.text.clone()).unwrap_or_default();
        assert!(toast.contains("type compose:PATH"), "{toast}");
        assert!(!picture(&app).contains("services"), "{}", picture(&app));
    }
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    app.update(Msg::Paste("nginx:1\nlocalhost:5000/a/b@sha256:00\n".to_owned()));
    assert!(matches!(app.dialogs.last(), Some(Dialog::Add(_))));
}

#[test]
fn a_first_run_imports_the_rules_of_regsync() {
    let mut app = settled((80, 24), &UNICODE, Content::Empty);
    (app.compose_file, app.regsync_file) = (None, Some("regsync.yml"));
    assert!(picture(&app).contains("makes rules of regsync.yml, which is here"), "{}", picture(&app));
    let effects = press(&mut app, Content::Empty, "f");
    let imports =
        |effect: &Effect| matches!(effect, Effect::Verb(words) if words == &["rule", "import", "regsync.yml"]);
    assert!(effects.iter().any(imports), "{effects:?}");
}

#[test]
fn why_a_form_is_not_saved_is_no_fault_of_a_field() {
    let mut app = view((80, 24), &UNICODE, "e");
    type_in(&mut app, " 9.#");
    press(&mut app, Content::Ruled, "enter");
    let problem = Problem {
        message: "/srv/mirror.toml, line 4, column 1: `newst` is no key of a rule".to_owned(),
        hints: vec!["Did you mean `newest`?".to_owned(), "Nothing was done; correct the rules.".to_owned()],
        kind: Kind::Usage,
    };
    app.update(Msg::Ended(app.jobs_begun, Err(problem)));
    let shown = picture(&app);
    assert!(shown.contains("mean `newest`? Nothing was done"), "{shown}");
    assert!(!shown.contains("tags: /srv") && !shown.contains("`?."), "{shown}");
    // It can be tried again as it is, and what is typed is about it no more.
    assert!(starts(&press(&mut app, Content::Ruled, "enter")));
}

#[test]
fn tags_that_are_said_one_by_one_are_promised_only_if_they_are_there() {
    let mut app = view((80, 24), &UNICODE, "n");
    type_in(&mut app, "busybox");
    let Some(Dialog::RuleForm(form)) = app.dialogs.last() else { panic!() };
    assert!(!picture(&app).contains("without a list"), "{}", picture(&app));
    let number = form.typing;
    let effects = app.update(Msg::Rested(number));
    settle(&mut app, Content::Ruled, effects);
    assert!(picture(&app).contains("take   latest"), "{}", picture(&app));
    press(&mut app, Content::Ruled, "tab x");
    let Some(Dialog::RuleForm(form)) = app.dialogs.last() else { panic!() };
    let number = form.typing;
    let effects = app.update(Msg::Rested(number));
    settle(&mut app, Content::Ruled, effects);
    assert!(picture(&app).contains("upstream has no such tag"), "{}", picture(&app));
}

#[test]
fn a_page_is_filtered_and_a_key_says_all_its_places() {
    let mut app = view((80, 24), &UNICODE, "enter / 1 . 3 0 enter");
    let shown = picture(&app);
    assert!(shown.contains("1.30.1") && !shown.contains("1.29.3") && shown.contains("/1.30"), "{shown}");
    press(&mut app, Content::Ruled, "esc");
    assert!(picture(&app).contains("1.29.3"), "{}", picture(&app));
    press(&mut app, Content::Ruled, "t");
    let toast = app.toast.as_ref().map(|toast| toast.text.clone()).unwrap_or_default();
    for place in ["Jobs (retry)", "Publish (target-test)", "the decisions of Rules (take-now)"] {
        assert!(toast.contains(place), "{toast}");
    }
}

#[test]
fn a_small_form_draws_nothing_over_its_keys() {
    let app = view((60, 15), &UNICODE, "e");
    let shown = picture(&app);
    let foot = shown.lines().find(|line| line.contains("enter save")).unwrap_or_default();
    assert!(foot.contains("esc close") && foot.contains("more ▾ │"), "{shown}");
    insta::assert_snapshot!("rule-form-60x15", shown);
}

#[test]
fn programs_that_nobody_allowed_are_of_the_rules() {
    let mut app = settled((80, 24), &UNICODE, Content::Hostile);
    press(&mut app, Content::Hostile, "6");
    assert!(picture(&app).contains("The rules run 1 program that was not allowed"), "{}", picture(&app));
}
