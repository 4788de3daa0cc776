//! A reader of a page: a machine with what the page needs, on which its steps are done as they stand.
//!
//! A registry on loopback stands in for every registry that is mirrored from. Knows which commands there are and how each is run
//! here; one that nobody has said anything of fails the test by its line.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use crate::images::Layout;
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::knot::Knot;
use crate::peers::kubo::{Kubo, Profile};
use crate::peers::podman::Podman;
use crate::peers::versitygw::{ACCESS_KEY, SECRET_KEY, Versitygw};
use crate::peers::{Daemon, Directory, command, finish, free_port, program, web};
use crate::rules::tags_of;

use super::markdown::Step;

/// Where `roadstead serve` listens unless it is told otherwise.
const USUAL_PORT: u16 = 5050;
/// The other ports that pages have something listen on.
const OTHER_PORTS: [u16; 3] = [5051, 5052, 9090];
/// Building the program and running this suite is what runs these tests.
const NOT_RUN: [&str; 3] = ["./tests/run", "cargo install --path . --locked", "cargo build --release"];
/// How the program is started from a clone; here it is built already.
const FROM_A_CLONE: &str = "cargo run --release -- ";
/// Programs besides ours that a shell may run.
const PROGRAMS: [&str; 5] = ["cp", "curl", "htpasswd", "ipfs", "mkdir"];
/// Verbs that ask, so that a page says that nobody is to be asked.
const ASKING: [&str; 6] = ["gc", "publish", "redo", "remove", "rollback", "undo"];
/// Flags before the verb that have a value.
const FLAGS_WITH_VALUE: [&str; 5] = ["--color", "--config", "--data-dir", "--progress", "--wait"];
/// Where a page writes outside of its directory.
const PLACES: [&str; 4] = ["/etc/", "/media/", "/srv/", "/var/"];
/// The domain and the host of every example.
const DOMAIN: &str = "registry.example.com";

/// The registries that pages mirror from, and what is there: the tags that tests/samples has, or these.
const UPSTREAM: [(&str, &str, &[&str]); 8] = [
    ("docker.io", "library/nginx", &[]),
    ("docker.io", "library/redis", &[]),
    ("docker.io", "library/postgres", &[]),
    ("ghcr.io", "org/app", &["v1", "v1.0.0", "v1.1.0"]),
    ("quay.io", "coreos/etcd", &["v3.5.0", "v3.6.4", "v3.6.5"]),
    (
        "registry.k8s.io",
        "kube-apiserver",
        &["v1.32.8", "v1.33.4", "v1.33.5", "v1.34.0", "v1.34.1", "v1.35.0", "v1.35.1", "v1.36.0-rc.0"],
    ),
    ("registry.k8s.io", "pause", &["3.9", "3.10"]),
    ("registry.k8s.io", "coredns/coredns", &["v1.12.1", "v1.13.0"]),
];

/// How a command is run here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Not again.
    Not,
    /// By a shell, to its end.
    Shell(String),
    /// In the background, as in another terminal.
    Serve(String),
    /// By podman with a storage of its own: its arguments.
    Podman(Vec<String>),
}

/// The verb of a command of ours, behind the flags that all verbs have.
fn verb(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace().skip(1);
    while let Some(word) = words.next() {
        if FLAGS_WITH_VALUE.contains(&word) {
            words.next();
        } else if !word.starts_with('-') || word == "--version" {
            return Some(word);
        }
    }
    None
}

/// How a command is run here; nothing if nobody has said.
pub(super) fn way(line: &str) -> Option<Way> {
    // What follows in a terminal's next word is explained to the reader.
    let line = line.split_once(" #").map_or(line, |(line, _)| line).trim();
    if NOT_RUN.contains(&line) {
        return Some(Way::Not);
    }
    let line = line.strip_prefix(FROM_A_CLONE).map_or_else(|| line.to_owned(), |verb| format!("roadstead {verb}"));
    match line.split_whitespace().next()? {
        "roadstead" => match verb(&line)? {
            "serve" | "watch" => Some(Way::Serve(line.trim_end_matches('&').trim().to_owned())),
            "follow" if line.contains(" --from ") && !line.contains(" --once") => None,
            verb if ASKING.contains(&verb) && !line.contains(" --yes") && !line.contains(" --dry-run") => None,
            _ => Some(Way::Shell(line)),
        },
        "podman" => {
            let plain = !line.contains(['"', '\'', '$', '|', ';', '&', '<', '>', '\\', '*', '`']);
            let known = matches!(line.split_whitespace().nth(1)?, "pull" | "images" | "image");
            (plain && known).then(|| Way::Podman(line.split_whitespace().skip(1).map(String::from).collect()))
        }
        other if PROGRAMS.contains(&other) => Some(Way::Shell(line)),
        _ => None,
    }
}

