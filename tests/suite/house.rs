//! The arrows of the house: which room may know which, and how large and how named its files are.
//!
//! Reads the sources as text. `ARCHITECTURE.md` draws the same picture for people.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Rooms without I/O; each may know those before it.
const PURE: [&str; 5] = ["image", "unixfs", "site", "rules", "ipns"];
/// Rooms that reach outside; they know the pure ones, and not one another.
const PORTS: [&str; 8] = ["registry", "store", "catalog", "node", "hosts", "swarm", "naming", "hooks"];
/// Known to all; they know no room.
const EVERYWHERE: [&str; 5] = ["error", "holder", "http", "input", "text"];
/// What the user has set: read by everything that acts; knows what can be set of a registry.
const CONFIGURATION: &str = "config";
/// What a file may have at most, and where it begins to be too much.
const LINES: (usize, usize) = (500, 400);
/// What a file of tests may have at most.
const TEST_LINES: usize = 600;
/// Names that say nothing.
const NAMELESS: [&str; 8] = ["utils", "util", "common", "helpers", "helper", "manager", "misc", "lib"];

/// What a room may know; nothing when no rule says.
fn allowed(room: &str) -> Option<BTreeSet<&'static str>> {
    let pure = PURE.iter().copied();
    let mut known: BTreeSet<&str> = match room {
        // Says what went wrong and how text is shown, in the words of no room.
        "error" | "holder" | "http" | "input" | "text" => return Some(BTreeSet::from(EVERYWHERE)),
        "image" | "unixfs" | "site" | "rules" | "ipns" => pure.take_while(|other| *other != room).collect(),
        // The settings of a registry are the registry's own type.
        CONFIGURATION => pure.chain(["registry"]).collect(),
        // A source among others, and the records that are kept there.
        "swarm" => pure.chain(["node"]).collect(),
        "registry" | "store" | "catalog" | "node" | "hosts" | "naming" | "hooks" => pure.collect(),
        "engine" => pure.chain(PORTS).chain([CONFIGURATION]).collect(),
        "serve" | "tui" => pure.chain(PORTS).chain([CONFIGURATION, "engine"]).collect(),
        "cli" => pure.chain(PORTS).chain([CONFIGURATION, "engine", "serve", "tui"]).collect(),
        // The program is its command line; the library only lists the rooms.
        "main" => BTreeSet::from(["cli"]),
        "lib" => BTreeSet::new(),
        _ => return None,
    };
    known.extend(EVERYWHERE);
    Some(known)
}

/// Rust source without its comments and the text in quotes.
pub(super) fn code_of(source: &str) -> String {
    let characters: Vec<char> = source.chars().collect();
    let at = |place: usize| characters.get(place).copied().unwrap_or('\0');
    let mut code = String::with_capacity(source.len());
    let mut place = 0;
    while place < characters.len() {
        match (at(place), at(place + 1)) {
            ('/', '/') => {
                while place < characters.len() && at(place) != '\n' {
                    place += 1;
                }
            }
            ('/', '*') => {
                let mut depth = 0;
                loop {
                    match (at(place), at(place + 1)) {
                        ('/', '*') => (depth, place) = (depth + 1, place + 2),
                        ('*', '/') => (depth, place) = (depth - 1, place + 2),
                        _ => place += 1,
                    }
                    if depth == 0 || place >= characters.len() {
                        break;
                    }
                }
            }
            ('r', '"' | '#') if !code.ends_with(|c: char| c.is_alphanumeric() || c == '_') => {
                let marks = characters[place + 1..].iter().take_while(|mark| **mark == '#').count();
                if at(place + 1 + marks) == '"' {
                    place += marks + 2;
                    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', marks)).collect();
                    while place < characters.len() && !characters[place..].starts_with(&end) {
                        place += 1;
                    }
                    place += end.len();
                    code.push_str("\"\"");
                } else {
                    // A raw identifier.
                    code.push('r');
                    place += 1;
                }
            }
            ('"', _) => {
                place += 1;
                while place < characters.len() && at(place) != '"' {
                    place += if at(place) == '\\' { 2 } else { 1 };
                }
                place += 1;
                code.push_str("\"\"");
            }
            // A character, not a lifetime.
            ('\'', '\\') => {
                place += 3;
                while place < characters.len() && at(place) != '\'' {
                    place += 1;
                }
                place += 1;
            }
            ('\'', _) if at(place + 2) == '\'' => place += 3,
            (other, _) => {
                code.push(other);
                place += 1;
            }
        }
    }
    code
}

