//! A node that is no friend: too much, too slow, something else.

use super::{directly, foobar, is_node_error, kubo_at, through_proxy};
use crate::error::Kind;
use crate::node::fake_server::{Answer, Server, answer, chunk, head, ok};
use crate::node::{Names as _, Node as _, PinUpdates as _, Pins as _, ReadBlocks as _};

#[tokio::test]
async fn lines_end() {
    for (wanted, words) in [
        (Answer::Endless(head("200 OK"), chunk("aaaaaaaa")), "more than 64 KiB"),
        (ok(&format!("{{\"Progress\":\"{}\"}}\n", "a".repeat(70_000))), "more than 64 KiB"),
        (Answer::Endless(head("200 OK"), chunk(&"\n".repeat(50_000))), "too many lines"),
        (Answer::Hang([head("200 OK"), chunk("{\"Progress\":")].concat()), "made no progress"),
        (Answer::Hang(Vec::new()), "made no progress"),
        (ok("[1,2]\n"), "unexpected answer"),
        (Answer::Raw(b"nonsense\r\n\r\n".to_vec()), "ended its answer early"),
    ] {
        let server = Server::start(move |_| wanted.clone()).await;
        is_node_error(through_proxy(&server).pin_add(&foobar(), "x", &|_| ()).await, words);
    }
}

/// A server that never gets on with a pin, and answers this about the blocks.
async fn stuck(stat: Answer) -> Server {
    Server::start(move |request| match &request.target {
        target if target.contains("pin/add") => Answer::Slow(head("200 OK"), chunk("{\"Progress\":3}\n")),
        _ => stat.clone(),
    })
    .await
}

#[tokio::test]
async fn a_pin_that_gets_nowhere_is_given_up() {
    let hole = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
    let missing = format!("{{\"Message\":\"block was not found locally (offline): ipld: could not find {hole}\"}}");
    for (stat, words) in [
        (answer("500 Internal Server Error", &missing), hole),
        (answer("500 Internal Server Error", "{\"Message\":\"input/output error\"}"), "input/output error"),
        (ok("{\"UniqueBlocks\":3}"), "made no progress"),
        (answer("403 Forbidden", "no"), "made no progress"),
        (answer("502 Bad Gateway", "no"), "made no progress"),
        (Answer::Hang(Vec::new()), "made no progress"),
        (Answer::Raw(Vec::new()), "made no progress"),
    ] {
        let (told, server) = (std::sync::atomic::AtomicU64::new(0), stuck(stat).await);
        let note = |_| {
            told.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        };
        is_node_error(through_proxy(&server).pin_add(&foobar(), "x", &note).await, words);
        assert_eq!(told.into_inner(), 1, "the same number is no progress");
        let stat = server.received().into_iter().find(|request| request.target.contains("dag/stat"));
        let query = format!("/proxy/api/v0/dag/stat?arg={}&offline=true&progress=false", foobar());
        assert!(stat.is_none_or(|stat| stat.target == query));
    }
}

#[tokio::test]
async fn a_list_of_pins_is_whole_or_none() {
    let pin = format!("\"{}\":{{\"Name\":\"x\",\"Type\":\"recursive\"}}", foobar());
    let closed = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    let cut = |body: &str| Answer::Raw([&closed[..], body.as_bytes()].concat());
    for (wanted, words) in [
        (Answer::Endless([head("200 OK"), chunk("{\"Keys\":{")].concat(), chunk(&"x".repeat(1 << 20))), "too long"),
        (cut(&format!("{{\"Keys\":{{{pin}")), "unexpected answer"),
        (cut(&format!("{{\"Keys\":{{{pin},")), "unexpected answer"),
        (cut(&format!("{{\"Keys\":{{{pin}}}")), "unexpected answer"),
        (cut(""), "unexpected answer"),
        // What a list in lines begins with is not half of one.
        (cut(&format!("{{\"Cid\":\"{}\",\"Type\":\"recursive\"}}\n", foobar()).repeat(2)), "unexpected answer"),
        (Answer::Hang([head("200 OK"), chunk("{\"Keys\":")].concat()), "made no progress"),
        (ok("{\"Keys\":{\"nonsense\":{\"Type\":\"recursive\"}}}"), "a pin of no CID"),
        (ok("[1,2]"), "unexpected answer"),
    ] {
        let server = Server::start(move |_| wanted.clone()).await;
        is_node_error(through_proxy(&server).pins_named("x").await, words);
    }
    let server = Server::start(|_| ok("{}\n")).await;
    assert_eq!(through_proxy(&server).pins_named("x").await.unwrap(), []);
    // As many as anybody has, with names as long as they get.
    let many: Vec<String> = (0..100_000_u32)
        .map(|number| {
            let hash: [u8; 32] = sha2::Digest::finalize(sha2::Digest::chain_update(
                <sha2::Sha256 as sha2::Digest>::new(),
                number.to_be_bytes(),
            ))
            .into();
            let cid = cid::Cid::new_v1(crate::unixfs::RAW, cid::multihash::Multihash::wrap(0x12, &hash).unwrap());
            format!("\"{cid}\":{{\"Type\":\"recursive\",\"Name\":\"{}\"}}", "x".repeat(255))
        })
        .collect();
    let body = format!("{{\"Keys\":{{{}}}}}", many.join(","));
    let server = Server::start(move |_| ok(&body)).await;
    let options = super::KuboOptions::new(format!("{}/proxy", server.url).parse().unwrap());
    let pins = super::Kubo::new(&options).unwrap().pins_named(&"x".repeat(255)).await.unwrap();
    assert_eq!(pins.len(), 100_000);
}

