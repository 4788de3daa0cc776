//! What `--json` prints: each document has every key once, since which of two a program reads is nobody's choice.
//!
//! Knows JSON. Must not know what any verb says.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::cli::Roadstead;
use crate::images::Layout;
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::{command, finish, program};

/// A value that is read only to see that none of its objects has a key twice.
struct Unambiguous;

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reading)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Unambiguous;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unambiguous, A::Error> {
        let mut keys = BTreeSet::new();
        while let Some((key, Unambiguous)) = map.next_entry::<String, Unambiguous>()? {
            if let Some(twice) = keys.replace(key) {
                return Err(de::Error::custom(format!("the key `{twice}` is there twice")));
            }
        }
        Ok(Unambiguous)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Unambiguous, A::Error> {
        while values.next_element::<Unambiguous>()?.is_some() {}
        Ok(Unambiguous)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_str<E>(self, _: &str) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_unit<E>(self) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }
}

/// An error if a key is there twice, or if it is no JSON.
pub(crate) fn check(printed: &str) -> Result<(), serde_json::Error> {
    serde_json::Deserializer::from_str(printed).into_iter::<Unambiguous>().try_for_each(|value| value.map(drop))
}

#[test]
fn a_key_that_is_there_twice_is_found() {
    check("{\"a\":[{\"b\":1,\"c\":null}],\"b\":-1.5}\n{\"a\":\"\"}").unwrap();
    for twice in ["{\"a\":1,\"a\":[]}", "[0,{\"x\":{\"b\":true,\"b\":2}}]", "{} {\"a\":1,\"b\":1,\"a\":1}"] {
        assert!(check(twice).unwrap_err().to_string().contains("twice"), "{twice}");
    }
}

#[test]
fn every_document_can_be_read_in_one_way_only() {
    let registry = DockerRegistry::plain();
    registry.push(&Layout::busybox(), "1", "busybox");
    let (reference, roadstead) = (format!("{}/busybox:1", registry.host()), Roadstead::new());
    let image = format!("{}/busybox:1", registry.published());
    let tree = roadstead.path("tree");
    let tree = tree.to_str().unwrap();
    for words in [
        &["add", &reference, "--dry-run"][..],
        &["add", &reference],
        &["update"],
        &["outdated"],
        &["list"],
        &["list", image.trim_end_matches(":1")],
        &["show", &image],
        &["stats"],
        &["root"],
        &["verify"],
        &["gc", "--dry-run"],
        &["export", tree],
        &["import", tree, "--dry-run"],
        &["target", "add", "home", "--kubo", "http://127.0.0.1:1", "--dnslink", "a.test", "--dns", "manual"],
        &["target", "show", "home"],
        &["target", "list"],
        &["history"],
        &["config", "show"],
        &["config", "set", "name", "registry.test"],
        &["config", "web", "nginx"],
        &["doctor", "--offline"],
        &["client", "podman"],
        &["remove", &image, "--dry-run"],
        &["remove", &image, "--yes"],
        &["undo", "--dry-run"],
        &["target", "remove", "home", "--yes"],
        &["man"],
    ] {
        let printed = roadstead.ok(&[&["--json"], words].concat());
        check(&printed).unwrap_or_else(|error| panic!("{words:?}: {error}: {printed}"));
    }
}

#[test]
fn the_manual_renders_without_a_warning() {
    let roadstead = Roadstead::new();
    let pages = roadstead.path("man");
    roadstead.ok(&["man", pages.to_str().unwrap()]);
    let pages: Vec<_> = std::fs::read_dir(&pages).unwrap().map(|page| page.unwrap().path()).collect();
    let lint = |pages: &[std::path::PathBuf]| {
        let mut lint = command(program("mandoc"), &roadstead.path("."));
        lint.args(["-T", "lint", "-W", "warning"]).args(pages);
        finish(&lint)
    };
    lint(&pages).success();
    // One that can't fail would say nothing.
    let broken = roadstead.path("broken.1");
    std::fs::write(&broken, std::fs::read_to_string(&pages[0]).unwrap() + ".br\n.sp\n").unwrap();
    assert_ne!(lint(&[broken]).code, 0);
}
