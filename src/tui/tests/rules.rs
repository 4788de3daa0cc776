//! Rules: pictures of the list, a page, decisions and the form, and what their keys ask for.

use std::sync::Arc;

use crossterm::event::KeyCode;

use super::super::app::{App, Tab};
use super::super::dialog::Dialog;
use super::super::effect::Effect;
use super::super::glyphs::{Glyphs, UNICODE};
use super::super::message::Msg;
use super::super::problem::Problem;
use super::super::question::{Answer, KnownRules, Question};
use super::super::rule_text;
use super::super::state::rules::Level;
use super::super::work::{Outcome, Plan, Request, RuleChange, RuleRun};
use super::world::{self, Content, picture, press, settle, settled};
use crate::catalog::rule_images::RuleImage;
use crate::engine::plan::{AddPlan, Added, PlannedImage, RemovePlan, RemovedImage};
use crate::engine::rules::plan::{HeldTag, LeavingTag, MovedTag, RulePart, RulePlan};
use crate::engine::rules::{Here, NamedImages, RuleOutcome, RulesInForce, ShownRule, ShownRules, TagList};
use crate::error::Kind;
use crate::image::Digest;
use crate::rules::{Moves, Rule, Source, Subject};

/// 2026-11-20T12:00:00Z, as the clock of the pictures says.
pub(super) const NOW: i64 = 1_795_176_000;

pub(super) fn rule(line: &str) -> Rule {
    rule_text::typed(line).unwrap().unwrap()
}

pub(super) fn image(tag: &str, rule: &str, brought: bool, leaving_at: Option<i64>) -> RuleImage {
    RuleImage {
        repository: "library/nginx".to_owned(),
        tag: tag.to_owned(),
        rule: rule.to_owned(),
        brought,
        leaving_at,
        gone: false,
    }
}

/// What the catalog says of its rules.
pub(super) fn shown(content: Content) -> ShownRules {
    let outcome = |selected, new, held, leaving| RuleOutcome { selected, new, held, leaving, ..RuleOutcome::default() };
    let ran = |line, hours: i64, outcome| ShownRule { rule: rule(line), run: Some((NOW - hours * 3600, outcome)) };
    let failed = RuleOutcome {
        failed: vec!["the tags of ghcr.io/org/app can't be listed: ghcr.io requires credentials".to_owned()],
        ..outcome(0, 0, 0, 0)
    };
    match content {
        Content::Ruled => ShownRules {
            rules: vec![
                ran("nginx:1.#.#{,-alpine} nginx:stable-alpine --newest 3 --age 3d --every 6h", 2, outcome(7, 1, 2, 1)),
                ran(
                    "registry.k8s.io/kube-apiserver:v1.#.# --newest 1 --per 2 --lines 3 --moves refuse --name kube",
                    26,
                    RuleOutcome { refused: 1, ..outcome(3, 0, 0, 0) },
                ),
                ran("ghcr.io/org/app:[v]#.#.#", 2, failed),
                ShownRule {
                    rule: rule("compose:/srv/stack/compose.yaml list:/srv/images.txt --leave never"),
                    run: None,
                },
            ],
            images: vec![
                image("1.27", "nginx", true, Some(NOW - 86_400)),
                image("1.29.3", "nginx", true, None),
                image("1.29.3-alpine", "nginx", true, None),
                image("latest", "nginx", false, None),
            ],
            ..ShownRules::default()
        },
        Content::Hostile => ShownRules {
            rules: vec![ran("nginx:1.# --name '\u{202e}gnp.exe שלום'", 2, failed)],
            untrusted: vec!["hook: evil".to_owned()],
            file: Some("/srv/\u{1b}[2J/mirror.toml".into()),
            ..ShownRules::default()
        },
        _ => ShownRules::default(),
    }
}

/// The same, with all of it in the catalog.
pub(super) fn known(shown: ShownRules) -> KnownRules {
    let mut here = Here::new();
    for row in &shown.images {
        here.entry(row.repository.clone()).or_default().insert(row.tag.clone());
    }
    KnownRules { shown, here, checked_at: None }
}

/// What files name.
pub(super) fn named(source: &Source) -> Arc<NamedImages> {
    let Source::Compose(file) = source else { return Arc::default() };
    if !file.ends_with("compose.yaml") {
        let failed = vec![format!("compose:{file}: there is no file `{file}`")];
        return Arc::new(NamedImages { failed, ..NamedImages::default() });
    }
    let images = ["docker.io/library/nginx:1.29.3", "docker.io/library/postgres:18"].map(str::to_owned).to_vec();
    Arc::new(NamedImages { images, skipped: vec!["app: it is built".to_owned()], failed: Vec::new() })
}