#[tokio::test]
async fn answers_end() {
    for (wanted, words) in [
        (Answer::Endless([head("200 OK"), chunk("{\"Keys\":[")].concat(), chunk(&" ".repeat(60_000))), "too long"),
        (Answer::Hang([head("200 OK"), chunk("{")].concat()), "made no progress"),
        (Answer::Hang(Vec::new()), "made no progress"),
        (ok("{\"Keys\":[{\"Name\":\"\",\"Id\":\"/../\\u001b[31m\"}]}"), "as an IPNS name"),
        (ok("nonsense"), "unexpected answer"),
        (Answer::Raw(Vec::new()), "can't list the node's keys"),
    ] {
        let server = Server::start(move |_| wanted.clone()).await;
        for kubo in [directly(&server), through_proxy(&server)] {
            let error = kubo.keys().await.unwrap_err();
            assert!(error.to_string().contains(words) && !error.to_string().contains('\u{1b}'), "{error}");
        }
    }
}

#[tokio::test]
async fn errors_end() {
    let server =
        Server::start(|_| Answer::Endless(head("500 Internal Server Error"), chunk(&"\u{1b}x".repeat(9000)))).await;
    for kubo in [directly(&server), through_proxy(&server)] {
        let found = [
            kubo.holds(&foobar()).await.unwrap_err(),
            kubo.keys().await.unwrap_err(),
            kubo.version().await.unwrap_err(),
            kubo.publish_name("self", &foobar()).await.unwrap_err(),
        ];
        for text in found.map(|error| error.to_string()) {
            // Its beginning is read and said, and nothing is waited for.
            assert!(text.contains("says: ") && !text.contains("made no progress"), "{text}");
            assert!(text.chars().count() < 800 && !text.contains('\u{1b}'), "{text}");
        }
    }
}

/// Nobody agrees on HTTP/2 over plain HTTP: it is not offered, and frames in place of an answer are an error.
#[tokio::test]
async fn plain_http_is_http_1() {
    // SETTINGS, then a PING again and again (RFC 9113, sections 6.5 and 6.7).
    let settings = b"\0\0\0\x04\0\0\0\0\0".to_vec();
    let ping = b"\0\0\x08\x06\0\0\0\0\0abcdefgh".to_vec();
    let upgrade = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    for begun in [settings.clone(), [&upgrade[..], &settings].concat()] {
        let wanted = Answer::Endless(begun, ping.clone());
        let server = Server::start(move |_| wanted.clone()).await;
        for kubo in [directly(&server), kubo_at(&server.url, Some("basic:user:pass"))] {
            let error = kubo.keys().await.unwrap_err();
            assert_eq!(error.kind(), Kind::Node, "{error}");
        }
        let received = server.received();
        assert_eq!(received.len(), 2);
        for request in received {
            assert_eq!(request.version, "HTTP/1.1");
            assert_eq!((request.header("upgrade"), request.header("http2-settings")), (None, None));
        }
    }
}

#[tokio::test]
async fn blocks_are_what_their_cids_say() {
    let server = Server::start(|_| ok("foobaz")).await;
    let error = through_proxy(&server).block(&foobar()).await.unwrap_err();
    assert!(error.kind() == Kind::Verification && error.to_string().contains("the node at"), "{error}");
    let server = Server::start(|_| Answer::Endless(head("200 OK"), chunk(&"x".repeat(60_000)))).await;
    is_node_error(through_proxy(&server).block(&foobar()).await, "too long");
    let server = Server::start(|_| Answer::Raw([head("200 OK"), chunk("foobar")].concat())).await;
    is_node_error(through_proxy(&server).block(&foobar()).await, "ended its answer early");
    let server = Server::start(|_| ok("{\"Key\":\"bafkqaaa\",\"Size\":6}")).await;
    is_node_error(through_proxy(&server).holds(&foobar()).await, "another block");
}

#[tokio::test]
async fn a_pin_must_be_confirmed() {
    let server = Server::start(|_| ok("{\"Pins\":[\"bafkqaaa\"]}\n")).await;
    let (kubo, cid) = (through_proxy(&server), foobar());
    is_node_error(kubo.pin_add(&cid, "x", &|_| ()).await, "no confirmation");
    is_node_error(kubo.pin_update(&cid, &cid).await, "no confirmation");
    is_node_error(kubo.unpin(&cid).await, "no confirmation");
    let server = Server::start(|_| ok("{\"Progress\":1}\n")).await;
    is_node_error(through_proxy(&server).pin_add(&cid, "x", &|_| ()).await, "no confirmation");
    let error = through_proxy(&server).pin_add(&cid, &"x".repeat(256), &|_| ()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
}

#[tokio::test]
async fn rights_are_tried_without_changing_anything() {
    let server = Server::start(|request| match &request.target {
        target if target.contains("/version") => ok(r#"{"Version":"0.43.1"}"#),
        target if target.contains("pin/rm") => ok(r#"{"Pins":[]}"#),
        target if target.contains("pin/") => answer("400 Bad Request", "argument \"x\" is required\n"),
        _ => answer("403 Forbidden", "Kubo RPC Access Denied: no"),
    })
    .await;
    let tried = through_proxy(&server).try_rights(true).await;
    let outcome = |right: &str| tried.iter().find(|tried| tried.right == right).unwrap().outcome.as_ref();
    assert!(outcome("reach the node").is_ok() && outcome("pin").is_ok() && outcome("move pins").is_ok());
    for right in ["import", "read blocks", "publish names", "list keys", "see its state"] {
        assert_eq!(outcome(right).unwrap_err().kind(), Kind::Auth, "{right}");
    }
    assert!(outcome("unpin").is_err(), "it did something though nothing was named");
}
