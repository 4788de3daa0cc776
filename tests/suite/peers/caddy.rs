//! Caddy: the other web server over an exported tree, with the configuration that the project gives out.

use super::{Daemon, Directory, command, free_port, program};
use std::path::Path;

/// A running Caddy.
pub(crate) struct Caddy {
    _daemon: Daemon,
    _directory: Directory,
    port: u16,
}

impl Caddy {
    /// Starts it with a Caddyfile in which words are replaced, each of which must be there; `PORT` in a replacement is
    /// the port that it shall listen on.
    pub(crate) fn start(file: &Path, replacements: &[(&str, &str)]) -> Self {
        let directory = Directory::new();
        let port = free_port();
        let sites = super::filled_in(file, replacements, port);
        // The administration's port is the same for every Caddy.
        let quiet = "{\n\tadmin off\n\tauto_https off\n}\n";
        let config = directory.write("Caddyfile", format!("{quiet}{sites}"));
        let mut caddy = command(program("caddy"), directory.path());
        caddy.arg("run").arg("--adapter").arg("caddyfile").arg("--config").arg(config);
        let mut daemon = Daemon::start("caddy", &caddy, directory.path());
        daemon.wait_for_url(&format!("http://127.0.0.1:{port}/"));
        Self { _daemon: daemon, _directory: directory, port }
    }

    /// Where it listens: `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}
