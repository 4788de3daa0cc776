//! A bucket as a target: clients pull from it, a second publication sends nothing, and a second publisher is stopped.

use super::{World, add_target, with_key};
use crate::cli::Roadstead;
use crate::peers::podman::Podman;
use crate::peers::skopeo::Skopeo;
use crate::peers::{finish, web};

#[test]
fn clients_pull_from_a_bucket_and_tags_move() {
    let world = World::new();
    let first = world.mirror("greeting", "the first\n");
    let front = world.bucket.front();
    let report = world.json(&["publish", "--yes"]);
    let target = &report["targets"][0];
    assert_eq!(target["outcome"]["root"], first.as_str(), "{report}");
    assert_eq!(target["objects"]["stored"], target["objects"]["total"], "{report}");
    assert_eq!(target["outcome"]["blocks"], target["objects"]["total"], "{report}");

    let url = format!("http://{}", front.host());
    web::get(&format!("{url}/v2/")).expect(200);
    let record: serde_json::Value = serde_json::from_slice(&web::get(&format!("{url}/roadstead.json")).body).unwrap();
    assert_eq!(record["root"], first.as_str());
    let image = world.image(&front.host(), "greeting");
    let podman = Podman::new();
    podman.pull(&image);
    assert_eq!(podman.run_in(&image, &["cat", "/etc/greeting"]), "the first\n");
    let skopeo = Skopeo::new();
    assert_eq!(skopeo.tags(image.rsplit_once(':').unwrap().0), ["1"]);
    let manifest = web::get_manifest(&format!("{url}/v2/{}/greeting/manifests/1", world.registry.published()));
    assert!(manifest.header("content-type").contains("manifest"), "{:?}", manifest.headers);
    assert_eq!(manifest.header("cache-control"), "public, max-age=60, must-revalidate");
    assert!(manifest.header("x-amz-meta-docker-content-digest").starts_with("sha256:"), "{:?}", manifest.headers);

    // Nothing new: nothing is sent.
    let again = world.json(&["publish", "--yes"]);
    let objects = &again["targets"][0]["objects"];
    assert_eq!((&objects["stored"], &again["targets"][0]["done"]), (&0.into(), &true.into()), "{again}");

    // A tag that moves takes its own objects and the lists, and no blob that is there.
    let second = world.mirror("greeting", "the second\n");
    let report = world.json(&["publish", "--yes"]);
    let objects = &report["targets"][0]["objects"];
    assert!(objects["stored"].as_u64().unwrap() < objects["total"].as_u64().unwrap(), "{report}");
    let podman = Podman::new();
    podman.pull(&image);
    assert_eq!(podman.run_in(&image, &["cat", "/etc/greeting"]), "the second\n");

    // What the former root alone had stays for the grace, so that going back sends small files alone.
    let report = world.json(&["rollback", &first, "--yes"]);
    assert_eq!(report["targets"][0]["outcome"]["root"], first.as_str(), "{report}");
    let verified = world.json(&["target", "verify", "bucket"]);
    assert_eq!((&verified["missing"], &verified["damaged"]), (&0.into(), &0.into()), "{verified}");
    let podman = Podman::new();
    podman.pull(&image);
    assert_eq!(podman.run_in(&image, &["cat", "/etc/greeting"]), "the first\n");
    assert_ne!(first, second);
}

#[test]
fn a_second_publisher_is_stopped_with_words() {
    let world = World::new();
    world.mirror("greeting", "ours\n");
    world.run(&["publish", "--yes"]).success();

    let other = Roadstead::new();
    add_target(&other, &world.bucket.url(), &[]);
    other.add(&format!("{}/greeting:1", world.registry.host()));
    let stopped = finish(&with_key(&other, &["publish", "--yes"]));
    let said = stopped.failure(10);
    assert!(said.contains("was published to by") && said.contains("--force"), "{said}");
    // Taken over, it is the first one that is stopped.
    finish(&with_key(&other, &["publish", "--yes", "--force"])).success();
    world.mirror("other", "ours\n");
    let said = world.run(&["publish", "--yes"]).failure(10);
    assert!(said.contains("not from here"), "{said}");
}

#[test]
fn a_test_of_the_target_says_what_the_host_can_do_and_leaves_nothing() {
    let world = World::new();
    let said = world.run(&["target", "test", "bucket"]).success();
    for word in ["conditions", "checksums", "copy", "parts", "key v2/", "everyone can read this bucket"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let left: Vec<_> =
        std::fs::read_dir(world.bucket.file("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name.to_string_lossy().starts_with('.')), "{left:?}");
    // Without credentials it is said how they are found.
    let tested = world.roadstead.run(&["target", "test", "bucket"]);
    assert!(tested.code == 5 && tested.stdout.contains("AWS_ACCESS_KEY_ID"), "{tested}");
}
