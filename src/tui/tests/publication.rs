//! Pictures of the view Publish: targets as they may look from outside, what was published, the form, plans and outcomes.

use std::time::Duration;

use cid::{Cid, multihash::Multihash};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::app::App;
use super::super::describe::Role;
use super::super::glyphs::{Glyphs, UNICODE};
use super::super::message::Msg;
use super::super::problem::Problem;
use super::super::question::Answer;
use super::super::work::{Outcome, Plan, Request};
use super::world::{self, Content, picture, press, settled};
use crate::catalog::publications::State;
use crate::catalog::targets::{DnslinkSettings, NodeSettings, Secret, Target, TargetSettings, ZoneSettings};
use crate::engine::job::{Event, PublishStep, StepState};
use crate::engine::publish::plan::{
    FailedTarget, PlannedName, PlannedRecord, PlannedTarget, PublishOutcome, PublishPlan, PublishRequest, TargetOutcome,
};
use crate::engine::query::diff::{
    Amount, ChangeKind, Difference, RepositoryChange, RepositoryDifference, TagChange, TagDifference,
};
use crate::engine::query::history::PublicationView;
use crate::engine::targets::{Leads, SeenRecord, Sight, TargetView};
use crate::error::{Error, Kind};
use crate::naming::{Atomicity, TxtSet};
use crate::node::Status;

pub(super) fn root(number: u8) -> Cid {
    Cid::new_v1(0x70, Multihash::wrap(0x12, &[number.wrapping_mul(37); 32]).unwrap())
}

fn settings(kubo: &str, domain: Option<&str>, ipns: Option<&str>) -> TargetSettings {
    TargetSettings {
        node: NodeSettings::kubo(kubo),
        keep: 5,
        ipns: ipns.map(str::to_owned),
        dnslink: domain.map(|domain| DnslinkSettings {
            domain: domain.to_owned(),
            zone: ZoneSettings::Rfc2136 {
                server: "ns1.example.org:53".to_owned(),
                key: "registry".to_owned(),
                algorithm: "hmac-sha256".to_owned(),
                secret: Secret::File("/etc/roadstead/tsig".into()),
            },
            ttl: 60,
        }),
        gateways: vec!["https://ipfs.example.org".to_owned()],
    }
}

pub(super) fn target(name: &str, kubo: &str, domain: Option<&str>, published: Option<u8>, now: u8) -> TargetView {
    TargetView {
        name: name.to_owned(),
        settings: settings(kubo, domain, domain.map(|_| "self")),
        added: "2026-11-01T08:00:00Z".to_owned(),
        root: published.map(|number| root(number).to_string()),
        published: published.map(|number| format!("2026-11-{:02}T09:30:00Z", 10 + number)),
        behind: published != Some(now),
        running: None,
        pinned: published.map_or(0, u64::from),
        sent: published.map(|number| u64::from(number) * (87 << 20)),
        requests: published.map(|number| 40 + u64::from(number)),
        serving: None,
        holders: Vec::new(),
        unverified: false,
        ipns_name: None,
    }
}

pub(super) fn publication(number: u8, target: &str, summary: &str) -> PublicationView {
    PublicationView {
        id: number.into(),
        target: target.to_owned(),
        target_removed: false,
        root: root(number).to_string(),
        former: number.checked_sub(1).filter(|before| *before > 0).map(|before| root(before).to_string()),
        verb: "publish".to_owned(),
        state: State::Published,
        current: false,
        same_root: false,
        begun: format!("2026-11-{:02}T09:29:48Z", 10 + number),
        ended: Some(format!("2026-11-{:02}T09:30:00Z", 10 + number)),
        blocks: 1200 * u64::from(number),
        bytes: u64::from(number) * (87 << 20),
        requests: Some(40 + u64::from(number)),
        summary: summary.to_owned(),
        failure: None,
        pinned: true,
        kept: true,
    }
}

