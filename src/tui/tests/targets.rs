//! Targets: what their names are said to be, how they are saved and tried, and what the lists show of many.

use std::time::Duration;

use super::super::describe::{Role, difference};
use super::super::dialog::Dialog;
use super::super::effect::Effect;
use super::super::glyphs::{ASCII, UNICODE};
use super::super::message::Msg;
use super::super::problem::Problem;
use super::super::question::{Answer, Question};
use super::super::work::{Outcome, Plan, Request};
use super::publication::{history, home, plan, planned, publication, root, sight, tag, target, two, view};
use super::world::{Content, picture, press, settled};
use crate::engine::publish::plan::PublishRequest;
use crate::engine::query::diff::{Amount, ChangeKind, Difference, RepositoryDifference, TagDifference};
use crate::engine::query::history::PublicationView;
use crate::engine::targets::{ALLOWED, Check, Leads, Outcome as Found, Part, SeenRecord, Sight, TargetView, Trial};
use crate::error::{Error, Kind};

#[test]
fn a_name_that_its_node_cant_look_up_is_no_contradiction() {
    for (size, of) in [((80, 24), "80x24"), ((120, 40), "120x40")] {
        let home = home(Some(5), 5);
        let seen = Sight { ipns: Some(Ok(Leads::Unseen)), ..sight(&home, Some(5)) };
        let app = view(size, &UNICODE, 5, vec![(home, seen)], history(5));
        let shown = picture(&app);
        assert!(shown.contains("✓ current") && !shown.contains("differs"), "{shown}");
        insta::assert_snapshot!(format!("publish-unseen-{of}"), shown);
    }
}

#[test]
fn what_was_seen_before_it_was_published_is_no_difference() {
    let now = home(Some(5), 5);
    let before = Sight { root: Some(root(4).to_string()), ..sight(&now, Some(4)) };
    let mut app = view((120, 40), &UNICODE, 5, vec![(now, before)], history(5));
    let shown = picture(&app);
    assert!(!shown.contains("differs") && shown.contains("is being looked up"), "{shown}");
    let effects = app.update(Msg::Tick(app.now + Duration::from_secs(2), app.wall));
    let asked = |effect: &Effect| matches!(effect, Effect::Ask(_, Question::Sight(name)) if name == "home");
    assert!(effects.iter().any(asked), "it is looked at again soon: {effects:?}");
}

#[test]
fn a_tag_that_goes_is_shown_as_going_where_roots_are_compared() {
    let tag = |name, kind| TagDifference {
        change: tag(name, kind),
        platforms_added: Vec::new(),
        platforms_removed: Vec::new(),
    };
    let nginx = RepositoryDifference {
        repository: "library/nginx".to_owned(),
        kind: ChangeKind::Changed,
        tags: vec![tag("1.25", ChangeKind::Removed), tag("1.27", ChangeKind::Changed)],
    };
    let (added, removed) = (Amount::default(), Amount::default());
    let (before, after) = (root(1).to_string(), root(2).to_string());
    let rows = difference(&Difference { before, after, repositories: vec![nginx], added, removed });
    assert!(rows.contains(&(Role::Danger, "    - 1.25".to_owned())), "{rows:?}");
    assert!(rows.contains(&(Role::Warning, "    ~ 1.27".to_owned())), "{rows:?}");
}

/// A history in which an older root was published again.
fn rolled_back() -> Vec<PublicationView> {
    let mut all = history(3);
    let again = PublicationView {
        id: 9,
        verb: "rollback".to_owned(),
        current: true,
        same_root: true,
        ..publication(2, "home", "1 repository added")
    };
    for publication in &mut all {
        (publication.current, publication.same_root) = (false, publication.id == 2);
    }
    all.insert(0, again);
    all
}

#[test]
fn the_root_that_is_given_out_is_nothing_to_go_back_to() {
    for (size, of) in [((80, 24), "80x24"), ((120, 40), "120x40")] {
        let home = home(Some(2), 3);
        let seen = sight(&home, Some(2));
        let mut app = view(size, &UNICODE, 3, vec![(home, seen)], rolled_back());
        press(&mut app, Content::Small, "j j j");
        insta::assert_snapshot!(format!("publish-same-root-{of}"), picture(&app));
        let effects = press(&mut app, Content::Small, "b");
        assert!(effects.is_empty() && app.dialogs.is_empty(), "{effects:?}");
        assert!(picture(&app).contains("there is nothing to roll back to"));
    }
}

