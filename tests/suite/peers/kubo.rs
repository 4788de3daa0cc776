//! Kubo: the IPFS node and gateway, and the second opinion on every CID.

use super::mounts::Mounts;
use super::network::Machine;
use super::{Daemon, Directory, Finished, command, finish, free_port, program, wrapped};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How a node cuts files and directories into blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Profile {
    /// `unixfs-v0-2015`.
    V0,
    /// `unixfs-v1-2025`.
    V1,
}

impl Profile {
    /// Its name in Kubo and in Roadstead.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::V0 => "unixfs-v0-2015",
            Self::V1 => "unixfs-v1-2025",
        }
    }
}

/// A repository of Kubo without a daemon: loopback only, no bootstrap, no routing.
pub(crate) struct Repository {
    directory: Directory,
    /// A disk of its own.
    disk: Option<Mounts>,
    /// Where it runs, if not here.
    machine: Option<Machine>,
}

impl Repository {
    /// Makes an empty one.
    pub(crate) fn new(profile: Profile) -> Self {
        Self::made(profile, Directory::new(), None, None)
    }

    /// Makes an empty one on a machine of a network.
    pub(crate) fn on_machine(profile: Profile, machine: &Machine) -> Self {
        Self::made(profile, Directory::new(), None, Some(machine.clone()))
    }

    /// Makes an empty one on a disk with room for so many KiB.
    pub(crate) fn on_disk(profile: Profile, kibibytes: u32) -> Self {
        let directory = Directory::new();
        let disk = Mounts::disk(&directory.make("repository"), kibibytes);
        Self::made(profile, directory, Some(disk), None)
    }

    fn made(profile: Profile, directory: Directory, disk: Option<Mounts>, machine: Option<Machine>) -> Self {
        let made = Self { directory, disk, machine };
        made.run(&["init", "--profile", &format!("test,{}", profile.name())]).success();
        made.run(&["config", "Routing.Type", "none"]).success();
        made
    }

    /// `ipfs` with these arguments.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut ipfs = self.with_its_environment(program("ipfs"));
        ipfs.args(arguments);
        match (&self.disk, &self.machine) {
            (Some(disk), _) => disk.inside(&ipfs),
            (None, Some(machine)) => machine.inside(&ipfs),
            (None, None) => ipfs,
        }
    }

    fn with_its_environment(&self, program: PathBuf) -> Command {
        let mut command = command(program, self.directory.path());
        command.env("IPFS_PATH", self.directory.join("repository")).env("IPFS_TELEMETRY", "off");
        command
    }

    /// Has a shell run these lines, in which `ipfs` is the program for this repository.
    #[track_caller]
    pub(crate) fn shell(&self, lines: &str) {
        let ipfs = program("ipfs");
        let directory = ipfs.parent().and_then(Path::to_str).expect("a directory in UTF-8");
        let mut shell = self.with_its_environment(program("sh"));
        shell.env("PATH", format!("{directory}:/usr/bin:/bin")).args(["-ec", lines]);
        finish(&shell).success();
    }

    /// Starts a node on it of which no more is needed than that it answers `ipfs`.
    pub(crate) fn daemon(&self) -> Daemon {
        let mut daemon = Daemon::start("kubo", &self.command(&["daemon"]), self.directory.path());
        // Whoever asks before would have the repository's lock.
        let log = self.directory.join("kubo.log");
        daemon.wait_for("ready", || std::fs::read_to_string(&log).ok()?.contains("Daemon is ready").then_some(()));
        daemon
    }

    /// Gives its disk room for so many KiB.
    #[track_caller]
    pub(crate) fn grow(&self, kibibytes: u32) {
        let disk = self.disk.as_ref().expect("a disk of its own");
        disk.shell(&format!("mount -o remount,size={kibibytes}k \"$0\""), &self.directory.join("repository"));
    }

    /// Lets its RPC listen at the same address each time it starts.
    pub(crate) fn listen_at_one_port(&self) {
        let address = format!("/ip4/127.0.0.1/tcp/{}", free_port());
        self.run(&["config", "Addresses.API", &address]).success();
    }

    /// Has it ask this server alone who has a block, and take blocks over HTTP; it is connected to nobody.
    pub(crate) fn take_over_http_from(&self, url: &str) {
        self.run(&["config", "Routing.Type", "delegated"]).success();
        self.run(&["config", "--json", "Routing.DelegatedRouters", &format!("[\"{url}\"]")]).success();
        self.run(&["config", "--json", "HTTPRetrieval", r#"{"Enabled":true}"#]).success();
        self.run(&["config", "--json", "Provide.Enabled", "false"]).success();
    }

    /// The path of a file in it, as it is seen from here.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let path = self.directory.join("repository").join(name);
        self.disk.as_ref().map_or_else(|| path.clone(), |disk| disk.seen(&path))
    }

    /// Runs `ipfs` with these arguments: in the daemon when one runs.
    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        finish(&self.command(arguments))
    }

    /// The root of a directory as `ipfs add -r` has it; keeps nothing.
    #[track_caller]
    pub(crate) fn add_recursive_only_hash(&self, directory: &Path) -> String {
        self.add(directory, "--only-hash")
    }

    /// Adds a directory; gives its root.
    #[track_caller]
    pub(crate) fn add_recursive(&self, directory: &Path) -> String {
        self.add(directory, "--pin")
    }

    #[track_caller]
    fn add(&self, directory: &Path, how: &str) -> String {
        let directory = directory.to_str().expect("a path in UTF-8");
        String::from(self.run(&["add", "--recursive", "--quieter", how, directory]).success().trim())
    }

    /// Imports a CAR file and pins its root; gives that root.
    #[track_caller]
    pub(crate) fn dag_import(&self, car: &Path) -> String {
        let car = car.to_str().expect("a path in UTF-8");
        let said = self.run(&["dag", "import", "--enc=json", "--pin-roots=true", car]).success();
        let mut roots = said.lines().filter_map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
            let error = &line["Root"]["PinErrorMsg"];
            assert!(error.is_null() || error == "", "the root isn't whole: {error}");
            line["Root"]["Cid"]["/"].as_str().map(String::from)
        });
        let root = roots.next().unwrap_or_else(|| panic!("no root in what Kubo said: {said}"));
        assert_eq!(roots.next(), None, "more than one root");
        root
    }

    /// Writes everything below a root to a CAR file.
    #[track_caller]
    pub(crate) fn dag_export(&self, root: &str, car: &Path) {
        let car = car.to_str().expect("a path in UTF-8");
        let export = self.command(&["dag", "export", "--progress=false", root]);
        finish(&wrapped(&export, &program("sh"), &["-c", "exec \"$@\" >\"$0\"", car])).success();
    }

    /// Any CID as a version 1 CID in base32, as host names have it.
    #[track_caller]
    pub(crate) fn base32(&self, cid: &str) -> String {
        String::from(self.run(&["cid", "base32", cid]).success().trim())
    }
}