/// What a registry lists.
pub(super) fn list(content: Content) -> Result<Arc<TagList>, String> {
    if content == Content::Hostile {
        return Err("it said \u{1b}[2J".to_owned());
    }
    let versions = ["1.27.0", "1.27.5", "1.28.0", "1.29.0", "1.29.1", "1.29.2", "1.29.3", "1.30.0", "1.30.1"];
    let mut tags: Vec<String> = versions.iter().flat_map(|tag| [(*tag).to_owned(), format!("{tag}-alpine")]).collect();
    tags.extend(["latest", "stable-alpine", "v1.34.2", "v1.35.0", "v1.35.1"].map(str::to_owned));
    tags.sort();
    Ok(Arc::new(TagList::of(tags)))
}

/// What upstream was found to have.
pub(super) fn parts() -> Vec<RulePart> {
    let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
    let held = |tag: &str, hours: i64| HeldTag { image: format!("library/nginx:{tag}"), until: NOW + hours * 3600 };
    let leaving = |image: &str, until| LeavingTag { image: image.to_owned(), until };
    vec![
        RulePart {
            rule: "nginx".to_owned(),
            listed: 23,
            selected: ["1.29.1", "1.29.2", "1.29.3"].map(|tag| format!("library/nginx:{tag}")).to_vec(),
            new: vec!["library/nginx:1.29.2".to_owned()],
            held: vec![held("1.30.1", 40), held("1.30.1-alpine", 41)],
            leaving: vec![leaving("library/nginx:1.27", Some(NOW + 13 * 86_400))],
            gone: vec![leaving("library/nginx:latest", None)],
            ..RulePart::default()
        },
        RulePart {
            rule: "kube".to_owned(),
            refused: vec![MovedTag { image: "registry.k8s.io/kube-apiserver:v1.35.1".to_owned(), from: old, to: new }],
            ..RulePart::default()
        },
    ]
}

/// The view Rules, with these keys pressed.
pub(super) fn view(size: (u16, u16), glyphs: &Glyphs, keys: &str) -> App {
    let mut app = settled(size, glyphs, Content::Ruled);
    app.jobs.quotas.insert("docker.io".to_owned(), (17, 100));
    press(&mut app, Content::Ruled, "6");
    if !keys.is_empty() {
        press(&mut app, Content::Ruled, keys);
    }
    app
}

/// The same, after upstream was asked.
pub(super) fn looked(size: (u16, u16), glyphs: &Glyphs, keys: &str) -> App {
    let mut app = view(size, glyphs, "U");
    let job = app.jobs_begun;
    let outcome = Outcome::Looked { parts: parts(), only: Vec::new(), beside: Vec::new() };
    let effects = app.update(Msg::Ended(job, Ok(outcome)));
    settle(&mut app, Content::Ruled, effects);
    app.toast = None;
    press(&mut app, Content::Ruled, keys);
    app
}

fn at_every_size(name: &str, of: impl Fn((u16, u16), &Glyphs) -> App) {
    for (size, glyphs, suffix) in world::every_size() {
        insta::assert_snapshot!(format!("{name}-{suffix}"), picture(&of(size, glyphs)));
    }
}

pub(super) fn key(app: &mut App, code: KeyCode) -> Vec<Effect> {
    app.update(Msg::Key(code.into()))
}

/// Types a text, and answers nothing.
pub(super) fn type_in(app: &mut App, text: &str) -> Vec<Effect> {
    text.chars().flat_map(|letter| key(app, KeyCode::Char(letter))).collect()
}

pub(super) fn run() -> RuleRun {
    let mut plan = RulePlan::default();
    plan.rules = parts();
    plan.rules[0].removed = vec!["library/nginx:1.25".to_owned()];
    plan.add = AddPlan {
        new_bytes: 41 << 20,
        images: vec![PlannedImage::example("library/nginx:1.29.2", &["linux/amd64"], &[])],
        ..AddPlan::default()
    };
    plan.remove =
        RemovePlan { images: vec![RemovedImage::example("library/nginx:1.25", false)], ..RemovePlan::default() };
    RuleRun {
        only: Vec::new(),
        in_force: RulesInForce::default(),
        plan,
        beside: AddPlan::default(),
        zone: jiff::tz::TimeZone::UTC,
    }
}

#[test]
fn the_list() {
    at_every_size("rules", |size, glyphs| view(size, glyphs, ""));
    at_every_size("rules-empty", |size, glyphs| {
        let mut app = settled(size, glyphs, Content::Small);
        press(&mut app, Content::Small, "6");
        app
    });
    let mut app = settled((80, 24), &UNICODE, Content::Hostile);
    press(&mut app, Content::Hostile, "6 enter");
    insta::assert_snapshot!("rules-hostile-80x24", picture(&app));
}

