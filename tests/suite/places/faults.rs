//! A bucket and what goes wrong: kills, a lost object, wrong credentials, a wrong clock; and secrets, which are found nowhere.

use super::{World, with_key};
use crate::images::Layout;
use crate::peers::between::{Between, Then, refusal};
use crate::peers::versitygw::{ACCESS_KEY, SECRET_KEY};
use crate::peers::{Daemon, Directory, finish, wait_for, wrapped};
use std::path::Path;

/// All files below a directory.
fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().map_while(Result::ok);
    entries.flat_map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { vec![entry.path()] }).collect()
}

#[test]
fn killed_while_it_stores_it_goes_on() {
    let world = World::new();
    // One blob in parts among small ones.
    let sizes = [80 << 20, 1 << 20, 2 << 20, 3 << 20, 4 << 20];
    world.registry.push(&Layout::random(&sizes, 7), "1", "large");
    world.roadstead.add(&format!("{}/large:1", world.registry.host()));
    let logs = Directory::new();
    for stop_after in [1_usize, 4] {
        let mut running = Daemon::start("publish", &with_key(&world.roadstead, &["publish", "--yes"]), logs.path());
        let stored = || files(&world.bucket.file("")).len();
        wait_for("some objects", String::new, || (stored() >= stop_after || running.ended().is_some()).then_some(()));
        if running.ended().is_none() {
            running.signal(rustix::process::Signal::KILL);
        }
        wait_for("its end", String::new, || running.ended().map(drop));
    }
    let report = world.json(&["publish", "--yes"]);
    assert!(report["failed"].as_array().unwrap().is_empty(), "{report}");
    let verified = world.json(&["target", "verify", "bucket"]);
    assert_eq!((&verified["missing"], &verified["damaged"]), (&0.into(), &0.into()), "{verified}");
    assert!(verified["bytes"].as_u64().unwrap() > 80 << 20, "{verified}");
    let again = world.json(&["publish", "--yes"]);
    assert_eq!(again["targets"][0]["done"], true, "{again}");
    // What two repositories share is copied there.
    world.registry.push(&Layout::random(&sizes, 7), "1", "same");
    world.roadstead.add(&format!("{}/same:1", world.registry.host()));
    let report = world.json(&["publish", "--yes"]);
    let objects = &report["targets"][0]["objects"];
    assert!(objects["copied"].as_u64().unwrap() >= 5, "{report}");
    assert!(report["targets"][0]["outcome"]["sent"].as_u64().unwrap() < 1 << 20, "{report}");
}

#[test]
fn a_lost_object_is_found_and_stored_again() {
    let world = World::new();
    world.mirror("greeting", "hello\n");
    world.run(&["publish", "--yes"]).success();
    let blobs = world.bucket.file(&format!("v2/{}/greeting/blobs", world.registry.published()));
    let lost = files(&blobs).remove(0);
    std::fs::remove_file(&lost).unwrap();
    let said = world.run(&["target", "verify", "bucket"]).failure(8);
    assert!(said.contains("lacks 1"), "{said}");
    let report = world.json(&["publish", "--yes"]);
    assert_eq!(report["targets"][0]["objects"]["stored"], 1, "{report}");
    assert!(report["targets"][0]["notes"].to_string().contains("stored again"), "{report}");
    assert!(lost.exists());
    world.run(&["target", "verify", "bucket"]).success();
}

#[test]
fn refusals_are_said_in_words() {
    let world = World::new();
    world.mirror("greeting", "hello\n");
    let mut wrong = world.roadstead.command(&["publish", "--yes"]);
    wrong.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", "wr0ng");
    let said = finish(&wrong).failure(5);
    assert!(said.contains("secret access key or the region is wrong"), "{said}");
    wrong.env("AWS_ACCESS_KEY_ID", "AKNOBODY");
    let said = finish(&wrong).failure(5);
    assert!(said.contains("does not know the access key"), "{said}");
    // A clock that is two hours slow: what is signed has expired.
    let (slow, fast) = (["-f", "-2h"], ["-f", "+2h"]);
    let at = |clock: &[&str]| {
        let right = with_key(&world.roadstead, &["publish", "--yes"]);
        let said = finish(&wrapped(&right, &crate::peers::program("faketime"), clock)).failure(5);
        assert!(said.contains("so that signatures are invalid") && said.contains("timedatectl set-ntp true"), "{said}");
        said
    };
    let said = at(&slow);
    assert!(said.contains("this machine's clock is 120 min behind the clock of s3://registry"), "{said}");
    // One that is two hours fast: AWS refuses what is signed by it, this server takes it.
    let between = Between::to(&world.bucket.url());
    world.roadstead.ok(&["target", "set", "bucket", "--endpoint", &between.url]);
    between.rule(|_| Then::Answer(403, refusal("AccessDenied")));
    let said = at(&fast);
    assert!(said.contains("this machine's clock is 120 min ahead of the clock of s3://registry"), "{said}");
    between.rule(|_| Then::Pass);
    let nowhere = world.run(&["target", "set", "bucket", "--s3", "s3://nowhere"]);
    nowhere.success();
    let said = world.run(&["publish", "--yes"]).failure(4);
    assert!(said.contains("s3://nowhere does not exist"), "{said}");
    let said = world.run(&["target", "set", "bucket", "--ipns"]).failure(2);
    assert!(said.contains("can't be used with a bucket"), "{said}");
}

#[test]
fn the_secrets_of_a_bucket_are_found_nowhere() {
    let world = World::new();
    world.mirror("greeting", "hello\n");
    let file = world.roadstead.path("bucket.credentials");
    let profile = format!("[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n");
    std::fs::write(&file, profile).unwrap();
    let set = ["target", "set", "bucket", "--auth-file", file.to_str().unwrap()];
    let mut told = vec![world.roadstead.run(&set).to_string()];
    for more in [&["-vvv"][..], &["-vvv", "--json", "--progress", "json"]] {
        for words in [
            &["target", "test", "bucket"][..],
            &["publish", "--yes"],
            &["target", "verify", "bucket"],
            &["target", "show", "bucket"],
            &["history"],
        ] {
            let finished = world.roadstead.run(&[more, words].concat());
            assert_eq!(finished.code, 0, "{finished}");
            told.push(finished.to_string());
        }
    }
    let mut wrong = world.roadstead.command(&["-vvv", "publish", "--yes"]);
    std::fs::write(
        &file,
        format!("[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}x\n"),
    )
    .unwrap();
    world.mirror("other", "hello\n");
    told.push(finish(wrong.env("ROADSTEAD_LOG", "trace")).to_string());
    std::fs::remove_file(&file).unwrap();
    let kept = files(&world.roadstead.path("registry")).into_iter().chain(files(&world.bucket.file("")));
    told.extend(kept.map(|file| String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned()));
    for text in &told {
        for word in [SECRET_KEY, ACCESS_KEY, "X-Amz-Signature", "X-Amz-Credential"] {
            if let Some(at) = text.find(word) {
                let start = text[..at].char_indices().rev().nth(200).map_or(0, |(place, _)| place);
                panic!("{word} is in: {}", &text[start..at + word.len()]);
            }
        }
    }
}
