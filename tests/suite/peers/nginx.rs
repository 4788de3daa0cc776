//! nginx: a web server over an exported tree, with the configuration that the project gives out.

use super::{Daemon, Directory, command, free_port, program};
use std::path::Path;

/// A running nginx.
pub(crate) struct Nginx {
    _daemon: Daemon,
    _directory: Directory,
    port: u16,
}

impl Nginx {
    /// Starts it with `server` blocks of a file in which words are replaced, each of which must be there; `PORT` in a
    /// replacement is the port that it shall listen on.
    pub(crate) fn start(file: &Path, replacements: &[(&str, &str)]) -> Self {
        let directory = Directory::new();
        let port = free_port();
        let servers = super::filled_in(file, replacements, port);
        let logs = directory.path().display();
        // Workers of a master that is root become nobody, who can't read temporary directories.
        let config = format!(
            "user root;\ndaemon off;\nworker_processes 1;\nerror_log stderr warn;\npid {logs}/pid;\n\
             events {{ worker_connections 512; }}\n\
             http {{\naccess_log off;\nclient_body_temp_path {logs}/body;\nproxy_temp_path {logs}/proxy;\n\
             fastcgi_temp_path {logs}/fastcgi;\nuwsgi_temp_path {logs}/uwsgi;\nscgi_temp_path {logs}/scgi;\n\
             include /etc/nginx/mime.types;\n{servers}\n}}\n"
        );
        let config = directory.write("nginx.conf", config);
        let mut nginx = command(program("nginx"), directory.path());
        nginx.arg("-e").arg("stderr").arg("-p").arg(directory.path()).arg("-c").arg(config);
        let mut daemon = Daemon::start("nginx", &nginx, directory.path());
        daemon.wait_for_url(&format!("http://127.0.0.1:{port}/"));
        Self { _daemon: daemon, _directory: directory, port }
    }

    /// Where it listens: `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}