#[test]
fn a_page() {
    at_every_size("rule", |size, glyphs| looked(size, glyphs, "enter"));
    at_every_size("rule-sources", |size, glyphs| view(size, glyphs, "end enter"));
}

#[test]
fn decisions() {
    at_every_size("decisions", |size, glyphs| looked(size, glyphs, "w j"));
}

#[test]
fn forms() {
    at_every_size("rule-form", |size, glyphs| view(size, glyphs, "e"));
    at_every_size("rule-form-new", |size, glyphs| view(size, glyphs, "n n g i n x tab 1 #"));
}

#[test]
fn a_pattern_is_previewed_where_images_are_added() {
    at_every_size("add-rule", |size, glyphs| {
        let mut app = view(size, glyphs, "a");
        let effects = app.update(Msg::Paste("busybox:1.#.#-alpine --newest 2".to_owned()));
        settle(&mut app, Content::Ruled, effects);
        let Some(Dialog::Add(add)) = app.dialogs.last() else { panic!() };
        let effects = app.update(Msg::Rested(add.typing));
        settle(&mut app, Content::Ruled, effects);
        app
    });
}

#[test]
fn plans_and_the_tags_of_images_say_which_rule() {
    at_every_size("rules-plan", |size, glyphs| {
        let mut app = view(size, glyphs, "R");
        let ticket = app.jobs_begun;
        app.update(Msg::Planned(ticket, Ok(Box::new(Plan::Rules(Box::new(run()))))));
        app
    });
    at_every_size("rules-images", |size, glyphs| {
        let mut app = settled(size, glyphs, Content::Ruled);
        press(&mut app, Content::Ruled, "j enter");
        app
    });
}

/// However many keys, one list a repository, and none while keys come.
#[test]
fn one_list_is_asked_for_what_is_typed() {
    let mut app = view((80, 24), &UNICODE, "a");
    let asked = |effects: &[Effect]| {
        effects.iter().filter(|effect| matches!(effect, Effect::Ask(_, Question::TagList(..)))).count()
    };
    let effects = type_in(&mut app, "busybox:1.#.#-alpine");
    assert_eq!(asked(&effects), 0, "{effects:?}");
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Plan(..))), "{effects:?}");
    let typing = |app: &App| match app.dialogs.last() {
        Some(Dialog::Add(add)) => add.typing,
        other => panic!("{other:?}"),
    };
    let number = typing(&app);
    assert_eq!(asked(&app.update(Msg::Rested(number - 1))), 0, "an older rest");
    let effects = app.update(Msg::Rested(number));
    assert_eq!(asked(&effects), 1);
    settle(&mut app, Content::Ruled, effects);
    assert!(picture(&app).contains("Would take 9 tags of 23"), "{}", picture(&app));
    let effects = type_in(&mut app, " --ne");
    assert_eq!(asked(&effects), 0);
    key(&mut app, KeyCode::Tab);
    let effects = type_in(&mut app, " 2");
    let number = typing(&app);
    assert_eq!(asked(&effects) + asked(&app.update(Msg::Rested(number))), 0);
    assert!(picture(&app).contains("Would take 2 tags of 23"), "{}", picture(&app));
}

#[test]
fn enter_makes_the_rule_and_its_run_is_planned() {
    let mut app = view((80, 24), &UNICODE, "a");
    type_in(&mut app, "busybox:1.#.# --newest 2");
    let effects = key(&mut app, KeyCode::Enter);
    let made = effects.iter().find_map(|effect| match effect {
        Effect::Start(job, plan) => match plan.as_ref() {
            Plan::ChangeRules(RuleChange::Save(draft)) => Some((*job, draft.clone())),
            _ => None,
        },
        _ => None,
    });
    let (job, draft) = made.unwrap();
    assert_eq!((draft.old, draft.rule.name.as_str()), (None, "busybox"));
    let effects = app.update(Msg::Ended(job, Ok(Outcome::RuleSaved { rule: Box::new(draft.rule), is_new: true })));
    let planned = |effect: &Effect| matches!(effect, Effect::Plan(_, Request::Rules(only)) if *only == ["busybox"]);
    assert!(effects.iter().any(planned), "{effects:?}");

    // A name that is taken is said before.
    let mut app = view((80, 24), &UNICODE, "a");
    type_in(&mut app, "nginx:1.#.#");
    assert!(picture(&app).contains("already called nginx"), "{}", picture(&app));
    assert!(key(&mut app, KeyCode::Enter).is_empty());
}

