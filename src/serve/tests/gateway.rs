//! The trustless gateway from outside: statuses, header fields, bodies, and clients that take nothing.

use cid::Cid;

use super::*;
use crate::error::Kind;
use crate::unixfs::{Profile, car};

const RAW: &str = "application/vnd.ipld.raw";
const CAR: &str = "application/vnd.ipld.car";
const KEY: &str = "k51qzi5uqu5dlvj2baxnqndepeb86cbk3ng7n3i46uzyxzyqj2xjonzllnv0v8";

/// A directory with a file of one block and one of four, and a name.
fn published() -> (Arc<MemoryBlocks>, Cid, Cid, Cid) {
    let blocks = Arc::new(MemoryBlocks::default());
    let small = blocks.add_file(Profile::V1_2025, b"hello world");
    let large = blocks.add_file(Profile::V1_2025, &vec![7; 3_500_000]);
    let root = blocks.add_directory(&[("large file", large), ("small", small)]);
    blocks.record(KEY, b"a record");
    (blocks, root.cid, small.cid, large.cid)
}

/// Blocks of a CAR, each verified.
fn blocks_of(bytes: &[u8]) -> Vec<Cid> {
    let mut reader = car::Reader::new(bytes).unwrap();
    std::iter::from_fn(|| reader.block().unwrap()).map(|block| block.cid).collect()
}

/// Bytes of the head of an answer, as a client counts them.
fn head_bytes(response: &Response) -> usize {
    response.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

#[tokio::test]
async fn blocks() {
    let (blocks, root, small, large) = published();
    let server = Server::with_blocks(&blocks).await;
    let leaf = blocks_of(&server.get(&format!("/ipfs/{large}?format=car")).await.bytes().await.unwrap())[1];
    for (cid, size) in [(small, 11), (leaf, 1 << 20), (root, 0)] {
        for (query, accept) in [("?format=raw", ""), ("", RAW), ("?format=raw", CAR)] {
            let path = format!("/ipfs/{cid}{query}");
            let response = server.get_with(&path, &[("accept", accept)]).await;
            assert_eq!(response.status(), 200);
            assert_eq!(header(&response, "content-type"), RAW);
            assert_eq!(header(&response, "etag"), format!("\"{cid}.raw\""));
            assert_eq!(header(&response, "cache-control"), "public, max-age=29030400, immutable");
            assert_eq!(header(&response, "x-ipfs-path"), format!("/ipfs/{cid}"));
            assert_eq!(header(&response, "x-ipfs-roots"), cid.to_string());
            assert_eq!(header(&response, "x-content-type-options"), "nosniff");
            assert_eq!(header(&response, "content-disposition"), format!("attachment; filename=\"{cid}.bin\""));
            assert_eq!(header(&response, "vary"), "Accept");
            assert_eq!(header(&response, "access-control-allow-origin"), "*");
            let location = if query.is_empty() { format!("/ipfs/{cid}?format=raw") } else { String::new() };
            assert_eq!(header(&response, "content-location"), location);
            assert!(head_bytes(&response) < 1024, "{}", head_bytes(&response));
            let length: usize = header(&response, "content-length").parse().unwrap();
            let bytes = response.bytes().await.unwrap();
            assert!(bytes.len() == length && (size == 0 || length == size));
            crate::unixfs::verify_block(&cid, &bytes).unwrap();
            blocks.bytes_read();
            let head = server.send(Method::HEAD, &path, &[("accept", accept)]).await;
            assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, length.to_string().as_str()));
            assert_eq!(head.bytes().await.unwrap().len(), 0);
            assert_eq!(blocks.bytes_read(), 0);
        }
        let etag = format!("\"{cid}.raw\"");
        let known = server.get_with(&format!("/ipfs/{cid}?format=raw"), &[("if-none-match", &etag)]).await;
        assert_eq!((known.status().as_u16(), header(&known, "content-length")), (304, ""));
    }
    assert_eq!(blocks.bytes_read(), 0);
    // The same block by its old CID, and parts of it are not given.
    let old = Cid::new_v0(*root.hash()).unwrap();
    let response = server.get_with(&format!("/ipfs/{old}/?format=raw"), &[("range", "bytes=0-1")]).await;
    assert_eq!((response.status().as_u16(), header(&response, "accept-ranges")), (200, "none"));
}

