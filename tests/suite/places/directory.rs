//! A directory as a target: clients pull from it behind a web server, tags move at once, and nothing of anybody else is touched.

use crate::cli::Roadstead;
use crate::images::Layout;
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::nginx::Nginx;
use crate::peers::podman::Podman;
use crate::peers::skopeo::Skopeo;
use crate::peers::{Daemon, Directory, wait_for, web};
use std::path::{Path, PathBuf};

/// An upstream registry, a catalog, and a directory that is its target `files`.
pub(super) struct Filed {
    pub(super) registry: DockerRegistry,
    pub(super) roadstead: Roadstead,
    pub(super) outer: Directory,
}

impl Filed {
    pub(super) fn new() -> Self {
        let made = Self { registry: DockerRegistry::plain(), roadstead: Roadstead::new(), outer: Directory::new() };
        made.roadstead.ok(&["target", "add", "files", "--directory", made.place().to_str().unwrap()]);
        made
    }

    pub(super) fn place(&self) -> PathBuf {
        self.outer.join("site")
    }

    /// Puts an image with these words into the upstream registry, and mirrors it; the new root.
    pub(super) fn mirror(&self, repository: &str, words: &str) -> String {
        self.registry.push(&Layout::saying(words), "1", repository);
        self.roadstead.add(&format!("{}/{repository}:1", self.registry.host()));
        self.roadstead.root()
    }

    /// The reference of an image at a host that gives the directory out.
    pub(super) fn image(&self, host: &str, repository: &str) -> String {
        format!("{host}/{}/{repository}:1", self.registry.published())
    }
}

/// nginx over the tree that a place gives out, as `config web` says.
pub(super) fn nginx_over(roadstead: &Roadstead, place: &Path) -> Nginx {
    let config = roadstead.path("nginx.conf");
    std::fs::write(&config, roadstead.ok(&["config", "web", "nginx"])).unwrap();
    let tree = place.join("current");
    Nginx::start(&config, &[("127.0.0.1:5050", "127.0.0.1:PORT"), ("/srv/roadstead", tree.to_str().unwrap())])
}

/// podman runs the image and it says this; skopeo has it by its digest too.
#[track_caller]
pub(super) fn says(image: &str, words: &str) {
    let podman = Podman::new();
    podman.pull(image);
    assert_eq!(podman.run_in(image, &["cat", "/etc/greeting"]), words);
    let (repository, tag) = image.rsplit_once(':').unwrap();
    let (host, path) = repository.split_once('/').unwrap();
    let manifest = web::get_manifest(&format!("http://{host}/v2/{path}/manifests/{tag}"));
    let by_digest = format!("{repository}@{}", manifest.header("docker-content-digest"));
    let digest = if manifest.header("docker-content-digest").is_empty() {
        format!("{repository}@{}", crate::images::digest(&manifest.body))
    } else {
        by_digest
    };
    let files = Skopeo::new().files(&digest, &["--src-tls-verify=false".to_owned()]);
    assert_eq!(crate::images::digest(&files[Path::new("manifest.json")]), digest.rsplit_once('@').unwrap().1);
}

/// Everything below a directory.
pub(super) fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().map_while(Result::ok);
    let below = |entry: std::fs::DirEntry| {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) { files(&entry.path()) } else { vec![entry.path()] }
    };
    entries.flat_map(below).collect()
}

#[test]
fn clients_pull_from_a_directory_behind_nginx_and_tags_move() {
    let world = Filed::new();
    let tested = world.roadstead.ok(&["target", "test", "files"]);
    for word in ["store", "switch", "hard links", "room", "config web nginx"] {
        assert!(tested.contains(word), "{word}: {tested}");
    }
    assert!(!world.place().exists(), "a test leaves nothing");
    let first = world.mirror("greeting", "the first\n");
    let report = world.roadstead.json(&["publish", "--yes"]);
    assert_eq!(report["targets"][0]["outcome"]["root"], first.as_str(), "{report}");
    let nginx = nginx_over(&world.roadstead, &world.place());
    let image = world.image(&nginx.host(), "greeting");
    says(&image, "the first\n");
    assert_eq!(Skopeo::new().tags(image.rsplit_once(':').unwrap().0), ["1"]);

    let again = world.roadstead.json(&["publish", "--yes"]);
    assert_eq!((&again["targets"][0]["done"], &again["targets"][0]["objects"]["stored"]), (&true.into(), &0.into()));

    let old =
        web::get_manifest(&format!("http://{}/v2/{}/greeting/manifests/1", nginx.host(), world.registry.published()));
    let second = world.mirror("greeting", "the second\n");
    let report = world.roadstead.json(&["publish", "--yes"]);
    let objects = &report["targets"][0]["objects"];
    assert!(objects["stored"].as_u64().unwrap() < objects["total"].as_u64().unwrap(), "{report}");
    says(&image, "the second\n");
    // Whoever has read the former tag goes on.
    let former: serde_json::Value = serde_json::from_slice(&old.body).unwrap();
    for layer in former["layers"].as_array().unwrap() {
        let digest = layer["digest"].as_str().unwrap();
        let url = format!("http://{}/v2/{}/greeting/blobs/{digest}", nginx.host(), world.registry.published());
        web::get(&url).expect(200);
    }

    let report = world.roadstead.json(&["rollback", &first, "--yes"]);
    assert_eq!(report["targets"][0]["outcome"]["root"], first.as_str(), "{report}");
    says(&image, "the first\n");
    let verified = world.roadstead.json(&["target", "verify", "files"]);
    assert_eq!((&verified["missing"], &verified["damaged"]), (&0.into(), &0.into()), "{verified}");
    let history = world.roadstead.ok(&["history"]);
    assert!(history.contains("rollback") && first != second, "{history}");
    let shown = world.roadstead.ok(&["target", "show", "files"]);
    assert!(shown.contains(world.place().to_str().unwrap()) && shown.contains("grace"), "{shown}");
    world.roadstead.ok(&["target", "remove", "files", "--yes"]);
    says(&image, "the first\n");
}

