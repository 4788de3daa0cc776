//! A `[[hook]]`, and the gate: who is told and who is asked.

use url::Url;

use super::event::EventKind;
use super::fault::Faults;
use super::keys::no_such;
use super::rule::{Hook, HookAction};
use super::section::Section;

/// The ways in which a hook can be told.
const ACTIONS: [&str; 3] = ["run", "post", "ping"];

/// The hook, if it says how it is told.
pub(super) fn hook(section: &Section<'_>, faults: &mut Faults<'_>) -> Option<Hook> {
    let on = events(section, faults);
    let mut actions = ACTIONS.into_iter().filter(|key| section.has(key));
    let (first, second) = (actions.next(), actions.next());
    if let Some(second) = second {
        faults.note(section.key_at(second), "a hook has one of `run`, `post` and `ping`. Make a hook of each.");
    }
    if section.has("secret_file") && !section.has("post") {
        faults.note(section.key_at("secret_file"), "`secret_file` signs what is posted, and this hook has no `post`");
    }
    let action = match first {
        Some("run") => HookAction::Run(words(section, "run", faults)?),
        Some("post") => {
            let secret_file = section.parsed("secret_file", faults, file);
            HookAction::Post { url: address(section, "post", faults)?, secret_file }
        }
        Some(_) => HookAction::Ping(address(section, "ping", faults)?),
        None => {
            faults.note(section.at, "the hook tells nobody: it has none of `run`, `post` and `ping`");
            return None;
        }
    };
    Some(Hook { on, action })
}

/// The program that is asked about each image; no words if there is none.
pub(super) fn gate(file: &Section<'_>, faults: &mut Faults<'_>) -> Vec<String> {
    words(file, "gate", faults).unwrap_or_default()
}

fn events(section: &Section<'_>, faults: &mut Faults<'_>) -> Vec<String> {
    let texts = section.strings("on", "new", faults).unwrap_or_default();
    let known = EventKind::ALL.map(EventKind::name);
    for text in texts.iter().filter(|text| !known.contains(&text.text)) {
        if faults.is_full() {
            break;
        }
        faults.note(text.at(), no_such("event", text.text, &known));
    }
    texts.into_iter().map(|text| text.text.to_owned()).collect()
}

/// A program and its arguments.
fn words(section: &Section<'_>, key: &str, faults: &mut Faults<'_>) -> Option<Vec<String>> {
    let texts = section.strings(key, "./tell.sh", faults)?;
    if let Some(text) = texts.iter().find(|text| text.text.contains('\0')) {
        faults.note(text.at(), "no argument of a program can have a NUL character");
    }
    if let Some(program) = texts.first().filter(|program| program.text.is_empty()) {
        faults.note(program.at(), format!("the first word of `{key}` is a program, and this is empty"));
    }
    Some(texts.into_iter().map(|text| text.text.to_owned()).collect())
}

/// An address. What is said of it does not show it, since it may have a token in it.
fn address(section: &Section<'_>, key: &str, faults: &mut Faults<'_>) -> Option<String> {
    let text = section.string(key, faults)?;
    match Url::parse(text.text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Some(text.text.to_owned()),
        _ => {
            faults.note(text.at(), format!("`{key}` is an address that begins with `https://` or `http://`"));
            None
        }
    }
}

fn file(text: &str) -> Result<String, &'static str> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("it is no path to a file");
    }
    Ok(text.to_owned())
}