#[test]
fn long_names_have_the_room_that_there_is() {
    for (size, of) in [((80, 24), "80x24"), ((120, 40), "120x40"), ((200, 60), "200x60")] {
        let mut many: Vec<_> = ["cellar-with-a-very-long-name", "attic-with-another-long-name"]
            .map(|name| target(name, "http://127.0.0.1:5003", None, Some(5), 5))
            .into_iter()
            .map(|target| (target.clone(), sight(&target, None)))
            .collect();
        many.extend((0..9).map(|number| {
            let target = target(&format!("node-{number}"), "http://127.0.0.1:5004", None, Some(5), 5);
            (target.clone(), sight(&target, None))
        }));
        let app = view(size, &UNICODE, 5, many, history(5));
        let shown = picture(&app);
        assert!(size.0 == 120 || shown.contains("cellar-with-a-very-long-name "), "{shown}");
        assert!(size.1 > 24 || (shown.contains(" of 11 ") && shown.contains("more: ")), "{shown}");
        insta::assert_snapshot!(format!("publish-long-{of}"), shown);
    }
}

#[test]
fn what_is_beside_the_lists_is_not_shown_over_them() {
    let open = |size, published, keys| {
        let home = home(Some(published), 5);
        let seen = sight(&home, Some(published));
        let mut app = view(size, &UNICODE, 5, vec![(home, seen)], history(published));
        press(&mut app, Content::Small, keys);
        app
    };
    let app = open((200, 60), 5, "j j enter");
    assert!(app.dialogs.is_empty() && picture(&app).contains("beside the lists"));
    assert_eq!(open((80, 24), 5, "j j enter").dialogs.len(), 1);
    assert_eq!(open((120, 15), 4, "enter").dialogs.len(), 1, "not all that differs fits beside");
}

#[test]
fn what_cant_be_saved_is_shown_again_where_it_was_written() {
    let mut app = view((80, 24), &UNICODE, 1, Vec::new(), Vec::new());
    press(&mut app, Content::Small, "n h o m e tab h t t p s : / / h tab / n o p e enter");
    assert!(app.dialogs.is_empty(), "it is being saved");
    let message = "can't read the secret in /nope: No such file or directory".to_owned();
    let hints = vec!["The user who runs this must be able to read it.".to_owned()];
    let job = app.jobs_begun;
    app.update(Msg::Ended(job, Err(Problem { message, hints, kind: Kind::NotFound })));
    assert!(app.problems.is_empty(), "it is told in the form");
    insta::assert_snapshot!("form-refused-80x24", picture(&app));
    press(&mut app, Content::Small, "enter");
    let job = app.jobs_begun;
    app.update(Msg::Ended(job, Ok(Outcome::TargetSaved("home".to_owned(), Vec::new()))));
    assert!(app.dialogs.is_empty() && picture(&app).contains("Saved home"));
    // The cursor goes to it, wherever it is.
    let targets = vec![target("aaa", "http://127.0.0.1:1", None, None, 1), home(None, 1)];
    app.update(Msg::Answer(0, Box::new(Answer::Targets(targets, Vec::new()))));
    assert_eq!(app.publish.cursor, 1);
}

#[test]
fn a_target_is_tested_as_soon_as_it_is_saved_if_that_is_asked_for() {
    let mut app = view((80, 24), &UNICODE, 1, Vec::new(), Vec::new());
    let tested = |effects: &[Effect]| {
        effects.iter().any(|effect| matches!(effect, Effect::Start(_, plan) if matches!(plan.as_ref(), Plan::TestTarget(name) if name == "home")))
    };
    press(&mut app, Content::Small, "n h o m e");
    insta::assert_snapshot!("form-test-80x24", picture(&app));
    press(&mut app, Content::Small, "ctrl-t");
    assert!(app.dialogs.is_empty());
    let job = app.jobs_begun;
    let effects = app.update(Msg::Ended(job, Ok(Outcome::TargetSaved("home".to_owned(), Vec::new()))));
    assert!(tested(&effects), "{effects:?}");
    press(&mut app, Content::Small, "n h o m e 2 enter");
    let job = app.jobs_begun;
    let effects = app.update(Msg::Ended(job, Ok(Outcome::TargetSaved("home2".to_owned(), Vec::new()))));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Start(..))), "{effects:?}");
}

#[test]
fn what_failed_of_a_target_is_told_first() {
    let check = |part, what: &str, outcome, detail: &str, hint: Option<&str>| Check {
        part,
        what: what.to_owned(),
        outcome,
        detail: detail.to_owned(),
        hints: hint.map(str::to_owned).into_iter().collect(),
        kind: None,
    };
    let mut checks = vec![check(Part::Node, "reachable", Found::Good, "127.0.0.1:5001, peer 12D3KooW, 8 peers", None)];
    let rights = ["reach the node", "see its state", "read blocks", "import", "see pins", "pin", "list keys"];
    checks.extend(rights.map(|right| check(Part::Node, right, Found::Good, ALLOWED, None)));
    checks.extend([
        check(Part::Node, "version", Found::Doubtful, "kubo/0.30.0", Some("Upgrade the node.")),
        check(Part::Ipns, "key", Found::Good, "self: k51qzi5uqu5dgpd", None),
        check(
            Part::Dnslink,
            "zone",
            Found::Failed,
            "no such key",
            Some("Change the server or provider with `roadstead target set`."),
        ),
        check(Part::Dnslink, "change", Found::Skipped, "an earlier check failed", None),
    ]);
    let trial = Trial { target: "home".to_owned(), checks };
    for (size, glyphs, of) in [((80, 24), &UNICODE, "80x24"), ((80, 24), &ASCII, "80x24-ascii")] {
        let home = home(Some(5), 5);
        let seen = sight(&home, Some(5));
        let mut app = view(size, glyphs, 5, vec![(home, seen)], history(5));
        app.start(Box::new(Plan::TestTarget("home".to_owned())), None);
        let job = app.jobs_begun;
        app.update(Msg::Ended(job, Ok(Outcome::Tested(trial.clone()))));
        insta::assert_snapshot!(format!("trial-{of}"), picture(&app));
    }
}

