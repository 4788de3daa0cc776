//! dnsdist: DNS over HTTPS (here plain HTTP on loopback) in front of an authoritative server, which is how Kubo asks.

use super::{Daemon, Directory, command, free_port, program};

/// A running dnsdist.
pub(crate) struct Dnsdist {
    _daemon: Daemon,
    _directory: Directory,
    /// What Kubo's `DNS.Resolvers` takes: `http://127.0.0.1:PORT/dns-query`.
    pub(crate) url: String,
}

impl Dnsdist {
    /// Starts it in front of a server on this port. It keeps no answer.
    pub(crate) fn start(server: u16) -> Self {
        let directory = Directory::new();
        let (plain, doh) = (free_port(), free_port());
        let config = format!(
            "setSecurityPollSuffix(\"\")\nsetLocal(\"127.0.0.1:{plain}\")\n\
             newServer({{address=\"127.0.0.1:{server}\", healthCheckMode=\"up\"}})\n\
             addDOHLocal(\"127.0.0.1:{doh}\", nil, nil, \"/dns-query\", {{}})\nsetACL({{\"127.0.0.0/8\"}})\n"
        );
        let config = directory.write("dnsdist.conf", config);
        let mut dnsdist = command(program("dnsdist"), directory.path());
        dnsdist.arg("--supervised").arg("--config").arg(config);
        let mut daemon = Daemon::start("dnsdist", &dnsdist, directory.path());
        daemon.wait_for("DNS over HTTPS", || std::net::TcpStream::connect(("127.0.0.1", doh)).ok().map(drop));
        Self { _daemon: daemon, _directory: directory, url: format!("http://127.0.0.1:{doh}/dns-query") }
    }
}
