//! No verb: the terminal interface.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use super::Exit;
use super::context::Context;
use super::output::Colour;
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::tui::{self, keymap::Keymap};

/// Opens the interface on the catalog, which is made if it is not there.
pub(super) fn run(context: &Context) -> Result<Exit> {
    on(context, || context.open(None))
}

/// Opens the interface on what is opened here, once it is clear that there is a terminal for it.
pub(super) fn on(context: &Context, engine: impl FnOnce() -> Result<Arc<Engine>>) -> Result<Exit> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Error::new(Kind::Usage, "the interface needs a terminal")
            .hint("Name a verb: `roadstead --help` lists them."));
    }
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if variable("TERM").as_deref() == Some("dumb") {
        return Err(Error::new(Kind::Usage, "the terminal can't place its cursor: TERM is `dumb`")
            .hint("Name a verb: `roadstead --help` lists them."));
    }
    let colour = match context.global.color {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => variable("NO_COLOR").is_none(),
    };
    let options = tui::Options {
        colour,
        theme: None,
        mouse: true,
        ascii: None,
        locale: ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable),
        term: variable("TERM"),
        pager: std::env::var_os("PAGER").filter(|pager| !pager.is_empty()).unwrap_or_else(|| "less".into()),
        keymap: Keymap::default(),
    };
    let engine = engine()?;
    tui::open(engine, Arc::new(context.peers()), options)?;
    Ok(Exit::Done)
}
