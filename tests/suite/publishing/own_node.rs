//! Publishing without a daemon: this program gives out what it has published, and a Kubo that knows nothing but a name has it all.

use super::world::DOMAIN;
use crate::cli::{Roadstead, Serving};
use crate::images::Layout;
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::kubo::{Kubo, Profile, Repository};
use crate::peers::podman::Podman;
use crate::peers::{wait_for, web};

/// A node that is connected to nobody: it asks this server who has a block, and takes blocks over HTTP.
fn node_behind(serving: &Serving, root: &str) -> Kubo {
    let repository = Repository::new(Profile::V1);
    repository.take_over_http_from(&serving.url);
    Kubo::from_repository(repository, &[(DOMAIN, root)])
}

pub(super) struct Publisher {
    pub(super) registry: DockerRegistry,
    pub(super) roadstead: Roadstead,
}

impl Publisher {
    pub(super) fn new() -> Self {
        let publisher = Self { registry: DockerRegistry::plain(), roadstead: Roadstead::new() };
        publisher.mirror("greeting", "the first\n");
        publisher.roadstead.ok(&["target", "add", "home", "--self", "--ipns"]);
        publisher
    }

    fn mirror(&self, repository: &str, words: &str) {
        self.registry.push(&Layout::saying(words), "1", repository);
        self.roadstead.ok(&["add", &format!("{}/{repository}:1", self.registry.host())]);
    }

    /// The IPNS name of the key that is made by itself.
    pub(super) fn name(&self) -> String {
        let keys = self.roadstead.json(&["target", "key", "list"]);
        String::from(keys[0]["id"].as_str().expect("a key"))
    }
}

#[test]
fn a_kubo_takes_the_registry_by_its_name_over_http_alone() {
    let publisher = Publisher::new();
    let roadstead = &publisher.roadstead;
    let report = roadstead.json(&["publish", "--yes"]);
    let outcome = &report["targets"][0]["outcome"];
    assert_eq!((&outcome["sent"], &outcome["blocks"]), (&0.into(), &0.into()), "everything is here: {outcome}");
    assert!(outcome["notes"].to_string().contains("roadstead serve --ipfs"), "nothing serves yet: {outcome}");
    let first = roadstead.root();

    let serving = roadstead.serve_with(&["--ipfs"]);
    let report = roadstead.json(&["publish", "--yes"]);
    assert!(!report.to_string().contains("serve --ipfs"), "it is served now: {report}");
    let kubo = node_behind(&serving, &first);
    let path = format!("/ipns/{}", publisher.name());
    let resolved = || kubo.repository().run(&["name", "resolve", "--nocache", &path]).success().trim().to_owned();
    assert_eq!(resolved(), format!("/ipfs/{first}"));
    kubo.repository().run(&["pin", "add", "--progress=false", &path]).success();
    assert!(super::is_whole(&kubo, &first));

    // The tag moves, and a server that runs gives out the new root.
    publisher.registry.push(&Layout::saying("the second\n"), "1", "greeting");
    roadstead.ok(&["update"]);
    let second = roadstead.root();
    roadstead.ok(&["publish", "--yes"]);
    let log = || String::from("the server runs in this test");
    wait_for("the name moves", log, || (resolved() == format!("/ipfs/{second}")).then_some(()));
    wait_for("the root is given out", log, || {
        (web::get(&format!("{}/ipfs/{second}?format=raw", serving.url)).status == 200).then_some(())
    });
    // By its CID: for as long as the record's TTL says, Kubo pins by what it remembers of the name.
    kubo.repository().run(&["pin", "add", "--progress=false", &format!("/ipfs/{second}")]).success();
    assert!(super::is_whole(&kubo, &second));
    let shown = || roadstead.ok(&["target", "show", "home"]);
    wait_for("it says who took how much", shown, || shown().contains(" by 127.0.0.1 over HTTP").then_some(()));
    drop(serving);

    // The publisher is gone, and the node's own gateway serves the registry.
    let podman = Podman::knowing(&[DOMAIN]);
    let image = format!("{DOMAIN}:{}/{}/greeting:1", kubo.gateway_port(), publisher.registry.published());
    podman.pull(&image);
    assert_eq!(podman.run_in(&image, &["cat", "/etc/greeting"]), "the first\n");
}

#[test]
fn nothing_but_what_is_published_is_given_out() {
    let publisher = Publisher::new();
    publisher.roadstead.ok(&["publish", "--yes"]);
    let published = publisher.roadstead.root();
    publisher.mirror("secret", "not for you\n");
    let unpublished = publisher.roadstead.root();
    let serving = publisher.roadstead.serve_with(&["--ipfs"]);
    let status = |cid: &str, format: &str| web::get(&format!("{}/ipfs/{cid}?format={format}", serving.url)).status;
    assert_eq!((status(&published, "raw"), status(&published, "car")), (200, 200));
    assert_eq!((status(&unpublished, "raw"), status(&unpublished, "car")), (404, 404));
    // The registry itself is another matter: on loopback all of it is served.
    assert_eq!(web::get(&format!("{}/v2/", serving.url)).status, 200);
}

/// The root that the record of the name leads to, which has to be signed by the key; and that root is given out.
pub(super) fn given_out(serving: &Serving, name: &str) -> String {
    let record = web::get(&format!("{}/ipns/{name}?format=ipns-record", serving.url)).expect(200).body;
    let record = roadstead::ipns::Record::verify(&record, &name.parse().expect("a name")).expect("a signed record");
    let root = record.value.trim_start_matches("/ipfs/").to_owned();
    assert_eq!(web::get(&format!("{}/ipfs/{root}?format=raw", serving.url)).status, 200, "{root}");
    root
}

/// Killed right after each step in turn, publishing and rolling back are continued, and what is given out is whole meanwhile.
#[test]
fn killed_after_every_step_the_own_node_goes_on() {
    let publisher = Publisher::new();
    let roadstead = &publisher.roadstead;
    roadstead.ok(&["publish", "--yes"]);
    let (name, serving) = (publisher.name(), roadstead.serve_with(&["--ipfs"]));
    let settled = |root: &str| {
        let log = || format!("{:#}", roadstead.json(&["target", "show", "home"]));
        wait_for("the name and the root are given out", log, || (given_out(&serving, &name) == root).then_some(()));
        roadstead.ok(&["target", "verify", "home"]);
    };
    let mut turn = 0;
    loop {
        let former = roadstead.root();
        publisher.mirror("greeting", &format!("turn {turn}\n"));
        roadstead.ok(&["update"]);
        let root = roadstead.root();
        assert_ne!(root, former);
        let mut ended = true;
        for (words, from, to) in
            [(&["publish", "--yes"][..], &former, &root), (&["rollback", &former, "--yes"], &root, &former)]
        {
            ended &= super::nodes::killed_in(roadstead, words, turn);
            let now = given_out(&serving, &name);
            assert!(now == *from || now == *to, "turn {turn}: {now}");
            roadstead.ok(words);
            settled(to);
        }
        roadstead.ok(&["publish", "--yes"]);
        settled(&root);
        if ended {
            break;
        }
        turn += 1;
    }
    assert!(turn >= 2, "{turn} steps");
}
