//! The dialog in which images are added: what its keys ask for, and pictures of what it shows.

use super::super::app::App;
use super::super::dialog::Dialog;
use super::super::dialog::add::{Add, Known};
use super::super::effect::Effect;
use super::super::glyphs::UNICODE;
use super::super::message::Msg;
use super::super::problem::Problem;
use super::super::question::{Answer, Question};
use super::super::work::{Plan, Request};
use super::world::{self, Content, picture, press, settle, settled};
use crate::engine::plan::{AddPlan, Change, FailedRequest, PlannedImage};
use crate::engine::request::AddRequest;
use crate::error::{Error, Kind};

/// An interface with the dialog open, and this text in it.
fn typed(size: (u16, u16), text: &str) -> App {
    let mut app = settled(size, &UNICODE, Content::Small);
    press(&mut app, Content::Small, "a");
    let effects = app.update(Msg::Paste(text.to_owned()));
    settle(&mut app, Content::Small, effects);
    app
}

fn add(app: &App) -> &Add {
    match app.dialogs.last() {
        Some(Dialog::Add(add)) => add,
        other => panic!("{other:?}"),
    }
}

/// What is planned now: the number and the requests.
fn planning(effects: &[Effect]) -> (u64, Vec<AddRequest>) {
    let planned = effects.iter().find_map(|effect| match effect {
        Effect::Plan(ticket, Request::Add(requests)) => Some((*ticket, requests.clone())),
        _ => None,
    });
    planned.unwrap_or_else(|| panic!("{effects:?}"))
}

/// Looks up what is typed, and answers with this plan.
fn plan(app: &mut App, plan: AddPlan) {
    let (ticket, _) = planning(&press(app, Content::Small, "ctrl-r"));
    app.update(Msg::Planned(ticket, Ok(Box::new(Plan::Add(plan)))));
}

fn failed(request: &str, why: &str, hint: &str) -> FailedRequest {
    FailedRequest {
        request: request.to_owned(),
        error: Error::new(Kind::Network, why.to_owned()).hint(hint.to_owned()),
    }
}

fn good(reference: &str) -> AddPlan {
    let image = PlannedImage::example(reference, &["linux/amd64"], &["linux/arm64"]);
    AddPlan { new_bytes: 5 << 20, known_bytes: 7 << 20, images: vec![image], ..AddPlan::default() }
}

const PLAIN: &str = "127.0.0.1:5000 does not speak TLS; it may be a plain http server";

/// What is said of a registry without TLS.
fn plain() -> AddPlan {
    let hint = "If it is one and you trust the network, use `--insecure`, or set `insecure = true` for this registry in \
                the configuration.";
    AddPlan { failed: vec![failed("127.0.0.1:5000/team/app:1", PLAIN, hint)], ..AddPlan::default() }
}

/// Fourteen images and one that fails.
fn many() -> AddPlan {
    let image = |number: usize| {
        let without: &[&str] =
            if number.is_multiple_of(2) { &["linux/arm64", "linux/s390x"] } else { &["linux/arm64"] };
        PlannedImage::example(&format!("registry.example/group/image-{number}:1.{number}"), &["linux/amd64"], without)
    };
    AddPlan {
        images: (0..14).map(image).collect(),
        failed: vec![failed("registry.example/group/absent:1", "no such tag", "Its tags are 2 and 3.")],
        new_bytes: 70 << 20,
        known_bytes: 98 << 20,
        ..AddPlan::default()
    }
}

const MANY: &str =
    "registry.example/group/absent:1 registry.example/group/image-0:1.0 registry.example/group/image-1:1.1";

#[test]
fn enter_asks_again_what_failed_and_an_old_failure_goes() {
    let mut app = typed((80, 24), "127.0.0.1:5000/team/app:1");
    let (ticket, _) = planning(&app_look(&mut app));
    let answer = Answer::Tags("127.0.0.1:5000/team/app".to_owned(), Err(PLAIN.to_owned()));
    app.update(Msg::Answer(1, Box::new(answer)));
    app.update(Msg::Planned(ticket, Ok(Box::new(Plan::Add(plain())))));
    let shown = picture(&app);
    assert_eq!(shown.matches("does not speak TLS").count(), 1, "it is said once:\n{shown}");
    assert!(shown.contains("enter ask again"), "{shown}");

    let effects = app.update(Msg::Key(crossterm::event::KeyCode::Enter.into()));
    let (ticket, _) = planning(&effects);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Ask(_, Question::Tags(..)))), "{effects:?}");
    app.update(Msg::Planned(ticket, Ok(Box::new(Plan::Add(good("127.0.0.1:5000/team/app:1"))))));
    let shown = picture(&app);
    assert!(!shown.contains("TLS") && !shown.contains("can't be listed"), "{shown}");
    assert!(shown.contains("enter add"), "{shown}");
}

