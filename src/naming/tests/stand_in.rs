//! A hosted provider in this process: the part of PowerDNS's API that changes a record.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};

use super::fake::Fake;
use super::{NAME, says, set};
use crate::error::Kind;
use crate::naming::authority::Authority;
use crate::naming::provider::Provider;
use crate::naming::{Atomicity, TxtSet, Zone as _};

const KEY: &str = "canary-canary";

/// What it has, and how it fails.
#[derive(Default)]
struct State {
    records: BTreeMap<String, Vec<String>>,
    /// Answers changes with this and a text that repeats the key.
    fails: Option<StatusCode>,
    /// Fails, and has done it.
    done_all_the_same: bool,
    changes: usize,
}

fn answer(state: &mut State, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> (StatusCode, String) {
    if headers.get("x-api-key").is_none_or(|key| key != KEY) {
        return (StatusCode::UNAUTHORIZED, String::new());
    }
    if uri.path() != "/api/v1/servers/localhost/zones/registry.test." {
        return (StatusCode::NOT_FOUND, String::new());
    }
    if method != Method::PATCH {
        let rrsets = state.records.iter().map(|(name, values)| {
            let records: Vec<Value> = values.iter().map(|value| json!({ "content": value })).collect();
            json!({ "name": name, "type": "TXT", "ttl": 60, "records": records })
        });
        return (StatusCode::OK, json!({ "rrsets": rrsets.collect::<Vec<_>>() }).to_string());
    }
    state.changes += 1;
    let failed = state.fails.map(|code| (code, format!("no, {KEY}, see {uri}?key={KEY} \u{1b}[31m")));
    if let (Some(failed), false) = (&failed, state.done_all_the_same) {
        return failed.clone();
    }
    let change: Value = serde_json::from_slice(body).unwrap();
    let change = &change["rrsets"][0];
    let name = change["name"].as_str().unwrap().to_owned();
    if change["changetype"] == "DELETE" {
        state.records.remove(&name);
    } else {
        let records = change["records"].as_array().unwrap();
        let values = records.iter().map(|record| record["content"].as_str().unwrap().to_owned()).collect();
        state.records.insert(name, values);
    }
    failed.unwrap_or((StatusCode::NO_CONTENT, String::new()))
}

async fn start() -> (String, Arc<Mutex<State>>) {
    let state = Arc::new(Mutex::new(State::default()));
    let shared = Arc::clone(&state);
    let app = Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
        let answered = answer(&mut shared.lock().unwrap(), &method, &uri, &headers, &body);
        async move { answered }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, state)
}

fn provider(key: &str, url: &str, zone: &str, servers: &Fake) -> Provider {
    let authority = Authority::Fixed(vec![servers.address]);
    Provider::new("powerdns", &format!("{key}:{url}\n")).unwrap().knowing(zone, authority)
}

fn has(state: &Mutex<State>) -> Vec<String> {
    state.lock().unwrap().records.get("_dnslink.registry.test.").cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_record_is_made_moved_tried_and_removed() {
    let (url, state) = start().await;
    let servers = Fake::with(&["dnslink=/ipfs/what-the-servers-say"]).await;
    let zone = provider(KEY, &url, "registry.test", &servers);
    assert_eq!((zone.place(), zone.atomicity()), ("PowerDNS".to_owned(), Atomicity::NotAtomic));
    assert!(!format!("{zone:?}").contains("canary"));
    assert_eq!(zone.read(NAME).await.unwrap(), set(&["dnslink=/ipfs/what-the-servers-say"]));
    let one = set(&["dnslink=/ipfs/one", "v=spf1 -all"]);
    zone.replace(NAME, &TxtSet::default(), &one).await.unwrap();
    assert_eq!(has(&state), ["\"dnslink=/ipfs/one\"", "\"v=spf1 -all\""]);
    let two = set(&["dnslink=/ipfs/two", "v=spf1 -all"]);
    says(&zone.replace(NAME, &TxtSet::default(), &two).await.unwrap_err(), Kind::Locked, "another writer");
    zone.replace(NAME, &one, &two).await.unwrap();
    let changes = state.lock().unwrap().changes;
    zone.try_change(NAME).await.unwrap();
    assert_eq!(state.lock().unwrap().changes, changes + 2);
    assert_eq!(state.lock().unwrap().records.len(), 1);
    assert_eq!(has(&state), ["\"dnslink=/ipfs/two\"", "\"v=spf1 -all\""]);
    zone.replace(NAME, &two, &TxtSet::default()).await.unwrap();
    assert_eq!(has(&state), Vec::<String>::new());
}

#[tokio::test]
async fn refusals_are_said_without_the_token() {
    let (url, state) = start().await;
    let servers = Fake::with(&[]).await;
    let (none, one) = (TxtSet::default(), set(&["dnslink=/ipfs/one"]));
    let wrong = provider("other", &url, "registry.test", &servers);
    says(&wrong.try_change(NAME).await.unwrap_err(), Kind::Auth, "token");
    let zone = provider(KEY, &url, "registry.test", &servers);
    for (code, kind) in [(StatusCode::FORBIDDEN, Kind::Auth), (StatusCode::BAD_REQUEST, Kind::Network)] {
        state.lock().unwrap().fails = Some(code);
        let error = zone.replace(NAME, &none, &one).await.unwrap_err();
        says(&error, kind, "has not moved");
        assert!(!error.to_string().contains('\u{1b}'));
        says(&zone.try_change(NAME).await.unwrap_err(), kind, "PowerDNS can't change");
    }
    // It failed, and has done it.
    state.lock().unwrap().done_all_the_same = true;
    zone.replace(NAME, &none, &one).await.unwrap();
    let gone = provider(KEY, "http://127.0.0.1:1", "registry.test", &servers);
    says(&gone.replace(NAME, &none, &one).await.unwrap_err(), Kind::Network, "PowerDNS can't list");
}
