//! Random messages with random sizes between them: nothing panics, nothing draws outside, nothing raw is drawn.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use proptest::prelude::*;

use super::super::effect::Effect;
use super::super::glyphs::{ASCII, UNICODE};
use super::super::message::Msg;
use super::super::problem::Problem;
use super::super::work::{Outcome, Plan, Sample};
use super::world::{Content, answer, picture, press, settled};
use crate::engine::job::Event;
use crate::engine::plan::{AddPlan, Added, GcPlan};
use crate::error::Kind;
use crate::image::Digest;

/// Something that can happen, small enough to be shrunk.
#[derive(Debug, Clone)]
enum Happening {
    Key(KeyCode, KeyModifiers),
    Mouse(MouseEventKind, u16, u16),
    Paste(String),
    Resize(u16, u16),
    Tick(u64),
    Changed,
    /// The oldest question that is open is answered, or fails.
    Answer(bool),
    /// The oldest plan that is open is there, or can't be made.
    Planned(u8),
    /// A job says something.
    Job(u8),
    Ended(u8),
    Rested(u64),
    Cut,
}

fn happening() -> impl Strategy<Value = Happening> {
    let letters = prop_oneof![
        8 => prop::sample::select("aqjkhlgGyYdurRVCUcezpASMTN:?/<>snxotfvwi#*123456[]mzPf ".chars().collect::<Vec<_>>()),
        1 => any::<char>(),
    ];
    let codes = prop_oneof![
        6 => letters.prop_map(KeyCode::Char),
        4 => prop::sample::select(vec![
            KeyCode::Enter, KeyCode::Esc, KeyCode::Tab, KeyCode::BackTab, KeyCode::Up, KeyCode::Down, KeyCode::Left,
            KeyCode::Right, KeyCode::Home, KeyCode::End, KeyCode::PageUp, KeyCode::PageDown, KeyCode::Backspace,
            KeyCode::Delete, KeyCode::F(1),
        ]),
    ];
    let modifiers = prop_oneof![9 => Just(KeyModifiers::NONE), 1 => Just(KeyModifiers::CONTROL)];
    let mouse = prop::sample::select(vec![
        MouseEventKind::Down(MouseButton::Left),
        MouseEventKind::ScrollUp,
        MouseEventKind::ScrollDown,
        MouseEventKind::Moved,
    ]);
    prop_oneof![
        20 => (codes, modifiers).prop_map(|(code, modifiers)| Happening::Key(code, modifiers)),
        4 => (mouse, 0u16..210, 0u16..70).prop_map(|(kind, column, row)| Happening::Mouse(kind, column, row)),
        1 => ".{0,40}".prop_map(Happening::Paste),
        3 => (0u16..210, 0u16..70).prop_map(|(columns, rows)| Happening::Resize(columns, rows)),
        1 => (0u64..5000).prop_map(Happening::Tick),
        1 => Just(Happening::Changed),
        8 => prop::bool::weighted(0.95).prop_map(Happening::Answer),
        3 => (0u8..5).prop_map(Happening::Planned),
        2 => (0u8..8).prop_map(Happening::Job),
        1 => (0u8..7).prop_map(Happening::Ended),
        1 => (0u64..20).prop_map(Happening::Rested),
        1 => Just(Happening::Cut),
    ]
}

fn problem(kind: Kind) -> Problem {
    Problem { message: "it \u{1b}[31mfailed".to_owned(), hints: vec!["Do something.".to_owned()], kind }
}

fn plan(which: u8) -> Result<Box<Plan>, Problem> {
    let add = AddPlan { new_bytes: 5, known_bytes: 7, ..AddPlan::default() };
    Ok(Box::new(match which {
        0 => return Err(problem(Kind::Network)),
        1 => Plan::Add(add),
        2 => {
            let mut gc = GcPlan::default();
            gc.partial_files = 1;
            Plan::Gc(gc)
        }
        3 => Plan::Rules(Box::new(super::rules::run())),
        _ => Plan::Verify { repair: true },
    }))
}

fn event(which: u8) -> Event {
    let digest = Digest::of(b"layer");
    match which {
        0 => Event::Resolving { done: 1, total: 3 },
        1 => Event::Fetching { blobs: 2, bytes: u64::MAX },
        2 => Event::BlobStarted {
            digest,
            image: "library/nginx:1.27".to_owned(),
            size: 0,
            done: std::sync::Arc::default(),
        },
        3 => Event::BlobFinished { digest, failure: Some("\u{1b}]0;x\u{7}".to_owned()) },
        4 => Event::Quota { registry: "docker.io".to_owned(), limit: 100, remaining: 37 },
        5 => Event::Progress { what: "blobs", done: 3, total: 0 },
        6 => Event::Failed { image: "docker.io/library/nginx:1.27".to_owned(), reason: "auth".to_owned() },
        _ => Event::Waiting {
            registry: "docker.io".to_owned(),
            pause: Duration::from_secs(34),
            reason: "too many".to_owned(),
            asked: true,
        },
    }
}