pub(super) fn sight(target: &TargetView, seen: Option<u8>) -> Sight {
    let link = |number: u8| format!("/ipfs/{}", root(number));
    Sight {
        target: target.name.clone(),
        root: target.root.clone(),
        node: Ok(Status {
            agent: "kubo/0.43.1/".to_owned(),
            peer_id: "12D3KooWDPAk1ry7XoNLm6N8fJP8ACyhZzaRtmBUX6e4DsWW4mAV".to_owned(),
            peers: Some(318),
            repository_size: 12 << 30,
            storage_max: Some(100 << 30),
            ..Status::default()
        }),
        pinned: target.root.as_ref().map(|_| true),
        holders: Vec::new(),
        record: target.settings.dnslink.as_ref().map(|_| {
            let set = || match seen {
                Some(number) => TxtSet { values: vec![format!("dnslink={}", link(number))], ttl: Some(41) },
                None => TxtSet { values: Vec::new(), ttl: None },
            };
            SeenRecord { authority: Ok(set()), resolver: Ok(set()) }
        }),
        ipns: target.settings.ipns.as_ref().map(|_| Ok(seen.map_or(Leads::Nowhere, |number| Leads::To(link(number))))),
    }
}

fn lost(target: &TargetView) -> Sight {
    let error = Error::new(Kind::Node, "ask the node: can't reach 127.0.0.1:5002: connection refused")
        .hint("Start it with `ipfs daemon`, or change the target's URL.");
    Sight { node: Err(error), pinned: None, record: None, ipns: None, ..sight(target, None) }
}

/// What the catalog's root is in the pictures: the one that `world` says, or a target's.
fn catalog_is(app: &mut App, now: u8) {
    if let Some(overview) = &mut app.overview {
        overview.root = Some(root(now).to_string());
    }
}

pub(super) fn tag(name: &str, kind: ChangeKind) -> TagChange {
    TagChange { tag: name.to_owned(), kind, before: None, after: None }
}

fn changes() -> Vec<RepositoryChange> {
    let of = |repository: &str, kind, tags: &[(&str, ChangeKind)]| RepositoryChange {
        repository: repository.to_owned(),
        kind,
        tags: tags.iter().map(|(name, kind)| tag(name, *kind)).collect(),
    };
    vec![
        of("ghcr.io/org/app", ChangeKind::Added, &[("2.4.0", ChangeKind::Added), ("latest", ChangeKind::Added)]),
        of(
            "library/nginx",
            ChangeKind::Changed,
            &[("1.27", ChangeKind::Changed), ("1.28", ChangeKind::Added), ("1.25", ChangeKind::Removed)],
        ),
        of("library/old-proxy", ChangeKind::Removed, &[("3", ChangeKind::Removed)]),
    ]
}

fn difference(before: u8, after: u8) -> Difference {
    let repositories = changes().into_iter().map(|change| RepositoryDifference {
        repository: change.repository,
        kind: change.kind,
        tags: change
            .tags
            .into_iter()
            .map(|change| TagDifference { change, platforms_added: Vec::new(), platforms_removed: Vec::new() })
            .collect(),
    });
    Difference {
        before: root(before).to_string(),
        after: root(after).to_string(),
        repositories: repositories.collect(),
        added: Amount { blobs: 14, bytes: 212 << 20 },
        removed: Amount { blobs: 5, bytes: 31 << 20 },
    }
}

/// The view with these targets, each as it looks from outside, and this history; the catalog stands for this root.
pub(super) fn view(
    size: (u16, u16),
    glyphs: &Glyphs,
    now: u8,
    targets: Vec<(TargetView, Sight)>,
    history: Vec<PublicationView>,
) -> App {
    let mut app = settled(size, glyphs, Content::Small);
    catalog_is(&mut app, now);
    let (targets, sights): (Vec<TargetView>, Vec<Sight>) = targets.into_iter().unzip();
    let behind: Vec<u8> =
        (1..now).filter(|number| targets.iter().any(|t| t.root == Some(root(*number).to_string()))).collect();
    app.update(Msg::Answer(0, Box::new(Answer::Targets(targets, history))));
    app.update(Msg::Key(KeyEvent::new(KeyCode::Char('3'), KeyModifiers::NONE)));
    for sight in sights {
        app.update(Msg::Answer(0, Box::new(Answer::Sight(sight.target.clone(), Ok(Box::new(sight))))));
    }
    for before in behind {
        let sides = (root(before).to_string(), root(now).to_string());
        app.update(Msg::Answer(0, Box::new(Answer::Difference(sides, Ok(Box::new(difference(before, now)))))));
    }
    app
}

