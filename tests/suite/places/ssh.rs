//! A directory over ssh as a target: a real sshd, the system's rsync, nginx over what is there; and what goes wrong on the way.

use super::directory::{Filed, files, nginx_over, says};
use crate::cli::Roadstead;
use crate::images::Layout;
use crate::peers::sshd::Sshd;
use crate::peers::{Daemon, Directory, Finished, finish, wait_for};
use std::process::Command;

/// From this size on, a blob that is there already is linked instead of sent (`engine/publish/hosted/store.rs`).
const MIN_LINKED_BYTES: u64 = 256 << 10;

/// The world of a directory, and a second target `away` on a machine that is reached by ssh.
struct Away {
    world: Filed,
    sshd: Sshd,
    place: String,
}

impl Away {
    fn new(place: &str) -> Self {
        let (world, sshd) = (Filed::new(), Sshd::start());
        world.roadstead.ok(&["target", "add", "away", "--ssh", &sshd.address(place)]);
        Self { world, sshd, place: place.to_owned() }
    }

    fn command(&self, roadstead: &Roadstead, arguments: &[&str]) -> Command {
        let mut command = roadstead.command(arguments);
        self.sshd.known_to(&mut command);
        command
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        finish(&self.command(&self.world.roadstead, arguments))
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let printed = self.run(&[&["--json"], arguments].concat()).success();
        serde_json::from_str(printed.lines().last().unwrap_or_default())
            .or_else(|_| serde_json::from_str(&printed))
            .unwrap_or_else(|error| panic!("{error}: {printed}"))
    }
}

#[test]
fn one_publication_brings_a_root_to_a_directory_here_and_to_one_over_ssh() {
    let away = Away::new("site");
    let tested = away.run(&["target", "test", "away"]).success();
    for word in ["store", "switch", "rsync", "digests", "room", "config web nginx"] {
        assert!(tested.contains(word), "{word}: {tested}");
    }
    assert!(!away.sshd.path("site").exists(), "a test leaves nothing");
    away.world.roadstead.ok(&["target", "add", "own", "--self"]);
    let first = away.world.mirror("greeting", "the first\n");
    let report = away.json(&["publish", "--yes"]);
    for target in report["targets"].as_array().unwrap() {
        assert_eq!(target["outcome"]["root"], first.as_str(), "{report}");
    }
    let here = nginx_over(&away.world.roadstead, &away.world.place());
    let there = nginx_over(&away.world.roadstead, &away.sshd.path(&away.place));
    let images = [here.host(), there.host()].map(|host| away.world.image(&host, "greeting"));
    let all_say = |words: &str| {
        for image in &images {
            says(image, words);
        }
    };
    all_say("the first\n");
    let again = away.json(&["publish", "--yes"]);
    assert!(again["targets"].as_array().unwrap().iter().all(|target| target["done"] == true), "{again}");

    // A tag moves: what is new is sent, and nothing twice.
    away.world.mirror("greeting", "the second\n");
    let report = away.json(&["publish", "--yes"]);
    let of_away = report["targets"].as_array().unwrap().iter().find(|target| target["target"] == "away").unwrap();
    let (sent, planned) = (&of_away["outcome"]["sent"], &of_away["objects"]["bytes"]);
    assert!(sent.as_u64().unwrap() > 0 && sent.as_u64().unwrap() <= 2 * planned.as_u64().unwrap(), "{of_away}");
    all_say("the second\n");
    let report = away.json(&["rollback", &first, "--yes"]);
    assert_eq!(report["targets"].as_array().unwrap().len(), 3, "{report}");
    all_say("the first\n");
    for target in ["files", "away"] {
        let verified = away.json(&["target", "verify", target]);
        assert_eq!((&verified["missing"], &verified["damaged"]), (&0.into(), &0.into()), "{verified}");
        assert!(verified["bytes"].as_u64().unwrap() > 0, "{verified}");
    }
    assert!(files(&away.world.roadstead.path("registry/publishing")).iter().all(|file| !file.ends_with("blobs")));

    // What another repository has already is not sent again.
    away.world.registry.push(&Layout::saying("the first\n"), "1", "same");
    away.world.roadstead.add(&format!("{}/same:1", away.world.registry.host()));
    let planned = away.run(&["publish", "away", "--dry-run"]).success();
    assert!(planned.contains("by links there"), "{planned}");
    let report = away.json(&["publish", "away", "--yes"]);
    assert!(report["targets"][0]["objects"]["copied"].as_u64().unwrap() > 0, "{report}");
    assert!(report["targets"][0]["outcome"]["sent"].as_u64().unwrap() < 200_000, "{report}");
    says(&away.world.image(&there.host(), "same"), "the first\n");
    // A blob that is worth it is one file there, whatever it is called.
    use std::os::unix::fs::MetadataExt as _;
    let mut seen = std::collections::HashMap::new();
    for file in files(&away.sshd.path("site/trees")).iter().filter(|file| file.to_string_lossy().contains("/blobs/")) {
        let metadata = file.metadata().unwrap();
        if metadata.len() < MIN_LINKED_BYTES {
            continue;
        }
        let inode = metadata.ino();
        assert_eq!(*seen.entry(file.file_name().unwrap().to_owned()).or_insert(inode), inode, "{}", file.display());
    }
}