/// A machine, and what has been done on it.
pub(super) struct Reader {
    home: Directory,
    _registry: DockerRegistry,
    podman: Podman,
    kubo: Option<Kubo>,
    bucket: Option<Versitygw>,
    zone: Option<Knot>,
    /// The ports of the page, and those in their place.
    ports: BTreeMap<u16, u16>,
    /// What runs in the background, by its port.
    serving: BTreeMap<u16, Daemon>,
    /// The root that was published or exported first: `bafy…`.
    first_root: Option<String>,
}

impl Reader {
    /// A machine for a page with this text.
    pub(super) fn of(text: &str) -> Self {
        let home = Directory::new();
        let registry = DockerRegistry::plain();
        let layout = Layout::multi_platform();
        let mut config = String::new();
        for (host, repository, tags) in UPSTREAM {
            let section = format!("[registries.\"{host}\"]\nmirror = \"http://{}\"\n", registry.host());
            if !config.contains(&section) {
                config.push_str(&section);
            }
            let short = repository.trim_start_matches("library/");
            if text.contains(short) {
                let tags: Vec<String> = tags.iter().copied().map(String::from).collect();
                push(&registry, &layout, repository, &if tags.is_empty() { tags_of(short) } else { tags });
            }
        }
        home.write("config.toml", config);
        for directory in ["run", "work", "media/stick"].into_iter().chain(PLACES.map(|place| &place[1..])) {
            home.make(directory);
        }
        let programs = home.make("bin");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_roadstead"), programs.join("roadstead")).expect("a link");
        let names = |words: &[&str]| words.iter().any(|word| text.contains(word));
        let kubo = names(&["127.0.0.1:5001", "127.0.0.1:8080", "\nipfs "]).then(|| Kubo::start(Profile::V1));
        let bucket = names(&["https://s3.example.com"]).then(Versitygw::start);
        let zone = names(&["ns.example.com:53"]).then(|| Knot::start(DOMAIN));
        if let Some(zone) = &zone {
            home.write("work/tsig.secret", zone.secret());
        }
        let ports = [USUAL_PORT].into_iter().chain(OTHER_PORTS).map(|port| (port, free_port())).collect();
        let podman = Podman::new();
        let serving = BTreeMap::new();
        Self { home, _registry: registry, podman, kubo, bucket, zone, ports, serving, first_root: None }
    }

    /// A shell as the reader has it.
    fn shell(&self, line: &str) -> Command {
        let mut shell = command("/bin/sh", self.home.path());
        let path = std::env::var("PATH").unwrap_or_default();
        shell
            .args(["-ec", line])
            .env("PATH", format!("{}:{path}", self.home.join("bin").display()))
            .env("ROADSTEAD_CONFIG", self.home.join("config.toml"))
            .current_dir(self.home.join("work"));
        if let Some(kubo) = &self.kubo {
            let ipfs = program("ipfs");
            let beside = ipfs.parent().expect("a directory").display();
            shell.env("PATH", format!("{}:{beside}:{path}", self.home.join("bin").display()));
            shell.env("IPFS_PATH", kubo.repository().path("")).env("IPFS_TELEMETRY", "off");
        }
        if self.bucket.is_some() {
            shell.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        }
        shell
    }

    fn port(&self, port: u16) -> u16 {
        self.ports.get(&port).copied().unwrap_or(port)
    }

    /// What our program prints.
    #[track_caller]
    fn asked(&self, words: &str) -> String {
        finish(&self.shell(&format!("roadstead {words}"))).success().trim().to_owned()
    }

