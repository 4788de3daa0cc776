//! DNSLink records on real servers that take updates: what changes, what stays, and what is said when a server refuses.
//!
//! Each test runs on Knot DNS and on BIND, which answer differently where the standard lets them.

use std::sync::Arc;

use roadstead::error::{Error, Kind};
use roadstead::naming::rfc2136::Rfc2136;
use roadstead::naming::{TxtSet, Zone as _};

use crate::peers::bind::Bind;
use crate::peers::dns::{self, FIXED, KEY, SECRET};
use crate::peers::knot::Knot;

const DOMAIN: &str = "registry.test";
const NAME: &str = "_dnslink.registry.test";

/// A real server.
enum Server {
    Knot(Knot),
    Bind(Bind),
}

impl Server {
    fn port(&self) -> u16 {
        match self {
            Self::Knot(knot) => knot.port(),
            Self::Bind(bind) => bind.port(),
        }
    }

    fn zone(&self) -> Rfc2136 {
        self.with_key(KEY, SECRET)
    }

    fn with_key(&self, key: &str, secret: &str) -> Rfc2136 {
        Rfc2136::new(&format!("127.0.0.1:{}", self.port()), key, "hmac-sha256", secret).unwrap()
    }

    fn raw(&self) -> Vec<String> {
        dns::raw_txt(self.port(), NAME)
    }

    fn serial(&self) -> u32 {
        dns::serial(self.port(), DOMAIN).unwrap()
    }
}

fn both() -> [Server; 2] {
    [Server::Knot(Knot::start(DOMAIN)), Server::Bind(Bind::start(DOMAIN))]
}

fn set(values: &[&str]) -> TxtSet {
    let mut values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    values.sort();
    TxtSet { values, ttl: Some(60) }
}