/// The rooms that code names: what follows `crate::` (or `roadstead::`), also in braces, and what follows a chain of
/// `super::` that leaves a file at this depth (1 for the room's own file).
fn named_in(code: &str, depth: usize) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for root in ["crate", "roadstead"] {
        for (place, _) in code.match_indices(root) {
            let before = code[..place].trim_end();
            let part_of_a_name = code[..place].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
            if part_of_a_name || before.ends_with("::") || before.ends_with('(') && before.ends_with("pub(") {
                continue;
            }
            if let Some(rest) = code[place + root.len()..].trim_start().strip_prefix("::") {
                heads(rest, &mut found);
            }
        }
    }
    let mut rest = code;
    while let Some(place) = rest.find("super") {
        let mut after = &rest[place..];
        let mut steps = 0;
        while let Some(next) =
            after.trim_start().strip_prefix("super").and_then(|next| next.trim_start().strip_prefix("::"))
        {
            (after, steps) = (next, steps + 1);
        }
        if steps >= depth && steps > 0 {
            heads(after, &mut found);
        }
        rest = if steps == 0 { &rest[place + 5..] } else { after };
    }
    found
}

/// The first names of a path or of each path in braces.
fn heads(rest: &str, found: &mut BTreeSet<String>) {
    let rest = rest.trim_start();
    let name = |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let Some(group) = rest.strip_prefix('{') else {
        found.insert(name(rest));
        return;
    };
    let (mut depth, mut start) = (0, 0);
    for (place, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                let head: String = name(&group[start..place]);
                if !head.is_empty() {
                    found.insert(head);
                }
                if character == '}' {
                    return;
                }
                start = place + 1;
            }
            _ => {}
        }
    }
}

/// A source file: its room, its path below `src` and its text.
pub(super) struct Source {
    pub(super) room: String,
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl Source {
    /// How many `super` lead out of the room from this file.
    fn depth(&self) -> usize {
        let parts = self.path.components().count();
        if self.path.file_name().is_some_and(|name| name == "mod.rs") { parts - 1 } else { parts }
    }

    /// What is wrong with what it names.
    fn complaints(&self, rooms: &BTreeSet<String>) -> Vec<String> {
        let Some(allowed) = allowed(&self.room) else {
            return vec![format!("{}: the room `{}` has no rule here", self.path.display(), self.room)];
        };
        named_in(&code_of(&self.text), self.depth())
            .into_iter()
            .filter(|named| rooms.contains(named) && *named != self.room && !allowed.contains(named.as_str()))
            .map(|named| format!("{}: `{}` may not know `{named}`", self.path.display(), self.room))
            .collect()
    }
}

pub(super) fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut left = vec![root.clone()];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file");
                let path = path.strip_prefix(&root).expect("below it").to_path_buf();
                let first = Path::new(path.components().next().expect("a name").as_os_str()).with_extension("");
                found.push(Source { room: first.to_string_lossy().into_owned(), path, text });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(found.len() > 5, "the sources are somewhere else");
    found
}

fn rooms(sources: &[Source]) -> BTreeSet<String> {
    sources.iter().map(|source| source.room.clone()).filter(|room| room != "main" && room != "lib").collect()
}

