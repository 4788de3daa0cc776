//! Rules as a rule file that says the same.

use std::fmt::Write as _;

use super::defaults::{Defaults, MOVES};
use super::duration::Period;
use super::keys::RULE_KEYS;
use super::rule::{Hook, HookAction, Kept, Rule, Rules, Subject};
use super::subject::{derived_name, familiar, usual_tags};
use crate::image::Selection;
use crate::image::tags::TagRule;

/// Characters of the longest list in one line.
const MAX_LINE_CHARACTERS: usize = 100;

/// A rule file that says these rules: [`read`](super::read) makes the same of it.
pub fn write(rules: &Rules) -> String {
    let mut text = "version = 1\n".to_owned();
    if !rules.gate.is_empty() {
        push_line(&mut text, "gate", &list(&rules.gate));
    }
    let defaults = Defaults { leave: rules.leave, ..Defaults::default() };
    if let Some(leave) = of_defaults(&defaults, "leave").filter(|_| defaults != Defaults::default()) {
        text.push_str("\n[defaults]\n");
        push_line(&mut text, "leave", &leave);
    }
    for rule in &rules.rules {
        text.push('\n');
        text.push_str(&rule_section(rule, &defaults));
    }
    for hook in &rules.hooks {
        text.push('\n');
        text.push_str(&hook_section(hook));
    }
    text
}

/// A rule as its `[[rule]]`, with what differs from what this program says by itself.
pub fn write_rule(rule: &Rule) -> String {
    rule_section(rule, &Defaults::default())
}

/// A rule as its `[[rule]]`, in a file with these defaults.
pub(super) fn rule_section(rule: &Rule, defaults: &Defaults) -> String {
    let mut text = "[[rule]]\n".to_owned();
    for key in RULE_KEYS {
        let value = value_of(rule, key);
        if let Some(value) = value.filter(|value| Some(value) != default_of(rule, defaults, key).as_ref()) {
            push_line(&mut text, key, &value);
        }
    }
    text
}

/// What a rule says by a key, as TOML; none where the key would be wrong.
pub(super) fn value_of(rule: &Rule, key: &str) -> Option<String> {
    match key {
        "name" => return Some(string(rule.name.as_str())),
        "as" => return rule.published_as.as_ref().map(|name| string(name.as_str())),
        _ => {}
    }
    match &rule.subject {
        Subject::Repository { upstream, .. } if key == "image" => Some(string(&familiar(upstream))),
        Subject::Repository { tags, .. } if is_of_tags(key) => of_tags(tags, key),
        Subject::Sources(sources) if key == "sources" => Some(list(sources)),
        _ => of_defaults(&Defaults::of(rule), key),
    }
}

/// What a rule says that has not this key; none where it says nothing then.
pub(super) fn default_of(rule: &Rule, defaults: &Defaults, key: &str) -> Option<String> {
    match key {
        "name" => derived_name(&rule.subject).map(|name| string(name.as_str())),
        "tags" => Some(list(usual_tags())),
        _ => of_defaults(defaults, key),
    }
}

fn is_of_tags(key: &str) -> bool {
    matches!(key, "tags" | "newest" | "per" | "lines" | "at_least" | "below" | "except")
}

fn of_tags(tags: &TagRule, key: &str) -> Option<String> {
    match key {
        "tags" => Some(list(&tags.tags)),
        "newest" => tags.newest.as_ref().map(ToString::to_string),
        "per" => tags.per.as_ref().map(ToString::to_string),
        "lines" => tags.lines.as_ref().map(ToString::to_string),
        "at_least" => tags.at_least.as_ref().map(|bound| string(&bound.to_string())),
        "below" => tags.below.as_ref().map(|bound| string(&bound.to_string())),
        _ => (!tags.except.is_empty()).then(|| list(&tags.except)),
    }
}

fn of_defaults(defaults: &Defaults, key: &str) -> Option<String> {
    let value = match key {
        "age" => period(defaults.age),
        "moves" => MOVES.iter().find(|(_, moves)| *moves == defaults.moves).map(|(word, _)| string(word))?,
        "former" => period(defaults.former),
        "former_tag" => string(defaults.former_tag.as_deref().unwrap_or_default()),
        "leave" => kept(defaults.leave),
        "gone" => kept(defaults.gone),
        "max_new" => defaults.max_new.to_string(),
        "reserve" => defaults.reserve.to_string(),
        "platforms" => match &defaults.platforms {
            None => "[]".to_owned(),
            Some(Selection::All) => string("all"),
            Some(Selection::Only(platforms)) => list(platforms),
        },
        "every" => period(defaults.every),
        _ => return None,
    };
    Some(value)
}

fn period(period: Option<Period>) -> String {
    string(&period.map_or_else(|| "0s".to_owned(), |period| period.to_string()))
}

fn kept(kept: Kept) -> String {
    match kept {
        Kept::Always => string("never"),
        Kept::For(period) => string(&period.to_string()),
    }
}

fn hook_section(hook: &Hook) -> String {
    let mut text = "[[hook]]\n".to_owned();
    if !hook.on.is_empty() {
        push_line(&mut text, "on", &list(&hook.on));
    }
    match &hook.action {
        HookAction::Run(words) => push_line(&mut text, "run", &list(words)),
        HookAction::Post { url, secret_file } => {
            push_line(&mut text, "post", &string(url));
            if let Some(path) = secret_file {
                push_line(&mut text, "secret_file", &string(path));
            }
        }
        HookAction::Ping(url) => push_line(&mut text, "ping", &string(url)),
    }
    text
}

pub(super) fn push_line(text: &mut String, key: &str, value: &str) {
    for part in [key, " = ", value, "\n"] {
        text.push_str(part);
    }
}

/// A string in one line, without escapes where that is possible.
pub(super) fn string(text: &str) -> String {
    let is_escaped = |character: char| matches!(character, '"' | '\\') || character.is_control();
    if text.contains(is_escaped) && !text.contains(|character: char| character == '\'' || character.is_control()) {
        return format!("'{text}'");
    }
    let mut written = "\"".to_owned();
    for character in text.chars() {
        match character {
            '"' | '\\' => written.extend(['\\', character]),
            control if control.is_control() => {
                // Writing to a String can't fail.
                let _ = write!(written, "\\u{:04x}", u32::from(control));
            }
            other => written.push(other),
        }
    }
    written.push('"');
    written
}

/// A list of strings: in one line, or one a line if it were too long.
fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| string(&item.to_string())).collect();
    let line = format!("[{}]", items.join(", "));
    if items.len() > 1 && line.chars().count() > MAX_LINE_CHARACTERS {
        return format!("[\n    {},\n]", items.join(",\n    "));
    }
    line
}
