//! Nodes that follow a published registry and serve it to themselves: whom they follow, where they listen, and the command for it.
//!
//! Pure.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::Args;

use super::source::Source;
use crate::cli::commands::{follow, serve};
use crate::cli::parsed::parsed;
use crate::engine::follow::{Followed, Mode, Setting};
use crate::error::{Error, Kind, Result};
use crate::rules::Period;

/// Ports below this one need a privilege that no follower has.
const FIRST_UNPRIVILEGED_PORT: u16 = 1024;

/// What is said of the nodes of a cluster.
#[derive(Debug, Args)]
pub(super) struct NodeArguments {
    /// For kubernetes: the IPNS name (k51…) or domain that each node follows, from what `--from` names.
    #[arg(long, value_name = "NAME", value_parser = parsed::<Followed>)]
    pub(super) follow: Option<Followed>,

    /// For kubernetes: which blobs nodes fetch before they are pulled: `all`, `tags` or `lazy`, as for `follow`.
    #[arg(long, value_name = "MODE", requires = "follow", value_parser = parsed::<Mode>)]
    mode: Option<Mode>,

    /// For kubernetes: how often nodes look whether the name has moved.
    #[arg(long, value_name = "PERIOD", requires = "follow", value_parser = follow::period)]
    every: Option<Period>,

    /// For kubernetes: where each node listens; on loopback, nodes don't take blocks from one another.
    #[arg(long, value_name = "ADDRESS:PORT", requires = "follow", default_value = "0.0.0.0:5050", value_parser = serve::address)]
    listen: SocketAddr,

    /// For kubernetes: a systemd unit for each node instead of a DaemonSet, for before there is a cluster.
    #[arg(long, requires = "follow")]
    systemd: bool,
}

/// What runs on each node.
#[derive(Debug)]
pub(super) struct NodeSetup {
    name: Followed,
    pub(super) sources: Vec<String>,
    mode: Option<Mode>,
    every: Option<Period>,
    listen: SocketAddr,
    pub(super) systemd: bool,
}

impl NodeArguments {
    /// What is said, for nodes that follow from these sources.
    pub(super) fn setup(&self, from: &[String]) -> Result<NodeSetup> {
        let name = self.follow.clone().ok_or_else(|| {
            Error::new(Kind::Usage, "`client kubernetes` needs the name that each node follows")
                .hint("Name it: `roadstead client kubernetes --follow k51… --from https://registry.example.com`.")
                .hint("For nodes that pull from one server: `roadstead client containerd --from URL`.")
        })?;
        let sources: Vec<String> = from.iter().map(|url| url.trim_end_matches('/').to_owned()).collect();
        let setup =
            NodeSetup { name, sources, mode: self.mode, every: self.every, listen: self.listen, systemd: self.systemd };
        setup.check()?;
        Ok(setup)
    }
}

impl NodeSetup {
    fn check(&self) -> Result<()> {
        Setting {
            name: self.name.clone(),
            sources: self.sources.clone(),
            mode: self.mode.unwrap_or_default(),
            every: Duration::ZERO,
        }
        .check()?;
        let ip = self.listen.ip();
        if !ip.is_loopback() && !ip.is_unspecified() {
            return Err(Error::new(
                Kind::Usage,
                format!("{ip} is the address of one node, and all nodes listen alike"),
            )
            .hint("Use `--listen 0.0.0.0:PORT`, or `--listen 127.0.0.1:PORT` for each node by itself."));
        }
        if self.listen.port() < FIRST_UNPRIVILEGED_PORT {
            let words = format!("followers can't listen on port {}", self.listen.port());
            return Err(Error::new(Kind::Usage, words)
                .hint(format!("Choose a port from {FIRST_UNPRIVILEGED_PORT} up: `--listen 0.0.0.0:5050`.")));
        }
        Ok(())
    }

    /// Where a node's own programs pull from.
    pub(super) fn client_source(&self) -> Result<Source> {
        Source::parse(&format!("http://{}:{}", self.client_host(), self.port()))
    }

    /// The address of a node that it has for itself.
    pub(super) fn client_host(&self) -> &'static str {
        match self.listen.ip() {
            IpAddr::V6(ip) if ip.is_loopback() => "[::1]",
            _ => "127.0.0.1",
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.listen.port()
    }

    /// Whether nodes take blocks from one another.
    pub(super) fn is_shared(&self) -> bool {
        !self.listen.ip().is_loopback()
    }

    /// Whether some source, or having none, means the IPFS swarm.
    fn needs_the_swarm(&self) -> bool {
        let is_url = |source: &String| source.starts_with("http://") || source.starts_with("https://");
        self.sources.is_empty() || !self.sources.iter().all(is_url)
    }

    /// The name that is followed.
    pub(super) fn name(&self) -> String {
        self.name.to_string()
    }

    /// The program's arguments on a node.
    pub(super) fn words(&self, data_directory: &str) -> Vec<String> {
        let mut words = vec!["--data-dir".to_owned(), data_directory.to_owned()];
        words.extend(["serve", "--ipfs"].map(str::to_owned));
        if !self.needs_the_swarm() {
            // Nodes find one another by the sources, over HTTP: nothing of theirs goes out of the cluster.
            words.push("--no-swarm".to_owned());
        }
        words.push("--listen".to_owned());
        words.extend([self.listen.to_string(), "--follow".to_owned(), self.name()]);
        let mode = self.mode.map(|mode| mode.word().to_owned());
        let every = self.every.map(|every| every.to_string());
        for (flag, value) in [("--mode", mode), ("--every", every)] {
            words.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
        }
        words.extend(self.sources.iter().flat_map(|source| ["--from".to_owned(), source.clone()]));
        words
    }
}