#[test]
fn a_form_that_could_not_be_saved_is_shown_again() {
    let mut app = view((80, 24), &UNICODE, "e");
    type_in(&mut app, " 9.#");
    key(&mut app, KeyCode::Enter);
    assert!(app.dialogs.is_empty(), "it is being saved");
    let problem = Problem { message: "the rules changed meanwhile".to_owned(), hints: Vec::new(), kind: Kind::Usage };
    let job = app.jobs_begun;
    app.update(Msg::Ended(job, Err(problem)));
    assert!(app.problems.is_empty() && picture(&app).contains("the rules changed meanwhile"), "{}", picture(&app));
    assert!(picture(&app).contains("9.#"));
}

#[test]
fn all_rules_are_run_where_there_are_any() {
    let request = |content, keys| {
        let mut app = settled((80, 24), &UNICODE, content);
        press(&mut app, content, keys).into_iter().find_map(|effect| match effect {
            Effect::Plan(_, request) => Some(request),
            _ => None,
        })
    };
    assert_eq!(request(Content::Ruled, "R"), Some(Request::Rules(Vec::new())));
    assert_eq!(request(Content::Small, "R"), Some(Request::Update(Vec::new())));
    assert_eq!(request(Content::Ruled, "6 j r"), Some(Request::Rules(vec!["kube".to_owned()])));
}

#[test]
fn a_run_that_removes_asks_and_one_that_does_nothing_is_only_noted() {
    let mut app = view((80, 24), &UNICODE, "R");
    let ticket = app.jobs_begun;
    app.update(Msg::Planned(ticket, Ok(Box::new(Plan::Rules(Box::new(run()))))));
    assert!(key(&mut app, KeyCode::Enter).is_empty(), "Enter keeps everything");
    assert!(app.dialogs.is_empty());

    let mut app = view((80, 24), &UNICODE, "R");
    let ticket = app.jobs_begun;
    let mut plan = RulePlan::default();
    plan.rules = parts();
    let quiet = RuleRun {
        only: Vec::new(),
        in_force: RulesInForce::default(),
        plan,
        beside: AddPlan::default(),
        zone: jiff::tz::TimeZone::UTC,
    };
    let effects = app.update(Msg::Planned(ticket, Ok(Box::new(Plan::Rules(Box::new(quiet))))));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Start(..))), "{effects:?}");
    assert_eq!(app.rules.waiting(), 4, "what the plan held is to be decided");

    // Of a rule that was not looked at the last run counts.
    let mut app = view((80, 24), &UNICODE, "j c");
    let job = app.jobs_begun;
    let outcome = Outcome::Looked { parts: parts(), only: vec!["kube".to_owned()], beside: Vec::new() };
    app.update(Msg::Ended(job, Ok(outcome)));
    assert_eq!((app.rules.decisions.len(), app.rules.waiting()), (1, 3));

    // A run of another process since then found something else.
    let mut shown = shown(Content::Ruled);
    shown.rules[1].run = Some((NOW + 60, RuleOutcome { refused: 2, ..RuleOutcome::default() }));
    app.update(Msg::Answer(1, Box::new(Answer::Rules(Ok(Box::new(known(shown)))))));
    assert_eq!((app.rules.decisions.len(), app.rules.waiting()), (0, 4));
}

