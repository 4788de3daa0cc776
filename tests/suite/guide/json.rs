//! The page of JSON shapes: made from what the program prints with `--json`, and held to it.
//!
//! Knows JSON and how a page is written. `INSTA_UPDATE=always` writes the page anew, as it does with snapshots.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{at, text_of};
use crate::cli::Roadstead;
use crate::images::Layout;
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::finish;

const PAGE: &str = "docs/src/reference/json.md";

const HEAD: &str = "# JSON shapes

<!-- Made by tests/suite/guide/json.rs from what the program prints: INSTA_UPDATE=always writes it anew. -->

With `--json`, a verb prints one JSON document on standard output. Warnings and errors are objects on standard error, one per line;
so are the events of `--progress json`. Each document has every key once. A release may add keys; it doesn't remove one or change
what one means without an entry in the changelog.

Below are the shapes that the test suite sees: `text`, `number` and `boolean` stand for values, `or null` for what can be missing,
`\"key\"?` for a key that not every object has, and `\"…\"` for keys that are names. An array shows what all of its elements have
in common; `[]` was empty. Sizes are bytes, times are RFC 3339 in UTC or seconds since 1970, durations are seconds.

An error:

```text
{\"error\": {\"kind\": text, \"message\": text, \"hints\": [text], \"exit_code\": number}}
```
";

/// What values have in common.
#[derive(Debug, Default)]
struct Shape {
    /// `text`, `number`, `boolean`, `null`.
    words: Vec<&'static str>,
    /// Of objects: how many there were, and the keys with how many of them have each.
    objects: u64,
    keys: Vec<(String, u64, Shape)>,
    /// Of arrays: their elements.
    elements: Option<Box<Shape>>,
}