#[test]
fn arrows_point_left() {
    let sources = sources();
    let rooms = rooms(&sources);
    let complaints: Vec<String> = sources.iter().flat_map(|source| source.complaints(&rooms)).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Ways to make an HTTP client beside the one that has our rules: no decompression, no redirect unasked, no `Referer`.
const OTHER_CLIENTS: [&str; 5] =
    ["Client::builder()", "Client::new()", "ClientBuilder::new()", "reqwest::get(", "Client::default()"];

#[test]
fn every_http_client_begins_in_one_file() {
    let makes_one = |source: &Source| {
        let code = code_of(&source.text);
        OTHER_CLIENTS.iter().any(|way| code.contains(way))
    };
    let is_tests = |source: &Source| source.path.components().any(|part| part.as_os_str() == "tests");
    let makers: Vec<String> = sources()
        .iter()
        .filter(|source| !is_tests(source) && makes_one(source))
        .map(|source| source.path.display().to_string())
        .collect();
    assert_eq!(makers, ["http.rs"], "an HTTP client is made where it escapes the rules of src/http.rs");
}

/// What stands between `open` at this place and what closes it.
fn enclosed(code: &str, at: usize, (open, close): (char, char)) -> &str {
    let mut depth = 0_usize;
    for (place, character) in code[at..].char_indices() {
        if character == open {
            depth += 1;
        } else if character == close {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return &code[at..=at + place];
            }
        }
    }
    &code[at..]
}

/// The bodies of async functions and blocks, without what they give to a thread that may wait.
fn async_bodies(code: &str) -> Vec<String> {
    let bodies = code.match_indices("async ").filter_map(|(at, _)| {
        let rest = &code[at..];
        let begins = ["async fn ", "async move {", "async {", "async |"].iter().any(|way| rest.starts_with(way));
        let from = at + rest.find('{')?;
        begins.then(|| enclosed(code, from, ('{', '}')).to_owned())
    });
    let without = |mut body: String| {
        for way in ["blocking(", "in_place(", "self.write("] {
            while let Some(at) = body.find(way) {
                let length = enclosed(&body, at + way.len() - 1, ('(', ')')).len();
                body.replace_range(at..at + way.len() - 1 + length, "");
            }
        }
        body
    };
    bodies.map(without).collect()
}

