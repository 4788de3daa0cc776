//! What is sent: paths, options, credentials.

use std::sync::{Arc, Mutex};

use super::{directly, foobar, is_node_error, kubo_at, through_proxy};
use crate::error::Kind;
use crate::node::fake_server::{Answer, Received, Server, answer, late, ok};
use crate::node::{Names as _, Node as _, Pin, PinUpdates as _, Pins as _, ReadBlocks as _};

/// Answers as a Kubo does that holds `foobar`, and nothing else.
fn honest(request: &Received) -> Answer {
    let (command, _) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let cid = foobar();
    let pins = format!("{{\"Pins\":[\"{cid}\"]}}");
    match command.split_once("/api/v0/").unwrap().1 {
        "version" => ok(r#"{"Version":"0.43.1"}"#),
        "id" => ok(r#"{"ID":"12D3KooW","AgentVersion":"kubo/0.43.1/","Addresses":null}"#),
        "swarm/peers" => ok(r#"{"Peers":[{"Peer":"a"},{"Peer":"b"}]}"#),
        "repo/stat" => ok(r#"{"RepoSize":20,"StorageMax":100}"#),
        "block/stat" => ok(&format!("{{\"Key\":\"{cid}\",\"Size\":6}}")),
        "block/get" => ok("foobar"),
        "pin/add" => ok(&format!("{{\"Progress\":3}}\n{{\"Progress\":7,\"Bytes\":9}}\n{pins}\n")),
        "pin/update" | "pin/rm" => ok(&pins),
        "pin/ls" => ok(&format!("{{\"Keys\":{{\"{cid}\":{{\"Name\":\"mine\",\"Type\":\"recursive\"}}}}}}\n")),
        "key/list" => ok(r#"{"Keys":[{"Name":"self","Id":"k51a"}]}"#),
        "key/gen" => ok(r#"{"Name":"new","Id":"k51b"}"#),
        "name/publish" => ok(r#"{"Name":"k51a","Value":"/ipfs/x"}"#),
        "name/resolve" => ok(r#"{"Path":"/ipfs/x"}"#),
        _ => answer("404 Not Found", "404 page not found\n"),
    }
}

#[tokio::test]
async fn both_ways_ask_the_same() {
    let server = Server::start(honest).await;
    let mut seen: Vec<Vec<String>> = Vec::new();
    for kubo in [directly(&server), through_proxy(&server)] {
        assert_eq!(kubo.version().await.unwrap(), "0.43.1");
        let status = kubo.status().await.unwrap();
        assert_eq!((&*status.agent, &*status.peer_id, status.peers), ("kubo/0.43.1/", "12D3KooW", Some(2)));
        assert_eq!((status.repository_size, status.storage_max), (20, Some(100)));
        assert_eq!(kubo.keys().await.unwrap()[0].id, "k51a");
        assert_eq!(kubo.generate_key("a b").await.unwrap().id, "k51b");
        assert_eq!(kubo.publish_name("key", &foobar()).await.unwrap(), "k51a");
        assert_eq!(kubo.resolve_name("k51a").await.unwrap().unwrap(), "/ipfs/x");
        let received = server.received();
        let fresh = received[seen.iter().map(Vec::len).sum()..].iter();
        let mut targets: Vec<String> =
            fresh.map(|request| request.target.replace("/proxy", "").trim_end_matches('?').to_owned()).collect();
        targets.sort();
        seen.push(targets);
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(
        seen[0],
        [
            "/api/v0/id".to_owned(),
            "/api/v0/key/gen?arg=a+b&type=ed25519".to_owned(),
            "/api/v0/key/list".to_owned(),
            format!("/api/v0/name/publish?arg=%2Fipfs%2F{}&key=key&allow-offline=true&resolve=false", foobar()),
            "/api/v0/name/resolve?arg=k51a&recursive=false&nocache=true&offline=true".to_owned(),
            "/api/v0/repo/stat?size-only=true".to_owned(),
            "/api/v0/swarm/peers".to_owned(),
            "/api/v0/version".to_owned(),
            "/api/v0/version".to_owned(),
        ]
    );
}

#[tokio::test]
async fn credentials_go_with_every_request() {
    for (secret, expected) in [
        ("bearer:t0ken", "Bearer t0ken"),
        ("t0ken", "Bearer t0ken"),
        ("basic:user:pass", "Basic dXNlcjpwYXNz"),
        ("basic:dXNlcjpwYXNz", "Basic dXNlcjpwYXNz"),
    ] {
        let server = Server::start(honest).await;
        let kubo = kubo_at(&server.url, Some(secret));
        kubo.status().await.unwrap();
        assert!(kubo.holds(&foobar()).await.unwrap());
        let received = server.received();
        assert_eq!(received.len(), 5);
        for request in received {
            assert_eq!(request.header("authorization"), Some(expected), "{}", request.target);
            let agent = request.header("user-agent").unwrap_or_default();
            assert!(!agent.contains("/kubo/") && !agent.contains("Mozilla"), "{agent}");
            assert_eq!((request.header("origin"), request.header("referer")), (None, None));
        }
        assert!(!format!("{kubo:?} {}", kubo.place()).contains("pass"));
    }
}

#[tokio::test]
async fn pins_are_asked_for_as_kubo_wants_it() {
    let server = Server::start(honest).await;
    let (kubo, cid) = (through_proxy(&server), foobar());
    let told = Arc::new(Mutex::new(Vec::new()));
    let note = |blocks| told.lock().unwrap().push(blocks);
    kubo.pin_add(&cid, "a&b=c", &note).await.unwrap();
    assert_eq!(*told.lock().unwrap(), [3, 7].map(crate::node::PinProgress::Blocks));
    kubo.pin_update(&cid, &cid).await.unwrap();
    kubo.unpin(&cid).await.unwrap();
    let pin = Pin { cid, name: Some("mine".into()) };
    assert_eq!(kubo.pin(&cid).await.unwrap(), Some(pin.clone()));
    assert_eq!(kubo.pins_named("mine").await.unwrap(), [pin]);
    // Kubo finds names that contain the one asked for.
    assert_eq!(kubo.pins_named("min").await.unwrap(), []);
    let targets: Vec<String> = server.received().into_iter().map(|request| request.target).collect();
    assert_eq!(
        targets[..3],
        [
            format!("/proxy/api/v0/pin/add?arg={cid}&name=a%26b%3Dc&recursive=true&offline=true&progress=true"),
            format!("/proxy/api/v0/pin/update?arg={cid}&arg={cid}&unpin=false&offline=true"),
            format!("/proxy/api/v0/pin/rm?arg={cid}&recursive=true&offline=true"),
        ]
    );
}

#[tokio::test]
async fn what_is_done_or_gone_already_is_fine() {
    let server = Server::start(|request| {
        let message = match &request.target {
            target if target.contains("pin/update") => "'to' cid was already recursively pinned",
            target if target.contains("pin/rm") => "not pinned or pinned indirectly",
            target if target.contains("pin/ls") => "path 'x' is not pinned",
            target if target.contains("name/resolve") => "could not resolve name",
            _ => "block was not found locally (offline): ipld: could not find x",
        };
        answer("500 Internal Server Error", &format!("{{\"Message\":\"{message}\",\"Code\":0,\"Type\":\"error\"}}"))
    })
    .await;
    let cid = foobar();
    for kubo in [directly(&server), through_proxy(&server)] {
        kubo.pin_update(&cid, &cid).await.unwrap();
        kubo.unpin(&cid).await.unwrap();
        assert_eq!(kubo.pin(&cid).await.unwrap(), None);
        assert!(!kubo.holds(&cid).await.unwrap());
        assert_eq!(kubo.block(&cid).await.unwrap(), None);
        assert_eq!(kubo.resolve_name("k51").await.unwrap(), None);
        is_node_error(kubo.pin_add(&cid, "x", &|_| ()).await, "not found locally");
    }
}

#[tokio::test]
async fn a_pin_that_is_there_needs_no_former_one() {
    for is_pinned in [true, false] {
        let server = Server::start(move |request| match &request.target {
            target if target.contains("pin/ls") && is_pinned => honest(request),
            target if target.contains("pin/ls") => answer("500 Internal Server Error", "path 'x' is not pinned"),
            _ => answer("500 Internal Server Error", "{\"Message\":\"'from' cid was not recursively pinned already\"}"),
        })
        .await;
        let updated = through_proxy(&server).pin_update(&"bafkqaaa".parse().unwrap(), &foobar()).await;
        if is_pinned {
            updated.unwrap();
        } else {
            is_node_error(updated, "was not recursively pinned");
        }
    }
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let denied = "Kubo RPC Access Denied: Please provide a valid authorization token";
    for (status, body, kind, hint) in [
        ("403 Forbidden", denied, Kind::Auth, "API.Authorizations"),
        ("404 Not Found", "404 page not found", Kind::Node, "port 5001"),
        ("500 Internal Server Error", r#"{"Message":"no space left on device","Code":0}"#, Kind::Node, "disk is full"),
    ] {
        let server = Server::start(move |_| answer(status, body)).await;
        for kubo in [directly(&server), through_proxy(&server)] {
            let found = [kubo.keys().await.unwrap_err(), kubo.holds(&foobar()).await.unwrap_err()];
            for error in found {
                assert_eq!(error.kind(), kind, "{error}");
                assert!(error.hints().iter().any(|said| said.contains(hint)), "{error}: {:?}", error.hints());
            }
        }
    }
}

#[tokio::test]
async fn nobody_there() {
    let url = Server::start(honest).await.url.clone();
    for url in [url.clone(), format!("{url}/proxy")] {
        // The server has ended, or will not be one of ours: its listener goes with its task.
        let kubo = kubo_at(&url, None);
        let error = loop {
            match kubo.keys().await {
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), Kind::Node);
        assert!(error.hints()[0].contains("ipfs daemon"), "{error} {:?}", error.hints());
    }
}

#[tokio::test]
async fn an_error_after_the_beginning_is_one() {
    let server = Server::start(|_| late("{\"Progress\":3}\n", "pin: disk quota exceeded")).await;
    let error = through_proxy(&server).pin_add(&foobar(), "x", &|_| ()).await.unwrap_err();
    assert!(error.to_string().contains("disk quota exceeded"), "{error}");
    assert!(error.hints()[0].contains("disk is full"));
    is_node_error(through_proxy(&server).pins_named("x").await, "disk quota exceeded");
}
