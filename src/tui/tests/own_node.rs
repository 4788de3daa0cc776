//! This program's own node as a target: who serves it, how far that reaches, who holds a copy and who took what; and the form by which
//! it is served.

use std::time::Duration;

use super::super::app::App;
use super::super::dialog::Dialog;
use super::super::effect::Effect;
use super::super::glyphs::{Glyphs, UNICODE};
use super::super::message::Msg;
use super::super::problem::Problem;
use super::super::question::{Answer, Question};
use super::super::remembered::Memorable;
use super::super::serving::Serving as Served;
use super::publication::{history, root, sight, target, view};
use super::world::{Content, every_size, picture, press, settle};
use crate::catalog::targets::NodeSettings;
use crate::engine::own_node::{NameState, RecordState, SeenFollower, Serving, TakingAddress, TakingPeer};
use crate::engine::targets::{Sight, TargetView};
use crate::error::Kind;
use crate::node::Status;

const PEERS: [&str; 3] = [
    "12D3KooWDPAk1ry7XoNLm6N8fJP8ACyhZzaRtmBUX6e4DsWW4mAV",
    "12D3KooWHd4ZMxqZ8n9m4Vu2Xh3cZQ1bS6mWvN6kT5RkYtY3pQkL",
    "12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X",
];
const NOW: i64 = 1_795_176_000;

/// A process that serves; the numbers are the roots that followers hold.
pub(super) fn process(followers: &[u8]) -> Serving {
    let follower = |(place, held): (usize, &u8)| SeenFollower {
        peer_id: PEERS[place % 3].to_owned(),
        address: ["192.0.2.14", "2001:db8:7a1:4::c0de", "192.0.2.117"][place % 3].to_owned(),
        root: root(*held).to_string(),
        left: place as u64 * 17,
        seen: NOW - [20, 900, 40_000][place % 3],
    };
    Serving {
        process: 4711,
        since: NOW - 4000,
        peer_id: PEERS[0].to_owned(),
        listening: vec![
            "/ip4/192.168.1.7/tcp/5050/http".to_owned(),
            format!("/ip4/192.168.1.7/tcp/4001/p2p/{}", PEERS[0]),
        ],
        reach: vec![
            "behind NAT: others did not get through, and no relay passes connections on".to_owned(),
            "12 peers connected, 204 members of the DHT known".to_owned(),
            "provided 812 of 1204 blocks in the DHT".to_owned(),
            "gave 1.3 GiB to 2 peers".to_owned(),
        ],
        reachable: Some(false),
        advice: vec![
            "Peers do not get through to this machine: forward the port in the router (TCP and UDP).".to_owned(),
        ],
        followers: followers.iter().enumerate().map(follower).collect(),
        taken: vec![
            TakingPeer { peer_id: PEERS[1].to_owned(), bytes: 1 << 30 },
            TakingPeer { peer_id: PEERS[2].to_owned(), bytes: 300 << 20 },
        ],
        taken_over_http: vec![TakingAddress { address: "192.0.2.14".to_owned(), bytes: 700 << 20 }],
        ..Serving::default()
    }
}

fn own(serving: Vec<Serving>) -> (TargetView, Sight) {
    let mut own = target("home", "unused", Some("registry.example.org"), Some(5), 5);
    own.settings.node = NodeSettings::own();
    own.settings.gateways.clear();
    own.ipns_name = Some(NameState {
        key: "self".to_owned(),
        name: "k51qzi5uqu5dgutdk6i1ynyzgkqngpha5xpgia3a5qqp4jsh0u4csozksxel2r".to_owned(),
        record: Some(RecordState {
            root: Some(root(5).to_string()),
            sequence: 7,
            valid_until: "2026-11-22T11:00:00Z".parse().unwrap(),
        }),
    });
    let status = Status {
        agent: "roadstead/0.1.0".to_owned(),
        peer_id: PEERS[0].to_owned(),
        peers: None,
        repository_size: 9 << 30,
        storage_max: None,
        served_at: Some(serving.iter().flat_map(|serving| serving.clone().told()).collect()),
        providers: None,
    };
    own.serving = Some(serving);
    let seen = Sight { node: Ok(status), ..sight(&own, Some(5)) };
    (own, seen)
}

fn shown(size: (u16, u16), glyphs: &Glyphs, serving: Vec<Serving>) -> App {
    let mut app = view(size, glyphs, 5, vec![own(serving)], history(5));
    app.can_serve = true;
    app
}