#[test]
fn a_cache_that_is_behind_is_no_record_that_differs() {
    let target = home(Some(5), 5);
    let old = |sight: Sight| sight.record.unwrap().resolver;
    let mut seen = sight(&target, Some(5));
    let record =
        SeenRecord { authority: seen.record.take().unwrap().authority, resolver: old(sight(&target, Some(4))) };
    seen.record = Some(record);
    let shown = picture(&view((120, 40), &UNICODE, 5, vec![(target.clone(), seen)], history(5)));
    assert!(!shown.contains("record differs") && shown.contains("✓ current"), "{shown}");
    assert!(shown.contains("caches may lag up to 41 s"), "{shown}");

    // Where the zone can't be asked, only the cache is known.
    let mut seen = sight(&target, Some(4));
    let resolver = old(sight(&target, Some(4)));
    let authority = Err(Error::new(Kind::Network, "the DNS server ns1.example.org:53 does not answer"));
    seen.record = Some(SeenRecord { authority, resolver });
    let shown = picture(&view((120, 40), &UNICODE, 5, vec![(target, seen)], history(5)));
    assert!(!shown.contains("record differs") && shown.contains("record may lag"), "{shown}");
}

#[test]
fn nothing_to_publish_to_is_no_success() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    press(&mut app, Content::Small, "p");
    insta::assert_snapshot!("publish-nowhere-80x24", picture(&app));
}

/// One target of each kind, all with the same root but one: who has it, what it took, and what is unverified.
#[test]
fn all_kinds_of_places_side_by_side() {
    use crate::catalog::targets::NodeSettings;
    use crate::node::Holder;
    let of = |name: &str, node: NodeSettings, published: Option<u8>, sent: u64, requests: Option<u64>| {
        let mut view = TargetView { sent: Some(sent), requests, ..target(name, "", None, published, 5) };
        (view.settings.node, view.settings.ipns) = (node, None);
        view.settings.gateways.clear();
        view
    };
    let holder = |name: &str| Holder {
        peer_id: format!("12D3Koo{name}"),
        name: name.to_owned(),
        holds: true,
        state: "pinned".to_owned(),
        error: None,
    };
    let mut cluster = of("cluster", NodeSettings::cluster("http://10.0.0.4:9094"), Some(5), 214 << 20, Some(37));
    (cluster.unverified, cluster.holders) = (true, vec![holder("berlin"), holder("oslo")]);
    let mut service = of("pins", NodeSettings::pinning("https://pins.example.org/psa"), Some(5), 0, Some(6));
    service.unverified = true;
    let all = [
        of("away", NodeSettings::ssh("ssh://www.example.org/srv/registry"), Some(4), 87 << 20, None),
        of("bucket", NodeSettings::s3("s3://registry"), Some(5), 219 << 20, Some(1204)),
        cluster,
        home(Some(5), 5),
        service,
    ];
    let app = |size, glyphs: &_| {
        let seen = all.iter().map(|target| (target.clone(), sight(target, None))).collect();
        let mut app = view(size, glyphs, 5, seen, history(5));
        press(&mut app, Content::Small, "j j");
        app
    };
    for (size, glyphs, of) in super::world::every_size() {
        insta::assert_snapshot!(format!("publish-places-{of}"), picture(&app(size, glyphs)));
    }
}

#[test]
fn a_publication_is_planned_while_one_does_something_else() {
    let mut app = two((80, 24), &UNICODE);
    app.plan(Request::Publish(PublishRequest::default()));
    let job = app.jobs_begun;
    assert!(app.dialogs.is_empty(), "nothing lies over the view");
    press(&mut app, Content::Small, "1 j");
    let plan = plan(vec![planned(&home(Some(4), 5), 1, Some(4), 5)]);
    app.update(Msg::Planned(job, Ok(Box::new(Plan::Publish(plan)))));
    assert!(app.dialogs.is_empty() && picture(&app).contains("the plan is ready, p shows it"), "{}", picture(&app));
    press(&mut app, Content::Small, "p");
    assert!(matches!(app.dialogs.last(), Some(Dialog::Confirm(_))), "{:?}", app.dialogs);
}