#[tokio::test]
async fn what_goes_out_is_counted_by_address() {
    let (blocks, root, small, large) = published();
    let server = Server::with_blocks(&blocks).await;
    let mut bytes = 0;
    for path in [format!("/ipfs/{small}?format=raw"), format!("/ipfs/{large}?format=car"), format!("/ipfs/{root}")] {
        bytes += server.get_with(&path, &[("accept", CAR)]).await.bytes().await.unwrap().len() as u64;
    }
    assert!(bytes > 2_000_000, "{bytes}");
    assert_eq!(blocks.given().into_iter().collect::<Vec<_>>(), [("127.0.0.1".parse().unwrap(), bytes)]);
    // What sends no block counts for nothing.
    server.send(Method::HEAD, &format!("/ipfs/{large}?format=car"), &[]).await;
    server.get("/ipfs/bafkqaaa?format=raw").await;
    server.get(&format!("/routing/v1/providers/{root}")).await;
    assert!(blocks.given().is_empty());
}

#[tokio::test]
async fn the_probe() {
    let server = Server::with_blocks(&Arc::default()).await;
    for method in [Method::GET, Method::HEAD] {
        let response = server.send(method.clone(), "/ipfs/bafkqaaa?format=raw", &[]).await;
        assert_eq!((response.status().as_u16(), header(&response, "content-length")), (200, "0"));
        assert!(response.bytes().await.unwrap().is_empty());
        let response = server.send(method.clone(), "/ipfs/bafkqaaa?format=car", &[]).await;
        assert_eq!(response.status(), 200);
        if method == Method::GET {
            let bytes = response.bytes().await.unwrap();
            let reader = car::Reader::new(&bytes[..]).unwrap();
            assert_eq!(reader.roots(), ["bafkqaaa".parse::<Cid>().unwrap()]);
        }
    }
    let inline = server.get("/ipfs/bafkqaf3imvwgy3zaneqgc3janfxgy2lomvscay3jmqfa?format=raw").await;
    assert_eq!(inline.bytes().await.unwrap().len(), 23);
}

#[tokio::test]
async fn cars() {
    let (blocks, root, small, large) = published();
    let server = Server::with_blocks(&blocks).await;
    let mut tags = std::collections::BTreeSet::new();
    for (path, accept, content_type, count) in [
        ("?format=car", "", "application/vnd.ipld.car; version=1; order=dfs", 5),
        ("", CAR, "application/vnd.ipld.car; version=1; order=dfs", 5),
        ("?format=car&car-dups=y", "", "application/vnd.ipld.car; version=1; order=dfs; dups=y", 7),
        ("", "application/vnd.ipld.car;order=unk;dups=n", "application/vnd.ipld.car; version=1; order=dfs; dups=n", 5),
        ("?format=car&dag-scope=block", "", "application/vnd.ipld.car; version=1; order=dfs", 1),
        ("/small?format=car", "", "application/vnd.ipld.car; version=1; order=dfs", 2),
        ("/large%20file?format=car&entity-bytes=0:1", "", "application/vnd.ipld.car; version=1; order=dfs", 3),
        ("/large%20file?format=car&entity-bytes=0:2", "", "application/vnd.ipld.car; version=1; order=dfs", 3),
    ] {
        let url = format!("/ipfs/{root}{path}");
        let head = server.send(Method::HEAD, &url, &[("accept", accept)]).await;
        assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, ""), "{path}");
        let response = server.get_with(&url, &[("accept", accept)]).await;
        assert_eq!(response.status(), 200);
        for name in ["etag", "content-type", "x-ipfs-roots", "content-disposition"] {
            assert_eq!(header(&head, name), header(&response, name));
        }
        assert_eq!(header(&response, "content-type"), content_type);
        assert_eq!(header(&response, "accept-ranges"), "none");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        assert!(header(&response, "content-disposition").ends_with(".car\""));
        let etag = header(&response, "etag").to_owned();
        assert!(etag.starts_with("W/\""));
        let (read, known) =
            (blocks.bytes_read(), server.get_with(&url, &[("accept", accept), ("if-none-match", &etag)]).await);
        assert_eq!(known.status(), 304);
        assert!(read > 0);
        tags.insert(etag);
        assert_eq!(blocks_of(&response.bytes().await.unwrap()).len(), count, "{path}");
    }
    assert_eq!(tags.len(), 7);
    let response = server.get(&format!("/ipfs/{root}/large%20file?format=car")).await;
    assert_eq!(header(&response, "x-ipfs-roots"), format!("{root},{large}"));
    assert_eq!(header(&response, "x-ipfs-path"), format!("/ipfs/{root}/large%20file"));
    assert_eq!(header(&response, "content-disposition"), format!("attachment; filename=\"{root}.car\""));
    let response = server.get(&format!("/ipfs/{root}/small?format=car&filename=x.car")).await;
    assert_eq!(header(&response, "content-disposition"), "attachment; filename=\"x.car\"");
    let response = server.get(&format!("/ipfs/{root}/small?format=car")).await;
    assert_eq!(header(&response, "content-disposition"), format!("attachment; filename=\"{root}_small.car\""));
    assert_eq!(blocks_of(&response.bytes().await.unwrap()), [root, small]);
}