fn at_every_size(name: &str, make: impl Fn((u16, u16), &Glyphs) -> App) {
    for (size, glyphs, of) in world::every_size() {
        insta::assert_snapshot!(format!("{name}-{of}"), picture(&make(size, glyphs)));
    }
}

pub(super) fn home(published: Option<u8>, now: u8) -> TargetView {
    target("home", "http://127.0.0.1:5001", Some("registry.example.org"), published, now)
}

pub(super) fn history(current: u8) -> Vec<PublicationView> {
    let mut all = vec![
        publication(5, "home", "1 repository changed, 1 added"),
        publication(4, "home", "2 repositories changed"),
        publication(3, "home", "1 repository removed"),
        publication(2, "home", "3 repositories added, 1 changed"),
        publication(1, "home", "12 repositories added"),
    ];
    all.retain(|publication| publication.id <= i64::from(current));
    if let Some(newest) = all.first_mut() {
        (newest.current, newest.same_root) = (true, true);
    }
    for old in all.iter_mut().skip(3) {
        old.pinned = false;
    }
    if let Some(oldest) = all.iter_mut().find(|publication| publication.id == 1) {
        oldest.kept = false;
    }
    all
}

#[test]
fn one_target_that_is_current() {
    at_every_size("publish-current", |size, glyphs| {
        let seen = sight(&home(Some(5), 5), Some(5));
        view(size, glyphs, 5, vec![(home(Some(5), 5), seen)], history(5))
    });
}

/// One that is behind, and one whose node is not there.
pub(super) fn two(size: (u16, u16), glyphs: &Glyphs) -> App {
    let (home, away) = (home(Some(4), 5), target("office", "http://127.0.0.1:5002", None, Some(3), 5));
    let (seen, gone) = (sight(&home, Some(4)), lost(&away));
    let mut all = history(4);
    let office =
        PublicationView { current: true, same_root: true, ..publication(3, "office", "12 repositories added") };
    all.insert(2, office);
    let failed = PublicationView {
        state: State::Failed,
        failure: Some("hand over: can't reach 127.0.0.1:5002: connection refused".to_owned()),
        pinned: false,
        ..publication(4, "office", "2 repositories changed")
    };
    all.insert(1, failed);
    view(size, glyphs, 5, vec![(home, seen), (away, gone)], all)
}

#[test]
fn two_targets_one_behind_and_one_lost() {
    at_every_size("publish-two", two);
    at_every_size("publish-two-lost", |size, glyphs| {
        let mut app = two(size, glyphs);
        press(&mut app, Content::Small, "j");
        app
    });
}

#[test]
fn a_record_that_the_world_sees_otherwise() {
    at_every_size("publish-record", |size, glyphs| {
        let home = home(Some(5), 5);
        let seen = sight(&home, Some(4));
        view(size, glyphs, 5, vec![(home, seen)], history(5))
    });
}

#[test]
fn what_goes_is_shown_as_going_in_every_view() {
    let many: Vec<TagChange> = ["1", "2", "3", "4"].map(|name| tag(name, ChangeKind::Changed)).into_iter().collect();
    let mut change = changes().remove(1);
    let shown = |change: &RepositoryChange| {
        let tags = change.tags.iter().cloned();
        let tags = tags.map(|change| TagDifference { change, platforms_added: vec![], platforms_removed: vec![] });
        let repository = change.repository.clone();
        super::super::describe::repository(&RepositoryDifference {
            repository,
            kind: change.kind,
            tags: tags.collect(),
        })
    };
    assert_eq!(shown(&change), (Role::Danger, "~ library/nginx -1.25 ~1.27 +1.28".to_owned()));
    change.tags.extend(many);
    let (_, line) = shown(&change);
    assert!(line.starts_with("~ library/nginx -1.25 ~") && line.ends_with("and 3 more"), "{line}");
    change.tags.retain(|tag| tag.kind == ChangeKind::Removed);
    assert_eq!(shown(&change).1, "~ library/nginx -1.25");
    // Pending, the plan of a publication, and that of a rollback.
    let pending = picture(&two((120, 40), &UNICODE));
    let mut rollback = plan(vec![planned(&home(Some(5), 5), 1, Some(5), 3)]);
    rollback.rollback = true;
    let publish = plan(vec![planned(&home(Some(4), 5), 1, Some(4), 5)]);
    let [publish, rollback] = [publish, rollback].map(|plan| picture(&asked((120, 40), &UNICODE, plan)));
    for shown in [pending, publish, rollback] {
        assert!(shown.contains("~ library/nginx -1.25"), "{shown}");
    }
}

