//! What a shell is told while a line is written: verbs and flags, names that the catalog has, and tags that a registry has where
//! they are asked for twice.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Command;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::CompleteEnv;

use crate::config::{Given, Origin, Setting, Settings};
use crate::engine::{Engine, Options};
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::Reference;
use crate::registry;
use crate::tui::completing::Suggestion;

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

/// By what a shell says how often it asked: the type of completion, as bash has it in `COMP_TYPE`.
const TIMES_ASKED: &str = "_CLAP_COMPLETE_COMP_TYPE";
/// That of a second TAB in a row.
const ASKED_TWICE: &str = "63";
/// A registry that is slower completes nothing.
const REGISTRY_TIMEOUT: Duration = Duration::from_secs(2);

/// Completes references of what is mirrored, and behind a colon its tags. Asked twice, the registry says which tags there are.
pub(super) fn references() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| -> Vec<CompletionCandidate> {
        let Some(text) = current.to_str() else { return Vec::new() };
        let words: Vec<OsString> = std::env::args_os().collect();
        let asked = std::env::var(TIMES_ASKED).ok();
        let found = referred(text, &words, asked.as_deref()).unwrap_or_default();
        found.into_iter().map(CompletionCandidate::new).collect()
    })
}

fn referred(text: &str, words: &[OsString], asked: Option<&str>) -> Result<Vec<String>> {
    // In the interface it is asked at every key, so no registry is.
    if let Some(engine) = opened() {
        return engine.complete_reference(text);
    }
    let directory;
    let engine = match open(words, Engine::open_read_only) {
        Ok(engine) => engine,
        // Before the first image there is no catalog, and registries have tags all the same.
        Err(_) => {
            directory = tempfile::tempdir().context(|| "can't make a temporary directory")?;
            let place = directory.path().to_owned();
            open(words, |options| Engine::open(Options { data_dir: place, ..options }))?
        }
    };
    let Some(name) = before_tag(text) else { return engine.complete_reference(text) };
    let reference: Reference = name.parse()?;
    let mut tags = engine.mirrored_tags(&reference)?;
    if is_registry_asked(asked, !tags.is_empty()) {
        tags.extend(registry_tags(&engine, &reference).unwrap_or_default());
    }
    // It may be the colon of a port yet.
    let mut found = engine.complete_reference(text)?;
    found.extend(tags.into_iter().map(|tag| format!("{name}:{tag}")).filter(|whole| whole.starts_with(text)));
    found.sort();
    found.dedup();
    Ok(found)
}

/// What is before the colon of a tag; none where no tag is begun. That of a port is no such colon.
fn before_tag(text: &str) -> Option<&str> {
    let (name, tag) = text.rsplit_once(':')?;
    let is_plain =
        !name.is_empty() && !tag.contains('/') && !name.contains('@') && name != "oci" && name != "oci-archive";
    is_plain.then_some(name)
}

/// Whether the registry is asked. Where a shell does not say how often it asked, that is where nothing is known here.
fn is_registry_asked(asked: Option<&str>, known: bool) -> bool {
    asked.map_or(!known, |asked| asked == ASKED_TWICE)
}

/// The tags that a registry tells everyone, within a short time. It is asked without credentials: finding them could ask for a
/// password.
fn registry_tags(engine: &Arc<Engine>, reference: &Reference) -> Option<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().ok()?;
    let asked = async { tokio::time::timeout(REGISTRY_TIMEOUT, engine.upstream_tags(reference, None)).await };
    let tags = runtime.block_on(asked).ok()?.ok();
    runtime.shutdown_background();
    tags
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