    /// A line with what is here in the place of the example's hosts, ports, names and roots.
    fn here(&self, line: &str) -> String {
        let mut line = line.to_owned();
        for (port, ours) in &self.ports {
            for address in ["127.0.0.1", "0.0.0.0"] {
                line = line.replace(&format!("{address}:{port}"), &format!("127.0.0.1:{ours}"));
            }
        }
        for place in PLACES {
            let ours = format!("{}{place}", self.home.path().display());
            for before in [" ", "=", ":", ">"] {
                line = line.replace(&format!("{before}{place}"), &format!("{before}{ours}"));
            }
        }
        // A client's configuration is for the host as it is written.
        if verb(&line) != Some("client") {
            let ours = format!("http://127.0.0.1:{}", self.port(USUAL_PORT));
            line = line.replace(&format!("https://{DOMAIN}"), &ours);
        }
        if let Some(kubo) = &self.kubo {
            line = line
                .replace("http://127.0.0.1:5001", &kubo.api_url)
                .replace("http://127.0.0.1:8080", &kubo.gateway_url);
        }
        if let Some(bucket) = &self.bucket {
            line = line.replace("https://s3.example.com", &bucket.url());
        }
        if let Some(zone) = &self.zone {
            line = line.replace("ns.example.com:53", &format!("127.0.0.1:{}", zone.port()));
        }
        if line.contains("k51…") {
            let keys: serde_json::Value = serde_json::from_str(&self.asked("target key list --json")).expect("JSON");
            line = line.replace("k51…", keys[0]["id"].as_str().expect("a key"));
        }
        if line.contains("bafy…") {
            let root = self.first_root.as_ref().unwrap_or_else(|| panic!("no root was published before: {line}"));
            line = line.replace("bafy…", root);
        }
        line
    }

    /// Does what the page says at this place.
    pub(super) fn does(&mut self, place: &str, step: &Step) {
        let line = match step {
            Step::Save { name, content } => {
                assert!(!name.contains("..") && !name.starts_with('/'), "{place}: {name} is not in the directory");
                self.home.write(&format!("work/{name}"), content);
                return;
            }
            Step::Type(line) => line,
        };
        let way = way(line)
            .unwrap_or_else(|| panic!("{place}: nobody has said in tests/suite/guide/reader.rs how `{line}` is run"));
        match way {
            Way::Not => {}
            Way::Shell(line) => self.types(place, &line),
            Way::Serve(line) => self.serves(&line),
            Way::Podman(words) => {
                assert!(!self.serving.is_empty(), "{place}: nothing is served yet");
                let words: Vec<String> = words.iter().map(|word| self.here(word)).collect();
                let finished = self.podman.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
                assert_eq!(finished.code, 0, "{place}\n{finished}");
            }
        }
    }

    fn types(&mut self, place: &str, line: &str) {
        let ours = line.starts_with("roadstead ").then(|| verb(line)).flatten();
        let mut shell = self.shell(&self.here(line));
        if line.contains("config init") {
            // The machine has one, which leads to the registry here.
            shell.env("ROADSTEAD_CONFIG", self.home.join("work/config.toml"));
        }
        let finished = finish(&shell);
        assert_eq!(finished.code, 0, "{place}\n{finished}");
        // What a file takes is not seen.
        let is_silent = finished.stdout.is_empty()
            && finished.stderr.is_empty()
            && !line.contains(" > ")
            && !line.contains(" --write ");
        assert!(ours.is_none() || !is_silent, "{place}\n{finished}");
        if let (Some("export"), Some(target)) = (ours, line.split_whitespace().last()) {
            let target = self.here(&format!(" {target}"));
            let target = self.home.join("work").join(target.trim());
            let is_car = target.extension().is_some_and(|end| end == "car");
            let made = if is_car { target } else { target.join("index.html") };
            assert!(made.is_file(), "{place}: {} is not there", made.display());
        }
        if matches!(ours, Some("publish" | "export")) && self.first_root.is_none() {
            self.first_root = Some(self.asked("root"));
        }
    }