/// Keys of ours; others are names of images, registries and the like.
fn is_ours(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

impl Shape {
    fn see(&mut self, value: &Value) {
        match value {
            Value::Null => self.word("null"),
            Value::Bool(_) => self.word("boolean"),
            Value::Number(_) => self.word("number"),
            Value::String(_) => self.word("text"),
            Value::Array(values) => {
                let elements = self.elements.get_or_insert_default();
                for value in values {
                    elements.see(value);
                }
            }
            Value::Object(values) => self.see_object(values),
        }
    }

    fn word(&mut self, word: &'static str) {
        if !self.words.contains(&word) {
            self.words.push(word);
            // `null` comes last.
            self.words.sort_unstable_by_key(|word| (*word == "null", *word));
        }
    }

    fn see_object(&mut self, values: &Map<String, Value>) {
        self.objects += 1;
        let are_names = values.keys().any(|key| !is_ours(key));
        for (key, value) in values {
            let key = if are_names { "…" } else { key.as_str() };
            let place = self.keys.iter().position(|(known, ..)| known == key).unwrap_or_else(|| {
                self.keys.push((key.to_owned(), 0, Self::default()));
                self.keys.len() - 1
            });
            self.keys[place].1 += 1;
            self.keys[place].2.see(value);
        }
    }

    fn write(&self, text: &mut String, indent: usize) {
        let mut is_first = true;
        let mut or = |text: &mut String| {
            text.push_str(if is_first { "" } else { " or " });
            is_first = false;
        };
        if self.objects > 0 {
            or(text);
            self.write_object(text, indent);
        }
        if let Some(elements) = &self.elements {
            or(text);
            if elements.is_empty() {
                text.push_str("[]");
            } else {
                text.push('[');
                elements.write(text, indent);
                text.push(']');
            }
        }
        for word in &self.words {
            or(text);
            text.push_str(word);
        }
    }

    fn write_object(&self, text: &mut String, indent: usize) {
        if self.keys.is_empty() {
            text.push_str("{}");
            return;
        }
        text.push_str("{\n");
        for (place, (key, seen, shape)) in self.keys.iter().enumerate() {
            let optional = if *seen < self.objects { "?" } else { "" };
            let _ = write!(text, "{:width$}\"{key}\"{optional}: ", "", width = indent + 2);
            shape.write(text, indent + 2);
            text.push_str(if place + 1 < self.keys.len() { ",\n" } else { "\n" });
        }
        let _ = write!(text, "{:indent$}}}", "");
    }

    fn is_empty(&self) -> bool {
        self.words.is_empty() && self.objects == 0 && self.elements.is_none()
    }
}

/// The documents of each verb, under its heading.
#[derive(Default)]
struct Documents {
    order: Vec<&'static str>,
    shapes: BTreeMap<&'static str, Shape>,
}

impl Documents {
    /// Runs a verb whose document belongs under this heading; it may end with any of these codes.
    #[track_caller]
    fn of(&mut self, roadstead: &Roadstead, heading: &'static str, words: &[&str], codes: &[i32]) -> Value {
        let finished = finish(&roadstead.command(&[&["--json"], words].concat()));
        assert!(codes.contains(&finished.code), "{finished}");
        crate::documents::check(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished}"));
        let mut last = Value::Null;
        for value in serde_json::Deserializer::from_str(&finished.stdout).into_iter::<Value>() {
            last = value.unwrap_or_else(|error| panic!("{error}: {finished}"));
            if !self.order.contains(&heading) {
                self.order.push(heading);
            }
            self.shapes.entry(heading).or_default().see(&last);
        }
        assert!(!last.is_null(), "nothing was printed: {finished}");
        last
    }

    fn page(&self) -> String {
        let mut text = String::from(HEAD);
        for heading in &self.order {
            let _ = write!(text, "\n## {heading}\n\n```text\n");
            self.shapes[heading].write(&mut text, 0);
            text.push_str("\n```\n");
        }
        text
    }
}

/// A catalog's life, in which every verb answers once with something to say.
fn seen() -> Documents {
    let registry = DockerRegistry::plain();
    registry.push_everything(&Layout::with_artifacts(), "careful");
    registry.push(&Layout::multi_platform(), "1", "app");
    let versions = ["1.0.0", "1.1.0"].map(String::from);
    registry.push_tags(&Layout::saying("the first\n"), "service", &versions);
    let host = registry.host();
    let roadstead = Roadstead::new();
    let (careful, app) = (format!("{host}/careful:1"), format!("{host}/app:1"));
    let pattern = format!("{host}/service:1.#.#");
    let published = |name: &str| format!("{}/{name}", registry.published());
    let mut seen = Documents::default();
    let all = &mut seen;
    let done = &[0][..];

    all.of(&roadstead, "add", &["add", &careful, "--dry-run"], done);
    all.of(&roadstead, "add", &["add", &careful, &app], done);
    all.of(&roadstead, "add", &["add", &careful, &format!("{host}/app:none")], &[9]);
    all.of(&roadstead, "list", &["list"], done);
    all.of(&roadstead, "list REPO", &["list", &published("careful")], done);
    all.of(&roadstead, "list --all", &["list", "--all"], done);
    all.of(&roadstead, "show", &["show", &published("careful:1")], done);
    all.of(&roadstead, "show", &["show", &published("app:1")], done);
    all.of(&roadstead, "show --files", &["show", &published("app:1"), "--files"], done);
    all.of(&roadstead, "show --files", &["show", &published("app:1"), "--files", "--layer", "2"], done);
    let busybox = roadstead.path("busybox").display().to_string();
    let save = ["show", &published("app:1"), "--save", "/bin/busybox", "--to", &busybox];
    all.of(&roadstead, "show --save", &save, done);
    all.of(&roadstead, "stats", &["stats"], done);
    all.of(&roadstead, "root", &["root"], done);
    let first = roadstead.root();

    all.of(&roadstead, "rule try", &["rule", "try", &pattern, "--newest", "1"], done);
    all.of(&roadstead, "rule suggest", &["rule", "suggest", &format!("{host}/service:1.1.0")], done);
    all.of(
        &roadstead,
        "rule add, set and remove",
        &["rule", "add", "--name", "service", &pattern, "--newest", "1"],
        done,
    );
    all.of(&roadstead, "update", &["update", "--dry-run"], done);
    all.of(&roadstead, "update", &["update"], done);
    registry.push_tags(&Layout::saying("the second\n"), "service", &[String::from("1.2.0"), String::from("1.1.0")]);
    registry.push(&Layout::saying("another\n"), "1", "app");
    all.of(&roadstead, "outdated", &["outdated"], done);
    all.of(&roadstead, "update", &["update"], done);
    let sides = [published("app:1"), published("service:1.2.0")];
    all.of(&roadstead, "diff IMAGE IMAGE", &["diff", &sides[0], &sides[1]], done);
    all.of(&roadstead, "rule add, set and remove", &["rule", "set", "service", "--newest", "2"], done);
    all.of(&roadstead, "rule list", &["rule", "list"], done);
    all.of(&roadstead, "rule show", &["rule", "show", "service"], done);
    let lock = roadstead.path("mirror.lock").display().to_string();
    all.of(&roadstead, "rule lock", &["rule", "lock", &lock], done);
    all.of(&roadstead, "history --runs", &["history", "--runs"], done);

    all.of(&roadstead, "target add, set and show", &["target", "add", "home", "--self", "--ipns"], done);
    all.of(&roadstead, "publish, rollback", &["publish", "--dry-run"], done);
    all.of(&roadstead, "publish, rollback", &["publish", "--yes"], done);
    all.of(&roadstead, "target add, set and show", &["target", "show", "home"], done);
    all.of(&roadstead, "target list", &["target", "list"], done);
    all.of(&roadstead, "target test", &["target", "test", "home"], done);
    all.of(&roadstead, "target verify", &["target", "verify", "home"], done);
    all.of(&roadstead, "target key list", &["target", "key", "list"], done);
    all.of(&roadstead, "history", &["history"], done);
    let key = all.of(&roadstead, "target key list", &["target", "key", "list"], done);

    let serving = roadstead.serve_with(&["--ipfs"]);
    let follower = Roadstead::new();
    let name = key[0]["id"].as_str().unwrap();
    all.of(&follower, "follow", &["follow", name, "--from", &serving.url, "--once"], done);
    all.of(&follower, "follow", &["follow", "--once"], done);
    all.of(&follower, "follow status", &["follow", "status"], done);
    all.of(&follower, "follow check", &["follow", "check"], done);
    drop(serving);

    let car = roadstead.path("registry.car").display().to_string();
    all.of(&roadstead, "export", &["export", &car], done);
    all.of(&roadstead, "remove", &["remove", &published("app:1"), "--dry-run"], done);
    all.of(&roadstead, "remove", &["remove", &published("app:1"), "--yes"], done);
    all.of(&roadstead, "diff", &["diff", &first], done);
    all.of(&roadstead, "undo, redo", &["undo", "--dry-run"], done);
    all.of(&roadstead, "undo, redo", &["undo", "--yes"], done);
    all.of(&roadstead, "undo, redo", &["redo", "--yes"], done);
    all.of(&roadstead, "gc", &["gc", "--yes"], done);
    all.of(&roadstead, "verify", &["verify"], done);
    all.of(&Roadstead::new(), "restore, import", &["restore", &car], done);
    all.of(&roadstead, "restore, import", &["import", &car, "--dry-run"], done);
    all.of(&roadstead, "client", &["client", "podman"], done);
    all.of(&roadstead, "schedule", &["schedule", "systemd"], done);
    all.of(&roadstead, "doctor", &["doctor", "--offline"], done);
    all.of(&roadstead, "config show", &["config", "show"], done);
    all.of(&roadstead, "target remove", &["target", "remove", "home", "--yes"], done);
    seen
}

#[test]
fn the_page_has_the_shapes_that_are_printed() {
    let page = seen().page();
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(at(PAGE), &page).unwrap();
    }
    assert!(text_of(PAGE) == page, "INSTA_UPDATE=always writes {PAGE} anew; it has to say:\n{page}");
}

#[test]
fn shapes_say_what_values_have_in_common() {
    let mut shape = Shape::default();
    for value in ["{\"a\":1,\"b\":[]}", "{\"a\":null,\"b\":[\"x\",{\"c\":true}],\"d\":{\"example.com/x\":2,\"e\":3}}"] {
        shape.see(&serde_json::from_str(value).unwrap());
    }
    let mut text = String::new();
    shape.write(&mut text, 0);
    let expected = "{\n  \"a\": number or null,\n  \"b\": [{\n    \"c\": boolean\n  } or text],\n  \"d\"?: {\n    \"…\": number\n  }\n}";
    assert_eq!(text, expected);
}
