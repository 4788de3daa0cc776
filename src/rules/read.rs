//! A rule file as a person writes it (`mirror.toml`): TOML to rules, or everything that is wrong with it.

use std::collections::HashMap;

use toml_edit::{ArrayOfTables, Document, Item, Table, Value};

use super::defaults::Defaults;
use super::fault::{Faults, RuleFault, quoted};
use super::keys::Part;
use super::read_hook;
use super::read_rule::rule;
use super::rule::{RuleName, Rules};
use super::section::Section;
use super::subject::split;

/// Bytes of the largest rule file.
pub const MAX_RULE_FILE_BYTES: usize = 1 << 20;
/// Rules of one file.
pub const MAX_RULES: usize = 10_000;

/// Regular expressions of one file. Each may take a mebibyte of memory.
const MAX_EXPRESSIONS: usize = 500;

/// Bytes of all variants of all patterns of one file. Each takes some tens of bytes of memory.
const MAX_VARIANT_BYTES: usize = 2 << 20;
/// Variants of one pattern, and bytes, behind which it is refused by itself.
const REFUSED: (usize, usize) = (64, 1024);

/// The version of the format that this program reads and writes.
const VERSION: u32 = 1;

/// A rule file with its places.
pub(super) struct RuleFile<'t> {
    pub(super) document: Document<&'t str>,
    pub(super) rules: Rules,
    pub(super) defaults: Defaults,
}

/// Reads a rule file. The faults are in the order of the text, a hundred at most; of a text that is not TOML, the first.
pub fn read(text: &str) -> Result<Rules, Vec<RuleFault>> {
    read_file(text).map(|file| file.rules)
}

/// Like [`read`], and keeps what an edit needs.
pub(super) fn read_file(text: &str) -> Result<RuleFile<'_>, Vec<RuleFault>> {
    let mut faults = Faults::new(text);
    if text.len() > MAX_RULE_FILE_BYTES {
        faults.note(0, "the file is larger than 1 MiB");
        return Err(faults.or(()).err().unwrap_or_default());
    }
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let at = error.span().map_or(text.len(), |span| span.start);
            faults.note(at, format!("this is not TOML: {}", error.message()));
            return Err(faults.or(()).err().unwrap_or_default());
        }
    };
    let file = Section::new(document.as_table(), Part::File, 0, &mut faults);
    version(&file, &mut faults);
    let defaults = defaults(&file, &mut faults);
    let mut rules = Rules { gate: read_hook::gate(&file, &mut faults), leave: defaults.leave, ..Rules::default() };
    if let Some(tables) = sections(&file, "rule", &mut faults) {
        let mut names: HashMap<RuleName, usize> = HashMap::new();
        let mut total = Weight::default();
        for (number, table) in tables.iter().enumerate() {
            let at = table.span().map_or(0, |span| span.start);
            if faults.is_full() {
                break;
            }
            if number == MAX_RULES {
                faults.note(at, format!("a file has {MAX_RULES} rules at most"));
                break;
            }
            total.add(table);
            if let Some(message) = total.refusal() {
                faults.note(at, message);
                break;
            }
            let section = Section::new(table, Part::Rule, at, &mut faults);
            let Some(rule) = rule(&section, &defaults, &mut faults) else { continue };
            match names.get(&rule.name) {
                Some(before) => {
                    let line = faults.line(*before);
                    let name = quoted(rule.name.as_str());
                    let message = format!("the rule in line {line} is called {name}, too. Give one of them a `name`.");
                    faults.note(section.value_at("name"), message);
                }
                None => drop(names.insert(rule.name.clone(), at)),
            }
            rules.rules.push(rule);
        }
    }
    if let Some(tables) = sections(&file, "hook", &mut faults) {
        for table in tables {
            let at = table.span().map_or(0, |span| span.start);
            let section = Section::new(table, Part::Hook, at, &mut faults);
            rules.hooks.extend(read_hook::hook(&section, &mut faults));
        }
    }
    faults.or(())?;
    Ok(RuleFile { document, rules, defaults })
}

/// How much memory patterns may take, before any is compiled.
#[derive(Default)]
struct Weight {
    expressions: usize,
    variant_bytes: usize,
}

impl Weight {
    fn add(&mut self, rule: &Table) {
        let lists = ["tags", "except"].into_iter().filter_map(|key| rule.get(key)?.as_array());
        let image = rule.get("image").and_then(Item::as_str);
        let of_image = image.and_then(|image| split(image).1.map(|at| &image[at..]));
        for pattern in lists.flatten().filter_map(Value::as_str).chain(of_image) {
            if pattern.starts_with('/') {
                self.expressions += 1;
            } else {
                self.variant_bytes += pattern.len().min(REFUSED.1) * most_variants(pattern);
            }
        }
    }

    fn refusal(&self) -> Option<String> {
        if self.expressions > MAX_EXPRESSIONS {
            return Some(format!("a file has {MAX_EXPRESSIONS} regular expressions at most"));
        }
        let message = "the patterns of the file have too many variants. Take some of the rules to another file.";
        (self.variant_bytes > MAX_VARIANT_BYTES).then(|| message.to_owned())
    }
}

/// More variants than this a pattern has not.
fn most_variants(pattern: &str) -> usize {
    let (mut most, mut open) = (1_usize, Vec::new());
    for byte in pattern.bytes() {
        match byte {
            b'{' => open.push(1),
            b',' => open.last_mut().into_iter().for_each(|choices| *choices += 1),
            b'}' => most = (most * open.pop().unwrap_or(1)).min(REFUSED.0),
            _ => {}
        }
    }
    most
}

fn version(file: &Section<'_>, faults: &mut Faults<'_>) {
    if let Some(version) = file.number("version", 0, faults)
        && version != VERSION
    {
        let message = format!("this program reads version {VERSION} of rule files, and this is version {version}");
        faults.note(file.value_at("version"), message);
    }
}

fn defaults(file: &Section<'_>, faults: &mut Faults<'_>) -> Defaults {
    let usual = Defaults::default();
    let Some(item) = file.item("defaults") else { return usual };
    let at = file.value_at("defaults");
    if let Some(table) = item.as_table_like() {
        let section = Section::new(table, Part::Defaults, at, faults);
        return usual.overridden(&section, faults);
    }
    let message = if item.is_array_of_tables() {
        "there is one section of defaults. Write `[defaults]` with one pair of brackets."
    } else {
        "`defaults` is a section. Write `[defaults]`, and below it what it says."
    };
    faults.note(at, message);
    usual
}

/// The sections of this name, each of which begins with two pairs of brackets.
fn sections<'d>(file: &Section<'d>, key: &str, faults: &mut Faults<'_>) -> Option<&'d ArrayOfTables> {
    match file.item(key)? {
        Item::ArrayOfTables(tables) => Some(tables),
        _ => {
            let at = file.key_at(key);
            faults
                .note(at, format!("each {key} is a section of its own. Write `[[{key}]]` with two pairs of brackets."));
            None
        }
    }
}
