//! What others hear of runs: pings, hooks, and who asks a watch how it is.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use rustix::process::Signal;

use super::{mirrored, push};
use crate::cli::Roadstead;
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::web::{Answer, try_get};
use crate::peers::{Daemon, wait_for};
use crate::publishing::world::World;

/// A service that watches scheduled jobs. It answers `/start` when it is let go.
struct Pinged {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
    release: Sender<()>,
}

impl Pinged {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/uuid", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (release, released) = channel();
        let (kept, released) = (Arc::clone(&seen), Arc::new(Mutex::new(released)));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (kept, released) = (Arc::clone(&kept), Arc::clone(&released));
                std::thread::spawn(move || answer(stream, &kept, &released));
            }
        });
        Self { url, seen, release }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn answer(mut stream: TcpStream, seen: &Mutex<Vec<String>>, released: &Mutex<Receiver<()>>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
        head.extend_from_slice(&byte);
    }
    let path = String::from_utf8_lossy(&head).split(' ').nth(1).unwrap_or_default().to_owned();
    seen.lock().unwrap().push(path.clone());
    if path.ends_with("/start") {
        let _ = released.lock().unwrap().recv();
    }
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
}

fn world(rules: impl Fn(&str) -> String) -> (Roadstead, DockerRegistry) {
    let (roadstead, registry) = (Roadstead::new(), DockerRegistry::plain());
    push(&registry, "app", &["1.0", "1.1"].map(str::to_owned), "app\n");
    let file = roadstead.path("mirror.toml");
    std::fs::write(&file, rules(&registry.host())).unwrap();
    roadstead.ok(&["rule", "use", &file.display().to_string()]);
    (roadstead, registry)
}

/// A watch, and how it says it is.
fn watch(roadstead: &Roadstead) -> (Daemon, impl Fn() -> Option<Answer> + use<>) {
    let watch = roadstead.command(&["watch", "--yes", "--listen", "127.0.0.1:0"]);
    let mut daemon = Daemon::start("roadstead-watch", &watch, &roadstead.path(""));
    let log = roadstead.path("roadstead-watch.log");
    let url = daemon.wait_for("its address", || {
        let log = std::fs::read_to_string(&log).ok()?;
        let (_, after) = log.split_once("are at ")?;
        Some(after.split_once(".\n")?.0.to_owned())
    });
    (daemon, move || try_get(&format!("{url}/healthz")).ok())
}

