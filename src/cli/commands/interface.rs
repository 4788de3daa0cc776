//! No verb: the terminal interface.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tracing_subscriber::Layer as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::cli::background::Background;
use crate::cli::context::{Context, by_hand, ours};
use crate::cli::exit::Exit;
use crate::cli::output::Colour;
use crate::config::{InterfaceSettings, Settings, misplaced};
use crate::engine::Engine;
use crate::engine::targets::{Adapters, Peers, Variables};
use crate::error::{Context as _, Error, Kind, Result};
use crate::naming::TxtSet;
use crate::tui::keymap::Keymap;
use crate::tui::log_feed::{Lines, feed};
use crate::tui::notices::Notices;
use crate::tui::serving::Server;
use crate::tui::{self, theme};

/// The file of the log in the data directory.
const LOG_FILE: &str = "roadstead.log";
/// What it was before it was too large.
const OLD_LOG_FILE: &str = "roadstead.log.1";
/// What to type where there can be no interface.
const WITHOUT: &str =
    "Type a verb: `roadstead list` lists what is mirrored, `roadstead add nginx:alpine` mirrors an image.";
const VERBS: &str = "`roadstead --help` lists all verbs.";
/// A log that is larger begins anew.
const MAX_LOG_BYTES: u64 = 5 << 20;

/// Opens the interface on the catalog, which is made if it is not there.
pub(in crate::cli) fn run(context: &Context, command: &clap::Command) -> Result<Exit> {
    if context.global.read_only {
        return on(context, command, || context.open_to_read());
    }
    // Where nothing can be written, there is still much to look at.
    on(context, command, || context.open_patiently().or_else(|error| context.open_to_read().map_err(|_| error)))
}

/// Opens the interface on what is opened here, once it is clear that there is a terminal for it.
pub(in crate::cli) fn on(
    context: &Context,
    command: &clap::Command,
    engine: impl FnOnce() -> Result<Arc<Engine>>,
) -> Result<Exit> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Error::new(Kind::Usage, "the interface needs a terminal").hint(WITHOUT).hint(VERBS));
    }
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if variable("TERM").as_deref() == Some("dumb") {
        return Err(Error::new(Kind::Usage, "the terminal can't place its cursor: TERM is `dumb`")
            .hint(WITHOUT)
            .hint(VERBS));
    }
    let colour = match context.global.color {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => variable("NO_COLOR").is_none(),
    };
    let settings = &context.settings.interface;
    let config = context.settings.config.as_ref().map(|config| config.value.as_path());
    let keymap = understood(settings, config)?;
    let engine = engine()?;
    let read_only = if context.global.read_only {
        Some("it was started with `--read-only`")
    } else {
        engine.is_read_only().then_some("its data directory isn't writable")
    };
    let for_terminal = || Notices::for_terminal(variable("TERM").as_deref(), variable("TERM_PROGRAM").as_deref());
    let notices = settings.notify.as_deref().and_then(Notices::named).unwrap_or_else(for_terminal);
    let background = Arc::new(Background { engine: Arc::clone(&engine), command: command.clone() });
    let options = tui::Options {
        read_only,
        colour,
        theme: settings.theme.clone(),
        mouse: settings.mouse.unwrap_or(true),
        notices,
        ascii: settings.ascii,
        locale: ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable),
        term: variable("TERM"),
        pager: std::env::var_os("PAGER").filter(|pager| !pager.is_empty()).unwrap_or_else(|| "less".into()),
        program: program(context, &engine)?,
        verbs: verbs(command),
        keymap,
        variables: Variables::of_process(),
        server: Some(Arc::clone(&background) as Arc<dyn Server>),
        command_line: Some(background),
        log: Some(start_log(context, engine.data_dir(), read_only.is_none())),
    };
    // The screen is the interface's: what a person has to do at a zone is said in its log.
    let prompt = |name: &str, wanted: &TxtSet| tracing::warn!("{}", by_hand(name, wanted));
    let adapters = Adapters::new(Arc::clone(&engine), prompt);
    tui::open(engine, Arc::new(Peers::new(Variables::of_process(), adapters)), options)?;
    Ok(Exit::Done)
}

/// Every word that a command line may begin with.
fn verbs(command: &clap::Command) -> Vec<String> {
    let words =
        command.get_subcommands().flat_map(|verb| std::iter::once(verb.get_name()).chain(verb.get_all_aliases()));
    words.map(str::to_owned).collect()
}

/// This program as a command line on the same catalog: verbs that the interface has no way of its own for are carried out by it.
fn program(context: &Context, engine: &Engine) -> Result<Vec<OsString>> {
    let mut words = vec![std::env::current_exe().context(|| "can't find this program's own file")?.into_os_string()];
    words.extend(["--data-dir".into(), engine.data_dir().as_os_str().to_owned()]);
    words.extend(configuration(&context.settings));
    words.extend(context.global.read_only.then(|| "--read-only".into()));
    Ok(words)
}

