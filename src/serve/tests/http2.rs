//! Several requests on one connection, and clients that make too much of that.

use futures::future::join_all;

use super::*;
use crate::unixfs::Profile;

/// How a connection begins, with settings that change nothing.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

fn sharing_client() -> Client {
    Client::builder().no_proxy().http2_prior_knowledge().build().unwrap()
}

fn some_blocks() -> (Arc<MemoryBlocks>, cid::Cid, cid::Cid) {
    let blocks = Arc::new(MemoryBlocks::default());
    let small = blocks.add_raw(b"small");
    let content: Vec<u8> = (0..24_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let large = blocks.add_file(Profile::V1_2025, &content).cid;
    (blocks, small, large)
}

async fn serving(blocks: &Arc<MemoryBlocks>, limits: Limits) -> Server {
    let mut server = Server::giving(Some(Arc::clone(blocks) as _), Options::default(), limits).await;
    server.client = sharing_client();
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_share_a_connection() {
    let (blocks, small, large) = some_blocks();
    let server = serving(&blocks, Limits { connections: 2, ..Limits::default() }).await;
    let path = format!("/ipfs/{small}?format=raw");
    let answers = join_all((0..100).map(|_| server.get(&path))).await;
    for answer in answers {
        assert_eq!((answer.status().as_u16(), answer.version()), (200, reqwest::Version::HTTP_2));
        assert_eq!(answer.text().await.unwrap(), "small");
    }
    let car = server.get(&format!("/ipfs/{large}?format=car")).await;
    assert!(car.bytes().await.unwrap().len() > 24_000_000);
    let head = server.send(Method::HEAD, &format!("/ipfs/{large}?format=car"), &[]).await;
    assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, ""));
    // The registry too, which answers for names of this machine alone.
    assert_eq!(server.get("/v2/").await.text().await.unwrap(), "{}");
    let named = server.client.get(server.url("/v2/")).header("host", "evil.example").send().await.unwrap();
    assert_eq!(named.status(), 421);
    server.stop().await;
}

#[tokio::test]
async fn tls_negotiates_it_beside_a_gateway_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key, pem) = super::protection::write_certificate(directory.path(), "server");
    let (blocks, small, _) = some_blocks();
    for (given, version) in
        [(Some(Arc::clone(&blocks) as _), reqwest::Version::HTTP_2), (None, reqwest::Version::HTTP_11)]
    {
        let options = Options { tls: Some((certificate.clone(), key.clone())), ..Options::default() };
        let mut server = Server::giving(given, options, Limits::default()).await;
        server.client = super::protection::trusting(&pem);
        assert_eq!(server.get("/v2/").await.version(), version);
        let answer = server.get(&format!("/ipfs/{small}?format=raw")).await;
        assert_eq!((answer.version(), answer.status() == 200), (version, version == reqwest::Version::HTTP_2));
    }
}

#[tokio::test]
async fn who_takes_nothing_of_one_answer_loses_the_connection() {
    let (blocks, small, large) = some_blocks();
    let limits = Limits { write: Duration::from_millis(300), drain: Duration::from_hours(1), ..Limits::default() };
    let server = serving(&blocks, limits).await;
    let stalled = server.get(&format!("/ipfs/{large}?format=car")).await;
    assert_eq!(stalled.status(), 200);
    // Others on the connection are answered meanwhile.
    for _ in 0..5 {
        assert_eq!(server.get(&format!("/ipfs/{small}?format=raw")).await.status(), 200);
    }
    // The server ends when its last connection has.
    server.stop.cancel();
    tokio::time::timeout(PATIENCE, server.task).await.unwrap().unwrap().unwrap();
    assert!(stalled.bytes().await.is_err());
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let limits = Limits { head: Duration::from_millis(200), ..Limits::default() };
    let server = serving(&Arc::default(), limits).await;
    for sent in [PREFACE, &PREFACE[..24], &PREFACE[..3]] {
        let mut stream = server.connect().await;
        stream.write_all(sent).await.unwrap();
        read_to_close(&mut stream).await;
    }
    assert!(
        server.raw("PR / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.starts_with("HTTP/1.1 405")
    );
}

/// The frames of a request for this path, which is broken off at once.
fn reset_request(stream: u32, path: &str) -> Vec<u8> {
    // `:method: GET`, `:scheme: http`, a literal `:path` and a literal `:authority` (RFC 7541, appendix A).
    let mut block = vec![0x82, 0x86, 0x04, path.len() as u8];
    block.extend_from_slice(path.as_bytes());
    block.extend_from_slice(&[0x01, 9]);
    block.extend_from_slice(b"localhost");
    let frame = |kind: u8, flags: u8, payload: &[u8]| {
        let length = (payload.len() as u32).to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    };
    // Ends the stream and the headers; then `CANCEL`.
    [frame(1, 0x05, &block), frame(3, 0, &8_u32.to_be_bytes())].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_broken_off_at_once_cost_little() {
    let (blocks, small, large) = some_blocks();
    let server = serving(&blocks, Limits::default()).await;
    let path = format!("/ipfs/{large}?format=car");
    let mut attackers = Vec::new();
    for _ in 0..4 {
        let mut stream = server.connect().await;
        let mut sent = PREFACE.to_vec();
        (0..5000).for_each(|number| sent.extend(reset_request(2 * number + 1, &path)));
        attackers.push(tokio::spawn(async move {
            // It may be closed in the middle.
            let _ = stream.write_all(&sent).await;
            stream
        }));
    }
    let answer = tokio::time::timeout(PATIENCE, server.get(&format!("/ipfs/{small}?format=raw"))).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "small");
    for attacker in attackers {
        drop(attacker.await.unwrap());
    }
    server.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_with_many_requests_leaves_half_to_others() {
    let (blocks, small, large) = some_blocks();
    let server = serving(&blocks, Limits { connections: 8, ..Limits::default() }).await;
    let path = format!("/ipfs/{large}?format=car");
    // More than there are places for; those of the first four are taken by nobody.
    let mut stalled: Vec<_> = (0..12).map(|_| Box::pin(server.client.get(server.url(&path)).send())).collect();
    let begun = join_all(stalled.drain(..4)).await;
    assert!(begun.iter().all(Result::is_ok));
    let waiting = tokio::spawn(join_all(stalled));
    let other =
        Client::builder().no_proxy().http2_prior_knowledge().local_address(std::net::IpAddr::from([127, 0, 0, 2]));
    let answer = other.build().unwrap().get(server.url(&format!("/ipfs/{small}?format=raw"))).send();
    let answer = tokio::time::timeout(PATIENCE, answer).await.unwrap().unwrap();
    assert_eq!(answer.text().await.unwrap(), "small");
    assert!(!waiting.is_finished());
    drop(begun);
    waiting.abort();
}
