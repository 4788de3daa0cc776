//! The README's commands, run for real and in order: a command that a reader copies works.
//!
//! A registry on loopback stands in for every registry that the README mirrors from. Knows which commands there are and how each
//! is run here; a command that it does not know fails the test by its line.

use crate::images::Layout;
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::kubo::{Kubo, Profile};
use crate::peers::podman::Podman;
use crate::peers::skopeo::Skopeo;
use crate::peers::{Daemon, Directory, command, finish, free_port, web};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where `roadstead serve` listens unless it is told otherwise.
const USUAL_PORT: u16 = 5050;
/// Building the program and running this suite is what runs this test.
const NOT_RUN: [&str; 4] =
    ["./tests/run", "cargo install --path . --locked", "cargo install --path .", "cargo build --release"];
/// How the program is started from a clone; here it is built already.
const FROM_A_CLONE: &str = "cargo run --release -- ";
/// Verbs that end by themselves and ask nothing.
const VERBS: [&str; 24] = [
    "add",
    "allow",
    "client",
    "completions",
    "config",
    "demo",
    "export",
    "gc",
    "history",
    "list",
    "man",
    "outdated",
    "publish",
    "remove",
    "root",
    "rule",
    "schedule",
    "show",
    "stats",
    "target",
    "undo",
    "update",
    "verify",
    "--version",
];

/// A command of a block, and the line it begins on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    number: usize,
    text: String,
}

/// How a command is run here.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    /// Not again.
    Not,
    /// By a shell, to its end.
    Shell(String),
    /// In the background, as in another terminal.
    Serve(String),
    /// By podman with a storage of its own: its arguments.
    Podman(Vec<String>),
}

/// The commands of every block that is marked `sh`, `shell`, `bash` or `console`. Of a console those after `$ `, since the
/// rest is what they print. Lines that end in a backslash go on; blank lines and comments are left out.
fn commands(markdown: &str) -> Vec<Line> {
    let mut found: Vec<Line> = Vec::new();
    let mut block: Option<(&str, usize)> = None;
    let mut continued = false;
    for (index, line) in markdown.lines().enumerate() {
        let trimmed = line.trim_start();
        let ticks = trimmed.chars().take_while(|c| *c == '`').count();
        match block {
            None if ticks >= 3 => {
                block = Some((trimmed[ticks..].split([' ', ',', '{']).next().unwrap_or_default(), ticks));
            }
            Some((_, opened)) if ticks >= opened && trimmed[ticks..].trim().is_empty() => {
                assert!(!continued, "README.md, line {}: the block ends in the middle of a command", index + 1);
                block = None;
            }
            Some((language @ ("sh" | "shell" | "bash" | "console"), _)) => {
                let text = if continued || language != "console" { Some(trimmed) } else { trimmed.strip_prefix("$ ") };
                let Some(text) = text.map(str::trim).filter(|text| !text.is_empty() && !text.starts_with('#')) else {
                    continue;
                };
                let (text, goes_on) = match text.strip_suffix('\\') {
                    Some(text) => (text.trim_end(), true),
                    None => (text, false),
                };
                match found.last_mut().filter(|_| continued) {
                    Some(last) => last.text = format!("{} {text}", last.text),
                    None => found.push(Line { number: index + 1, text: text.to_owned() }),
                }
                continued = goes_on;
            }
            _ => {}
        }
    }
    found
}

/// How a command is run here; nothing if nobody has said.
fn way(line: &str) -> Option<Way> {
    // What follows in a terminal's next word is explained to the reader.
    let line = line.split_once(" #").map_or(line, |(line, _)| line).trim();
    if NOT_RUN.contains(&line) {
        return Some(Way::Not);
    }
    let line = line.strip_prefix(FROM_A_CLONE).map_or_else(|| line.to_owned(), |verb| format!("roadstead {verb}"));
    let mut words = line.split_whitespace();
    match (words.next()?, words.next()?) {
        ("roadstead", "serve") => Some(Way::Serve(line.trim_end_matches('&').trim().to_owned())),
        // A verb that asks has to be told.
        ("roadstead", "remove" | "gc" | "undo" | "publish")
            if !line.contains(" --yes") && !line.contains(" --dry-run") =>
        {
            None
        }
        ("roadstead", verb) if VERBS.contains(&verb) => Some(Way::Shell(line)),
        ("podman", "pull" | "images" | "image") => {
            let plain = !line.contains(['"', '\'', '$', '|', ';', '&', '<', '>', '\\', '*', '`']);
            plain.then(|| Way::Podman(line.split_whitespace().skip(1).map(String::from).collect()))
        }
        _ => None,
    }
}