#[test]
fn a_target_that_nothing_was_published_to() {
    at_every_size("publish-never", |size, glyphs| {
        let home = home(None, 1);
        let seen = sight(&home, None);
        view(size, glyphs, 1, vec![(home, seen)], Vec::new())
    });
}

#[test]
fn an_older_root_of_the_history() {
    at_every_size("publish-history", |size, glyphs| {
        let home = home(Some(5), 5);
        let seen = sight(&home, Some(5));
        let mut app = view(size, glyphs, 5, vec![(home, seen)], history(5));
        press(&mut app, Content::Small, "j j j");
        app
    });
}

#[test]
fn the_form_empty_and_with_a_mistake() {
    let empty = |size, glyphs: &Glyphs| {
        let mut app = view(size, glyphs, 1, Vec::new(), Vec::new());
        press(&mut app, Content::Small, "n");
        app
    };
    at_every_size("form-empty", empty);
    at_every_size("form-mistake", |size, glyphs| {
        let mut app = empty(size, glyphs);
        for text in ["home", "", "", "", "", "self", "registry.example.org", "rfc2136", "ns1.example.org:53"] {
            for letter in text.chars() {
                app.update(Msg::Key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE)));
            }
            press(&mut app, Content::Small, "tab");
        }
        press(&mut app, Content::Small, "enter");
        app
    });
}

pub(super) fn planned(view: &TargetView, id: i64, former: Option<u8>, after: u8) -> PlannedTarget {
    let link = |number: u8| format!("/ipfs/{}", root(number));
    let set = |number: u8| TxtSet { values: vec![format!("dnslink={}", link(number))], ttl: Some(60) };
    PlannedTarget {
        target: Target { id, name: view.name.clone(), settings: view.settings.clone(), added_at: 0 },
        former: former.map(root),
        continues: None,
        changes: if former == Some(after) { Vec::new() } else { changes() },
        blocks: 2311,
        bytes: 214 << 20,
        chain: Vec::new(),
        pinned: false,
        fetches: false,
        requests: None,
        unpin: if former.is_some() { vec![root(1)] } else { Vec::new() },
        dnslink: view.settings.dnslink.as_ref().map(|dnslink| PlannedRecord {
            name: format!("_dnslink.{}", dnslink.domain),
            before: former.map_or(TxtSet { values: Vec::new(), ttl: None }, set),
            after: set(after),
            atomicity: Atomicity::Atomic,
        }),
        ipns: view.settings.ipns.as_ref().map(|key| PlannedName {
            key: key.clone(),
            name: Some("k51qzi5uqu5dgpd".to_owned()),
            before: former.map(link),
            after: link(after),
            unseen: false,
        }),
        ipns_failure: None,
        notes: Vec::new(),
        found: None,
        host: None,
    }
}

pub(super) fn plan(targets: Vec<PlannedTarget>) -> PublishPlan {
    PublishPlan {
        root: root(5),
        tsize: 9 << 30,
        rollback: false,
        force: false,
        targets,
        failed: Vec::new(),
        left_out: Vec::new(),
        first_time_private: Vec::new(),
    }
}

/// The dialog about this plan.
fn asked(size: (u16, u16), glyphs: &Glyphs, plan: PublishPlan) -> App {
    let mut app = two(size, glyphs);
    app.plan(Request::Publish(PublishRequest::default()));
    let ticket = app.jobs_begun;
    app.update(Msg::Planned(ticket, Ok(Box::new(Plan::Publish(plan)))));
    app
}

