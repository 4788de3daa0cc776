//! What slow readers of documents cost: one copy of each document, and no more than there is room for.

use std::collections::BTreeMap;

use super::*;
use crate::image::{Descriptor, Digest, media};

/// Does not fit into the buffers between two sockets, and only once into the memory for large documents.
const SIZE: usize = 6 << 20;

fn large_manifest(server: &Server, tag: &str) -> Digest {
    let text = format!("{{\"{tag}\":\"{}\"}}", "a".repeat(SIZE));
    server.shelf.repository("a", |repository| repository.add_manifest(tag, &text))
}

/// Asks and reads no more than the status.
async fn begin(server: &Server, path: &str) -> (TcpStream, String) {
    let mut stream = server.connect().await;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await.unwrap();
    let mut start = [0; 12];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut start)).await.unwrap().unwrap();
    (stream, String::from_utf8_lossy(&start[9..]).into_owned())
}

/// Waits until no more than so many bytes of documents are alive.
async fn settles_at(server: &Server, most: usize) {
    let settled = async {
        while server.shelf.bytes_alive().0 > most {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, settled).await.expect("documents stay in memory");
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_readers_of_a_manifest_share_one_copy() {
    let server = Server::start().await;
    let digest = large_manifest(&server, "1");
    let mut readers = Vec::new();
    for number in 0..40 {
        // By its tag and by its digest it is the same document.
        let target = if number % 2 == 0 { "1".to_owned() } else { digest.to_string() };
        let (stream, status) = begin(&server, &format!("/v2/a/manifests/{target}")).await;
        assert_eq!(status, "200");
        readers.push(stream);
    }
    settles_at(&server, 2 * SIZE).await;
    let (alive, most) = server.shelf.bytes_alive();
    assert!(alive > SIZE, "{alive}");
    // Beside the one, those that were just being looked up.
    assert!(most < 10 * SIZE, "{most}");
    drop(readers);
    settles_at(&server, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_without_room_wait_and_small_ones_pass_them() {
    let limits = Limits { room: Duration::from_hours(1), ..Limits::default() };
    let server = Server::with(Options::default(), limits).await;
    for tag in ["1", "2"] {
        large_manifest(&server, tag);
    }
    server.shelf.repository("a", |repository| repository.add_manifest("small", "{}"));
    let (reader, status) = begin(&server, "/v2/a/manifests/1").await;
    assert_eq!(status, "200");
    let asked = server.shelf.times_asked();
    let waiting = tokio::spawn(server.client.get(server.url("/v2/a/manifests/2")).send());
    let looked = async {
        while server.shelf.times_asked() < asked + 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, looked).await.unwrap();
    assert_eq!(server.get("/v2/a/manifests/small").await.status(), 200);
    settles_at(&server, 2 * SIZE - 1).await;
    assert!(!waiting.is_finished());
    drop(reader);
    let answer = tokio::time::timeout(PATIENCE, waiting).await.unwrap().unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.bytes().await.unwrap().len() > SIZE);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_in_vain_is_told_to_come_back() {
    let limits = Limits { room: Duration::from_millis(1), ..Limits::default() };
    let server = Server::with(Options::default(), limits).await;
    let mut readers = Vec::new();
    for tag in 0..30 {
        large_manifest(&server, &tag.to_string());
        readers.push(begin(&server, &format!("/v2/a/manifests/{tag}")).await);
    }
    let given = readers.iter().filter(|(_, status)| status == "200").count();
    assert_eq!(given, 1);
    settles_at(&server, 2 * SIZE - 1).await;
    let refused = server.get("/v2/a/manifests/29").await;
    assert_eq!(header(&refused, "retry-after"), "1");
    assert_eq!(refusal(refused).await.0, 503);
    drop(readers);
    settles_at(&server, 0).await;
    assert_eq!(server.get("/v2/a/manifests/29").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_documents_too() {
    let limits = Limits { room: Duration::from_millis(1), ..Limits::default() };
    let server = Server::with(Options::default(), limits).await;
    let subjects = [Digest::of(b"1"), Digest::of(b"2")];
    for subject in subjects {
        let referrer = Descriptor {
            media_type: media::OCI_MANIFEST.to_owned(),
            digest: subject,
            size: 7,
            urls: Vec::new(),
            annotations: BTreeMap::from([(subject.to_string(), "a".repeat(SIZE))]),
            platform: None,
            artifact_type: None,
        };
        server.shelf.repository("a", |repository| repository.referrers.insert(subject, vec![referrer]));
    }
    let [one, other] = subjects.map(|subject| format!("/v2/a/referrers/{subject}"));
    let (reader, status) = begin(&server, &one).await;
    assert_eq!(status, "200");
    // The same list once more is the same copy.
    assert_eq!(begin(&server, &one).await.1, "200");
    assert_eq!(server.get(&other).await.status(), 503);
    drop(reader);
    let freed = async { while server.get(&other).await.status() != 200 {} };
    tokio::time::timeout(PATIENCE, freed).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_a_document_too_slowly_makes_room_for_others() {
    let limits = Limits { room: Duration::from_hours(1), answer: Duration::ZERO, ..Limits::default() };
    let server = Server::with(Options::default(), limits).await;
    for tag in ["1", "2"] {
        large_manifest(&server, tag);
    }
    let (mut slow, status) = begin(&server, "/v2/a/manifests/1").await;
    assert_eq!(status, "200");
    let answer = tokio::time::timeout(PATIENCE, server.get("/v2/a/manifests/2")).await.unwrap();
    assert!(answer.bytes().await.unwrap().len() > SIZE);
    assert!(read_to_close(&mut slow).await.len() < SIZE);
}
