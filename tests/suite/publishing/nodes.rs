//! Publishing to nodes alone: what they get, keep and give up, and what happens when one breaks.

use crate::cli::{self, Roadstead};
use crate::images::Layout;
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::free_port;
use crate::peers::kubo::{Kubo, Profile};

/// A registry, an empty catalog, and a target `home` that keeps three roots.
pub(super) struct TargetSetup {
    pub(super) registry: DockerRegistry,
    pub(super) roadstead: Roadstead,
    pub(super) kubo: Kubo,
}

impl TargetSetup {
    fn new() -> Self {
        let kubo = Kubo::start(Profile::V1);
        let url = kubo.api_url.clone();
        Self::at(kubo, &url, &["--ipns", "self"])
    }

    /// With this node, reached by this URL, and more settings of the target.
    pub(super) fn at(kubo: Kubo, url: &str, settings: &[&str]) -> Self {
        let made = Self { registry: DockerRegistry::plain(), roadstead: Roadstead::new(), kubo };
        let mut words = vec!["target", "add", "home", "--kubo", url, "--keep", "3"];
        words.extend(settings);
        made.roadstead.ok(&words);
        made
    }

    /// Puts an image with these words into the upstream registry, and mirrors it; gives the root.
    pub(super) fn mirror(&self, repository: &str, words: &str) -> String {
        self.push(repository, &Layout::saying(words))
    }

    pub(super) fn push(&self, repository: &str, layout: &Layout) -> String {
        self.registry.push(layout, "1", repository);
        self.roadstead.add(&format!("{}/{repository}:1", self.registry.host()));
        self.roadstead.root()
    }

    fn pins_of_ours(&self) -> usize {
        super::pins(&self.kubo).lines().filter(|line| line.contains("roadstead")).count()
    }

    /// The root that the target gives out, and what its IPNS name points to, as `target show` and the plan say.
    fn given_out(&self) -> (String, String) {
        self.given_out_where(0)
    }

    /// The same where the plan ends with this code.
    fn given_out_where(&self, code: i32) -> (String, String) {
        let target = self.roadstead.json(&["target", "show", "home"]);
        let plan = self.roadstead.run(&["--json", "publish", "home", "--dry-run"]);
        assert_eq!(plan.code, code, "{plan}");
        let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
        let name = plan["targets"][0]["ipns"]["before"].as_str().unwrap_or_default();
        let root = target["root"].as_str().or_else(|| target["target"]["root"].as_str()).unwrap_or_default();
        (String::from(root), String::from(name.trim_start_matches("/ipfs/")))
    }
}

#[test]
fn a_root_goes_to_a_node_moves_on_and_comes_back() {
    let setup = TargetSetup::new();
    let roadstead = &setup.roadstead;
    let first = setup.push("random", &Layout::random(&[3_456_789, 70_000], 1));
    let plan = roadstead.json(&["publish", "--dry-run"]);
    assert_eq!((&plan["root"], &plan["targets"][0]["changes"][0]["kind"]), (&first.as_str().into(), &"added".into()));
    assert!(!super::is_whole(&setup.kubo, &first), "a dry run changes nothing");
    // Nobody can be asked here.
    roadstead.run(&["publish"]).failure(2);
    roadstead.ok(&["publish", "--yes"]);
    assert!(super::is_whole(&setup.kubo, &first) && super::pins(&setup.kubo).contains(&first));
    assert_eq!(setup.given_out(), (first.clone(), first.clone()));
    assert!(roadstead.run(&["publish"]).to_string().contains("Nothing to publish"));

    let second = setup.mirror("greeting", "the second\n");
    let gateway = setup.kubo.gateway_url.clone();
    let report = roadstead.json(&["publish", "--yes", "--check-gateway", &gateway]);
    let target = &report["targets"][0];
    assert_eq!(target["former"], first.as_str());
    assert_eq!(target["outcome"]["notes"], serde_json::json!([]), "the gateway gives it out");
    assert!(target["outcome"]["sent"].as_u64().is_some_and(|sent| sent < 2_000_000), "only what is new: {target}");
    assert!(super::is_whole(&setup.kubo, &second));

    let report = roadstead.json(&["rollback", &first, "--yes"]);
    assert_eq!(report["targets"][0]["outcome"]["sent"], 0);
    assert_eq!(setup.given_out(), (first.clone(), first));
    assert_eq!(roadstead.root(), second, "the catalog stays");
    let plan = roadstead.run(&["publish", "--dry-run"]);
    assert!(plan.stderr.contains("rolled back"), "{plan}");
}