#[test]
fn killed_at_any_file_it_goes_on_and_readers_have_a_whole_tree() {
    let world = Filed::new();
    world.mirror("greeting", "the anchor\n");
    world.roadstead.ok(&["target", "set", "files", "--copy"]);
    world.roadstead.ok(&["publish", "--yes"]);
    let sizes = [40 << 20, 10 << 20, 2 << 20, 3 << 20, 4 << 20];
    world.registry.push(&Layout::random(&sizes, 7), "1", "large");
    world.roadstead.add(&format!("{}/large:1", world.registry.host()));
    let anchored = |place: &Path| {
        let tag = place.join(format!("current/oci/v2/{}/greeting/manifests/1", world.registry.published()));
        assert!(tag.is_file(), "readers have a tree");
    };
    let logs = Directory::new();
    let place = world.place();
    let moments: [(&str, &dyn Fn() -> bool); 3] = [
        ("one file on its way", &|| !files(&place.join("incoming")).is_empty()),
        ("all files on their way", &|| files(&place.join("incoming")).len() > 20),
        ("a second tree", &|| std::fs::read_dir(place.join("trees")).is_ok_and(|trees| trees.count() > 1)),
    ];
    for (what, moment) in moments {
        let mut running = Daemon::start("publish", &world.roadstead.command(&["publish", "--yes"]), logs.path());
        wait_for(what, String::new, || (moment() || running.ended().is_some()).then_some(()));
        if running.ended().is_none() {
            running.signal(rustix::process::Signal::KILL);
        }
        wait_for("its end", String::new, || running.ended().map(drop));
        anchored(&place);
    }
    let report = world.roadstead.json(&["publish", "--yes"]);
    assert!(report["failed"].as_array().unwrap().is_empty(), "{report}");
    let verified = world.roadstead.json(&["target", "verify", "files"]);
    assert_eq!((&verified["missing"], &verified["damaged"]), (&0.into(), &0.into()), "{verified}");
    assert!(!place.join("incoming").exists());
    assert_eq!(std::fs::read_dir(place.join("trees")).unwrap().count(), 1);
    // The files are nobody else's: one may be changed without harm to the blob store.
    for file in files(&place.join("trees")) {
        std::fs::write(&file, "overwritten").unwrap();
    }
    world.roadstead.ok(&["verify"]);
}

#[test]
fn a_second_publisher_and_what_is_not_ours_are_said() {
    let world = Filed::new();
    world.mirror("greeting", "ours\n");
    world.roadstead.ok(&["publish", "--yes"]);
    let other = Roadstead::new();
    other.ok(&["target", "add", "files", "--directory", world.place().to_str().unwrap()]);
    other.add(&format!("{}/greeting:1", world.registry.host()));
    let said = other.run(&["publish", "--yes"]).failure(10);
    assert!(said.contains("was published to by") && said.contains("--force"), "{said}");
    other.ok(&["publish", "--yes", "--force"]);
    world.mirror("more", "ours\n");
    let said = world.roadstead.run(&["publish", "--yes"]).failure(10);
    assert!(said.contains("not from here"), "{said}");

    let precious = world.outer.write("precious/file", "mine");
    let change = |place: &str| world.roadstead.run(&["target", "set", "files", "--directory", place]);
    change(precious.parent().unwrap().to_str().unwrap()).success();
    let said = world.roadstead.run(&["publish", "--yes"]).failure(2);
    assert!(said.contains("is not empty, and not published to before"), "{said}");
    assert_eq!(std::fs::read_dir(precious.parent().unwrap()).unwrap().count(), 1);
    change("/nonexistent/below/site").success();
    let said = world.roadstead.run(&["publish", "--yes"]).failure(2);
    assert!(said.contains("there is no directory /nonexistent/below"), "{said}");
    let said = world.roadstead.run(&["target", "set", "files", "--endpoint", "https://s3.test"]).failure(2);
    assert!(said.contains("`--endpoint` can only be used with a bucket"), "{said}");
    let said = world.roadstead.run(&["target", "set", "files", "--ipns"]).failure(2);
    assert!(said.contains("`--ipns` can't be used with a directory"), "{said}");
}
