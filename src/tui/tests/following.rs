//! A catalog that follows: the form, what every view says of it, what it refuses, the looks at the name, and the way back.

use std::time::Duration;

use super::super::app::App;
use super::super::dialog::Dialog;
use super::super::effect::Effect;
use super::super::glyphs::{Glyphs, UNICODE};
use super::super::message::Msg;
use super::super::problem::Problem;
use super::super::question::Answer;
use super::super::remembered::Memorable;
use super::super::work::{Outcome, Plan, Request};
use super::own_node::process;
use super::publication::root;
use super::world::{Content, every_size, picture, press, settle, settled};
use crate::engine::follow::{Following, Mode, Setting};
use crate::engine::job::Event;
use crate::error::Kind;

const NAME: &str = "k51qzi5uqu5dgutdk6i1ynyzgkqngpha5xpgia3a5qqp4jsh0u4csozksxel2r";

fn following(app: &App, checked: i64) -> Following {
    let now = app.wall.as_second();
    Following {
        setting: Setting {
            name: NAME.parse().unwrap(),
            sources: vec!["https://a.example.com".into(), "/ip4/192.0.2.7/tcp/4001".into()],
            mode: Mode::Tags,
            every: Duration::from_mins(5),
        },
        key: NAME.parse().ok(),
        sequence: Some(7),
        expires: "2026-11-22T12:00:00Z".parse().ok(),
        newest: Some(root(5)),
        root: Some(root(5)),
        taken_at: Some(now - 86_400),
        checked_at: Some(now - checked),
        failure: None,
    }
}

fn knows(app: &mut App, following: Option<Following>) -> Vec<Effect> {
    let serving = if following.is_some() { vec![process(&[5, 4])] } else { Vec::new() };
    app.update(Msg::Answer(0, Box::new(Answer::Following(following.map(Box::new), serving))))
}

/// A catalog that follows, and was looked at two minutes ago.
fn follower(size: (u16, u16), glyphs: &Glyphs, content: Content) -> App {
    let mut app = settled(size, glyphs, content);
    let now = following(&app, 125);
    let effects = knows(&mut app, Some(now));
    assert!(effects.iter().all(|effect| !matches!(effect, Effect::Start(..))), "{effects:?}");
    app
}

fn started(effects: &[Effect]) -> Option<(u64, &Plan)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Start(id, plan) => Some((*id, &**plan)),
        _ => None,
    })
}

#[test]
fn an_empty_catalog_follows_by_a_form() {
    for (size, glyphs, of) in every_size() {
        let mut app = settled(size, glyphs, Content::Empty);
        press(&mut app, Content::Empty, "F n o w h e r e enter");
        insta::assert_snapshot!(format!("follow-form-{of}"), picture(&app));
        assert!(picture(&app).contains("neither an IPNS name nor a domain"), "{}", picture(&app));
        press(
            &mut app,
            Content::Empty,
            "ctrl-u a . e x a m p l e . c o m down h t t p : / / h down / d n s / p down l",
        );
        let effects = press(&mut app, Content::Empty, "enter");
        let (job, plan) = started(&effects).expect("a job");
        let Plan::Follow { setting, swarm_peers } = plan else { panic!("{plan:?}") };
        assert_eq!((setting.mode, setting.sources.as_slice()), (Mode::Lazy, &["http://h".to_owned()][..]));
        assert_eq!(swarm_peers, &["/dns/p"]);
        assert!(effects.iter().any(|effect| matches!(effect, Effect::Keep(Memorable::Follow(_)))), "{effects:?}");

        // What the source says is told in the form again.
        let message = "http://h does not answer".to_owned();
        app.update(Msg::Ended(job, Err(Problem { message, hints: Vec::new(), kind: Kind::Network })));
        assert!(
            matches!(app.dialogs.last(), Some(Dialog::Flags(form)) if form.fields[form.focus].spec.flag == "--from")
        );
    }
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    press(&mut app, Content::Small, "F");
    assert!(app.dialogs.is_empty() && app.problems[0].message.contains("needs an empty one"), "{:?}", app.problems);
}

#[test]
fn every_view_says_whom_it_follows_and_offers_nothing_that_changes_it() {
    for (size, glyphs, of) in every_size() {
        let mut app = follower(size, glyphs, Content::Small);
        let shown = picture(&app);
        assert!(shown.contains(" follows ") && shown.contains("checked 2 min ago"), "{shown}");
        let footer = shown.lines().last().unwrap_or_default().to_owned();
        assert!(!footer.contains("add") && !footer.contains("remove") && footer.contains("F following"), "{footer}");
        insta::assert_snapshot!(format!("follower-{of}"), shown);
        press(&mut app, Content::Small, "d");
        insta::assert_snapshot!(format!("follower-refuses-{of}"), picture(&app));
        let empty = follower(size, glyphs, Content::Empty);
        insta::assert_snapshot!(format!("follower-empty-{of}"), picture(&empty));
    }
    let mut app = follower((80, 24), &UNICODE, Content::Small);
    for key in ["a", "d", "u", "R", "r", "A"] {
        let effects = press(&mut app, Content::Small, key);
        assert!(effects.is_empty() && app.dialogs.is_empty(), "{key}: {effects:?}");
        let said = app.problems.pop().map(|problem| problem.message).unwrap_or_default();
        assert!(said.starts_with(&format!("This catalog follows {NAME}: `")), "{key}: {said}");
    }
    app.update(Msg::Paste("nginx:1".to_owned()));
    assert!(app.dialogs.is_empty() && app.problems.len() == 1, "{:?}", app.dialogs);
    // What changes no image goes on.
    app.problems.clear();
    press(&mut app, Content::Small, "C");
    assert!(matches!(app.dialogs.last(), Some(Dialog::Planning { request: Request::Gc, .. })), "{:?}", app.dialogs);
}

