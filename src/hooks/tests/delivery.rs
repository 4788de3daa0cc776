//! Deliveries: what is told to whom, and what a hook that fails costs the others.

use std::sync::Mutex;

use async_trait::async_trait;

use super::server::Server;
use super::*;
use crate::error::{Error, Kind, Result};
use crate::hooks::{Delivery, Outbox, Teller, Waiting};
use crate::rules::{Event, EventKind, Hook, HookAction};

/// An outbox in memory, and what was noted in it.
#[derive(Default)]
struct Memory {
    waiting: Mutex<Vec<Waiting>>,
    /// What is due at once of all that waits; none: all of it.
    most: Option<usize>,
    noted: Mutex<Vec<String>>,
    is_broken: bool,
}

impl Memory {
    /// What these hooks want of these events.
    fn of(events: &[Event], hooks: &[Hook]) -> Self {
        let wanted = |event: &Event| {
            let hooks: Vec<&Hook> = hooks.iter().filter(|hook| hook.wants(event)).collect();
            hooks.into_iter().map(|hook| Waiting { event: event.clone(), hook: hook.identity() }).collect::<Vec<_>>()
        };
        Self { waiting: Mutex::new(events.iter().flat_map(wanted).collect()), ..Self::default() }
    }

    fn note(&self, note: String) -> Result<()> {
        if self.is_broken {
            return Err(Error::new(Kind::Locked, "somebody else writes"));
        }
        self.noted.lock().unwrap().push(note);
        Ok(())
    }

    fn noted(&self) -> Vec<String> {
        let mut noted = self.noted.lock().unwrap().clone();
        noted.sort();
        noted
    }
}

#[async_trait]
impl Outbox for Memory {
    async fn due(&self) -> Result<Vec<Waiting>> {
        let waiting = self.waiting.lock().unwrap();
        Ok(waiting.iter().take(self.most.unwrap_or(usize::MAX)).cloned().collect())
    }

    async fn waiting(&self, hooks: &[String]) -> Result<u64> {
        Ok(self.waiting.lock().unwrap().iter().filter(|waiting| hooks.contains(&waiting.hook)).count() as u64)
    }

    async fn delivered(&self, event: u64, hook: &str) -> Result<()> {
        self.note(format!("{event} {} delivered", &hook[..4]))?;
        self.waiting.lock().unwrap().retain(|waiting| (waiting.event.id, waiting.hook.as_str()) != (event, hook));
        Ok(())
    }

    async fn failed(&self, event: u64, hook: &str, why: &str) -> Result<()> {
        self.note(format!("{event} {} failed: {why}", &hook[..4]))
    }
}

fn event(id: u64, kind: EventKind) -> Event {
    Event { id, at: 1, run: 1, kind, rule: None, image: None, from: None, to: None, detail: None }
}

fn hook(action: HookAction) -> Hook {
    Hook { on: Vec::new(), action }
}

fn posting(url: String) -> Hook {
    hook(HookAction::Post { url, secret_file: None })
}

async fn deliver(outbox: &Memory, hooks: &[Hook], timeout: Duration, round: Duration) -> Delivery {
    let teller = Teller::new(None).unwrap().within(timeout, round);
    // As the engine does: on whichever thread.
    fn on_any_thread<T: Send>(work: T) -> T {
        work
    }
    on_any_thread(teller.deliver(outbox, hooks)).await
}

#[tokio::test]
async fn each_hook_is_told_in_its_way() {
    let server = Server::start().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("told");
    let hooks = [
        hook(HookAction::Run(shell(&format!("cat >> '{0}'; echo >> '{0}'", file.display())))),
        posting(server.url("hook")),
        hook(HookAction::Ping(server.url("uuid"))),
    ];
    let events = [event(1, EventKind::New), event(2, EventKind::Finished), event(3, EventKind::Failed)];
    let outbox = Memory::of(&events, &hooks);
    let delivery = deliver(&outbox, &hooks, LONG, LONG).await;
    assert_eq!((delivery.delivered, delivery.failed.len(), delivery.left), (8, 0, 0), "{delivery:?}");
    let written = std::fs::read_to_string(&file).unwrap();
    let expected: Vec<String> = events.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
    assert_eq!(written.lines().collect::<Vec<_>>(), expected, "one after the other");
    let mut lines = server.lines();
    lines.sort();
    assert_eq!(lines, ["GET /uuid", "GET /uuid/fail", "POST /hook", "POST /hook", "POST /hook"]);
    let posted: Vec<_> = server.seen().into_iter().filter(|request| request.path == "/hook").collect();
    assert_eq!(posted[0].body, expected[0]);
    assert_eq!(outbox.noted().len(), 8);
}