/// Looks it up without answering what is asked.
fn app_look(app: &mut App) -> Vec<Effect> {
    app.update(Msg::Key(crossterm::event::KeyCode::Enter.into()))
}

/// Each manifest that is fetched is a pull of somebody's quota.
#[test]
fn a_space_more_asks_nothing_again() {
    let mut app = typed((80, 24), "nginx:1");
    plan(&mut app, good("library/nginx:1"));
    press(&mut app, Content::Small, "space");
    assert!(matches!(add(&app).known, Known::Nothing));
    let effects = app.update(Msg::Rested(add(&app).typing));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Plan(..))), "{effects:?}");
    assert!(matches!(add(&app).known, Known::Plan(..)));
    planning(&press(&mut app, Content::Small, "ctrl-r"));
}

#[test]
fn all_platforms_are_chosen_by_one_key_and_the_newest_tags_come_first() {
    let mut app = typed((80, 24), "library/nginx:1");
    plan(&mut app, good("library/nginx:1"));
    press(&mut app, Content::Small, "ctrl-o");
    assert!(picture(&app).contains("* all platforms"), "{}", picture(&app));
    let chosen = |effects: &[Effect]| planning(effects).1[0].selection.as_ref().map(ToString::to_string);
    let all = app.update(Msg::Key(crossterm::event::KeyCode::Char('*').into()));
    assert_eq!(chosen(&all).as_deref(), Some("linux/amd64,linux/arm64"));
    let usual = app.update(Msg::Key(crossterm::event::KeyCode::Char('*').into()));
    assert_eq!(chosen(&usual), None, "the usual ones");

    let mut app = typed((80, 24), "library/nginx:");
    app_look(&mut app);
    let tags = ["1.9", "latest", "1.10-alpine", "1.10"].map(str::to_owned).to_vec();
    app.update(Msg::Answer(1, Box::new(Answer::Tags("library/nginx".to_owned(), Ok(tags)))));
    let shown: Vec<&str> = add(&app).completions.found.iter().map(|found| found.shown.as_str()).take(4).collect();
    assert_eq!(shown, ["latest", "1.10", "1.10-alpine", "1.9"]);
}

#[test]
fn plain_http_is_a_choice_that_plans_and_tags_are_asked_with() {
    let mut app = typed((80, 24), "127.0.0.1:5000/team/app:1");
    plan(&mut app, plain());
    assert!(picture(&app).contains("ctrl-o"), "{}", picture(&app));
    press(&mut app, Content::Small, "ctrl-o");
    let effects = app.update(Msg::Key(crossterm::event::KeyCode::Char(' ').into()));
    assert_eq!(planning(&effects).1[0].insecure, Some(true));
    let tags = |effect: &Effect| matches!(effect, Effect::Ask(_, Question::Tags(_, Some(true))));
    assert!(effects.iter().any(tags), "{effects:?}");
    assert!(picture(&app).contains("[x] plain HTTP"));
    // It is no part of the text, and holds for what is typed next.
    press(&mut app, Content::Small, "esc x");
    assert_eq!(planning(&press(&mut app, Content::Small, "enter")).1[0].insecure, Some(true));
}

#[test]
fn options_before_the_first_image_hold_for_all() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    press(&mut app, Content::Small, ": a d d space - - i n s e c u r e space h : 1 / a space h : 1 / b enter");
    let (_, requests) = planning(&app_look(&mut app));
    assert_eq!(requests.iter().map(|request| request.insecure).collect::<Vec<_>>(), [Some(true); 2]);
    let mut app = typed((80, 24), "--as name h:1/a h:1/b");
    app_look(&mut app);
    assert!(picture(&app).contains("`--as` names one repository"), "{}", picture(&app));
}

#[test]
fn where_images_differ_a_platform_is_half_chosen() {
    let mut app = typed((80, 24), "h/a:1 h/b:1");
    let images = vec![
        PlannedImage::example("h/a:1", &["linux/amd64", "linux/arm64"], &[]),
        PlannedImage::example("h/b:1", &["linux/amd64"], &["linux/arm64"]),
    ];
    plan(&mut app, AddPlan { images, ..AddPlan::default() });
    let shown = picture(&app);
    assert!(shown.contains("[x] linux/amd64") && shown.contains("[-] linux/arm64"), "{shown}");
    press(&mut app, Content::Small, "ctrl-o down");
    let effects = press(&mut app, Content::Small, "space");
    let all = planning(&effects).1.into_iter().map(|request| request.selection.unwrap().to_string());
    assert_eq!(all.collect::<Vec<_>>(), ["linux/amd64,linux/arm64"; 2]);
}

