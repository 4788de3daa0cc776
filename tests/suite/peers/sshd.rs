//! OpenSSH's server on a port of its own, with a key that it lets in, and ssh with a configuration of its own.

use super::{Daemon, Directory, command, finish, free_port, program};
use std::path::PathBuf;
use std::process::Command;

/// A running sshd.
pub(crate) struct Sshd {
    _daemon: Daemon,
    directory: Directory,
    port: u16,
}

impl Sshd {
    /// Starts it; whoever logs in finds every program.
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// One where whoever logs in finds nothing but a shell.
    pub(crate) fn with_few_programs() -> Self {
        Self::with("few")
    }

    fn with(programs: &str) -> Self {
        let directory = Directory::new();
        for key in ["host", "user", "stranger"] {
            let mut keygen = command(program("ssh-keygen"), directory.path());
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", key]);
            finish(&keygen).success();
        }
        let (port, path) = (free_port(), directory.path().display());
        let public = std::fs::read_to_string(directory.join("user.pub")).expect("a key");
        directory.write("authorized_keys", public);
        let mut config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {path}/host\nAuthorizedKeysFile {path}/authorized_keys\n\
             PidFile {path}/pid\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication yes\n"
        );
        if !programs.is_empty() {
            let few = directory.make(programs);
            std::os::unix::fs::symlink("/bin/sh", few.join("sh")).expect("a link");
            config += "SetEnv PATH=";
            config += &few.to_string_lossy();
            config.push('\n');
        }
        let config = directory.write("sshd_config", config);
        // Debian's package leaves that to systemd.
        let _ = std::fs::create_dir("/run/sshd");
        let mut sshd = command(program("sshd"), directory.path());
        sshd.args(["-D", "-e", "-f"]).arg(config);
        let mut daemon = Daemon::start("sshd", &sshd, directory.path());
        daemon.wait_for("its port", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        let made = Self { _daemon: daemon, directory, port };
        let host = std::fs::read_to_string(made.directory.join("host.pub")).expect("a key");
        made.directory.write("known_hosts", format!("[127.0.0.1]:{port} {host}"));
        made.directory.write("nobody_known", "");
        made
    }

    /// A directory below its own, on the far side.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// That directory as an address.
    pub(crate) fn address(&self, name: &str) -> String {
        format!("ssh://127.0.0.1:{}{}", self.port, self.path(name).display())
    }

    /// The key that it lets in.
    pub(crate) fn key(&self) -> PathBuf {
        self.directory.join("user")
    }

    /// Lets a command's ssh know the server and its key.
    pub(crate) fn known_to(&self, command: &mut Command) {
        self.ssh_with(command, "user", "known_hosts");
    }

    /// The same with a key that it does not let in.
    pub(crate) fn with_a_stranger(&self, command: &mut Command) {
        self.ssh_with(command, "stranger", "known_hosts");
    }

    /// The same without knowing the server.
    pub(crate) fn without_its_key(&self, command: &mut Command) {
        self.ssh_with(command, "user", "nobody_known");
    }

    /// ssh reads its configuration where the user database says, whatever HOME is: a program of its name reads another one.
    fn ssh_with(&self, command: &mut Command, key: &str, known: &str) {
        let path = self.directory.path().display();
        let name = format!("with-{key}-{known}");
        let config = self.directory.write(
            &format!("{name}/config"),
            format!(
                "Host *\nIdentityFile {path}/{key}\nIdentitiesOnly yes\nIdentityAgent none\n\
                 UserKnownHostsFile {path}/{known}\nGlobalKnownHostsFile /dev/null\nUpdateHostKeys no\n"
            ),
        );
        let script = format!("#!/bin/sh\nexec {} -F {} \"$@\"\n", program("ssh").display(), config.display());
        let ssh = self.directory.write(&format!("{name}/ssh"), script);
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&ssh, std::fs::Permissions::from_mode(0o755)).expect("a mode");
        let given = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value);
        let given = given.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        command.env("PATH", format!("{path}/{name}:{given}"));
    }
}