#[tokio::test]
async fn what_is_refused_says_why() {
    let (blocks, root, small, _) = published();
    let server = Server::with_blocks(&blocks).await;
    let absent = MemoryBlocks::default().add_raw(b"absent");
    for (method, path, status, words) in [
        (Method::GET, format!("/ipfs/{root}"), 406, "?format=car"),
        (Method::GET, format!("/ipfs/{root}?format=tar"), 406, "?format=raw"),
        (Method::GET, format!("/ipfs/{root}?format=car&car-version=2"), 406, "version 1"),
        (Method::GET, "/ipfs/nonsense?format=raw".to_owned(), 400, "no CID"),
        (Method::GET, format!("/ipfs/{root}/small?format=raw"), 400, "?format=car"),
        (Method::GET, format!("/ipfs/{root}?format=ipns-record"), 400, "/ipns/NAME"),
        (Method::GET, format!("/ipfs/{root}?format=car&dag-scope=x"), 400, "dag-scope"),
        (Method::GET, format!("/ipfs/{root}?format=car&entity-bytes=x"), 400, "entity-bytes"),
        (Method::GET, format!("/ipfs/{small}?format=car&entity-bytes=11:*"), 400, "11 bytes"),
        (Method::GET, format!("/ipfs/{absent}?format=raw"), 404, "not given out"),
        (Method::GET, format!("/ipfs/{absent}?format=car"), 404, "not given out"),
        (Method::HEAD, format!("/ipfs/{absent}?format=raw"), 404, ""),
        (Method::GET, format!("/ipfs/{root}/other?format=car"), 404, "below the root"),
        (Method::POST, format!("/ipfs/{root}?format=raw"), 405, "GET, HEAD"),
        (Method::PUT, format!("/ipns/{KEY}"), 405, "GET, HEAD"),
        (Method::GET, format!("/ipns/{KEY}?format=raw"), 406, "ipns-record"),
        (Method::GET, "/ipns/example.com?format=ipns-record".to_owned(), 400, "no IPNS name"),
    ] {
        let response = server.send(method, &path, &[("accept", "*/*")]).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(header(&response, "content-type"), "text/plain; charset=utf-8");
        assert_eq!(header(&response, "cache-control"), "no-store");
        let text = response.text().await.unwrap();
        assert!(text.contains(words), "{path}: {text}");
    }
    let cached = server.get_with(&format!("/ipfs/{absent}?format=raw"), &[("cache-control", "only-if-cached")]).await;
    assert_eq!(cached.status(), 412);
    let silent = server.raw(&format!("GET /ipfs/{root} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")).await;
    assert!(silent.starts_with("HTTP/1.1 400"), "{silent}");
    // Without blocks to give out, there are no such paths.
    let none = Server::start().await;
    assert_eq!(none.get(&format!("/ipfs/{root}?format=raw")).await.status(), 404);
    // What goes wrong here is not told outside.
    blocks.fail(Some(Kind::Unexpected));
    let failed = server.get(&format!("/ipfs/{root}?format=raw")).await;
    assert_eq!(failed.status(), 500);
    assert!(!failed.text().await.unwrap().contains("secret"));
    blocks.fail(Some(Kind::Locked));
    let busy = server.get(&format!("/ipfs/{root}?format=car")).await;
    assert_eq!((busy.status().as_u16(), header(&busy, "retry-after")), (503, "1"));
}