/// The flag for the configuration file that was read. Where there is none, naming one would be an error.
fn configuration(settings: &Settings) -> Vec<OsString> {
    let config = settings.config.as_ref().filter(|_| settings.config_exists);
    config.map(|config| vec!["--config".into(), config.value.as_os_str().to_owned()]).unwrap_or_default()
}

/// The keys that the configuration says; what makes no sense in it is told with its place.
fn understood(settings: &InterfaceSettings, config: Option<&Path>) -> Result<Keymap> {
    let placed = |section: &str, key: &str, error: Error| match config {
        Some(config) => misplaced(config, section, key, &error),
        None => error,
    };
    if let Some(name) = settings.theme.as_deref().filter(|name| !theme::NAMES.contains(name)) {
        let error = Error::new(Kind::Usage, format!("there is no theme `{}`", crate::text::printable_within(name, 40)))
            .hint(format!("Choose {}.", theme::NAMES.join(", ")));
        return Err(placed("interface", "theme", error));
    }
    if let Some(name) = settings.notify.as_deref().filter(|name| Notices::named(name).is_none()) {
        let error =
            Error::new(Kind::Usage, format!("there is no notice `{}`", crate::text::printable_within(name, 40)))
                .hint(format!("Choose {}.", Notices::NAMES.join(", ")));
        return Err(placed("interface", "notify", error));
    }
    Keymap::with(&settings.keys).map_err(|(id, error)| placed("interface.keys", &id, error))
}

/// Starts the log in the data directory and in the view; nothing is written to the screen. Where it can't be written, the
/// interface goes on without the file, as it does where nothing is to be written.
fn start_log(context: &Context, data_dir: &Path, written: bool) -> (Lines, Option<PathBuf>) {
    let path = data_dir.join(LOG_FILE);
    let (feed, lines) = feed();
    let registry = tracing_subscriber::registry().with(context.log_filter()).with(feed.with_filter(ours()));
    if !written {
        let _ = registry.try_init();
        return (lines, None);
    }
    match open_log(&path) {
        Ok(file) => {
            let to_file = tracing_subscriber::fmt::layer()
                .with_writer(Mutex::new(file))
                .with_ansi(false)
                .with_target(false)
                .with_filter(ours());
            let _ = registry.with(to_file).try_init();
        }
        Err(error) => {
            let _ = registry.try_init();
            tracing::warn!("can't write the log {}: {error}", path.display());
        }
    }
    (lines, Some(path))
}

fn open_log(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    if fs::metadata(path).is_ok_and(|about| about.len() > MAX_LOG_BYTES) {
        fs::rename(path, path.with_file_name(OLD_LOG_FILE))?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_too_large_begins_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(LOG_FILE);
        open_log(&path).unwrap().set_len(MAX_LOG_BYTES + 1).unwrap();
        assert_eq!(open_log(&path).unwrap().metadata().unwrap().len(), 0);
        assert_eq!(fs::metadata(directory.path().join(OLD_LOG_FILE)).unwrap().len(), MAX_LOG_BYTES + 1);
    }

    #[test]
    fn only_a_configuration_file_that_is_there_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        let config = Some(crate::config::Setting::new(path.clone(), crate::config::Origin::Default));
        let without = Settings::without_file(&crate::config::Given::default());
        let settings = |exists| Settings { config: config.clone(), config_exists: exists, ..without.clone() };
        assert_eq!(configuration(&settings(false)), [""; 0]);
        assert_eq!(configuration(&settings(true)), ["--config".as_ref(), path.as_os_str()]);
    }

    #[test]
    fn mistakes_in_the_configuration_are_told_with_their_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        fs::write(&path, "[interface.keys]\nadd = ['d']\n").unwrap();
        let keys = std::collections::BTreeMap::from([("add".to_owned(), vec!["d".to_owned()])]);
        let settings = InterfaceSettings { keys, ..InterfaceSettings::default() };
        let error = understood(&settings, Some(&path)).unwrap_err().to_string();
        assert!(
            error.ends_with(
                "config.toml, line 2, `interface.keys.add`: the key `d` of `add` is already used by \
                `remove`"
            ),
            "{error}"
        );
        let settings = InterfaceSettings { theme: Some("pink".into()), ..InterfaceSettings::default() };
        assert!(understood(&settings, Some(&path)).unwrap_err().to_string().contains("`interface.theme`"));
        let settings = InterfaceSettings { notify: Some("popup".into()), ..InterfaceSettings::default() };
        let error = understood(&settings, Some(&path)).unwrap_err();
        assert!(error.to_string().contains("`interface.notify`") && error.hints()[0].contains("osc777"), "{error}");
    }
}