#[test]
fn what_is_decided_is_taken_excepted_ignored_or_removed() {
    let mut app = looked((80, 24), &UNICODE, "w");
    assert_eq!((app.rules.level, app.rules.decisions.len()), (Level::Decisions, 4));
    let effects = press(&mut app, Content::Ruled, "t");
    let taken = effects.iter().find_map(|effect| match effect {
        Effect::Plan(_, Request::Add(requests)) => Some((requests[0].source.to_string(), requests[0].rule.is_some())),
        _ => None,
    });
    let (taken, is_of_rule) = taken.unwrap();
    assert!(taken == "docker.io/library/nginx:1.30.1" && is_of_rule, "it stays the rule's: {taken}");
    assert!(app.dialogs.is_empty(), "its plan is a job");

    let ignored = |app: &App| match app.dialogs.last() {
        Some(Dialog::Confirm(confirm)) => match confirm.plan.as_ref() {
            Plan::ChangeRules(RuleChange::Save(draft)) => draft.rule.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    press(&mut app, Content::Ruled, "i");
    let rule = ignored(&app);
    let Subject::Repository { tags, .. } = &rule.subject else { panic!() };
    assert_eq!(tags.except.iter().map(ToString::to_string).collect::<Vec<_>>(), ["1.30.1"]);
    insta::assert_snapshot!("ignore-80x24", picture(&app));
    press(&mut app, Content::Ruled, "esc end i");
    assert_eq!(ignored(&app).moves, Moves::Ignore);
    press(&mut app, Content::Ruled, "esc d");
    assert!(picture(&app).contains("It is not here"), "{}", picture(&app));
    let effects = press(&mut app, Content::Ruled, "k d");
    let removed = |effect: &Effect| matches!(effect, Effect::Plan(_, Request::Remove(picks)) if picks.len() == 1);
    assert!(effects.iter().any(removed), "{effects:?}");

    // What was brought by hand waits no longer.
    let added = Added { verb: "add".to_owned(), recorded: vec!["library/nginx:1.30.1".to_owned()], ..Added::default() };
    let job = app.jobs_begun;
    app.update(Msg::Ended(job, Ok(Outcome::Added(added))));
    assert_eq!(app.rules.decisions.len(), 3);
}

#[test]
fn decisions_that_are_not_known_are_asked_for_first() {
    let mut app = view((80, 24), &UNICODE, "");
    assert_eq!(app.rules.waiting(), 3, "as the last runs counted");
    let effects = press(&mut app, Content::Ruled, "w");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Start(..))), "{effects:?}");
    let job = app.jobs_begun;
    app.update(Msg::Ended(job, Ok(Outcome::Looked { parts: parts(), only: Vec::new(), beside: Vec::new() })));
    assert_eq!(app.rules.level, Level::Decisions);
}

#[test]
fn the_list_is_sorted_and_filtered_and_rules_that_cant_be_read_say_so() {
    let mut app = view((80, 24), &UNICODE, "> / k u b enter");
    assert_eq!(app.rules.rows().len(), 1);
    press(&mut app, Content::Ruled, "esc");
    let names = |app: &App| app.rules.rows().iter().map(|shown| shown.rule.name.to_string()).collect::<Vec<_>>();
    assert!(names(&app).is_sorted());
    press(&mut app, Content::Ruled, "s");
    assert!(names(&app).iter().rev().is_sorted());
    let message = "the rule file /srv/mirror.toml can't be read".to_owned();
    let problem = Problem { message, hints: Vec::new(), kind: Kind::Usage };
    app.update(Msg::Answer(1, Box::new(Answer::Rules(Err(problem)))));
    assert!(picture(&app).contains("can't be read"), "{}", picture(&app));
    assert_eq!(app.tab, Tab::Rules);
}

/// The list of a repository is asked once, and `c` asks anew.
#[test]
fn a_page_lists_once() {
    let mut app = view((80, 24), &UNICODE, "");
    let asks =
        |effects: &[Effect]| effects.iter().any(|effect| matches!(effect, Effect::Ask(_, Question::TagList(..))));
    let effects = key(&mut app, KeyCode::Enter);
    assert!(asks(&effects));
    settle(&mut app, Content::Ruled, effects);
    key(&mut app, KeyCode::Esc);
    assert!(!asks(&key(&mut app, KeyCode::Enter)));
    assert!(asks(&key(&mut app, KeyCode::Char('c'))));
}

#[test]
fn a_first_run_takes_the_file_that_is_here() {
    let mut app = settled((80, 24), &UNICODE, Content::Empty);
    assert!(picture(&app).contains("takes compose.yaml, which is here"), "{}", picture(&app));
    press(&mut app, Content::Empty, "f");
    assert!(picture(&app).contains("> compose:compose.yaml"), "{}", picture(&app));
    let effects = press(&mut app, Content::Empty, "enter");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Start(..))), "{effects:?}");
    app.compose_file = None;
    press(&mut app, Content::Empty, "f");
    insta::assert_snapshot!("first-file-80x24", picture(&app));
}

#[test]
fn where_only_looking_is_allowed_rules_are_looked_at() {
    let looking = |keys: &str| {
        let mut app = settled((120, 40), &UNICODE, Content::Ruled);
        app.read_only = Some("it was started with `--read-only`");
        let effects = press(&mut app, Content::Ruled, keys);
        (app, effects)
    };
    for keys in ["6 e", "6 n", "6 r", "6 d", "6 enter e", "R"] {
        let (app, effects) = looking(keys);
        assert!(effects.is_empty() && app.dialogs.is_empty(), "{keys}: {effects:?}");
        assert!(app.problems.last().is_some_and(|problem| problem.message.contains("is read-only")), "{keys}");
    }
    for keys in ["6 c", "U", "6 w"] {
        let (app, effects) = looking(keys);
        assert!(effects.iter().any(|effect| matches!(effect, Effect::Start(..))) && app.problems.is_empty(), "{keys}");
    }
}
