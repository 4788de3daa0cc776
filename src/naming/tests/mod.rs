//! The adapters against servers in this process that do what real ones never should.

mod fake;
mod stand_in;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::tsig::TsigError;
use tokio::time::{Instant, timeout};

use super::authority::Authority;
use super::manual::Manual;
use super::rfc2136::Rfc2136;
use super::{TxtSet, Zone};
use crate::error::{Error, Kind};
use fake::{Does, Fake};

const NAME: &str = "_dnslink.registry.test";
/// `canary` in base64.
const SECRET: &str = "Y2FuYXJ5IGNhbmFyeSBjYW5hcnkgY2FuYXJ5";

fn set(values: &[&str]) -> TxtSet {
    TxtSet { values: values.iter().map(|value| (*value).to_owned()).collect(), ttl: Some(60) }
}

fn zone(fake: &Fake) -> Rfc2136 {
    Rfc2136::new(&fake.address.to_string(), "roadstead", "hmac-sha256", SECRET)
        .unwrap()
        .with_others_on(fake.address.port())
}

#[track_caller]
fn says(error: &Error, kind: Kind, words: &str) {
    let text = format!("{error} {}", error.hints().join(" "));
    assert!(error.kind() == kind && text.contains(words), "{kind:?} `{words}`: {error:?}");
    assert!(!text.contains("canary") && !text.contains(SECRET), "{text}");
}

#[test]
fn settings_are_checked_and_the_secret_never_shown() {
    for (server, algorithm, secret, kind) in [
        ("ns1.example.com", "hmac-sha256", SECRET, Kind::Usage),
        (":53", "hmac-sha256", SECRET, Kind::Usage),
        ("ns1.example.com:99999", "hmac-sha256", SECRET, Kind::Usage),
        ("ns1.example.com:53", "hmac-md5", SECRET, Kind::Usage),
        ("ns1.example.com:53", "hmac-sha256", "canary!", Kind::Auth),
        ("ns1.example.com:53", "hmac-sha256", "", Kind::Auth),
    ] {
        says(&Rfc2136::new(server, "roadstead", algorithm, secret).unwrap_err(), kind, "");
    }
    says(&Rfc2136::new("[::1]:53", "a b", "hmac-sha256", SECRET).unwrap_err(), Kind::Usage, "the key's name");
    let zone = Rfc2136::new("[::1]:53", "roadstead", "HMAC-SHA512.", &format!(" {SECRET}\n")).unwrap();
    assert!(!format!("{zone:?}").contains("canary") && !format!("{zone:?}").contains(SECRET));
}

#[tokio::test]
async fn whatever_a_server_answers_ends_soon_and_in_words() {
    let fake = Fake::with(&["dnslink=/ipfs/old"]).await;
    let zone = zone(&fake);
    let mut drip = vec![0xff, 0xff];
    drip.extend(vec![7; 65_000]);
    let garbage = [vec![], vec![0], vec![0xff; 65_535], b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), {
        // A name that points to itself.
        let mut looped = vec![0, 1, 0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0];
        looped.extend([0xc0, 12].repeat(100));
        looped
    }];
    let odd = garbage.map(|bytes| (Does::Says(bytes), "other than a DNS message")).into_iter().chain([
        (Does::Silent, "does not answer in"),
        (Does::Closes, "closed the connection"),
        (Does::SaysRaw(drip), "does not answer in"),
        (Does::SaysRaw(vec![9]), "does not answer in"),
        (Does::OtherNumber, "another question"),
        (Does::Refuses(ResponseCode::Refused, None), "does not serve the zone"),
        (Does::Refuses(ResponseCode::ServFail, None), "look at its log"),
        (Does::Refuses(ResponseCode::FormErr, None), "answers"),
    ]);
    for (does, words) in odd {
        fake.set(|state| state.questions = does.clone());
        for answer in [
            timeout(Duration::from_secs(9), zone.read(NAME)).await.unwrap().map(drop),
            timeout(Duration::from_secs(9), zone.try_change(NAME)).await.unwrap(),
        ] {
            says(&answer.unwrap_err(), Kind::Network, words);
        }
    }
}

