//! What runs of rules leave to somebody or to the next run, and plans that wait to be looked at.

use std::time::Duration;

use super::super::app::{App, Tab};
use super::super::describe;
use super::super::dialog::Dialog;
use super::super::effect::Effect;
use super::super::glyphs::UNICODE;
use super::super::message::Msg;
use super::super::problem::Problem;
use super::super::question::Answer;
use super::super::state::decisions::About;
use super::super::state::job::JobState;
use super::super::state::rules::Level;
use super::super::work::{Outcome, Plan, Request, RuleChange, RuleRun, Ruled};
use super::rules::{NOW, image, known, looked, parts, run, shown, view};
use super::world::{Content, picture, press, settle, settled};
use crate::engine::job::Event;
use crate::engine::plan::{AddPlan, Added};
use crate::engine::rules::plan::{LeavingTag, Postponed, PostponedTag, RulePart, RulePlan};
use crate::engine::rules::{RuleOutcome, RulesInForce};
use crate::error::Kind;
use crate::rules::Kept;

fn postponed() -> RulePart {
    let waits = |tag: &str| PostponedTag { image: format!("library/nginx:{tag}"), reason: Postponed::Quota };
    RulePart {
        rule: "nginx".to_owned(),
        selected: ["1.29.1", "1.29.3"].map(|tag| format!("library/nginx:{tag}")).to_vec(),
        postponed: vec![waits("1.29.1")],
        ..RulePart::default()
    }
}

fn braked() -> RulePart {
    let leaving = |tag: &str, until| LeavingTag { image: format!("library/nginx:{tag}"), until: Some(until) };
    RulePart {
        rule: "nginx".to_owned(),
        leaving: vec![leaving("1.29.3", NOW), leaving("1.29.3-alpine", NOW), leaving("1.27", NOW + 3600)],
        brake: Some("2 of the 3 images that it brought would go, which is more than half".to_owned()),
        ..RulePart::default()
    }
}

fn ruled(parts: Vec<RulePart>) -> Outcome {
    let faults = parts.iter().filter_map(|part| Some(format!("rule {}: {}", part.rule, part.brake.as_ref()?)));
    let faults = faults.collect();
    Outcome::Ruled(Box::new(Ruled { parts, added: Added::default(), removed: Vec::new(), faults }))
}

fn look(app: &mut App, parts: Vec<RulePart>) {
    press(app, Content::Ruled, "U");
    let job = app.jobs_begun;
    let effects = app.update(Msg::Ended(job, Ok(Outcome::Looked { parts, only: Vec::new(), beside: Vec::new() })));
    settle(app, Content::Ruled, effects);
    app.toast = None;
}

#[test]
fn there_is_nothing_to_do_only_where_nothing_waits() {
    let words = |parts| describe::outcome(&ruled(parts)).0;
    assert_eq!(words(vec![RulePart::default()]), "nothing to do: 1 rule, everything selected is here");
    assert_eq!(words(vec![postponed()]), "0 images brought, 1 postponed");
    assert_eq!(words(vec![braked()]), "0 images brought");
    assert!(words(parts()).starts_with("0 images brought, 2 held, 1 refused"), "{}", words(parts()));
    let failed = RulePart { failed: vec!["no list".to_owned()], ..RulePart::default() };
    assert_eq!(words(vec![failed]), "0 images brought");
}

#[test]
fn a_page_says_what_is_here_and_what_waits() {
    let mut app = view((120, 40), &UNICODE, "");
    let mut shown = shown(Content::Ruled);
    shown.images.push(image("1.30.0", "nginx", true, None));
    shown.images.push(image("1.30.1", "other", true, None));
    let mut known = known(shown);
    let here = known.here.get_mut("library/nginx").unwrap();
    here.remove("1.30.0");
    here.insert("1.30.1".to_owned());
    here.insert("1.30.1-alpine".to_owned());
    app.update(Msg::Answer(1, Box::new(Answer::Rules(Ok(Box::new(known))))));
    press(&mut app, Content::Ruled, "enter");
    let page = picture(&app);
    let of = |tag: &str| page.lines().find(|line| line.contains(&format!(" {tag} "))).unwrap_or_default().to_owned();
    assert!(of("1.30.0").contains("waits for the next run"), "{page}");
    assert!(of("1.30.1").contains("here, by other"), "{page}");
    assert!(of("1.30.1-alpine").contains("here, by hand"), "{page}");
    assert!(of("1.29.3").contains("brought"), "{page}");
    assert!(of("1.27").contains("leaving, goes in 13 d"), "{page}");
}

