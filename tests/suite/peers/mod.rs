//! The real programs that Roadstead works with: how they are found, started, waited for and ended.
//!
//! Knows processes and ports; each module below knows one program. Must not know Roadstead.

pub(crate) mod between;
pub(crate) mod bind;
pub(crate) mod caddy;
pub(crate) mod chromium;
pub(crate) mod cluster;
pub(crate) mod containerd;
pub(crate) mod crane;
pub(crate) mod debian;
pub(crate) mod dns;
pub(crate) mod dnsdist;
pub(crate) mod docker_registry;
pub(crate) mod knot;
pub(crate) mod kubo;
pub(crate) mod mounts;
pub(crate) mod network;
pub(crate) mod nginx;
pub(crate) mod passage;
pub(crate) mod podman;
pub(crate) mod regctl;
pub(crate) mod skopeo;
pub(crate) mod sshd;
pub(crate) mod versitygw;
pub(crate) mod web;

mod smoke;

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take to start or to become true: generous, since it is only ever waited for in full by a
/// test that fails.
const DEADLINE: Duration = Duration::from_secs(90);
/// How long one call of a program may take, in seconds.
const CALL_SECONDS: &str = "300";

/// Where `tests/peers` puts what it makes.
fn cache() -> PathBuf {
    let path = |name| std::env::var_os(name).map(PathBuf::from);
    path("ROADSTEAD_TEST_CACHE").unwrap_or_else(|| {
        let caches = path("XDG_CACHE_HOME").or_else(|| path("HOME").map(|home| home.join(".cache")));
        caches.unwrap_or_default().join("roadstead-tests")
    })
}

/// The path of a program that the suite can't do without.
///
/// Looked for where `tests/peers` builds what Debian doesn't have, then on PATH and among the administrator's programs.
pub(crate) fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(cache().join("bin"))
        .chain(std::env::split_paths(&path))
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| {
            panic!("the program `{name}` is missing: run `tests/peers`, which installs it ({})", from(name))
        })
}

/// Where a program comes from, as the line that installs it by hand.
fn from(name: &str) -> String {
    let package = match name {
        "ipfs" => return String::from("it builds Kubo as a Go module; or put Kubo 0.42 or newer on PATH"),
        "versitygw" => return String::from("it builds versitygw as a Go module; or put versitygw on PATH"),
        "ipfs-cluster-service" => {
            return String::from("it builds IPFS Cluster as a Go module; or put ipfs-cluster-service on PATH");
        }
        "crane" | "regctl" => return format!("it builds {name} as a Go module; or put {name} on PATH"),
        "containerd" | "ctr" => return String::from("it builds containerd 2; or put containerd 2 on PATH"),
        "nginx" => "nginx-light",
        "htpasswd" => "apache2-utils",
        "busybox" => "busybox-static",
        "unshare" | "setpriv" | "nsenter" => "util-linux",
        "ip" => "iproute2",
        "timeout" => "coreutils",
        "chromedriver" => "chromium-driver",
        "ssh" | "ssh-keygen" => "openssh-client",
        "sshd" => "openssh-server",
        "knotd" => "knot",
        "named" => "bind9",
        "dig" | "nsupdate" => "bind9-dnsutils",
        "systemd-analyze" => "systemd",
        other => other,
    };
    format!("apt-get install -y {package}")
}

/// A loopback port that nothing listens on, given out once in this process.
///
/// Below the range that the kernel gives to outgoing connections, so that none of those takes it meanwhile.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 150) as u16 * 80;
    for _ in 0..12_000 {
        let port = 20_000 + start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between 20000 and 32000");
}

/// A command whose environment is the same on every machine: this PATH, and everything personal below `home`.
pub(crate) fn command(program: impl AsRef<Path>, home: &Path) -> Command {
    let mut command = Command::new(program.as_ref());
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .env_clear()
        .env("PATH", format!("{path}:/usr/local/sbin:/usr/sbin:/sbin"))
        .env("LANG", "C.UTF-8")
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_DATA_HOME", home.join("data"))
        .env("XDG_STATE_HOME", home.join("state"))
        .env("XDG_CACHE_HOME", home.join("cache"))
        .env("XDG_RUNTIME_DIR", home.join("run"))
        .current_dir(home)
        .stdin(Stdio::null());
    command
}

/// The command as the arguments of another program, with the same environment and directory.
pub(crate) fn wrapped(command: &Command, wrapper: &Path, arguments: &[&str]) -> Command {
    let mut outer = Command::new(wrapper);
    outer.args(arguments).arg(command.get_program()).args(command.get_args()).env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            outer.env(name, value);
        }
    }
    if let Some(directory) = command.get_current_dir() {
        outer.current_dir(directory);
    }
    outer.stdin(Stdio::null());
    outer
}

