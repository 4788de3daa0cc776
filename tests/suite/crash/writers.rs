//! Two that change the catalog, and those that only read it.

use super::local::Local;
use super::running::Running;
use super::upstream::{Held, Upstream};
use super::{partials, says};
use crate::peers::{wait_for, web};
use std::time::{Duration, Instant};

/// An `add` of `app:1` that is held in the middle of a layer, beside a mirrored `other:1`.
struct Busy {
    roadstead: Local,
    held: Held,
    adding: Running,
    upstream: Upstream,
    /// The digest of the layer.
    large: String,
}

impl Busy {
    fn new() -> Self {
        let (upstream, [_, large]) = Upstream::with_app();
        upstream.put("other", "1", &[super::random(4000, 3)]);
        upstream.put("third", "1", &[super::random(4000, 4)]);
        let roadstead = Local::new(&upstream);
        roadstead.ok(&["add", "upstream/other:1"]);
        let held = upstream.hold(&large, 500_000);
        let mut adding = Running::start(&roadstead.command(&["add", "upstream/app:1"]), &roadstead.path(""), "add");
        let data = roadstead.data();
        adding.wait_until("a part of the layer", || partials(&data).get(&large[7..]).is_some_and(|n| *n >= 500_000));
        Self { roadstead, held, adding, upstream, large }
    }

    /// Who holds the catalog, without since when.
    fn holder(&self) -> String {
        format!("process {} (`add {}/app:1`, since ", self.adding.pid(), self.roadstead.host)
    }
}

const OTHERS: [&[&str]; 2] = [&["add", "upstream/third:1"], &["remove", "upstream/other:1", "--yes"]];

/// What waits for a network alone is in nobody's way; what was fetched and is not recorded yet is not reclaimed.
#[test]
fn who_fetches_holds_nobody_up_but_gc() {
    let busy = Busy::new();
    for words in OTHERS {
        let mut words = words.to_vec();
        words.extend(["--wait", "0"]);
        busy.roadstead.ok(&words);
    }
    let said = busy.roadstead.run(&["gc", "--yes", "--wait", "0"]).failure(10);
    says(
        &said,
        &[
            "error: ",
            &busy.roadstead.in_short(&busy.holder()),
            "is using blobs in",
            "hint: Try again when it is done",
            "--wait",
        ],
    );
    busy.held.release();
    let Busy { roadstead, adding, .. } = busy;
    assert_eq!(adding.end().code, 0);
    roadstead.ok(&["show", "upstream/app:1"]);
    roadstead.ok(&["show", "upstream/third:1"]);
    roadstead.ok(&["gc", "--yes"]);
    roadstead.ok(&["verify"]);
}

#[test]
fn two_that_add_the_same_fetch_it_once() {
    let mut busy = Busy::new();
    let home = busy.roadstead.path("");
    let mut second = Running::start(&busy.roadstead.command(&["add", "upstream/app:1"]), &home, "second");
    second.wait_until_said("which another run is fetching");
    busy.held.release();
    for ended in [busy.adding.end(), second.end()] {
        assert_eq!(ended.code, 0, "{ended}");
    }
    assert_eq!(busy.upstream.asked(&busy.large), [0]);
    busy.adding = Running::start(&busy.roadstead.command(&["verify"]), &home, "verify");
    assert_eq!(busy.adding.end().code, 0);
}

/// `kill -9` ends the lease, the lock and the wait for the blob; the other one goes on from what came.
#[test]
fn who_is_killed_holds_up_nobody() {
    let busy = Busy::new();
    let home = busy.roadstead.path("");
    let mut second = Running::start(&busy.roadstead.command(&["add", "upstream/app:1"]), &home, "second");
    second.wait_until_said("which another run is fetching");
    busy.adding.signal(rustix::process::Signal::KILL);
    assert_eq!(busy.adding.end().code, 137);
    busy.held.release();
    let ended = second.end();
    assert_eq!(ended.code, 0, "{ended}");
    assert_eq!(busy.upstream.asked(&busy.large).len(), 2);
    assert!(busy.upstream.asked(&busy.large)[1] >= 500_000);
    busy.roadstead.ok(&["gc", "--yes", "--wait", "0"]);
    busy.roadstead.ok(&["verify"]);
}