#[test]
fn a_path_that_a_shell_would_take_apart_is_one_path() {
    let away = Away::new("it's a $(place); rm -rf x");
    away.world.mirror("greeting", "hello\n");
    away.run(&["target", "test", "away"]).success();
    away.run(&["publish", "away", "--yes"]).success();
    away.run(&["target", "verify", "away"]).success();
    assert!(away.sshd.path(&away.place).join("current/index.html").is_file());
    // A file that is lost or damaged there is found, and sent again.
    let blobs = format!("current/oci/v2/{}/greeting/blobs", away.world.registry.published());
    let damaged = files(&away.sshd.path(&away.place).join(&blobs)).remove(0);
    let bytes = std::fs::read(&damaged).unwrap();
    std::fs::write(&damaged, vec![0; bytes.len()]).unwrap();
    let said = away.run(&["target", "verify", "away"]).failure(8);
    assert!(said.contains("damaged"), "{said}");
    // One blob is one file there, by all its names.
    for same in files(&away.sshd.path(&away.place).join("current")) {
        if same.file_name() == damaged.file_name() {
            std::fs::remove_file(same).unwrap();
        }
    }
    away.run(&["publish", "away", "--yes"]).success();
    assert_eq!(std::fs::read(&damaged).unwrap(), bytes);
    for bad in ["-oProxyCommand=id:/srv", "host", "host:/a/../b"] {
        let flag = format!("--ssh={bad}");
        assert!(away.run(&["target", "add", "bad", &flag]).failure(2).contains("invalid address"), "{bad}");
    }
}

#[test]
fn killed_on_the_way_it_goes_on_and_readers_have_a_whole_tree() {
    let away = Away::new("site");
    away.world.mirror("greeting", "the anchor\n");
    away.run(&["publish", "away", "--yes"]).success();
    let sizes = [60 << 20, 1 << 20, 2 << 20, 3 << 20, 4 << 20];
    away.world.registry.push(&Layout::random(&sizes, 7), "1", "large");
    away.world.roadstead.add(&format!("{}/large:1", away.world.registry.host()));
    let (logs, place) = (Directory::new(), away.sshd.path("site"));
    let moments: [(&str, &dyn Fn() -> bool); 3] = [
        ("one file on its way", &|| !files(&place.join("incoming")).is_empty()),
        ("some files there", &|| files(&place.join("incoming")).len() > 8),
        ("a second tree", &|| std::fs::read_dir(place.join("trees")).is_ok_and(|trees| trees.count() > 1)),
    ];
    for (what, moment) in moments {
        let command = away.command(&away.world.roadstead, &["publish", "away", "--yes"]);
        let mut running = Daemon::start("publish", &command, logs.path());
        wait_for(what, String::new, || (moment() || running.ended().is_some()).then_some(()));
        if running.ended().is_none() {
            running.signal(rustix::process::Signal::KILL);
        }
        wait_for("its end", String::new, || running.ended().map(drop));
        let tag = place.join(format!("current/oci/v2/{}/greeting/manifests/1", away.world.registry.published()));
        assert!(tag.is_file(), "readers have a tree");
    }
    let report = away.json(&["publish", "away", "--yes"]);
    assert!(report["failed"].as_array().unwrap().is_empty(), "{report}");
    let verified = away.json(&["target", "verify", "away"]);
    assert_eq!((&verified["missing"], &verified["damaged"]), (&0.into(), &0.into()), "{verified}");
    assert!(!place.join("incoming").exists());
    assert_eq!(std::fs::read_dir(place.join("trees")).unwrap().count(), 1);
}

