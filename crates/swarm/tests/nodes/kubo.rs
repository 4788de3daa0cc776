//! A Kubo on loopback that knows nobody: no bootstrap, no mDNS, no telemetry, its DHT that of the local network.

#![expect(clippy::panic, reason = "a program that is missing fails the test with the words that install it")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use super::{DEADLINE, Multiaddr, address};

/// `ipfs`: where `tests/peers` builds it, or on PATH.
fn program() -> PathBuf {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let caches = std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from);
    let cache = std::env::var_os("ROADSTEAD_TEST_CACHE").map_or_else(|| caches.join("roadstead-tests"), PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(cache.join("bin"))
        .chain(std::env::split_paths(&path))
        .map(|directory| directory.join("ipfs"))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| {
            panic!(
                "the program `ipfs` is missing: run `tests/peers`, which builds Kubo, or put Kubo 0.42 or newer on PATH"
            )
        })
}

pub(crate) struct Kubo {
    directory: tempfile::TempDir,
    daemon: Child,
}

fn command(directory: &Path) -> Command {
    let mut command = Command::new(program());
    command.env("IPFS_PATH", directory).env("IPFS_TELEMETRY", "off").stdin(Stdio::null());
    command
}

fn set(config: &mut Value, path: &str, value: Value) {
    let mut place = config;
    for name in path.split('.') {
        place = &mut place[name];
    }
    *place = value;
}

impl Kubo {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let init = command(directory.path()).args(["init", "--empty-repo"]).output().expect("ipfs runs");
        assert!(init.status.success(), "{init:?}");
        let file = directory.path().join("config");
        let mut config: Value = serde_json::from_slice(&fs::read(&file).expect("a file")).expect("JSON");
        let addresses = json!({
            "Swarm": ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"],
            "API": "/ip4/127.0.0.1/tcp/0",
            "Gateway": "/ip4/127.0.0.1/tcp/0",
        });
        for (path, value) in [
            ("Addresses", addresses),
            ("Bootstrap", json!([])),
            ("AutoConf.Enabled", json!(false)),
            ("Routing", json!({"Type": "dhtserver", "LoopbackAddressesOnLanDHT": true, "DelegatedRouters": []})),
            ("Ipns.DelegatedPublishers", json!([])),
            ("DNS.Resolvers", json!({})),
            ("Discovery.MDNS.Enabled", json!(false)),
            ("AutoTLS.Enabled", json!(false)),
            ("Swarm.DisableNatPortMap", json!(true)),
            ("Swarm.RelayClient.Enabled", json!(false)),
            ("Swarm.Transports.Network.Relay", json!(false)),
            ("Swarm.EnableHolePunching", json!(false)),
            ("Plugins", json!({"Plugins": {"telemetry": {"Disabled": true}}})),
        ] {
            set(&mut config, path, value);
        }
        fs::write(&file, config.to_string()).expect("written");
        let log = File::create(directory.path().join("log")).expect("a file");
        let daemon = command(directory.path())
            .arg("daemon")
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("ipfs runs");
        let kubo = Self { directory, daemon };
        let start = Instant::now();
        while !kubo.log().contains("Daemon is ready") {
            assert!(start.elapsed() < DEADLINE, "Kubo does not start: {}", kubo.log());
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        kubo
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Runs `ipfs` in the daemon, and gives what it says.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = command(self.directory.path()).arg("--timeout=60s").args(arguments).output().expect("ipfs runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ipfs {}: {said}{complaint}", arguments.join(" "));
        said
    }

    /// Where it listens, by `tcp` or `quic-v1`.
    pub(crate) fn address(&self, transport: &str) -> Multiaddr {
        let id: Value = serde_json::from_str(&self.run(&["id"])).expect("JSON");
        let addresses = id["Addresses"].as_array().expect("addresses");
        let mut texts = addresses.iter().filter_map(Value::as_str);
        address(texts.find(|text| text.contains(transport)).expect("it listens"))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.daemon.id()
    }
}

impl Drop for Kubo {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}