#[test]
fn who_serves_who_follows_and_who_takes() {
    for (size, glyphs, of) in every_size() {
        let mut app = shown(size, glyphs, vec![process(&[5, 4, 5])]);
        insta::assert_snapshot!(format!("own-{of}"), picture(&app));
        press(&mut app, Content::Small, "enter");
        if !app.dialogs.is_empty() {
            insta::assert_snapshot!(format!("own-page-{of}"), picture(&app));
            press(&mut app, Content::Small, "end");
            insta::assert_snapshot!(format!("own-page-end-{of}"), picture(&app));
        }
    }
}

#[test]
fn the_page_is_read_while_it_changes() {
    let mut app = shown((80, 24), &UNICODE, vec![process(&[4])]);
    press(&mut app, Content::Small, "enter end");
    assert!(picture(&app).contains("none holds the newest"), "{}", picture(&app));
    // It is asked again although nothing changed in the catalog.
    let effects = app.update(Msg::Tick(app.now + Duration::from_secs(2), app.wall));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Ask(_, Question::Targets))), "{effects:?}");
    app.update(Msg::Answer(0, Box::new(Answer::Targets(vec![own(vec![process(&[5])]).0], history(5)))));
    assert!(picture(&app).contains("1 holds the newest"), "{}", picture(&app));
}

#[test]
fn where_nothing_serves_it_says_which_key_does() {
    let mut app = shown((80, 24), &UNICODE, Vec::new());
    assert!(picture(&app).contains("Nothing serves it. Press S."), "{}", picture(&app));
    press(&mut app, Content::Small, "enter S");
    assert!(matches!(app.dialogs.as_slice(), [Dialog::Page { .. }, Dialog::Flags(_)]), "{:?}", app.dialogs);
}

fn words(effects: &[Effect]) -> Vec<String> {
    let found = effects.iter().find_map(|effect| match effect {
        Effect::Serve(words) => Some(words.clone()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{effects:?}"))
}

#[test]
fn it_is_served_as_the_form_says_and_the_next_time_again() {
    let mut app = shown((80, 24), &UNICODE, Vec::new());
    press(&mut app, Content::Small, "S 1 2 7 . 0 . 0 . 1 : 8 0 down down down n");
    let effects = press(&mut app, Content::Small, "enter");
    assert_eq!(words(&effects), ["--listen", "127.0.0.1:80", "--ipfs", "--no-swarm"]);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Keep(Memorable::Serve(_)))), "{effects:?}");
    assert_eq!(app.serving, Served::Starting);

    // What can't be begun is shown where it was written.
    let message = "can't listen on 127.0.0.1:80: Permission denied".to_owned();
    app.update(Msg::Served(Err(Problem { message, hints: Vec::new(), kind: Kind::Unexpected })));
    insta::assert_snapshot!("serve-refused-80x24", picture(&app));
    press(&mut app, Content::Small, "ctrl-u enter");
    let effects = app.update(Msg::Serving("http://127.0.0.1:5051".to_owned()));
    settle(&mut app, Content::Small, effects);
    let said = app.toast.as_ref().map(|toast| toast.text.clone()).unwrap_or_default();
    assert!(said.contains("since port 5050 is taken, and giving out to IPFS; S stops it"), "{said}");

    // It stops by the same key, and the form says the next time what it said.
    let effects = press(&mut app, Content::Small, "S");
    assert!(matches!(effects.as_slice(), [Effect::StopServing]), "{effects:?}");
    app.update(Msg::Served(Ok(())));
    press(&mut app, Content::Small, "S");
    let effects = press(&mut app, Content::Small, "enter");
    assert_eq!(words(&effects), ["--ipfs", "--no-swarm"]);
}

#[test]
fn the_form_by_which_it_is_served() {
    for (size, glyphs, of) in every_size() {
        let mut app = shown(size, glyphs, Vec::new());
        press(&mut app, Content::Small, "S down down");
        insta::assert_snapshot!(format!("serve-{of}"), picture(&app));
    }
    // Without a target of its own the registry alone is served.
    let mut app = super::world::settled((80, 24), &UNICODE, Content::Small);
    app.can_serve = true;
    press(&mut app, Content::Small, "S");
    let effects = press(&mut app, Content::Small, "enter");
    assert_eq!(words(&effects), [""; 0]);
}