/// SQLite waits for disks and for other processes: whoever asks it there keeps every other job of the thread waiting.
#[test]
fn no_thread_of_the_runtime_waits_for_the_catalog() {
    let mut complaints = Vec::new();
    for source in sources().iter().filter(|source| source.room == "engine") {
        if source.path.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let code = code_of(source.text.split("mod tests {").next().unwrap_or_default());
        for body in async_bodies(&code) {
            for way in ["catalog.read()", "catalog.write(", ".change("] {
                if body.contains(way) {
                    complaints.push(format!("{}: `{way}` outside of `blocking` and `in_place`", source.path.display()));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    let seen = async_bodies("async fn a() { blocking(|| catalog.read()).await; if b { catalog.write(c) } }");
    assert!(seen.len() == 1 && seen[0].contains("catalog.write(") && !seen[0].contains("catalog.read()"), "{seen:?}");
}

/// Whoever publishes, shows or asks knows what a node can do, and never of which kind it is.
#[test]
fn the_kinds_of_nodes_are_known_to_their_table_alone() {
    let knows = |path: &Path| {
        let rooms = ["engine/publish", "cli", "tui"];
        // `restore --from` and the configuration of clients name programs, which is what they are about.
        let named = ["cli/origin.rs", "cli/commands/client"];
        rooms.iter().any(|room| path.starts_with(room)) && !named.iter().any(|file| path.starts_with(file))
    };
    let mut complaints = Vec::new();
    for source in sources().iter().filter(|source| knows(&source.path)) {
        if source.path.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let code = code_of(source.text.split("mod tests {").next().unwrap_or_default());
        for kind in ["kubo", "Kubo"] {
            if code.contains(kind) {
                complaints.push(format!("{}: `{kind}`", source.path.display()));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn files_are_small_and_well_named() {
    let (most, many) = LINES;
    let mut complaints = Vec::new();
    for source in sources() {
        let (path, count) = (source.path.display(), source.text.lines().count());
        let is_test = source.path.file_stem().is_some_and(|stem| stem == "tests");
        if count > if is_test { TEST_LINES } else { most } {
            complaints.push(format!("{path}: {count} lines, at most {most}"));
        } else if count > many {
            eprintln!("{path}: {count} lines, better at most {many}");
        }
        let stem = |part: std::path::Component<'_>| Path::new(part.as_os_str()).with_extension("");
        let nameless = source
            .path
            .components()
            .map(stem)
            .any(|name| NAMELESS.iter().any(|no| name == Path::new(no)) && source.path != Path::new("lib.rs"));
        if nameless {
            complaints.push(format!("{path}: a name that says nothing"));
        }
        if !source.text.starts_with("//!") {
            complaints.push(format!("{path}: begins without `//!`: what it knows and what it must not know"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// A pipe that somebody put in the place of a file would be waited for.
#[test]
fn files_that_others_may_make_are_opened_by_input() {
    let rooms = ["registry", "config", "node", "hosts", "engine", "cli", "hooks"];
    let mut complaints = Vec::new();
    for source in sources() {
        let is_test =
            source.path.components().any(|part| Path::new(part.as_os_str()).with_extension("") == Path::new("tests"));
        if is_test || !rooms.contains(&source.room.as_str()) {
            continue;
        }
        let text = source.text.split("\nmod tests {").next().unwrap_or_default();
        let code = code_of(text);
        for way in ["File::open(", "fs::read(", "fs::read_to_string("] {
            let is_it = |(place, _)| !code[..place].ends_with(|before: char| before.is_alphanumeric());
            if code.match_indices(way).any(is_it) {
                complaints.push(format!("{}: `{way}` waits for whoever writes to a pipe", source.path.display()));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn the_architecture_page_mentions_each_room() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let text = std::fs::read_to_string(&page).expect("ARCHITECTURE.md");
    let missing: Vec<String> = rooms(&sources())
        .into_iter()
        .filter(|room| !text.contains(&format!("`{room}`")) && !text.contains(&format!("{room}/")))
        .collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md says nothing of {}", missing.join(", "));
}

#[test]
fn the_reader_sees_every_way_to_name_a_room() {
    let cases: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("use crate::store::Blob;", &["store"][..]),
        ("use crate::{error::Kind, catalog::{Row, engine}, text};", &["catalog", "error", "text"][..]),
        ("fn f() -> crate :: engine::Plan { roadstead::cli::main() }", &["cli", "engine"][..]),
        ("// use crate::store\n/* crate::a /* crate::b */ crate::c */ let s = \"crate::d\";", &[][..]),
        ("let s = r#\"crate::a \" crate::b\"#; let c = '\"'; use crate::site;", &["site"][..]),
        ("fn f<'a>(x: &'a str) { let c = '\\''; crate::tui::f() }", &["tui"][..]),
        ("pub(crate) fn f() {} pub(in crate::image) struct S; other::crate_::x", &["image"][..]),
        ("use super::super::serve; use super::sibling;", &["serve"][..]),
        ("use super::super::{serve, cli::x};", &["cli", "serve"][..]),
    ]);
    for (source, expected) in cases {
        let found: Vec<String> = named_in(&code_of(source), 2).into_iter().collect();
        assert_eq!(found, *expected, "{source}");
    }
}

#[test]
fn a_wrong_arrow_is_found() {
    let rooms: BTreeSet<String> =
        ["image", "unixfs", "site", "store", "catalog", "engine", "serve", "tui", "cli", "error"]
            .into_iter()
            .map(String::from)
            .collect();
    let complaints = |room: &str, text: &str| {
        let source = Source { room: room.into(), path: Path::new(room).join("x.rs"), text: text.into() };
        source.complaints(&rooms).len()
    };
    let wrong = [
        ("image", "use crate::unixfs::Chunker;"),
        ("unixfs", "use crate::{image, site};"),
        ("site", "crate::store::read()"),
        ("store", "use crate::catalog::Row;"),
        ("engine", "use crate::cli;"),
        ("serve", "use super::super::tui::App;"),
        ("error", "use crate::image::Digest;"),
        ("attic", ""),
    ];
    for (room, text) in wrong {
        assert_eq!(complaints(room, text), 1, "{room}: {text}");
    }
    let right = [
        ("site", "use crate::{image, unixfs, error};"),
        ("store", "use crate::unixfs; use super::blob;"),
        ("cli", "use crate::{serve, tui, engine, store};"),
        ("image", "use crate::error::Error; use crate::image::Digest;"),
    ];
    for (room, text) in right {
        assert_eq!(complaints(room, text), 0, "{room}: {text}");
    }
}