/// The command with mounts of its own, which end with it, and `/etc/hosts` as in a file if there is one.
///
/// Whoever isn't root is made root of a namespace of their own first.
fn with_own_mounts(command: &Command, hosts: Option<&Path>) -> Command {
    let hosts = hosts.map_or("", |hosts| hosts.to_str().expect("a path in UTF-8"));
    let script = "if [ -n \"$0\" ]; then mount --bind \"$0\" /etc/hosts || exit; fi; exec \"$@\"";
    let mut words = vec!["--mount"];
    if !rustix::process::geteuid().is_root() {
        words.push("--map-root-user");
    }
    words.extend(["sh", "-c", script, hosts]);
    wrapped(command, &program("unshare"), &words)
}

/// Asks a condition until it gives a value; panics with `what` and what `log` says when it never does.
pub(crate) fn wait_for<T>(what: &str, log: impl Fn() -> String, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < DEADLINE, "waited {DEADLINE:?} for {what}; log:\n{}", log());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A running program: its output goes to a log, and the program and all it started are killed on drop.
pub(crate) struct Daemon {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts the command; what it prints goes to `directory/NAME.log`.
    pub(crate) fn start(name: &str, command: &Command, directory: &Path) -> Self {
        let log = directory.join(format!("{name}.log"));
        let output = File::create(&log).expect("a log");
        // A killed test run must not leave servers behind: they die with the thread that started them.
        let child = wrapped(command, &program("setpriv"), &["--pdeathsig", "KILL", "--"])
            .stdout(output.try_clone().expect("a second handle"))
            .stderr(output)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("can't start {name}: {error}"));
        Self { name: String::from(name), child, log }
    }

    /// Everything the program has printed so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Asks a condition until it gives a value; panics with the log when the program ends or never gets there.
    pub(crate) fn wait_for<T>(&mut self, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
        let (child, log, name) = (&mut self.child, &self.log, &self.name);
        let text = || String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned();
        wait_for(&format!("{name}: {what}"), text, || {
            let value = condition();
            if value.is_none()
                && let Some(status) = child.try_wait().expect("a child")
            {
                panic!("{name} ended with {status} before {what}; log:\n{}", text());
            }
            value
        })
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process");
        rustix::process::kill_process(id, signal).expect("a process to tell");
    }

    /// The status with which it has ended by itself.
    pub(crate) fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().expect("a child")
    }

    /// Waits until the URL answers with any status below 500.
    pub(crate) fn wait_for_url(&mut self, url: &str) {
        self.wait_for(&format!("an answer from {url}"), || {
            web::try_get(url).ok().filter(|answer| answer.status < 500).map(|_| ())
        });
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            // It may have ended by itself.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<String> = log.lines().map(|line| line.chars().take(200).collect()).collect();
            eprintln!("--- the last lines of {}\n{}", self.name, lines[lines.len().saturating_sub(30)..].join("\n"));
        }
    }
}

/// What a call of a program gave.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The command line.
    pub(crate) line: String,
    /// The exit code; 128 and more for a signal, as shells have it.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Finished {
    /// Panics with everything it printed unless it exited with 0; gives its output.
    #[track_caller]
    pub(crate) fn success(self) -> String {
        assert_eq!(self.code, 0, "{self}");
        self.stdout
    }

    /// Panics with everything it printed unless it exited with `code`; gives its standard error.
    #[track_caller]
    pub(crate) fn failure(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self}");
        self.stderr
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\nexit code {}\n--- stdout\n{}\n--- stderr\n{}", self.line, self.code, self.stdout, self.stderr)
    }
}

/// Runs a program to its end, killed after five minutes.
pub(crate) fn finish(command: &Command) -> Finished {
    let line = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ");
    let output = wrapped(command, &program("timeout"), &["--kill-after=5", CALL_SECONDS])
        .output()
        .unwrap_or_else(|error| panic!("can't run {line}: {error}"));
    Finished {
        line,
        code: output.status.code().or_else(|| output.status.signal().map(|signal| 128 + signal)).unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A temporary directory with a short path (sockets allow 107 bytes), emptied on drop even while something ends in it.
pub(crate) struct Directory(PathBuf);

impl Directory {
    /// Makes one.
    pub(crate) fn new() -> Self {
        Self(tempfile::Builder::new().prefix("roadstead-").tempdir().expect("a temporary directory").keep())
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A path in it.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes a directory in it.
    pub(crate) fn make(&self, name: &str) -> PathBuf {
        let made = self.join(name);
        fs::create_dir_all(&made).expect("a directory");
        made
    }

    /// Writes a file in it.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let file = self.join(name);
        fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        fs::write(&file, content).expect("a file");
        file
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What a container's end cleans up may still be at it.
        let start = Instant::now();
        while let Err(error) = fs::remove_dir_all(&self.0) {
            if error.kind() == std::io::ErrorKind::NotFound {
                return;
            }
            if start.elapsed() > Duration::from_secs(10) {
                eprintln!("{} stays behind: {error}", self.0.display());
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The text of a configuration file with words replaced, each of which must be in it; `PORT` in a replacement becomes
/// the port.
fn filled_in(file: &Path, replacements: &[(&str, &str)], port: u16) -> String {
    let mut text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    for (word, replacement) in replacements {
        assert!(text.contains(word), "{} has no `{word}`", file.display());
        text = text.replace(word, &replacement.replace("PORT", &port.to_string()));
    }
    text
}