#[test]
fn the_page_of_what_is_followed_and_the_way_back() {
    for (size, glyphs, of) in every_size() {
        let mut app = follower(size, glyphs, Content::Small);
        press(&mut app, Content::Small, "F");
        insta::assert_snapshot!(format!("following-{of}"), picture(&app));
    }
    let mut app = follower((80, 24), &UNICODE, Content::Small);
    let effects = press(&mut app, Content::Small, "F v");
    assert!(matches!(started(&effects), Some((_, Plan::CheckFollowing))), "{effects:?}");
    let effects = press(&mut app, Content::Small, "e tab tab l enter");
    let Some((_, Plan::Follow { setting, .. })) = started(&effects) else { panic!("{effects:?}") };
    assert_eq!((setting.name.to_string().as_str(), setting.mode), (NAME, Mode::Lazy));
    let effects = press(&mut app, Content::Small, "x");
    let ticket = effects.iter().find_map(|effect| match effect {
        Effect::Plan(ticket, Request::StopFollowing) => Some(*ticket),
        _ => None,
    });
    let ticket = ticket.expect("a plan");
    app.update(Msg::Planned(ticket, Ok(Box::new(Plan::StopFollowing(NAME.to_owned())))));
    insta::assert_snapshot!("stop-following-80x24", picture(&app));
    let effects = press(&mut app, Content::Small, "y");
    let (job, _) = started(&effects).expect("a job");
    let effects = app.update(Msg::Ended(job, Ok(Outcome::FollowingStopped(Some(NAME.to_owned())))));
    settle(&mut app, Content::Small, effects);
    assert!(app.follow_state.following.is_none() && picture(&app).contains("No longer following"), "{}", picture(&app));
}

#[test]
fn a_name_is_looked_at_when_it_is_time_and_only_news_are_a_job() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    let now = following(&app, 300);
    let effects = knows(&mut app, Some(now));
    let Some((job, Plan::LookAtName)) = started(&effects) else { panic!("{effects:?}") };
    assert!(app.jobs.jobs.is_empty());
    let nothing = || Ok(Outcome::NameLookedAt { came: None, notes: Vec::new() });
    app.update(Msg::Ended(job, nothing()));
    assert!(app.jobs.jobs.is_empty() && app.jobs_begun == job - 1 && app.toast.is_none());

    // Not again before it is time, whoever looked.
    let at = |app: &mut App, seconds| {
        let wall = app.wall + Duration::from_secs(seconds);
        app.update(Msg::Tick(app.now + Duration::from_secs(seconds), wall))
    };
    let now = following(&app, 0);
    knows(&mut app, Some(now));
    assert!(started(&at(&mut app, 299)).is_none());
    let effects = at(&mut app, 1);
    let (job, _) = started(&effects).expect("a look");
    app.update(Msg::Job(job, Event::Note("it means another root now.".to_owned())));
    assert_eq!(app.jobs.jobs.len(), 1);
    let came = Some("Holding bafy: 1 image new or changed, 3.0 MiB fetched.".to_owned());
    app.update(Msg::Ended(job, Ok(Outcome::NameLookedAt { came, notes: Vec::new() })));
    assert!(picture(&app).contains("1 image new or changed"), "{}", picture(&app));
}

#[test]
fn what_is_wrong_with_a_look_is_told_once() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    let failed = || {
        let message = "no source has the record; what is here stays".to_owned();
        Err(Problem { message, hints: Vec::new(), kind: Kind::Network })
    };
    let lines = app.log.lines.len();
    for _ in 0..3 {
        app.follow_state.look_soon();
        let late = following(&app, 600);
        let effects = knows(&mut app, Some(late));
        let (job, _) = started(&effects).expect("a look");
        app.update(Msg::Ended(job, failed()));
    }
    assert_eq!(app.log.lines.len(), lines + 1);
    assert!(app.problems.is_empty() && app.jobs.jobs.is_empty());
    let mut failing = following(&app, 20);
    failing.failure = Some("no source has the record; what is here stays".to_owned());
    knows(&mut app, Some(failing));
    assert!(picture(&app).contains("checked 20 s ago, with a problem"), "{}", picture(&app));
}
