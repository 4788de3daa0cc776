//! What a shell is told while a line is written: verbs and flags, and names that the catalog has.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::Command;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::CompleteEnv;

use crate::config::{Given, Origin, Setting, Settings};
use crate::engine::{Engine, Options};
use crate::error::{Error, Kind, Result};
use crate::registry;

/// The variable by which a shell's script says that it wants completions.
pub(super) const VARIABLE: &str = "ROADSTEAD_COMPLETE";

/// If a shell's script asks, answers it and says so.
pub(super) fn answer_shell(words: &[OsString], command: fn() -> Command) -> Result<bool> {
    let here = std::env::current_dir().ok();
    let environment = CompleteEnv::with_factory(command).var(VARIABLE);
    environment
        .try_complete(words.iter().cloned(), here.as_deref())
        .map_err(|error| Error::new(Kind::Usage, error.to_string().trim().trim_start_matches("error: ").to_owned()))
}

/// Completes names in the catalog: repositories, and with a colon their tags.
pub(super) fn catalog_names() -> ArgValueCompleter {
    completer(|engine, prefix| {
        let mut names = engine.complete(prefix)?;
        // People write the short name of an official image.
        let aliases = engine.repositories()?.into_iter().filter_map(|row| row.alias);
        names.extend(aliases.filter(|alias| !alias.is_empty() && !prefix.is_empty()));
        Ok(names)
    })
}

/// Completes names of targets.
pub(super) fn target_names() -> ArgValueCompleter {
    completer(|engine, _| engine.target_names())
}

/// Completes names of rules.
pub(super) fn rule_names() -> ArgValueCompleter {
    completer(|engine, _| {
        let in_force = engine.rules()?;
        Ok(in_force.rules.rules.iter().map(|rule| rule.name.to_string()).collect())
    })
}

/// Completes roots that were published.
pub(super) fn published_roots() -> ArgValueCompleter {
    completer(|engine, _| engine.published_roots())
}

/// Completes whatever stands for a root.
pub(super) fn roots_and_targets() -> ArgValueCompleter {
    completer(|engine, _| {
        let mut names = engine.published_roots()?;
        names.extend(engine.target_names()?);
        names.push("now".to_owned());
        Ok(names)
    })
}

/// Completes what a catalog has that begins with what is written.
fn completer(find: fn(&Engine, &str) -> Result<Vec<String>>) -> ArgValueCompleter {
    ArgValueCompleter::new(move |current: &OsStr| -> Vec<CompletionCandidate> {
        let Some(prefix) = current.to_str() else { return Vec::new() };
        let words: Vec<OsString> = std::env::args_os().collect();
        // Whatever fails here must not disturb the line that is being written.
        let names = names(prefix, &words, find).unwrap_or_default();
        names.into_iter().map(CompletionCandidate::new).collect()
    })
}

fn names(prefix: &str, words: &[OsString], find: fn(&Engine, &str) -> Result<Vec<String>>) -> Result<Vec<String>> {
    let settings = Settings::load(&given(words, |name| std::env::var_os(name)))?;
    let engine = Engine::open_read_only(Options {
        data_dir: settings.data_dir()?.to_owned(),
        registries: registry::Options::new(registry::credentials::Environment::of_process()),
        wait: settings.patience(),
        profile: None,
    })?;
    let mut names = find(&engine, prefix)?;
    names.retain(|name| name.starts_with(prefix));
    names.sort();
    names.dedup();
    Ok(names)
}

/// What an unfinished line says of the configuration and the data directory.
fn given(words: &[OsString], variable: impl Fn(&str) -> Option<OsString>) -> Given {
    let find = |flag: &str, name: &str| {
        let glued = format!("{flag}=");
        let after = words.iter().zip(words.iter().skip(1));
        let flagged = after.filter(|(word, _)| *word == flag).map(|(_, value)| value.clone()).next();
        let flagged = flagged
            .or_else(|| words.iter().find_map(|word| Some(OsString::from(word.to_str()?.strip_prefix(&glued)?))));
        let value = flagged.or_else(|| variable(name)).filter(|value| !value.is_empty())?;
        Some(Setting::new(PathBuf::from(value), Origin::Flag))
    };
    Given {
        config: find("--config", "ROADSTEAD_CONFIG"),
        data_dir: find("--data-dir", "ROADSTEAD_DATA_DIR"),
        wait: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_line_names_the_data_directory() {
        let words = |text: &str| -> Vec<OsString> { text.split(' ').map(OsString::from).collect() };
        let directory = |text: &str| given(&words(text), |_| None).data_dir.map(|setting| setting.value);
        assert_eq!(directory("roadstead -- roadstead --data-dir /a show n"), Some("/a".into()));
        assert_eq!(directory("roadstead -- roadstead show --data-dir=/b n"), Some("/b".into()));
        assert_eq!(directory("roadstead -- roadstead show n"), None);
        let from_environment =
            given(&words("roadstead show n"), |name| (name == "ROADSTEAD_DATA_DIR").then(|| "/c".into()));
        assert_eq!(from_environment.data_dir.unwrap().value, PathBuf::from("/c"));
    }
}
