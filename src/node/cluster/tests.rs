//! The adapter against servers inside the process, which answer as a cluster does, or as an enemy would.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cid::Cid;
use futures::stream;
use serde_json::{Value, json};

use super::{Cluster, ClusterOptions, Replication};
use crate::error::{Error, Kind};
use crate::node::fake_server::{Answer, Received, Server, answer, chunk, head, late, ok};
use crate::node::{ImportCar as _, Limits, Node as _, Pin, PinUpdates as _, Pins as _};

const ROOT: &str = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";
const OTHER: &str = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";

fn root() -> Cid {
    ROOT.parse().unwrap()
}

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// As short as something that never comes may be waited for.
const SHORT: Duration = Duration::from_millis(400);

fn reach(server: &Server, secret: Option<&str>, limit: Duration) -> Cluster {
    let limits = Limits { connect: PATIENCE, answer: limit.max(SHORT * 5), stall: limit, pin: limit };
    let url = format!("{}/behind", server.url).parse().unwrap();
    Cluster::new(&ClusterOptions { authorisation: secret.map(Into::into), limits, ..ClusterOptions::new(url) }).unwrap()
}

/// Long enough for a busy machine.
fn patient(server: &Server) -> Cluster {
    reach(server, None, PATIENCE)
}

/// As short as something that never comes may be waited for.
fn hasty(server: &Server) -> Cluster {
    reach(server, None, SHORT)
}

/// What peers `a`, `b` … say of the root.
fn standing(states: &[&str]) -> Value {
    let peers = states.iter().zip('a'..).map(|(state, name)| {
        let error = if state.contains("error") { "no such luck" } else { "" };
        (format!("12D3Koo{name}"), json!({ "peername": name.to_string(), "status": state, "error": error }))
    });
    json!({ "cid": ROOT, "name": "a registry", "peer_map": peers.collect::<serde_json::Map<_, _>>() })
}