#[test]
fn a_second_node_gets_all_of_it_in_the_same_run() {
    let setup = TargetSetup::new();
    setup.mirror("one", "one\n");
    setup.roadstead.ok(&["publish", "--yes"]);
    let away = Kubo::start(Profile::V1);
    setup.roadstead.ok(&["target", "add", "away", "--kubo", &away.api_url]);
    let root = setup.mirror("two", "two\n");
    let report = setup.roadstead.json(&["publish", "--yes"]);
    assert_eq!(report["targets"].as_array().map(Vec::len), Some(2));
    for kubo in [&setup.kubo, &away] {
        assert!(super::is_whole(kubo, &root), "{}", kubo.api_url);
        assert!(super::pins(kubo).contains(&root));
    }
    // One of them goes down: the other gets the next root, and who has what is said.
    let url = away.api_url.replace("http://", "");
    drop(away);
    let next = setup.mirror("three", "three\n");
    let said = setup.roadstead.run(&["publish", "--yes"]);
    assert_eq!(said.code, 9, "{said}");
    assert!(said.stderr.contains("away") && said.stderr.contains(&url), "{said}");
    assert!(super::is_whole(&setup.kubo, &next));
    // The only one that is asked for gives its own code.
    let code = setup.roadstead.run(&["publish", "away", "--yes"]).code;
    assert!(code == 6 || code == 7, "{code}");
}

/// A name that can't move is told before and after, and is no success; the key that it needs is made when that is asked for.
#[test]
fn a_name_whose_key_is_not_there_is_no_success() {
    let kubo = Kubo::start(Profile::V1);
    let url = kubo.api_url.clone();
    let setup = TargetSetup::at(kubo, &url, &["--ipns", "moving"]);
    let roadstead = &setup.roadstead;
    let root = setup.mirror("greeting", "first\n");
    let tried = roadstead.run(&["target", "test", "home"]);
    assert!(tried.code == 4 && tried.stdout.contains("`roadstead target set home --make-key`"), "{tried}");
    let planned = roadstead.run(&["publish", "--dry-run"]);
    assert!(planned.code == 9 && planned.stderr.contains("would not move"), "{planned}");
    for _ in 0..2 {
        let said = roadstead.run(&["publish", "--yes"]);
        assert_eq!(said.code, 9, "{said}");
        assert!(said.stderr.contains("no key `moving`") && said.stderr.contains("--make-key"), "{said}");
        assert!(super::is_whole(&setup.kubo, &root), "everything else is done");
    }
    assert_eq!(setup.given_out_where(9), (root.clone(), String::new()));

    let made = roadstead.json(&["target", "set", "home", "--make-key"]);
    assert_eq!((&made["key"]["name"], &made["key"]["made"]), (&"moving".into(), &true.into()));
    let keys = setup.kubo.repository().run(&["key", "list", "-l"]).success();
    assert!(keys.contains(made["key"]["id"].as_str().unwrap()), "{keys}");
    roadstead.ok(&["publish", "--yes"]);
    assert_eq!(setup.given_out(), (root.clone(), root));

    // With a target, too; what is there already is left as it is.
    let added = roadstead.run(&["target", "add", "second", "--kubo", &url, "--ipns", "other", "--make-key"]);
    assert!(added.code == 0 && added.stderr.contains("Created the key `other`"), "{added}");
    let again = roadstead.json(&["target", "set", "second", "--ipns", "moving", "--make-key"]);
    assert_eq!(again["key"]["made"], false);
    // Where the key can't be made, nothing is saved.
    roadstead.run(&["target", "add", "third", "--kubo", "http://127.0.0.1:1", "--ipns", "x", "--make-key"]).failure(7);
    roadstead.run(&["target", "show", "third"]).failure(4);
    roadstead.run(&["target", "add", "third", "--kubo", &url, "--make-key"]).failure(2);
}