#[tokio::test]
async fn a_hook_that_fails_is_left_alone_and_keeps_nobody_waiting() {
    let server = Server::start().await;
    let hooks = [
        posting(server.url("hang")),
        posting(server.url("500")),
        hook(HookAction::Run(shell("exec sleep 1000"))),
        hook(HookAction::Ping(server.url("drip"))),
        posting(server.url("200")),
    ];
    let events = [event(1, EventKind::Finished), event(2, EventKind::Finished)];
    let outbox = Memory::of(&events, &hooks);
    let delivery = deliver(&outbox, &hooks, ENOUGH, LONG).await;
    assert_eq!((delivery.delivered, delivery.failed.len(), delivery.left), (2, 4, 4), "{delivery:?}");
    assert!(delivery.failed.iter().all(|failed| failed.event == 1 && !failed.hook.contains("hang")), "{delivery:?}");
    assert_eq!(
        outbox.noted(),
        [
            "1 ping failed: it took longer than 2 s",
            "1 post delivered",
            "1 post failed: it answered 500 Internal Server Error: no\\u{1b} way",
            "1 post failed: it took longer than 2 s",
            "1 run: failed: `sh` did not end within 2 s and was stopped",
            "2 post delivered",
        ]
    );
}

#[tokio::test]
async fn an_outbox_that_can_not_be_written_ends_the_round() {
    let server = Server::start().await;
    let hooks = [posting(server.url("200"))];
    let events = [event(1, EventKind::New), event(2, EventKind::New)];
    let outbox = Memory { is_broken: true, ..Memory::of(&events, &hooks) };
    let delivery = deliver(&outbox, &hooks, LONG, LONG).await;
    assert_eq!((delivery.delivered, delivery.left), (1, 2), "what is not noted still waits");
    assert_eq!(delivery.outbox.map(|error| error.kind()), Some(Kind::Locked));
    assert_eq!(server.lines(), ["POST /200"], "the rest is told when that can be noted");
}

#[tokio::test]
async fn a_round_ends_and_strangers_are_left() {
    let server = Server::start().await;
    let hooks = [posting(server.url("200")), posting(server.url("201"))];
    let outbox = Memory::of(&[event(1, EventKind::New)], &hooks);
    let delivery = deliver(&outbox, &hooks, LONG, Duration::ZERO).await;
    assert_eq!((delivery.delivered, delivery.left), (0, 2));
    let delivery = deliver(&outbox, &hooks[1..], LONG, LONG).await;
    assert_eq!((delivery.delivered, delivery.left), (1, 0));
    assert_eq!(server.lines(), ["POST /201"]);
}

#[tokio::test]
async fn all_that_waits_is_told_however_much_it_is() {
    let server = Server::start().await;
    let hooks = [posting(server.url("200")), posting(server.url("500"))];
    let events: Vec<Event> = (1..=9).map(|id| event(id, EventKind::New)).collect();
    let outbox = Memory { most: Some(4), ..Memory::of(&events, &hooks[..1]) };
    let delivery = deliver(&outbox, &hooks[..1], LONG, LONG).await;
    assert_eq!((delivery.delivered, delivery.left), (9, 0), "{delivery:?}");
    // One that fails is tried once, however often the other one is told.
    let outbox = Memory { most: Some(4), ..Memory::of(&events, &hooks) };
    let delivery = deliver(&outbox, &hooks, LONG, LONG).await;
    assert_eq!((delivery.failed.len(), delivery.left), (1, 18 - delivery.delivered - 1), "{delivery:?}");
    assert_eq!(server.lines().iter().filter(|line| line.ends_with("500")).count(), 1);
}

#[tokio::test]
async fn the_same_hook_twice_is_told_once() {
    let server = Server::start().await;
    let hooks = [posting(server.url("200")), posting(server.url("200"))];
    let outbox = Memory::of(&[event(1, EventKind::New)], &hooks[..1]);
    assert_eq!(deliver(&outbox, &hooks, LONG, LONG).await.delivered, 1);
    assert_eq!(server.lines(), ["POST /200"]);
}

#[tokio::test]
async fn pings_hear_that_a_run_begins() {
    let server = Server::start().await;
    let ping = |path: &str| hook(HookAction::Ping(server.url(path)));
    let hooks = [ping("uuid"), posting(server.url("200")), ping("hang?")];
    let teller = Teller::new(None).unwrap().within(LONG, LONG);
    assert!(teller.start(&hooks).await.is_empty());
    let mut lines = server.lines();
    lines.sort();
    assert_eq!(lines, ["GET /hang/start", "GET /uuid/start"]);
    let failed = teller.start(&[hook(HookAction::Ping("http://127.0.0.1:1/hidden".to_owned()))]).await;
    assert!(failed.len() == 1 && !format!("{failed:?}").contains("hidden"), "{failed:?}");
}
