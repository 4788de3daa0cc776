//! Slow, stalled, greedy and many clients, and the end.

use std::time::Instant;

use super::*;
use crate::error::Kind;
use crate::image::Digest;

const GET: &str = "GET /v2/ HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// A blob that does not fit into the buffers between two sockets.
fn large_blob(server: &Server, directory: &tempfile::TempDir) -> (Digest, usize) {
    let path = directory.path().join("large");
    std::fs::write(&path, vec![7; 32 << 20]).unwrap();
    (server.shelf.repository("a", |repository| repository.add_file(&path)), 32 << 20)
}

/// Asks for the blob and reads until its first bytes are there.
async fn begin(server: &Server, digest: &Digest) -> TcpStream {
    let mut stream = server.connect().await;
    let request = format!("GET /v2/a/blobs/{digest} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_stalled_clients_keep_nobody_waiting() {
    let server = Server::start().await;
    let directory = tempfile::tempdir().unwrap();
    let (digest, size) = large_blob(&server, &directory);
    let mut stalled = Vec::new();
    for number in 0..1000 {
        let mut stream = server.connect().await;
        match number % 3 {
            0 => {}
            1 => stream.write_all(b"GET /v2/ HTTP/1.1\r\nho").await.unwrap(),
            _ => stream = begin(&server, &digest).await,
        }
        stalled.push(stream);
    }
    let start = Instant::now();
    assert_eq!(server.get("/v2/").await.status(), 200);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert_eq!(server.get(&format!("/v2/a/blobs/{digest}")).await.bytes().await.unwrap().len(), size);
}

#[tokio::test]
async fn slow_heads_and_idle_connections_are_closed() {
    let limits = Limits { head: Duration::from_millis(200), ..Limits::default() };
    let server = Server::with(Options::default(), limits).await;
    assert_eq!(server.raw("").await, "");
    assert!(!server.raw("GET /v2/ HTTP/1.1\r\nho").await.contains("200 OK"));
    let answer = server.raw(GET).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("{}"), "{answer}");
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_dropped() {
    let drain = Duration::from_hours(1);
    let limits = Limits { write: Duration::from_millis(200), drain, ..Limits::default() };
    let server = Server::with(Options::default(), limits).await;
    let directory = tempfile::tempdir().unwrap();
    let (digest, size) = large_blob(&server, &directory);
    let mut stream = begin(&server, &digest).await;
    // The server ends when its last connection has.
    server.stop.cancel();
    tokio::time::timeout(PATIENCE, server.task).await.unwrap().unwrap().unwrap();
    assert!(read_to_close(&mut stream).await.len() < size);
}

#[tokio::test]
async fn oversized_heads_are_refused() {
    let server = Server::start().await;
    let long = format!("GET /v2/ HTTP/1.1\r\nhost: localhost\r\na: {}\r\n\r\n", "a".repeat(30_000));
    assert!(server.raw(&long).await.starts_with("HTTP/1.1 431"));
    let many = format!("GET /v2/ HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "a: b\r\n".repeat(200));
    assert!(server.raw(&many).await.starts_with("HTTP/1.1 431"));
    let path = format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "a".repeat(30_000));
    assert!(server.raw(&path).await.starts_with("HTTP/1.1 4"));
    assert!(server.raw("nonsense\r\n\r\n").await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn idle_connections_make_room_when_all_places_are_taken() {
    let limits = Limits { connections: 3, ..Limits::default() };
    let server = Server::with(Options::default(), limits).await;
    let mut idle = Vec::new();
    for _ in 0..3 {
        let mut stream = server.connect().await;
        stream.write_all(GET.as_bytes()).await.unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.unwrap();
        idle.push(stream);
    }
    assert_eq!(tokio::time::timeout(PATIENCE, server.get("/v2/")).await.unwrap().status(), 200);
    // The one that waited longest went; the others are as they were.
    assert!(read_to_close(&mut idle[0]).await.ends_with("{}"));
    for stream in &mut idle[1..] {
        stream.write_all(b"GET /v2/ HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
        assert_eq!(read_to_close(stream).await.matches("\r\n\r\n{}").count(), 2);
    }
    // Those that are answered stay, and those whose answers ended leave.
    let directory = tempfile::tempdir().unwrap();
    let (digest, size) = large_blob(&server, &directory);
    let mut running = Vec::new();
    for _ in 0..3 {
        running.push(begin(&server, &digest).await);
    }
    let client = plain_client();
    let waiting = tokio::spawn(client.get(server.url("/v2/")).send());
    for mut stream in running {
        let rest = read_to_close(&mut stream).await;
        assert_eq!(rest.split_once("\r\n\r\n").unwrap().1.len(), size);
    }
    assert_eq!(tokio::time::timeout(PATIENCE, waiting).await.unwrap().unwrap().unwrap().status(), 200);
}

/// A connection from this address of the machine with a part of a request on it.
async fn half_sent(server: &Server, from: [u8; 4]) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let mut stream = socket.connect(server.listening.address).await.unwrap();
    stream.write_all(b"GET /v2/ HTTP/1.1\r\nho").await.unwrap();
    stream
}

#[tokio::test]
async fn half_sent_requests_make_room_for_whole_ones() {
    // None of them would end by itself while this test runs.
    let head = Duration::from_hours(1);
    let limits = Limits { connections: 8, head, grace: Duration::ZERO, ..Limits::default() };
    let server = Server::with(Options::default(), limits).await;
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(half_sent(&server, [127, 0, 0, 1]).await);
    }
    for _ in 0..20 {
        let client = plain_client();
        let answer = tokio::time::timeout(PATIENCE, client.get(server.url("/v2/")).send()).await;
        assert_eq!(answer.unwrap().unwrap().status(), 200);
    }
    // The oldest went, whole and at once.
    assert_eq!(read_to_close(&mut held[0]).await, "");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn half_sent_requests_of_one_address_do_not_close_those_of_another() {
    let head = Duration::from_hours(1);
    let limits = Limits { connections: 4, head, grace: Duration::ZERO, ..Limits::default() };
    let server = Server::with(Options::default(), limits).await;
    let mut slow = half_sent(&server, [127, 0, 0, 2]).await;
    let mut held = Vec::new();
    for _ in 0..50 {
        held.push(half_sent(&server, [127, 0, 0, 1]).await);
        assert_eq!(tokio::time::timeout(PATIENCE, server.get("/v2/")).await.unwrap().status(), 200);
    }
    slow.write_all(b"st: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(read_to_close(&mut slow).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_silent_handshake_makes_room_too() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key, pem) = super::protection::write_certificate(directory.path(), "server");
    let head = Duration::from_hours(1);
    let limits = Limits { connections: 4, head, grace: Duration::ZERO, ..Limits::default() };
    let mut server = Server::with(Options { tls: Some((certificate, key)), ..Options::default() }, limits).await;
    server.client = super::protection::trusting(&pem);
    let mut held = Vec::new();
    for _ in 0..20 {
        held.push(server.connect().await);
    }
    assert_eq!(tokio::time::timeout(PATIENCE, server.get("/v2/")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn running_answers_end_before_the_server_does() {
    let server = Server::start().await;
    let directory = tempfile::tempdir().unwrap();
    let (digest, size) = large_blob(&server, &directory);
    let mut idle = server.connect().await;
    idle.write_all(GET.as_bytes()).await.unwrap();
    let mut running = begin(&server, &digest).await;
    server.stop.cancel();
    assert!(read_to_close(&mut idle).await.ends_with("{}"));
    let refused = async {
        while TcpStream::connect(server.listening.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.unwrap();
    assert!(!server.task.is_finished());
    let rest = read_to_close(&mut running).await;
    let body = rest.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(body.len(), size);
    server.stop().await;
}

#[tokio::test]
async fn stalled_answers_are_cut_off_at_the_end() {
    let limits = Limits { drain: Duration::from_millis(100), ..Limits::default() };
    let server = Server::with(Options::default(), limits).await;
    let directory = tempfile::tempdir().unwrap();
    let (digest, size) = large_blob(&server, &directory);
    let mut running = begin(&server, &digest).await;
    tokio::time::timeout(PATIENCE, server.stop()).await.unwrap();
    assert!(read_to_close(&mut running).await.len() < size);
}

#[tokio::test]
async fn a_taken_address_is_said_with_what_to_do() {
    let server = Server::start().await;
    let options = Options { listen: server.listening.address, ..Options::default() };
    let shelf = Arc::new(MemorySource::default());
    let error = crate::serve::run(shelf, None, options, CancellationToken::new(), |_| ()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    assert!(error.to_string().contains(&server.listening.address.to_string()), "{error}");
    assert!(error.hints()[0].contains("--listen"));
    assert!(server.listening.url.starts_with("http://127.0.0.1:"));
}
