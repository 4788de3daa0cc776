//! The terminal interface: curate, watch, publish with one key.
//!
//! [`app::App`] is everything it knows; [`update`](app::App::update) changes it by one [`message::Msg`] and says what is to be
//! done outside as [`effect::Effect`]s; [`view::draw`] makes a picture of it. Neither does I/O. `run` owns the terminal and
//! the loop, `perform` runs questions, plans and jobs on the engine. What one can do is one table: [`command::TABLE`].
//!
//! To add
//! - a **command**: a variant in `command.rs` and a row in `command_table.rs`, an arm in `act.rs` or in the `command` function of a state;
//! - something to **know**: a variant in `question.rs`, an arm in `perform.rs::answer`, what takes the answer in `update.rs`;
//! - a **plan**: a variant in `work.rs`, arms in `perform.rs` (`plan`, `run`) and `describe.rs`;
//! - a **dialog**: a file in `dialog/` with `key(…) -> Choice`, an arm in `dialog_keys.rs` and in `view/dialogs.rs`;
//! - a **view**: a file in `state/` and one in `view/`, a `Tab`, its contexts in `app.rs`.

pub mod app;
pub mod columns;
pub mod command;
pub mod command_table;
pub mod comparing;
pub mod completing;
pub mod describe;
pub mod dialog;
pub mod effect;
pub mod glyphs;
pub mod key_list;
pub mod keymap;
pub mod list;
pub mod log_feed;
pub mod message;
pub mod notices;
pub mod preview;
pub mod problem;
pub mod question;
pub mod remembered;
pub mod rule_columns;
pub mod rule_text;
pub mod serving;
pub mod state;
pub mod text_field;
pub mod theme;
pub mod view;
pub mod work;

mod act;
mod actions;
mod adding;
mod answering;
mod cells;
mod dialog_keys;
mod dialog_mouse;
mod environment;
mod fault;
mod finding;
mod following;
mod following_jobs;
mod jumping;
mod looking;
mod memory;
mod owner;
mod perform;
mod planning;
mod publishing;
mod pulling;
mod rule_file;
mod rule_jobs;
mod ruling;
mod run;
mod telling;
mod terminal;
#[cfg(test)]
mod tests;
mod typed;
mod unfinished;
mod unfolding;
mod update;
mod watching;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::unbounded_channel;

use crate::engine::Engine;
use crate::engine::publish::Places;
use crate::engine::targets::Variables;
use crate::error::{Context as _, Error, Kind, Result};
use app::{App, Beginning, Look};
use completing::CommandLine;
use glyphs::Glyphs;
use keymap::Keymap;
use log_feed::Lines;
use message::Msg;
use notices::Notices;
use run::Inputs;
use serving::Server;
use theme::Theme;

/// What the command line and the environment say of the interface.
#[derive(Debug)]
pub struct Options {
    /// Colour may be used.
    pub colour: bool,
    /// Name of a theme, if one was chosen.
    pub theme: Option<String>,
    /// Why nothing may be changed, if it is so: half a sentence.
    pub read_only: Option<&'static str>,
    /// The mouse is on.
    pub mouse: bool,
    /// Only ASCII, or not; nobody said so: the locale decides.
    pub ascii: Option<bool>,
    /// Locale by `LC_ALL`, `LC_CTYPE` or `LANG`, the first that is set.
    pub locale: Option<String>,
    /// Value of `$TERM`, if it is set.
    pub term: Option<String>,
    /// Command of the pager, with its arguments.
    pub pager: OsString,
    /// This program as a command line on the same data directory: a verb goes behind it.
    pub program: Vec<OsString>,
    /// The verbs that it has.
    pub verbs: Vec<String>,
    /// Which key is what.
    pub keymap: Keymap,
    /// How the secrets of targets that are tried are read from the environment.
    pub variables: Variables,
    /// How the terminal tells that a job has ended.
    pub notices: Notices,
    /// What serves the registry on this machine.
    pub server: Option<Arc<dyn Server>>,
    /// What completes the words of the command line.
    pub command_line: Option<Arc<dyn CommandLine>>,
    /// Lines of the program's log, and the file they are in, if they are in one.
    pub log: Option<(Lines, Option<PathBuf>)>,
}

/// Opens the interface, and returns when it is left.
pub fn open(engine: Arc<Engine>, places: Arc<dyn Places>, options: Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context(|| "can't start the threads of the interface")?;
    let left = runtime.block_on(on_terminal(engine, places, options));
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    left
}

async fn on_terminal(engine: Arc<Engine>, places: Arc<dyn Places>, options: Options) -> Result<()> {
    let glyphs = match options.ascii {
        Some(true) => glyphs::ASCII,
        Some(false) => glyphs::UNICODE,
        None => Glyphs::for_terminal(options.locale.as_deref(), options.term.as_deref()),
    };
    let asked = options.theme.as_deref().unwrap_or("terminal");
    let name = theme::NAMES.iter().copied().find(|name| *name == asked).ok_or_else(|| {
        Error::new(Kind::Usage, format!("there is no theme `{}`", crate::text::printable_within(asked, 40)))
            .hint(format!("Choose {}.", theme::NAMES.join(", ")))
    })?;
    let theme = if options.colour { Theme::named(name).unwrap_or_else(Theme::terminal) } else { Theme::mono() };
    let (sender, messages) = unbounded_channel();
    // ^C and ^\ are keys here, but signals to all that runs on the terminal while a pager has it: they are the pager's then.
    let of_keys = [SignalKind::interrupt(), SignalKind::quit()];
    for kind in [SignalKind::terminate(), SignalKind::hangup()].into_iter().chain(of_keys) {
        let (mut signals, sender) = (signal(kind).context(|| "can't listen for signals")?, sender.clone());
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if of_keys.contains(&kind) && terminal::Screen::is_lent() {
                    continue;
                }
                let _ = sender.send(Msg::Terminate);
            }
        });
    }
    let (lines, log_file) = options.log.unzip();
    if let Some(mut lines) = lines {
        let sender = sender.clone();
        tokio::spawn(async move {
            while let Some(line) = lines.next().await {
                let _ = sender.send(Msg::Logged(line));
            }
        });
    }
    engine.keep_manifests();
    let words = || "can't take over the terminal";
    let size = crossterm::terminal::size().context(words)?;
    let mut app = App::new(Beginning {
        look: Look { theme, glyphs },
        theme: name,
        colour: options.colour,
        keymap: options.keymap,
        mouse: options.mouse,
        size,
        wall: jiff::Timestamp::now(),
        zone: jiff::tz::TimeZone::system(),
    });
    (app.log_file, app.can_serve) = (log_file.flatten(), options.server.is_some());
    (app.read_only, app.verbs) = (options.read_only, options.verbs);
    let memory = memory::Memory::of(engine.data_dir(), app.read_only.is_some());
    let remembered = memory.read();
    let peers = dialog::follow_fields::remembered_peers(remembered.follow());
    if let Err(error) = engine.swarm().begin_with(&peers) {
        tracing::warn!(%error, "the swarm is begun by the public DHT");
    }
    app.recall(remembered);
    let screen = terminal::Screen::enter(options.mouse).context(words)?;
    let mut owner = owner::Owner { screen, pager: options.pager, program: options.program, notices: options.notices };
    let inputs = Inputs { messages, sender };
    let extras = perform::Extras {
        variables: options.variables,
        server: options.server,
        command_line: options.command_line,
        memory,
    };
    run::run(app, &mut owner, inputs, engine, places, extras).await
}
