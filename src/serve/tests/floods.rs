//! Clients that ask for more than anybody needs: they get it one after the other, and nobody else waits for that.

use super::*;
use crate::unixfs::Profile;

const REQUESTS: usize = 10_000;

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_blocks_come_one_after_the_other() {
    let blocks = Arc::new(MemoryBlocks::default());
    let content = vec![7; 10_000];
    let block = blocks.add_file(Profile::V1_2025, &content).cid;
    let absent = MemoryBlocks::default().add_raw(b"absent");
    let server = Server::with_blocks(&blocks).await;
    // All of them are asked for before an answer is read: half of what is asked for is not here.
    let (mut reading, mut writing) = server.connect().await.into_split();
    let request = |cid| format!("GET /ipfs/{cid}?format=raw HTTP/1.1\r\nhost: a\r\n\r\n");
    let both = request(block) + &request(absent);
    let asking = tokio::spawn(async move {
        for _ in 0..REQUESTS / 2 {
            writing.write_all(both.as_bytes()).await.unwrap();
        }
        writing
    });
    // While it takes nothing, little is read for it, and others are answered.
    let served = async {
        for _ in 0..50 {
            assert_eq!(server.get(&format!("/ipfs/{block}?format=raw")).await.bytes().await.unwrap(), content);
        }
    };
    tokio::time::timeout(PATIENCE, served).await.expect("others are served");
    let read = blocks.bytes_read();
    assert!(read < (50 + REQUESTS / 4) * content.len(), "{read} bytes were read for one who takes none");
    // When it takes them, it has all of them.
    let mut answers = [0, 0];
    let (mut rest, mut piece) = (Vec::new(), vec![0; 1 << 20]);
    while answers != [REQUESTS / 2; 2] {
        let count = tokio::time::timeout(PATIENCE, reading.read(&mut piece)).await.expect("bytes in time").unwrap();
        assert!(count > 0, "{answers:?}");
        rest.extend_from_slice(&piece[..count]);
        for (at, _) in rest.iter().enumerate().filter(|(_, byte)| **byte == b'H') {
            answers[0] += usize::from(rest[at..].starts_with(b"HTTP/1.1 200"));
            answers[1] += usize::from(rest[at..].starts_with(b"HTTP/1.1 404"));
        }
        // A line that is not whole yet is looked at again.
        rest.drain(..rest.len().saturating_sub(11));
    }
    drop(asking.await.unwrap());
}

#[tokio::test]
async fn four_mebibytes_of_a_question_are_not_taken() {
    let blocks = Arc::new(MemoryBlocks::default());
    let block = blocks.add_raw(b"a block");
    let server = Server::with_blocks(&blocks).await;
    let long = "x".repeat(4 << 20);
    for (head, status) in [
        (format!("GET /ipfs/{block}?format=raw&{long} HTTP/1.1\r\nhost: a\r\n\r\n"), "HTTP/1.1 4"),
        (format!("GET /ipfs/{block}?format=raw HTTP/1.1\r\nhost: a\r\nx: {long}\r\n\r\n"), "HTTP/1.1 431"),
        (
            format!("POST /ipfs/{block}?format=raw HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{long}", 4 << 20),
            "HTTP/1.1 405",
        ),
    ] {
        let mut stream = server.connect().await;
        let (mut reading, mut writing) = stream.split();
        // The other side may close before it has all of it.
        let sending = async { drop(writing.write_all(head.as_bytes()).await) };
        let mut said = vec![0; 12];
        let answered = async { reading.read_exact(&mut said).await.map(drop) };
        let ((), answered) = tokio::join!(sending, tokio::time::timeout(PATIENCE, answered));
        // A connection that is reset takes its answer along.
        if answered.expect("an answer in time").is_ok() {
            assert!(said.starts_with(status.as_bytes()), "{}", String::from_utf8_lossy(&said));
        }
    }
    assert_eq!(server.get(&format!("/ipfs/{block}?format=raw")).await.bytes().await.unwrap(), b"a block"[..]);
}