#[tokio::test]
async fn what_is_hidden_has_the_answer_of_what_is_not_there() {
    let (blocks, _, small, _) = published();
    let absent = MemoryBlocks::default().add_raw(b"absent");
    blocks.hide(&small);
    let server = Server::with_blocks(&blocks).await;
    for path in ["/ipfs/CID?format=raw", "/ipfs/CID?format=car", "/ipfs/CID/x?format=car", "/routing/v1/providers/CID"]
    {
        for method in [Method::GET, Method::HEAD] {
            let mut answers = Vec::new();
            for cid in [small, absent] {
                blocks.times_asked();
                let headers = [("if-none-match", &*format!("\"{cid}.raw\"")), ("accept", "*/*")];
                let response = server.send(method.clone(), &path.replace("CID", &cid.to_string()), &headers).await;
                let mut fields = response.headers().clone();
                fields.remove("date");
                fields.remove("last-modified");
                answers.push((response.status(), fields, response.bytes().await.unwrap(), blocks.times_asked()));
            }
            assert_eq!(answers[0], answers[1], "{path}");
        }
    }
}

#[tokio::test]
async fn long_requests_have_short_heads() {
    let (blocks, root, _, large) = published();
    let mut link = crate::unixfs::Link { cid: large, tsize: 1 };
    let name = "n".repeat(200);
    for _ in 0..20 {
        link = blocks.add_directory(&[(&name, link)]);
    }
    let server = Server::with_blocks(&blocks).await;
    let filename = "%D1%82".repeat(60);
    for path in [
        format!("/ipfs/{}/{}?format=car&filename={filename}", link.cid, format!("{name}/").repeat(20)),
        format!("/ipfs/{root}/small?dag-scope=all&filename={filename}"),
        format!("/ipfs/{root}?filename={filename}&x={}", "y".repeat(3000)),
    ] {
        let response = server.get_with(&path, &[("accept", CAR)]).await;
        assert_eq!(response.status(), 200);
        assert!(head_bytes(&response) <= 2048, "{}", head_bytes(&response));
        assert!(header(&response, "content-disposition").contains("UTF-8''%D1%82"));
    }
}

#[tokio::test]
async fn records_of_names() {
    let (blocks, root, ..) = published();
    let server = Server::with_blocks(&blocks).await;
    for (path, accept) in [("?format=ipns-record", ""), ("", "application/vnd.ipfs.ipns-record")] {
        let path = format!("/ipns/{KEY}{path}");
        let response = server.get_with(&path, &[("accept", accept)]).await;
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "content-type"), "application/vnd.ipfs.ipns-record");
        assert!(header(&response, "cache-control").starts_with("public, max-age=1800, stale-while-revalidate=171000"));
        assert_eq!(header(&response, "content-disposition"), format!("attachment; filename=\"{KEY}.ipns-record\""));
        let etag = header(&response, "etag").to_owned();
        assert_eq!(response.text().await.unwrap(), "a record");
        let known = server.get_with(&path, &[("accept", accept), ("if-none-match", &etag)]).await;
        assert_eq!(known.status(), 304);
        let head = server.send(Method::HEAD, &path, &[("accept", accept)]).await;
        assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, "8"));
    }
    let other = "k51qzi5uqu5dgutdk6i1ynyzgkqngpha5xpgia3a5qqp4jsh0u4csozksxel2r";
    assert_eq!(server.get(&format!("/ipns/{other}?format=ipns-record")).await.status(), 404);
    let named = server.get(&format!("/ipns/{KEY}?format=ipns-record&filename=test%D1%82%D0%B5.ipns-record")).await;
    let expected = "attachment; filename=\"test__.ipns-record\"; filename*=UTF-8''test%D1%82%D0%B5.ipns-record";
    assert_eq!(header(&named, "content-disposition"), expected);
    assert_eq!(server.get(&format!("/ipns/{root}?format=ipns-record")).await.status(), 400);
}