#[test]
fn the_list_shows_what_waits_and_what_a_check_found() {
    let mut app = view((120, 40), &UNICODE, "");
    assert!(!picture(&app).contains("POSTPONED"), "{}", picture(&app));
    assert!(picture(&app).contains("REFUSED"), "the last run refused one: {}", picture(&app));
    look(&mut app, vec![postponed()]);
    let list = picture(&app);
    let row = list.lines().find(|line| line.contains("nginx") && line.contains("1.#.#")).unwrap_or_default();
    assert!(list.contains("POSTPONED") && row.contains(" 1? ") && row.contains(" 2? "), "{list}");
    assert!(list.contains("? what a check found: nothing of it was done."), "{list}");
    // A run has done it: the figures are its own again.
    press(&mut app, Content::Ruled, "R");
    let job = app.jobs_begun;
    let effects = app.update(Msg::Ended(job, Ok(ruled(vec![postponed()]))));
    settle(&mut app, Content::Ruled, effects);
    assert!(!picture(&app).contains("? what a check found"), "{}", picture(&app));
    // What waits is not cut off where it is narrow.
    app.update(Msg::Resize(80, 24));
    look(&mut app, vec![postponed()]);
    let list = picture(&app);
    assert!(list.contains("POSTPONED") && list.contains("LAST RUN"), "{list}");
}

#[test]
fn the_plan_of_a_run_is_made_while_one_does_something_else() {
    let mut app = view((80, 24), &UNICODE, "");
    let effects = press(&mut app, Content::Ruled, "R");
    let job = app.jobs_begun;
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Plan(id, _) if *id == job)), "{effects:?}");
    assert!(app.dialogs.is_empty(), "nothing is in the way: {:?}", app.dialogs);
    app.update(Msg::Job(job, Event::Resolving { done: 1, total: 3 }));
    assert!(picture(&app).contains("asking registries, 1 of 3"), "{}", picture(&app));
    // Asking again is no other plan.
    assert!(!press(&mut app, Content::Ruled, "R").iter().any(|effect| matches!(effect, Effect::Plan(..))));
    press(&mut app, Content::Ruled, "2");
    assert_eq!(app.tab, Tab::Jobs);
    press(&mut app, Content::Ruled, "?");
    let planned = || Ok(Box::new(Plan::Rules(Box::new(run()))));
    app.update(Msg::Planned(job, planned()));
    assert!(matches!(app.dialogs.as_slice(), [Dialog::Palette(_)]), "the keys stay: {:?}", app.dialogs);
    let shown = picture(&app);
    assert!(shown.contains("run all rules: the plan is ready, R shows it"), "{shown}");
    press(&mut app, Content::Ruled, "esc");
    assert!(app.dialogs.is_empty());
    insta::assert_snapshot!("plan-ready-80x24", picture(&app));
    press(&mut app, Content::Ruled, "enter");
    assert!(matches!(app.dialogs.last(), Some(Dialog::Confirm(_))), "{:?}", app.dialogs);
    let effects = press(&mut app, Content::Ruled, "y");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Start(id, _) if *id == job)), "{effects:?}");
    assert_eq!(app.jobs.jobs.len(), 1, "it is one job from the beginning");

    // Who waits for it sees it at once; who says no has no job of it.
    let mut app = view((80, 24), &UNICODE, "R");
    let job = app.jobs_begun;
    app.update(Msg::Planned(job, planned()));
    assert!(matches!(app.dialogs.last(), Some(Dialog::Confirm(_))));
    press(&mut app, Content::Ruled, "esc");
    assert!(app.jobs.jobs.is_empty() && app.pending.is_empty());
    // What took long takes no key that was under way.
    press(&mut app, Content::Ruled, "R");
    let job = app.jobs_begun;
    app.update(Msg::Tick(app.now + Duration::from_secs(31), app.wall));
    app.update(Msg::Planned(job, planned()));
    assert!(press(&mut app, Content::Ruled, "y").is_empty() && app.dialogs.len() == 1);
}