#[test]
fn a_ping_hears_that_a_run_begins_and_how_it_ends_and_delays_nothing() {
    let pinged = Pinged::start();
    let hook = format!("[[hook]]\nping = '{}'\n", pinged.url);
    let (roadstead, registry) = world(|host| format!("{hook}[[rule]]\nimage = '{host}/app'\ntags = ['#.#']\n"));
    roadstead.ok(&["rule", "trust", "--yes"]);
    let mut running =
        roadstead.command(&["update", "--yes"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // The images come though nobody has answered yet.
    wait_for("its images", String::new, || (mirrored(&roadstead, &registry, "app").len() == 2).then_some(()));
    pinged.release.send(()).unwrap();
    assert!(running.wait().unwrap().success());
    assert_eq!(pinged.seen(), ["/uuid/start", "/uuid"]);

    // A rule fails, though others go right.
    let file = roadstead.path("mirror.toml");
    let text = std::fs::read_to_string(&file).unwrap() + "[[rule]]\nname = 'lost'\nsources = ['list:nothere.txt']\n";
    std::fs::write(&file, text).unwrap();
    pinged.release.send(()).unwrap();
    let said = roadstead.run(&["update", "--yes"]);
    assert!(said.stderr.contains("Nothing changed: 1 of 2 rules failed."), "{said}");
    assert!(!said.stderr.contains("everything selected is here"), "{said}");
    said.failure(9);
    assert_eq!(pinged.seen()[2..], ["/uuid/start", "/uuid/fail"]);
    let runs = roadstead.run(&["history", "--runs"]).success();
    assert!(runs.contains("1 of 2 rules failed: lost"), "{runs}");
}

#[test]
fn figures_are_written_for_who_collects_them() {
    let (roadstead, registry) =
        world(|host| format!("[[rule]]\nname = 'app'\nimage = '{host}/app'\ntags = ['#.#']\nnewest = 1\n"));
    roadstead.ok(&["update", "--yes"]);
    let file = roadstead.path("roadstead.prom");
    std::fs::write(&file, "what was there before\n").unwrap();
    roadstead.ok(&["metrics", "--write", &file.display().to_string()]);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("roadstead_rule_selected{rule=\"app\"} 1\n"), "{text}");
    assert!(text.contains("\nroadstead_last_success_timestamp_seconds "), "{text}");
    assert!(!text.contains("before"), "{text}");
    assert_eq!(mirrored(&roadstead, &registry, "app"), ["1.1"]);
}

#[test]
fn a_watch_publishes_what_came() {
    let world = World::new();
    push(&world.registry, "app", &["1.0".to_owned()], "app\n");
    world.roadstead.ok(&["rule", "add", &format!("{}/app:#.#", world.registry.host())]);
    let watch = world.roadstead.command(&["watch", "--yes", "--publish"]);
    let mut daemon = Daemon::start("roadstead-watch", &watch, &world.roadstead.path(""));
    let is_published = |tag: &str| {
        let is_here = mirrored(&world.roadstead, &world.registry, "app").iter().any(|here| here == tag);
        (is_here && world.record() == [format!("dnslink=/ipfs/{}", world.roadstead.root())]).then_some(())
    };
    daemon.wait_for("the first root", || is_published("1.0"));
    push(&world.registry, "app", &["1.1".to_owned()], "new\n");
    daemon.signal(Signal::HUP);
    daemon.wait_for("the next one", || is_published("1.1"));
    daemon.signal(Signal::TERM);
    let status = wait_for("its end", String::new, || daemon.ended());
    assert!(status.success(), "{status}");
}

#[test]
fn a_watch_without_leave_to_remove_does_not_begin() {
    let (roadstead, _registry) = world(|host| format!("[[rule]]\nimage = '{host}/app'\ntags = ['#.#']\n"));
    let said = roadstead.run(&["watch", "--listen", "127.0.0.1:0"]);
    assert!(said.stderr.contains("--yes") && !said.stderr.contains("are at"), "{said}");
    said.failure(2);
}

#[test]
fn a_watch_with_programs_that_nobody_allowed_says_so_once_a_run() {
    let (roadstead, _registry) = world(|_| "[[rule]]\nsources = ['command:touch ran']\n".to_owned());
    let (mut daemon, health) = watch(&roadstead);
    let refused = |daemon: &Daemon| daemon.log().matches("were not allowed").count();
    daemon.wait_for("a run that failed", || health().filter(|answer| answer.status == 503));
    assert_eq!(refused(&daemon), 1);
    daemon.signal(Signal::HUP);
    let log = roadstead.path("roadstead-watch.log");
    let said = || std::fs::read_to_string(&log).unwrap_or_default().matches("were not allowed").count();
    daemon.wait_for("another one", || (said() > 1).then_some(()));
    assert_eq!(refused(&daemon), 2);
    assert!(!roadstead.path("ran").exists());
}

#[test]
fn a_watch_is_well_while_images_only_wait_and_not_while_a_rule_fails() {
    let (roadstead, registry) =
        world(|host| format!("[[rule]]\nname = 'app'\nimage = '{host}/app'\ntags = ['#.#']\nmax_new = 1\n"));
    let (mut daemon, health) = watch(&roadstead);
    let log = roadstead.path("roadstead-watch.log");
    daemon.wait_for("its run", || {
        std::fs::read_to_string(&log).ok().filter(|log| log.contains("1 image waits for the next run.\n"))
    });
    daemon.wait_for("its image", || (mirrored(&roadstead, &registry, "app") == ["1.1"]).then_some(()));
    assert_eq!(health().map(|answer| answer.status), Some(200), "{}", daemon.log());
    let file = roadstead.path("mirror.toml");
    let text = std::fs::read_to_string(&file).unwrap() + "[[rule]]\nname = 'lost'\nsources = ['list:nothere.txt']\n";
    std::fs::write(&file, text).unwrap();
    daemon.signal(Signal::HUP);
    let answer = daemon.wait_for("a rule that failed", || health().filter(|answer| answer.status == 503));
    assert_eq!(answer.text(), "the last run of the rule lost failed\n");
}