#[test]
fn plans_of_publications() {
    let office = || target("office", "http://127.0.0.1:5002", None, Some(3), 5);
    at_every_size("plan-publish", |size, glyphs| {
        let mut plan = plan(vec![planned(&home(Some(4), 5), 1, Some(4), 5)]);
        let error = Error::new(Kind::Node, "ask the node: can't reach 127.0.0.1:5002: connection refused")
            .hint("Start it with `ipfs daemon`, or change the target's URL.");
        plan.failed.push(FailedTarget { name: "office".to_owned(), error });
        plan.left_out = vec!["registry.example/team/private".to_owned()];
        asked(size, glyphs, plan)
    });
    at_every_size("plan-publish-first", |size, glyphs| {
        let mut plan = plan(vec![planned(&home(None, 5), 1, None, 5), planned(&office(), 2, Some(3), 5)]);
        plan.first_time_private = vec!["registry.example/team/private".to_owned()];
        asked(size, glyphs, plan)
    });
    at_every_size("plan-rollback", |size, glyphs| {
        let mut planned = planned(&home(Some(5), 5), 1, Some(5), 3);
        (planned.blocks, planned.bytes, planned.pinned) = (0, 0, true);
        let mut plan = plan(vec![planned]);
        (plan.root, plan.rollback) = (root(3), true);
        asked(size, glyphs, plan)
    });
}

/// A publication under way: one target further than the other.
fn publishing(size: (u16, u16), glyphs: &Glyphs) -> (App, u64) {
    let office = target("office", "http://127.0.0.1:5002", None, Some(3), 5);
    let plan = plan(vec![planned(&home(Some(4), 5), 1, Some(4), 5), planned(&office, 2, Some(3), 5)]);
    let mut app = two(size, glyphs);
    app.start(Box::new(Plan::Publish(plan)), None);
    let job = app.jobs_begun;
    let mut step = |target: &str, step, state| {
        app.update(Msg::Job(job, Event::Step { target: target.to_owned(), step, state }));
    };
    step("home", PublishStep::HandOver, StepState::Done("2311 blocks, 214 MiB".to_owned()));
    step("home", PublishStep::Pin, StepState::Done("pinned".to_owned()));
    step("home", PublishStep::Check, StepState::Running);
    step("office", PublishStep::HandOver, StepState::Running);
    let running = Duration::from_secs(14);
    let sample = super::super::work::Sample { id: job, bytes: (214 << 20, 428 << 20), moved: 214 << 20, running };
    app.update(Msg::Samples(vec![sample]));
    (app, job)
}

#[test]
fn a_publication_and_its_outcome() {
    at_every_size("publishing", |size, glyphs| publishing(size, glyphs).0);
    at_every_size("publishing-jobs", |size, glyphs| {
        let mut app = publishing(size, glyphs).0;
        press(&mut app, Content::Small, "2");
        app
    });
    let ended = |size, glyphs: &Glyphs| {
        let (mut app, job) = publishing(size, glyphs);
        let office = Event::Step {
            target: "office".to_owned(),
            step: PublishStep::HandOver,
            state: StepState::Failed("can't reach 127.0.0.1:5002: connection reset".to_owned()),
        };
        app.update(Msg::Job(job, office));
        let outcome = |name: &str, failure| TargetOutcome {
            name: name.to_owned(),
            root: Some(root(5)),
            blocks: 2311,
            sent: 214 << 20,
            requests: Some(31),
            unpinned: Vec::new(),
            notes: Vec::new(),
            ipns_failure: None,
            failure,
        };
        let error = Error::new(Kind::Node, "hand over 2311 blocks: can't reach 127.0.0.1:5002: connection reset")
            .hint("Start it with `ipfs daemon`, or change the target's URL.");
        let targets = vec![outcome("home", None), outcome("office", Some((PublishStep::HandOver, error)))];
        let published = PublishOutcome { root: root(5), targets };
        app.update(Msg::Ended(job, Ok(Outcome::Published(published))));
        app
    };
    at_every_size("published-partly", ended);
}

#[test]
fn a_node_that_is_slow_says_that_it_is_asked() {
    let mut app = view((80, 24), &UNICODE, 5, Vec::new(), history(5));
    app.update(Msg::Answer(0, Box::new(Answer::Targets(vec![home(Some(5), 5)], history(5)))));
    insta::assert_snapshot!("publish-asking-80x24", picture(&app));
    let problem = Problem { message: "there is no target `home`".into(), hints: Vec::new(), kind: Kind::NotFound };
    app.update(Msg::Answer(0, Box::new(Answer::Sight("home".into(), Err(problem)))));
    assert!(picture(&app).contains("unknown"));
}