#[tokio::test]
async fn too_many_and_too_large_records_are_refused() {
    let many: Vec<String> = (0..101).map(|number| format!("value {number}")).collect();
    let fake = Fake::with(&many.iter().map(String::as_str).collect::<Vec<_>>()).await;
    says(&zone(&fake).read(NAME).await.unwrap_err(), Kind::Usage, "101 TXT records");
    // What can be read, and does not fit twice into one message.
    let large: Vec<String> = (0..50).map(|number| format!("{number:02}").repeat(500)).collect();
    let fake = Fake::with(&large.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let before = zone(&fake).read(NAME).await.unwrap();
    says(&zone(&fake).replace(NAME, &before, &before).await.unwrap_err(), Kind::Usage, "64 KiB");
}

#[tokio::test]
async fn a_yes_counts_only_with_the_signature() {
    let fake = Fake::with(&["dnslink=/ipfs/old"]).await;
    let (zone, old, new) = (zone(&fake), set(&["dnslink=/ipfs/old"]), set(&["dnslink=/ipfs/new"]));
    for does in [Does::Right, Does::Refuses(ResponseCode::NoError, Some((TsigError::Unknown(0), vec![])))] {
        fake.set(|state| state.updates = does.clone());
        says(&zone.try_change(NAME).await.unwrap_err(), Kind::Verification, "not signed with the key");
        says(&zone.replace(NAME, &old, &new).await.unwrap_err(), Kind::Verification, "not signed with the key");
    }
    let theirs = 1_000_000_000_u64.to_be_bytes()[2..].to_vec();
    fake.set(|state| state.updates = Does::Refuses(ResponseCode::NotAuth, Some((TsigError::BadTime, theirs))));
    says(&zone.try_change(NAME).await.unwrap_err(), Kind::Auth, "2001-09-09T01:46:40Z there");
}

#[tokio::test]
async fn an_update_without_an_answer_is_looked_after() {
    let fake = Fake::with(&["dnslink=/ipfs/old"]).await;
    let (zone, old, new) = (zone(&fake), set(&["dnslink=/ipfs/old"]), set(&["dnslink=/ipfs/new"]));
    fake.set(|state| state.updates = Does::Closes);
    says(&zone.replace(NAME, &old, &new).await.unwrap_err(), Kind::Network, "has not moved");
    fake.set(|state| state.updates = Does::TakesAndCloses("dnslink=/ipfs/other"));
    says(&zone.replace(NAME, &old, &new).await.unwrap_err(), Kind::Network, "is unknown");
    fake.set(|state| {
        state.values = old.values.clone();
        state.updates = Does::TakesAndCloses("dnslink=/ipfs/new");
    });
    zone.replace(NAME, &old, &new).await.unwrap();
    // A refusal that nothing explains.
    fake.set(|state| state.updates = Does::Refuses(ResponseCode::NXRRSet, None));
    says(&zone.replace(NAME, &new, &old).await.unwrap_err(), Kind::Locked, "wildcard");
}

#[tokio::test]
async fn all_servers_that_can_be_reached_have_to_agree() {
    let first = Fake::with(&["dnslink=/ipfs/new"]).await;
    let port = first.address.port();
    let second = Fake::on(2, port, &["dnslink=/ipfs/old"]).await;
    // One that nobody listens on, too.
    let dead = std::net::SocketAddr::from(([127, 0, 0, 3], port));
    first.set(|state| state.servers = vec![first.address, second.address, dead]);
    let zone = zone(&first);
    let error = zone.read(NAME).await.unwrap_err();
    says(&error, Kind::Network, "differ");
    says(&error, Kind::Network, "/ipfs/old");
    // It catches up within a moment.
    let late = Arc::clone(&second.state);
    let caught_up = tokio::spawn(async move {
        while late.lock().unwrap().asked < 3 {
            tokio::task::yield_now().await;
        }
        late.lock().unwrap().values = vec!["dnslink=/ipfs/new".to_owned()];
    });
    second.set(|state| state.asked = 0);
    assert_eq!(zone.read(NAME).await.unwrap(), set(&["dnslink=/ipfs/new"]));
    caught_up.await.unwrap();
    // A silent secondary holds nobody up for long.
    second.set(|state| state.questions = Does::Silent);
    let start = Instant::now();
    assert_eq!(zone.read(NAME).await.unwrap(), set(&["dnslink=/ipfs/new"]));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_person_is_told_once_and_waited_for() {
    let fake = Fake::with(&["dnslink=/ipfs/old", "foreign"]).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let (note, state) = (Arc::clone(&told), Arc::clone(&fake.state));
    let prompt = move |name: &str, wanted: &TxtSet| {
        note.lock().unwrap().push((name.to_owned(), wanted.clone()));
        let (state, wanted) = (Arc::clone(&state), wanted.clone());
        // First both, and the server fails for a time, as it happens when somebody edits.
        tokio::spawn(async move {
            state.lock().unwrap().values.extend(wanted.values.clone());
            state.lock().unwrap().questions = Does::Closes;
            let asked = state.lock().unwrap().asked;
            while state.lock().unwrap().asked < asked + 3 {
                tokio::task::yield_now().await;
            }
            let mut state = state.lock().unwrap();
            (state.values, state.questions) = (wanted.values, Does::Right);
        });
    };
    let authority = Authority::Fixed(vec![fake.address]);
    let zone = Manual::new(Arc::new(prompt)).asking(authority, Duration::from_millis(5));
    let (before, after) = (zone.read(NAME).await.unwrap(), set(&["dnslink=/ipfs/new", "foreign"]));
    let outdated = zone.replace(NAME, &set(&["other"]), &after).await.unwrap_err();
    says(&outdated, Kind::Locked, "in the meantime");
    zone.replace(NAME, &before, &after).await.unwrap();
    assert_eq!(zone.read(NAME).await.unwrap(), after);
    // Nothing to do, nobody to tell.
    zone.replace(NAME, &after, &after).await.unwrap();
    assert_eq!(*told.lock().unwrap(), [(NAME.to_owned(), after.clone())]);
    // Who does not wait any longer is not held.
    fake.set(|state| state.questions = Does::Right);
    let never = Manual::new(Arc::new(|_: &str, _: &TxtSet| {}))
        .asking(Authority::Fixed(vec![fake.address]), Duration::from_millis(5));
    assert!(timeout(Duration::from_millis(200), never.replace(NAME, &after, &before)).await.is_err());
}