/// A cluster whose peers go through these states, one for each time that they are asked; the last stays.
async fn going_through(min: i32, states: &'static [&'static [&'static str]]) -> Server {
    let asked = AtomicUsize::new(0);
    Server::start(move |request: &Received| {
        if request.method == "POST" {
            let pin = json!({ "cid": ROOT, "name": "a registry", "replication_factor_min": min, "replication_factor_max": 3 });
            return ok(&pin.to_string());
        }
        let now = asked.fetch_add(1, Ordering::SeqCst).min(states.len() - 1);
        ok(&standing(states[now]).to_string())
    })
    .await
}

fn is_node_error<T: std::fmt::Debug>(result: Result<T, Error>, words: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), Kind::Node, "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

#[tokio::test]
async fn a_pin_is_waited_for_at_every_peer() {
    let server = going_through(
        -1,
        &[
            &["pin_queued", "unpinned"],
            &["pinned", "unpinned"],
            &["pinned", "pinning"],
            &["pinned", "pinned", "remote"],
        ],
    )
    .await;
    let cluster = patient(&server);
    cluster.pin_add(&root(), "a registry", &|_| ()).await.unwrap();
    let received = server.received();
    assert_eq!(received.len(), 5, "{received:?}");
    assert_eq!(received[0].target, format!("/behind/pins/{ROOT}?name=a+registry&mode=recursive"));
    assert_eq!(received[4].target, format!("/behind/pins/{ROOT}"));
    assert_eq!(cluster.pin(&root()).await.unwrap(), Some(Pin { cid: root(), name: Some("a registry".into()) }));
    let holders = cluster.holders(&root()).await.unwrap();
    assert!(holders.len() == 2 && holders.iter().all(|holder| holder.holds), "{holders:?}");
}

#[tokio::test]
async fn a_peer_that_can_not_is_named_and_does_not_keep_the_others_back() {
    let server = going_through(-1, &[&["pinned", "cluster_error"]]).await;
    let cluster = patient(&server);
    cluster.pin_add(&root(), "a registry", &|_| ()).await.unwrap();
    let holders = cluster.holders(&root()).await.unwrap();
    let lacking: Vec<_> = holders.iter().filter(|holder| !holder.holds).map(crate::node::Holder::lack).collect();
    assert_eq!(lacking, ["b: cluster_error (no such luck)"]);
    // Where both have to, it is an error.
    let server = going_through(2, &[&["pinned", "pin_error"]]).await;
    let pinned = patient(&server).pin_add(&root(), "a registry", &|_| ()).await;
    is_node_error(pinned, "1 of 2 peers");
    let server = going_through(-1, &[&["pinning", "pinning"], &["pin_error", "pin_error"]]).await;
    is_node_error(patient(&server).pin_add(&root(), "a registry", &|_| ()).await, "no such luck");
}

#[tokio::test]
async fn what_gets_nowhere_is_given_up() {
    let server = going_through(-1, &[&["pinning", "pinned"]]).await;
    is_node_error(hasty(&server).pin_add(&root(), "a registry", &|_| ()).await, "1 of 2 peers have pinned it");
    assert_eq!(hasty(&server).pin(&root()).await.unwrap(), None, "one is still at it");
    // Nobody has heard of it: it was forgotten.
    let server = going_through(-1, &[&["unpinned", "unpinned"]]).await;
    is_node_error(hasty(&server).pin_add(&root(), "a registry", &|_| ()).await, "0 of 2 peers");
    // One has lost it while the other keeps it.
    let server = going_through(-1, &[&["pinned", "unexpectedly_unpinned"]]).await;
    hasty(&server).pin_add(&root(), "a registry", &|_| ()).await.unwrap();
}

#[tokio::test]
async fn an_update_names_the_former_root_and_keeps_what_is_wanted() {
    let server = going_through(1, &[&["pinned"]]).await;
    let other = OTHER.parse().unwrap();
    patient(&server).pin_update(&other, &root()).await.unwrap();
    let received = server.received();
    assert_eq!(received[0].target, format!("/behind/pins/{ROOT}?pin-update={OTHER}"));
    assert_eq!(received.len(), 2, "{received:?}");
    // Other copies are wanted than the former root has.
    let mut cluster = patient(&server);
    cluster.replication = Some(Replication { min: 2, max: 3 });
    cluster.pin_update(&other, &root()).await.unwrap();
    let again = &server.received()[3].target;
    assert!(again.contains("replication-min=2&replication-max=3") && again.contains("name=a+registry"), "{again}");
}

#[tokio::test]
async fn pins_are_found_by_their_whole_name() {
    let line = |cid: &str, name: &str| format!("{}\n", json!({ "cid": cid, "name": name, "type": "pin" }));
    let lines = [line(ROOT, "a registry"), line(OTHER, "a registry & more")].concat();
    let server = Server::start(move |_| ok(&lines)).await;
    let found = patient(&server).pins_named("a registry").await.unwrap();
    assert_eq!(found, [Pin { cid: root(), name: Some("a registry".into()) }]);
    assert_eq!(server.received()[0].target, "/behind/allocations?filter=pin");
    // None at all, and a list that broke off.
    let server = Server::start(|_| answer("204 No Content", "")).await;
    assert_eq!(patient(&server).pins_named("a registry").await.unwrap(), []);
    let cut = line(OTHER, "x");
    let server = Server::start(move |_| late(&cut, "peer vanished")).await;
    is_node_error(patient(&server).pins_named("a registry").await, "peer vanished");
}

#[tokio::test]
async fn unpinning_what_is_not_pinned_is_fine() {
    for (status, body) in
        [("200 OK", "{}"), ("404 Not Found", r#"{"code":404,"message":"pin is not part of the pinset"}"#)]
    {
        let server = Server::start(move |_| answer(status, body)).await;
        patient(&server).unpin(&root()).await.unwrap();
        assert_eq!(server.received()[0].method, "DELETE");
    }
    let server = Server::start(|_| answer("500 Internal Server Error", r#"{"code":500,"message":"no leader"}"#)).await;
    is_node_error(patient(&server).unpin(&root()).await, "says: no leader");
}

#[tokio::test]
async fn a_car_is_taken_and_its_bytes_are_counted() {
    let taken = json!({ "name": "registry.car", "cid": ROOT, "bytes": 700, "allocations": ["12D3Kooa", "12D3Koob"] });
    let server = Server::start(move |request: &Received| match request.method.as_str() {
        "POST" if request.target.contains("/add?") => ok(&taken.to_string()),
        "POST" => ok("{}"),
        _ => ok(&standing(&["pinned", "pinned"]).to_string()),
    })
    .await;
    let cluster = patient(&server);
    let car = || Box::pin(stream::iter([Ok(bytes::Bytes::from_static(b"a car"))]));
    let imported = cluster.import(car()).await.unwrap();
    assert_eq!(imported.bytes, 700);
    let received = &server.received()[0];
    assert_eq!(received.target, "/behind/add?format=car&no-pin=true&stream-channels=true");
    let body = String::from_utf8_lossy(&received.body);
    assert!(body.contains("a car") && body.contains("application/octet-stream"), "{body}");
    // The peers that have the blocks are asked first to keep the root.
    cluster.pin_add(&root(), "a registry", &|_| ()).await.unwrap();
    let pinned = &server.received()[1].target;
    assert!(pinned.contains("user-allocations=12D3Kooa%2C12D3Koob"), "{pinned}");

    for (answer, words) in [
        (late("", "failed to put block on all destinations"), "failed to put block"),
        (ok(""), "does not say what it took"),
        (ok("\"taken\""), "unexpected answer"),
        (Answer::Deaf, "made no progress"),
        (Answer::Cut, "ended its answer early"),
    ] {
        let server = Server::start(move |_| answer.clone()).await;
        is_node_error(hasty(&server).import(car()).await, words);
    }
    let unreadable = Box::pin(stream::iter([Err(std::io::Error::other("bad disk"))]));
    let server = Server::start(|_| ok("")).await;
    let error = patient(&server).import(unreadable).await.unwrap_err();
    assert!(error.to_string().contains("bad disk"), "{error}");
}

#[tokio::test]
async fn secrets_are_sent_and_never_said() {
    let server = Server::start(|request: &Received| {
        let sent = request.header("authorization").unwrap_or("nothing").to_owned();
        answer(
            "401 Unauthorized",
            &json!({ "code": 401, "message": format!("you sent {sent} (user:hidden)") }).to_string(),
        )
    })
    .await;
    let cluster = reach(&server, Some("basic:user:hidden"), PATIENCE);
    let error = cluster.status().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Auth);
    assert!(!error.to_string().contains("hidden") && !error.to_string().contains("dXNlcjpoaWRkZW4="), "{error}");
    assert_eq!(server.received()[0].header("authorization"), Some("Basic dXNlcjpoaWRkZW4="));
    let tried = cluster.try_rights(false).await;
    assert_eq!(tried.len(), 1, "{tried:?}");
}

#[tokio::test]
async fn patience_is_asked_for_and_given() {
    let tries = AtomicUsize::new(0);
    let server = Server::start(move |_| match tries.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::Raw(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n".to_vec()),
        _ => ok(&standing(&["pinned"]).to_string()),
    })
    .await;
    assert!(patient(&server).pin(&root()).await.unwrap().is_some());
    assert_eq!(server.received().len(), 2);
    let server = Server::start(|_| {
        Answer::Raw(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n".to_vec())
    })
    .await;
    is_node_error(patient(&server).pin(&root()).await, "no more requests now");
}

#[tokio::test]
async fn an_enemy_does_not_take_memory_time_or_the_terminal() {
    for (wanted, words) in [
        (Answer::Endless(head("200 OK"), chunk(&"a".repeat(60_000))), "too long"),
        (Answer::Hang(head("200 OK")), "made no progress"),
        (Answer::Hang(Vec::new()), "made no progress"),
        (ok("[1,2]"), "unexpected answer"),
        (answer("404 Not Found", "404 page not found"), "nothing there"),
        (answer("302 Found", ""), "redirects elsewhere"),
        (answer("500 Oops", "\u{1b}[31mred"), "says: "),
    ] {
        let server = Server::start(move |_| wanted.clone()).await;
        let limit = if words == "made no progress" { SHORT } else { PATIENCE };
        let error = reach(&server, None, limit).pin(&root()).await.unwrap_err();
        assert!(error.to_string().contains(words), "{words}: {error}");
        assert!(!error.to_string().contains('\u{1b}'), "{error:?}");
    }
    let lines = Answer::Endless(head("200 OK"), chunk(&"a".repeat(60_000)));
    let server = Server::start(move |_| lines.clone()).await;
    is_node_error(patient(&server).pins_named("x").await, "too long");
}

#[tokio::test]
async fn a_cluster_says_what_it_is_and_what_is_wrong_with_its_peers() {
    let asked = Mutex::new(Vec::new());
    let server = Server::start(move |request: &Received| {
        asked.lock().unwrap().push(request.target.clone());
        match (request.method.as_str(), request.target.as_str()) {
            (_, "/behind/id") => {
                ok(&json!({ "id": "12D3Kooa", "version": "1.1.6", "cluster_peers": ["12D3Kooa", "12D3Koob"] })
                    .to_string())
            }
            (_, "/behind/peers") => ok(&format!(
                "{}\n{}\n{}\n",
                json!({ "id": "12D3Kooa", "peername": "a", "ipfs": { "error": "" } }),
                json!({ "id": "12D3Koob", "peername": "b", "error": "dial backoff" }),
                json!({ "id": "12D3Kooc", "peername": "c", "ipfs": { "error": "connection refused" } }),
            )),
            ("POST" | "DELETE", target) if target.starts_with("/behind/pins/") => answer("400 Bad Request", "{}"),
            ("POST", target) if target.starts_with("/behind/add") => ok(r#"{"bytes":0}"#),
            _ => ok(&standing(&["unpinned"]).to_string()),
        }
    })
    .await;
    let cluster = patient(&server);
    let status = cluster.status().await.unwrap();
    assert_eq!((status.agent.as_str(), status.peers), ("ipfs-cluster/1.1.6", Some(1)));
    let advice = cluster.advice().await;
    assert_eq!(advice.len(), 2, "{advice:?}");
    assert!(advice[0].contains("b of the cluster does not answer: dial backoff"), "{advice:?}");
    assert!(advice[1].contains("c of the cluster can't reach its IPFS node"), "{advice:?}");
    let tried = cluster.try_rights(false).await;
    let failed: Vec<_> = tried.iter().filter(|tried| tried.outcome.is_err()).map(|tried| tried.right).collect();
    assert_eq!((tried.len(), failed), (5, vec!["reach its peers"]));
}