#[test]
fn a_plan_that_fails_or_is_cancelled_is_a_job_that_says_so() {
    let mut app = view((80, 24), &UNICODE, "R");
    let job = app.jobs_begun;
    let message = "/srv/mirror.toml, line 4, column 1: `newst` is no key of a rule".to_owned();
    let hints = vec!["Did you mean `newest`?".to_owned()];
    app.update(Msg::Planned(job, Err(Problem { message, hints, kind: Kind::Usage })));
    assert!(matches!(app.jobs.jobs[0].state, JobState::Failed(_)), "{:?}", app.jobs.jobs[0].state);
    assert!(app.problems.last().is_some_and(|problem| problem.message.contains("`newst`")));
    press(&mut app, Content::Ruled, "2");
    let again = press(&mut app, Content::Ruled, "t");
    assert!(again.iter().any(|effect| matches!(effect, Effect::Plan(_, Request::Rules(_)))), "{again:?}");
    let job = app.jobs_begun;
    let effects = press(&mut app, Content::Ruled, "x");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Cancel(id) if *id == job)), "{effects:?}");
    let interrupted = Problem { message: "interrupted".to_owned(), hints: Vec::new(), kind: Kind::Interrupted };
    app.update(Msg::Planned(job, Err(interrupted)));
    assert_eq!(app.jobs.jobs[0].state, JobState::Cancelled);
    // Nothing that was only planned keeps anybody from leaving.
    press(&mut app, Content::Ruled, "R");
    let effects = press(&mut app, Content::Ruled, "q");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Quit { finish: false })), "{effects:?}");
}

#[test]
fn what_the_brake_holds_is_a_decision() {
    let mut app = view((80, 24), &UNICODE, "R");
    let job = app.jobs_begun;
    let mut plan = RulePlan::default();
    plan.rules = vec![braked(), RulePart { rule: "kube".to_owned(), ..RulePart::default() }];
    let quiet = RuleRun {
        only: Vec::new(),
        in_force: RulesInForce::default(),
        plan,
        beside: AddPlan::default(),
        zone: jiff::tz::TimeZone::UTC,
    };
    app.update(Msg::Planned(job, Ok(Box::new(Plan::Rules(Box::new(quiet))))));
    let effects = app.update(Msg::Ended(job, Ok(ruled(vec![braked()]))));
    settle(&mut app, Content::Ruled, effects);
    let shown = picture(&app);
    assert!(shown.contains("To remove them or keep them: w in Rules (6)."), "{shown}");
    press(&mut app, Content::Ruled, "w");
    assert_eq!((app.rules.level, app.rules.decisions.len()), (Level::Decisions, 1));
    insta::assert_snapshot!("brake-80x24", picture(&app));
    let effects = press(&mut app, Content::Ruled, "d");
    let removed = |effect: &Effect| matches!(effect, Effect::Plan(_, Request::Remove(picks)) if picks.len() == 2);
    assert!(effects.iter().any(removed), "{effects:?}");
    press(&mut app, Content::Ruled, "esc i");
    let Some(Dialog::Confirm(confirm)) = app.dialogs.last() else { panic!("{:?}", app.dialogs) };
    let Plan::ChangeRules(RuleChange::Save(draft)) = confirm.plan.as_ref() else { panic!("{confirm:?}") };
    assert_eq!(draft.rule.leave, Kept::Always);
    press(&mut app, Content::Ruled, "esc");

    // What was removed, one by one or all, is decided.
    let mut catalog = known(super::rules::shown(Content::Ruled));
    catalog.here.get_mut("library/nginx").unwrap().remove("1.29.3");
    app.update(Msg::Answer(1, Box::new(Answer::Rules(Ok(Box::new(catalog.clone()))))));
    let one = About::Braked(vec!["library/nginx:1.29.3-alpine".to_owned()]);
    assert_eq!(app.rules.decisions.iter().map(|decision| &decision.about).collect::<Vec<_>>(), [&one]);
    catalog.here.clear();
    app.update(Msg::Answer(1, Box::new(Answer::Rules(Ok(Box::new(catalog))))));
    assert!(app.rules.decisions.is_empty());
}

