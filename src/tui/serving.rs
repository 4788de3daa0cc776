//! Serving the registry on this machine while the interface is open. What serves is given from outside.

use std::fmt;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::app::App;
use super::command::Command;
use super::dialog::Dialog;
use super::dialog::flag_form::{FlagForm, Subject, Values};
use super::effect::Effect;
use super::problem::Problem;
use super::remembered::Memorable;
use super::state::log::Level;
use crate::error::Result;

/// Where it is served unless something listens there: the port of `serve`.
pub const DEFAULT_PORT: u16 = 5050;

/// A server of the registry, which the command line hands over.
pub trait Server: fmt::Debug + Send + Sync {
    /// Serves on this runtime until `stop` is cancelled, as these words behind `serve` say; `started` is told the URL once connections
    /// are accepted.
    fn serve(
        &self,
        words: &[String],
        runtime: &Handle,
        stop: CancellationToken,
        started: Box<dyn FnOnce(String) + Send>,
    ) -> Result<()>;
}

/// Whether the registry is served.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Serving {
    /// The registry is not served.
    #[default]
    Off,
    /// The server was asked to start.
    Starting,
    /// The registry is served under this URL.
    At(String),
    /// Answers under way are finished.
    Stopping,
}

/// The flag that says where it is served.
const LISTEN: &str = "--listen";
/// The flag by which it is given out to IPFS, too.
const IPFS: &str = "--ipfs";

/// Stops serving, or asks how to serve.
pub(super) fn turn(app: &mut App) -> Vec<Effect> {
    if !app.can_serve {
        app.hint("Serving is not possible here");
        return Vec::new();
    }
    match app.serving {
        Serving::Off => {
            let form = Box::new(FlagForm::new(Subject::Serve, &values(app), &[]));
            app.dialogs.push(Dialog::Flags(form));
            Vec::new()
        }
        Serving::At(_) => {
            app.serving = Serving::Stopping;
            vec![Effect::StopServing]
        }
        Serving::Starting | Serving::Stopping => Vec::new(),
    }
}

/// How it was served last; whoever publishes to this program or follows wants it to be given out to IPFS as well.
fn values(app: &App) -> Values {
    let mut values = app.remembered.serve().clone();
    let own = app.publish.targets.iter().any(|target| target.serving.is_some());
    if own || app.follow_state.following.is_some() {
        values.insert(IPFS.to_owned(), "yes".to_owned());
    }
    values
}

/// Serves as the form says.
pub(super) fn start(app: &mut App, form: Box<FlagForm>) -> Vec<Effect> {
    let serve = Effect::Serve(form.words());
    let keep = app.keep(Memorable::Serve(form.values()));
    (app.serving, app.serve_form) = (Serving::Starting, Some(form));
    vec![keep, serve]
}

/// It is served under this URL.
pub(super) fn began(app: &mut App, url: String) {
    let form = app.serve_form.take();
    let said = |flag: &str| form.as_ref().map_or("", |form| form.value(flag));
    let elsewhere = said(LISTEN).is_empty() && !url.trim_end_matches('/').ends_with(&format!(":{DEFAULT_PORT}"));
    let because = if elsewhere { format!(", since port {DEFAULT_PORT} is taken") } else { String::new() };
    let ipfs = if said(IPFS) == "yes" { ", and giving out to IPFS" } else { "" };
    let key = super::view::key(app, Command::Serve);
    app.say(format!("Serving on {url}{because}{ipfs}; {key} stops it"));
    app.serving = Serving::At(url);
}

/// It is served no longer. What could not be begun is shown again, with the reason where it was written.
pub(super) fn ended(app: &mut App, ended: Result<(), Problem>) {
    app.serving = Serving::Off;
    match (ended, app.serve_form.take()) {
        (Ok(()), _) => app.say("Serving has stopped"),
        (Err(problem), Some(mut form)) if matches!(app.dialogs.last(), None | Some(Dialog::Page { .. })) => {
            app.note(Level::Error, None, problem.message.clone());
            form.refuse(&problem);
            app.dialogs.push(Dialog::Flags(form));
        }
        (Err(problem), _) => app.complain(problem),
    }
}
