//! Serving the registry on this machine while the interface is open. What serves is given from outside.

use std::fmt;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::app::App;
use super::command::Command;
use super::effect::Effect;
use super::problem::Problem;
use crate::error::Result;

/// Where it is served unless something listens there: the port of `serve`.
pub const DEFAULT_PORT: u16 = 5050;

/// A server of the registry, which the command line hands over.
pub trait Server: fmt::Debug + Send + Sync {
    /// Serves on this runtime until `stop` is cancelled; `started` is told the URL once connections are accepted.
    fn serve(&self, runtime: &Handle, stop: CancellationToken, started: Box<dyn FnOnce(String) + Send>) -> Result<()>;
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

/// Starts serving, or stops it.
pub(super) fn turn(app: &mut App) -> Vec<Effect> {
    if !app.can_serve {
        app.hint("Serving is not possible here");
        return Vec::new();
    }
    let on = match app.serving {
        Serving::Off => true,
        Serving::At(_) => false,
        Serving::Starting | Serving::Stopping => return Vec::new(),
    };
    app.serving = if on { Serving::Starting } else { Serving::Stopping };
    vec![Effect::Serve(on)]
}

/// It is served under this URL.
pub(super) fn began(app: &mut App, url: String) {
    let elsewhere = !url.ends_with(&format!(":{DEFAULT_PORT}"));
    let because = if elsewhere { format!(", since port {DEFAULT_PORT} is taken") } else { String::new() };
    let key = super::view::key(app, Command::Serve);
    app.say(format!("Serving on {url}{because}; {key} stops it"));
    app.serving = Serving::At(url);
}

/// It is served no longer.
pub(super) fn ended(app: &mut App, ended: Result<(), Problem>) {
    app.serving = Serving::Off;
    match ended {
        Ok(()) => app.say("Serving has stopped"),
        Err(problem) => app.complain(problem),
    }
}