#[test]
fn a_second_publisher_over_ssh_is_stopped_with_words() {
    let away = Away::new("site");
    away.world.mirror("greeting", "ours\n");
    away.run(&["publish", "away", "--yes"]).success();
    let other = Roadstead::new();
    other.ok(&["target", "add", "away", "--ssh", &away.sshd.address("site")]);
    other.add(&format!("{}/greeting:1", away.world.registry.host()));
    let said = finish(&away.command(&other, &["publish", "--yes"])).failure(10);
    assert!(said.contains("was published to by") && said.contains("--force"), "{said}");
    finish(&away.command(&other, &["publish", "--yes", "--force"])).success();
    away.world.mirror("more", "ours\n");
    let said = away.run(&["publish", "away", "--yes"]).failure(10);
    assert!(said.contains("not from here"), "{said}");
}

#[test]
fn ssh_that_asks_that_is_not_known_that_hangs_and_a_machine_without_rsync_are_said_in_words() {
    let away = Away::new("site");
    away.world.mirror("greeting", "hello\n");
    let roadstead = &away.world.roadstead;
    let publish = |prepare: &dyn Fn(&mut Command)| {
        let mut command = roadstead.command(&["publish", "away", "--yes"]);
        prepare(&mut command);
        finish(&command)
    };
    let said = publish(&|command| away.sshd.with_a_stranger(command)).failure(5);
    assert!(said.contains("asks for a password, or knows none of the keys"), "{said}");
    let said = publish(&|command| away.sshd.without_its_key(command)).failure(5);
    assert!(said.contains("host key of 127.0.0.1 is not known"), "{said}");
    // The key is named.
    let key = away.sshd.key();
    roadstead.ok(&["target", "set", "away", "--auth-file", key.to_str().unwrap()]);
    publish(&|command| away.sshd.with_a_stranger(command)).success();

    // rsync is not here: PATH has ssh alone.
    let tested = {
        let mut command = roadstead.command(&["target", "test", "away"]);
        away.sshd.known_to(&mut command);
        let path = command.get_envs().find(|(name, _)| *name == "PATH").unwrap().1.unwrap().to_owned();
        let only = path.to_str().unwrap().split(':').next().unwrap().to_owned();
        finish(command.env("PATH", only))
    };
    assert!(tested.stdout.contains("the program `rsync` is not installed here"), "{tested}");

    let few = Sshd::with_few_programs();
    roadstead.ok(&["target", "set", "away", "--ssh", &few.address("site")]);
    let said = publish(&|command| few.known_to(command)).failure(7);
    assert!(said.contains("rsync is not installed on 127.0.0.1"), "{said}");

    // One that takes the connection and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("ssh://{}/srv/site", silent.local_addr().unwrap());
    roadstead.ok(&["target", "set", "away", "--ssh", &address]);
    let said = publish(&|command| few.known_to(command)).failure(6);
    assert!(said.contains("can't reach 127.0.0.1 by ssh") || said.contains("does not answer"), "{said}");
    // One that is not there.
    drop(silent);
    let said = publish(&|command| few.known_to(command)).failure(6);
    assert!(said.contains("Connection refused"), "{said}");
}