#[test]
fn who_waits_says_for_whom_and_goes_on() {
    let busy = Busy::new();
    let home = busy.roadstead.path("");
    let mut command = busy.roadstead.command(&["gc", "--yes"]);
    command.args(["--wait", "60"]);
    let mut waiting = Running::start(&command, &home, "waiting");
    waiting.wait_until_said(&format!("Waiting for {}", busy.holder()));
    // It looks again and again, and says it once.
    let begun = Instant::now();
    wait_for("half a second", String::new, || (begun.elapsed() > Duration::from_millis(500)).then_some(()));
    let holder = busy.holder();
    // Whoever else holds the catalog is told as well.
    let lock = std::fs::File::open(busy.roadstead.data().join("lock")).expect("the lock");
    lock.try_lock().expect("nobody changes the catalog");
    let said = busy.roadstead.run(&["remove", "upstream/other:1", "--yes", "--wait", "0"]).failure(10);
    says(&said, &["error: ", "is changing the catalog in"]);
    drop(lock);
    busy.held.release();
    assert_eq!(busy.adding.end().code, 0);
    let ended = waiting.end();
    // Its plan was made before the image came.
    assert_eq!(ended.code, 10, "{ended}");
    assert_eq!(ended.stderr.matches(&format!("Waiting for {holder}")).count(), 1, "{ended}");
    says(&ended.stderr, &["the catalog changed while this was planned", "run `roadstead gc` once more"]);
    busy.roadstead.ok(&["gc", "--yes"]);
    busy.roadstead.ok(&["verify"]);
}

#[test]
fn an_interface_shows_what_another_process_does_until_it_is_done() {
    let busy = Busy::new();
    let session = super::interface::open(&busy.roadstead);
    session.see(&format!("process {}", busy.adding.pid()));
    busy.held.release();
    assert_eq!(busy.adding.end().code, 0);
    session.see_no("process ");
    session.see("root ");
    // One that was killed does nothing any more, whatever it said last.
    let text = r#"{"process":4194304,"doing":"add upstream/never:1"}"#;
    std::fs::write(busy.roadstead.data().join("lock"), text).expect("a file");
    let again = super::interface::open(&busy.roadstead);
    again.see("/app");
    wait_for(
        "an empty lock file",
        || again.text(),
        || std::fs::read(busy.roadstead.data().join("lock")).expect("a file").is_empty().then_some(()),
    );
    assert!(!again.raw().contains("4194304"), "{}", again.text());
}

#[test]
fn readers_never_wait_and_a_server_sees_every_change() {
    let busy = Busy::new();
    let export = busy.roadstead.path("exported");
    let begun = Instant::now();
    for words in [
        &["list"][..],
        &["show", "upstream/other:1"],
        &["root"],
        &["stats"],
        &["verify"],
        &["gc", "--dry-run"],
        &["remove", "upstream/other:1", "--dry-run"],
        &["export", export.to_str().expect("a path in UTF-8")],
    ] {
        busy.roadstead.ok(words);
    }
    assert!(begun.elapsed() < Duration::from_secs(30), "they waited: {:?}", begun.elapsed());
    let serving = busy.roadstead.serve();
    let base = format!("{}/v2/{}", serving.url, busy.roadstead.published());
    let tags = |name: &str| web::get(&format!("{base}/{name}/tags/list")).status;
    assert_eq!((tags("other"), tags("app")), (200, 404));
    busy.held.release();
    assert_eq!(busy.adding.end().code, 0);
    let until = |name: &str, status: u16| {
        wait_for("the server to see it", String::new, || (tags(name) == status).then_some(()));
    };
    until("app", 200);
    busy.roadstead.ok(&["remove", "upstream/app:1", "--yes"]);
    until("app", 404);
    busy.roadstead.ok(&["gc", "--yes"]);
    assert_eq!(tags("other"), 200);
    drop(busy.upstream);
}
