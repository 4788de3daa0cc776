//! BIND 9: an authoritative server that takes signed updates.

use super::{Daemon, Directory, command, dns, program};

/// A running BIND.
pub(crate) struct Bind {
    _daemon: Daemon,
    _directory: Directory,
    port: u16,
}

impl Bind {
    /// Starts it with this zone.
    pub(crate) fn start(domain: &str) -> Self {
        let directory = Directory::new();
        let (port, path) = (dns::port(), directory.path().display().to_string());
        let mut config = format!(
            "options {{ directory \"{path}\"; pid-file \"{path}/named.pid\"; session-keyfile \"{path}/session.key\"; \
             listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no; dnssec-validation no; \
             notify no; empty-zones-enable no; }};\ncontrols {{ }};\n{}",
            dns::bind_keys()
        );
        let policy =
            format!("update-policy {{ grant {} name _dnslink.{domain}. TXT; grant admin zonesub ANY; }};", dns::KEY);
        for (zone, policy) in [(domain, policy.as_str()), (dns::FIXED, "")] {
            directory.write(&format!("{zone}.zone"), dns::zone_file(zone));
            config.extend(["zone \"", zone, "\" { type primary; file \"", zone, ".zone\"; ", policy, " };\n"]);
        }
        let config = directory.write("named.conf", config);
        let mut named = command(program("named"), directory.path());
        named.arg("-g").arg("-c").arg(config);
        let mut daemon = Daemon::start("named", &named, directory.path());
        daemon.wait_for("the zone", || dns::serial(port, domain).and(dns::serial(port, dns::FIXED)));
        Self { _daemon: daemon, _directory: directory, port }
    }

    /// Where it listens, on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}