/// A running node.
pub(crate) struct Kubo {
    daemon: Daemon,
    repository: Repository,
    /// Where its RPC listens: `http://127.0.0.1:PORT`.
    pub(crate) api_url: String,
    /// Where its gateway listens: `http://127.0.0.1:PORT`.
    pub(crate) gateway_url: String,
}

impl Kubo {
    /// Starts an empty node.
    pub(crate) fn start(profile: Profile) -> Self {
        Self::from_repository(Repository::new(profile), &[])
    }

    /// Starts a node on a repository; `names` are host names with the CID that their DNSLink record would give.
    pub(crate) fn from_repository(repository: Repository, names: &[(&str, &str)]) -> Self {
        let map: Vec<String> = names.iter().map(|(host, cid)| format!("{host}:/ipfs/{cid}")).collect();
        // A daemon that was killed has left them.
        for file in ["gateway", "api"] {
            let _ = std::fs::remove_file(repository.path(file));
        }
        // Not `--offline`: that would switch DNSLink off.
        let mut ipfs = repository.command(&["daemon"]);
        if !map.is_empty() {
            ipfs.env("IPFS_NS_MAP", map.join(","));
        }
        let mut daemon = Daemon::start("kubo", &ipfs, repository.directory.path());
        let gateway_file = repository.path("gateway");
        let gateway_url = daemon.wait_for("the gateway's address", || {
            let said = std::fs::read_to_string(&gateway_file).ok()?;
            said.starts_with("http://").then(|| String::from(said.trim().trim_end_matches('/')))
        });
        let api_file = repository.path("api");
        let api_url = daemon.wait_for("the RPC's address", || {
            let said = std::fs::read_to_string(&api_file).ok()?;
            let (host, port) = said.trim().strip_prefix("/ip4/")?.split_once("/tcp/")?;
            Some(format!("http://{host}:{port}"))
        });
        // The files are written before it answers; the empty directory is in every repository.
        daemon.wait_for_url(&format!("{gateway_url}/ipfs/bafyaabakaieac"));
        daemon.wait_for("ready", || daemon_is_ready(&api_url));
        Self { daemon, repository, api_url, gateway_url }
    }

    /// Kills it as a power cut does, and starts it again on what it has written.
    pub(crate) fn killed_and_started(self) -> Self {
        let Self { daemon, repository, .. } = self;
        drop(daemon);
        Self::from_repository(repository, &[])
    }

    /// Its repository, for the calls that work with and without a daemon.
    pub(crate) fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The gateway's port.
    pub(crate) fn gateway_port(&self) -> u16 {
        self.gateway_url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
    }
}

fn daemon_is_ready(api_url: &str) -> Option<()> {
    let answer = super::web::send("POST", &format!("{api_url}/api/v0/id"), &[], Vec::new()).ok()?;
    // One that knows secrets wants to see one.
    matches!(answer.status, 200 | 403).then_some(())
}