/// The images that `roadstead add` is given: registry, repository and tag of each.
fn wanted(lines: &[Line]) -> BTreeSet<(String, String, String)> {
    let mut found = BTreeSet::new();
    for line in lines {
        let mut words = line.text.split_whitespace();
        if (words.next(), words.next()) != (Some("roadstead"), Some("add")) {
            continue;
        }
        let mut words = words.take_while(|word| !word.starts_with('#'));
        while let Some(word) = words.next() {
            if matches!(word, "--platform" | "--as" | "--newest") {
                words.next();
            }
            if word.starts_with('-')
                || word.chars().all(|character| character.is_ascii_digit())
                || word.starts_with("oci")
                || matches!(word, "linux/amd64" | "all")
            {
                continue;
            }
            // A pattern takes the tag that has a number for each of its own.
            let word = &word.trim_matches('\'').replace('#', "1");
            let (registry, rest) = match word.split_once('/') {
                Some((host, rest)) if host.contains(['.', ':']) => (host, rest.to_owned()),
                Some(_) => ("docker.io", word.clone()),
                None => ("docker.io", format!("library/{word}")),
            };
            let (repository, tag) = rest.rsplit_once(':').unwrap_or((&rest, "latest"));
            found.insert((registry.to_owned(), repository.to_owned(), tag.to_owned()));
        }
    }
    found
}

/// A home whose PATH begins with the built program, and whose configuration leads every registry to the one here.
struct Reader {
    home: Directory,
    port: u16,
}

impl Reader {
    fn new(registry: &DockerRegistry, hosts: &BTreeSet<&str>) -> Self {
        let home = Directory::new();
        let mut config = String::new();
        for host in hosts {
            writeln!(config, "[registries.\"{host}\"]\nmirror = \"http://{}\"", registry.host())
                .expect("a string grows");
        }
        home.write("config.toml", config);
        home.make("run");
        home.make("work");
        let programs = home.make("bin");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_roadstead"), programs.join("roadstead")).expect("a link");
        // The usual port if nobody has it, so that the lines are run as they stand.
        let usual = TcpListener::bind(("127.0.0.1", USUAL_PORT)).is_ok();
        Self { home, port: if usual { USUAL_PORT } else { free_port() } }
    }

    fn shell(&self, line: &str) -> Command {
        let mut shell = command("/bin/sh", self.home.path());
        let path = std::env::var("PATH").unwrap_or_default();
        shell
            .args(["-c", line])
            .env("PATH", format!("{}:{path}", self.home.join("bin").display()))
            .env("ROADSTEAD_CONFIG", self.home.join("config.toml"))
            .current_dir(self.home.join("work"));
        shell
    }

    /// The line where the usual port is taken by somebody else.
    fn at_our_port(&self, line: &str) -> String {
        line.replace(&format!(":{USUAL_PORT}/"), &format!(":{}/", self.port))
    }

    fn serve(&self, line: &str) -> Daemon {
        let listen = if self.port == USUAL_PORT { String::new() } else { format!(" --listen 127.0.0.1:{}", self.port) };
        // The shell gives way to the program, so that it is what ends.
        let started = self.shell(&format!("exec {line}{listen}"));
        let mut daemon = Daemon::start("readme-serve", &started, self.home.path());
        daemon.wait_for_url(&format!("http://127.0.0.1:{}/v2/", self.port));
        daemon
    }

    fn work(&self, name: &str) -> PathBuf {
        self.home.join("work").join(name)
    }
}

/// The line with the node that is here, in the place of one with the usual port.
fn at_node(line: &str, kubo: &Kubo) -> String {
    line.replace("http://127.0.0.1:5001", &kubo.api_url)
}