#[tokio::test]
async fn passwords_and_hosts_guard_the_registry_alone() {
    let (blocks, root, ..) = published();
    let directory = tempfile::tempdir().unwrap();
    let users = directory.path().join("users");
    std::fs::write(&users, "user:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n").unwrap();
    let options = Options { htpasswd: Some(users), ..Options::default() };
    let server = Server::giving(Some(Arc::clone(&blocks) as _), options, Limits::default()).await;
    assert_eq!(server.get("/v2/").await.status(), 401);
    assert_eq!(server.get(&format!("/ipfs/{root}?format=raw")).await.status(), 200);
    assert_eq!(server.get(&format!("/routing/v1/providers/{root}")).await.status(), 200);
    // On loopback, any name of this machine's is as good; a malformed one is none.
    let server = Server::with_blocks(&blocks).await;
    let request = |path: &str, host: &str| format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    let path = format!("/ipfs/{root}?format=raw");
    assert!(server.raw(&request("/v2/", "gateway.example")).await.starts_with("HTTP/1.1 421"));
    assert!(server.raw(&request(&path, "gateway.example")).await.starts_with("HTTP/1.1 200"));
    assert!(server.raw(&request(&path, "a b")).await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn pages_of_other_sites_may_ask() {
    let (blocks, root, ..) = published();
    let server = Server::with_blocks(&blocks).await;
    for (path, methods) in
        [(format!("/ipfs/{root}"), "GET, HEAD, OPTIONS"), ("/routing/v1/providers/x".into(), "GET, OPTIONS")]
    {
        let headers = [("origin", "https://example.com"), ("access-control-request-method", "GET")];
        let response = server.send(Method::OPTIONS, &path, &headers).await;
        assert_eq!(response.status(), 204);
        assert_eq!(header(&response, "access-control-allow-origin"), "*");
        assert_eq!(header(&response, "access-control-allow-methods"), methods);
        assert!(header(&response, "access-control-allow-headers").contains("Range"));
    }
}

#[tokio::test]
async fn a_car_with_a_gap_is_cut() {
    let (blocks, root, _, large) = published();
    let server = Server::with_blocks(&blocks).await;
    let all = blocks_of(&server.get(&format!("/ipfs/{root}?format=car")).await.bytes().await.unwrap());
    blocks.remove(&all[all.len() - 2]);
    let response = server.get(&format!("/ipfs/{large}?format=car")).await;
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err());
    // A block whose bytes are others has no status 200, or no end.
    let damaged = blocks.add_raw(&vec![7; 2_000_000]);
    blocks.damage(&damaged);
    let response = server.get(&format!("/ipfs/{damaged}?format=raw")).await;
    assert!(response.status() == 500 || response.bytes().await.is_err());
    let small = blocks.add_raw(b"small");
    blocks.damage(&small);
    assert_eq!(server.get(&format!("/ipfs/{small}?format=raw")).await.status(), 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_take_nothing_hold_nothing() {
    let blocks = Arc::new(MemoryBlocks::default());
    let content: Vec<u8> = (0..24_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let large = blocks.add_file(Profile::V1_2025, &content);
    let limits = Limits { write: Duration::from_mins(10), ..Limits::default() };
    let server = Server::giving(Some(Arc::clone(&blocks) as _), Options::default(), limits).await;
    let mut stalled = Vec::new();
    for _ in 0..200 {
        let mut stream = server.connect().await;
        let request = format!("GET /ipfs/{}?format=car HTTP/1.1\r\nhost: a\r\n\r\n", large.cid);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 200");
        stalled.push(stream);
    }
    // Others are answered as if they were alone.
    let response = server.get(&format!("/ipfs/{}?format=car", large.cid)).await;
    assert!(response.bytes().await.unwrap().len() > content.len());
    // When the kernel's buffers are full, nothing is read any more for those who take nothing.
    let quiet = async {
        while blocks.times_asked() > 0 {
            for _ in 0..50 {
                assert_eq!(server.get("/ipfs/bafkqaaa?format=raw").await.status(), 200);
            }
        }
    };
    tokio::time::timeout(PATIENCE, quiet).await.unwrap();
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_a_car_is_closed() {
    let blocks = Arc::new(MemoryBlocks::default());
    let large = blocks.add_file(Profile::V1_2025, &vec![7; 24_000_000]);
    let limits = Limits { write: Duration::from_millis(200), drain: Duration::from_hours(1), ..Limits::default() };
    let server = Server::giving(Some(Arc::clone(&blocks) as _), Options::default(), limits).await;
    let mut stream = server.connect().await;
    let request = format!("GET /ipfs/{}?format=car&car-dups=y HTTP/1.1\r\nhost: a\r\n\r\n", large.cid);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.unwrap();
    server.stop.cancel();
    tokio::time::timeout(PATIENCE, server.task).await.unwrap().unwrap().unwrap();
}
