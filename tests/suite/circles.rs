//! No circles: in the rooms named here, at most two files may know each other by turns.
//!
//! Reads paths in the sources as text, so methods that are called on a value don't count; what a file names does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::house::{Source, code_of, sources};

/// Rooms without circles.
const ROOMS: [&str; 12] =
    ["catalog", "cli", "engine", "hooks", "image", "ipns", "naming", "rules", "serve", "site", "store", "unixfs"];
/// Files that may know each other by turns.
const MAX_CIRCLE: usize = 2;

type Module = Vec<String>;

/// A file's place among the modules: `engine/add/mod.rs` is `engine::add`.
fn module_of(path: &Path) -> Module {
    let mut module: Module =
        path.with_extension("").components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

/// Code without the tests in it.
fn without_tests(code: &str) -> &str {
    code.split("\nmod tests {").next().unwrap_or_default()
}

/// The paths that a use tree (`a::{b, c::d}`) stands for.
fn leaves(tree: &str) -> Vec<Module> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        return vec![path.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()];
    };
    let prefix = leaves(&tree[..open]).remove(0);
    let inner = tree[open + 1..].trim_end().strip_suffix('}').unwrap_or_default();
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (place, character) in inner.char_indices().chain([(inner.len(), ',')]) {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let part = inner[start..place].trim();
                if !part.is_empty() {
                    found.extend(leaves(part).into_iter().map(|leaf| prefix.iter().cloned().chain(leaf).collect()));
                }
                start = place + 1;
            }
            _ => {}
        }
    }
    found
}

/// The paths that code names: in `use`, and where it calls something by its path.
fn paths_in(code: &str) -> Vec<Module> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(place) = ["crate::", "super::", "self::"].iter().filter_map(|root| rest.find(root)).min() {
        let part_of_a_name = rest[..place].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
        let is_use = rest[..place].trim_end().ends_with("use");
        let path = &rest[place..];
        let is_end = |c: char| if is_use { c == ';' } else { !(c.is_alphanumeric() || c == '_' || c == ':') };
        let mut end = path.find(is_end).unwrap_or(path.len());
        if part_of_a_name {
            end = end.min("self::".len());
        } else {
            found.extend(leaves(&path[..end]));
        }
        rest = &path[end..];
    }
    found
}

/// A path from the crate's root.
fn absolute(path: &[String], here: &Module) -> Module {
    let Some(first) = path.first() else { return Module::new() };
    match first.as_str() {
        "crate" => path[1..].to_vec(),
        "self" => here.iter().chain(&path[1..]).cloned().collect(),
        _ => {
            let steps = path.iter().take_while(|part| *part == "super").count();
            here[..here.len().saturating_sub(steps)].iter().chain(&path[steps..]).cloned().collect()
        }
    }
}

/// Which files of a room know which. The room's own `mod.rs` is left out: it names all of them, and all of them name its type.
fn arrows(room: &str, sources: &[Source]) -> BTreeMap<Module, BTreeSet<Module>> {
    let is_test = |source: &Source| {
        source.path.components().any(|part| Path::new(part.as_os_str()).with_extension("") == Path::new("tests"))
    };
    let own: Vec<&Source> = sources.iter().filter(|source| source.room == room && !is_test(source)).collect();
    let modules: BTreeSet<Module> = own.iter().map(|source| module_of(&source.path)).collect();
    let mut arrows = BTreeMap::new();
    for source in own {
        let here = module_of(&source.path);
        if here.len() < 2 {
            continue;
        }
        let code = code_of(&source.text);
        let mut known: BTreeSet<Module> = paths_in(without_tests(&code))
            .iter()
            .map(|path| absolute(path, &here))
            .filter_map(|path| {
                (1..=path.len()).rev().map(|end| path[..end].to_vec()).find(|head| modules.contains(head))
            })
            .collect();
        known.retain(|module| *module != here && module.len() > 1);
        arrows.insert(here, known);
    }
    arrows
}

/// The files that are reached from one.
fn reached(from: &Module, arrows: &BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<Module> {
    let (mut found, mut left) = (BTreeSet::new(), vec![from.clone()]);
    while let Some(module) = left.pop() {
        for next in arrows.get(&module).into_iter().flatten() {
            if found.insert(next.clone()) {
                left.push(next.clone());
            }
        }
    }
    found
}

/// Files of a room that all reach each other, where they are too many.
fn circles(arrows: &BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<BTreeSet<Module>> {
    let reach: BTreeMap<&Module, BTreeSet<Module>> =
        arrows.keys().map(|module| (module, reached(module, arrows))).collect();
    let circle = |module: &Module| -> BTreeSet<Module> {
        let back = |other: &&Module| reach.get(*other).is_some_and(|reach| reach.contains(module));
        reach[module].iter().filter(back).cloned().collect()
    };
    arrows.keys().map(circle).filter(|circle| circle.len() > MAX_CIRCLE).collect()
}

#[test]
fn no_more_than_two_files_know_each_other_by_turns() {
    let sources = sources();
    let mut complaints = Vec::new();
    for room in ROOMS {
        let arrows = arrows(room, &sources);
        assert!(arrows.len() > 3, "{room} is somewhere else");
        for circle in circles(&arrows) {
            complaints.push(format!("{room}: {} files know each other in a circle:", circle.len()));
            for from in &circle {
                let to: Vec<String> = arrows[from].intersection(&circle).map(|to| to[1..].join("::")).collect();
                complaints.push(format!("    {} names {}", from[1..].join("::"), to.join(", ")));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn a_circle_is_found() {
    let source = |path: &str, text: &str| Source { room: "room".into(), path: path.into(), text: text.into() };
    let sources = [
        source("room/mod.rs", "use crate::room::a::A; mod a;"),
        source("room/a.rs", "use super::{Room, b::B};\n// use super::c;\nmod tests { use super::c; }"),
        source("room/b.rs", "fn f() { crate::room::sub::c::call() }\n\nmod tests {\n use super::super::d::D;\n}"),
        source("room/sub/c.rs", "use std::fmt;\npub use super::super::a::{self, A as Other};"),
        source("room/d.rs", "use crate::room::{a, b, sub::c::{self, X}};"),
        source("room/tests/e.rs", "use super::super::d; use crate::other::a;"),
    ];
    let arrows = arrows("room", &sources);
    assert_eq!(arrows.values().map(BTreeSet::len).collect::<Vec<_>>(), [1, 1, 3, 1]);
    let found = circles(&arrows);
    assert_eq!(found.len(), 1);
    let names: Vec<String> = found.first().unwrap().iter().map(|module| module.join("::")).collect();
    assert_eq!(names, ["room::a", "room::b", "room::sub::c"]);
}