    fn serves(&mut self, line: &str) {
        let mut line = self.here(line);
        if !line.contains(" --listen ") {
            let _ = write!(line, " --listen 127.0.0.1:{}", self.port(USUAL_PORT));
        }
        // Nothing of a test goes to the world.
        if line.contains(" --ipfs") && !line.contains(" --no-swarm") {
            line.push_str(" --no-swarm");
        }
        let (_, after) = line.split_once(" --listen 127.0.0.1:").expect("an address on loopback");
        let port: u16 = after.split(' ').next().and_then(|port| port.parse().ok()).expect("a port");
        // Two servers at one port are one after the other.
        drop(self.serving.remove(&port));
        // The shell gives way to the program, so that it is what ends.
        let started = self.shell(&format!("exec {line}"));
        let mut daemon = Daemon::start(&format!("serving-{port}"), &started, self.home.path());
        let path = if verb(&line) == Some("watch") { "metrics" } else { "v2/" };
        daemon.wait_for_url(&format!("http://127.0.0.1:{port}/{path}"));
        self.serving.insert(port, daemon);
    }

    /// What is served at the usual port.
    pub(super) fn page(&self) -> String {
        let url = format!("http://127.0.0.1:{}/", self.port(USUAL_PORT));
        web::send("GET", &url, &[], Vec::new()).expect("an answer").expect(200).text()
    }
}

/// Puts the image that a layout has under `1` under these tags of a repository.
fn push(registry: &DockerRegistry, layout: &Layout, repository: &str, tags: &[String]) {
    registry.push(layout, "1", repository);
    let manifests = layout.manifests();
    let (_, media_type, digest) = manifests.iter().find(|(reference, ..)| reference == "1").expect("the image");
    for tag in tags {
        let url = format!("http://{}/v2/{repository}/manifests/{tag}", registry.host());
        let headers = [("Content-Type", media_type.as_str())];
        web::send("PUT", &url, &headers, layout.read(digest)).expect("an answer").expect(201);
    }
}

#[test]
fn a_command_that_nobody_knows_is_named() {
    let shell = |line: &str| Some(Way::Shell(line.to_owned()));
    for (line, expected) in [
        ("cargo run --release -- demo", shell("roadstead demo")),
        ("roadstead add nginx:alpine  # mirror", shell("roadstead add nginx:alpine")),
        ("roadstead --data-dir copy list", shell("roadstead --data-dir copy list")),
        ("./tests/run", Some(Way::Not)),
        ("roadstead serve &", Some(Way::Serve("roadstead serve".to_owned()))),
        ("roadstead --data-dir a serve", Some(Way::Serve("roadstead --data-dir a serve".to_owned()))),
        ("podman pull a:1", Some(Way::Podman(vec!["pull".to_owned(), "a:1".to_owned()]))),
        ("podman pull a:1 | sh", None),
        ("podman rmi a:1", None),
        ("roadstead", None),
        ("roadstead gc", None),
        ("roadstead --json gc", None),
        ("roadstead gc --yes", shell("roadstead gc --yes")),
        ("roadstead publish", None),
        ("roadstead follow k51… --from https://registry.example.com", None),
        ("ipfs pin ls", shell("ipfs pin ls")),
        ("rm -rf /", None),
        ("sudo ipfs add x", None),
    ] {
        assert_eq!(way(line), expected, "{line}");
    }
}

#[test]
fn examples_lead_to_this_machine() {
    let reader = Reader::of("");
    let at = |port: u16| format!("127.0.0.1:{}", reader.port(port));
    assert_eq!(reader.here("roadstead serve --listen 0.0.0.0:5051"), format!("roadstead serve --listen {}", at(5051)));
    let home = reader.home.path().display();
    assert_eq!(reader.here("roadstead export /srv/www"), format!("roadstead export {home}/srv/www"));
    assert_eq!(
        reader.here("roadstead follow x --from https://registry.example.com"),
        format!("roadstead follow x --from http://{}", at(5050))
    );
    let client = "roadstead client podman --from https://registry.example.com";
    assert_eq!(reader.here(client), client);
    assert!(reader.home.join("etc").is_dir());
}