fn run(content: Content, ascii: bool, happenings: Vec<Happening>) {
    let mut app = settled((80, 24), if ascii { &ASCII } else { &UNICODE }, content);
    let (mut questions, mut plans, mut jobs) = (Vec::new(), Vec::new(), Vec::new());
    let mut time = 0;
    for happening in happenings {
        let message = match happening {
            Happening::Key(code, modifiers) => Msg::Key(KeyEvent::new(code, modifiers)),
            Happening::Mouse(kind, column, row) => {
                Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
            }
            Happening::Paste(text) => Msg::Paste(text),
            Happening::Resize(columns, rows) => Msg::Resize(columns, rows),
            Happening::Tick(by) => {
                time += by;
                Msg::Tick(Duration::from_millis(time), app.wall)
            }
            Happening::Changed => Msg::Changed,
            Happening::Answer(good) if !questions.is_empty() => {
                let (ticket, question) = questions.remove(0);
                let failed = || super::super::question::Answer::Failed(problem(Kind::Unexpected));
                Msg::Answer(ticket, Box::new(if good { answer(content, question) } else { failed() }))
            }
            Happening::Planned(which) if !plans.is_empty() => Msg::Planned(plans.remove(0), plan(which)),
            Happening::Job(which) => Msg::Job(jobs.last().copied().unwrap_or(1), event(which)),
            Happening::Ended(which) if !jobs.is_empty() => Msg::Ended(
                jobs.remove(0),
                match which {
                    0 => Err(problem(Kind::Locked)),
                    1 => Err(problem(Kind::Interrupted)),
                    2 => Ok(Outcome::Freed(3)),
                    3 => Ok(Outcome::Looked { parts: super::rules::parts(), only: Vec::new(), beside: Vec::new() }),
                    4 => Ok(Outcome::RuleRemoved("nginx".to_owned())),
                    5 => Ok(Outcome::RuleSaved {
                        rule: Box::new(super::rules::rule("nginx:1.# --except 1.3*")),
                        is_new: true,
                    }),
                    _ => Ok(Outcome::Added(Added { fetched: 3, ..Added::default() })),
                },
            ),
            Happening::Rested(number) => Msg::Rested(number),
            Happening::Cut => Msg::Cut(vec![super::super::work::Request::Update(Vec::new())]),
            _ => Msg::Samples(
                jobs.iter()
                    .map(|id| Sample {
                        id: *id,
                        bytes: (time, time / 2),
                        moved: time,
                        running: Duration::from_millis(time),
                    })
                    .collect(),
            ),
        };
        for effect in app.update(message) {
            match effect {
                Effect::Ask(ticket, question) => questions.push((ticket, question)),
                Effect::Plan(ticket, _) => plans.push(ticket),
                Effect::Start(id, _) => jobs.push(id),
                _ => {}
            }
        }
        // The emulator of the tests can't be without columns.
        if app.size.0 > 0 && app.size.1 > 0 {
            picture(&app);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_happens_is_too_much(
        content in prop::sample::select(vec![Content::Empty, Content::Small, Content::Hostile, Content::Ruled]),
        ascii in any::<bool>(),
        happenings in prop::collection::vec(happening(), 1..60),
    ) {
        run(content, ascii, happenings);
    }
}

#[test]
fn every_size_can_be_drawn() {
    for keys in [
        "",
        "j enter",
        "j enter enter",
        "j enter enter z",
        "2",
        "3",
        "4",
        "5",
        "a",
        "?",
        ": p",
        "/ n",
        "j enter Y",
        "6",
        "6 enter",
        "6 e",
        "j enter f z",
        "ctrl-p n g",
        "/ : x",
    ] {
        let mut app = settled((80, 24), &UNICODE, Content::Ruled);
        if !keys.is_empty() {
            press(&mut app, Content::Ruled, keys);
        }
        app.complain(problem(Kind::Network));
        for columns in (1..=120)
            .filter(|columns| *columns < 4 || (58..=63).contains(columns) || columns % 9 == 0 || *columns > 117)
        {
            for rows in (1..=40).filter(|rows| *rows < 4 || (13..=18).contains(rows) || rows % 7 == 0) {
                app.update(Msg::Resize(columns, rows));
                picture(&app);
            }
        }
    }
}