fn readme() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
fn every_command_of_the_readme_works() {
    let lines = commands(&readme());
    let ways: Vec<(Line, Way)> = lines
        .iter()
        .map(|line| {
            let way = way(&line.text);
            let way = way.unwrap_or_else(|| {
                panic!(
                    "README.md, line {}: nobody has said in tests/suite/readme.rs how `{}` is run",
                    line.number, line.text
                )
            });
            (line.clone(), way)
        })
        .collect();
    // An empty README, or one whose blocks are marked otherwise, must not pass.
    let words = |way: &Way| format!("{way:?}");
    for needed in ["roadstead demo", "roadstead add", "roadstead export", "Serve(", "Podman("] {
        assert!(ways.iter().any(|(_, way)| words(way).contains(needed)), "the README has no `{needed}`");
    }

    let registry = DockerRegistry::plain();
    let wanted = wanted(&lines);
    let layout = Layout::multi_platform();
    for (_, repository, tag) in &wanted {
        let from = format!("oci:{}:1", layout.path().display());
        let to = format!("docker://{}/{repository}:{tag}", registry.host());
        Skopeo::new().copy(&["--all", "--dest-tls-verify=false", &from, &to]);
    }
    let reader = Reader::new(&registry, &wanted.iter().map(|(host, ..)| host.as_str()).collect());
    let podman = Podman::new();
    let kubo = Kubo::start(Profile::V1);
    let mut serving: Option<Daemon> = None;
    for (line, way) in ways {
        let place = format!("README.md, line {}: {}", line.number, line.text);
        match way {
            Way::Not => {}
            Way::Shell(text) => {
                let finished = finish(&reader.shell(&at_node(&text, &kubo)));
                assert_eq!(finished.code, 0, "{place}\n{finished}");
                // What a file takes is not seen.
                let is_silent = finished.stdout.is_empty() && finished.stderr.is_empty() && !text.contains(" > ");
                assert!(!is_silent, "{place}\n{finished}");
            }
            Way::Serve(text) => {
                // Two servers of one README are one after the other.
                drop(serving.take());
                serving = Some(reader.serve(&text));
            }
            Way::Podman(words) => {
                assert!(serving.is_some(), "{place}: nothing is served yet");
                let words: Vec<String> = words.iter().map(|word| reader.at_our_port(word)).collect();
                let finished = podman.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
                assert_eq!(finished.code, 0, "{place}\n{finished}");
            }
        }
    }

    // What the README says of what it made.
    for line in &lines {
        let Some(target) = line.text.strip_prefix("roadstead export ") else { continue };
        let target = reader.work(target.trim());
        let is_car = target.extension().is_some_and(|end| end == "car");
        let made = if is_car { target } else { target.join("index.html") };
        assert!(made.is_file(), "README.md, line {}: {} is not there", line.number, made.display());
    }
    let (_, repository, _) = wanted.first().expect("an image");
    let page = web::send("GET", &format!("http://127.0.0.1:{}/", reader.port), &[], Vec::new()).unwrap().expect(200);
    assert!(page.text().contains(repository.as_str()), "{}", page.text());
}

#[test]
fn blocks_are_found_however_they_are_marked() {
    let markdown = "text `roadstead list`\n```sh\n# a comment\nroadstead add a:1   # why\n\nroadstead add \\\n  b:1\n```\n\
        ```text\nnot this\n```\n  ```console\n  $ roadstead list\n  REPOSITORY\n  ```\n````sh\n```\nx\n````\n";
    let texts: Vec<(usize, String)> = commands(markdown).into_iter().map(|line| (line.number, line.text)).collect();
    let expected =
        [(4, "roadstead add a:1   # why"), (6, "roadstead add b:1"), (13, "roadstead list"), (17, "```"), (18, "x")];
    assert_eq!(texts, expected.map(|(number, text)| (number, text.to_owned())));
}

#[test]
fn a_command_that_nobody_knows_is_named() {
    let shell = |line: &str| Some(Way::Shell(line.to_owned()));
    for (line, expected) in [
        ("cargo run --release -- demo", shell("roadstead demo")),
        ("roadstead add nginx:alpine  # mirror", shell("roadstead add nginx:alpine")),
        ("./tests/run", Some(Way::Not)),
        ("roadstead serve &", Some(Way::Serve("roadstead serve".to_owned()))),
        ("podman pull a:1", Some(Way::Podman(vec!["pull".to_owned(), "a:1".to_owned()]))),
        ("podman pull a:1 | sh", None),
        ("podman rmi a:1", None),
        ("roadstead gc", None),
        ("roadstead gc --yes", shell("roadstead gc --yes")),
        ("roadstead publish", None),
        ("rm -rf /", None),
        ("ipfs add x", None),
    ] {
        assert_eq!(way(line), expected, "{line}");
    }
}

#[test]
fn images_are_taken_from_the_lines() {
    let text = "roadstead add nginx:alpine traefik/whoami  # two\nroadstead add --platform linux/arm64 --as x:1 ghcr.io/org/app:v1\nroadstead list nginx\n";
    let lines = commands(&format!("```sh\n{text}```\n"));
    let found: Vec<String> =
        wanted(&lines).into_iter().map(|(host, name, tag)| format!("{host} {name} {tag}")).collect();
    assert_eq!(found, ["docker.io library/nginx alpine", "docker.io traefik/whoami latest", "ghcr.io org/app v1"]);
}