#[test]
fn a_check_names_what_it_found() {
    let mut app = looked((80, 24), &UNICODE, "2 enter");
    let shown = picture(&app);
    for words in ["new       library/nginx:1.29.2", "held      library/nginx:1.30.1", "leaving   library/nginx:1.27"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    insta::assert_snapshot!("check-job-80x24", shown);
    let text = app.jobs.jobs[0].text();
    assert!(text.contains("refused   registry.k8s.io/kube-apiserver:v1.35.1: stays at "), "{text}");
    assert!(!text.contains("->") && text.lines().all(|line| line.len() < 110), "{text}");
    press(&mut app, Content::Ruled, "esc");
}

#[test]
fn decisions_of_the_last_run_are_said_to_be_of_then() {
    let app = view((120, 40), &UNICODE, "");
    assert!(picture(&app).contains("3 waited for a decision when the rules ran last"), "{}", picture(&app));
    let app = looked((120, 40), &UNICODE, "");
    assert!(picture(&app).contains("4 wait for a decision: w shows what."), "{}", picture(&app));
}

#[test]
fn rules_that_cant_be_read_any_more_do_not_look_healthy() {
    let mut app = view((120, 40), &UNICODE, "");
    let effects = app.update(Msg::RulesChanged);
    assert!(!effects.is_empty(), "they are read again");
    let problem = Problem {
        message: "/srv/mirror.toml, line 4, column 1: `newst` is no key of a rule".to_owned(),
        hints: vec![
            "Did you mean `newest`?".to_owned(),
            "Nothing was done; correct the rules and try again.".to_owned(),
        ],
        kind: Kind::Usage,
    };
    app.update(Msg::Answer(1, Box::new(Answer::Rules(Err(problem.clone())))));
    let shown = picture(&app);
    assert!(shown.contains("Rules, which can't be read now:"), "{shown}");
    let sentences = "/srv/mirror.toml, line 4, column 1: `newst` is no key of a rule. Did you mean `newest`? Nothing was done; \
                     correct the rules and try again.";
    assert_eq!(problem.sentences(), sentences);
}

#[test]
fn times_go_on_while_nobody_types() {
    let mut app = view((80, 24), &UNICODE, "");
    let at = |seconds| Duration::from_secs(seconds);
    assert!(app.is_due(at(1)), "what is new is shown by the second");
    app.update(Msg::Tick(at(100), app.wall));
    assert!(!app.is_due(at(101)), "what is older is not");
    assert!(app.is_due(at(160)), "but by the minute");
    let mut shown = shown(Content::Ruled);
    shown.rules[0].run = Some((NOW - 6 * 3600 + 50, RuleOutcome::default()));
    app.update(Msg::Answer(1, Box::new(Answer::Rules(Ok(Box::new(known(shown)))))));
    app.update(Msg::Tick(at(300), app.wall));
    assert!(app.is_due(at(301)), "a run is due within a minute");
}

#[test]
fn images_say_when_upstream_was_asked_and_what_leaves() {
    let mut app = settled((120, 40), &UNICODE, Content::Small);
    assert!(picture(&app).contains("never checked"), "{}", picture(&app));
    let checked = super::super::question::KnownRules { checked_at: Some(NOW - 7200), ..known(shown(Content::Ruled)) };
    app.update(Msg::Answer(1, Box::new(Answer::Rules(Ok(Box::new(checked))))));
    assert!(picture(&app).contains("last checked 2 h ago"), "{}", picture(&app));
    press(&mut app, Content::Small, "j enter");
    let shown = picture(&app);
    assert!(shown.contains("1.27 (rule nginx, leaving)") || shown.contains("1.27 ◌"), "{shown}");
    assert_eq!(shown.matches("last checked 2 h ago").count(), 1, "{shown}");
    app.update(Msg::Resize(80, 24));
    assert!(picture(&app).contains("last checked 2 h ago"), "{}", picture(&app));
    press(&mut app, Content::Small, "enter");
    for size in [(80, 24), (60, 15), (120, 40), (200, 60)] {
        app.update(Msg::Resize(size.0, size.1));
        assert!(picture(&app).contains("last checked 2 h ago"), "{}", picture(&app));
    }
}
