//! ^C and SIGTERM: the first stops cleanly and keeps what is verified, the second ^C ends the process at once.

use super::local::Local;
use super::running::Running;
use super::upstream::Upstream;
use super::{partials, random, says, sound_blobs};
use rustix::process::Signal;
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

const ADD: [&str; 2] = ["add", "upstream/app:1"];
const AFTER: usize = 600_000;

/// Stops an `add` in the middle of a blob by this signal, and lets it go on.
fn stops_cleanly(signal: Signal) {
    let (upstream, [small, large]) = Upstream::with_app();
    let roadstead = Local::new(&upstream);
    let data = roadstead.data();
    let held = upstream.hold(&large, AFTER);
    let mut running = Running::start(&roadstead.command(&ADD), &roadstead.path(""), "add");
    running.wait_until("one layer and a part of another", || {
        let (blobs, parts) = (super::files(&data.join("blobs/sha256")), partials(&data));
        blobs.contains_key(&small[7..]) && parts.get(&large[7..]) == Some(&(AFTER as u64))
    });
    running.signal(signal);
    let said = running.end().failure(130);
    says(
        &said,
        &[
            "Stopping; what is verified is kept.",
            "error: interrupted",
            "hint: What was verified is kept: the same command continues",
        ],
    );
    assert!(sound_blobs(&data).contains_key(&small[7..]));
    assert_eq!(partials(&data), [(String::from(&large[7..]), AFTER as u64)].into());

    held.release();
    upstream.registry.forget_requests();
    roadstead.ok(&ADD);
    assert_eq!((upstream.asked(&small), upstream.asked(&large)), (vec![], vec![AFTER as u64]));
    roadstead.ok(&["verify"]);
    assert_eq!(partials(&data), [].into());
}

#[test]
fn the_first_interrupt_stops_cleanly() {
    stops_cleanly(Signal::INT);
}

#[test]
fn a_request_to_terminate_stops_cleanly() {
    stops_cleanly(Signal::TERM);
}

#[test]
fn an_interrupt_is_heard_while_the_registry_never_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let host = listener.local_addr().expect("an address").to_string();
    let silent = std::thread::spawn(move || -> Option<TcpStream> { Some(listener.accept().ok()?.0) });
    let roadstead = crate::cli::Roadstead::new();
    let reference = format!("{host}/app:1");
    let command = roadstead.command(&["add", "--insecure", &reference]);
    let mut running = Running::start(&command, &roadstead.path(""), "add");
    running.wait_until("a connection", || silent.is_finished());
    let _connection = silent.join().expect("a thread");
    let begun = Instant::now();
    running.signal(Signal::INT);
    says(&running.end().failure(130), &["Stopping", "error: interrupted"]);
    assert!(begun.elapsed().as_secs() < 4, "{:?}", begun.elapsed());
}

/// A pipe that nobody writes to blocks who opens it, as a dead network file system does.
#[test]
fn the_second_interrupt_ends_it_while_the_job_does_not_react() {
    let upstream = Upstream::start();
    upstream.put("app", "1", &[random(1 << 10, 1)]);
    let roadstead = Local::new(&upstream);
    roadstead.ok(&ADD);
    // Another program is changing the database, and SQLite waits for that.
    let database = rusqlite::Connection::open(roadstead.path("registry/catalog.db")).expect("the catalog");
    database.execute_batch("BEGIN IMMEDIATE").expect("its lock");
    let image = format!("{}/app:1", roadstead.published());
    let command = roadstead.command(&["remove", "--yes", &image]);
    let mut running = Running::start(&command, &roadstead.path(""), "remove");
    let lock = roadstead.path("registry/lock");
    running.wait_until("the plan's lock", || std::fs::read_to_string(&lock).is_ok_and(|who| who.contains("remove ")));
    // Until it hears signals, the first one ends it as it ends any program.
    let status = format!("/proc/{}/status", running.pid());
    running.wait_until("hearing signals", || {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0").trim().to_owned();
        u64::from_str_radix(&caught, 16).is_ok_and(|caught| caught & 2 != 0)
    });
    running.signal(Signal::INT);
    running.wait_until_said("Press ^C again to stop at once.");
    let begun = Instant::now();
    running.signal(Signal::INT);
    let ended = running.end();
    assert_eq!(ended.code, 130, "{ended}");
    assert!(begun.elapsed().as_secs() < 3, "{:?}", begun.elapsed());
}

#[test]
fn serving_stops_cleanly_while_a_transfer_runs() {
    use std::io::{Read as _, Write as _};
    // More than the buffers of a connection take.
    let layer = random(24 << 20, 1);
    let upstream = Upstream::start();
    let digest = upstream.put("app", "1", std::slice::from_ref(&layer)).remove(0);
    let roadstead = Local::new(&upstream);
    roadstead.ok(&ADD);
    let (running, host) = super::serving::serve(&roadstead);
    let mut client = TcpStream::connect(&host).expect("a connection");
    let name = format!("{}/app", roadstead.published());
    write!(client, "GET /v2/{name}/blobs/{digest} HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
    let mut read = vec![0; 64 << 10];
    client.read_exact(&mut read).expect("the beginning");
    running.signal(Signal::TERM);
    crate::peers::wait_for("a closed door", || running.said(), || TcpStream::connect(&host).is_err().then_some(()));
    client.read_to_end(&mut read).expect("the rest");
    let head = read.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
    assert!(read[head..] == layer[..], "{} of {} bytes", read.len() - head, layer.len());
    let ended = running.end();
    assert_eq!(ended.code, 0, "{ended}");
    says(&ended.stderr, &["Stopping after the responses under way."]);
}

#[test]
fn a_hangup_does_not_end_serving() {
    use std::io::{Read as _, Write as _};
    let upstream = Upstream::start();
    upstream.put("app", "1", &[random(100, 1)]);
    let roadstead = Local::new(&upstream);
    roadstead.ok(&ADD);
    let (running, host) = super::serving::serve(&roadstead);
    for _ in 0..3 {
        running.signal(Signal::HUP);
        let mut client = TcpStream::connect(&host).expect("a connection");
        write!(client, "GET /v2/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").expect("a request");
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    running.signal(Signal::TERM);
    let ended = running.end();
    assert_eq!(ended.code, 0, "{ended}");
}