/// Completes what can be compared: images, and whatever stands for a root.
pub(super) fn what_differs() -> ArgValueCompleter {
    completer(|engine, prefix| {
        let mut names = engine.complete(prefix)?;
        names.extend(engine.published_roots()?);
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

thread_local! {
    /// The catalog of an interface in which a line is written: it is open already.
    static OPENED: RefCell<Option<Arc<Engine>>> = const { RefCell::new(None) };
}

/// The catalog of the interface that asks, if one does: at every key, so nobody else may be asked for it.
fn opened() -> Option<Arc<Engine>> {
    OPENED.with_borrow(Clone::clone)
}

/// What the last of these words can become, by the tree of verbs and by what this catalog has.
pub(super) fn complete(engine: &Arc<Engine>, command: &Command, words: &[String]) -> Vec<Suggestion> {
    let last = words.last().map(String::as_str).unwrap_or_default();
    let line =
        std::iter::once(command.get_name()).chain(words.iter().map(String::as_str)).map(OsString::from).collect();
    let here = std::env::current_dir().ok();
    OPENED.set(Some(Arc::clone(engine)));
    let found = clap_complete::engine::complete(&mut command.clone(), line, words.len(), here.as_deref());
    OPENED.set(None);
    let mut found: Vec<Suggestion> = found
        .unwrap_or_default()
        .into_iter()
        .filter(|candidate| !candidate.is_hide_set())
        .filter_map(|candidate| {
            let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
            let help = help.lines().next().unwrap_or_default().trim_end_matches('.').to_owned();
            Some(Suggestion { word: candidate.get_value().to_str()?.to_owned(), help })
        })
        .collect();
    // Flags can stand everywhere, so they are told where one begins, or where nothing else can stand.
    if !last.starts_with('-') && found.iter().any(|suggestion| !suggestion.word.starts_with('-')) {
        found.retain(|suggestion| !suggestion.word.starts_with('-'));
    }
    found
}

fn names(prefix: &str, words: &[OsString], find: fn(&Engine, &str) -> Result<Vec<String>>) -> Result<Vec<String>> {
    let engine = match opened() {
        Some(engine) => engine,
        None => open(words, Engine::open_read_only)?,
    };
    let mut names = find(&engine, prefix)?;
    names.retain(|name| name.starts_with(prefix));
    names.sort();
    names.dedup();
    Ok(names)
}

/// Opens the catalog that an unfinished line is about. No credentials are looked for.
fn open(words: &[OsString], how: impl FnOnce(Options) -> Result<Arc<Engine>>) -> Result<Arc<Engine>> {
    let settings = Settings::load(&given(words, |name| std::env::var_os(name)))?;
    let mut registries = registry::Options::new(registry::credentials::Environment::default());
    registries.registries.clone_from(&settings.registries);
    how(Options {
        data_dir: settings.data_dir()?.to_owned(),
        registries,
        wait: settings.patience(),
        local_discovery: false,
        profile: None,
    })
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
    fn a_line_goes_on_with_verbs_flags_values_and_names_of_the_catalog_that_is_open() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::open(Options {
            data_dir: directory.path().to_owned(),
            registries: registry::Options::new(registry::credentials::Environment::default()),
            wait: std::time::Duration::from_secs(5),
            local_discovery: false,
            profile: None,
        });
        let engine = engine.unwrap();
        let of = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let found = complete(&engine, &crate::cli::arguments::command(), &words);
            found.into_iter().map(|suggestion| (suggestion.word, suggestion.help)).collect::<Vec<_>>()
        };
        let words = |line: &str| of(line).into_iter().map(|(word, _)| word).collect::<Vec<_>>();
        assert_eq!(
            of("dif"),
            [("diff".to_owned(), "Show what differs between two images, or between two roots".to_owned())]
        );
        assert_eq!(words("publish --dry"), ["--dry-run"]);
        assert_eq!(words("target ke"), ["key"]);
        assert_eq!(words("diff no"), ["now"], "of this catalog, which has no target");
        assert!(words("show ").iter().all(|word| word.starts_with('-')), "there is no image");
        assert_eq!(words("nonsense x"), [""; 0]);
    }

    #[test]
    fn only_a_tag_has_a_colon_before_it() {
        for (text, name) in [
            ("nginx:", Some("nginx")),
            ("nginx:1.2", Some("nginx")),
            ("localhost:5000/app:v", Some("localhost:5000/app")),
            ("localhost:5000/app", None),
            ("localhost:50", Some("localhost")),
            ("nginx", None),
            ("nginx@sha256:ab", None),
            ("oci:dir", None),
            (":", None),
        ] {
            assert_eq!(before_tag(text), name, "{text}");
        }
    }

    #[test]
    fn a_registry_is_asked_at_the_second_time_or_where_nothing_else_is_known() {
        let asked = |times, known| is_registry_asked(times, known);
        assert_eq!([asked(Some("9"), true), asked(Some("9"), false), asked(Some("63"), true)], [false, false, true]);
        assert_eq!([asked(None, true), asked(None, false)], [false, true]);
    }

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