/// The error's kind; what it says must have these words.
#[track_caller]
fn says(error: &Error, words: &[&str]) -> Kind {
    let text = format!("{error} {}", error.hints().join(" "));
    for word in words {
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
    assert!(!text.contains(SECRET), "{text}");
    error.kind()
}

#[tokio::test]
async fn a_record_is_made_moved_and_removed() {
    for server in both() {
        let zone = server.zone();
        let none = zone.read(NAME).await.unwrap();
        assert_eq!(none, TxtSet::default());
        let first = set(&["dnslink=/ipfs/one"]);
        zone.replace(NAME, &none, &first).await.unwrap();
        assert_eq!(zone.read(NAME).await.unwrap(), first);
        // Nobody else's, and another time to live.
        let second = TxtSet { ttl: Some(300), ..set(&["dnslink=/ipfs/two"]) };
        zone.replace(NAME, &first, &second).await.unwrap();
        assert_eq!((server.raw(), dns::ttl(server.port(), NAME)), (vec!["\"dnslink=/ipfs/two\"".into()], Some(300)));
        // Only the time to live.
        let third = TxtSet { ttl: Some(7), ..second.clone() };
        zone.replace(NAME, &second, &third).await.unwrap();
        assert_eq!(zone.read(NAME).await.unwrap(), third);
        zone.replace(NAME, &third, &none).await.unwrap();
        assert_eq!(server.raw(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_others_have_at_the_name_stays_as_it_is() {
    for server in both() {
        let long = "x".repeat(250);
        let foreign =
            ["\"v=spf1 \" \"-all\"".to_owned(), format!("\"{long}\" \"{long}\""), "\"\\255\\000\"".to_owned()];
        let mut records: Vec<&str> = foreign.iter().map(String::as_str).collect();
        records.push("\"dnslink=/ipfs/\" \"old\"");
        dns::set_raw_txt(server.port(), DOMAIN, NAME, &records);
        let zone = server.zone();
        let before = zone.read(NAME).await.unwrap();
        assert!(before.values.contains(&"dnslink=/ipfs/old".to_owned()), "{before:?}");
        let mut after = before.clone();
        after.values.retain(|value| !value.starts_with("dnslink="));
        after.values.push("dnslink=/ipfs/new".to_owned());
        after.values.sort();
        zone.replace(NAME, &before, &after).await.unwrap();
        assert_eq!(zone.read(NAME).await.unwrap(), after);
        let mut expected = foreign.to_vec();
        expected.push("\"dnslink=/ipfs/new\"".to_owned());
        expected.sort();
        assert_eq!(server.raw(), expected);
    }
}

#[tokio::test]
async fn an_outdated_expectation_changes_nothing() {
    for server in both() {
        let zone = server.zone();
        dns::set_txt(server.port(), DOMAIN, NAME, &["dnslink=/ipfs/theirs"]);
        let serial = server.serial();
        for expected in [TxtSet::default(), set(&["dnslink=/ipfs/ours"]), set(&["dnslink=/ipfs/theirs", "more"])] {
            let error = zone.replace(NAME, &expected, &set(&["dnslink=/ipfs/new"])).await.unwrap_err();
            assert_eq!(says(&error, &["another writer", NAME]), Kind::Locked);
        }
        assert_eq!((server.raw(), server.serial()), (vec!["\"dnslink=/ipfs/theirs\"".into()], serial));
    }
}

#[tokio::test]
async fn of_eight_writers_one_wins() {
    for server in both() {
        let zone = Arc::new(server.zone());
        let mut before = TxtSet::default();
        for round in 0..5 {
            let mut writers = tokio::task::JoinSet::new();
            for writer in 0..8 {
                let (zone, before) = (Arc::clone(&zone), before.clone());
                writers.spawn(async move {
                    let after = set(&[&format!("dnslink=/ipfs/{round}-{writer}")]);
                    zone.replace(NAME, &before, &after).await.map(|()| after)
                });
            }
            let mut won = Vec::new();
            for outcome in writers.join_all().await {
                match outcome {
                    Ok(after) => won.push(after),
                    Err(error) => assert_eq!(says(&error, &["another writer"]), Kind::Locked),
                }
            }
            assert_eq!(won.len(), 1, "{won:?}");
            before = won.remove(0);
            assert_eq!(zone.read(NAME).await.unwrap(), before);
        }
    }
}

#[tokio::test]
async fn trying_needs_the_right_and_changes_nothing() {
    for server in both() {
        let serial = server.serial();
        server.zone().try_change(NAME).await.unwrap();
        assert_eq!((server.raw(), server.serial()), (Vec::new(), serial));
        // A name that the key may not change, and a zone that it may not.
        for name in ["_dnslink.other.registry.test".to_owned(), format!("_dnslink.{FIXED}")] {
            let error = server.zone().try_change(&name).await.unwrap_err();
            assert_eq!(says(&error, &[&name, "`roadstead`"]), Kind::Auth);
            let error = server.zone().replace(&name, &TxtSet::default(), &set(&["x"])).await.unwrap_err();
            assert_eq!(says(&error, &[&name]), Kind::Auth);
        }
    }
}

#[tokio::test]
async fn wrong_keys_are_named() {
    for server in both() {
        let other = "b3RoZXIgc2VjcmV0IG90aGVyIHNlY3JldCBvdGhlcg==";
        let error = server.with_key("nobody", SECRET).try_change(NAME).await.unwrap_err();
        assert_eq!(says(&error, &["BADKEY", "`nobody`", "may not change this name"]), Kind::Auth);
        let error = server.with_key(KEY, other).try_change(NAME).await.unwrap_err();
        assert_eq!(says(&error, &["BADSIG", "secret"]), Kind::Auth);
        let address = format!("127.0.0.1:{}", server.port());
        let zone = Rfc2136::new(&address, KEY, "hmac-sha512", SECRET).unwrap();
        assert_eq!(says(&zone.try_change(NAME).await.unwrap_err(), &["BAD"]), Kind::Auth);
        assert_eq!(server.raw(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_zone_that_is_not_there_and_a_server_that_is_not() {
    for server in both() {
        let zone = server.zone();
        for error in [
            zone.read("_dnslink.example.org").await.unwrap_err(),
            zone.try_change("_dnslink.example.org").await.unwrap_err(),
        ] {
            assert_eq!(says(&error, &["does not serve the zone", "example.org"]), Kind::Network);
        }
        drop(server);
        let error = zone.replace(NAME, &TxtSet::default(), &set(&["x"])).await.unwrap_err();
        assert_eq!(says(&error, &["can't connect"]), Kind::Network);
    }
}

#[tokio::test]
async fn an_alias_is_followed_within_the_zone_and_named_beyond() {
    for server in both() {
        let zone = server.zone();
        zone.replace("alias.registry.test", &TxtSet::default(), &set(&["dnslink=/ipfs/one"])).await.unwrap();
        assert_eq!(server.raw(), ["\"dnslink=/ipfs/one\""]);
        assert_eq!(zone.read("alias.registry.test").await.unwrap(), zone.read(NAME).await.unwrap());
        let error = zone.read("away.registry.test").await.unwrap_err();
        assert_eq!(says(&error, &["away.registry.test", "alias of elsewhere.example"]), Kind::Usage);
    }
}
