//! Serving beside the interface: what the verb `serve` does, by the same words, until it is told to stop.

use std::net::Ipv4Addr;
use std::sync::Arc;

use clap::FromArgMatches as _;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::commands::serve::Arguments;
use super::{completers, mistakes};
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::serve::{self, CatalogSource, GivingOut, Listening, PublishedBlocks};
use crate::tui::completing::{CommandLine, Suggestion};
use crate::tui::serving::{DEFAULT_PORT, Server};

/// Ports after the usual one that are tried.
const MAX_TRIED_PORTS: u16 = 10;

/// Serves the catalog of an interface.
#[derive(Debug)]
pub(super) struct Background {
    /// The catalog.
    pub(super) engine: Arc<Engine>,
    /// The tree of verbs.
    pub(super) command: clap::Command,
}

/// What the words behind `serve` say, by the tree of verbs.
fn parsed(command: &clap::Command, words: &[String]) -> Result<Arguments> {
    let explained = |error: &clap::Error| {
        let mut root = command.clone();
        root.build();
        mistakes::explain(error, &root)
    };
    let all = [command.get_name(), "serve"].into_iter().chain(words.iter().map(String::as_str));
    let mut matches = command.clone().try_get_matches_from(all).map_err(|error| explained(&error))?;
    let found = matches.remove_subcommand().map(|(_, of_verb)| Arguments::from_arg_matches(&of_verb)).transpose();
    match found.map_err(|error| explained(&error))? {
        Some(found) if found.follow.is_none() => Ok(found),
        _ => Err(Error::new(Kind::Usage, "these are no words for `serve` here")),
    }
}

impl CommandLine for Background {
    fn complete(&self, words: &[String]) -> Vec<Suggestion> {
        completers::complete(&self.engine, &self.command, words)
    }
}

impl Server for Background {
    fn serve(
        &self,
        words: &[String],
        runtime: &Handle,
        stop: CancellationToken,
        started: Box<dyn FnOnce(String) + Send>,
    ) -> Result<()> {
        let mut arguments = parsed(&self.command, words)?;
        if !words.iter().any(|word| word.starts_with("--listen")) {
            arguments.listen = (Ipv4Addr::LOCALHOST, free_port()).into();
        }
        let options = arguments.options(self.engine.settings()?.name);
        let source = Arc::new(CatalogSource::new(Arc::clone(&self.engine), arguments.serves_private()));
        let giving_out = if arguments.ipfs {
            let engine = Arc::clone(&self.engine);
            Some(GivingOut::open(engine, &arguments.announce, &arguments.router, arguments.swarm()?)?)
        } else {
            None
        };
        runtime.block_on(async {
            let Some(giving_out) = giving_out else {
                return serve::run(source, None, options, stop, |listening| started(listening.url.clone())).await;
            };
            giving_out.begin()?;
            let blocks = giving_out.source() as Arc<dyn PublishedBlocks>;
            let served = serve::run(source, Some(blocks), options, stop, |listening| {
                told(&giving_out, listening);
                started(listening.url.clone());
            });
            let ended = tokio::select! {
                ended = served => ended,
                () = giving_out.keep() => Ok(()),
            };
            giving_out.end().await;
            ended
        })
    }
}

/// Has those who ask and the processes of this machine know where it is given out.
fn told(giving_out: &GivingOut, listening: &Listening) {
    if let Err(error) = giving_out.listens(listening) {
        tracing::warn!(%error, "can't tell where it is given out");
    }
    if let Some(remark) = giving_out.remark() {
        tracing::info!("the node in the swarm {remark}");
    }
}

/// The port of `serve`, or the next one that nothing listens on; of many that are taken, the system finds one.
fn free_port() -> u16 {
    let is_free = |port: &u16| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    (DEFAULT_PORT..DEFAULT_PORT + MAX_TRIED_PORTS).find(is_free).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::arguments;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn words_are_those_of_the_verb() {
        let found = parsed(&arguments::command(), &words("--ipfs --listen 0.0.0.0:80 --swarm-upload 3")).unwrap();
        assert!(found.ipfs && found.listen.to_string() == "0.0.0.0:80" && found.swarm_upload == Some(3));
        let error = parsed(&arguments::command(), &words("--ipfs --swarm-upload x")).unwrap_err();
        assert!(error.to_string().contains("--swarm-upload"), "{error}");
        let error = parsed(&arguments::command(), &words("--listen 80")).unwrap_err();
        assert!(error.to_string().contains("--listen") && error.hints().len() == 1, "{error}");
        assert!(parsed(&arguments::command(), &words("--follow example.com")).is_err());
    }
}
