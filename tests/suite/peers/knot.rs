//! Knot DNS: an authoritative server that takes signed updates.

use super::{Daemon, Directory, command, dns, program};

/// A running Knot DNS.
pub(crate) struct Knot {
    _daemon: Daemon,
    _directory: Directory,
    port: u16,
    domain: String,
}

impl Knot {
    /// Starts it with this zone.
    pub(crate) fn start(domain: &str) -> Self {
        let directory = Directory::new();
        let (port, path) = (dns::port(), directory.path().display().to_string());
        directory.make("run");
        directory.make("db");
        let mut config = format!(
            "server:\n  rundir: {path}/run\n  listen: 127.0.0.1@{port}\ndatabase:\n  storage: {path}/db\n\
             log:\n  - target: stdout\n    any: info\n{keys}acl:\n  - id: record\n    key: {key}\n    action: update\n    \
             update-type: TXT\n    update-owner: name\n    update-owner-match: equal\n    update-owner-name: _dnslink\n  \
             - id: anything\n    key: admin\n    action: update\nzone:\n",
            keys = dns::knot_keys(),
            key = dns::KEY,
        );
        for (zone, acl) in [(domain, "    acl: [record, anything]\n"), (dns::FIXED, "")] {
            directory.write(&format!("{zone}.zone"), dns::zone_file(zone));
            config.extend(["  - domain: ", zone, "\n    storage: ", &path, "\n    file: ", zone, ".zone\n", acl]);
        }
        let config = directory.write("knot.conf", config);
        let mut knot = command(program("knotd"), directory.path());
        knot.arg("-c").arg(config);
        let mut daemon = Daemon::start("knotd", &knot, directory.path());
        daemon.wait_for("the zone", || dns::serial(port, domain).and(dns::serial(port, dns::FIXED)));
        Self { _daemon: daemon, _directory: directory, port, domain: domain.to_owned() }
    }

    /// Where it listens, on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The name of the key that may change the record.
    #[expect(clippy::unused_self, reason = "the server says it, and it is the same for all")]
    pub(crate) fn key_name(&self) -> &'static str {
        dns::KEY
    }

    /// Its secret in base64.
    #[expect(clippy::unused_self, reason = "the server says it, and it is the same for all")]
    pub(crate) fn secret(&self) -> &'static str {
        dns::SECRET
    }

    /// The TXT values at a name, sorted.
    pub(crate) fn txt(&self, name: &str) -> Vec<String> {
        dns::txt(self.port, name)
    }

    /// Replaces the TXT values at a name, as another writer.
    pub(crate) fn set_txt(&self, name: &str, values: &[&str]) {
        dns::set_txt(self.port, &self.domain, name, values);
    }
}
