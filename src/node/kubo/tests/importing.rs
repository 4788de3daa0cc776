//! `dag/import`: what is sent, and that nothing that broke off counts as done.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, stream};

use super::{is_node_error, kubo_at, through_proxy};
use crate::error::Kind;
use crate::node::fake_server::{Answer, Server, answer, chunk, head, late, ok};
use crate::node::{CarStream, ImportCar as _, Imported};

const STATS: &str = "{\"Stats\":{\"BlockCount\":3,\"BlockBytesCount\":700}}\n";

fn car(pieces: &'static [&'static str]) -> CarStream {
    stream::iter(pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes())))).boxed()
}

/// Pieces without end, each of 64 KiB.
fn endless() -> CarStream {
    let piece = Bytes::from(vec![7; 64 << 10]);
    stream::repeat_with(move || Ok(piece.clone())).boxed()
}

#[tokio::test]
async fn a_car_is_sent_as_a_file() {
    let server = Server::start(|_| ok(STATS)).await;
    let imported = through_proxy(&server).import(car(&["one", "two"])).await.unwrap();
    assert_eq!(imported, Imported { blocks: 3, bytes: 700 });
    let received = &server.received()[0];
    assert_eq!(received.target, "/proxy/api/v0/dag/import?pin-roots=false&stats=true&fast-provide-root=false");
    assert!(received.header("content-type").unwrap().starts_with("multipart/form-data; boundary="));
    assert_eq!(received.header("transfer-encoding"), Some("chunked"));
    let body = String::from_utf8_lossy(&received.body);
    assert!(body.contains("Content-Type: application/octet-stream"), "{body}");
    assert!(body.contains("filename=\"registry.car\"") && body.contains("one") && body.contains("two"), "{body}");
}

#[tokio::test]
async fn what_broke_off_is_not_done() {
    let cut = [head("200 OK"), chunk(STATS)].concat();
    let closed = [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec(), b"{}\n".to_vec()].concat();
    let half = [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec(), STATS.as_bytes()[..30].to_vec()].concat();
    for (wanted, words) in [
        (late("", "import failed: unexpected EOF"), "unexpected EOF"),
        (late(STATS, "import failed: block mismatch"), "block mismatch"),
        (Answer::Raw(cut), "ended its answer early"),
        (Answer::Raw(closed), "no count of imported blocks"),
        (Answer::Raw(half), "unexpected answer"),
        (Answer::Raw(Vec::new()), "ended its answer early"),
        (ok(""), "no count of imported blocks"),
        (ok("{\"Root\":{\"Cid\":{\"/\":\"x\"}}}\n"), "no count of imported blocks"),
        (Answer::Hang([head("200 OK"), chunk(STATS)].concat()), "made no progress"),
        (Answer::Hang(Vec::new()), "made no progress"),
        (answer("500 Internal Server Error", "{\"Message\":\"import failed\",\"Code\":0}"), "says: import failed"),
        (answer("413 Too Large", "<html>"), "a body of this size"),
        (
            Answer::Raw(b"HTTP/1.1 307 x\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n".to_vec()),
            "elsewhere",
        ),
    ] {
        let shown = format!("{wanted:?}");
        let server = Server::start(move |_| wanted.clone()).await;
        let error = through_proxy(&server).import(car(&["x"])).await.unwrap_err();
        assert!(error.kind() == Kind::Node && error.to_string().contains(words), "{shown}: {error}");
    }
}

#[tokio::test]
async fn a_node_that_takes_nothing_is_given_up() {
    let server = Server::start(|_| Answer::Deaf).await;
    is_node_error(through_proxy(&server).import(endless()).await, "made no progress");
}

#[tokio::test]
async fn the_source_may_take_longer_than_the_node() {
    let server = Server::start(|_| ok(STATS)).await;
    let kubo = through_proxy(&server);
    let pieces = stream::unfold(0, |count| async move {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        (count < 1).then(|| (Ok(Bytes::from_static(b"x")), count + 1))
    });
    kubo.import(pieces.boxed()).await.unwrap();
}

#[tokio::test]
async fn a_source_that_fails_is_named() {
    let server = Server::start(|_| ok(STATS)).await;
    let pieces = stream::iter([Ok(Bytes::from_static(b"x")), Err(io::Error::other("the disk is gone"))]);
    let error = through_proxy(&server).import(pieces.boxed()).await.unwrap_err();
    assert!(error.kind() == Kind::Unexpected && error.to_string().contains("the disk is gone"), "{error}");
}

#[tokio::test]
async fn a_refused_token_is_named() {
    let server = Server::start(|_| answer("403 Forbidden", "Kubo RPC Access Denied: no")).await;
    let error = kubo_at(&server.url, Some("bearer:wrong")).import(car(&["x"])).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Auth);
}

#[tokio::test]
async fn a_refusal_that_was_lost_is_asked_for_again() {
    for (small, kind, words) in [
        (answer("403 Forbidden", "no"), Kind::Auth, "refuses the credentials"),
        (answer("404 Not Found", "404 page not found"), Kind::Node, "no such command"),
        (ok(STATS), Kind::Node, "ended its answer early"),
    ] {
        let first = std::sync::atomic::AtomicBool::new(true);
        let server = Server::start(move |_| {
            let is_first = first.swap(false, std::sync::atomic::Ordering::Relaxed);
            if is_first { Answer::Cut } else { small.clone() }
        })
        .await;
        let error = through_proxy(&server).import(endless()).await.unwrap_err();
        assert!(error.kind() == kind && error.to_string().contains(words), "{error}");
        let second = &server.received()[1];
        let prefix = b"Content-Type: application/octet-stream";
        assert!(second.body.windows(prefix.len()).any(|window| window == prefix) && second.body.len() < 1000);
    }
}