#[test]
fn tags_are_gone_through_and_platforms_are_reached_when_there_is_a_plan() {
    let mut app = typed((80, 24), "library/nginx");
    press(&mut app, Content::Small, "enter down down");
    assert_eq!(add(&app).field.value(), "library/nginx:1.28");
    press(&mut app, Content::Small, "up tab tab");
    assert_eq!(add(&app).field.value(), "library/nginx:1.27");
    let shown = picture(&app);
    assert!(shown.contains("latest") && shown.contains("1.28") && !shown.contains("nginx:1.28"), "{shown}");
    plan(&mut app, good("library/nginx:1.27"));
    press(&mut app, Content::Small, "ctrl-o down");
    let effects = press(&mut app, Content::Small, "space");
    let selection = planning(&effects).1[0].selection.clone().unwrap();
    assert_eq!(selection.to_string(), "linux/amd64,linux/arm64");
}

#[test]
fn of_several_images_each_gets_the_chosen_platforms_that_it_has() {
    let mut app = typed((120, 40), "registry.example/group/image-0:1.0 registry.example/group/image-1:1.1");
    plan(&mut app, many());
    press(&mut app, Content::Small, "ctrl-o down down");
    let effects = press(&mut app, Content::Small, "space");
    let selections: Vec<String> =
        planning(&effects).1.iter().map(|request| request.selection.clone().unwrap().to_string()).collect();
    assert_eq!(selections, ["linux/amd64,linux/s390x", "linux/amd64"]);
}

#[test]
fn a_page_is_what_is_shown_and_the_end_is_the_end() {
    let mut app = typed((80, 24), MANY);
    plan(&mut app, many());
    let shown = picture(&app);
    assert!(shown.contains("Add 14 of 15 images") && shown.contains("1 of 15 images can't be added"), "{shown}");
    press(&mut app, Content::Small, "page-down");
    let page = add(&app).scroll;
    assert!(page > 5, "{page}");
    press(&mut app, Content::Small, &["page-down"; 20].join(" "));
    let end = add(&app).scroll;
    assert!(picture(&app).contains("image-13"), "{}", picture(&app));
    press(&mut app, Content::Small, "page-up");
    assert_eq!(add(&app).scroll, end - page, "no page beyond the end was counted");
    let effects = press(&mut app, Content::Small, "enter");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Start(..))), "{effects:?}");
    assert_eq!(app.jobs.running().next().unwrap().title, "add 14 of 15 images");
}

#[test]
fn pictures_of_adding() {
    let mut here = good("ghcr.io/org/app:1");
    (here.images[0].change, here.images[0].new_bytes, here.new_bytes) = (Change::Unchanged, 0, 0);
    let mut changed = good("ghcr.io/org/app:1");
    (changed.images[0].change, changed.images[0].new_bytes, changed.new_bytes) = (Change::Extended, 0, 0);
    changed.images[0].changes = vec!["its registry uses plain HTTP from now on".to_owned()];
    for (size, of) in [((80, 24), "80x24"), ((120, 40), "120x40"), ((200, 60), "200x60")] {
        let shown = |name: &str, app: &App| insta::assert_snapshot!(format!("{name}-{of}"), picture(app));
        let mut app = typed(size, "library/nginx");
        press(&mut app, Content::Small, "enter tab");
        shown("tags", &app);
        let mut app = typed(size, "library/nginx:1.28-alpine");
        press(&mut app, Content::Small, "enter");
        let ticket = app.next;
        let problem = Problem {
            message: "docker.io/library/nginx:1.28-alpine: docker.io does not have it: manifest unknown".to_owned(),
            hints: Vec::new(),
            kind: Kind::NotFound,
        };
        app.update(Msg::Planned(ticket - 1, Err(problem)));
        shown("near", &app);
        let mut app = typed(size, "127.0.0.1:5000/team/app:1");
        plan(&mut app, plain());
        shown("plain", &app);
        for (name, of) in [("here", &here), ("changed", &changed)] {
            let mut app = typed(size, "ghcr.io/org/app:1");
            let plan_of = AddPlan { images: of.images.clone(), known_bytes: of.known_bytes, ..AddPlan::default() };
            plan(&mut app, plan_of);
            shown(name, &app);
        }
        let mut app = typed(size, MANY);
        plan(&mut app, many());
        press(&mut app, Content::Small, "ctrl-o down");
        shown("many", &app);
        let mut app = world::app(size, &UNICODE);
        let effects = app.plan(Request::Add(Vec::new()));
        settle(&mut app, Content::Empty, effects);
        let hint = "The registry is a well-known one: this machine may be offline, or its DNS may not answer.";
        let why = "docker.io was not found: failed to lookup address information";
        let failed = vec![failed("docker.io/library/hello-world:latest", why, hint)];
        let ticket = app.jobs_begun;
        app.update(Msg::Planned(ticket, Ok(Box::new(Plan::Add(AddPlan { failed, ..AddPlan::default() })))));
        shown("offline", &app);
    }
}