/// A secret goes over plain HTTP to another machine only where somebody says so, and is never silent about it.
#[test]
fn a_secret_in_clear_is_refused_or_told() {
    let roadstead = Roadstead::new();
    let (secret, elsewhere) = (roadstead.path("secret"), "http://node.invalid:5001");
    std::fs::write(&secret, "bearer:hidden").unwrap();
    let file = secret.to_str().unwrap();
    let add = ["target", "add", "home", "--kubo", elsewhere, "--auth-file", file];
    let refused = roadstead.run(&add);
    assert_eq!(refused.code, 2, "{refused}");
    assert!(refused.stderr.contains("plain HTTP") && refused.stderr.contains("--insecure-auth"), "{refused}");
    // TLS, this machine, and no secret are fine.
    for (name, words) in [
        ("tls", &["--kubo", "https://node.invalid:5001", "--auth-file", file][..]),
        ("here", &["--kubo", "http://127.0.0.1:5001", "--auth-file", file]),
        ("bare", &["--kubo", elsewhere]),
    ] {
        let added = roadstead.run(&[&["target", "add", name], words].concat());
        assert!(added.code == 0 && !added.stderr.contains("plain HTTP"), "{added}");
    }
    roadstead.run(&["target", "set", "tls", "--kubo", elsewhere]).failure(2);
    roadstead.run(&["target", "set", "bare", "--auth-env", "TOKEN"]).failure(2);
    let added = roadstead.run(&[&add[..], &["--insecure-auth"]].concat());
    assert!(added.code == 0 && added.stderr.contains("over plain HTTP"), "{added}");
    // What was allowed once stays so, and is said wherever it matters.
    let changed = roadstead.run(&["target", "set", "home", "--keep", "3"]);
    assert!(changed.code == 0 && changed.stderr.contains("over plain HTTP"), "{changed}");
    let looked = roadstead.run(&["doctor", "--offline"]);
    assert!(looked.stdout.contains("home: node, transport"), "{looked}");
    let read = roadstead.run(&["restore", "bafkqaaa", "--from", &format!("kubo:{elsewhere}"), "--auth-file", file]);
    assert!(read.code != 0 && read.stderr.contains("over plain HTTP"), "{read}");
}

/// What comes, moves and goes at once takes temporary roots, none of which stays.
#[test]
fn only_roots_that_are_kept_stay_pinned() {
    let setup = TargetSetup::new();
    for number in 0..5 {
        setup.mirror("moving", &format!("{number}\n"));
        setup.mirror(&format!("new-{number}"), "new\n");
        if number > 0 {
            let old = format!("{}/new-{}:1", setup.registry.host(), number - 1);
            setup.roadstead.ok(&["remove", &old, "--yes"]);
        }
        setup.roadstead.ok(&["publish", "--yes"]);
        assert!(super::is_whole(&setup.kubo, &setup.roadstead.root()));
    }
    assert_eq!(setup.pins_of_ours(), 3, "{}", super::pins(&setup.kubo));
    setup.kubo.repository().run(&["repo", "gc", "--quiet"]).success();
    assert!(super::is_whole(&setup.kubo, &setup.roadstead.root()), "nothing needed hung on a temporary pin");
}

/// Killed right after each step in turn, it is continued, and what is left is no other than it would have been.
#[test]
fn killed_after_every_step_it_goes_on() {
    let setup = TargetSetup::new();
    setup.mirror("anchor", "anchor\n");
    setup.roadstead.ok(&["publish", "--yes"]);
    let mut turn = 0;
    loop {
        let former = setup.roadstead.root();
        let root = setup.mirror("greeting", &format!("turn {turn}\n"));
        let ended = killed_after(&setup.roadstead, turn);
        let (given_out, name) = setup.given_out();
        assert!(given_out == former || given_out == root, "{given_out}");
        assert!(name == former || name == root, "{name}");
        assert!(super::pins(&setup.kubo).contains(&given_out));
        assert!(super::is_whole(&setup.kubo, &given_out), "turn {turn}");
        setup.roadstead.ok(&["publish", "--yes"]);
        assert_eq!(setup.given_out(), (root.clone(), root.clone()));
        assert!(super::is_whole(&setup.kubo, &root), "turn {turn}");
        if ended {
            break;
        }
        turn += 1;
    }
    assert!(turn >= 5, "{turn} steps");
    assert_eq!(setup.pins_of_ours(), 3, "{}", super::pins(&setup.kubo));
}

/// Publishes, and kills it when it has told of so many steps; whether it ended before that.
fn killed_after(roadstead: &Roadstead, steps: usize) -> bool {
    killed_in(roadstead, &["publish", "--yes"], steps)
}

/// The same for any command that moves targets.
pub(super) fn killed_in(roadstead: &Roadstead, words: &[&str], steps: usize) -> bool {
    cli::killed_after(roadstead.command(&[&["--json", "--progress", "json"], words].concat()), steps)
}

/// Each fact has one place: why a target could not be reached is not said again by the table and by the error.
#[test]
fn why_a_target_gets_nothing_is_said_once() {
    let setup = TargetSetup::new();
    setup.mirror("app", "one");
    let away = format!("127.0.0.1:{}", free_port());
    setup.roadstead.ok(&["target", "add", "away", "--kubo", &format!("http://{away}")]);
    let published = setup.roadstead.run(&["publish", "--yes", "--progress", "plain"]);
    let said = format!("{}{}", published.stdout, published.stderr);
    assert_eq!(said.matches(&away).count(), 1, "{said}");
    assert!(said.contains("1 of 2 targets failed") && said.contains("away"), "{said}");
    published.failure(9);
}
