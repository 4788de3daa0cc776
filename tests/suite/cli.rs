//! The built program, as a user starts it: its output, its exit code, its server.
//!
//! Knows the command line's contract: data on standard output, the rest on standard error, `--json` everywhere.

use crate::peers::{Daemon, Directory, Finished, command, finish, program};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Roadstead with a data directory, a home and a configuration of its own.
pub(crate) struct Roadstead {
    home: Directory,
}

impl Roadstead {
    /// One that has nothing yet.
    pub(crate) fn new() -> Self {
        Self::with_config("")
    }

    /// One with a configuration file.
    pub(crate) fn with_config(text: &str) -> Self {
        // Tests run side by side on one network.
        Self::with_whole_config(&format!("local_discovery = false\n{text}"))
    }

    /// One that finds others on its network.
    pub(crate) fn discovering() -> Self {
        Self::with_whole_config("")
    }

    fn with_whole_config(text: &str) -> Self {
        let home = Directory::new();
        home.write("config.toml", text);
        home.make("run");
        Self { home }
    }

    /// One whose catalog has this UnixFS profile.
    #[track_caller]
    pub(crate) fn with_profile(profile: &str) -> Self {
        let made = Self::new();
        made.ok(&["root", "--profile", profile]);
        made
    }

    /// Lets it know a user's password for a registry, as `docker login` writes it down.
    pub(crate) fn log_in(&self, host: &str, user: &str, password: &str) {
        use base64::Engine as _;
        let secret = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        let config = serde_json::json!({"auths": {host: {"auth": secret}}});
        self.home.write(".docker/config.json", config.to_string());
    }

    /// A path in its home, for what it writes.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// The program with these arguments.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_on(&self.home.join("registry"), arguments)
    }

    /// The program with another data directory.
    pub(crate) fn command_on(&self, data_directory: &Path, arguments: &[&str]) -> Command {
        let mut roadstead = command(Path::new(env!("CARGO_BIN_EXE_roadstead")), self.home.path());
        roadstead
            .arg("--data-dir")
            .arg(data_directory)
            .arg("--config")
            .arg(self.home.join("config.toml"))
            .args(arguments);
        roadstead
    }

    /// The program where the clock is this far off: `+1h`.
    pub(crate) fn command_at(&self, offset: &str, arguments: &[&str]) -> Command {
        let inner = self.command(arguments);
        let mut shifted = command(program("faketime"), self.home.path());
        shifted.args(["-f", offset]).arg(inner.get_program()).args(inner.get_args());
        shifted
    }

    /// Runs it to its end, with nothing on standard input.
    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        finish(&self.command(arguments))
    }

    /// Runs it, which must succeed; gives standard output.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        self.run(arguments).success()
    }

    /// Runs it with `--json`, which must succeed; gives its last line, which sums up what was done.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let mut words = vec!["--json"];
        words.extend(arguments);
        let printed = self.ok(&words);
        crate::documents::check(&printed).unwrap_or_else(|error| panic!("{words:?}: {error}: {printed}"));
        // A document over several lines, or one document a line.
        serde_json::from_str(&printed).unwrap_or_else(|_| {
            let last = printed.lines().last().unwrap_or_default();
            serde_json::from_str(last).unwrap_or_else(|error| panic!("not JSON ({error}): {printed}"))
        })
    }

    /// Mirrors every platform of an image over plain HTTP.
    #[track_caller]
    pub(crate) fn add(&self, reference: &str) {
        self.ok(&["add", reference, "--insecure", "--platform", "all"]);
    }

    /// The CID that its catalog stands for.
    #[track_caller]
    pub(crate) fn root(&self) -> String {
        let printed = self.ok(&["root"]);
        assert_eq!(printed.lines().count(), 1, "only the CID: {printed:?}");
        String::from(printed.trim_end())
    }

    /// Starts `roadstead serve` on a free port.
    pub(crate) fn serve(&self) -> Serving {
        self.serve_with(&[])
    }

    /// The same with more arguments.
    pub(crate) fn serve_with(&self, more: &[&str]) -> Serving {
        // Nothing of a test goes to the world: no peers but those that are named.
        let is_named = more.iter().any(|word| word.starts_with("--swarm"));
        let alone: &[&str] = if more.contains(&"--ipfs") && !is_named { &["--no-swarm"] } else { &[] };
        let words = [&["serve", "--listen", "127.0.0.1:0"], more, alone].concat();
        let mut daemon = Daemon::start("roadstead-serve", &self.command(&words), self.home.path());
        let log = self.home.join("roadstead-serve.log");
        let url = daemon.wait_for("the line with its address", || {
            let printed = std::fs::read_to_string(&log).ok()?;
            let (_, after) = printed.split_once("serving on ")?;
            let (line, _) = after.split_once('\n')?;
            Some(String::from(line.trim().trim_end_matches('/')))
        });
        assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        daemon.wait_for_url(&format!("{url}/v2/"));
        Serving { _daemon: daemon, url }
    }
}

/// Runs a command that moves targets with `--json --progress json`, and kills it when it has told of so many steps; whether it ended
/// before that.
pub(crate) fn killed_after(mut command: Command, steps: usize) -> bool {
    let mut running = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let lines = BufReader::new(running.stderr.take().expect("its errors")).lines().map_while(Result::ok);
    let told = lines.filter(|line| line.contains("\"target.step\"") && !line.contains("\"running\""));
    let ended = told.take(steps + 1).count() <= steps;
    // It may have ended by itself.
    let _ = running.kill();
    running.wait().expect("its end");
    ended
}

/// A running `roadstead serve`.
pub(crate) struct Serving {
    _daemon: Daemon,
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
}

impl Serving {
    /// Where it listens: `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> &str {
        self.url.trim_start_matches("http://")
    }
}
